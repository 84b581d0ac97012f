"""Several jobs on one fabric: whose bytes are on the hot links, and how much each slows the others.

While a job's operation runs alone it keeps link l busy a part d of the time.  Of jobs that communicate at once each
gets on a link its max-min fair part: what it needs, or an equal part of what the less needy leave (Bertsekas and
Gallager, Data Networks, section 6.5.2), as if each had as many flows there.  Its speed is that of its worst link.  Two
cases bound what happens: all jobs always communicate at once, each by the operation that needs a link most; and the
others only as much of the time as their steps do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collectives.demand import FloatVector
from collectives.errors import InputError
from fabric.formats.opening import OpenedFabric
from fabric.jobs.placement import Placement
from fabric.jobs.rule import PlacementRule
from fabric.jobs.step_traffic import operation_traffic
from fabric.routing.link_loads import schedule_loads
from fabric.routing.policies import Adaptive, Ecmp, Routing
from fabric.scenario import DIRECT, PXN, Scenario
from fabric.studies.hotspots import tier_name
from fabric.studies.step import ComputeSource, compute_source
from fabric.studies.step_costs import OperationCost, operation_costs
from fabric.timing.step_time import step_time
from fabric.topology import NVLINK, Topology
from traces.workload.description import Workload, WorkloadDescription
from traces.workload.step_operations import StepOperation, step_operations

ROUTINGS: tuple[Routing, ...] = (Adaptive(), Ecmp())


@dataclass(frozen=True)
class JobRequest:
    """A job as it is asked for.

    Attributes
    ----------
    name : str
    workload : WorkloadDescription
    gpus : int
    rule : PlacementRule
        Among the hosts that the jobs before it leave.
    """

    name: str
    workload: WorkloadDescription
    gpus: int
    rule: PlacementRule


@dataclass(frozen=True)
class JobOutcome:
    """What sharing does to a job.

    Attributes
    ----------
    name, workload : str
    gpus : int
    alone_s : float
        Its step with the fabric to itself.
    usual_s, worst_s : float
        Its step where others communicate as much of the time as their steps do; where all always do so at once.
    speed : float
        Part of its own speed that its communication gets in the worst case.
    bottleneck_s : float
        Its step if its worst link served all of them in proportion to what they need there, nobody fairly.
    """

    name: str
    workload: str
    gpus: int
    alone_s: float
    usual_s: float
    worst_s: float
    speed: float
    bottleneck_s: float

    @property
    def slowdown(self) -> float:
        """Worst step over that alone."""
        return self.worst_s / self.alone_s


@dataclass(frozen=True)
class SharedLink:
    """A link that several jobs use, or the busiest.

    Attributes
    ----------
    link, tier : str
    utilization : float
        Bytes of all jobs a second over capacity, a mean over their steps.
    shares : tuple of float
        Of each job, adding up to 1.
    """

    link: str
    tier: str
    utilization: float
    shares: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Shared:
    """Jobs under one routing.

    Attributes
    ----------
    routing : str
    jobs : tuple of JobOutcome
    links : tuple of SharedLink
        The busiest of those that several jobs use, or of all where none is; first the busiest.
    n_shared : int
        Links that carry bytes of more than one job.
    fairness : float
        Jain's index of the jobs' speeds: 1 where all slow down alike (Jain, Chiu, Hawe, DEC-TR-301, 1984).
    """

    routing: str
    jobs: tuple[JobOutcome, ...]
    links: tuple[SharedLink, ...]
    n_shared: int
    fairness: float

    @property
    def victim(self) -> JobOutcome:
        """The job that loses most."""
        return max(self.jobs, key=lambda one: one.slowdown)


@dataclass(frozen=True, eq=False)
class Sharing:
    """Jobs on a fabric, under each routing: adaptive and static hashing, or the one that was asked for."""

    fabric: OpenedFabric
    placements: tuple[Placement, ...]
    routings: tuple[Shared, ...]
    assumptions: tuple[str, ...]


def placed_apart(fabric: OpenedFabric, jobs: Sequence[JobRequest]) -> tuple[Placement, ...]:
    """Where each job goes: among the hosts that those before it leave.

    Raises
    ------
    InputError
        If one does not fit, or names a host of another: says which.
    """
    host = fabric.topology.endpoint_host
    taken: dict[int, str] = {}
    made = []
    for job in jobs:
        free = [int(one) for one in np.unique(host) if int(one) not in taken]
        try:
            made.append(job.rule.place(fabric, job.gpus, free if taken else None))
        except InputError as error:
            left = f" ({len(taken)} hosts are taken by {', '.join(dict.fromkeys(taken.values()))})" if taken else ""
            raise InputError(f"job {job.name}: {error}{left}") from None
        for one in np.unique(host[made[-1].endpoint]).tolist():
            if one in taken:
                name = fabric.host_names()[int(np.flatnonzero(host == one)[0])]
                raise InputError(f"job {job.name}: host {name} is taken by {taken[one]}")
            taken[one] = job.name
    return tuple(made)


def fair_speeds(demand: FloatVector) -> FloatVector:
    """Parts of their own speed that jobs get, (n_jobs,): on each link max-min fair, of each job the worst link.

    O(n_links n_jobs log n_jobs).

    Parameters
    ----------
    demand : (n_jobs, n_links) float64
        Part of the time that a job keeps a link busy at its own speed; at most 1.

    >>> fair_speeds(np.array([[1.0, 0.0], [1.0, 0.5]])).tolist()
    [0.5, 0.5]
    >>> fair_speeds(np.array([[1.0], [0.25]])).tolist()
    [0.75, 1.0]
    """
    n_jobs = demand.shape[0]
    ordered = np.sort(demand, axis=0)
    level, left = np.zeros(demand.shape[1]), np.ones(demand.shape[1])
    # Least needy first: who needs less than an equal part of what is left gets all; the rest share equally.
    for place in range(n_jobs):
        level = left / (n_jobs - place)
        given = np.minimum(ordered[place], level)
        left = left - given
        level = np.maximum(level, given)
    with np.errstate(divide="ignore", invalid="ignore"):
        speed = np.where(demand > 0, np.minimum(level / demand, 1.0), 1.0)
    least: FloatVector = speed.min(axis=1, initial=1.0)
    return least


def study_sharing(
    fabric: OpenedFabric,
    jobs: Sequence[JobRequest],
    *,
    top: int = 10,
    computes: Sequence[ComputeSource] | None = None,
    routing: Routing | None = None,
    n_threads: int | None = None,
) -> Sharing:
    """Several jobs at once, under adaptive routing and static hashing, or under one that is given.

    Parameters
    ----------
    fabric : OpenedFabric
    jobs : sequence of JobRequest
    top : int
        Links that are named.
    computes : sequence of ComputeSource, optional
        Of each job; default what its workload says.
    routing : Routing, optional
        The only one that is studied.

    Raises
    ------
    InputError
        Fewer than two jobs, two of one name, or one that does not fit.
    """
    names = [job.name for job in jobs]
    if len(jobs) < 2 or len(set(names)) < len(names):
        raise InputError(f"jobs {', '.join(names) or 'none'}: expected two or more, each with a name of its own")
    placements = placed_apart(fabric, jobs)
    workloads = [Workload.of(job.workload, job.gpus) for job in jobs]
    operations = [step_operations(workload) for workload in workloads]
    sources = computes or [compute_source(fabric, job.workload, PlacementRule(), n_threads) for job in jobs]
    transport = PXN if fabric.topology.nvlink_gbps is not None else DIRECT
    made = []
    algorithms: list[tuple[str, ...]] = []
    for one in ROUTINGS if routing is None else (routing,):
        scenarios = [
            Scenario.of(
                fabric, operation_traffic(own[0], job.gpus), rule=PlacementRule(gpus=job.gpus), placement=placement,
                transport=transport, routing=one, n_threads=n_threads,
            )
            for job, own, placement in zip(jobs, operations, placements, strict=True)
        ]  # fmt: skip
        if not algorithms:
            algorithms = [one.algorithms_of(each) for one, each in zip(scenarios, operations, strict=True)]
        made.append(_shared(one, jobs, workloads, operations, scenarios, algorithms, sources, top))
    said = (
        *(f"{job.name}: {source.text}" for job, source in zip(jobs, sources, strict=True)),
        *fabric.assumptions,
        "worst: all jobs always communicate at once, by the operation that needs a link most; usual: the others as "
        "much of the time as their steps do",
        "transport: bytes change rails over NVLink (PXN) where there is any",
    )
    return Sharing(fabric, placements, tuple(made), said)


def _shared(
    routing: Routing,
    jobs: Sequence[JobRequest],
    workloads: Sequence[Workload],
    operations: Sequence[Sequence[StepOperation]],
    scenarios: Sequence[Scenario],
    algorithms: Sequence[Sequence[str]],
    sources: Sequence[ComputeSource],
    top: int,
) -> Shared:
    topology = scenarios[0].topology
    given = list(zip(scenarios, operations, algorithms, strict=True))
    costs = [operation_costs(*one, bounds=False, routing=routing) for one in given]
    busy = [_busy(*one, routing) for one in given]
    alone = [
        _step(workload, own, cost, source, 1.0)
        for workload, own, cost, source in zip(workloads, operations, costs, sources, strict=True)
    ]
    # Busiest part of a link's time over all operations, and the same over the whole step.
    peak = np.stack([_peak(each, cost) for each, cost in zip(busy, costs, strict=True)])
    mean = np.stack([
        sum((one.times(workload.microbatches) * load for one, load in zip(own, each, strict=True)),
            np.zeros(topology.n_links)) / time
        for workload, own, each, time in zip(workloads, operations, busy, alone, strict=True)
    ])  # fmt: skip
    worst = fair_speeds(peak)
    outcomes = []
    for place, job in enumerate(jobs):
        each = (workloads[place], operations[place], costs[place], sources[place])
        # The others as much of the time as their steps keep a link busy.
        seldom = mean.copy()
        seldom[place] = peak[place]
        usual = max(float(fair_speeds(seldom)[place]), float(worst[place]))
        own = peak[place] > 0
        crowded = float(peak.sum(axis=0)[own].max(initial=1.0))
        outcomes.append(
            JobOutcome(
                job.name, job.workload.model.name, job.gpus, alone[place], _step(*each, usual),
                _step(*each, float(worst[place])), float(worst[place]), _step(*each, 1.0 / max(crowded, 1.0)),
            )
        )  # fmt: skip
    network = topology.link_kind != NVLINK
    total = mean.sum(axis=0)
    several = ((mean > 0).sum(axis=0) > 1) & network
    order = np.argsort(-np.where(several if several.any() else network, total, -1.0), kind="stable")[:top]
    links = tuple(
        SharedLink(
            topology.link_name(int(link)), _tier(topology, int(link)), float(total[link]),
            tuple((mean[:, link] / total[link]).tolist()),
        )
        for link in order.tolist() if total[link] > 0
    )  # fmt: skip
    fairness = float(worst.sum() ** 2 / (len(worst) * (worst**2).sum()))
    n_shared = int(np.count_nonzero(several))
    return Shared(routing.name, tuple(outcomes), links, n_shared, fairness)


def _tier(topology: Topology, link: int) -> str:
    return tier_name(int(topology.link_kind[link]), int(topology.link_tier[link]), int(topology.link_direction[link]))


def _busy(
    scenario: Scenario, operations: Sequence[StepOperation], algorithms: Sequence[str], routing: Routing
) -> list[FloatVector]:
    """Seconds that one run of each operation keeps each link busy."""
    found = []
    for one, name in zip(operations, algorithms, strict=True):
        traffic = operation_traffic(one, scenario.placement.n_ranks, name)
        own = scenario.carrying(traffic, routing)
        loads = schedule_loads(own.topology, own.schedule, own.placement, own.routing, own.n_threads)
        found.append(loads.total.seconds)
    return found


def _peak(busy: Sequence[FloatVector], costs: Sequence[OperationCost]) -> FloatVector:
    """Largest part of an operation's time that a link is busy, over the operations."""
    parts = [np.minimum(load / cost.seconds, 1.0) for load, cost in zip(busy, costs, strict=True) if cost.seconds > 0]
    peak: FloatVector = np.max(parts, axis=0)
    return peak


def _step(
    workload: Workload,
    operations: Sequence[StepOperation],
    costs: Sequence[OperationCost],
    source: ComputeSource,
    speed: float,
) -> float:
    """The step with operations over the network at a part of their speed."""
    replica = workload.layout.tp * workload.layout.pp * workload.layout.cp
    tokens = workload.micro * workload.description.batch.sequence
    seconds = [cost.seconds / (speed if cost.tier != "NVLink" else 1.0) for cost in costs]
    compute_s = source.gpu_seconds_per_token * tokens / replica
    return step_time(workload, operations, seconds, compute_s, workload.description.compute.fixed_s).step_s
