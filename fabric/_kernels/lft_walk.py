"""Routing by the switches' own forwarding tables.

For one destination LID every switch has one next link, so the ways to it form a tree, apart from ways that end
nowhere or run in a circle.  Following each way once, with what was found on others, takes O(S) for a LID; the tree
read from its leaves carries the bytes.
"""

import numpy as np

from fabric._kernels.arrays import (
    BoolVector,
    FloatMatrix,
    FloatVector,
    Int8Matrix,
    Int32Vector,
    Int64Matrix,
    Int64Vector,
    LayerArrays,
    LftArrays,
    MemberClassArrays,
    WayEnd,
    Ways,
)
from fabric._kernels.compile import kernel
from fabric._kernels.endpoints import exchange, most_slots


@kernel
def _empty_ways(n_lids: int, n_switches: int) -> Ways:
    return Ways(
        np.empty((n_lids, n_switches), np.int8),
        np.empty((n_lids, n_switches), np.int32),
        np.zeros(n_lids, np.int64),
        np.zeros((n_lids, n_switches)),
    )


@kernel
def _most_rows(lft: LftArrays) -> int:
    most = 1
    for endpoint in range(lft.row_start.shape[0] - 1):
        most = max(most, lft.row_start[endpoint + 1] - lft.row_start[endpoint])
    return most


@kernel
def _find_ways(lft: LftArrays, endpoint: int, ways: Ways, path: Int32Vector) -> int:
    """Fill `ways` for an endpoint; returns its number of LIDs.  `path` is room for S switches."""
    first, stop = lft.row_start[endpoint], lft.row_start[endpoint + 1]
    n_switches = lft.next_link.shape[1]
    for row in range(first, stop):
        lid = row - first
        state, order = ways.state[lid], ways.order[lid]
        state[:] = WayEnd.UNKNOWN
        n_order = 0
        for start in range(n_switches):
            if state[start] != WayEnd.UNKNOWN:
                continue
            n_path = 0
            at = start
            found = WayEnd.UNKNOWN.value
            while found == WayEnd.UNKNOWN:
                # On the path so far: a loop until something better is known.
                state[at] = WayEnd.LOOP
                path[n_path] = at
                n_path += 1
                link = lft.next_link[row, at]
                if link < 0:
                    found = link
                elif lft.link_switch[link] >= 0:
                    at = lft.link_switch[link]
                    found = state[at]
                elif lft.link_endpoint[link] == endpoint:
                    found = WayEnd.REACHES.value
                else:
                    found = WayEnd.WRONG_END.value
            for position in range(n_path - 1, -1, -1):
                state[path[position]] = found
                if found == WayEnd.REACHES:
                    order[n_order] = path[position]
                    n_order += 1
        ways.n_order[lid] = n_order
    return int(stop - first)


@kernel
def _find_fractions(
    layer: LayerArrays, source: int, ways: Ways, n_lids: int, fraction: FloatVector, reached: Int64Vector
) -> bool:
    """How class `source` splits its bytes over its slots: by capacity, among those from which a LID is reached.

    Parameters
    ----------
    fraction : (W,) float64
        Out, by slot.
    reached : (W,) int64
        Out: number of LIDs that are reached from the slot.

    Returns
    -------
    bool
        Whether any is.
    """
    first = layer.slot_start[source]
    total = 0.0
    for slot in range(first, layer.slot_start[source + 1]):
        k = slot - first
        reached[k] = 0
        for lid in range(n_lids):
            if ways.state[lid, layer.slot_switch[slot]] == WayEnd.REACHES:
                reached[k] += 1
        fraction[k] = layer.slot_up_gbps[slot] if reached[k] > 0 else 0.0
        total += fraction[k]
    for slot in range(first, layer.slot_start[source + 1]):
        if total > 0.0:
            fraction[slot - first] /= total
    return total > 0.0


@kernel
def _put(
    layer: LayerArrays, source: int, amount: float, ways: Ways, n_lids: int, fraction: FloatVector, reached: Int64Vector
) -> None:
    """Let `amount` bytes of class `source` wait at its switches, split over the LIDs that are reached from there."""
    first = layer.slot_start[source]
    for slot in range(first, layer.slot_start[source + 1]):
        k = slot - first
        if fraction[k] > 0.0:
            for lid in range(n_lids):
                if ways.state[lid, layer.slot_switch[slot]] == WayEnd.REACHES:
                    ways.waiting[lid, layer.slot_switch[slot]] += amount * fraction[k] / reached[k]


@kernel
def _carry(lft: LftArrays, endpoint: int, ways: Ways, n_lids: int, link_bytes: FloatVector) -> None:
    """Carry the bytes that wait to the endpoint; empties `ways.waiting`."""
    first = lft.row_start[endpoint]
    for lid in range(n_lids):
        for position in range(ways.n_order[lid] - 1, -1, -1):
            switch = ways.order[lid, position]
            amount = ways.waiting[lid, switch]
            if amount > 0.0:
                link = lft.next_link[first + lid, switch]
                link_bytes[link] += amount
                if lft.link_switch[link] >= 0:
                    ways.waiting[lid, lft.link_switch[link]] += amount
                ways.waiting[lid, switch] = 0.0


@kernel
def lft_all_to_all(
    layer: LayerArrays,
    classes: MemberClassArrays,
    class_of_member: Int64Vector,
    member_group: Int64Vector,
    between_domains: bool,
    lft: LftArrays,
    chunk_number: int,
    n_chunks: int,
    link_bytes: FloatVector,
    class_up: FloatMatrix,
    member_own_up: FloatMatrix,
    unrouted: FloatVector,
) -> None:
    """Load the links with an all-to-all along forwarding tables, for every ``n_chunks``-th member as destination.

    Parameters
    ----------
    class_of_member, member_group : (M,) int64
        Member class and group of each member.
    between_domains : bool
        True: pairs in different domains (scale-out); False: pairs in one domain (scale-up).
    chunk_number, n_chunks : int
        Members ``chunk_number, chunk_number + n_chunks, ...`` are taken.
    link_bytes : (L,) float64
        Accumulated: bytes on the links that leave switches.
    class_up : (C, W) float64
        Accumulated: receive weight that each slot of a member class sends towards, members to themselves included.
    member_own_up : (M, W) float64
        Out: the part of it that is a member's own; written for the members taken.
    unrouted : (4,) float64
        Accumulated: pairs without a way, and their bytes; the source (-1 at first) and destination of one of them.
    """
    width = class_up.shape[1]
    ways = _empty_ways(_most_rows(lft), lft.next_link.shape[1])
    path = np.empty(lft.next_link.shape[1], np.int32)
    fraction = np.zeros(width)
    reached = np.zeros(width, np.int64)
    for j in range(chunk_number, classes.member_endpoint.shape[0], n_chunks):
        receive, dst, home = classes.member_receive[j], classes.member_endpoint[j], class_of_member[j]
        if receive == 0.0:
            continue
        n_lids = _find_ways(lft, dst, ways, path)
        group = member_group[j]
        for member_class in range(classes.group_class_start[group], classes.group_class_start[group + 1]):
            if not exchange(classes, member_class, home, between_domains):
                continue
            send = classes.class_send[member_class]
            members = classes.class_member_start[member_class + 1] - classes.class_member_start[member_class]
            if member_class == home:
                send -= classes.member_send[j]
                members -= 1
            if members == 0 or send <= 0.0:
                continue
            source = classes.attachment[member_class]
            if not _find_fractions(layer, source, ways, n_lids, fraction, reached):
                for i in range(classes.class_member_start[member_class], classes.class_member_start[member_class + 1]):
                    if i != j and classes.member_send[i] > 0.0:
                        unrouted[0] += 1.0
                        unrouted[1] += classes.member_send[i] * receive
                        if unrouted[2] < 0.0:
                            unrouted[2] = classes.member_endpoint[i]
                            unrouted[3] = dst
                continue
            _put(layer, source, send * receive, ways, n_lids, fraction, reached)
            for k in range(layer.slot_start[source + 1] - layer.slot_start[source]):
                class_up[member_class, k] += receive * fraction[k]
                if member_class == home:
                    member_own_up[j, k] = classes.member_send[j] * receive * fraction[k]
        _carry(lft, dst, ways, n_lids, link_bytes)


@kernel
def lft_flows(
    layer: LayerArrays,
    run_start: Int64Vector,
    src: Int32Vector,
    dst: Int32Vector,
    amount: FloatVector,
    endpoint_class: Int32Vector,
    endpoint_slot: Int64Vector,
    lft: LftArrays,
    chunk_number: int,
    n_chunks: int,
    link_bytes: FloatVector,
    slot_up: FloatVector,
    unrouted: FloatVector,
) -> None:
    """Load the links with explicit flows along forwarding tables, for every ``n_chunks``-th run of flows.

    Parameters
    ----------
    run_start : (n_runs + 1,) int64
        Where the flows to one destination begin; `src`, `dst` and `amount` are sorted by destination.
    endpoint_class : (N,) int32
    endpoint_slot : (N,) int64
        Where each endpoint's slots begin in `slot_up`.
    slot_up : (n_endpoint_slots,) float64
        Bytes from each endpoint by slot, accumulated.
    chunk_number, n_chunks, link_bytes, unrouted
        As for `lft_all_to_all`.
    """
    width = most_slots(layer)
    ways = _empty_ways(_most_rows(lft), lft.next_link.shape[1])
    path = np.empty(lft.next_link.shape[1], np.int32)
    fraction = np.zeros(width)
    reached = np.zeros(width, np.int64)
    for run in range(chunk_number, run_start.shape[0] - 1, n_chunks):
        endpoint = dst[run_start[run]]
        n_lids = _find_ways(lft, endpoint, ways, path)
        for flow in range(run_start[run], run_start[run + 1]):
            if amount[flow] == 0.0:
                continue
            source = endpoint_class[src[flow]]
            if not _find_fractions(layer, source, ways, n_lids, fraction, reached):
                unrouted[0] += 1.0
                unrouted[1] += amount[flow]
                if unrouted[2] < 0.0:
                    unrouted[2] = src[flow]
                    unrouted[3] = endpoint
                continue
            _put(layer, source, amount[flow], ways, n_lids, fraction, reached)
            for k in range(layer.slot_start[source + 1] - layer.slot_start[source]):
                slot_up[endpoint_slot[src[flow]] + k] += amount[flow] * fraction[k]
        _carry(lft, endpoint, ways, n_lids, link_bytes)


@kernel
def way_states(lft: LftArrays, state: Int8Matrix) -> None:
    """Say of every LID and switch where the way ends.

    Parameters
    ----------
    state : (R, S) int8
        Out: `WayEnd` of each.
    """
    ways = _empty_ways(_most_rows(lft), lft.next_link.shape[1])
    path = np.empty(lft.next_link.shape[1], np.int32)
    for endpoint in range(lft.row_start.shape[0] - 1):
        n_lids = _find_ways(lft, endpoint, ways, path)
        for lid in range(n_lids):
            state[lft.row_start[endpoint] + lid] = ways.state[lid]


@kernel
def mark_turns(
    lft: LftArrays,
    is_source: BoolVector,
    in_place: Int32Vector,
    out_place: Int32Vector,
    turn_start: Int64Vector,
    n_out: Int64Vector,
    used: BoolVector,
) -> None:
    """Mark which link follows which on some route between endpoints: the channel dependency graph.

    The turn from link a into link b at switch u has number ``turn_start[u] + in_place[a] * n_out[u] + out_place[b]``.

    Parameters
    ----------
    is_source : (S,) bool
        Switches with endpoints: routes begin there.
    in_place, out_place : (L,) int32
        Position of a link among the ISLs into, and out of, a switch.
    turn_start : (S,) int64
    n_out : (S,) int64
    used : (n_turns,) bool
        Out, accumulated.
    """
    n_switches = lft.next_link.shape[1]
    ways = _empty_ways(_most_rows(lft), n_switches)
    path = np.empty(n_switches, np.int32)
    seen = np.zeros(n_switches, np.bool_)
    for endpoint in range(lft.row_start.shape[0] - 1):
        n_lids = _find_ways(lft, endpoint, ways, path)
        for lid in range(n_lids):
            row = lft.row_start[endpoint] + lid
            seen[:] = False
            for source in range(n_switches):
                if not is_source[source] or ways.state[lid, source] != WayEnd.REACHES:
                    continue
                at = source
                link = lft.next_link[row, at]
                while lft.link_switch[link] >= 0 and not seen[at]:
                    seen[at] = True
                    at = lft.link_switch[link]
                    onward = lft.next_link[row, at]
                    if lft.link_switch[onward] >= 0:
                        used[turn_start[at] + in_place[link] * n_out[at] + out_place[onward]] = True
                    link = onward


@kernel
def peel_turns(turns: Int64Matrix, n_links: int, left: BoolVector) -> int:
    """Take links away that no remaining link leads into, until none is left or all remaining lie on or behind cycles.

    Parameters
    ----------
    turns : (n_turns, 2) int64
        Pairs of links (a, b), b after a, sorted by a.
    left : (L,) bool
        Out: the links that remain.

    Returns
    -------
    int
        How many remain; 0 if there is no cycle.
    """
    start = np.zeros(n_links + 1, np.int64)
    entering = np.zeros(n_links, np.int64)
    for turn in range(turns.shape[0]):
        start[turns[turn, 0] + 1] += 1
        entering[turns[turn, 1]] += 1
    for link in range(n_links):
        start[link + 1] += start[link]
    queue = np.empty(n_links, np.int64)
    n_queued = 0
    left[:] = True
    for link in range(n_links):
        if entering[link] == 0:
            queue[n_queued] = link
            n_queued += 1
    position = 0
    while position < n_queued:
        link = queue[position]
        left[link] = False
        position += 1
        for turn in range(start[link], start[link + 1]):
            head = turns[turn, 1]
            entering[head] -= 1
            if entering[head] == 0:
                queue[n_queued] = head
                n_queued += 1
    return n_links - n_queued


@kernel
def lft_paths(
    layer: LayerArrays,
    src: Int32Vector,
    dst: Int32Vector,
    endpoint_class: Int32Vector,
    endpoint_slot: Int64Vector,
    width: int,
    most_rows: int,
    up_link: Int32Vector,
    lft: LftArrays,
    part: FloatVector,
    hop_start: Int64Vector,
    hop_link: Int32Vector,
) -> None:
    """Measure, or write, the links of each part of each flow: one for each port of the source and LID.

    Parameters
    ----------
    src, dst : (F,) int32
        Endpoints, sorted by destination.
    most_rows : int
        Largest number of LIDs of an endpoint.
    up_link : (n_endpoint_slots,) int32
        A link of each endpoint slot.
    part : (F * width * most_rows,) float64
        Out: part of the flow's bytes; 0 where a port or LID is not used.
    hop_start : (F * width * most_rows + 1,) int64
        Where each part's hops begin; with an empty `hop_link` out, from 1 on: number of links.
    hop_link : (H,) int32
        Out, or empty to measure.
    """
    write = hop_link.shape[0] > 0
    ways = _empty_ways(most_rows, lft.next_link.shape[1])
    path = np.empty(lft.next_link.shape[1], np.int32)
    fraction = np.zeros(width)
    reached = np.zeros(width, np.int64)
    n_lids, endpoint = 0, -1
    for flow in range(src.shape[0]):
        if dst[flow] != endpoint:
            endpoint = dst[flow]
            n_lids = _find_ways(lft, endpoint, ways, path)
        source = endpoint_class[src[flow]]
        if not _find_fractions(layer, source, ways, n_lids, fraction, reached):
            continue
        first = layer.slot_start[source]
        for slot in range(first, layer.slot_start[source + 1]):
            k = slot - first
            for lid in range(n_lids if fraction[k] > 0.0 else 0):
                if ways.state[lid, layer.slot_switch[slot]] != WayEnd.REACHES:
                    continue
                number = (flow * width + k) * most_rows + lid
                part[number] = fraction[k] / reached[k]
                place = hop_start[number]
                if write:
                    hop_link[place] = up_link[endpoint_slot[src[flow]] + k]
                n_hops = 1
                switch = layer.slot_switch[slot]
                while switch >= 0:
                    link = lft.next_link[lft.row_start[endpoint] + lid, switch]
                    if write:
                        hop_link[place + n_hops] = link
                    n_hops += 1
                    switch = lft.link_switch[link]
                if not write:
                    hop_start[number + 1] = n_hops
