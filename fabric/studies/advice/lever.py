"""What a lever is: a function that looks at a case and says what could be changed, or why not."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import ClassVar

import numpy as np

from collectives.errors import InputError
from fabric.bounds.cuts import ANY_ROUTING, NO_REDUCING_SWITCHES
from fabric.formats.infiniband.lfts import LftDump
from fabric.formats.opening import OpenedFabric
from fabric.jobs.placement import Placement
from fabric.jobs.rule import PlacementRule
from fabric.routing.loads import LinkLoads, ScheduleLoads
from fabric.routing.policies import Ecmp, Routing
from fabric.scenario import Scenario
from fabric.studies.advice.trial import Trial
from fabric.studies.verdicts.evidence import Evidence, evidence_of
from fabric.studies.verdicts.thresholds import SAME
from fabric.topology import ISL, NIC, NVLINK, Topology

# What an option of the command line is set to; None takes it away.
Option = str | int | None


class Cost(StrEnum):
    """What it takes to make a change, the cheapest first."""

    SETTING = "setting"
    RESTART = "restart"
    RECABLING = "recabling"
    PURCHASE = "purchase"


COSTS = tuple(Cost)


@dataclass(frozen=True, eq=False)
class Change:
    """A design with one thing changed.

    Attributes
    ----------
    lever : str
        The change, in a few words.
    cost : Cost
    how : str
        What to do.
    scenario : Scenario
        The job with it.
    options : mapping of str to Option
        Options of `loads` that say the same, by their names with underscores; None takes one away.
    vary : mapping of str to value
        Keys of the description that say the same, as `fabric.studies.designs.vary` takes them.
    before : str
        A command that has to run first: its name and options, ``{fabric}`` for the fabric, ``{all}`` for all options.
    fabric : str
        File of the fabric that is meant; empty: the one that is.
    repeatable : bool
        Whether options say it at all.
    """

    lever: str
    cost: Cost
    how: str
    scenario: Scenario
    options: Mapping[str, Option] = field(default_factory=dict)
    vary: Mapping[str, object] = field(default_factory=dict)
    before: str = ""
    fabric: str = ""
    repeatable: bool = True
    why_not: ClassVar[str] = ""


@dataclass(frozen=True)
class NotTried:
    """A lever that is not tried here.

    Attributes
    ----------
    lever : str
    cost : Cost
    why_not : str
    """

    lever: str
    cost: Cost
    why_not: str


Proposal = Change | NotTried


@dataclass(frozen=True, eq=False)
class Case:
    """What levers look at: a design, as it was run.

    Attributes
    ----------
    trial : Trial
    tables : callable
        ``tables(fabric, engine)``: forwarding tables anew; InputError where that cannot be.
    """

    trial: Trial
    tables: Callable[[OpenedFabric, str], LftDump]

    @property
    def scenario(self) -> Scenario:
        """The job as it is."""
        return self.trial.scenario

    @cached_property
    def evidence(self) -> Evidence:
        """The link that limits, and its like; of links as busy as it, one at the endpoints."""
        analysis = self.trial.analysis
        assert analysis.hottest is not None
        return evidence_of(analysis.loads, analysis.placement, analysis.routing, analysis.hottest, None, None)

    @cached_property
    def switches_matter(self) -> bool:
        """Whether switches and their cables can be what limits, and not NICs or NVLink alone.

        Where phases follow one another, an endpoint has several ports among which switches choose, or pairs have no
        route, they always can.
        """
        topology, loads = self.scenario.topology, self.trial.analysis.loads
        if loads.total.unrouted.pairs:
            return True
        ports = np.bincount(topology.link_tail[topology.link_kind == NIC], minlength=topology.n_nodes)
        several = int(ports[topology.endpoints].max(initial=0)) > 1 and self.evidence.kind == NIC
        in_turn = loads.overlap != "pipelined" and len(loads.phases) > 1
        return self.evidence.kind == ISL or several or in_turn

    @cached_property
    def ends_limit(self) -> bool:
        """Whether the NICs and NVLinks of the GPUs need as long for this traffic, whatever is between the switches."""
        if self.scenario.traffic.step is not None or self.trial.analysis.loads.total.unrouted.pairs:
            return False
        return self.trial.time_s < SAME * ends_s(self.trial.analysis.loads)

    @property
    def at_bound(self) -> bool:
        """Whether nothing is faster on these cables and hosts: no routing, and of a collective no algorithm."""
        return self.trial.over_bound is not None and self.trial.over_bound < SAME

    @property
    def algorithms_at_bound(self) -> bool:
        """Whether no algorithm helps either, switches that reduce aside."""
        bound = self.trial.bound
        return self.at_bound and bound is not None and bound.holds_for != ANY_ROUTING

    @property
    def switches_may_help(self) -> bool:
        """Whether an algorithm in which switches reduce could be faster than the bound."""
        return self.trial.bound is not None and self.trial.bound.holds_for == NO_REDUCING_SWITCHES


def ends_s(loads: ScheduleLoads) -> float:
    """What the NICs of the busiest GPU, and NVLink, need for the traffic, phase by phase; seconds."""
    topology = loads.topology
    nvlink, nics = topology.link_kind == NVLINK, topology.link_kind == NIC
    node = topology.endpoints
    gbps = [np.bincount(end[nics], topology.link_capacity_gbps[nics], topology.n_nodes)[node] for end in
            (topology.link_tail, topology.link_head)]  # fmt: skip

    def longest(one: LinkLoads) -> float:
        found = float(one.seconds[nvlink].max(initial=0.0))
        for end, most in zip((topology.link_tail, topology.link_head), gbps, strict=True):
            carried = np.bincount(end[nics], one.bytes[nics], topology.n_nodes)[node]
            found = max(found, float((carried[most > 0] / most[most > 0]).max(initial=0.0)) * 8e-9)
        return found

    if loads.overlap == "pipelined":
        return longest(loads.total)
    return sum(times * longest(one) for one, times in zip(loads.phases, loads.repeats, strict=True))


Lever = Callable[[Case], Iterator[Proposal]]


def flows_anew(scenario: Scenario) -> Routing:
    """Its routing; where the job's library decides how many flows a pair has, undecided again."""
    routing = scenario.routing
    if not isinstance(routing, Ecmp):
        return routing
    fresh = Ecmp(None, routing.seed, routing.shared_seed)
    return fresh if scenario.routed(fresh).routing == routing else routing


def elsewhere(scenario: Scenario, fabric: OpenedFabric, rule: PlacementRule | None = None) -> Scenario:
    """The job on another fabric, or placed by another rule.

    Where endpoints were given and no rule leads to them, they stay.

    Raises
    ------
    InputError
        If the job does not fit, or the routing is made for other links.
    """
    job = scenario.job
    rule_made = job.traffic.placement is None and _by_rule(scenario)
    if rule is None and not rule_made:
        return replace(scenario, fabric=fabric).routed(flows_anew(scenario))
    return scenario.variant(fabric, rule or job.rule, job.transport, flows_anew(scenario))


def _by_rule(scenario: Scenario) -> bool:
    try:
        placed = scenario.job.rule.place(scenario.fabric, scenario.placement.n_ranks)
    except InputError:
        return False
    return same_places(placed, scenario.placement)


def same_cables(one: Topology, other: Topology) -> bool:
    """Whether two fabrics have the same cables."""
    columns = ("link_tail", "link_head", "link_capacity_gbps")
    return all(np.array_equal(getattr(one, column), getattr(other, column)) for column in columns)


def same_places(one: Placement, other: Placement) -> bool:
    """Whether each rank is on the same endpoint."""
    return bool(np.array_equal(one.endpoint, other.endpoint))
