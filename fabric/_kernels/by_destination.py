"""D-mod-K: at each switch the number of the destination picks the next hop, whoever sends.

Switch u takes next hop ``(d // divisor[u]) mod c`` of its c next hops towards destination number d.  All bytes for one
destination leave a switch by one link, so bytes wait at switches and are carried on, from the farthest switch to the
nearest, for a block of destinations of one class at once.
"""

import numpy as np

from fabric._kernels.arrays import (
    FloatMatrix,
    FloatVector,
    FlowArrays,
    Int32Matrix,
    Int32Vector,
    Int64Vector,
    LayerArrays,
    MemberClassArrays,
    NextHops,
    WaitingRoom,
)
from fabric._kernels.compile import borrowing_kernel, inline_step
from fabric._kernels.endpoints import exchange, note_pair
from fabric._kernels.next_hops import find_hops, find_slot_fractions


@borrowing_kernel
def dmodk_all_to_all(
    layer: LayerArrays,
    classes: MemberClassArrays,
    usual: float,
    endpoint_slot: Int64Vector,
    endpoint_index: Int64Vector,
    destinations: Int32Vector,
    hops: NextHops,
    room: WaitingRoom,
    isl: FloatVector,
    class_up: FloatMatrix,
    slot_down: FloatVector,
    own: FloatVector,
    unreachable: Int32Matrix,
) -> None:
    """Load the links with an all-to-all between domains.  O(S) for a block of destinations, O(1) for a pair of leaves.

    Amounts are in units: a pair's ``send * receive`` times the part that goes by a port over `usual`.  Pairs ``i == i``
    are counted where labels do not leave them out (they stay on their own switch); the caller takes them off the
    endpoints' cables.

    Parameters
    ----------
    usual : float
        Part of a pair's bytes that usually goes by a port.
    endpoint_slot : (N + 1,) int64
        Where each endpoint's slots begin in `slot_down`.
    endpoint_index : (N,) int64
        Number of each destination, leaf by leaf.
    destinations : (n,) int32
        Destination classes to sweep, twins one after the other.
    hops, room
        Written over.
    isl : (T,) float64
        Accumulated.
    class_up : (C, W) float64
        Accumulated: receive weight that each slot of a member class's members sends towards.
    slot_down : (n_endpoint_slots,) float64
        Accumulated: what each endpoint receives by slot.
    own : (A,) float64
        How a class splits bytes to its own class; written for the classes swept.
    unreachable : (K + 1, 2) int32
        A source and a destination endpoint with bytes and no way between them; written for the classes swept.
    """
    fraction = room.fraction
    last = -1
    for destination in destinations:
        first_run, stop_run = classes.attachment_run_start[destination], classes.attachment_run_start[destination + 1]
        find_hops(layer, destination, last, hops)
        last = destination
        find_slot_fractions(layer, hops, fraction)
        for slot in range(fraction.shape[0]):
            fraction[slot] /= usual
        for slot in range(layer.slot_start[destination], layer.slot_start[destination + 1]):
            own[slot] = fraction[slot]
        for run in range(first_run, stop_run):
            group = classes.run_group[run]
            first_class, stop_class = classes.group_class_start[group], classes.group_class_start[group + 1]
            for to in range(classes.run_class_start[run], classes.run_class_stop[run]):
                if classes.class_receive[to] == 0.0:
                    continue
                for other in range(first_class, stop_class):
                    if exchange(classes, other, to, True):
                        first = layer.slot_start[classes.attachment[other]]
                        reached = False
                        for slot in range(first, layer.slot_start[classes.attachment[other] + 1]):
                            if fraction[slot] > 0.0:
                                reached = True
                                room.bulk[layer.slot_switch[slot]] += classes.class_send[other] * fraction[slot]
                                class_up[other, slot - first] += classes.class_receive[to] * fraction[slot]
                        if not reached:
                            note_pair(classes, run, other, True, unreachable[destination])
                first, stop = classes.class_member_start[to], classes.class_member_start[to + 1]
                size = room.number.shape[0]
                for j in range(first, stop, size):
                    n = min(size, stop - j)
                    for i in range(n):
                        dst = classes.member_endpoint[j + i]
                        room.receive[i] = classes.member_receive[j + i]
                        room.number[i] = endpoint_index[dst]
                        room.slot[i] = endpoint_slot[dst]
                    _carry(layer, hops, destination, n, room, isl, slot_down)
                room.bulk[:] = 0.0


@inline_step
def _carry(
    layer: LayerArrays,
    hops: NextHops,
    destination: int,
    n: int,
    room: WaitingRoom,
    isl: FloatVector,
    slot_down: FloatVector,
) -> None:
    """Carry what waits at the switches for `n` endpoints of class `destination`; empties ``room.waiting``.

    ``room.bulk`` holds what waits for each per receive weight, ``room.waiting`` what waits for each by itself.
    """
    waiting, place, receive = room.waiting, room.place, room.receive
    first_slot = layer.slot_start[destination]
    n_leaves = layer.slot_start[destination + 1] - first_slot
    divisor, n_hops = 0, 0
    for position in range(hops.sizes[0] - 1, n_leaves - 1, -1):
        switch = hops.queue[position]
        if room.bulk[switch] == 0.0 and not room.anything[switch]:
            continue
        first = hops.start[switch]
        if layer.divisor[switch] != divisor or hops.stop[switch] - first != n_hops:
            divisor, n_hops = layer.divisor[switch], hops.stop[switch] - first
            for i in range(n):
                place[i] = (room.number[i] // divisor) % n_hops
        for i in range(n):
            hop = np.uint64(first + place[i])
            head = np.uint64(hops.head[hop])
            amount = room.bulk[switch] * receive[i] + waiting[switch, i]
            isl[np.uint64(hops.link[hop])] += amount
            waiting[head, i] += amount
            room.anything[head] = True
            waiting[switch, i] = 0.0
        room.anything[switch] = False
    for number in range(n_leaves):
        switch = layer.slot_switch[first_slot + number]
        for i in range(n):
            slot_down[room.slot[i] + number] += room.bulk[switch] * receive[i] + waiting[switch, i]
            waiting[switch, i] = 0.0
        room.anything[switch] = False


@borrowing_kernel
def dmodk_flows(
    layer: LayerArrays,
    flows: FlowArrays,
    endpoint_class: Int32Vector,
    endpoint_slot: Int64Vector,
    endpoint_index: Int64Vector,
    destinations: Int32Vector,
    hops: NextHops,
    room: WaitingRoom,
    isl: FloatVector,
    slot_up: FloatVector,
    slot_down: FloatVector,
    unreachable: Int32Matrix,
) -> None:
    """Load the links with explicit flows between domains; as `dmodk_all_to_all`, amounts in bytes.

    Parameters
    ----------
    endpoint_class : (N,) int32
    slot_up : (n_endpoint_slots,) float64
        Accumulated: what each endpoint sends by slot.
    """
    fraction = room.fraction
    last = -1
    for destination in destinations:
        first_flow, stop_flow = flows.class_flow_start[destination], flows.class_flow_start[destination + 1]
        find_hops(layer, destination, last, hops)
        last = destination
        find_slot_fractions(layer, hops, fraction)
        n = 0
        for flow in range(first_flow, stop_flow):
            src, dst = flows.src[flow], flows.dst[flow]
            if flow == first_flow or flows.dst[flow - 1] != dst:
                if n == room.number.shape[0]:
                    _carry(layer, hops, destination, n, room, isl, slot_down)
                    n = 0
                room.receive[n] = 0.0
                room.number[n] = endpoint_index[dst]
                room.slot[n] = endpoint_slot[dst]
                n += 1
            first = layer.slot_start[endpoint_class[src]]
            reached = False
            for slot in range(first, layer.slot_start[endpoint_class[src] + 1]):
                if fraction[slot] > 0.0:
                    reached = True
                    amount = flows.bytes[flow] * fraction[slot]
                    switch = layer.slot_switch[slot]
                    room.waiting[switch, n - 1] += amount
                    room.anything[switch] = True
                    slot_up[endpoint_slot[src] + slot - first] += amount
            if not reached and flows.bytes[flow] > 0.0:
                unreachable[destination, 0] = src
                unreachable[destination, 1] = dst
        _carry(layer, hops, destination, n, room, isl, slot_down)
