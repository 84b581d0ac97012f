"""How far from the best possible: times that nothing can beat.

**Cuts.**  Bytes that must come out of (or into) a set of endpoints, over the capacity of the links that leave it.  The
sets are each endpoint, each scale-up domain, the endpoints of each leaf (with the leaf; where NVLink joins several
leaves, of all of them), of each pod, of each rail's leaf and of each plane that the network alone joins (NVLink leads
out of these), and each half of the job.  `fabric.bounds.cut_demand` says what must cross: of a
collective, whatever the algorithm; of given traffic, whatever the routing, in each of its two layers.  What two GPUs of
one mesh send each other, their direct link must carry, whatever the routing.

`fabric.bounds.linear_program` has the best that any routing of given traffic can reach, for small fabrics.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from collectives.demand import AllToAll, FloatVector, Groups, Int64Vector, Reduction
from collectives.domains import lone_apart
from collectives.schedule import Schedule
from fabric.bounds.cut_demand import (
    ROUNDING,
    CutDemand,
    Together,
    cut_demand,
    leaving_bytes,
    numbered,
    reversed_demand,
    steps_of,
)
from fabric.jobs.placement import Placement
from fabric.routing.mesh import mesh_bytes
from fabric.routing.pairs_apart import has_pairs
from fabric.topology import ENDPOINT, NVLINK, NVSWITCH, SWITCH, BoolVector, Topology

ANY_ALGORITHM = "any algorithm and routing"
NO_REDUCING_SWITCHES = "any algorithm and routing, unless switches reduce"
ANY_ROUTING = "any routing of this traffic"

_NOBODY, _SEVERAL = -1, -2


@dataclass(frozen=True)
class Bound:
    """A time that cannot be beaten.

    Attributes
    ----------
    time_s : float
    cut : str
        Where it comes from: endpoint, domain, leaf, pod, rail, plane, half, pair (of GPUs with a direct link),
        bottleneck (the worst of all cuts), or linear program.
        Of phases that follow one another, that of the longest.
    holds_for : str
        What cannot beat it: `ANY_ALGORITHM`, `NO_REDUCING_SWITCHES` or `ANY_ROUTING`.
    sides : str
        What the cut parts, where no name says it: ``of 2 GPUs from 30 GPUs and 1 switch``.
    """

    time_s: float
    cut: str
    holds_for: str = ANY_ALGORITHM
    sides: str = ""


def cut_bound(
    topology: Topology, placement: Placement, collective: str, groups: Groups, size: float, in_network: bool = False
) -> Bound:
    """The largest of the cut bounds of a collective in all groups at once: no algorithm and no routing beats it.

    Parameters
    ----------
    topology : Topology
    placement : Placement
    collective : str
        One of `collectives.COLLECTIVES`.
    groups : Groups
    size : float
        Bytes as nccl-tests counts them.
    in_network : bool
        Switches may reduce and multicast.
    """
    endpoint = placement.endpoint[groups.rank].astype(np.int64)
    best, name = 0.0, "endpoint"
    for cut in cuts_of(topology, placement, np.ones(topology.n_links, bool)):
        crossing = cut_demand(collective, groups, cut.part[endpoint], cut.n_parts, size, in_network)
        time_s = max(cut.seconds(crossing.out, crossing.into), cut.seconds_in_all(crossing))
        if time_s > best * (1 + ROUNDING):
            best, name = time_s, cut.name
    reducing = collective != "all-reduce" or in_network
    return Bound(best, name, ANY_ALGORITHM if reducing else NO_REDUCING_SWITCHES)


def traffic_bound(topology: Topology, schedule: Schedule, placement: Placement) -> Bound:
    """The cut bound of given traffic: no routing beats it.  O(members log members) for each phase and partition.

    Phases that follow one another have a bound each, and these add up; phases in a pipeline have one together.
    """
    domain = lone_apart(topology.endpoint_domain)
    is_nvlink = topology.link_kind == NVLINK
    layers = [(inside, cut) for inside in (False, True) for cut in cuts_of(topology, placement, is_nvlink == inside)]
    # Of each demand: whether any of it goes between domains, and inside them.
    pairs_of = {
        id(demand): has_pairs(topology, demand, placement) if isinstance(demand, AllToAll) else (True, True)
        for phase in schedule.phases
        for demand in phase.demands
    }
    longest, total, name = 0.0, 0.0, "endpoint"
    for step in steps_of(schedule):
        time_s, where = 0.0, name
        for inside, cut in layers:
            out, into = np.zeros(cut.n_parts), np.zeros(cut.n_parts)
            for times, demand in step:
                if not pairs_of[id(demand)][inside]:
                    continue
                separated = (placement.endpoint, domain, cut.part, cut.n_parts, inside)
                out += times * leaving_bytes(demand, *separated)
                into += times * leaving_bytes(reversed_demand(demand), *separated)
            seconds = cut.seconds(out, into)
            if seconds > time_s * (1 + ROUNDING):
                time_s, where = seconds, cut.name
        seconds = _direct_s(topology, step, placement)
        if seconds > time_s * (1 + ROUNDING):
            time_s, where = seconds, "pair"
        total += time_s
        if time_s > longest:
            longest, name = time_s, where
    return Bound(total, name, ANY_ROUTING)


def _direct_s(topology: Topology, step: Together, placement: Placement) -> float:
    """The longest time that a direct link of a mesh needs for what its two ends send each other."""
    if not topology.in_mesh.any():
        return 0.0
    load = np.zeros(topology.n_links)
    for times, demand in step:
        if not isinstance(demand, Reduction):
            load += times * mesh_bytes(topology, demand, placement)
    return float((load / topology.link_capacity_gbps).max(initial=0.0)) * 8e-9


def job_bound(
    topology: Topology,
    schedule: Schedule,
    placement: Placement,
    collective: str | None,
    groups: Groups | None,
    size: float,
    in_network: bool = False,
) -> Bound | None:
    """`cut_bound` where the job is a collective of known groups, else `traffic_bound`; None if nothing has to move."""
    if collective is None or groups is None:
        bound = traffic_bound(topology, schedule, placement)
    else:
        bound = cut_bound(topology, placement, collective, groups, size, in_network)
    return bound if bound.time_s > 0 else None


@dataclass(frozen=True, eq=False)
class Cut:
    """A partition of the job's endpoints, and what joins each part to the rest.

    Attributes
    ----------
    name : str
    part : (n_endpoints,) int64
        Part of each endpoint; -1 for those that the job does not use.
    out_gbps, in_gbps : (n_parts,) float64
        Capacity of the links that leave, and enter, each part.
    """

    name: str
    part: Int64Vector
    out_gbps: FloatVector
    in_gbps: FloatVector

    @property
    def n_parts(self) -> int:
        """Parts of the partition."""
        return len(self.out_gbps)

    def seconds(self, out: FloatVector, into: FloatVector) -> float:
        """The longest time that a part needs for the bytes that leave and enter it.

        Parts without any link have none: their bytes have no way, which routing refuses.
        """
        volume, gbps = np.concatenate([out, into]), np.concatenate([self.out_gbps, self.in_gbps])
        linked = gbps > 0
        return float((volume[linked] / gbps[linked]).max(initial=0.0)) * 8e-9

    def seconds_in_all(self, crossing: CutDemand) -> float:
        """Time of what must cross between the parts of the job in all, whichever of them it crosses between."""
        gbps = min(float(one[crossing.of_job].sum()) for one in (self.out_gbps, self.in_gbps))
        return crossing.in_all / gbps * 8e-9 if gbps > 0 else 0.0


def cuts_of(topology: Topology, placement: Placement, links: BoolVector) -> tuple[Cut, ...]:
    """The partitions of the job's endpoints that differ, over some of the links."""
    return _cuts(topology, placement.endpoint.tobytes(), links.tobytes())


# A step asks for the same job's once for each of its operations, over all links, those of the network and NVLink's.
@lru_cache(maxsize=6)
def _cuts(topology: Topology, endpoints: bytes, chosen: bytes) -> tuple[Cut, ...]:
    placement, links = Placement(np.frombuffer(endpoints, np.int32)), np.frombuffer(chosen, bool)
    used = np.zeros(topology.n_endpoints, bool)
    used[placement.endpoint] = True
    cuts: dict[bytes, Cut] = {}
    for name, label in partition_labels(topology, placement, links).items():
        part = np.full(topology.n_endpoints, _NOBODY, np.int64)
        part[used] = numbered(label[used])
        if part.tobytes() not in cuts:
            cuts[part.tobytes()] = Cut(name, part, *_cut_gbps(topology, links, part, int(part.max(initial=-1)) + 1))
    return tuple(cuts.values())


def partition_labels(
    topology: Topology, placement: Placement, links: BoolVector | None = None
) -> dict[str, Int64Vector]:
    """Part of each endpoint by the name of the partition; those that the job does not use have one too.

    Parameters
    ----------
    topology : Topology
    placement : Placement
    links : (n_links,) bool, optional
        Those that join the endpoints of a leaf, and of a pod; default all.
    """
    kept = np.ones(topology.n_links, bool) if links is None else links
    network = kept & (topology.link_kind != NVLINK)
    half = np.zeros(topology.n_endpoints, np.int64)
    half[placement.endpoint] = np.arange(placement.n_ranks) * 2 // max(placement.n_ranks, 1)
    return {
        "endpoint": np.arange(topology.n_endpoints),
        "domain": lone_apart(topology.endpoint_domain),
        "leaf": _component(topology, kept, 1),
        "pod": _component(topology, kept, 2),
        "rail": _component(topology, network, 1),
        "plane": _component(topology, network, int(topology.nodes.tier.max(initial=1))),
        "half": half,
    }


def _component(topology: Topology, links: BoolVector, tier: int) -> Int64Vector:
    """Endpoints that some of the links join without going above `tier`: a number for each endpoint."""
    from fabric._kernels.cuts import join

    nodes = topology.nodes
    low = (nodes.kind == ENDPOINT) | ((nodes.kind == SWITCH) & (nodes.tier <= tier)) | (nodes.kind == NVSWITCH)
    kept = links if low.all() else links & low[topology.link_tail] & low[topology.link_head]
    joined = np.arange(topology.n_nodes, dtype=np.int32)
    join(topology.link_tail, topology.link_head, kept, joined)
    return joined[topology.endpoints].astype(np.int64)


def _cut_gbps(
    topology: Topology, links: BoolVector, part: Int64Vector, n_parts: int
) -> tuple[FloatVector, FloatVector]:
    """Capacity of the links that leave, and enter, each part: the least that was found.

    Any choice of switches that go with a part gives a valid cut.  From the bottom up, a switch goes with a part if all
    that is below it does or is idle, and an idle one if all that is around it does; each tier is a chance to stop.
    """
    from fabric._kernels.cuts import cut_capacities

    nodes, kept = topology.nodes, links
    idle = np.zeros(topology.n_nodes, bool)
    idle[topology.endpoints[part < 0]] = True
    if idle.any():
        # Idle endpoints carry nothing: their cables are no part of a cut.
        kept = links & ~idle[topology.link_tail] & ~idle[topology.link_head]
    owner = np.full(topology.n_nodes, _NOBODY, np.int32)
    owner[topology.endpoints] = part
    # NVLink switches first: parts that stop there are cut at their NICs.
    level = np.where(nodes.kind == ENDPOINT, 0, np.where(nodes.kind == NVSWITCH, 1, 1 + nodes.tier)).astype(np.int32)
    out, into = np.full(n_parts, np.inf), np.full(n_parts, np.inf)
    cut_capacities(
        topology.out_start, topology.link_head, topology.link_capacity_gbps, kept, level,
        max(1, int(level.max(initial=0))), _NOBODY, _SEVERAL, owner, np.empty_like(owner), out, into,
        np.empty(n_parts), np.empty(n_parts),
    )  # fmt: skip
    return out, into
