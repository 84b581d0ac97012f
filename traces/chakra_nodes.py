"""Nodes of Chakra execution traces, binary or JSON, as one job's operations.

Numbers of types: mlcommons/chakra, schema/protobuf/et_def.proto.  What a size means is ASTRA-sim's reading (its
algorithms: astra-sim/system/collective): all-gather: a rank's shard; reduce-scatter: a rank's whole input; all-to-all:
the whole send buffer; all-reduce, broadcast, reduce: the buffer.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from collectives.errors import InputError
from collectives.gate import MAX_WHOLE, quoted, whole_value
from collectives.sizes import counted
from traces.compression import plain_name
from traces.message_order import MEMBER, RECEIVE, SEND
from traces.operation import Operation, Trace
from traces.rank_groups import MOST_RANKS
from traces.rank_records import Record, Recording, checked_ranks, joined
from traces.whole_job import WHOLE_JOB

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
_GROUP = "group "
_RANK = re.compile(r"\.([0-9]{1,7})\.(?:et|json)$")
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
    found = [_find(file, rank, world, groups) for file, rank in zip(files, ranks, strict=True)]
    members = _members_by_use(found, world)
    recordings = [_recording(one, members) for one in found]
    if not any(one.n_nodes for one in found):
        nodes = sum(len(file.nodes) + file.others.total() for file in files)
        raise InputError(f"{files[0].path}: no communication in {counted(nodes, 'node')}; expected COMM_* nodes")
    result = joined([recording for recording, _ in recordings])
    ignored: Counter[str] = sum((one.ignored for one in found), Counter())
    ignored["collectives of a group of one"] += sum(alone for _, alone in recordings)
    if known:
        warnings.insert(0, f"which rank a file is of is taken from its name ({plain_name(files[0].path)})")
    warnings += _said(found)
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
        tuple((reason, count) for reason, count in ignored.items() if count),
        tuple(warnings),
        tuple(sorted(known)),
        result.orders,
    )


def _rank(path: str) -> int | None:
    found = _RANK.search(plain_name(path))
    rank = int(found[1]) if found else None
    return rank if rank is None or rank < MOST_RANKS else None


def _world(
    files: Sequence[RankTrace], ranks: list[int], groups: Mapping[str, tuple[int, ...]]
) -> tuple[int | None, list[str]]:
    """How many ranks the job has, and how that is known."""
    if groups:
        return max([*(max(members) for members in groups.values()), *ranks]) + 1, []
    if len(files) > 1 and set(ranks) == set(range(len(files))):
        peers = [
            _peer(node, f"{file.path}: node {node.number}")
            for file in files
            for node in file.nodes
            if node.type in (SENDS, RECEIVES)
        ]
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
            if not isinstance(members, list) or not members or not all(map(_is_rank, members)):
                continue
            if len(set(members)) == len(members):
                groups[str(entry.get("pg_name"))] = tuple(members)
    return groups


def _is_rank(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_RANKS


def _peer(node: Node, source: str) -> int | None:
    """The other rank of a message; what a node says of its own end is often a number of another kind."""
    return _number(node, "comm_dst" if node.type == SENDS else "comm_src", source, MOST_RANKS - 1)


def _number(node: Node, name: str, source: str, high: int = MAX_WHOLE) -> int | None:
    value = node.attributes.get(name)
    return None if value is None else whole_value(value, f"{source}: {name}", 0, high)


@dataclass(frozen=True, eq=False)
class _Found:
    """What is in one file: records, some of groups whose members other files tell, and what is to be said of them."""

    path: str
    rank: int | None
    n_nodes: int
    records: tuple[Record, ...]
    ignored: Counter[str]
    unlisted: frozenset[str]
    strange: tuple[str, ...]
    foreign: int


def _find(file: RankTrace, rank: int | None, world: int | None, groups: Mapping[str, tuple[int, ...]]) -> _Found:
    ignored: Counter[str] = Counter()
    for type_, count in file.others.items():
        ignored[_IGNORED.get(type_, "other nodes")] += count
    nodes = [node for node in file.nodes if node.type in (SENDS, RECEIVES, COLLECTIVE)]
    if all(node.start_us for node in nodes):
        nodes.sort(key=lambda node: node.start_us)
    on_gpu = {node.type for node in nodes if not node.attributes.get("is_cpu_op")}
    records: list[Record] = []
    unlisted: set[str] = set()
    strange: list[str] = []
    foreign = 0
    for node in nodes:
        source = f"{file.path}: node {node.number}"
        if node.type == COLLECTIVE and "comm_type" not in node.attributes:
            ignored["CPU-side collectives without comm_type"] += 1
            continue
        if node.type in on_gpu and node.attributes.get("is_cpu_op"):
            ignored["CPU-side duplicates"] += 1
            continue
        kind = _kind(node, source)
        if kind is None:
            ignored["barriers"] += 1
            continue
        if kind == "send-recv":
            group, ranks = "", _ends(node, rank, source)
            foreign += _names_another(node, rank)
        else:
            group, ranks = _group(node, world, groups)
            if not ranks and group.startswith(_GROUP):
                unlisted.add(group)
        size = _number(node, "comm_size", source)
        doubt = _doubt(node, size)
        strange += doubt
        operation = Operation(
            kind=kind,
            ranks=ranks,
            group_size=2 if kind == "send-recv" else len(ranks),
            group=group,
            bytes=None if size is None else float(size),
            start_s=node.start_us * 1e-6 if node.start_us else None,
            source=source,
            missing=(*(() if ranks else ("ranks",)), *(() if size is not None else ("size",))),
            measured_s=node.duration_us * 1e-6 if node.duration_us and not doubt else None,
        )
        role = {SENDS: SEND, RECEIVES: RECEIVE}.get(node.type, MEMBER)
        records.append(Record(operation, role, None if role == MEMBER else _number(node, "comm_tag", source)))
    found = frozenset(unlisted)
    return _Found(file.path, rank, len(nodes), tuple(records), ignored, found, tuple(strange), foreign)


def _kind(node: Node, source: str) -> str | None:
    """The kind of an operation; None of a barrier."""
    if node.type != COLLECTIVE:
        return "send-recv"
    number = _number(node, "comm_type", source)
    if number == _BARRIER:
        return None
    if number not in _KINDS:
        raise InputError(f"{source}: comm_type {number}; expected 0 to {_BARRIER}, as since October 2023")
    return _KINDS[number]


def _ends(node: Node, rank: int | None, source: str) -> tuple[int, ...]:
    """Sender and receiver."""
    peer = _peer(node, source)
    if peer is None or rank is None:
        return ()
    return (rank, peer) if node.type == SENDS else (peer, rank)


def _names_another(node: Node, rank: int | None) -> bool:
    """Whether a message says that its own end is another rank than the file's."""
    own = node.attributes.get("comm_src" if node.type == SENDS else "comm_dst")
    return own is not None and rank is not None and own != rank


def _doubt(node: Node, size: int | None) -> tuple[str, ...]:
    """Why a size cannot be true, if so."""
    lasted = node.duration_us * 1e-6
    if size is None or (size <= _LARGEST and not (lasted and size > _FASTEST * lasted)):
        return ()
    within = f" in {node.duration_us:,} us" if lasted else ""
    return (f"{size:,} B{within} of node {node.number}, {quoted(node.name)}",)


def _group(node: Node, world: int | None, groups: Mapping[str, tuple[int, ...]]) -> tuple[str, tuple[int, ...]]:
    """Name and members of a collective's group; no members where they are not known, or not yet."""
    name = node.attributes.get("pg_name")
    if isinstance(name, (str, int)) and not isinstance(name, bool) and str(name):
        return f"{_GROUP}{name}", groups.get(str(name), ())
    dims = node.attributes.get("involved_dim")
    if isinstance(dims, list) and not all(dims):
        return f"dimensions {''.join('1' if one else '0' for one in dims[:20])}", ()
    return WHOLE_JOB, tuple(range(world)) if world else ()


def _recording(found: _Found, members: Mapping[str, tuple[int, ...]]) -> tuple[Recording, int]:
    """The records, the members of unlisted groups filled in, and how many groups of one were left out."""
    records = []
    for record in found.records:
        operation = record.operation
        if operation.group in members:
            ranks = members[operation.group]
            left = tuple(part for part in operation.missing if part != "ranks")
            operation = replace(operation, ranks=ranks, group_size=len(ranks), missing=left)
        if operation.group_size != 1:
            records.append(replace(record, operation=operation))
    return Recording(found.path, found.rank, tuple(records)), len(found.records) - len(records)


def _members_by_use(found: Sequence[_Found], world: int | None) -> dict[str, tuple[int, ...]]:
    """Members of groups that are named and not listed: whose files name them, where there is a file of every rank."""
    ranks = {one.rank for one in found}
    if world is None or not ranks.issuperset(range(world)):
        return {}
    members: dict[str, list[int]] = {}
    for one in sorted(found, key=lambda one: one.rank or 0):
        for group in one.unlisted:
            members.setdefault(group, []).append(one.rank or 0)
    return {group: tuple(listed) for group, listed in members.items()}


def _said(found: Sequence[_Found]) -> list[str]:
    """What is to be said of sizes that cannot be, and of ranks that contradict."""
    lines = []
    strange = [line for one in found for line in one.strange]
    if strange:
        lines.append(
            f"implausible sizes: {counted(len(strange), 'operation')} of more bytes than a GPU holds, or moves in the "
            f"time that stands beside them ({strange[0]}): are these the units? Taken as bytes, the times left out"
        )
    foreign = sum(one.foreign for one in found)
    if foreign:
        lines.append(f"{foreign:,} messages name another rank than the file's as their own end: the file's is taken")
    return lines
