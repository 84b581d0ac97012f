"""Hypothesis strategies: small random fabrics and demands, with parallel cables, several ports, NVLink and meshes."""

from itertools import combinations

import numpy as np
from hypothesis import strategies as st

from collectives.demand import AllToAll, Flows, Groups
from fabric.topology import ENDPOINT, NVSWITCH, SWITCH, UNKNOWN, Cables, Nodes, Topology

GBPS = st.sampled_from([100.0, 200.0, 400.0])


def topology_of(kinds, cables, name="random", domain=None):
    """A topology from node kinds and (a, b, gbps ab, gbps ba) rows; ports are numbered as they are used."""
    n = len(kinds)
    unknown = np.full(n, UNKNOWN, np.int32)
    domain = unknown if domain is None else np.array(domain, np.int32)
    letter = {ENDPOINT: "h", SWITCH: "s", NVSWITCH: "n"}
    names = tuple(f"{letter[kind]}{number}" for number, kind in enumerate(kinds))
    nodes = Nodes(names, np.array(kinds, np.int8), unknown, unknown, unknown, unknown, domain)
    used = [0] * n
    rows = []
    for a, b, ab, ba in cables:
        used[a] += 1
        used[b] += 1
        rows.append((a, b, used[a], used[b], ab, ba))
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    a, b, a_port, b_port = (np.array(column, np.int32) for column in columns[:4])
    ab, ba = (np.array(column, np.float64) for column in columns[4:])
    return Topology.from_cables(name, nodes, Cables(a, b, a_port, b_port, ab, ba))


@st.composite
def fabrics(draw, max_switches=5, max_endpoints=6, nvlink=True):
    """Connected switches with extra and parallel cables; endpoints on one to three of them; maybe scale-up domains."""
    n_switches = draw(st.integers(1, max_switches))
    n_endpoints = draw(st.integers(2, max_endpoints))
    kinds = [ENDPOINT] * n_endpoints + [SWITCH] * n_switches
    cables = []
    for switch in range(1, n_switches):
        other = draw(st.integers(0, switch - 1))
        for _ in range(draw(st.integers(1, 2))):
            cables.append((n_endpoints + switch, n_endpoints + other, draw(GBPS), draw(GBPS)))
    for _ in range(draw(st.integers(0, 6)) if n_switches > 1 else 0):
        a, b = draw(st.permutations(range(n_switches)))[:2]
        cables.append((n_endpoints + a, n_endpoints + b, draw(GBPS), draw(GBPS)))
    for endpoint in range(n_endpoints):
        for switch in draw(st.lists(st.integers(0, n_switches - 1), min_size=1, max_size=3)):
            cables.append((endpoint, n_endpoints + switch, draw(GBPS), draw(GBPS)))
    domain = [UNKNOWN] * len(kinds)
    if nvlink and draw(st.booleans()):
        homes = [draw(st.integers(-1, 1)) for _ in range(n_endpoints)]
        for home in range(draw(st.integers(1, 2))):
            members = [endpoint for endpoint in range(n_endpoints) if homes[endpoint] == home]
            if draw(st.booleans()):
                kinds.append(NVSWITCH)
                domain.append(home)
                cables += [(endpoint, len(kinds) - 1, 7200.0, draw(GBPS)) for endpoint in members]
            elif len(members) > 1:
                for a, b in combinations(members, 2):
                    cables += [(a, b, draw(GBPS), draw(GBPS)) for _ in range(draw(st.integers(1, 2)))]
            else:
                continue
            for endpoint in members:
                domain[endpoint] = home
    return topology_of(kinds, cables, domain=domain)


WEIGHTS = st.sampled_from([0.0, 1.0, 2.0, 3.5])


@st.composite
def flow_demands(draw, n_ranks):
    rank = st.integers(0, n_ranks - 1)
    rows = draw(st.lists(st.tuples(rank, rank, WEIGHTS), min_size=1, max_size=8))
    src, dst, volume = zip(*rows, strict=True)
    return Flows(np.array(src), np.array(dst), np.array(volume))


@st.composite
def all_to_all_demands(draw, n_ranks):
    groups = draw(st.lists(st.lists(st.integers(0, n_ranks - 1), min_size=1, unique=True), min_size=1, max_size=3))
    n_members = sum(len(group) for group in groups)
    vector = st.lists(WEIGHTS, min_size=n_members, max_size=n_members).map(np.array)
    block = draw(st.none() | st.lists(st.integers(0, 2), min_size=n_members, max_size=n_members).map(np.array))
    return AllToAll(Groups.of(groups), draw(vector), draw(vector), block)
