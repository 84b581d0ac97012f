"""How far a collective's groups reach: ranks, scale-up domains, and ranks in one domain."""

from dataclasses import dataclass

import numpy as np

from collectives.demand import Groups, Int32Vector
from fabric.bounds.cut_demand import joint, lone_apart


@dataclass(frozen=True)
class Span:
    """Of the groups of a collective, the largest of each.

    Attributes
    ----------
    n_ranks : int
        Members of a group.
    n_domains : int
        Scale-up domains that a group's members are in; one without NVLink is a domain of its own.
    per_domain : int
        Members of a group in one domain.
    """

    n_ranks: int
    n_domains: int
    per_domain: int


NOBODY = Span(0, 0, 0)


def span_of(groups: Groups, domain: Int32Vector) -> Span:
    """The span of groups whose ranks are in `domain`, (n_ranks,) int32, -1 where there is none."""
    if groups.n_members == 0:
        return NOBODY
    place = joint(groups.member_group(), lone_apart(domain)[groups.rank])
    per_place = np.bincount(place)
    group_of_place = np.zeros(per_place.size, np.int64)
    group_of_place[place] = groups.member_group()
    return Span(int(groups.sizes.max()), int(np.bincount(group_of_place).max()), int(per_place.max()))
