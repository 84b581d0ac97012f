"""The report on designs side by side: what stands in it, and that it fits."""

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import railscope as rs
from fabric.reports.designs import designs_report
from fabric.reports.screen import render_report
from fabric.studies.designs import ranked
from fabric.studies.prices import parse_prices
from tests.fabric.studies.test_designs import PRICES, all_to_all, cluster

AXES: dict[str, list[object]] = {
    "wiring": ["rail", "host"],
    "routing": ["ecmp", "adaptive"],
    "oversubscription": [2, 1],
    "queue_pairs": [1, 4],
}
WITHOUT = None
WITH = parse_prices(PRICES, "p")


@pytest.fixture(scope="module")
def variants():
    return rs.vary(all_to_all(cluster(hosts=8)), AXES)


def rendered(report, width):
    return render_report((report.verdict.text,), report.tables, report.notes, report.assumptions, width=width)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("prices", [WITHOUT, WITH], ids=["unpriced", "priced"])
def test_the_matrix_fits(variants, prices, width):
    report = designs_report(rs.compare_designs(variants, prices), prices)
    text = rendered(report, width)
    assert max(map(len, text.splitlines())) <= width
    table: Any = report.tables[0]
    # The fastest first; each design's own line.
    assert [row[:4] for row in table.rows] == [
        tuple("-" if value is None else str(value) for _, value in one.variant.settings)
        for one in ranked(rs.compare_designs(variants, prices))
    ]
    hidden = " ".join(text.partition("hidden at this width")[2].partition(";")[0].split())
    assert "cost EUR" not in hidden
    assert ("cost EUR" in table.columns) == (prices is not None)


def test_what_all_designs_share_stands_below():
    outcomes = rs.compare_designs(rs.vary(all_to_all(), {"routing": ["adaptive", "ecmp"], "wiring": ["host"]}))
    report = designs_report(outcomes)
    table: Any = report.tables[0]
    assert table.columns == (
        "routing",
        "time",
        "busbw GB/s",
        "times the fastest",
        "times the bound",
        "worst tier",
    )
    assert report.notes == [
        "every design: wiring=host",
        "every design: 10 switches, 128 cables, 128 transceivers",
        "optics: two transceivers a cable between switches; 64 host cables may be copper and are not counted",
    ]


def test_prices_say_what_is_copper(variants):
    report = designs_report(rs.compare_designs(variants, WITH), WITH)
    assert "optics: two transceivers a cable, host cables are copper" in report.notes
    assert any(note.startswith("cost, by the prices given") and "no NICs" in note for note in report.notes)
    document: Any = report.document
    first = document["designs"][0]
    assert first["parts"]["optics"] == 2 * (first["parts"]["cables"] - first["parts"]["host_cables"])
    nothing = WITH.model_copy(update={"copper": []})
    document = designs_report(rs.compare_designs(variants, nothing), nothing).document
    first = document["designs"][0]
    assert first["parts"]["optics"] == 2 * first["parts"]["cables"]


def price_of(outcome):
    return outcome.cost.total


def test_the_document_and_the_rows_say_the_same(variants):
    outcomes = rs.compare_designs(variants, WITH)
    report = designs_report(outcomes, WITH, csv=Path("d.csv"))
    document = json.loads(json.dumps(report.document, allow_nan=False, default=asdict))
    assert list(document) == ["schema", "varied", "best", "designs", "figure", "assumptions"]
    assert document["schema"] == "railscope.designs/1"
    assert document["varied"] == list(AXES)
    assert list(document["designs"][0]) == [
        "name",
        "rank",
        "settings",
        "fabric",
        "traffic",
        "placement",
        "routing",
        "summary",
        "bound",
        "hottest",
        "parts",
        "cost",
    ]
    rows = list(csv.DictReader(io.StringIO(str(report.files["d.csv"]))))
    assert ",".join(rows[0]) == (
        "wiring,routing,oversubscription,queue_pairs,name,rank,time_s,busbw_GBps,time_over_bound,worst_tier,"
        "worst_direction,ranks,switches,cables,host_cables,optics,cost,cost_per_gpu,currency"
    )
    assert len(rows) == len(variants) == 12
    for row, design, outcome in zip(rows, document["designs"], outcomes, strict=True):
        assert (row["name"], int(row["rank"])) == (design["name"], design["rank"])
        assert float(row["time_s"]) == design["summary"]["bottleneck_time_s"] == outcome.time_s
        assert float(row["cost"]) == design["cost"]["total"] == price_of(outcome)
        assert int(row["cables"]) == design["parts"]["cables"] == outcome.parts.n_cables
        assert {key: value or None for key, value in row.items() if key in AXES} == {
            key: None if value is None else str(value) for key, value in design["settings"].items()
        }
    best = next(design for design in document["designs"] if design["rank"] == 1)
    assert document["best"] == best["name"] == report.headlines[0].name
    assert sorted(one["rank"] for one in document["designs"]) == list(range(1, 13))


@pytest.mark.parametrize("prices", [WITHOUT, WITH], ids=["unpriced", "priced"])
@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_figure_is_the_same_every_time(variants, prices, suffix):
    outcomes, path = rs.compare_designs(variants, prices), Path(f"d{suffix}")
    one, other = (designs_report(outcomes, prices, figure=path).files[str(path)] for _ in range(2))
    assert one == other
    assert len(one) > 5000
