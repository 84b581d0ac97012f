"""``iblinkinfo``: its list by node, and the one with a line per link (``-l``)."""

import re
from pathlib import Path

from collectives.errors import InputError
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
    port_node,
    rate_text,
)

_HEAD = re.compile(r"(?:(CA|Router|RT): (.*)|Switch:? 0x([0-9a-fA-F]{1,16})\s(.*)):$", re.ASCII)
_END = r"\s*(\d{1,5})\s+(\d{1,3})\[[^\]]*\]"
_STATE = r"\s*==\(\s*(?:(\d{1,2})X\s+([0-9.]{1,12})\s+Gbps\s+)?(\w+)\s*/\s*(\w+)\s*\)==>"
_PEER = r'(?:%s"(.*)"|\s*\[[^\]]*\]\s*"").*$'
_ROW = re.compile(rf"(?:0x([0-9a-fA-F]{{1,16}}))?{_END}{_STATE}" + _PEER % (_END + r"\s*"), re.ASCII)
_LINE = re.compile(
    rf'0x([0-9a-fA-F]{{1,16}})\s+"(.*?)"{_END}{_STATE}' + _PEER % (r"\s*0x([0-9a-fA-F]{1,16})" + _END + r"\s*"),
    re.ASCII,
)
# What holds this is a row, however it begins and ends; a head has a GUID or is an adapter's.
_ROW_LIKE = re.compile(r"==\(|\)==>|Switch:? 0x[0-9a-fA-F]", re.ASCII)
_EXPECTED = "a node or port line of iblinkinfo"
_EXPECTED_LINE = "a line of iblinkinfo -l"


def read_iblinkinfo(path: str | Path) -> Subnet:
    """Read the list by node; a list of the switches alone (``--switches-only``) will do.

    A neighbour is known by LID and port, and where it has no LID by the row that leads back; its own section says the
    rest.

    Raises
    ------
    InputError
        Names file and line, and what was expected.
    """
    nodes: dict[str, SubnetNode] = {}
    rows: list[tuple[int, str, int, int, int, int, str, tuple[float, str]]] = []
    kind, name, guid = "", "", 0
    key_of_lid: dict[int, str] = {}
    down = understood = 0
    odd = Oddities(path)
    for number, line in dump_lines(path):
        if head := _HEAD.match(line):
            kind = FABRIC_SWITCH if head[3] else ADAPTER if head[1] == "CA" else ROUTER
            name = (head[4] if head[3] else head[2]).strip()
            guid = int(head[3], 16) if head[3] else 0
            continue
        row = _ROW.match(line)
        if row is None:
            if _ROW_LIKE.search(line):
                raise unreadable(path, number, line, _EXPECTED)
            odd.pass_over(number, line, _EXPECTED)
            continue
        if not kind:
            raise InputError(f"{path}:{number}: a port before any node; expected a line such as Switch: 0x... name:")
        understood += 1
        lid, port = checked_lid(path, number, row[2], odd), int(row[3])
        if kind != FABRIC_SWITCH:
            if row[1] is None:
                raise InputError(f"{path}:{number}: expected the port's GUID in front of its LID")
            guid = int(row[1], 16)
        key = port_node(nodes, kind, guid, port, lid, name, number)
        nodes[key].described = True
        nodes[key].n_ports = max(nodes[key].n_ports, port)
        if lid and key_of_lid.setdefault(lid, key) != key:
            raise InputError(f"{path}:{number}: LID {lid} is that of {nodes[key_of_lid[lid]].name} too")
        if row[8] is None:
            down += 1
            continue
        gbps = checked_gbps(path, number, row[4] or "", row[5] or "")
        speed = gbps, rate_text(row[4] or "", row[5] or "")
        peer_lid = checked_lid(path, number, row[8], odd)
        rows.append((number, key, port, lid, peer_lid, int(row[9]), row[10].strip(), speed))
    odd.check(understood)
    if not any(node.kind == FABRIC_SWITCH for node in nodes.values()) and any(row[4] for row in rows):
        raise InputError(
            f"{path}: lists adapters only; expected the switches' sections too (iblinkinfo without --cas-only)"
        )
    # Who lists this LID and port as a neighbour: how a node without a LID is found.
    leads_to = {(peer_lid, peer_port): (key, port) for _, key, port, lid, peer_lid, peer_port, _, _ in rows if not lid}
    halves = []
    for number, key, port, lid, peer_lid, peer_port, peer_name, (gbps, rate) in rows:
        peer = key_of_lid.get(peer_lid) if peer_lid else leads_to.get((lid, port), (None, 0))[0]
        if peer is None:
            peer = f"lid {peer_lid}" if peer_lid else f"line {number}"
            if peer_lid:
                key_of_lid[peer_lid] = peer
            nodes[peer] = SubnetNode(ADAPTER, peer_name, lid={peer_port: (peer_lid, 0)}, line=number)
        halves.append(Half(key, port, peer, peer_port, gbps, number, rate))
    return assemble(str(path), nodes, halves, odd, down, both_ends=False)


def read_iblinkinfo_lines(path: str | Path) -> Subnet:
    """Read the list with a line per link (``-l``); errors as for `read_iblinkinfo`.

    The kind of a node is told by its number of ports there: switches show ports that are not 1, or more than one.
    """
    rows = []
    ports: dict[int, set[int]] = {}
    odd = Oddities(path)
    understood = 0
    for number, line in dump_lines(path):
        row = _LINE.match(line)
        if row is None:
            if _ROW_LIKE.search(line):
                raise unreadable(path, number, line, _EXPECTED_LINE)
            odd.pass_over(number, line, _EXPECTED_LINE)
            continue
        understood += 1
        ports.setdefault(int(row[1], 16), set()).add(int(row[4]))
        if row[9] is not None:
            rows.append((number, row))
    odd.check(understood)
    # A port GUID of an adapter has one port; a switch lists all of its ports, those that are down too.
    nodes: dict[str, SubnetNode] = {}

    def node(guid: int, port: int, lid: str, name: str, number: int) -> str:
        kind = FABRIC_SWITCH if len(ports.get(guid, ())) > 1 else ADAPTER
        key = port_node(nodes, kind, guid, port, checked_lid(path, number, lid, odd), name.strip(), number)
        nodes[key].described = nodes[key].described or guid in ports
        nodes[key].n_ports = max(ports.get(guid, ()), default=0)
        return key

    halves = []
    for number, row in rows:
        key = node(int(row[1], 16), int(row[4]), row[3], row[2], number)
        peer = node(int(row[9], 16), int(row[11]), row[10], row[12], number)
        gbps = checked_gbps(path, number, row[5] or "", row[6] or "")
        rate = rate_text(row[5] or "", row[6] or "")
        halves.append(Half(key, int(row[4]), peer, int(row[11]), gbps, number, rate))
    if halves and not any(each.kind == FABRIC_SWITCH for each in nodes.values()):
        raise InputError(
            f"{path}: lists adapters only; expected the switches' lines too (iblinkinfo -l without --cas-only)"
        )
    down = sum(map(len, ports.values())) - len(halves)
    return assemble(str(path), nodes, halves, odd, down, both_ends=False)
