"""Files of a whole job, and operations of it where its size is not said."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from collectives.errors import InputError
from traces.operation import Operation, Trace

WHOLE_JOB = "whole job"
"""The group of such an operation."""


def only_file(paths: Sequence[str | Path] | str | Path) -> str:
    """The one file of a format that holds a whole job.

    Raises
    ------
    InputError
        If there is none, or several.
    """
    listed = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if len(listed) != 1:
        raise InputError(f"{listed[0] if listed else 'trace'}: expected one file, as a workload is of a whole job")
    return str(listed[0])


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
