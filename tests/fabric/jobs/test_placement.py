"""Placements: whole hosts, whole domains, nobody twice."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import InputError
from fabric.builders import build, read_preset
from fabric.jobs.placement import Placement, explicit, fragmented, packed, read_placement, scattered, unaligned
from tests.fabric.commands.test_cli import answer


@pytest.fixture(scope="module")
def racks():
    return build(read_preset("gb300-2048"))


def test_packed_takes_the_first_hosts_of_each_rack(racks):
    placement = packed(racks, 2048, 64)
    domain, host = racks.endpoint_domain[placement.endpoint], racks.endpoint_host[placement.endpoint]
    np.testing.assert_array_equal(domain, np.arange(2048) // 64)
    assert (host % 18).max() == 15
    np.testing.assert_array_equal(packed(racks).endpoint, np.arange(2304))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 80))
def test_so_many_gpus_of_each_domain_are_taken(racks, limit):
    """The first ones, host by host; nobody twice, and what is asked for, not what whole hosts would give."""
    placement = packed(racks, None, limit)
    taken = min(limit, 72)
    assert placement.n_ranks == 32 * taken
    np.testing.assert_array_equal(placement.endpoint.reshape(32, taken), np.arange(32)[:, None] * 72 + np.arange(taken))


def test_a_job_may_take_a_part_of_each_host(tmp_path):
    """4 of the 8 GPUs of each host, the commonest case in measurements; 4 NICs of 8 carry the rings."""
    cluster = build(read_preset("hgx-b200-64"))
    placement = packed(cluster, 32, 4)
    np.testing.assert_array_equal(placement.endpoint, (np.arange(8)[:, None] * 8 + np.arange(4)).ravel())
    np.testing.assert_array_equal(np.unique(cluster.endpoint_rail[placement.endpoint]), np.arange(4))
    part = scattered(cluster, 32, 4, seed=3)
    assert sorted(part.endpoint) == sorted(placement.endpoint)
    options = ("busbw", "hgx-b200-64", "--sizes", "16GiB", "--algorithm", "rings")
    (whole,) = answer(*options, cwd=tmp_path)["rows"]
    (half,) = answer(*options, "--gpus-per-domain", "4", cwd=tmp_path)["rows"]
    assert half["busbw_GBps"] == pytest.approx(whole["busbw_GBps"] / 2, rel=0.02)


def test_unaligned_takes_hosts_in_order_with_all_gpus(racks):
    np.testing.assert_array_equal(unaligned(racks, 2048).endpoint, np.arange(2048))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 2304), st.integers(0, 5))
def test_fragmented_takes_free_hosts_in_order(racks, n_ranks, seed):
    """Whole hosts but the last, drawn, in name order; nobody twice; the same seed the same bytes."""
    placement = fragmented(racks, n_ranks, seed)
    endpoint = placement.endpoint
    assert endpoint.size == n_ranks
    assert (np.diff(endpoint) > 0).all()
    hosts, taken = np.unique(racks.endpoint_host[endpoint], return_counts=True)
    assert hosts.size == -(-n_ranks // 4)
    assert (taken[:-1] == 4).all()
    np.testing.assert_array_equal(endpoint, fragmented(racks, n_ranks, seed).endpoint)


def test_fragmented_jobs_are_not_in_one_piece(racks):
    one, two = fragmented(racks, 1024, 1).endpoint, fragmented(racks, 1024, 2).endpoint
    assert not np.array_equal(one, two)
    assert (np.diff(np.unique(racks.endpoint_host[one])) > 1).mean() > 0.3
    with pytest.raises(InputError, match="gpus: 2305 asked"):
        fragmented(racks, 2305)


def test_scattered_shuffles_the_same_hosts_and_keeps_them_whole(racks):
    base, one, two = packed(racks, 1024, 64), scattered(racks, 1024, 64, 1), scattered(racks, 1024, 64, 2)
    assert sorted(base.endpoint) == sorted(one.endpoint) == sorted(two.endpoint)
    assert not np.array_equal(one.endpoint, two.endpoint)
    np.testing.assert_array_equal(one.endpoint, scattered(racks, 1024, 64, 1).endpoint)
    hosts = racks.endpoint_host[one.endpoint].reshape(-1, 4)
    assert (hosts == hosts[:, :1]).all()
    np.testing.assert_array_equal(one.endpoint.reshape(-1, 4) % 4, np.tile(np.arange(4), (256, 1)))
    assert (np.diff(hosts[:, 0]) != 1).mean() > 0.9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda t: packed(t, 2049, 64), "gpus: 2049 asked, fabric gb300-2048 has 2048 when .* 64 .* raise it to 2304"),
        (lambda t: packed(t, 2305), "gpus: 2305 asked, fabric gb300-2048 has 2304$"),
        (lambda t: packed(t, 0), "gpus: expected an integer >= 1, got 0"),
        (lambda t: packed(t, 1, 0), "gpus per domain: expected an integer >= 1"),
        (lambda t: Placement(np.array([3, 4, 3])), "ranks 0 and 2 are both on endpoint 3"),
        (lambda t: Placement(np.array([2304])).check(t), "rank 0 is on endpoint 2304; expected 0 to 2303"),
        (lambda t: explicit(t, ["h0000g0", "h000g1"]), "rank 1: 'h000g1' is no endpoint .* did you mean h0"),
    ],
)
def test_refuses(racks, make, message):
    with pytest.raises(InputError, match=message):
        make(racks)


def test_reads_names_and_numbers(racks, tmp_path):
    path = tmp_path / "hosts"
    path.write_text("h0003g1  # first\n\n7\n")
    np.testing.assert_array_equal(read_placement(path, racks).endpoint, [13, 7])
    path.write_text("# nothing\n")
    with pytest.raises(InputError, match="no endpoint; expected one per line"):
        read_placement(path, racks)
    with pytest.raises(InputError, match="cannot be read"):
        read_placement(tmp_path / "none", racks)
