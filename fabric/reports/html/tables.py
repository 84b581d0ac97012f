"""Tables of a report as a page shows them: whole names, one row for a row and what carries it on."""

from collections.abc import Sequence
from dataclasses import dataclass

from fabric.reports.screen import with_source
from fabric.reports.tables import Facts, Table


@dataclass(frozen=True)
class PageTable:
    """A table of a page.

    Attributes
    ----------
    title : str
    columns : tuple of str
        Headings; none for names with a value each.
    right : tuple of bool
        Whether a column holds numbers.
    rows : tuple of tuple of tuple of str
        Lines of each cell.
    wordy : bool
        Whether several columns hold sentences, which must share the page's width.
    """

    title: str
    columns: tuple[str, ...]
    right: tuple[bool, ...]
    rows: tuple[tuple[tuple[str, ...], ...], ...]
    wordy: bool = False


@dataclass(frozen=True)
class Assumption:
    """What was assumed, and where it comes from; empty where it does not say."""

    text: str
    source: str


def page_table(table: Table | Facts) -> PageTable:
    """All columns that say anything."""
    if isinstance(table, Facts):
        rows = tuple(((name,), (value,)) for name, value in table.rows)
        return PageTable(table.title, (), (False, False), rows)
    used = [place for place in range(len(table.columns)) if place == 0 or any(row[place] for row in table.rows)]
    columns = tuple(table.columns[place] for place in used)
    carried = [place for place, name in enumerate(columns) if name in table.below]
    merged: list[list[list[str]]] = []
    for row in table.rows:
        cells = [row[place] for place in used]
        if merged and not any(cell for place, cell in enumerate(cells) if place not in carried):
            for place in carried:
                merged[-1][place] += [cells[place]] if cells[place] else []
        else:
            merged.append([[cell] for cell in cells])
    return PageTable(
        table.title,
        columns,
        tuple(name in table.right for name in columns),
        tuple(tuple(tuple(lines) for lines in row) for row in merged),
        len(carried) > 1,
    )


def assumptions_of(lines: Sequence[str]) -> tuple[Assumption, ...]:
    """Each assumption with its source apart."""
    return tuple(Assumption(*with_source(line)) for line in lines)
