"""The throughput bound of an all-gather, reduce-scatter or all-reduce: the worst of all cuts, on any topology.

An all-gather of ``M`` bytes over ``N`` members takes at least

    M / N * max over S of (members in S) / (capacity of the links that leave S),

``S`` being any set of endpoints and switches without at least one member: each member in it has ``M / N`` that must
come out.  Where members and switches forward and copy, nothing more is needed: spanning trees from each member reach it
with small enough blocks (L. Zhao, S. Maleki and others: ForestColl, arXiv 2402.06787; from J. Edmonds' theorem on
branchings, 1973).  A reduce-scatter is an all-gather with every link the other way round.

An all-reduce is no sum of the two: a slow GPU sends its buffer and gets the sum, once each.  Its bound is the worst of
the least cut between two members, and of the parts of `fabric.bounds.parts`.

The cuts of `fabric.bounds.cuts` are some of these sets; here all are searched (`fabric.bounds.bottleneck`).  All of the
job's endpoints may forward, others carry nothing.  Of several groups at once sets that such a search finds are tried:
what comes out holds, but a worse cut may exist.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from math import lcm

import numpy as np

from collectives.demand import FloatVector, Groups, Int64Vector
from fabric.bounds.bottleneck import Question, bottleneck
from fabric.bounds.cut_demand import cut_demand
from fabric.bounds.cuts import ANY_ALGORITHM, NO_REDUCING_SWITCHES, Bound, Cut, partition_labels
from fabric.bounds.equitable import CapacityGraph, refined
from fabric.bounds.parts import worst_parts
from fabric.jobs.placement import Placement
from fabric.topology import ENDPOINT, BoolVector, Topology

BOTTLENECK = "bottleneck"
COVERED = ("all-gather", "reduce-scatter", "all-reduce")

# Capacities are counted in kbit/s: 1e-6 Gbit/s, or coarser where their sum would not fit into 60 bits.
_GRID_GBPS = 1e-6
_MOST_CAPACITY = 2.0**60
# Questions times links: about a second on one core.  Above, one endpoint of each class of like ones is asked.
_MOST_WORK = 4_000_000
# Above, nothing is searched: it would take a second for each question.
_MOST_LINKS = 1_000_000
# Members above which the parts of an all-reduce are not searched: a second or two.
_MOST_PARTS = 128
# Weights of members of groups of different sizes are whole; these need sizes with a common multiple, else are rounded.
_MOST_MULTIPLE = 10**6


@dataclass(frozen=True, eq=False)
class ThroughputBound:
    """A time that the worst cut allows nobody to beat.

    Attributes
    ----------
    time_s : float
        Of the size that was asked for.
    holds_for : str
        What cannot beat it, as of `fabric.bounds.cuts.Bound`.
    rho : Fraction or None
        Of one group's all-gather, members in the set over the GB/s that leave it (reduce-scatter: that enter it): the
        time is size / members * rho.  None of several groups and of an all-reduce.
    parts : tuple of (n_nodes,) bool
        Nodes of each part: two sides of a cut, or of an all-reduce more.
    gpus : tuple of int
        Of the job, in each part.
    switches : tuple of int
        Switches of any kind in each part.
    exact : bool
        Whether no cut is worse.
    asked : int
        Questions that were asked: endpoints that differ.
    """

    time_s: float
    holds_for: str
    rho: Fraction | None
    parts: tuple[BoolVector, ...]
    gpus: tuple[int, ...]
    switches: tuple[int, ...]
    exact: bool
    asked: int

    @property
    def sides(self) -> str:
        """The parts in words: ``of 2 GPUs from 30 GPUs and 1 switch``, ``into 16 parts of 2 GPUs``."""
        if len(self.parts) == 2:
            few, many = sorted(zip(self.gpus, self.switches, strict=True))
            return f"of {_side(*few)} from {_side(*many)}"
        least, most = min(self.gpus), max(self.gpus)
        return f"into {len(self.parts):,} parts of {_side(most, 0) if least == most else f'{least:,} to {most:,} GPUs'}"

    @property
    def bound(self) -> Bound:
        """As the other bounds are."""
        return Bound(self.time_s, BOTTLENECK, self.holds_for, self.sides)


def _side(gpus: int, boxes: int) -> str:
    switches = f" and {boxes:,} switch{'es' if boxes != 1 else ''}" if boxes else ""
    return f"{gpus:,} GPU{'s' if gpus != 1 else ''}{switches}"


def throughput_bound(
    topology: Topology, placement: Placement, collective: str, groups: Groups, size: float, in_network: bool = False
) -> ThroughputBound | None:
    """The time that the worst cut needs for a collective of all groups at once, by any algorithm and routing.

    Parameters
    ----------
    topology : Topology
    placement : Placement
    collective : str
        Nothing is said of others than `COVERED`.
    groups : Groups
    size : float
        Bytes as nccl-tests counts them.
    in_network : bool
        Switches may add and multicast: an all-reduce then needs its buffer across a cut once each way.

    Returns
    -------
    ThroughputBound or None
        None where nothing has to move, nothing is known of the collective, or the fabric is too large (more than a
        million links).
    """
    if collective not in COVERED or too_large(topology):
        return None
    return _found(topology, placement.endpoint.tobytes(), collective, groups, size, in_network)


def too_large(topology: Topology) -> bool:
    """Whether a fabric has more links than are searched."""
    return topology.n_links > _MOST_LINKS


# A job on one fabric is often asked for again, under another routing.
@lru_cache(maxsize=4)
def _found(
    topology: Topology, endpoints: bytes, collective: str, groups: Groups, size: float, in_network: bool
) -> ThroughputBound | None:
    sizes = groups.sizes[groups.sizes > 1]
    if sizes.size == 0:
        return None
    placement = Placement(np.frombuffer(endpoints, np.int32))
    graph, gbps, whole = job_graph(topology, placement)
    search = _Search(topology, placement, groups, graph)
    one = sizes.size == 1
    reduce = collective == "all-reduce"
    ways = [graph] if collective == "all-gather" else [graph.turned]
    if reduce:
        ways = [graph] if _same(graph, graph.turned) else [graph, graph.turned]
    questions, all_asked = search.questions()
    bottles = [bottleneck(way, questions) for way in ways]
    if reduce and one:
        bottles.append(bottleneck(graph, search.pairs()))
    cuts: list[tuple[BoolVector, ...]] = [(bottle.inside, ~bottle.inside) for bottle in bottles if bottle is not None]
    if reduce and one and not in_network and search.all_members and sizes[0] <= _MOST_PARTS:
        cuts.append(tuple(worst_parts(graph, search.members)))
    timed = [(_seconds(topology, placement, collective, groups, size, in_network, cut), cut) for cut in cuts]
    time_s, parts = max(timed, key=lambda pair: pair[0], default=(0.0, ()))
    if time_s == 0:
        return None
    bottle = None if reduce else bottles[0]
    exact = bottle is not None and one and whole and bottle.exact and all_asked
    return ThroughputBound(
        time_s,
        NO_REDUCING_SWITCHES if reduce and not in_network else ANY_ALGORITHM,
        bottle.ratio * 8 / gbps if one and bottle is not None else None,
        parts,
        _counts(parts, search.job),
        _counts(parts, topology.nodes.kind != ENDPOINT),
        exact,
        sum(bottle.asked for bottle in bottles if bottle is not None),
    )


def _same(one: CapacityGraph, other: CapacityGraph) -> bool:
    """Whether two graphs are equal."""
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("tail", "head", "capacity"))


def _counts(parts: tuple[BoolVector, ...], chosen: BoolVector) -> tuple[int, ...]:
    return tuple(int(np.count_nonzero(part & chosen)) for part in parts)


def job_graph(topology: Topology, placement: Placement) -> tuple[CapacityGraph, Fraction, bool]:
    """The fabric without idle endpoints, in whole units of capacity.

    Returns
    -------
    graph : CapacityGraph
        Nodes are those of the topology.
    unit : Fraction
        Gbit/s of one unit.
    whole : bool
        Whether all capacities are whole; else they are rounded.
    """
    idle = topology.nodes.kind == ENDPOINT
    idle[topology.endpoints[placement.endpoint]] = False
    kept = ~idle[topology.link_tail] & ~idle[topology.link_head]
    gbps: FloatVector = topology.link_capacity_gbps[kept]
    per_gbps = Fraction(min(1 / _GRID_GBPS, _MOST_CAPACITY / max(float(gbps.sum()), 1.0))).limit_denominator(10**6)
    counts = np.maximum(np.rint(gbps * float(per_gbps)), 1.0)
    whole = bool(np.allclose(counts / float(per_gbps), gbps, rtol=1e-12, atol=0.0))
    units = counts.astype(np.int64)
    common = int(np.gcd.reduce(units)) if units.size else 1
    tail, head = (ends[kept].astype(np.int64) for ends in (topology.link_tail, topology.link_head))
    return CapacityGraph.of(topology.n_nodes, tail, head, units // common), common / per_gbps, whole


@dataclass(frozen=True, eq=False)
class _Search:
    """Questions that find a job's worst cuts."""

    topology: Topology
    placement: Placement
    groups: Groups
    graph: CapacityGraph

    @cached_property
    def node(self) -> Int64Vector:
        """Node of each entry of ``groups.rank``."""
        found: Int64Vector = self.topology.endpoints[self.placement.endpoint[self.groups.rank]].astype(np.int64)
        return found

    @cached_property
    def members(self) -> Int64Vector:
        """Nodes of the groups of two or more."""
        return self.node[np.repeat(self.groups.sizes > 1, self.groups.sizes)]

    @cached_property
    def job(self) -> BoolVector:
        """Nodes of the job's endpoints, (n_nodes,) bool."""
        used = np.zeros(self.topology.n_nodes, bool)
        used[self.topology.endpoints[self.placement.endpoint]] = True
        return used

    @property
    def all_members(self) -> bool:
        """Whether all endpoints of the job are members."""
        return bool(np.unique(self.members).size == np.count_nonzero(self.job))

    @cached_property
    def most(self) -> int:
        """Questions that time allows."""
        return max(1, _MOST_WORK // max(1, self.graph.tail.size))

    def questions(self) -> tuple[list[Question], bool]:
        """Which set of an all-gather has most to send?  And whether these are all sets: of one group alone."""
        if np.count_nonzero(self.groups.sizes > 1) == 1:
            return self._of_one_group()
        return self._of_groups(), False

    def _of_one_group(self) -> tuple[list[Question], bool]:
        """One for each member that is outside: those with the same cables are alike, and one of them is asked."""
        members = self.members
        weight = self._weights(members, np.ones(members.size, np.int64))
        chosen = _one_of_each(members, self._cabling(members, weight))
        all_asked = chosen.size <= self.most
        if not all_asked:
            chosen = _one_of_each(members, refined(self.graph, weight)[members])[: self.most]
        return [Question(weight, np.array([node])) for node in chosen.tolist()], all_asked

    def _weights(self, nodes: Int64Vector, values: Int64Vector) -> Int64Vector:
        weight = np.zeros(self.topology.n_nodes, np.int64)
        np.add.at(weight, nodes, values)
        return weight

    def _cabling(self, members: Int64Vector, weight: Int64Vector) -> Int64Vector:
        """A number for each member: the same if a fabric looks the same with the two exchanged."""
        graph, turned = self.graph, self.graph.turned
        known: dict[tuple[bytes, ...], int] = {}
        numbers = []
        for node in members.tolist():
            key = [weight[node].tobytes()]
            for one in (graph, turned):
                mine = slice(one.out_start[node], one.out_start[node + 1])
                key += [one.head[mine].tobytes(), one.capacity[mine].tobytes()]
            numbers.append(known.setdefault(tuple(key), len(known)))
        return np.array(numbers, np.int64)

    def _of_groups(self) -> list[Question]:
        """One for each kind of part of the partitions: of each group that has members there, the first is outside."""
        sizes, group = self.groups.sizes, self.groups.member_group()
        multiple = lcm(*(int(size) for size in np.unique(sizes[sizes > 1])))
        multiple = min(multiple, _MOST_MULTIPLE)
        share = np.where(sizes > 1, np.maximum(1, multiple // np.maximum(sizes, 1)), 0)
        colour = self._colours_with_groups()
        questions, known = [], set()
        endpoint = self.placement.endpoint[self.groups.rank]
        labels = partition_labels(self.topology, self.placement)
        for name, label in {**labels, "job": np.zeros(self.topology.n_endpoints, np.int64)}.items():
            part = label[endpoint]
            pairs, first = np.unique(part * sizes.size + group, return_index=True)
            of_part, of_group = pairs // sizes.size, pairs % sizes.size
            first, of_part, of_group = (column[sizes[of_group] > 1] for column in (first, of_part, of_group))
            starts = np.flatnonzero(np.diff(of_part, prepend=-1))
            for its_first, its_groups in zip(np.split(first, starts[1:]), np.split(of_group, starts[1:]), strict=True):
                outside = self.node[its_first]
                key = (name, np.sort(colour[outside]).tobytes())
                if key in known:
                    continue
                known.add(key)
                counted = np.isin(group, its_groups)
                weight = self._weights(self.node[counted], share[group[counted]])
                questions.append(Question(weight, np.unique(outside)))
                if len(questions) >= self.most // 4:
                    return questions
        return questions

    def _colours_with_groups(self) -> Int64Vector:
        """Classes of nodes in a graph that has a node for each group too, joined with its members."""
        graph, n = self.graph, self.topology.n_nodes
        group = n + self.groups.member_group()
        one = np.ones(group.size, np.int64)
        joined = CapacityGraph.of(
            n + self.groups.n_groups,
            np.concatenate([graph.tail, self.node, group]),
            np.concatenate([graph.head, group, self.node]),
            np.concatenate([graph.capacity, one, one]),
        )
        kind = np.concatenate(
            [(self.topology.nodes.kind == ENDPOINT).astype(np.int64), np.full(len(self.groups.sizes), 2)]
        )
        return refined(joined, kind)[:n]

    def pairs(self) -> list[Question]:
        """Which cut is least between the first member of a group and one of each kind of the others, either way?"""
        root, others = self.members[0], self.members[1:]
        weight = self._weights(self.members, np.ones(self.members.size, np.int64))
        weight[root] += 1
        colour = refined(self.graph, weight)
        ends = [(root, node) for node in _one_of_each(others, colour[others])[: self.most // 32 + 1].tolist()]
        if not _same(self.graph, self.graph.turned):
            ends += [(node, root) for root, node in ends]
        return [Question(self._weights(np.array([a]), np.array([1])), np.array([b])) for a, b in ends]


def _one_of_each(nodes: Int64Vector, label: Int64Vector) -> Int64Vector:
    """The first node of each label, in their order."""
    first: Int64Vector = nodes[np.sort(np.unique(label, return_index=True)[1])]
    return first


def _seconds(
    topology: Topology, placement: Placement, collective: str, groups: Groups, size: float, in_network: bool,
    parts: tuple[BoolVector, ...],
) -> float:  # fmt: skip
    """What parts need for what they must move, with the capacities as they are."""
    idle = topology.nodes.kind == ENDPOINT
    idle[topology.endpoints[placement.endpoint]] = False
    tail, head, gbps = topology.link_tail, topology.link_head, topology.link_capacity_gbps
    kept = ~idle[tail] & ~idle[head]
    out = np.array([gbps[kept & part[tail] & ~part[head]].sum() for part in parts])
    into = np.array([gbps[kept & ~part[tail] & part[head]].sum() for part in parts])
    label = np.zeros(topology.n_endpoints, np.int64)
    for number, part in enumerate(parts):
        label[part[topology.endpoints]] = number
    cut = Cut(BOTTLENECK, label, out, into)
    crossing = cut_demand(collective, groups, label[placement.endpoint[groups.rank]], len(parts), size, in_network)
    return float(max(cut.seconds(crossing.out, crossing.into), cut.seconds_in_all(crossing)))
