"""Routing by link weights, against networkx's Dijkstra and against adaptive routing."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

import railscope as rs
from collectives import AllToAll, Flows, Groups, InputError
from fabric.routing.link_loads import link_loads
from fabric.routing.paths import route_flows
from fabric.routing.policies import Adaptive, LinkWeights
from fabric.topology import ENDPOINT, ISL, NVLINK, SWITCH
from tests.fabric.routing.test_sweep import cases, sent_and_received
from tests.naive.link_weights import least_weights, naive_weighted_bytes
from tests.naive.routing import assert_conserved
from tests.random_fabrics import all_to_all_demands, flow_demands, topology_of

# Few different ones, so that paths tie; 0.1 + 0.2 is not 0.3 in floats, and counts as equal.
WEIGHTS = st.sampled_from([0.1, 0.2, 0.3, 1.0, 2.0])


@st.composite
def weighted_cases(draw, demands):
    topology, demand, placement = draw(cases(demands))
    weight = draw(st.lists(WEIGHTS, min_size=topology.n_links, max_size=topology.n_links).map(np.array))
    return topology, demand, placement, weight


@pytest.mark.kernels
@pytest.mark.parametrize("demands", [flow_demands, all_to_all_demands])
def test_equals_the_slow_walk(demands):
    @settings(deadline=None, max_examples=120)
    @given(weighted_cases(demands))
    def check(case):
        topology, demand, placement, weight = case
        try:
            expected = naive_weighted_bytes(topology, demand, placement.endpoint, weight)
        except nx.NetworkXNoPath:
            with pytest.raises(rs.Unroutable, match="no path from"):
                link_loads(topology, demand, placement, LinkWeights(weight))
            return
        loads = link_loads(topology, demand, placement, LinkWeights(weight))
        np.testing.assert_allclose(loads.bytes, expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(loads.bytes == 0, expected == 0)
        assert_conserved(topology, loads.bytes, *sent_and_received(topology, demand, placement))

    check()


@pytest.mark.kernels
@settings(deadline=None, max_examples=60)
@given(weighted_cases(flow_demands))
def test_paths_have_the_least_weight_and_add_up_to_the_loads(case):
    topology, demand, placement, weight = case
    src, dst = placement.endpoint[demand.src], placement.endpoint[demand.dst]
    routed = route_flows(topology, src, dst, LinkWeights(weight))
    hop_weight = weight[routed.paths.link] * (1.0 if routed.paths.fraction is None else routed.paths.fraction)
    total = np.bincount(routed.flow[routed.paths.hop_flow], hop_weight, minlength=src.size)
    nvlink = np.isin(
        np.arange(src.size), routed.flow[routed.paths.hop_flow[topology.link_kind[routed.paths.link] == NVLINK]]
    )
    for flow in np.flatnonzero((src != dst) & ~nvlink):
        *_, distance = least_weights(topology, weight, int(src[flow]), int(dst[flow]))
        assert total[flow] == pytest.approx(distance[int(topology.endpoints[src[flow]])])
    np.testing.assert_allclose(
        routed.link_bytes(demand.bytes, topology.n_links),
        link_loads(topology, demand, placement, LinkWeights(weight)).bytes,
        rtol=1e-9,
        atol=1e-12,
    )


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.filter_too_much])
@given(cases(all_to_all_demands))
def test_equal_weights_are_adaptive_routing(case):
    topology, demand, placement = case
    isl = topology.link_kind == ISL
    # Adaptive routing caps parallel cables one by one, link weights together.
    assume((topology.link_cable_index[isl] == 0).all())
    even = link_loads(topology, demand, placement, LinkWeights(np.full(topology.n_links, 3.0)))
    adaptive = link_loads(topology, demand, placement, Adaptive())
    np.testing.assert_allclose(even.bytes, adaptive.bytes, rtol=1e-9, atol=1e-12)


def test_a_heavy_spine_is_left_alone():
    tree = rs.build(rs.fat_tree(8))
    n = tree.n_endpoints
    placement = rs.packed(tree)
    demand = AllToAll(Groups.consecutive(n, n), np.ones(n), np.ones(n))
    spine = int(np.flatnonzero(tree.nodes.tier == 2)[0])
    touches = (tree.link_tail == spine) | (tree.link_head == spine)
    loads = link_loads(tree, demand, placement, LinkWeights(np.where(touches, 5.0, 1.0)))
    assert loads.bytes[touches].sum() == 0
    even = link_loads(tree, demand, placement)
    assert loads.bytes.sum() == pytest.approx(even.bytes.sum())
    for threads in (1, 2):
        again = link_loads(tree, demand, placement, LinkWeights(np.where(touches, 5.0, 1.0)), threads)
        assert again.bytes.tobytes() == loads.bytes.tobytes()


def test_an_endpoint_with_two_ports_may_come_home_by_the_other_leaf():
    """Two members of which one sends nothing to itself, though the lightest way home leads over the other leaf."""
    cables = [(0, 2, 100.0, 100.0), (0, 3, 100.0, 100.0), (1, 2, 100.0, 100.0), (2, 3, 100.0, 100.0)]
    fabric = topology_of([ENDPOINT] * 2 + [SWITCH] * 2, cables)
    weight = np.ones(fabric.n_links)
    home = {(2, 0): 10.0, (0, 3): 10.0}
    for link in range(fabric.n_links):
        weight[link] = home.get((int(fabric.link_tail[link]), int(fabric.link_head[link])), 1.0)
    demand = AllToAll(Groups.of([[0, 1]]), np.array([3.0, 2.0]), np.array([1.0, 1.0]))
    loads = link_loads(fabric, demand, rs.packed(fabric), LinkWeights(weight))
    carried = {fabric.link_name(link): loads.bytes[link] for link in np.flatnonzero(loads.bytes)}
    assert {name.split(" ")[0] + name.split(" ")[4]: value for name, value in carried.items()} == {
        "h0s2": 3.0,
        "s2h1": 3.0,
        "h1s2": 2.0,
        "s2s3": 2.0,
        "s3h0": 2.0,
    }


def test_wrong_weights_are_named():
    tree = rs.build(rs.fat_tree(4))
    with pytest.raises(InputError, match=r"weight\[1\]: expected a finite number > 0, got 0.0"):
        LinkWeights(np.array([1.0, 0.0]))
    with pytest.raises(InputError, match=r"weight: 3 values; expected one for each of the 96 links of "):
        link_loads(tree, Flows([0], [5], [1.0]), rs.packed(tree), LinkWeights(np.ones(3)))
