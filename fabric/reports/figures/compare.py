"""Loads of designs side by side: heatmaps between the tiers of switches, and all links sorted."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from fabric.reports.figures.heatmap import (
    MAX_PEERS,
    Heatmap,
    Tiers,
    cell_colours,
    draw_heatmap,
    links_between,
    norm_of,
    switch_tiers,
    tiers_heatmap,
)
from fabric.reports.figures.sorted_loads import LINE, draw_sorted, sorted_loads
from fabric.reports.figures.style import (
    INK,
    MISSING,
    PALE,
    QUIET,
    SERIES,
    WIDTH_IN,
    blank,
    drawn,
    time_unit,
)
from fabric.reports.words import seconds_text
from fabric.routing.link_loads import LinkLoads
from fabric.topology import DIRECTIONS, DOWN, ISL, NIC, PEER, UP

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpecFromSubplotSpec

_NOTHING = {Tiers(1, 2): "nothing crosses the spines", Tiers(2, 3): "nothing crosses the cores"}


@dataclass(frozen=True, eq=False)
class Panel:
    """A design to draw, and what its title says of it.

    Attributes
    ----------
    heading : str
    loads : LinkLoads
    time_s, busbw_GBps : float or None
    hottest : str or None
        The link that sets the time, in a few words.
    """

    heading: str
    loads: LinkLoads
    time_s: float | None = None
    busbw_GBps: float | None = None
    hottest: str | None = None


def compare_figure(panels: Sequence["Panel | tuple[str, LinkLoads]"], title: str, suffix: str = ".png") -> bytes:
    """Draw designs side by side, both directions of every pair of tiers on one scale, and all links sorted by load.

    A single design has its directions side by side.  Any fabric can be drawn: without cables between switches, or with
    too many switches in one tier, the sorted loads remain.

    Parameters
    ----------
    panels : sequence of Panel, or of (str, LinkLoads)
        The designs; a pair is a heading and loads.
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
    designs = tuple(panel if isinstance(panel, Panel) else Panel(*panel) for panel in panels)
    return drawn(lambda: _figure(designs, title), suffix)


def idle_text(loads: LinkLoads, tiers: Tiers) -> str | None:
    """Why cables between two tiers are idle, in words; None if they carry something."""
    topology = loads.topology
    carries = loads.bytes > 0
    if any(carries[links_between(topology, tiers, direction)].any() for direction in (UP, DOWN)):
        return None
    if not carries.any():
        return "no traffic"
    below = (topology.link_kind == ISL) & (topology.link_tier < tiers.upper)
    stays = (
        "turns back at the spines"
        if carries[below].any()
        else "stays on its own switch"
        if tiers.within and carries[topology.link_kind == NIC].any()
        else "stays under the leaves"
        if carries[topology.link_kind == NIC].any()
        else "stays in NVLink"
    )
    return f"{_NOTHING.get(tiers, 'nothing passes between switches')}:\n{stays}"


@dataclass(frozen=True, eq=False)
class _Place:
    """A heatmap, or the words that stand for an idle one, and where in the grid it goes."""

    design: int
    tiers: Tiers
    direction: int
    row: slice
    column: slice
    heat: Heatmap | None
    words: str | None


def _places(designs: Sequence[Panel], tiers: Tiers, first_row: int) -> list[_Place]:
    """Several designs: a column each, up over down.  One design: up beside down."""
    directions = (PEER,) if tiers.within else (UP, DOWN)
    alone = len(designs) == 1
    places = []
    for number, panel in enumerate(designs):
        words = idle_text(panel.loads, tiers)
        column = slice(0, 2) if alone else slice(number, number + 1)
        if words is not None:
            rows = slice(first_row, first_row + (1 if alone else len(directions)))
            places.append(_Place(number, tiers, directions[0], rows, column, None, words))
            continue
        for place, direction in enumerate(directions):
            row = first_row if alone else first_row + place
            if alone and len(directions) == 2:
                column = slice(place, place + 1)
            heat = tiers_heatmap(panel.loads, tiers, direction)
            places.append(_Place(number, tiers, direction, slice(row, row + 1), column, heat, None))
    return places


def drawn_tiers(designs: Sequence[Panel]) -> list[Tiers]:
    """Tiers of any of the designs whose cables are drawn; too many peers are not."""
    found = {tiers for panel in designs for tiers in switch_tiers(panel.loads.topology)}
    return sorted(tiers for tiers in found if not (tiers.within and _most_peers(designs, tiers) > MAX_PEERS))


def _most_peers(designs: Sequence[Panel], tiers: Tiers) -> int:
    return max(
        np.unique(panel.loads.topology.link_tail[links_between(panel.loads.topology, tiers, PEER)]).size
        for panel in designs
    )


def _figure(designs: Sequence[Panel], title: str) -> "Figure":
    places: list[_Place] = []
    heights: list[float] = []
    for tiers in drawn_tiers(designs):
        own = _places(designs, tiers, len(heights))
        places += own
        n_rows = max(place.row.stop for place in own) - len(heights)
        all_idle = all(place.heat is None for place in own)
        heights += [(0.7 if all_idle else 3.4 if tiers.within else 1.95) / (n_rows if all_idle else 1)] * n_rows
    if len(heights) > 2:
        heights = [min(height, 1.6) if height < 3 else height for height in heights]
    sorted_height = 1.75 if heights else 2.2
    alone = len(designs) == 1
    subtitle = _facts(designs[0]) if alone else ""
    width = WIDTH_IN + 3.0 * max(0, len(designs) - 2)
    figure = blank(sum(heights) + 0.5 * bool(heights) + sorted_height, title, subtitle, width)
    ratios = [sum(heights) + 0.5, sorted_height] if heights else [sorted_height]
    outer = figure.add_gridspec(len(ratios), 1, height_ratios=ratios)
    unit, factor = time_unit(max(panel.loads.bottleneck_time_s for panel in designs))
    label = f"load / capacity [{unit}]"
    if heights:
        grid = outer[0].subgridspec(len(heights), 2 if alone else len(designs), height_ratios=heights)
        _draw_maps(figure, grid, designs, places, factor, label)
    _draw_all_sorted(figure, outer[-1], designs, factor, label)
    _legend(figure, designs, places, width)
    return figure


def _draw_maps(
    figure: "Figure",
    grid: "GridSpecFromSubplotSpec",
    designs: Sequence[Panel],
    places: Sequence[_Place],
    factor: float,
    label: str,
) -> None:
    import matplotlib as mpl
    from matplotlib.cm import ScalarMappable

    norm = norm_of([place.heat for place in places if place.heat is not None], factor)
    colours = mpl.colormaps["cividis"]
    alone = len(designs) == 1
    last_row = {place.tiers: max(p.row.stop for p in places if p.tiers == place.tiers) for place in places}
    first_rows = {place.tiers: place.heat.rows for place in reversed(places) if place.heat is not None}
    width_in = (figure.get_figwidth() - 1.3) / grid.ncols
    all_axes = []
    for place in places:
        axes = figure.add_subplot(grid[place.row, place.column])
        all_axes.append(axes)
        first = place.column.start == 0
        if not alone and place.row.start == 0:
            axes.set_title(_design_title(designs[place.design], int(width_in * 16)))
        if place.heat is None or norm is None:
            _draw_words(axes, place.words or "")
            continue
        named = (
            first or place.heat.rows != first_rows[place.tiers],
            alone or place.row.stop == last_row[place.tiers],
        )
        wide_in = width_in * (place.column.stop - place.column.start)
        draw_heatmap(axes, place.heat, cell_colours(place.heat, factor, norm, colours), wide_in, named)
        way = way_text(place.tiers, place.direction)
        up, across = place.heat.cell
        if (up, across) != (1, 1):
            way += f"; a cell: the busiest of {up} x {across}"
        if alone:
            axes.set_title(way)
        elif first:
            axes.set_ylabel(way)
        if named[1] and any(name.startswith("#") for name in place.heat.columns):
            axes.set_xlabel(f"{place.tiers.word(place.tiers.upper)}, by its place in its group")
    if norm is not None:
        bar = figure.colorbar(ScalarMappable(norm, colours), ax=all_axes, label=label, pad=0.015, aspect=40, shrink=0.9)
        bar.outline.set_visible(False)


def _draw_words(axes: "Axes", words: str) -> None:
    axes.set_facecolor(PALE)
    axes.spines[:].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", fontsize=9)


def _draw_all_sorted(figure: "Figure", where: Any, designs: Sequence[Panel], factor: float, label: str) -> None:
    curves = [sorted_loads(panel.loads) for panel in designs]
    names = list(dict.fromkeys(name for of_design in curves for name in of_design))
    grid = where.subgridspec(1, max(1, len(names)))
    top = max(panel.loads.bottleneck_time_s for panel in designs) * factor or 1.0
    for number, name in enumerate(names):
        axes = figure.add_subplot(grid[0, number])
        own = [(SERIES[n % len(SERIES)], of_design.get(name, ())) for n, of_design in enumerate(curves)]
        draw_sorted(axes, own, name, factor)
        axes.set_ylim(0, top * 1.04)
        if number:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel(label)
        axes.set_xlabel("links, the busiest first")


def _legend(figure: "Figure", designs: Sequence[Panel], places: Sequence[_Place], width_in: float) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    several = len(designs) > 1
    # Without heatmaps there are no titles that say how fast a design is.
    headings = [panel.heading if places else _design_title(panel) for panel in designs]
    handles: list[Any] = [
        Line2D([], [], color=SERIES[number % len(SERIES)], label=heading)
        for number, heading in enumerate(headings)
        if several
    ]
    shade = QUIET if several else SERIES[0]
    handles += [Line2D([], [], color=shade, linestyle=LINE[way], label=DIRECTIONS[way]) for way in (UP, DOWN)]
    maps = [place.heat for place in places if place.heat is not None]
    if any((np.isnan(heat.seconds) & (heat.missing > 0)).any() for heat in maps):
        handles.append(Patch(color=MISSING, label="no cable, where peers have one"))
    if any((~np.isnan(heat.seconds) & (heat.missing > 0)).any() for heat in maps):
        label = "fewer cables than peers have"
        handles.append(Line2D([], [], marker="o", markersize=3.5, linestyle="", color=MISSING, label=label))
    letters = sum(len(handle.get_label()) + 7 for handle in handles)
    n_rows = -(-letters // int(width_in * 17))
    figure.legend(handles=handles, loc="outside lower center", ncols=-(-len(handles) // n_rows), labelcolor=INK)


def way_text(tiers: Tiers, direction: int) -> str:
    """From which switches to which: ``leaf -> spine (up)``."""
    low, high = tiers.word(tiers.lower), tiers.word(tiers.upper)
    if tiers.within:
        return f"{low} -> {low}"
    return f"{low} -> {high} (up)" if direction == UP else f"{high} -> {low} (down)"


def _facts(panel: Panel) -> str:
    parts = [
        seconds_text(panel.time_s) if panel.time_s is not None else "",
        f"busbw {panel.busbw_GBps:.4g} GB/s" if panel.busbw_GBps is not None else "",
        f"hottest {panel.hottest}" if panel.hottest else "",
    ]
    return ", ".join(part for part in parts if part)


def _design_title(panel: Panel, letters: int = 80) -> str:
    """Heading, numbers and hottest link, in lines of so many letters."""
    numbers = _facts(Panel("", panel.loads, panel.time_s, panel.busbw_GBps))
    parts = [f"{panel.heading}: {numbers}" if numbers else panel.heading]
    if len(parts[0]) > letters:
        parts = [panel.heading, numbers]
    parts += [f"hottest: {panel.hottest}"] if panel.hottest else []
    return "\n".join(line for part in parts for line in wrap(part, letters))
