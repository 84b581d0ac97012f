"""A training step, and each operation of one, as traffic that can be placed and routed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from collectives.catalog import algorithm_of, collective_schedule
from collectives.demand import Int32Vector, scaled
from collectives.dispatch import node_all_to_all, skewed_all_to_all
from collectives.errors import InputError
from collectives.schedule import Phase, Schedule
from collectives.sizes import counted, format_bytes
from fabric.jobs.traffic import Traffic
from traces.workload.description import Workload
from traces.workload.step_operations import StepOperation, step_operations


@dataclass(frozen=True, eq=False)
class StepLoad:
    """A training step: what it sends, and the compute that it sends beside.

    Attributes
    ----------
    workload : Workload
    operations : tuple of StepOperation
    compute_s : float
        Of a microbatch on a stage, seconds.
    fixed_s : float
        Of a step, seconds.
    """

    workload: Workload
    operations: tuple[StepOperation, ...]
    compute_s: float
    fixed_s: float

    @classmethod
    def of(cls, workload: Workload, gpu_seconds_per_token: float) -> "StepLoad":
        """A workload's step, given the GPU time of a token, forward and backward, all GPUs of a replica together."""
        layout = workload.layout
        tokens = workload.micro * workload.description.batch.sequence
        return cls.with_compute(workload, gpu_seconds_per_token * tokens / (layout.tp * layout.pp * layout.cp))

    @classmethod
    def with_compute(cls, workload: Workload, compute_s: float) -> "StepLoad":
        """The same, given the compute of a microbatch on a stage, seconds."""
        return cls(workload, step_operations(workload), compute_s, workload.description.compute.fixed_s)


def step_traffic(step: StepLoad, algorithms: Sequence[str | None] = ()) -> Traffic:
    """All operations of a step, as often as a rank runs them, one after the other.

    Parameters
    ----------
    step : StepLoad
    algorithms : sequence of str, optional
        Of each operation; default its first one.

    Raises
    ------
    InputError
        If nothing goes between GPUs.
    """
    return replace(sent_in_step(step.workload, step.operations, algorithms), step=step)


def sent_in_step(
    workload: Workload, operations: Sequence[StepOperation], algorithms: Sequence[str | None] = ()
) -> Traffic:
    """What a step sends, without the compute beside it; parameters and errors as of `step_traffic`."""
    n_ranks, name = workload.layout.n_ranks, workload.description.model.name
    if not operations:
        raise InputError(f"{name} on {n_ranks} GPUs: nothing goes between GPUs; expected a layout with an axis above 1")
    chosen = algorithms or (None,) * len(operations)
    made = [operation_traffic(one, n_ranks, by) for one, by in zip(operations, chosen, strict=True)]
    times = [one.times(workload.microbatches) for one in operations]

    def schedule(domain: Int32Vector, rail: Int32Vector) -> Schedule:
        phases: list[Phase] = []
        for one, own, often in zip(operations, made, times, strict=True):
            phases += _often(own.schedule(domain, rail), often, f"{one.axis} {one.label}")
        return Schedule(tuple(phases))

    return Traffic(
        label=f"a step of {name} on {counted(n_ranks, 'GPU')}",
        n_ranks=n_ranks,
        schedule=schedule,
        facts={"workload": name, "ranks": n_ranks},
    )


def _often(schedule: Schedule, times: float, label: str) -> list[Phase]:
    """An operation that is run so often: its phases, or where they are a pipeline all of them at once."""
    if schedule.overlap == "pipelined":
        demands = tuple(scaled(demand, times * phase.repeat) for phase in schedule.phases for demand in phase.demands)
        return [Phase(demands, 1, label)]
    return [
        Phase(tuple(scaled(demand, times) for demand in phase.demands), phase.repeat, label, phase.depth)
        for phase in schedule.phases
    ]


def operation_traffic(operation: StepOperation, n_ranks: int, algorithm: str | None = None) -> Traffic:
    """One run of an operation, of all its groups at once.

    Parameters
    ----------
    operation : StepOperation
    n_ranks : int
    algorithm : str, optional
        Default the first one of its collective.
    """
    chosen = algorithm_of(operation.collective, algorithm)
    spread = operation.spread

    def schedule(domain: Int32Vector, rail: Int32Vector) -> Schedule:
        if spread is None or spread.even:
            return collective_schedule(
                operation.collective, operation.groups, operation.bytes, chosen.name, domain, rail
            )
        back = spread.combine
        if not spread.by_node:
            return skewed_all_to_all(operation.groups, operation.bytes, spread.shares, back)
        return node_all_to_all(
            operation.groups, spread.token_bytes, spread.copies, spread.nodes, spread.shares, domain, rail, back
        )

    size = int(operation.groups.sizes.max())
    return Traffic(
        label=f"{operation.axis} {operation.label}: {operation.collective} of {format_bytes(operation.bytes)}, "
        f"{counted(operation.groups.n_groups, 'group')} of {size}",
        n_ranks=n_ranks,
        schedule=schedule,
        collective=operation.collective,
        group_size=size,
        bytes=operation.bytes,
        groups=operation.groups,
        algorithm=chosen.name,
        switches_reduce=chosen.switches_reduce,
    )
