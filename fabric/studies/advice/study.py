"""What helps a job: every lever run through the model, alone and the best of them together."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from collectives.errors import InputError
from fabric.bounds.cuts import Bound
from fabric.formats.infiniband.lfts import LftDump, read_lfts
from fabric.formats.opening import OpenedFabric
from fabric.jobs.placement import Placement
from fabric.routing.policies import Ecmp
from fabric.scenario import Scenario
from fabric.studies.advice.job import ORDER_FILE
from fabric.studies.advice.lever import COSTS, Case, Change, Cost, Lever, NotTried, Option, same_cables, same_places
from fabric.studies.advice.levers import LEVERS
from fabric.studies.advice.trial import SEEDS, Trial, check_flows, n_seeds, run
from fabric.studies.opensm import missing_tools, reroute
from fabric.studies.verdicts.thresholds import SAME

# OpenSM computes tables of some thousand endpoints in seconds; nobody waits longer for one lever: assumed.
_OPENSM_S = 60.0


@dataclass(frozen=True, eq=False)
class Applied:
    """How a design is reached from the one that is: what all of its changes say together.

    Attributes
    ----------
    options : dict of str to Option
        Options of `loads`, by their names with underscores; None takes one away.
    vary : dict of str to value
        Keys of the description, as `fabric.studies.designs.vary` takes them.
    before : tuple of str
        Commands that have to run first.
    fabric : str
        File of the fabric that is meant; empty: the one that is.
    repeatable : bool
        Whether options say it at all.
    """

    options: dict[str, Option] = field(default_factory=dict)
    vary: dict[str, object] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    fabric: str = ""
    repeatable: bool = True

    def then(self, change: Change) -> "Applied":
        """The same and one change more."""
        options, fabric = {**self.options, **change.options}, change.fabric or self.fabric
        return Applied(
            options,
            {**self.vary, **change.vary},
            (*self.before, change.before) if change.before else self.before,
            fabric,
            self.repeatable and change.repeatable and not (fabric and options.get("lfts")),
        )


@dataclass(frozen=True, eq=False)
class Advised:
    """A lever, and what it gives.

    Attributes
    ----------
    lever : str
    cost : Cost
    how : str
        What to do.
    trial : Trial or None
        None where it was not tried.
    gain : float or None
        Time without it over time with it.
    predicted_gain : float or None
        The same of times with latency; None where they are not known.
    applied : Applied
    why_not : str
        Why it was not tried; empty where it was.
    """

    lever: str
    cost: Cost
    how: str
    trial: Trial | None
    gain: float | None
    predicted_gain: float | None
    applied: Applied
    why_not: str = ""

    @property
    def ordered(self) -> bool:
        """Whether it takes an order of ranks out of a file."""
        return self.applied.options.get("placement") == ORDER_FILE

    @property
    def helps(self) -> bool:
        """Whether it gains more than 1 %, and loses nothing by its latency."""
        return self.gain is not None and self.gain >= SAME and (self.predicted_gain or 1.0) * SAME >= 1


@dataclass(frozen=True, eq=False)
class Advice:
    """What helps.

    Attributes
    ----------
    base : Trial
        The job as it is.
    rows : tuple of Advised
        Every lever: the cheapest class first, in it what gains most, what was not tried last.
    combined : tuple of Advised
        The best together, step by step: each row has its own change and those above it; gains are over `base`.
    assumptions : tuple of str
    """

    base: Trial
    rows: tuple[Advised, ...]
    combined: tuple[Advised, ...]
    assumptions: tuple[str, ...]

    @property
    def helping(self) -> tuple[Advised, ...]:
        """Rows that help, in their order."""
        return tuple(row for row in self.rows if row.helps)

    def best_of(self, cost: Cost) -> Advised | None:
        """What gains most in a class; None where nothing helps."""
        return next((row for row in self.helping if row.cost == cost), None)

    @property
    def order(self) -> Placement | None:
        """The order of ranks that gains most; None where none was tried."""
        for row in (*self.rows, *self.combined):
            if row.trial is not None and row.ordered:
                return row.trial.scenario.placement
        return None

    @property
    def mended(self) -> OpenedFabric | None:
        """The fabric with the cables mended that gain most; None where no cable is missing or slow."""
        for row in (*self.rows, *self.combined):
            if row.trial is not None and row.applied.fabric:
                return row.trial.scenario.fabric
        return None

    def repeatable(self, row: Advised) -> bool:
        """Whether a command can run a row's design: options say it, and the files that it needs are those written."""
        if row.trial is None or not row.applied.repeatable:
            return False
        scenario, order, mended = row.trial.scenario, self.order, self.mended
        if row.ordered and order is not None and not same_places(scenario.placement, order):
            return False
        return not row.applied.fabric or mended is None or same_cables(scenario.topology, mended.topology)


class _Runs:
    """Trials of one study: a bound and tables that are known are not computed again."""

    def __init__(self) -> None:
        self._bounds: dict[tuple[int, bytes, bool], tuple[Scenario, Bound | None]] = {}
        self._tables: dict[tuple[int, str], tuple[OpenedFabric, LftDump]] = {}

    def run(self, scenario: Scenario) -> Trial:
        """Route a design; a collective's bound depends on cables and placement alone."""
        job = scenario.traffic
        key = (id(scenario.topology), scenario.placement.endpoint.tobytes(), job.switches_reduce)
        known = self._bounds.get(key, (scenario, None))[1] if job.collective is not None else None
        trial = run(scenario, known)
        self._bounds[key] = (scenario, trial.bound)
        return trial

    def tables(self, fabric: OpenedFabric, engine: str) -> LftDump:
        """Tables by OpenSM.

        Raises
        ------
        InputError
            If it is not installed, or cannot route the fabric.
        """
        if missing := missing_tools():
            raise InputError(f"{', '.join(missing)} not installed, which computes tables")
        key = (id(fabric.topology), engine)
        if key not in self._tables:
            with tempfile.TemporaryDirectory(prefix="railscope-advise-") as folder:
                path = Path(folder) / f"{engine}.lfts"
                path.write_text(reroute(fabric, engine, _OPENSM_S), encoding="utf-8")
                self._tables[key] = fabric, replace(read_lfts(path), source=path.name)
        return self._tables[key][1]


def advise(scenario: Scenario, levers: Sequence[Lever] = LEVERS) -> Advice:
    """Try every lever on a job, and the best of them together.

    Parameters
    ----------
    scenario : Scenario
    levers : sequence of Lever
        Functions of a `Case`: see `fabric.studies.advice.levers`.

    Raises
    ------
    InputError
        If the job cannot be routed as it is.
    """
    runs = _Runs()
    base = runs.run(scenario)
    if base.analysis.hottest is None:
        return Advice(base, (), (), _assumptions(base))
    rows = _rows(base, Applied(), levers, runs)
    return Advice(base, rows, _combined(base, rows, levers, runs), _assumptions(base))


def _rows(
    now: Trial, so_far: Applied, levers: Sequence[Lever], runs: _Runs, costs: Sequence[Cost] = COSTS
) -> tuple[Advised, ...]:
    """Every lever on the design `now`, with gains over it; the best first within a class."""
    case = Case(now, runs.tables)
    proposals = [one for lever in levers for one in lever(case) if one.cost in costs]
    found = [_tried(now, one, so_far, runs) for one in proposals]
    return tuple(sorted(found, key=lambda row: (COSTS.index(row.cost), row.gain is None, -(row.gain or 0.0))))


def _tried(now: Trial, proposal: Change | NotTried, so_far: Applied, runs: _Runs) -> Advised:
    if isinstance(proposal, NotTried):
        return Advised(proposal.lever, proposal.cost, "", None, None, None, so_far, proposal.why_not)
    applied = so_far.then(proposal)
    try:
        check_flows(proposal.scenario)
        trial = runs.run(proposal.scenario)
    except InputError as error:
        return Advised(proposal.lever, proposal.cost, proposal.how, None, None, None, applied, str(error))
    gains = _gains(now, trial)
    return Advised(proposal.lever, proposal.cost, proposal.how, trial, *gains, applied)


def _gains(before: Trial, after: Trial) -> tuple[float | None, float | None]:
    """Of the bottleneck time, and of the time with latency."""
    gain = before.time_s / after.time_s if after.time_s > 0 else None
    known = before.predicted_s is not None and after.predicted_s
    return gain, before.predicted_s / after.predicted_s if known else None  # type: ignore[operator]


def _combined(base: Trial, rows: tuple[Advised, ...], levers: Sequence[Lever], runs: _Runs) -> tuple[Advised, ...]:
    """Class by class, the cheapest first: the best change while one gains; cheaper ones again after dearer ones."""
    steps: list[Advised] = []
    now, so_far, untried, place = base, Applied(), set(COSTS), 0
    while place < len(COSTS):
        costs = [cost for cost in COSTS[: place + 1] if cost in untried]
        tried = _rows(now, so_far, levers, runs, costs) if steps else rows
        best = next((row for row in tried if row.cost in costs and row.helps), None)
        if best is None or best.trial is None:
            untried.difference_update(costs)
            place += 1
            continue
        gain, predicted_gain = _gains(base, best.trial)
        steps.append(replace(best, gain=gain, predicted_gain=predicted_gain))
        now, so_far, untried = best.trial, best.applied, set(COSTS)
    return tuple(steps)


def _assumptions(base: Trial) -> tuple[str, ...]:
    said = [
        "gains are of the bottleneck time, which has no latency and no protocol overhead; with latency: --json",
        "each lever is tried on the whole model of the job; what it costs is a class, not a number",
    ]
    if isinstance(base.scenario.routing, Ecmp):
        number = n_seeds(base.scenario)
        few = f", fewer than {SEEDS} for many flows" if number < SEEDS else ""
        said.append(f"times of hashed designs are the median of {number} hash seeds{few}")
    unrouted = base.analysis.loads.total.unrouted.pairs
    if unrouted:
        said.append(
            f"pairs without a route are left out as it is ({unrouted:,}): a lever that routes them carries more"
        )
    return (*base.scenario.assumptions, *said)
