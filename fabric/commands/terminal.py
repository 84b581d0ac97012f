"""What commands do with the terminal: refuse in one line, show that they work, give a report out.

Data goes to standard output, messages and progress to standard error.
"""

import contextlib
import os
import shlex
import sys
import threading
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, NoReturn, Protocol

import typer

from collectives.saying import one_line, printable
from collectives.sizes import format_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType
    from rich.status import Status
    from rich.table import Table
    from rich.text import Text

    from fabric.reports.emit import Report
    from fabric.reports.gates import Gates


# What takes longer is shown.
PATIENCE_S = 1.0


class Output(Protocol):
    """How the user wants the answer."""

    @property
    def json(self) -> bool:
        """One JSON document instead of text."""

    @property
    def verbose(self) -> bool:
        """Each assumption instead of their count."""

    @property
    def html(self) -> "Path | None":
        """A page to write."""

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
    from rich.text import Text

    with _late_status(Text(what)) as status:
        _shown.append((status, Text(what)))
        try:
            yield
        finally:
            _shown.pop()


class Show(Protocol):
    """Shows what is done."""

    def __call__(self, done: int, total: int, more: str = "") -> None:
        """So much of so much; `more` stands behind it."""


@contextlib.contextmanager
def progressing(what: str) -> Iterator[Show]:
    """As `working`; gives a function that is told what is done, and of how much."""
    from rich.text import Text

    with working(what):
        status = _shown[-1][0] if _shown else None

        def show(done: int, total: int, more: str = "") -> None:
            if status is not None:
                status.update(Text(f"{what} {done:,} of {total:,}" + (f", {more}" if more else "")))

        yield show


# What `working` shows, and what it says.
_shown: "list[tuple[Status, Text]]" = []


@contextlib.contextmanager
def _late_status(said: "RenderableType") -> Iterator["Status"]:
    from rich.console import Console

    status = Console(stderr=True).status(said)
    late = threading.Timer(PATIENCE_S, status.start)
    late.daemon = True
    late.start()
    try:
        yield status
    finally:
        late.cancel()
        late.join()
        status.stop()


@contextlib.contextmanager
def showing_reads() -> Iterator[None]:
    """A bar on standard error, on a terminal only, while a large file is read that takes over a second."""
    if not sys.stderr.isatty():
        yield
        return
    from traces.files import watched

    with contextlib.ExitStack() as own:

        def show(path: str, passed: int, size: int) -> None:
            if not _shown:
                own.enter_context(working("reading"))
            status, said = _shown[-1]
            status.update(said if passed >= size else _bar(path, passed, size))
            if passed >= size:
                own.close()

        with watched(show):
            yield


def _bar(path: str, passed: int, size: int) -> "Table":
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    line = Table.grid(padding=(0, 1))
    line.add_row(
        Text(f"reading {printable(os.path.basename(path))[:30]}"),
        ProgressBar(size, passed, width=24),
        Text(f"{passed / size:.0%} of {format_bytes(size)}"),
    )
    return line


def print_report(report: "Report", json: bool, verbose: bool = False) -> None:
    """Give a report without files out."""
    from fabric.reports.emit import emit

    emit(report, json=json, verbose=verbose)


def command_line() -> str:
    """What the user typed, as a shell reads it."""
    return shell_line(sys.argv[1:])


def shell_line(words: Sequence[str]) -> str:
    """Words of a command of railscope as a shell reads them."""
    return shlex.join(["railscope", *words])


_collected: "ContextVar[list[Report] | None]" = ContextVar("collected", default=None)


@contextlib.contextmanager
def collecting() -> "Iterator[list[Report]]":
    """Reports that commands finish within go into the list, and nowhere else."""
    found: list[Report] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def finish(report: "Report", output: Output, limits: "Gates | None" = None) -> None:
    """Give a report out; exit 3 if the user's limits are crossed."""
    collected = _collected.get()
    if collected is not None:
        collected.append(report)
        return
    from fabric.reports.emit import emit, limits_crossed

    lines = [] if limits is None else limits_crossed(report, limits)
    emit(report, json=output.json, verbose=output.verbose, force=output.force, html=output.html, command=command_line())
    for line in lines:
        print(f"railscope: limit crossed: {line}", file=sys.stderr)
    if lines:
        raise typer.Exit(3)
