"""What would not fit is refused before it is begun, with what it needs."""

import resource
import tracemalloc

import numpy as np
import pytest

import railscope as rs
from collectives import InputError
from fabric import memory
from fabric.builders import build, fat_tree


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
