"""Routes demands over a fabric: bytes per link."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, assert_never

import numpy as np

from collectives.demand import AllToAll, Demand, FloatVector, Flows, Reduction
from collectives.errors import InputError
from collectives.schedule import Schedule
from collectives.sizes import counted
from fabric import memory
from fabric.jobs.placement import Placement
from fabric.routing.adaptive import nvlink_bytes
from fabric.routing.device import on_device
from fabric.routing.in_network import reduction_bytes
from fabric.routing.loads import LinkLoads as LinkLoads, ScheduleLoads as ScheduleLoads
from fabric.routing.pairs import BLOCK_PAIRS, pairs_in_blocks
from fabric.routing.pairs_apart import has_pairs
from fabric.routing.policies import Adaptive, Routing
from fabric.routing.registry import Handlers, handlers_of
from fabric.routing.stars import all_stars, apart_from_stars
from fabric.topology import UNKNOWN, Topology

_NOTHING = Flows([], [], [])

# Loads of the seeds that are routed together, all phases: assumed to fit any machine.
_TOGETHER_BYTES = 32e6


def schedule_loads(
    topology: Topology,
    schedule: Schedule,
    placement: Placement,
    routing: Routing | None = None,
    n_threads: int | None = None,
    device: str | None = None,
) -> ScheduleLoads:
    """Route every phase of a schedule.  Arguments and errors as for `link_loads`."""
    routing = Adaptive() if routing is None else routing
    with on_device(device):
        return _schedule_loads(topology, schedule, placement, [routing], n_threads)[0]


def loads_over_seeds(
    topology: Topology,
    schedule: Schedule,
    placement: Placement,
    routing: Routing,
    n_seeds: int,
    n_threads: int | None = None,
) -> Iterator[ScheduleLoads]:
    """Route every phase of a schedule with one seed after the other, and do what they have in common once.

    Each gives what `schedule_loads` gives for it alone, to the last bit; many together take less time.

    Parameters
    ----------
    topology, schedule, placement, n_threads
        As for `schedule_loads`.
    routing : Routing
        A dataclass with a field `seed`, such as `Ecmp`: the first seed.
    n_seeds : int

    Yields
    ------
    ScheduleLoads
        Of each seed in turn.

    Raises
    ------
    InputError
        A policy without seeds; as for `link_loads`.
    """
    if not hasattr(routing, "seed"):
        raise InputError(f"seeds: {routing.name} has none; expected a policy with a seed, such as ecmp")
    together = max(1, int(_TOGETHER_BYTES / (8 * max(topology.n_links * len(schedule.phases), 1))))
    seeds = range(routing.seed, routing.seed + n_seeds)
    for first in range(0, n_seeds, together):
        seeded: list[Any] = [replace(routing, seed=seed) for seed in seeds[first : first + together]]  # type: ignore[type-var]
        yield from _schedule_loads(topology, schedule, placement, seeded, n_threads)


def _schedule_loads(
    topology: Topology,
    schedule: Schedule,
    placement: Placement,
    routings: Sequence[Routing],
    n_threads: int | None,
) -> list[ScheduleLoads]:
    """Loads of every phase under each of some policies that differ by their seeds only."""
    n_loads = len(schedule.phases) * len(routings)
    what = f"loads of {counted(n_loads, 'phase')} on {topology.n_links:,} links"
    # Each is kept; two more are being made and added.
    memory.require(what, 8.0 * topology.n_links * (n_loads + 2), "an algorithm with fewer phases needs less")
    phases: list[list[LinkLoads]] = [[] for _ in routings]
    for phase in schedule.phases:
        first, *others = phase.demands or (_NOTHING,)
        loads = _loads_of_each(topology, first, placement, routings, n_threads)
        for demand in others:
            each = _loads_of_each(topology, demand, placement, routings, n_threads)
            loads = [total + one for total, one in zip(loads, each, strict=True)]
        for total, own in zip(loads, phases, strict=True):
            own.append(total)
    repeats, labels = (tuple(getattr(phase, name) for phase in schedule.phases) for name in ("repeat", "label"))
    return [ScheduleLoads(topology, tuple(own), repeats, labels, schedule.overlap) for own in phases]


def link_loads(
    topology: Topology,
    demand: Demand,
    placement: Placement,
    routing: Routing | None = None,
    n_threads: int | None = None,
    device: str | None = None,
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
    device : {"cpu", "cuda"}, optional
        What routes all-to-alls: see `on_device`.  Default what is chosen there, the processor if nothing is.

    Returns
    -------
    LinkLoads

    Raises
    ------
    InputError
        A rank without an endpoint, a policy that is not registered, or a device that is not there.
    Unroutable
        Two endpoints with bytes to exchange and no path between them.
    """
    routing = Adaptive() if routing is None else routing
    with on_device(device):
        return _loads_of_each(topology, demand, placement, [routing], n_threads)[0]


def _loads_of_each(
    topology: Topology, demand: Demand, placement: Placement, routings: Sequence[Routing], n_threads: int | None
) -> list[LinkLoads]:
    """Loads of a demand under each of some policies that differ by their seeds only."""
    if demand.max_rank >= placement.n_ranks:
        raise InputError(f"rank {demand.max_rank} out of range: the job has ranks 0 to {placement.n_ranks - 1}")
    placement.check(topology)
    handlers = handlers_of(routings[0])
    # Loads inside domains where they are known already; whether any go between domains, and inside.
    inside: FloatVector | None = None
    between = within = True
    match demand:
        case Reduction():
            return [LinkLoads(topology, reduction_bytes(topology, demand, placement))] * len(routings)
        case Flows() | AllToAll() if routings[0].routes_domains:
            within = False
        case Flows():
            if all_stars(topology):
                demand, inside = apart_from_stars(topology, demand, placement)
                between, within = demand.src.size > 0, inside is not None
        case AllToAll():
            between, within = has_pairs(topology, demand, placement)
        case _:
            assert_never(demand)
    loads = [LinkLoads.none(topology)] * len(routings)
    if between and handlers.seeds is not None:
        loads = handlers.seeds(topology, demand, placement, routings, n_threads)
    elif between:
        loads = [_own_loads(topology, demand, placement, one, handlers, n_threads) for one in routings]
    if not within:
        return loads
    if inside is None:
        inside = nvlink_bytes(topology, demand, placement, n_threads)
    on_nvlink = LinkLoads(topology, inside)
    return [one + on_nvlink for one in loads] if between else [on_nvlink] * len(routings)


def _own_loads(
    topology: Topology,
    demand: Flows | AllToAll,
    placement: Placement,
    routing: Routing,
    handlers: Handlers,
    n_threads: int | None,
) -> LinkLoads:
    """What the policy itself routes of a demand."""
    if isinstance(demand, Flows):
        return _flow_loads(topology, demand, placement, routing, handlers, n_threads)
    if handlers.all_to_all is not None:
        return handlers.all_to_all(topology, demand, placement, routing, n_threads)
    loads = LinkLoads.none(topology)
    for flows in pairs_in_blocks(demand):
        loads = loads + _flow_loads(topology, flows, placement, routing, handlers, n_threads)
    return loads


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
