"""The report of `sweep`: the best and the worst points, what matters, what failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from collectives.saying import printable
from collectives.sizes import counted
from fabric.reports.documents.sweep import SweepBody, SweepRowPart
from fabric.reports.emit import Report
from fabric.reports.figures.sweep import sweep_figure
from fabric.reports.gates import Headline
from fabric.reports.links import tier_text
from fabric.reports.loads import BOTTLENECK_TIME
from fabric.reports.page_parts import PAGE_ROWS, PageParts, Picture
from fabric.reports.sweep_dataset import dataset_columns, dataset_csv
from fabric.reports.tables import Facts, Table
from fabric.reports.words import number_text, ratio_text, seconds_text
from fabric.studies.sweep.journal import Entry
from fabric.studies.sweep.outcome import PointOutcome
from fabric.studies.sweep.point import StudyPoint, labels_of, setting_text
from fabric.studies.sweep.result import METRIC_WORDS, Ranked, SweepResult
from fabric.studies.sweep.spread import OVER_FASTEST, Influence
from fabric.studies.verdicts.sweep import points_verdict, sweep_verdict

USUAL_TOP = 5
_SPREAD = "explains: the part of the variance of the logarithm that is between the means of a parameter's values"


@dataclass(frozen=True)
class SweepFiles:
    """Where things of a sweep are.

    Attributes
    ----------
    folder : str
        Of the points.
    dataset : str or None
        Of all rows.
    figure, csv : path or None
        To be written.
    """

    folder: str
    dataset: str | None = None
    figure: Path | None = None
    csv: Path | None = None


def sweep_report(result: SweepResult, files: SweepFiles, top: int = USUAL_TOP, notes: Sequence[str] = ()) -> Report:
    """What `sweep` has to say, with the files that are asked for.

    Parameters
    ----------
    result : SweepResult
    files : SweepFiles
    top : int
        Points of each end on the screen.
    notes : sequence of str
        What else is to be said.
    """
    written: dict[str, str | bytes] = {}
    if files.figure is not None:
        written[str(files.figure)] = sweep_figure(result, files.figure.suffix)
    if files.csv is not None:
        written[str(files.csv)] = dataset_csv(dataset_columns(result.swept))
    assumptions = (BOTTLENECK_TIME, _SPREAD)
    ranked = result.ranked
    # No point is in both tables.
    half = min(top, (len(ranked) + 1) // 2)
    last = min(top, len(ranked) - half)
    tables: list[Table | Facts] = [_facts(result, files)]
    if result.influences:
        tables.append(_influences(result))
    if ranked:
        tables.append(points_table(result, ranked[:half], "Best points"))
    if last:
        tables.append(points_table(result, ranked[len(ranked) - last :], "Worst points, the worst last"))
    if result.swept.failures:
        tables.append(_failures(result, top))
    return Report(
        sweep_document(result, files, assumptions),
        tables,
        sweep_verdict(result),
        notes=[*_kept_notes(result), *notes],
        assumptions=assumptions,
        headlines=_headlines(result),
        files=written,
        page=lambda: _page(result, tables),
    )


def points_report(result: SweepResult, files: SweepFiles, notes: Sequence[str] = ()) -> Report:
    """The points of a study, and which are done: what ``--dry-run`` says."""
    written: dict[str, str | bytes] = {}
    if files.csv is not None:
        written[str(files.csv)] = dataset_csv(dataset_columns(result.swept))
    keys = result.keys
    labels = labels_of(keys)
    rows = tuple(
        (str(number), point.id, *(setting_text(point.settings.get(key)) for key in keys), _state(entry, point))
        for number, (point, entry) in enumerate(zip(result.swept.points, result.swept.entries, strict=True), start=1)
    )
    columns = ("point", "id", *(labels[key] for key in keys), "state")
    title = f"{result.name}: {counted(len(rows), 'point')}"
    return Report(
        sweep_document(result, files, ()),
        [Table(title, columns, rows, frozenset({"point"}), shorten=frozenset(columns[2:-1]), drop=("id",))],
        points_verdict(result),
        notes=notes,
        headlines=_headlines(result),
        files=written,
    )


def _headlines(result: SweepResult) -> list[Headline]:
    """The figures of the best point; none of nothing."""
    if not result.ranked:
        return [Headline(result.name)]
    name, best = result.name_of(result.ranked[0].point), result.ranked[0].entry.outcome
    return [Headline(name, best.time_s, best.busbw_GBps, best.over_bound, best.imbalance)]


def _facts(result: SweepResult, files: SweepFiles) -> Facts:
    swept = result.swept
    done = len(swept.points) - swept.n_missing - len(swept.failures)
    said = [f"{done:,} done"]
    said += [f"{len(swept.failures):,} failed"] if swept.failures else []
    said += [f"{swept.n_missing:,} not run yet"] if swept.n_missing else []
    ran = sum(entry.seconds for entry in swept.entries if entry is not None)
    rows = [
        ("points", f"{len(swept.points):,}: {', '.join(said)}"),
        ("compared by", METRIC_WORDS[result.metric]),
        ("took", f"{seconds_text(ran)} of workers' time"),
        ("kept in", printable(files.folder)),
    ]
    rows += [("dataset", printable(files.dataset))] if files.dataset else []
    return Facts(result.name, tuple(rows))


def _value(result: SweepResult, value: float) -> str:
    if result.metric == "time_s":
        return seconds_text(value)
    return number_text(value, ".4g") if result.metric == "busbw_GBps" else ratio_text(value, ".3f")


def _influences(result: SweepResult) -> Table:
    labels = labels_of(result.keys)
    columns = ("parameter", "values", "explains", "best on average", "mean", "worst on average", "its mean", "factor")

    def row(one: Influence) -> tuple[str, ...]:
        best, worst = one.best(result.larger), one.worst(result.larger)
        low, high = sorted((best.mean, worst.mean))
        return (
            labels[one.key],
            f"{len(one.values):,}",
            "-" if one.explains is None else f"{one.explains:.0%}",
            best.text,
            _value(result, best.mean),
            worst.text,
            _value(result, worst.mean),
            ratio_text(high / low if low > 0 else None),
        )

    return Table(
        "What matters, each parameter by itself",
        columns,
        tuple(map(row, result.influences)),
        frozenset({"values", "explains", "mean", "its mean", "factor"}),
        shorten=frozenset({"parameter", "best on average", "worst on average"}),
        drop=("its mean", "mean"),
    )


def points_table(result: SweepResult, ranked: Sequence[Ranked], title: str) -> Table:
    """A row for each point: what is set in it, and what it gives."""
    labels = labels_of(result.keys)
    told = [(labels[key], [setting_text(one.point.settings.get(key)) for one in ranked]) for key in result.keys]
    outcomes = [one.entry.outcome for one in ranked]
    given = [
        ("time", ["-" if one.time_s is None else seconds_text(one.time_s) for one in outcomes]),
        ("busbw GB/s", [number_text(one.busbw_GBps, ".4g") for one in outcomes]),
        ("times the bound", [ratio_text(one.over_bound, ".3f") for one in outcomes]),
        ("max/mean", [number_text(one.imbalance, ".3g") for one in outcomes]),
    ]
    if result.metric == OVER_FASTEST:
        given.insert(1, ("times the fastest", [ratio_text(one.value, ".3f") for one in ranked]))
    links = ("worst link", [_worst_text(one) for one in outcomes])
    columns = [("point", [str(one.number) for one in ranked]), *told, *given, links]
    numbers = ("point", *(name for name, _ in given))
    return Table(
        title,
        tuple(name for name, _ in columns),
        tuple(zip(*(cells for _, cells in columns), strict=True)),
        frozenset(numbers),
        below=("worst link",),
        shorten=frozenset(name for name, _ in told),
        drop=("max/mean", "busbw GB/s"),
    )


def _worst_text(outcome: PointOutcome) -> str:
    if not outcome.worst_link:
        return "-"
    return f"{outcome.worst_link} ({tier_text(outcome.worst_tier, outcome.worst_direction)})"


def _failures(result: SweepResult, top: int) -> Table:
    """Why points failed: those of one reason together."""
    reasons: dict[str, list[StudyPoint]] = {}
    first: dict[str, str] = {}
    for point, entry in result.swept.failures:
        # Which pair is cut off differs from point to point; that one is does not.
        why = "no way" if entry.outcome.disconnected_pairs else entry.outcome.error
        reasons.setdefault(why, []).append(point)
        first.setdefault(why, entry.outcome.error)
    order = sorted(reasons.items(), key=lambda one: -len(one[1]))
    rows = tuple((f"{len(points):,}", result.name_of(points[0]), first[why]) for why, points in order[: max(top, 1)])
    more = f"; {len(order) - len(rows):,} more reasons" if len(order) > len(rows) else ""
    title = f"{counted(len(result.swept.failures), 'point')} failed{more}"
    columns = ("points", "the first", "why it failed")
    return Table(
        title, columns, rows, frozenset({"points"}), below=("why it failed",), shorten=frozenset({"the first"})
    )


def _kept_notes(result: SweepResult) -> list[str]:
    kept, notes = result.swept.kept, []
    others = len(kept.entries) - sum(entry is not None for entry in result.swept.entries)
    if others:
        verb = "is" if others == 1 else "are"
        notes.append(f"{counted(others, 'point')} in the folder {verb} of another study, or another state of this one")
    if kept.torn:
        verb = "is not whole and counts" if kept.torn == 1 else "are not whole and count"
        notes.append(f"{counted(kept.torn, 'line')} of the folder {verb} for nothing: a process was killed there")
    if kept.differing:
        notes.append(f"{counted(len(kept.differing), 'point')} ran twice with different results; the first counts")
    return notes


def _page(result: SweepResult, tables: Sequence[Table | Facts]) -> PageParts:
    title = result.name
    shown = result.ranked[:PAGE_ROWS]
    number = f"the first {len(shown):,} of {len(result.ranked):,}" if len(shown) < len(result.ranked) else "all"
    rest = [points_table(result, shown, f"Points, the best first: {number}")] if shown else []
    kept = [table for table in tables if not table.title.startswith(("Best points", "Worst points"))]
    pictures = [Picture(f"{title}: the sweep", lambda suffix: sweep_figure(result, suffix))] if result.ranked else []
    return PageParts(title, pictures=pictures, tables=[*kept, *rest])


def _state(entry: Entry | None, point: StudyPoint) -> str:
    if entry is None:
        return "cannot run" if point.problem else "to run"
    return "failed" if entry.outcome.failed else "done"


def sweep_document(result: SweepResult, files: SweepFiles, assumptions: Sequence[str]) -> SweepBody:
    """Everything for JSON."""
    swept, ranked = result.swept, result.ranked
    return {
        "schema": "railscope.sweep/1",
        "study": result.name,
        "metric": result.metric,
        "varied": list(result.keys),
        "points": len(swept.points),
        "failed": len(swept.failures),
        "missing": swept.n_missing,
        "best": ranked[0].point.id if ranked else None,
        "worst": ranked[-1].point.id if ranked else None,
        "influences": [
            {
                "key": one.key,
                "explains": one.explains,
                "values": [{"value": own.text, "points": own.n, "mean": own.mean} for own in one.values],
            }
            for one in result.influences
        ],
        "rows": [
            _row(number, point, entry)
            for number, (point, entry) in enumerate(zip(swept.points, swept.entries, strict=True), start=1)
        ],
        "folder": files.folder,
        "dataset": files.dataset,
        "figure": None if files.figure is None else str(files.figure),
        "assumptions": list(assumptions),
    }


def _row(number: int, point: StudyPoint, entry: Entry | None) -> SweepRowPart:
    outcome = PointOutcome() if entry is None else entry.outcome
    return {
        "number": number,
        "id": point.id,
        "state": "missing" if entry is None else "failed" if outcome.failed else "done",
        "settings": dict(point.settings),
        "time_s": outcome.time_s,
        "bound_s": outcome.bound_s,
        "over_bound": outcome.over_bound,
        "busbw_GBps": outcome.busbw_GBps,
        "imbalance": outcome.imbalance,
        "worst_link": outcome.worst_link,
        "worst_tier": outcome.worst_tier,
        "worst_direction": outcome.worst_direction,
        "disconnected_pairs": outcome.disconnected_pairs,
        "algorithm": outcome.algorithm,
        "ranks": outcome.ranks,
        "endpoints": outcome.endpoints,
        "switches": outcome.switches,
        "cables": outcome.cables,
        "tiers": list(outcome.tiers),
        "seconds": None if entry is None else entry.seconds,
        "error": point.problem if entry is None else outcome.error,
    }
