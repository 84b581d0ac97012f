"""Options in groups: a command takes dataclasses of options, and its help shows each as a section.

    @dataclass(frozen=True)
    class HashOptions(OptionGroup):
        panel = "Hashing"
        seed: Annotated[int, typer.Option(help="Seed.")] = 0

    @grouped
    def command(hashing: HashOptions) -> None: ...

typer reads a command's options off its signature; `grouped` gives it one with the fields of all groups.
"""

import copy
import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand

from collectives.errors import InputError
from collectives.gate import MAX_REAL, MAX_WHOLE, real, whole

Result = TypeVar("Result")


class OptionGroup:
    """A dataclass of options; `panel` is the heading of its section in the help."""

    panel: ClassVar[str] = "Options"


def grouped(function: Callable[..., Result]) -> Callable[..., Result]:
    """The same command with the fields of its option groups as parameters of its own."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, type[Any]] = {}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(function).parameters.items():
        kind = hints[name]
        if is_dataclass(kind) and isinstance(kind, type):
            groups[name] = kind
            parameters += _fields(kind)
        else:
            parameters.append(parameter.replace(annotation=_strict(kind), kind=inspect.Parameter.KEYWORD_ONLY))
    # Arguments without a default come first.
    parameters.sort(key=lambda parameter: parameter.default is not inspect.Parameter.empty)

    @functools.wraps(function)
    def command(**given: Any) -> Result:
        made = {
            name: kind(**{field.name: given.pop(field.name) for field in fields(kind)}) for name, kind in groups.items()
        }
        return function(**made, **given)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del command.__wrapped__
    return command


def _fields(group: type[Any]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    parameters = []
    for field in fields(group):
        annotation = hints[field.name]
        if get_origin(annotation) is Annotated:
            kind, option, *rest = get_args(annotation)
            option = copy.copy(option)
            option.rich_help_panel = group.panel
            annotation = _strict(Annotated[kind, option, *rest])
        default = inspect.Parameter.empty if field.default is MISSING else field.default
        parameters.append(
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        )
    return parameters


def _strict(annotation: Any) -> Any:
    """An option of numbers lets in what `collectives.gate` does: no ``1_000``, no other digits, nothing infinite."""
    if get_origin(annotation) is not Annotated:
        return annotation
    kind, option, *rest = get_args(annotation)
    numbers = {part for part in (kind, *get_args(kind)) if part in (int, float)}
    if not numbers or getattr(option, "parser", None) is not None:
        return annotation
    option = copy.copy(option)
    is_whole = int in numbers
    low = option.min if option.min is not None else -MAX_WHOLE if is_whole else -MAX_REAL
    high = option.max if option.max is not None else MAX_WHOLE if is_whole else MAX_REAL

    def number(text: Any) -> float:
        if not isinstance(text, str):
            return text  # type: ignore[no-any-return]
        try:
            return whole(text, "", int(low), int(high)) if is_whole else real(text, "", low, high)
        except InputError as error:
            raise typer.BadParameter(str(error).strip()) from None

    option.parser = number
    option.metavar = option.metavar or ("N" if is_whole else "X")
    return Annotated[kind, option, *rest]


class GroupedCommand(TyperCommand):
    """Help with a section for each group of options; nothing is given empty."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse empty values, which no option means anything by: they are variables of a script that were not set."""
        for before, text in zip(["", *args], args, strict=False):
            if not text or (text.startswith("--") and text.endswith("=")):
                what = text.rstrip("=") or (before if before.startswith("-") else "argument")
                raise typer.BadParameter(f"{what}: is empty; expected a value, or leave it out", ctx=ctx)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the sections: arguments, each group in the order of the signature, what is left."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            argument = parameter.param_type_name == "argument"
            panel = "Arguments" if argument else getattr(parameter, "rich_help_panel", None) or "Other"
            sections.setdefault(panel, []).append(record)
        other = sections.pop("Other", [])
        for panel, records in [*sections.items(), ("Other", other)]:
            if records:
                with formatter.section(panel):
                    formatter.write_dl(records)
