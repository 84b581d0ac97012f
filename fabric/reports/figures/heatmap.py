"""Loads between two tiers of switches as a matrix: who hands how much to whom, and where a cable is missing.

Most fabrics are made of blocks that have no cable to one another: planes, pods, the spines of a rail.  A matrix of all
switches would be empty but for them.  So each connected block is packed: blocks stand on one another and share columns,
planes stand side by side and share rows.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from collectives.demand import Int32Vector, Int64Vector
from fabric.reports.figures.style import MISSING
from fabric.routing.link_loads import LinkLoads
from fabric.topology import ISL, UP, Topology

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize

TIER_WORDS = {1: "leaf", 2: "spine", 3: "core"}
# More rows or columns than these are drawn by blocks: a pixel must not swallow a hot link.
MAX_ROWS, MAX_COLUMNS = 200, 320
# Peers of so many switches at most are drawn one against the other: of more, cells are smaller than a dot.
MAX_PEERS = 128


@dataclass(frozen=True, order=True)
class Tiers:
    """Two tiers of switches with cables between them, or one tier whose switches are joined."""

    lower: int
    upper: int

    @property
    def within(self) -> bool:
        """Whether the cables stay in one tier."""
        return self.lower == self.upper

    def word(self, tier: int) -> str:
        """What the switches of a tier are called; plain switches where all are alike."""
        return "switch" if self.within and tier == 1 else TIER_WORDS.get(tier, f"tier {tier}")


@dataclass(frozen=True, eq=False)
class Heatmap:
    """Load over capacity of the cables of two tiers in one direction.

    Attributes
    ----------
    seconds : (n_rows, n_columns) float64
        Of the busiest of the parallel cables; NaN without a cable.
    missing : (n_rows, n_columns) int64
        Cables fewer than most pairs of the block have.
    rows, columns : tuple of str
        Of the lower and the upper switches.
    row_bounds, column_bounds : tuple of int
        Where a new block, rail, pod or plane begins.
    cell : (int, int)
        Switches that a cell stands for, up and across: it has the load of the busiest, and misses as many cables as
        the worst.
    """

    seconds: npt.NDArray[np.float64]
    missing: Int64Vector
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    row_bounds: tuple[int, ...]
    column_bounds: tuple[int, ...]
    cell: tuple[int, int] = (1, 1)


def switch_tiers(topology: Topology) -> tuple[Tiers, ...]:
    """The pairs of tiers that cables between switches join, from the leaves upwards."""
    tier = topology.nodes.tier
    isl = np.flatnonzero(topology.link_kind == ISL)
    ends = np.sort(np.stack([tier[topology.link_tail[isl]], tier[topology.link_head[isl]]], axis=1), axis=1)
    return tuple(Tiers(int(lower), int(upper)) for lower, upper in np.unique(ends, axis=0))


def links_between(topology: Topology, tiers: Tiers, direction: int) -> Int64Vector:
    """Links of a direction between two tiers; within a tier all of them."""
    tier = topology.nodes.tier
    first, last = (tiers.lower, tiers.upper) if direction == UP else (tiers.upper, tiers.lower)
    chosen = (topology.link_kind == ISL) & (tier[topology.link_tail] == first) & (tier[topology.link_head] == last)
    return np.flatnonzero(chosen)


def tiers_heatmap(loads: LinkLoads, tiers: Tiers, direction: int) -> Heatmap:
    """The matrix of one direction (`UP`, `DOWN` or `PEER`), a lower switch (or sender) per row.

    O(n_links log n_links).
    """
    topology = loads.topology
    links = links_between(topology, tiers, direction)
    tail, head = topology.link_tail[links], topology.link_head[links]
    low, high = (tail, head) if direction == UP or tiers.within else (head, tail)
    layout = _square(topology, low, high) if tiers.within else _packed(topology, low, high)
    shape = (len(layout.rows), len(layout.columns))
    seconds = np.full(shape, -np.inf)
    n_cables, missing = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    cells = (layout.row_of[low], layout.column_of[high])
    np.maximum.at(seconds, cells, loads.seconds[links])
    np.add.at(n_cables, cells, 1)
    seconds[n_cables == 0] = np.nan
    for rows, columns in layout.blocks:
        block = np.ix_(rows, columns)
        usual = int(np.median(n_cables[block]))
        missing[block] = np.maximum(usual - n_cables[block], 0)
    whole = Heatmap(seconds, missing, layout.rows, layout.columns, layout.row_bounds, layout.column_bounds)
    return reduced(whole, MAX_ROWS, MAX_COLUMNS)


@dataclass(frozen=True, eq=False)
class _Layout:
    """Where each switch stands; `row_of` and `column_of` by node; rows and columns of each block of cables."""

    row_of: Int64Vector
    column_of: Int64Vector
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    row_bounds: tuple[int, ...]
    column_bounds: tuple[int, ...]
    blocks: tuple[tuple[Int64Vector, Int64Vector], ...]


def _square(topology: Topology, low: Int32Vector, high: Int32Vector) -> _Layout:
    """All switches against all; nothing is missing, as nothing says who should be joined."""
    nodes = _by_name(topology, np.union1d(low, high))
    place = np.full(topology.n_nodes, -1)
    place[nodes] = np.arange(len(nodes))
    names = tuple(topology.nodes.name[node] for node in nodes)
    bounds = _stem_bounds(names)
    return _Layout(place, place, names, names, bounds, bounds, ())


def _packed(topology: Topology, low: Int32Vector, high: Int32Vector) -> _Layout:
    parts = _parts(topology, low, high)
    planes: dict[int, list[tuple[list[int], list[int]]]] = {}
    for lows, highs in parts:
        planes.setdefault(int(topology.nodes.plane[lows[0]]), []).append((lows, highs))
    stacks = {plane: [node for lows, _ in own for node in lows] for plane, own in planes.items()}
    labels = [tuple(_without_plane(topology, node) for node in stack) for stack in stacks.values()]
    if len(set(labels)) > 1:
        # Planes that differ cannot share rows.
        planes = {0: parts}
        stacks = {0: [node for lows, _ in parts for node in lows]}
        labels = [tuple(topology.nodes.name[node] for node in stacks[0])]
    row_of, column_of = (np.full(topology.n_nodes, -1) for _ in range(2))
    columns: list[str] = []
    column_bounds, blocks = [], []
    for plane, own in planes.items():
        row_of[stacks[plane]] = np.arange(len(stacks[plane]))
        width = max(len(highs) for _, highs in own)
        for lows, highs in own:
            column_of[highs] = len(columns) + np.arange(len(highs))
            blocks.append((row_of[lows], column_of[highs]))
        shared = [[topology.nodes.name[highs[n]] for _, highs in own if n < len(highs)] for n in range(width)]
        column_bounds.append(len(columns))
        columns += [_shared_name(names, n) for n, names in enumerate(shared)]
    first = next(iter(planes.values()))
    starts = np.cumsum([len(lows) for lows, _ in first])[:-1]
    return _Layout(
        row_of,
        column_of,
        labels[0],
        tuple(columns),
        tuple(int(start) for start in starts) or _stem_bounds(labels[0]),
        tuple(column_bounds[1:]) or _stem_bounds(columns),
        tuple(blocks),
    )


def _parts(topology: Topology, low: Int32Vector, high: Int32Vector) -> list[tuple[list[int], list[int]]]:
    """Lower and upper switches of each connected block, in the order of names."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = topology.n_nodes
    _, label = connected_components(coo_array((np.ones(len(low)), (low, high)), shape=(n, n)), directed=False)
    parts: dict[int, tuple[list[int], list[int]]] = {}
    for end, nodes in enumerate((low, high)):
        for node in _by_name(topology, np.unique(nodes)):
            parts.setdefault(int(label[node]), ([], []))[end].append(node)
    return list(parts.values())


def _by_name(topology: Topology, nodes: npt.NDArray[np.integer]) -> list[int]:
    """Nodes as a person lists them: leaf9 before leaf10."""

    def key(node: int) -> list[tuple[int, str]]:
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name[node])]

    name = topology.nodes.name
    return sorted(nodes.tolist(), key=key)


def _without_plane(topology: Topology, node: int) -> str:
    name, plane = topology.nodes.name[node], int(topology.nodes.plane[node])
    return name.removeprefix(f"p{plane}-")


def _shared_name(names: Sequence[str], place: int) -> str:
    """The name of a column that several blocks share: what their switches' names have in common, or a number."""
    if len(names) == 1:
        return names[0]
    own = {name.rpartition("-")[2] for name in names}
    return own.pop() if len(own) == 1 else f"#{place + 1}"


def _stem_bounds(names: Sequence[str]) -> tuple[int, ...]:
    """Where the part of the name before the switch's own number changes (rail, pod, plane)."""
    stems = [name.rpartition("-")[0] for name in names]
    return tuple(place for place in range(1, len(stems)) if stems[place] != stems[place - 1])


def reduced(heat: Heatmap, rows: int, columns: int) -> Heatmap:
    """At most so many rows and columns: a cell is the busiest of those it stands for."""
    up = -(-len(heat.rows) // rows)
    across = -(-len(heat.columns) // columns)
    if up == across == 1:
        return heat
    row_starts, column_starts = np.arange(0, len(heat.rows), up), np.arange(0, len(heat.columns), across)
    # fmax ignores NaN, unless all are.
    seconds = np.fmax.reduceat(np.fmax.reduceat(heat.seconds, row_starts, axis=0), column_starts, axis=1)
    missing = np.maximum.reduceat(np.maximum.reduceat(heat.missing, row_starts, axis=0), column_starts, axis=1)
    return Heatmap(
        seconds,
        missing,
        heat.rows[::up],
        heat.columns[::across],
        tuple(dict.fromkeys(bound // up for bound in heat.row_bounds)),
        tuple(dict.fromkeys(bound // across for bound in heat.column_bounds)),
        (up * heat.cell[0], across * heat.cell[1]),
    )


def norm_of(maps: Sequence[Heatmap], factor: float) -> "Normalize | None":
    """One scale for maps that are compared, in seconds times `factor`; None where nothing is carried.

    Linear from zero, unless what is carried spans more than two decades.
    """
    from matplotlib.colors import LogNorm, Normalize

    carried = np.concatenate([heat.seconds[heat.seconds > 0] for heat in maps] or [np.empty(0)]) * factor
    if carried.size == 0:
        return None
    low, top = float(carried.min()), float(carried.max())
    return LogNorm(low, top) if top > 100 * low else Normalize(0.0, top)


def cell_colours(heat: Heatmap, factor: float, norm: "Normalize", colours: "Colormap") -> npt.NDArray[np.uint8]:
    """What is drawn, (n_rows, n_columns, 4) uint8: load, `MISSING` where no cable is left, or nothing at all.

    A cable that carries nothing has the scale's lowest colour.
    """
    from matplotlib.colors import to_rgba

    seconds = np.nan_to_num(heat.seconds * factor, nan=0.0)
    # Of a logarithmic scale the zeros lie below it.
    shades = norm(np.maximum(seconds, norm.vmin or 0.0))
    cells = colours(np.ma.filled(shades, 0.0), bytes=True)
    cells[np.isnan(heat.seconds)] = 0
    cells[np.isnan(heat.seconds) & (heat.missing > 0)] = np.round(np.array(to_rgba(MISSING)) * 255)
    return np.asarray(cells, np.uint8)


def draw_heatmap(
    axes: "Axes", heat: Heatmap, cells: npt.NDArray[np.uint8], width_in: float, named: tuple[bool, bool]
) -> None:
    """Draw cells with the names of some switches, lines where blocks begin, and a dot where some cables are missing.

    Parameters
    ----------
    width_in : float
        About how wide the axes are, inches: as many columns are named as fit.
    named : (bool, bool)
        Whether rows, and columns, are named.
    """
    axes.imshow(cells, aspect="auto", interpolation="nearest")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=1.5, pad=1.5, labelsize=6.5)
    for bounds, line in ((heat.row_bounds, axes.axhline), (heat.column_bounds, axes.axvline)):
        for bound in bounds if len(bounds) < 40 else ():
            line(bound - 0.5, color="white", linewidth=0.8 if len(bounds) < 10 else 0.4)
    row, column = np.nonzero((heat.missing > 0) & ~np.isnan(heat.seconds))
    axes.scatter(column, row, s=9 if len(heat.rows) <= 40 else 2, color=MISSING, linewidths=0)
    rows = named_places(heat.rows, heat.row_bounds, 12)
    longest = max(map(len, heat.columns))
    lying = longest <= 8
    columns = named_places(heat.columns, heat.column_bounds, int(width_in * 72 / (4 * longest + 9 if lying else 12)))
    axes.set_yticks(rows if named[0] else [], [heat.rows[place] for place in rows if named[0]])
    axes.set_xticks(
        columns if named[1] else [],
        [heat.columns[place] for place in columns if named[1]],
        rotation=0 if lying else 90,
    )


def named_places(names: Sequence[str], bounds: Sequence[int], most: int) -> list[int]:
    """At most about `most` places to name, spread evenly; the first of each block, where blocks are few."""
    starts = [0, *bounds]
    if len(starts) > most:
        starts = [0]
    per_block = max(1, most // len(starts))
    places = []
    for start, stop in zip(starts, [*starts[1:], len(names)], strict=True):
        step = -(-(stop - start) // per_block)
        # A name just before the next block's first would touch it.
        end = stop if stop == len(names) else stop - 0.7 * step
        places += [place for place in range(start, stop, step) if place == start or place < end]
    return places
