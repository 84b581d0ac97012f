"""Next hops towards each destination, found anew or from those of a twin, equal those from the definitions."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from fabric._kernels.next_hops import carry_forced, find_hops, find_slot_fractions
from fabric.builders import build, fat_tree
from fabric.builders.faults import with_capacity_left
from fabric.routing.layer import layer_of
from fabric.routing.rooms import next_hops
from fabric.topology import ENDPOINT, ISL, SWITCH
from tests.naive.endpoints import naive_split
from tests.naive.next_hops import Way, naive_forced_loads, naive_ways
from tests.random_fabrics import fabrics, topology_of


def planes(n_planes, leaves, spines, cables, joined=False):
    """Leaves and spines in planes, an endpoint on the same leaf of each; `joined`: all planes share their spines."""
    kinds = [ENDPOINT] * (2 * leaves)
    rows = []
    first_spine = 2 * leaves + n_planes * leaves
    for plane in range(n_planes):
        for leaf in range(leaves):
            node = 2 * leaves + plane * leaves + leaf
            rows += [(end, node, 100.0, 100.0) for end in (2 * leaf, 2 * leaf + 1)]
            shift = 0 if joined else plane * spines
            rows += [
                (node, first_spine + shift + spine, 100.0, 100.0) for spine in range(spines) for _ in range(cables)
            ]
    kinds += [SWITCH] * (n_planes * leaves + (1 if joined else n_planes) * spines)
    return topology_of(kinds, rows)


def on_leaves(homes, cables):
    """An endpoint on the leaves of each of `homes`; `cables` join switches."""
    n = len(homes)
    rows = [(end, n + leaf, 100.0, 100.0) for end, leaves in enumerate(homes) for leaf in leaves]
    n_switches = 1 + max(leaf for leaves in (*homes, *cables) for leaf in leaves)
    rows += [(n + a, n + b, 100.0, 100.0) for a, b in cables]
    return topology_of([ENDPOINT] * n + [SWITCH] * n_switches, rows)


UNDER_TWO_SPINES = [(leaf, spine) for leaf in range(3) for spine in (3, 4)]
REGULAR = {
    "one tree": lambda: build(fat_tree(4)),
    "planes": lambda: planes(2, 3, 2, 2),
    "shared spines": lambda: planes(2, 3, 2, 1, joined=True),
    "leaves in several slots": lambda: on_leaves([(0, 1), (1, 2), (0, 2)], UNDER_TWO_SPINES),
    "leaves that are neighbours": lambda: on_leaves([(0, 1), (2, 3)], [(0, 1), (0, 3), (2, 1), (2, 3)]),
    "no cables": lambda: on_leaves([(0, 1), (2, 3), (4, 5)], []),
}


@st.composite
def damaged(draw):
    """A regular fabric, whole or with some cables between switches gone."""
    topology = REGULAR[draw(st.sampled_from(sorted(REGULAR)))]()
    cables = np.flatnonzero(topology.link_kind == ISL)
    gone = draw(st.lists(st.sampled_from(cables.tolist()), max_size=4)) if cables.size else []
    left = np.ones(topology.n_links)
    left[gone] = 0.0
    left[topology.link_reverse[gone]] = 0.0
    return with_capacity_left(topology, left).topology if gone else topology


def found_ways(hops):
    """What `hops` say, in the words of the twin."""
    n_reached, n_hops = hops.sizes.tolist()
    reached = hops.queue[:n_reached].tolist()
    assert sorted(reached) == np.flatnonzero(hops.distance >= 0).tolist()
    assert (np.diff(hops.distance[reached]) >= 0).all()
    assert sum(hops.stop[switch] - hops.start[switch] for switch in reached) == n_hops
    ways: list[Way | None] = [None] * len(hops.distance)
    for switch in reached:
        some = slice(hops.start[switch], hops.stop[switch])
        listed = list(zip(hops.link[some].tolist(), hops.head[some].tolist(), strict=True))
        facts = (hops.choices[switch], hops.fan[switch], hops.end_slot[switch])
        ways[switch] = Way(int(hops.distance[switch]), listed, *map(int, facts))
    return ways


def check_one_after_another(layer, order):
    hops = next_hops(layer)
    last = -1
    for destination in order:
        find_hops(layer.arrays, destination, last, hops)
        assert found_ways(hops) == naive_ways(layer.arrays, destination)
        last = destination


@pytest.mark.kernels
@pytest.mark.parametrize("name", REGULAR)
def test_next_hops_of_twins(name):
    layer = layer_of(REGULAR[name](), SWITCH)
    few = layer.n_classes <= 4
    orders = permutations(range(layer.n_classes)) if few else [range(layer.n_classes), range(layer.n_classes)[::-1]]
    for order in orders:
        check_one_after_another(layer, order)


@pytest.mark.kernels
@settings(deadline=None, max_examples=60)
@given(fabrics(nvlink=False) | damaged(), st.randoms(use_true_random=False))
def test_next_hops_of_one_class_after_another(topology, random):
    layer = layer_of(topology, SWITCH)
    check_one_after_another(layer, layer.in_turn(np.arange(layer.n_classes)))
    check_one_after_another(layer, random.choices(range(layer.n_classes), k=4))


@pytest.mark.parametrize(
    ("name", "families"),
    [
        ("one tree", [2, 2, 2, 2]),  # two leaves a pod
        ("planes", [3]),
        ("shared spines", [3]),
        ("leaves in several slots", [1, 1, 1]),
        ("leaves that are neighbours", [2]),
        ("no cables", [1, 1, 1]),
    ],
)
def test_leaves_that_look_alike_are_twins(name, families):
    layer = layer_of(REGULAR[name](), SWITCH)
    assert np.unique(layer.arrays.twin[:-1], return_counts=True)[1].tolist() == families


@pytest.mark.kernels
@settings(deadline=None, max_examples=60)
@given(fabrics(nvlink=False))
def test_fractions_are_those_of_the_nearest_slots(topology):
    layer = layer_of(topology, SWITCH)
    hops, fraction = next_hops(layer), np.empty(len(layer.arrays.slot_switch))
    for destination in range(layer.n_classes):
        find_hops(layer.arrays, destination, -1, hops)
        find_slot_fractions(layer.arrays, hops, fraction)
        distance = [-1 if way is None else way.distance for way in naive_ways(layer.arrays, destination)]
        expected = naive_split(layer.arrays, distance, layer.arrays.slot_up_gbps.tolist())
        np.testing.assert_allclose(fraction, expected, rtol=1e-12)


@pytest.mark.kernels
@settings(deadline=None, max_examples=60)
@given(fabrics(nvlink=False) | damaged(), st.data())
def test_what_waits_where_ways_are_forced(topology, data):
    layer = layer_of(topology, SWITCH)
    hops = next_hops(layer)
    destination = data.draw(st.integers(0, layer.n_classes - 1))
    find_hops(layer.arrays, destination, -1, hops)
    ways = naive_ways(layer.arrays, destination)
    amounts = st.sampled_from([0.0, 1.0, 3.5])
    waiting = np.array([data.draw(amounts) if way is not None and way.choices == 0 else 0.0 for way in ways])
    expected = naive_forced_loads(ways, waiting.tolist())
    isl = np.full((2, layer.n_isls), 7.0)
    carry_forced(hops, waiting, isl, 1)
    np.testing.assert_allclose(isl[1], [7.0 + expected.get(link, 0.0) for link in range(layer.n_isls)], rtol=1e-12)
    assert (isl[0] == 7.0).all()
    assert not waiting.any()
