"""Switches that carry nothing, whatever the job: those on no shortest path between two switches with endpoints."""

import numpy as np

from collectives.demand import Int32Vector, Int64Vector
from fabric.topology import ENDPOINT, ISL, SWITCH, BoolVector, Topology

_TIERS = {1: "leaves", 2: "spines", 3: "cores"}


def idle_parts(topology: Topology) -> tuple[str, ...]:
    """What is idle, tier by tier: ``64 of 64 cores (c00, ...)``; empty where every switch is used.

    Cores idle where all leaves of a plane are on one set of spines, spines where no two leaves share them.  NVLink is
    left aside: endpoints that it joins count as talking through their NICs.
    """
    idle = idle_switches(topology)
    kind, tier = topology.nodes.kind, topology.nodes.tier
    parts = []
    for level in np.unique(tier[idle]).tolist():
        switches = np.flatnonzero(idle & (tier == level))
        total = np.count_nonzero((kind == SWITCH) & (tier == level))
        more = ", ..." if switches.size > 1 else ""
        name = _TIERS.get(level, f"switches of tier {level}")
        parts.append(f"{switches.size:,} of {total:,} {name} ({topology.nodes.name[switches[0]]}{more})")
    return tuple(parts)


def idle_switches(topology: Topology) -> BoolVector:
    """Which nodes are switches on no shortest path between two with endpoints, (n_nodes,) bool.

    Switches that are cabled to the same others, and have endpoints or not alike, are one class: paths that lead
    through one of them lead through all.  From each class with endpoints a breadth-first search goes over the classes
    until none is left that might be idle: one search where all is well, O(n_links log n_links).
    """
    switch = topology.nodes.kind == SWITCH
    attached = np.zeros(topology.n_nodes, bool)
    nic = topology.nodes.kind[topology.link_tail] == ENDPOINT
    attached[topology.link_head[nic]] = True
    attached &= switch
    isl = (topology.link_kind == ISL) & (topology.link_cable_index == 0)
    tail, head = topology.link_tail[isl], topology.link_head[isl]
    label = _classes(tail, head, attached)
    n = int(label.max(initial=-1)) + 1
    tail, head = np.divmod(np.unique(label[tail].astype(np.int64) * n + label[head]), n)
    ends = np.zeros(n, bool)
    ends[label[attached]] = True
    used = ends.copy()
    members = np.bincount(label[attached], minlength=n)
    used[head[members[tail] > 1]] = True
    cabled = np.bincount(tail, minlength=n) > 0
    for source in np.flatnonzero(ends):
        if used[cabled].all():
            break
        used |= _on_paths(int(source), tail, head, ends)
    return np.asarray(switch & ~used[label])


def _classes(tail: Int32Vector, head: Int32Vector, attached: BoolVector) -> Int32Vector:
    """Class of each node, (n_nodes,): the same sets of neighbours, and both with endpoints or both without.

    A set is told by the sum of random 63-bit numbers of its members: among a million different sets two agree with a
    chance of 5e-8.
    """
    number = np.random.Generator(np.random.PCG64(0)).integers(0, 2**63, attached.size, np.uint64)
    signature = np.zeros(attached.size, np.uint64)
    np.add.at(signature, tail, number[head])
    signature[attached] += np.uint64(2**63)
    return np.unique(signature, return_inverse=True)[1].ravel().astype(np.int32)


def _on_paths(source: int, tail: Int64Vector, head: Int64Vector, ends: BoolVector) -> BoolVector:
    """Classes on the shortest paths from `source` to the classes `ends`."""
    distance = np.full(ends.size, -1)
    distance[source] = depth = 0
    while (distance == depth).any():
        reached = head[distance[tail] == depth]
        depth += 1
        distance[reached[distance[reached] < 0]] = depth
    leads = ends & (distance > 0)
    for level in range(depth, 1, -1):
        onwards = leads[head] & (distance[head] == level) & (distance[tail] == level - 1)
        leads[tail[onwards]] = True
    return np.asarray(leads)
