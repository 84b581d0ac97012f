"""The report of `loads`: one job on one fabric, as tables and as a JSON document."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from collectives.sizes import counted
from fabric.bounds.cuts import Bound
from fabric.formats.opening import OpenedFabric
from fabric.jobs.traffic import Traffic
from fabric.reports.links import hotspot_table, link_text, tier_table
from fabric.reports.tables import Facts, Table
from fabric.reports.words import bytes_text, number_text, seconds_text
from fabric.routing.policies import Routing
from fabric.studies.analysis import Analysis, HashSeeds, Sample, summarize

LISTED = 1000

# Parameters of routing policies as a person says them; empty where there is nothing to say.
_PARAMETER_TEXTS: dict[str, Callable[[Any], str]] = {
    "queue_pairs": lambda number: counted(number, "queue pair"),
    "shared_seed": lambda shared: "one hash seed for all switches" if shared else "a hash seed for each switch",
    "skip_unrouted": lambda skip: "pairs without a route left out" if skip else "",
    "tables": str,
}


def loads_document(
    given: OpenedFabric,
    job: Traffic,
    analysis: Analysis,
    seeds: HashSeeds | None,
    choices: dict[str, str],
    bounds: tuple[Bound, ...],
    assumptions: list[str],
) -> dict[str, object]:
    """Everything for JSON; the first `LISTED` hotspots.

    Parameters
    ----------
    choices : dict
        Names of the transport and of the placement.
    """
    return {
        "schema": "railscope.loads/1",
        "fabric": fabric_facts(given),
        "traffic": {"label": job.label, **job.facts, "transport": choices["transport"]},
        "placement": {"kind": choices["placement"], "ranks": analysis.placement.n_ranks},
        "routing": routing_facts(analysis.routing),
        "summary": asdict(summarize(job, analysis)),
        "bounds": [{**asdict(bound), "time_over_bound": analysis.time_s / bound.time_s} for bound in bounds],
        "bottleneck": asdict(analysis.hottest) if analysis.hottest else None,
        "tiers": [asdict(tier) for tier in analysis.tiers],
        "hotspots": [asdict(spot) for spot in analysis.hotspots[:LISTED]],
        "hotspots_total": len(analysis.hotspots),
        "unrouted": asdict(analysis.loads.total.unrouted),
        "hash_seeds": None if seeds is None else _seeds_document(seeds),
        "assumptions": assumptions,
    }


def loads_tables(
    job: Traffic,
    analysis: Analysis,
    seeds: HashSeeds | None,
    choices: dict[str, str],
    bounds: tuple[Bound, ...],
    top: int,
) -> list[Table | Facts]:
    """The result, a row per tier, the `top` hotspots, and the distribution over hash seeds."""
    topology, summary = analysis.topology, summarize(job, analysis)
    endpoints = counted(topology.n_endpoints, "endpoint")
    transport = ", rail-aligned (PXN)" if choices["transport"] == "pxn" else ""
    rows = [
        ("fabric", f"{topology.name}: {endpoints}, {counted(topology.n_links, 'link')}"),
        ("traffic", job.label + transport),
        ("placement", f"{choices['placement']}, {counted(analysis.placement.n_ranks, 'rank')}"),
        ("routing", routing_text(analysis.routing)),
        ("bytes", bytes_text(summary.total_bytes)),
        ("bottleneck time", seconds_text(summary.bottleneck_time_s)),
    ]
    if summary.busbw_GBps is not None:
        rows.append(("algbw, busbw", f"{summary.algbw_GBps:.4g}, {summary.busbw_GBps:.4g} GB/s"))
    rows.append(("hottest link", link_text(analysis.hottest)))
    for bound in bounds:
        ratio = analysis.time_s / bound.time_s
        text = f"at least {seconds_text(bound.time_s)} by {bound.holds_for}; this is {ratio:.3f}x that"
        rows.append((f"bound ({bound.cut})", text))
    unrouted = analysis.loads.total.unrouted
    if unrouted.pairs:
        rows.append(("left out: no route", f"{counted(unrouted.pairs, 'pair')}, {bytes_text(unrouted.bytes)}"))
    tables: list[Table | Facts] = [
        Facts("Result", tuple(rows)),
        tier_table(analysis.tiers, analysis.threshold),
        hotspot_table(analysis.hotspots[:top], len(analysis.hotspots), analysis.threshold),
    ]
    return tables if seeds is None else [*tables, _seeds_table(seeds)]


def fabric_facts(given: OpenedFabric) -> dict[str, object]:
    """What every JSON document says of the fabric."""
    topology = given.topology
    facts: dict[str, object] = {
        "name": given.name,
        "source": given.source,
        "endpoints": topology.n_endpoints,
        "nodes": topology.n_nodes,
        "links": topology.n_links,
    }
    if given.description is not None:
        facts |= {"technology": given.description.fabric.technology, "wiring": given.description.fabric.wiring}
    return facts


def routing_facts(policy: Routing) -> dict[str, object]:
    """A routing policy and its parameters, for JSON."""
    return {"policy": policy.name, **policy.parameters}


def routing_text(policy: Routing) -> str:
    """The same in one line: ``ecmp, 1 queue pair, seed 0, a hash seed for each switch``."""
    said = (
        _PARAMETER_TEXTS[key](value) if key in _PARAMETER_TEXTS else f"{key.replace('_', ' ')} {value}"
        for key, value in policy.parameters.items()
    )
    return ", ".join([policy.name, *filter(None, said)])


def _seeds_document(seeds: HashSeeds) -> dict[str, object]:
    def sample(values: Sample) -> dict[str, object]:
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
