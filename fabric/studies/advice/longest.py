"""The longest parts of a job: levers are tried on them where all of a long trace, or of a large step, takes too long.

All else counts as it is, so a gain is the whole job's; what a lever does to the rest is not looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from collectives.demand import Int32Vector
from collectives.errors import InputError
from collectives.schedule import Schedule
from fabric.routing.loads import ScheduleLoads
from fabric.studies.analysis import Analysis
from fabric.studies.step_costs import OperationCost
from fabric.timing.step_time import StepTime
from traces.workload.step_operations import StepOperation

# Parts are taken, the longest first, up to this share of the time, and no more than so many.  Assumed: what is left
# could hardly make another lever the best one.
_ENOUGH = 0.97
_MOST = 32
# Parts that take less together say nothing of the job.  Assumed.
LEAST = 0.5
_PLAIN = ("axis", "collective", "label", "bytes", "count", "in_step", "window", "beside")


@dataclass(frozen=True, eq=False)
class Longest:
    """What of a job is looked at.

    Attributes
    ----------
    places : tuple of int
        Phases of its schedule, or operations of its step, in order.
    share : float
        Their part of its time; of a step of the communication that nothing hides.
    rest_s : float
        Seconds of all other phases; 0 of a step.
    costs : tuple of OperationCost
        Of a step: every operation as it is.
    most_seeds : int or None
        Hash seeds at most; None: as many as the whole job would have.
    """

    places: tuple[int, ...]
    share: float
    rest_s: float = 0.0
    costs: tuple[OperationCost, ...] = ()
    most_seeds: int | None = None


def longest_phases(analysis: Analysis, most_work: int, work_of_demand: int) -> Longest | None:
    """The phases that take most of a job's time; None where half of it takes more than so much work.

    Parameters
    ----------
    analysis : Analysis
    most_work : int
        Work of the phases that are taken.
    work_of_demand : int
        Of each of their demands.
    """
    loads, phases, scenario = analysis.loads, analysis.schedule.phases, analysis.scenario
    if loads.overlap == "pipelined" or loads.total.unrouted.pairs or analysis.time_s <= 0:
        return None
    if len(analysis.traffic.schedule(scenario.domain, scenario.rail).phases) != len(phases):
        # The transport made several of one.
        return None
    seconds = [one.bottleneck_time_s * times for one, times in zip(loads.phases, loads.repeats, strict=True)]
    work = [len(phase.demands) * work_of_demand for phase in phases]
    places = longest_first(seconds, work, most_work)
    taken_s = sum(seconds[place] for place in places)
    share = taken_s / analysis.time_s
    return Longest(places, share, analysis.time_s - taken_s) if share >= LEAST else None


def longest_operations(costs: Sequence[OperationCost], time: StepTime) -> Longest | None:
    """The operations of a step that expose most of its communication; None where compute hides all of it."""
    total = time.exposed_total_s
    if total <= 0:
        return None
    places = longest_first(time.exposed_s, [0] * len(costs), 0)
    return Longest(places, sum(time.exposed_s[place] for place in places) / total, costs=tuple(costs))


def same_operation(one: StepOperation, other: StepOperation) -> bool:
    """Whether two operations of steps send the same, as often, between the same ranks."""
    if any(getattr(one, name) != getattr(other, name) for name in _PLAIN):
        return False
    groups = ((one.groups.rank, other.groups.rank), (one.groups.sizes, other.groups.sizes))
    if not all(np.array_equal(*pair) for pair in groups):
        return False
    if one.spread is None or other.spread is None:
        return one.spread is other.spread
    facts = [(it.token_bytes, it.copies, it.by_node, it.combine) for it in (one.spread, other.spread)]
    return facts[0] == facts[1] and np.array_equal(one.spread.shares, other.spread.shares)


def longest_first(seconds: Sequence[float], work: Sequence[int], most_work: int) -> tuple[int, ...]:
    """Places of the longest parts, in order: most of the time, and no more than so much work."""
    taken: list[int] = []
    done, spent = 0.0, 0
    for place in np.argsort(-np.array(seconds), kind="stable").tolist():
        if done >= _ENOUGH * sum(seconds) or len(taken) == _MOST or spent + work[place] > most_work:
            break
        taken.append(place)
        done, spent = done + seconds[place], spent + work[place]
    return tuple(sorted(taken))


def shortened(analysis: Analysis, longest: Longest) -> Analysis:
    """A job's longest phases alone, as they were routed."""
    scenario, places, loads = analysis.scenario, longest.places, analysis.loads
    n_phases, make = len(loads.phases), analysis.traffic.schedule
    made: dict[tuple[bytes, bytes], Schedule] = {}

    def schedule(domain: Int32Vector, rail: Int32Vector) -> Schedule:
        key = domain.tobytes(), rail.tobytes()
        if key not in made:
            whole = make(domain, rail)
            if len(whole.phases) != n_phases:
                raise InputError("its phases are others there; advise tries it")
            made[key] = Schedule(tuple(whole.phases[place] for place in places), whole.overlap)
        return made[key]

    # A trace's own operations are all of them.
    traffic = replace(analysis.traffic, schedule=schedule, trace=None)
    own = ScheduleLoads(
        loads.topology,
        tuple(loads.phases[place] for place in places),
        tuple(loads.repeats[place] for place in places),
        tuple(loads.labels[place] for place in places),
        loads.overlap,
    )
    part = replace(scenario, jobs=(replace(scenario.job, traffic=traffic),))
    return Analysis(part, own, analysis.threshold)
