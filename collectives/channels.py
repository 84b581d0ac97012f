"""Rings side by side, as NCCL's channels: which ranks each passes through, and which rails it uses.

Channel c belongs to one place p in the domain.  It enters each domain at the member in place p, passes through the
others and leaves from the one before p, to place p of the next domain: it crosses from one rail to another, which
NCCL_CROSS_NIC=1 allows.  Sent rail-aligned (PXN), it hops to the GPU on the rail of p first and stays on that rail.
"""

from dataclasses import dataclass

import numpy as np

from collectives.demand import Flows, Groups, Int32Vector
from collectives.errors import InputError
from collectives.hierarchical import levels
from collectives.ring import group_bytes
from collectives.schedule import Phase, Schedule

_ROUNDS = {"all-reduce": 2, "all-gather": 1, "reduce-scatter": 1}


@dataclass(frozen=True, eq=False)
class Channel:
    """One ring of a group.

    Attributes
    ----------
    group, number : int
    ranks : (n,) int32
        In the order of the ring.
    enters_rail, leaves_rail : int
        Rail by which it enters a domain, and by which it leaves (without PXN); -1 where rails are unknown.
    """

    group: int
    number: int
    ranks: Int32Vector
    enters_rail: int
    leaves_rail: int


def channels(
    groups: Groups, domain: Int32Vector, rail: Int32Vector, n_channels: int | None = None
) -> tuple[Channel, ...]:
    """The channels of every group.

    Parameters
    ----------
    groups : Groups
    domain, rail : (n_ranks,) int32
        Scale-up domain of each rank (-1: the rank is a domain of its own) and its rail.
    n_channels : int, optional
        Default one for each member of a domain; fewer are spread over the places, more share them.

    Raises
    ------
    InputError
        If a group has different numbers of members in its domains, or `n_channels` is not >= 1.
    """
    if n_channels is not None and n_channels < 1:
        raise InputError(f"channels: expected an integer >= 1, got {n_channels}")
    level = levels(groups, 0.0, domain, rail)
    parts = [
        level.inside.rank[first:stop]
        for first, stop in zip(level.inside.start[:-1], level.inside.start[1:], strict=True)
    ]
    result = []
    at = 0
    for group, size in enumerate(groups.sizes.tolist()):
        own: list[Int32Vector] = []
        while sum(len(part) for part in own) < size:
            own.append(parts[at])
            at += 1
        if size < 2:
            continue
        members = len(own[0])
        count = n_channels or members
        for number in range(count):
            place = number * members // count if count <= members else number % members
            ranks = np.concatenate([np.roll(part, -place) for part in own])
            last = ranks[members - 1]
            result.append(Channel(group, number, ranks, int(rail[ranks[0]]), int(rail[last])))
    return tuple(result)


def channel_rings(
    collective: str,
    groups: Groups,
    bytes: float,
    domain: Int32Vector,
    rail: Int32Vector,
    n_channels: int | None = None,
) -> Schedule:
    """A ring collective over all channels at once, each with an equal part of the bytes.

    Parameters
    ----------
    collective : {"all-reduce", "all-gather", "reduce-scatter"}
    bytes : float
        As nccl-tests counts them.
    groups, domain, rail, n_channels
        As for `channels`.

    Raises
    ------
    InputError
        As `channels`.
    """
    volume = group_bytes(groups, bytes)
    rings = channels(groups, domain, rail, n_channels)
    per_group = np.bincount([ring.group for ring in rings], minlength=groups.n_groups)
    sizes = np.unique(groups.sizes[groups.sizes > 1])
    if not rings:
        return Schedule((Phase(Flows(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0)), 1, "rings"),))
    rounds = _ROUNDS[collective]
    # Groups of one size step together; others run at once, each with the bytes of all its steps.
    together = sizes.size == 1
    amounts = [
        np.full(
            len(ring.ranks),
            volume[ring.group]
            / (per_group[ring.group] * len(ring.ranks))
            * (1 if together else rounds * (len(ring.ranks) - 1)),
        )
        for ring in rings
    ]
    flows = Flows(
        np.concatenate([ring.ranks for ring in rings]),
        np.concatenate([np.roll(ring.ranks, -1) for ring in rings]),
        np.concatenate(amounts),
    )
    repeat = rounds * (int(sizes[0]) - 1) if together else 1
    return Schedule((Phase(flows, repeat, f"rings, {collective}"),))
