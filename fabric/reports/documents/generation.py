"""JSON Schema out of typed dictionaries and dataclasses: closed, with the descriptions of their docstrings."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

_FIELDS = re.compile(r"(\w+(?:, \w+)*) : .*")


class DocumentSchema(GenerateJsonSchema):
    """What a type allows: no other keys, unless it says so, and every field of a dataclass is there."""

    def field_is_required(
        self,
        field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField,
        total: bool,
    ) -> bool:
        """Whether a key is always there: a dataclass writes its defaults too."""
        return field["type"] == "dataclass-field" or super().field_is_required(field, total)

    def field_title_should_be_set(self, schema: Any) -> bool:
        """No titles: a key's name says as much, with its unit spelt right."""
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """A field with a default as any other: nobody has to fill it in."""
        return self.generate_inner(schema["schema"])

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        """A dataclass as an object."""
        return _described(super().dataclass_schema(schema), schema["cls"])

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        """A typed dictionary as an object."""
        return _described(super().typed_dict_schema(schema), schema["cls"])


def _described(made: JsonSchemaValue, kind: type[Any]) -> JsonSchemaValue:
    summary = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0]
    texts = dict(_texts(kind))
    properties = {
        key: {**shape, "description": _in_json(texts[key])} if key in texts else shape
        for key, shape in made.get("properties", {}).items()
    }
    return {**made, "description": _in_json(summary), "properties": properties,
            "additionalProperties": made.get("additionalProperties", False)}  # fmt: skip


def _in_json(text: str) -> str:
    """A docstring's words in one line, with JSON's word for None."""
    return re.sub(r"\bNone\b", "null", " ".join(text.split())).replace("``", "`")


def _texts(kind: type[Any]) -> Iterator[tuple[str, str]]:
    """Each field and what the docstring's section "Attributes" says of it, those of base classes first."""
    for base in getattr(kind, "__orig_bases__", ()):
        yield from _texts(base)
    section = inspect.cleandoc(kind.__doc__ or "").partition("Attributes\n----------\n")[2].partition("\n\n")[0]
    names: list[str] = []
    lines: list[str] = []
    for line in [*section.splitlines(), ""]:
        if line.startswith(" "):
            lines.append(line.strip())
            continue
        if lines:
            yield from ((name, " ".join(lines)) for name in names)
        head = _FIELDS.fullmatch(line)
        names, lines = head[1].split(", ") if head else [], []
