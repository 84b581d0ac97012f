"""Utilization of the busiest links over time."""

from typing import TYPE_CHECKING

import numpy as np

from fabric.reports.figures.style import INK, blank, drawn, shortened, time_unit
from fabric.studies.replay import Replay

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def replay_figure(replay: Replay, title: str, suffix: str = ".png") -> bytes:
    """Draw a row for each of the busiest links, time to the right; the operations that make the peaks are named.

    Parameters
    ----------
    replay : Replay
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
    return drawn(lambda: _figure(replay, title), suffix)


def _figure(replay: Replay, title: str) -> "Figure":
    links = replay.links
    figure = blank(0.8 + 0.19 * max(len(links), 1), title, "part of time that the busiest links carry bytes")
    panel = figure.subplots()
    if not links:
        panel.text(0.5, 0.5, "no link carries anything", ha="center", color=INK)
        panel.set_axis_off()
        return figure
    unit, factor = time_unit(replay.span_s)
    values = np.stack([100 * link.utilization for link in links])
    image = panel.imshow(
        values, aspect="auto", cmap="cividis", vmin=0.0, vmax=max(1.0, float(values.max())), interpolation="nearest",
        extent=(0.0, replay.span_s * factor, len(links) - 0.5, -0.5),
    )  # fmt: skip
    panel.set_yticks(range(len(links)), shortened([link.name for link in links], 40))
    panel.set_xlabel(f"time [{unit}]")
    figure.colorbar(image, ax=panel, label="% used", pad=0.01)
    named: set[str] = set()
    for row, link in enumerate(links):
        peak = int(link.utilization.argmax())
        if link.peak.label in named or len(named) == 5:
            continue
        named.add(link.peak.label)
        middle = (peak + 0.5) * replay.span_s * factor / len(link.utilization)
        late = peak > len(link.utilization) / 2
        panel.annotate(
            link.peak.label, (middle, row), xytext=(-4 if late else 4, 0), textcoords="offset points",
            ha="right" if late else "left", va="center", fontsize=6.5, color="white",
            bbox={"boxstyle": "round,pad=0.15", "facecolor": INK, "edgecolor": "none", "alpha": 0.75},
        )  # fmt: skip
    return figure
