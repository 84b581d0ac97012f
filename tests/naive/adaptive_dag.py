"""Adaptive routing's next hops from the definition: slow, obvious code that referees the kernels.

A network is a dictionary ``(tail, head) -> capacity of all cables between the two``.  A search starts at some switches,
``switch -> (distance, capacity that leads on, the same to one endpoint)``.
"""

from functools import cache
from typing import Any


def cables_together(layer):
    """Capacity from switch to switch, by the links of the layer's arrays."""
    together: dict[tuple[int, int], float] = {}
    for head in range(len(layer.arrays.in_start) - 1):
        for entry in range(layer.arrays.in_start[head], layer.arrays.in_start[head + 1]):
            pair = int(layer.arrays.in_tail[entry]), head
            together[pair] = together.get(pair, 0.0) + float(layer.arrays.in_gbps[entry])
    return together


def class_starts(layer, attachment):
    """Where a search for one attachment class starts: its own switches."""
    arrays = layer.arrays
    slots = range(arrays.slot_start[attachment], arrays.slot_start[attachment + 1])
    found: dict[int, Any] = {}
    for slot in slots:
        alone = float("inf") if len(slots) == 1 else float(arrays.slot_down_gbps[slot])
        found[int(arrays.slot_switch[slot])] = (0, alone * float(arrays.class_endpoints[attachment]), alone)
    return found


def naive_distances(network, starts):
    """Hops from every switch that has a way, none through a start that is farther away than the way is long."""
    distance = {switch: start[0] for switch, start in starts.items()}
    for _ in network:
        for tail, head in network:
            if head in distance and tail not in starts:
                distance[tail] = min(distance.get(tail, 1 << 30), distance[head] + 1)
    return distance


def naive_next_hops(network, starts):
    """``(tail, head) -> share`` of every next hop, and the capacities that lead on from every switch."""
    distance = naive_distances(network, starts)
    hops = [
        (tail, head)
        for tail, head in network
        if tail in distance and tail not in starts and head in distance and distance[tail] == distance[head] + 1
    ]

    @cache
    def onward(switch, which):
        if switch in starts:
            return starts[switch][which]
        return sum(min(network[hop], onward(hop[1], which)) for hop in hops if hop[0] == switch)

    share = {hop: min(network[hop], onward(hop[1], 1)) / onward(hop[0], 1) for hop in hops}
    return share, {switch: (onward(switch, 1), onward(switch, 2)) for switch in distance}


def naive_ends(network, starts, switch):
    """``start -> part`` of the bytes at a switch that comes to each start."""
    share, _ = naive_next_hops(network, starts)

    def parts(at):
        if at in starts:
            return {at: 1.0}
        found: dict[int, float] = {}
        for (tail, head), part in share.items():
            if tail == at:
                for end, more in parts(head).items():
                    found[end] = found.get(end, 0.0) + part * more
        return found

    return parts(switch)


def naive_bundle_bytes(network, starts, waiting):
    """Bytes on every next hop when ``waiting[switch]`` bytes are sent from every switch."""
    share, _ = naive_next_hops(network, starts)

    def leaving(switch):
        return waiting[switch] + sum(leaving(tail) * part for (tail, head), part in share.items() if head == switch)

    return {hop: leaving(hop[0]) * part for hop, part in share.items()}


def naive_last_hops(network, layer, attachment):
    """``neighbour -> (capacity, the same to one endpoint)`` of the switches before a class's own."""
    own = class_starts(layer, attachment)
    found: dict[int, Any] = {}
    for (tail, head), gbps in network.items():
        if head in own and tail not in own:
            capacity, alone = found.get(tail, (0.0, 0.0))
            found[tail] = capacity + min(gbps, own[head][1]), alone + min(gbps, own[head][2])
    return found
