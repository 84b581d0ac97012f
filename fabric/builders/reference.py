"""The TOML schema of descriptions for people and for editors, made from the models that check it."""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fabric.builders.description import FabricDescription
from traces.schema import Default, Unit, annotations_of, expected_of, model_of, said_of

_EXAMPLE = "hgx-b200-64"


def schema_reference() -> str:
    """Markdown: every table and key with its type, unit, default, limits, an example and its meaning; a whole file."""
    example = files("fabric").joinpath("presets", f"{_EXAMPLE}.toml").read_text("utf-8")
    lines = [
        "A description is a TOML file.  Keys that are not listed here are refused.  Texts of a fixed choice may be "
        "written in any case.",
        "",
    ]
    for name, annotation in annotations_of(FabricDescription).items():
        model = model_of(annotation)
        assert model is not None
        needed = "required" if FabricDescription.model_fields[name].is_required() else "optional"
        lines += [f"## `[{name}]`", "", f"{(model.__doc__ or '').strip().splitlines()[0]} ({needed})", ""]
        lines += ["| key | value | unit | default | example | meaning |", "| --- | --- | --- | --- | --- | --- |"]
        lines += [f"| {' | '.join(row)} |" for row in key_rows(model)]
        lines.append("")
    return "\n".join(
        [*lines, "## Example", "", f"The preset `{_EXAMPLE}`:", "", "```toml", example.rstrip(), "```", ""]
    )


def key_rows(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    """Of each key: name, expected value, unit, default, examples, meaning; as Markdown."""
    for key, annotation in annotations_of(model).items():
        field = model.model_fields[key]
        default = said_of(annotation, Default) or _default(field)
        example = ", ".join(f"`{json.dumps(one)}`" for one in field.examples or ())
        yield f"`{key}`", expected_of(annotation), said_of(annotation, Unit), default, example, field.description or ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default()
    if value is None or value in ("", []):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if isinstance(value, str) else f"{value:g}"


def description_json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a description, for editors that check TOML files.

    It asks for lower case where railscope itself takes any.
    """
    schema = FabricDescription.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "railscope fabric"}
