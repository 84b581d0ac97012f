"""NCCL Inspector's JSON lines (NVIDIA/nccl, plugins/profiler/inspector, output v4.0): a collective or message a line.

Its sizes are those of the call: all-gather a rank's shard, reduce-scatter a rank's output, all-to-all the part of each
peer, all-reduce and broadcast the buffer.  Ranks are those of a communicator; of which job they are is told by the
largest communicator, whose ranks are taken for the job's, and by host and process.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from collectives.errors import InputError
from collectives.gate import quoted, real_value, whole_value
from traces.files import read_text
from traces.operation import Operation, Trace

_KINDS = {
    "AllReduce": "all-reduce",
    "AllGather": "all-gather",
    "ReduceScatter": "reduce-scatter",
    "AllToAll": "all-to-all",
    "Broadcast": "broadcast",
    "Reduce": "reduce",
    "Gather": "gather",
    "Scatter": "scatter",
}
# What the size of a call is multiplied by to be that of an operation here.
_TIMES_RANKS = frozenset({"reduce-scatter", "all-to-all"})
_MOST_RANKS = 1 << 24


@dataclass(frozen=True)
class _Line:
    source: str
    communicator: str
    rank: int
    n_ranks: int
    process: tuple[str, int]
    kind: str
    sequence: int
    bytes: float
    lasted_s: float


def read_nccl_inspector(paths: Sequence[str]) -> Trace:
    """Collectives of a job, each once however many ranks wrote it.

    Parameters
    ----------
    paths : sequence of path
        Files of processes, in any order.

    Raises
    ------
    InputError
        A line that is no JSON (but for a cut last one) or lacks what the format says; the same communicator and number
        with another operation or size: names both places.
    """
    ignored: Counter[str] = Counter()
    lines = [one for path in paths for one in _lines(path, ignored)]
    sizes = {one.communicator: one.n_ranks for one in lines}
    largest = max(sizes, key=lambda name: (sizes[name], name), default="")
    job = {one.process: one.rank for one in lines if one.communicator == largest}
    members: dict[str, dict[int, tuple[str, int]]] = {}
    for one in lines:
        members.setdefault(one.communicator, {})[one.rank] = one.process
    found: dict[tuple[str, str, int], list[_Line]] = {}
    for one in lines:
        before = found.setdefault((one.communicator, "", one.sequence), [])
        if before and (before[0].kind, before[0].bytes) != (one.kind, one.bytes):
            raise InputError(
                f"{one.source}: {one.kind} of {one.bytes:,.0f} bytes, but {before[0].source}: {before[0].kind} of "
                f"{before[0].bytes:,.0f} bytes, the same communicator and number; ranks disagree"
            )
        before.append(one)
    made = [_operation(same, largest, members, job) for same in found.values()]
    warnings = [
        "NCCL Inspector leaves operations out: small ones, and those that were not timed (its own documentation)",
        f"ranks of the job: those of the largest communicator, {quoted(largest)}, are taken",
    ]
    traced = tuple(sorted({one.rank for one in lines if one.communicator == largest}))
    return Trace(tuple(paths), tuple(made), sizes.get(largest), tuple(ignored.items()), tuple(warnings), traced)


def _operation(
    same: list[_Line], largest: str, members: dict[str, dict[int, tuple[str, int]]], job: dict[tuple[str, int], int]
) -> Operation:
    first = same[0]
    processes = members[first.communicator]
    if first.communicator == largest:
        ranks = tuple(range(first.n_ranks))
    else:
        known = [job.get(processes[rank]) if rank in processes else None for rank in range(first.n_ranks)]
        ranks = tuple(rank for rank in known if rank is not None)
        ranks = ranks if len(set(ranks)) == first.n_ranks else ()
    factor = first.n_ranks if first.kind in _TIMES_RANKS else 1
    return Operation(
        first.kind,
        ranks,
        first.n_ranks,
        first.communicator,
        first.bytes * factor,
        sequence=first.sequence,
        source=first.source,
        missing=() if ranks else ("ranks",),
        measured_s=min(one.lasted_s for one in same),
    )


def _lines(path: str, ignored: Counter[str]) -> list[_Line]:
    texts = [(number, text) for number, text in enumerate(read_text(path).splitlines(), 1) if text.strip()]
    made = []
    for number, text in texts:
        source = f"{path}:{number}"
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            if (number, text) == texts[-1] and len(texts) > 1:
                ignored["cut last lines"] += 1
                continue
            raise InputError(f"{source}: not JSON; expected a line of NCCL Inspector") from None
        if isinstance(document, dict) and "p2p_perf" in document:
            ignored["messages (their peers' ranks are of a communicator)"] += 1
        elif (one := _line(document, source, ignored)) is not None:
            made.append(one)
    return made


def _line(document: Any, source: str, ignored: Counter[str]) -> _Line | None:
    header, perf, metadata = (
        document.get(key) if isinstance(document, dict) else None for key in ("header", "coll_perf", "metadata")
    )
    if not isinstance(header, dict) or not isinstance(perf, dict):
        raise InputError(f"{source}: expected header and coll_perf or p2p_perf")
    metadata = metadata if isinstance(metadata, dict) else {}
    version = str(metadata.get("inspector_output_format_version", ""))
    if version and not version.startswith("v4"):
        raise InputError(f"{source}: output {quoted(version)}; expected v4.x")
    kind = _KINDS.get(str(perf.get("coll")))
    if kind is None:
        ignored[f"{quoted(str(perf.get('coll')))} records"] += 1
        return None
    n_ranks = whole_value(header.get("n_ranks"), f"{source}: header.n_ranks", 1, _MOST_RANKS)
    return _Line(
        source,
        str(header.get("id", "")),
        whole_value(header.get("rank"), f"{source}: header.rank", 0, n_ranks - 1),
        n_ranks,
        (str(metadata.get("hostname", "")), whole_value(metadata.get("pid", 0), f"{source}: metadata.pid")),
        kind,
        whole_value(perf.get("coll_sn"), f"{source}: coll_perf.coll_sn"),
        real_value(perf.get("coll_msg_size_bytes"), f"{source}: coll_perf.coll_msg_size_bytes"),
        real_value(perf.get("coll_exec_time_us"), f"{source}: coll_perf.coll_exec_time_us", 0.0, 1e15) * 1e-6,
    )
