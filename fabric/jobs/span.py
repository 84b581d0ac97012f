"""How far a collective's groups reach: ranks, scale-up domains, and ranks in one domain."""

from dataclasses import dataclass

import numpy as np

from collectives.demand import Groups, Int32Vector, Int64Vector


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


def fewest_per_domain(groups: Groups, domain: Int32Vector) -> int:
    """Members in the domain that has the fewest of a group that is in several; all where none is."""
    own = _domain_of_member(groups, domain)
    if own.size == 0:
        return 0
    n_domains = int(own.max()) + 1
    places, members = np.unique(groups.member_group() * n_domains + own, return_counts=True)
    group = places // n_domains
    several = np.bincount(group)[group] > 1
    return int(members[several].min()) if several.any() else int(members.max())


def _domain_of_member(groups: Groups, domain: Int32Vector) -> Int64Vector:
    """Domain of each member, (n_members,) int64: those without one are each in a domain of their own."""
    own = domain[groups.rank].astype(np.int64)
    lone = int(own.max(initial=-1)) + 1 + groups.rank
    return np.where(own >= 0, own, lone).astype(np.int64)


def span_of(groups: Groups, domain: Int32Vector) -> Span:
    """The span of groups whose ranks are in `domain`, (n_ranks,) int32, -1 where there is none."""
    if groups.n_members == 0:
        return NOBODY
    own = _domain_of_member(groups, domain)
    place = groups.member_group() * (int(own.max()) + 1) + own
    places, members = np.unique(place, return_counts=True)
    domains = np.bincount(places // (int(own.max()) + 1))
    return Span(int(groups.sizes.max()), int(domains.max()), int(members.max()))
