"""The verdict on a sweep: the best and the worst point, what matters most, what failed."""

from collections.abc import Iterator

from fabric.studies.sweep.point import labels_of
from fabric.studies.sweep.result import METRIC_WORDS, Ranked, SweepResult
from fabric.studies.sweep.spread import OVER_FASTEST
from fabric.studies.verdicts.thresholds import SAME
from fabric.studies.verdicts.verdict import Fact, Verdict, sentences_of
from fabric.studies.verdicts.words import count, percent, seconds, times

# A parameter that explains less is no answer to what matters: assumed.
_WORTH_A_WORD = 0.05
# Of several points, of one.
_VERBS = {"time_s": ("take", "takes"), "busbw_GBps": ("reach", "reaches"), "over_bound": ("take", "takes"),
          "over_fastest": ("take", "takes"), "imbalance": ("have", "has")}  # fmt: skip


def sweep_verdict(result: SweepResult) -> Verdict:
    """What a sweep says; at least one of its points has a result.

    Parameters
    ----------
    result : SweepResult
    """
    ranked = result.ranked
    facts: dict[str, Fact] = {"points": len(result.swept.points), "failed": len(result.swept.failures),
                              "missing": result.swept.n_missing, "metric": result.metric}  # fmt: skip
    if ranked:
        facts |= {"best": result.name_of(ranked[0].point), "worst": result.name_of(ranked[-1].point),
                  "factor": result.factor}  # fmt: skip
    best = ranked[0].entry.outcome if ranked else None
    return Verdict(
        sentences=sentences_of((_ends(result), _matters(result), _left_out(result))),
        time_s=None if best is None else best.time_s,
        over_bound=None if best is None else best.over_bound,
        facts=facts,
    )


def points_verdict(result: SweepResult) -> Verdict:
    """How many points there are, and how many are done."""
    n, missing = len(result.swept.points), result.swept.n_missing
    bad = sum(bool(point.problem) for point in result.swept.points)
    said = f"{count(n, 'point')}: {n - missing:,} done, {missing:,} to run"
    problem = next((point.problem for point in result.swept.points if point.problem), "")
    cannot = f"{count(bad, 'point')} cannot run, the first: {problem}" if bad else ""
    facts: dict[str, Fact] = {"points": n, "missing": missing, "failed": len(result.swept.failures)}
    return Verdict(sentences=sentences_of((said, cannot)), facts=facts)


def value_text(metric: str, value: float) -> str:
    """What points are compared by, with its unit."""
    if metric == "time_s":
        return seconds(value)
    if metric == "busbw_GBps":
        return f"{value:.4g} GB/s"
    return f"{value:.3f}x"


def _ends(result: SweepResult) -> tuple[str, ...]:
    ranked = result.ranked
    if not ranked:
        return (f"no point has a {METRIC_WORDS[result.metric]} to compare",)
    best, worst, n = ranked[0], ranked[-1], len(ranked)
    if n == 1:
        return (f"the one point with a result {_reaches(result, best)}",)
    if (result.factor or 1.0) < SAME:
        return (f"all {n:,} points {_reaches(result, best, several=True)}: nothing that is varied matters",)
    names = [result.name_of(one.point) for one in (best, worst)]
    ending = f"the worst {_worse(result)}"
    first = f"the best of {n:,} points {_reaches(result, best)}"
    return (
        f"the best of {n:,} points, {names[0]}, {_reaches(result, best)}; the worst, {names[1]}, {_worse(result)}",
        f"the best of {n:,} points, {names[0]}, {_reaches(result, best)}; {ending}",
        f"{first}; {ending}",
    )


def _reaches(result: SweepResult, one: Ranked, several: bool = False) -> str:
    verb = _VERBS[result.metric][0 if several else 1]
    value = value_text(result.metric, one.value)
    if result.metric == "over_bound":
        return f"{verb} {times(one.value)} times its bound"
    if result.metric == OVER_FASTEST:
        return f"{verb} {times(one.value)} times the fastest of its job" if several else f"{verb} the least of its job"
    if result.metric == "imbalance":
        return f"{verb} a max/mean of {one.value:.3g} between switches"
    over = one.entry.outcome.over_bound
    if over is None or several:
        return f"{verb} {value}"
    if over < SAME:
        return f"{verb} {value}, at its bound"
    what = "" if result.metric == "time_s" else "in "
    return f"{verb} {value}, {what}{times(over)} times its bound"


def _worse(result: SweepResult) -> str:
    factor = result.factor
    if factor is None:
        return f"has {value_text(result.metric, result.ranked[-1].value)}"
    if result.metric == "time_s":
        return f"takes {times(factor)} times as long"
    if result.metric == "busbw_GBps":
        return f"reaches {times(factor)} times less"
    if result.metric == OVER_FASTEST:
        return f"takes {times(result.ranked[-1].value)} times as long as the fastest of its job"
    return f"{times(factor)} times as much"


def _matters(result: SweepResult) -> tuple[str, ...]:
    known = [(one, one.explains) for one in result.influences if one.explains is not None]
    labels = labels_of(result.keys)
    told = [(labels[one.key], explains) for one, explains in known if explains >= _WORTH_A_WORD]
    if len(result.keys) < 2 or not told:
        return ("no parameter explains the spread by itself: it is their combination",) if known and not told else ()
    (first, most), *others = told
    rest = ", ".join(f"{label} {percent(explains)}" for label, explains in others[:2])
    said = f"what matters most is {first}: by itself it explains {percent(most)} of the spread"
    return (f"{said}; {rest}" if rest else said, said)


def _left_out(result: SweepResult) -> tuple[str, ...]:
    return tuple(_lengths(result))


def _lengths(result: SweepResult) -> Iterator[str]:
    failures, missing = result.swept.failures, result.swept.n_missing
    gone = f"{count(missing, 'point')} {'is' if missing == 1 else 'are'} not run yet" if missing else ""
    if not failures:
        yield gone
        return
    said = f"{count(len(failures), 'point')} failed"
    first = failures[0][1].outcome.error
    yield "; ".join(filter(None, (f"{said}, the first: {first}", gone)))
    yield "; ".join(filter(None, (said, gone)))
