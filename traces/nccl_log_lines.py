"""Lines of NCCL's and RCCL's debug logs (``NCCL_DEBUG=INFO``), whatever a launcher put in front of them.

A line is ``host:pid:tid [device] NCCL INFO text`` (NVIDIA/nccl ``src/debug.cc``).  Launchers write before it: srun
``0: ``, mpirun ``[1,0]<stdout>:``, torchrun ``[default0]:``, kubectl a pod's name, others a time, as NCCL itself does
(``NCCL_DEBUG_TIMESTAMP_LEVELS``).  Processes that share a terminal write into one another's lines: a second beginning
inside a line ends the first record.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from collectives.errors import InputError
from collectives.gate import whole

MOST_RANKS = 1 << 24
"""Ranks of a communicator; more than any fabric that can be built has endpoints."""


_BEGINNING = re.compile(
    r"([\w.\-]{1,255}):(\d{1,10}):(\d{1,10}) \[(-?\d{1,4})\] (?:\S{1,200} )?NCCL (?:INFO|WARN|TRACE|VERSION)\b ?",
    re.ASCII,
)
# srun --label counts tasks of the job, Open MPI's --tag-output ranks of the world.
_LABEL = re.compile(r"\s*(?:(\d{1,8}): |\[\d{1,8},(\d{1,8})\](?:<std(?:out|err|diag)>)?:)", re.ASCII)
# ISO 8601, its T or a blank; without a zone the host's own time.
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s?(?:(Z)|([+-])(\d\d):?(\d\d))?(?!\d)", re.ASCII
)
# Of what stands before a record: a time is in it, and not too much else.
_BEFORE = 400
# src/enqueue.cc, ncclEnqueueCheck; RCCL adds `acc` before the count.
_COLL = re.compile(
    r"(\w{1,40}): opCount ([0-9a-fA-F]{1,16}) sendbuff \S+ recvbuff \S+ (?:acc \S+ )?count (\d{1,20}) "
    r"datatype (\d{1,4}) op \d+ root (-?\d{1,9}) comm (0x[0-9a-fA-F]{1,16}) (?:\[nranks=(\d{1,9})\] )?stream",
    re.ASCII,
)
_COLL_BEGINS = re.compile(r"\w{1,40}: opCount\b", re.ASCII)
# src/init.cc, ncclCommInitRankFunc: START and COMPLETE say the same.
_INIT = re.compile(
    r"comm (0x[0-9a-fA-F]{1,16}) rank (\d{1,9}) nranks (\d{1,9}) cudaDev (-?\d{1,4}) (.*?) ?- Init ", re.ASCII
)
_COMM_ID = re.compile(r"commId (0x[0-9a-fA-F]{1,16})", re.ASCII)
_SPLIT = re.compile(r"parent (0x[0-9a-fA-F]{1,16}) (?:splitCount|childCount) (\d{1,9}) color (-?\d{1,20})", re.ASCII)
_TUNING = re.compile(r"(?:\w{1,40}: )?\d{1,20} Bytes -> Algo", re.ASCII)
_WIRING = re.compile(r"Channel \d|Ring \d|Trees? [\[\d]|Connected all|threadThresholds|\d+ coll channels", re.ASCII)
KIND_OF_CALL = {
    "allreduce": "all-reduce",
    "allreducewithbias": "all-reduce",
    "allgather": "all-gather",
    "reducescatter": "reduce-scatter",
    "alltoall": "all-to-all",
    "alltoallv": "all-to-all",
    "broadcast": "broadcast",
    "bcast": "broadcast",
    "reduce": "reduce",
    "gather": "gather",
    "scatter": "scatter",
    "send": "send",
    "recv": "recv",
}
"""What a function of NCCL's interface does, by its name in small letters: as in `traces.operation.KINDS`, or an end of
a message."""

# ncclDataType_t of src/nccl.h.in: name and bytes of an element.
_DATATYPES = (
    ("int8", 1),
    ("uint8", 1),
    ("int32", 4),
    ("uint32", 4),
    ("int64", 8),
    ("uint64", 8),
    ("float16", 2),
    ("float32", 4),
    ("float64", 8),
    ("bfloat16", 2),
    ("float8_e4m3", 1),
    ("float8_e5m2", 1),
)


@dataclass(frozen=True)
class Process:
    """Who wrote a line.

    Attributes
    ----------
    host : str
    pid : int
    device : int
        Of CUDA, in the process: one process may drive several, each with a rank of its own.
    """

    host: str
    pid: int
    device: int


@dataclass(frozen=True)
class Line:
    """A record of a log.

    Attributes
    ----------
    place : str
        File and line.
    process : Process
    label : int or None
        The rank that the launcher put in front.
    text : str
        Behind ``NCCL INFO``.
    thread : int
    time_s : float or None
        That stands before it, seconds since 1970; one without a zone is taken as UTC.
    zoned : bool
        Whether the time has a zone.
    """

    place: str
    process: Process
    label: int | None
    text: str
    thread: int = 0
    time_s: float | None = None
    zoned: bool = False


@dataclass(frozen=True)
class CollLine:
    """A line of the subsystem COLL: an operation that a rank issued.

    Attributes
    ----------
    kind : str
        As in `traces.operation.KINDS`, or ``send``, ``recv``; empty where the name is unknown.
    name : str
        As NCCL prints it.
    op_count : int
    count : int
        Elements, as the function of NCCL's interface takes them.
    dtype : str
    element_bytes : int or None
        None where the number of the type is unknown.
    root : int
        Or the peer of a send or recv.
    comm : str
        A pointer, local to the process.
    n_ranks : int or None
    """

    kind: str
    name: str
    op_count: int
    count: int
    dtype: str
    element_bytes: int | None
    root: int
    comm: str
    n_ranks: int | None


@dataclass(frozen=True)
class InitLine:
    """A line that says what a communicator is.

    Attributes
    ----------
    comm : str
    rank, n_ranks, device : int
    comm_id : str
        The same in all of its processes; empty before NCCL 2.13 and of a split.
    parent, split : str
        Of a split the parent's pointer, and its number and color; else empty.
    """

    comm: str
    rank: int
    n_ranks: int
    device: int
    comm_id: str
    parent: str = ""
    split: str = ""


def log_lines(path: str, text: str) -> Iterator[Line]:
    """The records of a log, in its order; a line into which another process wrote is two.

    A beginning inside a line may have the end of the other record glued to its host: it is the host that begins a line
    elsewhere, with the same process.
    """
    found: list[tuple[int, list[re.Match[str]], str]] = []
    clean: dict[str, set[str]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if "NCCL" not in line:
            continue
        beginnings = list(_BEGINNING.finditer(line))
        if beginnings:
            found.append((number, beginnings, line))
            clean.setdefault(beginnings[0][2], set()).add(beginnings[0][1])
    for number, beginnings, line in found:
        hosts = [beginnings[0][1], *(_host(one, clean.get(one[2], set())) for one in beginnings[1:])]
        starts = [beginning.end(1) - len(host) for beginning, host in zip(beginnings, hosts, strict=True)]
        for place, (beginning, host) in enumerate(zip(beginnings, hosts, strict=True)):
            end = starts[place + 1] if place + 1 < len(beginnings) else len(line)
            label = _LABEL.match(line) if place == 0 else None
            behind = beginnings[place - 1].end() if place else 0
            time_s, zoned = _time_of(line[max(behind, starts[place] - _BEFORE) : starts[place]])
            yield Line(
                f"{path}:{number}",
                Process(host, int(beginning[2]), int(beginning[4])),
                int(label[1] or label[2]) if label else None,
                line[beginning.end() : end].rstrip("\r"),
                int(beginning[3]),
                time_s,
                zoned,
            )


def _host(beginning: re.Match[str], known: set[str]) -> str:
    """The host of a beginning: the end of what stands there, if that is one that is known."""
    said = beginning[1]
    return said if said in known else next((host for host in sorted(known) if said.endswith(host)), said)


def _time_of(before: str) -> tuple[float | None, bool]:
    """The last time that stands before a record, and whether it has a zone."""
    found = list(_TIME.finditer(before)) if "-" in before else []
    if not found:
        return None, False
    *date, fraction, utc, sign, hours, minutes = found[-1].groups()
    try:
        year, month, day, hour, minute, second = map(int, date)
        seconds = datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None, False
    east = (int(hours) * 3600 + int(minutes) * 60) * (-1 if sign == "-" else 1) if sign else 0
    return seconds - east + (float(f"0.{fraction}") if fraction else 0.0), bool(utc or sign)


def coll_of(line: Line) -> CollLine | None:
    """The operation of a COLL line; None of another line, and of one that is cut off.

    Raises
    ------
    InputError
        If a number is none that can be.
    """
    found = _COLL.match(line.text)
    if found is None:
        return None
    name, op_count, count, datatype, root, comm, n_ranks = found.groups()
    number = int(datatype)
    dtype, size = _DATATYPES[number] if number < len(_DATATYPES) else (f"datatype {number}", None)
    return CollLine(
        kind=KIND_OF_CALL.get(name.lower(), ""),
        name=name,
        op_count=int(op_count, 16),
        count=whole(count, f"{line.place}: count"),
        dtype=dtype,
        element_bytes=None if name.lower() == "alltoallv" else size,
        root=int(root),
        comm=comm,
        n_ranks=whole(n_ranks, f"{line.place}: nranks", 1, MOST_RANKS) if n_ranks else None,
    )


def init_of(line: Line) -> InitLine | None:
    """What an Init line says of a communicator; None of another line.

    Raises
    ------
    InputError
        If the rank is none of the communicator.
    """
    found = _INIT.search(line.text)
    if found is None:
        return None
    n_ranks = whole(found[3], f"{line.place}: nranks", 1, MOST_RANKS)
    rank = whole(found[2], f"{line.place}: rank", 0, MOST_RANKS)
    if rank >= n_ranks:
        raise InputError(f"{line.place}: rank {rank} of {n_ranks}; expected a rank from 0 to {n_ranks - 1}")
    identity, split = _COMM_ID.search(found[5]), _SPLIT.search(found[5])
    result = InitLine(found[1], rank, n_ranks, int(found[4]), identity[1] if identity else "")
    return replace(result, parent=split[1], split=f"{split[2]} {split[3]}") if split else result


def sort_of(line: Line) -> str:
    """What a line is that is no operation and no Init line, for counting."""
    if _COLL_BEGINS.match(line.text):
        return "COLL lines that are cut off"
    if _TUNING.match(line.text):
        return "TUNING lines"
    if _WIRING.match(line.text):
        return "lines of channels, rings and trees"
    return "other lines of NCCL"
