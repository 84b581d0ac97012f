"""What detectors of causes look at: the loads of the longest phase, the link that limits, and what can be tried."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from collectives.demand import Demand, FloatVector, Int32Vector, Int64Vector
from collectives.errors import InputError
from collectives.schedule import Schedule
from fabric.bounds.cut_demand import ROUNDING
from fabric.bounds.cuts import Bound
from fabric.jobs.placement import Placement
from fabric.jobs.traffic import Traffic
from fabric.routing.link_loads import LinkLoads, ScheduleLoads, schedule_loads
from fabric.routing.policies import Ecmp, Routing
from fabric.studies.analysis import Analysis, HashSeeds
from fabric.studies.hotspots import Hotspot, bottleneck, links_in_job, links_like
from fabric.studies.verdicts.thresholds import SAME
from fabric.studies.verdicts.verdict import Limit
from fabric.topology import DIRECTIONS, DOWN, ISL, UP, BoolVector, Topology


@dataclass(frozen=True, eq=False)
class Trials:
    """The job, to be run again with one thing changed.

    Attributes
    ----------
    job : Traffic
    schedule : Schedule
        As it was routed.
    seeds : HashSeeds or None
        The same over many hash seeds, if that was asked.
    n_threads : int or None
    """

    job: Traffic
    schedule: Schedule
    seeds: HashSeeds | None = None
    n_threads: int | None = None

    @classmethod
    def of(cls, analysis: Analysis, seeds: HashSeeds | None = None) -> "Trials":
        """Of what was analysed."""
        return cls(analysis.traffic, analysis.schedule, seeds, analysis.scenario.n_threads)


@dataclass(frozen=True, eq=False)
class Evidence:
    """A job on a fabric, as it was routed.

    Attributes
    ----------
    whole : ScheduleLoads
    placement : Placement
    routing : Routing
    hottest : Hotspot
        The link that limits.
    bound : Bound or None
        What cannot be beaten.
    trials : Trials or None
        None where the traffic is not at hand: causes that only a trial shows are not looked for.
    """

    whole: ScheduleLoads
    placement: Placement
    routing: Routing
    hottest: Hotspot
    bound: Bound | None
    trials: Trials | None

    @property
    def topology(self) -> Topology:
        """The fabric that the loads belong to."""
        return self.whole.topology

    @property
    def time_s(self) -> float:
        """The job's bottleneck time, all phases."""
        return self.whole.bottleneck_time_s

    @cached_property
    def longest(self) -> int | None:
        """The phase that takes longest of those that follow one another; None in a pipeline."""
        if self.whole.overlap == "pipelined":
            return None
        took = [
            phase.bottleneck_time_s * repeat
            for phase, repeat in zip(self.whole.phases, self.whole.repeats, strict=True)
        ]
        return int(np.argmax(took))

    @cached_property
    def loads(self) -> LinkLoads:
        """Of the longest phase, all of its repeats; in a pipeline of all phases."""
        if self.longest is None:
            return self.whole.total
        return self.whole.phases[self.longest].scaled(self.whole.repeats[self.longest])

    @property
    def seconds(self) -> FloatVector:
        """Load over capacity of each link, (n_links,) float64."""
        return self.loads.seconds

    @property
    def limit_s(self) -> float:
        """How long the link that limits is busy in the longest phase."""
        return self.hottest.seconds

    @cached_property
    def counted(self) -> BoolVector:
        """Links that the job could load, (n_links,) bool: `links_in_job`."""
        return links_in_job(self.topology, self.placement)

    @property
    def kind(self) -> int:
        """Of the link that limits: `NIC`, `ISL` or `NVLINK`."""
        return int(self.topology.link_kind[self.hottest.link])

    @property
    def direction(self) -> int:
        """Of the link that limits: `UP`, `DOWN` or another of `DIRECTIONS`."""
        return int(self.topology.link_direction[self.hottest.link])

    @cached_property
    def like(self) -> Int64Vector:
        """Links of the same kind, tier and direction as the one that limits, in the job or not."""
        return np.flatnonzero(links_like(self.topology, self.hottest.link))

    @cached_property
    def over_even(self) -> float:
        """The longest phase's load on the link that limits over an even share, idle links of the job sharing."""
        own = self.like[self.counted[self.like]]
        return self.limit_s / float(self.seconds[own].mean())

    @cached_property
    def limit(self) -> Limit:
        """The link that limits beside its like in the job, for a verdict."""
        own = self.like[self.counted[self.like]]
        return Limit(
            tier=self.hottest.tier,
            direction=self.hottest.direction,
            link=self.hottest.name,
            seconds=self.limit_s,
            over_mean=self.hottest.over_mean,
            links=own.size,
            as_busy=int(np.count_nonzero(self.seconds[own] * SAME >= self.limit_s)),
        )

    @property
    def lower_end(self) -> Int32Vector | None:
        """Node at the lower end of each link, (n_links,) int32; None where the link that limits has none."""
        if self.direction == UP:
            return self.topology.link_tail
        return self.topology.link_head if self.direction == DOWN else None

    def whole_s(self, limit_s: float) -> float:
        """The job's time if the longest phase took `limit_s`."""
        return self.time_s - self.limit_s + limit_s

    def most_s(self, kind: int) -> float:
        """The longest that a link of a kind is busy, seconds."""
        return float(self.seconds[self.topology.link_kind == kind].max(initial=0.0))

    def demands(self) -> Iterator[Demand]:
        """Of the longest phase, or of the pipeline; none where the traffic is not at hand."""
        if self.trials is not None:
            phases = self.trials.schedule.phases
            for phase in phases if self.longest is None else phases[self.longest : self.longest + 1]:
                yield from phase.demands

    def trial_s(
        self,
        schedule: Schedule | None = None,
        placement: Placement | None = None,
        routing: Routing | None = None,
    ) -> float | None:
        """The job's time with something changed; None if it cannot be run so."""
        assert self.trials is not None
        try:
            return schedule_loads(
                self.topology,
                schedule or self.trials.schedule,
                placement or self.placement,
                routing or self.routing,
                self.trials.n_threads,
            ).bottleneck_time_s
        except InputError:
            return None

    @cached_property
    def apart_s(self) -> float | None:
        """The job's time with a hash seed for each switch; None where the switches share none."""
        if self.trials is None or not isinstance(self.routing, Ecmp) or not self.routing.shared_seed:
            return None
        return self.trial_s(routing=replace(self.routing, shared_seed=False))

    def ends(self, link: int) -> tuple[str, str]:
        """Names of the nodes that a link joins."""
        names = self.topology.nodes.name
        return names[self.topology.link_tail[link]], names[self.topology.link_head[link]]

    @property
    def direction_name(self) -> str:
        """The direction as tables show it."""
        return DIRECTIONS[self.direction]


def evidence_of(
    whole: ScheduleLoads,
    placement: Placement,
    routing: Routing,
    hottest: Hotspot,
    bound: Bound | None,
    trials: Trials | None,
) -> Evidence:
    """Evidence on the link that limits; of links that are as busy as `hottest`, one at the endpoints.

    Where a NIC is as busy as a link between switches, no routing could be faster: the NIC is what limits.
    """
    case = Evidence(whole, placement, routing, hottest, bound, trials)
    if case.kind != ISL:
        return case
    at_ends = np.where(case.topology.link_kind == ISL, 0.0, case.loads.bytes)
    other = bottleneck(LinkLoads(case.topology, at_ends), whole.total)
    if other is None or other.seconds * (1 + ROUNDING) < hottest.seconds:
        return case
    return replace(case, hottest=other)
