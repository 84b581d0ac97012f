"""Which of a switch's ports is meant: tools call the same port by different names.

- Cumulus Linux and NVUE: ``swp1``, and of a port split in four ``swp1s0`` to ``swp1s3`` (NVIDIA, Cumulus Linux user
  guide, "Switch Port Attributes"); the Linux kernel's own names of the same are ``p1`` and ``p1s0``.
- SONiC: ``Ethernet0``, by its first lane: ports of 8 lanes are ``Ethernet0``, ``Ethernet8``, ..., their halves
  ``Ethernet0`` and ``Ethernet4``; its alias is ``etp1``, split ``etp1a`` to ``etp1d`` (sonic-net/sonic-utilities,
  ``sonic_sku_create.py``).
- NX-OS, EOS, OS10 and others: ``Ethernet1/5``, split ``Ethernet1/5/1`` or ``ethernet1/1/5:1``.
- InfiniBand: a number, which all tools of the subnet use.  On the case and in the system's own tools Quantum has
  ``1/5`` (ASIC, port), split ``1/5/1``; Quantum-2 ``1/3/2`` (ASIC, cage, port), split ``1/3/2/1`` (NVIDIA, MLNX-OS user
  manual, "InfiniBand Interface"); NVOS ``sw3p2``, ``sw3p2s1``.  Quantum-2's number is ``2 * cage + port - 2``; of a
  switch that is ready to split, number ``n`` becomes ``2 n - 1``, and its other half ``2 n``, whether it is split or
  not (Mellanox/mstflint, ``mlxlink_commander.cpp``, ``calculatePanelPort``).

Nothing tells which of these a device speaks but the names themselves.  Every way to read both sides is tried, and the
one under which most ports meet is taken; what several such ways see differently stays open.
"""

import re
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import gcd

Position = tuple[int, int] | int
"""Panel and part of a port of Ethernet; number of one of InfiniBand."""
_Reading = Callable[[Sequence[str], Sequence[str]], list[Position | None]]

# A reading counts if this part of the ports of the side that has fewer meet; with fewer than these it counts if no
# other one puts them elsewhere.  Assumed.
_LEAST, _ENOUGH = 0.5, 4
_LANES, _SLOTS = (8, 4, 2, 1), 2
_CAGE_PORTS, _HALVES = 2, 2

_FROM_ZERO = re.compile(r"(?:sw)?p(\d{1,4})(?:s(\d{1,2}))?")
_LETTER = re.compile(r"etp(\d{1,4})([a-h])?")
# `eth0` without a slot is a port of Linux hosts, and of a switch's own management.
_PATH = re.compile(
    r"(?:(?:ethernet|e|ib|port|hundredgige|fourhundredgige|eth(?=\d+/))?[ _]?)((?:\d{1,4}/){0,3}\d{1,4})(?::(\d{1,2}))?"
)
_LANE = re.compile(r"ethernet(\d{1,4})")
_NUMBER = re.compile(r"(?:port)?[ _]?(\d{1,4})")
_LABEL = re.compile(r"(?:ib|port)?[ _]?(\d{1,3}(?:/\d{1,3}){1,3})")
_NVOS = re.compile(r"sw(\d{1,3})p(\d{1,2})(?:s(\d{1,2}))?")


@dataclass(frozen=True)
class SamePorts:
    """Ports of a device that are called differently.

    Attributes
    ----------
    place : dict of int to int
        Place among the known names, by the place among those asked for.
    exact : bool
        Whether both sides use the same names.
    open : int
        Names asked for that could be several ports.
    """

    place: dict[int, int]
    exact: bool
    open: int = 0


@dataclass(frozen=True)
class _Side:
    """Position of each name by one reading, and whether that is one of a switch that is ready to split."""

    at: tuple[Position | None, ...]
    ready: bool


def same_ports(known: Sequence[str], asked: Sequence[str]) -> SamePorts:
    """Which of a device's ports are meant by other names.  Capitals mean nothing.

    Where any name is the same on both sides, only the same names are the same ports.

    Parameters
    ----------
    known, asked : sequence of str
        Names of ports of one device, each once; numbers as digits.

    >>> same_ports(["etp1a", "etp1b", "etp2", "etp3"], ["Ethernet0", "Ethernet4", "Ethernet8", "Ethernet16"]).place
    {0: 0, 1: 1, 2: 2, 3: 3}
    >>> same_ports(["3", "4", "5"], ["sw2p1", "sw2p2", "sw3p1"]).place
    {0: 0, 1: 1, 2: 2}
    """
    return _same_ports(*(tuple(name.strip().casefold() for name in names) for names in (known, asked)))


# Switches of a fabric are mostly of a few kinds.
@lru_cache(maxsize=1024)
def _same_ports(ours: tuple[str, ...], theirs: tuple[str, ...]) -> SamePorts:
    place = _meeting(ours, theirs)
    if place:
        return SamePorts(place, True)
    found: dict[frozenset[tuple[int, int]], int] = {}
    sure = True
    for readings in (_PANELS, _NUMBERS):
        known_sides, asked_sides = _sides(readings, ours, theirs), _sides(readings, theirs, ours)
        asked_sides = [one for one in asked_sides if not (one.ready and _halves_without_labels(ours, one.at))]
        for one in known_sides:
            for other in asked_sides:
                met = _meeting(one.at, other.at)
                if met and len(met) >= _LEAST * min(len(ours), len(theirs)):
                    found[frozenset(met.items())] = len(met)
        sure &= _agree(known_sides) and _agree(asked_sides)
    most = max(found.values(), default=0)
    best = [met for met, number in found.items() if number == most]
    agreed = frozenset.intersection(*best) if best and (sure or most >= _ENOUGH) else frozenset()
    return SamePorts(dict(sorted(agreed)), False, most - len(agreed))


def _sides(readings: Sequence["_Reading"], names: Sequence[str], others: Sequence[str]) -> list["_Side"]:
    """Positions of the names of one side by each reading that gives some."""
    sides = dict.fromkeys(_Side(tuple(read(names, others)), read in _READY) for read in readings)
    return [side for side in sides if any(at is not None for at in side.at)]


def _agree(sides: Sequence["_Side"]) -> bool:
    """Whether no two readings put a name at different positions."""
    return all(len(set(at) - {None}) <= 1 for at in zip(*(side.at for side in sides), strict=True))


def _halves_without_labels(known: Sequence[str], labels: Sequence[Position | None]) -> bool:
    """Whether second halves of ports, which have even numbers, have cables, and no label is one."""
    even = any(isinstance(number, int) and number % _HALVES == 0 for number in _numbered(known))
    return even and not any(isinstance(number, int) and number % _HALVES == 0 for number in labels)


def _meeting(known: Sequence[Hashable], asked: Sequence[Hashable]) -> dict[int, int]:
    """Places that are at one position, where that is one port's on each side."""
    once = [Counter(side) for side in (known, asked)]
    at = {position: place for place, position in enumerate(known) if position is not None and once[0][position] == 1}
    return {
        place: at[position]
        for place, position in enumerate(asked)
        if position is not None and position in at and once[1][position] == 1
    }


def _by_panel(slots: int) -> _Reading:
    """Number on the panel and part of the port, from 1; 0 where it is whole.

    Parameters
    ----------
    slots : int
        Numbers in front, such as ``1/``, which are the same for all ports.
    """

    def position(name: str) -> Position | None:
        if found := _FROM_ZERO.fullmatch(name):
            return int(found[1]), 0 if found[2] is None else int(found[2]) + 1
        if found := _LETTER.fullmatch(name):
            return int(found[1]), 0 if found[2] is None else ord(found[2]) - ord("a") + 1
        if found := _PATH.fullmatch(name):
            numbers = found[1].split("/")
            panel, *parts = map(int, numbers[slots:] if len(numbers) > slots else numbers)
            parts += [] if found[2] is None else [int(found[2])]
            return (panel, parts[0] if parts else 0) if len(parts) < 2 else None
        return None

    def read(names: Sequence[str], others: Sequence[str]) -> list[Position | None]:
        paths = [path for name in names if (found := _PATH.fullmatch(name)) and len(path := found[1].split("/")) > 1]
        if slots and (not paths or min(map(len, paths)) <= slots or len({tuple(path[:slots]) for path in paths}) > 1):
            return [None] * len(names)
        return [position(name) for name in names]

    return read


def _by_lanes(lanes: int, slots: int) -> _Reading:
    """The same, by the first lane of a port where each has so many.

    Into how many parts a port is split the lanes tell, and the other side's names, read with so many slots in front:
    perhaps not all parts have cables.
    """
    by_panel = _by_panel(slots)

    def read(names: Sequence[str], others: Sequence[str]) -> list[Position | None]:
        first = [int(found[1]) if (found := _LANE.fullmatch(name)) else None for name in names]
        offsets: dict[int, int] = {}
        for lane in first:
            if lane is not None:
                offsets[lane // lanes + 1] = gcd(offsets.get(lane // lanes + 1, lanes), lane % lanes)
        highest: dict[int, int] = {}
        for at in by_panel(others, ()) if offsets else ():
            if isinstance(at, tuple):
                highest[at[0]] = max(highest.get(at[0], 0), at[1])
        parts = {
            panel: max(lanes // step, 1 << (max(highest.get(panel, 0), 1) - 1).bit_length())
            for panel, step in offsets.items()
        }

        def position(lane: int | None) -> Position | None:
            if lane is None:
                return None
            panel, offset = lane // lanes + 1, lane % lanes
            whole = parts[panel] == 1 and not highest.get(panel)
            part, rest = divmod(offset * parts[panel], lanes)
            return None if rest else (panel, 0 if whole else part + 1)

        return [position(lane) for lane in first]

    return read


def _numbered(names: Sequence[str], others: Sequence[str] = ()) -> list[Position | None]:
    return [int(match[1]) if (match := _NUMBER.fullmatch(name)) else None for name in names]


def _by_label(parts: int, cages: bool, ready: bool) -> _Reading:
    """InfiniBand's number by a label.

    Parameters
    ----------
    parts : int
        Numbers in front of the port's, or of the cage's.
    cages : bool
        Whether ports are in cages of two.
    ready : bool
        Whether the switch is ready to split.
    """

    def number(label: Sequence[int]) -> int | None:
        whole, half = label[parts : parts + 1 + cages], label[parts + 1 + cages :]
        if len(whole) < 1 + cages or len(half) > ready or 0 in label or (half and half[0] > _HALVES):
            return None
        if cages and whole[1] > _CAGE_PORTS:
            return None
        port = _CAGE_PORTS * (whole[0] - 1) + whole[1] if cages else whole[0]
        return _HALVES * (port - 1) + (half[0] if half else 1) if ready else port

    def read(names: Sequence[str], others: Sequence[str]) -> list[Position | None]:
        return [None if (label := _label(name)) is None else number(label) for name in names]

    return read


def _label(name: str) -> tuple[int, ...] | None:
    """The numbers of a label; NVOS's as those of ASIC 1."""
    if found := _NVOS.fullmatch(name):
        return (1, *(int(number) for number in found.groups() if number is not None))
    found = _LABEL.fullmatch(name)
    return None if found is None else tuple(map(int, found[1].split("/")))


_PANELS: tuple[_Reading, ...] = (
    *map(_by_panel, range(_SLOTS + 1)),
    *(_by_lanes(lanes, slots) for lanes in _LANES for slots in range(_SLOTS + 1)),
)
_LABELS = ((1, False), (1, True), (0, True))
_READY = tuple(_by_label(parts, cages, True) for parts, cages in _LABELS)
_NUMBERS: tuple[_Reading, ...] = (_numbered, *(_by_label(parts, cages, False) for parts, cages in _LABELS), *_READY)
