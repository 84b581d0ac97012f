"""The report of `loads`: one job on one fabric, as tables and as a JSON document."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from collectives.sizes import counted
from fabric.bounds.cuts import Bound
from fabric.bounds.throughput import COVERED, too_large
from fabric.formats.infragraph import annotated
from fabric.formats.opening import OpenedFabric
from fabric.jobs.traffic import Traffic
from fabric.reports.channels import channels_document, channels_table
from fabric.reports.documents.common import BoundPart, FabricPart, RoutingPart, TrafficPart
from fabric.reports.documents.loads import HashSeedsPart, LoadsBody, SamplePart
from fabric.reports.emit import Report
from fabric.reports.figures.compare import Panel, compare_figure
from fabric.reports.gates import Headline
from fabric.reports.links import hotspot_table, link_text, links_csv, tier_table
from fabric.reports.page_parts import PAGE_ROWS, PageParts
from fabric.reports.tables import Facts, Table
from fabric.reports.words import bytes_text, number_text, seconds_text
from fabric.routing.loads import LinkLoads
from fabric.routing.policies import Ecmp, Routing
from fabric.scenario import POOLED, PXN, Scenario
from fabric.studies.analysis import Analysis, HashSeeds, Sample, summarize
from fabric.studies.flow_sensitivity import FlowPoint, too_many
from fabric.studies.verdicts.loads import loads_verdict

# Hot links that a JSON document lists at most: assumed to be more than anybody reads; a CSV file has all.
LISTED = 1000
# Times that differ by less are the same to a reader (assumed).
FLOWS_DECIDE = 1.05
BOTTLENECK_TIME = "time is the bottleneck's: the largest load over capacity; no latency, no protocol overhead"

# Parameters of routing policies as a person says them; empty where there is nothing to say.
_PARAMETER_TEXTS: dict[str, Callable[[Any], str]] = {
    "queue_pairs": lambda number: f"{counted(number, 'flow')} a pair",
    "shared_seed": lambda shared: "one hash seed for all switches" if shared else "a hash seed for each switch",
    "skip_unrouted": lambda skip: "pairs without a route left out" if skip else "",
    "tables": str,
}


def loads_document(
    analysis: Analysis,
    seeds: HashSeeds | None,
    bounds: tuple[Bound, ...],
    assumptions: Sequence[str],
    flows: Sequence[FlowPoint] = (),
) -> LoadsBody:
    """Everything for JSON; the first `LISTED` hotspots."""
    scenario = analysis.scenario
    document: LoadsBody = {
        "schema": "railscope.loads/2",
        "fabric": fabric_facts(scenario.fabric),
        "traffic": sent_facts(scenario),
        "placement": {"kind": placement_kind(scenario), "ranks": analysis.placement.n_ranks},
        "routing": routing_facts(analysis.routing),
        "summary": summarize(analysis),
        "bounds": [bound_part(bound, analysis.time_s) for bound in bounds],
        "bottleneck": analysis.hottest,
        "tiers": list(analysis.tiers),
        "hotspots": list(analysis.hotspots[:LISTED]),
        "hotspots_total": len(analysis.hotspots),
        "unrouted": analysis.loads.total.unrouted,
        "hash_seeds": None if seeds is None else _seeds_document(seeds),
        "assumptions": list(assumptions),
        "flows": list(flows),
    }
    if analysis.channels:
        document["channels"] = channels_document(analysis.channels)
    return document


def placement_kind(scenario: Scenario) -> str:
    """How the job is placed, in a word or a file's name."""
    return "given" if scenario.traffic.placement is not None else scenario.job.rule.kind


def loads_tables(
    analysis: Analysis, seeds: HashSeeds | None, bounds: tuple[Bound, ...], top: int
) -> list[Table | Facts]:
    """The result, a row per tier, the `top` hotspots, and the distribution over hash seeds."""
    topology, summary = analysis.topology, summarize(analysis)
    endpoints = counted(topology.n_endpoints, "endpoint")
    rows = [
        ("fabric", f"{topology.name}: {endpoints}, {counted(topology.n_links, 'link')}"),
        ("traffic", sent_text(analysis.scenario)),
        ("placement", f"{placement_kind(analysis.scenario)}, {counted(analysis.placement.n_ranks, 'rank')}"),
        ("routing", routing_text(analysis.routing)),
        ("bytes", bytes_text(summary.total_bytes)),
        ("bottleneck time", seconds_text(summary.bottleneck_time_s)),
    ]
    if summary.busbw_GBps is not None:
        rows.append(("algbw, busbw", f"{summary.algbw_GBps:.4g}, {summary.busbw_GBps:.4g} GB/s"))
    rows.append(("hottest link", link_text(analysis.hottest)))
    for bound in bounds:
        ratio = analysis.time_s / bound.time_s
        where = f" through the cut {bound.sides}," if bound.sides else ""
        text = f"at least {seconds_text(bound.time_s)}{where} by {bound.holds_for}; this is {ratio:.3f}x that"
        rows.append((f"bound ({bound.cut})", text))
    unrouted = analysis.loads.total.unrouted
    if unrouted.pairs:
        rows.append(("left out: no route", f"{counted(unrouted.pairs, 'pair')}, {bytes_text(unrouted.bytes)}"))
    tables: list[Table | Facts] = [
        Facts("Result", tuple(rows)),
        tier_table(analysis.tiers, analysis.threshold),
        hotspot_table(analysis.hotspots, analysis.threshold, top),
    ]
    tables += [] if seeds is None else [_seeds_table(seeds)]
    return [*tables, channels_table(analysis.channels)] if analysis.channels else tables


def loads_report(
    analysis: Analysis,
    seeds: HashSeeds | None = None,
    best_routing: Bound | None = None,
    top: int = 20,
    figure: Path | None = None,
    csv: Path | None = None,
    infragraph: Path | None = None,
    flows: tuple[FlowPoint, ...] | None = None,
) -> Report:
    """What `loads` has to say, with the files that are asked for.

    Parameters
    ----------
    analysis : Analysis
    seeds : HashSeeds, optional
    best_routing : Bound, optional
        The optimum of a linear program.
    top : int
        Hotspots in the table.
    figure, csv, infragraph : path, optional
        Files to write.
    flows : tuple of FlowPoint, optional
        As `flow_sensitivity` returns them; None: nobody asks.
    """
    scenario, total = analysis.scenario, analysis.loads.total
    bounds = tuple(one for one in (analysis.bound, best_routing) if one is not None and one.time_s > 0)
    assumptions = (*scenario.assumptions, BOTTLENECK_TIME)
    title = f"{scenario.fabric.name}: {analysis.traffic.label}"
    panels = (panel_of(scenario.fabric.name, analysis),)
    files = files_of(panels, title, figure, total, csv)
    if infragraph is not None:
        files |= annotated(analysis.topology, total.bytes, infragraph)
    return Report(
        loads_document(analysis, seeds, bounds, assumptions, flows or ()),
        loads_tables(analysis, seeds, bounds, top),
        loads_verdict(analysis, seeds),
        notes=[*bound_notes(scenario), *([] if flows is None else flow_notes(flows, "the time", scenario))],
        assumptions=assumptions,
        headlines=(headline_of("loads", analysis),),
        files=files,
        page=lambda: PageParts(title, panels=panels, tables=loads_tables(analysis, seeds, bounds, PAGE_ROWS)),
    )


def bound_notes(scenario: Scenario) -> list[str]:
    """Where a fabric is too large for a search of all cuts: a line that says so."""
    if scenario.traffic.collective not in COVERED or not too_large(scenario.topology):
        return []
    return [
        f"bound: of cuts with a name alone; {counted(scenario.topology.n_links, 'link')} are too many to search all"
    ]


def flow_notes(points: Sequence[FlowPoint], what: str, scenario: Scenario) -> list[str]:
    """What other numbers of flows a pair would give a scenario, where they decide; or that there are too many."""
    times = [point.time_s for point in points]
    if not points and too_many(scenario):
        return ["flows a pair: what other numbers would give takes too long here; --queue-pairs N tries one"]
    own = scenario.routing.flows_a_pair if isinstance(scenario.routing, Ecmp) else 1
    if not times or max(times) < FLOWS_DECIDE * min(times):
        return []
    each = [f"{seconds_text(one.time_s)} with {one.flows}{' (here)' if one.flows == own else ''}" for one in points]
    return [f"flows a pair decide {what}: {', '.join(each)}; --queue-pairs sets them"]


def files_of(
    panels: Sequence[Panel], title: str, figure: Path | None, loads: LinkLoads, csv: Path | None
) -> dict[str, str | bytes]:
    """The files that are asked for, by path: a picture of designs, and a row for each link of one of them."""
    files: dict[str, str | bytes] = {}
    if figure is not None:
        files[str(figure)] = compare_figure(panels, title, figure.suffix)
    if csv is not None:
        files[str(csv)] = links_csv(loads)
    return files


def headline_of(name: str, analysis: Analysis) -> Headline:
    """The figures of an analysis that limits are set on."""
    return Headline(name, analysis.time_s, analysis.busbw_GBps, analysis.over_bound, analysis.imbalance)


def panel_of(heading: str, analysis: Analysis) -> Panel:
    """An analysis as a figure shows it."""
    spot = analysis.hottest
    hottest = None if spot is None else f"{spot.name} ({spot.tier} {spot.direction})"
    return Panel(heading, analysis.loads.total, analysis.time_s, analysis.busbw_GBps, hottest)


def fabric_facts(given: OpenedFabric) -> FabricPart:
    """What every JSON document says of the fabric."""
    topology = given.topology
    facts: FabricPart = {
        "name": given.name,
        "source": given.source,
        "endpoints": topology.n_endpoints,
        "nodes": topology.n_nodes,
        "links": topology.n_links,
    }
    if given.description is not None:
        facts["technology"] = given.description.fabric.technology
        facts["wiring"] = given.description.fabric.wiring
    return facts


def traffic_facts(job: Traffic) -> TrafficPart:
    """What the job sends, for JSON."""
    return cast(TrafficPart, {"label": job.label, **job.facts})


def sent_facts(scenario: Scenario) -> TrafficPart:
    """What the one job of a scenario sends, and by which NICs, for JSON."""
    job = scenario.job
    return {**traffic_facts(job.traffic), "transport": job.transport, "nics": job.nics}


def sent_text(scenario: Scenario) -> str:
    """The same in one line."""
    job = scenario.job
    aligned, pooled = job.transport == PXN, job.nics == POOLED
    return f"{job.traffic.label}{', rail-aligned (PXN)' if aligned else ''}{', NICs pooled' if pooled else ''}"


def routing_facts(policy: Routing) -> RoutingPart:
    """A routing policy and its parameters, for JSON."""
    return cast(RoutingPart, {"policy": policy.name, **policy.parameters})


def bound_part(bound: Bound, time_s: float) -> BoundPart:
    """A bound, and how far a time is over it, for JSON."""
    part: BoundPart = {
        "time_s": bound.time_s,
        "cut": bound.cut,
        "holds_for": bound.holds_for,
        "time_over_bound": time_s / bound.time_s,
    }
    return {**part, "sides": bound.sides} if bound.sides else part


def routing_text(policy: Routing) -> str:
    """The same in one line: ``ecmp, 1 queue pair, seed 0, a hash seed for each switch``."""
    said = (
        _PARAMETER_TEXTS[key](value) if key in _PARAMETER_TEXTS else f"{key.replace('_', ' ')} {value}"
        for key, value in policy.parameters.items()
    )
    return ", ".join([policy.name, *filter(None, said)])


def _seeds_document(seeds: HashSeeds) -> HashSeedsPart:
    def sample(values: Sample) -> SamplePart:
        return {
            "p50": values.percentile(50),
            "p99": values.percentile(99),
            "worst": values.worst,
            "values": list(values.values),
        }

    return {
        "seeds": seeds.n,
        "first_seed": seeds.first,
        "time_s": sample(seeds.time_s),
        "imbalance": sample(seeds.imbalance),
    }


def _seeds_table(seeds: HashSeeds) -> Table:
    time, imbalance = seeds.time_s, seeds.imbalance
    columns = ("what", "p50", "p99", "worst")
    rows = (
        ("bottleneck time", *(seconds_text(v or 0.0) for v in (time.percentile(50), time.percentile(99), time.worst))),
        (
            "max/mean between switches",
            *(number_text(v, ".3f") for v in (imbalance.percentile(50), imbalance.percentile(99), imbalance.worst)),
        ),
    )
    last = seeds.first + seeds.n - 1
    return Table(f"{counted(seeds.n, 'hash seed')}, {seeds.first} to {last}", columns, rows, frozenset(columns[1:]))
