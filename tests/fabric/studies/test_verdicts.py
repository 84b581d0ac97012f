"""Causes of jobs that were made to have them: the kind, and the numbers in the text."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collectives.schedule import Schedule
from collectives.transport import rail_aligned
from fabric.builders import build
from fabric.builders.description import parse_description
from fabric.formats.infiniband.lfts import NO_ENTRY, read_lfts
from fabric.formats.opening import open_fabric
from fabric.jobs.placement import Placement, domain_of_rank, packed, rail_of_rank
from fabric.jobs.traffic import Traffic
from fabric.reports.documents.verdict import verdict_part
from fabric.routing.match_lfts import match_lfts
from fabric.routing.policies import Adaptive, DModK, Ecmp
from fabric.studies.analysis import over_hash_seeds
from fabric.studies.verdicts.grouping import parts_of, regrouped
from fabric.studies.verdicts.verdict import CauseKind
from fabric.studies.verdicts.words import seconds, times
from tests.fabric.studies.verdict_cases import (
    cause_of,
    changed_cables,
    clos,
    collective_job,
    flows_job,
    groups_of,
    judged,
    routed,
    scattered_ranks,
    three_tiers,
)

DATA = Path(__file__).parents[3] / "tests" / "data" / "infiniband"


@pytest.fixture(scope="module")
def hgx():
    return build(parse_description((DATA.parents[2] / "examples" / "tight-64.toml").read_text(), "tight-64.toml"))


def test_hash_collisions_say_max_over_mean_and_what_adaptive_routing_would_take(hgx):
    job = collective_job("all-to-all", 64)
    verdict, analysis, bound = judged(hgx, job, Ecmp(queue_pairs=1))
    cause = cause_of(verdict, CauseKind.HASH_COLLISIONS)
    even_s = routed(hgx, job, Adaptive()).time_s
    assert verdict.cause == CauseKind.HASH_COLLISIONS
    assert cause.facts["over_mean"] == analysis.hottest.over_mean
    assert f"{analysis.hottest.over_mean:.2f} times their mean" in cause.text
    assert (f"{cause.facts['from']} port", f"{cause.facts['to']} port") == tuple(
        end.rpartition(" ")[0] for end in analysis.hottest.name.split(" -> ")
    )
    seeds = over_hash_seeds(analysis.scenario, 5).time_s
    median: Any = seeds.percentile(50)
    adaptive = verdict.helps[0]
    assert (adaptive.lever, adaptive.takes) == ("adaptive routing", "setting")
    assert (adaptive.time_s, adaptive.factor) == (even_s, median / even_s)
    assert (
        f"Adaptive routing (a setting) makes it {times(median / even_s)} times faster, {seconds(even_s)} instead"
        in verdict.text
    )
    assert f"{seconds(median)} (median of 5 hash seeds)." in verdict.text
    assert verdict.over_bound == analysis.time_s / bound.time_s
    assert "30 % over what any algorithm could do through the NICs of an NVLink domain" in verdict.sentences[0]
    assert analysis.hottest.name in verdict.sentences[0]


def test_hash_seeds_give_the_range(hgx):
    job = collective_job("all-to-all", 64)
    analysis = routed(hgx, job, Ecmp())
    seeds = over_hash_seeds(analysis.scenario, 5)
    verdict, _, _ = judged(hgx, job, Ecmp(), seeds=seeds)
    facts = cause_of(verdict, CauseKind.HASH_COLLISIONS).facts
    assert (facts["seeds"], facts["least_time_s"], facts["most_time_s"]) == (
        5,
        min(seeds.time_s.values),
        max(seeds.time_s.values),
    )
    assert "over 5 hash seeds" in verdict.text


@pytest.mark.parametrize("routing", [Ecmp(queue_pairs=512), DModK()])
def test_static_routing_that_costs_nothing_is_no_cause(routing):
    """Between oversubscribed leaves the links are the limit, but an even split would not be faster."""
    topology = build(clos(oversubscription=2.0, hosts=24))
    verdict, analysis, _ = judged(topology, collective_job("all-to-all", 24), routing)
    assert analysis.time_s == pytest.approx(
        routed(topology, collective_job("all-to-all", 24), Adaptive()).time_s, rel=0.05
    )
    assert {cause.kind for cause in verdict.causes} == {CauseKind.OVERSUBSCRIPTION}


def test_static_routes_that_meet_are_named_as_such():
    """Three leaves with eight uplinks each: destinations 8 and 16 share an uplink under D-mod-K."""
    topology = build(clos(hosts=24))
    job = flows_job(topology, [(0, 8, 1e9), (1, 16, 1e9)])
    verdict, analysis, _ = judged(topology, job, DModK())
    cause = cause_of(verdict, CauseKind.STATIC_ROUTES)
    assert verdict.cause == CauseKind.STATIC_ROUTES
    assert analysis.time_s == pytest.approx(2e9 * 8 / 400e9)
    assert cause.facts["from"] == "l00"
    assert cause.facts["even_time_s"] == pytest.approx(1e9 * 8 / 400e9)
    assert verdict.text.endswith("Adaptive routing (a setting) makes it 2 times faster, 20 ms instead of 40 ms.")


def test_shared_hash_seeds_are_polarization():
    topology = three_tiers()
    job = collective_job("all-to-all", 64)
    verdict, analysis, _ = judged(topology, job, Ecmp(shared_seed=True))
    cause = cause_of(verdict, CauseKind.POLARIZATION)
    apart_s = routed(topology, job, Ecmp()).time_s
    top = [tier for tier in analysis.tiers if tier.name == "spine-core"]
    idle = 1 - sum(tier.used for tier in top) / sum(tier.links for tier in top)
    assert verdict.cause == CauseKind.POLARIZATION
    assert cause.facts["idle_fraction"] == idle == 0.75
    assert "75 % of the links to tier 3 idle" in cause.text
    assert cause.facts["apart_time_s"] == apart_s < analysis.time_s
    assert cause.explains_s == analysis.time_s - apart_s
    even_s = routed(topology, job, Adaptive()).time_s
    assert cause_of(verdict, CauseKind.HASH_COLLISIONS).explains_s == pytest.approx(apart_s - even_s)
    assert CauseKind.POLARIZATION not in {cause.kind for cause in judged(topology, job, Ecmp())[0].causes}


@pytest.mark.parametrize("routing", [Adaptive(), Ecmp(), DModK()])
def test_incast_names_receiver_and_senders_and_no_routing(routing):
    topology = build(clos())
    verdict, _, _ = judged(topology, flows_job(topology, [(n, 9, 1e9) for n in range(8)]), routing)
    cause = cause_of(verdict, CauseKind.INCAST)
    assert verdict.cause == CauseKind.INCAST
    assert cause.facts == {
        "endpoint": "h0009g0",
        "partners": 8,
        "as_busy": 1,
        "over_others": pytest.approx(8.0),
        "even_s": pytest.approx(8e9 * 8 / 400e9 / 16),
    }
    assert "8 GPUs send to h0009g0, whose NIC is 8 times as busy" in verdict.text
    assert verdict.limit.seconds == pytest.approx(8e9 * 8 / 400e9)
    assert "no routing of this traffic is faster" in verdict.sentences[0]
    assert all("adaptive" not in remedy.text for remedy in verdict.remedies)


def test_a_gather_whose_root_has_one_nic_cannot_be_helped():
    verdict, _, bound = judged(build(clos()), collective_job("gather", 16), Adaptive())
    assert verdict.cause == CauseKind.INCAST
    assert verdict.time_s == pytest.approx(bound.time_s)
    assert verdict.causes[0].explains_s == 0
    assert "no routing and no algorithm helps" in verdict.text


def test_a_busy_sender_is_the_mirror_image():
    topology = build(clos())
    verdict, _, _ = judged(topology, flows_job(topology, [(9, n, 1e9) for n in range(8)]), Adaptive())
    facts = cause_of(verdict, CauseKind.BUSY_SENDER).facts
    assert verdict.cause == CauseKind.BUSY_SENDER
    assert (facts["endpoint"], facts["partners"], facts["over_others"]) == ("h0009g0", 8, pytest.approx(8.0))


def test_hot_experts_of_an_all_to_all_are_incast():
    """Popularity: one member of 16 receives 5 times what the others do."""
    from collectives.demand import AllToAll
    from collectives.schedule import Phase

    topology = build(clos())
    receive = np.ones(16)
    receive[3] = 5.0
    schedule = Schedule((Phase(AllToAll(groups_of(16, 16), np.full(16, 1e8), receive)),))
    job = Traffic("experts", 16, lambda domain, rail: schedule)
    verdict, _, _ = judged(topology, job, Adaptive())
    facts = cause_of(verdict, CauseKind.INCAST).facts
    sent = (15 * 5 + 15 * 14 + 15) / 16
    assert (facts["endpoint"], facts["partners"]) == ("h0003g0", 15)
    assert facts["over_others"] == pytest.approx(15 * 5 / sent)


def test_one_ring_leaves_nics_idle_and_rings_help(hgx):
    job = collective_job("all-reduce", 64)
    verdict, analysis, _ = judged(hgx, job, Adaptive())
    cause = cause_of(verdict, CauseKind.ONE_NIC)
    rings_s = routed(hgx, collective_job("all-reduce", 64, algorithm="rings"), Adaptive()).time_s
    assert verdict.cause == CauseKind.ONE_NIC
    assert (cause.facts["used"], cause.facts["nics"]) == (1, 8)
    assert "a group sends through 1 of its 8 NICs" in verdict.text
    assert cause.explains_s == analysis.time_s - rings_s
    assert (verdict.helps[0].lever, verdict.helps[0].time_s) == ("algorithm rings", rings_s)
    assert "Algorithm rings (a setting) makes it 8 times faster, 5.285 ms instead of 42.28 ms" in verdict.text


def test_nics_that_are_even_and_at_the_bound_leave_nothing_to_improve(hgx):
    verdict, _, bound = judged(hgx, collective_job("all-to-all", 64), Adaptive())
    assert verdict.cause == CauseKind.EVEN_NICS
    assert verdict.remedies == ()
    assert verdict.over_bound == pytest.approx(1.0)
    assert "at the bound: no algorithm is faster" in verdict.sentences[0]
    assert "all 64 are equally busy" in verdict.sentences[0]
    assert bound.cut == "domain"


def test_even_nics_far_over_the_bound_name_a_faster_algorithm(hgx):
    job = collective_job("all-reduce", 64, algorithm="halving-doubling")
    verdict, analysis, _ = judged(hgx, job, Adaptive())
    cause = cause_of(verdict, CauseKind.EVEN_NICS)
    rings_s = routed(hgx, collective_job("all-reduce", 64, algorithm="rings"), Adaptive()).time_s
    assert any((one.lever, one.time_s) == ("algorithm rings", rings_s) for one in verdict.helps)
    assert cause.explains_s == analysis.time_s - rings_s
    assert f"of the {seconds(analysis.time_s)}" in verdict.sentences[0]


def test_phases_that_wait_for_one_another(hgx):
    job = collective_job("all-reduce", 64, algorithm="hierarchical")
    verdict, analysis, _ = judged(hgx, job, Adaptive())
    busiest_s = analysis.loads.total.bottleneck_time_s
    cause = cause_of(verdict, CauseKind.WAITING_PHASES)
    assert (cause.facts["phases"], cause.facts["busiest_s"]) == (3, busiest_s)
    assert cause.explains_s == analysis.time_s - busiest_s
    assert seconds(busiest_s) in cause.remedies[0].text


def test_oversubscription_is_said_as_a_ratio_of_the_topology():
    description = clos(oversubscription=2.0, hosts=24)
    topology = build(description)
    verdict, analysis, _ = judged(topology, collective_job("all-to-all", 24), Adaptive())
    facts = cause_of(verdict, CauseKind.OVERSUBSCRIPTION).facts
    leaf = topology.nodes.name.index(facts["switch"])
    out = np.flatnonzero(topology.link_tail == leaf)
    up = topology.nodes.tier[topology.link_head[out]] == 2
    down_gbps, up_gbps = (topology.link_capacity_gbps[out[chosen]].sum() for chosen in (~up, up))
    nic_s = max(tier.max_s for tier in analysis.tiers if tier.kind == "nic")
    assert verdict.cause == CauseKind.OVERSUBSCRIPTION
    assert (facts["ratio"], facts["nic_s"]) == (down_gbps / up_gbps, nic_s)
    assert facts["imbalance"] == pytest.approx(1.0)
    assert f"{facts['ratio']:.2f}".rstrip("0").rstrip(".") + " times as much capacity down as up" in verdict.text
    assert seconds(nic_s) in verdict.text
    even = judged(build(clos(hosts=16)), collective_job("all-to-all", 16), Adaptive())[0]
    assert CauseKind.OVERSUBSCRIPTION not in {cause.kind for cause in even.causes}


def test_a_missing_cable_is_named_with_how_many_there_should_be():
    """Three leaves of eight, eight cables up each; one leaf loses four of them."""
    whole = build(clos(hosts=24))
    spines = sorted({name for name in whole.nodes.name if name.startswith("s")})
    lost = {("l00", spines[0], cable) for cable in range(4)}
    topology = changed_cables(whole, lambda tail, head, cable: (tail, head, cable) not in lost)
    assert whole.n_links - topology.n_links == 8
    verdict, analysis, _ = judged(topology, collective_job("all-to-all", 24), Adaptive())
    cause = cause_of(verdict, CauseKind.MISSING_CABLE)
    assert verdict.cause == CauseKind.MISSING_CABLE
    assert (cause.facts["switch"], cause.facts["cables"], cause.facts["usual"]) == ("l00", 4, 8)
    assert "4 cables are missing: l00 and s00 share 4 where most such pairs have 8" in verdict.text
    lower = np.where(topology.link_direction == 0, topology.link_tail, topology.link_head)
    same = (topology.link_kind == 1) & (topology.link_direction == topology.link_direction[analysis.hottest.link])
    healthy = analysis.loads.total.seconds[same & (lower != topology.nodes.name.index("l00"))].max()
    assert cause.facts["healthy_s"] == healthy
    before = judged(whole, collective_job("all-to-all", 24), Adaptive())[0]
    assert CauseKind.MISSING_CABLE not in {cause.kind for cause in before.causes}


def test_a_leaf_without_a_cable_to_one_of_its_spines():
    """Four spines, two cables to each from every leaf; a leaf has lost both to one of them, and no pair is thin."""
    description = clos(hosts=24)
    description = description.model_copy(update={"spine": description.spine.model_copy(update={"count": 4})})
    whole = build(description)
    topology = changed_cables(whole, lambda tail, head, _: (tail, head) not in {("l01", "s02"), ("l01", "s03")})
    verdict, analysis, _ = judged(topology, collective_job("all-to-all", 24), Adaptive())
    cause = cause_of(verdict, CauseKind.MISSING_CABLE)
    assert (cause.facts["switch"], cause.facts["cables"], cause.facts["usual"]) == ("l01", 4, 8)
    assert "4 cables are missing: l01 has 4 " in verdict.text
    # Half of the capacity is gone: at most half of the time is explained, and the NICs need theirs.
    nic_s = max(tier.max_s for tier in analysis.tiers if tier.kind == "nic")
    assert cause.explains_s == pytest.approx(
        analysis.time_s - max(nic_s, cause.facts["healthy_s"], analysis.time_s / 2)
    )


def test_a_slow_cable_is_named_with_the_speed_of_the_others():
    whole = build(clos(hosts=24))

    def speed(tail, head, cable, gbps):
        return 100.0 if (tail, cable) == ("l01", 0) and head == "s00" else gbps

    topology = changed_cables(whole, gbps=speed)
    verdict, _, _ = judged(topology, collective_job("all-to-all", 24), DModK())
    cause = cause_of(verdict, CauseKind.SLOW_CABLE)
    assert (cause.facts["gbps"], cause.facts["usual_gbps"]) == (100.0, 400.0)
    assert "this link runs at 100 Gb/s, most of its tier at 400" in verdict.text
    assert "l01 port 9 -> s00" in verdict.limit.link or "s00 port" in verdict.limit.link


def test_traffic_inside_domains_says_that_the_network_is_idle(hgx):
    verdict, _, _ = judged(hgx, collective_job("all-to-all", 64, group=8), Adaptive())
    assert verdict.cause == CauseKind.NVLINK_ONLY
    assert "nothing crosses the network" in verdict.text.lower()
    assert verdict.limit.tier == "NVLink"


def test_groups_that_straddle_domains_are_counted_and_packing_them_is_tried(hgx):
    job = collective_job("all-to-all", 64, group=8)
    # Shifted by half a host: every group but the wrapped one lies in two hosts.
    shifted = Placement(np.roll(np.arange(64, dtype=np.int32), 4))
    verdict, _, _ = judged(hgx, job, Adaptive(), shifted)
    cause = cause_of(verdict, CauseKind.PLACEMENT)
    packed_s = routed(hgx, job, Adaptive(), packed(hgx, 64)).time_s
    assert verdict.cause == CauseKind.PLACEMENT
    assert (cause.facts["straddling"], cause.facts["groups"], cause.facts["must_straddle"]) == (8, 8, 0)
    assert cause.facts["packed_time_s"] == verdict.helps[0].time_s == packed_s
    assert verdict.helps[0].takes == "restart"
    assert "all 8 groups straddle NVLink domains" in verdict.text.replace("All", "all")


def test_groups_that_would_fit_below_a_leaf():
    topology = build(clos(oversubscription=4.0, hosts=16))
    job = collective_job("all-to-all", 16, group=2)
    verdict, _, _ = judged(topology, job, Adaptive(), Placement(np.arange(16, dtype=np.int32).reshape(2, 8).T.ravel()))
    cause = cause_of(verdict, CauseKind.PLACEMENT)
    assert cause.facts["parts"] == "leaves"
    assert cause.facts["packed_time_s"] < verdict.time_s


@pytest.mark.parametrize("size", [2, 3, 5, 6])
def test_regrouped_uses_the_same_endpoints_once(size):
    groups, placement = groups_of(30, size), scattered_ranks(30)
    part = (placement.endpoint // 6).astype(np.int64)
    together = regrouped(placement, groups, part)
    assert sorted(together.endpoint) == sorted(placement.endpoint)
    spread = parts_of(groups, (together.endpoint // 6).astype(np.int64))
    naive = [len({int(endpoint) // 6 for endpoint in together.endpoint[members]}) for members in groups]
    assert spread.tolist() == naive
    # First fit: 30 / 6 domains hold floor(6 / size) groups each.
    assert int((spread == 1).sum()) >= min(30 // size, 5 * (6 // size))


def test_traffic_between_rails_is_tried_over_nvlink(hgx):
    job = collective_job("all-to-all", 64)
    verdict, analysis, _ = judged(hgx, job, Ecmp())
    domain, rail = domain_of_rank(hgx, analysis.placement), rail_of_rank(hgx, analysis.placement)
    aligned = rail_aligned(analysis.schedule, domain, rail)
    aligned_s = routed(hgx, replace(job, schedule=lambda d, r: aligned), Ecmp()).time_s
    assert cause_of(verdict, CauseKind.CROSS_RAIL).facts["aligned_time_s"] == aligned_s


def test_nothing_is_carried(hgx):
    verdict, _, _ = judged(hgx, flows_job(hgx, [(3, 3, 1e9), (4, 5, 0.0)]), Adaptive())
    assert (verdict.cause, verdict.limit, verdict.time_s) == (CauseKind.NOTHING_CARRIED, None, 0.0)
    assert verdict.text == "Nothing is carried: no GPU sends a byte to another one."


def test_pairs_without_a_route_are_said_before_any_cause():
    given = open_fabric(str(DATA / "rail64-ftree.ibnetdiscover.gz"))
    tables = read_lfts(DATA / "rail64-ftree.lfts.gz")
    port = tables.port.copy()
    hosts = [number for number in tables.lid_name if port[:, number].max() > 0]
    lid = hosts[-1]
    port[0, lid] = NO_ENTRY
    matched = match_lfts(replace(tables, port=port), given.topology, given.origin, True)
    verdict, analysis, bound = judged(given.topology, collective_job("all-to-all", 64), matched.routing)
    pairs = analysis.loads.total.unrouted.pairs
    assert pairs > 0
    assert bound is None
    assert verdict.over_bound is None
    assert verdict.causes[-1].facts["pairs"] == pairs
    assert verdict.sentences[1].startswith(f"{pairs} pair")
    assert "not that of the whole job" in verdict.sentences[1]


def test_the_document_is_json(hgx):
    import json

    verdict, _, _ = judged(hgx, collective_job("all-to-all", 64), Ecmp())
    document = json.loads(json.dumps(verdict_part(verdict), allow_nan=False, default=asdict))
    assert document["text"] == verdict.text
    assert document["cause"] == "hash-collisions"
    assert document["limit"]["link"] == verdict.limit.link
