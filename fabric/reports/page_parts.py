"""What a page has room for and a screen has not: drawings, and tables with more rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fabric.reports.tables import Facts, Table

if TYPE_CHECKING:
    from fabric.reports.figures.compare import Panel

# Rows of a table that is cut on a screen: assumed to be more than anybody reads, and few enough for a page.
PAGE_ROWS = 300


@dataclass(frozen=True)
class TimeBar:
    """A design and how long it takes.

    Attributes
    ----------
    name : str
    time_s : float
        Seconds.
    times_s : sequence of float
        Of every seed, where seeds decide.
    """

    name: str
    time_s: float
    times_s: Sequence[float] = ()


@dataclass(frozen=True)
class Picture:
    """A figure that is drawn when a page is written.

    Attributes
    ----------
    title : str
        What it shows, for those who do not see it.
    draw : callable
        From a file's ending (``.svg``) to the contents of such a file.
    """

    title: str
    draw: Callable[[str], bytes]


@dataclass(frozen=True)
class PageParts:
    """What a page shows of a report besides its verdict, notes and assumptions.

    Attributes
    ----------
    title : str
        Of the page; that of the first table where nothing is said.
    bars : sequence of TimeBar
        Designs side by side, in the order of the report.
    panels : sequence of Panel
        Designs whose loads are drawn as maps, on one scale.
    pictures : sequence of Picture
    tables : sequence of Table or Facts
        Shown instead of the report's own, where they have more rows than a screen; none: the report's own.
    """

    title: str = ""
    bars: Sequence[TimeBar] = ()
    panels: Sequence["Panel"] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table | Facts] = ()
