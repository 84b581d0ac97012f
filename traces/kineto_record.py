"""One event ``record_param_comms`` of a PyTorch profiler trace as an operation of one rank.

Names of arguments: PyTorch, torch/csrc/distributed/c10d/ParamCommsUtils.hpp and torch/csrc/profiler/util.h.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from collectives.errors import InputError
from collectives.gate import whole_value
from traces.operation import Operation
from traces.torch_names import COLLECTIVE_KINDS, DTYPE_BYTES, ROOTED

# Which message size is the operation's: of the input or of the output.
_SIZE_OF = {"scatter": "Out msg nelems"}
# Ranks of a job, and members of a group: more than any fabric that can be built has endpoints.
_MOST_RANKS = 1 << 24


@dataclass(frozen=True, eq=False)
class Record:
    """An operation as one rank recorded it.

    Attributes
    ----------
    operation : Operation
    rank : int or None
        Who recorded it; None where the file does not say.
    collective : str
        The name that PyTorch has for it.
    row : tuple of float or None
        Bytes to each member of an uneven all-to-all.
    peer : int or None
        Of a send or a receive.
    kernel : tuple of str
        What it has in common with its kernel.
    """

    operation: Operation
    rank: int | None
    collective: str
    row: tuple[float, ...] | None
    peer: int | None
    kernel: tuple[str, ...] = ()


def whole_of(value: Any) -> int | None:
    """A count or a rank, also in ASCII digits; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = _number(value)
    return value if isinstance(value, int) and 0 <= value < _MOST_RANKS else None


def process_groups(info: Mapping[str, Any], world: int | None) -> dict[str, tuple[int, ...]]:
    """Ranks of each process group that ``distributedInfo.pg_config`` lists whole; ``[]`` stands for all ranks."""
    groups: dict[str, tuple[int, ...]] = {}
    listed = info.get("pg_config")
    for entry in listed if isinstance(listed, list) else []:
        if not isinstance(entry, dict):
            continue
        ranks, size = _ranks(entry.get("ranks")), whole_of(entry.get("pg_size"))
        if ranks == () and (size is None or size == world) and world is not None:
            ranks = tuple(range(world))
        if ranks and (size is None or size == len(ranks)):
            groups[str(entry.get("pg_name"))] = ranks
    return groups


def _ranks(value: Any) -> tuple[int, ...] | None:
    """A whole list of ranks; None if it is cut (``...``) or no list."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, list):
        return None
    ranks = [whole_of(item) for item in value]
    return None if None in ranks or len(set(ranks)) != len(ranks) else tuple(rank for rank in ranks if rank is not None)


def record_of(
    source: str,
    name: str,
    event: Mapping[str, Any],
    args: Mapping[str, Any],
    rank: int | None,
    groups: Mapping[str, tuple[int, ...]],
) -> Record:
    """The record of a collective that `traces.torch_names` knows.

    Parameters
    ----------
    source : str
        The event's place; begins the messages.
    name : str
        Of the collective.
    event, args : mapping
        The event and its arguments.
    rank : int or None
        Whose file it is.
    groups : mapping
        Ranks of each process group that the file lists.

    Raises
    ------
    InputError
        Sizes or splits that are none.
    """
    kind, group = COLLECTIVE_KINDS[name], str(args.get("Process Group Name", ""))
    size = whole_of(args.get("Group size"))
    members = _members(args, group, size, groups)
    size = size if size is not None else len(members)
    missing = [] if members else ["ranks"]
    per_element = DTYPE_BYTES.get(str(args.get("dtype")))
    elements = _elements(args, _SIZE_OF.get(kind, "In msg nelems"), source)
    row = None
    if kind == "all-to-all":
        row = _splits(args.get("In split size"), size, source)
    if elements is None or per_element is None:
        missing.append("size")
    peer = None
    if kind == "send-recv":
        peer = whole_of(args.get("Dst Rank" if name == "send" else "Src Rank"))
        members = _pair(name, rank, peer, members)
        missing = [part for part in missing if part != "ranks"] + ([] if members else ["ranks"])
        elements = _elements(args, "In msg nelems", source) or _elements(args, "Out msg nelems", source)
    volume = float(elements * per_element) if elements is not None and per_element is not None else None
    scale = 0.0
    if row is not None and volume is not None:
        whole = sum(row)
        # Splits count rows of the tensor, sizes its elements.
        scale = volume / whole if whole else 0.0
    start = event.get("ts")
    operation = Operation(
        kind=kind,
        ranks=members,
        group_size=size,
        group=group,
        bytes=volume,
        sequence=whole_of(args.get("Seq")),
        start_s=float(start) / 1e6 if isinstance(start, (int, float)) and math.isfinite(start) else None,
        dtype=str(args.get("dtype", "")),
        source=source,
        missing=tuple(dict.fromkeys(missing)),
        root=_root(args, size) if kind in ROOTED else None,
    )
    scaled = tuple(part * scale for part in row) if row is not None and volume is not None else None
    return Record(operation, rank, name, scaled, peer)


def _root(args: Mapping[str, Any], size: int) -> int | None:
    """Place of the root in its group: the fourth concrete input of newer records (PyTorch, RECORD_PARAM_COMMS_DATA)."""
    inputs = args.get("Concrete Inputs")
    root = whole_of(inputs[3]) if isinstance(inputs, list) and len(inputs) > 3 else None
    return root if root is not None and root < size else None


def _members(
    args: Mapping[str, Any], group: str, size: int | None, groups: Mapping[str, tuple[int, ...]]
) -> tuple[int, ...]:
    """Ranks of the group: as listed, from pg_config where the list is cut, from start and stride; empty if unknown."""
    listed = _ranks(args.get("Process Group Ranks"))
    if listed and (size is None or len(listed) == size):
        return listed
    known = groups.get(group, ())
    if known and (size is None or len(known) == size):
        return known
    start, stride = whole_of(args.get("Global rank start")), whole_of(args.get("Global rank stride"))
    if start is not None and stride and size is not None:
        return tuple(range(start, start + stride * size, stride))
    return ()


def _elements(args: Mapping[str, Any], key: str, source: str) -> int | None:
    value = args.get(key)
    if value is None:
        return None
    if isinstance(value, str):
        value = _number(value)
    return whole_value(value, f"{source}: {key}")


def _number(text: str) -> int | str:
    """A whole number in ASCII digits; other text as it is."""
    digits = text.strip().lstrip("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) < 20 else text


def _splits(value: Any, size: int, source: str) -> tuple[float, ...] | None:
    """Split sizes of this rank; None where they are even (``[]``) or cut (``...``)."""
    if isinstance(value, str):
        if "..." in value:
            return (math.nan,)
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, list) or not value:
        return None
    if len(value) != size or any(isinstance(v, bool) or not isinstance(v, int) or not 0 <= v < 2**53 for v in value):
        raise InputError(f"{source}: In split size: expected {size} whole numbers >= 0")
    return tuple(float(part) for part in value)


def _pair(name: str, rank: int | None, peer: int | None, members: tuple[int, ...]) -> tuple[int, ...]:
    """Sender and receiver; the peer is taken as a rank within the group, as PyTorch records it."""
    if rank is None or peer is None or not members or peer >= len(members):
        return ()
    other = members[peer]
    return (rank, other) if name == "send" else (other, rank)
