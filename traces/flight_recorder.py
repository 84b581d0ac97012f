"""Dumps of PyTorch's NCCL flight recorder: pickled, or JSON; a file of each rank.

A pickle can run anything; a dump needs no more than dictionaries, lists, tuples, texts and numbers, so that one which
asks for any class or function is refused.  Source of the keys: PyTorch, torch/csrc/distributed/c10d/FlightRecorder.hpp
(versions 2.x).  The recorder keeps the last operations only: what was before is not in it.
"""

import io
import json
import pickle
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NoReturn

from collectives.errors import InputError
from collectives.gate import quoted, shown
from traces.files import read_bytes
from traces.operation import Operation, RankReport, Trace
from traces.torch_names import DTYPE_BYTES

_KINDS = {
    "all_reduce": "all-reduce",
    "allreduce": "all-reduce",
    "all_reduce_coalesced": "all-reduce",
    "all_gather": "all-gather",
    "_all_gather_base": "all-gather",
    "reduce_scatter": "reduce-scatter",
    "_reduce_scatter_base": "reduce-scatter",
    "all_to_all": "all-to-all",
    "all_to_allv": "all-to-all",
    "broadcast": "broadcast",
    "reduce": "reduce",
    "gather": "gather",
    "scatter": "scatter",
}
_NO_TRAFFIC = {"barrier", "coalesced", "wait"}
_MESSAGE = re.compile(r"(send|recv) (\d{1,9})(?:->|<-)(\d{1,9})")
_MOST_GROUPS = 1 << 20


class _Unpickler(pickle.Unpickler):
    """Takes plain values only."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError("it asks for an object from elsewhere")


@dataclass(frozen=True, eq=False)
class _Seen:
    """An entry of one rank's dump."""

    operation: Operation
    rank: int
    place: int
    message: tuple[str, int, int] | None = None

    @property
    def key(self) -> tuple[str, int | None]:
        return self.operation.group, self.operation.sequence


def read_flight_recorder(paths: Sequence[str]) -> Trace:
    """Operations of a job, each once however many ranks dumped it.

    Parameters
    ----------
    paths : sequence of path
        Dumps of ranks; a rank is told by the end of its file's name (``_dump_3``).

    Raises
    ------
    InputError
        A pickle that asks for code, a cut file, a version before 2, an entry without what the format says, or the same
        group and sequence with another operation or size in two files: names both.
    """
    found: dict[tuple[str, int | None], list[_Seen]] = {}
    messages: list[_Seen] = []
    ignored: Counter[str] = Counter()
    groups: dict[str, tuple[int, ...]] = {}
    orders: list[list[_Seen]] = []
    ranks: set[int] = set()
    for number, path in enumerate(paths):
        document = _document(path)
        rank = _rank(path, number)
        if rank in ranks:
            raise InputError(f"{path}: rank {rank} again; expected a file of each rank, named ..._0, ..._1")
        ranks.add(rank)
        own = _groups(document, path)
        for name, members in own.items():
            if groups.setdefault(name, members) != members:
                raise InputError(f"{path}: group {quoted(name)} has other ranks than in {paths[0]}")
        order: list[_Seen] = []
        for seen in _entries(document, path, rank, own, ignored):
            order.append(seen)
            if seen.message is not None:
                messages.append(seen)
                continue
            before = found.setdefault(seen.key, [])
            if before and _what(before[0]) != _what(seen):
                raise InputError(
                    f"{seen.operation.source}: {_said(seen)}, but {before[0].operation.source}: {_said(before[0])}, "
                    "the same group and sequence; ranks disagree"
                )
            before.append(seen)
        orders.append(order)
    made: list[Operation] = []
    place: dict[int, int] = {}
    whole = 0
    for same in found.values():
        reported = {one.rank for one in same}
        whole += set(same[0].operation.ranks) <= reported and bool(same[0].operation.ranks)
        times = [one.operation.measured_s for one in same if one.operation.measured_s is not None]
        starts = [one.operation.start_s for one in same if one.operation.start_s is not None]
        for one in same:
            place[id(one)] = len(made)
        reports = tuple(RankReport(one.rank, one.operation.start_s, one.operation.measured_s) for one in same)
        made.append(
            replace(
                same[0].operation,
                measured_s=min(times, default=None),
                start_s=max(starts, default=None),
                reports=reports,
            )
        )
    for pair in _pairs(messages):
        for one in pair:
            place[id(one)] = len(made)
        made.append(pair[0].operation)
    warnings = [
        "the recorder keeps a rank's last operations only: those before them are not in the dump",
        *([f"{whole:,} of {len(found):,} collectives were dumped by every member"] if whole < len(found) else []),
    ]
    n_ranks = max((max(members) + 1 for members in groups.values() if members), default=None)
    return Trace(
        tuple(paths),
        tuple(made),
        n_ranks,
        tuple(ignored.items()),
        tuple(warnings),
        tuple(sorted(ranks)),
        tuple(tuple(dict.fromkeys(place[id(one)] for one in order)) for order in orders),
    )


def _document(path: str) -> dict[str, Any]:
    data = read_bytes(path)
    try:
        document = _Unpickler(io.BytesIO(data)).load() if data[:1] == b"\x80" else json.loads(data)
    except pickle.UnpicklingError as error:
        raise InputError(f"{path}: not a dump of the flight recorder ({error}); expected plain values only") from None
    except (ValueError, EOFError, IndexError, KeyError, AttributeError, TypeError, RecursionError, MemoryError,
            OverflowError, UnicodeDecodeError) as error:  # fmt: skip
        raise InputError(f"{path}: a cut or damaged dump ({type(error).__name__})") from None
    if not isinstance(document, dict) or not isinstance(document.get("entries"), list):
        raise InputError(f"{path}: no list `entries`; expected a dump of the flight recorder")
    version = str(document.get("version", ""))
    if not version.startswith("2."):
        raise InputError(f"{path}: version {quoted(version)}; expected 2.x (PyTorch 2.4 and later)")
    return document


def _rank(path: str, number: int) -> int:
    name = re.sub(r"\.(?:gz|xz|json|pkl|pickle)$", "", str(path).rpartition("/")[2])
    end = re.search(r"(\d{1,9})$", name)
    return int(end[1]) if end else number


def _groups(document: dict[str, Any], path: str) -> dict[str, tuple[int, ...]]:
    config = document.get("pg_config", {})
    if not isinstance(config, dict) or len(config) > _MOST_GROUPS:
        raise InputError(f"{path}: pg_config: expected a table of groups")
    found = {}
    for name, one in config.items():
        ranks = one.get("ranks") if isinstance(one, dict) else None
        if isinstance(ranks, str):
            try:
                ranks = json.loads(ranks)
            except (ValueError, RecursionError):
                ranks = None
        if not isinstance(ranks, list) or not all(type(rank) is int and 0 <= rank < 1 << 30 for rank in ranks):
            raise InputError(f"{path}: pg_config.{quoted(str(name))}.ranks: expected a list of ranks")
        found[str(name)] = tuple(ranks)
    return found


def _entries(
    document: dict[str, Any], path: str, rank: int, groups: dict[str, tuple[int, ...]], ignored: Counter[str]
) -> Iterator[_Seen]:
    for place, entry in enumerate(document["entries"]):
        source = f"{path}: entries[{place}]"
        if not isinstance(entry, dict) or not isinstance(entry.get("profiling_name"), str):
            raise InputError(f"{source}: expected a table with profiling_name")
        name = entry["profiling_name"].partition(":")[2]
        message = _MESSAGE.fullmatch(name)
        kind = "send-recv" if message else _KINDS.get(name)
        if kind is None:
            ignored[f"{name}s" if name in _NO_TRAFFIC else f"{shown(name)} records"] += 1
            continue
        group = entry.get("process_group")
        label = str(group[0]) if isinstance(group, (list, tuple)) and group else ""
        members = groups.get(label, ())
        size, dtype = _bytes(entry, kind, source)
        missing = [*([] if members else ["ranks"]), *([] if size is not None else ["size"])]
        sequence = entry.get("p2p_seq_id" if message else "collective_seq_id")
        created, lasted = entry.get("time_created_ns"), entry.get("duration_ms")
        ends: tuple[int, int] | None = None
        if message:
            ends = int(message[2]), int(message[3])
            if members and max(ends) >= len(members):
                raise InputError(f"{source}: {quoted(name)} in a group of {len(members)} ranks")
        ranks = members
        if ends is not None and members:
            me, other = members[ends[0]], members[ends[1]]
            ranks = (me, other) if message and message[1] == "send" else (other, me)
        if kind == "all-gather" and len(ranks) == 0:
            missing = list(dict.fromkeys(missing))
        yield _Seen(
            Operation(
                kind,
                ranks,
                2 if message else max(len(members), 1),
                label,
                size,
                sequence=sequence if type(sequence) is int else None,
                start_s=_scaled(created, 1e-9),
                dtype=dtype,
                source=source,
                missing=tuple(missing),
                measured_s=_scaled(lasted, 1e-3) or None,
            ),
            rank,
            place,
            (message[1], *ranks) if message and len(ranks) == 2 else ("", -1, -1) if message else None,
        )


def _scaled(value: object, factor: float) -> float | None:
    """A time, if it is one."""
    return value * factor if isinstance(value, (int, float)) and 0 <= value < 1e20 else None


def _bytes(entry: dict[str, Any], kind: str, source: str) -> tuple[float | None, str]:
    """Size by Operation's meaning: a rank's input, but of a scatter what it receives."""
    side = "output" if kind == "scatter" else "input"
    sizes, dtypes = entry.get(f"{side}_sizes"), entry.get(f"{side}_dtypes")
    if not isinstance(sizes, (list, tuple)) or not isinstance(dtypes, (list, tuple)) or not sizes or not dtypes:
        return None, ""
    total, first = 0.0, str(dtypes[0])
    for number, shape in enumerate(sizes):
        each = DTYPE_BYTES.get(str(dtypes[min(number, len(dtypes) - 1)]))
        numbers = isinstance(shape, (list, tuple)) and all(type(one) is int and 0 <= one < 1 << 48 for one in shape)
        if not numbers:
            raise InputError(f"{source}: {side}_sizes: expected lists of whole numbers, got {shown(shape)}")
        if each is None:
            return None, first
        total += float(prod(float(one) for one in shape)) * each
    if not total < 1e18:
        raise InputError(f"{source}: {side}_sizes: {total:g} bytes; expected at most 1e18")
    return total, first


def _what(seen: _Seen) -> tuple[object, ...]:
    one = seen.operation
    # Of a broadcast or a gather members may see other sides; a size of 0 is one that a rank has no part of.
    return one.kind, one.bytes if one.kind in ("all-reduce", "all-gather", "reduce-scatter") else None


def _said(seen: _Seen) -> str:
    size = seen.operation.bytes
    return f"{seen.operation.kind} of {'an unknown size' if size is None else f'{size:,.0f} bytes'}"


def _pairs(messages: Sequence[_Seen]) -> Iterator[tuple[_Seen, ...]]:
    """Sends with their receives: the n-th of one pair of ranks in a group with the n-th; either may be missing."""
    sends: dict[tuple[object, ...], list[_Seen]] = {}
    receives: dict[tuple[object, ...], list[_Seen]] = {}
    for one in messages:
        assert one.message is not None
        side = sends if one.message[0] == "send" else receives
        side.setdefault((one.operation.group, one.operation.ranks, one.operation.sequence), []).append(one)
    for key in dict.fromkeys((*sends, *receives)):
        here, there = sends.get(key, []), receives.get(key, [])
        for number in range(max(len(here), len(there))):
            yield tuple(side[number] for side in (here, there) if number < len(side))
