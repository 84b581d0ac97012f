"""Levers of routing: other policies, more hashed flows, tables computed anew."""

from collections.abc import Iterator
from dataclasses import replace

from collectives.errors import InputError
from fabric.routing.match_lfts import match_lfts
from fabric.routing.policies import Adaptive, DModK, Ecmp, Lft
from fabric.studies.advice.lever import Case, Change, Cost, NotTried, Option, Proposal
from fabric.studies.opensm import ENGINES
from fabric.studies.verdicts.thresholds import QUEUE_PAIRS

_AT_BOUND = "at the bound: no routing is faster on these cables and hosts"
_NOT_LIMITING = "cables between switches are not what limits, and routing changes no others"
# Options that no other routing than the one before takes.
_NO_TABLES: dict[str, Option] = {"lfts": None, "skip_unrouted": None}


def _why_not(case: Case) -> str:
    if case.at_bound:
        return _AT_BOUND
    return "" if case.switches_matter else _NOT_LIMITING


def adaptive(case: Case) -> Iterator[Proposal]:
    """Split evenly instead of by a hash or a table."""
    lever = "adaptive routing"
    why_not = "routing is adaptive already" if isinstance(case.scenario.routing, Adaptive) else _why_not(case)
    if why_not:
        yield NotTried(lever, Cost.SETTING, why_not)
        return
    how = "turn adaptive routing on: Spectrum-X RoCE adaptive routing, or InfiniBand's (OpenSM's ar_updn, UFM's AR)"
    scenario = case.scenario.routed(Adaptive())
    yield Change(lever, Cost.SETTING, how, scenario, {"routing": "adaptive", **_NO_TABLES})


def dmodk(case: Case) -> Iterator[Proposal]:
    """Static routes that deal destinations to cables."""
    lever = "D-mod-K routing"
    why_not = "routing is D-mod-K already" if isinstance(case.scenario.routing, DModK) else _why_not(case)
    if why_not:
        yield NotTried(lever, Cost.SETTING, why_not)
        return
    how = "route by destination, as OpenSM's ftree engine does on a whole fat tree"
    yield Change(lever, Cost.SETTING, how, case.scenario.routed(DModK()), {"routing": "dmodk", **_NO_TABLES})


def own_seeds(case: Case) -> Iterator[Proposal]:
    """Hashing with a seed for each switch instead of one for all."""
    routing = case.scenario.routing
    if isinstance(routing, Ecmp) and routing.shared_seed:
        how = "give each switch a hash seed of its own"
        scenario = case.scenario.routed(replace(routing, shared_seed=False))
        yield Change("a hash seed for each switch", Cost.SETTING, how, scenario, {"hash_seeds": None})


def more_flows(case: Case) -> Iterator[Proposal]:
    """Several times as many hashed flows a pair."""
    routing = case.scenario.routing
    lever = "more queue pairs"
    if not isinstance(routing, Ecmp):
        yield NotTried(lever, Cost.SETTING, f"{routing.name} routing does not hash")
        return
    if why_not := _why_not(case):
        yield NotTried(lever, Cost.SETTING, why_not)
        return
    flows = QUEUE_PAIRS * routing.flows_a_pair
    how = f"NCCL_IB_QPS_PER_CONNECTION, so that a pair of GPUs has {flows} flows instead of {routing.flows_a_pair}"
    scenario = case.scenario.routed(replace(routing, queue_pairs=flows))
    yield Change(f"{flows} hashed flows a pair", Cost.SETTING, how, scenario, {"queue_pairs": flows})


def tables_anew(case: Case) -> Iterator[Proposal]:
    """Forwarding tables that OpenSM computes for the cables that are there."""
    lever, fabric, routing = "tables computed anew", case.scenario.fabric, case.scenario.routing
    why_not = _why_not(case) if isinstance(routing, Lft) else "no forwarding tables are in force here"
    if why_not or not isinstance(routing, Lft):
        yield NotTried(lever, Cost.SETTING, why_not)
        return
    for engine in ENGINES:
        named = f"OpenSM's {engine} tables"
        try:
            matched = match_lfts(case.tables(fabric, engine), fabric.topology, fabric.origin, routing.skip_unrouted)
        except InputError as error:
            yield NotTried(named, Cost.SETTING, str(error))
            continue
        file = f"{engine}.lfts"
        before = f"fabric reroute {{fabric}} {file} --engine {engine}"
        how = f"opensm -R {engine}"
        scenario = case.scenario.routed(matched.routing)
        yield Change(named, Cost.SETTING, how, scenario, {"routing": None, "lfts": file}, before=before)
