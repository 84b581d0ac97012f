"""Cables that are missing, slow or misplaced: put back as they were, whoever said that they are gone."""

import shlex
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import railscope as rs
from fabric.commands.app import app
from fabric.studies.advice import study
from fabric.studies.advice.adapters import plugged_in_place, ranks_by_leaf
from fabric.studies.advice.described import less_oversubscription, more_spines, wiring
from fabric.studies.advice.lever import Cost
from fabric.studies.advice.mend import mend_all, mend_hottest
from fabric.studies.advice.repairs import repairs_of
from fabric.studies.advice.routes import adaptive
from fabric.studies.health import check_fabric
from fabric.studies.health_wiring import missing_cables
from fabric.studies.opensm import missing_tools, reroute
from fabric.topology import ISL
from tests.fabric.studies.verdict_cases import changed_cables, clos

DATA = "tests/data"
RAIL = f"{DATA}/infiniband/rail64-ftree"
POD = f"{DATA}/ethernet/pod-lldp.tar.gz"
ALL_TO_ALL = rs.Collective("all-to-all")


def advise(scenario, levers) -> Any:
    return study.advise(scenario, levers)


def cables_of(topology):
    """Every cable as (name, port, name, port, Gb/s), in order."""
    name = topology.nodes.name
    return sorted(
        (name[tail], int(tail_port), name[head], int(head_port), float(gbps))
        for tail, tail_port, head, head_port, gbps in zip(
            topology.link_tail, topology.link_tail_port, topology.link_head, topology.link_head_port,
            topology.link_capacity_gbps, strict=True,
        )
    )  # fmt: skip


def as_a_dump(opened, *faults):
    """A fabric that never showed what is gone."""
    return replace(opened, topology=opened.with_faults([rs.Fault.parsed(one) for one in faults]).topology)


@pytest.mark.parametrize(
    ("fabric", "faults", "count"),
    [
        (f"{RAIL}.ibnetdiscover.gz", ("leaf1 -> spine3",), 1),
        (f"{RAIL}.ibnetdiscover.gz", ("leaf1 -> spine3", "leaf1 -> spine4", "leaf5 -> spine0"), 3),
        ("superpod-b200-2048", ("r0-l00 -> s03", "r7-l01 -> s2*"), 11),
        ("gb300-2048", ("p0-r0-l00 -> p0-s03",), 8),
    ],
)
def test_a_pair_that_lost_all_its_cables_gets_them_back(fabric, faults, count):
    """Nothing but the pattern tells that they were there: cables, ports and speeds are those of the whole fabric."""
    whole = rs.open_fabric(fabric)
    hurt = replace(as_a_dump(whole, *faults), description=None)
    repairs = repairs_of(hurt)
    assert sum(one.missing for one in repairs) == count
    assert sum(one.number for one in missing_cables(hurt.topology)) == count
    findings = {one.kind: one for one in check_fabric(hurt.topology).findings}
    assert findings["uneven wiring"].count == count
    scenario = rs.Scenario.of(hurt, rs.Collective("all-to-all", group=64))
    rows = advise(scenario, (mend_hottest, mend_all)).rows
    mended = next(row for row in rows if row.trial and row.trial.scenario.topology.n_links == whole.topology.n_links)
    assert cables_of(mended.trial.scenario.topology) == cables_of(whole.topology)


def test_cables_that_are_dealt_out_come_back_where_both_sides_lack_one():
    """Each leaf has a cable to half of the spines: which one it lost, only the spine that has one too few tells."""
    description = clos(hosts=64, radix=16)
    spine = description.spine.model_copy(update={"count": 8})
    every = rs.build(description.model_copy(update={"spine": spine}))
    leaves, spines = ([f"{letter}0{number}" for number in range(8)] for letter in "ls")
    kept = {(leaf, spines[(at + step) % 8]) for at, leaf in enumerate(leaves) for step in range(4)}
    dealt = changed_cables(every, lambda low, high, _: not low.startswith("l") or (low, high) in kept)
    assert not missing_cables(dealt)
    for lost in [{pair} for pair in sorted(kept)] + [{("l00", "s00"), ("l03", "s04")}]:
        hurt = changed_cables(dealt, lambda low, high, _, gone=lost: (low, high) not in gone)
        found = {(hurt.nodes.name[one.low], hurt.nodes.name[one.high]): one.number for one in missing_cables(hurt)}
        assert found == dict.fromkeys(lost, 1)


def test_faults_that_were_said_are_undone(capsys):
    """A described fabric: the command that runs it is the same without what failed."""
    job = ("--collective", "all-to-all", "--group", "256")
    words = ("superpod-b200-2048", "--fail", "spine:s0*", "--degrade", "r0-l01 -> s11=0.5")
    scenario = rs.Scenario.of(
        rs.open_fabric(words[0]).with_faults([rs.Fault.parsed("spine:s0*"), rs.Fault.degraded("r0-l01 -> s11=0.5")]),
        rs.Collective("all-to-all", group=256),
    )
    (row,) = (row for row in advise(scenario, (mend_hottest, mend_all)).rows if "all" in row.lever)
    whole = rs.open_fabric(words[0])
    assert row.trial.scenario.fabric.description == whole.description
    assert cables_of(row.trial.scenario.topology) == cables_of(whole.topology)
    assert row.trial.time_s == rs.analyse(rs.Scenario.of(whole, rs.Collective("all-to-all", group=256))).time_s
    app(["advise", *words, *job, "--json"], standalone_mode=False)
    command = f"railscope loads {words[0]} {shlex.join(job)}"
    assert f'"command": "{command}"' in capsys.readouterr().out


def test_no_other_lever_mends_by_the_way():
    """As many cables up as down, and more spines, with the spine that failed still down."""
    description = clos(hosts=24, oversubscription=2.0)
    description = description.model_copy(update={"spine": description.spine.model_copy(update={"count": 2})})
    scenario = rs.Scenario.of(description, ALL_TO_ALL, faults=["spine:s00"])
    tried = []
    for row in advise(scenario, (less_oversubscription, more_spines, wiring)).rows:
        if row.trial is not None:
            fabric = row.trial.scenario.fabric
            assert [str(one) for one in fabric.faults] == ["spine:s00"]
            assert not (fabric.topology.link_tail == fabric.topology.nodes.name.index("s00")).any()
            tried.append(row.lever)
    assert tried == ["wired by rail", "no oversubscription of the leaf switches", "4 spines instead of 2"]


def test_tables_know_no_cable_between_two_switches_that_get_one(tmp_path):
    """Put back, the cable carries nothing until the tables are computed again: the two help together."""
    if missing_tools():
        pytest.skip(f"not installed: {', '.join(missing_tools())}")
    whole = rs.open_fabric(f"{RAIL}.ibnetdiscover.gz")
    hurt = as_a_dump(whole, "leaf1 -> spine3", "leaf1 -> spine4")
    tables = tmp_path / "updn.lfts"
    tables.write_text(reroute(hurt, "updn"))
    lfts = rs.match_lfts(rs.open_lfts(str(tables)), hurt.topology, hurt.origin)
    rows = advise(rs.Scenario.of(hurt, ALL_TO_ALL, lfts=lfts), (mend_all,)).rows
    by_lever = {row.lever: row for row in rows}
    assert by_lever["mending all 2 cables"].gain == pytest.approx(1)
    together = by_lever["mending all 2 cables, with OpenSM's ftree tables"]
    assert together.trial.time_s == rs.analyse(rs.Scenario.of(whole, ALL_TO_ALL)).time_s
    assert together.gain > 1.5


def test_pairs_without_a_route_are_routed():
    """With its tables and a cable less, pairs have no way: what gives them one helps, whatever it takes."""
    opened = rs.open_fabric(f"{RAIL}.ibnetdiscover.gz").with_faults([rs.Fault.parsed("leaf1 -> spine3")])
    lfts = rs.match_lfts(rs.open_lfts(f"{RAIL}.lfts.gz"), opened.topology, opened.origin, skip_unrouted=True)
    advice = advise(rs.Scenario.of(opened, ALL_TO_ALL, lfts=lfts), (adaptive, mend_all))
    by_lever = {row.lever: row for row in advice.rows}
    pairs = advice.base.analysis.loads.total.unrouted.pairs
    assert pairs > 0
    for row in by_lever.values():
        assert (row.routed, row.helps) == (pairs, True)
        assert row.trial.analysis.loads.total.unrouted.pairs == 0
    assert advice.best.lever == "adaptive routing"
    # The tables lead over the cable again as they did: no other ones are needed.
    whole = rs.open_fabric(f"{RAIL}.ibnetdiscover.gz")
    again = rs.match_lfts(rs.open_lfts(f"{RAIL}.lfts.gz"), whole.topology, whole.origin)
    mended = next(row for row in by_lever.values() if row.cost == Cost.RECABLING)
    expected = rs.analyse(rs.Scenario.of(whole, ALL_TO_ALL, lfts=again))
    assert np.array_equal(mended.trial.analysis.loads.total.bytes, expected.loads.total.bytes)


def test_adapters_are_plugged_in_where_their_rail_is():
    """Two cables of gpu05 are exchanged: back in place, its rings are as those of the others."""
    opened = rs.open_fabric(POD, nvlink_gbps=3600)
    scenario = rs.Scenario.of(opened, rs.Collective("all-reduce", algorithm="rings"))
    rows = {row.lever: row for row in advise(scenario, (plugged_in_place, ranks_by_leaf)).rows}
    row = rows["adapters on their rails' leaves"]
    assert (row.cost, row.gain) == (Cost.RECABLING, pytest.approx(2.0))
    assert row.how.startswith("move 2 cables of adapters: gpu05 rail2 port eth3 to p1-leaf3")
    topology = row.trial.scenario.topology
    assert not [one for one in check_fabric(topology).findings if one.kind == "wrong rail"]
    assert rows["ranks in the order of their adapters' leaves"].why_not.startswith("no other order of a host's ranks")


def test_ranks_follow_adapters_that_stay_where_they_are():
    """A host's two adapters are on each other's leaf: its ranks in the other order do as well as the cables back."""
    whole = rs.open_fabric(f"{RAIL}.ibnetdiscover.gz", nvlink_gbps=3600)
    topology = whole.topology
    name = topology.nodes.name
    swap = {("h0003r1", "leaf1"): "leaf2", ("h0003r2", "leaf2"): "leaf1"}

    def exchanged(topology):
        tail, head = topology.link_tail.copy(), topology.link_head.copy()
        for link in range(topology.n_links):
            if other := swap.get((name[tail[link]], name[head[link]])):
                head[link] = name.index(other)
                tail[topology.link_reverse[link]] = head[link]
        up = np.flatnonzero(np.arange(topology.n_links) < topology.link_reverse)
        gbps = topology.link_capacity_gbps[up]
        ports = topology.link_tail_port[up], topology.link_head_port[up]
        return rs.Topology.from_cables(topology.name, topology.nodes, rs.Cables(tail[up], head[up], *ports, gbps, gbps))

    hurt = replace(whole, topology=exchanged(topology))
    scenario = rs.Scenario.of(hurt, rs.Collective("all-reduce", algorithm="rings"))
    rows = advise(scenario, (ranks_by_leaf, plugged_in_place)).rows
    usual = rs.analyse(rs.Scenario.of(whole, rs.Collective("all-reduce", algorithm="rings"))).time_s
    assert [row.cost for row in rows] == [Cost.RESTART, Cost.RECABLING]
    assert [row.trial.time_s for row in rows] == pytest.approx([usual, usual])
    assert "h0003" in rows[0].how
    assert (topology.link_kind == ISL).any()
