"""Bytes per link: routes demands over a fabric by the destination sweep."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from collectives.demand import Demand, FloatVector, Flows, Reduction, frozen_array
from collectives.errors import InputError
from collectives.schedule import Overlap, Schedule
from fabric.jobs.placement import Placement
from fabric.routing.layer import layer_of
from fabric.routing.lft_walk import NOTHING, Unrouted, add_all_to_all_by_lft, add_flows_by_lft
from fabric.routing.policies import Adaptive, Lft, Routing
from fabric.routing.sweep import add_all_to_all, add_flows
from fabric.topology import NVSWITCH, SWITCH, Topology

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True, eq=False)
class LinkLoads:
    """Bytes that each link of a fabric carries.

    Attributes
    ----------
    topology : Topology
    bytes : (n_links,) float64
    unrouted : Unrouted
        Pairs that have no way along the switches' tables, and were left out.
    """

    topology: Topology
    bytes: FloatVector
    unrouted: Unrouted = NOTHING

    def __post_init__(self) -> None:
        loads = frozen_array(self.bytes, np.float64, "loads.bytes")
        if loads.shape[0] != self.topology.n_links:
            raise InputError(f"loads.bytes: expected {self.topology.n_links} values, got {loads.shape[0]}")
        object.__setattr__(self, "bytes", loads)

    def __add__(self, other: "LinkLoads") -> "LinkLoads":
        if other.topology is not self.topology:
            raise InputError("loads: expected loads of the same topology to add")
        return LinkLoads(self.topology, self.bytes + other.bytes, self.unrouted + other.unrouted)

    def scaled(self, factor: float) -> "LinkLoads":
        """Every load times `factor`."""
        return LinkLoads(self.topology, self.bytes * factor, self.unrouted.scaled(factor))

    def ratio_to(self, other: "LinkLoads") -> FloatVector:
        """Load of each link over that in `other`, (n_links,) float64; NaN where both are zero."""
        if other.topology is not self.topology:
            raise InputError("loads: expected loads of the same topology to compare")
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.bytes / other.bytes

    @cached_property
    def seconds(self) -> FloatVector:
        """Load over capacity, (n_links,) float64: how long the link is busy."""
        return frozen_array(self.bytes * 8.0 / (self.topology.link_capacity_gbps * 1e9), np.float64, "seconds")

    @property
    def bottleneck_time_s(self) -> float:
        """Largest load over capacity, seconds: no schedule of these bytes can be faster."""
        return float(self.seconds.max(initial=0.0))

    @property
    def bottleneck_link(self) -> int:
        """The first link that sets `bottleneck_time_s`."""
        return int(self.seconds.argmax())

    def to_networkx(self) -> "networkx.MultiDiGraph[Any]":
        """The fabric with `bytes` on every edge."""
        from fabric.formats.node_link import to_networkx

        return to_networkx(self.topology, self.bytes)


@dataclass(frozen=True, eq=False)
class ScheduleLoads:
    """Loads of every phase of a schedule (one of its repeats), and how the phases overlap.

    Attributes
    ----------
    phases : tuple of LinkLoads
    repeats : tuple of int
    labels : tuple of str
    overlap : {"sequential", "pipelined"}
    """

    topology: Topology
    phases: tuple[LinkLoads, ...]
    repeats: tuple[int, ...]
    labels: tuple[str, ...]
    overlap: Overlap

    @cached_property
    def total(self) -> LinkLoads:
        """Bytes per link, all phases and repeats together."""
        total = np.zeros(self.topology.n_links)
        unrouted = NOTHING
        for loads, repeat in zip(self.phases, self.repeats, strict=True):
            total += repeat * loads.bytes
            unrouted += loads.unrouted.scaled(repeat)
        return LinkLoads(self.topology, total, unrouted)

    @cached_property
    def bottleneck_time_s(self) -> float:
        """Sequential: the phases' bottleneck times added up.  Pipelined: the bottleneck of all their loads."""
        if self.overlap == "pipelined":
            return self.total.bottleneck_time_s
        return sum(repeat * loads.bottleneck_time_s for loads, repeat in zip(self.phases, self.repeats, strict=True))


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
        loads = LinkLoads(topology, np.zeros(topology.n_links))
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

    Pairs of endpoints in one scale-up domain go through its NVLink switches, all others through their NICs, always by
    shortest paths and never through a third endpoint.

    Parameters
    ----------
    topology : Topology
    demand : Flows, AllToAll or Reduction
    placement : Placement
        Endpoint of every rank of the demand.
    routing : Adaptive, Ecmp, DModK or Lft, optional
        What switches do with equal-cost next hops; default `Adaptive`.  NVLink switches always split evenly.
    n_threads : int, optional
        Threads over the destinations; default all processors.  The result does not depend on it.

    Returns
    -------
    LinkLoads

    Raises
    ------
    InputError
        A rank without an endpoint, or two endpoints with bytes to exchange and no path between them.
    """
    if demand.max_rank >= placement.n_ranks:
        raise InputError(f"rank {demand.max_rank} out of range: the job has ranks 0 to {placement.n_ranks - 1}")
    placement.check(topology)
    routing = routing or Adaptive()
    if isinstance(demand, Reduction):
        from fabric.routing.in_network import reduction_bytes

        return LinkLoads(topology, reduction_bytes(topology, demand, placement))
    load = np.zeros(topology.n_links)
    unrouted = NOTHING
    for kind, policy in ((SWITCH, routing), (NVSWITCH, Adaptive())):
        layer = layer_of(topology, kind)
        if isinstance(policy, Lft):
            if isinstance(demand, Flows):
                unrouted = add_flows_by_lft(topology, layer, demand, placement, policy, n_threads, load)
            else:
                unrouted = add_all_to_all_by_lft(topology, layer, demand, placement, policy, n_threads, load)
        elif isinstance(demand, Flows):
            add_flows(topology, layer, demand, placement, policy, kind == SWITCH, n_threads, load)
        elif kind == SWITCH or layer.n_switches:
            add_all_to_all(topology, layer, demand, placement, policy, kind == SWITCH, n_threads, load)
    return LinkLoads(topology, load, unrouted)
