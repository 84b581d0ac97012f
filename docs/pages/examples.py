"""A page for every example: its docstring, then its text."""

import ast
from collections.abc import Iterator

from docs.pages.page import ROOT, Page, code, docstring_text, table


def example_pages() -> Iterator[Page]:
    """The index, then the scripts by name."""
    scripts = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "examples").glob("*.py"))}
    about = {name: docstring_text(ast.get_docstring(ast.parse(text)) or "") for name, text in scripts.items()}
    rows = [(f"[{name}]({name}.md)", " ".join(about[name].split("\n\n")[0].split())) for name in scripts]
    yield Page(
        "examples/index.md", f"# Examples\n\nThe tests run each of them.\n\n{table(('script', 'what it shows'), rows)}"
    )
    for name, text in scripts.items():
        body = text.split('"""', 2)[2].strip()
        yield Page(f"examples/{name}.md", f"# {name}.py\n\n{about[name]}\n\n{code(body, 'python')}\n")
