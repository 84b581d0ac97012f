"""One job on one fabric: routed, summarized by tier, its hot links ranked; and the same over many hash seeds."""

from dataclasses import dataclass, replace

import numpy as np

from collectives.bandwidth import algbw_GBps, busbw_GBps
from collectives.schedule import Schedule
from fabric.bounds.cuts import Bound, job_bound
from fabric.jobs.placement import Placement
from fabric.jobs.traffic import Traffic
from fabric.routing.link_loads import ScheduleLoads, schedule_loads
from fabric.routing.policies import Ecmp, Routing
from fabric.studies.hotspots import (
    DEFAULT_THRESHOLD,
    Hotspot,
    TierSummary,
    hotspots,
    links_in_job,
    schedule_bottleneck,
    tier_summaries,
    worst_imbalance,
)
from fabric.topology import Topology


@dataclass(frozen=True, eq=False)
class Analysis:
    """Loads of a schedule, and what stands out in them.

    Attributes
    ----------
    loads : ScheduleLoads
    schedule : Schedule
    placement : Placement
    routing : Routing
    threshold : float
        A link is hot above this many times the mean of its tier and direction.
    total_bytes : float
        Bytes that leave the ranks, all phases together.
    tiers : tuple of TierSummary
    hotspots : tuple of Hotspot
        Ranked, the longest busy first.
    hottest : Hotspot or None
        The link that sets the bottleneck time (of the longest phase); None where nothing is carried.
    """

    loads: ScheduleLoads
    schedule: Schedule
    placement: Placement
    routing: Routing
    threshold: float
    total_bytes: float
    tiers: tuple[TierSummary, ...]
    hotspots: tuple[Hotspot, ...]
    hottest: Hotspot | None

    @property
    def topology(self) -> Topology:
        return self.loads.topology

    @property
    def time_s(self) -> float:
        return self.loads.bottleneck_time_s


def analyse(
    topology: Topology,
    schedule: Schedule,
    placement: Placement,
    routing: Routing,
    threshold: float = DEFAULT_THRESHOLD,
    n_threads: int | None = None,
) -> Analysis:
    """Route a schedule and look at its loads.  Errors as for `fabric.routing.link_loads.link_loads`."""
    loads = schedule_loads(topology, schedule, placement, routing, n_threads)
    counted = links_in_job(topology, placement)
    return Analysis(
        loads=loads,
        schedule=schedule,
        placement=placement,
        routing=routing,
        threshold=threshold,
        total_bytes=schedule.total_bytes(),
        tiers=tier_summaries(loads.total, counted, threshold),
        hotspots=hotspots(loads.total, counted, threshold),
        hottest=schedule_bottleneck(loads, counted),
    )


@dataclass(frozen=True)
class Sample:
    """Values of a figure over many hash seeds, in the order of the seeds."""

    values: tuple[float, ...]

    def percentile(self, percent: float) -> float | None:
        """Nearest-rank percentile; None of no values."""
        return float(np.percentile(self.values, percent, method="inverted_cdf")) if self.values else None

    @property
    def worst(self) -> float | None:
        return max(self.values, default=None)


@dataclass(frozen=True)
class HashSeeds:
    """Bottleneck time, and max/mean between switches, over `n` hash seeds from `first` on."""

    first: int
    n: int
    time_s: Sample
    imbalance: Sample


def over_hash_seeds(
    topology: Topology,
    schedule: Schedule,
    placement: Placement,
    routing: Ecmp,
    n_seeds: int,
    n_threads: int | None = None,
) -> HashSeeds:
    """Route with the hash seeds ``routing.seed, routing.seed + 1, ...``.  Errors as for `link_loads`."""
    counted = links_in_job(topology, placement)
    times, imbalances = [], []
    for seed in range(routing.seed, routing.seed + n_seeds):
        loads = schedule_loads(topology, schedule, placement, replace(routing, seed=seed), n_threads)
        times.append(loads.bottleneck_time_s)
        imbalances.append(worst_imbalance(tier_summaries(loads.total, counted)))
    known = tuple(value for value in imbalances if value is not None)
    return HashSeeds(routing.seed, n_seeds, Sample(tuple(times)), Sample(known))


def bound_of(job: Traffic, analysis: Analysis) -> Bound | None:
    """What cannot be beaten: a collective by any algorithm and routing, other traffic by any routing of it.

    None where nothing has to move, or where pairs without a route were left out, so that the time is not that of all.
    """
    if analysis.loads.total.unrouted.pairs:
        return None
    return job_bound(
        analysis.topology,
        analysis.schedule,
        analysis.placement,
        job.collective,
        job.groups,
        job.bytes,
        job.switches_reduce,
    )


@dataclass(frozen=True)
class Summary:
    """The figures that every report leads with; algbw and busbw are None without a collective or without load."""

    bottleneck_time_s: float
    algbw_GBps: float | None
    busbw_GBps: float | None
    total_bytes: float


def summarize(job: Traffic, analysis: Analysis) -> Summary:
    """Time, bandwidths as nccl-tests defines them, and bytes."""
    time_s = analysis.time_s
    if job.collective is None or time_s <= 0:
        return Summary(time_s, None, None, analysis.total_bytes)
    return Summary(
        time_s,
        algbw_GBps(job.bytes, time_s),
        busbw_GBps(job.collective, job.group_size, job.bytes, time_s),
        analysis.total_bytes,
    )
