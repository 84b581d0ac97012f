"""Max-min fair rates by progressive filling, once and as flows come and go.

All rates rise together until a link is full; its flows stop there, the others rise on (D. Bertsekas and R. Gallager:
Data Networks, 6.5.2).  A link's fill level, at which it would be full, only rises while others fill up, so a heap with
stale keys finds the next one: a link that comes up with an old key goes back with its new one.

When flows come and go, few rates change.  A link holds back the flows that stopped when it was full: its own.  Where a
flow ends, starts or changes its rate, the own flows of its links may change theirs, and no others as long as no link
fills at a level below the rate of a flow that kept its own.  Filling finds out: such flows then join, at a level at
which they would still rise, so nothing that is done has to be undone.  All others keep a link that is full, on which
none is faster: the rates are max-min fair again.
"""

import numpy as np

from fabric._kernels.arrays import (
    Batch,
    FloatVector,
    Int32Vector,
    Int64Vector,
    PathArrays,
    Refilling,
    SharingState,
    UInt64Vector,
)
from fabric._kernels.compile import borrowing_kernel, inline_step, kernel

# Two fill levels closer than this part of them are one: they differ by rounding.  Assumed, as a sum of a thousand terms
# is off by 1e-13 of itself at most.
SAME = 1e-12
# Flows whose hops are fetched together: few enough that they stay in the cache, assumed.
BATCH = 1024


@borrowing_kernel
def _sift_up(key: FloatVector, item: Int32Vector, place: int) -> None:
    k, i = key[place], item[place]
    while place > 0:
        parent = (place - 1) >> 1
        if key[parent] <= k:
            break
        key[place], item[place] = key[parent], item[parent]
        place = parent
    key[place], item[place] = k, i


@borrowing_kernel
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
            _sift_up(key, item, size - 1)
    pops = 0
    while size > 0:
        pops += 1
        link = item[0]
        if waiting[link] > 0:
            level = max(left[link], 0.0) / (waiting[link] if equal else demand[link])
            if level > key[0] * (1.0 + SAME):
                key[0] = level
                _sift_down(key, item, size)
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
            _sift_down(key, item, size)
    return pops


@borrowing_kernel
def _set_end(ends: FloatVector, flow: int, end: float) -> None:
    node = (ends.shape[0] >> 1) + flow
    ends[node] = end
    while node > 1:
        earlier = min(ends[node], ends[node ^ 1])
        node >>= 1
        if ends[node] == earlier:
            break
        ends[node] = earlier


@borrowing_kernel
def _next_to_end(ends: FloatVector) -> int:
    node = 1
    while node < ends.shape[0] >> 1:
        node *= 2
        if ends[node + 1] < ends[node]:
            node += 1
    return int(node - (ends.shape[0] >> 1))


@inline_step
def _swap(state: SharingState, one: int, other: int) -> None:
    """Exchange two places of one link's list."""
    on_flow, on_hop = state.on_flow, state.on_hop
    on_flow[one], on_flow[other] = on_flow[other], on_flow[one]
    on_hop[one], on_hop[other] = on_hop[other], on_hop[one]
    state.place[on_hop[one]] = one
    state.place[on_hop[other]] = other


@inline_step
def _let_go(paths: PathArrays, state: SharingState, flow: int) -> None:
    """Make a flow nobody's own."""
    hop = state.held[flow]
    if hop >= 0:
        link = paths.link[hop]
        state.n_own[link] -= 1
        _swap(state, state.place[hop], state.first[link] + state.n_own[link])
        state.held[flow] = -1


@inline_step
def _hold(paths: PathArrays, state: SharingState, flow: int, hop: int) -> None:
    """Make a flow the own one of the link at a hop."""
    if state.held[flow] != hop:
        _let_go(paths, state, flow)
        link = paths.link[hop]
        _swap(state, state.place[hop], state.first[link] + state.n_own[link])
        state.n_own[link] += 1
        state.held[flow] = hop


@inline_step
def _free(state: SharingState, new: Refilling, flow: int) -> None:
    """Put a flow among those that get a new rate."""
    if not new.freed[flow]:
        new.freed[flow] = True
        new.flows[new.counts[0]] = flow
        new.old[new.counts[0]] = state.rate[flow]
        new.counts[0] += 1
        state.rate[flow] = -1.0


@inline_step
def _touch(new: Refilling, link: int) -> None:
    """Put a link among those that flows with new rates cross."""
    new.touched[link] = True
    new.links[new.counts[1]] = link
    new.counts[1] += 1
    new.wanted[link] = 0.0
    new.waiting[link] = 0
    new.lowest[link] = np.inf


@inline_step
def _free_own(state: SharingState, new: Refilling, link: int) -> None:
    """Free the flows that a link holds back."""
    for place in range(state.first[link], state.first[link] + state.n_own[link]):
        _free(state, new, state.on_flow[place])


@borrowing_kernel
def start_flows(paths: PathArrays, state: SharingState, new: Refilling, flows: Int32Vector) -> None:
    """Put flows on the lists of their links; `refill` gives them rates."""
    for flow in flows:
        for hop in range(paths.start[flow], paths.start[flow + 1]):
            link = paths.link[hop]
            place = state.first[link] + state.n_on[link]
            state.on_flow[place] = flow
            state.on_hop[place] = hop
            state.place[hop] = place
            state.n_on[link] += 1
        _free(state, new, flow)


@borrowing_kernel
def end_flows(
    capacity: FloatVector, paths: PathArrays, state: SharingState, new: Refilling, ended: Int32Vector, n_ended: int
) -> None:
    """Take flows off the lists of their links, and free those that these links hold back."""
    for position in range(n_ended):
        flow = ended[position]
        _let_go(paths, state, flow)
        for hop in range(paths.start[flow], paths.start[flow + 1]):
            link = paths.link[hop]
            state.n_on[link] -= 1
            _swap(state, state.place[hop], state.first[link] + state.n_on[link])
            state.left[link] += _part(paths, flow, hop) * state.rate[flow]
            if state.n_on[link] == 0:
                state.left[link] = capacity[link]
            if not new.touched[link]:
                _touch(new, link)
        state.rate[flow] = -1.0
    # Only now: a flow that is free has no rate, and all that end still took theirs.
    for position in range(new.counts[1]):
        _free_own(state, new, new.links[position])


@borrowing_kernel
def _spread(paths: PathArrays, state: SharingState, new: Refilling, position: int) -> None:
    """Take the flows from `position` on off their links, and free those that these links hold back, and so on."""
    while position < new.counts[0]:
        flow, rate = new.flows[position], max(new.old[position], 0.0)
        position += 1
        for hop in range(paths.start[flow], paths.start[flow + 1]):
            link = paths.link[hop]
            if not new.touched[link]:
                _touch(new, link)
                _free_own(state, new, link)
            part = _part(paths, flow, hop)
            state.left[link] += part * rate
            new.wanted[link] += part
            new.waiting[link] += 1


@inline_step
def _push(new: Refilling, size: int, link: int, level: float) -> int:
    if level >= new.lowest[link]:
        return size
    new.lowest[link] = level
    new.key[size], new.item[size] = level, link
    _sift_up(new.key, new.item, size)
    return size + 1


@borrowing_kernel
def _free_faster(paths: PathArrays, state: SharingState, new: Refilling, link: int, level: float) -> bool:
    """Free what is faster than the level at which a link fills, if anything is.

    Freeing the faster ones raises the level, so fewer are: Newton's method from below, as what the link carries is
    concave in its level.
    """
    first, stop = state.first[link], state.first[link] + state.n_on[link]
    reached = level
    while True:
        left, wanted, n_faster = state.left[link], new.wanted[link], 0
        for place in range(first, stop):
            flow = state.on_flow[place]
            if state.rate[flow] > reached * (1.0 + SAME) and not new.freed[flow]:
                part = _part(paths, flow, state.on_hop[place])
                left += part * state.rate[flow]
                wanted += part
                n_faster += 1
        if n_faster == 0:
            break
        level, reached = reached, left / wanted
        if reached <= level * (1.0 + SAME):
            break
    if level == reached and n_faster == 0:
        return False
    for place in range(first, stop):
        flow = state.on_flow[place]
        if state.rate[flow] > level * (1.0 + SAME):
            _free(state, new, flow)
    return True


@borrowing_kernel
def refill(paths: PathArrays, state: SharingState, new: Refilling) -> None:
    """Give rates to the flows that are free, and to those whose rates change with them."""
    _spread(paths, state, new, 0)
    size = 0
    for position in range(new.counts[1]):
        link = new.links[position]
        if new.waiting[link] > 0:
            size = _push(new, size, link, max(state.left[link], 0.0) / new.wanted[link])
    while size > 0:
        link, level = new.item[0], 0.0
        if new.waiting[link] > 0:
            level = max(state.left[link], 0.0) / new.wanted[link]
            if level > new.key[0] * (1.0 + SAME):
                new.key[0] = level
                new.lowest[link] = level
                _sift_down(new.key, new.item, size)
                continue
        size -= 1
        new.key[0], new.item[0] = new.key[size], new.item[size]
        new.lowest[link] = np.inf
        if size > 0:
            _sift_down(new.key, new.item, size)
        if new.waiting[link] == 0:
            continue
        n_free = new.counts[0]
        if _free_faster(paths, state, new, link, level):
            _spread(paths, state, new, n_free)
            for position in range(n_free, new.counts[0]):
                flow = new.flows[position]
                for hop in range(paths.start[flow], paths.start[flow + 1]):
                    other = paths.link[hop]
                    size = _push(new, size, other, max(state.left[other], 0.0) / new.wanted[other])
            continue
        for place in range(state.first[link], state.first[link] + state.n_on[link]):
            flow = state.on_flow[place]
            if state.rate[flow] >= 0.0:
                continue
            state.rate[flow] = level
            _hold(paths, state, flow, state.on_hop[place])
            for hop in range(paths.start[flow], paths.start[flow + 1]):
                other = paths.link[hop]
                part = _part(paths, flow, hop)
                state.left[other] -= part * level
                new.wanted[other] -= part
                new.waiting[other] -= 1


@borrowing_kernel
def settle(capacity: FloatVector, paths: PathArrays, state: SharingState, new: Refilling, now: float) -> None:
    """Find when the flows with new rates end, and make ready for the next event."""
    for position in range(new.counts[0]):
        flow, old = new.flows[position], new.old[position]
        new.freed[flow] = False
        if state.rate[flow] != old:
            if old > 0.0:
                state.rest[flow] = max(0.0, state.rest[flow] - old * (now - state.since[flow]))
            state.since[flow] = now
            _set_end(state.ends, flow, now + state.rest[flow] / state.rate[flow])
    for position in range(new.counts[1]):
        link = new.links[position]
        new.touched[link] = False
        # Rounding adds up while `left` is changed: now and then it is summed anew.
        state.changes[link] += 1
        if state.changes[link] == 64:
            state.changes[link] = 0
            left = capacity[link]
            for place in range(state.first[link], state.first[link] + state.n_on[link]):
                left -= _part(paths, state.on_flow[place], state.on_hop[place]) * state.rate[state.on_flow[place]]
            state.left[link] = left
    new.counts[:] = 0


@borrowing_kernel
def run(
    capacity: FloatVector,
    paths: PathArrays,
    state: SharingState,
    new: Refilling,
    size: FloatVector,
    begin: FloatVector,
    by_begin: Int32Vector,
    quantum: float,
    finish: FloatVector,
    shortfall: FloatVector,
) -> int:
    """Let flows share the links from their begin to their end; rates are max-min fair at every moment.

    An event costs O(flows whose rates change x (hops + log F)), and the flows on each link that fills up anew.

    Parameters
    ----------
    capacity : (L,) float64
        Bytes per second.
    paths : PathArrays
    state : SharingState
        With no flow on any link.
    new : Refilling
        Empty.
    size, begin : (F,) float64
        Bytes > 0 (of each of the `weight` equal flows), and seconds.
    by_begin : (F,) int32
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
    n_flows = size.shape[0]
    arrived = 0
    solved = 0
    while arrived < n_flows or state.ends[1] < np.inf:
        # The next thing to happen, and all that happens with it.
        next_begin = begin[by_begin[arrived]] if arrived < n_flows else np.inf
        now = min(state.ends[1], next_begin)
        if state.ends[1] == now:
            limit = now + max(quantum, SAME * now)
            n_ended = 0
            while state.ends[1] <= limit:
                flow = _next_to_end(state.ends)
                finish[flow] = state.ends[1]
                if quantum > 0.0:
                    shortfall[flow] = max(0.0, state.rate[flow] * (finish[flow] - now) / size[flow])
                _set_end(state.ends, flow, np.inf)
                new.ended[n_ended] = flow
                n_ended += 1
            end_flows(capacity, paths, state, new, new.ended, n_ended)
        first = arrived
        while arrived < n_flows and begin[by_begin[arrived]] <= now:
            arrived += 1
        start_flows(paths, state, new, by_begin[first:arrived])
        refill(paths, state, new)
        settle(capacity, paths, state, new, now)
        solved += 1
    return solved
