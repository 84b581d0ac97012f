"""NCCL Inspector's JSON lines (NVIDIA/nccl, plugins/profiler/inspector, output v4.0 and later): a job's operations.

Its sizes are those of the call: all-gather a rank's shard, reduce-scatter a rank's output, all-to-all the part of each
peer, all-reduce and broadcast the buffer.  Ranks are those of a communicator; of which job they are is told by the
largest communicator, whose ranks are taken for the job's, and by host and process.  Collectives are numbered by kind
(NVIDIA/nccl, src/misc/profiler.cc), messages by each of their ends for itself: the n-th of a size that a rank sent to
another is the n-th of that size that the other received from it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from collectives.errors import InputError
from collectives.gate import quoted
from collectives.sizes import counted
from traces.message_order import MEMBER, RECEIVE, SEND, common_order
from traces.nccl_inspector_lines import Counts, InspectorRecord, inspector_records
from traces.operation import Operation, Trace

# What the size of a call is multiplied by to be that of an operation here.
_TIMES_RANKS = frozenset({"reduce-scatter", "all-to-all"})
_Key = tuple[object, ...]


@dataclass(frozen=True)
class _Job:
    """Who is who."""

    largest: str
    n_ranks: dict[str, int]
    names: dict[str, str]
    rank_of: dict[tuple[str, int], int]
    members: dict[str, dict[int, tuple[str, int]]]

    def rank(self, communicator: str, rank: int) -> int | None:
        """Of the job; None where it is not known."""
        if communicator == self.largest:
            return rank
        process = self.members[communicator].get(rank)
        return None if process is None else self.rank_of.get(process)


def read_nccl_inspector(paths: Sequence[str]) -> Trace:
    """Collectives and messages of a job, each once however many ranks wrote it.

    Parameters
    ----------
    paths : sequence of path
        Files of processes, in any order.

    Returns
    -------
    Trace
        In the order of their times where the output is verbose, else in one that agrees with that of the processes'
        lines: of a dump one communicator after the other, collectives before messages.

    Raises
    ------
    InputError
        A line that is no JSON (but for a cut last one) or lacks what the format says; the same communicator, kind and
        number with another size, or the same communicator with another number of ranks: names both places.
    """
    counts = Counts()
    records = [one for path in paths for one in inspector_records(path, counts)]
    job = _job(records)
    together: dict[_Key, list[InspectorRecord]] = {}
    place_of: dict[_Key, int] = {}
    steps: dict[tuple[str, int], dict[tuple[int, str], None]] = {}
    messages = _messages(records)
    for place, one in enumerate(records):
        if one.n_ranks == 1:
            counts.ignored["collectives of a group of one"] += 1
        elif one.peer == one.rank:
            counts.ignored["messages of a rank to itself"] += 1
        else:
            key = messages.get(place, (one.communicator, one.kind, one.sequence))
            together.setdefault(key, []).append(one)
            step = (place_of.setdefault(key, len(place_of)), one.kind if one.peer is not None else MEMBER)
            steps.setdefault(one.process, {})[step] = None
    made = [_operation(key, same, job) for key, same in together.items()]
    if all(one.start_s is not None for one in made):
        made.sort(key=lambda one: one.start_s or 0.0)
    else:
        order, _ = common_order([list(own) for own in steps.values()], [one.ranks for one in made])
        made = [made[place] for place in order]
    traced = tuple(sorted({one.rank for one in records if one.communicator == job.largest}))
    warnings = _warnings(records, together, job, counts)
    ignored = tuple(counts.ignored.items())
    return Trace(tuple(paths), tuple(made), job.n_ranks.get(job.largest), ignored, warnings, traced)


def _job(records: Sequence[InspectorRecord]) -> _Job:
    sizes: dict[str, InspectorRecord] = {}
    names: dict[str, str] = {}
    members: dict[str, dict[int, tuple[str, int]]] = {}
    for one in records:
        first = sizes.setdefault(one.communicator, one)
        if first.n_ranks != one.n_ranks:
            raise InputError(
                f"{one.source}: communicator {quoted(one.communicator)} of {one.n_ranks:,} ranks, but {first.source}: "
                f"of {first.n_ranks:,}; expected the files of one job"
            )
        members.setdefault(one.communicator, {})[one.rank] = one.process
        if one.name:
            names.setdefault(one.communicator, one.name)
    largest = max(sizes, key=lambda name: (sizes[name].n_ranks, name), default="")
    # A process that drives several GPUs has several ranks, and does not tell which of them a record is of.
    alone = Counter(members.get(largest, {}).values())
    rank_of = {process: rank for rank, process in members.get(largest, {}).items() if alone[process] == 1}
    return _Job(largest, {name: one.n_ranks for name, one in sizes.items()}, names, rank_of, members)


def _messages(records: Sequence[InspectorRecord]) -> dict[int, _Key]:
    """Which message each end, by its place, is of."""
    found: dict[int, _Key] = {}
    seen: Counter[_Key] = Counter()
    for place in sorted(range(len(records)), key=lambda place: records[place].sequence):
        one = records[place]
        if one.peer is not None:
            ends = (one.rank, one.peer) if one.kind == SEND else (one.peer, one.rank)
            message = (one.communicator, "send-recv", *ends, one.bytes)
            found[place] = (*message, seen[(*message, one.kind)])
            seen[(*message, one.kind)] += 1
    return found


def _operation(key: _Key, same: list[InspectorRecord], job: _Job) -> Operation:
    first = same[0]
    for other in same:
        if other.bytes != first.bytes:
            raise InputError(
                f"{other.source}: {other.kind} of {other.bytes:,.0f} bytes, but {first.source}: {first.kind} of "
                f"{first.bytes:,.0f} bytes, the same communicator and number; ranks disagree"
            )
    message = first.kind in (SEND, RECEIVE)
    places = (int(str(key[2])), int(str(key[3]))) if message else range(first.n_ranks)
    known = [rank for place in places if (rank := job.rank(first.communicator, place)) is not None]
    ranks = tuple(known) if len(set(known)) == len(places) else ()
    name = job.names.get(first.communicator)
    lasted = [one.lasted_s for one in same if one.lasted_s is not None]
    starts = [one.start_s for one in same if one.start_s is not None]
    return Operation(
        "send-recv" if message else first.kind,
        ranks,
        len(places),
        f"{name} ({first.communicator})" if name else first.communicator,
        first.bytes * (first.n_ranks if first.kind in _TIMES_RANKS else 1),
        sequence=first.sequence,
        start_s=min(starts, default=None),
        source=first.source,
        missing=() if ranks else ("ranks",),
        measured_s=min(lasted, default=None),
    )


def _warnings(
    records: Sequence[InspectorRecord], together: dict[_Key, list[InspectorRecord]], job: _Job, counts: Counts
) -> tuple[str, ...]:
    said = [
        "NCCL Inspector leaves operations out: small ones (less than 8 KiB unless NCCL_INSPECTOR_DUMP_MIN_SIZE_BYTES "
        "says otherwise), and those whose kernels were not timed",
        f"ranks of the job: those of the largest communicator, {quoted(job.largest)}, are taken",
    ]
    dropped = [f"{number:,} {what}" for what, number in counts.dropped.items() if number]
    if dropped:
        said.append(f"NCCL Inspector says that it dropped {' and '.join(dropped)}: they are not in it")
    if counts.lacking:
        said.append(f"{counted(counts.lacking, 'record')} that dumps announce are not there: the files are incomplete")
    wrote = {(one.communicator, one.rank) for one in records}
    ends = [same for key, same in together.items() if key[1] == "send-recv"]
    alone = sum(len(same) == 1 and (same[0].communicator, same[0].peer) in wrote for same in ends)
    if alone:
        said.append(f"{alone:,} of {counted(len(ends), 'message')} were written by one of their two ranks only")
    untimed = sum(one.lasted_s is None for one in records)
    if untimed:
        said.append(f"{untimed:,} of {len(records):,} times are of the host's enqueuing, or 0, and left out")
    if len({(one.communicator, one.peer is None) for one in records}) > 1 and any(
        one.start_s is None for one in records
    ):
        said.append(
            "the order of communicators, and of messages among collectives, is not said: that of the lines is taken"
        )
    chosen = Counter(one.chosen for one in records if one.chosen)
    if chosen:
        most = ", ".join(f"{quoted(name)[1:-1]} {number:,}" for name, number in chosen.most_common(4))
        said.append(f"left out: which algorithm and protocol NCCL took (records: {most})")
    return tuple(said)
