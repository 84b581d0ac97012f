"""Pages that stand at the root of the repository, with links that work on the site."""

import re
from collections.abc import Iterator

from docs.pages.page import ROOT, Page

PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}


def front_pages() -> Iterator[Page]:
    """The README is the site's front page; what others link to in these files is linked to on the site."""
    for source, path in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        yield Page(path, re.sub(r"(?<=\]\()([^)#\s]+)", lambda link: _on_site(link[1]), text))


def _on_site(target: str) -> str:
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    if re.fullmatch(r"examples/\w+\.py", target):
        return target.removesuffix(".py") + ".md"
    return PAGES.get(target, target)
