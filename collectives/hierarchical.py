"""Schedules that use scale-up domains: first or last inside them, and across them place by place.

A group is cut up by domain; in each, members stand by rail.  `h` of a domain's first members are its heads: as many as
the group's smallest domain has, or fewer where so many are asked (`n_channels`), evenly among those.  Shard i of the
buffer, ``1 / h`` of it, belongs to the i-th head of every domain.  With equal domains every member is a head.  What
moves is checked against the proven programs of `collectives.domain_programs`.
"""

from dataclasses import dataclass

import numpy as np

from collectives.demand import AllToAll, BoolVector, FloatVector, Flows, Groups, Int32Vector, Int64Vector, Reduction
from collectives.domains import lone_apart
from collectives.errors import InputError
from collectives.ring import group_bytes, ring_all_reduce
from collectives.schedule import Phase, Schedule
from collectives.trees import by_size, double_trees


def hierarchical_all_reduce(
    groups: Groups, bytes: float, domain: Int32Vector, rail: Int32Vector, n_channels: int | None = None
) -> Schedule:
    """Reduce-scatter in the domain, a ring across domains for each place, all-gather in the domain.

    With ``m`` members of a group in each of its ``k`` domains, a rank sends ``2 (m - 1) / m`` of its buffer over
    NVLink and ``2 (k - 1) / k / m`` of it to the fabric.  The three phases are sequential.

    Parameters
    ----------
    groups : Groups
    bytes : float
        A rank's buffer.
    domain, rail : (n_ranks,) int32
        Scale-up domain of each rank (-1: the rank is a domain of its own) and its rail.
    n_channels : int, optional
        Heads of each domain at most.

    Raises
    ------
    InputError
        If `n_channels` is not >= 1.
    """
    level = levels(groups, bytes, domain, rail, n_channels)
    head = level.is_head.astype(np.float64)
    inward = AllToAll(level.inside, level.shard, head)
    outward = AllToAll(level.inside, level.shard * head, np.ones(level.shard.size))
    return Schedule(
        (
            Phase(inward, 1, "reduce-scatter in the domain"),
            *(Phase(phase.demand, phase.repeat, "ring across domains, per rail") for phase in level.rings().phases),
            Phase(outward, 1, "all-gather in the domain"),
        )
    )


def nvls_all_reduce(
    groups: Groups, bytes: float, domain: Int32Vector, rail: Int32Vector, n_channels: int | None = None
) -> Schedule:
    """NVLink switches add and multicast inside the domains, rings per rail go across; all in one pipeline.

    With `h` heads in a domain, a head's NVLink carries ``(1 + 1 / h)`` of the buffer each way: the whole buffer up to
    be added and its shard down, then the shard up to be multicast and the whole buffer down; that of others the whole
    buffer.  Arguments as for `hierarchical_all_reduce`.
    """
    level = levels(groups, bytes, domain, rail, n_channels)
    return Schedule((level.nvls(), *level.rings().phases), "pipelined")


def nvls_tree_all_reduce(
    groups: Groups, bytes: float, domain: Int32Vector, rail: Int32Vector, n_channels: int | None = None
) -> Schedule:
    """`nvls_all_reduce` with a double binary tree across the domains for each place instead of a ring (NVLSTree).

    An inner domain of a tree sends ``1 / h`` of the buffer on up to three ways, half of it in each of two trees: up to
    ``2 / h`` by a head's NIC each way, whatever the number of domains, in ``2 log2 k`` steps.  Arguments as for
    `hierarchical_all_reduce`.
    """
    level = levels(groups, bytes, domain, rail, n_channels)
    members, parts = by_size(level.across, level.across_bytes)
    return Schedule((level.nvls(), *double_trees(members, parts)), "pipelined")


def sharp_all_reduce(
    groups: Groups,
    bytes: float,
    domain: Int32Vector | None = None,
    rail: Int32Vector | None = None,
    n_channels: int | None = None,
) -> Schedule:
    """The network's switches add and multicast (SHARP), all in one pipeline.

    Where ranks share domains, NVLink switches add for the heads first, and the network gets ``1 / h`` of the buffer
    from each head instead of all of it from each member.

    Parameters
    ----------
    groups : Groups
    bytes : float
        A rank's buffer.
    domain, rail : (n_ranks,) int32, optional
        As for `hierarchical_all_reduce`; default every rank by itself.
    n_channels : int, optional
        As for `hierarchical_all_reduce`.
    """
    if domain is None or rail is None:
        domain = rail = np.full(int(groups.rank.max(initial=-1)) + 1, -1, np.int32)
    level = levels(groups, bytes, domain, rail, n_channels)
    inside = (level.nvls(),) if level.inside.sizes.max(initial=0) > 1 else ()
    across = (Phase(Reduction(level.across, level.across_bytes), 1, "reduction in the network"),)
    return Schedule((*inside, *across) if level.across.sizes.max(initial=0) > 1 else inside or across, "pipelined")


def two_phase_all_to_all(groups: Groups, bytes: float, domain: Int32Vector, rail: Int32Vector) -> Schedule:
    """First across domains to the member in the same place, then inside the domain (as expert-parallel libraries do).

    A rank sends ``m / n`` of its buffer to each of the other ``k - 1`` domains over the fabric, then ``k / n`` of a
    buffer to each of the other ``m - 1`` members of its domain over NVLink.  In a smaller domain the place is taken
    modulo its size.  Arguments as for `hierarchical_all_reduce`.
    """
    level = levels(groups, bytes, domain, rail)
    per_peer = level.shard * level.n_heads / level.group_size
    ones = np.ones(per_peer.size)
    if level.is_head.all():
        members = np.repeat(level.inside.sizes, level.inside.sizes)
        out: AllToAll | Flows = AllToAll(level.across, (per_peer * members)[level.by_place], ones)
        sources = np.repeat(level.n_domains, level.inside.sizes).astype(np.float64)
    else:
        out, sources = _to_places(level, per_peer)
    home = AllToAll(level.inside, per_peer * sources, ones)
    return Schedule((Phase(out, 1, "across domains, per rail"), Phase(home, 1, "inside the domain")))


def _to_places(level: "Levels", per_peer: FloatVector) -> tuple[Flows, FloatVector]:
    """Flows across uneven domains, O(members x domains); and how many ranks' buffers each member hands out then."""
    start, sizes, part_group = level.inside.start, level.inside.sizes, level.part_group
    sources = np.ones(level.shard.size)
    rows: list[tuple[Int64Vector, Int64Vector, FloatVector]] = []
    for part in range(level.inside.n_groups):
        own = np.arange(start[part], start[part + 1])
        for other in np.flatnonzero(part_group == part_group[part]):
            if other != part:
                peers = start[other] + np.arange(own.size) % sizes[other]
                np.add.at(sources, peers, 1.0)
                rows.append((own, peers, per_peer[own] * sizes[other]))
    src, dst, amount = (np.concatenate(part) for part in zip(*rows, strict=True))
    rank = level.inside.rank
    return Flows(rank[src], rank[dst], amount), sources


@dataclass(frozen=True, eq=False)
class Levels:
    """Groups cut up by scale-up domain into P parts; vectors are by member of `inside` (M in all) unless said.

    Attributes
    ----------
    inside : Groups
        Members of one group in one domain: the parts.
    part_group : (P,) int64
        Group of each part.
    n_domains : (P,) int64
        Parts of that group.
    n_heads : (M,) int64
        Heads of each part of the group.
    is_head : (M,) bool
    across : Groups
        Heads of one group in the same place of its domains.
    by_place : (heads,) int64
        Where each member of `across` stands in `inside`.
    shard : (M,) float64
        The group's bytes over its heads in a domain.
    group_size : (M,) int64
    """

    inside: Groups
    part_group: Int64Vector
    n_domains: Int64Vector
    n_heads: Int64Vector
    is_head: BoolVector
    across: Groups
    by_place: Int64Vector
    shard: FloatVector
    group_size: Int64Vector

    @property
    def across_bytes(self) -> FloatVector:
        """What each group of `across` reduces."""
        return self.shard[self.by_place][self.across.start[:-1]]

    def rings(self) -> Schedule:
        """Ring all-reduce of each shard across the domains."""
        return ring_all_reduce(self.across, self.across_bytes)

    def nvls(self) -> Phase:
        """Each member's buffer up and the sum of all down; the heads' shards down, and up again to be handed out.

        Where a domain has one head, all its members are counted like it.
        """
        first = self.inside.start[:-1]
        shard, n_heads = self.shard[first], self.n_heads[first]
        alike = (n_heads == 1) | (n_heads == self.inside.sizes)
        demands = [Reduction(self.inside, shard * (n_heads + alike))]
        if not alike.all():
            part = np.repeat(np.arange(first.size), self.inside.sizes)[self.is_head]
            start = np.concatenate([[0], np.cumsum(np.bincount(part, minlength=first.size))]).astype(np.int64)
            heads = Groups(start, self.inside.rank[self.is_head])
            demands.append(Reduction(heads, np.where(alike, 0.0, shard)))
        return Phase(tuple(demands), 1, "NVLS in the domain")


def levels(groups: Groups, bytes: float, domain: Int32Vector, rail: Int32Vector, n_heads: int | None = None) -> Levels:
    """Cut groups up by scale-up domain, in the order of their first members; members stand by rail, then by that order.

    Raises
    ------
    InputError
        If `n_heads`, the most heads that a domain may have, is not >= 1.
    """
    if n_heads is not None and n_heads < 1:
        raise InputError(f"channels: expected an integer >= 1, got {n_heads}")
    rank, group = groups.rank, groups.member_group()
    buffers = group_bytes(groups, bytes)
    its_domain = lone_apart(domain[rank])
    # NCCL numbers nodes as ranks name them first (initTransportsRank, src/init.cc), wherever they are in the fabric.
    label = group * (int(its_domain.max(initial=0)) + 1) + its_domain
    _, first, which = np.unique(label, return_index=True, return_inverse=True)
    part = first[which.ravel()]
    order = np.lexsort((np.arange(rank.size), rail[rank], part))
    start = np.append(np.flatnonzero(np.diff(part[order], prepend=-1)), order.size).astype(np.int64)
    sizes = np.diff(start)
    part_group = group[order][start[:-1]]
    least = np.full(groups.n_groups, np.iinfo(np.int64).max)
    np.minimum.at(least, part_group, sizes)

    inside = Groups(start, rank[order])
    candidates = np.repeat(least[part_group], sizes)
    most = candidates if n_heads is None else np.minimum(candidates, n_heads)
    position = np.arange(rank.size) - np.repeat(start[:-1], sizes)
    # Head i is in place i candidates // most.
    number = -(-position * most // candidates)
    is_head = (number < most) & (number * candidates // most == position)
    heads = np.flatnonzero(is_head)
    own_group = group[order]
    by_place = heads[np.lexsort((heads, position[heads], own_group[heads]))]
    place = own_group[by_place] * (int(sizes.max(initial=1)) + 1) + position[by_place]
    place_start = np.append(np.flatnonzero(np.diff(place, prepend=-1)), place.size).astype(np.int64)
    return Levels(
        inside=inside,
        part_group=part_group,
        n_domains=np.bincount(part_group, minlength=groups.n_groups)[part_group],
        n_heads=most,
        is_head=is_head,
        across=Groups(place_start, inside.rank[by_place]),
        by_place=by_place,
        shard=buffers[own_group] / most,
        group_size=groups.sizes[own_group],
    )
