"""Which rank each file of a job is of: what its records say counts, then its name, then its place among the files."""

import re
from collections.abc import Sequence

from collectives.errors import InputError
from traces.compression import plain_name
from traces.rank_groups import MOST_RANKS

_ENDINGS = re.compile(r"(?:\.(?:json|et|pkl|pickle|log|txt))+$", re.IGNORECASE)
_RANK = re.compile(r"rank[_.-]?([0-9]{1,7})(?![0-9])", re.IGNORECASE)
# Not of a version such as 1.0.2 or v2, and at the beginning not of a word such as 2gpu.
_LAST = re.compile(r"(?<![0-9vV])(?<![0-9]\.)([0-9]{1,7})$")
_FIRST = re.compile(r"^([0-9]{1,7})(?![0-9A-Za-z]|\.[0-9])")


def rank_in_name(path: str) -> tuple[int, bool] | None:
    """The rank that a file's name says, and whether it calls it a rank.

    ``rank3``, ``rank_3``, ``rank-3`` and ``rank.3`` do; else a number at the end, else one at the beginning, of the
    name without its folders and endings; a part of a version (``schema1.0.2``) or of a word (``2gpu``) is none.

    Parameters
    ----------
    path : str

    Returns
    -------
    (int, bool) or None
        None where there is no such number, or it is beyond any job.
    """
    name = _ENDINGS.sub("", plain_name(path))
    called = {int(number) for number in _RANK.findall(name)}
    number = _LAST.search(name) or _FIRST.search(name)
    if len(called) == 1:
        found = called.pop(), True
    elif number is not None:
        found = int(number[1]), False
    else:
        return None
    return found if found[0] < MOST_RANKS else None


def ranks_of_files(paths: Sequence[str], recorded: Sequence[int | None]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The rank that each file is of.

    Parameters
    ----------
    paths : sequence of str
    recorded : sequence of (int or None)
        Rank that each file's records say.

    Returns
    -------
    ranks : tuple of int
    warnings : tuple of str
        Which ranks names or places had to say, and which names contradict the records.

    Raises
    ------
    InputError
        Two files of one rank: names both, and what told their ranks.
    """
    ranks: list[int] = []
    told: list[str] = []
    warnings: list[str] = []
    for place, (path, rank) in enumerate(zip(paths, recorded, strict=True)):
        named = rank_in_name(path)
        if rank is not None and named is not None and named[1] and named[0] != rank:
            warnings.append(f"{path}: its name says rank {named[0]}, its records say rank {rank}, which is taken")
        ranks.append(rank if rank is not None else place if named is None else named[0])
        told.append("records" if rank is not None else "place" if named is None else "name")
    for way, source in (("name", "their names"), ("place", "their places among the files")):
        alike = [place for place, one in enumerate(told) if one == way]
        if alike:
            first = alike[0]
            warnings.append(
                f"ranks of {len(alike):,} of {len(paths):,} files are not in their records: they are taken from "
                f"{source} ({paths[first]}: rank {ranks[first]})"
            )
    first_of: dict[int, int] = {}
    for place, rank in enumerate(ranks):
        before = first_of.setdefault(rank, place)
        if before != place:
            raise InputError(
                f"{paths[place]}: rank {rank} by its {told[place]}, but so is {paths[before]} by its {told[before]}; "
                "expected a file of each rank"
            )
    return tuple(ranks), tuple(warnings)
