"""Which of several designs is best, in sentences: by how much, over which, and what it takes more."""

from collections.abc import Sequence

from collectives.sizes import counted
from fabric.studies.designs import SAME_TIME, DesignOutcome, ranked

# From about twice on, a factor reads better than a percentage.
_TWICE = 1.95


def designs_verdict(outcomes: Sequence[DesignOutcome]) -> tuple[str, ...]:
    """The best design against the next and against the first given, and the cheapest beside it.

    Parameters
    ----------
    outcomes : sequence of DesignOutcome
        As `compare_designs` returns them; of a single one there is nothing to say.
    """
    if len(outcomes) < 2:
        return ()
    order = ranked(outcomes)
    best = order[0]
    if all(one.time_s == 0 for one in order):
        return ("No design carries anything over its links.", *_different_jobs(outcomes))
    sentences = [_best(order), _against_first(best, outcomes[0]), _cheapest(best, outcomes)]
    return (*filter(None, sentences), *_different_jobs(outcomes))


def _best(order: tuple[DesignOutcome, ...]) -> str:
    best = order[0]
    equal = [one for one in order[1:] if one.time_s <= best.time_s * SAME_TIME]
    slower = order[1 + len(equal) :]
    said = f"Fastest: {best.name}"
    if equal:
        others = equal[0].name if len(equal) == 1 else f"{len(equal)} others"
        are = "is" if len(equal) == 1 else "are"
        said += f" ({others} {are} as fast, {_no_less(best, equal)})"
    return f"{said}; the next, {slower[0].name}, takes {_longer(slower[0], best)}." if slower else f"{said}."


def _no_less(best: DesignOutcome, equal: Sequence[DesignOutcome]) -> str:
    if best.cost is not None:
        dearer = any(one.cost is not None and one.cost.total > best.cost.total for one in equal)
        return "for no less money" if dearer else "for the same money"
    more = any(_counts(one) != _counts(best) for one in equal)
    return "with no fewer parts" if more else "with as many parts"


def _against_first(best: DesignOutcome, first: DesignOutcome) -> str:
    if best is first:
        return ""
    faster = f"{_longer(first, best)}" if first.time_s > best.time_s * SAME_TIME else "as long"
    return f"The first given, {first.name}, takes {faster}; {_instead(best, first)}."


def _instead(best: DesignOutcome, first: DesignOutcome) -> str:
    """What the best takes more or less than the first given."""
    changes = [
        _more(new - old, *noun)
        for new, old, noun in zip(
            _counts(best), _counts(first), (("switch", "switches"), ("cable", "cables")), strict=True
        )
        if new != old
    ]
    parts = " and ".join(changes)
    said = f"the fastest takes {parts}" if parts else "both have as many switches and cables"
    if best.cost is None or first.cost is None:
        return said
    return f"{said} and costs {_priced(best, first)}" if parts else f"{said}, and the fastest costs " + _priced(
        best, first
    )


def _cheapest(best: DesignOutcome, outcomes: Sequence[DesignOutcome]) -> str:
    priced = [one for one in outcomes if one.cost is not None]
    if best.cost is None or not priced:
        return ""
    least = min(one.cost.total for one in priced if one.cost is not None)
    if least >= best.cost.total:
        return ""
    cheap = min((one for one in priced if one.cost is not None and one.cost.total == least), key=lambda one: one.time_s)
    return f"Cheapest: {cheap.name}, which costs {_priced(cheap, best)} and takes {_longer(cheap, best)}."


def _priced(one: DesignOutcome, other: DesignOutcome) -> str:
    assert one.cost is not None
    assert other.cost is not None
    if one.cost.total == other.cost.total:
        return "the same"
    if other.cost.total == 0:
        return f"{one.cost.total:,.4g} {one.cost.currency} instead of nothing"
    ratio = one.cost.total / other.cost.total
    return f"{abs(ratio - 1):.1%} {'more' if ratio > 1 else 'less'}"


def _more(change: int, noun: str, plural: str) -> str:
    return f"{counted(abs(change), noun, plural)} {'more' if change > 0 else 'fewer'}"


def _longer(slow: DesignOutcome, fast: DesignOutcome) -> str:
    if fast.time_s == 0:
        return "some time where the other takes none"
    ratio = slow.time_s / fast.time_s
    return f"{ratio - 1:.1%} longer" if ratio < _TWICE else f"{ratio:.2f} times as long"


def _counts(outcome: DesignOutcome) -> tuple[int, int]:
    return outcome.parts.n_switches, outcome.parts.n_cables


def _different_jobs(outcomes: Sequence[DesignOutcome]) -> tuple[str, ...]:
    ranks = sorted({one.analysis.placement.n_ranks for one in outcomes})
    groups = sorted({one.analysis.traffic.group_size for one in outcomes})
    if len(ranks) == 1 and len(groups) == 1:
        return ()
    what = f"{ranks[0]:,} to {ranks[-1]:,} ranks" if len(ranks) > 1 else f"{ranks[0]:,} ranks"
    of = f" in groups of {groups[0]:,} to {groups[-1]:,}" if len(groups) > 1 else ""
    return (f"The designs do not run the same job: {what}{of}.",)
