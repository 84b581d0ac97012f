"""The registry: what is registered is found by its name everywhere, and what makes no sense is refused."""

from contextlib import contextmanager

import numpy as np
import pytest

import railscope as rs
from collectives import (
    ALGORITHMS,
    COLLECTIVES,
    Algorithm,
    Flows,
    Groups,
    InputError,
    Program,
    bandwidth,
    catalog,
    collective_schedule,
    prove,
)
from collectives.algorithm import AUTO
from collectives.catalog import algorithm_of, names_that_take, register_algorithm, unregister_algorithm
from collectives.domain_programs import channel_rings as channel_rings_program
from collectives.nccl_channels import channel_rings, channels
from collectives.programs import ring_all_gather, ring_broadcast
from collectives.proof import _CLAIMS
from collectives.shipped import SHIPPED
from collectives.suggestion import hint
from fabric.jobs.traffic import collective_traffic


@contextmanager
def registered(algorithm):
    register_algorithm(algorithm)
    try:
        yield algorithm
    finally:
        unregister_algorithm(algorithm.collective, algorithm.name)


def test_an_algorithm_is_added_from_outside_in_a_handful_of_lines():
    def one_step(n):
        return rs.Program(n, n, (rs.step_of([(i, j, np.array([i])) for i in range(n) for j in range(n) if i != j]),))

    rs.register_algorithm(rs.Algorithm("all-gather", "one-step", one_step))
    try:
        for n in range(1, 20):
            rs.prove("all-gather", "one-step", sizes=n)
        schedule = rs.collective_schedule("all-gather", rs.Groups.consecutive(8, 4), 4e6, "one-step")
        assert (schedule.n_steps, schedule.total_bytes()) == (1, 2 * 4 * 3 * 1e6)
        assert schedule.phases[0].label == "one-step"
        assert "one-step" in rs.ALGORITHMS["all-gather"]
    finally:
        rs.unregister_algorithm("all-gather", "one-step")
    assert "one-step" not in ALGORITHMS["all-gather"]
    with pytest.raises(InputError, match="'one-step': all-gather has none of that name"):
        rs.algorithm_of("all-gather", "one-step")


def test_an_algorithm_with_channels_and_options_is_known_everywhere():
    mine = Algorithm(
        "all-reduce",
        "my-rings",
        lambda sizes, **options: channel_rings_program("all-reduce", sizes, **options),
        lambda *given, **options: channel_rings("all-reduce", *given, **options),
        domains="required",
        options=("n_channels",),
        channels=channels,
        switches_reduce=True,
    )
    domain, rail = np.repeat([0, 1], 4).astype(np.int32), np.tile(np.arange(4), 2).astype(np.int32)
    with registered(mine):
        prove("all-reduce", "my-rings", [4, 4], n_channels=2)
        assert "my-rings" in names_that_take("n_channels")
        assert "my-rings" not in names_that_take("cross_nic", "all-reduce")
        job = collective_traffic("all-reduce", 8, 1e6, algorithm="my-rings", n_channels=3)
        assert job.switches_reduce
        assert job.channels is not None
        assert len(job.channels(domain, rail)) == 3
        schedule = job.schedule(domain, rail)
        same = collective_schedule("all-reduce", Groups.consecutive(8, 8), 1e6, "rings", domain, rail, 3)
        mine_sent, same_sent = schedule.phases[0].demand, same.phases[0].demand
        assert isinstance(mine_sent, Flows)
        assert isinstance(same_sent, Flows)
        np.testing.assert_array_equal(mine_sent.src, same_sent.src)
        with pytest.raises(InputError, match="cross_nic 1: expected the algorithm rings, not my-rings"):
            collective_schedule("all-reduce", Groups.consecutive(8, 8), 1e6, "my-rings", domain, rail, cross_nic=1)
        with pytest.raises(InputError, match="my-rings all-reduce: expected the domain and rail of every rank"):
            collective_schedule("all-reduce", Groups.consecutive(8, 8), 1e6, "my-rings")
    assert collective_traffic("all-reduce", 8, 1e6, algorithm="ring").channels is None


def test_options_that_nothing_takes_are_refused():
    with pytest.raises(InputError, match="n_channels 2: nothing to be said of tree"):
        collective_schedule("gather", Groups.consecutive(4, 4), 1.0, "tree", n_channels=2)
    with pytest.raises(InputError, match="cross_nic 1: expected the algorithm rings, not nvls"):
        prove("all-reduce", "nvls", [4, 4], cross_nic=1)


def plain(name="toy", collective="all-gather", **fields):
    return Algorithm(collective, name, ring_all_gather, **fields)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: plain(collective="allgather"), "collective 'allgather': unknown; did you mean all-gather"),
        (lambda: plain(""), "expected a name without spaces"),
        (lambda: plain("a b"), "expected a name without spaces"),
        (lambda: plain("a,b"), "expected a name without spaces"),
        (lambda: plain(AUTO), "other than auto"),
        (lambda: plain(tuning="Ring"), "tuning 'Ring'; did you mean ring"),
        (lambda: plain(domains="needed"), "domains 'needed'; expected one of unused, optional, required"),
        (
            lambda: plain(domains="required", schedule=channel_rings, options=("n_channel",)),
            "options 'n_channel'; did you mean n_channels",
        ),
        (lambda: plain(options=("n_channels",)), "options and channels are of domains"),
        (lambda: plain(channels=channels), "options and channels are of domains"),
        (lambda: plain(domains="required"), "looks at domains; expected a schedule"),
        (lambda: register_algorithm(plain("ring")), "algorithm 'ring': all-gather has one already"),
        (lambda: unregister_algorithm("all-gather", "rimg"), "algorithm 'rimg': .* did you mean ring"),
        (lambda: algorithm_of("allreduce"), "did you mean all-reduce"),
        (lambda: prove("all-gather", "ring"), "sizes None: expected the members of each domain"),
        (lambda: prove("all-gather", "ring", [4, 0]), r"sizes \[4, 0\]: expected the members"),
        (lambda: prove("all-gather", "ring", []), r"sizes \[\]: expected the members"),
        (lambda: prove("all-gather", "rimg", 4), "did you mean ring"),
        (lambda: prove("all-gather", ring_all_gather(4), 4), "go with the name of an algorithm, not a program"),
    ],
)
def test_refuses(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.fixture
def scan(monkeypatch):
    """A collective of which nothing is said but its bus factor."""
    monkeypatch.setitem(bandwidth._FACTOR, "scan", lambda n: 1.0)
    monkeypatch.setitem(catalog._registered, "scan", {})


@pytest.mark.usefixtures("scan")
def test_a_collective_that_is_half_added_is_refused_by_what_it_lacks():
    job = rs.Collective("scan", "1MiB")
    for lacking in (
        lambda: algorithm_of("scan"),
        lambda: algorithm_of("scan", "chain"),
        lambda: rs.prove("scan", "chain", 4),
        lambda: rs.Scenario.of("hgx-b200-64", job),
        lambda: rs.Scenario.of("hgx-b200-64", rs.Collective("scan", "1MiB", algorithm="auto")),
    ):
        with pytest.raises(InputError, match="collective scan: it has no algorithm; expected one by"):
            lacking()
    with registered(Algorithm("scan", "chain", ring_broadcast)):
        scenario = rs.Scenario.of("hgx-b200-64", job)
        with pytest.raises(InputError, match=r"proof of scan: .*; expected a row in collectives/proof\.py"):
            rs.prove("scan", "chain", 4)
        groups, where = Groups.consecutive(8, 8), rs.packed(scenario.topology)
        with pytest.raises(InputError, match=r"bound of scan: .*; expected a row in fabric/bounds/cut_demand\.py"):
            rs.cut_bound(scenario.topology, where, "scan", groups, 1.0)
        with pytest.raises(InputError, match="did you mean all-reduce"):
            rs.cut_bound(scenario.topology, where, "all-reduc", groups, 1.0)


def test_a_program_of_other_members_proves_nothing():
    with (
        pytest.raises(InputError, match="'broken': its program is of 3 members; expected 4"),
        registered(Algorithm("all-gather", "broken", lambda n: ring_all_gather(n - 1))),
    ):
        prove("all-gather", "broken", 4)


def test_a_registered_algorithm_that_is_wrong_is_found_out():
    with (
        registered(Algorithm("all-gather", "wrong", lambda n: Program(n, n, ring_all_gather(n).steps[:-1]))),
        pytest.raises(InputError, match="ends without the contributions"),
    ):
        prove("all-gather", "wrong", [3, 2])


def test_every_collective_has_a_claim_and_every_record_one_place():
    assert set(_CLAIMS) == set(COLLECTIVES)
    assert len({(one.collective, one.name) for one in SHIPPED}) == len(SHIPPED)
    assert {name: tuple(of) for name, of in ALGORITHMS.items()} == dict(ALGORITHMS)
    assert list(ALGORITHMS) == list(COLLECTIVES)
    assert all(ALGORITHMS[name] for name in COLLECTIVES)
    assert algorithm_of("all-to-all").name == "direct"
    assert "all-to-all" in repr(ALGORITHMS)


def test_hints():
    assert hint("RING", ["ring", "tree"]) == "did you mean ring?"
    assert hint("allreduce", ["all-reduce", "all-gather"]) == "did you mean all-reduce?"
    assert hint("x", ["ring", "tree"]) == "expected one of ring, tree"
    assert hint("x", []) == "there are none"
    assert hint("x", (f"host{number:03d}" for number in range(500))).endswith("host023, ... (500 in all)")
