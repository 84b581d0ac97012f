"""The JSON document of several jobs on one fabric."""

from typing import Literal

from typing_extensions import TypedDict

from fabric.reports.documents.common import FabricPart, Limited


class SharingJobPart(TypedDict):
    """What sharing does to a job.

    Attributes
    ----------
    name, workload : str
        As the user calls it, and its model.
    gpus : int
        Its ranks.
    alone_s : float
        Its step with the fabric to itself.
    usual_s, worst_s : float
        Its step where others communicate as much of the time as their steps do; where all always do so at once.
    bottleneck_s : float
        Its step if its worst link served all in proportion to what they need there.
    slowdown : float
        Worst step over that alone.
    """

    name: str
    workload: str
    gpus: int
    alone_s: float
    usual_s: float
    worst_s: float
    bottleneck_s: float
    slowdown: float


class SharedLinkPart(TypedDict):
    """A hot link.

    Attributes
    ----------
    link, tier : str
        Its name, and where it is.
    utilization : float
        Bytes of all jobs a second over capacity, a mean over their steps.
    shares : list of float
        Of each job, in the order of the jobs; they add up to 1.
    """

    link: str
    tier: str
    utilization: float
    shares: list[float]


class SharedRoutingPart(TypedDict):
    """The jobs under a routing.

    Attributes
    ----------
    routing : str
        Policy.
    jobs : list of SharingJobPart
        In the order in which they were given.
    links : list of SharedLinkPart
        The busiest first.
    shared_links : int
        Links that carry bytes of more than one job.
    fairness : float
        Jain's index of the jobs' speeds; 1 where all slow down alike.
    victim : str
        The job that loses most.
    """

    routing: str
    jobs: list[SharingJobPart]
    links: list[SharedLinkPart]
    shared_links: int
    fairness: float
    victim: str


class SharingBody(TypedDict):
    """Several jobs at once on a fabric.

    Attributes
    ----------
    routings : list of SharedRoutingPart
        Adaptive first, then static hashing.
    assumptions : list of str
        The most important first.
    """

    schema: Literal["railscope.jobs/1"]
    fabric: FabricPart
    routings: list[SharedRoutingPart]
    assumptions: list[str]


class SharingDocument(SharingBody, Limited):
    """Several jobs at once on a fabric."""
