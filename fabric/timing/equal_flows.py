"""Flows that are alike in path and size: one stands for all of them where rates are found many times."""

import numpy as np
import numpy.typing as npt

from collectives.demand import FloatVector, Int64Vector
from fabric.routing.flow_paths import FlowPaths


def equal_flows(paths: FlowPaths, *values: FloatVector) -> tuple[Int64Vector, Int64Vector]:
    """Number flows: those of equal path, whatever the order of its hops, and equal values share one.  O(H log H).

    ``max_min_rates(capacity, some, np.bincount(number))[number]``, `some` being the paths of `first`, are the rates of
    all.  One solve of all flows is faster, as it takes O(H) itself; many solves, as in `completions`, are not.

    Parameters
    ----------
    paths : FlowPaths
    values : (F,) float64 each

    Returns
    -------
    number : (F,) int64
        Rising with the first flow of each number.
    first : (n,) int64
        First flow of each number.
    """
    hops = np.diff(paths.start)
    crossing = np.flatnonzero(hops)
    seed = 0
    while True:
        seed += 1
        # Sums over a flow's hops of random bits for each link.  Should unequal flows share one, others are drawn.
        bits = _link_bits(seed, int(paths.link.max(initial=-1)) + 1)[paths.link]
        if paths.fraction is not None:
            bits = _mixed(bits ^ _mixed(np.ascontiguousarray(paths.fraction, np.float64).view(np.uint64)))
        mark = _mixed(hops.astype(np.uint64) + np.uint64(seed))
        mark[crossing] += np.add.reduceat(bits, paths.start[crossing]) if crossing.size else mark[crossing]
        for value in values:
            mark = _mixed(mark) ^ np.ascontiguousarray(value, np.float64).view(np.uint64)
        order = np.argsort(mark)
        alike = 1 + np.flatnonzero(mark[order[1:]] == mark[order[:-1]])
        one, other = order[alike - 1], order[alike]
        if all(np.array_equal(value[one], value[other]) for value in (hops, *values)) and _same_hops(paths, one, other):
            break
    fresh = np.ones(order.size, bool)
    fresh[alike] = False
    heads = np.flatnonzero(fresh)
    first = np.minimum.reduceat(order, heads) if heads.size else heads
    by_first = np.argsort(first)
    rank, number = np.empty_like(by_first), np.empty_like(order)
    rank[by_first] = np.arange(first.size)
    number[order] = rank[np.cumsum(fresh) - 1]
    return number, first[by_first]


def _same_hops(paths: FlowPaths, one: Int64Vector, other: Int64Vector) -> bool:
    """Whether flows have the hops of others, in any order; those of a pair are as many."""
    sides = paths.chosen(one), paths.chosen(other)
    if np.array_equal(sides[0].link, sides[1].link) and _same_fractions(*sides):
        return True
    left, right = (_chosen_hops(side, np.lexsort((side.link, side.hop_flow))) for side in sides)
    return np.array_equal(left.link, right.link) and _same_fractions(left, right)


def _same_fractions(one: FlowPaths, other: FlowPaths) -> bool:
    return one.fraction is None or other.fraction is None or np.array_equal(one.fraction, other.fraction)


def _chosen_hops(paths: FlowPaths, hops: Int64Vector) -> FlowPaths:
    """The same flows with their hops in another order."""
    return FlowPaths(paths.start, paths.link[hops], None if paths.fraction is None else paths.fraction[hops])


def _link_bits(seed: int, n_links: int) -> npt.NDArray[np.uint64]:
    return np.random.Generator(np.random.PCG64(seed)).integers(0, 2**64, size=n_links, dtype=np.uint64)


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Finalizer of splitmix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
