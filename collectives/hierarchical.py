"""Hierarchical all-reduce: inside the scale-up domains, then across them rail by rail."""

from dataclasses import dataclass

import numpy as np

from collectives.demand import AllToAll, FloatVector, Groups, Int32Vector, Int64Vector, Reduction
from collectives.errors import InputError
from collectives.ring import group_bytes, ring_all_reduce
from collectives.schedule import Phase, Schedule


def hierarchical_all_reduce(groups: Groups, bytes: float, domain: Int32Vector, rail: Int32Vector) -> Schedule:
    """Reduce-scatter in the domain, a ring across domains for each position, all-gather in the domain.

    With ``m`` members of a group in each of its ``k`` domains, a rank sends ``2 (m - 1) / m`` of its buffer over
    NVLink and ``2 (k - 1) / k / m`` of it to the fabric.  Members of different domains are matched by rail, then by
    order in the group.  The three phases are sequential.

    Parameters
    ----------
    groups : Groups
    bytes : float
        A rank's buffer.
    domain, rail : (n_ranks,) int32
        Scale-up domain of each rank (-1: the rank is a domain of its own) and its rail.

    Raises
    ------
    InputError
        If a group has different numbers of members in its domains.
    """
    level = levels(groups, bytes, domain, rail)
    exchange = AllToAll(level.inside, level.shard, np.ones(level.shard.size))
    rings = level.rings().phases
    return Schedule(
        (
            Phase(exchange, 1, "reduce-scatter in the domain"),
            *(Phase(phase.demand, phase.repeat, "ring across domains, per rail") for phase in rings),
            Phase(exchange, 1, "all-gather in the domain"),
        )
    )


def nvls_all_reduce(groups: Groups, bytes: float, domain: Int32Vector, rail: Int32Vector) -> Schedule:
    """NVLink switches add and multicast inside the domains, rings per rail go across; all in one pipeline.

    With `m` members in a domain, a GPU's NVLink carries ``(1 + 1 / m)`` of the buffer each way: the whole buffer up to
    be added and its shard down, then the shard up to be multicast and the whole buffer down.  Arguments and errors as
    for `hierarchical_all_reduce`.
    """
    level = levels(groups, bytes, domain, rail)
    members = level.inside.sizes
    volume = Reduction(level.inside, level.shard[level.inside.start[:-1]] * (members + 1))
    return Schedule((Phase(volume, 1, "NVLS in the domain"), *level.rings().phases), "pipelined")


def two_phase_all_to_all(groups: Groups, bytes: float, domain: Int32Vector, rail: Int32Vector) -> Schedule:
    """First across domains to the member in the same place, then inside the domain (as expert-parallel libraries do).

    A rank sends ``m / n`` of its buffer to each of the other ``k - 1`` domains over the fabric, then ``k / n`` of a
    buffer to each of the other ``m - 1`` members of its domain over NVLink.  Arguments and errors as for
    `hierarchical_all_reduce`.
    """
    level = levels(groups, bytes, domain, rail)
    ones = np.ones(level.shard.size)
    members = np.repeat(level.inside.sizes, level.inside.sizes)
    # m / n of the whole buffer, which is m shards.
    to_domain = level.shard * members * members / level.group_size
    out = AllToAll(level.across, to_domain[level.by_place], ones)
    home = AllToAll(level.inside, level.shard, ones)
    return Schedule((Phase(out, 1, "across domains, per rail"), Phase(home, 1, "inside the domain")))


@dataclass(frozen=True, eq=False)
class Levels:
    """Groups cut up by scale-up domain; vectors are by member of `inside` (M members in all).

    Attributes
    ----------
    inside : Groups
        Members of one group in one domain.
    across : Groups
        Members of one group in the same place of its domains.
    by_place : (M,) int64
        Where each member of `across` stands in `inside`.
    shard : (M,) float64
        The group's bytes over the members in the domain.
    group_size : (M,) int64
    """

    inside: Groups
    across: Groups
    by_place: Int64Vector
    shard: FloatVector
    group_size: Int64Vector

    def rings(self) -> Schedule:
        """Ring all-reduce of each shard across the domains."""
        return ring_all_reduce(self.across, self.shard[self.by_place][self.across.start[:-1]])


def levels(groups: Groups, bytes: float, domain: Int32Vector, rail: Int32Vector) -> Levels:
    """Cut groups up by scale-up domain; members of a domain stand by rail.  Errors as `hierarchical_all_reduce`."""
    rank, group = groups.rank, groups.member_group()
    buffers = group_bytes(groups, bytes)
    its_domain = domain[rank].astype(np.int64)
    its_domain = np.where(its_domain >= 0, its_domain, int(its_domain.max(initial=-1)) + 1 + np.arange(rank.size))
    place = group * (int(its_domain.max(initial=0)) + 1) + its_domain
    order = np.lexsort((np.arange(rank.size), rail[rank], place))
    start = np.append(np.flatnonzero(np.diff(place[order], prepend=-1)), order.size).astype(np.int64)
    members = np.diff(start)
    place_group = group[order][start[:-1]]
    _refuse_uneven(groups.n_groups, place_group, members)

    inside = Groups(start, rank[order])
    shard = np.repeat(buffers[place_group] / members, members)
    position = np.arange(rank.size) - np.repeat(start[:-1], members)
    by_position = np.lexsort((np.arange(rank.size), position, group[order]))
    ring = group[order][by_position] * (int(members.max(initial=1)) + 1) + position[by_position]
    ring_start = np.append(np.flatnonzero(np.diff(ring, prepend=-1)), ring.size).astype(np.int64)
    across = Groups(ring_start, rank[order][by_position])
    return Levels(inside, across, by_position, shard, groups.sizes[group[order]])


def _refuse_uneven(n_groups: int, place_group: Int64Vector, members: Int64Vector) -> None:
    least, most = np.full(n_groups, np.iinfo(np.int64).max), np.zeros(n_groups, np.int64)
    np.minimum.at(least, place_group, members)
    np.maximum.at(most, place_group, members)
    uneven = np.flatnonzero((least != most) & (most > 0))
    if uneven.size:
        bad = uneven[0]
        raise InputError(
            f"hierarchical all-reduce: group {bad} has {least[bad]} to {most[bad]} members in a scale-up domain; "
            "expected as many in each (the ring algorithm has no such need)"
        )
