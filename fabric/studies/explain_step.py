"""What jobs' training steps send, operation by operation, for `explain`."""

from collections.abc import Sequence

from fabric.formats.opening import OpenedFabric
from fabric.jobs.rule import PlacementRule
from fabric.jobs.step_traffic import operation_traffic
from fabric.routing.policies import Adaptive, Routing
from fabric.scenario import DIRECT, PXN, Scenario
from fabric.studies.explain import Sent
from fabric.studies.sharing import JobRequest, placed_apart
from traces.workload.description import Workload
from traces.workload.step_operations import step_operations


def sent_in_steps(
    fabric: OpenedFabric,
    jobs: Sequence[JobRequest],
    routing: Routing | None = None,
    n_threads: int | None = None,
) -> tuple[Sent, ...]:
    """Every operation of one step of each job, as often as a rank runs it.

    Parameters
    ----------
    fabric : OpenedFabric
    jobs : sequence of JobRequest
        Each on hosts that those before it leave.
    routing : Routing, optional
        Default adaptive.
    n_threads : int, optional

    Raises
    ------
    InputError
        What does not fit: layout, batch, fabric.
    """
    transport = PXN if fabric.topology.nvlink_gbps is not None else DIRECT
    asked = routing or Adaptive()
    made: list[Sent] = []
    for job, placement in zip(jobs, placed_apart(fabric, jobs), strict=True):
        workload = Workload.of(job.workload, job.gpus)
        operations = step_operations(workload)
        first = operation_traffic(operations[0], job.gpus)
        scenario = Scenario.of(
            fabric,
            first,
            rule=PlacementRule(gpus=job.gpus),
            placement=placement,
            transport=transport,
            routing=asked,
            n_threads=n_threads,
        )
        for one, name in zip(operations, scenario.algorithms_of(operations), strict=True):
            own = scenario.carrying(operation_traffic(one, job.gpus, name), asked)
            label = f"{one.axis} {one.label}"
            times = one.times(workload.microbatches)
            made.append(Sent(job.name, one.axis, label, own.schedule, placement, own.routing, times))
    return tuple(made)
