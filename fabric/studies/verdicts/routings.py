"""The verdict on routings compared: the one in force against the best other."""

from pathlib import PurePath

from fabric.routing.policies import Lft
from fabric.studies.advice.best import what_helps
from fabric.studies.advice.study import Advice
from fabric.studies.routings import RoutingOutcome
from fabric.studies.verdicts.causes import causes_of
from fabric.studies.verdicts.evidence import Trials, evidence_of
from fabric.studies.verdicts.loads import limit_text, nothing_carried, unrouted_cause
from fabric.studies.verdicts.remedy import help_texts, remedies_of
from fabric.studies.verdicts.thresholds import SAME
from fabric.studies.verdicts.verdict import Cause, CauseKind, Fact, Verdict, with_help
from fabric.studies.verdicts.words import TWICE, bound_text, name, percent, seconds, times

_ROUTING_KINDS = frozenset({CauseKind.HASH_COLLISIONS, CauseKind.STATIC_ROUTES, CauseKind.POLARIZATION})


def routings_verdict(outcomes: tuple[RoutingOutcome, ...]) -> Verdict:
    """What the first routing loses against the best other one, and what limits it.

    Parameters
    ----------
    outcomes : tuple of RoutingOutcome
        The one in force first, as `fabric.studies.routings.compare_routings` returns them.
    """
    first, *others = outcomes
    analysis = first.analysis
    unrouted = unrouted_cause(analysis.loads.total.unrouted)
    if analysis.hottest is None:
        return nothing_carried(unrouted)
    bound = analysis.bound
    where = (analysis.loads, analysis.placement, analysis.routing, analysis.hottest)
    case = evidence_of(*where, bound, Trials.of(analysis))
    # Routings stand side by side already.
    found = tuple(cause for cause in causes_of(case) if cause.kind not in _ROUTING_KINDS)
    best = min(others, key=lambda outcome: outcome.analysis.time_s, default=first)
    time_s, best_s = analysis.time_s, best.analysis.time_s
    facts: dict[str, Fact] = {"first": first.name, "best": best.name, "time_s": time_s, "best_time_s": best_s}
    by_lft = isinstance(analysis.routing, Lft)
    in_force = _named(first)
    causes: tuple[Cause, ...] = found if unrouted is None else (*found, unrouted)
    if best_s > 0 and time_s >= SAME * best_s:
        ratio = time_s / best_s
        how = f"{percent(ratio - 1)} longer than" if ratio < TWICE else f"{times(ratio)} times as long as"
        other = _named(best)
        text = f"{in_force} {'take' if by_lft else 'takes'} {seconds(time_s)}, {how} {other} ({seconds(best_s)})"
        causes = (Cause(CauseKind.ROUTING, text, time_s - best_s, facts), *causes)
    else:
        text = f"no other routing that was tried is faster than {in_force}"
    limit = limit_text(time_s, case.limit, bound)
    why = next((cause for cause in (unrouted, *found) if cause is not None), None)
    advice = what_helps(analysis.scenario, analysis)
    return Verdict(
        sentences=with_help((text, limit), _last(why, advice, best_s)),
        time_s=time_s,
        limit=case.limit,
        over_bound=None if bound is None else time_s / bound.time_s,
        bound=None if bound is None else bound_text(bound),
        causes=causes,
        facts=facts,
        helps=remedies_of(advice),
    )


def _last(why: Cause | None, advice: Advice | None, best_s: float) -> tuple[str, ...]:
    """What helps most; where that is the best routing, which is said already, why the first one takes so long."""
    best = None if advice is None else advice.best
    if best is not None and best.trial is not None and best.trial.time_s != best_s:
        return help_texts(advice)
    if why is None:
        return ("",)
    return (why.sentence, why.text) if best is None else (why.text,)


def _named(outcome: RoutingOutcome) -> str:
    if isinstance(outcome.analysis.routing, Lft):
        return f"the tables of {name(PurePath(outcome.name).name)}"
    return f"{outcome.name} routing"
