"""JSON from outside: read, or refused in one line."""

import pytest

from collectives.errors import InputError
from traces.json_text import parse_json


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
