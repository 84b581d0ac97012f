"""The JSON document of `sweep`."""

from typing import Literal

from typing_extensions import TypedDict

from fabric.reports.documents.common import Limited
from fabric.studies.sweep.outcome import TierUse


class SweepRowPart(TypedDict):
    """A point, and what it gives; None for what it has not.

    Attributes
    ----------
    number : int
        Of the point in the study, from 1.
    id : str
        The hash of all that decides its result.
    state : {"done", "failed", "missing"}
        Missing: not run yet.
    settings : dict of str to value
        Every key that the study sets; None for a key that has no effect in this point.
    time_s, bound_s : float or None
        Bottleneck time, and what cannot be beaten, seconds.
    over_bound : float or None
        The one over the other.
    busbw_GBps : float or None
        As nccl-tests defines it.
    imbalance : float or None
        Largest max over mean of the tiers between switches.
    worst_link, worst_tier, worst_direction : str
        The link that sets the time.
    disconnected_pairs : int
        Ordered pairs of the job's ranks without a way, or that the tables do not route.
    algorithm : str
        Of a collective.
    ranks, endpoints, switches, cables : int or None
        Of the job and its fabric; cables of the network, NVLink not counted.
    tiers : list of TierUse
        How the links of each tier are used.
    seconds : float or None
        That the point took to run.
    error : str
        Why there is no result, or will be none; empty otherwise.
    """

    number: int
    id: str
    state: Literal["done", "failed", "missing"]
    settings: dict[str, bool | int | float | str | None]
    time_s: float | None
    bound_s: float | None
    over_bound: float | None
    busbw_GBps: float | None
    imbalance: float | None
    worst_link: str
    worst_tier: str
    worst_direction: str
    disconnected_pairs: int
    algorithm: str
    ranks: int | None
    endpoints: int | None
    switches: int | None
    cables: int | None
    tiers: list[TierUse]
    seconds: float | None
    error: str


class ValuePart(TypedDict):
    """Points of one value of a parameter, or of a range.

    Attributes
    ----------
    value : str
        As it is read.
    points : int
        How many.
    mean : float
        Geometric mean of what points are compared by.
    """

    value: str
    points: int
    mean: float


class InfluencePart(TypedDict):
    """What a parameter does by itself.

    Attributes
    ----------
    key : str
        ``table.key``, or ``case``.
    explains : float or None
        Part of the variance of the logarithm that is between the means of its values; None where points do not differ.
    values : list of ValuePart
        Ranges of numbers where there are many.
    """

    key: str
    explains: float | None
    values: list[ValuePart]


class SweepBody(TypedDict):
    """Many scenarios.

    Attributes
    ----------
    study : str
        Its title, or its file.
    metric : {"time_s", "over_bound", "busbw_GBps", "imbalance", "over_fastest"}
        What points are compared by.
    varied : list of str
        Keys that differ between points.
    points, failed, missing : int
        How many there are, failed, and are not run yet.
    best, worst : str or None
        Ids of the best and the worst point.
    influences : list of InfluencePart
        What explains most first.
    rows : list of SweepRowPart
        In the order of the study.
    folder : str
        Where the points are kept.
    dataset : str or None
        File of all rows, where it was written.
    figure : str or None
        Where the picture is.
    assumptions : list of str
        The most important first.
    """

    schema: Literal["railscope.sweep/1"]
    study: str
    metric: str
    varied: list[str]
    points: int
    failed: int
    missing: int
    best: str | None
    worst: str | None
    influences: list[InfluencePart]
    rows: list[SweepRowPart]
    folder: str
    dataset: str | None
    figure: str | None
    assumptions: list[str]


class SweepDocument(SweepBody, Limited):
    """Many scenarios, and which parameter matters most."""
