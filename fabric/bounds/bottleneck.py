"""The set of nodes that has most to send for what leaves it: found exactly, by minimum cuts.

Nodes have weights, and some nodes are outside.  Of all sets ``S`` without these, which has the largest weight over the
capacity of the links that leave it?  With a source that has a link of capacity ``p w`` to each node of weight ``w``,
and everything outside as the sink, the cut around ``S`` has the capacity ``c(S) + p (W - w(S))``, ``W`` being all
weight: less than ``p W`` if and only if ``w(S) / c(S) > 1 / p``.  So a minimum cut says whether any set is worse than
the worst that is known, and if so gives one, from which the search goes on (W. Dinkelbach: On nonlinear fractional
programming, Management Science 13, 1967; the network is that of L. Zhao and others: ForestColl, arXiv 2402.06787, who
halve an interval).  It ends after one to three cuts, when no set is worse.

Cuts are those of the graph of classes of like nodes (`fabric.bounds.equitable`), and questions whose graphs of classes
are the same have the same answer and are asked once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from collectives.demand import Int64Vector
from fabric.bounds.equitable import CapacityGraph, classes, likeness, refined
from fabric.topology import BoolVector

# scipy's flows are 32-bit, and what is left of a link can be twice the flow.
MOST_FLOW = 2**30 - 1


@dataclass(frozen=True, eq=False)
class Question:
    """Which set without some nodes has most weight over capacity?

    Attributes
    ----------
    weight : (n_nodes,) int64
        Of each node; 0 for switches.
    outside : (n,) int64
        Nodes that are not in the set, one at least.
    """

    weight: Int64Vector
    outside: Int64Vector


@dataclass(frozen=True, eq=False)
class Bottleneck:
    """The worst set that was found.

    Attributes
    ----------
    ratio : Fraction
        Its weight over the capacity that leaves it.
    inside : (n_nodes,) bool
        The set.
    exact : bool
        Whether no set of any question is worse.  False where numbers are too large for exact flows.
    asked : int
        Questions that differ.
    """

    ratio: Fraction
    inside: BoolVector
    exact: bool
    asked: int


def bottleneck(graph: CapacityGraph, questions: Sequence[Question]) -> Bottleneck | None:
    """The worst set of all questions; None where no set has weight, or one with weight has no way out."""
    sets = [np.isin(np.arange(graph.n_nodes), one.outside, invert=True) for one in questions]
    ratios = [_ratio(graph, one, inside) for one, inside in zip(questions, sets, strict=True)]
    if None in ratios:
        return None
    worst, inside = max(zip(ratios, sets, strict=True), key=lambda pair: pair[0] or 0, default=(None, None))
    if not worst or inside is None:
        return None
    exact, asked = True, set()
    for one in questions:
        label = one.weight * 2
        label[one.outside] += 1
        colour = refined(graph, np.unique(label, return_inverse=True)[1].ravel().astype(np.int64))
        key = likeness(graph, colour, label)
        if key in asked:
            continue
        asked.add(key)
        small = classes(graph, colour)
        if small is None:  # never seen: words of 64 bits that collide
            colour, small = np.arange(graph.n_nodes), graph
        weight = np.zeros(small.n_nodes, np.int64)
        np.add.at(weight, colour, one.weight)
        outside = np.zeros(small.n_nodes, bool)
        outside[colour[one.outside]] = True
        while True:
            found, sure = _below(small, weight, outside, 1 / worst)
            exact &= sure
            ratio = worst if found is None else _ratio(graph, one, found[colour])
            if ratio is None:
                return None
            if found is None or ratio <= worst:
                break
            worst, inside = ratio, found[colour]
    return Bottleneck(worst, inside, exact, len(asked))


def _ratio(graph: CapacityGraph, question: Question, inside: BoolVector) -> Fraction | None:
    """Weight of a set over the capacity that leaves it; None where that is none, but something has weight."""
    weight, capacity = int(question.weight[inside].sum()), graph.leaving(inside)
    if capacity == 0:
        return None if weight else Fraction(0)
    return Fraction(weight, capacity)


def _below(
    graph: CapacityGraph, weight: Int64Vector, outside: BoolVector, price: Fraction
) -> tuple[BoolVector | None, bool]:
    """A set whose weight times a price is more than what leaves it, None if there is none; and whether that is sure."""
    a, b = price.numerator, price.denominator
    total = int(weight.sum())
    exact = total * a <= MOST_FLOW
    if not exact:
        # The same to within the size of the numbers: what is found is looked at exactly.
        scale = Fraction(MOST_FLOW // 2, total * a)
        gifts = np.array([int(w * a * scale) for w in weight.tolist()], np.int64)
        gbps = np.array([min(-int(-c * b * scale // 1), MOST_FLOW) for c in graph.capacity.tolist()], np.int64)
    else:
        gifts, most = weight * a, total * a
        # No link carries more than all there is.
        gbps = np.where(graph.capacity > most // b, most, graph.capacity * min(b, most))
        gbps = np.minimum(gbps, most)
    inside, value = minimum_cut(graph, gbps, gifts, outside)
    return (inside if value < int(gifts.sum()) else None), exact


def minimum_cut(
    graph: CapacityGraph,
    capacity: Int64Vector,
    gifts: Int64Vector,
    outside: BoolVector,
    tolls: Int64Vector | None = None,
) -> tuple[BoolVector, int]:
    """The smallest set of least cut between a source with a link to each node and the nodes outside.

    Parameters
    ----------
    graph : CapacityGraph
    capacity : (n_links,) int64
        Of its links, instead of their own, below 2**30.
    gifts : (n_nodes,) int64
        Capacity from the source to each node; all together below 2**30.
    outside : (n_nodes,) bool
        Nodes that are the sink.
    tolls : (n_nodes,) int64, optional
        Capacity from each node to the sink; default 0.

    Returns
    -------
    inside : (n_nodes,) bool
        Nodes on the source's side.
    value : int
        Capacity of the cut.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    n, given, most = graph.n_nodes, np.flatnonzero(gifts), int(gifts.sum())
    ends = np.where(outside, most, 0 if tolls is None else tolls)
    goal = np.flatnonzero(ends)
    links = csr_array(
        (
            np.concatenate([capacity, gifts[given], ends[goal]]).astype(np.int32),
            (
                np.concatenate([graph.tail, np.full(given.size, n), goal]),
                np.concatenate([graph.head, given, np.full(goal.size, n + 1)]),
            ),
        ),
        (n + 2, n + 2),
    )
    links.eliminate_zeros()
    flow = maximum_flow(links, n, n + 1)
    left = csr_array(links - flow.flow)
    left.eliminate_zeros()
    inside = np.zeros(n + 2, bool)
    inside[breadth_first_order(left, n, return_predecessors=False)] = True
    return inside[:n], int(flow.flow_value)
