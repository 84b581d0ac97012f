"""Runs a destination sweep over one layer of a fabric: demands in, bytes per link out.

What a sweep does at each switch is the policy's kernel; here is what the policies have in common.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from collectives.demand import AllToAll, FloatVector, Flows
from fabric._kernels.arrays import FloatMatrix, FlowArrays, Int32Matrix, MemberClassArrays
from fabric.jobs.placement import Placement
from fabric.routing.bundles import Bundles
from fabric.routing.chunks import sum_of_chunks
from fabric.routing.layer import Layer
from fabric.routing.member_classes import MemberClasses, member_classes_of, starts_of, without_part
from fabric.routing.unroutable import refuse_unreachable
from fabric.topology import Topology


@dataclass(frozen=True)
class Sweep:
    """A policy's sweep over the destinations of given traffic.

    Attributes
    ----------
    run : callable
        The kernel: ``run(number, n_chunks, *sums, unreachable)`` does one share of the destinations.
    n_items : int
        What there is to share out: more shares than that would be empty.
    """

    run: Callable[..., None]
    n_items: int


def flows_of_layer(
    topology: Topology, layer: Layer, demand: Flows, placement: Placement, between_domains: bool
) -> FlowArrays:
    """Flows with bytes between different endpoints, those between scale-up domains or those inside them, in order."""
    src, dst = placement.endpoint[demand.src], placement.endpoint[demand.dst]
    domain = topology.endpoint_domain
    same = (domain[src] >= 0) & (domain[src] == domain[dst])
    chosen = np.flatnonzero((same != between_domains) & (src != dst) & (demand.bytes > 0))
    flow_class = layer.endpoint_class[dst[chosen]]
    chosen = chosen[np.lexsort((src[chosen], dst[chosen], flow_class))]
    return FlowArrays(
        class_flow_start=starts_of(layer.endpoint_class[dst[chosen]], layer.n_classes),
        src=src[chosen],
        dst=dst[chosen],
        bytes=demand.bytes[chosen],
    )


def swept_flows(
    topology: Topology,
    layer: Layer,
    demand: Flows,
    placement: Placement,
    between_domains: bool,
    sweep_of: Callable[[FlowArrays], Sweep],
    n_threads: int | None,
    bundles: Bundles | None = None,
) -> FloatVector:
    """Bytes per link of the flows of one layer, (n_links,) float64.

    Parameters
    ----------
    topology, layer, demand, placement
    between_domains : bool
        The flows between scale-up domains, or those inside them.
    sweep_of : callable
        For the flows of the layer, a `Sweep` with the sums ``isl_bytes, slot_up, slot_down``.
    n_threads : int, optional
    bundles : Bundles, optional
        What the kernel writes bytes of, where it is not single ISLs.

    Raises
    ------
    Unroutable
    """
    arrays = flows_of_layer(topology, layer, demand, placement, between_domains)
    if arrays.src.size == 0:
        return np.zeros(topology.n_links)
    unreachable = no_way(layer)
    n_carriers = layer.n_isls if bundles is None else bundles.n_bundles
    sweep = sweep_of(arrays)

    def chunk(number: int, n_chunks: int) -> tuple[FloatVector, ...]:
        sums = (np.zeros(n_carriers), np.zeros(layer.n_slots), np.zeros(layer.n_slots))
        sweep.run(number, n_chunks, *sums, unreachable)
        return sums

    isl, up, down = sum_of_chunks(chunk, sweep.n_items, n_carriers + 2 * layer.n_slots, n_threads, (unreachable,))
    refuse_unreachable(topology, unreachable)
    return on_links(topology, layer, isl if bundles is None else bundles.isl_bytes(isl), up, down)


def swept_by_class(
    topology: Topology,
    layer: Layer,
    demand: AllToAll,
    placement: Placement,
    between_domains: bool,
    sweep_of: Callable[[MemberClassArrays], Sweep],
    own: tuple[FloatVector, FloatVector],
    n_threads: int | None,
    bundles: Bundles | None = None,
) -> FloatVector:
    """Bytes per link of an all-to-all's pairs in one layer, (n_links,) float64, where member classes split alike.

    Parameters
    ----------
    topology, layer, demand, placement, between_domains, n_threads, bundles
        As for `swept_flows`.
    sweep_of : callable
        For the member classes, a `Sweep` with the sums ``isl_bytes, class_up, class_down``.
    own : pair of (A,) float64
        How a class splits bytes to its own class over its slots, leaving and arriving: written by the kernel.

    Raises
    ------
    Unroutable
    """
    members = member_classes_of(topology, layer, demand, placement)
    classes = members.arrays
    unreachable, class_down = no_way(layer), by_slot(layer, classes)
    n_carriers = layer.n_isls if bundles is None else bundles.n_bundles
    sweep = sweep_of(classes)

    def chunk(number: int, n_chunks: int) -> tuple[FloatVector, ...]:
        isl, class_up = np.zeros(n_carriers), by_slot(layer, classes)
        sweep.run(number, n_chunks, isl, class_up, class_down, unreachable)
        return isl, class_up

    placed = (unreachable, class_down, *own)
    isl, class_up = sum_of_chunks(chunk, sweep.n_items, n_carriers + class_down.size, n_threads, placed)
    refuse_unreachable(topology, unreachable)
    isl = isl if bundles is None else bundles.isl_bytes(isl)
    return load_of_classes(topology, layer, members, between_domains, isl, class_up, class_down, own)


def no_way(layer: Layer) -> Int32Matrix:
    """Room for a pair without a way for each destination class, none noted, (K + 1, 2) int32."""
    return np.full((layer.n_classes, 2), -1, np.int32)


def by_slot(layer: Layer, classes: MemberClassArrays) -> FloatMatrix:
    """Zero for each member class and slot, (C, W) float64."""
    return np.zeros((len(classes.attachment), layer.width))


def load_of_classes(
    topology: Topology,
    layer: Layer,
    members: MemberClasses,
    between_domains: bool,
    isl: FloatVector,
    class_up: FloatMatrix,
    class_down: FloatMatrix,
    own: tuple[FloatVector, FloatVector],
) -> FloatVector:
    """Bytes per link, (n_links,) float64, of what a sweep put on ISLs and on the slots of member classes."""
    own_up = members.own_bytes(layer, own[0], between_domains)
    own_down = own_up if own[1] is own[0] else members.own_bytes(layer, own[1], between_domains)
    up = without_part(members.to_slots(layer, members.send, class_up), own_up)
    down = without_part(members.to_slots(layer, members.receive, class_down), own_down)
    return on_links(topology, layer, isl, up, down)


def on_links(topology: Topology, layer: Layer, isl: FloatVector, up: FloatVector, down: FloatVector) -> FloatVector:
    """Loads of the ISLs and the endpoints' loads by slot, as bytes per link, (n_links,) float64.

    Parameters
    ----------
    isl : (T,) float64
    up, down : (n_slots,) float64
        Bytes that leave, and reach, endpoints by slot.
    """
    load = np.zeros(topology.n_links)
    # No link is there twice.
    load[layer.isl_link] = isl
    load[layer.up_link] = up[layer.attachment_slot] * layer.up_part
    load[layer.down_link] = down[layer.attachment_slot] * layer.down_part
    return load
