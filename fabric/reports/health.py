"""The report of `fabric check`: findings and routes per link, as tables and as a JSON document."""

from collectives.sizes import counted
from fabric.formats.opening import OpenedFabric
from fabric.reports.documents.health import CheckBody
from fabric.reports.emit import Report
from fabric.reports.links import tier_text
from fabric.reports.loads import fabric_facts
from fabric.reports.tables import Table
from fabric.reports.words import number_text
from fabric.routing.match_lfts import MatchedLfts
from fabric.studies.health import Health
from fabric.studies.verdicts.health import health_verdict


def check_document(given: OpenedFabric, lfts: MatchedLfts | None, health: Health) -> CheckBody:
    """Everything for JSON."""
    return {
        "schema": "railscope.check/1",
        "fabric": fabric_facts(given),
        "tables": lfts.routing.source if lfts else None,
        "errors": health.n_errors,
        "pairs": health.pairs,
        "findings": list(health.findings),
        "routes": [
            {
                "name": tier.name,
                "direction": tier.direction,
                "links": tier.links,
                "used": tier.used,
                "routes": tier.bytes,
                "imbalance": tier.imbalance,
            }
            for tier in health.routes
        ],
        "assumptions": list(given.assumptions),
    }


def check_tables(given: OpenedFabric, health: Health, top: int) -> list[Table]:
    """Findings with their first `top` examples, and routes per link."""
    columns = ("severity", "finding", "count", "what", "to do", "example")
    rows = []
    for finding in health.findings:
        head = (finding.severity, finding.kind, f"{finding.count:,}", finding.text, finding.todo)
        shown = finding.examples[:top] or ("",)
        rows.append((*head, shown[0]))
        rows += [("", "", "", "", "", example) for example in shown[1:]]
    kinds = counted(health.n_errors, "kind of error", "kinds of errors") if health.n_errors else "no errors"
    endpoints, pairs = counted(given.topology.n_endpoints, "endpoint"), counted(health.pairs, "ordered pair")
    title = f"{given.name}: {endpoints}, {pairs}; {kinds}"
    tables = [Table(title, columns, tuple(rows), frozenset({"count"}), below=("example", "to do", "what"))]
    if health.routes:
        names = ("tier", "links", "used", "mean", "max", "max/mean")
        lines = []
        for tier in health.routes:
            most = number_text(None if tier.imbalance is None else tier.imbalance * tier.mean_bytes, ",.6g")
            lines.append(
                (
                    tier_text(tier.name, tier.direction),
                    f"{tier.links:,}",
                    f"{tier.used:,}",
                    f"{tier.mean_bytes:,.6g}",
                    most,
                    number_text(tier.imbalance, ".3f"),
                )
            )
        tables.append(Table("Routes per link, one for each ordered pair", names, tuple(lines), frozenset(names[1:])))
    return tables


def health_report(given: OpenedFabric, lfts: MatchedLfts | None, health: Health, top: int = 5) -> Report:
    """What `fabric check` has to say."""
    return Report(
        check_document(given, lfts, health),
        check_tables(given, health, top),
        health_verdict(health),
        notes=[f"inferred: {note}" for note in given.notes],
    )
