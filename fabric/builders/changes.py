"""A description with some keys changed, each by the path that its TOML has: ``leaf.oversubscription``."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from collectives.errors import InputError
from collectives.gate import shown
from collectives.suggestion import hint
from fabric.builders.description import FabricDescription, checked_description
from traces.schema import annotations_of, choices_of, expected_of, model_of


def description_keys() -> tuple[str, ...]:
    """Every key of a description as ``table.key``, in the order of the schema."""
    return tuple(f"{table}.{key}" for table, model in _tables().items() for key in model.model_fields)


def changed_description(description: FabricDescription, keys: Mapping[str, object]) -> FabricDescription:
    """The same description with some keys set.

    Parameters
    ----------
    description : FabricDescription
    keys : mapping of str to value
        By path, as TOML would hold it: ``{"leaf.oversubscription": 2, "fabric.wiring": "host"}``.  A table that the
        description has not begins with these keys.

    Raises
    ------
    InputError
        If there is no such key, or the schema refuses the value.
    """
    tables = description.model_dump(exclude_unset=True)
    for path, value in keys.items():
        if path not in description_keys():
            raise InputError(f"{path}: unknown key; {hint(path, description_keys())}")
        table, _, key = path.partition(".")
        tables[table] = {**(tables.get(table) or {}), key: value}
    return checked_description(tables, description.fabric.name)


def check_description_value(path: str, value: object, where: str) -> None:
    """See that a key may have a value at all, whatever else a description says.

    Parameters
    ----------
    path : str
        One of `description_keys`.
    value : value
        As TOML would hold it.
    where : str
        What the message begins with.

    Raises
    ------
    InputError
        Says what was expected.
    """
    table, _, key = path.partition(".")
    annotation = annotations_of(_tables()[table])[key]
    try:
        TypeAdapter(annotation, config=ConfigDict(strict=True)).validate_python(value)
    except ValidationError:
        known = tuple(filter(None, choices_of(annotation)))
        said = hint(value, known) if known and isinstance(value, str) else f"expected {expected_of(annotation)}"
        raise InputError(f"{where}: {shown(value)}: {said}") from None


def _tables() -> dict[str, type[BaseModel]]:
    models = {name: model_of(annotation) for name, annotation in annotations_of(FabricDescription).items()}
    return {name: model for name, model in models.items() if model is not None}
