"""Ranks that were not traced, filled in by symmetry: what a traced rank's groups do, their translates do too."""

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

from collectives.errors import InputError
from traces.operation import Operation, Trace

MOST_OPERATIONS = 2_000_000
"""That are filled in: about a gigabyte of them (assumed to be what a machine has)."""


def untraced(trace: Trace, n_ranks: int) -> int:
    """How many ranks of a job left no records; 0 where the trace does not say whose records it has."""
    return max(0, n_ranks - len(trace.traced)) if trace.traced else 0


def filled(trace: Trace, n_ranks: int) -> tuple[Trace, int]:
    """The trace with the operations of untraced ranks, and how many were added.

    A group whose ranks are equally far apart, ``first + stride i``, is one of many that tile the job; what one of them
    did, the n-th operation for the n-th, each did.

    Parameters
    ----------
    trace : Trace
    n_ranks : int
        Size of the job.

    Raises
    ------
    InputError
        If a group has no such translates, operations are messages between two ranks, the trace does not say whose
        records it has, or there would be more than `MOST_OPERATIONS`.
    """
    if not trace.traced or not trace.orders:
        raise InputError(
            f"{trace.files[0]}: does not say which ranks were traced; expected that, to fill in the others"
        )
    operations = list(trace.operations)
    done: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for place, operation in enumerate(operations):
        if operation.complete:
            _tiling(operation, n_ranks)
            done[operation.ranks].append(place)
    longest: dict[tuple[int, int], list[int]] = {}
    for places in done.values():
        shape = _tiling(operations[places[0]], n_ranks)
        if len(places) > len(longest.get(shape, [])):
            longest[shape] = places
    total = sum(n_ranks // size * len(places) for (_, size), places in longest.items())
    if total > MOST_OPERATIONS:
        raise InputError(
            f"{trace.files[0]}: {total:,} operations when those of untraced ranks are filled in; expected at most "
            f"{MOST_OPERATIONS:,}: fewer ranks, or fewer layers"
        )
    for (stride, size), places in longest.items():
        for ranks in _tiles(stride, size, n_ranks):
            if ranks in done:
                continue
            for place in places:
                done[ranks].append(len(operations))
                operations.append(replace(operations[place], ranks=ranks, group=f"like {operations[place].group}"))
    orders = [*trace.orders, *(_order(rank, trace, operations, done, n_ranks) for rank in range(n_ranks) if rank not in
                               trace.traced)]  # fmt: skip
    added = len(operations) - len(trace.operations)
    return replace(trace, operations=tuple(operations), traced=tuple(range(n_ranks)), orders=tuple(orders)), added


def _order(
    rank: int, trace: Trace, operations: list[Operation], done: dict[tuple[int, ...], list[int]], n_ranks: int
) -> tuple[int, ...]:
    """The operations of an untraced rank in the order of the traced rank with the most."""
    model = max(trace.orders, key=len)
    taken: dict[tuple[int, ...], int] = defaultdict(int)
    order = []
    for place in model:
        if not operations[place].complete:
            continue
        stride, size = _tiling(operations[place], n_ranks)
        ranks = _tile_of(rank, stride, size)
        if taken[ranks] < len(done[ranks]):
            order.append(done[ranks][taken[ranks]])
            taken[ranks] += 1
    return tuple(order)


def _tiling(operation: Operation, n_ranks: int) -> tuple[int, int]:
    """Stride and size of a group that tiles the job."""
    ranks = operation.ranks
    size = len(ranks)
    stride = ranks[1] - ranks[0] if size > 1 else 1
    even = stride > 0 and all(b - a == stride for a, b in pairwise(ranks))
    if operation.kind == "send-recv" or not even or n_ranks % (stride * size) or ranks[0] % (stride * size) >= stride:
        what = "a message" if operation.kind == "send-recv" else f"{operation.kind} of ranks {_short(ranks)}"
        raise InputError(
            f"{operation.source}: {what}: untraced ranks cannot be filled in by symmetry; expected groups of equally "
            f"distant ranks that tile the {n_ranks} of the job"
        )
    return stride, size


def _short(ranks: tuple[int, ...]) -> str:
    first = ", ".join(map(str, ranks[:4]))
    return f"{first}, ..." if len(ranks) > 4 else first


def _tile_of(rank: int, stride: int, size: int) -> tuple[int, ...]:
    """The group of this shape that a rank is in."""
    block = stride * size
    first = rank // block * block + rank % stride
    return tuple(range(first, first + block, stride))


def _tiles(stride: int, size: int, n_ranks: int) -> list[tuple[int, ...]]:
    block = stride * size
    return [_tile_of(start + offset, stride, size) for start in range(0, n_ranks, block) for offset in range(stride)]
