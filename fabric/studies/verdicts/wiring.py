"""Causes that lie in the cables: missing, slow, or too few by design."""

from collections import Counter

import numpy as np

from collectives.demand import FloatVector, Int64Vector
from fabric.studies.verdicts.evidence import Evidence
from fabric.studies.verdicts.thresholds import GAIN, OVERSUBSCRIBED, SAME, UNEVEN
from fabric.studies.verdicts.verdict import Cause, Fact, Kind, Remedy
from fabric.studies.verdicts.words import count, name, seconds, times
from fabric.topology import ISL, NIC, NVLINK


def _usual(values: Int64Vector | FloatVector) -> float:
    """The most frequent value; the larger of equals."""
    counts = Counter(values.tolist())
    return float(max(counts, key=lambda value: (counts[value], value)))


def missing_cable(case: Evidence) -> Cause | None:
    """The hot link's pair of switches, or its lower switch, has fewer cables than most of its tier."""
    lower = case.lower_end
    if case.kind != ISL or lower is None:
        return None
    topology, links, link = case.topology, case.like, case.hottest.link
    _, pair_of, per_pair = np.unique(
        np.stack([topology.link_tail[links], topology.link_head[links]]),
        axis=1,
        return_inverse=True,
        return_counts=True,
    )
    switches, switch_of, per_switch = np.unique(lower[links], return_inverse=True, return_counts=True)
    here = int(np.searchsorted(links, link))
    own_pair, usual_pair = int(per_pair[pair_of.ravel()[here]]), int(_usual(per_pair))
    own_switch, usual_switch = int(per_switch[switch_of[here]]), int(_usual(per_switch))
    if own_pair >= usual_pair and own_switch >= usual_switch:
        return None
    whole = (per_pair[pair_of.ravel()] >= usual_pair) & (per_switch[switch_of] >= usual_switch)
    healthy_s = float(case.seconds[links[whole]].max(initial=0.0))
    if case.limit_s < GAIN * healthy_s or not whole.any():
        return None
    names = topology.nodes.name
    switch = names[switches[switch_of[here]]]
    facts: dict[str, Fact] = {"switch": switch, "healthy_s": healthy_s}
    if own_switch < usual_switch:
        side = _SIDE[case.direction_name]
        text = f"{name(switch)} has {count(own_switch, 'cable')} {side} where most of its tier have {usual_switch:,}"
        facts |= {"cables": own_switch, "usual": usual_switch}
    else:
        tail, head = case.ends(link)
        text = f"{name(tail)} and {name(head)} share {count(own_pair, 'cable')}, where most pairs of their tier have {usual_pair:,}"
        facts |= {"cables": own_pair, "usual": usual_pair, "from": tail, "to": head}
    text = f"a missing cable: {text} and are done within {seconds(healthy_s)}"
    remedy = Remedy("put it back")
    return Cause(Kind.MISSING_CABLE, text, case.limit_s - healthy_s, facts, (remedy,))


_SIDE = {"up": "up", "down": "from above"}


def slow_cable(case: Evidence) -> Cause | None:
    """The hot link is slower than most of its tier."""
    if case.kind == NVLINK:
        return None
    gbps = case.topology.link_capacity_gbps
    own, usual = float(gbps[case.hottest.link]), _usual(gbps[case.like])
    fast = case.like[gbps[case.like] >= usual]
    healthy_s = float(case.seconds[fast].max(initial=0.0))
    if own * SAME >= usual or case.limit_s < GAIN * healthy_s:
        return None
    facts: dict[str, Fact] = {"gbps": own, "usual_gbps": usual, "healthy_s": healthy_s}
    text = (
        f"a slow cable: this link runs at {own:g} Gb/s, most of its tier at {usual:g}, "
        f"and those need at most {seconds(healthy_s)}"
    )
    return Cause(Kind.SLOW_CABLE, text, case.limit_s - healthy_s, facts, (Remedy("look why this cable is slow"),))


def oversubscription(case: Evidence) -> Cause | None:
    """A switch's links up are the limit, evenly loaded, while the NICs are not, and it has more capacity down."""
    lower = case.lower_end
    if case.kind != ISL or lower is None:
        return None
    topology = case.topology
    nic_s = case.most_s(NIC)
    switch = int(lower[case.hottest.link])
    beside = case.like[lower[case.like] == switch]
    gbps = topology.link_capacity_gbps
    even_s = float(case.loads.bytes[beside].sum()) * 8e-9 / float(gbps[beside].sum())
    if case.limit_s > UNEVEN * even_s or case.limit_s < GAIN * nic_s:
        return None
    tier = topology.nodes.tier
    out = np.arange(topology.out_start[switch], topology.out_start[switch + 1])
    above = tier[topology.link_head[out]] > tier[switch]
    below = tier[topology.link_head[out]] < tier[switch]
    down, up = float(gbps[out[below]].sum()), float(gbps[out[above]].sum())
    ratio = down / up
    if ratio < OVERSUBSCRIBED:
        return None
    names = topology.nodes.name
    facts: dict[str, Fact] = {
        "switch": names[switch],
        "ratio": ratio,
        "down_gbps": down,
        "up_gbps": up,
        "imbalance": case.limit_s / even_s,
        "nic_s": nic_s,
    }
    text = (
        f"oversubscription: {name(names[switch])} has {times(ratio)} times as much capacity down as up, and its cables "
        f"{_SIDE[case.direction_name]} are evenly loaded, while no NIC needs more than {seconds(nic_s)}"
    )
    remedy = Remedy("more cables up, or groups that stay below a leaf")
    return Cause(Kind.OVERSUBSCRIPTION, text, case.limit_s - nic_s, facts, (remedy,))
