"""What routing, rails, planes and placement change: the model beside closed forms and what was published."""

import numpy as np
import pytest

from benchmarks import effects
from fabric.topology import ISL, NIC


@pytest.fixture(autouse=True)
def few_seeds(monkeypatch):
    monkeypatch.setattr(effects, "SEEDS", 6)


def test_missing_links_are_gone_with_their_other_direction():
    topology = effects.fabric(16, 4, 4, planes=2)
    gone = np.zeros(topology.n_links, bool)
    gone[np.flatnonzero(topology.link_kind == ISL)[:3]] = True
    cables = {frozenset((int(link), int(topology.link_reverse[link]))) for link in np.flatnonzero(gone)}
    less = effects.without(topology, gone)
    assert less.n_links == topology.n_links - 2 * len(cables)
    assert less.nodes.name == topology.nodes.name
    assert (less.link_kind == NIC).sum() == (topology.link_kind == NIC).sum()


def test_hashing_loses_what_balls_in_bins_lose():
    adaptive, averaged, spread_of_1000, *pairs = effects.hashing()
    assert adaptive.modelled == (pytest.approx(1.0), pytest.approx(1.0))
    # 1 - (1 - 1/n)^n of n flows on n links.
    assert averaged.modelled[0] == pytest.approx(1 - (1 - 1 / 32) ** 32, abs=0.06)
    assert spread_of_1000.gap == 1.0
    assert all(row.modelled[0] > 1.15 for row in pairs)


def test_planes_and_cables_that_fail_take_their_part():
    *planes, cables, port = effects.planes()
    for row in planes:
        assert row.modelled == (pytest.approx(row.measured[0]), pytest.approx(row.measured[0]))
    assert 0.8 < cables.modelled[0] < cables.modelled[1] <= 1.0
    assert port.modelled == (pytest.approx(0.5), pytest.approx(15 / 16))


def test_published_effects_are_within_the_models_range(monkeypatch):
    monkeypatch.setattr(effects, "SEEDS", 20)
    rows = [*effects.rails(), *effects.concurrent(), *effects.placement(), *effects.crossing()]
    assert [row.name for row in rows if row.gap > 1.1] == []
    # One NIC a host has nobody to collide with.
    assert rows[-1].modelled == (pytest.approx(1.0), pytest.approx(1.0))
    assert rows[-2].modelled[0] < 0.9
    lines = effects.lines_of(rows)
    assert all(len(line) <= 90 for line in lines)
    assert len(lines) > 2 * len(rows)
