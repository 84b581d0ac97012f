"""Idle switches as they are defined: on no shortest path between any two switches with endpoints."""

from itertools import chain, combinations

import networkx as nx

from fabric.topology import ENDPOINT, SWITCH


def idle_switches(topology):
    """Numbers of the idle switches."""
    kind = topology.nodes.kind.tolist()
    switches = [node for node in range(topology.n_nodes) if kind[node] == SWITCH]
    pairs = list(zip(topology.link_tail.tolist(), topology.link_head.tolist(), strict=True))
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(switches)
    graph.add_edges_from((a, b) for a, b in pairs if kind[a] == kind[b] == SWITCH)
    ends = {b for a, b in pairs if kind[a] == ENDPOINT and kind[b] == SWITCH}
    used = set(ends)
    for one, other in combinations(sorted(ends), 2):
        if nx.has_path(graph, one, other):
            used |= set(chain.from_iterable(nx.all_shortest_paths(graph, one, other)))
    return [switch for switch in switches if switch not in used]
