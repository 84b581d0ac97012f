"""What a trace contains: bytes of each kind and size of group, and when they were issued."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collectives.demand import FloatVector
from collectives.sizes import counted
from fabric.reports.figures.style import QUIET, SERIES, blank, drawn, open_frame, time_unit
from fabric.reports.words import bytes_text, seconds_text
from traces.operation import Operation, Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Rows of the figure; what is left shares the last one.
MOST_ROWS = 14
# Moments of the time line: each some pixels wide.
N_BINS = 110
_UNITS = {"B": 1.0, "kB": 1e-3, "MB": 1e-6, "GB": 1e-9, "TB": 1e-12}


@dataclass(frozen=True, eq=False)
class Alike:
    """Operations of one kind and size of group.

    Attributes
    ----------
    label : str
    operations : tuple of Operation
    """

    label: str
    operations: tuple[Operation, ...]

    @property
    def bytes(self) -> float:
        """Per rank, of the operations whose size is known."""
        return sum(operation.bytes or 0.0 for operation in self.operations)

    @property
    def unknown(self) -> int:
        """Operations whose size is not known."""
        return sum(operation.bytes is None for operation in self.operations)


def trace_figure(trace: Trace, title: str, suffix: str = ".png") -> bytes:
    """Draw bytes by kind and size of group, and over time where the trace says when.

    A trace without sizes is drawn by numbers of operations.

    Parameters
    ----------
    trace : Trace
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
    return drawn(lambda: _figure(trace, title), suffix)


def alike(trace: Trace) -> tuple[Alike, ...]:
    """Operations by kind and size of group, most bytes first; at most `MOST_ROWS`."""
    rows: dict[str, list[Operation]] = {}
    for operation in trace.operations:
        rows.setdefault(f"{operation.kind}, {operation.group_size:,} ranks", []).append(operation)
    found = sorted(
        (Alike(label, tuple(operations)) for label, operations in rows.items()),
        key=lambda row: (-row.bytes, -len(row.operations), row.label),
    )
    if len(found) <= MOST_ROWS:
        return tuple(found)
    rest = tuple(operation for row in found[MOST_ROWS - 1 :] for operation in row.operations)
    return (*found[: MOST_ROWS - 1], Alike(f"{len(found) - MOST_ROWS + 1} others", rest))


def over_time(rows: tuple[Alike, ...], first_s: float, last_s: float, sized: bool) -> FloatVector:
    """Bytes (or, not `sized`, operations) of each row in each of `N_BINS` equal times, (n_rows, N_BINS)."""
    cells = np.zeros((len(rows), N_BINS))
    for number, row in enumerate(rows):
        timed = [operation for operation in row.operations if operation.start_s is not None]
        when = np.array([operation.start_s for operation in timed], np.float64)
        weight = np.array([(operation.bytes or 0.0) if sized else 1.0 for operation in timed])
        place = ((when - first_s) / ((last_s - first_s) or 1.0) * N_BINS).astype(np.int64)
        np.add.at(cells[number], np.minimum(place, N_BINS - 1), weight)
    return cells


def _figure(trace: Trace, title: str) -> "Figure":
    rows = alike(trace)
    ranks = f", {trace.n_ranks:,} ranks" if trace.n_ranks else ""
    said = f"{counted(len(trace.operations), 'operation')} in {counted(len(trace.files), 'file')}{ranks}"
    if not rows:
        return _no_operations(trace, title, said)
    unknown = sum(row.unknown for row in rows)
    sized = unknown < len(trace.operations)
    if unknown:
        said += f"; {'the trace has no sizes' if not sized else f'{unknown:,} without a size'}"
    if trace.ignored:
        said += f"; besides: {', '.join(f'{count:,} {reason}' for reason, count in trace.ignored)}"
    times = [operation.start_s for operation in trace.operations if operation.start_s is not None]
    if not times:
        said += "; it does not say when"
    figure = blank(max(1.7, 0.8 + 0.26 * len(rows)), title, said)
    if not times:
        _draw_totals(figure.subplots(), rows, sized)
        return figure
    totals, line = figure.subplots(1, 2, sharey=True, width_ratios=(1.0, 1.25))
    _draw_totals(totals, rows, sized)
    _draw_times(figure, line, over_time(rows, min(times), max(times), sized), max(times) - min(times), sized)
    return figure


def _no_operations(trace: Trace, title: str, said: str) -> "Figure":
    """Of a trace without operations: what its records are instead."""
    if not trace.ignored:
        return blank(0.4, title, f"{said}, nor anything like one")
    figure = blank(0.8 + 0.26 * len(trace.ignored), title, f"{said}; records that are no operations:")
    axes = figure.subplots()
    counts = [count for _, count in trace.ignored]
    _draw_bars(axes, [reason for reason, _ in trace.ignored], counts, [f"{count:,}" for count in counts], QUIET)
    axes.set_xlabel("records")
    return figure


def _draw_totals(axes: "Axes", rows: tuple[Alike, ...], sized: bool) -> None:
    values = [row.bytes if sized else float(len(row.operations)) for row in rows]
    unit, factor = _unit(max(values)) if sized else ("", 1.0)
    _draw_bars(
        axes,
        [row.label for row in rows],
        [value * factor for value in values],
        [_said_of(row, sized) for row in rows],
        SERIES[1],
    )
    axes.set_xlabel(f"bytes per rank [{unit}]" if sized else "operations")


def _draw_bars(axes: "Axes", labels: list[str], lengths: Sequence[float], said: list[str], colour: str) -> None:
    open_frame(axes)
    axes.grid(False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.barh(range(len(labels)), lengths, height=0.62, color=colour)
    for place, text in enumerate(said):
        axes.annotate(
            text,
            (lengths[place], place),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=QUIET,
        )
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlim(0, max(lengths) * 1.45 or 1.0)


def _said_of(row: Alike, sized: bool) -> str:
    count = len(row.operations)
    if not sized:
        return f"{count:,}"
    if row.unknown == count:
        return f"{count:,} of unknown size"
    text = f"{bytes_text(row.bytes)} in {count - row.unknown:,}"
    return text + (f", {row.unknown:,} unknown" if row.unknown else "")


def _draw_times(figure: "Figure", axes: "Axes", cells: FloatVector, span_s: float, sized: bool) -> None:
    import matplotlib as mpl
    from matplotlib.colors import LogNorm, Normalize

    unit, factor = time_unit(span_s)
    size_unit, size_factor = _unit(float(cells.max())) if sized else ("", 1.0)
    # Five lines a row, the outer ones empty: strips as thick as the bars beside them.
    strips = np.kron(cells, np.array([[0.0], [1.0], [1.0], [1.0], [0.0]]))
    shown = np.ma.masked_equal(strips * size_factor, 0.0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0, labelleft=False)
    axes.set_xlabel(f"issued at [{unit}]")
    end = span_s * factor or 1.0
    axes.set_xlim(0, end)
    for row in range(cells.shape[0]):
        axes.axhline(row, color="#e6e8ec", linewidth=0.6, zorder=0)
    if shown.count() == 0:
        return
    low, top = float(shown.min()), float(shown.max())
    norm = LogNorm(low, top) if top > 100 * low else Normalize(0.0, top)
    image = axes.imshow(
        shown,
        norm=norm,
        cmap=mpl.colormaps["cividis"],
        aspect="auto",
        interpolation="nearest",
        extent=(0, end, cells.shape[0] - 0.5, -0.5),
    )
    each = seconds_text(span_s / N_BINS)
    bar = figure.colorbar(image, ax=axes, label=f"{f'bytes [{size_unit}]' if sized else 'operations'} in {each}")
    bar.outline.set_visible(False)


def _unit(largest: float) -> tuple[str, float]:
    """The unit that suits a largest number of bytes, and how many of it are a byte."""
    fitting = [(unit, factor) for unit, factor in _UNITS.items() if largest * factor >= 1]
    return fitting[-1] if fitting else ("B", 1.0)
