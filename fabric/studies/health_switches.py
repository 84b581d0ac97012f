"""Whole switches that are missing: numbers that the names of their kind leave out, where ports are free for them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collectives.demand import Int32Vector, Int64Vector
from collectives.sizes import counted
from fabric.studies.health_findings import ERROR, WARNING, End, Example, Finding, findings_of
from fabric.studies.health_names import counts_from_zero, missing_names, siblings
from fabric.topology import ENDPOINT, SWITCH, UNKNOWN, Topology

# Switches that a numbering must have where no ports tell whether it is one.  Assumed.
_FEWEST = 4
# Free ports that are named at most.
_PORTS = 4


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


def missing_switches(topology: Topology) -> list[Finding]:
    """Switches that are not there though their kind is numbered through; errors where endpoints hang in the air.

    A number that is left out is no missing switch where the ports next to its kind have no gap either.
    """
    nodes = topology.nodes
    number = {name: node for node, name in enumerate(nodes.name)}
    from_zero = counts_from_zero(name for name, kind in zip(nodes.name, nodes.kind, strict=True) if kind == SWITCH)
    in_the_air = bool((np.diff(topology.out_start)[topology.endpoints] == 0).any())
    examples = []
    for tier in np.unique(nodes.tier[nodes.kind == SWITCH]):
        names = [nodes.name[node] for node in np.flatnonzero((nodes.kind == SWITCH) & (nodes.tier == tier))]
        for name, members in missing_names(names, from_zero):
            groups = siblings(name, members)
            # All of them may be in several groups; the two beside it are in its own, one of them at least.
            chosen = [*groups, *([one] for group in groups for one in group[:2])]
            near = [one for group in chosen for one in _next_to(topology, [number[member] for member in group])]
            free = next((one for one in near if one.free and 2 * len(one.free) >= one.n_switches), None)
            # One of several numbers, at an edge, has no ports on both sides; adapters without a leaf tell as much.
            by_name = len(members) >= _FEWEST and (not near or (in_the_air and len(groups) > 1))
            if name in number or (free is None and not by_name):
                continue
            text = f"{name}: the {len(members)} others of its kind, {members[0]} to {members[-1]}, are there"
            examples.append(Example(text + (f"; {free.text()}" if free is not None else ""), (End(name),)))
    todo = f"look for {examples[0].ends[0].device}: its power, its cables, the subnet manager's log" if examples else ""
    severity, kind = ERROR if in_the_air else WARNING, "missing switch"
    return findings_of(severity, kind, "switches are missing in the numbering of their kind", examples, todo=todo)


def _amid(used: Int64Vector, there: Int32Vector, heads: Int32Vector) -> tuple[int, ...]:
    """Free ports between those to the members, or as many beside them as one member takes, up to another used port."""
    first, last = int(there.min()), int(there.max())
    if used.min() == first:
        return tuple(np.setdiff1d(np.arange(1, last), used).tolist())
    amid = np.setdiff1d(np.arange(first, last), used)
    below, above = used[used < first].max(), used[used > last]
    beside = [range(below + 1, first), range(last + 1, above.min() if above.size else 0)]
    each = int(np.median(np.unique(heads, return_counts=True)[1]))
    return tuple(amid.tolist()) or next((tuple(run) for run in beside if len(run) == each), ())


def _next_to(topology: Topology, members: Sequence[int]) -> list[_Near]:
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
            if amid := _amid(np.unique(own), ports[tail == node], topology.link_head[links[tail == node]]):
                free.append(tuple(topology.port_name(node, port) for port in amid))
        found.append(_Near(len(near), tuple(free)))
    return found
