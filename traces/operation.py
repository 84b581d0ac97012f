"""What every trace reader yields: collective operations."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collectives.errors import InputError
from traces.gpu_time import GpuTime

KINDS = (
    "all-reduce",
    "all-gather",
    "reduce-scatter",
    "all-to-all",
    "broadcast",
    "reduce",
    "gather",
    "scatter",
    "send-recv",
)


@dataclass(frozen=True)
class RankReport:
    """A collective as one rank saw it.

    Attributes
    ----------
    rank : int
    start_s : float or None
        When it issued it, by its own host's clock.
    lasted_s : float or None
        How long its kernel ran: those that come early wait in it for the others.
    """

    rank: int
    start_s: float | None
    lasted_s: float | None


@dataclass(frozen=True, eq=False)
class Operation:
    """One collective of one group, however many ranks reported it.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    ranks : tuple of int
        Global ranks of the group in its order, or empty where the trace does not say; of a send-recv the sender and
        the receiver.
    group_size : int
    group : str
        The process group's name.
    bytes : float or None
        Per rank, before any algorithm's factor; None where the trace does not say.  all-reduce, broadcast, reduce: the
        buffer; all-gather: a rank's shard; reduce-scatter: a rank's whole input; all-to-all: a rank's whole send
        buffer (the mean over the reporting ranks); gather: what a rank sends; scatter: what a rank receives; send-recv:
        the message.
    splits : (group_size, group_size) float64 or None
        Bytes that member i sends to member j, of an uneven all-to-all.
    sequence : int or None
        Number of the operation within its group, from 0.
    start_s : float or None
        When it was issued, in the trace's own time.
    dtype : str
    source : str
        Where it was read: file and event.
    missing : tuple of str
        What the trace does not say.
    root : int or None
        Place in the group of the rank that sends to all, or gets from all; None where there is none or it is not said.
    measured_s : float or None
        How long it took, seconds: its shortest kernel among the ranks that were traced; None where that is not said.
    reports : tuple of RankReport
        Of a collective that several ranks recorded: what each saw, where the reader keeps it.
    """

    kind: str
    ranks: tuple[int, ...]
    group_size: int
    group: str = ""
    bytes: float | None = None
    splits: npt.NDArray[np.float64] | None = None
    sequence: int | None = None
    start_s: float | None = None
    dtype: str = ""
    source: str = ""
    missing: tuple[str, ...] = ()
    root: int | None = None
    measured_s: float | None = None
    reports: tuple[RankReport, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"{self.source}: operation {self.kind!r}; expected one of {', '.join(KINDS)}")
        if self.bytes is not None and not 0 <= self.bytes < float("inf"):
            raise InputError(f"{self.source}: size {self.bytes}; expected bytes >= 0")

    @property
    def complete(self) -> bool:
        """Whether size, ranks and splits are all known."""
        return not self.missing


@dataclass(frozen=True, eq=False)
class Trace:
    """The operations of one job, from one or several ranks' files.

    Attributes
    ----------
    files : tuple of str
    operations : tuple of Operation
        In the order in which they were issued.
    n_ranks : int or None
        Size of the job, if the trace says.
    ignored : tuple of (str, int)
        Records that are no operations on the network, by reason.
    warnings : tuple of str
    traced : tuple of int
        Ranks whose own records there are; empty where that is not known.
    orders : tuple of tuple of int
        For each file the places of its operations in `operations`, in the order in which its rank issued them; empty:
        every rank issued its operations in the order of `operations`.
    gpu_times : tuple of GpuTime
        Of ranks whose kernels were recorded.
    """

    files: tuple[str, ...]
    operations: tuple[Operation, ...]
    n_ranks: int | None
    ignored: tuple[tuple[str, int], ...] = ()
    warnings: tuple[str, ...] = ()
    traced: tuple[int, ...] = ()
    orders: tuple[tuple[int, ...], ...] = ()
    gpu_times: tuple[GpuTime, ...] = ()
