"""Explicit flows from a CSV file: ``src,dst,bytes``."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from collectives.demand import FloatVector, Flows
from collectives.errors import InputError
from collectives.gate import QUOTED, printable, quoted, real
from collectives.sizes import parse_bytes
from collectives.suggestion import hint
from traces.files import read_text

_COLUMNS = ("src", "dst", "bytes")
_REFUSED = re.compile(r"-.*|[+]?(?:nan|inf(?:inity)?)", re.IGNORECASE)


def read_flows_csv(path: str | Path, endpoint_names: Sequence[str]) -> Flows:
    """Read flows between endpoints.

    The header names ``src``, ``dst`` and ``bytes`` in any order; other columns are passed over, as are blank lines and
    lines that begin with ``#``.  Ends are endpoint names or numbers (an exact name wins); sizes may carry units.

    Parameters
    ----------
    path : path
        Plain, gzip or xz.
    endpoint_names : sequence of str

    Returns
    -------
    Flows
        In endpoint numbers.

    Raises
    ------
    InputError
        Names file, line and column, and what was expected.
    """
    return read_timed_flows_csv(path, endpoint_names)[0]


def read_timed_flows_csv(path: str | Path, endpoint_names: Sequence[str]) -> tuple[Flows, FloatVector]:
    """As `read_flows_csv`, with the column ``start_s`` if there is one: (flows, seconds); 0 where it is missing."""
    lines = read_text(path).splitlines()
    numbered = [
        (number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")
    ]
    if not numbered:
        raise InputError(f"{path}: empty; expected a header src,dst,bytes and a flow per line")
    rows = csv.reader((line for _, line in numbered), strict=True)
    place_of_row = 0
    try:
        header = [name.strip() for name in next(rows)]
        absent = [name for name in _COLUMNS if header.count(name) != 1]
        if absent:
            raise InputError(f"{path}:{numbered[0][0]}: column {absent[0]}: expected once in the header src,dst,bytes")
        place = [header.index(name) for name in _COLUMNS]
        start_place = header.index("start_s") if "start_s" in header else None
        endpoint = {name: number for number, name in enumerate(endpoint_names)}
        src, dst, volume, start = [], [], [], []
        for (number, _), row in zip(numbered[1:], rows, strict=False):
            where = f"{path}:{number}"
            place_of_row += 1
            if rows.line_num != place_of_row + 1:
                raise InputError(f"{where}: a quote that does not end in this line; expected a flow a line")
            if len(row) != len(header):
                raise InputError(f"{where}: {len(row)} fields; expected {len(header)}")
            ends = [
                _endpoint(row[column].strip(), endpoint, endpoint_names, where, name)
                for column, name in zip(place[:2], _COLUMNS, strict=False)
            ]
            src.append(ends[0])
            dst.append(ends[1])
            volume.append(_size(row[place[2]].strip(), where))
            start.append(0.0 if start_place is None else _seconds(row[start_place].strip(), where))
    except csv.Error as error:
        number = numbered[min(place_of_row + 1, len(numbered) - 1)][0]
        raise InputError(f"{path}:{number}: not CSV ({error})") from None
    if not src:
        raise InputError(f"{path}: no flows below the header")
    return Flows(np.array(src, np.int32), np.array(dst, np.int32), np.array(volume)), np.array(start)


def _endpoint(text: str, endpoint: dict[str, int], names: Sequence[str], where: str, column: str) -> int:
    found = endpoint.get(text)
    if found is None and text.isascii() and text.isdecimal():
        found = int(text) if len(text) < 10 else len(names)
    if found is None:
        raise InputError(
            f"{where}: {column} {quoted(text)}: expected an endpoint's name or number; {hint(text, names)}"
        )
    if found >= len(names):
        raise InputError(f"{where}: {column} {text}: expected a number from 0 to {len(names) - 1}")
    return found


def _seconds(text: str, where: str) -> float:
    return real(text or "0", f"{where}: start_s")


def _size(text: str, where: str) -> float:
    # The common case, without a regular expression: a million rows are read in seconds.
    if text.isascii() and text.isdecimal() and len(text) < 19:
        return float(text)
    if _REFUSED.fullmatch(text):
        raise InputError(f"{where}: bytes {printable(text[:QUOTED])}: expected a finite number >= 0")
    if text and not text[-1].isalpha():
        return real(text, f"{where}: bytes")
    try:
        return parse_bytes(text)
    except InputError as error:
        raise InputError(f"{where}: bytes: {error}") from None
