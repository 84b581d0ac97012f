"""Link loads against slow reference walks, on random fabrics."""

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import (
    AllToAll,
    Demand,
    Flows,
    Groups,
    InputError,
    Phase,
    Reduction,
    Schedule,
    all_to_all,
    ring_all_reduce,
)
from fabric.bounds.cuts import cut_bound
from fabric.bounds.linear_program import linear_program_bound
from fabric.builders import build, fat_tree
from fabric.builders.faults import with_capacity_left
from fabric.formats.opening import open_fabric
from fabric.jobs.placement import Placement, packed
from fabric.routing.link_loads import link_loads, schedule_loads
from fabric.routing.policies import Adaptive, DModK, Ecmp, Routing
from fabric.topology import ENDPOINT, NIC, NVSWITCH, SWITCH, UP
from tests.naive.routing import assert_conserved, naive_link_bytes, pairs_of
from tests.random_fabrics import all_to_all_demands, fabrics, flow_demands, topology_of

DATA = Path(__file__).parents[2] / "data" / "infiniband"
POLICIES: list[Routing] = [Adaptive(), DModK(), Ecmp(), Ecmp(queue_pairs=3, seed=5), Ecmp(shared_seed=True)]


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


@pytest.mark.kernels
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


def crossed_domains():
    """12 endpoints on 3 leaves under 2 spines, in 3 NVLink domains that lie across the leaves."""
    n = 12
    kinds = [ENDPOINT] * n + [SWITCH] * 5 + [NVSWITCH] * 3
    cables = [(e, n + e // 4, 400.0, 400.0) for e in range(n)]
    cables += [(n + leaf, n + 3 + spine, 400.0, 200.0 + 200.0 * spine) for leaf in range(3) for spine in range(2)]
    cables += [(e, n + 5 + e % 3, 7200.0, 7200.0) for e in range(n) if e != 7]
    return topology_of(kinds, cables)


@pytest.mark.kernels
@pytest.mark.parametrize("routing", POLICIES, ids=policy_name)
def test_blocks_and_domains_that_cross(routing):
    topology = crossed_domains()
    placement = Placement(np.arange(12, dtype=np.int32))
    groups = Groups.of([list(range(12)), [0, 3, 5, 7], [1, 2, 4, 6, 8, 10]])
    generator = np.random.default_rng(1)
    send, receive = generator.integers(0, 4, (2, 22)).astype(float)
    block = generator.integers(0, 5, 22).astype(np.int32)
    for demand in (AllToAll(groups, send, receive, block), AllToAll(groups, send, receive)):
        expected = naive_link_bytes(topology, demand, placement.endpoint, routing)
        loads = link_loads(topology, demand, placement, routing)
        np.testing.assert_allclose(loads.bytes, expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(loads.bytes == 0, expected == 0)


def uniform(n):
    return AllToAll(Groups.consecutive(n, n), np.ones(n), np.ones(n))


@pytest.fixture(scope="module")
def tree():
    """A 3-tier fat tree of 128 endpoints."""
    return build(fat_tree(8))


@pytest.mark.parametrize("routing", POLICIES, ids=policy_name)
def test_threads_do_not_change_a_bit(tree, routing):
    placement = Placement(np.random.default_rng(0).permutation(tree.n_endpoints).astype(np.int32))
    demand = AllToAll(Groups.consecutive(128, 32), np.linspace(0.1, 1, 128), np.linspace(2, 0.3, 128))
    one = link_loads(tree, demand, placement, routing, n_threads=1)
    two = link_loads(tree, demand, placement, routing, n_threads=2)
    assert one.bytes.tobytes() == two.bytes.tobytes()


@pytest.mark.parametrize("routing", POLICIES, ids=policy_name)
def test_all_to_all_on_a_full_bisection_fat_tree(tree, routing):
    """Each host link carries n - 1; all policies cross the same number of links (bytes x hops)."""
    n, per_leaf, per_pod = 128, 4, 16
    loads = link_loads(tree, uniform(n), packed(tree), routing)
    host = tree.link_kind == NIC
    np.testing.assert_allclose(loads.bytes[host], n - 1)
    near, pod = n * (per_leaf - 1), n * (per_pod - per_leaf)
    hops = 2 * near + 4 * pod + 6 * n * (n - per_pod)
    assert loads.bytes.sum() == pytest.approx(hops)
    leaf_up = (tree.link_tier == 2) & (tree.link_direction == UP)
    if not isinstance(routing, Ecmp):
        # A leaf's 4 endpoints send to n - 4 others over 4 uplinks.
        np.testing.assert_allclose(loads.bytes[leaf_up], n - per_leaf)


def test_ring_in_order_crosses_each_leaf_once(tree):
    schedule = ring_all_reduce(Groups.consecutive(128, 128), 128.0)
    loads = schedule_loads(tree, schedule, packed(tree))
    total = 2 * 127 / 128 * 128.0
    host = tree.link_kind == NIC
    np.testing.assert_allclose(loads.total.bytes[host], total)
    up = (tree.link_tier == 2) & (tree.link_direction == UP)
    # One of a leaf's 4 members has its neighbour on another leaf; its bytes are split over 4 uplinks.
    np.testing.assert_allclose(loads.total.bytes[up], total / 4)
    assert loads.bottleneck_time_s == pytest.approx(total * 8 / 400e9)


def test_ecmp_tends_to_adaptive_over_seeds(tree):
    generator = np.random.default_rng(3)
    demand = Flows(np.arange(128), generator.permutation(128), np.full(128, 1.0))
    even = link_loads(tree, demand, packed(tree)).bytes
    n_seeds = 400
    mean = sum(link_loads(tree, demand, packed(tree), Ecmp(seed=seed)).bytes for seed in range(n_seeds)) / n_seeds
    # A link's load is a sum of few Bernoulli draws of variance <= 1/4 each.
    np.testing.assert_allclose(mean, even, atol=6 * np.sqrt(4 * 0.25 / n_seeds))
    assert np.abs(mean - even).max() > 0


def test_relabelling_endpoints_permutes_loads():
    """Two endpoints change places: so do their links' loads, and nothing else."""
    topology = crossed_domains()
    demand = AllToAll(Groups.of([[0, 1, 2, 3, 4, 5]]), np.arange(6.0), np.ones(6))
    one = link_loads(topology, demand, Placement(np.array([0, 1, 2, 4, 5, 8], np.int32)))
    # Endpoints 0 and 3 are alike: leaf 0, domain 0.
    two = link_loads(topology, demand, Placement(np.array([3, 1, 2, 4, 5, 8], np.int32)))
    swap = {0: 3, 3: 0}
    ends = [tuple(row) for row in zip(topology.link_tail.tolist(), topology.link_head.tolist(), strict=True)]
    twin = [ends.index((swap.get(tail, tail), swap.get(head, head))) for tail, head in ends]
    np.testing.assert_allclose(two.bytes[twin], one.bytes)


def test_shared_seeds_polarize():
    """With one seed everywhere a spine gets only flows of one hash range and uses one of its uplinks."""
    topology = build(fat_tree(16))
    demand = uniform(topology.n_endpoints)
    spine_up = (topology.link_tier == 3) & (topology.link_direction == UP)
    own = link_loads(topology, demand, packed(topology), Ecmp()).bytes[spine_up]
    shared = link_loads(topology, demand, packed(topology), Ecmp(shared_seed=True)).bytes[spine_up]
    assert np.count_nonzero(own) == own.size
    assert np.count_nonzero(shared) == shared.size // 8
    assert own.sum() == pytest.approx(shared.sum())


@pytest.mark.parametrize("shift", [1, 4, 16, 37, 64, 100])
def test_dmodk_carries_shifts_without_contention(tree, shift):
    """Zahavi's theorem: every shift permutation of a full-bisection tree loads no link twice."""
    n = tree.n_endpoints
    demand = Flows(np.arange(n), (np.arange(n) + shift) % n, np.ones(n))
    assert link_loads(tree, demand, packed(tree), DModK()).bytes.max() == 1
    if shift >= 16:
        # Enough flows leave each leaf for hashes to collide.
        assert link_loads(tree, demand, packed(tree), Ecmp()).bytes.max() > 1


def test_queue_pairs_even_ecmp_out(tree):
    demand = Flows(np.arange(128), (np.arange(128) + 64) % 128, np.ones(128))
    worst = [link_loads(tree, demand, packed(tree), Ecmp(queue_pairs=q)).bytes.max() for q in (1, 16, 256)]
    assert worst[0] > worst[1] > worst[2] >= 1


def test_planes_share_and_survive_a_lost_port():
    """Two planes carry half each; an endpoint that lost a port sends all by the other, both ways."""
    both = [(e, 4 + plane, 200.0, 200.0) for e in range(4) for plane in range(2)]
    whole = topology_of([ENDPOINT] * 4 + [SWITCH] * 2, both)
    loads = link_loads(whole, uniform(4), packed(whole))
    np.testing.assert_allclose(loads.bytes, 1.5)
    hurt = topology_of([ENDPOINT] * 4 + [SWITCH] * 2, both[1:])
    loads = link_loads(hurt, Flows([1, 0], [0, 1], [6.0, 2.0]), packed(hurt))
    carried = {hurt.link_name(link): loads.bytes[link] for link in np.flatnonzero(loads.bytes)}
    assert {name.split(" ")[0] + name.split(" ")[4]: value for name, value in carried.items()} == {
        "h1s5": 6.0,
        "s5h0": 6.0,
        "h0s5": 2.0,
        "s5h1": 2.0,
    }


def test_reduction_uses_each_tree_link_once_each_way():
    topology = crossed_domains()
    demand = Reduction(Groups.of([[0, 1, 4, 8], [2, 5, 8, 11]]), np.array([10.0, 3.0]))
    loads = link_loads(topology, demand, Placement(np.arange(12, dtype=np.int32)))
    carried = {topology.link_name(link): loads.bytes[link] for link in np.flatnonzero(loads.bytes)}
    nvlink = {name: value for name, value in carried.items() if " -> n" in name or name.startswith("n")}
    # The second group is domain 2: four GPUs up and down through its NVLink switch.
    assert sorted(nvlink.values()) == [3.0] * 8
    tree = [value for name, value in carried.items() if name not in nvlink]
    # The first has members on three leaves: 4 host links and 3 uplinks, both ways.
    assert tree == [10.0] * 14


def test_ranks_and_paths_are_checked(tree):
    with pytest.raises(InputError, match="rank 7 out of range: the job has ranks 0 to 3"):
        link_loads(tree, Flows([0], [7], [1.0]), packed(tree, 4))
    split = topology_of([ENDPOINT] * 4 + [SWITCH] * 2, [(e, 4 + e // 2, 100.0, 100.0) for e in range(4)])
    demands: tuple[Demand, ...] = (Flows([0], [3], [1.0]), uniform(4))
    for demand in demands:
        for routing in POLICIES:
            with pytest.raises(InputError, match=r"no path from h\d to h\d in fabric random"):
                link_loads(split, demand, packed(split), routing)
    np.testing.assert_array_equal(link_loads(split, Flows([0, 2], [3, 2], [0.0, 5.0]), packed(split)).bytes, 0)


def test_loads_add_scale_and_compare(tree):
    one = link_loads(tree, uniform(128), packed(tree))
    np.testing.assert_allclose((one + one.scaled(2.0)).bytes, 3 * one.bytes)
    np.testing.assert_allclose(one.scaled(2.0).ratio_to(one), 2.0)
    graph = one.to_networkx()
    assert sum(data["bytes"] for *_, data in graph.edges(data=True)) == pytest.approx(one.bytes.sum())
    with pytest.raises(InputError, match="same topology"):
        one + link_loads(build(fat_tree(4)), uniform(16), Placement(np.arange(16, dtype=np.int32)))


@pytest.mark.kernels
@pytest.mark.parametrize("routing", POLICIES, ids=policy_name)
def test_idle_links_stay_idle(routing):
    """Bytes of a member to itself, split 300 : 200 over its ports, leave no rounding behind."""
    cables = [(0, 2, 100.0, 100.0), (0, 2, 200.0, 200.0), (0, 3, 200.0, 200.0), (1, 2, 100.0, 100.0)]
    fabric = topology_of([ENDPOINT] * 2 + [SWITCH] * 2, [*cables, (2, 3, 100.0, 100.0)])
    alone = np.array([0.0, 3.5])
    demand = AllToAll(Groups.of([[1, 0]]), alone, alone)
    assert (link_loads(fabric, demand, packed(fabric), routing).bytes == 0).all()


def two_leaves(up, down, gbps=100.0, nic=1e6):
    """Two endpoints on two leaves below spines; `up` and `down` list the cables of each leaf to each spine, in units."""
    n_spines = len(up)
    kinds = [ENDPOINT] * 2 + [SWITCH] * (2 + n_spines)
    cables = [(0, 2, nic, nic), (1, 3, nic, nic)]
    for spine, (left, right) in enumerate(zip(up, down, strict=True)):
        cables += [(2, 4 + spine, gbps * speed, gbps * speed) for speed in left]
        cables += [(3, 4 + spine, gbps * speed, gbps * speed) for speed in right]
    return topology_of(kinds, cables)


def test_parallel_cables_are_counted_together():
    """2 + 2 cables up, 2 + 1 down: the spine that lost one gets a third of the bytes, not half."""
    topology = two_leaves([(1, 1), (1, 1)], [(1, 1), (1,)])
    loads = link_loads(topology, Flows([0], [1], [1200e9]), packed(topology), Adaptive())
    assert loads.bottleneck_time_s == pytest.approx(32.0)


def test_a_real_fabric_that_has_lost_cables():
    """512 endpoints, 24 of 1,024 cables gone: 1.02 s, where counting each cable by itself gave 1.694 s."""
    fabric = open_fabric(str(DATA / "hurt512-updn.ibnetdiscover.gz")).topology
    everyone = Groups.consecutive(512, 512)
    loads = schedule_loads(fabric, all_to_all(everyone, 2.0**30), packed(fabric))
    bound = cut_bound(fabric, packed(fabric), "all-to-all", everyone, 2.0**30)
    assert loads.bottleneck_time_s == pytest.approx(1.02, rel=0.01)
    assert bound.time_s <= loads.bottleneck_time_s


SPEEDS = st.lists(st.sampled_from([0.5, 1.0, 2.0, 4.0]), min_size=0, max_size=3)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(SPEEDS, SPEEDS), min_size=1, max_size=4))
def test_two_tiers_reach_the_maximum_flow(spines):
    """Between two leaves the ways over different spines share nothing, so that the split by capacity is the best."""
    up, down = zip(*spines, strict=True)
    graph: nx.DiGraph[object] = nx.DiGraph()
    graph.add_nodes_from(["a", "b"])
    for spine, (left, right) in enumerate(spines):
        graph.add_edge("a", spine, capacity=sum(left))
        graph.add_edge(spine, "b", capacity=sum(right))
    most = nx.maximum_flow_value(graph, "a", "b")
    topology = two_leaves(up, down)
    demand = Flows([0], [1], [1e9])
    if most == 0:
        with pytest.raises(InputError, match="no path from"):
            link_loads(topology, demand, packed(topology), Adaptive())
        return
    loads = link_loads(topology, demand, packed(topology), Adaptive())
    assert loads.bottleneck_time_s == pytest.approx(1e9 * 8 / (most * 100e9))
    least = linear_program_bound(topology, Schedule((Phase(demand, 1, "one"),)), packed(topology))
    assert loads.bottleneck_time_s == pytest.approx(least.time_s, rel=1e-6)


def two_planes(slow):
    """Two endpoints with a port of 100 Gb/s in each of two planes; the leaves of the second lead on at `slow`."""
    kinds = [ENDPOINT] * 2 + [SWITCH] * 6
    cables = [(end, 2 + plane * 2 + end, 100.0, 100.0) for end in range(2) for plane in range(2)]
    cables += [
        (2 + plane * 2 + leaf, 6 + plane, gbps, gbps) for plane, gbps in ((0, 100.0), (1, slow)) for leaf in range(2)
    ]
    return topology_of(kinds, cables)


@pytest.mark.parametrize(
    ("routing", "expected"),
    # Adaptive gives each plane what it can take: 125 of 200 Gb/s; an equal split is held up by the slow one, at 50.
    [(Adaptive(), 125.0), (Ecmp(), 50.0), (DModK(), 50.0)],
    ids=policy_name,
)
def test_a_nic_sees_slow_planes_under_adaptive_routing_only(routing, expected):
    topology = two_planes(25.0)
    loads = link_loads(topology, Flows([0], [1], [1e9]), packed(topology), routing)
    assert 8 / loads.bottleneck_time_s == pytest.approx(expected)


@pytest.mark.parametrize("routing", [Adaptive(), Ecmp(), DModK()], ids=policy_name)
def test_planes_that_differ_in_speed_at_the_nic(routing):
    """Ports of 100 and 300 Gb/s: each takes its part, under every policy."""
    kinds = [ENDPOINT] * 2 + [SWITCH] * 2
    topology = topology_of(
        kinds,
        [(end, 2 + plane, 100.0 + 200.0 * plane, 100.0 + 200.0 * plane) for end in range(2) for plane in range(2)],
    )
    loads = link_loads(topology, Flows([0], [1], [1e9]), packed(topology), routing)
    assert 8 / loads.bottleneck_time_s == pytest.approx(400.0)


@pytest.mark.parametrize("routing", POLICIES, ids=policy_name)
def test_an_endpoint_that_lost_its_cables_is_not_forgotten(routing):
    """Bytes to it, and from it, have no way; nobody may drop them, as a destination or as a source."""
    whole = build(fat_tree(4))
    cables = np.flatnonzero(whole.link_tail == whole.endpoints[3])
    left = np.ones(whole.n_links)
    left[cables] = 0.0
    topology = with_capacity_left(whole, left).topology
    for src, dst in ((5, 3), (3, 5)):
        flow = Flows(np.array([src], np.int32), np.array([dst], np.int32), np.array([1e6]))
        with pytest.raises(InputError, match=f"no path from .*{topology.endpoint_names[src]}"):
            link_loads(topology, flow, packed(topology), routing)
    # Who sends nothing to it has his bytes carried.
    send, receive = np.ones(16), np.ones(16)
    send[3] = receive[3] = 0.0
    demand = AllToAll(Groups.consecutive(16, 16), send, receive)
    assert link_loads(topology, demand, packed(topology), routing).bytes.any()
    receive[3] = 1.0
    demand = AllToAll(Groups.consecutive(16, 16), send, receive)
    with pytest.raises(InputError, match="no path from"):
        link_loads(topology, demand, packed(topology), routing)
