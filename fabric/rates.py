"""Max-min fair rates of flows on given paths, and when each flow ends.

Rates are max-min fair: no flow's rate can grow without a smaller or equal one shrinking.  Certificate: every flow
crosses a link that is full and on which no flow has a larger rate.  It is what congestion control at its best comes to.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from collectives.demand import FloatVector, Int32Vector, Int64Vector, frozen_array
from collectives.errors import InputError
from fabric._kernels.columns import PathColumns, SharingState


@dataclass(frozen=True, eq=False)
class FlowPaths:
    """Links that flows cross.

    Attributes
    ----------
    start : (F + 1,) int64
        Where each flow's hops begin; a flow without hops needs no link.
    link : (H,) int32
        No link twice in a flow.
    fraction : (H,) float64 or None
        Part of the flow that crosses the link, in (0, 1]; None where every flow has a single path.
    """

    start: Int64Vector
    link: Int32Vector
    fraction: FloatVector | None = None

    @property
    def n_flows(self) -> int:
        return len(self.start) - 1

    def check(self, n_links: int) -> None:
        """Refuse what is no set of paths over `n_links` links."""
        if (
            len(self.start) < 1
            or self.start[0] != 0
            or self.start[-1] != len(self.link)
            or np.any(self.start[1:] < self.start[:-1])
        ):
            raise InputError("paths.start: expected rising numbers from 0 to the number of hops")
        if len(self.link) and (self.link.min() < 0 or self.link.max() >= n_links):
            bad = int(np.flatnonzero((self.link < 0) | (self.link >= n_links))[0])
            raise InputError(f"paths.link[{bad}]: link {self.link[bad]}; expected 0 to {n_links - 1}")
        if self.fraction is not None:
            wrong = np.flatnonzero(~((self.fraction > 0) & (self.fraction <= 1 + 1e-9)))
            if len(self.fraction) != len(self.link) or wrong.size:
                raise InputError("paths.fraction: expected one in (0, 1] for each hop")

    @cached_property
    def hop_flow(self) -> Int32Vector:
        """Flow of each hop, (H,) int32."""
        return np.repeat(np.arange(self.n_flows, dtype=np.int32), np.diff(self.start))


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
    from fabric._kernels.filling import fill, reverse_paths

    columns = _columns(capacity, paths, weight)
    link_start = np.empty(len(capacity) + 1, np.int64)
    link_flow = np.empty(len(paths.link), np.int32)
    reverse_paths(columns, link_start, link_flow)
    rate = np.empty(paths.n_flows)
    fill(np.ascontiguousarray(capacity, np.float64), columns, link_start, link_flow, rate)
    return rate


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
    """

    finish_s: FloatVector
    solves: int
    quantum_s: float
    largest_shortfall: float

    @property
    def makespan_s(self) -> float:
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
        As `max_min_rates`; a size, start or quantum that is not finite and >= 0.
    """
    from fabric._kernels.filling import run

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
    _columns(capacity_bytes_per_s, paths, None)
    moving = np.flatnonzero((size > 0) & (np.diff(paths.start) > 0))
    alike, first = _alike(paths, size, begin, moving)
    some = _chosen(paths, moving[first])
    columns = _columns(capacity_bytes_per_s, some, np.bincount(alike, minlength=first.size).astype(np.float64))
    n_links = len(capacity_bytes_per_s)
    counts = np.bincount(some.link, minlength=n_links)
    state = SharingState(
        first=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        on=np.empty(len(some.link), np.int64),
        place=np.empty(len(some.link), np.int64),
        n_on=np.zeros(n_links, np.int64),
        demand=np.zeros(n_links),
    )
    chosen_size, chosen_begin = size[moving[first]], begin[moving[first]]
    finish, shortfall = np.zeros(first.size), np.zeros(first.size)
    solves = 0
    if first.size:
        solves = run(
            np.ascontiguousarray(capacity_bytes_per_s, np.float64),
            columns,
            some.hop_flow,
            state,
            chosen_size,
            chosen_begin,
            np.argsort(chosen_begin, kind="stable"),
            float(quantum_s),
            finish,
            shortfall,
        )
    result = begin.copy()
    result[moving] = finish[alike]
    return Completions(
        frozen_array(result, np.float64, "finish"), solves, float(quantum_s), float(shortfall.max(initial=0.0))
    )


def _columns(capacity: FloatVector, paths: FlowPaths, weight: FloatVector | None) -> PathColumns:
    paths.check(len(capacity))
    crossed = np.zeros(len(capacity), bool)
    crossed[paths.link] = True
    used = np.flatnonzero(crossed)
    bad = used[~(np.isfinite(capacity[used]) & (capacity[used] > 0))]
    if bad.size:
        raise InputError(f"link {bad[0]}: capacity {capacity[bad[0]]:g}; expected a finite number > 0")
    weights = np.ones(paths.n_flows) if weight is None else np.ascontiguousarray(weight, np.float64)
    if weights.shape != (paths.n_flows,) or not np.all(np.isfinite(weights) & (weights > 0)):
        raise InputError(f"weight: expected {paths.n_flows} finite numbers > 0")
    fraction = np.empty(0) if paths.fraction is None else np.ascontiguousarray(paths.fraction, np.float64)
    return PathColumns(
        np.ascontiguousarray(paths.start, np.int64), np.ascontiguousarray(paths.link, np.int32), fraction, weights
    )


def _alike(
    paths: FlowPaths, size: FloatVector, begin: FloatVector, moving: Int64Vector
) -> tuple[Int64Vector, Int64Vector]:
    """Number flows of equal path, size and start: (number of each of `moving`, place in `moving` of each number)."""
    if moving.size == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    # A sum over a flow's hops of 64 random bits for each link: equal for equal paths, and for any of a million others
    # with a chance of 1e-7.
    generator = np.random.Generator(np.random.PCG64(1))
    values = generator.integers(0, 2**64, size=int(paths.link.max()) + 1, dtype=np.uint64)[paths.link]
    if paths.fraction is not None:
        values = _mixed(values ^ _mixed(np.ascontiguousarray(paths.fraction, np.float64).view(np.uint64)))
    mark = np.add.reduceat(values, paths.start[moving])
    hops = np.diff(paths.start)[moving]
    keys = (mark, hops, size[moving], begin[moving])
    order = np.lexsort(keys)
    fresh = np.zeros(order.size, bool)
    fresh[:1] = True
    for key in keys:
        fresh[1:] |= key[order][1:] != key[order][:-1]
    alike = np.empty(order.size, np.int64)
    alike[order] = np.cumsum(fresh) - 1
    return alike, order[fresh]


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Finalizer of splitmix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _chosen(paths: FlowPaths, flows: Int64Vector) -> FlowPaths:
    """The paths of some flows."""
    hops = np.diff(paths.start)[flows]
    start = np.concatenate([[0], np.cumsum(hops)]).astype(np.int64)
    place = np.repeat(paths.start[flows] - start[:-1], hops) + np.arange(int(start[-1]))
    return FlowPaths(start, paths.link[place], None if paths.fraction is None else paths.fraction[place])
