"""The JSON document of `busbw --trace`."""

from typing import Literal

from typing_extensions import TypedDict

from fabric.reports.documents.common import FabricPart, Limited


class PredictedOperationsPart(TypedDict):
    """Equal operations, and the prediction for one of them.

    Attributes
    ----------
    kind : str
        The collective.
    group_size : int
        Ranks of the group.
    ranks : list of int
        Of the group in its order.
    operations : int
        How many there are.
    size : float
        Bytes, as nccl-tests counts them.
    algorithm, protocol : str
        The fastest, which the times are of.
    time_s, algbw_GBps, busbw_GBps : float
        Of one: seconds and GB/s.
    total_s : float
        Of all of them, one after the other, seconds.
    busbw_low_GBps : float
        What clusters are often found at.
    measured_s, measured_busbw_GBps : float or None
        Of the median kernel; None where the trace has none.
    ratio : float or None
        Predicted over measured time.
    """

    kind: str
    group_size: int
    ranks: list[int]
    operations: int
    size: float
    algorithm: str
    protocol: str
    time_s: float
    algbw_GBps: float
    busbw_GBps: float
    total_s: float
    busbw_low_GBps: float
    measured_s: float | None
    measured_busbw_GBps: float | None
    ratio: float | None


class TraceBusbwBody(TypedDict):
    """A trace's operations with their predicted times.

    Attributes
    ----------
    trace : list of str
        Files.
    ranks : int
        Of the job.
    total_s : float
        All operations, one after the other, seconds.
    rows : list of PredictedOperationsPart
        What takes longest in all first.
    assumptions : list of str
        The most important first.
    """

    schema: Literal["railscope.busbw-trace/1"]
    fabric: FabricPart
    trace: list[str]
    ranks: int
    total_s: float
    rows: list[PredictedOperationsPart]
    assumptions: list[str]


class TraceBusbwDocument(TraceBusbwBody, Limited):
    """A trace's operations with their predicted times."""
