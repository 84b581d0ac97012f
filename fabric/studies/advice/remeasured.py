"""Advice by a report's own measure of time: the best levers, run once more as the report runs the job."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from collectives.errors import InputError
from fabric.scenario import Scenario
from fabric.studies.advice.lever import COSTS
from fabric.studies.advice.study import Advice, Advised

# Levers that are run again: the best, and those of other classes.  Assumed: each takes as long as the report itself.
MOST = 2


def remeasured(advice: Advice, before_s: float, measure: Callable[[Scenario], float], most: int = MOST) -> Advice:
    """The best levers of an advice alone, with the times that they have by another measure.

    Those that do not gain by it, or that it refuses, do not help.

    Parameters
    ----------
    advice : Advice
    before_s : float
        Of the job as it is.
    measure : callable
        Of a scenario with a lever; InputError where it cannot be run.
    most : int
        Levers that are run.
    """
    if advice.best is None:
        return advice
    rows = tuple(_rows(advice, before_s, measure, most))
    return replace(advice, base=replace(advice.base, times_s=(before_s,), rest_s=0.0), rows=rows, share=1.0)


def _rows(advice: Advice, before_s: float, measure: Callable[[Scenario], float], most: int) -> Iterator[Advised]:
    best = advice.best
    bests = (advice.best_of(cost) for cost in COSTS)
    chosen = [best, *(row for row in bests if row is not best)]
    for row in [row for row in chosen if row is not None][:most]:
        assert row.trial is not None
        try:
            lasted = measure(row.trial.scenario)
        except InputError:
            continue
        trial = replace(row.trial, times_s=(lasted,), rest_s=0.0)
        yield replace(row, trial=trial, gain=before_s / lasted if lasted > 0 else None, predicted_gain=None, routed=0)
