"""Health of a fabric and of its routing tables: what cannot be reached, what may deadlock, what is uneven."""

from collections import Counter
from dataclasses import dataclass
from itertools import islice

import numpy as np

from collectives.demand import AllToAll, Groups, Int32Vector, Int64Vector
from fabric._kernels.arrays import Int8Matrix, Int64Matrix, LftArrays, WayEnd
from fabric.jobs.placement import Placement
from fabric.routing.layer import layer_of
from fabric.routing.lft_walk import lft_arrays
from fabric.routing.link_loads import link_loads
from fabric.routing.match_lfts import MatchedLfts
from fabric.routing.policies import Lft
from fabric.studies.hotspots import TierSummary, tier_name, tier_summaries
from fabric.topology import DOWN, ENDPOINT, ISL, NVLINK, SWITCH, UNKNOWN, UP, BoolVector, Topology, joined_by

ERROR, WARNING = "error", "warning"
EXAMPLES = 1000

# Above this many times the mean of its tier, a link carries so many routes that the tables count as unbalanced.
UNBALANCED = 1.5
# A leaf of which this part of the adapters is on one rail is that rail's leaf; adapters of other rails are astray.
_RAIL_LEAF = 0.75


@dataclass(frozen=True)
class Finding:
    """Something wrong.

    Attributes
    ----------
    severity : {"error", "warning"}
    kind : str
        What it is, in a word or two.
    count : int
        How many there are.
    text : str
        What is counted.
    examples : tuple of str
        The first `EXAMPLES` of them.
    """

    severity: str
    kind: str
    count: int
    text: str
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Health:
    """What `check_fabric` found.

    Attributes
    ----------
    findings : tuple of Finding
        Errors first.
    routes : tuple of TierSummary
        Routes per link by tier and direction, one for each ordered pair of endpoints (as bytes); empty without tables.
    pairs : int
        Ordered pairs of endpoints.
    """

    findings: tuple[Finding, ...]
    routes: tuple[TierSummary, ...]
    pairs: int

    @property
    def n_errors(self) -> int:
        """Kinds of errors."""
        return sum(finding.severity == ERROR for finding in self.findings)

    def fails(self, on: str) -> bool:
        """Whether there is a finding as bad as asked for: ``error``, ``warning`` or ``never``."""
        return self.n_errors > 0 if on == ERROR else on == WARNING and bool(self.findings)

    def counted(self, on: str) -> str:
        """How many kinds of findings there are that are as bad, in words."""
        n = self.n_errors if on == ERROR else len(self.findings)
        return f"{n} {'kind' if n == 1 else 'kinds'} of {'errors' if on == ERROR else 'findings'}"


def check_fabric(topology: Topology, tables: MatchedLfts | None = None, n_threads: int | None = None) -> Health:
    """Look for what is wrong with the cables, and with the tables if given.

    Parameters
    ----------
    topology : Topology
    tables : MatchedTables, optional
    n_threads : int, optional
    """
    n = topology.n_endpoints
    findings = [*_without_cables(topology), *_disconnected(topology), *_slow(topology), *_uneven_wiring(topology)]
    findings += _astray(topology)
    routes: tuple[TierSummary, ...] = ()
    if tables is not None:
        arrays = lft_arrays(topology, tables.routing)
        findings += [*_mismatches(tables), *_unrouted(topology, tables.routing, arrays)]
        findings += _credit_loops(topology, arrays)
        routing = Lft(
            tables.routing.source, tables.routing.row_start, tables.routing.lid, tables.routing.next_link, True
        )
        demand = AllToAll(Groups.consecutive(n, n), np.ones(n), np.ones(n))
        loads = link_loads(topology, demand, Placement(np.arange(n, dtype=np.int32)), routing, n_threads)
        routes = tier_summaries(loads, None, UNBALANCED)
        findings += _unbalanced(routes)
    findings.sort(key=lambda finding: finding.severity != ERROR)
    return Health(tuple(findings), routes, n * (n - 1))


def _finding(severity: str, kind: str, text: str, examples: list[str], count: int | None = None) -> list[Finding]:
    number = len(examples) if count is None else count
    return [Finding(severity, kind, number, text, tuple(examples[:EXAMPLES]))] if number else []


def _without_cables(topology: Topology) -> list[Finding]:
    cables = np.diff(topology.out_start)
    alone = [topology.nodes.name[node] for node in topology.endpoints if cables[node] == 0]
    idle = [topology.nodes.name[node] for node in np.flatnonzero((cables == 0) & (topology.nodes.kind != ENDPOINT))]
    return [
        *_finding(ERROR, "no cable", "endpoints without a cable", alone),
        *_finding(WARNING, "no cable", "switches without a cable", idle),
    ]


def _disconnected(topology: Topology) -> list[Finding]:
    """Pairs of endpoints that no chain of switches joins."""
    layer = layer_of(topology, SWITCH)
    net = layer.arrays
    head = np.repeat(np.arange(layer.n_switches), np.diff(net.in_start))
    part = joined_by(layer.n_switches, net.in_tail, head)
    parts: dict[frozenset[int], list[int]] = {}
    of_class = [
        frozenset(part[net.slot_switch[first:stop]].tolist())
        for first, stop in zip(net.slot_start[:-1], net.slot_start[1:], strict=True)
    ]
    for endpoint, number in enumerate(layer.endpoint_class.tolist()):
        parts.setdefault(of_class[number], []).append(endpoint)
    groups = [(key, members) for key, members in parts.items() if key]
    pairs, examples = 0, []
    for index, (key, members) in enumerate(groups):
        for other, others in groups[index + 1 :]:
            if not key & other:
                pairs += 2 * len(members) * len(others)
                names = topology.endpoint_names
                examples.append(f"{names[members[0]]} and {len(members) - 1} more, {names[others[0]]} and "
                                f"{len(others) - 1} more")  # fmt: skip
    return _finding(ERROR, "disconnected", "ordered pairs of endpoints that no cables join", examples, pairs)


def _cables(topology: Topology) -> Int64Vector:
    """One link of each cable, the one that goes up."""
    number = np.arange(topology.n_links)
    up = (topology.link_direction == UP) | ((topology.link_direction != DOWN) & (number < topology.link_reverse))
    return np.flatnonzero(up)


def _slow(topology: Topology) -> list[Finding]:
    """Cables slower than most of their tier."""
    cables = _cables(topology)
    kind, tier = topology.link_kind[cables], topology.link_tier[cables]
    gbps = np.minimum(topology.link_capacity_gbps[cables], topology.link_capacity_gbps[topology.link_reverse[cables]])
    examples = []
    for key in sorted({(int(k), int(t)) for k, t in zip(kind, tier, strict=True)}):
        chosen = np.flatnonzero((kind == key[0]) & (tier == key[1]))
        speeds, counts = np.unique(gbps[chosen], return_counts=True)
        usual = float(speeds[counts.argmax()])
        examples += [
            f"{topology.link_name(int(cables[n]))}: {gbps[n]:g} Gb/s, most of {tier_name(*key, UP)} have {usual:g}"
            for n in chosen[gbps[chosen] < usual]
        ]
    return _finding(WARNING, "slow cable", "cables slower than most of their tier", examples)


def _uneven_wiring(topology: Topology) -> list[Finding]:
    """Switches with other numbers of cables than most of their tier, and pairs with fewer parallel cables."""
    nodes = topology.nodes
    isl = topology.link_kind != NVLINK
    examples: list[str] = []
    for direction, word in ((UP, "up"), (DOWN, "down")):
        links = np.flatnonzero(isl & (topology.link_direction == direction))
        n_cables = np.bincount(topology.link_tail[links], minlength=topology.n_nodes)
        for tier in np.unique(nodes.tier[nodes.kind == SWITCH]):
            members = np.flatnonzero((nodes.kind == SWITCH) & (nodes.tier == tier))
            usual = Counter(n_cables[members].tolist()).most_common(1)[0][0]
            examples += [
                f"{nodes.name[node]}: {n_cables[node]} cables {word}, most of tier {tier} have {usual}"
                for node in members[n_cables[members] != usual]
            ]
    up = np.flatnonzero((topology.link_kind == ISL) & (topology.link_direction == UP))
    pairs, counts = np.unique(np.stack([topology.link_tail[up], topology.link_head[up]]), axis=1, return_counts=True)
    tiers = nodes.tier[pairs[0]]
    for tier in np.unique(tiers):
        chosen = np.flatnonzero(tiers == tier)
        usual = Counter(counts[chosen].tolist()).most_common(1)[0][0]
        examples += [
            f"{nodes.name[pairs[0, n]]} - {nodes.name[pairs[1, n]]}: {counts[n]} parallel cables, most have {usual}"
            for n in chosen[counts[chosen] != usual]
        ]
    return _finding(WARNING, "uneven wiring", "switches and pairs with other numbers of cables than most", examples)


def _astray(topology: Topology) -> list[Finding]:
    """Adapters on the leaf of another rail than theirs: swapped cables."""
    layer = layer_of(topology, SWITCH)
    endpoint = np.repeat(np.arange(topology.n_endpoints), np.diff(layer.endpoint_slot))
    first_slot = layer.arrays.slot_start[layer.endpoint_class[endpoint]]
    switch = layer.arrays.slot_switch[first_slot + np.arange(endpoint.size) - layer.endpoint_slot[endpoint]]
    rail = topology.endpoint_rail[endpoint]
    examples = []
    for leaf in np.unique(switch):
        here = endpoint[(switch == leaf) & (rail != UNKNOWN)]
        rails, counts = np.unique(topology.endpoint_rail[here], return_counts=True)
        if rails.size > 1 and counts.max() >= _RAIL_LEAF * counts.sum():
            own = int(rails[counts.argmax()])
            name = topology.nodes.name[layer.switch_node[leaf]]
            examples += [
                f"{topology.endpoint_names[number]} (rail {topology.endpoint_rail[number]}) is on {name}, "
                f"where {counts.max()} of {counts.sum()} adapters are on rail {own}"
                for number in here[topology.endpoint_rail[here] != own]
            ]
    return _finding(WARNING, "wrong rail", "adapters on the leaf of another rail", examples)


def _mismatches(tables: MatchedLfts) -> list[Finding]:
    return [
        *_finding(ERROR, "no table", "switches of the fabric without a forwarding table", list(tables.without_table)),
        *_finding(ERROR, "unknown switch", "switches of the tables that the fabric does not have",
                  list(tables.unknown_switches)),
        *_finding(ERROR, "unowned LID", "LIDs with routes that no node owns",
                  [f"LID {lid} (0x{lid:04x})" for lid in tables.unowned_lids]),
        *_finding(ERROR, "no LID", "endpoints that no LID of the tables leads to", list(tables.without_lid)),
    ]  # fmt: skip


def _unrouted(topology: Topology, routing: Lft, arrays: LftArrays) -> list[Finding]:
    """Pairs whose way ends elsewhere or nowhere, by reason; entries to dead ports; loops."""
    from fabric._kernels.lft_walk import way_states

    layer = layer_of(topology, SWITCH)
    net = layer.arrays
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
        first, stop = net.slot_start[source_class], net.slot_start[source_class + 1]
        if not members[source_class] or first == stop:
            continue
        switches = net.slot_switch[first:stop]
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
        findings += _finding(ERROR, kind, text, examples[reason], pairs[reason])
    findings += _finding(WARNING, "missing paths", "ordered pairs with routes to some of the LIDs only", [], partly)
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
            f"{topology.nodes.name[switch_node[column]]}: LID {routing.lid[row]} "
            f"({_endpoint_of_row(topology, arrays, row)})"
            for row, column in islice(places, EXAMPLES)
        ]
        findings += _finding(ERROR, kind, text, examples, len(places))
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


def _credit_loops(topology: Topology, arrays: LftArrays) -> list[Finding]:
    """A cycle of links each of which must wait for the next: the routes can deadlock (Dally and Seitz, 1987)."""
    from fabric._kernels.lft_walk import peel_turns

    turns = _turns(topology, arrays)
    left: BoolVector = np.zeros(topology.n_links, bool)
    n_left = peel_turns(turns, topology.n_links, left)
    if n_left == 0:
        return []
    chosen = turns[left[turns[:, 0]] & left[turns[:, 1]]]
    before = dict(zip(chosen[:, 1].tolist(), chosen[:, 0].tolist(), strict=True))
    link, seen = int(np.flatnonzero(left)[0]), []
    while link not in seen:
        seen.append(link)
        link = before[link]
    cycle = [*seen[seen.index(link) :]][::-1]
    names = [topology.nodes.name[topology.link_tail[number]] for number in cycle]
    text = (
        "cycles in the order in which links wait for one another (deadlock, unless virtual lanes keep them apart); "
        "one is shown"
    )
    return _finding(ERROR, "credit loop", text, [" -> ".join([*names, names[0]])])


def _turns(topology: Topology, arrays: LftArrays) -> Int64Matrix:
    """Pairs of links (a, b), b right after a on some route between endpoints, sorted by a; (n, 2) int64."""
    from fabric._kernels.lft_walk import mark_turns

    switch_node = np.flatnonzero(topology.nodes.kind == SWITCH)
    switch_of_node = np.full(topology.n_nodes, -1, np.int64)
    switch_of_node[switch_node] = np.arange(switch_node.size)
    isl = np.flatnonzero(topology.link_kind == ISL)
    tail, head = switch_of_node[topology.link_tail[isl]], switch_of_node[topology.link_head[isl]]
    in_place, out_place = (np.full(topology.n_links, -1, np.int32) for _ in range(2))
    n_in, n_out = (np.bincount(ends, minlength=switch_node.size) for ends in (head, tail))
    for ends, place, counts in ((head, in_place, n_in), (tail, out_place, n_out)):
        order = np.argsort(ends, kind="stable")
        first = np.concatenate([[0], np.cumsum(counts)])[:-1]
        place[isl[order]] = np.arange(isl.size) - first[ends[order]]
    turn_start = np.concatenate([[0], np.cumsum(n_in * n_out)]).astype(np.int64)
    used = np.zeros(int(turn_start[-1]), np.bool_)
    is_source = np.zeros(switch_node.size, np.bool_)
    into = switch_of_node[topology.link_head[topology.nodes.kind[topology.link_tail] == ENDPOINT]]
    is_source[into[into >= 0]] = True
    mark_turns(arrays, is_source, in_place, out_place, turn_start, n_out.astype(np.int64), used)
    number = np.flatnonzero(used)
    switch = np.searchsorted(turn_start, number, side="right") - 1
    within = number - turn_start[switch]
    into_order, out_order = np.argsort(head, kind="stable"), np.argsort(tail, kind="stable")
    in_first = np.concatenate([[0], np.cumsum(n_in)])
    out_first = np.concatenate([[0], np.cumsum(n_out)])
    a = isl[into_order[in_first[switch] + within // n_out[switch]]]
    b = isl[out_order[out_first[switch] + within % n_out[switch]]]
    turns = np.stack([a, b], axis=1).astype(np.int64)
    return np.ascontiguousarray(turns[np.lexsort((b, a))])


def _unbalanced(routes: tuple[TierSummary, ...]) -> list[Finding]:
    rows = [tier for tier in routes if tier.kind == "isl"]
    uneven = [
        f"{tier.name} {tier.direction}: max {tier.imbalance:.2f} times the mean of {tier.bytes / tier.links:.4g} routes"
        for tier in rows
        if tier.imbalance is not None and tier.imbalance > UNBALANCED
    ]
    unused = [
        f"{tier.name} {tier.direction}: {tier.links - tier.used:,} of {tier.links:,}"
        for tier in rows
        if tier.used < tier.links
    ]
    return [
        *_finding(WARNING, "unbalanced", f"tiers with a link above {UNBALANCED:g} times the mean of routes", uneven),
        *_finding(WARNING, "unused", "tiers with links that no route uses", unused),
    ]
