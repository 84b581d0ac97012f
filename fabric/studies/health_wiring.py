"""Cables between switches that are missing, or go where no others of their kind do.

Switches of a tier that share most of their neighbours are a *block*: the leaves of a pod and plane, the spines above.
Between two blocks each pair is expected to have as many cables as the best of its row and the best of its column, the
fewer of the two: so a spine with one cable to each leaf is whole beside spines with two, and a leaf with one cable to a
spine to which others have two is not.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt

from collectives.demand import Int64Vector
from collectives.sizes import counted
from fabric.formats.exchanged_planes import crossed_planes
from fabric.studies.health_findings import (
    WARNING,
    End,
    Example,
    Finding,
    end_text,
    findings_of,
    link_ends,
    port_end,
)
from fabric.studies.health_names import skeleton
from fabric.topology import ISL, NIC, SWITCH, UNKNOWN, UP, Topology, joined_by

# Switches of a block share more than this part of the neighbours of both; of those of the one that has fewer, where
# their names are of one kind.
_SHARED = 0.5
# A pair without any cable is expected to have some if this part of the others of a block have.  Assumed.
_SUPPORT = 0.75
# A switch has its cables within its blocks; what is a smaller part than this at both ends is astray, if it is rare.
# Assumed.
_STRAY, _RARE = 0.25, 0.02
# Switches with as many missing cables as this are named once, with the part of their cables that is missing.
_MANY, _MOST = 4, 0.5
# Pairs of switches between two blocks are all meant to have as many cables, if this part of them has, of as many pairs.
# Assumed.
_UNIFORM, _FEWEST = 0.9, 16
_ONE_TOO_MANY = " has one too many to "
# Pairs of switches that are compared at most.
_MOST_PAIRS = 30_000_000

IntMatrix = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Tier:
    """Cables between a tier and the one above: switches below and above, cables of each pair, blocks."""

    topology: Topology
    links: Int64Vector
    low: Int64Vector
    high: Int64Vector
    row: Int64Vector
    column: Int64Vector

    @cached_property
    def cables(self) -> IntMatrix:
        """(n_low, n_high)."""
        found = np.zeros((self.low.size, self.high.size), np.int64)
        np.add.at(found, (self.row, self.column), 1)
        return found

    @cached_property
    def low_block(self) -> Int64Vector:
        """A number for each block of the switches below."""
        return _blocks(self.cables > 0, [self.topology.nodes.name[node] for node in self.low])

    @cached_property
    def high_block(self) -> Int64Vector:
        """The same above."""
        return _blocks(self.cables.T > 0, [self.topology.nodes.name[node] for node in self.high])

    @cached_property
    def votes_below(self) -> "_Votes":
        """By block below and switch above: how many of the block it is joined with, and by which of their ports."""
        return _votes(self.low_block[self.row], self.row, self.column, self.topology.link_tail_port[self.links])

    @cached_property
    def votes_above(self) -> "_Votes":
        """The same by block above and switch below."""
        return _votes(self.high_block[self.column], self.column, self.row, self.topology.link_head_port[self.links])

    def used_ports(self, node: int) -> set[int]:
        """Ports of a switch that have a cable."""
        start = self.topology.out_start
        return set(self.topology.link_tail_port[start[node] : start[node + 1]].tolist())


_Votes = tuple[Counter[tuple[int, int]], defaultdict[tuple[int, int], Counter[int]]]


def _votes(block: Int64Vector, own: Int64Vector, other: Int64Vector, ports: npt.NDArray[np.int32]) -> _Votes:
    joined: Counter[tuple[int, int]] = Counter()
    votes: defaultdict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    pairs: set[tuple[int, int]] = set()
    for of, one, peer, port in zip(block.tolist(), own.tolist(), other.tolist(), ports.tolist(), strict=True):
        if (one, peer) not in pairs:
            pairs.add((one, peer))
            joined[of, peer] += 1
        if port != UNKNOWN:
            votes[of, peer][port] += 1
    return joined, votes


def _tiers(topology: Topology) -> list[_Tier]:
    up = np.flatnonzero((topology.link_kind == ISL) & (topology.link_direction == UP))
    found = []
    for tier in np.unique(topology.link_tier[up]):
        links = up[topology.link_tier[up] == tier]
        low, row = np.unique(topology.link_tail[links], return_inverse=True)
        high, column = np.unique(topology.link_head[links], return_inverse=True)
        if low.size**2 + high.size**2 <= _MOST_PAIRS:
            found.append(
                _Tier(topology, links, low.astype(np.int64), high.astype(np.int64), row.ravel(), column.ravel())
            )
    return found


def _blocks(joined: npt.NDArray[np.bool_], names: list[str]) -> Int64Vector:
    from scipy.sparse import csr_array

    matrix: Any = csr_array(joined.astype(np.float64))
    shared = (matrix @ matrix.T).tocoo()
    degree = joined.sum(axis=1).astype(np.int64)
    a, b = shared.row, shared.col
    fewer, either = np.minimum(degree[a], degree[b]), degree[a] + degree[b] - shared.data
    words: dict[str, int] = {}
    kind = np.array([words.setdefault(skeleton(name), len(words)) for name in names])
    alike = (shared.data > _SHARED * either) | ((kind[a] == kind[b]) & (shared.data > _SHARED * fewer))
    return joined_by(len(names), a[alike], b[alike])


@dataclass(frozen=True)
class MissingCables:
    """Cables that two switches lack.

    Attributes
    ----------
    low, high : int
        The switches, nodes.
    number : int
        How many are missing.
    ports : tuple of (int, int)
        Free ports below and above where others of their block have such cables; `UNKNOWN` where that does not tell, and
        fewer than `number` where none tells.
    """

    low: int
    high: int
    number: int
    ports: tuple[tuple[int, int], ...]


@lru_cache(maxsize=4)
def missing_cables(topology: Topology) -> tuple[MissingCables, ...]:
    """Cables between switches that are missing, pair by pair: those that `wiring_findings` counts.

    A switch that has fewer than its kind and no pair that shows where they went lacks them to switches above that have
    fewer than theirs, where both come out even.
    """
    tiers = _tiers(topology)
    explained = _explained(topology, _all_astray(topology, tiers))
    found = []
    for tier in tiers:
        lacking = _wanted(tier, explained) - tier.cables
        lacking += _dealt(tier, tier.cables + lacking)
        for row, column in np.argwhere(lacking > 0).tolist():
            number = int(lacking[row, column])
            below, above = (_free(tier, row, column, lower)[:number] for lower in (True, False))
            ports = tuple(zip_longest(below, above, fillvalue=UNKNOWN))
            found.append(MissingCables(int(tier.low[row]), int(tier.high[column]), number, ports))
    return tuple(found)


def _all_astray(topology: Topology, tiers: list[_Tier]) -> Int64Vector:
    """Links up that are astray, or join two planes by one mistake."""
    found = np.concatenate([np.zeros(0, np.int64), *(_astray(tier) for tier in tiers)])
    return found if found.size else _crossed(topology)


@lru_cache(maxsize=4)
def _crossed(topology: Topology) -> Int64Vector:
    """Links up of leaves with two uplinks that join two planes."""
    switches = np.flatnonzero(topology.nodes.kind == SWITCH)
    place = np.full(topology.n_nodes, UNKNOWN)
    place[switches] = np.arange(switches.size)
    up = np.flatnonzero((topology.link_kind == ISL) & (topology.link_direction == UP))
    hosts: list[set[str]] = [set() for _ in range(switches.size)]
    nic = np.flatnonzero((topology.link_kind == NIC) & (place[topology.link_head] >= 0))
    host = topology.nodes.host[topology.link_tail[nic]].tolist()
    for switch, number in zip(place[topology.link_head[nic]].tolist(), host, strict=True):
        if number != UNKNOWN:
            hosts[switch].add(str(number))
    ends = np.stack([place[topology.link_tail[up]], place[topology.link_head[up]]], axis=1)
    names = [topology.nodes.name[node] for node in switches.tolist()]
    cables = [cable for one in crossed_planes(ends, names, hosts) for cable in one.cables]
    found: Int64Vector = up[sorted(cables)].astype(np.int64)
    return found


def _explained(topology: Topology, astray: Int64Vector) -> tuple[set[int], set[int]]:
    """Switches below and above whose cables are astray, and so not missing."""
    return set(topology.link_tail[astray].tolist()), set(topology.link_head[astray].tolist())


def wiring_findings(topology: Topology) -> list[Finding]:
    """Cables between switches that are missing, and those that are astray."""
    tiers = _tiers(topology)
    astray = _all_astray(topology, tiers)
    network = _networks(topology, astray)
    ends = [(int(topology.link_tail[link]), int(topology.link_head[link])) for link in astray.tolist()]
    crossed: list[Example] = []
    stray: list[Example] = []
    for link, (low, high) in zip(astray.tolist(), ends, strict=True):
        across = network[low] != network[high] or (topology.nodes.plane[low] != topology.nodes.plane[high])
        name = topology.link_name(int(link)).replace(" -> ", " - ")
        text = f"{name}: joins {'two planes' if across else 'switches that no others of their kind join'}"
        (crossed if across else stray).append(Example(text, link_ends(topology, link)))
    explained = _explained(topology, astray)
    missing, count = [], 0
    for tier in tiers:
        found, more = _missing(tier, explained)
        missing += found
        count += more
    lost, more = _without_uplinks(topology)
    missing += lost
    count += more
    mends = _exchange(topology, astray)
    put_back = f"put the missing cable back, {missing[0].text.split(':')[0]}" if count == 1 else None
    if missing and all(_ONE_TOO_MANY in one.text for one in missing):
        put_back = "move each cable that is one too many to where one is missing"
    return [
        *findings_of(WARNING, "crossed plane", "cables join switches of two planes", crossed, todo=mends),
        *findings_of(WARNING, "stray cable", "cables join switches that no others of their kind do", stray, todo=mends),
        *findings_of(WARNING, "uneven wiring", "cables are missing between switches, beside the best of their kind",
                     missing, count, put_back),
    ]  # fmt: skip


def _without_uplinks(topology: Topology) -> tuple[list[Example], int]:
    """Switches without any cable up, where most of their kind have as many, and how many cables those are."""
    nodes, up = topology.nodes, (topology.link_kind == ISL) & (topology.link_direction == UP)
    cables = np.bincount(topology.link_tail[up], minlength=topology.n_nodes)
    kinds: dict[tuple[int, str], list[int]] = {}
    for node in np.flatnonzero((nodes.kind == SWITCH) & (np.diff(topology.out_start) > 0)).tolist():
        kinds.setdefault((int(nodes.tier[node]), skeleton(nodes.name[node])), []).append(node)
    examples, count = [], 0
    for alike in kinds.values():
        own = cables[alike]
        if (own > 0).sum() >= _SUPPORT * len(alike) and own[own > 0].min() == own.max():
            for node in (node for node, number in zip(alike, own.tolist(), strict=True) if not number):
                text = f"{nodes.name[node]}: no cable up, the others of its kind have {own.max()}"
                examples.append(Example(text, (End(nodes.name[node]),)))
                count += int(own.max())
    return examples, count


def _networks(topology: Topology, astray: Int64Vector) -> Int64Vector:
    """Of each node: the smallest that cables between switches join it with, those that are astray left out."""
    isl = np.setdiff1d(np.flatnonzero(topology.link_kind == ISL), [*astray, *topology.link_reverse[astray]])
    return joined_by(topology.n_nodes, topology.link_tail[isl], topology.link_head[isl])


def _exchange(topology: Topology, astray: Int64Vector) -> str | None:
    """What to do about two cables that are exchanged, or one that is elsewhere."""
    if astray.size == 1:
        return f"move the cable in {end_text(link_ends(topology, int(astray[0]))[1])} to where its switch's others go"
    if astray.size != 2:
        return None
    tail, head = topology.link_tail[astray], topology.link_head[astray]
    if tail[0] == tail[1] or head[0] == head[1]:
        return None
    one, other = (end_text(link_ends(topology, int(link))[1]) for link in astray)
    return f"exchange the cables in {one} and {other}"


def _astray(tier: _Tier) -> Int64Vector:
    """Links whose ends have few cables to the block of the other, where such links are rare."""
    row, column = tier.row, tier.column
    n_low, n_high = tier.cables.shape
    to_block = np.zeros((n_low, n_high), np.int64)
    np.add.at(to_block, (row, tier.high_block[column]), 1)
    from_block = np.zeros((n_high, n_low), np.int64)
    np.add.at(from_block, (column, tier.low_block[row]), 1)
    up, down = tier.cables.sum(axis=1), tier.cables.sum(axis=0)
    few_up = to_block[row, tier.high_block[column]] < _STRAY * up[row]
    few_down = from_block[column, tier.low_block[row]] < _STRAY * down[column]
    plane = tier.topology.nodes.plane
    low_plane, high_plane = plane[tier.low[row]], plane[tier.high[column]]
    crossed = (low_plane != high_plane) & (low_plane != UNKNOWN) & (high_plane != UNKNOWN)
    astray: Int64Vector = tier.links[(few_up & few_down) | crossed]
    return astray if astray.size <= max(2.0, _RARE * tier.links.size) else astray[:0]


def _missing(tier: _Tier, explained: tuple[set[int], set[int]]) -> tuple[list[Example], int]:
    """Pairs with fewer cables than expected, and how many cables those are."""
    wanted = _wanted(tier, explained)
    lacking = wanted - tier.cables
    examples = [*_whole(tier, lacking, wanted), *_pairs(tier, lacking, wanted)]
    short_of_kind, more = _short_of_kind(tier, wanted)
    return [*examples, *short_of_kind], int((wanted - tier.cables).sum()) + more


def _wanted(tier: _Tier, explained: tuple[set[int], set[int]]) -> IntMatrix:
    """Cables that each pair should have, (n_low, n_high); ends of stray cables lack none."""
    wanted = np.zeros_like(tier.cables)
    low_members, high_members = _members(tier.low_block), _members(tier.high_block)
    pairs = {(int(a), int(b)) for a, b in zip(tier.low_block[tier.row], tier.high_block[tier.column], strict=True)}
    deficit_low, deficit_high = np.zeros(tier.low.size, np.int64), np.zeros(tier.high.size, np.int64)
    for members, totals, deficit in (
        (low_members, tier.cables.sum(axis=1), deficit_low),
        (high_members, tier.cables.sum(axis=0), deficit_high),
    ):
        for own in members.values():
            deficit[own] = totals[own].max() - totals[own]
    for a, b in sorted(pairs):
        rows, columns = low_members[a], high_members[b]
        part = tier.cables[np.ix_(rows, columns)]
        there = part > 0
        row_best, column_best = part.max(axis=1)[:, None], part.max(axis=0)[None, :]
        # What is alone in its block has nothing beside it.
        best = np.minimum(row_best if columns.size > 1 else column_best, column_best if rows.size > 1 else row_best)
        best = np.broadcast_to(best, part.shape)
        # Of the others of its block; a switch alone in its block says nothing.
        column_support = there.sum(axis=0)[None, :] / max(rows.size - 1, 1)
        row_support = there.sum(axis=1)[:, None] / max(columns.size - 1, 1)
        supported = ((column_support >= _SUPPORT) & (rows.size > 2)) | ((row_support >= _SUPPORT) & (columns.size > 2))
        # A missing cable leaves its switch with fewer than others; where none has fewer, they are dealt out so.
        short = deficit_low[rows][:, None] if rows.size >= columns.size else deficit_high[columns][None, :]
        expected = np.maximum(np.where((short > 0) & (there | supported), best, part), part)
        axis = 1 if rows.size >= columns.size else 0
        plausible = (expected - part).sum(axis=axis, keepdims=True) <= short
        wanted[np.ix_(rows, columns)] = np.where(plausible, expected, part)
        own = wanted[np.ix_(rows, columns)]
        for row, column in np.argwhere((own < best) & (there | supported)).tolist():
            # None has fewer than others, but each has a port free where the others have their cable.
            lacks = int(best[row, column] - part[row, column])
            if min(len(_free(tier, int(rows[row]), int(columns[column]), lower)) for lower in (True, False)) >= lacks:
                wanted[rows[row], columns[column]] = best[row, column]
        usual, times = Counter(part.ravel().tolist()).most_common(1)[0]
        if usual and times >= _UNIFORM * part.size and part.size >= _FEWEST:
            # Nearly all pairs have as many: what is missing here is perhaps plugged in there.
            wanted[np.ix_(rows, columns)] = np.where(there | supported, np.maximum(part, usual), part)
    for nodes, axis in ((explained[0], 0), (explained[1], 1)):
        for place in np.flatnonzero(np.isin(tier.low if axis == 0 else tier.high, list(nodes))):
            kept = np.isin(tier.high if axis == 0 else tier.low, list(explained[1 - axis]))
            own = wanted[place] if axis == 0 else wanted[:, place]
            have = tier.cables[place] if axis == 0 else tier.cables[:, place]
            own[kept] = have[kept]
    return wanted


def _members(block: Int64Vector) -> dict[int, Int64Vector]:
    return {int(number): np.flatnonzero(block == number) for number in np.unique(block)}


def _whole(tier: _Tier, lacking: IntMatrix, wanted: IntMatrix) -> list[Example]:
    """Switches that lack most of their cables, named once; their pairs are taken out."""
    name = tier.topology.nodes.name
    examples = []
    for nodes, axis, word in ((tier.high, 0, "down"), (tier.low, 1, "up")):
        missing, expected = lacking.sum(axis=axis), wanted.sum(axis=axis)
        for place in np.flatnonzero((missing >= _MANY) & (missing >= _MOST * expected)).tolist():
            own = lacking[:, place] if axis == 0 else lacking[place]
            text = f"{name[nodes[place]]}: {missing[place]} of {expected[place]} cables {word} are missing"
            examples.append(Example(text, (End(name[nodes[place]]),)))
            own[:] = 0
    return examples


def _pairs(tier: _Tier, lacking: IntMatrix, wanted: IntMatrix) -> list[Example]:
    names = tier.topology.nodes.name
    examples = []
    for row, column in np.argwhere(lacking > 0).tolist():
        low, high, n = int(tier.low[row]), int(tier.high[column]), int(lacking[row, column])
        free = [_free(tier, row, column, lower)[:n] for lower in (True, False)]
        pairs = [
            (port_end(tier.topology, low, own), port_end(tier.topology, high, other))
            for own, other in zip_longest(*free, fillvalue=UNKNOWN)
        ] or [(port_end(tier.topology, low), port_end(tier.topology, high))]
        where = f"{names[low]} - {names[high]}"
        if n == 1:
            where = " - ".join(map(end_text, pairs[0]))
        text = f"{where}: {tier.cables[row, column]} of {wanted[row, column]} cables"
        if n > 1 and free[0]:
            ports = (tier.topology.port_name(low, port) for port in free[0])
            text += f"; free are {names[low]} ports {', '.join(ports)}"
        text += _too_many(tier, row, column)
        examples.append(Example(text, tuple(end for pair in pairs for end in pair)))
    return examples


def _too_many(tier: _Tier, row: int, column: int) -> str:
    """Where a cable of the switch below goes instead: to the one neighbour to which it has more than others."""
    own = np.flatnonzero(tier.low_block == tier.low_block[row])
    usual = np.median(tier.cables[own], axis=0)
    more = np.flatnonzero((tier.cables[row] > usual) & (tier.high_block == tier.high_block[column]))
    if more.size != 1:
        return ""
    names = tier.topology.nodes.name
    return f"; {names[tier.low[row]]}{_ONE_TOO_MANY}{names[tier.high[more[0]]]}"


def _free(tier: _Tier, row: int, column: int, lower: bool) -> list[int]:
    """Free ports of a switch where most others of its block have theirs to the same neighbour."""
    node = int(tier.low[row] if lower else tier.high[column])
    place, other = (row, column) if lower else (column, row)
    block = tier.low_block if lower else tier.high_block
    joined, votes = tier.votes_below if lower else tier.votes_above
    others = joined[block[place], other] - bool(tier.cables[row, column])
    used = tier.used_ports(node)
    return sorted(port for port, times in votes[block[place], other].items() if port not in used and 2 * times > others)


def _short_of_kind(tier: _Tier, wanted: IntMatrix) -> tuple[list[Example], int]:
    """Switches that have fewer cables than others of their block and name, after what their pairs lack."""
    name = tier.topology.nodes.name
    for nodes, axis, word in ((tier.low, 1, "up"), (tier.high, 0, "down")):
        short, totals = _short(tier, wanted, axis), wanted.sum(axis=axis)
        if short.any():
            examples = [
                Example(
                    f"{name[nodes[place]]}: {counted(int(totals[place]), 'cable')} {word}, the best of its kind have "
                    f"{totals[place] + short[place]}",
                    (End(name[nodes[place]]),),
                )
                for place in np.flatnonzero(short).tolist()
            ]
            return examples, int(short.sum())
    return [], 0


def _short(tier: _Tier, wanted: IntMatrix, axis: int) -> Int64Vector:
    """By how many cables each switch below (axis 1) or above (0) has fewer than the best of its block and name."""
    nodes, block = (tier.low, tier.low_block) if axis == 1 else (tier.high, tier.high_block)
    totals = wanted.sum(axis=axis)
    short = np.zeros(nodes.size, np.int64)
    for places in _kinds(tier.topology, nodes, block):
        best = int(totals[places].max())
        # More than one has so many: a single one may have more than the others on purpose.  Above, cables that
        # are dealt out do not come out even; what is missing at every switch below is more.
        least = 1 if axis == 1 else max(1, (wanted[:, places] > 0).any(axis=1).sum() // 2)
        if (totals[places] < best).any() and (totals[places] == best).sum() > max(1, places.size // 10):
            few = places[totals[places] <= best - least]
            short[few] = best - totals[few]
    return short


def _kinds(topology: Topology, nodes: Int64Vector, block: Int64Vector) -> list[Int64Vector]:
    """Places of switches of one block, or of any plane, whose names are of one kind."""
    name, planes = topology.nodes.name, topology.nodes.plane
    kinds: dict[tuple[int, str], list[int]] = {}
    for place, node in enumerate(nodes.tolist()):
        # Planes are alike: a whole spine that one lacks is missing to all leaves of its block.
        own_block = UNKNOWN if planes[node] != UNKNOWN else int(block[place])
        kinds.setdefault((own_block, skeleton(name[node])), []).append(place)
    return [np.array(places, np.int64) for places in kinds.values()]


def _dealt(tier: _Tier, wanted: IntMatrix) -> IntMatrix:
    """Cables that switches below have fewer than their kind, dealt to those above that have fewer, (n_low, n_high).

    Of two blocks that come out even; each pair that has fewest first.
    """
    more = np.zeros_like(wanted)
    short = _short(tier, wanted, 1)
    if not short.any():
        return more
    down = wanted.sum(axis=0)
    room = np.zeros_like(down)
    for places in _kinds(tier.topology, tier.high, tier.high_block):
        room[places] = down[places].max() - down[places]
    joined = {(int(a), int(b)) for a, b in zip(tier.low_block[tier.row], tier.high_block[tier.column], strict=True)}
    for low_block in np.unique(tier.low_block[short > 0]).tolist():
        above = np.isin(tier.high_block, [high for low, high in joined if low == low_block])
        rows = np.flatnonzero((tier.low_block == low_block) & (short > 0))
        left = np.where(above, room, 0)
        if left.sum() != short[rows].sum():
            continue
        for row in rows.tolist():
            for _ in range(int(short[row])):
                open_to = np.flatnonzero(left > 0)
                column = open_to[np.lexsort((-left[open_to], (wanted + more)[row, open_to]))[0]]
                more[row, column] += 1
                left[column] -= 1
    return more
