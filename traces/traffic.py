"""Operations of a trace as a schedule: which algorithm each is taken to use is said."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

import numpy as np

from collectives.catalog import ALGORITHMS, collective_schedule
from collectives.demand import Flows, Groups, Int32Vector, scaled
from collectives.errors import InputError
from collectives.schedule import Phase, Schedule
from collectives.suggestion import hint
from traces.filling import untraced
from traces.naming import listed
from traces.operation import KINDS, Operation, Trace
from traces.order import rounds

# Of these a trace gives one member's part, and nccl-tests' sizes are those of all members together.
_PER_MEMBER = frozenset({"all-gather", "gather", "scatter"})
_RINGS = ("all-reduce", "all-gather", "reduce-scatter", "broadcast", "reduce")
_ROOTED = ("broadcast", "reduce", "gather", "scatter")


@dataclass(frozen=True)
class AlikeOperations:
    """Operations of one kind, among the same ranks, of one size.

    Attributes
    ----------
    kind : str
    ranks : tuple of int
    size : float
        Bytes, as nccl-tests counts them.
    count : int
    measured_s : float or None
        Median of how long they took, of those of which the trace says it.
    """

    kind: str
    ranks: tuple[int, ...]
    size: float
    count: int
    measured_s: float | None = None


def nccl_size(operation: Operation) -> float:
    """Size of an operation as nccl-tests counts it, bytes; of an uneven all-to-all that of a mean member."""
    return (operation.bytes or 0.0) * (operation.group_size if operation.kind in _PER_MEMBER else 1)


def alike_operations(trace: Trace, n_ranks: int) -> tuple[AlikeOperations, ...]:
    """The complete operations of a trace, equal ones together, in the order in which they first occur.

    Raises
    ------
    InputError
        If no operation is complete, or one is of a rank that the job does not have.
    """
    found: dict[tuple[str, tuple[int, ...], float], list[float | None]] = {}
    for one in _usable(trace, n_ranks):
        found.setdefault((one.kind, one.ranks, nccl_size(one)), []).append(one.measured_s)
    result = []
    for key, lasted in found.items():
        known = [one for one in lasted if one is not None]
        result.append(AlikeOperations(*key, len(lasted), median(known) if known else None))
    return tuple(result)


def trace_schedule(
    trace: Trace,
    n_ranks: int,
    algorithm: str | Mapping[str, str] | None = None,
    domain: Int32Vector | None = None,
    rail: Int32Vector | None = None,
) -> tuple[Schedule, tuple[str, ...]]:
    """All complete operations, those of disjoint groups together: see `traces.order.rounds`.

    Parameters
    ----------
    trace : Trace
    n_ranks : int
        Size of the job.
    algorithm : str or mapping of str to str, optional
        An algorithm for every kind of operation that has it, or one for each kind that is named; see
        `collectives.collective_schedule`.  Others use the first one of their kind (rings, and direct sends).
    domain, rail : (n_ranks,) int32, optional
        Scale-up domain and rail of each rank, for algorithms that need to know them.

    Returns
    -------
    schedule : Schedule
        Sequential; equal rounds are one, with `repeat`.
    assumptions : tuple of str
        What is left out, and what was assumed.

    Raises
    ------
    InputError
        If no operation is complete, one is of a rank that the job does not have, or no operation has the algorithm.
    """
    usable = _usable(trace, n_ranks)
    chosen = _chosen(algorithm, usable)
    alike: dict[tuple[object, ...], list[tuple[Operation, ...]]] = {}
    for together in rounds(trace):
        alike.setdefault(tuple(sorted(map(_signature, together), key=repr)), []).append(together)
    phases: list[Phase] = []
    for same in alike.values():
        of_each = [_phases(operation, len(same), chosen, domain, rail) for operation in same[0]]
        phases += of_each[0] if len(of_each) == 1 else [_at_once(of_each, len(same), same[0])]
    return Schedule(tuple(phases)), _assumptions(trace, usable, chosen, n_ranks)


def trace_assumptions(trace: Trace, n_ranks: int, algorithm: str | Mapping[str, str] | None = None) -> tuple[str, ...]:
    """What `trace_schedule` leaves out and assumes, wherever the ranks are; errors as there."""
    usable = _usable(trace, n_ranks)
    return _assumptions(trace, usable, _chosen(algorithm, usable), n_ranks)


def _signature(operation: Operation) -> tuple[object, ...]:
    """What makes two operations the same traffic."""
    splits = operation.splits.tobytes() if operation.splits is not None else None
    return operation.kind, operation.ranks, operation.bytes, splits, operation.root


def _at_once(of_each: list[list[Phase]], count: int, together: tuple[Operation, ...]) -> Phase:
    """Operations of disjoint groups in one phase: the loads of all their steps add up, and the busiest link decides."""
    demands = tuple(
        scaled(demand, phase.repeat // count) for phases in of_each for phase in phases for demand in phase.demands
    )
    depth = max(sum(phase.repeat // count * phase.depth for phase in phases) for phases in of_each)
    kinds = Counter(f"{operation.kind} of {operation.group_size}" for operation in together)
    return Phase(demands, count, ", ".join(f"{n} x {kind}" for kind, n in kinds.items()), depth)


def _usable(trace: Trace, n_ranks: int) -> list[Operation]:
    """The complete operations."""
    usable = [operation for operation in trace.operations if operation.complete]
    if not usable:
        raise InputError(f"{trace.files[0]}: {_why_nothing(trace)}")
    for operation in usable:
        beyond = max(operation.ranks)
        if beyond >= n_ranks:
            raise InputError(
                f"{operation.source}: rank {beyond}; the job has ranks 0 to {n_ranks - 1}; expected {beyond + 1} ranks"
            )
    return usable


def _chosen(algorithm: str | Mapping[str, str] | None, usable: list[Operation]) -> dict[str, str]:
    """Algorithm of each kind for which the user chose one."""
    kinds = {operation.kind for operation in usable if operation.splits is None}
    routed = [kind for kind in ALGORITHMS if kind in kinds and kind != "send-recv"]
    if algorithm is None:
        return {}
    if isinstance(algorithm, str):
        chosen = {kind: algorithm for kind in routed if algorithm in ALGORITHMS[kind]}
        if not chosen:
            known = dict.fromkeys(name for kind in routed for name in ALGORITHMS[kind])
            raise InputError(f"algorithm {algorithm!r}: no operation of the trace has it; {hint(algorithm, known)}")
        return chosen
    for kind, name in algorithm.items():
        if kind not in KINDS or kind == "send-recv":
            raise InputError(f"algorithm of {kind!r}: unknown; {hint(kind, [k for k in KINDS if k != 'send-recv'])}")
        if name not in ALGORITHMS[kind]:
            raise InputError(f"algorithm {name!r}: {kind} does not have it; {hint(name, ALGORITHMS[kind])}")
    return dict(algorithm)


def _why_nothing(trace: Trace) -> str:
    if trace.operations:
        reasons = Counter(reason for operation in trace.operations for reason in operation.missing)
        listed = ", ".join(f"{reason} missing in {count}" for reason, count in reasons.items())
        return f"none of {len(trace.operations)} operations can be routed ({listed})"
    listed = ", ".join(f"{count} {reason}" for reason, count in trace.ignored) or "nothing"
    return f"no operation with a size: found {listed}"


def _phases(
    operation: Operation,
    count: int,
    chosen: Mapping[str, str],
    domain: Int32Vector | None,
    rail: Int32Vector | None,
) -> list[Phase]:
    label = f"{operation.kind} of {operation.group_size}"
    flows = _explicit(operation)
    if flows is not None:
        return [Phase(flows, count, label)]
    assert operation.bytes is not None
    root = operation.root or 0
    groups = Groups.of([[*operation.ranks[root:], *operation.ranks[:root]]])
    schedule = collective_schedule(
        operation.kind, groups, nccl_size(operation), chosen.get(operation.kind), domain, rail
    )
    if schedule.overlap == "pipelined":
        # All phases of one operation at once, but not those of the next one.
        demands = tuple(scaled(demand, phase.repeat) for phase in schedule.phases for demand in phase.demands)
        depth = sum(phase.repeat * phase.depth for phase in schedule.phases)
        return [Phase(demands, count, label, depth)]
    return [Phase(phase.demand, phase.repeat * count, label, phase.depth) for phase in schedule.phases]


def _explicit(operation: Operation) -> Flows | None:
    """Flows of what is no collective of equal parts: an uneven all-to-all, a message."""
    ranks = np.array(operation.ranks, np.int32)
    if operation.splits is not None:
        i, j = np.nonzero(operation.splits)
        return Flows(ranks[i], ranks[j], operation.splits[i, j])
    if operation.kind == "send-recv":
        return Flows(ranks[:1], ranks[1:2], np.array([operation.bytes]))
    return None


def _assumptions(trace: Trace, usable: list[Operation], chosen: Mapping[str, str], n_ranks: int) -> tuple[str, ...]:
    lines = []
    lacking = untraced(trace, n_ranks)
    if lacking:
        lines.append(
            f"{lacking:,} of {n_ranks:,} ranks were not traced: operations that only they take part in are missing, "
            "unless they are filled in by symmetry"
        )
    left_out = len(trace.operations) - len(usable)
    if left_out:
        lines.append(f"{left_out} of {len(trace.operations)} operations left out: the trace does not say all of them")
    kinds = {operation.kind for operation in usable}
    rings = [kind for kind in _RINGS if kind not in chosen]
    if kinds & set(rings):
        lines.append(f"{listed(rings, 'and')} run as one ring in group order")
    lines += [f"{kind} runs as {name}" for kind, name in chosen.items() if kind in kinds]
    if "all-to-all" in chosen and any(operation.splits is not None for operation in usable):
        lines.append("all-to-all with uneven splits runs as direct sends, whatever the algorithm")
    rooted = [kind for kind in _ROOTED if any(one.kind == kind and one.root is None for one in usable)]
    if rooted:
        lines.append(f"{', '.join(rooted)}: the trace does not name the root; the group's first rank is taken")
    lines.append("a rank's operations run one after the other as it issued them, those of disjoint groups together")
    return tuple(lines)
