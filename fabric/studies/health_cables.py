"""Health of cables: what no cable joins, what is where no others of its kind are."""

from typing import Any

import numpy as np

from fabric.routing.layer import layer_of
from fabric.studies.health_findings import ERROR, WARNING, Example, Finding, findings_of, link_ends, port_end
from fabric.topology import ENDPOINT, ISL, NIC, PEER, SWITCH, Topology, joined_by

# Cables within a tier are odd up to this part of all between switches; a mesh or a dragonfly has more.  Assumed.
_FEW_WITHIN = 0.1


def cable_findings(topology: Topology) -> list[Finding]:
    """What is wrong with the cables of a fabric."""
    return [
        *_without_cables(topology),
        *_disconnected(topology),
        *_odd_places(topology),
    ]


def _without_cables(topology: Topology) -> list[Finding]:
    cables = np.diff(topology.out_start)
    alone = [_named(topology, node) for node in topology.endpoints if cables[node] == 0]
    idle = [_named(topology, node) for node in np.flatnonzero((cables == 0) & (topology.nodes.kind != ENDPOINT))]
    return [
        *findings_of(ERROR, "no cable", "endpoints without a cable", alone),
        *findings_of(WARNING, "no cable", "switches without a cable", idle),
    ]


def _named(topology: Topology, node: "int | np.integer[Any]") -> Example:
    return Example(topology.nodes.name[node], (port_end(topology, int(node)),))


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
    on_spines = [
        Example(f"{name[topology.link_tail[n]]} is on {name[topology.link_head[n]]}", link_ends(topology, int(n)))
        for n in high
    ]
    return [
        *findings_of(WARNING, "empty leaf", "leaves without endpoints", [_named(topology, node) for node in empty]),
        *findings_of(WARNING, "host on a spine", "endpoints on switches above the leaves", on_spines),
        *findings_of(
            WARNING,
            "cable within a tier",
            "cables between switches of one tier",
            [
                Example(f"{name[topology.link_tail[n]]} - {name[topology.link_head[n]]}", link_ends(topology, int(n)))
                for n in within
            ],
        ),
    ]
