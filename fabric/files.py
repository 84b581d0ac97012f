"""Files are written whole or not at all, and never over another one unless asked."""

import contextlib
import os
import tempfile
from pathlib import Path

from collectives.errors import InputError


def check_writable(path: str | Path, force: bool = False) -> None:
    """Refuse a path that `write_whole` would refuse, before a long computation.

    Raises
    ------
    InputError
        If the path exists and `force` is not set, is a folder, or lies in a folder that is missing or not writable.
    """
    target = Path(path)
    folder = target.parent
    if target.is_dir():
        raise InputError(f"{path}: is a folder; expected a file to write")
    if not folder.is_dir():
        raise InputError(f"{path}: folder {folder} does not exist")
    if not os.access(folder, os.W_OK):
        raise InputError(f"{path}: folder {folder} is not writable")
    if target.exists() and not force:
        raise InputError(f"{path}: exists already", "--force overwrites it")


def write_whole(path: str | Path, data: str | bytes, force: bool = False) -> None:
    """Write a file through a temporary one in the same folder, renamed at the end.

    Raises
    ------
    InputError
        As `check_writable`, or when the disk refuses; nothing is left behind then.
    """
    check_writable(path, force)
    target = Path(path)
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            temporary = file.name
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        # A temporary file is private; give the result what a new file would have.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, target)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None


def write_all(texts: dict[str, str | bytes], force: bool = False) -> None:
    """Write several files by `write_whole`; none if one of them would be refused beforehand."""
    for path in texts:
        check_writable(path, force)
    for path, data in texts.items():
        write_whole(path, data, force)


def unused_path(path: str | Path) -> Path:
    """`path` itself, or the first of ``name-2.ext``, ``name-3.ext``, ... that does not exist."""
    wanted = Path(path)
    candidate, number = wanted, 1
    while candidate.exists():
        number += 1
        candidate = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
    return candidate
