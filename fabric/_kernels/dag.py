"""Bytes carried down a DAG of next hops, however it was found."""

from typing import Protocol

from fabric._kernels.arrays import FloatVector, Int32Vector
from fabric._kernels.compile import kernel


class SplitDag(Protocol):
    """Next hops towards one destination, those nearest to it first, with the capacity that leads on."""

    @property
    def capacity(self) -> FloatVector:
        """(S,) of each switch: the sum of its next hops' `gbps`."""

    @property
    def link(self) -> Int32Vector:
        """(T,) ISL of each next hop."""

    @property
    def tail(self) -> Int32Vector:
        """(T,) switch that it leaves."""

    @property
    def head(self) -> Int32Vector:
        """(T,) switch that it reaches."""

    @property
    def gbps(self) -> FloatVector:
        """(T,) its part of the capacity of its tail."""


@kernel
def carry(dag: SplitDag, n_dag: int, waiting: FloatVector, isl_bytes: FloatVector) -> None:
    """Carry the bytes that wait at switches to the destination; empties `waiting` ((S,) float64).  O(DAG links)."""
    for entry in range(n_dag - 1, -1, -1):
        tail = dag.tail[entry]
        if waiting[tail] > 0.0:
            carried = waiting[tail] * (dag.gbps[entry] / dag.capacity[tail])
            isl_bytes[dag.link[entry]] += carried
            waiting[dag.head[entry]] += carried
    waiting[:] = 0.0
