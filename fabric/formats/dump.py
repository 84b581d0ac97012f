"""Lines of a text dump, numbered; the same limits for every reader."""

from collections.abc import Iterator
from pathlib import Path

from collectives.errors import InputError
from traces.files import read_text

# Assumed: no tool is known to print longer ones.  Patterns stay fast on what is none of their lines.
MAX_LINE = 4096


def dump_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    r"""Number and text of each line of a plain, gzip or xz file, without line ends.

    Node descriptions may hold any bytes: those that are not UTF-8 come as ``\xNN``.
    """
    for number, line in enumerate(read_text(path, "backslashreplace").split("\n"), 1):
        if len(line) > MAX_LINE:
            raise InputError(f"{path}:{number}: a line of {len(line):,} characters; expected at most {MAX_LINE:,}")
        yield number, line.rstrip("\r")
