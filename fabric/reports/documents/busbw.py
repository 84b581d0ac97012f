"""The JSON document of `busbw`."""

from typing import Literal

from typing_extensions import TypedDict

from fabric.reports.documents.common import FabricPart, Limited
from fabric.timing.prediction import Row


class MeasuredRowPart(TypedDict):
    """A size that was measured, and what was predicted for it.

    Attributes
    ----------
    size : float
        Bytes.
    algorithm, protocol : str
        Predicted.
    time_s, algbw_GBps, busbw_GBps : float
        Predicted for well-tuned clusters: seconds and GB/s.
    found_time_s, busbw_low_GBps : float
        Predicted for what clusters are often found at: seconds and GB/s.
    measured_time_s, measured_busbw_GBps : float
        Seconds and GB/s.
    ratio : float
        Predicted over measured time.
    fitted_time_s : float
        Predicted with the fitted factors, seconds.
    fitted_ratio : float
        `fitted_time_s` over measured time.
    """

    size: float
    algorithm: str
    protocol: str
    time_s: float
    algbw_GBps: float
    busbw_GBps: float
    found_time_s: float
    busbw_low_GBps: float
    measured_time_s: float
    measured_busbw_GBps: float
    ratio: float
    fitted_time_s: float
    fitted_ratio: float


class FitPart(TypedDict):
    """Factors that bring predictions closest to measurements.

    Attributes
    ----------
    latency_factor, bandwidth_factor : float or None
        None where the measured sizes do not show it.
    zero_size_s : float
        Time of no bytes, with the factor, seconds.
    """

    latency_factor: float | None
    bandwidth_factor: float | None
    zero_size_s: float


class MeasuredPart(TypedDict):
    """Measurements beside predictions."""

    rows: list[MeasuredRowPart]
    fit: FitPart


class BusbwBody(TypedDict):
    """A predicted nccl-tests table.

    Attributes
    ----------
    collective : str
        Which one, as nccl-tests names them.
    ranks : int
        Of the job.
    rows : list of Row
        Predictions.
    measured : MeasuredPart or None
        With ``--measured``.
    assumptions : list of str
        The most important first.
    """

    schema: Literal["railscope.busbw/1"]
    fabric: FabricPart
    collective: str
    ranks: int
    rows: list[Row]
    measured: MeasuredPart | None
    assumptions: list[str]


class BusbwDocument(BusbwBody, Limited):
    """A predicted nccl-tests table."""
