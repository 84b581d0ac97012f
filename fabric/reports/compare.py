"""The reports of `compare`: the ladder from naive to rail-aware, and routings on the same cables."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from collectives.sizes import counted
from fabric.bounds.cuts import Bound
from fabric.reports.documents.common import BoundPart
from fabric.reports.documents.compare import CompareBody, PlacementKind, RoutingsBody, RungPart
from fabric.reports.emit import Report
from fabric.reports.gates import Headline
from fabric.reports.links import hotspot_table, link_text, tier_table, tier_text
from fabric.reports.loads import (
    BOTTLENECK_TIME,
    bound_notes,
    bound_part,
    fabric_facts,
    files_of,
    flow_notes,
    headline_of,
    panel_of,
    routing_facts,
    traffic_facts,
)
from fabric.reports.page_parts import PAGE_ROWS, PageParts, TimeBar
from fabric.reports.tables import Table
from fabric.reports.words import number_text, ratio_text, seconds_text
from fabric.studies.analysis import Analysis, summarize
from fabric.studies.flow_sensitivity import FlowPoint
from fabric.studies.hotspots import TierSummary, worst_imbalance
from fabric.studies.ladder import Counts, Rung, counts_of
from fabric.studies.routings import RoutingOutcome
from fabric.studies.verdicts.ladder import ladder_verdict
from fabric.studies.verdicts.routings import routings_verdict

# What a naive placement is, in words.
NAIVE_PLACEMENTS = {
    "unaligned": "naive placement: unaligned, hosts in order with all GPUs of each domain, so that groups may straddle "
    "domains",
    "fragmented": "naive placement: fragmented, the hosts that other jobs leave; they hold all others (assumed; drawn)",
    "scattered": "naive placement: scattered, the packed job's hosts shuffled, the worst",
}
_BETWEEN = "max/mean between switches"
_BY_TIER = "max/mean by tier"
_BOUND = "times the bound"
_HOTTEST = "hottest"
_SPEED = ("time", "busbw GB/s")
_LIMITS = (_BOUND, _BETWEEN, _BY_TIER, _HOTTEST)


def _speed(analysis: Analysis) -> tuple[str, ...]:
    """What stands in the columns `_SPEED`."""
    return seconds_text(analysis.time_s), number_text(analysis.busbw_GBps, ".4g")


def _limits(analysis: Analysis, bound: Bound | None) -> tuple[str, ...]:
    """What stands in the columns `_LIMITS`."""
    return (
        over_bound_text(analysis.time_s, bound),
        number_text(worst_imbalance(analysis.tiers), ".2f"),
        imbalance_text(analysis.tiers),
        link_text(analysis.hottest),
    )


def ladder_table(rungs: tuple[Rung, ...], title: str) -> Table:
    """A row per step: time, busbw, what it gained, how even it is, the hottest link."""
    rows = tuple(
        (
            rung.outcome.step,
            seconds_text(rung.outcome.time_s),
            range_text(rung.outcome.times_s),
            number_text(rung.outcome.busbw_GBps, ".4g"),
            ratio_text(rung.gain),
            ratio_text(rung.alone),
            ratio_text(rung.without),
            *_limits(rung.outcome.analysis, rung.outcome.bound),
        )
        for rung in rungs
    )
    gains = ("faster than before", "this step alone", "slower if left out")
    columns = ("step", "time", "range", "busbw GB/s", *gains, *_LIMITS)
    drop = (_BY_TIER, _BETWEEN, "busbw GB/s", "this step alone")
    return Table(title, columns, rows, frozenset(columns[1:9]), below=(_HOTTEST,), drop=drop)


def range_text(times_s: Sequence[float]) -> str:
    """From the fastest seed to the slowest, the unit once where it is the same; nothing where the times are."""
    least, most = seconds_text(min(times_s)), seconds_text(max(times_s))
    if least == most:
        return "-"
    unit = most[most.index(" ") :] if " " in most else ""
    return f"{least.removesuffix(unit)}-{most}"


def over_bound_text(time_s: float, bound: Bound | None) -> str:
    """How many times the bound a time is."""
    return "-" if bound is None else ratio_text(time_s / bound.time_s, ".3f")


def imbalance_text(tiers: tuple[TierSummary, ...]) -> str:
    """Max over mean of every loaded tier and direction between switches."""
    return "; ".join(
        f"{tier_text(tier.name, tier.direction)} {tier.imbalance:.2f}"
        for tier in tiers
        if tier.kind == "isl" and tier.imbalance is not None
    )


def ladder_notes(rungs: tuple[Rung, ...], figure: str | None) -> list[str]:
    """What stands under the table."""
    parts = sorted({counts_of(rung.outcome.loads.topology) for rung in rungs})
    notes = [f"every step: {_counts_text(one)}" for one in parts]
    n_seeds = max(len(rung.outcome.times_s) for rung in rungs)
    if n_seeds > 1:
        notes.append(
            f"time: the median of {n_seeds} seeds where hashes or hosts are drawn; range: from fastest to slowest"
        )
    bound = rungs[-1].outcome.bound
    if bound is not None:
        notes.append(f"bound: what {bound.holds_for} needs at least on a step's own wiring and placement")
    return [*notes, f"figure: {figure}"] if figure else notes


def _counts_text(counts: Counts) -> str:
    parts = [
        counted(counts.endpoints, "endpoint"),
        counted(counts.switches, "switch", "switches"),
        counted(counts.cables - counts.nvlink_cables, "cable"),
    ]
    if counts.nvlink_domains:
        domains, cables = counted(counts.nvlink_domains, "NVLink domain"), counted(counts.nvlink_cables, "cable")
        parts[-1] += f"; {domains} with {cables} of their own"
    return ", ".join(parts)


def compare_document(
    rungs: tuple[Rung, ...], figure: str | None, assumptions: Sequence[str], flows: Sequence[FlowPoint] = ()
) -> CompareBody:
    """Everything for JSON."""
    scenario = rungs[-1].outcome.analysis.scenario
    given, job = scenario.fabric, scenario.traffic
    return {
        "schema": "railscope.compare/2",
        "fabric": fabric_facts(given),
        "traffic": traffic_facts(job),
        "ladder": [_rung_document(rung) for rung in rungs],
        "flows": list(flows),
        "figure": figure,
        "assumptions": list(assumptions),
    }


def routing_table(outcomes: tuple[RoutingOutcome, ...], title: str) -> Table:
    """A row per routing."""
    rows = tuple(
        (
            outcome.name,
            *_speed(outcome.analysis),
            ratio_text(outcome.gain),
            *_limits(outcome.analysis, outcome.analysis.bound),
        )
        for outcome in outcomes
    )
    columns = ("routing", *_SPEED, "faster than the first", *_LIMITS)
    return Table(
        title,
        columns,
        rows,
        frozenset(columns[1:6]),
        below=(_HOTTEST,),
        shorten=frozenset({"routing"}),
        drop=(_BY_TIER, _BETWEEN),
    )


def routing_notes(outcomes: tuple[RoutingOutcome, ...], figure: str | None) -> list[str]:
    """What stands under the table."""
    bounds = [outcome.analysis.bound for outcome in outcomes]
    notes = [f"bound: what {name} needs at least" for name in dict.fromkeys(b.holds_for for b in bounds if b)]
    if None in bounds:
        notes.append("no bound where pairs without a route are left out, or nothing has to move")
    return [*notes, f"figure: {figure}"] if figure else notes


def routing_document(
    outcomes: tuple[RoutingOutcome, ...], figure: str | None, assumptions: Sequence[str]
) -> RoutingsBody:
    """Everything for JSON."""
    given, job = outcomes[0].analysis.scenario.fabric, outcomes[0].analysis.traffic
    return {
        "schema": "railscope.compare-routing/2",
        "fabric": fabric_facts(given),
        "traffic": traffic_facts(job),
        "routings": [
            {
                "name": outcome.name,
                "routing": routing_facts(outcome.analysis.routing),
                "summary": summarize(outcome.analysis),
                "gain": outcome.gain,
                "bound": _bound_document(outcome.analysis.bound, outcome.analysis.time_s),
                "tiers": list(outcome.analysis.tiers),
                "hottest": outcome.analysis.hottest,
                "unrouted": outcome.analysis.loads.total.unrouted,
            }
            for outcome in outcomes
        ],
        "figure": figure,
        "assumptions": list(assumptions),
    }


def _bound_document(bound: Bound | None, time_s: float) -> BoundPart | None:
    return None if bound is None else bound_part(bound, time_s)


def _rung_document(rung: Rung) -> RungPart:
    outcome, design = rung.outcome, rung.outcome.design
    counts = counts_of(outcome.loads.topology)
    return {
        "step": outcome.step,
        "design": {
            "wiring": design.wiring,
            "transport": "pxn" if design.pxn else "direct",
            "placement": _kind(design.placement),
            "routing": routing_facts(outcome.analysis.routing),
            "endpoints": counts.endpoints,
            "switches": counts.switches,
            "nvlink_domains": counts.nvlink_domains,
            "cables": counts.cables,
            "nvlink_cables": counts.nvlink_cables,
        },
        "time_s": outcome.time_s,
        "times_s": list(outcome.times_s),
        "busbw_GBps": outcome.busbw_GBps,
        "gain": rung.gain,
        "alone": rung.alone,
        "without": rung.without,
        "bound": _bound_document(outcome.bound, outcome.time_s),
        "tiers": list(outcome.tiers),
        "hottest": outcome.hottest,
    }


def _kind(placement: str) -> PlacementKind:
    """One of the kinds that a ladder has."""
    return next(kind for kind in get_args(PlacementKind) if kind == placement)


def ladder_report(
    rungs: tuple[Rung, ...],
    figure: Path | None = None,
    csv: Path | None = None,
    flows: tuple[FlowPoint, ...] = (),
) -> Report:
    """What `compare` has to say of naive to rail-aware, with the files that are asked for.

    `flows` is the naive design's `flow_sensitivity`.
    """
    naive, best = rungs[0].outcome, rungs[-1].outcome
    scenario = best.analysis.scenario
    title = f"{scenario.fabric.name}: {scenario.traffic.label}"
    assumptions = (
        *scenario.assumptions,
        BOTTLENECK_TIME,
        NAIVE_PLACEMENTS[naive.design.placement],
        *naive.analysis.scenario.flows,
    )
    panels = (panel_of("naive", naive.analysis), panel_of("rail-aware", best.analysis))
    written = None if figure is None else str(figure)
    return Report(
        compare_document(rungs, written, assumptions, flows),
        [ladder_table(rungs, title)],
        ladder_verdict(rungs),
        notes=[
            *ladder_notes(rungs, written),
            *bound_notes(naive.analysis.scenario),
            *flow_notes(flows, "the naive design's time", naive.analysis.scenario),
        ],
        assumptions=assumptions,
        headlines=[
            Headline(name, one.time_s, one.busbw_GBps, one.over_bound, one.analysis.imbalance)
            for name, one in [("rail-aware", best), *((rung.outcome.step, rung.outcome) for rung in rungs)]
        ],
        files=files_of(panels, title, figure, best.loads.total, csv),
        page=lambda: PageParts(
            title,
            [TimeBar(rung.outcome.step, rung.outcome.time_s, rung.outcome.times_s) for rung in rungs],
            panels,
            tables=[
                ladder_table(rungs, "Naive to rail-aware, one step at a time"),
                *_link_tables("naive", naive.analysis),
                *_link_tables("rail-aware", best.analysis),
            ],
        ),
    )


def _link_tables(design: str, analysis: Analysis) -> list[Table]:
    """Tiers and hotspots of one design, for a page."""
    hot = hotspot_table(analysis.hotspots, analysis.threshold, PAGE_ROWS)
    tables = (tier_table(analysis.tiers, analysis.threshold), hot)
    return [replace(table, title=f"{design}: {table.title[:1].lower()}{table.title[1:]}") for table in tables]


def routings_report(
    outcomes: tuple[RoutingOutcome, ...], figure: Path | None = None, csv: Path | None = None
) -> Report:
    """What `compare` has to say of routings on the same cables, with the files that are asked for."""
    scenario = outcomes[0].analysis.scenario
    fastest = min(outcomes, key=lambda outcome: outcome.analysis.time_s)
    title = f"{scenario.fabric.name}: {scenario.traffic.label}"
    assumptions = (*scenario.assumptions, BOTTLENECK_TIME)
    ends = [(end.name, end.analysis) for end in dict.fromkeys((outcomes[0], fastest))]
    panels = tuple(panel_of(*end) for end in ends)
    written = None if figure is None else str(figure)
    return Report(
        routing_document(outcomes, written, assumptions),
        [routing_table(outcomes, title)],
        routings_verdict(outcomes),
        notes=[*bound_notes(outcomes[0].analysis.scenario), *routing_notes(outcomes, written)],
        assumptions=assumptions,
        headlines=[headline_of(one.name, one.analysis) for one in sorted(outcomes, key=lambda one: one is not fastest)],
        files=files_of(panels, title, figure, fastest.analysis.loads.total, csv),
        page=lambda: PageParts(
            title,
            [TimeBar(one.name, one.analysis.time_s) for one in outcomes],
            panels,
            tables=[
                routing_table(outcomes, "Routings on the same cables"),
                *(table for panel, one in ends for table in _link_tables(panel, one)),
            ],
        ),
    )
