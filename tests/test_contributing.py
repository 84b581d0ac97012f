"""What CONTRIBUTING.md shows runs as it stands there, and what it says of the lint rules is so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FENCE = re.compile(
    r"^```(?P<language>\w+)(?: title=\"(?P<file>[^\"]+)\")?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


def sections():
    """Heading and text of each part of the file that has a block of Python."""
    parts = re.split(r"(?m)^#{2,3} (.+)$", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    return {
        heading: text
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
        if any(block["language"] == "python" for block in FENCE.finditer(text))
    }


@pytest.mark.parametrize("heading", sections())
def test_what_is_shown_runs(heading, tmp_path):
    """Blocks with a title are files; the other Python of a section runs as one script, in a folder with those files."""
    blocks = list(FENCE.finditer(sections()[heading]))
    for block in blocks:
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


def test_all_that_can_be_added_is_shown():
    assert list(sections()) == [
        "A preset",
        "A routing policy",
        "A collective algorithm",
        "A format of fabrics",
        "A format of traces",
        "A command and its report",
        "A kernel",
    ]


def test_hooks_run_what_make_lint_runs():
    (recipe,) = re.findall(r"(?m)^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text())
    linted = re.findall(r"\$\(BIN\)/([\w-]+(?: check| format)?)", recipe)
    hooks = re.findall(r"entry: \.venv/bin/([\w-]+(?: check| format)?)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert hooks == linted
