"""Adaptive routing carried out: splits in proportion to the capacity that leads on."""

from typing import Any

import numpy as np

from collectives.demand import AllToAll, FloatVector, Flows, Int32Vector
from fabric._kernels.arrays import FloatMatrix, FlowArrays, MemberClassArrays
from fabric.jobs.placement import Placement
from fabric.routing.adaptive_cuda import swept_on_gpu
from fabric.routing.bundles import Bundles, bundles_of
from fabric.routing.chunks import MAX_CHUNKS
from fabric.routing.device import on_gpu
from fabric.routing.flow_paths import RoutedFlows
from fabric.routing.layer import Layer, layer_of
from fabric.routing.layer_paths import split_paths
from fabric.routing.loads import LinkLoads
from fabric.routing.member_classes import ROUNDING, member_classes_of
from fabric.routing.mesh import mesh_bytes, mesh_paths, outside_meshes
from fabric.routing.policies import Adaptive
from fabric.routing.shared_ends import shared_ends_of
from fabric.routing.sweep import Sweep, by_slot, load_of_classes, no_way, swept_by_class, swept_flows
from fabric.routing.unroutable import refuse_unreachable
from fabric.topology import NVSWITCH, SWITCH, Topology


def adaptive_flows(
    topology: Topology, demand: Flows, placement: Placement, routing: Adaptive, n_threads: int | None
) -> LinkLoads:
    """Loads of the flows between domains."""
    layer = layer_of(topology, SWITCH)
    return LinkLoads(topology, _flow_bytes(topology, layer, demand, placement, True, n_threads))


def adaptive_all_to_all(
    topology: Topology, demand: AllToAll, placement: Placement, routing: Adaptive, n_threads: int | None
) -> LinkLoads:
    """Loads of an all-to-all's pairs between domains."""
    layer = layer_of(topology, SWITCH)
    if on_gpu():
        return LinkLoads(topology, _bytes_by_gpu(topology, layer, demand, placement, n_threads))
    return LinkLoads(topology, _all_to_all_bytes(topology, layer, demand, placement, True, n_threads))


def adaptive_paths(topology: Topology, src: Int32Vector, dst: Int32Vector, routing: Adaptive) -> RoutedFlows:
    """Paths of flows between domains: one for each, split at the switches."""
    return _paths(topology, layer_of(topology, SWITCH), src, dst)


def nvlink_bytes(
    topology: Topology, demand: Flows | AllToAll, placement: Placement, n_threads: int | None
) -> FloatVector:
    """What pairs inside the scale-up domains put on the links, (n_links,) float64.

    NVLink switches split evenly; in a mesh each pair has its direct link.
    """
    load = mesh_bytes(topology, demand, placement) if topology.in_mesh.any() else np.zeros(topology.n_links)
    layer = layer_of(topology, NVSWITCH)
    if layer.n_switches == 0:
        return load
    switched = outside_meshes(topology, demand, placement)
    if isinstance(switched, Flows):
        load += _flow_bytes(topology, layer, switched, placement, False, n_threads)
    else:
        load += _all_to_all_bytes(topology, layer, switched, placement, False, n_threads)
    return load


def nvlink_paths(topology: Topology, src: Int32Vector, dst: Int32Vector) -> RoutedFlows:
    """Paths of flows whose ends are in one scale-up domain."""
    direct = topology.in_mesh[src]
    if direct.all():
        return mesh_paths(topology, src, dst)
    layer = layer_of(topology, NVSWITCH)
    if not direct.any():
        return _paths(topology, layer, src, dst)
    near, far = np.flatnonzero(direct), np.flatnonzero(~direct)
    return RoutedFlows.joined(
        [
            mesh_paths(topology, src[near], dst[near]).of_flows(near),
            _paths(topology, layer, src[far], dst[far]).of_flows(far),
        ]
    )


def _flow_bytes(
    topology: Topology,
    layer: Layer,
    demand: Flows,
    placement: Placement,
    between_domains: bool,
    n_threads: int | None,
) -> FloatVector:
    from fabric._kernels.adaptive import sweep_flows
    from fabric._kernels.adaptive_shared import sweep_flows_shared

    bundles, every_end = bundles_of(layer), shared_ends_of(layer)
    arrays = layer.arrays, bundles.arrays
    places = layer.endpoint_class, layer.endpoint_slot

    def sweep_of(flows: FlowArrays) -> Sweep:
        ends = every_end.in_pieces(_pieces(bundles, flows.src.size))

        def run(*rest: Any) -> None:
            if ends.apart.size:
                sweep_flows(*arrays, flows, *places, ends.apart, *rest)
            if ends.n_items:
                sweep_flows_shared(*arrays, ends.hops, ends.shared, flows, *places, layer.width, *rest)

        return Sweep(run, max(ends.apart.size, ends.n_items))

    return swept_flows(topology, layer, demand, placement, between_domains, sweep_of, n_threads, bundles)


def _pieces(bundles: Bundles, n_steps: int) -> int:
    """Into how many items to cut destinations that share a DAG: each item searches its own, O(B), before its steps."""
    return min(MAX_CHUNKS, n_steps // max(bundles.n_bundles, 1))


def _bytes_by_gpu(
    topology: Topology, layer: Layer, demand: AllToAll, placement: Placement, n_threads: int | None
) -> FloatVector:
    members = member_classes_of(topology, layer, demand, placement)
    own = np.zeros(len(layer.arrays.slot_switch))
    unreachable, class_down = no_way(layer), by_slot(layer, members.arrays)
    bundle_bytes, class_up = swept_on_gpu(layer, members.arrays, own, class_down, unreachable, n_threads)
    refuse_unreachable(topology, unreachable)
    isl = bundles_of(layer).isl_bytes(bundle_bytes)
    return load_of_classes(topology, layer, members, True, isl, class_up, class_down, (own, own))


def _all_to_all_bytes(
    topology: Topology,
    layer: Layer,
    demand: AllToAll,
    placement: Placement,
    between_domains: bool,
    n_threads: int | None,
) -> FloatVector:
    from fabric._kernels.adaptive import sweep_all_to_all
    from fabric._kernels.adaptive_shared import sweep_all_to_all_shared

    bundles, every_end = bundles_of(layer), shared_ends_of(layer)
    arrays = layer.arrays, bundles.arrays
    most_ends = int(np.diff(every_end.hops.start).max(initial=0))
    # An endpoint's bytes to itself turn at its own switches: they leave and arrive alike.
    own = np.zeros(len(layer.arrays.slot_switch))

    def sweep_of(classes: MemberClassArrays) -> Sweep:
        ends = every_end.in_pieces(_pieces(bundles, len(classes.attachment) * most_ends))
        partners = ends.partners_of(classes)

        def run(*rest: Any) -> None:
            if ends.apart.size:
                sweep_all_to_all(*arrays, classes, ends.apart, between_domains, own, *rest)
            if ends.n_items:
                sweep_all_to_all_shared(*arrays, ends.hops, classes, partners, ROUNDING, between_domains, own, *rest)

        return Sweep(run, max(ends.apart.size, ends.n_items))

    return swept_by_class(topology, layer, demand, placement, between_domains, sweep_of, (own, own), n_threads, bundles)


def _paths(topology: Topology, layer: Layer, src: Int32Vector, dst: Int32Vector) -> RoutedFlows:
    from fabric._kernels.adaptive import split_paths as kernel

    bundles = bundles_of(layer)

    def split(
        source: Int32Vector, destination: Int32Vector, isl: FloatMatrix, up: FloatMatrix, down: FloatMatrix
    ) -> None:
        part = np.zeros((source.size, bundles.n_bundles))
        kernel(layer.arrays, bundles.arrays, source, destination, part, up, down)
        np.multiply(part[:, bundles.of_isl], bundles.isl_part, out=isl)

    return split_paths(topology, layer, src, dst, split)
