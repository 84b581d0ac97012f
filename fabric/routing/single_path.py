"""Paths of flows under static routing: one next hop at each switch, by a hash (`Ecmp`) or the destination (`DModK`)."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from collectives.demand import Int32Vector, Int64Vector
from fabric._kernels.arrays import FlowArrays
from fabric.routing.chunks import for_each_chunk
from fabric.routing.flow_paths import RoutedFlows
from fabric.routing.layer import Layer, layer_of
from fabric.routing.layer_paths import over_cables, slot_links, used_parts
from fabric.routing.member_classes import starts_of
from fabric.routing.policies import DModK, Ecmp
from fabric.routing.rooms import next_hops
from fabric.routing.unroutable import refuse_unreachable
from fabric.topology import SWITCH, Topology

# Flows looked at together: some MB, assumed to suit any machine.
_BLOCK = 1_000_000


def ecmp_flow_paths(topology: Topology, src: Int32Vector, dst: Int32Vector, routing: Ecmp) -> RoutedFlows:
    """Paths of flows between domains: a part for each port and queue pair."""
    from fabric._kernels.single_path import ecmp_paths

    layer = layer_of(topology, SWITCH)
    choice = (routing.switch_seeds(layer), routing.port_keys(layer))
    return _paths(topology, layer, src, dst, routing.flows_a_pair, ecmp_paths, choice)


def dmodk_flow_paths(topology: Topology, src: Int32Vector, dst: Int32Vector, routing: DModK) -> RoutedFlows:
    """Paths of flows between domains: a part for each port."""
    from fabric._kernels.single_path import dmodk_paths

    layer = layer_of(topology, SWITCH)
    return _paths(topology, layer, src, dst, 1, dmodk_paths, (layer.endpoint_index,))


def _class_starts(layer: Layer, dst: Int32Vector) -> Int64Vector | None:
    """Where the flows to each class begin, as `starts_of`; None if they are not sorted by it.

    A block at a time: memory for the classes of many flows takes longer to get than to fill.
    """
    counts, last = np.zeros(layer.n_classes, np.int64), 0
    for block in range(0, dst.size, _BLOCK):
        to = layer.endpoint_class[dst[block : block + _BLOCK]]
        if to[0] < last or np.any(to[1:] < to[:-1]):
            return None
        counts += np.bincount(to, minlength=layer.n_classes)
        last = to[-1]
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _paths(
    topology: Topology,
    layer: Layer,
    src: Int32Vector,
    dst: Int32Vector,
    n_queue_pairs: int,
    kernel: Callable[..., None],
    choice: tuple[object, ...],
) -> RoutedFlows:
    """The paths that `kernel` writes, with what it chooses next hops by."""
    from fabric._kernels.single_path import path_lengths

    flows: Int64Vector = np.arange(src.size)
    first = _class_starts(layer, dst)
    if first is None:
        flows = np.argsort(layer.endpoint_class[dst], kind="stable")
        src, dst = src[flows], dst[flows]
        first = starts_of(layer.endpoint_class[dst], layer.n_classes)
    arrays = FlowArrays(first, src, dst, np.empty(0))
    width = layer.width
    n_parts = src.size * width * n_queue_pairs
    # A flow of one part is whole; that takes no memory of its own.
    part = np.empty(0) if n_parts == src.size else np.zeros(n_parts)
    hop_start = np.zeros(n_parts + 1, np.int64)
    unreachable = np.full((layer.n_classes, 2), -1, np.int32)
    classes = layer.endpoint_class

    def measure(number: int, n_chunks: int) -> None:
        fraction = np.zeros(len(layer.arrays.slot_switch))
        path_lengths(
            layer.arrays, arrays, classes, width, n_queue_pairs, next_hops(layer), fraction, part, hop_start, number,
            n_chunks, unreachable,
        )  # fmt: skip

    for_each_chunk(measure, layer.n_classes)
    refuse_unreachable(topology, unreachable)
    np.cumsum(hop_start, out=hop_start)
    hop_link = np.empty(int(hop_start[-1]), np.int32)
    links = (layer.isl_link, *slot_links(layer))

    def write(number: int, n_chunks: int) -> None:
        kernel(
            layer.arrays, arrays, classes, layer.endpoint_slot, width, *choice, next_hops(layer), *links, number,
            n_chunks, hop_start, hop_link,
        )  # fmt: skip

    for_each_chunk(write, layer.n_classes)
    if part.size < n_parts:
        part = np.broadcast_to(1.0, n_parts)
    routed = used_parts(flows, width * n_queue_pairs, part, hop_start, hop_link)
    return replace(routed, paths=over_cables(layer, routed.paths))
