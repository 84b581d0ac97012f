"""Algorithms of MSCCL: XML that says what each thread block of each GPU does, step by step.

Format: microsoft/msccl-tools, ``msccl/language/ir.py``, and what NCCL's interpreter of it does (microsoft/msccl,
``src/collectives/device/msccl_interpreter.h``).  A thread block sends to at most one GPU and receives from at most one,
on a channel; steps of others it waits for by ``depid`` and ``deps``.  Types of steps: ``s`` send, ``r`` receive,
``cpy`` local copy, ``re`` local reduce, ``nop``, and receives that go on: ``rcs`` receive, copy, send; ``rrc`` receive,
reduce, copy; ``rrs`` receive, reduce, send; ``rrcs`` all of it.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from collectives.algorithm import Algorithm, JobFacts
from collectives.errors import InputError
from collectives.gate import quoted
from collectives.steps import Program, Step, step_of
from traces.files import read_text
from traces.xml_text import attribute, parse_xml, whole_attribute

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_COLLECTIVES = {
    "allreduce": "all-reduce",
    "allgather": "all-gather",
    "reduce_scatter": "reduce-scatter",
    "reducescatter": "reduce-scatter",
    "alltoall": "all-to-all",
}
_RECEIVING = frozenset({"r", "rrc", "rrs", "rcs", "rrcs"})
_SENDING = frozenset({"s", "rrs", "rcs", "rrcs"})
_REDUCING = frozenset({"rrc", "rrs", "rrcs"})
_LOCAL = frozenset({"cpy", "re", "nop"})
_STORING = frozenset({"r", "rrc", "rcs", "rrcs"})
# Assumed: MSCCL's own limits (msccl.h: 256 chunks a buffer, 64 thread blocks) are far below.
_MOST_GPUS, _MOST_CHUNKS, _MOST_MOVED = 4096, 1 << 16, 20_000_000


@dataclass(frozen=True)
class _Step:
    where: str
    type: str
    src: tuple[str, int]
    dst: tuple[str, int]
    count: int
    waits: tuple[int, int] | None


@dataclass
class _Block:
    """A thread block, and how far it is."""

    where: str
    gpu: int
    send: int
    recv: int
    chan: int
    steps: list[_Step]
    done: int = 0
    level: int = 0


@dataclass(frozen=True)
class _Value:
    """What lies in a chunk of a buffer: which block of the whole, who contributed, and since which round."""

    block: int
    mask: int
    level: int


@dataclass(frozen=True)
class _Transfer:
    level: int
    combine: bool
    src: int
    dst: int
    block: int


def read_msccl(path: str | Path) -> Algorithm:
    """The algorithm of a file, to be given to `register_algorithm`; shown to be its collective by executing it.

    Execution is as in `collectives.proof`, on sets of contributions, chunk by chunk, in one order that the waits allow:
    a race between steps that should wait for each other is not found.  Each transfer is in the earliest round that its
    data allow.

    Parameters
    ----------
    path : path
        Plain, gzip or xz.

    Returns
    -------
    Algorithm
        Of groups of as many members as the file has GPUs, GPU i being member i; never chosen by itself.

    Raises
    ------
    InputError
        If it is no algorithm of MSCCL; if its steps wait for each other for ever, send what is not there or count a
        contribution twice; or if its result is not the collective's: names the GPU and what it lacks.
    """
    root = parse_xml(read_text(path), path)
    if root.tag != "algo":
        raise InputError(f"{path}: <{quoted(root.tag)[1:-1]}>; expected <algo> of MSCCL")
    where = f"{path}: algo"
    kind = attribute(root, "coll", where)
    if kind not in _COLLECTIVES:
        raise InputError(f"{where}: coll {quoted(kind)}; expected one of {', '.join(_COLLECTIVES)}")
    collective = _COLLECTIVES[kind]
    n = whole_attribute(root, "ngpus", where, 1, _MOST_GPUS)
    chunks = whole_attribute(root, "nchunksperloop", where, 1, _MOST_CHUNKS)
    in_place = whole_attribute(root, "inplace", where, 0, 1, default=0) == 1
    if collective != "all-reduce" and chunks % n:
        raise InputError(f"{where}: nchunksperloop {chunks}; expected a multiple of ngpus {n}")
    machine = _Machine(collective, n, chunks, in_place, list(_blocks(root, n, chunks, str(path))))
    machine.run()
    machine.check(where)
    program = Program(n, chunks, tuple(_steps(machine.transfers)))

    def of_members(members: int) -> Program:
        if members != n:
            raise InputError(f"{where}: made for {n} GPUs; expected groups of {n} members, not {members}")
        return program

    name = "".join("-" if letter.isspace() or letter == "," else letter for letter in root.get("name", "")) or "msccl"
    return Algorithm(collective, f"msccl:{name[:80]}", of_members, automatic=_never)


def _never(facts: JobFacts) -> bool:
    return False


def _blocks(root: "Element", n: int, chunks: int, path: str) -> Iterator[_Block]:
    gpus: set[int] = set()
    for gpu in root:
        if gpu.tag != "gpu":
            raise InputError(f"{path}: <{quoted(gpu.tag)[1:-1]}> in <algo>; expected <gpu>")
        number = whole_attribute(gpu, "id", f"{path}: gpu", 0, n - 1)
        if number in gpus:
            raise InputError(f"{path}: gpu {number}: twice; expected each GPU once")
        gpus.add(number)
        sizes = {
            buffer: max(whole_attribute(gpu, f"{buffer}_chunks", f"{path}: gpu {number}", 0, _MOST_CHUNKS), least)
            for buffer, least in (("i", chunks), ("o", chunks), ("s", 0))
        }
        numbers: set[int] = set()
        for block in gpu:
            tb = whole_attribute(block, "id", f"{path}: gpu {number}: tb", 0, 1 << 16)
            where = f"{path}: gpu {number}, tb {tb}"
            if tb != len(numbers):
                raise InputError(f"{where}: expected thread blocks numbered from 0, next {len(numbers)}")
            numbers.add(tb)
            peers = [whole_attribute(block, end, where, -1, n - 1) for end in ("send", "recv")]
            if number in peers:
                raise InputError(f"{where}: sends to itself; expected another GPU")
            chan = whole_attribute(block, "chan", where, -1, 1 << 16, default=0)
            yield _Block(where, number, peers[0], peers[1], chan, [_step(one, where, sizes) for one in block])
    if len(gpus) < n:
        lacking = next(number for number in range(n) if number not in gpus)
        raise InputError(f"{path}: no <gpu> of id {lacking}; expected {n}")


def _step(step: "Element", where: str, sizes: dict[str, int]) -> _Step:
    where = f"{where}, step {quoted(step.get('s', '?'))[1:-1]}"
    kind = attribute(step, "type", where)
    if kind not in _RECEIVING | _SENDING | _LOCAL:
        known = ", ".join(sorted(_RECEIVING | _SENDING | _LOCAL))
        raise InputError(f"{where}: type {quoted(kind)}; expected one of {known}")
    count = 0 if kind == "nop" else whole_attribute(step, "cnt", where, 0, _MOST_CHUNKS)
    # The end of a sender's or receiver's peer is the peer's own business.
    local = {"s": ("src",), "r": ("dst",), "rcs": ("dst",), "nop": (), "rrs": ("src",)}.get(kind, ("src", "dst"))
    ends = {"src": ("i", 0), "dst": ("i", 0)}
    for end in local:
        buffer = attribute(step, f"{end}buf", where)
        if buffer not in sizes:
            raise InputError(f"{where}: {end}buf {quoted(buffer)}; expected i, o or s")
        offset = whole_attribute(step, f"{end}off", where, 0, _MOST_CHUNKS)
        if offset + count > sizes[buffer]:
            raise InputError(f"{where}: chunks {offset} to {offset + count - 1} of {buffer}, which has {sizes[buffer]}")
        ends[end] = (buffer, offset)
    waits = tuple(whole_attribute(step, name, where, -1, 1 << 20, default=-1) for name in ("depid", "deps"))
    return _Step(where, kind, ends["src"], ends["dst"], count, (waits[0], waits[1]) if min(waits) >= 0 else None)


class _Machine:
    """Executes the thread blocks of all GPUs until none can go on."""

    def __init__(self, collective: str, n: int, chunks: int, in_place: bool, blocks: list[_Block]) -> None:
        self.collective, self.n, self.chunks, self.in_place = collective, n, chunks, in_place
        self.per = chunks // n
        self.blocks = blocks
        self.transfers: list[_Transfer] = []
        self.held: list[dict[tuple[str, int], _Value]] = [{} for _ in range(n)]
        self.read: list[dict[tuple[str, int], int]] = [defaultdict(int) for _ in range(n)]
        self.wire: dict[tuple[int, int, int], deque[tuple[_Block, int, list[_Value]]]] = defaultdict(deque)
        # Contributions that were together in one chunk at a time, by GPU and block.
        self.masks: list[dict[int, set[int]]] = [defaultdict(set) for _ in range(n)]
        self.moved = 0
        for gpu in range(n):
            for chunk in range(self.per if collective == "all-gather" else chunks):
                block = {"all-gather": gpu * self.per, "all-to-all": gpu * chunks}.get(collective, 0) + chunk
                self.held[gpu][self._at(gpu, "i", chunk)] = _Value(block, 1 << gpu, 0)
                self.masks[gpu][block].add(1 << gpu)

    def _at(self, gpu: int, buffer: str, chunk: int) -> tuple[str, int]:
        """Where a chunk lies: in place the smaller buffer is a part of the larger one, or they are one."""
        if self.in_place and buffer == "i" and self.collective == "all-gather":
            return "o", chunk + gpu * self.per
        if self.in_place and buffer == "o" and self.collective == "reduce-scatter":
            return "i", chunk + gpu * self.per
        if self.in_place and buffer == "i":
            return "o", chunk
        return buffer, chunk

    def run(self) -> None:
        of_gpu: dict[int, list[_Block]] = defaultdict(list)
        for block in self.blocks:
            of_gpu[block.gpu].append(block)
        waiting = deque(self.blocks)
        queued = {id(block) for block in self.blocks}
        while waiting:
            block = waiting.popleft()
            queued.discard(id(block))
            before = block.done
            while block.done < len(block.steps) and self._ready(block, block.steps[block.done], of_gpu[block.gpu]):
                self._execute(block, block.steps[block.done])
                block.done += 1
            if block.done > before:
                for other in (*of_gpu[block.gpu], *(of_gpu[block.send] if block.send >= 0 else ())):
                    if id(other) not in queued and other.done < len(other.steps):
                        queued.add(id(other))
                        waiting.append(other)
        stuck = [(block, block.steps[block.done]) for block in self.blocks if block.done < len(block.steps)]
        # Who waits for a thread block of its own GPU is nearer to the cause than who waits for another GPU.
        for block, step in sorted(stuck, key=lambda one: not _held_back(one[1], of_gpu[one[0].gpu])):
            what = "another thread block" if _held_back(step, of_gpu[block.gpu]) else f"GPU {block.recv} to send"
            raise InputError(f"{step.where}: waits for {what} for ever; expected steps that end")
        for (src, dst, _), left in self.wire.items():
            if left:
                raise InputError(f"{left[0][0].where}: GPU {src} sends what GPU {dst} does not receive")

    def _ready(self, block: _Block, step: _Step, own: list[_Block]) -> bool:
        if step.waits is not None:
            other, number = step.waits
            if other >= len(own) or number >= len(own[other].steps):
                raise InputError(f"{step.where}: waits for step {number} of tb {other}; expected one that is there")
            if _held_back(step, own):
                return False
        if step.type in _RECEIVING:
            if block.recv < 0:
                raise InputError(f"{step.where}: receives, but recv is -1; expected a GPU")
            return bool(self.wire[block.recv, block.gpu, block.chan])
        return True

    def _execute(self, block: _Block, step: _Step) -> None:
        self.moved += step.count
        if self.moved > _MOST_MOVED:
            raise InputError(f"{step.where}: more than {_MOST_MOVED:,} chunks moved; expected a smaller algorithm")
        gpu = block.gpu
        if step.type == "nop":
            return
        src = [self._at(gpu, step.src[0], step.src[1] + k) for k in range(step.count)]
        dst = [self._at(gpu, step.dst[0], step.dst[1] + k) for k in range(step.count)]
        if step.type in _RECEIVING:
            values = self._received(block, step, src, dst)
        elif step.type == "re":
            values = [
                self._added(step, self._value(gpu, a, step), self._value(gpu, b, step))
                for a, b in zip(src, dst, strict=True)
            ]
        else:
            values = [self._value(gpu, a, step) for a in src]
        if step.type in _STORING or step.type in ("cpy", "re"):
            self.held[gpu].update(zip(dst, values, strict=True))
        if step.type in _SENDING:
            if block.send < 0:
                raise InputError(f"{step.where}: sends, but send is -1; expected a GPU")
            self.wire[gpu, block.send, block.chan].append((block, block.level, values))
            # When it left is known only once it is there; what it must not be written over before, is.
            for a, value in zip(src if step.type in ("s", "rrs") else dst, values, strict=True):
                self.read[gpu][a] = max(self.read[gpu][a], value.level + 1)

    def _received(
        self, block: _Block, step: _Step, src: list[tuple[str, int]], dst: list[tuple[str, int]]
    ) -> list[_Value]:
        sender, sent_level, sent = self.wire[block.recv, block.gpu, block.chan].popleft()
        if len(sent) != step.count:
            raise InputError(f"{step.where}: receives {step.count} chunks, but {sender.where} sends {len(sent)}")
        gpu, result = block.gpu, []
        for k, value in enumerate(sent):
            level = max(value.level + 1, sent_level, block.level)
            if step.type in _STORING:
                level = max(level, self.read[gpu][dst[k]])
            merged = value
            combine = step.type in _REDUCING
            if combine:
                own = self._value(gpu, src[k], step)
                level = max(level, own.level)
                merged = self._added(step, own, value)
            else:
                # What is kept beside a partial sum will be added to it.
                combine = any(not mask & value.mask for mask in self.masks[gpu][value.block])
            self.transfers.append(_Transfer(level, combine, block.recv, gpu, value.block))
            self.masks[gpu][value.block].add(merged.mask)
            result.append(_Value(merged.block, merged.mask, level))
        block.level = max([block.level, *(value.level for value in result)])
        return result

    def _value(self, gpu: int, at: tuple[str, int], step: _Step) -> _Value:
        value = self.held[gpu].get(at)
        if value is None:
            raise InputError(f"{step.where}: chunk {at[1]} of {at[0]} of GPU {gpu} holds nothing yet")
        return value

    def _added(self, step: _Step, one: _Value, other: _Value) -> _Value:
        if one.block != other.block:
            raise InputError(f"{step.where}: adds block {other.block} to block {one.block}; expected the same one")
        if one.mask & other.mask:
            raise InputError(f"{step.where}: would add a contribution to block {one.block} twice")
        return _Value(one.block, one.mask | other.mask, max(one.level, other.level))

    def check(self, where: str) -> None:
        """Whether every GPU's output is the collective's."""
        full = (1 << self.n) - 1
        for gpu in range(self.n):
            for chunk in range(self.per if self.collective == "reduce-scatter" else self.chunks):
                source, place = divmod(chunk, self.per) if self.per else (0, 0)
                block, mask = {
                    "all-reduce": (chunk, full),
                    "all-gather": (chunk, 1 << source),
                    "reduce-scatter": (gpu * self.per + chunk, full),
                    "all-to-all": (source * self.chunks + gpu * self.per + place, 1 << source),
                }[self.collective]
                value = self.held[gpu].get(self._at(gpu, "o", chunk))
                own = value.mask if value is not None and value.block == block else 0
                if own != mask:
                    lacks = [member for member in range(self.n) if mask & ~own & 1 << member]
                    shown = ", ".join(map(str, lacks[:8])) + (", ..." if len(lacks) > 8 else "")
                    raise InputError(
                        f"{where}: no {self.collective}: GPU {gpu} ends without the contributions of GPU {shown} to "
                        f"chunk {chunk} of its output"
                    )


def _held_back(step: _Step, own: list[_Block]) -> bool:
    """Whether the step waits for another one of its GPU."""
    return step.waits is not None and own[step.waits[0]].done <= step.waits[1]


def _steps(transfers: list[_Transfer]) -> Iterator[Step]:
    """Rounds of transfers; in a round those that are added, then those that are kept."""
    rounds: dict[tuple[int, bool], dict[tuple[int, int], list[int]]] = defaultdict(lambda: defaultdict(list))
    for one in transfers:
        rounds[one.level, not one.combine][one.src, one.dst].append(one.block)
    for key in sorted(rounds):
        rows = [(src, dst, np.array(blocks, np.int64)) for (src, dst), blocks in sorted(rounds[key].items())]
        yield step_of(rows, combine=not key[1])
