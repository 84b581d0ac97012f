"""The verdict of a trace's predicted operations: which take longest, and what of it is latency."""

from fabric.studies.trace_busbw import TracePrediction
from fabric.studies.verdicts.verdict import Verdict, sentences_of
from fabric.studies.verdicts.words import count, percent, seconds


def trace_busbw_verdict(prediction: TracePrediction) -> Verdict:
    """How long all operations take by themselves, and which of them take most of it.

    Parameters
    ----------
    prediction : TracePrediction
    """
    rows, total = prediction.rows, prediction.total_s
    n = sum(row.operations.count for row in rows)
    first = rows[0]
    alike = first.operations
    fraction = first.total_s / total if total > 0 else None
    main = (
        f"{alike.kind} of {len(alike.ranks):,} ranks, {count(alike.count, 'time')}, "
        f"takes {percent(fraction or 0.0)} of it at {first.row.busbw_GBps:.4g} GB/s busbw ({first.row.algorithm})"
    )
    return Verdict(
        sentences=sentences_of(
            (f"{count(n, 'operation')} take {seconds(total)} one after the other", main, _measured(prediction))
        ),
        time_s=total,
        facts={
            "operations": n,
            "main_kind": alike.kind,
            "main_group_size": len(alike.ranks),
            "main_operations": alike.count,
            "main_fraction": fraction,
            "main_busbw_GBps": first.row.busbw_GBps,
        },
    )


def _measured(prediction: TracePrediction) -> str:
    """How the kernels of the trace compare."""
    known = [row for row in prediction.rows if row.operations.measured_s is not None]
    lasted = sum(row.operations.count * (row.operations.measured_s or 0.0) for row in known)
    if lasted <= 0:
        return ""
    predicted = sum(row.total_s for row in known)
    return f"their kernels took {seconds(lasted)}, {lasted / predicted:.2f} times as long"
