"""Designs side by side: a bar of time for each, and of cost where there are prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fabric.reports.figures.style import (
    INK,
    QUIET,
    SERIES,
    blank,
    drawn,
    shortened,
    time_unit,
)
from fabric.reports.words import money_text, seconds_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LONGEST_NAME = 56
_BAR_IN, _FRAME_IN = 0.22, 0.55
_BEST, _OTHER, _COST = SERIES[1], SERIES[4], QUIET


@dataclass(frozen=True)
class Bar:
    """One design.

    Attributes
    ----------
    name : str
    time_s : float
    cost : float or None
    """

    name: str
    time_s: float
    cost: float | None


def designs_figure(bars: Sequence[Bar], currency: str, title: str, subtitle: str, suffix: str = ".png") -> bytes:
    """Draw a row per design, in their order: its time, and beside it what it costs if all have a cost.

    Parameters
    ----------
    bars : sequence of Bar
        The fastest first.
    currency : str
        Of the costs.
    title, subtitle : str
        The subtitle says what the parts of a name are.
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
    return drawn(lambda: _figure(bars, currency, title, subtitle), suffix)


def _figure(bars: Sequence[Bar], currency: str, title: str, subtitle: str) -> "Figure":
    figure = blank(_FRAME_IN + _BAR_IN * len(bars), title, subtitle)
    costs = [bar.cost for bar in bars if bar.cost is not None]
    priced = bool(bars) and len(costs) == len(bars)
    panels = figure.subplots(1, 2 if priced else 1, sharey=True, squeeze=False)[0]
    unit, factor = time_unit(max((bar.time_s for bar in bars), default=0.0))
    colours = [_BEST, *[_OTHER] * (len(bars) - 1)]
    texts = [seconds_text(bar.time_s) for bar in bars]
    _draw(panels[0], [bar.time_s * factor for bar in bars], texts, colours, f"time [{unit}]")
    if priced:
        _draw(panels[1], costs, [money_text(cost) for cost in costs], [_COST] * len(bars), f"cost [{currency}]")
    panels[0].set_yticks(range(len(bars)), shortened([bar.name for bar in bars], _LONGEST_NAME))
    panels[0].invert_yaxis()
    return figure


def _draw(axes: "Axes", values: Sequence[float], texts: Sequence[str], colours: Sequence[str], label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, axis="x")
    bars = axes.barh(range(len(values)), values, height=0.7, color=colours)
    axes.bar_label(bars, texts, padding=3, color=INK, fontsize=7.0)
    axes.tick_params(axis="y", length=0)
    # Room for the number at the end of the longest bar.
    axes.set_xlim(0, max((*values, 0.0)) * 1.25 or 1.0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.set_xlabel(label)
