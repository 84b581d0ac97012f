"""Segments inside blocks: Slurm's rules, on racks of NVL72 and on hosts of their own."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import InputError
from fabric.builders import build, read_preset
from fabric.formats.opening import open_fabric
from fabric.jobs.rule import PlacementRule
from fabric.jobs.segments import Block, check_block_sizes, choose_segments, segmented


@pytest.fixture(scope="module")
def racks():
    return build(read_preset("gb300-2048"))


def hosts_of(topology, placement):
    return list(dict.fromkeys(topology.endpoint_host[placement.endpoint].tolist()))


def test_a_replica_of_16_trays_is_in_one_rack(racks):
    """Expert groups of 64 on 16 of 18 trays: 2,048 GPUs fill 32 racks, as 512 / 16 says."""
    placement = segmented(racks, 2048, 16)
    np.testing.assert_array_equal(racks.endpoint_domain[placement.endpoint], np.arange(2048) // 64)
    assert segmented(racks, None, 16).n_ranks == 2048
    assert segmented(racks, None, 18).n_ranks == 2304
    # Replicas of 8 trays (GB300: 32 GPUs) leave two trays of each rack; a small job is one segment.
    assert segmented(racks, None, 8).n_ranks == 32 * 2 * 8 * 4
    assert hosts_of(racks, segmented(racks, 12, 16)) == [0, 1, 2]
    assert hosts_of(racks, segmented(racks, None, 16, gpus_per_domain=64)) == hosts_of(racks, placement)


def test_the_block_with_the_fewest_hosts_that_are_enough_is_taken(racks):
    free = [*range(18, 34), *range(18), *range(40, 45)]
    assert hosts_of(racks, segmented(racks, 64, 16, hosts=free)) == list(range(18, 34))
    assert hosts_of(racks, segmented(racks, 128, 16, hosts=free)) == [*range(16), *range(18, 34)]
    assert hosts_of(racks, segmented(racks, 16, 4, hosts=free)) == [40, 41, 42, 43]
    # Exclusive: only racks of which all trays are free.
    assert hosts_of(racks, segmented(racks, 16, 4, hosts=free, exclusive=True)) == [0, 1, 2, 3]
    with pytest.raises(InputError, match=r"hold 1 such segments.*; only blocks of which all hosts are free count"):
        segmented(racks, 128, 16, hosts=free, exclusive=True)


def test_larger_blocks_are_of_powers_of_two_base_blocks(racks):
    placement = segmented(racks, 32 * 4, 32, (16, 32))
    assert len(set(racks.endpoint_domain[placement.endpoint].tolist())) == 2
    # Free hosts of racks 1 and 2 are in different pairs: only racks 2 and 3 hold 20 hosts.
    free = [*range(18, 36), *range(36, 54), *range(54, 60)]
    placement = segmented(racks, 80, 20, (16, 32), hosts=free)
    assert set(racks.endpoint_domain[placement.endpoint].tolist()) == {2, 3}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((128, 12), "segment: 12 hosts; the job has 32 hosts, 2 segments and 8 hosts more; expected a segment that"),
        ((128, 0), "segment: 0 hosts; expected 1 or more"),
        ((0, 1), "gpus: expected an integer >= 1, got 0"),
        ((4 * 19, 19), "segment: 19 hosts; the largest block has 18; expected at most so many"),
        ((4 * 64, 64, (16, 32)), "segment: 64 hosts; the largest block size is 32; expected at most so many"),
        ((64, 16, 20), "block size 20: the smallest of 32 blocks has 18 hosts, 2 too few; expected a base size of at"),
        ((64, 16, (16, 48)), "block size 48: 3 x the base size 16; expected a power of two times it"),
        ((64, 16, (16, 40)), "block size 40: 2.5 x the base size 16; expected a power of two times it"),
        ((64, 16, (16, 16)), "block size 16: 1 x the base size 16; expected a power of two times it"),
        ((64, 16, (16, 1024)), "block size 1024: 64 blocks of 16; the fabric has 32, enough for 512"),
        ((64, 16, (0,)), "block size 0: expected 1 host or more"),
        ((33 * 64, 16), "segment: 33 of 16 hosts asked; 32 blocks with 576 free hosts hold 32 such segments (64 free"),
    ],
)
def test_what_slurm_refuses_is_refused(racks, options, message):
    with pytest.raises(InputError) as refused:
        segmented(racks, *options)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_hosts_without_a_common_domain_are_blocks_in_order():
    cluster = build(read_preset("hgx-b200-64"))
    placement = segmented(cluster, 48, 3, 3)
    assert hosts_of(cluster, placement) == [0, 1, 2, 3, 4, 5]
    with pytest.raises(InputError, match="block size 9: the fabric has 8 hosts"):
        segmented(cluster, 8, 1, 9)
    with pytest.raises(InputError, match="the largest block has 1"):
        segmented(cluster, 16, 2)


@given(st.integers(1, 72), st.integers(1, 40))
def test_the_sizes_that_topograph_infers_are_taken(size, n_blocks):
    """D, 2D, ..., 2^k D with k = floor(log2 N): NVIDIA/topograph, and no larger one."""
    blocks = [Block(size, tuple(range(number * size, (number + 1) * size))) for number in range(n_blocks)]
    sizes = [size * 2**power for power in range(n_blocks.bit_length())]
    check_block_sizes(sizes, blocks)
    with pytest.raises(InputError, match=f"the fabric has {n_blocks}, enough for {n_blocks * size}"):
        check_block_sizes([*sizes, 2 * sizes[-1]], blocks)


BLOCKS = """BlockName=b1 Nodes=h000[0-3]
BlockName=b2 Nodes=h000[4-7]
BlockSizes={sizes}
"""


def test_blocks_of_slurms_own_file(tmp_path):
    """HGX hosts have a domain each; which of them are a block, topology.conf says."""
    fabric = open_fabric("hgx-b200-64")
    path = tmp_path / "topology.conf"

    def placed(sizes, gpus, segment, **more):
        path.write_text(BLOCKS.format(sizes=sizes))
        rule = PlacementRule("segmented", gpus, topology_conf=path, segment=segment, **more)
        return hosts_of(fabric.topology, rule.place(fabric, gpus))

    assert placed("4", 48, 3) == [0, 1, 2, 4, 5, 6]
    assert placed("4,8", 24, 3, hosts="h000[0,2,4-6]") == [4, 5, 6]
    assert placed("4,8", 64, 8) == list(range(8))
    assert PlacementRule("segmented", topology_conf=path, segment=3).n_ranks(fabric) == 48
    for sizes, message in (
        ("5", "block size 5: the smallest of 2 blocks has 4 hosts, 1 too few"),
        ("4,12", "block size 12: 3 x the base size 4; expected a power of two"),
        ("4,x", "topology.conf:3: BlockSizes 'x': expected a whole number"),
    ):
        with pytest.raises(InputError) as refused:
            placed(sizes, 24, 3)
        assert message in str(refused.value)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(1, 9), st.integers(1, 8))
def test_every_segment_is_in_one_block_and_fails_only_without_room(free, segment, wanted):
    first = np.cumsum([0, *free])
    blocks = [Block(9, tuple(range(start, start + n))) for start, n in zip(first, free, strict=False)]
    block_of = {host: number for number, block in enumerate(blocks) for host in block.free}
    room = sum(n // segment for n in free)
    try:
        hosts = choose_segments(blocks, segment, wanted * segment)
    except InputError:
        assert wanted > room
        return
    assert len(set(hosts)) == len(hosts) == wanted * segment
    for start in range(0, len(hosts), segment):
        assert len({block_of[host] for host in hosts[start : start + segment]}) == 1
