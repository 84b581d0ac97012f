"""Who puts bytes on a link: by job, axis, operation, group, leaf, host and pair of ranks; and what is odd about it.

What a link carries is taken apart by asking the routing backwards (`fabric.routing.crossing`): the cost of a sweep, not
of listing every flow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from collectives.demand import AllToAll, Demand, FloatVector, Flows, Int32Vector, Int64Vector, Reduction
from collectives.errors import InputError
from collectives.schedule import Schedule
from fabric.formats.opening import OpenedFabric
from fabric.jobs.placement import Placement
from fabric.routing.crossing import Crossing, crossing
from fabric.routing.in_network import reduction_shares
from fabric.routing.layer import sums_of
from fabric.routing.link_loads import schedule_loads
from fabric.routing.policies import Adaptive, GivenPaths, Routing
from fabric.scenario import Scenario
from fabric.studies.explain_names import group_name, leaf_names
from fabric.studies.link_odds import LinkOdds, link_odds, odds_text, place_text
from fabric.topology import Topology

TOP_PAIRS = 20
"""Pairs of ranks that are named."""

MOSTLY = 0.5
"""From this part on one job or leaf is the cause.  Assumed."""

# Cells of who may send to whom that are looked at together, and pairs that are kept before they are added up.
_BLOCK_CELLS, _MOST_KEPT = 2**22, 2**22


@dataclass(frozen=True, eq=False)
class Sent:
    """What a job sends in one of its operations.

    Attributes
    ----------
    job, axis, operation : str
        Whose, of which parallel axis, and what.
    schedule : Schedule
    placement : Placement
    routing : Routing
    times : float
        How often.
    """

    job: str
    axis: str
    operation: str
    schedule: Schedule
    placement: Placement
    routing: Routing
    times: float = 1.0


@dataclass(frozen=True)
class Share:
    """A part of what a link carries."""

    name: str
    bytes: float
    share: float


@dataclass(frozen=True, eq=False)
class Contributions:
    """What a link carries, and whose it is.

    Attributes
    ----------
    topology : Topology
    link : int
    bytes : float
    by_job, by_axis, by_operation, by_group, by_source_leaf, by_destination_leaf, by_source_host, by_destination_host :
        tuple of Share
        Each adds up to all bytes, the largest first.
    pairs : tuple of Share
        Pairs of ranks, the largest `TOP_PAIRS`.
    n_pairs : int
        How many there are.
    odds : LinkOdds
        What is odd about the link itself.
    """

    topology: Topology
    link: int
    bytes: float
    by_job: tuple[Share, ...]
    by_axis: tuple[Share, ...]
    by_operation: tuple[Share, ...]
    by_group: tuple[Share, ...]
    by_source_leaf: tuple[Share, ...]
    by_destination_leaf: tuple[Share, ...]
    by_source_host: tuple[Share, ...]
    by_destination_host: tuple[Share, ...]
    pairs: tuple[Share, ...]
    n_pairs: int
    odds: LinkOdds

    @property
    def name(self) -> str:
        """The link's."""
        return self.topology.link_name(self.link)


def explain(scenario: Scenario, link: int) -> Contributions:
    """Who puts bytes on a link.

    Parameters
    ----------
    scenario : Scenario
    link : int

    Raises
    ------
    InputError
        If the routing has no paths.
    """
    hosts = scenario.fabric.host_names()
    return explain_sent(scenario.topology, sent_by(scenario), link, hosts=hosts, n_threads=scenario.n_threads)


def sent_by(scenario: Scenario) -> tuple[Sent, ...]:
    """What a scenario's job sends, phase by phase."""
    traffic, schedule = scenario.traffic, scenario.schedule
    job = traffic.collective or ("trace" if traffic.trace is not None else "flows")
    axis = str(traffic.facts.get("axes") or "all ranks")
    return tuple(
        Sent(job, axis, phase.label or job, Schedule((phase,)), scenario.placement, scenario.routing)
        for phase in schedule.phases
    )


@dataclass
class _Tally:
    """Bytes on the link as they are found."""

    n: int
    source: FloatVector
    destination: FloatVector
    names: dict[str, dict[str, float]] = field(default_factory=dict)
    keys: list[Int64Vector] = field(default_factory=list)
    values: list[FloatVector] = field(default_factory=list)
    kept: int = 0
    even: float = 0.0

    def add(self, src: Int32Vector, dst: Int32Vector, amount: FloatVector) -> None:
        """Bytes of pairs of endpoints."""
        self.source += sums_of(src, amount, self.n)
        self.destination += sums_of(dst, amount, self.n)
        self.keys.append(src.astype(np.int64) * self.n + dst)
        self.values.append(amount)
        self.kept += amount.size
        if self.kept > _MOST_KEPT:
            self.added_up()

    def add_named(self, what: str, name: str, amount: float) -> None:
        """Bytes of something that has a name."""
        table = self.names.setdefault(what, {})
        table[name] = table.get(name, 0.0) + amount

    def added_up(self) -> tuple[Int64Vector, FloatVector]:
        """Pairs, each once, and their bytes."""
        keys = np.concatenate([*self.keys, np.empty(0, np.int64)])
        values = np.concatenate([*self.values, np.empty(0)])
        pairs, place = np.unique(keys, return_inverse=True)
        sums = sums_of(place.ravel(), values, pairs.size)
        self.keys, self.values, self.kept = [pairs], [sums], pairs.size
        return pairs, sums


def explain_sent(
    topology: Topology,
    sent: Sequence[Sent],
    link: int,
    totals: FloatVector | None = None,
    hosts: Sequence[str] | None = None,
    n_threads: int | None = None,
) -> Contributions:
    """Who puts bytes on a link, of several jobs and operations.

    Parameters
    ----------
    topology : Topology
    sent : sequence of Sent
    link : int
    totals : (n_links,) float64, optional
        Bytes of all of it on every link, where they are known: for what is odd about the link.
    hosts : sequence of str, optional
        Name of each endpoint's host; default the endpoints' own.
    n_threads : int, optional
    """
    tally = _Tally(topology.n_endpoints, np.zeros(topology.n_endpoints), np.zeros(topology.n_endpoints))
    asked: dict[Routing, tuple[Crossing, Crossing]] = {}
    # Phases of a job have its one placement.
    placements = {id(one.placement): one.placement for one in sent}.values()
    rank_of = {
        endpoint: f"rank {rank}"
        for placement in reversed(placements)
        for rank, endpoint in reversed(list(enumerate(placement.endpoint.tolist())))
    }
    for one in sent:
        if one.routing not in asked:
            own = crossing(topology, link, one.routing, n_threads)
            even = own if own.exact else crossing(topology, link, Adaptive(), n_threads)
            asked[one.routing] = own, even
        for phase in one.schedule.phases:
            for demand in phase.demands:
                _add_demand(topology, tally, one, demand, one.times * phase.repeat, asked[one.routing])
    pairs, amounts = tally.added_up()
    total = float(tally.source.sum())
    order = np.argsort(-amounts, kind="stable")
    named = topology.endpoint_names
    top = []
    for place in order[:TOP_PAIRS].tolist():
        ends = [f"{rank_of.get(end, '')} ({named[end]})" for end in divmod(int(pairs[place]), tally.n)]
        top.append(Share(" -> ".join(ends), float(amounts[place]), float(amounts[place] / total)))
    leaves, hosts = leaf_names(topology, link), topology.endpoint_names if hosts is None else hosts
    hashed = any(not own.exact for own, _ in asked.values())
    return Contributions(
        topology=topology,
        link=link,
        bytes=total,
        by_job=_shares(tally.names.get("job", {}), total),
        by_axis=_shares(tally.names.get("axis", {}), total),
        by_operation=_shares(tally.names.get("operation", {}), total),
        by_group=_shares(tally.names.get("group", {}), total),
        by_source_leaf=_summed(leaves, tally.source, total),
        by_destination_leaf=_summed(leaves, tally.destination, total),
        by_source_host=_summed(hosts, tally.source, total),
        by_destination_host=_summed(hosts, tally.destination, total),
        pairs=tuple(top),
        n_pairs=int(pairs.size),
        odds=link_odds(topology, link, total, tally.even if hashed else None, totals),
    )


def loads_of(topology: Topology, sent: Sequence[Sent], n_threads: int | None = None) -> FloatVector:
    """Bytes of all of it on every link, (n_links,) float64."""
    total = np.zeros(topology.n_links)
    for one in sent:
        loads = schedule_loads(topology, one.schedule, one.placement, one.routing, n_threads)
        total += one.times * loads.total.bytes
    return total


def _add_demand(
    topology: Topology, tally: _Tally, one: Sent, demand: Demand, times: float, asked: tuple[Crossing, Crossing]
) -> None:
    before = float(tally.source.sum())
    own, even = asked
    if isinstance(demand, Reduction):
        shares = times * reduction_shares(topology, demand, one.placement, own.link)
        for group in np.flatnonzero(shares).tolist():
            # Switches add up on the way: every member has an equal part in what they pass on.
            members = one.placement.endpoint[
                demand.groups.rank[demand.groups.start[group] : demand.groups.start[group + 1]]
            ]
            part = np.full(members.size, shares[group] / members.size)
            tally.source += sums_of(members, part, tally.n)
            tally.destination += sums_of(members, part, tally.n)
            tally.add_named("group", group_name(demand.groups, group), float(shares[group]))
        tally.even += float(shares.sum())
    elif isinstance(demand, Flows):
        _add_flows(topology, tally, one, demand, times, own, even)
    else:
        _add_exchange(tally, one, demand, times, own, even)
    found = float(tally.source.sum()) - before
    if found > 0:
        tally.add_named("job", one.job, found)
        tally.add_named("axis", one.axis, found)
        tally.add_named("operation", one.operation, found)


def _add_flows(
    topology: Topology, tally: _Tally, one: Sent, demand: Flows, times: float, own: Crossing, even: Crossing
) -> None:
    src, dst = one.placement.endpoint[demand.src], one.placement.endpoint[demand.dst]
    if isinstance(one.routing, GivenPaths):
        hop = np.flatnonzero(one.routing.paths.link == own.link)
        flow = np.searchsorted(one.routing.paths.start, hop, side="right") - 1
        fraction = one.routing.paths.fraction
        amount = times * demand.bytes[flow] * (1.0 if fraction is None else fraction[hop])
        src, dst = src[flow], dst[flow]
    else:
        if not own.exact:
            may = np.flatnonzero((demand.bytes > 0) & even.may(src, dst))
            tally.even += times * float((demand.bytes[may] * even.parts(src[may], dst[may])).sum())
        chosen = np.flatnonzero((demand.bytes > 0) & own.may(src, dst))
        src, dst = src[chosen], dst[chosen]
        amount = times * demand.bytes[chosen]
        amount = amount * own.parts(src, dst)
    used = amount > 0
    tally.add(src[used], dst[used], amount[used])
    if used.any():
        tally.add_named("group", "point to point", float(amount.sum()))


def _add_exchange(tally: _Tally, one: Sent, demand: AllToAll, times: float, own: Crossing, even: Crossing) -> None:
    start = demand.groups.start
    for group, (first, stop) in enumerate(zip(start[:-1].tolist(), start[1:].tolist(), strict=True)):
        found = 0.0
        for src, dst, amount in _pairs_that_may(one, demand, first, stop, own):
            carried = times * amount * own.parts(src, dst)
            used = carried > 0
            tally.add(src[used], dst[used], carried[used])
            found += float(carried.sum())
        if found > 0:
            tally.add_named("group", group_name(demand.groups, group), found)
        if not own.exact:
            for src, dst, amount in _pairs_that_may(one, demand, first, stop, even):
                tally.even += times * float((amount * even.parts(src, dst)).sum())


def _pairs_that_may(
    one: Sent, demand: AllToAll, first: int, stop: int, own: Crossing
) -> Iterator[tuple[Int32Vector, Int32Vector, FloatVector]]:
    """Endpoints and bytes of a group's pairs that may cross the link, a block at a time."""
    members = np.arange(first, stop)
    endpoint = one.placement.endpoint[demand.groups.rank[first:stop]]
    senders = members[(demand.send[first:stop] > 0) & own.sources[endpoint]]
    receivers = members[(demand.receive[first:stop] > 0) & own.destinations[endpoint]]
    if not (senders.size and receivers.size):
        return
    to = one.placement.endpoint[demand.groups.rank[receivers]]
    rows = max(1, _BLOCK_CELLS // receivers.size)
    for begin in range(0, senders.size, rows):
        some = senders[begin : begin + rows]
        of = one.placement.endpoint[demand.groups.rank[some]]
        may = own.candidates(of, to)
        if demand.block is not None:
            may &= demand.block[some][:, None] != demand.block[receivers]
        i, j = np.nonzero(may)
        if i.size:
            yield of[i], to[j], demand.send[some[i]] * demand.receive[receivers[j]]


def _shares(table: dict[str, float], total: float) -> tuple[Share, ...]:
    rows = sorted(table.items(), key=lambda row: (-row[1], row[0]))
    return tuple(Share(name, amount, amount / total) for name, amount in rows if amount > 0)


def _summed(names: Sequence[str], amount: FloatVector, total: float) -> tuple[Share, ...]:
    table: dict[str, float] = {}
    for place in np.flatnonzero(amount > 0).tolist():
        table[names[place]] = table.get(names[place], 0.0) + float(amount[place])
    return _shares(table, total)


@dataclass(frozen=True, eq=False)
class Explained:
    """Links of a fabric under some traffic, explained.

    Attributes
    ----------
    fabric : OpenedFabric
    routing : Routing
    links : tuple of Contributions
    seconds : tuple of float
        Load over capacity of each.
    of_busiest : tuple of float
        The same over that of the busiest link.
    assumptions : tuple of str
    """

    fabric: OpenedFabric
    routing: Routing
    links: tuple[Contributions, ...]
    seconds: tuple[float, ...]
    of_busiest: tuple[float, ...]
    assumptions: tuple[str, ...]


def study_links(
    fabric: OpenedFabric,
    sent: Sequence[Sent],
    links: Sequence[int],
    top: int = 3,
    assumptions: Sequence[str] = (),
    n_threads: int | None = None,
) -> Explained:
    """Explain links, or the busiest ones.

    Parameters
    ----------
    fabric : OpenedFabric
    sent : sequence of Sent
        At least one; of the same routing.
    links : sequence of int
        Empty: the `top` busiest.
    top : int
    assumptions : sequence of str
    n_threads : int, optional

    Raises
    ------
    InputError
        If a link that is asked for carries nothing.
    """
    topology = fabric.topology
    totals, hosts = loads_of(topology, sent, n_threads), fabric.host_names()
    seconds = totals * 8e-9 / topology.link_capacity_gbps
    chosen = list(links) or [int(link) for link in np.argsort(-seconds, kind="stable")[:top] if seconds[link] > 0]
    for link in chosen:
        if totals[link] <= 0:
            raise InputError(
                f"link {topology.link_name(link)}: carries nothing of this traffic; expected one that does"
            )
    most = float(seconds.max(initial=0.0))
    return Explained(
        fabric,
        sent[0].routing,
        tuple(explain_sent(topology, sent, link, totals, hosts, n_threads) for link in chosen),
        tuple(float(seconds[link]) for link in chosen),
        tuple(float(seconds[link]) / most for link in chosen),
        tuple(assumptions),
    )


def main_cause(found: Contributions, routing: str) -> str:
    """What a link's load comes from, in a few words: what is odd about it, else whose most of it is."""
    odd = odds_text(found.topology, found.link, found.odds, routing)
    if odd:
        return odd
    if len(found.by_job) > 1 and found.by_job[0].share >= MOSTLY:
        return f"{found.by_job[0].share:.0%} of job {found.by_job[0].name}"
    place = place_text(found.topology, found.link)
    if place:
        return place
    for shares, way in ((found.by_source_leaf, "from"), (found.by_destination_leaf, "to")):
        if shares and shares[0].share >= MOSTLY:
            return f"{shares[0].share:.0%} {way} {shares[0].name}"
    return f"{len(found.by_source_leaf)} leaves to {len(found.by_destination_leaf)}, none with most of it"
