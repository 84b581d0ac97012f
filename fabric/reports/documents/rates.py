"""The JSON document of `rates`."""

from typing import Literal

from typing_extensions import TypedDict

from fabric.reports.documents.common import FabricPart, Limited, RoutingPart


class RatesSummaryPart(TypedDict):
    """When flows end.

    Attributes
    ----------
    flows : int
        How many.
    total_bytes : float
        Of all flows.
    makespan_s : float
        When the last one ends, seconds.
    flow_time_s : dict
        How long a flow takes, seconds, by percentile; empty without flows.
    solves : int
        Times at which rates were found.
    quantum_s : float
        Flows end together within so many seconds.
    largest_shortfall : float
        The answer is exact for sizes smaller by at most this part; 0 without a quantum.
    """

    flows: int
    total_bytes: float
    makespan_s: float
    flow_time_s: dict[str, float]
    solves: int
    quantum_s: float
    largest_shortfall: float


class RatesBody(TypedDict):
    """When flows end that share the fabric.

    Attributes
    ----------
    assumptions : list of str
        The most important first.
    """

    schema: Literal["railscope.rates/1"]
    fabric: FabricPart
    routing: RoutingPart
    summary: RatesSummaryPart
    assumptions: list[str]


class RatesDocument(RatesBody, Limited):
    """When flows end that share the fabric."""
