"""Every report that says what helps says what `advise` says: the same lever, what it takes, and what it gains."""

import json
from typing import Any

import pytest

import railscope as rs
from fabric.commands.app import app
from fabric.studies.advice.best import what_helps
from fabric.studies.advice.lever import COSTS
from fabric.studies.advice.levers import LEVERS
from fabric.studies.advice.routes import tables_anew
from fabric.studies.advice.study import advise, single_advice
from fabric.studies.ladder import ladder
from fabric.studies.step import step_scenario, study_step
from fabric.studies.verdicts.advise import advise_verdict
from fabric.studies.verdicts.ladder import ladder_verdict
from fabric.studies.verdicts.loads import loads_verdict
from fabric.studies.verdicts.step import step_verdict
from tests.fabric.studies.verdict_cases import clos
from traces.workload.description import changed_layout

DUMP = "tests/data/infiniband/hurt512-updn"
TIGHT = "examples/tight-64.toml"
# OpenSM is no part of what is tried unasked.
QUICK = tuple(lever for lever in LEVERS if lever is not tables_anew)

CASES: dict[str, Any] = {
    "at the bound": ("hgx-b200-64", rs.Collective("all-to-all"), {}),
    "a ring": ("hgx-b200-64", rs.Collective("all-reduce", algorithm="ring"), {}),
    "hashes": (TIGHT, rs.Collective("all-to-all"), {"routing": rs.Ecmp()}),
    "polarized": (rs.fat_tree(4), rs.Collective("all-to-all"), {"routing": rs.Ecmp(shared_seed=True)}),
    "static": (TIGHT, rs.Collective("all-to-all", group=32), {"routing": rs.DModK()}),
    "scattered": (TIGHT, rs.Collective("all-to-all", group=8), {"rule": rs.PlacementRule("scattered")}),
    "oversubscribed": (clos(hosts=24, oversubscription=2.0), rs.Collective("all-to-all"), {}),
    "rails": (clos(hosts=8, gpus=8, hosts_per_domain=1, oversubscription=4.0, wiring="rail"),
              rs.Collective("all-to-all"), {}),
    "broken": ("superpod-b200-2048", rs.Collective("all-to-all", group=512), {"faults": ["r0-l00 -> s0*"]}),
    "a slow NIC": ("hgx-b200-64", rs.Collective("all-reduce"), {"faults": [rs.Fault.degraded("nic:h0003g2=0.25")]}),
    "a gather": ("hgx-b200-64", rs.Collective("gather"), {}),
    "one domain": ("hgx-b200-64", rs.Collective("all-to-all"), {"rule": rs.PlacementRule(gpus=8)}),
    "Ethernet": ("tests/data/ethernet/pod-lldp.tar.gz", rs.Collective("all-to-all"), {}),
}  # fmt: skip


def said(verdict):
    """Lever, class, time and gain of what a verdict says helps most."""
    best = next(iter(verdict.helps), None)
    return None if best is None else (best.lever, best.takes, best.time_s, best.factor)


def named(advice):
    best = advice.best
    return None if best is None else (best.lever, str(best.cost), best.trial.time_s, best.gain)


@pytest.mark.parametrize("case", CASES)
def test_loads_says_what_advise_says(case):
    fabric, asked, options = CASES[case]
    scenario = rs.Scenario.of(fabric, asked, **options)
    advice = advise(scenario, QUICK)
    loads, own = loads_verdict(rs.analyse(scenario)), advise_verdict(advice)
    assert said(loads) == said(own) == named(advice)
    if advice.best is None:
        assert "nothing" in own.text.lower()
        assert "faster" not in loads.sentences[-1] or "no algorithm is faster" in loads.text
    else:
        first = next(row for row in advice.rows if row.cost == advice.best.cost)
        assert first is advice.best
        assert loads.sentences[-1].lower().startswith(advice.best.lever.lower())
        assert own.sentences[0].lower().startswith(advice.best.lever.lower())


def test_tables_and_what_helps_them():
    opened = rs.open_fabric(f"{DUMP}.ibnetdiscover.gz")
    lfts = rs.match_lfts(rs.open_lfts(f"{DUMP}.lfts.gz"), opened.topology, opened.origin)
    rule = rs.PlacementRule(hosts="h00[00-15]")
    scenario = rs.Scenario.of(opened, rs.Collective("all-to-all"), rule=rule, lfts=lfts)
    assert said(loads_verdict(rs.analyse(scenario))) == named(advise(scenario, QUICK))
    why_not = {row.lever: row.why_not for row in single_advice(scenario).rows if "OpenSM" in row.lever}
    assert set(why_not.values()) == {"OpenSM was not asked; advise asks it"}


def test_compare_says_what_helps_the_rail_aware_design():
    scenario = rs.Scenario.of("hgx-b200-64", rs.Collective("all-reduce", algorithm="ring"))
    rungs = ladder(scenario)
    aware = rungs[-1].outcome.analysis.scenario
    verdict = ladder_verdict(rungs)
    assert said(verdict) == named(advise(aware, QUICK)) is not None
    assert str(verdict.helps[0].lever) in verdict.text.lower()


def test_step_says_what_helps_the_step():
    changes = {"layout.pp": 1, "layout.vp": 1, "layout.ep": 16, "batch.sequences": 256, "experts.popularity": "zipf"}
    workload = changed_layout(rs.read_workload("deepseek-v3"), changes, "deepseek-v3")
    fabric = rs.opened_fabric(clos(hosts=4, gpus=4, hosts_per_domain=1, wiring="rail"))
    verdict = step_verdict(study_step(fabric, workload, 16))
    assert said(verdict) == named(advise(step_scenario(fabric, workload, 16), QUICK)) is not None
    assert f"{verdict.helps[0].lever} (a " in verdict.sentences[-1].lower()


def test_commands_print_it(tmp_path, capsys):
    words = (TIGHT, "--collective", "all-to-all", "--routing", "ecmp")
    found = {}
    for command in ("advise", "loads", "explain"):
        app([command, *words, "--json"], standalone_mode=False)
        verdict = json.loads(capsys.readouterr().out)["verdict"]
        best = verdict["helps"][0]
        found[command] = best["lever"], best["takes"], best["time_s"], best["factor"]
        assert "Adaptive routing (a setting) makes it 1.1 times faster" in verdict["text"]
    assert len(set(found.values())) == 1


def test_levers_are_in_the_order_of_what_they_take():
    """So that of two that gain the same the cheaper one is named, and none is left out that could be better."""
    scenario = rs.Scenario.of(clos(hosts=24, oversubscription=2.0), rs.Collective("all-to-all"), routing=rs.Ecmp())
    costs = [COSTS.index(row.cost) for row in advise(scenario, QUICK).rows]
    assert costs == sorted(costs)
    first = [COSTS.index(next(iter(advise(scenario, (lever,)).rows)).cost) for lever in QUICK[:-3]
             if advise(scenario, (lever,)).rows]  # fmt: skip
    assert first == sorted(first)


def test_what_takes_too_long_is_not_tried_unasked():
    """Thousands of phases: that is a matter of the job, whatever the machine."""
    flows = rs.Flows([0], [9], [1.0])
    schedule = rs.Schedule(tuple(rs.Phase(flows) for _ in range(1000)))
    scenario = rs.Scenario.of("hgx-b200-64", schedule)
    assert what_helps(scenario) is None
    assert not loads_verdict(rs.analyse(scenario)).helps
