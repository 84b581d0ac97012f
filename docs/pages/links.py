"""Links of the built site: pages, files and anchors exist, addresses elsewhere are well formed.

mkdocs checks what the Markdown pages link to; this looks at what a reader gets, docstrings and HTML included.
"""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Anchors(HTMLParser):
    """The targets that a page has, and the links that it follows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is None:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.targets.add(value)
            elif name in ("href", "src"):
                self.links.append(value)


def bad_links(site: str | Path) -> Iterator[str]:
    """A line for each link of the HTML files below `site` that leads nowhere: ``PAGE: LINK: what is wrong``."""
    root = Path(site).resolve()
    pages = {path: _Anchors(path.read_text(encoding="utf-8")) for path in sorted(root.rglob("*.html"))}
    for path, page in pages.items():
        if path == root / "404.html":  # served at any depth, so that its links begin at the site's root
            continue
        for link in page.links:
            problem = _problem(link, path, pages)
            if problem:
                yield f"{path.relative_to(root)}: {link}: {problem}"


def _problem(link: str, path: Path, pages: dict[Path, _Anchors]) -> str | None:
    try:
        parts = urlsplit(link)
    except ValueError as error:
        return str(error)
    if parts.scheme in ("http", "https"):
        return None if parts.hostname and "." in parts.hostname else "no host in the address"
    if parts.scheme or parts.netloc:
        return None if parts.scheme in ("mailto", "data") else f"expected a page or https, got {parts.scheme or link}"
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return "no such file"
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].targets:
        return "no such place on that page"
    return None
