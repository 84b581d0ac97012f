"""A page for every JSON document, made from its schema."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from docs.pages.page import Page, code, table
from fabric.reports.documents.registry import json_schema, schema_names

# The unit that the end of a key's name says.
UNITS = {
    "GBps": "1e9 bytes a second",
    "gbps": "Gbit/s",
    "tbps": "Tbit/s",
    "s": "seconds",
    "seconds": "seconds",
    "bytes": "bytes",
}
BYTES = dict.fromkeys(("size", "bytes_per_rank"), "bytes")


def document_pages() -> Iterator[Page]:
    """The index, then the documents in the order in which `railscope schema` lists them."""
    schemas = {name: json_schema(name) for name in schema_names()}
    rows = [(f"[{name}]({name}.md)", f"`{one['$id']}`", one["description"]) for name, one in schemas.items()]
    yield Page(
        "documents/index.md",
        "# JSON documents, key by key\n\n"
        "[JSON documents](../json.md) says what all of them have in common.\n\n"
        + table(("name", "`schema`", "holds"), rows),
    )
    for name, schema in schemas.items():
        yield Page(f"documents/{name}.md", _page(name, schema))


def _page(name: str, schema: Mapping[str, Any]) -> str:
    parts = schema["$defs"]
    objects = {part: one for part, one in parts.items() if "properties" in one}
    sections = [f"# {name}\n\n{schema['description']} `railscope schema {name}` prints this as a JSON Schema."]
    sections.append(_keys(schema, parts))
    sections += [f"## {part}\n\n{one.get('description', '')}\n\n{_keys(one, parts)}" for part, one in objects.items()]
    return "\n\n".join([*sections, "## The schema", code(json.dumps(schema, indent=2), "json")]) + "\n"


def _keys(shape: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    always = shape.get("required", ())
    rows = [
        (
            f"`{key}`",
            type_of(one, parts),
            unit_of(key),
            "always" if key in always else "perhaps",
            meaning_of(one, parts),
        )
        for key, one in shape["properties"].items()
    ]
    others = "\n\nOther keys may follow." if shape.get("additionalProperties") else ""
    return table(("key", "type", "unit", "there", "meaning"), rows) + others


def unit_of(key: str) -> str:
    """The unit of a number, as the end of its key says."""
    return BYTES.get(key) or UNITS.get(key.rpartition("_")[2], "")


def type_of(shape: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    """What a value may be, in words; parts of the document are links to where they are explained."""
    if "$ref" in shape:
        part = shape["$ref"].rpartition("/")[2]
        return f"[{part}](#{part.lower()})" if "properties" in parts[part] else type_of(parts[part], parts)
    if "anyOf" in shape:
        return " or ".join(type_of(one, parts) for one in shape["anyOf"])
    if "const" in shape or "enum" in shape:
        return " or ".join(f'`"{one}"`' for one in shape.get("enum", [shape.get("const")]))
    if shape.get("type") == "array":
        return f"list of {type_of(shape['items'], parts)}" if "items" in shape else "list"
    if shape.get("type") == "object" and isinstance(shape.get("additionalProperties"), dict):
        return f"object: name to {type_of(shape['additionalProperties'], parts)}"
    return str(shape.get("type", "any value"))


def meaning_of(shape: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    """What is said of a key, or else of the one part that it holds."""
    if "description" in shape:
        return str(shape["description"])
    inner = [*shape.get("anyOf", ()), shape.get("items"), shape.get("additionalProperties")]
    found = shape.get("$ref") or next((one["$ref"] for one in inner if isinstance(one, dict) and "$ref" in one), "")
    return str(parts[found.rpartition("/")[2]].get("description", "")) if found else ""
