"""PyTorch profiler (Kineto) traces: the ``record_param_comms`` events of one or several ranks' files.

Each collective stands in a trace several times: as the CPU operator ``record_param_comms`` with its parameters, as
annotations, and as the kernel.  The operator counts, once; what has none is in `traces.kineto_evidence`.  Names of
arguments: PyTorch, torch/csrc/distributed/c10d/ParamCommsUtils.hpp and torch/csrc/profiler/util.h.
"""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from collectives.errors import InputError
from collectives.gate import whole_value
from traces.files import read_text
from traces.json_text import parse_json
from traces.kineto_evidence import Seen, annotated_of, kernel_key, kernel_of, named_of, symmetric_of, unnamed_kernels
from traces.operation import Operation, Trace

COLLECTIVE_KINDS = {
    "allreduce": "all-reduce",
    "all_reduce": "all-reduce",
    "allreduce_coalesced": "all-reduce",
    "allgather": "all-gather",
    "all_gather": "all-gather",
    "_allgather_base": "all-gather",
    "allgather_into_tensor": "all-gather",
    "allgather_coalesced": "all-gather",
    "allgather_into_tensor_coalesced": "all-gather",
    "reduce_scatter": "reduce-scatter",
    "_reduce_scatter_base": "reduce-scatter",
    "reduce_scatter_tensor": "reduce-scatter",
    "reduce_scatter_tensor_coalesced": "reduce-scatter",
    "all_to_all": "all-to-all",
    "all_to_allv": "all-to-all",
    "alltoall": "all-to-all",
    "alltoall_base": "all-to-all",
    "broadcast": "broadcast",
    "_broadcast_oop": "broadcast",
    "reduce": "reduce",
    "_reduce_oop": "reduce",
    "gather": "gather",
    "scatter": "scatter",
    "send": "send-recv",
    "recv": "send-recv",
}
_ROOTED = frozenset({"broadcast", "reduce", "gather", "scatter"})
# Records of the same event that move nothing.
NO_TRAFFIC = {"wait": "wait records", "barrier": "barriers", "monitored_barrier": "barriers", "init": "init records"}

# c10::ScalarType names and the bytes of an element.
DTYPE_BYTES = {
    **dict.fromkeys(("Byte", "Char", "Bool", "Float8_e5m2", "Float8_e4m3fn"), 1),
    **dict.fromkeys(("Float8_e5m2fnuz", "Float8_e4m3fnuz", "Float8_e8m0fnu", "QInt8", "QUInt8", "UInt8", "Int8"), 1),
    **dict.fromkeys(("Short", "Half", "BFloat16", "UInt16"), 2),
    **dict.fromkeys(("Int", "Float", "UInt32", "ComplexHalf", "QInt32"), 4),
    **dict.fromkeys(("Long", "Double", "UInt64", "ComplexFloat"), 8),
    "ComplexDouble": 16,
}

# Which message size is the operation's: of the input or of the output.
_SIZE_OF = {"scatter": "Out msg nelems"}


@dataclass(frozen=True, eq=False)
class _Record:
    """One event of one rank."""

    operation: Operation
    rank: int | None
    collective: str
    row: tuple[float, ...] | None
    peer: int | None
    kernel: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _File:
    path: str
    rank: int | None
    world_size: int | None
    records: tuple[_Record, ...]
    ignored: Counter[str]
    without_parameters: int
    warnings: tuple[str, ...]


def read_kineto(paths: Sequence[str | Path] | str | Path) -> Trace:
    """Read the traces of one job.

    Parameters
    ----------
    paths : path or sequence of paths
        ``.json`` or ``.json.gz``, one file per rank; any subset of the job's ranks.

    Returns
    -------
    Trace
        What several members reported is one operation.

    Raises
    ------
    InputError
        If a file is no Kineto trace, has no communication at all, or two files are of one rank.
    """
    listed = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if not listed:
        raise InputError("trace: expected at least one file")
    files = [_read_file(str(path)) for path in listed]
    by_rank: dict[int, str] = {}
    for file in files:
        if file.rank is not None:
            if file.rank in by_rank:
                raise InputError(f"{file.path}: rank {file.rank} was read from {by_rank[file.rank]} already")
            by_rank[file.rank] = file.path
    if len(files) > 1 and len(by_rank) < len(files):
        lone = next(file for file in files if file.rank is None)
        raise InputError(f"{lone.path}: no distributedInfo.rank; expected one to join several ranks' files")
    warnings = [line for file in files for line in file.warnings]
    bare = sum(file.without_parameters for file in files)
    if bare:
        warnings.append(
            f"{bare} communication events have no sizes (recorded without parameters by this PyTorch version): "
            "they are not in the result"
        )
    operations, orders = _joined(files, warnings)
    lacking = Counter(reason for operation in operations for reason in operation.missing)
    warnings += [f"{count} of {len(operations)} operations: {reason} missing" for reason, count in lacking.items()]
    sizes = {file.world_size for file in files if file.world_size is not None}
    if len(sizes) > 1:
        raise InputError(f"{listed[0]}: world sizes {sorted(sizes)} in the files; expected ranks of one job")
    ignored: Counter[str] = sum((file.ignored for file in files), Counter())
    if bare:
        ignored["communication events without sizes"] = bare
    return Trace(
        tuple(map(str, listed)),
        tuple(operations),
        next(iter(sizes), None),
        tuple(ignored.items()),
        tuple(warnings),
        tuple(sorted(by_rank)),
        orders,
    )


def _read_file(path: str) -> _File:
    text = read_text(path)
    document = parse_json(text, path)
    if not isinstance(document, dict) or not isinstance(document.get("traceEvents"), list):
        raise InputError(f"{path}: not a Kineto trace; expected an object with a list `traceEvents`")
    info = document.get("distributedInfo")
    info = info if isinstance(info, dict) else {}
    rank, world = _whole(info.get("rank")), _whole(info.get("world_size"))
    groups = _process_groups(info, world)
    records: list[_Record] = []
    ignored: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    bare = 0
    named: Counter[str] = Counter()
    lasted: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    unknown_splits: tuple[str, ...] = ()
    symmetric: list[_Record] = []
    annotated: list[_Record] = []
    known: set[tuple[Any, ...]] = set()
    for number, event in enumerate(document["traceEvents"]):
        if not isinstance(event, dict):
            raise InputError(f"{path}: traceEvents[{number}]: expected an object")
        for seen, where in ((symmetric_of(event), symmetric), (annotated_of(event), annotated)):
            if seen is not None:
                where.append(_evident(seen, f"{path}: traceEvents[{number}]", event, rank, world, groups))
        kernel = kernel_of(event)
        if kernel is not None:
            lasted.setdefault(kernel[0], []).append(kernel[1:])
        what = named_of(event)
        if what:
            named[what] += 1
        if event.get("name") != "record_param_comms" or event.get("cat", "cpu_op") != "cpu_op":
            continue
        args = event.get("args")
        if not isinstance(args, dict):
            args = {}
        name = args.get("Collective name")
        if name is None:
            bare += 1
            continue
        plain = str(name).removeprefix("nccl:").removeprefix("c10d::")
        if plain in NO_TRAFFIC:
            ignored[NO_TRAFFIC[plain]] += 1
        elif plain not in COLLECTIVE_KINDS:
            unknown[plain] += 1
        else:
            record = replace(_record(path, number, plain, event, args, rank, groups), kernel=kernel_key(args))
            same = (record.operation.group, _whole(args.get("Seq")), record.operation.kind, record.operation.bytes)
            if same[1] and same in known:
                ignored["further records of an operation"] += 1
                continue
            known.add(same)
            if record.operation.group_size == 1:
                ignored["collectives of a group of one"] += 1
            else:
                records.append(record)
    # Annotations repeat the operators of newer versions; of older ones they say what those left out.
    if not records and any("size" not in record.operation.missing for record in annotated):
        records += annotated
        even = sum(record.operation.kind == "all-to-all" for record in annotated)
        if even:
            without = f"{path}: {even} all-to-alls: annotations do not say their splits, which are taken as even"
            unknown_splits = (without,)
        bare = max(0, bare - len(annotated))
    records += symmetric
    # Several threads issue operations; the file lists one thread after the other, on one clock.
    records.sort(key=lambda record: record.operation.start_s or 0.0)
    records = _timed(records, lasted)
    unnamed_kernels(named, len(records) + bare)
    ignored += named
    if not records and not bare and not ignored and not unknown:
        raise InputError(
            f"{path}: no communication events (record_param_comms) in {len(document['traceEvents'])} events"
        )
    warnings = (
        *(f"{path}: {count} events of unknown collective {name!r} left out" for name, count in unknown.items()),
        *unknown_splits,
    )
    return _File(path, rank, world, tuple(records), ignored, bare, warnings)


def _evident(
    seen: Seen,
    source: str,
    event: dict[str, Any],
    rank: int | None,
    world: int | None,
    groups: dict[str, tuple[int, ...]],
) -> _Record:
    """What other events say, as a record; an only group is the one that is meant where none is named."""
    members = groups.get(seen.group, ())
    if not members and not seen.group and len(groups) <= 1:
        members = next(iter(groups.values()), tuple(range(world)) if world else ())
    missing = ([] if members else ["ranks"]) + ([] if seen.bytes is not None else ["size"])
    start = event.get("ts")
    operation = Operation(
        kind=seen.kind,
        ranks=members,
        group_size=len(members),
        group=seen.group,
        bytes=seen.bytes,
        start_s=float(start) / 1e6 if isinstance(start, (int, float)) and math.isfinite(start) else None,
        dtype=seen.dtype,
        source=source,
        missing=tuple(missing),
    )
    return _Record(operation, rank, str(event.get("name")), None, None)


def _timed(records: list[_Record], lasted: dict[tuple[str, ...], list[tuple[float, float]]]) -> list[_Record]:
    """Records with how long their kernels ran: the n-th kernel of a kind is the n-th record's."""
    left = {
        key: iter([seconds for _, seconds in sorted(times, key=lambda one: one[0])]) for key, times in lasted.items()
    }
    return [
        replace(record, operation=replace(record.operation, measured_s=next(left.get(record.kernel, iter(())), None)))
        for record in records
    ]


# Ranks of a job, and members of a group: more than any fabric that can be built has endpoints.
_MOST_RANKS = 1 << 24


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = _number(value)
    return value if isinstance(value, int) and 0 <= value < _MOST_RANKS else None


def _process_groups(info: dict[str, Any], world: int | None) -> dict[str, tuple[int, ...]]:
    """Ranks of each process group that ``distributedInfo.pg_config`` lists whole; ``[]`` stands for all ranks."""
    groups: dict[str, tuple[int, ...]] = {}
    listed = info.get("pg_config")
    for entry in listed if isinstance(listed, list) else []:
        if not isinstance(entry, dict):
            continue
        ranks, size = _ranks(entry.get("ranks")), _whole(entry.get("pg_size"))
        if ranks == () and (size is None or size == world) and world is not None:
            ranks = tuple(range(world))
        if ranks and (size is None or size == len(ranks)):
            groups[str(entry.get("pg_name"))] = ranks
    return groups


def _ranks(value: Any) -> tuple[int, ...] | None:
    """A whole list of ranks; None if it is cut (``...``) or no list."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, list):
        return None
    ranks = [_whole(item) for item in value]
    return None if None in ranks or len(set(ranks)) != len(ranks) else tuple(rank for rank in ranks if rank is not None)


def _record(
    path: str,
    number: int,
    name: str,
    event: dict[str, Any],
    args: dict[str, Any],
    rank: int | None,
    groups: dict[str, tuple[int, ...]],
) -> _Record:
    source = f"{path}: traceEvents[{number}]"
    kind, group = COLLECTIVE_KINDS[name], str(args.get("Process Group Name", ""))
    size = _whole(args.get("Group size"))
    members = _members(args, group, size, groups)
    size = size if size is not None else len(members)
    missing = [] if members else ["ranks"]
    per_element = DTYPE_BYTES.get(str(args.get("dtype")))
    elements = _elements(args, _SIZE_OF.get(kind, "In msg nelems"), source)
    row = None
    if kind == "all-to-all":
        row = _splits(args.get("In split size"), size, source)
    if elements is None or per_element is None:
        missing.append("size")
    peer = None
    if kind == "send-recv":
        peer = _whole(args.get("Dst Rank" if name == "send" else "Src Rank"))
        members = _pair(name, rank, peer, members)
        missing = [part for part in missing if part != "ranks"] + ([] if members else ["ranks"])
        elements = _elements(args, "In msg nelems", source) or _elements(args, "Out msg nelems", source)
    volume = float(elements * per_element) if elements is not None and per_element is not None else None
    scale = 0.0
    if row is not None and volume is not None:
        whole = sum(row)
        # Splits count rows of the tensor, sizes its elements.
        scale = volume / whole if whole else 0.0
    start = event.get("ts")
    operation = Operation(
        kind=kind,
        ranks=members,
        group_size=size,
        group=group,
        bytes=volume,
        sequence=_whole(args.get("Seq")),
        start_s=float(start) / 1e6 if isinstance(start, (int, float)) and math.isfinite(start) else None,
        dtype=str(args.get("dtype", "")),
        source=source,
        missing=tuple(dict.fromkeys(missing)),
        root=_root(args, size) if kind in _ROOTED else None,
    )
    scaled = tuple(part * scale for part in row) if row is not None and volume is not None else None
    return _Record(operation, rank, name, scaled, peer)


def _root(args: dict[str, Any], size: int) -> int | None:
    """Place of the root in its group: the fourth concrete input of newer records (PyTorch, RECORD_PARAM_COMMS_DATA)."""
    inputs = args.get("Concrete Inputs")
    root = _whole(inputs[3]) if isinstance(inputs, list) and len(inputs) > 3 else None
    return root if root is not None and root < size else None


def _members(args: dict[str, Any], group: str, size: int | None, groups: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    """Ranks of the group: as listed, from pg_config where the list is cut, from start and stride; empty if unknown."""
    listed = _ranks(args.get("Process Group Ranks"))
    if listed and (size is None or len(listed) == size):
        return listed
    known = groups.get(group, ())
    if known and (size is None or len(known) == size):
        return known
    start, stride = _whole(args.get("Global rank start")), _whole(args.get("Global rank stride"))
    if start is not None and stride and size is not None:
        return tuple(range(start, start + stride * size, stride))
    return ()


def _elements(args: dict[str, Any], key: str, source: str) -> int | None:
    value = args.get(key)
    if value is None:
        return None
    if isinstance(value, str):
        value = _number(value)
    return whole_value(value, f"{source}: {key}")


def _number(text: str) -> int | str:
    """A whole number in ASCII digits; other text as it is."""
    digits = text.strip().lstrip("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) < 20 else text


def _splits(value: Any, size: int, source: str) -> tuple[float, ...] | None:
    """Split sizes of this rank; None where they are even (``[]``) or cut (``...``)."""
    if isinstance(value, str):
        if "..." in value:
            return (math.nan,)
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, list) or not value:
        return None
    if len(value) != size or any(isinstance(v, bool) or not isinstance(v, int) or not 0 <= v < 2**53 for v in value):
        raise InputError(f"{source}: In split size: expected {size} whole numbers >= 0")
    return tuple(float(part) for part in value)


def _pair(name: str, rank: int | None, peer: int | None, members: tuple[int, ...]) -> tuple[int, ...]:
    """Sender and receiver; the peer is taken as a rank within the group, as PyTorch records it."""
    if rank is None or peer is None or not members or peer >= len(members):
        return ()
    other = members[peer]
    return (rank, other) if name == "send" else (other, rank)


def _joined(files: list[_File], warnings: list[str]) -> tuple[list[Operation], tuple[tuple[int, ...], ...]]:
    """One operation for what several members reported, and each file's order of them.

    The n-th operation of a group is the same for all of its members.
    """
    together: dict[tuple[Any, ...], list[_Record]] = {}
    place: dict[tuple[Any, ...], int] = {}
    orders: list[tuple[int, ...]] = []
    for file in files:
        own: list[int] = []
        counted: Counter[tuple[Any, ...]] = Counter()
        for record in file.records:
            operation = record.operation
            group: tuple[Any, ...] = (operation.group, operation.group_size, operation.ranks)
            if operation.kind == "send-recv":
                group = ("send-recv", operation.ranks or (record.rank, record.collective, record.peer))
            # Without several files nothing has to be joined, and a sequence number may restart.
            key = (*group, counted[group])
            counted[group] += 1
            together.setdefault(key, []).append(record)
            own.append(place.setdefault(key, len(place)))
        orders.append(tuple(own))
    operations = []
    for key, records in together.items():
        kinds = {record.operation.kind for record in records}
        if len(kinds) > 1:
            first = records[0].operation
            other = next(record.operation for record in records if record.operation.kind != first.kind)
            raise InputError(
                f"{first.source}: a {first.kind}, but {other.source} is a {other.kind}; "
                f"expected the members of group {key[0]!r} to agree on their operations"
            )
        operations.append(_one(records, int(key[-1]), warnings))
    return operations, tuple(orders)


def _one(records: list[_Record], sequence: int, warnings: list[str]) -> Operation:
    first = records[0].operation
    # Who comes early waits in the kernel for the others: the shortest is nearest to what the bytes took.
    lasted = [record.operation.measured_s for record in records]
    sizes = [record.operation.bytes for record in records if record.operation.bytes is not None]
    missing = tuple(dict.fromkeys(part for record in records for part in record.operation.missing))
    volume = float(np.mean(sizes)) if sizes and "size" not in missing else None
    if first.kind != "all-to-all" and len(set(sizes)) > 1:
        warnings.append(f"{first.source}: members report {min(sizes):g} to {max(sizes):g} bytes; the largest is used")
        volume = max(sizes)
    splits: npt.NDArray[np.float64] | None = None
    if first.kind == "all-to-all" and any(record.row is not None for record in records):
        splits, lacking = _split_matrix(first, records)
        missing += lacking
    return replace(
        first,
        bytes=volume,
        splits=splits,
        sequence=first.sequence if first.sequence is not None else sequence,
        missing=missing,
        measured_s=min((one for one in lasted if one is not None), default=None),
    )


def _split_matrix(
    operation: Operation, records: list[_Record]
) -> tuple[npt.NDArray[np.float64] | None, tuple[str, ...]]:
    """Assemble who sends what to whom; rows of silent members are taken as even if all reported ones are."""
    rows = {record.rank: record for record in records}
    n = operation.group_size
    even = all(record.row is None or (len(set(record.row)) == 1 and len(record.row) == n) for record in records)
    if even and not any(math.isnan(part) for record in records for part in record.row or ()):
        return None, ()
    matrix = np.zeros((n, n))
    for place, rank in enumerate(operation.ranks or [None] * n):
        record = rows.get(rank)
        row = record.row if record is not None else None
        if record is not None and row is None and record.operation.bytes is not None:
            row = (record.operation.bytes / n,) * n
        if row is None or len(row) != n:
            return None, ("splits of all ranks",)
        matrix[place] = row
    matrix.setflags(write=False)
    return matrix, ()
