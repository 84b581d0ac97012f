"""The report of `busbw`: nccl-tests' columns as a table, a plot and a JSON document."""

from collections.abc import Sequence
from pathlib import Path

from collectives.sizes import format_bytes
from fabric.reports.documents.busbw import BusbwBody, MeasuredPart, MeasuredRowPart
from fabric.reports.emit import Report
from fabric.reports.figures.busbw import busbw_figure
from fabric.reports.gates import Headline
from fabric.reports.loads import fabric_facts
from fabric.reports.page_parts import PageParts, Picture
from fabric.reports.tables import Table
from fabric.studies.busbw import Prediction
from fabric.studies.verdicts.busbw import prediction_verdict
from fabric.timing.prediction import Compared, Comparison, Row

# Of float32, which nccl-tests sends unless told otherwise (its option -d).
_ELEMENT_BYTES = 4
# As nccl-tests prints them: an operation, a root, and elements of a rank's part instead of the whole size.
_REDUCES = {"all-reduce", "reduce-scatter", "reduce", "send-recv"}
_ROOTED = {"broadcast", "reduce", "gather", "scatter"}
_MEASURED_DROP = ("protocol", "fitted (us)", "predicted busbw", "measured busbw", "ratio fitted", "predicted (us)")
_IN_PARTS = {"all-gather", "reduce-scatter", "all-to-all", "gather", "scatter"}


def busbw_table(collective: str, n_ranks: int, rows: Sequence[Row], title: str) -> Table:
    """As nccl-tests prints: size, count, type, redop, root, time, algbw, busbw; the low end of busbw, and algorithm."""
    columns = ("size (B)", "count", "type", "redop", "root", "time (us)", "algbw (GB/s)", "busbw (GB/s)",
               "low (GB/s)", "algorithm", "protocol")  # fmt: skip
    redop = "sum" if collective in _REDUCES else "none"
    per_element = _ELEMENT_BYTES * (n_ranks if collective in _IN_PARTS else 1)
    lines = tuple(
        (
            f"{row.size:.0f}",
            f"{row.size // per_element:.0f}",
            "float",
            redop,
            "0" if collective in _ROOTED else "-1",
            f"{row.time_s * 1e6:.2f}",
            f"{row.algbw_GBps:.2f}",
            f"{row.busbw_GBps:.2f}",
            f"{row.busbw_low_GBps:.2f}",
            row.algorithm,
            row.protocol,
        )
        for row in rows
    )
    return Table(
        title,
        columns,
        lines,
        frozenset((*columns[:2], *columns[4:9])),
        drop=("protocol", "root", "type", "redop", "count"),
    )


def measured_table(comparison: Comparison, source: str) -> Table:
    """Predictions beside what was measured, before and after fitting."""
    columns = ("size (B)", "measured (us)", "predicted (us)", "ratio", "fitted (us)", "ratio fitted",
               "measured busbw", "predicted busbw", "algorithm", "protocol")  # fmt: skip
    lines = tuple(
        (
            f"{one.row.size:.0f}",
            f"{one.measured.time_s * 1e6:.2f}",
            f"{one.row.time_s * 1e6:.2f}",
            f"{one.ratio:.3f}",
            f"{one.fitted_time_s * 1e6:.2f}",
            f"{one.fitted_ratio:.3f}",
            f"{one.measured.busbw_GBps:.2f}",
            f"{one.row.busbw_GBps:.2f}",
            one.row.algorithm,
            one.row.protocol,
        )
        for one in comparison.rows
    )
    return Table(f"{source}: predicted over measured", columns, lines, frozenset(columns[:8]), drop=_MEASURED_DROP)


def fit_notes(comparison: Comparison) -> list[str]:
    """What the measurements say of the model, and how to predict with it."""
    fit = comparison.fit
    said, options = [], []
    for what, option, factor in (
        ("latency", "--latency-factor", fit.latency_factor),
        ("bandwidth", "--bandwidth-factor", fit.bandwidth_factor),
    ):
        if factor is None:
            said.append(f"{what}: these sizes do not show it")
        else:
            said.append(f"{what} x {factor:.3f}")
            options.append(f"{option} {factor:.4g}")
    return [
        f"predicted over measured: {_spread([one.ratio for one in comparison.rows])}",
        f"fit: {', '.join(said)}; no bytes take {fit.zero_size_s * 1e6:.2f} us",
        f"fitted over measured: {_spread([one.fitted_ratio for one in comparison.rows])}",
        *([f"predict with it: {' '.join(options)}"] if options else []),
    ]


def _spread(ratios: Sequence[float]) -> str:
    off = sorted(max(ratio, 1 / ratio) for ratio in ratios)
    return f"{min(ratios):.3f} to {max(ratios):.3f}, half of the sizes within {off[(len(off) - 1) // 2] - 1:.1%}"


def busbw_document(predicted: Prediction, assumptions: Sequence[str]) -> BusbwBody:
    """Everything for JSON."""
    given, collective, n_ranks = predicted.scenario.fabric, predicted.collective, predicted.scenario.placement.n_ranks
    rows, comparison = predicted.rows, predicted.comparison
    return {
        "schema": "railscope.busbw/1",
        "fabric": fabric_facts(given),
        "collective": collective,
        "ranks": n_ranks,
        "rows": list(rows),
        "measured": None if comparison is None else _measured_document(comparison),
        "assumptions": list(assumptions),
    }


def _measured_document(comparison: Comparison) -> MeasuredPart:
    fit = comparison.fit
    return {
        "rows": [_measured_row(one) for one in comparison.rows],
        "fit": {
            "latency_factor": fit.latency_factor,
            "bandwidth_factor": fit.bandwidth_factor,
            "zero_size_s": fit.zero_size_s,
        },
    }


def _measured_row(one: Compared) -> MeasuredRowPart:
    row = one.row
    return {
        "size": row.size,
        "algorithm": row.algorithm,
        "protocol": row.protocol,
        "time_s": row.time_s,
        "algbw_GBps": row.algbw_GBps,
        "busbw_GBps": row.busbw_GBps,
        "found_time_s": row.found_time_s,
        "busbw_low_GBps": row.busbw_low_GBps,
        "measured_time_s": one.measured.time_s,
        "measured_busbw_GBps": one.measured.busbw_GBps,
        "ratio": one.ratio,
        "fitted_time_s": one.fitted_time_s,
        "fitted_ratio": one.fitted_ratio,
    }


def busbw_report(predicted: Prediction, source: str = "", figure: Path | None = None) -> Report:
    """What `busbw` has to say, with the picture if one is asked for.

    Parameters
    ----------
    predicted : Prediction
    source : str
        File of the measurements.
    figure : path, optional
    """
    scenario, rows, comparison = predicted.scenario, predicted.rows, predicted.comparison
    n_ranks = predicted.group_size
    groups = 1 if scenario.traffic.groups is None else scenario.traffic.groups.n_groups
    who = f"on {n_ranks:,} ranks" if groups == 1 else f"in {groups:,} groups of {n_ranks:,} ranks at once"
    title = f"{scenario.fabric.name}: {predicted.collective} {who}, predicted"
    reaches = dict.fromkeys(one.reach.source for one in predicted.algorithms.values() if scenario.model.reached)
    assumptions = (*scenario.setting, *scenario.sources, *(f"range: {source}" for source in reaches))
    tables = [busbw_table(predicted.collective, n_ranks, rows, title)]
    notes = [f"auto: {line}" for line in predicted.reasons]
    if scenario.model.reached:
        notes.insert(0, "busbw: what well-tuned clusters reach; low: what clusters are often found at")
    if comparison is not None:
        tables.append(measured_table(comparison, source))
        notes += fit_notes(comparison)
    files: dict[str, str | bytes] = {}
    if figure is not None:
        files[str(figure)] = busbw_figure(rows, comparison, title, figure.suffix)
    largest = max(rows, key=lambda row: (row.size, row.busbw_GBps))
    return Report(
        busbw_document(predicted, assumptions),
        tables,
        prediction_verdict(predicted),
        notes=notes,
        assumptions=assumptions,
        headlines=[
            Headline(f"{format_bytes(row.size)}, {row.algorithm}", row.time_s, row.busbw_GBps)
            for row in (largest, *(row for row in rows if row is not largest))
        ],
        files=files,
        page=lambda: PageParts(
            title, pictures=[Picture(title, lambda suffix: busbw_figure(rows, comparison, title, suffix))]
        ),
    )
