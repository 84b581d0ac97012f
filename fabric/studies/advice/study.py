"""What helps a job: every lever run through the model, alone and the best of them together."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from collectives.errors import InputError
from fabric.bounds.cuts import ANY_ROUTING, NO_REDUCING_SWITCHES, Bound, job_bound
from fabric.formats.infiniband.lfts import LftDump, read_lfts
from fabric.formats.opening import OpenedFabric
from fabric.jobs.placement import Placement
from fabric.routing.policies import Ecmp
from fabric.scenario import Scenario
from fabric.studies.advice.job import ORDER_FILE
from fabric.studies.advice.lever import COSTS, Case, Change, Cost, Lever, NotTried, Option, same_cables, same_places
from fabric.studies.advice.levers import LEVERS
from fabric.studies.advice.longest import Longest
from fabric.studies.advice.trial import SEEDS, Trial, check_flows, hashed_flows, n_seeds, run, work_of
from fabric.studies.analysis import Analysis, scenario_bound
from fabric.studies.opensm import missing_tools, reroute
from fabric.studies.verdicts.thresholds import GAIN, SAME

# A gain is none by chance if this part of the hash seeds gains.  Assumed.
_MOST_SEEDS = 0.75
# Hashed flows of a design, all seeds, that take longer than the cuts of its fabric: assumed.
_MANY_FLOWS = 10_000_000
# What levers may take that nobody asked for, as `work_of` counts it: a second on two cores.  Assumed to be as long as
# anybody waits for a remark.
_MOST_WORK = 4_000_000
_TOO_LONG = "takes too long to be tried unasked; advise tries it"
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
    routed : int
        Pairs that have a route with it and had none; negative where fewer have one.
    steady : bool
        Whether it gains with nearly all hash seeds, where both designs hash; else it is chance.
    """

    lever: str
    cost: Cost
    how: str
    trial: Trial | None
    gain: float | None
    predicted_gain: float | None
    applied: Applied
    why_not: str = ""
    routed: int = 0
    steady: bool = True

    @property
    def ordered(self) -> bool:
        """Whether it takes an order of ranks out of a file."""
        return self.applied.options.get("placement") == ORDER_FILE

    @property
    def helps(self) -> bool:
        """Whether it gives pairs a route, or gains more than 1 %, not by chance, and loses nothing by its latency."""
        if self.routed or self.gain is None:
            return self.routed > 0
        return self.gain >= SAME and self.steady and (self.predicted_gain or 1.0) * SAME >= 1


@dataclass(frozen=True, eq=False)
class Advice:
    """What helps.

    Attributes
    ----------
    base : Trial
        The job as it is.
    rows : tuple of Advised
        Every lever: the cheapest class first, in it the best and then what gains most, what was not tried last.
    combined : tuple of Advised
        The best together, step by step: each row has its own change and those above it; gains are over `base`.
    assumptions : tuple of str
    share : float
        Part of the job's time that the levers were tried on, its longest phases or operations; of a step of the
        communication that nothing hides.
    left_out : int
        Levers that would have taken too long to be tried unasked.
    """

    base: Trial
    rows: tuple[Advised, ...]
    combined: tuple[Advised, ...]
    assumptions: tuple[str, ...]
    share: float = 1.0
    left_out: int = 0

    @property
    def helping(self) -> tuple[Advised, ...]:
        """Rows that help, in their order."""
        return tuple(row for row in self.rows if row.helps)

    def best_of(self, cost: Cost) -> Advised | None:
        """The best of a class; None where nothing helps.

        Of levers that gain the same but for 1 %, the one that is named first in `LEVERS`.
        """
        return next((row for row in self.helping if row.cost == cost), None)

    @property
    def best(self) -> Advised | None:
        """The best of the cheapest class in which one gains 5 %, else what gains most; None where nothing helps.

        Where pairs have no route, what gives most of them one comes first.
        """
        bests = [best for cost in COSTS if (best := self.best_of(cost)) is not None]
        most = max((best.routed for best in bests), default=0)
        if most > 0:
            return next(best for best in bests if best.routed == most)
        worth = next((best for best in bests if (best.gain or 0.0) >= GAIN), None)
        return worth or max(bests, key=lambda best: best.gain or 0.0, default=None)

    @property
    def order(self) -> Placement | None:
        """The order of ranks that gains most; None where none was tried."""
        for row in (*self.rows, *self.combined):
            if row.trial is not None and row.ordered:
                return row.trial.scenario.placement
        return None

    @property
    def recabled(self) -> OpenedFabric | None:
        """The fabric with other cables that gains most; None where no cable is missing or slow, or could be moved."""
        for row in (*self.rows, *self.combined):
            if row.trial is not None and row.applied.fabric:
                return row.trial.scenario.fabric
        return None

    def repeatable(self, row: Advised) -> bool:
        """Whether a command can run a row's design: options say it, and the files that it needs are those written."""
        if row.trial is None or not row.applied.repeatable:
            return False
        scenario, order, recabled = row.trial.scenario, self.order, self.recabled
        if row.ordered and order is not None and not same_places(scenario.placement, order):
            return False
        return not row.applied.fabric or recabled is None or same_cables(scenario.topology, recabled.topology)


class _Runs:
    """Trials of one study: a bound and tables that are known are not computed again."""

    def __init__(
        self, tables: "Callable[[OpenedFabric, str], LftDump] | None" = None, longest: Longest | None = None
    ) -> None:
        self._bounds: dict[tuple[int, bytes, bool], tuple[Scenario, Bound | None]] = {}
        self._tables: dict[tuple[int, str], tuple[OpenedFabric, LftDump]] = {}
        self.tables = tables or self._opensm
        self.longest = longest

    def run(self, scenario: Scenario, known: Analysis | None = None) -> Trial:
        """Route a design."""
        return run(scenario, self._bound, known, self.longest)

    def _bound(self, scenario: Scenario) -> Bound | None:
        """A collective's bound depends on cables and placement alone."""
        job = scenario.traffic
        if job.collective is None:
            return scenario_bound(scenario)
        key = (id(scenario.topology), scenario.placement.endpoint.tobytes(), job.switches_reduce)
        if key not in self._bounds:
            self._bounds[key] = scenario, scenario_bound(scenario)
        return self._bounds[key][1]

    def _opensm(self, fabric: OpenedFabric, engine: str) -> LftDump:
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


def single_advice(
    scenario: Scenario,
    known: Analysis | None = None,
    longest: Longest | None = None,
    levers: Sequence[Lever] = LEVERS,
    most_work: int | None = None,
) -> Advice:
    """Each lever alone, as `advise` tries it, but for what takes another program: what its best row is, is the same.

    Levers that cannot be better than one before them are left out, those whose bound is no better than the job as it
    is, and from `most_work` on all others.

    Parameters
    ----------
    scenario : Scenario
    known : Analysis, optional
        Of the scenario, where it was routed already; of its longest phases, if those are all that is looked at.
    longest : Longest, optional
        What of the job levers are tried on; default all of it.
    levers : sequence of Lever
    most_work : int, optional
        As `fabric.studies.advice.trial.work_of` counts it; default a second on two cores.

    Raises
    ------
    InputError
        If the job cannot be routed as it is.
    """
    runs = _Runs(no_tables, longest)
    base = runs.run(scenario, known)
    if base.analysis.hottest is None:
        return Advice(base, (), (), _assumptions(base))
    rows = _rows(base, Applied(), levers, runs, pruned=_MOST_WORK if most_work is None else most_work)
    left_out = sum(row.why_not == _TOO_LONG for row in rows)
    return Advice(base, rows, (), _assumptions(base), 1.0 if longest is None else longest.share, left_out)


def no_tables(fabric: OpenedFabric, engine: str) -> LftDump:
    """Tables by OpenSM, which is not run unasked."""
    raise InputError("OpenSM was not asked; advise asks it")


def _rows(
    now: Trial,
    so_far: Applied,
    levers: Sequence[Lever],
    runs: _Runs,
    costs: Sequence[Cost] = COSTS,
    pruned: int | None = None,
) -> tuple[Advised, ...]:
    """Every lever on the design `now`, with gains over it; in each class the best, then by gain."""
    case = Case(now, runs.tables)
    found: list[Advised] = []
    spent = 0
    for one in _proposals(case, levers):
        if one.cost not in costs or (pruned is not None and any(_beaten(now, row, one) for row in found)):
            continue
        if pruned is not None and isinstance(one, Change):
            one, work = _worth(now, found, one, runs, pruned - spent)
            spent += work
        found.append(_tried(now, one, so_far, runs))
    return tuple(row for cost in COSTS for row in _best_first([row for row in found if row.cost == cost]))


def _proposals(case: Case, levers: Sequence[Lever]) -> Iterator[Change | NotTried]:
    for lever in levers:
        yield from lever(case)


def _best_first(rows: list[Advised]) -> list[Advised]:
    """The first of those that help most but for 1 %; the others by their gains, what was not tried last."""
    rest = sorted(rows, key=lambda row: (row.gain is None, -row.routed, -(row.gain or 0.0)))
    routed = max((row.routed for row in rows if row.helps), default=0)
    helping = [row for row in rows if row.helps and row.routed == routed]
    most = max((row.gain or 0.0 for row in helping), default=0.0)
    best = next((row for row in helping if (row.gain or 0.0) * SAME >= most), None)
    return rest if best is None else [best, *(row for row in rest if row is not best)]


def _beaten(now: Trial, row: Advised, change: Change | NotTried) -> bool:
    """Whether a lever that was tried leaves a change of the same class nothing to gain: it is at the bound of both."""
    if not isinstance(change, Change) or row.cost != change.cost or row.trial is None or not row.helps:
        return False
    trial, base, other = row.trial, now.scenario, change.scenario
    own = trial.scenario
    if any(one.topology is not base.topology or one.placement is not base.placement for one in (own, other)):
        return False
    bound = trial.bound
    if bound is None or trial.run_s >= SAME * bound.time_s or trial.scenario.traffic.step is not None:
        return False
    if bound.holds_for == ANY_ROUTING:
        return other.traffic is own.traffic and other.job.transport == own.job.transport
    return not (bound.holds_for == NO_REDUCING_SWITCHES and other.traffic.switches_reduce)


def _worth(
    now: Trial, found: Sequence[Advised], change: Change, runs: _Runs, left: int
) -> tuple[Change | NotTried, int]:
    """A change and what it takes to run, or why it is not run: it cannot help, or takes more than what is left."""
    try:
        work = work_of(change.scenario, change.scenario.topology is not now.scenario.topology, runs.longest)
        hopeless = _hopeless(now, found, change)
    except InputError:
        # It cannot be run: why, running it says.
        return change, 0
    if hopeless:
        return NotTried(change.lever, change.cost, "its bound is no better than what there is"), 0
    return (change, work) if work <= left else (NotTried(change.lever, change.cost, _TOO_LONG), 0)


def _hopeless(now: Trial, found: Sequence[Advised], change: Change) -> bool:
    """Whether the cuts of a change with very many hashed flows show that it would be named by no verdict.

    It has to gain 1 %; where a cheaper one gains 5 % already, 5 % more than that one.
    """
    if now.scenario.traffic.step is not None or _unrouted(now) or hashed_flows(change.scenario) < _MANY_FLOWS:
        return False
    other, job = change.scenario, change.scenario.traffic
    bound = job_bound(
        other.topology, other.schedule, other.placement, job.collective, job.groups, job.bytes, job.switches_reduce
    )
    cheaper = [row.gain or 0.0 for row in found if row.helps and COSTS.index(row.cost) < COSTS.index(change.cost)]
    most = max(cheaper, default=0.0)
    least = GAIN * most if most >= GAIN else max(SAME, most)
    return bound is not None and now.run_s < least * bound.time_s


def _tried(now: Trial, proposal: Change | NotTried, so_far: Applied, runs: _Runs) -> Advised:
    if isinstance(proposal, NotTried):
        return Advised(proposal.lever, proposal.cost, "", None, None, None, so_far, proposal.why_not)
    applied = so_far.then(proposal)
    try:
        check_flows(proposal.scenario)
        trial = runs.run(proposal.scenario)
    except InputError as error:
        return Advised(proposal.lever, proposal.cost, proposal.how, None, None, None, applied, str(error))
    routed = _unrouted(now) - _unrouted(trial)
    return Advised(
        proposal.lever,
        proposal.cost,
        proposal.how,
        trial,
        *_gains(now, trial),
        applied,
        routed=routed,
        steady=_steady(now, trial),
    )


def _unrouted(trial: Trial) -> int:
    """Pairs without a route; of a step none, as one that lacks some is refused."""
    return 0 if trial.routed is None else trial.routed.loads.total.unrouted.pairs


def _steady(before: Trial, after: Trial) -> bool:
    """Whether nearly all hash seeds gain, of designs that both hash with several."""
    pairs = list(zip(before.times_s, after.times_s, strict=False))
    if len(before.times_s) == 1 or len(after.times_s) == 1:
        return True
    return sum(one >= other for one, other in pairs) >= _MOST_SEEDS * len(pairs)


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
    step = base.scenario.traffic.step is not None
    said = [
        "gains are of the whole step, with latency and the compute beside" if step else
        "gains are of the bottleneck time, which has no latency and no protocol overhead; with latency: --json",
        "each lever is tried on the whole model of the job; what it costs is a class, not a number",
    ]  # fmt: skip
    if isinstance(base.scenario.routing, Ecmp):
        number = n_seeds(base.scenario)
        few = f", fewer than {SEEDS} for many flows" if number < SEEDS else ""
        said.append(f"times of hashed designs are the median of {number} hash seeds{few}")
    if unrouted := _unrouted(base):
        said.append(
            f"pairs without a route are left out as it is ({unrouted:,}): a lever that routes them carries more"
        )
    return (*base.scenario.assumptions, *said)
