"""The JSON document of `place`."""

from typing import Literal

from typing_extensions import TypedDict

from fabric.reports.documents.common import FabricPart, Limited


class CrossingPart(TypedDict):
    """Groups of an axis that are in several NVLink domains.

    Attributes
    ----------
    axis : str
        Parallel axis.
    crossing, groups : int
        Those that are, and all.
    """

    axis: str
    crossing: int
    groups: int


class PlacedPart(TypedDict):
    """A step on a placement.

    Attributes
    ----------
    name : str
        As it is, proposed, or what a scheduler does.
    step_s, exposed_s : float
        The step, and communication that compute does not hide; seconds.
    tier_bytes : dict of str to float
        Bytes of a GPU in a step up into each tier, a mean.
    bytes_by_axis : dict
        The same of each parallel axis, in the order of the tiers.
    crossing : list of CrossingPart
        By parallel axis.
    """

    name: str
    step_s: float
    exposed_s: float
    tier_bytes: dict[str, float]
    bytes_by_axis: dict[str, list[float]]
    crossing: list[CrossingPart]


class ProposalPart(TypedDict):
    """How the proposed order was found.

    Attributes
    ----------
    unit : int
        Consecutive ranks that are kept together.
    straddling, bound : int
        Units in several NVLink domains, and the fewest that any order of these hosts has.
    straddling_leaves, leaf_bound : int
        The same of sets of leaf switches.
    heuristic : str
        In words.
    hosts : list of str
        Hosts in the order of their first rank.
    written : dict of str to str
        Path of each form that was written.
    """

    unit: int
    straddling: int
    bound: int
    straddling_leaves: int
    leaf_bound: int
    heuristic: str
    hosts: list[str]
    written: dict[str, str]


class PlaceBody(TypedDict):
    """Placements of a job side by side, and a better order of its hosts.

    Attributes
    ----------
    workload : str
        Name of the model.
    gpus : int
        Ranks of the job.
    placements : list of PlacedPart
        As it is, proposed, then what schedulers do.
    proposal : ProposalPart
        The second of them.
    assumptions : list of str
        The most important first.
    """

    schema: Literal["railscope.place/1"]
    fabric: FabricPart
    workload: str
    gpus: int
    placements: list[PlacedPart]
    proposal: ProposalPart
    assumptions: list[str]


class PlaceDocument(PlaceBody, Limited):
    """Placements of a job side by side, and a better order of its hosts."""
