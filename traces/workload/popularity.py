"""Where tokens go: how popular experts are, which ranks have them, and how many ranks and nodes a token visits."""

from heapq import heapify, heappop, heappush
from math import comb, prod

import numpy as np

from collectives.demand import FloatVector, Int64Vector
from traces.workload.description import Experts


def popularity(experts: Experts) -> FloatVector:
    """Share of the tokens' visits that each expert gets, (experts,) float64, sum 1.

    zipf: expert i has a weight of 1 / (i + 1)**exponent; the most popular ones are the first, so that they meet on the
    first ranks: the worst case.
    """
    n = experts.experts
    weight: FloatVector
    match experts.popularity:
        case "zipf":
            weight = 1.0 / np.arange(1, n + 1, dtype=np.float64) ** experts.zipf
        case "histogram":
            weight = np.asarray(experts.histogram, np.float64)
        case _:
            weight = np.ones(n)
    share: FloatVector = weight / weight.sum()
    return share


def rank_shares(experts: Experts, ep: int) -> FloatVector:
    """Share of the visits that each of `ep` ranks gets over the mean share, (ep,) float64, mean 1.

    Ranks have consecutive experts, or as many, dealt so that they receive alike: copies of the most popular experts
    first (`copies`), then all of them packed (`packed`), and ranks in such an order that blocks of them, which may be a
    domain's, receive alike too.
    """
    share = popularity(experts)
    if experts.placement == "consecutive":
        load: FloatVector = share.reshape(ep, -1).sum(axis=1) * ep
        return load
    number = copies(share, experts.redundant)
    each: FloatVector = np.repeat(share / number, number)
    of_rank = np.bincount(packed(each, ep), each, ep).astype(np.float64) * ep
    dealt: FloatVector = of_rank[even_blocks(of_rank)]
    return dealt


def copies(share: FloatVector, redundant: int) -> Int64Vector:
    """How many copies of each expert there are with so many more than one of each, (experts,) int64.

    Each further copy is of the expert whose copies have most to do, so that the most that a copy has is the least that
    can be.  DeepSeek-V3 holds redundant experts so (arXiv 2412.19437, section 3.4.1; github.com/deepseek-ai/EPLB).

    >>> copies(np.array([0.5, 0.3, 0.2]), 3).tolist()
    [3, 2, 1]
    """
    number = np.ones(share.size, np.int64)
    queue = [(-value, place) for place, value in enumerate(share.tolist())]
    heapify(queue)
    for _ in range(redundant):
        _, place = heappop(queue)
        number[place] += 1
        heappush(queue, (-float(share[place]) / int(number[place]), place))
    return number


def packed(load: FloatVector, parts: int) -> Int64Vector:
    """Part of each item, as many items in each, the heaviest item first to the lightest part, (items,) int64.

    Longest processing time first (Graham, SIAM J. Appl. Math. 17, 1969), with as many items in each part, as EPLB packs
    experts.  `parts` divides the items.

    >>> packed(np.array([4.0, 3.0, 2.0, 1.0]), 2).tolist()
    [0, 1, 1, 0]
    """
    part = np.empty(load.size, np.int64)
    queue = [(0.0, number, 0) for number in range(parts)]
    for place in np.argsort(-load, kind="stable").tolist():
        weight, number, items = heappop(queue)
        part[place] = number
        if items + 1 < load.size // parts:
            heappush(queue, (weight + float(load[place]), number, items + 1))
    return part


def even_blocks(load: FloatVector) -> Int64Vector:
    """An order in which blocks of consecutive items have about the same load: halves, quarters, ...; (items,) int64."""
    if load.size < 4 or load.size % 2:
        return np.arange(load.size)
    half = packed(load, 2)
    parts = [np.flatnonzero(half == number) for number in (0, 1)]
    return np.concatenate([own[even_blocks(load[own])] for own in parts])


def visits(experts: Experts, parts: int) -> float:
    """Distinct parts (ranks or nodes) that a token's experts are on, where experts are equally popular.

    Experts lie on the parts in equal shares; `top_k` different ones are drawn: parts x (1 - C(n - n/parts, k) / C(n,
    k)).

    >>> round(visits(Experts(experts=256, top_k=8, ffn=1), 8), 2)
    5.29
    >>> round(visits(Experts(experts=256, top_k=8, ffn=1), 64), 2)
    7.68
    """
    n, k = experts.experts, experts.top_k
    others = n - n / parts
    missed = comb(n - n // parts, k) / comb(n, k) if n % parts == 0 else prod((others - i) / (n - i) for i in range(k))
    return parts * (1.0 - missed)


def visited_nodes(experts: Experts, nodes: int) -> float:
    """`visits` of nodes, at most the limit that the model sets (DeepSeek-V3: 4; arXiv 2412.19437, section 2.1.2).

    The limit is one of groups of experts, which are nodes where ranks have consecutive experts; dealt otherwise it
    limits no nodes.
    """
    found = visits(experts, nodes)
    limited = experts.node_limit and experts.placement == "consecutive"
    return min(found, float(experts.node_limit)) if limited else found
