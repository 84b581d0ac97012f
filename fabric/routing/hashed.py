"""Static hashing carried out (`Ecmp`): what flows put on the links, for one seed or for many at once."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from collectives.demand import AllToAll, FloatVector, Flows
from fabric._kernels.arrays import FloatMatrix, UInt64Matrix
from fabric.jobs.placement import Placement
from fabric.routing.chunks import share_of, sum_of_chunks
from fabric.routing.device import on_gpu
from fabric.routing.hashed_cuda import counted_on_gpu
from fabric.routing.layer import Layer, layer_of
from fabric.routing.loads import LinkLoads
from fabric.routing.member_classes import counted_members, without_part
from fabric.routing.policies import Ecmp
from fabric.routing.rooms import Rooms, hash_room, next_hops
from fabric.routing.sweep import flows_of_layer, on_links
from fabric.routing.unroutable import refuse_unreachable
from fabric.topology import SWITCH, Topology

# Loads of one chunk for all seeds that walk together.  Each thread has some arrays of this size, and more seeds
# together are no faster.
_TOGETHER_BYTES = 8e6

# Tables count in int32.  A block's flows are far fewer, so that no number can pass it.
MOST_COUNTED = 2**31 - 1

# Bytes per link for each of some sets of seeds.
_Walk = Callable[[UInt64Matrix], list[FloatVector]]


def hashed_loads(
    topology: Topology,
    demand: Flows | AllToAll,
    placement: Placement,
    routings: Sequence[Ecmp],
    n_threads: int | None = None,
) -> list[LinkLoads]:
    """Loads of what goes between domains, for each of some policies that hash alike but for their seeds.

    They share all but the hash, and each gets the same loads, to the last bit, as alone.

    Parameters
    ----------
    topology : Topology
    demand : Flows or AllToAll
    placement : Placement
    routings : sequence of Ecmp
        With equal `flows_a_pair` and `shared_seed`.
    n_threads : int, optional

    Raises
    ------
    Unroutable
    """
    layer = layer_of(topology, SWITCH)
    keys = routings[0].port_keys(layer)
    if isinstance(demand, Flows):
        walk = _flow_walk(topology, layer, demand, placement, keys, n_threads)
    else:
        walk = _all_to_all_walk(topology, layer, demand, placement, keys, n_threads)
    together = max(1, int(_TOGETHER_BYTES / (8 * max(layer.n_isls + layer.n_slots, 1))))
    loads: list[LinkLoads] = []
    for first in range(0, len(routings), together):
        seeds = np.stack([one.switch_seeds(layer) for one in routings[first : first + together]])
        loads += [LinkLoads(topology, load) for load in walk(seeds)]
    return loads


def ecmp_loads(
    topology: Topology, demand: Flows | AllToAll, placement: Placement, routing: Ecmp, n_threads: int | None
) -> LinkLoads:
    """Loads of what goes between domains, each queue pair hashed by itself.  O(flows x hops with a choice)."""
    return hashed_loads(topology, demand, placement, [routing], n_threads)[0]


def _flow_walk(
    topology: Topology, layer: Layer, demand: Flows, placement: Placement, keys: UInt64Matrix, n_threads: int | None
) -> _Walk:
    from fabric._kernels.hashed import hashed_flows

    flows = flows_of_layer(topology, layer, demand, placement, True)
    where = layer.endpoint_class, layer.endpoint_slot
    turns = layer.in_turn(np.flatnonzero(np.diff(flows.class_flow_start)))
    unreachable = np.full((layer.n_classes, 2), -1, np.int32)

    def walk(seeds: UInt64Matrix) -> list[FloatVector]:
        n_seeds, n_ends = len(seeds), _n_ends(layer)
        rooms = Rooms(lambda: (next_hops(layer), hash_room(layer, n_seeds, 0)))

        def chunk(number: int, n_chunks: int) -> tuple[npt.NDArray[np.float64], ...]:
            by_seed = np.zeros((n_seeds, layer.n_isls)), np.zeros((n_seeds, n_ends))
            by_slot = np.zeros(layer.n_slots), np.zeros(layer.n_slots)
            with rooms.one() as room:
                hashed_flows(
                    layer.arrays, flows, *where, seeds, keys, share_of(turns, number, n_chunks), *room, *by_seed,
                    *by_slot, unreachable,
                )  # fmt: skip
            return *by_seed, *by_slot

        n_floats = layer.n_isls + 3 * layer.n_slots
        isl, ends, up, down = sum_of_chunks(chunk, turns.size, n_floats, n_threads, (unreachable,))
        refuse_unreachable(topology, unreachable)
        return _on_links(topology, layer, isl / len(keys), up, down, ends / len(keys))

    return walk


def _all_to_all_walk(
    topology: Topology, layer: Layer, demand: AllToAll, placement: Placement, keys: UInt64Matrix, n_threads: int | None
) -> _Walk:
    from fabric._kernels.hashed import hashed_all_to_all

    members, unit = counted_members(topology, layer, demand, placement)
    classes, counted = members.arrays, unit is not None
    n_classes, width = len(classes.attachment), layer.width
    turns = layer.in_turn(np.flatnonzero(np.diff(classes.attachment_run_start)))
    own = np.zeros(len(layer.arrays.slot_switch))
    unreachable = np.full((layer.n_classes, 2), -1, np.int32)

    def walk(seeds: UInt64Matrix) -> list[FloatVector]:
        n_seeds, n_ends = len(seeds), _n_ends(layer)
        rooms = Rooms(lambda: (next_hops(layer), hash_room(layer, n_seeds, members.most_in_a_run)))

        def chunk(number: int, n_chunks: int) -> tuple[npt.NDArray[np.float64], ...]:
            by_seed = np.zeros((n_seeds, layer.n_isls)), np.zeros((n_seeds, n_ends))
            by_class = np.zeros((n_classes, width)), np.zeros((n_classes, width))
            with rooms.one() as room:
                hashed_all_to_all(
                    layer.arrays, classes, counted, MOST_COUNTED, 1 / width, layer.endpoint_slot, seeds, keys,
                    share_of(turns, number, n_chunks), *room, *by_seed, *by_class, own, unreachable,
                )  # fmt: skip
            return *by_seed, *by_class

        found = counted_on_gpu(layer, members, seeds, keys, n_ends) if counted and on_gpu() else None
        if found is not None:
            isl, ends, class_up, class_down = found.isl, found.ends, found.class_up, found.class_down
            own[:] = found.own
        else:
            n_floats = layer.n_isls + layer.n_slots + 2 * n_classes * width
            isl, ends, class_up, class_down = sum_of_chunks(chunk, turns.size, n_floats, n_threads, (unreachable, own))
        refuse_unreachable(topology, unreachable)
        own_slots = members.own_bytes(layer, own, True)
        up = without_part(members.to_slots(layer, members.send, class_up), own_slots)
        down = without_part(members.to_slots(layer, members.receive, class_down), own_slots)
        loads = _on_links(topology, layer, isl / len(keys), up, down, ends / len(keys))
        factor = (1.0 if unit is None else unit) / width
        return [load * factor for load in loads]

    return walk


def _on_links(
    topology: Topology, layer: Layer, isl: FloatMatrix, up: FloatVector, down: FloatVector, ends: FloatMatrix
) -> list[FloatVector]:
    """Bytes per link for each row of ISLs; `ends` is added to `down`, where it has columns."""
    loads = []
    for on_isls, at_ends in zip(isl, ends, strict=True):
        loads.append(on_links(topology, layer, on_isls, up, down + at_ends if at_ends.size else down))
    return loads


@lru_cache(maxsize=8)
def _n_ends(layer: Layer) -> int:
    """Endpoint slots if a hash may decide by which of them a flow arrives; 0 if each slot is in a plane of its own."""
    from fabric._kernels.cuts import join

    arrays = layer.arrays
    tail, head = np.repeat(np.arange(layer.n_switches), np.diff(arrays.out_start)), arrays.out_head
    part = np.arange(layer.n_switches, dtype=np.int32)
    join(tail.astype(np.int32), head, np.ones(tail.size, bool), part)
    of_class = np.repeat(np.arange(len(arrays.slot_start) - 1), np.diff(arrays.slot_start))
    pairs = np.stack([of_class, part[arrays.slot_switch]])
    return 0 if np.unique(pairs, axis=1).shape[1] == pairs.shape[1] else layer.n_slots
