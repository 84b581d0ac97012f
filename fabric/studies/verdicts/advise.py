"""The verdict on what helps: the best of the cheapest class that matters, what more would do, or what the limit is."""

from collections.abc import Iterator

from fabric.studies.advice.study import Advice, Advised
from fabric.studies.verdicts.causes import causes_of
from fabric.studies.verdicts.evidence import Evidence, Trials, evidence_of
from fabric.studies.verdicts.loads import limit_text, nothing_carried, unrouted_cause
from fabric.studies.verdicts.remedy import at_bound, dearer, gain_text, remedies_of
from fabric.studies.verdicts.thresholds import SAME
from fabric.studies.verdicts.verdict import Cause, Fact, Verdict, sentences_of
from fabric.studies.verdicts.words import bound_text, busiest, limits, over_bound_text, seconds, times
from traces.naming import listed


def advise_verdict(advice: Advice, command: str = "") -> Verdict:
    """What to do, what it gains, and how to run it; where nothing helps, what the limit is.

    Parameters
    ----------
    advice : Advice
    command : str
        That runs `advice.best`; empty: what to do is said in words.
    """
    analysis, bound = advice.base.analysis, advice.base.bound
    unrouted = unrouted_cause(analysis.loads.total.unrouted)
    if analysis.hottest is None:
        return nothing_carried(unrouted)
    where = (analysis.loads, analysis.placement, analysis.routing, analysis.hottest)
    case = evidence_of(*where, bound, Trials.of(analysis))
    best = advice.best
    causes = causes_of(case)
    if best is None:
        sentences = sentences_of(_nothing(advice, case, causes, unrouted))
    else:
        sentences = sentences_of((*_remedy(advice, best), "" if unrouted is None else unrouted.text))[:2]
        # A command is copied as it is: no full stop.
        sentences = (*sentences, f"Apply: {command}" if command else f"To do: {best.how}.")
    facts: dict[str, Fact] = {
        "best": None if best is None else best.lever,
        "class": None if best is None else str(best.cost),
        "gain": None if best is None else best.gain,
        "combined_gain": advice.combined[-1].gain if advice.combined else None,
    }
    return Verdict(
        sentences=sentences,
        time_s=advice.base.time_s,
        limit=case.limit,
        over_bound=advice.base.over_bound,
        bound=None if bound is None else bound_text(bound),
        causes=causes if unrouted is None else (*causes, unrouted),
        facts=facts,
        helps=remedies_of(advice),
    )


def _nothing(
    advice: Advice, case: Evidence, causes: tuple[Cause, ...], unrouted: Cause | None
) -> Iterator[str | tuple[str, ...]]:
    nothing = "nothing helps" if at_bound(advice) else "nothing that was tried helps"
    base, limit = advice.base, case.limit
    over = "" if base.bound is None else f", {over_bound_text(base.time_s, base.bound)}"
    if base.scenario.traffic.step is not None:
        yield f"{nothing}: the step takes {seconds(base.time_s)}{over}; of what it sends, {limits(limit)}"
        return
    if case.time_s > SAME * limit.seconds:
        yield f"{nothing}: {limit_text(case.time_s, limit, case.bound)}"
    else:
        yield f"{nothing}: {limits(limit)}, {seconds(case.time_s)}{over}; {busiest(limit)}"
    if unrouted is not None:
        yield unrouted.text
    # Remedies are what was tried.
    yield from (cause.text for cause in causes[:1])


def _remedy(advice: Advice, best: Advised) -> Iterator[str | tuple[str, ...]]:
    assert best.trial is not None
    assert best.gain is not None
    time_s, bound = best.trial.time_s, best.trial.bound
    it = "the step" if advice.base.scenario.traffic.step is not None else "it"
    took = f"{gain_text(best, it)}, {seconds(time_s)}"
    took += "" if best.routed else f" instead of {seconds(advice.base.time_s)}"
    yield (f"{took}, {over_bound_text(time_s, bound)}", took) if bound is not None else took
    yield from _more(advice, best)


def _more(advice: Advice, best: Advised) -> Iterator[str]:
    """What dearer classes would do alone, and what all does together."""
    assert best.gain is not None
    said, most = [], best.gain
    for other in dearer(advice, best):
        assert other.trial is not None
        most = other.gain or most
        said.append(f"{gain_text(other)}, {seconds(other.trial.time_s)}")
    together = advice.combined[-1] if advice.combined else None
    if together is not None and len(advice.combined) > 1 and (together.gain or 0.0) >= SAME * max(most, 1.0):
        assert together.trial is not None
        assert together.gain is not None
        names = listed([row.lever for row in advice.combined], "and")
        said.append(f"together, {names} make it {times(together.gain)} times faster, {seconds(together.trial.time_s)}")
    if said:
        yield "; ".join(said)
