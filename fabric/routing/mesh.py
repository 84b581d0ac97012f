"""Pairs in a scale-up domain without switches: each talks over its own direct link, no third GPU forwards."""

import numpy as np

from collectives.demand import AllToAll, BoolVector, FloatVector, Flows, Groups, Int32Vector
from fabric.jobs.placement import Placement
from fabric.routing.flow_paths import FlowPaths, RoutedFlows
from fabric.routing.layer import sums_of
from fabric.routing.unroutable import not_joined
from fabric.topology import Topology


def mesh_bytes(topology: Topology, demand: Flows | AllToAll, placement: Placement) -> FloatVector:
    """What pairs of endpoints in one mesh put on their links, (n_links,) float64.  O(members x size of a domain).

    Raises
    ------
    Unroutable
        If two of them with bytes to exchange have no link.
    """
    src, dst, amount = _pairs(topology, demand, placement)
    moving = (src != dst) & (amount > 0)
    src, dst, amount = src[moving], dst[moving], amount[moving]
    paths = _direct_links(topology, src, dst)
    assert paths.fraction is not None
    carried = np.repeat(amount, np.diff(paths.start)) * paths.fraction
    return sums_of(paths.link, carried, topology.n_links)


def mesh_paths(topology: Topology, src: Int32Vector, dst: Int32Vector) -> RoutedFlows:
    """Paths of flows between two endpoints of one mesh: one hop, split over parallel links by their capacity.

    Raises
    ------
    Unroutable
        As for `mesh_bytes`.
    """
    return RoutedFlows.whole(_direct_links(topology, src, dst))


def outside_meshes(topology: Topology, demand: Flows | AllToAll, placement: Placement) -> Flows | AllToAll:
    """A demand without the endpoints that are in a mesh: what NVLink switches have to carry is all there."""
    inside = topology.in_mesh
    if not inside.any():
        return demand
    if isinstance(demand, Flows):
        kept = ~inside[placement.endpoint[demand.src]]
        return Flows(demand.src[kept], demand.dst[kept], demand.bytes[kept])
    kept = ~inside[placement.endpoint[demand.groups.rank]]
    start = np.concatenate([[0], np.cumsum(kept)])[demand.groups.start].astype(np.int64)
    block = None if demand.block is None else demand.block[kept]
    return AllToAll(Groups(start, demand.groups.rank[kept]), demand.send[kept], demand.receive[kept], block)


def _pairs(
    topology: Topology, demand: Flows | AllToAll, placement: Placement
) -> tuple[Int32Vector, Int32Vector, FloatVector]:
    """Endpoints and bytes of the pairs in one mesh."""
    inside, domain = topology.in_mesh, topology.endpoint_domain
    if isinstance(demand, Flows):
        src, dst = placement.endpoint[demand.src], placement.endpoint[demand.dst]
        chosen = inside[src] & (domain[src] == domain[dst])
        return src[chosen], dst[chosen], demand.bytes[chosen]
    endpoint, group = placement.endpoint[demand.groups.rank], demand.groups.member_group()
    members = np.flatnonzero(inside[endpoint])
    members = members[np.lexsort((domain[endpoint[members]], group[members]))]
    # Members of one group in one domain are a run; each is paired with all of its run.
    key = np.stack([group[members], domain[endpoint[members]]])
    fresh = np.ones(members.size, bool)
    fresh[1:] = np.any(key[:, 1:] != key[:, :-1], axis=0)
    run = np.cumsum(fresh) - 1
    begins = np.append(np.flatnonzero(fresh), members.size)
    sizes = np.diff(begins)[run]
    one = np.repeat(np.arange(members.size), sizes)
    other = begins[run[one]] + np.arange(one.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    sender, receiver = members[one], members[other]
    if demand.block is not None:
        apart: BoolVector = demand.block[sender] != demand.block[receiver]
        sender, receiver = sender[apart], receiver[apart]
    return endpoint[sender], endpoint[receiver], demand.send[sender] * demand.receive[receiver]


def _direct_links(topology: Topology, src: Int32Vector, dst: Int32Vector) -> FlowPaths:
    # Links stand in the order of tail and head.
    key = topology.link_tail.astype(np.int64) * topology.n_nodes + topology.link_head
    wanted = topology.endpoints[src].astype(np.int64) * topology.n_nodes + topology.endpoints[dst]
    first, count = np.searchsorted(key, wanted), np.searchsorted(key, wanted, side="right")
    count -= first
    if not count.all():
        lost = int(np.flatnonzero(count == 0)[0])
        raise not_joined(topology, int(src[lost]), int(dst[lost]))
    start = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    pair = np.repeat(np.arange(src.size), count)
    link = (first[pair] + np.arange(pair.size) - start[pair]).astype(np.int32)
    gbps = topology.link_capacity_gbps[link]
    return FlowPaths(start, link, gbps / sums_of(pair, gbps, src.size)[pair])
