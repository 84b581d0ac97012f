"""Cables as CSV, a cable a row: UFM's NDT, sonic-mgmt's links, NetBox' imports and exports, and the like.

The header names the columns, in any order; ``,``, ``;`` or a tab between them:

- ``#StartDevice,StartPort,EndDevice,EndPort,LinkType``: UFM's network definition table (NDT);
- ``StartDevice,StartPort,EndDevice,EndPort,BandWidth``: sonic-mgmt's links, in Mb/s;
- ``side_a_device,side_a_type,side_a_name,side_b_device,...``: what NetBox imports (``CableImportForm``);
- ``Device A,Termination A,Device B,Termination B``: what NetBox exports (``CableTable``);
- ``device_a,port_a,device_b,port_b,speed``, ``a_device,a_port,...``: the like, Gb/s.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from collectives.errors import InputError
from collectives.gate import quoted
from collectives.sizes import counted
from fabric.formats.dump import Oddities
from fabric.formats.ethernet.cabling import Cabling, NamedCable, assembled, speed_gbps
from traces.files import read_text

# Names of columns without blanks, lines and capitals.
_ENDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("device", ("startdevice", "sideadevice", "devicea", "adevice", "sidea", "sourcedevice", "srcdevice", "device1")),
    (
        "port",
        ("startport", "sideaname", "sideatermination", "sideaport", "terminationa", "porta", "aport", "sourceport",
         "srcport", "interfacea", "ainterface", "port1"),
    ),
    ("peer", ("enddevice", "sidebdevice", "deviceb", "bdevice", "sideb", "destinationdevice", "dstdevice", "device2")),
    (
        "peer_port",
        ("endport", "sidebname", "sidebtermination", "sidebport", "terminationb", "portb", "bport", "destinationport",
         "dstport", "interfaceb", "binterface", "port2"),
    ),
)  # fmt: skip
# Gb/s that a bare number of the column counts; sonic-mgmt and SONiC count Mb/s.
_SPEEDS = {"bandwidth": 1e-3, "speed": 1.0, "gbps": 1.0, "speedgbps": 1.0, "linkspeed": 1.0, "rate": 1.0}
_TYPES = ("sideatype", "sidebtype")
_INTERFACES = ("interface", "dcim.interface", "")
_GONE = "decommissioning"
_EXPECTED = "a header such as StartDevice,StartPort,EndDevice,EndPort"


def read_cable_csv(path: str | Path) -> Cabling:
    """Read a table of cables; blank lines and those that begin with ``#`` are passed over.

    Cables of NetBox that do not end at interfaces, or are being decommissioned, are left out and counted.

    Raises
    ------
    InputError
        Names file, line and column, and what was expected.
    """
    lines = [(number, line) for number, line in enumerate(read_text(path).splitlines(), 1) if line.strip()]
    head = next((place for place, (_, line) in enumerate(lines) if _columns(_fields(line.lstrip(" \t#")))), None)
    if head is None or any(not line.lstrip().startswith("#") for _, line in lines[:head]):
        raise InputError(f"{path}: no table of cables; expected {_EXPECTED}")
    left: Counter[str] = Counter()
    header = lines[head][1].lstrip(" \t#")
    place = _columns(_fields(header))
    rows = [(number, line) for number, line in lines[head + 1 :] if not line.lstrip().startswith("#")]
    cables = [
        cable
        for number, row in _rows(path, rows, _delimiter(header))
        for cable in _cables(path, number, row, place, left)
    ]
    notes = [f"{counted(number, 'cable')} left out, {why}" for why, number in left.items()]
    return assembled(path, cables, Oddities(path), notes=notes)


def _delimiter(header: str) -> str:
    return max((",", ";", "\t"), key=header.count)


def _fields(header: str) -> list[str]:
    try:
        found = next(csv.reader([header], delimiter=_delimiter(header)), [])
    except csv.Error:
        return []
    return [re.sub(r"[^a-z0-9]", "", name.lower()) for name in found]


def _columns(fields: Sequence[str]) -> dict[str, int]:
    """Place of each column that is known; nothing where an end is missing."""
    place: dict[str, int] = {"fields": len(fields)}
    for what, names in _ENDS:
        found = next((fields.index(name) for name in names if name in fields), None)
        if found is None:
            return {}
        place[what] = found
    return place | {name: fields.index(name) for name in (*_SPEEDS, *_TYPES, "status") if name in fields}


def _rows(path: str | Path, lines: Sequence[tuple[int, str]], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader((line for _, line in lines), strict=True, delimiter=delimiter)
    done = 0
    try:
        for row in reader:
            if reader.line_num != done + 1:
                raise InputError(
                    f"{path}:{lines[done][0]}: a quote that does not end in this line; expected a cable a line"
                )
            yield lines[done][0], [field.strip() for field in row]
            done += 1
    except csv.Error as error:
        raise InputError(f"{path}:{lines[min(done, len(lines) - 1)][0]}: not CSV ({error})") from None


def _cables(
    path: str | Path, number: int, row: list[str], place: Mapping[str, int], left: Counter[str]
) -> Iterator[NamedCable]:
    where = f"{path}:{number}"
    if len(row) > place["fields"] and not any(row[place["fields"] :]):
        row = row[: place["fields"]]
    if len(row) != place["fields"]:
        raise InputError(f"{where}: {len(row)} fields; expected {place['fields']}, as the header has")
    ends = {what: row[place[what]] for what, _ in _ENDS}
    if any(name in place and row[place[name]].lower() not in _INTERFACES for name in _TYPES):
        left["ending at other things than interfaces"] += 1
        return
    if "status" in place and row[place["status"]].lower() == _GONE:
        left["being decommissioned"] += 1
        return
    if not ends["device"] or not ends["peer"]:
        raise InputError(f"{where}: a cable without a device at one end; expected two")
    speed = next((name for name in _SPEEDS if name in place and row[place[name]]), None)
    gbps = None if speed is None else speed_gbps(row[place[speed]], f"{where}: {speed}", _SPEEDS[speed])
    for port, peer_port in _breakouts(where, ends["port"], ends["peer_port"]):
        yield NamedCable(ends["device"], port, ends["peer"], peer_port, gbps, where)


def _breakouts(where: str, port: str, peer_port: str) -> list[tuple[str, str]]:
    """Pairs of ports of a cable that NetBox gives several terminations at an end."""
    ports, peers = ([one.strip() for one in text.split(",")] for text in (port, peer_port))
    n = max(len(ports), len(peers))
    if not {len(ports), len(peers)} <= {1, n}:
        raise InputError(
            f"{where}: ports {quoted(port)} and {quoted(peer_port)}; expected as many at both ends, or one"
        )
    return list(zip(ports * (n // len(ports)), peers * (n // len(peers)), strict=True))
