"""Which algorithm a library takes for each operation of a training step."""

from collections.abc import Sequence

from collectives.algorithm import Library
from collectives.catalog import algorithm_of
from collectives.nic_pool import NicPools
from fabric.jobs.placement import Placement
from fabric.jobs.step_traffic import operation_traffic
from fabric.routing.policies import Routing
from fabric.timing.prediction import considered_algorithms, fastest, job_facts
from fabric.timing.protocols import TimeModel
from fabric.topology import Topology
from traces.workload.step_operations import StepOperation


def step_algorithms(
    topology: Topology,
    placement: Placement,
    operations: Sequence[StepOperation],
    routing: Routing,
    model: TimeModel,
    in_network: bool,
    n_threads: int | None,
    library: Library,
    pools: NicPools | None,
) -> tuple[str, ...]:
    """The name of an algorithm for each operation; exchanges are sends, and the others the fastest by `fastest`.

    Parameters
    ----------
    operations : sequence of StepOperation
        Those of one axis, collective and size are decided once.
    topology, placement, routing, model, in_network, n_threads, library, pools
        As of `fabric.timing.prediction.fastest`.
    """
    known: dict[tuple[str, str, float], str] = {}
    names = []
    for one in operations:
        usual = algorithm_of(one.collective)
        key = (one.axis, one.collective, one.bytes)
        if usual.tuning == "exchange":
            known[key] = usual.name
        elif key not in known:
            facts = job_facts(topology, placement, one.groups, model, in_network)
            considered = considered_algorithms(one.collective, library, facts)
            known[key] = considered[0].name if considered else usual.name
            # With nothing to choose, what it costs is not asked yet.
            if len(considered) != 1:
                traffic = operation_traffic(one, placement.n_ranks)
                where = (topology, placement, traffic, routing)
                known[key], _ = fastest(*where, model, in_network, n_threads, library, pools)
        names.append(known[key])
    return tuple(names)
