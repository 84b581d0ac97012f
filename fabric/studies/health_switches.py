"""Whole switches that are missing: numbers that the names of their kind leave out, where ports are free for them."""

import numpy as np

from collectives.demand import Int64Vector
from collectives.sizes import counted
from fabric.studies.health_findings import ERROR, WARNING, End, Example, Finding, findings_of
from fabric.studies.health_names import missing_names
from fabric.topology import ENDPOINT, ISL, SWITCH, UNKNOWN, Topology


def missing_switches(topology: Topology) -> list[Finding]:
    """Switches that are not there though their kind is numbered through; errors where endpoints hang in the air.

    A number that is left out is no missing switch where the ports next to its kind have no gap either.
    """
    nodes = topology.nodes
    number = {name: node for node, name in enumerate(nodes.name)}
    up = np.flatnonzero(topology.link_kind == ISL)
    cabled = np.unique(topology.link_tail[up])
    degree = np.diff(topology.out_start)
    examples = []
    for tier in np.unique(nodes.tier[cabled]):
        names = [nodes.name[node] for node in np.flatnonzero((nodes.kind == SWITCH) & (nodes.tier == tier))]
        for name, members in missing_names(names):
            own = np.array([number[member] for member in members])
            n_free, ports = _free_ports(topology, own)
            if name in number or n_free == 0:
                continue
            there = f"{members[0]} to {members[-1]}" if len(members) > 1 else members[0]
            text = f"{name}: the {len(members)} others of its kind, {there}, are there"
            if n_free > 0:
                text += f"; {ports} free on {counted(n_free, 'switch', 'switches')} next to them"
            examples.append(Example(text, (End(name),)))
    alone = bool((degree[topology.endpoints] == 0).any())
    todo = f"look for {examples[0].ends[0].device}: its power, its cables, the subnet manager's log" if examples else ""
    kind = "missing switch"
    return findings_of(ERROR if alone else WARNING, kind, "switches are missing in the numbering of their kind",
                       examples, todo=todo)  # fmt: skip


def _free_ports(topology: Topology, members: Int64Vector) -> tuple[int, str]:
    """Neighbours that have a port free amid those to the members, and which; -1 where ports are not known."""
    is_member = np.zeros(topology.n_nodes, bool)
    is_member[members] = True
    other = topology.nodes.kind != ENDPOINT
    links = np.flatnonzero(is_member[topology.link_head] & other[topology.link_tail])
    if not links.size or (topology.link_tail_port[links] == UNKNOWN).any():
        return -1, ""
    free: dict[int, list[int]] = {}
    for node in np.unique(topology.link_tail[links]).tolist():
        own = topology.link_tail_port[topology.out_start[node] : topology.out_start[node + 1]]
        there = topology.link_tail_port[links[topology.link_tail[links] == node]]
        first, last = int(there.min()), int(there.max())
        # Ports below the first one are free for the first of the kind, where nothing else is plugged in there.
        low = first if own.min() < first else 1
        inside = np.setdiff1d(np.arange(low, last), own)
        if inside.size:
            free[node] = inside.tolist()
    n_near = np.unique(topology.link_tail[links]).size
    if 2 * len(free) < n_near:
        return 0, ""
    sets = {tuple(ports) for ports in free.values()}
    if len(sets) == 1:
        (ports,) = sets
        if len(ports) <= 4:
            return len(free), f"port{'s' if len(ports) > 1 else ''} {', '.join(map(str, ports))} " + (
                "are" if len(ports) > 1 else "is"
            )
    return len(free), "ports are"
