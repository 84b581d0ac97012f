"""Programs of algorithms that tell scale-up domains from the network, for domains of any sizes.

Members are numbered domain by domain, in each by place.  A domain's heads are `h` of its first members, as many as the
smallest domain has or fewer, evenly among those.  Shard i of the buffer belongs to the i-th head of every domain.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from collectives.algorithms import (
    double_tree_all_reduce,
    ring_all_gather,
    ring_all_reduce,
    ring_broadcast,
    ring_reduce,
    ring_reduce_scatter,
)
from collectives.demand import Int64Vector
from collectives.errors import InputError
from collectives.steps import NetworkStep, Program, Step, Sum, step_of

Domains = Sequence[int]


class _Places:
    """Who is where, and which blocks are whose: `per_shard` of them, one for each domain unless said."""

    def __init__(self, sizes: Domains, n_heads: int | None, per_shard: int | None = None) -> None:
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
        steps = []
        for step in make(self.n_domains).transfers():
            rows = [
                (int(self.heads(number)[a]), int(self.heads(number)[b]), self.shard(number)[step.contents(t)])
                for t, (a, b) in enumerate(zip(step.src.tolist(), step.dst.tolist(), strict=True))
                for number in range(self.n_heads)
            ]
            steps.append(step_of(rows, step.combine))
        return steps

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


def hierarchical_all_reduce(sizes: Domains, n_heads: int | None = None) -> Program:
    """Reduce-scatter to the heads of each domain, a ring across domains for each shard, all-gather in each domain."""
    at = _Places(sizes, n_heads)
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


def nvls_all_reduce(sizes: Domains, n_heads: int | None = None) -> Program:
    """NVLink switches add up for the heads, rings go across, NVLink switches hand the sums out."""
    at = _Places(sizes, n_heads)
    return Program(at.n, at.n_blocks, (at.to_heads(), *at.across(ring_all_reduce), at.from_heads()), "pipelined")


def nvls_tree_all_reduce(sizes: Domains, n_heads: int | None = None) -> Program:
    """The same with a double binary tree across domains for each place (NCCL's NVLSTree)."""
    at = _Places(sizes, n_heads, 2)
    trees = at.across(double_tree_all_reduce)
    return Program(at.n, at.n_blocks, (at.to_heads(), *trees, at.from_heads()), "pipelined")


def sharp_all_reduce(sizes: Domains, n_heads: int | None = None) -> Program:
    """The same with the network's switches instead of rings (SHARP); domains of one member need no NVLink."""
    at = _Places(sizes, n_heads)
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


def channel_rings(collective: str, orders: Sequence[Int64Vector]) -> Program:
    """A ring for each channel, each with its part of every block.

    Parameters
    ----------
    collective : {"all-reduce", "all-gather", "reduce-scatter", "broadcast", "reduce"}
    orders : sequence of (n,) int64
        Members in the order of each channel's ring: `collectives.channels`; the root is member 0 and comes first.
    """
    if collective not in _RINGS:
        raise InputError(f"channel rings: {collective!r}; expected one of {', '.join(_RINGS)}")
    n, n_channels = len(orders[0]), len(orders)
    ring = _RINGS[collective](n)
    steps = []
    for step in ring.transfers():
        rows = [
            (int(order[a]), int(order[b]), np.asarray(order)[step.contents(t)] * n_channels + channel)
            for t, (a, b) in enumerate(zip(step.src.tolist(), step.dst.tolist(), strict=True))
            for channel, order in enumerate(orders)
        ]
        steps.append(step_of(rows, step.combine))
    return Program(n, ring.n_blocks * n_channels, tuple(steps), ring.overlap)


def channel_trees_all_reduce(channels: Sequence[Sequence[Int64Vector]]) -> Program:
    """For each channel a chain in each domain, and two binary trees over the chains' ends (NCCL's Tree).

    Parameters
    ----------
    channels : sequence of (sequence of (m,) int64)
        For each channel, members of each domain in the order of the chain; the first of each is in the trees.
    """
    n_channels, chains = len(channels), [chain for parts in channels for chain in parts]
    n = sum(len(part) for part in channels[0])
    both = {channel: np.array([2 * channel, 2 * channel + 1]) for channel in range(n_channels)}
    links = [
        (int(part[place + 1]), int(part[place]), place, both[channel])
        for channel, parts in enumerate(channels)
        for part in parts
        for place in range(len(part) - 1)
    ]
    depth = max(map(len, chains)) - 1
    up = [step_of([(a, b, blocks) for a, b, at, blocks in links if at == place], True) for place in range(depth)][::-1]
    down = [step_of([(b, a, blocks) for a, b, at, blocks in links if at == place]) for place in range(depth)]
    across = []
    trees = double_tree_all_reduce(len(channels[0])).transfers() if len(channels[0]) > 1 else ()
    for step in trees:
        rows = [
            (int(parts[a][0]), int(parts[b][0]), step.contents(t) + 2 * channel)
            for t, (a, b) in enumerate(zip(step.src.tolist(), step.dst.tolist(), strict=True))
            for channel, parts in enumerate(channels)
        ]
        across.append(step_of(rows, step.combine))
    return Program(n, 2 * n_channels, (*up, *across, *down), "pipelined")


def pxn_all_to_all(sizes: Domains) -> Program:
    """Over NVLink to the member on the destination's rail, then along the rail (PXN); a place is a rail.

    A domain without a member on that rail sends directly.
    """
    at = _Places(sizes, None)
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
    at = _Places(sizes, None)
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
