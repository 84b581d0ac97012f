"""Reads plain and gzip files; what cannot be read is refused in one line."""

import gzip
import zlib
from pathlib import Path

from collectives.errors import InputError


def read_text(path: str | Path) -> str:
    """Text of a file, gzip or not (told by its first bytes).

    Raises
    ------
    InputError
        If the file is missing, unreadable, a folder, a truncated gzip file or not UTF-8.
    """
    try:
        data = Path(path).read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        return data.decode("utf-8-sig")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: not a whole gzip file ({error})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
