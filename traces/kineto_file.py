"""One rank's PyTorch profiler trace, event by event: a file may be far larger than what it says of communication."""

import math
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from collectives.errors import InputError
from traces.files import text_parts
from traces.gpu_time import GpuTime, joined
from traces.json_text import JsonObject
from traces.kineto_evidence import (
    Seen,
    annotated_of,
    gpu_span,
    kernel_key,
    kernel_of,
    named_of,
    symmetric_of,
    unnamed_kernels,
)
from traces.kineto_record import Record, process_groups, record_of, whole_of
from traces.operation import Operation
from traces.torch_names import COLLECTIVE_KINDS, NO_TRAFFIC

# Categories of events that say anything of communication; most of a trace is of others.
_OF_INTEREST = ("cpu_op", "user_annotation", "kernel")
_EXPECTED = "not a Kineto trace; expected an object with a list `traceEvents`"


@dataclass(frozen=True, eq=False)
class KinetoFile:
    """What a rank's trace says of communication.

    Attributes
    ----------
    path : str
    rank, world_size : int or None
        Of ``distributedInfo``; None where it is missing.
    records : tuple of Record
        In the order of their starts.
    ignored : Counter of str
        What moves nothing or cannot be counted, and how often.
    without_parameters : int
        Communication without sizes.
    warnings : tuple of str
    gpu_time : GpuTime or None
        None where no kernel was recorded.
    """

    path: str
    rank: int | None
    world_size: int | None
    records: tuple[Record, ...]
    ignored: Counter[str]
    without_parameters: int
    warnings: tuple[str, ...]
    gpu_time: GpuTime | None = None


def read_kineto_file(path: str) -> KinetoFile:
    """Read a file, holding one event of it at a time.

    Raises
    ------
    InputError
        If it is no Kineto trace or has no communication at all.
    """
    seen, info = _read(path, None)
    # Whose trace it is mostly stands in front of the events; where it comes behind them, they are read again.
    if seen.info is None and info is not None:
        seen, _ = _read(path, info)
    return seen.file()


def _read(path: str, info: Any) -> tuple["_Events", Any]:
    """The events of a file, as those of the rank that is known when they begin; and what the file says of the rank."""
    document = JsonObject(text_parts(path), path)
    events, listed = _Events(path, info), False
    if not document.at("{"):
        # What is no JSON at all is refused as such.
        document.value()
        raise InputError(f"{path}: {_EXPECTED}")
    for name in document.members():
        if name == "distributedInfo":
            info = document.value()
            if not events.count:
                events = _Events(path, info)
        elif name == "traceEvents":
            if listed or not document.at("["):
                raise InputError(f"{path}: {'`traceEvents` twice' if listed else _EXPECTED}")
            listed = True
            for event in document.items():
                events.add(event)
        else:
            document.value()
    if not listed:
        raise InputError(f"{path}: {_EXPECTED}")
    return events, info


class _Events:
    """What was found in the events so far."""

    def __init__(self, path: str, info: Any) -> None:
        self.info = info
        info = info if isinstance(info, dict) else {}
        self.path = path
        self.count = 0
        self.rank, self.world = whole_of(info.get("rank")), whole_of(info.get("world_size"))
        self.groups = process_groups(info, self.world)
        self.records: list[Record] = []
        self.symmetric: list[Record] = []
        self.annotated: list[Record] = []
        self.ignored: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.named: Counter[str] = Counter()
        self.bare = 0
        self.lasted: dict[tuple[str, ...], list[tuple[float, float]]] = {}
        self.known: set[tuple[Any, ...]] = set()
        # Beginnings and ends one after the other: of kernels that compute, and of those that communicate.
        self.spans = (array("d"), array("d"))

    def add(self, event: Any) -> None:
        """Take the next event in."""
        source = f"{self.path}: traceEvents[{self.count}]"
        self.count += 1
        if not isinstance(event, dict):
            raise InputError(f"{source}: expected an object")
        if event.get("cat", "cpu_op") not in _OF_INTEREST:
            return
        for seen, where in ((symmetric_of(event), self.symmetric), (annotated_of(event), self.annotated)):
            if seen is not None:
                where.append(_evident(seen, source, event, self.rank, self.world, self.groups))
        span = gpu_span(event)
        if span is not None:
            self.spans[span[0]].extend(span[1:])
        kernel = kernel_of(event)
        if kernel is not None:
            self.lasted.setdefault(kernel[0], []).append(kernel[1:])
        what = named_of(event)
        if what:
            self.named[what] += 1
        if event.get("name") == "record_param_comms" and event.get("cat", "cpu_op") == "cpu_op":
            self._add_record(source, event)

    def _add_record(self, source: str, event: dict[str, Any]) -> None:
        args = event.get("args")
        if not isinstance(args, dict):
            args = {}
        name = args.get("Collective name")
        if name is None:
            self.bare += 1
            return
        plain = str(name).removeprefix("nccl:").removeprefix("c10d::")
        if plain in NO_TRAFFIC:
            self.ignored[NO_TRAFFIC[plain]] += 1
            return
        if plain not in COLLECTIVE_KINDS:
            self.unknown[plain] += 1
            return
        record = replace(record_of(source, plain, event, args, self.rank, self.groups), kernel=kernel_key(args))
        same = (record.operation.group, whole_of(args.get("Seq")), record.operation.kind, record.operation.bytes)
        if same[1] and same in self.known:
            self.ignored["further records of an operation"] += 1
            return
        self.known.add(same)
        if record.operation.group_size == 1:
            self.ignored["collectives of a group of one"] += 1
        else:
            self.records.append(record)

    def file(self) -> KinetoFile:
        """All of it."""
        records, bare = list(self.records), self.bare
        unknown_splits: tuple[str, ...] = ()
        # Annotations repeat the operators of newer versions; of older ones they say what those left out.
        if not records and any("size" not in record.operation.missing for record in self.annotated):
            records += self.annotated
            even = sum(record.operation.kind == "all-to-all" for record in self.annotated)
            if even:
                without = (
                    f"{self.path}: {even} all-to-alls: annotations do not say their splits, which are taken as even"
                )
                unknown_splits = (without,)
            bare = max(0, bare - len(self.annotated))
        records += self.symmetric
        # Several threads issue operations; the file lists one thread after the other, on one clock.
        records.sort(key=lambda record: record.operation.start_s or 0.0)
        records = _timed(records, self.lasted)
        named = self.named.copy()
        unnamed_kernels(named, len(records) + bare)
        ignored = self.ignored + named
        if not records and not bare and not ignored and not self.unknown:
            raise InputError(f"{self.path}: no communication events (record_param_comms) in {self.count} events")
        warnings = (
            *(f"{self.path}: {n} events of unknown collective {name!r} left out" for name, n in self.unknown.items()),
            *unknown_splits,
        )
        compute, communication = (joined(np.array(one)) for one in self.spans)
        gpu_time = GpuTime(self.rank, compute, communication) if len(compute) or len(communication) else None
        return KinetoFile(self.path, self.rank, self.world, tuple(records), ignored, bare, warnings, gpu_time)


def _evident(
    seen: Seen,
    source: str,
    event: Mapping[str, Any],
    rank: int | None,
    world: int | None,
    groups: Mapping[str, tuple[int, ...]],
) -> Record:
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
    return Record(operation, rank, str(event.get("name")), None, None)


def _timed(records: list[Record], lasted: dict[tuple[str, ...], list[tuple[float, float]]]) -> list[Record]:
    """Records with when their kernels began and how long they ran: the n-th kernel of a kind is the n-th record's.

    The host issues operations long before the GPU comes to them.
    """
    left = {key: iter(sorted(times, key=lambda one: one[0])) for key, times in lasted.items()}
    made = []
    for record in records:
        ran = next(left.get(record.kernel, iter(())), None)
        operation = record.operation
        if ran is not None:
            operation = replace(operation, start_s=ran[0] / 1e6, measured_s=ran[1])
        made.append(replace(record, operation=operation))
    return made
