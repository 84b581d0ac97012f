"""One job on one fabric: routed, summarized by tier, its hot links ranked; and the same over many hash seeds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from collectives.bandwidth import algbw_GBps, busbw_GBps
from collectives.demand import FloatVector
from collectives.errors import InputError
from collectives.nccl_channels import Channel
from collectives.schedule import Schedule
from fabric.bounds.cuts import Bound, job_bound
from fabric.bounds.linear_program import linear_program_bound
from fabric.bounds.throughput import throughput_bound
from fabric.jobs.placement import Placement
from fabric.jobs.traffic import Traffic
from fabric.routing.link_loads import ScheduleLoads, loads_over_seeds, schedule_loads
from fabric.routing.policies import Adaptive, Ecmp, Routing
from fabric.routing.unroutable import Unroutable
from fabric.scenario import Scenario
from fabric.studies.hotspots import (
    DEFAULT_THRESHOLD,
    Hotspot,
    TierSummary,
    hotspots,
    imbalance_over,
    links_in_job,
    schedule_bottleneck,
    tier_summaries,
    tiers_between_switches,
    worst_imbalance,
)
from fabric.studies.link_odds import link_odds, odds_text, place_text
from fabric.topology import BoolVector, Topology

EXPLAINED = 1000
"""Hotspots that get a cause: as many as reports list at most."""
# The same cut added up in another order is off by less.
_CLEARLY = 1 + 1e-9


@dataclass(frozen=True, eq=False)
class Analysis:
    """Loads of a scenario, and what stands out in them.

    Attributes
    ----------
    scenario : Scenario
    loads : ScheduleLoads
    threshold : float
        A link is hot above this many times the mean of its tier and direction.
    """

    scenario: Scenario
    loads: ScheduleLoads
    threshold: float

    @cached_property
    def counted(self) -> BoolVector:
        """Links that the job could load, (n_links,) bool."""
        return links_in_job(self.topology, self.placement)

    @cached_property
    def tiers(self) -> tuple[TierSummary, ...]:
        """Loads by tier and direction."""
        return tier_summaries(self.loads.total, self.counted, self.threshold)

    @cached_property
    def hotspots(self) -> tuple[Hotspot, ...]:
        """Links that stand out, the longest busy first, each with its cause."""
        found = hotspots(self.loads.total, self.threshold)
        if not found:
            return ()
        even, total = self.even_bytes, self.loads.total.bytes
        causes = []
        for spot in found[:EXPLAINED]:
            fair = None if even is None else float(even[spot.link])
            odds = link_odds(self.topology, spot.link, float(total[spot.link]), fair, None)
            said = odds_text(self.topology, spot.link, odds, self.routing.name)
            causes.append(replace(spot, cause=said or place_text(self.topology, spot.link)))
        return (*causes, *found[EXPLAINED:])

    @cached_property
    def even_bytes(self) -> FloatVector | None:
        """What even splits over all shortest paths put on the links, (n_links,) float64.

        None where the routing splits so, or a pair has no shortest path of this kind.
        """
        if isinstance(self.routing, Adaptive):
            return None
        try:
            return schedule_loads(
                self.topology, self.schedule, self.placement, Adaptive(), self.scenario.n_threads
            ).total.bytes
        except Unroutable:
            return None

    @cached_property
    def hottest(self) -> Hotspot | None:
        """The link that sets the bottleneck time (of the longest phase); None where nothing is carried."""
        return schedule_bottleneck(self.loads)

    @property
    def topology(self) -> Topology:
        """The fabric."""
        return self.loads.topology

    @property
    def schedule(self) -> Schedule:
        """What was routed."""
        return self.scenario.schedule

    @property
    def placement(self) -> Placement:
        """Where the ranks are."""
        return self.scenario.placement

    @property
    def routing(self) -> Routing:
        """How it was routed."""
        return self.scenario.routing

    @property
    def traffic(self) -> Traffic:
        """What the job sends."""
        return self.scenario.traffic

    @property
    def time_s(self) -> float:
        """Bottleneck time, seconds."""
        return self.loads.bottleneck_time_s

    @cached_property
    def total_bytes(self) -> float:
        """Bytes that leave the ranks, all phases together."""
        return self.schedule.total_bytes()

    @property
    def algbw_GBps(self) -> float | None:
        """As nccl-tests defines it; None without a collective or without load."""
        return algbw_GBps(self.traffic.bytes, self.time_s) if self.traffic.collective and self.time_s > 0 else None

    @property
    def busbw_GBps(self) -> float | None:
        """As nccl-tests defines it; None without a collective or without load."""
        job = self.traffic
        if job.collective is None or self.time_s <= 0:
            return None
        return busbw_GBps(job.collective, job.group_size, job.bytes, self.time_s)

    @property
    def imbalance(self) -> float | None:
        """Largest max over mean of the tiers between switches; None where they carry nothing."""
        return worst_imbalance(self.tiers)

    @cached_property
    def bound(self) -> Bound | None:
        """What cannot be beaten: a collective by any algorithm and routing, other traffic by any routing of it.

        None where nothing has to move, or where pairs without a route were left out, so that the time is not that of
        all.
        """
        return None if self.loads.total.unrouted.pairs else scenario_bound(self.scenario)

    @property
    def over_bound(self) -> float | None:
        """Time over the bound; None without one."""
        return None if self.bound is None else self.time_s / self.bound.time_s

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        """Channels of the collective's algorithm; none where it has none."""
        make = self.traffic.channels
        return () if make is None else make(self.scenario.domain, self.scenario.rail)


class Bounded:
    """What one design gives: an analysis, with the bound that is compared with."""

    analysis: Analysis
    bound: Bound | None

    @property
    def time_s(self) -> float:
        """Bottleneck time, seconds."""
        return self.analysis.time_s

    @property
    def busbw_GBps(self) -> float | None:
        """As nccl-tests defines it; None without a collective."""
        return self.analysis.busbw_GBps

    @property
    def over_bound(self) -> float | None:
        """Time over the bound; None without one."""
        return None if self.bound is None else self.time_s / self.bound.time_s


def analyse(scenario: Scenario, threshold: float = DEFAULT_THRESHOLD) -> Analysis:
    """Route a scenario and look at its loads.  Errors as for `fabric.routing.link_loads.link_loads`."""
    loads = schedule_loads(
        scenario.topology, scenario.schedule, scenario.placement, scenario.routing, scenario.n_threads
    )
    return Analysis(scenario, loads, threshold)


def analyse_each(scenarios: Sequence[Scenario], threshold: float = DEFAULT_THRESHOLD) -> Iterator[Analysis]:
    """Analyse scenarios in turn; those that follow one another and differ by the next seed only are routed together.

    Errors as for `fabric.routing.link_loads.link_loads`.
    """
    first = 0
    while first < len(scenarios):
        stop = first + 1
        while stop < len(scenarios) and _has_next_seed(scenarios[stop - 1], scenarios[stop]):
            stop += 1
        if stop - first == 1:
            yield analyse(scenarios[first], threshold)
        else:
            several = zip(scenarios[first:stop], _seeded_loads(scenarios[first], stop - first), strict=True)
            yield from (Analysis(one, loads, threshold) for one, loads in several)
        first = stop


def _has_next_seed(before: Scenario, after: Scenario) -> bool:
    """Whether a scenario is the one before it, but for a seed of its routing that is one larger."""
    routing: Any = before.routing
    return (
        hasattr(routing, "seed")
        and after.routing == replace(routing, seed=routing.seed + 1)
        and after.topology is before.topology
        and after.traffic is before.traffic
        and after.job.transport == before.job.transport
        and np.array_equal(after.placement.endpoint, before.placement.endpoint)
    )


def _seeded_loads(scenario: Scenario, n_seeds: int) -> Iterator[ScheduleLoads]:
    where = scenario.topology, scenario.schedule, scenario.placement, scenario.routing
    return loads_over_seeds(*where, n_seeds, scenario.n_threads)


def scenario_bound(scenario: Scenario) -> Bound | None:
    """What no algorithm and no routing of a scenario's job can beat; None where nothing has to move.

    Of a collective the worst of all cuts that are searched; by its name if it has one.
    """
    job = scenario.traffic
    topology, placement = scenario.topology, scenario.placement
    named = job_bound(
        topology, scenario.schedule, placement, job.collective, job.groups, job.bytes, job.switches_reduce
    )
    if job.collective is None or job.groups is None or named is None:
        return named
    worst = throughput_bound(topology, placement, job.collective, job.groups, job.bytes, job.switches_reduce)
    return named if worst is None or worst.time_s <= named.time_s * _CLEARLY else worst.bound


def optimum(scenario: Scenario) -> Bound:
    """The best that any routing of the scenario's traffic can reach; errors as for `linear_program_bound`."""
    return linear_program_bound(scenario.topology, scenario.schedule, scenario.placement)


@dataclass(frozen=True)
class Sample:
    """Values of a figure over many hash seeds, in the order of the seeds."""

    values: tuple[float, ...]

    def percentile(self, percent: float) -> float | None:
        """Nearest-rank percentile; None of no values."""
        return float(np.percentile(self.values, percent, method="inverted_cdf")) if self.values else None

    @property
    def worst(self) -> float | None:
        """The largest; None of no values."""
        return max(self.values, default=None)


@dataclass(frozen=True)
class HashSeeds:
    """Bottleneck time, and max/mean between switches, over `n` hash seeds from `first` on."""

    first: int
    n: int
    time_s: Sample
    imbalance: Sample


def over_hash_seeds(scenario: Scenario, n_seeds: int) -> HashSeeds:
    """Route with the hash seeds from the routing's own on.

    Parameters
    ----------
    scenario : Scenario
        Its routing is `Ecmp`.
    n_seeds : int

    Raises
    ------
    InputError
        If the routing does not hash; as for `fabric.routing.link_loads.link_loads`.
    """
    routing = scenario.routing
    if not isinstance(routing, Ecmp):
        raise InputError(f"hash seeds: {routing.name} does not hash; expected ecmp")
    tiers = tiers_between_switches(scenario.topology)
    times, imbalances = [], []
    for loads in _seeded_loads(scenario, n_seeds):
        times.append(loads.bottleneck_time_s)
        imbalances.append(imbalance_over(loads.total, tiers))
    known = tuple(value for value in imbalances if value is not None)
    return HashSeeds(routing.seed, n_seeds, Sample(tuple(times)), Sample(known))


@dataclass(frozen=True)
class Summary:
    """The figures that every report leads with.

    Attributes
    ----------
    bottleneck_time_s : float
        Largest load over capacity, phases that follow one another added up; seconds.
    algbw_GBps, busbw_GBps : float or None
        As nccl-tests defines them, GB/s; None without a collective or without load.
    total_bytes : float
        That the job sends.
    """

    bottleneck_time_s: float
    algbw_GBps: float | None
    busbw_GBps: float | None
    total_bytes: float


def summarize(analysis: Analysis) -> Summary:
    """Time, bandwidths as nccl-tests defines them, and bytes."""
    return Summary(analysis.time_s, analysis.algbw_GBps, analysis.busbw_GBps, analysis.total_bytes)
