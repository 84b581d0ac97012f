"""Max-min fair rates by progressive filling.

All rates rise together until a link is full; its flows stop there, the others rise on (D. Bertsekas and R. Gallager:
Data Networks, 6.5.2).  A link's fill level, at which it would be full, only rises while others fill up, so a heap with
stale keys finds the next one: a link that comes up with an old key goes back with its new one.
"""

import numpy as np

from fabric._kernels.arrays import (
    Batch,
    FloatVector,
    Int32Vector,
    Int64Vector,
    PathArrays,
    UInt64Vector,
)
from fabric._kernels.compile import borrowing_kernel, inline_step, kernel
from fabric._kernels.heap import sift_down, sift_up

# Two fill levels closer than this part of them are one: they differ by rounding.  Assumed, as a sum of a thousand terms
# is off by 1e-13 of itself at most.
SAME = 1e-12
# Flows whose hops are fetched together: few enough that they stay in the cache, assumed.
BATCH = 1024


@kernel
def count_flows(link: Int32Vector, counts: Int64Vector) -> None:
    """Count the flows on each link.

    Parameters
    ----------
    link : (H,) int32
        Links of some flows' hops.
    counts : (L,) int64
        Added to.
    """
    for hop in range(link.shape[0]):
        counts[link[hop]] += 1


@borrowing_kernel
def list_flows(paths: PathArrays, first: int, stop: int, place: Int64Vector, link_flow: Int32Vector) -> None:
    """Put the flows `first` to `stop` on the lists of their links.

    Parameters
    ----------
    paths : PathArrays
    first, stop : int
    place : (L,) int64
        Where in `link_flow` each link's next flow goes; moved on.
    link_flow : (H,) int32
        Out: flows by link.
    """
    for flow in range(first, stop):
        for hop in range(paths.start[flow], paths.start[flow + 1]):
            link = paths.link[hop]
            link_flow[place[link]] = flow
            place[link] += 1


@inline_step
def _part(paths: PathArrays, flow: int, hop: int) -> float:
    """What a hop takes of its link at rate 1."""
    part = paths.weight[flow] if paths.weight.shape[0] > 0 else 1.0
    return float(part * paths.fraction[hop]) if paths.fraction.shape[0] > 0 else float(part)


@borrowing_kernel
def _flows_left(link_flow: Int32Vector, first: int, stop: int, done: UInt64Vector, batch: Batch) -> int:
    """Gather those of a link's flows that have no rate yet, and note that they do; returns how many they are."""
    n = np.int64(0)
    for place in range(first, stop):
        flow = link_flow[place]
        word, bit = done[flow >> 6], np.uint64(flow & 63)
        batch.flow[n] = flow
        n += 1 - np.int64((word >> bit) & np.uint64(1))
        done[flow >> 6] = word | (np.uint64(1) << bit)
    return int(n)


@borrowing_kernel
def _fetch(paths: PathArrays, n: int, batch: Batch) -> None:
    """Read where the hops of `n` flows are and a link at either end, so that their cache lines are there.

    Reads that wait for no other are on their way to memory together; hop by hop, each flow would wait for its own.
    """
    for i in range(n):
        batch.first[i] = paths.start[batch.flow[i]]
        batch.stop[i] = paths.start[batch.flow[i] + 1]
    for i in range(n):
        batch.near[i] = paths.link[batch.first[i]] ^ paths.link[batch.stop[i] - 1]


@kernel
def fill(
    capacity: FloatVector, paths: PathArrays, link_start: Int64Vector, link_flow: Int32Vector, rate: FloatVector
) -> int:
    """Max-min fair rates of all flows.  O(H + pops log L).

    Parameters
    ----------
    capacity : (L,) float64
    paths : PathArrays
    link_start : (L + 1,) int64
        Where each link's flows begin in `link_flow`.
    link_flow : (H,) int32
        Flows by link.
    rate : (F,) float64
        Out: rate of each flow (of each of its `weight` equal ones).  That of a flow without hops is left as it is.

    Returns
    -------
    int
        Pops of the heap.
    """
    n_links = capacity.shape[0]
    equal = paths.weight.shape[0] == 0 and paths.fraction.shape[0] == 0
    left = capacity.copy()
    # Equal flows of single paths take 1 each: how many they are is their demand.
    waiting = np.empty(n_links, np.int32)
    demand = np.zeros(0 if equal else n_links)
    if not equal:
        for flow in range(rate.shape[0]):
            for hop in range(paths.start[flow], paths.start[flow + 1]):
                demand[paths.link[hop]] += _part(paths, flow, hop)
    # A bit per flow that has its rate: it is asked for once per hop, in no order that caches like.
    done = np.zeros((rate.shape[0] >> 6) + 1, np.uint64)
    batch = Batch(
        np.empty(BATCH, np.int32), np.empty(BATCH, np.int64), np.empty(BATCH, np.int64), np.empty(BATCH, np.int32)
    )
    key = np.empty(n_links)
    item = np.empty(n_links, np.int32)
    size = 0
    for link in range(n_links):
        waiting[link] = link_start[link + 1] - link_start[link]
        if waiting[link] > 0:
            key[size] = left[link] / (waiting[link] if equal else demand[link])
            item[size] = link
            size += 1
            sift_up(key, item, size - 1)
    pops = 0
    while size > 0:
        pops += 1
        link = item[0]
        if waiting[link] > 0:
            level = max(left[link], 0.0) / (waiting[link] if equal else demand[link])
            if level > key[0] * (1.0 + SAME):
                key[0] = level
                sift_down(key, item, size)
                continue
            for first in range(link_start[link], link_start[link + 1], BATCH):
                n = _flows_left(link_flow, first, min(first + BATCH, link_start[link + 1]), done, batch)
                _fetch(paths, n, batch)
                for i in range(n):
                    flow = batch.flow[i]
                    rate[flow] = level
                    for hop in range(batch.first[i], batch.stop[i]):
                        other = paths.link[hop]
                        waiting[other] -= 1
                        if equal:
                            left[other] -= level
                        else:
                            part = _part(paths, flow, hop)
                            left[other] -= part * level
                            demand[other] -= part
        size -= 1
        key[0], item[0] = key[size], item[size]
        if size > 0:
            sift_down(key, item, size)
    return pops
