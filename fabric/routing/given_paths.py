"""Paths that the user gives, switch by switch, for the flows of a demand."""

from itertools import pairwise

import numpy as np

from collectives.demand import Int32Vector
from collectives.errors import InputError
from fabric.routing.flow_paths import FlowPaths
from fabric.routing.paths import RoutedFlows
from fabric.topology import SWITCH, Topology
from traces.paths_csv import Hop


def given_paths(
    topology: Topology, src: Int32Vector, dst: Int32Vector, hops: dict[int, list[Hop]], source: str
) -> RoutedFlows:
    """The links of flows whose hops between switches are given; those of the endpoints are implied.

    A flow without hops must have both ends on one switch.  Parallel cables between an endpoint and its switch share in
    proportion to capacity.  A switch's name may have underscores that the fabric's has not.

    Parameters
    ----------
    topology : Topology
    src, dst : (F,) int32
        Endpoints.
    hops : dict of int to list of Hop
        By flow, numbered from 1.
    source : str
        The file, for messages.

    Raises
    ------
    InputError
        If a hop is no cable of the fabric, a path has a gap, or does not lead from one end to the other.
    """
    node = {name: number for number, name in enumerate(topology.nodes.name)}
    plain = {name.replace("_", ""): number for name, number in node.items()}
    kind = topology.nodes.kind
    by_ends: dict[tuple[int, int], list[int]] = {}
    for link, ends in enumerate(zip(topology.link_tail.tolist(), topology.link_head.tolist(), strict=True)):
        by_ends.setdefault(ends, []).append(link)

    def switch(name: str, line: int) -> int:
        found = node.get(name, plain.get(name.replace("_", "")))
        if found is None or kind[found] != SWITCH:
            raise InputError(f"{source}:{line}: {name!r} is no switch of {topology.name}")
        return found

    strangers = [number for number in hops if not 1 <= number <= len(src)]
    if strangers:
        line = hops[strangers[0]][0].line
        raise InputError(f"{source}:{line}: flow {strangers[0]}; expected 1 to {len(src)}, the rows of the demand")
    names = topology.endpoint_names
    start: list[int] = [0]
    links: list[int] = []
    fractions: list[float] = []
    for flow, (a, b) in enumerate(zip(src.tolist(), dst.tolist(), strict=True), 1):
        first, last = int(topology.endpoints[a]), int(topology.endpoints[b])
        route = [(switch(hop.tail, hop.line), switch(hop.head, hop.line), hop) for hop in hops.get(flow, ())]
        if a == b:
            start.append(len(links))
            continue
        if not route:
            shared = _shared(topology, first, last)
            if shared is None:
                raise InputError(
                    f"{source}: flow {flow} ({names[a]} to {names[b]}) has no hops, and its ends share no switch"
                )
            entry = leave = shared
        else:
            entry, leave = route[0][0], route[-1][1]
        for (_, head, hop), (tail, _, following) in pairwise(route):
            if head != tail:
                raise InputError(
                    f"{source}:{following.line}: flow {flow} goes on at {following.tail}; expected {hop.head}"
                )
        for ends, what in (((first, entry), names[a]), ((leave, last), names[b])):
            if ends not in by_ends:
                line = route[0 if ends[0] == first else -1][2].line
                raise InputError(f"{source}:{line}: flow {flow}: {what} has no cable to where its path begins or ends")
        for tail, head, hop in route:
            cables = [link for link in by_ends.get((tail, head), ()) if topology.link_cable_index[link] == hop.cable]
            if not cables:
                raise InputError(
                    f"{source}:{hop.line}: no cable {hop.cable} from {hop.tail} to {hop.head} in {topology.name}"
                )
            links.append(cables[0])
            fractions.append(1.0)
        for ends in ((first, entry), (leave, last)):
            whole = sum(float(topology.link_capacity_gbps[link]) for link in by_ends[ends])
            links += by_ends[ends]
            fractions += [float(topology.link_capacity_gbps[link]) / whole for link in by_ends[ends]]
        start.append(len(links))
    fraction = np.array(fractions)
    paths = FlowPaths(
        np.array(start, np.int64), np.array(links, np.int32), None if (fraction == 1.0).all() else fraction
    )
    return RoutedFlows(paths, np.arange(len(src)), np.ones(len(src)))


def _shared(topology: Topology, a: int, b: int) -> int | None:
    """A switch that two endpoints (nodes) both hang on; the first one, None if there is none."""
    around = [
        set(topology.link_head[topology.out_start[node] : topology.out_start[node + 1]].tolist()) for node in (a, b)
    ]
    return min((node for node in around[0] & around[1] if topology.nodes.kind[node] == SWITCH), default=None)
