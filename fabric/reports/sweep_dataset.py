"""The rows of a sweep as one dataset: the same bytes whoever ran which point, and in which order.

What depends on who ran a point (its seconds, its worker) stands in a table of its own.
"""

import io
from collections.abc import Sequence
from dataclasses import fields

from collectives.errors import InputError
from fabric.reports.csv_text import csv_text
from fabric.studies.sweep.outcome import PointOutcome
from fabric.studies.sweep.point import Setting, setting_text
from fabric.studies.sweep.run import Swept

Columns = dict[str, list[Setting]]

FORMATS = ("parquet", "csv")
_PLAIN = tuple(one.name for one in fields(PointOutcome) if one.name not in ("tiers", "error"))
_RUNS = ("point", "id", "seconds", "worker")


def usual_format() -> str:
    """Parquet where pyarrow is installed, else csv."""
    from importlib.util import find_spec

    return FORMATS[0] if find_spec("pyarrow") is not None else FORMATS[1]


def dataset_columns(swept: Swept) -> Columns:
    """A row for each point that is done, in the order of the study.

    The columns are the point's number and id, every key of the study, the plain values of `PointOutcome`, maximum
    utilization and imbalance of every tier and direction that any point has, and the error.
    """
    done = [
        (number, point, entry.outcome)
        for number, (point, entry) in enumerate(zip(swept.points, swept.entries, strict=True), start=1)
        if entry is not None
    ]
    keys = dict.fromkeys(key for point in swept.points for key in point.settings)
    columns: Columns = {
        "point": [number for number, _, _ in done],
        "id": [point.id for _, point, _ in done],
        **{key: _of_one_type([point.settings.get(key) for _, point, _ in done]) for key in keys},
        **{name: [getattr(outcome, name) for _, _, outcome in done] for name in _PLAIN},
    }
    tiers = sorted({(one.tier, one.direction) for _, _, outcome in done for one in outcome.tiers})
    by_tier = [{(one.tier, one.direction): one for one in outcome.tiers} for _, _, outcome in done]
    for tier in tiers:
        own = [use.get(tier) for use in by_tier]
        name = "_".join(tier).replace("-", "_").replace(" ", "_")
        columns[f"{name}_max_utilization"] = [None if use is None else use.max_utilization for use in own]
        columns[f"{name}_imbalance"] = [None if use is None else use.imbalance for use in own]
    columns["error"] = [outcome.error for _, _, outcome in done]
    return columns


def _of_one_type(values: Sequence[Setting]) -> list[Setting]:
    """Values of one type: whole numbers stay, beside others they are numbers, beside text all is text."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) < 2:
        return list(values)
    if kinds == {int, float}:
        return [None if value is None else float(value) for value in values]
    return [None if value is None else setting_text(value) for value in values]


def dataset_bytes(swept: Swept, kind: str) -> bytes:
    """The dataset as a file's contents.

    Parameters
    ----------
    swept : Swept
    kind : str
        One of `FORMATS`.

    Raises
    ------
    InputError
        If it is parquet and pyarrow is not installed.
    """
    columns = dataset_columns(swept)
    return _parquet(columns) if kind == FORMATS[0] else dataset_csv(columns).encode()


def dataset_csv(columns: Columns) -> str:
    """A line of column names, and one for each row; what is not known is empty."""
    rows = zip(*columns.values(), strict=True)
    return csv_text(columns, (["" if value is None else value for value in row] for row in rows))


def runs_csv(swept: Swept) -> str:
    """How long each point took, and where it ran."""
    rows = [
        (number, point.id, f"{entry.seconds:.6f}", entry.worker)
        for number, (point, entry) in enumerate(zip(swept.points, swept.entries, strict=True), start=1)
        if entry is not None
    ]
    return csv_text(_RUNS, rows)


def _parquet(columns: Columns) -> bytes:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise InputError(
            "a dataset as Parquet needs pyarrow, which is not installed",
            "pip install 'railscope[parquet]' installs it; --format csv needs nothing",
        ) from None
    types = {int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_()}

    def array(name: str, values: list[Setting]) -> "pa.Array":
        kinds = {type(value) for value in values if value is not None}
        kind = next(iter(kinds), str if name in _TEXTS else float)
        return pa.array(values, types[kind])

    table = pa.table({name: array(name, values) for name, values in columns.items()})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


_TEXTS = frozenset(one.name for one in fields(PointOutcome) if one.type in (str, "str"))
