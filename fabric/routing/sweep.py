"""Runs the destination sweep over one layer of a fabric: demands in, bytes per link out."""

from collections.abc import Callable
from typing import Any

import numpy as np

from collectives.demand import AllToAll, FloatVector, Flows
from collectives.errors import InputError
from fabric._kernels.arrays import FlowArrays, Int32Matrix
from fabric.jobs.placement import Placement
from fabric.routing.chunks import sum_of_chunks
from fabric.routing.layer import Layer
from fabric.routing.member_classes import member_classes_of, starts_of, without_part
from fabric.routing.policies import Adaptive, DModK, Ecmp
from fabric.topology import Topology


def add_flows(
    topology: Topology,
    layer: Layer,
    demand: Flows,
    placement: Placement,
    routing: Adaptive | Ecmp | DModK,
    between_domains: bool,
    n_threads: int | None,
    load: FloatVector,
) -> None:
    """Add the flows of one layer to `load` ((n_links,) float64)."""
    src, dst = placement.endpoint[demand.src], placement.endpoint[demand.dst]
    domain = topology.endpoint_domain
    same = (domain[src] >= 0) & (domain[src] == domain[dst])
    chosen = np.flatnonzero((same != between_domains) & (src != dst) & (demand.bytes > 0))
    if chosen.size == 0:
        return
    flow_class = layer.endpoint_class[dst[chosen]]
    chosen = chosen[np.lexsort((src[chosen], dst[chosen], flow_class))]
    arrays = FlowArrays(
        class_flow_start=starts_of(layer.endpoint_class[dst[chosen]], layer.n_classes),
        src=src[chosen],
        dst=dst[chosen],
        bytes=demand.bytes[chosen],
    )
    net, where = layer.arrays, (layer.endpoint_class, layer.endpoint_slot)
    unreachable = np.full((layer.n_classes, 2), -1, np.int32)
    sweep: Callable[..., None]
    fixed: tuple[Any, ...]
    if isinstance(routing, Adaptive):
        from fabric._kernels.adaptive import sweep_flows as sweep

        fixed = (net, arrays, *where)
    elif isinstance(routing, Ecmp):
        from fabric._kernels.single_path import ecmp_flows as sweep

        fixed = (net, arrays, *where, routing.switch_seeds(layer), routing.port_keys(layer))
    else:
        from fabric._kernels.single_path import dmodk_flows as sweep

        fixed = (net, arrays, *where, layer.endpoint_index)

    def chunk(number: int, n_chunks: int) -> tuple[FloatVector, ...]:
        sums = (np.zeros(layer.n_isls), np.zeros(layer.n_slots), np.zeros(layer.n_slots))
        sweep(*fixed, number, n_chunks, *sums, unreachable)
        return sums

    isl, up, down = sum_of_chunks(chunk, layer.n_classes, layer.n_isls + 2 * layer.n_slots, n_threads)
    _refuse_unreachable(topology, unreachable)
    _spread(layer, isl, up, down, load)


def add_all_to_all(
    topology: Topology,
    layer: Layer,
    demand: AllToAll,
    placement: Placement,
    routing: Adaptive | Ecmp | DModK,
    between_domains: bool,
    n_threads: int | None,
    load: FloatVector,
) -> None:
    """Add the pairs of one layer to `load` ((n_links,) float64)."""
    members = member_classes_of(topology, layer, demand, placement)
    classes, net, width = members.arrays, layer.arrays, layer.width
    n_member_classes = len(classes.attachment)
    unreachable = np.full((layer.n_classes, 2), -1, np.int32)
    own_fraction = np.zeros(len(net.slot_switch))
    class_down = np.zeros((n_member_classes, width))
    chunk: Callable[[int, int], tuple[FloatVector, ...]]
    if isinstance(routing, Ecmp):
        from fabric._kernels.single_path import ecmp_all_to_all

        seeds, keys = routing.switch_seeds(layer), routing.port_keys(layer)

        def chunk(number: int, n_chunks: int) -> tuple[FloatVector, ...]:
            sums = (np.zeros(layer.n_isls), np.zeros(layer.n_slots), np.zeros(layer.n_slots))
            ecmp_all_to_all(
                net, classes, between_domains, layer.endpoint_slot, seeds, keys, number, n_chunks, *sums, unreachable
            )
            return sums

        isl, up, down = sum_of_chunks(chunk, layer.n_classes, layer.n_isls + 2 * layer.n_slots, n_threads)
    elif isinstance(routing, DModK):
        from fabric._kernels.single_path import dmodk_all_to_all

        def chunk(number: int, n_chunks: int) -> tuple[FloatVector, ...]:
            isl, down = np.zeros(layer.n_isls), np.zeros(layer.n_slots)
            class_up = np.zeros((n_member_classes, width))
            dmodk_all_to_all(
                net, classes, between_domains, layer.endpoint_slot, layer.endpoint_index, number, n_chunks,
                isl, class_up, down, own_fraction, unreachable,
            )  # fmt: skip
            return isl, class_up, down

        isl, class_up, down = sum_of_chunks(
            chunk, layer.n_classes, layer.n_isls + n_member_classes * width + layer.n_slots, n_threads
        )
        up = members.to_slots(layer, members.send, class_up)
        own = members.own_bytes(layer, own_fraction, between_domains)
        up, down = without_part(up, own), without_part(down, own)
    else:
        from fabric._kernels.adaptive import sweep_all_to_all

        def chunk(number: int, n_chunks: int) -> tuple[FloatVector, ...]:
            isl, class_up = np.zeros(layer.n_isls), np.zeros((n_member_classes, width))
            sweep_all_to_all(
                net, classes, between_domains, number, n_chunks, isl, class_up, class_down, own_fraction, unreachable
            )
            return isl, class_up

        isl, class_up = sum_of_chunks(chunk, layer.n_classes, layer.n_isls + n_member_classes * width, n_threads)
        own = members.own_bytes(layer, own_fraction, between_domains)
        up = without_part(members.to_slots(layer, members.send, class_up), own)
        down = without_part(members.to_slots(layer, members.receive, class_down), own)
    _refuse_unreachable(topology, unreachable)
    _spread(layer, isl, up, down, load)


def _refuse_unreachable(topology: Topology, unreachable: Int32Matrix) -> None:
    pairs = unreachable[unreachable[:, 0] >= 0]
    if pairs.size:
        src, dst = (topology.endpoint_names[endpoint] for endpoint in pairs[0])
        raise InputError(
            f"no path from {src} to {dst} in fabric {topology.name}: expected every pair with traffic joined"
        )


def _spread(layer: Layer, isl: FloatVector, up: FloatVector, down: FloatVector, load: FloatVector) -> None:
    """Add ISL loads and the endpoints' loads by slot to the links."""
    load[layer.isl_link] += isl
    load[layer.up_link] += up[layer.attachment_slot] * layer.up_part
    load[layer.down_link] += down[layer.attachment_slot] * layer.down_part
