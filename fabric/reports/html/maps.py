"""Maps of loads for a page: a shade and a sentence for each cell, drawn by the template as inline SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from fabric.reports.figures.compare import Panel, drawn_tiers, idle_text, way_text
from fabric.reports.figures.heatmap import Heatmap, named_places, norm_of, reduced, tiers_heatmap
from fabric.reports.words import seconds_text
from fabric.topology import DOWN, PEER, UP

if TYPE_CHECKING:
    from matplotlib.colors import Normalize

# Shades of the scale: more than an eye tells apart.
SHADES = 64
# Cells on a page at most: a cell takes about 75 bytes (docs/decisions.md).
MOST_CELLS = 50_000
# Pixels: how wide a map is where it has room, its largest and smallest cells, and a letter of a name.
_WIDTH, _LARGEST, _SMALLEST, _LETTER = 480.0, (40.0, 22.0), (2.0, 2.0), 6.3
_HEIGHT, _LINE, _GAP = 340.0, 12.0, 6.0
# A name on an axis is cut to so many letters.
_LONGEST = 18


@dataclass(frozen=True)
class Cell:
    """Neighbours of a row with one shade and one value.

    Attributes
    ----------
    column, width : int
    shade : str
        A class of the style sheet: ``c0`` to ``c63``, or ``gone`` where no cable is left.
    marked : bool
        Whether cables are missing here.
    text : str
        From which switch to which, and how long.
    """

    column: int
    width: int
    shade: str
    marked: bool
    text: str


@dataclass(frozen=True)
class Name:
    """A name on an axis: its place in pixels, cut, and whole."""

    place: float
    text: str
    whole: str


@dataclass(frozen=True)
class Map:
    """A map, or the words that stand for an idle one.

    Attributes
    ----------
    heading, way : str
        The design, and from which switches to which.
    words : str
        Why nothing is drawn; empty where something is.
    summary : str
        What it shows, in a sentence.
    rows : tuple of tuple of Cell
    n_columns : int
    row_bounds, column_bounds : tuple of int
        Where a new block begins.
    row_names, column_names : tuple of Name
    left, bottom : float
        Room of the names, pixels.
    cell : (float, float)
        Width and height of a cell, pixels.
    lying : bool
        Whether names of columns lie, or stand on end.
    """

    heading: str
    way: str
    words: str = ""
    summary: str = ""
    rows: tuple[tuple[Cell, ...], ...] = ()
    n_columns: int = 0
    row_bounds: tuple[int, ...] = ()
    column_bounds: tuple[int, ...] = ()
    row_names: tuple[Name, ...] = ()
    column_names: tuple[Name, ...] = ()
    left: float = 0.0
    bottom: float = 0.0
    cell: tuple[float, float] = (1.0, 1.0)
    lying: bool = True

    @property
    def n_cells(self) -> int:
        """Elements that are drawn."""
        return sum(map(len, self.rows))

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in pixels, names included."""
        return (
            round(self.left + self.n_columns * self.cell[0] + 4, 1),
            round(len(self.rows) * self.cell[1] + self.bottom + 8, 1),
        )


@dataclass(frozen=True)
class Scale:
    """What the shades mean: values and their places, 0 to 1."""

    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Maps:
    """Maps that are compared.

    Attributes
    ----------
    rows : tuple of tuple of Map
        A row for each pair of tiers and direction, a column for each design; a single design has both in a row.
    scale : Scale or None
        None where nothing is carried.
    gone, fewer : bool
        Whether any map has cells without a cable that peers have, and cells with fewer cables than peers.
    """

    rows: tuple[tuple[Map, ...], ...]
    scale: Scale | None
    gone: bool = False
    fewer: bool = False


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A map before it has shades."""

    heading: str
    way: str
    heat: Heatmap | None
    words: str
    up: bool


def load_maps(panels: Sequence[Panel], most_cells: int = MOST_CELLS) -> Maps:
    """The maps of designs between all tiers of switches, on one scale.

    Parameters
    ----------
    panels : sequence of Panel
    most_cells : int
        Where there would be more, a cell stands for several switches and has the load of the busiest.

    Returns
    -------
    Maps
    """
    found = tuple(_rows_of(panels))
    heats = [one.heat for row in found for one in row if one.heat is not None]
    norm = norm_of(heats, 1.0)
    coarser = 1
    while True:
        rows = tuple(tuple(_with_heat(one, coarser) for one in row) for row in found)
        made = tuple(tuple(_shaded(one, norm) for one in row) for row in rows)
        if coarser >= 1 << 16 or sum(one.n_cells for row in made for one in row) <= most_cells:
            break
        coarser *= 2
    gone = any((np.isnan(heat.seconds) & (heat.missing > 0)).any() for heat in heats)
    fewer = any((~np.isnan(heat.seconds) & (heat.missing > 0)).any() for heat in heats)
    return Maps(made, _scale(norm), gone, fewer)


def _rows_of(panels: Sequence[Panel]) -> Iterator[tuple[_Drawn, ...]]:
    for tiers in drawn_tiers(panels):
        said = [idle_text(panel.loads, tiers) for panel in panels]
        words = [None if one is None else one.replace("\n", " ") for one in said]
        if None not in words:
            level = f"{tiers.word(tiers.lower)} and {tiers.word(tiers.upper)}"
            yield tuple(
                _Drawn(panel.heading, level, None, idle or "", True) for panel, idle in zip(panels, words, strict=True)
            )
            continue
        rows = [
            tuple(
                _Drawn(
                    panel.heading,
                    way_text(tiers, direction).replace("->", "→"),
                    tiers_heatmap(panel.loads, tiers, direction) if idle is None else None,
                    idle or "",
                    direction != DOWN,
                )
                for panel, idle in zip(panels, words, strict=True)
            )
            for direction in ((PEER,) if tiers.within else (UP, DOWN))
        ]
        # A single design has its directions side by side.
        yield from [tuple(one for row in rows for one in row)] if len(panels) == 1 else rows


def _with_heat(one: _Drawn, coarser: int) -> _Drawn:
    """The same with fewer cells: columns are joined first, then rows, by turns."""
    if one.heat is None or coarser == 1:
        return one
    across = 2 ** -(-(coarser.bit_length() - 1) // 2)
    up = coarser // across
    heat = reduced(one.heat, max(1, -(-len(one.heat.rows) // up)), max(1, -(-len(one.heat.columns) // across)))
    return _Drawn(one.heading, one.way, heat, one.words, one.up)


def _shaded(one: _Drawn, norm: "Normalize | None") -> Map:
    if one.heat is None or norm is None:
        return Map(one.heading, one.way, one.words or "no traffic")
    # Of a logarithmic scale the zeros lie below it.
    seconds = np.maximum(np.nan_to_num(one.heat.seconds, nan=0.0), norm.vmin or 0.0)
    shade = np.round(np.ma.filled(norm(seconds), 0.0) * (SHADES - 1)).astype(np.int64)
    return _map(one, one.heat, np.clip(shade, 0, SHADES - 1).tolist())


def _map(one: _Drawn, heat: Heatmap, shade: list[list[int]]) -> Map:
    n_rows, n_columns = heat.seconds.shape
    width = min(_LARGEST[0], max(_SMALLEST[0], _WIDTH / n_columns))
    height = min(_LARGEST[1], max(_SMALLEST[1], _HEIGHT / n_rows))
    rows = named_places(heat.rows, heat.row_bounds, 12)
    longest = min(_LONGEST, max(map(len, heat.columns)))
    lying = longest <= 8
    most = max(1, int(n_columns * width / (_LETTER * longest + 6 if lying else 14)))
    columns = named_places(heat.columns, heat.column_bounds, most)
    return Map(
        one.heading,
        one.way,
        summary=_summary(one, heat),
        rows=tuple(_cells(one, heat, row, shade[row]) for row in range(n_rows)),
        n_columns=n_columns,
        row_bounds=heat.row_bounds if len(heat.row_bounds) < 40 else (),
        column_bounds=heat.column_bounds if len(heat.column_bounds) < 40 else (),
        row_names=tuple(_name(heat.rows[row], (row + 0.5) * height) for row in rows),
        column_names=tuple(_name(heat.columns[column], (column + 0.5) * width) for column in columns),
        left=round(_GAP + _LETTER * min(_LONGEST, max(len(heat.rows[row]) for row in rows)), 1),
        bottom=round(_GAP + (_LINE if lying else _LETTER * longest), 1),
        cell=(round(width, 3), round(height, 3)),
        lying=lying,
    )


def _name(text: str, place: float) -> Name:
    cut = text if len(text) <= _LONGEST else f"{text[: _LONGEST // 3]}..{text[len(text) - 2 * _LONGEST // 3 + 2 :]}"
    return Name(round(place, 1), cut, text)


def _cells(one: _Drawn, heat: Heatmap, row: int, shade: list[int]) -> tuple[Cell, ...]:
    """Cells of a row; neighbours with the same value are one."""
    missing = heat.missing[row].tolist()
    values = [None if np.isnan(value) else seconds_text(value) for value in heat.seconds[row].tolist()]
    keys = [(value, short, shade[place]) for place, (value, short) in enumerate(zip(values, missing, strict=True))]
    cells = []
    column = 0
    for (value, short, level), run in groupby(keys):
        width = sum(1 for _ in run)
        if value is not None or short:
            text = _cell_text(one, heat, row, column, width, value, short)
            cells.append(Cell(column, width, "gone" if value is None else f"c{level}", bool(short and value), text))
        column += width
    return tuple(cells)


def _cell_text(one: _Drawn, heat: Heatmap, row: int, column: int, width: int, value: str | None, short: int) -> str:
    upper = heat.columns[column]
    if width > 1:
        upper += f" .. {heat.columns[column + width - 1]}"
    ends = (heat.rows[row], upper) if one.up else (upper, heat.rows[row])
    if value is None:
        return f"{ends[0]} → {ends[1]}: no cable"
    lacking = f", {short} missing" if short else ""
    return f"{ends[0]} → {ends[1]}: {value}{lacking}"


def _summary(one: _Drawn, heat: Heatmap) -> str:
    """Busiest cell and mean, for those who do not see the map."""
    known = ~np.isnan(heat.seconds)
    row, column = np.unravel_index(int(np.nanargmax(heat.seconds)), heat.seconds.shape)
    ends = (heat.rows[row], heat.columns[column]) if one.up else (heat.columns[column], heat.rows[row])
    up, across = heat.cell
    joined = f"; a cell: the busiest of {up} x {across}" if (up, across) != (1, 1) else ""
    mean = seconds_text(float(heat.seconds[known].mean()))
    return f"busiest {ends[0]} → {ends[1]}, {seconds_text(float(heat.seconds[row, column]))}; mean {mean}{joined}"


def _scale(norm: "Normalize | None") -> Scale | None:
    if norm is None or norm.vmin is None or norm.vmax is None:
        return None
    places = (0.0, 0.25, 0.5, 0.75, 1.0)
    return Scale(tuple((place, seconds_text(float(norm.inverse(place)))) for place in places))


def shade_colours() -> tuple[str, ...]:
    """The colours of the shades, of cividis: told apart with any colour vision (Nunez and others, PLOS ONE 2018)."""
    import matplotlib as mpl
    from matplotlib.colors import to_hex

    colours = mpl.colormaps["cividis"]
    return tuple(to_hex(colours(number / (SHADES - 1))) for number in range(SHADES))
