"""CSV for other programs, and what no spreadsheet may take for a formula."""

import csv
import io
import re
from collections.abc import Iterable

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?", re.ASCII)
# What a formula that calls something holds: a function, another program (DDE), another sheet.
_CALLS = re.compile(r"[(|!=]")


def csv_text(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A line of column names and one for each row, ending in a line feed; quoted where it must be (RFC 4180).

    Text that a spreadsheet would take for a formula begins with an apostrophe, as OWASP has it ("CSV injection").
    """
    text = io.StringIO()
    # Before Python 3.13, csv quotes a carriage return only where the lines end in one.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(map(_cell, columns))
    writer.writerows(map(_cell, row) for row in rows)
    return text.getvalue().replace("\r\n", "\n")


def no_formula(text: str) -> str:
    """A cell of a table for people; text that a spreadsheet would run begins with an apostrophe.

    What tables say themselves does not: ``-12.5 %``, ``+wiring``.
    """
    runs = text.startswith(("=", "@")) or (text.startswith(_FORMULA) and _CALLS.search(text))
    return f"'{text}" if runs else text


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.encode("utf-8", "backslashreplace").decode()
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text
