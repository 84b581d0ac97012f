"""What helps: cases whose best lever is known, against what the other studies give for the same design."""

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import railscope as rs
from collectives.errors import InputError
from fabric.commands.app import app, run
from fabric.formats.opening import OpenedFabric
from fabric.jobs.traffic import with_algorithm
from fabric.studies.advice import study
from fabric.studies.advice.lever import Cost
from fabric.studies.advice.levers import LEVERS
from fabric.studies.advice.mend import mend_hottest
from fabric.studies.advice.recabled import recabled
from fabric.studies.advice.repairs import repairs_of
from fabric.studies.advice.routes import tables_anew
from fabric.studies.opensm import missing_tools
from fabric.studies.verdicts.advise import advise_verdict
from fabric.topology import ISL, NIC, NVLINK
from tests.fabric.studies.verdict_cases import changed_cables, clos

DUMP = "tests/data/infiniband/hurt512-updn"
TIGHT = str(Path("examples/tight-64.toml").resolve())
# OpenSM runs in a test of its own.
QUICK = tuple(lever for lever in LEVERS if lever is not tables_anew)


def advise(scenario, levers=LEVERS) -> Any:
    return study.advise(scenario, levers)


def best_advice(advice) -> Any:
    return advice.best


def row_of(advice, lever) -> Any:
    return next(row for row in advice.rows if row.lever.startswith(lever))


def kept(advice):
    return [row.lever for row in advice.combined]


@pytest.fixture(scope="module")
def hurt():
    opened = rs.open_fabric(f"{DUMP}.ibnetdiscover.gz")
    lfts = rs.match_lfts(rs.open_lfts(f"{DUMP}.lfts.gz"), opened.topology, opened.origin)
    rule = rs.PlacementRule(hosts="h00[00-15]")
    return rs.Scenario.of(opened, rs.Collective("all-to-all"), rule=rule, lfts=lfts)


def test_naive_placement_is_packed():
    """Groups of the size of an NVLink domain: packed, the network carries nothing."""
    description = clos(hosts=16, gpus=4, hosts_per_domain=4, wiring="rail")
    asked, scattered = rs.Collective("all-to-all", group=16), rs.PlacementRule("scattered")
    advice = advise(rs.Scenario.of(description, asked, rule=scattered))
    best = best_advice(advice)
    assert (best.lever, best.cost) == ("packed placement", Cost.RESTART)
    idle = best.trial.analysis.loads.total.bytes[best.trial.scenario.topology.link_kind != NVLINK]
    assert not idle.any()
    packed = rs.analyse(rs.Scenario.of(description, asked))
    assert best.trial.time_s == packed.time_s
    assert best.gain == advice.base.time_s / packed.time_s
    # The same hosts in another order, and Slurm's segments, do the same.
    assert row_of(advice, "order of ranks").trial.time_s == packed.time_s
    assert row_of(advice, "segmented").trial.time_s == packed.time_s
    assert kept(advice) == ["packed placement"]
    assert advise_verdict(advice).sentences[0].startswith("Packed placement (a restart) makes it ")


def test_hashing_gives_way_to_adaptive_routing():
    scenario = rs.Scenario.of(TIGHT, rs.Collective("all-to-all"), routing=rs.Ecmp())
    advice = advise(scenario)
    seeds: Any = rs.over_hash_seeds(scenario, 5).time_s
    assert advice.base.time_s == seeds.percentile(50)
    assert advice.base.seeds.worst == seeds.worst
    even = rs.analyse(scenario.routed(rs.Adaptive()))
    best = best_advice(advice)
    assert (best.lever, best.cost, best.trial.time_s) == ("adaptive routing", Cost.SETTING, even.time_s)
    assert best.gain == seeds.percentile(50) / even.time_s
    more = row_of(advice, "8 hashed flows")
    assert more.trial.time_s == rs.over_hash_seeds(scenario.routed(rs.Ecmp(8)), 5).time_s.percentile(50)
    assert kept(advice) == ["adaptive routing"]


def test_shared_seeds_are_taken_apart():
    """With one seed for all switches three tiers polarize: seeds of their own mend it, and cost nothing."""
    scenario = rs.Scenario.of(rs.fat_tree(8), rs.Collective("all-to-all"), routing=rs.Ecmp(shared_seed=True))
    advice = advise(scenario)
    apart = row_of(advice, "a hash seed for each switch")
    assert apart.gain > 1.5
    own = rs.over_hash_seeds(scenario.routed(rs.Ecmp()), 5)
    assert apart.trial.time_s == own.time_s.percentile(50)


def test_cross_rail_traffic_goes_over_nvlink():
    """One leaf a rail and few cables above: sent over NVLink first, nothing climbs, and the NICs are the limit."""
    description = clos(hosts=8, gpus=8, hosts_per_domain=1, oversubscription=4.0, wiring="rail")
    advice = advise(rs.Scenario.of(description, rs.Collective("all-to-all")))
    best = best_advice(advice)
    assert (best.lever, best.cost) == ("PXN transport", Cost.SETTING)
    assert best.trial.over_bound == pytest.approx(1)
    assert best.trial.scenario.topology.link_kind[best.trial.analysis.hottest.link] == NIC
    # 7/8 of what a NIC sends, over a quarter of the capacity.
    assert best.gain == pytest.approx(4 * 7 / 8)
    bought = row_of(advice, "no oversubscription of the leaf")
    assert (bought.cost, bought.gain) == (Cost.PURCHASE, pytest.approx(4 * 7 / 8))
    assert kept(advice) == ["PXN transport"]


def test_wired_by_host_rails_and_pxn_help_together():
    """PXN alone can do nothing for hosts on leaves of their own: it is the wiring that makes it pay."""
    description = clos(hosts=8, gpus=8, hosts_per_domain=1, oversubscription=4.0, wiring="host")
    advice = advise(rs.Scenario.of(description, rs.Collective("all-to-all")))
    # With a leaf for each host, nothing is faster than what climbs from it.
    assert "at the bound" in row_of(advice, "PXN transport").why_not
    alone, both = row_of(advice, "wired by rail"), row_of(advice, "wired by rail, with PXN")
    assert alone.cost == both.cost == Cost.RECABLING
    assert advice.best_of(Cost.RECABLING).lever == "wired by rail, with PXN transport"
    assert both.gain == pytest.approx(4)
    rungs = rs.ladder(rs.Scenario.of(description, rs.Collective("all-to-all")))
    assert both.trial.time_s == pytest.approx(rungs[-1].outcome.time_s)


def test_tables_and_missing_cables(hurt):
    """24 cables of this fabric are gone: adaptive routing works around them, so does putting them back."""
    advice = advise(hurt, QUICK)
    assert (best := best_advice(advice)).lever == "adaptive routing"
    routings = {one.name: one for one in rs.compare_routings(hurt, [hurt.routing, rs.DModK(), rs.Adaptive()])}
    assert best.gain == routings["adaptive"].gain
    assert row_of(advice, "D-mod-K").gain == routings["dmodk"].gain
    mended = advice.best_of(Cost.RECABLING)
    assert mended.lever == "mending all 24 cables"
    assert mended.trial.scenario.topology.n_links == hurt.topology.n_links + 48
    assert mended.trial.over_bound == pytest.approx(1)
    hottest = row_of(advice, "mending the hottest link")
    assert hottest.lever == "mending the hottest link, leaf2 - spine3"
    # The next link on the list of hotspots is what limits then.
    second = rs.analyse(hurt).hotspots[1]
    assert hottest.trial.time_s == pytest.approx(second.seconds)
    assert row_of(advice, "wired by rail").why_not.startswith("the fabric has no description")
    assert row_of(advice, "PXN").why_not.startswith("the fabric knows no NVLink")


def test_what_no_command_says_is_told_in_words(hurt):
    advice = advise(hurt, (mend_hottest,))
    best = best_advice(advice)
    assert best.cost == Cost.RECABLING
    assert not advice.repeatable(best)
    assert advise_verdict(advice).sentences[-1] == "To do: put 1 cable back: leaf2 port 40 - spine3 port 6."


def test_tables_follow_the_cables(hurt):
    """Where nothing is mended the tables lead as before; mended cables share what their siblings had."""
    before = rs.analyse(hurt).loads.total
    everything = np.ones(hurt.topology.n_links, bool)
    same = recabled(hurt, "nothing")
    assert np.array_equal(rs.analyse(same).loads.total.bytes, before.bytes)
    cables = [cable for one in repairs_of(hurt.fabric) for cable in one.cables()]
    mended = recabled(hurt, "all", new=cables)
    after = rs.analyse(mended).loads.total

    def by_pair(loads):
        topology = loads.topology
        pair = topology.link_tail.astype(np.int64) * topology.n_nodes + topology.link_head
        return np.bincount(pair, loads.bytes)

    np.testing.assert_allclose(by_pair(after), by_pair(before))
    assert not repairs_of(mended.fabric)
    # Without one of two parallel cables, the other one carries both's.
    topology = hurt.topology
    link = int(np.flatnonzero((topology.link_kind == ISL) & (topology.link_cable_index == 1))[0])
    everything[[link, topology.link_reverse[link]]] = False
    np.testing.assert_allclose(by_pair(rs.analyse(recabled(hurt, "one", everything)).loads.total), by_pair(before))
    lone = next(one for one in range(topology.n_links) if topology.link_kind[one] == NIC)
    everything[[lone, topology.link_reverse[lone]]] = False
    with pytest.raises(InputError, match="the tables know no other cable than"):
        recabled(hurt, "an endpoint's", everything)


def test_opensm_computes_tables_anew(hurt):
    advice = advise(hurt, (tables_anew,))
    if missing_tools():
        assert all("not installed" in row.why_not for row in advice.rows)
        return
    # As the tables in force were made; and those of another engine, which spread destinations better.
    assert row_of(advice, "OpenSM's updn").gain == pytest.approx(1)
    assert row_of(advice, "OpenSM's dfsssp").gain > 1.5
    assert "cannot route this fabric" in row_of(advice, "OpenSM's ftree").why_not


def test_a_slow_cable_is_mended_or_left_out():
    topology = changed_cables(rs.build(clos(hosts=16, radix=16)), gbps=lambda tail, head, cable, usual: (
        100.0 if (tail, head, cable) == ("l00", "s00", 0) else usual
    ))  # fmt: skip
    scenario = rs.Scenario.of(topology, rs.Collective("all-to-all"), routing=rs.Ecmp())
    advice = advise(scenario)
    healthy = rs.build(clos(hosts=16, radix=16))
    usual = rs.over_hash_seeds(rs.Scenario.of(healthy, rs.Collective("all-to-all"), routing=rs.Ecmp()), 5)
    mended = row_of(advice, "mending the hottest link, l00 - s00")
    assert mended.trial.time_s == usual.time_s.percentile(50)
    drained = row_of(advice, "leaving the slow cable out")
    assert drained.cost == Cost.SETTING
    assert drained.gain > 1.5
    topology = drained.trial.scenario.topology
    assert topology.n_links == healthy.n_links - 2
    assert not drained.applied.repeatable


def test_at_the_bound_nothing_helps():
    advice = advise(rs.Scenario.of("hgx-b200-64", rs.Collective("all-to-all"), routing=rs.Ecmp()))
    assert best_advice(advice) is None
    assert advice.combined == ()
    assert not advice.helping
    assert "at the bound" in row_of(advice, "adaptive routing").why_not
    verdict = advise_verdict(advice)
    assert verdict.sentences[0].startswith(
        "Nothing helps: the senders' NICs are the limit, 18.79 ms, at the bound: no algorithm is faster"
    )


def test_algorithms_of_the_library_are_tried():
    """One ring over all hosts uses a NIC of each; the library's rings use all."""
    scenario = rs.Scenario.of("hgx-b200-64", rs.Collective("all-reduce", algorithm="ring"))
    advice = advise(scenario)
    best = best_advice(advice)
    assert best.lever == "algorithm rings"
    again = rs.Scenario.of("hgx-b200-64", rs.Collective("all-reduce", algorithm="rings"))
    assert best.trial.time_s == rs.analyse(again).time_s
    assert best.applied.options["algorithm"] == "rings"
    few = rs.Scenario.of("hgx-b200-64", rs.Collective("all-reduce", algorithm="rings", n_channels=1))
    assert row_of(advise(few), "all 8 channels").trial.time_s == best.trial.time_s
    with pytest.raises(InputError, match="expected a collective"):
        with_algorithm(replace(scenario.traffic, collective=None), "rings")


def test_a_change_that_loses_by_latency_does_not_help():
    asked = rs.Collective("all-reduce", size=8192, algorithm="rings")
    for row in advise(rs.Scenario.of("hgx-b200-64", asked)).rows:
        assert not row.helps or row.predicted_gain * 1.01 >= 1


def test_what_cannot_be_tried_says_why():
    n = 16
    flows = rs.Flows(np.arange(n), (np.arange(n) + 8) % n, np.ones(n))
    schedule = rs.Schedule((rs.Phase(flows),))
    fabric = OpenedFabric("x", rs.build(clos(hosts=16)))
    advice = advise(rs.Scenario.of(fabric, schedule))
    assert all(row.why_not or row.trial for row in advice.rows)
    assert row_of(advice, "another algorithm").why_not == "the traffic is no single collective"
    assert row_of(advice, "wired by").why_not.startswith("the fabric has no description")


def test_nothing_carried():
    advice = advise(rs.Scenario.of("hgx-b200-64", rs.Collective("all-to-all", group=1)))
    assert advice.rows == ()
    assert advise_verdict(advice).sentences[0].startswith("Nothing is carried")


@pytest.fixture
def here(tmp_path, monkeypatch):
    text = Path(TIGHT).read_text()
    (tmp_path / "tight.toml").write_text(text)
    (tmp_path / "nvl.toml").write_text(text.replace("hosts_per_domain = 1", "hosts_per_domain = 2"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def answer(here, capsys):
    """What a command prints with --json, from its words or its whole line."""

    def printed(*words: str) -> Any:
        given = shlex.split(words[0])[1:] if len(words) == 1 else list(words)
        app([*given, "--json"], standalone_mode=False)
        return json.loads(capsys.readouterr().out)

    return printed


def test_every_command_runs_the_design_that_it_names(answer):
    words = ("advise", "nvl.toml", "--wiring", "host", "--collective", "all-to-all", "--group", "16", "--placement",
             "scattered", "--seed", "3", "--routing", "ecmp", "--gpus", "48")  # fmt: skip
    document = answer(*words)
    assert document == answer(*words, "--threads", "1")
    rows = [row for row in (*document["rows"], *document["combined"]) if row["time_s"] is not None]
    commands = {row["command"]: row["time_s"] for row in rows if (row["command"] or "").startswith("railscope loads")}
    assert len(commands) >= 5
    for command, time_s in commands.items():
        found = answer(command)
        seeds = found["hash_seeds"]
        assert time_s == (found["summary"]["bottleneck_time_s"] if seeds is None else seeds["time_s"]["p50"]), command


def test_first_comes_the_answer(answer, capsys):
    words = ("advise", "tight.toml", "--collective", "all-to-all", "--routing", "ecmp")
    app(list(words), standalone_mode=False)
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("# Adaptive routing (a setting) makes it 1.1 times faster, 18.79 ms instead of 20.64 ms")
    assert first.endswith(" Apply: railscope loads tight.toml --collective all-to-all --routing adaptive")
    spines = next(row for row in answer(*words)["rows"] if "spines" in row["lever"])
    designs = answer(spines["command"])["designs"]
    times = [one["summary"]["bottleneck_time_s"] for one in designs]
    assert sorted(times)[2] == spines["time_s"]
    assert max(times) == spines["seeds"]["worst"]


def test_an_order_of_ranks_is_written(here, answer, capsys):
    job = ("nvl.toml", "--collective", "all-to-all", "--group", "16")
    words = ("advise", *job, "--placement", "scattered")
    row = next(row for row in answer(*words, "--write-order", "order.txt")["rows"] if "order" in row["lever"])
    assert len((here / "order.txt").read_text().split()) == 64
    assert row["gain"] > 1.05
    assert row["command"].startswith(f"railscope {' '.join(words)} --write-order order.txt && railscope loads nvl.toml")
    found = answer("loads", *job, "--placement", "order.txt")
    assert found["summary"]["bottleneck_time_s"] == row["time_s"]
    with pytest.raises(InputError, match=r"order\.txt"):
        answer(*words, "--write-order", "order.txt")


def test_a_mended_fabric_is_written(here, answer):
    dump = (Path(__file__).parents[3] / DUMP).with_suffix(".ibnetdiscover.gz")
    job = ("--collective", "all-to-all", "--hosts", "h00[00-07]", "--routing", "ecmp")
    rows = answer("advise", str(dump), *job, "--write-fabric", "recabled.json")["rows"]
    row = next(row for row in rows if row["lever"].startswith("mending all"))
    first, second = row["command"].split(" && ")
    assert first == shlex.join(["railscope", "advise", str(dump), *job, "--write-fabric", "recabled.json"])
    assert second == shlex.join(["railscope", "loads", "recabled.json", *job, "--seeds", "5"])
    assert answer(second)["hash_seeds"]["time_s"]["p50"] == row["time_s"]
    assert next(row for row in rows if row["lever"].startswith("mending the hottest"))["command"] is None
    with pytest.raises(InputError, match=r"mended\.doc: expected a name that ends in"):
        answer("advise", str(dump), *job, "--write-fabric", "mended.doc")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("tight.toml",), 2, "expected one of --collective, --trace, --demand and --workload"),
        (("tight.toml", "--collective", "all-to-all", "--queue-pairs", "2"), 2, "only --routing ecmp hashes"),
        (("gone.toml", "--collective", "all-to-all"), 1, "neither a preset nor a file"),
        (("tight.toml", "--collective", "all-to-all", "--gpus", "999"), 1, "999 asked"),
        (("tight.toml", "--collective", "all-to-all", "--routing", "lft"), 2, "expected forwarding tables"),
    ],
)
def test_bad_input_is_one_line(here, monkeypatch, capsys, words, status, said):
    monkeypatch.setattr(sys, "argv", ["railscope", "advise", *words])
    with pytest.raises(SystemExit) as end:
        run()
    errors = capsys.readouterr().err
    assert end.value.code == status
    assert said in errors
    assert errors.count("\n") == 1
