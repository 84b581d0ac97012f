"""A better order of the hosts that a job already has: as few units as can be in more than one domain, then leaf set.

A unit is a group of consecutive ranks that talk most among themselves: a model replica, an expert-parallel group.  Of a
domain's hosts, as many as units fill go to whole units; hosts that are left over make the units that straddle.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from collectives.demand import Int32Vector
from collectives.errors import InputError
from fabric.jobs.host_parts import HostPart, leaves_of_hosts, parts_of_job
from fabric.jobs.placement import Placement
from fabric.topology import Topology

HEURISTIC = (
    "hosts sorted by domain and leaf set; of each domain as many as whole units fill, "
    "then of each leaf set what is left, then the rest"
)
AS_IT_WAS = "the order given: no better one was found"


@dataclass(frozen=True, eq=False)
class Assignment:
    """A proposed order.

    Attributes
    ----------
    placement : Placement
        The same endpoints, in another order; a host's ranks are consecutive.
    straddling : int
        Units whose ranks are in more than one scale-up domain.
    bound : int
        Fewest that any order could have: the units less those that fit, floor(ranks of the domain / ranks of a unit)
        for each domain; a last, shorter unit fits if a domain has room for it beside those.
    straddling_leaves, leaf_bound : int
        The same of sets of leaf switches instead of domains.
    heuristic : str
        How the order was found.
    """

    placement: Placement
    straddling: int
    bound: int
    straddling_leaves: int
    leaf_bound: int
    heuristic: str


def best_order(topology: Topology, placement: Placement, unit_ranks: int) -> Assignment:
    """Propose an order of the hosts of a job.

    Parameters
    ----------
    topology : Topology
    placement : Placement
        What the job has.
    unit_ranks : int
        Ranks of a unit; the last may be shorter.

    Raises
    ------
    InputError
        If a unit is larger than the job, or the placement is not of this fabric.

    Notes
    -----
    Optimal for domains where all hosts have as many GPUs of the job and these divide the unit.  Never worse than the
    order given; a given order whose hosts are used by ranks that are not consecutive stays only if it is better.
    O(n_ranks log n_ranks).
    """
    placement.check(topology)
    n = placement.n_ranks
    if not 1 <= unit_ranks <= n:
        raise InputError(f"unit: {unit_ranks} ranks; expected 1 to {n}, the ranks of the job")
    parts = parts_of_job(topology, placement.endpoint)
    leaves = leaves_of_hosts(topology, parts)
    domain_of = {endpoint: part.domain for part in parts for endpoint in part.endpoint.tolist()}
    leaf_of = {endpoint: leaf for part, leaf in zip(parts, leaves, strict=True) for endpoint in part.endpoint.tolist()}

    def straddling(order: Placement) -> tuple[int, int]:
        endpoints = order.endpoint.tolist()
        domains, sets = ([where[endpoint] for endpoint in endpoints] for where in (domain_of, leaf_of))
        return count_straddling(domains, unit_ranks), count_straddling(sets, unit_ranks)

    candidates = [(Placement(_joined(order)), HEURISTIC) for order in _orders(parts, leaves, unit_ranks)]
    candidates.append((placement, AS_IT_WAS))
    best, heuristic = min(candidates, key=lambda each: straddling(each[0]))
    domains_crossed, leaves_crossed = straddling(best)
    return Assignment(
        best,
        domains_crossed,
        fewest_straddling(list(domain_of.values()), unit_ranks),
        leaves_crossed,
        fewest_straddling(list(leaf_of.values()), unit_ranks),
        heuristic,
    )


def count_straddling(group: Sequence[Hashable], unit_ranks: int) -> int:
    """Units with ranks of more than one group, from the group of each rank."""
    return sum(len(set(group[first : first + unit_ranks])) > 1 for first in range(0, len(group), unit_ranks))


def fewest_straddling(group: Sequence[Hashable], unit_ranks: int) -> int:
    """Fewest units with ranks of more than one group, whatever the order of the ranks.

    Of a group of c ranks, floor(c / unit) units fit; the last unit, of s < unit ranks, fits beside them where
    c mod unit >= s.
    """
    count: dict[Hashable, int] = {}
    for each in group:
        count[each] = count.get(each, 0) + 1
    n_units, short = -(-len(group) // unit_ranks), len(group) % unit_ranks
    inside = sum(ranks // unit_ranks for ranks in count.values())
    beside = bool(short) and any(ranks % unit_ranks >= short for ranks in count.values())
    return n_units - inside - beside


def _orders(parts: Sequence[HostPart], leaves: Sequence[tuple[int, ...]], unit: int) -> list[list[HostPart]]:
    """Orders to try: what is left over of domains by leaf set, or by domain."""
    leaf_of = {part.host: leaf for part, leaf in zip(parts, leaves, strict=True)}
    first_leaf: dict[int, tuple[int, ...]] = {}
    for part in parts:
        first_leaf[part.domain] = min(first_leaf.get(part.domain, leaf_of[part.host]), leaf_of[part.host])
    ordered = sorted(parts, key=lambda part: (first_leaf[part.domain], part.domain, leaf_of[part.host], part.host))
    whole, rest = _filled(ordered, [part.domain for part in ordered], unit)
    by_leaf, last = _filled(rest, [leaf_of[part.host] for part in rest], unit)
    short = sum(part.n_gpus for part in parts) % unit
    return [[*whole, *by_leaf, *_short_last(last, short)], [*whole, *_short_last(rest, short)], ordered]


def _by_domain(parts: Sequence[HostPart]) -> list[list[HostPart]]:
    groups: dict[int, list[HostPart]] = {}
    for part in parts:
        groups.setdefault(part.domain, []).append(part)
    return list(groups.values())


def _filled(parts: Sequence[HostPart], groups: Sequence[Hashable], unit: int) -> tuple[list[HostPart], list[HostPart]]:
    """Of each group the longest beginning that whole units fill, one after the other, and what is left over."""
    members: dict[Hashable, list[HostPart]] = {}
    for part, group in zip(parts, groups, strict=True):
        members.setdefault(group, []).append(part)
    whole: list[HostPart] = []
    rest: list[HostPart] = []
    for own in members.values():
        total = np.cumsum([part.n_gpus for part in own])
        full = np.flatnonzero(total % unit == 0)
        stop = int(full[-1]) + 1 if full.size else 0
        whole += own[:stop]
        rest += own[stop:]
    return whole, rest


def _short_last(parts: Sequence[HostPart], short: int) -> list[HostPart]:
    """The same with the smallest domain that holds the last, shorter unit at the end."""
    domains = _by_domain(parts)
    fitting = [own for own in domains if sum(part.n_gpus for part in own) >= short]
    if not short or not fitting:
        return list(parts)
    last = min(fitting, key=lambda own: sum(part.n_gpus for part in own))
    return [part for part in parts if part.domain != last[0].domain] + last


def _joined(parts: Sequence[HostPart]) -> Int32Vector:
    return np.concatenate([part.endpoint for part in parts])
