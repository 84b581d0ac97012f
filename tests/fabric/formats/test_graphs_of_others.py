"""Graphs as others write them: node-link JSON without railscope's words, SimAI's planes, InfraGraph's older schemas."""

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from collectives import InputError
from fabric.formats.capacities import capacities
from fabric.formats.node_link import node_link_text
from fabric.formats.opening import open_fabric
from fabric.topology import UNKNOWN


def star(capacity=("capacity_gbps", 400.0), graph=None, kinds=True):
    graph = nx.Graph() if graph is None else graph
    for leaf in ("leaf0", "leaf1"):
        graph.add_edge(leaf, "spine", **{capacity[0]: capacity[1]})
        for host in range(2):
            graph.add_edge(f"{leaf}h{host}", leaf, **{capacity[0]: capacity[1]})
    if kinds:
        for node in graph:
            graph.nodes[node]["kind"] = "endpoint" if "h" in node else "switch"
    return graph


def both_ways(graph):
    directed: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    directed.add_nodes_from(graph.nodes(data=True))
    for a, b, attributes in graph.edges(data=True):
        directed.add_edge(a, b, **attributes)
        directed.add_edge(b, a, **attributes)
    return directed


def opened(tmp_path, document):
    path = tmp_path / "g.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return open_fabric(str(path))


PLAIN = nx.node_link_data(both_ways(star()), edges="edges")


@pytest.mark.parametrize("edges", ["edges", "links"])
@pytest.mark.parametrize("kind", [nx.Graph, nx.MultiGraph, nx.DiGraph, nx.MultiDiGraph])
def test_every_kind_of_graph_and_both_names_of_its_edges(tmp_path, edges, kind):
    graph = star(graph=kind() if not kind().is_directed() else nx.Graph())
    if kind().is_directed():
        graph = kind(both_ways(graph))
    document = nx.node_link_data(graph, edges=edges)
    for edge in document[edges]:
        edge.pop("key", None)
    given = opened(tmp_path, document)
    assert node_link_text(given.topology) == node_link_text(opened(tmp_path, PLAIN).topology)
    assert not given.notes


def test_kinds_that_nobody_says(tmp_path):
    given = opened(tmp_path, nx.node_link_data(star(kinds=False), edges="edges"))
    assert given.topology.n_endpoints == 4
    assert given.notes == (
        "nodes have no `kind`: 4 nodes with a single neighbour are endpoints, the other 3 are switches",
    )
    with pytest.raises(InputError, match="kind: not given, and no node has a single neighbour"):
        opened(tmp_path, nx.node_link_data(nx.cycle_graph(4), edges="edges"))


@pytest.mark.parametrize(
    ("name", "value", "gbps", "note"),
    [
        ("capacity", 400, 400, "`capacity`, numbers as Gb/s"),
        ("bandwidth", 400e9, 400, "`bandwidth`, numbers as bit/s"),
        ("bandwidth", "400Gbps", 400, "`bandwidth`"),
        ("speed", "400 Gb/s", 400, "`speed`"),
        ("rate", "50 GB/s", 400, "`rate`"),
        ("link_speed", "400G", 400, "`link_speed`"),
        ("capacity", "100000 Mbit/s", 100, "`capacity`"),
        ("speed", "1.6Tbps", 1600, "`speed`"),
        ("gbps", 200, 200, "`gbps`"),
        ("speed_gbps", "200", 200, "`speed_gbps`"),
    ],
)
def test_capacities_by_other_names_and_units(tmp_path, name, value, gbps, note):
    given = opened(tmp_path, nx.node_link_data(star((name, value)), edges="edges"))
    assert given.topology.link_capacity_gbps == pytest.approx(gbps)
    assert given.notes == (f"capacities are read from {note}",)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "capacity",
            400_000,
            "capacity from 400000 to 400000 without a unit; expected `capacity_gbps`, or texts such as 400Gbps",
        ),
        ("capacity", "400", "expected a number with a unit, such as 400Gbps"),
        ("capacity", "fast", "expected a number with a unit"),
        ("capacity", True, "expected a number > 0"),
        ("capacity", 0, "expected more than 0"),
        ("capacity", 1e308, "expected more than 0, and at most 1e"),
        ("capacity", 10**390, "expected more than 0"),
        ("capacity", 10**400, "expected at most 400 digits"),
        ("weight", 400, r"edges\[0\]: no capacity; expected `capacity_gbps`, or one of gbps"),
        ("capacity_gbps", 1e308, "expected capacity_gbps of at most 1e"),
        ("capacity_gbps", float("inf"), "expected a finite number > 0"),
    ],
)
def test_capacities_that_could_be_anything(tmp_path, name, value, message):
    with pytest.raises(InputError, match=message):
        opened(tmp_path, nx.node_link_data(star((name, value)), edges="edges"))


def test_units_are_those_of_networks():
    assert capacities(["1 kbps", "1Mbps", "1Gbit/s", "1TB/s", "100GbE"], "rate")[0] == pytest.approx(
        [1e-6, 1e-3, 1, 8000, 100]
    )


@pytest.mark.parametrize(
    ("document", "name"),
    [
        (nx.adjacency_data(star()), "adjacency JSON"),
        (nx.cytoscape_data(star()), "Cytoscape JSON"),
        ({"graph": {"nodes": {}, "edges": []}}, "JSON Graph Format"),
        ({"id": 1, "children": []}, "tree JSON"),
        ({"nodes": [], "edges": {}}, "expected a list `edges`"),
        ({"nodes": [], "edges": [], "directed": "yes"}, "directed: 'yes'; expected true or false"),
    ],
)
def test_other_json_of_graphs_is_refused_by_name(tmp_path, document, name):
    with pytest.raises(InputError, match=name):
        opened(tmp_path, document)


def test_ids_may_be_numbers_and_tuples(tmp_path):
    grid = nx.grid_2d_graph(3, 3)
    for node in list(grid):
        grid.add_edge(("host", *node), node)
    for _, _, attributes in grid.edges(data=True):
        attributes["capacity_gbps"] = 100.0
    given = opened(tmp_path, nx.node_link_data(grid, edges="edges"))
    assert given.topology.n_endpoints == 9
    numbered = opened(tmp_path, nx.node_link_data(nx.convert_node_labels_to_integers(grid), edges="edges"))
    assert numbered.topology.n_links == given.topology.n_links


def simai(planes, n_gpus=8, per_host=4, rails_apart=False):
    """Two racks of ToRs for each plane, which spines of the plane join (or none, where rails are apart)."""
    tors = [n_gpus + number for number in range(planes * (per_host if rails_apart else 2))]
    spines = [] if rails_apart else [tors[-1] + 1 + plane for plane in range(planes)]
    cables = []
    for gpu in range(n_gpus):
        for plane in range(planes):
            own = plane * per_host + gpu % per_host if rails_apart else plane * 2 + gpu // per_host
            cables.append((gpu, tors[own]))
    for plane, spine in enumerate(spines):
        cables += [(tor, spine) for tor in tors[2 * plane : 2 * plane + 2]]
    switches = tors + spines
    rows = [f"{n_gpus + len(switches)} {per_host} 0 {len(switches)} {len(cables)} H100", " ".join(map(str, switches))]
    return "\n".join([*rows, *(f"{a} {b} 200Gbps 0.0005ms 0" for a, b in cables)]) + "\n"


@pytest.mark.parametrize("planes", [1, 2, 4])
def test_separate_networks_of_simai_that_every_gpu_is_on_are_planes(tmp_path, planes):
    path = tmp_path / "topology"
    path.write_text(simai(planes))
    fabric = open_fabric(str(path)).topology
    found = np.unique(fabric.nodes.plane[fabric.nodes.kind == 1])
    assert found.tolist() == (list(range(planes)) if planes > 1 else [UNKNOWN])
    path.write_text(simai(1, rails_apart=True))
    apart = open_fabric(str(path)).topology
    assert set(apart.nodes.plane) == {UNKNOWN}, "rails that nothing joins are no planes"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("11 4 0 3 10", "999999999 4 0 3 10", r"numbers of switches; expected|nodes, but"),
        ("11 4 0 3 10", "1000000000000 4 0 3 10", "expected 'nodes gpus_per_server"),
        ("11 4 0 3 10", "1_1 4 0 3 10", "unknown kind of file|expected 'nodes gpus_per_server"),
        ("0 8 200Gbps", "0 ٨ 200Gbps", "expected 'src dst bandwidth"),
        ("200Gbps", "39.620.02Gbps", "bandwidth '39.620.02'; expected a number such as 400Gbps"),
    ],
)
def test_simai_that_cannot_be_built(tmp_path, old, new, message):
    path = tmp_path / "topology"
    assert old in simai(1)
    path.write_text(simai(1).replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        open_fabric(str(path))


def test_more_nodes_than_cables_can_reach(tmp_path):
    path = tmp_path / "topology"
    path.write_text("900000002 8 0 2 2 H100\n900000000 900000001\n0 900000000 1Gbps 0ms 0\n1 900000001 1Gbps 0ms 0\n")
    with pytest.raises(InputError, match=r"900,000,002 nodes, but 2 cables reach 4 at most"):
        open_fabric(str(path))


OLD_INFRAGRAPH = """
devices:
  - name: server
    components:
      - name: xpu
        type: xpu
        count: 8
    links:
      - name: pcie
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OLD_INFRAGRAPH, "an InfraGraph schema before version 3 .* expected version 3"),
        ("infrastructure:\n" + OLD_INFRAGRAPH.replace("\n", "\n  "), "an InfraGraph schema before version 3"),
        (OLD_INFRAGRAPH.replace("devices:", "device:"), "an InfraGraph schema before version 3|unknown kind of file"),
        (OLD_INFRAGRAPH.replace("type: xpu", "choice: xpu").replace("8", "1000000000000000000"), "count or index of '1000000000000000000'"),
        ("name: x\ninstances: []\ndevices: []\nedges:\n  - ep1: {instance: 'a[0:99999999999]', component: 'b[0]'}\n    choice: x\n", "count or index of"),
        ("devices: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b]\n"
         "d: &d [*c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e]\n"
         "g: &g [*f, *f, *f, *f, *f, *f, *f, *f]\nh: [*g, *g, *g, *g, *g, *g, *g, *g]\nchoice: x\n", "aliases that expand to more than"),
        ("devices: " + "[" * 5000, "not YAML|no InfraGraph"),
    ],
)  # fmt: skip
def test_infragraph_that_is_not_read_is_refused_at_once(tmp_path, text, message):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        open_fabric(str(path))


def test_published_files_of_older_schemas_are_told_by_their_schema():
    from tests.shared_data import shared

    folder = Path(shared("topologies/infragraph"))
    for name in (
        "cx5.yaml",
        "dgxa100.yaml",
        "scaleup-scaleout.yaml",
        "symmetric-device.yaml",
        "two-tier-clos-fabric-server.yaml",
    ):
        with pytest.raises(InputError, match="an InfraGraph schema before version 3"):
            open_fabric(str(folder / name))
