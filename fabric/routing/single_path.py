"""Static routing carried out: one next hop at each switch, by a hash (`Ecmp`) or by the destination (`DModK`)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from collectives.demand import AllToAll, FloatVector, Flows, Int32Vector, Int64Vector
from fabric._kernels.arrays import FlowArrays
from fabric.jobs.placement import Placement
from fabric.routing.chunks import for_each_chunk, sum_of_chunks
from fabric.routing.flow_paths import RoutedFlows
from fabric.routing.layer import Layer, layer_of
from fabric.routing.layer_paths import over_cables, slot_links, used_parts
from fabric.routing.loads import LinkLoads
from fabric.routing.member_classes import member_classes_of, starts_of, without_part
from fabric.routing.policies import DModK, Ecmp
from fabric.routing.sweep import add_to_links, swept_flows
from fabric.routing.unroutable import refuse_unreachable
from fabric.topology import SWITCH, Topology


def ecmp_flow_loads(
    topology: Topology, demand: Flows, placement: Placement, routing: Ecmp, n_threads: int | None
) -> LinkLoads:
    """Loads of the flows between domains, each queue pair hashed by itself."""
    from fabric._kernels.single_path import ecmp_flows

    layer = layer_of(topology, SWITCH)
    seeds, keys = routing.switch_seeds(layer), routing.port_keys(layer)

    def sweep(flows: FlowArrays, *rest: Any) -> None:
        ecmp_flows(layer.arrays, flows, layer.endpoint_class, layer.endpoint_slot, seeds, keys, *rest)

    return LinkLoads(topology, swept_flows(topology, layer, demand, placement, True, sweep, n_threads))


def dmodk_flow_loads(
    topology: Topology, demand: Flows, placement: Placement, routing: DModK, n_threads: int | None
) -> LinkLoads:
    """Loads of the flows between domains."""
    from fabric._kernels.single_path import dmodk_flows

    layer = layer_of(topology, SWITCH)

    def sweep(flows: FlowArrays, *rest: Any) -> None:
        dmodk_flows(layer.arrays, flows, layer.endpoint_class, layer.endpoint_slot, layer.endpoint_index, *rest)

    return LinkLoads(topology, swept_flows(topology, layer, demand, placement, True, sweep, n_threads))


def ecmp_all_to_all_loads(
    topology: Topology, demand: AllToAll, placement: Placement, routing: Ecmp, n_threads: int | None
) -> LinkLoads:
    """Loads of an all-to-all's pairs between domains, each hashed by itself.  O(pairs x hops with a choice)."""
    from fabric._kernels.single_path import ecmp_all_to_all

    layer = layer_of(topology, SWITCH)
    classes = member_classes_of(topology, layer, demand, placement).arrays
    seeds, keys = routing.switch_seeds(layer), routing.port_keys(layer)
    unreachable = np.full((layer.n_classes, 2), -1, np.int32)

    def chunk(number: int, n_chunks: int) -> tuple[FloatVector, ...]:
        sums = (np.zeros(layer.n_isls), np.zeros(layer.n_slots), np.zeros(layer.n_slots))
        ecmp_all_to_all(
            layer.arrays, classes, True, layer.endpoint_slot, seeds, keys, number, n_chunks, *sums, unreachable
        )
        return sums

    isl, up, down = sum_of_chunks(chunk, layer.n_classes, layer.n_isls + 2 * layer.n_slots, n_threads, (unreachable,))
    refuse_unreachable(topology, unreachable)
    load = np.zeros(topology.n_links)
    add_to_links(layer, isl, up, down, load)
    return LinkLoads(topology, load)


def dmodk_all_to_all_loads(
    topology: Topology, demand: AllToAll, placement: Placement, routing: DModK, n_threads: int | None
) -> LinkLoads:
    """Loads of an all-to-all's pairs between domains.  O(switches) for each destination."""
    from fabric._kernels.single_path import dmodk_all_to_all

    layer = layer_of(topology, SWITCH)
    members = member_classes_of(topology, layer, demand, placement)
    classes, width = members.arrays, layer.width
    n_member_classes = len(classes.attachment)
    unreachable = np.full((layer.n_classes, 2), -1, np.int32)
    own_fraction = np.zeros(len(layer.arrays.slot_switch))

    def chunk(number: int, n_chunks: int) -> tuple[FloatVector, ...]:
        isl, down = np.zeros(layer.n_isls), np.zeros(layer.n_slots)
        class_up = np.zeros((n_member_classes, width))
        dmodk_all_to_all(
            layer.arrays, classes, True, layer.endpoint_slot, layer.endpoint_index, number, n_chunks,
            isl, class_up, down, own_fraction, unreachable,
        )  # fmt: skip
        return isl, class_up, down

    n_floats = layer.n_isls + n_member_classes * width + layer.n_slots
    placed = (unreachable, own_fraction)
    isl, class_up, down = sum_of_chunks(chunk, layer.n_classes, n_floats, n_threads, placed)
    refuse_unreachable(topology, unreachable)
    own = members.own_bytes(layer, own_fraction, True)
    up = without_part(members.to_slots(layer, members.send, class_up), own)
    load = np.zeros(topology.n_links)
    add_to_links(layer, isl, up, without_part(down, own), load)
    return LinkLoads(topology, load)


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
    to = layer.endpoint_class[dst]
    if np.any(to[1:] < to[:-1]):
        flows = np.argsort(to, kind="stable")
        src, dst, to = src[flows], dst[flows], to[flows]
    arrays = FlowArrays(starts_of(to, layer.n_classes), src, dst, np.empty(0))
    del to
    width = layer.width
    part = np.zeros(src.size * width * n_queue_pairs)
    hop_start = np.zeros(part.size + 1, np.int64)
    unreachable = np.full((layer.n_classes, 2), -1, np.int32)
    classes = layer.endpoint_class

    def measure(number: int, n_chunks: int) -> None:
        path_lengths(
            layer.arrays, arrays, classes, width, n_queue_pairs, part, hop_start, number, n_chunks, unreachable
        )

    for_each_chunk(measure, layer.n_classes)
    refuse_unreachable(topology, unreachable)
    np.cumsum(hop_start, out=hop_start)
    hop_link = np.empty(int(hop_start[-1]), np.int32)
    links = (layer.isl_link, *slot_links(layer))

    def write(number: int, n_chunks: int) -> None:
        kernel(
            layer.arrays, arrays, classes, layer.endpoint_slot, width, *choice, *links, number, n_chunks, hop_start,
            hop_link,
        )  # fmt: skip

    for_each_chunk(write, layer.n_classes)
    routed = used_parts(flows, width * n_queue_pairs, part, hop_start, hop_link)
    return replace(routed, paths=over_cables(layer, routed.paths))
