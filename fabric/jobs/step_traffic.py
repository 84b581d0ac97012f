"""An operation of a training step as traffic that can be placed and routed."""

from collectives.catalog import algorithm_of, collective_schedule
from collectives.demand import Int32Vector
from collectives.dispatch import node_all_to_all, skewed_all_to_all
from collectives.schedule import Schedule
from collectives.sizes import counted, format_bytes
from fabric.jobs.traffic import Traffic
from traces.workload.step_operations import StepOperation


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
