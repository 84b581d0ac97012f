"""PyTorch profiler (Kineto) traces: the ``record_param_comms`` events of one or several ranks' files.

Each collective stands in a trace several times: as the CPU operator ``record_param_comms`` with its parameters, as
annotations, and as the kernel.  The operator counts, once (`traces.kineto_record`); what has none is in
`traces.kineto_evidence`.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from collectives.errors import InputError
from traces.kineto_file import KinetoFile, read_kineto_file
from traces.kineto_record import Record
from traces.operation import Operation, RankReport, Trace


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
    files = [read_kineto_file(str(path)) for path in listed]
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
        tuple(file.gpu_time for file in files if file.gpu_time is not None),
    )


def _joined(files: list[KinetoFile], warnings: list[str]) -> tuple[list[Operation], tuple[tuple[int, ...], ...]]:
    """One operation for what several members reported, and each file's order of them.

    What a group's members gave one sequence is one operation; where that is not recorded, the n-th is the same for all.
    """
    unnumbered = {_group(record) for file in files for record in file.records if record.operation.sequence is None}
    together: dict[tuple[Any, ...], list[Record]] = {}
    place: dict[tuple[Any, ...], int] = {}
    orders: list[tuple[int, ...]] = []
    for file in files:
        own: list[int] = []
        counted: Counter[tuple[Any, ...]] = Counter()
        for record in file.records:
            group = _group(record)
            numbered = group not in unnumbered and record.operation.kind != "send-recv"
            # A sequence may restart, and operations that were coalesced share one.
            which = (*group, record.operation.sequence if numbered else None)
            key = (*which, counted[which])
            counted[which] += 1
            together.setdefault(key, []).append(record)
            own.append(place.setdefault(key, len(place)))
        orders.append(tuple(own))
    operations = []
    for key, records in together.items():
        _check_alike(records, str(key[0]))
        operations.append(_one(records, int(key[-1]), warnings))
    return operations, tuple(orders)


def _group(record: Record) -> tuple[Any, ...]:
    """What members of a group have in common; of a message, its ends."""
    operation = record.operation
    if operation.kind == "send-recv":
        return ("send-recv", operation.ranks or (record.rank, record.collective, record.peer))
    return (operation.group, operation.group_size, operation.ranks)


def _check_alike(records: list[Record], group: str) -> None:
    """Refuse members that say different things of one operation; an all-to-all may be uneven."""
    first = records[0].operation
    for record in records[1:]:
        other = record.operation
        sized = first.bytes is not None and other.bytes is not None and first.kind not in ("all-to-all", "send-recv")
        if other.kind != first.kind or (sized and other.bytes != first.bytes):
            what = [f"{one.kind} of {one.bytes:,.0f} bytes" if sized else one.kind for one in (first, other)]
            raise InputError(
                f"{first.source}: {what[0]}, but {other.source}: {what[1]}; "
                f"expected the members of group {group!r} to agree on their operations"
            )


def _one(records: list[Record], sequence: int, warnings: list[str]) -> Operation:
    first = records[0].operation
    # Who comes early waits in the kernel for the others: the last start and the shortest time are nearest to what the
    # bytes took.
    starts = [record.operation.start_s for record in records]
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
        start_s=max((one for one in starts if one is not None), default=None),
        reports=tuple(
            RankReport(record.rank, record.operation.start_s, record.operation.measured_s)
            for record in records
            if first.kind != "send-recv" and record.rank is not None
        ),
    )


def _split_matrix(
    operation: Operation, records: list[Record]
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
