"""Tiers of switches where nobody says: a host on a spine or a leaf without hosts shifts nothing."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from fabric.tiers import tiers_of


def two_tiers(leaves, spines):
    """Tiers and cables; leaves come first."""
    tier = [1] * leaves + [2] * spines
    return tier, [(leaf, leaves + spine) for leaf in range(leaves) for spine in range(spines)]


def three_tiers(pods, leaves, spines, cores):
    """Pods of leaves and spines; each spine has its own cores, which all pods share."""
    tier, cables = [1] * (pods * leaves) + [2] * (pods * spines) + [3] * (spines * cores), []
    first_spine, first_core = pods * leaves, pods * (leaves + spines)
    for pod in range(pods):
        for spine in range(spines):
            above = first_spine + pod * spines + spine
            cables += [(pod * leaves + leaf, above) for leaf in range(leaves)]
            cables += [(above, first_core + spine * cores + core) for core in range(cores)]
    return tier, cables


def found(n, cables, endpoints, above=None):
    pairs = np.array(cables, np.int64).reshape(-1, 2)
    tail, head = np.concatenate([pairs, pairs[:, ::-1]]).T
    return tiers_of(n, tail, head, np.asarray(endpoints, np.int64), None if above is None else np.array(above)).tolist()


SHAPES = st.one_of(
    st.builds(two_tiers, st.integers(3, 12), st.integers(2, 8)),
    st.builds(three_tiers, st.integers(2, 4), st.integers(3, 6), st.integers(2, 4), st.integers(1, 3)),
)


@given(SHAPES, st.integers(12, 32), st.data())
def test_service_hosts_and_empty_leaves_shift_nothing(shape, hosts, data):
    tier, cables = shape
    n = len(tier)
    endpoints = [hosts if level == 1 else 0 for level in tier]
    assert found(n, cables, endpoints) == tier
    above = [node for node in range(n) if tier[node] > 1]
    # A leaf has no hosts or few of them, a spine or core in four has one.
    for node in data.draw(st.lists(st.sampled_from(above), unique=True, max_size=len(above) // 4)):
        endpoints[node] = 1
    first = next(node for node in range(n) if tier[node] == 1)
    endpoints[first] = data.draw(st.integers(0, 2))
    parallel = data.draw(st.lists(st.sampled_from(cables), max_size=4))
    assert found(n, [*cables, *parallel], endpoints) == tier


def test_the_nearest_endpoint_would_be_wrong():
    tier, cables = two_tiers(8, 4)
    endpoints = [16] * 7 + [0] + [1, 0, 0, 0]
    assert found(12, cables, endpoints) == tier


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_meshes_of_switches_are_one_tier(degree):
    """A ring, a torus' row, a dragonfly's group: all switches have hosts, some fewer."""
    n = 12
    cables = [(node, (node + step) % n) for node in range(n) for step in range(1, degree + 1)]
    assert found(n, cables, [8, 4, 8, 3, 8, 8, 6, 8, 8, 5, 8, 8]) == [1] * n


def test_a_director_keeps_its_levels():
    """Edge leaves on the line cards of a director, whose fabric cards are above them; a few hosts on line cards."""
    edges, lines, cards = 6, 8, 4
    tier = [1] * edges + [2] * lines + [3] * cards
    cables = [(edge, edges + line) for edge in range(edges) for line in range(lines)]
    cables += [(edges + line, edges + lines + card) for line in range(lines) for card in range(cards)]
    endpoints = [20] * edges + [1, 0, 0, 2, 0, 0, 0, 0] + [0] * cards
    # Leaves and fabric cards are cabled alike here: names tell.
    assert found(len(tier), cables, endpoints, above=[level == 3 for level in tier]) == tier
    # Alone, its line cards are the leaves, those without hosts too.
    alone = [(line, lines + card) for line in range(lines) for card in range(cards)]
    assert found(lines + cards, alone, [18, 18, 0, 18, 4, 18, 0, 18] + [0] * cards) == [1] * lines + [2] * cards


def test_what_nothing_joins():
    assert found(3, [(0, 1)], [2, 0, 0]) == [1, 2, 1]
    assert found(2, [(0, 1)], [0, 0]) == [1, 1]
