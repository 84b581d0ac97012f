"""Faults as a TOML file has them: ``[[fault]] link = "leaf r2-* -> spine *-03"  capacity = 0.5``."""

from pathlib import Path
from typing import Any

from collectives.errors import InputError
from collectives.gate import real_value
from collectives.suggestion import hint
from fabric.builders.faults import FAULT_KINDS, Fault
from traces.files import read_text
from traces.toml_text import parse_toml


def read_faults(path: str | Path) -> tuple[Fault, ...]:
    """Faults of a file.

    Parameters
    ----------
    path : path
        Tables ``[[fault]]``, each with one of ``link``, ``port``, ``switch``, ``leaf``, ``spine``, ``core``, ``nic``,
        ``host`` and ``plane``, and perhaps ``capacity``, the part that is left (default 0: down).

    Raises
    ------
    InputError
        Names the file and the key.
    """
    tables = parse_toml(read_text(path), str(path))
    rows = tables.get("fault")
    if set(tables) != {"fault"} or not isinstance(rows, list) or not rows:
        raise InputError(f"{path}: expected tables [[fault]] and nothing else")
    return tuple(_fault(row, f"{path}: fault[{place}]") for place, row in enumerate(rows))


def _fault(row: Any, what: str) -> Fault:
    if not isinstance(row, dict):
        raise InputError(f"{what}: expected a table")
    known = (*FAULT_KINDS, "capacity")
    for key in row:
        if key not in known:
            raise InputError(f"{what}.{key}: unknown key; {hint(key, known)}")
    kinds = [key for key in row if key != "capacity"]
    if len(kinds) != 1:
        raise InputError(f"{what}: expected one of {', '.join(FAULT_KINDS)}, not {' and '.join(kinds) or 'none'}")
    (kind,) = kinds
    name = row[kind]
    if kind == "plane" and type(name) is int:
        name = str(name)
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"{what}.{kind}: expected a name in quotes")
    capacity = real_value(row.get("capacity", 0.0), f"{what}.capacity", 0.0, 1.0)
    return Fault(kind, name, capacity)
