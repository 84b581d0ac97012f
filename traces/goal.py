"""GOAL schedules (LogGOPSim, ATLAHS): sends, receives and calculations of each rank, and which of them wait for which.

Grammar: T. Hoefler, C. Siebert, A. Lumsdaine: Group Operation Assembly Language, ICPP 2009, as spcl/LogGOPSim's
``txt2bin`` reads it::

    num_ranks 2
    rank 0 { l1: send 8b to 1 tag 0
             l2: calc 100
             l2 requires l1 }
"""

import re
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from collectives.errors import InputError
from collectives.gate import quoted, whole
from traces.files import read_text
from traces.operation import Operation, Trace

_MOST_RANKS = 1 << 24
_SKIPPED = re.compile(r"(?>\s|;|//[^\n]*|#[^\n]*|/\*(?s:.*?)\*/)++", re.ASCII)
_STATEMENT = re.compile(
    r"num_ranks\s+(?P<n_ranks>\d+)\b"
    r"|rank\s+(?P<rank>\d+)\s*\{"
    r"|(?P<end>\})"
    r"|(?P<later>\w+)\s+i?requires\s+(?P<earlier>\w+)\b"
    r"|(?:(?P<label>\w+)\s*:\s*)?(?:"
    r"(?P<verb>send|recv)\s+(?P<size>\d+)b\s+(?:to|from)\s+(?P<peer>\d+)\b(?:\s+tag\s+(?P<tag>\d+)\b)?"
    r"|calc\s+(?P<calc>\d+)\b)(?:\s+(?:cpu|nic|stream)\s+\d+\b)*",
    re.ASCII,
)


@dataclass
class _Task:
    """A send, a receive or a calculation."""

    place: str
    verb: str
    rank: int
    peer: int = 0
    size: int = 0
    tag: int = 0
    after: list["_Task"] = field(default_factory=list)
    operation: int | None = None


def read_goal(paths: Sequence[str]) -> Trace:
    """Read a schedule: its messages.

    The n-th send of a rank to another with a tag is the n-th receive there.  A message is sent after those that its
    rank had to receive or send before; a receive alone holds nothing up, as sends do not wait for it.

    Parameters
    ----------
    paths : sequence of str
        One file.

    Returns
    -------
    Trace
        Sends without a receive, and the other way round, are incomplete.

    Raises
    ------
    InputError
        If there are several files, a statement is none, or it is of a rank or label that is not there.
    """
    if len(paths) > 1:
        raise InputError(f"{paths[1]}: a second GOAL schedule; expected one file with all ranks")
    n_ranks, tasks = _tasks(paths[0], read_text(paths[0]))
    ignored = Counter({"calculations": sum(task.verb == "calc" for task in tasks)})
    warnings: list[str] = []
    operations = _matched(tasks, ignored, warnings)
    ranks = tuple(sorted({task.rank for task in tasks}))
    if len(ranks) < n_ranks:
        warnings.append(f"{paths[0]}: {n_ranks - len(ranks)} of {n_ranks} ranks do nothing")
    return Trace(
        tuple(paths),
        tuple(operations),
        n_ranks,
        ignored=tuple((+ignored).items()),
        warnings=tuple(warnings),
        traced=tuple(range(n_ranks)),
        orders=_orders(tasks) or ((),),
    )


def _tasks(path: str, text: str) -> tuple[int, list[_Task]]:
    """Ranks of the job and what they do; `after` of each: what it requires."""
    n_ranks: int | None = None
    rank: int | None = None
    seen: set[int] = set()
    labels: dict[str, _Task] = {}
    tasks: list[_Task] = []
    at, line, counted = 0, 1, 0
    while True:
        skipped = _SKIPPED.match(text, at)
        at = skipped.end() if skipped else at
        line += text.count("\n", counted, at)
        counted = at
        where = f"{path}:{line}"
        if at == len(text):
            break
        found = _STATEMENT.match(text, at)
        if found is None or (rank is None) == (found["rank"] is None and found["n_ranks"] is None):
            expected = "num_ranks or rank N {" if rank is None else "send, recv, calc, requires or }"
            raise InputError(f"{where}: {quoted(text[at : at + 200].split(chr(10))[0])}; expected {expected}")
        at = found.end()
        if found["n_ranks"]:
            if n_ranks is not None:
                raise InputError(f"{where}: num_ranks a second time; expected it once")
            n_ranks = whole(found["n_ranks"], f"{where}: num_ranks", 1, _MOST_RANKS)
        elif found["rank"]:
            if n_ranks is None:
                raise InputError(f"{where}: rank before num_ranks; expected num_ranks first")
            rank = whole(found["rank"], f"{where}: rank", 0, n_ranks - 1)
            if rank in seen:
                raise InputError(f"{where}: rank {rank} a second time; expected each rank once")
            seen.add(rank)
            labels = {}
        elif found["end"]:
            rank = None
        elif found["later"]:
            for name in (found["later"], found["earlier"]):
                if name not in labels:
                    raise InputError(f"{where}: label {quoted(name)}; expected one that this rank has above")
            labels[found["later"]].after.append(labels[found["earlier"]])
        else:
            task = _task(where, found, rank or 0, n_ranks or 1)
            tasks.append(task)
            if found["label"]:
                if found["label"] in labels:
                    raise InputError(f"{where}: label {quoted(found['label'])} a second time; expected another one")
                labels[found["label"]] = task
    if rank is not None or n_ranks is None:
        raise InputError(f"{where}: the file ends in rank {rank}; expected }}" if rank is not None else
                         f"{path}: no num_ranks; expected a GOAL schedule")  # fmt: skip
    return n_ranks, tasks


def _task(where: str, found: "re.Match[str]", rank: int, n_ranks: int) -> _Task:
    if not found["verb"]:
        return _Task(where, "calc", rank)
    peer = whole(found["peer"], f"{where}: rank", 0, n_ranks - 1)
    size = whole(found["size"], f"{where}: bytes")
    return _Task(where, found["verb"], rank, peer, size, whole(found["tag"] or "0", f"{where}: tag"))


def _matched(tasks: list[_Task], ignored: Counter[str], warnings: list[str]) -> list[Operation]:
    """A message for each send and its receive."""
    waiting: dict[tuple[int, int, int], deque[_Task]] = {}
    for task in tasks:
        if task.verb == "recv":
            waiting.setdefault((task.peer, task.rank, task.tag), deque()).append(task)
    operations: list[Operation] = []
    alone: dict[str, list[_Task]] = {"send": [], "recv": []}
    uneven: list[_Task] = []
    for task in tasks:
        if task.verb != "send":
            continue
        there = waiting.get((task.rank, task.peer, task.tag))
        receive = there.popleft() if there else None
        if receive is None:
            alone["send"].append(task)
        elif receive.size != task.size:
            uneven.append(task)
        if task.rank == task.peer:
            ignored["messages of a rank to itself"] += 1
            continue
        task.operation = len(operations)
        if receive is not None:
            receive.operation = len(operations)
        operations.append(_message(task, task.rank, task.peer, () if receive is not None else ("its receive",)))
    for task in (one for queue in waiting.values() for one in queue):
        alone["recv"].append(task)
        if task.rank != task.peer:
            task.operation = len(operations)
            operations.append(_message(task, task.peer, task.rank, ("its send",)))
    for verb, other in (("send", "receive"), ("recv", "send")):
        if alone[verb]:
            first = alone[verb][0]
            warnings.append(f"{len(alone[verb])} x {verb} without its {other}, first {first.place}: incomplete")
    if uneven:
        warnings.append(
            f"{len(uneven)} receives of other sizes than what is sent, which counts: first {uneven[0].place}"
        )
    return operations


def _message(task: _Task, src: int, dst: int, missing: tuple[str, ...]) -> Operation:
    return Operation(
        "send-recv",
        (src, dst),
        2,
        group=f"tag {task.tag}",
        bytes=float(task.size),
        dtype="bytes",
        source=task.place,
        missing=missing,
    )


def _orders(tasks: list[_Task]) -> tuple[tuple[int, ...], ...]:
    """Pairs of messages of which the second is sent after the first: what each send requires, through other tasks."""
    pairs: dict[tuple[int, int], None] = {}
    for task in tasks:
        if task.verb != "send" or task.operation is None:
            continue
        seen: set[int] = set()
        ahead = list(task.after)
        while ahead:
            one = ahead.pop()
            if id(one) in seen:
                continue
            seen.add(id(one))
            if one.operation is not None and one.operation != task.operation:
                pairs[one.operation, task.operation] = None
            if one.verb != "send":
                ahead += one.after
    return tuple(pairs)
