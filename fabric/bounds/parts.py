"""The parts between which an all-reduce has most to carry: found by minimum cuts.

Of an all-reduce of ``B`` bytes ``2 (k - 1) B`` must cross between any ``k`` parts of the members, where members alone
add up (see `fabric.bounds.cut_demand`), so that it takes at least ``2 (k - 1) B / sum of c(S_i)``, ``c(S_i)`` being the
capacity that leaves the nodes of part ``i``.  The parts for which that is largest minimize ``sum of (c(S_i) - t)``,
``t`` being the least ``sum of c(S_i) / (k - 1)``: what W. Cunningham (Optimal attack and reinforcement of a network,
J. ACM 32, 1985) finds by one minimum cut for each member.  Member by member, ``x_j`` is the least
``c(S) - t - x(earlier members in S)`` of all sets ``S`` with ``j`` and without later members; sets that share members
are one part; and ``t`` falls until no parts are worse (W. Dinkelbach, as in `fabric.bounds.bottleneck`).

Where all nodes are members and cables are as fast one way as the other, spanning trees reach it (W. Tutte, 1961;
C. Nash-Williams, 1961).
"""

from fractions import Fraction

import numpy as np

from collectives.demand import Int64Vector
from fabric.bounds.bottleneck import MOST_FLOW, minimum_cut
from fabric.bounds.equitable import CapacityGraph
from fabric.topology import BoolVector


def worst_parts(graph: CapacityGraph, members: Int64Vector) -> list[BoolVector]:
    """Nodes of each part, (n_nodes,) bool each: parts have members, no two the same; switches may be in several.

    O(members) minimum cuts, two or three times.  Where numbers are too large for exact flows the search ends early.

    Parameters
    ----------
    graph : CapacityGraph
    members : (n,) int64
        Nodes, two at least.
    """
    parts = list(np.arange(graph.n_nodes) == members[:, None])
    while True:
        price = _price(graph, parts)
        finer = _least(graph, members, price)
        if finer is None or len(finer) < 2 or _price(graph, finer) >= price:
            return parts
        parts = finer


def _price(graph: CapacityGraph, parts: list[BoolVector]) -> Fraction:
    """Capacity that leaves all parts, over their number less one."""
    return Fraction(sum(graph.leaving(part) for part in parts), len(parts) - 1)


def _least(graph: CapacityGraph, members: Int64Vector, price: Fraction) -> list[BoolVector] | None:
    """The parts of least capacity less a price each; None where numbers are too large."""
    a, b = price.numerator, price.denominator
    if int(graph.capacity.sum()) * b > MOST_FLOW // 2:
        return None
    capacity = graph.capacity * b
    x = np.zeros(graph.n_nodes, np.int64)
    later = np.zeros(graph.n_nodes, bool)
    later[members] = True
    parts: list[BoolVector] = []
    for node in members.tolist():
        later[node] = False
        known = int(x[x > 0].sum())
        gifts, tolls = np.maximum(x, 0), np.maximum(-x, 0)
        # More than any cut needs: this one is inside.
        gifts[node] = int(capacity.sum()) + known + int(tolls.sum()) + 1
        if int(gifts.sum()) > MOST_FLOW:
            return None
        inside, value = minimum_cut(graph, capacity, gifts, later, tolls)
        x[node] = value - known - a
        one = inside
        apart = []
        for part in parts:
            if (part & one)[members].any():
                one = one | part
            else:
                apart.append(part)
        parts = [*apart, one]
    return parts
