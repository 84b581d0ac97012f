"""Routes demands along the switches' own forwarding tables: demands in, bytes per link or paths out."""

from dataclasses import replace

import numpy as np

from collectives.demand import AllToAll, FloatVector, Flows, Int32Vector
from collectives.errors import InputError
from fabric._kernels.arrays import FloatMatrix, LftArrays
from fabric.jobs.placement import Placement
from fabric.routing.chunks import MAX_CHUNKS, sum_of_chunks
from fabric.routing.flow_paths import RoutedFlows
from fabric.routing.layer import layer_of
from fabric.routing.layer_paths import over_cables, slot_links, used_parts
from fabric.routing.loads import LinkLoads, Unrouted
from fabric.routing.member_classes import member_classes_of, without_part
from fabric.routing.policies import Lft
from fabric.routing.unroutable import not_routed
from fabric.topology import SWITCH, UNKNOWN, Topology


def lft_arrays(topology: Topology, routing: Lft) -> LftArrays:
    """What the kernels read.

    Raises
    ------
    InputError
        If the tables were made for another fabric.
    """
    n_switches = int(np.count_nonzero(topology.nodes.kind == SWITCH))
    if routing.next_link.shape[1] != n_switches or len(routing.row_start) != topology.n_endpoints + 1:
        raise InputError(f"{routing.source}: tables of another fabric; expected those of {topology.name}")
    switch = np.full(topology.n_nodes, -1, np.int32)
    switch[topology.nodes.kind == SWITCH] = np.arange(n_switches, dtype=np.int32)
    endpoint = np.full(topology.n_nodes, -1, np.int32)
    endpoint[topology.endpoints] = np.arange(topology.n_endpoints, dtype=np.int32)
    return LftArrays(routing.row_start, routing.next_link, switch[topology.link_head], endpoint[topology.link_head])


def lft_flow_loads(
    topology: Topology, demand: Flows, placement: Placement, routing: Lft, n_threads: int | None
) -> LinkLoads:
    """Loads of the flows between domains.

    Raises
    ------
    Unroutable
        If a flow has no way and `routing.skip_unrouted` is not set.
    """
    from fabric._kernels.lft_walk import lft_flows

    layer = layer_of(topology, SWITCH)
    src, dst = placement.endpoint[demand.src], placement.endpoint[demand.dst]
    domain = topology.endpoint_domain
    inside = (domain[src] != UNKNOWN) & (domain[src] == domain[dst])
    chosen = np.flatnonzero(~inside & (src != dst) & (demand.bytes > 0))
    if chosen.size == 0:
        return LinkLoads.none(topology)
    chosen = chosen[np.lexsort((src[chosen], dst[chosen]))]
    src, dst, amount = src[chosen], dst[chosen], demand.bytes[chosen]
    run_start = np.flatnonzero(np.concatenate([[True], dst[1:] != dst[:-1], [True]])).astype(np.int64)
    arrays = lft_arrays(topology, routing)
    unrouted = _none_yet()

    def chunk(number: int, n_chunks: int) -> tuple[FloatVector, ...]:
        sums = (np.zeros(topology.n_links), np.zeros(layer.n_slots))
        lft_flows(
            layer.arrays, run_start, src, dst, amount, layer.endpoint_class, layer.endpoint_slot, arrays,
            number, n_chunks, *sums, unrouted[min(number, MAX_CHUNKS - 1)],
        )  # fmt: skip
        return sums

    n_floats = topology.n_links + layer.n_slots
    load, up = sum_of_chunks(chunk, run_start.size - 1, n_floats, n_threads, (unrouted,))
    load[layer.up_link] += up[layer.attachment_slot] * layer.up_part
    return LinkLoads(topology, load, _checked(topology, routing, unrouted))


def lft_all_to_all_loads(
    topology: Topology, demand: AllToAll, placement: Placement, routing: Lft, n_threads: int | None
) -> LinkLoads:
    """Loads of an all-to-all's pairs between domains; raises as `lft_flow_loads`."""
    from fabric._kernels.lft_walk import lft_all_to_all

    layer = layer_of(topology, SWITCH)
    members = member_classes_of(topology, layer, demand, placement)
    classes, width = members.arrays, layer.width
    n_members, n_member_classes = len(classes.member_endpoint), len(classes.attachment)
    class_group = np.searchsorted(classes.group_class_start, np.arange(n_member_classes), side="right") - 1
    member_group = class_group[members.member_class].astype(np.int64)
    arrays = lft_arrays(topology, routing)
    own = np.zeros((n_members, width))
    unrouted = _none_yet()

    def chunk(number: int, n_chunks: int) -> tuple[FloatVector, ...]:
        sums = (np.zeros(topology.n_links), np.zeros((n_member_classes, width)))
        lft_all_to_all(
            layer.arrays, classes, members.member_class, member_group, True, arrays, number, n_chunks, *sums, own,
            unrouted[min(number, MAX_CHUNKS - 1)],
        )  # fmt: skip
        return sums

    n_floats = topology.n_links + n_member_classes * width
    load, class_up = sum_of_chunks(chunk, n_members, n_floats, n_threads, (unrouted, own))
    up = without_part(members.to_slots(layer, members.send, class_up), members.own_slots(layer, own))
    load[layer.up_link] += up[layer.attachment_slot] * layer.up_part
    return LinkLoads(topology, load, _checked(topology, routing, unrouted))


def lft_flow_paths(topology: Topology, src: Int32Vector, dst: Int32Vector, routing: Lft) -> RoutedFlows:
    """Paths of flows between domains: a part for each port of the source and LID of the destination.

    Raises
    ------
    Unroutable
        If a flow has no way, whether or not `routing.skip_unrouted` is set.
    """
    from fabric._kernels.lft_walk import lft_paths

    layer = layer_of(topology, SWITCH)
    flows = np.argsort(dst, kind="stable")
    src, dst = src[flows], dst[flows]
    n_lids = max(1, int(np.diff(routing.row_start).max(initial=0)))
    part = np.zeros(flows.size * layer.width * n_lids)
    hop_start = np.zeros(part.size + 1, np.int64)
    arrays, up_link = lft_arrays(topology, routing), slot_links(layer)[0]

    def walk(hop_link: Int32Vector) -> None:
        lft_paths(
            layer.arrays, src, dst, layer.endpoint_class, layer.endpoint_slot, layer.width, n_lids, up_link, arrays,
            part, hop_start, hop_link,
        )  # fmt: skip

    # Once to measure the paths, once to write them.
    walk(np.empty(0, np.int32))
    lost = np.flatnonzero(part.reshape(flows.size, -1).sum(axis=1) == 0)
    if lost.size:
        raise not_routed(topology, routing.source, int(src[lost[0]]), int(dst[lost[0]]), lost.size)
    np.cumsum(hop_start, out=hop_start)
    hop_link = np.empty(int(hop_start[-1]), np.int32)
    walk(hop_link)
    routed = used_parts(flows, layer.width * n_lids, part, hop_start, hop_link)
    # The tables say by which port bytes arrive.
    return replace(routed, paths=over_cables(layer, routed.paths, arriving=False))


def _none_yet() -> FloatMatrix:
    """(pairs, bytes, source, destination of an example) of each chunk; -1 for no example."""
    return np.tile(np.array([0.0, 0.0, -1.0, -1.0]), (MAX_CHUNKS, 1))


def _checked(topology: Topology, routing: Lft, unrouted: FloatMatrix) -> Unrouted:
    """What all chunks found; refused unless the user asked to skip it."""
    pairs, volume = int(unrouted[:, 0].sum()), float(unrouted[:, 1].sum())
    if pairs and not routing.skip_unrouted:
        src, dst = unrouted[unrouted[:, 2] >= 0][0, 2:]
        raise not_routed(topology, routing.source, int(src), int(dst), pairs)
    return Unrouted(pairs, volume)
