"""Routing by the user's own link weights carried out."""

from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

from collectives.demand import AllToAll, Flows, Int32Vector
from collectives.errors import InputError
from fabric._kernels.arrays import FlowArrays, MemberClassArrays
from fabric.jobs.placement import Placement
from fabric.routing.flow_paths import RoutedFlows
from fabric.routing.layer import Layer, weighted_layer
from fabric.routing.layer_paths import split_paths
from fabric.routing.loads import LinkLoads
from fabric.routing.member_classes import ROUNDING
from fabric.routing.policies import LinkWeights
from fabric.routing.sweep import Sweep, swept_by_class, swept_flows
from fabric.topology import Topology

if TYPE_CHECKING:
    from fabric._kernels.link_weights import WeightArrays

# A sum of a thousand weights is off by 1e-13 of itself at most; operators' metrics differ by more than this.  Assumed.
_TIE = 1e-9


def weighted_flows(
    topology: Topology, demand: Flows, placement: Placement, routing: LinkWeights, n_threads: int | None
) -> LinkLoads:
    """Loads of the flows between domains."""
    from fabric._kernels import link_weights as kernels

    layer = _layer_of(topology, routing)
    weights = _weight_arrays(topology, layer, routing)

    def sweep_of(flows: FlowArrays) -> Sweep:
        where = layer.endpoint_class, layer.endpoint_slot
        run = partial(kernels.weighted_flows, layer.arrays, weights, layer.width, flows, *where)
        return Sweep(run, layer.n_classes)

    return LinkLoads(topology, swept_flows(topology, layer, demand, placement, True, sweep_of, n_threads))


def weighted_all_to_all(
    topology: Topology, demand: AllToAll, placement: Placement, routing: LinkWeights, n_threads: int | None
) -> LinkLoads:
    """Loads of an all-to-all's pairs between domains.  O(pairs of member classes + classes x T log T)."""
    from fabric._kernels import link_weights as kernels

    layer = _layer_of(topology, routing)
    weights = _weight_arrays(topology, layer, routing)
    own_up, own_down = np.zeros(len(layer.arrays.slot_switch)), np.zeros(len(layer.arrays.slot_switch))

    def sweep_of(classes: MemberClassArrays) -> Sweep:
        run = partial(kernels.weighted_all_to_all, layer.arrays, weights, classes, ROUNDING, own_up, own_down)
        return Sweep(run, layer.n_classes)

    load = swept_by_class(topology, layer, demand, placement, True, sweep_of, (own_up, own_down), n_threads)
    return LinkLoads(topology, load)


def weighted_paths(topology: Topology, src: Int32Vector, dst: Int32Vector, routing: LinkWeights) -> RoutedFlows:
    """Paths of flows between domains: one for each, split where several next hops weigh least."""
    from fabric._kernels import link_weights as kernels

    layer = _layer_of(topology, routing)
    weights = _weight_arrays(topology, layer, routing)
    return split_paths(topology, layer, src, dst, lambda *pairs: kernels.weighted_paths(layer.arrays, weights, *pairs))


# The fabric and policy at hand, and those that they are compared with.
@lru_cache(maxsize=8)
def _layer_of(topology: Topology, routing: LinkWeights) -> Layer:
    if len(routing.weight) != topology.n_links:
        raise InputError(
            f"weight: {len(routing.weight)} values; expected one for each of the {topology.n_links} links of "
            f"{topology.name}"
        )
    return weighted_layer(topology, routing.weight)


def _weight_arrays(topology: Topology, layer: Layer, routing: LinkWeights) -> "WeightArrays":
    from fabric._kernels.link_weights import WeightArrays

    # Of parallel cables the lightest counts: the others have no part of the slot's bytes.
    by_slot = np.full((2, layer.n_slots), np.inf)
    for side, links in enumerate((layer.up_link, layer.down_link)):
        np.minimum.at(by_slot[side], layer.attachment_slot, routing.weight[links])
    up, down = by_slot[:, layer.slot_example]
    return WeightArrays(routing.weight[layer.isl_link][layer.arrays.in_link], up, down, _TIE)
