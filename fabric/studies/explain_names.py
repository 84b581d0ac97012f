"""Whose bytes they are, in names: hosts, leaves and groups."""

import numpy as np

from collectives.demand import Groups
from fabric.topology import NVLINK, NVSWITCH, SWITCH, UNKNOWN, Topology


def group_name(groups: Groups, group: int) -> str:
    """``ranks 0-63``, ``ranks 3, 11, 19 ... (8)``."""
    members = groups.rank[groups.start[group] : groups.start[group + 1]]
    low, high = int(members.min()), int(members.max())
    if high - low + 1 == members.size:
        return f"ranks {low}-{high}"
    shown = ", ".join(str(one) for one in members[:3].tolist())
    return f"ranks {shown}{' ...' if members.size > 3 else ''} ({members.size})"


def host_names(topology: Topology) -> list[str]:
    """Of each endpoint: its own name without its rail where hosts are known, else its own."""
    names, host = topology.endpoint_names, topology.endpoint_host
    found: dict[int, list[str]] = {}
    for number, one in zip(host.tolist(), names, strict=True):
        found.setdefault(number, []).append(one)
    common = {number: _common(ends) for number, ends in found.items() if number != UNKNOWN}
    return [common.get(number, one) for number, one in zip(host.tolist(), names, strict=True)]


def _common(names: list[str]) -> str:
    """The beginning that the endpoints of a host share."""
    first, last = min(names), max(names)
    size = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:size].rstrip("gr-_. /:") or first if len(names) > 1 else first


def leaf_names(topology: Topology, link: int) -> list[str]:
    """The switch of each endpoint; of several that of the link's own plane, else the first."""
    kind = NVSWITCH if topology.link_kind[link] == NVLINK else SWITCH
    plane = max(
        int(topology.nodes.plane[topology.link_tail[link]]), int(topology.nodes.plane[topology.link_head[link]])
    )
    number = np.full(topology.n_nodes, UNKNOWN)
    number[topology.endpoints] = np.arange(topology.n_endpoints)
    up = np.flatnonzero((number[topology.link_tail] != UNKNOWN) & (topology.nodes.kind[topology.link_head] == kind))
    other = topology.nodes.plane[topology.link_head[up]] != plane
    order = up[np.lexsort((up, other))][::-1]
    leaf = np.full(topology.n_endpoints, UNKNOWN)
    leaf[number[topology.link_tail[order]]] = topology.link_head[order]
    names = topology.nodes.name
    return [
        names[one] if one != UNKNOWN else own for one, own in zip(leaf.tolist(), topology.endpoint_names, strict=True)
    ]
