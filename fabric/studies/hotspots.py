"""Which links stand out: a summary of every tier and direction, and a ranked list of hot links.

There is one mean: of load over capacity, over the links of a tier and direction that carry anything, all phases
together.  Idle links do not count in it, whether the job could have used them or not; `used` beside `links` shows them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from collectives.demand import FloatVector, Int64Vector
from fabric.jobs.placement import Placement
from fabric.routing.link_loads import LinkLoads, ScheduleLoads
from fabric.routing.loads import GroupLoads
from fabric.topology import DIRECTIONS, ISL, LINK_KINDS, NIC, NVLINK, PEER, BoolVector, Topology

# A link stands out above this many times the mean of its tier and direction. Assumed: half as much
# again is worth a look, and `--threshold` says otherwise.
DEFAULT_THRESHOLD = 1.5

_TIER_NAMES = {
    (NIC, 1): "host",
    (NVLINK, 0): "GPU mesh",
    (NVLINK, 1): "NVLink",
    (ISL, 2): "leaf-spine",
    (ISL, 3): "spine-core",
}


def tier_name(kind: int, tier: int, direction: int) -> str:
    """What people call the links of a kind and tier: host, NVLink, GPU mesh (direct links), leaf-spine, spine-core."""
    if kind == ISL and direction == PEER:
        return f"within tier {tier}"
    default = {NIC: f"host to tier {tier}", NVLINK: f"NVLink tier {tier}", ISL: f"tier {tier - 1}-{tier}"}
    return _TIER_NAMES.get((kind, tier), default[kind])


@dataclass(frozen=True)
class TierSummary:
    """Loads of the links of one tier and direction.

    Attributes
    ----------
    name, kind, direction : str
        Tier as in the tables, kind of its links (nic, isl, nvlink), up or down.
    tier : int
        Of the links' upper end.
    links, used : int
        Links counted, and those of them that carry anything.
    bytes : float
        Sum over the links.
    max_s, mean_s, p99_s : float
        Load over capacity of the links that carry anything, seconds; 0 where none does.
    imbalance : float or None
        max over mean; 1 is perfectly even; None where nothing is carried.
    hot_share : float
        Fraction of the links that carry anything whose load over capacity is above `threshold` times the mean.
    """

    name: str
    kind: str
    tier: int
    direction: str
    links: int
    used: int
    bytes: float
    max_s: float
    mean_s: float
    p99_s: float
    imbalance: float | None
    hot_share: float

    @property
    def mean_bytes(self) -> float:
        """Of the links that carry anything."""
        return self.bytes / self.used if self.used else 0.0


@dataclass(frozen=True)
class Hotspot:
    """One link that stands out in its tier and direction.

    Attributes
    ----------
    link : int
        Number of the link in its fabric's list.
    name : str
        Both ends with their ports, as a person finds them.
    tier, direction : str
        As in the tables.
    bytes, capacity_gbps, seconds : float
        Load, capacity, and the one over the other: of the longest phase, where it is one that limits.
    over_mean : float
        Its load over capacity over the mean of the links of its tier and direction that carry anything, all phases
        together.
    of_busiest : float
        `seconds` over those of the busiest link of the fabric: how much it matters.
    cause : str
        What it comes from, in a few words; empty where nobody asked.
    """

    link: int
    name: str
    tier: str
    direction: str
    bytes: float
    capacity_gbps: float
    seconds: float
    over_mean: float
    of_busiest: float
    cause: str = ""

    def scaled(self, factor: float) -> "Hotspot":
        """The same link with so many times the bytes."""
        return replace(self, bytes=self.bytes * factor, seconds=self.seconds * factor)


def links_in_job(topology: Topology, placement: Placement) -> BoolVector:
    """Links that the job could load, (n_links,) bool: all ISLs, and the cables of its own endpoints.

    The cables of endpoints outside the job are idle by definition; `links` does not count them.
    """
    node_in_job = np.ones(topology.n_nodes, dtype=bool)
    node_in_job[topology.endpoints] = False
    node_in_job[topology.endpoints[placement.endpoint]] = True
    return node_in_job[topology.link_tail] & node_in_job[topology.link_head]


def _tiers(topology: Topology, counted: BoolVector | None) -> list[Int64Vector]:
    """Links of each (kind, tier, direction): NVLink, hosts, then upwards."""
    kind = np.where(topology.link_kind == NVLINK, 0, 1 + topology.link_kind.astype(np.int64))
    # Direction within tier within kind.  Numbers of two bytes are sorted by counting them, which takes a tenth.
    key = (kind * (int(topology.link_tier.max(initial=0)) + 1) + topology.link_tier) * len(DIRECTIONS)
    key += topology.link_direction
    key = key.astype(np.min_scalar_type(int(key.max(initial=0))))
    chosen = np.flatnonzero(counted) if counted is not None else np.arange(topology.n_links)
    order = chosen[np.argsort(key[chosen], kind="stable")]
    fresh = key[order][1:] != key[order][:-1]
    return [part for part in np.split(order, np.flatnonzero(fresh) + 1) if part.size]


def links_like(topology: Topology, link: int) -> BoolVector:
    """Links of the same kind, tier and direction as `link`, itself among them, (n_links,) bool."""
    like = np.ones(topology.n_links, bool)
    for column in (topology.link_kind, topology.link_tier, topology.link_direction):
        like &= column == column[link]
    return like


def tier_summaries(
    loads: LinkLoads, counted: BoolVector | None = None, threshold: float = DEFAULT_THRESHOLD
) -> tuple[TierSummary, ...]:
    """Summarize every tier and direction.

    Parameters
    ----------
    loads : LinkLoads
    counted : (n_links,) bool, optional
        Links to count; default all.
    threshold : float
        A link is hot above this many times the mean of its tier and direction.
    """
    topology = loads.topology
    rows = []
    for links in _tiers(topology, counted):
        seconds = loads.seconds[links]
        busy = seconds[seconds > 0]
        mean = mean_s(seconds)
        kind, tier = int(topology.link_kind[links[0]]), int(topology.link_tier[links[0]])
        direction = int(topology.link_direction[links[0]])
        rows.append(
            TierSummary(
                name=tier_name(kind, tier, direction),
                kind=LINK_KINDS[kind],
                tier=tier,
                direction=DIRECTIONS[direction],
                links=links.size,
                used=busy.size,
                bytes=float(loads.bytes[links].sum()),
                max_s=float(seconds.max()),
                mean_s=mean,
                p99_s=float(np.percentile(busy, 99)) if busy.size else 0.0,
                imbalance=float(seconds.max()) / mean if mean > 0 else None,
                hot_share=float(np.mean(busy > threshold * mean)) if busy.size else 0.0,
            )
        )
    return tuple(rows)


def tiers_between_switches(topology: Topology) -> tuple[Int64Vector, ...]:
    """Links of each tier and direction between switches."""
    return tuple(_tiers(topology, topology.link_kind == ISL))


def imbalance_over(loads: LinkLoads, tiers: Iterable[Int64Vector]) -> float | None:
    """Largest max over mean of some tiers, as `TierSummary` has it; None where they carry nothing."""
    found = [loads.seconds[links] for links in tiers]
    return max((float(each.max()) / mean_s(each) for each in found if each.any()), default=None)


def hotspots(loads: LinkLoads, threshold: float = DEFAULT_THRESHOLD, top: int | None = None) -> tuple[Hotspot, ...]:
    """Links above `threshold` times the mean of their tier and direction, the longest busy first.

    Parameters
    ----------
    loads : LinkLoads
    threshold : float
    top : int, optional
        At most so many.
    """
    mean = np.zeros(loads.topology.n_links)
    for links in _tiers(loads.topology, loads.bytes > 0):
        mean[links] = loads.seconds[links].mean()
    hot = np.flatnonzero((loads.seconds > threshold * mean) & (mean > 0))
    hot = hot[np.lexsort((hot, -loads.seconds[hot]))]
    return tuple(_spot(loads, int(link), float(loads.seconds[link] / mean[link])) for link in hot[:top])


def schedule_bottleneck(loads: ScheduleLoads) -> Hotspot | None:
    """The link that sets the bottleneck time of a schedule; None where nothing is carried.

    Of phases that follow one another it is the bottleneck of the one that takes longest, all its repeats together; how
    far it is above the mean is of all phases.
    """
    if loads.overlap == "pipelined" or not loads.phases:
        return bottleneck(loads.total)
    longest, repeat = max(
        zip(loads.phases, loads.repeats, strict=True), key=lambda phase: phase[0].bottleneck_time_s * phase[1]
    )
    if not longest.groups.used.any():
        return None
    link = longest.bottleneck_link
    size = float(longest.bytes[link] * repeat)
    whole = sum(float(one.bytes[link]) * times for one, times in zip(loads.phases, loads.repeats, strict=True))
    return _hotspot(loads.topology, link, size, 1.0, _seconds(loads.topology, link, whole) / _mean_like(loads, link))


def bottleneck(loads: LinkLoads, whole: LinkLoads | None = None) -> Hotspot | None:
    """The link that sets the bottleneck time; None where nothing is carried.

    Parameters
    ----------
    loads : LinkLoads
    whole : LinkLoads, optional
        What `over_mean` is of: all phases, where `loads` are of one; default `loads`.
    """
    if not loads.groups.used.any():
        return None
    link = loads.bottleneck_link
    return _spot(loads, link, over_mean(loads if whole is None else whole, link))


def over_mean(loads: LinkLoads, link: int) -> float:
    """Load over capacity of a link, over the mean of those of its tier and direction that carry anything."""
    return loads.seconds_of(link) / _mean_of_group(loads.topology, loads.groups, link)


def _mean_like(loads: ScheduleLoads, link: int) -> float:
    return _mean_of_group(loads.topology, loads.total_groups, link)


def _mean_of_group(topology: Topology, groups: GroupLoads, link: int) -> float:
    """Mean of load over capacity of the links of a link's tier and direction that carry anything; 0 where none does."""
    own = topology.link_groups.number[link]
    return float(groups.busy_s[own] / groups.used[own]) if groups.used[own] else 0.0


def _seconds(topology: Topology, link: int, size: float) -> float:
    return float(size * 8.0 / (topology.link_capacity_gbps[link] * 1e9))


def mean_s(seconds: FloatVector) -> float:
    """Mean of the busy ones, 0 where none is: the one mean of `TierSummary`, `Hotspot` and every text about them."""
    busy = seconds[seconds > 0]
    return float(busy.mean()) if busy.size else 0.0


def _spot(loads: LinkLoads, link: int, times: float) -> Hotspot:
    of_busiest = loads.seconds_of(link) / loads.bottleneck_time_s
    return _hotspot(loads.topology, link, float(loads.bytes[link]), of_busiest, times)


def _hotspot(topology: Topology, link: int, size: float, of_busiest: float, times: float) -> Hotspot:
    kind, tier, direction = (
        int(column[link]) for column in (topology.link_kind, topology.link_tier, topology.link_direction)
    )
    return Hotspot(
        link=link,
        name=topology.link_name(link),
        tier=tier_name(kind, tier, direction),
        direction=DIRECTIONS[direction],
        bytes=size,
        capacity_gbps=float(topology.link_capacity_gbps[link]),
        seconds=_seconds(topology, link, size),
        over_mean=times,
        of_busiest=of_busiest,
    )


def worst_imbalance(tiers: tuple[TierSummary, ...]) -> float | None:
    """Largest imbalance of the loaded tiers between switches; None where they carry nothing."""
    return max((tier.imbalance for tier in tiers if tier.kind == "isl" and tier.imbalance is not None), default=None)
