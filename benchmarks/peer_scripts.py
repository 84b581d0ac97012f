"""What each peer does with a fabric, run by its own interpreter: ``python peer_scripts.py NAME fabric.npz answer.npz``.

Knows nothing of railscope: some peers come with another Python.  The fabric is arrays (tail, head, gbps of the links,
hosts, n nodes); the answer is the seconds of the computation alone, and bytes per link where the peer has them.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

Answer = tuple[float, Any]


def igraph(fabric: Any) -> Answer:
    """Edge betweenness from hosts to hosts."""
    import igraph as ig

    edges = list(zip(fabric["tail"].tolist(), fabric["head"].tolist()))  # noqa: B905
    graph, hosts = ig.Graph(int(fabric["n"]), edges, directed=True), fabric["hosts"].tolist()
    start = time.perf_counter()
    values = graph.edge_betweenness(directed=True, sources=hosts, targets=hosts)
    return time.perf_counter() - start, np.array(values)


def networkx(fabric: Any) -> Answer:
    """The same; parallel cables are one edge, whose bytes they share."""
    import networkx as nx

    edges = list(zip(fabric["tail"].tolist(), fabric["head"].tolist()))  # noqa: B905
    graph, hosts, cables = nx.DiGraph(edges), fabric["hosts"].tolist(), Counter(edges)
    start = time.perf_counter()
    values = nx.edge_betweenness_centrality_subset(graph, hosts, hosts)
    return time.perf_counter() - start, np.array([values[edge] / cables[edge] for edge in edges])


def rustworkx(fabric: Any) -> Answer:
    """Edge betweenness of all pairs of nodes: it takes no hosts."""
    import rustworkx as rx

    graph = rx.PyDiGraph()
    graph.add_nodes_from(range(int(fabric["n"])))
    graph.add_edges_from_no_data(list(zip(fabric["tail"].tolist(), fabric["head"].tolist())))  # noqa: B905
    start = time.perf_counter()
    rx.digraph_edge_betweenness_centrality(graph, normalized=False)
    return time.perf_counter() - start, None


def networkit(fabric: Any) -> Answer:
    """Edge betweenness of all pairs of nodes: it takes no hosts."""
    import networkit as nk

    graph = nk.Graph(int(fabric["n"]), directed=True)
    for tail, head in zip(fabric["tail"].tolist(), fabric["head"].tolist()):  # noqa: B905
        graph.addEdge(tail, head)
    graph.indexEdges()
    start = time.perf_counter()
    nk.centrality.Betweenness(graph, computeEdgeCentrality=True).run()
    return time.perf_counter() - start, None


def graph_tool(fabric: Any) -> Answer:
    """Edge betweenness from hosts to all nodes: it takes sources, and no targets."""
    import graph_tool as gt
    import graph_tool.centrality as centrality

    graph = gt.Graph(directed=True)
    graph.add_vertex(int(fabric["n"]))
    graph.add_edge_list(np.stack([fabric["tail"], fabric["head"]], axis=1))
    start = time.perf_counter()
    centrality.betweenness(graph, pivots=fabric["hosts"], norm=False)
    return time.perf_counter() - start, None


def ngraph(fabric: Any) -> Answer:
    """Demands of all pairs placed on shortest paths, split by capacity: what fits, and no loads per link."""
    from ngraph import Link, Network, Node
    from ngraph.analysis.functions import demand_placement_analysis

    hosts = set(fabric["hosts"].tolist())
    names = [f"{'h' if node in hosts else 's'}{node}" for node in range(int(fabric["n"]))]
    network = Network()
    for name in names:
        network.add_node(Node(name))
    rows = zip(fabric["tail"].tolist(), fabric["head"].tolist(), fabric["gbps"].tolist())  # noqa: B905
    for tail, head, gbps in rows:
        if tail < head:
            network.add_link(Link(names[tail], names[head], capacity=gbps, cost=1))
    demand = {"source": "^h.*", "target": "^h.*", "volume": 100.0 * len(hosts), "mode": "pairwise"}
    start = time.perf_counter()
    demand_placement_analysis(network, set(), set(), [{**demand, "flow_policy": "SHORTEST_PATHS_WCMP"}])
    return time.perf_counter() - start, None


PEERS: dict[str, Callable[[Any], Answer]] = {
    one.__name__: one for one in (igraph, networkx, rustworkx, networkit, graph_tool, ngraph)
}

if __name__ == "__main__":
    name, source, target = sys.argv[1:]
    seconds, values = PEERS[name](np.load(source))
    np.savez(target, seconds=seconds, **({} if values is None else {"bytes": values}))
