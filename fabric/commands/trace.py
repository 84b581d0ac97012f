"""The command `trace`: what a trace contains."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fabric.commands.choices import TRACE_FORMATS, choice, registered_trace_formats
from fabric.commands.options import OutputOptions
from fabric.commands.resolve import usage
from fabric.commands.terminal import finish, working
from fabric.commands.values import expanded

if TYPE_CHECKING:
    from fabric.reports.emit import Report


@dataclass(frozen=True)
class TraceOutput(OutputOptions):
    """Where the answer goes."""

    csv: Annotated[Path | None, typer.Option("--csv", metavar="PATH", help="Write one row per operation.")] = None
    top: Annotated[int, typer.Option(min=0, metavar="N", help="Rows on the screen.")] = 20


def trace(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files of one job: of each rank, a log, ...")],
    output: TraceOutput,
    trace_format: Annotated[
        str | None,
        choice("Their format [default: told]", TRACE_FORMATS, "--format", more=registered_trace_formats),
    ] = None,
) -> None:
    """What a trace contains: its collectives, their sizes and groups, and what is missing; exit 1 if no size is there.

    \b
    Example:
      railscope trace rank0.json.gz rank1.json.gz
    """
    named = expanded(files)

    from fabric.reports.files import check_outputs
    from fabric.reports.trace import trace_report
    from traces.nccl_xml import nccl_xml_kind
    from traces.registry import read_trace

    if len(named) == 1 and trace_format is None and (kind := nccl_xml_kind(named[0])):
        if output.csv is not None or output.figure is not None:
            usage(f"--csv, --figure: {named[0]} is of a host and holds no operations; expected neither")
        check_outputs(None, (output.html,), output.force)
        finish(_host_report(str(named[0]), kind), output)
        return
    check_outputs(output.figure, (output.html, output.csv), output.force)
    with working("reading"):
        contents = read_trace(named, trace_format)
    finish(trace_report(contents, output.top, output.figure, output.csv), output)
    if not any(operation.bytes is not None for operation in contents.operations):
        # The report says what is there instead; a script must not take it for success.
        raise typer.Exit(1)


def _host_report(path: str, kind: str) -> "Report":
    """What NCCL's XML says of a host."""
    from fabric.reports.nccl_host import graphs_report, host_report
    from traces.nccl_xml import read_nccl_graph, read_nccl_topology

    return host_report(read_nccl_topology(path)) if kind == "system" else graphs_report(path, read_nccl_graph(path))
