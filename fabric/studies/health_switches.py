"""Whole switches that are missing: numbers that the names of their kind leave out, where ports are free for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from collectives.demand import Int32Vector, Int64Vector
from collectives.sizes import counted
from fabric.formats.infiniband.host_names import natural
from fabric.studies.health_findings import ERROR, WARNING, End, Example, Finding, end_text, findings_of, port_end
from fabric.studies.health_names import counts_from_zero, is_numbered, missing_names, next_names, siblings, skeleton
from fabric.topology import ENDPOINT, ISL, NIC, SWITCH, UNKNOWN, UP, Topology

# Switches that a numbering must have where no ports tell whether it is one.  Assumed.
_FEWEST = 4
# Free ports that are named at most.
_PORTS = 4
# Ports of a kind begin behind a multiple of this: assumed, as of half a switch.
_ROUND = 8
# Of a kind no more than this part has no cable up where the others have one.  Assumed.
_FEW_STRANDED = 0.25


@dataclass(frozen=True)
class _Near:
    """Switches next to a kind, on one side of it, and the ports that some have free amid those to the kind."""

    n_switches: int
    free: tuple[tuple[str, ...], ...]

    def text(self) -> str:
        """Which ports are free on how many switches."""
        own = set(self.free)
        where = f"on {counted(len(self.free), 'switch', 'switches')} next to them"
        if len(own) > 1 or len(self.free[0]) > _PORTS:
            return f"ports are free {where}"
        (ports,) = own
        words = ", ".join(ports)
        return f"port {words} is free {where}" if len(ports) == 1 else f"ports {words} are free {where}"


def missing_switches(
    topology: Topology, free_ports: Mapping[int, Sequence[int]] | None = None, subnet: bool = True
) -> list[Finding]:
    """Switches that are not there though their kind is numbered through; errors where endpoints hang in the air.

    A number that is left out is no missing switch where the ports next to its kind have no gap either, unless what is
    below its neighbours has fewer cables than others of its kind.

    Parameters
    ----------
    topology : Topology
    free_ports : mapping of int to sequence of int, optional
        All ports of each switch without a cable, where the fabric's source says them: `SubnetFabric.free_ports`.
    subnet : bool
        Whether there is a subnet manager that has a log.
    """
    nodes = topology.nodes
    number = {name: node for node, name in enumerate(nodes.name)}
    from_zero = counts_from_zero(name for name, kind in zip(nodes.name, nodes.kind, strict=True) if kind == SWITCH)
    in_the_air = bool((np.diff(topology.out_start)[topology.endpoints] == 0).any())
    below = _Below(topology)
    examples = []
    for tier in np.unique(nodes.tier[nodes.kind == SWITCH]):
        names = [nodes.name[node] for node in np.flatnonzero((nodes.kind == SWITCH) & (nodes.tier == tier))]
        for name, members in missing_names(names, from_zero):
            groups = siblings(name, members)
            # All of them may be in several groups; the two beside it are in its own, one of them at least.
            chosen = [*groups, *([one] for group in groups for one in group[:2])]
            first = _is_first(name, members)
            near = [one for group in chosen for one in _next_to(topology, [number[member] for member in group], first)]
            free = next((one for one in near if one.free and 2 * len(one.free) >= one.n_switches), None)
            # One of several numbers, at an edge, has no ports on both sides; adapters without a leaf tell as much.
            by_name = len(members) >= _FEWEST and (not near or (in_the_air and len(groups) > 1))
            lacking = next((one for one in chosen if below.lacks([number[member] for member in one])), None)
            stranded = below.stranded(int(tier))
            if name in number or (free is None and not by_name and lacking is None and stranded < 2):
                continue
            if free is not None:
                more = f"; {free.text()}"
            elif lacking is not None:
                more = below.text(lacking)
            else:
                more = f"; {stranded} switches below have no cable up" if stranded > 1 else ""
            examples.append(Example(_is_missing(name, members) + more, (End(name),)))
        for name, members in next_names(names):
            last = number[members[-1]]
            if name in number:
                continue
            stranded = below.stranded(int(tier))
            if stranded > 1 and not examples:
                more = f"; {stranded} switches below have no cable up"
                examples.append(Example(_is_missing(name, members) + more, (End(name),)))
            elif below.lacks([last]):
                examples.append(Example(_is_missing(name, members) + below.text([members[-1]]), (End(name),)))
            elif (end := _at_the_end(topology, [number[member] for member in members], free_ports or {})) is not None:
                examples.append(Example(f"{_is_missing(name, members)}; {end.text()}", (End(name),)))
    where = examples[0].ends[0].device if examples else ""
    log = "the subnet manager's log" if subnet else "whether it answers"
    todo = f"look for {where}: its power, its cables, {log}"
    if not examples:
        examples = _without_number(topology)
        todo = f"follow the cable in {end_text(examples[0].ends[0])}" if examples else ""
    severity, kind = ERROR if in_the_air else WARNING, "missing switch"
    return findings_of(severity, kind, "switches are missing in the pattern of the others", examples, todo=todo)


def _is_missing(name: str, members: Sequence[str]) -> str:
    return f"{name}: the {len(members)} others of its kind, {members[0]} to {members[-1]}, are there"


def _is_first(name: str, members: Sequence[str]) -> bool:
    """Whether a name is before all others of its kind in a numbering by one number."""
    groups = siblings(name, members)
    return len(groups) == 1 and natural(name) < min(natural(member) for member in members)


class _Below:
    """Cables upwards of the hosts and switches below, and which have fewer than the best that are named alike."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        nodes = topology.nodes
        # A host is one, whatever its endpoints.
        host = nodes.host.astype(np.int64)
        of_host = (nodes.kind == ENDPOINT) & (host != UNKNOWN)
        self._unit = np.where(of_host, topology.n_nodes + host, np.arange(topology.n_nodes))
        up = np.flatnonzero(topology.link_direction == UP)
        up = up[(topology.link_kind[up] == ISL) | (topology.link_kind[up] == NIC)]
        self._tail, self._head = self._unit[topology.link_tail[up]], topology.link_head[up]
        cables = np.bincount(self._tail, minlength=2 * topology.n_nodes)
        words: dict[str, int] = {}
        kind = np.full(2 * topology.n_nodes, -1, np.int64)
        kind[self._unit] = [words.setdefault(skeleton(name), len(words)) for name in nodes.name]
        best = np.zeros(len(words), np.int64)
        np.maximum.at(best, kind[kind >= 0], cables[kind >= 0])
        self._stranded = {int(low): self._n_stranded(low, kind) for low in np.unique(nodes.tier[nodes.kind == SWITCH])}
        self._fewer = (kind >= 0) & (cables > 0) & (cables < best[np.maximum(kind, 0)])
        self._names = nodes.name

    def _n_stranded(self, tier: "np.integer[Any]", kind: Int64Vector) -> int:
        """Switches of a tier without a cable up, and with one down, of kinds of which most have one up."""
        nodes = self._topology.nodes
        there = np.flatnonzero((nodes.kind == SWITCH) & (nodes.tier == tier) & (np.diff(self._topology.out_start) > 0))
        none = ~np.isin(there, self._tail)
        of_kind, number = np.unique(kind[there], return_inverse=True)
        without = np.bincount(number.ravel(), none, of_kind.size)
        few = without <= _FEW_STRANDED * np.bincount(number.ravel(), minlength=of_kind.size)
        return int(without[few].sum())

    def stranded(self, tier: int) -> int:
        """How many switches of the tier below have no cable up, though most of their kind have."""
        return self._stranded.get(tier - 1, 0)

    def _own(self, members: Sequence[int]) -> Int64Vector:
        return np.unique(self._tail[np.isin(self._head, members)])

    def lacks(self, members: Sequence[int]) -> bool:
        """Whether several hosts or switches are below these, and all have fewer cables than the best of their kind."""
        own = self._own(members)
        return own.size > 1 and bool(self._fewer[own].all())

    def text(self, members: Sequence[str]) -> str:
        """That they have."""
        own = self._own([self._names.index(member) for member in members])
        hosts = bool((own >= self._topology.n_nodes).any())
        what = counted(own.size, "host") if hosts else counted(own.size, "switch", "switches")
        return f"; all {what} below {members[0]} have fewer cables than others of their kind"


def _at_the_end(topology: Topology, members: Sequence[int], free: Mapping[int, Sequence[int]]) -> _Near | None:
    """Switches below that have as many ports without a cable as one of the members takes, behind those to them."""
    is_member = np.zeros(topology.n_nodes, bool)
    is_member[list(members)] = True
    links = np.flatnonzero(is_member[topology.link_head] & (topology.link_direction == UP))
    links = links[topology.link_kind[links] == ISL]
    near = np.unique(topology.link_tail[links])
    if near.size < _FEWEST or not all(free.get(int(node)) for node in near):
        return None
    found = []
    for node in near.tolist():
        own = links[topology.link_tail[links] == node]
        last = int(topology.link_tail_port[own].max())
        each = np.unique(topology.link_head[own], return_counts=True)[1]
        if each.min() != each.max() or tuple(free[node]) != tuple(range(last + 1, last + 1 + int(each[0]))):
            return None
        found.append(tuple(topology.port_name(node, port) for port in free[node]))
    return _Near(near.size, tuple(found))


def _without_number(topology: Topology) -> list[Example]:
    """A switch whose kind is not numbered: all below have the same ports free amid those to it."""
    nodes, examples = topology.nodes, []
    up = np.flatnonzero((topology.link_kind == ISL) & (topology.link_direction == UP))
    for tier in np.unique(topology.link_tier[up]):
        links = up[topology.link_tier[up] == tier]
        links = links[np.argsort(topology.link_tail[links], kind="stable")]
        near, first, each = np.unique(topology.link_tail[links], return_index=True, return_counts=True)
        heads = [nodes.name[head] for head in np.unique(topology.link_head[links])]
        unknown = (topology.link_tail_port[links] == UNKNOWN).any() or (each != each[0]).any()
        if near.size < _FEWEST or unknown or is_numbered(heads):
            continue
        of_pair = np.unique(
            np.stack([topology.link_tail[links], topology.link_head[links]]), axis=1, return_counts=True
        )[1]
        free = set()
        for node, own in zip(near.tolist(), np.split(links, first[1:]), strict=True):
            used = topology.link_tail_port[topology.out_start[node] : topology.out_start[node + 1]]
            there = topology.link_tail_port[own]
            free.add(tuple(np.setdiff1d(np.arange(there.min(), there.max()), used).tolist()))
        ports = min(free)
        if len(free) > 1 or (of_pair != of_pair[0]).any() or len(ports) != of_pair[0]:
            continue
        shown = _Near(
            near.size, tuple(tuple(topology.port_name(node, port) for port in ports) for node in near.tolist())
        )
        text = f"a switch above {nodes.name[near[0]]}, beside {heads[0]}; {shown.text()}"
        examples.append(Example(text, tuple(port_end(topology, int(near[0]), port) for port in ports)))
    return examples


def _amid(used: Int64Vector, there: Int32Vector, heads: Int32Vector, first: bool) -> tuple[int, ...]:
    """Free ports between those to the members, or as many beside them as one member takes, up to another used port.

    Before the first members more may be free, where theirs then begin at a round number and without it do not.
    """
    lowest, highest = int(there.min()), int(there.max())
    if used.min() == lowest:
        return tuple(np.setdiff1d(np.arange(1, highest), used).tolist())
    below, above = used[used < lowest].max(), used[used > highest]
    beside = [range(below + 1, lowest), range(highest + 1, above.min() if above.size else 0)]
    each = int(np.median(np.unique(heads, return_counts=True)[1]))
    if first and len(beside[0]) > each and (lowest - 1) % _ROUND and not (lowest - 1 - each) % _ROUND:
        return tuple(range(lowest - each, lowest))
    amid = np.setdiff1d(np.arange(lowest, highest), used)
    return tuple(amid.tolist()) or next((tuple(run) for run in beside if len(run) == each), ())


def _next_to(topology: Topology, members: Sequence[int], first: bool) -> list[_Near]:
    """What is next to some switches of a tier, below and above; nothing where ports are not known."""
    is_member = np.zeros(topology.n_nodes, bool)
    is_member[list(members)] = True
    links = np.flatnonzero(is_member[topology.link_head] & (topology.nodes.kind[topology.link_tail] != ENDPOINT))
    tail, ports, tier = topology.link_tail[links], topology.link_tail_port[links], topology.nodes.tier
    if (ports == UNKNOWN).any():
        return []
    found = []
    for side in np.unique(tier[tail]):
        free = []
        near = np.unique(tail[tier[tail] == side]).tolist()
        for node in near:
            own = topology.link_tail_port[topology.out_start[node] : topology.out_start[node + 1]]
            heads = topology.link_head[links[tail == node]]
            if amid := _amid(np.unique(own), ports[tail == node], heads, first):
                free.append(tuple(topology.port_name(node, port) for port in amid))
        found.append(_Near(len(near), tuple(free)))
    return found
