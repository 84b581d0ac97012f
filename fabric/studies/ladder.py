"""From naive to rail-aware, one step at a time, on the same switches and cables."""

from dataclasses import dataclass, replace

import numpy as np

from collectives.errors import InputError
from fabric.bounds.cuts import Bound
from fabric.builders.description import Wiring
from fabric.jobs.placement import Placement
from fabric.jobs.rule import PACKED, SCATTERED
from fabric.routing.link_loads import ScheduleLoads
from fabric.routing.policies import Adaptive, Ecmp, Routing
from fabric.scenario import DIRECT, PXN, Scenario
from fabric.studies.analysis import Analysis, Bounded, analyse, scenario_bound
from fabric.studies.hotspots import Hotspot, TierSummary
from fabric.topology import NVLINK, SWITCH, Topology


@dataclass(frozen=True)
class Design:
    """The four choices that "rail-aware" is made of."""

    wiring: Wiring
    pxn: bool
    scattered: bool
    routing: Routing


@dataclass(frozen=True, eq=False)
class Outcome(Bounded):
    """What one design gives.

    Attributes
    ----------
    step : str
    design : Design
    analysis : Analysis
    bound : Bound or None
        What cannot be beaten with this wiring and placement: `Bound.holds_for` says by what.
    """

    step: str
    design: Design
    analysis: Analysis
    bound: Bound | None

    @property
    def loads(self) -> ScheduleLoads:
        """Bytes per link."""
        return self.analysis.loads

    @property
    def placement(self) -> Placement:
        """Where the ranks are."""
        return self.analysis.placement

    @property
    def tiers(self) -> tuple[TierSummary, ...]:
        """Loads by tier and direction."""
        return self.analysis.tiers

    @property
    def hottest(self) -> Hotspot | None:
        """The link that sets the time (of the longest phase)."""
        return self.analysis.hottest


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


WIRINGS: tuple[Wiring, ...] = ("host", "rail")
STEPS: tuple[tuple[str, dict[str, object]], ...] = (
    ("wiring", {"wiring": "rail"}),
    ("transport", {"pxn": True}),
    ("placement", {"scattered": False}),
    ("routing", {"routing": Adaptive()}),
)


def ladder(scenario: Scenario, hashing: Ecmp | None = None) -> tuple[Rung, ...]:
    """Run naive, +wiring, +transport, +placement, +routing; each step also alone, and left out.

    The order of steps decides how a joint effect is shared among them; `alone` and `without` do not depend on it.

    Parameters
    ----------
    scenario : Scenario
        On a described fabric, which is wired both ways in turn: the same number of switches and cables.  The steps set
        placement, transport and routing; the seed of the scattered placement is that of the job's rule.
    hashing : Ecmp, optional
        The static hashing of the naive design.

    Raises
    ------
    InputError
        If the fabric has no description, the traffic places itself, or a design cannot carry the job.
    """
    undescribed = scenario.fabric.description is None
    if undescribed or scenario.traffic.placement is not None:
        what = "a fabric without a description" if undescribed else "traffic that names its endpoints"
        raise InputError(f"naive to rail-aware: {what}; expected a preset or TOML description and a job to place")
    wired = {wiring: scenario.fabric.wired(wiring) for wiring in WIRINGS}
    naive = naive_design(hashing or Ecmp())
    done: dict[Design, Outcome] = {}
    # A collective's bound depends on wiring and placement alone.
    bounds: dict[tuple[Wiring, bool], Bound | None] = {}

    def outcome(step: str, design: Design) -> Outcome:
        if design not in done:
            rule = scenario.job.rule.as_kind(SCATTERED if design.scattered else PACKED)
            transport = PXN if design.pxn else DIRECT
            studied = scenario.variant(wired[design.wiring], rule, transport, design.routing)
            same = (design.wiring, design.scattered)
            bound = bounds[same] if same in bounds else scenario_bound(studied)
            if scenario.traffic.collective is not None:
                bounds[same] = bound
            done[design] = Outcome(step, design, analyse(studied), bound)
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
        nvlink_domains=topology.n_domains,
        cables=topology.n_links // 2,
        nvlink_cables=int(np.count_nonzero(topology.link_kind == NVLINK)) // 2,
    )


def _ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator > 0 else None
