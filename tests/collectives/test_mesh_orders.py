"""Rings and paths that use every link of a mesh alike."""

from collections import Counter

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, strategies as st

from collectives.demand import Flows, Groups
from collectives.mesh_orders import even_paths, even_rings, path_all_round
from collectives.nccl_channels import chains, channel_rings, channel_trees, channels


def arcs_of(orders, closed):
    """How often each ordered pair follows each other in some of the orders."""
    hops: Counter[tuple[int, int]] = Counter()
    for order in orders:
        row = order.tolist()
        hops.update(zip(row, row[1:] + row[:1] if closed else row[1:], strict=False))
    return hops


@pytest.mark.parametrize("n", range(2, 33))
def test_even_rings_are_hamiltonian_cycles_that_use_every_arc_equally_often(n):
    rings = even_rings(n)
    hops = arcs_of(rings, closed=True)
    assert set(hops) == set(nx.complete_graph(n, nx.DiGraph).edges)
    assert set(hops.values()) == {1 if n % 2 else 2}
    for ring in rings:
        assert sorted(ring.tolist()) == list(range(n))


@pytest.mark.parametrize("n", range(1, 33))
def test_even_paths_are_hamiltonian_paths_that_join_every_pair_equally_often(n):
    paths = even_paths(n)
    both_ways = arcs_of(paths, closed=False) + arcs_of(paths[:, ::-1], closed=False)
    assert set(both_ways) == set(nx.complete_graph(n, nx.DiGraph).edges)
    assert set(both_ways.values()) <= {2 if n % 2 else 1}
    ends = [(2 * row, 2 * row + 1) for row in range(n // 2)] if n % 2 == 0 else [(j, (j + 1) % n) for j in range(n)]
    assert [(int(path[0]), int(path[-1])) for path in paths] == ends
    for path in paths:
        assert sorted(path.tolist()) == list(range(n))


@pytest.mark.parametrize("n", [*range(1, 4), *range(5, 33)])
def test_paths_all_round_use_no_link_more_than_twice(n):
    path = path_all_round(n)
    assert sorted(path.tolist()) == list(range(n))
    assert (path[0], path[-1]) == (0, n - 1)
    turned = [(path + place) % n for place in range(n)]
    assert max(arcs_of(turned, closed=False).values(), default=0) <= 2


def test_no_ring_uses_a_link_that_only_its_reverse_should():
    """Four GPUs have no three rings with each arc once (Tillson 1980): six rings have each arc twice."""
    assert even_rings(4).shape == (6, 4)
    assert len({tuple(np.roll(ring, -int(np.argmin(ring)))) for ring in even_rings(4).tolist()}) == 6


def sent_between(schedule, n):
    sent = np.zeros((n, n))
    for phase in schedule.phases:
        for demand in phase.demands:
            assert isinstance(demand, Flows)
            np.add.at(sent, (demand.src, demand.dst), demand.bytes * phase.repeat)
    return sent


@pytest.mark.parametrize(("collective", "rounds"), [("all-reduce", 2), ("all-gather", 1), ("reduce-scatter", 1)])
@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 7, 8, 16])
def test_rings_in_one_domain_send_as_much_to_every_other_member(collective, rounds, n):
    """Each of n - 1 links carries the bytes of a ring, rounds x (n - 1) / n of the buffer, over n - 1."""
    domain, rail = np.zeros(n, np.int32), np.arange(n, dtype=np.int32)
    sent = sent_between(channel_rings(collective, Groups.consecutive(n, n), 1e6, domain, rail), n)
    expected = np.where(np.eye(n, dtype=bool), 0.0, rounds * 1e6 / n)
    np.testing.assert_allclose(sent, expected, rtol=1e-12)


@given(half=st.integers(1, 8), n_domains=st.integers(2, 5), trees=st.booleans())
def test_channels_across_equal_domains_use_all_links_inside_alike(half, n_domains, trees):
    m, n = 2 * half, 2 * half * n_domains
    domain = np.repeat(np.arange(n_domains, dtype=np.int32), m)
    rail = np.tile(np.arange(m, dtype=np.int32), n_domains)
    groups = Groups.consecutive(n, n)
    schedule = (
        channel_trees(groups, 1e6, domain, rail) if trees else channel_rings("all-reduce", groups, 1e6, domain, rail)
    )
    sent = sent_between(schedule, n)
    inside = (domain[:, None] == domain) & ~np.eye(n, dtype=bool)
    np.testing.assert_allclose(sent[inside], sent[inside].mean(), rtol=1e-12)


def test_odd_domains_use_no_link_of_a_mesh_more_than_twice_as_much_as_is_even():
    domain, rail = np.repeat(np.arange(3, dtype=np.int32), 7), np.tile(np.arange(7, dtype=np.int32), 3)
    groups = Groups.consecutive(21, 21)
    sent = sent_between(channel_rings("all-reduce", groups, 1e6, domain, rail), 21)
    inside = domain[:, None] == domain
    assert sent[inside].max() == pytest.approx(2 * sent[inside].sum() / (3 * 7 * 6))
    assert [(one.enters_rail, one.leaves_rail) for one in channels(groups, domain, rail)] == [
        (place, (place - 1) % 7) for place in range(7)
    ]


def test_chains_begin_at_every_place():
    domain, rail = np.repeat(np.arange(2, dtype=np.int32), 6), np.tile(np.arange(6, dtype=np.int32), 2)
    every = chains(Groups.consecutive(12, 12), domain, rail)
    assert [int(one.parts[1][0]) for one in every] == [6, 7, 8, 9, 10, 11]


def test_rings_visit_domains_as_the_ranks_name_them_first():
    """NCCL numbers nodes by their first rank; where they are in the fabric, it does not know."""
    groups, rail = Groups.of([list(range(8)), list(range(8, 12))]), np.arange(12, dtype=np.int32) % 2
    domain = np.array([7, 7, 2, 2, 9, 9, 4, 4, 3, 3, 0, 0], np.int32)
    for where in (domain, np.repeat(np.arange(6, dtype=np.int32), 2)):
        found = channels(groups, where, rail)
        assert {channel.group for channel in found} == {0, 1}
        for channel in found:
            assert list(dict.fromkeys(channel.ranks // 2)) == ([0, 1, 2, 3] if channel.group == 0 else [4, 5])
