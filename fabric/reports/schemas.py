"""The list of JSON documents, as a table."""

from fabric.reports.documents.registry import json_schema, schema_names
from fabric.reports.tables import Table


def schemas_table() -> Table:
    """A row per document: its name, what its key `schema` holds, what it is of."""
    schemas = {name: json_schema(name) for name in schema_names()}
    rows = tuple((name, made["title"], made["description"]) for name, made in schemas.items())
    return Table("JSON documents", ("name", "schema", "holds"), rows)
