"""The formats of counters: telling a file's format and what an error says is expected derive from one table."""

from dataclasses import dataclass
from typing import ClassVar

from traces.files import HEAD_BYTES
from traces.format_table import FormatTable, ToldFormat


@dataclass(frozen=True)
class CounterFormat(ToldFormat):
    """A format of counters; its reader makes a `CounterReading` of a file's name, its text and a `Vocabulary`.

    Attributes
    ----------
    lines : bool
        A counter a line, and nothing that shows where the text ends: a last line without its line feed may be cut.
    """

    what: ClassVar[str] = "counter format"
    lines: bool = False


_table: FormatTable[CounterFormat] = FormatTable(CounterFormat.what)
register_counter_format = _table.register
counter_formats = _table.formats
counter_titles = _table.titles


def counter_format_of(text: str) -> CounterFormat | None:
    """The format of a text; None if it is of none that is registered."""
    return _table.of_text(text[:HEAD_BYTES])


_HERE = "fabric.formats.counters"
for _format in (
    CounterFormat(
        "prometheus-text",
        "Prometheus text",
        r"^(?:# (?:HELP|TYPE) [a-zA-Z_:]|[a-zA-Z_:][a-zA-Z0-9_:]*\{[^\n]*\}\s+\S)",
        f"{_HERE}.prometheus:read_prometheus_text",
        lines=True,
    ),
    CounterFormat(
        "ufm-csv",
        "UFM telemetry CSV",
        r"(?i)\A(?:#[^\n]*\n|\s*\n)*(?=[^\n]*\b(?:node|port)_?guid\b)[\w ]+[,;\t][^\n]*port_?num",
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
        r"\A\s*\{(?s:.{0,2000}?)\"values\"\s*:\s*[\[{]",
        f"{_HERE}.ufm:read_ufm_json",
    ),
    CounterFormat(
        "prometheus-json",
        "Prometheus query JSON",
        r"\A\s*[\[{](?s:.{0,2000}?)\"(?:resultType|result)\"\s*:|\A\s*\{\s*\"status\"\s*:\s*\"(?:error|success)\"",
        f"{_HERE}.prometheus:read_prometheus_json",
    ),
    CounterFormat(
        "ibdiagnet-pm",
        "ibdiagnet's pm",
        r"^\s*Port=\d+\s+Lid=\S+\s+GUID=0x[0-9a-fA-F]+",
        f"{_HERE}.ibdiagnet:read_pm",
        lines=True,
    ),
    CounterFormat("ibdiagnet-db-csv", "ibdiagnet's db_csv", r"^START_[A-Z0-9_]+\s*$", f"{_HERE}.ibdiagnet:read_db_csv"),
    CounterFormat(
        "ibqueryerrors",
        "ibqueryerrors",
        r"^\s*(?:Errors|Data Counters) for (?:0x[0-9a-fA-F]+ )?\"|^\s*GUID 0x[0-9a-fA-F]+ port \w+\s*:",
        f"{_HERE}.ibqueryerrors:read_ibqueryerrors",
    ),
    CounterFormat(
        "perfquery",
        "perfquery",
        r"^\s*# Port (?:extended )?counters: ",
        f"{_HERE}.perfquery:read_perfquery",
        lines=True,
    ),
):
    register_counter_format(_format)
