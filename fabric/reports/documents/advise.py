"""The JSON document of `advise`."""

from typing import Literal

from typing_extensions import TypedDict

from fabric.reports.documents.common import FabricPart, Limited, RoutingPart, TrafficPart


class SeedsPart(TypedDict):
    """Bottleneck time over hash seeds.

    Attributes
    ----------
    seeds : int
        How many.
    least, p50, worst : float
        Seconds.
    """

    seeds: int
    least: float
    p50: float
    worst: float


class DesignTimePart(TypedDict):
    """What the job takes as it is.

    Attributes
    ----------
    time_s : float
        Bottleneck time, of hashed routing the median over seeds; seconds.
    predicted_s : float or None
        Time with latency, of a collective; seconds.
    over_bound : float or None
        Time over what cannot be beaten on its cables and hosts.
    seeds : SeedsPart or None
        None where nothing hashes.
    """

    time_s: float
    predicted_s: float | None
    over_bound: float | None
    seeds: SeedsPart | None


class LeverPart(TypedDict):
    """A lever, and what it gives.

    Attributes
    ----------
    lever : str
        The change, in a few words.
    class : {"setting", "restart", "recabling", "purchase"}
        What it takes.
    how : str
        What to do; empty where it was not tried.
    helps : bool
        Whether it gains more than 1 %, and loses no more by latency.
    time_s : float or None
        Bottleneck time, of hashed routing the median over seeds; seconds.  None where it was not tried.
    predicted_s : float or None
        Time with latency, of a collective; seconds.
    gain : float or None
        The time as it is over `time_s`.
    predicted_gain : float or None
        The same of times with latency.
    over_bound : float or None
        Time over what cannot be beaten on its cables and hosts.
    seeds : SeedsPart or None
        None where nothing hashes.
    command : str or None
        That runs the design; None where no options say it.
    why_not : str or None
        Why it was not tried.
    """

    lever: str
    how: str
    helps: bool
    time_s: float | None
    predicted_s: float | None
    gain: float | None
    predicted_gain: float | None
    over_bound: float | None
    seeds: SeedsPart | None
    command: str | None
    why_not: str | None


# `class` is a keyword of Python.
_ClassPart = TypedDict("_ClassPart", {"class": Literal["setting", "restart", "recabling", "purchase"]})


class AdvisedPart(LeverPart, _ClassPart):
    """A lever, what it takes, and what it gives."""


class AdviseBody(TypedDict):
    """What helps a job, each lever tried by running it.

    Attributes
    ----------
    as_it_is : DesignTimePart
    rows : list of AdvisedPart
        The cheapest class first, in it what gains most; what was not tried last.
    combined : list of AdvisedPart
        The best together: each has its own change and those before it; empty where nothing helps.
    order : list of str or None
        Endpoints in the best order of the ranks that was found; None where none was tried.
    assumptions : list of str
        The most important first.
    """

    schema: Literal["railscope.advise/1"]
    fabric: FabricPart
    traffic: TrafficPart
    routing: RoutingPart
    as_it_is: DesignTimePart
    rows: list[AdvisedPart]
    combined: list[AdvisedPart]
    order: list[str] | None
    assumptions: list[str]


class AdviseDocument(AdviseBody, Limited):
    """What helps a job, each lever tried by running it."""
