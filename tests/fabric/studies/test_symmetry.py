"""Symmetries: each against its definition, and failures that are called alike against the loads that they leave."""

import time
from collections import Counter
from dataclasses import replace
from itertools import islice

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from networkx.algorithms.isomorphism import DiGraphMatcher

import railscope as rs
from collectives.demand import AllToAll, Flows, Groups, Reduction
from collectives.errors import InputError
from collectives.schedule import Phase, Schedule
from fabric.builders import build
from fabric.builders.description import Core, FabricDescription, Hosts, Leaf, ScaleUp, Spine
from fabric.jobs.placement import Placement, packed
from fabric.routing.link_loads import schedule_loads
from fabric.routing.unroutable import Unroutable
from fabric.studies.symmetry import symmetry_of, symmetry_of_jobs
from fabric.studies.symmetry_graph import Moves, coloured_graph
from fabric.topology import ENDPOINT, ISL, NIC, NVLINK, SWITCH, UNKNOWN, Cables, Topology
from tests.random_fabrics import all_to_all_demands, fabrics, flow_demands, topology_of

DUMP = "tests/data/infiniband/hurt512-updn.ibnetdiscover.gz"


def clos(hosts, gpus, down, *, planes=1, domain=0, kind="switch", pods=1, core=False, over=1.0, leaf=None, **fabric):
    gbps = 100.0
    return build(
        FabricDescription(
            fabric=Hosts(
                name="small", hosts=hosts, gpus_per_host=gpus, gpu_gbps=gbps * planes, planes=planes, **fabric
            ),
            leaf=Leaf(radix=16, port_gbps=gbps, down_ports=down, oversubscription=over, **(leaf or {})),
            spine=Spine(radix=16, port_gbps=gbps, pods=pods),
            core=Core(radix=16, port_gbps=gbps) if core else None,
            scale_up=ScaleUp(hosts_per_domain=domain, gpu_gbps=800.0, kind=kind) if domain else None,
        )
    )


# What is built, GPUs of each domain in the job, classes of cables: hosts, leaf-spine, spine-core, NVLink.
FABRICS = {
    "rail": (clos(8, 4, 4), None, (1, 1, 0, 0)),
    "host": (clos(8, 2, 4, wiring="host"), None, (1, 1, 0, 0)),
    # The 2 GPUs of each of a rack's 3 hosts, but for the last host: idle, as 8 of 72 in a GB300 rack.
    "idle in each domain": (clos(12, 2, 6, planes=2, domain=3), 4, (2, 1, 0, 2)),
    "last leaf half empty": (clos(7, 2, 4, domain=1), None, (2, 2, 0, 2)),
    "three tiers": (clos(16, 2, 4, pods=2, core=True), None, (1, 1, 1, 0)),
    "spines of rails": (clos(16, 2, 4, pods=2, core=True, spines="per-rail", domain=1), None, (1, 1, 1, 1)),
    "two rails a leaf": (clos(8, 4, 8, domain=2, over=2.0, leaf={"rails_per_leaf": 2}), None, (1, 1, 0, 1)),
    "mesh": (clos(8, 4, 4, domain=1, kind="mesh"), None, (1, 1, 0, 1)),
}


@pytest.fixture(params=FABRICS)
def small(request):
    topology, per_domain, classes = FABRICS[request.param]
    return topology, packed(topology, None, per_domain), classes


def exchange(placement, size=None):
    """An all-to-all of consecutive groups."""
    n = placement.n_ranks
    return Schedule((Phase(rs.AllToAll(Groups.consecutive(n, size or n), np.ones(n), np.full(n, 1e9))),))


def without(topology, links):
    """The fabric without some cables, and which links are left: they keep their order."""
    kept = np.ones(topology.n_links, bool)
    kept[links] = kept[topology.link_reverse[links]] = False
    one = np.flatnonzero(kept & (np.arange(topology.n_links) < topology.link_reverse))
    capacity, reverse = topology.link_capacity_gbps, topology.link_reverse
    cables = Cables(
        topology.link_tail[one], topology.link_head[one], topology.link_tail_port[one], topology.link_head_port[one],
        capacity[one], capacity[reverse[one]],
    )  # fmt: skip
    return Topology.from_cables(topology.name, topology.nodes, cables), kept


def loads_without(topology, placement, schedule, links):
    """Bytes on each link of the whole fabric, phase by phase, when cables have failed; what cannot be routed is -1."""
    try:
        damaged, kept = without(topology, links)
        loads = schedule_loads(damaged, schedule, placement, n_threads=1)
    except (Unroutable, InputError):  # no way left; an endpoint that its domain has lost
        return np.full((len(schedule.phases), topology.n_links), -1.0)
    assert np.array_equal(damaged.link_tail, topology.link_tail[kept])
    assert np.array_equal(damaged.link_head, topology.link_head[kept])
    found = np.zeros((len(schedule.phases), topology.n_links))
    found[:, kept] = [phase.bytes for phase in loads.phases]
    return found


def edges_of(topology):
    """Every link: tail, head, and the capacities of both directions."""
    capacity = topology.link_capacity_gbps
    columns = (topology.link_tail, topology.link_head, capacity, capacity[topology.link_reverse])
    return Counter(zip(*(column.tolist() for column in columns), strict=True))


def pairs_of(topology, placement, demand):
    """What each pair of nodes exchanges: bytes that are counted together, by definition."""
    node = topology.endpoints[placement.endpoint].tolist()
    if isinstance(demand, Flows):
        rows = zip(demand.src.tolist(), demand.dst.tolist(), demand.bytes.tolist(), strict=True)
        return Counter((node[i], node[j], volume) for i, j, volume in rows if i != j and volume > 0)
    if isinstance(demand, Reduction):
        groups = zip(demand.groups, demand.bytes.tolist(), strict=True)
        return Counter((frozenset(node[i] for i in group.tolist()), volume) for group, volume in groups)
    found: Counter[tuple[int, int, float]] = Counter()
    for a, b in zip(demand.groups.start[:-1].tolist(), demand.groups.start[1:].tolist(), strict=True):
        for i in range(a, b):
            for j in range(a, b):
                apart = demand.block is None or demand.block[i] != demand.block[j]
                ends = demand.groups.rank[i], demand.groups.rank[j]
                if i != j and apart and demand.send[i] * demand.receive[j] > 0:
                    found[node[ends[0]], node[ends[1]], float(demand.send[i] * demand.receive[j])] += 1
    return found


def is_symmetry(topology, placement, schedule, to):
    """Whether a permutation of the nodes, (n_nodes,), maps fabric and traffic to themselves, by definition."""
    nodes, edges = topology.nodes, edges_of(topology)
    in_job = np.zeros(topology.n_nodes, bool)
    in_job[topology.endpoints[placement.endpoint]] = True
    for column in (nodes.kind, nodes.tier, in_job):
        if not np.array_equal(column[to], column):
            return False
    for column in (nodes.host, nodes.domain):
        known = np.flatnonzero(column != UNKNOWN)
        both = set(zip(column[known].tolist(), column[to[known]].tolist(), strict=True))
        if not len(both) == len({a for a, _ in both}) == len({b for _, b in both if b != UNKNOWN}):
            return False
    where = to.tolist()
    if edges != Counter({(where[a], where[b], *rest): n for (a, b, *rest), n in edges.items()}):
        return False
    for demand in (demand for phase in schedule.phases for demand in phase.demands):
        pairs = pairs_of(topology, placement, demand)
        image: Counter[tuple[object, ...]] = Counter()
        for key, n in pairs.items():
            moved = frozenset(where[i] for i in key[0]) if isinstance(key[0], frozenset) else where[key[0]]
            image[(moved, *(where[i] for i in key[1:-1]), key[-1])] += n
        if image != pairs:
            return False
    return True


def check_generators(symmetry, placement, schedule):
    for generator in symmetry.generators:
        to = np.arange(symmetry.topology.n_nodes)
        to[generator.node] = generator.image
        assert np.array_equal(np.sort(to), np.arange(to.size))
        assert is_symmetry(symmetry.topology, placement, schedule, to)


def check_failures(symmetry, placement, schedule, samples=3, kinds=(NIC, ISL, NVLINK)):
    """Loads after one failure are carried to loads after another one of its class, link by link."""
    topology, classes = symmetry.topology, symmetry.cable_class
    everything = range(topology.n_links)
    for link in symmetry.cable_representatives.tolist():
        if topology.link_kind[link] not in kinds:
            continue
        carried = list(symmetry.walk_cables(link, everything))
        ends = [one for one, _ in carried] + topology.link_reverse[[one for one, _ in carried]].tolist()
        assert sorted(ends) == np.flatnonzero(classes == classes[link]).tolist()
        assert carried[0] == (link, tuple(everything))
        expected = loads_without(topology, placement, schedule, [link])
        for other, image in [*carried[1 : 1 + samples], *carried[-samples:]]:
            assert image[link] == other
            found = loads_without(topology, placement, schedule, [other])
            np.testing.assert_allclose(found[:, list(image)], expected, rtol=1e-9, atol=1e-6)
            assert sorted(image) == list(everything)


def check_switches(symmetry, placement, schedule):
    topology = symmetry.topology
    everything = range(topology.n_links)
    for node in symmetry.node_representatives.tolist():
        carried = list(symmetry.walk_nodes(node, everything))
        assert (
            sorted(one for one, _ in carried)
            == np.flatnonzero(symmetry.node_class == symmetry.node_class[node]).tolist()
        )
        if topology.nodes.kind[node] != SWITCH:
            continue
        expected = loads_without(topology, placement, schedule, np.flatnonzero(topology.link_tail == node))
        for other, image in [*carried[1:2], carried[-1]]:
            found = loads_without(topology, placement, schedule, np.flatnonzero(topology.link_tail == other))
            np.testing.assert_allclose(found[:, list(image)], expected, rtol=1e-9, atol=1e-6)


def n_classes(symmetry):
    """Classes of cables of hosts, leaf-spine, spine-core, NVLink."""
    topology = symmetry.topology
    kind, tier = topology.link_kind, topology.link_tier
    places = (kind == NIC, (kind == ISL) & (tier == 2), (kind == ISL) & (tier == 3), kind == NVLINK)
    return tuple(np.unique(symmetry.cable_class[place]).size for place in places)


def test_all_that_is_alike_in_an_exchange(small):
    topology, placement, classes = small
    schedule = exchange(placement)
    symmetry = symmetry_of(topology, placement, schedule)
    assert n_classes(symmetry) == classes
    check_generators(symmetry, placement, schedule)
    check_failures(symmetry, placement, schedule)
    check_switches(symmetry, placement, schedule)


@pytest.mark.parametrize("small", ["idle in each domain", "three tiers", "spines of rails", "mesh"], indirect=True)
@pytest.mark.parametrize("algorithm", ["ring", "trees", "nvls", "hierarchical"])
def test_other_traffic(small, algorithm):
    topology, placement, _ = small
    try:
        scenario = rs.Scenario.of(
            topology, rs.Collective("all-reduce", size=1e9, algorithm=algorithm), placement=placement
        )
        schedule = scenario.schedule
    except InputError:
        pytest.skip(f"{algorithm} does not run here")
    symmetry = symmetry_of(topology, placement, schedule)
    check_generators(symmetry, placement, schedule)
    check_failures(symmetry, placement, schedule, samples=2)


def test_groups_of_experts_and_replicas(small):
    topology, placement, classes = small
    n = placement.n_ranks
    size = 4 if n % 4 == 0 else 2
    near = exchange(placement, size)
    far = AllToAll(Groups.of(np.arange(n).reshape(-1, size).T), np.ones(n), np.ones(n))
    for schedule in (near, Schedule((*near.phases, Phase(far)))):
        symmetry = symmetry_of(topology, placement, schedule)
        check_generators(symmetry, placement, schedule)
        check_failures(symmetry, placement, schedule, samples=2)
        assert all(found >= least for found, least in zip(n_classes(symmetry), classes, strict=True))


def test_a_ring_turns_by_whole_units():
    topology, placement = FABRICS["rail"][0], packed(FABRICS["rail"][0])
    n = placement.n_ranks
    rank = np.arange(n)
    ring = Schedule((Phase(Flows(rank, (rank + 1) % n, np.ones(n))),))
    symmetry = symmetry_of(topology, placement, ring)
    check_generators(symmetry, placement, ring)
    check_failures(symmetry, placement, ring)
    # A unit has 4 hosts of 4 GPUs, and there are two.
    assert n_classes(symmetry)[0] == 16


def test_several_jobs_stay_apart():
    topology = FABRICS["rail"][0]
    half = topology.n_endpoints // 2
    one, other = (Placement(np.arange(a, a + half, dtype=np.int32)) for a in (0, half))
    alike = symmetry_of_jobs(topology, [])
    assert n_classes(alike)[:2] == (1, 1)
    apart = symmetry_of_jobs(topology, [(one, exchange(one)), (other, None)])
    assert n_classes(apart)[:2] == (2, 2)


@settings(deadline=None, max_examples=20)
@given(st.data(), fabrics())
def test_random_fabrics(data, topology):
    n = topology.n_endpoints
    placement = Placement(np.arange(data.draw(st.integers(1, n)), dtype=np.int32))
    ranks = placement.n_ranks
    few = st.sampled_from([Flows([0], [0], [0.0]), exchange(placement).phases[0].demand])
    demands = [data.draw(few | flow_demands(ranks) | all_to_all_demands(ranks)) for _ in range(2)]
    schedule = Schedule(tuple(map(Phase, demands)))
    symmetry = symmetry_of(topology, placement, schedule)
    check_generators(symmetry, placement, schedule)
    check_failures(symmetry, placement, schedule, samples=1)


@st.composite
def nearly_even(draw):
    """Four endpoints on two switches, cabled alike but for a cable, and traffic that is even but for a part or two."""

    def odd(n, most=2):
        """Ones, and a 2 or two."""
        values = np.ones(n)
        values[draw(st.lists(st.integers(0, n - 1), max_size=most))] = 2.0
        return values

    ends = [(e, 4 + e // 2) for e in range(4)] + [(4, 5)]
    out, back, copies = odd(5, 1), odd(5, 1), odd(5, 1)
    cables = [(*ends[i], 100.0 * out[i], 100.0 * back[i]) for i in range(5) for _ in range(int(copies[i]))]
    topology = topology_of([ENDPOINT] * 4 + [SWITCH] * 2, cables)
    placement = Placement(np.array(draw(st.sampled_from([[0, 1, 2, 3], [3, 2, 1, 0], [2, 1, 0]])), np.int32))
    n = placement.n_ranks
    src, dst = np.divmod(np.arange(n * n), n)
    repeat = odd(n * n).astype(int)
    flows = Flows(*(np.repeat(column, repeat) for column in (src, dst, odd(n * n))))
    groups = Groups.consecutive(n, n)
    block = np.array(draw(st.sampled_from([[0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 0, 1]]))[:n], np.int32)
    exchanges = [AllToAll(groups, odd(n, 1), np.ones(n), draw(st.sampled_from([block, None]))) for _ in range(2)]
    return topology, placement, draw(st.sampled_from([flows, *exchanges, Flows([0], [0], [1.0])]))


TURNS = st.sampled_from([(1, 0, 2, 3), (0, 1, 3, 2), (2, 3, 0, 1), (3, 2, 1, 0), (0, 2, 1, 3)])


@settings(deadline=None, max_examples=150)
@given(nearly_even(), TURNS, st.booleans())
def test_the_proof_itself(case, of_endpoints, of_switches):
    """Permutations that nothing has chosen: accepted only if they are symmetries, and of flows all that are."""
    topology, placement, demand = case
    to = np.array([*of_endpoints, *((5, 4) if of_switches else (4, 5))])
    schedule = Schedule((Phase(demand),))
    graph = coloured_graph(topology, [(placement, schedule)])
    # The nodes of groups and blocks follow their members.
    node, image = np.arange(4), to[:4]
    whole = graph.completed(Moves(np.zeros(4, np.int64), node, image))
    beyond = whole.node >= topology.n_nodes
    node, image = (np.concatenate([np.arange(6), column[beyond]]) for column in (whole.node, whole.image))
    image[:6] = to
    accepted = graph.mapped_edges(Moves(np.zeros(node.size, np.int64), node, image)).number.size > 0
    truly = is_symmetry(topology, placement, schedule, to)
    assert truly or not accepted
    if isinstance(demand, Flows):
        assert accepted == truly


def test_idle_endpoints_are_not_exchanged_with_those_of_the_job():
    topology = topology_of([ENDPOINT] * 4 + [SWITCH], [(e, 4, 100.0, 100.0) for e in range(4)])
    placement = Placement(np.array([2, 1, 0], np.int32))
    graph = coloured_graph(topology, [(placement, None)])
    for image, accepted in (([1, 0, 2, 3], True), ([0, 1, 3, 2], False), ([0, 0, 2, 3], False)):
        moves = Moves(np.zeros(4, np.int64), np.arange(4), np.array(image))
        assert (graph.mapped_edges(moves).number.size > 0) == accepted
    assert symmetry_of(topology, placement).node_class.tolist() == [0, 0, 0, 1, 2]


@settings(deadline=None, max_examples=25)
@given(fabrics(max_switches=4, max_endpoints=4))
def test_never_more_alike_than_the_graph_allows(topology):
    """Classes of nodes against all automorphisms, as networkx finds them."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    for node in range(topology.n_nodes):
        graph.add_node(node, what=(int(topology.nodes.kind[node]), int(topology.nodes.tier[node])))
    for (tail, head, *gbps), count in edges_of(topology).items():
        graph.add_edge(tail, head)
        graph.edges[tail, head].setdefault("gbps", []).append((*gbps, count))
    for edge in graph.edges.values():
        edge["gbps"].sort()
    matcher = DiGraphMatcher(graph, graph, lambda a, b: a["what"] == b["what"], lambda a, b: a["gbps"] == b["gbps"])
    orbits = {node: {node} for node in graph}
    for found, _ in zip(matcher.isomorphisms_iter(), range(2000), strict=False):
        for node, image in found.items():
            orbits[node].add(image)
    symmetry = symmetry_of_jobs(topology, [])
    for node in range(topology.n_nodes):
        alike = set(np.flatnonzero(symmetry.node_class == symmetry.node_class[node]).tolist())
        assert alike <= orbits[node]


def test_a_star_of_stars_is_found_whole():
    """Orbits that are known: 3 leaves of 3 endpoints each under 2 spines, one leaf with a faster cable."""
    kinds = [ENDPOINT] * 9 + [SWITCH] * 5
    cables = [(e, 9 + e // 3, 100.0, 100.0) for e in range(9)]
    cables += [(9 + leaf, 12 + spine, 200.0 if leaf == 2 else 100.0, 100.0) for leaf in range(3) for spine in range(2)]
    symmetry = symmetry_of_jobs(topology_of(kinds, cables), [])
    assert symmetry.node_class.tolist() == [0] * 6 + [1] * 3 + [2, 2, 3] + [4, 4]
    assert symmetry_of_jobs(topology_of([SWITCH], []), []).node_class.tolist() == [0]
    # Two cables of equal capacities, and one that is faster one way.
    parallel = topology_of([0, 0, 1, 1], [(0, 2, 1, 1), (1, 3, 1, 1), (2, 3, 1, 1), (2, 3, 1, 1), (2, 3, 2, 1)])
    found = symmetry_of_jobs(parallel, [])
    between = (parallel.link_tail == 2) & (parallel.link_head == 3)
    assert found.cable_class[between].tolist() in ([3, 3, 4], [1, 1, 2], [2, 2, 3])


def test_reductions_where_the_tree_is_chosen_by_number_move_no_switch():
    topology = FABRICS["rail"][0]
    placement = packed(topology)
    sharp = Schedule((Phase(Reduction(Groups.consecutive(placement.n_ranks, 8), np.ones(placement.n_ranks // 8))),))
    symmetry = symmetry_of(topology, placement, sharp)
    switches = np.flatnonzero(topology.nodes.kind == SWITCH)
    assert np.unique(symmetry.node_class[switches]).size == switches.size
    check_failures(symmetry, placement, sharp)


def test_reductions_of_nvlink_switches_move_with_their_domains():
    topology = clos(8, 2, 4, domain=2)
    placement = packed(topology)
    nvls = Schedule((Phase((Reduction(Groups.consecutive(16, 4), np.ones(4)), exchange(placement).phases[0].demand)),))
    symmetry = symmetry_of(topology, placement, nvls)
    assert n_classes(symmetry) == (1, 1, 0, 16)
    check_generators(symmetry, placement, nvls)
    check_failures(symmetry, placement, nvls, kinds=(NIC, ISL))
    uneven = replace(nvls, phases=(Phase(Reduction(Groups.consecutive(16, 4), np.array([1.0, 1.0, 2.0, 1.0]))),))
    assert n_classes(symmetry_of(topology, placement, uneven))[0] > 1


def test_a_damaged_fabric():
    topology = rs.open_fabric(DUMP).topology
    placement = packed(topology)
    schedule = exchange(placement)
    symmetry = symmetry_of(topology, placement, schedule)
    hosts, between, *_ = n_classes(symmetry)
    # 24 of its 512 cables are missing.  No symmetry can join what colours tell apart: none is overlooked here.
    like = coloured_graph(topology, [(placement, schedule)]).likeness
    ends = np.sort(np.stack([like[topology.link_tail], like[topology.link_head]]), axis=0)
    kinds = [np.unique(ends[:, topology.link_kind == kind], axis=1).shape[1] for kind in (NIC, ISL)]
    assert [hosts, between] == kinds == [11, 154]
    representatives = symmetry.cable_representatives.tolist()
    several = [
        link for link in representatives if np.count_nonzero(symmetry.cable_class == symmetry.cable_class[link]) > 2
    ]
    chosen = np.random.default_rng(1).choice(several, 6, replace=False).tolist()
    everything = range(topology.n_links)
    for link in chosen:
        expected = loads_without(topology, placement, schedule, [link])
        *_, (other, image) = symmetry.walk_cables(link, everything)
        found = loads_without(topology, placement, schedule, [other])
        np.testing.assert_allclose(found[:, list(image)], expected, rtol=1e-9)


def test_eight_thousand_gpus():
    scenario = rs.Scenario.of("gb300-8192", rs.Collective("all-to-all", size=1e9))
    topology = scenario.topology
    began = time.perf_counter()
    symmetry = symmetry_of(topology, scenario.placement, scenario.schedule)
    assert time.perf_counter() - began < 60
    # Hosts of 16 trays in the job and of 2 that are idle, in each rack; every cable between leaves and spines alike.
    assert n_classes(symmetry) == (2, 1, 0, 2)
    # A cable that fails, and a link of its leaf to another spine, wherever they are carried.
    link = int(np.flatnonzero((topology.link_kind == ISL) & (topology.link_tier == 2))[0])
    tail, head = topology.link_tail, topology.link_head
    beside = int(np.flatnonzero((tail == tail[link]) & (head == head[link] + 1))[0])
    for one, (other,) in islice(symmetry.walk_cables(link, [beside]), 2000):
        assert tail[other] == tail[one]
        assert head[other] != head[one]
        assert topology.link_kind[one] == topology.link_kind[other] == ISL
