"""Max-min fair rates by progressive filling.

All rates rise together until a link is full; its flows stop there, the others rise on (D. Bertsekas and R. Gallager:
Data Networks, 6.5.2).  A link's fill level, at which it would be full, only rises while others fill up, so a heap with
stale keys finds the next one: a link that comes up with an old key goes back with its new one.
"""

import numpy as np

from fabric._kernels.arrays import (
    Batch,
    Filling,
    FloatVector,
    Gathered,
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
        counts[np.uint32(link[hop])] += 1


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
    start, hop_link = paths.start, paths.link
    for flow in range(np.uint64(first), np.uint64(stop)):
        for hop in range(np.uint64(start[flow]), np.uint64(start[flow + np.uint64(1)])):
            link = np.uint32(hop_link[hop])
            link_flow[np.uint64(place[link])] = flow
            place[link] += 1


@inline_step
def _part(paths: PathArrays, flow: int, hop: int) -> float:
    """What a hop takes of its link at rate 1."""
    part = paths.weight[flow] if paths.weight.shape[0] > 0 else 1.0
    return float(part * paths.fraction[hop]) if paths.fraction.shape[0] > 0 else float(part)


@borrowing_kernel
def _flows_left(link_flow: Int32Vector, first: int, stop: int, done: UInt64Vector, flows: Int32Vector) -> int:
    """List those of a link's flows that have no rate yet; returns how many they are."""
    n = np.uint64(0)
    for place in range(np.uint64(first), np.uint64(stop)):
        flow = link_flow[place]
        flows[n] = flow
        n += np.uint64(1) - ((done[np.uint32(flow) >> np.uint32(6)] >> np.uint64(flow & 63)) & np.uint64(1))
    return int(np.int64(n))


@borrowing_kernel
def gather(
    paths: PathArrays,
    link_start: Int64Vector,
    link_flow: Int32Vector,
    done: UInt64Vector,
    links: Int32Vector,
    gathered: Gathered,
    batch: Batch,
    chunk_number: int,
    n_chunks: int,
) -> None:
    """Copy the hops of those flows on some links that have no rate yet to where they follow one another.

    A batch at a time: reads that wait for no other are on their way to memory together; hop by hop, each flow would
    wait for its own.

    Parameters
    ----------
    link_start : (L + 1,) int64
        Where each link's flows begin in `link_flow`.
    link_flow : (H,) int32
        Flows by link.
    done : (F / 64 + 1,) uint64
        A bit for each flow, set where it has its rate.
    links : (n,) int32
        Links ``chunk_number, chunk_number + n_chunks, ...`` of these are taken.
    gathered : Gathered
        `first` of the links is read, the rest written.
    batch : Batch
        Written over.
    """
    width = np.uint64(gathered.link.shape[1])
    equal = gathered.part.shape[0] == 0
    flows, start, hop_link = batch.flow, paths.start, paths.link
    for position in range(chunk_number, links.shape[0], n_chunks):
        link = links[position]
        place = np.uint64(gathered.first[link])
        for first in range(link_start[link], link_start[link + 1], flows.shape[0]):
            n = _flows_left(link_flow, first, min(first + flows.shape[0], link_start[link + 1]), done, flows)
            for i in range(np.uint64(n)):
                batch.first[i] = start[np.uint32(flows[i])]
                batch.stop[i] = start[np.uint32(flows[i]) + np.uint32(1)]
            for i in range(np.uint64(n)):
                batch.near[i] = hop_link[np.uint64(batch.first[i])] ^ hop_link[np.uint64(batch.stop[i]) - np.uint64(1)]
            for i in range(np.uint64(n)):
                gathered.flow[place] = flows[i]
                column = np.uint64(0)
                for hop in range(np.uint64(batch.first[i]), np.uint64(batch.stop[i])):
                    gathered.link[place, column] = hop_link[hop]
                    if not equal:
                        gathered.part[place, column] = _part(paths, flows[i], hop)
                    column += np.uint64(1)
                if column < width:
                    gathered.link[place, column] = -1
                place += np.uint64(1)
        gathered.stop[link] = place


@borrowing_kernel
def demands(paths: PathArrays, demand: FloatVector) -> None:
    """Add up what the flows of each link take of it at rate 1.

    Parameters
    ----------
    demand : (L,) float64
        Added to.
    """
    for flow in range(paths.start.shape[0] - 1):
        for hop in range(paths.start[flow], paths.start[flow + 1]):
            demand[paths.link[hop]] += _part(paths, flow, hop)


@borrowing_kernel
def fill(gathered: Gathered, filling: Filling, links: Int32Vector, limit: float) -> None:
    """Fill those of some links that are full at a level of no more than `limit`, in the order of their levels.

    O(hops of the flows that get a rate + pops log n).

    Parameters
    ----------
    gathered : Gathered
        The flows of `links` that have no rate yet.
    filling : Filling
    links : (n,) int32
    limit : float
        No other link is full at a lower level.
    """
    left, waiting, demand, done, key, item = (
        filling.left, filling.waiting, filling.demand, filling.done, filling.key, filling.item,
    )  # fmt: skip
    width = np.uint64(gathered.link.shape[1])
    equal = demand.shape[0] == 0
    size = 0
    for link in links:
        key[size], item[size] = max(left[link], 0.0) / (waiting[link] if equal else demand[link]), link
        size += 1
        sift_up(key, item, size - 1)
    while size > 0 and key[0] <= limit * (1.0 + SAME):
        link = item[0]
        if waiting[link] > 0:
            level = max(left[link], 0.0) / (waiting[link] if equal else demand[link])
            if level > key[0] * (1.0 + SAME):
                key[0] = level
                sift_down(key, item, size)
                continue
            filling.level[link] = level
            for place in range(np.uint64(gathered.first[link]), np.uint64(gathered.stop[link])):
                flow = np.uint32(gathered.flow[place])
                word, bit = done[flow >> np.uint32(6)], np.uint64(1) << np.uint64(flow & np.uint32(63))
                if word & bit != np.uint64(0):
                    continue
                done[flow >> np.uint32(6)] = word | bit
                for column in range(width):
                    other = gathered.link[place, column]
                    if other < 0:
                        break
                    waiting[np.uint32(other)] -= 1
                    if equal:
                        left[np.uint32(other)] -= level
                    else:
                        part = gathered.part[place, column]
                        left[np.uint32(other)] -= part * level
                        demand[np.uint32(other)] -= part
        size -= 1
        key[0], item[0] = key[size], item[size]
        if size > 0:
            sift_down(key, item, size)


@borrowing_kernel
def lowest_levels(paths: PathArrays, level: FloatVector, first: int, stop: int, rate: FloatVector) -> None:
    """Give the flows `first` to `stop` the lowest level of their links.

    Parameters
    ----------
    level : (L,) float64
        Infinite for a link that is not full.
    rate : (F,) float64
        Out.
    """
    start, link = paths.start, paths.link
    for flow in range(np.uint64(first), np.uint64(stop)):
        lowest = np.inf
        for hop in range(np.uint64(start[flow]), np.uint64(start[flow + np.uint64(1)])):
            lowest = min(lowest, level[np.uint32(link[hop])])
        rate[flow] = lowest
