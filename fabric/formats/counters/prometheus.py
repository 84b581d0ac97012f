"""Prometheus: the text that exporters print, and the JSON of an instant or a range query."""

import math
import re
from dataclasses import replace

from collectives.errors import InputError
from collectives.gate import quoted, shown
from fabric.formats.counters.names import USUAL, Counter, Vocabulary, add, count_of, guid_of, port_of
from fabric.formats.counters.reading import CounterReading
from fabric.formats.counters.snapshot import CounterSample
from traces.compression import plain_name
from traces.json_text import parse_json

# Prometheus' text format 0.0.4: metric, labels, value, milliseconds.
_LINE = re.compile(
    r"([a-zA-Z_:][a-zA-Z0-9_:]{0,200})\s*(?:\{(.*)\})?\s+(\S+)(?:\s+(-?\d{1,20}))?(?:\s+#.*)?$", re.ASCII
)
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_.]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_ESCAPE = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
_EXPECTED = 'expected metric{label="value"} number'
_TREYDOCK = re.compile(r"infiniband_(?:switch|hca)_port_transmit_data_bytes_total")


def read_prometheus_text(name: str, text: str, words: Vocabulary = USUAL) -> CounterReading:
    """Read the text that an exporter prints; arguments as for `read_perfquery`.

    Metrics and labels that are not known are passed over.  A file of one host says the host by its name at most.

    Raises
    ------
    InputError
        A line that is none of the format, a count that is none: names file and line.
    """
    ports, host = Ports(words), host_of_file(name)
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        row = _LINE.match(line)
        if row is None:
            raise InputError(f"{name}:{number}: {quoted(line)}; {_EXPECTED}")
        counter = ports.counter(row[1])
        if counter is None or "_legacy_" in row[1]:
            continue
        where = f"{name}:{number}"
        identity = row[2] or ""
        if identity not in ports.known:
            labels = _labels(identity)
            if labels is None:
                raise InputError(f"{where}: {quoted(line)}; {_EXPECTED}")
            ports.known[identity] = sample_of(where, labels, words, host)
        ports.put(identity, where, row[1], counter, row[3], math.nan if row[4] is None else int(row[4]) / 1e3)
    return ports.reading()


def read_prometheus_json(name: str, text: str, words: Vocabulary = USUAL) -> CounterReading:
    """Read the answer of an instant query (vector) or a range query (matrix); errors as for `read_prometheus_text`."""
    document = parse_json(text, name)
    answers = document if isinstance(document, list) else [document]
    ports, host = Ports(words), host_of_file(name)
    unnamed = 0
    for answer in answers:
        data = answer.get("data", answer) if isinstance(answer, dict) else None
        results = data.get("result") if isinstance(data, dict) else None
        if not isinstance(results, list):
            said = answer.get("error") if isinstance(answer, dict) else None
            raise InputError(f"{name}: {f'Prometheus refused: {quoted(str(said))}' if said else 'no data.result'}; "
                             "expected the answer of a query")  # fmt: skip
        for number, result in enumerate(results, 1):
            where = f"{name}: result {number}"
            metric = result.get("metric") if isinstance(result, dict) else None
            if not isinstance(metric, dict):
                raise InputError(f"{where}: {shown(result)}; expected metric and value")
            labels = {str(key): str(value) for key, value in metric.items()}
            metric_name = labels.pop("__name__", "")
            counter = ports.counter(metric_name)
            unnamed += not metric_name
            if counter is None:
                continue
            identity = str(sorted(labels.items()))
            ports.known.setdefault(identity, sample_of(where, labels, words, host))
            values = result["values"] if "values" in result else [result.get("value")]
            for pair in values if isinstance(values, list) else [values]:
                if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], (int, float)):
                    raise InputError(f"{where}: value {shown(pair)}; expected a time and a number")
                ports.put(identity, where, metric_name, counter, str(pair[1]), float(pair[0]))
    if unnamed and not ports.samples:
        raise InputError(f"{name}: results without the metric's name (of rate or increase); expected the counters "
                         "themselves")  # fmt: skip
    return ports.reading()


class Ports:
    """Collects counts that stand one by one, each with the labels of its port.

    Parameters
    ----------
    words : Vocabulary

    Attributes
    ----------
    known : dict of str to CounterSample
        A port, without counts, by what its labels are told apart by.
    samples : dict of (str, float) to CounterSample
        By port and moment; 0 where that is not said.
    """

    def __init__(self, words: Vocabulary) -> None:
        self.known: dict[str, CounterSample] = {}
        self.samples: dict[tuple[object, ...], CounterSample] = {}
        self._words = words
        self._counters: dict[str, Counter | None] = {}
        self._found = CounterReading()

    def counter(self, metric: str) -> Counter | None:
        """What a metric stands for."""
        if metric not in self._counters:
            self._counters[metric] = self._words.counter(metric)
        return self._counters[metric]

    def put(self, identity: str, where: str, metric: str, counter: Counter, value: str, time_s: float) -> None:
        """Add a count to the sample of its port and moment."""
        port = self.known[identity]
        key = (port.key, 0.0 if math.isnan(time_s) else time_s)
        sample = self.samples.get(key)
        if sample is None:
            self.samples[key] = sample = replace(port, where=where, time_s=time_s, counts={}, ends={})
        add(sample, counter, count_of(value, f"{where}: {metric}"))
        if _TREYDOCK.fullmatch(metric) and not self._words.metrics and not self._found.notes:
            self._found.notes.append(
                f"{metric} is taken as bytes, as its name says; exporters that give PortXmitData as it is count "
                f"words: --metric '{metric}*4'"
            )

    def reading(self) -> CounterReading:
        """What was collected."""
        self._found.samples.extend(self.samples.values())
        return self._found


def host_of_file(name: str) -> str:
    """The host or switch that a file is named like: ``node07`` of ``scrape/node07.prom.gz``."""
    return plain_name(name.rpartition("/")[2]).split(".")[0]


def sample_of(where: str, labels: dict[str, str], words: Vocabulary, host: str) -> CounterSample:
    """A sample without counts, of the port that labels name.

    A host's own exporter says a device and its port: the node is then ``host device``.  A file whose labels say neither
    node nor GUID nor LID is of the `host` that it is named like.
    """
    node, device, port = (words.label(role, labels) for role in ("node", "device", "port"))
    if not node and not any(words.label(role, labels) for role in ("guid", "port_guid", "lid")):
        node = host
    if device and not port:
        # Ethernet: the device is the port.
        device, port = "", device
    lid = words.label("lid", labels)
    number, port_name = port_of(port)
    return CounterSample(
        where,
        guid=guid_of(words.label("guid", labels)),
        port_guid=guid_of(words.label("port_guid", labels)),
        lid=int(lid) if lid.isascii() and lid.isdigit() and len(lid) < 6 and int(lid) < 0xC000 else 0,
        node=f"{node} {device}".strip() if device else node,
        port=number,
        port_name=port_name,
    )


def _labels(text: str) -> dict[str, str] | None:
    """Labels by name; None for what is none."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text) and text[at:].strip():
        label = _LABEL.match(text, at)
        if label is None:
            return None
        found[label[1]] = re.sub(r"\\.", lambda escape: _ESCAPE.get(escape[0], escape[0]), label[2])
        at = label.end()
    return found
