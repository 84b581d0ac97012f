"""Files are written whole or not at all, and never over another one unless asked."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from collectives.errors import InputError
from collectives.gate import quoted

# Longest stem of a file name that is made of a name in a file; common file systems take 255 bytes in all.
_LONGEST_STEM = 100


def check_writable(path: str | Path, force: bool = False) -> None:
    """Refuse a path that `write_whole` would refuse, before a long computation.

    Raises
    ------
    InputError
        If the path is empty or no path, exists and `force` is not set, is a folder or a block device, or lies in a
        folder that is missing or not writable.  Pipes and terminals are written to as they are, a symbolic link is what
        it leads to.
    """
    _target(path, force)


def write_whole(path: str | Path, data: str | bytes, force: bool = False) -> None:
    """Write a file through a temporary one in the same folder, renamed at the end.

    A file that is replaced keeps its mode, and its owner where that is allowed.

    Raises
    ------
    InputError
        As `check_writable`, or when the disk refuses; nothing is left behind then.
    """
    write_all({str(path): data}, force)


def write_all(texts: Mapping[str, str | bytes], force: bool = False) -> None:
    """Write several files by `write_whole`: all, or none and those that were there as they were.

    Raises
    ------
    InputError
        As `write_whole`; if two paths are one file.
    """
    targets = {path: _target(path, force) for path in texts}
    check_apart(texts)
    with contextlib.ExitStack() as stack:
        ready = []
        for path, target in targets.items():
            if not _is_stream(target):
                ready.append((path, stack.enter_context(_temporary(path, target, _bytes(texts[path]))), target))
        for path, target in targets.items():
            if _is_stream(target):
                with _refusing(path), open(target, "wb") as stream:
                    stream.write(_bytes(texts[path]))
        undo = stack.enter_context(contextlib.ExitStack())
        for path, temporary, target in ready:
            with _refusing(path):
                kept = _kept(target)
                os.replace(temporary, target)
                undo.callback(_put_back, kept, target)
        # All are there: what was kept of the old ones goes.
        undo.pop_all()
        for _, _, target in ready:
            with contextlib.suppress(OSError):
                os.unlink(_kept_name(target))


def check_apart(paths: Mapping[str, object] | Iterator[str]) -> None:
    """Refuse two paths that lead to one file.

    Raises
    ------
    InputError
        Names both.
    """
    seen: dict[str, str] = {}
    for path in paths:
        real = os.path.realpath(path)
        if real in seen and not _is_stream(Path(path)):
            raise InputError(f"{path}: is the same file as {seen[real]}; expected another path for each output")
        seen[real] = str(path)


def unused_path(path: str | Path) -> Path:
    """`path` itself, or the first of ``name-2.ext``, ``name-3.ext``, ... that does not exist."""
    wanted = Path(path)
    candidate, number = wanted, 1
    while os.path.lexists(candidate):
        number += 1
        candidate = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
    return candidate


def file_stem(name: str) -> str:
    """A name out of a file as a part of a file name: no folders, nothing that a shell or a terminal reads."""
    safe = "".join(letter if letter.isalnum() or letter in "-_.+=" else "-" for letter in name).strip("-.")
    while len(safe.encode("utf-8", "replace")) > _LONGEST_STEM:
        safe = safe[: len(safe) * 3 // 4]
    return safe or "fabric"


def _target(path: str | Path, force: bool) -> Path:
    """Where a path leads, if it may be written."""
    text = os.fspath(path)
    if not text:
        raise InputError("'': is no path; expected a file to write")
    with _refusing(path):
        if _is_stream(Path(text)):
            return Path(text)
        target = Path(os.path.realpath(text))
        folder = target.parent
        exists = os.path.lexists(text)
        if target.is_dir():
            raise InputError(f"{path}: is a folder; expected a file to write")
        if exists and target.exists() and not stat.S_ISREG(os.stat(target).st_mode):
            raise InputError(f"{path}: is no regular file, pipe or terminal; expected one to write")
        if not folder.is_dir():
            raise InputError(f"{path}: folder {folder if os.path.islink(text) else Path(text).parent} does not exist")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise InputError(f"{path}: folder {folder} is not writable")
        if exists and not force:
            raise InputError(f"{path}: exists already", "--force overwrites it")
        # A name that the file system does not take is refused now, not after the work.
        if not exists:
            with contextlib.suppress(FileNotFoundError):
                os.stat(target)
    return target


def _is_stream(target: Path) -> bool:
    try:
        mode = os.stat(target).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _bytes(data: str | bytes) -> bytes:
    return data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data


@contextlib.contextmanager
def _temporary(path: str | Path, target: Path, data: bytes) -> Iterator[str]:
    """A file beside the target, with the data and the mode that the target gets; gone at the end if still there."""
    name = None
    try:
        with _refusing(path):
            with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".railscope-", delete=False) as file:
                name = file.name
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            _give_mode(name, target)
        yield name
    finally:
        if name is not None:
            with contextlib.suppress(OSError):
                os.unlink(name)


def _give_mode(name: str, target: Path) -> None:
    if target.exists():
        old = os.stat(target)
        with contextlib.suppress(OSError):
            os.chown(name, old.st_uid, old.st_gid)
        os.chmod(name, stat.S_IMODE(old.st_mode))
        return
    # A temporary file is private; give the result what a new file would have.
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(name, 0o666 & ~umask)


def _kept_name(target: Path) -> str:
    return str(target.parent / f".railscope-kept-{os.getpid()}-{file_stem(target.name)}")


def _kept(target: Path) -> str | None:
    """A second name of what a file held, until all are written; None where there was none, or no second name can be."""
    if not target.exists():
        return None
    name = _kept_name(target)
    with contextlib.suppress(OSError):
        os.unlink(name)
    try:
        os.link(target, name)
    except OSError:
        return None
    return name


def _put_back(kept: str | None, target: Path) -> None:
    with contextlib.suppress(OSError):
        if kept is None:
            os.unlink(target)
        else:
            os.replace(kept, target)


@contextlib.contextmanager
def _refusing(path: str | Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        shown = quoted(os.fspath(path)) if len(os.fspath(path)) > 200 or "\0" in os.fspath(path) else path
        raise InputError(f"{shown}: cannot be written ({reason})") from None
