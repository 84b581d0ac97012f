"""What must cross between the parts of a partition of a job's members, or of a fabric's endpoints.

*Of a collective*, whatever the algorithm: what must cross for a part with ``s`` of a group's ``n`` members, size ``B``
as nccl-tests counts it, is

- all-to-all: ``s (n - s) B / n`` out and in;
- all-gather: ``s B / n`` out, ``(n - s) B / n`` in; reduce-scatter the other way round;
- all-reduce: ``B`` out and in, and ``2 (k - 1) B`` of each group over the ``k`` parts that have its members, where
  members alone add up, not switches (P. Patarasuk, X. Yuan: Bandwidth optimal all-reduce algorithms, J. Parallel
  Distrib. Comput. 69, 2009): together for all groups and all parts of the job, as members of one group may add up and
  pass on what is another's;
- broadcast: ``B`` out of the root's part, into each other one; reduce the other way round;
- scatter: ``(n - s) B / n`` out of the root's part, ``s B / n`` into each other one; gather the other way round;
- send-recv: ``B`` from each member to the next, where they are in different parts.

A part without members of a group, or with all of them, has nothing to send for it.

*Of given traffic*: the bytes of its pairs that the partition separates.  Pairs inside a scale-up domain cross its
NVLinks, all others the NICs and switches.
"""

from dataclasses import dataclass
from itertools import chain, product

import numpy as np

from collectives.bandwidth import known_collective
from collectives.demand import (
    AllToAll,
    BoolVector,
    Demand,
    FloatVector,
    Flows,
    Groups,
    Int32Vector,
    Int64Vector,
    Reduction,
)
from collectives.errors import InputError
from collectives.schedule import Schedule
from fabric.routing.layer import sums_of

# Differences of sums below this part of them are rounding: a sum of a thousand terms is off by 1e-13 of itself at most
# (each addition by 2**-53).  Assumed to hold for larger ones too, whose errors cancel.
ROUNDING = 1e-12

# Demands asked at once, each with how often.
Together = tuple[tuple[float, Demand], ...]


@dataclass(frozen=True, eq=False)
class CutDemand:
    """Bytes that a collective must move between the parts of a partition, whatever the algorithm.

    Attributes
    ----------
    out, into : (n_parts,) float64
        What must leave, and enter, each part.
    of_job : (n_parts,) bool
        Parts with members, which can help one another.
    in_all : float
        What must cross between these in all; 0 where `out` and `into` say as much.
    """

    out: FloatVector
    into: FloatVector
    of_job: BoolVector
    in_all: float


def cut_demand(
    collective: str, groups: Groups, label: Int64Vector, n_parts: int, size: float, in_network: bool = False
) -> CutDemand:
    """What a collective of all groups at once must move between parts.

    Parameters
    ----------
    collective : str
        One of `collectives.COLLECTIVES`.
    groups : Groups
    label : (n_members,) int64
        Part of each member, aligned with ``groups.rank``.
    n_parts : int
    size : float
        Bytes as nccl-tests counts them.
    in_network : bool
        Switches may reduce and multicast.

    Raises
    ------
    InputError
        If the collective is unknown, or nothing is said here of what it must move.
    """
    known_collective(collective)
    of_job = np.bincount(label, minlength=n_parts) > 0
    if collective == "send-recv":
        return CutDemand(*_to_next(groups, label, n_parts, size), of_job, 0.0)
    group = groups.member_group()
    pairs, counts = np.unique(group * n_parts + label, return_counts=True)
    of_group, part = pairs // n_parts, pairs % n_parts
    n, s = groups.sizes[of_group].astype(np.float64), counts.astype(np.float64)
    roots = groups.start[:-1][groups.sizes > 0]
    has_root = np.zeros(pairs.size, bool)
    has_root[np.searchsorted(pairs, group[roots] * n_parts + label[roots])] = True
    whole = np.where(s < n, size, 0.0)
    own, others = s / n * whole, (n - s) / n * whole
    out_and_into = {
        "all-to-all": (s * others, s * others),
        "all-gather": (own, others),
        "reduce-scatter": (others, own),
        "all-reduce": (whole, whole),
        "broadcast": (whole * has_root, whole * ~has_root),
        "reduce": (whole * ~has_root, whole * has_root),
        "scatter": (others * has_root, own * ~has_root),
        "gather": (own * ~has_root, others * has_root),
    }
    if collective not in out_and_into:
        raise InputError(
            f"bound of {collective}: what must cross a cut is unknown; expected a row in fabric/bounds/cut_demand.py"
        )
    out, into = (sums_of(part, values, n_parts) for values in out_and_into[collective])
    if collective != "all-reduce" or in_network:
        return CutDemand(out, into, of_job, 0.0)
    # 2 (k - 1) B of each group: 2 B for each of its parts but one.
    return CutDemand(out, into, of_job, 2.0 * size * (pairs.size - np.count_nonzero(groups.sizes)))


def _to_next(groups: Groups, label: Int64Vector, n_parts: int, size: float) -> tuple[FloatVector, FloatVector]:
    """Each member of a group of two or more sends to the next, the last to the first."""
    following = np.arange(1, groups.n_members + 1)
    filled = groups.sizes > 0
    following[groups.start[1:][filled] - 1] = groups.start[:-1][filled]
    crossing = np.flatnonzero(label != label[following])
    volume = np.full(crossing.size, size)
    return sums_of(label[crossing], volume, n_parts), sums_of(label[following[crossing]], volume, n_parts)


def reversed_demand(demand: Demand) -> Demand:
    """The same bytes from receivers to senders."""
    if isinstance(demand, Flows):
        return Flows(demand.dst, demand.src, demand.bytes)
    if isinstance(demand, AllToAll):
        return AllToAll(demand.groups, demand.receive, demand.send, demand.block)
    return demand


def leaving_bytes(
    demand: Demand, endpoint: Int32Vector, domain: Int64Vector, part: Int64Vector, n_parts: int, inside: bool
) -> FloatVector:
    """Bytes of a demand that leave each part through one layer, (n_parts,) float64.

    Parameters
    ----------
    demand : Flows, AllToAll or Reduction
    endpoint : (n_ranks,) int32
        Of each rank.
    domain, part : (n_endpoints,) int64
        Of each endpoint.
    n_parts : int
    inside : bool
        The NVLinks inside the domains, or what is between domains.
    """
    if isinstance(demand, Flows):
        src, dst = endpoint[demand.src], endpoint[demand.dst]
        crossing = (part[src] != part[dst]) & ((domain[src] == domain[dst]) == inside)
        return sums_of(part[src[crossing]], demand.bytes[crossing], n_parts)
    ends = endpoint[demand.groups.rank]
    its_part, its_domain, group = part[ends], domain[ends], demand.groups.member_group()
    if isinstance(demand, Reduction):
        return _leaving_reduction(demand, group, its_part, its_domain, n_parts, inside)
    apart = [its_part] if demand.block is None else [its_part, demand.block.astype(np.int64)]
    if inside:
        received = _sum_apart(demand.receive, joint(group, its_domain), apart)
    else:
        received = _sum_apart(demand.receive, group, [its_domain, *apart])
    return sums_of(its_part, demand.send * received, n_parts)


def _sum_apart(values: FloatVector, group: Int64Vector, labels: list[Int64Vector]) -> FloatVector:
    """For each member, the sum over its group's members that differ from it in every label: inclusion and exclusion."""
    net, gross = np.zeros(values.size), np.zeros(values.size)
    for chosen in product((False, True), repeat=len(labels)):
        key = group
        for label, is_chosen in zip(labels, chosen, strict=True):
            key = joint(key, label) if is_chosen else key
        alike = np.bincount(key, weights=values)[key] if key.size else np.zeros(0)
        net += alike if sum(chosen) % 2 == 0 else -alike
        gross = np.maximum(gross, alike)
    return np.where(net > ROUNDING * gross, net, 0.0)


def joint(one: Int64Vector, other: Int64Vector) -> Int64Vector:
    """A number for each different pair of labels."""
    number = numbered(other)
    return numbered(one * (int(number.max(initial=0)) + 1) + number)


def _leaving_reduction(
    demand: Reduction, group: Int64Vector, part: Int64Vector, domain: Int64Vector, n_parts: int, inside: bool
) -> FloatVector:
    """A buffer for each part that has some of a group's members, but not all."""
    sizes, n_domains = demand.groups.sizes, int(domain.max(initial=0)) + 1
    domains_of_group = np.bincount(np.unique(group * n_domains + domain) // n_domains, minlength=sizes.size)
    pairs, counts = np.unique(group * n_parts + part, return_counts=True)
    of_group, its_part = pairs // n_parts, pairs % n_parts
    chosen = ((domains_of_group[of_group] == 1) == inside) & (counts < sizes[of_group])
    return sums_of(its_part[chosen], demand.bytes[of_group[chosen]], n_parts)


def steps_of(schedule: Schedule) -> list[Together]:
    """What runs at once: each phase by itself, or all of a pipeline."""
    phases = [tuple((float(phase.repeat), demand) for demand in phase.demands) for phase in schedule.phases]
    return phases if schedule.overlap == "sequential" else [tuple(chain.from_iterable(phases))]


def numbered(values: Int64Vector) -> Int64Vector:
    """Each different value's number from 0 on."""
    return np.unique(values, return_inverse=True)[1].ravel().astype(np.int64)
