"""The verdict on designs side by side: the best, by how much over which, and what it takes more."""

from collections.abc import Sequence

from fabric.studies.designs import DesignOutcome, ranked
from fabric.studies.verdicts.evidence import evidence_of
from fabric.studies.verdicts.loads import nothing_carried
from fabric.studies.verdicts.thresholds import SAME
from fabric.studies.verdicts.verdict import Fact, Verdict, sentences_of
from fabric.studies.verdicts.words import TWICE, bound_text, count, percent, seconds, times


def designs_verdict(outcomes: Sequence[DesignOutcome]) -> Verdict:
    """The fastest design against the next, the first given and the cheapest.

    Parameters
    ----------
    outcomes : sequence of DesignOutcome
        As `fabric.studies.designs.compare_designs` returns them.
    """
    order, first = ranked(outcomes), outcomes[0]
    best = order[0]
    hottest = best.analysis.hottest
    if hottest is None:
        return nothing_carried()
    analysis = best.analysis
    limit = evidence_of(analysis.loads, analysis.placement, analysis.routing, hottest, best.bound, None).limit
    facts: dict[str, Fact] = {
        "best": best.name,
        "first": first.name,
        "best_time_s": best.time_s,
        "first_time_s": first.time_s,
    }
    if best.cost is not None and first.cost is not None:
        facts |= {"best_cost": best.cost.total, "first_cost": first.cost.total, "currency": best.cost.currency}
    return Verdict(
        sentences=sentences_of((_best(order), _jobs(outcomes), _first(best, first), _cheapest(best, outcomes))),
        time_s=best.time_s,
        limit=limit,
        over_bound=best.over_bound,
        bound=None if best.bound is None else bound_text(best.bound),
        facts=facts,
    )


def _best(order: tuple[DesignOutcome, ...]) -> tuple[str, ...]:
    """The fastest and the next, in several lengths."""
    best = order[0]
    if len(order) == 1:
        return (f"the one design, {best.name}, takes {seconds(best.time_s)}", f"it takes {seconds(best.time_s)}")
    equal = [one for one in order[1:] if one.time_s <= best.time_s * SAME]
    slower = order[1 + len(equal) :]
    if not slower:
        least = f"; {best.name} {_least(best, equal)}" if _least(best, equal) else ""
        same = f"all {len(order)} designs take {seconds(best.time_s)}"
        return (f"{same}{least}", same)
    others = "" if not equal else f", as does {equal[0].name}" if len(equal) == 1 else f", as do {len(equal)} others"
    fastest = f"the fastest of {len(order)} designs is {best.name}: it takes {seconds(best.time_s)}"
    return (
        f"{fastest}{others}; the next, {slower[0].name}, takes {_longer(slower[0], best)}",
        f"{fastest}{others}; the next takes {_longer(slower[0], best)}",
        fastest,
    )


def _least(best: DesignOutcome, equal: Sequence[DesignOutcome]) -> str:
    """What makes the best of equally fast ones the best; empty where they are alike in that too."""
    if best.cost is not None:
        return "costs least" if any(_cost(one) > _cost(best) for one in equal) else ""
    return "has the fewest parts" if any(_parts(one) != _parts(best) for one in equal) else ""


def _first(best: DesignOutcome, first: DesignOutcome) -> tuple[str, ...]:
    if best is first:
        return ()
    slower = first.time_s > best.time_s * SAME
    took = f"takes {_longer(first, best)}" if slower else "is as fast"
    against = f"against it the fastest has {_more_parts(best, first)}"
    if best.cost is not None:
        against += f" and costs {_priced(best, first)}"
    return (f"the first, {first.name}, {took}; {against}", f"the first {took}; {against}")


def _more_parts(best: DesignOutcome, first: DesignOutcome) -> str:
    changes = [new - old for new, old in zip(_parts(best), _parts(first), strict=True)]
    nouns = (("switch", "switches"), ("cable", "cables"))
    said = [
        f"{count(abs(change), *noun)} {'more' if change > 0 else 'fewer'}"
        for change, noun in zip(changes, nouns, strict=True)
        if change
    ]
    return " and ".join(said) or "as many switches and cables"


def _cheapest(best: DesignOutcome, outcomes: Sequence[DesignOutcome]) -> tuple[str, ...]:
    if best.cost is None:
        return ()
    cheapest = min(outcomes, key=lambda one: (_cost(one), one.time_s))
    if _cost(cheapest) >= _cost(best):
        return ()
    ending = f"costs {_priced(cheapest, best)} than the fastest and takes {_longer(cheapest, best)}"
    return (f"the cheapest, {cheapest.name}, {ending}", f"the cheapest {ending}")


def _priced(one: DesignOutcome, other: DesignOutcome) -> str:
    mine, its = _cost(one), _cost(other)
    if mine == its:
        return "the same"
    change = percent(abs(mine / its - 1)) if its > 0 else f"{mine:,.4g}"
    return f"{change} {'more' if mine > its else 'less'}"


def _cost(outcome: DesignOutcome) -> float:
    assert outcome.cost is not None
    return outcome.cost.total


def _parts(outcome: DesignOutcome) -> tuple[int, int]:
    return outcome.parts.n_switches, outcome.parts.n_cables


def _longer(slow: DesignOutcome, fast: DesignOutcome) -> str:
    ratio = slow.time_s / fast.time_s
    return f"{percent(ratio - 1)} longer" if ratio < TWICE else f"{times(ratio)} times as long"


def _jobs(outcomes: Sequence[DesignOutcome]) -> str:
    """That the designs do not run the same job, if so."""
    ranks = sorted({one.analysis.placement.n_ranks for one in outcomes})
    groups = sorted({one.analysis.traffic.group_size for one in outcomes})
    if len(ranks) == len(groups) == 1:
        return ""
    said = f"{ranks[0]:,} to {ranks[-1]:,} ranks" if len(ranks) > 1 else count(ranks[0], "rank")
    of = f" in groups of {groups[0]:,} to {groups[-1]:,}" if len(groups) > 1 else ""
    return f"the designs do not run the same job: {said}{of}"
