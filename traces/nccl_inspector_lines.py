"""Lines of NCCL Inspector's JSON, output v4.0 to v4.3: what each record says, and of whom.

Up to v4.2 a record stands with its communicator (header) and process (metadata) in one line.  Since v4.3 those stand in
a line before a process's records of a communicator, with their numbers (dump_stats).  Source: NVIDIA/nccl,
plugins/profiler/inspector/inspector_json.cc.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from collectives.errors import InputError
from collectives.gate import quoted, real_value, shown, whole_value
from traces.files import read_text
from traces.message_order import RECEIVE
from traces.nccl_log_lines import KIND_OF_CALL

# What the record of a message is called; all others are of collectives.
_PART = {"send": "p2p", "recv": "p2p"}
_OTHERS = {"proxy_trace": "records of proxies"}
_MOST_RANKS = 1 << 24
# Of the host's enqueuing, not of the transfer (inspector.cc, inspectorUpdateCollPerf).
_NOT_OF_THE_TRANSFER = frozenset({"collective_cpu", "unknown"})
_UNNAMED = frozenset({"", "unknown"})


@dataclass(frozen=True)
class InspectorRecord:
    """A collective, or one end of a message, as a rank recorded it.

    Attributes
    ----------
    source : str
        File and line.
    communicator : str
        Its hash.
    name : str
        That the application gave the communicator; empty where it gave none.
    rank, n_ranks : int
        Of the communicator.
    process : tuple of (str, int)
        Host and number.
    kind : str
        As in `traces.operation.KINDS`, or an end of a message as in `traces.message_order`.
    sequence : int
        Of a collective how many of its kind the communicator had before; of a message how many this rank had.
    peer : int or None
        Of a message the other end's rank.
    bytes : float
        Of the call.
    lasted_s : float or None
        None where only the host's enqueuing was timed.
    start_s : float or None
        Since 1970, where the output is verbose.
    chosen : str
        Algorithm and protocol, such as ``RING LL``; empty before v4.2.
    """

    source: str
    communicator: str
    name: str
    rank: int
    n_ranks: int
    process: tuple[str, int]
    kind: str
    sequence: int
    peer: int | None
    bytes: float
    lasted_s: float | None
    start_s: float | None
    chosen: str


@dataclass(eq=False)
class Counts:
    """What is no record of an operation.

    Attributes
    ----------
    ignored : Counter of str
    dropped : Counter of str
        Operations that the inspector itself says it dropped, ``collectives`` and ``messages``.
    lacking : int
        Records that a dump announces and that are not there.
    """

    ignored: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    lacking: int = 0


@dataclass(eq=False)
class _Context:
    """Of the lines that follow a dump's first."""

    header: Any = None
    metadata: Any = None
    left: Counter[str] = field(default_factory=Counter)


def inspector_records(path: str, counts: Counts) -> Iterator[InspectorRecord]:
    """The records of a process's file.

    Parameters
    ----------
    path : path
    counts : Counts
        Added to.

    Raises
    ------
    InputError
        A line that is no JSON (but for a cut last one), lacks what the format says, or is of nobody: without a header,
        and not one of those that the dump before it announces.
    """
    texts = [(number, text) for number, text in enumerate(read_text(path).splitlines(), 1) if text.strip()]
    context = _Context()
    for number, text in texts:
        source = f"{path}:{number}"
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            if (number, text) == texts[-1] and len(texts) > 1:
                counts.ignored["cut last lines"] += 1
                continue
            raise InputError(f"{source}: not JSON; expected a line of NCCL Inspector") from None
        if not isinstance(document, dict):
            raise InputError(f"{source}: {shown(document)}; expected a record of NCCL Inspector")
        if "dump_stats" in document:
            counts.lacking += context.left.total()
            context = _begin(document, source, counts)
        elif (one := _record(document, context, source, counts)) is not None:
            yield one
    counts.lacking += context.left.total()


def _begin(document: dict[str, Any], source: str, counts: Counts) -> _Context:
    """A dump: whose the next records are, and how many."""
    stats = document["dump_stats"]
    if not isinstance(stats, dict) or not isinstance(document.get("header"), dict):
        raise InputError(f"{source}: expected header, metadata and dump_stats")

    def number(key: str) -> int:
        return whole_value(stats.get(key, 0), f"{source}: dump_stats.{key}")

    counts.dropped["collectives"] += number("coll_dropped_since_last_dump")
    counts.dropped["messages"] += number("p2p_dropped_since_last_dump")
    left = {"coll_perf": "coll_records", "p2p_perf": "p2p_records", "proxy_trace": "proxy_records"}
    return _Context(
        document["header"], document.get("metadata"), Counter({key: number(of) for key, of in left.items()})
    )


def _record(document: dict[str, Any], context: _Context, source: str, counts: Counts) -> InspectorRecord | None:
    key = next((key for key in ("coll_perf", "p2p_perf", *_OTHERS) if key in document), "")
    perf, header, metadata = document.get(key), document.get("header"), document.get("metadata")
    if header is None and context.left[key] > 0:
        context.left[key] -= 1
        header, metadata = context.header, context.metadata
    if not isinstance(header, dict) or not isinstance(perf, dict):
        raise InputError(f"{source}: expected header and coll_perf or p2p_perf, or those that a dump_stats announces")
    if key in _OTHERS:
        counts.ignored[_OTHERS[key]] += 1
        return None
    metadata = metadata if isinstance(metadata, dict) else {}
    version = str(metadata.get("inspector_output_format_version", ""))
    if version and not version.startswith("v4"):
        raise InputError(f"{source}: output {quoted(version)}; expected v4.x")
    part = key.removesuffix("_perf")
    called = str(perf.get(part))
    kind = KIND_OF_CALL.get(called.lower(), "")
    if part != _PART.get(kind, "coll") or not kind:
        counts.ignored[f"{quoted(called)} records"] += 1
        return None
    n_ranks = whole_value(header.get("n_ranks"), f"{source}: header.n_ranks", 1, _MOST_RANKS)
    name = str(header.get("comm_name", ""))
    lasted_us = real_value(perf.get(f"{part}_exec_time_us"), f"{source}: {key}.{part}_exec_time_us", 0.0, 1e15)
    timed = lasted_us > 0 and perf.get(f"{part}_timing_source") not in _NOT_OF_THE_TRANSFER
    chosen = [str(perf[name]) for name in ("coll_algo", "coll_proto") if perf.get(name) not in (None, *_UNNAMED)]
    return InspectorRecord(
        source,
        str(header.get("id", "")),
        "" if name in _UNNAMED else name,
        whole_value(header.get("rank"), f"{source}: header.rank", 0, n_ranks - 1),
        n_ranks,
        (str(metadata.get("hostname", "")), whole_value(metadata.get("pid", 0), f"{source}: metadata.pid")),
        RECEIVE if kind == "recv" else kind,
        whole_value(perf.get(f"{part}_sn"), f"{source}: {key}.{part}_sn"),
        whole_value(perf.get("p2p_peer"), f"{source}: {key}.p2p_peer", 0, n_ranks - 1) if part == "p2p" else None,
        real_value(perf.get(f"{part}_msg_size_bytes"), f"{source}: {key}.{part}_msg_size_bytes"),
        lasted_us * 1e-6 if timed else None,
        _start_s(perf, part, f"{source}: {key}"),
        " ".join(chosen),
    )


def _start_s(perf: dict[str, Any], part: str, source: str) -> float | None:
    """When the call was made; None where the output is not verbose."""
    times = perf.get("event_trace_ts")
    said = times.get(f"{part}_start_ts") if isinstance(times, dict) else None
    if not said:
        return None
    return real_value(said, f"{source}.event_trace_ts.{part}_start_ts", 0.0, 1e17) * 1e-6
