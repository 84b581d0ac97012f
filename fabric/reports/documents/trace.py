"""The JSON document of `trace`."""

from typing import Literal

from typing_extensions import TypedDict

from fabric.reports.documents.common import Judged


class TotalPart(TypedDict):
    """Operations of one kind, type and group size.

    Attributes
    ----------
    kind, dtype : str
        The collective, and the type of its elements as the trace names it.
    group_size, operations : int
        Ranks of each group, and how many operations there are.
    bytes_per_rank : float or None
        All of them together; None where one does not say.
    incomplete : int
        Those of which something is unknown.
    """

    kind: str
    dtype: str
    group_size: int
    operations: int
    bytes_per_rank: float | None
    incomplete: int


class OperationPart(TypedDict):
    """A collective of one group.

    Attributes
    ----------
    kind : str
        The collective.
    group : str
        The process group's name.
    group_size : int
        Ranks of the group.
    bytes_per_rank : float or None
        None where the trace does not say.
    dtype : str
        Type of the elements, as the trace names it.
    sequence : int or None
        Number within its group, from 0.
    start_s : float or None
        When it was issued, seconds in the trace's own time.
    ranks : list of int
        Of the group in its order; empty where the trace does not say.
    missing : list of str
        What the trace does not say.
    uneven : bool
        An all-to-all with parts of several sizes.
    source : str
        Where it was read: file and event.
    """

    kind: str
    group: str
    group_size: int
    bytes_per_rank: float | None
    dtype: str
    sequence: int | None
    start_s: float | None
    ranks: list[int]
    missing: list[str]
    uneven: bool
    source: str


class TraceBody(TypedDict):
    """What a trace contains.

    Attributes
    ----------
    files : list of str
        What was read.
    ranks : int or None
        Size of the job, if the trace says.
    totals : list of TotalPart
    operations : list of OperationPart
        In the order in which they were issued.
    ignored : dict
        Records that are no operations on the network, counted by reason.
    warnings : list of str
        What is odd in the files.
    """

    schema: Literal["railscope.trace/1"]
    files: list[str]
    ranks: int | None
    totals: list[TotalPart]
    operations: list[OperationPart]
    ignored: dict[str, int]
    warnings: list[str]


class TraceDocument(TraceBody, Judged):
    """What a trace contains."""
