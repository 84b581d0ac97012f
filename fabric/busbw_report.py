"""The report of `busbw`: nccl-tests' columns as a table, a plot and a JSON document."""

import io
from collections.abc import Sequence
from dataclasses import asdict

from fabric.busbw import Comparison, Row
from fabric.loading import LoadedFabric
from fabric.loads_report import fabric_facts
from fabric.report import Table

_ELEMENT_BYTES = 4
_REDUCES = {"all-reduce", "reduce-scatter", "reduce"}


def busbw_table(collective: str, rows: Sequence[Row], title: str) -> Table:
    """As nccl-tests prints: size, count, type, redop, root, time, algbw, busbw; and algorithm and protocol."""
    columns = ("size (B)", "count", "type", "redop", "root", "time (us)", "algbw (GB/s)", "busbw (GB/s)",
               "algorithm", "protocol")  # fmt: skip
    redop = "sum" if collective in _REDUCES else "none"
    lines = tuple(
        (
            f"{row.size:.0f}",
            f"{row.size / _ELEMENT_BYTES:.0f}",
            "float",
            redop,
            "-1" if collective not in ("broadcast", "reduce", "gather", "scatter") else "0",
            f"{row.time_s * 1e6:.2f}",
            f"{row.algbw_GBps:.2f}",
            f"{row.busbw_GBps:.2f}",
            row.algorithm,
            row.protocol,
        )
        for row in rows
    )
    return Table(title, columns, lines, frozenset((*columns[:2], *columns[4:8])))


def measured_table(comparison: Comparison, source: str) -> Table:
    """Predictions beside what was measured."""
    columns = ("size (B)", "measured (us)", "predicted (us)", "ratio", "measured busbw", "predicted busbw", "algorithm")
    lines = tuple(
        (
            f"{row.size:.0f}",
            f"{real.time_s * 1e6:.2f}",
            f"{row.time_s * 1e6:.2f}",
            f"{ratio:.3f}",
            f"{real.busbw_GBps:.2f}",
            f"{row.busbw_GBps:.2f}",
            row.algorithm,
        )
        for row, real, ratio in comparison.rows
    )
    return Table(f"{source}: predicted over measured", columns, lines, frozenset(columns[:6]))


def busbw_document(
    given: LoadedFabric,
    collective: str,
    n_ranks: int,
    rows: Sequence[Row],
    comparison: Comparison | None,
    assumptions: list[str],
) -> dict[str, object]:
    """Everything for JSON."""
    return {
        "schema": "railscope.busbw/1",
        "fabric": fabric_facts(given),
        "collective": collective,
        "ranks": n_ranks,
        "rows": [asdict(row) for row in rows],
        "measured": None
        if comparison is None
        else {
            "rows": [
                {**asdict(row), "measured_time_s": real.time_s, "measured_busbw_GBps": real.busbw_GBps, "ratio": ratio}
                for row, real, ratio in comparison.rows
            ],
            "fitted_base_s": comparison.base_s,
            "fitted_efficiency": comparison.efficiency,
        },
        "assumptions": assumptions,
    }


def busbw_figure(rows: Sequence[Row], comparison: Comparison | None, title: str, suffix: str) -> bytes:
    """Busbw over size, a line per algorithm, and what was measured."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    with mpl.rc_context({"svg.hashsalt": "railscope", "font.size": 8}):
        figure, axes = plt.subplots(figsize=(6.0, 4.0), layout="constrained")
        for name in dict.fromkeys(row.algorithm for row in rows):
            own = [row for row in rows if row.algorithm == name]
            axes.plot([row.size for row in own], [row.busbw_GBps for row in own], marker=".", label=name)
        if comparison is not None:
            real = [measured for _, measured, _ in comparison.rows]
            axes.plot([row.size for row in real], [row.busbw_GBps for row in real], "k+", label="measured")
        axes.set_xscale("log", base=2)
        axes.set_xlabel("size [B]")
        axes.set_ylabel("busbw [GB/s]")
        axes.set_title(title)
        axes.legend()
        axes.grid(alpha=0.3)
        buffer = io.BytesIO()
        dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
        figure.savefig(buffer, format=suffix[1:], dpi=100, metadata=dates.get(suffix, {}))
        plt.close(figure)
    return buffer.getvalue()
