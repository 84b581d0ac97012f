"""Options with a choice: upper or lower case, completed by the shell, a wrong one answered with the nearest."""

from collections.abc import Callable, Sequence
from typing import Any

import typer

from collectives.suggestion import hint

# Known without loading anything heavy, so that `--help` is instant; a test holds them against the registries.
POLICIES = ("adaptive", "ecmp", "dmodk", "lft")
WIRINGS = ("rail", "host")
TRANSPORTS = ("direct", "pxn")
HASH_SEEDS = ("per-switch", "shared")
ENGINES = ("ftree", "updn", "minhop", "dfsssp")
SEVERITIES = ("error", "warning", "never")


def choice(
    help: str,
    known: Sequence[str],
    *names: str,
    more: Callable[[], Sequence[str]] | None = None,
    metavar: str = "NAME",
) -> Any:
    """An option that takes one of `known`, or of what `more` finds when none of them is meant."""

    def parse(text: str) -> str:
        wanted = text.strip().lower()
        if wanted in known:
            return wanted
        every = tuple(known) if more is None else tuple(more())
        if wanted in every:
            return wanted
        raise typer.BadParameter(f"{text!r} is unknown; {hint(wanted, every)}")

    def complete(incomplete: str) -> list[str]:
        return [name for name in known if name.startswith(incomplete.lower())]

    listed = f"{help} ({', '.join(known)})." if known else help
    return typer.Option(*names, parser=parse, autocompletion=complete, metavar=metavar, help=listed)


def registered_policies() -> Sequence[str]:
    """Names of all routing policies, those from outside too."""
    from fabric.routing.registry import ready_policy_names

    return (*ready_policy_names(), "lft")
