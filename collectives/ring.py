"""Ring algorithms: every member sends to the next one of its group.

Sizes are those that nccl-tests prints.  In a step every member passes on one chunk of ``bytes / n``; the chunk moves
round the ring.  Groups of equal size step together; groups of different sizes run at once, each with the bytes of all
its steps in one phase (the same loads and bottleneck time; a number of steps would not fit them all).
"""

import numpy as np

from collectives.demand import FloatVector, Flows, Groups, Int64Vector
from collectives.errors import InputError
from collectives.schedule import Phase, Schedule

GroupBytes = float | FloatVector


def ring_all_reduce(groups: Groups, bytes: GroupBytes) -> Schedule:
    """Reduce-scatter and all-gather round the ring: ``2 (n - 1)`` steps of ``bytes / n``.

    Parameters
    ----------
    groups : Groups
    bytes : float or (n_groups,) float64
        A rank's buffer.
    """
    return _stepped(groups, bytes, 2 * (groups.sizes - 1), "ring all-reduce")


def bidirectional_ring_all_reduce(groups: Groups, bytes: GroupBytes) -> Schedule:
    """Half of the bytes each way round: ``2 (n - 1)`` steps of ``bytes / 2 n`` to the next and to the one before."""
    one_way = ring_all_reduce(groups, group_bytes(groups, bytes) / 2)
    phases = []
    for phase in one_way.phases:
        (there,) = phase.demands
        assert isinstance(there, Flows)
        both = Flows(
            np.concatenate([there.src, there.dst]),
            np.concatenate([there.dst, there.src]),
            np.concatenate([there.bytes, there.bytes]),
        )
        phases.append(Phase(both, phase.repeat, "ring both ways"))
    return Schedule(tuple(phases))


def ring_all_gather(groups: Groups, bytes: GroupBytes) -> Schedule:
    """``n - 1`` steps of ``bytes / n``; `bytes` is the gathered output (n shards)."""
    return _stepped(groups, bytes, groups.sizes - 1, "ring all-gather")


def ring_reduce_scatter(groups: Groups, bytes: GroupBytes) -> Schedule:
    """``n - 1`` steps of ``bytes / n``; `bytes` is a rank's whole input (n shards)."""
    return _stepped(groups, bytes, groups.sizes - 1, "ring reduce-scatter")


def ring_broadcast(groups: Groups, bytes: GroupBytes) -> Schedule:
    """The first member is the root; every member but the last passes the whole buffer on, in a pipeline."""
    return Schedule((Phase(_chain(groups, bytes, reverse=False), 1, "ring broadcast", _length(groups)),))


def ring_reduce(groups: Groups, bytes: GroupBytes) -> Schedule:
    """The first member is the root; every other member passes the reduced buffer on towards it, in a pipeline."""
    return Schedule((Phase(_chain(groups, bytes, reverse=True), 1, "ring reduce", _length(groups)),))


def group_bytes(groups: Groups, bytes: GroupBytes) -> FloatVector:
    """One value per group, (n_groups,) float64; refuses what is not finite and >= 0."""
    values = np.broadcast_to(np.asarray(bytes, np.float64), (groups.n_groups,))
    if not np.all(np.isfinite(values) & (values >= 0)):
        raise InputError(f"bytes: expected finite numbers >= 0, got {bytes}")
    return values


def _stepped(groups: Groups, bytes: GroupBytes, steps: Int64Vector, label: str) -> Schedule:
    sizes = groups.sizes
    chunk = group_bytes(groups, bytes) / np.maximum(sizes, 1)
    ringed = np.unique(sizes[sizes > 1])
    if ringed.size == 1:
        repeat = int(steps[sizes > 1][0])
        return Schedule((Phase(_to_next(groups, chunk), repeat, label),))
    return Schedule((Phase(_to_next(groups, chunk * steps), 1, f"{label}, all steps"),))


def _to_next(groups: Groups, bytes: FloatVector) -> Flows:
    """Each member of a group of two or more to the next, the last to the first."""
    follower = np.roll(groups.rank, -1)
    filled = groups.sizes > 0
    follower[groups.start[1:][filled] - 1] = groups.rank[groups.start[:-1][filled]]
    moving = np.repeat(groups.sizes > 1, groups.sizes)
    amount = np.repeat(bytes, groups.sizes)
    return Flows(groups.rank[moving], follower[moving], amount[moving])


def _length(groups: Groups) -> int:
    """Sends along the longest chain, at least 1."""
    return max(1, int(groups.sizes.max(initial=1)) - 1)


def _chain(groups: Groups, bytes: GroupBytes, reverse: bool) -> Flows:
    first = np.zeros(groups.n_members, dtype=bool)
    first[groups.start[:-1][groups.sizes > 0]] = True
    head = np.flatnonzero(~first)
    amount = np.repeat(group_bytes(groups, bytes), groups.sizes)[head]
    near, far = groups.rank[head - 1], groups.rank[head]
    return Flows(far, near, amount) if reverse else Flows(near, far, amount)
