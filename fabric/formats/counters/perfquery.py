"""``perfquery``: counters of a port, or of several one behind the other; with ``-x`` those of 64 bits."""

import re

from collectives.errors import InputError
from collectives.gate import quoted, whole
from fabric.formats.counters.names import SATURATED, USUAL, Vocabulary, add, count_of
from fabric.formats.counters.reading import CounterReading
from fabric.formats.counters.snapshot import MISSING, CounterSample

_HEAD = re.compile(
    r"# Port (extended )?counters: (?:Lid (\d{1,5})|DR path \S.*?) port (\d{1,3}|ALL)\b(.*)$", re.IGNORECASE | re.ASCII
)
_ROW = re.compile(r"(\w{1,60}):\.*(\S*)$", re.ASCII)
# Where the counters of PortCounters end (InfiniBand architecture specification 1.4, 16.1.3.5); they stay there.
_SHORT = {
    "symbol_errors": 0xFFFF,
    "link_recoveries": 0xFF,
    "link_downs": 0xFF,
    "rcv_errors": 0xFFFF,
    "remote_physical_errors": 0xFFFF,
    "xmit_discards": 0xFFFF,
    "integrity_errors": 0xF,
    "buffer_overruns": 0xF,
}
_GUID_NAME = re.compile(r"(0x[0-9a-fA-F]{12,16})(?:\D|$)", re.ASCII)


def read_perfquery(name: str, text: str, words: Vocabulary = USUAL) -> CounterReading:
    """Read what ``perfquery`` prints; a file named by a GUID is of that node.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    text : str
    words : Vocabulary
        Of no use here: the names are perfquery's.

    Raises
    ------
    InputError
        A counter before any port, or that is no number: names file and line.
    """
    found = CounterReading()
    named = _GUID_NAME.match(name.rpartition("/")[2])
    current: CounterSample | None = None
    extended, all_ports = False, 0
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if head := _HEAD.match(line):
            extended = bool(head[1])
            port = MISSING if head[3].upper() == "ALL" else whole(head[3], f"{name}:{number}: port", 0, 255)
            current = CounterSample(f"{name}:{number}", lid=int(head[2] or 0), port=port)
            current.guid = int(named[1], 16) if named else 0
            if port == MISSING or port == 255:
                all_ports += 1
                continue
            found.samples.append(current)
        elif row := _ROW.match(line):
            if current is None:
                raise InputError(f"{name}:{number}: {quoted(line)}; expected '# Port extended counters: Lid ...' first")
            counter = USUAL.counter(row[1])
            if counter is None:
                continue
            raw = count_of(row[2], f"{name}:{number}: {row[1]}")
            most = SATURATED if extended else _SHORT.get(counter.name, SATURATED)
            add(current, counter, raw, extended, most)
    if all_ports:
        found.notes.append("sums over all ports of a node (port ALL) are left out")
    return found
