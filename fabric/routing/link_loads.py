"""Routes demands over a fabric: bytes per link."""

from typing import assert_never

import numpy as np

from collectives.demand import AllToAll, Demand, Flows, Reduction
from collectives.errors import InputError
from collectives.schedule import Schedule
from fabric.jobs.placement import Placement
from fabric.routing.adaptive import nvlink_bytes
from fabric.routing.in_network import reduction_bytes
from fabric.routing.loads import LinkLoads as LinkLoads, ScheduleLoads as ScheduleLoads
from fabric.routing.pairs import BLOCK_PAIRS, pairs_in_blocks
from fabric.routing.policies import Adaptive, Routing
from fabric.routing.registry import Handlers, handlers_of
from fabric.topology import UNKNOWN, Topology


def schedule_loads(
    topology: Topology,
    schedule: Schedule,
    placement: Placement,
    routing: Routing | None = None,
    n_threads: int | None = None,
) -> ScheduleLoads:
    """Route every phase of a schedule.  Arguments and errors as for `link_loads`."""
    phases = []
    for phase in schedule.phases:
        loads = LinkLoads.none(topology)
        for demand in phase.demands:
            loads = loads + link_loads(topology, demand, placement, routing, n_threads)
        phases.append(loads)
    return ScheduleLoads(
        topology,
        tuple(phases),
        tuple(phase.repeat for phase in schedule.phases),
        tuple(phase.label for phase in schedule.phases),
        schedule.overlap,
    )


def link_loads(
    topology: Topology,
    demand: Demand,
    placement: Placement,
    routing: Routing | None = None,
    n_threads: int | None = None,
) -> LinkLoads:
    """Route a demand: bytes on every link.

    Pairs of endpoints in one scale-up domain go through its NVLink switches, all others through their NICs, by the
    paths of the policy and never through a third endpoint.

    Parameters
    ----------
    topology : Topology
    demand : Flows, AllToAll or Reduction
    placement : Placement
        Endpoint of every rank of the demand.
    routing : Routing, optional
        What switches do with several ways to a destination: `Adaptive` (the default), `Ecmp`, `DModK`, `Lft`,
        `LinkWeights`, `GivenPaths`, or a policy of one's own (`register_policy`).  NVLink switches split evenly under
        each, unless given paths say otherwise.  A `Reduction` goes along trees whatever the policy.
    n_threads : int, optional
        Threads over the destinations; default all processors.  The result does not depend on it.

    Returns
    -------
    LinkLoads

    Raises
    ------
    InputError
        A rank without an endpoint, or a policy that is not registered.
    Unroutable
        Two endpoints with bytes to exchange and no path between them.
    """
    if demand.max_rank >= placement.n_ranks:
        raise InputError(f"rank {demand.max_rank} out of range: the job has ranks 0 to {placement.n_ranks - 1}")
    placement.check(topology)
    routing = Adaptive() if routing is None else routing
    handlers = handlers_of(routing)
    match demand:
        case Reduction():
            return LinkLoads(topology, reduction_bytes(topology, demand, placement))
        case Flows():
            loads = _flow_loads(topology, demand, placement, routing, handlers, n_threads)
        case AllToAll():
            if handlers.all_to_all is None:
                loads = LinkLoads.none(topology)
                for flows in pairs_in_blocks(demand):
                    loads = loads + _flow_loads(topology, flows, placement, routing, handlers, n_threads)
            else:
                loads = handlers.all_to_all(topology, demand, placement, routing, n_threads)
        case _:
            assert_never(demand)
    if routing.routes_domains:
        return loads
    return loads + LinkLoads(topology, nvlink_bytes(topology, demand, placement, n_threads))


def _flow_loads(
    topology: Topology,
    demand: Flows,
    placement: Placement,
    routing: Routing,
    handlers: Handlers,
    n_threads: int | None,
) -> LinkLoads:
    """What the policy itself routes of explicit flows: by its handler, or along its paths."""
    if handlers.flows is not None:
        return handlers.flows(topology, demand, placement, routing, n_threads)
    assert handlers.paths is not None
    src, dst = placement.endpoint[demand.src], placement.endpoint[demand.dst]
    domain = topology.endpoint_domain
    inside = (domain[src] != UNKNOWN) & (domain[src] == domain[dst]) & (not routing.routes_domains)
    chosen = np.flatnonzero(~inside & (src != dst) & (demand.bytes > 0))
    load = np.zeros(topology.n_links)
    for first in range(0, chosen.size, BLOCK_PAIRS):
        some = chosen[first : first + BLOCK_PAIRS]
        routed = handlers.paths(topology, src[some], dst[some], routing)
        routed.check(some.size, topology.n_links)
        load += routed.link_bytes(demand.bytes[some], topology.n_links)
    return LinkLoads(topology, load)
