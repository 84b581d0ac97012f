"""Collectives by definition: bytes per rank, and rings executed on chunks."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import (
    Groups,
    InputError,
    ParallelLayout,
    all_to_all,
    bus_factor,
    busbw_GBps,
    collective_schedule,
    hierarchical_all_reduce,
    ring_all_reduce,
)
from tests.naive.routing import pairs_of


def sent_by(schedule, n_ranks, keep=lambda i, j: True):
    sent = np.zeros(n_ranks)
    for phase in schedule.phases:
        for demand in phase.demands:
            for i, j, amount in pairs_of(demand):
                if keep(i, j):
                    sent[i] += phase.repeat * amount
    return sent


SYMMETRIC = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all")
ROOTED = ("broadcast", "reduce")


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.sampled_from(SYMMETRIC + ROOTED))
def test_a_member_sends_what_the_definition_says(sizes, collective):
    """Bytes that a member sends = size x bus factor for the symmetric ones; n - 1 buffers in all for the rooted."""
    edges = np.concatenate([[0], np.cumsum(sizes)])
    groups = Groups.of([list(range(a, b)) for a, b in itertools.pairwise(edges.tolist())])
    sent = sent_by(collective_schedule(collective, groups, 840.0), int(edges[-1]))
    for a, b in itertools.pairwise(edges.tolist()):
        n = b - a
        if collective in ROOTED:
            assert sent[a:b].sum() == pytest.approx(840.0 * (n - 1))
        else:
            np.testing.assert_allclose(sent[a:b], 840.0 * (bus_factor(collective, n) if n > 1 else 0), rtol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 4, 7])
def test_a_ring_of_that_many_steps_reduces_everything(n):
    """Executed on sets of contributions: after 2 (n - 1) steps along the flows, every rank holds every sum."""
    phase = ring_all_reduce(Groups.consecutive(n, n), float(n)).phases[0]
    follower = {i: j for i, j, _ in pairs_of(phase.demand)}
    holds = [[{rank} for _ in range(n)] for rank in range(n)]
    for step in range(phase.repeat):
        passed = [(follower[rank], (rank - step) % n, holds[rank][(rank - step) % n]) for rank in range(n)]
        for rank, chunk, content in passed:
            holds[rank][chunk] = holds[rank][chunk] | content if step < n - 1 else content
    assert all(content == set(range(n)) for chunks in holds for content in chunks)


@pytest.mark.parametrize(("per_domain", "domains"), [(4, 3), (1, 5), (8, 1), (2, 2)])
def test_hierarchical_all_reduce_volumes(per_domain, domains):
    """NVLink 2 (m - 1)/m S and fabric 2 (k - 1)/k S/m per rank (ml-engineering's derivation), always on one rail."""
    n = per_domain * domains
    domain, rail = np.repeat(np.arange(domains), per_domain), np.tile(np.arange(per_domain), domains)
    shuffled = np.random.default_rng(2).permutation(n)
    schedule = hierarchical_all_reduce(
        Groups.of([shuffled.tolist()]), 960.0, domain.astype(np.int32), rail.astype(np.int32)
    )
    inside = sent_by(schedule, n, lambda i, j: domain[i] == domain[j])
    across = sent_by(schedule, n, lambda i, j: domain[i] != domain[j])
    np.testing.assert_allclose(inside, 2 * (per_domain - 1) / per_domain * 960)
    np.testing.assert_allclose(across, 2 * (domains - 1) / domains * 960 / per_domain)
    assert not sent_by(schedule, n, lambda i, j: domain[i] != domain[j] and rail[i] != rail[j]).any()


def test_hierarchical_all_reduce_of_uneven_domains_goes_through_heads():
    """Domains of 2 and 1: the one rank that both have a counterpart of carries the buffer across."""
    domain, rail = np.array([0, 0, 1], np.int32), np.array([0, 1, 0], np.int32)
    schedule = hierarchical_all_reduce(Groups.of([[0, 1, 2]]), 12.0, domain, rail)
    inside = sent_by(schedule, 3, lambda i, j: domain[i] == domain[j])
    across = sent_by(schedule, 3, lambda i, j: domain[i] != domain[j])
    assert inside.tolist() == [12.0, 12.0, 0.0]
    assert across.tolist() == [12.0, 0.0, 12.0]


def test_bus_bandwidth_is_nccl_tests():
    """doc/PERFORMANCE.md: all-reduce 2(n-1)/n, the others (n-1)/n, broadcast and reduce 1."""
    assert [bus_factor(name, 8) for name in ("all-reduce", "all-gather", "all-to-all", "reduce")] == [
        1.75,
        0.875,
        0.875,
        1,
    ]
    assert busbw_GBps("all-reduce", 8, 16e9, 0.5) == pytest.approx(56.0)
    with pytest.raises(InputError, match="collective 'alltoall'"):
        bus_factor("alltoall", 8)


def test_unknown_names_are_told_the_nearest():
    groups = Groups.consecutive(4, 4)
    with pytest.raises(InputError, match="did you mean all-reduce"):
        collective_schedule("allreduce", groups, 1.0)
    with pytest.raises(InputError, match="algorithm 'tree': all-reduce has none of that name; did you mean trees"):
        collective_schedule("all-reduce", groups, 1.0, "tree")
    with pytest.raises(InputError, match="bytes: expected finite"):
        all_to_all(groups, float("nan"))


def as_lists(groups):
    return [members.tolist() for members in groups]


def test_layout_is_megatrons_example():
    """megatron/core/parallel_state.py, initialize_model_parallel: 16 GPUs, tp 2, pp 4."""
    layout = ParallelLayout.parse("tp=2,pp=4", 16)
    assert as_lists(layout.groups("tp")) == [[i, i + 1] for i in range(0, 16, 2)]
    assert as_lists(layout.groups("pp")) == [[i, i + 4, i + 8, i + 12] for i in range(4)]
    assert as_lists(layout.groups("dp")) == [[0, 2], [1, 3], [4, 6], [5, 7], [8, 10], [9, 11], [12, 14], [13, 15]]


@settings(deadline=None, max_examples=60)
@given(
    *[st.sampled_from([1, 2, 3]) for _ in range(5)],
    st.permutations(["tp", "cp", "ep", "dp", "pp"]),
    st.sampled_from(["tp", "cp", "pp", "dp", "dp-cp", "tp-pp", "ep", "edp", "ep-pp", "etp"]),
)
def test_layout_groups_ranks_that_differ_in_the_axes_only(tp, cp, ep, dp, pp, order, axes):
    n = tp * cp * ep * dp * pp
    layout = ParallelLayout(n, tp=tp, cp=cp, ep=ep, pp=pp, order="-".join(order))
    expert = any(axis in ("ep", "edp", "etp") for axis in axes.split("-"))
    sizes = {"tp": tp, "cp": cp, "dp": n // (tp * cp * pp), "pp": pp}
    names = {axis: axis for axis in sizes}
    if expert:
        sizes = {"etp": tp, "ep": ep, "edp": n // (tp * ep * pp), "pp": pp}
        names = {"tp": "etp", "ep": "ep", "dp": "edp", "pp": "pp"}
    coordinates = {}
    for rank in range(n):
        rest, where = rank, {}
        for axis in order:
            if axis in names:
                where[names[axis]] = rest % sizes[names[axis]]
                rest //= sizes[names[axis]]
        coordinates[rank] = where
    groups: dict[tuple[tuple[str, int], ...], list[int]] = {}
    for rank, where in coordinates.items():
        key = tuple((axis, value) for axis, value in where.items() if axis not in axes.split("-"))
        groups.setdefault(key, []).append(rank)
    assert sorted(as_lists(layout.groups(axes))) == sorted(groups.values())


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ("tp=4,pp=3", "tp 4 x cp 1 x pp 3 = 12 does not divide 8192 ranks"),
        ("tp=2,ep=100,pp=1", "etp 2 x ep 100 x pp 1 = 200 does not divide 8192"),
        ("tp=0", "tp 0; expected an integer >= 1"),
        ("xp=2", "expected tp="),
        ("tp", "expected tp="),
        ("tp=2,tp=4", "expected tp="),
        ("dp=2,dp=2", "expected tp="),
        ("tp=4,pp=8,dp=255", "dp 255; expected 256, as 8192 ranks over tp x cp x pp leave"),
        ("tp=4,ep=8,edp=1", "edp 1; expected 256, as 8192 ranks over etp x ep x pp leave"),
        ("dp=0", "dp 0; expected 8192"),
    ],
)
def test_layout_refuses(sizes, message):
    with pytest.raises(InputError, match=message):
        ParallelLayout.parse(sizes, 8192)


def test_layout_takes_the_data_parallel_sizes_that_follow():
    given = ParallelLayout.parse("tp=4, dp=8, pp=2, ep=4, edp=2", 64)
    assert given == ParallelLayout.parse("tp=4,pp=2,ep=4", 64)
    assert (given.dp, given.edp) == (8, 2)


def test_layout_refuses_axes_of_two_meshes():
    with pytest.raises(InputError, match="axes 'ep-cp'"):
        ParallelLayout(8, ep=2).groups("ep-cp")
    with pytest.raises(InputError, match="parallel order 'tp-dp'"):
        ParallelLayout(8, order="tp-dp")
