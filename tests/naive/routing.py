"""Slow, obvious routing: one pair of endpoints at a time, on a networkx graph, straight from the definitions."""

import math
from collections import defaultdict

import networkx as nx
import numpy as np

from fabric.routing.layer import layer_of
from fabric.routing.policies import Adaptive, DModK, Ecmp
from fabric.topology import ENDPOINT, NVSWITCH, SWITCH, UP

MASK = 2**64 - 1


def mix(value):
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def pair_graph(topology, src, dst):
    """The two endpoints and the switches of the layer that they talk through; edge keys are link numbers."""
    domain = topology.endpoint_domain
    layer = NVSWITCH if domain[src] >= 0 and domain[src] == domain[dst] else SWITCH
    keep = {int(topology.endpoints[src]), int(topology.endpoints[dst])}
    keep |= {int(node) for node in np.flatnonzero(topology.nodes.kind == layer)}
    graph: nx.MultiDiGraph[int] = nx.MultiDiGraph()
    graph.add_nodes_from(keep)
    for link in range(topology.n_links):
        tail, head = int(topology.link_tail[link]), int(topology.link_head[link])
        if tail in keep and head in keep:
            graph.add_edge(tail, head, key=link, gbps=float(topology.link_capacity_gbps[link]))
    return graph, layer


def route_pair(topology, src, dst, amount, routing, load):
    """Add one flow between two endpoints to `load`; raises nx.NetworkXNoPath where there is none."""
    if src == dst or amount == 0:
        return
    graph, layer = pair_graph(topology, src, dst)
    if layer == NVSWITCH:
        routing = Adaptive()
    source, sink = int(topology.endpoints[src]), int(topology.endpoints[dst])
    if graph.has_edge(source, sink):
        direct = graph[source][sink]
        for link, cable in direct.items():
            load[link] += amount * cable["gbps"] / sum(other["gbps"] for other in direct.values())
        return
    distance = nx.single_source_shortest_path_length(graph.reverse(), sink)
    if source not in distance:
        raise nx.NetworkXNoPath
    on_shortest = {node for path in nx.all_shortest_paths(graph, source, sink) for node in path}
    leaves = sorted({tail for tail, _, _ in graph.in_edges(sink, keys=True)})

    def hops(node):
        """Next hops (link, head) on shortest paths."""
        return [
            (key, head)
            for _, head, key in graph.out_edges(node, keys=True)
            if distance.get(head, -9) == distance[node] - 1
        ]

    def onward(node, n):
        """C of the design: the capacity that leads on to the destination, and n - 1 others that hang there alike."""
        if node in leaves:
            return (
                math.inf
                if len(leaves) == 1
                else n * sum(d["gbps"] for _, h, d in graph.out_edges(node, data=True) if h == sink)
            )
        return sum(towards(node, head, n) for head in {head for _, head in hops(node)})

    def cables(tail, head):
        return sum(cable["gbps"] for cable in graph[tail][head].values())

    def towards(node, head, n):
        """What the parallel cables to a next switch carry together, if it leads on."""
        return min(cables(node, head), onward(head, n))

    def spread_over_cables(tail, head, part):
        links = list(graph[tail][head])
        whole = sum(graph[tail][head][link]["gbps"] for link in links)
        for link in links:
            load[link] += part * graph[tail][head][link]["gbps"] / whole

    ports = sorted({head for _, head in hops(source)})
    all_ports = sorted(
        {h for h in map(int, topology.link_head[topology.link_tail == source]) if topology.nodes.kind[h] == layer}
    )
    weight = {}
    for leaf in ports:
        gbps = sum(d["gbps"] for d in graph[source][leaf].values())
        weight[leaf] = min(gbps, onward(leaf, 1)) if isinstance(routing, Adaptive) else gbps
    for leaf in ports:
        part = amount * weight[leaf] / sum(weight.values())
        spread_over_cables(source, leaf, part)
        if isinstance(routing, Adaptive):
            n = n_alike(topology, dst, layer)
            split(leaf, part, hops, onward, towards, load, distance, spread_over_cables, sink, n)
        elif isinstance(routing, Ecmp):
            network = layer_of(topology, layer)
            seeds, keys = routing.switch_seeds(network), routing.port_keys(network)
            for queue_pair in range(routing.flows_a_pair):
                key = mix((src << 32) | dst) ^ int(keys[queue_pair, all_ports.index(leaf)])
                node = leaf
                while distance[node] > 1:
                    choices = ordered(topology, hops(node))
                    number = int(np.flatnonzero(network.switch_node == node)[0])
                    link, head = choices[((mix(key ^ int(seeds[number])) >> 32) * len(choices)) >> 32]
                    load[link] += part / routing.flows_a_pair
                    node = head
                spread_over_cables(node, sink, part / routing.flows_a_pair)
        else:
            assert isinstance(routing, DModK)
            node = leaf
            while distance[node] > 1:
                choices = ordered(topology, hops(node))
                link, head = choices[(leaf_major_index(topology, dst, layer) // divisor(topology, node)) % len(choices)]
                load[link] += part
                node = head
            spread_over_cables(node, sink, part)
    assert on_shortest


def attachment(topology, endpoint, layer):
    """Switches of a layer that an endpoint hangs on, with the capacities there and back."""
    found: dict[int, list[float]] = {}
    node = int(topology.endpoints[endpoint])
    for link in np.flatnonzero(topology.link_tail == node).tolist():
        switch = int(topology.link_head[link])
        if topology.nodes.kind[switch] == layer:
            sums = found.setdefault(switch, [0.0, 0.0])
            sums[0] += topology.link_capacity_gbps[link]
            sums[1] += topology.link_capacity_gbps[topology.link_reverse[link]]
    return found


def n_alike(topology, endpoint, layer):
    """Endpoints that hang on the same switches with the same capacities, itself among them."""
    own = attachment(topology, endpoint, layer)
    return sum(attachment(topology, other, layer) == own for other in range(topology.n_endpoints))


def split(node, part, hops, onward, towards, load, distance, spread_over_cables, sink, n):
    if distance[node] == 1:
        spread_over_cables(node, sink, part)
        return
    whole = onward(node, n)
    for head in sorted({head for _, head in hops(node)}):
        carried = part * towards(node, head, n) / whole
        spread_over_cables(node, head, carried)
        split(head, carried, hops, onward, towards, load, distance, spread_over_cables, sink, n)


def cable_number(topology, link):
    """Which of the parallel cables of its pair of nodes a link belongs to, counted at the lower node."""
    tail, head = topology.link_tail[link], topology.link_head[link]
    if tail > head:
        return cable_number(topology, topology.link_reverse[link])
    return [
        n for n in range(topology.n_links) if topology.link_tail[n] == tail and topology.link_head[n] == head
    ].index(link)


def ordered(topology, choices):
    return sorted(choices, key=lambda choice: (cable_number(topology, choice[0]), choice[1]))


def divisor(topology, node):
    parents = defaultdict(set)
    for link in range(topology.n_links):
        if topology.link_direction[link] == UP and topology.nodes.kind[topology.link_tail[link]] == SWITCH:
            parents[int(topology.link_tail[link])].add(int(topology.link_head[link]))
    tiers = sorted({int(topology.nodes.tier[n]) for n in np.flatnonzero(topology.nodes.kind == SWITCH)})
    product = 1
    for tier in tiers:
        if tier == topology.nodes.tier[node]:
            return product
        product *= max([1] + [len(p) for n, p in parents.items() if topology.nodes.tier[n] == tier])
    raise AssertionError


def leaf_major_index(topology, dst, layer):
    keys = []
    for number, endpoint in enumerate(topology.endpoints):
        cables = [
            (int(topology.link_head[link]), int(topology.link_head_port[link]))
            for link in range(topology.n_links)
            if topology.link_tail[link] == endpoint and topology.nodes.kind[topology.link_head[link]] == layer
        ]
        keys.append((*(min(cables) if cables else (10**9, 0)), number))
    return sorted(keys).index(keys[dst])


def pairs_of(demand):
    """Every (src, dst, bytes) of a demand, ranks, written out."""
    if hasattr(demand, "src"):
        yield from zip(demand.src.tolist(), demand.dst.tolist(), demand.bytes.tolist(), strict=True)
        return
    member = 0
    for ranks in demand.groups:
        size = len(ranks)
        for i in range(size):
            for j in range(size):
                blocks = demand.block
                if i == j or (blocks is not None and blocks[member + i] == blocks[member + j]):
                    continue
                yield int(ranks[i]), int(ranks[j]), float(demand.send[member + i] * demand.receive[member + j])
        member += size


def naive_link_bytes(topology, demand, endpoint, routing):
    """(n_links,) bytes, one pair of ranks at a time."""
    load = np.zeros(topology.n_links)
    for i, j, amount in pairs_of(demand):
        route_pair(topology, int(endpoint[i]), int(endpoint[j]), amount, routing, load)
    return load


def naive_flow_bytes(topology, src, dst, routing):
    """(F, n_links): bytes of each flow of one byte between endpoints."""
    load = np.zeros((len(src), topology.n_links))
    for flow, (a, b) in enumerate(zip(src.tolist(), dst.tolist(), strict=True)):
        route_pair(topology, a, b, 1.0, routing, load[flow])
    return load


def assert_conserved(topology, link_bytes, sent, received, rtol=1e-9):
    """Bytes into every switch are bytes out; an endpoint's balance is what it sent and received."""
    into = np.bincount(topology.link_head, weights=link_bytes, minlength=topology.n_nodes)
    out = np.bincount(topology.link_tail, weights=link_bytes, minlength=topology.n_nodes)
    switch = topology.nodes.kind != ENDPOINT
    scale = max(1.0, float(link_bytes.max(initial=0.0)))
    np.testing.assert_allclose(into[switch], out[switch], rtol=rtol, atol=rtol * scale)
    np.testing.assert_allclose(out[topology.endpoints], sent, rtol=rtol, atol=rtol * scale)
    np.testing.assert_allclose(into[topology.endpoints], received, rtol=rtol, atol=rtol * scale)
