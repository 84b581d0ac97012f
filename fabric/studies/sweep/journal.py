r"""What is done of a sweep, on disk: a line for each point, whole or not at all.

Each process that writes has a file of its own, ``points-HOST-PID-N.log``, and adds lines to its end; nobody ever
changes a line, and no two write to one file, so that job arrays on a shared file system need no lock.  A line is the
SHA-256 of its text, a blank, and the text: one JSON object.  A process that is killed in the middle of a line leaves a
torn one, which its hash gives away, and the next process begins a file of its own.  Lines and not a file for each
point: a million points are a few files, which file systems of clusters bear.  The arrays of a fabric that is routed in
parts are too large for lines: they are files of their own, written beside and renamed.
"""

import hashlib
import json
import os
import socket
import stat
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collectives.errors import InputError
from collectives.saying import printable
from fabric.files import write_whole
from fabric.routing.parts import N_PARTS, LoadsPart
from fabric.studies.sweep.outcome import PointOutcome

_ENDING = ".log"
_OURS = ("points-", "part-")
_DIGITS = 64
# What a machine that stops at once may lose: assumed to be nothing that hurts.  A process that is killed loses nothing.
_SYNC_S = 1.0


@dataclass(frozen=True)
class Entry:
    """A point that is done.

    Attributes
    ----------
    id : str
    outcome : PointOutcome
    seconds : float
        That it took.
    worker : str
        Which machine and process ran it.
    """

    id: str
    outcome: PointOutcome
    seconds: float
    worker: str


@dataclass(frozen=True)
class Kept:
    """What a folder holds.

    Attributes
    ----------
    entries : mapping of str to Entry
        By the point's id: of a point that was run twice the first result, or the first one that did not fail.
    torn : int
        Lines that are not whole, and count for nothing.
    again : int
        Lines of points that another line is of too.
    differing : tuple of str
        Points with two results that are not the same.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    torn: int = 0
    again: int = 0
    differing: tuple[str, ...] = ()


class Journal:
    """Writes to a folder; made when the first line is written.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: int | None = None
        self._path = folder
        self._synced = time.monotonic()

    def write(self, entry: Entry) -> None:
        """Add a point.

        Raises
        ------
        InputError
            If the disk refuses.
        """
        text = json.dumps(
            {"id": entry.id, "outcome": entry.outcome.to_json(), "seconds": entry.seconds, "worker": entry.worker},
            allow_nan=False,
        )
        data = f"{hashlib.sha256(text.encode()).hexdigest()} {text}\n".encode()
        try:
            if self._file is None:
                self._file = self._begun()
            # One write: a process that is killed has written the line, or has not.
            written = os.write(self._file, data)
            if written < len(data):
                raise OSError("the disk is full")
            if time.monotonic() - self._synced > _SYNC_S:
                self._sync()
        except OSError as error:
            raise InputError(f"{self._path}: cannot be written ({error.strerror or error})") from None

    def close(self) -> None:
        """Leave what was written on the disk."""
        if self._file is not None:
            with suppress(OSError):
                self._sync()
            os.close(self._file)
            self._file = None

    def _sync(self) -> None:
        if self._file is not None:
            os.fsync(self._file)
        self._synced = time.monotonic()

    def _begun(self) -> int:
        host = "".join(letter if letter.isalnum() else "-" for letter in socket.gethostname())[:40]
        for number in range(1_000_000):
            self._path = self.folder / f"points-{host}-{os.getpid()}-{number}{_ENDING}"
            with suppress(FileExistsError):
                return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        raise OSError("has too many files of this process")


def make_folder(folder: Path) -> None:
    """Make the folder of a sweep, or see that it can be written to.

    Raises
    ------
    InputError
        If it is no folder, holds other things, or cannot be made or written to.
    """
    try:
        if folder.exists() and not stat.S_ISDIR(folder.stat().st_mode):
            raise InputError(f"{folder}: is a file; expected a folder for the points of a sweep")
        folder.mkdir(exist_ok=True)
        names = [name for name in os.listdir(folder) if not name.startswith(".")]
        if names and not any(name.startswith(_OURS) for name in names):
            raise InputError(f"{folder}: holds other files; expected a new folder, or a sweep's")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise InputError(f"{folder}: folder is not writable")
    except InputError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{printable(str(folder))}: cannot be made ({reason})") from None


def read_journal(folder: Path) -> Kept:
    """Everything that is done, by all who wrote to a folder; nothing if it is not there.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    entries: dict[str, Entry] = {}
    torn = again = 0
    differing: dict[str, None] = {}
    for path in _files(folder):
        for entry in _read(path):
            if entry is None:
                torn += 1
                continue
            known = entries.get(entry.id)
            if known is None:
                entries[entry.id] = entry
                continue
            again += 1
            if known.outcome.failed and not entry.outcome.failed:
                entries[entry.id] = entry
            elif not entry.outcome.failed and entry.outcome != known.outcome:
                differing[entry.id] = None
    return Kept(entries, torn, again, tuple(differing))


def _files(folder: Path) -> list[Path]:
    """In the order of their names, so that of two results the same one is always the first."""
    try:
        return sorted(path for path in folder.glob(f"points-*{_ENDING}") if path.is_file())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror or error})") from None


def _read(path: Path) -> Iterator[Entry | None]:
    try:
        with path.open("rb") as file:
            for line in file:
                yield _entry(line)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


def _entry(line: bytes) -> Entry | None:
    """A line's point; None if it is not whole."""
    digest, text = line[:_DIGITS], line[_DIGITS + 1 : -1]
    if not line.endswith(b"\n") or hashlib.sha256(text).hexdigest().encode() != digest:
        return None
    try:
        found: dict[str, Any] = json.loads(text)
        return Entry(
            found["id"], PointOutcome.from_json(found["outcome"]), float(found["seconds"]), str(found["worker"])
        )
    except (ValueError, TypeError, KeyError):
        return None


def write_part(folder: Path, point: str, part: LoadsPart) -> None:
    """Keep a part of a point's loads until all are there."""
    data = part.to_bytes()
    write_whole(_part_path(folder, point, part.number), hashlib.sha256(data).digest() + data, force=True)


def kept_parts(folder: Path, point: str) -> tuple[int, ...]:
    """Numbers of the parts of a point that are there."""
    return tuple(number for number in range(N_PARTS) if _part_path(folder, point, number).is_file())


def read_part(folder: Path, point: str, number: int) -> LoadsPart | None:
    """A part that was kept; None if it is not there, or damaged."""
    try:
        data = _part_path(folder, point, number).read_bytes()
        size = hashlib.sha256().digest_size
        if hashlib.sha256(data[size:]).digest() != data[:size]:
            return None
        return LoadsPart.from_bytes(data[size:])
    except (OSError, ValueError, KeyError):
        return None


def drop_parts(folder: Path, point: str) -> None:
    """Forget the parts of a point."""
    for number in range(N_PARTS):
        with suppress(OSError):
            _part_path(folder, point, number).unlink()


def drop_parts_of(folder: Path, done: Collection[str]) -> None:
    """Forget the parts of points that are done: what a process that was killed just then has left."""
    for path in folder.glob("part-*.npz"):
        if path.name.split("-")[1] in done:
            with suppress(OSError):
                path.unlink()


def _part_path(folder: Path, point: str, number: int) -> Path:
    return folder / f"part-{point}-{number:02d}.npz"
