"""Names with numbers: what is alike but for them, and what their numbering leaves out."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from math import prod

_DIGITS = re.compile(r"[0-9]+")
# A GUID is no number: names that hold one are numbered by nobody.
_GUID = re.compile(r"0x[0-9a-f]{6,}|[0-9a-f]{12,}", re.IGNORECASE)
# Names that a numbering must have at least, and the part of them that may be missing.  Assumed: with more gaps it is no
# numbering without gaps, as that of racks.
_FEWEST, _GAPS = 3, 1 / 8
# Combinations of several numbers may be as few, and names no more than so many times those that are there.  Assumed.
_HOLES, _MOST = 2, 2
# A number this long is none that anybody counts with.
_LONGEST = 9


def skeleton(name: str) -> str:
    """A name without its numbers and GUIDs: ``r#-l#``.  Names with equal skeletons are of one kind."""
    return _DIGITS.sub("#", _GUID.sub("#", name))


def counts_from_zero(names: Iterable[str]) -> bool:
    """Whether some kinds of names count from 0, and at most one kind from 1: that one has lost its first, perhaps."""
    fields: dict[tuple[str, int], set[int]] = {}
    for name in names:
        for place, digits in enumerate(_DIGITS.findall(name)):
            fields.setdefault((skeleton(name), place), set()).add(int(digits))
    least = [min(values) for values in fields.values() if len(values) > 1]
    return 0 in least and least.count(1) <= 1


def missing_names(names: Iterable[str], from_zero: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Names that a numbering leaves out, and the names of that numbering.

    ``s00, s01, s03, s04`` leave out ``s02``; of several numbers, as in ``r0-l00``, every combination is expected.

    Parameters
    ----------
    names : iterable of str
        Of one kind of nodes.  Names that hold a GUID are passed over.
    from_zero : bool
        Whether 0 is left out where numbers begin with 1.
    """
    kinds: dict[str, list[str]] = {}
    for name in names:
        if not _GUID.search(name):
            kinds.setdefault(skeleton(name), []).append(name)
    for members in kinds.values():
        if len(members) < _FEWEST:
            continue
        fields = [_DIGITS.findall(name) for name in members]
        columns = [_column(texts, from_zero) for texts in zip(*fields, strict=True)]
        if not columns or any(column is None for column in columns):
            continue
        chosen = [column for column in columns if column is not None]
        there = {tuple(map(int, each)) for each in fields}
        # Those with a number that none has, as of a whole unit, are one gap.
        seen = [sorted(set(column) & {each[place] for each in there}) for place, column in enumerate(chosen)]
        if prod(map(len, seen)) - len(members) > max(_HOLES, int(len(members) * _GAPS)):
            continue
        if prod(map(len, chosen)) > _MOST * len(members):
            continue
        texts = _DIGITS.split(members[0])
        widths = [min(len(each[place]) for each in fields) for place in range(len(chosen))]
        for numbers in product(*chosen):
            if numbers not in there:
                written = [f"{number:0{width}d}" for number, width in zip(numbers, widths, strict=True)]
                yield "".join(a + b for a, b in zip(texts, [*written, ""], strict=True)), members


def is_numbered(names: Iterable[str]) -> bool:
    """Whether several names are of a kind with numbers: what a numbering leaves out tells then."""
    kinds = Counter(skeleton(name) for name in names if not _GUID.search(name))
    return any(times >= _FEWEST for kind, times in kinds.items() if "#" in kind)


def next_names(names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """The name behind the last one of each numbering by one number without gaps, and the names of that numbering.

    >>> list(next_names(["s02", "s00", "s01", "a", "b0-c0", "b1-c1"]))
    [('s03', ['s00', 's01', 's02'])]
    """
    kinds: dict[str, list[str]] = {}
    for name in names:
        if not _GUID.search(name):
            kinds.setdefault(skeleton(name), []).append(name)
    for members in kinds.values():
        fields = [_DIGITS.findall(name) for name in members]
        columns = [sorted(set(texts), key=int) for texts in zip(*fields, strict=True)]
        varying = [place for place, column in enumerate(columns) if len(column) > 1]
        if len(members) < _FEWEST or len(varying) != 1 or max(map(len, columns[varying[0]])) > _LONGEST:
            continue
        place = varying[0]
        ordered = sorted(members, key=lambda name: int(_DIGITS.findall(name)[place]))
        values = [int(_DIGITS.findall(name)[place]) for name in ordered]
        if values != list(range(values[0], values[0] + len(values))):
            continue
        texts, own = _DIGITS.split(ordered[-1]), _DIGITS.findall(ordered[-1])
        own[place] = f"{values[-1] + 1:0{len(own[place])}d}"
        yield "".join(a + b for a, b in zip(texts, [*own, ""], strict=True)), ordered


def siblings(name: str, members: Sequence[str]) -> list[list[str]]:
    """Members of a numbering that differ from a name in one number, for each number that differs in any; nearest first.

    >>> siblings("r0-l1", ["r0-l0", "r1-l0", "r1-l1", "r0-l3", "r0-l2"])
    [['r1-l1'], ['r0-l0', 'r0-l2', 'r0-l3']]
    """
    own = [*map(int, _DIGITS.findall(name))]
    found: dict[int, list[tuple[int, str]]] = {}
    for member in members:
        other = [*map(int, _DIGITS.findall(member))]
        apart = [place for place, (a, b) in enumerate(zip(own, other, strict=True)) if a != b]
        if len(apart) == 1:
            found.setdefault(apart[0], []).append((abs(other[apart[0]] - own[apart[0]]), member))
    return [[member for _, member in sorted(found[place])] for place in sorted(found)]


def _column(texts: Sequence[str], from_zero: bool) -> range | list[int] | None:
    """Values of a number, with what its gaps leave out where there are few; None for what nobody counts with."""
    if max(map(len, texts)) > _LONGEST:
        return None
    values = sorted(set(map(int, texts)))
    first = 0 if from_zero and values[0] == 1 and len(values) > 1 else values[0]
    span = values[-1] - first + 1
    return range(first, values[-1] + 1) if span - len(values) <= max(1, int(len(values) * _GAPS)) else values
