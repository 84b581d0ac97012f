"""What helps most, in words that all verdicts share: the best lever of `advise`, and what a dearer one would do."""

from fabric.studies.advice.lever import COSTS, Cost
from fabric.studies.advice.study import Advice, Advised
from fabric.studies.verdicts.thresholds import GAIN, SAME
from fabric.studies.verdicts.verdict import Remedy
from fabric.studies.verdicts.words import count, percent, seconds, times

A_COST = {
    Cost.SETTING: "a setting",
    Cost.RESTART: "a restart",
    Cost.RECABLING: "recabling",
    Cost.PURCHASE: "a purchase",
}


def gain_text(row: Advised, it: str = "it") -> str:
    """``adaptive routing (a setting) makes it 1.76 times faster``, or what it routes that has no route."""
    assert row.gain is not None
    if row.routed:
        return f"{row.lever} ({A_COST[row.cost]}) gives the {count(row.routed, 'pair')} without a route one"
    return f"{row.lever} ({A_COST[row.cost]}) makes {it} {times(row.gain)} times faster"


def dearer(advice: Advice, best: Advised) -> list[Advised]:
    """The best of each dearer class that gains more than all cheaper ones."""
    found, most = [], best.gain or 0.0
    for cost in COSTS[COSTS.index(best.cost) + 1 :]:
        other = advice.best_of(cost)
        if other is not None and (other.gain or 0.0) >= GAIN * most:
            found.append(other)
            most = other.gain or 0.0
    return found


def at_bound(advice: Advice) -> bool:
    """Whether nothing is faster on the cables and hosts that there are."""
    return advice.base.over_bound is not None and advice.base.over_bound < SAME


def help_texts(advice: Advice | None, what: str = "it") -> tuple[str, ...]:
    """What helps most, in several lengths; where nothing does, that; empty where it was not tried.

    Parameters
    ----------
    advice : Advice or None
    what : str
        What is faster; of a training step the step.
    """
    if advice is None or advice.base.analysis.hottest is None:
        return ()
    best = advice.best
    if best is None:
        return ("nothing helps",) if at_bound(advice) else ("nothing that was tried helps",)
    assert best.trial is not None
    base = advice.base
    it = "the step" if base.scenario.traffic.step is not None else what
    short = gain_text(best, it)
    took = f"{short}, {seconds(best.trial.time_s)}{'' if best.routed else f' instead of {seconds(base.time_s)}'}"
    if advice.share < 1:
        took += f", tried on {_part(advice)}"
    if len(base.times_s) > 1:
        took += f" (median of {len(base.times_s)} hash seeds)"
    more = [f"{other.lever} ({A_COST[other.cost]}) {times(other.gain or 1.0)} times" for other in dearer(advice, best)]
    said = (f"{took}; {more[-1]}", f"{short}; {more[-1]}") if more else ()
    return (*said, took, short)


def _part(advice: Advice) -> str:
    """The part of a job that levers were tried on, all else as it is."""
    if advice.base.scenario.traffic.step is not None:
        return f"the operations with {percent(advice.share)} of the exposed communication"
    return f"the phases that take {percent(advice.share)} of it"


def remedies_of(advice: Advice | None, what: str = "it") -> tuple[Remedy, ...]:
    """The levers that help of the best one's class, it first, and of each dearer class the best that gains more."""
    if advice is None or advice.best is None:
        return ()
    best = advice.best
    alike = [row for row in advice.helping if row.cost == best.cost and row is not best]
    rows = [best, *alike, *dearer(advice, best)]
    return tuple(
        Remedy(
            f"{gain_text(row, what)}: {row.how}",
            None if row.trial is None else row.trial.time_s,
            row.gain,
            row.lever,
            str(row.cost),
        )
        for row in rows
    )
