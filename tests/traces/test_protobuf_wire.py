"""Numbers of protocol buffers at the edge of 64 bits."""

import pytest

from collectives.errors import InputError
from traces.protobuf_wire import varint


def test_the_largest_number_is_read_whole():
    assert varint(b"\xff" * 9 + b"\x01", 0, "x") == (2**64 - 1, 10)


@pytest.mark.parametrize("data", [b"\xff" * 9 + b"\x7f", b"\x80" * 9 + b"\x02", b"\xff" * 10 + b"\x01"])
def test_more_than_64_bits_are_refused(data):
    with pytest.raises(InputError, match="x: no number of protocol buffers at byte 0"):
        varint(data, 0, "x")
