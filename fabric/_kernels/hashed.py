"""Static hashing (ECMP): every flow takes, at each switch, the next hop that a hash of it picks.

At a switch with c next hops a flow takes number ``floor(c x / 2**32)``, x the upper half of ``mix(key ^ seed)``: `key`
is the flow's, mixed from its ends, its queue pair and the port of its source; `seed` is the switch's.

A block of flows takes each step together.  Mixing and choosing are loops over arrays, which compilers turn into vector
instructions; looking up the seed of the switch that was reached, and counting, are loops of their own.  Where the rest
of a path is forced nothing is hashed: what arrives there waits, and is carried on together.

All flows from the endpoints of one leaf to those of another have the same choices.  Where the ways behind all of the
leaf's next hops are forced, a count for each of them says all; where each of them leads to as many next hops with
forced ways, so does a count for each pair (choice at the leaf, choice at the spine).  A flow then adds to one number in
a table that fits the L1 cache, and the table is spread over the links once for a block of flows.  All other flows
(irregular fabrics, more tiers with a choice, pairs of leaves with few flows) collect in a list and walk hop by hop.

Several sets of seeds walk at once: they share the searches, the blocks and the keys.

What flows amount to is counted as whole numbers where all of them are alike, so that no sum is rounded (float64 holds
them up to 2**53; more flows would take years).
"""

import numpy as np

from fabric._kernels.arrays import (
    BoolVector,
    FloatMatrix,
    FloatVector,
    FlowArrays,
    HashRoom,
    Int32Matrix,
    Int32Vector,
    Int64Matrix,
    Int64Vector,
    LayerArrays,
    MemberClassArrays,
    NextHops,
    UInt64Matrix,
    UInt64Vector,
)
from fabric._kernels.compile import borrowing_kernel, inline_step
from fabric._kernels.endpoints import exchange, note_pair
from fabric._kernels.next_hops import carry_forced, find_hops, find_slot_fractions

# A table of more than so many numbers for each flow is not used: measured, walking by the list is faster then.
_WORTH = 8
# Loops over fewer second choices than this are not worth vector instructions.
_FEW = 8


@borrowing_kernel
def mix(value: np.uint64) -> np.uint64:
    """Finalizer of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@borrowing_kernel
def hashed_all_to_all(
    layer: LayerArrays,
    classes: MemberClassArrays,
    counted: bool,
    most: int,
    usual: float,
    endpoint_slot: Int64Vector,
    seed: UInt64Matrix,
    port_key: UInt64Matrix,
    destinations: Int32Vector,
    hops: NextHops,
    room: HashRoom,
    isl: FloatMatrix,
    slot_down: FloatMatrix,
    class_up: FloatMatrix,
    class_down: FloatMatrix,
    own: FloatVector,
    unreachable: Int32Matrix,
) -> None:
    """Load the links with an all-to-all between domains, one hashed path per flow, queue pair and port of the source.

    The R rows are those of R sets of seeds.  Amounts are in units: a pair's ``send * receive`` times the part that goes
    by a port over `usual`, and on ISLs times the queue pairs.  Pairs ``i == i`` are counted where labels do not leave
    them out (they stay on their own switch); the caller takes them off the endpoints' cables.

    Parameters
    ----------
    counted : bool
        All weights are 1.
    most : int
        Largest number that the tables of counts hold.
    usual : float
        Part of a pair's bytes that usually goes by a port.
    endpoint_slot : (N + 1,) int64
        Where each endpoint's slots begin in `slot_down`.
    seed : (R, S) uint64
        Hash seed of each switch.
    port_key : (n_queue_pairs, W) uint64
        What a queue pair and a port of the source add to the hash.
    destinations : (n,) int32
        Destination classes to walk, twins one after the other.
    hops, room
        Written over.
    isl : (R, T) float64
        Accumulated.
    slot_down : (R, n_endpoint_slots) float64
        Accumulated: what each endpoint receives by slot, of flows whose slot hashes decide, times the queue pairs;
        without columns if no class has two slots on switches that are joined.
    class_up, class_down : (C, W) float64
        Accumulated: what a member of a class sends per send weight, and receives per receive weight, by slot; the
        latter of flows whose slot no hash decides.
    own : (A,) float64
        How a class splits bytes to its own class; written for the classes walked.
    unreachable : (K + 1, 2) int32
        A source and a destination endpoint with bytes and no way between them; written for the classes walked.
    """
    member_start, attachment = classes.class_member_start, classes.attachment
    fraction = room.fraction
    last = -1
    for destination in destinations:
        first_run, stop_run = classes.attachment_run_start[destination], classes.attachment_run_start[destination + 1]
        find_hops(layer, destination, last, hops)
        last = destination
        find_slot_fractions(layer, hops, fraction)
        for slot in range(fraction.shape[0]):
            fraction[slot] /= usual
        for slot in range(layer.slot_start[destination], layer.slot_start[destination + 1]):
            own[slot] = fraction[slot]
        n_listed = 0
        for run in range(first_run, stop_run):
            group = classes.run_group[run]
            stop_class = classes.group_class_start[group + 1]
            for to in range(classes.run_class_start[run], classes.run_class_stop[run]):
                other = classes.group_class_start[group]
                while other < stop_class:
                    # The member classes of one attachment class follow one another.
                    source = attachment[other]
                    n_sources = 0
                    sent = 0.0
                    while other < stop_class and attachment[other] == source:
                        if exchange(classes, other, to, True):
                            reached = _note_ends(layer, hops, classes, other, to, fraction, class_up, class_down)
                            if not reached:
                                note_pair(classes, run, other, True, unreachable[destination])
                            sent += classes.class_send[other]
                            for i in range(member_start[other], member_start[other + 1]):
                                room.source[n_sources] = np.uint64(classes.member_endpoint[i]) << np.uint64(32)
                                room.send[n_sources] = classes.member_send[i]
                                n_sources += 1
                        other += 1
                    if n_sources > 0:
                        n_listed = _walk_classes(
                            layer, classes, hops, counted, most, source, n_sources, sent, to, endpoint_slot, seed,
                            port_key, room, n_listed, slot_down,
                        )  # fmt: skip
        _walk_list(hops, n_listed, seed, port_key, room, slot_down)
        _finish(hops, room, isl)


@inline_step
def _note_ends(
    layer: LayerArrays,
    hops: NextHops,
    classes: MemberClassArrays,
    source: int,
    to: int,
    fraction: FloatVector,
    class_up: FloatMatrix,
    class_down: FloatMatrix,
) -> bool:
    """What one member class puts on its own slots and, where all its ways end alike, on those of another.

    Returns whether it has a way.
    """
    first = layer.slot_start[classes.attachment[source]]
    reached = False
    for slot in range(first, layer.slot_start[classes.attachment[source] + 1]):
        if fraction[slot] > 0.0:
            reached = True
            class_up[source, slot - first] += classes.class_receive[to] * fraction[slot]
            end = hops.end_slot[layer.slot_switch[slot]]
            if end >= 0:
                class_down[to, end] += classes.class_send[source] * fraction[slot]
    return reached


@inline_step
def _walk_classes(
    layer: LayerArrays,
    classes: MemberClassArrays,
    hops: NextHops,
    counted: bool,
    most: int,
    source: int,
    n_sources: int,
    sent: float,
    to: int,
    endpoint_slot: Int64Vector,
    seed: UInt64Matrix,
    port_key: UInt64Matrix,
    room: HashRoom,
    n_listed: int,
    slot_down: FloatMatrix,
) -> int:
    """Hash all flows from the sources in `room`, of one attachment class, to a member class.

    Returns how many flows are on the list.

    Parameters
    ----------
    sent : float
        Send weights of the sources.
    """
    first, stop = classes.class_member_start[to], classes.class_member_start[to + 1]
    first_slot = layer.slot_start[source]
    n_slots = layer.slot_start[source + 1] - first_slot
    n_tables, n_weighed = 0, 0
    for k in range(n_slots):
        room.fan[k] = 0
        unit = room.fraction[first_slot + k]
        if unit > 0.0:
            switch = layer.slot_switch[first_slot + k]
            fan = hops.fan[switch] if hops.end_slot[switch] >= 0 else 0
            size = fan * (hops.stop[switch] - hops.start[switch])
            if hops.choices[switch] == 0:
                room.bulk[switch] += sent * classes.class_receive[to] * unit * port_key.shape[0]
            elif 0 < size <= min(room.counts.shape[0], _WORTH * n_sources * (stop - first) * port_key.shape[0]):
                room.fan[k] = fan
                n_tables += 1
                n_weighed += 0 if counted and unit == 1.0 else 1
            else:
                n_listed = _list_pairs(
                    hops, classes, n_sources, to, switch, k, unit, endpoint_slot, seed, port_key, room, n_listed,
                    slot_down,
                )  # fmt: skip
    size = room.key.shape[0]
    rows = max(1, size // (stop - first))
    for i in range(0, n_sources if n_tables > 0 else 0, rows):
        for j in range(first, stop, size):
            i_stop, j_stop = min(i + rows, n_sources), min(j + size, stop)
            n = (i_stop - i) * (j_stop - j)
            _pair_keys(room.source, i, i_stop, classes.member_endpoint, j, j_stop, room.key)
            if n_weighed > 0:
                _pair_weights(room.send, i, i_stop, classes.member_receive, j, j_stop, room.weight)
            for k in range(n_slots):
                if room.fan[k] > 0:
                    switch, unit = layer.slot_switch[first_slot + k], room.fraction[first_slot + k]
                    _walk_block(hops, switch, room.fan[k], n, counted, most, unit, k, seed, port_key, room)
    return n_listed


@borrowing_kernel
def _pair_keys(
    source: UInt64Vector,
    first_source: int,
    stop_source: int,
    endpoint: Int32Vector,
    first: int,
    stop: int,
    key: UInt64Vector,
) -> None:
    """Mix the ends of all pairs of some sources, which stand in the upper half, and some destinations."""
    n_columns, start = stop - first, np.uint64(first)
    for i in range(first_source, stop_source):
        place = np.uint64((i - first_source) * n_columns)
        for j in range(n_columns):
            key[place + np.uint64(j)] = source[i] | np.uint64(endpoint[start + np.uint64(j)])
    for i in range((stop_source - first_source) * n_columns):
        key[i] = mix(key[i])


@borrowing_kernel
def _pair_weights(
    send: FloatVector,
    first_source: int,
    stop_source: int,
    receive: FloatVector,
    first: int,
    stop: int,
    weight: FloatVector,
) -> None:
    """Weights of the same pairs."""
    n_columns, start = stop - first, np.uint64(first)
    for i in range(first_source, stop_source):
        place = np.uint64((i - first_source) * n_columns)
        for j in range(n_columns):
            weight[place + np.uint64(j)] = send[i] * receive[start + np.uint64(j)]


@inline_step
def _walk_block(
    hops: NextHops,
    switch: int,
    fan: int,
    n: int,
    counted: bool,
    most: int,
    unit: float,
    k: int,
    seed: UInt64Matrix,
    port_key: UInt64Matrix,
    room: HashRoom,
) -> None:
    """Hash `n` flows that leave one switch, for every seed and queue pair, and add them to what next hops carry.

    Parameters
    ----------
    fan : int
        That of the switch, > 0.
    k : int
        Slot of the sources.
    """
    first = hops.start[switch]
    n_choices = hops.stop[switch] - first
    room.chosen[switch] = True
    for choice in range(n_choices if fan > 1 else 0):
        room.chosen[hops.head[first + choice]] = True
    for row in range(seed.shape[0]):
        in_table = 0
        for queue_pair in range(port_key.shape[0]):
            port = port_key[queue_pair, k]
            _choose(room.key, n, port ^ seed[row, switch], n_choices, room.choice)
            if fan > 1:
                for choice in range(n_choices):
                    room.head_salt[choice] = port ^ seed[row, hops.head[first + choice]]
                _look_up(room.choice, n, room.head_salt, room.salt)
                _choose_again(room.key, n, room.salt, fan, room.choice)
            if counted and unit == 1.0:
                _count(room.choice, n, room.counts)
                in_table += n
                if in_table > most - n or queue_pair + 1 == port_key.shape[0]:
                    _spread_counts(hops.start, hops.head, first, n_choices, fan, room.counts, room.counted, row)
                    in_table = 0
            else:
                _weigh(room.choice, n, room.weight, room.sums)
        if not (counted and unit == 1.0):
            _spread_sums(hops.start, hops.head, first, n_choices, fan, unit, room.sums, room.carried, row)


@borrowing_kernel
def _choose(key: UInt64Vector, n: int, salt: np.uint64, n_choices: int, choice: UInt64Vector) -> None:
    """The choice of each flow at one switch; `salt` is the rest of the flow's key and the switch's seed."""
    c = np.uint64(n_choices)
    for i in range(n):
        choice[i] = ((mix(key[i] ^ salt) >> np.uint64(32)) * c) >> np.uint64(32)


@borrowing_kernel
def _look_up(choice: UInt64Vector, n: int, head_salt: UInt64Vector, salt: UInt64Vector) -> None:
    """The salt of the switch that each flow has reached."""
    for i in range(n):
        salt[i] = head_salt[choice[i]]


@borrowing_kernel
def _choose_again(key: UInt64Vector, n: int, salt: UInt64Vector, n_choices: int, choice: UInt64Vector) -> None:
    """The joint choice ``first * c + second`` of each flow at two switches, the second of which has c choices."""
    c = np.uint64(n_choices)
    for i in range(n):
        # First and drawn number in one: their product with c is the sum of both.
        choice[i] = (((choice[i] << np.uint64(32)) | (mix(key[i] ^ salt[i]) >> np.uint64(32))) * c) >> np.uint64(32)


@borrowing_kernel
def _count(choice: UInt64Vector, n: int, counts: Int32Vector) -> None:
    """Count the flows of each joint choice."""
    for i in range(n):
        counts[choice[i]] += 1


@borrowing_kernel
def _weigh(choice: UInt64Vector, n: int, weight: FloatVector, sums: FloatVector) -> None:
    """Sum the weights of each joint choice."""
    for i in range(n):
        sums[choice[i]] += weight[i]


@borrowing_kernel
def _spread_counts(
    start: Int32Vector,
    head: Int32Vector,
    first: int,
    n: int,
    fan: int,
    table: Int32Vector,
    counted: Int64Matrix,
    row: int,
) -> None:
    """Add a table of joint choices to the flows that each next hop carries; empties it.

    Parameters
    ----------
    start, head
        Of `NextHops`.
    first, n : int
        Place of the first next hop of the leaf, and how many there are.
    table : (n * fan,) int32
        Longer ones are not read beyond.
    counted : (R, T) int64
        Row `row` is added to.
    """
    place = np.uint64(first)
    if 1 < fan < _FEW:
        for second in range(fan):
            for choice in range(n):
                flows = table[np.uint64(choice) * np.uint64(fan) + np.uint64(second)]
                after = np.uint64(start[np.uint64(head[place + np.uint64(choice)])])
                counted[row, place + np.uint64(choice)] += flows
                counted[row, after + np.uint64(second)] += flows
    else:
        for choice in range(n):
            in_table = np.uint64(choice * fan)
            total = 0
            for second in range(fan):
                total += table[in_table + np.uint64(second)]
            counted[row, place + np.uint64(choice)] += total
        for choice in range(n if fan > 1 else 0):
            in_table = np.uint64(choice * fan)
            after = np.uint64(start[head[place + np.uint64(choice)]])
            for second in range(fan):
                counted[row, after + np.uint64(second)] += table[in_table + np.uint64(second)]
    for joint in range(n * fan):
        table[joint] = 0


@borrowing_kernel
def _spread_sums(
    start: Int32Vector,
    head: Int32Vector,
    first: int,
    n: int,
    fan: int,
    unit: float,
    table: FloatVector,
    carried: FloatMatrix,
    row: int,
) -> None:
    """The same for weights, `unit` times each."""
    for choice in range(n):
        total = 0.0
        for second in range(fan):
            weight = table[choice * fan + second] * unit
            table[choice * fan + second] = 0.0
            total += weight
            if fan > 1:
                carried[row, start[head[first + choice]] + second] += weight
        carried[row, first + choice] += total


@inline_step
def _list_pairs(
    hops: NextHops,
    classes: MemberClassArrays,
    n_sources: int,
    to: int,
    switch: int,
    k: int,
    unit: float,
    endpoint_slot: Int64Vector,
    seed: UInt64Matrix,
    port_key: UInt64Matrix,
    room: HashRoom,
    n_listed: int,
    slot_down: FloatMatrix,
) -> int:
    """Put the flows from one switch on the list, which is walked when it is full; returns how many are on it."""
    for i in range(n_sources):
        for j in range(classes.class_member_start[to], classes.class_member_start[to + 1]):
            weight = room.send[i] * classes.member_receive[j] * unit
            if weight > 0.0:
                dst = classes.member_endpoint[j]
                key = room.source[i] | np.uint64(dst)
                n_listed = _list_flow(hops, key, switch, k, weight, endpoint_slot[dst], room, n_listed)
                if n_listed == room.listed_key.shape[0]:
                    _walk_list(hops, n_listed, seed, port_key, room, slot_down)
                    n_listed = 0
    return n_listed


@inline_step
def _list_flow(
    hops: NextHops, key: np.uint64, switch: int, k: int, weight: float, end: int, room: HashRoom, n_listed: int
) -> int:
    """Put one flow on the list, which has room for it; returns how many are on it."""
    place = np.uint64(n_listed)
    room.listed_key[place] = key
    room.listed_switch[place] = switch
    room.listed_port[place] = k
    room.listed_weight[place] = weight
    room.listed_end[place] = end if hops.end_slot[switch] < 0 else -1
    return n_listed + 1


@borrowing_kernel
def _walk_list(
    hops: NextHops, n_listed: int, seed: UInt64Matrix, port_key: UInt64Matrix, room: HashRoom, slot_down: FloatMatrix
) -> None:
    """Walk the flows on the list, for every seed and queue pair, each until its way is forced."""
    for i in range(n_listed):
        room.listed_key[i] = mix(room.listed_key[i])
    for row in range(seed.shape[0]):
        for queue_pair in range(port_key.shape[0]):
            _start(
                room.listed_key, room.listed_switch, room.listed_port, n_listed, hops.start, hops.stop, seed, row,
                port_key, queue_pair, room.flow, room.key, room.salt, room.range, room.chosen,
            )  # fmt: skip
            n = n_listed
            while n > 0:
                _choose_each(room.key, n, room.salt, room.range, room.choice)
                n = _arrive(
                    room.choice, n, hops.head, hops.choices, hops.start, hops.stop, seed, row, room.flow, room.key,
                    room.salt, room.range, room.listed_weight, room.carried, room.chosen, room.listed_end,
                    hops.end_slot, slot_down,
                )  # fmt: skip


@borrowing_kernel
def _start(
    listed_key: UInt64Vector,
    listed_switch: Int32Vector,
    listed_port: Int32Vector,
    n: int,
    start: Int32Vector,
    stop: Int32Vector,
    seed: UInt64Matrix,
    row: int,
    port_key: UInt64Matrix,
    queue_pair: int,
    flow: Int64Vector,
    key: UInt64Vector,
    salt: UInt64Vector,
    choices: UInt64Vector,
    chosen: BoolVector,
) -> None:
    """Let `n` flows begin, each at a switch of its own; arguments are columns of `HashRoom` and `NextHops`."""
    for i in range(n):
        flow[i] = i
        key[i] = listed_key[i] ^ port_key[queue_pair, np.uint32(listed_port[i])]
    for i in range(n):
        switch = np.uint32(listed_switch[i])
        chosen[switch] = True
        salt[i] = seed[row, switch]
        choices[i] = (np.uint64(start[switch]) << np.uint64(32)) | np.uint64(stop[switch] - start[switch])


@borrowing_kernel
def _choose_each(key: UInt64Vector, n: int, salt: UInt64Vector, choices: UInt64Vector, hop: UInt64Vector) -> None:
    """The next hop of each flow, each at a switch of its own."""
    for i in range(n):
        drawn = mix(key[i] ^ salt[i]) >> np.uint64(32)
        hop[i] = (choices[i] >> np.uint64(32)) + ((drawn * (choices[i] & np.uint64(0xFFFFFFFF))) >> np.uint64(32))


@borrowing_kernel
def _arrive(
    hop: UInt64Vector,
    n: int,
    head: Int32Vector,
    n_choices: Int32Vector,
    start: Int32Vector,
    stop: Int32Vector,
    seed: UInt64Matrix,
    row: int,
    flow: Int64Vector,
    key: UInt64Vector,
    salt: UInt64Vector,
    choices: UInt64Vector,
    weight: FloatVector,
    carried: FloatMatrix,
    chosen: BoolVector,
    end: Int64Vector,
    end_slot: Int32Vector,
    slot_down: FloatMatrix,
) -> int:
    """Add flows to what their next hop carries; returns how many have a choice to make there, moved to the front."""
    left = np.uint64(0)
    for i in range(n):
        own = np.uint64(flow[i])
        carried[row, hop[i]] += weight[own]
        switch = np.uint32(head[hop[i]])
        if n_choices[switch] != 0:
            chosen[switch] = True
            flow[left] = flow[i]
            key[left] = key[i]
            salt[left] = seed[row, switch]
            choices[left] = (np.uint64(start[switch]) << np.uint64(32)) | np.uint64(stop[switch] - start[switch])
            left += np.uint64(1)
        elif end[own] >= 0:
            slot_down[row, end[own] + end_slot[switch]] += weight[own]
    return int(np.int64(left))


@borrowing_kernel
def _finish(hops: NextHops, room: HashRoom, isl: FloatMatrix) -> None:
    """Bring what next hops carry, and what waits where ways are forced, to the links.  O(S + hops that carry any)."""
    start, stop, link, head, choices = hops.start, hops.stop, hops.link, hops.head, hops.choices
    waiting, chosen = room.waiting, room.chosen
    for row in range(isl.shape[0]):
        for switch in range(waiting.shape[0]):
            waiting[switch] = room.bulk[switch]
        # By their places in the list of next hops, whatever carries anything.
        for position in range(hops.sizes[0]):
            here = np.uint32(hops.queue[position])
            if not chosen[here]:
                continue
            for hop in range(start[here], stop[here]):
                place = np.uint64(hop)
                carried = room.carried[row, place] + room.counted[row, place]
                room.carried[row, place] = 0.0
                room.counted[row, place] = 0
                isl[row, np.uint32(link[place])] += carried
                to = np.uint32(head[place])
                if choices[to] == 0:
                    waiting[to] += carried
        carry_forced(hops, waiting, isl, row)
    chosen[:] = False
    room.bulk[:] = 0.0


@borrowing_kernel
def hashed_flows(
    layer: LayerArrays,
    flows: FlowArrays,
    endpoint_class: Int32Vector,
    endpoint_slot: Int64Vector,
    seed: UInt64Matrix,
    port_key: UInt64Matrix,
    destinations: Int32Vector,
    hops: NextHops,
    room: HashRoom,
    isl: FloatMatrix,
    slot_down: FloatMatrix,
    slot_up: FloatVector,
    slot_end: FloatVector,
    unreachable: Int32Matrix,
) -> None:
    """Load the links with explicit flows, one hashed path per flow, queue pair and port.

    Parameters
    ----------
    endpoint_class : (N,) int32
    seed, port_key, destinations, hops, room, isl, slot_down, unreachable
        As for `hashed_all_to_all`; amounts are bytes, times the queue pairs on ISLs and in `slot_down`.
    slot_up, slot_end : (n_endpoint_slots,) float64
        Accumulated: bytes from and to each endpoint by slot, the latter of flows whose slot no hash decides.
    """
    fraction = room.fraction
    last = -1
    for destination in destinations:
        first_flow, stop_flow = flows.class_flow_start[destination], flows.class_flow_start[destination + 1]
        find_hops(layer, destination, last, hops)
        last = destination
        find_slot_fractions(layer, hops, fraction)
        n_listed = 0
        for flow in range(first_flow, stop_flow):
            src, dst = flows.src[flow], flows.dst[flow]
            key = (np.uint64(src) << np.uint64(32)) | np.uint64(dst)
            first = layer.slot_start[endpoint_class[src]]
            reached = False
            for slot in range(first, layer.slot_start[endpoint_class[src] + 1]):
                weight = flows.bytes[flow] * fraction[slot]
                if fraction[slot] > 0.0:
                    reached = True
                    switch = layer.slot_switch[slot]
                    slot_up[endpoint_slot[src] + slot - first] += weight
                    if hops.end_slot[switch] >= 0:
                        slot_end[endpoint_slot[dst] + hops.end_slot[switch]] += weight
                    if hops.choices[switch] == 0:
                        room.bulk[switch] += weight * port_key.shape[0]
                    else:
                        n_listed = _list_flow(
                            hops, key, switch, slot - first, weight, endpoint_slot[dst], room, n_listed
                        )
                        if n_listed == room.listed_key.shape[0]:
                            _walk_list(hops, n_listed, seed, port_key, room, slot_down)
                            n_listed = 0
            if not reached and flows.bytes[flow] > 0.0:
                unreachable[destination, 0] = src
                unreachable[destination, 1] = dst
        _walk_list(hops, n_listed, seed, port_key, room, slot_down)
        _finish(hops, room, isl)
