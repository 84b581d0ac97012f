"""Is the hash as good as chance?  Chi-square tests of what fabrics ask of it: even loads, independent tiers and flows.

All is computed from fixed seeds: a p-value between the limits today is between them for ever.  That the tests can fail
is shown by hashes that are known to be worse.
"""

import numpy as np
import pytest
from scipy.stats import binom, chi2

from fabric.builders import build, fat_tree
from fabric.routing.layer import layer_of
from fabric.routing.paths import route_flows
from fabric.routing.policies import Ecmp
from fabric.topology import SWITCH, UP
from tests.naive.routing import mix

N = 1024
# A fair hash fails one of 10,000 tests at each end.
LEAST, MOST = 1e-4, 1 - 1e-4
CHOICES = (2, 3, 8, 36, 64)


def mixed(value):
    """The mixer of every flow, for arrays of uint64."""
    with np.errstate(over="ignore"):
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def multiplied(value):
    """One multiplication, which is too little."""
    with np.errstate(over="ignore"):
        return value * np.uint64(0xBF58476D1CE4E5B9)


SEEDS = np.random.default_rng(0).integers(0, 2**64, 4, dtype=np.uint64)


def keys(mixer, shift=0):
    """Keys of all pairs of N endpoints, by source and destination: the worst input, numbers in a row."""
    ends = np.arange(N, dtype=np.uint64) + np.uint64(shift)
    return mixer((ends[:, None] << np.uint64(32)) | ends)


def chosen(key, seed, n_choices, mixer):
    """What each flow takes at a switch."""
    return ((mixer(key ^ seed) >> np.uint64(32)) * np.uint64(n_choices)) >> np.uint64(32)


def p_of_counts(counts, expected, n_free):
    """How likely chance is to be as uneven: near 0 where counts are less even than chance, near 1 where they are more."""
    return float(chi2.sf(((counts - expected) ** 2 / expected).sum(), n_free))


def p_independent(one, two, n_choices):
    """Chi-square of a table of two choices against independent, even ones."""
    table = np.bincount((one * np.uint64(n_choices) + two).astype(np.int64).ravel(), minlength=n_choices**2)
    return p_of_counts(table, one.size / n_choices**2, n_choices**2 - 1)


def p_even(choice, n_choices, block=16):
    """Of the loads that blocks of sources put on links towards blocks of destinations, as leaves do."""
    side = N // block
    cell = np.arange(N) // block
    where = (cell[:, None] * side + cell) * n_choices + choice.astype(np.int64)
    counts = np.bincount(where.ravel(), minlength=side * side * n_choices)
    return p_of_counts(counts, block * block / n_choices, side * side * (n_choices - 1)), counts


@pytest.mark.parametrize("n_choices", CHOICES)
def test_loads_between_leaves_are_balls_in_bins(n_choices):
    choice = chosen(keys(mixed), SEEDS[0], n_choices, mixed)
    p, counts = p_even(choice, n_choices)
    assert LEAST < p < MOST
    # Not only as even as chance, but of its distribution, the tails together.
    law = binom(256, 1 / n_choices)
    low, high = int(law.ppf(1e-3)), int(law.isf(1e-3))
    found = np.bincount(np.clip(counts, low, high), minlength=high + 1)[low:]
    steps = np.arange(low, high + 1)
    expected = law.pmf(steps)
    expected[0], expected[-1] = law.cdf(low), law.sf(high - 1)
    # Links of one pair of leaves share its flows, which makes the sum a little small, never large.
    assert p_of_counts(found, counts.size * expected, steps.size - 1) > LEAST


@pytest.mark.parametrize("n_choices", CHOICES)
def test_the_choices_at_two_switches_are_independent(n_choices):
    key = keys(mixed)
    one, two = (chosen(key, seed, n_choices, mixed) for seed in SEEDS[:2])
    assert LEAST < p_independent(one, two, n_choices) < MOST


@pytest.mark.parametrize("n_choices", CHOICES)
def test_neighbouring_flows_choose_independently(n_choices):
    choice = chosen(keys(mixed), SEEDS[0], n_choices, mixed)
    pairs = {
        "next destination": (choice[:, :-1], choice[:, 1:]),
        "next source": (choice[:-1], choice[1:]),
        "the way back": (choice, choice.T),
        "the next of a host": (choice[:, ::8], choice[:, 1::8]),
    }
    off_diagonal = ~np.eye(N, dtype=bool)
    for what, (one, two) in pairs.items():
        some = off_diagonal if what == "the way back" else slice(None)
        assert LEAST < p_independent(one[some], two[some], n_choices) < MOST, what


@pytest.mark.parametrize("n_choices", CHOICES)
def test_queue_pairs_and_ports_choose_independently(n_choices):
    port = Ecmp(queue_pairs=2).port_keys(layer_of(build(fat_tree(4)), SWITCH))[:, 0]
    one, two = (chosen(keys(mixed) ^ of_pair, SEEDS[0], n_choices, mixed) for of_pair in port)
    assert LEAST < p_independent(one, two, n_choices) < MOST


def test_worse_hashes_are_found_out():
    weak = chosen(keys(multiplied), SEEDS[0], 64, multiplied)
    assert p_even(weak, 64)[0] < LEAST
    assert p_independent(weak[:, :-1], weak[:, 1:], 64) < LEAST
    # Numbers in a row come out evenly, more so than by chance.
    assert p_even(chosen(keys(multiplied), SEEDS[0], 64, lambda key: key), 64)[0] > MOST
    # The same hash at both switches: polarization.
    same = chosen(keys(mixed), SEEDS[0], 8, mixed)
    assert p_independent(same, same, 8) < LEAST


def test_this_is_the_hash_that_fabrics_use():
    """The way of a flow up a tree, leaf and spine, by the formula above."""
    tree, routing = build(fat_tree(8)), Ecmp(seed=3)
    layer = layer_of(tree, SWITCH)
    assert int(mixed(np.uint64(12345))) == mix(12345)
    src, dst = np.arange(16, dtype=np.int32), np.arange(112, 128, dtype=np.int32)
    routed = route_flows(tree, src, dst, routing)
    seeds, port = routing.switch_seeds(layer), routing.port_keys(layer)[0, 0]
    key = mixed((src.astype(np.uint64) << np.uint64(32)) | dst.astype(np.uint64)) ^ port
    for flow in range(16):
        start = routed.paths.start[flow]
        for link in routed.paths.link[start + 1 : start + 3].tolist():
            node = tree.link_tail[link]
            ups = np.flatnonzero((tree.link_tail == node) & (tree.link_direction == UP))
            ups = ups[np.lexsort((tree.link_head[ups], tree.link_cable_index[ups]))]
            number = np.flatnonzero(layer.switch_node == node)[0]
            assert link == ups[int(chosen(key[flow], seeds[number], 4, mixed))]
