"""The TOML schema of fabrics as a page, made from the models that check it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import griffe
from pydantic import BaseModel

from docs.pages.page import ROOT, Page, code, docstring_text, table
from fabric.builders import description

UNITS = {"_gbps": "Gbit/s", "_ns": "ns", "_s": "s"}
TYPES = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false"}
LIMITS = {
    "minimum": ">= {}",
    "exclusiveMinimum": "> {}",
    "maximum": "<= {}",
    "exclusiveMaximum": "< {}",
    "minLength": "not empty",
}
EXAMPLE = "hgx-b200-64"


def fabric_toml_pages() -> Iterator[Page]:
    """One page: every table and key, then a whole example."""
    schema = description.FabricDescription.model_json_schema()
    parts = [
        "# Fabric files",
        "A fabric is described by a TOML file. `railscope fabric show FILE` says what it builds; commands take it "
        "in the place of a preset's name. It is checked strictly: an unknown key, a missing one or a value out of its "
        "limits is refused in one line that names it.",
        table(
            ("table", "required"),
            [(f"[`[{name}]`](#{name})", _required(name, schema)) for name in schema["properties"]],
        ),
    ]
    for name, value in schema["properties"].items():
        parts += _table_section(name, schema["$defs"][_reference(value)])
    preset = (ROOT / "fabric" / "presets" / f"{EXAMPLE}.toml").read_text(encoding="utf-8")
    parts += ["## A whole example", f"The preset `{EXAMPLE}`, as it is shipped:", code(preset, "toml")]
    yield Page("fabric-toml.md", "\n\n".join(parts) + "\n")


def _table_section(name: str, schema: Mapping[str, Any]) -> list[str]:
    model: type[BaseModel] = getattr(description, schema["title"])
    about, meanings = _documented(model)
    rows = [
        (
            f"`{key}`",
            _type(value),
            next((unit for ending, unit in UNITS.items() if key.endswith(ending)), ""),
            _default(key, value, schema),
            ", ".join(_limits(value)),
            meanings.get(key, ""),
        )
        for key, value in schema["properties"].items()
    ]
    return [
        f"## `[{name}]` {{: #{name} }}",
        about,
        table(("key", "type", "unit", "default", "limits", "meaning"), rows),
    ]


def _documented(model: type[BaseModel]) -> tuple[str, dict[str, str]]:
    """What a model's docstring says of the table, and of each key; a key's own description goes before."""
    sections = griffe.Docstring(re.sub(r"(?m)^ {4}", "", model.__doc__ or "")).parse("numpy", warnings=False)
    about, meanings = "", {}
    for section in sections:
        if isinstance(section, griffe.DocstringSectionText):
            about = docstring_text(section.value)
        elif isinstance(section, griffe.DocstringSectionAttributes):
            meanings.update({item.name: docstring_text(" ".join(item.description.split())) for item in section.value})
    described = {key: field.description for key, field in model.model_fields.items() if field.description}
    return about, meanings | described


def _reference(value: Mapping[str, Any]) -> str:
    """Name of the model that a key of the document holds: ``{"$ref": ...}``, or one of several with null."""
    return next(str(part["$ref"]).rsplit("/", 1)[-1] for part in (value, *value.get("anyOf", ())) if "$ref" in part)


def _required(name: str, schema: Mapping[str, Any]) -> str:
    return "yes" if name in schema["required"] else "no"


def _one(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The value itself, where null may stand for its absence."""
    return next((part for part in value.get("anyOf", ()) if part.get("type") != "null"), value)


def _type(value: Mapping[str, Any]) -> str:
    one = _one(value)
    if "enum" in one:
        return "one of " + ", ".join(f"`{choice}`" for choice in one["enum"])
    return f"list of {TYPES[one['items']['type']]}s" if one["type"] == "array" else TYPES[one["type"]]


def _default(key: str, value: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if key in schema.get("required", ()):
        return "**required**"
    default = value.get("default")
    return "" if default is None else f"`{default}`" if default or default == 0 else "empty"


def _limits(value: Mapping[str, Any]) -> Iterator[str]:
    one = _one(value)
    return (text.format(one[limit]) for limit, text in LIMITS.items() if limit in one)
