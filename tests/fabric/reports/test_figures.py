"""Figures: what is drawn, as arrays that pure functions give; and that any fabric, job or trace has a picture."""

import itertools
import re
import warnings

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives.demand import AllToAll, Flows, Groups
from collectives.errors import InputError
from fabric.builders import build, fat_tree
from fabric.builders.description import FabricDescription, Hosts, Leaf, ScaleUp, Spine
from fabric.formats.node_link import from_networkx, to_networkx
from fabric.jobs.placement import packed
from fabric.reports.figures.busbw import ALGORITHM_COLOURS, busbw_figure, lines_of
from fabric.reports.figures.compare import Panel, compare_figure, idle_text
from fabric.reports.figures.heatmap import (
    MAX_COLUMNS,
    MAX_PEERS,
    MAX_ROWS,
    Tiers,
    cell_colours,
    links_between,
    named_places,
    norm_of,
    switch_tiers,
    tiers_heatmap,
)
from fabric.reports.figures.rates import SLOWEST, ended, rates_figure, slowest
from fabric.reports.figures.sorted_loads import sorted_loads
from fabric.reports.figures.style import FORMATS, MISSING, check_format, colours_of, shortened, time_unit
from fabric.reports.figures.trace import MOST_ROWS, alike, over_time, trace_figure
from fabric.routing.link_loads import LinkLoads, link_loads
from fabric.routing.policies import Ecmp
from fabric.timing.fitting import Fit
from fabric.timing.prediction import Compared, Comparison, Row
from fabric.topology import DOWN, ISL, NIC, NVLINK, PEER, SWITCH, UP
from tests.random_fabrics import fabrics
from tests.shared_data import TWINS
from traces.nccl_tests import Measurement
from traces.operation import Operation, Trace

LARGEST = 200_000
MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def cluster(planes=1, wiring="rail"):
    return FabricDescription(
        fabric=Hosts(name="cluster", hosts=16, gpus_per_host=4, rails=4, gpu_gbps=800.0, planes=planes, wiring=wiring),
        scale_up=ScaleUp(hosts_per_domain=4, gpu_gbps=7200.0),
        leaf=Leaf(radix=16, port_gbps=800.0),
        spine=Spine(radix=16, port_gbps=800.0),
    )


def all_to_all(topology, n_ranks=None, routing=None):
    n = n_ranks or topology.n_endpoints
    demand = AllToAll(Groups.consecutive(n, n), np.full(n, 1e6), np.ones(n))
    return link_loads(topology, demand, packed(topology, n), routing)


def switches(graph, per_switch=2, name="graph"):
    """A fabric whose switches are an undirected graph's nodes."""
    fabric: nx.MultiDiGraph[str] = nx.MultiDiGraph(name=name)
    label = {node: "s" + re.sub(r"\W+", "-", str(node)).strip("-") for node in graph}
    fabric.add_nodes_from(label.values(), kind="switch")
    edges = [(label[a], label[b]) for a, b in graph.edges]
    for switch, place in itertools.product(label.values(), range(per_switch)):
        fabric.add_node(f"{switch}h{place}", kind="endpoint")
        edges.append((switch, f"{switch}h{place}"))
    for a, b in edges:
        fabric.add_edge(a, b, capacity_gbps=400.0)
        fabric.add_edge(b, a, capacity_gbps=400.0)
    return from_networkx(fabric)


def without_cables(topology, *chosen):
    """The fabric less the cables (name, name, index)."""
    graph = to_networkx(topology)
    for a, b, key in chosen:
        graph.remove_edge(a, b, key)
        graph.remove_edge(b, a, key)
    return from_networkx(graph)


def seconds_of(topology, loads, tail, head):
    """The busiest of the links from one switch to another, found by their names."""
    found = [
        float(loads.seconds[link])
        for link in range(topology.n_links)
        if topology.nodes.name[topology.link_tail[link]] == tail
        and topology.nodes.name[topology.link_head[link]] == head
    ]
    return max(found, default=None)


def numbered(topology):
    """Loads that are all different."""
    return LinkLoads(topology, 1e9 * (1.0 + np.arange(topology.n_links)))


FABRICS = {
    "two tiers": build(cluster()),
    "planes": build(cluster(planes=2)),
    "three tiers": build(fat_tree(4)),
    "jellyfish": switches(nx.random_regular_graph(3, 12, seed=1)),
    "torus": switches(nx.grid_graph([3, 3], periodic=True)),
    "dragonfly": switches(nx.compose(nx.disjoint_union_all([nx.complete_graph(3)] * 4), nx.Graph([(0, 3), (1, 6), (2, 9), (4, 7), (5, 10), (8, 11)]))),
    "many peers": switches(nx.cycle_graph(MAX_PEERS + 1), per_switch=1),
    "one switch": switches(nx.empty_graph(1), per_switch=4),
}  # fmt: skip


@pytest.mark.parametrize("name", FABRICS)
@pytest.mark.parametrize("n_designs", [1, 2, 3])
def test_any_fabric_has_a_picture(name, n_designs):
    loads = all_to_all(FABRICS[name], routing=Ecmp())
    designs = [Panel(f"design {n}", loads.scaled(1 / (n + 1)), 1e-3, 12.5, "s0 -> s1") for n in range(n_designs)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = compare_figure(designs, name)
    assert picture.startswith(MAGIC[".png"])
    assert len(picture) < LARGEST


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_input_gives_the_same_bytes(suffix):
    loads = all_to_all(FABRICS["planes"], routing=Ecmp())
    timed = Flows(np.array([0, 1, 2]), np.array([1, 2, 3]), np.array([1e6, 2e6, 3e6]))
    start, finish = np.zeros(3), np.array([0.1, 0.2, 0.4])
    trace = Trace(("a",), tuple(operation("all-reduce", 8, 1e6, at) for at in (0.0, 0.1)), 8)
    drawn = (
        lambda: compare_figure((("a", loads), ("b", loads.scaled(0.0))), "t", suffix),
        lambda: compare_figure((Panel("a", loads, 1.0),), "t", suffix),
        lambda: rates_figure(timed, start, finish, "abcd", "t", suffix),
        lambda: trace_figure(trace, "t", suffix),
        lambda: busbw_figure(rows_of({8: "ring", 16: "tree"}), None, "t", suffix),
    )
    for draw in drawn:
        one, two = draw(), draw()
        assert one == two
        assert one.startswith(MAGIC[suffix])
        assert len(one) < LARGEST


def test_the_users_settings_change_nothing_and_stay_as_they_are():
    import matplotlib as mpl

    loads = all_to_all(FABRICS["two tiers"])
    plain = compare_figure((("a", loads),), "t")
    with mpl.rc_context({"font.size": 30.0, "axes.facecolor": "red"}):
        assert compare_figure((("a", loads),), "t") == plain
        assert mpl.rcParams["font.size"] == 30.0


def test_large_fabrics_stay_small_pictures():
    topology = build(fat_tree(24))
    rng = np.random.default_rng(0)
    loads = LinkLoads(topology, rng.lognormal(20, 1, topology.n_links))
    assert len(compare_figure((("a", loads), ("b", loads.scaled(0.5))), "t")) < LARGEST


@pytest.mark.parametrize("name", ["two tiers", "planes", "three tiers"])
def test_heatmaps_hold_every_cable_between_tiers(name):
    """Each cell against the links found by name: columns that blocks share are named by what they share."""
    topology = FABRICS[name]
    loads = numbered(topology)
    for tiers, direction in itertools.product(switch_tiers(topology), (UP, DOWN)):
        heat = tiers_heatmap(loads, tiers, direction)
        assert not heat.missing.any()
        links = links_between(topology, tiers, direction)
        assert np.nanmax(heat.seconds) == loads.seconds[links].max()
        pairs = {(int(topology.link_tail[link]), int(topology.link_head[link])) for link in links}
        assert np.count_nonzero(~np.isnan(heat.seconds)) == len(pairs)
        assert sorted(heat.seconds[~np.isnan(heat.seconds)]) == pytest.approx(
            sorted(seconds_of(topology, loads, *(topology.nodes.name[end] for end in pair)) for pair in pairs)
        )


def test_heatmap_cells_stand_where_their_names_say():
    topology = build(cluster(planes=2))
    loads = numbered(topology)
    heat = tiers_heatmap(loads, Tiers(1, 2), UP)
    assert heat.rows[0] == "r0-l00"
    assert heat.columns[0].startswith("p0-")
    for (row, leaf), (column, spine) in itertools.product(enumerate(heat.rows), enumerate(heat.columns)):
        assert heat.seconds[row, column] == seconds_of(topology, loads, f"{spine[:2]}-{leaf}", spine)
    assert heat.column_bounds == (len(heat.columns) // 2,)


def test_pods_stand_on_one_another_and_share_columns():
    """A 4-ary fat tree: 4 pods of 2 leaves and 2 spines, packed into 8 x 2 instead of 8 x 8."""
    leaves = tiers_heatmap(numbered(FABRICS["three tiers"]), Tiers(1, 2), UP)
    assert (len(leaves.rows), leaves.columns) == (8, ("s00", "s01"))
    assert leaves.row_bounds == (2, 4, 6)
    spines = tiers_heatmap(numbered(FABRICS["three tiers"]), Tiers(2, 3), UP)
    assert spines.seconds.shape == (8, 2)
    assert spines.rows[:4] == tuple(f"pod{pod}-s00" for pod in range(4))


def test_peers_are_drawn_sender_by_receiver():
    topology = FABRICS["torus"]
    loads = numbered(topology)
    heat = tiers_heatmap(loads, Tiers(1, 1), PEER)
    assert heat.rows == heat.columns
    for (row, sender), (column, receiver) in itertools.product(enumerate(heat.rows), enumerate(heat.columns)):
        expected = seconds_of(topology, loads, sender, receiver)
        assert np.isnan(heat.seconds[row, column]) if expected is None else heat.seconds[row, column] == expected
    assert not heat.missing.any()


def test_names_are_in_the_order_in_which_people_count():
    topology = switches(nx.cycle_graph(12))
    heat = tiers_heatmap(numbered(topology), Tiers(1, 1), PEER)
    assert heat.rows == tuple(f"s{number}" for number in range(12))


def test_missing_cables_have_a_colour_that_no_load_has():
    import matplotlib as mpl
    from matplotlib.colors import to_rgba

    topology = without_cables(build(fat_tree(8)), ("pod3-r0-l02", "pod3-s01", 0), ("pod5-s03", "c12", 0))
    loads = LinkLoads(topology, np.linspace(0.0, 1e9, topology.n_links))
    missing_colour = tuple(round(255 * part) for part in to_rgba(MISSING))
    colours = mpl.colormaps["cividis"]
    scale = np.asarray(colours(np.arange(256), bytes=True), np.int64)
    assert np.abs(scale[:, :3] - missing_colour[:3]).sum(axis=1).min() > 100
    for tiers, direction in itertools.product((Tiers(1, 2), Tiers(2, 3)), (UP, DOWN)):
        heat = tiers_heatmap(loads, tiers, direction)
        norm = norm_of([heat], 1.0)
        assert norm is not None
        cells = cell_colours(heat, 1.0, norm, colours)
        missing = (cells == missing_colour).all(axis=2)
        assert missing.sum() == 1
        assert (missing == np.isnan(heat.seconds)).all()
        assert (missing == (heat.missing > 0)).all()
    row, column = (int(place[0]) for place in np.nonzero(tiers_heatmap(loads, Tiers(1, 2), UP).missing))
    assert (tiers_heatmap(loads, Tiers(1, 2), UP).rows[row], column) == ("pod3-r0-l02", 1)


def test_fewer_parallel_cables_than_peers_are_counted():
    whole = build(cluster())
    cables = np.flatnonzero((whole.link_kind == ISL) & (whole.link_direction == UP))
    leaf, spine = (whole.nodes.name[end[cables[0]]] for end in (whole.link_tail, whole.link_head))
    parallel = sum(whole.link_tail[cables] == whole.link_tail[cables[0]]) // len(
        set(whole.link_head[cables[whole.link_tail[cables] == whole.link_tail[cables[0]]]].tolist())
    )
    assert parallel > 1
    heat = tiers_heatmap(numbered(without_cables(whole, (leaf, spine, 0))), Tiers(1, 2), DOWN)
    assert heat.missing.sum() == heat.missing[heat.rows.index(leaf), heat.columns.index(spine)] == 1
    assert not np.isnan(heat.seconds).any()


def test_idle_cables_and_no_cables_differ():
    """Zero is the scale's lowest colour, also of a logarithmic one; where peers have none either, nothing is drawn."""
    import matplotlib as mpl

    topology = FABRICS["torus"]
    load = np.zeros(topology.n_links)
    first, second = links_between(topology, Tiers(1, 1), PEER)[:2]
    load[first], load[second] = 1e12, 1e3
    heat = tiers_heatmap(LinkLoads(topology, load), Tiers(1, 1), PEER)
    norm = norm_of([heat], 1e3)
    assert norm is not None
    assert type(norm).__name__ == "LogNorm"
    cells = cell_colours(heat, 1e3, norm, mpl.colormaps["cividis"])
    assert (cells[np.isnan(heat.seconds)] == 0).all()
    assert (cells[heat.seconds == 0] == mpl.colormaps["cividis"](0.0, bytes=True)).all()
    assert (
        cells[heat.seconds == heat.seconds[heat.seconds > 0].max()] == mpl.colormaps["cividis"](1.0, bytes=True)
    ).all()


def test_norm_is_linear_within_two_decades_and_shared():
    heat = tiers_heatmap(numbered(FABRICS["two tiers"]), Tiers(1, 2), UP)
    twice = tiers_heatmap(numbered(FABRICS["two tiers"]).scaled(2.0), Tiers(1, 2), UP)
    norm = norm_of([heat, twice], 1e3)
    assert norm is not None
    assert (type(norm).__name__, norm.vmin) == ("Normalize", 0.0)
    assert norm.vmax == pytest.approx(2e3 * np.nanmax(heat.seconds))
    assert norm_of([], 1.0) is None


def test_no_hot_link_is_lost_where_a_cell_stands_for_several():
    topology = build(fat_tree(24))
    load = np.zeros(topology.n_links)
    for tiers, direction in itertools.product(switch_tiers(topology), (UP, DOWN)):
        links = links_between(topology, tiers, direction)
        hot = np.random.default_rng(1).choice(links, 5, replace=False)
        load[:] = 0.0
        load[hot] = 1e9 * np.arange(1, 6)
        heat = tiers_heatmap(LinkLoads(topology, load), tiers, direction)
        assert heat.seconds.shape[0] <= MAX_ROWS
        assert heat.seconds.shape[1] <= MAX_COLUMNS
        assert heat.cell[0] == 2
        assert np.nanmax(heat.seconds) == LinkLoads(topology, load).bottleneck_time_s
        assert 1 <= np.count_nonzero(heat.seconds > 0) <= 5


IDLE = {
    "no traffic": np.zeros(0, np.int8),
    "nothing crosses the spines:\nstays in NVLink": np.array([NVLINK]),
    "nothing crosses the spines:\nstays under the leaves": np.array([NVLINK, NIC]),
}


@pytest.mark.parametrize("words", IDLE)
def test_an_idle_network_says_so_in_words(words):
    topology = FABRICS["two tiers"]
    loads = LinkLoads(topology, np.where(np.isin(topology.link_kind, IDLE[words]), 1e9, 0.0))
    assert idle_text(loads, Tiers(1, 2)) == words
    drawn = compare_figure((("busy", all_to_all(topology)), ("idle", loads)), "t", ".svg").decode()
    # Letters are outlines in an SVG, but each text keeps its words in a comment.
    assert words.splitlines()[0] in drawn
    assert compare_figure((("idle", loads),), "t").startswith(MAGIC[".png"])


def test_words_for_idle_cores_and_peers():
    tree = FABRICS["three tiers"]
    in_pod = all_to_all(tree, 4)
    assert idle_text(in_pod, Tiers(1, 2)) is None
    assert idle_text(in_pod, Tiers(2, 3)) == "nothing crosses the cores:\nturns back at the spines"
    torus = all_to_all(FABRICS["torus"], 2)
    assert idle_text(torus, Tiers(1, 1)) == "nothing passes between switches:\nstays on its own switch"


def test_sorted_loads_are_all_links_by_tier():
    topology = FABRICS["planes"]
    loads = numbered(topology)
    curves = sorted_loads(loads)
    assert list(curves) == ["NVLink", "host", "leaf-spine"]
    assert sum(curve.n_links for of_tier in curves.values() for curve in of_tier) == topology.n_links
    for kind, name in ((NVLINK, "NVLink"), (NIC, "host"), (ISL, "leaf-spine")):
        for curve in curves[name]:
            seconds = loads.seconds[(topology.link_kind == kind) & (topology.link_direction == curve.direction)]
            assert (curve.seconds[0], curve.seconds[-1]) == (seconds.max(), seconds.min())
            assert (np.diff(curve.seconds) <= 0).all()
            for percent, value in zip(curve.percent[:-1], curve.seconds[:-1], strict=True):
                assert np.count_nonzero(seconds > value) == pytest.approx(percent / 100 * seconds.size)
    assert list(sorted_loads(all_to_all(FABRICS["torus"]))) == ["host", "between switches"]


@settings(deadline=None, max_examples=15)
@given(fabrics(), st.integers(0, 2**32 - 1))
def test_random_fabrics_have_pictures(topology, seed):
    loads = LinkLoads(topology, np.random.default_rng(seed).integers(0, 3, topology.n_links) * 1e6)
    assert compare_figure((("a", loads),), "random").startswith(MAGIC[".png"])
    drawn = sum(
        np.count_nonzero(~np.isnan(tiers_heatmap(loads, tiers, direction).seconds))
        for tiers in switch_tiers(topology)
        for direction in ((PEER,) if tiers.within else (UP, DOWN))
    )
    isl = topology.link_kind == ISL
    assert drawn == len(set(zip(topology.link_tail[isl].tolist(), topology.link_head[isl].tolist(), strict=True)))


def test_planes_that_differ_do_not_share_rows():
    """A plane that has lost a whole leaf: rows are named in full."""
    topology = build(cluster(planes=2))
    cables = [
        (topology.nodes.name[topology.link_tail[link]], topology.nodes.name[topology.link_head[link]], int(topology.link_cable_index[link]))
        for link in links_between(topology, Tiers(1, 2), UP)
        if topology.nodes.name[topology.link_tail[link]] == "p1-r0-l00"
    ]  # fmt: skip
    hurt = without_cables(topology, *cables)
    loads = numbered(hurt)
    heat = tiers_heatmap(loads, Tiers(1, 2), UP)
    n_leaves = np.count_nonzero((topology.nodes.kind == SWITCH) & (topology.nodes.tier == 1))
    assert len(heat.rows) == n_leaves - 1
    assert "p1-r0-l00" not in heat.rows
    assert "p0-r0-l00" in heat.rows


def test_few_names_at_the_axes_and_each_blocks_first():
    names = [f"l{number}" for number in range(100)]
    assert len(named_places(names, (), 12)) <= 13
    assert {0, 25, 50, 75} <= set(named_places(names, (25, 50, 75), 12))
    assert named_places(names[:5], (), 12) == [0, 1, 2, 3, 4]


def test_ended_counts_flows_and_bytes():
    when, percent = ended(np.array([3.0, 1.0, 2.0, 2.0]), np.array([4.0, 1.0, 2.0, 3.0]))
    assert when.tolist() == [1.0, 2.0, 2.0, 3.0]
    assert percent.tolist() == [10.0, 30.0, 60.0, 100.0]
    many, percent = ended(np.arange(10_000.0), np.ones(10_000))
    assert len(many) <= 400
    assert (many[-1], percent[-1]) == (9999.0, 100.0)


def test_slowest_flows_take_longest_not_end_last():
    start = np.array([0.0, 5.0, 0.0])
    assert slowest(start, np.array([1.0, 7.0, 6.0])) == [2, 1, 0]
    assert len(slowest(np.zeros(100), np.ones(100))) == SLOWEST


@pytest.mark.parametrize("n_flows", [0, 1, 1000])
def test_rates_of_any_number_of_flows(n_flows):
    rng = np.random.default_rng(0)
    flows = Flows(rng.integers(0, 64, n_flows), rng.integers(0, 64, n_flows), rng.random(n_flows) * 1e6)
    start = rng.random(n_flows)
    picture = rates_figure(flows, start, start + rng.random(n_flows), [f"h{n:04d}" for n in range(64)], "rates")
    assert len(picture) < LARGEST


def test_rates_refuse_times_of_other_flows():
    flows = Flows(np.array([0]), np.array([1]), np.array([1.0]))
    with pytest.raises(InputError, match=r"start_s, finish_s: expected 1 times"):
        rates_figure(flows, np.zeros(2), np.zeros(1), "ab", "t")


def operation(kind, group_size, size=None, start_s=None):
    return Operation(kind, (), group_size, bytes=size, start_s=start_s)


def test_trace_rows_add_up_what_is_alike():
    trace = Trace(
        ("a",),
        (
            operation("all-reduce", 8, 10.0, 0.0),
            operation("all-reduce", 8, 20.0, 1.0),
            operation("all-gather", 8, 100.0, 0.5),
            operation("all-gather", 8, None, 0.5),
            operation("all-reduce", 2048, 1.0),
        ),
        None,
    )
    rows = alike(trace)
    assert [(row.label, row.bytes, len(row.operations), row.unknown) for row in rows] == [
        ("all-gather, 8 ranks", 100.0, 2, 1),
        ("all-reduce, 8 ranks", 30.0, 2, 0),
        ("all-reduce, 2,048 ranks", 1.0, 1, 0),
    ]
    cells = over_time(rows, 0.0, 1.0, sized=True)
    assert (cells[1, 0], cells[1, -1], cells[0].sum(), cells[2].sum()) == (10.0, 20.0, 100.0, 0.0)
    assert over_time(rows, 0.0, 1.0, sized=False).sum() == 4
    assert np.flatnonzero(cells[0]).tolist() == [cells.shape[1] // 2]


def test_many_kinds_of_operations_share_the_last_row():
    trace = Trace(("a",), tuple(operation("all-reduce", 2 + n, float(n)) for n in range(40)), 64)
    rows = alike(trace)
    assert len(rows) == MOST_ROWS
    assert rows[-1].label == f"{40 - MOST_ROWS + 1} others"
    assert sum(row.bytes for row in rows) == sum(range(40))


@pytest.mark.parametrize(
    "operations",
    [
        (),
        (operation("all-reduce", 8),),
        (operation("all-reduce", 8, 0.0, 0.0),),
        (operation("all-reduce", 8, 1e6),),
        tuple(operation("all-to-all", 8, 10.0 ** (n % 9), n * 1e-3) for n in range(3000)),
    ],
    ids=["empty", "no sizes", "no bytes", "no times", "many"],
)
def test_any_trace_has_a_picture(operations):
    for ignored in ((), (("wait records", 6),)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            picture = trace_figure(Trace(("a", "b"), operations, 8, ignored), "trace")
        assert len(picture) < LARGEST


def test_traces_have_pictures():
    from traces.kineto import read_kineto

    for files in ([TWINS / "resnet_2rank_rank0.json.gz"], sorted((TWINS / "dlrm").iterdir())):
        assert len(trace_figure(read_kineto(files), "trace")) < LARGEST


def rows_of(algorithm_of_size):
    return [
        Row(float(size), name, "simple", size * 1e-9, 1.0, 2.0, size * 2e-9, 1.0, size * 1e-9)
        for size, name in algorithm_of_size.items()
    ]


def test_the_line_of_the_fastest_has_no_breaks():
    rows = rows_of({8: "tree", 16: "tree", 32: "ring", 64: "nvls", 128: "ring"})
    lines = lines_of(rows)
    assert [name for name, _ in lines] == ["tree", "ring", "nvls", "ring"]
    for (_, before), (_, after) in itertools.pairwise(lines):
        assert before[-1] is after[0]
    assert [row.size for _, own in lines for row in own[:-1]] + [lines[-1][1][-1].size] == [8, 16, 32, 64, 128]


def test_listed_algorithms_have_a_line_each():
    rows = [*rows_of({8: "tree", 16: "tree"}), *rows_of({8: "ring", 16: "ring"})]
    assert {name: [row.size for row in own] for name, own in lines_of(rows)} == {"tree": [8, 16], "ring": [8, 16]}


def test_busbw_beside_measurements_of_other_sizes():
    measured = [
        Measurement(size=float(size), time_s=2e-9 * size, algbw_GBps=0.5, busbw_GBps=1.0) for size in (1, 8, 16)
    ]
    compared = tuple(Compared(one, rows_of({one.size: "ring"})[0], 1.0) for one in measured)
    comparison = Comparison(compared, Fit(1.0, 1.0, 0.0, np.ones(3)))
    drawn = busbw_figure(rows_of({8: "ring", 16: "tree"}), comparison, "t", ".svg").decode()
    assert "measured (2 of 3 sizes)" in drawn
    assert len(busbw_figure(rows_of({8: "ring"}), comparison, "one size")) < LARGEST


def test_algorithms_keep_their_colours():
    assert colours_of(["ring", "mine"], ALGORITHM_COLOURS)["ring"] == colours_of(["ring"], ALGORITHM_COLOURS)["ring"]
    many = [f"own {n}" for n in range(30)]
    assert list(colours_of(many, ALGORITHM_COLOURS)) == many
    assert len({*colours_of(["ring", "trees", "mine", "yours"], ALGORITHM_COLOURS).values()}) == 4


@settings(deadline=None)
@given(st.lists(st.text("abc-/0123456789", min_size=1, max_size=50), min_size=1, max_size=6), st.integers(8, 30))
def test_shortened_names_fit(names, length):
    short = shortened(names, length)
    assert max(map(len, short)) <= length
    if max(map(len, names)) <= length:
        assert short == names


@pytest.mark.parametrize(("seconds", "unit"), [(0.0, "s"), (2.0, "s"), (0.5, "ms"), (1e-5, "us"), (1e-8, "ns")])
def test_units_of_time(seconds, unit):
    assert time_unit(seconds)[0] == unit


def test_formats_are_checked():
    with pytest.raises(InputError, match=r"figure.jpg: expected a figure's name that ends in \.png, \.svg, \.pdf"):
        check_format("figure.jpg")
    with pytest.raises(InputError, match="expected a figure's name"):
        compare_figure((("a", all_to_all(FABRICS["one switch"])),), "t", ".jpg")
