"""Paths of flows from a CSV file: ``flow,tail,head,cable``."""

import csv
from dataclasses import dataclass
from pathlib import Path

from collectives.errors import InputError
from collectives.gate import quoted
from traces.files import read_text

_COLUMNS = ("flow", "tail", "head", "cable")


@dataclass(frozen=True)
class Hop:
    """A hop between two switches, by name.

    Attributes
    ----------
    tail, head : str
    cable : int
        Which of the parallel cables, from 0.
    line : int
        Where the file says so.
    """

    tail: str
    head: str
    cable: int
    line: int


def read_paths_csv(path: str | Path) -> dict[int, list[Hop]]:
    """Switch-to-switch hops of each flow, in their order; flows are numbered from 1.

    Raises
    ------
    InputError
        Names file and line, and what was expected.
    """
    rows = csv.reader(read_text(path).split("\n"), strict=True)
    hops: dict[int, list[Hop]] = {}
    try:
        header = [name.strip() for name in next(rows, [])]
        missing = [name for name in _COLUMNS if header.count(name) != 1]
        if missing:
            raise InputError(f"{path}:1: column {missing[0]}: expected once in the header flow,tail,head,cable")
        place = [header.index(name) for name in _COLUMNS]
        last = rows.line_num
        for row in rows:
            where = f"{path}:{rows.line_num}"
            if rows.line_num != last + 1:
                raise InputError(f"{path}:{last + 1}: a quote that does not end in this line; expected a hop a line")
            last = rows.line_num
            if not row:
                continue
            if len(row) != len(header):
                raise InputError(f"{where}: {len(row)} fields; expected {len(header)}")
            flow, tail, head, cable = (row[column].strip() for column in place)
            for name, text in (("flow", flow), ("cable", cable)):
                if not (text.isascii() and text.isdecimal() and len(text) < 10):
                    raise InputError(f"{where}: {name} {quoted(text)}; expected a whole number")
            hops.setdefault(int(flow), []).append(Hop(tail, head, int(cable), rows.line_num))
    except csv.Error as error:
        raise InputError(f"{path}:{rows.line_num}: not CSV ({error})") from None
    return hops
