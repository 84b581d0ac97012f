"""What a report begins with, for programs: what limits, over which bound, why, and what was found to help."""

from typing_extensions import TypedDict

from fabric.studies.verdicts.verdict import Cause, CauseKind, Fact, Limit, Remedy, Verdict


class VerdictPart(TypedDict):
    """What limits, over which bound, why, and what was found to help.

    Attributes
    ----------
    text : str
        The sentences in one.
    cause : CauseKind or None
        What explains most.
    sentences : list of str
        What the report begins with, in order.
    time_s : float or None
        Seconds.
    limit : Limit or None
        None where nothing is carried, or no link is looked at.
    over_bound : float or None
        Time over that of the bound.
    bound : str or None
        The bound in words.
    causes : list of Cause
        What explains most of the time first.
    facts : dict
        What else the sentences speak of.
    helps : list of Remedy
        Levers that were tried and help, as `advise` finds them: the best, others of its class, dearer ones that gain
        more.  Of `faults` with the worst failure; of `fabric check` the mend that matters most, which has no time.
    """

    text: str
    cause: CauseKind | None
    sentences: list[str]
    time_s: float | None
    limit: Limit | None
    over_bound: float | None
    bound: str | None
    causes: list[Cause]
    facts: dict[str, Fact]
    helps: list[Remedy]


def verdict_part(verdict: Verdict) -> VerdictPart:
    """A verdict for JSON."""
    return {
        "text": verdict.text,
        "cause": verdict.cause,
        "sentences": list(verdict.sentences),
        "time_s": verdict.time_s,
        "limit": verdict.limit,
        "over_bound": verdict.over_bound,
        "bound": verdict.bound,
        "causes": list(verdict.causes),
        "facts": verdict.facts,
        "helps": list(verdict.helps),
    }
