"""Paths of flows under static routing: one next hop at each switch, by a hash (ECMP) or the destination (D-mod-K).

Every path is walked by itself, hop by hop; `hashed` and `by_destination` say faster what the links carry.
"""

import numpy as np

from fabric._kernels.arrays import (
    FloatVector,
    FlowArrays,
    Int32Matrix,
    Int32Vector,
    Int64Vector,
    LayerArrays,
    NextHops,
    UInt64Matrix,
    UInt64Vector,
)
from fabric._kernels.compile import borrowing_kernel
from fabric._kernels.hashed import mix
from fabric._kernels.next_hops import find_hops, find_slot_fractions


@borrowing_kernel
def path_lengths(
    layer: LayerArrays,
    flows: FlowArrays,
    endpoint_class: Int32Vector,
    width: int,
    n_queue_pairs: int,
    hops: NextHops,
    fraction: FloatVector,
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
    hops : NextHops
    fraction : (A,) float64
        Both are written over.
    part : (F * width * n_queue_pairs,) float64
        Out: part of the flow's bytes; 0 where a port is not used.  Without room it is not written.
    hop_start : (F * width * n_queue_pairs + 1,) int64
        Out, from 1 on: number of links, those of the endpoints included; 0 where a port is not used.
    chunk_number, n_chunks, unreachable
        As for `hashed.hashed_flows`.
    """
    n_parts = np.uint64(width * n_queue_pairs)
    src, distance, slot_start, slot_switch = flows.src, hops.distance, layer.slot_start, layer.slot_switch
    for destination in range(chunk_number, layer.slot_start.shape[0] - 1, n_chunks):
        first, stop = flows.class_flow_start[destination], flows.class_flow_start[destination + 1]
        if first == stop:
            continue
        find_hops(layer, destination, -1, hops)
        find_slot_fractions(layer, hops, fraction)
        for flow in range(np.uint64(first), np.uint64(stop)):
            source = np.uint32(endpoint_class[np.uint32(src[flow])])
            first_slot, number = np.uint64(slot_start[source]), flow * n_parts
            reached = False
            for slot in range(first_slot, np.uint64(slot_start[source + np.uint32(1)])):
                if fraction[slot] > 0.0:
                    reached = True
                    links = distance[np.uint32(slot_switch[slot])] + 2
                    for k in range(n_queue_pairs):
                        hop_start[number + np.uint64(k) + np.uint64(1)] = links
                        if part.shape[0] > 0:
                            part[number + np.uint64(k)] = fraction[slot] / n_queue_pairs
                number += np.uint64(n_queue_pairs)
            if not reached:
                unreachable[destination, 0] = src[flow]
                unreachable[destination, 1] = flows.dst[flow]


@borrowing_kernel
def ecmp_paths(
    layer: LayerArrays,
    flows: FlowArrays,
    endpoint_class: Int32Vector,
    endpoint_slot: Int64Vector,
    width: int,
    seed: UInt64Vector,
    port_key: UInt64Matrix,
    hops: NextHops,
    isl_link: Int32Vector,
    up_link: Int32Vector,
    down_link: Int32Vector,
    chunk_number: int,
    n_chunks: int,
    hop_start: Int64Vector,
    hop_link: Int32Vector,
) -> None:
    """Write the links of every part of every flow, the choices those of `hashed.hashed_flows`.

    Parameters
    ----------
    seed : (S,) uint64
    port_key : (n_queue_pairs, W) uint64
    hops : NextHops
        Written over.
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
    n_queue_pairs = port_key.shape[0]
    start, stop, head, hop_isl, end_slot = hops.start, hops.stop, hops.head, hops.link, hops.end_slot
    slot_start, slot_switch = layer.slot_start, layer.slot_switch
    for destination in range(chunk_number, layer.slot_start.shape[0] - 1, n_chunks):
        first_flow, stop_flow = flows.class_flow_start[destination], flows.class_flow_start[destination + 1]
        if first_flow == stop_flow:
            continue
        find_hops(layer, destination, -1, hops)
        for flow in range(np.uint64(first_flow), np.uint64(stop_flow)):
            src, dst = np.uint32(flows.src[flow]), np.uint32(flows.dst[flow])
            pair = mix((np.uint64(src) << np.uint64(32)) | np.uint64(dst))
            source = np.uint32(endpoint_class[src])
            first_slot, n_slots = np.uint64(slot_start[source]), slot_start[source + np.uint32(1)] - slot_start[source]
            for k in range(np.uint64(n_slots)):
                leaf = np.uint32(slot_switch[first_slot + k])
                for queue_pair in range(np.uint64(n_queue_pairs)):
                    number = (flow * np.uint64(width) + k) * np.uint64(n_queue_pairs) + queue_pair
                    place, last = np.uint64(hop_start[number]), np.uint64(hop_start[number + np.uint64(1)])
                    if last == place:
                        continue
                    last -= np.uint64(1)
                    key = pair ^ port_key[queue_pair, k]
                    hop_link[place] = up_link[np.uint64(endpoint_slot[src]) + k]
                    switch = leaf
                    for step in range(place + np.uint64(1), last):
                        hop = np.uint32(start[switch])
                        choices = np.uint64(np.uint32(stop[switch]) - hop)
                        if choices > np.uint64(1):
                            drawn = mix(key ^ seed[switch]) >> np.uint64(32)
                            hop += np.uint32((drawn * choices) >> np.uint64(32))
                        hop_link[step] = isl_link[np.uint32(hop_isl[hop])]
                        switch = np.uint32(head[hop])
                    hop_link[last] = down_link[np.uint64(endpoint_slot[dst]) + np.uint64(end_slot[switch])]


@borrowing_kernel
def dmodk_paths(
    layer: LayerArrays,
    flows: FlowArrays,
    endpoint_class: Int32Vector,
    endpoint_slot: Int64Vector,
    width: int,
    endpoint_index: Int64Vector,
    hops: NextHops,
    isl_link: Int32Vector,
    up_link: Int32Vector,
    down_link: Int32Vector,
    chunk_number: int,
    n_chunks: int,
    hop_start: Int64Vector,
    hop_link: Int32Vector,
) -> None:
    """Write the links of every part of every flow under D-mod-K.

    Arguments as for `ecmp_paths` and `by_destination.dmodk_flows`.
    """
    for destination in range(chunk_number, layer.slot_start.shape[0] - 1, n_chunks):
        first, stop = flows.class_flow_start[destination], flows.class_flow_start[destination + 1]
        if first == stop:
            continue
        find_hops(layer, destination, -1, hops)
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
