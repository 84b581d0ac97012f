"""Bounds: below everything that was found, met where the optimum is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectives import ALGORITHMS, Flows, Groups, InputError, Phase, Schedule, all_to_all, collective_schedule
from fabric.bounds import IN_NETWORK, cut_bound, linear_program_bound
from fabric.builders import build, fat_tree, load_preset
from fabric.load import link_loads, schedule_loads
from fabric.placement import Placement, packed, scattered
from fabric.routing import Adaptive, DModK, Ecmp
from tests.random_fabrics import fabrics, flow_demands, topology_of


@pytest.fixture(scope="module")
def cluster():
    return build(load_preset("hgx-b200-64"))


@pytest.mark.parametrize(
    ("collective", "algorithm"), [(name, one) for name, several in ALGORITHMS.items() for one in several]
)
@pytest.mark.parametrize("size_of_group", [8, 16, 64])
@pytest.mark.parametrize("seed", [None, 1])
def test_no_algorithm_beats_the_cuts(cluster, collective, algorithm, size_of_group, seed):
    placement = packed(cluster) if seed is None else scattered(cluster, 64, None, seed)
    groups = Groups.consecutive(64, size_of_group)
    domain, rail = cluster.endpoint_domain[placement.endpoint], cluster.endpoint_rail[placement.endpoint]
    schedule = collective_schedule(collective, groups, 2.0**30, algorithm, domain, rail)
    bound = cut_bound(cluster, placement, collective, groups, 2.0**30, algorithm in IN_NETWORK)
    for routing in (Adaptive(), DModK(), Ecmp()):
        time_s = schedule_loads(cluster, schedule, placement, routing).bottleneck_time_s
        assert time_s >= bound.time_s * (1 - 1e-9)


def test_what_meets_its_bound():
    """Rings and all-to-alls on a full-bisection fat tree of one-GPU hosts, in the order of the tree."""
    fabric = build(fat_tree(4))
    n, size = fabric.n_endpoints, 1e9
    groups = Groups.consecutive(n, n)
    for collective in ("all-reduce", "all-gather", "reduce-scatter", "all-to-all"):
        schedule = collective_schedule(collective, groups, size)
        time_s = schedule_loads(fabric, schedule, packed(fabric), Adaptive()).bottleneck_time_s
        bound = cut_bound(fabric, packed(fabric), collective, groups, size)
        assert time_s == pytest.approx(bound.time_s), collective
        gbps = float(fabric.link_capacity_gbps[0])
        factor = 2 * (n - 1) / n if collective == "all-reduce" else (n - 1) / n
        assert bound.time_s == pytest.approx(factor * size * 8e-9 / gbps)
        assert bound.cut == "endpoint"


def test_an_oversubscribed_leaf_is_the_bound():
    # Two leaves of 4 hosts with one cable of 100 each to the spine; hosts at 100.
    cables = [(h, 8 + h // 4, 100.0, 100.0) for h in range(8)] + [(8, 10, 100.0, 100.0), (9, 10, 100.0, 100.0)]
    fabric = topology_of([0] * 8 + [1] * 3, cables)
    bound = cut_bound(fabric, packed(fabric), "all-to-all", Groups.consecutive(8, 8), 8e9)
    # 4 x 4 pairs of 1 GB through 100 Gb/s.
    assert (bound.cut, bound.time_s) == ("leaf", pytest.approx(16e9 * 8 / 100e9))


@settings(deadline=None, max_examples=60)
@given(fabrics(nvlink=False), st.data())
def test_no_routing_beats_the_linear_program(topology, data):
    demand = data.draw(flow_demands(topology.n_endpoints))
    everywhere = Placement(np.arange(topology.n_endpoints, dtype=np.int32))
    schedule = Schedule((Phase(demand),))
    try:
        times = [
            link_loads(topology, demand, everywhere, routing).bottleneck_time_s
            for routing in (Adaptive(), DModK(), Ecmp())
        ]
    except InputError:
        return
    best = linear_program_bound(topology, schedule, everywhere).time_s
    assert best <= min(times) * (1 + 1e-6)
    # Every byte leaves its endpoint and enters the other: that is the least.
    for ends, far in ((demand.src, topology.link_tail), (demand.dst, topology.link_head)):
        moved = np.bincount(
            ends[demand.src != demand.dst], demand.bytes[demand.src != demand.dst], topology.n_endpoints
        )
        room = np.bincount(far, topology.link_capacity_gbps, topology.n_nodes)[topology.endpoints]
        assert best >= (moved / room).max(initial=0.0) * 8e-9 * (1 - 1e-6)


def test_the_linear_program_finds_what_shortest_paths_miss():
    """Two ways from a to b, one longer: shortest paths use one, the optimum both."""
    kinds = [0, 0, 1, 1, 1]
    cables = [
        (0, 2, 200.0, 200.0),
        (1, 3, 200.0, 200.0),
        (2, 3, 100.0, 100.0),
        (2, 4, 100.0, 100.0),
        (4, 3, 100.0, 100.0),
    ]
    fabric = topology_of(kinds, cables)
    demand = Flows([0], [1], [25e9])
    one = link_loads(fabric, demand, packed(fabric)).bottleneck_time_s
    best = linear_program_bound(fabric, Schedule((Phase(demand),)), packed(fabric)).time_s
    assert (one, best) == (pytest.approx(2.0), pytest.approx(1.0))


def test_too_large_and_in_network_are_refused(cluster):
    large = build(load_preset("gb300-2048"))
    everyone, placement = all_to_all(Groups.consecutive(2048, 2048), 1e6), packed(large, 2048, 64)
    with pytest.raises(InputError, match="expected at most"):
        linear_program_bound(large, everyone, placement)
    schedule = collective_schedule("all-reduce", Groups.consecutive(64, 64), 1e6, "sharp")
    with pytest.raises(InputError, match="no flows"):
        linear_program_bound(cluster, schedule, packed(cluster))


def test_bounds_on_the_command_line(tmp_path):
    from tests.test_cli import answer

    options = ("loads", "hgx-b200-64", "--collective", "all-to-all", "--group", "16", "--gpus", "16", "--optimum")
    document = answer(*options, cwd=tmp_path)
    cut, best = document["bounds"]
    assert (cut["cut"], best["cut"]) == ("domain", "linear program")
    assert cut["time_over_bound"] >= 1 - 1e-9
    assert cut["time_s"] <= best["time_s"] * (1 + 1e-9) <= document["summary"]["bottleneck_time_s"] * (1 + 1e-6)
    ladder = answer("compare", "hgx-b200-64", "--no-figure", cwd=tmp_path)["ladder"]
    assert all(step["time_s"] >= step["bound"]["time_s"] * (1 - 1e-9) for step in ladder)
