"""D-mod-K carried out (`DModK`): what flows put on the links."""

from typing import Any

import numpy as np

from collectives.demand import AllToAll, FloatVector, Flows
from fabric._kernels.arrays import FlowArrays
from fabric.jobs.placement import Placement
from fabric.routing.chunks import share_of, sum_of_chunks
from fabric.routing.layer import layer_of
from fabric.routing.loads import LinkLoads
from fabric.routing.member_classes import counted_members, without_part
from fabric.routing.policies import DModK
from fabric.routing.rooms import Rooms, next_hops, waiting_room
from fabric.routing.sweep import Sweep, on_links, swept_flows
from fabric.routing.unroutable import refuse_unreachable
from fabric.topology import SWITCH, Topology


def dmodk_flow_loads(
    topology: Topology, demand: Flows, placement: Placement, routing: DModK, n_threads: int | None
) -> LinkLoads:
    """Loads of the flows between domains."""
    from fabric._kernels.by_destination import dmodk_flows

    layer = layer_of(topology, SWITCH)
    where = layer.endpoint_class, layer.endpoint_slot, layer.endpoint_index
    rooms = Rooms(lambda: (next_hops(layer), waiting_room(layer)))

    def sweep_of(flows: FlowArrays) -> Sweep:
        turns = layer.in_turn(np.flatnonzero(np.diff(flows.class_flow_start)))

        def run(number: int, n_chunks: int, *sums: Any) -> None:
            with rooms.one() as room:
                dmodk_flows(layer.arrays, flows, *where, share_of(turns, number, n_chunks), *room, *sums)

        return Sweep(run, turns.size)

    return LinkLoads(topology, swept_flows(topology, layer, demand, placement, True, sweep_of, n_threads))


def dmodk_all_to_all_loads(
    topology: Topology, demand: AllToAll, placement: Placement, routing: DModK, n_threads: int | None
) -> LinkLoads:
    """Loads of an all-to-all's pairs between domains.  O(leaves) for each destination."""
    from fabric._kernels.by_destination import dmodk_all_to_all

    layer = layer_of(topology, SWITCH)
    members, unit = counted_members(topology, layer, demand, placement)
    classes, width = members.arrays, layer.width
    n_classes = len(classes.attachment)
    turns = layer.in_turn(np.flatnonzero(np.diff(classes.attachment_run_start)))
    where = layer.endpoint_slot, layer.endpoint_index
    own = np.zeros(len(layer.arrays.slot_switch))
    unreachable = np.full((layer.n_classes, 2), -1, np.int32)
    rooms = Rooms(lambda: (next_hops(layer), waiting_room(layer)))

    def chunk(number: int, n_chunks: int) -> tuple[FloatVector, ...]:
        sums = np.zeros(layer.n_isls), np.zeros((n_classes, width)), np.zeros(layer.n_slots)
        with rooms.one() as room:
            dmodk_all_to_all(
                layer.arrays, classes, 1 / width, *where, share_of(turns, number, n_chunks), *room, *sums, own,
                unreachable,
            )  # fmt: skip
        return sums

    n_floats = layer.n_isls + n_classes * width + layer.n_slots
    isl, class_up, down = sum_of_chunks(chunk, turns.size, n_floats, n_threads, (unreachable, own))
    refuse_unreachable(topology, unreachable)
    own_slots = members.own_bytes(layer, own, True)
    up = without_part(members.to_slots(layer, members.send, class_up), own_slots)
    load = on_links(topology, layer, isl, up, without_part(down, own_slots))
    return LinkLoads(topology, load * ((1.0 if unit is None else unit) / width))
