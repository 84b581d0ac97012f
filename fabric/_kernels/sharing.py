"""Max-min fair rates while flows come and go, and when each flow ends.

A link that is full holds back some of its flows, its own: they have one rate, the link's level, and every other flow on
it is slower or as fast, and held back elsewhere.  As long as a flow keeps the link that holds it back nothing is
written down for it: a link knows what it has served each of its own flows so far, and a flow the service at which it
ends (virtual time, as in fair queueing: A. Parekh and R. Gallager, IEEE/ACM Transactions on Networking 1(3), 1993).  An
event costs as much as the links whose levels it changes and the other links of their own flows.

After each start or end, links get new levels in rising order until nothing is left to do.  A level is what remains of
the link's capacity over its own flows.  Where flows on the link are faster than that, it takes them over, from the
fastest down; where its level rises above that of another link of an own flow, that link takes the flow.  What is left
when no link has anything to do is max-min fair: every flow has a full link on which none is faster.
"""

import numpy as np

from fabric._kernels.arrays import (
    CAPACITY,
    CHANGES,
    FASTEST,
    FIRST,
    LEVEL,
    N_ON,
    N_OWN,
    NEXT,
    OTHERS,
    OWN,
    SERVED,
    SINCE,
    FloatVector,
    Int32Vector,
    LevelWork,
    PathArrays,
    SharingState,
)
from fabric._kernels.compile import borrowing_kernel, inline_step
from fabric._kernels.heap import sift_down, sift_up

Index = int | np.int64

# Two levels closer than this part of them are one: they differ by rounding.  Assumed, as a sum of a thousand terms is
# off by 1e-13 of itself at most.
SAME = 1e-12
# A level that would change by less than this part of it stays: it differs by rounding.
_STILL = 1e-14
# Of so many starts at once, and at least this part of all flows, rates are found anew for all.  Assumed.
_MANY, _PART = 16, 0.25
# So many new levels of a link at one event, and a few for all, say that rounding goes in circles; then rates are found
# anew.  Never seen with exact numbers.
_ROUNDS, _FEW = 100, 1000


@inline_step
def _part(paths: PathArrays, flow: Index, hop: Index) -> float:
    """What a hop takes of its link at rate 1."""
    part = paths.weight[flow] if paths.weight.shape[0] > 0 else 1.0
    return float(part * paths.fraction[hop]) if paths.fraction.shape[0] > 0 else float(part)


@inline_step
def _put(state: SharingState, place: Index, flow: Index, hop: Index) -> None:
    state.on_flow[place] = flow
    state.on_hop[place] = hop
    state.place[hop] = place


@borrowing_kernel
def _swap(state: SharingState, one: Index, other: Index) -> None:
    """Exchange two places of one link's list."""
    flow, hop = state.on_flow[one], state.on_hop[one]
    _put(state, one, state.on_flow[other], state.on_hop[other])
    _put(state, other, flow, hop)


@borrowing_kernel
def _up(state: SharingState, first: Index, place: Index) -> None:
    """Move an own flow to where no earlier one is behind it in its link's heap."""
    flow, hop = state.on_flow[place], state.on_hop[place]
    key = state.ends_at[flow]
    while place > first:
        parent = first + ((place - first - 1) >> 1)
        if state.ends_at[state.on_flow[parent]] <= key:
            break
        _put(state, place, state.on_flow[parent], state.on_hop[parent])
        place = parent
    _put(state, place, flow, hop)


@borrowing_kernel
def _down(state: SharingState, first: Index, place: Index, n: Index) -> None:
    """Move an own flow to where no earlier one is before it in its link's heap of `n`."""
    flow, hop = state.on_flow[place], state.on_hop[place]
    key = state.ends_at[flow]
    while True:
        child = first + 2 * (place - first) + 1
        if child >= first + n:
            break
        if child + 1 < first + n and (state.ends_at[state.on_flow[child + 1]] < state.ends_at[state.on_flow[child]]):
            child += 1
        if state.ends_at[state.on_flow[child]] >= key:
            break
        _put(state, place, state.on_flow[child], state.on_hop[child])
        place = child
    _put(state, place, flow, hop)


@borrowing_kernel
def _set_end(ends: FloatVector, link: Index, end: float) -> None:
    node = (ends.shape[0] >> 1) + link
    if ends[node] == end:
        return
    ends[node] = end
    while node > 1:
        earlier = min(ends[node], ends[node ^ 1])
        node >>= 1
        if ends[node] == earlier:
            break
        ends[node] = earlier


@borrowing_kernel
def _next_to_end(ends: FloatVector) -> int:
    """The link of the flow that ends next."""
    node = 1
    while node < ends.shape[0] >> 1:
        node *= 2
        if ends[node + 1] < ends[node]:
            node += 1
    return int(node - (ends.shape[0] >> 1))


@inline_step
def _note(work: LevelWork, link: Index) -> None:
    """Put a link among those whose next end is to be found anew."""
    if not work.changed[link]:
        work.changed[link] = True
        work.links[work.counts[1]] = link
        work.counts[1] += 1


@borrowing_kernel
def _queue(paths: PathArrays, state: SharingState, work: LevelWork, link: Index) -> None:
    """Put a link among those that may need a new level, and read the first of its own flows.

    It comes up soon, and then waits for memory less: reads that wait for no other are on their way together.
    """
    if work.queued[link]:
        return
    if state.links[link, LEVEL] < np.inf:
        level = (state.links[link, CAPACITY] - state.links[link, OTHERS]) / state.links[link, OWN]
    elif state.links[link, OTHERS] > state.links[link, CAPACITY] * (1.0 + SAME):
        level = state.links[link, CAPACITY] / state.lists[link, N_ON]
    else:
        return
    work.queued[link] = True
    size = work.counts[0]
    work.key[size], work.item[size] = level, link
    sift_up(work.key, work.item, size)
    work.counts[0] = size + 1
    if state.lists[link, N_OWN] > 0:
        place = state.lists[link, FIRST]
        near = paths.link[paths.start[state.on_flow[place]]]
        if state.lists[link, N_OWN] > 1:
            near ^= paths.link[paths.start[state.on_flow[place + 1]]]
        work.near[0] = near


@inline_step
def _serve(state: SharingState, link: Index, now: float) -> None:
    """Bring the service of a link's own flows up to now."""
    state.links[link, SERVED] += state.links[link, LEVEL] * (now - state.links[link, SINCE])
    state.links[link, SINCE] = now


@inline_step
def _begin_holding(state: SharingState, link: Index, level: float, now: float) -> None:
    """Let a link without own flows have some, of this level."""
    state.links[link, LEVEL] = level
    state.links[link, OWN] = 0.0
    state.links[link, SERVED] = 0.0
    state.links[link, SINCE] = now


@borrowing_kernel
def _hold(paths: PathArrays, state: SharingState, work: LevelWork, flow: Index, hop: Index, rest: float) -> None:
    """Make a flow with so much left, and no holder, the own one of the link at a hop, which is served up to now."""
    link = np.int64(paths.link[hop])
    place = state.lists[link, FIRST] + state.lists[link, N_OWN]
    _swap(state, np.int64(state.place[hop]), place)
    state.lists[link, N_OWN] += 1
    state.links[link, OWN] += _part(paths, flow, hop)
    state.held[flow] = hop
    state.holder[flow] = link
    state.ends_at[flow] = state.links[link, SERVED] + rest
    first = state.lists[link, FIRST]
    _up(state, first, place)
    state.links[link, NEXT] = state.ends_at[state.on_flow[first]]
    _note(work, link)


@borrowing_kernel
def _let_go(paths: PathArrays, state: SharingState, work: LevelWork, flow: Index) -> None:
    """Make a flow nobody's own."""
    hop = np.int64(state.held[flow])
    link = np.int64(paths.link[hop])
    first, n = state.lists[link, FIRST], state.lists[link, N_OWN] - 1
    state.lists[link, N_OWN] = n
    place = np.int64(state.place[hop])
    if place < first + n:
        _swap(state, place, first + n)
        _up(state, first, place)
        _down(state, first, place, n)
    state.links[link, OWN] -= _part(paths, flow, hop)
    if n == 0:
        state.links[link, OWN] = 0.0
        state.links[link, LEVEL] = np.inf
    else:
        state.links[link, NEXT] = state.ends_at[state.on_flow[first]]
    state.held[flow] = -1
    _note(work, link)


@borrowing_kernel
def _add_load(
    paths: PathArrays, state: SharingState, work: LevelWork, flow: Index, hop: Index, step: float,
    rate: float,
) -> None:  # fmt: skip
    """Let a flow that is held back elsewhere load the link at a hop by `step` more, to `rate`."""
    link = np.int64(paths.link[hop])
    state.links[link, OTHERS] += _part(paths, flow, hop) * step
    if rate > state.links[link, FASTEST]:
        state.links[link, FASTEST] = rate
    _queue(paths, state, work, link)


@borrowing_kernel
def _move(paths: PathArrays, state: SharingState, work: LevelWork, flow: Index, hop: Index, now: float) -> None:
    """Give a flow to the link at a hop, which has a level; its rate becomes that."""
    before, link = np.int64(state.holder[flow]), np.int64(paths.link[hop])
    rate, level = state.links[before, LEVEL], state.links[link, LEVEL]
    _serve(state, before, now)
    _serve(state, link, now)
    rest = max(0.0, state.ends_at[flow] - state.links[before, SERVED])
    at = np.int64(state.held[flow])
    _let_go(paths, state, work, flow)
    for other in range(paths.start[flow], paths.start[flow + 1]):
        if other == at:
            _add_load(paths, state, work, flow, other, level, level)
        elif other == hop:
            state.links[link, OTHERS] -= _part(paths, flow, hop) * rate
        else:
            _add_load(paths, state, work, flow, other, level - rate, level)
    _hold(paths, state, work, flow, hop, rest)
    _queue(paths, state, work, link)


@borrowing_kernel
def _take_over(paths: PathArrays, state: SharingState, work: LevelWork, link: Index, now: float) -> None:
    """Let a link hold back the flows on it that are faster than the level at which it is full.

    Newton's method from below, as what the link carries is concave in its level: the faster ones that it takes over
    raise the level, so that fewer are.
    """
    first, stop = (
        state.lists[link, FIRST] + state.lists[link, N_OWN],
        state.lists[link, FIRST] + state.lists[link, N_ON],
    )
    reached, level, n_before = 0.0, 0.0, -1
    if state.lists[link, N_OWN] > 0:
        reached = max(0.0, (state.links[link, CAPACITY] - state.links[link, OTHERS]) / state.links[link, OWN])
    while True:
        left, wanted, n_faster, fastest = (
            state.links[link, CAPACITY] - state.links[link, OTHERS],
            state.links[link, OWN],
            0,
            0.0,
        )
        for place in range(first, stop):
            flow = np.int64(state.on_flow[place])
            rate = state.links[state.holder[flow], LEVEL]
            if rate > reached * (1.0 + SAME):
                part = _part(paths, flow, state.on_hop[place])
                left += part * rate
                wanted += part
                n_faster += 1
            elif rate > fastest:
                fastest = rate
        level = reached
        if n_faster == 0 or n_faster == n_before:
            break
        n_before, reached = n_faster, max(reached, left / wanted)
    state.links[link, FASTEST] = fastest
    if n_faster == 0:
        return
    if state.lists[link, N_OWN] == 0:
        _begin_holding(state, link, level, now)
    for place in range(first, stop):
        flow = np.int64(state.on_flow[place])
        if state.links[state.holder[flow], LEVEL] > level * (1.0 + SAME):
            _move(paths, state, work, flow, np.int64(state.on_hop[place]), now)


@borrowing_kernel
def _give_away(paths: PathArrays, state: SharingState, work: LevelWork, flow: Index, now: float) -> None:
    """Let the link of a flow with the lowest level hold it back."""
    best, lowest = np.int64(state.held[flow]), state.links[state.holder[flow], LEVEL] * (1.0 - SAME)
    for hop in range(paths.start[flow], paths.start[flow + 1]):
        if state.links[paths.link[hop], LEVEL] < lowest:
            best, lowest = np.int64(hop), state.links[paths.link[hop], LEVEL]
    if best != state.held[flow]:
        _move(paths, state, work, flow, best, now)


@borrowing_kernel
def _renew(paths: PathArrays, state: SharingState, work: LevelWork, link: Index, now: float) -> None:
    """Give a link the level at which it is full, and its own flows that rate."""
    if state.lists[link, N_OWN] == 0:
        if state.links[link, OTHERS] <= state.links[link, CAPACITY] * (1.0 + SAME):
            return
        _take_over(paths, state, work, link, now)
    elif state.links[link, FASTEST] * state.links[link, OWN] > (
        state.links[link, CAPACITY] - state.links[link, OTHERS]
    ) * (1.0 + SAME):
        _take_over(paths, state, work, link, now)
    if state.lists[link, N_OWN] == 0:
        return
    level = max(0.0, state.links[link, CAPACITY] - state.links[link, OTHERS]) / state.links[link, OWN]
    step = level - state.links[link, LEVEL]
    if abs(step) <= _STILL * level:
        return
    _serve(state, link, now)
    state.links[link, LEVEL] = level
    _note(work, link)
    work.counts[2] += 1
    work.counts[3] += state.lists[link, N_OWN]
    above = level * (1.0 - SAME)
    start, hop_link, links, queued, on_flow = paths.start, paths.link, state.links, work.queued, state.on_flow
    n_away = 0
    first = np.uint64(state.lists[link, FIRST])
    for place in range(first, first + np.uint64(state.lists[link, N_OWN])):
        flow = np.uint32(on_flow[place])
        leaves = False
        for hop in range(np.uint64(start[flow]), np.uint64(start[flow + np.uint32(1)])):
            other = np.uint32(hop_link[hop])
            if other != link:
                load = links[other, OTHERS] + _part(paths, np.int64(flow), np.int64(hop)) * step
                links[other, OTHERS] = load
                if level > links[other, FASTEST]:
                    links[other, FASTEST] = level
                its_level = links[other, LEVEL]
                if its_level < above:
                    leaves = True
                if (its_level < np.inf or load > links[other, CAPACITY]) and not queued[other]:
                    _queue(paths, state, work, np.int64(other))
        if leaves:
            work.away[n_away] = flow
            n_away += 1
    for i in range(n_away):
        _give_away(paths, state, work, np.int64(work.away[i]), now)
    if n_away > 0:
        _queue(paths, state, work, link)


@borrowing_kernel
def list_flow(paths: PathArrays, state: SharingState, flow: Index, size: float) -> None:
    """Put a flow on the lists of its links, with no link that holds it back."""
    for hop in range(paths.start[flow], paths.start[flow + 1]):
        link = np.int64(paths.link[hop])
        _put(state, state.lists[link, FIRST] + state.lists[link, N_ON], flow, hop)
        state.lists[link, N_ON] += 1
    state.held[flow] = -1
    state.ends_at[flow] = size


@borrowing_kernel
def start_flow(paths: PathArrays, state: SharingState, work: LevelWork, flow: Index, size: float, now: float) -> None:
    """Let a flow begin, held back by the link that would give it least; `renew_levels` sees to the rest."""
    list_flow(paths, state, flow, size)
    best, lowest = paths.start[flow], np.inf
    for hop in range(paths.start[flow], paths.start[flow + 1]):
        link = np.int64(paths.link[hop])
        level = max(0.0, state.links[link, CAPACITY] - state.links[link, OTHERS]) / (
            state.links[link, OWN] + _part(paths, flow, hop)
        )
        if level < lowest:
            best, lowest = hop, level
    holder = np.int64(paths.link[best])
    if state.lists[holder, N_OWN] == 0:
        _begin_holding(state, holder, lowest, now)
        state.links[holder, FASTEST] = np.inf
    else:
        _serve(state, holder, now)
    rate = state.links[holder, LEVEL]
    _hold(paths, state, work, flow, best, size)
    for hop in range(paths.start[flow], paths.start[flow + 1]):
        if hop == best:
            _queue(paths, state, work, holder)
        else:
            _add_load(paths, state, work, flow, hop, rate, rate)


@borrowing_kernel
def end_flow(paths: PathArrays, state: SharingState, work: LevelWork, flow: Index) -> None:
    """Take a flow off its links; `renew_levels` sees to the rest."""
    rate = state.links[state.holder[flow], LEVEL]
    at = np.int64(state.held[flow])
    _let_go(paths, state, work, flow)
    for hop in range(paths.start[flow], paths.start[flow + 1]):
        link = np.int64(paths.link[hop])
        state.lists[link, N_ON] -= 1
        _swap(state, np.int64(state.place[hop]), state.lists[link, FIRST] + state.lists[link, N_ON])
        if hop != at:
            state.links[link, OTHERS] -= _part(paths, flow, hop) * rate
        if state.lists[link, N_ON] == state.lists[link, N_OWN]:
            state.links[link, OTHERS] = 0.0
        _queue(paths, state, work, link)


@borrowing_kernel
def fill_anew(paths: PathArrays, state: SharingState, work: LevelWork, now: float) -> None:
    """Find the rates of all flows on the lists, by progressive filling.  O(H + pops log L)."""
    size = 0
    for link in range(state.links.shape[0]):
        first, stop = state.lists[link, FIRST], state.lists[link, FIRST] + state.lists[link, N_ON]
        if state.lists[link, N_OWN] > 0:
            _serve(state, link, now)
            for place in range(first, first + state.lists[link, N_OWN]):
                flow = np.int64(state.on_flow[place])
                state.ends_at[flow] = max(0.0, state.ends_at[flow] - state.links[link, SERVED])
                state.held[flow] = -1
        state.lists[link, N_OWN] = 0
        state.links[link, LEVEL] = np.inf
        state.links[link, OTHERS] = 0.0
        state.links[link, OWN] = 0.0
        state.links[link, FASTEST] = 0.0
        work.queued[link] = False
        work.waiting[link] = stop - first
        wanted = 0.0
        for place in range(first, stop):
            wanted += _part(paths, state.on_flow[place], state.on_hop[place])
        work.wanted[link] = wanted
        _note(work, link)
        if stop > first:
            work.key[size], work.item[size] = state.links[link, CAPACITY] / wanted, link
            size += 1
            sift_up(work.key, work.item, size - 1)
    while size > 0:
        full = np.int64(work.item[0])
        if work.waiting[full] > 0:
            level = max(0.0, state.links[full, CAPACITY] - state.links[full, OTHERS]) / work.wanted[full]
            if level > work.key[0] * (1.0 + SAME):
                work.key[0] = level
                sift_down(work.key, work.item, size)
                continue
            _begin_holding(state, full, level, now)
            for place in range(state.lists[full, FIRST], state.lists[full, FIRST] + state.lists[full, N_ON]):
                flow = np.int64(state.on_flow[place])
                if state.held[flow] >= 0:
                    continue
                own = np.int64(state.on_hop[place])
                for hop in range(paths.start[flow], paths.start[flow + 1]):
                    other = paths.link[hop]
                    part = _part(paths, flow, hop)
                    work.waiting[other] -= 1
                    work.wanted[other] -= part
                    if hop != own:
                        state.links[other, OTHERS] += part * level
                        state.links[other, FASTEST] = level
                _hold(paths, state, work, flow, own, state.ends_at[flow])
        size -= 1
        work.key[0], work.item[0] = work.key[size], work.item[size]
        if size > 0:
            sift_down(work.key, work.item, size)
    work.counts[0] = 0


@borrowing_kernel
def renew_levels(paths: PathArrays, state: SharingState, work: LevelWork, now: float) -> None:
    """Give links new levels until every flow has a full link on which none is faster; then find the next ends."""
    renewals = 0
    while work.counts[0] > 0:
        link = np.int64(work.item[0])
        size = work.counts[0] - 1
        work.counts[0] = size
        work.key[0], work.item[0] = work.key[size], work.item[size]
        if size > 0:
            sift_down(work.key, work.item, size)
        work.queued[link] = False
        _renew(paths, state, work, link, now)
        renewals += 1
        if renewals > _FEW + _ROUNDS * work.counts[1]:
            fill_anew(paths, state, work, now)
    for position in range(work.counts[1]):
        link = np.int64(work.links[position])
        work.changed[link] = False
        _set_end(state.ends, link, _end_of(state, link, now))
        # Rounding adds up while sums are changed: now and then they are found anew.
        state.lists[link, CHANGES] += 1
        if state.lists[link, CHANGES] == 256:
            _sum_up(paths, state, link)
    work.counts[1] = 0


@borrowing_kernel
def _end_of(state: SharingState, link: Index, now: float) -> float:
    """When the next own flow of a link ends at its present level."""
    level = state.links[link, LEVEL]
    if level == np.inf:
        return np.inf
    return float(max(now, state.links[link, SINCE] + (state.links[link, NEXT] - state.links[link, SERVED]) / level))


@borrowing_kernel
def _sum_up(paths: PathArrays, state: SharingState, link: Index) -> None:
    """Find the sums of a link anew."""
    state.lists[link, CHANGES] = 0
    own, others = 0.0, 0.0
    first, stop = state.lists[link, FIRST], state.lists[link, FIRST] + state.lists[link, N_ON]
    for place in range(first, stop):
        part = _part(paths, state.on_flow[place], state.on_hop[place])
        if place < first + state.lists[link, N_OWN]:
            own += part
        else:
            others += part * state.links[state.holder[state.on_flow[place]], LEVEL]
    state.links[link, OWN], state.links[link, OTHERS] = own, others


@borrowing_kernel
def run(
    paths: PathArrays,
    state: SharingState,
    work: LevelWork,
    size: FloatVector,
    begin: FloatVector,
    by_begin: Int32Vector,
    quantum: float,
    finish: FloatVector,
    shortfall: FloatVector,
) -> int:
    """Let flows share the links from their begin to their end; rates are max-min fair at every moment.

    An event costs O(own flows of the links whose levels change x hops + links log L), and the flows on each link that
    takes some over.

    Parameters
    ----------
    paths : PathArrays
    state : SharingState
        With no flow on any link.
    work : LevelWork
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
    arrived, n_ended = 0, 0
    solved = 0
    while arrived < n_flows or state.ends[1] < np.inf:
        # The next thing to happen, and all that happens with it.
        next_begin = begin[by_begin[arrived]] if arrived < n_flows else np.inf
        now = min(state.ends[1], next_begin)
        if state.ends[1] == now:
            limit = now + max(quantum, SAME * now)
            while state.ends[1] <= limit:
                link = _next_to_end(state.ends)
                flow = np.int64(state.on_flow[state.lists[link, FIRST]])
                finish[flow] = state.ends[1]
                if quantum > 0.0:
                    shortfall[flow] = max(0.0, state.links[link, LEVEL] * (finish[flow] - now) / size[flow])
                end_flow(paths, state, work, flow)
                n_ended += 1
                _set_end(state.ends, link, _end_of(state, link, now))
        first = arrived
        while arrived < n_flows and begin[by_begin[arrived]] <= now:
            arrived += 1
        if arrived - first > _MANY and arrived - first > _PART * (arrived - n_ended):
            for position in range(first, arrived):
                flow = np.int64(by_begin[position])
                list_flow(paths, state, flow, size[flow])
            fill_anew(paths, state, work, now)
        else:
            for position in range(first, arrived):
                flow = np.int64(by_begin[position])
                start_flow(paths, state, work, flow, size[flow], now)
        renew_levels(paths, state, work, now)
        solved += 1
    return solved
