"""Levers of single cables: put back what is missing, mend what is slow, or do without it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from collectives.errors import InputError
from collectives.sizes import counted
from fabric.formats.opening import OpenedFabric
from fabric.routing.match_lfts import match_lfts
from fabric.routing.policies import Lft
from fabric.scenario import Scenario
from fabric.studies.advice.lever import Case, Change, Cost, NotTried, Proposal
from fabric.studies.advice.recabled import recabled
from fabric.studies.advice.repairs import Repair, repairs_of, usual_gbps
from fabric.studies.verdicts.thresholds import SAME
from fabric.topology import ISL, NVLINK, UNKNOWN, Topology

_WHOLE = "no cable is missing or slower than most of its tier"
# In which a fabric with other cables is written.
FABRIC_FILE = "recabled.json"
WRITE_FABRIC = f"advise {{all}} --write-fabric {FABRIC_FILE}"
# Engines of OpenSM that are tried where tables know nothing of a mended cable: one for whole trees, one for any.
_ENGINES = ("ftree", "dfsssp")
# Repairs that are named; `fabric check` names them all.  Assumed: what a person reads.
_NAMED = 6


def mend_hottest(case: Case) -> Iterator[Proposal]:
    """The cables between the ends of the hottest link; if none is missing there, those of the switch below it."""
    lever, topology = "mending the hottest link", case.scenario.topology
    own = _at_hottest(case, repairs_of(case.scenario.fabric))
    if own:
        ends = _ends(topology, own[0]) if len(own) == 1 else topology.nodes.name[_lower_end(case)]
        yield _mended(case, f"{lever}, {ends}", own)
    else:
        yield NotTried(lever, Cost.RECABLING, "its cables are all there, and as fast as most of their tier")


def mend_all(case: Case) -> Iterator[Proposal]:
    """All cables that are missing or slow."""
    lever = "mending all cables"
    repairs = repairs_of(case.scenario.fabric)
    if len(repairs) > len(_at_hottest(case, repairs)):
        n_cables = sum(one.missing + one.slow for one in repairs)
        name = "mending the cable that is missing or slow" if n_cables == 1 else f"mending all {n_cables:,} cables"
        mended = _mended(case, name, repairs)
        yield mended
        if isinstance(mended, Change):
            yield from _routed_anew(case, name, mended, repairs)
    else:
        yield NotTried(lever, Cost.RECABLING, "no other cable is missing or slow" if repairs else _WHOLE)


def drain(case: Case) -> Iterator[Proposal]:
    """The hottest link's cable taken out, where it is slower than most of its tier and others can carry its load."""
    topology, link = case.scenario.topology, case.evidence.hottest.link
    lever = "leaving the slow cable out"
    slow = topology.link_capacity_gbps[link] * SAME < usual_gbps(topology)[link]
    if not slow or topology.link_kind[link] != ISL:
        yield NotTried(lever, Cost.SETTING, "the hottest link is no slow cable between switches")
        return
    keep = np.ones(topology.n_links, bool)
    keep[[link, topology.link_reverse[link]]] = False
    name = topology.link_name(link)
    try:
        scenario = recabled(case.scenario, f"without {name}", keep)
    except InputError as error:
        yield NotTried(lever, Cost.SETTING, str(error))
        return
    how = f"disable the port until the cable is mended: {name}"
    yield Change(lever, Cost.SETTING, how, scenario, repeatable=False)


def _lower_end(case: Case) -> int:
    topology, link = case.scenario.topology, case.evidence.hottest.link
    ends = int(topology.link_tail[link]), int(topology.link_head[link])
    return min(ends, key=lambda node: int(topology.nodes.tier[node]))


def _at_hottest(case: Case, repairs: Sequence[Repair]) -> tuple[Repair, ...]:
    topology, link = case.scenario.topology, case.evidence.hottest.link
    if topology.link_kind[link] == NVLINK:
        return ()
    ends = frozenset((int(topology.link_tail[link]), int(topology.link_head[link])))
    between = tuple(one for one in repairs if one.ends == ends)
    if between or topology.link_kind[link] != ISL:
        return between
    return tuple(one for one in repairs if one.low == _lower_end(case))


def _mended(case: Case, lever: str, repairs: Sequence[Repair]) -> Change | NotTried:
    topology, given = case.scenario.topology, case.scenario.fabric
    missing, slow = sum(one.missing for one in repairs), sum(one.slow for one in repairs)
    parts = [f"put {counted(missing, 'cable')} back"] if missing else []
    parts += [f"find out why {counted(slow, 'cable')} {'is' if slow == 1 else 'are'} slow"] if slow else []
    where = "; ".join(place_text(topology, one) for one in repairs[:_NAMED])
    if len(repairs) > _NAMED:
        by = "" if given.sound is not None else ", which fabric check names"
        where += f"; and at {len(repairs) - _NAMED:,} more places{by}"
    how = f"{' and '.join(parts)}: {where}"
    try:
        if given.sound is not None and repairs == repairs_of(given) and _only_faults(given):
            # As if nothing had failed: the description stays, and a command says so.
            return Change(lever, Cost.RECABLING, how, _undone(case.scenario, given.sound),
                          {"fail": None, "degrade": None, "faults": None})  # fmt: skip
        scenario = _repaired(case.scenario, repairs, f"{counted(missing + slow, 'cable')} mended ({where})")
    except InputError as error:
        return NotTried(lever, Cost.RECABLING, str(error))
    # Tables of a dump are not those of a file with other cables.
    repeatable = not isinstance(scenario.routing, Lft)
    return Change(lever, Cost.RECABLING, how, scenario, before=WRITE_FABRIC, fabric=FABRIC_FILE, repeatable=repeatable)


def _only_faults(fabric: OpenedFabric) -> bool:
    return fabric.sound is not None and not repairs_of(fabric.sound)


def _undone(scenario: Scenario, whole: OpenedFabric) -> Scenario:
    routing = scenario.routing
    if isinstance(routing, Lft):
        if routing.dump is None:
            raise InputError("the tables are matched to the cables that are left")
        routing = match_lfts(routing.dump, whole.topology, whole.origin, routing.skip_unrouted).routing
    return replace(scenario, fabric=whole, routing=routing)


def _repaired(scenario: Scenario, repairs: Sequence[Repair], note: str) -> Scenario:
    topology = scenario.topology
    gbps = topology.link_capacity_gbps.copy()
    for one in repairs:
        own = np.isin(topology.link_tail, [one.low, one.high]) & np.isin(topology.link_head, [one.low, one.high])
        gbps[own] = np.maximum(gbps[own], one.gbps)
    return recabled(scenario, note, gbps=gbps, new=[cable for one in repairs for cable in one.cables()])


def _routed_anew(case: Case, lever: str, mended: Change, repairs: Sequence[Repair]) -> Iterator[Proposal]:
    """Where tables know no cable between two switches that get one, neither of cables and new tables gains alone."""
    routing, topology = case.scenario.routing, case.scenario.topology
    joined = set(zip(topology.link_tail.tolist(), topology.link_head.tolist(), strict=True))
    unknown = any((one.low, one.high) not in joined for one in repairs if one.missing)
    if not isinstance(routing, Lft) or not unknown or mended.scenario.fabric is case.scenario.fabric.sound:
        return
    fabric = mended.scenario.fabric
    for engine in _ENGINES:
        named = f"{lever}, with OpenSM's {engine} tables"
        try:
            matched = match_lfts(case.tables(fabric, engine), fabric.topology, fabric.origin, routing.skip_unrouted)
        except InputError as error:
            yield NotTried(named, Cost.RECABLING, str(error))
            continue
        scenario = mended.scenario.routed(matched.routing)
        yield Change(named, Cost.RECABLING, f"{mended.how}; opensm -R {engine}", scenario, repeatable=False)


def _ends(topology: Topology, repair: Repair) -> str:
    names = topology.nodes.name
    return f"{names[repair.low]} - {names[repair.high]}"


def place_text(topology: Topology, repair: Repair) -> str:
    """Where a cable goes, with its ports; of several how many."""
    number = repair.missing + repair.slow
    if number > 1 or not repair.ports or UNKNOWN in repair.ports[0]:
        return _ends(topology, repair) + (f" ({number:,})" if number > 1 else "")
    nodes = (repair.low, repair.high)
    return " - ".join(
        f"{topology.nodes.name[node]} port {topology.port_name(node, port)}"
        for node, port in zip(nodes, repair.ports[0], strict=True)
    )
