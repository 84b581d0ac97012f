"""What each operation of a training step costs on a fabric, as one design places, sends and routes it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from collectives.catalog import algorithm_of
from collectives.schedule import Schedule
from collectives.transport import rail_aligned
from fabric.bounds.cuts import job_bound
from fabric.jobs.placement import Placement
from fabric.jobs.step_traffic import operation_traffic
from fabric.routing.link_loads import ScheduleLoads, schedule_loads
from fabric.routing.policies import Adaptive, Ecmp, Routing
from fabric.scenario import DIRECT, PXN, Scenario
from fabric.studies.hotspots import Hotspot, schedule_bottleneck
from fabric.timing.alpha_beta import AlphaBeta, alpha_beta_of, counts_of, found_s, predicted_s
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


@dataclass(frozen=True, eq=False)
class Known:
    """What the designs of one step have in common, found once: give the same to `operation_costs` for each.

    Designs that differ in wiring or routing alone send the same, and those whose transport changes nothing of it load
    the same links.

    Attributes
    ----------
    schedules : dict
        By operation, algorithm, transport, and domain and rail of each rank.
    costs : dict
        By the demands of a schedule, fabric, placement and routing: of an operation and those that move as much alike.
    """

    schedules: dict[tuple[object, ...], Schedule] = field(default_factory=dict)
    costs: dict[tuple[object, ...], tuple[OperationCost, ...]] = field(default_factory=dict)

    def scheduled(self, scenario: Scenario, operation: StepOperation, name: str) -> Scenario:
        """The scenario with the schedule that was made for another design, if there is one."""
        if scenario.pools is not None:
            return scenario
        where = (operation, name, scenario.domain.tobytes(), scenario.rail.tobytes())
        direct = self.schedules.get((*where, DIRECT))
        if direct is None:
            direct = self.schedules[*where, DIRECT] = scenario.traffic.schedule(scenario.domain, scenario.rail)
        schedule = direct
        if scenario.job.transport == PXN:
            key = (*where, PXN)
            if key not in self.schedules:
                self.schedules[key] = rail_aligned(direct, scenario.domain, scenario.rail)
            schedule = self.schedules[key]
        return scenario.sending(schedule)

    def key(self, scenario: Scenario, operations: Sequence[StepOperation]) -> tuple[object, ...] | None:
        """What decides the costs of operations that move alike; None where it is not known."""
        if scenario.pools is not None or not isinstance(scenario.routing, Adaptive | Ecmp):
            return None
        # Demands live as long as the schedules above, so that their identities are theirs alone.
        phases = tuple((*map(id, one.demands), one.repeat, one.depth) for one in scenario.schedule.phases)
        where = (scenario.topology, scenario.placement.endpoint.tobytes(), scenario.routing)
        return (tuple(operations), phases, scenario.schedule.overlap, *where)


def operation_costs(
    scenario: Scenario,
    operations: Sequence[StepOperation],
    algorithms: Sequence[str],
    bounds: bool = True,
    routing: Routing | None = None,
    known: Known | None = None,
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
    known : Known, optional
        What other designs of the same step have found.
    """
    asked = routing or unopened(scenario.routing)
    found: dict[int, OperationCost] = {}
    for place, one in enumerate(operations):
        if place in found:
            continue
        alike = [
            other
            for other in range(place, len(operations))
            if other not in found and _moves_alike((one, algorithms[place]), (operations[other], algorithms[other]))
        ]
        costs = _costs(
            scenario, [operations[other] for other in alike], [algorithms[other] for other in alike], bounds, asked,
            known or Known(),
        )  # fmt: skip
        found |= zip(alike, costs, strict=True)
    return tuple(found[place] for place in range(len(operations)))


def _moves_alike(one: tuple[StepOperation, str], other: tuple[StepOperation, str]) -> bool:
    """Whether two operations by their algorithms load the same links in proportion to their sizes."""
    (operation, name), (another, its_name) = one, other
    if operation is another:
        return True
    if operation.groups is not another.groups:
        return False
    if any(each.spread is not None and not each.spread.even for each in (operation, another)):
        return False
    if operation.collective == another.collective:
        return name == its_name
    moves = {algorithm_of(operation.collective, name).moves, algorithm_of(another.collective, its_name).moves}
    return len(moves) == 1 and "" not in moves


def _costs(
    given: Scenario,
    operations: Sequence[StepOperation],
    names: Sequence[str],
    bounds: bool,
    routing: Routing,
    known: Known,
) -> tuple[OperationCost, ...]:
    """Costs of operations that move alike: the first one is routed."""
    first = operations[0]
    n_ranks = given.placement.n_ranks
    traffic = operation_traffic(first, n_ranks, names[0])
    scenario = known.scheduled(given.carrying(traffic, routing), first, names[0])
    key = known.key(scenario, operations)
    if key is not None and (key, bounds) in known.costs:
        return known.costs[key, bounds]
    if key is not None and not bounds and (key, True) in known.costs:
        return tuple(replace(one, bound_s=0.0) for one in known.costs[key, True])
    schedule = scenario.schedule
    loads = schedule_loads(scenario.topology, schedule, scenario.placement, scenario.routing, scenario.n_threads)
    hottest = schedule_bottleneck(loads)
    tier_bytes = _by_tier(scenario.topology, loads, scenario.placement)
    highest = max((place for place, value in enumerate(tier_bytes) if value > 0), default=0)
    sent_bytes = schedule.total_bytes() / n_ranks
    counts = counts_of(schedule, loads, scenario.placement)
    models: dict[str, AlphaBeta] = {}
    bound_s: dict[str, float] = {}
    costs = []
    for one, name in zip(operations, names, strict=True):
        factor = one.bytes / first.bytes
        if one.collective not in models:
            models[one.collective] = alpha_beta_of(
                algorithm_of(one.collective, name), schedule, loads, scenario.placement, first.bytes, scenario.model,
                one.groups, counts,
            )  # fmt: skip
            bound_s[one.collective] = _bound_s(scenario, one, first.bytes) if bounds else 0.0
        model = models[one.collective]
        lasted, protocol = predicted_s(model, one.bytes, scenario.model)
        slow = found_s(model, protocol, one.bytes, scenario.model)
        costs.append(
            OperationCost(
                one, name, lasted, max(lasted, slow), bound_s[one.collective] * factor, sent_bytes * factor,
                tuple(value * factor for value in tier_bytes), TIERS[highest],
                hottest if hottest is None else hottest.scaled(factor), model,
            )
        )  # fmt: skip
    if key is not None:
        known.costs[key, bounds] = tuple(costs)
    return tuple(costs)


def _bound_s(scenario: Scenario, operation: StepOperation, size: float) -> float:
    """What nothing beats of the collective of an operation at a size, or of the scenario's own traffic."""
    collective = operation.collective if operation.spread is None else None
    lower = job_bound(
        scenario.topology, scenario.schedule, scenario.placement, collective, operation.groups, size,
        scenario.traffic.switches_reduce,
    )  # fmt: skip
    return 0.0 if lower is None else lower.time_s


def unopened(routing: Routing) -> Routing:
    """Hashing with as many flows as the library opens for the operation at hand, whatever was opened for another."""
    return replace(routing, queue_pairs=None) if isinstance(routing, Ecmp) else routing


def _by_tier(topology: Topology, loads: ScheduleLoads, placement: Placement) -> tuple[float, ...]:
    groups, carried = topology.link_groups, loads.total_groups.bytes
    up = groups.direction == UP
    inside = (groups.kind == NVLINK) & (up | (groups.direction == PEER))
    isl = (groups.kind == ISL) & up
    masks = (inside, (groups.kind == NIC) & up, isl & (groups.tier == 2), isl & (groups.tier > 2))
    return tuple(float(carried[mask].sum()) / placement.n_ranks for mask in masks)
