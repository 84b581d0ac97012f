"""Axes of a sweep, and the combinations of their values: all of them, or some that are drawn."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collectives.errors import InputError

_MASK = (1 << 64) - 1


@dataclass(frozen=True)
class Axis:
    """What is varied.

    Attributes
    ----------
    key : str
        ``table.key``, or ``case``.
    values : tuple
        In the order given.
    """

    key: str
    values: tuple[object, ...]


def grid_size(axes: Sequence[Axis]) -> int:
    """Combinations of all values."""
    return math.prod(len(axis.values) for axis in axes)


def combination(axes: Sequence[Axis], number: int) -> dict[str, object]:
    """One combination: value by key; the last axis goes fastest."""
    found: dict[str, object] = {}
    for axis in reversed(axes):
        number, place = divmod(number, len(axis.values))
        found[axis.key] = axis.values[place]
    return {axis.key: found[axis.key] for axis in axes}


def drawn(size: int, seed: int) -> Iterator[int]:
    """All numbers below `size`, each once, in an order that `seed` draws.

    The first hundred are the same whether a hundred are taken or a thousand, so that a larger sample holds the smaller
    one, and the same on every machine and version of Python (SplitMix64, Steele and others, OOPSLA 2014).

    Raises
    ------
    InputError
        If there are 2**63 or more.
    """
    if not 0 <= size < 1 << 63:
        raise InputError(f"grid of {size:,} combinations: expected fewer than 2**63")
    state = seed & _MASK
    seen: set[int] = set()
    # Numbers above the largest multiple of `size` are drawn again: each below it is as likely as another.
    limit = (_MASK + 1) // max(size, 1) * size
    while len(seen) < size // 2:
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        value = _mixed(state)
        if value < limit and value % size not in seen:
            seen.add(value % size)
            yield value % size
    # Of the last half few are found by drawing: they come in the order of their own hashes.
    left = (number for number in range(size) if number not in seen)
    yield from sorted(left, key=lambda number: (_mixed(seed + 1 + number * 0x9E3779B97F4A7C15 & _MASK), number))


def _mixed(value: int) -> int:
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)
