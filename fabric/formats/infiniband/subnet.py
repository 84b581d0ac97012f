"""An InfiniBand subnet as the usual tools print it: nodes, ports and cables, before it becomes a topology.

The readers of this folder yield a `Subnet`; `subnet_fabric` numbers it, finds hosts and rails, and makes a topology.
The same subnet printed by different tools gives the same topology.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from collectives.errors import InputError
from collectives.sizes import counted
from fabric.formats.dump import Oddities, Oddity
from fabric.formats.infiniband.host_names import HostsAndRails, clean_name, hosts_and_rails, natural
from fabric.tiers import tiers_of
from fabric.topology import ENDPOINT, SWITCH, UNKNOWN, Cables, Nodes, Topology

ADAPTER, FABRIC_SWITCH, ROUTER = "adapter", "switch", "router"

# Nominal Gb/s of a lane (InfiniBand Trade Association roadmap).  SDR, DDR and QDR lose a fifth of it to 8b/10b coding.
LANE_GBPS = {
    "SDR": 2.5,
    "DDR": 5.0,
    "QDR": 10.0,
    "FDR10": 10.0,
    "FDR": 14.0,
    "EDR": 25.0,
    "HDR": 50.0,
    "NDR": 100.0,
    "XDR": 200.0,
}
# What iblinkinfo prints: the signalling rate of a lane.
_SIGNALLING_GBPS = {
    "2.5": "SDR",
    "5.0": "DDR",
    "10.0": "QDR",
    "10.3125": "FDR10",
    "14.0625": "FDR",
    "25.78125": "EDR",
    "53.125": "HDR",
    "106.25": "NDR",
    "212.5": "XDR",
}

# SHARP's processing units show up as adapters, one at each switch; they send nothing of their own.
_NO_ENDPOINT = re.compile(r"Aggregation Node", re.IGNORECASE)


# Fabric cards of directors: Mellanox (`MF0;sw:CS7500/S03/U1`), QLogic (`Spine 2, Chip A`), Voltaire (`sFB-12`).
_FABRIC_CARD = re.compile(r"/S\d{1,3}/U\d{1,3}$|\bSpine \d{1,3}\b|\bsFB-?\d", re.IGNORECASE | re.ASCII)

# What a dump is taken to mean that says no speed at all: the tools printed none when this was the only one.
_OLDEST_GBPS = 10.0

OUTSIDE = -1
# Cables that one end does not list are links that went down while the dump was made, if they are as few as this or this
# part of all, but never more than so many; others, or any of the last node, are a dump that is cut.  Assumed.
_FEW_ONE_SIDED, _PART_ONE_SIDED, _MOST_ONE_SIDED = 2, 0.01, 0.1
# GPUs of a host that most have, each with an adapter of its own; with more, some adapters are for storage.  Assumed.
_GPUS = 8
# The permissive LID (InfiniBand architecture specification 1.4, 4.1.3), which tools print for ports without one.
_UNASSIGNED, _NO_LID = 0xFFFF, "unassigned LID"


def is_aggregation_node(name: str) -> bool:
    """Whether a node description is that of SHARP's: no device of its own, and no endpoint."""
    return _NO_ENDPOINT.search(name) is not None


def lane_speed(width: str, speed: str) -> float:
    """Nominal Gb/s of a port: ``("4", "HDR")`` is 200.  Raises KeyError or ValueError for what is no speed."""
    name = speed if speed in LANE_GBPS else _SIGNALLING_GBPS[speed]
    lanes = int(width)
    if lanes not in (1, 2, 4, 8, 12):
        raise ValueError(width)
    return lanes * LANE_GBPS[name]


def rate_text(width: str, speed: str) -> str:
    """Width and speed of a port as people say them: ``4x HDR``."""
    return f"{width}x {_SIGNALLING_GBPS.get(speed, speed)}"


@dataclass
class SubnetNode:
    """A switch, channel adapter or router while it is read.

    Attributes
    ----------
    kind : str
        `ADAPTER`, `FABRIC_SWITCH` or `ROUTER`.
    name : str
        Node description, or empty.
    guid : int
        Node GUID of a switch; the lowest port GUID of an adapter; 0 where the dump does not say.
    port_guid : dict of int to int
        GUID of each port; port 0 of a switch.
    lid : dict of int to (int, int)
        Base LID and LMC of each port; port 0 of a switch.
    line : int
        Where the dump describes it, or first mentions it.
    described : bool
        False if it is known from its neighbours only.
    node_guid : int
        Of an adapter, where the dump says it; 0 where not.
    labels : dict of int to str
        What stands on the case beside a port, where the dump says it: ``1/3/2``.
    n_ports : int
        Ports of a switch, as far as the dump shows them.
    """

    kind: str
    name: str = ""
    guid: int = 0
    port_guid: dict[int, int] = field(default_factory=dict)
    lid: dict[int, tuple[int, int]] = field(default_factory=dict)
    line: int = 0
    described: bool = False
    node_guid: int = 0
    labels: dict[int, str] = field(default_factory=dict)
    n_ports: int = 0


def port_node(nodes: dict[str, SubnetNode], kind: str, guid: int, port: int, lid: int, name: str, line: int) -> str:
    """Key of the node of a port in a list of ports, where a switch shows its GUID and an adapter that of the port.

    The ports of an adapter are numbered upwards from its node GUID, and have its name: that makes them one node.
    """
    key = f"{guid:016x}" if kind == FABRIC_SWITCH else f"{guid - port:016x} {name}"
    node = nodes.setdefault(key, SubnetNode(kind, name, guid, line=line))
    if kind == FABRIC_SWITCH:
        node.lid.setdefault(0, (lid, 0))
    else:
        node.guid = min(node.guid, guid)
        node.port_guid[port] = guid
        node.lid[port] = (lid, 0)
    return key


def checked_lid(path: str | Path, line: int, text: str, odd: Oddities, base: int = 10) -> int:
    """A unicast LID, 0 where a subnet manager has given none (65535, which is counted as odd); InputError otherwise."""
    lid = int(text, base)
    if lid == _UNASSIGNED:
        odd.add(_NO_LID, "ports have LID 65535: no subnet manager has given them one", f"line {line}")
        return 0
    if lid > 0xBFFF:
        raise InputError(f"{path}:{line}: LID {lid}; expected at most {0xBFFF} (unicast)")
    return lid


def checked_gbps(path: str | Path, line: int, width: str, speed: str) -> float:
    """`lane_speed`; InputError for what is no speed."""
    try:
        return lane_speed(width, speed)
    except (KeyError, ValueError):
        raise InputError(
            f"{path}:{line}: speed {width}x {speed}; expected a width 1x to 12x and a speed SDR to XDR"
        ) from None


@dataclass(frozen=True)
class Half:
    """One end of a cable as its node lists it; `rate` is its width and speed in words, where the dump says them."""

    node: str
    port: int
    peer: str
    peer_port: int
    gbps: float | None
    line: int
    rate: str = ""


@dataclass(frozen=True, eq=False)
class Subnet:
    """Nodes by key, and each cable once.

    Attributes
    ----------
    source : str
        The file.
    nodes : dict of str to SubnetNode
    cables : tuple of Half
        One end of each cable.
    down_ports : int
        Ports that the dump lists without a neighbour.
    notes : tuple of str
        What the reader had to assume.
    oddities : tuple of Oddity
        What it passed over.
    one_sided : tuple of Half
        Cables that one end lists and the other one, which lists others, does not.
    """

    source: str
    nodes: dict[str, SubnetNode]
    cables: tuple[Half, ...]
    down_ports: int = 0
    notes: tuple[str, ...] = ()
    oddities: tuple[Oddity, ...] = ()
    one_sided: tuple[Half, ...] = ()


def assemble(
    source: str,
    nodes: dict[str, SubnetNode],
    halves: Iterable[Half],
    odd: Oddities,
    down_ports: int = 0,
    both_ends: bool = True,
) -> Subnet:
    """Join the two ends of each cable.  A cable that leads back to its own node carries nothing, and is odd.

    Parameters
    ----------
    odd : Oddities
        What the reader passed over.
    both_ends : bool
        Whether the dump lists a cable at both of its ends.  One that it does not is refused, unless it is one of few.

    Raises
    ------
    InputError
        If two cables share a port, the ends of a cable disagree, or a part of the dump is missing.
    """
    at: dict[tuple[str, int], Half] = {}
    notes = []
    for half in halves:
        known = at.setdefault((half.node, half.port), half)
        if (known.peer, known.peer_port) != (half.peer, half.peer_port):
            raise InputError(
                f"{source}:{half.line}: {_place(nodes, half.node, half.port)} goes to "
                f"{_place(nodes, half.peer, half.peer_port)}, but line {known.line} says "
                f"{_place(nodes, known.peer, known.peer_port)}"
            )
    if not at:
        raise InputError(f"{source}: no cable; expected nodes with ports that are linked up")
    cables, one_ended, slow_known = [], 0, [half.gbps for half in at.values() if half.gbps is not None]
    usual = max(sorted(set(slow_known)), key=slow_known.count, default=None)
    assumed = 0
    one_sided = _one_sided(source, nodes, at, both_ends)
    for (node, port), half in at.items():
        back = at.get((half.peer, half.peer_port))
        if back is None:
            one_ended += not nodes[half.peer].described
        elif (back.peer, back.peer_port) != (node, port):
            raise InputError(
                f"{source}:{half.line}: {_place(nodes, node, port)} goes to "
                f"{_place(nodes, half.peer, half.peer_port)}, but line {back.line} says that goes to "
                f"{_place(nodes, back.peer, back.peer_port)}"
            )
        elif (half.peer, half.peer_port) < (node, port):
            continue
        if half.peer == node:
            where = f"line {half.line}: {_place(nodes, node, port)} to its own port {half.peer_port}"
            name = nodes[node].name or node
            both = ((name, port), (name, half.peer_port))
            odd.add("loopback cable", "cables from a node back to itself are left out", where, both)
            continue
        # Where the ends differ, the slower one is what passes.
        ends = [end for end in (half, back) if end is not None and end.gbps is not None]
        slower = min(ends, key=lambda end: end.gbps or 0.0, default=half)
        gbps = slower.gbps
        if gbps is None:
            gbps, assumed = _OLDEST_GBPS if usual is None else usual, assumed + 1
        cables.append(Half(node, port, half.peer, half.peer_port, gbps, half.line, slower.rate))
    if one_ended:
        notes.append(f"{one_ended:,} cables are listed at their switch's end only")
    if assumed and usual is None:
        notes.append(
            f"no cable has a speed in the dump: all are taken as 4xSDR, {_OLDEST_GBPS:g} Gb/s, so that loads are "
            "right and times are to scale"
        )
    elif assumed:
        notes.append(f"{assumed:,} cables have no speed in the dump; taken as {usual:g} Gb/s, the most frequent one")
    if not cables:
        raise InputError(f"{source}: every cable leads back to its own node; expected some between nodes")
    oddities = odd.all()
    notes += [each.note() for each in oddities]
    return Subnet(source, nodes, tuple(cables), down_ports, tuple(notes), oddities, one_sided)


def _one_sided(
    source: str, nodes: dict[str, SubnetNode], at: dict[tuple[str, int], Half], both_ends: bool
) -> tuple[Half, ...]:
    """Cables that the node at their other end does not list; InputError where that is no accident."""
    found = [
        half
        for half in at.values()
        if (half.peer, half.peer_port) not in at and (both_ends or nodes[half.peer].described)
    ]
    lines = [(half.line, half.node) for half in at.values()]
    _, last = max([*lines, *((node.line, key) for key, node in nodes.items() if node.described)])
    few = len(found) <= min(max(_FEW_ONE_SIDED, _PART_ONE_SIDED * len(at)), _MOST_ONE_SIDED * len(at))
    for half in found:
        if not few or half.peer == last or not nodes[half.peer].described:
            raise InputError(
                f"{source}:{half.line}: {_place(nodes, half.node, half.port)} goes to "
                f"{_place(nodes, half.peer, half.peer_port)}, which does not list it; is the dump whole?"
            )
    return tuple(found)


def _place(nodes: dict[str, SubnetNode], key: str, port: int) -> str:
    return f"{(nodes[key].name if key in nodes else '') or key} port {port}"


@dataclass(frozen=True, eq=False)
class SubnetFabric:
    """A topology made of a subnet, and how to find its nodes again.

    Attributes
    ----------
    topology : Topology
    subnet : Subnet
    node_of_guid : dict of int to int
        Topology's node of each node and port GUID; `OUTSIDE` for those that are left out.
    node_of_lid : dict of int to int
        Topology's node of each LID, LMC counted; `OUTSIDE` likewise.
    host_names : tuple of str
        By host number.
    left_out : tuple of str
        Names of adapters and routers that are no endpoints.
    notes : tuple of str
        What was inferred.
    oddities : tuple of Oddity
        What the reader passed over, adapters and switches without a name.
    node_of_own_guid : dict of int to int
        As `node_of_guid`, by the GUIDs of adapters themselves, which are not those of their ports, where the dump says
        them.
    rates : dict of (int, int) to str
        Width and speed, ``4x HDR``, of each node's port, where the dump says them.
    free_ports : dict of int to tuple of int
        Ports of each switch that no cable is in, as far as the dump shows them.
    """

    topology: Topology
    subnet: Subnet
    node_of_guid: dict[int, int]
    node_of_lid: dict[int, int]
    host_names: tuple[str, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    oddities: tuple[Oddity, ...] = ()
    node_of_own_guid: dict[int, int] = field(default_factory=dict)
    rates: dict[tuple[int, int], str] = field(default_factory=dict)
    free_ports: dict[int, tuple[int, ...]] = field(default_factory=dict)

    @cached_property
    def port_aliases(self) -> dict[tuple[str, int], tuple[str, ...]]:
        """Labels of ports, by the node's name and the port's number."""
        names = self.topology.nodes.name
        return {
            (names[number], port): (label,)
            for node in self.subnet.nodes.values()
            if (number := self.node_of_guid.get(node.guid, OUTSIDE)) != OUTSIDE
            for port, label in node.labels.items()
        }

    def with_rates_of(self, topology: Topology) -> "SubnetFabric":
        """With the rates of those ports that are as fast in a damaged topology as in this one."""
        if not self.rates:
            return self
        before, now = _gbps_of_ports(self.topology), _gbps_of_ports(topology)
        kept = {port: text for port, text in self.rates.items() if now.get(port) == before.get(port)}
        return replace(self, rates=kept)


def _gbps_of_ports(topology: Topology) -> dict[tuple[int, int], float]:
    """Gb/s out of each port, by node and port number."""
    ports = zip(topology.link_tail.tolist(), topology.link_tail_port.tolist(), strict=True)
    return dict(zip(ports, topology.link_capacity_gbps.tolist(), strict=True))


def subnet_fabric(subnet: Subnet, name: str, host_pattern: str | None = None) -> SubnetFabric:
    """Number a subnet's nodes and find hosts and rails.

    Endpoints are numbered by host, rail and name, then come the switches by name, names with numbers in natural order.
    Nodes with equal names are told apart by their GUIDs.

    Parameters
    ----------
    subnet : Subnet
    name : str
        Of the topology.
    host_pattern : str, optional
        Regular expression with a group ``host``, and perhaps ``rail``, for a whole node description; default
        `fabric.formats.infiniband.host_names.HOST_PATTERNS`.  Adapters that it does not fit, of hosts that it finds,
        are no endpoints: those of storage.

    Raises
    ------
    InputError
        If the pattern is not such an expression, or no adapter is left.
    """
    subnet, direct = _with_middles(subnet)
    keys = list(subnet.nodes)
    left_out = {
        key
        for key in keys
        if subnet.nodes[key].kind == ROUTER
        or (subnet.nodes[key].kind == ADAPTER and is_aggregation_node(subnet.nodes[key].name))
    }
    unique = _unique_names(subnet)
    adapters = [key for key in keys if subnet.nodes[key].kind == ADAPTER and key not in left_out]
    if not adapters:
        raise InputError(f"{subnet.source}: no channel adapter; expected some")
    read = hosts_and_rails({key: subnet.nodes[key].name for key in adapters}, host_pattern, unique)
    others = _beside(subnet, read) if host_pattern is not None else set()
    if others:
        adapters = [key for key in adapters if key not in others]
        read = hosts_and_rails({key: subnet.nodes[key].name for key in adapters}, host_pattern, unique)
        left_out |= others
    where = read.where
    adapters.sort(key=lambda key: (natural(where[key][0]), where[key][1], natural(unique[key])))
    switches = sorted(
        (key for key in keys if subnet.nodes[key].kind == FABRIC_SWITCH), key=lambda key: natural(unique[key])
    )
    order = [*adapters, *switches]
    number = {key: index for index, key in enumerate(order)}
    host_names = tuple(dict.fromkeys(where[key][0] for key in adapters))
    host_number = {host: index for index, host in enumerate(host_names)}
    unknown = np.full(len(order), UNKNOWN, np.int32)
    host, rail = unknown.copy(), unknown.copy()
    host[: len(adapters)] = [host_number[where[key][0]] for key in adapters]
    rail[: len(adapters)] = [where[key][1] for key in adapters]
    kind = np.full(len(order), SWITCH, np.int8)
    kind[: len(adapters)] = ENDPOINT
    kept = [half for half in subnet.cables if half.node in number and half.peer in number]
    tier = unknown.copy()
    tier[: len(adapters)] = 0
    tier[len(adapters) :] = _tiers(subnet, switches, kept)
    guid = np.array([subnet.nodes[key].guid for key in order], np.uint64)
    lid = np.array([_lid(subnet.nodes[key]) for key in order], np.int32)
    nodes = Nodes(tuple(unique[key] for key in order), kind, tier, host, rail, unknown, unknown, guid, lid)
    gbps = np.array([half.gbps for half in kept], np.float64)
    cables = Cables(
        a=np.array([number[half.node] for half in kept], np.int32),
        b=np.array([number[half.peer] for half in kept], np.int32),
        a_port=np.array([half.port for half in kept], np.int32),
        b_port=np.array([half.peer_port for half in kept], np.int32),
        ab_gbps=gbps,
        ba_gbps=gbps,
    )
    try:
        topology = Topology.from_cables(name, nodes, cables)
    except InputError as error:
        raise InputError(f"{subnet.source}: {error}") from None
    used = _used_ports(subnet)
    without_lid = _unassigned(subnet, unique, used)
    if without_lid:
        # Ports by name instead of the lines of the dump.
        own = tuple(odd for odd in subnet.oddities if odd.kind != _NO_LID)
        subnet = replace(subnet, oddities=own)
    passed_over = (*without_lid, *_one_sided_cables(subnet, unique))
    notes = [*subnet.notes, *(each.note() for each in passed_over), read.note]
    if direct:
        notes.append(
            f"{counted(direct, 'cable')} between two adapters, without a switch: one of two ports stands for each"
        )
    if any(half.gbps in (10.0, 20.0, 40.0, 56.0) for half in kept):
        notes.append("speeds are nominal: SDR, DDR and QDR carry 4/5 of it, FDR 64/66 (line coding)")
    for excluded, what in (
        (left_out - others, "adapters and routers are no endpoints (SHARP aggregation nodes, routers)"),
        (others, "adapters that --host-pattern does not fit, of hosts that it finds, are no endpoints"),
    ):
        if excluded:
            named = sorted((unique[key] for key in excluded), key=natural)
            notes.append(f"{len(excluded):,} {what}: {', '.join(named[:3])}{' ...' if len(named) > 3 else ''}")
    each = Counter(where[key][0] for key in adapters)
    if host_pattern is None and each and Counter(each.values()).most_common(1)[0][0] > _GPUS:
        most = Counter(each.values()).most_common(1)[0][0]
        notes.append(f"most hosts have {most} adapters, all taken for GPUs' own: --host-pattern leaves storage's out")
    tiers = np.unique(topology.nodes.tier[kind == SWITCH], return_counts=True)
    counts = ", ".join(f"{count} in tier {tier}" for tier, count in zip(*tiers, strict=True))
    notes.append(f"tiers of switches are their distance from the leaves, which most of their kind show: {counts}")
    guids = {guid: number.get(key, OUTSIDE) for key in keys for guid in _guids(subnet.nodes[key])}
    own_guids = {subnet.nodes[key].node_guid: number.get(key, OUTSIDE) for key in keys if subnet.nodes[key].node_guid}
    lids = {
        base + offset: number.get(key, OUTSIDE)
        for key in keys
        for base, lmc in subnet.nodes[key].lid.values()
        for offset in range(1 << lmc)
        if base
    }
    return SubnetFabric(
        topology,
        subnet,
        guids,
        lids,
        host_names,
        tuple(sorted(unique[key] for key in left_out)),
        tuple(notes),
        (
            *subnet.oddities,
            *passed_over,
            *read.oddities,
            *_unnamed(subnet, switches, unique),
        ),
        {guid: node for guid, node in own_guids.items() if guid not in guids},
        {
            end: half.rate
            for half in kept
            if half.rate
            for end in ((number[half.node], half.port), (number[half.peer], half.peer_port))
        },
        {number[key]: _free_ports(subnet, key, used[key]) for key in switches},
    )


def _beside(subnet: Subnet, read: HostsAndRails) -> set[str]:
    """Adapters that the user's pattern does not fit, of hosts of which it fits others."""
    missed = set(read.missed)
    first_word = {key: clean_name(subnet.nodes[key].name).split(" ")[0] for key in read.where}
    found = {first_word[key] for key in read.where if key not in missed}
    return {key for key in missed if first_word[key] in found}


def _used_ports(subnet: Subnet) -> dict[str, set[int]]:
    """Ports with a cable of each node."""
    used: dict[str, set[int]] = {key: set() for key in subnet.nodes}
    for half in (*subnet.cables, *subnet.one_sided):
        used[half.node].add(half.port)
        used[half.peer].add(half.peer_port)
    return used


def _free_ports(subnet: Subnet, key: str, used: set[int]) -> tuple[int, ...]:
    """Ports of a switch without a cable: up to the number that it says it has, at least up to the last one in use.

    The last of an odd number is no port of the case: NVIDIA's switches have their aggregation node behind it.
    """
    said = subnet.nodes[key].n_ports
    last = max(said - said % 2 if said > 1 else 0, max(used, default=0))
    return tuple(port for port in range(1, last + 1) if port not in used)


def _tiers(subnet: Subnet, switches: list[str], kept: list[Half]) -> list[int]:
    """Tier of each switch; a director's fabric cards are above its line cards."""
    place = {key: index for index, key in enumerate(switches)}
    endpoints = np.zeros(len(switches), np.int64)
    pairs = []
    for half in kept:
        one, other = place.get(half.node, OUTSIDE), place.get(half.peer, OUTSIDE)
        if one >= 0 and other >= 0:
            pairs += [(one, other), (other, one)]
        elif one >= 0 or other >= 0:
            endpoints[max(one, other)] += 1
    tail, head = np.array(pairs, np.int64).reshape(-1, 2).T
    cards = np.array([bool(_FABRIC_CARD.search(subnet.nodes[key].name)) for key in switches], bool)
    return [int(tier) for tier in tiers_of(len(switches), tail, head, endpoints, cards)]


def _with_middles(subnet: Subnet) -> tuple[Subnet, int]:
    """A switch of two ports for each cable that joins two adapters, as only switches forward; and how many."""
    kinds = {key: node.kind for key, node in subnet.nodes.items()}
    direct = [half for half in subnet.cables if kinds[half.node] == kinds[half.peer] == ADAPTER]
    if not direct:
        return subnet, 0
    nodes, cables = dict(subnet.nodes), [half for half in subnet.cables if half not in direct]
    for number, half in enumerate(direct):
        key = f"cable {number}"
        name = f"{nodes[half.node].name or half.node} - {nodes[half.peer].name or half.peer}"
        nodes[key] = SubnetNode(FABRIC_SWITCH, name, line=half.line)
        cables.append(Half(half.node, half.port, key, 1, half.gbps, half.line))
        cables.append(Half(half.peer, half.peer_port, key, 2, half.gbps, half.line))
    return replace(subnet, nodes=nodes, cables=tuple(cables)), len(direct)


def _lid(node: SubnetNode) -> int:
    """LID of a switch, of an adapter's first port that has one; 0 where it is not known."""
    return next((lid for _, (lid, _) in sorted(node.lid.items()) if lid), 0)


def _unassigned(subnet: Subnet, unique: dict[str, str], used: dict[str, set[int]]) -> tuple[Oddity, ...]:
    """Ports with LID 0 among others that have one, or 65535; of a netlist, in which all have 0, it says nothing."""
    lids = {
        (key, port): lid
        for key, node in subnet.nodes.items()
        for port, (lid, _) in node.lid.items()
        if port == 0 or port in used[key]
    }
    ends = [end for end, lid in lids.items() if not lid]
    said = any(odd.kind == _NO_LID for odd in subnet.oddities)
    if not ends or (not said and 2 * len(ends) > len(lids)):
        return ()
    names = [f"{unique[key]} port {port}" if port else unique[key] for key, port in ends[:1000]]
    plugs = tuple(((unique[key], port or None),) for key, port in ends[:1000])
    text = "ports have no LID: no subnet manager has given them one"
    return (Oddity(_NO_LID, text, len(ends), tuple(names), plugs),)


def _one_sided_cables(subnet: Subnet, unique: dict[str, str]) -> tuple[Oddity, ...]:
    halves = subnet.one_sided
    if not halves:
        return ()
    ends = tuple(((unique[half.node], half.port), (unique[half.peer], half.peer_port)) for half in halves)
    examples = tuple(
        f"line {half.line}: {node} port {port} to {peer} port {peer_port}, which does not list it"
        for half, ((node, port), (peer, peer_port)) in zip(halves, ends, strict=True)
    )
    text = "cables are listed at one of their ends only, and taken as they are there"
    return (Oddity("one-sided cable", text, len(halves), examples, ends),)


def _unnamed(subnet: Subnet, switches: list[str], unique: dict[str, str]) -> tuple[Oddity, ...]:
    """Switches that have no name, or one that others have too, as that of their model."""
    names = {key: clean_name(subnet.nodes[key].name) for key in switches}
    often = Counter(names.values())
    unnamed = [key for key, name in names.items() if not key.startswith("cable ") and (not name or often[name] > 1)]
    if not unnamed:
        return ()
    text = "switches have no name of their own: only their GUIDs tell them apart"
    labels = tuple(unique[key] for key in unnamed[:1000])
    return (Oddity("unnamed switch", text, len(unnamed), labels, tuple(((label, None),) for label in labels)),)


def _guids(node: SubnetNode) -> set[int]:
    return ({node.guid} | set(node.port_guid.values())) - {0}


def _unique_names(subnet: Subnet) -> dict[str, str]:
    """A name for every node: its description, told apart by GUID (or key) where it is missing or not unique."""
    described: dict[str, list[str]] = {}
    for key, node in subnet.nodes.items():
        described.setdefault(clean_name(node.name), []).append(key)
    unique = {}
    for name, keys in described.items():
        for key in keys:
            guid = subnet.nodes[key].guid
            label = f"0x{guid:016x}" if guid else key
            unique[key] = name if name and len(keys) == 1 else f"{name} ({label})" if name else label
    return unique
