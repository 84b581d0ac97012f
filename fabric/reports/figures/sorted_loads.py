"""Sorted loads of every tier: which part of the links is how busy, of several designs on one axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from collectives.demand import FloatVector
from fabric.reports.figures.style import open_frame
from fabric.routing.link_loads import LinkLoads
from fabric.studies.hotspots import tier_name
from fabric.topology import DOWN, NVLINK, PEER, UP

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Points of a curve: as many as a panel is wide, however many links there are.
POINTS = 200

LINE: dict[int, Any] = {UP: "-", DOWN: (0, (2.5, 1.5)), PEER: "-"}


@dataclass(frozen=True, eq=False)
class SortedLoads:
    """Loads of the links of one tier and direction, the busiest first.

    Attributes
    ----------
    direction : int
    n_links : int
    percent : (n_points,) float64
        Part of the links, from 0 to 100.
    seconds : (n_points,) float64
        Load over capacity: so much or more on that part of the links.
    """

    direction: int
    n_links: int
    percent: FloatVector
    seconds: FloatVector


def sorted_loads(loads: LinkLoads) -> dict[str, tuple[SortedLoads, ...]]:
    """Curves by the tier's name (NVLink, host, leaf-spine, ...), from the endpoints upwards."""
    topology = loads.topology
    key = np.stack(
        [
            np.where(topology.link_kind == NVLINK, -1, topology.link_kind),
            topology.link_tier,
            topology.link_direction == PEER,
            topology.link_direction,
        ]
    )
    found: dict[str, list[SortedLoads]] = {}
    distinct, member = np.unique(key, axis=1, return_inverse=True)
    for number in range(distinct.shape[1]):
        links = np.flatnonzero(member.reshape(-1) == number)
        kind, tier, direction = (
            int(column[links[0]]) for column in (topology.link_kind, topology.link_tier, topology.link_direction)
        )
        # Where all switches are alike, there are no tiers to name.
        name = "between switches" if direction == PEER and tier == 1 else tier_name(kind, tier, direction)
        curve = SortedLoads(direction, links.size, *_curve(loads.seconds[links]))
        found.setdefault(name, []).append(curve)
    return {name: tuple(curves) for name, curves in found.items()}


def _curve(seconds: FloatVector) -> tuple[FloatVector, FloatVector]:
    """Steps, thinned to `POINTS`: the busiest and the idlest link are always there."""
    falling = np.sort(seconds)[::-1]
    place = np.unique(np.linspace(0, len(falling) - 1, min(len(falling), POINTS)).round().astype(np.int64))
    percent = np.append(place, len(falling)) * (100.0 / len(falling))
    return percent, np.append(falling[place], falling[-1])


def draw_sorted(axes: "Axes", curves: Sequence[tuple[str, tuple[SortedLoads, ...]]], name: str, factor: float) -> None:
    """One tier's panel: a colour per design, upward links solid, downward ones dashed.

    Parameters
    ----------
    curves : sequence of (str, tuple of SortedLoads)
        Colour and curves of each design.
    factor : float
        From seconds to the axis' unit.
    """
    open_frame(axes)
    for number, (colour, of_design) in enumerate(curves):
        for curve in of_design:
            axes.plot(
                curve.percent,
                curve.seconds * factor,
                color=colour,
                linestyle=LINE[curve.direction],
                drawstyle="steps-post",
                # Where designs agree, the earlier one shows on both sides of the later.
                linewidth=1.3 + 1.3 * (len(curves) - 1 - number) / max(1, len(curves) - 1),
                clip_on=False,
            )
    n_links = max((curve.n_links for _, of_design in curves for curve in of_design), default=0)
    peers = any(curve.direction == PEER for _, of_design in curves for curve in of_design)
    axes.set_title(f"{name}, {n_links:,} links" + ("" if peers else " each way"))
    axes.set_xlim(0, 100)
    axes.set_ylim(bottom=0)
    axes.set_xticks([0, 50, 100], ["0", "50", "100 %"])
