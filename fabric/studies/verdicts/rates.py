"""The verdict on flows that share the fabric: the slowest, where it waits, and with how many."""

from collections.abc import Callable

import numpy as np

from collectives.demand import FloatVector, Int64Vector
from collectives.errors import InputError
from fabric.jobs.placement import Placement
from fabric.routing.link_loads import LinkLoads, link_loads
from fabric.routing.policies import Adaptive
from fabric.studies.advice.flows import by_even_splits_s, flows_advice
from fabric.studies.hotspots import bottleneck, links_like
from fabric.studies.rates import FlowTimes
from fabric.studies.verdicts.remedy import help_texts, remedies_of
from fabric.studies.verdicts.thresholds import DELAYED, GAIN, SAME
from fabric.studies.verdicts.verdict import Cause, CauseKind, Fact, Limit, Remedy, Verdict, sentences_of, with_help
from fabric.studies.verdicts.words import count, link_name, name, percent, seconds, times
from fabric.topology import DOWN, ISL, NIC, UP

# What ends when the last flow does.
_ALL = "all flows together"


def rates_verdict(shared: FlowTimes) -> Verdict:
    """Which flow is slowest, which link it waits for and with how many others; how many flows wait at all.

    Parameters
    ----------
    shared : FlowTimes
    """
    taken = shared.taken_s
    alone = alone_s(shared)
    moving = np.flatnonzero(alone > 0)
    if moving.size == 0:
        return Verdict(("Nothing is carried: no flow crosses a link.",), 0.0, causes=(
            Cause(CauseKind.NOTHING_CARRIED, "nothing is carried: no flow crosses a link"),
        ))  # fmt: skip
    delayed = float(np.mean(taken[moving] > DELAYED * alone[moving]))
    flow = int(moving[np.argmax(taken[moving])])
    bytes_on = _bytes_on_links(shared)
    loads = LinkLoads(shared.fabric.topology, bytes_on)
    link = _waits_for(shared, flow, loads)
    crossing = _flows_on(shared, link)
    names = shared.fabric.topology.endpoint_names
    src, dst = int(shared.flows.src[flow]), int(shared.flows.dst[flow])
    facts: dict[str, Fact] = {
        "flow": flow + 1,
        "src": names[src],
        "dst": names[dst],
        "flow_time_s": float(taken[flow]),
        "alone_s": float(alone[flow]),
        "slowdown": float(taken[flow] / alone[flow]),
        "sharing": int(crossing.size),
        "delayed_fraction": delayed,
        "flows": int(moving.size),
        "makespan_s": shared.makespan_s,
    }
    slowest = f"the slowest flow, {name(names[src])} to {name(names[dst])}, takes {seconds(float(taken[flow]))}"
    limit = _limit(loads, link)
    if taken[flow] <= DELAYED * alone[flow]:
        text = f"{slowest}, as long as alone: no {'other flow delays it' if delayed else 'flow delays another'}"
        waiting = f"{percent(delayed)} of the {count(moving.size, 'flow')} are delayed by others" if delayed else ""
        helping, helps = _helps(shared)
        said = with_help((text, waiting), helping) if helping else sentences_of((text, waiting))
        return Verdict(said, shared.makespan_s, limit, facts=facts, helps=helps)
    text = f"{slowest}, {times(float(taken[flow] / alone[flow]))} times as long as alone"
    others = count(crossing.size - 1, "other flow")
    where = f"it shares {link_name(limit.link)} ({limit.tier} {limit.direction}) with {others}"
    cause = _cause(shared, loads, link, crossing)
    part = "all" if delayed == 1 else f"{percent(delayed)} of the"
    waiting = f"{part} {count(moving.size, 'flow')} are delayed by others"
    helping, helps = _helps(shared)
    parts = (f"{text}: {where}", "" if cause is None else cause.text if helping else cause.sentence, waiting)
    return Verdict(
        sentences=with_help(parts, helping) if helping else sentences_of(parts),
        time_s=shared.makespan_s,
        limit=limit,
        causes=(cause,) if cause else (),
        facts=facts,
        helps=helps,
    )


def _helps(shared: FlowTimes) -> tuple[tuple[str, ...], tuple[Remedy, ...]]:
    """What ends the last flow sooner, in several lengths, and for programs; nothing where nothing was found."""
    even_s = by_even_splits_s(shared)
    if even_s is not None and even_s > 0 and shared.makespan_s >= SAME * even_s:
        gain = shared.makespan_s / even_s
        text = f"adaptive routing instead of these paths (a setting) makes {_ALL} {times(gain)} times faster"
        said = f"{text}, {seconds(even_s)} instead of {seconds(shared.makespan_s)}"
        return (said, text), (Remedy(text, even_s, gain, "adaptive routing", "setting"),)
    advice = flows_advice(shared)
    if advice is None or advice.best is None:
        return (), ()
    return help_texts(advice, _ALL), remedies_of(advice, _ALL)


def alone_s(shared: FlowTimes) -> FloatVector:
    """What each flow would take with the fabric to itself, (F,) float64: its slowest part's slowest link."""
    paths, routed = shared.routed.paths, shared.routed
    fraction = np.ones(len(paths.link)) if paths.fraction is None else paths.fraction
    size = shared.flows.bytes[routed.flow] * routed.part
    # Parts of a flow that meet on a link share it.
    key = routed.flow[paths.hop_flow] * np.int64(shared.fabric.topology.n_links) + paths.link
    pairs, place = np.unique(key, return_inverse=True)
    carried = np.bincount(place.ravel(), size[paths.hop_flow] * fraction, pairs.size)
    busy = 8e-9 * carried / shared.fabric.topology.link_capacity_gbps[pairs % shared.fabric.topology.n_links]
    longest = np.zeros(len(shared.flows.src))
    np.maximum.at(longest, pairs // shared.fabric.topology.n_links, busy)
    return longest


def _bytes_on_links(shared: FlowTimes) -> FloatVector:
    paths, routed = shared.routed.paths, shared.routed
    size = shared.flows.bytes[routed.flow] * routed.part
    fraction = 1.0 if paths.fraction is None else paths.fraction
    loaded = np.bincount(paths.link, size[paths.hop_flow] * fraction, shared.fabric.topology.n_links)
    return loaded.astype(np.float64, copy=False)


def _hops_of(shared: FlowTimes, flow: int) -> Int64Vector:
    """Links that any part of a flow crosses."""
    return np.unique(shared.routed.paths.link[shared.routed.flow[shared.routed.paths.hop_flow] == flow])


def _waits_for(shared: FlowTimes, flow: int, loads: LinkLoads) -> int:
    """The link on a flow's way that has most to carry for its capacity, of those that other flows cross too."""
    links = _hops_of(shared, flow)
    meets = np.array([_flows_on(shared, int(link)).size > 1 for link in links])
    links = links[meets] if meets.any() else links
    return int(links[np.argmax(loads.seconds[links])])


def _flows_on(shared: FlowTimes, link: int) -> Int64Vector:
    """Flows with bytes on a link."""
    paths = shared.routed.paths
    flows = np.unique(shared.routed.flow[paths.hop_flow[paths.link == link]])
    moving: Int64Vector = flows[shared.flows.bytes[flows] > 0]
    return moving


def _limit(loads: LinkLoads, link: int) -> Limit:
    topology = loads.topology
    only = np.zeros(topology.n_links)
    only[link] = loads.bytes[link]
    spot = bottleneck(LinkLoads(topology, only), loads)
    assert spot is not None
    same = links_like(topology, link)
    as_busy = int(np.count_nonzero(loads.seconds[same] * SAME >= spot.seconds))
    return Limit(spot.tier, spot.direction, spot.name, spot.seconds, spot.over_mean, int(same.sum()), as_busy)


def _incast(shared: FlowTimes, loads: LinkLoads, link: int, crossing: Int64Vector) -> Cause | None:
    senders = int(np.unique(shared.flows.src[crossing]).size)
    receivers = int(np.unique(shared.flows.dst[crossing]).size)
    if senders < 2 or receivers != 1:
        return None
    who = shared.fabric.topology.endpoint_names[int(shared.flows.dst[crossing[0]])]
    facts: dict[str, Fact] = {"endpoint": who, "senders": senders}
    text = f"incast: {senders:,} GPUs send to {name(who)} through this NIC"
    return Cause(CauseKind.INCAST, text, 0.0, facts, (Remedy("more receivers help, no routing does"),))


def _busy_sender(shared: FlowTimes, loads: LinkLoads, link: int, crossing: Int64Vector) -> Cause | None:
    if crossing.size < 2:
        return None
    who = shared.fabric.topology.endpoint_names[int(shared.flows.src[crossing[0]])]
    facts: dict[str, Fact] = {"endpoint": who, "flows": int(crossing.size)}
    text = f"one sender: {name(who)} sends {crossing.size:,} flows through this NIC"
    return Cause(CauseKind.BUSY_SENDER, text, 0.0, facts, (Remedy("more senders help, no routing does"),))


def _shared_link(shared: FlowTimes, loads: LinkLoads, link: int, crossing: Int64Vector) -> Cause | None:
    """Between switches an even split would load the fabric less: that is computed."""
    n = shared.fabric.topology.n_endpoints
    try:
        even = link_loads(shared.fabric.topology, shared.flows, Placement(np.arange(n, dtype=np.int32)), Adaptive())
    except InputError:
        return None
    own_s, even_s = float(loads.seconds[link]), even.bottleneck_time_s
    facts: dict[str, Fact] = {"link_s": own_s, "even_s": even_s, "sharing": int(crossing.size)}
    if own_s < GAIN * even_s:
        text = "an even split over all paths would leave the busiest link as busy"
        return Cause(CauseKind.SHARED_LINK, text, 0.0, facts)
    text = f"the routing puts {count(crossing.size, 'flow')} on this link, which needs {seconds(own_s)} for them"
    remedy = Remedy(f"split evenly (adaptive routing), no link would need more than {seconds(even_s)}")
    return Cause(CauseKind.SHARED_LINK, text, own_s - even_s, facts, (remedy,))


_Look = Callable[[FlowTimes, LinkLoads, int, Int64Vector], Cause | None]
_CAUSES: dict[tuple[int, int], _Look] = {(NIC, DOWN): _incast, (NIC, UP): _busy_sender}


def _cause(shared: FlowTimes, loads: LinkLoads, link: int, crossing: Int64Vector) -> Cause | None:
    kind, direction = int(shared.fabric.topology.link_kind[link]), int(shared.fabric.topology.link_direction[link])
    look = _shared_link if kind == ISL else _CAUSES.get((kind, direction))
    return None if look is None else look(shared, loads, link, crossing)
