"""Every algorithm executed on data: what it computes is the collective, for any number of members."""

import numpy as np
import pytest

from collectives import (
    ALGORITHMS,
    COLLECTIVES,
    Groups,
    InputError,
    algorithms,
    channels,
    collective_schedule,
    rail_aligned,
    ring,
)
from collectives.algorithms import Program
from collectives.proof import prove
from collectives.steps import schedule_of, step_of
from fabric.builders import build, load_preset
from fabric.load import schedule_loads
from fabric.placement import packed
from fabric.topology import NIC, NVLINK, TRUNK
from tests.naive_routing import pairs_of

PROGRAMS = {
    ("all-reduce", "ring"): algorithms.ring_all_reduce,
    ("all-reduce", "bidirectional-ring"): algorithms.bidirectional_ring_all_reduce,
    ("all-reduce", "double-tree"): algorithms.double_tree_all_reduce,
    ("all-reduce", "halving-doubling"): algorithms.halving_doubling_all_reduce,
    ("all-gather", "ring"): algorithms.ring_all_gather,
    ("all-gather", "recursive-doubling"): algorithms.doubling_all_gather,
    ("all-gather", "pat"): algorithms.pat_all_gather,
    ("reduce-scatter", "ring"): algorithms.ring_reduce_scatter,
    ("reduce-scatter", "recursive-halving"): algorithms.halving_reduce_scatter,
    ("reduce-scatter", "pat"): algorithms.pat_reduce_scatter,
    ("all-to-all", "pairwise"): algorithms.pairwise_all_to_all,
    ("all-to-all", "bruck"): algorithms.bruck_all_to_all,
    ("broadcast", "tree"): algorithms.tree_broadcast,
    ("reduce", "tree"): algorithms.tree_reduce,
    ("gather", "tree"): algorithms.tree_gather,
    ("scatter", "tree"): algorithms.tree_scatter,
    ("send-recv", "direct"): algorithms.direct_send,
}


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 31, 33])
@pytest.mark.parametrize(("collective", "name"), PROGRAMS)
def test_every_program_computes_its_collective(collective, name, n):
    prove(collective, PROGRAMS[collective, name](n))


PLACED = {
    ("all-reduce", "hierarchical"): algorithms.hierarchical_all_reduce,
    ("all-reduce", "rings"): algorithms.channel_rings_all_reduce,
    ("all-to-all", "two-phase"): algorithms.two_phase_all_to_all,
    ("all-to-all", "pxn"): algorithms.pxn_all_to_all,
}


@pytest.mark.parametrize(("domains", "members"), [(1, 4), (2, 1), (2, 4), (3, 3), (5, 2)])
@pytest.mark.parametrize(("collective", "name"), PLACED)
def test_programs_over_domains_compute_their_collective(collective, name, domains, members):
    """And the schedule that is routed moves, between each pair of ranks, the bytes that the program moves."""
    program = PLACED[collective, name](domains, members)
    prove(collective, program)
    n = domains * members
    domain = (np.arange(n) // members).astype(np.int32)
    rail = (np.arange(n) % members).astype(np.int32)
    schedule = collective_schedule(collective, Groups.consecutive(n, n), float(n), name, domain, rail)
    moved, expected = np.zeros((n, n)), np.zeros((n, n))
    for phase in schedule.phases:
        for demand in phase.demands:
            for i, j, amount in pairs_of(demand):
                moved[i, j] += phase.repeat * amount
    for step in program.steps:
        np.add.at(expected, (step.src, step.dst), step.blocks * (n / program.n_blocks))
    # A block of an all-to-all is one of the n parts of a rank's buffer; so is that of the others.
    np.testing.assert_allclose(moved, expected, atol=1e-9)


@pytest.mark.parametrize("n", [2, 5, 8])
def test_direct_is_an_all_to_all(n):
    prove("all-to-all", algorithms.direct_all_to_all(n))


def test_the_proof_finds_what_is_wrong():
    ring_of_4 = algorithms.ring_all_reduce(4)
    short = Program(4, 4, ring_of_4.steps[:-1])
    with pytest.raises(InputError, match="ends without the contributions"):
        prove("all-reduce", short)
    twice = Program(4, 4, ring_of_4.steps[:3] * 2)
    with pytest.raises(InputError, match="twice"):
        prove("all-reduce", twice)
    with pytest.raises(InputError, match="sends block 1 to 1 but does not hold it"):
        prove("all-gather", Program(2, 2, (step_of([(0, 1, np.array([1]))]),)))
    with pytest.raises(InputError, match="ends without"):
        prove("all-to-all", Program(2, 2, ()))


@pytest.mark.parametrize("n", [2, 5, 8])
@pytest.mark.parametrize(
    "name", ["ring_all_reduce", "bidirectional_ring_all_reduce", "ring_all_gather", "ring_reduce_scatter"]
)
def test_the_closed_form_rings_move_what_the_proven_ones_move(name, n):
    groups = Groups.consecutive(2 * n, n)
    proven = schedule_of(getattr(algorithms, name), groups, np.full(2, 1e6), "x")
    closed = getattr(ring, name)(groups, 1e6)
    moved = []
    for schedule in (proven, closed):
        bytes_between = np.zeros((2 * n, 2 * n))
        for phase in schedule.phases:
            for i, j, amount in pairs_of(phase.demand):
                bytes_between[i, j] += phase.repeat * amount
        moved.append(bytes_between)
    np.testing.assert_allclose(moved[0], moved[1])
    assert sum(phase.repeat for phase in proven.phases) == sum(phase.repeat for phase in closed.phases)


@pytest.mark.parametrize("n", [4, 6, 8, 13, 16])
def test_bytes_and_steps_are_those_of_the_textbook(n):
    def sent(make):
        schedule = schedule_of(make, Groups.consecutive(n, n), np.array([float(n)]), "x")
        return schedule.total_bytes(), sum(phase.repeat for phase in schedule.phases)

    log = (n - 1).bit_length()
    power = n & (n - 1) == 0
    assert sent(algorithms.ring_all_reduce) == (2 * (n - 1) * n, 2 * (n - 1))
    assert sent(algorithms.bidirectional_ring_all_reduce) == (2 * (n - 1) * n, 2 * (n - 1))
    assert sent(algorithms.pat_all_gather) == (n * (n - 1), log)
    assert sent(algorithms.pat_reduce_scatter) == (n * (n - 1), log)
    assert sent(algorithms.pairwise_all_to_all) == (n * (n - 1), n - 1)
    assert sent(algorithms.tree_broadcast) == ((n - 1) * n, log)
    assert sent(algorithms.double_tree_all_reduce)[0] == 2 * (n - 1) * n
    if power:
        assert sent(algorithms.halving_doubling_all_reduce) == (2 * (n - 1) * n, 2 * log)
        assert sent(algorithms.doubling_all_gather) == (n * (n - 1), log)
        assert sent(algorithms.halving_reduce_scatter) == (n * (n - 1), log)
        assert sent(algorithms.bruck_all_to_all) == (n * n // 2 * log, log)


@pytest.mark.parametrize("n", [4, 5, 8, 9, 16, 31, 32])
def test_no_member_is_inner_in_both_trees(n):
    """What makes two trees better than one: a member sends on in one of them at most, the root apart."""
    trees = [algorithms._binary_tree(n, flip) for flip in (False, True)]
    inner = [set(tree.values()) - {0} for tree in trees]
    assert not inner[0] & inner[1]
    for tree in trees:
        assert sorted(tree) == list(range(1, n))


def test_nvls_halves_what_the_scale_up_carries():
    """Buffers of S: NVLS takes S (1 + 1 / m) of a GPU's NVLink each way, reduce-scatter and all-gather 2 S (m - 1) / m."""
    topology = build(load_preset("hgx-b200-64"))
    placement = packed(topology)
    domain, rail = topology.endpoint_domain, topology.endpoint_rail
    groups = Groups.consecutive(64, 64)
    nvlink = topology.link_kind == NVLINK
    by_name = {
        name: schedule_loads(
            topology, collective_schedule("all-reduce", groups, 8e6, name, domain, rail), placement
        ).total
        for name in ("nvls", "hierarchical")
    }
    assert by_name["nvls"].bytes[nvlink] == pytest.approx(9e6)
    assert by_name["hierarchical"].bytes[nvlink] == pytest.approx(14e6)
    for loads in by_name.values():
        assert loads.bytes[topology.link_kind == NIC] == pytest.approx(2 * 7 / 8 * 1e6)


def test_sharp_sends_each_buffer_once():
    """In-network reduction: the buffer once up and once down every host link, a ring 2 (n - 1) / n of it."""
    topology = build(load_preset("hgx-b200-64").model_copy(update={"scale_up": None}))
    groups, placement = Groups.consecutive(64, 64), packed(topology)
    nic = topology.link_kind == NIC
    sharp, ring_ = (
        schedule_loads(topology, collective_schedule("all-reduce", groups, 1e6, name), placement).total.bytes[nic]
        for name in ("sharp", "ring")
    )
    assert sharp == pytest.approx(1e6)
    assert ring_ == pytest.approx(2 * 63 / 64 * 1e6)


@pytest.mark.parametrize("collective", COLLECTIVES)
def test_every_algorithm_has_a_schedule_for_uneven_groups(collective):
    groups = Groups.of([[0, 1, 2, 3, 4], [5, 6], [7]])
    for name in ALGORITHMS[collective]:
        domain, rail = np.array([0, 0, 0, 0, 0, 1, 1, 2], np.int32), np.array([0, 1, 2, 3, 4, 0, 1, 0], np.int32)
        schedule = collective_schedule(collective, groups, 1e6, name, domain, rail)
        assert schedule.max_rank <= 7
        assert np.isfinite(schedule.total_bytes())
        assert schedule.total_bytes() > 0
    with pytest.raises(InputError, match=f"algorithm 'magic': {collective} has"):
        collective_schedule(collective, groups, 1e6, "magic")


@pytest.mark.parametrize("aligned", [False, True])
def test_channels_use_every_nic_once(aligned):
    """As many rings as GPUs in a host: each NIC carries 2 (n - 1) / n of an eighth of the buffer each way."""
    topology = build(load_preset("hgx-b200-64"))
    placement, groups = packed(topology), Groups.consecutive(64, 64)
    domain, rail = topology.endpoint_domain, topology.endpoint_rail
    schedule = collective_schedule("all-reduce", groups, 8e6, "rings", domain, rail)
    assert schedule.total_bytes() == pytest.approx(2 * 63 * 8e6)
    (phase,) = schedule.phases
    crossing = domain[phase.demand.src] != domain[phase.demand.dst]
    step = (rail[phase.demand.dst] - rail[phase.demand.src]) % 8
    assert set(step[crossing]) == {1}
    if aligned:
        schedule = rail_aligned(schedule, domain, rail)
    loads = schedule_loads(topology, schedule, placement).total
    assert loads.bytes[topology.link_kind == NIC] == pytest.approx(2 * 63 / 64 * 1e6)
    trunks = loads.bytes[topology.link_kind == TRUNK]
    assert (trunks == 0).all() if aligned else trunks.max() > 0


@pytest.mark.parametrize("n_hosts", [1, 2, 5])
def test_each_channel_is_a_ring_of_all_members(n_hosts):
    domain = np.repeat(np.arange(n_hosts), 4).astype(np.int32)
    rail = np.tile(np.arange(4), n_hosts).astype(np.int32)
    n = 4 * n_hosts
    schedule = collective_schedule("all-gather", Groups.consecutive(n, n), float(n), "rings", domain, rail)
    flows = schedule.phases[0].demand
    assert schedule.phases[0].repeat == n - 1
    for channel in range(4):
        follower = dict(zip(flows.src[channel * n :][:n].tolist(), flows.dst[channel * n :][:n].tolist(), strict=True))
        at, seen = 0, []
        while at not in seen:
            seen.append(at)
            at = follower[at]
        assert len(seen) == n


def test_channels_say_which_rails_they_use():
    domain, rail = np.repeat(np.arange(3), 4).astype(np.int32), np.tile(np.arange(4), 3).astype(np.int32)
    groups = Groups.consecutive(12, 12)
    every = channels(groups, domain, rail)
    assert [(one.number, one.enters_rail, one.leaves_rail) for one in every] == [
        (0, 0, 3),
        (1, 1, 0),
        (2, 2, 1),
        (3, 3, 2),
    ]
    assert every[1].ranks.tolist() == [1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8]
    assert [one.enters_rail for one in channels(groups, domain, rail, 2)] == [0, 2]
    assert [one.enters_rail for one in channels(groups, domain, rail, 6)] == [0, 1, 2, 3, 0, 1]
    for count in (1, 2, 4, 6):
        schedule = collective_schedule("all-reduce", groups, 12e6, "rings", domain, rail, count)
        assert schedule.total_bytes() == pytest.approx(2 * 11 * 12e6)
    with pytest.raises(InputError, match="channels: expected an integer >= 1"):
        channels(groups, domain, rail, 0)
