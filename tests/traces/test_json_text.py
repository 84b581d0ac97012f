"""JSON from outside: read, or refused in one line."""

import json
import re

import pytest
from hypothesis import given, strategies as st

from collectives.errors import InputError
from traces.json_text import JsonObject, parse_json


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,\n"b" 2}', r"x\.json:2: not JSON \(Expecting ':' delimiter, column 5\)"),
        ("[" * 200_000, r"x\.json: nested too deeply .*"),
        (
            '{"a": ' + "9" * 5000 + "}",
            r"x\.json: a number '9{80}\.\.\.' \(5,000 characters\); expected at most 400 digits",
        ),
    ],
)
def test_refused_in_one_line(text, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        parse_json(text, "x.json")


def test_numbers_that_nobody_looks_at_spoil_nothing():
    assert parse_json('{"nan": NaN, "big": 1e999, "n": 12, "half": "\\ud800"}', "x")["n"] == 12


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def in_parts(text, cuts):
    ends = sorted(min(cut, len(text)) for cut in cuts)
    return [text[i:j] for i, j in zip([0, *ends], [*ends, len(text)], strict=True)]


def piecewise(parts):
    """A document as `JsonObject` gives it: lists of its members item by item, all else whole."""
    document = JsonObject(parts, "x.json")
    found = {}
    for name in document.members():
        found[name] = list(document.items()) if document.at("[") else document.value()
    return found


def outcome(read):
    try:
        return read()
    except InputError as refusal:
        return str(refusal)


@given(
    st.dictionaries(st.text(max_size=6), JSON, max_size=5),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
    st.lists(st.integers(0, 400), max_size=12),
)
def test_a_document_in_parts_is_the_same(document, indent, ascii_only, cuts):
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    assert piecewise(in_parts(text, cuts)) == json.loads(text)
    assert piecewise(list(text)) == json.loads(text)


@given(st.dictionaries(st.text(max_size=6), JSON, max_size=5), st.data())
def test_a_damaged_document_in_parts_is_refused_where_the_whole_is(document, data):
    text = list(json.dumps(document, indent=1))
    at = data.draw(st.integers(0, len(text) - 1))
    text[at : at + data.draw(st.integers(0, 3))] = data.draw(st.text('{}[]",:\\u01e-.tn \n', max_size=2))
    whole = "".join(text)
    expected = outcome(lambda: parse_json(whole, "x.json"))
    for parts in (in_parts(whole, data.draw(st.lists(st.integers(0, len(text)), max_size=9))), [whole]):
        found = outcome(lambda parts=parts: piecewise(parts))
        if isinstance(expected, str):
            # Of blanks before what is missing, either end is where it is missing.
            assert isinstance(found, str)
            assert re.sub(r":\d+:.*", "", found) == re.sub(r":\d+:.*", "", expected)
        elif isinstance(expected, dict):
            assert found == expected
        else:
            assert found == "x.json:1: not JSON (Expecting value, column 1)"


def test_where_it_is_wrong_is_told_in_parts_too():
    text = '{"a": 1,\n "b": [2,\n  tru]}'
    assert outcome(lambda: parse_json(text, "x.json")) == "x.json:3: not JSON (Expecting value, column 3)"
    for cuts in ((), (3, 9, 12), range(len(text))):
        assert outcome(lambda cuts=cuts: piecewise(in_parts(text, cuts))) == (
            "x.json:3: not JSON (Expecting value, column 3)"
        )
        assert outcome(lambda cuts=cuts: piecewise(in_parts(text[:-4], cuts))) == (
            "x.json:3: not JSON (Expecting value, column 3)"
        )


def test_what_makes_no_sense_is_refused_in_parts_too():
    for text, message in (
        ('{"a": ' + "[" * 200_000, "x.json: nested too deeply for JSON that means something"),
        ('{"a": ' + "9" * 5000 + "}", "x.json: a number of thousands of digits; expected a shorter one"),
    ):
        assert outcome(lambda text=text: piecewise([text])) == message
        assert outcome(lambda text=text: piecewise(in_parts(text, range(0, 9000, 700)))) == message


def test_a_long_value_is_not_read_again_with_each_part():
    """Parts are taken until there is twice as much: the work is a multiple of the text, whatever the parts."""
    text = '{"a": "' + "x" * 200_000 + '"}'
    taken = 0

    def parts():
        nonlocal taken
        for letter in text:
            taken += 1
            yield letter

    assert len(piecewise(parts())["a"]) == 200_000
    assert taken == len(text)
