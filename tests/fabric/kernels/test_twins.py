"""Every public kernel has a naive twin and a test that compares them, run with bounds checked and uncompiled too."""

import ast
import importlib
from pathlib import Path

import pytest

from tests.naive import TWINS

TESTS = Path(__file__).parents[2]
KERNELS = TESTS.parent / "fabric" / "_kernels"
DECORATORS = {"kernel", "borrowing_kernel", "inline_step", "inlined", "compiled"}


def functions(path):
    """Functions of a file by name, methods and nested ones apart."""
    return {node.name: node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


def kernels():
    """``file.function`` of each kernel without a leading underscore."""
    return {
        ".".join([*path.relative_to(KERNELS).with_suffix("").parts, name])
        for path in KERNELS.rglob("*.py")
        for name, function in functions(path).items()
        if not name.startswith("_") and DECORATORS & {ast.unparse(decorator) for decorator in function.decorator_list}
    }


def test_every_public_kernel_has_a_twin():
    assert kernels() == set(TWINS)


@pytest.mark.parametrize("kernel", TWINS)
def test_twin_and_test_exist(kernel):
    twin = TWINS[kernel]
    module, function = twin.naive.split(".")
    assert callable(getattr(importlib.import_module(f"tests.naive.{module}"), function))
    file, name = twin.test.split("::")
    test = functions(TESTS / file)[name]
    assert "pytest.mark.kernels" in {ast.unparse(decorator) for decorator in test.decorator_list}
    # The test, or what it calls in its file or fixtures, names the twin.
    assert function in (TESTS / file).read_text()


def test_kernels_have_no_other_decorator():
    """One compile policy: one file says how kernels are compiled, and one how those of a GPU are."""
    compilers = {"numba.njit", "cuda.jit", "numba.core"}
    users = {
        str(path.relative_to(KERNELS))
        for path in KERNELS.rglob("*.py")
        if any(name in path.read_text() for name in compilers)
    }
    assert users == {"compile.py", "cuda/device.py"}
    imports = {path.name for path in KERNELS.glob("*.py") if "import numba" in path.read_text()}
    assert imports == {"compile.py"}
