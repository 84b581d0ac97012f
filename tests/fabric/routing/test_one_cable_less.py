"""Loads without one cable, from those with it, against routing everything anew on the fabric that lacks it."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import railscope as rs
from collectives import AllToAll, Flows, Groups, Phase, Reduction, Schedule
from fabric.builders import build, fat_tree
from fabric.builders.faults import with_capacity_left
from fabric.jobs.placement import Placement, packed
from fabric.routing.layer import layer_of
from fabric.routing.link_loads import schedule_loads
from fabric.routing.one_cable_less import CableSweep, class_bytes
from fabric.routing.policies import Adaptive
from fabric.routing.unroutable import Unroutable
from fabric.studies.cut_off import disconnected_pairs
from fabric.topology import ISL, SWITCH, UNKNOWN
from tests.naive.routing import naive_link_bytes, pairs_of
from tests.random_fabrics import all_to_all_demands, fabrics, flow_demands


def cables_of(topology):
    return np.flatnonzero((topology.link_kind == ISL) & (np.arange(topology.n_links) < topology.link_reverse))


def in_full(topology, schedule, placement, link):
    """Time and seconds by link of the whole fabric, routed anew without the cable; None where pairs are cut off."""
    left = np.ones(topology.n_links)
    left[link] = 0
    damage = with_capacity_left(topology, left)
    if disconnected_pairs(damage.topology, placement.endpoint):
        return None
    try:
        loads = schedule_loads(damage.topology, schedule, placement, Adaptive())
    except Unroutable:
        return None
    seconds, kept = np.zeros(topology.n_links), damage.new_link != UNKNOWN
    seconds[kept] = loads.total.seconds[damage.new_link[kept]]
    return loads.bottleneck_time_s, seconds


def naive_seconds(topology, schedule, placement, link):
    """The same seconds pair by pair."""
    left = np.ones(topology.n_links)
    left[link] = 0
    damage = with_capacity_left(topology, left)
    load = np.zeros(damage.topology.n_links)
    for phase in schedule.phases:
        for demand in phase.demands:
            load += phase.repeat * naive_link_bytes(damage.topology, demand, placement.endpoint, Adaptive())
    seconds, kept = np.zeros(topology.n_links), damage.new_link != UNKNOWN
    seconds[kept] = (load * 8e-9 / damage.topology.link_capacity_gbps)[damage.new_link[kept]]
    return seconds


@st.composite
def cases(draw):
    topology = draw(fabrics(max_switches=7))
    n = topology.n_endpoints
    endpoint = np.array(draw(st.permutations(range(n))), np.int32)
    phases = tuple(
        Phase(draw(st.one_of(flow_demands(n), all_to_all_demands(n))), draw(st.sampled_from([1, 3])))
        for _ in range(draw(st.integers(1, 3)))
    )
    return topology, Schedule(phases, draw(st.sampled_from(["sequential", "pipelined"]))), Placement(endpoint)


@pytest.mark.kernels
@settings(deadline=None, max_examples=60)
@given(cases())
def test_every_cable_is_as_if_routed_anew(case):
    topology, schedule, placement = case
    try:
        sweep = CableSweep.of(topology, schedule, placement, n_threads=1)
    except Unroutable:
        return
    links = cables_of(topology)
    if sweep is None or not links.size:
        return
    found = sweep.without(links, n_threads=1)
    highest, by = sweep.loads.total.seconds.copy(), np.full(topology.n_links, UNKNOWN)
    for number, link in enumerate(links.tolist()):
        expected = in_full(topology, schedule, placement, link)
        seconds = sweep.seconds_without(link)
        assert np.isnan(found.time_s[number]) == (seconds is None)
        if seconds is None:
            continue
        # What is not computed in full cuts nobody off.
        assert expected is not None
        scale = max(expected[1].max(), sweep.loads.total.seconds.max(), 1e-30)
        np.testing.assert_allclose(seconds, expected[1], rtol=1e-9, atol=1e-12 * scale)
        if number == 0:
            slow = naive_seconds(topology, schedule, placement, link)
            np.testing.assert_allclose(seconds, slow, rtol=1e-9, atol=1e-12 * scale)
        assert found.time_s[number] == pytest.approx(expected[0], rel=1e-9, abs=1e-12 * scale)
        if expected[1].max() > 0:
            assert expected[1][found.worst_link[number]] == pytest.approx(expected[1].max(), rel=1e-9)
        more = seconds > highest
        highest[more], by[more] = seconds[more], number
    np.testing.assert_allclose(found.highest_s, highest, rtol=1e-9, atol=1e-12 * max(highest.max(), 1e-30))
    for link in np.flatnonzero((by != UNKNOWN) & (highest > (1 + 1e-9) * sweep.loads.total.seconds)).tolist():
        at = sweep.seconds_without(int(links[found.by[link]]))
        assert at is not None
        assert at[link] == pytest.approx(highest[link], rel=1e-9)


def test_most_cables_of_a_tree_need_no_routing():
    """A fat tree of three tiers: no cable is computed in full, and each is as if routed anew."""
    topology = build(fat_tree(4))
    n = topology.n_endpoints
    placement = packed(topology)
    demand = AllToAll(Groups.consecutive(n, n), np.linspace(1, 2, n), np.linspace(3, 1, n))
    schedule = Schedule((Phase(demand),))
    sweep = CableSweep.of(topology, schedule, placement)
    assert sweep is not None
    links = cables_of(topology)
    found = sweep.without(links)
    assert links.size == 32
    assert not np.isnan(found.time_s).any()
    for number, link in enumerate(links.tolist()):
        expected = in_full(topology, schedule, placement, link)
        assert expected is not None
        assert found.time_s[number] == pytest.approx(expected[0], rel=1e-9)


def test_threads_change_nothing():
    scenario = rs.Scenario.of("gb300-2048", rs.Collective("all-to-all", group=64), faults=["p0-r0-l0* -> p0-s0[0-4]"])
    sweep = CableSweep.of(scenario.topology, scenario.schedule, scenario.placement)
    assert sweep is not None
    links = cables_of(scenario.topology)[::37]
    one, other = sweep.without(links, 1), sweep.without(links, 3)
    for column in ("time_s", "worst_link", "highest_s", "by"):
        np.testing.assert_array_equal(getattr(one, column), getattr(other, column))
    assert not np.isnan(one.time_s).any()
    for number in (0, links.size // 2):
        expected = in_full(scenario.topology, scenario.schedule, scenario.placement, int(links[number]))
        assert expected is not None
        assert one.time_s[number] == pytest.approx(expected[0], rel=1e-9)


@settings(deadline=None, max_examples=40)
@given(cases())
def test_bytes_between_classes_are_those_of_the_pairs(case):
    topology, schedule, placement = case
    layer, domain = layer_of(topology, SWITCH), topology.endpoint_domain
    for phase in schedule.phases:
        for demand in phase.demands:
            assert isinstance(demand, Flows | AllToAll)
            expected = np.zeros((layer.n_classes, layer.n_classes))
            for i, j, amount in pairs_of(demand):
                src, dst = placement.endpoint[i], placement.endpoint[j]
                if src != dst and (domain[src] != domain[dst] or domain[src] == UNKNOWN):
                    expected[layer.endpoint_class[dst], layer.endpoint_class[src]] += amount
            got = class_bytes(topology, layer, demand, placement)
            # Members to themselves stay on their own switches.
            np.fill_diagonal(got, 0.0)
            np.fill_diagonal(expected, 0.0)
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def test_reductions_in_the_network_are_left_to_routing():
    topology = rs.open_fabric("hgx-b200-64").topology
    inside = Schedule((Phase(Reduction(Groups.consecutive(64, 8), np.ones(8))),))
    across = Schedule((Phase(Reduction(Groups.consecutive(64, 64), np.ones(1))),))
    assert CableSweep.of(topology, across, packed(topology)) is None
    sweep = CableSweep.of(topology, inside, packed(topology))
    assert sweep is not None
    found = sweep.without(cables_of(topology))
    assert set(found.time_s) == {sweep.loads.bottleneck_time_s}
