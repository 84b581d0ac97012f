"""Rail-aligned transport against a dense reference that sends each pair through its proxy."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import AllToAll, Flows, Groups, InputError, Phase, Schedule, all_to_all, rail_aligned
from tests.naive.routing import pairs_of


def proxy_of(i, j, members, domain, rail):
    """Who sends i's bytes to j: the definition, one pair at a time."""
    if domain[i] < 0 or rail[i] < 0 or rail[j] < 0 or rail[i] == rail[j]:
        return i
    mine = [m for m in members if domain[m] == domain[i] and rail[m] == rail[i]]
    there = [m for m in members if domain[m] == domain[i] and rail[m] == rail[j]]
    return there[mine.index(i) % len(there)] if there else i


def dense(flows, n):
    matrix = np.zeros((n, n))
    for i, j, amount in flows:
        if i != j:
            matrix[i, j] += amount
    return matrix


def expected_matrix(demand, groups, domain, rail, n):
    flows = []
    for i, j, amount in pairs_of(demand):
        members = groups(i, j)
        if domain[i] >= 0 and domain[i] == domain[j]:
            flows.append((i, j, amount))
            continue
        proxy = proxy_of(i, j, members, domain, rail)
        flows += [(i, proxy, amount), (proxy, j, amount)]
    return dense(flows, n)


@st.composite
def jobs(draw):
    n = draw(st.integers(2, 10))
    domain = np.array(draw(st.lists(st.integers(-1, 3), min_size=n, max_size=n)), np.int32)
    rail = np.array(draw(st.lists(st.integers(-1, 2), min_size=n, max_size=n)), np.int32)
    return n, domain, rail


WEIGHT = st.sampled_from([0.0, 1.0, 2.5])


@settings(deadline=None, max_examples=150)
@given(jobs(), st.data())
def test_all_to_all_goes_through_the_proxies(job, data):
    n, domain, rail = job
    members = data.draw(st.lists(st.integers(0, n - 1), min_size=1, unique=True))
    send, receive = (
        np.array(data.draw(st.lists(WEIGHT, min_size=len(members), max_size=len(members)))) for _ in range(2)
    )
    demand = AllToAll(Groups.of([members]), send, receive)
    aligned = rail_aligned(Schedule((Phase(demand),)), domain, rail)
    got = dense((pair for part in aligned.phases[0].demands for pair in pairs_of(part)), n)
    expected = expected_matrix(demand, lambda i, j: members, domain, rail, n)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(got == 0, expected == 0)


@settings(deadline=None, max_examples=100)
@given(jobs(), st.data())
def test_flows_go_through_the_proxies(job, data):
    n, domain, rail = job
    rows = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1), WEIGHT), min_size=1, max_size=9))
    demand = Flows(*(np.array(column) for column in zip(*rows, strict=True)))
    aligned = rail_aligned(Schedule((Phase(demand, 3, "x"),), "pipelined"), domain, rail)
    assert (aligned.phases[0].repeat, aligned.overlap) == (3, "pipelined")
    got = dense((pair for part in aligned.phases[0].demands for pair in pairs_of(part)), n)
    expected = expected_matrix(demand, lambda i, j: range(n), domain, rail, n)
    # A flow to oneself has no proxy.
    np.testing.assert_allclose(got, expected)


def test_two_groups_do_not_mix():
    domain, rail = np.repeat(np.arange(4), 4).astype(np.int32), np.tile(np.arange(4), 4).astype(np.int32)
    groups = Groups.of([list(range(8)), list(range(8, 16))])
    aligned = rail_aligned(all_to_all(groups, 16.0), domain, rail)
    got = dense((pair for part in aligned.phases[0].demands for pair in pairs_of(part)), 16)
    assert not got[:8, 8:].any()
    assert not got[8:, :8].any()
    across = domain[:, None] != domain
    assert not got[across & (rail[:, None] != rail)].any()
    # 8 members, 2 bytes a pair: each of 4 senders' bytes for a far receiver come by its rail.
    assert got[0, 4] == 8.0


def test_refuses_what_it_cannot_place():
    schedule = all_to_all(Groups.consecutive(4, 4), 4.0)
    with pytest.raises(InputError, match="a domain and a rail for each of 4 ranks, got 2 and 2"):
        rail_aligned(schedule, np.zeros(2, np.int32), np.zeros(2, np.int32))
    aligned = rail_aligned(schedule, np.zeros(4, np.int32), np.arange(4, dtype=np.int32))
    with pytest.raises(InputError, match="without blocks"):
        rail_aligned(aligned, np.zeros(4, np.int32), np.arange(4, dtype=np.int32))
