"""Reductions in the network executed on data: along the links that are loaded, every member gets the sum of all."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import Groups, Reduction
from collectives.errors import InputError
from fabric.builders import build, read_preset
from fabric.jobs.placement import Placement, packed
from fabric.routing.link_loads import link_loads
from fabric.topology import ENDPOINT, NVSWITCH
from tests.random_fabrics import fabrics


def loaded_trees(topology, carried):
    """The loaded cables as undirected graphs, a dict node -> neighbours for each joined set of switches."""
    around = defaultdict(set)
    for link in np.flatnonzero(carried):
        tail, head = int(topology.link_tail[link]), int(topology.link_head[link])
        around[tail].add(head)
        around[head].add(tail)
    switches = {node for node in around if topology.nodes.kind[node] != ENDPOINT}
    trees = []
    while switches:
        found, front = set(), [switches.pop()]
        while front:
            node = front.pop()
            found.add(node)
            front += [other for other in around[node] & switches if other not in found]
            switches -= found | set(front)
        members = {other for node in found for other in around[node] if topology.nodes.kind[other] == ENDPOINT}
        trees.append({node: around[node] & (found | members) for node in found | members})
    return trees


def reduce_along(tree, members):
    """What each member receives: leaves send up, a switch adds what came from all but one neighbour and passes it on."""
    sent: dict[tuple[int, int], set[int]] = {}
    waiting = set(tree)
    while waiting:
        ready = [node for node in waiting if sum((other, node) not in sent for other in tree[node]) <= 1]
        assert ready, "a loop: no switch ever has all but one of its inputs"
        for node in ready:
            waiting.discard(node)
            for other in tree[node]:
                if (other, node) not in sent:
                    parts = [{node}] if node in members else []
                    parts += [sent[far, node] for far in tree[node] if far != other and (far, node) in sent]
                    assert sum(map(len, parts)) == len(set().union(*parts)), "a contribution is added twice"
                    sent[node, other] = set().union(*parts)
    # Two neighbours have met and know everything; the sum goes back the same way.
    top = next(node for node in tree if all((other, node) in sent for other in tree[node]))
    everything = set().union(*(sent[other, top] for other in tree[top]), {top} & members)
    return dict.fromkeys(members, everything)


def assert_computes(topology, carried, endpoints, volume):
    """Each tree that carries part of the buffer reduces it for all members, one part each way over every cable."""
    members = {int(topology.endpoints[endpoint]) for endpoint in endpoints}
    parts = []
    for tree in loaded_trees(topology, carried):
        assert members <= set(tree)
        assert reduce_along(tree, members) == dict.fromkeys(members, members)
        ways = {
            (a, b): carried[(topology.link_tail == a) & (topology.link_head == b)].sum() for a in tree for b in tree[a]
        }
        part = next(iter(ways.values()))
        assert list(ways.values()) == pytest.approx([part] * len(ways))
        parts.append(part)
    assert sum(parts) == pytest.approx(volume)


@settings(deadline=None, max_examples=150)
@given(fabrics(), st.data())
def test_the_loaded_tree_computes_the_sum(topology, data):
    n = topology.n_endpoints
    members = data.draw(st.lists(st.integers(0, n - 1), min_size=2, unique=True))
    demand = Reduction(Groups.of([members]), np.array([6.0]))
    if topology.in_mesh[members[0]] and np.unique(topology.endpoint_domain[members]).size == 1:
        with pytest.raises(InputError, match="group 0: direct links join its members; expected NVLink switches"):
            link_loads(topology, demand, Placement(np.arange(n, dtype=np.int32)))
        return
    carried = link_loads(topology, demand, Placement(np.arange(n, dtype=np.int32))).bytes
    assert_computes(topology, carried, members, 6.0)


@pytest.mark.parametrize(("preset", "ranks"), [("gb300-2048", 64), ("hgx-b200-64", 64), ("gb300-2048", 128)])
def test_presets_reduce_in_every_plane(preset, ranks):
    """Groups across racks: a tree in each of the four planes with a quarter of the bytes; in a rack: its NVSwitch."""
    topology = build(read_preset(preset))
    endpoints = packed(topology, ranks, 4 if ranks == 128 else None).endpoint
    demand = Reduction(Groups.consecutive(ranks, ranks), np.array([1e9]))
    carried = link_loads(topology, demand, Placement(endpoints)).bytes
    assert_computes(topology, carried, endpoints, 1e9)
    inside = topology.nodes.kind[topology.link_head[np.flatnonzero(carried)]] == NVSWITCH
    assert inside.any() == (preset == "gb300-2048" and ranks == 64)
