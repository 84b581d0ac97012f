"""Flows inside scale-up domains whose endpoints hang on one switch, each by one way: no routing, so no sweep."""

from functools import lru_cache

import numpy as np

from collectives.demand import BoolVector, FloatVector, Flows, Int32Vector, Int64Vector, Reduction
from fabric.jobs.placement import Placement, domain_of_rank
from fabric.routing.layer import Layer, layer_of, sums_of
from fabric.routing.sweep import on_links
from fabric.topology import NVSWITCH, UNKNOWN, Topology


# The few fabrics that one comparison looks at.
@lru_cache(maxsize=8)
def all_stars(topology: Topology) -> bool:
    """Whether there are scale-up domains, and each is one NVLink switch with its endpoints.  O(N)."""
    layer = layer_of(topology, NVSWITCH)
    if layer.n_switches == 0 or layer.n_isls or layer.width > 1 or topology.in_mesh.any():
        return False
    switch = _switch_of_endpoint(layer)
    domain = topology.endpoint_domain
    inside = domain != UNKNOWN
    if np.any(switch[inside] < 0):
        return False
    first = np.full(int(domain.max(initial=0)) + 1, UNKNOWN, np.int64)
    first[domain[inside]] = switch[inside]
    return bool(np.array_equal(first[domain[inside]], switch[inside]))


def _switch_of_endpoint(layer: Layer) -> Int64Vector:
    """The one switch of each endpoint, (N,) int64; -1 where it has none."""
    slot = layer.arrays.slot_start[layer.endpoint_class]
    has = layer.arrays.slot_start[layer.endpoint_class + 1] > slot
    switch = np.full(has.size, UNKNOWN, np.int64)
    switch[has] = layer.arrays.slot_switch[slot[has]]
    return switch


def apart_from_stars(topology: Topology, demand: Flows, placement: Placement) -> tuple[Flows, FloatVector | None]:
    """Flows between domains, and what those inside them put on the links; for a fabric of `all_stars`.  O(F + n_links).

    Returns
    -------
    Flows
        In order, without those that carry nothing.
    (n_links,) float64 or None
        None where all are between domains.
    """
    from fabric._kernels.inside import part_flows

    layer = layer_of(topology, NVSWITCH)
    n = placement.n_ranks
    sent, received = np.zeros(n), np.zeros(n)
    between = np.empty(demand.src.size, np.int32)
    n_between = part_flows(
        demand.src, demand.dst, demand.bytes, domain_of_rank(topology, placement), sent, received, between
    )
    kept = between[:n_between]
    rest = Flows(demand.src[kept], demand.dst[kept], demand.bytes[kept])
    if not sent.any():
        return rest, None
    # Ranks on endpoints without a slot are in no domain, and have sent nothing inside one.
    slot = np.minimum(layer.endpoint_slot[placement.endpoint], max(layer.n_slots - 1, 0))
    up, down = (sums_of(slot, each, layer.n_slots) for each in (sent, received))
    return rest, on_links(topology, layer, np.zeros(0), up, down)


def reductions_in_stars(topology: Topology, demand: Reduction, placement: Placement) -> tuple[BoolVector, FloatVector]:
    """Groups that one NVLink switch of a star reduces, and what each member's links to it carry; for `all_stars`.

    Returns
    -------
    (n_groups,) bool
        Groups of two or more in one domain.
    (n_members,) float64
        Bytes that each member sends up, and receives; 0 of other groups.
    """
    groups = demand.groups
    domain = topology.endpoint_domain[placement.endpoint[groups.rank]].astype(np.int64)
    filled = np.flatnonzero(groups.sizes > 0)
    inside = np.zeros(groups.n_groups, bool)
    if filled.size:
        first = groups.start[:-1][filled]
        least, most = np.minimum.reduceat(domain, first), np.maximum.reduceat(domain, first)
        inside[filled] = (least == most) & (least != UNKNOWN)
    inside &= groups.sizes > 1
    return inside, np.repeat(np.where(inside, demand.bytes, 0.0), groups.sizes)


def on_star_links(topology: Topology, endpoint: Int32Vector, amount: FloatVector) -> FloatVector:
    """What some endpoints' links to their NVLink switch carry, each way, (n_links,) float64; one may be there twice."""
    layer = layer_of(topology, NVSWITCH)
    # Endpoints without a slot have no domain, and nothing to carry.
    slot = np.minimum(layer.endpoint_slot[endpoint], max(layer.n_slots - 1, 0))
    by_slot = sums_of(slot, amount, layer.n_slots)
    return on_links(topology, layer, np.zeros(0), by_slot, by_slot)
