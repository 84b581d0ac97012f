"""OpenTelemetry's JSON of metrics, as NVUE (Cumulus) exports it: one document, or one a line."""

import math
from collections.abc import Iterator
from typing import Any

from collectives.errors import InputError
from collectives.gate import real, shown
from fabric.formats.counters.names import USUAL, Vocabulary
from fabric.formats.counters.prometheus import Ports, host_of_file, sample_of
from fabric.formats.counters.reading import CounterReading
from traces.json_text import parse_json

_DEEPEST = 40


def read_otlp(name: str, text: str, words: Vocabulary = USUAL) -> CounterReading:
    """Read metrics with their data points; arguments and errors as for `read_prometheus_text`.

    A resource's attributes, such as the switch's name, are those of all its points.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    documents = (
        [parse_json(line, f"{name}:{number}") for number, line in enumerate(lines, 1)]
        if len(lines) > 1 and all(line.lstrip().startswith("{") and line.rstrip().endswith("}") for line in lines)
        else [parse_json(text, name)]
    )
    ports, host = Ports(words), host_of_file(name)
    for document in documents:
        for metric, point, outer in _points(document, {}, name):
            counter = ports.counter(metric)
            if counter is None:
                continue
            where = f"{name}: {metric}"
            labels = {**outer, **_attributes(point.get("attributes"), where)}
            nanoseconds = point.get("timeUnixNano")
            time_s = (
                math.nan if nanoseconds is None else real(str(nanoseconds), f"{where}: timeUnixNano", 0, 1e20) / 1e9
            )
            identity = str(sorted(labels.items()))
            ports.known.setdefault(identity, sample_of(where, labels, words, host))
            value = next((point[key] for key in ("asInt", "asDouble", "value") if key in point), None)
            ports.put(identity, where, metric, counter, "" if value is None else str(value), time_s)
    return ports.reading()


def _points(
    value: Any, outer: dict[str, str], name: str, depth: int = 0
) -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
    """Metric, data point and the resource's attributes of every point in a document."""
    if depth > _DEEPEST:
        raise InputError(f"{name}: nested too deeply for metrics")
    if isinstance(value, list):
        for each in value:
            yield from _points(each, outer, name, depth + 1)
    if not isinstance(value, dict):
        return
    resource = value.get("resource")
    if isinstance(resource, dict):
        outer = {**outer, **_attributes(resource.get("attributes"), name)}
    kind = next((value[key] for key in ("sum", "gauge") if isinstance(value.get(key), dict)), None)
    if kind is not None and isinstance(value.get("name"), str):
        points = kind.get("dataPoints", [])
        for point in points if isinstance(points, list) else []:
            if not isinstance(point, dict):
                raise InputError(f"{name}: {shown(point)}; expected a data point of {value['name']}")
            yield value["name"], point, outer
        return
    for key, each in value.items():
        if key != "resource":
            yield from _points(each, outer, name, depth + 1)


def _attributes(value: Any, where: str) -> dict[str, str]:
    """Attributes by their key."""
    found: dict[str, str] = {}
    for each in value if isinstance(value, list) else []:
        inner = each.get("value") if isinstance(each, dict) else None
        if not isinstance(inner, dict) or not isinstance(each.get("key"), str):
            raise InputError(f"{where}: attribute {shown(each)}; expected a key and a value")
        found[each["key"]] = str(next(iter(inner.values()), ""))
    return found
