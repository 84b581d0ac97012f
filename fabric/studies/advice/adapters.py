"""Levers of adapters that are on another leaf than their rail's: plugged in where they belong, or used as they are."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from collectives.errors import InputError
from collectives.sizes import counted
from fabric.jobs.placement import Placement
from fabric.routing.policies import Lft
from fabric.scenario import Scenario
from fabric.studies.advice.lever import Case, Change, Cost, NotTried, Proposal
from fabric.studies.advice.mend import FABRIC_FILE, WRITE_FABRIC
from fabric.studies.advice.recabled import NewCable, recabled
from fabric.studies.health_plugs import PluggedHost, plugged_hosts
from fabric.studies.health_units import OddHost, fit_units
from fabric.topology import UNKNOWN, Topology

_IN_PLACE = "each adapter is on the leaf of its rail, as far as the fabric shows"
# Hosts that are named; `fabric check` names them all.  Assumed: what a person reads.
_NAMED = 4


def plugged_in_place(case: Case) -> Iterator[Proposal]:
    """Adapters moved to the leaves on which those of most hosts are."""
    lever, scenario = "adapters on their rails' leaves", case.scenario
    odd = [one for one in _odd_hosts(scenario) if not one.renamed]
    if not odd:
        yield NotTried(lever, Cost.RECABLING, _IN_PLACE)
        return
    topology = scenario.topology
    keep, new, said = np.ones(topology.n_links, bool), [], []
    for one in odd:
        places = [place for place, leaf in enumerate(one.host.pattern) if leaf != one.usual[place]]
        links = [one.host.links[place] for place in places]
        left = {int(topology.link_head[link]): int(topology.link_head_port[link]) for link in links}
        for place, link in zip(places, links, strict=True):
            keep[[link, topology.link_reverse[link]]] = False
            leaf, gbps = one.usual[place], float(topology.link_capacity_gbps[link])
            tail, port = int(topology.link_tail[link]), int(topology.link_tail_port[link])
            new.append(NewCable(tail, leaf, gbps, port, left.get(leaf, UNKNOWN)))
            said.append(f"{one.host.name} {one.host.labels[place]} to {topology.nodes.name[leaf]}")
    more = f"; fabric check names all {len(said):,}" if len(said) > _NAMED else ""
    how = f"move {counted(len(said), 'cable')} of adapters: {', '.join(said[:_NAMED])}{more}"
    try:
        changed = recabled(scenario, how, keep, new=new)
    except InputError as error:
        yield NotTried(lever, Cost.RECABLING, str(error))
        return
    repeatable = not isinstance(changed.routing, Lft)
    yield Change(lever, Cost.RECABLING, how, changed, before=WRITE_FABRIC, fabric=FABRIC_FILE, repeatable=repeatable)


def ranks_by_leaf(case: Case) -> Iterator[Proposal]:
    """Ranks of a host on its GPUs in the order of the leaves that their adapters are really on."""
    lever, scenario = "ranks in the order of their adapters' leaves", case.scenario
    if scenario.traffic.placement is not None:
        yield NotTried(lever, Cost.RESTART, "the traffic names its endpoints itself")
        return
    topology = scenario.topology
    role = np.arange(topology.n_endpoints)
    hosts, odd = [], _odd_hosts(scenario)
    for one in odd:
        pairs = _roles(topology, one)
        if pairs and np.isin([own for own, _ in pairs], scenario.placement.endpoint).any():
            hosts.append(one.host)
            for own, other in pairs:
                role[own] = other
    if not hosts:
        why_not = "no other order of a host's ranks puts all of its ports on their rails" if odd else _IN_PLACE
        yield NotTried(lever, Cost.RESTART, why_not)
        return
    rail = topology.nodes.rail.copy()
    rail[topology.endpoints[role]] = topology.nodes.rail[topology.endpoints]
    fabric = replace(scenario.fabric, topology=replace(topology, nodes=replace(topology.nodes, rail=rail)))
    placement = Placement(role[scenario.placement.endpoint].astype(np.int32))
    moved = replace(scenario, fabric=fabric, jobs=(replace(scenario.job, placement=placement),))
    how = f"start the ranks of {_named(hosts)} on the GPUs in the order of those leaves (CUDA_VISIBLE_DEVICES)"
    yield Change(lever, Cost.RESTART, how, moved, repeatable=False)


def _odd_hosts(scenario: Scenario) -> list[OddHost]:
    if scenario.fabric.description is not None:
        return []
    return fit_units(plugged_hosts(scenario.topology, scenario.fabric.origin))[0]


def _roles(topology: Topology, odd: OddHost) -> list[tuple[int, int]]:
    """Endpoints of a host, each with the one on the leaf where it should be; empty where they are not such a set."""
    links = odd.host.links
    endpoint = np.searchsorted(topology.endpoints, topology.link_tail[list(links)]).tolist()
    on_leaf = dict(zip(odd.host.pattern, endpoint, strict=True))
    if len(set(endpoint)) < len(endpoint) or set(odd.usual) != set(on_leaf) or len(on_leaf) < len(endpoint):
        return []
    return [(own, on_leaf[leaf]) for own, leaf in zip(endpoint, odd.usual, strict=True)]


def _named(hosts: Sequence[PluggedHost]) -> str:
    more = f" and {len(hosts) - _NAMED:,} more hosts" if len(hosts) > _NAMED else ""
    return ", ".join(one.name for one in hosts[:_NAMED]) + more
