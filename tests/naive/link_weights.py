"""Routing by link weights the slow way: networkx's Dijkstra for each pair, and the split written as it is defined."""

import math

import networkx as nx
import numpy as np

from fabric.routing.policies import Adaptive
from fabric.topology import NVSWITCH, SWITCH
from tests.naive.routing import pair_graph, pairs_of, route_pair


def least_weights(topology, weight, src, dst):
    """Least weight from every node to endpoint `dst`, for bytes of `src`."""
    graph, layer = pair_graph(topology, src, dst)
    for *_, link, data in graph.edges(keys=True, data=True):
        data["weight"] = float(weight[link])
    sink = int(topology.endpoints[dst])
    return graph, layer, nx.single_source_dijkstra_path_length(graph.reverse(), sink, weight="weight")


def attachment(topology, weight, endpoint):
    """Switches that an endpoint hangs on: least weights there and back, and the capacity of the cables of that weight."""
    found = {}
    node = int(topology.endpoints[endpoint])
    up = [link for link in np.flatnonzero(topology.link_tail == node).tolist()
          if topology.nodes.kind[topology.link_head[link]] == SWITCH]  # fmt: skip
    for switch in {int(topology.link_head[link]) for link in up}:
        own = [link for link in up if topology.link_head[link] == switch]
        back = [int(topology.link_reverse[link]) for link in own]
        found[switch] = tuple(
            (
                min(weight[links]),
                sum(topology.link_capacity_gbps[link] for link in links if weight[link] == min(weight[links])),
            )
            for links in (own, back)
        )
    return found


def n_alike(topology, weight, endpoint):
    """Endpoints that hang on the same switches alike, itself among them."""
    own = attachment(topology, weight, endpoint)
    return sum(attachment(topology, weight, other) == own for other in range(topology.n_endpoints))


def add_pair(topology, weight, src, dst, amount, load):
    """Add one flow between two endpoints to `load`; raises nx.NetworkXNoPath where there is none."""
    if src == dst or amount == 0:
        return
    graph, layer, distance = least_weights(topology, weight, src, dst)
    if layer == NVSWITCH:
        route_pair(topology, src, dst, amount, Adaptive(), load)
        return
    source, sink = int(topology.endpoints[src]), int(topology.endpoints[dst])
    if source not in distance:
        raise nx.NetworkXNoPath
    lone = len({tail for tail, _ in graph.in_edges(sink)}) == 1

    def next_hops(node):
        """Heads on paths of least weight, each with its links there."""
        heads: dict[int, list[int]] = {}
        for _, head, link in graph.out_edges(node, keys=True):
            if head in distance and math.isclose(distance[node], weight[link] + distance[head], rel_tol=1e-9):
                heads.setdefault(head, []).append(link)
        return heads

    alike = n_alike(topology, weight, dst)

    def terms(node, n):
        """What each next hop adds to the capacity that leads on from a node to n endpoints that hang there alike."""
        return {head: term(head, links, n) for head, links in next_hops(node).items()}

    def term(head, links, n):
        together = float(topology.link_capacity_gbps[links].sum())
        return (math.inf if lone else n * together) if head == sink else min(together, onward(head, n))

    def onward(node, n):
        return sum(terms(node, n).values())

    def send(node, part):
        if node == sink:
            return
        heads, adds = next_hops(node), terms(node, 1 if node == source else alike)
        for head, links in heads.items():
            own = part if len(heads) == 1 else part * adds[head] / sum(adds.values())
            together = topology.link_capacity_gbps[links].sum()
            for link in links:
                carried = own * topology.link_capacity_gbps[link] / together
                load[link] += carried
            send(head, own)

    send(source, amount)


def naive_weighted_bytes(topology, demand, endpoint, weight):
    """(n_links,) bytes, one pair of ranks at a time."""
    load = np.zeros(topology.n_links)
    for i, j, amount in pairs_of(demand):
        add_pair(topology, weight, int(endpoint[i]), int(endpoint[j]), amount, load)
    return load
