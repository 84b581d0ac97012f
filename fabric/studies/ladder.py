"""From naive to rail-aware, one step at a time, on the same switches and cables."""

from dataclasses import dataclass, replace

import numpy as np

from collectives.bandwidth import busbw_GBps
from collectives.demand import Groups
from collectives.transport import rail_aligned
from fabric.bounds.cuts import Bound, job_bound
from fabric.builders.clos import build
from fabric.builders.description import FabricDescription, Wiring
from fabric.jobs.placement import Placement, domain_of_rank, packed, rail_of_rank, scattered
from fabric.jobs.traffic import MakeSchedule
from fabric.routing.link_loads import ScheduleLoads, schedule_loads
from fabric.routing.policies import Adaptive, Ecmp, Routing
from fabric.studies.hotspots import Hotspot, TierSummary, links_in_job, schedule_bottleneck, tier_summaries
from fabric.topology import NVLINK, NVSWITCH, SWITCH, Topology


@dataclass(frozen=True)
class Design:
    """The four choices that "rail-aware" is made of."""

    wiring: Wiring
    pxn: bool
    scattered: bool
    routing: Routing


@dataclass(frozen=True)
class Job:
    """What is compared: a collective on so many GPUs.

    Attributes
    ----------
    n_ranks : int
    gpus_per_domain : int or None
        How many GPUs of each scale-up domain the job takes.
    schedule : callable
        Makes the schedule from domain and rail of the ranks.
    collective : str or None
        For busbw.
    group_size : int
    bytes : float
        The size that nccl-tests prints.
    groups : Groups or None
        Who takes part in the collective, for its bound.
    in_network : bool
        Whether switches reduce.
    """

    n_ranks: int
    gpus_per_domain: int | None
    schedule: MakeSchedule
    collective: str | None
    group_size: int
    bytes: float
    groups: Groups | None = None
    in_network: bool = False


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one design gives.

    Attributes
    ----------
    step : str
    design : Design
    loads : ScheduleLoads
    placement : Placement
    time_s : float
    busbw_GBps : float or None
    tiers : tuple of TierSummary
    hottest : Hotspot or None
        The link that sets the time (of the longest phase).
    bound : Bound or None
        What cannot be beaten with this wiring and placement: `Bound.holds_for` says by what.
    """

    step: str
    design: Design
    loads: ScheduleLoads
    placement: Placement
    time_s: float
    busbw_GBps: float | None
    tiers: tuple[TierSummary, ...]
    hottest: Hotspot | None
    bound: Bound | None


@dataclass(frozen=True, eq=False)
class Rung:
    """One step of the ladder.

    Attributes
    ----------
    outcome : Outcome
        With this step and all before it.
    gain : float or None
        Time before this step over time after it; None for the first.
    alone : float or None
        Gain of this step alone, on the naive design.
    without : float or None
        Time of the rail-aware design with this one step undone, over that with all.
    """

    outcome: Outcome
    gain: float | None
    alone: float | None
    without: float | None


def naive_design(routing: Ecmp) -> Design:
    """Top-of-rack wiring, no PXN, hosts scattered, static hashing."""
    return Design(wiring="host", pxn=False, scattered=True, routing=routing)


STEPS: tuple[tuple[str, dict[str, object]], ...] = (
    ("wiring", {"wiring": "rail"}),
    ("transport", {"pxn": True}),
    ("placement", {"scattered": False}),
    ("routing", {"routing": Adaptive()}),
)


def ladder(
    description: FabricDescription, job: Job, routing: Ecmp | None = None, seed: int = 0, n_threads: int | None = None
) -> tuple[Rung, ...]:
    """Run naive, +wiring, +transport, +placement, +routing; each step also alone, and left out.

    The order of steps decides how a joint effect is shared among them; `alone` and `without` do not depend on it.

    Parameters
    ----------
    description : FabricDescription
        Wired both ways in turn: the same number of switches and cables.
    job : Job
    routing : Ecmp, optional
        The static hashing of the naive design.
    seed : int
        Of the scattered placement.
    n_threads : int, optional

    Raises
    ------
    InputError
        If a design cannot carry the job.
    """
    topologies = {wiring: build(description.with_wiring(wiring)) for wiring in ("host", "rail")}
    naive = naive_design(routing or Ecmp())
    done: dict[Design, Outcome] = {}
    # A collective's bound depends on wiring and placement alone.
    bounds: dict[tuple[Wiring, bool], Bound | None] = {}

    def outcome(step: str, design: Design) -> Outcome:
        if design not in done:
            same = (design.wiring, design.scattered)
            found = evaluate(topologies[design.wiring], job, design, seed, n_threads, bounds.get(same))
            done[design] = found
            if job.collective is not None:
                bounds[same] = found.bound
        return replace(done[design], step=step)

    designs = [naive]
    for _, change in STEPS:
        designs.append(replace(designs[-1], **change))  # type: ignore[arg-type]
    rungs = [Rung(outcome("naive", naive), None, None, None)]
    aware = outcome("rail-aware", designs[-1])
    for (name, change), before, after in zip(STEPS, designs, designs[1:], strict=False):
        alone = outcome(name, replace(naive, **change))  # type: ignore[arg-type]
        undone = replace(designs[-1], **{key: getattr(naive, key) for key in change})
        rungs.append(
            Rung(
                outcome(f"+{name}", after),
                _ratio(outcome(name, before).time_s, outcome(name, after).time_s),
                _ratio(rungs[0].outcome.time_s, alone.time_s),
                _ratio(outcome(name, undone).time_s, aware.time_s),
            )
        )
    return tuple(rungs)


@dataclass(frozen=True, order=True)
class Counts:
    """What two designs must share to be compared.

    Attributes
    ----------
    endpoints : int
    switches : int
        Of the scale-out network.
    nvlink_domains : int
    cables, nvlink_cables : int
        All cables, and those of them that are NVLink's.
    """

    endpoints: int
    switches: int
    nvlink_domains: int
    cables: int
    nvlink_cables: int


def counts_of(topology: Topology) -> Counts:
    """Count the parts of a fabric."""
    return Counts(
        endpoints=topology.n_endpoints,
        switches=int(np.count_nonzero(topology.nodes.kind == SWITCH)),
        nvlink_domains=int(np.count_nonzero(topology.nodes.kind == NVSWITCH)),
        cables=topology.n_links // 2,
        nvlink_cables=int(np.count_nonzero(topology.link_kind == NVLINK)) // 2,
    )


def _ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator > 0 else None


def evaluate(
    topology: Topology,
    job: Job,
    design: Design,
    seed: int = 0,
    n_threads: int | None = None,
    bound: Bound | None = None,
) -> Outcome:
    """Place, schedule and route one design; `bound` is that of its wiring and placement, where it is known."""
    if design.scattered:
        placement = scattered(topology, job.n_ranks, job.gpus_per_domain, seed)
    else:
        placement = packed(topology, job.n_ranks, job.gpus_per_domain)
    domain, rail = domain_of_rank(topology, placement), rail_of_rank(topology, placement)
    schedule = job.schedule(domain, rail)
    if design.pxn:
        schedule = rail_aligned(schedule, domain, rail)
    loads = schedule_loads(topology, schedule, placement, design.routing, n_threads)
    counted = links_in_job(topology, placement)
    time_s = loads.bottleneck_time_s
    if bound is None:
        whole = (job.collective, job.groups, job.bytes, job.in_network)
        bound = job_bound(topology, schedule, placement, *whole)
    busbw = busbw_GBps(job.collective, job.group_size, job.bytes, time_s) if job.collective and time_s > 0 else None
    return Outcome(
        step="",
        design=design,
        loads=loads,
        placement=placement,
        time_s=time_s,
        busbw_GBps=busbw,
        tiers=tier_summaries(loads.total, counted),
        hottest=schedule_bottleneck(loads, counted),
        bound=bound,
    )
