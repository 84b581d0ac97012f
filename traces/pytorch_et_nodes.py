"""One rank's PyTorch execution trace: its nodes of communication.

A collective is a node ``record_param_comms`` with positional arguments: tensors, sequence (later with whether it counts
messages), process group, a rank, name, splits of input and output, and later first rank, stride and size of the group.
The rank is that of the process within the group; of a broadcast, reduce, gather or scatter it is the root's, of a send
or receive the peer's.  Source: PyTorch, torch/csrc/distributed/c10d: ParamCommsUtils.hpp, ProcessGroupNCCL.cpp.  Schema
1.0.1 has arguments in ``inputs``, later ones in ``inputs.values``.

Since schema 1.1.0 a node has ``attrs`` too (torch/csrc/profiler/standalone/execution_trace_observer.cpp):
collective_name, dtype, in_msg_nelems, out_msg_nelems, in_split_size, out_split_size, global_rank_start,
global_rank_stride, pg_name, pg_desc, pg_size.  They are read where an argument is missing; long lists in them are cut
(``...``).

Process groups stand in nodes ``## process_group:init ##`` as JSON; ``"ranks": []`` are all ranks of the group's size.
Records of older schemas call a group by an address of the process (``backend_id``), later ones by its name.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from collectives.errors import InputError
from collectives.gate import quoted, shown
from traces.files import read_text
from traces.json_text import parse_json
from traces.rank_groups import MOST_RANKS
from traces.torch_names import COLLECTIVE_KINDS, DTYPE_BYTES, NO_TRAFFIC, ROOTED

_RECORD, _GROUPS = "record_param_comms", "process_group:init"
_SCHEMAS = ("1.0.1", "1.0.2", "1.0.3", "1.1.0", "1.1.1")
_MOST = 1 << 40
# Types as older schemas write them in the types of arguments: caffe2::TypeMeta's names of c10::ScalarType.
_TYPES = {
    "float": "Float",
    "double": "Double",
    "c10::Half": "Half",
    "c10::BFloat16": "BFloat16",
    "c10::Float8_e4m3fn": "Float8_e4m3fn",
    "c10::Float8_e5m2": "Float8_e5m2",
    "unsigned char": "Byte",
    "signed char": "Char",
    "bool": "Bool",
    "short": "Short",
    "short int": "Short",
    "int": "Int",
    "long": "Long",
    "long int": "Long",
}


@dataclass(frozen=True, eq=False)
class Group:
    """A process group; one object for all of its records, which may be a million.

    Attributes
    ----------
    name : str
        Or its address, where the trace does not name it.
    members : tuple of int
        Global ranks; empty where the trace does not say.
    """

    name: str
    members: tuple[int, ...]

    @cached_property
    def place(self) -> dict[int, int]:
        """Place of each global rank in the group."""
        return {rank: place for place, rank in enumerate(self.members)}


@dataclass(frozen=True, eq=False)
class Recorded:
    """A collective or message as its rank recorded it.

    Attributes
    ----------
    source : str
        File and node.
    name : str
        As PyTorch calls it.
    kind : str
        See `traces.operation.KINDS`.
    group : Group
    sequence : int or None
    rank : int or None
        Within the group: the process's own, the root's or the peer's.
    bytes : float or None
        Of the input.
    received : float or None
        Bytes of the output.
    sends, receives : tuple of int or None
        Splits of an all-to-all: whole numbers in proportion to the bytes to and from each member, empty where they are
        even; None where they are cut.
    dtype : str
    """

    source: str
    name: str
    kind: str
    group: Group
    sequence: int | None
    rank: int | None
    bytes: float | None
    received: float | None
    sends: tuple[int, ...] | None
    receives: tuple[int, ...] | None
    dtype: str


@dataclass(frozen=True, eq=False)
class RankFile:
    """What one file says.

    Attributes
    ----------
    path : str
    rank : int or None
        Of the job; None where no record says it.
    grouped : bool
        Whether process groups are recorded.
    alone : bool
        Whether all records are of a single group.
    n_ranks : int
        Ranks that the groups name, at least.
    records : tuple of Recorded
        In the order of the file.
    """

    path: str
    rank: int | None
    grouped: bool
    alone: bool
    n_ranks: int
    records: tuple[Recorded, ...]


def read_rank_file(path: str, ignored: Counter[str]) -> RankFile:
    """Read one file.

    Parameters
    ----------
    path : str
    ignored : Counter of str
        Records that are no operations are counted here, by reason.

    Raises
    ------
    InputError
        A schema that is not known, a node that lacks what its schema says, a rank that its group does not have, or
        records of several ranks: names both.
    """
    document = _document(path)
    groups = _groups(document, path)
    grouped = bool(groups)
    records: list[Recorded] = []
    # Barriers and such say a rank too.
    telling: list[Recorded] = []
    used: set[Group] = set()
    for node in document["nodes"]:
        if not isinstance(node, dict) or node.get("name") != _RECORD:
            continue
        source = f"{path}: node {shown(node.get('id'))}"
        values, named = _values(node, "inputs"), _attributes(node)
        at = next((n for n, value in enumerate(values) if isinstance(value, str) and _plain(value) is not None), None)
        name = _plain(values[at]) if at is not None else _plain(str(named.get("collective_name", "")))
        if name is None:
            ignored["collectives of unknown names"] += 1
            continue
        group = _group(values, at, named, groups, source)
        if name != "wait":
            used.add(group)
        if name in NO_TRAFFIC:
            ignored[NO_TRAFFIC[name]] += 1
            if name not in ("barrier", "init"):
                continue
            nothing = (None, None, (), (), "")
            telling.append(Recorded(source, name, "", group, None, _rank(values, at), *nothing))
            continue
        if at is not None and at < 4 and "in_msg_nelems" not in named:
            raise InputError(f"{source}: {len(values)} arguments; expected tensors, sequence, group, root and name")
        records.append(_recorded(node, values, at, named, source, name, group))
    alone = len(used) <= 1
    most = max((max(one.members) + 1 for one in groups.values() if one.members), default=0)
    rank = _own_rank([*records, *telling], grouped, alone)
    return RankFile(path, rank, grouped, alone, most, tuple(records))


def _own_rank(records: list[Recorded], grouped: bool, alone: bool) -> int | None:
    """Rank of the process that wrote these; without any recorded group, an only one is taken for all ranks."""
    found: int | None = None
    first = ""
    for one in records:
        if one.rank is None:
            continue
        members = one.group.members
        if members and one.rank >= len(members):
            raise InputError(f"{one.source}: rank {one.rank} in a group of {len(members)} ranks")
        if one.kind in ROOTED or one.kind == "send-recv":
            continue
        if members:
            rank = members[one.rank]
        elif alone and not grouped:
            rank = one.rank
        else:
            continue
        if found is None:
            found, first = rank, one.source
        elif rank != found:
            raise InputError(
                f"{one.source}: of rank {rank}, but {first} is of rank {found}; expected one rank's records"
            )
    return found


def _document(path: str) -> dict[str, Any]:
    document = parse_json(read_text(path), path)
    schema = str(document.get("schema", "")) if isinstance(document, dict) else ""
    if not isinstance(document, dict) or not isinstance(document.get("nodes"), list):
        raise InputError(f"{path}: no list `nodes`; expected a PyTorch execution trace")
    if schema.partition("-")[0] not in _SCHEMAS:
        raise InputError(f"{path}: schema {quoted(schema)}; expected {', '.join(_SCHEMAS)}")
    return document


def _values(node: Any, side: str, of: str = "values") -> list[Any]:
    """Positional values of a node's `inputs` or `outputs`, or their types."""
    found = node.get(side)
    if isinstance(found, dict):
        found = found.get(of)
    elif of == "types":
        found = node.get(f"{side[:-1]}_types")
    return found if isinstance(found, list) else []


def _attributes(node: Any) -> dict[str, Any]:
    """Named attributes of a node."""
    found = node.get("attrs")
    listed = found if isinstance(found, list) else []
    return {str(one.get("name")): one.get("value") for one in listed if isinstance(one, dict)}


def _plain(text: str) -> str | None:
    """A collective's name, if it is one."""
    name = text.casefold()
    return name if name in COLLECTIVE_KINDS or name in NO_TRAFFIC else None


def _groups(document: dict[str, Any], path: str) -> dict[object, Group]:
    """Each process group by its name and by its backend's number."""
    found: dict[object, Group] = {}
    for node in document["nodes"]:
        if not isinstance(node, dict) or _GROUPS not in str(node.get("name")):
            continue
        source = f"{path}: node {shown(node.get('id'))}"
        text = next(iter(_values(node, "inputs")), None)
        try:
            listed = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            listed = None
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise InputError(f"{source}: expected process groups as JSON")
        for one in listed:
            ranks, size = one.get("ranks"), one.get("group_size", one.get("pg_size"))
            ranks = list(ranks) if isinstance(ranks, dict) else ranks
            whole = isinstance(ranks, list) and all(_whole(rank, MOST_RANKS) is not None for rank in ranks)
            if not whole or len(set(ranks)) != len(ranks) or (not ranks and not _whole(size, MOST_RANKS)):
                raise InputError(f"{source}: ranks of a process group: expected a list")
            group = Group(str(one.get("pg_name", "")), tuple(ranks or range(size)))
            found[group.name] = group
            if "backend_id" in one:
                found[str(one["backend_id"])] = group
    return found


def _group(values: list[Any], at: int | None, named: dict[str, Any], groups: dict[object, Group], source: str) -> Group:
    """A record's group: as recorded, or by the first rank, their stride and number; `groups` gets what is new."""
    given = values[at - 2] if at is not None and at >= 2 else named.get("pg_name", "")
    label = str(given[0]) if isinstance(given, list) and given else str(given)
    if label in groups:
        return groups[label]
    if isinstance(given, int):
        # Another process may have another group there.
        label = f"{label} of {source.rpartition(': ')[0]}"
    keys = ("global_rank_start", "global_rank_stride", "pg_size")
    told = values[at + 3 : at + 6] if at is not None else []
    numbers = [_whole(one, MOST_RANKS) for one in (told if len(told) == 3 else map(named.get, keys))]
    start, stride, size = numbers
    if start is None or not stride or not size:
        return groups.setdefault((label,), Group(label, ()))
    if start + stride * (size - 1) >= MOST_RANKS:
        raise InputError(f"{source}: {size:,} ranks from {start:,} by {stride:,}; expected ranks of a job")
    key = label, start, stride, size
    if key not in groups:
        groups[key] = Group(label, tuple(range(start, start + stride * size, stride)))
    return groups[key]


def _rank(values: list[Any], at: int | None) -> int | None:
    return _whole(values[at - 1], MOST_RANKS) if at is not None and at >= 1 else None


def _whole(value: Any, most: int = _MOST) -> int | None:
    return value if type(value) is int and 0 <= value < most else None


def _recorded(
    node: Any,
    values: list[Any],
    at: int | None,
    named: dict[str, Any],
    source: str,
    name: str,
    group: Group,
) -> Recorded:
    sequence = values[at - 3] if at is not None and at >= 3 else None
    if isinstance(sequence, list) and sequence:
        sequence = sequence[0]
    tensors = values[: at - 3] if at is not None and at >= 3 else []
    sizes = [_tensors(side, source) for side in (tensors, _values(node, "outputs"))]
    splits = [_splits(values, at, named, side, source) for side in (0, 1)]
    if COLLECTIVE_KINDS[name] == "all-to-all":
        # A tensor for each member says what the splits of a single one would.
        splits = [each if each != () or len(own) < 2 else tuple(own) for each, own in zip(splits, sizes, strict=True)]
    dtype = str(named.get("dtype") or _dtype(_values(node, "inputs", "types")))
    return Recorded(
        source,
        name,
        COLLECTIVE_KINDS[name],
        group,
        _whole(sequence),
        _rank(values, at),
        _bytes(sizes[0], named.get("in_msg_nelems"), dtype),
        _bytes(sizes[1], named.get("out_msg_nelems"), dtype),
        splits[0],
        splits[1],
        dtype,
    )


def _splits(values: list[Any], at: int | None, named: dict[str, Any], side: int, source: str) -> tuple[int, ...] | None:
    """Splits of the input (0) or the output (1)."""
    found = values[at + 1 + side] if at is not None and len(values) > at + 1 + side else None
    if not isinstance(found, list) or not found:
        text = named.get(("in_split_size", "out_split_size")[side])
        if isinstance(text, str) and "..." in text:
            return None
        try:
            found = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            found = None
    if not isinstance(found, list) or not found:
        return ()
    if any(_whole(one) is None for one in found):
        raise InputError(f"{source}: {('input', 'output')[side]} splits: expected whole numbers, one a rank")
    return tuple(found)


def _bytes(sizes: list[int], elements: Any, dtype: str) -> float | None:
    """Bytes of tensors, or by the number of elements where there are none."""
    if sizes:
        return float(sum(sizes))
    number, each = _whole(elements), DTYPE_BYTES.get(dtype)
    return float(number * each) if number is not None and each is not None else None


def _dtype(types: list[Any]) -> str:
    """Of the first tensor among the types of arguments, such as ``GenericList[Tensor(float)]``; empty if unknown."""
    found = re.search(r"Tensor\(([\w: ]{1,40})\)", str(types[0])) if types else None
    return _TYPES.get(found[1], "") if found else ""


def _tensors(values: list[Any], source: str) -> list[int]:
    """Bytes of each tensor among nested values, in order: ``[id, storage, offset, elements, bytes of one, device]``."""
    sizes: list[int] = []
    left: list[Any] = [values]
    while left:
        one = left.pop()
        if not isinstance(one, list):
            continue
        if len(one) == 6 and isinstance(one[5], str) and all(type(part) is int for part in one[:5]):
            if not (0 <= one[3] < _MOST and 0 < one[4] <= 16):
                raise InputError(f"{source}: a tensor of {one[3]:,} elements of {one[4]:,} bytes; expected sizes")
            sizes.append(one[3] * one[4])
        else:
            left += reversed(one)
    return sizes
