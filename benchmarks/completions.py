"""Times rates and completions: ``make bench``.

One solve of a million random flows and of all flows of a hashed all-to-all over 8,192 endpoints; and completions of an
all-to-all of distinct sizes over 128 hosts beside SimGrid on the same routes, where its C++ library is installed
(Debian ``libsimgrid-dev``).  SimGrid's finish times must agree.
"""

import re
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.link_loads import RADIX, best_of
from fabric.builders import build, fat_tree
from fabric.paths import route_flows
from fabric.rates import FlowPaths, completions, max_min_rates
from fabric.routing import Ecmp

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


def simgrid(folder: Path, src: np.ndarray, dst: np.ndarray, size: np.ndarray) -> tuple[str, float, np.ndarray] | None:
    """Version, seconds and finish times; None where SimGrid or a compiler is missing."""
    source = Path(__file__).with_name("simgrid_all_to_all.cpp")
    program = folder / "simgrid"
    if shutil.which("g++") is None:
        return None
    built = subprocess.run(
        ["g++", "-O2", "-std=c++17", source, "-o", program, "-lsimgrid"], capture_output=True, check=False
    )
    if built.returncode != 0:
        return None
    (folder / "p.xml").write_text(_PLATFORM)
    (folder / "f.txt").write_text("\n".join(f"{a} {b} {c:.0f}" for a, b, c in zip(src, dst, size, strict=True)))
    options = [f"--cfg={option}" for option in _OPTIONS]
    files = [str(folder / file) for file in ("p.xml", "f.txt", "out.txt")]
    command = [str(program), *files, *options, "--log=root.thres:critical"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"SimGrid version [0-9.]*[0-9]", said)
    return version[0] if version else "SimGrid", float(done.stdout.split()[-1]), np.loadtxt(folder / "out.txt")


def main() -> None:
    topology = build(fat_tree(RADIX))
    n = topology.n_endpoints
    capacity = topology.link_capacity_gbps
    generator = np.random.default_rng(0)
    one, other = (generator.integers(0, n, 1_000_000).astype(np.int32) for _ in range(2))
    paths = route_flows(topology, one, other, Ecmp()).paths
    max_min_rates(capacity, paths)
    seconds = best_of(3, lambda: max_min_rates(capacity, paths))
    print(f"max-min rates of 1,000,000 random flows, {n:,} endpoints: {seconds:.3f} s")

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
        print("  SimGrid is not installed: apt-get install libsimgrid-dev g++")
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

    start = time.perf_counter()
    src = np.empty(n * (n - 1), np.int32)
    for end in range(n):
        src[end * (n - 1) : (end + 1) * (n - 1)] = np.delete(np.arange(n, dtype=np.int32), end)
    dst = np.repeat(np.arange(n, dtype=np.int32), n - 1)
    n_flows = src.size
    paths = route_flows(topology, src, dst, Ecmp()).paths
    del src, dst
    routed = time.perf_counter() - start
    start = time.perf_counter()
    max_min_rates(capacity, paths)
    solved = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"all {n_flows:,} flows of a hashed all-to-all: paths {routed:.1f} s, rates {solved:.1f} s; peak {peak:.2f} GB"
    )


if __name__ == "__main__":
    main()
