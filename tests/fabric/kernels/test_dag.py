"""Bytes carried down random DAGs equal those from the definition."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives.demand import FloatVector, Int32Vector
from fabric._kernels.dag import carry
from tests.naive.dag import naive_carried

N_SWITCHES = 6


class Hops(NamedTuple):
    capacity: FloatVector
    link: Int32Vector
    tail: Int32Vector
    head: Int32Vector
    gbps: FloatVector


# Switch 0 is the destination; a hop leads to a lower number, and parallel ones are hops of their own.
HOP = st.integers(1, N_SWITCHES - 1).flatmap(
    lambda tail: st.tuples(st.just(tail), st.integers(0, tail - 1), st.sampled_from([50.0, 100.0, 400.0]))
)


@pytest.mark.kernels
@settings(deadline=None, max_examples=100)
@given(
    st.lists(HOP, max_size=9),
    st.lists(st.sampled_from([0.0, 1.0, 3e9]), min_size=N_SWITCHES, max_size=N_SWITCHES),
    st.randoms(use_true_random=False),
)
def test_bytes_down_a_dag(hops, waiting, random):
    # Listed by their head, as a search from the destination finds them; links are numbered as they come.
    hops = sorted(hops, key=lambda hop: hop[1])
    tail, head, gbps = (np.array([hop[part] for hop in hops]) for part in range(3))
    link = np.array(random.sample(range(len(hops)), len(hops)), np.int32)
    capacity = np.bincount(tail.astype(np.int64), gbps, N_SWITCHES).astype(np.float64)
    dag = Hops(capacity, link, tail.astype(np.int32), head.astype(np.int32), gbps.astype(np.float64))
    left, isl_bytes = np.array(waiting), np.full(len(hops), 7.0)
    carry(dag, len(hops), left, isl_bytes)
    np.testing.assert_allclose(isl_bytes[link], 7.0 + np.array(naive_carried(hops, waiting)), rtol=1e-12)
    assert not left.any()
