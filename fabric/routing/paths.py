"""The links that flows cross under a routing policy, flow by flow: what rates are found on.

Where a policy sends parts of a flow different ways on their own (queue pairs, ports, LIDs), each part is a flow with a
path; the flow ends with the last of them.  Adaptive routing splits a flow at every switch: one flow, with the part of
it that crosses each link.
"""

from dataclasses import dataclass, replace

import numpy as np

from collectives.demand import FloatVector, Int32Vector, Int64Vector
from collectives.errors import InputError
from fabric._kernels.arrays import FlowArrays
from fabric.routing.chunks import for_each_chunk
from fabric.routing.flow_paths import FlowPaths
from fabric.routing.layer import Layer, layer_of
from fabric.routing.lft_walk import lft_arrays
from fabric.routing.member_classes import starts_of
from fabric.routing.policies import Adaptive, DModK, Ecmp, Lft, Routing
from fabric.topology import NVSWITCH, SWITCH, UNKNOWN, Topology

_BLOCK_BYTES = 64e6


@dataclass(frozen=True, eq=False)
class RoutedFlows:
    """Parts of flows, each with its path.

    Attributes
    ----------
    paths : FlowPaths
        Of the parts.
    flow : (n_parts,) int64
        Flow that each is a part of.
    part : (n_parts,) float64
        Its part of the flow's bytes.
    """

    paths: FlowPaths
    flow: Int64Vector
    part: FloatVector


def route_flows(topology: Topology, src: Int32Vector, dst: Int32Vector, routing: Routing) -> RoutedFlows:
    """Paths of flows between endpoints.

    Parameters
    ----------
    topology : Topology
    src, dst : (F,) int32
        Endpoints; a flow from an endpoint to itself crosses no link.
    routing : Routing
        For pairs in one scale-up domain the NVLink switches, which split evenly.

    Raises
    ------
    InputError
        If there is no way from one to the other.
    """
    domain = topology.endpoint_domain
    inside = src == dst
    parts = [_nowhere(np.flatnonzero(inside))]
    within = np.empty(0, np.int64)
    if (domain != UNKNOWN).any():
        joined = (domain[src] != UNKNOWN) & (domain[src] == domain[dst])
        within = np.flatnonzero(joined & ~inside)
        inside |= joined
    out = np.flatnonzero(~inside)
    if out.size:
        layer = layer_of(topology, SWITCH)
        if isinstance(routing, Adaptive):
            parts.append(_split(topology, layer, src, dst, out))
        elif isinstance(routing, Lft):
            parts.append(_by_tables(topology, layer, src, dst, out, routing))
        else:
            parts.append(_single(topology, layer, src, dst, out, routing))
    if within.size:
        parts.append(_split(topology, layer_of(topology, NVSWITCH), src, dst, within))
    return _joined([part for part in parts if part.flow.size])


def _nowhere(flows: Int64Vector) -> RoutedFlows:
    paths = FlowPaths(np.zeros(flows.size + 1, np.int64), np.empty(0, np.int32))
    return RoutedFlows(paths, flows.astype(np.int64), np.ones(flows.size))


def _joined(parts: list[RoutedFlows]) -> RoutedFlows:
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return _nowhere(np.empty(0, np.int64))
    split = any(part.paths.fraction is not None for part in parts)
    offsets = np.cumsum([0, *(len(part.paths.link) for part in parts)])
    start = [part.paths.start[:-1] + offset for part, offset in zip(parts, offsets[:-1], strict=True)]
    fractions = [
        part.paths.fraction if part.paths.fraction is not None else np.ones(len(part.paths.link)) for part in parts
    ]
    paths = FlowPaths(
        np.concatenate([*start, offsets[-1:]]).astype(np.int64),
        np.concatenate([part.paths.link for part in parts]),
        np.concatenate(fractions) if split else None,
    )
    return RoutedFlows(
        paths, np.concatenate([part.flow for part in parts]), np.concatenate([part.part for part in parts])
    )


def _slot_links(layer: Layer) -> tuple[Int32Vector, Int32Vector]:
    """The first link of each endpoint slot, there and back."""
    _, first = np.unique(layer.attachment_slot, return_index=True)
    return layer.up_link[first], layer.down_link[first]


def _over_cables(layer: Layer, paths: FlowPaths, arriving: bool = True) -> FlowPaths:
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
    return FlowPaths(start.astype(np.int64), link, fraction)


def _single(
    topology: Topology, layer: Layer, src: Int32Vector, dst: Int32Vector, flows: Int64Vector, routing: Ecmp | DModK
) -> RoutedFlows:
    from fabric._kernels.single_path import dmodk_paths, ecmp_paths, path_lengths

    if flows.size < src.size:
        src, dst = src[flows], dst[flows]
    to = layer.endpoint_class[dst]
    if np.any(to[1:] < to[:-1]):
        order = np.argsort(to, kind="stable")
        flows, src, dst, to = flows[order], src[order], dst[order], to[order]
    arrays = FlowArrays(starts_of(to, layer.n_classes), src, dst, np.empty(0))
    del to
    n_queue_pairs = routing.queue_pairs if isinstance(routing, Ecmp) else 1
    width = layer.width
    part = np.zeros(flows.size * width * n_queue_pairs)
    hop_start = np.zeros(part.size + 1, np.int64)
    unreachable = np.full((layer.n_classes, 2), -1, np.int32)
    classes = layer.endpoint_class

    def measure(number: int, n_chunks: int) -> None:
        path_lengths(
            layer.arrays, arrays, classes, width, n_queue_pairs, part, hop_start, number, n_chunks, unreachable
        )

    for_each_chunk(measure, layer.n_classes)
    lost = unreachable[unreachable[:, 0] >= 0]
    if lost.size:
        _refuse(topology, int(lost[0, 0]), int(lost[0, 1]))
    np.cumsum(hop_start, out=hop_start)
    hop_link = np.empty(int(hop_start[-1]), np.int32)
    links = (layer.isl_link, *_slot_links(layer))
    where = (layer.arrays, arrays, classes, layer.endpoint_slot, width)
    if isinstance(routing, Ecmp):
        seeds, keys = routing.switch_seeds(layer), routing.port_keys(layer)

        def write(number: int, n_chunks: int) -> None:
            ecmp_paths(*where, seeds, keys, *links, number, n_chunks, hop_start, hop_link)

    else:

        def write(number: int, n_chunks: int) -> None:
            dmodk_paths(*where, layer.endpoint_index, *links, number, n_chunks, hop_start, hop_link)

    for_each_chunk(write, layer.n_classes)
    routed = _used(flows, width * n_queue_pairs, part, hop_start, hop_link)
    return replace(routed, paths=_over_cables(layer, routed.paths))


def _by_tables(
    topology: Topology, layer: Layer, src: Int32Vector, dst: Int32Vector, flows: Int64Vector, routing: Lft
) -> RoutedFlows:
    from fabric._kernels.lft_walk import lft_paths

    flows = flows[np.argsort(dst[flows], kind="stable")]
    most = max(1, int(np.diff(routing.row_start).max(initial=0)))
    part = np.zeros(flows.size * layer.width * most)
    hop_start = np.zeros(part.size + 1, np.int64)
    tables, up_link = lft_arrays(topology, routing), _slot_links(layer)[0]

    def walk(hop_link: Int32Vector) -> None:
        lft_paths(
            layer.arrays, src[flows], dst[flows], layer.endpoint_class, layer.endpoint_slot, layer.width,
            most, up_link, tables, part, hop_start, hop_link,
        )  # fmt: skip

    walk(np.empty(0, np.int32))
    lost = np.flatnonzero(part.reshape(flows.size, -1).sum(axis=1) == 0)
    if lost.size:
        _refuse(topology, int(src[flows[lost[0]]]), int(dst[flows[lost[0]]]))
    np.cumsum(hop_start, out=hop_start)
    hop_link = np.empty(int(hop_start[-1]), np.int32)
    walk(hop_link)
    routed = _used(flows, layer.width * most, part, hop_start, hop_link)
    # The tables say by which port bytes arrive.
    return replace(routed, paths=_over_cables(layer, routed.paths, arriving=False))


def _used(
    flows: Int64Vector, per_flow: int, part: FloatVector, hop_start: Int64Vector, link: Int32Vector
) -> RoutedFlows:
    """The parts that carry something."""
    if per_flow == 1:
        return RoutedFlows(FlowPaths(hop_start, link), flows, part)
    chosen = np.flatnonzero(part > 0)
    start = np.append(hop_start[:-1][chosen], hop_start[-1])
    return RoutedFlows(FlowPaths(start, link), flows[chosen // per_flow], part[chosen])


def _split(topology: Topology, layer: Layer, src: Int32Vector, dst: Int32Vector, flows: Int64Vector) -> RoutedFlows:
    from fabric._kernels.adaptive import split_paths

    source, destination = layer.endpoint_class[src[flows]], layer.endpoint_class[dst[flows]]
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
        split_paths(layer.arrays, pair_source[some], pair_destination[some], isl_part, up_part[some], down_part[some])
        row, isl = np.nonzero(isl_part)
        found.append((row + first, isl, isl_part[row, isl]))
    pair_row, isl, carried = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    lost = np.flatnonzero(up_part.sum(axis=1)[pair] == 0)
    if lost.size:
        _refuse(topology, int(src[flows[lost[0]]]), int(dst[flows[lost[0]]]))
    up_link, down_link = _slot_links(layer)
    rows: list[tuple[Int64Vector, Int32Vector, FloatVector]] = []
    for parts, ends, links in ((up_part, src, up_link), (down_part, dst, down_link)):
        for k in range(layer.width):
            has = np.flatnonzero(parts[pair, k] > 0)
            rows.append((has, links[layer.endpoint_slot[ends[flows[has]]] + k], parts[pair[has], k]))
    row_start = starts_of(pair_row, pairs.size)
    counts = np.diff(row_start)[pair]
    number = np.repeat(np.arange(flows.size), counts)
    within = np.arange(number.size) - np.repeat(np.cumsum(counts) - counts, counts)
    place = row_start[pair[number]] + within
    rows.append((number, layer.isl_link[isl[place]], carried[place]))
    flow = np.concatenate([row[0] for row in rows])
    order = np.argsort(flow, kind="stable")
    link = np.concatenate([row[1] for row in rows])[order].astype(np.int32)
    fraction = np.concatenate([row[2] for row in rows])[order]
    start = starts_of(flow[order], flows.size)
    paths = _over_cables(layer, FlowPaths(start, link, np.minimum(fraction, 1.0)))
    return RoutedFlows(paths, flows, np.ones(flows.size))


def _refuse(topology: Topology, src: int, dst: int) -> None:
    names = topology.endpoint_names
    raise InputError(
        f"no path from {names[src]} to {names[dst]} in fabric {topology.name}: expected every pair with traffic joined"
    )
