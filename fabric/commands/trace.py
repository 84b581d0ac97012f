"""The command `trace`: what a trace contains."""

from pathlib import Path
from typing import Annotated

import typer

from fabric.commands.options import Force, Json
from fabric.commands.terminal import working


def trace(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Kineto traces, one file per rank.")],
    top: Annotated[int, typer.Option(min=0, help="Rows on the screen.")] = 20,
    json: Json = False,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="PATH", help="Write one row per operation.")] = None,
    force: Force = False,
) -> None:
    """What a trace contains: its collectives, their sizes and groups, and what is missing.

    \b
    Example:
      railscope trace rank0.json.gz rank1.json.gz
    """
    from fabric.files import check_writable, write_whole
    from fabric.reports import screen, trace as trace_report
    from traces.kineto import read_kineto

    if csv is not None:
        check_writable(csv, force)
    with working("reading"):
        contents = read_kineto(files)
    if csv is not None:
        write_whole(csv, trace_report.operations_csv(contents), force)
    if json:
        screen.print_json(trace_report.trace_document(contents))
    else:
        screen.print_report(
            [], trace_report.trace_tables(contents, top), [f"warning: {line}" for line in contents.warnings]
        )
