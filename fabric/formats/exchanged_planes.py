"""Planes that one mistake joins: a cable of a leaf that goes to another plane, or two that are exchanged.

Planes are disjoint networks with the same hosts.  Where leaves have two uplinks, nothing near a crossed cable shows
which of the two is wrong; but planes hang together by nothing else.  Cables whose removal parts a network are found
all at once: each cable outside a spanning tree gets a random number, each in it the sum (exclusive or) of the numbers
of those that lead round it; cables with the same number are cut together (Pritchard and Thurimella, ACM Transactions
on Algorithms 7(4), 2011).  What is left must be two networks with the same hosts and as many switches and cables each,
once every switch that stood alone is given to one of them.  Which one, the numbers in its name tell; where they do
not, the cables that are named are those of one of two ways to mend it.
"""

import random
import re
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from collectives.demand import Int64Vector
from fabric.topology import joined_by

# Uplinks of a leaf of which one goes to another plane: with three or more, most of them tell its plane.
_UPLINKS = 2
# Cables that are cut together: two that are exchanged, and the other ones of leaves with two uplinks.
_MOST_CUT = 4
# Planes have this part of their hosts in common.  Assumed, as for planes that are found otherwise.
_SAME_HOSTS = 0.75
# The same without the leaves that stand alone once the cables are cut: their hosts may be on no other leaf.
_WITHOUT_SINGLE = 0.5
# Switches of a plane with hosts, and without, that make one: with fewer it is a pair of leaves with a cable between.
_LEAVES, _ABOVE = 3, 2
# Cables that a plane may lack beside the other one.  Assumed.
_LACKS = 2
# Cuts times cables that are looked at.
_MOST_WORK = 50_000_000
_PLANES = (0, 1)
_NUMBERS = re.compile(r"[0-9]+")


@dataclass(frozen=True, eq=False)
class Crossed:
    """Two planes, and the cables that join them by mistake.

    Attributes
    ----------
    cables : tuple of int
        Those that join them, by their places.
    plane : (n,) int64
        0 or 1 of the switches of the two planes; -1 of others.
    """

    cables: tuple[int, ...]
    plane: Int64Vector


def crossed_planes(ends: npt.NDArray[np.int64], names: Sequence[str], hosts: Sequence[set[str]]) -> list[Crossed]:
    """Planes that a mistake joins; each network has one at most.

    Parameters
    ----------
    ends : (n_cables, 2) int64
        The two switches of each cable.
    names : sequence of str
        Of the switches.
    hosts : sequence of set of str
        On each switch.
    """
    n = len(names)
    degree = np.bincount(ends.ravel(), minlength=n)
    leaf = np.array([bool(own) for own in hosts])
    if not (leaf & (degree == _UPLINKS)).any():
        return []
    cuts = [cut for cut in _cuts(ends, n) if len(cut) <= _MOST_CUT and _joins_tiers(ends[cut], leaf)]
    if len(cuts) * len(ends) > _MOST_WORK:
        return []
    whole = joined_by(n, ends[:, 0], ends[:, 1])
    found: dict[int, Crossed] = {}
    for cut in cuts:
        network = int(whole[ends[cut[0], 0]])
        if network not in found and (crossed := _crossed(ends, cut, whole == network, names, hosts)) is not None:
            found[network] = crossed
    return list(found.values())


def _joins_tiers(ends: npt.NDArray[np.int64], leaf: npt.NDArray[np.bool_]) -> bool:
    """Whether cables join a leaf and a switch above: two leaves, or two spines, are joined on purpose."""
    return bool((leaf[ends[:, 0]] != leaf[ends[:, 1]]).all())


def _cuts(ends: npt.NDArray[np.int64], n: int) -> list[list[int]]:
    """Cables that part a network if all of them are removed: alone, or each two of them."""
    around: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    for cable, (one, other) in enumerate(ends.tolist()):
        around[one].append((other, cable))
        around[other].append((one, cable))
    draw = random.Random(0)
    number = [0] * len(ends)
    above: list[int] = [-1] * n
    seen, order, parent = [False] * n, [], [-1] * n
    for root in range(n):
        if seen[root]:
            continue
        seen[root] = True
        waiting = deque([root])
        while waiting:
            node = waiting.popleft()
            order.append(node)
            for other, cable in around[node]:
                if not seen[other]:
                    seen[other], above[other], parent[other] = True, cable, node
                    waiting.append(other)
    in_tree = {cable for cable in above if cable >= 0}
    total = [0] * n
    for cable, (one, other) in enumerate(ends.tolist()):
        if cable not in in_tree:
            number[cable] = draw.getrandbits(64)
            total[one] ^= number[cable]
            total[other] ^= number[cable]
    for node in reversed(order):
        if above[node] >= 0:
            number[above[node]] = total[node]
            total[parent[node]] ^= total[node]
    together: dict[int, list[int]] = {}
    for cable, value in enumerate(number):
        together.setdefault(value, []).append(cable)
    alone = [[cable] for cable in together.pop(0, [])]
    return [*alone, *(cables for cables in together.values() if len(cables) > 1)]


def _crossed(
    ends: npt.NDArray[np.int64],
    cut: list[int],
    inside: npt.NDArray[np.bool_],
    names: Sequence[str],
    hosts: Sequence[set[str]],
) -> Crossed | None:
    n = len(names)
    kept = np.delete(np.arange(len(ends)), cut)
    part = joined_by(n, ends[kept, 0], ends[kept, 1])
    sizes = Counter(part[inside].tolist())
    large = sorted(number for number, size in sizes.items() if size > 1)
    single = sorted(number for number, size in sizes.items() if size == 1)
    if len(large) != len(_PLANES) or not _same_hosts(part, large, hosts, _WITHOUT_SINGLE):
        return None
    planes = [np.flatnonzero(part == number).tolist() for number in large]
    best: tuple[int, tuple[int, ...]] | None = None
    for chosen in product(_PLANES, repeat=len(single)):
        plane = _numbered(n, planes, single, chosen)
        if not _alike(ends, plane, hosts):
            continue
        fits = sum(_nearer(names, planes, switch) == side for switch, side in zip(single, chosen, strict=True))
        if best is None or fits > best[0]:
            best = (fits, chosen)
    if best is None:
        return None
    plane = _numbered(n, planes, single, best[1])
    between = (plane[ends[:, 0]] != plane[ends[:, 1]]) & (plane[ends] >= 0).all(axis=1)
    return Crossed(tuple(np.flatnonzero(between).tolist()), plane)


def _numbered(n: int, planes: Sequence[list[int]], single: Sequence[int], chosen: Sequence[int]) -> Int64Vector:
    plane = np.full(n, -1, np.int64)
    for number, switches in enumerate(planes):
        plane[switches] = number
    plane[list(single)] = chosen
    return plane


def _alike(ends: npt.NDArray[np.int64], plane: Int64Vector, hosts: Sequence[set[str]]) -> bool:
    """Whether two parts are planes: of the same hosts, with as many leaves, switches above and cables.

    Most leaves have both uplinks there, to two switches: cables that are missing leave stars, which are no planes.
    """
    leaf = np.array([bool(own) for own in hosts])
    counts = [(int((leaf & (plane == side)).sum()), int((~leaf & (plane == side)).sum())) for side in _PLANES]
    if counts[0] != counts[1] or counts[0][0] < _LEAVES or counts[0][1] < _ABOVE:
        return False
    if not _same_hosts(plane, _PLANES, hosts, _SAME_HOSTS):
        return False
    inside = [ends[(plane[ends] == side).all(axis=1)] for side in _PLANES]
    if abs(len(inside[0]) - len(inside[1])) > _LACKS:
        return False
    degrees = [np.bincount(cables.ravel(), minlength=leaf.size)[leaf & (plane == side)]
               for side, cables in zip(_PLANES, inside, strict=True)]  # fmt: skip
    return all(2 * np.count_nonzero(one >= _UPLINKS) > one.size for one in degrees)


def _same_hosts(part: Int64Vector, sides: Sequence[int], hosts: Sequence[set[str]], least: float) -> bool:
    """Whether two parts have so many of their hosts in common."""
    one, other = (
        set[str]().union(*(hosts[switch] for switch in np.flatnonzero(part == side).tolist())) for side in sides
    )
    return len(one & other) >= least * max(len(one), len(other), 1)


def _nearer(names: Sequence[str], planes: Sequence[list[int]], switch: int) -> int | None:
    """The plane whose switches of this kind of name have the nearer numbers; None where no number parts the planes."""
    kind = _NUMBERS.sub("#", names[switch])
    numbers = [[_numbers(names[one]) for one in own if one != switch and _NUMBERS.sub("#", names[one]) == kind]
               for own in planes]  # fmt: skip
    if not numbers[0] or not numbers[1]:
        return _nearer_word(names, planes, switch)
    for place, value in enumerate(_numbers(names[switch])):
        spans = [(min(one[place] for one in own), max(one[place] for one in own)) for own in numbers]
        if spans[0][1] < spans[1][0] or spans[1][1] < spans[0][0]:
            far = [max(low - value, value - high, 0) for low, high in spans]
            if far[0] != far[1]:
                return int(far[1] < far[0])
    return None


def _nearer_word(names: Sequence[str], planes: Sequence[list[int]], switch: int) -> int | None:
    """The plane in which names are of this kind, where they are in one alone: ``a-leaf1`` beside ``b-leaf1``."""
    kind = _NUMBERS.sub("#", names[switch])
    there = [any(one != switch and _NUMBERS.sub("#", names[one]) == kind for one in own) for own in planes]
    return there.index(True) if there.count(True) == 1 else None


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(int(digits[:18]) for digits in _NUMBERS.findall(name))
