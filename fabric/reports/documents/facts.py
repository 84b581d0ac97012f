"""The JSON documents of `fabric show` and `fabric list`."""

from typing import Literal

from typing_extensions import TypedDict

from fabric.reports.documents.common import FabricPart


class SwitchesPart(TypedDict):
    """Switches of a tier.

    Attributes
    ----------
    tier, switches : int
        The tier, 1 next to the endpoints, and how many switches it has.
    max_ports : int
        Cables of the switch that has most.
    """

    tier: int
    switches: int
    max_ports: int


class CablesPart(TypedDict):
    """Cables of a tier.

    Attributes
    ----------
    cables : str
        What joins what.
    count : int
        How many; a cable is two links.
    gbps : str
        Gbit/s each way, all that occur, with ``/`` between.
    total_tbps : float
        Tbit/s each way.
    """

    cables: str
    count: int
    gbps: str
    total_tbps: float


class OversubscriptionPart(TypedDict):
    """Capacity below and above the switches of a tier.

    Attributes
    ----------
    tier : int
        1 next to the endpoints.
    down_tbps, up_tbps : float
        Tbit/s.
    oversubscription : float
        The one over the other.
    """

    tier: int
    down_tbps: float
    up_tbps: float
    oversubscription: float


class CountsPart(TypedDict):
    """What a fabric is made of.

    Attributes
    ----------
    endpoints, hosts, rails, planes, nvlink_domains : int
        How many of each; 0 where it is not known.
    switches : list of SwitchesPart
        By tier.
    cables : list of CablesPart
        By tier.
    oversubscription : list of OversubscriptionPart
        Of the tiers that have cables both ways.
    """

    endpoints: int
    hosts: int
    rails: int
    planes: int
    nvlink_domains: int
    switches: list[SwitchesPart]
    cables: list[CablesPart]
    oversubscription: list[OversubscriptionPart]


class FabricDocument(CountsPart):
    """Facts of a fabric.

    Attributes
    ----------
    assumptions : list of str
        The most important first.
    """

    schema: Literal["railscope.fabric/1"]
    fabric: FabricPart
    assumptions: list[str]


class PresetPart(TypedDict):
    """A fabric that ships with railscope.

    Attributes
    ----------
    name : str
        What stands in the place of a file.
    technology : str
        ``infiniband``, ``spectrum-x``, or empty where its description does not say.
    description : str
        One line.
    """

    name: str
    technology: str
    description: str


class PresetsDocument(TypedDict):
    """Presets that ship with railscope."""

    schema: Literal["railscope.presets/1"]
    presets: list[PresetPart]
