"""Which files a report may write: refused before a long computation, not after it."""

from collections.abc import Iterable
from pathlib import Path

from fabric.files import check_apart, check_writable, file_stem, unused_path
from fabric.jobs.requests import Collective, Request
from fabric.reports.figures.style import check_format


def check_outputs(figure: Path | None, others: Iterable[Path | None], force: bool) -> None:
    """Refuse files that could not be written.

    Raises
    ------
    InputError
        A figure whose ending is none of a picture; as `fabric.files.check_writable`.
    """
    if figure is not None:
        check_format(figure)
    given = [str(path) for path in (figure, *others) if path is not None]
    for path in given:
        check_writable(path, force)
    check_apart(iter(given))


def compare_figure_path(asked: Path | None, compared: str, traffic: Request) -> Path:
    """Where the picture of what is compared goes: as asked, or the first of its usual names that is free."""
    if asked is not None:
        return asked
    name = traffic.name if isinstance(traffic, Collective) else "job"
    return unused_path(f"railscope-{file_stem(compared)}-{name}.png")
