"""What a trace contains, as tables, CSV and JSON."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from collectives.sizes import counted
from fabric.reports.csv_text import csv_text
from fabric.reports.documents.trace import OperationPart, TotalPart, TraceBody
from fabric.reports.emit import Report
from fabric.reports.figures.trace import trace_figure
from fabric.reports.page_parts import PageParts, Picture
from fabric.reports.tables import Table
from fabric.reports.words import bytes_text
from fabric.studies.verdicts.trace import trace_verdict
from traces.filling import untraced
from traces.operation import Operation, Trace

_COLUMNS = (
    "kind",
    "group",
    "group_size",
    "bytes_per_rank",
    "dtype",
    "sequence",
    "start_s",
    "ranks",
    "missing",
    "source",
)


def totals(trace: Trace) -> list[TotalPart]:
    """Operations by kind, dtype and group size: how many, bytes per rank together, how many incomplete."""
    rows: dict[tuple[str, str, int], list[Operation]] = {}
    for operation in trace.operations:
        rows.setdefault((operation.kind, operation.dtype, operation.group_size), []).append(operation)
    return [
        {
            "kind": kind,
            "dtype": dtype,
            "group_size": size,
            "operations": len(alike),
            "bytes_per_rank": None
            if any(operation.bytes is None for operation in alike)
            else sum(operation.bytes or 0.0 for operation in alike),
            "incomplete": sum(not operation.complete for operation in alike),
        }
        for (kind, dtype, size), alike in rows.items()
    ]


def trace_document(trace: Trace) -> TraceBody:
    """Everything for JSON."""
    return {
        "schema": "railscope.trace/1",
        "files": list(trace.files),
        "ranks": trace.n_ranks,
        "totals": totals(trace),
        "operations": [_row(operation) for operation in trace.operations],
        "ignored": dict(trace.ignored),
        "warnings": list(trace.warnings),
    }


def trace_tables(trace: Trace, top: int) -> list[Table]:
    """Totals, the largest operations, and what is no operation."""
    rows = tuple(
        (
            str(row["kind"]),
            str(row["dtype"]),
            str(row["group_size"]),
            str(row["operations"]),
            _size(row["bytes_per_rank"]),
            str(row["incomplete"]),
        )
        for row in totals(trace)
    )
    columns = ("kind", "dtype", "group size", "operations", "bytes per rank", "incomplete")
    job = counted(trace.n_ranks, "rank") if trace.n_ranks else "an unknown number of ranks"
    title = f"{counted(len(trace.operations), 'operation')} in {counted(len(trace.files), 'file')}, {job}"
    tables = [Table(title, columns, rows, frozenset(columns[2:]))]
    largest = sorted(trace.operations, key=lambda operation: -(operation.bytes or 0.0))[:top]
    if largest:
        lines = tuple(
            (o.kind, str(o.group_size), _size(o.bytes), o.dtype, _ranks(o.ranks), ", ".join(o.missing), o.source)
            for o in largest
        )
        names = ("kind", "group size", "bytes per rank", "dtype", "ranks", "missing", "source")
        tables.append(
            Table(
                f"The largest {len(largest)}",
                names,
                lines,
                frozenset(names[1:3]),
                below=("missing", "ranks"),
                shorten=frozenset({"source"}),
            )
        )
    if trace.ignored:
        counts = tuple((reason, str(count)) for reason, count in trace.ignored)
        tables.append(Table("Not operations on the network", ("what", "count"), counts, frozenset({"count"})))
    return tables


def operations_csv(trace: Trace) -> str:
    """One row per operation."""

    def fields(row: Mapping[str, object]) -> list[object]:
        values = (row[column] for column in _COLUMNS)
        return [" ".join(map(str, value)) if isinstance(value, list) else value for value in values]

    return csv_text(_COLUMNS, (fields(_row(operation)) for operation in trace.operations))


def _row(operation: Operation) -> OperationPart:
    return {
        "kind": operation.kind,
        "group": operation.group,
        "group_size": operation.group_size,
        "bytes_per_rank": operation.bytes,
        "dtype": operation.dtype,
        "sequence": operation.sequence,
        "start_s": operation.start_s,
        "ranks": list(operation.ranks),
        "missing": list(operation.missing),
        "uneven": operation.splits is not None and bool(np.ptp(operation.splits) > 0),
        "source": operation.source,
    }


def _size(value: object) -> str:
    return bytes_text(value) if isinstance(value, float) else "unknown"


def _ranks(ranks: tuple[int, ...]) -> str:
    if not ranks:
        return "unknown"
    text = " ".join(map(str, ranks[:8]))
    return text if len(ranks) <= 8 else f"{text} ... {ranks[-1]}"


def _untraced(trace: Trace) -> list[str]:
    lacking = untraced(trace, trace.n_ranks or 0)
    if not lacking:
        return []
    return [
        f"{lacking:,} of {trace.n_ranks:,} ranks were not traced: operations that only they take part in are missing; "
        "--fill-ranks of other commands adds them by symmetry"
    ]


def trace_report(trace: Trace, top: int = 20, figure: Path | None = None, csv: Path | None = None) -> Report:
    """What `trace` has to say, with the files that are asked for."""
    files: dict[str, str | bytes] = {}
    title = ", ".join(Path(file).name for file in trace.files[:2]) + (" ..." if len(trace.files) > 2 else "")
    if figure is not None:
        files[str(figure)] = trace_figure(trace, title, figure.suffix)
    if csv is not None:
        files[str(csv)] = operations_csv(trace)
    return Report(
        trace_document(trace),
        trace_tables(trace, top),
        trace_verdict(trace),
        notes=[*(f"warning: {line}" for line in trace.warnings), *_untraced(trace)],
        files=files,
        page=lambda: PageParts(title, pictures=[Picture(title, lambda suffix: trace_figure(trace, title, suffix))]),
    )
