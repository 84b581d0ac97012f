"""What commands do with the terminal: refuse in one line, show that they work, give a report out.

Data goes to standard output, messages and progress to standard error.
"""

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn, Protocol

import typer

from collectives.saying import one_line

if TYPE_CHECKING:
    from fabric.reports.emit import Report
    from fabric.reports.gates import Gates


class Output(Protocol):
    """How the user wants the answer."""

    @property
    def json(self) -> bool:
        """One JSON document instead of text."""

    @property
    def verbose(self) -> bool:
        """Each assumption instead of their count."""

    @property
    def force(self) -> bool:
        """Files that are there may be replaced."""


def fail(message: str) -> NoReturn:
    """Refuse with one line on standard error, exit 1."""
    print(f"railscope: error: {one_line(message)}", file=sys.stderr)
    raise SystemExit(1)


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner on standard error, on a terminal only, for what takes over a second."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.text import Text

    status = Console(stderr=True).status(Text(what))
    late = threading.Timer(1.0, status.start)
    late.daemon = True
    late.start()
    try:
        yield
    finally:
        late.cancel()
        late.join()
        status.stop()


def print_report(report: "Report", json: bool, verbose: bool = False) -> None:
    """Give a report without files out."""
    from fabric.reports.emit import emit

    emit(report, json=json, verbose=verbose)


def finish(report: "Report", output: Output, limits: "Gates | None" = None) -> None:
    """Give a report out; exit 3 if the user's limits are crossed."""
    from fabric.reports.emit import emit, limits_crossed

    lines = [] if limits is None else limits_crossed(report, limits)
    emit(report, json=output.json, verbose=output.verbose, force=output.force)
    for line in lines:
        print(f"railscope: limit crossed: {line}", file=sys.stderr)
    if lines:
        raise typer.Exit(3)
