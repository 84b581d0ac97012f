"""The links of every flow under every policy, flow by flow."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import InputError
from fabric.routing.paths import route_flows
from fabric.routing.policies import Adaptive, DModK, Ecmp
from tests.naive.routing import naive_flow_bytes
from tests.random_fabrics import fabrics


def bytes_of_each_flow(topology, src, dst, routing):
    """(F, n_links): what each flow of one byte leaves on each link along its paths."""
    routed = route_flows(topology, src, dst, routing)
    paths = routed.paths
    part = np.repeat(np.arange(paths.n_flows), np.diff(paths.start))
    carried = routed.part[part] * (1.0 if paths.fraction is None else paths.fraction)
    got = np.zeros((len(src), topology.n_links))
    np.add.at(got, (routed.flow[part], paths.link), carried)
    return got


@pytest.mark.kernels
@pytest.mark.parametrize("routing", [Adaptive(), DModK(), Ecmp(), Ecmp(queue_pairs=3, seed=2)], ids=repr)
def test_paths_equal_the_slow_walk(routing):
    @settings(deadline=None, max_examples=40)
    @given(fabrics(), st.data())
    def check(topology, data):
        end = st.integers(0, topology.n_endpoints - 1)
        pairs = data.draw(st.lists(st.tuples(end, end), min_size=1, max_size=6))
        src, dst = (np.array(ends, np.int32) for ends in zip(*pairs, strict=True))
        try:
            expected = naive_flow_bytes(topology, src, dst, routing)
        except nx.NetworkXNoPath:
            with pytest.raises(InputError, match="no path from"):
                route_flows(topology, src, dst, routing)
            return
        got = bytes_of_each_flow(topology, src, dst, routing)
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)

    check()
