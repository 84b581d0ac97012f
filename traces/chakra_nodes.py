"""Nodes of Chakra execution traces, binary or JSON, as one job's operations.

Numbers of types: mlcommons/chakra, schema/protobuf/et_def.proto.  What a size means is ASTRA-sim's reading (its ring and
direct algorithms: astra-sim/system/collective): all-gather: a rank's shard; reduce-scatter: a rank's whole input;
all-to-all: the whole send buffer; all-reduce, broadcast, reduce: the buffer.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from collectives.errors import InputError
from collectives.gate import quoted, whole_value
from collectives.sizes import counted
from traces.compression import plain_name
from traces.message_order import MEMBER, RECEIVE, SEND
from traces.operation import Operation, Trace
from traces.rank_records import Record, Recording, checked_ranks, joined

NODE_TYPES = (
    "INVALID_NODE",
    "METADATA_NODE",
    "MEM_LOAD_NODE",
    "MEM_STORE_NODE",
    "COMP_NODE",
    "COMM_SEND_NODE",
    "COMM_RECV_NODE",
    "COMM_COLL_NODE",
    "STORAGE_NODE",
    "BATCH_NODE",
    "CHECKPOINT_NODE",
)
"""By number; the last three since 2026."""

METADATA, COMPUTE, SENDS, RECEIVES, COLLECTIVE = 1, 4, 5, 6, 7
"""Numbers of the types that count here."""

_IGNORED = {2: "memory nodes", 3: "memory nodes", COMPUTE: "compute nodes", 8: "storage nodes"}
_KINDS = {
    0: "all-reduce",
    1: "reduce",
    2: "all-gather",
    3: "gather",
    4: "scatter",
    5: "broadcast",
    6: "all-to-all",
    7: "reduce-scatter",
    8: "reduce-scatter",
}
_BARRIER = 9
_GROUPS_NODE = "process_group:init"
_WHOLE_JOB = "whole job"
_RANK = re.compile(r"\.([0-9]{1,7})\.(?:et|json)$")
# More than anybody builds: a million ranks.
_MOST_RANKS = 1 << 20
# NVLink 6 moves 3.6 TB/s into and out of a GPU together (NVIDIA, Vera Rubin NVL72, 2026): more than any GPU has.
_FASTEST = 3.6e12
# Of one GPU in 2026, 288 GB (NVIDIA Blackwell Ultra), and then some: no buffer is larger.
_LARGEST = 1e12


@dataclass(frozen=True, eq=False)
class Node:
    """A node that says something here: of communication, or of the job's groups.

    Attributes
    ----------
    number : int
        Its place in the file, from 0.
    name : str
    type : int
        Place in `NODE_TYPES`.
    attributes : mapping of str to object
        Values as Python has them.
    start_us, duration_us : int
        Microseconds; 0 where that is not said.
    values : str
        Of its inputs.
    """

    number: int
    name: str
    type: int
    attributes: Mapping[str, object]
    start_us: int = 0
    duration_us: int = 0
    values: str = ""


@dataclass(frozen=True, eq=False)
class RankTrace:
    """One file.

    Attributes
    ----------
    path : str
    nodes : tuple of Node
        In the order of the file.
    others : Counter of int
        How many nodes there are of each type that says nothing here.
    """

    path: str
    nodes: tuple[Node, ...]
    others: Counter[int]


def says_something(kind: int, name: str) -> bool:
    """Whether a node of that type and name is more than counted."""
    return kind in (SENDS, RECEIVES, COLLECTIVE) or _GROUPS_NODE in name


def chakra_trace(files: Sequence[RankTrace]) -> Trace:
    """The operations of one job.

    Parameters
    ----------
    files : sequence of RankTrace
        One per rank; which rank stands in the file's name, ``NAME.RANK.et``.

    Raises
    ------
    InputError
        If two files are of one rank, one of several does not say its rank, an attribute is out of its range, or the
        members of a group disagree about an operation.
    """
    ranks = [_rank(file.path) for file in files]
    checked_ranks([(file.path, rank) for file, rank in zip(files, ranks, strict=True)], "a name such as job.0.et")
    known = [rank for rank in ranks if rank is not None]
    groups: dict[str, tuple[int, ...]] = {}
    for file in files:
        groups |= _listed_groups(file)
    world, warnings = _world(files, known, groups)
    readers = [_Reader(file, rank, world, groups) for file, rank in zip(files, ranks, strict=True)]
    members = _members_by_use(readers, known, world)
    recordings = [reader.recording(members) for reader in readers]
    if not any(reader.found for reader in readers):
        nodes = sum(len(file.nodes) + file.others.total() for file in files)
        raise InputError(f"{files[0].path}: no communication in {counted(nodes, 'node')}; expected COMM_* nodes")
    result = joined(recordings)
    ignored: Counter[str] = sum((reader.ignored for reader in readers), Counter())
    if known:
        warnings.insert(0, f"which rank a file is of is taken from its name ({plain_name(files[0].path)})")
    warnings += _said(readers)
    warnings += result.warnings
    if members:
        warnings.append(
            f"members of {counted(len(members), 'process group')} are not listed: those ranks are taken whose files "
            "name it"
        )
    lacking = Counter(reason for operation in result.operations for reason in operation.missing)
    total = len(result.operations)
    warnings += [f"{count:,} of {total:,} operations: {reason} missing" for reason, count in lacking.items()]
    return Trace(
        tuple(file.path for file in files),
        result.operations,
        world,
        tuple(ignored.items()),
        tuple(warnings),
        tuple(sorted(known)),
        result.orders,
    )


def _rank(path: str) -> int | None:
    found = _RANK.search(plain_name(path))
    rank = int(found[1]) if found else None
    return rank if rank is None or rank < _MOST_RANKS else None


def _world(
    files: Sequence[RankTrace], ranks: list[int], groups: Mapping[str, tuple[int, ...]]
) -> tuple[int | None, list[str]]:
    """How many ranks the job has, and how that is known."""
    if groups:
        return max(*(max(members) for members in groups.values()), *ranks) + 1, []
    if len(files) > 1 and set(ranks) == set(range(len(files))):
        peers = [_peer(node, file.path) for file in files for node in file.nodes if node.type in (SENDS, RECEIVES)]
        if max((peer for peer in peers if peer is not None), default=0) < len(files):
            return len(files), [f"the job is taken to have the {len(files)} ranks that there are files of"]
    return None, []


def _listed_groups(file: RankTrace) -> dict[str, tuple[int, ...]]:
    """Ranks of the process groups that PyTorch lists: JSON in the inputs of a node; ``[]`` stands for all ranks."""
    groups: dict[str, tuple[int, ...]] = {}
    for node in file.nodes:
        if _GROUPS_NODE not in node.name:
            continue
        first, last = node.values.find("[{"), node.values.rfind("}]")
        try:
            listed = json.loads(node.values[first : last + 2]) if 0 <= first < last else []
        except (ValueError, RecursionError):
            listed = []
        for entry in listed if isinstance(listed, list) else []:
            if not isinstance(entry, dict):
                continue
            members, size = entry.get("ranks"), entry.get("group_size")
            if members == [] and _is_rank(size) and size:
                members = list(range(size))
            if isinstance(members, list) and members and all(map(_is_rank, members)):
                if len(set(members)) == len(members):
                    groups[str(entry.get("pg_name"))] = tuple(members)
    return groups


def _is_rank(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_RANKS


def _peer(node: Node, path: str) -> int | None:
    """The other rank of a message; what a node says of its own end is often a number of another kind."""
    return _number(node, "comm_dst" if node.type == SENDS else "comm_src", path, _MOST_RANKS - 1)


def _number(node: Node, name: str, path: str, high: int = 2**53) -> int | None:
    value = node.attributes.get(name)
    return None if value is None else whole_value(value, f"{_source(path, node)}: {name}", 0, high)


def _source(path: str, node: Node) -> str:
    return f"{path}: node {node.number}"


class _Reader:
    """The records of one file, and what is to be said of them."""

    def __init__(
        self, file: RankTrace, rank: int | None, world: int | None, groups: Mapping[str, tuple[int, ...]]
    ) -> None:
        self.path, self.rank, self.world, self.groups = file.path, rank, world, groups
        self.ignored: Counter[str] = Counter()
        for kind, count in file.others.items():
            self.ignored[_IGNORED.get(kind, "other nodes")] += count
        self.strange: list[str] = []
        self.foreign = 0
        self.used: set[str] = set()
        self.draft: list[Record] = []
        communication = [node for node in file.nodes if node.type in (SENDS, RECEIVES, COLLECTIVE)]
        if all(node.start_us for node in communication):
            communication.sort(key=lambda node: node.start_us)
        self.found = len(communication)
        on_gpu = {node.type for node in communication if not node.attributes.get("is_cpu_op")}
        for node in communication:
            if node.type == COLLECTIVE and "comm_type" not in node.attributes:
                self.ignored["CPU-side collectives without comm_type"] += 1
            elif node.type in on_gpu and node.attributes.get("is_cpu_op"):
                self.ignored["CPU-side duplicates"] += 1
            else:
                record = self._collective(node) if node.type == COLLECTIVE else self._message(node)
                if record is not None:
                    self.draft.append(record)

    def recording(self, members: Mapping[str, tuple[int, ...]]) -> Recording:
        """The records, the members of groups filled in that others' files tell; groups of one move nothing."""
        records = []
        for record in self.draft:
            operation = record.operation
            if not operation.ranks and operation.group in members:
                ranks = members[operation.group]
                left = tuple(part for part in operation.missing if part != "ranks")
                operation = replace(operation, ranks=ranks, group_size=len(ranks), missing=left)
            if operation.group_size == 1:
                self.ignored["collectives of a group of one"] += 1
            else:
                records.append(replace(record, operation=operation))
        return Recording(self.path, self.rank, tuple(records))

    def _collective(self, node: Node) -> Record | None:
        number = _number(node, "comm_type", self.path)
        if number == _BARRIER:
            self.ignored["barriers"] += 1
            return None
        if number not in _KINDS:
            raise InputError(
                f"{_source(self.path, node)}: comm_type {number}; expected 0 to {_BARRIER} (of the schema of October 2023)"
            )
        group, ranks = self._group(node)
        return Record(self._operation(node, _KINDS[number], ranks, group))

    def _message(self, node: Node) -> Record:
        sends = node.type == SENDS
        peer = _peer(node, self.path)
        own = node.attributes.get("comm_src" if sends else "comm_dst")
        if own is not None and self.rank is not None and own != self.rank:
            self.foreign += 1
        ranks: tuple[int, ...] = ()
        if peer is not None and self.rank is not None:
            ranks = (self.rank, peer) if sends else (peer, self.rank)
        operation = self._operation(node, "send-recv", ranks, "")
        return Record(operation, SEND if sends else RECEIVE, _number(node, "comm_tag", self.path))

    def _operation(self, node: Node, kind: str, ranks: tuple[int, ...], group: str) -> Operation:
        size = _number(node, "comm_size", self.path)
        seconds = node.duration_us * 1e-6
        if size is not None and (size > _LARGEST or (seconds and size > _FASTEST * seconds)):
            lasted = f" in {node.duration_us:,} us" if seconds else ""
            self.strange.append(f"{size:,} B{lasted} of node {node.number}, {quoted(node.name)}")
            seconds = 0.0
        return Operation(
            kind=kind,
            ranks=ranks,
            group_size=2 if kind == "send-recv" else len(ranks),
            group=group,
            bytes=None if size is None else float(size),
            start_s=node.start_us * 1e-6 if node.start_us else None,
            source=_source(self.path, node),
            missing=(*(() if ranks else ("ranks",)), *(() if size is not None else ("size",))),
            measured_s=seconds or None,
        )

    def _group(self, node: Node) -> tuple[str, tuple[int, ...]]:
        """Name and members of a collective's group; no members where they are not known (yet)."""
        name = node.attributes.get("pg_name")
        if isinstance(name, (str, int)) and not isinstance(name, bool) and str(name):
            group = f"group {name}"
            ranks = self.groups.get(str(name), ())
            if not ranks:
                self.used.add(group)
            return group, ranks
        dims = node.attributes.get("involved_dim")
        if isinstance(dims, (list, tuple)) and not all(dims):
            return f"dimensions {''.join('1' if one else '0' for one in dims[:20])}", ()
        return _WHOLE_JOB, tuple(range(self.world)) if self.world else ()


def _members_by_use(readers: Sequence[_Reader], ranks: list[int], world: int | None) -> dict[str, tuple[int, ...]]:
    """Members of groups that are named and not listed: whose files name them, where there is a file of every rank."""
    if world is None or len(ranks) != world:
        return {}
    members: dict[str, list[int]] = {}
    for reader in sorted(readers, key=lambda one: one.rank or 0):
        for group in reader.used:
            members.setdefault(group, []).append(reader.rank or 0)
    return {group: tuple(found) for group, found in members.items()}


def _said(readers: Sequence[_Reader]) -> list[str]:
    """What is to be said of sizes that cannot be and of ranks that contradict."""
    lines = []
    strange = [line for reader in readers for line in reader.strange]
    if strange:
        lines.append(
            f"implausible sizes: {counted(len(strange), 'operation')} of more bytes than a GPU holds, or moves in the time "
            f"that stands beside them ({strange[0]}): are these the units? Taken as bytes, the times left out"
        )
    foreign = sum(reader.foreign for reader in readers)
    if foreign:
        lines.append(f"{foreign:,} messages name another rank as their own end than the file is of: the file's is taken")
    return lines
