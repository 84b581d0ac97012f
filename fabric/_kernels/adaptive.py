"""Adaptive routing by the destination sweep: bytes split in proportion to the capacity that leads on.

For a destination attached to the switches L, a breadth-first search from L over incoming links gives the DAG of
shortest next hops.  With C(l) = infinity at a lone destination leaf (endpoints on several leaves: the capacity of the
cables of all that hang there alike to each), C(u) = sum over next switches v of min(capacity of all cables u to v,
C(v)), and switch u sends the fraction min(..., C(v)) / C(u) towards v, over the parallel cables in proportion to their
capacity.  A source shares its ports out by the same with the cables of the one destination.  A switch leaves the
search's queue after all its next hops, so one pass over the links fills C and lists the DAG; the list read backwards
carries the bytes.  O(T) for a destination class, whatever the number of sources.
"""

import numpy as np

from fabric._kernels.arrays import (
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
from fabric._kernels.dag import carry
from fabric._kernels.endpoints import exchange, most_slots, send_flows, split_over_nearest


@kernel
def _empty_dag(layer: LayerArrays) -> Dag:
    n_switches, n_isls = layer.in_start.shape[0] - 1, layer.in_tail.shape[0]
    return Dag(
        np.empty(n_switches),
        np.empty(n_switches),
        np.empty(n_switches, np.int32),
        np.empty(n_switches, np.int32),
        np.empty(n_isls, np.int32),
        np.empty(n_isls, np.int32),
        np.empty(n_isls, np.int32),
        np.empty(n_isls),
    )


@kernel
def _find_dag(layer: LayerArrays, destination: int, dag: Dag) -> int:
    """Fill `dag` for the way to class `destination`; returns the number of its links."""
    dag.distance[:] = -1
    dag.capacity[:] = 0.0
    dag.alone[:] = 0.0
    first, stop = layer.slot_start[destination], layer.slot_start[destination + 1]
    n_queued = 0
    for slot in range(first, stop):
        switch = layer.slot_switch[slot]
        dag.distance[switch] = 0
        dag.alone[switch] = np.inf if stop - first == 1 else layer.slot_down_gbps[slot]
        dag.capacity[switch] = dag.alone[switch] * layer.class_endpoints[destination]
        dag.queue[n_queued] = switch
        n_queued += 1
    n_dag = 0
    position = 0
    while position < n_queued:
        head = dag.queue[position]
        position += 1
        onward = dag.capacity[head]
        farther = dag.distance[head] + 1
        entry, last = layer.in_start[head], layer.in_start[head + 1]
        while entry < last:
            # The parallel cables from one tail stand together.
            tail = layer.in_tail[entry]
            first_cable = entry
            together = layer.in_gbps[entry]
            entry += 1
            while entry < last and layer.in_tail[entry] == tail:
                together += layer.in_gbps[entry]
                entry += 1
            if dag.distance[tail] < 0:
                dag.distance[tail] = farther
                dag.queue[n_queued] = tail
                n_queued += 1
            if dag.distance[tail] != farther:
                continue
            part = onward / together if together > onward else 1.0
            dag.capacity[tail] += together * part
            dag.alone[tail] += min(together, dag.alone[head])
            for cable in range(first_cable, entry):
                dag.link[n_dag] = layer.in_link[cable]
                dag.tail[n_dag] = tail
                dag.head[n_dag] = head
                dag.gbps[n_dag] = layer.in_gbps[cable] * part
                n_dag += 1
    return n_dag


@kernel
def _find_slot_fractions(layer: LayerArrays, dag: Dag, fraction: FloatVector) -> None:
    """How each class splits its bytes over its slots: by the capacity that leads on, among those nearest.

    Parameters
    ----------
    fraction : (A,) float64
        Out; all zero for a class that cannot reach the destination.
    """
    for slot in range(layer.slot_switch.shape[0]):
        fraction[slot] = min(layer.slot_up_gbps[slot], dag.alone[layer.slot_switch[slot]])
    split_over_nearest(layer, dag.distance, fraction)


@kernel
def _find_arrivals(
    layer: LayerArrays,
    destination: int,
    dag: Dag,
    n_dag: int,
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
        for entry in range(n_dag):
            part = dag.gbps[entry] / dag.capacity[dag.tail[entry]]
            for k in range(n_slots):
                at_switch[dag.tail[entry], k] += part * at_switch[dag.head[entry], k]
    at_class[:] = 0.0
    for source in range(layer.slot_start.shape[0] - 1):
        for slot in range(layer.slot_start[source], layer.slot_start[source + 1]):
            if n_slots == 1 and fraction[slot] > 0.0:
                at_class[source, 0] = 1.0
            elif n_slots > 1:
                for k in range(n_slots):
                    at_class[source, k] += fraction[slot] * at_switch[layer.slot_switch[slot], k]


@kernel
def _note_pair(classes: MemberClassArrays, run: int, source: int, between_domains: bool, pair: Int32Vector) -> None:
    """Note an endpoint of member class `source` and one in the run that should exchange bytes, if any."""
    for member_class in range(classes.run_class_start[run], classes.run_class_stop[run]):
        if not exchange(classes, source, member_class, between_domains):
            continue
        for i in range(classes.class_member_start[source], classes.class_member_start[source + 1]):
            for j in range(classes.class_member_start[member_class], classes.class_member_start[member_class + 1]):
                if i != j and classes.member_send[i] * classes.member_receive[j] > 0.0:
                    pair[0] = classes.member_endpoint[i]
                    pair[1] = classes.member_endpoint[j]
                    return


@kernel
def sweep_all_to_all(
    layer: LayerArrays,
    classes: MemberClassArrays,
    between_domains: bool,
    chunk_number: int,
    n_chunks: int,
    isl_bytes: FloatVector,
    class_up: FloatMatrix,
    class_down: FloatMatrix,
    own_fraction: FloatVector,
    unreachable: Int32Matrix,
) -> None:
    """Load the links with an all-to-all, for every ``n_chunks``-th destination class.

    Who exchanges with whom is counted by inclusion and exclusion over the labels (domain, block, both), so that a
    destination class costs its groups' member classes and never their pairs; members are counted beside the weights,
    so that "nobody" is exactly zero.  Pairs ``i == i`` are counted where labels do not leave them out (they stay on
    their own switch) and are taken off the endpoints' cables by the caller.

    Parameters
    ----------
    between_domains : bool
        True: pairs in different domains (scale-out); False: pairs in one domain (scale-up).
    chunk_number, n_chunks : int
        Destination classes ``chunk_number, chunk_number + n_chunks, ...`` are swept.
    isl_bytes : (T,) float64
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
    dag = _empty_dag(layer)
    fraction = np.empty(layer.slot_switch.shape[0])
    at_switch = np.zeros((n_switches, width))
    at_class = np.zeros((n_classes, width))
    waiting = np.zeros(n_switches)
    # By kind of label: receive weight and members of the destination run, send weight by slot of their sources.
    weight = np.zeros((3, classes.n_labels))
    count = np.zeros((3, classes.n_labels))
    sent = np.zeros((3, classes.n_labels, width))
    arriving = np.zeros(width)
    for destination in range(chunk_number, n_classes, n_chunks):
        first_run, stop_run = classes.attachment_run_start[destination], classes.attachment_run_start[destination + 1]
        if first_run == stop_run:
            continue
        n_dag = _find_dag(layer, destination, dag)
        _find_slot_fractions(layer, dag, fraction)
        _find_arrivals(layer, destination, dag, n_dag, fraction, at_switch, at_class)
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
                    _note_pair(classes, run, member_class, between_domains, unreachable[destination])
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
        carry(dag, n_dag, waiting, isl_bytes)


@kernel
def sweep_flows(
    layer: LayerArrays,
    flows: FlowArrays,
    endpoint_class: Int32Vector,
    endpoint_slot: Int64Vector,
    chunk_number: int,
    n_chunks: int,
    isl_bytes: FloatVector,
    slot_up: FloatVector,
    slot_down: FloatVector,
    unreachable: Int32Matrix,
) -> None:
    """Load the links with explicit flows, for every ``n_chunks``-th destination class.

    Parameters
    ----------
    endpoint_class : (N,) int32
    endpoint_slot : (N,) int64
        Where each endpoint's slots begin in `slot_up` and `slot_down`.
    chunk_number, n_chunks, isl_bytes, unreachable
        As for `sweep_all_to_all`.
    slot_up, slot_down : (n_endpoint_slots,) float64
        Bytes from and to each endpoint by slot, accumulated.
    """
    n_switches, n_classes = layer.in_start.shape[0] - 1, layer.slot_start.shape[0] - 1
    width = most_slots(layer)
    dag = _empty_dag(layer)
    fraction = np.empty(layer.slot_switch.shape[0])
    at_switch = np.zeros((n_switches, width))
    at_class = np.zeros((n_classes, width))
    waiting = np.zeros(n_switches)
    for destination in range(chunk_number, n_classes, n_chunks):
        if flows.class_flow_start[destination] == flows.class_flow_start[destination + 1]:
            continue
        n_dag = _find_dag(layer, destination, dag)
        _find_slot_fractions(layer, dag, fraction)
        _find_arrivals(layer, destination, dag, n_dag, fraction, at_switch, at_class)
        send_flows(
            layer, flows, destination, endpoint_class, endpoint_slot, fraction, at_class, waiting, slot_up, slot_down,
            unreachable[destination],
        )  # fmt: skip
        carry(dag, n_dag, waiting, isl_bytes)


@kernel
def split_paths(
    layer: LayerArrays,
    source_class: Int32Vector,
    destination_class: Int32Vector,
    isl_part: FloatMatrix,
    up_part: FloatMatrix,
    down_part: FloatMatrix,
) -> None:
    """How one unit from class to class splits over the ISLs.

    Parameters
    ----------
    source_class, destination_class : (P,) int32
        Pairs of classes, sorted by destination.
    isl_part : (P, T) float64
        Out, zero at first: part of the unit on each ISL.
    up_part, down_part : (P, W) float64
        Out, zero at first: part by slot of the source, and of the destination; all zero where there is no way.
    """
    dag = _empty_dag(layer)
    fraction = np.empty(layer.slot_switch.shape[0])
    n_switches, n_classes = layer.in_start.shape[0] - 1, layer.slot_start.shape[0] - 1
    at_switch = np.zeros((n_switches, up_part.shape[1]))
    at_class = np.zeros((n_classes, up_part.shape[1]))
    waiting = np.zeros(n_switches)
    destination = -1
    n_dag = 0
    for pair in range(source_class.shape[0]):
        if destination_class[pair] != destination:
            destination = destination_class[pair]
            n_dag = _find_dag(layer, destination, dag)
            _find_slot_fractions(layer, dag, fraction)
            _find_arrivals(layer, destination, dag, n_dag, fraction, at_switch, at_class)
        source = source_class[pair]
        for slot in range(layer.slot_start[source], layer.slot_start[source + 1]):
            up_part[pair, slot - layer.slot_start[source]] = fraction[slot]
            waiting[layer.slot_switch[slot]] += fraction[slot]
        down_part[pair] = at_class[source]
        carry(dag, n_dag, waiting, isl_part[pair])


@kernel
def parts_over_isl(layer: LayerArrays, isl: int, chunk_number: int, n_chunks: int, part: FloatMatrix) -> None:
    """Which part of what classes send to each other crosses an ISL, for every ``n_chunks``-th destination class.

    The sweep backwards: from the ISL against the direction of the bytes, O(T) for a destination class.

    Parameters
    ----------
    isl : int
    part : (K + 1, K + 1) float64
        Out, zero at first: by destination class, then source class.
    """
    n_switches, n_classes = layer.in_start.shape[0] - 1, layer.slot_start.shape[0] - 1
    dag = _empty_dag(layer)
    fraction = np.empty(layer.slot_switch.shape[0])
    over = np.empty(n_switches)
    for destination in range(chunk_number, n_classes, n_chunks):
        if layer.slot_start[destination] == layer.slot_start[destination + 1]:
            continue
        n_dag = _find_dag(layer, destination, dag)
        over[:] = 0.0
        found = False
        # Heads come before what leads to them: what is over the ISL from a head on is known when its tails are.
        for entry in range(n_dag):
            tail = dag.tail[entry]
            share = dag.gbps[entry] / dag.capacity[tail]
            if dag.link[entry] == isl:
                over[tail] += share
                found = True
            else:
                over[tail] += share * over[dag.head[entry]]
        if not found:
            continue
        _find_slot_fractions(layer, dag, fraction)
        for source in range(n_classes):
            for slot in range(layer.slot_start[source], layer.slot_start[source + 1]):
                part[destination, source] += fraction[slot] * over[layer.slot_switch[slot]]
