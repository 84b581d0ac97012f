"""Which pairs of endpoints send over one link, and which part of their bytes: the sweep asked backwards.

Endpoints that hang on the same switches (a class) send alike under adaptive routing, so that the parts of pairs of
classes say all.  Where each flow chooses for itself (hashes, tables), pairs of classes say who could cross the link,
and the paths of those pairs alone are looked at.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from collectives.demand import FloatVector, Int32Vector
from fabric import memory
from fabric._kernels.arrays import FloatMatrix
from fabric.routing.bundles import bundles_of
from fabric.routing.chunks import for_each_chunk
from fabric.routing.layer import Layer, layer_of, sums_of
from fabric.routing.paths import route_flows
from fabric.routing.policies import Adaptive, DModK, Ecmp, Lft, Routing
from fabric.routing.unroutable import Unroutable
from fabric.topology import ENDPOINT, NIC, NVLINK, NVSWITCH, SWITCH, UNKNOWN, BoolVector, Topology

# Pairs whose paths are looked at together: assumed to fit any machine.
_BLOCK_PAIRS = 2**18
# Room for what pairs of classes put on every ISL: as in `layer_paths`.
_BLOCK_BYTES = 64e6


@dataclass(frozen=True, eq=False)
class Crossing:
    """Who sends over a link.

    Attributes
    ----------
    topology : Topology
    link : int
    routing : Routing
    source, destination : (N,) bool
        Endpoints from which, and to which, anything may cross it.
    endpoint_class : (N,) int32
        Class of each endpoint.
    class_part : (n_classes, n_classes) float64
        By the destination's and the source's class, the part of a pair's bytes that crosses the link under even
        splits; 0: none under any policy of shortest paths.
    exact : bool
        Whether `class_part` is the answer; else paths are.
    inside : bool
        Whether the link is of the scale-up network: pairs of one domain; else pairs of different domains, or of none.
    """

    topology: Topology
    link: int
    routing: Routing
    source: BoolVector
    destination: BoolVector
    endpoint_class: Int32Vector
    class_part: FloatMatrix
    exact: bool
    inside: bool

    @cached_property
    def sources(self) -> BoolVector:
        """Endpoints that may send over the link to any other, (N,) bool."""
        some: BoolVector = np.any(self.class_part > 0, axis=0)
        return self.source & some[self.endpoint_class]

    @cached_property
    def destinations(self) -> BoolVector:
        """Endpoints that may get anything over the link, (N,) bool."""
        some: BoolVector = np.any(self.class_part > 0, axis=1)
        return self.destination & some[self.endpoint_class]

    def may(self, src: Int32Vector, dst: Int32Vector) -> BoolVector:
        """Whether each pair may send over the link, (len(src),) bool."""
        domain = self.topology.endpoint_domain
        same = (domain[src] == domain[dst]) & (domain[dst] != UNKNOWN)
        part = self.class_part[self.endpoint_class[dst], self.endpoint_class[src]]
        found: BoolVector = (same if self.inside else ~same) & (src != dst) & (part > 0)
        return found & self.source[src] & self.destination[dst]

    def candidates(self, src: Int32Vector, dst: Int32Vector) -> npt.NDArray[np.bool_]:
        """Whether a pair may send over the link, for all of `src` with all of `dst`: (len(src), len(dst)) bool."""
        domain = self.topology.endpoint_domain
        same = (domain[src][:, None] == domain[dst]) & (domain[dst] != UNKNOWN)
        may: npt.NDArray[np.bool_] = (same if self.inside else ~same) & (src[:, None] != dst)
        may &= self.source[src][:, None] & self.destination[dst]
        may &= self.class_part[self.endpoint_class[dst]][:, self.endpoint_class[src]].T > 0
        return may

    def parts(self, src: Int32Vector, dst: Int32Vector) -> FloatVector:
        """Which part of the bytes of each pair crosses the link, (len(src),) float64."""
        if self.exact:
            part: FloatVector = self.class_part[self.endpoint_class[dst], self.endpoint_class[src]]
            return part * (self.source[src] & self.destination[dst])
        found = np.zeros(src.size)
        for first in range(0, src.size, _BLOCK_PAIRS):
            some = slice(first, first + _BLOCK_PAIRS)
            found[some] = _by_paths(self.topology, self.link, src[some], dst[some], self.routing)
        return found


def crossing(topology: Topology, link: int, routing: Routing, n_threads: int | None = None) -> Crossing:
    """Who sends over a link under a policy; NVLink switches split evenly under each.

    Parameters
    ----------
    topology : Topology
    link : int
    routing : Routing
        Any that has paths; `GivenPaths` say themselves which flows take a link.
    n_threads : int, optional
        No result depends on it.
    """
    kind = int(topology.link_kind[link])
    inside = kind == NVLINK
    layer = layer_of(topology, NVSWITCH if inside else SWITCH)
    everyone = np.ones(topology.n_endpoints, bool)
    source, destination = everyone, everyone
    tail, head = int(topology.link_tail[link]), int(topology.link_head[link])
    number = np.full(topology.n_nodes, UNKNOWN)
    number[topology.endpoints] = np.arange(topology.n_endpoints)
    if topology.nodes.kind[tail] == ENDPOINT:
        source = np.arange(topology.n_endpoints) == number[tail]
    if topology.nodes.kind[head] == ENDPOINT:
        destination = np.arange(topology.n_endpoints) == number[head]
    policy = Adaptive() if inside else routing
    shortest = isinstance(policy, Adaptive | Ecmp | DModK)
    exact = isinstance(policy, Adaptive)
    n_classes = layer.n_classes
    # The parts, and which of them are any.
    what = f"who sends over a link, by {n_classes:,} x {n_classes:,} leaves"
    memory.require(what, 9.0 * n_classes**2)
    if inside and source is not everyone and destination is not everyone:
        # A direct link of two GPUs, and others beside it.
        part, exact = np.ones((n_classes, n_classes)), False
    elif not shortest:
        part = np.ones((n_classes, n_classes))
        if isinstance(policy, Lft) and kind != NIC:
            destination = destination & _table_destinations(topology, policy, link)
    elif source is not everyone:
        part = _end_parts(layer, link, int(number[tail]), True)
    elif destination is not everyone:
        part = _end_parts(layer, link, int(number[head]), False)
    else:
        part = _isl_parts(layer, link, n_threads)
    return Crossing(topology, link, policy, source, destination, layer.endpoint_class, part, exact, inside)


def _isl_parts(layer: Layer, link: int, n_threads: int | None) -> FloatMatrix:
    from fabric._kernels.adaptive import parts_over_bundle

    bundles = bundles_of(layer)
    part = np.zeros((layer.n_classes, layer.n_classes))
    isl = int(np.flatnonzero(layer.isl_link == link)[0])
    bundle = int(bundles.of_isl[isl])
    for_each_chunk(
        lambda number, n_chunks: parts_over_bundle(layer.arrays, bundles.arrays, bundle, number, n_chunks, part),
        layer.n_classes,
        n_threads,
    )
    part *= bundles.isl_part[isl]
    return part


def _end_parts(layer: Layer, link: int, endpoint: int, leaving: bool) -> FloatMatrix:
    """Of a cable between an endpoint and a switch: which part of its bytes it sends, or gets, by it."""
    from fabric._kernels.adaptive import split_paths

    links, cable_part = (layer.up_link, layer.up_part) if leaving else (layer.down_link, layer.down_part)
    (place,) = np.flatnonzero(links == link)
    slot = int(layer.attachment_slot[place] - layer.endpoint_slot[endpoint])
    own, n = int(layer.endpoint_class[endpoint]), layer.n_classes
    part = np.zeros((n, n))
    # A block of classes at a time: most of a pair's row of bundles is zero.
    bundles = bundles_of(layer)
    block = max(1, int(_BLOCK_BYTES / (8 * max(bundles.n_bundles, 1))))
    for first in range(0, n, block):
        others = np.arange(first, min(first + block, n), dtype=np.int32)
        mine = np.full(others.size, own, np.int32)
        source, destination = (mine, others) if leaving else (others, mine)
        up, down = np.zeros((others.size, layer.width)), np.zeros((others.size, layer.width))
        row = np.zeros((others.size, bundles.n_bundles))
        split_paths(layer.arrays, bundles.arrays, source, destination, row, up, down)
        part[destination, source] = (up if leaving else down)[:, slot] * cable_part[place]
    return part


def _table_destinations(topology: Topology, routing: Lft, link: int) -> BoolVector:
    """Endpoints that the switch before the link sends to by it, (N,) bool."""
    switches = np.flatnonzero(topology.nodes.kind == SWITCH)
    column = int(np.searchsorted(switches, topology.link_tail[link]))
    rows = np.flatnonzero(routing.next_link[:, column] == link)
    chosen = np.zeros(topology.n_endpoints, bool)
    chosen[np.searchsorted(routing.row_start, rows, side="right") - 1] = True
    return chosen


def _by_paths(topology: Topology, link: int, src: Int32Vector, dst: Int32Vector, routing: Routing) -> FloatVector:
    """Part of each pair's bytes on the link, by the paths of the policy; 0 for a pair that may have no route."""
    try:
        routed = route_flows(topology, src, dst, routing)
    except Unroutable:
        if not (isinstance(routing, Lft) and routing.skip_unrouted):
            raise
        if src.size == 1:
            return np.zeros(1)
        halves = (slice(None, src.size // 2), slice(src.size // 2, None))
        return np.concatenate([_by_paths(topology, link, src[half], dst[half], routing) for half in halves])
    hop = np.flatnonzero(routed.paths.link == link)
    path = np.searchsorted(routed.paths.start, hop, side="right") - 1
    carried = routed.part[path] * (1.0 if routed.paths.fraction is None else routed.paths.fraction[hop])
    return sums_of(routed.flow[path], carried, src.size)
