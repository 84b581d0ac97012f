"""``opensm-subnet.lst``, which OpenSM writes: a line per link and direction, with both of its ports."""

import re
from pathlib import Path

from collectives.errors import InputError
from fabric.formats.dump import dump_lines
from fabric.formats.infiniband.subnet import (
    ADAPTER,
    FABRIC_SWITCH,
    ROUTER,
    Half,
    Subnet,
    SubnetNode,
    assemble,
    checked_gbps,
    checked_lid,
)

_END = (
    r"\{ (SW|CA|CA-SM|SW-SM|RT|RTR) Ports:[0-9A-Fa-f]{2} SystemGUID:[0-9A-Fa-f]{16} NodeGUID:([0-9A-Fa-f]{16}) "
    r"PortGUID:([0-9A-Fa-f]{16}) VenID:[0-9A-Fa-f]+ DevID:[0-9A-Fa-f]+ Rev:[0-9A-Fa-f]+ "
    r"\{(.*)\} LID:([0-9A-Fa-f]{4}) PN:([0-9A-Fa-f]{2}) \}"
)
_ROW = re.compile(rf"{_END} {_END} PHY=(\d{{1,2}})x LOG=(\w+) SPD=(\S+)\s*$")
_KINDS = {"SW": FABRIC_SWITCH, "SW-SM": FABRIC_SWITCH, "CA": ADAPTER, "CA-SM": ADAPTER, "RT": ROUTER, "RTR": ROUTER}
# OpenSM prints the data rate of a lane, rounded.
_SPEEDS = {
    "2.5": "SDR",
    "5": "DDR",
    "10": "QDR",
    "FDR10": "FDR10",
    "14": "FDR",
    "25": "EDR",
    "50": "HDR",
    "100": "NDR",
    "200": "XDR",
}


def read_subnet_lst(path: str | Path) -> Subnet:
    """Read ``opensm-subnet.lst``.

    Raises
    ------
    InputError
        Names file and line, and what was expected.
    """
    nodes: dict[str, SubnetNode] = {}
    halves = []
    down = 0
    for number, line in dump_lines(path):
        if not line.strip():
            continue
        row = _ROW.match(line)
        if row is None:
            raise InputError(f"{path}:{number}: {line[:60]!r}; expected a link line of opensm-subnet.lst")
        ends = []
        for first in (1, 7):
            kind, node_guid, port_guid, name, lid, port = row.group(*range(first, first + 6))
            node = nodes.setdefault(
                node_guid.lower(), SubnetNode(_KINDS[kind], name.strip(), int(node_guid, 16), line=number)
            )
            place = 0 if node.kind == FABRIC_SWITCH else int(port, 16)
            node.lid.setdefault(place, (checked_lid(path, number, lid, 16), 0))
            if node.kind != FABRIC_SWITCH:
                node.port_guid[place] = int(port_guid, 16)
            ends.append((node_guid.lower(), int(port, 16)))
        nodes[ends[0][0]].described = True
        if row[14] != "ACT":
            down += 1
            continue
        gbps = checked_gbps(path, number, row[13], _SPEEDS.get(row[15], row[15]))
        halves.append(Half(ends[0][0], ends[0][1], ends[1][0], ends[1][1], gbps, number))
    for node in nodes.values():
        if node.kind != FABRIC_SWITCH:
            node.guid = min(node.port_guid.values())
    return assemble(str(path), nodes, halves, down)
