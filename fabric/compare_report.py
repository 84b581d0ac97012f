"""The report of `compare`: the ladder from naive to rail-aware, as a table and as a JSON document."""

from collections.abc import Iterable
from dataclasses import asdict

from fabric.compare import Outcome, Rung, counts_of
from fabric.loading import LoadedFabric
from fabric.loads_report import fabric_facts, link_text, routing_facts
from fabric.report import Table, number_text, seconds_text
from fabric.traffic import Traffic


def ladder_table(rungs: tuple[Rung, ...], title: str) -> Table:
    """A row per step: time, busbw, what it gained, imbalance per tier, the hottest link."""

    def ratio(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f}x"

    rows = tuple(
        (
            rung.outcome.step,
            seconds_text(rung.outcome.time_s),
            number_text(rung.outcome.busbw_GBps, ".4g"),
            ratio(rung.gain),
            ratio(rung.alone),
            ratio(rung.without),
            imbalance_text(rung.outcome),
            link_text(rung.outcome.hottest),
        )
        for rung in rungs
    )
    columns = ("step", "time", "busbw GB/s", "gain", "alone", "without", "max/mean", "hottest link")
    return Table(title, columns, rows, frozenset(columns[1:6]))


def imbalance_text(outcome: Outcome) -> str:
    """Max over mean of every tier and direction between switches."""
    return "; ".join(
        f"{tier.name} {tier.direction} {number_text(tier.imbalance, '.2f')}"
        for tier in outcome.tiers
        if tier.kind == "trunk"
    )


def ladder_notes(rungs: tuple[Rung, ...], figure: str | None, assumptions: Iterable[str]) -> list[str]:
    """What stands under the table."""
    parts = sorted({counts_of(rung.outcome.loads.topology) for rung in rungs})
    notes = [
        *(f"every step: {e:,} endpoints, {s:,} switches, {c:,} cables (NVLink's too)" for e, s, c in parts),
        "gain: time before the step over time after it; alone: the same for this step on the naive design;",
        "without: time of the rail-aware design without this step, over its time with it",
    ]
    notes += [f"assumed: {line}" for line in assumptions]
    return [*notes, f"figure: {figure}"] if figure else notes


def compare_document(
    given: LoadedFabric, job: Traffic, rungs: tuple[Rung, ...], figure: str | None, assumptions: list[str]
) -> dict[str, object]:
    """Everything for JSON."""
    return {
        "schema": "railscope.compare/1",
        "fabric": fabric_facts(given),
        "traffic": {"label": job.label, **job.facts},
        "ladder": [_rung_document(rung) for rung in rungs],
        "figure": figure,
        "assumptions": assumptions,
    }


def _rung_document(rung: Rung) -> dict[str, object]:
    outcome, design = rung.outcome, rung.outcome.design
    return {
        "step": outcome.step,
        "design": {
            "wiring": design.wiring,
            "transport": "pxn" if design.pxn else "direct",
            "placement": "scattered" if design.scattered else "packed",
            "routing": routing_facts(design.routing),
            **dict(zip(("endpoints", "switches", "cables"), counts_of(outcome.loads.topology), strict=True)),
        },
        "time_s": outcome.time_s,
        "busbw_GBps": outcome.busbw_GBps,
        "gain": rung.gain,
        "alone": rung.alone,
        "without": rung.without,
        "tiers": [asdict(tier) for tier in outcome.tiers],
        "hottest": asdict(outcome.hottest) if outcome.hottest else None,
    }
