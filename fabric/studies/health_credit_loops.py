"""Credit loops: routes whose links wait for one another in a circle, so that they can deadlock."""

import numpy as np

from fabric._kernels.arrays import Int64Matrix, LftArrays
from fabric.studies.health_findings import ERROR, Finding, findings_of
from fabric.topology import ENDPOINT, ISL, SWITCH, BoolVector, Topology


def credit_loops(topology: Topology, arrays: LftArrays) -> list[Finding]:
    """A cycle of links each of which must wait for the next: the routes can deadlock (Dally and Seitz, 1987)."""
    from fabric._kernels.lft_walk import peel_turns

    turns = turns_of(topology, arrays)
    left: BoolVector = np.zeros(topology.n_links, bool)
    n_left = peel_turns(turns, topology.n_links, left)
    if n_left == 0:
        return []
    chosen = turns[left[turns[:, 0]] & left[turns[:, 1]]]
    before = dict(zip(chosen[:, 1].tolist(), chosen[:, 0].tolist(), strict=True))
    link, seen = int(np.flatnonzero(left)[0]), []
    while link not in seen:
        seen.append(link)
        link = before[link]
    cycle = [*seen[seen.index(link) :]][::-1]
    names = [topology.nodes.name[topology.link_tail[number]] for number in cycle]
    text = (
        "cycles in the order in which links wait for one another (deadlock, unless virtual lanes keep them apart); "
        "one is shown"
    )
    return findings_of(ERROR, "credit loop", text, [" -> ".join([*names, names[0]])])


def turns_of(topology: Topology, arrays: LftArrays) -> Int64Matrix:
    """Pairs of links (a, b), b right after a on some route between endpoints, sorted by a; (n, 2) int64."""
    from fabric._kernels.lft_walk import mark_turns

    switch_node = np.flatnonzero(topology.nodes.kind == SWITCH)
    switch_of_node = np.full(topology.n_nodes, -1, np.int64)
    switch_of_node[switch_node] = np.arange(switch_node.size)
    isl = np.flatnonzero(topology.link_kind == ISL)
    tail, head = switch_of_node[topology.link_tail[isl]], switch_of_node[topology.link_head[isl]]
    in_place, out_place = (np.full(topology.n_links, -1, np.int32) for _ in range(2))
    n_in, n_out = (np.bincount(ends, minlength=switch_node.size) for ends in (head, tail))
    for ends, place, counts in ((head, in_place, n_in), (tail, out_place, n_out)):
        order = np.argsort(ends, kind="stable")
        first = np.concatenate([[0], np.cumsum(counts)])[:-1]
        place[isl[order]] = np.arange(isl.size) - first[ends[order]]
    turn_start = np.concatenate([[0], np.cumsum(n_in * n_out)]).astype(np.int64)
    used = np.zeros(int(turn_start[-1]), np.bool_)
    is_source = np.zeros(switch_node.size, np.bool_)
    into = switch_of_node[topology.link_head[topology.nodes.kind[topology.link_tail] == ENDPOINT]]
    is_source[into[into >= 0]] = True
    mark_turns(arrays, is_source, in_place, out_place, turn_start, n_out.astype(np.int64), used)
    number = np.flatnonzero(used)
    switch = np.searchsorted(turn_start, number, side="right") - 1
    within = number - turn_start[switch]
    into_order, out_order = np.argsort(head, kind="stable"), np.argsort(tail, kind="stable")
    in_first = np.concatenate([[0], np.cumsum(n_in)])
    out_first = np.concatenate([[0], np.cumsum(n_out)])
    a = isl[into_order[in_first[switch] + within // n_out[switch]]]
    b = isl[out_order[out_first[switch] + within % n_out[switch]]]
    turns = np.stack([a, b], axis=1).astype(np.int64)
    return np.ascontiguousarray(turns[np.lexsort((b, a))])
