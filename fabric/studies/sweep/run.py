"""Runs what is left of a sweep, and keeps each point as soon as it is there."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from collectives.errors import InputError
from fabric.routing.parts import N_PARTS, LoadsPart
from fabric.studies.sweep.engine import Engine, Payload, Reply, Task, Work
from fabric.studies.sweep.journal import (
    Entry,
    Journal,
    Kept,
    drop_parts,
    drop_parts_of,
    kept_parts,
    make_folder,
    read_journal,
    read_part,
    write_part,
)
from fabric.studies.sweep.outcome import PointOutcome
from fabric.studies.sweep.point import StudyPoint

Progress = Callable[[int, int, int, float | None], None]
Combine = Callable[[Payload, Sequence[LoadsPart]], Reply]


@dataclass(frozen=True)
class Shard:
    """A share of a sweep: the tasks whose place is `number` modulo `n`.

    Attributes
    ----------
    number : int
        From 0.
    n : int
    """

    number: int = 0
    n: int = 1

    def has(self, place: int) -> bool:
        """Whether the task at a place is in this share."""
        return place % self.n == self.number


@dataclass(frozen=True)
class How:
    """How points are run.

    Attributes
    ----------
    engine : Engine
    work : callable
        What a worker does with a task.
    combine : callable
        Adds the parts of a point up, here.
    payload : callable
        ``payload(point, part)``: what a worker needs to know.
    warm : sequence of payload
        What compiles the kernels that the points need, on small fabrics.
    split : bool
        Each point is routed in parts.
    """

    engine: Engine
    work: Work
    combine: Combine
    payload: Callable[[StudyPoint, int | None], Payload]
    warm: Sequence[Payload] = ()
    split: bool = False


def run_points(
    points: Sequence[StudyPoint],
    folder: Path,
    how: How,
    shard: Shard | None = None,
    retry_failed: bool = False,
    progress: Progress | None = None,
) -> Kept:
    """Run the points that are not done yet; what is done is on disk point by point, whatever ends this.

    Parameters
    ----------
    points : sequence of StudyPoint
    folder : path
        Where points are kept: what is there already is not run again.
    how : How
    shard : Shard, optional
        Only this share of them.
    retry_failed : bool
        Run points again that failed.
    progress : callable, optional
        ``progress(done, total, failed, seconds_left)`` over the points of this share; None while nobody knows.

    Returns
    -------
    Kept
        All that the folder holds then.

    Raises
    ------
    InputError
        If the folder cannot be written, or nobody runs the points.
    """
    make_folder(folder)
    kept = read_journal(folder)
    share = shard or Shard()
    done = {one for one, entry in kept.entries.items() if not (retry_failed and entry.outcome.failed)}
    tasks = list(_tasks(points, folder, how, share, done))
    own = {point.id for place, point in enumerate(points) if how.split or share.has(place)}
    own_done = own & done
    failed = sum(kept.entries[one].outcome.failed for one in own_done)
    count = _Count(len(own), len(own_done), failed, len(tasks), progress)
    by_id = {point.id: point for point in points}
    journal = Journal(folder)
    spent: dict[str, float] = {}
    try:
        for point in points:
            if point.problem and point.id in own and point.id not in done:
                journal.write(Entry(point.id, PointOutcome(error=point.problem), 0.0, ""))
                done.add(point.id)
                count.point(failed=True)
        if how.split:
            drop_parts_of(folder, done)
            _combine_ready(points, folder, how, journal, done, count)
        # What needs the same fabric is run one after the other.
        with closing(how.engine.run(how.work, sorted(tasks, key=_by_fabric(points)), how.warm)) as replies:
            for task, reply in replies:
                count.task()
                spent[task.point] = spent.get(task.point, 0.0) + reply.seconds
                if task.point in done:
                    continue
                if reply.outcome is None:
                    write_part(folder, task.point, LoadsPart.from_bytes(reply.part))
                    whole = _combined(by_id[task.point], folder, how)
                    if whole is None:
                        continue
                    spent[task.point] += whole.seconds
                    reply = whole
                if reply.outcome is not None:
                    journal.write(Entry(task.point, reply.outcome, spent[task.point], reply.worker))
                    done.add(task.point)
                    drop_parts(folder, task.point)
                    count.point(reply.outcome.failed)
        if how.split:
            _combine_ready(points, folder, how, journal, done, count)
    finally:
        journal.close()
    return read_journal(folder)


def _tasks(points: Sequence[StudyPoint], folder: Path, how: How, share: Shard, done: set[str]) -> Iterator[Task]:
    """What is left to run of a share, in the order of the points."""
    for place, point in enumerate(points):
        if point.id in done or point.problem:
            continue
        if not how.split:
            if share.has(place):
                yield Task(point.id, None, how.payload(point, None))
            continue
        there = {part for part in kept_parts(folder, point.id) if read_part(folder, point.id, part) is not None}
        for part in range(N_PARTS):
            if share.has(place * N_PARTS + part) and part not in there:
                yield Task(point.id, part, how.payload(point, part))


def _by_fabric(points: Sequence[StudyPoint]) -> Callable[[Task], int]:
    first: dict[str, int] = {}
    fabric = {point.id: repr(point.tables.get("fabric")) for point in points}
    for point in points:
        first.setdefault(fabric[point.id], len(first))
    return lambda task: first[fabric[task.point]]


def _combined(point: StudyPoint, folder: Path, how: How) -> Reply | None:
    """The point out of its parts; None if some are not there."""
    if len(kept_parts(folder, point.id)) < N_PARTS:
        return None
    parts = [read_part(folder, point.id, number) for number in range(N_PARTS)]
    whole = [part for part in parts if part is not None]
    return how.combine(how.payload(point, None), whole) if len(whole) == N_PARTS else None


def _combine_ready(
    points: Sequence[StudyPoint], folder: Path, how: How, journal: Journal, done: set[str], count: "_Count"
) -> None:
    """Points of which other shares, or an earlier run, left all parts."""
    for point in points:
        if point.id in done:
            continue
        reply = _combined(point, folder, how)
        if reply is not None and reply.outcome is not None:
            journal.write(Entry(point.id, reply.outcome, reply.seconds, reply.worker))
            done.add(point.id)
            drop_parts(folder, point.id)
            count.point(reply.outcome.failed)


class _Count:
    """What is done, and how long the rest takes at the pace so far."""

    def __init__(self, total: int, done: int, failed: int, tasks: int, progress: Progress | None) -> None:
        self._total, self._done, self._failed, self._tasks = total, done, failed, tasks
        self._progress, self._ran = progress, 0
        # Since the first reply: starting and compiling take long, once.
        self._first = 0.0
        self._tell()

    def task(self) -> None:
        """One more reply."""
        self._ran += 1
        self._first = self._first or time.monotonic()
        self._tell()

    def point(self, failed: bool) -> None:
        """One more point is done."""
        self._done += 1
        self._failed += failed
        self._tell()

    def _tell(self) -> None:
        if self._progress is None:
            return
        passed = time.monotonic() - self._first
        left = passed / (self._ran - 1) * (self._tasks - self._ran) if self._ran > 1 else None
        self._progress(self._done, self._total, self._failed, left)


@dataclass(frozen=True, eq=False)
class Swept:
    """A sweep as far as it is done.

    Attributes
    ----------
    points : tuple of StudyPoint
        In the order of the study.
    entries : tuple of Entry or None
        Of each point; None where it is not done.
    kept : Kept
        All that the folder holds.
    """

    points: tuple[StudyPoint, ...]
    entries: tuple[Entry | None, ...]
    kept: Kept

    @classmethod
    def of(cls, points: Sequence[StudyPoint], kept: Kept) -> "Swept":
        """The study's points, with what is kept of each."""
        return cls(tuple(points), tuple(kept.entries.get(point.id) for point in points), kept)

    @property
    def rows(self) -> Iterator[tuple[StudyPoint, Entry]]:
        """Points that have a result."""
        for point, entry in zip(self.points, self.entries, strict=True):
            if entry is not None and not entry.outcome.failed:
                yield point, entry

    @property
    def failures(self) -> tuple[tuple[StudyPoint, Entry], ...]:
        """Points that failed."""
        both = zip(self.points, self.entries, strict=True)
        return tuple((point, entry) for point, entry in both if entry is not None and entry.outcome.failed)

    @property
    def n_missing(self) -> int:
        """Points that are not done."""
        return sum(entry is None for entry in self.entries)


def take_over(folders: Sequence[Path], into: Path) -> None:
    """Write down in one folder what others hold: points that are there already stay as they are.

    Raises
    ------
    InputError
        If a folder cannot be read, or holds no point.
    """
    held = {folder: read_journal(folder).entries for folder in folders}
    for folder, found in held.items():
        if not found:
            raise InputError(f"{folder}: holds no point of a sweep; expected the folder of one")
    make_folder(into)
    known = dict(read_journal(into).entries)
    journal = Journal(into)
    try:
        for folder, found in held.items():
            if folder.resolve() == into.resolve():
                continue
            for point, entry in sorted(found.items()):
                old = known.get(point)
                if old is None or (old.outcome.failed and not entry.outcome.failed):
                    journal.write(entry)
                    known[point] = entry
    finally:
        journal.close()
