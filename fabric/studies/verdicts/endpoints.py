"""Causes that lie at the GPUs: who sends to whom through which NIC."""

from collections.abc import Sequence

import numpy as np

from collectives.catalog import ALGORITHMS, collective_schedule
from collectives.demand import AllToAll, Demand, FloatVector, Flows, Int32Vector, Int64Vector
from collectives.errors import InputError
from fabric.bounds.cut_demand import joint
from fabric.bounds.cuts import ANY_ROUTING
from fabric.jobs.placement import domain_of_rank, rail_of_rank
from fabric.studies.verdicts.evidence import Evidence
from fabric.studies.verdicts.thresholds import CROWD, GAIN, UNEVEN
from fabric.studies.verdicts.verdict import Cause, CauseKind, Fact, Remedy
from fabric.studies.verdicts.words import name, seconds, times
from fabric.topology import DOWN, NIC, NVLINK, UNKNOWN, UP

# What is tried where a domain's NICs lie idle.
_SPREADING = ("rings", "hierarchical")


def nic_seconds(case: Evidence, direction: int) -> FloatVector:
    """Load over capacity of each endpoint's NIC links of a direction together, (n_endpoints,) float64."""
    topology = case.topology
    links = np.flatnonzero((topology.link_kind == NIC) & (topology.link_direction == direction))
    node = (topology.link_tail if direction == UP else topology.link_head)[links]
    loaded = np.bincount(node, case.loads.bytes[links], topology.n_nodes)[topology.endpoints]
    gbps = np.bincount(node, topology.link_capacity_gbps[links], topology.n_nodes)[topology.endpoints]
    busy: FloatVector = np.divide(8e-9 * loaded, gbps, out=np.zeros(len(gbps)), where=gbps > 0)
    return busy


def _own_endpoint(case: Evidence) -> int:
    """The endpoint of the NIC link that limits."""
    topology, link = case.topology, case.hottest.link
    node = topology.link_tail[link] if case.direction == UP else topology.link_head[link]
    return int(np.searchsorted(topology.endpoints, node))


def partners(demand: Demand, rank: int, domain: Int32Vector, receiving: bool) -> Int64Vector:
    """Ranks outside its domain that a rank receives from (or sends to); none of what switches add up."""
    found: list[Int32Vector] = []
    if isinstance(demand, Flows):
        own, others = (demand.dst, demand.src) if receiving else (demand.src, demand.dst)
        found.append(others[(own == rank) & (demand.bytes > 0)])
    elif isinstance(demand, AllToAll):
        member, start = demand.groups.rank, demand.groups.start
        mine, theirs = (demand.receive, demand.send) if receiving else (demand.send, demand.receive)
        for place in np.flatnonzero((member == rank) & (mine > 0)):
            group = int(np.searchsorted(start, place, side="right")) - 1
            within = np.arange(start[group], start[group + 1])
            chosen = theirs[within] > 0
            if demand.block is not None:
                chosen &= demand.block[within] != demand.block[place]
            found.append(member[within[chosen]])
    ranks = np.unique(np.concatenate(found)) if found else np.empty(0, np.int32)
    inside = (domain[ranks] == domain[rank]) & (domain[rank] != UNKNOWN)
    outside: Int64Vector = ranks[(ranks != rank) & ~inside].astype(np.int64)
    return outside


def _all_partners(case: Evidence, rank: int, receiving: bool) -> int:
    domain = domain_of_rank(case.topology, case.placement)
    found = [partners(demand, rank, domain, receiving) for demand in case.demands()]
    return len(np.unique(np.concatenate(found))) if found else 0


def incast(case: Evidence) -> Cause | None:
    """A receiver takes in much more than the senders send on average."""
    return _crowd(case, DOWN)


def busy_sender(case: Evidence) -> Cause | None:
    """A sender sends much more than the receivers take in on average."""
    return _crowd(case, UP)


def _crowd(case: Evidence, direction: int) -> Cause | None:
    if case.kind != NIC or case.direction != direction:
        return None
    endpoint = _own_endpoint(case)
    own, other = nic_seconds(case, direction), nic_seconds(case, UP + DOWN - direction)
    others_mean_s = float(other[other > 0].mean()) if other.any() else 0.0
    ranks = np.flatnonzero(case.placement.endpoint == endpoint)
    n_partners = _all_partners(case, int(ranks[0]), direction == DOWN) if ranks.size else 0
    if n_partners < 2 or own[endpoint] < CROWD * max(others_mean_s, float(other[endpoint])):
        return None
    n_as_busy = int(np.count_nonzero(own * UNEVEN >= own[endpoint]))
    even_s = case.whole_s(float(own[case.placement.endpoint].mean()))
    if case.bound is not None and case.bound.holds_for != ANY_ROUTING:
        even_s = max(even_s, case.bound.time_s)
    who = case.topology.endpoint_names[endpoint]
    factor = float(own[endpoint]) / others_mean_s
    facts: dict[str, Fact] = {
        "endpoint": who,
        "partners": n_partners,
        "as_busy": n_as_busy,
        "over_others": factor,
        "even_s": even_s,
    }
    if direction == DOWN:
        kind = CauseKind.INCAST
        text = (
            f"incast: {n_partners:,} GPUs send to {name(who)}, whose NIC is {times(factor)} times as busy as the "
            "senders' on average"
        )
    else:
        kind = CauseKind.BUSY_SENDER
        text = (
            f"one sender: {name(who)} sends to {n_partners:,} GPUs, and its NIC is {times(factor)} times as busy as "
            "the receivers' on average"
        )
    if case.time_s < GAIN * even_s:
        return Cause(kind, text, 0.0, facts, (Remedy("no routing and no algorithm helps"),))
    remedy = Remedy(f"no routing helps, but spread over the job's NICs it could take {seconds(even_s)} at best")
    return Cause(kind, text, case.time_s - even_s, facts, (remedy,))


def idle_nics(case: Evidence) -> Cause | None:
    """A group leaves most NICs that it has in a domain (or host) idle while one of them limits."""
    if case.kind != NIC or case.trials is None or case.trials.job.groups is None:
        return None
    topology, groups = case.topology, case.trials.job.groups
    endpoint = _own_endpoint(case)
    in_domain = topology.endpoint_domain[endpoint] != UNKNOWN
    together = topology.endpoint_domain if in_domain else topology.endpoint_host
    if together[endpoint] == UNKNOWN or groups.rank.max(initial=-1) >= case.placement.n_ranks:
        return None
    member = case.placement.endpoint[groups.rank]
    used = nic_seconds(case, case.direction)[member] > 0
    place = joint(groups.member_group(), together[member].astype(np.int64))
    n_nics, n_used = np.bincount(place), np.bincount(place, used)
    counts = [(int(n_nics[here]), int(n_used[here])) for here in np.unique(place[member == endpoint]).tolist()]
    of, own = max(counts, default=(0, 0))
    if of < 2 or own == 0 or 2 * own > of:
        return None
    where = "NVLink domain" if in_domain else "host"
    facts: dict[str, Fact] = {"used": own, "nics": of, "of": where}
    verb = "sends" if case.direction == UP else "receives"
    text = f"the group {verb} through {own:,} of its {of:,} NICs in this {where} and leaves the others idle"
    alike = bool(((n_used[n_used > 0] == own) & (n_nics[n_used > 0] == of)).all())
    if alike:
        text = f"in each {where} a group {verb} through {own:,} of its {of:,} NICs and leaves the others idle"
    return Cause(CauseKind.ONE_NIC, text, case.time_s - _spread_s(case), facts)


def _spread_s(case: Evidence) -> float:
    """The job's time by the best algorithm that uses several NICs of a domain, where one is faster; else its own."""
    assert case.trials is not None
    job = case.trials.job
    if job.collective is None or job.groups is None:
        return case.time_s
    domain, rail = domain_of_rank(case.topology, case.placement), rail_of_rank(case.topology, case.placement)
    known: Sequence[str] = ALGORITHMS[job.collective]
    found = [case.time_s]
    for algorithm in _SPREADING:
        if algorithm not in known or algorithm == job.facts.get("algorithm"):
            continue
        try:
            schedule = collective_schedule(job.collective, job.groups, job.bytes, algorithm, domain, rail)
        except InputError:
            continue
        time_s = case.trial_s(schedule=schedule)
        if time_s and case.time_s >= GAIN * time_s:
            found.append(time_s)
    return min(found)


def even_nics(case: Evidence) -> Cause | None:
    """The NICs of the whole job are the limit and carry the same."""
    if case.kind != NIC or case.over_even > UNEVEN:
        return None
    nics = case.limit.links
    facts: dict[str, Fact] = {"links": nics, "over_mean": case.hottest.over_mean}
    text = "the NICs carry about the same, so the bytes per NIC decide and nothing between switches is in the way"
    above = case.trials is not None and case.bound is not None and case.time_s >= GAIN * case.bound.time_s
    saved = case.time_s - _spread_s(case) if above else 0.0
    return Cause(CauseKind.EVEN_NICS, text, saved, facts)


def waiting_phases(case: Evidence) -> Cause | None:
    """Phases that follow one another load different links: each of them idles in the other phases."""
    busy_s = case.whole.total.bottleneck_time_s
    if case.longest is None or case.time_s < GAIN * busy_s:
        return None
    loaded = sum(bool(phase.bytes.any()) for phase in case.whole.phases)
    facts: dict[str, Fact] = {"phases": loaded, "busiest_s": busy_s}
    text = "phases that follow one another load different links"
    remedy = Remedy(f"overlapped, in smaller chunks, they could take {seconds(busy_s)} at best")
    return Cause(CauseKind.WAITING_PHASES, text, case.time_s - busy_s, facts, (remedy,))


def nvlink_only(case: Evidence) -> Cause | None:
    """NVLink is the limit, and nothing crosses the network."""
    if case.kind != NVLINK or case.whole.total.bytes[case.topology.link_kind != NVLINK].any():
        return None
    return Cause(CauseKind.NVLINK_ONLY, "nothing crosses the network: all traffic stays in NVLink domains")
