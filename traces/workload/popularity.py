"""Where tokens go: how popular experts are, and how many ranks and nodes a token visits."""

from math import comb, prod

import numpy as np

from collectives.demand import FloatVector
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
    """Share of the visits that each of `ep` ranks gets over the mean share, (ep,) float64, mean 1."""
    shares: FloatVector = popularity(experts).reshape(ep, -1).sum(axis=1) * ep
    return shares


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
    """`visits` of nodes, at most the limit that the model sets (DeepSeek-V3: 4; arXiv 2412.19437, section 2.1.2)."""
    found = visits(experts, nodes)
    return min(found, float(experts.node_limit)) if experts.node_limit else found
