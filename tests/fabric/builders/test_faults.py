"""Faults: what they name, and what is left of a fabric."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import railscope as rs
from collectives.errors import InputError
from fabric.builders.faults import Fault, damaged, fault_links, link_cuts, with_capacity_left
from fabric.formats.faults_toml import read_faults
from fabric.topology import UNKNOWN
from tests.random_fabrics import fabrics

OPENED = {"hgx": rs.open_fabric("hgx-b200-64"), "gb300": rs.open_fabric("gb300-2048")}
HGX, GB300 = (one.topology for one in OPENED.values())
HOSTS = {one.topology.name: one.host_names() for one in OPENED.values()}


@settings(deadline=None)
@given(fabrics(), st.data())
def test_what_is_left_is_the_rest_in_order(topology, data):
    """Nodes, ports and capacities of every link that is left; both directions of a cable go together."""
    left = np.array([data.draw(st.sampled_from([0.0, 0.5, 1.0])) for _ in range(topology.n_links)])
    # Domains are made of scale-up links, and stay.
    left[topology.link_kind == 2] = 1.0
    damage = with_capacity_left(topology, left)
    gone = (left == 0) | (left[topology.link_reverse] == 0)
    np.testing.assert_array_equal(damage.new_link == UNKNOWN, gone)
    old, new = np.flatnonzero(~gone), damage.new_link[~gone]
    np.testing.assert_array_equal(new, np.arange(damage.topology.n_links))
    for column in ("link_tail", "link_head", "link_tail_port", "link_head_port"):
        np.testing.assert_array_equal(getattr(damage.topology, column)[new], getattr(topology, column)[old])
    np.testing.assert_allclose(damage.topology.link_capacity_gbps[new], (topology.link_capacity_gbps * left)[old])
    np.testing.assert_array_equal(damage.new_link[topology.link_reverse[old]], damage.topology.link_reverse[new])
    assert damage.down == np.count_nonzero(gone) // 2


@pytest.mark.parametrize(
    ("text", "topology", "cables"),
    [
        ("r0-l00 port 33 -> s00 port 1", HGX, 1),
        ("s00 port 1 -> r0-l00 port 33", HGX, 1),
        ("r0-l00 -> s00", HGX, 8),
        ("r?-l00 -> s0[01]", HGX, 8 * 16),
        ("leaf r0-* -> spine s*", HGX, 32),
        ("s03", HGX, 64),
        ("spine:s*", HGX, 256),
        ("leaf:r0-l00", HGX, 8 + 32),
        ("nic:h0003g1", HGX, 1),
        ("h0003g1", HGX, 2),
        ("host:h0003", HGX, 8),
        ("plane:1", GB300, (41472 // 2 - 2304) // 4),
        ("r0-l00 port 33", HGX, 1),
        ("port:r?-l00 port 33", HGX, 8),
        ("port:h0003g1 port 1", HGX, 1),
    ],
)
def test_names(text, topology, cables):
    fault = Fault.parsed(text)
    links = fault_links(topology, fault, HOSTS[topology.name])
    found = np.unique(np.minimum(links, topology.link_reverse[links])).size
    assert found == (1 if text == "h0003g1" else cables)
    if "->" not in text and ":" in text:
        assert str(fault) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("spine:s99", "fault 'spine:s99': matches no cable of hgx-b200-64; expected one of s00, s01, s02, s03"),
        ("host:h9999", "; expected one of h0000, h0001"),
        ("h0003", "fault 'h0003': matches no cable of hgx-b200-64; did you mean the host: 'host:h0003'?"),
        ("switch:s0x", "fault 's0x': matches no cable of hgx-b200-64"),
        ("plane:7", "matches no cable of hgx-b200-64"),
        ("r0-l00 -> r1-l00", "expected 'NAME -> NAME' of two nodes that a cable joins"),
        ("r0-l00 ->", "expected two ends, such as"),
        ("r0-l00 -> s00 -> s01", "expected two ends, such as"),
        ("port:r0-l00", "expected a node and its port, such as 'leaf1 port 3'"),
        ("r0-l00 port 999", "expected 'NAME port N' of a node that has a cable there"),
        (" ", "expected a name"),
    ],
)
def test_what_matches_nothing_is_one_line(text, said):
    with pytest.raises(InputError) as refused:
        fault_links(HGX, Fault.parsed(text), HOSTS[HGX.name])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["s00", "s00=", "s00=2", "s00=-1", "s00=nan", "=0.5", "s00=half", "s00=150%"])
def test_what_is_no_part_is_refused(text):
    with pytest.raises(InputError, match=r"\Afault ") as refused:
        Fault.degraded(text)
    assert "\n" not in str(refused.value)


def test_parts():
    assert Fault.degraded("s00=0.25") == Fault.degraded("switch:s00=25%") == Fault("switch", "s00", 0.25)
    both = damaged(HGX, [Fault.parsed("s00", 0.5), Fault.parsed("r0-l00 -> s00", 0.25)])
    links = fault_links(HGX, Fault.parsed("r0-l00 -> s00"))
    assert set(both.topology.link_capacity_gbps[both.new_link[links]] / HGX.link_capacity_gbps[links]) == {0.25}
    assert (both.down, both.slow) == (0, 64)


def test_a_file(tmp_path):
    path = tmp_path / "faults.toml"
    path.write_text('[[fault]]\nlink = "leaf r2-* -> spine *03"\ncapacity = 0.5\n[[fault]]\nplane = 1\n')
    assert read_faults(path) == (Fault("link", "leaf r2-* -> spine *03", 0.5), Fault("plane", "1"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected tables [[fault]] and nothing else"),
        ("fault = 3", "expected tables [[fault]] and nothing else"),
        ('[[fault]]\nlinks = "a"', "fault[0].links: unknown key; did you mean link?"),
        ('[[fault]]\nlink = "a"\nhost = "b"', "fault[0]: expected one of link"),
        ("[[fault]]\nhost = 3", "fault[0].host: expected a name in quotes"),
        ('[[fault]]\nhost = "h"\ncapacity = 2', "fault[0].capacity "),
        ('[[fault]]\nhost = "h"\ncapacity = nan', "fault[0].capacity "),
    ],
)
def test_odd_files_are_refused_in_one_line(tmp_path, text, said):
    path = tmp_path / "faults.toml"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        read_faults(path)
    assert str(refused.value).startswith(str(path))
    assert said in str(refused.value)


@pytest.mark.parametrize(("text", "ends"), [
    ("rack--1 port 3 -> rack--2", [("rack--1 port 3", "rack--2")]),
    ("a -- b", [("a", "b")]),
    ("a<->b", [("a", "b")]),
    ("row->1 -> b", [("row", "1 -> b"), ("row->1", "b")]),
    ("rack--1", []),
])  # fmt: skip
def test_dashes_in_names_join_nothing(text, ends):
    assert link_cuts(text) == ends
    assert Fault.parsed(text).kind == ("link" if ends else "switch")


def test_a_host_has_the_name_that_a_placement_takes():
    """Of a dump or plan as it was read, not what its endpoints' names begin with: gpu01 rail0, gpu01 rail1."""
    pod = rs.open_fabric("tests/data/ethernet/pod.dot")
    whole = pod.topology
    slow = pod.with_faults([Fault.degraded("host:gpu03=0.5")]).topology
    changed = np.flatnonzero(slow.link_capacity_gbps < whole.link_capacity_gbps)
    ends = {whole.nodes.name[node] for link in changed for node in (whole.link_tail[link], whole.link_head[link])}
    hosts = {
        whole.nodes.name[node]: name for node, name in zip(whole.endpoints.tolist(), pod.host_names(), strict=True)
    }
    assert {hosts[end] for end in ends if end in hosts} == {"gpu03"}
    assert changed.size == np.count_nonzero([name == "gpu03" for name in pod.host_names()]) * 2 * 2
    scenario = rs.Scenario.of(pod, rs.Collective("all-to-all"))
    found = rs.explain(scenario, 0)
    assert {one.name for one in (*found.by_source_host, *found.by_destination_host)} <= set(pod.host_names())
    rows = rs.study_faults(scenario, ("host",)).rows
    assert {row.broken.fault.pattern for row in rows} == set(pod.host_names())


def test_a_host_is_the_whole_host_where_its_gpus_have_names_alone(tmp_path):
    """SimAI numbers GPUs, and says how many are on a host: a placement takes gpu1 for it, and so does a fault."""
    four, switch = "".join(f"{gpu} 4 400Gbps 1ms 0\n" for gpu in range(4)), "4\n"
    (tmp_path / "four").write_text(f"5 2 0 1 4 H100\n{switch}{four}")
    opened = rs.open_fabric(tmp_path / "four")
    slow = opened.with_faults([Fault.degraded("host:gpu1=0.5")]).topology
    assert sorted(slow.link_capacity_gbps.tolist()) == [200.0] * 4 + [400.0] * 4
    scenario = rs.Scenario.of(opened, rs.Collective("all-to-all"))
    rows = rs.study_faults(scenario, ("host",)).rows
    assert sorted(row.broken.fault.pattern for row in rows) == ["gpu0", "gpu2"]
    assert {row.slowdown for row in rows} == {2.0}


def strange():
    """Nodes whose names hold what patterns and links are written with."""
    graph: nx.Graph = nx.Graph(name="strange")
    for end, leaf in (("h0", "row->1"), ("h1", "row->1"), ("h2", "rack*"), ("h3", "rack*"), ("h4", "leaf:01")):
        graph.add_edge(end, leaf, capacity_gbps=400.0)
    for leaf in ("row->1", "rack*", "leaf:01", "rack[2]", "it's"):
        graph.add_edge(leaf, "spine = 1", capacity_gbps=400.0)
        graph.add_edge(leaf, "b -- c", capacity_gbps=400.0)
    for node in graph:
        graph.nodes[node]["kind"] = "endpoint" if node.startswith("h") else "switch"
    return rs.from_networkx(graph)


@pytest.mark.parametrize(
    ("text", "cables"),
    [
        ("row->1", 4),
        ("switch:row->1", 4),
        ("row->1 -> b -- c", 1),
        ("b -- c -> row->1", 1),
        ("h0 -> row->1", 1),
        ("rack*", 4),
        ("rack* -> *", 4),
        ("rack[2] -> b -- c", 1),
        ("rack? -> *", 4),
        ("switch:leaf:01", 3),
        ("it's", 2),
        ("it's -> *", 2),
        ("* -> spine = 1", 5),
    ],
)
def test_names_that_look_like_patterns_or_links(text, cables):
    topology = strange()
    links = fault_links(topology, Fault.parsed(text))
    assert np.unique(np.minimum(links, topology.link_reverse[links])).size == cables
    assert fault_links(topology, Fault.degraded(f"{text}=0.5")).size == links.size


def test_every_cable_of_them_has_a_name_that_means_it():
    topology = strange()
    for link in range(topology.n_links):
        name = topology.link_name(link)
        (found,) = set(map(int, fault_links(topology, Fault.parsed(name))))
        assert set(map(int, fault_links(topology, Fault.parsed(str(Fault("link", name)))))) == {found}
        assert link in (found, topology.link_reverse[found])
        assert rs.find_link(topology, topology.link_name(link)) == link


def test_of_several_faults_on_a_cable_the_worst_counts_whenever_they_are_named():
    hgx = OPENED["hgx"]
    faults = [
        Fault("host", "h0003", 0.5),
        Fault("leaf", "r0-l00", 0.25),
        Fault.parsed("spine:s01"),
        Fault.parsed("s01"),
    ]
    together = hgx.with_faults(faults)
    after = hgx
    for fault in faults:
        after = after.with_faults([fault])
    assert after.faults == together.faults == tuple(faults)
    assert after.notes == together.notes
    for column in ("link_tail", "link_head", "link_capacity_gbps"):
        np.testing.assert_array_equal(getattr(after.topology, column), getattr(together.topology, column))
    assert after.whole is hgx
    # Numbers of links lead from what a fabric has to what more faults leave.
    more = Fault.parsed("spine:s02")
    damage = together.damaged([more])
    assert damage.new_link.size == together.topology.n_links
    kept = np.flatnonzero(damage.new_link != UNKNOWN)
    names = [together.topology.link_name(link) for link in kept.tolist()]
    assert names == [damage.topology.link_name(int(link)) for link in damage.new_link[kept]]
    np.testing.assert_array_equal(
        damage.topology.link_capacity_gbps, together.with_faults([more]).topology.link_capacity_gbps
    )
