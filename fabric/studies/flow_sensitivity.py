"""What the number of hashed flows a pair decides: the same job with fewer and more of them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from collectives.demand import Flows, Reduction
from fabric.routing.link_loads import schedule_loads
from fabric.routing.policies import Ecmp
from fabric.scenario import Scenario

NUMBERS = (1, 2, 4, 8, 16)
# Hashed flows that are routed at most: a second or two on two cores.  Assumed to be the longest that anybody waits.
MOST_FLOWS = 1_000_000_000


@dataclass(frozen=True)
class FlowPoint:
    """A number of flows a pair, and the time that it gives.

    Attributes
    ----------
    flows : int
        Of a pair of endpoints.
    time_s : float
        Bottleneck time, seconds.
    """

    flows: int
    time_s: float


def flow_sensitivity(scenario: Scenario, numbers: tuple[int, ...] = NUMBERS) -> tuple[FlowPoint, ...]:
    """Times of a hashed job over numbers of flows a pair, its own among them.

    Nothing where the routing does not hash, or where that would be too many flows: `too_many`.

    Parameters
    ----------
    scenario : Scenario
    numbers : tuple of int
    """
    routing = scenario.routing
    if not isinstance(routing, Ecmp):
        return ()
    if too_many(scenario, numbers):
        return ()
    wanted = sorted({*numbers, routing.flows_a_pair})
    return tuple(FlowPoint(number, _time_s(scenario, replace(routing, queue_pairs=number))) for number in wanted)


def too_many(scenario: Scenario, numbers: Iterable[int] = NUMBERS) -> bool:
    """Whether hashing these numbers of flows a pair, and its own, takes too long to be done unasked."""
    routing = scenario.routing
    if not isinstance(routing, Ecmp):
        return False
    return pairs_of(scenario) * sum({*numbers, routing.flows_a_pair}) > MOST_FLOWS


def _time_s(scenario: Scenario, routing: Ecmp) -> float:
    loads = schedule_loads(scenario.topology, scenario.schedule, scenario.placement, routing, scenario.n_threads)
    return loads.bottleneck_time_s


def pairs_of(scenario: Scenario) -> int:
    """At most so many pairs of ranks send to each other."""
    pairs = 0
    for phase in scenario.schedule.phases:
        for demand in phase.demands:
            if isinstance(demand, Flows):
                pairs += len(demand.src)
            elif not isinstance(demand, Reduction):
                pairs += int((demand.groups.sizes**2).sum())
    return pairs
