"""Nodes that are alike, and a small graph that has the minimum cuts of a large one.

A partition of the nodes into classes is *equitable* if all nodes of a class have the same capacity to each class, and
from each.  The coarsest one that keeps given colours apart is found by colour refinement: nodes of one class that see
different capacities to the classes are split until there are none.

**Same cuts.**  The graph of the classes has a node for each class, and between two classes the capacity of all links
from one to the other.  Its maximum flow between two classes is that of the whole graph between their nodes:

- a cut of the classes is a cut of the nodes, of the same capacity;
- a flow of the classes is one of the nodes: each link carries of what flows between its two classes the part that its
  capacity is of theirs.  A node of a class of ``k`` then gets a ``k``-th of what the class gets, since its capacity
  from each class is a ``k``-th, and sends a ``k``-th of what the class sends: as much.

So nothing is lost, whatever the graph, and a regular fabric of thousands of endpoints shrinks to dozens of classes.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from collectives.demand import Int64Vector

_Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class CapacityGraph:
    """Nodes and links with whole capacities.

    Attributes
    ----------
    n_nodes : int
    tail, head : (n_links,) int64
        By tail, then head; no pair twice, no link from a node to itself.
    capacity : (n_links,) int64
        At least 1 each; their sum is below 2**62.
    """

    n_nodes: int
    tail: Int64Vector
    head: Int64Vector
    capacity: Int64Vector

    @classmethod
    def of(cls, n_nodes: int, tail: Int64Vector, head: Int64Vector, capacity: Int64Vector) -> "CapacityGraph":
        """Parallel links as one, links from a node to itself left out."""
        apart = tail != head
        pair, place = np.unique(tail[apart] * n_nodes + head[apart], return_inverse=True)
        total = np.zeros(pair.size, np.int64)
        np.add.at(total, place, capacity[apart])
        return cls(n_nodes, pair // n_nodes, pair % n_nodes, total)

    @cached_property
    def turned(self) -> "CapacityGraph":
        """The same with every link the other way round."""
        order = np.lexsort((self.tail, self.head))
        return CapacityGraph(self.n_nodes, self.head[order], self.tail[order], self.capacity[order])

    @cached_property
    def out_start(self) -> Int64Vector:
        """Where the links of each tail begin, (n_nodes + 1,) int64."""
        return np.searchsorted(self.tail, np.arange(self.n_nodes + 1)).astype(np.int64)

    def leaving(self, inside: npt.NDArray[np.bool_]) -> int:
        """Capacity of the links that leave a set of nodes."""
        return int(self.capacity[inside[self.tail] & ~inside[self.head]].sum())


def refined(graph: CapacityGraph, colour: Int64Vector) -> Int64Vector:
    """The coarsest equitable partition that keeps colours apart, (n_nodes,) int64.  O(links) a round.

    Classes are numbered by what they look like alone, so that graphs that differ in the names of their nodes get the
    same numbers.  Capacities to the classes are compared by a hash of 64 bits; `classes` checks what comes out.

    Parameters
    ----------
    graph : CapacityGraph
    colour : (n_nodes,) int64
        Of each node, from 0.
    """
    n_classes = int(np.unique(colour).size)
    while True:
        seen = [_seen(one, colour) for one in (graph, graph.turned)]
        keys = np.stack([colour.astype(np.uint64), *seen])
        order = np.lexsort(keys[::-1])
        changes = (keys[:, order[1:]] != keys[:, order[:-1]]).any(axis=0)
        finer = np.empty(graph.n_nodes, np.int64)
        finer[order] = np.concatenate([[0], np.cumsum(changes)]) if order.size else 0
        found = int(finer.max(initial=-1)) + 1
        if found == n_classes:
            return finer
        colour, n_classes = finer, found


def _seen(graph: CapacityGraph, colour: Int64Vector) -> _Words:
    """For each node a hash of its capacity to each class: the sum of capacities times a word of the class."""
    running = np.zeros(graph.tail.size + 1, np.uint64)
    np.cumsum(graph.capacity.astype(np.uint64) * _word(colour)[graph.head], out=running[1:])
    found: _Words = running[graph.out_start[1:]] - running[graph.out_start[:-1]]
    return found


def _word(number: Int64Vector) -> _Words:
    """A word for each number: the finalizer of splitmix64 (S. Vigna, prng.di.unimi.it/splitmix64.c)."""
    word = (number.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def likeness(graph: CapacityGraph, colour: Int64Vector, label: Int64Vector) -> bytes:
    """What the graph of the classes looks like: the same of two colourings where these have the same, to 64 bits.

    Parameters
    ----------
    graph : CapacityGraph
    colour : (n_nodes,) int64
        As `refined` numbers classes.
    label : (n_nodes,) int64
        The same in a class: what is given of its nodes.
    """
    first = np.unique(colour, return_index=True)[1]
    seen = [_seen(one, colour)[first] for one in (graph, graph.turned)]
    return b"".join(part.tobytes() for part in (np.bincount(colour), label[first], *seen))


def classes(graph: CapacityGraph, colour: Int64Vector) -> CapacityGraph | None:
    """The graph of the classes; None if the partition is not equitable.  Links inside a class are left out.

    Parameters
    ----------
    graph : CapacityGraph
    colour : (n_nodes,) int64
        Class of each node, numbered from 0 without gaps.
    """
    size = np.bincount(colour)
    if not all(_even(one, colour, size) for one in (graph, graph.turned)):
        return None
    return CapacityGraph.of(size.size, colour[graph.tail], colour[graph.head], graph.capacity)


def _even(graph: CapacityGraph, colour: Int64Vector, size: Int64Vector) -> bool:
    """Whether all nodes of a class have the same capacity to each class."""
    n_classes = size.size
    pair, place = np.unique(graph.tail * n_classes + colour[graph.head], return_inverse=True)
    own = np.zeros(pair.size, np.int64)
    np.add.at(own, place, graph.capacity)
    of_class, place, counts = np.unique(
        colour[pair // n_classes] * n_classes + pair % n_classes, return_inverse=True, return_counts=True
    )
    most, least = np.zeros(of_class.size, np.int64), np.full(of_class.size, np.iinfo(np.int64).max)
    np.maximum.at(most, place, own)
    np.minimum.at(least, place, own)
    return bool((most == least).all() and (counts == size[of_class // n_classes]).all())
