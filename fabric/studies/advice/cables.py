"""Levers of single cables: put back what is missing, mend what is slow, or do without it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from collectives.demand import Int64Vector
from collectives.errors import InputError
from collectives.sizes import counted
from fabric.routing.policies import Lft
from fabric.routing.registry import ready_policy_names
from fabric.scenario import Scenario
from fabric.studies.advice.lever import Case, Change, Cost, NotTried, Proposal
from fabric.studies.link_odds import link_odds
from fabric.studies.verdicts.thresholds import SAME
from fabric.topology import ISL, NIC, NVLINK, UNKNOWN, BoolVector, Cables, Topology

_WHOLE = "no cable is missing or slower than most of its tier"
# In which a fabric with mended cables is written.
FABRIC_FILE = "mended.json"
_WRITE = f"advise {{all}} --write-fabric {FABRIC_FILE}"


@dataclass(frozen=True)
class Repair:
    """What the cables between two nodes lack.

    Attributes
    ----------
    tail, head : int
        The nodes, the lower one first.
    missing : int
        Cables that are usual there and are not.
    slow : int
        Cables that are slower than most of their tier.
    gbps : float
        The speed of most of their tier.
    """

    tail: int
    head: int
    missing: int
    slow: int
    gbps: float


def mend_hottest(case: Case) -> Iterator[Proposal]:
    """The cables between the ends of the hottest link, as is usual for such links."""
    lever, topology, link = "mending the hottest link", case.scenario.topology, case.evidence.hottest.link
    if repair := repair_of(topology, link):
        yield _mended(case, f"{lever} ({_ends(topology, repair)})", [repair])
    else:
        yield NotTried(lever, Cost.RECABLING, "its cables are all there, and as fast as most of their tier")


def mend_all(case: Case) -> Iterator[Proposal]:
    """All cables that are missing or slow."""
    lever, topology = "mending all cables", case.scenario.topology
    repairs = repairs_of(topology)
    if len(repairs) > 1:
        n_cables = sum(one.missing + one.slow for one in repairs)
        yield _mended(case, f"mending all {counted(n_cables, 'cable')}", repairs)
    else:
        yield NotTried(lever, Cost.RECABLING, "no other cable is missing or slow" if repairs else _WHOLE)


def drain(case: Case) -> Iterator[Proposal]:
    """The hottest link's cable taken out, where it is slower than most of its tier and others can carry its load."""
    topology, link = case.scenario.topology, case.evidence.hottest.link
    lever = "leaving the slow cable out"
    repair = repair_of(topology, link)
    if repair is None or not repair.slow or topology.link_kind[link] != ISL:
        yield NotTried(lever, Cost.SETTING, "the hottest link is no slow cable between switches")
        return
    keep = np.ones(topology.n_links, bool)
    keep[[link, topology.link_reverse[link]]] = False
    try:
        scenario = recabled(case.scenario, topology, keep, [], f"without {topology.link_name(link)}")
    except InputError as error:
        yield NotTried(lever, Cost.SETTING, str(error))
        return
    how = f"disable the port until the cable is mended: {topology.link_name(link)}"
    yield Change(lever, Cost.SETTING, how, scenario, repeatable=False)


def _mended(case: Case, lever: str, repairs: Sequence[Repair]) -> Proposal:
    topology = case.scenario.topology
    missing, slow = sum(one.missing for one in repairs), sum(one.slow for one in repairs)
    parts = [f"put {counted(missing, 'cable')} back"] if missing else []
    parts += [f"find out why {counted(slow, 'cable')} {'is' if slow == 1 else 'are'} slow"] if slow else []
    where = ", ".join(_ends(topology, one) for one in repairs[:3]) + (", ..." if len(repairs) > 3 else "")
    how = f"{' and '.join(parts)}: {where}"
    note = f"{counted(missing + slow, 'cable')} mended ({where})"
    try:
        scenario = recabled(case.scenario, topology, np.ones(topology.n_links, bool), repairs, note)
    except InputError as error:
        return NotTried(lever, Cost.RECABLING, str(error))
    # Tables of a dump are not those of a file with other cables.
    repeatable = not isinstance(scenario.routing, Lft)
    return Change(lever, Cost.RECABLING, how, scenario, before=_WRITE, fabric=FABRIC_FILE, repeatable=repeatable)


def _ends(topology: Topology, repair: Repair) -> str:
    names = topology.nodes.name
    return f"{names[repair.tail]} - {names[repair.head]}"


def repair_of(topology: Topology, link: int) -> Repair | None:
    """What the cables between the ends of a link lack; None where nothing is odd, and for NVLink."""
    if topology.link_kind[link] == NVLINK:
        return None
    tail, head = sorted((int(topology.link_tail[link]), int(topology.link_head[link])))
    beside = np.flatnonzero((topology.link_tail == tail) & (topology.link_head == head))
    both = (int(beside[0]), int(topology.link_reverse[beside[0]]))
    usual = [link_odds(topology, one, 0.0, None, None) for one in both]
    missing = 0
    if topology.link_kind[link] != NIC:
        missing = max(one.usual_cables - one.cables for one in usual)
    gbps = _most_frequent_gbps(topology)[beside[0]]
    slow = int(np.count_nonzero(topology.link_capacity_gbps[beside] * SAME < gbps))
    return Repair(tail, head, missing, slow, float(gbps)) if missing or slow else None


def repairs_of(topology: Topology) -> list[Repair]:
    """What is missing or slow anywhere, in the order of the nodes."""
    forward = np.flatnonzero((topology.link_tail < topology.link_head) & (topology.link_kind != NVLINK))
    pair = topology.link_tail[forward].astype(np.int64) * topology.n_nodes + topology.link_head[forward]
    firsts = forward[np.unique(pair, return_index=True)[1]]
    usual = _most_frequent_gbps(topology)
    odd = []
    for link in firsts.tolist():
        odds = [link_odds(topology, one, 0.0, None, None) for one in (link, int(topology.link_reverse[link]))]
        few = any(one.cables < one.usual_cables for one in odds)
        if few or topology.link_capacity_gbps[link] * SAME < usual[link]:
            odd.append(link)
    return [repair for link in odd if (repair := repair_of(topology, link)) is not None]


@lru_cache(maxsize=4)
def _most_frequent_gbps(topology: Topology) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Of each link: the most frequent speed of its kind, tier and direction, the larger of equals."""
    usual = np.zeros(topology.n_links)
    columns = np.stack([topology.link_kind, topology.link_tier, topology.link_direction])
    _, like = np.unique(columns, axis=1, return_inverse=True)
    for kind in range(int(like.max(initial=-1)) + 1):
        own = like.ravel() == kind
        counts = Counter(topology.link_capacity_gbps[own].tolist())
        usual[own] = max(counts, key=lambda gbps: (counts[gbps], gbps))
    return usual


def recabled(
    scenario: Scenario, topology: Topology, keep: BoolVector, repairs: Sequence[Repair], note: str
) -> Scenario:
    """The job on the fabric without some links and with repairs; forwarding tables follow the cables.

    Parameters
    ----------
    scenario : Scenario
    topology : Topology
        Its own.
    keep : (n_links,) bool
        The same for both directions of a cable.
    repairs : sequence of Repair
    note : str
        What an assumption says of it.

    Raises
    ------
    InputError
        If the routing is made for the links as they are, or a table knows no other cable.
    """
    routing = scenario.routing
    if not isinstance(routing, Lft) and routing.name not in ready_policy_names():
        raise InputError(f"routing {routing.name} is made for the cables as they are")
    changed = _topology_with(topology, keep, repairs)
    fabric = replace(
        scenario.fabric, topology=changed, description=None, notes=(*scenario.fabric.notes, f"changed: {note}")
    )
    if isinstance(routing, Lft):
        routing = _followed(routing, topology, changed)
    return replace(scenario, fabric=fabric, routing=routing)


def _topology_with(topology: Topology, keep: BoolVector, repairs: Sequence[Repair]) -> Topology:
    one_way = np.flatnonzero((topology.link_tail < topology.link_head) & keep)
    tail, head = topology.link_tail[one_way], topology.link_head[one_way]
    forth = topology.link_capacity_gbps[one_way].copy()
    back = topology.link_capacity_gbps[topology.link_reverse[one_way]].copy()
    new: list[tuple[int, int, float]] = []
    for repair in repairs:
        own = (tail == repair.tail) & (head == repair.head)
        forth[own], back[own] = np.maximum(forth[own], repair.gbps), np.maximum(back[own], repair.gbps)
        new += [(repair.tail, repair.head, repair.gbps)] * repair.missing
    more_tail, more_head = (np.array([row[column] for row in new], np.int32) for column in (0, 1))
    more_gbps = np.array([row[2] for row in new], np.float64)
    unknown = np.full(len(new), UNKNOWN, np.int32)
    cables = Cables(
        np.concatenate([tail, more_tail]),
        np.concatenate([head, more_head]),
        np.concatenate([topology.link_tail_port[one_way], unknown]),
        np.concatenate([topology.link_head_port[one_way], unknown]),
        np.concatenate([forth, more_gbps]),
        np.concatenate([back, more_gbps]),
    )
    return Topology.from_cables(topology.name, topology.nodes, cables)


def _followed(routing: Lft, before: Topology, after: Topology) -> Lft:
    """The tables on the changed cables: what a switch sent to another one over them is dealt to all that join the two.

    So a subnet manager balances routes over parallel cables, destination by destination.
    """
    pairs = [
        topology.link_tail.astype(np.int64) * topology.n_nodes + topology.link_head for topology in (before, after)
    ]
    # Links of a pair stand together, in the same order of ports; the next link of a row is found by its pair.
    starts = np.searchsorted(pairs[1], pairs[0], "left")
    counts = np.searchsorted(pairs[1], pairs[0], "right") - starts
    counts_before = np.searchsorted(pairs[0], pairs[0], "right") - np.searchsorted(pairs[0], pairs[0], "left")
    place = np.arange(before.n_links) - np.searchsorted(pairs[0], pairs[0], "left")
    changed = counts != counts_before
    table = routing.next_link.copy()
    for column in range(table.shape[1]):
        own = table[:, column]
        known = np.flatnonzero(own >= 0)
        links = own[known].astype(np.int64)
        touched = changed[links]
        own[known[~touched]] = (starts + place)[links[~touched]]
        for pair in np.unique(pairs[0][links[touched]]).tolist():
            rows = known[touched][pairs[0][links[touched]] == pair]
            own[rows] = _dealt(links[touched][pairs[0][links[touched]] == pair], starts, counts, before)
    return replace(routing, next_link=table)


def _dealt(links: Int64Vector, starts: Int64Vector, counts: Int64Vector, before: Topology) -> Int64Vector:
    first, number = int(starts[links[0]]), int(counts[links[0]])
    if number == 0:
        raise InputError(f"the tables know no other cable than {before.link_name(int(links[0]))}")
    dealt: Int64Vector = first + np.arange(links.size) % number
    return dealt
