"""The JSON document of `replay`."""

from typing import Literal

from typing_extensions import TypedDict

from fabric.reports.documents.common import FabricPart, Limited


class ReplaySummaryPart(TypedDict):
    """A replay in numbers.

    Attributes
    ----------
    operations, left_out, slowed : int
        Replayed, not complete in the trace, and slowed by others.
    span_s : float
        From the first start to the last end, seconds.
    by_time : bool
        Whether the trace's timestamps say when operations start.
    communicating : float
        Part of the time in which a rank is in an operation, a mean: the most that can be exposed.
    exposed : float or None
        Part of the recorded ranks' time in which they communicate and do not compute, as measured; None where the trace
        says nothing of compute.
    measured_s, predicted_s : float or None
        Sum over the operations that were measured; None where none was.
    """

    operations: int
    left_out: int
    slowed: int
    span_s: float
    by_time: bool
    communicating: float
    exposed: float | None
    measured_s: float | None
    predicted_s: float | None


class ReplayedPart(TypedDict):
    """An operation as it ran.

    Attributes
    ----------
    kind, group, source : str
        What it is, of which process group, and where it was read.
    group_size : int
        Its members.
    sequence : int or None
        Its number in the group.
    bytes : float or None
        Of a rank.
    start_s, finish_s, alone_s : float
        In the replay, seconds; and what it takes by itself.
    measured_s : float or None
        In the trace.
    """

    kind: str
    group: str
    source: str
    group_size: int
    sequence: int | None
    bytes: float | None
    start_s: float
    finish_s: float
    alone_s: float
    measured_s: float | None


class ReplayLinkPart(TypedDict):
    """A busy link over time.

    Attributes
    ----------
    link : str
        Its name.
    bytes : float
        That it carries in all.
    utilization : list of float
        Part of each stretch of time that it is busy; stretches of equal length.
    peak : str
        The operation that has most of the busiest stretch.
    """

    link: str
    bytes: float
    utilization: list[float]
    peak: str


class ExposurePart(TypedDict):
    """Communication of a rank that its compute does not hide.

    Attributes
    ----------
    rank : int or None
        None where its file does not say.
    span_s : float
        From its first kernel to the end of its last.
    measured_s, predicted_s : float
        As recorded; and with operations as in the replay.
    """

    rank: int | None
    span_s: float
    measured_s: float
    predicted_s: float


class ReplayBody(TypedDict):
    """A trace over time on a fabric.

    Attributes
    ----------
    operations : list of ReplayedPart
        In the order of their starts.
    links : list of ReplayLinkPart
        The busiest first.
    exposed : list of ExposurePart
        A rank each whose kernels the trace has.
    figure, chrome : str or None
        Files that were written.
    assumptions : list of str
        The most important first.
    """

    schema: Literal["railscope.replay/1"]
    fabric: FabricPart
    summary: ReplaySummaryPart
    operations: list[ReplayedPart]
    links: list[ReplayLinkPart]
    exposed: list[ExposurePart]
    figure: str | None
    chrome: str | None
    assumptions: list[str]


class ReplayDocument(ReplayBody, Limited):
    """A trace over time on a fabric."""
