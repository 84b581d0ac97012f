"""A page for every command, made from its ``--help``."""

from collections.abc import Iterator
from typing import Any

import typer.main
from typer.testing import CliRunner

from docs.pages.page import Page, code, table
from fabric.commands.app import app

COLUMNS = 100


def command_pages() -> Iterator[Page]:
    """The index, then the commands in the order in which the program lists them."""
    commands = list(_walk(typer.main.get_command(app), ()))
    rows = [(f"[{' '.join(path)}]({_file(path)})", command.get_short_help_str(200)) for path, command in commands]
    yield Page(
        "commands/index.md",
        f"# Commands\n\n{table(('command', 'what it does'), rows)}\n\n"
        "Exit status: 0 done; 1 failed, with one line that says why; 2 usage; 3 a threshold is crossed.\n\n"
        + code(help_text(())),
    )
    for path, _ in commands:
        yield Page(f"commands/{_file(path)}", f"# railscope {' '.join(path)}\n\n{code(help_text(path))}\n")


def help_text(path: tuple[str, ...]) -> str:
    """What ``railscope PATH... --help`` prints, without colours.

    Raises
    ------
    RuntimeError
        If there is no such help.
    """
    environment = {"COLUMNS": str(COLUMNS), "TERMINAL_WIDTH": str(COLUMNS), "NO_COLOR": "1", "TERM": "dumb"}
    result = CliRunner(env=environment).invoke(app, [*path, "--help"], prog_name="railscope", max_content_width=COLUMNS)
    if result.exit_code:
        raise RuntimeError(f"railscope {' '.join(path)} --help: exit status {result.exit_code}: {result.output}")
    return result.output


def _walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The commands that do something; groups are passed through.  Their type is click's, typer's own copy or not."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, below in command.commands.items():
        yield from _walk(below, (*path, name))


def _file(path: tuple[str, ...]) -> str:
    return "-".join(path) + ".md"
