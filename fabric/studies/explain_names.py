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
