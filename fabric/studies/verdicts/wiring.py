"""Causes that lie in the cables: missing, slow, or too few by design."""

from collections import Counter

import numpy as np

from collectives.demand import FloatVector, Int64Vector
from fabric.studies.verdicts.evidence import Evidence
from fabric.studies.verdicts.thresholds import GAIN, OVERSUBSCRIBED, SAME, UNEVEN
from fabric.studies.verdicts.verdict import Cause, CauseKind, Fact, Remedy
from fabric.studies.verdicts.words import name, seconds, times
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
    names = topology.nodes.name
    switch = names[switches[switch_of[here]]]
    facts: dict[str, Fact] = {"switch": switch, "healthy_s": healthy_s}
    if own_pair * usual_switch <= own_switch * usual_pair:
        tail, head = case.ends(link)
        own, usual, whose = own_pair, usual_pair, "such pairs"
        where = f"{name(tail)} and {name(head)} share {own:,}"
        facts |= {"from": tail, "to": head}
    else:
        own, usual, whose = own_switch, usual_switch, "of its tier"
        where = f"{name(switch)} has {own:,} {_SIDE[case.direction_name]}"
    saved_s = _saved_s(case, healthy_s, own / usual)
    if case.limit_s < GAIN * (case.limit_s - saved_s) or not whole.any():
        return None
    facts |= {"cables": own, "usual": usual}
    few = "a cable is" if usual - own == 1 else f"{usual - own:,} cables are"
    text = f"{few} missing: {where} where most {whose} have {usual:,} and are done within {seconds(healthy_s)}"
    remedy = Remedy("put it back" if usual - own == 1 else "put them back")
    return Cause(CauseKind.MISSING_CABLE, text, saved_s, facts, (remedy,))


def _saved_s(case: Evidence, healthy_s: float, left: float) -> float:
    """Seconds that would go if the link were as those of its tier that are in order.

    It would not be faster than they are, nor than the NICs, nor by more than the capacity that it has lost: `left` is
    the part of it that is there.
    """
    return max(0.0, case.limit_s - max(healthy_s, case.most_s(NIC), case.limit_s * left))


_SIDE = {"up": "up", "down": "from above"}


def slow_cable(case: Evidence) -> Cause | None:
    """The hot link is slower than most of its tier."""
    if case.kind == NVLINK:
        return None
    gbps = case.topology.link_capacity_gbps
    own, usual = float(gbps[case.hottest.link]), _usual(gbps[case.like])
    fast = case.like[gbps[case.like] >= usual]
    healthy_s = float(case.seconds[fast].max(initial=0.0))
    saved_s = _saved_s(case, healthy_s, own / usual)
    if own * SAME >= usual or case.limit_s < GAIN * (case.limit_s - saved_s):
        return None
    facts: dict[str, Fact] = {"gbps": own, "usual_gbps": usual, "healthy_s": healthy_s}
    text = (
        f"a slow cable: this link runs at {own:g} Gb/s, most of its tier at {usual:g}, "
        f"and those need at most {seconds(healthy_s)}"
    )
    return Cause(CauseKind.SLOW_CABLE, text, saved_s, facts, (Remedy("find out why it is slow"),))


def oversubscription(case: Evidence) -> Cause | None:
    """A switch's links up are the limit, evenly loaded, while the NICs are not, and it has more capacity down."""
    lower = case.lower_end
    if case.kind != ISL or lower is None or missing_cable(case) is not None:
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
        f"{_SIDE[case.direction_name]} are evenly loaded"
    )
    remedy = Remedy(f"with as much up as down it could take {seconds(case.whole_s(nic_s))} at best, as the NICs allow")
    return Cause(CauseKind.OVERSUBSCRIPTION, text, case.limit_s - nic_s, facts, (remedy,))
