"""Whether a demand has any pair between scale-up domains, and inside them: what has none needs no sweep."""

import numpy as np

from collectives.demand import AllToAll, Int64Vector
from fabric.jobs.placement import Placement
from fabric.topology import Topology


def has_pairs(topology: Topology, demand: AllToAll, placement: Placement) -> tuple[bool, bool]:
    """Whether members may exchange bytes between domains, and inside them.  O(members log members).

    What is False holds; what is True may yet be nothing, as where weights are zero.
    """
    if not demand.send.any() or not demand.receive.any():
        return False, False
    groups = demand.groups
    group, domain = groups.member_group(), topology.endpoint_domain[placement.endpoint[groups.rank]].astype(np.int64)
    filled = groups.start[:-1][groups.sizes > 0]
    one_domain = bool((domain >= 0).all()) and _alike(domain, filled)
    one_block = demand.block is not None and _alike(demand.block.astype(np.int64), filled)
    between = not one_domain and not one_block
    inside = not one_block and bool((domain >= 0).any())
    if inside and demand.block is not None:
        # Members of one domain of a group are all in one block, as those of a domain that sends as one are.
        place = group * (int(domain.max(initial=0)) + 2) + domain + 1
        order = np.argsort(place, kind="stable")
        fresh = np.flatnonzero(np.diff(place[order], prepend=-1))
        inside = not _alike(demand.block[order].astype(np.int64), fresh)
    return between, inside


def _alike(values: Int64Vector, start: Int64Vector) -> bool:
    """Whether all values between one start and the next are the same, in each such part."""
    if not start.size:
        return True
    return bool(np.array_equal(np.minimum.reduceat(values, start), np.maximum.reduceat(values, start)))
