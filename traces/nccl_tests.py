"""Results of nccl-tests: its table, as it is printed or behind the prefixes of launchers, and its JSON output.

The columns and keys are those that NVIDIA/nccl-tests writes (``src/util.cu``): a row's ``redop`` may be empty, times of
a second and more may stand as ``1.2e+06``, columns for single iterations and time stamps may follow, and JSON writes
``null`` for what was not measured and texts for booleans and NaN.
"""

import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collectives.errors import InputError
from collectives.gate import real, shown
from traces.files import read_text
from traces.json_text import parse_json
from traces.naming import listed

_TYPES = r"u?int(?:8|32|64)|char|half|float|double|bfloat16|f(?:p8_|8)e[45]m[23]"
# Where a row begins, whatever a launcher put in front of it: `0: `, `[1,0]<stdout>:`, a host's or a pod's name, a time.
_BEGINNING = re.compile(rf"(?:^|[\s:>|\]])(\d{{1,18}})\s+(\d{{1,18}})\s+(?:{_TYPES})(?=\s|$)", re.ASCII)
_REDOP = re.compile(r"[a-z]\w*", re.ASCII)
_ROOT = re.compile(r"-?\d{1,7}", re.ASCII)
_HEADER = re.compile(r"#\s*(?:size|bytes)\s+(?:count|N)\s+type\b", re.ASCII)
_ELIDED = re.compile(r"#?\s*(?:\.\.\.|\u2026|<snip>|\[\.\.\.\])\s*$")
_EXPECTED = "size, count, type, redop, root, time, algbw, busbw"
# Rows slower than this are rounded too much to tell a ratio by.
_TELLING_GBPS = 2.0
_TEST = re.compile(r"#\s*Collective test starting:\s*(\S+)", re.ASCII)
_RANK = re.compile(r"#\s+Rank\s+(\d{1,7})\s", re.ASCII)
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
    redop : str
        Such as ``sum``, ``none``; empty where the row does not say.
    """

    size: float
    time_s: float
    algbw_GBps: float
    busbw_GBps: float
    redop: str = ""


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

    @property
    def bus_factor(self) -> float | None:
        """Busbw over algbw, which tells the collective and the number of ranks; None where all rows are too slow."""
        ratios = [row.busbw_GBps / row.algbw_GBps for row in self.rows if row.algbw_GBps >= _TELLING_GBPS]
        return statistics.median(ratios) if ratios else None

    @property
    def reduces(self) -> bool | None:
        """Whether the rows say a reduction; None where they do not say."""
        named = {row.redop for row in self.rows if row.redop}
        return None if not named else named != {"none"}


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
    tables: list[tuple[str | None, int, list[Measurement]]] = []
    ranks: set[int] = set()
    name: str | None = None
    has_root: bool | None = None
    elided = False
    for number, line in enumerate(text.split("\n"), 1):
        if test := _TEST.search(line):
            name = test[1]
        if rank := _RANK.search(line):
            ranks.add(int(rank[1]))
        elif ranks and not tables and _ELIDED.search(line):
            elided = True
        if _HEADER.search(line):
            has_root = "root" in line.split()
            tables.append((name, number, []))
        beginning = _BEGINNING.search(line)
        if beginning is None or line.lstrip().startswith("#"):
            continue
        row = _row(f"{path}:{number}", beginning, line[beginning.end() :].split(), has_root)
        # A table that was copied without its header begins where sizes fall.
        if not tables or (tables[-1][2] and tables[-1][2][-1].size > row.size and has_root is None):
            tables.append((name, number, []))
        tables[-1][2].append(row)
    found = [table for table in tables if table[2]]
    kinds = {_collective(one) for one, _, _ in found}
    factors = {NcclTests(tuple(rows), None, None).reduces for _, _, rows in found}
    if len(kinds) > 1 or len(factors) > 1:
        places = listed((f"{_collective(one) or 'another'} in line {number}" for one, number, _ in found), "and")
        raise InputError(f"{path}: results of several collectives ({places}); expected a file for each")
    whole_list = ranks == set(range(len(ranks))) and not elided
    rows = tuple(row for _, _, of_table in found for row in of_table)
    return NcclTests(rows, next(iter(kinds), None), (len(ranks) or None) if whole_list else None)


def _looks_rooted(size: float, cells: list[str]) -> bool:
    """Whether the first cell is the root and not the time: what the bandwidth says, or the number of columns."""
    if not cells or not _ROOT.fullmatch(cells[0]):
        return False
    if cells[0].startswith("-"):
        return True
    fits = [_fits(size, cells[first : first + 2]) for first in (0, 1)]
    # Out of place and in place have four columns each.
    return fits[1] if fits[0] != fits[1] else len(cells) % 4 == 1 or len(cells) < 4


def _fits(size: float, cells: list[str]) -> bool:
    """Whether the second number is the bandwidth of a size in the first one, microseconds."""
    try:
        time_us, algbw = (real(cell, "") for cell in cells)
    except (InputError, ValueError):
        return False
    return time_us > 0 and abs(size / time_us / 1e3 - algbw) <= 0.01 + 0.02 * algbw


def _row(where: str, beginning: "re.Match[str]", cells: list[str], has_root: bool | None) -> Measurement:
    """A row from its size on.  Before 2.9 nccl-tests had no column for the root; redop may be empty."""
    redop = cells.pop(0) if cells and _REDOP.fullmatch(cells[0]) and cells[0] not in ("nan", "inf") else ""
    rooted = has_root if has_root is not None else _looks_rooted(float(beginning[1]), cells)
    if rooted and cells and _ROOT.fullmatch(cells[0]):
        cells = cells[1:]
    elif rooted:
        raise InputError(f"{where}: row cut off; expected {_EXPECTED}")
    if len(cells) < 4:
        raise InputError(f"{where}: row cut off; expected {_EXPECTED}")
    names = ("time", "algbw", "busbw")
    time_us, algbw, busbw = (real(cell, f"{where}: {name}") for name, cell in zip(names, cells, strict=False))
    return Measurement(float(beginning[1]), time_us * 1e-6, algbw, busbw, redop)


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
        redop = row.get("redop", row.get("red_op", ""))
        yield Measurement(
            _number(path, number, row, "size"),
            _number(path, number, side, "time", "cpu_time") * 1e-6,
            _number(path, number, side, "alg_bw", "algbw"),
            _number(path, number, side, "bus_bw", "busbw"),
            redop if isinstance(redop, str) else "",
        )


def _number(path: str | Path, number: int, row: dict[str, Any], *names: str) -> float:
    value = next((row[name] for name in names if name in row), None)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise InputError(f"{path}: results[{number}].{names[0]}: {shown(value)}; expected a finite number >= 0")
    return float(value)
