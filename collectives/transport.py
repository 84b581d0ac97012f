"""Rail-aligned transport (PXN, NCCL 2.12 and later): change rails over NVLink, then stay on one.

Bytes from rank i for rank j in another scale-up domain and on another rail first hop over NVLink to a proxy in i's
domain that is on j's rail, then go from the proxy to j.  Bytes within a domain go directly.  If i is the k-th rank of
its domain on its own rail, its proxy on another rail is the (k mod count)-th of the domain there.  A domain without a
rank on that rail sends directly.  Both hops run side by side on different chunks, so they are demands of one phase.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from collectives.demand import AllToAll, Demand, Flows, Groups, Int32Vector, Int64Vector
from collectives.domains import lone_apart
from collectives.errors import InputError
from collectives.schedule import Schedule


def rail_aligned(schedule: Schedule, domain: Int32Vector, rail: Int32Vector) -> Schedule:
    """The same schedule with every cross-rail transfer sent through a proxy.

    The proxies of an all-to-all are members of its group (as NCCL takes them from the communicator), those of explicit
    flows any rank.  Reductions inside the network are unchanged.  Never writes the pairs of an all-to-all:
    O(members x rails).

    Parameters
    ----------
    schedule : Schedule
    domain : (n_ranks,) int32
        Scale-up domain of each rank; -1: none, the rank sends directly.
    rail : (n_ranks,) int32
        Rail of each rank; -1: unknown, no proxy is sought for it.

    Raises
    ------
    InputError
        If the arrays do not cover the schedule's ranks, or an all-to-all with blocks is on several rails.
    """
    if len(domain) != len(rail) or len(domain) <= schedule.max_rank:
        raise InputError(
            f"rail-aligned transport: expected a domain and a rail for each of {schedule.max_rank + 1} ranks, "
            f"got {len(domain)} and {len(rail)}"
        )
    phases = []
    for phase in schedule.phases:
        demands: list[Demand] = []
        for demand in phase.demands:
            if isinstance(demand, Flows):
                demands += _flows(demand, domain, rail)
            elif isinstance(demand, AllToAll):
                demands += _all_to_all(demand, domain, rail)
            else:
                demands.append(demand)
        phases.append(replace(phase, demand=tuple(demands), label=f"{phase.label}, rail-aligned".lstrip(", ")))
    return replace(schedule, phases=tuple(phases))


@dataclass(frozen=True, eq=False)
class _Spots:
    """Members by spot, that is by (place, rail), a place being a domain (of a group): who is the k-th on a rail there.

    Attributes
    ----------
    place, rail : (n,) int64
        Of each member; place -1 or rail -1 have no spot.
    n_rails : int
    order : (n_on_spots,) int64
        Members that have a spot, sorted by it.
    key, start, count : (n_spots,) int64
        ``place * n_rails + rail`` of each spot, where its members begin in `order`, and how many they are.
    number : (n,) int64
        Position of each member among those on its spot; 0 for those without one.
    """

    place: Int64Vector
    rail: Int64Vector
    n_rails: int
    order: Int64Vector
    key: Int64Vector
    start: Int64Vector
    count: Int64Vector
    number: Int64Vector

    @classmethod
    def of(cls, place: npt.NDArray[np.signedinteger], rail: npt.NDArray[np.signedinteger]) -> "_Spots":
        place, rail = place.astype(np.int64), rail.astype(np.int64)
        n_rails = int(rail.max(initial=-1)) + 1
        inside = np.flatnonzero((place >= 0) & (rail >= 0))
        keys = place[inside] * n_rails + rail[inside]
        by_key = np.argsort(keys, kind="stable")
        order = inside[by_key]
        key, start, count = np.unique(keys[by_key], return_index=True, return_counts=True)
        number = np.zeros(place.size, np.int64)
        number[order] = np.arange(order.size) - np.repeat(start, count)
        return cls(place, rail, n_rails, order, key, start.astype(np.int64), count.astype(np.int64), number)

    def proxy(self, member: Int64Vector, rail: Int64Vector) -> Int64Vector:
        """Who sends for `member` on `rail`: itself on its own rail, or where its place has nobody there."""
        wanted = self.place[member] * self.n_rails + rail
        spot = np.minimum(np.searchsorted(self.key, wanted), max(self.key.size - 1, 0))
        if self.key.size == 0:
            return member
        found = (self.place[member] >= 0) & (self.rail[member] >= 0) & (rail >= 0) & (self.key[spot] == wanted)
        found &= self.rail[member] != rail
        chosen = self.start[spot] + self.number[member] % self.count[spot]
        return np.where(found, self.order[np.minimum(chosen, self.order.size - 1)], member)


def _flows(demand: Flows, domain: Int32Vector, rail: Int32Vector) -> list[Demand]:
    """The flows from where they leave, and the hops to there."""
    across = np.flatnonzero((domain[demand.src] != domain[demand.dst]) | (domain[demand.src] < 0))
    src = demand.src[across].astype(np.int64)
    proxy = _Spots.of(domain, rail).proxy(src, rail[demand.dst[across]].astype(np.int64))
    moved = proxy != src
    if not moved.any():
        return [demand]
    hops, via = across[moved], proxy[moved].astype(np.int32)
    senders = demand.src.copy()
    senders[hops] = via
    return [Flows(senders, demand.dst, demand.bytes), Flows(demand.src[hops], via, demand.bytes[hops])]


def _all_to_all(demand: AllToAll, domain: Int32Vector, rail: Int32Vector) -> list[Demand]:
    rank, group = demand.groups.rank, demand.groups.member_group()
    if demand.block is not None:
        first = np.repeat(demand.groups.start[:-1], demand.groups.sizes)
        if np.array_equal(rail[rank], rail[rank[first]]):
            # Each group is on one rail, as tokens that go once to each node are: there is none to change to.
            return [demand]
        raise InputError("rail-aligned transport: expected an all-to-all without blocks")
    n, n_groups = rank.size, demand.groups.n_groups
    member = np.arange(n)
    its_domain, its_rail = domain[rank].astype(np.int64), rail[rank].astype(np.int64)
    block = lone_apart(domain[rank])
    n_blocks = int(block.max(initial=-1)) + 1
    place = np.where(its_domain >= 0, group * n_blocks + block, -1)
    spots = _Spots.of(place, its_rail)
    # Members of unknown rail are on a last one of their own: nobody is a proxy towards them.
    n_towards = spots.n_rails + 1
    own_rail = np.where(its_rail >= 0, its_rail, spots.n_rails)

    total = np.zeros((n_groups, n_towards))
    np.add.at(total, (group, own_rail), demand.receive)
    places, place_of = np.unique(group * n_blocks + block, return_inverse=True)
    own = np.zeros((places.size, n_towards))
    np.add.at(own, (place_of.ravel(), own_rail), demand.receive)

    hops: list[tuple[Int64Vector, Int64Vector, npt.NDArray[np.float64]]] = []
    senders: list[tuple[Int64Vector, Int64Vector]] = []
    for towards in range(n_towards):
        rail_towards = np.full(n, towards if towards < spots.n_rails else -1, np.int64)
        proxy = spots.proxy(member, rail_towards)
        outside = np.maximum(total[group, towards] - own[place_of.ravel(), towards], 0.0)
        hop = (proxy != member) & (demand.send * outside > 0)
        hops.append((member[hop], proxy[hop], (demand.send * outside)[hop]))
        senders.append((np.full(n, towards), proxy))
    across = _across(demand, group, own_rail, n_towards, block, senders)
    inside = _inside(demand, group * n_blocks + block)
    src, dst, volume = (np.concatenate(part) for part in zip(*hops, strict=True))
    return [inside, Flows(rank[src], rank[dst], volume), across]


def _across(
    demand: AllToAll,
    group: Int64Vector,
    own_rail: Int64Vector,
    n_towards: int,
    block: Int64Vector,
    senders: list[tuple[Int64Vector, Int64Vector]],
) -> AllToAll:
    """Between domains, rail by rail: senders and proxies with the sends they carry, to the rail's members."""
    n = group.size
    towards = np.concatenate([part[0] for part in senders] + [own_rail])
    member = np.concatenate([part[1] for part in senders] + [np.arange(n)])
    send = np.concatenate([np.tile(demand.send, len(senders)), np.zeros(n)])
    receive = np.concatenate([np.zeros(n * len(senders)), demand.receive])
    key = (group[member] * n_towards + towards) * n + member
    kept, index = np.unique(key, return_inverse=True)
    members = (kept % max(n, 1)).astype(np.int64)
    sub_group = kept // max(n, 1)
    start = np.append(np.flatnonzero(np.diff(sub_group, prepend=-1)), kept.size)
    sends = np.bincount(index.ravel(), weights=send, minlength=kept.size).astype(np.float64)
    receives = np.bincount(index.ravel(), weights=receive, minlength=kept.size).astype(np.float64)
    groups = Groups(start.astype(np.int64), demand.groups.rank[members])
    return AllToAll(groups, sends, receives, block[members])


def _inside(demand: AllToAll, place: Int64Vector) -> AllToAll:
    """Within each domain of each group, directly."""
    order = np.argsort(place, kind="stable")
    start = np.append(np.flatnonzero(np.diff(place[order], prepend=-1)), order.size)
    groups = Groups(start.astype(np.int64), demand.groups.rank[order])
    return AllToAll(groups, demand.send[order], demand.receive[order])
