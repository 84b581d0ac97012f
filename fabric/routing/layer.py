"""One layer of a fabric (scale-out or scale-up) laid out for the destination sweep.

Inter-switch links (ISLs) are renumbered 0..T-1 in the topology's order, switches 0..S-1.  An endpoint has a slot for
each switch that it hangs on; parallel cables to one switch share a slot in proportion to their capacity.
"""

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from collectives.demand import FloatVector, Int32Vector, Int64Vector
from fabric import memory
from fabric._kernels.arrays import FloatMatrix, LayerArrays
from fabric.topology import NVSWITCH, SWITCH, UP, Topology


@dataclass(frozen=True, eq=False)
class Layer:
    """Switches, ISLs and attachments of one layer.

    Attributes
    ----------
    arrays : LayerArrays
        What the kernels read.
    switch_node : (S,) int32
        Node of each switch.
    isl_link : (T,) int32
        Link of each ISL.
    endpoint_class : (N,) int32
        Attachment class; the last one is that of endpoints which are not in this layer.
    endpoint_slot : (N + 1,) int64
        Where each endpoint's slots begin.
    endpoint_index : (N,) int64
        Number of each endpoint counted leaf by leaf, port by port (the destination of D-mod-K).
    up_link, down_link : (n_attachments,) int32
        Links of the cables between endpoints and switches, both directions.
    attachment_slot : (n_attachments,) int64
        Endpoint slot of each cable.
    slot_example : (A,) int64
        An endpoint slot of each slot of the classes.
    up_part, down_part : (n_attachments,) float64
        Part of the slot's bytes that the cable carries.
    """

    arrays: LayerArrays
    switch_node: Int32Vector
    isl_link: Int32Vector
    endpoint_class: Int32Vector
    endpoint_slot: Int64Vector
    endpoint_index: Int64Vector
    up_link: Int32Vector
    down_link: Int32Vector
    attachment_slot: Int64Vector
    slot_example: npt.NDArray[np.intp]
    up_part: FloatVector
    down_part: FloatVector

    @property
    def n_classes(self) -> int:
        """Attachment classes, the empty one included."""
        return len(self.arrays.slot_start) - 1

    def in_turn(self, classes: npt.NDArray[np.integer]) -> Int32Vector:
        """Some classes in the order in which to sweep them, twins one after the other."""
        return classes[np.lexsort((classes, self.arrays.twin[classes]))].astype(np.int32)

    @property
    def n_switches(self) -> int:
        """S, the switches of the layer."""
        return len(self.switch_node)

    @property
    def n_isls(self) -> int:
        """T, the links between them."""
        return len(self.isl_link)

    @property
    def n_slots(self) -> int:
        """Slots of all endpoints together."""
        return int(self.endpoint_slot[-1])

    @property
    def width(self) -> int:
        """Largest number of slots of an endpoint, at least 1."""
        return max(1, int(np.diff(self.arrays.slot_start).max(initial=0)))


# What routing knows of a fabric, for each of its links, at the peak: layers, bundles and last hops.  Measured by
# tracemalloc: 73 to 86 bytes on presets of 55,296 to 4,456,448 links.
LAYER_BYTES = 90.0


# Both layers of the few fabrics that one comparison looks at.
@lru_cache(maxsize=8)
def layer_of(topology: Topology, switch_kind: int) -> Layer:
    """The scale-out (`SWITCH`) or scale-up (`NVSWITCH`) layer of a fabric.  O(n_links log n_links).

    Parameters
    ----------
    topology : Topology
    switch_kind : int
        `SWITCH` or `NVSWITCH`.
    """
    assert switch_kind in (SWITCH, NVSWITCH)
    if switch_kind == SWITCH:
        memory.require(f"routing over {topology.n_links:,} links of {topology.name}", topology.n_links * LAYER_BYTES)
    return _laid_out(topology, switch_kind, None)


def weighted_layer(topology: Topology, weight: FloatVector) -> Layer:
    """The scale-out layer where links have weights.

    Of parallel cables between an endpoint and a switch only the lightest carry bytes, and endpoints of one attachment
    class have equal weights.

    Parameters
    ----------
    topology : Topology
    weight : (n_links,) float64
    """
    return _laid_out(topology, SWITCH, weight)


def _laid_out(topology: Topology, switch_kind: int, weight: FloatVector | None) -> Layer:
    kind = topology.nodes.kind
    switch_node = np.flatnonzero(kind == switch_kind).astype(np.int32)
    switch_of_node = np.full(topology.n_nodes, -1, np.int32)
    switch_of_node[switch_node] = np.arange(switch_node.size, dtype=np.int32)
    tail, head = switch_of_node[topology.link_tail], switch_of_node[topology.link_head]
    isl_link = np.flatnonzero((tail >= 0) & (head >= 0)).astype(np.int32)
    t_tail, t_head = tail[isl_link], head[isl_link]
    cable = topology.link_cable_index[isl_link]
    if cable.any():
        into, out = np.argsort(t_head, kind="stable"), np.lexsort((t_head, cable, t_tail))
    else:
        # ISLs are in order of tail and head; the other directions of their cables in that of head and tail.
        out, number = np.arange(isl_link.size), np.zeros(topology.n_links, np.int32)
        number[isl_link] = out
        into = number[topology.link_reverse[isl_link]].astype(np.intp)
    switches = np.arange(switch_node.size + 1)

    attached = _attachments(topology, switch_of_node, weight)
    endpoint_class, slot_start, representative = _classes(topology.n_endpoints, attached)
    bare = LayerArrays(
        in_start=np.searchsorted(t_head[into], switches).astype(np.int64),
        in_tail=t_tail[into],
        in_link=into.astype(np.int32),
        in_gbps=topology.link_capacity_gbps[isl_link][into],
        out_start=np.searchsorted(t_tail, switches).astype(np.int64),
        out_head=t_head[out],
        out_link=out.astype(np.int32),
        divisor=_divisors(topology, switch_node, isl_link, t_tail, t_head),
        slot_start=slot_start,
        slot_switch=attached.slot_switch[representative],
        slot_up_gbps=attached.slot_up_gbps[representative],
        slot_down_gbps=attached.slot_down_gbps[representative],
        class_endpoints=np.bincount(endpoint_class, minlength=len(slot_start) - 1).astype(np.float64),
        twin=np.arange(len(slot_start) - 1, dtype=np.int32),
    )
    return Layer(
        arrays=bare._replace(twin=_twins(bare)),
        switch_node=switch_node,
        isl_link=isl_link,
        endpoint_class=endpoint_class,
        endpoint_slot=attached.endpoint_slot,
        endpoint_index=_leaf_by_leaf(topology, attached),
        up_link=attached.up_link,
        down_link=attached.down_link,
        attachment_slot=attached.slot,
        slot_example=representative,
        up_part=attached.up_gbps / attached.slot_up_gbps[attached.slot],
        down_part=attached.down_gbps / attached.slot_down_gbps[attached.slot],
    )


def _twins(layer: LayerArrays) -> Int32Vector:
    """`LayerArrays.twin`.  O(links of the endpoints' switches)."""
    twin = layer.twin.copy()
    neighbours = {
        switch: (
            layer.out_head[layer.out_start[switch] : layer.out_start[switch + 1]],
            np.sort(layer.in_tail[layer.in_start[switch] : layer.in_start[switch + 1]]),
        )
        for switch in np.unique(layer.slot_switch).tolist()
    }
    alike: dict[tuple[tuple[bytes, bytes], ...], list[int]] = {}
    for number, (first, stop) in enumerate(itertools.pairwise(layer.slot_start.tolist())):
        sides = [neighbours[switch] for switch in layer.slot_switch[first:stop].tolist()]
        alike.setdefault(tuple((out.tobytes(), into.tobytes()) for out, into in sides), []).append(number)
    for numbers in alike.values():
        first, stop = layer.slot_start[numbers[0]], layer.slot_start[numbers[0] + 1]
        columns = [np.unique(layer.slot_switch[layer.slot_start[numbers] + k]) for k in range(stop - first)]
        joined = all(neighbours[int(column[0])][1].size for column in columns)
        apart = sum(column.size for column in columns) == len({switch for one in columns for switch in one.tolist()})
        # Switches without a way do not stand in the queue; one that stands in two slots cannot be exchanged in one.
        if joined and apart:
            twin[numbers] = numbers[0]
    return twin


@dataclass(frozen=True, eq=False)
class _Attachments:
    """Cables between endpoints and switches by (endpoint, switch), and the slots that they make up.

    The capacity of a cable that carries nothing, for a lighter one beside it, counts as 0.
    """

    up_link: Int32Vector
    down_link: Int32Vector
    up_gbps: FloatVector
    down_gbps: FloatVector
    slot: Int64Vector
    slot_endpoint: Int64Vector
    slot_switch: Int32Vector
    slot_up_gbps: FloatVector
    slot_down_gbps: FloatVector
    slot_weights: FloatMatrix
    endpoint_slot: Int64Vector


def _attachments(topology: Topology, switch_of_node: Int32Vector, weight: FloatVector | None) -> _Attachments:
    endpoint_of_node = np.full(topology.n_nodes, -1, np.int64)
    endpoint_of_node[topology.endpoints] = np.arange(topology.n_endpoints)
    endpoint = endpoint_of_node[topology.link_tail]
    switch = switch_of_node[topology.link_head]
    up_link = np.flatnonzero((endpoint >= 0) & (switch >= 0)).astype(np.int32)
    up_link = up_link[np.lexsort((switch[up_link], endpoint[up_link]))]
    down_link = topology.link_reverse[up_link]
    endpoint, switch = endpoint[up_link], switch[up_link]
    fresh = np.ones(up_link.size, dtype=bool)
    fresh[1:] = (endpoint[1:] != endpoint[:-1]) | (switch[1:] != switch[:-1])
    slot = np.cumsum(fresh) - 1
    n_slots = int(fresh.sum())
    up_gbps, down_gbps = topology.link_capacity_gbps[up_link], topology.link_capacity_gbps[down_link]
    slot_weights = np.zeros((n_slots, 0))
    if weight is not None:
        slot_weights = np.full((n_slots, 2), np.inf)
        for side, links, gbps in ((0, up_link, up_gbps), (1, down_link, down_gbps)):
            np.minimum.at(slot_weights[:, side], slot, weight[links])
            gbps[weight[links] > slot_weights[slot, side]] = 0.0
    return _Attachments(
        up_link=up_link,
        down_link=down_link,
        up_gbps=up_gbps,
        down_gbps=down_gbps,
        slot=slot,
        slot_endpoint=endpoint[fresh],
        slot_switch=switch[fresh],
        slot_up_gbps=sums_of(slot, up_gbps, n_slots),
        slot_down_gbps=sums_of(slot, down_gbps, n_slots),
        slot_weights=slot_weights,
        endpoint_slot=np.searchsorted(endpoint[fresh], np.arange(topology.n_endpoints + 1)).astype(np.int64),
    )


def _classes(n_endpoints: int, attached: _Attachments) -> tuple[Int32Vector, Int64Vector, npt.NDArray[np.intp]]:
    """Endpoints with equal slots are one class: (class of endpoint, slot_start, a slot of each class slot)."""
    n_slots = np.diff(attached.endpoint_slot)
    width = int(n_slots.max(initial=0))
    n_columns = 3 + attached.slot_weights.shape[1]
    signature = np.full((n_endpoints, width, n_columns), -1.0)
    place = np.arange(attached.slot_switch.size) - attached.endpoint_slot[attached.slot_endpoint]
    signature[attached.slot_endpoint, place, 0] = attached.slot_switch
    signature[attached.slot_endpoint, place, 1] = attached.slot_up_gbps
    signature[attached.slot_endpoint, place, 2] = attached.slot_down_gbps
    signature[attached.slot_endpoint, place, 3:] = attached.slot_weights
    present = np.flatnonzero(n_slots > 0)
    _, first, inverse = np.unique(
        signature[present].reshape(present.size, n_columns * width), axis=0, return_index=True, return_inverse=True
    )
    n_classes = first.size
    endpoint_class = np.full(n_endpoints, n_classes, np.int32)
    endpoint_class[present] = inverse.ravel()
    example = present[first]
    sizes = n_slots[example]
    slot_start = np.concatenate([[0], np.cumsum(sizes), [sizes.sum()]]).astype(np.int64)
    within = np.arange(int(sizes.sum())) - np.repeat(slot_start[:n_classes], sizes)
    return endpoint_class, slot_start, (np.repeat(attached.endpoint_slot[example], sizes) + within).astype(np.intp)


def _divisors(
    topology: Topology, switch_node: Int32Vector, isl_link: Int32Vector, tail: Int32Vector, head: Int32Vector
) -> Int64Vector:
    """For D-mod-K: the product over the tiers below a switch of the number of parents that their switches have.

    E. Zahavi: Fat-tree routing and node ordering providing contention free traffic for MPI global collectives,
    J. Parallel Distrib. Comput. 72 (2012): up port ``floor(d / (w_1 ... w_l)) mod (w_(l+1) p_(l+1))``.
    """
    tier = topology.nodes.tier[switch_node]
    # ISLs are in the topology's order: parallel cables follow one another.
    fresh = np.ones(tail.size, bool)
    fresh[1:] = (tail[1:] != tail[:-1]) | (head[1:] != head[:-1])
    fresh &= topology.link_direction[isl_link] == UP
    n_parents = np.bincount(tail[fresh], minlength=switch_node.size)
    divisor = np.ones(switch_node.size, np.int64)
    product = 1
    for level in np.unique(tier):
        divisor[tier == level] = product
        product *= max(1, int(n_parents[tier == level].max()))
    return divisor


def _leaf_by_leaf(topology: Topology, attached: _Attachments) -> Int64Vector:
    """Number of each endpoint when endpoints are counted by (first switch, port there)."""
    n_endpoints = topology.n_endpoints
    switch = np.full(n_endpoints, np.iinfo(np.int32).max, np.int64)
    port = np.zeros(n_endpoints, np.int64)
    first = np.unique(attached.slot_endpoint[attached.slot], return_index=True)[1]
    endpoint = attached.slot_endpoint[attached.slot[first]]
    switch[endpoint] = attached.slot_switch[attached.slot[first]]
    port[endpoint] = topology.link_head_port[attached.up_link[first]]
    index = np.empty(n_endpoints, np.int64)
    index[np.lexsort((np.arange(n_endpoints), port, switch))] = np.arange(n_endpoints)
    return index


def sums_of(index: Int64Vector | Int32Vector, values: FloatVector, length: int) -> FloatVector:
    """Sum `values` by `index`, (length,) float64."""
    return np.bincount(index, weights=values, minlength=length).astype(np.float64, copy=False)
