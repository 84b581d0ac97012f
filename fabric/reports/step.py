"""The report of `step`: by parallel axis and tier, naive to rail-aware."""

from collections.abc import Sequence
from pathlib import Path

from fabric.reports.csv_text import csv_text
from fabric.reports.documents.step import AxisPart, OperationPart, StepBody, StepDesignPart
from fabric.reports.emit import Report
from fabric.reports.gates import Headline
from fabric.reports.links import link_text
from fabric.reports.loads import fabric_facts
from fabric.reports.page_parts import PageParts, TimeBar
from fabric.reports.tables import Facts, Table
from fabric.reports.words import bytes_text, ratio_text, seconds_text
from fabric.studies.step import AxisTime, DesignStep, StepResult
from fabric.studies.step_costs import TIERS
from fabric.studies.verdicts.step import step_verdict

_DESIGN_COLUMNS = ("design", "step", "exposed", "all communication", "over the first", "range")
_AXIS_COLUMNS = ("axis", "bytes a GPU", "time", "exposed", "bound", "tier", *(f"into {tier}" for tier in TIERS))


def axis_part(axis: AxisTime) -> AxisPart:
    """For JSON."""
    return {
        "axis": axis.axis,
        "bytes_per_gpu": axis.bytes_per_gpu,
        "time_s": axis.time_s,
        "exposed_s": axis.exposed_s,
        "bound_s": axis.bound_s,
        "tier": axis.tier,
        "tier_bytes": dict(zip(TIERS, axis.tier_bytes, strict=True)),
    }


def _operations(result: StepResult) -> list[OperationPart]:
    best = result.best
    return [
        {
            "axis": cost.operation.axis,
            "collective": cost.operation.collective,
            "label": cost.operation.label,
            "algorithm": cost.algorithm,
            "groups": cost.operation.groups.n_groups,
            "group_size": int(cost.operation.groups.sizes.max()),
            "bytes": cost.operation.bytes,
            "runs": cost.operation.times(result.workload.microbatches),
            "run_s": cost.seconds,
            "found_s": cost.found_s,
            "bound_s": cost.bound_s,
            "exposed_s": exposed,
            "tier": cost.tier,
            "hottest": None if cost.hottest is None else link_text(cost.hottest),
        }
        for cost, exposed in zip(best.costs, best.time.exposed_s, strict=True)
    ]


def _design(step: DesignStep) -> StepDesignPart:
    return {
        "name": step.design.name,
        "wiring": step.design.wiring,
        "transport": step.design.transport,
        "placement": step.design.placement,
        "routing": step.design.routing.name,
        "step_s": step.time.step_s,
        "communication_s": step.time.communication_s,
        "exposed_s": step.time.exposed_total_s,
        "times_s": list(step.times_s),
    }


def step_document(result: StepResult) -> StepBody:
    """Everything for JSON."""
    layout, time = result.workload.layout, result.best.time
    own = result.workload.description.layout
    sizes = {"tp": own.tp, "pp": own.pp, "cp": own.cp, "ep": own.ep, "etp": own.etp, "vp": own.vp}
    return {
        "schema": "railscope.step/1",
        "fabric": fabric_facts(result.scenario.fabric),
        "workload": result.workload.description.model.name,
        "layout": {**sizes, "dp": layout.dp, "edp": layout.edp},
        "summary": {
            "gpus": layout.n_ranks,
            "sequences": result.workload.sequences,
            "microbatches": result.workload.microbatches,
            "step_s": time.step_s,
            "step_found_s": result.best.found.step_s,
            "bound_s": result.bound_s,
            "compute_s": time.compute_s,
            "bubble_s": time.bubble_s,
            "fixed_s": time.fixed_s,
            "communication_s": time.communication_s,
            "exposed_s": time.exposed_total_s,
            "tokens_per_s_per_gpu": result.workload.tokens / layout.n_ranks / time.step_s,
        },
        "axes": [axis_part(one) for one in result.axes],
        "operations": _operations(result),
        "designs": [_design(one) for one in result.designs],
        "hot_receiver": result.hot_receiver[1],
        "assumptions": list(result.assumptions),
    }


def axis_table(axes: Sequence[AxisTime], title: str) -> Table:
    """A row per axis."""
    rows = tuple(
        (
            one.axis,
            bytes_text(one.bytes_per_gpu),
            seconds_text(one.time_s),
            seconds_text(one.exposed_s),
            seconds_text(one.bound_s),
            one.tier,
            *("-" if value == 0 else bytes_text(value) for value in one.tier_bytes),
        )
        for one in axes
    )
    right = frozenset((*_AXIS_COLUMNS[1:5], *_AXIS_COLUMNS[6:]))
    return Table(title, _AXIS_COLUMNS, rows, right, drop=("bytes a GPU", "into core"))


def design_table(result: StepResult) -> Table:
    """A row per design."""
    first = result.best.time.step_s
    rows = tuple(
        (
            one.design.name,
            seconds_text(one.time.step_s),
            seconds_text(one.time.exposed_total_s),
            seconds_text(one.time.communication_s),
            ratio_text(one.time.step_s / first, ".3f"),
            "-" if len(one.times_s) == 1 else f"{seconds_text(min(one.times_s))}-{seconds_text(max(one.times_s))}",
        )
        for one in result.designs
    )
    return Table("Naive to rail-aware", _DESIGN_COLUMNS, rows, frozenset(_DESIGN_COLUMNS[1:]), drop=("range",))


def _operation_table(result: StepResult) -> Table:
    """A row per operation of a step, for a page."""
    numbers = ("groups", "ranks each", "bytes", "runs", "each", "exposed")
    columns = ("operation", "axis", "algorithm", *numbers, "tier", "hottest")
    rows = tuple(
        (
            f"{one['collective']}, {one['label']}" if one["label"] else one["collective"],
            one["axis"],
            one["algorithm"],
            f"{one['groups']:,}",
            f"{one['group_size']:,}",
            bytes_text(one["bytes"]),
            f"{one['runs']:,g}",
            seconds_text(one["run_s"]),
            seconds_text(one["exposed_s"]),
            one["tier"],
            one["hottest"] or "-",
        )
        for one in _operations(result)
    )
    return Table("Operations of a step", columns, rows, frozenset(numbers))


def _facts(result: StepResult) -> Facts:
    time, layout, own = result.best.time, result.workload.layout, result.workload.description.layout
    sizes = [("TP", own.tp), ("PP", own.pp), ("VP", own.vp), ("CP", own.cp), ("EP", own.ep), ("DP", layout.dp)]
    shape = " ".join(f"{name}{size}" for name, size in sizes if size > 1) or "data parallel only"
    batch = f"{result.workload.sequences:,} sequences, {result.workload.microbatches:,} microbatches of a rank"
    rate = f"{result.workload.tokens / layout.n_ranks / time.step_s:,.0f} tokens/s/GPU"
    found = result.best.found.step_s
    span = f"; {seconds_text(found)} as clusters are often found" if found > 1.005 * time.step_s else ""
    return Facts(
        f"{result.workload.description.model.name} on {layout.n_ranks:,} GPUs of {result.scenario.fabric.name}",
        (
            ("layout", shape),
            ("batch", batch),
            ("step", f"{seconds_text(time.step_s)}, {rate}{span}"),
            ("compute", f"{seconds_text(time.compute_s)} ({time.compute_s / time.step_s:.1%})"),
            ("bubble", f"{seconds_text(time.bubble_s)} ({time.bubble_s / time.step_s:.1%})"),
            (
                "communication",
                f"{seconds_text(time.communication_s)}, of it {seconds_text(time.exposed_total_s)} exposed "
                f"({time.exposed_total_s / time.step_s:.1%})",
            ),
            ("bound", f"{seconds_text(result.bound_s)}: every operation as fast as no routing beats"),
        ),
    )


def step_report(result: StepResult, csv: Path | None = None) -> Report:
    """What `step` has to say, with the CSV that is asked for: a row per operation."""
    document = step_document(result)
    files: dict[str, str | bytes] = {}
    if csv is not None:
        rows = document["operations"]
        columns = tuple(OperationPart.__annotations__)
        files[str(csv)] = csv_text(columns, (tuple(dict(row)[key] for key in columns) for row in rows))
    tables: list[Facts | Table] = [_facts(result), axis_table(result.axes, "By parallel axis, in a step")]
    if len(result.designs) > 1:
        tables.append(design_table(result))
    return Report(
        document,
        tables,
        step_verdict(result),
        assumptions=result.assumptions,
        headlines=[
            Headline(one.design.name, one.time.step_s, over_bound=one.time.step_s / result.bound_s)
            for one in result.designs
        ],
        files=files,
        page=lambda: PageParts(
            bars=[TimeBar(one.design.name, one.time.step_s, one.times_s) for one in result.designs],
            tables=[*tables, _operation_table(result)],
        ),
    )
