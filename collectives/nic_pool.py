"""The NICs of a host as one pool: bytes that leave it, or come to it, go over those that are left, by their speed.

NCCL and RCCL do not do this: each channel, and each send, keeps the NIC that it was given when the job began, and
channels carry equal bytes, so that a slow NIC slows all.  R2CCL does (arXiv 2512.25059, R2CCL-Balance,
github.com/r2cc-project/R-2CCL): it shares the bytes of a NIC that fails out over the others of its host.  Of R equal
NICs of which one has a part f of its speed left, a host then has (R - 1 + f) / R instead of f.

A host is touched where its NICs differ in speed, or one is missing.  A NIC that is slower than the mean v of those of
its host keeps the part w / v of its bytes, w being its own speed, as if all GPUs sent alike; a transfer keeps the
smaller part of its two ends'.  The rest goes over rails that have speed to spare (by the slower of both ends' NICs):
over NVLink to the GPU whose NIC it is, along the rail, and over NVLink to its destination.  Where no rail has a NIC
left at both ends, it takes the fastest NIC of each, whatever their rails.  All of it runs side by side on different
chunks.
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
class Detour:
    """How bytes from pools of one kind to pools of another are shared out.

    Attributes
    ----------
    out, into : (n_lanes,) float64
        Part of its bytes that a NIC of either end can keep; a transfer keeps the smaller of its two ends'.
    ways : tuple of (int, int, float)
        Lane out, lane in and part of all the rest.
    """

    out: FloatVector
    into: FloatVector
    ways: tuple[tuple[int, int, float], ...]


@dataclass(frozen=True, eq=False)
class NicPools:
    """Which NICs each rank may use.

    A pool is the ranks of one host and scale-up domain; a lane is a rail (of several ranks of a host on one rail, the
    first, the second, ...).  Pools with NICs of equal speeds are of one kind.

    Attributes
    ----------
    pool : (n_ranks,) int64
        A rank of unknown host, or without NVLink, is a pool of its own.
    lane : (n_ranks,) int64
        Of each rank's own NIC.
    owner : (n_pools, n_lanes) int64
        The rank whose NIC it is; -1: none.
    kind : (n_pools,) int64
    gbps : (n_kinds, n_lanes) float64
        Speed of each NIC, 0 of one that is down; -1: no rank has that lane.
    even : (n_kinds,) bool
        Whether all NICs of a pool are equally fast, and none is missing: its bytes stay where they are.
    """

    pool: Int64Vector
    lane: Int64Vector
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
        # Where there is no NIC to begin with, none is missed.
        table = np.column_stack([even, np.where(there, speed, -1.0)])
        rows, kind = np.unique(table, axis=0, return_inverse=True)
        return cls(pool, lane, owner, kind.ravel().astype(np.int64), rows[:, 1:], rows[:, 0] > 0)

    def detour(self, one: int, other: int) -> Detour | None:
        """How bytes from pools of a kind to those of another are shared out; None where they stay as they are."""
        if self.even[one] and self.even[other]:
            return None
        ways = self._ways(self.gbps[one], self.gbps[other])
        return Detour(_kept(self.gbps[one]), _kept(self.gbps[other]), ways) if ways else None

    @staticmethod
    def _ways(one: FloatVector, other: FloatVector) -> tuple[tuple[int, int, float], ...]:
        slower = np.minimum(one, other)
        both = slower >= 0
        total = float(slower[both].sum())
        if total > 0:
            spare = np.where(both, slower - total / np.count_nonzero(both), 0.0)
            weight = np.where(spare > 1e-9 * slower.max(), spare, 0.0)
            weight = weight if weight.any() else np.where(both, slower, 0.0)
            parts = weight / weight.sum()
            return tuple((lane, lane, float(parts[lane])) for lane in np.flatnonzero(parts > 0).tolist())
        out, into = int(one.argmax()), int(other.argmax())
        return ((out, into, 1.0),) if one[out] > 0 and other[into] > 0 else ()


def _kept(gbps: FloatVector) -> FloatVector:
    """The part of its bytes that each NIC of a pool can keep, were all to send alike; 1 where there is none."""
    there = gbps >= 0
    mean = float(gbps[there].mean()) if there.any() else 0.0
    kept: FloatVector = np.where(there & (gbps < mean), gbps / max(mean, 1e-300), 1.0)
    return kept


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


# Ranks that send, ranks that receive, bytes.
_Leg = tuple[Int64Vector, Int64Vector, FloatVector]


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
    legs: list[_Leg] = []
    for one, other in np.unique(ends[:, across], axis=1).T.tolist():
        detour = pools.detour(one, other)
        if detour is None:
            continue
        chosen = np.flatnonzero(across & (ends[0] == one) & (ends[1] == other))
        stays[chosen] = False
        tail, head = src[chosen], dst[chosen]
        own = np.minimum(detour.out[pools.lane[tail]], detour.into[pools.lane[head]])
        legs.append((tail, head, own * volume[chosen]))
        rest = (1.0 - own) * volume[chosen]
        for out, into, part in detour.ways:
            leaves, comes = pools.owner[pools.pool[tail], out], pools.owner[pools.pool[head], into]
            legs += [(tail, leaves, part * rest), (leaves, comes, part * rest), (comes, head, part * rest)]
    kept = np.flatnonzero(stays)
    if not legs:
        return [demand]
    as_they_are = (src[kept], dst[kept], volume[kept])
    return [_flows_of([as_they_are, *legs])]


def _flows_of(legs: list[_Leg]) -> Flows:
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
    group, pool, kind, lane : (n,) int64
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
    lane: Int64Vector
    block: Int64Vector
    place: Int64Vector

    def outside(self, weight: FloatVector, members: Int64Vector) -> FloatVector:
        """Of each member the weight of some in its group that are not in its block, (n,) float64."""
        own = np.zeros(weight.size)
        own[members] = weight[members]
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
    exchange = _Exchange(demand, group, pool, kind, pools.lane[rank], block, place)
    found: list[Demand] = []
    if not whole_blocks:
        found.append(_inside(demand, group, own_domain))
    legs: list[_Leg] = []
    kinds = np.unique(kind).tolist()
    even = pools.even[kind]
    rows = [_Rows(group, rank.astype(np.int64), demand.send * even, demand.receive * even, block)]
    for one in kinds:
        for other in kinds:
            if not (pools.even[one] and pools.even[other]):
                for part, hops in _pair(exchange, pools, one, other):
                    rows.append(replace(part, key=part.key + len(rows) * demand.groups.n_groups))
                    legs += hops
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


def _pair(exchange: _Exchange, pools: NicPools, one: int, other: int) -> Iterator[tuple[_Rows, list[_Leg]]]:
    """From pools of a kind to those of another: what keeps its NICs, and what is shared out; keys are groups."""
    rank = exchange.demand.groups.rank.astype(np.int64)
    sends, receives = np.flatnonzero(exchange.kind == one), np.flatnonzero(exchange.kind == other)
    detour = pools.detour(one, other)
    if detour is None:
        yield _rows(exchange, sends, receives, rank[sends], rank[receives], 1.0), []
        return
    leaving, coming = detour.out[exchange.lane], detour.into[exchange.lane]
    for out in np.unique(leaving[sends]).tolist():
        for into in np.unique(coming[receives]).tolist():
            some, others = sends[leaving[sends] == out], receives[coming[receives] == into]
            own = min(out, into)
            yield _rows(exchange, some, others, rank[some], rank[others], own), []
            if own < 1:
                yield from _shared_out(exchange, pools, some, others, 1.0 - own, detour)


def _shared_out(
    exchange: _Exchange, pools: NicPools, sends: Int64Vector, receives: Int64Vector, rest: float, detour: Detour
) -> Iterator[tuple[_Rows, list[_Leg]]]:
    """A part of what some members send others: over NVLink to the NICs that send, to those that receive, and on."""
    demand, rank = exchange.demand, exchange.demand.groups.rank.astype(np.int64)
    sent = rest * demand.send[sends] * exchange.outside(demand.receive, receives)[sends]
    received = rest * demand.receive[receives] * exchange.outside(demand.send, sends)[receives]
    for out, into, part in detour.ways:
        leaves, comes = pools.owner[exchange.pool[sends], out], pools.owner[exchange.pool[receives], into]
        hops = [(rank[sends], leaves, part * sent), (comes, rank[receives], part * received)]
        yield _rows(exchange, sends, receives, leaves, comes, rest * part), hops


def _rows(
    exchange: _Exchange, sends: Int64Vector, receives: Int64Vector, tail: Int64Vector, head: Int64Vector, part: float
) -> _Rows:
    """What some members send others, by the ranks that stand for them."""
    demand = exchange.demand
    return _Rows(
        np.concatenate([exchange.group[sends], exchange.group[receives]]),
        np.concatenate([tail, head]),
        np.concatenate([part * demand.send[sends], np.zeros(receives.size)]),
        np.concatenate([np.zeros(sends.size), demand.receive[receives]]),
        np.concatenate([exchange.block[sends], exchange.block[receives]]),
    )


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
