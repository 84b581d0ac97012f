"""NCCL's and RCCL's debug logs (``NCCL_DEBUG=INFO`` with ``NCCL_DEBUG_SUBSYS=INIT,COLL``): what each rank issued.

Every rank prints an operation; those of one communicator with one ``opCount`` are one.  A communicator's pointer is
local to its process: the Init lines say which pointers are one communicator (``commId``, or the parent, number and
color of a split), and who has which rank.  Without them pointers of equally large communicators are joined where that
can be, which is said.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from collectives.errors import InputError
from collectives.gate import quoted
from traces.files import read_text
from traces.nccl_chosen import choices_text
from traces.nccl_log_lines import MOST_RANKS, CollLine, InitLine, Line, Process, coll_of, init_of, log_lines, sort_of
from traces.nccl_views import WiringLog, collect
from traces.nccl_wiring import choices_of
from traces.operation import Operation, Trace

_ROOTED = frozenset({"broadcast", "reduce", "gather", "scatter"})
# Of these NCCL's count is one peer's part, and railscope's size a rank's whole buffer.
_PER_PEER = frozenset({"reduce-scatter", "all-to-all"})
_HINT = "NCCL_DEBUG_SUBSYS=INIT,COLL prints who is in which"


@dataclass
class _Comm:
    """A communicator as its processes see it, while the log is read."""

    name: str
    n_ranks: int
    place: str
    members: dict[int, Process] = field(default_factory=dict)
    processes: set[Process] = field(default_factory=set)

    def ranks(self) -> dict[Process, int]:
        return {process: rank for rank, process in self.members.items()}


@dataclass(frozen=True, eq=False)
class _Issued:
    """An operation that a process issued."""

    line: Line
    coll: CollLine
    comm: _Comm
    number: int
    """Which one of this opCount it is in its process: those of one `ncclGroupStart` share it."""


@dataclass
class _Log:
    """What was read."""

    issued: list[_Issued] = field(default_factory=list)
    comms: list[_Comm] = field(default_factory=list)
    processes: dict[Process, None] = field(default_factory=dict)
    labels: dict[Process, set[int]] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    untyped: Counter[str] = field(default_factory=Counter)
    cut: list[str] = field(default_factory=list)
    wiring: WiringLog = field(default_factory=WiringLog)


def read_nccl_log(paths: Sequence[str]) -> Trace:
    """Read the logs of one job: of all ranks in one file, or a file a process.

    Sizes: NCCL's count is a rank's shard of an all-gather, a rank's output of a reduce-scatter, one peer's part of an
    all-to-all (``src/nccl.h.in``).  Sends and receives of one group call between every two members are an all-to-all,
    as PyTorch makes it.  What was chosen is told in warnings; `traces.nccl_wiring.read_nccl_choices` has it whole.

    Parameters
    ----------
    paths : sequence of str

    Returns
    -------
    Trace
        `orders` are of processes, `traced` the ranks that printed an operation.  Operations begin when the first of
        their ranks printed them, if all lines have a time before them.

    Raises
    ------
    InputError
        If a file cannot be read, there is neither a COLL line nor one of what was chosen, or two ranks say different
        operations or sizes of one opCount of one communicator: names both places.
    """
    log = _Log()
    _read(paths, log)
    choices = choices_of(log.wiring, paths)
    chosen = [*choices_text(choices), *choices.warnings]
    if not log.issued and not log.unknown:
        nothing = f"no whole COLL line ('AllReduce: opCount ...') in {len(log.processes)} processes"
        expected = "expected a log with NCCL_DEBUG=INFO and NCCL_DEBUG_SUBSYS=INIT,COLL"
        if not chosen:
            raise InputError(f"{paths[0]}: {nothing}; {expected}")
        largest = max((comm.n_ranks for comm in log.comms), default=0) or None
        return Trace(tuple(paths), (), largest, tuple(log.ignored.items()), (f"{nothing}; {expected}", *chosen))
    warnings = [f"{log.cut[0]} and {len(log.cut) - 1} more: COLL lines cut off, left out"] if log.cut else []
    warnings += [f"{number} operations {quoted(name)} unknown, left out" for name, number in log.unknown.items()]
    warnings += [f"{number} operations of {name}: their sizes are not known" for name, number in log.untyped.items()]
    issued = _joined(log, warnings)
    world, ranks = _global_ranks(log, issued, warnings)
    operations, orders = _operations(issued, ranks, world, log.ignored, warnings)
    reporting = {one.line.process for one in issued}
    warnings += _silent(log, reporting, ranks, world)
    warnings += chosen
    known = all(process in ranks for process in reporting)
    return Trace(
        tuple(paths),
        tuple(operations),
        world.n_ranks if world else None,
        ignored=tuple(log.ignored.items()),
        warnings=tuple(warnings),
        traced=tuple(sorted(ranks[process] for process in reporting)) if known and world else (),
        orders=tuple(orders),
    )


def _read(paths: Sequence[str], log: _Log) -> None:
    by_identity: dict[str, _Comm] = {}
    current: dict[tuple[str, int, str], _Comm] = {}
    actors: dict[tuple[str, int, str], Process] = {}
    counted: Counter[tuple[Process, int, int]] = Counter()
    for path in paths:
        for line in log_lines(path, read_text(path, "backslashreplace")):
            collect(log.wiring, line)
            process = line.process
            init = init_of(line)
            if init is not None:
                # The line may be printed before the device is set.
                process = replace(process, device=init.device)
                _begin(replace(line, process=process), init, by_identity, current, actors, log)
            log.processes.setdefault(process)
            if line.label is not None:
                log.labels.setdefault(process, set()).add(line.label)
            coll = coll_of(line)
            if coll is None:
                sort = "Init lines" if init is not None else sort_of(line)
                log.ignored[sort] += 1
                if sort.startswith("COLL"):
                    log.cut.append(line.place)
                continue
            if not coll.kind:
                log.unknown[coll.name] += 1
                continue
            comm = _comm_of(line, coll, current, log)
            # Whose pointer it is, whatever device was set when the line was printed.
            process = actors.get((process.host, process.pid, coll.comm), process)
            line = replace(line, process=process)
            comm.processes.add(process)
            key = (process, id(comm), coll.op_count)
            if coll.element_bytes is None:
                log.untyped[coll.dtype if coll.name.lower() != "alltoallv" else coll.name] += 1
            log.issued.append(_Issued(line, coll, comm, counted[key]))
            counted[key] += 1


def _begin(
    line: Line,
    init: InitLine,
    by_identity: dict[str, _Comm],
    current: dict[tuple[str, int, str], _Comm],
    actors: dict[tuple[str, int, str], Process],
    log: _Log,
) -> None:
    """A communicator begins in a process; its pointer may have been another's that is gone."""
    process = line.process
    local = (process.host, process.pid, init.comm)
    parent = current.get((process.host, process.pid, init.parent)) if init.parent else None
    identity = init.comm_id or (f"{parent.name} split {init.split}" if parent and parent.members else "")
    if not identity:
        known = current.get(local)
        if known is None or known.n_ranks != init.n_ranks or known.members != {init.rank: process}:
            known = _Comm("", init.n_ranks, line.place, {init.rank: process}, {process})
            log.comms.append(known)
            current[local] = known
            actors[local] = process
        return
    comm = by_identity.get(identity)
    if comm is None:
        comm = by_identity[identity] = _Comm(identity, init.n_ranks, line.place)
        log.comms.append(comm)
    other = comm.members.get(init.rank, process)
    if comm.n_ranks != init.n_ranks or other != process:
        said = f"rank {init.rank} of {init.n_ranks} in process {process.pid} on {process.host}"
        raise InputError(
            f"{line.place}: communicator {identity}: {said}, but {comm.n_ranks} ranks since {comm.place}, that rank in "
            f"process {other.pid} on {other.host}; expected the log of one job"
        )
    comm.members[init.rank] = process
    comm.processes.add(process)
    current[local] = comm
    actors[local] = process


def _comm_of(line: Line, coll: CollLine, current: dict[tuple[str, int, str], _Comm], log: _Log) -> _Comm:
    local = (line.process.host, line.process.pid, coll.comm)
    comm = current.get(local)
    if comm is None:
        comm = current[local] = _Comm("", coll.n_ranks or 0, line.place)
        log.comms.append(comm)
    if coll.n_ranks is not None and comm.n_ranks != coll.n_ranks:
        raise InputError(
            f"{line.place}: communicator {coll.comm} of {coll.n_ranks} ranks, but {comm.n_ranks} in {comm.place}; "
            "expected the log of one job"
        )
    return comm


def _joined(log: _Log, warnings: list[str]) -> list[_Issued]:
    """What was issued, with pointers of which no line says the communicator joined to communicators."""
    unnamed: dict[int, list[_Comm]] = {}
    for comm in log.comms:
        if not comm.name:
            unnamed.setdefault(comm.n_ranks, []).append(comm)
    if not unnamed:
        return log.issued
    said: dict[int, dict[tuple[int, int], tuple[object, ...]]] = {}
    for one in log.issued:
        if not one.comm.name and one.coll.kind not in ("send", "recv"):
            said.setdefault(id(one.comm), {})[one.coll.op_count, one.number] = _says(one.coll)
    becomes: dict[int, _Comm] = {}
    for n_ranks, comms in sorted(unnamed.items()):
        groups: list[tuple[_Comm, dict[tuple[int, int], tuple[object, ...]]]] = []
        # All of them can be one communicator: what then disagrees is an error, not another one.
        one_only = len(comms) <= n_ranks and len({p for c in comms for p in c.processes}) == len(comms)
        for comm in comms:
            own = said.get(id(comm), {})
            for group, known in groups:
                apart = group.processes & comm.processes or group.members.keys() & comm.members.keys()
                shared = known.keys() & own.keys()
                agree = bool(shared) and all(known[key] == own[key] for key in shared)
                if not apart and len(group.processes) < n_ranks and (agree or one_only):
                    group.processes |= comm.processes
                    group.members |= comm.members
                    known.update(own)
                    becomes[id(comm)] = group
                    break
            else:
                name = f"{n_ranks} ranks" + (f" ({len(groups) + 1})" if groups else "")
                joined = _Comm(name, n_ranks, comm.place, dict(comm.members), set(comm.processes))
                groups.append((joined, dict(own)))
                becomes[id(comm)] = joined
        log.comms = [comm for comm in log.comms if comm.name or comm.n_ranks != n_ranks] + [one for one, _ in groups]
        if n_ranks > 1:
            warnings.append(
                f"no Init line says the commId of {len(comms)} pointers to communicators of {n_ranks} ranks: taken as "
                f"{len(groups)} of them, by their operations; {_HINT}"
            )
    return [replace(one, comm=becomes.get(id(one.comm), one.comm)) for one in log.issued]


def _says(coll: CollLine) -> tuple[object, ...]:
    """What members of one operation must agree on."""
    return coll.kind, coll.count, coll.dtype, coll.root if coll.kind in _ROOTED else None


def _global_ranks(log: _Log, issued: list[_Issued], warnings: list[str]) -> tuple[_Comm | None, dict[Process, int]]:
    """The communicator of the whole job, if there is one, and the rank of each process in it."""
    if not log.comms:
        return None, {}
    most = max(comm.n_ranks for comm in log.comms)
    world = next(comm for comm in log.comms if comm.n_ranks == most)
    ranks = {process: rank for rank, process in world.members.items()}
    # Lines that were printed before the device was set, or by helper threads, are of a process that is known.
    hosts = {(process.host, process.pid) for process in world.processes}
    acting = {one.line.process for one in issued} | {p for comm in log.comms for p in comm.members.values()}
    outside = {p for p in acting if p not in world.processes and p not in ranks}
    strange = {p for p in log.processes if (p.host, p.pid) not in hosts}
    if len(world.processes) + len(outside) > most or most == 0:
        warnings.append(
            f"no communicator holds all processes (the largest has {most} ranks): the ranks of groups are not known"
        )
        return None, {}
    labelled = _labelled(log, acting | strange, most)
    if len(ranks) < len(world.processes | outside) and labelled:
        warnings.append("ranks are those that the launcher put before the lines")
        ranks = labelled | ranks
    warnings.append(f"the largest communicator, of {most} ranks, is taken as the whole job")
    return world, ranks


def _labelled(log: _Log, processes: set[Process], n_ranks: int) -> dict[Process, int]:
    """Ranks as the launcher wrote them, if each process has one of its own; else none."""
    found = {}
    for process in processes:
        labels = log.labels.get(process, set())
        if len(labels) != 1:
            return {}
        found[process] = next(iter(labels))
    return found if len(set(found.values())) == len(found) and max(found.values(), default=0) < n_ranks else {}


def _silent(log: _Log, reporting: set[Process], ranks: dict[Process, int], world: _Comm | None) -> list[str]:
    """Who printed no operation."""
    if world is None:
        return []
    lacking = world.n_ranks - len(reporting)
    if lacking <= 0:
        return []
    spoke = {ranks[process] for process in reporting if process in ranks}
    text = f"{lacking} of {world.n_ranks} ranks"
    if len(spoke) == len(reporting):
        silent = [rank for rank in range(world.n_ranks) if rank not in spoke][:9]
        names = ", ".join(map(str, silent[:8])) + (", ..." if len(silent) > 8 else "")
        text = f"{'rank' if lacking == 1 else 'ranks'} {names} ({text})"
    return [f"{text} printed no COLL line: the log is incomplete, what only they take part in is not in it"]


def _operations(
    issued: list[_Issued],
    ranks: dict[Process, int],
    world: _Comm | None,
    ignored: Counter[str],
    warnings: list[str],
) -> tuple[list[Operation], list[tuple[int, ...]]]:
    """One operation for what several members printed, and the order of each process."""
    together: dict[tuple[object, ...], list[_Issued]] = {}
    own: dict[Process, list[tuple[tuple[object, ...], tuple[object, ...]]]] = {}
    messages = _messages(issued, ignored)
    for at, one in enumerate(issued):
        if one.comm.n_ranks == 1:
            ignored["collectives of a group of one"] += 1
            continue
        message = one.coll.kind in ("send", "recv")
        key = messages.get(at) if message else (one.comm.name, one.coll.op_count, one.number)
        if key is None:
            continue
        together.setdefault(key, []).append(one)
        # Messages of one group call have no order: a common one keeps its ends from contradicting each other.
        order = own.setdefault(one.line.process, [])
        order.append(((one.comm.name, one.coll.op_count), key))
    place = {key: number for number, key in enumerate(together)}
    operations = _timed([_one(key, of, ranks, world) for key, of in together.items()], together.values(), warnings)
    few = [len({one.line.process for one in of}) for key, of in together.items() if key[0] != "message"]
    sizes = [of[0].comm.n_ranks for key, of in together.items() if key[0] != "message"]
    lacking = sum(found < size for found, size in zip(few, sizes, strict=True))
    if lacking:
        warnings.append(f"{lacking} of {len(few)} collectives were printed by some of their ranks only: incomplete")
    ends = [len({one.coll.kind for one in of}) for key, of in together.items() if key[0] == "message"]
    if alone := ends.count(1):
        warnings.append(f"{alone} of {len(ends)} messages were printed by one of their two ranks only")
    return operations, [_ordered(order, place) for order in own.values()]


def _timed(operations: list[Operation], issued: Collection[list[_Issued]], warnings: list[str]) -> list[Operation]:
    """The operations with the times that stand before their lines, if all of them have one."""
    times = [[one.line.time_s for one in of if one.line.time_s is not None] for of in issued]
    known = sum(map(bool, times))
    clocks = {one.line.zoned for of in issued for one in of if one.line.time_s is not None}
    if not known:
        return operations
    if known < len(operations) or len(clocks) > 1:
        reason = "times with and without a zone" if len(clocks) > 1 else f"{known:,} of {len(operations):,} have a time"
        warnings.append(f"when operations were issued is left out: {reason}")
        return operations
    if all(time.is_integer() for of in times for time in of):
        warnings.append("when operations were issued is known in whole seconds")
    return [replace(one, start_s=min(of)) for one, of in zip(operations, times, strict=True)]


def _ordered(
    order: list[tuple[tuple[object, ...], tuple[object, ...]]], place: dict[tuple[object, ...], int]
) -> tuple[int, ...]:
    """Places of a process's operations; messages of one group call sorted by who sends to whom."""
    found: list[tuple[int, tuple[object, ...], int]] = []
    call, last = 0, None
    for group, key in order:
        if group != last or key[0] != "message":
            call, last = call + 1, group
        found.append((call, key[2:] if key[0] == "message" else (), place[key]))
    return tuple(dict.fromkeys(number for _, _, number in sorted(found)))


def _messages(issued: list[_Issued], ignored: Counter[str]) -> dict[int, tuple[object, ...]]:
    """What each send and receive, by its place, is part of: an all-to-all, or the n-th message of its size."""
    found: dict[int, tuple[object, ...]] = {}
    pairs: dict[tuple[str, int], dict[tuple[int, int], int]] = {}
    ends: dict[int, tuple[int, int]] = {}
    own_ranks = {id(one.comm): one.comm.ranks() for one in issued}
    for at, one in enumerate(issued):
        if one.coll.kind not in ("send", "recv") or one.comm.n_ranks == 1:
            continue
        rank = own_ranks[id(one.comm)].get(one.line.process)
        if rank is None and one.coll.kind == "recv":
            # Its sender says it too.
            ignored["receives of a process whose rank is not known"] += 1
        elif rank is None:
            found[at] = ("unknown message", at)
        elif not 0 <= one.coll.root < one.comm.n_ranks:
            raise InputError(
                f"{one.line.place}: peer {one.coll.root}; expected a rank from 0 to {one.comm.n_ranks - 1}"
            )
        else:
            ends[at] = (rank, one.coll.root) if one.coll.kind == "send" else (one.coll.root, rank)
            batch = pairs.setdefault((one.comm.name, one.coll.op_count), {})
            if one.coll.kind == "send" or ends[at] not in batch:
                batch[ends[at]] = batch.get(ends[at], 0) + (one.coll.kind == "send")
    counted: Counter[tuple[object, ...]] = Counter()
    for at, (src, dst) in ends.items():
        one = issued[at]
        batch = pairs[one.comm.name, one.coll.op_count]
        n = one.comm.n_ranks
        between = sum(a != b for a, b in batch)
        if n > 2 and between == n * (n - 1) and max(batch.values()) <= 1:
            found[at] = (one.comm.name, one.coll.op_count, "exchange")
        elif src == dst:
            ignored["messages of a rank to itself"] += 1
        else:
            size = one.coll.count * (one.coll.element_bytes or 0)
            side = (one.coll.kind, one.comm.name, src, dst, size)
            found[at] = ("message", one.comm.name, src, dst, size, counted[side])
            counted[side] += 1
    return found


def _one(key: tuple[object, ...], of: list[_Issued], ranks: dict[Process, int], world: _Comm | None) -> Operation:
    first = of[0]
    coll, comm = first.coll, first.comm
    n = comm.n_ranks
    missing = [] if coll.element_bytes is not None else ["size"]
    members = _members(comm, ranks, world)
    element = coll.element_bytes or 0
    base = Operation(
        kind="send-recv" if coll.kind in ("send", "recv") else coll.kind,
        ranks=members,
        group_size=n,
        group=comm.name,
        sequence=coll.op_count,
        dtype=coll.dtype,
        source=first.line.place,
    )
    if key[0] in ("message", "unknown message"):
        pair = (int(str(key[2])), int(str(key[3]))) if key[0] == "message" else ()
        ends = tuple(members[rank] for rank in pair) if members else _known_ends(comm, pair, ranks)
        return replace(
            base,
            ranks=ends,
            group_size=2,
            bytes=None if missing else float(coll.count * element),
            missing=(*missing, *(() if len(ends) == 2 else ("ranks",))),
        )
    if not members:
        missing.append("ranks")
    if key[-1] == "exchange":
        return _exchange(base, of, missing)
    for other in of:
        if _says(other.coll) != _says(coll):
            raise InputError(
                f"{other.line.place}: {_shown(other.coll)}, but {first.line.place} is {_shown(coll)}, of opCount "
                f"{coll.op_count:x} in one communicator of {n} ranks; expected its ranks to agree"
            )
    if coll.kind in _ROOTED and not 0 <= coll.root < n:
        raise InputError(f"{first.line.place}: root {coll.root}; expected a rank from 0 to {n - 1}")
    return replace(
        base,
        bytes=float(coll.count * element * (n if coll.kind in _PER_PEER else 1)) if coll.element_bytes else None,
        root=coll.root if coll.kind in _ROOTED else None,
        missing=tuple(missing),
    )


def _exchange(base: Operation, of: list[_Issued], missing: list[str]) -> Operation:
    """Sends and receives between every two members, as an all-to-all with its splits."""
    n = base.group_size
    splits = np.zeros((n, n))
    ranks = of[0].comm.ranks()
    for one in of:
        rank = ranks[one.line.process]
        ends = (rank, one.coll.root) if one.coll.kind == "send" else (one.coll.root, rank)
        splits[ends] = one.coll.count * (one.coll.element_bytes or 0)
    splits.setflags(write=False)
    known = "size" not in missing
    return replace(
        base,
        kind="all-to-all",
        bytes=float(splits.sum(axis=1).mean()) if known else None,
        splits=splits if known and np.ptp(splits) > 0 else None,
        missing=tuple(missing),
    )


def _members(comm: _Comm, ranks: dict[Process, int], world: _Comm | None) -> tuple[int, ...]:
    """Global ranks of a communicator in its order; empty where a member's is not known."""
    if world is not None and comm is world and comm.n_ranks <= MOST_RANKS:
        return tuple(range(comm.n_ranks))
    found = [ranks.get(comm.members[rank]) for rank in range(comm.n_ranks) if rank in comm.members]
    known = tuple(rank for rank in found if rank is not None)
    return known if len(known) == comm.n_ranks == len(set(known)) else ()


def _known_ends(comm: _Comm, pair: tuple[int, ...], ranks: dict[Process, int]) -> tuple[int, ...]:
    found = [ranks.get(comm.members[rank]) for rank in pair if rank in comm.members]
    known = tuple(rank for rank in found if rank is not None)
    return known if len(known) == 2 else ()


def _shown(coll: CollLine) -> str:
    root = f" from root {coll.root}" if coll.kind in _ROOTED else ""
    return f"{coll.name} of {coll.count} {coll.dtype}{root}"
