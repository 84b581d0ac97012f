"""``opensm-subnet.lst``, which OpenSM writes: a line per link and direction, with both of its ports."""

import re
from pathlib import Path

from fabric.formats.dump import Oddities, dump_lines, unreadable
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
    rate_text,
)

_END = (
    r"\{\s*(SW|CA|CA-SM|SW-SM|RT|RTR)\s+Ports:[0-9A-Fa-f]{1,4}\s+SystemGUID:[0-9A-Fa-f]{1,16}\s+"
    r"NodeGUID:([0-9A-Fa-f]{1,16})\s+PortGUID:([0-9A-Fa-f]{1,16})\s+VenID:[0-9A-Fa-f]+\s+DevID:[0-9A-Fa-f]+\s+"
    r"Rev:[0-9A-Fa-f]+\s+\{(.*)\}\s+LID:([0-9A-Fa-f]{1,4})\s+PN:([0-9A-Fa-f]{1,2})\s*\}"
)
_ROW = re.compile(rf"{_END}\s+{_END}\s+PHY=(\d{{1,2}})x\s+LOG=(\w+)\s+SPD=(\S+)$", re.ASCII)
_EXPECTED = "a link line of opensm-subnet.lst"
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


def lane_of_rate(rate: str) -> str:
    """Name of a lane's speed by its data rate in Gb/s, rounded, as OpenSM and ibdiagnet print it; else as it is."""
    return _SPEEDS.get(rate, rate)


def read_subnet_lst(path: str | Path) -> Subnet:
    """Read ``opensm-subnet.lst``.

    Raises
    ------
    InputError
        Names file and line, and what was expected.
    """
    nodes: dict[str, SubnetNode] = {}
    halves = []
    down = understood = 0
    odd = Oddities(path)
    for number, line in dump_lines(path):
        row = _ROW.match(line)
        if row is None:
            if line.startswith("{"):
                raise unreadable(path, number, line, _EXPECTED)
            odd.pass_over(number, line, _EXPECTED)
            continue
        understood += 1
        ends = []
        for first in (1, 7):
            kind, node_guid, port_guid, name, lid, port = row.group(*range(first, first + 6))
            node = nodes.setdefault(
                node_guid.lower(),
                SubnetNode(_KINDS[kind], name.strip(), int(node_guid, 16), line=number, node_guid=int(node_guid, 16)),
            )
            place = 0 if node.kind == FABRIC_SWITCH else int(port, 16)
            node.lid.setdefault(place, (checked_lid(path, number, lid, odd, 16), 0))
            if node.kind != FABRIC_SWITCH:
                node.port_guid[place] = int(port_guid, 16)
            ends.append((node_guid.lower(), int(port, 16)))
        nodes[ends[0][0]].described = True
        if row[14] != "ACT":
            down += 1
            continue
        gbps = checked_gbps(path, number, row[13], lane_of_rate(row[15]))
        rate = rate_text(row[13], lane_of_rate(row[15]))
        halves.append(Half(ends[0][0], ends[0][1], ends[1][0], ends[1][1], gbps, number, rate))
    for node in nodes.values():
        if node.kind != FABRIC_SWITCH:
            node.guid = min(node.port_guid.values())
    odd.check(understood)
    # OpenSM writes a link once for each direction, ibdiagnet once.
    listed = {(half.node, half.port) for half in halves}
    if 2 * sum((half.peer, half.peer_port) in listed for half in halves) < len(halves):
        halves += [Half(one.peer, one.peer_port, one.node, one.port, one.gbps, one.line, one.rate) for one in halves]
    return assemble(str(path), nodes, halves, odd, down)
