"""Results of nccl-tests: its table, as it is printed or behind the prefixes of launchers, and its JSON output.

The columns and keys are those that NVIDIA/nccl-tests writes (``src/util.cu``): a row's ``redop`` may be empty, times of
a second and more may stand as ``1.2e+06``, columns for single iterations and time stamps may follow, and JSON writes
``null`` for what was not measured and texts for booleans and NaN.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collectives.errors import InputError
from traces.files import read_text
from traces.json_text import parse_json

# What srun --label, mpirun --tag-output and others put in front of a line.
_PREFIX = re.compile(r"^\s*(?:\d+:|\[\d+,\d+\](?:<\w+>)?:?)\s?")
_TYPES = r"u?int(?:8|32|64)|half|float|double|bfloat16|f(?:p8_|8)e[45]m[23]"
_NUMBER = r"(\d[\d.]*(?:e[+-]?\d+)?)"
_BEGINNING = re.compile(rf"\s*(\d+)\s+(\d+)\s+(?:{_TYPES})(?:\s|$)")
_ROW = re.compile(
    rf"\s*(\d+)\s+(\d+)\s+(?:{_TYPES})\s+(?:[a-z]\w*\s+)?(-?\d+)\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}\s+\S+(?:\s|$)"
)
_TEST = re.compile(r"#\s*Collective test starting:\s*(\S+)")
_RANK = re.compile(r"#\s+Rank\s+(\d+)\s")
_COLLECTIVES = {
    "all_reduce": "all-reduce",
    "all_gather": "all-gather",
    "reduce_scatter": "reduce-scatter",
    "alltoall": "all-to-all",
    "broadcast": "broadcast",
    "reduce": "reduce",
    "gather": "gather",
    "scatter": "scatter",
    "sendrecv": "send-recv",
}


@dataclass(frozen=True)
class Measurement:
    """A row of nccl-tests.

    Attributes
    ----------
    size : float
        Bytes.
    time_s : float
        Out of place; in place where nothing else was measured.
    algbw_GBps, busbw_GBps : float
    """

    size: float
    time_s: float
    algbw_GBps: float
    busbw_GBps: float


@dataclass(frozen=True)
class NcclTests:
    """A result.

    Attributes
    ----------
    rows : tuple of Measurement
    collective : str or None
        As railscope names it; None where the file does not say.
    n_ranks : int or None
    """

    rows: tuple[Measurement, ...]
    collective: str | None
    n_ranks: int | None


def read_nccl_tests(path: str | Path) -> NcclTests:
    """Read a result.

    Raises
    ------
    InputError
        If the file has no row, or one that is cut off or no number.
    """
    text = read_text(path, "backslashreplace")
    found = _from_json(path, text) if re.match(r"\s*(?:\{|\[\s*\{)", text) else _from_table(path, text)
    if not found.rows:
        raise InputError(f"{path}: no row of nccl-tests; expected size, count, type, redop, root, time, algbw, busbw")
    return found


def _from_table(path: str | Path, text: str) -> NcclTests:
    rows, ranks, name = [], set(), None
    for number, raw in enumerate(text.split("\n"), 1):
        line = _PREFIX.sub("", raw)
        if test := _TEST.search(line):
            name = test[1]
        if rank := _RANK.search(line):
            ranks.add(int(rank[1]))
        row = _ROW.match(line)
        if row is not None:
            rows.append(Measurement(float(row[1]), float(row[4]) * 1e-6, float(row[5]), float(row[6])))
        elif _BEGINNING.match(line):
            raise InputError(
                f"{path}:{number}: row cut off; expected size, count, type, redop, root, time, algbw, busbw"
            )
    return NcclTests(tuple(rows), _collective(name), len(ranks) or None)


def _collective(program: str | None) -> str | None:
    """The collective of a program such as ``/opt/all_reduce_perf_mpi``."""
    name = re.sub(r"_perf.*$", "", Path(program or "").name)
    return _COLLECTIVES.get(name)


def _from_json(path: str | Path, text: str) -> NcclTests:
    document = parse_json(text, path)
    results = document.get("results") if isinstance(document, dict) else document
    rows = tuple(_json_rows(path, results if isinstance(results, list) else []))
    if not isinstance(document, dict):
        return NcclTests(rows, None, None)
    arguments, config = document.get("args"), document.get("config")
    program = arguments[0] if isinstance(arguments, list) and arguments and isinstance(arguments[0], str) else None
    devices = config.get("devices") if isinstance(config, dict) else None
    return NcclTests(rows, _collective(program), (len(devices) or None) if isinstance(devices, list) else None)


def _json_rows(path: str | Path, results: list[Any]) -> Iterator[Measurement]:
    for number, row in enumerate(results):
        sides = [row.get("out_of_place"), row.get("in_place"), row] if isinstance(row, dict) else []
        side = next((one for one in sides if isinstance(one, dict)), None)
        if side is None:
            raise InputError(f"{path}: results[{number}]: expected an object with size and out_of_place")
        yield Measurement(
            _number(path, number, row, "size"),
            _number(path, number, side, "time", "cpu_time") * 1e-6,
            _number(path, number, side, "alg_bw", "algbw"),
            _number(path, number, side, "bus_bw", "busbw"),
        )


def _number(path: str | Path, number: int, row: dict[str, Any], *names: str) -> float:
    value = next((row[name] for name in names if name in row), None)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise InputError(f"{path}: results[{number}].{names[0]}: {value!r}; expected a finite number >= 0")
    return float(value)
