"""The report of `faults`: single failures, what hurts which links, several failures at once."""

from pathlib import Path

from fabric.reports.csv_text import csv_text
from fabric.reports.documents.faults import FaultRowPart, FaultSamplePart, FaultsBody
from fabric.reports.emit import Report
from fabric.reports.figures.faults import faults_figure
from fabric.reports.gates import Headline
from fabric.reports.links import tier_text
from fabric.reports.loads import fabric_facts, routing_facts, routing_text, sent_facts, sent_text
from fabric.reports.tables import Facts, Table
from fabric.reports.words import seconds_text
from fabric.studies.faults import STRAGGLER, FaultRow, Faults, Sampled
from fabric.studies.verdicts.faults import faults_verdict


def _row(row: FaultRow) -> FaultRowPart:
    return {
        "failed": str(row.broken.fault),
        "kind": row.broken.kind,
        "time_s": row.time_s,
        "slowdown": row.slowdown,
        "disconnected_pairs": row.disconnected_pairs,
        "worst_link": row.worst_link,
        "alike": row.alike,
        "option": row.broken.option,
    }


def _sample(sample: Sampled) -> FaultSamplePart:
    return {
        "count": sample.count,
        "trials": sample.trials,
        "stopped": sample.stopped,
        "p50": sample.percentile(50),
        "p90": sample.percentile(90),
        "p99": sample.percentile(99),
        "worst": sample.percentile(100),
        "options": [one.option for one in sample.worst],
        "slowdown": list(sample.slowdown),
    }


def faults_document(faults: Faults, assumptions: tuple[str, ...]) -> FaultsBody:
    """Everything for JSON."""
    return {
        "schema": "railscope.faults/1",
        "fabric": fabric_facts(faults.scenario.fabric),
        "traffic": sent_facts(faults.scenario),
        "routing": routing_facts(faults.scenario.routing),
        "time_s": faults.time_s,
        "runs": faults.n_runs,
        "rows": [_row(row) for row in faults.rows],
        "links": [
            {
                "tier": view.tier,
                "direction": view.direction,
                "whole_s": view.whole_s,
                "worst_s": view.worst_s,
                "link": view.link,
                "failed": None if view.failure is None else str(view.failure.fault),
            }
            for view in faults.links
        ],
        "samples": [_sample(sample) for sample in faults.sampled],
        "assumptions": list(assumptions),
    }


def _factor(value: float | None) -> str:
    return "stops" if value is None else f"{value:.3f}x"


def _tables(faults: Faults, top: int) -> list[Table | Facts]:
    kinds = dict.fromkeys(row.broken.kind for row in faults.rows)
    facts = [
        ("fabric", faults.scenario.fabric.name),
        ("traffic", sent_text(faults.scenario)),
        ("routing", routing_text(faults.scenario.routing)),
        ("whole fabric", seconds_text(faults.time_s)),
        ("failures run", f"{faults.n_runs:,}; single ones stand for {len(faults.rows):,}"),
    ]
    tables: list[Table | Facts] = [Facts("What breaks hurt", tuple(facts))]
    columns = ("kind", "failures", "stop the job", "least", "median", "worst", "such as")
    lines = []
    for kind in kinds:
        rows = [row for row in faults.rows if row.broken.kind == kind]
        slow = sorted(row.slowdown for row in rows if row.slowdown is not None)
        lines.append(
            (
                kind,
                f"{len(rows):,}",
                f"{len(rows) - len(slow):,}",
                _factor(slow[0] if slow else None),
                _factor(slow[len(slow) // 2] if slow else None),
                _factor(None if len(slow) < len(rows) else slow[-1]),
                str(rows[0].broken.fault),
            )
        )
    tables.append(
        Table("By kind: slowdown", columns, tuple(lines), frozenset(columns[1:-1]), shorten=frozenset({"such as"}))
    )
    tables.append(_worst(faults.rows, top))
    headings = ("links", "whole", "worst", "failure that loads one most", "that link")
    tables.append(
        Table(
            "Links, and what hurts them",
            headings,
            tuple(
                (
                    tier_text(view.tier, view.direction),
                    seconds_text(view.whole_s),
                    seconds_text(view.worst_s),
                    "none" if view.failure is None else str(view.failure.fault),
                    view.link,
                )
                for view in faults.links
            ),
            frozenset(headings[1:3]),
            below=("that link",),
            shorten=frozenset({"failure that loads one most", "that link"}),
        )
    )
    if faults.sampled:
        names = ("failures at once", "draws", "stop the job", "p50", "p90", "p99", "worst")
        tables.append(
            Table(
                "Several at once, drawn by chance: slowdown",
                names,
                tuple(
                    (
                        str(one.count),
                        f"{one.trials:,}",
                        f"{one.stopped:,}",
                        *(_factor(one.percentile(percent)) for percent in (50, 90, 99, 100)),
                    )
                    for one in faults.sampled
                ),
                frozenset(names),
            )
        )
    return tables


def _worst(rows: tuple[FaultRow, ...], top: int) -> Table:
    """The worst failures; of those that come to the same the first one."""
    same: dict[tuple[str, str, int], list[FaultRow]] = {}
    for row in rows:
        same.setdefault((row.broken.kind, _factor(row.slowdown), row.disconnected_pairs), []).append(row)
    columns = ("failure", "as many", "kind", "slowdown", "cut pairs", "busiest link then", "apply this row")
    lines = tuple(
        (
            str(alike[0].broken.fault),
            f"{len(alike):,}",
            kind,
            slowdown,
            f"{cut:,}",
            alike[0].worst_link or "-",
            alike[0].broken.option,
        )
        for (kind, slowdown, cut), alike in list(same.items())[:top]
    )
    title = f"Worst single failures, of those that come to the same the first; {len(rows):,} in all"
    return Table(
        title,
        columns,
        lines,
        frozenset((*columns[1:2], *columns[3:5])),
        below=("busiest link then", "apply this row"),
        shorten=frozenset({"failure", "busiest link then"}),
    )


def faults_report(faults: Faults, top: int = 10, figure: Path | None = None, csv: Path | None = None) -> Report:
    """What `faults` has to say, with the files that are asked for."""
    said = [*faults.notes]
    if any(row.broken.kind == "host" for row in faults.rows):
        said.append(f"a slow host has {STRAGGLER:.0%} of its NICs' speed; one that is down stops its job (assumed)")
    if any(row.alike > 1 for row in faults.rows):
        said.append("failures that a symmetry of fabric and traffic maps onto one another are run once")
    assumptions = (*said, *faults.scenario.assumptions, "time: bottleneck, load over capacity")
    files: dict[str, str | bytes] = {}
    if figure is not None:
        files[str(figure)] = faults_figure(faults, figure.suffix)
    if csv is not None:
        columns = tuple(FaultRowPart.__annotations__)
        files[str(csv)] = csv_text(columns, (tuple(dict(_row(row))[key] for key in columns) for row in faults.rows))
    worst = [row.time_s for row in faults.rows if row.time_s is not None]
    return Report(
        faults_document(faults, assumptions),
        _tables(faults, top),
        faults_verdict(faults),
        assumptions=assumptions,
        headlines=[Headline("worst single failure", max(worst, default=faults.time_s))],
        files=files,
    )
