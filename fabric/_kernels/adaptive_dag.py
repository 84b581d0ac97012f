"""The DAG of adaptive routing: shortest next hops towards a destination, and the capacity that leads on.

A breadth-first search over incoming links.  With C(l) = infinity at a lone destination leaf (endpoints on several
leaves: the capacity of the cables of all that hang there alike to each), C(u) = sum over next switches v of
min(capacity of all cables u to v, C(v)), and switch u sends the fraction min(..., C(v)) / C(u) towards v.  A switch
leaves the search's queue after all its next hops, so that one pass over the links fills C.  Next hops are not listed:
distances tell which links they are, and reading these again moves fewer bytes than a list of them.  The queue read
backwards carries the bytes.  O(B).
"""

import numpy as np

from fabric._kernels.arrays import BundleArrays, Dag, FloatMatrix, FloatVector, LayerArrays
from fabric._kernels.compile import borrowing_kernel, kernel
from fabric._kernels.endpoints import split_over_nearest


@kernel
def empty_dag(n_switches: int) -> Dag:
    """Room for the DAG of one destination after the other."""
    return Dag(
        np.empty(n_switches), np.empty(n_switches), np.empty(n_switches, np.int32), np.empty(n_switches, np.int32)
    )


@borrowing_kernel
def clear_dag(dag: Dag) -> None:
    """Forget what is known of every switch.  O(S)."""
    dag.distance[:] = -1
    dag.capacity[:] = 0.0
    dag.alone[:] = 0.0


@borrowing_kernel
def grow_dag(bundles: BundleArrays, dag: Dag, n_queued: int) -> int:
    """Search on from the switches in the queue; returns the number of switches reached."""
    n_switches, position = dag.queue.shape[0], 0
    while position < n_queued:
        head = dag.queue[position]
        position += 1
        if n_queued == n_switches and dag.distance[head] == dag.distance[dag.queue[n_queued - 1]]:
            break  # All are reached, and none is farther.
        onward, alone, farther = dag.capacity[head], dag.alone[head], dag.distance[head] + 1
        for bundle in range(bundles.start[head], bundles.start[head + 1]):
            tail = bundles.tail[bundle]
            if dag.distance[tail] < 0:
                dag.distance[tail] = farther
                dag.queue[n_queued] = tail
                n_queued += 1
            if dag.distance[tail] == farther:
                dag.capacity[tail] += min(bundles.gbps[bundle], onward)
                dag.alone[tail] += min(bundles.gbps[bundle], alone)
    return n_queued


@borrowing_kernel
def find_dag(layer: LayerArrays, bundles: BundleArrays, destination: int, dag: Dag) -> int:
    """Fill `dag` for the way to class `destination`; returns the number of switches reached."""
    clear_dag(dag)
    first, stop = layer.slot_start[destination], layer.slot_start[destination + 1]
    for slot in range(first, stop):
        switch = layer.slot_switch[slot]
        dag.distance[switch] = 0
        dag.alone[switch] = np.inf if stop - first == 1 else layer.slot_down_gbps[slot]
        dag.capacity[switch] = dag.alone[switch] * layer.class_endpoints[destination]
        dag.queue[slot - first] = switch
    return grow_dag(bundles, dag, stop - first)


@borrowing_kernel
def find_slot_fractions(layer: LayerArrays, dag: Dag, fraction: FloatVector) -> None:
    """How each class splits its bytes over its slots: by the capacity that leads on, among those nearest.

    Parameters
    ----------
    fraction : (A,) float64
        Out; all zero for a class that cannot reach the destination.
    """
    for slot in range(layer.slot_switch.shape[0]):
        fraction[slot] = min(layer.slot_up_gbps[slot], dag.alone[layer.slot_switch[slot]])
    split_over_nearest(layer, dag.distance, fraction)


@borrowing_kernel
def carry_over(
    bundles: BundleArrays, dag: Dag, n_reached: int, waiting: FloatVector, bundle_bytes: FloatVector
) -> None:
    """Carry the bytes that wait at switches down the DAG; empties `waiting`.

    Parameters
    ----------
    n_reached : int
        Switches in the queue.
    waiting : (S,) float64
        Bytes at each switch; scratch.
    bundle_bytes : (B,) float64
        Accumulated.
    """
    n_divided = n_reached
    n_heads = n_reached
    while n_heads > 0 and dag.distance[dag.queue[n_heads - 1]] == dag.distance[dag.queue[n_reached - 1]]:
        n_heads -= 1  # Nothing comes to those farthest away.
    for position in range(n_heads - 1, -1, -1):
        head = dag.queue[position]
        onward, farther = dag.capacity[head], dag.distance[head] + 1
        # All that comes to switches farther away is there: it is counted in bytes by capacity from now on.
        while n_divided > 0 and dag.distance[dag.queue[n_divided - 1]] >= farther:
            n_divided -= 1
            waiting[dag.queue[n_divided]] /= dag.capacity[dag.queue[n_divided]]
        arrived = 0.0
        for bundle in range(bundles.start[head], bundles.start[head + 1]):
            tail = bundles.tail[bundle]
            if dag.distance[tail] == farther:
                carried = waiting[tail] * min(bundles.gbps[bundle], onward)
                bundle_bytes[bundle] += carried
                arrived += carried
        waiting[head] += arrived
    waiting[:] = 0.0


@borrowing_kernel
def part_ends(bundles: BundleArrays, dag: Dag, n_reached: int, ends: FloatMatrix) -> None:
    """Which part of the bytes at each switch ends where, from what is known of the destination's own switches.

    Parameters
    ----------
    n_reached : int
        Switches in the queue.
    ends : (S, W) float64
        In: of the destination's switches, all else zero.  Out: of all.
    """
    for position in range(n_reached):
        head = dag.queue[position]
        farther = dag.distance[head] + 1
        for bundle in range(bundles.start[head], bundles.start[head + 1]):
            tail = bundles.tail[bundle]
            if dag.distance[tail] == farther:
                part = min(bundles.gbps[bundle], dag.capacity[head]) / dag.capacity[tail]
                for end in range(ends.shape[1]):
                    ends[tail, end] += part * ends[head, end]
