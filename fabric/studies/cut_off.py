"""Pairs of a job's endpoints with no way between them."""

import numpy as np

from collectives.demand import Int64Vector
from fabric.topology import NVLINK, SWITCH, UNKNOWN, Topology


def disconnected_pairs(topology: Topology, endpoint: np.ndarray, pool: Int64Vector | None = None) -> int:
    """Ordered pairs of endpoints with no way between them, neither by NVLink nor by switches.

    Parameters
    ----------
    topology : Topology
    endpoint : (n,) int32
        No endpoint twice.
    pool : (n,) int64, optional
        Endpoints of one pool send by one another's NICs.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    network, kind, n = topology.link_kind != NVLINK, topology.nodes.kind, topology.n_nodes
    # A way never leads through another endpoint: one on several parts of the network does not join them.
    isl = np.flatnonzero((kind[topology.link_tail] == SWITCH) & (kind[topology.link_head] == SWITCH))
    graph = coo_array((np.ones(isl.size), (topology.link_tail[isl], topology.link_head[isl])), (n, n))
    _, part = connected_components(graph, directed=False)
    up = np.flatnonzero(network & (topology.nodes.kind[topology.link_head] == SWITCH))
    number = np.full(n, UNKNOWN)
    number[topology.endpoints] = np.arange(topology.n_endpoints)
    up = up[number[topology.link_tail[up]] != UNKNOWN]
    reach: dict[int, set[int]] = {int(one): set() for one in endpoint.tolist()}
    for end, switch in zip(number[topology.link_tail[up]].tolist(), topology.link_head[up].tolist(), strict=True):
        if end in reach:
            reach[end].add(int(part[switch]))
    if pool is not None:
        together: dict[int, set[int]] = {}
        for end, own in zip(endpoint.tolist(), pool.tolist(), strict=True):
            together.setdefault(own, set()).update(reach[end])
        reach = {end: together[own] for end, own in zip(endpoint.tolist(), pool.tolist(), strict=True)}
    kinds: dict[tuple[frozenset[int], int], int] = {}
    domain = topology.endpoint_domain
    for end, parts in reach.items():
        key = (frozenset(parts), int(domain[end]))
        kinds[key] = kinds.get(key, 0) + 1
    if all(parts == next(iter(kinds))[0] and parts for parts, _ in kinds):
        return 0
    return _cut_pairs(kinds)


def _cut_pairs(kinds: dict[tuple[frozenset[int], int], int]) -> int:
    cut = 0
    rows = list(kinds.items())
    for (parts, domain), count in rows:
        for (others, other_domain), number in rows:
            inside = domain != UNKNOWN and domain == other_domain
            if not inside and not parts & others:
                same = parts == others and domain == other_domain
                cut += count * (number - 1 if same else number)
    return cut
