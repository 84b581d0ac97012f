"""Workloads of SimAI (as AICB writes them) and of ASTRA-sim 1.0: a header, the number of layers, a row per layer.

A row holds name, dependency, and for the forward pass, the input gradient and the weight gradient each a time of
computing, a collective and its size; last a time of updating.  Sources: aliyun/SimAI and astra-sim/astra-sim (1.0),
astra-sim/workload/Workload.cc, which read the same rows and disagree about sizes: an all-gather's is the whole output
for SimAI (aliyun/aicb, workload_generator/SimAI_training_workload_generator.py), a rank's shard for ASTRA-sim
(astra-sim/system/collective/Ring.cc).  All others mean the same: buffer, whole input, whole send buffer.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from collectives.errors import InputError
from collectives.gate import quoted, real, whole
from collectives.layout import DEFAULT_ORDER, ParallelLayout
from collectives.sizes import counted
from traces.aicb_csv import aicb_trace, is_aicb_csv
from traces.files import read_text
from traces.operation import Operation, Trace
from traces.rank_groups import MOST_RANKS, members_of
from traces.whole_job import WHOLE_JOB, only_file

_KINDS = {
    "ALLREDUCE": "all-reduce",
    "ALLGATHER": "all-gather",
    "REDUCESCATTER": "reduce-scatter",
    "ALLTOALL": "all-to-all",
    "BROADCAST": "broadcast",
}
_COLLECTIVE = re.compile(rf"({'|'.join(_KINDS)})(_DP_EP|_EP)?")
_NONE = "NONE"
# Axes of the layout by the suffix of a collective: SimAI's groups EP and DP_EP.
_SUFFIXES = {"_EP": "ep", "_DP_EP": "edp"}
# Where in a row a pass has its collective, which group it is of by default, and what it is called.
_FORWARD, _INPUT, _WEIGHT = (3, "tp", "forward"), (6, "tp", "input gradient"), (9, "dp", "weight gradient")
_NUMBERS = (1, 2, 5, 8, 11)
_COLUMNS = "name, dependency, then time, collective and size of three passes, time of updating"
_POLICIES = {
    "HYBRID_TRANSFORMER_FWD_IN_BCKWD",
    "HYBRID_TRANSFORMER",
    "HYBRID_DATA_MODEL",
    "HYBRID_MODEL_DATA",
    "HYBRID_DLRM",
    "HYBRID_DLRM_ENHANCED",
    "HYBRID_CUSTOMIZED",
    "DISTRIBUTED_INFERENCE",
    "DATA",
    "MODEL",
    "MICRO",
}
# Of these the header says which ranks do what together.
_LAID_OUT = {"HYBRID_TRANSFORMER_FWD_IN_BCKWD", "HYBRID_TRANSFORMER"}
_SHOWN = {"tp": "tensor parallel", "dp": "data parallel", "ep": "expert parallel", "edp": "data parallel of experts"}


def read_simai(paths: Sequence[str | Path] | str | Path) -> Trace:
    """Read a workload of SimAI, text or AICB's CSV: sizes are totals.

    Parameters
    ----------
    paths : path or sequence of paths
        One file, plain, gzip or xz.

    Returns
    -------
    Trace
        What rank 0 does; the other ranks do the same in groups of their own (see `traces.filling`).

    Raises
    ------
    InputError
        If it is no such workload, is cut off, or its layout does not fit its number of GPUs.
    """
    path = only_file(paths)
    text = read_text(path)
    return aicb_trace(path, text) if is_aicb_csv(text) else _read(path, text, _SIMAI)


def read_astra_sim(paths: Sequence[str | Path] | str | Path) -> Trace:
    """Read a workload of ASTRA-sim 1.0: an all-gather's size is a rank's shard; all else as `read_simai`."""
    path = only_file(paths)
    return _read(path, read_text(path), _ASTRA_SIM)


def read_unnamed(paths: Sequence[str | Path] | str | Path) -> Trace:
    """Refuse a workload of which it cannot be told whose it is.

    Raises
    ------
    InputError
        Always.
    """
    raise InputError(
        f"{only_file(paths)}: dialect not named: SimAI and ASTRA-sim write the same rows and mean other sizes of an "
        "all-gather (the whole output, a shard); expected format simai or astra-sim",
        "--format simai or --format astra-sim says which",
    )


def _total(kind: str, size: float, members: int) -> float | None:
    """Bytes as `Operation` has them, of a size as SimAI has it."""
    if kind == "all-gather":
        return size / members if members else None
    return size


def _shard(kind: str, size: float, members: int) -> float | None:
    """Bytes as `Operation` has them, of a size as ASTRA-sim has it."""
    return size


@dataclass(frozen=True)
class _Dialect:
    says: str
    size_of: Callable[[str, float, int], float | None]


_SIMAI = _Dialect("SimAI: an all-gather's size is the whole output", _total)
_ASTRA_SIM = _Dialect("ASTRA-sim: an all-gather's size is a rank's shard", _shard)


@dataclass(frozen=True, eq=False)
class _Header:
    policy: str
    world: int | None
    members: dict[str, tuple[int, ...]]
    notes: tuple[str, ...]


def _read(path: str, text: str, dialect: _Dialect) -> Trace:
    lines = text.split("\n")
    header = _header(path, lines[0])
    rows, behind = _rows(path, lines, 13 if header.policy == "HYBRID_CUSTOMIZED" else 12)
    ignored: Counter[str] = Counter({"layers behind the number that line 2 says": behind} if behind else {})
    unknown: Counter[str] = Counter()
    sequence: Counter[str] = Counter()
    operations: list[Operation] = []
    passes = [(row, _FORWARD) for row in rows]
    # The backward pass begins at the last layer, with the gradient of its inputs; MICRO has no passes.
    if header.policy == "MICRO":
        passes += [(row, part) for row in rows for part in (_INPUT, _WEIGHT)]
    else:
        passes += [(row, part) for row in reversed(rows) for part in (_INPUT, _WEIGHT)]
    for (number, cells), (place, axis, called) in passes:
        name = cells[place]
        if name == _NONE:
            continue
        source = f"{path}:{number}"
        size = whole(cells[place + 1], f"{source}: size of {quoted(cells[0])}")
        found = _COLLECTIVE.fullmatch(name)
        if found is None:
            unknown[name] += 1
            continue
        if size == 0:
            ignored["collectives of 0 bytes"] += 1
            continue
        group = _SUFFIXES.get(found[2], axis) if header.policy in _LAID_OUT else WHOLE_JOB
        members = header.members.get(group, ())
        if len(members) == 1:
            ignored[f"collectives of a group of one ({_SHOWN[group]})"] += 1
            continue
        kind = _KINDS[found[1]]
        bytes_each = dialect.size_of(kind, float(size), len(members))
        missing = (*(() if members else ("ranks",)), *(() if bytes_each is not None else ("size",)))
        operations.append(
            Operation(
                kind=kind,
                ranks=members,
                group_size=len(members),
                group=group,
                bytes=bytes_each,
                sequence=sequence[group],
                source=f"{source} ({cells[0][:60]}, {called})",
                missing=missing,
            )
        )
        sequence[group] += 1
    if not operations and not ignored and not unknown:
        raise InputError(f"{path}: no collective in {counted(len(rows), 'layer')}")
    return Trace(
        files=(path,),
        operations=tuple(operations),
        n_ranks=header.world,
        ignored=tuple(ignored.items()),
        warnings=(
            f"{counted(len(rows), 'layer')} in the dialect of {dialect.says}",
            *header.notes,
            *_left_out(unknown),
            *_lacking(operations),
        ),
        traced=(0,),
        orders=(tuple(range(len(operations))),),
    )


def _left_out(unknown: Counter[str]) -> list[str]:
    return [
        f"{counted(number, 'collective')} of unknown kind {quoted(kind)} left out" for kind, number in unknown.items()
    ]


def _lacking(operations: list[Operation]) -> list[str]:
    lacking = Counter(reason for operation in operations for reason in operation.missing)
    return [f"{number:,} of {len(operations):,} operations: {reason} missing" for reason, number in lacking.items()]


def _header(path: str, line: str) -> _Header:
    words = line.split()
    policy = words[0] if words else ""
    if policy not in _POLICIES:
        raise InputError(f"{path}:1: {quoted(policy)}; expected a policy such as HYBRID_TRANSFORMER_FWD_IN_BCKWD")
    # `key: value`, and once `key value`.
    said = {one.removesuffix(":"): other for one, other in pairwise(words)}
    notes: list[str] = []
    if said.get("checkpoints", "0") != "0":
        notes.append("checkpoints: what is computed again in the backward pass, and its collectives, is not repeated")
    if policy not in _LAID_OUT:
        return _Header(policy, None, {}, tuple(notes))

    def number(key: str) -> int | None:
        return whole(said[key], f"{path}:1: {key}", 1, MOST_RANKS) if key in said else None

    tp, ep, pp, world = (number(key) for key in ("model_parallel_NPU_group", "ep", "pp", "all_gpus"))
    # Layers of a stage, as AICB writes it: it says nothing here, and must be a number.
    number("vpp")
    notes += _pipeline(path, said, pp, number("ga"))
    if world is None:
        notes.append("all_gpus is not said: who is in a data or expert parallel group is unknown")
        # Without tensor parallelism the rows of such files are of data parallel ranks (AICB's DeepSpeed workloads).
        members = {"tp": tuple(range(tp))} if tp and tp > 1 else {}
        if members:
            notes.append(
                "only rank 0's tensor parallel group is listed; other ranks do the same in groups of their own"
            )
        return _Header(policy, None, members, tuple(notes))
    try:
        layout = ParallelLayout(world, tp=tp or 1, ep=ep or 1, pp=pp or 1)
    except InputError as error:
        raise InputError(f"{path}:1: {error}") from None
    notes.append(
        "only rank 0's groups are listed; the other ranks do the same in groups of their own, in Megatron's order "
        f"{DEFAULT_ORDER} (assumed)"
    )
    return _Header(policy, world, {axis: members_of(layout, axis, 0) for axis in _SHOWN}, tuple(notes))


def _pipeline(path: str, said: dict[str, str], stages: int | None, batches: int | None) -> list[str]:
    """What is left out of the messages between stages: pp_comm is what one micro-batch sends on (aliyun/aicb)."""
    size = real(said["pp_comm"], f"{path}:1: pp_comm") if "pp_comm" in said else 0.0
    if size == 0 or stages == 1:
        return []
    each = f"pp_comm {size:,.0f} B for each micro-batch and way"
    total = (
        f", {batches} micro-batches (ga): {2 * batches * size:,.0f} B between a rank and the next stage's"
        if batches
        else ""
    )
    return [
        f"messages between {f'{stages} ' if stages else ''}pipeline stages are not listed, and left out: {each}{total}"
    ]


def _rows(path: str, lines: list[str], width: int) -> tuple[list[tuple[int, list[str]]], int]:
    """Number and cells of each layer's line (blanks and tabs part cells); how many lines the simulators pass over."""
    announced = whole(lines[1] if len(lines) > 1 else "", f"{path}:2: number of layers", 1)
    rows = [(number, line.split()) for number, line in enumerate(lines[2:], 3) if line.strip()]
    if len(rows) < announced:
        raise InputError(f"{path}: cut off: {counted(len(rows), 'layer')}; expected {announced:,}, as line 2 says")
    for number, cells in rows[:announced]:
        if len(cells) != width:
            raise InputError(f"{path}:{number}: {counted(len(cells), 'column')}; expected {width}: {_COLUMNS}")
        for place in _NUMBERS:
            real(cells[place], f"{path}:{number}: column {place + 1}", -1.0)
    return rows[:announced], len(rows) - announced
