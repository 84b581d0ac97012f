"""What several JSON documents hold: the fabric, the traffic, the routing, a bound, headlines and a verdict."""

from typing import NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from fabric.reports.documents.verdict import VerdictPart
from fabric.reports.gates import Headline


class Judged(TypedDict):
    """What `emit` adds to a report's own part.

    Attributes
    ----------
    verdict : VerdictPart
        What limits, why, and what helps.
    """

    verdict: VerdictPart


class Limited(Judged):
    """The same of a report that limits can be set on.

    Attributes
    ----------
    headline : list of Headline
        The figures that limits are set on, those that count first.
    """

    headline: list[Headline]


class FabricPart(TypedDict):
    """Which fabric it is.

    Attributes
    ----------
    name : str
        As its description or its file says.
    source : str
        What the user typed: a preset or a file.
    endpoints, nodes : int
        Endpoints, and all nodes: endpoints, switches, NVLink switches.
    links : int
        Directed: a cable is two.
    technology : str
        Of a described fabric.
    wiring : {"rail", "host"}
        Of a described fabric.
    """

    name: str
    source: str
    endpoints: int
    nodes: int
    links: int
    technology: NotRequired[str]
    wiring: NotRequired[str]


@with_config(ConfigDict(extra="allow"))
class TrafficPart(TypedDict):
    """What the job sends: a collective, a trace or explicit flows; traffic of the user's own may say more.

    Attributes
    ----------
    label : str
        For people.
    collective, algorithm : str
        Of a collective: which one, and by which algorithm.
    size_bytes : float
        As nccl-tests counts it.
    groups, group_size : int
        Groups of the collective, and ranks of the largest one.
    demand : str
        File of explicit flows.
    flows : int
        How many explicit flows.
    trace : list of str
        Files of a trace.
    operations, ranks : int
        Of a trace.
    ranks_not_traced, operations_filled_in : int
        Ranks that left no records, and what was added for them by symmetry.
    transport : {"direct", "pxn"}
        Whether bytes for another rail go first over NVLink (PXN).
    nics : {"own", "pooled"}
        Whether each GPU's bytes keep its own NIC, or hosts whose NICs differ share theirs out over them.
    """

    label: str
    collective: NotRequired[str]
    algorithm: NotRequired[str]
    size_bytes: NotRequired[float]
    groups: NotRequired[int]
    group_size: NotRequired[int]
    demand: NotRequired[str]
    flows: NotRequired[int]
    trace: NotRequired[list[str]]
    operations: NotRequired[int]
    ranks: NotRequired[int]
    ranks_not_traced: NotRequired[int]
    operations_filled_in: NotRequired[int]
    transport: NotRequired[str]
    nics: NotRequired[str]


@with_config(ConfigDict(extra="allow"))
class RoutingPart(TypedDict):
    """A routing policy and its parameters; policies of the user's own have their own ones.

    Attributes
    ----------
    policy : str
        ``adaptive``, ``ecmp``, ...; ``given`` where a file says each flow's path.
    queue_pairs : int
        Hashed flows of a pair of endpoints.
    seed : int
        Of the hashes.
    shared_seed : bool
        All switches hash alike.
    tables : str
        File of the forwarding tables.
    skip_unrouted : bool
        Pairs that the tables do not route are left out and counted.
    least_weight, most_weight : float
        Range of the links' weights.
    paths : str or None
        Where given paths come from.
    flows : int
        That have a path.
    """

    policy: str
    queue_pairs: NotRequired[int]
    seed: NotRequired[int]
    shared_seed: NotRequired[bool]
    tables: NotRequired[str]
    skip_unrouted: NotRequired[bool]
    least_weight: NotRequired[float]
    most_weight: NotRequired[float]
    paths: NotRequired[str | None]
    flows: NotRequired[int]


class BoundPart(TypedDict):
    """A time that cannot be beaten.

    Attributes
    ----------
    time_s : float
        Seconds.
    cut : str
        Where it comes from: endpoint, domain, leaf, pod, rail, plane, half, pair (of GPUs with a direct link),
        bottleneck (the worst of all cuts), or linear program.
    holds_for : str
        What cannot beat it.
    time_over_bound : float
        The result's time over this one.
    sides : str
        What a bottleneck parts: ``of 2 GPUs from 30 GPUs and 1 switch``, ``into 16 parts of 2 GPUs``.
    """

    time_s: float
    cut: str
    holds_for: str
    time_over_bound: float
    sides: NotRequired[str]
