"""How kernels are compiled, and when what was compiled may be used again.

Every kernel has the same options, so that a kernel of one file may call one of another.

- ``nogil``: callers give one chunk of the work to each thread.
- ``error_model="numpy"``: a division by zero gives inf or nan, as NumPy's does, and needs no branch before it.
- Compiled code is kept on disk: compiling all of them takes a minute, a start with them a second.

numba itself takes kept code for good as long as the *file* of the function is the same.  It sees no change of a kernel
that is called from another file (its code is part of the caller's), of the order of a named tuple's fields (an array is
then read as its neighbour), or of the options here.  So kept code is good for one state of this whole folder, and for
one setting of ``NUMBA_BOUNDSCHECK``.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import config
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.dispatcher import Dispatcher

Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
# Without numba's runtime (_nrt) a kernel can make no arrays, and handing on those of a table counts no references,
# which takes ten times as long as the rest where a kernel calls many small ones.
_BORROWING = {**_OPTIONS, "_nrt": False}


def hash_of_sources(folder: Path) -> str:
    """A number for the bytes of all Python files of a folder and their names (SHA-256, hexadecimal)."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        source = path.read_bytes()
        digest.update(f"{path.name}\0{len(source)}\0".encode())
        digest.update(source)
    return digest.hexdigest()


_SOURCES = hash_of_sources(Path(__file__).parent)


class _KernelCache(FunctionCache):
    """Kept code that is good for one state of all kernel files, where numba's is good for one of its own file."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        kept = self._impl.filename_base
        self._cache_file = IndexDataCacheFile(self._cache_path, kept, _SOURCES)  # type: ignore[no-untyped-call]

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        key: tuple[Any, ...] = super()._index_key(sig, codegen)  # type: ignore[no-untyped-call]
        return (*key, bool(vars(config)["BOUNDSCHECK"]))


def _compiled(function: Function, options: dict[str, Any]) -> Function:
    compiled = numba.njit(function, **options)
    if isinstance(compiled, Dispatcher):  # NUMBA_DISABLE_JIT gives the function back
        with suppress(RuntimeError):  # no folder can be written: every process compiles anew
            compiled._cache = _KernelCache(function)  # type: ignore[attr-defined]
    return compiled  # type: ignore[no-any-return]


def kernel(function: Function) -> Function:
    """Compile a kernel."""
    return _compiled(function, _OPTIONS)


def borrowing_kernel(function: Function) -> Function:
    """Compile a kernel that works on its arguments' arrays, and makes none."""
    return _compiled(function, _BORROWING)


def inlined(function: Function) -> Function:
    """Compile a small function into the kernels that call it: a call counts references of every array it is handed."""
    return _compiled(function, {**_OPTIONS, "inline": "always"})


def inline_step(function: Function) -> Function:
    """Compile a smallest step of a `borrowing_kernel` into it: a call would hand over every array of its tables."""
    return _compiled(function, {**_BORROWING, "inline": "always"})
