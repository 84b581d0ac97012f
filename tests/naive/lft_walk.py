"""Forwarding tables walked pair by pair: slow, obvious code that referees the kernels."""

from itertools import pairwise

import numpy as np

from collectives import Flows
from fabric._kernels.arrays import WayEnd
from fabric.topology import ENDPOINT, ISL, NVSWITCH, SWITCH
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


def naive_way_end(topology, routing, row, switch):
    """`WayEnd` of the way from a switch (node) for a row."""
    number = {int(node): n for n, node in enumerate(np.flatnonzero(topology.nodes.kind == SWITCH))}
    owner = topology.endpoints[np.searchsorted(routing.row_start, row, side="right") - 1]
    seen = set()
    while switch in number:
        if switch in seen:
            return WayEnd.LOOP
        seen.add(switch)
        link = int(routing.next_link[row, number[switch]])
        if link < 0:
            return {-1: WayEnd.NO_ENTRY, -2: WayEnd.DEAD_PORT, -3: WayEnd.WRONG_END}[link]
        switch = int(topology.link_head[link])
    return WayEnd.REACHES if switch == owner else WayEnd.WRONG_END


def naive_turns(topology, routing):
    """Pairs of ISLs (a, b), b right after a on some route between endpoints."""
    turns = set()
    for row in range(len(routing.lid)):
        dst = np.searchsorted(routing.row_start, row, side="right") - 1
        for link in np.flatnonzero(topology.nodes.kind[topology.link_tail] == ENDPOINT):
            way = walk(topology, routing, row, int(topology.link_head[link])) or []
            assert not way or topology.link_head[way[-1]] == topology.endpoints[dst]
            turns |= set(pairwise(step for step in way if topology.link_kind[step] == ISL))
    return turns


def naive_peeled(turns, n_links):
    """Links that remain when those that no remaining link leads into are taken away, again and again."""
    left = set(range(n_links))
    while gone := left - {b for a, b in turns if a in left}:
        left -= gone
    return left


def naive_lft_flow_bytes(topology, src, dst, routing):
    """(F, n_links): bytes of each flow of one byte between endpoints; None where a flow has no way."""
    everywhere = np.arange(topology.n_endpoints)
    rows = []
    for a, b in zip(src.tolist(), dst.tolist(), strict=True):
        load, unrouted = naive_lft_bytes(topology, Flows([a], [b], [1.0]), everywhere, routing)
        rows.append(None if unrouted else load)
    return rows


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
