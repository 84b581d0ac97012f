"""A sweep drawn: over one parameter a curve with its bound, over two a matrix, over more every point and what is set.

Seeds are no axis of their own: they are the spread of the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fabric.reports.figures.style import (
    INK,
    PALE,
    QUIET,
    SERIES,
    blank,
    drawn,
    open_frame,
    shortened,
    time_unit,
)
from fabric.studies.sweep.point import Setting, labels_of, setting_text
from fabric.studies.sweep.result import METRIC_WORDS, Ranked, SweepResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A matrix with more rows or columns has cells that no number fits in.
_MOST_CELLS = 24
# Values of a parameter that are told apart by a row each; more numbers share a row, by their size.
_MOST_ROWS = 8
_LONGEST = 26
# A colour scale is logarithmic beyond two decades.
_DECADES = 100.0
_POINT, _BOUND, _BEST = SERIES[1], SERIES[5], SERIES[2]


@dataclass(frozen=True, eq=False)
class _Scale:
    """What points are compared by, in the unit that suits it."""

    values: tuple[float, ...]
    label: str
    factor: float

    def of(self, value: float) -> float:
        return value * self.factor


def sweep_figure(result: SweepResult, suffix: str = ".png") -> bytes:
    """Draw a sweep.

    Parameters
    ----------
    result : SweepResult
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
    return drawn(lambda: _figure(result), suffix)


def _figure(result: SweepResult) -> "Figure":
    rows = sorted(result.ranked, key=lambda one: one.number)
    both = zip(result.swept.points, result.swept.entries, strict=True)
    ran = [point for point, entry in both if entry is not None]
    told = {key: list(dict.fromkeys(point.settings.get(key) for point in ran)) for key in result.keys}
    levels = {key: values for key, values in told.items() if not _is_seed(key) and len(values) > 1}
    scale = _scale(result)
    subtitle = _subtitle(result, levels)
    if not rows:
        return blank(0.6, result.name, f"no point has a {METRIC_WORDS[result.metric]}")
    if len(levels) == 2 and all(len(values) <= _MOST_CELLS for values in levels.values()):
        return _matrix(result, rows, levels, scale, subtitle)
    if len(levels) < 2:
        return _curve(result, rows, levels, scale, subtitle)
    return _every_point(result, rows, levels, scale, subtitle)


def _is_seed(key: str) -> bool:
    return key.rpartition(".")[2] == "seed"


def _scale(result: SweepResult) -> _Scale:
    values = tuple(one.value for one in result.ranked)
    if result.metric == "time_s":
        unit, factor = time_unit(max(values, default=0.0))
        return _Scale(values, f"time [{unit}]", factor)
    unit = " [GB/s]" if result.metric == "busbw_GBps" else ""
    return _Scale(values, f"{METRIC_WORDS[result.metric]}{unit}", 1.0)


def _subtitle(result: SweepResult, levels: Mapping[str, Sequence[Setting]]) -> str:
    parts = [f"{len(result.ranked):,} points"]
    if result.swept.failures:
        parts.append(f"{len(result.swept.failures):,} failed")
    if result.swept.n_missing:
        parts.append(f"{result.swept.n_missing:,} not run yet")
    seeds = [label for key, label in labels_of(result.keys).items() if _is_seed(key)]
    if seeds and len(levels) in (1, 2):
        how = "each a dot" if len(levels) == 1 else "the median of each cell"
        parts.append(f"{how} over {' and '.join(seeds)}")
    return ", ".join(parts)


def _numeric(values: Sequence[Setting]) -> bool:
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)


def _ordered(values: Sequence[Setting]) -> list[Setting]:
    """Numbers by their size, all else as the study has it."""
    return sorted(values, key=float) if _numeric(values) else list(values)  # type: ignore[arg-type]


def _names(values: Sequence[Setting]) -> list[str]:
    return shortened([setting_text(value) for value in values], _LONGEST)


def _curve(
    result: SweepResult, rows: Sequence[Ranked], levels: Mapping[str, Sequence[Setting]], scale: _Scale, subtitle: str
) -> "Figure":
    """One parameter, or seeds alone: a dot for each point, a line through the medians, bounds below it."""
    figure = blank(3.0, result.name, subtitle)
    axes = figure.subplots()
    open_frame(axes)
    key = next(iter(levels), None)
    values = _ordered(levels[key]) if key is not None else [None]
    numeric = key is not None and _numeric(values)
    place = {value: float(value) if numeric else float(at) for at, value in enumerate(values)}  # type: ignore[arg-type]

    def at(one: Ranked) -> float:
        return place[one.point.settings.get(key) if key is not None else None]

    axes.plot([at(one) for one in rows], [scale.of(one.value) for one in rows], "o", ms=4, color=_POINT, alpha=0.55,
              markeredgewidth=0, label="a point")  # fmt: skip
    grouped = {value: [one for one in rows if at(one) == place[value]] for value in values}
    middle = [(place[value], float(np.median([one.value for one in own]))) for value, own in grouped.items() if own]
    many = any(len(own) > 1 for own in grouped.values())
    if key is not None and (numeric or many):
        style = {"linewidth": 1.4} if numeric else {"linestyle": "", "marker": "_", "ms": 16, "markeredgewidth": 1.6}
        axes.plot([x for x, _ in middle], [scale.of(y) for _, y in middle], color=INK,
                  label="median" if many else "", **style)  # fmt: skip
    if result.metric == "time_s":
        bounds = [(at(one), one.entry.outcome.bound_s) for one in rows]
        known = sorted({(x, scale.of(y)) for x, y in bounds if y is not None})
        axes.plot([x for x, _ in known], [y for _, y in known], linestyle="", marker="_", ms=14, markeredgewidth=1.6,
                  color=_BOUND, label="bound")  # fmt: skip
    if key is not None:
        axes.set_xlabel(labels_of(result.keys)[key])
        if numeric:
            _numeric_axis(axes, [place[value] for value in values])
        else:
            axes.set_xticks(range(len(values)), _names(values), rotation=0 if len(values) <= 6 else 30,
                            ha="center" if len(values) <= 6 else "right")  # fmt: skip
            axes.set_xlim(-0.5, len(values) - 0.5)
    else:
        axes.set_xticks([])
    axes.set_ylabel(scale.label)
    _value_axis(axes, scale)
    axes.legend(loc="best")
    return figure


def _numeric_axis(axes: "Axes", values: Sequence[float]) -> None:
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    if min(values) > 0 and len(values) > 2 and max(values) / min(values) >= 16:
        axes.set_xscale("log", base=2)
    if len(values) <= 12:
        axes.xaxis.set_major_locator(FixedLocator(values))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")


def _value_axis(axes: "Axes", scale: _Scale) -> None:
    positive = [value for value in scale.values if value > 0]
    if positive and max(positive) / min(positive) > _DECADES and len(positive) == len(scale.values):
        axes.set_yscale("log")
    else:
        low, high = axes.get_ylim()
        # From zero, unless what differs could then not be seen.
        if low > 0 and low < 0.5 * high:
            axes.set_ylim(0, high)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")


def _matrix(
    result: SweepResult, rows: Sequence[Ranked], levels: Mapping[str, Sequence[Setting]], scale: _Scale, subtitle: str
) -> "Figure":
    """Two parameters: a cell for each pair of values, its colour and number the median of its points."""
    from matplotlib.colors import LogNorm, Normalize

    # What has fewer values goes down, so that the matrix is wide.
    down, across = sorted(levels, key=lambda key: (len(levels[key]), list(levels).index(key)))
    ys, xs = _ordered(levels[down]), _ordered(levels[across])
    cells = np.full((len(ys), len(xs)), np.nan)
    for y, upper in enumerate(ys):
        for x, right in enumerate(xs):
            own = [one.value for one in rows if _has(one.point.settings, {down: upper, across: right})]
            if own:
                cells[y, x] = scale.of(float(np.median(own)))
    figure = blank(1.1 + 0.34 * len(ys), result.name, subtitle)
    axes = figure.subplots()
    known = cells[np.isfinite(cells)]
    low, high = float(known.min()), float(known.max())
    norm: Any = LogNorm(low, high) if low > 0 and high / low > _DECADES else Normalize(low, high)
    axes.set_facecolor(PALE)
    # The best is the lightest.
    image = axes.imshow(cells, cmap="cividis" if result.larger else "cividis_r", norm=norm, aspect="auto")
    best = np.nanargmax(cells) if result.larger else np.nanargmin(cells)
    for y, x in np.ndindex(cells.shape):
        style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7.0 if len(xs) <= 12 else 5.5}
        if np.isfinite(cells[y, x]):
            light = (norm(cells[y, x]) > 0.5) == result.larger
            weight = "bold" if y * len(xs) + x == best else "normal"
            axes.text(x, y, f"{cells[y, x]:.4g}", color=INK if light else "white", fontweight=weight, **style)
        elif _failed(result, {down: ys[y], across: xs[x]}):
            axes.text(x, y, "failed", color=QUIET, **style)
    labels = labels_of(result.keys)
    axes.set_xticks(range(len(xs)), _names(xs), rotation=0 if len(xs) <= 10 else 30,
                    ha="center" if len(xs) <= 10 else "right")  # fmt: skip
    axes.set_yticks(range(len(ys)), _names(ys))
    axes.tick_params(length=0)
    axes.set_xlabel(labels[across])
    axes.set_ylabel(labels[down])
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, pad=0.015, fraction=0.04)
    bar.set_label(scale.label)
    bar.outline.set_visible(False)
    return figure


def _failed(result: SweepResult, settings: Mapping[str, Setting]) -> bool:
    return any(_has(point.settings, settings) for point, _ in result.swept.failures)


def _has(settings: Mapping[str, Setting], some: Mapping[str, Setting]) -> bool:
    return all(settings.get(key) == value for key, value in some.items())


def _every_point(
    result: SweepResult, rows: Sequence[Ranked], levels: Mapping[str, Sequence[Setting]], scale: _Scale, subtitle: str
) -> "Figure":
    """Three parameters or more: points from the best to the worst, and below each what is set in it."""
    order = sorted(rows, key=lambda one: (-one.value if result.larger else one.value, one.number))
    explained = {one.key: one.explains for one in result.influences}
    keys = [key for key in (one.key for one in result.influences) if key in levels]
    bands = [_band(key, levels[key], order) for key in keys]
    n_rows = sum(len(names) for _, names in bands) + len(bands) - 1
    top, below = 1.9, 0.5 + 0.155 * n_rows
    figure = blank(top + below, result.name, f"{subtitle}, the best first; parameters by what they explain")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[top, below])
    x = np.arange(len(order))
    open_frame(upper)
    upper.plot(x, [scale.of(one.value) for one in order], color=_POINT, drawstyle="steps-mid")
    if result.metric == "time_s":
        bounds = [one.entry.outcome.bound_s for one in order]
        known = [(at, scale.of(bound)) for at, bound in zip(x, bounds, strict=True) if bound is not None]
        upper.plot([at for at, _ in known], [bound for _, bound in known], ".", ms=2, color=_BOUND, label="bound")
        upper.legend(loc="best")
    upper.set_ylabel(scale.label)
    _value_axis(upper, scale)
    size = 90.0 if len(order) <= 60 else 40.0 if len(order) <= 300 else 12.0
    labels, place, ticks, names = labels_of(result.keys), 0.0, [], []
    for key, (heights, texts) in zip(keys, bands, strict=True):
        known = [(at, height) for at, height in zip(x, heights, strict=True) if height is not None]
        lower.axhspan(place - 0.5, place + len(texts) - 0.5, color=PALE, zorder=0, linewidth=0)
        lower.scatter([at for at, _ in known], [place + height for _, height in known], s=size, marker="|",
                      color=_POINT, linewidths=1.6 if len(order) <= 300 else 0.8,
                      rasterized=len(order) > 1000)  # fmt: skip
        part = explained[key]
        heading = labels[key] if part is None else f"{labels[key]} ({part:.0%})"
        for row, text in enumerate(texts):
            ticks.append(place + row)
            names.append(f"{heading}   {text}" if row == 0 else text)
        place += len(texts) + 1
    lower.set_yticks(ticks, names)
    lower.set_ylim(place - 1.5, -0.5)
    lower.tick_params(length=0)
    lower.spines[:].set_visible(False)
    lower.set_xlim(-0.6, len(order) - 0.4)
    lower.set_xlabel("points, the best first")
    lower.set_xticks([])
    return figure


def _band(key: str, values: Sequence[Setting], order: Sequence[Ranked]) -> tuple[list[float | None], list[str]]:
    """Height of each point in the rows of a parameter, and the rows' names; None where it has no effect."""
    ordered = _ordered([value for value in values if value is not None])
    settings = [one.point.settings.get(key) for one in order]
    if len(ordered) <= _MOST_ROWS or not _numeric(ordered):
        row = {value: float(at) for at, value in enumerate(ordered)}
        return [None if value is None else row[value] for value in settings], _names(ordered)
    low, high = float(ordered[0]), float(ordered[-1])  # type: ignore[arg-type]
    heights = [None if value is None else 2 * (float(value) - low) / (high - low) for value in settings]
    return heights, [f"{low:g}", "", f"{high:g}"]
