"""Levers of a mixture of experts: which rank has which experts, copies of the popular ones, and how tokens are sent."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from collectives.demand import AllToAll, Demand, FloatVector, Groups
from collectives.errors import InputError
from collectives.schedule import Schedule
from fabric.jobs.step_traffic import StepLoad, step_traffic
from fabric.jobs.traffic import Traffic, retraced
from fabric.studies.advice.lever import Case, Change, Cost, NotTried, Proposal
from fabric.studies.verdicts.thresholds import GAIN
from traces.operation import Operation, Trace
from traces.workload.description import changed_layout

_NO_EXPERTS = "the traffic is no dispatch of tokens to experts"
_EVEN = "every rank receives alike already"


def expert_placement(case: Case) -> Iterator[Proposal]:
    """Experts dealt to ranks by how popular they are, and copies of the most popular ones."""
    traffic = case.scenario.traffic
    if traffic.step is not None:
        yield from _of_step(case, traffic.step)
    else:
        yield from _of_exchange(case, traffic)


def dispatch_by_node(case: Case) -> Iterator[Proposal]:
    """A token once over the network to each domain that it visits, and copied there over NVLink (DeepEP)."""
    lever, step = "tokens once to each domain", case.scenario.traffic.step
    experts = None if step is None else step.workload.description.experts
    if step is None or experts is None or step.workload.layout.ep == 1:
        why_not = "the traffic is no training step of experts on several ranks"
    elif experts.copies == "node":
        why_not = "tokens are sent so already"
    elif not _several_domains(case, step.workload.layout.groups("ep")):
        why_not = "each expert-parallel group is in one NVLink domain, or in none"
    else:
        how = 'dispatch with DeepEP\'s normal kernels: [experts] copies = "node"'
        yield from _changed(case, step, lever, Cost.SETTING, how, {"experts.copies": "node"})
        return
    yield NotTried(lever, Cost.SETTING, why_not)


def _several_domains(case: Case, groups: Groups) -> bool:
    domain = case.scenario.domain[groups.rank]
    start = groups.start[:-1]
    several = np.maximum.reduceat(domain, start) != np.minimum.reduceat(domain, start)
    return bool((several & (np.minimum.reduceat(domain, start) >= 0)).any())


def _of_step(case: Case, step: StepLoad) -> Iterator[Proposal]:
    """Of a workload that says how popular its experts are."""
    lever, workload = "experts dealt by popularity", step.workload
    experts, ep = workload.description.experts, workload.layout.ep
    if experts is None or ep == 1:
        why_not = "the workload has no experts on several ranks"
    elif experts.popularity == "uniform":
        why_not = "experts are equally popular, as the workload says"
    else:
        if experts.placement != "balanced":
            how = 'as many on each rank, packed as DeepSeek\'s EPLB does: [experts] placement = "balanced"'
            yield from _changed(case, step, lever, Cost.RESTART, how, {"experts.placement": "balanced"})
        more = experts.redundant + ep
        how = (
            f'one more on each rank, packed as EPLB does: [experts] placement = "balanced", redundant = {more}; it '
            "takes memory, and sums of gradients"
        )
        keys = {"experts.placement": "balanced", "experts.redundant": more}
        yield from _changed(case, step, f"{more} redundant experts", Cost.RESTART, how, keys)
        return
    yield NotTried(lever, Cost.RESTART, why_not)


def _changed(
    case: Case, step: StepLoad, lever: str, cost: Cost, how: str, keys: Mapping[str, object]
) -> Iterator[Proposal]:
    """The step of the workload with some keys of its description changed; its compute stays."""
    old = step.workload
    try:
        description = changed_layout(old.description, dict(keys), old.description.model.name)
        workload = replace(old, description=description)
        other = StepLoad.with_compute(workload, step.compute_s)
    except InputError as error:
        yield NotTried(lever, cost, str(error))
        return
    yield Change(lever, cost, how, case.scenario.carrying(step_traffic(other), case.scenario.routing), repeatable=False)


def _of_exchange(case: Case, traffic: Traffic) -> Iterator[Proposal]:
    """Of exchanges of which only what each rank gets is known: the best that dealing experts could give."""
    lever = "experts dealt evenly, at best"
    schedule = traffic.schedule(case.scenario.domain, case.scenario.rail)
    if traffic.trace is not None:
        trace = _evened(traffic.trace)
        other = None if trace is None else retraced(traffic, trace)
        some = any(one.kind == "all-to-all" for one in traffic.trace.operations)
    else:
        even = tuple(replace(phase, demand=tuple(map(_even, phase.demands))) for phase in schedule.phases)
        skewed = any(_skew(one) for phase in schedule.phases for one in phase.demands)
        made = Schedule(even, schedule.overlap)
        other = replace(traffic, schedule=lambda domain, rail: made) if skewed else None
        some = any(isinstance(one, AllToAll) for phase in schedule.phases for one in phase.demands)
    if other is None:
        yield NotTried(lever, Cost.RESTART, _EVEN if some else _NO_EXPERTS)
        return
    how = (
        "if these are tokens to experts: deal experts by their counts, with copies of the most popular (DeepSeek's "
        "EPLB); what each expert gets is not known here, so this is the most that it can give"
    )
    yield Change(lever, Cost.RESTART, how, case.scenario.carrying(other, case.scenario.routing), repeatable=False)


def _over_mean(values: FloatVector, groups: Groups) -> FloatVector:
    """The largest of each group over its mean."""
    start, sizes = groups.start[:-1], np.maximum(groups.sizes, 1)
    mean = np.add.reduceat(values, start) / sizes
    largest: FloatVector = np.maximum.reduceat(values, start)
    return np.divide(largest, mean, out=np.ones(start.size), where=mean > 0)


def _skew(demand: Demand) -> bool:
    """Whether some member gets much more than the mean of its group, or sends it back."""
    if not isinstance(demand, AllToAll) or not demand.groups.n_groups or (demand.groups.sizes == 0).any():
        return False
    return any(float(_over_mean(one, demand.groups).max()) >= GAIN for one in (demand.receive, demand.send))


def _even(demand: Demand) -> Demand:
    """An exchange with the uneven side, what the experts get or send back, evened out."""
    if not isinstance(demand, AllToAll) or not _skew(demand):
        return demand
    groups = demand.groups
    back = float(_over_mean(demand.send, groups).max()) > float(_over_mean(demand.receive, groups).max())
    uneven = demand.send if back else demand.receive
    mean = np.repeat(np.add.reduceat(uneven, groups.start[:-1]) / groups.sizes, groups.sizes)
    return replace(demand, send=mean) if back else replace(demand, receive=mean)


def _evened(trace: Trace) -> Trace | None:
    """A trace whose uneven all-to-alls have their uneven side evened out; None where there is none."""
    operations = tuple(map(_evened_operation, trace.operations))
    changed = any(one is not other for one, other in zip(operations, trace.operations, strict=True))
    return replace(trace, operations=operations) if changed else None


def _evened_operation(operation: Operation) -> Operation:
    splits = operation.splits
    if splits is None or not operation.complete or splits.sum() <= 0:
        return operation
    gets, sends = splits.sum(axis=0), splits.sum(axis=1)
    over = [float(one.max() / one.mean()) for one in (gets, sends)]
    if max(over) < GAIN:
        return operation
    # The even side is the tokens'; each sends an equal part to all, or gets one back.
    n = len(operation.ranks)
    even = np.tile(sends[:, None] / n, (1, n)) if over[0] >= over[1] else np.tile(gets[None, :] / n, (n, 1))
    return replace(operation, splits=even)
