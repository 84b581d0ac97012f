"""Channels that NCCL opens to a peer, against what was measured and what its source says."""

import pytest

from collectives import InputError, channels_per_peer, communicator_channels, ring_connections


@pytest.mark.parametrize(("nodes", "channels"), [(2, 4), (4, 4), (8, 2), (10, 1), (16, 1), (32, 1)])
def test_measured_on_hosts_of_eight(nodes, channels):
    """sendrecv_perf is quantized so on two clusters with 400 Gb/s a GPU and 16 channels."""
    assert channels_per_peer(50.0, 8 * nodes) == channels


@pytest.mark.parametrize(
    ("gb_per_s", "n_ranks", "channels"),
    # 14 GB/s a channel, up to a power of two: 50 / 14 = 3.6, 100 / 14 = 7.1, 25 / 14 = 1.8.
    [(50.0, 8, 4), (100.0, 8, 8), (100.0, 16, 8), (100.0, 32, 4), (100.0, 64, 2), (100.0, 128, 1), (25.0, 16, 2)],
)
def test_by_speed_and_ranks(gb_per_s, n_ranks, channels):
    assert channels_per_peer(gb_per_s, n_ranks) == channels


def test_before_2_29_2_another_rule_held():
    """Two channels to begin with, halved while 2 x ranks > 4 x 16; never fewer than NICs."""
    assert [channels_per_peer(50.0, n, version="2.28.7") for n in (8, 16, 32, 33, 64)] == [2, 2, 2, 1, 1]
    assert channels_per_peer(50.0, 64, n_nics=2, version="2.29.1") == 2
    assert channels_per_peer(50.0, 16, version="2.29.2") == 4


def test_never_fewer_than_nics_before_halving():
    assert channels_per_peer(12.5, 8, n_nics=4) == 4


@pytest.mark.parametrize(
    ("per_domain", "nic_GBps", "channels", "connections"),
    # 16 on hosts of 8 NICs of 400 Gb/s, as their logs say; the rest by reading the source.
    [
        (1, 50.0, 4, 4),
        (2, 50.0, 8, 4),
        (4, 50.0, 16, 4),
        (8, 50.0, 16, 2),
        (16, 50.0, 32, 2),
        (64, 50.0, 32, 1),
        (1, 100.0, 8, 8),
        (2, 100.0, 16, 8),
        (4, 100.0, 16, 4),
        (8, 100.0, 32, 4),
        (64, 100.0, 32, 1),
    ],
)
def test_channels_of_a_communicator_and_its_rings(per_domain, nic_GBps, channels, connections):
    assert communicator_channels(per_domain, nic_GBps) == channels
    assert ring_connections(per_domain, nic_GBps) == connections


@pytest.mark.parametrize("version", ["", "2", "2.x", "two.29", "2.29.2.1"])
def test_a_version_is_numbers(version):
    with pytest.raises(InputError, match=r"expected numbers as in 2\.30\.7"):
        channels_per_peer(50.0, 16, version=version)
