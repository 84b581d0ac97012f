"""Slurm's hostlist expressions: ``h00[00-15],gpu[1,3-5]-ib``."""

import re
from collections import Counter

from collectives.errors import InputError
from collectives.gate import quoted

# Assumed to be more than any cluster has; a typing error such as [1-99999999] is refused instead of expanded.
MAX_HOSTS = 1_000_000

# RFC 1035, 2.3.4: a host's name has at most 255 characters.
_LONGEST = 255
_PART = re.compile(r"([0-9]{1,15})(?:-([0-9]{1,15}))?$")


def expand_hostlist(text: str) -> list[str]:
    """Names in the order of the expression; zeros in front of a range's first number set its width.

    A host that is named again is where it was named first, as ``srun --nodelist`` takes it.

    Raises
    ------
    InputError
        If the expression is malformed or names more than `MAX_HOSTS`.
    """
    names: list[str] = []
    for item in _split(text):
        names += _expand(item, text, MAX_HOSTS - len(names))
    if not names:
        raise InputError(f"hosts {quoted(text)}: expected host names such as h00[00-15]")
    return list(dict.fromkeys(names))


def named_again(text: str) -> list[str]:
    """Hosts that an expression names more than once, in its order."""
    names = [name for item in _split(text) for name in _expand(item, text, MAX_HOSTS)]
    count = Counter(names)
    return [name for name in dict.fromkeys(names) if count[name] > 1]


def _split(text: str) -> list[str]:
    """Items between the commas that are not in brackets."""
    items, depth, item = [], 0, ""
    for letter in text:
        depth += {"[": 1, "]": -1}.get(letter, 0)
        if depth not in (0, 1):
            raise InputError(f"hosts {quoted(text)}: brackets do not match")
        if letter == "," and depth == 0:
            items.append(item.strip())
            item = ""
        else:
            item += letter
    if depth:
        raise InputError(f"hosts {quoted(text)}: brackets do not match")
    return [item for item in (*items, item.strip()) if item]


def _expand(item: str, text: str, room: int) -> list[str]:
    """Names of one item, brackets from left to right."""
    names = [""]
    for position, piece in enumerate(re.split(r"[\[\]]", item)):
        if position % 2 == 0:
            names = [name + piece for name in names]
            if len(names[0]) > _LONGEST:
                raise InputError(f"hosts {quoted(text)}: a name of more than {_LONGEST} characters")
            continue
        numbers: list[str] = []
        for part in piece.split(","):
            match = _PART.match(part.strip())
            if match is None:
                raise InputError(f"hosts {quoted(text)}: {quoted(part)}; expected a number or a range such as 00-15")
            first, last = match[1], match[2] or match[1]
            if int(last) < int(first):
                raise InputError(f"hosts {quoted(text)}: range {part} runs backwards")
            if (int(last) - int(first) + 1 + len(numbers)) * len(names) > room:
                raise InputError(f"hosts {quoted(text)}: more than {MAX_HOSTS:,} hosts")
            width = len(first) if first.startswith("0") else 0
            numbers += [f"{number:0{width}d}" for number in range(int(first), int(last) + 1)]
        names = [name + number for name in names for number in numbers]
    return names
