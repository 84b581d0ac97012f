"""Forwarding tables walked pair by pair: slow, obvious code that referees the kernels."""

import numpy as np

from fabric.topology import NVSWITCH, SWITCH
from tests.naive.routing import pairs_of


def walk(topology, routing, row, switch):
    """Links from a switch (node) to the row's endpoint, or None where the way ends elsewhere or never."""
    number = {int(node): n for n, node in enumerate(np.flatnonzero(topology.nodes.kind == SWITCH))}
    endpoint = topology.endpoints[np.searchsorted(routing.row_start, row, side="right") - 1]
    links, seen = [], set()
    while switch in number:
        if switch in seen:
            return None
        seen.add(switch)
        link = int(routing.next_link[row, number[switch]])
        if link < 0:
            return None
        links.append(link)
        switch = int(topology.link_head[link])
    return links if switch == endpoint else None


def naive_lft_bytes(topology, demand, endpoint, routing):
    """(n_links,) bytes, and the pairs that have no way."""
    load = np.zeros(topology.n_links)
    unrouted = []
    domain = topology.endpoint_domain
    for i, j, amount in pairs_of(demand):
        src, dst = int(endpoint[i]), int(endpoint[j])
        if src == dst or amount == 0:
            continue
        assert not (domain[src] >= 0 and domain[src] == domain[dst]), "scale-up pairs are another kernel's"
        rows = range(routing.row_start[dst], routing.row_start[dst + 1])
        ways = {}
        for link in np.flatnonzero(topology.link_tail == topology.endpoints[src]).tolist():
            head = int(topology.link_head[link])
            if topology.nodes.kind[head] == NVSWITCH:
                continue
            found = [way for row in rows if (way := walk(topology, routing, row, head)) is not None]
            if found:
                ways[link] = found
        if not ways:
            unrouted.append((src, dst, amount))
            continue
        whole = sum(topology.link_capacity_gbps[link] for link in ways)
        for link, found in ways.items():
            part = amount * topology.link_capacity_gbps[link] / whole
            load[link] += part
            for way in found:
                for step in way:
                    load[step] += part / len(found)
    return load, unrouted
