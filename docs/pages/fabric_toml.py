"""The keys of fabric files as a page, made from the models that check them."""

from collections.abc import Iterator

from docs.pages.page import Page
from fabric.builders.reference import schema_reference


def fabric_toml_pages() -> Iterator[Page]:
    """One page."""
    yield Page(
        "fabric-toml.md",
        "# Fabric files\n\n`railscope fabric show FILE` says what a file builds; commands take one in the place of a "
        f"preset's name.\n\n{schema_reference()}",
    )
