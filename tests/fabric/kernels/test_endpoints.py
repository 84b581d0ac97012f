"""What all sweeps share: slots, the split over them, and who exchanges bytes."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import AllToAll, Groups
from fabric._kernels.endpoints import depart, exchange, most_slots, note_pair, split_over_nearest
from fabric.jobs.placement import Placement
from fabric.routing.layer import layer_of
from fabric.routing.member_classes import member_classes_of
from fabric.topology import SWITCH
from tests.naive.endpoints import naive_departing, naive_exchange, naive_most_slots, naive_pairs, naive_split
from tests.random_fabrics import fabrics


@pytest.mark.kernels
@settings(deadline=None, max_examples=50)
@given(fabrics())
def test_the_most_slots_of_a_class(topology):
    layer = layer_of(topology, SWITCH)
    assert most_slots(layer.arrays) == naive_most_slots(layer.arrays) == layer.width


@pytest.mark.kernels
@settings(deadline=None, max_examples=100)
@given(fabrics(), st.data())
def test_split_over_the_nearest_slots(topology, data):
    layer = layer_of(topology, SWITCH)
    n_slots = len(layer.arrays.slot_switch)
    distance = data.draw(st.lists(st.integers(-1, 2), min_size=layer.n_switches, max_size=layer.n_switches))
    weight = data.draw(st.lists(st.sampled_from([1.0, 2.0, 5.0]), min_size=n_slots, max_size=n_slots))
    fraction = np.array(weight)
    split_over_nearest(layer.arrays, np.array(distance, np.int32), fraction)
    np.testing.assert_allclose(fraction, naive_split(layer.arrays, distance, weight), rtol=1e-12)


@pytest.mark.kernels
@settings(deadline=None, max_examples=100)
@given(fabrics(), st.data(), st.booleans())
def test_who_exchanges_bytes(topology, data, between_domains):
    n = topology.n_endpoints
    block = data.draw(st.none() | st.lists(st.integers(0, 2), min_size=n, max_size=n).map(np.array))
    demand = AllToAll(Groups.consecutive(n, n), np.ones(n), np.ones(n), block)
    layer = layer_of(topology, SWITCH)
    members = member_classes_of(topology, layer, demand, Placement(np.arange(n, dtype=np.int32)))
    domain = [number if number >= 0 else None for number in topology.endpoint_domain.tolist()]
    blocks = [None] * n if block is None else block.tolist()
    for a, end_a in zip(members.member_class.tolist(), members.endpoint.tolist(), strict=True):
        for b, end_b in zip(members.member_class.tolist(), members.endpoint.tolist(), strict=True):
            expected = naive_exchange((domain[end_a], domain[end_b]), (blocks[end_a], blocks[end_b]), between_domains)
            assert exchange(members.arrays, a, b, between_domains) == expected


@pytest.mark.kernels
@settings(deadline=None, max_examples=100)
@given(fabrics(), st.data())
def test_bytes_that_leave_an_endpoint(topology, data):
    layer = layer_of(topology, SWITCH)
    n_slots = len(layer.arrays.slot_switch)
    fraction = data.draw(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=n_slots, max_size=n_slots))
    endpoint = data.draw(st.integers(0, topology.n_endpoints - 1))
    source, first_slot = int(layer.endpoint_class[endpoint]), int(layer.endpoint_slot[endpoint])
    waiting, slot_up = np.full(layer.n_switches, 7.0), np.full(layer.n_slots, 7.0)
    if source == layer.n_classes:  # not in this layer
        return
    reached = depart(layer.arrays, source, first_slot, 3e9, np.array(fraction), waiting, slot_up)
    expected = naive_departing(layer.arrays, source, 3e9, fraction)
    assert reached == any(part > 0 for _, part in expected)
    by_switch, by_slot = np.full(layer.n_switches, 7.0), np.full(layer.n_slots, 7.0)
    for slot, (switch, part) in enumerate(expected):
        by_switch[switch] += part
        by_slot[first_slot + slot] += part
    np.testing.assert_array_equal(waiting, by_switch)
    np.testing.assert_array_equal(slot_up, by_slot)


@pytest.mark.kernels
@settings(deadline=None, max_examples=60)
@given(fabrics(), st.data(), st.booleans())
def test_a_noted_pair_has_bytes_to_exchange(topology, data, between_domains):
    n = topology.n_endpoints
    block = data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n).map(np.array))
    weight = st.lists(st.sampled_from([0.0, 1.0]), min_size=n, max_size=n).map(np.array)
    demand = AllToAll(Groups.consecutive(n, n), data.draw(weight), data.draw(weight), block)
    layer = layer_of(topology, SWITCH)
    members = member_classes_of(topology, layer, demand, Placement(np.arange(n, dtype=np.int32)))
    classes = members.arrays
    domain = [number if number >= 0 else None for number in topology.endpoint_domain.tolist()]
    for run in range(len(classes.run_group)):
        takers = set(range(classes.run_class_start[run], classes.run_class_stop[run]))
        for source in range(len(classes.attachment)):
            pair = np.full(2, -1, np.int32)
            note_pair(classes, run, source, between_domains, pair)
            expected = naive_pairs(members, source, takers, domain, block.tolist(), between_domains)
            assert tuple(pair.tolist()) in (expected or {(-1, -1)})
