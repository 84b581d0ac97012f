"""Segments inside blocks, as Slurm's topology/block places them with ``--segment``.

A block is what NVLink joins (a rack of NVL72), a segment a number of hosts that must be inside one block, such as a
model replica.  The rules are those of Slurm (topology.conf(5), sbatch(1), and src/plugins/topology/block): block sizes
are the base size times powers of two, each base block has at least so many hosts, a segment divides the number of hosts
of a job that is larger than it, and each segment goes to the block with the fewest free hosts that are enough.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from collectives.errors import InputError
from fabric.jobs.host_parts import HostPart, host_parts
from fabric.jobs.placement import Placement
from fabric.topology import Topology


@dataclass(frozen=True)
class Block:
    """A base block.

    Attributes
    ----------
    size : int
        Hosts that it has, free or not.
    free : tuple of int
        Hosts that a job may have, in order.
    """

    size: int
    free: tuple[int, ...]


def segmented(
    topology: Topology,
    n_ranks: int | None,
    segment_hosts: int,
    block_hosts: Sequence[int] | int | None = None,
    gpus_per_domain: int | None = None,
    hosts: Sequence[int] | None = None,
    exclusive: bool = False,
    blocks: Sequence[Sequence[int]] | None = None,
) -> Placement:
    """A job in segments, each of `segment_hosts` consecutive hosts of the job inside one block.

    Parameters
    ----------
    topology : Topology
    n_ranks : int or None
        Size of the job; None: all segments that fit.
    segment_hosts : int
        Slurm's ``--segment``; a job of fewer hosts is one segment.
    block_hosts : int or sequence of int, optional
        Slurm's ``BlockSizes``: the base size, and larger ones; default a block is an NVLink domain.  Where no domain
        has two hosts, a block is so many consecutive hosts, and hosts that fill none are in none.
    gpus_per_domain, hosts
        As for `fabric.jobs.placement.packed`; of a host that the first cuts, nothing is taken.
    exclusive : bool
        Slurm's ``--exclusive=topo``: only blocks of which all hosts are free.
    blocks : sequence of sequences of int, optional
        Hosts of each base block, as a ``topology.conf`` says, instead of NVLink domains.

    Raises
    ------
    InputError
        Block sizes that Slurm refuses or the racks cannot hold, a segment that does not divide the job or is larger
        than every block, or no room; the arithmetic is shown.

    Notes
    -----
    A job of 32 hosts in segments of 16, on racks of 18 trays: 16 trays of each of two racks.
    """
    if segment_hosts < 1:
        raise InputError(f"segment: {segment_hosts} hosts; expected 1 or more")
    if n_ranks is not None and n_ranks < 1:
        raise InputError(f"gpus: expected an integer >= 1, got {n_ranks}")
    parts = host_parts(topology, gpus_per_domain, hosts)
    per_host = max((part.n_gpus for part in parts), default=1)
    whole = {part.host: part for part in parts if part.n_gpus == per_host}
    sizes = (block_hosts,) if isinstance(block_hosts, int) else tuple(block_hosts or ())
    groups = blocks if blocks is not None else domain_groups(host_parts(topology), sizes)
    order = {host: place for place, host in enumerate(whole)}
    base = [_block(group, order) for group in groups]
    if exclusive and hosts is not None:
        # Hosts that gpus_per_domain leaves idle belong to nobody else.
        order = {host: place for place, host in enumerate(hosts)}
        owned = [_block(group, order) for group in groups]
        base = [
            block if len(own.free) == own.size else Block(block.size, ())
            for block, own in zip(base, owned, strict=True)
        ]
    n_hosts = None if n_ranks is None else -(-n_ranks // per_host)
    try:
        chosen = choose_segments(base, segment_hosts, n_hosts, sizes)
    except InputError as error:
        if not exclusive:
            raise
        raise InputError(f"{error}; only blocks of which all hosts are free count") from None
    endpoint = np.concatenate([whole[host].endpoint for host in chosen])
    return Placement(endpoint if n_ranks is None else endpoint[:n_ranks])


def domain_groups(parts: Sequence[HostPart], sizes: Sequence[int] = ()) -> list[list[int]]:
    """Hosts of each base block: the NVLink domains, or so many consecutive hosts where no domain has two.

    Parameters
    ----------
    parts : sequence of HostPart
        All hosts of the fabric.
    sizes : sequence of int
        Base size of a block first.

    Raises
    ------
    InputError
        If a block is larger than the fabric.
    """
    members: dict[int, list[int]] = {}
    for part in parts:
        members.setdefault(part.domain, []).append(part.host)
    groups = list(members.values())
    if not sizes or sizes[0] < 1 or any(len(group) > 1 for group in groups):
        return groups
    single = [host for group in groups for host in group]
    count = len(single) // sizes[0]
    if not count:
        raise InputError(f"block size {sizes[0]}: the fabric has {len(single)} hosts; expected at most so many")
    return [single[number * sizes[0] : (number + 1) * sizes[0]] for number in range(count)]


def _block(group: Sequence[int], place: Mapping[int, int]) -> Block:
    """A base block with those of its hosts that have a place in the order of free ones."""
    return Block(len(group), tuple(sorted((host for host in group if host in place), key=place.__getitem__)))


def check_block_sizes(sizes: Sequence[int], blocks: Sequence[Block]) -> None:
    """Refuse block sizes that Slurm would not take, or that blocks cannot hold.

    Raises
    ------
    InputError
        Names the size, and shows the arithmetic.
    """
    if not sizes:
        return
    base = sizes[0]
    if base < 1:
        raise InputError(f"block size {base}: expected 1 host or more")
    for size in sizes[1:]:
        times = size // base
        if size <= base or size % base or times & (times - 1):
            raise InputError(
                f"block size {size}: {size / base:g} x the base size {base}; expected a power of two times it"
            )
    smallest = min((block.size for block in blocks), default=0)
    if smallest < base:
        raise InputError(
            f"block size {base}: the smallest of {len(blocks)} blocks has {smallest} hosts, {base - smallest} too few; "
            f"expected a base size of at most {smallest}"
        )
    for size in sizes[1:]:
        if size // base > len(blocks):
            raise InputError(
                f"block size {size}: {size // base} blocks of {base}; the fabric has {len(blocks)}, "
                f"enough for {len(blocks) * base}"
            )


def choose_segments(
    blocks: Sequence[Block], segment: int, n_hosts: int | None = None, sizes: Sequence[int] = ()
) -> list[int]:
    """Hosts of a job in segments, in the order of its ranks.

    Parameters
    ----------
    blocks : sequence of Block
        Base blocks, in order.
    segment : int
        Hosts of a segment.
    n_hosts : int, optional
        Hosts of the job; default all segments that fit.
    sizes : sequence of int
        ``BlockSizes``; a segment larger than the base size goes into the smallest of the larger ones that holds it.

    Raises
    ------
    InputError
        As for `segmented`.
    """
    check_block_sizes(sizes, blocks)
    if n_hosts is not None and n_hosts > segment and n_hosts % segment:
        raise InputError(
            f"segment: {segment} hosts; the job has {n_hosts} hosts, {n_hosts // segment} segments and "
            f"{n_hosts % segment} hosts more; expected a segment that divides it"
        )
    own = segment if n_hosts is None else min(segment, n_hosts)
    together = _base_blocks_of(own, blocks, sizes)
    groups = [list(range(first, min(first + together, len(blocks)))) for first in range(0, len(blocks), together)]
    left = [list(block.free) for block in blocks]
    room = sum(sum(len(left[number]) for number in group) // own for group in groups)
    wanted = room if n_hosts is None else n_hosts // own
    if wanted > room or not wanted:
        n_free = sum(map(len, left))
        what = f"blocks of {together} base blocks" if together > 1 else "blocks"
        raise InputError(
            f"segment: {max(wanted, 1)} of {own} hosts asked; {len(groups)} {what} with {n_free} free hosts "
            f"hold {room} such segments ({n_free - room * own} free hosts are left over)"
        )
    segments = []
    for _ in range(wanted):
        fitting = [group for group in groups if sum(len(left[number]) for number in group) >= own]
        group = min(fitting, key=lambda each: sum(len(left[number]) for number in each))
        segments.append(_taken(left, group, own))
    order = {host: number for number, host in enumerate(host for block in blocks for host in block.free)}
    segments.sort(key=lambda hosts: order[hosts[0]])
    return [host for hosts in segments for host in hosts]


def _base_blocks_of(segment: int, blocks: Sequence[Block], sizes: Sequence[int]) -> int:
    """Base blocks of the smallest block that holds a segment."""
    if not sizes:
        largest = max((block.size for block in blocks), default=0)
        if segment > largest:
            raise InputError(f"segment: {segment} hosts; the largest block has {largest}; expected at most so many")
        return 1
    fitting = [size for size in sizes if size >= segment]
    if not fitting:
        raise InputError(f"segment: {segment} hosts; the largest block size is {max(sizes)}; expected at most so many")
    return min(fitting) // sizes[0]


def _taken(left: list[list[int]], group: Sequence[int], n_hosts: int) -> list[int]:
    """Take so many hosts out of base blocks, as few blocks as can be: the fullest first, at the end the best fit."""
    taken: dict[int, list[int]] = {}
    wanted = n_hosts
    while wanted:
        enough = [number for number in group if len(left[number]) >= wanted]
        number = (
            min(enough, key=lambda each: len(left[each])) if enough else max(group, key=lambda each: len(left[each]))
        )
        some = left[number][:wanted]
        taken[number], left[number] = some, left[number][wanted:]
        wanted -= len(some)
    return [host for number in sorted(taken) for host in taken[number]]
