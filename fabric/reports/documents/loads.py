"""The JSON document of `loads`."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from fabric.reports.documents.common import BoundPart, FabricPart, Limited, RoutingPart, TrafficPart
from fabric.routing.loads import Unrouted
from fabric.studies.analysis import Summary
from fabric.studies.flow_sensitivity import FlowPoint
from fabric.studies.hotspots import Hotspot, TierSummary


class PlacementPart(TypedDict):
    """How the job is placed.

    Attributes
    ----------
    kind : str
        ``packed``, ``unaligned``, ``fragmented``, ``scattered``, ``segmented``, ``tree``, a file's name, or
        ``given`` by the traffic.
    ranks : int
        Of the job.
    """

    kind: str
    ranks: int


class SamplePart(TypedDict):
    """A figure over many hash seeds.

    Attributes
    ----------
    p50, p99, worst : float or None
        Of `values`; None of none.
    values : list of float
        In the order of the seeds.
    """

    p50: float | None
    p99: float | None
    worst: float | None
    values: list[float]


class HashSeedsPart(TypedDict):
    """The job over hash seeds.

    Attributes
    ----------
    seeds, first_seed : int
        How many, and the first.
    time_s : SamplePart
        Bottleneck time, seconds.
    imbalance : SamplePart
        Max over mean between switches, of the seeds that load them.
    """

    seeds: int
    first_seed: int
    time_s: SamplePart
    imbalance: SamplePart


class ChannelPart(TypedDict):
    """A channel of the collective's first group.

    Attributes
    ----------
    number : int
        From 0.
    enters_rail, leaves_rail : int
        Of the first domain; -1 where rails are unknown.
    ranks : list of int
        In the channel's order.
    """

    number: int
    enters_rail: int
    leaves_rail: int
    ranks: list[int]


class LoadsBody(TypedDict):
    """Per-link loads and hotspots of one job.

    Attributes
    ----------
    bounds : list of BoundPart
        What cannot be beaten; empty where pairs were left out or nothing has to move.
    bottleneck : Hotspot or None
        The link that sets the time; None where nothing is carried.
    tiers : list of TierSummary
    hotspots : list of Hotspot
        The longest busy first; at most 1,000.
    hotspots_total : int
        How many there are.
    unrouted : Unrouted
        What was left out.
    hash_seeds : HashSeedsPart or None
        With ``--seeds``.
    assumptions : list of str
        The most important first.
    channels : list of ChannelPart
        Of algorithms that have some.
    flows : list of FlowPoint
        Times over numbers of hashed flows a pair; empty where nothing is hashed, or too much.
    """

    schema: Literal["railscope.loads/2"]
    fabric: FabricPart
    traffic: TrafficPart
    placement: PlacementPart
    routing: RoutingPart
    summary: Summary
    bounds: list[BoundPart]
    bottleneck: Hotspot | None
    tiers: list[TierSummary]
    hotspots: list[Hotspot]
    hotspots_total: int
    unrouted: Unrouted
    hash_seeds: HashSeedsPart | None
    assumptions: list[str]
    channels: NotRequired[list[ChannelPart]]
    flows: list[FlowPoint]


class LoadsDocument(LoadsBody, Limited):
    """Per-link loads and hotspots of one job."""
