"""Numbers of protocol buffers at the edge of 64 bits."""

import pytest

from collectives.errors import InputError
from traces.protobuf_wire import fields, messages, varint


def test_the_largest_number_is_read_whole():
    assert varint(b"\xff" * 9 + b"\x01", 0, "x") == (2**64 - 1, 10)


@pytest.mark.parametrize("data", [b"\xff" * 9 + b"\x7f", b"\x80" * 9 + b"\x02", b"\xff" * 10 + b"\x01"])
def test_more_than_64_bits_are_refused(data):
    with pytest.raises(InputError, match="x: no number of protocol buffers at byte 0"):
        varint(data, 0, "x")


def test_a_field_of_number_0_is_refused_whatever_its_kind():
    for data in (b"\x00\x05", b"\x02\x01x", b"\x05abcd", b"\x01abcdefgh"):
        with pytest.raises(InputError, match="x: a field of number 0 at byte 0 of the message"):
            list(fields(data, "x"))
    assert list(fields(b"\x08\x05", "x")) == [(1, 0, 5)]


def test_a_cut_stream_says_where_in_the_file():
    assert list(messages(b"\x02ab\x01c", "x")) == [(1, b"ab"), (4, b"c")]
    with pytest.raises(InputError, match="x: cut off: a message at byte 3 of the file has 2 bytes, 1 are left"):
        list(messages(b"\x02ab\x02c", "x"))
