"""Which cables and switches of a fabric are alike to a job: symmetries, each of them proven.

What a failure does depends on its orbit alone: a symmetry of fabric and traffic carries one failure, with all its
loads, to another.  Symmetries are guessed (`fabric.studies.symmetry_guesses`) and each is verified, exactly, on the
links that it moves (`fabric.studies.symmetry_graph`); cables that are alike for a reason that is not guessed stay
apart, which costs time and is never wrong.

Loads are carried along under `Adaptive` routing only, which looks at capacities and distances: hashes, tables and the
numbers of destinations are not symmetric.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

from collectives.demand import Int32Vector, Int64Vector, Reduction, frozen_array
from collectives.schedule import Schedule
from fabric.jobs.placement import Placement
from fabric.studies.symmetry_graph import ColouredGraph, Moves, coloured_graph, demands_of
from fabric.studies.symmetry_guesses import Guess, families
from fabric.topology import NVLINK, NVSWITCH, Topology, joined_by

# Edges that are looked at together: some ten MB an array.  Assumed to suit any machine.
_MOST_EDGES = 2**19


@dataclass(frozen=True, eq=False)
class Permutation:
    """A symmetry: where it moves nodes; all others stay.

    Attributes
    ----------
    node, image : (n_moved,) int32
        Nodes of the fabric, and where each goes.
    """

    node: Int32Vector
    image: Int32Vector


@dataclass(frozen=True, eq=False)
class Symmetry:
    """Symmetries of a fabric and the traffic on it, and what they make alike.

    Attributes
    ----------
    topology : Topology
    generators : tuple of Permutation
        Each maps links to links of the same capacities, hosts to hosts, scale-up domains to domains, the job's
        endpoints to the job's, and the bytes of every demand to themselves.
    cable_class : (n_links,) int32
        Orbit of each link's cable, numbered by its first link; both directions of a cable are in one.  Parallel cables
        of equal capacities are alike.
    link_class : (n_links,) int32
        Orbit of each link, which has a direction, numbered by its first link; links of a bundle are in one.
    node_class : (n_nodes,) int32
        Orbit of each node, numbered by its first node.
    bundle : (n_links,) int32
        Links of equal tail, head and capacities (of both directions) are a bundle.
    """

    topology: Topology
    generators: tuple[Permutation, ...]
    cable_class: Int32Vector
    link_class: Int32Vector
    node_class: Int32Vector
    bundle: Int32Vector

    @cached_property
    def cable_representatives(self) -> Int32Vector:
        """The first link of each class of cables, (n_classes,) int32."""
        return np.unique(self.cable_class, return_index=True)[1].astype(np.int32)

    @cached_property
    def node_representatives(self) -> Int32Vector:
        """The first node of each class of nodes, (n_classes,) int32."""
        return np.unique(self.node_class, return_index=True)[1].astype(np.int32)

    def walk_cables(self, link: int, others: Sequence[int] = ()) -> Iterator[tuple[int, tuple[int, ...]]]:
        """The cables that are alike, and what stands to each of them as other links stand to the given one.

        Parameters
        ----------
        link : int
            Of a cable, in one direction.
        others : sequence of int
            Links that are carried along: the most loaded ones when the cable has failed.

        Yields
        ------
        link : int
            Of every cable of the class once, `link` first: its direction is the one that `link` is carried to.
        others : tuple of int
            The links that `others` are carried to by the same symmetry.
        """
        links = self._links
        if self._alone(self.cable_class, link, 2):
            yield link, tuple(others)
            return
        place = links.place[link]
        for nodes in self._orbit((links.tail[link], links.head[link]), links.ends(others), links.label[link]):
            bundle = links.number[nodes[0], nodes[1], links.label[link]]
            ends = zip(others, nodes[2::2], nodes[3::2], strict=True)
            found = [(links.number[tail, head, links.label[other]], links.place[other]) for other, tail, head in ends]
            own = links.cable[bundle]
            for index, member in enumerate(links.members[bundle]):
                # Within the bundle the failed cable and the one in its place change places.
                swap = {place: index, index: place}
                yield (
                    member,
                    tuple(
                        links.members[one][swap.get(where, where) if links.cable[one] == own else where]
                        for one, where in found
                    ),
                )

    def walk_nodes(self, node: int, others: Sequence[int] = ()) -> Iterator[tuple[int, tuple[int, ...]]]:
        """The nodes that are alike, and the links that `others` are carried to by the same symmetry; `node` first."""
        links = self._links
        if self._alone(self.node_class, node, 1):
            yield node, tuple(others)
            return
        for nodes in self._orbit((node,), links.ends(others), None):
            ends = zip(others, nodes[1::2], nodes[2::2], strict=True)
            yield (
                nodes[0],
                tuple(
                    links.members[links.number[tail, head, links.label[other]]][links.place[other]]
                    for other, tail, head in ends
                ),
            )

    def _orbit(self, start: tuple[int, ...], carried: tuple[int, ...], label: int | None) -> Iterator[tuple[int, ...]]:
        """Images of nodes under all symmetries that bring the first ones to new places, breadth first."""
        n, number, cable, movers, images = (
            len(start), self._links.number, self._links.cable, self._movers, self._images,
        )  # fmt: skip
        seen: set[int] = set()
        waiting = deque([(*start, *carried)])
        seen.add(start[0] if label is None else cable[number[start[0], start[1], label]])
        while waiting:
            nodes = waiting.popleft()
            yield nodes
            for end in nodes[:n]:
                for generator in movers.get(end, ()):
                    image = images[generator]
                    first, last = image.get(nodes[0], nodes[0]), image.get(nodes[n - 1], nodes[n - 1])
                    where = first if label is None else cable[number[first, last, label]]
                    if where not in seen:
                        seen.add(where)
                        waiting.append(tuple([image.get(node, node) for node in nodes]))

    @cached_property
    def _images(self) -> list[dict[int, int]]:
        return [dict(zip(one.node.tolist(), one.image.tolist(), strict=True)) for one in self.generators]

    @cached_property
    def _movers(self) -> dict[int, list[int]]:
        movers: dict[int, list[int]] = {}
        for number, generator in enumerate(self.generators):
            for node in generator.node.tolist():
                movers.setdefault(node, []).append(number)
        return movers

    @cached_property
    def _links(self) -> "_Links":
        return _Links(self.topology, self.bundle)

    def _alone(self, classes: Int32Vector, index: int, least: int) -> bool:
        return bool(np.count_nonzero(classes == classes[index]) == least)


class _Links:
    """Links as lists, for steps from one to the next."""

    def __init__(self, topology: Topology, bundle: Int32Vector) -> None:
        reverse = topology.link_reverse
        gbps = np.stack([topology.link_capacity_gbps, topology.link_capacity_gbps[reverse]])
        # The cables of a bundle stand in the same order in both directions.
        order = np.lexsort((np.minimum(np.arange(topology.n_links), reverse), bundle))
        first = np.searchsorted(bundle[order], np.arange(int(bundle.max(initial=-1)) + 2))
        place = np.empty(topology.n_links, np.int64)
        place[order] = np.arange(order.size) - first[bundle[order]]
        self.tail: list[int] = topology.link_tail.tolist()
        self.head: list[int] = topology.link_head.tolist()
        self.label: list[int] = np.unique(gbps, axis=1, return_inverse=True)[1].ravel().tolist()
        # The one of a bundle and its reverse that has the smaller number.
        self.cable: list[int] = np.minimum(bundle, bundle[reverse])[order[first[:-1]]].tolist()
        self.place: list[int] = place.tolist()
        self.members: list[list[int]] = [part.tolist() for part in np.split(order, first[1:-1])]
        self.number: dict[tuple[int, int, int], int] = {
            (self.tail[some[0]], self.head[some[0]], self.label[some[0]]): number
            for number, some in enumerate(self.members)
            if some
        }

    def ends(self, links: Sequence[int]) -> tuple[int, ...]:
        """Tail and head of each."""
        return tuple(node for link in links for node in (self.tail[link], self.head[link]))


def symmetry_of(topology: Topology, placement: Placement, schedule: Schedule | None = None) -> Symmetry:
    """Find symmetries of a fabric with a job: of the endpoints that it has, and of what it sends.

    Two failures of one class (a cable, or a switch) leave loads behind that are the same up to a symmetry, in every
    phase of the schedule, if bytes are split as `Adaptive` does; so do two cables that become slower alike.  A
    `Reduction` inside a scale-up domain is symmetric if its NVLink switches are not joined with each other; an NVLink
    cable or switch that fails is then alike to no other, for it would send the group along a tree.  For reductions in
    other switches no switch is alike to another.

    O(L log L) for the L links that all guesses move; some seconds for 10,000 endpoints.

    Parameters
    ----------
    topology : Topology
    placement : Placement
        Endpoints of the job.
    schedule : Schedule, optional
        What the job sends; default nothing.

    Raises
    ------
    InputError
        If an endpoint of the placement is not one of the fabric.
    """
    return symmetry_of_jobs(topology, [(placement, schedule)])


def symmetry_of_jobs(topology: Topology, jobs: Sequence[tuple[Placement, Schedule | None]]) -> Symmetry:
    """Symmetries that keep each of several jobs, or of a fabric without any; arguments and errors as `symmetry_of`."""
    graph = coloured_graph(topology, jobs)
    search = _Search(graph)
    for family in families(topology, graph):
        search.family(family)
    n_nodes = topology.n_nodes
    gbps = np.stack([topology.link_capacity_gbps, topology.link_capacity_gbps[topology.link_reverse]])
    label = np.unique(gbps, axis=1, return_inverse=True)[1].ravel()
    tail, head = topology.link_tail.astype(np.int64), topology.link_head.astype(np.int64)
    edge = graph.find(tail, head, label)
    bundle = np.unique(edge, return_inverse=True)[1].ravel()
    of_edge = search.edge_class[edge]
    cable = joined_by(graph.tail.size, of_edge, of_edge[topology.link_reverse])[of_edge]
    node = search.node_class[:n_nodes].copy()
    if any(isinstance(demand, Reduction) for _, schedule in jobs for demand in demands_of(schedule)):
        scale_up = np.flatnonzero(topology.link_kind == NVLINK)
        cable[scale_up] = graph.tail.size + np.minimum(scale_up, topology.link_reverse[scale_up])
        switch = np.flatnonzero(topology.nodes.kind == NVSWITCH)
        node[switch] = graph.colour.size + switch
    return Symmetry(
        topology=topology,
        generators=tuple(search.generators(n_nodes)),
        cable_class=frozen_array(_numbered(cable), np.int32, "cable_class"),
        link_class=frozen_array(_numbered(_both_ways(of_edge, topology.link_reverse)), np.int32, "link_class"),
        node_class=frozen_array(_numbered(node), np.int32, "node_class"),
        bundle=frozen_array(bundle.astype(np.int32), np.int32, "bundle"),
    )


def _both_ways(of_link: Int64Vector, reverse: Int32Vector) -> Int64Vector:
    """Classes of links, joined where those of their reverses are one: a symmetry carries both directions of a cable."""
    found: Int64Vector = np.unique(of_link, return_inverse=True)[1].ravel().astype(np.int64)
    while True:
        n = int(found.max(initial=-1)) + 1
        first = np.zeros(n, np.int64)
        first[found[::-1]] = np.arange(found.size)[::-1]
        joined = joined_by(n, found[reverse], found[reverse[first[found]]])[found]
        if np.unique(joined).size == n:
            return found
        found = np.unique(joined, return_inverse=True)[1].ravel().astype(np.int64)


def _numbered(values: Int64Vector) -> Int32Vector:
    """Equal values get equal numbers, in the order of their first places."""
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    rank = np.empty(first.size, np.int32)
    rank[np.argsort(first)] = np.arange(first.size)
    return rank[inverse.ravel()]


class _Search:
    """Symmetries found so far, and what they make alike."""

    def __init__(self, graph: ColouredGraph) -> None:
        self.graph = graph
        self.found: list[Moves] = []
        self.edge_class, self.node_class = np.arange(graph.tail.size), np.arange(graph.colour.size)

    def family(self, guesses: list[Guess]) -> None:
        """Try guesses one by one, and those that are no symmetries together with others, in wider and wider scopes."""
        waiting = [[guess] for guess in guesses]
        for scope in range(max((len(guess.scopes) for guess in guesses), default=0)):
            together: dict[object, list[list[Guess]]] = {}
            for some in waiting:
                together.setdefault(some[0].scopes[scope], []).append(some)
            # What stands alone in a wider scope as before was tried before.
            fresh = [list(chain.from_iterable(sets)) for sets in together.values() if scope == 0 or len(sets) > 1]
            waiting = [sets[0] for sets in together.values() if scope > 0 and len(sets) == 1]
            waiting += self._failed(fresh)

    def _failed(self, sets: list[list[Guess]]) -> list[list[Guess]]:
        """Keep the sets of guesses that are symmetries, made at once; returns the others."""
        failed, some, size = [], [], 0
        for guesses in sets:
            some.append(guesses)
            size += sum(int(self._degree[guess.node].sum()) for guess in guesses)
            if size > _MOST_EDGES:
                failed += self._tried(some)
                some, size = [], 0
        return failed + self._tried(some)

    @cached_property
    def _degree(self) -> Int64Vector:
        return np.diff(self.graph.start)

    def _tried(self, sets: list[list[Guess]]) -> list[list[Guess]]:
        if not sets:
            return []
        graph = self.graph
        guesses = [guess for some in sets for guess in some]
        number = np.repeat(np.arange(len(sets)), [sum(guess.node.size for guess in some) for some in sets])
        node, image = (np.concatenate([getattr(one, end) for one in guesses]) for end in ("node", "image"))
        unlike = np.unique(number[graph.likeness[node] != graph.likeness[image]])
        moves = graph.completed(Moves(number, node, image).without(unlike))
        edges = graph.mapped_edges(moves)
        new = self.edge_class[edges.node] != self.edge_class[edges.image]
        if new.any():
            kept = moves.only(np.unique(edges.number[new]))
            self.found.append(kept)
            classes = self.edge_class
            self.edge_class = joined_by(classes.size, classes[edges.node], classes[edges.image])[classes]
            classes = self.node_class
            self.node_class = joined_by(classes.size, classes[kept.node], classes[kept.image])[classes]
        symmetric = set(np.unique(edges.number).tolist())
        return [some for place, some in enumerate(sets) if place not in symmetric]

    def generators(self, n_nodes: int) -> Iterator[Permutation]:
        """What was found, of the fabric's own nodes."""
        for found in self.found:
            own = found.below(n_nodes)
            cuts = np.flatnonzero(np.diff(own.number)) + 1
            node, image = (np.split(column.astype(np.int32), cuts) for column in (own.node, own.image))
            yield from map(Permutation, node, image)
