"""The command `schema`: the shape of what `--json` prints."""

from typing import Annotated

from fabric.commands.choices import DOCUMENTS, choice_argument, registered_documents


def schema(
    name: Annotated[
        str | None, choice_argument("Document; without it, all are listed", DOCUMENTS, more=registered_documents)
    ] = None,
) -> None:
    """JSON Schema of a document that --json prints.

    \b
    Examples:
      railscope schema
      railscope schema loads > loads.schema.json
    """
    from fabric.reports.documents.registry import json_schema
    from fabric.reports.schemas import schemas_table
    from fabric.reports.screen import print_json, print_report

    if name is None:
        print_report((), [schemas_table()])
    else:
        print_json(json_schema(name))
