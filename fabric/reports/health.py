"""The report of `fabric check`: findings and routes per link, as tables and as a JSON document."""

from collectives.sizes import counted
from fabric.formats.opening import OpenedFabric
from fabric.reports.documents.health import CheckBody, PlanPart
from fabric.reports.emit import Report
from fabric.reports.links import tier_text
from fabric.reports.loads import fabric_facts
from fabric.reports.page_parts import PAGE_ROWS, PageParts
from fabric.reports.tables import Table
from fabric.reports.words import number_text
from fabric.routing.match_lfts import MatchedLfts
from fabric.studies.health import Health
from fabric.studies.plan_check import PlanCheck
from fabric.studies.verdicts.health import health_verdict


def plan_part(planned: PlanCheck) -> PlanPart:
    """What was compared with a plan, for JSON."""
    return {
        "source": planned.source,
        "cables": planned.cables,
        "matched": planned.matched,
        "ignored": planned.ignored,
    }


def check_document(
    given: OpenedFabric, lfts: MatchedLfts | None, health: Health, planned: PlanCheck | None = None
) -> CheckBody:
    """Everything for JSON."""
    return {
        "schema": "railscope.check/1",
        "fabric": fabric_facts(given),
        "tables": lfts.routing.source if lfts else None,
        "plan": None if planned is None else plan_part(planned),
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


def health_report(
    given: OpenedFabric,
    lfts: MatchedLfts | None,
    health: Health,
    top: int = 5,
    planned: PlanCheck | None = None,
) -> Report:
    """What `fabric check` has to say; of a plan, its notes (its findings are among those of `health`)."""
    return Report(
        check_document(given, lfts, health, planned),
        check_tables(given, health, top),
        health_verdict(health, given),
        notes=[*(planned.notes if planned else ()), *(f"inferred: {note}" for note in given.notes)],
        page=lambda: PageParts(f"Health of {given.name}", tables=check_tables(given, health, PAGE_ROWS)),
    )
