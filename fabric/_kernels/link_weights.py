"""Routing by link weights: paths of least total weight, split in proportion to the capacity that leads on.

For one destination class, Dijkstra's search from its switches over incoming links gives each switch its least weight
to the destination (E. W. Dijkstra: A note on two problems in connexion with graphs, Numerische Mathematik 1, 1959;
here with a binary heap from which outdated entries are dropped when they come up).  The links that lie on paths of
least weight form a DAG: each leads to a smaller weight.  With C(l) = infinity at a lone destination leaf (endpoints on
several: the capacity of the cables of all that hang there alike to each), C(u) = sum over next switches v of min(sum
of the capacities of the cables u -> v on the DAG, C(v)); u sends v its term over C(u), and the cables to v divide it by
their capacity.  A source shares its ports out by the same with the cables of the one destination.  O(T log T) for a
destination class, whatever the number of sources.
"""

from typing import NamedTuple

import numpy as np

from fabric._kernels.arrays import (
    BoolVector,
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
from fabric._kernels.endpoints import exchange, send_flows


class WeightArrays(NamedTuple):
    """Weights of the links of a layer, finite and > 0."""

    isl: FloatVector
    """(T,) of the ISLs, in the order of `LayerArrays.in_tail`."""
    slot_up: FloatVector
    """(A,) of an endpoint's cables to the slot's switch."""
    slot_down: FloatVector
    """(A,) of the cables back."""
    tie: float
    """Weights of paths that differ by less than this part of themselves are equal."""


class WeightedDag(NamedTuple):
    """The next hops of least weight towards one destination class, with the capacity that leads on."""

    weight: FloatVector
    """(S,) least weight to the destination; infinite where there is no way."""
    capacity: FloatVector
    """(S,) C of each switch, towards all endpoints of the class together."""
    alone: FloatVector
    """(S,) C of each switch towards one endpoint of it."""
    end_gbps: FloatVector
    """(W,) what a slot of the destination adds to its switch's C: 0 where a detour is lighter than its cables."""
    settled: BoolVector
    """(S,)"""
    order: Int32Vector
    """(S,) switches by rising weight."""
    heap_weight: FloatVector
    """(T + S,)"""
    heap_switch: Int32Vector
    """(T + S,)"""
    link: Int32Vector
    """(T,) ISL of each next hop, by rising weight of its head."""
    tail: Int32Vector
    """(T,) switch that it leaves."""
    head: Int32Vector
    """(T,) switch that it reaches."""
    gbps: FloatVector
    """(T,) its part of the term of C(tail)."""


@kernel
def _empty_dag(layer: LayerArrays, width: int) -> WeightedDag:
    n_switches, n_isls = layer.in_start.shape[0] - 1, layer.in_tail.shape[0]
    return WeightedDag(
        np.empty(n_switches),
        np.empty(n_switches),
        np.empty(n_switches),
        np.zeros(width),
        np.empty(n_switches, np.bool_),
        np.empty(n_switches, np.int32),
        np.empty(n_isls + n_switches),
        np.empty(n_isls + n_switches, np.int32),
        np.empty(n_isls, np.int32),
        np.empty(n_isls, np.int32),
        np.empty(n_isls, np.int32),
        np.empty(n_isls),
    )


@kernel
def _push(dag: WeightedDag, n_heap: int, weight: float, switch: int) -> int:
    """Add an entry to the heap of `n_heap`; returns the new number."""
    place = n_heap
    while place > 0 and dag.heap_weight[(place - 1) // 2] > weight:
        dag.heap_weight[place] = dag.heap_weight[(place - 1) // 2]
        dag.heap_switch[place] = dag.heap_switch[(place - 1) // 2]
        place = (place - 1) // 2
    dag.heap_weight[place] = weight
    dag.heap_switch[place] = switch
    return n_heap + 1


@kernel
def _pop(dag: WeightedDag, n_heap: int) -> int:
    """Take the lightest entry off the heap; returns the new number."""
    n_heap -= 1
    weight, switch = dag.heap_weight[n_heap], dag.heap_switch[n_heap]
    place = 0
    while 2 * place + 1 < n_heap:
        child = 2 * place + 1
        if child + 1 < n_heap and dag.heap_weight[child + 1] < dag.heap_weight[child]:
            child += 1
        if dag.heap_weight[child] >= weight:
            break
        dag.heap_weight[place] = dag.heap_weight[child]
        dag.heap_switch[place] = dag.heap_switch[child]
        place = child
    dag.heap_weight[place] = weight
    dag.heap_switch[place] = switch
    return n_heap


@kernel
def _search(layer: LayerArrays, weights: WeightArrays, destination: int, dag: WeightedDag) -> int:
    """Fill `weight` and `order` of the DAG; returns the number of switches that reach the destination."""
    dag.weight[:] = np.inf
    dag.settled[:] = False
    n_heap = 0
    for slot in range(layer.slot_start[destination], layer.slot_start[destination + 1]):
        dag.weight[layer.slot_switch[slot]] = weights.slot_down[slot]
        n_heap = _push(dag, n_heap, weights.slot_down[slot], layer.slot_switch[slot])
    n_settled = 0
    while n_heap > 0:
        head = dag.heap_switch[0]
        n_heap = _pop(dag, n_heap)
        if dag.settled[head]:
            continue
        dag.settled[head] = True
        dag.order[n_settled] = head
        n_settled += 1
        for entry in range(layer.in_start[head], layer.in_start[head + 1]):
            tail = layer.in_tail[entry]
            weight = dag.weight[head] + weights.isl[entry]
            if weight < dag.weight[tail]:
                dag.weight[tail] = weight
                n_heap = _push(dag, n_heap, weight, tail)
    return n_settled


@kernel
def _find_dag(layer: LayerArrays, weights: WeightArrays, destination: int, dag: WeightedDag) -> int:
    """Fill `dag` for the way to class `destination`; returns the number of its links."""
    n_settled = _search(layer, weights, destination, dag)
    first, stop = layer.slot_start[destination], layer.slot_start[destination + 1]
    dag.capacity[:] = 0.0
    dag.alone[:] = 0.0
    dag.end_gbps[:] = 0.0
    for slot in range(first, stop):
        switch = layer.slot_switch[slot]
        if weights.slot_down[slot] <= dag.weight[switch] * (1.0 + weights.tie):
            dag.alone[switch] = np.inf if stop - first == 1 else layer.slot_down_gbps[slot]
            dag.end_gbps[slot - first] = dag.alone[switch] * layer.class_endpoints[destination]
            dag.capacity[switch] = dag.end_gbps[slot - first]
    n_dag = 0
    for position in range(n_settled):
        head = dag.order[position]
        entry, last = layer.in_start[head], layer.in_start[head + 1]
        while entry < last:
            # The parallel cables from one tail stand together.
            tail = layer.in_tail[entry]
            most = dag.weight[tail] * (1.0 + weights.tie)
            n_before = n_dag
            together = 0.0
            while entry < last and layer.in_tail[entry] == tail:
                if dag.weight[head] < dag.weight[tail] and dag.weight[head] + weights.isl[entry] <= most:
                    dag.link[n_dag] = layer.in_link[entry]
                    dag.tail[n_dag] = tail
                    dag.head[n_dag] = head
                    dag.gbps[n_dag] = layer.in_gbps[entry]
                    together += layer.in_gbps[entry]
                    n_dag += 1
                entry += 1
            if n_dag > n_before:
                term = min(together, dag.capacity[head])
                dag.capacity[tail] += term
                dag.alone[tail] += min(together, dag.alone[head])
                for cable in range(n_before, n_dag):
                    dag.gbps[cable] *= term / together
    return n_dag


@kernel
def _find_slot_fractions(layer: LayerArrays, weights: WeightArrays, dag: WeightedDag, fraction: FloatVector) -> None:
    """How each class splits its bytes over its slots: by capacity, among those on paths of least weight.

    Parameters
    ----------
    fraction : (A,) float64
        Out; all zero for a class that cannot reach the destination.
    """
    for source in range(layer.slot_start.shape[0] - 1):
        first, stop = layer.slot_start[source], layer.slot_start[source + 1]
        least = np.inf
        for slot in range(first, stop):
            least = min(least, weights.slot_up[slot] + dag.weight[layer.slot_switch[slot]])
        total = 0.0
        for slot in range(first, stop):
            switch = layer.slot_switch[slot]
            fraction[slot] = 0.0
            if least < np.inf and weights.slot_up[slot] + dag.weight[switch] <= least * (1.0 + weights.tie):
                fraction[slot] = min(layer.slot_up_gbps[slot], dag.alone[switch])
                total += fraction[slot]
        for slot in range(first, stop):
            if total > 0.0:
                fraction[slot] /= total


@kernel
def _find_arrivals(
    layer: LayerArrays,
    destination: int,
    dag: WeightedDag,
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
    at_switch[:] = 0.0
    for slot in range(first, stop):
        switch = layer.slot_switch[slot]
        if stop - first == 1:
            at_switch[switch, 0] = 1.0
        elif dag.end_gbps[slot - first] > 0.0:
            at_switch[switch, slot - first] = dag.end_gbps[slot - first] / dag.capacity[switch]
    for entry in range(n_dag):
        tail, head = dag.tail[entry], dag.head[entry]
        part = dag.gbps[entry] / dag.capacity[tail]
        for k in range(stop - first):
            at_switch[tail, k] += part * at_switch[head, k]
    at_class[:] = 0.0
    for source in range(layer.slot_start.shape[0] - 1):
        for slot in range(layer.slot_start[source], layer.slot_start[source + 1]):
            if fraction[slot] > 0.0:
                for k in range(stop - first):
                    at_class[source, k] += fraction[slot] * at_switch[layer.slot_switch[slot], k]


@kernel
def _note_pair(classes: MemberClassArrays, source: int, member_class: int, pair: Int32Vector) -> None:
    """Note two members that should exchange bytes, if any."""
    for i in range(classes.class_member_start[source], classes.class_member_start[source + 1]):
        for j in range(classes.class_member_start[member_class], classes.class_member_start[member_class + 1]):
            if i != j and classes.member_send[i] * classes.member_receive[j] > 0.0:
                pair[0] = classes.member_endpoint[i]
                pair[1] = classes.member_endpoint[j]
                return


@kernel
def weighted_all_to_all(
    layer: LayerArrays,
    weights: WeightArrays,
    classes: MemberClassArrays,
    rounding: float,
    own_up: FloatVector,
    own_down: FloatVector,
    chunk_number: int,
    n_chunks: int,
    isl_bytes: FloatVector,
    class_up: FloatMatrix,
    class_down: FloatMatrix,
    unreachable: Int32Matrix,
) -> None:
    """Load the links with an all-to-all's pairs in different domains, for every ``n_chunks``-th destination class.

    O(pairs of member classes of one group).  Bytes of a member to itself are in `class_up` and `class_down`, where
    labels do not leave them out, and are taken off by the caller; they are not in `isl_bytes`, for with weights they
    might take a way through the network.

    Parameters
    ----------
    rounding : float
        A difference of sums below this part of them is nothing.
    chunk_number, n_chunks : int
        Destination classes ``chunk_number, chunk_number + n_chunks, ...`` are swept.
    isl_bytes : (T,) float64
        Accumulated.
    class_up : (C, W) float64
        Accumulated: receive weight that each slot of a member class's members sends towards.
    class_down : (C, W) float64
        Send weight that arrives by each slot of a member class's members; written for the classes swept.
    own_up, own_down : (A,) float64
        How a class splits bytes to its own class over its slots, leaving and arriving; written for the classes swept.
    unreachable : (K + 1, 2) int32
        A source and a destination endpoint with bytes and no way between them; written for the classes swept.
    """
    n_switches, n_classes = layer.in_start.shape[0] - 1, layer.slot_start.shape[0] - 1
    width = class_up.shape[1]
    dag = _empty_dag(layer, width)
    fraction = np.empty(layer.slot_switch.shape[0])
    at_switch = np.zeros((n_switches, width))
    at_class = np.zeros((n_classes, width))
    waiting = np.zeros(n_switches)
    for destination in range(chunk_number, n_classes, n_chunks):
        first_run, stop_run = classes.attachment_run_start[destination], classes.attachment_run_start[destination + 1]
        if first_run == stop_run:
            continue
        n_dag = _find_dag(layer, weights, destination, dag)
        _find_slot_fractions(layer, weights, dag, fraction)
        _find_arrivals(layer, destination, dag, n_dag, fraction, at_switch, at_class)
        for slot in range(layer.slot_start[destination], layer.slot_start[destination + 1]):
            own_up[slot] = fraction[slot]
            own_down[slot] = at_class[destination, slot - layer.slot_start[destination]]
        for run in range(first_run, stop_run):
            group = classes.run_group[run]
            for member_class in range(classes.run_class_start[run], classes.run_class_stop[run]):
                receive = classes.class_receive[member_class]
                if receive == 0.0:
                    continue
                for other in range(classes.group_class_start[group], classes.group_class_start[group + 1]):
                    if not exchange(classes, other, member_class, True):
                        continue
                    send, source = classes.class_send[other], classes.attachment[other]
                    amount = send * receive
                    if other == member_class:
                        for i in range(classes.class_member_start[other], classes.class_member_start[other + 1]):
                            amount -= classes.member_send[i] * classes.member_receive[i]
                    exchanged = amount > rounding * send * receive
                    reached = False
                    for slot in range(layer.slot_start[source], layer.slot_start[source + 1]):
                        if fraction[slot] > 0.0:
                            reached = True
                            class_up[other, slot - layer.slot_start[source]] += receive * fraction[slot]
                            if exchanged:
                                waiting[layer.slot_switch[slot]] += amount * fraction[slot]
                    if not reached:
                        _note_pair(classes, other, member_class, unreachable[destination])
                    for k in range(width):
                        class_down[member_class, k] += send * at_class[source, k]
        carry(dag, n_dag, waiting, isl_bytes)


@kernel
def weighted_flows(
    layer: LayerArrays,
    weights: WeightArrays,
    width: int,
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
    width : int
        The largest number of slots of a class.
    endpoint_class : (N,) int32
    endpoint_slot : (N + 1,) int64
        Where each endpoint's slots begin in `slot_up` and `slot_down`.
    chunk_number, n_chunks, isl_bytes, unreachable
        As for `weighted_all_to_all`.
    slot_up, slot_down : (n_endpoint_slots,) float64
        Bytes from and to each endpoint by slot, accumulated.
    """
    n_switches, n_classes = layer.in_start.shape[0] - 1, layer.slot_start.shape[0] - 1
    dag = _empty_dag(layer, width)
    fraction = np.empty(layer.slot_switch.shape[0])
    at_switch = np.zeros((n_switches, width))
    at_class = np.zeros((n_classes, width))
    waiting = np.zeros(n_switches)
    for destination in range(chunk_number, n_classes, n_chunks):
        if flows.class_flow_start[destination] == flows.class_flow_start[destination + 1]:
            continue
        n_dag = _find_dag(layer, weights, destination, dag)
        _find_slot_fractions(layer, weights, dag, fraction)
        _find_arrivals(layer, destination, dag, n_dag, fraction, at_switch, at_class)
        send_flows(
            layer, flows, destination, endpoint_class, endpoint_slot, fraction, at_class, waiting, slot_up, slot_down,
            unreachable[destination],
        )  # fmt: skip
        carry(dag, n_dag, waiting, isl_bytes)


@kernel
def weighted_paths(
    layer: LayerArrays,
    weights: WeightArrays,
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
    n_switches, n_classes = layer.in_start.shape[0] - 1, layer.slot_start.shape[0] - 1
    dag = _empty_dag(layer, up_part.shape[1])
    fraction = np.empty(layer.slot_switch.shape[0])
    at_switch = np.zeros((n_switches, up_part.shape[1]))
    at_class = np.zeros((n_classes, up_part.shape[1]))
    waiting = np.zeros(n_switches)
    destination = -1
    n_dag = 0
    for pair in range(source_class.shape[0]):
        if destination_class[pair] != destination:
            destination = destination_class[pair]
            n_dag = _find_dag(layer, weights, destination, dag)
            _find_slot_fractions(layer, weights, dag, fraction)
            _find_arrivals(layer, destination, dag, n_dag, fraction, at_switch, at_class)
        source = source_class[pair]
        for slot in range(layer.slot_start[source], layer.slot_start[source + 1]):
            up_part[pair, slot - layer.slot_start[source]] = fraction[slot]
            waiting[layer.slot_switch[slot]] += fraction[slot]
        down_part[pair] = at_class[source]
        carry(dag, n_dag, waiting, isl_part[pair])
