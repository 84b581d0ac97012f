"""Which cables between switches would do more elsewhere: one after the other, each tried by routing the job again.

A cable goes from a pair of switches whose cables have least to carry to the pair, or the switch, whose cables have
most, into ports that are free or that an earlier move has left.  The search is greedy: of a few candidates the one is
taken with which the job takes least, or as long with fewer links as busy; it ends where none gains.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from collectives.demand import FloatVector, Int64Vector
from collectives.errors import InputError
from fabric.formats.free_ports import FreePort
from fabric.routing.link_loads import schedule_loads
from fabric.routing.policies import Adaptive, Lft
from fabric.scenario import Scenario
from fabric.studies.advice.recabled import NewCable, recabled
from fabric.studies.hotspots import schedule_bottleneck
from fabric.topology import ISL, PEER, UNKNOWN, UP, Topology

# Cables that are moved at most: what a technician does in a window.  Assumed.
MOST_MOVES = 12
# Links that are looked at in all designs together: some seconds.  A fabric with more has fewer designs tried.  Assumed.
_MOST_LINKS = 1_500_000
_MOST_DESIGNS = 120
# Switches above that are tried for a cable.
_TARGETS = 3
# A switch keeps at least this part of the cables that it has to the other tier.  Assumed.
_KEPT = 0.5
# Links this near to the longest busy one are as busy; times this near are equal.
_AS_BUSY = 1.001


@dataclass(frozen=True)
class Move:
    """A cable that is put elsewhere.

    Attributes
    ----------
    link : int
        From the lower to the upper end, in the fabric as it is.
    low, high : int
        Switches that it joins then.
    low_port, high_port : FreePort or None
        Its new ports there; None where that end stays.
    """

    link: int
    low: int
    high: int
    low_port: FreePort | None
    high_port: FreePort | None


@dataclass(frozen=True, eq=False)
class _State:
    """Moves that were made, and what the job does with them."""

    moves: tuple[Move, ...]
    free: dict[int, tuple[FreePort, ...]]
    scenario: Scenario
    time_s: float
    as_busy: int
    seconds: FloatVector
    hottest: int

    @property
    def score(self) -> tuple[float, int]:
        """The smaller the better."""
        return self.time_s, self.as_busy


def moved(scenario: Scenario, moves: tuple[Move, ...], note: str) -> Scenario:
    """The job on the fabric with cables moved; errors as of `recabled`."""
    topology = scenario.topology
    keep = np.ones(topology.n_links, bool)
    new = []
    for one in moves:
        keep[[one.link, topology.link_reverse[one.link]]] = False
        ports = (
            int(topology.link_tail_port[one.link]) if one.low_port is None else one.low_port.number,
            int(topology.link_head_port[one.link]) if one.high_port is None else one.high_port.number,
        )
        new.append(NewCable(one.low, one.high, float(topology.link_capacity_gbps[one.link]), *ports))
    return recabled(scenario, note, keep, new=new)


def find_moves(scenario: Scenario, free: dict[int, tuple[FreePort, ...]]) -> tuple[Move, ...]:
    """The moves that gain most, and no more than that takes; empty where none gains.

    Hashed routing is searched as an even split: hashes would be others with other cables.

    Parameters
    ----------
    scenario : Scenario
    free : dict of int to tuple of FreePort
        Ports without a cable, by switch.

    Raises
    ------
    InputError
        If the routing is made for the links as they are.
    """
    even = scenario if isinstance(scenario.routing, Lft) else scenario.routed(Adaptive())
    state = _run(even, (), free)
    made = [state]
    designs = min(_MOST_DESIGNS, _MOST_LINKS // max(scenario.topology.n_links, 1))
    while state is not None and len(state.moves) < MOST_MOVES and designs > 0:
        found = []
        for move in _candidates(even.topology, state):
            designs -= 1
            try:
                found.append(_run(even, (*state.moves, move), _freed(even.topology, state.free, move)))
            except InputError:
                continue
            if designs <= 0:
                break
        best = min(found, key=lambda one: one.score, default=None)
        if best is None or not _better(best, state):
            break
        state = best
        made.append(state)
    least = min(one.time_s for one in made)
    return next(one.moves for one in made if one.time_s <= least * _AS_BUSY)


def _better(one: _State, other: _State) -> bool:
    if one.time_s * _AS_BUSY < other.time_s:
        return True
    return one.time_s <= other.time_s and one.as_busy < other.as_busy


def _run(scenario: Scenario, moves: tuple[Move, ...], free: dict[int, tuple[FreePort, ...]]) -> _State:
    design = moved(scenario, moves, "moved") if moves else scenario
    topology = design.topology
    loads = schedule_loads(topology, design.schedule, design.placement, design.routing, design.n_threads)
    hottest = schedule_bottleneck(loads)
    longest = loads.total
    if loads.overlap != "pipelined":
        took = [one.bottleneck_time_s * repeat for one, repeat in zip(loads.phases, loads.repeats, strict=True)]
        longest = loads.phases[int(np.argmax(took))]
    seconds = longest.seconds
    both: FloatVector = np.maximum(seconds, seconds[topology.link_reverse])
    isl = topology.link_kind == ISL
    as_busy = int(np.count_nonzero(both[isl] * _AS_BUSY >= both.max(initial=0.0)))
    link = -1 if hottest is None else int(hottest.link)
    return _State(moves, free, design, loads.bottleneck_time_s, as_busy, both, link)


def _freed(topology: Topology, free: dict[int, tuple[FreePort, ...]], move: Move) -> dict[int, tuple[FreePort, ...]]:
    """Free ports after a move: those that it took are gone, those that it left are there."""
    after = dict(free)
    ends = (
        (move.low, move.low_port, topology.link_tail, topology.link_tail_port),
        (move.high, move.high_port, topology.link_head, topology.link_head_port),
    )
    for node, port, nodes, ports in ends:
        if port is None:
            continue
        after[node] = tuple(one for one in after[node] if one != port)
        old, number = int(nodes[move.link]), int(ports[move.link])
        if number != UNKNOWN:
            left = FreePort(number, f"port {topology.port_name(old, number)}")
            after[old] = (*after.get(old, ()), left)
    return after


def _candidates(given: Topology, state: _State) -> Iterator[Move]:
    """Moves of cables with little to carry to the hottest link's pair, or to its lower switch and another one above."""
    topology, hot = state.scenario.topology, state.hottest
    if hot < 0 or topology.link_kind[hot] != ISL or topology.link_direction[hot] == PEER:
        return
    up = hot if topology.link_direction[hot] == UP else int(topology.link_reverse[hot])
    low, tier = int(topology.link_tail[up]), _like(topology, up)
    pairs, busy = _pairs(topology, tier, state.seconds)
    # Cables that were moved stay.
    links = _like(given, up, topology)
    links = links[~np.isin(links, [one.link for one in state.moves])]
    carried = busy[np.searchsorted(pairs, _pair(given, links))]
    spare = carried * _AS_BUSY < state.seconds[hot]
    links = links[spare][np.argsort(carried[spare], kind="stable")]
    cables, least = _cables(topology, tier), np.ceil(_KEPT * _cables(given, _like(given, up, topology)))
    tail, head = given.link_tail, given.link_head
    for target in _targets(topology, state.seconds, tier, up):
        # One end stays where it is, the upper or the lower one, or neither does.
        for chosen in (links[head[links] == target], links[tail[links] == low], links):
            for link in chosen.tolist():
                a, b = int(tail[link]), int(head[link])
                low_port, high_port = _port(state.free, a, low), _port(state.free, b, target)
                full = (a != low and low_port is None) or (b != target and high_port is None)
                bare = (a != low and cables[a] <= least[a]) or (b != target and cables[b] <= least[b])
                if (a, b) != (low, target) and not full and not bare:
                    yield Move(link, low, target, low_port, high_port)
                    break


def _like(topology: Topology, link: int, of: Topology | None = None) -> Int64Vector:
    """Links up of the tier and speed of a link (of another topology)."""
    of = of or topology
    return np.flatnonzero(
        (topology.link_kind == ISL)
        & (topology.link_direction == UP)
        & (topology.link_tier == of.link_tier[link])
        & (topology.link_capacity_gbps == of.link_capacity_gbps[link])
    )


def _pair(topology: Topology, links: Int64Vector) -> Int64Vector:
    pair: Int64Vector = topology.link_tail[links].astype(np.int64) * topology.n_nodes + topology.link_head[links]
    return pair


def _pairs(topology: Topology, links: Int64Vector, seconds: FloatVector) -> tuple[Int64Vector, FloatVector]:
    """Pairs of nodes that some links join, rising, and how long the busiest link of each is busy."""
    pairs, place = np.unique(_pair(topology, links), return_inverse=True)
    busy = np.zeros(pairs.size)
    np.maximum.at(busy, place.ravel(), seconds[links])
    return pairs, busy


def _cables(topology: Topology, links: Int64Vector) -> Int64Vector:
    """How many of some links each node has, (n_nodes,) int64."""
    ends = np.concatenate([topology.link_tail[links], topology.link_head[links]])
    return np.bincount(ends, minlength=topology.n_nodes)


def _targets(topology: Topology, seconds: FloatVector, tier: Int64Vector, up: int) -> list[int]:
    """The upper end of a link, then those of switches that share some with its lower end, the least busy first."""
    tail, head, low, high = (
        topology.link_tail[tier],
        topology.link_head[tier],
        topology.link_tail[up],
        int(topology.link_head[up]),
    )
    beside = np.isin(tail, tail[np.isin(head, head[tail == low])])
    busiest = np.zeros(topology.n_nodes)
    np.maximum.at(busiest, head[beside], seconds[tier[beside]])
    others = np.unique(head[beside])
    order = others[np.lexsort((others, busiest[others]))]
    return [high, *[int(one) for one in order if one != high]][:_TARGETS]


def _port(free: dict[int, tuple[FreePort, ...]], old: int, new: int) -> FreePort | None:
    """The first free port of a switch that a cable comes to; None where it stays, or none is free."""
    return next(iter(free.get(new, ())), None) if old != new else None
