"""Measured beside predicted, where the truth is known: counters are made from the model's own loads."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from collectives.errors import InputError
from fabric.formats.counters.matching import MatchedPorts
from fabric.formats.opening import open_fabric, open_lfts
from fabric.jobs.requests import Collective
from fabric.jobs.rule import PlacementRule
from fabric.reports.counters import counters_csv, counters_report
from fabric.reports.figures.counters import counters_figure, outliers
from fabric.routing.link_loads import schedule_loads
from fabric.routing.match_lfts import match_lfts
from fabric.scenario import Scenario
from fabric.studies.advice.study import single_advice
from fabric.studies.counters import compared, study_counters
from fabric.studies.measured import Measured
from fabric.studies.port_groups import leaf_shares, port_groups
from fabric.studies.suspects import allowed_symbol_errors, siblings_of
from fabric.studies.verdicts.counters import counters_verdict
from fabric.studies.verdicts.verdict import CauseKind
from fabric.topology import ISL, NIC, UP
from tests.fabric import counter_twins as twins
from tests.fabric.counter_twins import IB
from traces.operation import Operation, RankReport, Trace

RAN, SECONDS = 5, 10.0


def site(name, **request):
    """A fabric, a job on it along its tables, and the bytes that its links carry in one run."""
    fabric = open_fabric(str(IB / f"{name}.ibnetdiscover.gz"))
    lfts = match_lfts(open_lfts(IB / f"{name}.lfts.gz"), fabric.topology, fabric.origin)
    rule = PlacementRule(gpus=request.pop("gpus", None))
    scenario = Scenario.of(fabric, Collective("all-to-all", "1GiB", **request), lfts=lfts, rule=rule)
    loads = schedule_loads(fabric.topology, scenario.schedule, scenario.placement, scenario.routing)
    return SimpleNamespace(fabric=fabric, topology=fabric.topology, scenario=scenario, bytes=loads.total.bytes)


@pytest.fixture(scope="module")
def naive():
    return site("naive64-updn")


@pytest.fixture(scope="module")
def hurt():
    return site("hurt512-updn", gpus=128)


def noisy(loads, seed=1, noise=0.01):
    """Bytes of `RAN` runs as counters have them: other traffic and other moments."""
    return RAN * loads * (1 + noise * np.random.default_rng(seed).standard_normal(loads.size))


def slowed(where, carried, part=0.4, number=17):
    """One link between switches that carries less, and a sibling that makes up for it."""
    topology = where.topology
    up = np.flatnonzero((topology.link_kind == ISL) & (topology.link_direction == UP) & (where.bytes > 0))
    slow = int(up[number])
    like = up[(topology.link_tail[up] == topology.link_tail[slow]) & (up != slow)]
    twin = int(like[np.argmin(np.abs(where.bytes[like] - where.bytes[slow]))])
    carried = carried.copy()
    carried[twin] += part * carried[slow]
    carried[slow] *= 1 - part
    return carried, slow, twin


def snapshots(tmp_path, where, carried, write=twins.guilbaults, change=None, **more):
    """Files before and after; `change` may touch the ports of both."""
    before, after = (twins.ports_of(where.fabric, one, **more) for one in (None, carried / 4))
    if change is not None:
        change(before, after)
    for name, ports in (("before", before), ("after", after)):
        (tmp_path / name).write_text(write(ports))
    return {"before": tmp_path / "before", "after": tmp_path / "after", "interval_s": SECONDS}


def number_of(where, link):
    """Place of a link's port among those of the twin."""
    kept = np.flatnonzero(where.topology.link_kind != 2)
    return int(np.searchsorted(kept, link))


@pytest.mark.parametrize("name", ["naive", "hurt"])
@pytest.mark.parametrize("with_traffic", [True, False])
def test_the_slow_cable_comes_first(tmp_path, request, name, with_traffic):
    """Noise, one slow cable, one reset, one wrap, one saturated counter."""
    where = request.getfixturevalue(name)
    carried, slow, twin = slowed(where, noisy(where.bytes))
    busy = np.flatnonzero((where.topology.link_kind == ISL) & (where.bytes > 0))
    others = [int(link) for link in busy if link not in (slow, twin, *where.topology.link_reverse[[slow, twin]])]
    reset, wrap, full = others[3], others[30], others[50]

    def change(before, after):
        after[number_of(where, reset)].xmit = 1000
        place = number_of(where, wrap)
        grown = after[place].xmit - before[place].xmit
        before[place].xmit = 2**32 - grown // 2
        after[place].xmit = grown - grown // 2
        after[number_of(where, full)].xmit = 2**32 - 1

    files = snapshots(tmp_path, where, carried, change=change)
    study = study_counters(where.fabric, **files, scenario=where.scenario if with_traffic else None)
    measured = study.measured
    names = where.topology.link_name
    assert measured.resets == (names(reset).split(" -> ")[0],)
    assert measured.wraps == (names(wrap).split(" -> ")[0],)
    assert np.flatnonzero(np.isnan(measured.sent)).tolist() == sorted((reset, full))
    # The other ends say what they carried.
    kept = measured.known
    assert kept.all()
    assert np.allclose(measured.bytes, carried, atol=4, rtol=0)
    assert any("saturated" in note for note in measured.notes)
    if with_traffic:
        assert study.scale == pytest.approx(RAN, rel=0.02)
        assert study.explained == pytest.approx(0.99, abs=0.01)
    elif name == "hurt":
        # Static routes: siblings differ, and say nothing.
        return
    assert [study.suspects[0].link, study.suspects[0].twin] == [slow, twin]
    assert len(study.suspects) == 1
    verdict = counters_verdict(study)
    assert verdict.cause is CauseKind.SUSPECT_CABLE
    assert verdict.text.startswith(f"Suspect: {names(slow)} carried 4")
    assert f"{names(twin)} makes up for it" in verdict.text


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", ["naive", "hurt"])
def test_noise_alone_is_no_suspect(tmp_path, request, name, seed):
    where = request.getfixturevalue(name)
    files = snapshots(tmp_path, where, noisy(where.bytes, seed, 0.02))
    for scenario in (where.scenario, None):
        assert not study_counters(where.fabric, **files, scenario=scenario).suspects


def test_a_whole_tier_that_carries_more_makes_no_cable_suspect(tmp_path, naive):
    """Other jobs between the leaves: hosts carried less than the scaled prediction, and none of them is slow."""
    carried = noisy(naive.bytes)
    carried[naive.topology.link_kind == ISL] *= 2
    carried, slow, twin = slowed(naive, carried)
    study = study_counters(naive.fabric, **snapshots(tmp_path, naive, carried), scenario=naive.scenario)
    assert [(one.link, one.twin) for one in study.suspects] == [(slow, twin)]


def test_idle_links_are_no_suspects(tmp_path, naive):
    """Keep-alives differ from link to link, and between the ends of one."""
    topology = naive.topology
    names = np.array(topology.nodes.name)
    idle = np.isin(names[topology.link_tail], ["leaf6", "leaf7"]) | np.isin(
        names[topology.link_head], ["leaf6", "leaf7"]
    )
    carried = np.where(idle, 4000.0, noisy(naive.bytes))
    few = np.flatnonzero(idle)
    carried[few[::16]] = 400.0

    def change(before, after):
        after[number_of(naive, int(few[1]))].rcv += 50000

    study = study_counters(naive.fabric, **snapshots(tmp_path, naive, carried, change=change))
    assert not study.suspects
    assert study.measured.agreeing_cables == (128, 128)


def test_lost_packets_alone_are_no_suspect(tmp_path, naive):
    """Discards and remote errors come from elsewhere; of a suspect cable they are said besides."""
    carried, slow, _ = slowed(naive, noisy(naive.bytes))

    def change(before, after):
        for port in after:
            port.errors = {"PortXmitDiscards": 7, "PortRcvErrors": 1}
        for port in before:
            port.errors = {"PortXmitDiscards": 0, "PortRcvErrors": 0}

    files = snapshots(tmp_path, naive, carried, twins.perfquery, change)
    (suspect,) = study_counters(naive.fabric, **files).suspects
    assert suspect.link == slow
    assert [reason.text for reason in suspect.reasons[1:]] == ["1 receive error", "1 receive error"] + [
        "7 discarded packets"
    ] * 2


def test_other_traffic_is_said(tmp_path, naive):
    files = snapshots(tmp_path, naive, np.random.default_rng(5).uniform(0, 4e9, naive.bytes.size))
    study = study_counters(naive.fabric, **files, scenario=naive.scenario)
    assert study.explained is not None
    assert study.explained < 0.8
    assert "explains only" in counters_verdict(study).text


def test_errors_waiting_and_ends_that_disagree(tmp_path, naive):
    """What a cable shows besides its bytes; limits and units as NVIDIA has them."""
    topology = naive.topology
    carried = noisy(naive.bytes)
    up = np.flatnonzero((topology.link_kind == ISL) & (topology.link_direction == UP))
    sick, waits, leaks, fine = (int(up[n]) for n in (2, 20, 40, 60))
    errors, wait = np.zeros(carried.size), np.zeros(carried.size)
    errors[sick], errors[fine] = 40, 2
    # 2 of 10 Gb/s, 32 bits a tick.
    wait[waits] = 2e9 * SECONDS / 32

    def change(before, after):
        after[number_of(naive, int(topology.link_reverse[leaks]))].rcv -= int(0.05 * carried[leaks] / 4)

    files = snapshots(tmp_path, naive, carried, twins.db_csv, change, symbol_errors=errors, wait=wait)
    study = study_counters(naive.fabric, **files)
    assert study.measured.wait_gbps is not None
    assert study.measured.wait_gbps[waits] == pytest.approx(2.0)
    found = {suspect.link: suspect.reasons[0] for suspect in study.suspects}
    assert set(found) == {sick, waits, leaks}
    assert study.suspects[0].link == sick
    assert found[sick].text == "40 symbol errors, 2.88 are allowed"
    assert found[waits].text.startswith("waited for 2 Gb/s (20 % of the cable)")
    assert found[leaks].text == "its two ends disagree: 5 % of what it sent did not arrive"


@pytest.mark.parametrize(
    ("gbps", "interval_s", "allowed"),
    [(100.0, 60.0, 2.88), (100.0, 1440.0, 5.76), (400.0, 60.0, 3.0), (400.0, 15000.0, 6.0), (400.0, None, 3.0)],
)
def test_symbol_errors_that_are_allowed(gbps, interval_s, allowed):
    assert allowed_symbol_errors(gbps, interval_s) == pytest.approx(allowed)


def test_what_is_refused(tmp_path, naive):
    files = snapshots(tmp_path, naive, noisy(naive.bytes))
    with pytest.raises(InputError, match="one snapshot; expected two"):
        study_counters(naive.fabric, after=files["after"])
    with pytest.raises(InputError, match="one snapshot; expected two"):
        study_counters(naive.fabric, delta=files["after"])
    with pytest.raises(InputError, match="not both"):
        study_counters(naive.fabric, **files, delta=files["after"])
    with pytest.raises(InputError, match=r"256 ports of 256 count less than in .*; expected the earlier one as before"):
        study_counters(naive.fabric, before=files["after"], after=files["before"])
    with pytest.raises(InputError, match="interval 0 s"):
        study_counters(naive.fabric, **{**files, "interval_s": 0.0})
    with pytest.raises(InputError, match="0 of 256 ports with data have a cable in hgx-b200-64"):
        study_counters("hgx-b200-64", **files)
    with pytest.raises(InputError, match="the traffic is on another fabric"):
        study_counters(open_fabric(str(IB / "naive64-updn.ibnetdiscover.gz")), **files, scenario=naive.scenario)
    timed = snapshots(tmp_path, naive, noisy(naive.bytes), twins.ufm_csv)
    with pytest.raises(InputError, match="is not later than"):
        study_counters(naive.fabric, before=timed["before"], after=timed["after"])


def test_more_than_a_cable_carries_is_said(tmp_path, naive):
    files = snapshots(tmp_path, naive, noisy(naive.bytes))
    study = study_counters(naive.fabric, **{**files, "interval_s": 1.0})
    assert "256 of 256 links carried more than they can in 1 s" in counters_verdict(study).text


def test_ends_that_do_not_agree_are_said(tmp_path, naive):
    """Counters as they stand, taken for what they grew by: each port counts since a reset of its own."""
    (tmp_path / "delta").write_text(twins.db_csv(twins.ports_of(naive.fabric, naive.bytes / 4), "PM_DELTA"))
    study = study_counters(naive.fabric, delta=tmp_path / "delta")
    assert "cables count differently" in counters_verdict(study).text


def test_counters_of_a_fabric_that_is_wired_otherwise_are_said(tmp_path, naive):
    """The same GUIDs, as after somebody moved cables: the ends of most no longer agree."""
    files = snapshots(tmp_path, naive, naive.bytes * np.random.default_rng(8).uniform(1, 9, naive.bytes.size))
    study = study_counters(str(IB / "rail64-ftree.ibnetdiscover.gz"), **files)
    text = counters_verdict(study).text
    assert text.startswith("The two ends of ")
    assert "are wired otherwise, or ports were read at different moments" in text
    assert not any(reason.kind == "ends-disagree" for suspect in study.suspects for reason in suspect.reasons)


def test_ports_of_another_fabric_among_them_are_said(tmp_path, naive):
    def change(before, after):
        for port in (*before[:64], *after[:64]):
            port.node_guid, port.port_guid = port.node_guid + 2**40, port.port_guid + 2**40

    study = study_counters(naive.fabric, **snapshots(tmp_path, naive, noisy(naive.bytes), twins.treydock, change))
    rows = {row[0]: row[1] for row in counters_report(study).tables[0].rows}
    assert rows["not in the fabric"].startswith("64 ports with data (25%), such as GUID 0x")
    assert rows["ports found"] == "192 by GUID"


def test_an_idle_fabric_carries_nothing(tmp_path, naive):
    files = snapshots(tmp_path, naive, 0 * naive.bytes)
    verdict = counters_verdict(study_counters(naive.fabric, **files))
    assert verdict.cause is CauseKind.NOTHING_CARRIED


def test_a_wrap_without_a_time_needs_to_be_near_the_end(tmp_path, naive):
    def change(before, after):
        before[0].xmit, after[0].xmit = 2**32 - 1000, 1000
        before[1].xmit, after[1].xmit = 2**31, 1000

    files = snapshots(tmp_path, naive, 0 * naive.bytes, change=change)
    measured = study_counters(naive.fabric, before=files["before"], after=files["after"]).measured
    assert (len(measured.wraps), len(measured.resets)) == (1, 1)
    assert measured.sent[0] == 8000
    # With 64 bits there is no wrap.
    files = snapshots(tmp_path, naive, noisy(naive.bytes), twins.perfquery, change)
    measured = study_counters(naive.fabric, before=files["before"], after=files["after"]).measured
    assert (len(measured.wraps), len(measured.resets)) == (0, 2)


@pytest.mark.parametrize("evidence", ["other end", "errors"])
@pytest.mark.parametrize("with_traffic", [True, False])
def test_a_reset_that_no_counter_of_data_shows(tmp_path, naive, evidence, with_traffic):
    """A port was reset and has counted more since than it had before: its cable carried all the same."""
    topology = naive.topology
    carried = noisy(naive.bytes, noise=0.001)
    up = np.flatnonzero((topology.link_kind == ISL) & (topology.link_direction == UP))
    link = int(up[10])
    left = 0.4 if evidence == "other end" else 0.95

    def change(before, after):
        for port in before:
            port.errors = {"SymbolErrorCounter": 0}
        place = number_of(naive, link)
        old, new = before[place], after[place]
        for one, other in (("xmit", link), ("rcv", int(topology.link_reverse[link]))):
            setattr(old, one, 1000)
            setattr(new, one, 1000 + int(left * carried[other] / 4))
        if evidence == "errors":
            old.errors = {"SymbolErrorCounter": 9}

    files = snapshots(tmp_path, naive, carried, twins.perfquery, change, symbol_errors=np.zeros(carried.size))
    study = study_counters(naive.fabric, **files, scenario=naive.scenario if with_traffic else None)
    assert study.measured.resets == (topology.link_name(link).split(" -> ")[0],)
    assert np.isnan(study.measured.sent[link])
    assert study.measured.bytes[link] == pytest.approx(carried[link], rel=0.01)
    assert not study.suspects


def test_counters_of_errors_that_were_cleared_count_at_least_what_they_show(tmp_path, naive):
    carried = noisy(naive.bytes, noise=0.001)

    def change(before, after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            old.errors = {"SymbolErrorCounter": 60}
            new.errors = {"SymbolErrorCounter": 50 if number == 7 else 0}

    files = snapshots(tmp_path, naive, carried, twins.perfquery, change)
    study = study_counters(naive.fabric, **files)
    assert (len(study.measured.cleared), study.measured.resets) == (256, ())
    assert [one.reasons[0].text for one in study.suspects] == ["50 symbol errors, 2.88 are allowed"]


def test_waiting_up_to_the_end_of_its_range_is_at_least_so_much(tmp_path, naive):
    carried, link = noisy(naive.bytes, noise=0.001), 20

    def change(before, after):
        before[number_of(naive, link)].wait, after[number_of(naive, link)].wait = 295, 2**32 - 1

    files = snapshots(tmp_path, naive, carried, twins.perfquery, change)
    measured = study_counters(naive.fabric, **files).measured
    assert measured.at_end == (naive.topology.link_name(link).split(" -> ")[0],)
    assert measured.wait_ticks[link] == 2**32 - 1 - 295
    report = counters_report(study_counters(naive.fabric, **files))
    assert ("at end of range", f"1 port: {measured.at_end[0]}") in report.tables[0].rows


def test_a_reset_amid_a_range_query_is_named(tmp_path, naive):
    """Three times; at the second one a port has begun anew, at the third it has counted more than at first."""
    carried = noisy(naive.bytes, noise=0.001)
    ports = [twins.ports_of(naive.fabric, part * carried / 4) for part in (0.0, 0.5, 1.0)]
    ports[1][5].xmit = 3
    texts = [twins.ufm_csv(own, time_s=twins.TIME_S + 30.0 * number) for number, own in enumerate(ports)]
    head = texts[0].splitlines()[0]
    rows = [line for text in texts for line in text.splitlines()[1:]]
    (tmp_path / "range.csv").write_text("\n".join([head, *rows]) + "\n")
    measured = study_counters(naive.fabric, delta=tmp_path / "range.csv").measured
    assert measured.resets == (naive.topology.link_name(5).split(" -> ")[0],)


def test_two_jobs_are_two_groups_of_nics(tmp_path, naive):
    """Hosts 0 to 3 and 4 to 7 each talk among themselves; the second job sends a third."""
    topology = naive.topology
    pairs = [site_loads(naive, first, amount) for first, amount in ((0, 3.0), (32, 1.0))]
    carried = noisy(sum(pairs), noise=0.002)
    study = study_counters(naive.fabric, **snapshots(tmp_path, naive, carried))
    groups = port_groups(study.measured)
    assert [group.endpoints for group in groups] == [tuple(range(32)), tuple(range(32, 64))]
    assert [group.suggests for group in groups] == ["a job on 4 whole hosts"] * 2
    shares = leaf_shares(study.measured)
    assert len(shares) == 8
    # Of 31 others 24 are on other leaves.
    assert all(share.share == pytest.approx(24 / 31, rel=0.01) for share in shares)
    assert (topology.link_kind == NIC).sum() == 128


def site_loads(where, first, amount):
    """Loads of an all-to-all of 32 endpoints from one on."""
    request = Collective("all-to-all", "1GiB", group=32)
    rank = PlacementRule(gpus=64)
    scenario = Scenario.of(where.fabric, request, rule=rank, routing=where.scenario.routing)
    both = schedule_loads(where.topology, scenario.schedule, scenario.placement, scenario.routing).total.bytes
    hosts = where.topology.nodes.host
    # Leaf 0 to 3 belong to the first four hosts: a link belongs to the job of the leaf that it touches.
    leaf = np.full(where.topology.n_nodes, -1)
    nic = where.topology.link_kind == NIC
    up = nic & (hosts[where.topology.link_tail] >= 0)
    leaf[where.topology.link_head[up]] = hosts[where.topology.link_tail[up]]
    leaf[where.topology.endpoints] = where.topology.endpoint_host
    own = np.maximum(leaf[where.topology.link_tail], leaf[where.topology.link_head])
    return np.where((own >= 4) == (first >= 32), both * amount, 0.0)


def test_siblings_leave_one_switch_or_one_host(naive):
    topology = naive.topology
    number = siblings_of(topology)
    for group in np.unique(number):
        links = np.flatnonzero(number == group)
        assert links.size == 8
        assert np.unique(topology.link_kind[links]).size == np.unique(topology.link_direction[links]).size == 1


def test_the_report_of_a_scenario(tmp_path, naive):
    carried, slow, twin = slowed(naive, noisy(naive.bytes))
    files = snapshots(tmp_path, naive, carried)
    study = study_counters(naive.fabric, **files, scenario=naive.scenario)
    rows = counters_csv(study).splitlines()
    assert rows[0].split(",")[:4] == ["tail", "tail_port", "head", "head_port"]
    assert len(rows) == 257
    titles = rows[0].split(",")
    row = dict(zip(titles, rows[1 + slow].split(","), strict=True))
    assert float(row["sent_bytes"]) == study.measured.sent[slow]
    assert float(row["residual"]) == pytest.approx(-0.4, abs=0.03)
    expected = study.predicted
    assert expected is not None
    assert outliers(study, expected) == [slow, twin]
    for one in (study, compared(study.measured)):
        picture = counters_figure(one, "x")
        assert picture == counters_figure(one, "x")
        assert picture.startswith(b"\x89PNG")
    report = counters_report(study, figure=tmp_path / "x.svg", csv=tmp_path / "x.csv")
    assert set(report.files) == {str(tmp_path / "x.svg"), str(tmp_path / "x.csv")}
    assert twin in [suspect.twin for suspect in study.suspects]


def test_a_straggler_and_the_cable_behind_it(tmp_path, naive):
    """Rank 9 came last in each collective; its cable to the leaf has symbol errors, that of rank 20 none."""
    topology = naive.topology
    (cable,) = np.flatnonzero(topology.link_tail == topology.endpoints[9])
    errors = np.zeros(topology.n_links, int)
    errors[cable] = 61
    files = snapshots(tmp_path, naive, noisy(naive.bytes), twins.db_csv, symbol_errors=errors)
    ranks = tuple(range(64))

    def scenario_where(last):
        operations = []
        for number in range(6):
            reports = tuple(RankReport(rank, None, 1e-3 if rank == last else 5e-3) for rank in ranks)
            operations.append(Operation("all-to-all", ranks, 64, "g", 1e6, sequence=number, reports=reports))
        trace = Trace(("x",), tuple(operations), 64, traced=ranks)
        job = naive.scenario.job
        return replace(naive.scenario, jobs=(replace(job, traffic=replace(job.traffic, trace=trace)),))

    study = study_counters(naive.fabric, **files, scenario=scenario_where(9))
    (found,) = study.late_cables
    assert (found.late.rank, found.endpoint, found.links) == (9, 9, (int(cable),))
    assert [reason.kind for reason in found.reasons] == ["symbol-errors"]
    text = counters_verdict(study).text
    assert (
        "Rank 9 came last in 6 of 6 collectives; the others waited 4 ms each; its cable, h0001r1 port 1 -> leaf1 "
        in text
    )
    assert "is suspect: 61 symbol errors" in text
    document: Any = counters_report(study).document
    (part,) = document["late_ranks"]
    assert (part["straggler"], part["endpoint"], part["cables"]) == (True, "h0001r1", [topology.link_name(int(cable))])
    assert [one["kind"] for one in part["reasons"]] == ["symbol-errors"]
    other = study_counters(naive.fabric, **files, scenario=scenario_where(20))
    assert "nothing speaks against its cable, h0002r4 port 1 -> leaf2 port 5" in counters_verdict(other).text


def test_links_that_nobody_counts_are_not_known(naive):
    """Measured made by hand: what is not known stays so."""
    n = naive.topology.n_links
    unknown = np.full(n, np.nan)
    sent = unknown.copy()
    sent[:10] = 1e9
    ports = MatchedPorts(np.zeros(1, np.int32), {}, 0, ())
    measured = Measured(naive.fabric, "x", sent, unknown, unknown, {}, 1.0, ports)
    assert measured.known.sum() == 10
    assert compared(measured).tiers[0].known <= 10
    assert measured.agreeing_cables == (0, 0)


def test_what_helps_the_traffic_that_was_counted(tmp_path, hurt):
    """The lever of `advise`, where the prediction is what ran; nothing where other traffic did."""
    study = study_counters(hurt.fabric, **snapshots(tmp_path, hurt, noisy(hurt.bytes)), scenario=hurt.scenario)
    verdict, best = counters_verdict(study), single_advice(hurt.scenario).best
    assert best is not None
    assert best.trial is not None
    assert (verdict.helps[0].lever, verdict.helps[0].time_s) == (best.lever, best.trial.time_s)
    assert verdict.sentences[-1].startswith("Adaptive routing (a setting) makes the traffic ")
    assert "no cable is suspect" in verdict.sentences[0].lower()
    assert counters_verdict(replace(study, scenario=None)).helps == ()
    other = np.random.default_rng(5).permutation(hurt.bytes)
    study = study_counters(hurt.fabric, **snapshots(tmp_path, hurt, RAN * other), scenario=hurt.scenario)
    assert study.explained is not None
    assert study.explained < 0.8
    assert counters_verdict(study).helps == ()
