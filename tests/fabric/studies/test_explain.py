"""Whose bytes are on a link: against loads of parts sent alone, on random fabrics and real tables."""

import json

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import railscope as rs
from collectives.demand import Flows
from collectives.errors import InputError
from collectives.schedule import Phase, Schedule
from fabric.routing.link_loads import link_loads
from fabric.studies.explain import Sent, explain, explain_sent, loads_of, sent_by
from fabric.studies.link_names import find_link
from fabric.studies.link_odds import odds_text
from tests.fabric.commands.test_cli import railscope
from tests.random_fabrics import all_to_all_demands, fabrics, flow_demands

LISTS = ("job", "axis", "operation", "group", "source_leaf", "destination_leaf", "source_host", "destination_host")
DUMP = "tests/data/infiniband/hurt512-updn"


@settings(deadline=None, max_examples=25)
@given(st.data(), fabrics(), st.sampled_from([rs.Adaptive(), rs.Ecmp(queue_pairs=2), rs.DModK()]))
def test_every_list_adds_up_to_what_the_link_carries(data, topology, routing):
    n = topology.n_endpoints
    placement = rs.Placement(np.arange(n, dtype=np.int32))
    demands = [data.draw(flow_demands(n)), data.draw(all_to_all_demands(n))]
    sent = [
        Sent(name, "axis", name, Schedule((Phase(demand, 2),)), placement, routing, 1.5)
        for name, demand in zip("ab", demands, strict=True)
    ]
    totals = loads_of(topology, sent)
    for link in np.flatnonzero(totals).tolist():
        found = explain_sent(topology, sent, link, totals)
        assert found.bytes == pytest.approx(totals[link])
        for what in LISTS:
            shares = getattr(found, f"by_{what}")
            assert sum(one.bytes for one in shares) == pytest.approx(found.bytes)
            assert sum(one.share for one in shares) == pytest.approx(1)
            assert [one.bytes for one in shares] == sorted((one.bytes for one in shares), reverse=True)
        for one in found.by_job:
            alone = loads_of(topology, [each for each in sent if each.job == one.name])
            assert one.bytes == pytest.approx(alone[link])
        if found.n_pairs <= 20:
            assert sum(one.bytes for one in found.pairs) == pytest.approx(found.bytes)


@pytest.mark.parametrize("routing", [rs.Adaptive(), rs.Ecmp(queue_pairs=1, seed=3), rs.DModK()])
def test_each_pair_is_what_it_sends_alone(routing):
    scenario = rs.Scenario.of("hgx-b200-64", rs.Collective("all-to-all", size=1e6), routing=routing)
    loads = rs.analyse(scenario).loads.total
    topology = scenario.topology
    for link in (int(loads.bytes.argmax()), int(np.flatnonzero(topology.link_kind == 1)[3])):
        found = explain(scenario, link)
        assert found.bytes == pytest.approx(loads.bytes[link])
        for pair in found.pairs[:5]:
            i, j = (int(end.split()[1]) for end in pair.name.split(" -> "))
            alone = link_loads(topology, Flows([i], [j], [1e6 / 64]), scenario.placement, routing)
            assert pair.bytes == pytest.approx(alone.bytes[link])


def test_what_switches_add_up_is_its_groups():
    collective = rs.Collective("all-reduce", size=1e9, group=8, algorithm="nvls")
    scenario = rs.Scenario.of("hgx-b200-64", collective)
    link = int(rs.analyse(scenario).loads.total.bytes.argmax())
    found = explain(scenario, link)
    assert found.bytes == pytest.approx(rs.analyse(scenario).loads.total.bytes[link])
    assert [one.name for one in found.by_group] == ["ranks 0-7"]


@pytest.fixture(scope="module")
def hurt():
    opened = rs.open_fabric(f"{DUMP}.ibnetdiscover.gz")
    lfts = rs.match_lfts(rs.open_lfts(f"{DUMP}.lfts.gz"), opened.topology, opened.origin)
    return rs.Scenario.of(opened, rs.Collective("all-to-all", size=512e6), lfts=lfts)


def test_tables_that_are_not_even_are_the_cause(hurt):
    """24 cables of this fabric are gone; OpenSM's tables put 2.2 times the mean on the hottest link."""
    loads = rs.analyse(hurt).loads.total
    link = int(loads.seconds.argmax())
    totals = loads_of(hurt.topology, sent_by(hurt))
    np.testing.assert_allclose(totals, loads.bytes)
    found = explain_sent(hurt.topology, sent_by(hurt), link, totals)
    even = link_loads(hurt.topology, hurt.schedule.phases[0].demands[0], hurt.placement, rs.Adaptive()).bytes[link]
    assert found.odds.over_even == pytest.approx(loads.bytes[link] / even)
    said = odds_text(hurt.topology, link, found.odds, "lft")
    assert said == f"1 of 2 cables are there; the tables: {found.odds.over_even:.2f}x an even split"
    assert rs.analyse(hurt).hotspots[0].cause == said


def test_a_switch_that_lacks_a_cable_up_is_said():
    """No two switches have more than one cable here: what is missing shows at the switch."""
    scenario = rs.Scenario.of(
        "tests/data/ethernet/pod.dot", rs.Collective("all-to-all"), faults=["p2-leaf2 -> p2-spine2"]
    )
    found = explain(scenario, find_link(scenario.topology, "p2-leaf2 -> p2-spine1"))
    assert odds_text(scenario.topology, found.link, found.odds, "adaptive") == "p2-leaf2 has 1 of 2 cables up"
    other = explain(scenario, find_link(scenario.topology, "p1-leaf2 -> p1-spine1"))
    assert odds_text(scenario.topology, other.link, other.odds, "adaptive") == ""


def test_links_by_their_names(hurt):
    topology = hurt.topology
    for link in range(0, topology.n_links, 97):
        assert find_link(topology, topology.link_name(link)) == link
    tail, head = topology.link_name(5).split(" -> ")
    assert find_link(topology, f"{tail.split(' port ')[0]}->{head}") == 5
    assert find_link(topology, "7") == 7


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("h0000r0", "expected two ends, such as"),
        ("h0000r9 -> leaf", "link end 'h0000r9': no such node; did you mean h0000r"),
        ("h0000r0 -> h0001r0", "no cable joins its ends; from h0000r0: "),
        ("999999", "link 999999: expected 0 to "),
    ],
)
def test_a_link_that_does_not_exist_is_one_line(hurt, text, said):
    with pytest.raises(InputError) as refused:
        find_link(hurt.topology, text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_command(tmp_path):
    words = ("explain", f"{DUMP}.ibnetdiscover.gz", "--lfts", f"{DUMP}.lfts.gz", "--collective", "all-to-all")
    document = json.loads(railscope(*words, "--top", "2", "--json").stdout)
    assert len(document["links"]) == 2
    for link in document["links"]:
        for what in LISTS:
            assert sum(row["share"] for row in link[f"by_{what}"]) == pytest.approx(1)
        assert link["pairs"][0].keys() == {"name", "bytes", "share"}
    named = railscope(*words, document["links"][1]["link"], "--json")
    assert json.loads(named.stdout)["links"] == document["links"][1:]
    told = railscope(*words)
    assert told.stdout.startswith("# The busiest link, ")
    assert railscope(*words, "nobody -> no one").returncode == 1


def test_the_command_takes_a_step_and_other_jobs():
    words = ("explain", "hgx-b200-64", "--workload", "llama-3.1-8b", "--gpus", "32", "--job", "b=llama-3.1-8b:32")
    document = json.loads(railscope(*words, "--top", "1", "--json").stdout)
    (link,) = document["links"]
    assert {row["name"] for row in link["by_job"]} <= {"llama-3.1-8b", "b"}
    assert {row["name"] for row in link["by_axis"]} == {"dp"}
