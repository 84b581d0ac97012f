"""The JSON document of `faults`."""

from typing import Literal

from typing_extensions import TypedDict

from fabric.reports.documents.common import FabricPart, Limited, RoutingPart, TrafficPart


class FaultRowPart(TypedDict):
    """What a single failure does.

    Attributes
    ----------
    failed : str
        As ``--fail`` (or, where it is only slow, ``--degrade``) takes it.
    kind : str
        What it is.
    time_s, slowdown : float or None
        Of the traffic, and over that of the whole fabric; None where the job stops.
    disconnected_pairs : int
        Ordered pairs of the job's ranks with no way between them.
    worst_link : str
        The busiest link then; empty where the job stops.
    alike : int
        Failures that are proven to be the same seen from elsewhere, this one among them.
    option : str
        What reproduces it on a command line.
    """

    failed: str
    kind: str
    time_s: float | None
    slowdown: float | None
    disconnected_pairs: int
    worst_link: str
    alike: int
    option: str


class FaultLinkPart(TypedDict):
    """What hurts the links of a tier and direction most.

    Attributes
    ----------
    tier, direction : str
        Which links.
    whole_s, worst_s : float
        Load over capacity of the busiest, in the whole fabric and under the worst failure.
    link : str
        The link that it loads most.
    failed : str or None
        That failure; None where none loads them more.
    """

    tier: str
    direction: str
    whole_s: float
    worst_s: float
    link: str
    failed: str | None


class FaultHurtPart(TypedDict):
    """What hurts a link most.

    Attributes
    ----------
    link : str
        The link.
    tier, direction : str
        Where it is.
    whole_s, worst_s : float
        Load over capacity in the whole fabric, and under the single failure that loads it most.
    times : float or None
        The second over the first; None for a link that is idle in the whole fabric.
    failed, option : str
        That failure, and what reproduces it on a command line.
    alike : int
        Links that a failure of the kind is proven to do the same to, this one among them.
    """

    link: str
    tier: str
    direction: str
    whole_s: float
    worst_s: float
    times: float | None
    failed: str
    option: str
    alike: int


class FaultSamplePart(TypedDict):
    """Several failures at once.

    Attributes
    ----------
    count, trials, stopped : int
        Failures at once, draws, and draws in which the job stops.
    p50, p90, p99, worst : float or None
        Of the slowdown; None where the job stops.
    options : list of str
        What reproduces the worst draw.
    slowdown : list of float
        Of each draw in which the job goes on.
    """

    count: int
    trials: int
    stopped: int
    p50: float | None
    p90: float | None
    p99: float | None
    worst: float | None
    options: list[str]
    slowdown: list[float]


class FaultsBody(TypedDict):
    """What breaks hurt.

    Attributes
    ----------
    time_s : float
        Of the whole fabric, seconds.
    runs : int
        Failures that were routed anew.
    followed : int
        Cables whose loads were followed from those of the whole fabric; all others are proven to be alike.
    rows : list of FaultRowPart
        Every single failure, the worst first.
    links : list of FaultLinkPart
        By tier and direction.
    hurt : list of FaultHurtPart
        Link by link, one of each class of links that are alike, the longest busy first; those that no single failure
        loads more are left out.
    samples : list of FaultSamplePart
        By the number of failures at once.
    assumptions : list of str
        The most important first.
    """

    schema: Literal["railscope.faults/1"]
    fabric: FabricPart
    traffic: TrafficPart
    routing: RoutingPart
    time_s: float
    runs: int
    followed: int
    rows: list[FaultRowPart]
    links: list[FaultLinkPart]
    hurt: list[FaultHurtPart]
    samples: list[FaultSamplePart]
    assumptions: list[str]


class FaultsDocument(FaultsBody, Limited):
    """What breaks hurt."""
