"""A point of a sweep: what is set in it, and a name that its content gives it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version

from collectives.errors import InputError

Tables = Mapping[str, Mapping[str, object]]
Setting = bool | int | float | str | None


@dataclass(frozen=True, eq=False)
class StudyPoint:
    """One scenario of a sweep, as it is written down.

    Attributes
    ----------
    id : str
        16 hexadecimal digits: the hash of everything that decides the result (`point_id`).
    settings : mapping of str to value
        Every key that the study sets, in its order; None where a key has no effect in this point.
    tables : mapping of str to mapping
        Options by table, as a file has them: what the scenario is made of.
    files : mapping of str to str
        SHA-256 of what the named files held, by the path as it is written.
    problem : str
        Why it cannot be run, where that is known beforehand; empty otherwise.
    """

    id: str
    settings: Mapping[str, Setting]
    tables: Tables
    files: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


def point_id(tables: Tables, files: Mapping[str, str], version: str) -> str:
    """The hash of a point's options, of the contents of the files that they name, and of railscope's version.

    Another order of keys is the same point; another value, another file of the same name, or another version is another
    one, so that no result is taken for one of something else.
    """
    content = {"options": {name: own for name, own in tables.items() if own}, "files": files, "version": version}
    try:
        text = json.dumps(content, sort_keys=True, allow_nan=False, ensure_ascii=True)
    except ValueError:
        raise InputError("a value is not finite; expected numbers") from None
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def own_version() -> str:
    """The version of this railscope."""
    return version("railscope")


def point_name(point: StudyPoint, keys: tuple[str, ...]) -> str:
    """What tells a point from the others: ``routing=ecmp seed=3``.

    Parameters
    ----------
    keys : tuple of str
        Those that differ between points.
    """
    labels = labels_of(keys)
    told = [(labels[key], point.settings.get(key)) for key in keys]
    return " ".join(f"{label}={setting_text(value)}" for label, value in told if value is not None) or "as it is"


def labels_of(keys: tuple[str, ...]) -> dict[str, str]:
    """A short name for each key: ``routing`` for ``routing.routing``, ``group`` where no other key ends so."""
    short = {key: _short(key) for key in keys}
    return {key: label if list(short.values()).count(label) == 1 else key for key, label in short.items()}


def setting_text(value: Setting) -> str:
    """A value as it is read; ``-`` for one without effect."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _short(key: str) -> str:
    table, _, own = key.partition(".")
    if own in ("name", table):
        return table
    return key if table == "faults" else own.rpartition(".")[2] or key
