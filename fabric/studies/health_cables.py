"""Health of cables: what no cable joins, what is slower, unlike its tier or on the wrong rail."""

from collections import Counter

import numpy as np

from collectives.demand import Int64Vector
from fabric.routing.layer import layer_of
from fabric.studies.health_findings import ERROR, WARNING, Finding, findings_of
from fabric.studies.hotspots import tier_name
from fabric.topology import DOWN, ENDPOINT, ISL, NIC, NVLINK, PEER, SWITCH, UNKNOWN, UP, Topology, joined_by

# A leaf of which this part of the adapters is on one rail is that rail's leaf, and adapters of other rails are astray.
# Assumed: a leaf shared by two rails has half of each, and swapped cables are few.
_RAIL_LEAF = 0.75
# Cables within a tier are odd up to this part of all between switches; a mesh or a dragonfly has more.  Assumed.
_FEW_WITHIN = 0.1


def cable_findings(topology: Topology) -> list[Finding]:
    """What is wrong with the cables of a fabric."""
    return [
        *_without_cables(topology),
        *_disconnected(topology),
        *_slow(topology),
        *_uneven_wiring(topology),
        *_odd_places(topology),
        *_astray(topology),
    ]


def _without_cables(topology: Topology) -> list[Finding]:
    cables = np.diff(topology.out_start)
    alone = [topology.nodes.name[node] for node in topology.endpoints if cables[node] == 0]
    idle = [topology.nodes.name[node] for node in np.flatnonzero((cables == 0) & (topology.nodes.kind != ENDPOINT))]
    return [
        *findings_of(ERROR, "no cable", "endpoints without a cable", alone),
        *findings_of(WARNING, "no cable", "switches without a cable", idle),
    ]


def _disconnected(topology: Topology) -> list[Finding]:
    """Pairs of endpoints that no chain of switches joins."""
    layer = layer_of(topology, SWITCH)
    head = np.repeat(np.arange(layer.n_switches), np.diff(layer.arrays.in_start))
    part = joined_by(layer.n_switches, layer.arrays.in_tail, head)
    parts: dict[frozenset[int], list[int]] = {}
    of_class = [
        frozenset(part[layer.arrays.slot_switch[first:stop]].tolist())
        for first, stop in zip(layer.arrays.slot_start[:-1], layer.arrays.slot_start[1:], strict=True)
    ]
    for endpoint, number in enumerate(layer.endpoint_class.tolist()):
        parts.setdefault(of_class[number], []).append(endpoint)
    groups = [(key, members) for key, members in parts.items() if key]
    pairs, examples = 0, []
    for index, (key, members) in enumerate(groups):
        for other, others in groups[index + 1 :]:
            if not key & other:
                pairs += 2 * len(members) * len(others)
                names = topology.endpoint_names
                examples.append(f"{names[members[0]]} and {len(members) - 1} more, {names[others[0]]} and "
                                f"{len(others) - 1} more")  # fmt: skip
    return findings_of(ERROR, "disconnected", "ordered pairs of endpoints that no cables join", examples, pairs)


def _cables(topology: Topology) -> Int64Vector:
    """One link of each cable, the one that goes up."""
    number = np.arange(topology.n_links)
    up = (topology.link_direction == UP) | ((topology.link_direction != DOWN) & (number < topology.link_reverse))
    return np.flatnonzero(up)


def _slow(topology: Topology) -> list[Finding]:
    """Cables slower than most of their tier."""
    cables = _cables(topology)
    kind, tier = topology.link_kind[cables], topology.link_tier[cables]
    gbps = np.minimum(topology.link_capacity_gbps[cables], topology.link_capacity_gbps[topology.link_reverse[cables]])
    examples = []
    for key in sorted({(int(k), int(t)) for k, t in zip(kind, tier, strict=True)}):
        chosen = np.flatnonzero((kind == key[0]) & (tier == key[1]))
        speeds, counts = np.unique(gbps[chosen], return_counts=True)
        usual = float(speeds[counts.argmax()])
        examples += [
            f"{topology.link_name(int(cables[n]))}: {gbps[n]:g} Gb/s, most of {tier_name(*key, UP)} have {usual:g}"
            for n in chosen[gbps[chosen] < usual]
        ]
    return findings_of(WARNING, "slow cable", "cables slower than most of their tier", examples)


def _odd_places(topology: Topology) -> list[Finding]:
    """Leaves without endpoints, endpoints above the leaves, and cables within a tier where few are."""
    nodes, name = topology.nodes, topology.nodes.name
    nic = np.flatnonzero(topology.link_kind == NIC)
    nic = nic[(nodes.kind[topology.link_tail[nic]] == ENDPOINT) & (nodes.kind[topology.link_head[nic]] == SWITCH)]
    hosts = np.bincount(topology.link_head[nic], minlength=topology.n_nodes)
    cabled = np.diff(topology.out_start) > 0
    empty = np.flatnonzero((nodes.kind == SWITCH) & (nodes.tier == 1) & (hosts == 0) & cabled)
    high = nic[nodes.tier[topology.link_head[nic]] > 1]
    isl = np.flatnonzero((topology.link_kind == ISL) & (topology.link_tail < topology.link_head))
    within = isl[topology.link_direction[isl] == PEER]
    if within.size > _FEW_WITHIN * isl.size:
        within = within[:0]
    on_spines = [f"{name[topology.link_tail[n]]} is on {name[topology.link_head[n]]}" for n in high]
    return [
        *findings_of(WARNING, "empty leaf", "leaves without endpoints", [name[node] for node in empty]),
        *findings_of(WARNING, "host on a spine", "endpoints on switches above the leaves", on_spines),
        *findings_of(
            WARNING,
            "cable within a tier",
            "cables between switches of one tier",
            [f"{name[topology.link_tail[n]]} - {name[topology.link_head[n]]}" for n in within],
        ),
    ]


def _uneven_wiring(topology: Topology) -> list[Finding]:
    """Switches with other numbers of cables than most of their tier, and pairs with fewer parallel cables."""
    nodes = topology.nodes
    isl = topology.link_kind != NVLINK
    examples: list[str] = []
    for direction, word in ((UP, "up"), (DOWN, "down")):
        # Hosts above the leaves and leaves without hosts are findings of their own.
        service = (topology.link_kind == NIC) & (topology.link_tier > 1)
        links = np.flatnonzero(isl & (topology.link_direction == direction) & ~service)
        n_cables = np.bincount(topology.link_tail[links], minlength=topology.n_nodes)
        for tier in np.unique(nodes.tier[nodes.kind == SWITCH]):
            members = np.flatnonzero((nodes.kind == SWITCH) & (nodes.tier == tier))
            if direction == DOWN and tier == 1:
                members = members[n_cables[members] > 0]
            if not members.size:
                continue
            usual = Counter(n_cables[members].tolist()).most_common(1)[0][0]
            examples += [
                f"{nodes.name[node]}: {n_cables[node]} cables {word}, most of tier {tier} have {usual}"
                for node in members[n_cables[members] != usual]
            ]
    up = np.flatnonzero((topology.link_kind == ISL) & (topology.link_direction == UP))
    pairs, counts = np.unique(np.stack([topology.link_tail[up], topology.link_head[up]]), axis=1, return_counts=True)
    tiers = nodes.tier[pairs[0]]
    for tier in np.unique(tiers):
        chosen = np.flatnonzero(tiers == tier)
        usual = Counter(counts[chosen].tolist()).most_common(1)[0][0]
        examples += [
            f"{nodes.name[pairs[0, n]]} - {nodes.name[pairs[1, n]]}: {counts[n]} parallel cables, most have {usual}"
            for n in chosen[counts[chosen] != usual]
        ]
    return findings_of(WARNING, "uneven wiring", "switches and pairs with other numbers of cables than most", examples)


def _astray(topology: Topology) -> list[Finding]:
    """Adapters on the leaf of another rail than theirs: swapped cables."""
    layer = layer_of(topology, SWITCH)
    endpoint = np.repeat(np.arange(topology.n_endpoints), np.diff(layer.endpoint_slot))
    first_slot = layer.arrays.slot_start[layer.endpoint_class[endpoint]]
    switch = layer.arrays.slot_switch[first_slot + np.arange(endpoint.size) - layer.endpoint_slot[endpoint]]
    rail = topology.endpoint_rail[endpoint]
    examples = []
    for leaf in np.unique(switch):
        here = endpoint[(switch == leaf) & (rail != UNKNOWN)]
        rails, counts = np.unique(topology.endpoint_rail[here], return_counts=True)
        if rails.size > 1 and counts.max() >= _RAIL_LEAF * counts.sum():
            own = int(rails[counts.argmax()])
            name = topology.nodes.name[layer.switch_node[leaf]]
            examples += [
                f"{topology.endpoint_names[number]} (rail {topology.endpoint_rail[number]}) is on {name}, "
                f"where {counts.max()} of {counts.sum()} adapters are on rail {own}"
                for number in here[topology.endpoint_rail[here] != own]
            ]
    return findings_of(WARNING, "wrong rail", "adapters on the leaf of another rail", examples)
