"""The JSON document of `fabric check`."""

from typing import Literal

from typing_extensions import TypedDict

from fabric.reports.documents.common import FabricPart, Judged
from fabric.studies.health_findings import Finding


class RoutesPart(TypedDict):
    """Routes per link of a tier and direction, one route for each ordered pair of endpoints.

    Attributes
    ----------
    name, direction : str
        Tier and direction, as in the tables.
    links, used : int
        Links, and those of them that have routes.
    routes : float
        Sum over the links.
    imbalance : float or None
        Max over mean; None where there are no routes.
    """

    name: str
    direction: str
    links: int
    used: int
    routes: float
    imbalance: float | None


class PlanPart(TypedDict):
    """A plan that the cables were compared with.

    Attributes
    ----------
    source : str
        Its file.
    cables, matched, ignored : int
        Cables of the plan, those that are there as planned, and deviations that were ignored.
    """

    source: str
    cables: int
    matched: int
    ignored: int


class CheckBody(TypedDict):
    """Health of a fabric and its routing tables.

    Attributes
    ----------
    tables : str or None
        Where the forwarding tables come from.
    plan : PlanPart or None
        The cabling plan, if there is one.
    errors : int
        Kinds of errors.
    pairs : int
        Ordered pairs of endpoints.
    findings : list of Finding
        Errors first.
    routes : list of RoutesPart
        Empty without tables.
    assumptions : list of str
        The most important first.
    """

    schema: Literal["railscope.check/1"]
    fabric: FabricPart
    tables: str | None
    plan: PlanPart | None
    errors: int
    pairs: int
    findings: list[Finding]
    routes: list[RoutesPart]
    assumptions: list[str]


class CheckDocument(CheckBody, Judged):
    """Health of a fabric and its routing tables."""
