"""What could be exchanged in a fabric without changing it: cheap guesses, each to be verified.

A guess is a permutation of some nodes of one level; what it moves above them is found by `ColouredGraph.completed`.
Guesses come in families of the same kind: hosts of a domain, domains of a unit, rails of a unit, spines of a plane.
Each says in which ever wider parts of the fabric it may have to be made at once: where two hosts cannot be exchanged in
one domain, perhaps the hosts in the same places of all domains can.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from collectives.demand import Int64Vector
from fabric.studies.symmetry_graph import ColouredGraph, planes_of
from fabric.topology import ENDPOINT, ISL, NVSWITCH, UNKNOWN, Topology, joined_by


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
    levels = block_levels(topology)
    tree = blocks_of(topology, graph, levels)
    yield list(_endpoint_swaps(graph, tree[0]))
    parents = [*tree[1:], [_whole(tree[-1])]]
    for depth, blocks in enumerate(parents):
        yield list(_part_moves(blocks, levels[depth + 1 :], exchange=True))
    yield list(_switch_swaps(topology, graph))
    for exchange in (True, False):
        yield list(_rail_moves(topology, tree, levels, exchange))
    for depth, blocks in enumerate(parents):
        yield list(_part_moves(blocks, levels[depth + 1 :], exchange=False))


def block_levels(topology: Topology) -> list[Int64Vector]:
    """Which host, scale-up domain, unit and pod each node is in, (n_nodes,) each; only those that hold one another.

    A unit is what leaves and NVLink switches join, a pod what switches below the third tier join.
    """
    nodes, n = topology.nodes, topology.n_nodes
    number = np.arange(n)
    levels = [np.where(nodes.host != UNKNOWN, n + nodes.host.astype(np.int64), number)]
    domain = nodes.domain.astype(np.int64)
    wider = [np.where(domain != UNKNOWN, int(levels[0].max(initial=0)) + 1 + domain, levels[0])]
    highest = np.maximum(nodes.tier[topology.link_tail], nodes.tier[topology.link_head])
    for tier in (1, 2):
        if tier < int(nodes.tier.max(initial=0)):
            kept = highest <= tier
            wider.append(joined_by(n, topology.link_tail[kept], topology.link_head[kept]))
    ends = topology.endpoints
    for level in wider:
        # Each part in one whole, and not each whole of one part.
        pairs = np.unique(np.stack([levels[-1][ends], level[ends]]), axis=1)
        if np.unique(pairs[0]).size == pairs.shape[1] > np.unique(pairs[1]).size:
            levels.append(level)
    return levels


def blocks_of(topology: Topology, graph: ColouredGraph, levels: Sequence[Int64Vector]) -> list[list[Block]]:
    """Hosts, the domains that they make up, and so on: a list a level, its blocks' parts in matching order."""
    rail, like = topology.nodes.rail.tolist(), graph.likeness.tolist()
    blocks = [Block(np.array([node], np.int64), like[node]) for node in topology.endpoints.tolist()]
    rank = {id(block): rail[block.first] for block in blocks}
    tree = []
    for level in levels:
        label = level.tolist()
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


def _endpoint_swaps(graph: ColouredGraph, hosts: list[Block]) -> Iterator[Guess]:
    """Endpoints of a host on the same switches."""
    for number, host in enumerate(hosts):
        alike = defaultdict(list)
        for part in host.parts:
            edges = graph.edges_of(part.nodes)
            up = edges[graph.level[graph.head[edges]] > 0]
            alike[part.likeness, int((graph.key[graph.head[up]] * graph.weight[up]).sum())].append(part.nodes)
        for place, rows in enumerate(alike.values()):
            for index, pair in enumerate(zip(rows, rows[1:], strict=False)):
                yield _cycle(pair, ((number, place, index), (place, index)))


def _part_moves(blocks: list[Block], wider: Sequence[Int64Vector], exchange: bool) -> Iterator[Guess]:
    """Equal parts of a block: each with the next, or all one on."""
    for block in blocks:
        runs: list[list[Int64Vector]] = []
        last = None
        for part in sorted(block.parts, key=lambda one: (one.likeness, one.first)):
            if part.likeness != last:
                runs.append([])
            last = part.likeness
            runs[-1].append(part.nodes)
        places = [int(level[block.first]) for level in wider]
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
    switches = switches[np.lexsort((graph.order[switches], graph.below[switches], graph.colour[switches]))]
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
    topology: Topology, tree: Sequence[Sequence[Block]], levels: Sequence[Int64Vector], exchange: bool
) -> Iterator[Guess]:
    """Rails of all hosts of the widest blocks, of all blocks in wider ones, or of all hosts: exchanged, or one on."""
    known = bool((topology.endpoint_rail != UNKNOWN).all())
    for number, host in enumerate(tree[0]):
        by_rail: dict[int, list[int]] = defaultdict(list)
        for place, node in enumerate(host.nodes.tolist()):
            by_rail[int(topology.nodes.rail[node]) if known else place].append(node)
        rails = sorted(by_rail)
        rows = [np.array(by_rail[rail], np.int64) for rail in rails]
        if len({row.size for row in rows}) != 1:
            continue
        wider = [int(level[host.first]) for level in levels[1:]]
        for index in range(len(rows) - 1 if exchange else int(len(rows) > 2)):
            moved = rows[index : index + 2] if exchange else rows
            name = rails[index]
            yield _cycle(moved, ((number, name), *((place, name) for place in wider), ("all", name)))
