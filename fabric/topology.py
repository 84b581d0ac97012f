"""A fabric as columns: nodes, directed links, and who is cabled to whom.

A cable is two links, each the other's reverse.  Links are kept in one canonical order (tail, head, tail port, head
port), so that the links leaving node ``v`` are ``out_start[v]:out_start[v + 1]`` and two descriptions of one fabric
give the same arrays.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from collectives.demand import FloatVector, Int32Vector, Int64Vector, frozen_array
from collectives.errors import InputError
from fabric.showing import Facts, Shown
from fabric.tiers import tiers_of

Int8Vector = npt.NDArray[np.int8]
BoolVector = npt.NDArray[np.bool_]
UInt64Vector = npt.NDArray[np.uint64]

ENDPOINT, SWITCH, NVSWITCH = 0, 1, 2
NODE_KINDS = ("endpoint", "switch", "nvswitch")

NIC, ISL, NVLINK = 0, 1, 2
LINK_KINDS = ("nic", "isl", "nvlink")

UP, DOWN, PEER = 0, 1, 2
DIRECTIONS = ("up", "down", "peer")

UNKNOWN = -1

MAX_GBPS = 1e9
"""Largest capacity of a link, an exabit a second: sums over any fabric stay finite.  Assumed to be enough."""


@dataclass(frozen=True, eq=False)
class Nodes:
    """Columns of the nodes, in the order in which they are numbered.

    Attributes
    ----------
    name : tuple of str
        Unique and not empty.
    kind : (n_nodes,) int8
        `ENDPOINT`, `SWITCH` or `NVSWITCH`.
    tier : (n_nodes,) int32
        0 for endpoints, 1 for leaves and NVLink switches, 2 for spines, 3 for cores; `UNKNOWN` is inferred as the
        distance from the endpoints.
    host, rail, plane, domain : (n_nodes,) int32
        `UNKNOWN` where it does not apply.  A domain is the set of endpoints joined by NVLink switches or, where it is
        given, by direct links (a mesh: NVLink without switches, xGMI).
    guid : (n_nodes,) uint64
        InfiniBand: GUID of a switch, the lowest port GUID of an adapter; 0 where it is not known.
    lid : (n_nodes,) int32
        Its LID; 0 where it is not known.
    """

    name: tuple[str, ...]
    kind: Int8Vector
    tier: Int32Vector
    host: Int32Vector
    rail: Int32Vector
    plane: Int32Vector
    domain: Int32Vector
    guid: UInt64Vector = field(default_factory=lambda: np.zeros(0, np.uint64))
    lid: Int32Vector = field(default_factory=lambda: np.zeros(0, np.int32))

    def __post_init__(self) -> None:
        for column, dtype in (("guid", np.uint64), ("lid", np.int32)):
            given = getattr(self, column)
            known = given if len(given) else np.zeros(len(self.name), dtype)
            object.__setattr__(self, column, frozen_array(known, dtype, f"nodes.{column}"))
        object.__setattr__(self, "kind", frozen_array(self.kind, np.int8, "nodes.kind"))
        for column in ("tier", "host", "rail", "plane", "domain"):
            object.__setattr__(self, column, frozen_array(getattr(self, column), np.int32, f"nodes.{column}"))
        for column in ("kind", "tier", "host", "rail", "plane", "domain", "guid", "lid"):
            if getattr(self, column).shape[0] != len(self.name):
                raise InputError(f"nodes.{column}: expected {len(self.name)} values")


@dataclass(frozen=True, eq=False)
class Cables:
    """Columns of the cables: each becomes a link ``a -> b`` and its reverse ``b -> a``.

    Attributes
    ----------
    a, b : (n_cables,) int32
        Nodes at the two ends.
    a_port, b_port : (n_cables,) int32
        Port numbers at the two ends, or `UNKNOWN`.
    ab_gbps, ba_gbps : (n_cables,) float64
        Capacity of each direction, finite and > 0.
    """

    a: Int32Vector
    b: Int32Vector
    a_port: Int32Vector
    b_port: Int32Vector
    ab_gbps: FloatVector
    ba_gbps: FloatVector


@dataclass(frozen=True, eq=False)
class LinkGroups:
    """Links of one kind, tier and direction put together; C groups.

    Attributes
    ----------
    number : (n_links,) int8
        Group of each link.
    kind, tier, direction : (C,) int64
        Of each group.
    """

    number: Int8Vector
    kind: Int64Vector
    tier: Int64Vector
    direction: Int64Vector


@dataclass(frozen=True, eq=False, repr=False)
class Topology(Shown):
    """A fabric.  Made by `Topology.from_cables`, a builder or a reader; never mutated.

    Attributes
    ----------
    name : str
    nodes : Nodes
    link_tail, link_head : (n_links,) int32
        Node that a link leaves, and reaches.
    link_capacity_gbps : (n_links,) float64
    link_reverse : (n_links,) int32
        The other direction of the same cable.
    link_tail_port, link_head_port : (n_links,) int32
        Port numbers, or `UNKNOWN`.
    out_start : (n_nodes + 1,) int64
        CSR by tail: where each node's links begin.
    port_names : mapping of (str, int) to str
        What ports are called that are not called by their numbers, by the node's name and the port's number.
    """

    name: str
    nodes: Nodes
    link_tail: Int32Vector
    link_head: Int32Vector
    link_capacity_gbps: FloatVector
    link_reverse: Int32Vector
    link_tail_port: Int32Vector
    link_head_port: Int32Vector
    out_start: Int64Vector
    port_names: Mapping[tuple[str, int], str] = field(default_factory=dict)

    @classmethod
    def from_cables(
        cls, name: str, nodes: Nodes, cables: Cables, port_names: Mapping[tuple[str, int], str] | None = None
    ) -> "Topology":
        """Check nodes and cables, infer what is missing, and lay the links out.  O(n_nodes + n_links log n_links).

        Raises
        ------
        InputError
            Names that repeat; a cable to a node that does not exist, to itself, between two endpoints that are not of
            one domain, or between an NVLink switch and a switch; a capacity that is not finite and > 0; domains at odds
            with the NVLink switches and direct links, or with both.
        """
        _check_nodes(nodes)
        _check_cables(nodes, cables)
        n_cables = len(cables.a)
        tail = np.concatenate([cables.a, cables.b]).astype(np.int32)
        head = np.concatenate([cables.b, cables.a]).astype(np.int32)
        tail_port = np.concatenate([cables.a_port, cables.b_port]).astype(np.int32)
        head_port = np.concatenate([cables.b_port, cables.a_port]).astype(np.int32)
        capacity = np.concatenate([cables.ab_gbps, cables.ba_gbps]).astype(np.float64)
        cable = np.concatenate([np.arange(n_cables), np.arange(n_cables)])
        order = _canonical(len(nodes.name), tail, head, (cable, head_port, tail_port))
        position = np.empty(2 * n_cables, dtype=np.int32)
        position[order] = np.arange(2 * n_cables, dtype=np.int32)
        reverse = np.concatenate([position[n_cables:], position[:n_cables]])[order]
        tail, head = tail[order], head[order]
        return cls(
            name=name,
            nodes=_with_inferred(nodes, tail, head),
            link_tail=frozen_array(tail, np.int32, "link_tail"),
            link_head=frozen_array(head, np.int32, "link_head"),
            link_capacity_gbps=frozen_array(capacity[order], np.float64, "link_capacity_gbps"),
            link_reverse=frozen_array(reverse, np.int32, "link_reverse"),
            link_tail_port=frozen_array(tail_port[order], np.int32, "link_tail_port"),
            link_head_port=frozen_array(head_port[order], np.int32, "link_head_port"),
            out_start=frozen_array(np.searchsorted(tail, np.arange(len(nodes.name) + 1)), np.int64, "out_start"),
            port_names=dict(port_names or {}),
        )

    def __repr__(self) -> str:
        counts = ", ".join(f"{value} {what}" for what, value in self._facts()[1:])
        return f"Topology({self.name!r}: {counts})"

    def _facts(self) -> Facts:
        switches, nvswitches = (int(np.count_nonzero(self.nodes.kind == kind)) for kind in (SWITCH, NVSWITCH))
        facts = [("name", self.name), ("endpoints", f"{self.n_endpoints:,}"), ("switches", f"{switches:,}")]
        if nvswitches:
            facts.append(("NVLink switches", f"{nvswitches:,}"))
        return [*facts, ("links", f"{self.n_links:,}")]

    @property
    def n_nodes(self) -> int:
        """Endpoints and switches."""
        return len(self.nodes.name)

    @property
    def n_links(self) -> int:
        """Directed links, two for each cable."""
        return len(self.link_tail)

    @property
    def n_endpoints(self) -> int:
        """Endpoints, N."""
        return len(self.endpoints)

    @cached_property
    def endpoints(self) -> Int32Vector:
        """Node of each endpoint, (n_endpoints,) int32, in the order of the nodes."""
        return frozen_array(np.flatnonzero(self.nodes.kind == ENDPOINT).astype(np.int32), np.int32, "endpoints")

    @cached_property
    def endpoint_names(self) -> tuple[str, ...]:
        """Name of each endpoint, in the order of `endpoints`."""
        return tuple(self.nodes.name[node] for node in self.endpoints)

    @cached_property
    def endpoint_domain(self) -> Int32Vector:
        """Scale-up domain of each endpoint, (n_endpoints,) int32; `UNKNOWN` without NVLink."""
        return frozen_array(self.nodes.domain[self.endpoints], np.int32, "endpoint_domain")

    @cached_property
    def endpoint_rail(self) -> Int32Vector:
        """Rail of each endpoint, (n_endpoints,) int32, or `UNKNOWN`."""
        return frozen_array(self.nodes.rail[self.endpoints], np.int32, "endpoint_rail")

    @cached_property
    def nvlink_gbps(self) -> float | None:
        """NVLink capacity of the endpoint that has most, each way; None without NVLink."""
        up = (self.link_kind == NVLINK) & (self.nodes.kind[self.link_tail] == ENDPOINT)
        if not up.any():
            return None
        return float(np.bincount(self.link_tail[up], self.link_capacity_gbps[up]).max())

    @cached_property
    def endpoint_host(self) -> Int32Vector:
        """Host of each endpoint, (n_endpoints,) int32, or `UNKNOWN`."""
        return frozen_array(self.nodes.host[self.endpoints], np.int32, "endpoint_host")

    @cached_property
    def link_kind(self) -> Int8Vector:
        """`NIC` (endpoint and switch), `ISL` (two switches) or `NVLINK` (scale-up), (n_links,) int8."""
        tail, head = self.nodes.kind[self.link_tail], self.nodes.kind[self.link_head]
        nvlink = _scale_up(self.nodes, self.link_tail, self.link_head)
        isl = (tail == SWITCH) & (head == SWITCH)
        return frozen_array(np.where(nvlink, NVLINK, np.where(isl, ISL, NIC)).astype(np.int8), np.int8, "link_kind")

    @cached_property
    def in_mesh(self) -> BoolVector:
        """Endpoints that direct links join with others of their domain, (n_endpoints,) bool."""
        direct = _direct(self.nodes, self.link_tail, self.link_head)
        joined = np.zeros(self.n_nodes, bool)
        joined[self.link_tail[direct]] = True
        return frozen_array(joined[self.endpoints], np.bool_, "in_mesh")

    @cached_property
    def n_domains(self) -> int:
        """Scale-up domains."""
        domain = self.endpoint_domain
        return int(np.unique(domain[domain != UNKNOWN]).size)

    @cached_property
    def link_tier(self) -> Int32Vector:
        """Tier of a link's upper end, (n_links,) int32: 1 to the hosts, 2 leaf-spine, 3 spine-core; 0 in a mesh."""
        tier = self.nodes.tier
        return frozen_array(np.maximum(tier[self.link_tail], tier[self.link_head]), np.int32, "link_tier")

    @cached_property
    def link_direction(self) -> Int8Vector:
        """`UP` (away from the endpoints), `DOWN` or `PEER` (within a tier), (n_links,) int8."""
        rise = self.nodes.tier[self.link_head] - self.nodes.tier[self.link_tail]
        return frozen_array(
            np.where(rise > 0, UP, np.where(rise < 0, DOWN, PEER)).astype(np.int8), np.int8, "direction"
        )

    @cached_property
    def link_groups(self) -> "LinkGroups":
        """Links by kind, tier and direction."""
        # Direction within tier within kind.
        key = (self.link_kind * (int(self.link_tier.max(initial=0)) + 1) + self.link_tier) * len(DIRECTIONS)
        key += self.link_direction
        first = np.full(int(key.max(initial=0)) + 1, UNKNOWN, np.int64)
        first[key[::-1]] = np.arange(self.n_links)[::-1]
        example = first[first != UNKNOWN]
        number = (np.cumsum(first != UNKNOWN) - 1).astype(np.int8)
        columns = (column[example].astype(np.int64) for column in (self.link_kind, self.link_tier, self.link_direction))
        return LinkGroups(frozen_array(number[key], np.int8, "link_groups"), *columns)

    @cached_property
    def link_cable_index(self) -> Int32Vector:
        """Position of each link among the parallel cables of its pair of nodes, (n_links,) int32.

        Both directions of a cable have the same index.
        """
        forward = self.link_tail < self.link_head
        same = np.ones(self.n_links, dtype=bool)
        same[:1] = False
        same[1:] = (self.link_tail[1:] == self.link_tail[:-1]) & (self.link_head[1:] == self.link_head[:-1])
        position = np.arange(self.n_links)
        first = np.maximum.accumulate(np.where(same, 0, position))
        index = position - first
        return frozen_array(np.where(forward, index, index[self.link_reverse]).astype(np.int32), np.int32, "cable")

    @cached_property
    def assumptions(self) -> tuple[str, ...]:
        """What was inferred rather than given, for the reader of a report."""
        return ()

    def port_name(self, node: int, port: int) -> str:
        """What a port of a node is called: its name, else its number; empty if it is `UNKNOWN`."""
        if port == UNKNOWN:
            return ""
        return self.port_names.get((self.nodes.name[node], int(port)), str(port))

    def is_port(self, node: Int32Vector, port: Int32Vector, text: str) -> BoolVector:
        """Which ends of links are the port that a text names, as `port_name` gives it.  O(n_ends).

        Parameters
        ----------
        node, port : (n_ends,) int32
            Such as `link_tail` and `link_tail_port`.
        text : str
            Such as ``swp31``, or ``31`` where ports have numbers only.
        """
        if not self.port_names:
            number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else UNKNOWN
            return np.asarray((port == number) & (port != UNKNOWN))
        ends = zip(node.tolist(), port.tolist(), strict=True)
        return np.fromiter(
            (text != "" and self.port_name(where, number) == text for where, number in ends), bool, port.size
        )

    def link_name(self, link: int) -> str:
        """A link as a person finds it: ``r2-l07 port 41 -> r2-s03 port 7``."""

        def end(node: int, port: int) -> str:
            name = self.port_name(node, port)
            whole = self.nodes.name[node]
            return whole if not name or whole.endswith(f" {name}") else f"{whole} port {name}"

        tail = end(self.link_tail[link], self.link_tail_port[link])
        head = end(self.link_head[link], self.link_head_port[link])
        return f"{tail} -> {head}"


def _canonical(n: int, tail: Int32Vector, head: Int32Vector, others: tuple[npt.NDArray[Any], ...]) -> Int64Vector:
    """Order of links by tail and head, and where both are the same by the last of some others, then the one before."""
    key = tail * np.int64(n) + head
    order = np.argsort(key, kind="stable").astype(np.int64)
    same = key[order][1:] == key[order][:-1]
    if same.any():
        # Only parallel cables are looked at again.
        parallel = np.append(same, False) | np.insert(same, 0, False)
        few = order[parallel]
        order[parallel] = few[np.lexsort((*(other[few] for other in others), key[few]))]
    return order


def _first(mask: npt.NDArray[Any]) -> int | None:
    return int(np.argmax(mask)) if mask.any() else None


def _check_nodes(nodes: Nodes) -> None:
    seen: set[str] = set()
    for name in nodes.name:
        if not name:
            raise InputError("a node has no name; expected one")
        if name in seen:
            raise InputError(f"node {name!r}: the name is given twice; expected unique names")
        seen.add(name)
    bad = _first((nodes.kind < ENDPOINT) | (nodes.kind > NVSWITCH))
    if bad is not None:
        raise InputError(f"node {nodes.name[bad]!r}: expected kind {', '.join(NODE_KINDS)}")
    bad = _first((nodes.kind == ENDPOINT) & (nodes.tier > 0))
    if bad is not None:
        raise InputError(f"node {nodes.name[bad]!r}: tier {nodes.tier[bad]}; expected 0 for an endpoint")
    bad = _first((nodes.kind != ENDPOINT) & (nodes.tier == 0))
    if bad is not None:
        raise InputError(f"node {nodes.name[bad]!r}: tier 0; expected >= 1 for a switch")


def _check_cables(nodes: Nodes, cables: Cables) -> None:
    n_nodes = len(nodes.name)
    columns = (cables.b, cables.a_port, cables.b_port, cables.ab_gbps, cables.ba_gbps)
    if any(len(column) != len(cables.a) for column in columns):
        raise InputError("cables: expected columns of one length")
    for end in (cables.a, cables.b):
        bad = _first((end < 0) | (end >= n_nodes))
        if bad is not None:
            raise InputError(f"cable {bad}: node {end[bad]} does not exist; expected 0 to {n_nodes - 1}")

    def refuse(mask: BoolVector, reason: str) -> None:
        bad = _first(mask)
        if bad is not None:
            raise InputError(f"cable {nodes.name[cables.a[bad]]} - {nodes.name[cables.b[bad]]}: {reason}")

    a_kind, b_kind = nodes.kind[cables.a], nodes.kind[cables.b]
    refuse(cables.a == cables.b, "expected two different nodes")
    apart = (nodes.domain[cables.a] != nodes.domain[cables.b]) | (nodes.domain[cables.a] == UNKNOWN)
    direct = _direct(nodes, cables.a, cables.b)
    refuse(direct & apart, "joins two endpoints; expected a switch at one end, or two endpoints of one domain")
    mixed = ((a_kind == SWITCH) & (b_kind == NVSWITCH)) | ((a_kind == NVSWITCH) & (b_kind == SWITCH))
    refuse(mixed, "joins an NVLink switch and a switch; expected endpoints in between")
    on_switch = np.zeros(n_nodes, bool)
    on_switch[cables.a[b_kind == NVSWITCH]] = on_switch[cables.b[a_kind == NVSWITCH]] = True
    both = direct & (on_switch[cables.a] | on_switch[cables.b])
    refuse(both, "is a direct link in a domain with an NVLink switch; expected one or the other")
    for capacity in (cables.ab_gbps, cables.ba_gbps):
        refuse(~(np.isfinite(capacity) & (capacity > 0)), "expected capacity_gbps > 0 and finite")
        refuse(capacity > MAX_GBPS, f"expected capacity_gbps of at most {MAX_GBPS:g}")


def _with_inferred(nodes: Nodes, tail: Int32Vector, head: Int32Vector) -> Nodes:
    return replace(nodes, tier=_inferred_tiers(nodes, tail, head), domain=_inferred_domains(nodes, tail, head))


def joined_by(n: int, one: Int32Vector | Int64Vector, other: Int32Vector | Int64Vector) -> Int64Vector:
    """The smallest of the numbers that each of ``0 .. n - 1`` is joined with by a chain of pairs, (n,) int64."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = coo_array((np.ones(len(one)), (one, other)), (n, n))
    component = connected_components(pairs, directed=False)[1]
    least: Int64Vector = np.unique(component, return_index=True)[1].astype(np.int64)
    joined: Int64Vector = least[component]
    return joined


def _inferred_tiers(nodes: Nodes, tail: Int32Vector, head: Int32Vector) -> Int32Vector:
    """Given tiers, and for the rest what `fabric.tiers` makes of the cables; 1 for NVLink switches."""
    missing = nodes.tier == UNKNOWN
    tier = np.where(missing & (nodes.kind == ENDPOINT), 0, nodes.tier).astype(np.int32)
    missing &= nodes.kind != ENDPOINT
    if not missing.any():
        return tier
    switches = np.flatnonzero(nodes.kind == SWITCH)
    place = np.full(len(nodes.name), UNKNOWN, np.int64)
    place[switches] = np.arange(switches.size)
    between = (place[tail] >= 0) & (place[head] >= 0)
    up = (nodes.kind[tail] == ENDPOINT) & (place[head] >= 0)
    endpoints = np.bincount(place[head[up]], minlength=switches.size)
    found = np.ones(len(nodes.name), np.int32)
    found[switches] = tiers_of(switches.size, place[tail[between]], place[head[between]], endpoints)
    tier[missing] = found[missing]
    return tier


def _direct(nodes: Nodes, tail: Int32Vector, head: Int32Vector) -> BoolVector:
    """Links that join two endpoints."""
    return np.asarray((nodes.kind[tail] == ENDPOINT) & (nodes.kind[head] == ENDPOINT))


def _scale_up(nodes: Nodes, tail: Int32Vector, head: Int32Vector) -> BoolVector:
    """Links of an NVLink switch, and direct ones."""
    switched = (nodes.kind[tail] == NVSWITCH) | (nodes.kind[head] == NVSWITCH)
    return np.asarray(switched | _direct(nodes, tail, head))


def _scale_up_components(nodes: Nodes, tail: Int32Vector, head: Int32Vector) -> Int64Vector:
    """The smallest node that each node is joined with by scale-up links, (n_nodes,) int64."""
    # In stars, each endpoint on one NVLink switch, and in meshes, as builders make them, the smallest node is two links
    # away at most: no search, and no time to load one.
    least = np.arange(len(nodes.name))
    for _ in range(2):
        np.minimum.at(least, tail, least[head])
    if np.array_equal(least[tail], least[head]):
        return least
    return joined_by(len(nodes.name), tail, head)


def _inferred_domains(nodes: Nodes, tail: Int32Vector, head: Int32Vector) -> Int32Vector:
    """Endpoints joined by scale-up links are one domain; domains that were given must say the same."""
    scale_up = _scale_up(nodes, tail, head)
    tail, head = tail[scale_up], head[scale_up]
    component = _scale_up_components(nodes, tail, head)
    member = np.zeros(len(nodes.name), dtype=bool)
    member[tail] = True
    member |= nodes.kind == NVSWITCH
    given = nodes.domain != UNKNOWN
    lone = _first(given & ~member & (nodes.kind == ENDPOINT))
    if lone is not None:
        raise InputError(
            f"node {nodes.name[lone]!r}: domain {nodes.domain[lone]} but no link to an NVLink switch (kind nvswitch), "
            "nor to an endpoint of the domain"
        )
    members = np.flatnonzero(member)
    _, first, index = np.unique(component[members], return_index=True, return_inverse=True)
    number = nodes.domain[members[first]].copy()
    odd = _first(nodes.domain[members] != number[index])
    # Sets without a number get the next ones.
    number[number == UNKNOWN] = int(number.max(initial=UNKNOWN)) + 1 + np.arange(np.count_nonzero(number == UNKNOWN))
    if odd is not None or np.unique(number).size != number.size:
        where = members[odd if odd is not None else 0]
        raise InputError(
            f"node {nodes.name[where]!r}: domain {nodes.domain[where]}; expected one domain, and another one for "
            "each set of endpoints that NVLink switches or direct links join"
        )
    domain = np.full(len(nodes.name), UNKNOWN, dtype=np.int32)
    domain[members] = number[index]
    return domain
