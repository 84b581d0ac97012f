"""Files that a point names: what they hold is a part of its id, and where they are is told to workers elsewhere."""

import hashlib
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from glob import glob, has_magic

from collectives.errors import InputError
from fabric.builders.presets import preset_names
from fabric.commands.option_tables import NAME
from fabric.jobs.rule import PLACEMENTS
from fabric.studies.sweep.point import Tables
from traces.files import max_bytes
from traces.workload.description import workload_names

# Assumed: ten times the devices of the largest cluster, as for the readers of folders.
_MOST_FILES = 1_000_000

_preset_names = lru_cache(maxsize=1)(preset_names)
_workload_names = lru_cache(maxsize=1)(workload_names)

FILE_KEYS: dict[str, Callable[[str], bool]] = {
    f"fabric.{NAME}": lambda text: text not in _preset_names(),
    "fabric.faults": lambda _: True,
    "traffic.trace": lambda _: True,
    "traffic.demand": lambda _: True,
    "traffic.workload": lambda text: text not in _workload_names(),
    "traffic.algorithm": lambda text: text.endswith((".xml", ".xml.gz", ".xml.xz")),
    "routing.lfts": lambda _: True,
    "placement.placement": lambda text: text.lower() not in PLACEMENTS,
    "placement.topology-conf": lambda _: True,
    "placement.node-labels": lambda _: True,
    "placement.taken": lambda text: not text.strip().removesuffix("%").replace(".", "", 1).isdecimal(),
}
"""Keys whose values are files, but for values that mean something else."""


def paths_of(tables: Tables) -> Iterator[str]:
    """Files that a point names, as they are written, patterns too."""
    for table, own in tables.items():
        for key, value in own.items():
            is_file = FILE_KEYS.get(f"{table}.{key}")
            for one in value if isinstance(value, list) else [value]:
                if is_file is not None and isinstance(one, str) and is_file(one):
                    yield one


def located(tables: Tables) -> dict[str, dict[str, object]]:
    """The same tables with files by their whole path, for processes that start elsewhere."""
    placed: dict[str, dict[str, object]] = {}
    for table, own in tables.items():
        placed[table] = {}
        for key, value in own.items():
            is_file = FILE_KEYS.get(f"{table}.{key}")

            def whole(one: object, is_file: Callable[[str], bool] | None = is_file) -> object:
                return os.path.abspath(one) if is_file is not None and isinstance(one, str) and is_file(one) else one

            placed[table][key] = [whole(one) for one in value] if isinstance(value, list) else whole(value)
    return placed


def digest_of(path: str) -> str:
    """SHA-256 of a file; of a folder or a pattern, of the names and contents of all files; empty if there is none.

    Raises
    ------
    InputError
        If a file cannot be read, or a folder holds more than is ever read of one.
    """
    if os.path.isdir(path):
        files = _of_folder(path)
    elif has_magic(path) and not os.path.exists(path):
        files = sorted(glob(path))
    elif os.path.isfile(path):
        return _content(path)
    else:
        return ""
    digest = hashlib.sha256()
    for one in files:
        digest.update(f"{os.path.relpath(one, os.path.dirname(path) or '.')}\0{_content(one)}\0".encode())
    return digest.hexdigest() if files else ""


def _of_folder(folder: str) -> list[str]:
    """Files of a folder and of those in it; names that begin with a dot are no devices'."""
    found: list[str] = []
    left = max_bytes()
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (os.path.join(place, name) for name in files if not name.startswith(".")):
            if os.path.isfile(path):
                found.append(path)
                left -= os.path.getsize(path)
            if left < 0 or len(found) > _MOST_FILES:
                raise InputError(f"{folder}: its files are larger than the limit of {max_bytes():,} bytes, or too many")
    return sorted(found)


def _content(path: str) -> str:
    try:
        found = os.stat(path)
        return _hashed(path, found.st_size, found.st_mtime_ns)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


@lru_cache(maxsize=4096)
def _hashed(path: str, size: int, changed_ns: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
