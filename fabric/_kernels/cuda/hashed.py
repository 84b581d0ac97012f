"""Static hashing on a GPU: a thread follows a flow, and what flows amount to is counted in whole numbers.

The choices of `fabric._kernels.hashed`, flow by flow, and its sums: whole numbers are exact in any order, so that loads
are those of the processor to the last bit.  D destination classes are done together, each with arrays of its own; S
switches, T ISLs, K attachment classes, A attachment slots, R sets of seeds, C member classes, M members.

1. `begin`, then `search` level by level: the next hops of every switch towards each destination.
2. `split_over_slots`: what endpoints of each class send by each of their slots, in units.
3. `walk`: a block takes some sources' flows to one destination class.  A thread lets its flow choose, switch by switch,
   until the rest of the way is forced, and adds it to the count of each next hop that it takes.
4. `add_choices`, then `carry_forced` level by level: counts go to the links, and on where ways are forced.
5. `count_sent`, `count_received`: what a member of each class sends and receives by each of its slots.

Next hops of a switch stand in the order of its ISLs, from the place where these begin: no list has to be packed.
Indices read from tables are made unsigned in `walk`: numba looks at each signed one for a place counted from the end.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from fabric._kernels.cuda.device import compiled, step


class GpuLayer(NamedTuple):
    """`LayerArrays` on the GPU, what hashing reads of them."""

    out_start: Any
    """(S + 1,) int32"""
    out_head: Any
    """(T,) int32"""
    out_link: Any
    """(T,) int32"""
    slot_start: Any
    """(K + 2,) int32"""
    slot_switch: Any
    """(A,) int32"""
    slot_up_gbps: Any
    """(A,) float64"""
    endpoint_slot: Any
    """(N + 1,) int32 where each endpoint's slots begin."""


class GpuMembers(NamedTuple):
    """Members of an all-to-all, and their classes: see `MemberClassArrays`."""

    endpoint: Any
    """(M,) int32"""
    attachment: Any
    """(M,) int32 attachment class."""
    domain: Any
    """(M,) int32 label; 0: none."""
    block: Any
    """(M,) int32 label; 0: none."""
    class_member: Any
    """(C + 1,) int32 where the members of each member class begin."""


class GpuRuns(NamedTuple):
    """Runs whose members are destinations: see `MemberClassArrays`.  Those of a batch follow one another."""

    destination: Any
    """(R,) int32 number of their attachment class in the batch."""
    first: Any
    """(R,) int32 first member class."""
    stop: Any
    """(R,) int32"""
    group_first: Any
    """(R,) int32 first member class of their group."""
    group_stop: Any
    """(R,) int32"""


class GpuHops(NamedTuple):
    """Next hops towards D destination classes."""

    distance: Any
    """(D, S) int32, -1 where there is no way."""
    choices: Any
    """(D, S) int32 number of next hops; negative if ways are forced behind all of them; 0 where there is no choice."""
    head: Any
    """(D, T) int32 switch that each next hop reaches."""
    end: Any
    """(D, S) int32 slot of the destination (0, 1, ...) where all ways end; -1 where it depends on choices."""
    unit: Any
    """(D, A) int32 what endpoints of a class send by each slot; 0 where nothing."""


class GpuCounts(NamedTuple):
    """What is counted; all zero at first."""

    chosen: Any
    """(D, R, T) int32 units by next hop; zero again after `add_choices`."""
    waiting: Any
    """(D, R, S) int64 units where ways are forced; zero again after `carry_forced` of all levels."""
    isl: Any
    """(R, T) int64 units by ISL, of all batches."""
    end: Any
    """(R, n_slots) int64 units by slot of the receiving endpoints, where hashes decide; no columns if they never do."""
    sent: Any
    """(C, W) int64"""
    received: Any
    """(C, W) int64"""


class GpuFlags(NamedTuple):
    """What the host must know."""

    changed: Any
    """(1,) int32 last level at which `search` found a switch."""
    not_whole: Any
    """(1,) int32 1 if a part is no whole number of units."""
    unreachable: Any
    """(1,) int32 1 if some have bytes to exchange and no way."""


@step
def _mix(value: Any) -> Any:
    """As `fabric._kernels.hashed.mix`."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@step
def _exchange(members: GpuMembers, one: int, other: int) -> bool:
    """Whether two members are in different domains, and not in one block: as `fabric._kernels.endpoints.exchange`."""
    same_domain = members.domain[one] > 0 and members.domain[one] == members.domain[other]
    same_block = members.block[one] > 0 and members.block[one] == members.block[other]
    return not same_domain and not same_block


@compiled
def clear(values: Any) -> None:
    """Set a vector to zero; a thread for each entry."""
    place = cuda.grid(1)
    if place < values.shape[0]:
        values[place] = 0


@compiled
def begin(layer: GpuLayer, destination: Any, hops: GpuHops) -> None:
    """Only the destinations are reached; a thread for each destination and switch.

    Parameters
    ----------
    destination : (D,) int32
        Attachment classes.
    """
    n_switches = hops.distance.shape[1]
    place = cuda.grid(1)
    if place >= hops.distance.shape[0] * n_switches:
        return
    d, switch = place // n_switches, place % n_switches
    hops.distance[d, switch] = -1
    hops.choices[d, switch] = 0
    hops.end[d, switch] = -1
    first = layer.slot_start[destination[d]]
    for slot in range(first, layer.slot_start[destination[d] + 1]):
        if layer.slot_switch[slot] == switch:
            hops.distance[d, switch] = 0
            hops.end[d, switch] = slot - first


@compiled
def search(layer: GpuLayer, level: int, hops: GpuHops, flags: GpuFlags) -> None:
    """Find the switches that are `level` hops away, and their next hops; a thread for each destination and switch."""
    n_switches = hops.distance.shape[1]
    place = cuda.grid(1)
    if place >= hops.distance.shape[0] * n_switches:
        return
    d, switch = place // n_switches, place % n_switches
    if hops.distance[d, switch] >= 0:
        return
    first = layer.out_start[switch]
    n_hops, forced, end = 0, True, -1
    for entry in range(first, layer.out_start[switch + 1]):
        head = layer.out_head[entry]
        # Others write `level` at the same time, never this.
        if hops.distance[d, head] == level - 1:
            hops.head[d, first + n_hops] = head
            forced = forced and hops.choices[d, head] == 0
            end = hops.end[d, head] if n_hops == 0 or end == hops.end[d, head] else -1
            n_hops += 1
    if n_hops > 0:
        hops.distance[d, switch] = level
        hops.end[d, switch] = end
        if not forced:
            hops.choices[d, switch] = n_hops
        elif n_hops > 1:
            hops.choices[d, switch] = -n_hops
        flags.changed[0] = level


@compiled
def split_over_slots(layer: GpuLayer, width: int, hops: GpuHops, flags: GpuFlags) -> None:
    """Split what each class sends over its nearest slots, by capacity; a thread for each destination and class.

    Parameters
    ----------
    width : int
        Units that make up all that goes to a destination: most slots of a class.
    """
    n_classes = layer.slot_start.shape[0] - 1
    place = cuda.grid(1)
    if place >= hops.distance.shape[0] * n_classes:
        return
    d, attachment = place // n_classes, place % n_classes
    first, stop = layer.slot_start[attachment], layer.slot_start[attachment + 1]
    nearest = -1
    for slot in range(first, stop):
        reach = hops.distance[d, layer.slot_switch[slot]]
        if reach >= 0 and (nearest < 0 or reach < nearest):
            nearest = reach
    total = 0.0
    for slot in range(first, stop):
        if nearest >= 0 and hops.distance[d, layer.slot_switch[slot]] == nearest:
            total += layer.slot_up_gbps[slot]
    for slot in range(first, stop):
        hops.unit[d, slot] = 0
        if nearest >= 0 and hops.distance[d, layer.slot_switch[slot]] == nearest and total > 0.0:
            # The processor's own operations in their order, so that it is whole here where it is there.
            units = layer.slot_up_gbps[slot] / total / (1.0 / width)
            hops.unit[d, slot] = int(units)
            if float(hops.unit[d, slot]) != units:
                flags.not_whole[0] = 1


@compiled
def walk(
    layer: GpuLayer, members: GpuMembers, items: Any, seed: Any, port_key: Any, hops: GpuHops, counts: GpuCounts
) -> None:
    """Follow flows; a block for each item.

    Parameters
    ----------
    items : (n, 5) int32
        Number of the destination class in the batch, first member there and how many, first source and how many.
    seed : (R, S) uint64
    port_key : (n_queue_pairs, W) uint64
    """
    item = cuda.blockIdx.x
    d, first_to, n_to = np.uint32(items[item, 0]), items[item, 1], items[item, 2]
    first_source, n_sources = items[item, 3], items[item, 4]
    n_queue_pairs, n_rows = port_key.shape[0], seed.shape[0]
    # Neighbouring threads have one source: they read the same tables.
    i, j = cuda.threadIdx.x // n_to, cuda.threadIdx.x % n_to
    on_i, on_j = cuda.blockDim.x // n_to, cuda.blockDim.x % n_to
    while i < n_sources:
        source, to = np.uint32(first_source + i), np.uint32(first_to + j)
        i += on_i
        j += on_j
        if j >= n_to:
            j -= n_to
            i += 1
        if not _exchange(members, source, to):
            continue
        dst = np.uint32(members.endpoint[to])
        pair_key = _mix((np.uint64(members.endpoint[source]) << np.uint64(32)) | np.uint64(dst))
        first = layer.slot_start[members.attachment[source]]
        for slot in range(first, layer.slot_start[members.attachment[source] + 1]):
            unit, start = hops.unit[d, slot], np.uint32(layer.slot_switch[slot])
            if unit == 0 or hops.distance[d, start] == 0:
                continue
            n_first = hops.choices[d, start]
            if n_first == 0:
                for row in range(n_rows):
                    cuda.atomic.add(counts.waiting, (d, row, start), np.int64(unit) * n_queue_pairs)
                continue
            decided = counts.end.shape[1] > 0 and hops.end[d, start] < 0
            for queue_pair in range(n_queue_pairs):
                key = pair_key ^ port_key[queue_pair, slot - first]
                for number in range(n_rows):
                    line, switch, n_hops = np.uint32(number), start, n_first
                    while n_hops != 0:
                        drawn = _mix(key ^ seed[line, switch]) >> np.uint64(32)
                        chosen = (drawn * np.uint64(abs(n_hops))) >> np.uint64(32)
                        hop = np.uint32(layer.out_start[switch]) + np.uint32(chosen)
                        cuda.atomic.add(counts.chosen, (d, line, hop), unit)
                        if n_hops < 0 and not decided:
                            break
                        switch = np.uint32(hops.head[d, hop])
                        n_hops = hops.choices[d, switch]
                    if decided:
                        place = layer.endpoint_slot[dst] + hops.end[d, switch]
                        cuda.atomic.add(counts.end, (line, np.uint32(place)), np.int64(unit))


@compiled
def add_choices(layer: GpuLayer, hops: GpuHops, counts: GpuCounts) -> None:
    """Add what was chosen to the links; a thread for each destination and switch."""
    n_switches = hops.distance.shape[1]
    place = cuda.grid(1)
    if place >= hops.distance.shape[0] * n_switches:
        return
    d, switch = place // n_switches, place % n_switches
    if hops.choices[d, switch] == 0:
        return
    nearer = hops.distance[d, switch] - 1
    hop = layer.out_start[switch]
    for entry in range(layer.out_start[switch], layer.out_start[switch + 1]):
        head = layer.out_head[entry]
        if hops.distance[d, head] != nearer:
            continue
        for row in range(counts.isl.shape[0]):
            units = np.int64(counts.chosen[d, row, hop])
            if units > 0:
                counts.chosen[d, row, hop] = 0
                cuda.atomic.add(counts.isl, (row, layer.out_link[entry]), units)
                if hops.choices[d, head] == 0 and nearer > 0:
                    cuda.atomic.add(counts.waiting, (d, row, head), units)
        hop += 1


@compiled
def carry_forced(layer: GpuLayer, level: int, hops: GpuHops, counts: GpuCounts) -> None:
    """Carry what waits `level` hops away to the only next hop; a thread for each destination and switch."""
    n_switches = hops.distance.shape[1]
    place = cuda.grid(1)
    if place >= hops.distance.shape[0] * n_switches:
        return
    d, switch = place // n_switches, place % n_switches
    if hops.distance[d, switch] != level or hops.choices[d, switch] != 0:
        return
    for entry in range(layer.out_start[switch], layer.out_start[switch + 1]):
        head = layer.out_head[entry]
        if hops.distance[d, head] != level - 1:
            continue
        for row in range(counts.isl.shape[0]):
            units = counts.waiting[d, row, switch]
            if units > 0:
                counts.waiting[d, row, switch] = 0
                cuda.atomic.add(counts.isl, (row, layer.out_link[entry]), units)
                if level > 1:
                    cuda.atomic.add(counts.waiting, (d, row, head), units)
        return


@compiled
def count_sent(
    layer: GpuLayer,
    members: GpuMembers,
    runs: GpuRuns,
    first_run: int,
    n_runs: int,
    most: int,
    hops: GpuHops,
    counts: GpuCounts,
    flags: GpuFlags,
) -> None:
    """Units that a member of each class sends to the members of runs; a thread for each run and member class.

    Parameters
    ----------
    most : int
        Threads for each run; at least the member classes of a group.
    """
    place = cuda.grid(1)
    if place >= n_runs * most:
        return
    run = first_run + place // most
    source = runs.group_first[run] + place % most
    if source >= runs.group_stop[run]:
        return
    one = members.class_member[source]
    takers = 0
    for to in range(runs.first[run], runs.stop[run]):
        if _exchange(members, one, members.class_member[to]):
            takers += members.class_member[to + 1] - members.class_member[to]
    if takers == 0:
        return
    d, first = runs.destination[run], layer.slot_start[members.attachment[one]]
    reached = False
    for slot in range(first, layer.slot_start[members.attachment[one] + 1]):
        if hops.unit[d, slot] > 0:
            reached = True
            cuda.atomic.add(counts.sent, (source, slot - first), np.int64(takers) * hops.unit[d, slot])
    if not reached:
        flags.unreachable[0] = 1


@compiled
def count_received(
    layer: GpuLayer, members: GpuMembers, runs: GpuRuns, takers: Any, hops: GpuHops, counts: GpuCounts
) -> None:
    """Units that a member of each class receives by slots that no hash decides; a block for each member class.

    Parameters
    ----------
    takers : (n, 2) int32
        A run and one of its member classes.
    """
    run, to = takers[cuda.blockIdx.x, 0], takers[cuda.blockIdx.x, 1]
    d, one = runs.destination[run], members.class_member[to]
    n_ends = layer.slot_start[members.attachment[one] + 1] - layer.slot_start[members.attachment[one]]
    for end in range(n_ends):
        units = np.int64(0)
        for source in range(runs.group_first[run] + cuda.threadIdx.x, runs.group_stop[run], cuda.blockDim.x):
            other = members.class_member[source]
            if not _exchange(members, one, other):
                continue
            senders = members.class_member[source + 1] - other
            attachment = members.attachment[other]
            for slot in range(layer.slot_start[attachment], layer.slot_start[attachment + 1]):
                if hops.unit[d, slot] > 0 and hops.end[d, layer.slot_switch[slot]] == end:
                    units += np.int64(senders) * hops.unit[d, slot]
        if units > 0:
            cuda.atomic.add(counts.received, (to, end), units)
