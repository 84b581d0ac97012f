"""A fabric with its traffic as one coloured graph, whose automorphisms are the symmetries of both.

Beside endpoints and switches there is a node for each host, each group of an all-to-all and each block in a group, so
that "hosts map to hosts" and "groups map to groups" are the same question as "cables map to cables".  Edges are counted
by tail, head and label; the label of a link is its capacity and that of its reverse, the label of a flow its demand and
bytes, the label of a membership what the member sends and receives.  Every edge has a reverse with a label of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import assert_never

import numpy as np
import numpy.typing as npt

from collectives.demand import AllToAll, Demand, Flows, Int32Vector, Int64Vector, Reduction
from collectives.schedule import Schedule
from fabric.jobs.placement import Placement
from fabric.topology import ISL, NVSWITCH, SWITCH, UNKNOWN, BoolVector, Topology, joined_by

UInt64Vector = npt.NDArray[np.uint64]

# Rounds after which colours are taken as they are: they only choose what is tried.
_ROUNDS = 16


@dataclass(frozen=True, eq=False)
class ColouredGraph:
    """Nodes, the fabric's first, and counted edges in the order of (tail, head, label).

    Attributes
    ----------
    colour : (n,) int64
        What a symmetry keeps of each node.
    level : (n,) int64
        0 for endpoints, the tier for switches, 1 for hosts, groups and blocks.
    order : (n,) int64
        In which nodes that could be taken for each other are matched: plane by plane, then as they are numbered.
    tail, head, label, count : (n_edges,) int64
    """

    colour: Int64Vector
    level: Int64Vector
    order: Int64Vector
    tail: Int64Vector
    head: Int64Vector
    label: Int64Vector
    count: Int64Vector

    @cached_property
    def start(self) -> Int64Vector:
        """Where each node's edges begin, (n + 1,)."""
        return np.searchsorted(self.tail, np.arange(self.colour.size + 1)).astype(np.int64)

    @cached_property
    def _pairs(self) -> tuple[Int64Vector, Int64Vector, int]:
        """Keys of the pairs of nodes, keys of the edges by (pair, label), and how many labels there are."""
        key = self.tail * self.colour.size + self.head
        pairs, index = np.unique(key, return_inverse=True)
        n_labels = int(self.label.max(initial=0)) + 1
        return pairs, index.ravel() * n_labels + self.label, n_labels

    def find(self, tail: Int64Vector, head: Int64Vector, label: Int64Vector) -> Int64Vector:
        """The edges of these ends and labels, `UNKNOWN` where there is none.  O(k log n_edges)."""
        pairs, keys, n_labels = self._pairs
        if keys.size == 0:
            return np.full(tail.size, UNKNOWN, np.int64)
        pair_key = tail * self.colour.size + head
        pair = np.minimum(np.searchsorted(pairs, pair_key), pairs.size - 1)
        key = pair * n_labels + label
        edge = np.minimum(np.searchsorted(keys, key), keys.size - 1)
        return np.where((pairs[pair] == pair_key) & (keys[edge] == key), edge, UNKNOWN).astype(np.int64)

    def edges_of(self, nodes: Int64Vector) -> Int64Vector:
        """Edges that leave these nodes."""
        return _ranges(self.start[nodes], self.start[nodes + 1])

    @cached_property
    def key(self) -> UInt64Vector:
        """A random number of each node: sums of them tell sets of nodes apart, and are cheap to change."""
        return np.random.Generator(np.random.PCG64(0)).integers(0, 2**63, self.colour.size, np.uint64)

    @cached_property
    def weight(self) -> UInt64Vector:
        """By which number an edge counts in such sums: odd, random by label, times the count."""
        labels = np.arange(int(self.label.max(initial=0)) + 1).astype(np.uint64)
        return (_mixed(labels) | np.uint64(1))[self.label] * self.count.astype(np.uint64)

    @cached_property
    def below(self) -> UInt64Vector:
        """Of each node the sum over its neighbours of lower levels: equal for nodes with equal cables downwards."""
        total = np.zeros(self.colour.size, np.uint64)
        up = np.flatnonzero(self.level[self.head] > self.level[self.tail])
        np.add.at(total, self.head[up], self.key[self.tail[up]] * self.weight[up])
        return total

    @cached_property
    def likeness(self) -> Int64Vector:
        """Colours refined by those of the neighbours, (n,): what a symmetry could map has equal ones.

        The first rounds of B. Weisfeiler and A. Leman's colour refinement (1968).  O(n_edges) a round.
        """
        colour, n_colours = self.colour, np.unique(self.colour).size
        for _ in range(_ROUNDS):
            hashed = _mixed(colour.astype(np.uint64))
            total = np.zeros(colour.size, np.uint64)
            np.add.at(total, self.tail, _mixed(hashed[self.head] + self.weight))
            colour = np.unique(_mixed(total) + hashed, return_inverse=True)[1].ravel().astype(np.int64)
            if int(colour.max(initial=-1)) + 1 == n_colours:
                break
            n_colours = int(colour.max(initial=-1)) + 1
        return colour

    def completed(self, moves: "Moves") -> "Moves":
        """Permutations of some nodes, continued to all nodes of higher levels that they move, where that is possible.

        A node goes where its lower neighbours go: to the node that has their images below it.  Among several the order
        decides.  Only a guess: sums are compared, edges downwards alone, and what could also stay stays.
        """
        n = self.colour.size
        parts, new = [moves], moves
        # By permutation and node above: how much the sum over its lower neighbours changes.
        touched, change = np.zeros(0, np.int64), np.zeros(0, np.uint64)
        lost = [np.zeros(0, np.int64)]
        while True:
            row, edges = self._edges_of(new.node)
            up = np.flatnonzero(self.level[self.head[edges]] > self.level[self.tail[edges]])
            row, edges = row[up], edges[up]
            step = (self.key[new.image] - self.key[new.node])[row] * self.weight[edges]
            touched, place = np.unique(
                np.concatenate([touched, new.number[row] * n + self.head[edges]]), return_inverse=True
            )
            total = np.zeros(touched.size, np.uint64)
            np.add.at(total, place.ravel(), np.concatenate([change, step]))
            if touched.size == 0:
                break
            level = self.level[touched % n]
            lowest = level == level.min()
            number, node = np.divmod(touched[lowest & (total != 0)], n)
            before = self.below[node]
            after = before + total[lowest & (total != 0)]
            leaving = np.lexsort((self.order[node], after, number))
            coming = np.lexsort((self.order[node], before, number))
            wrong = np.unique(number[leaving[after[leaving] != before[coming]]])
            lost.append(wrong)
            new = Moves(number[leaving], node[leaving], node[coming]).without(wrong)
            parts.append(new)
            waiting = ~lowest & ~np.isin(touched // n, wrong)
            touched, change = touched[waiting], total[waiting]
        return Moves.joined(parts).without(np.concatenate(lost))

    def mapped_edges(self, moves: "Moves") -> "Moves":
        """Proof that permutations are symmetries: the edges that they move, and where; without those that are none.

        Checked exactly: the images are the nodes themselves in another order, of equal colours, and each edge of a
        moved node goes to an edge of the same label and count.  That is enough: edges are mapped one to one, those
        between other nodes stay, and those into a moved node are the reverses of its own.
        """
        n = self.colour.size
        number, node, image = moves.number, moves.node, moves.image
        key = number * n + node
        by_key = np.argsort(key)
        known = key[by_key]
        bad = [number[self.colour[node] != self.colour[image]]]
        bad.append(number[by_key][known != np.sort(number * n + image)])
        bad.append(number[by_key][1:][known[1:] == known[:-1]])
        row, edges = self._edges_of(node)
        head = number[row] * n + self.head[edges]
        place = np.minimum(np.searchsorted(known, head), max(known.size - 1, 0))
        goes = known[place] == head
        head = np.where(goes, image[by_key[place]], self.head[edges])
        found = self.find(image[row], head, self.label[edges])
        bad.append(number[row[(found == UNKNOWN) | (self.count[found] != self.count[edges])]])
        return Moves(number[row], edges, found).without(np.unique(np.concatenate(bad)))

    def _edges_of(self, nodes: Int64Vector) -> tuple[Int64Vector, Int64Vector]:
        """Edges that leave these nodes, and which of the nodes each leaves."""
        return np.repeat(np.arange(nodes.size), self.start[nodes + 1] - self.start[nodes]), self.edges_of(nodes)


@dataclass(frozen=True, eq=False)
class Moves:
    """Several permutations of nodes, or maps of edges, each of its own, worked on at once.

    Attributes
    ----------
    number, node, image : (n_moved,) int64
        Which permutation moves which node where.
    """

    number: Int64Vector
    node: Int64Vector
    image: Int64Vector

    @classmethod
    def joined(cls, parts: Sequence["Moves"]) -> "Moves":
        """All rows together, in the order of their permutations."""
        number, node, image = (
            np.concatenate([getattr(part, column) for part in parts]) for column in ("number", "node", "image")
        )
        order = np.argsort(number, kind="stable")
        return cls(number[order], node[order], image[order])

    def without(self, numbers: Int64Vector) -> "Moves":
        """The other permutations."""
        return self if numbers.size == 0 else self._rows(~np.isin(self.number, numbers))

    def only(self, numbers: Int64Vector) -> "Moves":
        """These permutations."""
        return self._rows(np.isin(self.number, numbers))

    def below(self, n: int) -> "Moves":
        """The rows of the first `n` nodes."""
        return self._rows(self.node < n)

    def _rows(self, chosen: BoolVector) -> "Moves":
        return Moves(self.number[chosen], self.node[chosen], self.image[chosen])


def coloured_graph(topology: Topology, jobs: Sequence[tuple[Placement, Schedule | None]]) -> ColouredGraph:
    """The graph of a fabric, the endpoints of each job, and what it sends.  O((n_links + members + flows) log n)."""
    made = _Making(topology)
    for placement, schedule in jobs:
        placement.check(topology)
        made.in_job(topology.endpoints[placement.endpoint])
        for demand in demands_of(schedule):
            match demand:
                case Flows():
                    made.flows(demand, placement)
                case AllToAll():
                    made.all_to_all(demand, placement)
                case Reduction():
                    made.reduction(demand, placement)
                case _:
                    assert_never(demand)
    return made.graph()


def demands_of(schedule: Schedule | None) -> Iterable[Demand]:
    """Each demand once, however often it is repeated."""
    phases = () if schedule is None else schedule.phases
    return {id(demand): demand for phase in phases for demand in phase.demands}.values()


class _Making:
    """Columns of the graph as they grow."""

    def __init__(self, topology: Topology) -> None:
        nodes = topology.nodes
        self.topology = topology
        self.colour = [np.unique(np.stack([nodes.kind, nodes.tier]), axis=1, return_inverse=True)[1].ravel()]
        self.level = [nodes.tier.astype(np.int64)]
        self.n_nodes, self.n_colours = topology.n_nodes, int(self.colour[0].max(initial=-1)) + 1
        self.pinned = np.zeros(topology.n_nodes, bool)
        gbps = np.stack([topology.link_capacity_gbps, topology.link_capacity_gbps[topology.link_reverse]])
        label = np.unique(gbps, axis=1, return_inverse=True)[1].ravel()
        self.edges: list[tuple[Int64Vector, Int64Vector, Int64Vector]] = []
        self._edge(topology.link_tail, topology.link_head, label)
        self.n_labels = int(label.max(initial=-1)) + 1
        self._hosts()

    def _hosts(self) -> None:
        host = self.topology.endpoint_host
        known = np.flatnonzero(host != UNKNOWN)
        self._sets(self.topology.endpoints[known], np.unique(host[known], return_inverse=True)[1].ravel())

    def _sets(self, member: Int64Vector | Int32Vector, number: Int64Vector, label: Int64Vector | None = None) -> int:
        """Nodes of one new colour, one a set of nodes; returns the first."""
        first, n_sets = self.n_nodes, int(number.max(initial=-1)) + 1
        self.colour.append(np.full(n_sets, self.n_colours))
        self.level.append(np.ones(n_sets, np.int64))
        self.n_nodes, self.n_colours = first + n_sets, self.n_colours + 1
        self._both_ways(member, first + number, np.zeros(number.size, np.int64) if label is None else label)
        return first

    def _both_ways(self, tail: Int64Vector | Int32Vector, head: Int64Vector | Int32Vector, label: Int64Vector) -> None:
        self._edge(tail, head, self.n_labels + 2 * label)
        self._edge(head, tail, self.n_labels + 2 * label + 1)
        self.n_labels += 2 * (int(label.max(initial=-1)) + 1)

    def _edge(self, tail: Int64Vector | Int32Vector, head: Int64Vector | Int32Vector, label: Int64Vector) -> None:
        self.edges.append((tail.astype(np.int64), head.astype(np.int64), label.astype(np.int64)))

    def in_job(self, nodes: Int32Vector) -> None:
        """Endpoints that only map to each other."""
        self.colour[0] = self.colour[0].copy()
        self.colour[0][nodes] += self.n_colours
        self.n_colours *= 2

    def flows(self, demand: Flows, placement: Placement) -> None:
        """Edges from sources to destinations."""
        moving = np.flatnonzero((demand.src != demand.dst) & (demand.bytes > 0))
        src, dst = (self.topology.endpoints[placement.endpoint[end[moving]]] for end in (demand.src, demand.dst))
        self._both_ways(src, dst, np.unique(demand.bytes[moving], return_inverse=True)[1].ravel())

    def all_to_all(self, demand: AllToAll, placement: Placement) -> None:
        """A node for each group, and for each block of several members."""
        group = demand.groups.member_group()
        taking = np.flatnonzero((demand.send > 0) | (demand.receive > 0))
        amounts = np.stack([demand.send[taking], demand.receive[taking]])
        member = self.topology.endpoints[placement.endpoint[demand.groups.rank[taking]]]
        label = np.unique(amounts, axis=1, return_inverse=True)[1].ravel()
        first = self._sets(member, group[taking], label)
        if demand.block is None:
            return
        pairs, block, size = np.unique(
            np.stack([group[taking], demand.block[taking].astype(np.int64)]),
            axis=1,
            return_inverse=True,
            return_counts=True,
        )
        several = np.flatnonzero(size > 1)
        number = np.full(size.size, UNKNOWN, np.int64)
        number[several] = np.arange(several.size)
        inside = np.flatnonzero(number[block.ravel()] != UNKNOWN)
        blocks = self._sets(member[inside], number[block.ravel()[inside]])
        self._both_ways(
            blocks + np.arange(several.size), first + pairs[0, several], np.zeros(several.size, dtype=np.int64)
        )

    def reduction(self, demand: Reduction, placement: Placement) -> None:
        """A node for each group that one layer of NVLink switches adds up; for others no switch may move.

        Where switches are joined, the numbers of group and switches choose among equal trees
        (`fabric.routing.in_network`), and no symmetry keeps numbers.
        """
        topology = self.topology
        joined = np.unique(topology.nodes.domain[topology.link_tail[_between_nvswitches(topology)]])
        domain = topology.endpoint_domain[placement.endpoint[demand.groups.rank]]
        member = topology.endpoints[placement.endpoint[demand.groups.rank]]
        group = demand.groups.member_group()
        n_groups = demand.groups.n_groups
        least, most = np.full(n_groups, np.iinfo(np.int32).max, np.int32), np.full(n_groups, UNKNOWN, np.int32)
        np.minimum.at(least, group, domain)
        np.maximum.at(most, group, domain)
        adds = (demand.groups.sizes > 1) & (demand.bytes > 0)
        inside = (least == most) & (least != UNKNOWN) & ~np.isin(least, joined)
        if np.any(adds & ~inside):
            self.pinned |= topology.nodes.kind == SWITCH
            self.pinned |= (topology.nodes.kind == NVSWITCH) & np.isin(topology.nodes.domain, joined)
            self.pinned[member[(adds & ~inside)[group]]] = True
        chosen = np.flatnonzero((adds & inside)[group])
        number = np.cumsum(adds & inside) - 1
        amount = np.unique(demand.bytes, return_inverse=True)[1].ravel()
        self._sets(member[chosen], number[group[chosen]], amount[group[chosen]])

    def graph(self) -> ColouredGraph:
        """All together."""
        colour = np.concatenate(self.colour).astype(np.int64)
        pinned = np.flatnonzero(self.pinned)
        colour[pinned] = self.n_colours + np.arange(pinned.size)
        tail, head, label = (np.concatenate(column) for column in zip(*self.edges, strict=True))
        by_edge = np.lexsort((label, head, tail))
        keys = np.stack([tail, head, label])[:, by_edge]
        fresh = np.flatnonzero(np.concatenate([[True], np.any(keys[:, 1:] != keys[:, :-1], axis=0)])[: tail.size])
        tail, head, label = keys[:, fresh]
        order = np.empty(self.n_nodes, np.int64)
        number = np.arange(self.n_nodes)
        plane = np.concatenate([planes_of(self.topology), number[self.topology.n_nodes :]])
        order[np.lexsort((number, plane))] = number
        count = np.diff(np.append(fresh, by_edge.size)).astype(np.int64)
        return ColouredGraph(colour, np.concatenate(self.level), order, tail, head, label, count)


def planes_of(topology: Topology) -> Int64Vector:
    """The first switch of the network of switches that each switch is in, (n_nodes,): planes are not joined."""
    between = topology.link_kind == ISL
    return joined_by(topology.n_nodes, topology.link_tail[between], topology.link_head[between])


def _between_nvswitches(topology: Topology) -> BoolVector:
    kind = topology.nodes.kind
    return np.asarray((kind[topology.link_tail] == NVSWITCH) & (kind[topology.link_head] == NVSWITCH))


def _ranges(start: Int64Vector, stop: Int64Vector) -> Int64Vector:
    """``start[0] .. stop[0] - 1, start[1] .. stop[1] - 1, ...``."""
    size = stop - start
    return np.repeat(start - np.cumsum(size) + size, size) + np.arange(int(size.sum()))


def _mixed(values: UInt64Vector) -> UInt64Vector:
    """Numbers that look random: the finalizer of splitmix64 (S. Vigna, public domain)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
