"""What breaks hurt: every single failure of a kind, and several at once drawn by chance, each run through the model."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from collectives.demand import FloatVector, Int64Vector
from collectives.errors import InputError
from collectives.suggestion import hint
from fabric.builders.faults import Damage, Fault, nic_cables
from fabric.routing.link_loads import ScheduleLoads, schedule_loads
from fabric.routing.policies import Adaptive, Ecmp, Lft
from fabric.routing.unroutable import Unroutable
from fabric.scenario import Scenario
from fabric.studies.hotspots import tier_name
from fabric.studies.symmetry import symmetry_of
from fabric.topology import DIRECTIONS, ISL, NVLINK, SWITCH, UNKNOWN, Topology

KINDS = ("cable", "nic", "leaf", "spine", "core", "host", "plane")
"""Kinds of what may break: cables between switches, cables of endpoints, switches by tier, hosts, planes."""

STRAGGLER = 0.5
"""Part of its NICs' speed that a slow host has: assumed; a host that is down stops its job."""

MOST_RUNS, LEAST_RUNS = 2000, 20
"""Single failures that are run where no symmetry spares them; of more a sample is drawn."""

_MOST_FLOWS = 4e9  # Hashed, of all runs together: some seconds on two cores.

_TIERS = {"leaf": 1, "spine": 2, "core": 3}


@dataclass(frozen=True)
class Broken:
    """Something that may break.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    fault : Fault
        As ``--fail`` or ``--degrade`` takes it.
    part : int
        The link of a cable, the node of a switch, an endpoint's node of a host, the number of a plane.
    """

    kind: str
    fault: Fault
    part: int

    @property
    def option(self) -> str:
        """``--fail 'spine:s03'``."""
        if self.fault.capacity:
            return f"--degrade '{self.fault}={self.fault.capacity:g}'"
        return f"--fail '{self.fault}'"


@dataclass(frozen=True)
class FaultRow:
    """What a failure does.

    Attributes
    ----------
    broken : Broken
    time_s : float or None
        Of the traffic; None where pairs are cut off and the job stops.
    slowdown : float or None
        Over the time of the whole fabric.
    disconnected_pairs : int
        Ordered pairs of the job's ranks with no way between them.
    worst_link : str
        The busiest link then; empty where the job stops.
    alike : int
        Failures that are this one, seen from elsewhere: proven by a symmetry of fabric and traffic.
    """

    broken: Broken
    time_s: float | None
    slowdown: float | None
    disconnected_pairs: int
    worst_link: str
    alike: int


@dataclass(frozen=True)
class LinkView:
    """What hurts the links of a tier and direction most.

    Attributes
    ----------
    tier, direction : str
    whole_s : float
        Load over capacity of the busiest of them in the whole fabric.
    worst_s : float
        The same under the failure that loads one of them most.
    link : str
        That link.
    failure : Broken or None
        None where no failure loads them more.
    """

    tier: str
    direction: str
    whole_s: float
    worst_s: float
    link: str
    failure: Broken | None


@dataclass(frozen=True)
class Sampled:
    """Several failures at once, drawn by chance.

    Attributes
    ----------
    count, trials : int
        Failures at once; draws.
    slowdown : tuple of float
        Of each draw in which the job goes on, in the order of the draws.
    stopped : int
        Draws in which pairs were cut off.
    worst : tuple of Broken
        The draw that hurts most: one that stops the job, else the slowest.
    """

    count: int
    trials: int
    slowdown: tuple[float, ...]
    stopped: int
    worst: tuple[Broken, ...]

    def percentile(self, percent: float) -> float | None:
        """Nearest-rank percentile of the slowdown; a draw that stops the job counts as slower than any."""
        values = [*sorted(self.slowdown), *([float("inf")] * self.stopped)]
        if not values:
            return None
        found = values[min(len(values) - 1, max(0, int(np.ceil(percent / 100 * len(values))) - 1))]
        return None if found == float("inf") else found


@dataclass(frozen=True, eq=False)
class Faults:
    """What breaks hurt.

    Attributes
    ----------
    scenario : Scenario
    time_s : float
        Of the whole fabric.
    rows : tuple of FaultRow
        The worst first.
    links : tuple of LinkView
    sampled : tuple of Sampled
    n_runs : int
        Failures that were run; the others are proven to be alike.
    notes : tuple of str
        What was left out.
    """

    scenario: Scenario
    time_s: float
    rows: tuple[FaultRow, ...]
    links: tuple[LinkView, ...]
    sampled: tuple[Sampled, ...]
    n_runs: int
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Run:
    """One failure, run: loads over capacity of the links of the whole fabric, by its numbering."""

    time_s: float | None
    disconnected: int
    seconds: FloatVector


def breakable(scenario: Scenario, kinds: Iterable[str]) -> list[Broken]:
    """Everything of some kinds that may break and matters to the job.

    Raises
    ------
    InputError
        A kind that does not exist, or that the fabric has none of.
    """
    found: list[Broken] = []
    for kind in dict.fromkeys(kinds):
        if kind not in KINDS:
            raise InputError(f"kind {kind!r}: {hint(kind, KINDS)}")
        own = _of_kind(scenario, kind)
        if not own:
            raise InputError(f"kind {kind}: {scenario.fabric.name} has none; expected others of {', '.join(KINDS)}")
        found += own
    return found


def _of_kind(scenario: Scenario, kind: str) -> list[Broken]:
    topology = scenario.topology
    nodes = topology.nodes
    used = np.zeros(topology.n_endpoints, bool)
    used[scenario.placement.endpoint] = True
    if kind == "cable":
        links = np.flatnonzero((topology.link_kind == ISL) & (np.arange(topology.n_links) < topology.link_reverse))
        return [Broken(kind, Fault("link", topology.link_name(link)), link) for link in links.tolist()]
    if kind == "nic":
        number = np.full(topology.n_nodes, UNKNOWN)
        number[topology.endpoints] = np.arange(topology.n_endpoints)
        links = nic_cables(topology)
        links = links[used[number[topology.link_tail[links]]]]
        return [Broken(kind, Fault("link", topology.link_name(link)), link) for link in links.tolist()]
    if kind == "host":
        names = scenario.fabric.host_names()
        own: dict[str, int] = {}
        for one in np.flatnonzero(used).tolist():
            own.setdefault(names[one], int(topology.endpoints[one]))
        return [Broken(kind, Fault("host", name, STRAGGLER), node) for name, node in own.items()]
    if kind == "plane":
        planes = np.unique(nodes.plane[(nodes.kind == SWITCH) & (nodes.plane != UNKNOWN)])
        return [Broken(kind, Fault("plane", str(one)), one) for one in planes.tolist()] if planes.size > 1 else []
    chosen = np.flatnonzero((nodes.kind == SWITCH) & (nodes.tier == _TIERS[kind]))
    return [Broken(kind, Fault(kind, nodes.name[node]), node) for node in chosen.tolist()]


def study_faults(
    scenario: Scenario,
    kinds: Sequence[str] | None = None,
    counts: Sequence[int] = (),
    trials: int = 200,
    seed: int = 0,
    most: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Faults:
    """Run every single failure of some kinds, and `trials` draws of several at once.

    Parameters
    ----------
    scenario : Scenario
        Of the fabric as it is.
    kinds : sequence of str, optional
        Of `KINDS`; default cables and spines, or NICs where there are neither.
    counts : sequence of int
        Failures at once that are drawn.
    trials : int
        Draws of each count.
    seed : int
        Of the draws.
    most : int, optional
        Single failures that are run; default `most_runs`.
    progress : callable, optional
        Called with runs done and runs in all.

    Raises
    ------
    InputError
        A kind or count that cannot be.
    """
    if kinds is None:
        kinds = [kind for kind in ("cable", "spine") if _of_kind(scenario, kind)] or ["nic"]
    things = breakable(scenario, kinds)
    for count in counts:
        if not 1 <= count <= len(things):
            raise InputError(f"count {count}: expected 1 to {len(things):,} of {', '.join(kinds)}")
    whole = _run(scenario, ())
    if whole.time_s is None or whole.time_s <= 0:
        raise InputError(f"{scenario.traffic.label}: nothing crosses a link, so that no failure hurts")
    classes = _classes(scenario, things)
    notes = []
    draw = np.random.default_rng([seed, 1])
    allowed = most_runs(scenario) if most is None else most
    if len(classes) > allowed:
        chosen = np.sort(draw.choice(len(classes), allowed, replace=False))
        notes.append(
            f"{len(classes):,} failures are not alike: {allowed:,} of them, drawn by chance, were run (--most)"
        )
        classes = [classes[int(place)] for place in chosen]
    total = len(classes) + trials * len(counts)
    done = 0
    rows: list[FaultRow] = []
    highest = whole.seconds.copy()
    by = np.full(highest.size, UNKNOWN)
    for number, alike in enumerate(classes):
        run = _run(scenario, (things[alike.first].fault,))
        rows += _rows(scenario.topology, things, alike, run, whole.time_s)
        more = run.seconds > highest * (1 + 1e-9)
        highest[more], by[more] = run.seconds[more], number
        done += 1
        if progress is not None:
            progress(done, total)
    sampled = []
    for count in counts:
        slow: list[float] = []
        stopped, worst_rank = 0, (0, 0.0)
        worst: tuple[Broken, ...] = ()
        for _ in range(trials):
            some = tuple(things[int(place)] for place in np.sort(draw.choice(len(things), count, replace=False)))
            run = _run(scenario, tuple(one.fault for one in some))
            if run.time_s is None:
                stopped += 1
            else:
                slow.append(run.time_s / whole.time_s)
            rank = (1, float(run.disconnected)) if run.time_s is None else (0, slow[-1])
            if rank > worst_rank:
                worst_rank, worst = rank, some
            done += 1
            if progress is not None:
                progress(done, total)
        sampled.append(Sampled(count, trials, tuple(slow), stopped, worst))
    order = sorted(range(len(rows)), key=lambda place: (_badness(rows[place]), place))
    return Faults(
        scenario,
        whole.time_s,
        tuple(rows[place] for place in order),
        tuple(_link_views(scenario.topology, whole.seconds, highest, by, [things[alike.first] for alike in classes])),
        tuple(sampled),
        len(classes) + trials * len(counts),
        tuple(notes),
    )


def most_runs(scenario: Scenario) -> int:
    """Single failures that are run by default: fewer where each flow is hashed and there are many."""
    routing = scenario.routing
    if not isinstance(routing, Ecmp):
        return MOST_RUNS
    flows = float(scenario.placement.n_ranks) ** 2 * routing.flows_a_pair
    return int(max(LEAST_RUNS, min(MOST_RUNS, _MOST_FLOWS // max(flows, 1.0))))


def _badness(row: FaultRow) -> tuple[float, float]:
    return (-row.disconnected_pairs, -(row.slowdown or 0.0))


@dataclass(frozen=True, eq=False)
class _Alike:
    """Failures that a symmetry maps onto one another: the first is run."""

    first: int
    n: int
    members: Callable[[int | None], Iterator[tuple[int, int | None]]]


def _rows(topology: Topology, things: Sequence[Broken], alike: _Alike, run: _Run, whole_s: float) -> Iterator[FaultRow]:
    """A row for each failure of a class, its busiest link where the symmetry carries that of the one that was run."""
    slowdown = None if run.time_s is None else run.time_s / whole_s
    worst = None if run.time_s is None else int(run.seconds.argmax())
    for place, link in alike.members(worst):
        name = "" if link is None else topology.link_name(link)
        yield FaultRow(things[place], run.time_s, slowdown, run.disconnected, name, alike.n)


def _classes(scenario: Scenario, things: Sequence[Broken]) -> list[_Alike]:
    """Failures that are alike, where the routing splits alike wherever the fabric is alike; else each by itself."""
    alone = [place for place, one in enumerate(things) if one.kind == "plane" or not even(scenario)]
    made = {place: _alone(place) for place in alone}
    if len(alone) < len(things):
        made |= _by_symmetry(scenario, things)
    return [made[place] for place in sorted(made)]


def _alone(place: int) -> _Alike:
    return _Alike(place, 1, lambda worst: iter([(place, worst)]))


def _by_symmetry(scenario: Scenario, things: Sequence[Broken]) -> dict[int, _Alike]:
    topology = scenario.topology
    symmetry = symmetry_of(topology, scenario.placement, scenario.schedule)
    found: dict[tuple[str, int], list[int]] = {}
    for place, one in enumerate(things):
        if one.kind != "plane":
            cable = one.kind in ("cable", "nic")
            own = int((symmetry.cable_class if cable else symmetry.node_class)[one.part])
            found.setdefault((one.kind, own), []).append(place)

    def members(kind: str, places: list[int]) -> Callable[[int | None], Iterator[tuple[int, int | None]]]:
        number = {_part(topology, things[place]): place for place in places}

        def walk(worst: int | None) -> Iterator[tuple[int, int | None]]:
            first, carried = things[places[0]], () if worst is None else (worst,)
            walked = symmetry.walk_cables if kind in ("cable", "nic") else symmetry.walk_nodes
            left = dict.fromkeys(places)
            for part, others in walked(first.part, carried):
                place = number.get(_part(topology, replace(first, part=part)))
                if place in left:
                    del left[place]
                    yield place, next(iter(others), None)

        return walk

    return {places[0]: _Alike(places[0], len(places), members(kind, places)) for (kind, _), places in found.items()}


def _part(topology: Topology, one: Broken) -> int:
    """What tells failures of a kind apart: a cable, whichever way it is named; a host, whichever endpoint it has."""
    if one.kind in ("cable", "nic"):
        return min(one.part, int(topology.link_reverse[one.part]))
    return int(topology.nodes.host[one.part]) if one.kind == "host" else one.part


def _run(scenario: Scenario, faults: Sequence[Fault]) -> _Run:
    """The scenario's traffic on the fabric with more faults."""
    topology = scenario.topology
    if not faults:
        loads = _loads(scenario)
        return _Run(loads.bottleneck_time_s, 0, loads.total.seconds)
    damage = scenario.fabric.damaged(faults)
    seconds = np.zeros(topology.n_links)
    cut = disconnected_pairs(damage.topology, scenario.placement.endpoint)
    if cut:
        return _Run(None, cut, seconds)
    broken = _struck(scenario, damage)
    try:
        loads = _loads(broken)
    except Unroutable:
        # Tables stay as they are: a way that led over what is gone leads nowhere.
        return _Run(None, _unrouted(broken), seconds)
    kept = damage.new_link != UNKNOWN
    seconds[kept] = loads.total.seconds[damage.new_link[kept]]
    return _Run(loads.bottleneck_time_s, 0, seconds)


def struck(scenario: Scenario, faults: Sequence[Fault]) -> Scenario:
    """The same job, in the same place and routed alike, on its fabric with more faults.

    Raises
    ------
    InputError
        A fault that matches nothing.
    """
    return _struck(scenario, scenario.fabric.damaged(faults)) if faults else scenario


def _struck(scenario: Scenario, damage: Damage) -> Scenario:
    routing = scenario.routing
    if isinstance(routing, Lft):
        routing = _tables_left(routing, damage.new_link)
    return replace(scenario, fabric=replace(scenario.fabric, topology=damage.topology), routing=routing)


def drawn_failures(scenario: Scenario, kinds: Sequence[str], count: int, seed: int) -> tuple[Broken, ...]:
    """`count` failures of some kinds, drawn by chance: those of a larger count with the same seed hold these.

    Raises
    ------
    InputError
        A kind that cannot be, or more failures than there are things that may break.
    """
    things = breakable(scenario, kinds)
    if not 0 <= count <= len(things):
        raise InputError(f"count {count}: expected 0 to {len(things):,} of {', '.join(kinds)}")
    # A seed's first failures stay its first ones, so that more of them are never other ones.
    order = np.random.Generator(np.random.PCG64([seed, 2])).permutation(len(things))
    return tuple(things[int(place)] for place in np.sort(order[:count]))


def _loads(scenario: Scenario) -> ScheduleLoads:
    return schedule_loads(
        scenario.topology, scenario.schedule, scenario.placement, scenario.routing, scenario.n_threads
    )


def _unrouted(scenario: Scenario) -> int:
    """Pairs that the tables have no way for."""
    routing = scenario.routing
    if not isinstance(routing, Lft):
        return 1
    loads = _loads(replace(scenario, routing=replace(routing, skip_unrouted=True)))
    return max(1, loads.total.unrouted.pairs)


def _tables_left(routing: Lft, new_link: Int64Vector) -> Lft:
    """Tables that still name links of the damaged fabric by their new numbers; those that are gone lead nowhere."""
    from fabric._kernels.arrays import WayEnd

    known = routing.next_link >= 0
    moved = np.where(known, new_link[np.where(known, routing.next_link, 0)], routing.next_link)
    gone = known & (moved == UNKNOWN)
    moved[gone] = WayEnd.DEAD_PORT
    return replace(routing, next_link=moved.astype(np.int32))


def disconnected_pairs(topology: Topology, endpoint: np.ndarray) -> int:
    """Ordered pairs of endpoints with no way between them, neither by NVLink nor by switches."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    network, kind, n = topology.link_kind != NVLINK, topology.nodes.kind, topology.n_nodes
    # A way never leads through another endpoint: one on several parts of the network does not join them.
    isl = np.flatnonzero((kind[topology.link_tail] == SWITCH) & (kind[topology.link_head] == SWITCH))
    graph = coo_array((np.ones(isl.size), (topology.link_tail[isl], topology.link_head[isl])), (n, n))
    _, part = connected_components(graph, directed=False)
    up = np.flatnonzero(network & (topology.nodes.kind[topology.link_head] == SWITCH))
    number = np.full(n, UNKNOWN)
    number[topology.endpoints] = np.arange(topology.n_endpoints)
    up = up[number[topology.link_tail[up]] != UNKNOWN]
    reach: dict[int, set[int]] = {int(one): set() for one in endpoint.tolist()}
    for end, switch in zip(number[topology.link_tail[up]].tolist(), topology.link_head[up].tolist(), strict=True):
        if end in reach:
            reach[end].add(int(part[switch]))
    kinds: dict[tuple[frozenset[int], int], int] = {}
    domain = topology.endpoint_domain
    for end, parts in reach.items():
        key = (frozenset(parts), int(domain[end]))
        kinds[key] = kinds.get(key, 0) + 1
    if all(parts == next(iter(kinds))[0] and parts for parts, _ in kinds):
        return 0
    return _cut_pairs(kinds)


def _cut_pairs(kinds: dict[tuple[frozenset[int], int], int]) -> int:
    cut = 0
    rows = list(kinds.items())
    for (parts, domain), count in rows:
        for (others, other_domain), number in rows:
            inside = domain != UNKNOWN and domain == other_domain
            if not inside and not parts & others:
                same = parts == others and domain == other_domain
                cut += count * (number - 1 if same else number)
    return cut


def _link_views(
    topology: Topology, whole: FloatVector, highest: FloatVector, by: Int64Vector, failures: Sequence[Broken]
) -> Iterable[LinkView]:
    columns = np.stack([topology.link_kind, topology.link_tier, topology.link_direction]).astype(np.int64)
    for kind, tier, direction in np.unique(columns, axis=1).T.tolist():
        links = np.flatnonzero((columns[0] == kind) & (columns[1] == tier) & (columns[2] == direction))
        worst = int(links[highest[links].argmax()])
        if highest[worst] <= 0:
            continue
        yield LinkView(
            tier_name(kind, tier, direction),
            DIRECTIONS[direction],
            float(whole[links].max()),
            float(highest[worst]),
            topology.link_name(worst),
            None if by[worst] == UNKNOWN else failures[int(by[worst])],
        )


def even(scenario: Scenario) -> bool:
    """Whether the routing splits alike wherever the fabric is alike: what symmetry rests on."""
    return isinstance(scenario.routing, Adaptive)
