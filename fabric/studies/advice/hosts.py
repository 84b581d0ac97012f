"""Levers of hosts whose NICs are slow or down: share bytes out over the NICs that are left, or take other hosts."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from collectives.demand import Int64Vector
from collectives.errors import InputError
from collectives.sizes import counted
from fabric.jobs.placement import Placement, nic_gbps_of_rank
from fabric.scenario import POOLED, check_transport
from fabric.studies.advice.lever import Case, Change, Cost, NotTried, Option, Proposal
from fabric.studies.verdicts.thresholds import SAME

_WHOLE = "the NICs of the job's hosts are as fast as most"
# Hosts that are named.  Assumed: what a person reads.
_NAMED = 6


def pooled_nics(case: Case) -> Iterator[Proposal]:
    """Bytes of slow and lost NICs shared out over the others of their host."""
    lever, scenario = "pooled NICs", case.scenario
    why_not = "" if _weak(case).any() else _WHOLE
    if scenario.job.nics == POOLED:
        why_not = "NICs are pooled already"
    if not why_not:
        try:
            check_transport(scenario.fabric, scenario.job.transport, POOLED)
            changed = replace(scenario, jobs=(replace(scenario.job, nics=POOLED),))
            if changed.pools is not None and changed.pools.even.all():
                why_not = "the NICs of each host are as fast as one another"
        except InputError as error:
            why_not = str(error)
    if why_not:
        yield NotTried(lever, Cost.RESTART, why_not)
        return
    how = "a library that shares a host's bytes out over its NICs by their speed, as R2CCL does; NCCL does not"
    options: dict[str, Option] = {"nics": POOLED}
    yield Change(lever, Cost.RESTART, how, changed, options)


def spare_hosts(case: Case) -> Iterator[Proposal]:
    """Ranks of hosts with slow or lost NICs on hosts that are free, of the same domain if there is one."""
    lever, scenario = "spare hosts", case.scenario
    topology, placement = scenario.topology, scenario.placement
    host, domain, weak = topology.endpoint_host, topology.endpoint_domain, _weak(case)
    hit = np.unique(host[placement.endpoint[weak[placement.endpoint]]]).tolist()
    if scenario.traffic.placement is not None:
        yield NotTried(lever, Cost.RESTART, "the traffic names its endpoints itself")
        return
    if not hit or hit[0] < 0:
        yield NotTried(lever, Cost.RESTART, _WHOLE)
        return
    used = np.zeros(topology.n_endpoints, bool)
    used[placement.endpoint] = True
    members = {int(one): np.flatnonzero(host == one) for one in np.unique(host[host >= 0])}
    spare = [one for one, own in members.items() if not used[own].any() and not weak[own].any()]
    endpoint = placement.endpoint.copy()
    taken: list[str] = []
    names = scenario.fabric.host_names()
    for one in hit:
        own = members[one]
        alike = [other for other in spare if _fits(case, own, members[other])]
        if not alike:
            yield NotTried(lever, Cost.RESTART, "no whole host is free beside the job")
            return
        near = next((other for other in alike if domain[members[other][0]] == domain[own[0]]), alike[0])
        spare.remove(near)
        moved = dict(zip(own.tolist(), members[near].tolist(), strict=True))
        endpoint = np.array([moved.get(place, place) for place in endpoint.tolist()], np.int32)
        taken.append(f"{names[members[near][0]]} for {names[own[0]]}")
    more = f" and {len(taken) - _NAMED:,} more" if len(taken) > _NAMED else ""
    how = f"run on {', '.join(taken[:_NAMED])}{more}"
    name = "a spare host" if len(taken) == 1 else counted(len(taken), "spare host")
    job = replace(scenario.job, placement=Placement(endpoint))
    yield Change(name, Cost.RESTART, how, replace(scenario, jobs=(job,)), repeatable=False)


def _fits(case: Case, own: Int64Vector, other: Int64Vector) -> bool:
    """Whether two hosts have GPUs of the same rails."""
    rail = case.scenario.topology.endpoint_rail
    return own.size == other.size and bool(np.array_equal(rail[own], rail[other]))


def _weak(case: Case) -> np.ndarray:
    """Endpoints with less NIC capacity than most, (n_endpoints,) bool."""
    topology = case.scenario.topology
    gbps = nic_gbps_of_rank(topology, Placement(np.arange(topology.n_endpoints, dtype=np.int32)))
    values, counts = np.unique(gbps, return_counts=True)
    weak: np.ndarray = gbps * SAME < values[np.argmax(counts)]
    return weak
