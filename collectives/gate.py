"""The gate for numbers and text from outside: every reader and every option lets values in through here.

What is let in: ASCII digits only (``int`` takes other scripts' digits and ``1_000``), counted before they are parsed
(20,000 digits take seconds), inside a range, finite.  What is said of text: at most `QUOTED` characters of it, with
nothing in it that a terminal obeys.
"""

import math
import re

from collectives.errors import InputError
from collectives.saying import QUOTED, printable, quoted, shown

__all__ = [
    "MAX_REAL",
    "MAX_WHOLE",
    "QUOTED",
    "printable",
    "quoted",
    "real",
    "real_value",
    "shown",
    "whole",
    "whole_value",
]

MAX_WHOLE = 2**53
"""Largest whole number let in by default: the last up to which a float64 counts in ones."""

MAX_REAL = 1e18
"""Largest number let in by default: an exabyte, thirty billion years, a million petabits a second (assumed to be enough
for anything that is built, and small enough that sums of a billion of them are finite)."""

_WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
_REAL = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,6})?")


def whole(text: str, what: str, low: int = 0, high: int = MAX_WHOLE) -> int:
    """A whole number in decimal digits.

    Parameters
    ----------
    text : str
        Blanks around it are let through.
    what : str
        Begins the message: the file and line, the key, the option.
    low, high : int
        The range, both included.

    Raises
    ------
    InputError
        ``{what} '1_000': expected a whole number from 0 to 9``.

    >>> whole("12", "port")
    12
    """
    stripped = text.strip()
    value = int(stripped) if _WHOLE.fullmatch(stripped) else None
    if value is None or not low <= value <= high:
        raise InputError(f"{what} {quoted(text)}: expected a whole number {_range(low, high)}")
    return value


def real(text: str, what: str, low: float = 0.0, high: float = MAX_REAL) -> float:
    """A finite number such as ``12``, ``.5`` or ``1e9``; as for `whole`.

    Raises
    ------
    InputError
        ``{what} 'nan': expected a number from 0 to 1e+18``.

    >>> real("1e3", "gbps")
    1000.0
    """
    stripped = text.strip()
    value = float(stripped) if _REAL.fullmatch(stripped) else math.nan
    if not low <= value <= high:  # NaN too
        raise InputError(f"{what} {quoted(text)}: expected a number {_range(low, high)}")
    return value


def whole_value(value: object, what: str, low: int = 0, high: int = MAX_WHOLE) -> int:
    """A whole number out of a parsed document (JSON, YAML, TOML): an int, or a float without a fraction; no bool."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"{what} {shown(value)}: expected a whole number {_range(low, high)}")
    return value


def real_value(value: object, what: str, low: float = 0.0, high: float = MAX_REAL) -> float:
    """A finite number out of a parsed document: an int or a float; no bool."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise InputError(f"{what} {shown(value)}: expected a number {_range(low, high)}")
    return float(value)


def _range(low: float, high: float) -> str:
    if high >= MAX_WHOLE and low <= -MAX_WHOLE:
        return "of a size that makes sense"
    shown_low, shown_high = (f"{each:,}" if isinstance(each, int) else f"{each:g}" for each in (low, high))
    return f"from {shown_low} to {shown_high}"
