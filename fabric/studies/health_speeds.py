"""Cables that run slower or narrower than the best of their kind."""

from collections.abc import Mapping

import numpy as np

from collectives.demand import FloatVector, Int64Vector
from collectives.sizes import counted
from fabric.studies.health_findings import WARNING, Example, Finding, findings_of, link_ends
from fabric.studies.health_names import skeleton
from fabric.studies.hotspots import tier_name
from fabric.topology import DOWN, ENDPOINT, NIC, NVLINK, UNKNOWN, UP, BoolVector, Topology

# Hosts of which every adapter is slow are another generation, if they are this part of their kind.  Assumed.
_GENERATION = 0.25
# Speeds are nominal; what differs by less is the same.
_SAME = 0.99

Rates = Mapping[tuple[int, int], str]
"""Width and speed of a port, ``4x HDR``, by node and port number."""


def up_links(topology: Topology) -> Int64Vector:
    """One link of each cable, the one that goes up."""
    number = np.arange(topology.n_links)
    up = (topology.link_direction == UP) | ((topology.link_direction != DOWN) & (number < topology.link_reverse))
    return np.flatnonzero(up)


def slow_cables(topology: Topology, rates: Rates) -> list[Finding]:
    """Cables beside the best of their kind: of the same tier, between nodes named alike, of adapters on one rail.

    Many hosts, and rails, that are slow throughout may be meant so, an older generation or the adapters of storage:
    they are a finding of their own.
    """
    links = up_links(topology)
    gbps = np.minimum(topology.link_capacity_gbps[links], topology.link_capacity_gbps[topology.link_reverse[links]])
    if links.size == 0:
        return []
    like = _kinds(topology, links)
    best = np.zeros(int(like.max()) + 1)
    np.maximum.at(best, like, gbps)
    slow = gbps < _SAME * best[like]
    older = slow & _older(topology, links, slow, like)
    examples = []
    for number in np.flatnonzero(slow & ~older).tolist():
        link = int(links[number])
        fast = links[(like == like[number]) & (gbps == best[like[number]])]
        examples.append(_example(topology, rates, link, gbps[number], int(fast[0]), float(best[like[number]])))
    hosts, examples_of_hosts = _hosts(topology, rates, links[older], gbps[older], best[like[older]])
    text = "slower throughout than others of their kind"
    return [
        *findings_of(WARNING, "slow cable", "cables slower than the best of their kind", examples),
        *findings_of(WARNING, "mixed speeds", f"hosts are {text}", examples_of_hosts, hosts),
        *findings_of(WARNING, "mixed speeds", f"rails are {text}", _rails(topology, links, gbps)),
    ]


def _hosts(
    topology: Topology, rates: Rates, links: Int64Vector, gbps: FloatVector, best: FloatVector
) -> tuple[int, list[Example]]:
    """How many hosts are slow throughout; and by their speed and that of others that are named alike."""
    speeds: dict[tuple[float, float], list[int]] = {}
    for place, pair in enumerate(zip(gbps.tolist(), best.tolist(), strict=True)):
        speeds.setdefault(pair, []).append(place)
    examples = []
    for (own, other), places in sorted(speeds.items()):
        tails = topology.link_tail[links[places]]
        rate = _rate(topology, rates, int(links[places[0]]))
        n_hosts = np.unique(topology.nodes.host[tails]).size
        text = (
            f"{counted(n_hosts, 'host')}, {topology.nodes.name[tails[0]]} one of their adapters: {own:g} Gb/s"
            f"{f' ({rate})' if rate else ''} on every cable, the best of their kind have {other:g}"
        )
        examples.append(Example(text, link_ends(topology, int(links[places[0]]))))
    return np.unique(topology.nodes.host[topology.link_tail[links]]).size, examples


def _rails(topology: Topology, links: Int64Vector, gbps: FloatVector) -> list[Example]:
    """Rails on leaves that are named like those of others, and of which the best cable is slower than theirs."""
    nodes = topology.nodes
    tail, head = topology.link_tail[links], topology.link_head[links]
    nic = np.flatnonzero(
        (topology.link_kind[links] == NIC) & (nodes.rail[tail] != UNKNOWN) & (nodes.kind[tail] == ENDPOINT)
    )
    if nic.size == 0:
        return []
    words: dict[str, int] = {}
    number = np.zeros(topology.n_nodes, np.int64)
    for node in np.unique([tail[nic], head[nic]]).tolist():
        number[node] = words.setdefault(skeleton(nodes.name[node]), len(words))
    kind = number[tail[nic]] * len(words) + number[head[nic]]
    examples = []
    for alike in np.unique(kind):
        own = nic[kind == alike]
        rails, of_rail = np.unique(nodes.rail[tail[own]], return_inverse=True)
        best = np.zeros(rails.size)
        np.maximum.at(best, of_rail.ravel(), gbps[own])
        for place in np.flatnonzero(best < _SAME * best.max()).tolist():
            first = int(links[own[of_rail.ravel() == place][0]])
            text = (
                f"rail {rails[place]}: none of its cables is faster than {best[place]:g} Gb/s, other rails have "
                f"{best.max():g}"
            )
            examples.append(Example(text, link_ends(topology, first)))
    return examples


def _kinds(topology: Topology, links: Int64Vector) -> Int64Vector:
    """A number for each kind of cable."""
    names: dict[str, int] = {}
    words = np.array([names.setdefault(skeleton(name), len(names)) for name in topology.nodes.name])
    tail, head = topology.link_tail[links], topology.link_head[links]
    kind, tier = topology.link_kind[links], topology.link_tier[links]
    rail = np.where(kind == NIC, np.maximum(topology.nodes.rail[tail], topology.nodes.rail[head]), UNKNOWN)
    port = np.where(kind == NIC, topology.link_tail_port[links], UNKNOWN)
    # The speed of NVLink says nothing by name or rail.
    named = kind != NVLINK
    number: Int64Vector = np.zeros(links.size, np.int64)
    for column in (kind, tier, np.where(named, words[tail], 0), np.where(named, words[head], 0), rail, port):
        lowest, span = int(column.min()), int(column.max()) - int(column.min()) + 1
        number = np.unique(number * span + column - lowest, return_inverse=True)[1].ravel().astype(np.int64)
    return number


def _older(topology: Topology, links: Int64Vector, slow: BoolVector, like: Int64Vector) -> BoolVector:
    """Cables of hosts that are slow throughout, where such hosts are many."""
    older: BoolVector = np.zeros(links.size, bool)
    host = topology.nodes.host[topology.link_tail[links]].astype(np.int64)
    nic = (topology.link_kind[links] == NIC) & (host != UNKNOWN)
    if not (slow & nic).any():
        return older
    n_hosts = int(host.max()) + 1
    cables = np.bincount(host[nic], minlength=n_hosts)
    slow_there = np.bincount(host[nic & slow], minlength=n_hosts)
    whole = (slow_there == cables) & (cables > 0)
    for number in np.unique(like[nic & slow]):
        own = nic & (like == number)
        if np.mean(whole[np.unique(host[own])]) >= _GENERATION:
            older |= own & whole[np.maximum(host, 0)]
    return older


def _example(topology: Topology, rates: Rates, link: int, gbps: float | FloatVector, fast: int, best: float) -> Example:
    own, other = _rate(topology, rates, link), _rate(topology, rates, fast)
    tier = tier_name(int(topology.link_kind[link]), int(topology.link_tier[link]), UP)
    here, there = (f" ({text})" if text else "" for text in (own, other))
    name = topology.link_name(link).replace(" -> ", " - ")
    text = f"{name}: {gbps:g} Gb/s{here}, the best of {tier} have {best:g}{there}"
    return Example(text, link_ends(topology, link))


def _rate(topology: Topology, rates: Rates, link: int) -> str:
    return rates.get((int(topology.link_tail[link]), int(topology.link_tail_port[link])), "") or rates.get(
        (int(topology.link_head[link]), int(topology.link_head_port[link])), ""
    )
