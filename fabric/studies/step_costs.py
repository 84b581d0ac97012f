"""What each operation of a training step costs on a fabric, as one design places, sends and routes it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from collectives.catalog import algorithm_of
from fabric.bounds.cuts import job_bound
from fabric.jobs.placement import Placement
from fabric.jobs.step_traffic import operation_traffic
from fabric.routing.link_loads import schedule_loads
from fabric.routing.policies import Ecmp, Routing
from fabric.scenario import Scenario
from fabric.studies.hotspots import Hotspot, schedule_bottleneck
from fabric.timing.alpha_beta import AlphaBeta, alpha_beta_of, found_s, predicted_s
from fabric.topology import ISL, NIC, NVLINK, PEER, UP, Topology
from traces.workload.step_operations import StepOperation

TIERS = ("NVLink", "leaf", "spine", "core")


@dataclass(frozen=True)
class OperationCost:
    """One run of an operation, all its groups at once.

    Attributes
    ----------
    operation : StepOperation
    algorithm : str
    seconds, found_s : float
        By the model with latency, on well-tuned clusters and as clusters are often found.
    bound_s : float
        What no routing can beat, and for an exchange of equal parts and a reduction no algorithm; without latency.
    sent_bytes : float
        Bytes that a rank sends, a mean.
    tier_bytes : tuple of float
        Bytes up into each of `TIERS`, of a rank, a mean.
    tier : str
        The highest of them that carries any.
    hottest : Hotspot or None
        The link that sets the time.
    model : AlphaBeta
        What times of other sizes follow from.
    """

    operation: StepOperation
    algorithm: str
    seconds: float
    found_s: float
    bound_s: float
    sent_bytes: float
    tier_bytes: tuple[float, ...]
    tier: str
    hottest: Hotspot | None
    model: AlphaBeta


def operation_costs(
    scenario: Scenario,
    operations: Sequence[StepOperation],
    algorithms: Sequence[str],
    bounds: bool = True,
    routing: Routing | None = None,
) -> tuple[OperationCost, ...]:
    """Route every operation of a step.

    Parameters
    ----------
    scenario : Scenario
        Its placement, transport and routing are used; its traffic is not.
    operations : sequence of StepOperation
    algorithms : sequence of str
        Of each.
    bounds : bool
        Whether bounds are computed; else they are 0.
    routing : Routing, optional
        As it was asked for; default the scenario's, with as many hashed flows as the library opens for each operation.
    """
    asked = routing or unopened(scenario.routing)
    made: list[OperationCost] = []
    for one, name in zip(operations, algorithms, strict=True):
        alike = next((cost for cost in made if cost.algorithm == name and _alike(cost.operation, one)), None)
        made.append(_cost(scenario, one, name, bounds, asked) if alike is None else _scaled(scenario, alike, one))
    return tuple(made)


def _alike(one: StepOperation, other: StepOperation) -> bool:
    """Whether two operations load the same links in proportion to their sizes."""
    even = all(each.spread is None or each.spread.even for each in (one, other))
    return even and one.groups is other.groups and one.collective == other.collective


def _scaled(scenario: Scenario, cost: OperationCost, operation: StepOperation) -> OperationCost:
    """The cost of the same exchange at another size, without routing it again."""
    factor = operation.bytes / cost.operation.bytes
    lasted, protocol = predicted_s(cost.model, operation.bytes, scenario.model)
    slow = found_s(cost.model, protocol, operation.bytes, scenario.model)
    return replace(
        cost,
        operation=operation,
        seconds=lasted,
        found_s=max(lasted, slow),
        bound_s=cost.bound_s * factor,
        sent_bytes=cost.sent_bytes * factor,
        tier_bytes=tuple(value * factor for value in cost.tier_bytes),
    )


def _cost(given: Scenario, operation: StepOperation, name: str, bounds: bool, routing: Routing) -> OperationCost:
    traffic = operation_traffic(operation, given.placement.n_ranks, name)
    scenario = given.carrying(traffic, routing)
    schedule = scenario.schedule
    loads = schedule_loads(scenario.topology, schedule, scenario.placement, scenario.routing, scenario.n_threads)
    algorithm = algorithm_of(operation.collective, name)
    costs = alpha_beta_of(
        algorithm, schedule, loads, scenario.placement, operation.bytes, scenario.model, operation.groups
    )
    lasted, protocol = predicted_s(costs, operation.bytes, scenario.model)
    slow = found_s(costs, protocol, operation.bytes, scenario.model)
    bound = 0.0
    if bounds:
        plain = operation.spread is None
        collective = operation.collective if plain else None
        lower = job_bound(
            scenario.topology, schedule, scenario.placement, collective, operation.groups, operation.bytes,
            traffic.switches_reduce,
        )  # fmt: skip
        bound = 0.0 if lower is None else lower.time_s
    tier_bytes = _by_tier(scenario.topology, loads.total.bytes, scenario.placement)
    highest = max((place for place, value in enumerate(tier_bytes) if value > 0), default=0)
    return OperationCost(
        operation, name, lasted, max(lasted, slow), bound, schedule.total_bytes() / scenario.placement.n_ranks,
        tier_bytes, TIERS[highest], schedule_bottleneck(loads), costs,
    )  # fmt: skip


def unopened(routing: Routing) -> Routing:
    """Hashing with as many flows as the library opens for the operation at hand, whatever was opened for another."""
    return replace(routing, queue_pairs=None) if isinstance(routing, Ecmp) else routing


def _by_tier(topology: Topology, load: np.ndarray, placement: Placement) -> tuple[float, ...]:
    up = topology.link_direction == UP
    inside = (topology.link_kind == NVLINK) & (up | (topology.link_direction == PEER))
    isl = (topology.link_kind == ISL) & up
    masks = (inside, (topology.link_kind == NIC) & up, isl & (topology.link_tier == 2), isl & (topology.link_tier > 2))
    return tuple(float(load[mask].sum()) / placement.n_ranks for mask in masks)
