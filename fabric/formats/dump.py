"""Lines of a text dump, numbered; the same limits and the same patience for every reader.

Dumps are copied out of terminals: prompts, warnings of the tools, headers of logs and labels stand among their lines,
and blanks are not what they were.  A line that is none of the dump's is passed over and counted; one that looks like a
row of the dump and cannot be read is refused, as a cable would be lost without a word.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectives.errors import InputError
from collectives.gate import quoted
from collectives.sizes import numbered
from traces.files import read_text

# Assumed: no tool is known to print longer ones.  Patterns stay fast on what is none of their lines.
MAX_LINE = 4096
# Examples of an oddity that are kept; assumed: more than anybody reads.
_EXAMPLES = 1000
# Colours and cursor movements of terminals (ECMA-48, 5.4), titles of xterm, and what is left of them in logs.
_TERMINAL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\^_]|[\x07\x08]")


Ends = tuple[tuple[str, int | str | None], ...]
"""Nodes by name, each with its port's number or name; None for the whole node."""


@dataclass(frozen=True)
class Oddity:
    """Something in a dump that was passed over, and spoils nothing but itself.

    Attributes
    ----------
    kind : str
        In a word or two.
    text : str
        What is counted.
    count : int
    examples : tuple of str
        The first ones, with their place.
    ends : tuple of Ends
        Nodes and their ports of each example; empty where there are none to name.
    """

    kind: str
    text: str
    count: int
    examples: tuple[str, ...]
    ends: tuple[Ends, ...] = ()

    def note(self) -> str:
        """It in a line."""
        return f"{numbered(self.count, self.text)}, such as {self.examples[0]}"


class Oddities:
    """Collects what a reader passes over."""

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._found: dict[tuple[str, str], tuple[int, list[str], list[Ends]]] = {}
        self._first_line = ""

    def add(self, kind: str, text: str, example: str, ends: Ends = ()) -> None:
        """Count one more of its kind, perhaps with the nodes and ports that it is about."""
        count, examples, all_ends = self._found.get((kind, text), (0, [], []))
        if count < _EXAMPLES:
            examples.append(example)
            all_ends.append(ends)
        self._found[kind, text] = (count + 1, examples, all_ends)

    def pass_over(self, number: int, line: str, expected: str) -> None:
        """Count a line that is none of the dump's; blank lines and comments are not odd."""
        if not line or line.startswith("#"):
            return
        self._first_line = self._first_line or f"{self._path}:{number}: {quoted(line)}; expected {expected}"
        self.add("other lines", "lines are none of the dump's and are passed over", f"line {number}: {quoted(line)}")

    def check(self, understood: int) -> None:
        """Refuse a file of which more is passed over than understood.

        Raises
        ------
        InputError
            Names the first line that was passed over.
        """
        passed = sum(count for (kind, _), (count, *_) in self._found.items() if kind == "other lines")
        if passed > understood:
            more = f" ({passed:,} such lines, {understood:,} others)" if passed > 1 else ""
            raise InputError(f"{self._first_line}{more}")

    def all(self) -> tuple[Oddity, ...]:
        """What was passed over, by kind."""
        return tuple(
            Oddity(kind, text, count, tuple(examples), tuple(ends) if any(ends) else ())
            for (kind, text), (count, examples, ends) in self._found.items()
        )


def without_terminal(text: str) -> str:
    """Text without terminal sequences, and without blanks at the ends of its lines."""
    return "\n".join(line.strip() for line in _TERMINAL.sub("", text).split("\n"))


def dump_lines(path: str | Path, longest: int = MAX_LINE) -> Iterator[tuple[int, str]]:
    r"""Number and text of each line of a plain, gzip or xz file, without blanks and terminal sequences around it.

    A line of more characters than `longest` is refused.

    Node descriptions may hold any bytes: those that are not UTF-8 come as ``\xNN``.
    """
    for number, line in _lines(path, read_text(path, "backslashreplace"), longest):
        if "\x1b" in line or "\x07" in line or "\x08" in line:
            line = _TERMINAL.sub("", line)
        yield number, line.strip()


def _lines(path: str | Path, text: str, longest: int) -> Iterator[tuple[int, str]]:
    """Lines one by one: a list of them would be as large as the text again, and more."""
    first, number = 0, 1
    while True:
        stop = text.find("\n", first)
        size = (len(text) if stop < 0 else stop) - first
        if size > longest:
            raise InputError(f"{path}:{number}: a line of {size:,} characters; expected at most {longest:,}")
        yield number, text[first : first + size]
        if stop < 0:
            return
        first, number = stop + 1, number + 1


def unreadable(path: str | Path, number: int, line: str, expected: str) -> InputError:
    """What to say of a row that cannot be read."""
    return InputError(f"{path}:{number}: {quoted(line)}; expected {expected}; is the dump whole?")
