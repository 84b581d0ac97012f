"""Bandwidth and time over size: a colour per algorithm, and what was measured."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from collectives.sizes import format_bytes
from fabric.reports.figures.style import INK, SERIES, blank, colours_of, drawn, open_frame
from fabric.timing.prediction import Comparison, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The same algorithm looks the same in every figure; one that is not named here takes what is left.
ALGORITHM_COLOURS = {
    name: SERIES[place]
    for place, names in enumerate(
        (
            ("ring",),
            ("rings", "direct"),
            ("trees", "tree", "pxn"),
            ("nvls", "pairwise"),
            ("hierarchical", "bruck"),
            ("sharp", "two-phase", "pat"),
            ("nvls-tree",),
            ("halving-doubling", "recursive-doubling", "recursive-halving"),
            ("double-tree",),
            ("bidirectional-ring",),
        )
    )
    for name in names
}

# Axis, column, the same as clusters are often found, and factor.
_COLUMNS = (
    ("busbw [GB/s]", "busbw_GBps", "busbw_low_GBps", 1.0),
    ("time [us]", "time_s", "found_time_s", 1e6),
)


def busbw_figure(rows: Sequence[Row], comparison: Comparison | None, title: str, suffix: str = ".png") -> bytes:
    """Draw busbw and time over the sizes of `rows`.

    Several rows of a size: a line per algorithm.  One row of each (the fastest algorithm): one line, in the colour of
    the algorithm that each size takes.  The band reaches to what clusters are often found at.  Measurements of other
    sizes than those from the first to the last are left out, and the legend says so.

    Parameters
    ----------
    rows : sequence of Row
    comparison : Comparison or None
        Measurements, drawn as crosses.
    title : str
    suffix : str
        One of `style.FORMATS`.

    Returns
    -------
    bytes
        The file's contents; the same input gives the same bytes.

    Raises
    ------
    InputError
        A suffix that is not one of them.
    """
    return drawn(lambda: _figure(rows, comparison, title), suffix)


def lines_of(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """What is drawn as one line each: algorithm and rows, in the order of sizes.

    One row of each size makes stretches of one algorithm; each ends where the next one begins, so that the line has no
    breaks.
    """
    rows = sorted(rows, key=lambda row: row.size)
    if len({row.size for row in rows}) < len(rows):
        return [
            (name, [row for row in rows if row.algorithm == name]) for name in dict.fromkeys(r.algorithm for r in rows)
        ]
    starts = [0, *(n + 1 for n, (a, b) in enumerate(pairwise(rows)) if a.algorithm != b.algorithm), len(rows)]
    return [(rows[first].algorithm, list(rows[first : stop + 1])) for first, stop in pairwise(starts)]


def _figure(rows: Sequence[Row], comparison: Comparison | None, title: str) -> "Figure":
    figure = blank(3.4, title)
    sizes = np.array([row.size for row in rows])
    measured = [one.measured for one in comparison.rows] if comparison is not None else []
    shown = [one for one in measured if sizes.min() <= one.size <= sizes.max()]
    colours = colours_of([row.algorithm for row in rows], ALGORITHM_COLOURS)
    panels = figure.subplots(1, 2)
    for axes, (label, column, low, factor) in zip(panels, _COLUMNS, strict=True):
        open_frame(axes)
        named: set[str] = set()
        for name, own in lines_of(rows):
            points = ([row.size for row in own], [getattr(row, column) * factor for row in own])
            axes.plot(*points, color=colours[name], label="" if name in named else name)
            if any(row.found_time_s > row.time_s for row in own):
                often = [getattr(row, low) * factor for row in own]
                axes.fill_between(points[0], often, points[1], color=colours[name], alpha=0.15, linewidth=0)
            named.add(name)
        for name, colour in colours.items():
            own = [row for row in rows if row.algorithm == name]
            points = ([row.size for row in own], [getattr(row, column) * factor for row in own])
            axes.plot(*points, color=colour, linestyle="", marker="o", markersize=3)
        if shown:
            every = "" if len(shown) == len(measured) else f" ({len(shown)} of {len(measured)} sizes)"
            points = ([one.size for one in shown], [getattr(one, column) * factor for one in shown])
            axes.plot(*points, color=INK, linestyle="", marker="+", markersize=6, label=f"measured{every}")
        _label(axes, label, sizes)
    panels[0].set_ylim(bottom=0.0)
    panels[1].set_yscale("log")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 6))
    return figure


def _label(axes: "Axes", label: str, sizes: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    low, high = float(np.log2(sizes.min())), float(np.log2(sizes.max()))
    step = max(1, -(-int(high - low) // 7))
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator([2.0**power for power in np.arange(np.ceil(low), high + 0.01, step)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda size, _: format_bytes(size))
    margin = 2.0 ** max(0.03 * (high - low), 0.2)
    axes.set_xlim(sizes.min() / margin, sizes.max() * margin)
    axes.set_xlabel("size")
    axes.set_ylabel(label)
