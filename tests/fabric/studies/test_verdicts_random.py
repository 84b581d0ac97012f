"""Any job on any fabric gets a verdict that fits, and each of its numbers is what a slow, obvious count gives."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

from collectives import Groups, InputError
from collectives.catalog import ALGORITHMS
from collectives.schedule import Phase, Schedule
from collectives.transport import rail_aligned
from fabric.builders import build
from fabric.jobs.placement import Placement, domain_of_rank, rail_of_rank
from fabric.jobs.traffic import Traffic
from fabric.routing.link_loads import schedule_loads
from fabric.routing.policies import Adaptive, DModK, Ecmp
from fabric.studies.verdicts.loads import loads_verdict
from fabric.studies.verdicts.rates import rates_verdict
from fabric.studies.verdicts.verdict import MOST_SENTENCES, MOST_WITH_HELP, CauseKind
from fabric.topology import DIRECTIONS, DOWN, ENDPOINT, ISL, NIC, NVLINK, UP
from tests.fabric.studies.verdict_cases import (
    changed_cables,
    clos,
    collective_job,
    flows_job,
    judged,
    routed,
    shared_flows,
    three_tiers,
)
from tests.naive.routing import pairs_of
from tests.random_fabrics import all_to_all_demands, fabrics, flow_demands

ROUTINGS = st.sampled_from([Adaptive(), DModK(), Ecmp(), Ecmp(seed=2, queue_pairs=2), Ecmp(shared_seed=True)])


def fits(verdict):
    assert 1 <= len(verdict.sentences) <= MOST_SENTENCES
    assert len(verdict.text) <= MOST_WITH_HELP
    assert all(re.fullmatch(r"[A-Z0-9].*\.", sentence) for sentence in verdict.sentences)
    assert not re.search(r"\b(nan|inf|None)\b| 0 %|\b1 (flows|groups|cables|pairs|GPUs)\b", verdict.text)


class Naive:
    """The longest phase's loads as plain lists, and counts made from them link by link."""

    def __init__(self, analysis):
        self.topology, loads = analysis.topology, analysis.loads
        if loads.overlap == "pipelined":
            self.bytes, self.demands = loads.total.bytes, [d for p in analysis.schedule.phases for d in p.demands]
        else:
            took = [phase.bottleneck_time_s * repeat for phase, repeat in zip(loads.phases, loads.repeats, strict=True)]
            longest = took.index(max(took))
            self.bytes = loads.phases[longest].bytes * loads.repeats[longest]
            self.demands = list(analysis.schedule.phases[longest].demands)
        self.s = [float(b) * 8e-9 / float(g) for b, g in zip(self.bytes, self.topology.link_capacity_gbps, strict=True)]
        self.endpoint = analysis.placement.endpoint.tolist()
        self.time_s = analysis.time_s
        self.whole = loads

    def links(self, kind=None, tier=None, direction=None):
        t = self.topology
        return [
            n
            for n in range(t.n_links)
            if kind in (None, t.link_kind[n])
            and tier in (None, t.link_tier[n])
            and direction in (None, t.link_direction[n])
        ]

    def in_job(self, link):
        nodes = self.topology.nodes
        own = {int(self.topology.endpoints[e]) for e in self.endpoint}
        ends = (int(self.topology.link_tail[link]), int(self.topology.link_head[link]))
        return all(nodes.kind[end] != ENDPOINT or end in own for end in ends)

    def limit(self, verdict):
        """The link that the verdict names."""
        (link,) = [n for n in range(self.topology.n_links) if self.topology.link_name(n) == verdict.limit.link]
        return link

    def like(self, link):
        t = self.topology
        return self.links(t.link_kind[link], t.link_tier[link], t.link_direction[link])

    def nic(self, endpoint, direction):
        node = self.topology.endpoints[endpoint]
        own = [
            n
            for n in self.links(NIC, None, direction)
            if node in (self.topology.link_tail[n], self.topology.link_head[n])
        ]
        gbps = sum(float(self.topology.link_capacity_gbps[n]) for n in own)
        return sum(float(self.bytes[n]) for n in own) * 8e-9 / gbps if gbps else 0.0


def check_limit(verdict, naive, analysis, bound):
    link = naive.limit(verdict)
    own = [n for n in naive.like(link) if naive.in_job(n)]
    assert verdict.limit.seconds == pytest.approx(max(naive.s))
    assert verdict.limit.links == len(own)
    assert verdict.limit.as_busy == sum(naive.s[n] * 1.01 >= naive.s[link] for n in own)
    whole = [float(s) for s in analysis.loads.total.seconds]
    busy = [whole[n] for n in naive.like(link) if whole[n] > 0]
    assert verdict.limit.over_mean == pytest.approx(whole[link] / (sum(busy) / len(busy)))
    assert verdict.limit.direction == DIRECTIONS[naive.topology.link_direction[link]]
    assert verdict.time_s == analysis.time_s
    assert verdict.over_bound == (None if bound is None else analysis.time_s / bound.time_s)


def check_missing(facts, naive, link, **_):
    t = naive.topology
    lower = t.link_tail if t.link_direction[link] == UP else t.link_head
    like = naive.like(link)
    place: list[tuple[int, ...]]
    if "from" in facts:
        place = [(int(t.link_tail[n]), int(t.link_head[n])) for n in range(t.n_links)]
    else:
        place = [(int(lower[n]),) for n in range(t.n_links)]
    counts = Counter(place[n] for n in like)
    own = counts[place[link]]
    often = Counter(counts.values())
    assert facts["cables"] == own < facts["usual"]
    assert often[facts["usual"]] == max(often.values())
    pairs = Counter((int(t.link_tail[n]), int(t.link_head[n])) for n in like)
    switches = Counter(int(lower[n]) for n in like)
    usual = [max(Counter(c.values()).items(), key=lambda item: (item[1], item[0]))[0] for c in (pairs, switches)]
    healthy = [
        naive.s[n]
        for n in like
        if pairs[int(t.link_tail[n]), int(t.link_head[n])] >= usual[0] and switches[int(lower[n])] >= usual[1]
    ]
    assert facts["healthy_s"] == pytest.approx(max(healthy))


def check_slow(facts, naive, link, **_):
    gbps = [float(naive.topology.link_capacity_gbps[n]) for n in naive.like(link)]
    assert facts["gbps"] == naive.topology.link_capacity_gbps[link] < facts["usual_gbps"]
    assert gbps.count(facts["usual_gbps"]) == max(Counter(gbps).values())


def check_oversubscription(facts, naive, link, **_):
    t = naive.topology
    switch = t.nodes.name.index(facts["switch"])
    down = sum(float(t.link_capacity_gbps[n]) for n in range(t.n_links)
               if t.link_tail[n] == switch and t.nodes.tier[t.link_head[n]] < t.nodes.tier[switch])  # fmt: skip
    up = sum(float(t.link_capacity_gbps[n]) for n in range(t.n_links)
             if t.link_tail[n] == switch and t.nodes.tier[t.link_head[n]] > t.nodes.tier[switch])  # fmt: skip
    assert switch in (t.link_tail[link], t.link_head[link])
    assert facts["ratio"] == pytest.approx(down / up)
    assert facts["nic_s"] == pytest.approx(max(naive.s[n] for n in naive.links(NIC)))


def check_crowd(direction):
    def check(facts, naive, **_):
        endpoint = naive.topology.endpoint_names.index(facts["endpoint"])
        rank, domain = naive.endpoint.index(endpoint), naive.topology.endpoint_domain[naive.endpoint]
        found = set()
        for demand in naive.demands:
            for i, j, amount in pairs_of(demand):
                far = domain[i] != domain[j] or domain[i] < 0
                if amount > 0 and i != j and far and rank == (j if direction == DOWN else i):
                    found.add(i if direction == DOWN else j)
        others = [naive.nic(e, UP + DOWN - direction) for e in range(naive.topology.n_endpoints)]
        others = [busy for busy in others if busy > 0]
        own = naive.nic(endpoint, direction)
        assert facts["partners"] == len(found)
        assert facts["over_others"] == pytest.approx(own / (sum(others) / len(others)))
        busy = [naive.nic(e, direction) for e in range(naive.topology.n_endpoints)]
        assert facts["as_busy"] == sum(one * 1.2 >= own for one in busy)

    return check


def check_idle(facts, naive, link, job, **_):
    t = naive.topology
    direction = t.link_direction[link]
    node = t.link_tail[link] if direction == UP else t.link_head[link]
    endpoint = t.endpoints.tolist().index(node)
    found = []
    for members in job.groups:
        ends = [naive.endpoint[rank] for rank in members]
        if endpoint in ends:
            here = [end for end in ends if t.endpoint_domain[end] == t.endpoint_domain[endpoint]]
            found.append((len(here), sum(naive.nic(end, direction) > 0 for end in here)))
    assert (facts["nics"], facts["used"]) in found


def check_phases(facts, naive, **_):
    assert facts["busiest_s"] == pytest.approx(max(naive.whole.total.seconds))
    assert facts["phases"] == sum(phase.bytes.sum() > 0 for phase in naive.whole.phases)


def check_routes(facts, naive, again, **_):
    assert facts["even_time_s"] == again(routing=Adaptive())


def check_polarization(facts, naive, analysis, again, **_):
    assert facts["apart_time_s"] == again(routing=replace(analysis.routing, shared_seed=False))
    links = naive.links(ISL, facts["tier"])
    assert facts["links"] == len(links)
    assert facts["idle_fraction"] == pytest.approx(sum(naive.s[n] == 0 for n in links) / len(links))


def check_cross_rail(facts, naive, analysis, again, **_):
    where = analysis.topology, analysis.placement
    aligned = rail_aligned(analysis.schedule, domain_of_rank(*where), rail_of_rank(*where))
    assert facts["aligned_time_s"] == again(schedule=aligned)


def check_placement(facts, naive, job, **_):
    t = naive.topology
    part = {e: int(t.endpoint_domain[e]) for e in naive.endpoint}
    if facts["parts"] == "leaves":
        part = {e: {int(t.link_head[n]) for n in naive.links(NIC, None, UP) if t.link_tail[n] == t.endpoints[e]}.pop()
                for e in naive.endpoint}  # fmt: skip
    spread = [len({part[naive.endpoint[rank]] for rank in members}) for members in job.groups]
    assert facts["straddling"] == sum(number > 1 for number in spread) > facts["must_straddle"]


def check_nvlink(facts, naive, **_):
    assert all(
        naive.whole.total.bytes[n] == 0 for n in range(naive.topology.n_links) if naive.topology.link_kind[n] != NVLINK
    )


def check_even(facts, naive, link, **_):
    assert facts["links"] == sum(naive.in_job(n) for n in naive.like(link))


CHECKS = {
    CauseKind.MISSING_CABLE: check_missing,
    CauseKind.SLOW_CABLE: check_slow,
    CauseKind.OVERSUBSCRIPTION: check_oversubscription,
    CauseKind.INCAST: check_crowd(DOWN),
    CauseKind.BUSY_SENDER: check_crowd(UP),
    CauseKind.ONE_NIC: check_idle,
    CauseKind.WAITING_PHASES: check_phases,
    CauseKind.HASH_COLLISIONS: check_routes,
    CauseKind.STATIC_ROUTES: check_routes,
    CauseKind.POLARIZATION: check_polarization,
    CauseKind.CROSS_RAIL: check_cross_rail,
    CauseKind.PLACEMENT: check_placement,
    CauseKind.NVLINK_ONLY: check_nvlink,
    CauseKind.EVEN_NICS: check_even,
}


def check(topology, job, placement, routing):
    try:
        analysis = routed(topology, job, routing, placement)
        schedule = analysis.schedule
    except InputError:
        assume(False)
    bound = analysis.bound
    verdict = loads_verdict(analysis)
    fits(verdict)
    if verdict.limit is None:
        assert not analysis.loads.total.bytes.any()
        assert verdict.cause == CauseKind.NOTHING_CARRIED
        return verdict
    naive = Naive(analysis)
    check_limit(verdict, naive, analysis, bound)

    def again(schedule=schedule, routing=analysis.routing):
        return schedule_loads(topology, schedule, placement, routing).bottleneck_time_s

    for cause in verdict.causes:
        assert 0 <= cause.explains_s < analysis.time_s
        for remedy in cause.remedies:
            assert remedy.time_s is None or remedy.factor == analysis.time_s / remedy.time_s >= 1.05
        link = naive.limit(verdict)
        CHECKS[cause.kind](cause.facts, naive, link=link, job=job, analysis=analysis, again=again)
    return verdict


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_traffic_on_any_fabric(data):
    topology = data.draw(fabrics())
    n = topology.n_endpoints
    demand = data.draw(flow_demands(n) | all_to_all_demands(n))
    second = data.draw(st.none() | flow_demands(n))
    demands = [Phase(demand, data.draw(st.integers(1, 3)))] + ([] if second is None else [Phase(second)])
    schedule = Schedule(tuple(demands), data.draw(st.sampled_from(["sequential", "pipelined"])))
    placement = Placement(np.array(data.draw(st.permutations(range(n))), np.int32))
    groups = data.draw(st.none() | st.just(Groups.consecutive(n, n)))
    job = Traffic("random", n, lambda domain, rail: schedule, groups=groups)
    check(topology, job, placement, data.draw(ROUTINGS))


FABRICS = {
    "rails": build(clos(hosts=8, gpus=4, hosts_per_domain=1, wiring="rail")),
    "domains": build(clos(hosts=8, gpus=4, hosts_per_domain=2, wiring="host", radix=8)),
    "oversubscribed": build(clos(hosts=32, oversubscription=2.0)),
    "deep": three_tiers(),
}
FABRICS["hurt"] = changed_cables(
    FABRICS["oversubscribed"],
    lambda tail, head, cable: (tail, head, cable) not in {("l01", "s00", 0), ("l02", "s00", 1)},
    lambda tail, head, cable, gbps: 200.0 if (tail, head, cable) == ("l03", "s00", 2) else gbps,
)


@settings(deadline=None, max_examples=120)
@given(st.data())
def test_any_collective_on_clos_fabrics(data):
    topology = FABRICS[data.draw(st.sampled_from(sorted(FABRICS)))]
    collective = data.draw(st.sampled_from(["all-reduce", "all-to-all", "all-gather", "broadcast", "gather"]))
    algorithm = data.draw(st.sampled_from(ALGORITHMS[collective]))
    group = data.draw(st.sampled_from([2, 4, 8, 16, 32]))
    job = collective_job(collective, 32, group, algorithm)
    order = np.arange(topology.n_endpoints, dtype=np.int32)
    if data.draw(st.booleans()):
        order = np.array(data.draw(st.permutations(order.tolist())), np.int32)
    check(topology, job, Placement(order[:32]), data.draw(ROUTINGS))


def test_long_names_stay_within_the_limit():
    whole = build(clos(hosts=24))
    names = tuple(f"{name}-{'x' * 90}" for name in whole.nodes.name)
    topology = replace(whole, nodes=replace(whole.nodes, name=names))
    rows = [(0, 8), (1, 16), (2, 8)]
    verdict = judged(topology, flows_job(topology, [(*row, 1e9) for row in rows]), DModK())[0]
    fits(verdict)
    assert len(verdict.sentences) >= 1


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_any_flows_at_their_rates(data):
    topology = data.draw(fabrics())
    demand = data.draw(flow_demands(topology.n_endpoints))
    rows = list(zip(demand.src.tolist(), demand.dst.tolist(), (demand.bytes * 1e9).tolist(), strict=True))
    starts = data.draw(st.none() | st.lists(st.sampled_from([0.0, 0.01]), min_size=len(rows), max_size=len(rows)))
    try:
        shared = shared_flows(topology, rows, data.draw(ROUTINGS), starts)
    except InputError:
        assume(False)
    verdict = rates_verdict(shared)
    fits(verdict)
    if verdict.limit is None:
        assert verdict.cause == CauseKind.NOTHING_CARRIED
        return
    crossing: dict[str, set[int]] = {}
    own: dict[tuple[int, int], float] = {}
    alone = [0.0] * len(rows)
    paths = shared.routed.paths
    for part, flow in enumerate(shared.routed.flow.tolist()):
        for hop in range(paths.start[part], paths.start[part + 1]):
            link = int(paths.link[hop])
            size = rows[flow][2] * shared.routed.part[part] * (1.0 if paths.fraction is None else paths.fraction[hop])
            own[flow, link] = own.get((flow, link), 0.0) + size
    for (flow, link), size in own.items():
        alone[flow] = max(alone[flow], size * 8e-9 / topology.link_capacity_gbps[link])
        if rows[flow][2] > 0:
            crossing.setdefault(topology.link_name(link), set()).add(flow)
    named = verdict.facts["flow"]
    assert isinstance(named, int)
    flow = named - 1
    took = (shared.finish_s - shared.start_s).tolist()
    moving = [number for number in range(len(rows)) if alone[number] > 0]
    assert took[flow] == max(took[number] for number in moving)
    assert verdict.facts["alone_s"] == pytest.approx(alone[flow])
    assert verdict.facts["slowdown"] == pytest.approx(took[flow] / alone[flow])
    assert verdict.facts["sharing"] == len(crossing[verdict.limit.link])
    assert flow in crossing[verdict.limit.link]
    delayed = [number for number in moving if took[number] > 1.05 * alone[number]]
    assert verdict.facts["delayed_fraction"] == pytest.approx(len(delayed) / len(moving))
    assert "0 other flows" not in verdict.text
