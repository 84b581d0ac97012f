"""Any networkx graph as a fabric: directed or not, kinds given or guessed, capacity by name or for all."""

import itertools
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import railscope as rs
from collectives import InputError
from fabric.topology import ENDPOINT
from tests.random_fabrics import fabrics


def with_endpoints(switches, per_switch=2):
    """The graph with endpoints cabled to each of its nodes."""
    graph: nx.Graph[Any] = nx.Graph(switches)
    for switch in list(switches):
        graph.add_edges_from((switch, ("gpu", switch, number)) for number in range(per_switch))
    return graph


def dragonfly(groups=5, routers=4):
    """Full mesh in each group, and one cable between each two groups."""
    graph: nx.Graph[Any] = nx.Graph()
    for group in range(groups):
        graph.add_edges_from(((group, a), (group, b)) for a, b in itertools.combinations(range(routers), 2))
    for one, other in itertools.combinations(range(groups), 2):
        graph.add_edge((one, (other - one - 1) % routers), (other, (one - other - 1) % routers))
    return graph


GRAPHS = {
    "jellyfish": nx.random_regular_graph(4, 20, seed=1),
    "torus": nx.grid_2d_graph(4, 5, periodic=True),
    "dragonfly": dragonfly(),
    "hypercube": nx.hypercube_graph(4),
}


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("form", [nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph])
def test_networkx_generators(name, form):
    switches = GRAPHS[name]
    graph = form(with_endpoints(switches))
    fabric = rs.from_networkx(graph, name, capacity=200)
    assert fabric.name == name
    assert fabric.n_endpoints == 2 * len(switches)
    assert fabric.n_links == 2 * with_endpoints(switches).number_of_edges()
    assert set(fabric.link_capacity_gbps) == {200.0}
    assert set(fabric.nodes.name) == set(map(str, graph))
    cables = {
        frozenset((fabric.nodes.name[a], fabric.nodes.name[b]))
        for a, b in zip(fabric.link_tail, fabric.link_head, strict=True)
    }
    assert cables == {frozenset((str(a), str(b))) for a, b in graph.edges()}
    # Every byte of an all-to-all arrives: loads into endpoints are what they receive.
    n = fabric.n_endpoints
    job = rs.AllToAll(rs.Groups.consecutive(n, n), np.ones(n), np.ones(n))
    loads = rs.link_loads(fabric, job, rs.packed(fabric))
    down = fabric.nodes.kind[fabric.link_head] == ENDPOINT
    np.testing.assert_allclose(loads.bytes[down], n - 1)


def test_a_jellyfish_is_the_same_graph_both_ways():
    fabric = rs.from_networkx(with_endpoints(GRAPHS["jellyfish"]), capacity=400.0)
    again = rs.from_networkx(rs.to_networkx(fabric))
    for column in ("link_tail", "link_head", "link_capacity_gbps", "link_reverse"):
        np.testing.assert_array_equal(getattr(fabric, column), getattr(again, column))


@settings(deadline=None, max_examples=40)
@given(fabrics(nvlink=False), st.data())
def test_an_undirected_multigraph_is_its_cables(fabric, data):
    """Capacities of both directions are one number there; kinds come by attribute, mapping or function."""
    one = np.flatnonzero(np.arange(fabric.n_links) < fabric.link_reverse)
    graph: nx.MultiGraph[Any] = nx.MultiGraph()
    kinds = {
        name: "endpoint" if kind == ENDPOINT else "switch"
        for name, kind in zip(fabric.nodes.name, fabric.nodes.kind, strict=True)
    }
    graph.add_nodes_from((name, {"role": kind}) for name, kind in kinds.items())
    for link in one:
        ends = [fabric.nodes.name[fabric.link_tail[link]], fabric.nodes.name[fabric.link_head[link]]]
        graph.add_edge(*ends, weight=fabric.link_capacity_gbps[link])
    kind = data.draw(st.sampled_from(["role", kinds, kinds.get]))
    again = rs.from_networkx(graph, kind=kind, capacity="weight")

    def rows(topology, links):
        return sorted(
            (
                topology.nodes.name[topology.link_tail[link]],
                topology.nodes.name[topology.link_head[link]],
                topology.link_capacity_gbps[link],
            )
            for link in links
        )

    both = rows(fabric, one) + [(b, a, gbps) for a, b, gbps in rows(fabric, one)]
    assert rows(again, range(again.n_links)) == sorted(both)
    np.testing.assert_array_equal(again.nodes.kind, fabric.nodes.kind)


def test_numbers_of_numpy_are_numbers():
    graph: nx.Graph[Any] = nx.Graph()
    graph.add_node("h", kind="endpoint", host=np.int64(3), rail=np.int32(1))
    graph.add_node("s", kind="switch", tier=np.int8(1))
    graph.add_edge("h", "s", capacity_gbps=np.int64(400))
    fabric = rs.from_networkx(graph)
    assert (fabric.endpoint_host[0], fabric.endpoint_rail[0], fabric.link_capacity_gbps[0]) == (3, 1, 400.0)


def changed(change, form=nx.Graph):
    graph = form(with_endpoints(nx.path_graph(3), 1))
    change(graph)
    return graph


@pytest.mark.parametrize(
    ("graph", "options", "message"),
    [
        (
            GRAPHS["torus"],
            {},
            "^kind: not given, and no node has a single neighbour, which would make it an endpoint; exp",
        ),
        (nx.path_graph(2), {}, "^kind: not given, and 0 and 1 have no neighbour but each other"),
        (
            changed(lambda g: None),
            {"kind": "role"},
            r"nodes\[0\] \(0\): role None; expected endpoint, switch, nvswitch",
        ),
        (changed(lambda g: g.nodes[1].update(kind="hub")), {}, r"nodes\[0\] \(0\): kind None; expected endpoint"),
        (changed(lambda g: None), {"kind": {0: "switch"}}, r"nodes\[1\] \(1\): kind None; expected endpoint"),
        (changed(lambda g: None), {"kind": lambda node: "router"}, r"nodes\[0\] \(0\): kind 'router'"),
        (
            changed(lambda g: None),
            {"capacity": "capacity_gbps"},
            r"edges\[0\]: capacity_gbps None; expected a finite n",
        ),
        (
            changed(lambda g: g.edges[0, 1].update(speed="fast")),
            {"capacity": "speed"},
            r"edges\[0\]: speed 'fast'; expec",
        ),
        (changed(lambda g: None), {"capacity": 0.0}, "^capacity 0.0; expected a finite number > 0"),
        (changed(lambda g: None), {"capacity": float("inf")}, "^capacity inf; expected a finite number > 0"),
        (changed(lambda g: None), {"capacity": True}, "^capacity True; expected"),
        (changed(lambda g: g.edges[0, 1].update(tail_port=3)), {}, r"edges\[0\]: tail_port; expected a directed graph"),
        (changed(lambda g: g.nodes[0].update(host="x")), {}, r"nodes\[0\] \(0\): host 'x'; expected an integer"),
        (changed(lambda g: g.add_edge("1", 0)), {}, "node '1': the name is given twice; expected unique names"),
        (changed(lambda g: g.remove_edge(0, 1), nx.DiGraph), {}, r"edges\[\d+\]: 1 -> 0 has no reverse"),
        (changed(lambda g: g.add_edge(1, 1)), {}, "cable 1 - 1: expected two different nodes"),
    ],
)
def test_what_is_no_fabric_is_refused_in_one_line(graph, options, message):
    with pytest.raises(InputError, match=message) as refused:
        rs.from_networkx(graph, **{"capacity": 400.0} | options)
    assert "\n" not in str(refused.value)
