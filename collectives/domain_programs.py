"""Programs of algorithms that tell scale-up domains from the network, for domains of any sizes.

Members are numbered domain by domain, in each by place.  A domain's heads are `h` of its first members: as many as the
smallest domain has or `n_channels`, evenly among those.  Shard i of the buffer is the i-th head of every domain's.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from collectives.demand import Groups, Int32Vector, Int64Vector
from collectives.nccl_channels import Channel, chains, channels
from collectives.programs import (
    double_tree_all_reduce,
    ring_all_gather,
    ring_all_reduce,
    ring_broadcast,
    ring_reduce,
    ring_reduce_scatter,
)
from collectives.steps import NetworkStep, Program, Step, Sum, step_of

Domains = Sequence[int]


class _Places:
    """Who is where, and which blocks are whose: `per_shard` of them, one for each domain unless said."""

    def __init__(self, sizes: Domains, n_heads: int | None = None, per_shard: int | None = None) -> None:
        least = min(sizes)
        self.n_domains, self.n_heads, self.n = len(sizes), min(least, n_heads or least), sum(sizes)
        self.place = [number * least // self.n_heads for number in range(self.n_heads)]
        self.per_shard = per_shard or self.n_domains
        self.n_blocks = self.n_heads * self.per_shard
        first = np.concatenate([[0], np.cumsum(sizes)]).tolist()
        self.domains = [np.arange(a, b, dtype=np.int64) for a, b in pairwise(first)]

    def heads(self, number: int) -> Int64Vector:
        """The head of this number of each domain."""
        return np.array([members[self.place[number]] for members in self.domains])

    def shard(self, number: int) -> Int64Vector:
        """Blocks of the heads of this number."""
        return np.arange(number * self.per_shard, (number + 1) * self.per_shard)

    def across(self, make: Callable[[int], Program]) -> list[Step]:
        """An all-reduce of each shard by its heads, by a program of `per_shard` blocks."""
        if self.n_domains == 1:
            return []
        copies = [(self.heads(number), self.shard(number)) for number in range(self.n_heads)]
        return _side_by_side(make(self.n_domains), copies)

    def to_heads(self) -> NetworkStep:
        """Switches add each shard of a domain for its head."""
        return NetworkStep(
            tuple(
                Sum(members, members[place : place + 1], self.shard(number))
                for members in self.domains
                for number, place in enumerate(self.place)
            )
        )

    def from_heads(self) -> NetworkStep:
        """Switches hand each head's shard to all of its domain."""
        return NetworkStep(
            tuple(
                Sum(members[place : place + 1], members, self.shard(number))
                for members in self.domains
                for number, place in enumerate(self.place)
            )
        )


def _side_by_side(program: Program, copies: Sequence[tuple[Int64Vector, Int64Vector]]) -> list[Step]:
    """Steps in which copies of a program run at once, each among its own members on its own blocks.

    A copy says which member and which block is meant by each of the program's.
    """
    return [
        step_of(
            [
                (int(member[a]), int(member[b]), block[step.contents(t)])
                for t, (a, b) in enumerate(zip(step.src.tolist(), step.dst.tolist(), strict=True))
                for member, block in copies
            ],
            step.combine,
        )
        for step in program.transfers()
    ]


def hierarchical_all_reduce(sizes: Domains, n_channels: int | None = None) -> Program:
    """Reduce-scatter to the heads of each domain, a ring across domains for each shard, all-gather in each domain."""
    at = _Places(sizes, n_channels)
    pairs = [
        (int(member), int(members[place]), number)
        for members in at.domains
        for number, place in enumerate(at.place)
        for member in members
        if member != members[place]
    ]
    inward = [step_of([(member, head, at.shard(number)) for member, head, number in pairs], True)] if pairs else []
    outward = [step_of([(head, member, at.shard(number)) for member, head, number in pairs])] if pairs else []
    return Program(at.n, at.n_blocks, (*inward, *at.across(ring_all_reduce), *outward))


def nvls_all_reduce(sizes: Domains, n_channels: int | None = None) -> Program:
    """NVLink switches add up for the heads, rings go across, NVLink switches hand the sums out."""
    at = _Places(sizes, n_channels)
    return Program(at.n, at.n_blocks, (at.to_heads(), *at.across(ring_all_reduce), at.from_heads()), "pipelined")


def nvls_tree_all_reduce(sizes: Domains, n_channels: int | None = None) -> Program:
    """The same with a double binary tree across domains for each place (NCCL's NVLSTree)."""
    at = _Places(sizes, n_channels, 2)
    trees = at.across(double_tree_all_reduce)
    return Program(at.n, at.n_blocks, (at.to_heads(), *trees, at.from_heads()), "pipelined")


def sharp_all_reduce(sizes: Domains, n_channels: int | None = None) -> Program:
    """The same with the network's switches instead of rings (SHARP); domains of one member need no NVLink."""
    at = _Places(sizes, n_channels)
    across = tuple(Sum(at.heads(number), at.heads(number), at.shard(number)) for number in range(at.n_heads))
    middle = (NetworkStep(across),) if at.n_domains > 1 else ()
    return Program(at.n, at.n_blocks, (at.to_heads(), *middle, at.from_heads()), "pipelined")


_RINGS = {
    "all-reduce": ring_all_reduce,
    "all-gather": ring_all_gather,
    "reduce-scatter": ring_reduce_scatter,
    "broadcast": ring_broadcast,
    "reduce": ring_reduce,
}


def _job_of(sizes: Domains) -> tuple[Groups, Int32Vector, Int32Vector]:
    """All members as one group, the domain and rail of each, a place being a rail."""
    domain = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    rail = np.concatenate([np.arange(size, dtype=np.int32) for size in sizes])
    return Groups.consecutive(domain.size, domain.size), domain, rail


# Of a single member: it goes nowhere.
_ALONE = (Channel(0, 0, np.zeros(1, np.int32), np.array([0, 1]), 0, 0),)


def channel_rings(collective: str, sizes: Domains, n_channels: int | None = None, cross_nic: int = 2) -> Program:
    """A ring for each of `collectives.nccl_channels`, each with its part of every block.

    The members' order is what is shown; how a send reaches the next domain's NIC (PXN, for `cross_nic` 0) is not.

    Parameters
    ----------
    collective : {"all-reduce", "all-gather", "reduce-scatter", "broadcast", "reduce"}
    sizes : sequence of int
        Members of each domain; the root of a broadcast and a reduction is member 0.
    n_channels, cross_nic : int, optional
        As for `collectives.nccl_channels`.
    """
    orders = [one.ranks.astype(np.int64) for one in channels(*_job_of(sizes), n_channels, cross_nic) or _ALONE]
    if collective in ("broadcast", "reduce"):
        orders = [np.roll(order, -int(np.flatnonzero(order == 0)[0])) for order in orders]
    ring, count = _RINGS[collective](sum(sizes)), len(orders)
    # A member's block is cut into as many as there are channels.
    copies = [(order, order * count + channel) for channel, order in enumerate(orders)]
    return Program(ring.n, ring.n_blocks * count, tuple(_side_by_side(ring, copies)), ring.overlap)


def channel_trees(sizes: Domains, n_channels: int | None = None) -> Program:
    """For each channel a chain in each domain, and two binary trees over the chains' ends (NCCL's Tree)."""
    every = [one.parts for one in chains(*_job_of(sizes), n_channels) or _ALONE]
    both = {channel: np.array([2 * channel, 2 * channel + 1]) for channel in range(len(every))}
    links = [
        (int(part[place + 1]), int(part[place]), place, both[channel])
        for channel, parts in enumerate(every)
        for part in parts
        for place in range(len(part) - 1)
    ]
    depth = max(sizes) - 1
    up = [step_of([(a, b, blocks) for a, b, at, blocks in links if at == place], True) for place in range(depth)][::-1]
    down = [step_of([(b, a, blocks) for a, b, at, blocks in links if at == place]) for place in range(depth)]
    # The first member of a chain is the one in the trees.
    copies = [(np.array([part[0] for part in parts]), both[channel]) for channel, parts in enumerate(every)]
    across = _side_by_side(double_tree_all_reduce(len(sizes)), copies) if len(sizes) > 1 else []
    return Program(sum(sizes), 2 * len(every), (*up, *across, *down), "pipelined")


def pxn_all_to_all(sizes: Domains) -> Program:
    """Over NVLink to the member on the destination's rail, then along the rail (PXN); a place is a rail.

    A domain without a member on that rail sends directly.
    """
    at = _Places(sizes)
    domain = np.repeat(np.arange(at.n_domains), sizes)
    place = np.concatenate([np.arange(size) for size in sizes])
    first: dict[tuple[int, int], list[int]] = {}
    second: dict[tuple[int, int], list[int]] = {}
    for s in range(at.n):
        own = at.domains[domain[s]]
        for d in range(at.n):
            if s == d:
                continue
            proxy = int(own[place[d]]) if domain[s] != domain[d] and place[d] < len(own) else s
            if proxy != s:
                first.setdefault((s, proxy), []).append(s * at.n + d)
            second.setdefault((proxy, d), []).append(s * at.n + d)
    steps = [step_of([(a, b, np.array(blocks)) for (a, b), blocks in hop.items()]) for hop in (first, second) if hop]
    return Program(at.n, at.n, tuple(steps))


def two_phase_all_to_all(sizes: Domains) -> Program:
    """First across domains to the member in the same place, then inside the domain (as expert-parallel libraries do).

    Where the other domain is smaller, the place is taken modulo its size.
    """
    at = _Places(sizes)
    n = at.n
    held: list[list[int]] = [[member] for member in range(n)]
    across = []
    for members in at.domains:
        for place, member in enumerate(members.tolist()):
            for others in at.domains:
                if others is not members:
                    peer = int(others[place % len(others)])
                    held[peer].append(member)
                    across.append((member, peer, member * n + others))
    inside = [
        (int(member), int(peer), np.array(held[member]) * n + peer)
        for members in at.domains
        for member in members
        for peer in members
        if peer != member
    ]
    return Program(n, n, tuple(step_of(rows) for rows in (across, inside) if rows))
