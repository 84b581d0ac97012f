"""Measured beside predicted: what ports counted, beside what the traffic would put on their links.

The prediction is scaled to the interval by least squares: the number of times that the traffic ran is not known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from collectives.demand import BoolVector, FloatVector, Int64Vector
from collectives.errors import InputError
from fabric.formats.counters.files import read_counter_deltas, read_counters
from fabric.formats.counters.names import USUAL, Vocabulary
from fabric.formats.opening import OpenedFabric
from fabric.routing.link_loads import LinkLoads, schedule_loads
from fabric.scenario import FabricLike, Scenario, opened_fabric
from fabric.studies.hotspots import tier_name
from fabric.studies.measured import Measured, measure, too_busy
from fabric.studies.suspects import Reason, Suspect, suspects_of
from fabric.topology import DIRECTIONS, NIC, NVLINK, PEER, Topology
from traces.late_ranks import LateRank, by_clocks, late_ranks

Files = Sequence[str | Path] | str | Path


@dataclass(frozen=True)
class MeasuredTier:
    """Links of one tier and direction.

    Attributes
    ----------
    name, direction : str
        As in the tables; no direction within a tier.
    links, known : int
        Links, and those with counters.
    bytes : float
        Of those that are known.
    utilization, busiest : float or None
        Mean and largest part of the capacity; None without an interval.
    wait_gbps : float or None
        Mean of what was lost by waiting; None where it is not known.
    predicted_bytes : float or None
        Of the same links; None without traffic.
    residual : float or None
        Median of ``|measured - predicted| / predicted``.
    """

    name: str
    direction: str
    links: int
    known: int
    bytes: float
    utilization: float | None
    busiest: float | None
    wait_gbps: float | None
    predicted_bytes: float | None
    residual: float | None


@dataclass(frozen=True)
class LateCable:
    """A rank that others wait for, and what the counters say of the cables behind it.

    Attributes
    ----------
    late : LateRank
    endpoint : int
        Number of the endpoint that the rank is on.
    links : tuple of int
        From the endpoint to its leaves.
    reasons : tuple of Reason
        Why those cables are suspect; empty where they are not.
    """

    late: LateRank
    endpoint: int
    links: tuple[int, ...]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, eq=False)
class CounterStudy:
    """Counters of a fabric, beside a prediction where the traffic is known.

    Attributes
    ----------
    measured : Measured
    scenario : Scenario or None
    predicted : (n_links,) float64 or None
        Bytes in the interval, `scale` times those of the traffic.
    scale : float or None
        How many times the traffic ran, as far as the links show.
    """

    measured: Measured
    scenario: Scenario | None = None
    predicted: FloatVector | None = None
    scale: float | None = None

    @property
    def fabric(self) -> OpenedFabric:
        """The fabric."""
        return self.measured.fabric

    @property
    def topology(self) -> Topology:
        """Its nodes and links."""
        return self.measured.topology

    @cached_property
    def suspects(self) -> tuple[Suspect, ...]:
        """Cables that something speaks against, the most suspect first."""
        return suspects_of(self.measured, self.predicted)

    @cached_property
    def residual(self) -> FloatVector | None:
        """``(measured - predicted) / predicted``, (n_links,) float64; NaN where one of them is not known or is 0."""
        if self.predicted is None:
            return None
        residual = np.full(self.topology.n_links, np.nan)
        there = self.measured.known & (self.predicted > 0)
        residual[there] = self.measured.bytes[there] / self.predicted[there] - 1
        return residual

    @cached_property
    def explained(self) -> float | None:
        """Part of what links carried that the prediction puts on the same links, 0 to 1; None without traffic.

        ``sum(min(measured, predicted)) / sum(max(measured, predicted))`` over the links that are known.
        """
        if self.predicted is None:
            return None
        known = self.measured.known
        measured, predicted = self.measured.bytes[known], self.predicted[known]
        most = float(np.maximum(measured, predicted).sum())
        return float(np.minimum(measured, predicted).sum()) / most if most > 0 else None

    @cached_property
    def tiers(self) -> tuple[MeasuredTier, ...]:
        """Links by tier and direction, hosts first."""
        return tuple(_tier(self, np.flatnonzero(links)) for links in _tiers(self.topology))

    @cached_property
    def late(self) -> tuple[LateRank, ...]:
        """Ranks that others of a trace wait for; none where the traffic is no trace of several ranks."""
        trace = None if self.scenario is None else self.scenario.traffic.trace
        return () if trace is None else late_ranks(trace)

    @cached_property
    def late_cables(self) -> tuple[LateCable, ...]:
        """The same ranks with the cables behind them; those that have no endpoint are left out."""
        if self.scenario is None:
            return ()
        topology, placed = self.topology, self.scenario.placement.endpoint
        reverse = topology.link_reverse
        why = {link: one.reasons for one in self.suspects for link in (one.link, int(reverse[one.link]))}
        found = []
        for late in self.late:
            if late.rank < len(placed):
                endpoint = int(placed[late.rank])
                own = np.flatnonzero((topology.link_tail == topology.endpoints[endpoint]) & (topology.link_kind == NIC))
                links = tuple(own.tolist())
                reasons = tuple(reason for link in links for reason in why.get(link, ()))
                found.append(LateCable(late, endpoint, links, reasons))
        return tuple(found)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the answer rests on, in words."""
        measured = self.measured
        lines = [
            "a link carried what its sender's port counted, where that is not known, or less than arrived, what its "
            "receiver's did",
            *measured.notes,
        ]
        if measured.interval_s is None:
            lines.append("the time between the readings is not known: no rates, no utilization, no waiting in Gb/s")
        elif not np.isnan(measured.wait_ticks).all():
            lines.append("a tick of PortXmitWait could have sent 8 bytes from 400 Gb/s on, 4 bytes below")
        if self.scenario is not None:
            lines.append("the prediction is scaled by least squares: how often the traffic ran is not known")
            if self.late and self.scenario.traffic.trace is not None and by_clocks(self.scenario.traffic.trace):
                lines.append("late ranks are told by the clocks of their hosts: the trace has no times of kernels")
        return (*lines, *(self.scenario.assumptions if self.scenario is not None else self.fabric.assumptions))


def study_counters(
    fabric: FabricLike,
    *,
    before: Files | None = None,
    after: Files | None = None,
    delta: Files | None = None,
    interval_s: float | None = None,
    words: Vocabulary = USUAL,
    scenario: Scenario | None = None,
) -> CounterStudy:
    """What links carried between two readings of counters, or by a delta, beside a prediction.

    Parameters
    ----------
    fabric : OpenedFabric, FabricDescription, Topology or str
    before, after : path or sequence of paths, optional
        Files, folders or archives of counters.
    delta : path or sequence of paths, optional
        Instead: what counters grew by (ibdiagnet's PM_DELTA), or readings at several times (a range query).
    interval_s : float, optional
        Between the readings; default as their times say.
    words : Vocabulary
        Names of metrics and labels of the user's own.
    scenario : Scenario, optional
        What the job sends, on the same fabric.

    Raises
    ------
    InputError
        One snapshot only; counters of another fabric; two that are the wrong way round; a file that is refused.
    """
    opened = opened_fabric(fabric)
    if interval_s is not None and not 0 < interval_s < 1e12:
        raise InputError(f"interval {interval_s:g} s: expected more than 0")
    if delta is not None:
        if before is not None or after is not None:
            raise InputError("counters: expected before and after, or a delta, not both")
        first, last = read_counter_deltas(delta, words)
    elif before is None or after is None:
        raise InputError(
            "counters: one snapshot; expected two (before and after) or a delta: counters count since a port's last "
            "reset, which is not the same for all",
            "--before A --after B",
        )
    else:
        first, last = read_counters(before, words), read_counters(after, words)
    return compared(measure(opened, last, first, interval_s), scenario)


def compared(measured: Measured, scenario: Scenario | None = None) -> CounterStudy:
    """What was measured beside what a scenario predicts.

    Raises
    ------
    InputError
        If the scenario is of another fabric, or loads no link that is known.
    """
    if scenario is None:
        return CounterStudy(measured)
    if scenario.topology is not measured.topology:
        raise InputError("counters: the traffic is on another fabric; expected that of the counters")
    schedule = schedule_loads(
        scenario.topology, scenario.schedule, scenario.placement, scenario.routing, scenario.n_threads
    )
    loads: LinkLoads = schedule.total
    network = np.where(measured.topology.link_kind == NVLINK, 0.0, loads.bytes)
    known = measured.known
    square = float((network[known] ** 2).sum())
    if square == 0:
        raise InputError("counters: the traffic loads no link whose counters are known; expected one that does")
    scale = float((network[known] * measured.bytes[known]).sum()) / square
    return CounterStudy(measured, scenario, network * scale, scale)


def apart(study: CounterStudy) -> str:
    """What to say where the ends of most cables count differently; empty where they agree."""
    same, both = study.measured.agreeing_cables
    if study.measured.ends_agree:
        return ""
    return (
        f"the two ends of {both - same:,} of {both:,} cables count differently: they are wired otherwise, or ports "
        "were read at different moments"
    )


def overfull(study: CounterStudy) -> str:
    """What to say where links carried more than they can; empty where none did."""
    number = too_busy(study.measured)
    if not number:
        return ""
    return (
        f"{number:,} of {int(study.measured.known.sum()):,} links carried more than they can in "
        f"{study.measured.interval_s:.4g} s: the interval or a counter's unit is wrong"
    )


def _tiers(topology: Topology) -> list[BoolVector]:
    """Links of each kind, tier and direction of the network, hosts first."""
    key = np.stack([topology.link_kind, topology.link_tier, topology.link_direction]).astype(np.int64)
    rows = np.unique(key[:, topology.link_kind != NVLINK], axis=1).T
    return [(row == key.T).all(axis=1) for row in sorted(rows.tolist(), key=lambda row: (row[1], row[0], row[2]))]


def _tier(study: CounterStudy, links: Int64Vector) -> MeasuredTier:
    topology, measured = study.topology, study.measured
    kind, tier, direction = (
        int(column[links[0]]) for column in (topology.link_kind, topology.link_tier, topology.link_direction)
    )
    known = links[measured.known[links]]
    busy, wait = measured.utilization, measured.wait_gbps
    waits = np.zeros(0) if wait is None else wait[known][~np.isnan(wait[known])]
    predicted = None if study.predicted is None else float(study.predicted[known].sum())
    off = np.zeros(0) if study.residual is None else np.abs(study.residual[known])
    off = off[~np.isnan(off)]
    return MeasuredTier(
        tier_name(kind, tier, direction),
        "" if direction == PEER else DIRECTIONS[direction],
        int(links.size),
        int(known.size),
        float(measured.bytes[known].sum()),
        float(busy[known].mean()) if busy is not None and known.size else None,
        float(busy[known].max()) if busy is not None and known.size else None,
        float(waits.mean()) if waits.size else None,
        predicted,
        float(np.median(off)) if off.size else None,
    )
