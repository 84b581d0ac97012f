"""Links as people and programs read them: tiers, hotspots, one line for a link, a CSV row for each."""

from collections.abc import Iterator

import numpy as np

from collectives.demand import Int32Vector
from fabric.reports.csv_text import csv_text
from fabric.reports.tables import Table
from fabric.reports.words import bytes_text, number_text, seconds_text
from fabric.routing.link_loads import LinkLoads
from fabric.studies.hotspots import Hotspot, TierSummary
from fabric.topology import DIRECTIONS, LINK_KINDS, PEER, UNKNOWN, Topology

LINK_COLUMNS = (
    "tail",
    "tail_port",
    "head",
    "head_port",
    "kind",
    "tier",
    "direction",
    "rail",
    "plane",
    "capacity_gbps",
    "bytes",
)

GUID_COLUMNS = ("tail_guid", "tail_lid", "head_guid", "head_lid")
"""Follow where a dump says any, so that rows can be joined with counters of ports."""


# A link that is busy for less of the busiest one's time slows nothing down (assumed).
MATTERS = 0.1


def tier_text(name: str, direction: str) -> str:
    """A tier and direction: ``leaf-spine up``, ``within tier 2``."""
    return name if direction == DIRECTIONS[PEER] else f"{name} {direction}"


def link_text(spot: Hotspot | None) -> str:
    """A hot link in one line: ``r0-l03 port 41 -> s07 port 12 (leaf-spine up, 2.3x the mean)``."""
    if spot is None:
        return "none: nothing is carried"
    times = f"{spot.over_mean:.3g}x"
    over = {"1x": ", at the mean", "nanx": ""}.get(times, f", {times} the mean")
    return f"{spot.name} ({tier_text(spot.tier, spot.direction)}{over})"


def tier_table(tiers: tuple[TierSummary, ...], threshold: float) -> Table:
    """A row per tier and direction."""
    rows = tuple(
        (
            tier_text(tier.name, tier.direction),
            f"{tier.links:,}",
            f"{tier.used:,}",
            bytes_text(tier.bytes),
            seconds_text(tier.max_s),
            seconds_text(tier.mean_s),
            seconds_text(tier.p99_s),
            number_text(tier.imbalance, ".3f"),
            f"{tier.hot_share:.1%}",
        )
        for tier in tiers
    )
    hot = f"above {threshold:g}x mean"
    columns = ("tier", "links", "used", "bytes", "max", "mean", "p99", "max/mean", hot)
    title = "Links by tier and direction: how long they are busy (load / capacity)"
    return Table(title, columns, rows, frozenset(columns[1:]), drop=("p99", "used", "bytes", "links", hot, "mean"))


def hotspot_table(hot: tuple[Hotspot, ...], threshold: float, top: int) -> Table:
    """The first `top` links that stand out and matter: busy for `MATTERS` of the busiest link's time at least."""
    mattering = [spot for spot in hot if spot.of_busiest >= MATTERS]
    rows = tuple(
        (
            str(rank),
            spot.name,
            tier_text(spot.tier, spot.direction),
            bytes_text(spot.bytes),
            f"{spot.capacity_gbps:g}",
            seconds_text(spot.seconds),
            f"{spot.over_mean:.2f}",
            f"{spot.of_busiest:.1%}",
            spot.cause,
        )
        for rank, spot in enumerate(mattering[:top], 1)
    )
    columns = ("#", "link", "tier", "bytes", "Gb/s", "load / capacity", "x mean", "of busiest", "main cause")
    title = f"Hotspots: links above {threshold:g}x the mean of those in use of their tier and direction"
    if not hot:
        title += ": none"
    elif not mattering:
        title += f": {len(hot):,}, none of them busy for {MATTERS:.0%} of the busiest link's time"
    elif len(mattering) > len(rows):
        title += f", the first {len(rows)} of {len(mattering):,}"
    return Table(
        title,
        columns,
        rows,
        frozenset({"#", *columns[3:-1]}),
        below=("main cause",),
        drop=("Gb/s", "bytes", "of busiest", "tier", "x mean"),
    )


def links_csv(loads: LinkLoads) -> str:
    """One row per directed link, columns `LINK_COLUMNS`, of dumps `GUID_COLUMNS` too; unknown values are empty."""
    topology = loads.topology
    tail, head = topology.link_tail, topology.link_head
    names = topology.nodes.name
    guids = [column for end in (tail, head) for column in guids_and_lids(topology, end)]
    return csv_text(
        (*LINK_COLUMNS, *(GUID_COLUMNS if guids else ())),
        zip(
            map(names.__getitem__, tail.tolist()),
            ports_of(topology, tail, topology.link_tail_port),
            map(names.__getitem__, head.tolist()),
            ports_of(topology, head, topology.link_head_port),
            map(LINK_KINDS.__getitem__, topology.link_kind.tolist()),
            topology.link_tier.tolist(),
            map(DIRECTIONS.__getitem__, topology.link_direction.tolist()),
            _known(_of_either_end(topology.nodes.rail, tail, head)),
            _known(_of_either_end(topology.nodes.plane, tail, head)),
            topology.link_capacity_gbps.tolist(),
            loads.bytes.tolist(),
            *guids,
            strict=True,
        ),
    )


def guids_and_lids(topology: Topology, nodes: Int32Vector) -> tuple[list[object], ...]:
    """GUID and LID of each node, empty where it has none; nothing where no node has a GUID."""
    if not topology.nodes.guid.any():
        return ()
    guid, lid = topology.nodes.guid[nodes].tolist(), topology.nodes.lid[nodes].tolist()
    return [f"0x{one:016x}" if one else "" for one in guid], [one or "" for one in lid]


def ports_of(topology: Topology, node: Int32Vector, port: Int32Vector) -> Iterator[int | str]:
    """Names of ports where they have some, else their numbers."""
    if not topology.port_names:
        return _known(port)
    return map(topology.port_name, node.tolist(), port.tolist())


def _of_either_end(values: Int32Vector, tail: Int32Vector, head: Int32Vector) -> Int32Vector:
    """The tail's value where it is known, else the head's."""
    return np.where(values[tail] != UNKNOWN, values[tail], values[head]).astype(np.int32)


def _known(values: Int32Vector) -> Iterator[int | str]:
    return ("" if value == UNKNOWN else value for value in values.tolist())
