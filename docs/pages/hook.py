"""What mkdocs calls: the pages that are made join the others, and the links of the built site are checked."""

import logging
from collections.abc import Iterable
from itertools import chain
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pygments.formatters import HtmlFormatter

from docs.pages.api import api_pages
from docs.pages.commands import command_pages
from docs.pages.documents import document_pages
from docs.pages.examples import example_pages
from docs.pages.fabric_toml import fabric_toml_pages
from docs.pages.front import front_pages
from docs.pages.links import bad_links
from docs.pages.page import Page
from docs.pages.workload_toml import workload_toml_pages

log = logging.getLogger("mkdocs.plugins.railscope")

PYGMENTS = str(HtmlFormatter(cssclass="highlight").get_style_defs())  # type: ignore[no-untyped-call]
MAKERS = (
    front_pages, example_pages, command_pages, fabric_toml_pages, workload_toml_pages, document_pages, api_pages,
)  # fmt: skip


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages; a folder in the navigation stands for those in it."""
    pages = list(chain.from_iterable(maker() for maker in MAKERS))
    files.append(File.generated(config, "pygments.css", content=PYGMENTS))
    for page in pages:
        files.append(File.generated(config, page.path, content=page.text))
    assert config.nav is not None
    config.nav = [_filled(entry, pages) for entry in config.nav]
    return files


def _filled(entry: Any, pages: Iterable[Page]) -> Any:
    if isinstance(entry, dict):
        return {title: _filled(value, pages) for title, value in entry.items()}
    if isinstance(entry, list):
        return [_filled(value, pages) for value in entry]
    if entry.endswith("/"):
        return [page.path for page in pages if page.path.startswith(entry)]
    return entry


def on_post_build(config: MkDocsConfig) -> None:
    """Warn of every link that leads nowhere; a strict build fails on warnings."""
    for problem in bad_links(config.site_dir):
        log.warning(problem)
