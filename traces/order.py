"""Which operations of a trace run together: those of ranks that have nothing to do with one another."""

from collections import Counter
from heapq import heappop, heappush
from itertools import pairwise

from collectives.errors import InputError
from traces.operation import Operation, Trace


def rounds(trace: Trace) -> tuple[tuple[Operation, ...], ...]:
    """The complete operations in rounds: in each, every rank takes part in one operation at most.

    A rank's operations follow one another as it issued them (its own file says so; clocks of different ranks are not
    compared), and an operation waits for those before it of all its members.  The order in which files are given does
    not matter.

    Parameters
    ----------
    trace : Trace

    Raises
    ------
    InputError
        If two ranks issued the same operations in orders that contradict each other.
    """
    latest: Counter[int] = Counter()
    found: dict[int, list[Operation]] = {}
    for operation in _in_order(trace):
        if operation.complete:
            level = max(latest[rank] for rank in operation.ranks)
            found.setdefault(level, []).append(operation)
            for rank in operation.ranks:
                latest[rank] = level + 1
    return tuple(tuple(found[level]) for level in sorted(found))


def _in_order(trace: Trace) -> list[Operation]:
    """The operations so that each follows those before it in every rank's own order."""
    operations = trace.operations
    if not trace.orders:
        return list(operations)
    after: list[set[int]] = [set() for _ in operations]
    waits = [0] * len(operations)
    for order in trace.orders:
        for one, other in pairwise(order):
            if other not in after[one]:
                after[one].add(other)
                waits[other] += 1
    # How many follow one another before it: a file's order does not depend on which file came first.
    depth = [0] * len(operations)
    ready: list[tuple[int, tuple[object, ...], int]] = []
    for place, number in enumerate(waits):
        if number == 0:
            heappush(ready, (0, _key(operations[place]), place))
    result = []
    while ready:
        _, _, place = heappop(ready)
        result.append(operations[place])
        for other in after[place]:
            depth[other] = max(depth[other], depth[place] + 1)
            waits[other] -= 1
            if waits[other] == 0:
                heappush(ready, (depth[other], _key(operations[other]), other))
    if len(result) < len(operations):
        stuck = next(operation for operation, number in zip(operations, waits, strict=True) if number)
        raise InputError(
            f"{stuck.source}: ranks issued this {stuck.kind} and others in orders that contradict each other"
        )
    return result


def _key(operation: Operation) -> tuple[object, ...]:
    """What tells operations apart, whatever the order of the files."""
    return operation.ranks, operation.kind, operation.group, operation.sequence or 0
