"""Slurm's hostlist expressions: ``h00[00-15],gpu[1,3-5]-ib``."""

import re

from collectives.errors import InputError

# Assumed to be more than any cluster has; a typing error such as [1-99999999] is refused instead of expanded.
MAX_HOSTS = 1_000_000

_PART = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?$")


def expand_hostlist(text: str) -> list[str]:
    """Names in the order of the expression; zeros in front of a range's first number set its width.

    Raises
    ------
    InputError
        If the expression is malformed, names a host twice, or more than `MAX_HOSTS`.
    """
    names: list[str] = []
    for item in _split(text):
        names += _expand(item, text, MAX_HOSTS - len(names))
    if not names:
        raise InputError(f"hosts {text!r}: expected host names such as h00[00-15]")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"hosts {text!r}: {name} is named twice")
        seen.add(name)
    return names


def _split(text: str) -> list[str]:
    """Items between the commas that are not in brackets."""
    items, depth, item = [], 0, ""
    for letter in text:
        depth += {"[": 1, "]": -1}.get(letter, 0)
        if depth not in (0, 1):
            raise InputError(f"hosts {text!r}: brackets do not match")
        if letter == "," and depth == 0:
            items.append(item.strip())
            item = ""
        else:
            item += letter
    if depth:
        raise InputError(f"hosts {text!r}: brackets do not match")
    return [item for item in (*items, item.strip()) if item]


def _expand(item: str, text: str, room: int) -> list[str]:
    """Names of one item, brackets from left to right."""
    names = [""]
    for position, piece in enumerate(re.split(r"[\[\]]", item)):
        if position % 2 == 0:
            names = [name + piece for name in names]
            continue
        numbers: list[str] = []
        for part in piece.split(","):
            match = _PART.match(part.strip())
            if match is None:
                raise InputError(f"hosts {text!r}: {part!r}; expected a number or a range such as 00-15")
            first, last = match[1], match[2] or match[1]
            if int(last) < int(first):
                raise InputError(f"hosts {text!r}: range {part} runs backwards")
            if (int(last) - int(first) + 1 + len(numbers)) * len(names) > room:
                raise InputError(f"hosts {text!r}: more than {MAX_HOSTS:,} hosts")
            width = len(first) if first.startswith("0") else 0
            numbers += [f"{number:0{width}d}" for number in range(int(first), int(last) + 1)]
        names = [name + number for name in names for number in numbers]
    return names
