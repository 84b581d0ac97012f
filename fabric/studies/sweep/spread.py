"""Which parameter matters most: how much of the spread of a sweep each explains by itself."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from collectives.demand import FloatVector
from fabric.studies.sweep.journal import Entry
from fabric.studies.sweep.outcome import PointOutcome
from fabric.studies.sweep.point import Setting, StudyPoint, setting_text

OVER_FASTEST = "over_fastest"
_OF_POINT: Mapping[str, Callable[[PointOutcome], float | None]] = {
    "time_s": lambda one: one.time_s,
    "over_bound": lambda one: one.over_bound,
    "busbw_GBps": lambda one: one.busbw_GBps,
    "imbalance": lambda one: one.imbalance,
}
METRICS = (*_OF_POINT, OVER_FASTEST)
"""What points are compared by."""

LARGER_IS_BETTER = frozenset({"busbw_GBps"})

# More numbers than these are taken in ranges, or each value would explain its own point.  Assumed.
_MOST_VALUES, _RANGES = 8, 5
# A spread that is rounding is none.
_NO_SPREAD = 1e-9


@dataclass(frozen=True)
class ValueMean:
    """Points of one value, or of a range of values.

    Attributes
    ----------
    text : str
    n : int
        Points.
    mean : float
        Geometric mean of what points are compared by.
    """

    text: str
    n: int
    mean: float


@dataclass(frozen=True)
class Influence:
    """What a parameter does by itself.

    Attributes
    ----------
    key : str
    values : tuple of ValueMean
        In the order of the study; ranges of numbers where there are many.
    explains : float or None
        Part of the variance of the logarithm that is between the means of the values (eta squared); None where the
        points do not differ.
    """

    key: str
    values: tuple[ValueMean, ...]
    explains: float | None

    def best(self, larger: bool = False) -> ValueMean:
        """The value whose points are best on average."""
        return (max if larger else min)(self.values, key=lambda one: one.mean)

    def worst(self, larger: bool = False) -> ValueMean:
        """The value whose points are worst on average."""
        return self.best(not larger)


def varied_keys(points: Sequence[StudyPoint]) -> tuple[str, ...]:
    """Keys that differ between points, in their order."""
    found: dict[str, set[Setting]] = {}
    for point in points:
        for key, value in point.settings.items():
            found.setdefault(key, set()).add(value)
    return tuple(key for key, values in found.items() if len(values) > 1)


def values_of(rows: Sequence[tuple[StudyPoint, Entry]], metric: str) -> list[float | None]:
    """What points are compared by, of each; None where it has none.

    Parameters
    ----------
    rows : sequence of (StudyPoint, Entry)
    metric : str
        One of `METRICS`; `OVER_FASTEST`: its time over that of the fastest point whose job sends the same.
    """
    if metric != OVER_FASTEST:
        return [_OF_POINT[metric](entry.outcome) for _, entry in rows]
    alike = same_jobs(rows)
    times = [entry.outcome.time_s for _, entry in rows]
    fastest = [min((times[place] or math.inf for place in places), default=math.inf) for places in alike]
    found: list[float | None] = [None] * len(rows)
    for places, least in zip(alike, fastest, strict=True):
        for place in places:
            time = times[place]
            found[place] = time / least if time else None
    return found


def same_jobs(rows: Sequence[tuple[StudyPoint, Entry]]) -> list[list[int]]:
    """Places of the points whose jobs send the same: the same traffic, as many ranks."""
    found: dict[tuple[object, ...], list[int]] = {}
    for place, (point, entry) in enumerate(rows):
        sent = tuple(sorted((key, str(value)) for key, value in point.settings.items() if key.startswith("traffic.")))
        found.setdefault((sent, entry.outcome.ranks), []).append(place)
    return list(found.values())


def influences(rows: Sequence[tuple[StudyPoint, Entry]], keys: Sequence[str], metric: str) -> tuple[Influence, ...]:
    """What each parameter explains, what explains most first.

    Points in which a parameter has no effect do not count for it.

    Parameters
    ----------
    rows : sequence of (StudyPoint, Entry)
        Points with a result.
    keys : sequence of str
        Parameters that differ.
    metric : str
        One of `METRICS`.
    """
    known = zip(rows, values_of(rows, metric), strict=True)
    kept = [(point, math.log(value)) for (point, _), value in known if value is not None and value > 0]
    if not kept:
        return ()
    values = np.array([value for _, value in kept])
    total = float(((values - values.mean()) ** 2).sum())
    found = []
    for key in keys:
        settings = [point.settings.get(key) for point, _ in kept]
        groups = _grouped(settings)
        if not groups:
            continue
        between = _between(values, list(groups.values()))
        explains = None if total <= _NO_SPREAD * values.size else min(1.0, between / total)
        means = tuple(
            ValueMean(text, len(places), float(np.exp(values[places].mean()))) for text, places in groups.items()
        )
        found.append(Influence(key, means, explains))
    return tuple(sorted(found, key=lambda one: -(one.explains or 0.0)))


def _between(values: FloatVector, groups: Sequence[list[int]]) -> float:
    """Sum of squares between groups, about the mean of those in any."""
    everything = [place for places in groups for place in places]
    mean = values[everything].mean()
    return float(sum(len(places) * (values[places].mean() - mean) ** 2 for places in groups))


def _grouped(settings: Sequence[Setting]) -> dict[str, list[int]]:
    """Places of each value, or of ranges of numbers; those without effect in none."""
    places = [place for place, value in enumerate(settings) if value is not None]
    distinct = dict.fromkeys(settings[place] for place in places)
    numbers = [value for value in distinct if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if len(distinct) > _MOST_VALUES and len(numbers) == len(distinct):
        parts = np.array_split(np.array(sorted(numbers)), _RANGES)
        ranges = [(float(part[0]), float(part[-1])) for part in parts]
        found = {f"{low:g} to {high:g}": (low, high) for low, high in ranges}
        return {
            text: [place for place in places if low <= float(settings[place] or 0) <= high]
            for text, (low, high) in found.items()
        }
    groups: dict[str, list[int]] = {}
    for place in places:
        groups.setdefault(setting_text(settings[place]), []).append(place)
    return groups
