"""Summaries and hotspots of loads that are known by hand."""

from pathlib import Path

import numpy as np
import pytest

from collectives.schedule import Overlap
from fabric.builders import build
from fabric.builders.description import parse_description
from fabric.jobs.placement import packed
from fabric.routing.link_loads import LinkLoads, ScheduleLoads
from fabric.studies.hotspots import (
    bottleneck,
    hotspots,
    links_in_job,
    schedule_bottleneck,
    tier_summaries,
    worst_imbalance,
)
from fabric.topology import DOWN, ISL, NIC, UP


@pytest.fixture(scope="module")
def fabric():
    path = Path(__file__).parents[3] / "examples" / "tight-64.toml"
    return build(parse_description(path.read_text(), path.name))


def test_one_hot_cable_is_found_and_named(fabric):
    load = np.zeros(fabric.n_links)
    up = np.flatnonzero((fabric.link_kind == ISL) & (fabric.link_direction == UP))
    load[up] = 50e9
    load[up[5]] = 250e9
    loads = LinkLoads(fabric, load)
    (tier,) = [row for row in tier_summaries(loads) if (row.name, row.direction) == ("leaf-spine", "up")]
    n = up.size
    mean = (50 * (n - 1) + 250) / n / 50
    assert (tier.links, tier.used, tier.bytes) == (64, 64, pytest.approx(50e9 * 63 + 250e9))
    assert (tier.max_s, tier.mean_s) == (pytest.approx(5.0), pytest.approx(mean))
    assert tier.imbalance == pytest.approx(5 / mean)
    assert tier.hot_share == pytest.approx(1 / 64)
    assert tier.p99_s == pytest.approx(np.percentile([1.0] * 63 + [5.0], 99))
    (spot,) = hotspots(loads)
    hottest = bottleneck(loads)
    assert hottest is not None
    assert spot.name == fabric.link_name(int(up[5])) == hottest.name
    assert spot.name == "r0-l00 port 14 -> s02 port 2"
    assert worst_imbalance(tier_summaries(loads)) == tier.imbalance
    assert loads.bottleneck_time_s == pytest.approx(5.0)


def test_even_loads_have_no_hotspots_and_idle_fabrics_no_bottleneck(fabric):
    even = LinkLoads(fabric, np.ones(fabric.n_links))
    assert hotspots(even) == ()
    assert [row.imbalance for row in tier_summaries(even)] == pytest.approx([1.0] * 6)
    idle = LinkLoads(fabric, np.zeros(fabric.n_links))
    assert bottleneck(idle) is None
    assert {row.imbalance for row in tier_summaries(idle)} == {None}
    assert worst_imbalance(tier_summaries(idle)) is None


def test_every_link_is_in_one_tier_and_direction(fabric):
    assert sum(row.links for row in tier_summaries(LinkLoads(fabric, np.zeros(fabric.n_links)))) == fabric.n_links


def test_cables_of_endpoints_outside_the_job_are_not_counted(fabric):
    counted = links_in_job(fabric, packed(fabric, 16))
    for direction in (UP, DOWN):
        host = (fabric.link_kind == NIC) & (fabric.link_direction == direction)
        assert counted[host].sum() == 16
    assert counted[fabric.link_kind == ISL].all()


def test_the_bottleneck_of_a_schedule_is_that_of_its_longest_phase(fabric):
    isl = np.flatnonzero((fabric.link_kind == ISL) & (fabric.link_direction == UP))
    first, second = np.zeros(fabric.n_links), np.zeros(fabric.n_links)
    first[isl[3]], second[isl[7]] = 3e9, 1e9
    phases = tuple(LinkLoads(fabric, load) for load in (first, second))
    cases: tuple[tuple[tuple[int, ...], Overlap, int], ...] = (
        ((1, 2), "sequential", 3),
        ((1, 4), "sequential", 7),
        ((1, 2), "pipelined", 3),
    )
    for repeats, overlap, link in cases:
        spot = schedule_bottleneck(ScheduleLoads(fabric, phases, repeats, ("a", "b"), overlap))
        assert spot is not None
        assert spot.link == isl[link]
    assert spot is not None
    assert spot.seconds == pytest.approx(3e9 * 8 / 400e9)


def test_idle_links_are_not_in_the_mean(fabric):
    """Three of 64 uplinks carry 1, 1 and 4: the busiest is twice their mean, whatever else there is."""
    up = np.flatnonzero((fabric.link_kind == ISL) & (fabric.link_direction == UP))
    load = np.zeros(fabric.n_links)
    load[up[:3]] = 1e9, 1e9, 4e9
    loads = LinkLoads(fabric, load)
    (tier,) = [row for row in tier_summaries(loads) if (row.name, row.direction) == ("leaf-spine", "up")]
    assert (tier.links, tier.used, tier.imbalance) == (64, 3, pytest.approx(2.0))
    assert tier.hot_share == pytest.approx(1 / 3)
    (spot,) = hotspots(loads)
    assert spot.over_mean == pytest.approx(2.0)


def test_a_link_is_as_far_above_its_mean_wherever_it_is_named(fabric):
    """What the longest phase and the table of all phases say of one link is of one mean."""
    up = np.flatnonzero((fabric.link_kind == ISL) & (fabric.link_direction == UP))
    first, second = np.zeros(fabric.n_links), np.zeros(fabric.n_links)
    first[up[:4]] = 4e9, 1e9, 1e9, 2e9
    second[up[4:8]] = 1e9
    schedule = ScheduleLoads(
        fabric, tuple(LinkLoads(fabric, load) for load in (first, second)), (1, 1), ("a", "b"), "sequential"
    )
    hottest = schedule_bottleneck(schedule)
    assert hottest is not None
    assert hottest.over_mean == pytest.approx(4 / (12 / 8))
    (spot,) = hotspots(schedule.total, threshold=2.0)
    assert (spot.link, spot.over_mean) == (hottest.link, pytest.approx(hottest.over_mean))
