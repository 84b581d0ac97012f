"""Values as people type them: times, percentages, file names with wildcards."""

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path

import typer

from collectives.errors import InputError
from collectives.gate import MAX_REAL, quoted, real

_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_TIME = re.compile(r"\s*([0-9]{0,40}\.?[0-9]{1,40}(?:[eE][+-]?[0-9]{1,4})?)\s*([a-zA-Z]{1,8})\s*")


def seconds(text: str) -> float:
    """Read a time such as ``5ms``, ``300 us`` or ``1.2s``.

    Raises
    ------
    typer.BadParameter
        If it is no number with a unit.
    """
    match = _TIME.fullmatch(text)
    factor = _UNITS.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise typer.BadParameter(f"{quoted(text)}: expected a time with its unit, such as 5ms, 300us or 1.2s")
    value = float(match[1]) * factor
    if value > MAX_REAL:
        raise typer.BadParameter(f"{quoted(text)}: too long a time")
    return value


def fraction(text: str) -> float:
    """Read ``5%`` (or ``0.05``) as 0.05.

    Raises
    ------
    typer.BadParameter
        If it is neither.
    """
    plain = text.strip()
    try:
        return real(plain.removesuffix("%"), "part") / (100.0 if plain.endswith("%") else 1.0)
    except InputError:
        raise typer.BadParameter(f"{quoted(text)}: expected a part such as 5% or 0.05") from None


def axes(texts: Iterable[str]) -> dict[str, tuple[object, ...]]:
    """Read ``key=value,value``, once for each key; numbers as TOML writes them, all else as text.

    Raises
    ------
    typer.BadParameter
        If a text is not of that form, or a key is given twice.
    """
    found: dict[str, tuple[object, ...]] = {}
    for text in texts:
        key, equals, values = text.partition("=")
        key, parts = key.strip(), [part.strip() for part in values.split(",")]
        if not equals or not key or not all(parts):
            raise typer.BadParameter(f"--vary {text}: expected KEY=VALUE,VALUE such as wiring=rail,host")
        if key in found:
            raise typer.BadParameter(f"--vary {key}: given twice; expected all values at once, such as {key}=A,B")
        found[key] = tuple(map(_scalar, parts))
    return found


def _scalar(text: str) -> object:
    import tomllib

    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, (bool, int, float)) else text


def expanded(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Files that names with wildcards stand for, each pattern's sorted; other names as they are.

    Raises
    ------
    typer.BadParameter
        If nothing matches a pattern.
    """
    found: list[Path] = []
    for path in paths:
        if not glob.has_magic(str(path)) or os.path.exists(path):
            found.append(path)
            continue
        matches = sorted(glob.glob(str(path)))
        if not matches:
            raise typer.BadParameter(f"{path}: no file matches; expected traces such as 'rank*.json.gz'")
        found += map(Path, matches)
    return tuple(found)
