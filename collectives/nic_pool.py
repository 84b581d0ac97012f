"""The NICs of a host as one pool: bytes that leave it, or come to it, go over those that are left, by their speed.

NCCL and RCCL do not do this: each channel, and each send, keeps the NIC that it was given when the job began, and
channels carry equal bytes, so that a slow NIC slows all.  R2CCL does (arXiv 2512.25059, R2CCL-Balance,
github.com/r2cc-project/R-2CCL): it shares the bytes of a NIC that fails out over the others of its host.  Of R equal
NICs of which one has a part f of its speed left, a host then has (R - 1 + f) / R instead of f.

A host is touched where its NICs differ in speed, or one is missing.  Between two hosts of which one at least is so,
every transfer is cut over the rails in proportion to the slower of the two hosts' NICs on each: over NVLink to the GPU
whose NIC it is, along the rail, and over NVLink to its destination.  Where no rail has a NIC left at both ends, the
fastest NIC of each end is taken, whatever their rails.  All of it runs side by side on different chunks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from collectives.demand import AllToAll, Demand, FloatVector, Flows, Groups, Int32Vector, Int64Vector
from collectives.domains import lone_apart
from collectives.errors import InputError
from collectives.schedule import Schedule


@dataclass(frozen=True, eq=False)
class NicPools:
    """Which NICs each rank may use.

    A pool is the ranks of one host and scale-up domain; a lane is a rail (of several ranks of a host on one rail, the
    first, the second, ...).  Pools with NICs of equal speeds are of one kind.

    Attributes
    ----------
    pool : (n_ranks,) int64
        A rank of unknown host, or without NVLink, is a pool of its own.
    owner : (n_pools, n_lanes) int64
        The rank whose NIC it is; -1: none.
    kind : (n_pools,) int64
    gbps : (n_kinds, n_lanes) float64
        Speed of each NIC; 0: none.
    even : (n_kinds,) bool
        Whether all NICs of a pool are equally fast, and none is missing: its bytes stay where they are.
    """

    pool: Int64Vector
    owner: Int64Vector
    kind: Int64Vector
    gbps: npt.NDArray[np.float64]
    even: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, host: Int32Vector, domain: Int32Vector, rail: Int32Vector, gbps: FloatVector) -> "NicPools":
        """Pools of ranks, from the host, domain and rail of each (-1: unknown) and the speed of its NIC (0: none).

        Raises
        ------
        InputError
            If the arrays differ in length.
        """
        n = len(host)
        if not n == len(domain) == len(rail) == len(gbps):
            raise InputError("NIC pools: expected a host, a domain, a rail and a speed for each rank")
        known = (host >= 0) & (domain >= 0)
        place = np.where(known, host.astype(np.int64) * (int(domain.max(initial=0)) + 1) + domain, -1)
        _, pool = np.unique(lone_apart(_narrow(place)), return_inverse=True)
        pool = pool.ravel().astype(np.int64)
        lane = _lanes(pool, rail)
        shape = (int(pool.max(initial=-1)) + 1, int(lane.max(initial=-1)) + 1)
        owner, speed = np.full(shape, -1, np.int64), np.zeros(shape)
        owner[pool, lane], speed[pool, lane] = np.arange(n), gbps
        there = owner >= 0
        fastest = speed.max(axis=1, initial=0.0)
        even = (fastest > 0) & ~(there & (speed < fastest[:, None])).any(axis=1)
        rows, kind = np.unique(np.column_stack([even, speed]), axis=0, return_inverse=True)
        return cls(pool, owner, kind.ravel().astype(np.int64), rows[:, 1:], rows[:, 0] > 0)

    def lanes(self, one: int, other: int) -> list[tuple[int, int, float]]:
        """How bytes from pools of a kind to those of another are cut: lane out, lane in, part; none: as they were."""
        if self.even[one] and self.even[other]:
            return []
        slower = np.minimum(self.gbps[one], self.gbps[other])
        total = float(slower.sum())
        if total > 0:
            return [(lane, lane, float(slower[lane]) / total) for lane in np.flatnonzero(slower > 0).tolist()]
        out, into = int(self.gbps[one].argmax()), int(self.gbps[other].argmax())
        return [(out, into, 1.0)] if self.gbps[one, out] > 0 and self.gbps[other, into] > 0 else []


def _narrow(place: Int64Vector) -> Int32Vector:
    """Numbers for distinct values that are not negative, -1 for those that are."""
    narrow = np.full(place.size, -1, np.int32)
    narrow[place >= 0] = np.unique(place[place >= 0], return_inverse=True)[1].ravel()
    return narrow


def _lanes(pool: Int64Vector, rail: Int32Vector) -> Int64Vector:
    """A number for each rail, and for the second, third, ... rank of a pool on it."""
    order = np.lexsort((rail, pool))
    fresh = np.ones(order.size, bool)
    fresh[1:] = (pool[order[1:]] != pool[order[:-1]]) | (rail[order[1:]] != rail[order[:-1]])
    first = np.maximum.accumulate(np.where(fresh, np.arange(order.size), 0)) if order.size else order
    number = np.empty(order.size, np.int64)
    number[order] = np.arange(order.size) - first
    _, lane = np.unique(np.stack([rail.astype(np.int64), number]), axis=1, return_inverse=True)
    return lane.ravel().astype(np.int64)


def nics_pooled(schedule: Schedule, pools: NicPools, domain: Int32Vector) -> Schedule:
    """The same schedule with the bytes of hosts whose NICs differ shared out over them.

    Transfers within a scale-up domain, and reductions inside the network, are unchanged; so are those that no lane is
    left for.  Never writes the pairs of an all-to-all: O(members x lanes x kinds).

    Parameters
    ----------
    schedule : Schedule
    pools : NicPools
        Of all ranks.
    domain : (n_ranks,) int32
        Scale-up domain of each rank; -1: none.

    Raises
    ------
    InputError
        If the arrays do not cover the schedule's ranks, or an all-to-all has blocks that cut across domains.
    """
    if len(domain) != len(pools.pool) or len(domain) <= schedule.max_rank:
        raise InputError(
            f"NIC pools: expected those of {schedule.max_rank + 1} ranks, got {len(pools.pool)} and {len(domain)}"
        )
    if pools.even.all():
        return schedule
    phases = []
    for phase in schedule.phases:
        demands: list[Demand] = []
        for demand in phase.demands:
            if isinstance(demand, Flows):
                demands += _flows(demand, pools, domain)
            elif isinstance(demand, AllToAll):
                demands += _all_to_all(demand, pools, domain)
            else:
                demands.append(demand)
        phases.append(replace(phase, demand=tuple(demands), label=f"{phase.label}, NICs pooled".lstrip(", ")))
    return replace(schedule, phases=tuple(phases))


def _flows(demand: Flows, pools: NicPools, domain: Int32Vector) -> list[Demand]:
    """Flows as they are, and those between pools of which one is uneven: to the lane, along it, and from it."""
    src, dst, volume = demand.src.astype(np.int64), demand.dst.astype(np.int64), demand.bytes
    across = (domain[src] != domain[dst]) | (domain[src] < 0)
    across &= src != dst
    ends = np.stack([pools.kind[pools.pool[src]], pools.kind[pools.pool[dst]]])
    stays = np.ones(src.size, bool)
    legs: list[tuple[Int64Vector, Int64Vector, FloatVector]] = []
    for one, other in np.unique(ends[:, across], axis=1).T.tolist():
        lanes = pools.lanes(one, other)
        if not lanes:
            continue
        chosen = np.flatnonzero(across & (ends[0] == one) & (ends[1] == other))
        stays[chosen] = False
        for out, into, part in lanes:
            leaves, comes = pools.owner[pools.pool[src[chosen]], out], pools.owner[pools.pool[dst[chosen]], into]
            for tail, head in ((src[chosen], leaves), (leaves, comes), (comes, dst[chosen])):
                legs.append((tail, head, part * volume[chosen]))
    kept = np.flatnonzero(stays)
    if not legs:
        return [demand]
    as_they_are = (src[kept], dst[kept], volume[kept])
    return [_flows_of([as_they_are, *legs])]


def _flows_of(legs: list[tuple[Int64Vector, Int64Vector, FloatVector]]) -> Flows:
    """Flows of several lists, without those to oneself and those of nothing."""
    src, dst, volume = (np.concatenate(part) for part in zip(*legs, strict=True))
    moved = (src != dst) & (volume > 0)
    return Flows(src[moved].astype(np.int32), dst[moved].astype(np.int32), volume[moved])


@dataclass(frozen=True, eq=False)
class _Exchange:
    """An all-to-all by groups, kinds and blocks.

    Attributes
    ----------
    demand : AllToAll
    group, pool, kind : (n,) int64
        Of each member.
    block : (n,) int64
        Members of one exchange nothing over the network: those of a domain, or of a block that holds whole domains.
    place : (n,) int64
        Number of each member's (group, block).
    """

    demand: AllToAll
    group: Int64Vector
    pool: Int64Vector
    kind: Int64Vector
    block: Int64Vector
    place: Int64Vector

    def outside(self, weight: FloatVector, kind: int) -> FloatVector:
        """Of each member the weight of those of a kind in its group that are not in its block, (n,) float64."""
        own = np.where(self.kind == kind, weight, 0.0)
        of_group = np.bincount(self.group, own, int(self.group.max(initial=-1)) + 1)
        of_place = np.bincount(self.place, own, int(self.place.max(initial=-1)) + 1)
        rest = of_group[self.group] - of_place[self.place]
        # What is only rounding is nothing; the limit is assumed, as a routing's is.
        return np.where(rest > 1e-12 * of_group[self.group], rest, 0.0)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Members of groups to be: keys of the groups, ranks, weights and blocks."""

    key: Int64Vector
    rank: Int64Vector
    send: FloatVector
    receive: FloatVector
    block: Int64Vector


def _all_to_all(demand: AllToAll, pools: NicPools, domain: Int32Vector) -> list[Demand]:
    rank = demand.groups.rank
    pool = pools.pool[rank]
    kind = pools.kind[pool]
    if pools.even[kind].all():
        return [demand]
    group = demand.groups.member_group()
    own_domain = lone_apart(domain)[rank]
    block, whole_blocks = _blocks(demand, group, own_domain)
    place = np.unique(np.stack([group, block]), axis=1, return_inverse=True)[1].ravel().astype(np.int64)
    exchange = _Exchange(demand, group, pool, kind, block, place)
    found: list[Demand] = []
    if not whole_blocks:
        found.append(_inside(demand, group, own_domain))
    legs: list[tuple[Int64Vector, Int64Vector, FloatVector]] = []
    kinds = np.unique(kind).tolist()
    even = pools.even[kind]
    rows = [_Rows(group, rank.astype(np.int64), demand.send * even, demand.receive * even, block)]
    number = demand.groups.n_groups
    for one in kinds:
        for other in kinds:
            if pools.even[one] and pools.even[other]:
                continue
            lanes = pools.lanes(one, other)
            for part in _pair(exchange, pools, one, other, lanes):
                rows.append(replace(part, key=part.key + number))
                number += demand.groups.n_groups
            legs += _hops(exchange, pools, one, other, lanes)
    found.append(_grouped(rows))
    if legs:
        found.append(_flows_of(legs))
    return found


def _blocks(demand: AllToAll, group: Int64Vector, domain: Int64Vector) -> tuple[Int64Vector, bool]:
    """Who exchanges nothing over the network, and whether members of a domain exchange nothing at all."""
    if demand.block is None:
        return domain, False
    block = demand.block.astype(np.int64)
    pairs = np.unique(np.stack([group, domain, block]), axis=1)
    if np.unique(pairs[[0, 2]], axis=1).shape[1] == pairs.shape[1]:
        return domain, np.unique(pairs[:2], axis=1).shape[1] == pairs.shape[1]
    if np.unique(pairs[:2], axis=1).shape[1] == pairs.shape[1]:
        return block, True
    raise InputError("NIC pools: an all-to-all whose blocks cut across scale-up domains; expected blocks of whole ones")


def _inside(demand: AllToAll, group: Int64Vector, domain: Int64Vector) -> AllToAll:
    """Within each domain of each group, directly."""
    order = np.lexsort((domain, group))
    fresh = np.ones(order.size, bool)
    fresh[1:] = (group[order[1:]] != group[order[:-1]]) | (domain[order[1:]] != domain[order[:-1]])
    start = np.append(np.flatnonzero(fresh), order.size).astype(np.int64)
    block = None if demand.block is None else demand.block[order]
    return AllToAll(Groups(start, demand.groups.rank[order]), demand.send[order], demand.receive[order], block)


def _pair(
    exchange: _Exchange, pools: NicPools, one: int, other: int, lanes: list[tuple[int, int, float]]
) -> Iterator[_Rows]:
    """From pools of a kind to those of another: along each lane, or directly where none is left; keys are groups."""
    demand = exchange.demand
    sends, receives = np.flatnonzero(exchange.kind == one), np.flatnonzero(exchange.kind == other)
    directly = (demand.groups.rank[sends].astype(np.int64), demand.groups.rank[receives].astype(np.int64), 1.0)
    along = [(pools.owner[exchange.pool[sends], out], pools.owner[exchange.pool[receives], into], part)
             for out, into, part in lanes]  # fmt: skip
    for tail, head, part in along or [directly]:
        nothing = np.zeros(sends.size), np.zeros(receives.size)
        yield _Rows(
            np.concatenate([exchange.group[sends], exchange.group[receives]]),
            np.concatenate([tail, head]),
            np.concatenate([part * demand.send[sends], nothing[1]]),
            np.concatenate([nothing[0], demand.receive[receives]]),
            np.concatenate([exchange.block[sends], exchange.block[receives]]),
        )


def _hops(
    exchange: _Exchange, pools: NicPools, one: int, other: int, lanes: list[tuple[int, int, float]]
) -> Iterator[tuple[Int64Vector, Int64Vector, FloatVector]]:
    """Over NVLink to the ranks whose NICs send, and from those whose NICs receive."""
    demand, rank = exchange.demand, exchange.demand.groups.rank.astype(np.int64)
    sends, receives = np.flatnonzero(exchange.kind == one), np.flatnonzero(exchange.kind == other)
    sent = demand.send[sends] * exchange.outside(demand.receive, other)[sends]
    received = demand.receive[receives] * exchange.outside(demand.send, one)[receives]
    for out, into, part in lanes:
        yield rank[sends], pools.owner[exchange.pool[sends], out], part * sent
        yield pools.owner[exchange.pool[receives], into], rank[receives], part * received


def _grouped(rows: list[_Rows]) -> AllToAll:
    """Rows put into groups, those of one rank in one group added up."""
    key, rank, send, receive, block = (
        np.concatenate([getattr(part, column) for part in rows])
        for column in ("key", "rank", "send", "receive", "block")
    )
    used = (send > 0) | (receive > 0)
    key, rank, send, receive, block = key[used], rank[used], send[used], receive[used], block[used]
    n = int(rank.max(initial=0)) + 1
    kept, first, index = np.unique(key * n + rank, return_index=True, return_inverse=True)
    fresh = np.ones(kept.size, bool)
    fresh[1:] = kept[1:] // n != kept[:-1] // n
    start = np.append(np.flatnonzero(fresh), kept.size).astype(np.int64)
    sends, receives = (np.bincount(index.ravel(), values, kept.size) for values in (send, receive))
    blocks = np.unique(block[first], return_inverse=True)[1].ravel().astype(np.int32)
    return AllToAll(Groups(start, (kept % n).astype(np.int32)), sends, receives, blocks)
