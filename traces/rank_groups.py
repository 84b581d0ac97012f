"""The group of one rank in a parallel layout."""

import numpy as np

from collectives.layout import ParallelLayout

MOST_RANKS = 1 << 20
"""Of a job: a million (assumed: more than anybody builds)."""


def members_of(layout: ParallelLayout, axes: str, rank: int) -> tuple[int, ...]:
    """The group over some axes of a layout that a rank is in: see `ParallelLayout.groups`.  O(ranks)."""
    groups = layout.groups(axes)
    place = int(np.flatnonzero(groups.rank == rank)[0])
    group = int(np.searchsorted(groups.start, place, side="right")) - 1
    return tuple(groups.rank[groups.start[group] : groups.start[group + 1]].tolist())
