"""The shortest next hops towards one destination class, switch by switch: what static routing starts from.

Indices read from tables are made unsigned: numba looks at each signed one for a place counted from the end, which takes
as long as the rest of these loops.
"""

import numpy as np

from fabric._kernels.arrays import FloatMatrix, FloatVector, LayerArrays, NextHops
from fabric._kernels.compile import borrowing_kernel, inline_step
from fabric._kernels.endpoints import split_over_nearest

# Next hops that are not alike.
_MIXED = -2


@borrowing_kernel
def find_hops(layer: LayerArrays, destination: int, last: int, hops: NextHops) -> None:
    """Fill `hops` for the way to class `destination`.  O(S + T); O(links of its neighbours) if `last` is its twin.

    Parameters
    ----------
    last : int
        The class that `hops` are of now; -1: none.
    """
    if last < 0 or layer.twin[last] != layer.twin[destination]:
        _search(layer, destination, hops)
    else:
        for number in range(layer.slot_start[destination + 1] - layer.slot_start[destination]):
            before = layer.slot_switch[layer.slot_start[last] + number]
            after = layer.slot_switch[layer.slot_start[destination] + number]
            if before != after:
                _exchange(layer, before, after, hops)


@borrowing_kernel
def _search(layer: LayerArrays, destination: int, hops: NextHops) -> None:
    """Fill `hops` by a breadth-first search from the destination."""
    distance, queue, in_start, in_tail = hops.distance, hops.queue, layer.in_start, layer.in_tail
    distance[:] = -1
    first_slot = layer.slot_start[destination]
    n_leaves = layer.slot_start[destination + 1] - first_slot
    for number in range(n_leaves):
        switch = layer.slot_switch[first_slot + number]
        queue[number] = switch
        distance[switch] = 0
        hops.position[switch] = number
        hops.start[switch] = 0
        hops.stop[switch] = 0
        hops.choices[switch] = 0
        hops.fan[switch] = 0
        hops.end_slot[switch] = number
    n_reached = n_leaves
    position = 0
    while position < n_reached < distance.shape[0]:
        head = queue[position]
        position += 1
        for entry in range(in_start[head], in_start[head + 1]):
            tail = np.uint32(in_tail[entry])
            if distance[tail] < 0:
                distance[tail] = distance[head] + 1
                queue[n_reached] = tail
                n_reached += 1
    n_hops = 0
    # `choices` of all switches at the distance before, and at that of the last switch, where they are alike.
    nearer, here, far = _MIXED, 0, 0
    for position in range(n_leaves, n_reached):
        switch = queue[position]
        hops.position[switch] = position
        n_hops = _list_hops(layer, switch, n_hops, hops)
        if distance[switch] > far:
            far = distance[switch]
            nearer = here
            _look_ahead(switch, nearer, hops)
            here = hops.choices[switch]
        else:
            _look_ahead(switch, nearer, hops)
            here = here if hops.choices[switch] == here else _MIXED
        hops.end_slot[switch] = _end_slot(switch, hops) if n_leaves > 1 else 0
    for position in range(n_reached, distance.shape[0]):
        queue[position] = -1
    hops.sizes[0] = n_reached
    hops.sizes[1] = n_hops


@borrowing_kernel
def _exchange(layer: LayerArrays, before: int, after: int, hops: NextHops) -> None:
    """Let the switch `after`, with the neighbours of `before`, take its place as the end of all ways."""
    for array in (hops.distance, hops.position, hops.start, hops.stop, hops.choices, hops.fan, hops.end_slot):
        array[before], array[after] = array[after], array[before]
    hops.queue[hops.position[before]] = before
    hops.queue[hops.position[after]] = after
    if hops.distance[before] > 0:
        _list_hops(layer, before, hops.start[before], hops)
    for entry in range(layer.in_start[after], layer.in_start[after + 1]):
        neighbour = layer.in_tail[entry]
        if hops.distance[neighbour] == 1 and hops.stop[neighbour] - hops.start[neighbour] == 1:
            # Its one next hop is this link: no search through all that it has.
            hops.link[hops.start[neighbour]] = layer.in_link[entry]
            hops.head[hops.start[neighbour]] = after
        elif hops.distance[neighbour] > 0:
            _list_hops(layer, neighbour, hops.start[neighbour], hops)


@inline_step
def _list_hops(layer: LayerArrays, switch: int, first: int, hops: NextHops) -> int:
    """List the next hops of a switch from place `first` on; returns where they stop."""
    out_head, out_link, distance = layer.out_head, layer.out_link, hops.distance
    hop_head, hop_link = hops.head, hops.link
    nearer = distance[switch] - 1
    place = np.uint32(first)
    for entry in range(layer.out_start[switch], layer.out_start[switch + 1]):
        head = out_head[entry]
        if distance[np.uint32(head)] == nearer:
            hop_link[place] = out_link[entry]
            hop_head[place] = head
            place += np.uint32(1)
    stop = int(np.int64(place))
    hops.start[switch] = first
    hops.stop[switch] = stop
    return stop


@inline_step
def _look_ahead(switch: int, nearer: int, hops: NextHops) -> None:
    """``choices`` and ``fan`` of a switch, from the ``choices`` of its next hops: `nearer` each, if that is known."""
    head, choices = hops.head, hops.choices
    first, stop = hops.start[switch], hops.stop[switch]
    after = choices[head[first]]
    hop = first + 1 if nearer == _MIXED else stop
    while hop < stop and choices[np.uint32(head[hop])] == after:
        hop += 1
    alike = hop == stop
    if alike and after == 0:
        choices[switch] = 0 if stop - first == 1 else stop - first
        hops.fan[switch] = 0 if stop - first == 1 else 1
    else:
        choices[switch] = -1
        hops.fan[switch] = after if alike and after > 0 else 0


@inline_step
def _end_slot(switch: int, hops: NextHops) -> int:
    """``end_slot`` of a switch, from those of its next hops."""
    first = hops.start[switch]
    end = hops.end_slot[hops.head[first]]
    for hop in range(first + 1, hops.stop[switch]):
        if hops.end_slot[hops.head[hop]] != end:
            end = -1
    return int(end)


@borrowing_kernel
def find_slot_fractions(layer: LayerArrays, hops: NextHops, fraction: FloatVector) -> None:
    """How each class splits its bytes over its slots: by capacity, among those nearest to the destination.  O(A).

    Parameters
    ----------
    fraction : (A,) float64
        Out; all zero for a class that cannot reach the destination.
    """
    for slot in range(fraction.shape[0]):
        fraction[slot] = layer.slot_up_gbps[slot]
    split_over_nearest(layer, hops.distance, fraction)


@borrowing_kernel
def carry_forced(hops: NextHops, waiting: FloatVector, isl: FloatMatrix, row: int) -> None:
    """Carry what waits at switches from which the whole way is forced to the destination; empties `waiting`.  O(S).

    Parameters
    ----------
    waiting : (S,) float64
    isl : (R, T) float64
        Row `row` is added to.
    """
    for position in range(hops.sizes[0] - 1, -1, -1):
        switch = hops.queue[position]
        if waiting[switch] > 0.0 and hops.distance[switch] > 0:
            hop = hops.start[switch]
            isl[row, hops.link[hop]] += waiting[switch]
            waiting[hops.head[hop]] += waiting[switch]
        waiting[switch] = 0.0
