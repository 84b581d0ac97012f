"""Routes demands along the switches' own forwarding tables: demands in, bytes per link out."""

from dataclasses import dataclass

import numpy as np

from collectives.demand import AllToAll, FloatVector, Flows
from collectives.errors import InputError
from fabric._kernels.arrays import FloatMatrix, LftArrays
from fabric.jobs.placement import Placement
from fabric.routing.chunks import MAX_CHUNKS, sum_of_chunks
from fabric.routing.layer import Layer
from fabric.routing.member_classes import member_classes_of, without_part
from fabric.routing.policies import Lft
from fabric.topology import SWITCH, UNKNOWN, Topology


@dataclass(frozen=True)
class Unrouted:
    """Pairs with bytes to exchange and no way along the tables."""

    pairs: int = 0
    bytes: float = 0.0

    def __add__(self, other: "Unrouted") -> "Unrouted":
        return Unrouted(self.pairs + other.pairs, self.bytes + other.bytes)

    def scaled(self, factor: float) -> "Unrouted":
        """The same pairs, every number of bytes times `factor`."""
        return Unrouted(self.pairs, self.bytes * factor)


NOTHING = Unrouted()


def lft_arrays(topology: Topology, routing: Lft) -> LftArrays:
    """What the kernels read.

    Raises
    ------
    InputError
        If the tables were made for another fabric.
    """
    n_switches = int(np.count_nonzero(topology.nodes.kind == SWITCH))
    if routing.next_link.shape[1] != n_switches or len(routing.row_start) != topology.n_endpoints + 1:
        raise InputError(f"{routing.source}: tables of another fabric than {topology.name}")
    switch = np.full(topology.n_nodes, -1, np.int32)
    switch[topology.nodes.kind == SWITCH] = np.arange(n_switches, dtype=np.int32)
    endpoint = np.full(topology.n_nodes, -1, np.int32)
    endpoint[topology.endpoints] = np.arange(topology.n_endpoints, dtype=np.int32)
    return LftArrays(routing.row_start, routing.next_link, switch[topology.link_head], endpoint[topology.link_head])


def add_flows_by_lft(
    topology: Topology,
    layer: Layer,
    demand: Flows,
    placement: Placement,
    routing: Lft,
    n_threads: int | None,
    load: FloatVector,
) -> Unrouted:
    """Add the flows between domains to `load` ((n_links,) float64); returns what has no way.

    Raises
    ------
    InputError
        If a flow has no way and `routing.skip_unrouted` is not set.
    """
    from fabric._kernels.lft_walk import lft_flows

    src, dst = placement.endpoint[demand.src], placement.endpoint[demand.dst]
    domain = topology.endpoint_domain
    inside = (domain[src] != UNKNOWN) & (domain[src] == domain[dst])
    chosen = np.flatnonzero(~inside & (src != dst) & (demand.bytes > 0))
    if chosen.size == 0:
        return NOTHING
    chosen = chosen[np.lexsort((src[chosen], dst[chosen]))]
    src, dst, amount = src[chosen], dst[chosen], demand.bytes[chosen]
    run_start = np.flatnonzero(np.concatenate([[True], dst[1:] != dst[:-1], [True]])).astype(np.int64)
    tables = lft_arrays(topology, routing)
    unrouted = _none_yet()

    def chunk(number: int, n_chunks: int) -> tuple[FloatVector, ...]:
        sums = (np.zeros(topology.n_links), np.zeros(layer.n_slots))
        lft_flows(
            layer.arrays, run_start, src, dst, amount, layer.endpoint_class, layer.endpoint_slot, tables,
            number, n_chunks, *sums, unrouted[number],
        )  # fmt: skip
        return sums

    n_floats = topology.n_links + layer.n_slots
    below, up = sum_of_chunks(chunk, run_start.size - 1, n_floats, n_threads)
    load += below
    load[layer.up_link] += up[layer.attachment_slot] * layer.up_part
    return _checked(topology, routing, unrouted)


def add_all_to_all_by_lft(
    topology: Topology,
    layer: Layer,
    demand: AllToAll,
    placement: Placement,
    routing: Lft,
    n_threads: int | None,
    load: FloatVector,
) -> Unrouted:
    """Add the pairs between domains to `load`; returns and raises as `add_flows_by_lft`."""
    from fabric._kernels.lft_walk import lft_all_to_all

    members = member_classes_of(topology, layer, demand, placement)
    classes, width = members.arrays, layer.width
    n_members, n_member_classes = len(classes.member_endpoint), len(classes.attachment)
    class_group = np.searchsorted(classes.group_class_start, np.arange(n_member_classes), side="right") - 1
    member_group = class_group[members.member_class].astype(np.int64)
    tables = lft_arrays(topology, routing)
    own = np.zeros((n_members, width))
    unrouted = _none_yet()

    def chunk(number: int, n_chunks: int) -> tuple[FloatVector, ...]:
        sums = (np.zeros(topology.n_links), np.zeros((n_member_classes, width)))
        lft_all_to_all(
            layer.arrays, classes, members.member_class, member_group, True, tables, number, n_chunks, *sums, own,
            unrouted[number],
        )  # fmt: skip
        return sums

    n_floats = topology.n_links + n_member_classes * width
    below, class_up = sum_of_chunks(chunk, n_members, n_floats, n_threads)
    load += below
    up = without_part(members.to_slots(layer, members.send, class_up), members.own_slots(layer, own))
    load[layer.up_link] += up[layer.attachment_slot] * layer.up_part
    return _checked(topology, routing, unrouted)


def _none_yet() -> FloatMatrix:
    """(pairs, bytes, source, destination of an example) of each chunk; -1 for no example."""
    return np.tile(np.array([0.0, 0.0, -1.0, -1.0]), (MAX_CHUNKS, 1))


def _checked(topology: Topology, routing: Lft, unrouted: FloatMatrix) -> Unrouted:
    """What all chunks found; refused unless the user asked to skip it."""
    pairs, volume = int(unrouted[:, 0].sum()), float(unrouted[:, 1].sum())
    if pairs and not routing.skip_unrouted:
        first = unrouted[unrouted[:, 2] >= 0][0]
        src, dst = (topology.endpoint_names[int(end)] for end in first[2:])
        raise InputError(
            f"{routing.source}: no route from {src} to {dst}, and for {pairs - 1:,} more pairs with traffic; "
            "`railscope fabric check` lists them, --skip-unrouted leaves them out"
        )
    return Unrouted(pairs, volume)
