"""A trace over time: its operations overlap as their timestamps or their order say, and share links.

An operation alone takes the time that `busbw` predicts, and keeps each of its links busy a part of it.  Operations that
run at once get on each link their max-min fair part (`fabric.studies.sharing.fair_speeds`), anew at each start and each
end.  Where the trace has timestamps an operation starts when they say, and after the one before it in its group; where
it has none, when the ones before it of all its members have ended.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from collectives.algorithm import AUTO
from collectives.catalog import algorithm_of
from collectives.demand import FloatVector, Flows, Groups, Int64Vector
from collectives.errors import InputError
from collectives.schedule import Phase, Schedule
from fabric.routing.link_loads import schedule_loads
from fabric.scenario import Scenario, switches_reduce
from fabric.studies.sharing import fair_speeds
from fabric.timing.alpha_beta import AlphaBeta, alpha_beta_of, predicted_s
from fabric.timing.prediction import alpha_betas, predict
from traces.gpu_time import joined, uncovered_s
from traces.operation import Operation, Trace
from traces.order import rounds
from traces.traffic import nccl_size

BINS = 100
"""Parts that the time of a replay is cut into."""

_HOTTEST = 20
_FULL = 1.0 + 1e-9
_UNIT = float(1 << 30)


@dataclass(frozen=True, eq=False)
class Replayed:
    """An operation as it ran in the replay.

    Attributes
    ----------
    operation : Operation
    start_s, finish_s : float
        From the start of the first operation on.
    alone_s : float
        What it takes by itself.
    """

    operation: Operation
    start_s: float
    finish_s: float
    alone_s: float

    @property
    def took_s(self) -> float:
        """From start to end."""
        return self.finish_s - self.start_s

    @property
    def label(self) -> str:
        """What a reader is shown."""
        one = self.operation
        number = "" if one.sequence is None else f" #{one.sequence}"
        return f"{one.kind} of {one.group_size}{number}{f' in {one.group}' if one.group else ''}"


@dataclass(frozen=True, eq=False)
class HotLink:
    """One of the busiest links over time.

    Attributes
    ----------
    link : int
    name : str
    utilization : (n_bins,) float64
        Part of each bin's time that it is busy.
    bytes : float
        That it carries in all.
    peak : Replayed
        The operation that has most of it in its busiest bin.
    """

    link: int
    name: str
    utilization: FloatVector
    bytes: float
    peak: Replayed


@dataclass(frozen=True)
class Exposure:
    """Communication of a rank that no kernel of its own hides.

    Attributes
    ----------
    rank : int or None
        None where its file does not say.
    span_s : float
        From its first kernel to the end of its last.
    measured_s : float
        As recorded, waiting for other ranks included.
    predicted_s : float
        With operations that start and last as in the replay, while it computes when it did.
    """

    rank: int | None
    span_s: float
    measured_s: float
    predicted_s: float


def exposed_share(exposed: Sequence[Exposure], which: str = "measured_s") -> float | None:
    """Part of the ranks' time that is exposed communication, measured or predicted; None where it is not known."""
    span_s = sum(one.span_s for one in exposed)
    return sum(getattr(one, which) for one in exposed) / span_s if span_s > 0 else None


@dataclass(frozen=True, eq=False)
class Replay:
    """A trace over time.

    Attributes
    ----------
    scenario : Scenario
    operations : tuple of Replayed
        In the order in which they started.
    links : tuple of HotLink
        The busiest first.
    by_time : bool
        Whether the trace's timestamps say when operations start.
    left_out : int
        Operations that are not complete.
    communicating : float
        Part of the replay in which a rank is in at least one operation, the mean over ranks that take part: exposed
        communication is at most that, where the trace says nothing of compute.
    exposed : tuple of Exposure
        Of each rank whose kernels the trace has.
    segments : tuple of (int, float, float, float)
        Operation, from, to, and at which part of its own speed it ran.
    """

    scenario: Scenario
    operations: tuple[Replayed, ...]
    links: tuple[HotLink, ...]
    by_time: bool
    left_out: int
    communicating: float
    exposed: tuple[Exposure, ...]
    segments: tuple[tuple[int, float, float, float], ...]

    @property
    def span_s(self) -> float:
        """From the first start to the last end."""
        return max((one.finish_s for one in self.operations), default=0.0)

    @property
    def slowed(self) -> tuple[Replayed, ...]:
        """Operations that others slow down, the most first."""
        slow = [one for one in self.operations if one.took_s > 1.005 * one.alone_s]
        return tuple(sorted(slow, key=lambda one: -one.took_s / one.alone_s))


@dataclass(frozen=True, eq=False)
class _Cost:
    """An operation alone: its time, its links, the part of the time that it keeps each busy."""

    alone_s: float
    link: Int64Vector
    part: FloatVector


def study_replay(scenario: Scenario, bins: int = BINS, top: int = _HOTTEST) -> Replay:
    """Replay the operations of a scenario's trace.

    Parameters
    ----------
    scenario : Scenario
        Its traffic is a trace.
    bins : int
        Parts of time of a link's utilization.
    top : int
        Links that are kept.

    Raises
    ------
    InputError
        Traffic that is no trace, no complete operation, or a rank that the placement lacks.
    """
    trace = scenario.traffic.trace
    if trace is None:
        raise InputError(f"replay of {scenario.traffic.label}: expected a trace")
    usable = [one for level in rounds(trace) for one in level]
    n_ranks = scenario.placement.n_ranks
    for one in usable:
        if max(one.ranks) >= n_ranks:
            raise InputError(f"{one.source}: rank {max(one.ranks)}; the job has ranks 0 to {n_ranks - 1}")
    if not usable:
        raise InputError(f"{trace.files[0]}: no operation with size and ranks; expected some to replay")
    by_time = all(one.start_s is not None for one in usable)
    costs = list(_costs(scenario, usable))
    if by_time:
        first = min(one.start_s or 0.0 for one in usable)
        order = sorted(range(len(usable)), key=lambda place: (usable[place].start_s or 0.0, place))
        earliest = [(one.start_s or 0.0) - first for one in usable]
        # Of a group one after the other: a communicator's operations are on one stream.
        keys: list[tuple[object, ...]] = [((one.group, one.ranks),) for one in usable]
    else:
        order = list(range(len(usable)))
        earliest = [0.0] * len(usable)
        keys = [tuple(one.ranks) for one in usable]
    starts, ends, segments = _fluid(costs, order, earliest, keys, scenario.topology.n_links)
    made = [Replayed(one, a, b, cost.alone_s) for one, a, b, cost in zip(usable, starts, ends, costs, strict=True)]
    links = tuple(_hot_links(scenario, made, costs, segments, bins, top))
    # Operations in the order of their starts, whatever the order in which ranks' files were given.
    sequence = sorted(range(len(made)), key=lambda place: (starts[place], place))
    number = {place: position for position, place in enumerate(sequence)}
    renamed = tuple((number[place], a, b, speed) for place, a, b, speed in segments)
    return Replay(
        scenario,
        tuple(made[place] for place in sequence),
        links,
        by_time,
        len(trace.operations) - len(usable),
        _communicating(made),
        tuple(_exposures(trace, made)) if by_time else (),
        renamed,
    )


def _costs(scenario: Scenario, operations: Sequence[Operation]) -> Iterator[_Cost]:
    """Of each operation; alike ones are routed once.  In one thread: each is small, and threads cost more to start."""
    chosen: dict[tuple[str, tuple[int, ...]], dict[str, AlphaBeta]] = {}
    known: dict[tuple[object, ...], _Cost] = {}
    loads: dict[tuple[object, ...], tuple[Int64Vector, FloatVector]] = {}
    for one in operations:
        splits = None if one.splits is None else one.splits.tobytes()
        key = (one.kind, one.ranks, one.bytes, one.root, splits)
        if key not in known:
            known[key] = _explicit_cost(scenario, one) or _collective_cost(scenario, one, chosen, loads)
        yield known[key]


def _explicit_cost(scenario: Scenario, one: Operation) -> _Cost | None:
    """Of a message, or of an exchange of unequal parts."""
    ranks = np.array(one.ranks, np.int32)
    if one.splits is not None:
        i, j = np.nonzero(one.splits)
        flows, size = Flows(ranks[i], ranks[j], one.splits[i, j]), float(one.splits.sum(axis=1).max(initial=0.0))
        algorithm = algorithm_of("all-to-all")
    elif one.kind == "send-recv":
        flows, size = Flows(ranks[:1], ranks[1:2], np.array([one.bytes])), float(one.bytes or 0.0)
        algorithm = algorithm_of("send-recv")
    else:
        return None
    schedule = Schedule((Phase(flows),))
    carried = schedule_loads(scenario.topology, schedule, scenario.placement, scenario.routing, 1)
    groups = Groups.of([list(dict.fromkeys(one.ranks))])
    model = alpha_beta_of(algorithm, schedule, carried, scenario.placement, max(size, 1.0), scenario.model, groups)
    return _cost(predicted_s(model, size, scenario.model)[0], carried.total.seconds)


def _collective_cost(
    scenario: Scenario,
    one: Operation,
    chosen: dict[tuple[str, tuple[int, ...]], dict[str, AlphaBeta]],
    loads: dict[tuple[object, ...], tuple[Int64Vector, FloatVector]],
) -> _Cost:
    """Of a collective, by the algorithm that the library chooses for its size."""
    same, size = (one.kind, one.ranks), nccl_size(one)
    if len(one.ranks) < 2:
        return _cost(0.0, np.zeros(scenario.topology.n_links))
    groups = Groups.of([list(one.ranks)])
    if same not in chosen:
        chosen[same] = alpha_betas(
            scenario.topology,
            scenario.placement,
            one.kind,
            (AUTO,),
            scenario.routing,
            scenario.model,
            switches_reduce(scenario.fabric),
            1,
            groups,
            library=scenario.library,
        )
    (row,) = predict(one.kind, len(one.ranks), (max(size, 1.0),), chosen[same], scenario.model, best_only=True)
    key = (*same, row.algorithm)
    if key not in loads:
        made = algorithm_of(one.kind, row.algorithm).schedule_for(groups, _UNIT, scenario.domain, scenario.rail)
        carried = schedule_loads(scenario.topology, made, scenario.placement, scenario.routing, 1)
        link = np.flatnonzero(carried.total.seconds)
        loads[key] = link, carried.total.seconds[link]
    link, seconds = loads[key]
    return _Cost(row.time_s, link, np.minimum(seconds * (size / _UNIT) / row.time_s, 1.0))


def _cost(alone_s: float, seconds: FloatVector) -> _Cost:
    link = np.flatnonzero(seconds)
    alone_s = max(alone_s, float(seconds.max(initial=0.0)))
    part = seconds[link] / alone_s if alone_s > 0 else seconds[link]
    return _Cost(alone_s, link, np.minimum(part, 1.0))


def _fluid(
    costs: Sequence[_Cost],
    order: Sequence[int],
    earliest: Sequence[float],
    keys: Sequence[tuple[object, ...]],
    n_links: int,
) -> tuple[list[float], list[float], list[tuple[int, float, float, float]]]:
    """Starts, ends, and stretches of constant speed.

    An operation starts at its earliest time, after those before it in `order` that share one of its keys.
    """
    n = len(costs)
    waits, after = [0] * n, [[] for _ in range(n)]  # type: list[int], list[list[int]]
    last: dict[object, int] = {}
    for place in order:
        for key in dict.fromkeys(keys[place]):
            before = last.get(key)
            if before is not None and place not in after[before]:
                after[before].append(place)
                waits[place] += 1
            last[key] = place
    ready: list[tuple[float, int]] = []
    for place in range(n):
        if not waits[place]:
            heappush(ready, (earliest[place], place))
    starts, ends = [0.0] * n, [0.0] * n
    left = [cost.alone_s for cost in costs]
    speed: dict[int, float] = {}
    since: dict[int, float] = {}
    total = np.zeros(n_links)
    segments: list[tuple[int, float, float, float]] = []
    now = 0.0

    def cut(place: int) -> None:
        """End a stretch of an operation's constant speed."""
        lasted = now - since[place]
        if lasted > 0:
            segments.append((place, since[place], now, speed[place]))
            left[place] -= lasted * speed[place]
        since[place] = now

    while ready or speed:
        finish = min(((since[p] + max(left[p], 0.0) / speed[p], p) for p in speed), default=(np.inf, -1))
        arrival = ready[0] if ready else (np.inf, -1)
        if arrival[0] <= finish[0]:
            now = max(now, arrival[0])
            _, place = heappop(ready)
            starts[place] = now
            speed[place], since[place] = 1.0, now
            changed = costs[place].link
            total[changed] += costs[place].part
        else:
            now, place = max(now, finish[0]), finish[1]
            cut(place)
            changed = costs[place].link
            total[changed] -= costs[place].part
            del speed[place], since[place]
            ends[place] = now
            for other in after[place]:
                waits[other] -= 1
                if not waits[other]:
                    heappush(ready, (max(earliest[other], now), other))
        _share(costs, speed, total, cut)
    return starts, ends, segments


def _share(costs: Sequence[_Cost], speed: dict[int, float], total: FloatVector, cut: object) -> None:
    """Give each running operation its fair part; those whose speed changes begin a new stretch."""
    crowded = [place for place in speed if costs[place].link.size and total[costs[place].link].max() > _FULL]
    fair = dict.fromkeys(speed, 1.0)
    if crowded:
        # Where links are full: of those links alone, everyone else has what he needs.
        full = np.unique(np.concatenate([costs[p].link[total[costs[p].link] > _FULL] for p in crowded]))
        demand = np.zeros((len(crowded), full.size))
        for row, place in enumerate(crowded):
            where = np.searchsorted(full, costs[place].link)
            inside = (where < full.size) & (full[np.minimum(where, full.size - 1)] == costs[place].link)
            demand[row, where[inside]] = costs[place].part[inside]
        fair |= dict(zip(crowded, np.maximum(fair_speeds(demand), 1e-9).tolist(), strict=True))
    for place, own in fair.items():
        if own != speed[place]:
            cut(place)  # type: ignore[operator]
            speed[place] = own


def _hot_links(
    scenario: Scenario,
    made: Sequence[Replayed],
    costs: Sequence[_Cost],
    segments: Sequence[tuple[int, float, float, float]],
    bins: int,
    top: int,
) -> Iterator[HotLink]:
    topology = scenario.topology
    busy = np.zeros(topology.n_links)
    for cost in costs:
        busy[cost.link] += cost.part * cost.alone_s
    links = [int(link) for link in np.argsort(-busy, kind="stable")[:top] if busy[link] > 0]
    span = max((one.finish_s for one in made), default=0.0)
    if not links or span <= 0:
        return
    place_of = np.full(topology.n_links, -1)
    place_of[links] = np.arange(len(links))
    width = span / bins
    used = np.zeros((len(links), bins))
    most: dict[tuple[int, int], tuple[float, int]] = {}
    for number, begin, end, speed in segments:
        cost = costs[number]
        rows = place_of[cost.link]
        mine = np.flatnonzero(rows >= 0)
        if not mine.size:
            continue
        first, stop = int(begin / width), min(bins - 1, int(end / width))
        for column in range(first, stop + 1):
            lasted = min(end, (column + 1) * width) - max(begin, column * width)
            if lasted <= 0:
                continue
            added = cost.part[mine] * speed * lasted / width
            used[rows[mine], column] += added
            for row, part in zip(rows[mine].tolist(), added.tolist(), strict=True):
                if part > most.get((row, column), (0.0, -1))[0]:
                    most[row, column] = (part, number)
    for row, link in enumerate(links):
        peak = int(used[row].argmax())
        carried = float(busy[link] * topology.link_capacity_gbps[link] * 1e9 / 8)
        yield HotLink(link, topology.link_name(link), used[row], carried, made[most[row, peak][1]])


def _exposures(trace: Trace, made: Sequence[Replayed]) -> Iterator[Exposure]:
    """Of ranks that compute as far as the trace knows."""
    first = min(one.operation.start_s or 0.0 for one in made)
    for known in trace.gpu_times:
        if not len(known.compute):
            continue
        own = [one for one in made if known.rank is None or known.rank in one.operation.ranks]
        spans = joined(np.array([(one.start_s, one.finish_s) for one in own]).reshape(-1, 2))
        yield Exposure(known.rank, known.span_s, known.exposed_s, uncovered_s(spans, known.compute - first))


def _communicating(made: Sequence[Replayed]) -> float:
    """Part of the whole in which a rank is in an operation, the mean over ranks in any."""
    spans: dict[int, list[tuple[float, float]]] = {}
    for one in made:
        for rank in one.operation.ranks:
            spans.setdefault(rank, []).append((one.start_s, one.finish_s))
    whole = max((one.finish_s for one in made), default=0.0)
    if whole <= 0:
        return 0.0
    shares = []
    for own in spans.values():
        covered = end = 0.0
        for first, last in sorted(own):
            covered += max(0.0, last - max(first, end))
            end = max(end, last)
        shares.append(covered / whole)
    return float(np.mean(shares))
