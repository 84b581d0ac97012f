"""What helps, as faults, rates, replay and fabric check say it: each run again by hand; parts of long jobs beside all."""

import json

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import railscope as rs
from collectives.demand import Flows
from fabric.studies.advice import best as best_of_all, repairs as repairs_module, replayed, study
from fabric.studies.advice.best import what_helps
from fabric.studies.advice.failure import AGAINST, against_failures
from fabric.studies.advice.longest import longest_operations, longest_phases, shortened
from fabric.studies.advice.mend import mend_all
from fabric.studies.advice.repairs import repairs_of
from fabric.studies.advice.replayed import replay_advice
from fabric.studies.advice.study import advise, single_advice
from fabric.studies.advice.trial import work_of_demand
from fabric.studies.fault_runs import fault_run
from fabric.studies.faults import study_faults
from fabric.studies.health import check_fabric
from fabric.studies.health_mends import best_mend
from fabric.studies.rates import flow_times
from fabric.studies.replay import study_replay
from fabric.studies.step import step_scenario
from fabric.studies.step_costs import operation_costs
from fabric.studies.verdicts.faults import faults_verdict
from fabric.studies.verdicts.health import health_verdict
from fabric.studies.verdicts.rates import rates_verdict
from fabric.studies.verdicts.replay import replay_verdict
from fabric.timing.step_time import step_time
from fabric.topology import ISL, UP
from tests.fabric.commands.test_cli import railscope
from tests.fabric.studies.test_replay import operation
from tests.fabric.studies.test_what_helps import CASES, QUICK, named, said
from tests.fabric.studies.verdict_cases import clos
from traces.operation import Trace
from traces.traffic import trace_schedule
from traces.workload.description import changed_layout

IB = "tests/data/infiniband"
TIGHT = "examples/tight-64.toml"


def test_pooled_nics_keep_a_job_going_that_a_nic_stops():
    scenario = rs.Scenario.of("hgx-b200-64", rs.Collective("all-reduce"))
    faults = study_faults(scenario, ["nic"])
    verdict = faults_verdict(faults)
    lost = faults.rows[0].broken.fault
    again = rs.Scenario.of("hgx-b200-64", rs.Collective("all-reduce"), nics="pooled", faults=[lost])
    (helps,) = verdict.helps
    assert (helps.lever, helps.takes) == ("pooled NICs", "restart")
    assert helps.time_s == pytest.approx(rs.analyse(again).time_s)
    assert verdict.sentences[-1].startswith(
        "Against h0000g0 port 1 -> r0-l00 port 1: pooled NICs (a restart) keeps the"
    )


def test_a_spare_host_for_a_slow_one():
    fabric = rs.opened_fabric(clos(hosts=8, gpus=4, hosts_per_domain=1))
    scenario = rs.Scenario.of(fabric, rs.Collective("all-to-all"), rule=rs.PlacementRule(gpus=28))
    verdict = faults_verdict(study_faults(scenario, ["host"]))
    best = verdict.helps[0]
    assert (best.lever, best.factor) == ("a spare host", pytest.approx(2.0))
    assert best.text.endswith("run on h0007 for h0000")
    hosts = rs.Scenario.of(
        fabric.with_faults([rs.Fault.degraded("host:h0000=0.5")]), rs.Collective("all-to-all"),
        rule=rs.PlacementRule(hosts="h000[1-7]"),
    )  # fmt: skip
    assert best.time_s == pytest.approx(rs.analyse(hosts).time_s)


def test_nothing_spare_where_all_hosts_work():
    scenario = rs.Scenario.of(clos(hosts=4, gpus=4, hosts_per_domain=1), rs.Collective("all-to-all"))
    verdict = faults_verdict(study_faults(scenario, ["host"]))
    assert verdict.helps == ()
    assert verdict.sentences[-1] == "Nothing helps against host:h0000."


def test_other_routes_where_tables_name_no_way():
    fabric = rs.open_fabric(f"{IB}/rail64-ftree.ibnetdiscover.gz")
    lfts = rs.match_lfts(rs.open_lfts(f"{IB}/rail64-ftree.lfts.gz"), fabric.topology, fabric.origin)
    scenario = rs.Scenario.of(fabric, rs.Collective("all-to-all"), lfts=lfts)
    faults = study_faults(scenario, ["spine"])
    verdict = faults_verdict(faults)
    worst = faults.rows[0].broken.fault
    assert [one.lever for one in verdict.helps] == ["adaptive routing", "tables made anew"]
    for helps, routing in zip(verdict.helps, (rs.Adaptive(), rs.DModK()), strict=True):
        assert helps.time_s == pytest.approx(fault_run(scenario.routed(routing), (worst,)).time_s)


@pytest.mark.parametrize("routing", [rs.Adaptive(), rs.Ecmp()])
def test_slow_failures_are_helped_by_what_is_no_mending(routing):
    scenario = rs.Scenario.of(clos(hosts=24, oversubscription=2.0), rs.Collective("all-to-all"), routing=routing)
    against = against_failures(study_faults(scenario, ["cable"]))
    assert against is not None
    assert against.advice is not None
    assert mend_all not in AGAINST
    assert not any("mending" in row.lever for row in against.advice.rows)
    assert against.advice.helping
    for row in against.advice.helping:
        assert row.trial is not None
        changed = row.trial.scenario
        assert changed.fabric.faults == (against.row.broken.fault,)
        assert rs.analyse(changed).time_s in row.trial.times_s


def test_flows_end_sooner_as_rates_says(tmp_path):
    fabric = rs.opened_fabric("hgx-b200-64")
    order = np.random.default_rng(3).permutation(64).astype(np.int32)
    flows = Flows(np.arange(64, dtype=np.int32), order, np.full(64, 1e9))
    start = np.linspace(0.0, 0.01, 64)
    shared = flow_times(fabric, flows, start, rs.Ecmp())
    best = rates_verdict(shared).helps[0]
    assert best.lever == "adaptive routing"
    assert best.time_s == pytest.approx(flow_times(fabric, flows, start, rs.Adaptive()).makespan_s)
    assert best.time_s is not None
    assert best.factor == pytest.approx(shared.makespan_s / best.time_s)
    assert rates_verdict(flow_times(fabric, flows, start, rs.Adaptive())).helps == ()
    # Paths from a file: all flows of a leaf by one spine.
    names = fabric.topology.endpoint_names
    rows = [f"{names[a]},{names[b]},1e9" for a, b in ((0, 9), (8, 17), (16, 25))]
    (tmp_path / "flows.csv").write_text("\n".join(["src,dst,bytes", *rows, ""]))
    hops = [f"{n},{leaf},s00,0\n{n},s00,r1-l00,0" for n, leaf in enumerate(["r0-l00"] * 3, start=1)]
    (tmp_path / "paths.csv").write_text("\n".join(["flow,tail,head,cable", *hops, ""]))
    words = ("rates", "hgx-b200-64", "--demand", tmp_path / "flows.csv", "--paths", tmp_path / "paths.csv", "--json")
    verdict = json.loads(railscope(*words).stdout)["verdict"]
    assert verdict["helps"][0]["lever"] == "adaptive routing"
    assert verdict["helps"][0]["factor"] == pytest.approx(3.0)
    assert "Adaptive routing instead of these paths (a setting) makes all flows together 3 times" in verdict["text"]


def traced(*operations, n_ranks=64, **options):
    trace = Trace(("made",), tuple(operations), n_ranks)
    traffic = rs.Traffic("made", n_ranks, lambda domain, rail: trace_schedule(trace, n_ranks)[0], trace=trace)
    return rs.Scenario.of(TIGHT, traffic, **options)


def test_a_replay_is_helped_as_another_replay_says():
    sends = [operation([8 * n, 8 * ((n + 1) % 8) + 1], 0.0, "send-recv", group=str(n)) for n in range(8)]
    scenario = traced(*sends, routing=rs.Ecmp(shared_seed=True))
    result = study_replay(scenario)
    best = replay_verdict(result).helps[0]
    assert best.lever == "adaptive routing"
    other = study_replay(scenario.routed(rs.Adaptive()))
    assert best.time_s == pytest.approx(other.communicating * other.span_s)
    assert best.time_s is not None
    assert best.factor == pytest.approx(result.communicating * result.span_s / best.time_s)
    assert replay_verdict(other).helps == ()


def long_job():
    """Sends of many sizes, one after another, of which a few take most of the time, and hashes that meet."""
    phases = []
    for n in range(40):
        host = np.arange(8, dtype=np.int32)
        size = 1e9 if n % 10 == 0 else 1e6 * (1 + n)
        phases.append(rs.Phase(Flows(8 * host, 8 * ((host + 1 + n % 7) % 8) + 1, np.full(8, size))))
    return rs.Scenario.of(TIGHT, rs.Schedule(tuple(phases)), routing=rs.Ecmp(shared_seed=True))


def test_the_longest_phases_stand_for_a_long_job():
    scenario = long_job()
    analysis = rs.analyse(scenario)
    longest = longest_phases(analysis, 10**9, work_of_demand(scenario))
    assert longest is not None
    lasted = [one.bottleneck_time_s for one in analysis.loads.phases]
    chosen = sorted(range(40), key=lambda n: -lasted[n])[: len(longest.places)]
    assert sorted(chosen) == list(longest.places)
    assert longest.share >= 0.97
    assert longest.rest_s == pytest.approx(sum(lasted[n] for n in range(40) if n not in chosen))
    part = shortened(analysis, longest)
    assert part.time_s == pytest.approx(rs.analyse(part.scenario).time_s)
    whole, few = single_advice(scenario, analysis), single_advice(part.scenario, part, longest)
    assert few.base.time_s == pytest.approx(whole.base.time_s, rel=0.03)
    assert whole.best is not None
    assert few.best is not None
    assert (few.best.lever, few.share) == (whole.best.lever, longest.share)
    assert few.best.gain == pytest.approx(whole.best.gain, rel=0.05)


def test_long_jobs_say_what_part_was_looked_at(monkeypatch):
    scenario = long_job()
    monkeypatch.setattr(best_of_all, "MOST_LOADED", 5 * work_of_demand(scenario))
    verdict = rs.loads_verdict(rs.analyse(scenario))
    assert "tried on the phases that take " in verdict.text
    monkeypatch.setattr(best_of_all, "MOST_LOADED", work_of_demand(scenario))
    assert what_helps(scenario) is None


def test_the_longest_operations_stand_for_a_step(monkeypatch):
    changes = {"layout.pp": 1, "layout.vp": 1, "layout.ep": 16, "batch.sequences": 256, "experts.popularity": "zipf"}
    workload = changed_layout(rs.read_workload("deepseek-v3"), changes, "deepseek-v3")
    scenario = step_scenario(rs.opened_fabric(clos(hosts=4, gpus=4, hosts_per_domain=1, wiring="rail")), workload, 16)
    step = scenario.traffic.step
    assert step is not None
    costs = operation_costs(scenario, step.operations, scenario.algorithms_of(step.operations), bounds=False)
    own = (step.workload, step.operations, [one.seconds for one in costs], step.compute_s, step.fixed_s)
    longest = longest_operations(costs, step_time(*own))
    monkeypatch.setattr(best_of_all, "_MOST_OF_STEP", 0)
    few = what_helps(scenario)
    assert longest is not None
    assert few is not None
    assert few.base.time_s == pytest.approx(step_time(*own).step_s)
    assert few.share == longest.share >= 0.97
    whole = single_advice(scenario)
    assert few.helping
    assert {row.lever for row in few.helping} == {row.lever for row in whole.helping}
    for row in few.helping:
        same = next(one for one in whole.rows if one.lever == row.lever)
        assert row.gain == pytest.approx(same.gain, rel=0.02)


@pytest.mark.parametrize("case", ["hashes", "polarized", "scattered", "oversubscribed", "rails"])
def test_what_is_left_out_for_its_bound_would_not_be_named(monkeypatch, case):
    fabric, asked, options = CASES[case]
    scenario = rs.Scenario.of(fabric, asked, **{**options, "routing": rs.Ecmp()})
    monkeypatch.setattr(study, "_MANY_FLOWS", 0)
    few = single_advice(scenario)
    assert said(rs.loads_verdict(rs.analyse(scenario))) == named(few) == named(advise(scenario, QUICK))


def test_work_that_nobody_asked_for_ends(monkeypatch):
    scenario = rs.Scenario.of(TIGHT, rs.Collective("all-to-all"), routing=rs.Ecmp())
    monkeypatch.setattr(study, "_MOST_WORK", 0)
    none = single_advice(scenario)
    assert none.left_out > 0
    assert not [row for row in none.rows if row.trial is not None]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_repairs_of_faults_are_those_of_every_cable_looked_at(data):
    fabric = rs.open_fabric(TIGHT)
    names = [fabric.topology.link_name(link) for link in range(fabric.topology.n_links)
             if fabric.topology.link_kind[link] in (0, 1)]  # fmt: skip
    chosen = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True))
    parts = [data.draw(st.sampled_from([0.0, 0.25, 0.5])) for _ in chosen]
    hurt = fabric.with_faults([rs.Fault("link", name, part) for name, part in zip(chosen, parts, strict=True)])
    found = repairs_of(hurt)
    nothing = lambda one, of_one, other, of_other: (np.zeros(len(of_one), bool), np.zeros(len(of_other), bool))  # noqa: E731
    fast = repairs_module._unchanged
    try:
        repairs_module._unchanged = nothing
        repairs_module._taken.cache_clear()
        assert repairs_of(hurt) == found
    finally:
        repairs_module._unchanged = fast


@pytest.mark.parametrize(
    ("faults", "node", "text"),
    [
        (["r3-l00 port 9 -> s00 port 7"], "r3-l00", "put back the cable r3-l00 port 9 - s00 port "),
        (["r2-l00 -> s0*"], "r2-l00", "put back the 8 cables of r2-l00 ("),
        ([rs.Fault.degraded("r1-l00 -> s02=0.5")], "r1-l00", "mend the 2 slow cables of r1-l00 (r1-l00 - s02 (2))"),
        (["spine:s01"], "s01", "put back the 16 cables of s01: restores 25 % of the upward capacity of 8 switches"),
    ],
)
def test_check_says_what_a_mend_restores(faults, node, text):
    fabric = rs.open_fabric(TIGHT)
    given = [rs.Fault.parsed(one) if isinstance(one, str) else one for one in faults]
    hurt = fabric.with_faults(given)
    mend = best_mend(hurt)
    assert mend is not None
    assert mend.node == node
    assert mend.text.startswith(text)

    def upward(topology):
        up = (topology.link_kind == ISL) & (topology.link_direction == UP)
        return {
            topology.nodes.name[switch]: topology.link_capacity_gbps[up & (topology.link_tail == switch)].sum()
            for switch in np.unique(topology.link_tail[up])
        }

    whole, left = upward(fabric.topology), upward(hurt.topology)
    assert mend.restored == pytest.approx(max(1 - left.get(name, 0.0) / whole[name] for name in whole))
    health = check_fabric(hurt.topology, oddities=hurt.oddities, origin=hurt.origin)
    verdict = health_verdict(health, hurt)
    assert verdict.helps[0].text == mend.text
    assert mend.text in verdict.text
    assert verdict.facts["mend_restores"] == mend.restored


def test_check_of_a_dump_names_the_leaf_that_lacks_most():
    hurt = rs.open_fabric(f"{IB}/hurt512-updn.ibnetdiscover.gz")
    mend = best_mend(hurt)
    assert mend is not None
    topology = hurt.topology
    up = (topology.link_kind == ISL) & (topology.link_direction == UP)
    left = {name: int(np.count_nonzero(up & (topology.link_tail == node)))
            for node, name in enumerate(topology.nodes.name) if name.startswith("leaf")}  # fmt: skip
    assert left[mend.node] == min(left.values())
    assert mend.restored == pytest.approx(1 - left[mend.node] / max(left.values()))
    assert best_mend(rs.open_fabric(f"{IB}/rail64-ftree.ibnetdiscover.gz")) is None


def test_a_long_trace_is_helped_by_its_longest_operations(monkeypatch):
    sends = [
        operation([8 * n, 8 * ((n + 1) % 8) + 1], None, "send-recv", sequence=k) for k in range(3) for n in range(8)
    ]
    rings = [operation(range(8 * n, 8 * n + 8), None, size=1e3, sequence=9) for n in range(8)]
    scenario = traced(*sends, *rings, routing=rs.Ecmp(shared_seed=True))
    result = study_replay(scenario)
    monkeypatch.setattr(replayed, "MOST_LOADED", 2 * work_of_demand(scenario, 1))
    monkeypatch.setattr(replayed, "_MOST_AGAIN", 0)
    advice = replay_advice(result)
    assert advice is not None
    assert advice.best is not None
    assert advice.best.lever == "adaptive routing"
    assert 0.97 < advice.share < 1
    # The sends that go on at once: three times as long as one of them on its own NICs, in all.
    host = np.arange(8)
    once = rs.Schedule((rs.Phase(Flows(8 * host, 8 * ((host + 1) % 8) + 1, np.full(8, 1e9))),))
    for trial, routing in ((advice.base, scenario.routing), (advice.best.trial, rs.Adaptive())):
        assert trial is not None
        lasted = rs.analyse(rs.Scenario.of(TIGHT, once, routing=routing)).time_s
        assert trial.run_s == pytest.approx(3 * lasted)
    verdict = replay_verdict(result)
    assert "makes communication, latency aside, " in verdict.text
    monkeypatch.setattr(replayed, "MOST_LOADED", 0)
    assert replay_advice(result) is None


def test_levers_that_cannot_be_run_are_said_to_be_none():
    """PXN transport beside an algorithm that changes rails itself."""
    scenario = rs.Scenario.of(clos(hosts=4, gpus=4, hosts_per_domain=1, wiring="rail"),
                              rs.Collective("all-to-all", algorithm="pxn", group=4))  # fmt: skip
    row = next(row for row in single_advice(scenario).rows if row.lever == "PXN transport")
    assert row.trial is None
    assert row.why_not == "rail-aligned transport: expected an all-to-all without blocks"
