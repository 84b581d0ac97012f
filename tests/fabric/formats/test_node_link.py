"""Any graph in and out without loss; what is no fabric is refused in one line."""

import gzip
import json

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings

from collectives import InputError
from fabric.builders import build, read_preset
from fabric.formats.node_link import from_networkx, read_node_link, to_networkx, write_node_link
from tests.random_fabrics import fabrics

DESIGN_EXAMPLE = {
    "directed": True,
    "multigraph": True,
    "graph": {"name": "two-level"},
    "nodes": [
        {"id": "h0", "kind": "endpoint", "host": 0, "rail": 0},
        {"id": "leaf0", "kind": "switch", "tier": 1},
        {"id": "h1", "kind": "endpoint"},
    ],
    "edges": [
        {"source": "h0", "target": "leaf0", "key": 0, "capacity_gbps": 400.0},
        {"source": "leaf0", "target": "h0", "key": 0, "capacity_gbps": 400},
        {"source": "leaf0", "target": "h1", "key": 0, "capacity_gbps": 100.0, "tail_port": 2, "head_port": 1},
        {"source": "h1", "target": "leaf0", "key": 7, "capacity_gbps": 50.0, "tail_port": 1, "head_port": 2},
    ],
}


def assert_same(one, two):
    assert (one.name, one.nodes.name) == (two.name, two.nodes.name)
    for column in ("kind", "tier", "host", "rail", "plane", "domain"):
        np.testing.assert_array_equal(getattr(one.nodes, column), getattr(two.nodes, column))
    for column in ("tail", "head", "capacity_gbps", "reverse", "tail_port", "head_port"):
        np.testing.assert_array_equal(getattr(one, f"link_{column}"), getattr(two, f"link_{column}"))
    np.testing.assert_array_equal(one.out_start, two.out_start)


@settings(deadline=None, max_examples=60)
@given(fabrics())
def test_networkx_round_trip(topology):
    graph = to_networkx(topology)
    assert_same(topology, from_networkx(graph))
    document = json.loads(json.dumps(nx.node_link_data(graph, edges="edges")))
    again = nx.node_link_graph(document, edges="edges")
    assert isinstance(again, nx.MultiDiGraph)
    assert_same(topology, from_networkx(again))


@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_files_round_trip_and_networkx_reads_them(tmp_path, suffix):
    for name in ("hgx-b200-64", "gb300-2048"):
        topology = build(read_preset(name))
        path = tmp_path / f"{name}{suffix}"
        write_node_link(topology, path)
        assert_same(topology, read_node_link(path))
        text = gzip.decompress(path.read_bytes()) if suffix.endswith("gz") else path.read_bytes()
        graph = nx.node_link_graph(json.loads(text), edges="edges")
        assert (graph.number_of_nodes(), graph.number_of_edges()) == (topology.n_nodes, topology.n_links)


def read(tmp_path, document):
    path = tmp_path / "f.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return read_node_link(path)


def test_the_documented_form(tmp_path):
    topology = read(tmp_path, DESIGN_EXAMPLE)
    assert topology.name == "two-level"
    assert topology.endpoint_names == ("h0", "h1")
    names = {topology.link_name(link): topology.link_capacity_gbps[link] for link in range(4)}
    assert names["h1 port 1 -> leaf0 port 2"] == 50.0
    assert names["leaf0 port 2 -> h1 port 1"] == 100.0
    assert list(topology.nodes.tier) == [0, 1, 0]


def changed(**changes):
    document = json.loads(json.dumps(DESIGN_EXAMPLE))
    for path, value in changes.items():
        where = document
        *parts, last = [int(part) if part.isdecimal() else part for part in path.split("__")]
        for part in parts:
            where = where[part]
        where[last] = value
    return document


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{\n 1}", "f.json:2: not JSON"),
        ("[" * 100000, "f.json"),
        ([], "expected a node-link document"),
        (changed(directed=False), "tail_port; expected a directed graph"),
        (changed(edges=3), "expected a list `edges`"),
        (changed(nodes__1=5), r"nodes\[1\]: expected an object"),
        (changed(nodes__1__kind="router"), r"nodes\[1\] \(leaf0\): kind 'router'; expected endpoint, switch, nvswitch"),
        (changed(nodes__2__id="h0"), r"nodes\[2\]: id 'h0' is given twice"),
        (changed(nodes__0__rail="x"), r"nodes\[0\] \(h0\): rail 'x'; expected an integer"),
        (changed(nodes__1__tier=0), "node 'leaf0': tier 0; expected >= 1 for a switch"),
        (changed(edges__1__target="h9"), r"edges\[1\]: target 'h9' is not a node"),
        (changed(edges__1__capacity_gbps=float("nan")), r"edges\[1\]: capacity_gbps nan; expected a finite number > 0"),
        (changed(edges__1__capacity_gbps=0), r"edges\[1\]: capacity_gbps 0;"),
        (changed(edges__1__capacity_gbps=None), r"edges\[1\]: capacity_gbps None"),
        (changed(edges__1__key=1), r"edges\[0\]: h0 -> leaf0 has no reverse"),
        (changed(edges__3__tail_port=9), r"edges\[2\]: leaf0 -> h1 has no reverse"),
        (changed(nodes__0__domain=3), "node 'h0': domain 3 but no link to an NVLink switch"),
    ],
)
def test_refuses_in_one_line(tmp_path, document, message):
    with pytest.raises(InputError, match=message) as refusal:
        read(tmp_path, document)
    assert "\n" not in str(refusal.value)


def test_refuses_a_cut_gzip_file_and_a_missing_one(tmp_path):
    path = tmp_path / "f.json.gz"
    path.write_bytes(gzip.compress(json.dumps(DESIGN_EXAMPLE).encode())[:-20])
    with pytest.raises(InputError, match="not a whole gzip file"):
        read_node_link(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_node_link(tmp_path / "none.json")
