"""A fabric with something broken: cables, ports, switches, planes or hosts that are down, or slower than usual."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache

import numpy as np

from collectives.demand import FloatVector, Int64Vector
from collectives.errors import InputError
from collectives.gate import quoted, real
from collectives.suggestion import hint
from fabric.topology import ENDPOINT, NIC, NVLINK, NVSWITCH, SWITCH, UNKNOWN, BoolVector, Cables, Topology

FAULT_KINDS = ("link", "port", "switch", "leaf", "spine", "core", "nic", "host", "plane")
"""What a fault may name: cables, by both ends or by a port, switches (of a tier), NICs, hosts, a plane's switches."""

_TIERS = {"leaf": 1, "spine": 2, "core": 3}
# Two dashes may stand in a name, and join two with blanks around them only.
_ARROW = re.compile(r"\s*(?:<->|->|=>|→)\s*|\s+--\s+")
_PORT = re.compile(r"\A(?P<name>.+?)\s+port\s+(?P<port>\S+)\Z")


def link_cuts(text: str) -> list[tuple[str, str]]:
    """Every way to read a text as the two ends of a link: one where it has an arrow, ``leaf1 port 3 -> spine2``.

    A node's name may have one too: ``row->2 -> spine1`` is read in two ways.
    """
    whole = text.strip()
    return [(whole[: arrow.start()].rstrip(), whole[arrow.end() :].lstrip()) for arrow in _ARROW.finditer(whole)]


def end_and_port(text: str) -> tuple[str, str | None]:
    """Name and port of an end that is no node's name as it stands; ``leaf1 port 3`` is port 3 of leaf1."""
    found = _PORT.match(text)
    return (found["name"], found["port"]) if found else (text, None)


class UnmatchedFault(InputError):
    """A fault that matches nothing of a fabric."""


@dataclass(frozen=True)
class Fault:
    """Something that is down or slow.

    Attributes
    ----------
    kind : str
        One of `FAULT_KINDS`.
    pattern : str
        Names with ``*``, ``?`` and ``[...]`` as in a shell: of a switch, an endpoint or a host; a plane's number; of a
        port its node and itself, ``leaf1 port 3``; of a link both ends, ``leaf1 port 3 -> spine*``, with ports or
        without, either end first, perhaps a tier's word before a name.  A name that is written out means itself,
        whatever letters it has.
    capacity : float
        Part of the capacity that is left, 0 to 1; 0: down.
    """

    kind: str
    pattern: str
    capacity: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in FAULT_KINDS:
            raise InputError(f"fault {quoted(self.kind)}: {hint(self.kind, FAULT_KINDS)}")
        if not self.pattern.strip():
            raise InputError(f"fault: {self.kind}: expected a name")
        if not 0 <= self.capacity <= 1:
            raise InputError(f"fault {self}: capacity {self.capacity:g}; expected a part from 0 (down) to 1")

    def __str__(self) -> str:
        plain = self.kind == "link" and self.pattern.partition(":")[0].strip() not in FAULT_KINDS
        return self.pattern if plain else f"{self.kind}:{self.pattern}"

    @classmethod
    def parsed(cls, text: str, capacity: float = 0.0) -> "Fault":
        """``leaf1 -> spine2``, ``leaf1 port 3``, ``spine:s03``, ``host:h0012``; a bare name is any node's.

        Raises
        ------
        InputError
            If there is no such kind.
        """
        kind, colon, name = text.partition(":")
        if colon and kind.strip() in FAULT_KINDS:
            return cls(kind.strip(), name.strip(), capacity)
        return cls("link" if link_cuts(text) else "switch", text.strip(), capacity)

    @classmethod
    def degraded(cls, text: str) -> "Fault":
        """``spine:s03=0.5`` or ``leaf1 -> spine2=50%``: what is left of the capacity.

        Raises
        ------
        InputError
            Without a part between 0 and 1.
        """
        name, equals, part = text.rpartition("=")
        if not (equals and name):
            raise InputError(f"fault {quoted(text)}: expected NAME=PART, such as 'spine:s03=0.5'")
        whole = 100.0 if "%" in part else 1.0
        value = real(part.strip().removesuffix("%"), f"fault {quoted(text)}: part", 0.0, whole)
        return cls.parsed(name, value / whole)


@dataclass(frozen=True, eq=False)
class Damage:
    """A damaged fabric beside the whole one.

    Attributes
    ----------
    topology : Topology
        The same nodes, fewer or slower links.
    new_link : (n_links,) int64
        Of each link of the whole fabric its number in the damaged one; `UNKNOWN`: gone.
    down, slow : int
        Cables.
    """

    topology: Topology
    new_link: Int64Vector
    down: int
    slow: int


def damaged(topology: Topology, faults: Sequence[Fault], hosts: Sequence[str] | None = None) -> Damage:
    """A fabric with faults; arguments and errors as for `capacity_left`."""
    return with_capacity_left(topology, capacity_left(topology, faults, hosts))


def capacity_left(topology: Topology, faults: Sequence[Fault], hosts: Sequence[str] | None = None) -> FloatVector:
    """Part of each link's capacity that faults leave, (n_links,) float64; of several on one cable the worst counts.

    Parameters
    ----------
    topology : Topology
    faults : sequence of Fault
    hosts : sequence of str, optional
        Name of each endpoint's host; default the endpoints' own.

    Raises
    ------
    UnmatchedFault
        One that matches nothing: with the nearest names.
    """
    left = np.ones(topology.n_links)
    for fault in faults:
        links = fault_links(topology, fault, hosts)
        both = np.concatenate([links, topology.link_reverse[links]])
        left[both] = np.minimum(left[both], fault.capacity)
    return left


def with_capacity_left(topology: Topology, left: FloatVector) -> Damage:
    """A fabric of whose links so much of the capacity is left, (n_links,) float64; 0: down, in both directions."""
    kept = (left > 0) & (left[topology.link_reverse] > 0)
    forward = np.flatnonzero(kept & (np.arange(topology.n_links) < topology.link_reverse))
    back = topology.link_reverse[forward]
    capacity = topology.link_capacity_gbps * left
    cables = Cables(
        a=topology.link_tail[forward],
        b=topology.link_head[forward],
        a_port=topology.link_tail_port[forward],
        b_port=topology.link_head_port[forward],
        ab_gbps=capacity[forward],
        ba_gbps=capacity[back],
    )
    # Links keep their order: what goes leaves a gap that closes.
    new_link = np.where(kept, np.cumsum(kept) - 1, UNKNOWN)
    slow = int(np.count_nonzero((left < 1) & kept) + 1) // 2
    return Damage(
        Topology.from_cables(topology.name, topology.nodes, cables, topology.port_names),
        new_link.astype(np.int64),
        int(np.count_nonzero(~kept)) // 2,
        slow,
    )


def fault_links(topology: Topology, fault: Fault, hosts: Sequence[str] | None = None) -> Int64Vector:
    """Links that a fault touches, of each cable at least one direction; parameters as of `damaged`.

    Raises
    ------
    InputError
        If it is a link without two ends.
    UnmatchedFault
        If there are none.
    """
    hosts = topology.endpoint_names if hosts is None else hosts
    # A bare name may look like a link, a link's end like a port.
    whole_name = fault.kind in ("link", "switch") and fault.pattern in _node_numbers(topology)
    if whole_name:
        fault = replace(fault, kind="switch")
    elif fault.kind == "switch" and _PORT.match(fault.pattern):
        fault = replace(fault, kind="port")
    if fault.kind == "link":
        found = _links_between(topology, fault)
    elif fault.kind == "port":
        found = _links_at_port(topology, fault)
    else:
        nodes = _nodes_of(topology, fault, hosts)
        scale_out = topology.link_kind != NVLINK
        found = np.flatnonzero((nodes[topology.link_tail] | nodes[topology.link_head]) & scale_out)
        if not found.size and link_cuts(fault.pattern):
            # A node's name may begin with a kind: leaf:01 -> spine1.
            found = _links_between(topology, replace(fault, kind="link", pattern=f"{fault.kind}:{fault.pattern}"))
    if not found.size:
        raise UnmatchedFault(
            f"fault {quoted(_as_typed(fault))}: matches no cable of {topology.name}{_near(topology, fault, hosts)}"
        )
    return found


def _nodes_of(topology: Topology, fault: Fault, hosts: Sequence[str]) -> BoolVector:
    nodes = topology.nodes
    if fault.kind == "plane":
        of_plane = _matching([str(one) for one in nodes.plane.tolist()], fault.pattern)
        of_plane &= nodes.kind == SWITCH
        return of_plane
    if fault.kind == "host":
        found = _matching(hosts, fault.pattern)
        # A host whose endpoints have names of their own alone is meant as a whole by each.
        host = topology.endpoint_host
        found |= np.isin(host, host[found & (host != UNKNOWN)])
        chosen = np.zeros(topology.n_nodes, bool)
        chosen[topology.endpoints] = found
        return chosen
    named = _named(topology, fault.pattern)
    if fault.kind == "nic":
        named &= nodes.kind == ENDPOINT
    elif fault.kind != "switch":
        named &= (nodes.kind == SWITCH) & (nodes.tier == _TIERS[fault.kind])
    return named


@lru_cache(maxsize=4)
def _node_numbers(topology: Topology) -> dict[str, int]:
    return {name: node for node, name in enumerate(topology.nodes.name)}


def _named(topology: Topology, pattern: str) -> BoolVector:
    """Nodes that a pattern names."""
    node = _node_numbers(topology).get(pattern)
    if node is None:
        return _matching(topology.nodes.name, pattern)
    chosen = np.zeros(topology.n_nodes, bool)
    chosen[node] = True
    return chosen


def _matching(names: Sequence[str], pattern: str) -> BoolVector:
    """Which names a pattern matches; a name that is written out, whatever letters it has, matches itself."""
    exact = np.array([name == pattern for name in names], bool)
    return exact if exact.any() else np.array([fnmatchcase(name, pattern) for name in names], bool)


def _links_between(topology: Topology, fault: Fault) -> Int64Vector:
    cuts = [cut for cut in link_cuts(fault.pattern) if all(cut)]
    read = [tuple(_end(topology, end) for end in cut) for cut in cuts]
    # Where a name holds an arrow, the reading whose ends are nodes is meant.
    read = [ends for ends in read if all(named.any() for named, _ in ends)] or read[:1]
    if not read or (len(cuts) > 1 and not all(named.any() for named, _ in read[0])):
        raise InputError(f"fault {quoted(fault.pattern)}: expected two ends, such as 'leaf1 port 3 -> spine2'")
    found = np.zeros(topology.n_links, bool)
    for (one, one_port), (other, other_port) in read:
        both = one[topology.link_tail] & other[topology.link_head]
        if one_port is not None:
            both &= topology.is_port(topology.link_tail, topology.link_tail_port, one_port)
        if other_port is not None:
            both &= topology.is_port(topology.link_head, topology.link_head_port, other_port)
        found |= both
    return np.flatnonzero(found)


def _links_at_port(topology: Topology, fault: Fault) -> Int64Vector:
    named, port = _end(topology, fault.pattern)
    if port is None:
        raise InputError(f"fault {quoted(str(fault))}: expected a node and its port, such as 'leaf1 port 3'")
    return np.flatnonzero(
        named[topology.link_tail] & topology.is_port(topology.link_tail, topology.link_tail_port, port)
    )


def _end(topology: Topology, text: str) -> tuple[BoolVector, str | None]:
    """Nodes that one end of a link may be, and its port."""
    nodes = topology.nodes
    named = _named(topology, text)
    port = None
    if not named.any():
        text, port = end_and_port(text)
        named = _named(topology, text)
    word, _, rest = text.partition(" ")
    if not named.any() and word in _TIERS and rest:
        named = _named(topology, rest.strip()) & (nodes.tier == _TIERS[word])
    return named, port


def _as_typed(fault: Fault) -> str:
    """A fault as a user writes it: a bare name is any node's."""
    return (
        fault.pattern if fault.kind == "switch" and fault == Fault.parsed(fault.pattern, fault.capacity) else str(fault)
    )


def _near(topology: Topology, fault: Fault, hosts: Sequence[str]) -> str:
    """The end of a message: names that are alike."""
    if fault.kind == "switch" and _matching(hosts, fault.pattern).any():
        return f"; did you mean the host: 'host:{fault.pattern}'?"
    if fault.kind == "host":
        names = sorted(set(hosts))
    elif fault.kind == "plane":
        names = [str(one) for one in np.unique(topology.nodes.plane[topology.nodes.plane != UNKNOWN]).tolist()]
    elif fault.kind == "port":
        return "; expected 'NAME port N' of a node that has a cable there, with * for any letters in its name"
    elif fault.kind == "link":
        return "; expected 'NAME -> NAME' of two nodes that a cable joins, with * for any letters"
    else:
        kinds = {"nic": topology.nodes.kind == ENDPOINT, "switch": topology.nodes.kind != NVSWITCH}
        tier = topology.nodes.tier == _TIERS.get(fault.kind, UNKNOWN)
        chosen = kinds.get(fault.kind, (topology.nodes.kind == SWITCH) & tier)
        # Switches first, where any node would do.
        found = np.flatnonzero(chosen)
        found = found[np.argsort(topology.nodes.kind[found] == ENDPOINT, kind="stable")]
        names = [topology.nodes.name[node] for node in found.tolist()]
    return f"; {hint(fault.pattern, names)}"


def nic_cables(topology: Topology) -> Int64Vector:
    """Cables between endpoints and switches, as the links up."""
    return np.flatnonzero((topology.link_kind == NIC) & (topology.nodes.kind[topology.link_tail] == ENDPOINT))
