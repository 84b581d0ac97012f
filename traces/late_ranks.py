"""Ranks that the others wait for, and ranks that stopped: what the members of a group recorded of the same collectives.

A collective's kernel ends about at once on all members, and runs on each from its own start: the rank with the shortest
kernel came last, whatever the clocks of the hosts say.  Where no kernel times were recorded, the times of issue are
compared, as far as clocks agree.
"""

from collections import defaultdict
from dataclasses import dataclass
from statistics import median

from traces.operation import Operation, RankReport, Trace

# A rank is late that the others wait for longer than this, and longer than this part of what the collective takes them:
# assumed.
LATE_S, LATE_PART = 10e-6, 0.1
# The same by the clocks of hosts, which NTP keeps about so close: assumed.
LATE_BY_CLOCK_S = 1e-3
# Late in so large a part of so many collectives: a straggler.  Assumed.
OFTEN, LEAST = 0.8, 5


@dataclass(frozen=True)
class LateRank:
    """What the others' records say of a rank.

    Attributes
    ----------
    rank : int
        Of the job.
    operations : int
        Collectives that it and others recorded with times.
    last : int
        Those in which it came last, and late.
    waited_s : float
        What the middle one of the others waited for it in those, together, seconds.
    behind : int
        Collectives that other members of its groups had issued when all was recorded, and it had not.
    """

    rank: int
    operations: int
    last: int
    waited_s: float
    behind: int

    @property
    def straggler(self) -> bool:
        """Whether it is late nearly always."""
        return self.operations >= LEAST and self.last >= OFTEN * self.operations


def late_ranks(trace: Trace) -> tuple[LateRank, ...]:
    """Ranks that came last or are behind, those that are behind first, then by what others waited for them.

    Parameters
    ----------
    trace : Trace
        Of several ranks; without their reports nothing is found.
    """
    timed: dict[int, int] = defaultdict(int)
    last: dict[int, int] = defaultdict(int)
    waited: dict[int, float] = defaultdict(float)
    known = not by_clocks(trace)
    for operation in trace.operations:
        reports = [one for one in operation.reports if not operation.ranks or one.rank in operation.ranks]
        lateness = _lateness(reports, known)
        for rank in lateness:
            timed[rank] += 1
        if len(lateness) > 1:
            rank = max(lateness, key=lateness.__getitem__)
            longest = max((one.lasted_s or 0.0 for one in reports), default=0.0)
            if lateness[rank] > (max(LATE_S, LATE_PART * longest) if known else LATE_BY_CLOCK_S):
                last[rank] += 1
                waited[rank] += lateness[rank]
    behind = _behind(trace.operations)
    ranks = sorted({*last, *behind})
    found = (LateRank(rank, timed[rank], last[rank], waited[rank], behind.get(rank, 0)) for rank in ranks)
    return tuple(sorted(found, key=lambda one: (-one.behind, -one.waited_s)))


def by_clocks(trace: Trace) -> bool:
    """Whether ranks are compared by the clocks of their hosts, as no kernel times were recorded."""
    return not any(report.lasted_s is not None for one in trace.operations for report in one.reports)


def _lateness(reports: list[RankReport], by_kernel: bool) -> dict[int, float]:
    """How long the middle one of the others waited for each rank; empty where fewer than two say when."""
    if by_kernel:
        times = {one.rank: -one.lasted_s for one in reports if one.lasted_s is not None}
    else:
        times = {one.rank: one.start_s for one in reports if one.start_s is not None}
    if len(times) < 2:
        return {}
    return {rank: own - median(time for other, time in times.items() if other != rank) for rank, own in times.items()}


def _behind(operations: tuple[Operation, ...]) -> dict[int, int]:
    """Collectives that others of a group issued and a rank did not, after its last one there."""
    groups: dict[tuple[str, tuple[int, ...]], list[Operation]] = defaultdict(list)
    for operation in operations:
        if operation.sequence is not None and operation.reports and operation.kind != "send-recv":
            groups[operation.group, operation.ranks].append(operation)
    found: dict[int, int] = defaultdict(int)
    for same in groups.values():
        newest: dict[int, int] = {}
        for operation in same:
            for one in operation.reports:
                newest[one.rank] = max(newest.get(one.rank, -1), operation.sequence or 0)
        for rank, sequence in newest.items():
            ahead = [one for one in same if (one.sequence or 0) > sequence]
            # Where others ended them without it, its record was cut; it does not hold them up.
            if ahead and all(report.lasted_s is None for one in ahead for report in one.reports):
                found[rank] += len(ahead)
    return found
