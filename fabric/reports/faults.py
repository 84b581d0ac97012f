"""The report of `faults`: single failures, what hurts which links, several failures at once."""

from collections.abc import Iterator
from pathlib import Path

from fabric.reports.csv_text import csv_text
from fabric.reports.documents.faults import FaultHurtPart, FaultRowPart, FaultSamplePart, FaultsBody
from fabric.reports.emit import Report
from fabric.reports.figures.faults import faults_figure
from fabric.reports.gates import Headline
from fabric.reports.links import tier_text
from fabric.reports.loads import fabric_facts, routing_facts, routing_text, sent_facts, sent_text
from fabric.reports.tables import Facts, Table
from fabric.reports.words import seconds_text
from fabric.scenario import OWN
from fabric.studies.breakable import STRAGGLER
from fabric.studies.faults import FaultRow, Faults, Sampled
from fabric.studies.hurt_links import HurtLink
from fabric.studies.verdicts.faults import faults_verdict
from fabric.topology import Topology


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


def _hurt(hurt: HurtLink, topology: Topology) -> FaultHurtPart:
    return {
        "link": topology.link_name(hurt.link),
        "tier": hurt.tier,
        "direction": hurt.direction,
        "whole_s": hurt.whole_s,
        "worst_s": hurt.worst_s,
        "times": hurt.worst_s / hurt.whole_s if hurt.whole_s > 0 else None,
        "failed": str(hurt.failure.fault),
        "option": hurt.failure.option,
        "alike": hurt.alike,
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
        "followed": faults.n_followed,
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
        "hurt": [_hurt(one, faults.scenario.topology) for one in faults.hurt],
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
        ("failures run", _runs_text(faults)),
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
            shorten=frozenset({"failure that loads one most"}),
        )
    )
    # Where all links of a tier are alike, the table above has said it.
    if len(faults.hurt) > sum(view.failure is not None for view in faults.links):
        tables.append(_hurt_table(faults, top))
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


def _runs_text(faults: Faults) -> str:
    """How the failures were run."""
    followed = f" and {faults.n_followed:,} followed from the whole" if faults.n_followed else ""
    return f"{faults.n_runs:,} routed anew{followed}; single ones stand for {len(faults.rows):,}"


def _hurt_table(faults: Faults, top: int) -> Table:
    """Links that are busy longest under a single failure, and that failure."""
    columns = ("link", "as many", "whole", "worst", "times", "the failure that loads it most")
    lines = tuple(
        (
            part["link"],
            f"{part['alike']:,}",
            seconds_text(part["whole_s"]),
            seconds_text(part["worst_s"]),
            "-" if part["times"] is None else f"{part['times']:.3f}x",
            part["failed"],
        )
        for part in (_hurt(one, faults.scenario.topology) for one in faults.hurt[:top])
    )
    return Table(
        f"Links that suffer most under a single failure; {len(faults.hurt):,} in all that are not alike",
        columns,
        lines,
        frozenset(columns[1:5]),
        below=columns[5:],
        shorten=frozenset({"link"}),
    )


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


def _link_rows(faults: Faults) -> Iterator[tuple[object, ...]]:
    """A row per link for CSV: what loads it most."""
    topology = faults.scenario.topology
    for link, whole_s, worst_s, failure in faults.every_link():
        times = worst_s / whole_s if whole_s > 0 else ""
        failed, option = ("", "") if failure is None else (str(failure.fault), failure.option)
        yield topology.link_name(link), whole_s, worst_s, times, failed, option


def faults_report(
    faults: Faults,
    top: int = 10,
    figure: Path | None = None,
    csv: Path | None = None,
    link_csv: Path | None = None,
) -> Report:
    """What `faults` has to say, with the files that are asked for."""
    said = [*faults.notes]
    if any(row.broken.kind == "host" for row in faults.rows):
        said.append(f"a slow host has {STRAGGLER:.0%} of its NICs' speed; one that is down stops its job (assumed)")
    stopped = {row.broken.kind for row in faults.rows if row.time_s is None}
    if (
        faults.scenario.job.nics == OWN
        and stopped & {"nic", "leaf"}
        and faults.scenario.topology.nvlink_gbps is not None
    ):
        said.append(
            "a GPU without a NIC ends its job, as NCCL's does; started anew, NCCL gives it the nearest NIC of another "
            "GPU, which then carries both; --nics pooled is a library that shares bytes out over all NICs of a host"
        )
    if any(row.alike > 1 for row in faults.rows):
        said.append("failures that a symmetry of fabric and traffic maps onto one another are run once")
    assumptions = (*said, *faults.scenario.assumptions, "time: bottleneck, load over capacity")
    files: dict[str, str | bytes] = {}
    if figure is not None:
        files[str(figure)] = faults_figure(faults, figure.suffix)
    if csv is not None:
        columns = tuple(FaultRowPart.__annotations__)
        files[str(csv)] = csv_text(columns, (tuple(dict(_row(row))[key] for key in columns) for row in faults.rows))
    if link_csv is not None:
        files[str(link_csv)] = csv_text(("link", "whole_s", "worst_s", "times", "failed", "option"), _link_rows(faults))
    worst = [row.time_s for row in faults.rows if row.time_s is not None]
    return Report(
        faults_document(faults, assumptions),
        _tables(faults, top),
        faults_verdict(faults),
        assumptions=assumptions,
        headlines=[Headline("worst single failure", max(worst, default=faults.time_s))],
        files=files,
    )
