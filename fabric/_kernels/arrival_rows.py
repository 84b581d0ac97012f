"""By which of a DAG's ends bytes arrive, for every switch at once.

Bytes that wait at a switch reach the ends of a DAG (the switches that its search began at) in fixed parts, its row.
Where all next hops of a switch have one row, the switch has it too: in a fabric of pods all switches of a rail or
plane share the row "all by this end", and only switches at which ways part have one of their own.  Those are written
out, the others named: O(B + ends that the own rows hold).
"""

from typing import NamedTuple

import numpy as np

from fabric._kernels.arrays import BundleArrays, Dag, FloatVector, Int32Vector, Int64Vector
from fabric._kernels.compile import borrowing_kernel, kernel

_UNKNOWN = -1
_PARTED = -2


class ArrivalRows(NamedTuple):
    """Rows of the S switches of a DAG with E ends."""

    of: Int32Vector
    """(S,) row of each switch: ``e < E`` is "all by end e", ``E + i`` the i-th written out, -1 no way."""
    n_ends: int
    """E."""
    start: Int64Vector
    """(n_rows + 1,) where the entries of each row that is written out begin."""
    end: Int32Vector
    """(n_entries,) an end, once in each row."""
    part: FloatVector
    """(n_entries,) part of the bytes that arrives there, > 0."""


@kernel
def grow_with_rows(bundles: BundleArrays, dag: Dag, n_ends: int) -> tuple[int, ArrivalRows]:
    """Search on from the ends of a DAG, its first `n_ends` switches; returns how many are reached, and their rows."""
    n_switches = dag.queue.shape[0]
    of, own = np.full(n_switches, _UNKNOWN, np.int32), np.full(n_switches, _UNKNOWN, np.int32)
    for end in range(n_ends):
        of[dag.queue[end]] = end
    parts_at = np.empty(n_switches, np.int32)
    n_rows = 0
    n_queued, position = n_ends, 0
    # As `adaptive_dag.grow_dag`.  All next hops of a switch are before it in the queue, so that a row is made of those
    # before it.
    while position < n_queued:
        head = dag.queue[position]
        position += 1
        if of[head] == _PARTED:
            twin = bundles.twin[head]
            if own[twin] == _UNKNOWN:
                own[twin] = n_ends + n_rows
                parts_at[n_rows] = head
                n_rows += 1
            of[head] = own[twin]
        if n_queued == n_switches and dag.distance[head] == dag.distance[dag.queue[n_queued - 1]]:
            continue
        row = of[head]
        onward, alone, farther = dag.capacity[head], dag.alone[head], dag.distance[head] + 1
        for bundle in range(bundles.start[head], bundles.start[head + 1]):
            tail = bundles.tail[bundle]
            if dag.distance[tail] < 0:
                dag.distance[tail] = farther
                dag.queue[n_queued] = tail
                n_queued += 1
                of[tail] = row
            if dag.distance[tail] == farther:
                dag.capacity[tail] += min(bundles.gbps[bundle], onward)
                dag.alone[tail] += min(bundles.gbps[bundle], alone)
                if of[tail] != row:
                    of[tail] = _PARTED
    return n_queued, _written_out(bundles, dag, n_ends, of, parts_at[:n_rows])


@kernel
def found_rows(bundles: BundleArrays, dag: Dag, n_ends: int, row: Int32Vector) -> ArrivalRows:
    """Rows of a DAG whose distances and capacities are known, as `grow_with_rows` finds them.

    Parameters
    ----------
    row : (S,) int32
        End by which all arrives; S and the switch's twin where it parts; -1 where there is no way.
    """
    n_switches = row.shape[0]
    of, own = np.empty(n_switches, np.int32), np.full(n_switches, _UNKNOWN, np.int32)
    parts_at = np.empty(n_switches, np.int32)
    n_rows = 0
    farthest = 0
    for switch in range(n_switches):
        of[switch] = row[switch]
        if row[switch] >= n_switches:
            farthest = max(farthest, dag.distance[switch])
    # Rows are made of those of switches nearer by.
    for distance in range(1, farthest + 1):
        for switch in range(n_switches):
            if row[switch] < n_switches or dag.distance[switch] != distance:
                continue
            twin = row[switch] - n_switches
            if own[twin] == _UNKNOWN:
                own[twin] = n_ends + n_rows
                parts_at[n_rows] = switch
                n_rows += 1
    for switch in range(n_switches):
        if row[switch] >= n_switches:
            of[switch] = own[row[switch] - n_switches]
    return _written_out(bundles, dag, n_ends, of, parts_at[:n_rows])


@kernel
def _written_out(bundles: BundleArrays, dag: Dag, n_ends: int, of: Int32Vector, parts_at: Int32Vector) -> ArrivalRows:
    n_rows = parts_at.shape[0]
    start = np.zeros(n_rows + 1, np.int64)
    room = 0
    for row in range(n_rows):
        room += bundles.out_start[parts_at[row] + 1] - bundles.out_start[parts_at[row]]
    end, part = np.empty(room, np.int32), np.empty(room)
    arriving = np.zeros(n_ends)
    touched = np.empty(n_ends, np.int32)
    n_entries = 0
    for row in range(n_rows):
        n_touched = 0
        tail = parts_at[row]
        for place in range(bundles.out_start[tail], bundles.out_start[tail + 1]):
            head = bundles.out_head[place]
            if dag.distance[head] + 1 != dag.distance[tail] or dag.distance[head] < 0:
                continue
            share = min(bundles.out_gbps[place], dag.capacity[head]) / dag.capacity[tail]
            onward = of[head]
            if onward < n_ends:
                if arriving[onward] == 0.0:
                    touched[n_touched] = onward
                    n_touched += 1
                arriving[onward] += share
                continue
            for other in range(start[onward - n_ends], start[onward - n_ends + 1]):
                if arriving[end[other]] == 0.0:
                    touched[n_touched] = end[other]
                    n_touched += 1
                arriving[end[other]] += share * part[other]
        if n_entries + n_touched > end.shape[0]:
            room = 2 * (n_entries + n_touched)
            longer_end, longer_part = np.empty(room, np.int32), np.empty(room)
            for entry in range(n_entries):
                longer_end[entry] = end[entry]
                longer_part[entry] = part[entry]
            end, part = longer_end, longer_part
        for number in range(n_touched):
            end[n_entries] = touched[number]
            part[n_entries] = arriving[touched[number]]
            arriving[touched[number]] = 0.0
            n_entries += 1
        start[row + 1] = n_entries
    return ArrivalRows(of, n_ends, start, end, part)


@borrowing_kernel
def add_row(rows: ArrivalRows, row: int, amount: float, arriving: FloatVector) -> None:
    """Add what arrives by each end (``arriving``, (E,) float64) of bytes at a switch with a row."""
    if row < rows.n_ends:
        arriving[row] += amount
        return
    for entry in range(rows.start[row - rows.n_ends], rows.start[row - rows.n_ends + 1]):
        arriving[rows.end[entry]] += amount * rows.part[entry]
