"""What breaks hurt, drawn: slowdown of every single failure by kind, and of several at once."""

from typing import TYPE_CHECKING

import numpy as np

from fabric.reports.figures.style import MISSING, SERIES, blank, drawn, open_frame
from fabric.reports.words import seconds_text
from fabric.studies.faults import Faults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def faults_figure(faults: Faults, suffix: str = ".png") -> bytes:
    """Draw the slowdown of single failures, sorted, by kind; and how often several at once cost how much.

    Parameters
    ----------
    faults : Faults
    suffix : str
        One of `style.FORMATS`.
    """
    return drawn(lambda: _figure(faults), suffix)


def _figure(faults: Faults) -> "Figure":
    stop = sum(row.time_s is None for row in faults.rows)
    said = f"{len(faults.rows):,} single failures, {stop:,} of which stop the job; whole: {seconds_text(faults.time_s)}"
    kinds = list(dict.fromkeys(row.broken.kind for row in faults.rows))
    height = max(1.2 + 0.32 * len(kinds), 2.6 if faults.sampled else 0.0)
    figure = blank(height, f"{faults.scenario.fabric.name}: {faults.scenario.traffic.label}", said)
    panels = figure.subplots(1, 2 if faults.sampled else 1, squeeze=False)[0]
    _draw_single(panels[0], faults, kinds)
    if faults.sampled:
        _draw_sampled(panels[1], faults)
    return figure


def _draw_single(axes: "Axes", faults: Faults, kinds: list[str]) -> None:
    """A row for each kind: from the least slowdown to the worst, a dot at the median."""
    open_frame(axes)
    labels, most = [], 1.0
    for place, kind in enumerate(kinds):
        rows = [row for row in faults.rows if row.broken.kind == kind]
        slow = np.sort([row.slowdown for row in rows if row.slowdown is not None])
        labels.append(f"{kind} ({len(rows):,})")
        if slow.size:
            axes.plot(slow[[0, -1]], [place, place], color=SERIES[1], linewidth=3.0, solid_capstyle="round")
            axes.plot(slow[slow.size // 2], place, "o", color=SERIES[0], ms=5)
            most = max(most, float(slow[-1]))
        if slow.size < len(rows):
            number = len(rows) - slow.size
            text = "each stops the job" if number == len(rows) else f"{number:,} stop the job"
            axes.text(1.0, place - 0.28, text, color=MISSING, fontsize=7, va="center", clip_on=True)
    axes.set_yticks(range(len(kinds)), labels)
    axes.set_ylim(len(kinds) - 0.4, -0.7)
    axes.set_xlim(1.0 - 0.04 * max(most - 1.0, 0.25), 1.0 + 1.08 * max(most - 1.0, 0.25))
    axes.set_xlabel("slowdown: least to worst, dot: median")
    axes.set_title("one at a time")


def _draw_sampled(axes: "Axes", faults: Faults) -> None:
    """Percentiles over the number of failures; what stops the job stands on a line of its own above."""
    open_frame(axes)
    values = [one.percentile(percent) for one in faults.sampled for percent in (50, 90, 99)]
    most = max((value for value in values if value is not None), default=1.0)
    top = 1.0 + 1.25 * max(most - 1.0, 0.2)
    for percent, colour, mark in ((50, SERIES[1], "o"), (90, SERIES[5], "s"), (99, SERIES[3], "^")):
        found = [one.percentile(percent) for one in faults.sampled]
        heights = [top if value is None else value for value in found]
        axes.plot(range(len(found)), heights, color=colour, marker=mark, ms=4, linewidth=1.0, label=f"p{percent}")
    if any(value is None for value in values):
        axes.axhline(top, color=MISSING, linewidth=0.6, linestyle=(0, (4, 3)))
        axes.text(-0.35, top, "job stops", color=MISSING, fontsize=7, va="bottom")
    axes.set_xticks(range(len(faults.sampled)), [str(one.count) for one in faults.sampled])
    axes.set_xlim(-0.4, len(faults.sampled) - 0.6)
    axes.set_ylim(1.0 - 0.06 * (top - 1.0), top + 0.18 * (top - 1.0))
    axes.set_xlabel("failures at once")
    axes.set_ylabel("slowdown")
    axes.set_title(f"several, {faults.sampled[0].trials:,} draws of each number")
    axes.legend(loc="center left")
