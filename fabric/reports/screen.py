"""Where reports go: lines on a terminal as wide as it is, tab-separated text into a pipe, one JSON document."""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from collectives.saying import printable
from collectives.sizes import counted
from fabric.reports.tables import Facts, Line, Table, screen_lines, tab_separated
from fabric.reports.words import wrapped

# A width below this is none that a table fits (a COLUMNS of 0, 1 or -5), and the usual one is taken.
_NARROWEST, _USUAL = 20, 80
# Where an assumption comes from stands in brackets at its end.
_SOURCE = re.compile(r" \(([^()]*)\)$")


def screen_width() -> int | None:
    """Columns of the terminal that standard output is (`COLUMNS` overrules it); None for a pipe or a file."""
    if not sys.stdout.isatty():
        return None
    columns = shutil.get_terminal_size().columns
    return columns if columns >= _NARROWEST else _USUAL


def render_report(
    verdict: Sequence[str],
    tables: Sequence[Table | Facts],
    notes: Sequence[str] = (),
    assumptions: Sequence[str] = (),
    verbose: bool = False,
    width: int | None = None,
) -> str:
    """What limits, the tables, notes, and what was assumed.

    Parameters
    ----------
    verdict : sequence of str
        Sentences a person can act on.
    assumptions : sequence of str
        The most important one first.  Without `verbose` they are counted and only the first is said.
    width : int, optional
        Characters a line; None for a pipe: tab-separated tables, with all else as ``#`` comments.
    """
    if width is None:
        return "\n".join(_pipe_lines(verdict, tables, notes, assumptions, verbose)) + "\n"
    lines = _report_lines(verdict, tables, notes, assumptions, verbose, width)
    return "\n".join(line.text for line in lines) + "\n"


def print_report(
    verdict: Sequence[str],
    tables: Sequence[Table | Facts],
    notes: Sequence[str] = (),
    assumptions: Sequence[str] = (),
    verbose: bool = False,
) -> None:
    """The report on standard output, as wide as the terminal is, headings bold unless ``NO_COLOR`` is set."""
    width = screen_width()
    if width is None or os.environ.get("NO_COLOR"):
        sys.stdout.write(render_report(verdict, tables, notes, assumptions, verbose, width))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=True, highlight=False, width=width)
    for line in _report_lines(verdict, tables, notes, assumptions, verbose, width):
        console.print(Text(line.text, style="bold" if line.heading else ""))


def print_json(document: Mapping[str, object]) -> None:
    """One document on standard output, dataclasses as objects; NaN and infinity never occur in it."""
    print(json.dumps(document, indent=2, allow_nan=False, default=asdict))


def with_source(assumption: str) -> tuple[str, str]:
    """An assumption, and where it comes from; empty where it does not say."""
    found = _SOURCE.search(assumption)
    return (assumption, "") if found is None else (assumption[: found.start()], found[1])


def assumed(assumptions: Sequence[str], verbose: bool) -> list[str]:
    """Each assumption with its source; or how many there are, and the first one without its source."""
    if verbose or not assumptions:
        return [f"assumed: {line}" for line in assumptions]
    first, source = with_source(assumptions[0])
    if len(assumptions) == 1:
        return [f"assumes: {first}" + ("; --verbose says why" if source else "")]
    return [f"assumes {counted(len(assumptions), 'thing')}, first: {first}; --verbose lists all"]


def _report_lines(
    verdict: Sequence[str],
    tables: Sequence[Table | Facts],
    notes: Sequence[str],
    assumptions: Sequence[str],
    verbose: bool,
    width: int,
) -> list[Line]:
    said = map(printable, verdict)
    rest = map(printable, (*notes, *assumed(assumptions, verbose)))
    sentences = [Line(text, heading=True) for sentence in said for text in wrapped(sentence, width, rest="")]
    ending = [Line(text) for line in rest for text in wrapped(line, width)]
    blocks = [sentences, *(screen_lines(table, width) for table in tables), ending]
    lines: list[Line] = []
    for block in filter(None, blocks):
        lines += [*([Line("")] if lines else []), *block]
    return lines


def _pipe_lines(
    verdict: Sequence[str],
    tables: Sequence[Table | Facts],
    notes: Sequence[str],
    assumptions: Sequence[str],
    verbose: bool,
) -> Iterator[str]:
    yield from (f"# {printable(sentence)}" for sentence in verdict)
    for table in tables:
        yield from (*tab_separated(table), "")
    yield from (f"# {printable(line)}" for line in (*notes, *assumed(assumptions, verbose)))
