"""What a job sends: a collective, a trace, explicit flows or any schedule, ready to be placed and routed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from collectives.algorithm import Algorithm
from collectives.catalog import algorithm_of, collective_schedule
from collectives.demand import Flows, Groups, Int32Vector
from collectives.errors import InputError
from collectives.layout import ParallelLayout
from collectives.nccl_channels import Channel
from collectives.schedule import Phase, Schedule
from collectives.sizes import counted, format_bytes
from fabric.jobs.placement import Placement
from fabric.topology import Topology
from traces.operation import Trace

if TYPE_CHECKING:
    from fabric.jobs.step_traffic import StepLoad

# A schedule, and channels, given the scale-up domain and the rail of every rank.
MakeSchedule = Callable[[Int32Vector, Int32Vector], Schedule]
MakeChannels = Callable[[Int32Vector, Int32Vector], tuple[Channel, ...]]

# Files of a trace that are named.
_FILES = 2


@dataclass(frozen=True, eq=False)
class Traffic:
    """What a job sends.

    Attributes
    ----------
    label : str
        What a reader is shown.
    n_ranks : int
    schedule : callable
        Makes the schedule from domain and rail of the ranks.
    collective : str or None
        For busbw; None where algbw and busbw have no meaning (traces, explicit flows).
    group_size : int
        Of the largest group.
    bytes : float
        The size that nccl-tests prints; 0 without a collective.
    placement : Placement or None
        Given by the traffic itself (explicit flows are between endpoints).
    groups : Groups or None
        Who takes part in the collective.
    facts : dict
        What a JSON document says of it.
    assumptions : tuple of str
    channels : callable or None
        Makes the channels from domain and rail of the ranks, for algorithms that have some.
    algorithm : str or None
        Of a collective.
    switches_reduce : bool
        Whether switches add up on the way.
    trace : Trace or None
        What a trace contains, where the traffic is one.
    trace_algorithm : str or None
        Of a trace: the algorithm that was asked for.
    step : StepLoad or None
        A training step, where the traffic is all that one sends.
    """

    label: str
    n_ranks: int
    schedule: MakeSchedule
    collective: str | None = None
    group_size: int = 0
    bytes: float = 0.0
    placement: Placement | None = None
    groups: Groups | None = None
    facts: dict[str, object] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    channels: MakeChannels | None = None
    algorithm: str | None = None
    switches_reduce: bool = False
    trace: Trace | None = None
    trace_algorithm: str | None = None
    step: "StepLoad | None" = None


def collective_traffic(
    collective: str,
    n_ranks: int,
    size: float,
    group: int | None = None,
    algorithm: str | None = None,
    layout: ParallelLayout | None = None,
    axes: str | None = None,
    n_channels: int | None = None,
    cross_nic: int | None = None,
) -> Traffic:
    """A collective in all groups at once.

    Parameters
    ----------
    collective : str
    n_ranks : int
    size : float
        Bytes, as nccl-tests counts them.
    group : int, optional
        Ranks per group, consecutive; default the whole job.
    algorithm : str, optional
    layout, axes : optional
        Groups of a parallel layout instead.
    n_channels, cross_nic : int, optional
        Of the algorithms that have channels: see `collectives.nccl_channels`.

    Raises
    ------
    InputError
        Unknown names, or what the algorithm does not take.
    """
    chosen = algorithm_of(collective, algorithm)
    if layout is not None:
        if axes is None:
            raise InputError("groups of a parallel layout: expected the axes that they run over, such as ep")
        groups, noun = layout.groups(axes), f"{axes} group"
    else:
        groups, noun = Groups.consecutive(n_ranks, n_ranks if group is None else group), "group"
    label = f"{collective} of {format_bytes(size)}, {counted(groups.n_groups, noun)} of {int(groups.sizes.max())}"
    return _by(chosen, groups, size, n_ranks, label, n_channels, cross_nic)


def with_algorithm(
    job: Traffic,
    algorithm: str,
    cross_nic: int | None = None,
    n_channels: int | None = None,
    size: float | None = None,
) -> Traffic:
    """The same collective of the same groups by another algorithm.

    Parameters
    ----------
    job : Traffic
    algorithm : str
    cross_nic : {0, 1, 2}, optional
        Of algorithms with rings on rails: see `collectives.nccl_channels`.
    n_channels : int, optional
        Default all that the algorithm has.
    size : float, optional
        Bytes, as nccl-tests counts them; default the job's.

    Raises
    ------
    InputError
        If the traffic is no collective, or the collective has no algorithm of that name.
    """
    if job.collective is None or job.groups is None:
        raise InputError(f"algorithm {algorithm}: expected a collective, not {job.label}")
    chosen = algorithm_of(job.collective, algorithm)
    return _by(chosen, job.groups, size or job.bytes, job.n_ranks, job.label, n_channels, cross_nic)


def _by(
    chosen: Algorithm,
    groups: Groups,
    size: float,
    n_ranks: int,
    label: str,
    n_channels: int | None = None,
    cross_nic: int | None = None,
) -> Traffic:
    collective, name, make_channels = chosen.collective, chosen.name, chosen.channels
    size_of_group = int(groups.sizes.max())

    def schedule(domain: Int32Vector, rail: Int32Vector) -> Schedule:
        return collective_schedule(collective, groups, size, name, domain, rail, n_channels, cross_nic)

    def its_channels(domain: Int32Vector, rail: Int32Vector) -> tuple[Channel, ...]:
        assert make_channels is not None
        return make_channels(groups, domain, rail, **chosen.taken(n_channels=n_channels, cross_nic=cross_nic))

    return Traffic(
        label=label,
        n_ranks=n_ranks,
        schedule=schedule,
        collective=collective,
        group_size=size_of_group,
        bytes=size,
        groups=groups,
        facts={
            "collective": collective,
            "algorithm": name,
            "size_bytes": size,
            "groups": groups.n_groups,
            "group_size": size_of_group,
        },
        algorithm=name,
        channels=its_channels if make_channels is not None else None,
        switches_reduce=chosen.switches_reduce,
    )


def schedule_traffic(schedule: Schedule, n_ranks: int, label: str = "schedule") -> Traffic:
    """A schedule of the caller's own.

    Raises
    ------
    InputError
        If it has a rank that the job has not.
    """
    if schedule.max_rank >= n_ranks:
        raise InputError(f"{label}: rank {schedule.max_rank}; the job has ranks 0 to {n_ranks - 1}")
    return Traffic(label=label, n_ranks=n_ranks, schedule=lambda domain, rail: schedule)


def demand_traffic(path: str | Path, topology: Topology) -> Traffic:
    """Explicit flows between endpoints from a CSV file (``src,dst,bytes``)."""
    from traces.flows_csv import read_flows_csv

    flows = read_flows_csv(path, topology.endpoint_names)
    made = flows_traffic(flows, topology.n_endpoints, f"{counted(len(flows.src), 'flow')} of {path}")
    return replace(made, facts={"demand": str(path), "flows": len(flows.src)})


def flows_traffic(flows: Flows, n_endpoints: int, label: str) -> Traffic:
    """Explicit flows between the endpoints of a fabric, all at once."""
    schedule = Schedule((Phase(flows, 1, "flows"),))
    return Traffic(
        label=label,
        n_ranks=n_endpoints,
        schedule=lambda domain, rail: schedule,
        placement=Placement(np.arange(n_endpoints, dtype=np.int32)),
    )


def trace_traffic(
    paths: Sequence[str | Path],
    n_ranks: int | None = None,
    algorithm: str | None = None,
    fill_ranks: bool = False,
    trace_format: str | None = None,
) -> Traffic:
    """The collectives of a real trace, those of disjoint groups together.

    Parameters
    ----------
    paths : sequence of path
    n_ranks : int, optional
        Size of the job; default what the trace says.
    algorithm : str, optional
        For every kind of operation that has it: see `traces.trace_schedule`.
    fill_ranks : bool
        Whether the operations of ranks that were not traced are filled in by symmetry: see `traces.filling`.
    trace_format : str, optional
        Name of their format; default told by what is in them.
    """
    from traces.filling import filled, untraced
    from traces.registry import read_trace
    from traces.traffic import trace_assumptions
    from traces.whole_job import for_whole_job

    trace = read_trace(paths, trace_format)
    size = n_ranks or trace.n_ranks
    if size is None:
        raise InputError(
            f"{paths[0]}: the trace does not say how many ranks the job had; expected n_ranks", "--gpus says it"
        )
    trace = for_whole_job(trace, size)
    lacking = untraced(trace, size)
    added = 0
    if fill_ranks:
        trace, added = filled(trace, size)
    assumptions = trace_assumptions(trace, size, algorithm)
    if fill_ranks:
        said = (
            f"{lacking:,} of {size:,} ranks were not traced: {added:,} operations of theirs are filled in by symmetry"
        )
        assumptions = (said, *assumptions)
    made = Traffic(
        label=f"trace of {counted(len(trace.operations), 'operation')} on {counted(size, 'rank')} "
        f"({', '.join(map(str, paths[:_FILES]))}{f' and {len(paths) - _FILES:,} more' if len(paths) > _FILES else ''})",
        n_ranks=size,
        schedule=_unscheduled,
        facts={
            "trace": [str(path) for path in paths],
            "operations": len(trace.operations),
            "ranks": size,
            "ranks_not_traced": lacking,
            "operations_filled_in": added,
        },
        assumptions=(*trace.warnings, *assumptions),
        trace_algorithm=algorithm,
    )
    return retraced(made, trace)


def _unscheduled(domain: Int32Vector, rail: Int32Vector) -> Schedule:
    return Schedule(())


def retraced(job: Traffic, trace: Trace) -> Traffic:
    """The same traffic with other operations of its trace."""
    from traces.traffic import trace_schedule

    def schedule(domain: Int32Vector, rail: Int32Vector) -> Schedule:
        return trace_schedule(trace, job.n_ranks, job.trace_algorithm, domain, rail)[0]

    return replace(job, trace=trace, schedule=schedule)
