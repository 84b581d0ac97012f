"""The throughput bound: what search of every set finds, what was published, and nothing that beats it."""

import json
from fractions import Fraction
from itertools import combinations, pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

import railscope as rs
from collectives import ALGORITHMS, COLLECTIVES, Groups, InputError, algorithm_of, collective_schedule, rail_aligned
from fabric.bounds.bottleneck import Question, bottleneck, minimum_cut
from fabric.bounds.cuts import ANY_ALGORITHM, NO_REDUCING_SWITCHES, cut_bound
from fabric.bounds.equitable import CapacityGraph, classes, likeness, refined
from fabric.bounds.parts import worst_parts
from fabric.bounds.throughput import COVERED, job_graph, throughput_bound
from fabric.builders import build, fat_tree, read_preset
from fabric.jobs.placement import Placement, domain_of_rank, packed, rail_of_rank
from fabric.reports.loads import loads_report
from fabric.routing.link_loads import schedule_loads
from fabric.routing.policies import Adaptive, DModK, Ecmp
from fabric.topology import ENDPOINT, NVSWITCH, SWITCH, UNKNOWN
from tests.fabric.commands.test_cli import answer
from tests.random_fabrics import fabrics, topology_of

GB = 1e9


def bound_of(fabric, placement, collective, groups, size):
    bound = throughput_bound(fabric, placement, collective, groups, size)
    assert bound is not None
    return bound


# Graphs.


@st.composite
def graphs(draw, max_nodes=7):
    """Directed graphs, of several parts too; some capacities are the same, so that nodes are alike."""
    n = draw(st.integers(2, max_nodes))
    node, capacity = st.integers(0, n - 1), st.sampled_from([1, 1, 2, 3, 7, 40_000_000])
    rows = draw(st.lists(st.tuples(node, node, capacity, st.booleans()), min_size=1, max_size=18))
    rows = [(a, b, c) for a, b, c, _ in rows] + [(b, a, c) for a, b, c, both in rows if both]
    tail, head, gbps = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    return CapacityGraph.of(n, tail, head, gbps)


def sets_of(n):
    """Every set of n nodes, as a mask."""
    return [np.array([bits >> i & 1 for i in range(n)], bool) for bits in range(1 << n)]


@settings(deadline=None, max_examples=150)
@given(graphs(), st.data())
def test_the_bottleneck_is_the_worst_of_all_sets(graph, data):
    n = graph.n_nodes
    weights = st.lists(st.sampled_from([0, 1, 1, 2]), min_size=n, max_size=n)
    questions = [
        Question(np.array(data.draw(weights), np.int64), np.array(sorted(outside), np.int64))
        for outside in data.draw(st.lists(st.sets(st.integers(0, n - 1), min_size=1), min_size=1, max_size=3))
    ]
    best = Fraction(0)
    for one in questions:
        for inside in sets_of(n):
            weight, capacity = int(one.weight[inside].sum()), graph.leaving(inside)
            if weight and not inside[one.outside].any():
                best = max(best, Fraction(weight, capacity) if capacity else Fraction(10**12))
    found = bottleneck(graph, questions)
    if best in (0, 10**12):
        assert found is None or not found.exact
        return
    assert found is not None
    assert found.ratio == best if found.exact else found.ratio <= best
    own = [one.weight[found.inside].sum() for one in questions if not found.inside[one.outside].any()]
    assert found.ratio * graph.leaving(found.inside) in own


@settings(deadline=None, max_examples=200)
@given(graphs(9), st.data())
def test_classes_have_the_minimum_cuts_of_the_graph(graph, data):
    """networkx, on the whole graph, with Python's integers."""
    n = graph.n_nodes
    source, goal = data.draw(st.permutations(range(n)))[:2]
    colour = refined(graph, np.array([1 if node == source else 2 if node == goal else 0 for node in range(n)]))
    small = classes(graph, colour)
    assert small is not None
    whole: nx.DiGraph = nx.DiGraph()
    whole.add_nodes_from(range(n))
    for a, b, c in zip(graph.tail.tolist(), graph.head.tolist(), graph.capacity.tolist(), strict=True):
        whole.add_edge(a, b, capacity=c)
    quotient: nx.DiGraph = nx.DiGraph()
    quotient.add_nodes_from(range(small.n_nodes))
    for a, b, c in zip(small.tail.tolist(), small.head.tolist(), small.capacity.tolist(), strict=True):
        quotient.add_edge(a, b, capacity=c)
    expected = nx.maximum_flow_value(whole, source, goal)
    assert nx.maximum_flow_value(quotient, colour[source], colour[goal]) == expected
    outside = np.zeros(n, bool)
    outside[goal] = True
    gift = np.zeros(n, np.int64)
    gift[source] = expected + 1
    if expected + 1 < 2**30:
        inside, value = minimum_cut(graph, np.minimum(graph.capacity, expected + 1), gift, outside)
        assert (value, graph.leaving(inside)) == (expected, expected)


def test_graphs_that_are_not_alike_are_told_apart():
    """A hexagon and two triangles look the same to refinement, until a node is marked."""
    hexagon, triangles = (
        CapacityGraph.of(6, *(np.array(column, np.int64) for column in zip(*rows, strict=True)))
        for rows in (
            [(i, (i + step) % 6, 1) for i in range(6) for step in (1, 5)],
            [(3 * t + i, 3 * t + (i + step) % 3, 1) for t in range(2) for i in range(3) for step in (1, 2)],
        )
    )
    plain, marked = np.zeros(6, np.int64), np.array([1, 0, 0, 0, 0, 0])
    same = [likeness(one, refined(one, plain), plain) for one in (hexagon, triangles)]
    assert same[0] == same[1]
    apart = [likeness(one, refined(one, marked), marked) for one in (hexagon, triangles)]
    assert apart[0] != apart[1]
    assert classes(hexagon, np.array([0, 0, 0, 1, 1, 2])) is None


# What was published.


def a100(hosts):
    """8 A100 on an NVSwitch at 300 GB/s, a 25 GB/s NIC each, NICs of even and of odd GPUs on a switch each."""
    kinds, cables, domain = [ENDPOINT] * 8 * hosts, [], [gpu // 8 for gpu in range(8 * hosts)]
    for host in range(hosts):
        cables += [(8 * host + gpu, len(kinds), 2400.0, 2400.0) for gpu in range(8)]
        kinds.append(NVSWITCH)
        domain.append(host)
    for gpu in range(8 * hosts):
        cables.append((gpu, len(kinds) + gpu % 2, 200.0, 200.0))
    return topology_of(kinds + [SWITCH] * 2, cables, "a100", [*domain, UNKNOWN, UNKNOWN])


# Links of 50 GB/s between the 16 dies of a host of MI250.
WIDTHS = {
    4: [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11), (12, 13), (14, 15)],
    2: [(0, 4), (3, 7), (8, 12), (11, 15)],
    1: [(0, 8), (3, 11), (1, 5), (1, 9), (1, 10), (2, 6), (2, 9), (2, 10)],
}
WIDTHS[1] += [(4, 6), (5, 6), (5, 7), (9, 13), (10, 14), (12, 14), (13, 14), (13, 15)]
XGMI = [(a, b, 400.0 * width) for width, pairs in WIDTHS.items() for a, b in pairs]


def mi250(hosts):
    """Hosts of 16 dies, each with a NIC of 16 GB/s on one switch."""
    n = 16 * hosts
    cables = [(gpu, n, 128.0, 128.0) for gpu in range(n)]
    for host in range(hosts):
        cables += [(16 * host + a, 16 * host + b, gbps, gbps) for a, b, gbps in XGMI]
    return topology_of([ENDPOINT] * n + [SWITCH], cables, "mi250", [gpu // 16 for gpu in range(n)] + [UNKNOWN])


PUBLISHED = [(a100, 2, Fraction(3, 65)), (a100, 4, Fraction(3, 25)), (mi250, 2, Fraction(15, 166))]


@pytest.mark.parametrize(("fabric_of", "hosts", "rho"), PUBLISHED)
@pytest.mark.parametrize("collective", ["all-gather", "reduce-scatter"])
def test_published_bottlenecks_come_out_exactly(fabric_of, hosts, rho, collective):
    """ForestColl (arXiv 2402.06787), on the topologies of its authors' github.com/liangyuRain/ForestColl."""
    fabric = fabric_of(hosts)
    n = fabric.n_endpoints
    bound = bound_of(fabric, packed(fabric), collective, Groups.consecutive(n, n), n * GB)
    assert (bound.rho, bound.exact, bound.holds_for) == (rho, True, ANY_ALGORITHM)
    assert bound.time_s == pytest.approx(float(rho))
    # Its own criterion, by networkx: a source with as much for each GPU as the ratio allows fills every GPU.
    network: nx.DiGraph = nx.DiGraph()
    for a, b, gbps in zip(fabric.link_tail, fabric.link_head, fabric.link_capacity_gbps, strict=True):
        network.add_edge(int(a), int(b), capacity=int(gbps) * rho.numerator)
    for gpu in range(n):
        network.add_edge("source", gpu, capacity=8 * rho.denominator)
    for gpu in range(n):
        assert nx.maximum_flow_value(network, "source", gpu) == n * 8 * rho.denominator


def test_two_dies_are_what_holds_an_mi250_up():
    """No domain, leaf or GPU: 30 dies send to 2 over 3 x 50 + 16 GB/s each."""
    fabric = mi250(2)
    groups = Groups.consecutive(32, 32)
    bound = bound_of(fabric, packed(fabric), "all-gather", groups, 32 * GB)
    assert bound.sides == "of 2 GPUs from 30 GPUs and 1 switch"
    named = cut_bound(fabric, packed(fabric), "all-gather", groups, 32 * GB)
    assert named.time_s == pytest.approx(31 / 366)
    assert bound.time_s == pytest.approx(30 / 332)


# All-reduces.


def ways_to_part(items):
    """Every partition of a list."""
    if not items:
        yield []
        return
    for rest in ways_to_part(items[1:]):
        yield [[items[0]], *rest]
        for place in range(len(rest)):
            yield [*rest[:place], [items[0], *rest[place]], *rest[place + 1 :]]


@settings(deadline=None, max_examples=60)
@given(graphs(), st.data())
def test_parts_are_the_worst_of_all_partitions(graph, data):
    n = graph.n_nodes
    assume(graph.capacity.max(initial=1) < 1000)
    members = data.draw(st.lists(st.integers(0, n - 1), min_size=2, max_size=5, unique=True))
    others = [node for node in range(n) if node not in members]

    def least_leaving(part):
        choices = (c for size in range(len(others) + 1) for c in combinations(others, size))
        return min(graph.leaving(np.isin(np.arange(n), [*part, *chosen])) for chosen in choices)

    best = min(
        Fraction(sum(map(least_leaving, parts)), len(parts) - 1) for parts in ways_to_part(members) if len(parts) > 1
    )
    found = worst_parts(graph, np.array(members))
    assert Fraction(sum(map(graph.leaving, found)), len(found) - 1) == best
    assert (sum(part[members].astype(int) for part in found) == 1).all()


def test_an_all_reduce_is_held_up_by_pairs_of_dies():
    """Twice the all-gather: 16 pairs on each of which 166 GB/s end twice."""
    fabric = mi250(2)
    bound = bound_of(fabric, packed(fabric), "all-reduce", Groups.consecutive(32, 32), 32 * GB)
    assert bound.sides == "into 16 parts of 2 GPUs"
    assert (bound.time_s, bound.rho, bound.exact) == (pytest.approx(2 * 15 / 166), None, False)


def test_a_slow_gpu_needs_to_send_its_buffer_only_once():
    """Twice the all-gather is no bound of an all-reduce: GPU 0 sends 50 GB at 100 Gb/s, and its sums come back."""
    fabric = topology_of([ENDPOINT] * 4 + [SWITCH], [(i, 4, *[100.0 if i == 0 else 1000.0] * 2) for i in range(4)])
    groups = Groups.consecutive(4, 4)
    gather, reduce = (bound_of(fabric, packed(fabric), name, groups, 50 * GB) for name in ("all-gather", "all-reduce"))
    assert gather.time_s == pytest.approx(3 / 4 * 50 * 8 / 100)
    assert (reduce.time_s, reduce.sides) == (pytest.approx(50 * 8 / 100), "of 1 GPU from 3 GPUs and 1 switch")


# Fabrics.


def rho_of(fabric, members, helpers, turned=False):
    """The largest ratio of all sets of nodes, by trying them; None where members are cut off."""
    graph, unit, _ = job_graph(fabric, Placement(np.array([*members, *helpers], np.int32)))
    graph = graph.turned if turned else graph
    nodes = fabric.endpoints[list(members)]
    best = Fraction(0)
    for inside in sets_of(fabric.n_nodes):
        count, capacity = int(np.count_nonzero(inside[nodes])), graph.leaving(inside)
        if 0 < count < len(nodes):
            if capacity == 0:
                return None
            best = max(best, Fraction(count, capacity) * 8 / unit)
    return best


@settings(deadline=None, max_examples=40)
@given(fabrics(max_switches=3, max_endpoints=5), st.data())
def test_the_bound_is_the_worst_of_all_cuts_of_a_fabric(fabric, data):
    order = data.draw(st.permutations(range(fabric.n_endpoints)))
    n = data.draw(st.integers(2, fabric.n_endpoints))
    n_members = data.draw(st.integers(2, n))
    members, helpers = order[:n_members], order[n_members:n]
    placement = Placement(np.array(order[:n], np.int32))
    for collective in ("all-gather", "reduce-scatter"):
        rho = rho_of(fabric, members, helpers, collective == "reduce-scatter")
        assume(rho is not None)
        groups = Groups.of([list(range(n_members))])
        bound = bound_of(fabric, placement, collective, groups, n_members * GB)
        assert (bound.rho, bound.exact) == (rho, True)
        assert bound.time_s == pytest.approx(float(rho))
        # Named cuts are some of all.
        assert cut_bound(fabric, placement, collective, groups, n_members * GB).time_s <= bound.time_s * (1 + 1e-9)


EVERY_ALGORITHM = [(name, one) for name in COVERED for one in ALGORITHMS[name]]


@settings(deadline=None, max_examples=100)
@given(fabrics(), st.sampled_from(EVERY_ALGORITHM), st.data())
def test_nothing_beats_the_throughput_bound(fabric, named, data):
    """Several groups at once, of unequal sizes, with transports and routings."""
    n = fabric.n_endpoints
    placement = Placement(np.array(data.draw(st.permutations(range(n))), np.int32))
    if data.draw(st.booleans()):
        cuts = sorted({0, n, *data.draw(st.lists(st.integers(0, n), max_size=2))})
        groups = Groups.of([np.arange(a, b) for a, b in pairwise(cuts)])
    else:  # of which ranks may be in several
        some = st.sets(st.integers(0, n - 1), min_size=1)
        groups = Groups.of([sorted(one) for one in data.draw(st.lists(some, min_size=1, max_size=3))])
    collective, algorithm = named
    domain, rail = domain_of_rank(fabric, placement), rail_of_rank(fabric, placement)
    in_network = algorithm_of(collective, algorithm).switches_reduce
    try:
        schedule = collective_schedule(collective, groups, GB, algorithm, domain, rail)
        if data.draw(st.booleans()):
            schedule = rail_aligned(schedule, domain, rail)
        times = [
            schedule_loads(fabric, schedule, placement, one).bottleneck_time_s for one in (Adaptive(), DModK(), Ecmp())
        ]
    except InputError:
        assume(False)
    bound = throughput_bound(fabric, placement, collective, groups, GB, in_network)
    if bound is None:
        assert (groups.sizes < 2).all()
        return
    assert min(times) >= bound.time_s * (1 - 1e-9)
    assert bound.holds_for == (NO_REDUCING_SWITCHES if collective == "all-reduce" and not in_network else ANY_ALGORITHM)


def test_regular_fabrics_are_as_tight_as_their_named_cuts():
    for fabric, placed in (
        (build(fat_tree(4)), None),
        (build(read_preset("hgx-b200-64")), None),
        (build(read_preset("gb300-2048")), 2048),
    ):
        placement = packed(fabric, placed)
        n = placement.n_ranks
        for collective in ("all-gather", "reduce-scatter"):
            for groups in (Groups.consecutive(n, n), Groups.consecutive(n, 8)):
                bound = bound_of(fabric, placement, collective, groups, GB)
                assert bound.time_s == pytest.approx(cut_bound(fabric, placement, collective, groups, GB).time_s)
                assert bound.exact == (groups.n_groups == 1)
                assert bound.asked <= 20


@pytest.mark.parametrize(("preset", "cut"), [("rail-only-1024", "rail"), ("deepseek-h800-2048", "plane")])
def test_nics_to_the_same_rail_are_no_help_inside_a_host(preset, cut):
    """All hosts gather at once: 7 of 8 parts come to each GPU over NVLink, since its NIC leads to the same rail alone."""
    fabric = build(read_preset(preset))
    groups = Groups.consecutive(fabric.n_endpoints, 8)
    nvlink_gbps = fabric.nvlink_gbps or 0.0
    for collective, times in (("all-gather", 1), ("all-reduce", 2)):
        named = cut_bound(fabric, packed(fabric), collective, groups, GB)
        assert (named.cut, named.time_s) == (cut, pytest.approx(times * 7 / 8 * 8 / nvlink_gbps))
    assert bound_of(fabric, packed(fabric), "all-gather", groups, GB).time_s == pytest.approx(7 / nvlink_gbps)


def test_one_gpu_of_each_kind_is_asked_where_all_would_take_long(monkeypatch):
    """What comes out holds, and says that a worse cut may exist."""
    fabric = mi250(2)
    monkeypatch.setattr("fabric.bounds.throughput._MOST_WORK", fabric.n_links)
    bound = bound_of(fabric, packed(fabric), "all-gather", Groups.consecutive(32, 32), 32 * GB)
    assert (bound.exact, bound.asked) == (False, 1)
    assert 31 / 366 * (1 - 1e-9) <= bound.time_s <= 30 / 332 * (1 + 1e-9)


def test_nothing_is_said_where_nothing_moves_or_nothing_is_known():
    fabric = build(fat_tree(4))
    for collective in COLLECTIVES:
        bound = throughput_bound(fabric, packed(fabric), collective, Groups.consecutive(16, 16), GB)
        assert (bound is None) == (collective not in COVERED)
    for groups in (Groups.of([]), Groups.of([[1], [2]]), Groups.of([[]])):
        assert throughput_bound(fabric, packed(fabric), "all-gather", groups, GB) is None
    assert throughput_bound(fabric, packed(fabric), "all-gather", Groups.consecutive(16, 16), 0.0) is None


# The command line.


@pytest.fixture
def rooms(tmp_path):
    """Leaves s0 = s1 - s2 in a row, 4 GPUs of 400 Gb/s each, 800 Gb/s and 100 Gb/s between: no cut has that name."""
    nodes: list[dict[str, object]] = [{"id": f"g{i}", "kind": "endpoint"} for i in range(12)]
    nodes += [{"id": f"s{i}", "kind": "switch", "tier": 1} for i in range(3)]
    cables = [(f"g{i}", f"s{i // 4}", 400.0) for i in range(12)] + [("s0", "s1", 800.0), ("s1", "s2", 100.0)]
    edges = [
        {"source": one, "target": other, "key": 0, "capacity_gbps": gbps}
        for a, b, gbps in cables
        for one, other in ((a, b), (b, a))
    ]
    path = tmp_path / "rooms.json"
    path.write_text(json.dumps({"directed": True, "multigraph": True, "graph": {}, "nodes": nodes, "edges": edges}))
    return path


def bounds_shown(fabric, collective):
    """As `loads` has them in JSON, and the lines of its first table."""
    report = loads_report(rs.analyse(rs.Scenario.of(fabric, rs.Collective(collective, "12GB"))))
    assert report.verdict is not None
    rows = {row[0]: row[1] for row in report.tables[0].rows}
    return report.document["bounds"], rows, " ".join(report.verdict.sentences), report.notes


def test_the_worst_cut_is_shown_where_it_is_tighter(rooms):
    """8 of 12 GPUs send two thirds of 12 GB over 100 Gb/s: 0.64 s."""
    cut = "of 4 GPUs and 1 switch from 8 GPUs and 2 switches"
    (bound,), _, _, notes = bounds_shown(rooms, "all-gather")
    assert (bound["cut"], bound["sides"], bound["holds_for"], notes) == ("bottleneck", cut, ANY_ALGORITHM, [])
    assert bound["time_s"] == pytest.approx(0.64)
    assert bound["time_over_bound"] >= 1
    # 12 GB each way over 100 Gb/s.
    _, rows, verdict, _ = bounds_shown(rooms, "all-reduce")
    said = f"at least 960 ms through the cut {cut}, by any algorithm and routing, unless switches reduce; this is "
    assert rows["bound (bottleneck)"].startswith(said)
    assert f"over what any algorithm could do through the cut {cut} (unless switches reduce)" in verdict
    # An all-to-all has no such bound, and regular fabrics have names for their worst cuts.
    (other,), *_ = bounds_shown(rooms, "all-to-all")
    (named,), *_ = bounds_shown("hgx-b200-64", "all-gather")
    assert ("sides" in other, named["cut"], "sides" in named) == (False, "domain", False)


def test_routings_are_compared_over_the_worst_cut(rooms, tmp_path):
    routings = answer("compare", rooms, "--collective", "reduce-scatter", "--no-figure", cwd=tmp_path)["routings"]
    assert {one["bound"]["cut"] for one in routings} == {"bottleneck"}


def test_too_large_a_fabric_is_said(rooms, monkeypatch):
    monkeypatch.setattr("fabric.bounds.throughput._MOST_LINKS", 10)
    (bound,), _, _, notes = bounds_shown(rooms, "all-gather")
    assert bound["cut"] == "endpoint"
    assert notes == ["bound: of cuts with a name alone; 28 links are too many to search all"]
    assert bounds_shown(rooms, "all-to-all")[-1] == []
