"""Heatmaps leaf x spine: one panel per design and direction, all on one scale."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from collectives.errors import InputError
from fabric.files import write_whole
from fabric.routing.link_loads import LinkLoads
from fabric.topology import DIRECTIONS, DOWN, ISL, SWITCH, UP, Topology

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".png", ".svg", ".pdf")


@dataclass(frozen=True, eq=False)
class Heatmap:
    """Load over capacity of the cables between leaves and spines.

    Leaves of different planes that stand at the same place share a row; each plane has its own spines.

    Attributes
    ----------
    seconds : (n_rows, n_columns) float64
        Of the busiest of the parallel cables; NaN without a cable.
    rows, columns : tuple of str
        A leaf's name (of the first plane), a spine's name.
    row_bounds, column_bounds : tuple of int
        Where a new rail or pod, and a new plane or set, begins.
    """

    seconds: npt.NDArray[np.float64]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    row_bounds: tuple[int, ...]
    column_bounds: tuple[int, ...]


def drawable(topology: Topology) -> bool:
    """Whether there are links between leaves and spines to draw."""
    return bool(((topology.link_kind == ISL) & (topology.link_tier == 2) & (topology.link_direction == UP)).any())


def leaf_spine_heatmap(loads: LinkLoads, direction: int) -> Heatmap:
    """The heatmap of one direction (`UP` or `DOWN`).

    Raises
    ------
    InputError
        If the fabric has no links between tiers 1 and 2.
    """
    topology = loads.topology
    chosen = np.flatnonzero(
        (topology.link_kind == ISL) & (topology.link_tier == 2) & (topology.link_direction == direction)
    )
    if chosen.size == 0:
        raise InputError(f"{topology.name}: no links between leaves and spines to draw")
    leaf = (topology.link_tail if direction == UP else topology.link_head)[chosen]
    spine = (topology.link_head if direction == UP else topology.link_tail)[chosen]
    leaves = np.flatnonzero((topology.nodes.kind == SWITCH) & (topology.nodes.tier == 1))
    spines = np.unique(spine)
    plane = topology.nodes.plane[leaves]
    place = np.empty(leaves.size, np.int64)
    for number in np.unique(plane):
        place[plane == number] = np.arange(np.count_nonzero(plane == number))
    row_of = np.full(topology.n_nodes, -1, np.int64)
    row_of[leaves] = place
    seconds = np.full((int(place.max()) + 1, spines.size), -np.inf)
    np.maximum.at(seconds, (row_of[leaf], np.searchsorted(spines, spine)), loads.seconds[chosen])
    seconds[np.isneginf(seconds)] = np.nan
    first_leaf = leaves[np.unique(place, return_index=True)[1]]
    rows = tuple(_without_plane(topology, int(node)) for node in first_leaf)
    columns = tuple(topology.nodes.name[int(node)] for node in spines)
    return Heatmap(seconds, rows, columns, _bounds(rows), _bounds(columns))


def _without_plane(topology: Topology, node: int) -> str:
    name, plane = topology.nodes.name[node], int(topology.nodes.plane[node])
    return name.removeprefix(f"p{plane}-")


def _bounds(names: tuple[str, ...]) -> tuple[int, ...]:
    """Where the part of the name before the switch's own number changes (rail, pod, plane)."""
    stems = [name.rsplit("-", 1)[0] if "-" in name else "" for name in names]
    return tuple(place for place in range(1, len(stems)) if stems[place] != stems[place - 1])


def compare_figure(panels: tuple[tuple[str, LinkLoads], ...], title: str, suffix: str = ".png") -> bytes:
    """Draw designs side by side (columns), both directions (rows), with one scale and one colour bar.

    Parameters
    ----------
    panels : tuple of (str, LinkLoads)
        Heading and loads of each design.
    title : str
    suffix : str
        One of `FORMATS`.

    Returns
    -------
    bytes
        The file's contents; the same input gives the same bytes.
    """
    check_format(f"figure{suffix}")
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.colors import LogNorm, Normalize

    maps = [[leaf_spine_heatmap(loads, direction) for _, loads in panels] for direction in (UP, DOWN)]
    values = np.concatenate([heat.seconds[np.isfinite(heat.seconds)] for row in maps for heat in row])
    top, positive = float(values.max()), values[values > 0]
    low = float(positive.min()) if positive.size else 0.0
    wide = low > 0 and top / low > 100
    norm: Normalize = LogNorm(low, top) if wide else Normalize(0.0, top or 1.0)
    unit, factor = ("us", 1e6) if top < 1e-3 else ("ms", 1e3) if top < 1 else ("s", 1.0)
    scaled: Normalize = LogNorm(low * factor, top * factor) if wide else Normalize(0.0, (norm.vmax or 1.0) * factor)
    colours = mpl.colormaps["cividis"].with_extremes(bad="0.75", under=mpl.colormaps["cividis"](0.0))
    with mpl.rc_context({"svg.hashsalt": "railscope", "font.size": 8, "axes.titlesize": 9}):
        figure, axes = plt.subplots(
            2, len(panels), figsize=(5.0 * len(panels) + 1.0, 8.0), squeeze=False, layout="constrained"
        )
        for row, direction in enumerate((UP, DOWN)):
            for column, (heading, _) in enumerate(panels):
                heat = maps[row][column]
                shown = np.where(heat.seconds == 0, -1.0, heat.seconds * factor) if wide else heat.seconds * factor
                image = axes[row][column].imshow(
                    np.ma.masked_invalid(shown), norm=scaled, cmap=colours, aspect="auto", interpolation="nearest"
                )
                _label(axes[row][column], heat, f"{heading}: {_arrow(direction)}")
        figure.colorbar(image, ax=axes, label=f"load / capacity [{unit}], busiest parallel cable", shrink=0.8)
        figure.suptitle(title)
        buffer = io.BytesIO()
        metadata: dict[str, Any] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix, {})
        smaller: dict[str, Any] = {"pil_kwargs": {"optimize": True}} if suffix == ".png" else {}
        figure.savefig(buffer, format=suffix[1:], dpi=85, metadata=metadata, **smaller)
        plt.close(figure)
    return buffer.getvalue()


def check_format(path: str | Path) -> None:
    """Refuse a figure's path whose ending is not in `FORMATS`."""
    if Path(path).suffix not in FORMATS:
        raise InputError(f"{path}: expected a figure's name that ends in {', '.join(FORMATS)}")


def write_figure(path: str | Path, data: bytes, force: bool = False) -> None:
    """Write a figure whole."""
    write_whole(path, data, force)


def _arrow(direction: int) -> str:
    return f"leaf -> spine ({DIRECTIONS[UP]})" if direction == UP else f"spine -> leaf ({DIRECTIONS[DOWN]})"


def _label(axes: "Axes", heat: Heatmap, title: str) -> None:
    axes.set_title(title)
    axes.set_ylabel("leaf")
    axes.set_xlabel("spine")
    for bounds, names, line, ticks in (
        (heat.row_bounds, heat.rows, axes.axhline, axes.set_yticks),
        (heat.column_bounds, heat.columns, axes.axvline, axes.set_xticks),
    ):
        for bound in bounds if len(bounds) < 40 else ():
            line(bound - 0.5, color="white", linewidth=0.6)
        shown = range(0, len(names), max(1, -(-len(names) // 16)))
        ticks(shown, [names[place] for place in shown], rotation=90 if line == axes.axvline else 0)
    axes.tick_params(labelsize=6)
