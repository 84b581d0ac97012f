"""Times rates and completions: ``make bench``.

One solve of a million random flows and of all flows of a hashed all-to-all over 8,192 endpoints, beside a lower bound;
completions of flows that come one by one; and completions of an all-to-all of distinct sizes over 128 hosts beside
SimGrid on the same routes, by its C++ library or else its Python module.  SimGrid's finish times must agree.

The lower bound of a solve: every path is read twice, to list the flows of each link and to take their rates off; the
list is written and read, a flow's place is read twice and its rate written, all at the memory bandwidth of a copy,
measured here.
"""

import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.link_loads import RADIX, best_of, copy_bytes_per_s
from fabric.builders import build, fat_tree
from fabric.routing.flow_paths import FlowPaths
from fabric.routing.paths import route_flows
from fabric.routing.policies import Ecmp
from fabric.timing.max_min import completions, max_min_rates
from fabric.topology import Topology

_LEAVES, _HOSTS, _SPINES, _GBPS = 16, 8, 8, 400.0
_TREE = f"2;{_HOSTS},{_LEAVES};1,{_SPINES};1,1"
_PLATFORM = f"""<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <cluster id="c" prefix="host-" radical="0-{_LEAVES * _HOSTS - 1}" suffix="" speed="1Gf"
           bw="{_GBPS / 8:g}GBps" lat="0us" topology="FAT_TREE" topo_parameters="{_TREE}"
           sharing_policy="SPLITDUPLEX"/>
</platform>
"""
_OPTIONS = ("network/model:CM02", "network/TCP-gamma:0", "network/crosstraffic:0")


def static_paths(src: np.ndarray, dst: np.ndarray) -> FlowPaths:
    """SimGrid's routes: up by spine ``dst mod 8``.  Links: hosts up, hosts down, leaves up, leaves down."""
    n = _LEAVES * _HOSTS
    up, down = 2 * n, 2 * n + _LEAVES * _SPINES
    spine, far = dst % _SPINES, src // _HOSTS != dst // _HOSTS
    hops = np.stack(
        [src, up + src // _HOSTS * _SPINES + spine, down + dst // _HOSTS * _SPINES + spine, n + dst], axis=1
    )
    used = np.stack([np.ones_like(far), far, far, np.ones_like(far)], axis=1)
    start = np.concatenate([[0], np.cumsum(used.sum(axis=1))]).astype(np.int64)
    return FlowPaths(start, hops[used].astype(np.int32))


# The same as simgrid_all_to_all.cpp, for SimGrid's Python module.
_PYTHON = """
import sys, time
from simgrid import Actor, Comm, Engine, Host
def send(flow, src, dst, size):
    Comm.sendto(src, dst, size)
    finish[flow] = Engine.clock
engine = Engine(sys.argv)
engine.load_platform(sys.argv[1])
rows = [line.split() for line in open(sys.argv[2])]
finish = [0.0] * len(rows)
for flow, (src, dst, size) in enumerate(rows):
    src, dst = Host.by_name("host-" + src), Host.by_name("host-" + dst)
    Actor.create("f", src, send, flow, src, dst, int(size))
start = time.perf_counter()
engine.run()
print(time.perf_counter() - start)
open(sys.argv[3], "w").write("\\n".join(map(repr, finish)))
"""


def _simgrid_program(folder: Path) -> list[str] | None:
    """A command that runs SimGrid: by its C++ library, else its Python module; None where neither is there."""
    source, program = Path(__file__).with_name("simgrid_all_to_all.cpp"), str(folder / "simgrid")
    if shutil.which("g++") is not None:
        build_it = ["g++", "-O2", "-std=c++17", str(source), "-o", program, "-lsimgrid"]
        if subprocess.run(build_it, capture_output=True, check=False).returncode == 0:
            return [program]
    for python in (sys.executable, "/usr/bin/python3"):
        if (
            shutil.which(python)
            and not subprocess.run([python, "-c", "import simgrid"], capture_output=True).returncode
        ):
            return [python, "-c", _PYTHON]
    return None


def simgrid(folder: Path, src: np.ndarray, dst: np.ndarray, size: np.ndarray) -> tuple[str, float, np.ndarray] | None:
    """Version, seconds and finish times; None where SimGrid is missing."""
    program = _simgrid_program(folder)
    if program is None:
        return None
    (folder / "p.xml").write_text(_PLATFORM)
    (folder / "f.txt").write_text("\n".join(f"{a} {b} {c:.0f}" for a, b, c in zip(src, dst, size, strict=True)))
    options = [f"--cfg={option}" for option in _OPTIONS]
    files = [str(folder / file) for file in ("p.xml", "f.txt", "out.txt")]
    command = [*program, *files, *options, "--log=root.thres:critical"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    ask = (
        program
        if len(program) == 1
        else [*program[:2], "import simgrid; print('SimGrid version', simgrid.simgrid_version)"]
    )
    said = subprocess.run([*ask, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"SimGrid version [0-9.]*[0-9]", said)
    return version[0] if version else "SimGrid", float(done.stdout.split()[-1]), np.loadtxt(folder / "out.txt")


def bound_s(paths: FlowPaths) -> float:
    """Time to move what one solve must, at the memory bandwidth of a copy."""
    hops, flows = len(paths.link), paths.n_flows
    return (hops * 4 * 4 + flows * (2 * 8 + 8)) / copy_bytes_per_s()


def beside_bound(paths: FlowPaths, seconds: float) -> str:
    """The seconds, and how many times the lower bound they are."""
    bound = bound_s(paths)
    return f"{seconds:.3g} s ({seconds / bound:.1f} times the lower bound, {bound:.3g} s)"


def random_flows(topology: Topology) -> None:
    """One solve of a million flows between random endpoints."""
    n = topology.n_endpoints
    capacity = topology.link_capacity_gbps
    generator = np.random.default_rng(0)
    one, other = (generator.integers(0, n, 1_000_000).astype(np.int32) for _ in range(2))
    start = time.perf_counter()
    paths = route_flows(topology, one, other, Ecmp()).paths
    routed = time.perf_counter() - start
    max_min_rates(capacity, paths)
    seconds = best_of(3, lambda: max_min_rates(capacity, paths))
    print(
        f"1,000,000 random flows, {n:,} endpoints: paths {routed:.2f} s (compiled or read from the cache too), "
        f"rates {beside_bound(paths, seconds)}"
    )


def arrivals(topology: Topology) -> None:
    """200,000 flows of 1 MB on average that come one by one, at random."""
    n, n_flows = topology.n_endpoints, 200_000
    links = topology.link_capacity_gbps * 1e9 / 8
    for load in (0.1, 0.3):
        generator = np.random.default_rng(0)
        src, dst = (generator.integers(0, n, n_flows).astype(np.int32) for _ in range(2))
        routed = route_flows(topology, src, dst, Ecmp())
        size = generator.exponential(1e6, n_flows)[routed.flow]
        begin = np.cumsum(generator.exponential(1e6 / (n * float(links[0]) * load), n_flows))[routed.flow]
        start = time.perf_counter()
        done = completions(links, routed.paths, size, begin)
        seconds = time.perf_counter() - start
        print(f"completions of {n_flows:,} flows at {load:.0%} load: {seconds:.2f} s, {done.solves:,} solves")


def all_to_all_of_distinct_sizes() -> None:
    """Completions of an all-to-all whose flows all end at times of their own, beside SimGrid's."""
    generator = np.random.default_rng(0)
    n_hosts = _LEAVES * _HOSTS
    src, dst = (ends.ravel().astype(np.int32) for ends in np.indices((n_hosts, n_hosts)))
    src, dst = src[src != dst], dst[src != dst]
    size = generator.integers(500_000, 1_500_000, src.size).astype(float)
    few = static_paths(src, dst)
    links = np.full(2 * n_hosts + 2 * _LEAVES * _SPINES, _GBPS * 1e9 / 8)
    done = completions(links, few, size)
    seconds = best_of(3, lambda: completions(links, few, size))
    print(
        f"completions of {src.size:,} flows of distinct sizes, {n_hosts} hosts: {seconds:.2f} s, {done.solves:,} solves"
    )
    with tempfile.TemporaryDirectory() as name:
        peer = simgrid(Path(name), src, dst, size)
    if peer is None:
        print("  SimGrid is not installed: apt-get install libsimgrid-dev g++, or python3-simgrid")
    else:
        version, peer_s, finish = peer
        np.testing.assert_allclose(done.finish_s, finish, rtol=1e-5)
        print(f"  {version}: {peer_s:.1f} s, {peer_s / seconds:.0f} times as long; finish times agree to 1e-5")
    for quantum in (1e-7, 1e-6):
        start = time.perf_counter()
        quick = completions(links, few, size, quantum_s=quantum)
        print(
            f"  quantum {quantum:g} s: {time.perf_counter() - start:.2f} s, {quick.solves:,} solves, "
            f"sizes short by {quick.largest_shortfall:.2%} at most"
        )


def all_flows(topology: Topology) -> None:
    """One solve of every flow of a hashed all-to-all."""
    n = topology.n_endpoints
    start = time.perf_counter()
    src = np.empty(n * (n - 1), np.int32)
    for end in range(n):
        src[end * (n - 1) : (end + 1) * (n - 1)] = np.delete(np.arange(n, dtype=np.int32), end)
    dst = np.repeat(np.arange(n, dtype=np.int32), n - 1)
    paths = route_flows(topology, src, dst, Ecmp()).paths
    del src, dst
    routed = time.perf_counter() - start
    start = time.perf_counter()
    max_min_rates(topology.link_capacity_gbps, paths)
    solved = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"all {paths.n_flows:,} flows of a hashed all-to-all: {routed + solved:.1f} s, {peak:.2f} GB at most: "
        f"paths {routed:.1f} s, rates {beside_bound(paths, solved)}"
    )


def main() -> None:
    """Print every row."""
    topology = build(fat_tree(RADIX))
    random_flows(topology)
    arrivals(topology)
    all_to_all_of_distinct_sizes()
    all_flows(topology)


if __name__ == "__main__":
    main()
