"""The JSON document of `compare` with several designs."""

from typing import Literal

from typing_extensions import TypedDict

from fabric.reports.documents.common import BoundPart, FabricPart, Limited, RoutingPart, TrafficPart
from fabric.reports.documents.loads import PlacementPart
from fabric.studies.analysis import Summary
from fabric.studies.hotspots import Hotspot
from fabric.studies.parts import CableKind, Switches


class PartsPart(TypedDict):
    """What a design is made of: the scale-out network alone.

    Attributes
    ----------
    switches, cables : int
        In all tiers.
    host_cables : int
        Those of the cables that end at a NIC.
    optics : int
        Transceivers, two for each optical cable: where no prices say what is copper, the cables between switches.
    switches_by_tier : list of Switches
    cables_by_tier : list of CableKind
    """

    switches: int
    cables: int
    host_cables: int
    optics: int
    switches_by_tier: list[Switches]
    cables_by_tier: list[CableKind]


class CostPart(TypedDict):
    """What the parts cost, by the prices given.

    Attributes
    ----------
    currency : str
        As the price file says.
    switches, cables, optics, nics : float
        Cost of each kind of part.
    total : float
        Their sum.
    per_gpu : float
        For each GPU that the fabric has room for.
    """

    currency: str
    switches: float
    cables: float
    optics: float
    nics: float
    total: float
    per_gpu: float


class VariantPart(TypedDict):
    """What one design gives.

    Attributes
    ----------
    name : str
        What was set, in one line.
    rank : int
        1 is the fastest; of those as fast the cheapest, without prices the one of fewest parts.
    settings : dict of str to value
        What was set, by key; None for a key that has no effect in this design.
    bound : BoundPart or None
        None where pairs were left out or nothing has to move.
    hottest : Hotspot or None
        The link that sets the time; None where nothing is carried.
    cost : CostPart or None
        None without prices.
    """

    name: str
    rank: int
    settings: dict[str, bool | int | float | str | None]
    fabric: FabricPart
    traffic: TrafficPart
    placement: PlacementPart
    routing: RoutingPart
    summary: Summary
    bound: BoundPart | None
    hottest: Hotspot | None
    parts: PartsPart
    cost: CostPart | None


class DesignsBody(TypedDict):
    """One job on several designs.

    Attributes
    ----------
    varied : list of str
        Keys that differ between designs.
    best : str
        Name of the design of rank 1.
    designs : list of VariantPart
        In the order given.
    figure : str or None
        Where the picture is.
    assumptions : list of str
        Those of all designs first.
    """

    schema: Literal["railscope.designs/1"]
    varied: list[str]
    best: str
    designs: list[VariantPart]
    figure: str | None
    assumptions: list[str]


class DesignsDocument(DesignsBody, Limited):
    """One job on several designs, and what each is made of."""
