"""Flow paths from what kernels write: parts of flows, slots of endpoints, links of the fabric."""

from collections.abc import Callable

import numpy as np

from collectives.demand import FloatVector, Int32Vector, Int64Vector
from fabric._kernels.arrays import FloatMatrix
from fabric.routing.flow_paths import FlowPaths, RoutedFlows
from fabric.routing.layer import Layer
from fabric.routing.member_classes import starts_of
from fabric.routing.unroutable import not_joined
from fabric.topology import Topology

# Room for what pairs of classes put on every ISL, most of it zero: assumed to fit any machine.
_BLOCK_BYTES = 64e6

SplitKernel = Callable[[Int32Vector, Int32Vector, FloatMatrix, FloatMatrix, FloatMatrix], None]


def slot_links(layer: Layer) -> tuple[Int32Vector, Int32Vector]:
    """The first link of each endpoint slot, there and back."""
    _, first = np.unique(layer.attachment_slot, return_index=True)
    return layer.up_link[first], layer.down_link[first]


def over_cables(layer: Layer, paths: FlowPaths, arriving: bool = True) -> FlowPaths:
    """Spread hops on an endpoint's slot over its parallel cables, in proportion to capacity.

    With `arriving` false those towards an endpoint stay as they are.
    """
    slots, counts = np.unique(layer.attachment_slot, return_counts=True)
    if slots.size == 0 or counts.max() == 1:
        return paths
    order = np.argsort(layer.attachment_slot, kind="stable")
    first = np.concatenate([[0], np.cumsum(counts)])[:-1]
    n_links = int(max(layer.up_link.max(), layer.down_link.max(), paths.link.max(initial=0))) + 1
    copies = np.ones(n_links, np.int64)
    where = np.full((n_links, 2), -1, np.int64)
    for side, links in enumerate((layer.up_link, layer.down_link)[: 1 + arriving]):
        heads = links[order[first]]
        copies[heads], where[heads, 0], where[heads, 1] = counts, first, side
    n_copies = copies[paths.link]
    hop = np.repeat(np.arange(len(paths.link)), n_copies)
    within = np.arange(hop.size) - np.repeat(np.cumsum(n_copies) - n_copies, n_copies)
    link = paths.link[hop].copy()
    fraction = np.ones(hop.size) if paths.fraction is None else paths.fraction[hop].copy()
    attached = where[paths.link[hop], 0] >= 0
    for side, links, parts in ((0, layer.up_link, layer.up_part), (1, layer.down_link, layer.down_part)):
        chosen = np.flatnonzero(attached & (where[paths.link[hop], 1] == side))
        cable = order[where[paths.link[hop[chosen]], 0] + within[chosen]]
        link[chosen] = links[cable]
        fraction[chosen] *= parts[cable]
    start = np.concatenate([[0], np.cumsum(n_copies)])[paths.start]
    if fraction.all():
        return FlowPaths(start.astype(np.int64), link, fraction)
    used = fraction > 0
    before = np.concatenate([[0], np.cumsum(used)])
    return FlowPaths(before[start].astype(np.int64), link[used], fraction[used])


def used_parts(
    flows: Int64Vector, per_flow: int, part: FloatVector, hop_start: Int64Vector, link: Int32Vector
) -> RoutedFlows:
    """The parts that carry something, of `per_flow` for each flow."""
    if per_flow == 1:
        return RoutedFlows(FlowPaths(hop_start, link), flows, part)
    chosen = np.flatnonzero(part > 0)
    start = np.append(hop_start[:-1][chosen], hop_start[-1])
    return RoutedFlows(FlowPaths(start, link), flows[chosen // per_flow], part[chosen])


def split_paths(
    topology: Topology, layer: Layer, src: Int32Vector, dst: Int32Vector, kernel: SplitKernel
) -> RoutedFlows:
    """Paths that split at switches, alike for all flows from one attachment class to another.

    Parameters
    ----------
    topology, layer
    src, dst : (F,) int32
        Endpoints.
    kernel : callable
        ``kernel(source_class, destination_class, isl_part, up_part, down_part)``, as `fabric._kernels.adaptive`'s.

    Raises
    ------
    Unroutable
    """
    source, destination = layer.endpoint_class[src], layer.endpoint_class[dst]
    pairs, pair = np.unique(destination.astype(np.int64) * layer.n_classes + source, return_inverse=True)
    pair = pair.ravel()
    pair_source = (pairs % layer.n_classes).astype(np.int32)
    pair_destination = (pairs // layer.n_classes).astype(np.int32)
    up_part, down_part = np.zeros((pairs.size, layer.width)), np.zeros((pairs.size, layer.width))
    # A block of pairs at a time: most of a pair's row of ISLs is zero.
    block = max(1, int(_BLOCK_BYTES / (8 * max(layer.n_isls, 1))))
    found: list[tuple[Int64Vector, Int64Vector, FloatVector]] = []
    for first in range(0, pairs.size, block):
        some = slice(first, min(first + block, pairs.size))
        isl_part = np.zeros((some.stop - first, layer.n_isls))
        kernel(pair_source[some], pair_destination[some], isl_part, up_part[some], down_part[some])
        row, isl = np.nonzero(isl_part)
        found.append((row + first, isl, isl_part[row, isl]))
    pair_row, isl, carried = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    lost = np.flatnonzero(up_part.sum(axis=1)[pair] == 0)
    if lost.size:
        raise not_joined(topology, int(src[lost[0]]), int(dst[lost[0]]))
    up_link, down_link = slot_links(layer)
    rows: list[tuple[Int64Vector, Int32Vector, FloatVector]] = []
    for parts, ends, links in ((up_part, src, up_link), (down_part, dst, down_link)):
        for k in range(layer.width):
            has = np.flatnonzero(parts[pair, k] > 0)
            rows.append((has, links[layer.endpoint_slot[ends[has]] + k], parts[pair[has], k]))
    row_start = starts_of(pair_row, pairs.size)
    counts = np.diff(row_start)[pair]
    number = np.repeat(np.arange(src.size), counts)
    within = np.arange(number.size) - np.repeat(np.cumsum(counts) - counts, counts)
    place = row_start[pair[number]] + within
    rows.append((number, layer.isl_link[isl[place]], carried[place]))
    flow = np.concatenate([row[0] for row in rows])
    order = np.argsort(flow, kind="stable")
    link = np.concatenate([row[1] for row in rows])[order].astype(np.int32)
    fraction = np.concatenate([row[2] for row in rows])[order]
    start = starts_of(flow[order], src.size)
    paths = over_cables(layer, FlowPaths(start, link, np.minimum(fraction, 1.0)))
    return RoutedFlows.whole(paths)
