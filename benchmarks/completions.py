"""Times rates and completions: ``make bench``.

One solve of a million random flows and of all flows of a hashed all-to-all over 8,192 endpoints; flows that come one by
one over 8,192 endpoints, at three loads; and an all-to-all of distinct sizes, event by event, beside SimGrid on the
same routes (its C++ library or else its Python module), whose finish times must agree.  For 1,024 hosts it says what
the times at fewer lead to.  The two are compared by their time of the processor: walls depend on what else runs.

Lower bounds, of what this machine does in the same run:

- A solve reads every path three times, to list the flows of each link and to give each flow its rate, and once where
  the flow's link is full; the list is written and read; where a path begins is read four times, and the rate written:
  at the bandwidth of a copy.  No flow's path is near that of the one before it when its link is full: a read from a
  place drawn at random for each, on all cores.
- An event gives some links a new level, and their flows new rates: each reads the flow's path and adds to a number for
  each of its other links, at places drawn at random.
"""

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np

from benchmarks.measure import best_of, copy_bytes_per_s
from fabric.builders import build, fat_tree
from fabric.routing.flow_paths import FlowPaths
from fabric.routing.paths import route_flows
from fabric.routing.policies import Ecmp
from fabric.timing.max_min import Completions, completions, max_min_rates
from fabric.topology import Topology

# Of the switches of a three-tier fat tree of 8,192 endpoints.
RADIX = 32
_GBPS = 400.0
_OPTIONS = ("network/model:CM02", "network/TCP-gamma:0", "network/crosstraffic:0")
# Table of random reads: as many bytes as the paths of a hundred million hops.
_LARGE = 2**26


@numba.njit(nogil=True)
def _read(index: np.ndarray, table: np.ndarray) -> int:
    """Sum of numbers at some places."""
    total = 0
    for i in range(index.shape[0]):
        total += table[np.uint32(index[i])]
    return total


@numba.njit(nogil=True)
def _add(index: np.ndarray, table: np.ndarray) -> None:
    """Add to numbers at some places, each in a cache line of its own."""
    for i in range(index.shape[0]):
        table[np.uint32(index[i]), 3] += 1.0


@dataclass(frozen=True)
class Machine:
    """What it does now, with whatever else it does."""

    copy_bytes_per_s: float
    read_s: float
    """A read from a random place of a large table, all cores together."""


def probed() -> Machine:
    """The machine's limits."""
    generator = np.random.default_rng(0)
    table, cores = np.ones(_LARGE, np.int32), os.cpu_count() or 1
    index = generator.integers(0, _LARGE, (cores, 1_000_000)).astype(np.int32)
    _read(index[0, :10], table)
    with ThreadPoolExecutor(cores) as pool:
        seconds = best_of(3, lambda: list(pool.map(lambda row: _read(row, table), index)))
    return Machine(copy_bytes_per_s(), seconds / index.size)


def add_s(n_links: int) -> float:
    """Seconds to add to a number of a link drawn at random."""
    table = np.zeros((n_links, 8))
    index = np.random.default_rng(0).integers(0, n_links, 1_000_000).astype(np.int32)
    _add(index[:10], table)
    return best_of(3, lambda: _add(index, table)) / index.size


@dataclass(frozen=True)
class Tree:
    """Leaves and spines of 400 Gb/s, each leaf with one cable to each spine."""

    leaves: int
    hosts: int
    """Of a leaf; as many are the spines."""

    @property
    def n_hosts(self) -> int:
        """All hosts."""
        return self.leaves * self.hosts

    @property
    def links(self) -> np.ndarray:
        """Capacities, bytes/s: hosts up, hosts down, leaves up, leaves down."""
        return np.full(2 * self.n_hosts + 2 * self.leaves * self.hosts, _GBPS * 1e9 / 8)

    @property
    def platform(self) -> str:
        """The same for SimGrid."""
        return f"""<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <cluster id="c" prefix="host-" radical="0-{self.n_hosts - 1}" suffix="" speed="1Gf"
           bw="{_GBPS / 8:g}GBps" lat="0us" topology="FAT_TREE"
           topo_parameters="2;{self.hosts},{self.leaves};1,{self.hosts};1,1" sharing_policy="SPLITDUPLEX"/>
</platform>
"""

    def paths(self, src: np.ndarray, dst: np.ndarray) -> FlowPaths:
        """SimGrid's routes: up by spine ``dst mod spines``."""
        n, spines = self.n_hosts, self.hosts
        up, down = 2 * n, 2 * n + self.leaves * spines
        spine, far = dst % spines, src // self.hosts != dst // self.hosts
        hops = np.stack(
            [src, up + src // self.hosts * spines + spine, down + dst // self.hosts * spines + spine, n + dst], axis=1
        )
        used = np.stack([np.ones_like(far), far, far, np.ones_like(far)], axis=1)
        start = np.concatenate([[0], np.cumsum(used.sum(axis=1))]).astype(np.int64)
        return FlowPaths(start, hops[used].astype(np.int32))

    def flows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sources, destinations and distinct sizes of an all-to-all."""
        generator = np.random.default_rng(0)
        src, dst = all_pairs(self.n_hosts)
        return src, dst, generator.integers(500_000, 1_500_000, src.size).astype(float)


def all_pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Sources and destinations of all pairs of `n`, destination by destination."""
    src, dst = np.empty(n * (n - 1), np.int32), np.repeat(np.arange(n, dtype=np.int32), n - 1)
    for end in range(n):
        row = src[end * (n - 1) : (end + 1) * (n - 1)]
        row[:end], row[end:] = np.arange(end), np.arange(end + 1, n)
    return src, dst


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
start = time.process_time()
engine.run()
print(time.process_time() - start)
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


def simgrid(folder: Path, tree: Tree) -> tuple[str, float, np.ndarray] | None:
    """Version, seconds of processor and finish times; None where SimGrid is missing."""
    program = _simgrid_program(folder)
    if program is None:
        return None
    src, dst, size = tree.flows()
    (folder / "p.xml").write_text(tree.platform)
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


def beside_bounds(paths: FlowPaths, seconds: float, machine: Machine) -> str:
    """The seconds of a solve, and what part of them the machine needs at the least."""
    hops, flows = len(paths.link), paths.n_flows
    moved = (hops * 4 * (4 + 2) + flows * 8 * (4 + 1)) / machine.copy_bytes_per_s
    read = flows * machine.read_s
    return f"{seconds:.3g} s (moves {moved:.2g} s of bytes, {moved / seconds:.0%}; random reads {read:.2g} s)"


def random_flows(topology: Topology, machine: Machine) -> None:
    """One solve of a million flows between random endpoints."""
    n = topology.n_endpoints
    capacity = topology.link_capacity_gbps
    generator = np.random.default_rng(0)
    one, other = (generator.integers(0, n, 1_000_000).astype(np.int32) for _ in range(2))
    route_flows(topology, one[:1], other[:1], Ecmp())
    start = time.perf_counter()
    paths = route_flows(topology, one, other, Ecmp()).paths
    routed = time.perf_counter() - start
    max_min_rates(capacity, paths)
    seconds = best_of(3, lambda: max_min_rates(capacity, paths))
    print(
        f"1,000,000 random flows, {n:,} endpoints: paths {routed:.2f} s, rates {beside_bounds(paths, seconds, machine)}"
    )


def timed(
    links: np.ndarray, paths: FlowPaths, size: np.ndarray, begin: np.ndarray | None = None
) -> tuple[Completions, float]:
    """Completions and their seconds of processor; prints what part of these the machine needs at the least."""
    start, cpu = time.perf_counter(), time.process_time()
    done = completions(links, paths, size, begin)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    adds = done.new_rates * (len(paths.link) / max(paths.n_flows, 1) - 1)
    bound = adds * add_s(len(links))
    print(
        f"{seconds:.2f} s, {cpu:.2f} s of processor; {done.solves:,} events, {done.new_levels:,} new levels, "
        f"{done.new_rates:,} new rates\n  adds {bound:.2g} s, {bound / cpu:.0%}",
        flush=True,
    )
    return done, cpu


def arrivals(topology: Topology) -> None:
    """200,000 flows of 1 MB on average that come one by one, at random."""
    n, n_flows = topology.n_endpoints, 200_000
    links = topology.link_capacity_gbps * 1e9 / 8
    for load in (0.1, 0.3, 0.6):
        generator = np.random.default_rng(0)
        src, dst = (generator.integers(0, n, n_flows).astype(np.int32) for _ in range(2))
        routed = route_flows(topology, src, dst, Ecmp())
        size = generator.exponential(1e6, n_flows)[routed.flow]
        begin = np.cumsum(generator.exponential(1e6 / (n * float(links[0]) * load), n_flows))[routed.flow]
        print(f"completions of {n_flows:,} flows at {load:.0%} load: ", end="")
        timed(links, routed.paths, size, begin)


def all_to_all_of_distinct_sizes(hosts: int, peer_hosts: int) -> None:
    """Completions of all-to-alls whose flows all end at times of their own, beside SimGrid's."""
    trees = [Tree(8, 8), Tree(16, 8), Tree(16, 16), Tree(16, 32), Tree(32, 32)]
    own, peers = {}, {}
    for tree in (one for one in trees if one.n_hosts <= hosts):
        src, dst, size = tree.flows()
        paths = tree.paths(src, dst)
        print(f"all-to-all of distinct sizes, {tree.n_hosts} hosts, {src.size:,} flows: ", end="", flush=True)
        done, own[src.size] = timed(tree.links, paths, size)
        if tree.n_hosts > peer_hosts:
            continue
        with tempfile.TemporaryDirectory() as name:
            peer = simgrid(Path(name), tree)
        if peer is None:
            print("  SimGrid is not installed: apt-get install libsimgrid-dev g++, or python3-simgrid")
            peer_hosts = 0
            continue
        version, seconds, finish = peer
        np.testing.assert_allclose(done.finish_s, finish, rtol=1e-5)
        peers[src.size] = seconds
        ratio = seconds / own[src.size]
        print(f"  {version}: {seconds:.1f} s of processor, {ratio:.0f} times as long; ends agree to 1e-5", flush=True)
    for name, times in (("railscope", own), ("SimGrid", peers)):
        if len(times) > 1:
            power, led_to = growth(times, 1024 * 1023)
            print(f"{name}: grows with flows to the power of {power:.2f}; extrapolated to 1,024 hosts {led_to:,.0f} s")


def growth(times: dict[int, float], flows: int) -> tuple[float, float]:
    """Power of the flows that the time grows with over the last two sizes, and what it leads to for so many flows."""
    (fewer, before), (last, after) = sorted(times.items())[-2:]
    power = float(np.log(after / before) / np.log(last / fewer))
    return power, after * (flows / last) ** power


def quanta(tree: Tree) -> None:
    """The same all-to-all, flows ending together that would end within a quantum."""
    src, dst, size = tree.flows()
    paths = tree.paths(src, dst)
    for quantum in (1e-7, 1e-6):
        start = time.perf_counter()
        quick = completions(tree.links, paths, size, quantum_s=quantum)
        print(
            f"  {tree.n_hosts} hosts, quantum {quantum:g} s: {time.perf_counter() - start:.2f} s, "
            f"{quick.solves:,} solves, sizes short by {quick.largest_shortfall:.2%} at most"
        )


def all_flows(topology: Topology, machine: Machine) -> None:
    """One solve of every flow of a hashed all-to-all."""
    start, before = time.perf_counter(), os.times()
    src, dst = all_pairs(topology.n_endpoints)
    listed = time.perf_counter() - start
    start = time.perf_counter()
    paths = route_flows(topology, src, dst, Ecmp()).paths
    del src, dst
    routed = time.perf_counter() - start
    start = time.perf_counter()
    max_min_rates(topology.link_capacity_gbps, paths)
    solved = time.perf_counter() - start
    user, system = os.times()[0] - before[0], os.times()[1] - before[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"all {paths.n_flows:,} flows of a hashed all-to-all: {listed + routed + solved:.1f} s, {peak:.2f} GB at most; "
        f"processors {user:.1f} s, and the system, which gives memory, {system:.1f} s\n  "
        f"pairs {listed:.1f} s, paths {routed:.1f} s, rates {beside_bounds(paths, solved, machine)}"
    )


def main() -> None:
    """Print every row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=256, help="largest all-to-all of distinct sizes: up to 1024")
    parser.add_argument("--peer-hosts", type=int, default=128, help="largest that SimGrid is asked for")
    parser.add_argument("--only", choices=("solves", "arrivals", "all-to-all"), help="a part of it")
    asked = parser.parse_args()
    machine = probed()
    few = Tree(2, 2)
    completions(few.links, few.paths(*all_pairs(4)), np.ones(12))  # compiles, or reads what was compiled
    print(f"copies {machine.copy_bytes_per_s / 1e9:.1f} GB/s; a random read, all cores: {machine.read_s * 1e9:.1f} ns")
    topology = build(fat_tree(RADIX))
    if asked.only in (None, "solves"):
        random_flows(topology, machine)
        all_flows(topology, machine)
    if asked.only in (None, "arrivals"):
        arrivals(topology)
    if asked.only in (None, "all-to-all"):
        all_to_all_of_distinct_sizes(asked.hosts, asked.peer_hosts)
        quanta(Tree(16, 8))


if __name__ == "__main__":
    main()
