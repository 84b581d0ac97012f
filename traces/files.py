"""Reads plain and compressed files; what cannot be read is refused in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from collectives.errors import InputError
from traces.compression import BROKEN, compression_of

# Some kilobytes of gzip or xz can hold any amount of zeros.  The limit is assumed: no trace or dump seen comes near.
MAX_BYTES = 2**31
# Assumed to be enough to tell a format by, whatever comments come first.
HEAD_BYTES = 65536


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
        If the file is missing, unreadable, a folder, cut off, larger than `MAX_BYTES` or not UTF-8.
    """
    with _refusing(path):
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
        compression = compression_of(data)
        if compression is not None:
            try:
                data = compression.unpack(data, MAX_BYTES + 1)
            except BROKEN as error:
                raise InputError(f"{path}: not a whole {compression.name} file ({error})") from None
        if len(data) > MAX_BYTES:
            raise InputError(f"{path}: more than {MAX_BYTES >> 30} GiB; expected a smaller file")
        return data.decode("utf-8-sig", errors)


def read_head(path: str | Path) -> str:
    r"""The first `HEAD_BYTES` of a file's text, plain, gzip or xz; bytes that are not UTF-8 come as ``\xNN``.

    Raises
    ------
    InputError
        If the file is missing, unreadable or a folder, or its beginning is not what its first bytes promise.
    """
    with _refusing(path):
        with open(path, "rb") as file:
            data = file.read(HEAD_BYTES)
        compression = compression_of(data)
        if compression is not None:
            try:
                data = compression.begin(data, HEAD_BYTES)
            except BROKEN as error:
                raise InputError(f"{path}: not a {compression.name} file ({error})") from None
        return data.decode("utf-8-sig", "backslashreplace")


@contextmanager
def _refusing(path: str | Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
