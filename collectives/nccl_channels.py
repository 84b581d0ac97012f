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

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from collectives.demand import FloatVector, Flows, Groups, Int32Vector
from collectives.errors import InputError
from collectives.hierarchical import levels
from collectives.mesh_orders import even_paths, even_rings, path_all_round
from collectives.ring import group_bytes
from collectives.schedule import Phase, Schedule
from collectives.transport import rail_aligned
from collectives.trees import both_ways, double_trees

CROSS_NIC = (0, 1, 2)
_ROUNDS = {"all-reduce": 2, "all-gather": 1, "reduce-scatter": 1}
_CHAINS = {"broadcast", "reduce"}


@dataclass(frozen=True, eq=False)
class Channel:
    """One channel of a group.

    Attributes
    ----------
    group, number : int
    parts : tuple of (m,) int32
        Ranks in each domain, in the order in which the channel passes through them.
    enters_rail, leaves_rail : int
        Rail by which a ring enters the group's first domain and by which it leaves; -1 where rails are unknown.
    """

    group: int
    number: int
    parts: tuple[Int32Vector, ...]
    enters_rail: int
    leaves_rail: int

    @property
    def ranks(self) -> Int32Vector:
        """All ranks in the order of the ring, (n,) int32."""
        return np.concatenate(self.parts)


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
    where = (np.asarray(one, np.int32).tobytes() for one in (domain, rail))
    return _channels(groups, *where, n_channels, cross_nic)


# Operations of a step over the same groups, and designs that place them alike, have the same ones.
@lru_cache(maxsize=4)
def _channels(
    groups: Groups, domains: bytes, rails: bytes, n_channels: int | None, cross_nic: int
) -> tuple[Channel, ...]:
    domain, rail = np.frombuffer(domains, np.int32), np.frombuffer(rails, np.int32)
    result = []
    for group, parts, least in _parted(groups, domain, rail, n_channels):
        rings = even_rings(least) if len(parts) == 1 else None
        count = n_channels or (least if rings is None else len(rings))
        for number in range(count):
            if rings is not None:
                orders = [parts[0][rings[_spread(number, count, len(rings))]]]
            elif cross_nic == 2 and count % 2 == 0 and least > 1:
                orders = _in_pairs(parts, number, count, least)
            else:
                orders = [_all_round(part, _spread(number, count, least)) for part in parts]
            entry = int(rail[orders[0][0]])
            leave = entry if cross_nic == 0 else int(rail[orders[0][-1]])
            result.append(Channel(group, number, tuple(orders), entry, leave))
    return tuple(result)


def chains(
    groups: Groups, domain: Int32Vector, rail: Int32Vector, n_channels: int | None = None
) -> tuple[Channel, ...]:
    """The channels of a tree in every group: a chain in each domain, whose first member talks to other domains.

    Chains that begin at all places of a domain use all links of a mesh alike where the places are an even number.
    Arguments and errors as for `channels`, but for the default, always one for each member of the smallest domain.
    """
    result = []
    for group, parts, least in _parted(groups, domain, rail, n_channels):
        count = n_channels or least
        for number in range(count):
            place = _spread(number, count, least)
            orders = [_to_neighbour(part, place) for part in parts]
            rails = (int(rail[orders[0][end]]) for end in (0, -1))
            result.append(Channel(group, number, tuple(orders), *rails))
    return tuple(result)


def _parted(
    groups: Groups, domain: Int32Vector, rail: Int32Vector, n_channels: int | None
) -> Iterator[tuple[int, list[Int32Vector], int]]:
    """Groups of two members or more, their members in each domain, and how many the smallest domain has."""
    if n_channels is not None and n_channels < 1:
        raise InputError(f"channels: expected an integer >= 1, got {n_channels}")
    level = levels(groups, 0.0, domain, rail)
    parts: list[list[Int32Vector]] = [[] for _ in range(groups.n_groups)]
    for group, part in zip(level.part_group.tolist(), level.inside, strict=True):
        parts[group].append(part)
    for group, own in enumerate(parts):
        if sum(map(len, own)) > 1:
            yield group, own, min(map(len, own))


def _spread(number: int, count: int, n_places: int) -> int:
    return number * n_places // count if count <= n_places else number % n_places


def _in_pairs(parts: list[Int32Vector], number: int, count: int, least: int) -> list[Int32Vector]:
    """Orders of one of two channels over two places; in odd domains it takes the other one's."""
    first = 2 * _spread(number // 2, count // 2, least // 2)
    return [_to_neighbour(part, first + (number + index) % 2) for index, part in enumerate(parts)]


def _to_neighbour(part: Int32Vector, place: int) -> Int32Vector:
    """The even path from a place to the other one of its pair: 0 and 1, 2 and 3, ...; 0 after an odd last place."""
    n = len(part)
    path = even_paths(n)[place - place % 2 if n % 2 else place // 2]
    order: Int32Vector = part[path if path[0] == place else path[::-1]]
    return order


def _all_round(part: Int32Vector, place: int) -> Int32Vector:
    """An order from a place to the one before it; of all places together they use no link of a mesh much more."""
    return part[(path_all_round(len(part)) + place) % len(part)]


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
    rings = channels(groups, domain, rail, n_channels, cross_nic)
    if not rings:
        return _nothing("rings")
    per_group = np.bincount([ring.group for ring in rings], minlength=groups.n_groups)
    if collective in _CHAINS:
        phase = _chains(collective, groups, volume / np.maximum(per_group, 1), rings)
        return _sent(Schedule((phase,)), domain, rail, cross_nic)
    sizes = np.unique(groups.sizes[groups.sizes > 1])
    rounds = _ROUNDS[collective]
    # Groups of one size step together; others run at once, each with the bytes of all its steps.
    together = sizes.size == 1
    orders = [ring.ranks for ring in rings]
    length, group = np.array([len(order) for order in orders]), np.array([ring.group for ring in rings])
    amount = volume[group] / (per_group[group] * length) * (1 if together else rounds * (length - 1))
    ranks, last = np.concatenate(orders), np.cumsum(length) - 1
    following = np.append(ranks[1:], ranks[:1])
    following[last] = ranks[last + 1 - length]
    flows = Flows(ranks, following, np.repeat(amount, length))
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
    every = chains(groups, domain, rail, n_channels)
    if not every:
        return _nothing("trees")
    per_group = np.bincount([one.group for one in every], minlength=groups.n_groups)
    parts = [float(volume[one.group] / per_group[one.group]) for one in every]
    inside = [(chain[1:], chain[:-1], part) for one, part in zip(every, parts, strict=True) for chain in one.parts]
    longest = max(len(chain) for one in every for chain in one.parts) - 1
    in_domain = (Phase(both_ways(inside), 1, "trees, in the domain", 2 * longest),) if longest else ()
    ends = [np.array([chain[0] for chain in one.parts], np.int32) for one in every]
    return Schedule((*in_domain, *double_trees(ends, parts)), "pipelined")


def _nothing(label: str) -> Schedule:
    none = np.empty(0, np.int32)
    return Schedule((Phase(Flows(none, none, np.empty(0)), 1, label),))
