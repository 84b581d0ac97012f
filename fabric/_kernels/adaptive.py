"""Adaptive routing by the destination sweep, one destination class after the other.

Bytes are split in proportion to the capacity that leads on (`fabric._kernels.adaptive_dag`).  A source shares its
ports out by the same with the cables of the one destination.  O(B) for a destination class, whatever the number of
sources; `fabric._kernels.adaptive_shared` does classes that look alike together, and has its numbers from here.
"""

import numpy as np

from fabric._kernels.adaptive_dag import carry_over, empty_dag, find_dag, find_slot_fractions, part_ends
from fabric._kernels.arrays import (
    BundleArrays,
    Dag,
    FloatMatrix,
    FloatVector,
    FlowArrays,
    Int32Matrix,
    Int32Vector,
    Int64Vector,
    LayerArrays,
    MemberClassArrays,
)
from fabric._kernels.compile import kernel
from fabric._kernels.endpoints import most_slots, note_pair, send_flows


@kernel
def _find_arrivals(
    layer: LayerArrays,
    bundles: BundleArrays,
    destination: int,
    dag: Dag,
    n_reached: int,
    fraction: FloatVector,
    at_switch: FloatMatrix,
    at_class: FloatMatrix,
) -> None:
    """Which part of each class's bytes comes in by each of the destination's slots.

    Parameters
    ----------
    at_switch : (S, W) float64
        Scratch: the part of the bytes at a switch that ends in each slot of the destination.
    at_class : (K + 1, W) float64
        Out: the same for the bytes of each class; all zero where there is no way.
    """
    first, stop = layer.slot_start[destination], layer.slot_start[destination + 1]
    n_slots = stop - first
    if n_slots > 1:
        at_switch[:] = 0.0
        for slot in range(first, stop):
            at_switch[layer.slot_switch[slot], slot - first] = 1.0
        part_ends(bundles, dag, n_reached, at_switch)
    at_class[:] = 0.0
    for source in range(layer.slot_start.shape[0] - 1):
        for slot in range(layer.slot_start[source], layer.slot_start[source + 1]):
            if n_slots == 1 and fraction[slot] > 0.0:
                at_class[source, 0] = 1.0
            elif n_slots > 1:
                for k in range(n_slots):
                    at_class[source, k] += fraction[slot] * at_switch[layer.slot_switch[slot], k]


@kernel
def sweep_all_to_all(
    layer: LayerArrays,
    bundles: BundleArrays,
    classes: MemberClassArrays,
    destinations: Int32Vector,
    between_domains: bool,
    own_fraction: FloatVector,
    chunk_number: int,
    n_chunks: int,
    bundle_bytes: FloatVector,
    class_up: FloatMatrix,
    class_down: FloatMatrix,
    unreachable: Int32Matrix,
) -> None:
    """Load the links with an all-to-all, for every ``n_chunks``-th of some destination classes.

    Who exchanges with whom is counted by inclusion and exclusion over the labels (domain, block, both), so that a
    destination class costs its groups' member classes and never their pairs; members are counted beside the weights,
    so that "nobody" is exactly zero.  Pairs ``i == i`` are counted where labels do not leave them out (they stay on
    their own switch) and are taken off the endpoints' cables by the caller.

    Parameters
    ----------
    destinations : (n,) int32
    between_domains : bool
        True: pairs in different domains (scale-out); False: pairs in one domain (scale-up).
    chunk_number, n_chunks : int
        The destinations ``chunk_number, chunk_number + n_chunks, ...`` are swept.
    bundle_bytes : (B,) float64
        Accumulated.
    class_up : (C, W) float64
        Accumulated: receive weight that each slot of a member class's members sends towards.
    class_down : (C, W) float64
        Send weight that arrives by each slot of a member class's members; written for the classes swept.
    own_fraction : (A,) float64
        How a class splits bytes to its own class; written for the classes swept.
    unreachable : (K + 1, 2) int32
        A source and a destination endpoint with bytes and no way between them; written for the classes swept.
    """
    n_switches, n_classes = layer.in_start.shape[0] - 1, layer.slot_start.shape[0] - 1
    width = class_up.shape[1]
    dag = empty_dag(layer.in_start.shape[0] - 1)
    fraction = np.empty(layer.slot_switch.shape[0])
    at_switch = np.zeros((n_switches, width))
    at_class = np.zeros((n_classes, width))
    waiting = np.zeros(n_switches)
    # By kind of label: receive weight and members of the destination run, send weight by slot of their sources.
    weight = np.zeros((3, classes.n_labels))
    count = np.zeros((3, classes.n_labels))
    sent = np.zeros((3, classes.n_labels, width))
    arriving = np.zeros(width)
    for destination in destinations[chunk_number::n_chunks]:
        first_run, stop_run = classes.attachment_run_start[destination], classes.attachment_run_start[destination + 1]
        if first_run == stop_run:
            continue
        n_reached = find_dag(layer, bundles, destination, dag)
        find_slot_fractions(layer, dag, fraction)
        _find_arrivals(layer, bundles, destination, dag, n_reached, fraction, at_switch, at_class)
        for slot in range(layer.slot_start[destination], layer.slot_start[destination + 1]):
            own_fraction[slot] = fraction[slot]
        for run in range(first_run, stop_run):
            first, stop = classes.run_class_start[run], classes.run_class_stop[run]
            all_weight = 0.0
            all_count = 0.0
            for member_class in range(first, stop):
                members = float(classes.class_member_start[member_class + 1] - classes.class_member_start[member_class])
                all_weight += classes.class_receive[member_class]
                all_count += members
                for kind in range(3):
                    label = classes.label[kind, member_class]
                    if label > 0:
                        weight[kind, label] += classes.class_receive[member_class]
                        count[kind, label] += members
            arriving[:] = 0.0
            group = classes.run_group[run]
            for member_class in range(classes.group_class_start[group], classes.group_class_start[group + 1]):
                source, send = classes.attachment[member_class], classes.class_send[member_class]
                domain, block, joint = (
                    classes.label[0, member_class],
                    classes.label[1, member_class],
                    classes.label[2, member_class],
                )
                if between_domains:
                    partners = all_count - (count[0, domain] + (count[1, block] - count[2, joint]))
                    receive = all_weight - (weight[0, domain] + (weight[1, block] - weight[2, joint]))
                else:
                    partners = count[0, domain] - count[2, joint]
                    receive = weight[0, domain] - weight[2, joint]
                for k in range(width):
                    arrived = send * at_class[source, k]
                    arriving[k] += arrived
                    for kind in range(3):
                        label = classes.label[kind, member_class]
                        if count[kind, label] > 0.0:
                            sent[kind, label, k] += arrived
                if partners < 0.5 or receive <= 0.0:
                    continue
                reached = False
                for slot in range(layer.slot_start[source], layer.slot_start[source + 1]):
                    if fraction[slot] > 0.0:
                        reached = True
                        waiting[layer.slot_switch[slot]] += send * receive * fraction[slot]
                        class_up[member_class, slot - layer.slot_start[source]] += receive * fraction[slot]
                if not reached and send > 0.0:
                    note_pair(classes, run, member_class, between_domains, unreachable[destination])
            for member_class in range(first, stop):
                domain, block, joint = (
                    classes.label[0, member_class],
                    classes.label[1, member_class],
                    classes.label[2, member_class],
                )
                for k in range(width):
                    if between_domains:
                        left_out = sent[0, domain, k] + (sent[1, block, k] - sent[2, joint, k])
                        rest = arriving[k] - left_out
                        # What is only rounding is nothing: an idle link stays idle.  The limit is assumed, as
                        # `member_classes.ROUNDING` is.
                        class_down[member_class, k] = rest if rest > 1e-12 * arriving[k] else 0.0
                    else:
                        class_down[member_class, k] = sent[0, domain, k] - sent[2, joint, k]
            for member_class in range(first, stop):
                for kind in range(3):
                    label = classes.label[kind, member_class]
                    weight[kind, label] = 0.0
                    count[kind, label] = 0.0
                    sent[kind, label, :] = 0.0
        carry_over(bundles, dag, n_reached, waiting, bundle_bytes)


@kernel
def sweep_flows(
    layer: LayerArrays,
    bundles: BundleArrays,
    flows: FlowArrays,
    endpoint_class: Int32Vector,
    endpoint_slot: Int64Vector,
    destinations: Int32Vector,
    chunk_number: int,
    n_chunks: int,
    bundle_bytes: FloatVector,
    slot_up: FloatVector,
    slot_down: FloatVector,
    unreachable: Int32Matrix,
) -> None:
    """Load the links with explicit flows, for every ``n_chunks``-th of some destination classes.

    Parameters
    ----------
    endpoint_class : (N,) int32
    endpoint_slot : (N,) int64
        Where each endpoint's slots begin in `slot_up` and `slot_down`.
    destinations, chunk_number, n_chunks, bundle_bytes, unreachable
        As for `sweep_all_to_all`.
    slot_up, slot_down : (n_endpoint_slots,) float64
        Bytes from and to each endpoint by slot, accumulated.
    """
    n_switches, n_classes = layer.in_start.shape[0] - 1, layer.slot_start.shape[0] - 1
    width = most_slots(layer)
    dag = empty_dag(layer.in_start.shape[0] - 1)
    fraction = np.empty(layer.slot_switch.shape[0])
    at_switch = np.zeros((n_switches, width))
    at_class = np.zeros((n_classes, width))
    waiting = np.zeros(n_switches)
    for destination in destinations[chunk_number::n_chunks]:
        if flows.class_flow_start[destination] == flows.class_flow_start[destination + 1]:
            continue
        n_reached = find_dag(layer, bundles, destination, dag)
        find_slot_fractions(layer, dag, fraction)
        _find_arrivals(layer, bundles, destination, dag, n_reached, fraction, at_switch, at_class)
        send_flows(
            layer, flows, destination, endpoint_class, endpoint_slot, fraction, at_class, waiting, slot_up, slot_down,
            unreachable[destination],
        )  # fmt: skip
        carry_over(bundles, dag, n_reached, waiting, bundle_bytes)


@kernel
def split_paths(
    layer: LayerArrays,
    bundles: BundleArrays,
    source_class: Int32Vector,
    destination_class: Int32Vector,
    bundle_part: FloatMatrix,
    up_part: FloatMatrix,
    down_part: FloatMatrix,
) -> None:
    """How one unit from class to class splits over the bundles.

    Parameters
    ----------
    source_class, destination_class : (P,) int32
        Pairs of classes, sorted by destination.
    bundle_part : (P, B) float64
        Out, zero at first: part of the unit on each bundle.
    up_part, down_part : (P, W) float64
        Out, zero at first: part by slot of the source, and of the destination; all zero where there is no way.
    """
    dag = empty_dag(layer.in_start.shape[0] - 1)
    fraction = np.empty(layer.slot_switch.shape[0])
    n_switches, n_classes = layer.in_start.shape[0] - 1, layer.slot_start.shape[0] - 1
    at_switch = np.zeros((n_switches, up_part.shape[1]))
    at_class = np.zeros((n_classes, up_part.shape[1]))
    waiting = np.zeros(n_switches)
    destination = -1
    n_reached = 0
    for pair in range(source_class.shape[0]):
        if destination_class[pair] != destination:
            destination = destination_class[pair]
            n_reached = find_dag(layer, bundles, destination, dag)
            find_slot_fractions(layer, dag, fraction)
            _find_arrivals(layer, bundles, destination, dag, n_reached, fraction, at_switch, at_class)
        source = source_class[pair]
        for slot in range(layer.slot_start[source], layer.slot_start[source + 1]):
            up_part[pair, slot - layer.slot_start[source]] = fraction[slot]
            waiting[layer.slot_switch[slot]] += fraction[slot]
        down_part[pair] = at_class[source]
        carry_over(bundles, dag, n_reached, waiting, bundle_part[pair])


@kernel
def parts_over_bundle(
    layer: LayerArrays, bundles: BundleArrays, bundle: int, chunk_number: int, n_chunks: int, part: FloatMatrix
) -> None:
    """Which part of what classes send to each other crosses a bundle, for every ``n_chunks``-th destination class.

    The sweep backwards: from the bundle against the direction of the bytes, O(B) for a destination class.

    Parameters
    ----------
    bundle : int
    part : (K + 1, K + 1) float64
        Out, zero at first: by destination class, then source class.
    """
    n_switches, n_classes = layer.in_start.shape[0] - 1, layer.slot_start.shape[0] - 1
    dag = empty_dag(n_switches)
    fraction = np.empty(layer.slot_switch.shape[0])
    over = np.empty((n_switches, 1))
    tail = bundles.tail[bundle]
    head = np.searchsorted(bundles.start, bundle, side="right") - 1
    for destination in range(chunk_number, n_classes, n_chunks):
        if layer.slot_start[destination] == layer.slot_start[destination + 1]:
            continue
        n_reached = find_dag(layer, bundles, destination, dag)
        if dag.distance[head] < 0 or dag.distance[tail] != dag.distance[head] + 1:
            continue
        over[:] = 0.0
        over[tail] = min(bundles.gbps[bundle], dag.capacity[head]) / dag.capacity[tail]
        # No bytes cross it twice: what is over it from its head on is nothing, and stays so.
        part_ends(bundles, dag, n_reached, over)
        find_slot_fractions(layer, dag, fraction)
        for source in range(n_classes):
            for slot in range(layer.slot_start[source], layer.slot_start[source + 1]):
                part[destination, source] += fraction[slot] * over[layer.slot_switch[slot], 0]
