"""Hierarchical all-reduce: inside the scale-up domains, then across them rail by rail."""

import numpy as np

from collectives.demand import AllToAll, Groups, Int32Vector, Int64Vector
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
    exchange = AllToAll(inside, shard, np.ones(rank.size))
    position = np.arange(rank.size) - np.repeat(start[:-1], members)
    by_position = np.lexsort((np.arange(rank.size), position, group[order]))
    ring = group[order][by_position] * (int(members.max(initial=1)) + 1) + position[by_position]
    ring_start = np.append(np.flatnonzero(np.diff(ring, prepend=-1)), ring.size).astype(np.int64)
    across = Groups(ring_start, rank[order][by_position])
    ring_bytes = shard[by_position][ring_start[:-1]]
    rings = ring_all_reduce(across, ring_bytes).phases
    return Schedule(
        (
            Phase(exchange, 1, "reduce-scatter in the domain"),
            *(Phase(phase.demand, phase.repeat, "ring across domains, per rail") for phase in rings),
            Phase(exchange, 1, "all-gather in the domain"),
        )
    )


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
