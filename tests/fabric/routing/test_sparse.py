"""What is left out for sparse traffic changes nothing: flows inside stars, exchanges without pairs in a layer."""

from unittest import mock

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import railscope as rs
from collectives.demand import AllToAll, Flows, Groups
from fabric.jobs.placement import Placement
from fabric.routing import adaptive, link_loads as module
from fabric.routing.pairs_apart import has_pairs
from fabric.routing.policies import Adaptive, Ecmp
from fabric.routing.stars import all_stars

HGX, MESH = rs.open_fabric("hgx-b200-64").topology, rs.open_fabric("mi300x-64").topology
FLOWS = st.lists(st.tuples(st.integers(0, 31), st.integers(0, 31), st.sampled_from([0.0, 1.0, 3e6])), max_size=24)


def placed(seed):
    """32 ranks anywhere."""
    return Placement(np.random.default_rng(seed).permutation(64)[:32].astype(np.int32))


def test_which_fabrics_are_of_stars():
    assert all_stars(HGX)
    assert not all_stars(MESH)
    assert not all_stars(rs.build(rs.fat_tree(4)))
    graph: nx.MultiGraph[str] = nx.MultiGraph()
    graph.add_nodes_from(["a", "b"], kind="endpoint")
    graph.add_nodes_from(["s", "t"], kind="nvswitch")
    graph.add_edges_from(((gpu, switch) for gpu in "ab" for switch in "s"), capacity_gbps=100.0)
    assert all_stars(rs.from_networkx(graph))
    graph.add_edges_from(((gpu, switch) for gpu in "ab" for switch in "t"), capacity_gbps=100.0)
    assert not all_stars(rs.from_networkx(graph))


@pytest.mark.parametrize("routing", [Adaptive(), Ecmp(queue_pairs=2, seed=3)])
@settings(deadline=None, max_examples=25)
@given(FLOWS, st.integers(0, 3))
def test_flows_inside_stars_are_as_swept(routing, flows, seed):
    src, dst, amount = ([flow[place] for flow in flows] for place in range(3))
    demand = Flows(src, dst, amount) if flows else Flows([], [], [])
    fast = rs.link_loads(HGX, demand, placed(seed), routing)
    with mock.patch.object(module, "all_stars", return_value=False):
        slow = rs.link_loads(HGX, demand, placed(seed), routing)
    np.testing.assert_allclose(fast.bytes, slow.bytes, rtol=1e-13, atol=0)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_pairs_of_an_exchange_are_those_written_out(data):
    """What is said to have no pairs has none; of members with weights and labels of any kind."""
    members = data.draw(st.lists(st.lists(st.integers(0, 31), unique=True, max_size=5), min_size=1, max_size=4))
    n = sum(map(len, members))
    blocks = data.draw(st.none() | st.lists(st.integers(0, 2), min_size=n, max_size=n))
    groups = Groups(np.cumsum([0, *map(len, members)]), np.array([one for own in members for one in own], np.int32))
    block = None if blocks is None else np.array(blocks, np.int32)
    demand, placement = AllToAll(groups, np.ones(n), np.ones(n), block), placed(data.draw(st.integers(0, 5)))
    between, inside = has_pairs(HGX, demand, placement)
    domain = HGX.endpoint_domain[placement.endpoint[groups.rank]]
    group, label = groups.member_group(), np.arange(n) if block is None else block
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j and group[i] == group[j] and label[i] != label[j]]
    assert between >= any(domain[i] != domain[j] for i, j in pairs)
    assert inside >= any(domain[i] == domain[j] for i, j in pairs)
    with mock.patch.object(module, "has_pairs", return_value=(True, True)):
        slow = rs.link_loads(HGX, demand, placement)
    np.testing.assert_allclose(rs.link_loads(HGX, demand, placement).bytes, slow.bytes, rtol=1e-13, atol=1e-13)


def test_an_exchange_inside_domains_is_not_swept_over_the_network():
    demand = AllToAll(Groups.consecutive(64, 8), np.ones(64), np.ones(64))
    everyone = Placement(np.arange(64, dtype=np.int32))
    assert has_pairs(HGX, demand, everyone) == (False, True)
    by_host = AllToAll(Groups.consecutive(64, 64), np.ones(64), np.ones(64), np.arange(64, dtype=np.int32) // 8)
    assert has_pairs(HGX, by_host, everyone) == (True, False)
    nothing = AllToAll(Groups.consecutive(64, 64), np.zeros(64), np.ones(64))
    assert has_pairs(HGX, nothing, everyone) == (False, False)


@pytest.mark.parametrize("pieces", [0, 3, 16])
def test_destinations_cut_up_otherwise_give_the_same_loads(pieces):
    topology = rs.open_fabric("gb300-2048").topology
    n = topology.n_endpoints
    rng = np.random.default_rng(1)
    demand = Flows(rng.integers(0, n, 3000), rng.integers(0, n, 3000), rng.random(3000))
    everyone = Placement(np.arange(n, dtype=np.int32))
    usual = rs.link_loads(topology, demand, everyone)
    with mock.patch.object(adaptive, "_pieces", return_value=pieces):
        np.testing.assert_allclose(rs.link_loads(topology, demand, everyone).bytes, usual.bytes, rtol=1e-12)
