"""Scale-up domains as labels: who has none is alone."""

import numpy as np

from collectives.demand import Int32Vector, Int64Vector


def lone_apart(domain: Int32Vector) -> Int64Vector:
    """Domain of each rank, member or endpoint, those without one (-1) in a domain of their own, (n,) int64."""
    lone = int(domain.max(initial=-1)) + 1 + np.arange(domain.size)
    return np.where(domain >= 0, domain, lone).astype(np.int64)
