"""A report and how it is given out: one way for every command."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from collectives.saying import printable
from fabric.files import write_all
from fabric.reports.documents.verdict import verdict_part
from fabric.reports.gates import Gates, Headline, crossed
from fabric.reports.page_parts import PageParts
from fabric.reports.screen import print_json, print_report
from fabric.reports.tables import Facts, Table
from fabric.studies.verdicts.verdict import Verdict


@dataclass(frozen=True)
class Report:
    """What a command has to say.

    Attributes
    ----------
    document : mapping
        Everything, for programs; its key `schema` says what it is (`fabric.reports.documents`).
    tables : sequence of Table
        What a person needs of it.
    verdict : Verdict or None
        The answer, in one or two sentences; first on the screen, and in the document.
    notes : sequence of str
        What stands below the tables.
    assumptions : sequence of str
        What the answer rests on, the most important first.
    headlines : sequence of Headline
        The figures that limits are set on.
    files : mapping of str to str or bytes
        Files to write, by path.
    page : callable
        Returns what a page shows besides (`PageParts`), once a page is written.
    """

    document: Mapping[str, object]
    tables: Sequence[Table | Facts]
    verdict: Verdict | None = None
    notes: Sequence[str] = ()
    assumptions: Sequence[str] = ()
    headlines: Sequence[Headline] = ()
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    page: Callable[[], PageParts] = PageParts


def emit(
    report: Report,
    *,
    json: bool,
    verbose: bool = False,
    force: bool = False,
    html: Path | None = None,
    command: str = "",
) -> None:
    """Write a report's files, all or none, and print it: one JSON document, or verdict, tables, notes, assumptions.

    Parameters
    ----------
    html : path, optional
        A page to write too (`fabric.reports.html`); `command` is what it says that it was made by.

    Raises
    ------
    InputError
        If a file cannot be written.
    """
    files = dict(report.files)
    if html is not None:
        files[str(html)] = _page(report, command)
    write_all(files, force)
    for path in files:
        print(f"railscope: wrote {printable(str(path))}", file=sys.stderr)
    if json:
        document = dict(report.document)
        if report.verdict is not None:
            document["verdict"] = verdict_part(report.verdict)
        if report.headlines:
            document["headline"] = list(report.headlines)
        print_json(document)
        return
    sentences = () if report.verdict is None else (report.verdict.text,)
    print_report(sentences, report.tables, report.notes, report.assumptions, verbose)


def _page(report: Report, command: str) -> str:
    from fabric.reports.html.page import html_page

    return html_page([report], [command])


def limits_crossed(report: Report, gates: Gates) -> list[str]:
    """A line for each limit that a report crosses; errors as for `fabric.reports.gates.crossed`."""
    return crossed(gates, report.headlines, str(report.document["schema"])) if report.headlines else []
