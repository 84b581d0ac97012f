"""``ibqueryerrors --data --counters``: errors and data of the ports of a fabric, a line a port."""

import re

from collectives.errors import InputError
from collectives.gate import quoted, whole
from fabric.formats.counters.names import USUAL, Vocabulary, add, count_of
from fabric.formats.counters.reading import CounterReading
from fabric.formats.counters.snapshot import CounterSample

_HEAD = re.compile(r'(?:Errors|Data Counters) for (?:(0x[0-9a-fA-F]{1,16}) )?"(.*)"$', re.ASCII)
_ROW = re.compile(r"GUID (0x[0-9a-fA-F]{1,16}) port (\d{1,3}|ALL)\s*:(.*)$", re.IGNORECASE | re.ASCII)
_COUNT = re.compile(r"\[(\w{1,60}) == (\S+?)(?: \([^()]*\))?\]", re.ASCII)


def read_ibqueryerrors(name: str, text: str, words: Vocabulary = USUAL) -> CounterReading:
    """Read what ``ibqueryerrors`` prints; arguments and errors as for `read_perfquery`.

    A port may stand in it twice: under its errors and under its data.
    """
    found = CounterReading()
    ports: dict[tuple[int, int], CounterSample] = {}
    node, guid = "", 0
    sums = False
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if head := _HEAD.match(line):
            guid, node = int(head[1] or "0", 16), head[2].strip()
        elif row := _ROW.match(line):
            if row[2].upper() == "ALL":
                sums = True
                continue
            own = int(row[1], 16)
            port = whole(row[2], f"{name}:{number}: port", 0, 254)
            sample = ports.setdefault(
                (own, port), CounterSample(f"{name}:{number}", guid=guid or own, port_guid=own, node=node, port=port)
            )
            for counter_name, value in _COUNT.findall(row[3]):
                counter = USUAL.counter(counter_name)
                if counter is not None:
                    raw = count_of(value, f"{name}:{number}: {counter_name}")
                    add(sample, counter, raw)
        elif line.startswith("GUID 0x"):
            raise InputError(f"{name}:{number}: {quoted(line)}; expected GUID 0x... port N: [PortXmitData == N ...]")
    if sums:
        found.notes.append("sums over all ports of a switch (port ALL) are left out")
    found.samples.extend(ports.values())
    return found
