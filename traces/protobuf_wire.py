"""Protocol buffers as they stand in a file: varints, fields, messages one after another.

Source: protobuf.dev, "Encoding".  Only what Chakra's traces need: a reader of fields, no schema, no writer.
"""

import struct
from collections.abc import Iterator

from collectives.errors import InputError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types: how the value of a field is written."""

_WIDTH = {FIXED64: 8, FIXED32: 4}
# Of a uint64; the tenth byte holds its last bit.
_MAX_VARINT = 10


def varint(data: bytes, at: int, what: str, within: str = "message") -> tuple[int, int]:
    """A number of 64 bits without sign, in groups of seven bits, lowest first.

    Parameters
    ----------
    data : bytes
    at : int
        Where it begins.
    what : str
        Begins the error's text.
    within : str
        From whose beginning bytes are counted there.

    Returns
    -------
    value, end : int
        `end` is where the next begins.

    Raises
    ------
    InputError
        If the data ends within it, or it has more than ten bytes or 64 bits.
    """
    value = 0
    for place in range(_MAX_VARINT):
        if at + place >= len(data):
            raise InputError(f"{what}: cut off in a number at byte {at} of the {within}")
        byte = data[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if value >= 1 << 64:
            break
        if byte < 0x80:
            return value, at + place + 1
    raise InputError(f"{what}: no number of protocol buffers at byte {at} of the {within}")


def messages(data: bytes, what: str) -> Iterator[tuple[int, bytes]]:
    """The messages of a stream, each behind a varint of its length: where it begins, and its bytes.

    Raises
    ------
    InputError
        If the data ends within one.
    """
    at = 0
    while at < len(data):
        length, begin = varint(data, at, what, "file")
        if length > len(data) - begin:
            raise InputError(
                f"{what}: cut off: a message at byte {at} of the file has {length:,} bytes, {len(data) - begin:,} are "
                "left"
            )
        yield begin, data[begin : begin + length]
        at = begin + length


def fields(data: bytes, what: str) -> Iterator[tuple[int, int, int | bytes]]:
    """The fields of a message in order: number, wire type, value (an int of a varint, bytes of all others).

    Raises
    ------
    InputError
        If the data is no such message, or ends within a field.
    """
    at = 0
    while at < len(data):
        begin = at
        tag, at = varint(data, at, what)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise InputError(f"{what}: a field of number 0 at byte {begin} of the message; expected 1 or more")
        value: int | bytes
        if kind == VARINT:
            value, at = varint(data, at, what)
            yield number, kind, value
            continue
        if kind == BYTES:
            length, at = varint(data, at, what)
        elif kind in _WIDTH:
            length = _WIDTH[kind]
        else:
            raise InputError(f"{what}: no field of protocol buffers at byte {begin} of the message (wire type {kind})")
        if length > len(data) - at:
            raise InputError(f"{what}: no field of protocol buffers at byte {begin} of the message, or cut off")
        value, at = data[at : at + length], at + length
        yield number, kind, value


def signed(value: int) -> int:
    """The int32 or int64 that a varint holds (two's complement of 64 bits)."""
    return value - 2**64 if value >= 2**63 else value


def zigzag(value: int) -> int:
    """The sint32 or sint64 that a varint holds."""
    return (value >> 1) ^ -(value & 1)


def unpacked(form: str, value: bytes) -> int | float:
    """A number of fixed width in `struct`'s form, little-endian.

    Raises
    ------
    InputError
        If the width is another.
    """
    try:
        number: int | float = struct.unpack("<" + form, value)[0]
    except struct.error:
        raise InputError(f"a number of {len(value)} bytes; expected {struct.calcsize('<' + form)}") from None
    return number


def text(value: int | bytes, what: str) -> str:
    """A string field; bytes that are not UTF-8 come as they can be shown.

    Raises
    ------
    InputError
        If the value is a number.
    """
    if isinstance(value, int):
        raise InputError(f"{what}: a number; expected text")
    return value.decode("utf-8", "backslashreplace")
