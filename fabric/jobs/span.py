"""How far a collective's groups reach: ranks, scale-up domains, and ranks in one domain."""

from dataclasses import dataclass

import numpy as np

from collectives.demand import Groups, Int32Vector
from collectives.domains import lone_apart


@dataclass(frozen=True)
class Span:
    """Of the groups of a collective, the largest of each, and the fewest that meet in a domain.

    Attributes
    ----------
    n_ranks : int
        Members of a group.
    n_domains : int
        Scale-up domains that a group's members are in; one without NVLink is a domain of its own.
    per_domain : int
        Members of a group in one domain.
    fewest : int
        Members in the domain that has the fewest of a group that is in several; `per_domain` where none is.
    """

    n_ranks: int
    n_domains: int
    per_domain: int
    fewest: int


NOBODY = Span(0, 0, 0, 0)


def span_of(groups: Groups, domain: Int32Vector) -> Span:
    """The span of groups whose ranks are in `domain`, (n_ranks,) int32, -1 where there is none."""
    if groups.n_members == 0:
        return NOBODY
    own = lone_apart(domain[groups.rank])
    n_labels = int(own.max()) + 1
    places, members = np.unique(groups.member_group() * n_labels + own, return_counts=True)
    group = places // n_labels
    domains = np.bincount(group)
    several = members[domains[group] > 1]
    most = int(members.max())
    return Span(int(groups.sizes.max()), int(domains.max()), most, int(several.min(initial=most)))
