"""Channels side by side, as NCCL builds them: which ranks each passes through, and which rails it uses.

A ring enters each scale-up domain at one member, passes through the others and leaves from the last.  Which rails it
uses is NCCL's variable NCCL_CROSS_NIC (NCCL user guide, environment variables; ``src/graph/connect.cc``):

- 0: a ring leaves by the NIC by which it enters.  It enters at place p and ends at the place before, which hops over
  NVLink to p's NIC (PXN).
- 1: a ring may change rails.  It enters at place p and leaves from the place before.
- 2, NCCL's default: two channels share two places.  One enters at the first and leaves from the second, the other the
  other way round, and in odd domains they change roles: what leaves by a rail enters the next domain by the same rail.
  With an odd number of domains the way back to the first changes rails.  An odd number of channels is built as for 1.

Behind a switch the order inside a domain does not matter; where direct links join its members, a mesh, it decides which
links are used.  So rings of a group in one domain, and channels in pairs, pass through it in orders that together use
all links alike (`collectives.mesh_orders`).
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from collectives.demand import FloatVector, Flows, Groups, Int32Vector, Int64Vector
from collectives.errors import InputError
from collectives.hierarchical import levels
from collectives.mesh_orders import Int64Matrix, even_paths, even_rings, path_all_round
from collectives.ring import group_bytes
from collectives.schedule import Phase, Schedule
from collectives.transport import rail_aligned
from collectives.trees import Edges, Int32Matrix, both_ways, double_trees

CROSS_NIC = (0, 1, 2)
_ROUNDS = {"all-reduce": 2, "all-gather": 1, "reduce-scatter": 1}
_CHAINS = {"broadcast", "reduce"}


@dataclass(frozen=True, eq=False)
class Channel:
    """One channel of a group.

    Attributes
    ----------
    group, number : int
    ranks : (n,) int32
        All ranks, domain by domain, in the order in which the channel passes through them.
    part_start : (n_domains + 1,) int64
        Where the ranks of each domain begin in `ranks`.
    enters_rail, leaves_rail : int
        Rail by which a ring enters the group's first domain and by which it leaves; -1 where rails are unknown.
    """

    group: int
    number: int
    ranks: Int32Vector
    part_start: Int64Vector
    enters_rail: int
    leaves_rail: int

    @property
    def parts(self) -> tuple[Int32Vector, ...]:
        """Ranks in each domain, each (m,) int32."""
        return tuple(np.split(self.ranks, self.part_start[1:-1]))


def channels(
    groups: Groups, domain: Int32Vector, rail: Int32Vector, n_channels: int | None = None, cross_nic: int = 2
) -> tuple[Channel, ...]:
    """The channels of every group.

    Parameters
    ----------
    groups : Groups
    domain, rail : (n_ranks,) int32
        Scale-up domain of each rank (-1: the rank is a domain of its own) and its rail.
    n_channels : int, optional
        Default one for each member of the group's smallest domain; fewer are spread over the places, more share them.
        Default for a group in one domain as many as use all links of a mesh alike.
    cross_nic : {0, 1, 2}

    Raises
    ------
    InputError
        If `n_channels` is not >= 1, or `cross_nic` is none of the three.
    """
    if cross_nic not in CROSS_NIC:
        raise InputError(f"cross-nic: expected 0, 1 or 2, got {cross_nic}")
    found: list[Channel] = []
    for alike in _parted(groups, domain, rail, n_channels):
        first = int(alike.start[1]) - 1
        rings = alike.ranks[:, _ring_orders(alike, n_channels, cross_nic)]
        for group, own in zip(alike.groups.tolist(), rings, strict=True):
            entries = rail[own[:, 0]].tolist()
            leaves = entries if cross_nic == 0 else rail[own[:, first]].tolist()
            found += [Channel(group, *one) for one in _numbered(own, alike.start, entries, leaves)]
    return _in_order(found)


def _numbered(
    own: Int32Matrix, start: Int64Vector, enter: list[int], leave: list[int]
) -> Iterator[tuple[int, Int32Vector, Int64Vector, int, int]]:
    for number, (ranks, *rails) in enumerate(zip(own, enter, leave, strict=True)):
        yield number, ranks, start, rails[0], rails[1]


def _in_order(found: list[Channel]) -> tuple[Channel, ...]:
    return tuple(sorted(found, key=lambda one: one.group))


def _ring_orders(alike: "_Alike", n_channels: int | None, cross_nic: int) -> Int64Matrix:
    """Places of a group's members in the order of each of its rings, a ring a row."""
    least = alike.least
    if len(alike.start) == 2:
        rings = even_rings(least)
        count = n_channels or len(rings)
        chosen: Int64Matrix = rings[[_spread(number, count, len(rings)) for number in range(count)]]
        return chosen
    count = n_channels or least
    orders = []
    for number in range(count):
        if cross_nic == 2 and count % 2 == 0 and least > 1:
            # In odd domains a channel takes the place of the other one of its pair.
            place = 2 * _spread(number // 2, count // 2, least // 2)
            orders.append(alike.along(*(partial(_to_neighbour, place + (number + index) % 2) for index in range(2))))
        else:
            orders.append(alike.along(partial(_all_round, _spread(number, count, least))))
    return np.stack(orders)


def chains(
    groups: Groups, domain: Int32Vector, rail: Int32Vector, n_channels: int | None = None
) -> tuple[Channel, ...]:
    """The channels of a tree in every group: a chain in each domain, whose first member talks to other domains.

    Chains that begin at all places of a domain use all links of a mesh alike where the places are an even number.
    Arguments and errors as for `channels`, but for the default, always one for each member of the smallest domain.
    """
    found: list[Channel] = []
    for alike in _parted(groups, domain, rail, n_channels):
        first = int(alike.start[1]) - 1
        orders = alike.ranks[:, _chain_orders(alike, n_channels)]
        for group, own in zip(alike.groups.tolist(), orders, strict=True):
            ends = (rail[own[:, end]].tolist() for end in (0, first))
            found += [Channel(group, *one) for one in _numbered(own, alike.start, *ends)]
    return _in_order(found)


def _chain_orders(alike: "_Alike", n_channels: int | None) -> Int64Matrix:
    """Places of a group's members in the order of each of its chains, a channel a row."""
    count = n_channels or alike.least
    places = (_spread(number, count, alike.least) for number in range(count))
    return np.stack([alike.along(partial(_to_neighbour, place)) for place in places])


@dataclass(frozen=True, eq=False)
class _Alike:
    """Groups of two members or more that have as many in each of their domains, domain by domain.

    Attributes
    ----------
    groups : (G,) int64
    ranks : (G, n) int32
        A group a row.
    start : (n_domains + 1,) int64
        Where the ranks of each domain begin in a row.
    """

    groups: Int64Vector
    ranks: Int32Matrix
    start: Int64Vector

    @property
    def least(self) -> int:
        """Members in the smallest domain."""
        return int(np.diff(self.start).min())

    def along(self, *paths: Callable[[int], Int64Vector]) -> Int64Vector:
        """Places in the order of a path through each domain, (n,) int64; domains take the paths in turns.

        Parameters
        ----------
        *paths : callable
            The path for a number of members, (m,) int64: places from 0 to m - 1.
        """
        sizes = np.diff(self.start)
        ordered = np.empty(self.start[-1], np.int64)
        for turn, path in enumerate(paths):
            for size in np.unique(sizes[turn :: len(paths)]).tolist():
                chosen = np.flatnonzero(sizes == size)
                first = self.start[chosen[chosen % len(paths) == turn]][:, None]
                ordered[first + np.arange(size)] = first + path(size)
        return ordered


def _parted(groups: Groups, domain: Int32Vector, rail: Int32Vector, n_channels: int | None) -> Iterator[_Alike]:
    """Groups of two members or more, by scale-up domain; those alike together."""
    if n_channels is not None and n_channels < 1:
        raise InputError(f"channels: expected an integer >= 1, got {n_channels}")
    level = levels(groups, 0.0, domain, rail)
    inside = level.inside
    # The domains of a group follow one another.
    bounds = np.searchsorted(level.part_group, np.arange(groups.n_groups + 1))
    alike: dict[bytes, list[int]] = {}
    for group, (first, stop) in enumerate(itertools.pairwise(bounds.tolist())):
        start = inside.start[first : stop + 1]
        if start[-1] - start[0] > 1:
            alike.setdefault((start - start[0]).tobytes(), []).append(group)
    for key, chosen in alike.items():
        start, these = np.frombuffer(key, np.int64), np.array(chosen)
        place = inside.start[bounds[these]][:, None] + np.arange(start[-1])
        yield _Alike(these, inside.rank[place], start)


def _spread(number: int, count: int, n_places: int) -> int:
    return number * n_places // count if count <= n_places else number % n_places


def _to_neighbour(place: int, n: int) -> Int64Vector:
    """The even path from a place to the other one of its pair: 0 and 1, 2 and 3, ...; 0 after an odd last place."""
    path: Int64Vector = even_paths(n)[place - place % 2 if n % 2 else place // 2]
    return path if path[0] == place else path[::-1]


def _all_round(place: int, n: int) -> Int64Vector:
    """An order from a place to the one before it; of all places together they use no link of a mesh much more."""
    turned: Int64Vector = (path_all_round(n) + place) % n
    return turned


def channel_rings(
    collective: str,
    groups: Groups,
    bytes: float,
    domain: Int32Vector,
    rail: Int32Vector,
    n_channels: int | None = None,
    cross_nic: int = 2,
) -> Schedule:
    """A ring collective over all channels at once, each with an equal part of the bytes.

    A broadcast goes round each ring from the root, the group's first member, to the one before it; a reduction comes
    back the same way.

    Parameters
    ----------
    collective : {"all-reduce", "all-gather", "reduce-scatter", "broadcast", "reduce"}
    bytes : float
        As nccl-tests counts them.
    groups, domain, rail, n_channels, cross_nic
        As for `channels`.

    Raises
    ------
    InputError
        As `channels`.
    """
    volume = group_bytes(groups, bytes)
    if collective in _CHAINS:
        rings = channels(groups, domain, rail, n_channels, cross_nic)
        if not rings:
            return _nothing("rings")
        per_group = np.bincount([ring.group for ring in rings], minlength=groups.n_groups)
        phase = _chains(collective, groups, volume / np.maximum(per_group, 1), rings)
        return _sent(Schedule((phase,)), domain, rail, cross_nic)
    if cross_nic not in CROSS_NIC:
        raise InputError(f"cross-nic: expected 0, 1 or 2, got {cross_nic}")
    sizes = np.unique(groups.sizes[groups.sizes > 1])
    rounds = _ROUNDS[collective]
    # Groups of one size step together; others run at once, each with the bytes of all its steps.
    together = sizes.size == 1
    src, dst, amounts = [], [], []
    for alike in _parted(groups, domain, rail, n_channels):
        places = _ring_orders(alike, n_channels, cross_nic)
        count, n = places.shape
        src.append(alike.ranks[:, places].ravel())
        dst.append(alike.ranks[:, np.roll(places, -1, axis=1)].ravel())
        each = volume[alike.groups] / (count * n) * (1 if together else rounds * (n - 1))
        amounts.append(np.repeat(each, count * n))
    if not src:
        return _nothing("rings")
    flows = Flows(np.concatenate(src), np.concatenate(dst), np.concatenate(amounts))
    repeat = rounds * (int(sizes[0]) - 1) if together else 1
    return _sent(Schedule((Phase(flows, repeat, f"rings, {collective}"),)), domain, rail, cross_nic)


def _sent(schedule: Schedule, domain: Int32Vector, rail: Int32Vector, cross_nic: int) -> Schedule:
    return rail_aligned(schedule, domain, rail) if cross_nic == 0 else schedule


def _chains(collective: str, groups: Groups, bytes: FloatVector, rings: tuple[Channel, ...]) -> Phase:
    """Rings cut open before the root, `bytes` of each group through each of them."""
    roots = groups.rank[groups.start[:-1].clip(max=max(groups.n_members - 1, 0))]
    orders = [np.roll(ring.ranks, -int(np.flatnonzero(ring.ranks == roots[ring.group])[0])) for ring in rings]
    near, far = np.concatenate([order[:-1] for order in orders]), np.concatenate([order[1:] for order in orders])
    amount = np.concatenate(
        [np.full(len(order) - 1, bytes[ring.group]) for ring, order in zip(rings, orders, strict=True)]
    )
    flows = Flows(near, far, amount) if collective == "broadcast" else Flows(far, near, amount)
    return Phase(flows, 1, f"rings, {collective}", max(map(len, orders)) - 1)


def channel_trees(
    groups: Groups, bytes: float, domain: Int32Vector, rail: Int32Vector, n_channels: int | None = None
) -> Schedule:
    """NCCL's Tree all-reduce: chains inside the domains, double binary trees across them, in one pipeline.

    Each channel has an equal part of the bytes; half of it goes up and down each of its two trees.  A domain's end of
    the chain, which is in the trees, is in another place for each channel.

    Parameters
    ----------
    groups, bytes, domain, rail, n_channels
        As for `channel_rings`.

    Raises
    ------
    InputError
        As `channels`.
    """
    volume = group_bytes(groups, bytes)
    inside: list[Edges] = []
    ends, parts = [], []
    longest = 0
    for alike in _parted(groups, domain, rail, n_channels):
        places = _chain_orders(alike, n_channels)
        count, n = places.shape
        orders = alike.ranks[:, places].reshape(-1, n)
        part = np.repeat(volume[alike.groups] / count, count)
        # All but the first of a domain follow another one there.
        later = np.delete(np.arange(n), alike.start[:-1])
        inside.append((orders[:, later], orders[:, later - 1], part))
        longest = max(longest, int(np.diff(alike.start).max()) - 1)
        ends.append(orders[:, alike.start[:-1]])
        parts.append(part)
    if not ends:
        return _nothing("trees")
    in_domain = (Phase(both_ways(inside), 1, "trees, in the domain", 2 * longest),) if longest else ()
    return Schedule((*in_domain, *double_trees(ends, parts)), "pipelined")


def _nothing(label: str) -> Schedule:
    none = np.empty(0, np.int32)
    return Schedule((Phase(Flows(none, none, np.empty(0)), 1, label),))
