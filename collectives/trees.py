"""Double binary trees as a pipeline: what goes up and down their edges."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from collectives.demand import FloatVector, Flows, Groups
from collectives.programs import double_binary_trees
from collectives.schedule import Phase

Int32Matrix = npt.NDArray[np.int32]

# Ranks at the two ends of edges that carry as many bytes in each of some trees, a tree a row, and these bytes.
Edges = tuple[Int32Matrix, Int32Matrix, FloatVector]


def double_trees(members: Sequence[Int32Matrix], bytes: Sequence[FloatVector]) -> tuple[Phase, ...]:
    """All-reduces side by side, each over a double binary tree of some ranks: half of its bytes up and down each tree.

    Parameters
    ----------
    members : sequence of (m, k) int32
        Ranks of m all-reduces of one size, a row each.
    bytes : sequence of (m,) float64
        A rank's buffer in each.

    Returns
    -------
    tuple of Phase
        One, or none where every all-reduce has a single member.
    """
    edges: list[Edges] = []
    depth = 0
    for ranks, part in zip(members, bytes, strict=True):
        for child, parent, below in double_binary_trees(ranks.shape[1]):
            edges.append((ranks[:, child], ranks[:, parent], part / 2))
            depth = max(depth, below)
    return (Phase(both_ways(edges), 1, "trees, across", 2 * depth),) if edges else ()


def by_size(groups: Groups, bytes: FloatVector) -> tuple[list[Int32Matrix], list[FloatVector]]:
    """Groups of each size as the rows of a matrix, with their bytes."""
    sizes = [int(size) for size in np.unique(groups.sizes) if size > 0]
    chosen = [np.flatnonzero(groups.sizes == size) for size in sizes]
    rows = [groups.start[:-1][own][:, None] + np.arange(size) for own, size in zip(chosen, sizes, strict=True)]
    return [groups.rank[place] for place in rows], [bytes[own] for own in chosen]


def both_ways(edges: Sequence[Edges]) -> Flows:
    """Flows from one end to the other of each edge, and back."""
    low, high = (np.concatenate([edge[end].ravel() for edge in edges]) for end in (0, 1))
    amount = np.concatenate([np.repeat(part, ends.shape[1]) for ends, _, part in edges])
    return Flows(np.concatenate([low, high]), np.concatenate([high, low]), np.concatenate([amount, amount]))
