"""The verdict on one job on one fabric, as it was routed."""

from collections.abc import Iterator

from fabric.bounds.cuts import Bound
from fabric.routing.loads import Unrouted
from fabric.studies.advice.best import what_helps
from fabric.studies.advice.study import Advice
from fabric.studies.analysis import Analysis, HashSeeds
from fabric.studies.verdicts.causes import causes_of
from fabric.studies.verdicts.evidence import Evidence, Trials, evidence_of
from fabric.studies.verdicts.remedy import at_bound, help_texts, remedies_of
from fabric.studies.verdicts.thresholds import SAME
from fabric.studies.verdicts.verdict import Cause, CauseKind, Limit, Remedy, Verdict, sentences_of, with_help
from fabric.studies.verdicts.words import bound_text, busiest, count, links_of, over_bound_text, seconds


def loads_verdict(analysis: Analysis, seeds: HashSeeds | None = None) -> Verdict:
    """What limits, how far over the bound, why, and what helps most: the best lever of `advise`.

    Where a cause is suspected, the job is routed again without it: it is named only if that is faster.

    Parameters
    ----------
    analysis : Analysis
    seeds : HashSeeds, optional
        The same job over many hash seeds.
    """
    unrouted = unrouted_cause(analysis.loads.total.unrouted)
    if analysis.hottest is None:
        return nothing_carried(unrouted)
    where = (analysis.loads, analysis.placement, analysis.routing, analysis.hottest)
    case = evidence_of(*where, analysis.bound, Trials.of(analysis, seeds))
    return verdict_on(case, unrouted, what_helps(analysis.scenario, analysis))


def verdict_on(case: Evidence, unrouted: Cause | None = None, advice: Advice | None = None) -> Verdict:
    """The verdict that the evidence gives, and what helps."""
    bound = case.bound
    causes = causes_of(case)
    first = limit_text(case.time_s, case.limit, bound)
    return Verdict(
        sentences=_sentences(first, causes, unrouted, advice),
        time_s=case.time_s,
        limit=case.limit,
        over_bound=None if bound is None else case.time_s / bound.time_s,
        bound=None if bound is None else bound_text(bound),
        causes=causes if unrouted is None else (*causes, unrouted),
        helps=remedies_of(advice),
    )


def _sentences(first: str, causes: tuple[Cause, ...], unrouted: Cause | None, advice: Advice | None) -> tuple[str, ...]:
    helping = help_texts(advice)
    if advice is not None and advice.best is not None:
        why = unrouted or next(iter(causes), None)
        return with_help((first, "" if why is None else why.text), helping)
    if advice is not None and not at_bound(advice):
        return with_help(list(_parts(first, causes, unrouted)), helping)
    return sentences_of(_parts(first, causes, unrouted))


def _parts(first: str, causes: tuple[Cause, ...], unrouted: Cause | None) -> Iterator[str | tuple[str, ...]]:
    yield first
    if unrouted is not None:
        yield unrouted.sentence, unrouted.text
    yield from ((cause.sentence, cause.text) for cause in causes[:1])
    # A second cause is worth a sentence if it explains something of its own.
    yield from (cause.sentence for cause in causes[1:2] if cause.explains_s > 0)


def limit_text(time_s: float, limit: Limit, bound: Bound | None) -> str:
    """What sets the time, and how far that is over the bound."""
    took = f"the time, {seconds(time_s)}"
    if time_s > SAME * limit.seconds:
        took = f"{seconds(limit.seconds)} of the {seconds(time_s)}"
    over = "" if bound is None else f", {over_bound_text(time_s, bound)}"
    return f"{links_of(limit.tier, limit.direction)} set {took}{over}; {busiest(limit)}"


def unrouted_cause(unrouted: Unrouted) -> Cause | None:
    """Pairs that the tables leave without a way."""
    if not unrouted.pairs:
        return None
    text = f"{count(unrouted.pairs, 'pair')} without a route {'is' if unrouted.pairs == 1 else 'are'} left out"
    remedy = Remedy("a check of the fabric shows where the routes end")
    facts = {"pairs": unrouted.pairs, "bytes": unrouted.bytes}
    return Cause(CauseKind.UNROUTED, f"{text}, so the time is not that of the whole job", 0.0, {**facts}, (remedy,))


def nothing_carried(unrouted: Cause | None = None) -> Verdict:
    """No link carries a byte."""
    if unrouted is not None:
        cause = Cause(CauseKind.NOTHING_CARRIED, "no link carries anything")
        return Verdict(sentences_of((cause.text, unrouted.sentence)), 0.0, causes=(cause, unrouted))
    cause = Cause(CauseKind.NOTHING_CARRIED, "nothing is carried: no GPU sends a byte to another one")
    return Verdict(sentences_of((cause.text,)), 0.0, causes=(cause,))
