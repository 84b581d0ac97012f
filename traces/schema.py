"""What a pydantic model says of its keys: expected values, units, defaults.

Constraints are read from the annotations (`annotated_types`), so that messages and the reference page say what is
checked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import AllowInfNan, BaseModel, ValidationError

from collectives.errors import InputError
from collectives.gate import shown
from collectives.suggestion import hint

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Unit:
    """The unit of a number; it stands in the JSON Schema too."""

    text: str

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        """The schema of the number, and its unit."""
        return {**handler(core_schema), "unit": self.text}


@dataclass(frozen=True)
class Default:
    """What a key without a value means, where its default value does not say it."""

    text: str


def bare(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type itself, and everything that is said of it; ``X | None`` counts as X."""
    said: tuple[Any, ...] = ()
    while True:
        arguments = get_args(annotation)
        if get_origin(annotation) is Annotated:
            annotation, said = arguments[0], (*arguments[1:], *said)
        elif get_origin(annotation) in (Union, UnionType) and NoneType in arguments:
            (annotation,) = (one for one in arguments if one is not NoneType)
        else:
            return annotation, said


def model_of(annotation: Any) -> type[BaseModel] | None:
    """The model of a table; None for other values."""
    kind, _ = bare(annotation)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def annotations_of(model: type[BaseModel]) -> dict[str, Any]:
    """Annotation of each key."""
    hints = get_type_hints(model, include_extras=True)
    return {name: hints[name] for name in model.model_fields}


def part_of(annotation: Any, loc: Sequence[int | str]) -> Any:
    """Annotation of what stands at the place that pydantic names: keys, and numbers of elements of lists."""
    for part in loc:
        model = model_of(annotation)
        annotation = get_args(bare(annotation)[0])[0] if model is None else annotations_of(model)[str(part)]
    return annotation


def choices_of(annotation: Any) -> tuple[str, ...]:
    """The texts that an enumerated value may be."""
    kind, _ = bare(annotation)
    return get_args(kind) if get_origin(kind) is Literal else ()


def expected_of(annotation: Any) -> str:
    """What a value has to be: ``an integer >= 1``, ``one of rail, host``."""
    kind, said = bare(annotation)
    if choices := choices_of(annotation):
        return f"one of {', '.join(filter(None, choices))}"
    if model_of(annotation) is not None:
        return "a table"
    if get_origin(kind) is list:
        return f"a list, each element {expected_of(get_args(kind)[0])}"
    # A number with an upper limit is finite anyway.
    endless = not any(isinstance(one, Le) for one in said)
    finite = endless and any(isinstance(one, AllowInfNan) and not one.allow_inf_nan for one in said)
    names = {
        bool: "true or false",
        int: "an integer",
        float: "a finite number" if finite else "a number",
        str: "a text in quotes",
    }
    limits = [text for one in said for test, write in _LIMITS.items() if isinstance(one, test) for text in [write(one)]]
    return " ".join(filter(None, [names[kind], " and ".join(limits)]))


_LIMITS: dict[type, Any] = {
    Ge: lambda limit: f">= {limit.ge:g}",
    Gt: lambda limit: f"> {limit.gt:g}",
    Le: lambda limit: f"<= {limit.le:g}",
    MinLen: lambda limit: "that is not empty",
}


def said_of(annotation: Any, kind: type[Unit] | type[Default]) -> str:
    """Unit or default of a value, if one is given."""
    return next((one.text for one in bare(annotation)[1] if isinstance(one, kind)), "")


def checked(model: type[Model], tables: dict[str, Any], source: str) -> Model:
    """Tables of a TOML text as a model.

    Parameters
    ----------
    model : type
    tables : dict
    source : str
        What errors name.

    Raises
    ------
    InputError
        Names the key, and says what was expected.
    """
    try:
        return model.model_validate(tables)
    except ValidationError as error:
        raise InputError(f"{source}: {_first_error(model, error)}") from None


def _first_error(model: type[BaseModel], error: ValidationError) -> str:
    # A misspelt key is both unknown and missing: the unknown one tells more.
    detail = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    loc, given = detail["loc"], detail["input"]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")
    if detail["type"] == "extra_forbidden":
        table = model_of(part_of(model, loc[:-1]))
        assert table is not None
        return f"{key}: unknown key; {hint(str(loc[-1]), table.model_fields)}"
    annotation = part_of(model, loc)
    if detail["type"] == "missing":
        return f"{key}: missing; expected {expected_of(annotation)}"
    choices = choices_of(annotation)
    if choices and isinstance(given, str):
        return f"{key}: {shown(given)} is not known; {hint(given, filter(None, choices))}"
    return f"{key}: expected {expected_of(annotation)}, got {shown(given)}"
