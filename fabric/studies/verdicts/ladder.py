"""The verdict on a comparison of designs: which step pays for what, and what limits the best one."""

from fabric.studies.advice.best import what_helps
from fabric.studies.advice.study import Advice
from fabric.studies.ladder import Outcome, Rung
from fabric.studies.verdicts.causes import causes_of
from fabric.studies.verdicts.evidence import Evidence, Trials, evidence_of
from fabric.studies.verdicts.loads import nothing_carried
from fabric.studies.verdicts.remedy import help_texts, remedies_of
from fabric.studies.verdicts.thresholds import GAIN, SAME
from fabric.studies.verdicts.verdict import Cause, CauseKind, Fact, Verdict, ranked, sentences_of
from fabric.studies.verdicts.words import bound_text, busiest, links_of, over_bound_text, percent, seconds, times
from fabric.topology import NVLINK


def ladder_verdict(rungs: tuple[Rung, ...]) -> Verdict:
    """How much faster the rail-aware design is, which step pays most, and what is left to limit it.

    Parameters
    ----------
    rungs : tuple of Rung
        As `fabric.studies.ladder.ladder` returns them: the naive design first, the rail-aware one last.
    """
    naive, aware = rungs[0].outcome, rungs[-1].outcome
    if aware.hottest is None or naive.hottest is None:
        return nothing_carried()
    where = (aware.loads, aware.placement, aware.design.routing, aware.hottest)
    case = evidence_of(*where, aware.bound, Trials.of(aware.analysis))
    steps = tuple(step_cause(rung, aware.time_s) for rung in rungs[1:])
    idle = not aware.loads.total.bytes[aware.loads.topology.link_kind != NVLINK].any()
    facts: dict[str, Fact] = {
        "naive_time_s": naive.time_s,
        "rail_aware_time_s": aware.time_s,
        "factor": naive.time_s / aware.time_s,
        "network_idle": int(idle),
    }
    left = causes_of(case)
    advice = what_helps(aware.analysis.scenario, aware.analysis)
    return Verdict(
        sentences=sentences_of((_overall(naive, aware), _steps(rungs), _what_is_left(case, left, advice))),
        time_s=aware.time_s,
        limit=case.limit,
        over_bound=None if aware.bound is None else aware.time_s / aware.bound.time_s,
        bound=None if aware.bound is None else bound_text(aware.bound),
        causes=ranked((*steps, *left)),
        facts=facts,
        helps=remedies_of(advice),
    )


def _what_is_left(case: Evidence, causes: tuple[Cause, ...], advice: Advice | None) -> tuple[str, ...]:
    """What limits the rail-aware design, and what helps it or why, in several lengths."""
    limit, bound = case.limit, case.bound
    links = links_of(limit.tier, limit.direction)
    over = "" if bound is None else f", {over_bound_text(case.time_s, bound)}"
    if causes and causes[0].kind == CauseKind.NVLINK_ONLY:
        return (f"in it {causes[0].text}{over}", f"in it {causes[0].text}")
    first = f"what limits it are {links}{over}"
    if advice is not None and advice.best is not None:
        return (*(f"{first}; {text}" for text in help_texts(advice)), first)
    if not causes:
        return (f"{first}; {busiest(limit)}", first)
    return (f"{first}; {causes[0].sentence}", f"{first}; {causes[0].text}", first)


def _overall(naive: Outcome, aware: Outcome) -> str:
    took = f"{seconds(aware.time_s)} against {seconds(naive.time_s)}"
    low, high = min(naive.times_s), max(naive.times_s)
    if seconds(low) != seconds(high):
        took += f" ({seconds(low)} to {seconds(high)} by seed)"
    if naive.time_s >= SAME * aware.time_s:
        return f"the rail-aware design is {times(naive.time_s / aware.time_s)} times faster than the naive one, {took}"
    if aware.time_s >= SAME * naive.time_s:
        return f"the rail-aware design is {times(aware.time_s / naive.time_s)} times slower than the naive one, {took}"
    return f"the rail-aware design is no faster than the naive one: both take {seconds(aware.time_s)}"


def step_cause(rung: Rung, aware_s: float) -> Cause:
    """What one step does alone, and what is lost without it."""
    step = rung.outcome.step.removeprefix("+")
    facts: dict[str, Fact] = {"step": step, "gain": rung.gain, "alone": rung.alone, "without": rung.without}
    lost_s = max(0.0, aware_s * ((rung.without or 1.0) - 1.0))
    alone = "" if rung.alone is None else f"{times(rung.alone)} times as fast alone"
    without = "" if rung.without is None else f"{times(rung.without)} times as long without it"
    return Cause(CauseKind.STEP, f"{step}: {', '.join(part for part in (alone, without) if part)}", lost_s, facts)


def _steps(rungs: tuple[Rung, ...]) -> str:
    """The step that gains most alone, and the one that is missed most."""
    alone = {rung.outcome.step[1:]: rung.alone or 1.0 for rung in rungs[1:]}
    without = {rung.outcome.step[1:]: rung.without or 1.0 for rung in rungs[1:]}
    best, needed = max(alone, key=lambda step: alone[step]), max(without, key=lambda step: without[step])
    harmful = min(without, key=lambda step: without[step])
    said = []
    gains, misses = alone[best] >= GAIN, without[needed] >= GAIN
    if gains and misses and best == needed:
        said.append(
            f"{best} pays most: alone it makes the naive design {times(alone[best])} times faster, without it the "
            f"rail-aware one takes {times(without[needed])} times as long"
        )
    else:
        if gains:
            said.append(f"alone, {best} gains most ({times(alone[best])} times faster)")
        if misses:
            said.append(f"{needed} is missed most (without it {times(without[needed])} times as long)")
        elif gains:
            said.append("once the other steps are made, leaving one out costs nothing")
    if not said and rungs[0].outcome.time_s >= GAIN * rungs[-1].outcome.time_s:
        said.append("no step alone does it: they gain together")
    if without[harmful] * SAME < 1:
        said.append(f"without {harmful} it would take {percent(1 - without[harmful])} less")
    return "; ".join(said)
