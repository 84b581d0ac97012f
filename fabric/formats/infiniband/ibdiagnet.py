"""What ``ibdiagnet`` writes: ``net_dump``, ``net_dump_ext`` and the sections NODES, PORTS and LINKS of ``db_csv``.

Its ``ibnetdiscover`` and ``lst`` files are read by the readers of those names.  The columns are found by their titles.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectives.errors import InputError
from collectives.gate import quoted, whole
from collectives.sizes import counted
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
from fabric.formats.infiniband.subnet_lst import lane_of_rate

_MAX_PORT = 254
# Rows of other sections have hundreds of columns.
_LONGEST = 1 << 20
_HEAD = re.compile(r'"([^"]*)",\s*[^,]*,\s*0x([0-9a-fA-F]{1,16}),\s*LID\s+(\d{1,5})$', re.ASCII)
_GUID = re.compile(r"0x([0-9a-fA-F]{1,16})$", re.ASCII)
_NUMBERS = re.compile(r"(\d{1,5})(?:\s*\(([^()]{1,16})\))?$", re.ASCII)
_WIDTH = re.compile(r"(\d{1,2})x$", re.ASCII)
_EXPECTED = "a switch or port line of ibdiagnet's net_dump"
_EXPECTED_EXT = "a port line of ibdiagnet's net_dump_ext"

# Codes of ibdiagnet's PORTS (ibutils2, ibdm/Fabric.h: IBLinkSpeed, IBLinkWidth).
_SPEED_CODES = {
    "1": "SDR",
    "2": "DDR",
    "4": "QDR",
    "256": "FDR",
    "512": "EDR",
    "1024": "HDR",
    "2048": "NDR",
    "4096": "XDR",
    "65536": "FDR10",
}
_WIDTH_CODES = {"1": "1", "2": "4", "4": "8", "8": "12", "16": "2"}
_NODE_TYPES = {1: ADAPTER, 2: FABRIC_SWITCH, 3: ROUTER}


@dataclass(frozen=True)
class _Row:
    """A port that is up, as its own line lists it; labels are what is printed on the case."""

    number: int
    node: str
    port: int
    peer: str
    peer_label: str
    speed: tuple[float, str]


def _columns(line: str, needed: tuple[str, ...], path: str | Path, number: int) -> list[str]:
    titles = [title.strip() for title in line.split(":")]
    missing = [title for title in needed if title not in titles]
    if missing:
        raise InputError(f"{path}:{number}: no column {missing[0]!r}; expected {', '.join(needed)}")
    return titles


def _cells(line: str, titles: list[str]) -> dict[str, str] | None:
    """Cells by title; the last one, a description, may hold colons.  None if there are too few."""
    cells = [cell.strip() for cell in line.split(":", len(titles) - 1)]
    return dict(zip(titles, cells, strict=True)) if len(cells) == len(titles) else None


def _speed(path: str | Path, number: int, width: str, rate: str) -> tuple[float, str]:
    """Gb/s, and the same in words."""
    lanes = _WIDTH.match(width)
    known = (lanes[1] if lanes else width, lane_of_rate(rate))
    return checked_gbps(path, number, *known), rate_text(*known)


def _port_of(label: str, labels: dict[str, int]) -> int:
    """Number of a port by its label: as its node's own lines say, the number itself, or 1 where it is a name."""
    if label in labels:
        return labels[label]
    digits = re.search(r"(\d{1,3})$", label, re.ASCII)
    return int(digits[1]) if digits and int(digits[1]) <= _MAX_PORT else 1


def _joined(labels: dict[str, dict[str, int]], rows: list[_Row]) -> list[Half]:
    halves = []
    for row in rows:
        peer_port = _port_of(row.peer_label, labels.get(row.peer, {}))
        halves.append(Half(row.node, row.port, row.peer, peer_port, row.speed[0], row.number, row.speed[1]))
    return halves


def read_net_dump(path: str | Path) -> Subnet:
    """Read ``ibdiagnet2.net_dump``: a section for each switch, a line for each of its ports.

    Raises
    ------
    InputError
        Names file and line, and what was expected.
    """
    nodes: dict[str, SubnetNode] = {}
    labels: dict[str, dict[str, int]] = {}
    rows: list[_Row] = []
    titles: list[str] = []
    current = ""
    down = 0
    odd = Oddities(path)
    peers: dict[str, tuple[str, int, int]] = {}
    for number, line in dump_lines(path):
        if head := _HEAD.match(line):
            current = f"{int(head[2], 16):016x}"
            if current in nodes:
                raise InputError(
                    f"{path}:{number}: switch 0x{current} is described twice, first in line {nodes[current].line}"
                )
            lid = checked_lid(path, number, head[3], odd)
            nodes[current] = SubnetNode(
                FABRIC_SWITCH, head[1].strip(), int(head[2], 16), lid={0: (lid, 0)}, line=number, described=True
            )
            labels[current] = {}
        elif line.startswith("#") and "IB#" in line:
            titles = _columns(line, ("#", "IB#", "PhysSta", "LWA", "LSA", "Neighbor Guid", "N#", "NLID"), path, number)
        elif current and titles and line.count(":") >= 3 and not line.startswith("#"):
            cells = _cells(line, titles)
            if cells is None:
                raise unreadable(path, number, line, _EXPECTED)
            port = whole(cells["IB#"], f"{path}:{number}: IB#", 1, _MAX_PORT)
            labels[current][cells["#"]] = port
            nodes[current].labels[port] = cells["#"]
            guid = _GUID.match(cells["Neighbor Guid"])
            if guid is None or cells["PhysSta"].upper() != "LINK UP":
                down += 1
                continue
            name = cells[titles[-1]].strip('"').strip()
            peer = f"{int(guid[1], 16):016x}"
            lid = checked_lid(path, number, cells["NLID"], odd) if _NUMBERS.match(cells["NLID"]) else 0
            peers.setdefault(peer, (name, lid, number))
            speed = _speed(path, number, cells["LWA"], cells["LSA"])
            rows.append(_Row(number, current, port, peer, cells["N#"], speed))
        else:
            odd.pass_over(number, line, _EXPECTED)
    odd.check(len(rows))
    for key, (name, lid, number) in peers.items():
        if key not in nodes:
            guid_number = int(key, 16)
            nodes[key] = SubnetNode(ADAPTER, name, guid_number, {1: guid_number}, {1: (lid, 0)}, number)
    return assemble(str(path), nodes, _joined(labels, rows), odd, down, both_ends=False)


def read_net_dump_ext(path: str | Path) -> Subnet:
    """Read ``ibdiagnet2.net_dump_ext``: a line for each port, its neighbour by LID and port.

    Raises
    ------
    InputError
        Names file and line, and what was expected.
    """
    nodes: dict[str, SubnetNode] = {}
    labels: dict[str, dict[str, int]] = {}
    key_of_lid: dict[int, str] = {}
    seen: list[tuple[int, str, int, int, str, tuple[float, str]]] = []
    titles: list[str] = []
    down = 0
    odd = Oddities(path)
    for number, line in dump_lines(path):
        if not titles:
            if re.match(r"Ty\s*:\s*#\s*:", line):
                needed = ("Ty", "#", "#IB", "GUID", "LID", "PhysSta", "LWA", "LSA", "Conn LID (#)", "Node Desc")
                titles = _columns(line, needed, path, number)
            else:
                odd.pass_over(number, line, "the titles Ty : # : #IB : GUID : ... of ibdiagnet's net_dump_ext")
            continue
        if line.count(":") < 3 or line.startswith("#"):
            odd.pass_over(number, line, _EXPECTED_EXT)
            continue
        cells = _cells(line, titles)
        guid = _GUID.match(cells["GUID"]) if cells else None
        lid = _NUMBERS.match(cells["LID"]) if cells else None
        if cells is None or guid is None or lid is None:
            raise unreadable(path, number, line, _EXPECTED_EXT)
        port = whole(cells["#IB"], f"{path}:{number}: #IB", 0, _MAX_PORT)
        kind = FABRIC_SWITCH if cells["Ty"].upper().startswith("SW") else ADAPTER
        name = cells["Node Desc"].strip('"').strip()
        own = checked_lid(path, number, lid[1], odd)
        key = f"{int(guid[1], 16):016x}"
        node = nodes.setdefault(key, SubnetNode(kind, name, int(guid[1], 16), line=number, described=True))
        node.lid.setdefault(0 if kind == FABRIC_SWITCH else port, (own, 0))
        if kind != FABRIC_SWITCH:
            node.port_guid.setdefault(port, int(guid[1], 16))
        if own:
            key_of_lid.setdefault(own, key)
        labels.setdefault(key, {})[cells["#"]] = port
        node.labels[port] = cells["#"]
        there = _NUMBERS.match(cells["Conn LID (#)"])
        if there is None or there[2] is None or cells["PhysSta"].upper() != "LINK UP":
            down += 1
            continue
        speed = _speed(path, number, cells["LWA"], cells["LSA"])
        seen.append((number, key, port, checked_lid(path, number, there[1], odd), there[2], speed))
    odd.check(len(seen))
    rows = []
    for number, key, port, peer_lid, label, speed in seen:
        peer = key_of_lid.get(peer_lid)
        if peer is None:
            raise InputError(f"{path}:{number}: LID {peer_lid} is of no port; is the file whole?")
        rows.append(_Row(number, key, port, peer, label, speed))
    return assemble(str(path), nodes, _joined(labels, rows), odd, down, both_ends=False)


def _sections(path: str | Path, wanted: tuple[str, ...]) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Section, line and cells of each row of the sections that are wanted."""
    section, begun = "", 0
    titles: list[str] = []
    for number, line in dump_lines(path, _LONGEST):
        if line.startswith("START_"):
            if section:
                break
            section, titles, begun = line[6:].strip(), [], number
        elif section and line == f"END_{section}":
            section = ""
        elif section in wanted and line:
            try:
                (cells,) = csv.reader([line], strict=True)
            except (csv.Error, ValueError):
                raise InputError(f"{path}:{number}: {quoted(line)}; expected a row of section {section}") from None
            cells = [cell.strip() for cell in cells]
            if not titles:
                titles = [cell.lower() for cell in cells]
                continue
            if len(cells) < len(titles):
                found = counted(len(cells), "cell")
                raise InputError(
                    f"{path}:{number}: {found} in section {section}; expected {len(titles)}; is the file whole?"
                )
            yield section, number, dict(zip(titles, cells, strict=False))
    if section:
        raise InputError(f"{path}: section {section} of line {begun} has no end (END_{section}); is the file whole?")


def read_db_csv(path: str | Path) -> Subnet:
    """Read ``ibdiagnet2.db_csv``: its sections NODES, PORTS and LINKS.

    Raises
    ------
    InputError
        Names file and line, and what was expected; a section that is missing or cut off.
    """
    nodes: dict[str, SubnetNode] = {}
    speeds: dict[tuple[str, int], tuple[float, str]] = {}
    links: list[tuple[int, str, int, str, int]] = []
    odd = Oddities(path)

    def cell(row: dict[str, str], number: int, section: str, title: str) -> str:
        if title.lower() not in row:
            raise InputError(f"{path}:{number}: section {section} has no column {title}")
        return row[title.lower()]

    def guid_of(row: dict[str, str], number: int, section: str, title: str) -> int:
        found = _GUID.match(cell(row, number, section, title))
        if found is None:
            raise InputError(f"{path}:{number}: {title} {quoted(cell(row, number, section, title))}; expected 0x...")
        return int(found[1], 16)

    def port_of(row: dict[str, str], number: int, section: str, title: str) -> int:
        return whole(cell(row, number, section, title), f"{path}:{number}: {title}", 0, 255)

    for section, number, row in _sections(path, ("NODES", "PORTS", "LINKS")):
        if section == "NODES":
            guid = guid_of(row, number, section, "NodeGUID")
            kind = whole(cell(row, number, section, "NodeType"), f"{path}:{number}: NodeType", 1, 3)
            name = cell(row, number, section, "NodeDesc").strip('"').strip()
            ports = row.get("numports", "")
            n_ports = int(ports) if ports.isascii() and ports.isdecimal() and len(ports) <= 3 else 0
            nodes.setdefault(
                f"{guid:016x}",
                SubnetNode(_NODE_TYPES[kind], name, guid, line=number, described=True, node_guid=guid, n_ports=n_ports),
            )
        elif section == "PORTS":
            key, port = f"{guid_of(row, number, section, 'NodeGuid'):016x}", port_of(row, number, section, "PortNum")
            node = nodes.get(key)
            if node is None:
                continue
            if node.kind != FABRIC_SWITCH:
                node.port_guid[port] = guid_of(row, number, section, "PortGuid")
            if (node.kind != FABRIC_SWITCH or port == 0) and _NUMBERS.match(row.get("lid", "")):
                lmc = row.get("lmc", "0")
                lid = checked_lid(path, number, row["lid"], odd)
                node.lid[port] = (lid, int(lmc) if lmc in tuple("01234567") else 0)
            width = _WIDTH_CODES.get(row.get("linkwidthactv", ""))
            code = _SPEED_CODES.get(row.get("linkspeedactv", ""))
            if width and code:
                speeds[key, port] = checked_gbps(path, number, width, code), rate_text(width, code)
        else:
            ends = [
                (
                    f"{guid_of(row, number, section, f'NodeGuid{end}'):016x}",
                    port_of(row, number, section, f"PortNum{end}"),
                )
                for end in (1, 2)
            ]
            links.append((number, *ends[0], *ends[1]))
    for section, found in (("NODES", bool(nodes)), ("LINKS", bool(links))):
        if not found:
            raise InputError(
                f"{path}: no section {section}; expected START_{section} with rows, as ibdiagnet writes it"
            )
    halves = []
    for number, key, port, peer, peer_port in links:
        for end in (key, peer):
            if end not in nodes:
                raise InputError(f"{path}:{number}: node 0x{end} is not in section NODES; is the file whole?")
        gbps, rate = speeds.get((key, port)) or speeds.get((peer, peer_port)) or (None, "")
        halves += [
            Half(key, port, peer, peer_port, gbps, number, rate),
            Half(peer, peer_port, key, port, gbps, number, rate),
        ]
    for node in nodes.values():
        if node.kind != FABRIC_SWITCH:
            node.guid = min(node.port_guid.values(), default=node.guid)
    return assemble(str(path), nodes, halves, odd)
