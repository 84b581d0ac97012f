"""Adaptive routing when one cable between switches is gone, from the loads with it.

Towards a destination class a cable matters in one direction at most, the one that is a next hop: from its tail u to its
head v.  Without it C(u) falls, and with it C(w) of every switch w in front of u whose term min(cables w -> u, C(u))
falls; nothing else about the way to that destination changes.  So only these switches split their bytes anew, and only
what leaves them, and passes the switches behind them, is another number of bytes: the loads change by the differences.

A switch that has no next hop left leaves the way, with its distance; where that could matter (endpoints hang on it,
or a switch farther away sends through it), the cable is given back to be computed in full, as it is where an endpoint
would share its ports out anew.
"""

from typing import NamedTuple

import numpy as np

from fabric._kernels.adaptive_dag import empty_dag, find_dag, find_slot_fractions
from fabric._kernels.arrays import (
    BoolVector,
    BundleArrays,
    FloatCube,
    FloatMatrix,
    FloatVector,
    Int32Matrix,
    Int32Vector,
    Int64Vector,
    LayerArrays,
    OutHops,
    TowardsAll,
)
from fabric._kernels.compile import borrowing_kernel, inline_step, kernel


class JobSlots(NamedTuple):
    """Where the job's endpoints hang."""

    used: BoolVector
    """(K + 1,) whether an endpoint of the class is the job's."""
    start: Int64Vector
    """(S + 1,) where the slots on each switch begin, of those classes."""
    slot: Int32Vector
    """(n_slots,) slot."""
    shared: BoolVector
    """(A,) whether its class has other slots."""


class PhaseLoads(NamedTuple):
    """Loads with all cables, of P phases."""

    bytes: FloatMatrix
    """(P, T) bytes on each ISL."""
    repeat: FloatVector
    """(P,) how often the phase is run."""
    seconds: FloatVector
    """(T,) that a byte keeps each ISL busy."""
    order: Int32Matrix
    """(P, T) ISLs by falling load over capacity."""
    other_s: FloatVector
    """(P,) of the busiest of all other links, NICs' and NVLinks."""
    total: FloatVector
    """(T,) seconds of each ISL, all phases and repeats together."""
    total_order: Int32Vector
    """(T,) ISLs by falling `total`, of equal ones the first link first."""
    link: Int32Vector
    """(T,) number of each ISL among the fabric's links."""
    other_total_s: float
    """Seconds of the busiest other link in all."""
    other_link: int
    """The first of those."""


class Without(NamedTuple):
    """What is found of n cables, each gone by itself."""

    time_s: FloatVector
    """(n,) phases one after the other, each as long as its busiest link."""
    link: Int32Vector
    """(n,) link that is busiest in all, by its number among the fabric's."""
    in_full: BoolVector
    """(n,) whether the cable must be computed in full instead."""


class Scratch(NamedTuple):
    """What one thread works on; all zero between two destinations, but for `delta` and `touched`."""

    capacity: FloatVector
    """(S,) C without the cable, of changed switches."""
    alone: FloatVector
    """(S,) the same towards one endpoint."""
    changed: BoolVector
    """(S,) whether a switch splits its bytes anew."""
    queue: Int32Vector
    """(S,) the changed switches by rising distance."""
    moved: FloatMatrix
    """(P, S) change of the bytes that pass a switch."""
    first: Int32Vector
    """(S + 1,) of each distance the first switch of a list, less 1 than the number that stands here; 0: none."""
    following: Int32Vector
    """(S,) of each switch the next one of its list, likewise."""
    listed: BoolVector
    """(S,) whether a switch is in its list."""
    delta: FloatMatrix
    """(P, T) change of the bytes on each ISL."""
    touched: Int32Vector
    """(T,) ISLs whose bytes change."""
    stamp: Int32Vector
    """(T,) number of the cable, from 1, for which an ISL was touched last."""
    longest: FloatVector
    """(P,) seconds of the busiest link of each phase."""


@kernel
def empty_scratch(n_phases: int, n_switches: int, n_isls: int) -> Scratch:
    """Room for one thread."""
    return Scratch(
        np.zeros(n_switches),
        np.zeros(n_switches),
        np.zeros(n_switches, np.bool_),
        np.zeros(n_switches, np.int32),
        np.zeros((n_phases, n_switches)),
        np.zeros(n_switches + 1, np.int32),
        np.zeros(n_switches, np.int32),
        np.zeros(n_switches, np.bool_),
        np.zeros((n_phases, n_isls)),
        np.zeros(n_isls, np.int32),
        np.zeros(n_isls, np.int32),
        np.zeros(n_phases),
    )


@kernel
def go_towards(
    layer: LayerArrays,
    bundles: BundleArrays,
    out: OutHops,
    pair_bytes: FloatCube,
    chunk_number: int,
    n_chunks: int,
    towards: TowardsAll,
    mixed: BoolVector,
) -> None:
    """Find the ways to every ``n_chunks``-th destination class, and the bytes of each phase that pass each switch.

    Parameters
    ----------
    pair_bytes : (P, K + 1, K + 1) float64
        By destination class, then source class.
    towards : TowardsAll
        Written for the classes swept; `waiting` is zero at first.
    mixed : (K + 1,) bool
        Written for the classes swept: whether a switch sends to several slots of it, so that what comes in by which
        slot depends on the way.
    """
    n_switches, n_classes = layer.in_start.shape[0] - 1, layer.slot_start.shape[0] - 1
    n_phases = pair_bytes.shape[0]
    dag = empty_dag(n_switches)
    fraction = np.empty(layer.slot_switch.shape[0])
    end = np.empty(n_switches, np.int32)
    for destination in range(chunk_number, n_classes, n_chunks):
        first, stop = layer.slot_start[destination], layer.slot_start[destination + 1]
        if first == stop:
            continue
        n_reached = find_dag(layer, bundles, destination, dag)
        find_slot_fractions(layer, dag, fraction)
        towards.distance[destination] = dag.distance
        towards.capacity[destination] = dag.capacity
        towards.alone[destination] = dag.alone
        end[:] = -1
        for slot in range(first, stop):
            end[layer.slot_switch[slot]] = slot - first
        mixed[destination] = False
        for position in range(n_reached):
            switch = dag.queue[position]
            for entry in range(out.start[switch], out.start[switch + 1]):
                head = out.head[entry]
                if dag.distance[switch] == 0 or dag.distance[head] != dag.distance[switch] - 1:
                    continue
                if towards.stop[destination, switch] == 0:
                    towards.first[destination, switch] = entry
                towards.stop[destination, switch] = entry + 1
                if end[switch] == -1:
                    end[switch] = end[head]
                elif end[switch] != end[head]:
                    mixed[destination] = True
        for phase in range(n_phases):
            waiting = towards.waiting[phase, destination]
            for source in range(n_classes):
                amount = pair_bytes[phase, destination, source]
                if amount > 0.0:
                    for slot in range(layer.slot_start[source], layer.slot_start[source + 1]):
                        waiting[layer.slot_switch[slot]] += amount * fraction[slot]
            for position in range(n_reached - 1, -1, -1):
                switch = dag.queue[position]
                if waiting[switch] > 0.0:
                    by_capacity = waiting[switch] / dag.capacity[switch]
                    entry, last = towards.first[destination, switch], towards.stop[destination, switch]
                    while entry < last:
                        head, together = out.head[entry], 0.0
                        while entry < last and out.head[entry] == head:
                            together += out.gbps[entry]
                            entry += 1
                        if dag.distance[head] == dag.distance[switch] - 1:
                            waiting[head] += by_capacity * min(together, dag.capacity[head])


@borrowing_kernel
def _find_changed(
    layer: LayerArrays,
    out: OutHops,
    towards: TowardsAll,
    job: JobSlots,
    destination: int,
    tail: int,
    gone: int,
    scratch: Scratch,
) -> int:
    """The switches that split anew without an ISL out of `tail`; returns how many, or -1: compute in full."""
    distance, capacity, alone = (
        towards.distance[destination],
        towards.capacity[destination],
        towards.alone[destination],
    )
    scratch.queue[0] = tail
    scratch.changed[tail] = True
    n_queued = 1
    position = 0
    in_full = False
    while position < n_queued:
        switch = scratch.queue[position]
        position += 1
        left, left_alone = 0.0, 0.0
        entry, last = towards.first[destination, switch], towards.stop[destination, switch]
        while entry < last:
            head = out.head[entry]
            together = 0.0
            while entry < last and out.head[entry] == head:
                if out.link[entry] != gone:
                    together += out.gbps[entry]
                entry += 1
            if distance[head] == distance[switch] - 1:
                onward = scratch.capacity[head] if scratch.changed[head] else capacity[head]
                onward_alone = scratch.alone[head] if scratch.changed[head] else alone[head]
                left += min(together, onward)
                left_alone += min(together, onward_alone)
        scratch.capacity[switch] = left
        scratch.alone[switch] = left_alone
        for place in range(job.start[switch], job.start[switch + 1]):
            slot = job.slot[place]
            up = layer.slot_up_gbps[slot]
            if left == 0.0 or (job.shared[slot] and min(up, left_alone) != min(up, alone[switch])):
                in_full = True
        entry, last = layer.in_start[switch], layer.in_start[switch + 1]
        while entry < last:
            before = layer.in_tail[entry]
            together = 0.0
            while entry < last and layer.in_tail[entry] == before:
                together += layer.in_gbps[entry]
                entry += 1
            if distance[before] == distance[switch] + 1:
                same = min(together, left) == min(together, capacity[switch])
                same_alone = min(together, left_alone) == min(together, alone[switch])
                if not (same and same_alone) and not scratch.changed[before]:
                    scratch.changed[before] = True
                    scratch.queue[n_queued] = before
                    n_queued += 1
            elif left == 0.0 and distance[before] > distance[switch] + 1:
                # At its new distance the switch may become a next hop of one that is farther away.
                for phase in range(towards.waiting.shape[0]):
                    if towards.waiting[phase, destination, before] > 0.0:
                        in_full = True
    return -n_queued if in_full else n_queued


@inline_step
def _put_in_list(switch: int, level: int, scratch: Scratch) -> None:
    if not scratch.listed[switch]:
        scratch.listed[switch] = True
        scratch.following[switch] = scratch.first[level]
        scratch.first[level] = switch + 1


@borrowing_kernel
def _move_bytes(
    out: OutHops,
    towards: TowardsAll,
    destination: int,
    gone: int,
    n_changed: int,
    number: int,
    n_touched: int,
    scratch: Scratch,
) -> int:
    """Change the bytes on the ISLs behind the changed switches; returns the number of ISLs touched in all."""
    distance, capacity = towards.distance[destination], towards.capacity[destination]
    n_phases = towards.waiting.shape[0]
    farthest = 0
    for place in range(n_changed):
        switch = scratch.queue[place]
        farthest = max(farthest, distance[switch])
        _put_in_list(switch, distance[switch], scratch)
    for level in range(farthest, -1, -1):
        waiting_switch = scratch.first[level]
        scratch.first[level] = 0
        while waiting_switch > 0:
            switch = waiting_switch - 1
            waiting_switch = scratch.following[switch]
            scratch.following[switch] = 0
            scratch.listed[switch] = False
            if level == 0:
                for phase in range(n_phases):
                    scratch.moved[phase, switch] = 0.0
                continue
            old = capacity[switch]
            new = scratch.capacity[switch] if scratch.changed[switch] else old
            entry, last = towards.first[destination, switch], towards.stop[destination, switch]
            while entry < last:
                head = out.head[entry]
                begin = entry
                together, left = 0.0, 0.0
                while entry < last and out.head[entry] == head:
                    together += out.gbps[entry]
                    if out.link[entry] != gone:
                        left += out.gbps[entry]
                    entry += 1
                if distance[head] != level - 1:
                    continue
                onward = scratch.capacity[head] if scratch.changed[head] else capacity[head]
                old_part = min(together, capacity[head]) / old
                new_part = min(left, onward) / new if new > 0.0 else 0.0
                for phase in range(n_phases):
                    passed = towards.waiting[phase, destination, switch]
                    now = passed + scratch.moved[phase, switch]
                    if passed == 0.0 and now == 0.0:
                        continue
                    sent, sends = passed * old_part, now * new_part
                    scratch.moved[phase, head] += sends - sent
                    _put_in_list(head, level - 1, scratch)
                    for place in range(begin, entry):
                        link = out.link[place]
                        if scratch.stamp[link] != number:
                            scratch.stamp[link] = number
                            scratch.touched[n_touched] = link
                            n_touched += 1
                            for one in range(n_phases):
                                scratch.delta[one, link] = 0.0
                        part = 0.0 if link == gone else out.gbps[place] / left
                        scratch.delta[phase, link] += sends * part - sent * (out.gbps[place] / together)
            for phase in range(n_phases):
                scratch.moved[phase, switch] = 0.0
    return n_touched


@borrowing_kernel
def _forget(n_changed: int, scratch: Scratch) -> None:
    for place in range(n_changed):
        scratch.changed[scratch.queue[place]] = False


@borrowing_kernel
def lose_cables(
    layer: LayerArrays,
    out: OutHops,
    towards: TowardsAll,
    job: JobSlots,
    loads: PhaseLoads,
    ends: Int32Matrix,
    cables: Int32Matrix,
    chunk_number: int,
    n_chunks: int,
    scratch: Scratch,
    found: Without,
    highest: FloatVector,
    by: Int32Vector,
) -> None:
    """Take every ``n_chunks``-th cable out by itself.

    Parameters
    ----------
    ends : (T, 2) int32
        Switch that each ISL leaves, and reaches.
    cables : (n, 2) int32
        The two ISLs of each cable.
    scratch : Scratch
        What it holds last is of the last cable.
    found : Without
        Written for the cables of the chunk.
    highest : (T,) float64
        Seconds of each ISL in all, under the cable that loads it most; raised in place.
    by : (T,) int32
        Number of that cable, the first of several; written where `highest` is raised.
    """
    n_classes, n_phases = layer.slot_start.shape[0] - 1, loads.bytes.shape[0]
    n_isls = loads.seconds.shape[0]
    for number in range(chunk_number, cables.shape[0], n_chunks):
        n_touched = 0
        in_full = False
        for side in range(2):
            link = cables[number, side]
            scratch.stamp[link] = number + 1
            scratch.touched[n_touched] = link
            n_touched += 1
            for phase in range(n_phases):
                scratch.delta[phase, link] = -loads.bytes[phase, link]
        for destination in range(n_classes):
            if not job.used[destination]:
                continue
            distance = towards.distance[destination]
            for side in range(2):
                gone = cables[number, side]
                tail, head = ends[gone, 0], ends[gone, 1]
                if distance[head] < 0 or distance[tail] != distance[head] + 1:
                    continue
                n_changed = _find_changed(layer, out, towards, job, destination, tail, gone, scratch)
                if n_changed < 0:
                    in_full = True
                    n_changed = -n_changed
                elif not in_full:
                    n_touched = _move_bytes(
                        out, towards, destination, gone, n_changed, number + 1, n_touched, scratch
                    )  # fmt: skip
                _forget(n_changed, scratch)
            if in_full:
                break
        found.in_full[number] = in_full
        if in_full:
            continue
        for side in range(2):
            for phase in range(n_phases):
                scratch.delta[phase, cables[number, side]] = -loads.bytes[phase, cables[number, side]]
        busiest, most = loads.other_link, loads.other_total_s
        for phase in range(n_phases):
            scratch.longest[phase] = loads.other_s[phase]
        for place in range(n_touched):
            link = scratch.touched[place]
            second, total = loads.seconds[link], loads.total[link]
            for phase in range(n_phases):
                change = scratch.delta[phase, link]
                scratch.longest[phase] = max(scratch.longest[phase], (loads.bytes[phase, link] + change) * second)
                total += loads.repeat[phase] * change * second
            if total > most or (total == most and loads.link[link] < busiest):
                busiest, most = loads.link[link], total
            if total > highest[link]:
                highest[link] = total
                by[link] = number
        found.time_s[number] = 0.0
        for phase in range(n_phases):
            longest = scratch.longest[phase]
            for place in range(n_isls):
                link = loads.order[phase, place]
                load = loads.bytes[phase, link] * loads.seconds[link]
                if load <= longest:
                    break
                if scratch.stamp[link] != number + 1:
                    longest = load
                    break
            found.time_s[number] += loads.repeat[phase] * longest
        for place in range(n_isls):
            link = loads.total_order[place]
            if loads.total[link] < most:
                break
            if scratch.stamp[link] != number + 1:
                if loads.total[link] > most or loads.link[link] < busiest:
                    busiest, most = loads.link[link], loads.total[link]
                break
        found.link[number] = busiest
