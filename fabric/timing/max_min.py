"""Max-min fair rates of flows on given paths, and when each flow ends.

Rates are max-min fair: no flow's rate can grow without a smaller or equal one shrinking.  Certificate: every flow
crosses a link that is full and on which no flow has a larger rate.  It is what congestion control at its best comes to.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collectives.demand import FloatVector, Int32Vector, Int64Vector, frozen_array
from collectives.errors import InputError
from fabric._kernels.arrays import (
    CAPACITY,
    FIRST,
    LEVEL,
    LINK_COLUMNS,
    LIST_COLUMNS,
    Batch,
    Filling,
    Gathered,
    LevelWork,
    PathArrays,
    SharingState,
)
from fabric.routing.chunks import MAX_CHUNKS, for_each_chunk
from fabric.routing.flow_paths import FlowPaths
from fabric.timing.equal_flows import equal_flows

# So many flows at least are listed by link at a time: some MB, assumed to suit any machine.  The answer does not depend
# on it.
_CHUNK_FLOWS = 100_000
# Room for the hops of so many flows of links that are filled next, some MB, and flows read at a time: they should stay
# in the caches, assumed.  Nor does the answer depend on these.
_GATHERED_FLOWS, _BATCH = 500_000, 1024


def max_min_rates(capacity: FloatVector, paths: FlowPaths, weight: FloatVector | None = None) -> FloatVector:
    """Rates of flows that share links, O(H + pops log L).

    Parameters
    ----------
    capacity : (L,) float64
        Of the links, in any unit; > 0 where a flow crosses.
    paths : FlowPaths
    weight : (F,) float64, optional
        Number of equal flows that each stands for; default 1.

    Returns
    -------
    (F,) float64
        In the unit of `capacity`; infinite for a flow without hops.

    Raises
    ------
    InputError
        A link that does not exist, a capacity that is not > 0, a weight that is not > 0.
    """
    from fabric._kernels.max_min import lowest_levels

    path_arrays = _path_arrays(capacity, paths, weight)
    level = _link_levels(capacity, path_arrays)
    rate = np.empty(paths.n_flows)

    def assign(number: int, n_chunks: int) -> None:
        lowest_levels(path_arrays, level, *_share(paths.n_flows, number, n_chunks), rate)

    for_each_chunk(assign, max(1, paths.n_flows // _CHUNK_FLOWS))
    return rate


def _link_levels(capacity: FloatVector, path_arrays: PathArrays) -> FloatVector:
    """The level at which each link is full, (L,); infinite where it never is.

    The links next to be full are taken together: what they need of the paths, scattered over memory, is copied on all
    threads; then they are filled one after another.
    """
    from fabric._kernels.max_min import demands, fill, gather

    n_links, n_flows = len(capacity), len(path_arrays.start) - 1
    link_start, link_flow = _flows_by_link(path_arrays, n_links)
    n_on = np.diff(link_start)
    _refuse_capacities(capacity, n_on > 0)
    equal = len(path_arrays.weight) == len(path_arrays.fraction) == 0
    filling = Filling(
        key=np.empty(n_links),
        item=np.empty(n_links, np.int32),
        left=np.array(capacity, np.float64),
        waiting=n_on.astype(np.int32),
        demand=np.zeros(0 if equal else n_links),
        done=np.zeros((n_flows >> 6) + 1, np.uint64),
        level=np.full(n_links, np.inf),
    )
    if not equal:
        demands(path_arrays, filling.demand)
    room = max(_GATHERED_FLOWS, int(n_on.max(initial=0)))
    width = _most_hops(path_arrays.start)
    gathered = Gathered(
        first=np.zeros(n_links, np.int64),
        stop=np.zeros(n_links, np.int64),
        flow=np.empty(room, np.int32),
        link=np.empty((room, width), np.int32),
        part=np.empty((0 if equal else room, width)),
    )
    while True:
        links, limit = _next_to_fill(filling, room)
        if links.size == 0:
            return filling.level
        gathered.first[links] = np.cumsum(filling.waiting[links]) - filling.waiting[links]

        def take(number: int, n_chunks: int, links: Int32Vector = links) -> None:
            first, stop = np.empty(_BATCH, np.int64), np.empty(_BATCH, np.int64)
            batch = Batch(np.empty(_BATCH, np.int32), first, stop, np.empty(_BATCH, np.int32))
            gather(path_arrays, link_start, link_flow, filling.done, links, gathered, batch, number, n_chunks)

        for_each_chunk(take, links.size)
        fill(gathered, filling, links, limit)


def _next_to_fill(filling: Filling, room: int) -> tuple[Int32Vector, float]:
    """The links with the lowest levels, whose flows without a rate are no more than `room`, and the next level."""
    links = np.flatnonzero(filling.waiting > 0)
    if links.size == 0:
        return links.astype(np.int32), np.inf
    waiting = filling.waiting[links]
    level = filling.left[links] / (filling.demand[links] if filling.demand.size else waiting)
    # About as many as fit, and the next one: the rest is not sorted.
    few = min(links.size - 1, 1 + int(2.0 * room * links.size / waiting.sum(dtype=np.int64)))
    lowest = np.argpartition(level, few)[: few + 1]
    lowest = lowest[np.argsort(level[lowest], kind="stable")]
    n = int(np.searchsorted(np.cumsum(waiting[lowest], dtype=np.int64), room, side="right"))
    n = n if n >= links.size else min(n, few)
    return links[lowest[:n]].astype(np.int32), float(level[lowest[n]]) if n < links.size else np.inf


def _most_hops(start: Int64Vector) -> int:
    """Most hops of a flow, without a copy of `start`."""
    most = 1
    for first in range(0, len(start) - 1, _CHUNK_FLOWS):
        most = max(most, int(np.diff(start[first : first + _CHUNK_FLOWS + 1]).max()))
    return most


def _share(n: int, number: int, n_chunks: int) -> tuple[int, int]:
    return n * number // n_chunks, n * (number + 1) // n_chunks


def _flows_by_link(path_arrays: PathArrays, n_links: int) -> tuple[Int64Vector, Int32Vector]:
    """The flows of each link: where they begin, (L + 1,), and the flows, (H,), rising for each link."""
    from fabric._kernels.max_min import count_flows, list_flows

    n_flows = len(path_arrays.start) - 1
    n_items = max(1, n_flows // _CHUNK_FLOWS)
    place = np.zeros((min(n_items, MAX_CHUNKS), n_links), np.int64)
    link_flow = np.empty(len(path_arrays.link), np.int32)

    def count(number: int, n_chunks: int) -> None:
        first, stop = _share(n_flows, number, n_chunks)
        count_flows(path_arrays.link[path_arrays.start[first] : path_arrays.start[stop]], place[number])

    def write(number: int, n_chunks: int) -> None:
        list_flows(path_arrays, *_share(n_flows, number, n_chunks), place[number], link_flow)

    for_each_chunk(count, n_items)
    counts = place.sum(axis=0)
    link_start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    place[:] = link_start[:-1] + np.cumsum(place, axis=0) - place
    for_each_chunk(write, n_items)
    return link_start, link_flow


@dataclass(frozen=True, eq=False)
class Completions:
    """When flows end.

    Attributes
    ----------
    finish_s : (F,) float64
    solves : int
        How often rates were found.
    quantum_s : float
    largest_shortfall : float
        With a quantum, the answer is exact for sizes that are smaller, each by at most this part of it; else 0.
    new_levels, new_rates : int
        How often a link that holds flows back gave them a new rate, and how often a flow was given one so.
    """

    finish_s: FloatVector
    solves: int
    quantum_s: float
    largest_shortfall: float
    new_levels: int = 0
    new_rates: int = 0

    @property
    def makespan_s(self) -> float:
        """When the last flow ends, seconds; 0 without flows."""
        return float(self.finish_s.max(initial=0.0))


def completions(
    capacity_bytes_per_s: FloatVector,
    paths: FlowPaths,
    size_bytes: FloatVector,
    start_s: FloatVector | None = None,
    quantum_s: float = 0.0,
) -> Completions:
    """When each flow ends, rates being max-min fair at every moment.

    Flows with equal paths, sizes and starts are one in the calculation.  After each end or start, only the flows that
    it can concern are given new rates.

    Parameters
    ----------
    capacity_bytes_per_s : (L,) float64
    paths : FlowPaths
    size_bytes : (F,) float64
        Finite, >= 0; a flow of 0 bytes, or without hops, ends when it starts.
    start_s : (F,) float64, optional
        Finite, >= 0; default 0.
    quantum_s : float
        Flows that would end within so much after another one end with it, each at the time that its rate then says:
        faster for many flows, and exact for slightly smaller sizes (`Completions.largest_shortfall` says how much).

    Raises
    ------
    InputError
        As `max_min_rates`; a size, start or quantum that is not finite and >= 0; 2**31 hops or more.
    """
    from fabric._kernels.sharing import run

    size = np.asarray(size_bytes, np.float64)
    begin = np.zeros(paths.n_flows) if start_s is None else np.asarray(start_s, np.float64)
    for name, values in (("size", size), ("start", begin)):
        if values.shape != (paths.n_flows,):
            raise InputError(f"{name}: expected {paths.n_flows} values, got {values.size}")
        bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
        if bad.size:
            raise InputError(f"{name} of flow {bad[0]}: {values[bad[0]]:g}; expected a finite number >= 0")
    if not (np.isfinite(quantum_s) and quantum_s >= 0):
        raise InputError(f"quantum: {quantum_s:g} s; expected a finite number >= 0")
    paths.check(len(capacity_bytes_per_s))
    crossed = np.zeros(len(capacity_bytes_per_s), bool)
    crossed[paths.link] = True
    _refuse_capacities(capacity_bytes_per_s, crossed)
    moving = np.flatnonzero((size > 0) & (np.diff(paths.start) > 0))
    paths, size, start = paths.chosen(moving), size[moving], begin[moving]
    number, first = equal_flows(paths, size, start)
    # By their starts: flows that share links at one time are near each other in memory then.
    first = first[np.argsort(start[first], kind="stable")]
    some, size, start = paths.chosen(first), size[first], start[first]
    weight = None if first.size == moving.size else np.bincount(number).astype(np.float64)[number[first]]
    finish, shortfall = np.zeros(first.size), np.zeros(first.size)
    work = _no_work(len(capacity_bytes_per_s), some.n_flows)
    solves = run(
        _path_arrays(capacity_bytes_per_s, some, weight),
        _nothing_shared(capacity_bytes_per_s, some),
        work,
        size,
        start,
        np.arange(first.size, dtype=np.int32),
        float(quantum_s),
        finish,
        shortfall,
    )
    by_number = np.empty(first.size)
    by_number[number[first]] = finish
    result = begin.copy()
    result[moving] = by_number[number]
    return Completions(
        frozen_array(result, np.float64, "finish"),
        solves,
        float(quantum_s),
        float(shortfall.max(initial=0.0)),
        *work.counts[2:].tolist(),
    )


def _refuse_capacities(capacity: FloatVector, crossed: npt.NDArray[np.bool_]) -> None:
    used = np.flatnonzero(crossed)
    bad = used[~(np.isfinite(capacity[used]) & (capacity[used] > 0))]
    if bad.size:
        raise InputError(f"link {bad[0]}: capacity {capacity[bad[0]]:g}; expected a finite number > 0")


def _path_arrays(capacity: FloatVector, paths: FlowPaths, weight: FloatVector | None) -> PathArrays:
    paths.check(len(capacity))
    weights = np.empty(0) if weight is None else np.ascontiguousarray(weight, np.float64)
    if weight is not None and (weights.shape != (paths.n_flows,) or not np.all(np.isfinite(weights) & (weights > 0))):
        raise InputError(f"weight: expected {paths.n_flows} finite numbers > 0")
    fraction = np.empty(0) if paths.fraction is None else np.ascontiguousarray(paths.fraction, np.float64)
    return PathArrays(
        np.ascontiguousarray(paths.start, np.int64), np.ascontiguousarray(paths.link, np.int32), fraction, weights
    )


def _nothing_shared(capacity: FloatVector, paths: FlowPaths) -> SharingState:
    """The state before any flow has begun."""
    n_links, n_flows, n_hops = len(capacity), paths.n_flows, len(paths.link)
    if n_hops >= 2**31:
        raise InputError(f"paths: {n_hops:,} hops; expected fewer than {2**31:,}: fewer flows at a time")
    links, lists = np.zeros((n_links, LINK_COLUMNS)), np.zeros((n_links, LIST_COLUMNS), np.int64)
    links[:, CAPACITY], links[:, LEVEL] = capacity, np.inf
    lists[1:, FIRST] = np.cumsum(np.bincount(paths.link, minlength=n_links))[:-1]
    return SharingState(
        on_flow=np.empty(n_hops, np.int32),
        on_hop=np.empty(n_hops, np.int32),
        place=np.empty(n_hops, np.int32),
        lists=lists,
        links=links,
        held=np.full(n_flows, -1, np.int32),
        holder=np.full(n_flows, -1, np.int32),
        ends_at=np.zeros(n_flows),
        ends=np.full(2 << max(n_links - 1, 1).bit_length(), np.inf),
    )


def _no_work(n_links: int, n_flows: int) -> LevelWork:
    return LevelWork(
        counts=np.zeros(4, np.int64),
        key=np.empty(n_links),
        item=np.empty(n_links, np.int32),
        queued=np.zeros(n_links, bool),
        links=np.empty(n_links, np.int32),
        changed=np.zeros(n_links, bool),
        away=np.empty(n_flows, np.int32),
        waiting=np.empty(n_links, np.int64),
        wanted=np.empty(n_links),
        near=np.zeros(1, np.int32),
    )
