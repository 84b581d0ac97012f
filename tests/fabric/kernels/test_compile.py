"""Compiled kernels that are kept on disk: used again while they are good, and only then."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest
from numba.core.caching import FunctionCache

KERNELS = Path(__file__).parents[3] / "fabric" / "_kernels"

# A kernel small enough to compile in a second, with what numba does not look at when it takes kept code: a kernel and
# a constant of another file, and a named tuple.
HELPER = """
from fabric._kernels.compile import kernel

@kernel
def scaled(value: int) -> int:
    return value * 10
"""
PROBE = """
from fabric._kernels.arrays import LftArrays, WayEnd
from fabric._kernels.compile import kernel
from fabric._kernels.helper import scaled

@kernel
def probe(lft: LftArrays, link: int) -> int:
    return scaled(lft.link_switch[link]) + WayEnd.LOOP
"""
SCRIPT = """
import sys
import numpy as np
from fabric._kernels.arrays import LftArrays
from fabric._kernels.probe import probe

lft = LftArrays(
    row_start=np.array([0, 0]),
    next_link=np.zeros((0, 2), np.int32),
    link_switch=np.array([5], np.int32),
    link_endpoint=np.array([7], np.int32),
)
value = probe(lft, int(sys.argv[1]))
print(value, sum(probe.stats.cache_hits.values()) if hasattr(probe, "stats") else "interpreted")
"""
RIGHT = 5 * 10 - 4

# What a kernel file says if it trusts numba.
TRUSTING = """
import numba
kernel = borrowing_kernel = inline_step = numba.njit(cache=True, nogil=True, error_model="numpy")
"""


@pytest.fixture
def package(tmp_path):
    """A copy of the kernels, and nothing kept of them."""
    (tmp_path / "fabric").mkdir()
    (tmp_path / "fabric" / "__init__.py").touch()
    shutil.copytree(KERNELS, tmp_path / "fabric" / "_kernels", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "fabric" / "_kernels" / "helper.py").write_text(HELPER)
    (tmp_path / "fabric" / "_kernels" / "probe.py").write_text(PROBE)
    return tmp_path


def run(package, link=0, **environment):
    """What the script prints in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "COV"))}
    variables = {**kept, "PYTHONPATH": str(package), **environment}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(link)], cwd=package, env=variables, capture_output=True, text=True
    )


def answer(package, **environment):
    done = run(package, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def edit(package, name, *changes):
    path = package / "fabric" / "_kernels" / name
    text = path.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text)


# A file, what is changed in it, and what is then right.
CHANGES = {
    "field order": (
        "arrays.py",
        [
            ("    link_switch: Int32V", "    X: Int32V"),
            ("    link_endpoint: Int32V", "    link_switch: Int32V"),
            ("    X: Int32V", "    link_endpoint: Int32V"),
        ],
        RIGHT,
    ),
    "constant": ("arrays.py", [("    LOOP = -4", "    LOOP = -7")], 5 * 10 - 7),
    "callee": ("helper.py", [("value * 10", "value * 20")], 5 * 20 - 4),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_in_another_kernel_file_is_seen(package, change):
    file, changes, right = CHANGES[change]
    assert answer(package) == f"{RIGHT} 0"
    assert answer(package) == f"{RIGHT} 1", "what was compiled is used again"
    edit(package, file, *changes)
    assert answer(package) == f"{right} 0"
    assert answer(package) == f"{right} 1"


@pytest.mark.parametrize("change", CHANGES)
def test_numba_alone_does_not_see_it(package, change):
    """If this fails, numba has learnt it, and `fabric._kernels.compile` can go."""
    file, changes, right = CHANGES[change]
    (package / "fabric" / "_kernels" / "compile.py").write_text(TRUSTING)
    assert answer(package) == f"{RIGHT} 0"
    edit(package, file, *changes)
    stale = answer(package)
    assert stale.endswith(" 1")
    assert stale != f"{right} 1"


def test_bounds_are_checked_though_code_without_checks_is_kept(package):
    assert answer(package) == f"{RIGHT} 0"
    done = run(package, link=1, NUMBA_BOUNDSCHECK="1")
    assert "IndexError" in done.stderr
    assert answer(package, NUMBA_BOUNDSCHECK="1") == f"{RIGHT} 1"
    assert answer(package) == f"{RIGHT} 1"


def test_a_package_that_cannot_be_written_keeps_code_with_the_user(package):
    # A file where the folder should be: what root cannot write either.
    shutil.rmtree(package / "fabric" / "_kernels" / "__pycache__", ignore_errors=True)
    (package / "fabric" / "_kernels" / "__pycache__").touch()
    home = {"XDG_CACHE_HOME": str(package / "home"), "PYTHONDONTWRITEBYTECODE": "1"}
    assert [answer(package, **home) for _ in range(2)] == [f"{RIGHT} 0", f"{RIGHT} 1"]
    assert list((package / "home").rglob("*probe*.nbi"))


@pytest.fixture
def nowhere(package):
    """A package and a home that cannot be written, and a folder for what is temporary."""
    shutil.rmtree(package / "fabric" / "_kernels" / "__pycache__", ignore_errors=True)
    (package / "fabric" / "_kernels" / "__pycache__").touch()
    (package / "tmp").mkdir()
    file = str(package / "fabric" / "__init__.py")
    return {"XDG_CACHE_HOME": file, "HOME": file, "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(package / "tmp")}


def test_code_is_kept_among_the_temporary_files_where_nothing_else_can_be_written(package, nowhere):
    first, second = run(package, **nowhere), run(package, **nowhere)
    assert (first.stdout.strip(), second.stdout.strip()) == (f"{RIGHT} 0", f"{RIGHT} 1")
    (folder,) = (package / "tmp").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert first.stderr == (
        f"railscope: note: compiled code is kept in {folder}, as no other folder can be written; "
        "NUMBA_CACHE_DIR names one\n"
    )


def test_a_temporary_folder_that_others_can_write_is_not_trusted(package, nowhere):
    folder = package / "tmp" / f"railscope-compiled-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    for _ in range(2):
        done = run(package, **nowhere)
        assert done.stdout.strip() == f"{RIGHT} 0"
        assert done.stderr.startswith("railscope: note: compiled code cannot be kept: each run compiles for a minute")
        assert done.stderr.count("\n") == 1
    assert not list(folder.iterdir())


def damaged(data, how):
    if how == "empty":
        return b""
    if how == "cut":
        return data[: len(data) // 2]
    place = {"first bit": 0, "bit in the middle": len(data) // 2, "last bit": len(data) - 1}[how]
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize("how", ["empty", "cut", "first bit", "bit in the middle", "last bit"])
@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_damaged_files_are_made_anew(package, ending, how):
    """numba would jump into what they hold."""
    assert answer(package) == f"{RIGHT} 0"
    files = list(package.rglob(f"*probe*.{ending}"))
    assert files
    for path in files:
        path.write_bytes(damaged(path.read_bytes(), how))
    assert answer(package) == f"{RIGHT} 0"
    assert answer(package) == f"{RIGHT} 1"


def test_a_full_disk_is_a_note(package):
    """What cannot be written is not kept, and the answer is there."""
    code = (
        "import errno\n"
        "from numba.core.caching import IndexDataCacheFile\n"
        "def full(*_):\n"
        "    raise OSError(errno.ENOSPC, 'No space left on device')\n"
        "IndexDataCacheFile._open_for_write = full\n"
    )
    (package / "sitecustomize.py").write_text(code)
    done = run(package)
    assert done.stdout.strip() == f"{RIGHT} 0"
    assert done.stderr == (
        "railscope: note: compiled code cannot be kept (No space left on device); the next run compiles it anew\n"
    )


def test_without_a_compiler(package):
    assert answer(package, NUMBA_DISABLE_JIT="1") == f"{RIGHT} interpreted"
    assert not list(package.rglob("*.nbi"))


def test_functions_of_others_are_kept_as_numba_does():
    import fabric._kernels.compile  # noqa: F401

    @numba.njit(cache=True)
    def other(value):
        return value + 1

    if not numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        assert type(other._cache) is FunctionCache  # type: ignore[attr-defined]
