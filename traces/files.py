"""Reads plain and compressed files, pipes too; what cannot be read is refused in one line.

A few kilobytes of gzip or xz can hold any amount of zeros, and a pipe need not end: there is a limit to what is read,
and to what is made of it.
"""

import codecs
import contextlib
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import IO

from collectives.errors import InputError
from collectives.gate import quoted
from collectives.sizes import format_bytes, parse_bytes
from traces.compression import BROKEN, Compression, compression_of

MAX_BYTES = 2_000_000_000
"""Of a file, and of what is unpacked from it.  Assumed: no trace or dump seen comes near."""

LIMIT_VARIABLE = "RAILSCOPE_MAX_INPUT"
"""Environment variable that sets another limit, such as ``8GB``."""

# Assumed to be enough to tell a format by, whatever comments come first.
HEAD_BYTES = 65536
_CHUNK = 1 << 20
# As long as the longest of `traces.compression`.
_MAGIC_BYTES = 6
# What came out of a pipe, which gives it once, and the pipe's state afterwards: while that stays, nobody wrote again.
_streams: dict[str, tuple[tuple[int, int, int], bytes]] = {}

_watcher: ContextVar[Callable[[str, int, int], None] | None] = ContextVar("watcher", default=None)


@contextlib.contextmanager
def watched(watcher: Callable[[str, int, int], None]) -> Iterator[None]:
    """Tell how far files are read that are read in parts.

    Parameters
    ----------
    watcher : callable
        Called with the file's name, the bytes that are passed and the bytes that it has, as they lie on disk.
    """
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def max_bytes() -> int:
    """The limit, in bytes.

    Raises
    ------
    InputError
        If the environment variable is no size.
    """
    text = os.environ.get(LIMIT_VARIABLE, "")
    if not text:
        return MAX_BYTES
    try:
        return int(parse_bytes(text))
    except InputError as error:
        raise InputError(f"{LIMIT_VARIABLE}: {error}") from None


def exists(path: str | Path) -> bool:
    """Whether there is something of that name.

    Raises
    ------
    InputError
        If that cannot be known: a folder that may not be searched, a name that is none.
    """
    with _refusing(path):
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
    return True


def read_text(path: str | Path, errors: str = "strict") -> str:
    """Text of a file, plain, gzip or xz (told by its first bytes).

    Parameters
    ----------
    path : path
    errors : str
        What to do with bytes that are not UTF-8, as for `bytes.decode`.

    Raises
    ------
    InputError
        If the file is missing, unreadable, a folder or a device, cut off, larger than the limit or not UTF-8.
    """
    with _refusing(path):
        return _whole(path).decode("utf-8-sig", errors)


def read_bytes(path: str | Path) -> bytes:
    """What a file holds, plain, gzip or xz; errors as of `read_text`, but for those of the encoding."""
    with _refusing(path):
        return _whole(path)


def text_parts(path: str | Path) -> Iterator[str]:
    """Text of a file, plain, gzip or xz, a part of about a megabyte after the other; errors as of `read_text`."""
    limit = max_bytes()
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    read = 0
    with _refusing(path), _opened(path, limit) as file:
        compression = compression_of(file.read(_MAGIC_BYTES))
        size, watcher = file.seek(0, io.SEEK_END), _watcher.get()
        file.seek(0)
        try:
            for part in compression.parts(file) if compression is not None else iter(partial(file.read, _CHUNK), b""):
                text = _decoded(decoder, part, read)
                read += len(part)
                if read > limit:
                    raise _too_large(path, limit)
                if watcher is not None:
                    watcher(os.fspath(path), file.tell(), size)
                yield text
        except BROKEN as error:
            name = compression.name if compression is not None else "plain"
            raise InputError(f"{path}: not a whole {name} file ({error})") from None
        yield _decoded(decoder, b"", read)


def _decoded(decoder: codecs.IncrementalDecoder, part: bytes, before: int) -> str:
    """The next part of a text; the last one is empty.  An error counts bytes from the beginning of the file."""
    kept = len(decoder.getstate()[0])
    try:
        return decoder.decode(part, final=not part)
    except UnicodeDecodeError as error:
        start = before - kept + error.start
        raise UnicodeDecodeError(error.encoding, b"", start, start, error.reason) from None


def _opened(path: str | Path, limit: int) -> IO[bytes]:
    """An open file of at most so many bytes; what a pipe gave, from the beginning."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        data = _read(path, limit + 1)
        if len(data) > limit:
            raise _too_large(path, limit)
        return io.BytesIO(data)
    if status.st_size > limit:
        raise _too_large(path, limit)
    return open(path, "rb")


def _whole(path: str | Path) -> bytes:
    limit = max_bytes()
    data = _read(path, limit + 1)
    if len(data) > limit:
        raise _too_large(path, limit)
    compression = compression_of(data)
    if compression is not None:
        try:
            # What may be too large is counted first, and not kept.
            if _suspicious(compression, data, limit) and compression.size(data, limit + 1) > limit:
                raise _too_large(path, limit)
            data = compression.unpack(data, limit + 1)
        except BROKEN as error:
            raise InputError(f"{path}: not a whole {compression.name} file ({error})") from None
    if len(data) > limit:
        raise _too_large(path, limit)
    return data


def read_head(path: str | Path) -> str:
    r"""The first `HEAD_BYTES` of a file's text, plain, gzip or xz; bytes that are not UTF-8 come as ``\xNN``.

    Raises
    ------
    InputError
        If the file is missing, unreadable, a folder or a device, or its beginning is not what its first bytes promise.
    """
    with _refusing(path):
        data = _read(path, HEAD_BYTES)[:HEAD_BYTES]
        compression = compression_of(data)
        if compression is not None:
            try:
                data = compression.begin(data, HEAD_BYTES)
            except BROKEN as error:
                raise InputError(f"{path}: not a {compression.name} file ({error})") from None
        return data.decode("utf-8-sig", "backslashreplace")


def _suspicious(compression: Compression, data: bytes, limit: int) -> bool:
    """Whether the whole would come near the limit if it is packed as tightly as its beginning."""
    head, most = data[:HEAD_BYTES], 32 * HEAD_BYTES
    unpacked = len(compression.begin(head, most))
    return unpacked == most or unpacked / max(len(head), 1) * len(data) > limit / 4


def _too_large(path: str | Path, limit: int) -> InputError:
    return InputError(
        f"{path}: more than {format_bytes(limit)}; expected a smaller file",
        f"railscope --max-input 8GB and {LIMIT_VARIABLE}=8GB allow more",
    )


def _read(path: str | Path, most: int) -> bytes:
    """At most so many bytes of a file; all of a pipe, up to the limit, as it gives them once."""
    status = os.stat(path)
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        raise InputError(f"{path}: is a folder; expected a file")
    if stat.S_ISREG(mode):
        with open(path, "rb") as file:
            return file.read(most)
    if not stat.S_ISFIFO(mode) and not stat.S_ISSOCK(mode):
        raise InputError(f"{path}: is a device; expected a file or a pipe")
    key = os.fspath(path)
    state, kept = _streams.get(key, ((), b""))
    if state != _state(path):
        limit = max_bytes()
        data = bytearray()
        with open(path, "rb") as pipe:
            while len(data) <= limit and (chunk := pipe.read(min(_CHUNK, limit + 1 - len(data)))):
                data += chunk
        kept = bytes(data)
        _streams[key] = (_state(path), kept)
    return kept


def _state(path: str | Path) -> tuple[int, int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino, status.st_ctime_ns


@contextlib.contextmanager
def _refusing(path: str | Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except (OSError, ValueError) as error:
        text = os.fspath(path)
        shown = quoted(text) if len(text) > 200 or not text.isprintable() else text
        raise InputError(
            f"{shown or repr(text)}: cannot be read ({getattr(error, 'strerror', None) or error})"
        ) from None
