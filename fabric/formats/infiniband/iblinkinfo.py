"""``iblinkinfo``: its list by node, and the one with a line per link (``-l``)."""

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
    port_node,
)

_HEAD = re.compile(r"(?:(CA|Router|RT): (.*)|Switch:? 0x([0-9a-fA-F]{1,16}) (.*)):\s*$")
_END = r"\s*(\d{1,5})\s+(\d{1,3})\[[^\]]*\]"
_STATE = r"\s*==\(\s*(?:(\d{1,2})X\s+([0-9.]+) Gbps\s+)?(\w+)/\s*(\w+)\s*\)==>"
_ROW = re.compile(rf'\s*(?:0x([0-9a-fA-F]{{1,16}}))?{_END}{_STATE}(?:{_END}\s*"(.*)"|\s*\[[^\]]*\]\s*"").*$')
_LINE = re.compile(
    rf'0x([0-9a-fA-F]{{1,16}})\s+"(.*?)"{_END}{_STATE}'
    rf'(?:\s*0x([0-9a-fA-F]{{1,16}}){_END}\s*"(.*)"|\s*\[[^\]]*\]\s*"").*$'
)


def read_iblinkinfo(path: str | Path) -> Subnet:
    """Read the list by node; a list of the switches alone (``--switches-only``) will do.

    A neighbour is known by LID and port; its own section says the rest.

    Raises
    ------
    InputError
        Names file and line, and what was expected.
    """
    nodes: dict[str, SubnetNode] = {}
    rows: list[tuple[int, str, int, int, int, str, float]] = []
    kind, name, guid = "", "", 0
    key_of_lid: dict[int, str] = {}
    down = 0
    for number, line in dump_lines(path):
        if not line.strip():
            continue
        if head := _HEAD.match(line):
            kind = FABRIC_SWITCH if head[3] else ADAPTER if head[1] == "CA" else ROUTER
            name = (head[4] if head[3] else head[2]).strip()
            guid = int(head[3], 16) if head[3] else 0
            continue
        row = _ROW.match(line)
        if row is None or not kind:
            raise InputError(f"{path}:{number}: {line[:60]!r}; expected a node or port line of iblinkinfo")
        lid, port = checked_lid(path, number, row[2]), int(row[3])
        if kind != FABRIC_SWITCH:
            if row[1] is None:
                raise InputError(f"{path}:{number}: expected the port's GUID in front of its LID")
            guid = int(row[1], 16)
        key = port_node(nodes, kind, guid, port, lid, name, number)
        nodes[key].described = True
        if key_of_lid.setdefault(lid, key) != key and lid:
            raise InputError(f"{path}:{number}: LID {lid} is that of {nodes[key_of_lid[lid]].name} too")
        if row[8] is None:
            down += 1
            continue
        gbps = checked_gbps(path, number, row[4] or "", row[5] or "")
        rows.append((number, key, port, checked_lid(path, number, row[8]), int(row[9]), row[10].strip(), gbps))
    halves = []
    for number, key, port, peer_lid, peer_port, peer_name, gbps in rows:
        peer = key_of_lid.get(peer_lid)
        if peer is None:
            peer = key_of_lid[peer_lid] = f"lid {peer_lid}"
            nodes[peer] = SubnetNode(ADAPTER, peer_name, lid={peer_port: (peer_lid, 0)}, line=number)
        halves.append(Half(key, port, peer, peer_port, gbps, number))
    return assemble(str(path), nodes, halves, down, both_ends=False)


def read_iblinkinfo_lines(path: str | Path) -> Subnet:
    """Read the list with a line per link (``-l``); errors as for `read_iblinkinfo`.

    The kind of a node is told by its number of ports there: switches show ports that are not 1, or more than one.
    """
    rows = []
    ports: dict[int, set[int]] = {}
    names: dict[int, str] = {}
    lids: dict[int, int] = {}
    for number, line in dump_lines(path):
        if not line.strip():
            continue
        row = _LINE.match(line)
        if row is None:
            raise InputError(f"{path}:{number}: {line[:60]!r}; expected a line of iblinkinfo -l")
        guid, lid = int(row[1], 16), checked_lid(path, number, row[3])
        ports.setdefault(guid, set()).add(int(row[4]))
        names[guid], lids[guid] = row[2].strip(), lid
        if row[9] is not None:
            rows.append((number, row))
    # A port GUID of an adapter has one port; a switch lists all of its ports, those that are down too.
    nodes: dict[str, SubnetNode] = {}

    def node(guid: int, port: int, lid: int, name: str, number: int) -> str:
        kind = FABRIC_SWITCH if len(ports.get(guid, ())) > 1 else ADAPTER
        key = port_node(nodes, kind, guid, port, lid, name, number)
        nodes[key].described = nodes[key].described or guid in ports
        return key

    halves = []
    for number, row in rows:
        key = node(int(row[1], 16), int(row[4]), checked_lid(path, number, row[3]), row[2].strip(), number)
        peer = node(int(row[9], 16), int(row[11]), checked_lid(path, number, row[10]), row[12].strip(), number)
        gbps = checked_gbps(path, number, row[5] or "", row[6] or "")
        halves.append(Half(key, int(row[4]), peer, int(row[11]), gbps, number))
    down = sum(map(len, ports.values())) - len(halves)
    return assemble(str(path), nodes, halves, down, both_ends=False)
