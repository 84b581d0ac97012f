"""The two passes of the adaptive sweep over all links on a GPU, for I DAGs at once; B bundles, S switches.

What `fabric._kernels.adaptive_shared` does for one DAG after the other: find the capacity that leads on from each
switch (`begin`, `put_ends`, then `search` level by level), and carry what waits at switches down to the links (`carry`
level by level, then `add_to_bundles`).  What lies between, the members' shares, is little and stays on the processor.

A thread has one switch of one DAG, and neighbouring threads have the same switch of neighbouring DAGs: they read each
entry of the table of bundles once for all of them, and arrays with DAGs last in one piece.  Each sum is formed by one
thread in the order of the table: nothing depends on which thread comes first, and a run gives the bytes of the last.
"""

from typing import Any, NamedTuple

from numba import cuda

from fabric._kernels.cuda.device import compiled


class GpuBundles(NamedTuple):
    """`BundleArrays` on the GPU."""

    start: Any
    """(S + 1,) int32"""
    tail: Any
    """(B,) int32"""
    head: Any
    """(B,) int32 switch that they go to."""
    gbps: Any
    """(B,) float64"""
    out_start: Any
    """(S + 1,) int32"""
    out_head: Any
    """(B,) int32"""
    out_gbps: Any
    """(B,) float64"""
    twin: Any
    """(S,) int32"""


class GpuEnds(NamedTuple):
    """The ends of the DAGs: see `LastHops`."""

    start: Any
    """(K + 2,) int32"""
    switch: Any
    """(H,) int32"""
    gbps: Any
    """(H,) float64"""
    alone: Any
    """(H,) float64"""


class GpuDags(NamedTuple):
    """`Dag` and the rows of `ArrivalRows`, of I DAGs."""

    distance: Any
    """(S, I) int32, from 1 at the ends; -1 where there is no way."""
    capacity: Any
    """(S, I) float64"""
    alone: Any
    """(S, I) float64"""
    row: Any
    """(S, I) int32 end by which all arrives; S and the switch's twin where it parts; -1 where there is no way."""


@compiled
def begin(dags: GpuDags) -> None:
    """Nothing is reached; a thread for each switch and DAG."""
    n_dags = dags.distance.shape[1]
    place = cuda.grid(1)
    if place < dags.distance.shape[0] * n_dags:
        switch, dag = place // n_dags, place % n_dags
        dags.distance[switch, dag] = -1
        dags.capacity[switch, dag] = 0.0
        dags.alone[switch, dag] = 0.0
        dags.row[switch, dag] = -1


@compiled
def put_ends(ends: GpuEnds, destination: Any, dags: GpuDags) -> None:
    """The search begins at the neighbours of a destination class (``destination``, (I,) int32); a thread for each."""
    dag = cuda.grid(1)
    if dag < destination.shape[0]:
        first = ends.start[destination[dag]]
        for hop in range(first, ends.start[destination[dag] + 1]):
            switch = ends.switch[hop]
            dags.distance[switch, dag] = 1
            dags.capacity[switch, dag] = ends.gbps[hop]
            dags.alone[switch, dag] = ends.alone[hop]
            dags.row[switch, dag] = hop - first


@compiled
def search(bundles: GpuBundles, level: int, dags: GpuDags, changed: Any) -> None:
    """Find the switches that are `level` hops away; a thread for each switch and DAG.

    Parameters
    ----------
    level : int
        From 2 on.
    changed : (1,) int32
        Last level at which a switch was found.
    """
    n_switches, n_dags = dags.distance.shape
    place = cuda.grid(1)
    if place >= n_switches * n_dags:
        return
    switch, dag = place // n_dags, place % n_dags
    if dags.distance[switch, dag] >= 0:
        return
    capacity, alone, row, found, parted = 0.0, 0.0, -1, False, False
    for entry in range(bundles.out_start[switch], bundles.out_start[switch + 1]):
        head, gbps = bundles.out_head[entry], bundles.out_gbps[entry]
        # Others write `level` at the same time, never this.
        if dags.distance[head, dag] == level - 1:
            capacity += min(gbps, dags.capacity[head, dag])
            alone += min(gbps, dags.alone[head, dag])
            onward = dags.row[head, dag]
            parted = parted or (found and onward != row)
            row = onward
            found = True
    if found:
        dags.distance[switch, dag] = level
        dags.capacity[switch, dag] = capacity
        dags.alone[switch, dag] = alone
        dags.row[switch, dag] = n_switches + bundles.twin[switch] if parted else row
        changed[0] = level


@compiled
def carry(bundles: GpuBundles, level: int, dags: GpuDags, waiting: Any) -> None:
    """Take in what comes to switches `level` hops away; a thread for each switch and DAG.

    Parameters
    ----------
    waiting : (S, I) float64
        In: bytes that wait at each switch itself.  Out: bytes that pass it by capacity, where that is done.
    """
    n_switches, n_dags = dags.distance.shape
    place = cuda.grid(1)
    if place >= n_switches * n_dags:
        return
    switch, dag = place // n_dags, place % n_dags
    if dags.distance[switch, dag] != level:
        return
    onward, arrived = dags.capacity[switch, dag], 0.0
    for bundle in range(bundles.start[switch], bundles.start[switch + 1]):
        tail = bundles.tail[bundle]
        if dags.distance[tail, dag] == level + 1:
            arrived += waiting[tail, dag] * min(bundles.gbps[bundle], onward)
    waiting[switch, dag] = (waiting[switch, dag] + arrived) / onward


@compiled
def add_to_bundles(bundles: GpuBundles, dags: GpuDags, waiting: Any, bundle_bytes: Any) -> None:
    """Add what all DAGs put on each bundle, DAG by DAG; a thread for each bundle.

    Parameters
    ----------
    waiting : (S, I) float64
        As `carry` leaves it.
    bundle_bytes : (B,) float64
        Accumulated.
    """
    bundle = cuda.grid(1)
    if bundle >= bundle_bytes.shape[0]:
        return
    tail, head, gbps = bundles.tail[bundle], bundles.head[bundle], bundles.gbps[bundle]
    total = bundle_bytes[bundle]
    for dag in range(dags.distance.shape[1]):
        if dags.distance[tail, dag] == dags.distance[head, dag] + 1:
            total += waiting[tail, dag] * min(gbps, dags.capacity[head, dag])
    bundle_bytes[bundle] = total
