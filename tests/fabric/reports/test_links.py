"""What is said of links: the CSV of them, and one line for a hot one."""

import csv
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collectives.demand import Flows
from fabric import Adaptive, Ecmp, LinkLoads, build, link_loads, links_csv, packed, read_preset
from fabric.formats.opening import open_fabric
from fabric.reports.csv_text import csv_text
from fabric.reports.links import GUID_COLUMNS, LINK_COLUMNS, hotspot_table, link_text, tier_text
from fabric.reports.loads import routing_text
from fabric.studies.hotspots import Hotspot
from fabric.topology import DIRECTIONS, LINK_KINDS, UNKNOWN
from tests.fabric.counter_twins import IB

_SPOT = Hotspot(0, "l0 port 1 -> s0 port 2", "leaf-spine", "up", 1e9, 400.0, 0.02, 2.345, 1.0)


@given(st.lists(st.lists(st.text(st.characters(codec="ascii"), max_size=5), min_size=2, max_size=2)))
def test_csv_reads_back_as_written(rows):
    text = csv_text(("a", "b"), rows)
    # What a spreadsheet would run is marked; numbers are not.
    runs = re.compile(r"[=+\-@\t\r](?!(?<=[+-])[0-9.]+([eE][+-]?[0-9]+)?\Z).*", re.DOTALL)
    marked = [["'" + cell if runs.fullmatch(cell) else cell for cell in row] for row in rows]
    given_rows = [[cell.replace("\r\n", "\n") for cell in row] for row in marked]
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["a", "b"], *given_rows]


def test_rows_of_a_dump_say_guids_and_lids():
    fabric = open_fabric(str(IB / "naive64-updn.ibnetdiscover.gz"))
    rows = list(csv.DictReader(io.StringIO(links_csv(LinkLoads.none(fabric.topology)))))
    assert list(rows[0])[-4:] == list(GUID_COLUMNS)
    row = next(row for row in rows if (row["tail"], row["head"]) == ("h0007r0", "leaf7"))
    assert [row[name] for name in GUID_COLUMNS] == ["0x0000000000100071", "73", "0x0000000000200007", "12"]


def test_a_row_per_directed_link():
    topology = build(read_preset("hgx-b200-64"))
    loads = link_loads(topology, Flows(np.array([0]), np.array([9]), np.array([1e6])), packed(topology, 64), Adaptive())
    header, *rows = csv.reader(io.StringIO(links_csv(loads)))
    assert tuple(header) == LINK_COLUMNS
    assert len(rows) == topology.n_links
    nodes = topology.nodes

    def known(*values):
        return next((str(value) for value in values if value != UNKNOWN), "")

    for link, row in enumerate(rows):
        tail, head = topology.link_tail[link], topology.link_head[link]
        assert row == [
            nodes.name[tail],
            known(topology.link_tail_port[link]),
            nodes.name[head],
            known(topology.link_head_port[link]),
            LINK_KINDS[topology.link_kind[link]],
            str(topology.link_tier[link]),
            DIRECTIONS[topology.link_direction[link]],
            known(nodes.rail[tail], nodes.rail[head]),
            known(nodes.plane[tail], nodes.plane[head]),
            repr(float(topology.link_capacity_gbps[link])),
            repr(float(loads.bytes[link])),
        ]
    assert {row[4] for row in rows} == {"nic", "isl", "nvlink"}


@pytest.mark.parametrize(
    ("spot", "expected"),
    [
        (_SPOT, "l0 port 1 -> s0 port 2 (leaf-spine up, 2.35x the mean)"),
        (replace(_SPOT, over_mean=1.0), "l0 port 1 -> s0 port 2 (leaf-spine up, at the mean)"),
        (replace(_SPOT, over_mean=float("nan")), "l0 port 1 -> s0 port 2 (leaf-spine up)"),
        (
            replace(_SPOT, tier="within tier 2", direction="peer"),
            "l0 port 1 -> s0 port 2 (within tier 2, 2.35x the mean)",
        ),
        (None, "none: nothing is carried"),
    ],
)
def test_a_hot_link_in_one_line(spot, expected):
    assert link_text(spot) == expected


def test_tiers_and_routings_are_said_in_words():
    assert tier_text("leaf-spine", "down") == "leaf-spine down"
    assert routing_text(Adaptive()) == "adaptive"
    assert routing_text(Ecmp()) == "ecmp, 1 flow a pair, seed 0, a hash seed for each switch"
    assert routing_text(Ecmp(4, 3, True)) == "ecmp, 4 flows a pair, seed 3, one hash seed for all switches"


def test_hotspots_that_slow_nothing_down_are_counted_not_listed():
    def spot(number: int, of_busiest: float) -> Hotspot:
        return Hotspot(number, f"a -> b{number}", "NVLink", "up", 1.0, 400.0, of_busiest, 2.0, of_busiest)

    hot = (spot(0, 1.0), spot(1, 0.5), spot(2, 0.01))
    table = hotspot_table(hot, 1.5, top=1)
    assert [row[1] for row in table.rows] == ["a -> b0"]
    assert table.title.endswith("the first 1 of 2")
    table = hotspot_table(hot[2:], 1.5, top=20)
    assert not table.rows
    assert ": 1, none of them busy for 10% of" in table.title
    assert hotspot_table((), 1.5, top=20).title.endswith(": none")
