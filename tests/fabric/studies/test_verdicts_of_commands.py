"""Verdicts on comparisons, bandwidth tables, flows, health and traces whose answers are known."""

from dataclasses import replace
from pathlib import Path

import pytest

from fabric.builders import build, read_preset
from fabric.builders.description import FabricDescription
from fabric.formats.infiniband.lfts import NO_ENTRY, read_lfts
from fabric.formats.opening import open_fabric
from fabric.jobs.placement import packed
from fabric.jobs.requests import Collective
from fabric.routing.match_lfts import match_lfts
from fabric.routing.policies import Adaptive, DModK, Ecmp
from fabric.scenario import Scenario
from fabric.studies.busbw import predict_busbw
from fabric.studies.health import Health, check_fabric
from fabric.studies.health_findings import Finding
from fabric.studies.ladder import ladder
from fabric.studies.routings import compare_routings, usual_routings
from fabric.studies.verdicts.busbw import busbw_limit, busbw_verdict, prediction_verdict
from fabric.studies.verdicts.health import ADVICE, OF_PAIRS, health_verdict
from fabric.studies.verdicts.ladder import ladder_verdict
from fabric.studies.verdicts.rates import alone_s, rates_verdict
from fabric.studies.verdicts.routings import routings_verdict
from fabric.studies.verdicts.trace import trace_verdict
from fabric.studies.verdicts.verdict import CauseKind
from fabric.timing.prediction import Row, alpha_betas, compare_measured, predict
from fabric.timing.protocols import model_for
from fabric.topology import NVLINK
from tests.fabric.studies.verdict_cases import changed_cables, clos, collective_job, routed, shared_flows
from tests.shared_data import TWINS
from traces import read_kineto
from traces.nccl_tests import Measurement
from traces.operation import Operation, Trace

DATA = Path(__file__).parents[3] / "tests" / "data"


def rungs_of(description: FabricDescription, job, naive_placement="scattered"):
    return ladder(Scenario.of(description, job), naive_placement=naive_placement)


def test_ladder_where_placement_alone_does_it():
    """Groups of the size of a domain: packed they never leave NVLink."""
    description = clos(hosts=16, gpus=4, hosts_per_domain=4, wiring="rail")
    job = collective_job("all-to-all", 64, group=16)
    rungs = rungs_of(description, job)
    verdict = ladder_verdict(rungs)
    naive, aware = rungs[0].outcome, rungs[-1].outcome
    assert not aware.loads.total.bytes[aware.loads.topology.link_kind != NVLINK].any()
    assert verdict.facts["network_idle"] == 1
    assert verdict.facts["factor"] == naive.time_s / aware.time_s
    assert verdict.cause == CauseKind.STEP
    assert verdict.causes[0].facts["step"] == "placement"
    placement = next(rung for rung in rungs if rung.outcome.step == "+placement")
    assert verdict.causes[0].facts["alone"] == placement.alone
    assert verdict.causes[0].explains_s == pytest.approx(aware.time_s * (placement.without - 1))
    assert verdict.sentences[1].startswith("Placement pays most")
    assert "nothing crosses the network" in verdict.sentences[2]


def test_ladder_of_one_ring_gains_nothing_and_says_why():
    description = read_preset("hgx-b200-64")
    job = collective_job("all-reduce", 64)
    verdict = ladder_verdict(rungs_of(description, job))
    assert "no faster than the naive one" in verdict.sentences[0]
    assert verdict.cause == CauseKind.ONE_NIC
    assert "algorithm rings (a setting) makes it 8 times faster" in verdict.text
    assert verdict.helps[0].lever == "algorithm rings"


def test_ladder_says_when_a_step_costs_time():
    rungs = rungs_of(clos(hosts=16, gpus=4, hosts_per_domain=1, wiring="rail"), collective_job("all-to-all", 64))
    costly = (*rungs[:2], replace(rungs[2], without=0.8), *rungs[3:])
    assert "without transport it would take 20 % less" in ladder_verdict(costly).text


def test_ladder_of_a_job_that_sends_nothing():
    rungs = rungs_of(clos(hosts=4), collective_job("all-to-all", 4, group=1))
    assert ladder_verdict(rungs).cause == CauseKind.NOTHING_CARRIED


def test_routings_name_the_tables_and_the_best_other():
    given = open_fabric(str(DATA / "infiniband" / "hurt512-updn.ibnetdiscover.gz"))
    tables = match_lfts(read_lfts(DATA / "infiniband" / "hurt512-updn.lfts.gz"), given.topology, given.origin)
    job = collective_job("all-to-all", 512)
    first = routed(given.topology, job, Adaptive())
    outcomes = compare_routings(first.scenario, usual_routings((tables.routing,)))
    verdict = routings_verdict(outcomes)
    times = {outcome.name: outcome.analysis.time_s for outcome in outcomes[1:]}
    best = min(times, key=lambda name: times[name])
    routing = next(cause for cause in verdict.causes if cause.kind == CauseKind.ROUTING)
    assert (routing.facts["best"], routing.facts["best_time_s"]) == (best, times[best])
    assert verdict.helps[0].factor == outcomes[0].analysis.time_s / times[best]
    assert f"The tables of hurt512-updn.lfts.gz take 1.825 s, 79 % longer than {best} routing" in verdict.sentences[0]
    assert any(cause.kind == CauseKind.MISSING_CABLE for cause in verdict.causes)


def test_routings_where_the_first_is_best():
    topology = build(read_preset("hgx-b200-64"))
    job = collective_job("all-to-all", 64)
    first = routed(topology, job, DModK())
    outcomes = compare_routings(first.scenario)
    verdict = routings_verdict(outcomes)
    assert verdict.sentences[0] == "No other routing that was tried is faster than dmodk routing."
    assert CauseKind.ROUTING not in {cause.kind for cause in verdict.causes}


@pytest.fixture(scope="module")
def predicted():
    topology = build(read_preset("hgx-b200-64"))
    where = packed(topology, 64)
    model = model_for("", topology.nvlink_gbps, None, None)[0]
    found = alpha_betas(topology, where, "all-reduce", ("ring",), Adaptive(), model)
    rows = predict("all-reduce", 64, [2.0**power for power in range(3, 35)], found, model, True)
    return topology, where, model, found, rows


def test_busbw_names_the_link_and_where_latency_ends(predicted):
    topology, where, _, _, rows = predicted
    limit = busbw_limit(topology, where, "all-reduce", rows[-1], Adaptive())
    assert limit == busbw_limit(topology, where, "all-reduce", rows[-1], Adaptive(), n_threads=1)
    assert limit is not None
    assert (limit.tier, limit.as_busy, limit.links) == ("host", 8, 64)
    verdict = busbw_verdict(rows, limit)
    peak = max(row.busbw_GBps for row in rows)
    half = min(row.size for row in rows if row.busbw_GBps >= peak / 2)
    assert (verdict.facts["peak_busbw_GBps"], verdict.facts["half_size"]) == (peak, half)
    assert f"{peak:.4g} GB/s at 16 GiB with ring; host links up" in verdict.sentences[0]
    assert verdict.cause == CauseKind.LATENCY
    large = busbw_verdict([row for row in rows if row.size >= 2**30], limit)
    assert large.cause is None
    assert "latency counts little" in large.text


def test_a_prediction_is_judged_as_its_rows_are(predicted):
    topology, where, *_ = predicted
    scenario = Scenario.of(topology, collective_job("all-reduce", 64), placement=where)
    table = predict_busbw(scenario, [2.0**20, 2.0**33], ("ring", "rings"))
    verdict = prediction_verdict(table)
    row = min((row for row in table.rows if row.size == 2.0**33), key=lambda row: row.time_s)
    assert row.algorithm == "rings"
    limit = busbw_limit(topology, where, "all-reduce", row, Adaptive())
    assert verdict == busbw_verdict(table.rows, limit, reach=table.algorithms["rings"].reach)
    assert verdict.limit is not None
    assert verdict.limit.as_busy == 64


def test_busbw_beside_measurements(predicted):
    _, _, model, found, rows = predicted
    measured = [Measurement(row.size, 1.25 * row.time_s, 0.0, 0.0) for row in rows if row.size >= 2**20]
    comparison = compare_measured(measured, "all-reduce", 64, found, model)
    verdict = busbw_verdict(rows, None, comparison)
    assert verdict.facts["median_ratio"] == pytest.approx(0.8)
    assert "0.80 times the measured ones at the median" in verdict.text


@pytest.mark.parametrize("routing", [Adaptive(), DModK(), Ecmp()])
def test_rates_of_an_incast(routing):
    topology = build(clos())
    verdict = rates_verdict(shared_flows(topology, [(n, 9, 1e9) for n in range(10, 14)] + [(0, 1, 1e9)], routing))
    assert verdict.cause == CauseKind.INCAST
    assert (verdict.facts["sharing"], verdict.facts["flows"], verdict.facts["delayed_fraction"]) == (4, 5, 0.8)
    assert verdict.facts["slowdown"] == pytest.approx(4.0)
    assert verdict.facts["alone_s"] == pytest.approx(0.02)
    assert verdict.limit is not None
    assert (verdict.limit.tier, verdict.limit.direction) == ("host", "down")
    assert "with 3 other flows" in verdict.sentences[0]
    assert "4 GPUs send to h0009g0" in verdict.text


def test_rates_of_flows_that_meet_between_switches():
    topology = build(clos(hosts=24))
    verdict = rates_verdict(shared_flows(topology, [(0, 8, 1e9), (1, 16, 1e9)], DModK()))
    assert verdict.cause == CauseKind.SHARED_LINK
    assert (verdict.facts["slowdown"], verdict.facts["sharing"]) == (pytest.approx(2.0), 2)
    assert verdict.causes[0].facts["even_s"] == pytest.approx(0.02)
    assert verdict.sentences[-1] == (
        "Adaptive routing (a setting) makes all flows together 2 times faster, 20 ms instead of 40 ms."
    )
    assert verdict.helps[0].time_s == pytest.approx(0.02)


def test_rates_of_a_sender_with_many_flows():
    topology = build(clos())
    verdict = rates_verdict(shared_flows(topology, [(9, n, 1e9) for n in range(3)], Adaptive()))
    assert verdict.cause == CauseKind.BUSY_SENDER
    assert "h0009g0 sends 3 flows" in verdict.text


def test_rates_of_flows_that_do_not_meet():
    topology = build(clos())
    shared = shared_flows(topology, [(0, 1, 1e9), (2, 3, 2e9), (4, 4, 1e9)], Ecmp())
    verdict = rates_verdict(shared)
    assert alone_s(shared).tolist() == pytest.approx([0.02, 0.04, 0.0])
    assert (verdict.facts["flow"], verdict.facts["delayed_fraction"], verdict.cause) == (2, 0.0, None)
    assert "no flow delays another" in verdict.text
    assert rates_verdict(shared_flows(topology, [(4, 4, 1e9)], Ecmp())).cause == CauseKind.NOTHING_CARRIED


def test_health_of_a_fabric_that_is_whole():
    given = open_fabric(str(DATA / "infiniband" / "rail64-ftree.ibnetdiscover.gz"))
    tables = match_lfts(read_lfts(DATA / "infiniband" / "rail64-ftree.lfts.gz"), given.topology, given.origin)
    verdict = health_verdict(check_fabric(given.topology, tables))
    assert verdict.text == "Nothing is wrong: all 4,032 ordered pairs of endpoints have a route in the tables."
    assert verdict.causes == ()


def test_health_puts_pairs_without_a_route_first():
    given = open_fabric(str(DATA / "infiniband" / "rail64-ftree.ibnetdiscover.gz"))
    tables = read_lfts(DATA / "infiniband" / "rail64-ftree.lfts.gz")
    port = tables.port.copy()
    lid = [number for number in tables.lid_name if port[:, number].max() > 0][-1]
    port[0, lid] = NO_ENTRY
    health = check_fabric(given.topology, match_lfts(replace(tables, port=port), given.topology, given.origin))
    verdict = health_verdict(health)
    (worst,) = [finding for finding in health.findings if finding.kind == "no entry"]
    assert verdict.causes[0].facts["finding"] == "no entry"
    assert verdict.causes[0].facts["fraction"] == worst.count / 4032
    assert verdict.sentences[0].startswith(f"The worst error: {worst.count} ordered pairs")
    assert "route again" in verdict.text


def test_health_of_a_fabric_with_missing_cables():
    whole = build(clos(hosts=24))
    verdict = health_verdict(check_fabric(changed_cables(whole, lambda *cable: cable != ("l00", "s00", 0))))
    severities = [cause.facts["severity"] for cause in verdict.causes]
    assert severities
    assert [severities.count(severity) for severity in ("error", "warning")] == [
        verdict.facts["errors"],
        verdict.facts["warnings"],
    ]
    assert set(severities) <= {"error", "warning"}
    assert "put the missing cable back, l00 " in verdict.text


def test_every_finding_has_advice():
    """The kinds that the study of health can find are those of the table."""
    package = Path(__file__).parents[3] / "fabric"
    files = [
        *package.glob("studies/health_*.py"),
        *package.glob("formats/dump.py"),
        *package.glob("formats/infiniband/*.py"),
        *package.glob("formats/ethernet/*.py"),
        *package.glob("studies/plan_check.py"),
    ]
    source = "".join(path.read_text() for path in files)
    assert all(f'"{kind}"' in source for kind in ADVICE)
    assert set(ADVICE) >= OF_PAIRS
    odd = Health((Finding("warning", "new kind", 3, "new things", ()),), (), 12)
    assert health_verdict(odd).sentences == ("No errors; the first warning: 3 new things.",)


def test_trace_names_what_dominates():
    trace = read_kineto(TWINS / "resnet_2rank_rank0.json.gz")
    verdict = trace_verdict(trace)
    carried = {one: (one.bytes or 0.0) * one.group_size for one in trace.operations}
    total = sum(carried.values())
    main = sum(size for one, size in carried.items() if one.kind == "all-reduce")
    assert verdict.facts["bytes"] == total
    assert verdict.facts["main_fraction"] == main / total
    assert (verdict.facts["main_kind"], verdict.facts["main_operations"]) == ("all-reduce", 15)
    assert verdict.text.startswith(
        "21 operations on 2 ranks, 613.3 MB in all ranks' buffers; all-reduce in groups of 2"
    )


def test_trace_says_what_is_missing_and_what_that_means():
    whole = Operation("all-reduce", (0, 1), 2, bytes=100.0)
    lacking = Operation("all-to-all", (), 2, bytes=None, missing=("ranks", "size"))
    verdict = trace_verdict(Trace(("a.json",), (whole, lacking, lacking), 2))
    assert verdict.cause == CauseKind.MISSING
    assert verdict.causes[0].facts["incomplete"] == 2
    assert "2 of 3 operations cannot be routed" in verdict.text
    assert "those of the others only" in verdict.text
    assert "all ranks" in trace_verdict(Trace(("a.json",), (lacking,), None)).text
    empty = trace_verdict(Trace(("a.json", "b.json"), (), None, (("wait records", 6),)))
    assert empty.text == "No operation with a size in 2 files: nothing can be routed. Found 6 wait records."


def test_fastest_of_several_algorithms_counts():
    rows = [Row(8.0, "ring", "LL", 2.0, 1.0, 1.0, 4.0, 0.5, 2.0), Row(8.0, "tree", "LL", 1.0, 2.0, 2.0, 2.0, 1.0, 1.0)]
    assert busbw_verdict(rows).facts["algorithm"] == "tree"


def test_small_sizes_are_limited_by_latency_not_by_links():
    scenario = Scenario.of("hgx-b200-64", Collective("all-reduce"))
    small = prediction_verdict(predict_busbw(scenario, (8.0, 1024.0)))
    assert small.cause == CauseKind.LATENCY
    assert small.limit is None
    assert "latency limits it" in small.text
    assert small.time_s is not None
    assert small.causes[0].explains_s > 0.5 * small.time_s
    large = prediction_verdict(predict_busbw(scenario, (2.0**34,)))
    assert large.limit is not None
    assert "latency limits" not in large.text
