"""What a topology refuses, what it infers, and how it lays links out."""

import re

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import InputError
from fabric.topology import DOWN, ENDPOINT, NVSWITCH, PEER, SWITCH, UNKNOWN, UP, Cables, Nodes, Topology
from tests.random_fabrics import fabrics, topology_of

H, S, N = ENDPOINT, SWITCH, NVSWITCH


def nodes_of(names, kinds, **columns):
    unknown = np.full(len(names), UNKNOWN, np.int32)
    columns = {key: np.array(value, np.int32) for key, value in columns.items()}
    rest = {key: columns.get(key, unknown) for key in ("tier", "host", "rail", "plane", "domain")}
    return Nodes(tuple(names), np.array(kinds, np.int8), **rest)


def cables_of(*rows):
    a, b, ab, ba = (list(column) for column in zip(*rows, strict=True))
    port = np.full(len(rows), UNKNOWN, np.int32)
    return Cables(np.array(a, np.int32), np.array(b, np.int32), port, port, np.array(ab, float), np.array(ba, float))


@pytest.mark.parametrize(
    ("nodes", "cables", "message"),
    [
        (nodes_of("aa", [H, S]), cables_of((0, 1, 1, 1)), "node 'a': the name is given twice"),
        (nodes_of(["a", ""], [H, S]), cables_of((0, 1, 1, 1)), "a node has no name"),
        (nodes_of("ab", [H, 7]), cables_of((0, 1, 1, 1)), "node 'b': expected kind endpoint, switch, nvswitch"),
        (nodes_of("ab", [H, S], tier=[1, 1]), cables_of((0, 1, 1, 1)), "node 'a': tier 1; expected 0"),
        (nodes_of("ab", [H, S], tier=[0, 0]), cables_of((0, 1, 1, 1)), "node 'b': tier 0; expected >= 1"),
        (nodes_of("ab", [H, S]), cables_of((0, 2, 1, 1)), "cable 0: node 2 does not exist; expected 0 to 1"),
        (nodes_of("ab", [H, S]), cables_of((1, 1, 1, 1)), "cable b - b: expected two different nodes"),
        (nodes_of("ab", [H, H]), cables_of((0, 1, 1, 1)), "cable a - b: joins two endpoints"),
        (nodes_of("ab", [H, H], domain=[0, 1]), cables_of((0, 1, 1, 1)), "or two endpoints of one domain"),
        (
            nodes_of("abn", [H, H, N], domain=[0, 0, 0]),
            cables_of((0, 2, 1, 1), (0, 1, 1, 1)),
            "cable a - b: is a direct link in a domain with an NVLink switch",
        ),
        (
            nodes_of("abcd", [H] * 4, domain=[0] * 4),
            cables_of((0, 1, 1, 1), (2, 3, 1, 1)),
            "node 'a': domain 0; expected one domain, and another one for each set of endpoints",
        ),
        (nodes_of("ab", [N, S]), cables_of((0, 1, 1, 1)), "joins an NVLink switch and a switch"),
        (nodes_of("ab", [H, S]), cables_of((0, 1, 1, 0)), "cable a - b: expected capacity_gbps > 0 and finite"),
        (nodes_of("ab", [H, S]), cables_of((0, 1, np.nan, 1)), "cable a - b: expected capacity_gbps > 0 and finite"),
        (
            nodes_of("ab", [H, S], domain=[3, -1]),
            cables_of((0, 1, 1, 1)),
            "node 'a': domain 3 but no link to an NVLink",
        ),
        (
            nodes_of("abn", [H, H, N], domain=[1, 2, -1]),
            cables_of((0, 2, 1, 1), (1, 2, 1, 1)),
            "expected one domain",
        ),
    ],
)
def test_refuses(nodes, cables, message):
    with pytest.raises(InputError, match=re.escape(message)) as refused:
        Topology.from_cables("t", nodes, cables)
    assert "\n" not in str(refused.value)


def test_tiers_directions_and_domains_are_inferred():
    # Two hosts on two leaves, a spine, a peer cable between the leaves, one NVLink switch.
    fabric = topology_of(
        [H, H, S, S, S, N],
        [(0, 2, 1, 1), (1, 3, 1, 1), (2, 4, 1, 1), (3, 4, 1, 1), (2, 3, 1, 1), (0, 5, 1, 1), (1, 5, 1, 1)],
    )
    assert fabric.nodes.tier.tolist() == [0, 0, 1, 1, 2, 1]
    assert fabric.nodes.domain.tolist() == [0, 0, -1, -1, -1, 0]
    direction = {
        (int(t), int(h)): int(d)
        for t, h, d in zip(fabric.link_tail, fabric.link_head, fabric.link_direction, strict=True)
    }
    assert (direction[0, 2], direction[2, 4], direction[4, 3], direction[2, 3]) == (UP, UP, DOWN, PEER)


@settings(max_examples=100, deadline=None)
@given(fabrics())
def test_links_are_laid_out_as_documented(fabric):
    assert (np.diff(fabric.link_tail) >= 0).all()
    for node in range(fabric.n_nodes):
        own = slice(fabric.out_start[node], fabric.out_start[node + 1])
        assert (fabric.link_tail[own] == node).all()
    back = fabric.link_reverse
    assert (fabric.link_tail[back] == fabric.link_head).all()
    assert (back[back] == np.arange(fabric.n_links)).all()
    assert (fabric.link_tail_port[back] == fabric.link_head_port).all()
    assert (fabric.link_cable_index[back] == fabric.link_cable_index).all()


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_the_order_of_cables_does_not_matter(data):
    rows = [(0, 2, 100.0, 200.0), (1, 2, 100.0, 100.0), (0, 3, 50.0, 50.0), (2, 3, 400.0, 400.0), (2, 3, 100.0, 50.0)]
    order = data.draw(st.permutations(range(len(rows))))
    flip = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    a, b, ab, ba = (np.array(column) for column in zip(*rows, strict=True))
    a_port, b_port = np.array([1, 1, 2, 3, 4]), np.array([1, 2, 1, 2, 3])

    def fabric(order, flip):
        columns = np.stack([a, b, a_port, b_port, ab, ba])[:, order].T
        turned = np.array([row[[1, 0, 3, 2, 5, 4]] if f else row for row, f in zip(columns, flip, strict=True)]).T
        ends = (column.astype(np.int32) for column in turned[:4])
        cables = Cables(next(ends), next(ends), next(ends), next(ends), turned[4], turned[5])
        return Topology.from_cables("t", nodes_of("hgst", [H, H, S, S]), cables)

    one, two = fabric(range(5), [False] * 5), fabric(order, flip)
    for column in ("link_tail", "link_head", "link_tail_port", "link_head_port", "link_capacity_gbps", "link_reverse"):
        assert getattr(one, column).tolist() == getattr(two, column).tolist()
