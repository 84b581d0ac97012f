"""The NICs of a host as one pool, against each transfer by itself; and what is published of libraries that do it."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import AllToAll, Flows, Groups, InputError, Phase, Schedule, all_to_all, rail_aligned
from collectives.catalog import ALGORITHMS, collective_schedule
from collectives.nic_pool import NicPools, nics_pooled
from tests.collectives.test_transport import WEIGHT, dense
from tests.naive.nic_pool import pooled_matrix
from tests.naive.routing import pairs_of


@st.composite
def jobs(draw):
    n = draw(st.integers(2, 12))

    def column(low, high):
        return np.array(draw(st.lists(st.integers(low, high), min_size=n, max_size=n)), np.int32)

    gbps = np.array(draw(st.lists(st.sampled_from([0.0, 1.0, 1.0, 1.0, 2.0]), min_size=n, max_size=n)))
    return column(-1, 3), column(-1, 1), column(-1, 2), gbps


def matrix_of(demands, n):
    return dense((pair for part in demands for pair in pairs_of(part)), n)


def pooled(demand, host, domain, rail, gbps):
    schedule = nics_pooled(Schedule((Phase(demand, 2, "x"),)), NicPools.of(host, domain, rail, gbps), domain)
    assert schedule.phases[0].repeat == 2
    return schedule.phases[0].demands


@settings(deadline=None, max_examples=80)
@given(jobs(), st.data())
def test_flows_go_over_the_nics_that_are_left(job, data):
    n = len(job[0])
    rows = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1), WEIGHT), min_size=1, max_size=9))
    demand = Flows(*(np.array(column) for column in zip(*rows, strict=True)))
    expected = pooled_matrix(matrix_of([demand], n), *job)
    np.testing.assert_allclose(matrix_of(pooled(demand, *job), n), expected, rtol=1e-9, atol=1e-12)


@settings(deadline=None, max_examples=120)
@given(jobs(), st.data())
def test_all_to_all_goes_over_the_nics_that_are_left(job, data):
    n, domain = len(job[0]), job[1]
    order = data.draw(st.permutations(range(n)))
    cut = data.draw(st.integers(1, n))
    groups = Groups.of([part for part in (order[:cut], order[cut:]) if part])
    send, receive = (np.array(data.draw(st.lists(WEIGHT, min_size=n, max_size=n))) for _ in range(2))
    block = None
    match data.draw(st.sampled_from(["none", "domains", "parts of domains", "sets of domains"])):
        case "domains":
            block = np.where(domain >= 0, domain, 10 + np.arange(n))[groups.rank]
        case "parts of domains":
            block = (np.where(domain >= 0, domain, 10 + np.arange(n)) * 2 + np.arange(n) % 2)[groups.rank]
        case "sets of domains":
            block = (np.where(domain >= 0, domain, 10 + np.arange(n)) // 2)[groups.rank]
    demand = AllToAll(groups, send, receive, block)
    expected = pooled_matrix(matrix_of([demand], n), *job)
    got = matrix_of(pooled(demand, *job), n)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(got == 0, expected == 0)


def test_blocks_that_cut_across_domains_are_refused():
    demand = AllToAll(Groups.consecutive(4, 4), np.ones(4), np.ones(4), np.array([0, 1, 0, 1], np.int32))
    host = np.array([0, 0, 1, 1], np.int32)
    with pytest.raises(InputError, match="cut across scale-up domains"):
        pooled(demand, host, host, np.array([0, 1, 0, 1], np.int32), np.array([1.0, 1.0, 1.0, 0.0]))
    few = np.zeros(2, np.int32)
    two = NicPools.of(few, few, few, np.ones(2))
    with pytest.raises(InputError, match="those of 4 ranks, got 2 and 2"):
        nics_pooled(Schedule((Phase(demand),)), two, few)
    with pytest.raises(InputError, match="for each rank"):
        NicPools.of(host, host, host, np.ones(3))


RAILS, HOSTS = 8, 4
HOST = np.repeat(np.arange(HOSTS), RAILS).astype(np.int32)
RAIL = np.tile(np.arange(RAILS), HOSTS).astype(np.int32)


def nic_seconds(schedule, gbps):
    """Load over speed of the busiest NIC, phases one after the other; no network behind it."""
    total = 0.0
    for phase in schedule.phases:
        matrix = matrix_of(phase.demands, HOSTS * RAILS)
        matrix[HOST[:, None] == HOST[None, :]] = 0
        busy = np.maximum(matrix.sum(axis=0), matrix.sum(axis=1))
        assert (busy[gbps == 0] == 0).all()
        total += phase.repeat * float((busy[gbps > 0] / gbps[gbps > 0]).max())
    return total


SCHEDULES = {
    "rings": collective_schedule("all-reduce", Groups.consecutive(32, 32), 1e9, "rings", HOST, RAIL),
    "hierarchical": collective_schedule("all-reduce", Groups.consecutive(32, 32), 1e9, "hierarchical", HOST, RAIL),
    "all-to-all": all_to_all(Groups.consecutive(32, 32), 1e9),
    "PXN": rail_aligned(all_to_all(Groups.consecutive(32, 32), 1e9), HOST, RAIL),
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("left", [0.0, 0.25, 0.5])
def test_a_host_keeps_what_its_nics_have_left(name, left):
    """One NIC of R at a part f: (R - 1 + f) / R of the rate, where an even split leaves f; all of a rail: the same."""
    schedule, whole = SCHEDULES[name], np.ones(HOSTS * RAILS)
    usual = nic_seconds(schedule, whole)
    for slow in (np.flatnonzero((HOST == 2) & (RAIL == 5)), np.flatnonzero(RAIL == 5)):
        gbps = whole.copy()
        gbps[slow] = left
        made = nics_pooled(schedule, NicPools.of(HOST, HOST, RAIL, gbps), HOST)
        assert nic_seconds(made, gbps) / usual == pytest.approx(RAILS / (RAILS - 1 + left))
        if left:
            assert nic_seconds(schedule, gbps) / usual == pytest.approx(1 / left)


def test_measured_on_three_nics():
    """R2CCL's own log (github.com/r2cc-project/R-2CCL, examples/cloudlab_r7525): 2.04 s with 3 NICs, 3.04 s with 2."""
    host, rail = np.repeat(np.arange(3), 3).astype(np.int32), np.tile(np.arange(3), 3).astype(np.int32)
    schedule = collective_schedule("all-reduce", Groups.consecutive(9, 9), 4 * 2**30, "rings", host, rail)
    times = []
    for gone in (None, 4):
        gbps = np.ones(9)
        gbps[gone if gone is not None else []] = 0
        made = nics_pooled(schedule, NicPools.of(host, host, rail, gbps), host)
        matrix = sum(phase.repeat * matrix_of(phase.demands, 9) for phase in made.phases)
        matrix[host[:, None] == host[None, :]] = 0
        times.append(max(matrix.sum(axis=0).max(), matrix.sum(axis=1).max()))
    assert times[1] / times[0] == pytest.approx(1.5)
    assert times[1] / times[0] == pytest.approx(3.04 / 2.04, rel=0.01)


def test_a_host_that_is_slow_as_a_whole_and_hosts_that_are_sound_stay_as_they_are():
    gbps = np.ones(HOSTS * RAILS)
    gbps[HOST == 1] = 0.5
    for schedule in SCHEDULES.values():
        assert nics_pooled(schedule, NicPools.of(HOST, HOST, RAIL, gbps), HOST) is schedule


def test_no_rail_left_at_both_ends():
    """Host 0 has its first NIC alone, host 1 its last: the two NICs that there are, across the rails."""
    gbps = np.zeros(HOSTS * RAILS)
    gbps[[0, 15]] = 1.0
    demand = Flows([3], [9], [8.0])
    (made,) = pooled(demand, HOST, HOST, RAIL, gbps)
    assert list(zip(made.src, made.dst, made.bytes, strict=True)) == [(3, 0, 8.0), (0, 15, 8.0), (15, 9, 8.0)]
    gbps[15] = 0.0
    (made,) = pooled(demand, HOST, HOST, RAIL, gbps)
    assert list(zip(made.src, made.dst, made.bytes, strict=True)) == [(3, 9, 8.0)]


def test_every_algorithm_takes_it():
    gbps = np.ones(HOSTS * RAILS)
    gbps[5] = 0.0
    pools = NicPools.of(HOST, HOST, RAIL, gbps)
    tried = 0
    for collective, algorithms in ALGORITHMS.items():
        for name in algorithms:
            try:
                schedule = collective_schedule(collective, Groups.consecutive(32, 32), 32e6, name, HOST, RAIL)
            except InputError:
                continue
            for phase, before in zip(nics_pooled(schedule, pools, HOST).phases, schedule.phases, strict=True):
                if all(isinstance(one, Flows | AllToAll) for one in before.demands):
                    now, then = (matrix_of(one.demands, 32) for one in (phase, before))
                    # What a rank gets less what it hands on is as before.
                    np.testing.assert_allclose(
                        now.sum(axis=0) - now.sum(axis=1), then.sum(axis=0) - then.sum(axis=1), atol=1e-3
                    )
                    now[HOST[:, None] == HOST[None, :]] = 0
                    assert now[5].sum() == now[:, 5].sum() == 0
                    tried += 1
    assert tried > 15
