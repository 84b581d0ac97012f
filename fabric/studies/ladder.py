"""From naive to rail-aware, one step at a time, on the same switches and cables."""

from dataclasses import dataclass, replace

import numpy as np

from collectives.errors import InputError
from collectives.suggestion import hint
from fabric.bounds.cuts import Bound
from fabric.builders.description import Wiring
from fabric.jobs.placement import Placement
from fabric.jobs.rule import DRAWN, NAIVE, PACKED, UNALIGNED
from fabric.routing.link_loads import ScheduleLoads
from fabric.routing.policies import Adaptive, Ecmp, Routing
from fabric.scenario import DIRECT, PXN, Scenario
from fabric.studies.analysis import Analysis, Bounded, analyse_each, scenario_bound
from fabric.studies.hotspots import Hotspot, TierSummary
from fabric.topology import NVLINK, SWITCH, Topology


@dataclass(frozen=True)
class Design:
    """The four choices that "rail-aware" is made of."""

    wiring: Wiring
    pxn: bool
    placement: str
    routing: Routing

    @property
    def drawn(self) -> bool:
        """Whether a seed decides what it gives: of hashes, or of the placement."""
        return isinstance(self.routing, Ecmp) or self.placement in DRAWN

    def seeded(self, seed: int) -> "Design":
        """The same design with another seed of its hashes."""
        if not isinstance(self.routing, Ecmp):
            return self
        return replace(self, routing=replace(self.routing, seed=seed))


@dataclass(frozen=True, eq=False)
class Outcome(Bounded):
    """What one design gives.

    Attributes
    ----------
    step : str
    design : Design
    analysis : Analysis
        Of the seed whose time is the median, the lower one of two.
    bound : Bound or None
        What cannot be beaten with this wiring and placement: `Bound.holds_for` says by what.
    times_s : tuple of float
        Of every seed, seconds, in the order of the seeds; one where no seed decides.
    """

    step: str
    design: Design
    analysis: Analysis
    bound: Bound | None
    times_s: tuple[float, ...]

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


# Seeds of hashes and of drawn placements that are tried: enough to see a range, few enough to wait for.
USUAL_SEEDS = 5


def naive_design(routing: Ecmp, placement: str = UNALIGNED) -> Design:
    """Top-of-rack wiring, no PXN, a placement that does not look at groups, static hashing."""
    return Design(wiring="host", pxn=False, placement=placement, routing=routing)


WIRINGS: tuple[Wiring, ...] = ("host", "rail")
STEPS: tuple[tuple[str, dict[str, object]], ...] = (
    ("wiring", {"wiring": "rail"}),
    ("transport", {"pxn": True}),
    ("placement", {"placement": PACKED}),
    ("routing", {"routing": Adaptive()}),
)


def ladder(
    scenario: Scenario,
    hashing: Ecmp | None = None,
    naive_placement: str = UNALIGNED,
    n_seeds: int = USUAL_SEEDS,
) -> tuple[Rung, ...]:
    """Run naive, +wiring, +transport, +placement, +routing; each step also alone, and left out.

    The order of steps decides how a joint effect is shared among them; `alone` and `without` do not depend on it.

    Parameters
    ----------
    scenario : Scenario
        On a described fabric, which is wired both ways in turn: the same number of switches and cables.  The steps set
        placement, transport and routing; the first seed of a drawn placement is that of the job's rule.
    hashing : Ecmp, optional
        The static hashing of the naive design, with its first seed.
    naive_placement : {"unaligned", "fragmented", "scattered"}
        How the naive design places the job.
    n_seeds : int
        Seeds of hashes and drawn placements; a design that no seed decides is run once.

    Raises
    ------
    InputError
        If the fabric has no description, the traffic places itself, or a design cannot carry the job.
    """
    undescribed = scenario.fabric.description is None
    if undescribed or scenario.traffic.placement is not None:
        what = "a fabric without a description" if undescribed else "traffic that names its endpoints"
        raise InputError(f"naive to rail-aware: {what}; expected a preset or TOML description and a job to place")
    if naive_placement not in NAIVE:
        raise InputError(f"naive placement {naive_placement!r}: unknown; {hint(naive_placement, NAIVE)}")
    if n_seeds < 1:
        raise InputError(f"seeds: expected an integer >= 1, got {n_seeds}")
    wired = {wiring: scenario.fabric.wired(wiring) for wiring in WIRINGS}
    naive = naive_design(hashing or Ecmp(), naive_placement)
    done: dict[Design, Outcome] = {}
    # A collective's bound depends on wiring and placement alone.
    bounds: dict[tuple[Wiring, str], Bound | None] = {}

    def scenario_of(design: Design, number: int) -> Scenario:
        """A design with the seeds that are so many after the first ones."""
        rule = replace(scenario.job.rule.as_kind(design.placement), seed=scenario.job.rule.seed + number)
        routing = (
            design.seeded(naive.routing.seed + number).routing if isinstance(naive.routing, Ecmp) else design.routing
        )
        return scenario.variant(wired[design.wiring], rule, PXN if design.pxn else DIRECT, routing)

    def outcome(step: str, design: Design) -> Outcome:
        if design not in done:
            runs = list(analyse_each([scenario_of(design, number) for number in range(n_seeds if design.drawn else 1)]))
            times = tuple(run.time_s for run in runs)
            median = sorted(range(len(runs)), key=times.__getitem__)[(len(runs) - 1) // 2]
            same = (design.wiring, design.placement)
            bound = bounds[same] if same in bounds else scenario_bound(runs[median].scenario)
            if scenario.traffic.collective is not None:
                bounds[same] = bound
            done[design] = Outcome(step, design, runs[median], bound, times)
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
