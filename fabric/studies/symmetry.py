"""Which cables and switches of a fabric are alike to a job: symmetries, each of them proven.

What a failure does depends on its orbit alone: a symmetry of fabric and traffic carries one failure, with all its loads,
to another.  Symmetries are guessed (`fabric.studies.symmetry_guesses`) and verified one by one, exactly, on the links
that they move (`fabric.studies.symmetry_graph`); cables that are alike for a reason that is not guessed stay apart, which
costs time and is never wrong.

Loads are carried along under `Adaptive` routing only, which looks at capacities and distances: hashes, tables and the
numbers of destinations are not symmetric.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from collectives.demand import Int32Vector, Int64Vector, frozen_array
from collectives.schedule import Schedule
from fabric.jobs.placement import Placement
from fabric.studies.symmetry_graph import ColouredGraph, coloured_graph, reduces
from fabric.studies.symmetry_guesses import Guess, families
from fabric.topology import NVLINK, NVSWITCH, Topology, joined_by


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
    node_class : (n_nodes,) int32
        Orbit of each node, numbered by its first node.
    bundle : (n_links,) int32
        Links of equal tail, head and capacities (of both directions) are a bundle.
    """

    topology: Topology
    generators: tuple[Permutation, ...]
    cable_class: Int32Vector
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
        if not self._moves[int(self.topology.link_kind[link])]:
            yield link, tuple(others)
            return
        place = links.place[link]
        for nodes in self._orbit((links.tail[link], links.head[link]), links.ends(others), links.label[link]):
            bundle = links.number[nodes[0], nodes[1], links.label[link]]
            ends = zip(others, nodes[2::2], nodes[3::2], strict=True)
            found = [(links.number[tail, head, links.label[other]], links.place[other]) for other, tail, head in ends]
            own = (bundle, links.bundle[links.reverse[links.members[bundle][0]]])
            for index, member in enumerate(links.members[bundle]):
                # Within the bundle the failed cable and the one in its place change places.
                swap = {place: index, index: place}
                yield (
                    member,
                    tuple(
                        links.members[one][swap.get(where, where) if one in own else where] for one, where in found
                    ),
                )

    def walk_nodes(self, node: int, others: Sequence[int] = ()) -> Iterator[tuple[int, tuple[int, ...]]]:
        """The nodes that are alike, and the links that `others` are carried to by the same symmetry; `node` first."""
        links = self._links
        if self.topology.nodes.kind[node] == NVSWITCH and not self._moves[NVLINK]:
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
        n, number, bundle, reverse = len(start), self._links.number, self._links.bundle, self._links.reverse

        def place(nodes: tuple[int, ...]) -> int:
            if label is None:
                return nodes[0]
            one = number[nodes[0], nodes[1], label]
            return min(one, bundle[reverse[self._links.members[one][0]]])

        seen = {place(start)}
        waiting = deque([(*start, *carried)])
        while waiting:
            nodes = waiting.popleft()
            yield nodes
            for generator in dict.fromkeys(number for node in nodes[:n] for number in self._movers.get(node, ())):
                image = self._images[generator]
                ends = tuple(image.get(node, node) for node in nodes[:n])
                where = place(ends)
                if where not in seen:
                    seen.add(where)
                    waiting.append((*ends, *(image.get(node, node) for node in nodes[n:])))

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

    @cached_property
    def _moves(self) -> dict[int, bool]:
        """Of each kind of links, whether any two of its cables may be alike."""
        kind = self.topology.link_kind
        return {
            one: bool(np.unique(self.cable_class[kind == one]).size < np.count_nonzero(kind == one) // 2)
            for one in np.unique(kind).tolist()
        }


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
        self.tail, self.head, self.reverse = topology.link_tail.tolist(), topology.link_head.tolist(), reverse.tolist()
        self.label: list[int] = np.unique(gbps, axis=1, return_inverse=True)[1].ravel().tolist()
        self.bundle: list[int] = bundle.tolist()
        self.place: list[int] = place.tolist()
        self.members: list[list[int]] = [part.tolist() for part in np.split(order, first[1:-1])]
        self.number = {
            (self.tail[some[0]], self.head[some[0]], self.label[some[0]]): number
            for number, some in enumerate(self.members)
            if some
        }

    def ends(self, links: Sequence[int]) -> tuple[int, ...]:
        """Tail and head of each."""
        return tuple(node for link in links for node in (self.tail[link], self.head[link]))


def symmetry_of(
    topology: Topology, placement: Placement | None = None, schedule: Schedule | None = None
) -> Symmetry:
    """Find symmetries of a fabric, of the endpoints that a job has, and of what it sends.

    Two failures of one class (a cable, or a switch) leave loads behind that are the same up to a symmetry, in every
    phase of the schedule, if bytes are split as `Adaptive` does.  A `Reduction` inside a scale-up domain is symmetric if
    its NVLink switches are not joined with each other; an NVLink cable or switch that fails is then alike to no other,
    for it would send the group along a tree.  For reductions in other switches no switch is alike to any other.

    About a second for 1,000 endpoints and their links; O(generators x links moved).

    Parameters
    ----------
    topology : Topology
    placement : Placement, optional
        Endpoints of the job.
    schedule : Schedule, optional
        What the job sends; needs a placement.

    Raises
    ------
    InputError
        If an endpoint of the placement is not one of the fabric.
    """
    graph = coloured_graph(topology, placement, schedule)
    search = _Search(graph)
    for family in families(topology, graph):
        search.family(family)
    n, n_nodes = topology.n_links, topology.n_nodes
    gbps = np.stack([topology.link_capacity_gbps, topology.link_capacity_gbps[topology.link_reverse]])
    label = np.unique(gbps, axis=1, return_inverse=True)[1].ravel()
    tail, head = topology.link_tail.astype(np.int64), topology.link_head.astype(np.int64)
    edge = graph.find(tail, head, label) if n else np.zeros(0, np.int64)
    assert edge is not None
    bundle = np.unique(edge, return_inverse=True)[1].ravel()
    of_edge = search.edge_class[edge]
    cable = joined_by(graph.tail.size, of_edge, of_edge[topology.link_reverse])[of_edge]
    node = search.node_class[:n_nodes].copy()
    if reduces(schedule):
        scale_up = np.flatnonzero(topology.link_kind == NVLINK)
        cable[scale_up] = graph.tail.size + np.minimum(scale_up, topology.link_reverse[scale_up])
        switch = np.flatnonzero(topology.nodes.kind == NVSWITCH)
        node[switch] = graph.colour.size + switch
    return Symmetry(
        topology=topology,
        generators=tuple(search.generators(n_nodes)),
        cable_class=frozen_array(_numbered(cable), np.int32, "cable_class"),
        node_class=frozen_array(_numbered(node), np.int32, "node_class"),
        bundle=frozen_array(bundle.astype(np.int32), np.int32, "bundle"),
    )


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
        self.found: list[tuple[Int64Vector, Int64Vector]] = []
        self.edge_class, self.node_class = np.arange(graph.tail.size), np.arange(graph.colour.size)
        self._edges: list[tuple[Int64Vector, Int64Vector]] = []

    def family(self, guesses: list[Guess]) -> None:
        """Try guesses one by one, and those that are no symmetries together with others, in wider and wider scopes."""
        waiting = [([guess], guess) for guess in guesses]
        depth = max((len(guess.scopes) for guess in guesses), default=0)
        for scope in range(depth):
            together: dict[object, list[Guess]] = {}
            tried = {}
            for some, _ in waiting:
                key = some[0].scopes[min(scope, len(some[0].scopes) - 1)]
                together.setdefault(key, []).extend(some)
                tried[key] = len(some)
            waiting = []
            for key, some in together.items():
                fresh = scope == 0 or len(some) != tried[key]
                if not (fresh and self._symmetric(some)):
                    waiting.append((some, some[0]))
        self._join()

    def _symmetric(self, guesses: list[Guess]) -> bool:
        graph = self.graph
        node = np.concatenate([guess.node for guess in guesses])
        image = np.concatenate([guess.image for guess in guesses])
        if not np.array_equal(graph.likeness[node], graph.likeness[image]):
            return False
        whole = graph.completed(node, image)
        if whole is None:
            return False
        edges = graph.mapped_edges(*whole)
        if edges is None:
            return False
        if np.any(self.edge_class[edges[0]] != self.edge_class[edges[1]]):
            self.found.append(whole)
            self._edges.append(edges)
        return True

    def _join(self) -> None:
        """Edges and nodes that the symmetries of the last family carry to each other are alike."""
        if not self._edges:
            return
        one, other = (np.concatenate(column) for column in zip(*self._edges, strict=True))
        classes = self.edge_class
        self.edge_class = joined_by(classes.size, classes[one], classes[other])[classes]
        node, image = (np.concatenate(column) for column in zip(*self.found, strict=True))
        self.node_class = joined_by(self.node_class.size, node, image)
        self._edges = []

    def generators(self, n_nodes: int) -> Iterator[Permutation]:
        """What was found, of the fabric's own nodes."""
        for node, image in self.found:
            own = node < n_nodes
            yield Permutation(
                frozen_array(node[own].astype(np.int32), np.int32, "node"),
                frozen_array(image[own].astype(np.int32), np.int32, "image"),
            )
