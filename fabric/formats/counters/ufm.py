"""UFM's telemetry: its CSV with a row a port, and the JSON of its small telemetry."""

import csv
import datetime
import math

from collectives.errors import InputError
from collectives.gate import real, shown, whole
from fabric.formats.counters.names import (
    USUAL,
    Vocabulary,
    add,
    count_of,
    guid_of,
    is_wide,
    port_of,
)
from fabric.formats.counters.reading import CounterReading
from fabric.formats.counters.snapshot import CounterSample
from traces.json_text import parse_json


def read_ufm_csv(name: str, text: str, words: Vocabulary = USUAL) -> CounterReading:
    """Read UFM's telemetry CSV; arguments and errors as for `read_perfquery`.

    Columns are found by their titles: ``timestamp`` (microseconds), a GUID of node or port, a port number, counters.
    """
    lines = text.splitlines()
    first = next((index for index, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    try:
        signs = max((",", ";", "\t"), key=lines[first].count) if first < len(lines) else ","
        rows = list(csv.reader(lines[first:], strict=True, delimiter=signs))
    except csv.Error as error:
        raise InputError(f"{name}: not CSV ({error}); expected UFM's telemetry") from None
    if not rows:
        raise InputError(f"{name}: no row; expected UFM's telemetry")
    titles = [cell.strip() for cell in rows[0]]
    found = CounterReading()
    for number, cells in enumerate(rows[1:], first + 2):
        if not any(cell.strip() for cell in cells) or (cells[0].startswith("#")):
            continue
        if len(cells) < len(titles):
            raise InputError(f"{name}:{number}: {len(cells)} cells; expected {len(titles)}, as the head says")
        row = dict(zip(titles, (cell.strip() for cell in cells), strict=False))
        found.samples.append(_sample(f"{name}:{number}", row, words, found))
    return found


def read_ufm_json(name: str, text: str, words: Vocabulary = USUAL) -> CounterReading:
    """Read the JSON of UFM's small telemetry: a list `values` with an object a port; errors as for `read_perfquery`."""
    document = parse_json(text, name)
    values = document.get("values") if isinstance(document, dict) else document
    if isinstance(values, dict):
        # A list of one, as some tools write it.
        values = [values]
    if not isinstance(values, list):
        raise InputError(f"{name}: values {shown(values)}: expected a list of ports, as UFM's telemetry has it")
    found = CounterReading()
    for number, port in enumerate(values, 1):
        where = f"{name}: values {number}"
        if not isinstance(port, dict):
            raise InputError(f"{where}: {shown(port)}; expected a port with its counters")
        row = {str(key): "" if value is None else str(value) for key, value in port.items()}
        found.samples.append(_sample(where, row, words, found))
    return found


def _sample(where: str, row: dict[str, str], words: Vocabulary, found: CounterReading) -> CounterSample:
    small = {title.lower(): value for title, value in row.items()}
    port, port_name = port_of(words.label("port", row))
    sample = CounterSample(
        where,
        guid=guid_of(words.label("guid", row)) or guid_of(small.get("source_id", "")),
        port_guid=guid_of(words.label("port_guid", row)),
        lid=whole(lid, f"{where}: lid", 0, 0xFFFF) if (lid := words.label("lid", row)).isdigit() else 0,
        node=words.label("node", row),
        port=port,
        port_name=port_name,
        time_s=_time_s(small.get("timestamp", ""), where),
    )
    for title, value in row.items():
        counter = words.counter(title)
        if counter is not None:
            add(sample, counter, count_of(value, f"{where}: {title}"), wide=is_wide(title))
    return sample


def _time_s(text: str, where: str) -> float:
    """Seconds since 1970 of a timestamp in seconds, milli-, micro- or nanoseconds, or as a date; NaN without one."""
    if not text:
        return math.nan
    if text[:5].count("-") == 1 and text[:4].isdigit():
        try:
            return datetime.datetime.fromisoformat(text).timestamp()
        except ValueError:
            raise InputError(f"{where}: timestamp {shown(text)}; expected microseconds, or a date") from None
    value = real(text, f"{where}: timestamp", 0.0, 1e20)
    # A second of 2001 and one of 5138: between them lies every time that is meant.
    return value / next((factor for factor in (1.0, 1e3, 1e6, 1e9) if value / factor < 1e11), 1e9)
