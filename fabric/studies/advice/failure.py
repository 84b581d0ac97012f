"""What helps against a failure: levers tried on the job with it, but for mending what failed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from collectives.errors import InputError
from fabric.routing.policies import Adaptive, DModK, Lft
from fabric.scenario import Scenario
from fabric.studies.advice.adapters import plugged_in_place
from fabric.studies.advice.best import what_helps
from fabric.studies.advice.hosts import pooled_nics, spare_hosts
from fabric.studies.advice.lever import COSTS, Case, Change, Cost, Lever
from fabric.studies.advice.levers import LEVERS
from fabric.studies.advice.mend import drain, mend_all, mend_hottest
from fabric.studies.advice.moves import move_cables
from fabric.studies.advice.study import Advice, no_tables
from fabric.studies.advice.trial import Trial, check_flows, run
from fabric.studies.fault_runs import struck
from fabric.studies.faults import FaultRow, Faults

# Mending undoes a failure, and is no help against it.
_MENDS: tuple[Lever, ...] = (drain, mend_hottest, mend_all, move_cables, plugged_in_place)
AGAINST: tuple[Lever, ...] = tuple(lever for lever in LEVERS if lever not in _MENDS)
"""Levers that are tried on a job with a failure."""

# A failure that costs less is none worth a remedy: assumed.
_WORTH = 1.005


@dataclass(frozen=True, eq=False)
class GoesOn:
    """A lever with which a job goes on that a failure stops.

    Attributes
    ----------
    lever : str
    cost : Cost
    how : str
        What to do.
    time_s : float
        Of the job with failure and lever.
    """

    lever: str
    cost: Cost
    how: str
    time_s: float


@dataclass(frozen=True, eq=False)
class AgainstFailure:
    """What helps against a failure.

    Attributes
    ----------
    row : FaultRow
        The failure.
    going_on : tuple of GoesOn
        Where it stops the job: levers with which it goes on, the best first.
    advice : Advice or None
        Where it makes the job slower: every lever that is no mending; None where that takes too long unasked.
    """

    row: FaultRow
    going_on: tuple[GoesOn, ...]
    advice: Advice | None


def against_failures(faults: Faults) -> AgainstFailure | None:
    """What helps against the worst single failure: that stops the job, else that slows it down most.

    Where nothing keeps a job going that a failure stops, it is the worst of those that it survives.  None where no
    failure hurts.

    Parameters
    ----------
    faults : Faults
    """
    stop = next((row for row in faults.rows if row.time_s is None), None)
    slow = next((row for row in faults.rows if row.slowdown is not None and row.slowdown >= _WORTH), None)
    going_on = () if stop is None else tuple(_going_on(broken_scenario(faults.scenario, stop)))
    if stop is not None and (going_on or slow is None):
        order = sorted(range(len(going_on)), key=lambda place: (COSTS.index(going_on[place].cost), place))
        return AgainstFailure(stop, tuple(going_on[place] for place in order), None)
    if slow is None:
        return None
    return AgainstFailure(slow, (), what_helps(broken_scenario(faults.scenario, slow), levers=AGAINST))


def broken_scenario(scenario: Scenario, row: FaultRow) -> Scenario:
    """The scenario with a failure, as `fabric.studies.fault_runs.fault_run` runs it."""
    faults = (row.broken.fault,)
    return replace(struck(scenario, faults), fabric=scenario.fabric.with_faults(faults))


def _going_on(scenario: Scenario) -> Iterator[GoesOn]:
    """Of the levers that give pairs a way which have none: other routes, other NICs, other hosts."""
    for change in _changes(scenario):
        try:
            check_flows(change.scenario)
            time_s = run(change.scenario).time_s
        except InputError:
            continue
        yield GoesOn(change.lever, change.cost, change.how, time_s)


def _changes(scenario: Scenario) -> Iterator[Change]:
    if isinstance(scenario.routing, Lft):
        how = "turn adaptive routing on, which takes the ways that are left"
        yield Change("adaptive routing", Cost.SETTING, how, scenario.routed(Adaptive()))
        how = "let the subnet manager make tables anew: here by destination, as OpenSM's ftree engine does"
        yield Change("tables made anew", Cost.SETTING, how, scenario.routed(DModK()))
    case = Case(Trial(scenario, (), None), no_tables)
    for lever in (pooled_nics, spare_hosts):
        yield from (one for one in lever(case) if isinstance(one, Change))
