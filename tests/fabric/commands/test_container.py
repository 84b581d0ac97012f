"""A container: the program belongs to another user and cannot be written, there is no home, and one core."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# Root without the right to overlook permissions (capabilities(7)): a user like any other.
AS_OTHERS = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"]
START = "import os, sys; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); import railscope; railscope.main()"


@pytest.fixture(scope="module")
def container():
    """The program where everybody reads it and nobody writes; and a temporary folder for its user."""
    folder = Path(tempfile.mkdtemp(prefix="railscope-container-"))
    app, temporary = folder / "app", folder / "tmp"
    app.mkdir()
    temporary.mkdir(mode=0o1777)
    temporary.chmod(0o1777)
    for package in ("collectives", "traces", "fabric"):
        shutil.copytree(ROOT / package, app / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "railscope.py", app)
    for path in (folder, app, *app.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield app, temporary
    for path in (folder, app, *(each for each in app.rglob("*") if each.is_dir())):
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
    shutil.rmtree(folder)


def railscope(container, *arguments, writable=True):
    """Run as somebody whom permissions stop."""
    app, temporary = container
    packages = [path for path in sys.path if path.endswith("-packages")]
    environment = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join([str(app), *packages]), "HOME": str(app)}
    environment["TMPDIR"] = str(temporary) if writable else str(app)
    command = [sys.executable, "-B", "-c", START, *arguments]
    if os.geteuid() == 0:
        command = [*AS_OTHERS, *command]
    return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, timeout=600)


def test_nothing_can_be_written_there(container):
    """Else the tests below would pass anywhere."""
    app, _ = container
    command = ["touch", str(app / "x")]
    done = subprocess.run([*AS_OTHERS, *command] if os.geteuid() == 0 else command, capture_output=True, check=False)
    assert done.returncode != 0


def test_commands_run_there(container):
    app, temporary = container
    first = railscope(
        container, "loads", "hgx-b200-64", "--collective", "all-reduce", "--figure", str(temporary / "x.png")
    )
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("# ")
    notes = [line for line in first.stderr.splitlines() if "note: compiled code is kept in" in line]
    assert len(notes) == 1
    assert str(temporary) in notes[0]
    assert (temporary / "x.png").read_bytes().startswith(b"\x89PNG")
    for command in (
        ("compare", "hgx-b200-64", "--collective", "all-to-all", "--no-figure"),
        ("busbw", "hgx-b200-64", "--sizes", "1MiB,1GiB"),
        ("fabric", "show", "hgx-b200-64"),
    ):
        done = railscope(container, *command)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
    assert not list(app.rglob("__pycache__"))


def test_a_figure_that_cannot_be_written_there_is_one_line(container):
    done = railscope(container, "loads", "hgx-b200-64", "--collective", "all-reduce", "--csv", "/proc/x.csv")
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if not line.startswith("railscope: note")]
    assert len(errors) == 1
    assert errors[0].startswith("railscope: error: /proc/x.csv: ")
