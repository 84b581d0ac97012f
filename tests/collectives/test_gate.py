"""What comes in through the gate, and what is said of what does not."""

import math

import pytest
from hypothesis import given, strategies as st

from collectives.errors import InputError
from collectives.gate import MAX_WHOLE, QUOTED, printable, quoted, real, real_value, shown, whole, whole_value


@given(st.integers(-(10**12), 10**12))
def test_whole_numbers_come_in_as_python_reads_them(number):
    assert whole(f" {number} ", "n", low=-(10**12)) == number


@given(st.floats(0, 1e17))
def test_numbers_come_in_as_python_reads_them(number):
    assert real(repr(number), "x") == number


@pytest.mark.parametrize("text", ["1_000", "١٢", "１２", "", " ", "0x10", "1.0", "-1", "nan", "9" * 39, "1 2", "²"])
def test_what_is_no_whole_number_is_refused(text):
    with pytest.raises(InputError, match=r"^port '.*': expected a whole number from 0 to 9,007,199,254,740,992$"):
        whole(text, "port")


@pytest.mark.parametrize(
    "text", ["1_0.5", "inf", "Infinity", "nan", "-1", "1e999", "39.620.02", "", "٣", "0x1p3", "1e99"]
)
def test_what_is_no_number_is_refused(text):
    with pytest.raises(InputError, match=r"^gbps '.*': expected a number from 0 to 1e\+18$"):
        real(text, "gbps")


@pytest.mark.parametrize("read", [whole, real])
def test_digits_are_counted_before_they_are_parsed(read):
    for digits in (4_301, 300_000):
        with pytest.raises(InputError) as refusal:
            read("9" * digits, "size")
        assert len(str(refusal.value)) < 200
        assert f"({digits:,} characters)" in str(refusal.value)


@pytest.mark.parametrize("value", [True, 1.5, "1", None, math.nan, math.inf, 10**400, -1, [1], MAX_WHOLE + 1])
def test_values_of_documents_that_are_no_whole_numbers(value):
    with pytest.raises(InputError, match=r"^key .*: expected a whole number from 0"):
        whole_value(value, "key")


@pytest.mark.parametrize("value", [True, "1", None, math.nan, math.inf, 10**400, -1, {}])
def test_values_of_documents_that_are_no_numbers(value):
    with pytest.raises(InputError, match=r"^key .*: expected a number from 0"):
        real_value(value, "key")


def test_values_of_documents():
    assert whole_value(3.0, "k") == 3
    assert real_value(3, "k") == 3.0


@given(st.text(st.characters(codec=None)))
def test_nothing_printable_gives_out_is_obeyed_by_a_terminal(text):
    out = printable(text)
    assert out.encode("utf-8").decode() == out  # no lone surrogate
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in out)


def test_letters_of_all_scripts_are_left_as_they_are():
    assert printable("机架-3 Grün") == "机架-3 Grün"


def test_messages_quote_at_most_so_many_characters():
    assert quoted("x" * 300_000) == f"'{'x' * QUOTED}...' (300,000 characters)"
    assert quoted("a\x1b]0;b\x07") == "'a\\x1b]0;b\\x07'"
    assert len(shown([["x"] * 10_000])) < 100
    assert shown(10**5000) == "(a number of 16,610 bits)"
