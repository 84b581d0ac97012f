"""Dumps of PyTorch's NCCL flight recorder, joined: a file of each rank.

What an entry says stands in `traces.flight_recorder_dump`.  The recorder keeps the last operations only: what was
before is not in it, and ranks' dumps begin at different ones.
"""

import re
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from collectives.errors import InputError
from collectives.gate import quoted
from collectives.sizes import counted
from traces.flight_recorder_dump import Dump, Entry, read_dump
from traces.message_order import MEMBER, common_order
from traces.operation import Operation, RankReport, Trace


def read_flight_recorder(paths: Sequence[str]) -> Trace:
    """Operations of a job, each once however many ranks dumped it.

    Collectives are the same by group and sequence.  The recorder counts each rank's messages by itself, so that of two
    ranks the n-th send of a size that was dumped is taken for the n-th receive that was.

    Parameters
    ----------
    paths : sequence of path
        Dumps of ranks; a rank is told by the end of its file's name (``_dump_3``), else by its messages, else by its
        place, which `Trace.warnings` say.

    Raises
    ------
    InputError
        A pickle that asks for code, a cut file, a version before 2, an entry without what the format says, two files of
        one rank, a name that contradicts the messages, a group with other ranks in two files, or the same group and
        sequence with another operation or size in two files: names both.
    """
    dumps = [read_dump(path) for path in paths]
    warnings = ["the recorder keeps a rank's last operations only: those before them are not in the dump"]
    groups = _groups(dumps)
    ranks = _ranks(dumps, warnings)
    found: dict[Hashable, list[tuple[int, Entry]]] = {}
    place: dict[Hashable, int] = {}
    steps: list[list[tuple[int, str]]] = []
    for dump, rank in zip(dumps, ranks, strict=True):
        times: Counter[Hashable] = Counter()
        own = []
        for entry in dump.entries:
            key = _key(entry, rank)
            same = key, times[key, entry.role]
            times[key, entry.role] += 1
            found.setdefault(same, []).append((rank, entry))
            own.append((place.setdefault(same, len(place)), entry.role))
        steps.append(own)
    operations = [_joined(same) for same in found.values()]
    reported = [{rank for rank, _ in same} for same in found.values() if same[0][1].role == MEMBER]
    members = [set(one.ranks) for one in operations if one.kind != "send-recv"]
    whole = sum(bool(those) and those <= dumped for those, dumped in zip(members, reported, strict=True))
    if whole < len(members):
        warnings.append(f"{whole:,} of {len(members):,} collectives were dumped by every member")
    warnings += _uneven(operations, [[entry for _, entry in same] for same in found.values()])
    orders = tuple(tuple(one for one, _ in own) for own in steps)
    if len(members) < len(operations):
        order, forced = common_order(steps, [one.ranks for one in operations])
        operations, orders = [operations[one] for one in order], ()
        if forced:
            warnings.append(f"{counted(forced, 'operation')} in an order in which ranks would wait for one another")
    return Trace(
        tuple(paths),
        tuple(operations),
        max((max(one) + 1 for one in groups.values() if one), default=None),
        tuple(sum((Counter(dict(dump.ignored)) for dump in dumps), Counter()).items()),
        tuple(warnings),
        tuple(sorted(ranks)),
        orders,
    )


def _ranks(dumps: Sequence[Dump], warnings: list[str]) -> list[int]:
    """Rank of each dump."""
    first_of: dict[int, str] = {}
    ranks = []
    for place, dump in enumerate(dumps):
        name = re.sub(r"\.(?:gz|xz|json|pkl|pickle)$", "", dump.path.rpartition("/")[2])
        end = re.search(r"([0-9]{1,9})$", name)
        rank = int(end[1]) if end else None
        for entry in dump.entries:
            rank = entry.own if rank is None else rank
            if entry.own not in (None, rank):
                raise InputError(
                    f"{entry.operation.source}: a message of rank {entry.own}, but the file is of rank {rank}; "
                    "expected a file of one rank, whose name ends with it"
                )
        if rank is None:
            rank = place
            warnings.append(f"{dump.path}: neither its name nor its entries say its rank: {rank}, its place, is taken")
        for one in (entry.operation for entry in dump.entries if entry.role == MEMBER):
            if one.ranks and rank not in one.ranks:
                raise InputError(
                    f"{one.source}: group {quoted(one.group)} is not of rank {rank}, which the file is taken to be of; "
                    "expected a name that ends with its rank"
                )
        if rank in first_of:
            raise InputError(
                f"{dump.path}: rank {rank}, as {first_of[rank]}; expected a file of each rank, named ..._0, ..._1"
            )
        first_of[rank] = dump.path
        ranks.append(rank)
    return ranks


def _groups(dumps: Sequence[Dump]) -> dict[str, tuple[int, ...]]:
    """Ranks of every group."""
    groups: dict[str, tuple[int, ...]] = {}
    where: dict[str, str] = {}
    for dump in dumps:
        for name, members in dump.groups.items():
            if groups.setdefault(name, members) != members:
                raise InputError(f"{dump.path}: group {quoted(name)} has other ranks than in {where[name]}")
            where.setdefault(name, dump.path)
    return groups


def _key(entry: Entry, rank: int) -> Hashable:
    """What the entries of one operation have in common, but for repetition."""
    one = entry.operation
    if entry.role == MEMBER:
        return one.group, one.sequence
    # Of whom nothing is known, nobody's message is it but this file's.
    return "message", one.group, one.ranks or (rank, entry.role), one.bytes


def _joined(same: list[tuple[int, Entry]]) -> Operation:
    """One operation of what its ranks dumped."""
    dumped = [entry.operation for _, entry in same]
    first = dumped[0]
    known = [one for one in dumped if one.bytes is not None]
    for one in dumped:
        other = known[0] if known else first
        differ = one.bytes is not None and one.bytes != other.bytes and one.kind != "all-to-all"
        if one.kind != first.kind or differ:
            other = other if differ else first
            raise InputError(
                f"{one.source}: {_said(one)}, but {other.source}: {_said(other)}, the same group and sequence; ranks "
                "disagree"
            )
    times = [one.measured_s for one in dumped if one.measured_s is not None]
    starts = [one.start_s for one in dumped if one.start_s is not None]
    return replace(
        first,
        bytes=float(np.mean([one.bytes for one in known])) if known else None,
        missing=tuple(part for part in first.missing if part != "size" or not known),
        splits=_splits(first, {rank: entry.parts for rank, entry in same}),
        measured_s=min(times, default=None),
        start_s=max(starts, default=None),
        reports=tuple(
            RankReport(rank, entry.operation.start_s, entry.operation.measured_s)
            for rank, entry in same
            if entry.role == MEMBER
        ),
    )


def _splits(one: Operation, parts: dict[int, tuple[float, ...]]) -> npt.NDArray[np.float64] | None:
    """Bytes between members, where each of them dumped a tensor for each and they are not all alike."""
    n = len(one.ranks)
    if one.kind != "all-to-all" or n < 2 or any(len(parts.get(rank, ())) != n for rank in one.ranks):
        return None
    splits = np.array([parts[rank] for rank in one.ranks])
    splits.setflags(write=False)
    return splits if np.ptp(splits) else None


def _uneven(operations: Sequence[Operation], found: Sequence[list[Entry]]) -> list[str]:
    """What is said of all-to-alls of unknown splits whose members send or receive more or less than others."""
    apart: list[float] = []
    for one, same in zip(operations, found, strict=True):
        if one.kind == "all-to-all" and one.splits is None:
            sizes = [size for entry in same for size in (entry.operation.bytes, entry.received) if size is not None]
            sizes += [
                part * len(one.ranks) for entry in same if len(entry.parts) == len(one.ranks) for part in entry.parts
            ]
            if sizes and max(sizes) > min(sizes):
                apart.append(1 - min(sizes) / max(sizes))
    if not apart:
        return []
    return [
        f"{counted(len(apart), 'uneven all-to-all')}, by up to {max(apart):.1%} of a rank's bytes: who sends how much "
        "to whom is not in the dump, and they are taken as even, of the mean size"
    ]


def _said(one: Operation) -> str:
    return f"{one.kind} of {'an unknown size' if one.bytes is None else f'{one.bytes:,.0f} bytes'}"
