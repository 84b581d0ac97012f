"""Reductions made inside the network: NVLS in the NVLink switches, SHARP along a tree of switches.

Every member sends its buffer up once; a switch adds what comes in and sends one buffer on; the result comes back the
same way.  So a tree link carries the buffer once in each direction, however many members are below it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np

from collectives.demand import FloatVector, Int32Vector, Int64Vector, Reduction
from collectives.errors import InputError
from fabric.jobs.placement import Placement
from fabric.routing.layer import Layer, layer_of
from fabric.routing.stars import all_stars, on_star_links, reductions_in_stars
from fabric.topology import NVLINK, NVSWITCH, SWITCH, Topology

Distances = Callable[[int], Int64Vector]


def reduction_bytes(topology: Topology, demand: Reduction, placement: Placement) -> FloatVector:
    """Bytes per link, (n_links,) float64.

    A group inside one scale-up domain reduces there.  Another group has a tree in each plane where all its members
    have a port, with bytes in proportion to the narrowest of these ports.  The tree's root is one of the switches that
    are nearest to the farthest member; among equals the group's number picks, here and at each step towards the root.

    Raises
    ------
    InputError
        If no plane joins all members of a group, or they are in one mesh, without a switch.
    """
    rest, load = demand, np.zeros(topology.n_links)
    if all_stars(topology):
        inside, amount = reductions_in_stars(topology, demand, placement)
        rest = replace(demand, bytes=np.where(inside, 0.0, demand.bytes))
        if amount.any():
            load = on_star_links(topology, placement.endpoint[demand.groups.rank], amount).copy()
    for _ in _group_by_group(topology, rest, placement, load):
        pass
    return load


def reduction_shares(topology: Topology, demand: Reduction, placement: Placement, link: int) -> FloatVector:
    """Bytes that each group puts on a link, (n_groups,) float64; errors as of `reduction_bytes`."""
    load, shares, before = np.zeros(topology.n_links), np.zeros(demand.groups.n_groups), 0.0
    rest = demand
    if all_stars(topology):
        inside, amount = reductions_in_stars(topology, demand, placement)
        rest = replace(demand, bytes=np.where(inside, 0.0, demand.bytes))
        # Which end of the link is an endpoint, if any is: a member of a group once.
        ends = topology.endpoints[placement.endpoint[demand.groups.rank]]
        at_link = (ends == topology.link_tail[link]) | (ends == topology.link_head[link])
        if at_link.any() and topology.link_kind[link] == NVLINK:
            endpoint = placement.endpoint[demand.groups.rank[at_link]]
            part = float(on_star_links(topology, endpoint[:1], np.ones(1))[link])
            np.add.at(shares, demand.groups.member_group()[at_link], amount[at_link] * part)
    for group in _group_by_group(topology, rest, placement, load):
        shares[group] = load[link] - before
        before = float(load[link])
    return shares


def _group_by_group(topology: Topology, demand: Reduction, placement: Placement, load: FloatVector) -> Iterator[int]:
    """Add each group's bytes to the links; yields the group after that."""
    domain = topology.endpoint_domain
    distances: dict[int, Distances] = {}
    for group, ranks in enumerate(demand.groups):
        if ranks.size < 2 or demand.bytes[group] == 0:
            continue
        endpoints = placement.endpoint[ranks]
        inside = domain[endpoints[0]] >= 0 and bool(np.all(domain[endpoints] == domain[endpoints[0]]))
        if inside and topology.in_mesh[endpoints[0]]:
            raise InputError(
                f"reduction group {group}: direct links join its members; expected NVLink switches, which can add"
            )
        kind = NVSWITCH if inside else SWITCH
        layer = layer_of(topology, kind)
        distance = distances.setdefault(kind, cache(_distances_in(layer)))
        _add_trees(topology, layer, distance, group, endpoints, float(demand.bytes[group]), load)
        yield group


def _distances_in(layer: Layer) -> Distances:
    """A function that gives the hops from all switches to one, (S,) int64, -1 where there is no way."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    arrays = layer.arrays
    # A row holds the switches with a link into its own: searched from one switch, it gives the ways to it.
    ones = np.ones(layer.n_isls)
    graph = csr_array((ones, arrays.in_tail, arrays.in_start), (layer.n_switches, layer.n_switches))

    def distances(switch: int) -> Int64Vector:
        hops = dijkstra(graph, indices=switch, unweighted=True)
        return np.where(np.isfinite(hops), hops, -1).astype(np.int64)

    return distances


def _add_trees(
    topology: Topology,
    layer: Layer,
    distance: Distances,
    group: int,
    endpoints: Int32Vector,
    buffer_bytes: float,
    load: FloatVector,
) -> None:
    arrays = layer.arrays
    slots = [_slots(layer, int(endpoint)) for endpoint in endpoints]
    planes: list[tuple[Int64Vector, float]] = []
    for first in slots[0]:
        reach = distance(int(arrays.slot_switch[first]))
        if any(np.isin(first, chosen) for chosen, _ in planes):
            continue
        joined = [[slot for slot in mine if reach[arrays.slot_switch[slot]] >= 0] for mine in slots]
        if all(joined):
            chosen = np.array([mine[0] for mine in joined], np.int64)
            planes.append((chosen, float(arrays.slot_up_gbps[chosen].min())))
    if not planes:
        raise InputError(f"reduction group {group}: no plane of fabric {topology.name} joins all its members")
    whole = sum(gbps for _, gbps in planes)
    for chosen, gbps in planes:
        part = buffer_bytes * gbps / whole
        _add_host_links(layer, endpoints, chosen, part, load)
        _add_tree(topology, layer, distance, group, np.unique(arrays.slot_switch[chosen]), part, load)


def _slots(layer: Layer, endpoint: int) -> list[int]:
    start = layer.arrays.slot_start
    own = layer.endpoint_class[endpoint]
    return list(range(int(start[own]), int(start[own + 1])))


def _add_host_links(layer: Layer, endpoints: Int32Vector, chosen: Int64Vector, part: float, load: FloatVector) -> None:
    start = layer.arrays.slot_start[layer.endpoint_class[endpoints]]
    mine = np.isin(layer.attachment_slot, layer.endpoint_slot[endpoints] + chosen - start)
    load[layer.up_link[mine]] += part * layer.up_part[mine]
    load[layer.down_link[mine]] += part * layer.down_part[mine]


def _add_tree(
    topology: Topology,
    layer: Layer,
    distance: Distances,
    group: int,
    leaves: Int32Vector,
    part: float,
    load: FloatVector,
) -> None:
    far = np.stack([distance(int(leaf)) for leaf in leaves])
    farthest = np.where(np.any(far < 0, axis=0), np.iinfo(np.int64).max, far.max(axis=0))
    roots = np.flatnonzero(farthest == farthest.min())
    to_root = distance(int(roots[group % roots.size]))
    arrays = layer.arrays
    seen = set()
    for leaf in leaves:
        switch = int(leaf)
        while to_root[switch] > 0 and switch not in seen:
            seen.add(switch)
            out = np.arange(arrays.out_start[switch], arrays.out_start[switch + 1])
            out = out[to_root[arrays.out_head[out]] == to_root[switch] - 1]
            hop = out[group % out.size]
            link = layer.isl_link[arrays.out_link[hop]]
            load[link] += part
            load[topology.link_reverse[link]] += part
            switch = int(arrays.out_head[hop])
