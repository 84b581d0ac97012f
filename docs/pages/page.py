"""A page that is made, and Markdown's pieces."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Page:
    """A page of the site.

    Attributes
    ----------
    path : str
        Where it stands, relative to ``docs/``; ends in ``.md``.
    text : str
        Markdown.
    """

    path: str
    text: str


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a bar in a cell is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def code(text: str, language: str = "text") -> str:
    """A fenced block."""
    return f"```{language}\n{text.rstrip()}\n```"


def docstring_text(text: str) -> str:
    """A docstring's prose as Markdown: double backticks become single ones."""
    return re.sub(r"``(.+?)``", r"`\1`", text)
