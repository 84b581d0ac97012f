"""Reads plain and gzip files; what cannot be read is refused in one line."""

import gzip
import io
import zlib
from pathlib import Path

from collectives.errors import InputError

# Some kilobytes of gzip can hold any amount of zeros; no trace or dump that railscope knows of comes near.
MAX_BYTES = 2**31


def read_text(path: str | Path, errors: str = "strict") -> str:
    """Text of a file, gzip or not (told by its first bytes).

    Parameters
    ----------
    path : path
    errors : str
        What to do with bytes that are not UTF-8, as for `bytes.decode`.

    Raises
    ------
    InputError
        If the file is missing, unreadable, a folder, a truncated gzip file, larger than `MAX_BYTES` or not UTF-8.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
        if data[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
                data = packed.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise InputError(f"{path}: more than {MAX_BYTES >> 30} GiB; expected a smaller file")
        return data.decode("utf-8-sig", errors)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: not a whole gzip file ({error})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
