"""The report of `busbw --trace`: the operations of a trace with their predicted times and bandwidths."""

from collections.abc import Sequence

from fabric.reports.documents.trace_busbw import PredictedOperationsPart, TraceBusbwBody
from fabric.reports.emit import Report
from fabric.reports.gates import Headline
from fabric.reports.loads import fabric_facts
from fabric.reports.tables import Table
from fabric.reports.words import bytes_text, number_text, seconds_text
from fabric.studies.trace_busbw import PredictedOperations, TracePrediction
from fabric.studies.verdicts.trace_busbw import trace_busbw_verdict

APART = "each operation by itself, as if nothing else ran"


def trace_busbw_report(predicted: TracePrediction, top: int = 20) -> Report:
    """What `busbw --trace` has to say.

    Parameters
    ----------
    predicted : TracePrediction
    top : int
        Rows of the table.
    """
    scenario, trace = predicted.scenario, predicted.scenario.traffic.trace
    assert trace is not None
    said = tuple(
        line for line in scenario.setting if not line.startswith("a rank's operations run one after the other")
    )
    assumptions = (APART, *said, *scenario.sources)
    return Report(
        _document(predicted, trace.files, assumptions),
        [_table(predicted, top)],
        trace_busbw_verdict(predicted),
        notes=_kernels(predicted),
        assumptions=assumptions,
        headlines=[Headline("all operations", predicted.total_s), *map(_headline, predicted.rows)],
    )


def _table(predicted: TracePrediction, top: int) -> Table:
    """A row for each kind, group and size, what takes longest in all first."""
    columns = ("kind", "ranks", "size", "times", "time", "in all", "busbw GB/s", "algorithm", "protocol")
    if any(one.ratio is not None for one in predicted.rows):
        return _measured_table(predicted, top)
    rows = tuple(
        (
            one.operations.kind,
            f"{len(one.operations.ranks):,}",
            bytes_text(one.operations.size),
            f"{one.operations.count:,}",
            seconds_text(one.row.time_s),
            seconds_text(one.total_s),
            f"{one.row.busbw_GBps:.4g}",
            one.row.algorithm,
            one.row.protocol,
        )
        for one in predicted.rows[:top]
    )
    n = len(predicted.rows)
    first = f", the first {top} of {n:,}" if n > top else ""
    return Table(f"Predicted operations{first}", columns, rows, frozenset(columns[1:7]), drop=("protocol", "ranks"))


def _measured_table(predicted: TracePrediction, top: int) -> Table:
    """Predicted beside what the trace's kernels took."""
    columns = ("kind", "ranks", "size", "times", "time", "measured", "ratio", "busbw", "low", "measured busbw",
               "algorithm")  # fmt: skip
    rows = tuple(
        (
            one.operations.kind,
            f"{len(one.operations.ranks):,}",
            bytes_text(one.operations.size),
            f"{one.operations.count:,}",
            seconds_text(one.row.time_s),
            "-" if one.operations.measured_s is None else seconds_text(one.operations.measured_s),
            number_text(one.ratio, ".2f"),
            f"{one.row.busbw_GBps:.4g}",
            f"{one.row.busbw_low_GBps:.4g}",
            number_text(one.measured_busbw_GBps, ".4g"),
            one.row.algorithm,
        )
        for one in predicted.rows[:top]
    )
    n = len(predicted.rows)
    first = f", the first {top} of {n:,}" if n > top else ""
    title = f"Predicted operations beside their kernels{first}"
    return Table(title, columns, rows, frozenset(columns[1:10]), drop=("ranks", "low", "times"))


def _kernels(predicted: TracePrediction) -> list[str]:
    if all(one.ratio is None for one in predicted.rows):
        return []
    return [
        "measured: the median of the kernels, of each the shortest among the traced ranks (others wait in it); busbw "
        "in GB/s; ratio: predicted over measured time"
    ]


def _headline(one: PredictedOperations) -> Headline:
    name = f"{one.operations.kind} of {len(one.operations.ranks)}, {one.operations.size:.0f} B"
    return Headline(name, one.row.time_s, one.row.busbw_GBps)


def _document(predicted: TracePrediction, files: Sequence[str], assumptions: Sequence[str]) -> TraceBusbwBody:
    return {
        "schema": "railscope.busbw-trace/1",
        "fabric": fabric_facts(predicted.scenario.fabric),
        "trace": list(files),
        "ranks": predicted.scenario.placement.n_ranks,
        "total_s": predicted.total_s,
        "rows": [_row(one) for one in predicted.rows],
        "assumptions": list(assumptions),
    }


def _row(one: PredictedOperations) -> PredictedOperationsPart:
    return {
        "kind": one.operations.kind,
        "group_size": len(one.operations.ranks),
        "ranks": list(one.operations.ranks),
        "operations": one.operations.count,
        "size": one.operations.size,
        "algorithm": one.row.algorithm,
        "protocol": one.row.protocol,
        "time_s": one.row.time_s,
        "algbw_GBps": one.row.algbw_GBps,
        "busbw_GBps": one.row.busbw_GBps,
        "total_s": one.total_s,
        "busbw_low_GBps": one.row.busbw_low_GBps,
        "measured_s": one.operations.measured_s,
        "measured_busbw_GBps": one.measured_busbw_GBps,
        "ratio": one.ratio,
    }
