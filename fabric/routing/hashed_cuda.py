"""Static hashing of an all-to-all on a GPU: arrays there and back, destination classes in batches that fit."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from collectives.demand import FloatVector, Int64Vector
from fabric._kernels.arrays import FloatMatrix, Int32Matrix, MemberClassArrays, UInt64Matrix
from fabric.routing.device import require_on_gpu
from fabric.routing.layer import Layer
from fabric.routing.member_classes import MemberClasses

if TYPE_CHECKING:
    from fabric._kernels.cuda.hashed import GpuLayer, GpuMembers

# Flows of a block, some hundred for each of its threads.  Measured: fewer cost more time in cutting up than they save.
_BLOCK_FLOWS = 32768
# What is counted of one batch of destinations.  Larger ones are no faster: each fills a GPU many times over.
_BATCH_BYTES = 1e9
# Flows that one place counts, in int32.
_MOST_COUNTED = 2**31 - 1
# Threads of one launch.
_MOST_THREADS = 2**30


@dataclass(frozen=True, eq=False)
class HashedCounts:
    """What `fabric._kernels.hashed.hashed_all_to_all` accumulates, where every weight is 1; R sets of seeds.

    Attributes
    ----------
    isl : (R, T) float64
    ends : (R, n_slots or 0) float64
    class_up, class_down : (C, W) float64
    own : (A,) float64
    """

    isl: FloatMatrix
    ends: FloatMatrix
    class_up: FloatMatrix
    class_down: FloatMatrix
    own: FloatVector


def counted_on_gpu(
    layer: Layer, members: MemberClasses, seeds: UInt64Matrix, keys: UInt64Matrix, n_ends: int
) -> HashedCounts | None:
    """Count the flows of an all-to-all between domains; None where that takes the processor.

    That is where endpoints split their bytes over ports by other than whole parts, where some have no way (the
    processor says which), and where so many flows go to one leaf that counts could overflow.

    Parameters
    ----------
    layer : Layer
    members : MemberClasses
        With weights of 1.
    seeds : (R, S) uint64
        Hash seeds of the switches.
    keys : (n_queue_pairs, W) uint64
    n_ends : int
        Slots of all endpoints, or 0 if no hash decides by which of them flows arrive.

    Raises
    ------
    InputError
        If not even one destination fits the GPU's memory.
    """
    from fabric._kernels.cuda.device import free_bytes, room, to_gpu
    from fabric._kernels.cuda.hashed import GpuCounts, GpuFlags

    classes, arrays = members.arrays, layer.arrays
    destinations = np.flatnonzero(np.diff(classes.attachment_run_start))
    runs = _Runs.of(classes)
    if runs.flows.size == 0 or _most_flows(classes, runs) * keys.shape[0] * layer.width > _MOST_COUNTED:
        return None
    n_rows, n_classes, n_slots = len(seeds), len(classes.attachment), len(arrays.slot_switch)
    n_isls, n_switches, width = layer.n_isls, layer.n_switches, layer.width
    each = 12 * n_switches + 4 * n_isls + 4 * n_slots + n_rows * (4 * n_isls + 8 * n_switches)
    fixed = 8 * (n_rows * (n_isls + n_ends + n_switches) + 2 * n_classes * width) + 16 * len(members.endpoint)
    fixed += 20 * int(runs.flows.sum() // _BLOCK_FLOWS + runs.flows.size) + 16 * n_isls
    require_on_gpu("hashing", fixed + each)
    batch = max(1, int(min(_BATCH_BYTES, 0.8 * free_bytes() - fixed) / each))
    counts = GpuCounts(
        chosen=room((min(batch, destinations.size), n_rows, n_isls), np.int32),
        waiting=room((min(batch, destinations.size), n_rows, n_switches), np.int64),
        isl=to_gpu(np.zeros((n_rows, n_isls), np.int64)),
        end=to_gpu(np.zeros((n_rows, n_ends), np.int64)),
        sent=to_gpu(np.zeros((n_classes, width), np.int64)),
        received=to_gpu(np.zeros((n_classes, width), np.int64)),
    )
    flags = GpuFlags(*(to_gpu(np.zeros(1, np.int32)) for _ in range(3)))
    problem = _Problem(layer_on_gpu(layer), _members_on_gpu(members), to_gpu(seeds), to_gpu(keys), counts, flags)
    problem.clear()
    for first in range(0, destinations.size, batch):
        _do_batch(problem, layer, classes, runs, destinations[first : first + batch])
    if flags.not_whole.copy_to_host()[0] or flags.unreachable.copy_to_host()[0]:
        return None
    isl, ends, sent, received = (
        one.copy_to_host().astype(np.float64) for one in (counts.isl, counts.end, counts.sent, counts.received)
    )
    starts = arrays.slot_start
    totals = np.add.reduceat(np.append(arrays.slot_up_gbps, 0.0), starts[:-1])
    own = arrays.slot_up_gbps / np.repeat(totals, np.diff(starts)) / (1.0 / width)
    return HashedCounts(isl, ends, sent, received, own)


@dataclass(frozen=True, eq=False)
class _Runs:
    """Members of runs and of their groups, by run."""

    first: Int64Vector
    n: Int64Vector
    group_first: Int64Vector
    group_n: Int64Vector
    group_class: Int64Vector
    group_class_stop: Int64Vector

    @classmethod
    def of(cls, classes: MemberClassArrays) -> "_Runs":
        starts, group = classes.class_member_start, classes.run_group
        group_class, group_class_stop = classes.group_class_start[group], classes.group_class_start[group + 1]
        first, group_first = starts[classes.run_class_start], starts[group_class]
        n, group_n = starts[classes.run_class_stop] - first, starts[group_class_stop] - group_first
        return cls(first, n, group_first, group_n, group_class, group_class_stop)

    @property
    def flows(self) -> Int64Vector:
        """Pairs of members of a run and of its group."""
        return self.n * self.group_n

    def items(self, first: int, stop: int, number: Int64Vector) -> Int32Matrix:
        """Work for blocks of `walk`: the flows to some runs, whose destinations are `number` of the batch."""
        own = slice(first, stop)
        sources = np.maximum(1, _BLOCK_FLOWS // self.n[own])
        n_items = -(-self.group_n[own] // sources)
        run = np.repeat(np.arange(stop - first), n_items)
        place = (np.arange(run.size) - np.repeat(np.cumsum(n_items) - n_items, n_items)) * sources[run]
        n_sources = np.minimum(sources[run], self.group_n[own][run] - place)
        first_source = self.group_first[own][run] + place
        columns = (number[run], self.first[own][run], self.n[own][run], first_source, n_sources)
        return np.stack(columns, axis=1).astype(np.int32)


@dataclass(frozen=True, eq=False)
class _Problem:
    """What is on the GPU for all batches: named tuples of `fabric._kernels.cuda.hashed`."""

    layer: "GpuLayer"
    members: "GpuMembers"
    seeds: Any
    keys: Any
    counts: Any
    flags: Any

    def clear(self) -> None:
        """Set what is counted by destination to zero, as each batch leaves it too."""
        from fabric._kernels.cuda.device import launch
        from fabric._kernels.cuda.hashed import clear

        for array in (self.counts.chosen, self.counts.waiting):
            launch(clear, array.size, array.reshape(array.size))


def _most_flows(classes: MemberClassArrays, runs: _Runs) -> int:
    """Most flows to the endpoints of one attachment class."""
    flows = np.concatenate([[0], np.cumsum(runs.flows)])
    return int(np.diff(flows[classes.attachment_run_start]).max(initial=0))


def _do_batch(
    problem: _Problem, layer: Layer, classes: MemberClassArrays, runs: _Runs, destinations: Int64Vector
) -> None:
    """Walk to some destination classes; loads are on the GPU then."""
    from fabric._kernels.cuda import hashed as kernels
    from fabric._kernels.cuda.device import launch, launch_blocks, room, to_gpu

    n, n_switches = destinations.size, layer.n_switches
    own_layer, members, counts, flags = problem.layer, problem.members, problem.counts, problem.flags
    # The work is cut up before the GPU is asked for anything: it still walks the batch before.
    first = int(classes.attachment_run_start[destinations[0]])
    stop = int(classes.attachment_run_start[destinations[-1] + 1])
    number = np.searchsorted(destinations, classes.attachment[classes.run_class_start[first:stop]])
    items = runs.items(first, stop, number)
    sizes = (n_switches, n_switches, layer.n_isls, n_switches, len(layer.arrays.slot_switch))
    hops = kernels.GpuHops._make(room((n, size), np.int32) for size in sizes)
    everywhere = n * n_switches
    launch(kernels.begin, everywhere, own_layer, to_gpu(destinations.astype(np.int32)), hops)
    level = 0
    while level == flags.changed.copy_to_host()[0] or level == 0:
        level += 1
        launch(kernels.search, everywhere, own_layer, level, hops, flags)
    launch(kernels.split_over_slots, n * layer.n_classes, own_layer, layer.width, hops, flags)
    launch_blocks(
        kernels.walk, len(items), own_layer, members, to_gpu(items), problem.seeds, problem.keys, hops, counts
    )
    launch(kernels.add_choices, everywhere, own_layer, hops, counts)
    for forced in range(level - 1, 0, -1):
        launch(kernels.carry_forced, everywhere, own_layer, forced, hops, counts)
    _count_ends(problem, classes, runs, slice(first, stop), number, hops)


def _count_ends(
    problem: _Problem, classes: MemberClassArrays, runs: _Runs, own: slice, number: Int64Vector, hops: Any
) -> None:
    """What members send and receive by slot, for the runs of a batch."""
    from fabric._kernels.cuda import hashed as kernels
    from fabric._kernels.cuda.device import launch, launch_blocks, to_gpu

    columns = (number, classes.run_class_start[own], classes.run_class_stop[own])
    groups = (runs.group_class[own], runs.group_class_stop[own])
    on_gpu = kernels.GpuRuns(*(to_gpu(column.astype(np.int32)) for column in (*columns, *groups)))
    layer, members, counts, flags = problem.layer, problem.members, problem.counts, problem.flags
    most = int((groups[1] - groups[0]).max())
    together = max(1, _MOST_THREADS // most)
    for first in range(0, number.size, together):
        n_runs = min(together, number.size - first)
        launch(
            kernels.count_sent, n_runs * most, layer, members, on_gpu, first, n_runs, most, hops, counts, flags
        )  # fmt: skip
    n_takers = columns[2] - columns[1]
    run = np.repeat(np.arange(number.size), n_takers)
    taker = np.repeat(columns[1], n_takers) + np.arange(run.size) - np.repeat(np.cumsum(n_takers) - n_takers, n_takers)
    takers = to_gpu(np.stack([run, taker], axis=1).astype(np.int32))
    launch_blocks(kernels.count_received, run.size, layer, members, on_gpu, takers, hops, counts)


# A comparison looks at few fabrics, and a GPU has less memory than its machine.
@lru_cache(maxsize=2)
def layer_on_gpu(layer: Layer) -> "GpuLayer":
    """What the kernels read of a layer."""
    from fabric._kernels.cuda.device import to_gpu
    from fabric._kernels.cuda.hashed import GpuLayer

    arrays = layer.arrays
    whole = (arrays.out_start, arrays.out_head, arrays.out_link, arrays.slot_start, arrays.slot_switch)
    out_start, out_head, out_link, slot_start, slot_switch = (to_gpu(array.astype(np.int32)) for array in whole)
    slots = to_gpu(arrays.slot_up_gbps), to_gpu(layer.endpoint_slot.astype(np.int32))
    return GpuLayer(out_start, out_head, out_link, slot_start, slot_switch, *slots)


def _members_on_gpu(members: MemberClasses) -> "GpuMembers":
    from fabric._kernels.cuda.device import to_gpu
    from fabric._kernels.cuda.hashed import GpuMembers

    classes, of_member = members.arrays, members.member_class
    columns = (classes.attachment[of_member], classes.label[0, of_member], classes.label[1, of_member])
    whole = (members.endpoint, *columns, classes.class_member_start)
    return GpuMembers(*(to_gpu(column.astype(np.int32)) for column in whole))
