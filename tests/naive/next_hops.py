"""Next hops towards a class of endpoints, from the definitions: slow, obvious code that referees the kernels."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Way:
    """What a switch knows of the way to a class; hops are (ISL, switch)."""

    distance: int
    hops: list[tuple[int, int]]
    choices: int
    fan: int
    end_slot: int


def naive_ways(layer, destination):
    """The `Way` of every switch, None where there is none."""
    first, stop = layer.slot_start[destination], layer.slot_start[destination + 1]
    leaves = layer.slot_switch[first:stop].tolist()
    n_switches = len(layer.out_start) - 1
    distance = dict.fromkeys(leaves, 0)
    while True:
        farther = {
            switch: max(distance.values()) + 1
            for switch in range(n_switches)
            if switch not in distance and any(head in distance for _, head in out(layer, switch))
        }
        if not farther:
            break
        distance |= farther

    def hops(switch):
        return [hop for hop in out(layer, switch) if distance.get(hop[1], -9) == distance[switch] - 1]

    def forced(switch):
        return distance[switch] == 0 or (len(hops(switch)) == 1 and forced(hops(switch)[0][1]))

    def choices(switch):
        if forced(switch):
            return 0
        return len(hops(switch)) if all(forced(head) for _, head in hops(switch)) else -1

    def fan(switch):
        behind = {choices(head) for _, head in hops(switch)}
        if choices(switch) > 0:
            return 1
        return max(behind) if len(behind) == 1 and min(behind) > 0 else 0

    def ends(switch):
        return (
            {leaves.index(switch)} if distance[switch] == 0 else {end for _, head in hops(switch) for end in ends(head)}
        )

    return [
        Way(
            distance[switch],
            hops(switch),
            choices(switch),
            fan(switch),
            min(ends(switch)) if len(ends(switch)) == 1 else -1,
        )
        if switch in distance
        else None
        for switch in range(n_switches)
    ]


def out(layer, switch):
    """Links out of a switch, (ISL, switch), in their order."""
    entries = range(layer.out_start[switch], layer.out_start[switch + 1])
    return [(int(layer.out_link[entry]), int(layer.out_head[entry])) for entry in entries]


def naive_forced_loads(ways, waiting):
    """Bytes on each ISL when what waits at switches takes the one way onwards that each of them has."""
    loads: dict[int, float] = {}
    for switch, amount in enumerate(waiting):
        while amount > 0 and ways[switch].distance > 0:
            ((isl, switch),) = ways[switch].hops
            loads[isl] = loads.get(isl, 0.0) + amount
    return loads
