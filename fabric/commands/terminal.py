"""What commands do with the terminal: refuse in one line, show that they work, tell a crossed threshold.

Data goes to standard output, messages and progress to standard error.
"""

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import NoReturn

import typer


def fail(message: str) -> NoReturn:
    """Refuse with one line on standard error, exit 1."""
    print(f"railscope: error: {message}", file=sys.stderr)
    raise SystemExit(1)


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner on standard error, on a terminal only, for what takes over a second."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    status = Console(stderr=True).status(what)
    late = threading.Timer(1.0, status.start)
    late.daemon = True
    late.start()
    try:
        yield
    finally:
        late.cancel()
        late.join()
        status.stop()


def over_threshold(what: str, worst: float | None, limit: float | None) -> None:
    """Exit 3 if the user's threshold is crossed."""
    if limit is not None and worst is not None and worst > limit:
        print(f"railscope: {what} {worst:.3f} is above --max-imbalance {limit:g}", file=sys.stderr)
        raise typer.Exit(3)
