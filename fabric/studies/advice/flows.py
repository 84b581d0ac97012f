"""What helps flows that share the fabric: levers by the time at which the last flow ends, at max-min fair rates."""

from collectives.errors import InputError
from fabric.jobs.traffic import flows_traffic
from fabric.routing.policies import Adaptive
from fabric.scenario import DIRECT, Scenario
from fabric.studies.advice.best import what_helps
from fabric.studies.advice.described import less_oversubscription, more_spines, wiring
from fabric.studies.advice.lever import Lever
from fabric.studies.advice.mend import drain, mend_all, mend_hottest
from fabric.studies.advice.moves import move_cables
from fabric.studies.advice.remeasured import remeasured
from fabric.studies.advice.routes import adaptive, dmodk, more_flows, own_seeds
from fabric.studies.advice.study import Advice
from fabric.studies.rates import FlowTimes, flow_times

LEVERS: tuple[Lever, ...] = (
    adaptive, own_seeds, more_flows, dmodk, drain, mend_hottest, mend_all, move_cables, wiring, less_oversubscription,
    more_spines,
)  # fmt: skip
"""Those that leave the flows as they are."""

# Hops of all flows together, with which sharing is done again unasked: some tenths of a second.  Assumed.
_MOST_HOPS = 300_000


def flows_advice(shared: FlowTimes) -> Advice | None:
    """What ends the last flow sooner; None where trying takes long, or the paths were given.

    Parameters
    ----------
    shared : FlowTimes
    """
    if shared.routing is None or shared.routed.paths.link.size > _MOST_HOPS or shared.makespan_s <= 0:
        return None
    traffic = flows_traffic(shared.flows, shared.fabric.topology.n_endpoints, "flows")
    try:
        advice = what_helps(Scenario.of(shared.fabric, traffic, routing=shared.routing), levers=LEVERS)
    except InputError:
        return None
    return None if advice is None else remeasured(advice, shared.makespan_s, lambda one: _makespan_s(shared, one))


def by_even_splits_s(shared: FlowTimes) -> float | None:
    """When the last flow would end if paths that were given were left for even splits; None where there are none."""
    if shared.routing is not None or shared.routed.paths.link.size > _MOST_HOPS or shared.makespan_s <= 0:
        return None
    try:
        return flow_times(shared.fabric, shared.flows, shared.start_s, Adaptive()).makespan_s
    except InputError:
        return None


def _makespan_s(shared: FlowTimes, scenario: Scenario) -> float:
    if scenario.job.transport != DIRECT:
        raise InputError("flows between endpoints keep their NICs")
    if scenario.topology.endpoint_names != shared.fabric.topology.endpoint_names:
        raise InputError("the endpoints are others there")
    quantum_s = shared.parts.quantum_s
    return flow_times(scenario.fabric, shared.flows, shared.start_s, scenario.routing, quantum_s=quantum_s).makespan_s
