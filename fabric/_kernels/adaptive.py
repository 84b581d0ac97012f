"""Adaptive routing by the destination sweep: bytes split in proportion to the capacity that leads on.

For a destination attached to the switches L, a breadth-first search from L over incoming links gives the DAG of
shortest next hops.  With C(l) = infinity at a lone destination leaf (an endpoint on several leaves: the capacity of
its cables to each), C(u) = sum over next hops v of min(capacity(u, v), C(v)), and switch u sends the share
min(capacity(u, v), C(v)) / C(u) over each next hop.  A switch leaves the search's queue after all its next hops, so
one pass over the links fills C and lists the DAG; the list read backwards carries the bytes.  O(T) for a destination
class, whatever the number of sources.
"""

import numba
import numpy as np

from fabric._kernels.columns import (
    CellColumns,
    Dag,
    FloatMatrix,
    FloatVector,
    FlowColumns,
    Int32Matrix,
    Int32Vector,
    Int64Vector,
    NetworkColumns,
)

# nogil: the caller runs one share of the destinations per thread.  error_model: no branch on every division.
kernel = numba.njit(cache=True, nogil=True, error_model="numpy")


@kernel
def _empty_dag(net: NetworkColumns) -> Dag:
    n_switches, n_trunks = net.in_start.shape[0] - 1, net.in_tail.shape[0]
    return Dag(
        np.empty(n_switches),
        np.empty(n_switches, np.int32),
        np.empty(n_switches, np.int32),
        np.empty(n_trunks, np.int32),
        np.empty(n_trunks, np.int32),
        np.empty(n_trunks, np.int32),
        np.empty(n_trunks),
    )


@kernel
def _width(net: NetworkColumns) -> int:
    """The largest number of slots of a class, at least 1."""
    width = 1
    for source in range(net.slot_start.shape[0] - 1):
        width = max(width, net.slot_start[source + 1] - net.slot_start[source])
    return width


@kernel
def _find_dag(net: NetworkColumns, destination: int, dag: Dag) -> int:
    """Fill `dag` for the way to class `destination`; returns the number of its links."""
    dag.distance[:] = -1
    dag.capacity[:] = 0.0
    first, stop = net.slot_start[destination], net.slot_start[destination + 1]
    n_queued = 0
    for slot in range(first, stop):
        switch = net.slot_switch[slot]
        dag.distance[switch] = 0
        dag.capacity[switch] = np.inf if stop - first == 1 else net.slot_down_gbps[slot]
        dag.queue[n_queued] = switch
        n_queued += 1
    n_dag = 0
    position = 0
    while position < n_queued:
        head = dag.queue[position]
        position += 1
        onward = dag.capacity[head]
        farther = dag.distance[head] + 1
        for entry in range(net.in_start[head], net.in_start[head + 1]):
            tail = net.in_tail[entry]
            if dag.distance[tail] < 0:
                dag.distance[tail] = farther
                dag.queue[n_queued] = tail
                n_queued += 1
            if dag.distance[tail] == farther:
                gbps = min(net.in_gbps[entry], onward)
                dag.capacity[tail] += gbps
                dag.link[n_dag] = net.in_link[entry]
                dag.tail[n_dag] = tail
                dag.head[n_dag] = head
                dag.gbps[n_dag] = gbps
                n_dag += 1
    return n_dag


@kernel
def _find_slot_shares(net: NetworkColumns, dag: Dag, share: FloatVector) -> None:
    """How each class splits its bytes over its slots: by capacity, among those nearest to the destination.

    Parameters
    ----------
    share : (A,) float64
        Out; all zero for a class that cannot reach the destination.
    """
    for source in range(net.slot_start.shape[0] - 1):
        nearest = -1
        total = 0.0
        for slot in range(net.slot_start[source], net.slot_start[source + 1]):
            reach = dag.distance[net.slot_switch[slot]]
            share[slot] = 0.0
            if reach >= 0 and (nearest < 0 or reach < nearest):
                nearest = reach
        for slot in range(net.slot_start[source], net.slot_start[source + 1]):
            switch = net.slot_switch[slot]
            if nearest >= 0 and dag.distance[switch] == nearest:
                share[slot] = min(net.slot_up_gbps[slot], dag.capacity[switch])
                total += share[slot]
        for slot in range(net.slot_start[source], net.slot_start[source + 1]):
            if total > 0.0:
                share[slot] /= total


@kernel
def _find_arrivals(
    net: NetworkColumns,
    destination: int,
    dag: Dag,
    n_dag: int,
    share: FloatVector,
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
    first, stop = net.slot_start[destination], net.slot_start[destination + 1]
    n_slots = stop - first
    if n_slots > 1:
        at_switch[:] = 0.0
        for slot in range(first, stop):
            at_switch[net.slot_switch[slot], slot - first] = 1.0
        for entry in range(n_dag):
            part = dag.gbps[entry] / dag.capacity[dag.tail[entry]]
            for k in range(n_slots):
                at_switch[dag.tail[entry], k] += part * at_switch[dag.head[entry], k]
    at_class[:] = 0.0
    for source in range(net.slot_start.shape[0] - 1):
        for slot in range(net.slot_start[source], net.slot_start[source + 1]):
            if n_slots == 1 and share[slot] > 0.0:
                at_class[source, 0] = 1.0
            elif n_slots > 1:
                for k in range(n_slots):
                    at_class[source, k] += share[slot] * at_switch[net.slot_switch[slot], k]


@kernel
def _carry(dag: Dag, n_dag: int, waiting: FloatVector, trunk_bytes: FloatVector) -> None:
    """Carry the bytes that wait at switches to the destination; empties `waiting` ((S,) float64).  O(DAG links)."""
    for entry in range(n_dag - 1, -1, -1):
        tail = dag.tail[entry]
        if waiting[tail] > 0.0:
            carried = waiting[tail] * (dag.gbps[entry] / dag.capacity[tail])
            trunk_bytes[dag.link[entry]] += carried
            waiting[dag.head[entry]] += carried
    waiting[:] = 0.0


@kernel
def _note_pair(cells: CellColumns, run: int, source: int, between_domains: bool, pair: Int32Vector) -> None:
    """Note a source endpoint in cell `source` and a destination in the run that should exchange bytes, if any."""
    for cell in range(cells.run_cell_start[run], cells.run_cell_stop[run]):
        same_domain = cells.label[0, cell] > 0 and cells.label[0, cell] == cells.label[0, source]
        same_block = cells.label[1, cell] > 0 and cells.label[1, cell] == cells.label[1, source]
        if same_block or same_domain == between_domains:
            continue
        for i in range(cells.cell_member_start[source], cells.cell_member_start[source + 1]):
            for j in range(cells.cell_member_start[cell], cells.cell_member_start[cell + 1]):
                if i != j and cells.member_send[i] * cells.member_receive[j] > 0.0:
                    pair[0] = cells.member_endpoint[i]
                    pair[1] = cells.member_endpoint[j]
                    return


@kernel
def sweep_all_to_all(
    net: NetworkColumns,
    cells: CellColumns,
    between_domains: bool,
    share_number: int,
    n_shares: int,
    trunk_bytes: FloatVector,
    cell_up: FloatMatrix,
    cell_down: FloatMatrix,
    own_share: FloatVector,
    unreachable: Int32Matrix,
) -> None:
    """Load the links with an all-to-all, for every ``n_shares``-th destination class.

    Who exchanges with whom is counted by inclusion and exclusion over the labels (domain, block, both), so that a
    destination class costs its groups' cells and never their pairs; members are counted beside the weights, so that
    "nobody" is exactly zero.  Pairs ``i == i`` are counted where labels do not leave them out (they stay on their own
    switch) and are taken off the endpoints' cables by the caller.

    Parameters
    ----------
    between_domains : bool
        True: pairs in different domains (scale-out); False: pairs in one domain (scale-up).
    share_number, n_shares : int
        Destination classes ``share_number, share_number + n_shares, ...`` are swept.
    trunk_bytes : (T,) float64
        Accumulated.
    cell_up : (C, W) float64
        Accumulated: receive weight that each slot of a cell's members sends towards.
    cell_down : (C, W) float64
        Send weight that arrives by each slot of a cell's members; written for the classes swept.
    own_share : (A,) float64
        How a class splits bytes to its own class; written for the classes swept.
    unreachable : (K + 1, 2) int32
        A source and a destination endpoint with bytes and no way between them; written for the classes swept.
    """
    n_switches, n_classes = net.in_start.shape[0] - 1, net.slot_start.shape[0] - 1
    width = cell_up.shape[1]
    dag = _empty_dag(net)
    share = np.empty(net.slot_switch.shape[0])
    at_switch = np.zeros((n_switches, width))
    at_class = np.zeros((n_classes, width))
    waiting = np.zeros(n_switches)
    # By kind of label: receive weight and members of the destination run, send weight by slot of their sources.
    weight = np.zeros((3, cells.n_labels))
    count = np.zeros((3, cells.n_labels))
    sent = np.zeros((3, cells.n_labels, width))
    arriving = np.zeros(width)
    for destination in range(share_number, n_classes, n_shares):
        first_run, stop_run = cells.class_run_start[destination], cells.class_run_start[destination + 1]
        if first_run == stop_run:
            continue
        n_dag = _find_dag(net, destination, dag)
        _find_slot_shares(net, dag, share)
        _find_arrivals(net, destination, dag, n_dag, share, at_switch, at_class)
        for slot in range(net.slot_start[destination], net.slot_start[destination + 1]):
            own_share[slot] = share[slot]
        for run in range(first_run, stop_run):
            first, stop = cells.run_cell_start[run], cells.run_cell_stop[run]
            all_weight = 0.0
            all_count = 0.0
            for cell in range(first, stop):
                members = float(cells.cell_member_start[cell + 1] - cells.cell_member_start[cell])
                all_weight += cells.cell_receive[cell]
                all_count += members
                for kind in range(3):
                    label = cells.label[kind, cell]
                    if label > 0:
                        weight[kind, label] += cells.cell_receive[cell]
                        count[kind, label] += members
            arriving[:] = 0.0
            group = cells.run_group[run]
            for cell in range(cells.group_cell_start[group], cells.group_cell_start[group + 1]):
                source, send = cells.cell_class[cell], cells.cell_send[cell]
                domain, block, joint = cells.label[0, cell], cells.label[1, cell], cells.label[2, cell]
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
                        label = cells.label[kind, cell]
                        if count[kind, label] > 0.0:
                            sent[kind, label, k] += arrived
                if partners < 0.5 or receive <= 0.0:
                    continue
                reached = False
                for slot in range(net.slot_start[source], net.slot_start[source + 1]):
                    if share[slot] > 0.0:
                        reached = True
                        waiting[net.slot_switch[slot]] += send * receive * share[slot]
                        cell_up[cell, slot - net.slot_start[source]] += receive * share[slot]
                if not reached and send > 0.0:
                    _note_pair(cells, run, cell, between_domains, unreachable[destination])
            for cell in range(first, stop):
                domain, block, joint = cells.label[0, cell], cells.label[1, cell], cells.label[2, cell]
                for k in range(width):
                    if between_domains:
                        left_out = sent[0, domain, k] + (sent[1, block, k] - sent[2, joint, k])
                        rest = arriving[k] - left_out
                        # What is only rounding is nothing: an idle link stays idle.
                        cell_down[cell, k] = rest if rest > 1e-12 * arriving[k] else 0.0
                    else:
                        cell_down[cell, k] = sent[0, domain, k] - sent[2, joint, k]
            for cell in range(first, stop):
                for kind in range(3):
                    label = cells.label[kind, cell]
                    weight[kind, label] = 0.0
                    count[kind, label] = 0.0
                    sent[kind, label, :] = 0.0
        _carry(dag, n_dag, waiting, trunk_bytes)


@kernel
def sweep_flows(
    net: NetworkColumns,
    flows: FlowColumns,
    endpoint_class: Int32Vector,
    endpoint_slot: Int64Vector,
    share_number: int,
    n_shares: int,
    trunk_bytes: FloatVector,
    slot_up: FloatVector,
    slot_down: FloatVector,
    unreachable: Int32Matrix,
) -> None:
    """Load the links with explicit flows, for every ``n_shares``-th destination class.

    Parameters
    ----------
    endpoint_class : (N,) int32
    endpoint_slot : (N,) int64
        Where each endpoint's slots begin in `slot_up` and `slot_down`.
    share_number, n_shares, trunk_bytes, unreachable
        As for `sweep_all_to_all`.
    slot_up, slot_down : (n_endpoint_slots,) float64
        Bytes from and to each endpoint by slot, accumulated.
    """
    n_switches, n_classes = net.in_start.shape[0] - 1, net.slot_start.shape[0] - 1
    width = _width(net)
    dag = _empty_dag(net)
    share = np.empty(net.slot_switch.shape[0])
    at_switch = np.zeros((n_switches, width))
    at_class = np.zeros((n_classes, width))
    waiting = np.zeros(n_switches)
    for destination in range(share_number, n_classes, n_shares):
        first, stop = flows.class_flow_start[destination], flows.class_flow_start[destination + 1]
        if first == stop:
            continue
        n_dag = _find_dag(net, destination, dag)
        _find_slot_shares(net, dag, share)
        _find_arrivals(net, destination, dag, n_dag, share, at_switch, at_class)
        n_slots = net.slot_start[destination + 1] - net.slot_start[destination]
        for flow in range(first, stop):
            src, dst = flows.src[flow], flows.dst[flow]
            source = endpoint_class[src]
            reached = False
            for slot in range(net.slot_start[source], net.slot_start[source + 1]):
                if share[slot] > 0.0:
                    reached = True
                    amount = flows.bytes[flow] * share[slot]
                    waiting[net.slot_switch[slot]] += amount
                    slot_up[endpoint_slot[src] + slot - net.slot_start[source]] += amount
            for k in range(n_slots):
                slot_down[endpoint_slot[dst] + k] += flows.bytes[flow] * at_class[source, k]
            if not reached and flows.bytes[flow] > 0.0:
                unreachable[destination, 0] = src
                unreachable[destination, 1] = dst
        _carry(dag, n_dag, waiting, trunk_bytes)


@kernel
def split_paths(
    net: NetworkColumns,
    source_class: Int32Vector,
    destination_class: Int32Vector,
    trunk_part: FloatMatrix,
    up_part: FloatMatrix,
    down_part: FloatMatrix,
) -> None:
    """How one unit from class to class splits over the trunks.

    Parameters
    ----------
    source_class, destination_class : (P,) int32
        Pairs of classes, sorted by destination.
    trunk_part : (P, T) float64
        Out, zero at first: part of the unit on each trunk.
    up_part, down_part : (P, W) float64
        Out, zero at first: part by slot of the source, and of the destination; all zero where there is no way.
    """
    dag = _empty_dag(net)
    share = np.empty(net.slot_switch.shape[0])
    n_switches, n_classes = net.in_start.shape[0] - 1, net.slot_start.shape[0] - 1
    at_switch = np.zeros((n_switches, up_part.shape[1]))
    at_class = np.zeros((n_classes, up_part.shape[1]))
    waiting = np.zeros(n_switches)
    destination = -1
    n_dag = 0
    for pair in range(source_class.shape[0]):
        if destination_class[pair] != destination:
            destination = destination_class[pair]
            n_dag = _find_dag(net, destination, dag)
            _find_slot_shares(net, dag, share)
            _find_arrivals(net, destination, dag, n_dag, share, at_switch, at_class)
        source = source_class[pair]
        for slot in range(net.slot_start[source], net.slot_start[source + 1]):
            up_part[pair, slot - net.slot_start[source]] = share[slot]
            waiting[net.slot_switch[slot]] += share[slot]
        down_part[pair] = at_class[source]
        _carry(dag, n_dag, waiting, trunk_part[pair])
