"""What could be exchanged in a fabric without changing it: cheap guesses, each to be verified.

A guess is a permutation of some nodes of one level; what it moves above them is found by `ColouredGraph.completed`.
Guesses come in families of the same kind: hosts of a domain, domains of a unit, rails of a unit, spines of a plane.
Each says in which ever wider parts of the fabric it may have to be made at once: where two hosts cannot be exchanged in
one domain, perhaps the hosts in the same places of all domains can.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np

from collectives.demand import Int64Vector
from fabric.studies.symmetry_graph import ColouredGraph, planes_of
from fabric.topology import ENDPOINT, UNKNOWN, Topology, joined_by

# Demands whose groups are looked at as blocks: those of a step, not of a long trace.  Assumed.
_MOST_GROUPINGS = 64


@dataclass(frozen=True, eq=False)
class Guess:
    """Nodes, and where each goes.

    Attributes
    ----------
    node, image : (n,) int64
        The same nodes in two orders.
    scopes : tuple of int or tuple
        Names of wider and wider sets of guesses that are made at once if fewer are not symmetries.
    """

    node: Int64Vector
    image: Int64Vector
    scopes: tuple[object, ...]


@dataclass(frozen=True, eq=False)
class Block:
    """Endpoints that are one thing (a host, a rack), in an order in which equal ones match."""

    nodes: Int64Vector
    likeness: int
    parts: tuple["Block", ...] = ()

    @property
    def first(self) -> int:
        """The smallest node."""
        return int(self.nodes.min())


def families(topology: Topology, graph: ColouredGraph) -> Iterator[list[Guess]]:
    """Families of guesses, those that move least first."""
    if topology.n_endpoints == 0:
        yield list(_switch_swaps(topology, graph))
        return
    levels = [_of_nodes(topology, level) for level in block_levels(topology, graph)]
    tree = blocks_of(topology, graph, levels)
    yield list(_endpoint_swaps(topology, graph, tree[0]))
    parents = [*tree[1:], [_whole(tree[-1])]]
    for depth, blocks in enumerate(parents):
        yield list(_part_moves(blocks, levels[depth + 1 :], exchange=True))
    yield list(_switch_swaps(topology, graph))
    for exchange in (True, False):
        yield list(_rail_moves(topology, graph, tree[0], levels, exchange))
    for depth, blocks in enumerate(parents):
        yield list(_part_moves(blocks, levels[depth + 1 :], exchange=False))


def block_levels(topology: Topology, graph: ColouredGraph) -> list[Int64Vector]:
    """Blocks that hold one another, finest first: the number of its block for each endpoint, (n_endpoints,) a level.

    Hosts, scale-up domains, units (what hosts, leaves and NVLink switches join), pods (what switches below the third
    tier join), and groups of the traffic that fit in between.
    """
    nodes, n, ends = topology.nodes, topology.n_nodes, topology.endpoints
    host = np.where(topology.endpoint_host != UNKNOWN, n + topology.endpoint_host.astype(np.int64), ends)
    levels = [_numbers(host)]
    first_of_host = np.unique(levels[0], return_index=True)[1][levels[0]]
    domain = topology.endpoint_domain.astype(np.int64)
    wider = [np.where(domain != UNKNOWN, domain, int(domain.max(initial=0)) + 1 + levels[0])]
    highest = np.maximum(nodes.tier[topology.link_tail], nodes.tier[topology.link_head])
    for tier in (1, 2):
        if tier < int(nodes.tier.max(initial=0)):
            kept = highest <= tier
            one = np.concatenate([topology.link_tail[kept], ends])
            other = np.concatenate([topology.link_head[kept], ends[first_of_host]])
            wider.append(joined_by(n, one, other)[ends])
    for level in wider:
        if _holds(level, levels[-1]):
            levels.append(_numbers(level))
    for group in islice(_groups(topology, graph), _MOST_GROUPINGS):
        level = np.where(group != UNKNOWN, group, graph.colour.size + levels[0])
        finer = sum(_holds(level, one) for one in levels)
        if finer and all(_holds(one, level) for one in levels[finer:]):
            levels.insert(finer, _numbers(level))
    return levels


def _groups(topology: Topology, graph: ColouredGraph) -> Iterator[Int64Vector]:
    """Who is in one group of a demand, or block of a group, where nobody is in two: (n_endpoints,) each."""
    ends = topology.endpoints
    row = np.repeat(np.arange(ends.size), graph.start[ends + 1] - graph.start[ends])
    head = graph.head[graph.edges_of(ends.astype(np.int64))]
    row, head = row[head >= topology.n_nodes], head[head >= topology.n_nodes]
    for colour in np.unique(graph.colour[head]).tolist():
        chosen = graph.colour[head] == colour
        group = np.full(ends.size, UNKNOWN, np.int64)
        group[row[chosen]] = head[chosen]
        if np.count_nonzero(chosen) == np.unique(row[chosen]).size:
            yield group


def _holds(whole: Int64Vector, part: Int64Vector) -> bool:
    """Whether each part is in one whole, and not each whole one part."""
    n_parts, n_wholes = np.unique(part).size, np.unique(whole).size
    if n_wholes >= n_parts:
        return False
    return np.unique(_numbers(part) * n_wholes + _numbers(whole)).size == n_parts


def _numbers(values: Int64Vector) -> Int64Vector:
    return np.unique(values, return_inverse=True)[1].ravel().astype(np.int64)


def _of_nodes(topology: Topology, level: Int64Vector) -> list[int]:
    label = np.full(topology.n_nodes, UNKNOWN, np.int64)
    label[topology.endpoints] = level
    return label.tolist()


def blocks_of(topology: Topology, graph: ColouredGraph, levels: Sequence[list[int]]) -> list[list[Block]]:
    """Hosts, the domains that they make up, and so on: a list a level, its blocks' parts in matching order."""
    rail, like = topology.nodes.rail.tolist(), graph.likeness.tolist()
    blocks = [Block(np.array([node], np.int64), like[node]) for node in topology.endpoints.tolist()]
    rank = {id(block): rail[block.first] for block in blocks}
    tree = []
    for label in levels:
        parts = defaultdict(list)
        for block in blocks:
            parts[label[block.first]].append(block)
        blocks = [
            _joined(sorted(some, key=lambda one: (rank.get(id(one), 0), one.likeness, one.first)))
            for some in parts.values()
        ]
        tree.append(blocks)
        rank = {}
    return tree


def _joined(parts: list[Block]) -> Block:
    nodes = np.concatenate([part.nodes for part in parts])
    return Block(nodes, hash(tuple(part.likeness for part in parts)), tuple(parts))


def _whole(blocks: list[Block]) -> Block:
    return _joined(sorted(blocks, key=lambda one: (one.likeness, one.first)))


def _cycle(rows: Sequence[Int64Vector], scopes: tuple[object, ...]) -> Guess:
    """Each row of nodes to the next, the last to the first."""
    return Guess(np.concatenate(rows), np.concatenate([*rows[1:], rows[0]]), scopes)


def _endpoint_swaps(topology: Topology, graph: ColouredGraph, hosts: list[Block]) -> Iterator[Guess]:
    """Endpoints of a host on the same switches."""
    cables = np.flatnonzero((graph.level[graph.head] > 0) & (graph.head < topology.n_nodes))
    above = np.zeros(graph.colour.size, np.uint64)
    np.add.at(above, graph.tail[cables], graph.key[graph.head[cables]] * graph.weight[cables])
    switches = above.tolist()
    for number, host in enumerate(hosts):
        alike = defaultdict(list)
        for part in host.parts:
            alike[part.likeness, switches[part.first]].append(part.nodes)
        for place, rows in enumerate(alike.values()):
            for index, pair in enumerate(pairwise(rows)):
                yield _cycle(pair, ((number, place, index), (place, index)))


def _part_moves(blocks: list[Block], wider: Sequence[list[int]], exchange: bool) -> Iterator[Guess]:
    """Equal parts of a block: each with the next, or all one on."""
    for block in blocks:
        runs: list[list[Int64Vector]] = []
        last = None
        for part in sorted(block.parts, key=lambda one: (one.likeness, one.first)):
            if part.likeness != last:
                runs.append([])
            last = part.likeness
            runs[-1].append(part.nodes)
        places = [level[block.first] for level in wider]
        position = 0
        for rows in runs:
            for index in range(len(rows) - 1 if exchange else int(len(rows) > 2)):
                moved = rows[index : index + 2] if exchange else rows
                spot = position + index
                yield _cycle(moved, ((block.first, spot), *((place, spot) for place in places), ("all", spot)))
            position += len(rows)


def _switch_swaps(topology: Topology, graph: ColouredGraph) -> Iterator[Guess]:
    """Switches cabled to the same nodes below: in one place, at once in a plane, or in a tier (planes themselves)."""
    switches = np.flatnonzero(topology.nodes.kind != ENDPOINT)
    plane = planes_of(topology)
    switches = switches[
        np.lexsort((graph.order[switches], graph.likeness[switches], graph.below[switches], graph.colour[switches]))
    ]
    key = np.stack([graph.colour[switches].astype(np.uint64), graph.below[switches]])
    cuts = np.flatnonzero(np.any(key[:, 1:] != key[:, :-1], axis=0)) + 1
    for rows in np.split(switches, cuts):
        tier = int(topology.nodes.tier[rows[0]]) if rows.size else 0
        kind = int(topology.nodes.kind[rows[0]]) if rows.size else 0
        for index in range(rows.size - 1):
            one, other = int(rows[index]), int(rows[index + 1])
            if graph.likeness[one] == graph.likeness[other]:
                yield _cycle(
                    [rows[index : index + 1], rows[index + 1 : index + 2]],
                    (one, (int(plane[one]), int(plane[other]), kind, tier, index), (kind, tier, index)),
                )


def _rail_moves(
    topology: Topology, graph: ColouredGraph, hosts: list[Block], levels: Sequence[list[int]], exchange: bool
) -> Iterator[Guess]:
    """Rails of a host, of all hosts of wider and wider blocks, and of all: equal ones exchanged, or one on."""
    known = bool((topology.endpoint_rail != UNKNOWN).all())
    rail_of, like = topology.nodes.rail.tolist(), graph.likeness.tolist()
    for number, host in enumerate(hosts):
        by_rail: dict[int, list[int]] = defaultdict(list)
        for place, node in enumerate(host.nodes.tolist()):
            by_rail[rail_of[node] if known else place].append(node)
        places = [level[host.first] for level in levels[1:]]
        alike = defaultdict(list)
        for rail in sorted(by_rail):
            alike[tuple(like[node] for node in by_rail[rail])].append(rail)
        for rails in alike.values():
            rows = [np.array(by_rail[rail], np.int64) for rail in rails]
            for index in range(len(rows) - 1 if exchange else int(len(rows) > 2)):
                moved = slice(index, index + 2) if exchange else slice(None)
                name = tuple(rails[moved])
                scopes = ((number, name), *((place, name) for place in places), ("all", name))
                yield _cycle(rows[moved], scopes)
