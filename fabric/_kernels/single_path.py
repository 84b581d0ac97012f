"""Static routing: every flow takes one next hop at each switch, by a hash (ECMP) or by its destination (D-mod-K).

For each destination class one breadth-first search lists the shortest next hops of every switch.  ECMP then walks
flows, but only while there is a choice: where the rest of a path is forced, bytes wait at the switch and are carried
on together.  D-mod-K sends all bytes for one destination through each switch by one link, so one sweep over the
switches per destination endpoint does.
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
    UInt64Matrix,
    UInt64Vector,
)
from fabric._kernels.compile import kernel
from fabric._kernels.endpoints import depart, exchange, split_over_nearest


@kernel
def _mix(value: np.uint64) -> np.uint64:
    """Finalizer of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@kernel
def _empty_hops(layer: LayerArrays) -> NextHops:
    n_switches, n_isls = layer.in_start.shape[0] - 1, layer.in_tail.shape[0]
    return NextHops(
        np.empty(n_switches, np.int32),
        np.empty(n_switches, np.int32),
        np.empty(n_switches, np.int32),
        np.empty(n_switches, np.int32),
        np.empty(n_isls, np.int32),
        np.empty(n_isls, np.int32),
        np.empty(n_switches, np.bool_),
        np.empty(n_switches, np.int32),
    )


@kernel
def _find_hops(layer: LayerArrays, destination: int, hops: NextHops) -> int:
    """Fill `hops` for the way to class `destination`; returns the number of switches that reach it."""
    hops.distance[:] = -1
    n_queued = 0
    for slot in range(layer.slot_start[destination], layer.slot_start[destination + 1]):
        switch = layer.slot_switch[slot]
        hops.distance[switch] = 0
        hops.start[switch] = 0
        hops.stop[switch] = 0
        hops.forced[switch] = True
        hops.end_slot[switch] = slot - layer.slot_start[destination]
        hops.queue[n_queued] = switch
        n_queued += 1
    n_leaves = n_queued
    position = 0
    while position < n_queued:
        head = hops.queue[position]
        position += 1
        for entry in range(layer.in_start[head], layer.in_start[head + 1]):
            tail = layer.in_tail[entry]
            if hops.distance[tail] < 0:
                hops.distance[tail] = hops.distance[head] + 1
                hops.queue[n_queued] = tail
                n_queued += 1
    n_hops = 0
    for position in range(n_leaves, n_queued):
        switch = hops.queue[position]
        first = n_hops
        for entry in range(layer.out_start[switch], layer.out_start[switch + 1]):
            head = layer.out_head[entry]
            if hops.distance[head] == hops.distance[switch] - 1:
                hops.link[n_hops] = layer.out_link[entry]
                hops.head[n_hops] = head
                n_hops += 1
        hops.start[switch] = first
        hops.stop[switch] = n_hops
        hops.forced[switch] = n_hops - first == 1 and hops.forced[hops.head[first]]
        hops.end_slot[switch] = hops.end_slot[hops.head[first]]
    return n_queued


@kernel
def _find_slot_fractions(layer: LayerArrays, hops: NextHops, fraction: FloatVector) -> None:
    """How each class splits its bytes over its slots: by capacity, among those nearest to the destination.

    Parameters
    ----------
    fraction : (A,) float64
        Out; all zero for a class that cannot reach the destination.
    """
    fraction[:] = layer.slot_up_gbps
    split_over_nearest(layer, hops.distance, fraction)


@kernel
def _walk(
    key: np.uint64, switch: int, amount: float, seed: UInt64Vector, hops: NextHops, isl_bytes: FloatVector
) -> int:
    """Walk one flow from `switch` while there is a choice; returns the switch from which its path is forced."""
    while not hops.forced[switch]:
        first = hops.start[switch]
        choices = np.uint64(hops.stop[switch] - first)
        drawn = _mix(key ^ seed[switch]) >> np.uint64(32)
        hop = first + np.int64((drawn * choices) >> np.uint64(32))
        isl_bytes[hops.link[hop]] += amount
        switch = hops.head[hop]
    return switch


@kernel
def _walk_pair(
    layer: LayerArrays,
    source: int,
    src: int,
    dst: int,
    amount: float,
    fraction: FloatVector,
    seed: UInt64Vector,
    port_key: UInt64Matrix,
    endpoint_slot: Int64Vector,
    hops: NextHops,
    waiting: FloatVector,
    isl_bytes: FloatVector,
    slot_up: FloatVector,
    slot_down: FloatVector,
) -> bool:
    """Walk every queue pair of a flow through every port of its source; False where there is no way."""
    pair = _mix((np.uint64(src) << np.uint64(32)) | np.uint64(dst))
    reached = False
    for slot in range(layer.slot_start[source], layer.slot_start[source + 1]):
        if fraction[slot] > 0.0:
            reached = True
            k = slot - layer.slot_start[source]
            slot_up[endpoint_slot[src] + k] += amount * fraction[slot]
            part = amount * fraction[slot] / port_key.shape[0]
            for queue_pair in range(port_key.shape[0]):
                end = _walk(pair ^ port_key[queue_pair, k], layer.slot_switch[slot], part, seed, hops, isl_bytes)
                waiting[end] += part
                slot_down[endpoint_slot[dst] + hops.end_slot[end]] += part
    return reached


@kernel
def _carry_forced(hops: NextHops, n_queued: int, waiting: FloatVector, isl_bytes: FloatVector) -> None:
    """Carry the bytes that wait at forced switches to the destination; empties `waiting`."""
    for position in range(n_queued - 1, -1, -1):
        switch = hops.queue[position]
        if waiting[switch] > 0.0 and hops.distance[switch] > 0:
            hop = hops.start[switch]
            isl_bytes[hops.link[hop]] += waiting[switch]
            waiting[hops.head[hop]] += waiting[switch]
        waiting[switch] = 0.0


@kernel
def _carry_by_destination(
    layer: LayerArrays,
    hops: NextHops,
    n_queued: int,
    destination: int,
    index: int,
    first_endpoint_slot: int,
    waiting: FloatVector,
    isl_bytes: FloatVector,
    slot_down: FloatVector,
) -> None:
    """Carry the bytes that wait at switches to one endpoint, number `index`, of class `destination`.

    Switch u takes next hop ``(index // divisor[u]) mod c`` of its c next hops.
    """
    for position in range(n_queued - 1, -1, -1):
        switch = hops.queue[position]
        if hops.distance[switch] == 0:
            break
        if waiting[switch] > 0.0:
            first = hops.start[switch]
            hop = first + (index // layer.divisor[switch]) % (hops.stop[switch] - first)
            isl_bytes[hops.link[hop]] += waiting[switch]
            waiting[hops.head[hop]] += waiting[switch]
            waiting[switch] = 0.0
    for slot in range(layer.slot_start[destination], layer.slot_start[destination + 1]):
        switch = layer.slot_switch[slot]
        slot_down[first_endpoint_slot + slot - layer.slot_start[destination]] += waiting[switch]
        waiting[switch] = 0.0


@kernel
def ecmp_all_to_all(
    layer: LayerArrays,
    classes: MemberClassArrays,
    between_domains: bool,
    endpoint_slot: Int64Vector,
    seed: UInt64Vector,
    port_key: UInt64Matrix,
    chunk_number: int,
    n_chunks: int,
    isl_bytes: FloatVector,
    slot_up: FloatVector,
    slot_down: FloatVector,
    unreachable: Int32Matrix,
) -> None:
    """Load the links with an all-to-all, one hashed path per flow, queue pair and port of the source.

    Parameters
    ----------
    between_domains : bool
        True: pairs in different domains (scale-out); False: pairs in one domain (scale-up).
    endpoint_slot : (N,) int64
        Where each endpoint's slots begin in `slot_up` and `slot_down`.
    seed : (S,) uint64
        Hash seed of each switch.
    port_key : (n_queue_pairs, W) uint64
        What a queue pair and a port of the source add to the hash.
    chunk_number, n_chunks : int
        Destination classes ``chunk_number, chunk_number + n_chunks, ...`` are walked.
    isl_bytes : (T,) float64
        Accumulated.
    slot_up, slot_down : (n_endpoint_slots,) float64
        Bytes from and to each endpoint by slot, accumulated.
    unreachable : (K + 1, 2) int32
        A source and a destination endpoint with bytes and no way between them; written for the classes walked.
    """
    hops = _empty_hops(layer)
    fraction = np.empty(layer.slot_switch.shape[0])
    waiting = np.zeros(layer.in_start.shape[0] - 1)
    for destination in range(chunk_number, layer.slot_start.shape[0] - 1, n_chunks):
        first_run, stop_run = classes.attachment_run_start[destination], classes.attachment_run_start[destination + 1]
        if first_run == stop_run:
            continue
        n_queued = _find_hops(layer, destination, hops)
        _find_slot_fractions(layer, hops, fraction)
        for run in range(first_run, stop_run):
            group = classes.run_group[run]
            first_class, stop_class = classes.group_class_start[group], classes.group_class_start[group + 1]
            for member_class in range(classes.run_class_start[run], classes.run_class_stop[run]):
                for j in range(classes.class_member_start[member_class], classes.class_member_start[member_class + 1]):
                    receive, dst = classes.member_receive[j], classes.member_endpoint[j]
                    for other in range(first_class, stop_class):
                        if not exchange(classes, other, member_class, between_domains):
                            continue
                        source = classes.attachment[other]
                        for i in range(classes.class_member_start[other], classes.class_member_start[other + 1]):
                            amount = classes.member_send[i] * receive
                            if i == j or amount == 0.0:
                                continue
                            src = classes.member_endpoint[i]
                            if not _walk_pair(
                                layer, source, src, dst, amount, fraction, seed, port_key, endpoint_slot, hops, waiting,
                                isl_bytes, slot_up, slot_down,
                            ):  # fmt: skip
                                unreachable[destination, 0] = src
                                unreachable[destination, 1] = dst
        _carry_forced(hops, n_queued, waiting, isl_bytes)


@kernel
def ecmp_flows(
    layer: LayerArrays,
    flows: FlowArrays,
    endpoint_class: Int32Vector,
    endpoint_slot: Int64Vector,
    seed: UInt64Vector,
    port_key: UInt64Matrix,
    chunk_number: int,
    n_chunks: int,
    isl_bytes: FloatVector,
    slot_up: FloatVector,
    slot_down: FloatVector,
    unreachable: Int32Matrix,
) -> None:
    """Load the links with explicit flows, one hashed path per flow, queue pair and port; as `ecmp_all_to_all`."""
    hops = _empty_hops(layer)
    fraction = np.empty(layer.slot_switch.shape[0])
    waiting = np.zeros(layer.in_start.shape[0] - 1)
    for destination in range(chunk_number, layer.slot_start.shape[0] - 1, n_chunks):
        first, stop = flows.class_flow_start[destination], flows.class_flow_start[destination + 1]
        if first == stop:
            continue
        n_queued = _find_hops(layer, destination, hops)
        _find_slot_fractions(layer, hops, fraction)
        for flow in range(first, stop):
            src, dst, amount = flows.src[flow], flows.dst[flow], flows.bytes[flow]
            reached = _walk_pair(
                layer, endpoint_class[src], src, dst, amount, fraction, seed, port_key, endpoint_slot, hops, waiting,
                isl_bytes, slot_up, slot_down,
            )  # fmt: skip
            if not reached and amount > 0.0:
                unreachable[destination, 0] = src
                unreachable[destination, 1] = dst
        _carry_forced(hops, n_queued, waiting, isl_bytes)


@kernel
def dmodk_all_to_all(
    layer: LayerArrays,
    classes: MemberClassArrays,
    between_domains: bool,
    endpoint_slot: Int64Vector,
    endpoint_index: Int64Vector,
    chunk_number: int,
    n_chunks: int,
    isl_bytes: FloatVector,
    class_up: FloatMatrix,
    slot_down: FloatVector,
    own_fraction: FloatVector,
    unreachable: Int32Matrix,
) -> None:
    """Load the links with an all-to-all under D-mod-K, for every ``n_chunks``-th destination class.

    Pairs ``i == i`` are counted where labels do not leave them out (they stay on their own switch); the caller takes
    them off the endpoints' cables.

    Parameters
    ----------
    between_domains, endpoint_slot, chunk_number, n_chunks, isl_bytes, slot_down, unreachable
        As for `ecmp_all_to_all`.
    endpoint_index : (N,) int64
        Number of each destination, leaf by leaf.
    class_up : (C, W) float64
        Accumulated: receive weight that each slot of a member class's members sends towards.
    own_fraction : (A,) float64
        How a class splits bytes to its own class; written for the classes swept.
    """
    hops = _empty_hops(layer)
    fraction = np.empty(layer.slot_switch.shape[0])
    waiting = np.zeros(layer.in_start.shape[0] - 1)
    for destination in range(chunk_number, layer.slot_start.shape[0] - 1, n_chunks):
        first_run, stop_run = classes.attachment_run_start[destination], classes.attachment_run_start[destination + 1]
        if first_run == stop_run:
            continue
        n_queued = _find_hops(layer, destination, hops)
        _find_slot_fractions(layer, hops, fraction)
        for slot in range(layer.slot_start[destination], layer.slot_start[destination + 1]):
            own_fraction[slot] = fraction[slot]
        for run in range(first_run, stop_run):
            group = classes.run_group[run]
            first_class, stop_class = classes.group_class_start[group], classes.group_class_start[group + 1]
            for member_class in range(classes.run_class_start[run], classes.run_class_stop[run]):
                for j in range(classes.class_member_start[member_class], classes.class_member_start[member_class + 1]):
                    receive, dst = classes.member_receive[j], classes.member_endpoint[j]
                    for other in range(first_class, stop_class):
                        if receive == 0.0 or not exchange(classes, other, member_class, between_domains):
                            continue
                        source = classes.attachment[other]
                        reached = False
                        for slot in range(layer.slot_start[source], layer.slot_start[source + 1]):
                            if fraction[slot] > 0.0:
                                reached = True
                                waiting[layer.slot_switch[slot]] += classes.class_send[other] * receive * fraction[slot]
                                class_up[other, slot - layer.slot_start[source]] += receive * fraction[slot]
                        if not reached:
                            for i in range(classes.class_member_start[other], classes.class_member_start[other + 1]):
                                if i != j and classes.member_send[i] > 0.0:
                                    unreachable[destination, 0] = classes.member_endpoint[i]
                                    unreachable[destination, 1] = dst
                    _carry_by_destination(
                        layer, hops, n_queued, destination, endpoint_index[dst], endpoint_slot[dst], waiting,
                        isl_bytes, slot_down,
                    )  # fmt: skip


@kernel
def dmodk_flows(
    layer: LayerArrays,
    flows: FlowArrays,
    endpoint_class: Int32Vector,
    endpoint_slot: Int64Vector,
    endpoint_index: Int64Vector,
    chunk_number: int,
    n_chunks: int,
    isl_bytes: FloatVector,
    slot_up: FloatVector,
    slot_down: FloatVector,
    unreachable: Int32Matrix,
) -> None:
    """Load the links with explicit flows under D-mod-K, one sweep per destination; as `dmodk_all_to_all`."""
    hops = _empty_hops(layer)
    fraction = np.empty(layer.slot_switch.shape[0])
    waiting = np.zeros(layer.in_start.shape[0] - 1)
    for destination in range(chunk_number, layer.slot_start.shape[0] - 1, n_chunks):
        first, stop = flows.class_flow_start[destination], flows.class_flow_start[destination + 1]
        if first == stop:
            continue
        n_queued = _find_hops(layer, destination, hops)
        _find_slot_fractions(layer, hops, fraction)
        for flow in range(first, stop):
            src, dst = flows.src[flow], flows.dst[flow]
            source = endpoint_class[src]
            reached = depart(layer, source, endpoint_slot[src], flows.bytes[flow], fraction, waiting, slot_up)
            if not reached and flows.bytes[flow] > 0.0:
                unreachable[destination, 0] = src
                unreachable[destination, 1] = dst
            if flow + 1 == stop or flows.dst[flow + 1] != dst:
                _carry_by_destination(
                    layer, hops, n_queued, destination, endpoint_index[dst], endpoint_slot[dst], waiting, isl_bytes,
                    slot_down,
                )  # fmt: skip


@kernel
def path_lengths(
    layer: LayerArrays,
    flows: FlowArrays,
    endpoint_class: Int32Vector,
    width: int,
    n_queue_pairs: int,
    part: FloatVector,
    hop_start: Int64Vector,
    chunk_number: int,
    n_chunks: int,
    unreachable: Int32Matrix,
) -> None:
    """Measure the path of each part of each flow: one for each port of the source and queue pair.

    Parameters
    ----------
    flows : FlowArrays
        `bytes` is not read.
    part : (F * width * n_queue_pairs,) float64
        Out: part of the flow's bytes; 0 where a port is not used.
    hop_start : (F * width * n_queue_pairs + 1,) int64
        Out, from 1 on: number of links, those of the endpoints included; 0 where a port is not used.
    chunk_number, n_chunks, unreachable
        As for `ecmp_flows`.
    """
    hops = _empty_hops(layer)
    fraction = np.empty(layer.slot_switch.shape[0])
    for destination in range(chunk_number, layer.slot_start.shape[0] - 1, n_chunks):
        first, stop = flows.class_flow_start[destination], flows.class_flow_start[destination + 1]
        if first == stop:
            continue
        _find_hops(layer, destination, hops)
        _find_slot_fractions(layer, hops, fraction)
        for flow in range(first, stop):
            source = endpoint_class[flows.src[flow]]
            reached = False
            for slot in range(layer.slot_start[source], layer.slot_start[source + 1]):
                k = slot - layer.slot_start[source]
                for queue_pair in range(n_queue_pairs if fraction[slot] > 0.0 else 0):
                    number = (flow * width + k) * n_queue_pairs + queue_pair
                    part[number] = fraction[slot] / n_queue_pairs
                    hop_start[number + 1] = hops.distance[layer.slot_switch[slot]] + 2
                    reached = True
            if not reached:
                unreachable[destination, 0] = flows.src[flow]
                unreachable[destination, 1] = flows.dst[flow]


@kernel
def ecmp_paths(
    layer: LayerArrays,
    flows: FlowArrays,
    endpoint_class: Int32Vector,
    endpoint_slot: Int64Vector,
    width: int,
    seed: UInt64Vector,
    port_key: UInt64Matrix,
    isl_link: Int32Vector,
    up_link: Int32Vector,
    down_link: Int32Vector,
    chunk_number: int,
    n_chunks: int,
    hop_start: Int64Vector,
    hop_link: Int32Vector,
) -> None:
    """Write the links of every part of every flow, the choices those of `ecmp_flows`.

    Parameters
    ----------
    isl_link : (T,) int32
        Link of the topology of each ISL.
    up_link, down_link : (n_endpoint_slots,) int32
        A link of each endpoint slot, there and back.
    chunk_number, n_chunks : int
        Destination classes ``chunk_number, chunk_number + n_chunks, ...`` are taken.
    hop_start : (n_parts + 1,) int64
        Where each part's hops begin, as measured by `path_lengths`.
    hop_link : (H,) int32
        Out.
    """
    hops = _empty_hops(layer)
    n_queue_pairs = port_key.shape[0]
    for destination in range(chunk_number, layer.slot_start.shape[0] - 1, n_chunks):
        first, stop = flows.class_flow_start[destination], flows.class_flow_start[destination + 1]
        if first == stop:
            continue
        _find_hops(layer, destination, hops)
        for flow in range(first, stop):
            src, dst = flows.src[flow], flows.dst[flow]
            pair = _mix((np.uint64(src) << np.uint64(32)) | np.uint64(dst))
            source = endpoint_class[src]
            for slot in range(layer.slot_start[source], layer.slot_start[source + 1]):
                k = slot - layer.slot_start[source]
                for queue_pair in range(n_queue_pairs):
                    number = (flow * width + k) * n_queue_pairs + queue_pair
                    place = hop_start[number]
                    if hop_start[number + 1] == place:
                        continue
                    hop_link[place] = up_link[endpoint_slot[src] + k]
                    switch = layer.slot_switch[slot]
                    while hops.distance[switch] > 0:
                        hop = hops.start[switch]
                        choices = np.uint64(hops.stop[switch] - hop)
                        if choices > np.uint64(1):
                            drawn = _mix(pair ^ port_key[queue_pair, k] ^ seed[switch]) >> np.uint64(32)
                            hop += np.int64((drawn * choices) >> np.uint64(32))
                        place += 1
                        hop_link[place] = isl_link[hops.link[hop]]
                        switch = hops.head[hop]
                    hop_link[place + 1] = down_link[endpoint_slot[dst] + hops.end_slot[switch]]


@kernel
def dmodk_paths(
    layer: LayerArrays,
    flows: FlowArrays,
    endpoint_class: Int32Vector,
    endpoint_slot: Int64Vector,
    width: int,
    endpoint_index: Int64Vector,
    isl_link: Int32Vector,
    up_link: Int32Vector,
    down_link: Int32Vector,
    chunk_number: int,
    n_chunks: int,
    hop_start: Int64Vector,
    hop_link: Int32Vector,
) -> None:
    """Write the links of every part of every flow under D-mod-K; arguments as for `ecmp_paths` and `dmodk_flows`."""
    hops = _empty_hops(layer)
    for destination in range(chunk_number, layer.slot_start.shape[0] - 1, n_chunks):
        first, stop = flows.class_flow_start[destination], flows.class_flow_start[destination + 1]
        if first == stop:
            continue
        _find_hops(layer, destination, hops)
        for flow in range(first, stop):
            src, dst = flows.src[flow], flows.dst[flow]
            source = endpoint_class[src]
            for slot in range(layer.slot_start[source], layer.slot_start[source + 1]):
                k = slot - layer.slot_start[source]
                number = flow * width + k
                place = hop_start[number]
                if hop_start[number + 1] == place:
                    continue
                hop_link[place] = up_link[endpoint_slot[src] + k]
                switch = layer.slot_switch[slot]
                while hops.distance[switch] > 0:
                    hop = hops.start[switch]
                    hop += (endpoint_index[dst] // layer.divisor[switch]) % (hops.stop[switch] - hop)
                    place += 1
                    hop_link[place] = isl_link[hops.link[hop]]
                    switch = hops.head[hop]
                hop_link[place + 1] = down_link[endpoint_slot[dst] + hops.end_slot[switch]]
