"""Levers of the job: its transport, its algorithm, where its ranks are and in which order."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from collectives.algorithm import Algorithm
from collectives.catalog import ALGORITHMS, algorithm_of
from collectives.errors import InputError
from fabric.jobs.assignment import best_order
from fabric.jobs.placement import Placement
from fabric.jobs.rule import PACKED, SEGMENTED, PlacementRule
from fabric.jobs.traffic import Traffic, with_algorithm
from fabric.scenario import DIRECT, PXN, Scenario, switches_reduce
from fabric.studies.advice.lever import (
    Case,
    Change,
    Cost,
    NotTried,
    Option,
    Proposal,
    elsewhere,
    flows_anew,
    same_places,
)
from fabric.studies.placing import unit_of
from fabric.studies.verdicts.grouping import domain_parts, leaf_parts, regrouped
from fabric.timing.prediction import job_facts

_AT_BOUND = "at the bound: no algorithm is faster on these cables and hosts"
_PLACES_ITSELF = "the traffic names its endpoints itself"
# Options of a placement that names or draws hosts in another way.
_ANEW: dict[str, Option] = {"placement": None, "segment": None, "exclusive": None}
# In which the order of the ranks is written.
ORDER_FILE = "order.txt"
_WRITE = f"advise {{all}} --write-order {ORDER_FILE}"


def transport(case: Case) -> Iterator[Proposal]:
    """Change rails over NVLink first (PXN), or stop doing so."""
    job, pxn = case.scenario.job, case.scenario.job.transport == PXN
    lever = "without PXN" if pxn else "PXN transport"
    why_not = ""
    if case.scenario.topology.nvlink_gbps is None:
        why_not = "the fabric knows no NVLink; --nvlink-gbps says what a dump does not"
    elif case.algorithms_at_bound:
        why_not = _AT_BOUND
    elif not pxn and (case.scenario.rail < 0).all():
        why_not = "the fabric does not say which rail a GPU is on"
    if why_not:
        yield NotTried(lever, Cost.SETTING, why_not)
        return
    how = "NCCL_PXN_DISABLE=1" if pxn else "NCCL_PXN_DISABLE=0 and NCCL_P2P_PXN_LEVEL=2, NCCL's defaults"
    other = DIRECT if pxn else PXN
    scenario = replace(case.scenario, jobs=(replace(job, transport=other),))
    yield Change(lever, Cost.SETTING, how, scenario, {"transport": other})


def algorithms(case: Case) -> Iterator[Proposal]:
    """Every other algorithm that the job's library has for the collective, and all channels of its own."""
    job = case.scenario.traffic
    if job.collective is None or job.groups is None:
        yield NotTried("another algorithm", Cost.SETTING, "the traffic is no single collective")
        return
    facts = job_facts(
        case.scenario.topology, case.scenario.placement, job.groups, case.scenario.model,
        switches_reduce(case.scenario.fabric),
    )  # fmt: skip
    outside = []
    for name in ALGORITHMS[job.collective]:
        algorithm = algorithm_of(job.collective, name)
        if name == job.algorithm:
            yield from _all_channels(case)
        elif not algorithm.considered(case.scenario.library, facts):
            outside.append(name)
        elif name == "pxn" and job.algorithm == "direct":
            # NCCL's exchange with PXN is the direct one with that transport: `transport` tries it.
            continue
        elif why_not := _why_not(case, algorithm):
            yield NotTried(f"algorithm {name}", Cost.SETTING, why_not)
        else:
            how = f"NCCL_ALGO chooses it; railscope's {name}"
            yield from _by(case, f"algorithm {name}", how, with_algorithm(job, name))
    if outside:
        why_not = f"{case.scenario.library} does not take them here; --library any tries all"
        yield NotTried(f"algorithms {', '.join(outside)}", Cost.SETTING, why_not)


def _why_not(case: Case, algorithm: Algorithm) -> str:
    may_help = algorithm.switches_reduce and case.switches_may_help
    return _AT_BOUND if case.algorithms_at_bound and not may_help else ""


def _all_channels(case: Case) -> Iterator[Proposal]:
    scenario, job = case.scenario, case.scenario.traffic
    assert job.algorithm is not None
    full = with_algorithm(job, job.algorithm)
    if full.channels is None or case.algorithms_at_bound:
        return
    n_channels = len(full.channels(scenario.domain, scenario.rail))
    if len(case.trial.analysis.channels) < n_channels:
        how = "do not limit NCCL's channels (NCCL_MAX_NCHANNELS)"
        yield from _by(case, f"all {n_channels} channels", how, full)


def rails_of_rings(case: Case) -> Iterator[Proposal]:
    """Rings that stay on one rail, or may leave by any (NCCL_CROSS_NIC)."""
    job, lever = case.scenario.traffic, "rails of rings"
    if job.collective is None or job.algorithm is None:
        yield NotTried(lever, Cost.SETTING, "the traffic is no single collective")
    elif "cross_nic" not in algorithm_of(job.collective, job.algorithm).options:
        yield NotTried(lever, Cost.SETTING, f"algorithm {job.algorithm} has no rings on rails")
    elif case.algorithms_at_bound or not case.switches_matter:
        why_not = _AT_BOUND if case.algorithms_at_bound else "cables between switches are not what limits"
        yield NotTried(lever, Cost.SETTING, why_not)
    else:
        for value, what in enumerate(("each on one rail", "leaving by any rail")):
            named, how = f"rings {what}", f"NCCL_CROSS_NIC={value}"
            yield from _by(case, named, how, with_algorithm(job, job.algorithm, value), cross_nic=value)


def _by(case: Case, lever: str, how: str, job: Traffic, cross_nic: int | None = None) -> Iterator[Proposal]:
    options: dict[str, Option] = {"algorithm": job.algorithm, "channels": None, "cross_nic": cross_nic}
    scenario = case.scenario.carrying(job, flows_anew(case.scenario))
    try:
        scenario.schedule  # noqa: B018
    except InputError as error:
        yield NotTried(lever, Cost.SETTING, str(error))
    else:
        yield Change(lever, Cost.SETTING, how, scenario, options)


def packed(case: Case) -> Iterator[Proposal]:
    """Hosts in order, domain by domain, as a scheduler does that looks at the fabric."""
    rule = case.scenario.job.rule
    kind = PACKED
    yield from _placed(case, "packed placement", rule.as_kind(kind), {**_ANEW, "placement": kind})


def segmented(case: Case) -> Iterator[Proposal]:
    """Every group inside one scale-up domain, where a group fits in one."""
    scenario = case.scenario
    lever, topology = "segmented placement", scenario.topology
    host, domain = topology.endpoint_host, topology.endpoint_domain
    per_host = int(np.bincount(host[host >= 0]).max(initial=0))
    per_domain = int(np.bincount(domain[domain >= 0]).max(initial=0))
    size = next(iter(_units(scenario)), 0)
    if not size or scenario.traffic.placement is not None:
        why_not = _PLACES_ITSELF if scenario.traffic.placement is not None else "the traffic has no groups"
    elif not per_host or size % per_host or size > per_domain or size == per_host:
        why_not = f"groups of {size} GPUs are no whole hosts of one NVLink domain"
    else:
        segment = size // per_host
        rule = replace(scenario.job.rule.as_kind(PACKED), kind=SEGMENTED, segment=segment)
        yield from _placed(case, lever, rule, {**_ANEW, "placement": SEGMENTED, "segment": segment})
        return
    yield NotTried(lever, Cost.RESTART, why_not)


def _placed(case: Case, lever: str, rule: PlacementRule, options: dict[str, Option]) -> Iterator[Proposal]:
    scenario = case.scenario
    why_not = _PLACES_ITSELF if scenario.traffic.placement is not None else ""
    if not why_not:
        try:
            rule = replace(rule, gpus=rule.gpus or scenario.job.rule.gpus)
            moved = elsewhere(scenario, scenario.fabric, rule)
        except InputError as error:
            why_not = str(error)
        else:
            if same_places(moved.placement, scenario.placement):
                why_not = "the ranks are there already"
    if why_not:
        yield NotTried(lever, Cost.RESTART, why_not)
        return
    how = "let the scheduler place the job so (Slurm's topology/block or topology/tree)"
    yield Change(lever, Cost.RESTART, how, moved, options)


def order(case: Case) -> Iterator[Proposal]:
    """The job's own GPUs in another order of its ranks: as many groups as can be in one domain, or below one leaf."""
    scenario, lever = case.scenario, "another order of the same hosts"
    if scenario.traffic.placement is not None:
        yield NotTried(lever, Cost.RESTART, _PLACES_ITSELF)
        return
    found = [(scenario.placement, "")]
    for where, placement in _orders(scenario):
        if not any(same_places(placement, other) for other, _ in found):
            found.append((placement, where))
    if len(found) == 1:
        yield NotTried(lever, Cost.RESTART, "no better order of these hosts was found")
    for placement, where in found[1:]:
        job = replace(scenario.job, placement=placement)
        moved = replace(scenario, jobs=(job,)).routed(flows_anew(scenario))
        options: dict[str, Option] = {
            **_ANEW, "placement": ORDER_FILE, "hosts": None, "topology_conf": None, "node_labels": None, "taken": None,
            "gpus": scenario.placement.n_ranks, "gpus_per_domain": None,
        }  # fmt: skip
        how = f"start the ranks in the order of the file that --write-order writes ({where})"
        yield Change(f"order of ranks: {where}", Cost.RESTART, how, moved, options, before=_WRITE)


def _units(scenario: Scenario) -> tuple[int, ...]:
    """Ranks that should be near each other: a group's; of a step those of its tensor, context and expert groups."""
    step, groups = scenario.traffic.step, scenario.traffic.groups
    if step is None:
        return () if groups is None else (int(groups.sizes.max()),)
    layout, n_ranks = step.workload.layout, scenario.placement.n_ranks
    return tuple(dict.fromkeys((unit_of(step.operations, n_ranks), min(layout.tp * layout.cp * layout.pp, n_ranks))))


def _orders(scenario: Scenario) -> Iterator[tuple[str, Placement]]:
    topology, placement, groups = scenario.topology, scenario.placement, scenario.traffic.groups
    units = _units(scenario) or (placement.n_ranks,)
    if groups is None or _consecutive(scenario, units[0]):
        for unit in units:
            kept = f", {unit:,} ranks together" if len(units) > 1 else ""
            yield (
                f"hosts by domain and leaf{kept}",
                best_order(topology, placement, min(unit, placement.n_ranks)).placement,
            )
    elif np.unique(groups.rank).size == groups.n_members and groups.rank.max(initial=-1) < placement.n_ranks:
        for where, part in (("domain", domain_parts(topology, placement)), ("leaf", leaf_parts(topology, placement))):
            if part is not None:
                yield f"groups in one {where}", regrouped(placement, groups, part)


def _consecutive(scenario: Scenario, unit: int) -> bool:
    groups = scenario.traffic.groups
    assert groups is not None
    every = np.arange(scenario.placement.n_ranks)
    return bool(np.array_equal(groups.rank, every) and (groups.sizes[:-1] == unit).all())
