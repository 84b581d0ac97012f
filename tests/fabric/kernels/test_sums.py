"""Sums over all links or flows in one pass, and what joins the parts of a fabric."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from fabric._kernels.cuts import cut_capacities, join
from fabric._kernels.inside import part_flows
from fabric._kernels.tier_sums import sum_by_tier
from tests.naive.sums import NOBODY, SEVERAL, naive_cut, naive_joined, naive_parted, naive_tier_sums

NODES = 7
PAIRS = st.lists(st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)), max_size=16)


@pytest.mark.kernels
@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 3)), max_size=20), st.data())
def test_flows_inside_domains_are_summed_and_others_listed(flows, data):
    src, dst, amount = (np.array([flow[place] for flow in flows], kind) for place, kind in enumerate("iid"))
    domain = np.array(data.draw(st.lists(st.integers(-1, 2), min_size=6, max_size=6)), np.int32)
    sent, received, between = np.zeros(6), np.zeros(6), np.full(len(flows), -7, np.int32)
    n = part_flows(src, dst, amount, domain, sent, received, between)
    assert (sent.tolist(), received.tolist(), between[:n].tolist()) == naive_parted(src, dst, amount, domain.tolist())


@pytest.mark.kernels
@settings(deadline=None, max_examples=100)
@given(PAIRS, st.data())
def test_nodes_are_joined_with_the_smallest_of_their_component(pairs, data):
    tail, head = (np.array([pair[end] for pair in pairs], np.int32) for end in (0, 1))
    kept = np.array([data.draw(st.booleans()) for _ in pairs], bool)
    least = np.arange(NODES, dtype=np.int32)
    join(tail, head, kept, least)
    assert least.tolist() == naive_joined(NODES, tail.tolist(), head.tolist(), kept.tolist())


@pytest.mark.kernels
@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from([0.0, 1.0, 1.5, 7e9]))), st.data())
def test_sums_of_links_by_number(links, data):
    links = sorted(links)
    tail, number, load = (np.array([link[place] for link in links], kind) for place, kind in enumerate(("i", "b", "d")))
    gbps = np.array([data.draw(st.sampled_from([100.0, 400.0])) for _ in links])
    out_start = np.searchsorted(tail, np.arange(5)).astype(np.int64)
    total, busy_s, longest_s, *scratch = (np.zeros(3) for _ in range(5))
    used, longest = np.zeros(3, np.int64), np.full(3, -1, np.int64)
    sum_by_tier(out_start, number, load, gbps, total, used, busy_s, longest_s, longest, *scratch)
    expected = naive_tier_sums(number.tolist(), load.tolist(), gbps.tolist())
    for which in range(3):
        found = total[which], used[which], busy_s[which], longest_s[which], longest[which]
        assert found == pytest.approx(expected.get(which, (0, 0, 0, 0, -1)), rel=1e-14)


@pytest.mark.kernels
@settings(deadline=None, max_examples=200)
@given(PAIRS, st.data())
def test_capacities_of_cuts_are_those_of_the_definition(pairs, data):
    """Cables in both directions, between nodes of any levels; some of level 0 belong to nobody."""
    level = np.array(data.draw(st.lists(st.integers(0, 3), min_size=NODES, max_size=NODES)), np.int32)
    owner = np.array([data.draw(st.integers(NOBODY, 2)) if own == 0 else NOBODY for own in level], np.int32)
    cables = [(a, b, gbps) for gbps, (a, b) in enumerate(pairs, start=1) if a != b]
    links = sorted([*cables, *((b, a, gbps + 100) for a, b, gbps in cables)])
    kept = np.array([owner[a] != NOBODY or level[a] for a, _, _ in links], bool)
    kept &= np.array([owner[b] != NOBODY or level[b] for _, b, _ in links], bool)
    tail, head, gbps = (np.array([link[place] for link in links], kind) for place, kind in enumerate("iid"))
    out, into = np.full(3, np.inf), np.full(3, np.inf)
    top = max(1, int(level.max()))
    cut_capacities(
        np.searchsorted(tail, np.arange(NODES + 1)).astype(np.int64), head, gbps, kept, level, top, NOBODY, SEVERAL,
        owner.copy(), np.empty_like(owner), out, into, np.empty(3), np.empty(3),
    )  # fmt: skip
    chosen = [link for link, good in zip(links, kept, strict=True) if good]
    tails, heads, capacities = ([link[place] for link in chosen] for place in range(3))
    expected = naive_cut(tails, heads, capacities, level.tolist(), owner.tolist(), 3)
    assert (out.tolist(), into.tolist()) == expected
