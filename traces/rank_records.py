"""What several ranks recorded, each in a file of its own, as one job's operations."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from collectives.errors import InputError
from traces.message_order import MEMBER, RECEIVE, SEND, common_order
from traces.operation import Operation


@dataclass(frozen=True, eq=False)
class Record:
    """An operation as one rank recorded it.

    Attributes
    ----------
    operation : Operation
    role : str
        `MEMBER` of a collective; `SEND` or `RECEIVE` of a message.
    tag : hashable
        Of a message: sends and receives of the same two ranks and tag belong together, the n-th to the n-th.
    """

    operation: Operation
    role: str = MEMBER
    tag: Hashable = None


@dataclass(frozen=True, eq=False)
class Recording:
    """The records of one rank, in the order in which it issued them.

    Attributes
    ----------
    path : str
    rank : int or None
        None where the only file does not say.
    records : tuple of Record
    """

    path: str
    rank: int | None
    records: tuple[Record, ...]


@dataclass(frozen=True, eq=False)
class Joined:
    """Operations of a job: see `traces.operation.Trace`.

    Attributes
    ----------
    operations : tuple of Operation
    orders : tuple of tuple of int
        Empty where messages are among them: `operations` are in an order that agrees with all ranks then.
    warnings : tuple of str
    """

    operations: tuple[Operation, ...]
    orders: tuple[tuple[int, ...], ...]
    warnings: tuple[str, ...]


def checked_ranks(ranks: Sequence[tuple[str, int | None]], expected: str) -> None:
    """Refuse two files of one rank, and several of which one does not say its rank.

    Parameters
    ----------
    ranks : sequence of (str, int or None)
        Path and rank of each file.
    expected : str
        What would say the rank.

    Raises
    ------
    InputError
    """
    by_rank: dict[int, str] = {}
    for path, rank in ranks:
        if rank is None:
            if len(ranks) > 1:
                raise InputError(f"{path}: which rank it is of is not said; expected {expected}, to join several files")
        elif rank in by_rank:
            raise InputError(f"{path}: rank {rank} was read from {by_rank[rank]} already")
        else:
            by_rank[rank] = path


def joined(recordings: Sequence[Recording]) -> Joined:
    """One operation for what several ranks recorded.

    The n-th operation of a group is the same for all of its members; the n-th send from one rank to another of a tag
    belongs to the n-th receive there.

    Raises
    ------
    InputError
        If members of a group, or the two ends of a message, disagree about what it is or how large: names both places.
    """
    together: dict[tuple[Hashable, ...], list[Record]] = {}
    place: dict[tuple[Hashable, ...], int] = {}
    steps: list[list[tuple[int, str]]] = []
    for number, recording in enumerate(recordings):
        own: list[tuple[int, str]] = []
        counted: Counter[tuple[Hashable, ...]] = Counter()
        for record in recording.records:
            operation = record.operation
            group: tuple[Hashable, ...] = (operation.group, operation.ranks)
            if record.role != MEMBER:
                # Of whom nothing is known, nobody's message is it but this file's.
                ends = operation.ranks or (number, record.role)
                group = ("message", ends, record.tag)
            counting = (*group, record.role)
            key = (*group, counted[counting])
            counted[counting] += 1
            together.setdefault(key, []).append(record)
            own.append((place.setdefault(key, len(place)), record.role))
        steps.append(own)
    warnings: list[str] = []
    operations = [_one(records, _number(key), warnings) for key, records in together.items()]
    warnings += _unmatched(together, {recording.rank for recording in recordings})
    if all(role == MEMBER for own in steps for _, role in own):
        return Joined(tuple(operations), tuple(tuple(one for one, _ in own) for own in steps), tuple(warnings))
    order, forced = common_order(steps, [operation.ranks for operation in operations])
    if forced:
        warnings.append(f"{forced:,} operations stand in an order in which ranks would wait for one another")
    return Joined(tuple(operations[one] for one in order), (), tuple(warnings))


def _number(key: tuple[Hashable, ...]) -> int:
    last = key[-1]
    assert isinstance(last, int)
    return last


def _one(records: list[Record], sequence: int, warnings: list[str]) -> Operation:
    first = records[0].operation
    known = [record.operation for record in records if record.operation.bytes is not None]
    for one in (record.operation for record in records):
        other = first if one.kind != first.kind or not known else known[0]
        # Of an all-to-all each rank has its own size.
        differ = one.bytes is not None and one.bytes != other.bytes and one.kind != "all-to-all"
        if one.kind != other.kind or differ:
            raise InputError(
                f"{one.source}: {_said(one)}, but {other.source}: {_said(other)}, the same operation; ranks disagree"
            )
    sizes = {one.bytes for one in known if one.bytes is not None}
    if len(sizes) > 1:
        warnings.append(
            f"{first.source}: an uneven all-to-all, ranks send {min(sizes):,.0f} to {max(sizes):,.0f} bytes: it is "
            "taken as even, of the mean size"
        )
    # Who comes early waits in the kernel for the others: the shortest is nearest to what the bytes took.
    lasted = [record.operation.measured_s for record in records if record.operation.measured_s is not None]
    missing = tuple(part for part in first.missing if part != "size" or not known)
    return replace(
        first,
        bytes=sum(one.bytes or 0.0 for one in known) / len(known) if known else None,
        sequence=sequence if first.sequence is None else first.sequence,
        missing=missing,
        measured_s=min(lasted, default=None),
    )


def _said(one: Operation) -> str:
    return f"{one.kind} of {'an unknown size' if one.bytes is None else f'{one.bytes:,.0f} bytes'}"


def _unmatched(together: dict[tuple[Hashable, ...], list[Record]], ranks: set[int | None]) -> list[str]:
    """What is said of messages of which only one end is there although both ranks were recorded."""
    alone: Counter[str] = Counter()
    for records in together.values():
        if len(records) == 1 and records[0].role != MEMBER and records[0].operation.ranks:
            source, target = records[0].operation.ranks
            if source in ranks and target in ranks and source != target:
                alone[records[0].role] += 1
    others = {SEND: "receive in the file of the receiver", RECEIVE: "send in the file of the sender"}
    return [f"{count:,} {role}s have no {others[role]}; they count as messages" for role, count in alone.items()]
