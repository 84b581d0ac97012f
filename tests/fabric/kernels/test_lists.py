"""Flows counted and listed by link."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from fabric._kernels.arrays import PathArrays
from fabric._kernels.max_min import count_flows, list_flows
from tests.naive.max_min import naive_flows_on_links


@pytest.mark.kernels
@settings(deadline=None, max_examples=100)
@given(st.lists(st.lists(st.integers(0, 4), unique=True), min_size=1, max_size=8), st.integers(0, 8))
def test_flows_are_counted_and_listed(rows, cut):
    """In two pieces, as threads do it."""
    start = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    link = np.array([hop for row in rows for hop in row], np.int32)
    expected = naive_flows_on_links(start, link, 5)
    counts = np.zeros(5, np.int64)
    count_flows(link, counts)
    assert counts.tolist() == [len(flows) for flows in expected]
    place = np.concatenate([[0], np.cumsum(counts)[:-1]])
    link_flow = np.full(link.size, -1, np.int32)
    paths = PathArrays(start, link, np.empty(0), np.empty(0))
    cut = min(cut, len(rows))
    list_flows(paths, 0, cut, place, link_flow)
    list_flows(paths, cut, len(rows), place, link_flow)
    assert link_flow.tolist() == [flow for flows in expected for flow in flows]
