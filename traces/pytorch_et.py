"""PyTorch execution traces (``ExecutionTraceObserver``), schemas 1.0.1 to 1.1.1: a file of each rank.

A collective is a node ``record_param_comms`` with positional arguments: tensors, sequence, process group, rank of the
root or whether it is a send, name, splits of input and output.  Schema 1.0.1 has them in ``inputs``, later ones in
``inputs.values``.  Process groups stand in nodes ``## process_group:init ##`` as JSON; ``"ranks": []`` are all ranks of
the group's size.  Timestamps there are none: a rank's operations follow one another as the nodes do.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from collectives.errors import InputError
from collectives.gate import quoted, shown
from traces.files import read_text
from traces.json_text import parse_json
from traces.operation import Operation, Trace
from traces.torch_names import COLLECTIVE_KINDS, NO_TRAFFIC

_RECORD, _GROUPS = "record_param_comms", "process_group:init"
_SCHEMAS = ("1.0.1", "1.0.2", "1.0.3", "1.1.0", "1.1.1")
_MOST = 1 << 40


@dataclass(frozen=True, eq=False)
class _Seen:
    """A collective that one rank recorded."""

    operation: Operation
    rank: int
    row: tuple[float, ...] | None


def read_pytorch_et(paths: Sequence[str]) -> Trace:
    """Operations of a job, each once however many ranks recorded it.

    Parameters
    ----------
    paths : sequence of path
        A file of each rank; the rank is the last number of the file's name, or its place where that has none.

    Raises
    ------
    InputError
        A schema that is not known, a node that lacks what its schema says, or the same group and sequence with another
        operation or size in two files: names both.
    """
    ignored: Counter[str] = Counter()
    found: dict[tuple[str, int | None, int], list[_Seen]] = {}
    orders: list[list[_Seen]] = []
    ranks = _ranks(paths)
    warnings: dict[str, None] = {}
    size = 0
    for path, rank in zip(paths, ranks, strict=True):
        document = _document(path)
        groups = _groups(document, path)
        size = max([size, *(max(members) + 1 for members in groups.values() if members)])
        if not groups:
            warnings[f"process groups are not recorded: the {len(paths)} ranks that there are files of are taken"] = (
                None
            )
        times: Counter[tuple[str, int | None]] = Counter()
        order = []
        for seen in _records(document, path, rank, groups, len(paths), ignored):
            one = seen.operation
            key = (one.group, one.sequence, times[one.group, one.sequence])
            times[one.group, one.sequence] += 1
            before = found.setdefault(key, [])
            if before and _what(before[0].operation) != _what(one):
                first = before[0].operation
                raise InputError(
                    f"{one.source}: {_said(one)}, but {first.source}: {_said(first)}, the same group and sequence; "
                    "ranks disagree"
                )
            before.append(seen)
            order.append(seen)
        orders.append(order)
    made: list[Operation] = []
    place: dict[int, int] = {}
    for same in found.values():
        for seen in same:
            place[id(seen)] = len(made)
        made.append(_joined(same))
    return Trace(
        tuple(paths),
        tuple(made),
        size or (len(paths) if len(paths) > 1 else None),
        tuple(ignored.items()),
        tuple(warnings),
        tuple(sorted(ranks)),
        tuple(tuple(dict.fromkeys(place[id(seen)] for seen in order)) for order in orders),
    )


def _ranks(paths: Sequence[str]) -> list[int]:
    names = [str(path).rpartition("/")[2].partition(".json")[0] for path in paths]
    ends = [re.search(r"(\d{1,6})(?=\D*$)", name) for name in names]
    numbers = [int(end[1]) for end in ends if end is not None]
    named = len(numbers) == len(paths) and len(set(numbers)) == len(paths) and max(numbers, default=0) < 1 << 20
    return numbers if named and len(paths) > 1 else list(range(len(paths)))


def _document(path: str) -> dict[str, Any]:
    document = parse_json(read_text(path), path)
    schema = str(document.get("schema", "")) if isinstance(document, dict) else ""
    if not isinstance(document, dict) or not isinstance(document.get("nodes"), list):
        raise InputError(f"{path}: no list `nodes`; expected a PyTorch execution trace")
    if schema.partition("-")[0] not in _SCHEMAS:
        raise InputError(f"{path}: schema {quoted(schema)}; expected {', '.join(_SCHEMAS)}")
    return document


def _values(node: Any, side: str) -> list[Any]:
    """Positional values of a node: `inputs` or `outputs`."""
    found = node.get(side)
    found = found.get("values") if isinstance(found, dict) else found
    return found if isinstance(found, list) else []


def _groups(document: dict[str, Any], path: str) -> dict[str, tuple[int, ...]]:
    """Ranks of each process group, by its name and by its backend's number."""
    found: dict[str, tuple[int, ...]] = {}
    for node in document["nodes"]:
        if not isinstance(node, dict) or _GROUPS not in str(node.get("name")):
            continue
        text = next(iter(_values(node, "inputs")), None)
        try:
            listed = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            listed = None
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise InputError(f"{path}: node {shown(node.get('id'))}: expected process groups as JSON")
        for one in listed:
            ranks, size = one.get("ranks"), one.get("group_size")
            if isinstance(ranks, dict):
                ranks = list(ranks)
            whole = isinstance(ranks, list) and all(type(rank) is int and 0 <= rank < 1 << 24 for rank in ranks)
            if not whole or (not ranks and not (type(size) is int and 0 < size < 1 << 24)):
                raise InputError(f"{path}: node {shown(node.get('id'))}: ranks of a process group: expected a list")
            members = tuple(ranks or range(size))
            if "backend_id" in one:
                found[str(one["backend_id"])] = members
            found[str(one.get("pg_name", ""))] = members
    return found


def _records(
    document: dict[str, Any],
    path: str,
    rank: int,
    groups: dict[str, tuple[int, ...]],
    n_files: int,
    ignored: Counter[str],
) -> list[_Seen]:
    made = []
    for node in document["nodes"]:
        if not isinstance(node, dict) or node.get("name") != _RECORD:
            continue
        source = f"{path}: node {shown(node.get('id'))}"
        values = _values(node, "inputs")
        at = next((n for n, value in enumerate(values) if isinstance(value, str) and _plain(value) is not None), None)
        if at is None:
            ignored["collectives of unknown names"] += 1
            continue
        name = _plain(values[at])
        if name in NO_TRAFFIC:
            ignored[NO_TRAFFIC[name]] += 1
            continue
        if at < 4:
            raise InputError(f"{source}: {len(values)} arguments; expected tensors, sequence, group, root and name")
        made.append(_seen(node, values, at, source, rank, groups, n_files))
    return made


def _plain(text: str) -> str | None:
    """A collective's name, if it is one."""
    name = text.casefold()
    return name if name in COLLECTIVE_KINDS or name in NO_TRAFFIC else None


def _seen(
    node: Any, values: list[Any], at: int, source: str, rank: int, groups: dict[str, tuple[int, ...]], n_files: int
) -> _Seen:
    name = str(_plain(values[at]))
    kind = COLLECTIVE_KINDS[name]
    sequence, group = values[at - 3], values[at - 2]
    label = str(group[0]) if isinstance(group, list) and group else str(group)
    members = groups.get(label, ())
    splits = values[at + 1] if len(values) > at + 1 else []
    counts = splits if isinstance(splits, list) and splits and kind == "all-to-all" else None
    if not groups:
        label, members = "", tuple(range(n_files)) if n_files > 1 else ()
    sizes = _tensors(_values(node, "outputs") if kind == "scatter" else values[: at - 3], source)
    size = float(sum(sizes)) if sizes else None
    row = None
    missing = [*([] if members else ["ranks"]), *([] if size is not None else ["size"])]
    if counts is not None and size is not None:
        whole = all(type(one) is int and 0 <= one < _MOST for one in counts)
        if not whole or (members and len(counts) != len(members)):
            raise InputError(f"{source}: input splits: expected {len(members) or 'as many'} whole numbers, one a rank")
        total = sum(counts)
        row = tuple(size * one / total for one in counts) if total else (0.0,) * len(counts)
    if kind == "send-recv":
        missing = list(dict.fromkeys((*missing, "ranks")))
        members = ()
    return _Seen(
        Operation(
            kind,
            members,
            max(len(members), len(counts or ()), 1),
            label,
            size,
            sequence=sequence if type(sequence) is int and 0 <= sequence < _MOST else None,
            source=source,
            missing=tuple(missing),
        ),
        rank,
        row,
    )


def _tensors(values: Any, source: str) -> list[float]:
    """Bytes of each tensor among nested values: ``[id, storage, offset, elements, bytes of one, device]``."""
    if not isinstance(values, list):
        return []
    if len(values) == 6 and isinstance(values[5], str) and all(type(one) is int for one in values[:5]):
        if not (0 <= values[3] < _MOST and 0 < values[4] <= 16):
            raise InputError(f"{source}: a tensor of {values[3]:,} elements of {values[4]:,} bytes; expected sizes")
        return [float(values[3] * values[4])]
    return [size for value in values for size in _tensors(value, source)]


def _joined(same: list[_Seen]) -> Operation:
    """One operation of what its ranks recorded; of an uneven exchange every rank's splits."""
    first = same[0].operation
    if not any(seen.row is not None for seen in same):
        return first
    rows = {seen.rank: seen.row for seen in same if seen.row is not None}
    size = float(np.mean([seen.operation.bytes or 0.0 for seen in same]))
    even = all(max(row) == min(row) for row in rows.values() if row) and len(set(rows.values())) == 1
    if even:
        return replace(first, bytes=size)
    if set(first.ranks) <= set(rows):
        matrix = np.array([rows[rank] for rank in first.ranks])
        return replace(first, bytes=size, splits=matrix)
    return replace(first, bytes=size, missing=tuple(dict.fromkeys((*first.missing, "splits of every rank"))))


def _what(one: Operation) -> tuple[object, ...]:
    return one.kind, one.bytes if one.kind in ("all-reduce", "all-gather", "reduce-scatter", "broadcast") else None


def _said(one: Operation) -> str:
    return f"{one.kind} of {'an unknown size' if one.bytes is None else f'{one.bytes:,.0f} bytes'}"
