"""Sums over links and flows one by one, and parts of a fabric by networkx."""

import networkx as nx
import numpy as np


def naive_parted(src, dst, amount, domain):
    """Flows between domains, and bytes sent and received inside them by rank."""
    sent, received, between = [0.0] * len(domain), [0.0] * len(domain), []
    for flow, (one, other, size) in enumerate(zip(src, dst, amount, strict=True)):
        if one == other or size == 0:
            continue
        if domain[one] == domain[other] and domain[one] != -1:
            sent[one] += size
            received[other] += size
        else:
            between.append(flow)
    return sent, received, between


def naive_joined(n_nodes, tail, head, kept):
    """The smallest node of each node's component."""
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(n_nodes))
    graph.add_edges_from((a, b) for a, b, good in zip(tail, head, kept, strict=True) if good)
    return [min(nx.node_connected_component(graph, node)) for node in range(n_nodes)]


def naive_tier_sums(number, load, gbps):
    """By number: bytes, links that carry any, their seconds together, the longest, and the first link that has it."""
    rows = {}
    for which in sorted(set(number)):
        links = [link for link, own in enumerate(number) if own == which]
        seconds = {link: load[link] * 8.0 / (gbps[link] * 1e9) for link in links if load[link] > 0}
        longest = max(seconds.values(), default=0.0)
        first = min((link for link, own in seconds.items() if own == longest), default=-1)
        rows[which] = (sum(load[link] for link in links), len(seconds), sum(seconds.values()), longest, first)
    return rows


NOBODY, SEVERAL = -1, -2


def naive_cut(tail, head, gbps, level, owner, n_parts):
    """Capacity out of and into each part, the least over the levels at which switches may stop going with parts.

    Sets of owners, looked up link by link: below first, then around, as often as anything changes.
    """
    owner = list(owner)
    out, into = [np.inf] * n_parts, [np.inf] * n_parts

    def common(node, allowed):
        owners = {owner[a] for a, b in zip(tail, head, strict=True) if b == node and allowed(level[a])} - {NOBODY}
        return NOBODY if not owners else owners.pop() if len(owners) == 1 else SEVERAL

    def give(nodes, allowed):
        found = {node: common(node, allowed) for node in nodes}
        found = {node: who for node, who in found.items() if who != NOBODY}
        for node, who in found.items():
            owner[node] = who
        return bool(found)

    for here in range(1, max(1, *level) + 1):
        free = [node for node, own in enumerate(level) if own == here and owner[node] == NOBODY]
        give(free, lambda other, here=here: other < here)
        while give(
            [node for node, own in enumerate(level) if 0 < own <= here and owner[node] == NOBODY],
            lambda other, here=here: other <= here,
        ):
            pass
        for part in range(n_parts):
            links = list(zip(tail, head, gbps, strict=True))
            out[part] = min(out[part], sum(c for a, b, c in links if owner[a] == part != owner[b]))
            into[part] = min(into[part], sum(c for a, b, c in links if owner[b] == part != owner[a]))
    return out, into
