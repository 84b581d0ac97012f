"""Double binary trees as a pipeline: what goes up and down their edges."""

from collections.abc import Sequence

import numpy as np

from collectives.demand import Flows, Int32Vector
from collectives.programs import double_binary_trees
from collectives.schedule import Phase

# Ranks at the two ends of some edges, and the bytes of each.
Edges = tuple[Int32Vector, Int32Vector, float]


def double_trees(members: Sequence[Int32Vector], bytes: Sequence[float]) -> tuple[Phase, ...]:
    """All-reduces side by side, each over a double binary tree of some ranks: half of its bytes up and down each tree.

    Parameters
    ----------
    members : sequence of (k,) int32
    bytes : sequence of float
        A rank's buffer in each.

    Returns
    -------
    tuple of Phase
        One, or none where every all-reduce has a single member.
    """
    edges: list[Edges] = []
    depth = 0
    for ranks, part in zip(members, bytes, strict=True):
        for child, parent, below in double_binary_trees(ranks.size):
            edges.append((ranks[child], ranks[parent], part / 2))
            depth = max(depth, below)
    return (Phase(both_ways(edges), 1, "trees, across", 2 * depth),) if edges else ()


def both_ways(edges: Sequence[Edges]) -> Flows:
    """Flows from one end to the other of each edge, and back."""
    low, high = (np.concatenate([edge[end] for edge in edges]) for end in (0, 1))
    amount = np.concatenate([np.full(len(edge[0]), edge[2]) for edge in edges])
    return Flows(np.concatenate([low, high]), np.concatenate([high, low]), np.concatenate([amount, amount]))
