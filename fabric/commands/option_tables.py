"""Options in a file: a TOML table is a group of options of the commands, a key is an option's long name.

`railscope report` and `railscope sweep` read their files by this one vocabulary.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import typer

from collectives.errors import InputError
from collectives.gate import shown, whole_value
from collectives.saying import one_line
from collectives.suggestion import hint
from fabric.commands.grouping import grouped
from fabric.commands.options import (
    FabricOptions,
    HashOptions,
    PlacementOptions,
    RoutingOptions,
    SendingOptions,
    SkipUnrouted,
    TrafficOptions,
)

# What typer raises for wrong options; click's, or its own copy of it.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]
# What names the fabric or the workload is an argument on the command line.
NAME = "name"
_FAULT_KEYS = ("kind", "count", "seed")


@dataclass(frozen=True)
class RoutingTable:
    """What `[routing]` says.

    Attributes
    ----------
    routed : RoutingOptions
    hashing : HashOptions
    sending : SendingOptions
    skip_unrouted : bool
    """

    routed: RoutingOptions
    hashing: HashOptions
    sending: SendingOptions
    skip_unrouted: bool = False


@dataclass(frozen=True)
class FaultsTable:
    """What `[faults]` of a study says: so many failures of some kinds, drawn.

    Attributes
    ----------
    kind : str
        As ``railscope faults --kind``.
    count : int
    seed : int or None
        None: that of the routing.
    """

    kind: str = "cable"
    count: int = 0
    seed: int | None = None


def fabric_names() -> tuple[str, ...]:
    """Parameters of commands that may stand in `[fabric]`."""
    return tuple(field.name for field in fields(FabricOptions))


def traffic_names() -> tuple[str, ...]:
    """Parameters of commands that may stand in `[traffic]`."""
    return tuple(field.name for field in fields(TrafficOptions))


def routing_names() -> tuple[str, ...]:
    """Parameters of commands that may stand in `[routing]`."""
    own = (field.name for kind in (RoutingOptions, HashOptions, SendingOptions) for field in fields(kind))
    return (*own, "skip_unrouted")


def placement_names() -> tuple[str, ...]:
    """Parameters of commands that may stand in `[placement]`."""
    return tuple(field.name for field in fields(PlacementOptions))


def options_of(command: Any) -> dict[str, str]:
    """Parameters of a command by the long names of their options."""
    return {
        word.removeprefix("--"): parameter.name
        for parameter in command.params
        for word in parameter.opts
        if word.startswith("--") and parameter.name is not None
    }


def option_words(key: str, value: object, where: str) -> Iterator[str]:
    """An option as words of a command line: a list gives it again for each, true alone, false not at all.

    Raises
    ------
    InputError
        A value that is none of an option.
    """
    if isinstance(value, bool):
        if value:
            yield f"--{key}"
        return
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, bool) or not isinstance(one, (str, int, float)):
            raise InputError(f"{where}: expected a text, a number, true or false, or a list of texts, not {shown(one)}")
        yield f"--{key}"
        yield str(one)


def _fabric(fabric: FabricOptions) -> FabricOptions:
    return fabric


def _traffic(traffic: TrafficOptions) -> TrafficOptions:
    return traffic


def _routing(
    routed: RoutingOptions,
    hashing: HashOptions,
    sending: SendingOptions,
    skip_unrouted: SkipUnrouted = False,
) -> RoutingTable:
    return RoutingTable(routed, hashing, sending, skip_unrouted)


def _placement(job: PlacementOptions) -> PlacementOptions:
    return job


_READERS: dict[str, Any] = {"fabric": _fabric, "traffic": _traffic, "routing": _routing, "placement": _placement}
TABLES = (*_READERS, "faults")
"""Tables of a study, in the order in which commands show their options."""


@functools.cache
def _command(table: str) -> Any:
    """What parses the options of a table."""
    own = typer.Typer(add_completion=False)
    own.command()(grouped(_READERS[table]))
    return typer.main.get_command(own)


def table_keys(table: str) -> tuple[str, ...]:
    """Keys that a table may have, but for those of a fabric's description."""
    if table == "faults":
        return _FAULT_KEYS
    keys = tuple(key for key in options_of(_command(table)) if key != "help")
    return (NAME, *keys) if table == "fabric" else keys


def read_table(table: str, values: Mapping[str, object], where: str) -> Any:
    """A table as the options that its commands take.

    Parameters
    ----------
    table : str
        One of `TABLES`.
    values : mapping of str to value
        Keys are among `table_keys`.
    where : str
        What messages begin with; the key stands behind it.

    Returns
    -------
    FabricOptions, TrafficOptions, RoutingTable, PlacementOptions or FaultsTable

    Raises
    ------
    InputError
        Names the key, and says what was expected.
    """
    if table == "faults":
        return _faults(values, where)
    command = _command(table)
    flags = {
        word[2:] for parameter in command.params if getattr(parameter, "is_flag", False) for word in parameter.opts
    }
    words: list[str] = []
    for key, value in values.items():
        if key == NAME and table == "fabric":
            continue
        if isinstance(value, bool) != (key in flags):
            expected = "true or false" if key in flags else "a text, a number, or a list of them"
            raise InputError(f"{where}.{key}: expected {expected}, not {_toml(value)}")
        if value == "" or (isinstance(value, list) and "" in value):
            raise InputError(f"{where}.{key}: is empty; expected a value, or leave it out")
        words += option_words(key, value, f"{where}.{key}")
    if table == "fabric":
        words += ["--", _text(values.get(NAME), f"{where}.{NAME}", "a preset or a file")]
    try:
        return command.main(words, standalone_mode=False)
    except InputError:
        raise
    except UsageError as error:
        raise InputError(f"{where}{_named(error)}: {usage_text(error)}") from None


def _faults(values: Mapping[str, object], where: str) -> FaultsTable:
    from fabric.studies.breakable import KINDS

    kind = _text(values.get("kind", FaultsTable.kind), f"{where}.kind", "kinds of failures").lower()
    for one in kind.split(","):
        if one.strip() not in KINDS:
            raise InputError(f"{where}.kind: {shown(one.strip())}: {hint(one.strip(), KINDS)}")
    count = whole_value(values.get("count", 0), f"{where}.count:", 0, 1 << 24)
    seed = None if values.get("seed") is None else whole_value(values["seed"], f"{where}.seed:")
    return FaultsTable(kind, count, seed)


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else shown(value)


def _text(value: object, where: str, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise InputError(f"{where}: expected a text: {what}" + ("" if value is None else f", not {shown(value)}"))
    return value


def _named(error: Exception) -> str:
    """The key that is wrong, where the parser says which."""
    options = getattr(getattr(error, "param", None), "opts", ())
    return next((f".{word.removeprefix('--')}" for word in options if word.startswith("--")), "")


def usage_text(error: Exception) -> str:
    """What is wrong with options, in one line."""
    text = getattr(error, "message", "") or str(error)
    return one_line(" ".join(str(text).split()))
