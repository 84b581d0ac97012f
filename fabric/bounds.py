"""How far from the best possible: what no algorithm and no routing can beat.

**Cuts.**  Bytes that a collective must bring out of (or into) a set of endpoints, over the capacity of the links that
leave it.  The sets are each endpoint, each scale-up domain, the endpoints of each leaf (with the leaf), of each pod,
and each half of the job.  What must cross for a set with ``s`` of a group's ``n`` members, size ``B`` as nccl-tests
counts it: all-to-all ``s (n - s) B / n`` both ways; all-gather ``(n - s) B / n`` in and ``s B / n`` out,
reduce-scatter the other way round; all-reduce ``B`` both ways, and ``2 (k - 1) B`` over all ``k`` sets of a partition
together unless switches reduce (P. Patarasuk, X. Yuan: Bandwidth optimal all-reduce algorithms, J. Parallel Distrib.
Comput. 69, 2009); broadcast and scatter from the root, reduce and gather to it.

**Linear program.**  For a demand, the smallest possible largest load over capacity of any split of its flows over any
paths, shortest or not, that do not pass a third endpoint.
"""

from dataclasses import dataclass

import numpy as np

from collectives.demand import AllToAll, Demand, FloatVector, Flows, Groups, Int64Vector
from collectives.errors import InputError
from collectives.schedule import Schedule
from fabric._kernels.columns import FloatMatrix
from fabric.network import sums_of
from fabric.placement import Placement
from fabric.topology import ENDPOINT, NVSWITCH, SWITCH, UNKNOWN, BoolVector, Topology

IN_NETWORK = frozenset({"sharp", "nvls"})
_MOST_VARIABLES = 400_000


@dataclass(frozen=True)
class Bound:
    """A time that cannot be beaten.

    Attributes
    ----------
    time_s : float
    cut : str
        Where it comes from: endpoint, domain, leaf, pod, half, or linear program.
    """

    time_s: float
    cut: str


def cut_bound(
    topology: Topology, placement: Placement, collective: str, groups: Groups, size: float, in_network: bool = False
) -> Bound:
    """The largest of the cut bounds of a collective in all groups at once.

    Parameters
    ----------
    in_network : bool
        Switches may reduce and multicast.
    """
    endpoint = placement.endpoint[groups.rank].astype(np.int64)
    best = Bound(0.0, "endpoint")
    for name, part in _partitions(topology, placement):
        label = part[endpoint]
        if (label < 0).any():
            continue
        n_parts = int(label.max(initial=0)) + 1
        out, into, total = _crossing(collective, groups, label, n_parts, size, in_network)
        if not out.any() and not into.any():
            continue
        cut_out, cut_in = _cut_gbps(topology, part, n_parts)
        with np.errstate(divide="ignore", invalid="ignore"):
            times = np.concatenate([out / cut_out, into / cut_in])
        time_s = float(np.nanmax(np.where(np.isfinite(times), times, 0.0))) * 8e-9
        if total > 0:
            time_s = max(time_s, total / min(cut_out.sum(), cut_in.sum()) * 8e-9)
        if time_s > best.time_s * (1 + 1e-12):
            best = Bound(time_s, name)
    return best


def _partitions(topology: Topology, placement: Placement) -> list[tuple[str, Int64Vector]]:
    """Name, and part of each endpoint of the job (-1: none, the partition does not apply)."""
    n = topology.n_endpoints
    used = np.zeros(n, bool)
    used[placement.endpoint] = True
    partitions = [("endpoint", np.where(used, np.cumsum(used) - 1, -1))]
    domain = topology.endpoint_domain
    if (domain[used] != UNKNOWN).all():
        partitions.append(("domain", _numbered(domain.astype(np.int64), used)))
    for tier, name in ((1, "leaf"), (2, "pod")):
        below = _component(topology, tier)
        partitions.append((name, _numbered(below, used)))
    half = np.full(n, -1, np.int64)
    half[placement.endpoint] = np.arange(placement.n_ranks) * 2 // placement.n_ranks
    partitions.append(("half", half))
    return partitions


def _numbered(values: Int64Vector, used: BoolVector) -> Int64Vector:
    part = np.full(values.size, -1, np.int64)
    if (values[used] >= 0).all():
        part[used] = np.unique(values[used], return_inverse=True)[1].ravel()
    return part


def _component(topology: Topology, tier: int) -> Int64Vector:
    """Endpoints joined without going above `tier`: a number for each endpoint."""
    nodes = topology.nodes
    low = (nodes.kind == ENDPOINT) | ((nodes.kind == SWITCH) & (nodes.tier <= tier)) | (nodes.kind == NVSWITCH)
    kept = low[topology.link_tail] & low[topology.link_head]
    tail, head = topology.link_tail[kept], topology.link_head[kept]
    part = np.arange(topology.n_nodes)
    while True:
        joined = part.copy()
        np.minimum.at(joined, head, part[tail])
        joined = joined[joined]
        if np.array_equal(joined, part):
            return part[topology.endpoints].astype(np.int64)
        part = joined


def _crossing(
    collective: str, groups: Groups, label: Int64Vector, n_parts: int, size: float, in_network: bool
) -> tuple[FloatVector, FloatVector, float]:
    """Bytes that must leave, and enter, each part; and bytes that must cross between parts in all."""
    group = groups.member_group()
    pairs, counts = np.unique(group * n_parts + label, return_counts=True)
    of_group, part = pairs // n_parts, pairs % n_parts
    n, s = groups.sizes[of_group].astype(np.float64), counts.astype(np.float64)
    has_root = np.zeros(pairs.size, bool)
    roots = groups.start[:-1][groups.sizes > 0]
    has_root[np.searchsorted(pairs, group[roots] * n_parts + label[roots])] = True
    split = s < n
    one = np.where(split, size, 0.0)
    shares = {
        "all-to-all": (s * (n - s) / n * size, s * (n - s) / n * size),
        "all-gather": (np.where(split, s / n * size, 0.0), (n - s) / n * size),
        "reduce-scatter": ((n - s) / n * size, np.where(split, s / n * size, 0.0)),
        "all-reduce": (one, one),
        "broadcast": (one * has_root, one * ~has_root),
        "reduce": (one * ~has_root, one * has_root),
        "scatter": ((n - s) / n * size * has_root, s / n * one * ~has_root),
        "gather": (s / n * one * ~has_root, (n - s) / n * size * has_root),
    }
    if collective not in shares:
        return np.zeros(n_parts), np.zeros(n_parts), 0.0
    out, into = (sums_of(part, values, n_parts) for values in shares[collective])
    total = 0.0
    if collective == "all-reduce" and not in_network:
        parts_of_group = np.bincount(of_group, minlength=groups.n_groups)
        total = float(np.sum(2.0 * (parts_of_group[parts_of_group > 0] - 1) * size))
    return out, into, total


def _cut_gbps(topology: Topology, part: Int64Vector, n_parts: int) -> tuple[FloatVector, FloatVector]:
    """Capacity of the links that leave, and enter, each part.

    A switch joins a part if all endpoints below it are in it or idle; any choice gives a valid cut.
    """
    nodes = topology.nodes
    none, mixed = -1, -2
    owner = np.full(topology.n_nodes, none, np.int64)
    owner[topology.endpoints] = part
    for tier in np.unique(nodes.tier[nodes.kind != ENDPOINT]):
        here = (nodes.kind != ENDPOINT) & (nodes.tier == tier)
        up = np.flatnonzero(here[topology.link_head] & (nodes.tier[topology.link_tail] < tier))
        below, switch = owner[topology.link_tail[up]], topology.link_head[up]
        most, least = np.full(topology.n_nodes, none), np.full(topology.n_nodes, np.iinfo(np.int64).max)
        known = below != none
        np.maximum.at(most, switch[known], below[known])
        np.minimum.at(least, switch[known], below[known])
        single = here & (most >= 0) & (most == least)
        owner[single] = most[single]
        owner[here & (least != np.iinfo(np.int64).max) & ~single] = mixed
    tail, head = owner[topology.link_tail], owner[topology.link_head]
    # Idle endpoints carry nothing: their cables are no part of a cut.
    idle = np.zeros(topology.n_nodes, bool)
    idle[topology.endpoints[part < 0]] = True
    crossing = (tail != head) & ~idle[topology.link_tail] & ~idle[topology.link_head]
    gbps = topology.link_capacity_gbps
    leaving, entering = crossing & (tail >= 0), crossing & (head >= 0)
    return (
        sums_of(tail[leaving], gbps[leaving], n_parts),
        sums_of(head[entering], gbps[entering], n_parts),
    )


def linear_program_bound(topology: Topology, schedule: Schedule, placement: Placement) -> Bound:
    """The optimum of the largest load over capacity (HiGHS), phase by phase as the schedule overlaps them.

    Raises
    ------
    InputError
        If the fabric is too large (more than 400,000 variables), or a demand is a reduction in the network.
    """
    total = np.zeros((topology.n_endpoints, topology.n_endpoints))
    times = 0.0
    for phase in schedule.phases:
        amount = np.zeros_like(total)
        for demand in phase.demands:
            _add_pairs(amount, demand, placement)
        np.fill_diagonal(amount, 0.0)
        if schedule.overlap == "sequential":
            times += phase.repeat * _optimum_s(topology, amount)
        total += phase.repeat * amount
    return Bound(times if schedule.overlap == "sequential" else _optimum_s(topology, total), "linear program")


def _add_pairs(amount: FloatMatrix, demand: Demand, placement: Placement) -> None:
    """Add a demand's bytes to the matrix of pairs of endpoints."""
    if isinstance(demand, Flows):
        np.add.at(amount, (placement.endpoint[demand.src], placement.endpoint[demand.dst]), demand.bytes)
    elif isinstance(demand, AllToAll):
        for first, stop in zip(demand.groups.start[:-1], demand.groups.start[1:], strict=True):
            own = slice(int(first), int(stop))
            block = np.arange(stop - first) if demand.block is None else demand.block[own]
            sent = np.outer(demand.send[own], demand.receive[own]) * (block[:, None] != block[None, :])
            ends = placement.endpoint[demand.groups.rank[own]]
            np.add.at(amount, (ends[:, None], ends[None, :]), sent)
    else:
        raise InputError("linear program: reductions in the network are no flows")


def _optimum_s(topology: Topology, amount: FloatMatrix) -> float:
    """Least largest load over capacity, seconds, of bytes between endpoints: flows by destination on every link."""
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    goals = np.flatnonzero(amount.sum(axis=0) > 0)
    n_links, n_nodes = topology.n_links, topology.n_nodes
    n_variables = goals.size * n_links + 1
    if goals.size == 0:
        return 0.0
    if n_variables > _MOST_VARIABLES:
        raise InputError(
            f"linear program: {goals.size} destinations x {n_links} links; "
            f"expected at most {_MOST_VARIABLES:,} variables"
        )
    whole = float(amount.max())
    is_endpoint = topology.nodes.kind == ENDPOINT
    node_of = topology.endpoints[goals]
    endpoint_of = np.full(n_nodes, -1, np.int64)
    endpoint_of[topology.endpoints] = np.arange(topology.n_endpoints)
    rows, columns, values, supply = [], [], [], []
    upper = np.full(n_variables, np.inf)
    for number, goal in enumerate(node_of.tolist()):
        first = number * n_links
        # Bytes out less bytes in are what a node has for the goal; the goal's own balance follows.
        nodes = np.arange(n_nodes)
        row = np.where(nodes != goal, number * n_nodes + nodes, -1)
        for ends, sign in ((topology.link_tail, 1.0), (topology.link_head, -1.0)):
            chosen = np.flatnonzero(row[ends] >= 0)
            rows.append(row[ends[chosen]])
            columns.append(first + chosen)
            values.append(np.full(chosen.size, sign))
        have = np.zeros(n_nodes)
        have[topology.endpoints] = amount[:, goals[number]] / whole
        have[goal] = 0.0
        supply.append(have)
        # No third endpoint forwards: nothing enters an endpoint but the goal.
        closed = is_endpoint[topology.link_head] & (topology.link_head != goal)
        upper[first : first + n_links][closed] = 0.0
    balance = coo_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), (goals.size * n_nodes, n_variables)
    )
    link = np.tile(np.arange(n_links), goals.size)
    gbps = topology.link_capacity_gbps / topology.link_capacity_gbps.max()
    load = coo_array(
        (
            np.concatenate([np.ones(link.size), -gbps]),
            (
                np.concatenate([link, np.arange(n_links)]),
                np.concatenate([np.arange(link.size), np.full(n_links, link.size)]),
            ),
        ),
        (n_links, n_variables),
    )
    cost = np.zeros(n_variables)
    cost[-1] = 1.0
    result = linprog(
        cost,
        A_ub=load.tocsr(),
        b_ub=np.zeros(n_links),
        A_eq=balance.tocsr(),
        b_eq=np.concatenate(supply),
        bounds=np.stack([np.zeros(n_variables), upper], axis=1),
        method="highs",
    )
    if result.status != 0:
        raise InputError(f"linear program: {result.message}")
    return float(result.fun) * whole * 8e-9 / float(topology.link_capacity_gbps.max())
