"""The report of `scale`: a workload over numbers of GPUs, beside what was published."""

from pathlib import Path

from fabric.reports.documents.step import JudgedPart, ScaleBody, ScaleRowPart, SensitivityPart
from fabric.reports.emit import Report
from fabric.reports.figures.scale import scale_figure
from fabric.reports.page_parts import PageParts, Picture
from fabric.reports.step import axis_part, axis_table
from fabric.reports.tables import Facts, Table
from fabric.reports.words import number_text, ratio_text, seconds_text
from fabric.studies.scale import Scale, ScaleRow
from fabric.studies.verdicts.step import scale_verdict


def _row(row: ScaleRow) -> ScaleRowPart:
    time, naive = row.result.best.time, row.result.naive
    return {
        "gpus": row.gpus,
        "fabric": row.result.scenario.fabric.name,
        "step_s": row.step_s,
        "step_found_s": row.result.best.found.step_s,
        "compute_s": time.compute_s,
        "bubble_s": time.bubble_s,
        "exposed_s": time.exposed_total_s,
        "communication_s": time.communication_s,
        "naive_s": None if naive is None else naive.time.step_s,
        "levers_s": {one.design.name: one.time.step_s for one in row.result.designs[1:]},
        "published_min": None if row.published is None else row.published.minutes,
        "efficiency": row.efficiency,
        "published_efficiency": row.published_efficiency,
        "train_s": list(row.train_s),
        "unexplained_s": row.unexplained_s,
        "axes": [axis_part(one) for one in row.result.axes],
    }


def scale_document(scale: Scale, figure: str | None, assumptions: tuple[str, ...]) -> ScaleBody:
    """Everything for JSON."""
    sensitivity: list[SensitivityPart] = [
        {"key": one.key, "value": one.value, "step_s": one.step_s, "exposed_s": one.exposed_s, "tier": one.tier,
         "why_not": one.why_not}
        for one in scale.sensitivity
    ]  # fmt: skip
    judged: list[JudgedPart] = [
        {"run": one.run.name, "fitted_on": one.fitted_on, "source": one.run.source, "gpus": one.run.gpus,
         "measured_s": one.measured_s, "predicted_s": one.predicted_s, "error": one.error}
        for one in scale.judged
    ]  # fmt: skip
    return {
        "schema": "railscope.scale/1",
        "workload": scale.description.model.name,
        "rows": [_row(row) for row in scale.rows],
        "sensitivity": sensitivity,
        "judged": judged,
        "figure": figure,
        "assumptions": list(assumptions),
    }


def _steps_table(scale: Scale) -> Table:
    columns = ("GPUs", "step", "compute", "bubble", "exposed", "rate kept", "published", "kept there", "naive",
               "often found")  # fmt: skip
    rows = []
    for row in scale.rows:
        time, published, naive = row.result.best.time, row.published, row.result.naive
        rows.append(
            (
                f"{row.gpus:,}",
                seconds_text(row.step_s),
                f"{time.compute_s / row.step_s:.1%}",
                f"{time.bubble_s / row.step_s:.1%}",
                f"{time.exposed_total_s / row.step_s:.1%}",
                "-" if row.efficiency is None else f"{row.efficiency:.1%}",
                "-" if published is None else f"{published.minutes:g} min",
                "-" if row.published_efficiency is None else f"{row.published_efficiency:.1%}",
                "-" if naive is None else ratio_text(naive.time.step_s / row.step_s),
                seconds_text(row.result.best.found.step_s),
            )
        )
    return Table(f"{scale.description.model.name} over GPUs", columns, tuple(rows), frozenset(columns),
                 drop=("often found",))  # fmt: skip


def _lever_tables(scale: Scale) -> list[Table]:
    """What each lever costs if it is left out, and what it takes off a naive step alone."""
    rows = []
    for row in scale.rows:
        others = {one.design.name: one.time.step_s for one in row.result.designs[1:]}
        for name in ("wiring", "transport", "placement", "routing"):
            if f"without {name}" in others:
                cost = others[f"without {name}"] - row.step_s
                gain = others["naive"] - others[f"{name} alone"]
                rows.append((f"{row.gpus:,}", name, _signed(cost, row.step_s), _signed(-gain, others["naive"])))
    columns = ("GPUs", "lever", "left out, the step takes", "alone, a naive step takes")
    title = "What naive placement, wiring, transport and routing each cost"
    return [Table(title, columns, tuple(rows), frozenset((columns[0], *columns[2:])))] if rows else []


def _signed(change_s: float, of_s: float) -> str:
    part = change_s / of_s
    return "the same" if abs(part) < 5e-4 else f"{part:+.1%}"


def _cause_tables(scale: Scale) -> list[Table]:
    """The published loss a doubling, by what the model explains of it; the factors multiply to it."""
    rows = []
    for before, row in zip(scale.rows, scale.rows[1:], strict=False):
        if row.published_efficiency is None:
            continue
        filled = [
            (each.result.best.time.compute_s + each.result.best.time.bubble_s) / each.result.best.time.compute_s
            for each in (before, row)
        ]
        assert row.efficiency is not None
        bubble = filled[0] / filled[1]
        parts = (bubble, row.efficiency / bubble, row.published_efficiency / row.efficiency, row.published_efficiency)
        rows.append((f"{before.gpus:,} to {row.gpus:,}", *(f"{part:.1%}" for part in parts)))
    columns = ("GPUs", "bubble", "communication", "start, evaluation, the rest", "published")
    title = "Rate per GPU that is kept, by cause: the first three multiply to the last"
    return [Table(title, columns, tuple(rows), frozenset(columns[1:]))] if rows else []


def _published_tables(scale: Scale) -> list[Table]:
    rows = tuple(
        (
            f"{row.gpus:,}",
            f"{row.published.minutes:g} min" if row.published is not None else "-",
            f"{row.train_s[0]:.0f}-{row.train_s[1]:.0f} s",
            f"{row.evaluation_s:.3g} s",
            "-" if row.unexplained_s is None else f"{row.unexplained_s:.0f} s",
        )
        for row in scale.rows
        if row.train_s
    )
    columns = ("GPUs", "published", "all steps, modelled", "evaluation of each", "not explained")
    return [Table("Time to train", columns, rows, frozenset(columns))] if rows else []


def _sensitivity_table(scale: Scale) -> list[Table]:
    columns = ("changed", "step", "exposed", "experts reach", "why not")
    rows = tuple(
        (
            f"{one.key} = {one.value:,}",
            "-" if one.step_s is None else seconds_text(one.step_s),
            "-" if one.exposed_s is None else seconds_text(one.exposed_s),
            one.tier or "-",
            one.why_not,
        )
        for one in scale.sensitivity
    )
    title = f"Sensitivity at {max(row.gpus for row in scale.rows):,} GPUs: layouts of submissions are not public"
    return [Table(title, columns, rows, frozenset(columns[1:3]), below=("why not",))] if rows else []


def _judged_table(scale: Scale) -> list[Table]:
    columns = ("run", "GPUs", "measured", "predicted", "error", "compute of")
    rows = tuple(
        (
            one.run.name,
            f"{one.run.gpus:,}",
            f"{number_text(one.measured_s, '.4g')} s",
            f"{number_text(one.predicted_s, '.4g')} s",
            f"{one.error:+.1%}",
            one.fitted_on,
        )
        for one in scale.judged
    )
    return [Table("Measured steps, judged with compute of another run", columns, rows, frozenset(columns[1:5]))] \
        if rows else []  # fmt: skip


def _judged_notes(scale: Scale) -> list[str]:
    apart = [one for one in scale.judged if not one.fitted_on.startswith(one.run.group)]
    if not apart:
        return []
    return [
        "a run judged with compute of an older group shows what software gained since, which no network model knows: "
        f"{min(one.error for one in apart):+.0%} to {max(one.error for one in apart):+.0%}"
    ]


def scale_report(scale: Scale, figure: Path | None = None) -> Report:
    """What `scale` has to say, with the figure that is asked for."""
    last = scale.rows[-1]
    given = scale.description.convergence
    assumptions = tuple(
        dict.fromkeys(
            (
                *scale.notes,
                *(said for row in scale.rows for said in row.result.assumptions),
                *([f"steps to the target: {given.steps} to {given.steps_high} ({given.source})"] if given else []),
            )
        )
    )
    files: dict[str, str | bytes] = {}
    if figure is not None:
        files[str(figure)] = scale_figure(scale, figure.suffix)
    tables: list[Table | Facts] = [
        _steps_table(scale),
        *_lever_tables(scale),
        *_cause_tables(scale),
        *_published_tables(scale),
        axis_table(last.result.axes, f"By parallel axis, in a step on {last.gpus:,} GPUs"),
        *_sensitivity_table(scale),
        *_judged_table(scale),
    ]
    naive = "naive: times the rail-aware step; `railscope step` shows each lever"
    notes = [*scale.notes, naive, *_judged_notes(scale)]
    if any(row.published is not None for row in scale.rows) and given is None:
        held = [
            f"{row.published.minutes:g} min hold {row.published.minutes * 60 / row.step_s:,.0f} of these steps"
            for row in scale.rows
            if row.published is not None and row.published.minutes is not None
        ]
        notes.append(f"published minutes are of a whole run, whose number of steps is not known: {'; '.join(held)}")
    if given is not None and len({row.result.workload.sequences for row in scale.rows}) == 1:
        batch = scale.rows[0].result.workload.sequences
        notes.append(
            f"batch: {batch:,} sequences at every size (assumed); a larger one needs more of them to the target"
        )
    if any(row.unexplained_s is not None for row in scale.rows):
        notes.append("not explained: start, compilation, stragglers, evaluation's overhead; nothing is fitted to it")
    return Report(
        scale_document(scale, None if figure is None else str(figure), assumptions),
        tables,
        scale_verdict(scale),
        notes=notes,
        assumptions=assumptions,
        files=files,
        page=lambda: PageParts(
            pictures=[Picture("Step over GPUs, stacked by cause", lambda suffix: scale_figure(scale, suffix))]
        ),
    )
