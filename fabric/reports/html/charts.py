"""Bars and curves for a page: numbers laid out in pixels, drawn by the template as inline SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

from fabric.reports.figures.compare import Panel
from fabric.reports.figures.sorted_loads import SortedLoads, sorted_loads
from fabric.reports.figures.style import time_unit
from fabric.reports.page_parts import TimeBar
from fabric.reports.words import ratio_text, seconds_text
from fabric.topology import DOWN, PEER

# Pixels of a curve's panel.
WIDTH, HEIGHT = 200, 130


@dataclass(frozen=True)
class Bar:
    """A bar: lengths are parts of the longest, in percent.

    Attributes
    ----------
    name, value : str
    percent : float
    low, high : float
        The range over seeds; both are `percent` where there is none.
    best : bool
        Whether it is the shortest.
    beside : str
        How many times the shortest it is, and the range.
    """

    name: str
    value: str
    percent: float
    low: float
    high: float
    best: bool
    beside: str


@dataclass(frozen=True)
class Curve:
    """A line: number of the design (from 0), its direction in a word, points as an SVG path takes them, a sentence."""

    design: int
    down: bool
    path: str
    text: str


@dataclass(frozen=True)
class CurvePanel:
    """One tier: curves of all designs."""

    title: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class Curves:
    """All tiers on one scale, whose top is said, and the designs' names."""

    panels: tuple[CurvePanel, ...]
    designs: tuple[str, ...]
    top: str
    half: str


def bars_of(bars: Sequence[TimeBar]) -> tuple[Bar, ...]:
    """Bars on one scale from zero; none where there is nothing to compare."""
    longest = max((max(bar.time_s, *bar.times_s, 0.0) for bar in bars), default=0.0)
    if len(bars) < 2 or longest <= 0:
        return ()
    least = min(bar.time_s for bar in bars)
    return tuple(_bar(bar, longest, least) for bar in bars)


def _bar(bar: TimeBar, longest: float, least: float) -> Bar:
    low, high = min((bar.time_s, *bar.times_s)), max((bar.time_s, *bar.times_s))
    said = [] if bar.time_s == least else [f"{ratio_text(bar.time_s / least, '.3f')} the shortest"] if least > 0 else []
    if low < high:
        said.append(f"{seconds_text(low)} to {seconds_text(high)} over seeds")
    percent, first, last = (round(100 * value / longest, 2) for value in (bar.time_s, low, high))
    return Bar(bar.name, seconds_text(bar.time_s), percent, first, last, bar.time_s == least, ", ".join(said))


def curves_of(panels: Sequence[Panel]) -> Curves | None:
    """Links of each tier sorted by load, of all designs on one scale; None where nothing is carried."""
    found = [sorted_loads(panel.loads) for panel in panels]
    top = max((panel.loads.bottleneck_time_s for panel in panels), default=0.0)
    if top <= 0:
        return None
    names = dict.fromkeys(name for of_design in found for name in of_design)
    shown = []
    for name in names:
        curves = [
            _curve(number, panels[number].heading, curve, top)
            for number, of_design in enumerate(found)
            for curve in of_design.get(name, ())
        ]
        own = [curve for of_design in found for curve in of_design.get(name, ())]
        each = "" if any(curve.direction == PEER for curve in own) else " each way"
        shown.append(CurvePanel(f"{name}, {max(curve.n_links for curve in own):,} links{each}", tuple(curves)))
    unit, factor = time_unit(top)
    ticks = [f"{part * top * factor:.3g} {unit}" for part in (1.0, 0.5)]
    return Curves(tuple(shown), tuple(panel.heading for panel in panels), *ticks)


def _curve(design: int, heading: str, curve: SortedLoads, top: float) -> Curve:
    x = (curve.percent * (WIDTH / 100.0)).round(1)
    y = (HEIGHT * (1 - curve.seconds / top)).round(1)
    steps = [f"M{x[0]:g} {y[0]:g}"]
    for place in range(1, len(x)):
        steps.append(f"H{x[place]:g}")
        if y[place] != y[place - 1]:
            steps.append(f"V{y[place]:g}")
    most, middle = float(curve.seconds[0]), float(curve.seconds[len(curve.seconds) // 2])
    way = "" if curve.direction == PEER else " down" if curve.direction == DOWN else " up"
    text = f"{heading}{way}: busiest {seconds_text(most)}, middle {seconds_text(middle)}"
    return Curve(design, curve.direction == DOWN, "".join(steps), text)
