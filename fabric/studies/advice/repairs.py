"""What cables of a fabric lack: those that its faults took, and those that are missing or slow beside their like."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from collectives.demand import FloatVector, Int64Vector
from fabric.formats.opening import OpenedFabric
from fabric.studies.advice.recabled import NewCable
from fabric.studies.health_wiring import missing_cables
from fabric.studies.verdicts.thresholds import SAME
from fabric.topology import ISL, NVLINK, UNKNOWN, UP, BoolVector, Topology


@dataclass(frozen=True)
class Repair:
    """What the cables between two nodes lack.

    Attributes
    ----------
    low, high : int
        The nodes: of switches of two tiers the lower one first.
    missing : int
        Cables that should be there and are not.
    slow : int
        Cables that are slower than they should be.
    gbps : float
        As fast as they should be.
    ports : tuple of (int, int)
        Where missing ones go, below and above, as far as that is known; `UNKNOWN` where not.
    """

    low: int
    high: int
    missing: int
    slow: int
    gbps: float
    ports: tuple[tuple[int, int], ...] = ()

    @property
    def ends(self) -> frozenset[int]:
        """Both nodes."""
        return frozenset((self.low, self.high))

    def cables(self) -> list[NewCable]:
        """The cables that are put back."""
        ports = [*self.ports, *[(UNKNOWN, UNKNOWN)] * self.missing][: self.missing]
        return [NewCable(self.low, self.high, self.gbps, *own) for own in ports]


def repairs_of(fabric: OpenedFabric) -> tuple[Repair, ...]:
    """What is missing or slow anywhere, in the order of the nodes.

    What faults took is known; a described fabric has all else that it should have.  In others the pattern tells that
    `fabric check` finds: see `fabric.studies.health_wiring.missing_cables`; and the most frequent speed of a tier.

    Parameters
    ----------
    fabric : OpenedFabric
    """
    found: dict[frozenset[int], Repair] = {}
    if fabric.sound is not None:
        found = {one.ends: one for one in _taken(fabric.topology, fabric.whole.topology)}
    if fabric.description is None:
        base = fabric.whole.topology
        for one in (*_missing(base), *_slow(base)):
            known = found.get(one.ends)
            found[one.ends] = one if known is None else _both(known, one)
    return tuple(sorted(found.values(), key=lambda one: (one.low, one.high)))


def _both(one: Repair, other: Repair) -> Repair:
    return Repair(
        one.low,
        one.high,
        one.missing + other.missing,
        max(one.slow, other.slow),
        max(one.gbps, other.gbps),
        (*one.ports, *other.ports),
    )


def _pairs(topology: Topology) -> Int64Vector:
    """A number for the two nodes of each link, either way, (n_links,) int64."""
    low = np.minimum(topology.link_tail, topology.link_head).astype(np.int64)
    pairs: Int64Vector = low * topology.n_nodes + np.maximum(topology.link_tail, topology.link_head)
    return pairs


def _ordered(topology: Topology, one: int, other: int) -> tuple[int, int]:
    tier = topology.nodes.tier
    return (one, other) if (tier[one], one) <= (tier[other], other) else (other, one)


@lru_cache(maxsize=4)
def _taken(topology: Topology, whole: Topology) -> tuple[Repair, ...]:
    """What a damaged fabric has lost of the whole one, of the same nodes; each cable is known by its ports."""
    forward, kept = (np.flatnonzero(np.arange(one.n_links) < one.link_reverse) for one in (whole, topology))
    alone, other = _unchanged(whole, forward, topology, kept)
    left: dict[tuple[int, ...], list[float]] = {}
    for link in kept[~other].tolist():
        left.setdefault(_cable(topology, link), []).append(float(topology.link_capacity_gbps[link]))
    lost: dict[tuple[int, int], list[tuple[int, int, float]]] = {}
    slow: Counter[tuple[int, int]] = Counter()
    speed: dict[tuple[int, int], float] = {}
    for link in forward[~alone].tolist():
        cable, gbps = _cable(whole, link), float(whole.link_capacity_gbps[link])
        low, high = _ordered(whole, int(whole.link_tail[link]), int(whole.link_head[link]))
        ports = (int(whole.link_tail_port[link]), int(whole.link_head_port[link]))
        if low != whole.link_tail[link]:
            ports = ports[1], ports[0]
        here = left.get(cable, [])
        if not here:
            lost.setdefault((low, high), []).append((*ports, gbps))
        elif here.pop() * SAME < gbps:
            slow[low, high] += 1
        else:
            continue
        speed[low, high] = max(speed.get((low, high), 0.0), gbps)
    return tuple(
        Repair(*pair, len(lost.get(pair, ())), slow[pair], gbps, tuple(one[:2] for one in lost.get(pair, ())))
        for pair, gbps in speed.items()
    )


def _unchanged(
    one: Topology, of_one: Int64Vector, other: Topology, of_other: Int64Vector
) -> tuple[BoolVector, BoolVector]:
    """Cables of either fabric that are the only ones with their ends and ports in both, and as fast there."""
    columns = ("link_tail", "link_head", "link_tail_port", "link_head_port")
    ends = [np.concatenate([getattr(one, name)[of_one], getattr(other, name)[of_other]]) for name in columns]
    order = np.lexsort(ends)
    starts = np.any([np.diff(column[order], prepend=column[order][:1] - 1) != 0 for column in ends], axis=0)
    number = np.empty(order.size, np.int64)
    number[order] = np.cumsum(starts) - 1
    numbers, n = np.split(number, [of_one.size]), int(number.max(initial=-1)) + 1
    gbps = one.link_capacity_gbps[of_one], other.link_capacity_gbps[of_other]
    single = np.all([np.bincount(mine, minlength=n) == 1 for mine in numbers], axis=0)
    speeds = [np.bincount(mine, its, minlength=n) for mine, its in zip(numbers, gbps, strict=True)]
    same = single & (speeds[0] == speeds[1])
    return same[numbers[0]], same[numbers[1]]


def _cable(topology: Topology, link: int) -> tuple[int, ...]:
    """What tells a cable from others: its nodes and ports."""
    columns = (topology.link_tail, topology.link_head, topology.link_tail_port, topology.link_head_port)
    return tuple(int(column[link]) for column in columns)


def _missing(topology: Topology) -> list[Repair]:
    gbps = _speed_above(topology)
    return [Repair(one.low, one.high, one.number, 0, gbps(one.low), one.ports) for one in missing_cables(topology)]


def _speed_above(topology: Topology) -> Callable[[int], float]:
    """Of a switch: the most frequent speed of its links up."""
    usual = usual_gbps(topology)
    up = (topology.link_kind == ISL) & (topology.link_direction == UP)

    def gbps(node: int) -> float:
        own = np.arange(topology.out_start[node], topology.out_start[node + 1])
        own = own[up[own]]
        return float(usual[own[0]] if own.size else usual[up].max())

    return gbps


def _slow(topology: Topology) -> list[Repair]:
    """Cables that are slower than most of their tier, pair by pair."""
    usual, pair = usual_gbps(topology), _pairs(topology)
    forward = np.arange(topology.n_links) < topology.link_reverse
    slow = np.flatnonzero(forward & (topology.link_kind != NVLINK) & (topology.link_capacity_gbps * SAME < usual))
    found = []
    for links in np.split(slow, np.flatnonzero(np.diff(pair[slow])) + 1) if slow.size else []:
        ends = _ordered(topology, int(topology.link_tail[links[0]]), int(topology.link_head[links[0]]))
        found.append(Repair(*ends, 0, links.size, float(usual[links].max())))
    return found


@lru_cache(maxsize=4)
def usual_gbps(topology: Topology) -> FloatVector:
    """Of each link: the most frequent speed of its kind, tier and direction, the larger of equals; (n_links,)."""
    usual = np.zeros(topology.n_links)
    columns = np.stack([topology.link_kind, topology.link_tier, topology.link_direction])
    _, like = np.unique(columns, axis=1, return_inverse=True)
    for kind in range(int(like.max(initial=-1)) + 1):
        own = like.ravel() == kind
        counts = Counter(topology.link_capacity_gbps[own].tolist())
        usual[own] = max(counts, key=lambda gbps: (counts[gbps], gbps))
    return usual
