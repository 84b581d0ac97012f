"""The JSON document of `explain`."""

from typing import Literal

from typing_extensions import TypedDict

from fabric.reports.documents.common import FabricPart, Judged, RoutingPart


class SharePart(TypedDict):
    """A part of what a link carries.

    Attributes
    ----------
    name : str
        Whose.
    bytes : float
        That it puts on the link.
    share : float
        Of all bytes on the link.
    """

    name: str
    bytes: float
    share: float


class ExplainedLinkPart(TypedDict):
    """A link, and whose bytes are on it.

    Attributes
    ----------
    link : str
        Its name.
    bytes : float
        That it carries.
    seconds, of_busiest : float
        Load over capacity, and that over the busiest link's.
    cause : str
        The main one, in a few words.
    by_job, by_axis, by_operation, by_group : list of SharePart
        Complete, the largest first.
    by_source_leaf, by_destination_leaf, by_source_host, by_destination_host : list of SharePart
        Complete, the largest first.
    pairs : list of SharePart
        Pairs of ranks, the largest ones.
    n_pairs : int
        How many there are.
    cables, usual_cables : int
        Between its ends, and between the ends of links like it.
    uplinks, usual_uplinks : int
        Links like it of its lower end, and of others'.
    gbps, usual_gbps : float
        Its capacity, and the most of links like it.
    over_siblings : float or None
        Load over capacity, times the mean of links from the same switch to the same tier.
    over_even : float or None
        Bytes, times what an even split puts on it; None where the routing splits evenly.
    """

    link: str
    bytes: float
    seconds: float
    of_busiest: float
    cause: str
    by_job: list[SharePart]
    by_axis: list[SharePart]
    by_operation: list[SharePart]
    by_group: list[SharePart]
    by_source_leaf: list[SharePart]
    by_destination_leaf: list[SharePart]
    by_source_host: list[SharePart]
    by_destination_host: list[SharePart]
    pairs: list[SharePart]
    n_pairs: int
    cables: int
    usual_cables: int
    uplinks: int
    usual_uplinks: int
    gbps: float
    usual_gbps: float
    over_siblings: float | None
    over_even: float | None


class ExplainBody(TypedDict):
    """Whose bytes are on links.

    Attributes
    ----------
    links : list of ExplainedLinkPart
        Those asked for, or the busiest ones, the busiest first.
    assumptions : list of str
        The most important first.
    """

    schema: Literal["railscope.explain/1"]
    fabric: FabricPart
    routing: RoutingPart
    links: list[ExplainedLinkPart]
    assumptions: list[str]


class ExplainDocument(ExplainBody, Judged):
    """Whose bytes are on links."""
