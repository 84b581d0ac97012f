"""PyTorch execution traces (``ExecutionTraceObserver``), schemas 1.0.1 to 1.1.1: a file of each rank.

What a node says stands in `traces.pytorch_et_nodes`.  Timestamps there are none: a rank's operations follow one another
as the nodes do.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from collectives.errors import InputError
from collectives.gate import quoted
from collectives.sizes import counted
from traces.file_ranks import ranks_of_files
from traces.message_order import MEMBER, RECEIVE, SEND, common_order
from traces.operation import Operation, Trace
from traces.pytorch_et_nodes import Group, RankFile, Recorded, read_rank_file
from traces.torch_names import ROOTED


@dataclass(frozen=True, eq=False)
class _Seen:
    """An operation as one rank recorded it."""

    operation: Operation
    rank: int
    role: str
    record: Recorded


def read_pytorch_et(paths: Sequence[str]) -> Trace:
    """Operations of a job, each once however many ranks recorded it.

    Parameters
    ----------
    paths : sequence of path
        A file of each rank, in any order.  Which rank it is of, its collectives without a root say; where there are
        none, its name or its place does, and `Trace.warnings` say so: see `traces.file_ranks`.

    Raises
    ------
    InputError
        A schema that is not known, a node that lacks what its schema says, two files of one rank, a rank outside a
        group that its file is of, or two files that disagree about an operation: of the same group and sequence, but
        of another kind, root or size, or of other bytes between two ranks of an all-to-all: names both.
    """
    ignored: Counter[str] = Counter()
    files = [read_rank_file(path, ignored) for path in paths]
    ranks, of_ranks = ranks_of_files(paths, [file.rank for file in files])
    everyone, of_groups = _everyone(files, ranks)
    warnings = [*of_ranks, *of_groups]
    alike: dict[tuple[str, tuple[int, ...]], Group] = {}
    found: dict[Hashable, list[_Seen]] = {}
    place: dict[Hashable, int] = {}
    steps: list[list[tuple[int, str]]] = []
    for file, rank in zip(files, ranks, strict=True):
        groups = _shared(file, everyone, alike)
        times: Counter[Hashable] = Counter()
        own = []
        for record in file.records:
            seen = _seen(replace(record, group=groups[record.group]), rank)
            key, role = _key(seen), seen.role
            same = (key, times[key, role])
            times[key, role] += 1
            found.setdefault(same, []).append(seen)
            own.append((place.setdefault(same, len(place)), role))
        steps.append(own)
    operations = [_joined(same) for same in found.values()]
    size = max([len(everyone), *(file.n_ranks for file in files)])
    orders = tuple(tuple(one for one, _ in own) for own in steps)
    if any(role != MEMBER for own in steps for _, role in own):
        order, forced = common_order(steps, [one.ranks for one in operations])
        operations, orders = [operations[one] for one in order], ()
        if forced:
            warnings.append(f"{counted(forced, 'operation')} in an order in which ranks would wait for one another")
    return Trace(
        tuple(paths),
        tuple(operations),
        size or None,
        tuple(ignored.items()),
        tuple(warnings),
        tuple(sorted(ranks)),
        orders,
    )


def _everyone(files: Sequence[RankFile], ranks: Sequence[int]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Ranks that are taken for the members where no groups are recorded, and what is said of it."""
    silent = [file for file in files if not file.grouped and any(not one.group.members for one in file.records)]
    if not silent:
        return (), ()
    lacking = "process groups are not recorded"
    if not all(file.alone for file in silent):
        return (), (f"{lacking}, and there are several: which ranks they are of is unknown",)
    n = len(files)
    splits = {len(listed) for file in silent for one in file.records for listed in _both(one) if listed}
    if n == 1 or sorted(ranks) != list(range(n)) or not splits <= {n}:
        return (), (f"{lacking}, and the files are not those of all ranks: which ranks they are of is unknown",)
    return tuple(range(n)), (f"{lacking}: the {n} ranks that there are files of are taken",)


def _shared(
    file: RankFile, everyone: tuple[int, ...], alike: dict[tuple[str, tuple[int, ...]], Group]
) -> dict[Group, Group]:
    """For each group of a file one that all files share; `alike` has those that are known."""
    shared: dict[Group, Group] = {}
    for group in {record.group: None for record in file.records}:
        whole = not file.grouped and file.alone and not group.members
        one = Group("", everyone) if whole else group
        shared[group] = alike.setdefault((one.name, one.members), one)
    return shared


def _key(seen: _Seen) -> Hashable:
    """What the members of one operation have in common, but for repetition."""
    one = seen.operation
    if seen.role == MEMBER:
        return seen.record.group, one.sequence
    # Of whom nothing is known, nobody's message is it but this file's.
    return "message", seen.record.group, one.ranks or (seen.rank, seen.role)


def _seen(record: Recorded, rank: int) -> _Seen:
    group, kind = record.group, record.kind
    members = group.members
    if members and rank not in group.place:
        raise InputError(
            f"{record.source}: of group {quoted(group.name)} of {counted(len(members), 'rank')}, and rank {rank}, "
            "which the file is taken to be of, is none of them; expected rankN in its name"
        )
    size = record.received if kind == "scatter" else record.bytes
    ranks, n, role = members, max(len(members), len(record.sends or ()), 1), MEMBER
    if kind == "send-recv":
        role = SEND if record.name == "send" else RECEIVE
        peer = members[record.rank] if members and record.rank is not None else None
        if peer == rank:
            raise InputError(
                f"{record.source}: a {record.name} between rank {rank}, which the file is taken to be of, and itself; "
                "expected rankN in its name"
            )
        ranks, n = () if peer is None else (rank, peer) if role == SEND else (peer, rank), 2
        size = record.bytes if record.bytes is not None else record.received
    for what, splits in (("input", record.sends), ("output", record.receives)):
        if kind == "all-to-all" and splits and members and len(splits) != len(members):
            raise InputError(f"{record.source}: {what} splits: expected {len(members)} whole numbers, one a rank")
    return _Seen(
        Operation(
            kind,
            ranks,
            n,
            group.name,
            size,
            sequence=record.sequence,
            dtype=record.dtype,
            source=record.source,
            missing=(*(() if ranks else ("ranks",)), *(() if size is not None else ("size",))),
            root=record.rank if kind in ROOTED else None,
        ),
        rank,
        role,
        record,
    )


def _joined(same: list[_Seen]) -> Operation:
    """One operation of what its ranks recorded; of an uneven exchange every rank's splits."""
    first = same[0].operation
    operations = [seen.operation for seen in same]
    rooted = next((one for one in operations if one.root is not None), first)
    known = [one for one in operations if one.bytes is not None]
    for one in operations:
        if one.kind != first.kind:
            raise InputError(_disagreement(one, first))
        if one.root is not None and one.root != rooted.root:
            raise InputError(_disagreement(one, rooted))
        if one.bytes is not None and one.kind != "all-to-all" and one.bytes != known[0].bytes:
            raise InputError(_disagreement(one, known[0]))
    missing = tuple(part for part in first.missing if part != "size" or not known)
    dtype = next((one.dtype for one in operations if one.dtype), "")
    if first.kind != "all-to-all" or not known:
        size = known[0].bytes if known else None
        return replace(first, bytes=size, missing=missing, dtype=dtype, root=rooted.root)
    mean = float(np.mean([one.bytes for one in known]))
    splits, lacking = _splits(same, same[0].record.group)
    return replace(first, bytes=mean, missing=(*missing, *lacking), dtype=dtype, splits=splits)


def _splits(same: list[_Seen], group: Group) -> tuple[npt.NDArray[np.float64] | None, tuple[str, ...]]:
    """Bytes from each member to each other; None where they are even.  O(ranks that recorded it x members)."""
    n = len(group.members)
    if not n:
        uneven = any(splits is None or len(set(splits)) > 1 for seen in same for splits in _both(seen.record))
        return None, ("splits of every rank",) if uneven else ()
    reporting = sorted(same, key=lambda seen: group.place[seen.rank])
    places = [group.place[seen.rank] for seen in reporting]
    sent = np.array([_row(seen.record.sends, seen.record.bytes, n) for seen in reporting])
    received = np.array([_row(seen.record.receives, seen.record.received, n) for seen in reporting])
    # Splits are rows of tensors: their bytes are exact but for rounding.
    to, of = sent[:, places], received[:, places].T
    differ = np.abs(to - of) > 1e-9 * np.maximum(to, of) + 1e-6
    if differ.any():
        i, j = map(int, np.argwhere(differ)[0])
        one, other = reporting[i], reporting[j]
        raise InputError(
            f"{one.record.source}: {to[i, j]:,.0f} bytes to rank {other.rank}, but {other.record.source}: "
            f"{of[i, j]:,.0f} bytes from rank {one.rank}, the same group and sequence; ranks disagree"
        )
    told = np.concatenate([sent[~np.isnan(sent)], received[~np.isnan(received)]])
    cut = any(None in _both(seen.record) for seen in same)
    if told.size and not cut and np.ptp(told) <= 1e-9 * told[0] + 1e-6:
        return None, ()
    if len(reporting) < n or np.isnan(sent).any():
        return None, ("splits of every rank",)
    sent.setflags(write=False)
    return sent, ()


def _both(record: Recorded) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
    return record.sends, record.receives


def _row(splits: tuple[int, ...] | None, size: float | None, n: int) -> npt.NDArray[np.float64]:
    """Bytes to or from each member; NaN where that is not said."""
    if size is None or splits is None:
        return np.full(n, np.nan)
    total = sum(splits)
    if not total:
        return np.full(n, 0.0 if splits else size / n)
    return np.array([size * one / total for one in splits])


def _disagreement(one: Operation, other: Operation) -> str:
    return (
        f"{one.source}: {_said(one)}, but {other.source}: {_said(other)}, the same group and sequence; ranks disagree"
    )


def _said(one: Operation) -> str:
    size = "an unknown size" if one.bytes is None else f"{one.bytes:,.0f} bytes"
    return f"{one.kind} of {size}{'' if one.root is None else f', root {one.root}'}"
