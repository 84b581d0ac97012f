"""The adaptive destination sweep, once for all destinations whose last hops look alike.

A shortest path to a destination ends with a hop from one of its neighbours, the switches with a link to it, and a
switch that is not one of them sees of the destination only how much capacity leads on from each neighbour.  So
destination classes with the same neighbours and the same capacities from there share one DAG, whose ends are these
neighbours: all leaves under the same spines, the leaves of one pod, and of those with a missing or slower cable each
its own.  What all sources send to all of them is carried down the DAG once.  By which end the bytes for one
destination arrive follows from the rows of `fabric._kernels.arrival_rows`, and the last hop is done destination by
destination.  Sources on a switch of the destination send nothing over ISLs.  The numbers are those of
`fabric._kernels.adaptive`, which sweeps each class for itself, but for rounding.  O(B) for each shared DAG, and for
each member class E and its own domain's members.
"""

from typing import NamedTuple

import numpy as np

from fabric._kernels.adaptive_dag import carry_over, clear_dag, empty_dag, find_slot_fractions
from fabric._kernels.arrays import (
    BundleArrays,
    Dag,
    FloatMatrix,
    FloatVector,
    FlowArrays,
    Int32Matrix,
    Int32Vector,
    Int64Matrix,
    Int64Vector,
    LayerArrays,
    MemberClassArrays,
)
from fabric._kernels.arrival_rows import ArrivalRows, add_row, found_rows, grow_with_rows
from fabric._kernels.compile import borrowing_kernel, kernel
from fabric._kernels.endpoints import depart, exchange, note_pair


class LastHops(NamedTuple):
    """The neighbours of every attachment class: switches with a link to one of its own, themselves none of them."""

    start: Int64Vector
    """(K + 2,) where the neighbours of each class begin, by rising number."""
    switch: Int32Vector
    """(H,) neighbour."""
    gbps: FloatVector
    """(H,) capacity that leads on from it to all endpoints of the class together."""
    alone: FloatVector
    """(H,) the same to one of them."""


class SharedClasses(NamedTuple):
    """Destination classes in items; those of an item share a DAG."""

    item_start: Int64Vector
    """(I + 1,) where the classes of each item begin in `attachment`."""
    attachment: Int32Vector
    """(n,) destination class."""


class Partners(NamedTuple):
    """Who of an all-to-all is near to whom, and who is in whose domain or block; C member classes, R runs."""

    item_run_start: Int64Vector
    """(I + 1,) where the runs of each item begin in `item_run`."""
    item_run: Int64Vector
    """Runs whose members are destinations, by group."""
    near_start: Int64Vector
    """(R + 1,) where the runs near to each run begin in `near_run`."""
    near_run: Int64Vector
    """Runs of the same group in classes that have a switch in common with the run's."""
    listed: Int64Matrix
    """(2, C) member classes by group and domain, and by group and block."""
    list_start: Int64Matrix
    """(2, C) where the list of each member class's own domain, or block, begins in `listed`."""
    list_stop: Int64Matrix
    """(2, C) one past its end; empty where it is in none."""
    takers: FloatVector
    """(C,) members that receive anything."""


@kernel
def find_last_hops(
    layer: LayerArrays,
    bundles: BundleArrays,
    start: Int64Vector,
    switch: Int32Vector,
    gbps: FloatVector,
    alone: FloatVector,
) -> int:
    """Fill in the neighbours of every class, as they are found; returns how many they are.

    Parameters
    ----------
    start : (K + 2,) int64
    switch, gbps, alone : (H,)
        Out; room for as many as there are bundles into the slots' switches.
    """
    n_switches, n_classes = layer.in_start.shape[0] - 1, layer.slot_start.shape[0] - 1
    place = np.full(n_switches, -1, np.int64)
    n_hops = 0
    start[0] = 0
    for attachment in range(n_classes):
        first_slot, stop_slot = layer.slot_start[attachment], layer.slot_start[attachment + 1]
        first = n_hops
        for slot in range(first_slot, stop_slot):
            place[layer.slot_switch[slot]] = -2
        for slot in range(first_slot, stop_slot):
            own = np.inf if stop_slot - first_slot == 1 else layer.slot_down_gbps[slot]
            onward = own * layer.class_endpoints[attachment]
            head = layer.slot_switch[slot]
            for bundle in range(bundles.start[head], bundles.start[head + 1]):
                tail = bundles.tail[bundle]
                if place[tail] == -2:
                    continue
                if place[tail] < 0:
                    place[tail] = n_hops
                    switch[n_hops] = tail
                    gbps[n_hops] = 0.0
                    alone[n_hops] = 0.0
                    n_hops += 1
                gbps[place[tail]] += min(bundles.gbps[bundle], onward)
                alone[place[tail]] += min(bundles.gbps[bundle], own)
        for slot in range(first_slot, stop_slot):
            place[layer.slot_switch[slot]] = -1
        for hop in range(first, n_hops):
            place[switch[hop]] = -1
        start[attachment + 1] = n_hops
    return n_hops


class _LastLinks(NamedTuple):
    """The bundles from the ends of a DAG to the switches of one destination class."""

    n: Int64Vector
    """(1,) how many they are."""
    bundle: Int32Vector
    end: Int32Vector
    """End that the bundle leaves."""
    slot: Int32Vector
    """Slot (0, 1, ...) of the destination that it leads to."""
    part: FloatVector
    """Part of the end's bytes that it carries."""


@kernel
def _empty_last_links(layer: LayerArrays, bundles: BundleArrays) -> _LastLinks:
    most = 1
    for attachment in range(layer.slot_start.shape[0] - 1):
        links = 0
        for slot in range(layer.slot_start[attachment], layer.slot_start[attachment + 1]):
            head = layer.slot_switch[slot]
            links += bundles.start[head + 1] - bundles.start[head]
        most = max(most, links)
    return _LastLinks(
        np.zeros(1, np.int64),
        np.empty(most, np.int32),
        np.empty(most, np.int32),
        np.empty(most, np.int32),
        np.empty(most),
    )


@borrowing_kernel
def _find_last_links(
    layer: LayerArrays,
    bundles: BundleArrays,
    hops: LastHops,
    destination: int,
    end_of: Int32Vector,
    links: _LastLinks,
) -> None:
    """Fill in the last hops to class `destination`; `end_of` ((S,) int32): end that a switch is, or -1."""
    first_slot, stop_slot = layer.slot_start[destination], layer.slot_start[destination + 1]
    n_links = 0
    for slot in range(first_slot, stop_slot):
        own = np.inf if stop_slot - first_slot == 1 else layer.slot_down_gbps[slot]
        onward = own * layer.class_endpoints[destination]
        head = layer.slot_switch[slot]
        for bundle in range(bundles.start[head], bundles.start[head + 1]):
            # The other switches with a link to it are the destination's own.
            end = end_of[bundles.tail[bundle]]
            if end >= 0:
                links.bundle[n_links] = bundle
                links.end[n_links] = end
                links.slot[n_links] = slot - first_slot
                links.part[n_links] = min(bundles.gbps[bundle], onward) / hops.gbps[hops.start[destination] + end]
                n_links += 1
    links.n[0] = n_links


@borrowing_kernel
def _start_at_neighbours(hops: LastHops, destination: int, dag: Dag, end_of: Int32Vector) -> int:
    """Put the neighbours of a class into the queue of an empty DAG, as its ends; returns their number."""
    first, stop = hops.start[destination], hops.start[destination + 1]
    for hop in range(first, stop):
        switch = hops.switch[hop]
        dag.distance[switch] = 1
        dag.capacity[switch] = hops.gbps[hop]
        dag.alone[switch] = hops.alone[hop]
        dag.queue[hop - first] = switch
        end_of[switch] = hop - first
    n_ends: int = stop - first
    return n_ends


@borrowing_kernel
def _near_fractions(layer: LayerArrays, source: int, destination: int, part: FloatVector, slot_of: Int32Vector) -> None:
    """How class `source` splits its bytes to a class with which it has switches in common: over these alone.

    Parameters
    ----------
    part : (W,) float64
        Out: part by slot of the source.
    slot_of : (W,) int32
        Out: slot of the destination on the same switch; -1 where there is none.
    """
    first, stop = layer.slot_start[source], layer.slot_start[source + 1]
    first_end, stop_end = layer.slot_start[destination], layer.slot_start[destination + 1]
    total = 0.0
    for slot in range(first, stop):
        part[slot - first] = 0.0
        slot_of[slot - first] = -1
        for end in range(first_end, stop_end):
            if layer.slot_switch[end] == layer.slot_switch[slot]:
                own = np.inf if stop_end - first_end == 1 else layer.slot_down_gbps[end]
                part[slot - first] = min(layer.slot_up_gbps[slot], own)
                slot_of[slot - first] = end - first_end
        total += part[slot - first]
    if total > 0.0:
        for slot in range(first, stop):
            part[slot - first] /= total


class _Sums(NamedTuple):
    """What the members of one group send to and take from the destinations of an item; all zero between two groups."""

    weight: FloatMatrix
    """(3, n_labels) receive weight of the destinations, by kind of label."""
    takers: FloatMatrix
    """(3, n_labels) members that receive anything."""
    near_weight: FloatVector
    """(C,) receive weight of the destinations near to each member class, with which it exchanges bytes."""
    near_count: FloatVector
    """(C,)"""
    arriving: FloatVector
    """(most neighbours,) send weight of all sources by end."""
    to_class: FloatVector
    """(most neighbours,) the same without those near to a destination class."""
    to_member: FloatVector
    """(most neighbours,) the same for one member class: what its members may have of it."""
    last: FloatVector
    """(most neighbours,) bytes by end for all member classes of a run."""


@kernel
def _empty_sums(classes: MemberClassArrays, hops: LastHops) -> _Sums:
    n_member_classes = classes.attachment.shape[0]
    most = 1
    for attachment in range(hops.start.shape[0] - 1):
        most = max(most, hops.start[attachment + 1] - hops.start[attachment])
    return _Sums(
        np.zeros((3, classes.n_labels)),
        np.zeros((3, classes.n_labels)),
        np.zeros(n_member_classes),
        np.zeros(n_member_classes),
        np.zeros(most),
        np.zeros(most),
        np.zeros(most),
        np.zeros(most),
    )


@borrowing_kernel
def _count_destinations(
    classes: MemberClassArrays, partners: Partners, first: int, stop: int, sums: _Sums
) -> tuple[float, float]:
    """Sum up what the destinations of one group take, by label; returns all receive weight and all takers."""
    all_weight = 0.0
    all_count = 0.0
    for position in range(first, stop):
        run = partners.item_run[position]
        for member_class in range(classes.run_class_start[run], classes.run_class_stop[run]):
            all_weight += classes.class_receive[member_class]
            all_count += partners.takers[member_class]
            for kind in range(3):
                label = classes.label[kind, member_class]
                if label > 0:
                    sums.weight[kind, label] += classes.class_receive[member_class]
                    sums.takers[kind, label] += partners.takers[member_class]
    return all_weight, all_count


@borrowing_kernel
def _clear_destinations(classes: MemberClassArrays, partners: Partners, first: int, stop: int, sums: _Sums) -> None:
    for position in range(first, stop):
        run = partners.item_run[position]
        for member_class in range(classes.run_class_start[run], classes.run_class_stop[run]):
            for kind in range(3):
                sums.weight[kind, classes.label[kind, member_class]] = 0.0
                sums.takers[kind, classes.label[kind, member_class]] = 0.0
        for near in range(partners.near_start[run], partners.near_start[run + 1]):
            other = partners.near_run[near]
            for member_class in range(classes.run_class_start[other], classes.run_class_stop[other]):
                sums.near_weight[member_class] = 0.0
                sums.near_count[member_class] = 0.0


@borrowing_kernel
def _exchange_near(
    layer: LayerArrays,
    classes: MemberClassArrays,
    partners: Partners,
    between_domains: bool,
    run: int,
    sums: _Sums,
    class_up: FloatMatrix,
    class_down: FloatMatrix,
    own_fraction: FloatVector,
    part: FloatVector,
    slot_of: Int32Vector,
) -> None:
    """What the members of a run receive from sources on their own switches."""
    destination = classes.attachment[classes.run_class_start[run]]
    for near in range(partners.near_start[run], partners.near_start[run + 1]):
        other = partners.near_run[near]
        source = classes.attachment[classes.run_class_start[other]]
        _near_fractions(layer, source, destination, part, slot_of)
        first, stop = layer.slot_start[source], layer.slot_start[source + 1]
        if source == destination:
            for slot in range(first, stop):
                own_fraction[slot] = part[slot - first]
        for sender in range(classes.run_class_start[other], classes.run_class_stop[other]):
            for taker in range(classes.run_class_start[run], classes.run_class_stop[run]):
                if not exchange(classes, sender, taker, between_domains):
                    continue
                sums.near_weight[sender] += classes.class_receive[taker]
                sums.near_count[sender] += partners.takers[taker]
                for k in range(stop - first):
                    if slot_of[k] >= 0:
                        class_up[sender, k] += classes.class_receive[taker] * part[k]
                        class_down[taker, slot_of[k]] += classes.class_send[sender] * part[k]


@borrowing_kernel
def _note_far_pair(
    classes: MemberClassArrays,
    partners: Partners,
    first: int,
    stop: int,
    source: int,
    between_domains: bool,
    unreachable: Int32Matrix,
) -> None:
    """Note a pair without a way for each destination class that is not near to member class `source`."""
    for position in range(first, stop):
        run = partners.item_run[position]
        is_near = False
        for near in range(partners.near_start[run], partners.near_start[run + 1]):
            other = partners.near_run[near]
            is_near |= classes.run_class_start[other] <= source < classes.run_class_stop[other]
        if not is_near:
            destination = classes.attachment[classes.run_class_start[run]]
            note_pair(classes, run, source, between_domains, unreachable[destination])


@borrowing_kernel
def _send_far(
    layer: LayerArrays,
    classes: MemberClassArrays,
    partners: Partners,
    between_domains: bool,
    first: int,
    stop: int,
    all_weight: float,
    all_count: float,
    fraction: FloatVector,
    sums: _Sums,
    waiting: FloatVector,
    class_up: FloatMatrix,
    unreachable: Int32Matrix,
) -> None:
    """Let what a group's members send to the destinations of an item wait at the switches behind their cables."""
    group = classes.run_group[partners.item_run[first]]
    for member_class in range(classes.group_class_start[group], classes.group_class_start[group + 1]):
        source, send = classes.attachment[member_class], classes.class_send[member_class]
        domain, block, joint = (
            classes.label[0, member_class],
            classes.label[1, member_class],
            classes.label[2, member_class],
        )
        if between_domains:
            takers = all_count - (sums.takers[0, domain] + (sums.takers[1, block] - sums.takers[2, joint]))
            receive = all_weight - (sums.weight[0, domain] + (sums.weight[1, block] - sums.weight[2, joint]))
        else:
            takers = sums.takers[0, domain] - sums.takers[2, joint]
            receive = sums.weight[0, domain] - sums.weight[2, joint]
        receive -= sums.near_weight[member_class]
        if takers - sums.near_count[member_class] < 0.5 or receive <= 0.0:
            continue
        reached = False
        for slot in range(layer.slot_start[source], layer.slot_start[source + 1]):
            if fraction[slot] > 0.0:
                reached = True
                waiting[layer.slot_switch[slot]] += send * receive * fraction[slot]
                class_up[member_class, slot - layer.slot_start[source]] += receive * fraction[slot]
        if not reached and send > 0.0:
            _note_far_pair(classes, partners, first, stop, member_class, between_domains, unreachable)


@borrowing_kernel
def _add_class(
    layer: LayerArrays, rows: ArrivalRows, source: int, amount: float, fraction: FloatVector, arriving: FloatVector
) -> None:
    """Add what arrives by each end of bytes that a class sends."""
    for slot in range(layer.slot_start[source], layer.slot_start[source + 1]):
        if fraction[slot] > 0.0:
            add_row(rows, rows.of[layer.slot_switch[slot]], amount * fraction[slot], arriving)


@borrowing_kernel
def _find_arriving(
    layer: LayerArrays,
    classes: MemberClassArrays,
    rows: ArrivalRows,
    group: int,
    fraction: FloatVector,
    by_row: FloatVector,
    touched: Int32Vector,
    arriving: FloatVector,
) -> None:
    """By which ends the send weight of all members of a group arrives.

    Parameters
    ----------
    by_row : (E + n_rows,) float64
        Scratch, all zero before and after.
    touched : (E + n_rows,) int32
        Scratch.
    """
    n_touched = 0
    for member_class in range(classes.group_class_start[group], classes.group_class_start[group + 1]):
        source, send = classes.attachment[member_class], classes.class_send[member_class]
        for slot in range(layer.slot_start[source], layer.slot_start[source + 1]):
            if fraction[slot] > 0.0 and send > 0.0:
                row = rows.of[layer.slot_switch[slot]]
                if by_row[row] == 0.0:
                    touched[n_touched] = row
                    n_touched += 1
                by_row[row] += send * fraction[slot]
    for place in range(n_touched):
        add_row(rows, touched[place], by_row[touched[place]], arriving)
        by_row[touched[place]] = 0.0


@borrowing_kernel
def _far_in_list(
    layer: LayerArrays,
    classes: MemberClassArrays,
    partners: Partners,
    rows: ArrivalRows,
    kind: int,
    taker: int,
    near_to: Int64Vector,
    run: int,
    sign: float,
    fraction: FloatVector,
    arriving: FloatVector,
) -> bool:
    """Add (`sign` 1) or take away (-1) what members of a taker's domain (`kind` 0) or block (1) send that is not near.

    Of a block those in the taker's domain too are left out: they are in that list.  Returns whether there were any.
    """
    any_found = False
    domain, joint = classes.label[0, taker], classes.label[2, taker]
    for place in range(partners.list_start[kind, taker], partners.list_stop[kind, taker]):
        other = partners.listed[kind, place]
        if near_to[classes.attachment[other]] == run or classes.class_send[other] == 0.0:
            continue
        if kind == 1 and domain > 0 and classes.label[0, other] == domain:
            continue
        # Inside domains, members of one block exchange nothing.
        if sign > 0.0 and joint > 0 and classes.label[2, other] == joint:
            continue
        any_found = True
        _add_class(layer, rows, classes.attachment[other], sign * classes.class_send[other], fraction, arriving)
    return any_found


@borrowing_kernel
def _receive_far(
    layer: LayerArrays,
    classes: MemberClassArrays,
    partners: Partners,
    rows: ArrivalRows,
    links: _LastLinks,
    rounding: float,
    between_domains: bool,
    run: int,
    fraction: FloatVector,
    near_to: Int64Vector,
    sums: _Sums,
    bundle_bytes: FloatVector,
    class_down: FloatMatrix,
) -> None:
    """The last hop of what the members of a run receive from sources on other switches."""
    n_ends = rows.n_ends
    to_class, to_member, last = sums.to_class, sums.to_member, sums.last
    for near in range(partners.near_start[run], partners.near_start[run + 1]):
        near_to[classes.attachment[classes.run_class_start[partners.near_run[near]]]] = run
    if between_domains:
        for end in range(n_ends):
            to_class[end] = sums.arriving[end]
        for near in range(partners.near_start[run], partners.near_start[run + 1]):
            other = partners.near_run[near]
            send = 0.0
            for member_class in range(classes.run_class_start[other], classes.run_class_stop[other]):
                send += classes.class_send[member_class]
            _add_class(layer, rows, classes.attachment[classes.run_class_start[other]], -send, fraction, to_class)
    for end in range(n_ends):
        last[end] = 0.0
    for taker in range(classes.run_class_start[run], classes.run_class_stop[run]):
        if partners.takers[taker] == 0.0:
            continue
        for end in range(n_ends):
            to_member[end] = to_class[end]
        if between_domains:
            for kind in range(2):
                _far_in_list(
                    layer, classes, partners, rows, kind, taker, near_to, run, -1.0, fraction, to_member
                )  # fmt: skip
        elif not _far_in_list(
            layer, classes, partners, rows, 0, taker, near_to, run, 1.0, fraction, to_member
        ):  # fmt: skip
            continue
        for end in range(n_ends):
            # What is only rounding is nothing: an idle link stays idle.
            if to_member[end] <= rounding * sums.arriving[end]:
                to_member[end] = 0.0
            last[end] += classes.class_receive[taker] * to_member[end]
        for link in range(links.n[0]):
            class_down[taker, links.slot[link]] += to_member[links.end[link]] * links.part[link]
    for link in range(links.n[0]):
        bundle_bytes[links.bundle[link]] += last[links.end[link]] * links.part[link]


class _Room(NamedTuple):
    """Where one DAG after the other is dealt with; all but `waiting` as it must be before and after."""

    fraction: FloatVector
    """(A,) how each class splits its bytes over its slots; written."""
    waiting: FloatVector
    """(S,) what sources send, at the switches behind their cables; zero before."""
    by_row: FloatVector
    """(S,) zero; there are no more rows than switches."""
    touched: Int32Vector
    """(S,)"""
    end_of: Int32Vector
    """(S,) end that a switch is; -1."""
    near_to: Int64Vector
    """(K + 1,) last run that a class was near to."""
    part: FloatVector
    """(W,)"""
    slot_of: Int32Vector
    """(W,)"""


@kernel
def _empty_room(layer: LayerArrays, width: int) -> _Room:
    n_switches = layer.in_start.shape[0] - 1
    return _Room(
        np.empty(layer.slot_switch.shape[0]),
        np.zeros(n_switches),
        np.zeros(n_switches),
        np.empty(n_switches, np.int32),
        np.full(n_switches, -1, np.int32),
        np.full(layer.slot_start.shape[0] - 1, -1, np.int64),
        np.zeros(width),
        np.zeros(width, np.int32),
    )


@kernel
def _share_out(
    layer: LayerArrays,
    bundles: BundleArrays,
    hops: LastHops,
    classes: MemberClassArrays,
    partners: Partners,
    rounding: float,
    between_domains: bool,
    own_fraction: FloatVector,
    item: int,
    dag: Dag,
    rows: ArrivalRows,
    room: _Room,
    links: _LastLinks,
    sums: _Sums,
    bundle_bytes: FloatVector,
    class_up: FloatMatrix,
    class_down: FloatMatrix,
    unreachable: Int32Matrix,
) -> None:
    """Let all bytes to the destinations of an item wait behind their sources' cables, and load the last hops."""
    stop, stop_run = partners.item_run_start[item], partners.item_run_start[item + 1]
    find_slot_fractions(layer, dag, room.fraction)
    while stop < stop_run:
        first = stop
        group = classes.run_group[partners.item_run[first]]
        while stop < stop_run and classes.run_group[partners.item_run[stop]] == group:
            stop += 1
        all_weight, all_count = _count_destinations(classes, partners, first, stop, sums)
        for position in range(first, stop):
            _exchange_near(
                layer, classes, partners, between_domains, partners.item_run[position], sums,
                class_up, class_down, own_fraction, room.part, room.slot_of,
            )  # fmt: skip
        _send_far(
            layer, classes, partners, between_domains, first, stop, all_weight, all_count, room.fraction, sums,
            room.waiting, class_up, unreachable,
        )  # fmt: skip
        for end in range(rows.n_ends):
            sums.arriving[end] = 0.0
        if between_domains:
            _find_arriving(layer, classes, rows, group, room.fraction, room.by_row, room.touched, sums.arriving)
        for position in range(first, stop):
            run = partners.item_run[position]
            _find_last_links(layer, bundles, hops, classes.attachment[classes.run_class_start[run]], room.end_of, links)
            _receive_far(
                layer, classes, partners, rows, links, rounding, between_domains, run, room.fraction, room.near_to,
                sums, bundle_bytes, class_down,
            )  # fmt: skip
        _clear_destinations(classes, partners, first, stop, sums)
    for end in range(rows.n_ends):
        room.end_of[dag.queue[end]] = -1


@borrowing_kernel
def _first_destination(classes: MemberClassArrays, partners: Partners, item: int) -> int:
    """One of the destination classes of an item, which all have the same neighbours; -1 if nothing goes to them."""
    first = partners.item_run_start[item]
    if first == partners.item_run_start[item + 1]:
        return -1
    destination: int = classes.attachment[classes.run_class_start[partners.item_run[first]]]
    return destination


@kernel
def sweep_all_to_all_shared(
    layer: LayerArrays,
    bundles: BundleArrays,
    hops: LastHops,
    classes: MemberClassArrays,
    partners: Partners,
    rounding: float,
    between_domains: bool,
    own_fraction: FloatVector,
    chunk_number: int,
    n_chunks: int,
    bundle_bytes: FloatVector,
    class_up: FloatMatrix,
    class_down: FloatMatrix,
    unreachable: Int32Matrix,
) -> None:
    """Load the links with an all-to-all, for every ``n_chunks``-th item of destinations that share a DAG.

    Parameters
    ----------
    rounding : float
        What is left of a sum by subtraction and is a smaller part of it than this is nothing.
    between_domains : bool
        True: pairs in different domains (scale-out); False: pairs in one domain (scale-up).
    chunk_number, n_chunks : int
        Items ``chunk_number, chunk_number + n_chunks, ...`` are swept.
    bundle_bytes, class_up, class_down, own_fraction, unreachable
        As for `adaptive.sweep_all_to_all`; `class_down` is zero before.
    """
    dag = empty_dag(layer.in_start.shape[0] - 1)
    room, links, sums = (
        _empty_room(layer, class_up.shape[1]),
        _empty_last_links(layer, bundles),
        _empty_sums(classes, hops),
    )
    for item in range(chunk_number, partners.item_run_start.shape[0] - 1, n_chunks):
        destination = _first_destination(classes, partners, item)
        if destination < 0:
            continue
        clear_dag(dag)
        n_ends = _start_at_neighbours(hops, destination, dag, room.end_of)
        n_reached, rows = grow_with_rows(bundles, dag, n_ends)
        _share_out(
            layer, bundles, hops, classes, partners, rounding, between_domains, own_fraction, item, dag, rows, room,
            links, sums, bundle_bytes, class_up, class_down, unreachable,
        )  # fmt: skip
        carry_over(bundles, dag, n_reached, room.waiting, bundle_bytes)


class FoundDags(NamedTuple):
    """DAGs of some items that were found elsewhere, I of them."""

    distance: Int32Matrix
    """(S, I) hops to the destination; -1 where there is no way."""
    capacity: FloatMatrix
    """(S, I)"""
    alone: FloatMatrix
    """(S, I)"""
    row: Int32Matrix
    """(S, I) end by which all arrives; S and the switch's twin where it parts; -1 where there is no way."""
    waiting: FloatMatrix
    """(S, I) out: what waits at each switch, to be carried on."""


@kernel
def share_out_found(
    layer: LayerArrays,
    bundles: BundleArrays,
    hops: LastHops,
    classes: MemberClassArrays,
    partners: Partners,
    rounding: float,
    between_domains: bool,
    own_fraction: FloatVector,
    first_item: int,
    found: FoundDags,
    chunk_number: int,
    n_chunks: int,
    bundle_bytes: FloatVector,
    class_up: FloatMatrix,
    class_down: FloatMatrix,
    unreachable: Int32Matrix,
) -> None:
    """As `sweep_all_to_all_shared`, between the two passes over all links: last hops are loaded, all else waits.

    Parameters
    ----------
    first_item : int
        Item of the first of the DAGs.
    chunk_number, n_chunks : int
        Of the DAGs.
    rounding, between_domains, bundle_bytes, class_up, class_down, own_fraction, unreachable
        As there.
    """
    n_switches = layer.in_start.shape[0] - 1
    dag = empty_dag(n_switches)
    room, links, sums = (
        _empty_room(layer, class_up.shape[1]),
        _empty_last_links(layer, bundles),
        _empty_sums(classes, hops),
    )
    for number in range(chunk_number, found.distance.shape[1], n_chunks):
        destination = _first_destination(classes, partners, first_item + number)
        if destination < 0:
            continue
        for switch in range(n_switches):
            dag.distance[switch] = found.distance[switch, number]
            dag.capacity[switch] = found.capacity[switch, number]
            dag.alone[switch] = found.alone[switch, number]
        n_ends = hops.start[destination + 1] - hops.start[destination]
        for end in range(n_ends):
            dag.queue[end] = hops.switch[hops.start[destination] + end]
            room.end_of[dag.queue[end]] = end
        rows = found_rows(bundles, dag, n_ends, found.row[:, number])
        _share_out(
            layer, bundles, hops, classes, partners, rounding, between_domains, own_fraction, first_item + number,
            dag, rows, room, links, sums, bundle_bytes, class_up, class_down, unreachable,
        )  # fmt: skip
        for switch in range(n_switches):
            found.waiting[switch, number] = room.waiting[switch]
            room.waiting[switch] = 0.0


@borrowing_kernel
def _any_slot(slot_of: Int32Vector, n_slots: int) -> bool:
    found = False
    for k in range(n_slots):
        found |= slot_of[k] >= 0
    return found


@borrowing_kernel
def _idle(flows: FlowArrays, destination: int) -> bool:
    n_flows: int = flows.class_flow_start[destination + 1] - flows.class_flow_start[destination]
    return n_flows == 0


@kernel
def sweep_flows_shared(
    layer: LayerArrays,
    bundles: BundleArrays,
    hops: LastHops,
    shared: SharedClasses,
    flows: FlowArrays,
    endpoint_class: Int32Vector,
    endpoint_slot: Int64Vector,
    width: int,
    chunk_number: int,
    n_chunks: int,
    bundle_bytes: FloatVector,
    slot_up: FloatVector,
    slot_down: FloatVector,
    unreachable: Int32Matrix,
) -> None:
    """Load the links with explicit flows, for every ``n_chunks``-th item of destinations that share a DAG.

    Parameters
    ----------
    width : int
        Most slots of an endpoint.
    chunk_number, n_chunks
        As for `sweep_all_to_all_shared`.
    endpoint_class, endpoint_slot, bundle_bytes, slot_up, slot_down, unreachable
        As for `adaptive.sweep_flows`.
    """
    n_switches, n_classes = layer.in_start.shape[0] - 1, layer.slot_start.shape[0] - 1
    dag = empty_dag(layer.in_start.shape[0] - 1)
    fraction = np.empty(layer.slot_switch.shape[0])
    waiting = np.zeros(n_switches)
    end_of = np.full(n_switches, -1, np.int32)
    # Of each source class: the destination that the rest is known for, whether they have a switch in common, and else
    # by which slots what it sends arrives, and what that is.
    known_for = np.full(n_classes, -1, np.int64)
    is_near = np.zeros(n_classes, np.bool_)
    arrives = np.zeros((n_classes, width))
    sent, senders = np.zeros(n_classes), np.empty(n_classes, np.int32)
    part, slot_of = np.zeros(width), np.zeros(width, np.int32)
    links = _empty_last_links(layer, bundles)
    most = 1
    for attachment in range(n_classes):
        most = max(most, hops.start[attachment + 1] - hops.start[attachment])
    arriving, last = np.zeros(most), np.zeros(most)
    for item in range(chunk_number, shared.item_start.shape[0] - 1, n_chunks):
        position = shared.item_start[item]
        while position < shared.item_start[item + 1] and _idle(flows, shared.attachment[position]):
            position += 1
        if position == shared.item_start[item + 1]:
            continue
        clear_dag(dag)
        n_ends = _start_at_neighbours(hops, shared.attachment[position], dag, end_of)
        n_reached, rows = grow_with_rows(bundles, dag, n_ends)
        find_slot_fractions(layer, dag, fraction)
        for place in range(position, shared.item_start[item + 1]):
            destination = shared.attachment[place]
            first, stop = flows.class_flow_start[destination], flows.class_flow_start[destination + 1]
            if first == stop:
                continue
            _find_last_links(layer, bundles, hops, destination, end_of, links)
            n_slots = layer.slot_start[destination + 1] - layer.slot_start[destination]
            for end in range(n_ends):
                last[end] = 0.0
            n_senders = 0
            near_source = -1
            for flow in range(first, stop):
                src, dst, amount = flows.src[flow], flows.dst[flow], flows.bytes[flow]
                source = endpoint_class[src]
                if known_for[source] != destination:
                    known_for[source] = destination
                    _near_fractions(layer, source, destination, part, slot_of)
                    near_source = source
                    is_near[source] = _any_slot(slot_of, layer.slot_start[source + 1] - layer.slot_start[source])
                    if not is_near[source]:
                        senders[n_senders] = source
                        n_senders += 1
                        sent[source] = 0.0
                        for end in range(n_ends):
                            arriving[end] = 0.0
                        _add_class(layer, rows, source, 1.0, fraction, arriving)
                        for k in range(n_slots):
                            arrives[source, k] = 0.0
                        for link in range(links.n[0]):
                            arrives[source, links.slot[link]] += arriving[links.end[link]] * links.part[link]
                if is_near[source]:
                    if near_source != source:
                        _near_fractions(layer, source, destination, part, slot_of)
                        near_source = source
                    for k in range(layer.slot_start[source + 1] - layer.slot_start[source]):
                        if slot_of[k] >= 0:
                            slot_up[endpoint_slot[src] + k] += amount * part[k]
                            slot_down[endpoint_slot[dst] + slot_of[k]] += amount * part[k]
                    continue
                if not depart(layer, source, endpoint_slot[src], amount, fraction, waiting, slot_up):
                    unreachable[destination, 0] = src
                    unreachable[destination, 1] = dst
                    continue
                sent[source] += amount
                for k in range(n_slots):
                    slot_down[endpoint_slot[dst] + k] += amount * arrives[source, k]
            for sender in range(n_senders):
                _add_class(layer, rows, senders[sender], sent[senders[sender]], fraction, last)
            for link in range(links.n[0]):
                bundle_bytes[links.bundle[link]] += last[links.end[link]] * links.part[link]
        carry_over(bundles, dag, n_reached, waiting, bundle_bytes)
        for end in range(n_ends):
            end_of[dag.queue[end]] = -1
