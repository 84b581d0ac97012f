"""What ``ibdiagnet`` writes of counters: its ``.pm`` file, and the sections PM_INFO and PM_DELTA of ``db_csv``."""

import csv
import re
from collections.abc import Iterator

from collectives.errors import InputError
from collectives.gate import quoted, whole
from collectives.sizes import counted
from fabric.formats.counters.names import USUAL, Vocabulary, add, count_of, guid_of, is_wide
from fabric.formats.counters.reading import CounterReading
from fabric.formats.counters.snapshot import CounterSample

_PORT = re.compile(r"Port=(\d{1,3})\s+Lid=(0x[0-9a-fA-F]{1,4}|\d{1,5})\s+GUID=0x([0-9a-fA-F]{1,16})\b", re.ASCII)
_ROW = re.compile(r"(\w{1,80})\s*=\s*(\S+)$", re.ASCII)
_TOTALS = ("PM_INFO", "PM_DELTA")


def read_pm(name: str, text: str, words: Vocabulary = USUAL) -> CounterReading:
    """Read ``ibdiagnet2.pm``; arguments and errors as for `read_perfquery`."""
    found = CounterReading()
    current: CounterSample | None = None
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if head := _PORT.match(line):
            lid, guid = int(head[2], 0), int(head[3], 16)
            current = CounterSample(f"{name}:{number}", guid=guid, port_guid=guid, lid=lid, port=int(head[1]))
            found.samples.append(current)
        elif line.startswith("Port="):
            raise InputError(f"{name}:{number}: {quoted(line)}; expected Port=N Lid=0x... GUID=0x... of ibdiagnet's pm")
        elif current is not None and (row := _ROW.match(line)):
            counter = USUAL.counter(row[1])
            if counter is not None:
                raw = count_of(row[2], f"{name}:{number}: {row[1]}")
                add(current, counter, raw, wide=is_wide(row[1]))
    return found


def read_db_csv(name: str, text: str, words: Vocabulary = USUAL) -> CounterReading:
    """Read ``ibdiagnet2.db_csv``: PM_INFO are counters as they stand, PM_DELTA what they grew by.

    Names of nodes come from NODES, LIDs from PORTS, where those are there.

    Raises
    ------
    InputError
        A section without its end, a row with too few cells, a count that is none: names file and line.
    """
    found = CounterReading()
    names: dict[int, str] = {}
    lids: dict[tuple[int, int], int] = {}
    for section, number, row in _sections(name, text):
        guid = guid_of(row.get("nodeguid", ""))
        if section == "NODES":
            names[guid] = row.get("nodedesc", "").strip('"').strip()
            continue
        port = whole(row.get("portnumber", row.get("portnum", "")), f"{name}:{number}: PortNumber", 0, 255)
        if section == "PORTS":
            if row.get("lid", "").isascii() and row.get("lid", "").isdigit():
                lids[guid, port] = whole(row["lid"], f"{name}:{number}: lid", 0, 0xFFFF)
            continue
        sample = CounterSample(f"{name}:{number}", guid=guid, port_guid=guid_of(row.get("portguid", "")), port=port)
        for title, value in row.items():
            counter = USUAL.counter(title)
            if counter is not None:
                raw = count_of(value, f"{name}:{number}: {title}")
                add(sample, counter, raw, wide=is_wide(title))
        (found.samples if section == "PM_INFO" else found.deltas).append(sample)
    for sample in (*found.samples, *found.deltas):
        sample.node = names.get(sample.guid, "")
        lid = lids.get((sample.guid, sample.port), lids.get((sample.guid, 0), 0))
        sample.lid = lid if lid < 0xC000 else 0
    return found


def _sections(name: str, text: str) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Section, line and cells by title, in small letters, of each row of the sections that say something of ports."""
    section, begun = "", 0
    titles: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line.startswith("START_"):
            if section:
                break
            section, titles, begun = line[6:].strip(), [], number
        elif section and line == f"END_{section}":
            section = ""
        elif section in (*_TOTALS, "NODES", "PORTS") and line:
            try:
                (cells,) = csv.reader([line], strict=True)
            except (csv.Error, ValueError):
                raise InputError(f"{name}:{number}: {quoted(line)}; expected a row of section {section}") from None
            cells = [cell.strip() for cell in cells]
            if not titles:
                titles = [cell.lower() for cell in cells]
                continue
            if len(cells) < len(titles):
                found = counted(len(cells), "cell")
                raise InputError(
                    f"{name}:{number}: {found} in section {section}; expected {len(titles)}; is the file whole?"
                )
            yield section, number, dict(zip(titles, cells, strict=False))
    if section:
        raise InputError(f"{name}: section {section} of line {begun} has no end (END_{section}); is the file whole?")
