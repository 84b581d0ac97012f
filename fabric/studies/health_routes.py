"""Health of forwarding tables: pairs without a way, entries that lead nowhere, links with too many routes."""

from collections import Counter
from dataclasses import replace
from itertools import islice

import numpy as np

from collectives.demand import AllToAll, Groups, Int32Vector
from fabric._kernels.arrays import Int8Matrix, LftArrays, WayEnd
from fabric.jobs.placement import Placement
from fabric.routing.layer import layer_of
from fabric.routing.link_loads import link_loads
from fabric.routing.match_lfts import MatchedLfts
from fabric.routing.policies import Lft
from fabric.studies.health_findings import ERROR, EXAMPLES, WARNING, Finding, findings_of
from fabric.studies.hotspots import DEFAULT_THRESHOLD, TierSummary, tier_summaries
from fabric.topology import SWITCH, Topology


def mismatches(lfts: MatchedLfts) -> list[Finding]:
    """Switches and LIDs that only the fabric or only the forwarding tables have."""
    return [
        *findings_of(ERROR, "no table", "switches of the fabric without a forwarding table", list(lfts.without_lft)),
        *findings_of(ERROR, "unknown switch", "switches of the tables that the fabric does not have",
                  list(lfts.unknown_switches)),
        *findings_of(ERROR, "unowned LID", "LIDs with routes that no node owns",
                  [f"LID {lid} (0x{lid:04x})" for lid in lfts.unowned_lids]),
        *findings_of(ERROR, "no LID", "endpoints that no LID of the tables leads to", list(lfts.without_lid)),
    ]  # fmt: skip


def unrouted(topology: Topology, routing: Lft, arrays: LftArrays) -> list[Finding]:
    """Pairs whose way ends elsewhere or nowhere, by reason; entries to dead ports; loops."""
    from fabric._kernels.lft_walk import way_states

    layer = layer_of(topology, SWITCH)
    state = np.zeros(routing.next_link.shape, np.int8)
    way_states(arrays, state)
    reasons = {
        WayEnd.NO_ENTRY: ("no entry", "ordered pairs whose route meets a switch without an entry"),
        WayEnd.DEAD_PORT: ("dead port", "ordered pairs whose route leads to a port without a cable"),
        WayEnd.WRONG_END: ("wrong end", "ordered pairs whose route ends at another node"),
        WayEnd.LOOP: ("loop", "ordered pairs whose route runs in a circle"),
    }
    pairs: Counter[int] = Counter()
    examples: dict[int, list[str]] = {reason: [] for reason in reasons}
    partly = 0
    has_row = np.flatnonzero(np.diff(routing.row_start) > 0)
    members: list[list[int]] = [[] for _ in range(layer.n_classes)]
    for endpoint, number in enumerate(layer.endpoint_class.tolist()):
        members[number].append(endpoint)
    for source_class in range(layer.n_classes):
        first, stop = layer.arrays.slot_start[source_class], layer.arrays.slot_start[source_class + 1]
        if not members[source_class] or first == stop:
            continue
        switches = layer.arrays.slot_switch[first:stop]
        reached = (state[:, switches] == WayEnd.REACHES).any(axis=1)
        n_reached = np.add.reduceat(reached.astype(np.int64), routing.row_start[has_row])
        n_lids = np.diff(routing.row_start)[has_row]
        own = layer.endpoint_class[has_row] == source_class
        n_sources = len(members[source_class]) - own
        partly += int(n_sources[(n_reached > 0) & (n_reached < n_lids)].sum())
        for place in np.flatnonzero((n_reached == 0) & (n_sources > 0)).tolist():
            dst = int(has_row[place])
            row = int(routing.row_start[dst])
            reason = int(state[row, switches[0]])
            pairs[reason] += int(n_sources[place])
            if len(examples[reason]) < EXAMPLES:
                src = next(member for member in members[source_class] if member != dst)
                examples[reason].append(_way(topology, layer.switch_node, arrays, row, src, dst, int(switches[0])))
    findings = []
    for reason, (kind, text) in reasons.items():
        findings += findings_of(ERROR, kind, text, examples[reason], pairs[reason])
    findings += findings_of(WARNING, "missing paths", "ordered pairs with routes to some of the LIDs only", [], partly)
    return findings + _stray_entries(topology, layer.switch_node, routing, arrays, state)


def _stray_entries(
    topology: Topology, switch_node: Int32Vector, routing: Lft, arrays: LftArrays, state: Int8Matrix
) -> list[Finding]:
    """Table entries that lead nowhere though no pair of endpoints needs them."""
    findings = []
    for reason, kind, text in (
        (WayEnd.DEAD_PORT, "dead entry", "table entries that lead to a port without a cable"),
        (WayEnd.LOOP, "loop entry", "table entries from which a route runs in a circle"),
    ):
        where = (routing.next_link == reason) if reason != WayEnd.LOOP else (state == reason)
        places = np.argwhere(where)
        examples = [
            f"{topology.nodes.name[switch_node[switch]]}: LID {routing.lid[row]} "
            f"({_endpoint_of_row(topology, arrays, row)})"
            for row, switch in islice(places, EXAMPLES)
        ]
        findings += findings_of(ERROR, kind, text, examples, len(places))
    return findings


def _endpoint_of_row(topology: Topology, arrays: LftArrays, row: int) -> str:
    return topology.endpoint_names[int(np.searchsorted(arrays.row_start, row, side="right")) - 1]


# Why a switch's table names no link.
_NO_LINK = {
    WayEnd.NO_ENTRY: "which has no entry",
    WayEnd.DEAD_PORT: "whose port has no cable",
    WayEnd.WRONG_END: "which keeps it",
}


def _way(
    topology: Topology, switch_node: Int32Vector, arrays: LftArrays, row: int, src: int, dst: int, switch: int
) -> str:
    """A route in words, up to where it fails."""
    names = topology.nodes.name
    words = [topology.endpoint_names[src]]
    seen = set()
    while True:
        words.append(names[switch_node[switch]])
        if switch in seen:
            end = "and round again"
            break
        seen.add(switch)
        link = int(arrays.next_link[row, switch])
        if link < 0:
            end = _NO_LINK[WayEnd(link)]
            break
        if arrays.link_switch[link] < 0:
            words.append(names[topology.link_head[link]])
            end = "which does not own the LID"
            break
        switch = int(arrays.link_switch[link])
    return f"{' -> '.join(words)}, {end} (to {topology.endpoint_names[dst]})"


def routes_per_link(topology: Topology, routing: Lft, n_threads: int | None = None) -> tuple[TierSummary, ...]:
    """Routes by tier and direction, one for each ordered pair of endpoints that has one (as bytes)."""
    n = topology.n_endpoints
    demand = AllToAll(Groups.consecutive(n, n), np.ones(n), np.ones(n))
    placement = Placement(np.arange(n, dtype=np.int32))
    loads = link_loads(topology, demand, placement, replace(routing, skip_unrouted=True), n_threads)
    return tier_summaries(loads, None, DEFAULT_THRESHOLD)


def unbalanced(routes: tuple[TierSummary, ...]) -> list[Finding]:
    """Tiers between switches where a link has far more routes than the mean, or none."""
    rows = [tier for tier in routes if tier.kind == "isl"]
    uneven = [
        f"{tier.name} {tier.direction}: max {tier.imbalance:.2f} times the mean of {tier.mean_bytes:.4g} routes"
        for tier in rows
        if tier.imbalance is not None and tier.imbalance > DEFAULT_THRESHOLD
    ]
    unused = [
        f"{tier.name} {tier.direction}: {tier.links - tier.used:,} of {tier.links:,}"
        for tier in rows
        if tier.used < tier.links
    ]
    return [
        *findings_of(
            WARNING, "unbalanced", f"tiers with a link above {DEFAULT_THRESHOLD:g} times the mean of routes", uneven
        ),
        *findings_of(WARNING, "unused", "tiers with links that no route uses", unused),
    ]
