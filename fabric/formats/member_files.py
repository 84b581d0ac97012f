"""The files of many devices: a folder, or a tar archive (plain, gzip or xz), a file each.

An archive is read in memory, never unpacked to disk; links and devices in it are passed over.
"""

import io
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from collectives.errors import InputError
from collectives.gate import quoted
from traces.compression import BROKEN, compression_of, plain_name
from traces.files import HEAD_BYTES, max_bytes, read_bytes, read_head

# Assumed: ten times the devices of the largest cluster.
_MOST_MEMBERS = 1_000_000
MOST_HEADS = 1000
"""Files of which the beginning is looked at, to tell the format of all (assumed to be enough)."""

# The magic of the first header, POSIX.1-1988 ustar's and GNU tar's, in 512 bytes that become up to four letters each.
_USTAR, _HEADER = re.compile("\0ustar[ \0]"), 4 * 512


@dataclass(frozen=True)
class MemberFile:
    """A file of a folder or archive.

    Attributes
    ----------
    source : str
        For messages: ``FOLDER/leaf01.json``, or ``all.tar.gz:leaf01.json``.
    name : str
        Path inside, with ``/``, without the ending of a compression.
    data : bytes
        Not compressed.
    """

    source: str
    name: str
    data: bytes

    def text(self) -> str:
        r"""It as text; bytes that are not UTF-8 come as ``\xNN``."""
        return self.data.decode("utf-8-sig", "backslashreplace")


def is_many(path: str | Path) -> bool:
    """Whether it is a folder or a tar archive.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    return os.path.isdir(path) or _USTAR.search(read_head(path)[:_HEADER]) is not None


def member_files(path: str | Path) -> Iterator[MemberFile]:
    """Files of a folder (and of those in it) or of an archive, by name; a single file is its own only member.

    Names that begin with a dot are passed over.

    Raises
    ------
    InputError
        If something cannot be read, or all together is larger than the limit.
    """
    members = _of_folder(path) if os.path.isdir(path) else _of_archive(path) if is_many(path) else _alone(path)
    limit, total = max_bytes(), 0
    for number, member in enumerate(members, 1):
        total += len(member.data)
        if total > limit or number > _MOST_MEMBERS:
            raise InputError(f"{path}: its files are larger than the limit of {limit:,} bytes, or too many")
        yield member


def member_heads(path: str | Path) -> Iterator[str]:
    r"""The beginnings of the first `MOST_HEADS` files of a folder or archive, as `traces.files.read_head` gives them.

    Raises
    ------
    InputError
        As for `member_files`.
    """
    if os.path.isdir(path):
        heads = (read_head(found) for found in _paths(path))
    else:
        heads = (member.data[:HEAD_BYTES].decode("utf-8-sig", "backslashreplace") for member in member_files(path))
    return islice(heads, MOST_HEADS)


def _alone(path: str | Path) -> Iterator[MemberFile]:
    yield MemberFile(str(path), plain_name(path), read_bytes(path))


def _of_folder(path: str | Path) -> Iterator[MemberFile]:
    for found in _paths(path):
        inside = found.relative_to(path)
        yield MemberFile(str(found), (inside.parent / plain_name(inside)).as_posix(), read_bytes(found))


def _paths(path: str | Path) -> Iterator[Path]:
    """Files of a folder and of those in it, by name."""
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            found = Path(folder, name)
            if not name.startswith(".") and found.is_file():
                yield found


def _of_archive(path: str | Path) -> Iterator[MemberFile]:
    try:
        with tarfile.open(fileobj=io.BytesIO(read_bytes(path)), mode="r:") as archive:
            for member in archive:
                inside = Path(member.name)
                if not member.isreg() or inside.name.startswith("."):
                    continue
                opened = archive.extractfile(member)
                assert opened is not None
                source = f"{path}:{member.name}"
                data = opened.read()
                if len(data) != member.size:
                    raise InputError(f"{source}: cut off; is the archive whole?")
                yield MemberFile(source, (inside.parent / plain_name(inside.name)).as_posix(), _unpacked(source, data))
    except (tarfile.TarError, EOFError, ValueError, OverflowError, OSError) as error:
        raise InputError(f"{path}: not a whole tar archive ({quoted(str(error))})") from None


def _unpacked(source: str, data: bytes) -> bytes:
    compression = compression_of(data)
    if compression is None:
        return data
    limit = max_bytes()
    try:
        unpacked = compression.unpack(data, limit + 1)
    except BROKEN as error:
        raise InputError(f"{source}: not a whole {compression.name} file ({error})") from None
    if len(unpacked) > limit:
        raise InputError(f"{source}: larger than the limit of {limit:,} bytes")
    return unpacked
