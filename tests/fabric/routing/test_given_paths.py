"""Loads along paths that the user gives."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

import railscope as rs
from collectives import Flows, InputError
from tests.fabric.routing.test_sweep import POLICIES, cases, crossed_domains, policy_name, uniform
from tests.random_fabrics import flow_demands


@pytest.mark.parametrize("routing", POLICIES, ids=policy_name)
def test_the_paths_of_a_policy_give_its_loads(routing):
    @settings(deadline=None, max_examples=40)
    @given(cases(flow_demands))
    def check(case):
        topology, demand, placement = case
        src, dst = placement.endpoint[demand.src], placement.endpoint[demand.dst]
        routed = rs.route_flows(topology, src, dst, routing)
        parts = Flows(demand.src[routed.flow], demand.dst[routed.flow], demand.bytes[routed.flow] * routed.part)
        loads = rs.link_loads(topology, parts, placement, rs.GivenPaths(routed.paths))
        expected = rs.link_loads(topology, demand, placement, routing)
        np.testing.assert_allclose(loads.bytes, expected.bytes, rtol=1e-9, atol=1e-12)

    check()


@pytest.fixture(scope="module")
def fabric():
    return crossed_domains()


def link(topology, tail, head):
    names = topology.nodes.name
    return next(
        n
        for n in range(topology.n_links)
        if (names[topology.link_tail[n]], names[topology.link_head[n]]) == (tail, head)
    )


def path(topology, *nodes):
    return [link(topology, tail, head) for tail, head in pairwise(nodes)]


def given_loads(topology, flows, paths):
    return rs.link_loads(
        topology, flows, rs.Placement(np.arange(12, dtype=np.int32)), rs.GivenPaths(rs.FlowPaths.of(paths))
    )


def test_nvlink_carries_what_has_no_path(fabric):
    """h0 and h3 are in one domain: by NVLink without a path, through their leaf with one."""
    flows = Flows([0, 0, 0, 2], [3, 4, 0, 5], [5.0, 7.0, 9.0, 0.0])
    across = path(fabric, "h0", "s12", "s15", "s13", "h4")
    by_nvlink = given_loads(fabric, flows, [[], across, [], []])
    expected = np.zeros(fabric.n_links)
    expected[path(fabric, "h0", "n17", "h3")] = 5.0
    expected[across] = 7.0
    np.testing.assert_array_equal(by_nvlink.bytes, expected)
    by_leaf = given_loads(fabric, flows, [path(fabric, "h0", "s12", "h3"), across, [], []])
    expected = np.zeros(fabric.n_links)
    np.add.at(expected, path(fabric, "h0", "s12", "h3"), 5.0)
    expected[across] += 7.0
    np.testing.assert_array_equal(by_leaf.bytes, expected)
    routed = rs.route_flows(fabric, np.array([0, 0]), np.array([3, 4]), rs.GivenPaths(rs.FlowPaths.of([[], across])))
    assert set(routed.flow) == {0, 1}


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        (("h0", "s12", "s15", "s13"), "does not lead from its source to its destination"),
        (("s12", "s15", "s13", "h4"), "does not lead from its source to its destination"),
        (("h1", "s12", "s15", "s13", "h4"), "does not lead from its source to its destination"),
        (("h0", "s12", "h1", "s12", "s15", "s13", "h4"), "enters an endpoint that is not its destination"),
        (("h0", "s12", "s15", "s14", "s16", "s12", "s15", "s13", "h4"), "does not lead|runs in a circle"),
        ((), "has no links"),
    ],
)
def test_paths_that_lead_elsewhere_are_refused(fabric, nodes, why):
    links = path(fabric, *nodes) if nodes else []
    with pytest.raises(InputError, match=rf"paths: flow 1 \(h0 to h4\) ({why})"):
        given_loads(fabric, Flows([1, 0], [1, 4], [1.0, 2.0]), [[], links])


def test_a_circle_beside_the_path_is_refused(fabric):
    around = path(fabric, "s14", "s16", "s13", "s15", "s14")
    way = path(fabric, "h0", "s12", "h1")
    with pytest.raises(InputError, match=r"paths: flow 0 \(h0 to h1\) runs in a circle"):
        given_loads(fabric, Flows([0], [1], [1.0]), [way + around])


def test_only_flows_have_given_paths(fabric):
    routing = rs.GivenPaths(rs.FlowPaths.of([[]]))
    with pytest.raises(InputError, match="expected a demand of type Flows, got AllToAll"):
        rs.link_loads(fabric, uniform(12), rs.packed(fabric), routing)
    with pytest.raises(InputError, match="paths: 1 paths; expected one for each of 2 flows"):
        rs.link_loads(fabric, Flows([0, 1], [1, 2], [1.0, 1.0]), rs.packed(fabric), routing)
    with pytest.raises(InputError, match=r"paths.link\[0\]: link 999; expected 0 to"):
        given_loads(fabric, Flows([0], [1], [1.0]), [[999]])
