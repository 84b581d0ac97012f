"""Hashed flows walked in blocks: table or list, one seed or many, give what every flow by itself gives."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import AllToAll, Flows, Groups, InputError
from fabric._kernels.hashed import mix
from fabric.builders import build, fat_tree
from fabric.jobs.placement import Placement, packed
from fabric.routing import hashed, rooms
from fabric.routing.link_loads import link_loads
from fabric.routing.paths import route_flows
from fabric.routing.policies import DModK, Ecmp
from fabric.topology import ENDPOINT, ISL, SWITCH
from tests.fabric.kernels.test_next_hops import damaged
from tests.naive.routing import mix as naive_mix, naive_link_bytes
from tests.random_fabrics import WEIGHTS, topology_of

POLICIES = [Ecmp(), Ecmp(queue_pairs=3, seed=2), Ecmp(shared_seed=True), DModK()]


@pytest.mark.kernels
@settings(deadline=None)
@given(st.integers(0, 2**64 - 1))
def test_mix_is_the_finalizer_of_splitmix64(value):
    assert mix(np.uint64(value)) == naive_mix(value)


@pytest.mark.kernels
@pytest.mark.parametrize("routing", POLICIES, ids=repr)
def test_regular_and_damaged_fabrics_equal_the_slow_walk(routing):
    @settings(deadline=None, max_examples=30)
    @given(damaged(), st.data())
    def check(topology, data):
        n = topology.n_endpoints
        placement = Placement(np.array(data.draw(st.permutations(range(n))), np.int32))
        weight = st.just([2.0] * n) | st.lists(WEIGHTS, min_size=n, max_size=n)
        size = data.draw(st.sampled_from([n, n // 2]))
        send, receive = (np.array(data.draw(weight)[: n // size * size]) for _ in range(2))
        demand = AllToAll(Groups.consecutive(n // size * size, size), send, receive)
        try:
            expected = naive_link_bytes(topology, demand, placement.endpoint, routing)
        except nx.NetworkXNoPath:
            with pytest.raises(InputError, match="no path from"):
                link_loads(topology, demand, placement, routing)
            return
        loads = link_loads(topology, demand, placement, routing).bytes
        np.testing.assert_allclose(loads, expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(loads == 0, expected == 0)

    check()


def leaves_and_spines(per_leaf, spines, cables):
    """A leaf with so many endpoints for each of `per_leaf`, with parallel cables to every spine."""
    homes = np.repeat(np.arange(len(per_leaf)), per_leaf)
    n = homes.size
    rows = [(end, n + leaf, 400.0, 400.0) for end, leaf in enumerate(homes.tolist())]
    rows += [
        (n + leaf, n + len(per_leaf) + spine, 400.0, 400.0)
        for leaf in range(len(per_leaf))
        for spine in range(spines)
        for _ in range(cables)
    ]
    return topology_of([ENDPOINT] * n + [SWITCH] * (len(per_leaf) + spines), rows)


def counted_along_paths(topology, src, dst, routing):
    """Hashed parts of flows on each link, each walked by itself."""
    routed = route_flows(topology, src.astype(np.int32), dst.astype(np.int32), routing)
    return np.bincount(routed.paths.link, minlength=topology.n_links)


def all_pairs(n):
    src, dst = np.divmod(np.arange(n * n), n)
    return src[src != dst], dst[src != dst]


@pytest.mark.parametrize(
    "topology",
    # Tables of one level and of two, few and many second choices; blocks that are full, and several to a pair of leaves.
    [
        build(fat_tree(8)),
        leaves_and_spines([3, 5], 3, 1),
        leaves_and_spines([40, 40, 3], 3, 2),
        leaves_and_spines([20, 20], 2, 9),
    ],
    ids=["three tiers", "two tiers", "parallel cables", "many parallel cables"],
)
@pytest.mark.parametrize("routing", [Ecmp(), Ecmp(queue_pairs=2, seed=7)], ids=repr)
def test_loads_count_the_paths_exactly(topology, routing):
    n = topology.n_endpoints
    demand = AllToAll(Groups.consecutive(n, n), np.full(n, 6.0), np.ones(n))
    loads = link_loads(topology, demand, packed(topology), routing).bytes
    src, dst = all_pairs(n)
    counts = counted_along_paths(topology, src, dst, routing)
    assert (loads == 6.0 / routing.flows_a_pair * counts).all()


@pytest.mark.parametrize("skewed", [False, True])
def test_tables_and_lists_and_flows_agree(monkeypatch, skewed):
    """The same all-to-all through tables, through the list alone, and written out as flows."""
    topology = leaves_and_spines([30, 7, 1], 3, 2)
    n = topology.n_endpoints
    weight = np.linspace(0.5, 2.0, n) if skewed else np.full(n, 3.0)
    demand, routing = AllToAll(Groups.consecutive(n, n), weight, weight[::-1]), Ecmp(queue_pairs=2)
    loads = link_loads(topology, demand, packed(topology), routing).bytes
    src, dst = all_pairs(n)
    flows = Flows(src, dst, weight[src] * weight[::-1][dst])
    np.testing.assert_allclose(link_loads(topology, flows, packed(topology), routing).bytes, loads, rtol=1e-12)
    monkeypatch.setattr(rooms, "TABLE", 0)
    listed = link_loads(topology, demand, packed(topology), routing).bytes
    np.testing.assert_allclose(listed, loads, rtol=1e-12)
    assert skewed or (listed == loads).all()


def test_more_destinations_on_a_leaf_than_a_block_holds():
    topology = leaves_and_spines([1100, 2], 4, 1)
    routing, ends = Ecmp(), np.arange(1102)
    demand = AllToAll(Groups.of([ends.tolist()]), np.ones(1102), np.ones(1102))
    loads = link_loads(topology, demand, packed(topology), routing).bytes
    near, far = np.repeat(ends[:1100], 2), np.tile(ends[1100:], 1100)
    across = counted_along_paths(topology, np.concatenate([near, far]), np.concatenate([far, near]), routing)
    isl = topology.link_kind == ISL
    assert (loads[isl] == across[isl]).all()


def test_tables_are_spread_before_their_numbers_are_full(monkeypatch):
    topology = leaves_and_spines([30, 30], 3, 2)
    demand = AllToAll(Groups.consecutive(60, 60), np.ones(60), np.ones(60))
    routing = Ecmp(queue_pairs=8)
    whole = link_loads(topology, demand, packed(topology), routing).bytes
    spread = []
    for most in (900, 2000):  # after every queue pair of 900 flows, and after every two
        monkeypatch.setattr(hashed, "MOST_COUNTED", most)
        spread.append(link_loads(topology, demand, packed(topology), routing).bytes)
    assert all((loads == whole).all() for loads in spread)
