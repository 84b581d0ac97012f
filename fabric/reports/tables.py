"""Tables that fit: a row is a line, numbers and names stay whole, and what does not fit is named."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, assert_never

from collectives.saying import printable
from fabric.reports.csv_text import no_formula
from fabric.reports.words import shortened, wrapped

_GAP = "  "
_BELOW = "  "
# Enough of a shortened name to tell it from its neighbours: assumed.
_LEAST_NAME = 20
# A value narrower than this reads badly beside its key, and stands below it: assumed.
_LEAST_VALUE = 24


@dataclass(frozen=True)
class Table:
    """Rows of text under column names.

    Attributes
    ----------
    title : str
    columns : tuple of str
        Headings; on a screen they wrap at words.
    rows : tuple of tuple of str
        A row whose cells are all empty but those of `below` carries on the row before it.
    right : frozenset of str
        Columns of numbers, which are never shortened.
    below : tuple of str
        Columns that move to a line of their own below their row where the width is short, the first one first.
    shorten : frozenset of str
        Columns of names that may lose their middle.
    drop : tuple of str
        Columns that are left out where the width is still short, the first one first.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[str] = frozenset()
    below: tuple[str, ...] = ()
    shorten: frozenset[str] = frozenset()
    drop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """Names with a value each; values wrap at words."""

    title: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Line:
    """A line on the screen; headings stand out."""

    text: str
    heading: bool = False


@dataclass(frozen=True)
class _Plan:
    """Which columns stand in the row, below it, nowhere."""

    inside: tuple[int, ...]
    below: tuple[int, ...]
    hidden: tuple[int, ...]


def screen_lines(table: Table | Facts, width: int) -> list[Line]:
    """Lines of at most `width` characters (a first column of numbers is the one thing that may stand out)."""
    table = _shown(table)
    title = [Line(text, heading=True) for text in wrapped(table.title, width)]
    match table:
        case Facts():
            return [*title, *map(Line, _fact_lines(table, width))]
        case Table():
            return [*title, *_table_lines(table, width)] if table.rows else title
    assert_never(table)


def tab_separated(table: Table | Facts) -> list[str]:
    """All columns and whole names, as lines for a pipe; the title is a comment."""
    table = _shown(table)
    match table:
        case Facts():
            everything: tuple[tuple[str, ...], ...] = (("what", "value"), *table.rows)
        case Table():
            everything = (table.columns, *table.rows) if table.rows else ()
    return [f"# {table.title}", *("\t".join(map(no_formula, row)) for row in everything)]


def _shown(table: Table | Facts) -> Table | Facts:
    """The table without anything that a terminal obeys, or that would break a row."""
    rows: Any = tuple(tuple(map(_one_line, row)) for row in table.rows)
    return replace(table, title=_one_line(table.title), rows=rows)


def _one_line(cell: str) -> str:
    return printable(" ".join(cell.split()) if {"\t", "\n", "\r"} & set(cell) else cell)


def _fact_lines(facts: Facts, width: int) -> Iterator[str]:
    margin = max((len(name) for name, _ in facts.rows), default=0) + len(_GAP)
    beside = width - margin >= _LEAST_VALUE
    for name, value in facts.rows:
        if beside:
            yield from wrapped(value, width, name.ljust(margin), " " * margin)
        else:
            yield name
            yield from wrapped(value, width, _BELOW, _BELOW)


def _table_lines(table: Table, width: int) -> Iterator[Line]:
    plan = _planned(table, width)
    cells, heading, widths = _columns_in(table, plan.inside, width)
    for words in heading:
        yield Line(_joined(table, plan.inside, words, widths), heading=True)
    yield Line("-" * (sum(widths) + len(_GAP) * (len(widths) - 1)))
    for row, own in zip(table.rows, cells, strict=True):
        if any(own) or not any(row[column] for column in plan.below):
            yield Line(_joined(table, plan.inside, own, widths))
        for column in plan.below:
            if row[column]:
                name = f"{_BELOW}{table.columns[column]}: "
                yield from map(Line, wrapped(row[column], width, name, _BELOW + "  "))
    if plan.hidden:
        names = ", ".join(table.columns[column] for column in plan.hidden)
        yield from map(Line, wrapped(f"hidden at this width: {names}; a pipe or --json shows all", width))


def _planned(table: Table, width: int) -> _Plan:
    """Move columns below the row, then leave columns out, until the row fits."""
    plan = _Plan(tuple(column for column in range(len(table.columns)) if _used(table, column)), (), ())
    for column, moves in _moves(table):
        if len(plan.inside) == 1 or _least_width(table, plan.inside) <= width:
            break
        if column in plan.inside:
            inside = tuple(other for other in plan.inside if other != column)
            below = tuple(sorted((*plan.below, column))) if moves else plan.below
            hidden = plan.hidden if moves else tuple(sorted((*plan.hidden, column)))
            plan = _Plan(inside, below, hidden)
    return plan


def _moves(table: Table) -> Iterator[tuple[int, bool]]:
    """Columns in the order in which they leave the row, and whether they stay below it."""
    place = table.columns.index
    yield from ((place(name), True) for name in table.below)
    yield from ((place(name), False) for name in table.drop)
    others = range(len(table.columns) - 1, 0, -1)
    yield from ((column, True) for column in others if table.columns[column] not in table.right)
    yield from ((column, False) for column in others)


def _used(table: Table, column: int) -> bool:
    """Whether any row says anything in the column: one without is no loss on a screen."""
    return column == 0 or any(row[column] for row in table.rows)


def _widest(table: Table, column: int) -> int:
    return max((len(row[column]) for row in table.rows), default=0)


def _least(table: Table, column: int) -> int:
    """Narrowest width of a column: its longest number or name, its heading's longest word."""
    cells = _widest(table, column)
    if table.columns[column] in table.shorten:
        cells = min(cells, _LEAST_NAME)
    return max(cells, *(len(word) for word in table.columns[column].split(" ")))


def _least_width(table: Table, columns: tuple[int, ...]) -> int:
    return sum(_least(table, column) for column in columns) + len(_GAP) * (len(columns) - 1)


def _columns_in(
    table: Table, columns: tuple[int, ...], width: int
) -> tuple[list[list[str]], list[list[str]], list[int]]:
    """Cells of each row, lines of the heading, and widths, with as few lines of heading as fit."""
    spare = width - len(_GAP) * (len(columns) - 1)
    # Only a lone column can be wider than the screen.
    widths = [min(_least(table, column), width) for column in columns]
    for place, column in enumerate(columns):
        more = min(_widest(table, column) - widths[place], spare - sum(widths))
        widths[place] += max(more, 0)
    for lines in range(1, 1 + max(len(table.columns[column].split(" ")) for column in columns)):
        wider = [max(have, _heading_width(table.columns[c], lines)) for have, c in zip(widths, columns, strict=True)]
        if sum(wider) <= spare:
            widths = wider
            break
    headings = [_heading(table.columns[c], have) for c, have in zip(columns, widths, strict=True)]
    height = max(map(len, headings))
    raised = [[""] * (height - len(words)) + words for words in headings]
    heading = [list(words) for words in zip(*raised, strict=True)]
    cells = [
        [
            row[c] if table.columns[c] in table.right else shortened(row[c], have)
            for c, have in zip(columns, widths, strict=True)
        ]
        for row in table.rows
    ]
    return cells, heading, widths


def _heading(name: str, width: int) -> list[str]:
    """Lines of a heading, broken at words only."""
    lines = [""]
    for word in name.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".lstrip()
    return lines


def _heading_width(name: str, lines: int) -> int:
    """The narrowest width in which a heading takes no more than so many lines."""
    return next(width for width in range(1, len(name) + 1) if len(_heading(name, width)) <= lines and
                max(map(len, _heading(name, width))) <= width)  # fmt: skip


def _joined(table: Table, columns: tuple[int, ...], cells: list[str], widths: list[int]) -> str:
    placed = (
        cell.rjust(width) if table.columns[column] in table.right else cell.ljust(width)
        for column, cell, width in zip(columns, cells, widths, strict=True)
    )
    return _GAP.join(placed).rstrip()
