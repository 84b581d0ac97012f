"""What is odd about a link: cables missing or slower than its siblings', a hash or a table that is not even."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from collectives.demand import FloatVector, Int64Vector
from fabric.topology import DOWN, ENDPOINT, NIC, NVLINK, SWITCH, Topology

UNEVEN = 1.2
"""Over its even share by less than this is no cause.  Assumed."""


@dataclass(frozen=True)
class LinkOdds:
    """What stands out about a link beside those like it.

    Attributes
    ----------
    cables, usual_cables : int
        Between its two ends; and the median of what joins the ends of links like it, or its tail and others like its
        head, where that is more.
    uplinks, usual_uplinks : int
        Links like it of its lower end, and the median of others' lower ends, where that is more.
    gbps, usual_gbps : float
        Its capacity, and the most of those like it.
    over_siblings : float or None
        Its load over capacity, times the mean of the links from the same switch to the same tier that carry anything.
    over_even : float or None
        Its bytes, times what an even split of the same traffic over all shortest paths puts on it; None where its
        routing splits evenly.
    """

    cables: int
    usual_cables: int
    uplinks: int
    usual_uplinks: int
    gbps: float
    usual_gbps: float
    over_siblings: float | None
    over_even: float | None


@dataclass(frozen=True, eq=False)
class _Usual:
    """Of every link: kind (a number), cables between its ends, what is usual; (n_links,) each."""

    like: Int64Vector
    cables: Int64Vector
    usual_cables: Int64Vector
    uplinks: Int64Vector
    usual_uplinks: Int64Vector
    usual_gbps: FloatVector


@lru_cache(maxsize=4)
def _usual_of(topology: Topology) -> _Usual:
    columns = np.stack([topology.link_kind, topology.link_tier, topology.link_direction]).astype(np.int64)
    _, like = np.unique(columns, axis=1, return_inverse=True)
    like = like.ravel()
    ends = topology.link_tail.astype(np.int64) * topology.n_nodes + topology.link_head
    _, first, pair, count = np.unique(ends, return_index=True, return_inverse=True, return_counts=True)
    cables = count[pair.ravel()]
    tail = topology.link_tail.astype(np.int64) * (int(like.max(initial=0)) + 1) + like
    usual = np.maximum(cables, np.maximum(_medians(like, first, cables), _medians(tail, first, cables)))
    lower = np.where(topology.link_direction == DOWN, topology.link_head, topology.link_tail).astype(np.int64)
    _, one, owner, number = np.unique(
        lower * (int(like.max(initial=0)) + 1) + like, return_index=True, return_inverse=True, return_counts=True
    )
    uplinks = number[owner.ravel()]
    most = np.zeros(int(like.max(initial=-1)) + 1)
    np.maximum.at(most, like, topology.link_capacity_gbps)
    usual_uplinks = np.maximum(uplinks, _medians(like, one, uplinks))
    return _Usual(like, cables, usual, uplinks, usual_uplinks, most[like])


def _medians(group: Int64Vector, chosen: Int64Vector, values: Int64Vector) -> Int64Vector:
    """Of each entry: the lower median of the `chosen` entries of its group."""
    own, number = np.unique(group, return_inverse=True)
    number = number.ravel()
    order = chosen[np.lexsort((values[chosen], number[chosen]))]
    start = np.searchsorted(number[order], np.arange(own.size + 1))
    middle = np.minimum((start[:-1] + start[1:] - 1) // 2, max(order.size - 1, 0))
    found: Int64Vector = values[order[middle]][number]
    return found


def link_odds(
    topology: Topology, link: int, bytes_on: float, even_bytes: float | None, totals: FloatVector | None
) -> LinkOdds:
    """What is odd about a link.

    Parameters
    ----------
    topology : Topology
    link : int
    bytes_on : float
        That it carries.
    even_bytes : float or None
        That an even split puts on it; None where the routing splits evenly.
    totals : (n_links,) float64 or None
        Bytes on every link.
    """
    usual = _usual_of(topology)
    over_siblings = None
    if totals is not None:
        beside = np.flatnonzero((topology.link_tail == topology.link_tail[link]) & (usual.like == usual.like[link]))
        seconds = totals[beside] / topology.link_capacity_gbps[beside]
        mean = float(seconds[seconds > 0].mean()) if beside.size > 1 and (seconds > 0).any() else 0.0
        over_siblings = float(totals[link] / topology.link_capacity_gbps[link] / mean) if mean > 0 else None
    return LinkOdds(
        int(usual.cables[link]),
        int(usual.usual_cables[link]),
        int(usual.uplinks[link]),
        int(usual.usual_uplinks[link]),
        float(topology.link_capacity_gbps[link]),
        float(usual.usual_gbps[link]),
        over_siblings,
        None if even_bytes is None or even_bytes <= 0 else bytes_on / even_bytes,
    )


def odds_text(topology: Topology, link: int, odds: LinkOdds, routing: str) -> str:
    """What is odd, in a few words, the main thing first; empty where nothing is."""
    said = wiring_text(topology, link, odds)
    if odds.over_even is not None and odds.over_even >= UNEVEN:
        what = {"ecmp": "hashes collide", "lft": "the tables"}.get(routing, routing)
        said = (*said, f"{what}: {odds.over_even:.2f}x an even split")
    return "; ".join(said)


def wiring_text(topology: Topology, link: int, odds: LinkOdds) -> tuple[str, ...]:
    """What is odd about its cables."""
    said = []
    if odds.gbps < 0.99 * odds.usual_gbps:
        said.append(f"runs at {odds.gbps:g} of {odds.usual_gbps:g} Gb/s")
    if odds.cables < odds.usual_cables and topology.link_kind[link] not in (NIC, NVLINK):
        said.append(f"{odds.cables} of {odds.usual_cables} cables are there")
    elif odds.uplinks < odds.usual_uplinks and topology.link_kind[link] not in (NIC, NVLINK):
        down = topology.link_direction[link] == DOWN
        lower = topology.nodes.name[int((topology.link_head if down else topology.link_tail)[link])]
        said.append(f"{lower} has {odds.uplinks} of {odds.usual_uplinks} cables up")
    return tuple(said)


def place_text(topology: Topology, link: int) -> str:
    """Whose bytes a link carries by where it is: an endpoint's, a leaf's; empty further up."""
    tail, head = int(topology.link_tail[link]), int(topology.link_head[link])
    kinds, names = topology.nodes.kind, topology.nodes.name
    if kinds[tail] == ENDPOINT:
        return f"{names[tail]} sends it"
    if kinds[head] == ENDPOINT:
        return f"{names[head]} gets it"
    if topology.link_kind[link] == NVLINK or kinds[tail] != SWITCH:
        return ""
    if topology.nodes.tier[tail] == 1:
        return f"all from {names[tail]}"
    return f"all to {names[head]}" if topology.nodes.tier[head] == 1 else ""
