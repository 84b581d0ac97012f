"""Operations of a whole job whose size its files do not say."""

from dataclasses import replace

from traces.operation import Operation, Trace

WHOLE_JOB = "whole job"
"""The group of such an operation."""


def for_whole_job(trace: Trace, n_ranks: int) -> Trace:
    """The trace with all ranks as the members of what is of the whole job and has no members yet.

    Parameters
    ----------
    trace : Trace
    n_ranks : int
        Size of the job.  With a single rank nothing changes.
    """
    everyone = tuple(range(n_ranks))

    def whole(operation: Operation) -> Operation:
        if operation.group != WHOLE_JOB or operation.ranks or n_ranks < 2:
            return operation
        missing = tuple(part for part in operation.missing if part != "ranks")
        return replace(operation, ranks=everyone, group_size=n_ranks, missing=missing)

    return replace(trace, operations=tuple(map(whole, trace.operations)))
