"""Measured against predicted: a point a link, the suspects and those that differ most by name."""

from typing import TYPE_CHECKING

import numpy as np

from collectives.demand import BoolVector, FloatVector
from collectives.sizes import counted
from fabric.reports.figures.style import MISSING, QUIET, SERIES, blank, drawn, open_frame, shortened
from fabric.reports.words import bytes_text
from fabric.studies.counters import CounterStudy
from fabric.studies.hotspots import tier_name
from fabric.studies.suspects import expected_of_siblings
from fabric.topology import DIRECTIONS, NVLINK, PEER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Links with their names in the picture: as many as it has room for.
NAMED = 6
_UNITS = ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))


def counters_figure(study: CounterStudy, title: str, suffix: str = ".png") -> bytes:
    """Draw bytes that links carried over those predicted; without traffic over the middle of their siblings.

    Parameters
    ----------
    study : CounterStudy
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
    return drawn(lambda: _figure(study, title), suffix)


def outliers(study: CounterStudy, expected: FloatVector) -> list[int]:
    """Links to name: the suspects, then those that differ most, at most `NAMED` in all."""
    measured = study.measured
    there = measured.known & ~np.isnan(expected)
    named = [suspect.link for suspect in study.suspects if there[suspect.link]]
    named += [suspect.twin for suspect in study.suspects if suspect.twin is not None]
    off = np.where(there, np.abs(measured.bytes - expected), 0.0)
    largest = [int(link) for link in np.argsort(-off, kind="stable")[:NAMED] if off[link] > 0.1 * expected[link]]
    return list(dict.fromkeys([*named, *largest]))[:NAMED]


def _figure(study: CounterStudy, title: str) -> "Figure":
    topology, measured = study.topology, study.measured
    expected = expected_of_siblings(measured)[0] if study.predicted is None else study.predicted
    there = measured.known & ~np.isnan(expected)
    if not there.any():
        return blank(0.4, title, "no link to compare")
    what = "median of its siblings" if study.predicted is None else "predicted"
    said = "" if study.explained is None else f"; the prediction explains {study.explained:.0%}"
    figure = blank(4.2, title, f"{int(there.sum()):,} links{said}; {counted(len(study.suspects), 'suspect cable')}")
    axes = figure.subplots()
    open_frame(axes)
    most = float(max(measured.bytes[there].max(), expected[there].max())) or 1.0
    factor, unit = next((factor, unit) for factor, unit in _UNITS if most >= factor or factor == 1.0)
    axes.plot([0, most / factor], [0, most / factor], color=QUIET, linewidth=0.8, zorder=1)
    _points(axes, study, expected, there, factor)
    _names(axes, study, expected, factor)
    axes.set_xlabel(f"{what} [{unit}]")
    axes.set_ylabel(f"measured [{unit}]")
    axes.set_xlim(0, 1.05 * most / factor)
    axes.set_ylim(0, 1.05 * most / factor)
    axes.legend(loc="upper left")
    assert (topology.link_kind[there] != NVLINK).all()
    return figure


def _points(axes: "Axes", study: CounterStudy, expected: FloatVector, there: BoolVector, factor: float) -> None:
    topology = study.topology
    key = np.stack([topology.link_tier, topology.link_kind, topology.link_direction])
    for place, row in enumerate(np.unique(key[:, there], axis=1).T):
        some = there & (row == key.T).all(axis=1)
        tier, kind, direction = map(int, row)
        name = tier_name(kind, tier, direction) + ("" if direction == PEER else f" {DIRECTIONS[direction]}")
        axes.scatter(
            expected[some] / factor,
            study.measured.bytes[some] / factor,
            s=9,
            color=SERIES[(place + 1) % len(SERIES)],
            alpha=0.7,
            linewidths=0,
            label=name,
            zorder=2,
        )


def _names(axes: "Axes", study: CounterStudy, expected: FloatVector, factor: float) -> None:
    chosen = outliers(study, expected)
    suspect = {one.link for one in study.suspects}
    for link, name in zip(chosen, shortened([study.topology.link_name(one) for one in chosen], 48), strict=True):
        place = (float(expected[link]) / factor, float(study.measured.bytes[link]) / factor)
        colour = MISSING if link in suspect else QUIET
        axes.scatter(*place, s=26, facecolors="none", edgecolors=colour, linewidths=1.0, zorder=3)
        right = place[0] * factor > 0.6 * float(np.nanmax(expected))
        axes.annotate(
            f"{name}, {bytes_text(float(study.measured.bytes[link]))}",
            place,
            xytext=(-6 if right else 6, 4 if study.measured.bytes[link] >= expected[link] else -9),
            textcoords="offset points",
            ha="right" if right else "left",
            fontsize=7,
            color=colour,
        )
