"""Results of nccl-tests: its table, as it is printed or behind the prefixes of launchers, and its JSON output."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collectives.errors import InputError
from traces.files import read_text

# What srun --label, mpirun --tag-output and others put in front of a line.
_PREFIX = re.compile(r"^\s*(?:\d+:|\[\d+,\d+\](?:<\w+>)?:?)\s?")
_ROW = re.compile(
    r"\s*(\d+)\s+(\d+)\s+([a-z]\S*)\s+(\S+)\s+(-?\d+)\s+([0-9.]+)\s+([0-9.]+)\s+([0-9.]+)\s+(\S+)"
    r"(?:\s+([0-9.]+)\s+([0-9.]+)\s+([0-9.]+)\s+(\S+))?\s*$"
)


@dataclass(frozen=True)
class Measurement:
    """A row of nccl-tests.

    Attributes
    ----------
    size : float
        Bytes.
    time_s : float
        Out of place.
    algbw_GBps, busbw_GBps : float
    """

    size: float
    time_s: float
    algbw_GBps: float
    busbw_GBps: float


def read_nccl_tests(path: str | Path) -> tuple[Measurement, ...]:
    """Read the rows of a result, out of place.

    Raises
    ------
    InputError
        If the file has none.
    """
    text = read_text(path, "backslashreplace")
    if re.match(r"\s*(?:\{|\[\s*\{)", text):
        rows = _from_json(path, text)
    else:
        rows = []
        for line in text.split("\n"):
            row = _ROW.match(_PREFIX.sub("", line))
            if row is not None:
                rows.append(Measurement(float(row[1]), float(row[6]) * 1e-6, float(row[7]), float(row[8])))
    if not rows:
        raise InputError(f"{path}: no row of nccl-tests; expected size, count, type, redop, root, time, algbw, busbw")
    return tuple(rows)


def _from_json(path: str | Path, text: str) -> list[Measurement]:
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    results = document.get("results") if isinstance(document, dict) else document
    rows = []
    for number, row in enumerate(results if isinstance(results, list) else ()):
        side = row.get("out_of_place", row) if isinstance(row, dict) else None
        if not isinstance(side, dict):
            raise InputError(f"{path}: results[{number}]: expected an object with size and out_of_place")
        rows.append(
            Measurement(
                _number(path, number, row, "size"),
                _number(path, number, side, "time", "cpu_time") * 1e-6,
                _number(path, number, side, "alg_bw", "algbw"),
                _number(path, number, side, "bus_bw", "busbw"),
            )
        )
    return rows


def _number(path: str | Path, number: int, row: dict[str, Any], *names: str) -> float:
    value = next((row[name] for name in names if name in row), None)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise InputError(f"{path}: results[{number}].{names[0]}: {value!r}; expected a finite number >= 0")
    return float(value)
