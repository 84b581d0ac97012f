"""Hosts out of place: on the leaves of another unit than the hosts beside them in the order of their names.

In that order a unit is one run of hosts.  Short runs are taken out until each unit is one: first those amid another
unit, of the largest unit first, as it has a host too many; then those between two.  Where that does not come out even,
hosts are not numbered unit by unit, and none is out of place.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from fabric.formats.infiniband.host_names import natural
from fabric.studies.health_names import skeleton
from fabric.studies.health_plugs import PluggedHost

# No more than this part of the hosts is out of place where they lie unit by unit.  Assumed.
_OUT_OF_PLACE = 0.1
# A run of hosts is short if another one of its unit is so many times as long.  Assumed.
_SHORT = 4

_Run = tuple[int, list[PluggedHost]]


@dataclass(frozen=True, eq=False)
class OutOfPlace:
    """A host on the leaves of another unit than its neighbour by name.

    Attributes
    ----------
    host, neighbour : PluggedHost
    unit, expected : int
        That of its leaves, and that of its neighbour.
    """

    host: PluggedHost
    neighbour: PluggedHost
    unit: int
    expected: int


def out_of_place(unit_of: Sequence[tuple[PluggedHost, int]]) -> list[OutOfPlace]:
    """Hosts out of place among those of which the unit is known, in the order of their names."""
    kinds: dict[str, list[tuple[PluggedHost, int]]] = {}
    for host, unit in unit_of:
        kinds.setdefault(skeleton(host.name), []).append((host, unit))
    found = []
    for alike in kinds.values():
        alike.sort(key=lambda each: natural(each[0].name))
        runs = [(unit, [host for host, _ in group]) for unit, group in groupby(alike, key=lambda each: each[1])]
        own = [*_taken_out(runs, _amid), *_taken_out(runs, _between)]
        if len(runs) != len({unit for unit, _ in runs}):
            continue
        own += _over_the_edge(runs)
        if len(own) <= max(2, _OUT_OF_PLACE * len(alike)):
            found += sorted(own, key=lambda one: natural(one.host.name))
    return found


def _amid(runs: list[_Run], number: int) -> bool:
    """Whether the runs on both sides are of one unit."""
    return 0 < number < len(runs) - 1 and runs[number - 1][0] == runs[number + 1][0]


def _between(runs: list[_Run], number: int) -> bool:
    return len(runs) > 1


def _taken_out(runs: list[_Run], chosen: Callable[[list[_Run], int], bool]) -> list[OutOfPlace]:
    """Take short runs out, and join what they parted."""
    found: list[OutOfPlace] = []
    while True:
        size: Counter[int] = Counter()
        longest: Counter[int] = Counter()
        for unit, run in runs:
            size[unit] += len(run)
            longest[unit] = max(longest[unit], len(run))
        short = [
            number
            for number, (unit, run) in enumerate(runs)
            if _SHORT * len(run) <= longest[unit] and chosen(runs, number)
        ]
        if not short:
            return found
        number = max(short, key=lambda number: size[runs[number][0]])
        unit, run = runs.pop(number)
        near = [one for one in (number - 1, number) if 0 <= one < len(runs)]
        at = min(near, key=lambda one: size[runs[one][0]])
        expected, beside = runs[at]
        neighbour = beside[-1 if at < number else 0]
        found += [OutOfPlace(host, neighbour, unit, expected) for host in run]
        if len(near) == 2 and runs[near[0]][0] == runs[near[1]][0]:
            runs[near[0]] = (expected, runs[near[0]][1] + runs.pop(near[1])[1])


def _over_the_edge(runs: list[_Run]) -> list[OutOfPlace]:
    """Hosts at the edge of two units, one of which has one host too many and the other one too few."""
    sizes = Counter(len(run) for _, run in runs)
    usual, times = sizes.most_common(1)[0]
    if times < max(2, len(runs) - 3):
        return []
    found = []
    for (unit, run), (after, next_run) in pairwise(runs):
        if (len(run), len(next_run)) == (usual + 1, usual - 1):
            found.append(OutOfPlace(run[-1], next_run[0], unit, after))
        elif (len(run), len(next_run)) == (usual - 1, usual + 1):
            found.append(OutOfPlace(next_run[0], run[-1], after, unit))
    return found
