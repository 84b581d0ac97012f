"""What would not fit is refused before it is begun, with what it needs."""

import resource
import tracemalloc

import numpy as np
import pytest

import railscope as rs
from collectives import InputError
from fabric import memory
from fabric.builders import build, fat_tree
from fabric.routing.crossing import crossing
from fabric.routing.layer import layer_of
from fabric.routing.one_cable_less import CableSweep
from fabric.studies.faults import study_faults
from fabric.topology import ISL, SWITCH
from traces.workload.description import read_workload


def test_little_memory_is_said_before_anything_is_built(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 50e6)
    with pytest.raises(
        InputError, match=r"fat-tree-64: 65,536 endpoints and 393,216 links: needs 0\.\d+ GB of memory, and 0\.05 GB"
    ):
        build(fat_tree(64))
    assert build(fat_tree(8)).n_endpoints == 128


def test_estimates_are_near_the_truth(monkeypatch):
    """Building takes not much less than is said, and no more."""
    asked = []
    monkeypatch.setattr(memory, "require", lambda what, n_bytes, instead="": asked.append(n_bytes))
    tracemalloc.start()
    try:
        build(fat_tree(48))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 0.4 < peak / asked[0] < 1.1


def test_paths_of_too_many_flows(monkeypatch):
    topology = build(fat_tree(8))
    src = np.zeros(1_000_000, np.int32)
    monkeypatch.setattr(memory, "free_bytes", lambda: 1e6)
    with pytest.raises(InputError, match=r"paths of 1,000,000 flows: needs .* GB of memory"):
        rs.route_flows(topology, src, src + 1, rs.Ecmp())


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"memory.max": "max\n", "memory.current": "1\n", "memory.stat": ""}, np.inf),
        ({"memory.max": "3000\n", "memory.current": "2500\n", "memory.stat": "anon 1\ninactive_file 400\n"}, 900),
        ({"memory.max": "3000\n", "memory.current": "4000\n", "memory.stat": ""}, 0),
        ({}, np.inf),
    ],
)
def test_control_groups_limit(tmp_path, monkeypatch, files, expected):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    assert memory._of_group() == expected


def test_free_memory_is_known_or_infinite(tmp_path, monkeypatch):
    assert memory.free_bytes() > 0
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "none")
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert memory.free_bytes() == float("inf")


def test_what_a_sweep_takes_is_said_before_it(monkeypatch):
    """The links' tables, the sums of each thread, and the loads of many phases."""
    topology = build(fat_tree(32))
    everyone = rs.packed(topology)
    pairs = rs.AllToAll(rs.Groups.consecutive(8192, 8192), np.ones(8192), np.ones(8192))
    layer_of.cache_clear()
    monkeypatch.setattr(memory, "_SMALL", 0.0)
    monkeypatch.setattr(memory, "free_bytes", lambda: 3e6)
    with pytest.raises(
        InputError, match=r"^routing over 49,152 links of fat-tree-32: needs 0\.00442 GB of memory, and"
    ):
        rs.link_loads(topology, pairs, everyone)
    monkeypatch.undo()
    layer_of(topology, SWITCH)
    monkeypatch.setattr(memory, "_SMALL", 0.0)
    monkeypatch.setattr(memory, "free_bytes", lambda: 1e5)
    with pytest.raises(InputError, match=r"^loads of a sweep on 2 threads: needs .*; fewer threads need less$"):
        rs.link_loads(topology, pairs, everyone, n_threads=2)
    schedule = rs.Schedule(tuple(rs.Phase(pairs, label=f"{n}") for n in range(30)))
    with pytest.raises(InputError, match=r"^loads of 30 phases on 49,152 links: needs 0\.0126 GB of memory, and"):
        rs.schedule_loads(topology, schedule, everyone)


def test_what_a_step_takes_is_said_before_it(monkeypatch):
    fabric, workload = rs.open_fabric("gb300-2048"), read_workload("deepseek-v3")
    monkeypatch.setattr(memory, "free_bytes", lambda: 10e6)
    said = r"^step on 2,048 GPUs and 41,472 links, naive and each lever too: needs 0\.0\d+ GB of memory, and 0.01 GB "
    with pytest.raises(InputError, match=said + r"are free here; the step alone needs 0\.0\d+ GB$"):
        rs.study_step(fabric, workload)
    with pytest.raises(InputError, match=r"^step on 2,048 GPUs and 41,472 links: needs 0\.0\d+ GB of memory, and 0.01"):
        rs.study_step(fabric, workload, levers=False)


def test_what_explaining_and_failures_take_is_said_before_them(monkeypatch):
    scenario = rs.Scenario.of("hgx-b200-64", rs.Collective("all-to-all"))
    topology = scenario.topology
    link = int(np.flatnonzero(topology.link_kind == ISL)[0])
    rs.schedule_loads(topology, scenario.schedule, scenario.placement, scenario.routing)
    asked = []
    monkeypatch.setattr(memory, "require", lambda what, n_bytes, instead="": asked.append((what, n_bytes)))
    crossing(topology, link, scenario.routing)
    study_faults(scenario, ["spine"], counts=(2,), trials=1)
    for words in ("who sends over a link", "failures, each on a fabric of its own"):
        assert any(what.startswith(words) and n_bytes > 0 for what, n_bytes in asked)
    CableSweep.of(topology, scenario.schedule, scenario.placement)
    assert asked[-1][1] > 0
    assert any(what.startswith("single cables to lose") for what, _ in asked)


def test_a_step_takes_what_was_said(monkeypatch):
    """Not much less, and no more, at a size where its arrays count."""
    fabric, workload = rs.open_fabric("gb300-8192"), read_workload("deepseek-v3")
    rs.study_step(rs.open_fabric("gb300-2048"), workload, levers=False)
    asked = []
    monkeypatch.setattr(memory, "require", lambda what, n_bytes, instead="": asked.append((what, n_bytes)))
    tracemalloc.start()
    try:
        rs.study_step(fabric, workload, levers=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    said = next(n_bytes for what, n_bytes in asked if what.startswith("step on 8,192 GPUs"))
    assert 0.3 < peak / said < 1.3
