"""Writes the netlist that ibsim, the InfiniBand subnet simulator, reads."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from collectives.demand import Int32Vector
from collectives.errors import InputError
from collectives.gate import printable, quoted
from collectives.sizes import counted
from fabric.formats.infiniband.subnet import LANE_GBPS, SubnetFabric
from fabric.formats.opening import OpenedFabric
from fabric.formats.registry import Export
from fabric.topology import ENDPOINT, NVLINK, SWITCH, Topology

# ibsim 0.10 (Debian 12) reads faster lanes as SDR without a word.
_SPEEDS = ("SDR", "DDR", "QDR", "FDR", "EDR", "HDR")
_WIDTHS = (4, 1, 2, 8, 12)

# InfiniBand architecture specification 1.4, 14.2.5.2: bytes of a NodeDescription.
_LONGEST_NAME = 64

# GUIDs of nodes that have none of their own; the rest is the node's number, times 256 to leave room for ports.
_SWITCH_GUIDS, _ADAPTER_GUIDS = 0x5200000000000000, 0x5100000000000000


@dataclass(frozen=True)
class Netlist:
    """A netlist, and what it could not say.

    Attributes
    ----------
    text : str
    n_nodes, n_switches, n_ports : int
        The room that ibsim needs.
    notes : tuple of str
    """

    text: str
    n_nodes: int
    n_switches: int
    n_ports: int
    notes: tuple[str, ...]


def netlist_export(given: OpenedFabric, path: Path) -> Export:
    """The netlist of `ibsim_netlist` as a file."""
    netlist = ibsim_netlist(given.topology, given.origin)
    return Export({str(path): netlist.text}, netlist.notes)


def _check_name(fabric: str, name: str) -> None:
    size = len(name.encode("utf-8", "backslashreplace"))
    if size > _LONGEST_NAME:
        raise InputError(f"{fabric}: node {quoted(name)} has a name of {size:,} bytes; ibsim takes {_LONGEST_NAME}")
    if printable(name) != name:
        raise InputError(f"{fabric}: node {quoted(name)} has control characters in its name; ibsim takes none")


def ibsim_netlist(topology: Topology, origin: SubnetFabric | None = None) -> Netlist:
    """The scale-out part of a fabric as a netlist.

    Ports keep their numbers if all are known and at least 1; otherwise they are numbered anew, node by node.  GUIDs
    are those of the dump that the fabric was read from, or made up.  NVLink is left out, and so are nodes without a
    cable, which ibsim does not take.

    Parameters
    ----------
    topology : Topology
    origin : SubnetFabric, optional

    Raises
    ------
    InputError
        If a port number is above 254, or a name has more bytes than a node description, or control characters.
    """
    links = np.flatnonzero(topology.link_kind != NVLINK)
    tail_port, head_port = _ports(topology, links)
    if tail_port[links].max(initial=0) > 254:
        raise InputError(f"{topology.name}: port {tail_port[links].max()}; an InfiniBand node has at most 254 ports")
    nodes = topology.nodes
    cabled = np.bincount(topology.link_tail[links], minlength=topology.n_nodes) > 0
    shown = (nodes.kind == ENDPOINT) | (nodes.kind == SWITCH)
    chosen, alone = (np.flatnonzero(shown & some).tolist() for some in (cabled, ~cabled))
    guid, port_guid = _guids(topology, origin, chosen)
    for node in chosen:
        _check_name(topology.name, nodes.name[node])
    names = [name.replace('"', "'") for name in nodes.name]
    n_ports = np.zeros(topology.n_nodes, np.int64)
    np.maximum.at(n_ports, topology.link_tail[links], tail_port[links])
    speed = {float(gbps): _speed(float(gbps)) for gbps in np.unique(topology.link_capacity_gbps[links])}
    lines: list[str] = []
    by_tail: dict[int, list[int]] = {node: [] for node in chosen}
    for link in links.tolist():
        by_tail[int(topology.link_tail[link])].append(link)
    for node in chosen:
        switch = nodes.kind[node] == SWITCH
        kind, letter, key = ("Switch", "S", "switchguid") if switch else ("Ca", "H", "caguid")
        extra = f"({guid[node]:x})" if switch else ""
        lines += ["vendid=0x0", "devid=0x0", f"sysimgguid=0x{guid[node]:x}", f"{key}=0x{guid[node]:x}{extra}"]
        tail = " enhanced port 0 lid 0 lmc 0" if switch else ""
        lines.append(f'{kind}\t{n_ports[node]} "{letter}-{guid[node]:016x}"\t\t# "{names[node]}"{tail}')
        for link in sorted(by_tail[node], key=lambda link: int(tail_port[link])):
            head, port, there = int(topology.link_head[link]), int(tail_port[link]), int(head_port[link])
            rate = speed[float(topology.link_capacity_gbps[link])][0]
            peer_switch = nodes.kind[head] == SWITCH
            peer = f'"{"S" if peer_switch else "H"}-{guid[head]:016x}"[{there}]'
            own = "" if switch else f"({port_guid(node, port):x})"
            other = "" if peer_switch else f"({port_guid(head, there):x})"
            lids = "lid 0" if switch else "lid 0 lmc 0"
            if switch:
                lines.append(f'[{port}]\t{peer}{other}\t\t# "{names[head]}" {lids} {rate}')
            else:
                lines.append(f'[{port}]{own}\t{peer}\t\t# {lids} "{names[head]}" lid 0 {rate}')
        lines.append("")
    notes = [
        f"{gbps:g} Gb/s is written as {text} ({written:g} Gb/s), the nearest that ibsim knows"
        for gbps, (text, written) in speed.items()
        if written != gbps
    ]
    if alone:
        notes.append(f"left out: {counted(len(alone), 'node')} without a cable, such as {nodes.name[alone[0]]}")
    switches = int(np.count_nonzero(nodes.kind[chosen] == SWITCH))
    # A switch has a port 0 too.
    return Netlist("\n".join(lines) + "\n", len(chosen), switches, int(n_ports.sum()) + len(chosen), tuple(notes))


def _ports(topology: Topology, links: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> tuple[Int32Vector, Int32Vector]:
    if links.size == 0 or topology.link_tail_port[links].min() >= 1:
        return topology.link_tail_port, topology.link_head_port
    # Both directions of a cable need the same number at an end: count the cables of each node.
    port = np.zeros(topology.n_links, np.int32)
    used = np.zeros(topology.n_nodes, np.int64)
    for link in links.tolist():
        tail = int(topology.link_tail[link])
        used[tail] += 1
        port[link] = used[tail]
    return port, port[topology.link_reverse]


def _guids(  # type: ignore[no-untyped-def]
    topology: Topology, origin: SubnetFabric | None, chosen: list[int]
):
    """Node GUID by node, and a function for port GUIDs."""
    made = {
        node: (_SWITCH_GUIDS if topology.nodes.kind[node] == SWITCH else _ADAPTER_GUIDS) + (node << 8)
        for node in chosen
    }
    known: dict[tuple[int, int], int] = {}
    guid = dict(made)
    if origin is not None:
        for record in origin.subnet.nodes.values():
            node = origin.node_of_guid.get(record.guid, -1) if record.guid else -1
            if node < 0:
                continue
            if topology.nodes.kind[node] == SWITCH:
                guid[node] = record.guid
            else:
                known.update({(node, port): value for port, value in record.port_guid.items()})
                # The node's own GUID is not in every dump: one below that of its first port, as is usual.
                guid[node] = record.guid - 1

    def port_guid(node: int, port: int) -> int:
        return known.get((node, port), made[node] + port)

    return guid, port_guid


def _speed(gbps: float) -> tuple[str, float]:
    """What ibsim calls a speed, and how much that is: the same or the nearest below, the slowest of all at least."""
    known = [(width * LANE_GBPS[name], f"{width}x{name}") for width in _WIDTHS for name in _SPEEDS]
    exact = next((text for value, text in known if value == gbps), None)
    if exact is not None:
        return exact, gbps
    below = [pair for pair in known if pair[0] <= gbps] or [min(known)]
    value, text = max(below, key=lambda pair: pair[0])
    return text, value
