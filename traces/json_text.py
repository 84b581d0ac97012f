"""JSON as files from outside have it: parsed, or refused in one line that says where.

`parse_json` makes all of a text; `JsonObject` goes through a document that is too large for that, one list item after
the other, and keeps nothing.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from collectives.errors import InputError
from collectives.gate import quoted

# A float64 needs 17 digits and bytes 19; Python's own parser takes 4,300 and says little.
_MAX_DIGITS = 400


_BLANKS = re.compile(r"[ \t\n\r]*")
_COMMA = re.compile(r"[ \t\n\r]*,[ \t\n\r]*")
# Where a text that was cut stops making sense: a literal or an escape may have begun so far before its end.
_CUT = 16


def parse_json(text: str, path: str | Path) -> Any:
    """What a JSON text holds.

    Parameters
    ----------
    text : str
    path : path
        Begins the messages.

    Returns
    -------
    dict, list, str, int, float, bool or None
        NaN and Infinity are let through, as tools write them where nobody looks: what is used passes
        `collectives.gate.whole_value` or `real_value`, which refuse them.

    Raises
    ------
    InputError
        What is no JSON (with its line), a number of more than `_MAX_DIGITS` digits, nesting deeper than Python takes.
    """

    def whole(digits: str) -> int:
        if len(digits) > _MAX_DIGITS:
            raise InputError(f"{path}: a number {quoted(digits)}; expected at most {_MAX_DIGITS} digits")
        return int(digits)

    try:
        return json.loads(text, parse_int=whole)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON ({error.msg}, column {error.colno})") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply for JSON that means something") from None


class JsonObject:
    """A JSON object that is read from beginning to end once; no more of it is held than the value that is asked for.

    Go through `members`, and for each of them call `value`, or, at the beginning of a list, go through `items`.

    Parameters
    ----------
    parts : iterable of str
        The text, in parts of any length.
    path : path
        Begins the messages.
    """

    def __init__(self, parts: Iterable[str], path: str | Path) -> None:
        self._parts = iter(parts)
        self._path = path
        # Without a function for numbers, which would be called for each of them.
        self._scan = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0
        self._ended = False
        # Of what was passed: its lines, and the letters of the last one.
        self._line, self._column = 1, 1

    def at(self, sign: str) -> bool:
        """Whether the next value begins with a sign such as ``[``."""
        return self._next() == sign

    def members(self) -> Iterator[str]:
        """Names of the members.

        Raises
        ------
        InputError
            What is no JSON, with its line; the same for `value` and `items`.
        """
        self._take("{", "Expecting value")
        if not self._taken("}"):
            while True:
                if self._next() != '"':
                    raise self._refusal("Expecting property name enclosed in double quotes")
                name = self.value()
                self._take(":", "Expecting ':' delimiter")
                yield name
                if self._taken("}"):
                    break
                self._take(",", "Expecting ',' delimiter")
        if self._next():
            raise self._refusal("Extra data")

    def items(self) -> Iterator[Any]:
        """Items of a list, each parsed."""
        self._take("[", "Expecting value")
        if not self._taken("]"):
            while True:
                yield self.value()
                comma = _COMMA.match(self._text, self._at)
                if comma:
                    self._at = comma.end()
                    continue
                if self._taken("]"):
                    break
                self._take(",", "Expecting ',' delimiter")

    def value(self) -> Any:
        """The next value, parsed."""
        if self._at >= len(self._text) or self._text[self._at] in " \t\n\r":
            self._next()
        while True:
            try:
                value, end = self._scan(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.pos >= len(self._text) - _CUT or error.msg.startswith("Unterminated string")
                if not cut or not self._more():
                    raise self._refusal(error.msg, error.pos) from None
            except ValueError:
                # Python's own limit, `sys.set_int_max_str_digits`.
                raise InputError(f"{self._path}: a number of thousands of digits; expected a shorter one") from None
            except RecursionError:
                raise InputError(f"{self._path}: nested too deeply for JSON that means something") from None
            else:
                # A number at the end may go on, as `1e-` is a part of one.
                if self._ended or end < len(self._text) - 3:
                    self._at = end
                    return value
                self._more()

    def _next(self) -> str:
        """The next sign that is no blank, where it stands; empty at the end."""
        while True:
            blanks = _BLANKS.match(self._text, self._at)
            self._at = blanks.end() if blanks else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _taken(self, sign: str) -> bool:
        if self._next() != sign:
            return False
        self._at += 1
        return True

    def _take(self, sign: str, otherwise: str) -> None:
        if not self._taken(sign):
            raise self._refusal(otherwise)

    def _more(self) -> bool:
        """Read on, at least as much again as is not passed yet, so that a long value is not tried too often."""
        if self._ended:
            return False
        parts, wanted = [], max(len(self._text) - self._at, 1)
        while wanted > 0:
            part = next(self._parts, None)
            if part is None:
                self._ended = True
                break
            parts.append(part)
            wanted -= len(part)
        more = any(parts)
        if more:
            self._line, self._column = self._place(self._at)
            self._text = "".join((self._text[self._at :], *parts))
            self._at = 0
        return more

    def _place(self, at: int) -> tuple[int, int]:
        """Line and column of a place in the text that is there."""
        last = self._text.rfind("\n", 0, at)
        column = at - last if last >= 0 else self._column + at
        return self._line + self._text.count("\n", 0, at), column

    def _refusal(self, reason: str, at: int | None = None) -> InputError:
        line, column = self._place(self._at if at is None else at)
        return InputError(f"{self._path}:{line}: not JSON ({reason}, column {column})")
