"""The formats of counters: telling a file's format and what an error says is expected derive from one table."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from fabric.formats.counters.names import Vocabulary
from fabric.formats.counters.reading import CounterReading
from traces.files import HEAD_BYTES
from traces.naming import listed, resolved


@dataclass(frozen=True)
class CounterFormat:
    """A format of counters.

    Attributes
    ----------
    name : str
        Unique, such as ``perfquery``.
    title : str
        What people call it.
    shape : str
        Regular expression that matches (`re.search`, multi-line) the beginning of every such file, and of no other.
    reader : callable or str
        (name of the file, its text, `Vocabulary`) to a `CounterReading`; or ``"module:function"``, imported when it is
        needed.
    """

    name: str
    title: str
    shape: str
    reader: "Callable[[str, str, Vocabulary], CounterReading] | str"

    def read(self, name: str, text: str, words: Vocabulary) -> CounterReading:
        """What the file holds."""
        reading: CounterReading = resolved(self.reader)(name, text, words)
        return reading


_formats: dict[str, CounterFormat] = {}


def register_counter_format(counter_format: CounterFormat) -> None:
    """Add a format; it is tried before those that are there.

    Raises
    ------
    InputError
        If there is one of that name.
    """
    if counter_format.name in _formats:
        from collectives.errors import InputError

        raise InputError(f"counter format {counter_format.name!r}: registered already; expected another name")
    _formats[counter_format.name] = counter_format


def counter_formats() -> tuple[CounterFormat, ...]:
    """Every format, in the order in which they are tried."""
    return tuple(reversed(_formats.values()))


def counter_titles() -> str:
    """What people call the formats, for help and error texts."""
    return listed(one.title for one in counter_formats())


def counter_format_of(text: str) -> CounterFormat | None:
    """The format of a text; None if it is of none that is registered."""
    head = text[:HEAD_BYTES]
    return next((one for one in counter_formats() if re.search(one.shape, head, re.MULTILINE)), None)


_HERE = "fabric.formats.counters"
for _format in (
    CounterFormat(
        "prometheus-text",
        "Prometheus text",
        r"^(?:# (?:HELP|TYPE) [a-zA-Z_:]|[a-zA-Z_:][a-zA-Z0-9_:]*\{[^\n]*\}\s+\S)",
        f"{_HERE}.prometheus:read_prometheus_text",
    ),
    CounterFormat(
        "ufm-csv",
        "UFM telemetry CSV",
        r"\A(?:#[^\n]*\n|\s*\n)*(?=[^\n]*\b(?:[Nn]ode_?[Gg][Uu][Ii][Dd]|[Pp]ort_?[Gg][Uu][Ii][Dd])\b)[\w ]+,[^\n]*"
        r"[Pp]ort_?[Nn]um",
        f"{_HERE}.ufm:read_ufm_csv",
    ),
    CounterFormat(
        "sonic",
        "SONiC's COUNTERS_DB",
        r"\A\s*\{(?s:.*?)\"COUNTERS(?:_PORT_NAME_MAP|:oid:0x[0-9a-f]+)\"",
        f"{_HERE}.sonic:read_sonic",
    ),
    CounterFormat("otlp", "OpenTelemetry JSON", r"\A\s*[\[{](?s:.*?)\"dataPoints\"\s*:", f"{_HERE}.otlp:read_otlp"),
    CounterFormat(
        "ufm-json",
        "UFM small telemetry JSON",
        r"\A\s*\{(?s:.{0,2000}?)\"values\"\s*:\s*\[",
        f"{_HERE}.ufm:read_ufm_json",
    ),
    CounterFormat(
        "prometheus-json",
        "Prometheus query JSON",
        r"\A\s*[\[{](?s:.{0,2000}?)\"(?:resultType|result)\"\s*:|\A\s*\{\s*\"status\"\s*:\s*\"(?:error|success)\"",
        f"{_HERE}.prometheus:read_prometheus_json",
    ),
    CounterFormat(
        "ibdiagnet-pm", "ibdiagnet's pm", r"^\s*Port=\d+\s+Lid=\S+\s+GUID=0x[0-9a-fA-F]+", f"{_HERE}.ibdiagnet:read_pm"
    ),
    CounterFormat("ibdiagnet-db-csv", "ibdiagnet's db_csv", r"^START_[A-Z0-9_]+\s*$", f"{_HERE}.ibdiagnet:read_db_csv"),
    CounterFormat(
        "ibqueryerrors",
        "ibqueryerrors",
        r"^\s*(?:Errors|Data Counters) for (?:0x[0-9a-fA-F]+ )?\"|^\s*GUID 0x[0-9a-fA-F]+ port \w+\s*:",
        f"{_HERE}.ibqueryerrors:read_ibqueryerrors",
    ),
    CounterFormat(
        "perfquery", "perfquery", r"^\s*# Port (?:extended )?counters: ", f"{_HERE}.perfquery:read_perfquery"
    ),
):
    register_counter_format(_format)
