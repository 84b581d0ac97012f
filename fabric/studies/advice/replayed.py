"""What helps a replayed trace: levers by the time that its ranks communicate when operations share the links."""

from dataclasses import dataclass, field, replace

import numpy as np

from collectives.catalog import collective_schedule
from collectives.demand import Flows, Groups, Int32Vector
from collectives.errors import InputError
from collectives.schedule import Phase, Schedule
from fabric.scenario import Scenario
from fabric.studies.advice.best import MOST_LOADED, what_helps
from fabric.studies.advice.hosts import pooled_nics
from fabric.studies.advice.job import transport
from fabric.studies.advice.lever import Lever
from fabric.studies.advice.levers import LEVERS as ALL
from fabric.studies.advice.longest import LEAST, Longest, longest_first
from fabric.studies.advice.remeasured import remeasured
from fabric.studies.advice.study import Advice, single_advice
from fabric.studies.advice.trial import work_of_demand
from fabric.studies.analysis import analyse
from fabric.studies.replay import Replay, Replayed, study_replay
from traces.operation import Operation
from traces.traffic import nccl_size

# A replay sends each operation as its library does, over the GPUs' own NICs.
LEVERS: tuple[Lever, ...] = tuple(lever for lever in ALL if lever not in (transport, pooled_nics))
"""Those that a replay knows."""

# Links of operations that differ, of traces that are replayed again unasked: some seconds.  And what levers may take of
# the others, beside a replay that takes much longer.  Both are assumed.
_MOST_AGAIN = 10_000_000
_MOST_WORK = 8_000_000


def replay_advice(replay: Replay) -> Advice | None:
    """What helps the trace of a replay.

    Of long traces gains are those of the longest operations one after the other, as `loads` has them; else a replay
    with the lever shows how long a rank then communicates.

    Parameters
    ----------
    replay : Replay
    """
    sets = _together(replay)
    work = work_of_demand(replay.scenario, 1) * sum(len(one.operations) for one in sets)
    try:
        advice = what_helps(replay.scenario, levers=LEVERS) if work <= MOST_LOADED else _of_longest(replay, sets)
    except InputError:
        # An operation has no schedule by itself: nothing can be tried.
        return None
    if advice is None or work > _MOST_AGAIN:
        return advice
    return remeasured(advice, communication_s(replay), lambda one: _replayed_s(replay.scenario, one))


@dataclass
class _Together:
    """Operations of one kind and size among ranks that have nothing to do with one another."""

    operations: list[Operation] = field(default_factory=list)
    ranks: set[int] = field(default_factory=set)
    count: int = 0
    seconds: float = 0.0

    def schedule(self, domain: Int32Vector, rail: Int32Vector) -> Schedule:
        """All of them at once, by the first algorithm of their kind."""
        first = self.operations[0]
        if first.splits is None and first.kind != "send-recv":
            groups = Groups.of([[*one.ranks[one.root or 0 :], *one.ranks[: one.root or 0]] for one in self.operations])
            return collective_schedule(first.kind, groups, nccl_size(first), None, domain, rail)
        src, dst, size = [], [], []
        for one in self.operations:
            ranks = np.array(one.ranks, np.int32)
            i, j = (np.array([0]), np.array([1])) if one.splits is None else np.nonzero(one.splits)
            src.append(ranks[i])
            dst.append(ranks[j])
            size.append(np.array([one.bytes or 0.0]) if one.splits is None else one.splits[i, j])
        return Schedule((Phase(Flows(np.concatenate(src), np.concatenate(dst), np.concatenate(size))),))


def _together(replay: Replay) -> list[_Together]:
    """The operations of a replay, those of disjoint groups together; as often and as long as the most of them."""
    alike: dict[tuple[object, ...], list[Replayed]] = {}
    for each in replay.operations:
        one = each.operation
        if len(one.ranks) > 1:
            splits = None if one.splits is None else one.splits.tobytes()
            alike.setdefault((one.kind, one.ranks, one.bytes, one.root, splits), []).append(each)
    found: dict[tuple[object, ...], list[_Together]] = {}
    for same in alike.values():
        one = same[0].operation
        sets = found.setdefault((one.kind, len(one.ranks), one.bytes, one.splits is None), [])
        own = next((each for each in sets if each.ranks.isdisjoint(one.ranks)), None)
        if own is None:
            own = _Together()
            sets.append(own)
        own.operations.append(one)
        own.ranks.update(one.ranks)
        own.count = max(own.count, len(same))
        own.seconds = max(own.seconds, sum(each.alone_s for each in same))
    return [one for sets in found.values() for one in sets]


def _of_longest(replay: Replay, sets: list[_Together]) -> Advice | None:
    """Levers on the operations that take longest, one after the other; None where half of the time takes too long."""
    scenario, seconds = replay.scenario, [one.seconds for one in sets]
    places = longest_first(seconds, [work_of_demand(scenario, 1)] * len(sets), MOST_LOADED)
    share = sum(seconds[place] for place in places) / sum(seconds) if sum(seconds) > 0 else 0.0
    if share < LEAST:
        return None

    def schedule(domain: Int32Vector, rail: Int32Vector) -> Schedule:
        phases: list[Phase] = []
        for one in (sets[place] for place in places):
            for phase in one.schedule(domain, rail).phases:
                phases.append(replace(phase, repeat=phase.repeat * one.count))
        return Schedule(tuple(phases))

    job = replace(scenario.job, traffic=replace(scenario.traffic, schedule=schedule, trace=None))
    part = analyse(replace(scenario, jobs=(job,)))
    if part.time_s <= 0:
        return None
    longest = Longest((), share, part.time_s * (1 / share - 1), most_seeds=1)
    return single_advice(part.scenario, part, longest, LEVERS, _MOST_WORK)


def communication_s(replay: Replay) -> float:
    """How long a rank is in an operation, the mean over those that take part, seconds."""
    return replay.communicating * replay.span_s


def _replayed_s(given: Scenario, scenario: Scenario) -> float:
    # Of a long trace levers were tried on a part of it.
    traffic = scenario.traffic if scenario.traffic.trace is not None else given.traffic
    whole = replace(scenario, jobs=(replace(scenario.job, traffic=traffic),))
    return communication_s(study_replay(whole, bins=1, top=0))
