"""Link loads against slow reference walks, on random fabrics."""

import networkx as nx
import numpy as np
import pytest
from fabric.placement import Placement
from hypothesis import given, settings
from hypothesis import strategies as st

from collectives.errors import InputError
from fabric.load import link_loads
from fabric.routing import Adaptive, DModK, Ecmp
from tests.naive_routing import assert_conserved, naive_link_bytes, pairs_of
from tests.random_fabrics import all_to_all_demands, fabrics, flow_demands

POLICIES = [Adaptive(), DModK(), Ecmp(), Ecmp(queue_pairs=3, seed=5), Ecmp(shared_seed=True)]


def policy_name(policy):
    return repr(policy)


@st.composite
def cases(draw, demands):
    topology = draw(fabrics())
    endpoint = np.array(draw(st.permutations(range(topology.n_endpoints))), np.int32)
    return topology, draw(demands(topology.n_endpoints)), Placement(endpoint)


def sent_and_received(topology, demand, placement):
    sent, received = np.zeros(topology.n_endpoints), np.zeros(topology.n_endpoints)
    for i, j, amount in pairs_of(demand):
        if i != j:
            sent[placement.endpoint[i]] += amount
            received[placement.endpoint[j]] += amount
    return sent, received


@pytest.mark.parametrize("routing", POLICIES, ids=policy_name)
@pytest.mark.parametrize("demands", [flow_demands, all_to_all_demands])
def test_equals_the_slow_walk(routing, demands):
    @settings(deadline=None, max_examples=60)
    @given(cases(demands))
    def check(case):
        topology, demand, placement = case
        try:
            expected = naive_link_bytes(topology, demand, placement.endpoint, routing)
        except nx.NetworkXNoPath:
            with pytest.raises(InputError, match="no path from"):
                link_loads(topology, demand, placement, routing)
            return
        loads = link_loads(topology, demand, placement, routing)
        np.testing.assert_allclose(loads.bytes, expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(loads.bytes == 0, expected == 0)
        assert_conserved(topology, loads.bytes, *sent_and_received(topology, demand, placement))

    check()
