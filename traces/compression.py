"""Compressed files: told by their first bytes when read, by the ending of their name when written."""

import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

# A dictionary of xz may ask for 4 GiB; `xz -9` asks for 64 MiB (xz(1), "Preset levels").
_XZ_MEMORY = 2**28
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Compression:
    """A way to compress files.

    Attributes
    ----------
    name : str
        What it is called.
    ending : str
        Of the names of files.
    magic : bytes
        What every such file begins with.
    pack : callable
        Bytes to a whole file; the same bytes for the same input.
    unpack : callable
        (file, limit) to at most `limit` bytes; raises one of `BROKEN` for what is no whole file.
    size : callable
        (file, limit) to how many bytes it holds, at least `limit` where there are more; as `unpack`, keeping none.
    begin : callable
        (beginning of a file, limit) to at most `limit` bytes of what it holds.
    parts : callable
        Open file to what it holds, a part after the other; raises as `unpack`.
    """

    name: str
    ending: str
    magic: bytes
    pack: Callable[[bytes], bytes]
    unpack: Callable[[bytes, int], bytes]
    size: Callable[[bytes, int], int]
    begin: Callable[[bytes, int], bytes]
    parts: Callable[[IO[bytes]], Iterator[bytes]]


BROKEN = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError)
"""What a broken compressed file raises."""


def _ungzip(data: bytes, limit: int) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        return file.read(limit)


def _gzip_size(data: bytes, limit: int) -> int:
    size = 0
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        while size < limit and (chunk := file.read(_CHUNK)):
            size += len(chunk)
    return size


def _xz_size(data: bytes, limit: int) -> int:
    size = 0
    while data and size < limit:
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY)
        size += len(stream.decompress(data, _CHUNK))
        while size < limit and not stream.eof and not stream.needs_input:
            size += len(stream.decompress(b"", _CHUNK))
        if not stream.eof:
            break
        data = stream.unused_data.lstrip(b"\0")
    return size


def _unxz(data: bytes, limit: int) -> bytes:
    parts, room = [], limit
    while data and room:
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY)
        part = stream.decompress(data, room)
        parts.append(part)
        room -= len(part)
        if room and not stream.eof:
            raise EOFError("Compressed file ended before the end-of-stream marker was reached")
        # Streams may follow one another, with zeros in between (xz file format 1.2, section 2.2).
        data = stream.unused_data.lstrip(b"\0")
    return b"".join(parts)


def _gzip_parts(file: IO[bytes]) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=file) as unpacked:
        while part := unpacked.read(_CHUNK):
            yield part


def _xz_parts(file: IO[bytes]) -> Iterator[bytes]:
    data = file.read(_CHUNK)
    while data:
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY)
        while not stream.eof:
            if stream.needs_input and not data and not (data := file.read(_CHUNK)):
                raise EOFError("Compressed file ended before the end-of-stream marker was reached")
            part = stream.decompress(data, _CHUNK)
            data = b""
            if part:
                yield part
        data = stream.unused_data.lstrip(b"\0")
        while not data and (more := file.read(_CHUNK)):
            data = more.lstrip(b"\0")


COMPRESSIONS = (
    Compression(
        name="gzip",
        ending=".gz",
        magic=b"\x1f\x8b",
        pack=lambda data: gzip.compress(data, mtime=0),
        unpack=_ungzip,
        size=_gzip_size,
        begin=lambda data, limit: zlib.decompressobj(wbits=31).decompress(data, limit),
        parts=_gzip_parts,
    ),
    Compression(
        name="xz",
        ending=".xz",
        magic=b"\xfd7zXZ\x00",
        pack=lzma.compress,
        unpack=_unxz,
        size=_xz_size,
        begin=lambda data, limit: lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY).decompress(data, limit),
        parts=_xz_parts,
    ),
)
"""Every compression that is read and written."""


def compression_of(data: bytes) -> Compression | None:
    """How a file that begins with `data` is compressed, if it is."""
    return next((one for one in COMPRESSIONS if data.startswith(one.magic)), None)


def plain_name(path: str | Path) -> str:
    """A file's name without folder and without the ending of a compression: ``a/x.json.gz`` is ``x.json``."""
    name = Path(path).name
    compression = _by_ending(name)
    return name.removesuffix(compression.ending) if compression is not None else name


def compressed(path: str | Path, data: str | bytes) -> str | bytes:
    """`data` as a file of that name holds it: compressed if the name ends so."""
    compression = _by_ending(Path(path).name)
    if compression is None:
        return data
    return compression.pack(data.encode() if isinstance(data, str) else data)


def _by_ending(name: str) -> Compression | None:
    return next((one for one in COMPRESSIONS if name.endswith(one.ending)), None)
