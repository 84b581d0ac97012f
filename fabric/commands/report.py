"""The command `report`: one page with several answers about one job, to hand on."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from collectives.saying import one_line, printable
from fabric.commands.option_tables import UsageError, options_of
from fabric.commands.options import FabricOptions, Force
from fabric.commands.report_file import ReportFile, read_report_file, section_words
from fabric.commands.resolve import opened
from fabric.commands.terminal import collecting, command_line, shell_line

if TYPE_CHECKING:
    from fabric.reports.emit import Report


def report(
    scenario: Annotated[
        Path,
        typer.Argument(
            metavar="SCENARIO", help="TOML: [fabric] and [traffic] or [workload]; [routing], [placement], [report]."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="PATH", help="The page, HTML.")],
    force: Force = False,
) -> None:
    """One page to hand on: naive to rail-aware, loads, whose they are, what breaks hurt, and the step of a workload.

    Keys of the file are options of the commands: `group = 64` of [traffic] is --group 64. Paths in it are
    as on the command line. The page opens in any browser, without a network.

    \b
    Example:
      railscope report scenario.toml -o report.html
    """
    from fabric.files import check_writable, write_whole
    from fabric.reports.html.page import html_page
    from fabric.reports.screen import print_report
    from fabric.reports.tables import Facts

    check_writable(output, force)
    given = read_report_file(scenario)
    reports, lines = _sections(given)
    write_whole(output, html_page(reports, [command_line(), *lines], given.title), force)
    print(f"railscope: wrote {printable(str(output))}", file=sys.stderr)
    verdicts = [(name, one.verdict.text) for name, one in zip(given.sections, reports, strict=True) if one.verdict]
    print_report((), [Facts(given.title or str(scenario), tuple(verdicts))])


def _sections(given: ReportFile) -> "tuple[list[Report], list[str]]":
    """The report of each section, and the command that makes it alone."""
    from collectives.errors import InputError
    from fabric.commands.app import app

    program: Any = typer.main.get_command(app)
    own = {section: options_of(program.commands[section]) for section in given.sections}
    places_itself = "compare" in given.sections and _described(given)
    if places_itself and "placement" in given.values and len(given.sections) > 1:
        print("railscope: note: compare places the job itself; [placement] is of the other sections", file=sys.stderr)
    reports: list[Report] = []
    lines = []
    for section in given.sections:
        words = section_words(given, section, own, places_itself)
        try:
            with collecting() as found:
                app(words, standalone_mode=False)
        except UsageError as error:
            said = error.format_message()  # type: ignore[attr-defined]
            said = said.removeprefix("Invalid value: ").removeprefix("Invalid value for ")
            raise InputError(f"{given.path}: {section}: {one_line(' '.join(said.split()))}") from None
        reports += found
        lines.append(shell_line(words))
    return reports, lines


def _described(given: ReportFile) -> bool:
    """Whether `compare` goes from naive to rail-aware, and so places the job itself."""
    if given.values.get("routing", {}).get("lfts") is not None:
        return False
    name, pattern = given.values["fabric"]["name"], given.values["fabric"].get("host-pattern")
    known = FabricOptions(name, host_pattern=pattern if isinstance(pattern, str) else None)
    return opened(known).description is not None
