"""Operations of a trace as a schedule: which algorithm each is taken to use is said."""

from collections import Counter

import numpy as np

from collectives.alltoall import all_to_all
from collectives.demand import Demand, Flows, Groups
from collectives.errors import InputError
from collectives.ring import ring_all_gather, ring_all_reduce, ring_broadcast, ring_reduce, ring_reduce_scatter
from collectives.schedule import Phase, Schedule
from traces.operation import Operation, Trace

_RINGS = {
    "all-reduce": lambda groups, size, n: ring_all_reduce(groups, size),
    # A trace gives a rank's shard, the ring wants the gathered output.
    "all-gather": lambda groups, size, n: ring_all_gather(groups, size * n),
    "reduce-scatter": lambda groups, size, n: ring_reduce_scatter(groups, size),
    "broadcast": lambda groups, size, n: ring_broadcast(groups, size),
    "reduce": lambda groups, size, n: ring_reduce(groups, size),
    "all-to-all": lambda groups, size, n: all_to_all(groups, size),
}
_ROOTED = ("broadcast", "reduce", "gather", "scatter")


def trace_schedule(trace: Trace, n_ranks: int) -> tuple[Schedule, tuple[str, ...]]:
    """All complete operations, one after the other.

    Parameters
    ----------
    trace : Trace
    n_ranks : int
        Size of the job.

    Returns
    -------
    schedule : Schedule
        Sequential; equal operations (kind, ranks, size) are one phase with `repeat`.
    assumptions : tuple of str
        What is left out, and what was assumed.

    Raises
    ------
    InputError
        If no operation is complete, or one is of a rank that the job does not have.
    """
    usable = [operation for operation in trace.operations if operation.complete]
    if not usable:
        raise InputError(f"{trace.files[0]}: {_why_nothing(trace)}")
    for operation in usable:
        beyond = max(operation.ranks)
        if beyond >= n_ranks:
            raise InputError(
                f"{operation.source}: rank {beyond}; the job has ranks 0 to {n_ranks - 1} (--gpus {beyond + 1} or more)"
            )
    alike: dict[tuple[object, ...], list[Operation]] = {}
    for operation in usable:
        splits = operation.splits.tobytes() if operation.splits is not None else None
        alike.setdefault((operation.kind, operation.ranks, operation.bytes, splits), []).append(operation)
    phases = [phase for same in alike.values() for phase in _phases(same[0], len(same))]
    return Schedule(tuple(phases)), _assumptions(trace, usable)


def _why_nothing(trace: Trace) -> str:
    if trace.operations:
        reasons = Counter(reason for operation in trace.operations for reason in operation.missing)
        listed = ", ".join(f"{reason} missing in {count}" for reason, count in reasons.items())
        return f"none of {len(trace.operations)} operations can be routed ({listed})"
    listed = ", ".join(f"{count} {reason}" for reason, count in trace.ignored) or "nothing"
    return f"no operation with a size: found {listed}"


def _phases(operation: Operation, count: int) -> list[Phase]:
    label = f"{operation.kind} of {operation.group_size}"
    demand = _explicit(operation)
    if demand is not None:
        return [Phase(demand, count, label)]
    assert operation.bytes is not None
    groups = Groups.of([list(operation.ranks)])
    ring = _RINGS[operation.kind](groups, operation.bytes, operation.group_size)
    return [Phase(phase.demand, phase.repeat * count, label) for phase in ring.phases]


def _explicit(operation: Operation) -> Demand | None:
    """Flows of what is no ring: uneven all-to-all, gather, scatter, send-recv."""
    ranks, n = np.array(operation.ranks, np.int32), len(operation.ranks)
    if operation.splits is not None:
        i, j = np.nonzero(operation.splits)
        return Flows(ranks[i], ranks[j], operation.splits[i, j])
    if operation.kind == "send-recv":
        return Flows(ranks[:1], ranks[1:2], np.array([operation.bytes]))
    if operation.kind not in ("gather", "scatter"):
        return None
    root, others = np.repeat(ranks[:1], n - 1), ranks[1:]
    volume = np.full(n - 1, operation.bytes, np.float64)
    return Flows(others, root, volume) if operation.kind == "gather" else Flows(root, others, volume)


def _assumptions(trace: Trace, usable: list[Operation]) -> tuple[str, ...]:
    lines = []
    left_out = len(trace.operations) - len(usable)
    if left_out:
        lines.append(f"{left_out} of {len(trace.operations)} operations left out: the trace does not say all of them")
    kinds = {operation.kind for operation in usable}
    if kinds & set(_RINGS) - {"all-to-all"}:
        lines.append("all-reduce, all-gather, reduce-scatter, broadcast and reduce run as one ring in group order")
    rooted = [kind for kind in _ROOTED if kind in kinds]
    if rooted:
        lines.append(f"{', '.join(rooted)}: the trace does not name the root; the group's first rank is taken")
    lines.append("operations run one after the other, whatever overlaps in the trace")
    return tuple(lines)
