"""The reports of `compare`: the ladder from naive to rail-aware, and routings on the same cables."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from fabric.bounds.cuts import Bound
from fabric.reports.emit import Report
from fabric.reports.gates import Headline
from fabric.reports.heatmap import compare_figure
from fabric.reports.loads import BOTTLENECK_TIME, fabric_facts, headline_of, link_text, routing_facts
from fabric.reports.tables import Table, links_csv, number_text, seconds_text
from fabric.studies.analysis import summarize
from fabric.studies.hotspots import TierSummary
from fabric.studies.ladder import Outcome, Rung, counts_of
from fabric.studies.routings import RoutingOutcome

COMPARE_SCHEMA = "railscope.compare/2"
ROUTINGS_SCHEMA = "railscope.compare-routing/2"


def ladder_table(rungs: tuple[Rung, ...], title: str) -> Table:
    """A row per step: time, busbw, what it gained, imbalance per tier, the hottest link."""

    def ratio(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f}x"

    def over_bound(outcome: Outcome) -> str:
        return "-" if outcome.bound is None else f"{outcome.time_s / outcome.bound.time_s:.3f}"

    rows = tuple(
        (
            rung.outcome.step,
            seconds_text(rung.outcome.time_s),
            number_text(rung.outcome.busbw_GBps, ".4g"),
            ratio(rung.gain),
            ratio(rung.alone),
            ratio(rung.without),
            over_bound(rung.outcome),
            imbalance_text(rung.outcome.tiers),
            link_text(rung.outcome.hottest),
        )
        for rung in rungs
    )
    columns = ("step", "time", "busbw GB/s", "gain", "alone", "without", "over bound", "max/mean", "hottest link")
    return Table(title, columns, rows, frozenset(columns[1:7]))


def imbalance_text(tiers: tuple[TierSummary, ...]) -> str:
    """Max over mean of every tier and direction between switches."""
    return "; ".join(
        f"{tier.name} {tier.direction} {number_text(tier.imbalance, '.2f')}" for tier in tiers if tier.kind == "isl"
    )


def ladder_notes(rungs: tuple[Rung, ...], figure: str | None, assumptions: Iterable[str]) -> list[str]:
    """What stands under the table."""
    parts = sorted({counts_of(rung.outcome.loads.topology) for rung in rungs})
    notes = [
        *(f"every step: {e:,} endpoints, {s:,} switches, {c:,} cables (NVLink's too)" for e, s, c in parts),
        "gain: time before the step over time after it; alone: the same for this step on the naive design;",
        "without: time of the rail-aware design without this step, over its time with it",
    ]
    bound = rungs[-1].outcome.bound
    if bound is not None:
        notes.append(
            f"over bound: time over the bound (cuts) on this wiring and placement; it holds for {bound.holds_for}"
        )
    notes += [f"assumed: {line}" for line in assumptions]
    return [*notes, f"figure: {figure}"] if figure else notes


def compare_document(rungs: tuple[Rung, ...], figure: str | None, assumptions: Sequence[str]) -> dict[str, object]:
    """Everything for JSON."""
    scenario = rungs[-1].outcome.analysis.scenario
    given, job = scenario.fabric, scenario.traffic
    return {
        "schema": COMPARE_SCHEMA,
        "fabric": fabric_facts(given),
        "traffic": {"label": job.label, **job.facts},
        "ladder": [_rung_document(rung) for rung in rungs],
        "figure": figure,
        "assumptions": list(assumptions),
    }


def routing_table(outcomes: tuple[RoutingOutcome, ...], title: str) -> Table:
    """A row per routing."""
    bounds = [outcome.analysis.bound for outcome in outcomes]
    rows = tuple(
        (
            outcome.name,
            seconds_text(outcome.analysis.time_s),
            number_text(summarize(outcome.analysis).busbw_GBps, ".4g"),
            "-" if outcome.gain is None else f"{outcome.gain:.2f}x",
            "-" if bound is None else f"{outcome.analysis.time_s / bound.time_s:.3f}",
            imbalance_text(outcome.analysis.tiers),
            link_text(outcome.analysis.hottest),
        )
        for outcome, bound in zip(outcomes, bounds, strict=True)
    )
    columns = ("routing", "time", "busbw GB/s", "gain", "over bound", "max/mean", "hottest link")
    return Table(title, columns, rows, frozenset(columns[1:5]))


def routing_notes(figure: str | None, assumptions: Iterable[str]) -> list[str]:
    """What stands under the table."""
    notes = [
        "gain: time of the first routing over that of this one, the same job on the same cables",
        "over bound: time over the bound (cuts) that holds for a collective by any algorithm and routing (all-reduce:",
        "unless switches reduce), for a trace or explicit flows by any routing; -: pairs without route are left out",
    ]
    notes += [f"assumed: {line}" for line in assumptions]
    return [*notes, f"figure: {figure}"] if figure else notes


def routing_document(
    outcomes: tuple[RoutingOutcome, ...], figure: str | None, assumptions: Sequence[str]
) -> dict[str, object]:
    """Everything for JSON."""
    given, job = outcomes[0].analysis.scenario.fabric, outcomes[0].analysis.traffic
    return {
        "schema": ROUTINGS_SCHEMA,
        "fabric": fabric_facts(given),
        "traffic": {"label": job.label, **job.facts},
        "routings": [
            {
                "name": outcome.name,
                "routing": routing_facts(outcome.analysis.routing),
                "summary": asdict(summarize(outcome.analysis)),
                "gain": outcome.gain,
                "bound": _bound_document(outcome.analysis.bound, outcome.analysis.time_s),
                "tiers": [asdict(tier) for tier in outcome.analysis.tiers],
                "hottest": asdict(outcome.analysis.hottest) if outcome.analysis.hottest else None,
                "unrouted": asdict(outcome.analysis.loads.total.unrouted),
            }
            for outcome in outcomes
        ],
        "figure": figure,
        "assumptions": list(assumptions),
    }


def _bound_document(bound: Bound | None, time_s: float) -> dict[str, object] | None:
    return None if bound is None else {**asdict(bound), "time_over_bound": time_s / bound.time_s}


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
        "bound": _bound_document(outcome.bound, outcome.time_s),
        "tiers": [asdict(tier) for tier in outcome.tiers],
        "hottest": asdict(outcome.hottest) if outcome.hottest else None,
    }


def ladder_report(rungs: tuple[Rung, ...], figure: Path | None = None, csv: Path | None = None) -> Report:
    """What `compare` has to say of naive to rail-aware, with the files that are asked for."""
    naive, best = rungs[0].outcome, rungs[-1].outcome
    scenario = best.analysis.scenario
    title = f"{scenario.fabric.name}: {scenario.traffic.label}"
    seed = scenario.job.rule.seed
    assumptions = (
        *scenario.assumptions,
        BOTTLENECK_TIME,
        f"naive placement: the same hosts as the packed one, shuffled with seed {seed}",
    )
    files: dict[str, str | bytes] = {}
    if figure is not None:
        panels = (("naive", naive.loads.total), ("rail-aware", best.loads.total))
        files[str(figure)] = compare_figure(panels, title, figure.suffix)
    if csv is not None:
        files[str(csv)] = links_csv(best.loads.total)
    written = None if figure is None else str(figure)
    return Report(
        compare_document(rungs, written, assumptions),
        [ladder_table(rungs, title)],
        notes=ladder_notes(rungs, written, ()),
        assumptions=assumptions,
        headlines=[
            Headline(name, one.time_s, one.busbw_GBps, one.over_bound, one.analysis.imbalance)
            for name, one in [("rail-aware", best), *((rung.outcome.step, rung.outcome) for rung in rungs)]
        ],
        files=files,
    )


def routings_report(
    outcomes: tuple[RoutingOutcome, ...], figure: Path | None = None, csv: Path | None = None
) -> Report:
    """What `compare` has to say of routings on the same cables, with the files that are asked for."""
    scenario = outcomes[0].analysis.scenario
    fastest = min(outcomes, key=lambda outcome: outcome.analysis.time_s)
    title = f"{scenario.fabric.name}: {scenario.traffic.label}"
    assumptions = (*scenario.assumptions, BOTTLENECK_TIME)
    files: dict[str, str | bytes] = {}
    if figure is not None:
        panels = tuple((end.name, end.analysis.loads.total) for end in dict.fromkeys((outcomes[0], fastest)))
        files[str(figure)] = compare_figure(panels, title, figure.suffix)
    if csv is not None:
        files[str(csv)] = links_csv(fastest.analysis.loads.total)
    written = None if figure is None else str(figure)
    return Report(
        routing_document(outcomes, written, assumptions),
        [routing_table(outcomes, title)],
        notes=routing_notes(written, ()),
        assumptions=assumptions,
        headlines=[headline_of(one.name, one.analysis) for one in sorted(outcomes, key=lambda one: one is not fastest)],
        files=files,
    )
