"""Max-min fair rates by progressive filling, once and as flows come and go.

All rates rise together until a link is full; its flows stop there, the others rise on (D. Bertsekas and R. Gallager:
Data Networks, 6.5.2).  A link's fill level, at which it would be full, only rises while others fill up, so a heap with
stale keys finds the next one: a link that comes up with an old key goes back with its new one.

When a flow of rate r ends, what filled below r is as before: its links were not full yet.  So only flows at r and
above that share links with it, directly or through one another, are filled again.  The same holds for a flow that
starts, with a bound from below on what its rate will be.
"""

import numba
import numpy as np

from fabric._kernels.columns import (
    BoolVector,
    FloatVector,
    Int32Vector,
    Int64Vector,
    PathColumns,
    SharingState,
)

# nogil: callers may run several at once.  error_model: no branch on every division.
kernel = numba.njit(cache=True, nogil=True, error_model="numpy")

# Two fill levels closer than this part of them are one: they differ by rounding.
SAME = 1e-12


@kernel
def _sift_up(key: FloatVector, item: Int32Vector, place: int) -> None:
    k, i = key[place], item[place]
    while place > 0:
        parent = (place - 1) >> 1
        if key[parent] <= k:
            break
        key[place], item[place] = key[parent], item[parent]
        place = parent
    key[place], item[place] = k, i


@kernel
def _sift_down(key: FloatVector, item: Int32Vector, size: int) -> None:
    k, i = key[0], item[0]
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and key[child + 1] < key[child]:
            child += 1
        if key[child] >= k:
            break
        key[place], item[place] = key[child], item[child]
        place = child
    key[place], item[place] = k, i


@kernel
def reverse_paths(paths: PathColumns, link_start: Int64Vector, link_flow: Int32Vector) -> None:
    """List the flows of each link.

    Parameters
    ----------
    paths : PathColumns
        F flows, H hops.
    link_start : (L + 1,) int64
        Out: where each link's flows begin.
    link_flow : (H,) int32
        Out: flows by link.
    """
    link_start[:] = 0
    for hop in range(paths.link.shape[0]):
        link_start[paths.link[hop] + 1] += 1
    for link in range(link_start.shape[0] - 1):
        link_start[link + 1] += link_start[link]
    for flow in range(paths.start.shape[0] - 1):
        for hop in range(paths.start[flow], paths.start[flow + 1]):
            link = paths.link[hop]
            link_flow[link_start[link]] = flow
            link_start[link] += 1
    for link in range(link_start.shape[0] - 1, 0, -1):
        link_start[link] = link_start[link - 1]
    link_start[0] = 0


@kernel
def fill(
    capacity: FloatVector, paths: PathColumns, link_start: Int64Vector, link_flow: Int32Vector, rate: FloatVector
) -> int:
    """Max-min fair rates of all flows.  O(H + pops log L).

    Parameters
    ----------
    capacity : (L,) float64
    paths : PathColumns
    link_start, link_flow
        As from `reverse_paths`.
    rate : (F,) float64
        Out: rate of each flow (of each of its `weight` equal ones); infinite without hops.

    Returns
    -------
    int
        Pops of the heap.
    """
    n_links = capacity.shape[0]
    split = paths.fraction.shape[0] > 0
    left = capacity.copy()
    demand = np.zeros(n_links)
    waiting = np.zeros(n_links, np.int64)
    # A bit per flow that has its rate: it is asked for once per hop, in no order that caches like.
    done = np.zeros((rate.shape[0] >> 6) + 1, np.uint64)
    for flow in range(rate.shape[0]):
        if paths.start[flow] == paths.start[flow + 1]:
            rate[flow] = np.inf
        for hop in range(paths.start[flow], paths.start[flow + 1]):
            part = paths.weight[flow] * paths.fraction[hop] if split else paths.weight[flow]
            demand[paths.link[hop]] += part
            waiting[paths.link[hop]] += 1
    key = np.empty(n_links)
    item = np.empty(n_links, np.int32)
    size = 0
    for link in range(n_links):
        if waiting[link] > 0:
            key[size] = left[link] / demand[link]
            item[size] = link
            size += 1
            _sift_up(key, item, size - 1)
    pops = 0
    while size > 0:
        pops += 1
        link = item[0]
        if waiting[link] > 0:
            level = max(left[link], 0.0) / demand[link]
            if level > key[0] * (1.0 + SAME):
                key[0] = level
                _sift_down(key, item, size)
                continue
            for place in range(link_start[link], link_start[link + 1]):
                flow = link_flow[place]
                bit = np.uint64(1) << np.uint64(flow & 63)
                if done[flow >> 6] & bit:
                    continue
                done[flow >> 6] |= bit
                rate[flow] = level
                for hop in range(paths.start[flow], paths.start[flow + 1]):
                    other = paths.link[hop]
                    part = paths.weight[flow] * paths.fraction[hop] if split else paths.weight[flow]
                    left[other] -= part * level
                    demand[other] -= part
                    waiting[other] -= 1
        size -= 1
        key[0], item[0] = key[size], item[size]
        if size > 0:
            _sift_down(key, item, size)
    return pops


@kernel
def _part(paths: PathColumns, flow: int, hop: int) -> float:
    """What a hop takes of its link at rate 1."""
    if paths.fraction.shape[0] > 0:
        return float(paths.weight[flow] * paths.fraction[hop])
    return float(paths.weight[flow])


@kernel
def _enter(paths: PathColumns, state: SharingState, flow: int) -> None:
    """Put a flow on the lists of its links."""
    for hop in range(paths.start[flow], paths.start[flow + 1]):
        link = paths.link[hop]
        place = state.first[link] + state.n_on[link]
        state.on[place] = hop
        state.place[hop] = place
        state.n_on[link] += 1
        state.demand[link] += _part(paths, flow, hop)


@kernel
def _leave(paths: PathColumns, state: SharingState, flow: int) -> None:
    """Take a flow off the lists of its links."""
    for hop in range(paths.start[flow], paths.start[flow + 1]):
        link = paths.link[hop]
        state.n_on[link] -= 1
        last = state.on[state.first[link] + state.n_on[link]]
        place = state.place[hop]
        state.on[place] = last
        state.place[last] = place
        state.demand[link] -= _part(paths, flow, hop)
        if state.n_on[link] == 0:
            state.demand[link] = 0.0


@kernel
def _refill(
    capacity: FloatVector,
    paths: PathColumns,
    state: SharingState,
    hop_flow: Int32Vector,
    n_seeds: int,
    threshold: float,
    rate: FloatVector,
    link_queue: Int32Vector,
    link_seen: BoolVector,
    flow_queue: Int32Vector,
    flow_seen: BoolVector,
    left: FloatVector,
    wanted: FloatVector,
    waiting: Int64Vector,
    key: FloatVector,
    item: Int32Vector,
) -> int:
    """Fill again the flows at `threshold` and above that share links with the first `n_seeds` of `link_queue`.

    Returns
    -------
    int
        How many flows got a rate; they stand in `flow_queue`, and `flow_seen` is set for them.
    """
    n_links, n_flows = n_seeds, 0
    position = 0
    while position < n_links:
        link = link_queue[position]
        position += 1
        left[link] = capacity[link]
        wanted[link] = 0.0
        waiting[link] = 0
        for place in range(state.first[link], state.first[link] + state.n_on[link]):
            hop = state.on[place]
            flow = hop_flow[hop]
            part = _part(paths, flow, hop)
            if rate[flow] >= 0.0 and rate[flow] < threshold:
                left[link] -= part * rate[flow]
                continue
            wanted[link] += part
            waiting[link] += 1
            if not flow_seen[flow]:
                flow_seen[flow] = True
                flow_queue[n_flows] = flow
                n_flows += 1
                for other in range(paths.start[flow], paths.start[flow + 1]):
                    if not link_seen[paths.link[other]]:
                        link_seen[paths.link[other]] = True
                        link_queue[n_links] = paths.link[other]
                        n_links += 1
    size = 0
    for position in range(n_links):
        link = link_queue[position]
        link_seen[link] = False
        if waiting[link] > 0:
            key[size] = max(left[link], 0.0) / wanted[link]
            item[size] = link
            size += 1
            _sift_up(key, item, size - 1)
    for position in range(n_flows):
        rate[flow_queue[position]] = -1.0
    while size > 0:
        link = item[0]
        if waiting[link] > 0:
            level = max(left[link], 0.0) / wanted[link]
            if level > key[0] * (1.0 + SAME):
                key[0] = level
                _sift_down(key, item, size)
                continue
            for place in range(state.first[link], state.first[link] + state.n_on[link]):
                flow = hop_flow[state.on[place]]
                if rate[flow] >= 0.0:
                    continue
                rate[flow] = level
                for hop in range(paths.start[flow], paths.start[flow + 1]):
                    other = paths.link[hop]
                    part = _part(paths, flow, hop)
                    left[other] -= part * level
                    wanted[other] -= part
                    waiting[other] -= 1
        size -= 1
        key[0], item[0] = key[size], item[size]
        if size > 0:
            _sift_down(key, item, size)
    return n_flows


@kernel
def run(
    capacity: FloatVector,
    paths: PathColumns,
    hop_flow: Int32Vector,
    state: SharingState,
    size: FloatVector,
    begin: FloatVector,
    by_begin: Int64Vector,
    quantum: float,
    finish: FloatVector,
    shortfall: FloatVector,
) -> int:
    """Let flows share the links from their begin to their end; rates are max-min fair at every moment.

    Parameters
    ----------
    capacity : (L,) float64
        Bytes per second.
    paths : PathColumns
    hop_flow : (H,) int32
        Flow of each hop.
    state : SharingState
        `first` filled in, the rest empty.
    size, begin : (F,) float64
        Bytes > 0 (of each of the `weight` equal flows), and seconds.
    by_begin : (F,) int64
        Flows by rising `begin`.
    quantum : float
        Flows that would end within so many seconds after another one end with it: rates are found once for all.
    finish : (F,) float64
        Out.
    shortfall : (F,) float64
        Out: the part of a flow's size that it had left when it was taken out; 0 for all where `quantum` is 0.

    Returns
    -------
    int
        How often rates were found.
    """
    n_flows, n_links = size.shape[0], capacity.shape[0]
    rate = np.full(n_flows, -1.0)
    rest = size.copy()
    since = np.zeros(n_flows)
    end = np.full(n_flows, np.inf)
    active = np.empty(n_flows, np.int32)
    n_active = 0
    link_queue = np.empty(n_links, np.int32)
    link_seen = np.zeros(n_links, np.bool_)
    flow_queue = np.empty(n_flows, np.int32)
    flow_seen = np.zeros(n_flows, np.bool_)
    old = np.empty(n_flows)
    left, wanted, waiting = np.zeros(n_links), np.zeros(n_links), np.zeros(n_links, np.int64)
    key, item = np.empty(n_links), np.empty(n_links, np.int32)
    now = 0.0
    arrived = 0
    solved = 0
    while n_active > 0 or arrived < n_flows:
        # The next thing to happen, and all that happens with it.
        first_end = np.inf
        for position in range(n_active):
            first_end = min(first_end, end[active[position]])
        next_begin = begin[by_begin[arrived]] if arrived < n_flows else np.inf
        n_seeds = 0
        threshold = np.inf
        if first_end <= next_begin:
            now = first_end
            limit = now + max(quantum, SAME * now)
            position = 0
            while position < n_active:
                flow = active[position]
                if end[flow] > limit:
                    position += 1
                    continue
                finish[flow] = end[flow]
                shortfall[flow] = max(0.0, rate[flow] * (end[flow] - now) / size[flow]) if quantum > 0.0 else 0.0
                threshold = min(threshold, rate[flow])
                _leave(paths, state, flow)
                for hop in range(paths.start[flow], paths.start[flow + 1]):
                    if not link_seen[paths.link[hop]]:
                        link_seen[paths.link[hop]] = True
                        link_queue[n_seeds] = paths.link[hop]
                        n_seeds += 1
                n_active -= 1
                active[position] = active[n_active]
        else:
            now = next_begin
            while arrived < n_flows and begin[by_begin[arrived]] <= now:
                flow = by_begin[arrived]
                arrived += 1
                since[flow] = now
                active[n_active] = flow
                n_active += 1
                _enter(paths, state, flow)
                for hop in range(paths.start[flow], paths.start[flow + 1]):
                    if not link_seen[paths.link[hop]]:
                        link_seen[paths.link[hop]] = True
                        link_queue[n_seeds] = paths.link[hop]
                        n_seeds += 1
            # No flow gets less than its equal share of the link that has least of it.
            for position in range(n_seeds):
                link = link_queue[position]
                threshold = min(threshold, capacity[link] / state.demand[link])
        solved += 1
        for position in range(n_active):
            old[active[position]] = rate[active[position]]
        n_changed = _refill(
            capacity, paths, state, hop_flow, n_seeds, threshold * (1.0 - SAME), rate, link_queue, link_seen,
            flow_queue, flow_seen, left, wanted, waiting, key, item,
        )  # fmt: skip
        for position in range(n_changed):
            flow = flow_queue[position]
            flow_seen[flow] = False
            if rate[flow] != old[flow]:
                if old[flow] > 0.0:
                    rest[flow] = max(0.0, rest[flow] - old[flow] * (now - since[flow]))
                since[flow] = now
                end[flow] = now + rest[flow] / rate[flow]
    return solved
