"""What CONTRIBUTING.md and the pages in docs/ show runs as it stands there; what is said of the lint rules is so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FENCE = re.compile(
    r"^```(?P<language>\w+)(?: title=\"(?P<file>[^\"]+)\")?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


PAGES = (ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))


def sections(page):
    """Heading and text of each part of the page that has a block of Python."""
    parts = re.split(r"(?m)^#{2,3} (.+)$", page.read_text(encoding="utf-8"))
    return {
        heading: text
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
        if any(block["language"] == "python" for block in FENCE.finditer(text))
    }


@pytest.mark.parametrize(("page", "heading"), [(page.name, heading) for page in PAGES for heading in sections(page)])
def test_what_is_shown_runs(page, heading, tmp_path):
    """Blocks with a title are files; the other Python of a section runs as one script, in a folder with those files."""
    (path,) = (one for one in PAGES if one.name == page)
    blocks = list(FENCE.finditer(sections(path)[heading]))
    for block in FENCE.finditer(path.read_text(encoding="utf-8")):
        if block["file"]:
            (tmp_path / block["file"]).write_text(block["text"])
    script = "\n".join(block["text"] for block in blocks if block["language"] == "python" and not block["file"])
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": f"{ROOT}:{tmp_path}", "PATH": "", "HOME": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_that_is_shown_is_run(page):
    """Python stands in fenced blocks, below a heading: what is only indented would not be run."""
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(?m)^    (?:import|from|def|class) ", FENCE.sub("", text))
    assert text.count("```python") == sum(part.count("```python") for part in sections(page).values())


def test_all_that_can_be_added_is_shown():
    assert list(sections(PAGES[0])) == [
        "A preset",
        "A routing policy",
        "A collective algorithm",
        "A format of fabrics",
        "A format of traces",
        "A format of counters",
        "A command and its report",
        "A lever",
        "A kernel",
    ]


def test_hooks_run_what_make_lint_runs():
    (recipe,) = re.findall(r"(?m)^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text())
    linted = re.findall(r"\$\(BIN\)/([\w-]+(?: check| format)?)", recipe)
    hooks = re.findall(r"entry: \.venv/bin/([\w-]+(?: check| format)?)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert hooks == linted
