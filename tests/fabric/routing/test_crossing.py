"""Who sends over a link: the sweep backwards against every pair sent forwards, one by one."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import railscope as rs
from fabric.routing.crossing import crossing
from fabric.routing.policies import Adaptive, DModK, Ecmp, LinkWeights
from tests.naive.crossing import naive_parts
from tests.random_fabrics import fabrics


@pytest.mark.kernels
@settings(deadline=None, max_examples=25)
@given(fabrics(), st.sampled_from(["adaptive", "ecmp", "dmodk", "link-weights"]), st.integers(0, 3))
def test_parts_are_those_of_every_pair(topology, name, seed):
    weights = np.random.default_rng(seed).integers(1, 4, topology.n_links).astype(float)
    routing = {
        "adaptive": Adaptive(),
        "ecmp": Ecmp(queue_pairs=2, seed=seed),
        "dmodk": DModK(),
        "link-weights": LinkWeights(weights),
    }[name]
    expected = naive_parts(topology, routing)
    n = topology.n_endpoints
    ends = np.arange(n, dtype=np.int32)
    for link in range(topology.n_links):
        asked = crossing(topology, link, routing)
        may = asked.candidates(ends, ends)
        assert not expected[..., link][~may].any()
        src, dst = np.nonzero(may)
        got = np.zeros((n, n))
        got[src, dst] = asked.parts(src.astype(np.int32), dst.astype(np.int32))
        np.testing.assert_allclose(got, expected[..., link], rtol=1e-9, atol=1e-12)


def test_tables_say_who_sends_over_a_link():
    """A damaged fabric of 512 endpoints under OpenSM's tables: the bytes of its hottest link, pair by pair."""
    opened = rs.open_fabric("tests/data/infiniband/hurt512-updn.ibnetdiscover.gz")
    lfts = rs.match_lfts(rs.open_lfts("tests/data/infiniband/hurt512-updn.lfts.gz"), opened.topology, opened.origin)
    scenario = rs.Scenario.of(opened, rs.Collective("all-to-all", size=512.0), lfts=lfts)
    loads = rs.analyse(scenario).loads.total
    ends = np.arange(512, dtype=np.int32)
    hottest = int(loads.seconds.argmax())
    for link in (hottest, int(opened.topology.link_reverse[hottest])):
        asked = crossing(opened.topology, link, scenario.routing)
        src, dst = np.nonzero(asked.candidates(ends, ends))
        parts = asked.parts(src.astype(np.int32), dst.astype(np.int32))
        assert parts.sum() == pytest.approx(loads.bytes[link])
        assert np.count_nonzero(parts) < 0.1 * 512 * 511
