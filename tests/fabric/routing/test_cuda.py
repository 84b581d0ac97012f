"""Loads by a GPU: hashed ones are the processor's to the last bit, adaptive ones to rounding and alike in each run.

The tests run where there is a GPU, and everywhere in numba's simulator, which `test_the_same_in_the_simulator` starts.
"""

import os
import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import AllToAll, Groups, InputError
from fabric._kernels.adaptive_dag import carry_over, clear_dag, empty_dag, grow_dag
from fabric._kernels.adaptive_shared import FoundDags
from fabric._kernels.cuda import device as gpu
from fabric.builders import build, fat_tree
from fabric.builders.faults import with_capacity_left
from fabric.jobs.placement import Placement, packed
from fabric.routing import adaptive, adaptive_cuda, hashed, hashed_cuda
from fabric.routing.bundles import bundles_of
from fabric.routing.device import on_device
from fabric.routing.link_loads import link_loads
from fabric.routing.policies import Adaptive, Ecmp
from fabric.topology import ENDPOINT, SWITCH
from tests.fabric.kernels.test_adaptive_dag import named_rows
from tests.fabric.kernels.test_next_hops import REGULAR, damaged
from tests.fabric.routing.test_shared_ends import damaged_clos, demands
from tests.naive.routing import naive_link_bytes
from tests.random_fabrics import topology_of

NO_GPU = gpu.why_not()
needs_gpu = pytest.mark.skipif(NO_GPU is not None, reason=f"{NO_GPU}; the simulator runs it")
EXAMPLES = 8 if gpu.simulated() else 200


@pytest.fixture
def by_gpu(monkeypatch):
    """Whether each hashed all-to-all was counted by the GPU."""
    found = []

    def counted(*problem):
        found.append(hashed_cuda.counted_on_gpu(*problem))
        return found[-1]

    monkeypatch.setattr(hashed, "counted_on_gpu", counted)
    return found


def uniform(n, size=None):
    return AllToAll(Groups.consecutive(n, size or n), np.full(n, 6.0), np.ones(n))


@pytest.mark.kernels
@needs_gpu
@pytest.mark.parametrize("routing", [Ecmp(), Ecmp(queue_pairs=3, seed=2), Ecmp(shared_seed=True)], ids=repr)
def test_hashed_loads_are_the_processor_s_and_the_slow_walk_s(routing, by_gpu):
    @settings(deadline=None, max_examples=EXAMPLES)
    @given(damaged(), st.data())
    def check(topology, data):
        by_gpu.clear()
        n = topology.n_endpoints
        placement = Placement(np.array(data.draw(st.permutations(range(n))), np.int32))
        size = data.draw(st.sampled_from([n, n // 2]))
        block = data.draw(st.none() | st.lists(st.integers(0, 2), min_size=n, max_size=n).map(np.array))
        n = n // size * size
        block = None if block is None else block[:n]
        demand = AllToAll(Groups.consecutive(n, size), np.full(n, 6.0), np.ones(n), block)
        try:
            expected = naive_link_bytes(topology, demand, placement.endpoint, routing)
        except nx.NetworkXNoPath:
            with pytest.raises(InputError, match="no path from"):
                link_loads(topology, demand, placement, routing, device="cuda")
            return
        loads = link_loads(topology, demand, placement, routing, device="cuda").bytes
        assert loads.tobytes() == link_loads(topology, demand, placement, routing).bytes.tobytes()
        np.testing.assert_allclose(loads, expected, rtol=1e-9)
        assert all(one is not None for one in by_gpu)

    check()


@needs_gpu
@pytest.mark.parametrize("name", ["one tree", "shared spines", "leaves in several slots"])
def test_batches_and_blocks_do_not_matter(name, monkeypatch, by_gpu):
    topology = REGULAR[name]()
    demand, routing = uniform(topology.n_endpoints), Ecmp(queue_pairs=2, seed=5)
    loads = link_loads(topology, demand, packed(topology), routing)
    monkeypatch.setattr(hashed_cuda, "_BATCH_BYTES", 1)
    monkeypatch.setattr(hashed_cuda, "_BLOCK_FLOWS", 50)
    monkeypatch.setattr(hashed_cuda, "_MOST_THREADS", 1)
    assert (link_loads(topology, demand, packed(topology), routing, device="cuda").bytes == loads.bytes).all()
    assert by_gpu[0] is not None


@needs_gpu
def test_several_seeds_at_once_are_each_by_itself():
    topology = REGULAR["shared spines"]()
    demand, seeds = uniform(topology.n_endpoints), [Ecmp(seed=seed) for seed in range(3)]
    with on_device("cuda"):
        together = hashed.hashed_loads(topology, demand, packed(topology), seeds)
    alone = [link_loads(topology, demand, packed(topology), one) for one in seeds]
    assert [one.bytes.tobytes() for one in together] == [one.bytes.tobytes() for one in alone]
    assert len({one.bytes.tobytes() for one in together}) > 1


def ports(ups, downs):
    """Endpoints with a port of each speed up and down, in planes of their own, two leaves and two spines each."""
    rows = []
    first = 4
    for up, down in zip(ups, downs, strict=True):
        leaves, spines = (first, first + 1), (first + 2, first + 3)
        rows += [(end, leaves[end // 2], up, down) for end in range(4)]
        rows += [(leaf, spine, 100.0, 100.0) for leaf in leaves for spine in spines]
        first += 4
    return topology_of([ENDPOINT] * 4 + [SWITCH] * (first - 4), rows)


@needs_gpu
@pytest.mark.parametrize(("speeds", "whole"), [((50.0, 50.0, 50.0), True), ((100.0, 50.0, 50.0), False)])
def test_uneven_ports_are_the_processor_s(speeds, whole, by_gpu):
    topology = ports(speeds, speeds)
    loads = link_loads(topology, uniform(4), packed(topology), Ecmp())
    again = link_loads(topology, uniform(4), packed(topology), Ecmp(), device="cuda")
    assert again.bytes.tobytes() == loads.bytes.tobytes()
    assert [one is not None for one in by_gpu] == [whole]


@needs_gpu
def test_counts_that_could_overflow_are_the_processor_s(monkeypatch, by_gpu):
    topology = build(fat_tree(4))
    monkeypatch.setattr(hashed_cuda, "_MOST_COUNTED", 31)  # 16 flows to each of the two endpoints of a leaf
    loads = link_loads(topology, uniform(16), packed(topology), Ecmp(), device="cuda")
    assert by_gpu == [None]
    assert (loads.bytes == link_loads(topology, uniform(16), packed(topology), Ecmp()).bytes).all()


@needs_gpu
@settings(deadline=None, max_examples=EXAMPLES)
@given(damaged_clos(), st.data())
def test_adaptive_loads_are_the_processor_s(topology, data):
    n = topology.n_endpoints
    demand = data.draw(demands(n))
    placement = Placement(np.array(data.draw(st.permutations(range(n))), np.int32))
    try:
        expected = link_loads(topology, demand, placement).bytes
    except InputError as error:
        with pytest.raises(InputError, match=str(error).split(" from ")[0]):
            link_loads(topology, demand, placement, device="cuda")
        return
    loads = link_loads(topology, demand, placement, device="cuda").bytes
    np.testing.assert_allclose(loads, expected, rtol=1e-12, atol=1e-12 * expected.max(initial=0.0))
    np.testing.assert_array_equal(loads == 0, expected == 0)
    assert link_loads(topology, demand, placement, device="cuda").bytes.tobytes() == loads.tobytes()


@pytest.mark.kernels
@needs_gpu
@pytest.mark.parametrize("name", ["one tree", "leaves in several slots", "leaves that are neighbours"])
def test_adaptive_loads_are_the_slow_walk_s_in_one_batch_or_several(name, monkeypatch):
    topology = REGULAR[name]()
    n = topology.n_endpoints
    demand = AllToAll(Groups.consecutive(n, n), np.linspace(1.0, 3.0, n), np.linspace(2.0, 1.0, n))
    expected = naive_link_bytes(topology, demand, packed(topology).endpoint, Adaptive())
    for size in (adaptive_cuda._BATCH_BYTES, 1):
        monkeypatch.setattr(adaptive_cuda, "_BATCH_BYTES", size)
        loads = link_loads(topology, demand, packed(topology), device="cuda").bytes
        np.testing.assert_allclose(loads, expected, rtol=1e-12)


@needs_gpu
@pytest.mark.parametrize("name", ["one tree", "planes", "shared spines"])
@pytest.mark.parametrize("seed", range(2))
def test_adaptive_loads_among_slow_cables(name, seed):
    topology = REGULAR[name]()
    draw, cables = np.random.default_rng(seed), np.arange(topology.n_links)
    left = np.ones(topology.n_links)
    left[draw.choice(cables, cables.size // 3, replace=False)] = draw.choice([0.1, 0.3, 0.7], cables.size // 3)
    slow = with_capacity_left(topology, left).topology
    n = slow.n_endpoints
    demand = AllToAll(Groups.consecutive(n, n), np.linspace(1.0, 3.0, n), np.linspace(2.0, 1.0, n))
    loads = link_loads(slow, demand, packed(slow), device="cuda").bytes
    np.testing.assert_allclose(loads, link_loads(slow, demand, packed(slow)).bytes, rtol=1e-12)


@needs_gpu
def test_adaptive_loads_where_ports_are_slower_down_than_up():
    topology = ports([100.0, 100.0], [100.0, 30.0])
    expected = naive_link_bytes(topology, uniform(4), np.arange(4), Adaptive())
    np.testing.assert_allclose(link_loads(topology, uniform(4), packed(topology), device="cuda").bytes, expected)


@needs_gpu
@pytest.mark.parametrize("routing", [Ecmp(), Adaptive()], ids=repr)
def test_what_does_not_fit_the_gpu_is_refused(routing, monkeypatch):
    topology = build(fat_tree(4))
    monkeypatch.setattr(gpu, "free_bytes", lambda: 1000.0)
    with pytest.raises(InputError, match=r"needs [0-9.e-]+ GB of the GPU's memory, and 1e-06 GB are free; device cpu"):
        link_loads(topology, uniform(16), packed(topology), routing, device="cuda")


class Here:
    """An array that is not copied to a GPU."""

    def __init__(self, array):
        self.array = array

    def copy_to_host(self):
        return self.array


@pytest.mark.kernels
@pytest.mark.parametrize("name", ["one tree", "shared spines", "leaves in several slots"])
@pytest.mark.parametrize("batch", [500e6, 1])
def test_what_is_shared_out_between_two_passes_equals_the_slow_walk(name, batch, monkeypatch):
    """With both passes by the processor, DAG by DAG."""

    def search(layer, bundles, ends, destinations):
        found = []
        for destination in destinations.tolist():
            hops, dag = slice(*ends.start[destination : destination + 2]), empty_dag(layer.n_switches)
            clear_dag(dag)
            n_ends = ends.switch[hops].size
            dag.queue[:n_ends] = ends.switch[hops]
            for array, values in ((dag.distance, 1), (dag.capacity, ends.gbps[hops]), (dag.alone, ends.alone[hops])):
                array[ends.switch[hops]] = values
            n_reached = grow_dag(bundles, dag, n_ends)
            found.append((dag, n_reached, named_rows(bundles, dag, n_ends, n_reached)))
        return found, 0

    def fetch(found):
        columns = [(dag.distance, dag.capacity, dag.alone, row) for dag, _, row in found]
        distance, capacity, alone, row = (np.stack(column, axis=1) for column in zip(*columns, strict=True))
        return FoundDags(distance, capacity, alone, row, np.zeros(row.shape))

    def carry(layer, bundles, found, deepest, waiting, carried):
        for (dag, n_reached, _), own in zip(found, waiting.T, strict=True):
            carry_over(bundles, dag, n_reached, own.copy(), carried.array)

    for name_of, stand_in in (
        ("_search", search),
        ("_fetch", fetch),
        ("_carry", carry),
        ("_ends_on_gpu", lambda hops: hops),
        ("bundles_on_gpu", lambda layer: bundles_of(layer).arrays),
        ("require_on_gpu", lambda what, n_bytes: None),
        ("_BATCH_BYTES", batch),
    ):
        monkeypatch.setattr(adaptive_cuda, name_of, stand_in)
    monkeypatch.setattr(gpu, "to_gpu", Here)
    monkeypatch.setattr(adaptive, "on_gpu", lambda: True)
    topology = REGULAR[name]()
    n = topology.n_endpoints
    demand = AllToAll(Groups.consecutive(n, n), np.linspace(1.0, 3.0, n), np.linspace(2.0, 1.0, n))
    expected = naive_link_bytes(topology, demand, packed(topology).endpoint, Adaptive())
    np.testing.assert_allclose(link_loads(topology, demand, packed(topology)).bytes, expected, rtol=1e-12)


@pytest.mark.skipif(NO_GPU is None, reason="there is a GPU here, or this is the simulator")
def test_the_same_in_the_simulator():
    """Not the only run of a machine without a GPU by accident: all tests of this file, and none of them skipped."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    command += ["-W", "ignore:overflow encountered:RuntimeWarning"]
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "PYTEST_ADDOPTS": ""}
    root = Path(__file__).parents[3]
    run = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-4000:]
    assert "1 skipped" in run.stdout.splitlines()[-1]
