"""What breaks hurt: closed forms, published figures, and every row against its own command."""

import itertools
import json
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings

import railscope as rs
from collectives.errors import InputError
from fabric.builders.faults import Fault, with_capacity_left
from fabric.studies.breakable import breakable
from fabric.studies.cut_off import disconnected_pairs
from fabric.studies.fault_runs import fault_run
from fabric.studies.faults import FaultRow, Sampled, most_runs, study_faults
from fabric.studies.link_names import find_link
from fabric.studies.verdicts.faults import faults_verdict
from fabric.topology import ENDPOINT, ISL, NVLINK, UNKNOWN
from tests.fabric.commands.test_cli import railscope
from tests.random_fabrics import fabrics

ALL_TO_ALL = rs.Collective("all-to-all", size=1e9)
DUMP = "tests/data/infiniband/hurt512-updn"


def time_of(fabric, *faults, traffic=ALL_TO_ALL, **options):
    return rs.analyse(rs.Scenario.of(fabric, traffic, faults=faults, **options)).time_s


@settings(deadline=None, max_examples=60)
@given(fabrics())
def test_cut_pairs_are_those_of_networkx(topology):
    """A way through switches for each ordered pair that no scale-up domain joins; never through an endpoint."""
    graph: nx.Graph = nx.Graph()
    network = topology.link_kind != NVLINK
    rows = list(zip(topology.link_tail[network].tolist(), topology.link_head[network].tolist(), strict=True))
    # Every second cable between switches is gone, so that some fabrics fall apart.
    kept = [row for row in rows if ENDPOINT in topology.nodes.kind[list(row)] or sum(row) % 2]
    left = np.ones(topology.n_links)
    left[[link for link, row in zip(np.flatnonzero(network), rows, strict=True) if row not in kept]] = 0
    broken = with_capacity_left(topology, left).topology
    graph.add_nodes_from(range(topology.n_nodes))
    graph.add_edges_from(kept)
    ends, domain = topology.endpoints.tolist(), topology.endpoint_domain
    cut = 0
    for i, j in itertools.permutations(range(len(ends)), 2):
        if domain[i] != UNKNOWN and domain[i] == domain[j]:
            continue
        others = [end for end in ends if end not in (ends[i], ends[j])]
        without = graph.subgraph(set(graph) - set(others))
        cut += not nx.has_path(without, ends[i], ends[j])
    assert disconnected_pairs(broken, np.arange(topology.n_endpoints)) == cut


def test_planes_and_rails_by_closed_forms():
    whole = time_of("gb300-2048")
    # One of four planes: three quarters of the rate (published: 75 %).
    assert time_of("gb300-2048", "plane:2") == pytest.approx(4 / 3 * whole)
    # A rail at half its speed slows a ring over all rails to half; the others wait for it.
    ring = rs.Collective("all-reduce", size=1e9, algorithm="rings")
    slow = Fault("nic", "h*g3", 0.5)
    assert time_of("hgx-b200-64", slow, traffic=ring) == pytest.approx(2 * time_of("hgx-b200-64", traffic=ring))
    # A slow host slows an exchange with it as much as itself.
    assert time_of("hgx-b200-64", Fault("host", "h0003", 0.25)) == pytest.approx(4 * time_of("hgx-b200-64"))


def test_a_plane_that_is_slow_further_on_gets_less_where_one_destination_sees_it(tmp_path):
    """Published (arXiv 2605.21187): two leaf uplinks at a quarter, 93.7 GB/s with a context for each plane, 47.3 without.

    One flow, whose ways in one of two planes are a quarter as fast as its ports: it keeps (1 + 1/4) / 2 of its rate if
    the NIC shares out by what leads on, 1/4 if it sends both planes as much.
    """
    (tmp_path / "small.toml").write_text(SMALL)
    (tmp_path / "flow.csv").write_text("src,dst,bytes\nh0000g0,h0007g0,1GB\n")
    traffic, slow = rs.DemandFile(tmp_path / "flow.csv"), Fault.parsed("p0-r0-l00 -> p0-s*", 0.25 / 4)
    for routing, left in ((rs.Adaptive(), (1 + 0.25) / 2), (rs.Ecmp(queue_pairs=10_000), 0.25)):
        whole, now = (
            time_of(tmp_path / "small.toml", *faults, traffic=traffic, routing=routing) for faults in ((), (slow,))
        )
        assert whole / now == pytest.approx(left, rel=0.05)


def test_ports_are_shared_out_as_if_nobody_else_were_there(tmp_path):
    """A leaf whose uplinks in one of P planes run at half: half the rate, where NICs that shift would keep (P - 1/2) / P.

    What is modelled is NICs that keep planes even (MRC); docs/decisions.md says why.
    """
    (tmp_path / "small.toml").write_text(SMALL)
    slow = Fault.parsed("p0-r0-l00 -> p0-s*", 0.5)
    scenario = rs.Scenario.of(tmp_path / "small.toml", ALL_TO_ALL, faults=[slow])
    loads, topology = rs.analyse(scenario).loads.total, scenario.topology
    out = [
        loads.bytes[(topology.link_tail == topology.nodes.name.index(leaf)) & (topology.link_kind == ISL)].sum()
        for leaf in ("p0-r0-l00", "p1-r0-l00")
    ]
    assert out[0] == pytest.approx(out[1])
    busiest = topology.link_name(loads.bottleneck_link)
    assert busiest.startswith("p0-r0-l00") or busiest.endswith(tuple(f"p0-r0-l00 port {port}" for port in range(9)))


def test_a_tenth_of_the_cables_costs_a_tenth():
    """Published (arXiv 2605.21187): with 10 % of links removed the slowest of 64 nodes gets 377.80 -> 335.31 Gb/s."""
    fabric = rs.open_fabric("examples/tight-64.toml")
    topology = fabric.topology
    cables = np.flatnonzero((topology.link_kind == 1) & (topology.link_direction == 0))
    whole = time_of(fabric)
    rates = []
    for seed in range(8):
        # Of each leaf's cables a tenth at least: 8 leaves of 8 cables, one gone each.
        draw = np.random.default_rng(seed)
        gone = [
            draw.choice(cables[topology.link_tail[cables] == leaf]) for leaf in np.unique(topology.link_tail[cables])
        ]
        rates.append(whole / time_of(fabric, *(topology.link_name(int(link)) for link in gone)))
    # An eighth of each leaf's cables: 87.5 % is left at best, where spines lose alike.
    assert max(rates) <= 0.875 + 1e-9
    assert np.median(rates) > 0.75


@pytest.fixture(scope="module")
def hgx():
    return rs.Scenario.of("hgx-b200-64", ALL_TO_ALL)


def test_each_row_is_what_its_option_gives(hgx):
    found = study_faults(hgx, ("cable", "nic", "spine", "leaf", "host"))
    assert [row.broken.kind for row in found.rows[:8]] == ["leaf"] * 8
    kinds: dict[str, list[FaultRow]] = {}
    for row in found.rows:
        kinds.setdefault(row.broken.kind, []).append(row)
    assert {kind: len(rows) for kind, rows in kinds.items()} == {
        "cable": 256, "nic": 64, "spine": 4, "leaf": 8, "host": 8,
    }  # fmt: skip
    for kind in ("cable", "spine", "host"):
        row = kinds[kind][-1]
        assert row.time_s == pytest.approx(time_of("hgx-b200-64", row.broken.fault))
        assert row.slowdown == pytest.approx((row.time_s or 0.0) / found.time_s)
    # 8 endpoints of a rail hang on one leaf: cut off from the 56 others and from one another, but for their hosts'.
    assert {row.disconnected_pairs for row in kinds["leaf"]} == {8 * 7 + 2 * 8 * (56 - 7)}
    assert {row.disconnected_pairs for row in kinds["nic"]} == {2 * 56}


def test_what_is_alike_is_what_a_full_run_gives():
    """All of 10,000 failures of 2,048 GPUs from a few runs; a sample of them run each by itself."""
    scenario = rs.Scenario.of("gb300-2048", ALL_TO_ALL)
    found = study_faults(scenario, ("cable", "nic", "leaf", "spine", "host"))
    assert found.n_runs < 60
    assert len({str(row.broken.fault) for row in found.rows}) == len(found.rows) > 15_000
    draw = np.random.default_rng(1)
    for kind in ("cable", "nic", "leaf", "spine", "host"):
        rows = [row for row in found.rows if row.broken.kind == kind]
        for place in draw.choice(len(rows), 2, replace=False).tolist():
            row = rows[place]
            loads = rs.analyse(rs.Scenario.of("gb300-2048", ALL_TO_ALL, faults=[row.broken.fault])).loads.total
            assert row.time_s == pytest.approx(loads.bottleneck_time_s, rel=1e-9)
            busiest = find_link(loads.topology, row.worst_link)
            assert loads.seconds[busiest] == pytest.approx(loads.bottleneck_time_s, rel=1e-9)


def test_both_views_agree(hgx):
    found = study_faults(hgx, ("spine",))
    loads = [rs.analyse(rs.Scenario.of("hgx-b200-64", ALL_TO_ALL, faults=[row.broken.fault])).loads.total
             for row in found.rows]  # fmt: skip
    view = next(one for one in found.links if (one.tier, one.direction) == ("leaf-spine", "up"))
    worst = max(float(load.seconds[(load.topology.link_tier == 2) & (load.topology.link_direction == 0)].max())
                for load in loads)  # fmt: skip
    assert view.worst_s == pytest.approx(worst)
    assert view.whole_s == pytest.approx(worst * 3 / 4)
    assert view.failure is not None


SMALL = """
[fabric]
name = "small"
hosts = 8
gpus_per_host = 2
gpu_gbps = 200.0
planes = 2
[scale_up]
hosts_per_domain = 1
gpu_gbps = 3600.0
[leaf]
radix = 8
port_gbps = 100.0
down_ports = 4
[spine]
radix = 8
port_gbps = 100.0
"""


def worst_by_link(scenario, kinds):
    """Of every link the most seconds under any single failure, each failure by itself."""
    topology = scenario.topology
    worst = rs.analyse(scenario).loads.total.seconds.copy()
    for one in breakable(scenario, kinds):
        run = fault_run(scenario, (one.fault,))
        np.maximum(worst, run.seconds, out=worst)
    assert worst.size == topology.n_links
    return worst


@pytest.mark.parametrize("faults", [[], ["p0-r0-l00 port 5 -> p0-s00"], ["spine:p1-s01", "host:h0003"]])
def test_every_link_knows_the_failure_that_loads_it_most(tmp_path, faults):
    """Symmetric, nearly so, and hurt: what classes of links say against every failure on every link."""
    (tmp_path / "small.toml").write_text(SMALL)
    broken = [Fault("host", "h0003", 0.5) if one == "host:h0003" else one for one in faults]
    scenario = rs.Scenario.of(tmp_path / "small.toml", ALL_TO_ALL, faults=broken)
    kinds = ("cable", "nic", "leaf", "spine", "host", "plane")
    found = study_faults(scenario, kinds)
    assert found.n_runs < len(found.rows)
    worst, whole = worst_by_link(scenario, kinds), rs.analyse(scenario).loads.total.seconds
    seen = set()
    for link, whole_s, worst_s, failure in found.every_link():
        seen.add(link)
        assert whole_s == pytest.approx(whole[link], rel=1e-9)
        assert worst_s == pytest.approx(worst[link], rel=1e-9)
        if failure is None:
            assert worst_s == pytest.approx(whole_s, rel=1e-9)
        else:
            assert fault_run(scenario, (failure.fault,)).seconds[link] == pytest.approx(worst_s, rel=1e-9)
    assert seen == set(range(scenario.topology.n_links))
    assert sum(one.alike for one in found.hurt) == np.count_nonzero(worst > whole * (1 + 1e-9))
    assert [one.worst_s for one in found.hurt] == sorted((one.worst_s for one in found.hurt), reverse=True)
    for one in found.hurt:
        assert fault_run(scenario, (one.failure.fault,)).seconds[one.link] == pytest.approx(one.worst_s, rel=1e-9)


def test_cables_without_a_symmetry_are_followed_not_sampled():
    """A fabric whose cables differ: all of them from the whole one, the same as each routed anew."""
    whole = rs.open_fabric("hgx-b200-64").topology
    cables = np.flatnonzero((whole.link_kind == 1) & (whole.link_direction == 0))
    draw = np.random.default_rng(3)
    parts = draw.uniform(0.05, 0.3, cables.size)
    faults = [Fault("link", whole.link_name(int(link)), float(part)) for link, part in zip(cables, parts, strict=True)]
    scenario = rs.Scenario.of("hgx-b200-64", ALL_TO_ALL, faults=faults)
    found = study_faults(scenario, ("cable",), most=5)
    assert found.notes == ()
    assert (found.n_runs, found.n_followed, len(found.rows)) == (0, 256, 256)
    assert len({row.slowdown for row in found.rows}) > 50
    for place in [0, 1, 2, *draw.choice(256, 6, replace=False).tolist()]:
        row = found.rows[place]
        run = fault_run(scenario, (row.broken.fault,))
        assert row.time_s == pytest.approx(run.time_s, rel=1e-9)
        assert run.seconds[find_link(whole, row.worst_link)] == pytest.approx(run.seconds.max(), rel=1e-9)
    assert (found.rows[0].slowdown or 0) > 1.001
    worst = worst_by_link(scenario, ("cable",))
    for link, _, worst_s, failure in found.every_link():
        assert worst_s == pytest.approx(worst[link], rel=1e-9)
        if failure is not None and link % 16 == 0:
            assert fault_run(scenario, (failure.fault,)).seconds[link] == pytest.approx(worst_s, rel=1e-9)


@pytest.mark.parametrize(
    ("fabric", "fault", "left"),
    [
        # A NIC of 8 that is down; at half; a leaf that all NICs of a rail hang on, likewise.
        ("hgx-b200-64", Fault("nic", "h0003g1"), 7 / 8),
        ("hgx-b200-64", Fault("nic", "h0003g1", 0.5), 7.5 / 8),
        ("hgx-b200-64", Fault("leaf", "r3-l00"), 7 / 8),
        ("hgx-b200-64", Fault("leaf", "r3-l00", 0.25), 7.25 / 8),
        # Published (HPN, SIGCOMM 2024): one of a host's 16 ports, of a NIC with two, costs 6.25 %.
        ("hpn7-15360", Fault("link", "h0003g1 port 1 -> *"), 15 / 16),
        # Of a NIC with four ports on four planes one port, and all of them.
        ("gb300-2048", Fault("link", "h0003g1 port 1 -> *"), 3.75 / 4),
        ("gb300-2048", Fault("nic", "h0003g1"), 3 / 4),
        # A plane is every NIC's: the library has nothing to share out, (P - 1) / P either way.
        ("gb300-2048", Fault("plane", "2"), 3 / 4),
    ],
)
def test_a_library_that_shares_bytes_out_over_a_host_s_nics(fabric, fault, left):
    """(R - 1 + f) / R of the rate, where bytes that keep their NICs leave f, or cannot go at all."""
    rule = rs.PlacementRule(gpus=512) if fabric == "hpn7-15360" else None
    rings = rs.Collective("all-reduce", size=1e9, algorithm="rings")
    # Rings through a rack are as long as NVLink takes.
    for traffic in (ALL_TO_ALL,) if fabric == "gb300-2048" else (ALL_TO_ALL, rings):
        whole = time_of(fabric, traffic=traffic, rule=rule)
        shared = time_of(fabric, fault, traffic=traffic, rule=rule, nics="pooled")
        assert whole / shared == pytest.approx(left, rel=1e-6)
        assert time_of(fabric, traffic=traffic, rule=rule, nics="pooled") == pytest.approx(whole)


def test_one_nic_down_stops_a_job_whose_bytes_keep_their_nics(hgx):
    rows = study_faults(hgx, ("nic",)).rows
    assert {(row.time_s, row.disconnected_pairs) for row in rows} == {(None, 2 * 56)}
    pooled = rs.Scenario.of("hgx-b200-64", ALL_TO_ALL, nics="pooled")
    shared = study_faults(pooled, ("nic", "leaf", "host"))
    kinds = {row.broken.kind: row for row in shared.rows}
    assert kinds["nic"].slowdown == pytest.approx(8 / 7)
    assert kinds["leaf"].slowdown == pytest.approx(8 / 7)
    # All NICs of a slow host are equally slow.
    assert kinds["host"].slowdown == pytest.approx(2)
    assert shared.n_runs == 3


def test_what_is_alike_with_pooled_nics_is_what_a_full_run_gives():
    rule = rs.PlacementRule("scattered", gpus=48)
    traffic = rs.Collective("all-to-all", size=1e9, group=16)
    scenario = rs.Scenario.of("examples/tight-64.toml", traffic, nics="pooled", rule=rule)
    found = study_faults(scenario, ("nic", "leaf", "host"))
    assert found.n_runs < len(found.rows) == 48 + 8 + 6
    for row in found.rows:
        run = fault_run(scenario, (row.broken.fault,))
        assert row.time_s == pytest.approx(run.time_s, rel=1e-9)
        assert run.seconds[find_link(scenario.topology, row.worst_link)] == pytest.approx(run.seconds.max(), rel=1e-9)


def test_a_row_of_a_hurt_fabric_is_what_its_option_gives_beside_the_faults_that_are_there():
    """A slow host does not become slower by being slow again; a row and what was there are typed together."""
    there = [Fault("host", "h0003", 0.5), Fault.parsed("r0-l00 -> s00")]
    found = study_faults(rs.Scenario.of("hgx-b200-64", ALL_TO_ALL, faults=there), ("host", "spine", "cable"))
    of_host = {row.broken.fault.pattern: row for row in found.rows if row.broken.kind == "host"}
    assert of_host["h0003"].slowdown == pytest.approx(1)
    for row in (of_host["h0001"], *(row for row in found.rows if row.broken.kind == "spine")):
        assert row.time_s == pytest.approx(time_of("hgx-b200-64", *there, row.broken.fault))


@pytest.mark.parametrize("planes", [2, 8])
def test_one_of_p_planes_leaves_the_others(tmp_path, planes):
    """(P - 1) / P of the rate (published: 75 % of four planes, 50 % of two, 7 of 8 hundred Gb/s)."""
    text = SMALL.replace("planes = 2", f"planes = {planes}").replace("gpu_gbps = 200.0", f"gpu_gbps = {planes * 100.0}")
    (tmp_path / "planes.toml").write_text(text)
    for routing in (rs.Adaptive(), rs.DModK()):
        for traffic in (ALL_TO_ALL, rs.Collective("all-reduce", size=1e9, algorithm="rings")):
            whole, left = (
                time_of(tmp_path / "planes.toml", *faults, traffic=traffic, routing=routing)
                for faults in ((), ("plane:1",))
            )
            assert whole / left == pytest.approx((planes - 1) / planes)


def test_draws_are_the_seed_s(hgx):
    one, other = (study_faults(hgx, ("nic", "cable"), (1, 3), 10, seed=5).sampled for _ in range(2))
    assert one == other
    assert one != study_faults(hgx, ("nic", "cable"), (1, 3), 10, seed=6).sampled
    for sample in one:
        assert len(sample.slowdown) + sample.stopped == 10
        assert len(sample.worst) == sample.count


def test_percentiles_count_what_stops_as_slowest():
    sample = Sampled(2, 10, (1.0, 1.5, 1.2, 1.1, 1.0, 1.0, 1.0, 1.0), 2, ())
    assert [sample.percentile(p) for p in (50, 80, 90, 99)] == [1.0, 1.5, None, None]


def test_tables_stay_as_they_are():
    """OpenSM's tables name cables: a way over one that is gone leads nowhere."""
    opened = rs.open_fabric(f"{DUMP}.ibnetdiscover.gz")
    lfts = rs.match_lfts(rs.open_lfts(f"{DUMP}.lfts.gz"), opened.topology, opened.origin)
    scenario = rs.Scenario.of(opened, ALL_TO_ALL, lfts=lfts)
    loads = rs.analyse(scenario).loads.total
    found = study_faults(scenario, ("spine",))
    first = found.rows[0]
    assert first.time_s is None
    node = opened.topology.nodes.name.index(first.broken.fault.pattern)
    through = np.flatnonzero((opened.topology.link_tail == node) & (opened.topology.link_kind == 1))
    # Bytes of a pair are 1e9 / 512: what goes through the spine are that many pairs.
    assert first.disconnected_pairs == round(loads.bytes[through].sum() / (1e9 / 512))


def test_of_many_failures_a_sample_is_run_and_said():
    scenario = rs.Scenario.of("hgx-b200-64", ALL_TO_ALL, routing=rs.Ecmp(queue_pairs=1))
    one, other = (study_faults(scenario, ("cable",), most=5) for _ in range(2))
    assert one.rows == other.rows
    assert (one.n_runs, len(one.rows)) == (5, 5)
    assert "256 failures are not alike: 5 of them" in one.notes[0]
    assert most_runs(scenario) == 2000
    large = rs.Scenario.of("gb300-8192", ALL_TO_ALL, routing=rs.Ecmp(queue_pairs=2))
    assert most_runs(large) == 29


def test_what_cannot_be_is_refused(hgx):
    for kinds, counts, said in (
        (("cables",), (), "did you mean cable"),
        (("core",), (), "has none"),
        (("plane",), (), "has none"),
        (("spine",), (5,), "count 5: expected 1 to 4"),
    ):
        with pytest.raises(InputError, match=said):
            study_faults(hgx, kinds, counts)
    assert len(breakable(hgx, ("spine", "spine"))) == 4


def test_the_command(tmp_path):
    words = ("faults", "hgx-b200-64", "--collective", "all-to-all", "--kind", "spine,host")
    done = railscope(*words, "--count", "1,2", "--trials", "5", "--json", "--csv", tmp_path / "f.csv",
                     "--figure", tmp_path / "f.png")  # fmt: skip
    document = json.loads(done.stdout)
    assert {"failed", "kind", "time_s", "slowdown", "disconnected_pairs", "worst_link"} <= set(document["rows"][0])
    assert len((tmp_path / "f.csv").read_text().splitlines()) == 1 + len(document["rows"])
    row = document["rows"][0]
    option, value = row["option"].split(" ", 1)
    again = railscope("loads", "hgx-b200-64", "--collective", "all-to-all", option, value.strip("'"), "--json")
    assert json.loads(again.stdout)["summary"]["bottleneck_time_s"] == pytest.approx(row["time_s"])
    refused = railscope("loads", "hgx-b200-64", "--collective", "all-to-all", "--fail", "s77")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("slowdown", "said"),
    [
        ((1.0, 1.0, 1.0), "1 failure, drawn 3 times, takes no longer at the median, and no longer at the 99th"),
        ((1.0, 3.0, 3.0), "1 failure, drawn 3 times, takes 3 times as long at the median, and 3 times as long at"),
        ((), "1 failure, drawn 3 times, stops the job at the median"),
        ((1.0, 1.0), "takes no longer at the median, and stops the job at the 99th percentile"),
    ],
)  # fmt: skip
def test_the_verdict_of_single_draws_is_a_sentence(slowdown, said):
    faults = study_faults(rs.Scenario.of("hgx-b200-64", ALL_TO_ALL), ("spine",))
    drawn = replace(faults, sampled=(Sampled(1, 3, slowdown, 3 - len(slowdown), ()),))
    assert said in faults_verdict(drawn).text


def test_the_verdict_on_the_only_thing_of_a_kind():
    graph: nx.Graph = nx.Graph(name="one spine")
    for end in range(4):
        graph.add_node(f"h{end}", kind="endpoint", host=end, rail=0)
        graph.add_edge(f"h{end}", f"leaf{end // 2}", capacity_gbps=400.0)
    for leaf in range(2):
        graph.add_node(f"leaf{leaf}", kind="switch", tier=1)
        graph.add_edge(f"leaf{leaf}", "spine", capacity_gbps=800.0)
    graph.add_node("spine", kind="switch", tier=2)
    faults = study_faults(rs.Scenario.of(rs.from_networkx(graph), ALL_TO_ALL), ("spine",))
    assert "The only spine failure cuts pairs of the job off and stops it: nothing else" in faults_verdict(faults).text
