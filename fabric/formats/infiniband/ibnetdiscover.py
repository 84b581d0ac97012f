"""``ibnetdiscover``: its topology file (plain, ``-f``, ``-g``), its port list (``-p``), and ibsim's netlist.

The netlist that ibsim reads is a topology file too, with LIDs of zero.
"""

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

_KINDS = {"Switch": FABRIC_SWITCH, "Ca": ADAPTER, "Rt": ROUTER}
_HEAD = re.compile(r'(Switch|Ca|Hca|Rt)\s+(\d{1,3})\s+"([^"]*)"\s*(?:#\s*"(.*)"([^"]*))?$', re.ASCII)
# A port's number, and behind it where a director has it ([ext 3]), its GUID (-g) or its label on the case (1/1/1).
_PLUG = r"\[(\d{1,3})\](?:\[ext [^\]]*\])?(?:\(([0-9a-fA-F]{1,16})\)|\(([^()]*)\))?"
_PORT = re.compile(rf'{_PLUG}\s+"([^"]*)"\s*{_PLUG}\s*(?:#\s*(.*))?$', re.ASCII)
# What begins like this is a row of the dump, however it goes on.
_ROW_LIKE = re.compile(r'\[\d{1,3}\][\s(\[]|(?:Switch|Ca|Hca|Rt)\s+\d+\s+"', re.ASCII)
_GUID = re.compile(r"(switchguid|caguid|rtguid)\s*=\s*0x([0-9a-fA-F]{1,16})")
_OTHER = re.compile(r"[a-z]+id\s*=|Chassis\s|Non-Chassis Nodes|DR path\s|module|mkey")
_SWITCH_LID = re.compile(r"port\s+0\s+lid\s+(\d{1,5})\s+lmc\s+(\d)\b", re.ASCII)
_OWN_LID = re.compile(r"lid\s+(\d{1,5})\s+lmc\s+(\d)\b", re.ASCII)
_SPEED = re.compile(r"\b(\d{1,2})x\s?([A-Z]DR(?:10)?)\b", re.ASCII)
_PORT_ROW = re.compile(
    r"(CA|SW|RT)\s+(\d{1,5})\s+(\d{1,3})\s+0x([0-9a-fA-F]{1,16})\s+(\d{1,2})x\s+(\S+)\s+(?:"
    r"-\s+(CA|SW|RT)\s+(\d{1,5})\s+(\d{1,3})\s+0x([0-9a-fA-F]{1,16})\s+\(\s?'(.*)'\s-\s'(.*)'\s?\)|'(.*)')$",
    re.ASCII,
)
_PORT_ROW_LIKE = re.compile(r"(?:CA|SW|RT)\s+\d+\s+\d+\s+0x", re.ASCII)
_EXPECTED = "a node (Switch, Ca, Rt) or port line of ibnetdiscover"
_EXPECTED_PORT = "a port line of ibnetdiscover -p"
_ROW_KINDS = {"SW": FABRIC_SWITCH, "CA": ADAPTER, "RT": ROUTER}


def read_ibnetdiscover(path: str | Path) -> Subnet:
    """Read a topology file.

    Raises
    ------
    InputError
        Names file and line, and what was expected.
    """
    nodes: dict[str, SubnetNode] = {}
    halves: list[Half] = []
    mentioned: dict[str, int] = {}
    guid, current = 0, None
    odd = Oddities(path)
    understood = 0
    for number, line in dump_lines(path):
        if port := _PORT.match(line):
            if current is None:
                raise InputError(f"{path}:{number}: a port before any node; expected a line such as Switch 64 ...")
            halves.append(_half(path, number, port, nodes, current, odd))
            understood += 1
            mentioned.setdefault(port[4], number)
        elif head := _HEAD.match(line):
            current = head[3]
            if current in nodes:
                raise InputError(f"{path}:{number}: node {current} is described twice, first in line "
                                 f"{nodes[current].line}")  # fmt: skip
            kind = _KINDS.get(head[1], ADAPTER)
            node = SubnetNode(
                kind,
                (head[4] or "").strip(),
                guid if kind == FABRIC_SWITCH else 0,
                line=number,
                described=True,
                node_guid=guid,
                n_ports=int(head[2]),
            )
            lid = _SWITCH_LID.search(head[5] or "")
            if lid and kind == FABRIC_SWITCH:
                node.lid[0] = (checked_lid(path, number, lid[1], odd), int(lid[2]))
            nodes[current] = node
            guid = 0
        elif found := _GUID.match(line):
            guid = int(found[2], 16)
        elif _ROW_LIKE.match(line):
            raise unreadable(path, number, line, _EXPECTED)
        elif not _OTHER.match(line):
            odd.pass_over(number, line, _EXPECTED)
    odd.check(understood)
    for key, number in mentioned.items():
        if key not in nodes:
            raise InputError(f"{path}:{number}: node {key} is not described; is the dump whole?")
    for node in nodes.values():
        if node.kind != FABRIC_SWITCH:
            node.guid = min(node.port_guid.values(), default=0)
    return assemble(str(path), nodes, halves, odd)


def _half(
    path: str | Path, number: int, port: "re.Match[str]", nodes: dict[str, SubnetNode], current: str, odd: Oddities
) -> Half:
    comment = port[8] or ""
    node = nodes[current]
    if port[3]:
        node.labels[int(port[1])] = port[3].strip()
    if node.kind != FABRIC_SWITCH:
        if port[2]:
            node.port_guid[int(port[1])] = int(port[2], 16)
        if own := _OWN_LID.match(comment):
            node.lid[int(port[1])] = (checked_lid(path, number, own[1], odd), int(own[2]))
    speeds = _SPEED.findall(comment)
    gbps = checked_gbps(path, number, *speeds[-1]) if speeds else None
    rate = rate_text(*speeds[-1]) if speeds else ""
    return Half(current, int(port[1]), port[4], int(port[5]), gbps, number, rate)


def read_port_list(path: str | Path) -> Subnet:
    """Read the port list of ``ibnetdiscover -p``; errors as for `read_ibnetdiscover`."""
    nodes: dict[str, SubnetNode] = {}
    halves: list[Half] = []
    down = understood = 0
    odd = Oddities(path)
    for number, line in dump_lines(path):
        row = _PORT_ROW.match(line)
        if row is None:
            if _PORT_ROW_LIKE.match(line):
                raise unreadable(path, number, line, _EXPECTED_PORT)
            odd.pass_over(number, line, _EXPECTED_PORT)
            continue
        understood += 1

        def end(first: int, name: str, row: "re.Match[str]" = row, number: int = number) -> str:
            kind, lid, port, guid = row.group(first, first + 1, first + 2, first + 3)
            lid_number = checked_lid(path, number, lid, odd)
            return port_node(nodes, _ROW_KINDS[kind], int(guid, 16), int(port), lid_number, name.strip(), number)

        if row[7] is None:
            alone = nodes[end(1, row[13])]
            alone.n_ports = max(alone.n_ports, int(row[3]))
            down += 1
            continue
        key, peer = end(1, row[11]), end(7, row[12])
        nodes[key].described = True
        gbps = checked_gbps(path, number, row[5], row[6])
        halves.append(Half(key, int(row[3]), peer, int(row[9]), gbps, number, rate_text(row[5], row[6])))
    odd.check(understood)
    return assemble(str(path), nodes, halves, odd, down)
