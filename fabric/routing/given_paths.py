"""Paths that the user gives for the flows of a demand: as links (`GivenPaths`), or switch by switch (`given_paths`)."""

from itertools import pairwise

import numpy as np

from collectives.demand import AllToAll, Flows, Int32Vector, Int64Vector
from collectives.errors import InputError
from fabric.jobs.placement import Placement
from fabric.routing.adaptive import nvlink_paths
from fabric.routing.flow_paths import FlowPaths, RoutedFlows
from fabric.routing.loads import LinkLoads
from fabric.routing.policies import GivenPaths
from fabric.topology import ENDPOINT, SWITCH, UNKNOWN, Topology
from traces.paths_csv import Hop

# Parts of a flow that should be equal differ by less, being rounded: assumed.
_ROUNDING = 1e-9


def given_flow_paths(topology: Topology, src: Int32Vector, dst: Int32Vector, routing: GivenPaths) -> RoutedFlows:
    """The given paths, checked; the NVLink switches' for flows inside a scale-up domain that have none.

    Raises
    ------
    InputError
        If there are not as many paths as flows, or one does not lead from source to destination.
    """
    paths = _checked_paths(topology, src, dst, routing)
    empty = np.diff(paths.start) == 0
    domain = topology.endpoint_domain
    inside = np.flatnonzero(empty & (src != dst) & (domain[src] != UNKNOWN) & (domain[src] == domain[dst]))
    lost = empty & (src != dst)
    lost[inside] = False
    if lost.any():
        flow = int(np.flatnonzero(lost)[0])
        raise InputError(f"paths: {_named(topology, src, dst, flow)} has no links; expected a path to its destination")
    if inside.size == 0:
        return RoutedFlows.whole(paths)
    rest = np.setdiff1d(np.arange(src.size), inside)
    given = RoutedFlows.whole(paths.chosen(rest)).of_flows(rest)
    return RoutedFlows.joined([given, nvlink_paths(topology, src[inside], dst[inside]).of_flows(inside)])


def given_flow_loads(
    topology: Topology, demand: Flows, placement: Placement, routing: GivenPaths, n_threads: int | None
) -> LinkLoads:
    """Loads of the flows along their paths; flows without bytes need none."""
    src, dst = placement.endpoint[demand.src], placement.endpoint[demand.dst]
    empty = np.diff(_checked_paths(topology, src, dst, routing).start) == 0
    # A flow that has nothing to send goes nowhere.
    dst = np.where(empty & (demand.bytes == 0), src, dst)
    routed = given_flow_paths(topology, src, dst, routing)
    return LinkLoads(topology, routed.link_bytes(demand.bytes, topology.n_links))


def given_all_to_all_loads(
    topology: Topology, demand: AllToAll, placement: Placement, routing: GivenPaths, n_threads: int | None
) -> LinkLoads:
    """Refuse: an all-to-all has no flows to give paths to."""
    raise InputError("routing: given paths are those of explicit flows; expected a demand of type Flows, got AllToAll")


def _checked_paths(topology: Topology, src: Int32Vector, dst: Int32Vector, routing: GivenPaths) -> FlowPaths:
    """The paths, each of which leads from its source to its destination through switches, without a circle."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    paths = routing.paths
    paths.check(topology.n_links)
    if paths.n_flows != src.size:
        raise InputError(f"paths: {paths.n_flows} paths; expected one for each of {src.size} flows")
    flow, link = paths.hop_flow.astype(np.int64), paths.link
    fraction = np.ones(link.size) if paths.fraction is None else paths.fraction
    tail, head = topology.link_tail[link], topology.link_head[link]

    def refuse(bad: Int64Vector, why: str) -> None:
        if bad.size:
            raise InputError(f"paths: {_named(topology, src, dst, int(bad[0]))} {why}")

    through = topology.nodes.kind[head] == ENDPOINT
    refuse(flow[through & (head != topology.endpoints[dst[flow]])], "enters an endpoint that is not its destination")
    # A place is a node of one flow's path; all of its bytes that come in go out, but at the ends.
    filled = np.flatnonzero(np.diff(paths.start) > 0)
    ends = np.concatenate([flow * topology.n_nodes + tail, flow * topology.n_nodes + head])
    first, last = (filled * topology.n_nodes + topology.endpoints[end[filled]] for end in (src, dst))
    places, number = np.unique(np.concatenate([ends, first, last]), return_inverse=True)
    tails, heads, firsts, lasts = np.split(number.ravel(), np.cumsum([link.size, link.size, filled.size]))
    balance = np.zeros(places.size)
    np.add.at(balance, tails, fraction)
    np.add.at(balance, heads, -fraction)
    np.add.at(balance, firsts, -1.0)
    np.add.at(balance, lasts, 1.0)
    refuse(places[np.abs(balance) > _ROUNDING] // topology.n_nodes, "does not lead from its source to its destination")
    graph = coo_array((np.ones(link.size), (tails, heads)), (places.size, places.size))
    n_components, component = connected_components(graph, directed=True, connection="strong")
    if n_components < places.size:
        shared = np.flatnonzero(np.bincount(component)[component] > 1)
        refuse(places[shared] // topology.n_nodes, "runs in a circle")
    return paths


def _named(topology: Topology, src: Int32Vector, dst: Int32Vector, flow: int) -> str:
    names = topology.endpoint_names
    return f"flow {flow} ({names[src[flow]]} to {names[dst[flow]]})"


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
    return RoutedFlows.whole(paths)


def _shared(topology: Topology, a: int, b: int) -> int | None:
    """A switch that two endpoints (nodes) both hang on; the first one, None if there is none."""
    around = [
        set(topology.link_head[topology.out_start[node] : topology.out_start[node + 1]].tolist()) for node in (a, b)
    ]
    return min((node for node in around[0] & around[1] if topology.nodes.kind[node] == SWITCH), default=None)
