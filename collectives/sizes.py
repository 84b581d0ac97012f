"""Sizes in bytes: parsed and printed with their unit (1 GB = 1e9 B, 1 GiB = 2**30 B).

A bare K, M or G is what nccl-tests reads it as, a power of 1024 (NVIDIA/nccl-tests, src/common.cu, `parsesize`).
"""

import re

from collectives.errors import InputError
from collectives.gate import MAX_REAL, quoted

_DECIMAL = {"B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15}
_BINARY = {"KIB": 2.0**10, "MIB": 2.0**20, "GIB": 2.0**30, "TIB": 2.0**40, "PIB": 2.0**50}
_NCCL_TESTS = {"K": 2.0**10, "M": 2.0**20, "G": 2.0**30}
_FACTOR = _DECIMAL | _BINARY | _NCCL_TESTS
_SIZE = re.compile(r"([0-9]{0,40}\.?[0-9]{1,40}(?:[eE][+-]?[0-9]{1,4})?)\s*([A-Za-z]{0,16})")


def parse_bytes(text: str) -> float:
    """Read a size such as ``1GiB``, ``64 MB``, ``64M`` or ``1048576`` (a bare number is whole bytes).

    Parameters
    ----------
    text : str
        A number and an optional unit: B, kB, MB, GB, TB, PB (powers of 1000), KiB ... PiB (powers of 1024), or as
        nccl-tests has them K, M, G (powers of 1024 too).

    Returns
    -------
    float
        Bytes.

    Raises
    ------
    InputError
        If the text is not a number with a known unit, or is a fraction of a byte without a unit.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InputError(f"size {quoted(text)}: expected a number >= 0 and a unit, such as 64MiB or 1GB")
    number, unit = float(match[1]), match[2]
    factor = _FACTOR.get(unit.upper() or "B")
    # "Mb" and "Gb" are bits to a network engineer: refuse them rather than be wrong by eight.
    if factor is None or (len(unit) == 2 and unit[1] == "b"):
        raise InputError(
            f"size {text!r}: unknown unit {unit!r}; expected B, kB, MB, GB, TB, KiB, MiB, GiB, TiB or K, M, G"
        )
    if not unit and not number.is_integer():
        raise InputError(f"size {text!r}: a size without a unit is whole bytes; expected such as 64MiB or 1GB")
    value = number * factor
    if value > MAX_REAL:
        raise InputError(f"size {text!r}: too large; expected at most 1,000 PB")
    return value


def parse_sizes(text: str) -> tuple[float, ...]:
    """Read several sizes: ``1MiB:16GiB`` doubles from the one to the other, ``1MiB,3MB`` are those.

    Parameters
    ----------
    text : str
        Sizes as `parse_bytes` reads them, nccl-tests' own spellings included: ``8``, ``1M:1G``; a bare K, M or G is a
        power of 1024.

    Returns
    -------
    tuple of float
        Bytes, each > 0.

    Raises
    ------
    InputError
        If a size is none or 0, or the range runs backwards.

    >>> parse_sizes("8"), parse_sizes("1K:4K")
    ((8.0,), (1024.0, 2048.0, 4096.0))
    """
    if ":" not in text:
        return tuple(_positive(part) for part in text.split(","))
    first, _, last = text.partition(":")
    size, end = _positive(first), _positive(last)
    if size > end:
        raise InputError(f"sizes {text!r}: expected a smaller size, then a larger one")
    sizes = [size]
    while sizes[-1] * 2 <= end:
        sizes.append(sizes[-1] * 2)
    return tuple(sizes)


def _positive(text: str) -> float:
    size = parse_bytes(text)
    if size <= 0:
        raise InputError(f"sizes: {text!r}; expected more than 0 bytes")
    return size


def format_bytes(value: float) -> str:
    """Print bytes with the binary unit when the value is a whole number of it, else the decimal one.

    >>> format_bytes(2**30), format_bytes(1.5e9)
    ('1 GiB', '1.5 GB')
    """
    for unit, spelling in (("TIB", "TiB"), ("GIB", "GiB"), ("MIB", "MiB"), ("KIB", "KiB")):
        quotient = value / _FACTOR[unit]
        if quotient >= 1 and quotient.is_integer():
            return f"{int(quotient)} {spelling}"
    return format_decimal(value)


def format_decimal(value: float) -> str:
    """Print bytes with the decimal unit and four digits.

    >>> format_decimal(2**30)
    '1.074 GB'
    """
    for unit in ("PB", "TB", "GB", "MB", "KB"):
        if value >= _DECIMAL[unit]:
            return f"{value / _DECIMAL[unit]:.4g} {unit.replace('K', 'k')}"
    return f"{value:.4g} B"


# First words and verbs of what is counted, for one of it.
_SINGULAR = {
    "LIDs": "LID",
    "adapters": "adapter",
    "cables": "cable",
    "cycles": "cycle",
    "devices": "device",
    "endpoints": "endpoint",
    "leaves": "leaf",
    "files": "file",
    "hosts": "host",
    "lines": "line",
    "neighbours": "neighbour",
    "ports": "port",
    "rails": "rail",
    "switches": "switch",
    "tiers": "tier",
    "are": "is",
    "call": "calls",
    "join": "joins",
    "have": "has",
    "lead": "leads",
    "share": "shares",
}

_VERBS = ("are", "call", "have", "join", "lead", "share")


def numbered(number: int, text: str) -> str:
    """A count before a text about several; for one of them in the singular.

    >>> numbered(2, "leaves without endpoints"), numbered(1, "lines are passed over")
    ('2 leaves without endpoints', '1 line is passed over')
    """
    if number != 1:
        return f"{number:,} {text}"
    first, *rest = text.split(" ")
    # Only the first verb has the subject that is counted.
    verb = next((place for place, word in enumerate(rest) if word in _VERBS), None)
    if verb is not None:
        rest[verb] = _SINGULAR[rest[verb]]
    return " ".join(["1", _SINGULAR.get(first, first), *rest])


def counted(number: int, one: str, many: str | None = None) -> str:
    """A count with its noun; `many` is the plural where it is not `one` and an s.

    >>> counted(1, "group"), counted(2048, "group"), counted(0, "switch", "switches")
    ('1 group', '2,048 groups', '0 switches')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
