"""Flows that percent a fabric: how many have ended by when, and which take longest."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from collectives.demand import FloatVector, Flows
from collectives.errors import InputError
from fabric.reports.figures.style import (
    QUIET,
    SERIES,
    blank,
    drawn,
    open_frame,
    shortened,
    time_unit,
)
from fabric.reports.words import bytes_text, seconds_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Flows in the panel of the slowest: as many names as it has room for.
SLOWEST = 12
# Steps of a curve: as many as the panel has pixels.
_STEPS = 400


def rates_figure(
    flows: Flows, start_s: FloatVector, finish_s: FloatVector, names: Sequence[str], title: str, suffix: str = ".png"
) -> bytes:
    """Draw which part of the flows and of the bytes has ended over time, and the `SLOWEST` flows from start to end.

    Parameters
    ----------
    flows : Flows
        F flows.
    start_s, finish_s : (F,) float64
    names : sequence of str
        Of the endpoints that `flows` numbers.
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
        Times that are not one for each flow; a suffix that is not one of them.
    """
    if not len(flows.src) == len(start_s) == len(finish_s):
        raise InputError(f"start_s, finish_s: expected {len(flows.src)} times each, one for each flow")
    return drawn(lambda: _figure(flows, start_s, finish_s, names, title), suffix)


def ended(finish_s: FloatVector, weight: FloatVector) -> tuple[FloatVector, FloatVector]:
    """When flows end, and how many percent of all weight have ended then; at most `_STEPS` of them.

    Parameters
    ----------
    finish_s, weight : (F,) float64
    """
    order = np.argsort(finish_s, kind="stable")
    percent = np.cumsum(weight[order]) / (weight.sum() or 1.0) * 100.0
    kept = np.unique(np.linspace(0, len(order) - 1, min(len(order), _STEPS)).round().astype(np.int64))
    return finish_s[order][kept], percent[kept]


def slowest(start_s: FloatVector, finish_s: FloatVector) -> list[int]:
    """The `SLOWEST` flows that take longest, the longest first."""
    return [int(flow) for flow in np.argsort(-(finish_s - start_s), kind="stable")[:SLOWEST]]


def _figure(flows: Flows, start_s: FloatVector, finish_s: FloatVector, names: Sequence[str], title: str) -> "Figure":
    if not len(flows.src):
        return blank(0.4, title, "no flows")
    begin = float(start_s.min())
    last = float(finish_s.max()) - begin
    unit, factor = time_unit(last)
    half = float(np.median(finish_s)) - begin
    said = f"{len(flows.src):,} flows, {bytes_text(float(flows.bytes.sum()))}"
    figure = blank(3.0, title, f"{said}; half have ended by {seconds_text(half)}, all by {seconds_text(last)}")
    curve, bars = figure.subplots(1, 2, width_ratios=(1.0, 1.0))
    _draw_ended(curve, flows, finish_s - begin, unit, factor)
    _draw_slowest(bars, flows, start_s - begin, finish_s - begin, names, factor)
    bars.set_xlabel(f"time [{unit}]")
    return figure


def _draw_ended(axes: "Axes", flows: Flows, finish_s: FloatVector, unit: str, factor: float) -> None:
    open_frame(axes)
    for label, weight, colour, line in (
        ("flows", np.ones(len(finish_s)), SERIES[1], "-"),
        ("bytes", flows.bytes, SERIES[0], (0, (3, 1.5))),
    ):
        when, percent = ended(finish_s, weight)
        axes.plot(
            np.concatenate([[0.0], when * factor]),
            np.concatenate([[0.0], percent]),
            drawstyle="steps-post",
            color=colour,
            linestyle=line,
            label=label,
            clip_on=False,
        )
    axes.set_title("ended")
    axes.set_xlabel(f"time [{unit}]")
    axes.set_xlim(left=0)
    axes.set_ylim(0, 100)
    axes.set_yticks(range(0, 101, 25), [f"{percent} %" for percent in range(0, 101, 25)])
    axes.legend(loc="upper left")


def _draw_slowest(
    axes: "Axes", flows: Flows, start_s: FloatVector, finish_s: FloatVector, names: Sequence[str], factor: float
) -> None:
    chosen = slowest(start_s, finish_s)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.barh(
        range(len(chosen)),
        (finish_s - start_s)[chosen] * factor,
        left=start_s[chosen] * factor,
        height=0.62,
        color=SERIES[1],
    )
    for place, flow in enumerate(chosen):
        taken = seconds_text(float(finish_s[flow] - start_s[flow]))
        axes.annotate(
            f"{taken}, {bytes_text(float(flows.bytes[flow]))}",
            (float(finish_s[flow]) * factor, place),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=QUIET,
        )
    ends = shortened([names[end[flow]] for flow in chosen for end in (flows.src, flows.dst)], 20)
    axes.set_yticks(range(len(chosen)), [f"{src} -> {dst}" for src, dst in zip(ends[::2], ends[1::2], strict=True)])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(max(len(chosen), SLOWEST // 2) - 0.4, -0.6)
    axes.set_xlim(0, float(finish_s[chosen].max()) * factor * 1.38 or 1.0)
    axes.set_title("the slowest flow" if len(chosen) == 1 else f"the {len(chosen)} slowest flows")
