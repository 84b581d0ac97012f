"""One failure, or several at once, run through the model in full."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from collectives.demand import FloatVector, Int64Vector
from collectives.schedule import Schedule
from fabric.builders.faults import Damage, Fault
from fabric.routing.link_loads import ScheduleLoads, schedule_loads
from fabric.routing.policies import Lft
from fabric.routing.unroutable import Unroutable
from fabric.scenario import Scenario
from fabric.studies.cut_off import disconnected_pairs
from fabric.topology import UNKNOWN


@dataclass(frozen=True, eq=False)
class FaultRun:
    """What is left of a scenario's traffic.

    Attributes
    ----------
    time_s : float or None
        None where pairs are cut off and the job stops.
    disconnected : int
        Ordered pairs of the job's ranks with no way between them.
    seconds : (n_links,) float64
        Load over capacity of each link of the whole fabric, by its numbering; 0 of those that are gone.
    """

    time_s: float | None
    disconnected: int
    seconds: FloatVector


def whole_run(scenario: Scenario) -> FaultRun:
    """The scenario's traffic on its fabric as it is.

    Raises
    ------
    Unroutable
        If pairs with traffic have no way already.
    """
    loads = _loads(scenario, scenario.schedule)
    return FaultRun(loads.bottleneck_time_s, 0, loads.total.seconds)


def fault_run(scenario: Scenario, faults: Sequence[Fault]) -> FaultRun:
    """The scenario's traffic on its fabric with more faults."""
    damage = scenario.fabric.damaged(faults)
    seconds = np.zeros(scenario.topology.n_links)
    broken = _struck(scenario, damage)
    endpoint, pools = scenario.placement.endpoint, broken.pools
    if pools is None:
        cut = disconnected_pairs(damage.topology, endpoint)
        if cut:
            return FaultRun(None, cut, seconds)
    try:
        # Who sends what does not depend on the cables, unless bytes are shared out by the NICs' speeds.
        loads = _loads(broken, scenario.schedule if pools is None else broken.schedule)
    except Unroutable:
        if pools is not None:
            return FaultRun(None, max(1, disconnected_pairs(damage.topology, endpoint, pools.pool)), seconds)
        # Tables stay as they are: a way that led over what is gone leads nowhere.
        return FaultRun(None, _unrouted(broken), seconds)
    kept = damage.new_link != UNKNOWN
    seconds[kept] = loads.total.seconds[damage.new_link[kept]]
    return FaultRun(loads.bottleneck_time_s, 0, seconds)


def struck(scenario: Scenario, faults: Sequence[Fault]) -> Scenario:
    """The same job, in the same place and routed alike, on its fabric with more faults.

    Raises
    ------
    InputError
        A fault that matches nothing.
    """
    return _struck(scenario, scenario.fabric.damaged(faults)) if faults else scenario


def _struck(scenario: Scenario, damage: Damage) -> Scenario:
    routing = scenario.routing
    if isinstance(routing, Lft):
        routing = _tables_left(routing, damage.new_link)
    return replace(scenario, fabric=replace(scenario.fabric, topology=damage.topology), routing=routing)


def _loads(scenario: Scenario, schedule: Schedule) -> ScheduleLoads:
    return schedule_loads(scenario.topology, schedule, scenario.placement, scenario.routing, scenario.n_threads)


def _unrouted(scenario: Scenario) -> int:
    """Pairs that the tables have no way for."""
    routing = scenario.routing
    if not isinstance(routing, Lft):
        return 1
    loads = _loads(replace(scenario, routing=replace(routing, skip_unrouted=True)), scenario.schedule)
    return max(1, loads.total.unrouted.pairs)


def _tables_left(routing: Lft, new_link: Int64Vector) -> Lft:
    """Tables that still name links of the damaged fabric by their new numbers; those that are gone lead nowhere."""
    from fabric._kernels.arrays import WayEnd

    known = routing.next_link >= 0
    moved = np.where(known, new_link[np.where(known, routing.next_link, 0)], routing.next_link)
    gone = known & (moved == UNKNOWN)
    moved[gone] = WayEnd.DEAD_PORT
    return replace(routing, next_link=moved.astype(np.int32))
