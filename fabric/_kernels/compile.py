"""How kernels are compiled, and when what was compiled may be used again.

Every kernel has the same options, so that a kernel of one file may call one of another.

- ``nogil``: callers give one chunk of the work to each thread.
- ``error_model="numpy"``: a division by zero gives inf or nan, as NumPy's does, and needs no branch before it.
- Compiled code is kept on disk: compiling all of them takes a minute, a start with them a second.

numba itself takes kept code for good as long as the *file* of the function is the same.  It sees no change of a kernel
that is called from another file (its code is part of the caller's), of the order of a named tuple's fields (an array is
then read as its neighbour), or of the options here.  So kept code is good for one state of this whole folder, and for
one setting of ``NUMBA_BOUNDSCHECK``.  Nor does it see that a file is damaged, and jumps into what it holds: each file
begins with the hash of the rest.  Where nothing can be kept beside the program or in the user's cache, it is kept in a
folder of the user's own among the temporary ones; where that cannot be, or the disk is full, each run compiles anew.
"""

import hashlib
import os
import pickle
import stat
import sys
import tempfile
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


class _CheckedFile(IndexDataCacheFile):
    """numba's index and code, each behind its SHA-256: what does not match is not there, and made anew."""

    def _load_index(self) -> dict[Any, str]:
        try:
            stamp, overloads = pickle.loads(_checked(Path(self._index_path)))
        except (OSError, pickle.UnpicklingError, ValueError, EOFError):
            return {}
        found: dict[Any, str] = overloads
        return found if stamp == (self._version, self._source_stamp) else {}

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_path, ((self._version, self._source_stamp), overloads))

    def _load_data(self, name: str) -> Any:
        return pickle.loads(_checked(Path(self._data_path(name))))  # type: ignore[no-untyped-call]

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)  # type: ignore[no-untyped-call]

    def _write(self, path: str, what: Any) -> None:
        content: bytes = self._dump(what)  # type: ignore[no-untyped-call]
        with self._open_for_write(path) as file:
            file.write(hashlib.sha256(content).digest() + content)


def _checked(path: Path) -> bytes:
    """Content of a file behind its hash; OSError, which numba takes for a file that is not there, if they differ."""
    data = path.read_bytes()
    size = hashlib.sha256().digest_size
    if hashlib.sha256(data[size:]).digest() != data[:size]:
        raise OSError(f"{path}: damaged")
    return data[size:]


class _KernelCache(FunctionCache):
    """Kept code that is good for one state of all kernel files, where numba's is good for one of its own file."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        kept = self._impl.filename_base
        self._cache_file = _CheckedFile(self._cache_path, kept, _SOURCES)  # type: ignore[no-untyped-call]

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep compiled code, if the disk takes it."""
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except OSError as error:
            self.disable()  # type: ignore[no-untyped-call]
            _note(f"compiled code cannot be kept ({error.strerror or error}); the next run compiles it anew")

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        key: tuple[Any, ...] = super()._index_key(sig, codegen)  # type: ignore[no-untyped-call]
        return (*key, bool(vars(config)["BOUNDSCHECK"]))


def _note(text: str) -> None:
    """Say something once, where messages go."""
    if text not in _noted and sys.stderr is not None:
        _noted.add(text)
        print(f"railscope: note: {text}", file=sys.stderr)


_noted: set[str] = set()


def _own_temporary_folder() -> Path | None:
    """A folder that only this user can write to, among the temporary ones; None if there can be none."""
    try:
        folder = Path(tempfile.gettempdir()) / f"railscope-compiled-{os.getuid()}"
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
    except (OSError, AttributeError):
        return None
    # Whoever could write there could have us run anything.
    own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return folder if own and os.access(folder, os.W_OK | os.X_OK) else None


def _cache_of(function: Callable[..., Any]) -> "_KernelCache | None":
    try:
        return _KernelCache(function)
    except (RuntimeError, OSError):
        folder = _own_temporary_folder()
    if folder is not None:
        # numba looks there first, for the kernels to come too.
        config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
        with suppress(RuntimeError, OSError):
            cache = _KernelCache(function)
            _note(f"compiled code is kept in {folder}, as no other folder can be written; NUMBA_CACHE_DIR names one")
            return cache
    _note("compiled code cannot be kept: each run compiles for a minute; NUMBA_CACHE_DIR names a folder to keep it in")
    return None


def _compiled(function: Function, options: dict[str, Any]) -> Function:
    compiled = numba.njit(function, **options)
    if isinstance(compiled, Dispatcher):  # NUMBA_DISABLE_JIT gives the function back
        cache = _cache_of(function)
        if cache is not None:
            compiled._cache = cache  # type: ignore[attr-defined]
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
