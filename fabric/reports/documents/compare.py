"""The JSON documents of `compare`: naive to rail-aware, and routings on the same cables."""

from typing import Literal

from typing_extensions import TypedDict

from fabric.reports.documents.common import BoundPart, FabricPart, Limited, RoutingPart, TrafficPart
from fabric.routing.loads import Unrouted
from fabric.studies.analysis import Summary
from fabric.studies.flow_sensitivity import FlowPoint
from fabric.studies.hotspots import Hotspot, TierSummary

PlacementKind = Literal["packed", "unaligned", "fragmented", "scattered", "segmented", "tree"]


class DesignPart(TypedDict):
    """What a step builds and runs.

    Attributes
    ----------
    wiring : {"rail", "host"}
        Each rail to leaves of its own, or whole hosts to one leaf.
    transport : {"direct", "pxn"}
        Whether bytes for another rail go first over NVLink (PXN).
    placement : {"packed", "unaligned", "fragmented", "scattered", "segmented", "tree"}
        Groups in domains; hosts in order; what other jobs leave; shuffled.
    endpoints : int
        That the fabric has.
    switches : int
        Of the scale-out network.
    nvlink_domains : int
        Sets of hosts that NVLink joins.
    cables, nvlink_cables : int
        All cables, and those of them that are NVLink's.
    """

    wiring: Literal["rail", "host"]
    transport: Literal["direct", "pxn"]
    placement: PlacementKind
    routing: RoutingPart
    endpoints: int
    switches: int
    nvlink_domains: int
    cables: int
    nvlink_cables: int


class RungPart(TypedDict):
    """A step from naive to rail-aware.

    Attributes
    ----------
    step : str
        What it changes against the step before; `naive` is the first.
    time_s : float
        Seconds; the median over the seeds.
    times_s : list of float
        Of every seed, seconds; one where no seed decides.
    busbw_GBps : float or None
        As nccl-tests defines it, GB/s.
    gain : float or None
        Time of the step before over this one's.
    alone : float or None
        How many times faster the naive design becomes by this step alone.
    without : float or None
        How many times slower the rail-aware design becomes without this step.
    bound : BoundPart or None
    tiers : list of TierSummary
    hottest : Hotspot or None
        The link that sets the time; None where nothing is carried.
    """

    step: str
    design: DesignPart
    time_s: float
    times_s: list[float]
    busbw_GBps: float | None
    gain: float | None
    alone: float | None
    without: float | None
    bound: BoundPart | None
    tiers: list[TierSummary]
    hottest: Hotspot | None


class CompareBody(TypedDict):
    """Naive to rail-aware, one step at a time, on the same switches and cables.

    Attributes
    ----------
    ladder : list of RungPart
        The naive design first.
    flows : list of FlowPoint
        Times of the naive design over numbers of hashed flows a pair; empty where that is too much.
    figure : str or None
        Where the picture is.
    assumptions : list of str
        The most important first.
    """

    schema: Literal["railscope.compare/2"]
    fabric: FabricPart
    traffic: TrafficPart
    ladder: list[RungPart]
    flows: list[FlowPoint]
    figure: str | None
    assumptions: list[str]


class CompareDocument(CompareBody, Limited):
    """Naive to rail-aware, one step at a time, on the same switches and cables."""


class RoutedPart(TypedDict):
    """What one routing gives.

    Attributes
    ----------
    name : str
        The policy, or the file of the tables.
    gain : float or None
        Time of the first routing over that of this one; None if this one takes none.
    bound : BoundPart or None
        None where pairs were left out or nothing has to move.
    tiers : list of TierSummary
    hottest : Hotspot or None
        The link that sets the time; None where nothing is carried.
    unrouted : Unrouted
        What was left out.
    """

    name: str
    routing: RoutingPart
    summary: Summary
    gain: float | None
    bound: BoundPart | None
    tiers: list[TierSummary]
    hottest: Hotspot | None
    unrouted: Unrouted


class RoutingsBody(TypedDict):
    """One job under several routings, on the same cables.

    Attributes
    ----------
    routings : list of RoutedPart
        The tables in force first.
    figure : str or None
        Where the picture is.
    assumptions : list of str
        The most important first.
    """

    schema: Literal["railscope.compare-routing/2"]
    fabric: FabricPart
    traffic: TrafficPart
    routings: list[RoutedPart]
    figure: str | None
    assumptions: list[str]


class RoutingsDocument(RoutingsBody, Limited):
    """One job under several routings, on the same cables."""
