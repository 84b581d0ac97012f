"""One dump of PyTorch's NCCL flight recorder: pickled, or JSON; of one rank.

A pickle can run anything; a dump needs no more than dictionaries, lists, tuples, texts and numbers, so that one which
asks for any class or function is refused.  Source of the keys: PyTorch, torch/csrc/distributed/c10d/FlightRecorder.hpp
(versions 2.x).
"""

import io
import json
import pickle
import pickletools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, NoReturn

from collectives.errors import InputError
from collectives.gate import quoted, shown
from traces.files import read_bytes
from traces.message_order import MEMBER, RECEIVE, SEND
from traces.operation import Operation
from traces.torch_names import DTYPE_BYTES

_KINDS = {
    "all_reduce": "all-reduce",
    "allreduce": "all-reduce",
    "all_reduce_coalesced": "all-reduce",
    "all_gather": "all-gather",
    "all_gather_into_tensor_coalesced": "all-gather",
    "_all_gather_base": "all-gather",
    "reduce_scatter": "reduce-scatter",
    "_reduce_scatter_base": "reduce-scatter",
    "reduce_scatter_tensor_coalesced": "reduce-scatter",
    "all_to_all": "all-to-all",
    "all_to_allv": "all-to-all",
    "broadcast": "broadcast",
    "_broadcast_oop": "broadcast",
    "reduce": "reduce",
    "_reduce_oop": "reduce",
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
class Entry:
    """An entry of a dump.

    Attributes
    ----------
    operation : Operation
        As this rank saw it; of a message the sequence is the recorder's count of this rank's messages in the group.
    role : str
        `traces.message_order.MEMBER` of a collective; `SEND` or `RECEIVE` of a message.
    parts : tuple of float
        Bytes of each tensor of the input: of an all-to-all of as many tensors as members one for each.
    received : float or None
        Bytes of the output.
    own : int or None
        The rank that wrote it, where the entry says it: messages do.
    """

    operation: Operation
    role: str
    parts: tuple[float, ...]
    received: float | None
    own: int | None


@dataclass(frozen=True, eq=False)
class Dump:
    """What one file says.

    Attributes
    ----------
    path : str
    version : str
        Of the recorder's format.
    groups : dict of str to tuple of int
        Global ranks of each process group of this rank, by its name.
    entries : tuple of Entry
        Collectives and messages, in the order in which they were issued.
    ignored : tuple of (str, int)
        Entries that move nothing or are unknown, by reason.
    """

    path: str
    version: str
    groups: dict[str, tuple[int, ...]]
    entries: tuple[Entry, ...]
    ignored: tuple[tuple[str, int], ...]


def read_dump(path: str) -> Dump:
    """Read one dump.

    Parameters
    ----------
    path : str

    Raises
    ------
    InputError
        A pickle that asks for code, a cut file, a version before 2, an entry without what the format says.
    """
    document = _document(path)
    groups = _groups(document, path)
    ignored: Counter[str] = Counter()
    entries = tuple(_entries(document, path, groups, ignored))
    return Dump(path, str(document["version"]), groups, entries, tuple(ignored.items()))


def _unpickled(data: bytes) -> Any:
    """What a pickle holds."""
    for opcode, argument, _ in pickletools.genops(data):
        # A few bytes could ask for gigabytes: the values that a pickle numbers are no more than its bytes.
        if "PUT" in opcode.name and isinstance(argument, int) and argument >= len(data):
            raise pickle.UnpicklingError(f"it numbers {argument:,} values in {len(data):,} bytes")
    return _Unpickler(io.BytesIO(data)).load()


def _document(path: str) -> dict[str, Any]:
    data = read_bytes(path)
    try:
        document = _unpickled(data) if data[:1] == b"\x80" else json.loads(data)
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
    document: dict[str, Any], path: str, groups: dict[str, tuple[int, ...]], ignored: Counter[str]
) -> Iterator[Entry]:
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
        (sent, dtype), (received, _) = (_tensors(entry, side, source) for side in ("input", "output"))
        # Size by Operation's meaning: a rank's input, but of a scatter what it receives.
        parts = received if kind == "scatter" else sent
        size = sum(parts) if parts else None
        sequence = entry.get("p2p_seq_id" if message else "collective_seq_id")
        created, lasted = entry.get("time_created_ns"), entry.get("duration_ms")
        role, ranks, own = MEMBER, members, None
        if message:
            role = SEND if message[1] == "send" else RECEIVE
            ends = int(message[2]), int(message[3])
            if members and max(ends) >= len(members):
                raise InputError(f"{source}: {quoted(name)} in a group of {len(members)} ranks")
            if members:
                # The rank that wrote the entry comes first, whichever way the message goes.
                own, other = members[ends[0]], members[ends[1]]
                ranks = (own, other) if role == SEND else (other, own)
        yield Entry(
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
                missing=(*(() if members else ("ranks",)), *(() if size is not None else ("size",))),
                measured_s=_scaled(lasted, 1e-3) or None,
            ),
            role,
            sent,
            sum(received) if received else None,
            own,
        )


def _scaled(value: object, factor: float) -> float | None:
    """A time, if it is one."""
    return value * factor if isinstance(value, (int, float)) and 0 <= value < 1e20 else None


def _tensors(entry: dict[str, Any], side: str, source: str) -> tuple[tuple[float, ...], str]:
    """Bytes of each tensor of the input or the output, none where they are not said; and their type."""
    sizes, dtypes = entry.get(f"{side}_sizes"), entry.get(f"{side}_dtypes")
    if not isinstance(sizes, (list, tuple)) or not isinstance(dtypes, (list, tuple)) or not sizes or not dtypes:
        return (), ""
    found, first = [], str(dtypes[0])
    for number, shape in enumerate(sizes):
        each = DTYPE_BYTES.get(str(dtypes[min(number, len(dtypes) - 1)]))
        numbers = isinstance(shape, (list, tuple)) and all(type(one) is int and 0 <= one < 1 << 48 for one in shape)
        if not numbers:
            raise InputError(f"{source}: {side}_sizes: expected lists of whole numbers, got {shown(shape)}")
        if each is None:
            return (), first
        found.append(float(prod(float(one) for one in shape)) * each)
    if not sum(found) < 1e18:
        raise InputError(f"{source}: {side}_sizes: {sum(found):g} bytes; expected at most 1e18")
    return tuple(found), first
