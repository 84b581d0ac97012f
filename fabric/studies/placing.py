"""Placements of a job side by side, and a better order of the hosts that it already has."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from collectives.domains import lone_apart
from collectives.errors import InputError
from fabric.formats.opening import OpenedFabric
from fabric.jobs.assignment import Assignment, best_order
from fabric.jobs.placement import Placement, domain_of_rank
from fabric.jobs.rule import FRAGMENTED, PACKED, SCATTERED, SEGMENTED, UNALIGNED, PlacementRule
from fabric.jobs.step_traffic import operation_traffic
from fabric.routing.policies import Adaptive, Routing
from fabric.scenario import DIRECT, PXN, Scenario
from fabric.studies.step import ComputeSource, compute_source
from fabric.studies.step_costs import OperationCost, operation_costs
from fabric.timing.step_time import StepTime, step_time
from traces.workload.description import Workload, WorkloadDescription
from traces.workload.step_operations import StepOperation, step_operations

GIVEN, PROPOSED = "as it is", "proposed"


@dataclass(frozen=True, eq=False)
class PlacedStep:
    """A step on one placement.

    Attributes
    ----------
    name : str
    placement : Placement
    costs : tuple of OperationCost
    time : StepTime
    tier_bytes : tuple of float
        Bytes of a GPU in a step up into NVLink, leaves, spines, cores, a mean.
    by_axis : dict
        The same by parallel axis.
    crossing : dict
        Groups of each axis that are in several scale-up domains, and all of its groups.
    """

    name: str
    placement: Placement
    costs: tuple[OperationCost, ...]
    time: StepTime
    tier_bytes: tuple[float, ...]
    by_axis: dict[str, tuple[float, ...]]
    crossing: dict[str, tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Placing:
    """Placements of a workload, and the proposal.

    Attributes
    ----------
    fabric : OpenedFabric
    workload : Workload
    placed : tuple of PlacedStep
        The given one first, the proposed one second, then what schedulers would do.
    assignment : Assignment
        How the proposal was found, and the bound.
    unit : int
        Consecutive ranks that it keeps together.
    assumptions : tuple of str
    """

    fabric: OpenedFabric
    workload: Workload
    placed: tuple[PlacedStep, ...]
    assignment: Assignment
    unit: int
    assumptions: tuple[str, ...]

    @property
    def given(self) -> PlacedStep:
        """Where the job is."""
        return self.placed[0]

    @property
    def proposed(self) -> PlacedStep:
        """Where its ranks should be, on the same hosts."""
        return self.placed[1]


def unit_of(operations: Sequence[StepOperation], n_ranks: int) -> int:
    """Consecutive ranks that talk most among themselves: blocks in which no tensor, context or expert group is cut."""
    near = [one.groups for one in operations if one.axis in ("tp", "cp", "ep", "etp")]

    def whole(size: int) -> bool:
        blocks = ((groups.rank // size, groups.start[:-1]) for groups in near)
        return all(
            np.array_equal(np.maximum.reduceat(block, start), np.minimum.reduceat(block, start))
            for block, start in blocks
        )

    return next(size for size in range(1, n_ranks + 1) if n_ranks % size == 0 and whole(size))


def usual_rules(rule: PlacementRule, fabric: OpenedFabric, unit: int, n_seeds: int = 1) -> dict[str, PlacementRule]:
    """What schedulers do with such a job, on any hosts of the fabric."""
    bare = PlacementRule(gpus=rule.gpus, gpus_per_domain=rule.gpus_per_domain, seed=rule.seed)
    host = fabric.topology.endpoint_host
    per_host = int(np.bincount(host[host >= 0]).max(initial=1))
    found = {PACKED: bare}
    segment = unit // per_host
    if segment >= 1 and unit % per_host == 0:
        found[f"{SEGMENTED}, --segment={segment}"] = replace(bare, kind=SEGMENTED, segment=segment)
    found[UNALIGNED] = bare.as_kind(UNALIGNED)
    for kind in (FRAGMENTED, SCATTERED):
        for seed in range(rule.seed, rule.seed + n_seeds):
            found[kind if n_seeds == 1 else f"{kind}, seed {seed}"] = replace(bare.as_kind(kind), seed=seed)
    return found


def study_placing(
    fabric: OpenedFabric,
    description: WorkloadDescription,
    rule: PlacementRule,
    *,
    n_seeds: int = 1,
    compute: ComputeSource | None = None,
    routing: Routing | None = None,
    n_threads: int | None = None,
) -> Placing:
    """A job's placement, a better order of its hosts, and what schedulers would do, each with its step.

    Parameters
    ----------
    fabric : OpenedFabric
    description : WorkloadDescription
    rule : PlacementRule
        Where the job is.
    n_seeds : int
        Of the placements that are drawn.
    compute : ComputeSource, optional
        Default what the description says.
    routing : Routing, optional
        Default adaptive.

    Raises
    ------
    InputError
        If the job does not fit, or its layout does not.
    """
    gpus = rule.n_ranks(fabric)
    workload = Workload.of(description, gpus)
    operations = step_operations(workload)
    source = compute or compute_source(fabric, description, PlacementRule(), n_threads)
    own = rule.place(fabric, gpus)
    widest = unit_of(operations, gpus)
    replica = workload.layout.tp * workload.layout.cp * workload.layout.pp

    def placed(name: str, placement: Placement) -> PlacedStep:
        scenario = _scenario(fabric, operations, placement, routing, n_threads)
        # The library chooses where the job is.
        algorithms = scenario.algorithms_of(operations)
        costs = operation_costs(scenario, operations, algorithms, bounds=False, routing=routing)
        tokens = workload.micro * description.batch.sequence
        seconds = [cost.seconds for cost in costs]
        compute_s = source.gpu_seconds_per_token * tokens / replica
        time = step_time(workload, operations, seconds, compute_s, description.compute.fixed_s)
        return PlacedStep(name, placement, costs, time, *_bytes(costs, workload), _crossing(scenario, operations))

    given = placed(GIVEN, own)
    orders = {unit: best_order(fabric.topology, own, unit) for unit in dict.fromkeys((widest, min(replica, gpus)))}
    tried = {unit: placed(PROPOSED, order.placement) for unit, order in orders.items()}
    unit = min(tried, key=lambda one: (tried[one].time.step_s, sum(tried[one].tier_bytes[1:]), one != widest))
    others, impossible = [], []
    for name, each in usual_rules(replace(rule, gpus=gpus), fabric, widest, n_seeds).items():
        try:
            other = each.place(fabric, gpus)
        except InputError as error:
            impossible.append(f"{name}: left out, as it cannot be here ({error})")
        else:
            others.append(placed(name, other))
    said = (
        source.text,
        *description.model.assumptions,
        *rule.assumptions(fabric),
        *impossible,
        *fabric.assumptions,
        f"routing: {(routing or Adaptive()).name}; transport: over NVLink to the rail (PXN) where there is any",
        f"heuristic: {orders[unit].heuristic}",
    )
    return Placing(fabric, workload, (given, tried[unit], *others), orders[unit], unit, said)


def _scenario(
    fabric: OpenedFabric,
    operations: Sequence[StepOperation],
    placement: Placement,
    routing: Routing | None,
    n_threads: int | None,
) -> Scenario:
    transport = PXN if fabric.topology.nvlink_gbps is not None else DIRECT
    traffic = operation_traffic(operations[0], placement.n_ranks)
    return Scenario.of(
        fabric, traffic, placement=placement, transport=transport, routing=routing or Adaptive(), n_threads=n_threads
    )


def _bytes(
    costs: Sequence[OperationCost], workload: Workload
) -> tuple[tuple[float, ...], dict[str, tuple[float, ...]]]:
    by_axis: dict[str, np.ndarray] = {}
    for cost in costs:
        times = cost.operation.times(workload.microbatches)
        by_axis[cost.operation.axis] = by_axis.get(cost.operation.axis, np.zeros(4)) + times * np.array(cost.tier_bytes)
    total = sum(by_axis.values(), np.zeros(4))
    return tuple(total.tolist()), {axis: tuple(values.tolist()) for axis, values in by_axis.items()}


def _crossing(scenario: Scenario, operations: Sequence[StepOperation]) -> dict[str, tuple[int, int]]:
    domain = lone_apart(domain_of_rank(scenario.topology, scenario.placement))
    found: dict[str, tuple[int, int]] = {}
    for one in operations:
        own, start = domain[one.groups.rank], one.groups.start[:-1]
        several = np.maximum.reduceat(own, start) != np.minimum.reduceat(own, start)
        found[one.axis] = (int(np.count_nonzero(several)), one.groups.n_groups)
    return found
