"""Names with numbers: what is alike but for them, and what their numbering leaves out."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from math import prod

_DIGITS = re.compile(r"[0-9]+")
# A GUID is no number: names that hold one are numbered by nobody.
_GUID = re.compile(r"0x[0-9a-f]{6,}|[0-9a-f]{12,}", re.IGNORECASE)
# Names that a numbering must have at least, and the part of them that may be missing.  Assumed: with more gaps it is no
# numbering without gaps, as that of racks.
_FEWEST, _GAPS = 3, 1 / 8
# A number this long is none that anybody counts with.
_LONGEST = 9


def skeleton(name: str) -> str:
    """A name without its numbers and GUIDs: ``r#-l#``.  Names with equal skeletons are of one kind."""
    return _DIGITS.sub("#", _GUID.sub("#", name))


def missing_names(names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Names that a numbering leaves out, and the names of that numbering.

    ``s00, s01, s03, s04`` leave out ``s02``; of several numbers, as in ``r0-l00``, every combination is expected.

    Parameters
    ----------
    names : iterable of str
        Of one kind of nodes.  Names that hold a GUID are passed over.
    """
    kinds: dict[str, list[str]] = {}
    for name in names:
        if not _GUID.search(name):
            kinds.setdefault(skeleton(name), []).append(name)
    for members in kinds.values():
        if len(members) < _FEWEST:
            continue
        fields = [_DIGITS.findall(name) for name in members]
        columns = [_column(texts) for texts in zip(*fields, strict=True)]
        most = max(1, int(len(members) * _GAPS))
        if not columns or any(column is None for column in columns):
            continue
        chosen = [column for column in columns if column is not None]
        if prod(map(len, chosen)) - len(members) > most:
            continue
        there = {tuple(map(int, each)) for each in fields}
        texts = _DIGITS.split(members[0])
        widths = [min(len(each[place]) for each in fields) for place in range(len(chosen))]
        for numbers in product(*chosen):
            if numbers not in there:
                written = [f"{number:0{width}d}" for number, width in zip(numbers, widths, strict=True)]
                yield "".join(a + b for a, b in zip(texts, [*written, ""], strict=True)), members


def _column(texts: Sequence[str]) -> range | list[int] | None:
    """Values of a number, with what its gaps leave out where there are few; None for what nobody counts with."""
    if max(map(len, texts)) > _LONGEST:
        return None
    values = sorted(set(map(int, texts)))
    span = values[-1] - values[0] + 1
    return range(values[0], values[-1] + 1) if span - len(values) <= max(1, int(len(values) * _GAPS)) else values
