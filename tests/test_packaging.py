"""The front door: lazy names, and packages that are railscope's own."""

import subprocess
import sys
from pathlib import Path

import pytest

import railscope

ROOT = Path(__file__).parents[1]


def test_every_public_name_is_there():
    for name in railscope.__all__:
        assert getattr(railscope, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        railscope.nonsense  # noqa: B018


def test_no_public_name_is_also_a_submodule():
    """Such a name would turn into the module on its second use."""
    for package in railscope.PACKAGES:
        folder = ROOT / package
        modules = {path.stem for path in folder.glob("*.py")} | {
            path.name for path in folder.iterdir() if path.is_dir()
        }
        assert not modules & set(railscope.__all__)


def test_help_imports_nothing_heavy():
    code = "import sys, fabric.commands.app; print([m for m in ('numba', 'numpy', 'matplotlib', 'networkx', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_another_distributions_package_is_named(tmp_path):
    (tmp_path / "fabric").mkdir()
    (tmp_path / "fabric" / "__init__.py").write_text("# the SSH tool\n")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.path.insert(0, {str(tmp_path)!r}); import railscope; railscope.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"railscope: error: package 'fabric' ({tmp_path / 'fabric' / '__init__.py'}) is not")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_examples_run(example, tmp_path):
    done = subprocess.run(
        [sys.executable, str(example)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
