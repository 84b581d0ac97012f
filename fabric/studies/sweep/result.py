"""A sweep's answer: its points ranked, and which parameter matters most."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from fabric.studies.sweep.journal import Entry
from fabric.studies.sweep.point import StudyPoint, point_name
from fabric.studies.sweep.run import Swept
from fabric.studies.sweep.spread import (
    LARGER_IS_BETTER,
    OVER_FASTEST,
    Influence,
    influences,
    same_jobs,
    values_of,
    varied_keys,
)

METRIC_WORDS: Mapping[str, str] = {
    "time_s": "time",
    "over_bound": "time over the bound",
    OVER_FASTEST: "time over the fastest of the same job",
    "busbw_GBps": "busbw",
    "imbalance": "max/mean between switches",
}


@dataclass(frozen=True)
class Ranked:
    """A point with its place among all.

    Attributes
    ----------
    number : int
        Of the point in the study, from 1.
    point : StudyPoint
    entry : Entry
    value : float
        What points are compared by.
    """

    number: int
    point: StudyPoint
    entry: Entry
    value: float


@dataclass(frozen=True, eq=False)
class SweepResult:
    """A sweep as far as it is done.

    Attributes
    ----------
    name : str
        Of the study.
    swept : Swept
    asked_metric : str
        What points are compared by; empty: what suits them.
    """

    name: str
    swept: Swept
    asked_metric: str = ""

    @cached_property
    def metric(self) -> str:
        """One of `METRICS`: time where all points run the same job, else bandwidth, else over the fastest or the bound.

        A bound is of one placement and wiring: against it a job looks best where nothing could be better.
        """
        if self.asked_metric:
            return self.asked_metric
        outcomes = [entry.outcome for _, entry in self.swept.rows]
        same_job = not any(key.startswith("traffic.") for key in self.keys) and len({one.ranks for one in outcomes}) < 2
        if same_job:
            return "time_s"
        if all(one.busbw_GBps is not None for one in outcomes):
            return "busbw_GBps"
        jobs = same_jobs(list(self.swept.rows))
        return OVER_FASTEST if any(len(places) > 1 for places in jobs) else "over_bound"

    @property
    def larger(self) -> bool:
        """Whether larger is better."""
        return self.metric in LARGER_IS_BETTER

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Parameters that differ between points."""
        return varied_keys(self.swept.points)

    @cached_property
    def ranked(self) -> tuple[Ranked, ...]:
        """Points with a result, the best first; of equal ones the first of the study."""
        number = {point.id: place for place, point in enumerate(self.swept.points, start=1)}
        rows = list(self.swept.rows)
        found = [
            Ranked(number[point.id], point, entry, value)
            for (point, entry), value in zip(rows, values_of(rows, self.metric), strict=True)
            if value is not None
        ]
        return tuple(sorted(found, key=lambda one: (-one.value if self.larger else one.value, one.number)))

    @cached_property
    def influences(self) -> tuple[Influence, ...]:
        """What each parameter explains, what explains most first."""
        return influences(list(self.swept.rows), self.keys, self.metric)

    def name_of(self, point: StudyPoint) -> str:
        """What tells a point from the others."""
        return point_name(point, self.keys)

    @property
    def factor(self) -> float | None:
        """How many times as good the best is as the worst; None where nobody can say."""
        if not self.ranked:
            return None
        low, high = sorted((self.ranked[0].value, self.ranked[-1].value))
        return high / low if low > 0 else None
