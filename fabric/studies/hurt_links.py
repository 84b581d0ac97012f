"""What hurts each link: the single failure that loads it most, and by how much.

Links that a symmetry of fabric and traffic carries into one another are one class.  A failure f and a link l are to
each other what s(f) and s(l) are, for every symmetry s: so the worst that any failure like f does to l is the most
that f itself does to a link of l's class, and one run of f says it of all links.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from collectives.demand import FloatVector, Int32Vector, Int64Vector
from fabric.studies.breakable import Broken
from fabric.studies.fault_classes import part_of
from fabric.studies.hotspots import tier_name
from fabric.studies.symmetry import Symmetry
from fabric.topology import DIRECTIONS, UNKNOWN, Topology

_MORE = 1 + 1e-9  # What differs by less is rounding.


@dataclass(frozen=True)
class HurtLink:
    """What hurts a link most.

    Attributes
    ----------
    link : int
    tier, direction : str
    whole_s : float
        Load over capacity in the whole fabric.
    worst_s : float
        The same under the failure that loads it most.
    failure : Broken
    alike : int
        Links that a failure of the same kind does this to, this one among them: proven by a symmetry.
    """

    link: int
    tier: str
    direction: str
    whole_s: float
    worst_s: float
    failure: Broken
    alike: int


@dataclass(frozen=True)
class LinkView:
    """What hurts the links of a tier and direction most.

    Attributes
    ----------
    tier, direction : str
    whole_s : float
        Load over capacity of the busiest of them in the whole fabric.
    worst_s : float
        The same under the failure that loads one of them most.
    link : str
        That link.
    failure : Broken or None
        None where no failure loads them more.
    """

    tier: str
    direction: str
    whole_s: float
    worst_s: float
    link: str
    failure: Broken | None


class WorstOfLinks:
    """The worst that each class of links has seen, failure by failure.

    Parameters
    ----------
    topology : Topology
    whole : (n_links,) float64
        Load over capacity of each link in the whole fabric.
    symmetry : Symmetry, optional
        Without one each link is alone.
    """

    def __init__(self, topology: Topology, whole: FloatVector, symmetry: Symmetry | None) -> None:
        self._topology, self._symmetry = topology, symmetry
        link_class = np.arange(topology.n_links) if symmetry is None else symmetry.link_class
        self._order = np.argsort(link_class, kind="stable")
        ordered = link_class[self._order]
        self._start = np.flatnonzero(np.diff(ordered, prepend=-1))
        self._size = np.diff(np.append(self._start, ordered.size))
        self.whole = whole
        self._whole = np.maximum.reduceat(whole[self._order], self._start) if whole.size else whole
        self._worst = self._whole.copy()
        self._by = np.full(self._start.size, UNKNOWN, np.int64)
        self._at = self._order[self._start] if whole.size else self._order

    def add(self, seconds: FloatVector, failure: int | Int32Vector | Int64Vector) -> None:
        """Take note of load over capacity under a failure, or of each link under one of its own, (n_links,)."""
        of_class = np.maximum.reduceat(seconds[self._order], self._start)
        for number in np.flatnonzero(of_class > self._worst * _MORE).tolist():
            members = self._order[self._start[number] : self._start[number] + self._size[number]]
            at = int(members[seconds[members].argmax()])
            self._worst[number], self._at[number] = of_class[number], at
            self._by[number] = failure if isinstance(failure, int) else failure[at]

    def links(self, failures: Sequence[Broken]) -> tuple[HurtLink, ...]:
        """One link of each class that a failure loads more, those first that are busy longest then."""
        found = [
            HurtLink(
                int(self._at[number]),
                *self._place(int(self._at[number])),
                float(self._whole[number]),
                float(self._worst[number]),
                failures[self._by[number]],
                int(self._size[number]),
            )
            for number in np.flatnonzero(self._by != UNKNOWN).tolist()
        ]
        return tuple(sorted(found, key=lambda one: (-one.worst_s, one.whole_s, one.link)))

    def views(self, failures: Sequence[Broken]) -> Iterator[LinkView]:
        """The worst of each tier and direction that carries anything."""
        topology = self._topology
        columns = np.stack([topology.link_kind, topology.link_tier, topology.link_direction]).astype(np.int64)
        of_class = columns[:, self._at]
        for kind, tier, direction in np.unique(of_class, axis=1).T.tolist():
            own = np.flatnonzero((of_class == np.array([[kind], [tier], [direction]])).all(axis=0))
            worst = int(own[self._worst[own].argmax()])
            if self._worst[worst] > 0:
                yield LinkView(
                    tier_name(kind, tier, direction),
                    DIRECTIONS[direction],
                    float(self._whole[own].max()),
                    float(self._worst[worst]),
                    topology.link_name(int(self._at[worst])),
                    None if self._by[worst] == UNKNOWN else failures[self._by[worst]],
                )

    def every_link(
        self, failures: Sequence[Broken], things: Sequence[Broken]
    ) -> Iterator[tuple[int, float, Broken | None]]:
        """Every link: seconds under the failure that loads it most, and that failure, carried to it by the symmetry.

        Parameters
        ----------
        failures : sequence of Broken
            Those that were run.
        things : sequence of Broken
            All that may break.

        Yields
        ------
        link : int
        worst_s : float
        failure : Broken or None
            None where no failure loads the link more.
        """
        number = {(one.kind, part_of(self._topology, one)): one for one in things}
        for place in range(self._start.size):
            members = self._order[self._start[place] : self._start[place] + self._size[place]].tolist()
            own: dict[int, Broken] = {}
            if self._by[place] != UNKNOWN:
                own = self._carried(int(self._at[place]), failures[self._by[place]], number)
            for link in members:
                yield link, float(self._worst[place]), own.get(link)

    def _carried(self, link: int, failure: Broken, number: dict[tuple[str, int], Broken]) -> dict[int, Broken]:
        """The failure that stands to each link of a class as the given one stands to the given link."""
        if self._symmetry is None:
            return {link: failure}
        topology, marker = self._topology, _marker(self._topology, failure)
        found = {}
        for image, (carried,) in self._symmetry.walk_cables(link, (marker,)):
            other = number.get(
                (failure.kind, part_of(topology, replace(failure, part=_marked(topology, failure, carried))))
            )
            if other is not None:
                found[image] = other
        return found

    def _place(self, link: int) -> tuple[str, str]:
        topology = self._topology
        kind, tier, direction = (
            int(column[link]) for column in (topology.link_kind, topology.link_tier, topology.link_direction)
        )
        return tier_name(kind, tier, direction), DIRECTIONS[direction]


def _marker(topology: Topology, failure: Broken) -> int:
    """A link that goes where the failure goes: its own, or one that leaves its switch, endpoint or plane."""
    if failure.kind in ("cable", "nic"):
        return failure.part
    if failure.kind == "plane":
        return int(np.flatnonzero(topology.nodes.plane[topology.link_tail] == failure.part)[0])
    return int(topology.out_start[failure.part])


def _marked(topology: Topology, failure: Broken, link: int) -> int:
    """The part that is marked by a link, as `_marker` marks it."""
    if failure.kind in ("cable", "nic"):
        return link
    tail = int(topology.link_tail[link])
    return int(topology.nodes.plane[tail]) if failure.kind == "plane" else tail
