"""The search of adaptive routing, what is carried down it and where it ends, against the definition."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from fabric._kernels.adaptive_dag import (
    carry_over,
    clear_dag,
    empty_dag,
    find_dag,
    find_slot_fractions,
    grow_dag,
    part_ends,
)
from fabric._kernels.adaptive_shared import find_last_hops
from fabric._kernels.arrival_rows import add_row, found_rows, grow_with_rows
from fabric.routing.bundles import bundles_of
from fabric.routing.layer import layer_of
from fabric.topology import SWITCH
from tests.naive.adaptive_dag import (
    cables_together,
    class_starts,
    naive_bundle_bytes,
    naive_distances,
    naive_ends,
    naive_last_hops,
    naive_next_hops,
)
from tests.naive.endpoints import naive_split
from tests.random_fabrics import fabrics

# Where bytes part and meet again, some switches have the row of others and some one of their own.
FABRICS = fabrics(max_switches=7, nvlink=False)


@st.composite
def searches(draw):
    """A layer, and where a search in it starts: at random switches of one distance, or at those of a class."""
    layer = layer_of(draw(FABRICS), SWITCH)
    if draw(st.booleans()):
        return layer, class_starts(layer, draw(st.integers(0, layer.n_classes - 2)))
    some = draw(st.lists(st.integers(0, layer.n_switches - 1), min_size=1, max_size=3, unique=True))
    gbps = st.sampled_from([100.0, 150.0, 900.0])
    return layer, {switch: (1, draw(gbps), draw(gbps)) for switch in some}


def started(layer, starts):
    dag = empty_dag(layer.n_switches)
    clear_dag(dag)
    for place, (switch, (distance, capacity, alone)) in enumerate(starts.items()):
        dag.queue[place], dag.distance[switch] = switch, distance
        dag.capacity[switch], dag.alone[switch] = capacity, alone
    return dag


@pytest.mark.kernels
@settings(deadline=None, max_examples=150)
@given(searches(), st.data())
def test_search_and_bytes_equal_the_definition(case, data):
    layer, starts = case
    network = cables_together(layer)
    bundles = bundles_of(layer)
    dag = started(layer, starts)
    n_reached = grow_dag(bundles.arrays, dag, len(starts))
    distance = naive_distances(network, starts)
    _, onward = naive_next_hops(network, starts)
    assert dag.distance.tolist() == [distance.get(switch, -1) for switch in range(layer.n_switches)]
    for switch, expected in onward.items():
        np.testing.assert_allclose((dag.capacity[switch], dag.alone[switch]), expected, rtol=1e-12)
    assert sorted(dag.queue[:n_reached].tolist()) == sorted(distance)
    assert np.all(np.diff(dag.distance[dag.queue[:n_reached]]) >= 0)

    waiting = data.draw(st.lists(st.sampled_from([0.0, 1.0, 3e9]), min_size=len(dag.queue), max_size=len(dag.queue)))
    left, carried = np.where(dag.distance >= 0, waiting, 0.0), np.full(bundles.n_bundles, 7.0)
    expected = naive_bundle_bytes(network, starts, left.tolist())
    carry_over(bundles.arrays, dag, n_reached, left, carried)
    assert not left.any()
    for bundle, tail in enumerate(bundles.arrays.tail.tolist()):
        head = int(np.searchsorted(bundles.arrays.start, bundle, side="right")) - 1
        np.testing.assert_allclose(carried[bundle], 7.0 + expected.get((tail, head), 0.0), rtol=1e-12)


@pytest.mark.kernels
@settings(deadline=None, max_examples=150)
@given(searches())
def test_ends_and_rows_equal_the_definition(case):
    layer, starts = case
    network = cables_together(layer)
    bundles = bundles_of(layer).arrays
    dag = started(layer, starts)
    n_reached = grow_dag(bundles, dag, len(starts))
    ends = np.zeros((layer.n_switches, len(starts)))
    for place, switch in enumerate(starts):
        ends[switch, place] = 1.0
    part_ends(bundles, dag, n_reached, ends)
    again = started(layer, starts)
    assert grow_with_rows(bundles, again, len(starts))[0] == n_reached
    assert again.queue[:n_reached].tolist() == dag.queue[:n_reached].tolist()
    for one, other in zip(dag[:3], again[:3], strict=True):
        np.testing.assert_array_equal(one, other)
    again = started(layer, starts)
    _, rows = grow_with_rows(bundles, again, len(starts))
    known = found_rows(bundles, again, len(starts), named_rows(bundles, again, len(starts), n_reached))
    for switch in range(layer.n_switches):
        if dag.distance[switch] < 0:
            assert rows.of[switch] < 0
            assert known.of[switch] < 0
            continue
        parts = naive_ends(network, starts, switch)
        expected = [parts.get(end, 0.0) for end in starts]
        np.testing.assert_allclose(ends[switch], expected, rtol=1e-12)
        for some in (rows, known):
            arriving = np.full(len(starts), 5.0)
            add_row(some, some.of[switch], 2.0, arriving)
            np.testing.assert_allclose(arriving, 5.0 + 2.0 * np.array(expected), rtol=1e-12)


def named_rows(bundles, dag, n_ends, n_reached):
    """The end by which all bytes of a switch arrive, S and its twin where its next hops differ, as a search names them."""
    row = np.full(dag.queue.size, -1, np.int32)
    row[dag.queue[:n_ends]] = np.arange(n_ends)
    for switch in dag.queue[n_ends:n_reached].tolist():
        heads = bundles.out_head[bundles.out_start[switch] : bundles.out_start[switch + 1]]
        onward = set(row[heads[dag.distance[heads] == dag.distance[switch] - 1]].tolist())
        row[switch] = onward.pop() if len(onward) == 1 else dag.queue.size + bundles.twin[switch]
    return row


@pytest.mark.kernels
@settings(deadline=None, max_examples=100)
@given(FABRICS)
def test_classes_and_their_neighbours_equal_the_definition(topology):
    layer = layer_of(topology, SWITCH)
    network = cables_together(layer)
    bundles = bundles_of(layer).arrays
    room = 3 * len(bundles.tail) * layer.n_classes
    start = np.zeros(layer.n_classes + 1, np.int64)
    switch, gbps, alone = np.zeros(room, np.int32), np.zeros(room), np.zeros(room)
    assert find_last_hops(layer.arrays, bundles, start, switch, gbps, alone) == start[-1]
    dag = empty_dag(layer.n_switches)
    for attachment in range(layer.n_classes - 1):
        starts = class_starts(layer, attachment)
        n_reached = find_dag(layer.arrays, bundles, attachment, dag)
        distance = naive_distances(network, starts)
        assert n_reached == len(distance)
        assert dag.distance.tolist() == [distance.get(one, -1) for one in range(layer.n_switches)]
        _, onward = naive_next_hops(network, starts)
        np.testing.assert_allclose([dag.alone[one] for one in onward], [both[1] for both in onward.values()])
        fraction = np.zeros(len(layer.arrays.slot_switch))
        find_slot_fractions(layer.arrays, dag, fraction)
        weight = np.minimum(layer.arrays.slot_up_gbps, dag.alone[layer.arrays.slot_switch]).tolist()
        np.testing.assert_allclose(fraction, naive_split(layer.arrays, dag.distance, weight), rtol=1e-12)

        own = slice(start[attachment], start[attachment + 1])
        found = {s: (g, a) for s, g, a in zip(switch[own].tolist(), gbps[own], alone[own], strict=True)}
        expected = naive_last_hops(network, layer, attachment)
        assert found.keys() == expected.keys()
        for neighbour, capacities in expected.items():
            np.testing.assert_allclose(found[neighbour], capacities, rtol=1e-12)
