"""The JSON document of `counters`."""

from typing import Literal

from typing_extensions import TypedDict

from fabric.reports.documents.common import FabricPart, Judged, RoutingPart, TrafficPart
from fabric.studies.counters import MeasuredTier
from fabric.studies.port_groups import LeafShare


class CountersSummaryPart(TypedDict):
    """What was measured, in numbers.

    Attributes
    ----------
    links, known : int
        Links of the network, and those with counters.
    total_bytes : float
        Of the links that are known.
    interval_s : float or None
        Between the readings; None where nothing says it.
    found_by : dict
        Ports by what they were found by: GUID, LID, name.
    unmatched : int
        Ports with data that have no cable in the fabric.
    cables_at_both_ends, agreeing_cables : int
        Cables that are known at both ends, and those whose ends agree.
    resets, wraps : list of str
        Ports whose counters of data went back or began anew: left out, and taken as wrapped at 32 bits.
    cleared, at_end : list of str
        Ports whose other counters went back, and reached the end of their range: taken as at least what they show.
    scale : float or None
        How many times the traffic ran, as far as the links show; None without traffic.
    explained : float or None
        Part of what links carried that the prediction puts on the same links, 0 to 1.
    """

    links: int
    known: int
    total_bytes: float
    interval_s: float | None
    found_by: dict[str, int]
    unmatched: int
    cables_at_both_ends: int
    agreeing_cables: int
    resets: list[str]
    wraps: list[str]
    cleared: list[str]
    at_end: list[str]
    scale: float | None
    explained: float | None


class ReasonPart(TypedDict):
    """Why a cable is suspect.

    Attributes
    ----------
    kind : str
        carries-less, ends-disagree, symbol-errors, link-downs, errors or waits.
    link : str
        The direction of the cable that shows it.
    text : str
        With the numbers.
    weight : float
        What it counts for.
    """

    kind: str
    link: str
    text: str
    weight: float


class SuspectPart(TypedDict):
    """A cable that its counters speak against.

    Attributes
    ----------
    link : str
        The direction that shows most.
    weight : float
        Of all reasons together.
    bytes, expected_bytes : float or None
        What the link carried, and what was expected of it.
    twin : str or None
        The link that makes up for it.
    reasons : list of ReasonPart
        What counts most first.
    """

    link: str
    weight: float
    bytes: float | None
    expected_bytes: float | None
    twin: str | None
    reasons: list[ReasonPart]


class PortGroupPart(TypedDict):
    """Endpoints that sent the same.

    Attributes
    ----------
    endpoints : list of str
        Their names.
    bytes : float
        That the middle one of them sent.
    hosts : int
        On so many hosts.
    rails : list of int
        Their rails; empty where they are not known.
    suggests : str
        What it may be, in words.
    """

    endpoints: list[str]
    bytes: float
    hosts: int
    rails: list[int]
    suggests: str


class LateRankPart(TypedDict):
    """A rank that others of a trace wait for, and the cables behind it.

    Attributes
    ----------
    rank, operations, last, behind : int
        Of the job; collectives with times, those in which it came last and late, and by how many it is behind others.
    waited_s : float
        What the others waited for it, seconds.
    straggler : bool
        Whether it is late nearly always.
    endpoint : str or None
        Where it is placed.
    cables : list of str
        From there to its leaves.
    reasons : list of ReasonPart
        Why those are suspect; empty where they are not.
    """

    rank: int
    operations: int
    last: int
    waited_s: float
    behind: int
    straggler: bool
    endpoint: str | None
    cables: list[str]
    reasons: list[ReasonPart]


class CountersBody(TypedDict):
    """What ports counted, beside a prediction.

    Attributes
    ----------
    source : str
        The files.
    traffic : TrafficPart or None
        None where only counters were given.
    routing : RoutingPart or None
        Likewise.
    tiers : list of MeasuredTier
        Hosts first.
    suspects : list of SuspectPart
        The most suspect first.
    groups : list of PortGroupPart
        The one with most bytes first.
    leaves : list of LeafShare
        The one that sends the largest part up first.
    late_ranks : list of LateRankPart
        Of a trace of several ranks: those that others wait for, the worst first.
    figure : str or None
        The file that was written.
    assumptions : list of str
        The most important first.
    """

    schema: Literal["railscope.counters/1"]
    fabric: FabricPart
    source: str
    traffic: TrafficPart | None
    routing: RoutingPart | None
    summary: CountersSummaryPart
    tiers: list[MeasuredTier]
    suspects: list[SuspectPart]
    groups: list[PortGroupPart]
    leaves: list[LeafShare]
    late_ranks: list[LateRankPart]
    figure: str | None
    assumptions: list[str]


class CountersDocument(CountersBody, Judged):
    """What ports counted, beside a prediction."""
