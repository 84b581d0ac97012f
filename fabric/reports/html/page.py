"""One page of one report or several: a file that a browser opens anywhere."""

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collectives.saying import printable
from fabric.reports.gates import Headline
from fabric.reports.html.charts import Bar, Curves, bars_of, curves_of
from fabric.reports.html.maps import MOST_CELLS, Maps, load_maps, shade_colours
from fabric.reports.html.tables import Assumption, PageTable, assumptions_of, page_table
from fabric.reports.page_parts import PageParts
from fabric.reports.words import number_text, ratio_text, seconds_text

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

    from fabric.reports.emit import Report

_HERE = Path(__file__).parent
# What a page may load: nothing but its own style and script, known by their hashes, and pictures in itself.
_POLICY = (
    "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
# Bytes: some hundred curves. Assumed; a point for each of a million flows would make a page nobody can mail.
_MOST_SVG = 500_000
_FORMATS = {".svg": "image/svg+xml", ".png": "image/png"}


@dataclass(frozen=True)
class Tile:
    """A figure that stands out, and what it is."""

    what: str
    value: str


@dataclass(frozen=True)
class CauseView:
    """A cause and what helps, in words."""

    text: str
    remedies: tuple[str, ...]


@dataclass(frozen=True)
class PictureView:
    """A picture within the page."""

    title: str
    source: str


@dataclass(frozen=True)
class SectionView:
    """A report as the template shows it."""

    id: str
    kind: str
    title: str
    verdict: str
    tiles: tuple[Tile, ...]
    causes: tuple[CauseView, ...]
    bars: tuple[Bar, ...]
    maps: Maps | None
    curves: Curves | None
    pictures: tuple[PictureView, ...]
    tables: tuple[PageTable, ...]
    notes: tuple[str, ...]
    assumptions: tuple[Assumption, ...]


_HELPS = "What helps, each lever alone, run through the model:"
# Where there is no job to be run: of a fabric that was checked.
_MENDS = "The mend that matters most:"


def html_page(reports: "Sequence[Report]", commands: Sequence[str], title: str = "") -> str:
    """A page of reports, the first one first; the same reports give the same page.

    Parameters
    ----------
    reports : sequence of Report
        At least one.
    commands : sequence of str
        What made it, as a shell reads it; then what makes each section alone.
    title : str
        Of the page; the first report's where nothing is said.

    Returns
    -------
    str
        HTML that needs nothing from elsewhere.
    """
    from markupsafe import Markup

    pages = [report.page() for report in reports]
    share = MOST_CELLS // max(1, sum(1 for page in pages if page.panels))
    sections = tuple(_section(n, *both, share) for n, both in enumerate(zip(reports, pages, strict=True), 1))
    style = _text("page.css") + "\n".join(f".c{n} {{ fill: {one}; }}" for n, one in enumerate(shade_colours()))
    script = _text("page.js")
    kinds = dict.fromkeys(section.kind for section in sections)
    return _template().render(
        title=title or sections[0].title,
        kind=f"railscope {', '.join(kinds)}",
        sections=sections,
        commands=commands,
        version=version("railscope"),
        policy=_POLICY.format(style=_hash(style), script=_hash(script)),
        # The only text that is not escaped: files of this folder.
        style=Markup(style),
        script=Markup(script),
    )


def _section(number: int, report: "Report", page: PageParts, most_cells: int) -> SectionView:
    verdict = report.verdict
    causes = () if verdict is None else verdict.causes
    helps = () if verdict is None else verdict.helps
    if len(causes) == 1 and not causes[0].remedies and not helps:
        # The verdict has said it.
        causes = ()
    why = [CauseView(_sentence(one.text), tuple(_sentence(each.text) for each in one.remedies)) for one in causes]
    if helps:
        tried = any(one.time_s is not None for one in helps)
        why.append(CauseView(_HELPS if tried else _MENDS, tuple(_sentence(one.text) for one in helps)))
    return SectionView(
        f"s{number}",
        str(report.document["schema"]).removeprefix("railscope.").partition("/")[0],
        page.title or next((table.title for table in report.tables), ""),
        "" if verdict is None else verdict.text,
        tuple(_tiles(report.headlines)),
        tuple(why),
        bars_of(page.bars),
        load_maps(page.panels, most_cells) if page.panels else None,
        curves_of(page.panels) if page.panels else None,
        tuple(PictureView(one.title, _inlined(one.draw)) for one in page.pictures),
        tuple(page_table(table) for table in page.tables or report.tables),
        # A picture beside the page is not handed on with it, and the page has its own.
        tuple(note for note in report.notes if note.removeprefix("figure: ") not in report.files),
        assumptions_of(report.assumptions),
    )


def _tiles(headlines: Sequence[Headline]) -> Iterator[Tile]:
    """The figures of the first headline, which is the report's own."""
    if not headlines:
        return
    first = headlines[0]
    of = f", {first.name}" if len(headlines) > 1 else ""
    if first.time_s is not None:
        yield Tile(f"time{of}", seconds_text(first.time_s))
    if first.busbw_GBps is not None:
        yield Tile(f"busbw{of}", f"{number_text(first.busbw_GBps, '.4g')} GB/s")
    if first.over_bound is not None:
        yield Tile("times the bound", ratio_text(first.over_bound, ".3f"))
    if first.imbalance is not None:
        yield Tile("max/mean between switches", number_text(first.imbalance, ".2f"))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _inlined(draw: Callable[[str], bytes]) -> str:
    """A picture that scales, or one of dots where very many things are drawn."""
    contents, suffix = draw(".svg"), ".svg"
    if len(contents) > _MOST_SVG:
        contents, suffix = draw(".png"), ".png"
    return f"data:{_FORMATS[suffix]};base64,{base64.b64encode(contents).decode('ascii')}"


def _text(name: str) -> str:
    return (_HERE / name).read_text("utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


@cache
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finished,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html.j2")


def _finished(value: Any) -> "Any | Markup":
    """Text from outside as it is shown everywhere: nothing that turns the order of letters around."""
    return printable(value) if type(value) is str else value
