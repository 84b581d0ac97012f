"""The report on designs side by side: a matrix of times, parts and costs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from collectives.sizes import counted
from fabric.reports.compare import over_bound_text
from fabric.reports.csv_text import csv_text
from fabric.reports.documents.designs import CostPart, DesignsBody, VariantPart
from fabric.reports.emit import Report
from fabric.reports.figures.designs import Bar, designs_figure
from fabric.reports.gates import Headline
from fabric.reports.links import tier_text
from fabric.reports.loads import (
    BOTTLENECK_TIME,
    bound_part,
    fabric_facts,
    placement_kind,
    routing_facts,
    sent_facts,
)
from fabric.reports.page_parts import PageParts, TimeBar
from fabric.reports.tables import Table
from fabric.reports.words import money_text, number_text, ratio_text, seconds_text
from fabric.studies.analysis import summarize
from fabric.studies.designs import DesignOutcome, ranked, text_of, varied_keys
from fabric.studies.parts import Parts
from fabric.studies.prices import PartsCost, Prices
from fabric.studies.verdicts.designs import designs_verdict

_BOUND = "times the bound"
_LONGER = "times the fastest"
_WORST = "worst tier"
_COLUMNS = (
    "name",
    "rank",
    "time_s",
    "busbw_GBps",
    "time_over_bound",
    "worst_tier",
    "worst_direction",
    "ranks",
    "switches",
    "cables",
    "host_cables",
    "optics",
)
_COST_COLUMNS = ("cost", "cost_per_gpu", "currency")


@dataclass(frozen=True)
class _Counts:
    """The parts that the matrix shows."""

    switches: int
    cables: int
    host_cables: int
    optics: int


def _counts(parts: Parts, prices: Prices | None) -> _Counts:
    copper = None if prices is None else frozenset(prices.copper)
    return _Counts(parts.n_switches, parts.n_cables, parts.host_cables, parts.optics(copper))


def designs_table(outcomes: Sequence[DesignOutcome], prices: Prices | None, title: str) -> Table:
    """A row per design, the fastest first; parts that all designs have in common stand in the notes instead."""
    order = ranked(outcomes)
    keys = varied_keys([one.variant for one in outcomes])
    counts = [_counts(one.parts, prices) for one in order]
    parts = [
        (key, [f"{getattr(own, key):,}" for own in counts])
        for key in ("switches", "cables", "optics")
        if len({getattr(own, key) for own in counts}) > 1
    ]
    numbers: list[tuple[str, list[str]]] = [
        ("time", [seconds_text(one.time_s) for one in order]),
        ("busbw GB/s", [number_text(one.busbw_GBps, ".4g") for one in order]),
        (_LONGER, [ratio_text(_ratio(one.time_s, order[0].time_s)) for one in order]),
        (_BOUND, [over_bound_text(one.time_s, one.bound) for one in order]),
        *parts,
    ]
    per_gpu = "" if prices is None else f"per GPU {prices.currency}"
    if prices is not None:
        costs = [one.cost for one in order if one.cost is not None]
        numbers += [
            (f"cost {prices.currency}", [money_text(cost.total) for cost in costs]),
            (per_gpu, [money_text(cost.per_gpu) for cost in costs]),
        ]
    settings = [dict(one.variant.settings) for one in order]
    told = [(key, [text_of(own[key]) for own in settings]) for key in keys] or [("design", [one.name for one in order])]
    columns = [*told, *numbers, (_WORST, [_worst_text(one) for one in order])]
    names = tuple(name for name, _ in columns)
    # Where a row is too long, the parts go before the cost that sums them up.
    drop = (_BOUND, _LONGER, *filter(None, (per_gpu, *(name for name, _ in reversed(parts)))))
    return Table(
        title,
        names,
        tuple(zip(*(cells for _, cells in columns), strict=True)),
        frozenset(name for name, _ in numbers),
        below=(_WORST,),
        shorten=frozenset(name for name, _ in told),
        drop=drop,
    )


def _ratio(value: float, best: float) -> float | None:
    return value / best if best > 0 else None


def _worst_text(outcome: DesignOutcome) -> str:
    spot = outcome.analysis.hottest
    return "none" if spot is None else tier_text(spot.tier, spot.direction)


def designs_notes(outcomes: Sequence[DesignOutcome], prices: Prices | None) -> list[str]:
    """What stands under the table: what does not differ, and how optics and cost are counted."""
    variants = [one.variant for one in outcomes]
    keys = varied_keys(variants)
    fixed = {key: text_of(value) for one in variants for key, value in one.settings if key not in keys}
    notes = ["every design: " + ", ".join(f"{key}={text}" for key, text in fixed.items())] if fixed else []
    counts = [_counts(one.parts, prices) for one in outcomes]
    same = [
        counted(getattr(counts[0], key), *noun)
        for key, noun in (
            ("switches", ("switch", "switches")),
            ("cables", ("cable",)),
            ("optics", ("transceiver",)),
        )
        if len({getattr(own, key) for own in counts}) == 1
    ]
    notes += [f"every design: {', '.join(same)}"] if same else []
    jobs = dict.fromkeys((one.analysis.traffic.label, one.analysis.placement.n_ranks) for one in outcomes)
    if len(jobs) > 1:
        said = "; ".join(f"{label} ({counted(ranks, 'rank')})" for label, ranks in jobs)
        notes.append(f"the jobs differ: {said}")
    return [*notes, _optics_text(counts, prices), *([] if prices is None else [_cost_text(prices)])]


def _optics_text(counts: Sequence[_Counts], prices: Prices | None) -> str:
    if prices is not None:
        copper = f", {' and '.join(prices.copper)} cables are copper" if prices.copper else ""
        return f"optics: two transceivers a cable{copper}"
    hosts = sorted({own.host_cables for own in counts})
    number = counted(hosts[0], "host cable") if len(hosts) == 1 else f"{hosts[0]:,} to {hosts[-1]:,} host cables"
    return f"optics: two transceivers a cable between switches; {number} may be copper and are not counted"


def _cost_text(prices: Prices) -> str:
    nics = "no NICs (no price)" if prices.nic is None else "NICs"
    return f"cost, by the prices given: switches, cables, transceivers, {nics}; no NVLink, power, or spares"


def designs_csv(outcomes: Sequence[DesignOutcome], prices: Prices | None = None) -> str:
    """A row per design in the order given: its settings, then `_COLUMNS`, then its cost if there are prices."""
    keys = tuple(dict.fromkeys(key for one in outcomes for key, _ in one.variant.settings))
    place = {one.name: rank for rank, one in enumerate(ranked(outcomes), 1)}
    rows = []
    for one in outcomes:
        spot, counts, settings = one.analysis.hottest, _counts(one.parts, prices), dict(one.variant.settings)
        rows.append(
            (
                *("" if settings[key] is None else text_of(settings[key]) for key in keys),
                one.name,
                place[one.name],
                one.time_s,
                "" if one.busbw_GBps is None else one.busbw_GBps,
                "" if one.over_bound is None else one.over_bound,
                "" if spot is None else spot.tier,
                "" if spot is None else spot.direction,
                one.analysis.placement.n_ranks,
                counts.switches,
                counts.cables,
                counts.host_cables,
                counts.optics,
                *(() if one.cost is None else (one.cost.total, one.cost.per_gpu, one.cost.currency)),
            )
        )
    return csv_text((*keys, *_COLUMNS, *(() if prices is None else _COST_COLUMNS)), rows)


def designs_document(
    outcomes: Sequence[DesignOutcome], prices: Prices | None, figure: str | None, assumptions: Sequence[str]
) -> DesignsBody:
    """Everything for JSON; the designs in the order given."""
    order = ranked(outcomes)
    place = {one.name: rank for rank, one in enumerate(order, 1)}
    return {
        "schema": "railscope.designs/1",
        "varied": list(varied_keys([one.variant for one in outcomes])),
        "best": order[0].name,
        "designs": [_design_document(one, place[one.name], prices) for one in outcomes],
        "figure": figure,
        "assumptions": list(assumptions),
    }


def _design_document(outcome: DesignOutcome, rank: int, prices: Prices | None) -> VariantPart:
    analysis, scenario, bound = outcome.analysis, outcome.variant.scenario, outcome.bound
    counts = _counts(outcome.parts, prices)
    return {
        "name": outcome.name,
        "rank": rank,
        "settings": {key: _plain(value) for key, value in outcome.variant.settings},
        "fabric": fabric_facts(scenario.fabric),
        "traffic": sent_facts(scenario),
        "placement": {"kind": placement_kind(scenario), "ranks": analysis.placement.n_ranks},
        "routing": routing_facts(analysis.routing),
        "summary": summarize(analysis),
        "bound": None if bound is None else bound_part(bound, outcome.time_s),
        "hottest": analysis.hottest,
        "parts": {
            "switches": counts.switches,
            "cables": counts.cables,
            "host_cables": counts.host_cables,
            "optics": counts.optics,
            "switches_by_tier": list(outcome.parts.switches),
            "cables_by_tier": list(outcome.parts.cables),
        },
        "cost": None if outcome.cost is None else _cost_part(outcome.cost),
    }


def _plain(value: object) -> bool | int | float | str | None:
    return value if value is None or isinstance(value, (bool, int, float, str)) else text_of(value)


def _cost_part(cost: PartsCost) -> CostPart:
    return {
        "currency": cost.currency,
        "switches": cost.switches,
        "cables": cost.cables,
        "optics": cost.optics,
        "nics": cost.nics,
        "total": cost.total,
        "per_gpu": cost.per_gpu,
    }


def _assumptions(outcomes: Sequence[DesignOutcome]) -> tuple[str, ...]:
    """Those of all designs, then those of some, with their number."""
    said = Counter(line for one in outcomes for line in dict.fromkeys(one.variant.scenario.assumptions))
    shared = [line for line, number in said.items() if number == len(outcomes)]
    others = [f"in {number} of {len(outcomes)} designs: {line}" for line, number in said.items() if line not in shared]
    return (*shared, BOTTLENECK_TIME, *others)


def _bars(outcomes: Sequence[DesignOutcome], keys: Sequence[str]) -> tuple[Bar, ...]:
    settings = [dict(one.variant.settings) for one in outcomes]
    names = [" / ".join(text_of(own[key]) for key in keys) for own in settings]
    return tuple(
        Bar(name or one.name, one.time_s, None if one.cost is None else one.cost.total)
        for name, one in zip(names, outcomes, strict=True)
    )


def designs_report(
    outcomes: Sequence[DesignOutcome],
    prices: Prices | None = None,
    figure: Path | None = None,
    csv: Path | None = None,
) -> Report:
    """What `compare` has to say of designs side by side, with the files that are asked for.

    Parameters
    ----------
    outcomes : sequence of DesignOutcome
    prices : Prices, optional
        Those that the outcomes were made with.
    figure, csv : path, optional
        Files to write.
    """
    order = ranked(outcomes)
    fabrics = dict.fromkeys(one.variant.scenario.fabric.name for one in outcomes)
    title = f"{', '.join(fabrics)}: {outcomes[0].analysis.traffic.label}"
    if len({one.analysis.traffic.label for one in outcomes}) > 1:
        title = f"{', '.join(fabrics)}"
    assumptions = _assumptions(outcomes)
    files: dict[str, str | bytes] = {}
    if figure is not None:
        currency = "" if prices is None else prices.currency
        keys = varied_keys([one.variant for one in outcomes])
        files[str(figure)] = designs_figure(_bars(order, keys), currency, title, " / ".join(keys), figure.suffix)
    if csv is not None:
        files[str(csv)] = designs_csv(outcomes, prices)
    written = None if figure is None else str(figure)
    notes = designs_notes(outcomes, prices)
    return Report(
        designs_document(outcomes, prices, written, assumptions),
        [designs_table(outcomes, prices, f"{title}; the fastest first")],
        designs_verdict(outcomes),
        notes=[*notes, f"figure: {written}"] if written else notes,
        assumptions=assumptions,
        headlines=[
            Headline(one.name, one.time_s, one.busbw_GBps, one.over_bound, one.analysis.imbalance) for one in order
        ],
        files=files,
        page=lambda: PageParts(title, bars=[TimeBar(one.name, one.time_s) for one in order]),
    )
