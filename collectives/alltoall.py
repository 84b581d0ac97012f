"""All-to-all: every member sends a part of its buffer to every other one."""

import numpy as np

from collectives.demand import AllToAll, Groups, Int32Vector
from collectives.ring import GroupBytes, group_bytes
from collectives.schedule import Phase, Schedule
from collectives.transport import rail_aligned


def all_to_all(groups: Groups, bytes: GroupBytes) -> Schedule:
    """Direct exchange: each of the ``n`` members (itself included) gets ``bytes / n`` of a member's send buffer.

    Parameters
    ----------
    groups : Groups
    bytes : float or (n_groups,) float64
        A rank's whole send buffer.
    """
    per_peer = group_bytes(groups, bytes) / np.maximum(groups.sizes, 1)
    demand = AllToAll(groups, np.repeat(per_peer, groups.sizes), np.ones(groups.n_members))
    return Schedule((Phase(demand, 1, "all-to-all"),))


def rail_aligned_all_to_all(groups: Groups, bytes: GroupBytes, domain: Int32Vector, rail: Int32Vector) -> Schedule:
    """`all_to_all` by way of PXN: see `collectives.transport.rail_aligned`."""
    return rail_aligned(all_to_all(groups, bytes), domain, rail)
