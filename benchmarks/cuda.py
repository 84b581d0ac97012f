"""Times all-to-alls by an NVIDIA GPU beside all threads of the processor, in one run: ``python -m benchmarks.cuda``.

Each figure is the shortest of several runs after compilation, arrays taken there and back included; what differs from
the processor's loads ends the run.  Bounds are of the GPU's own work.

- Hashing: a flow mixes its ends once and its key once for each choice.  A mix is two products of 64 bits, three
  multiplications of 32 bits each, and three shifts with an exclusive or, 4 operations each: 18 of 32 bits, of which a
  multiprocessor does 64 in a cycle (NVIDIA, CUDA C++ Programming Guide, throughput of native arithmetic instructions,
  compute capability 9.0).
- The sweep: `benchmarks.scaling` says which bytes (40 for a bundle and a DAG), here at the bandwidth of a copy in the
  GPU's memory, measured in the run.
"""

import argparse
import os
import sys
from collections.abc import Callable

import numpy as np

from benchmarks.measure import best_of, uniform
from collectives.schedule import Phase, Schedule
from fabric._kernels.cuda import device as gpu
from fabric.builders import build, fat_tree
from fabric.formats.opening import open_fabric
from fabric.jobs.placement import packed
from fabric.routing.bundles import bundles_of
from fabric.routing.device import on_device
from fabric.routing.layer import layer_of
from fabric.routing.link_loads import link_loads, loads_over_seeds
from fabric.routing.policies import Adaptive, Ecmp, Routing
from fabric.routing.shared_ends import shared_ends_of
from fabric.topology import SWITCH, Topology

# Radix of the switches of a three-tier fat tree, which has radix^3 / 4 endpoints.
HASHED = (32, 64)
SWEPT = (32, 64, 160)
SEEDS = 20
_MIX_OPERATIONS = 18
_OPERATIONS_A_CYCLE = 64
_BUNDLE_BYTES = 40


def row(what: str, work: Callable[[], np.ndarray], bound: float, tolerance: float, runs: int) -> None:
    """Print one row; both devices must have the same loads."""
    by_processor = work()
    with on_device("cuda"):
        by_gpu = work()
        again = work()
        on_gpu = best_of(runs, work)
    on_processor = best_of(max(1, runs - 1), work)
    if by_gpu.tobytes() != again.tobytes():
        sys.exit(f"{what}: two runs on the GPU differ")
    error = float(np.max(np.abs(by_gpu - by_processor) / np.maximum(by_processor, 1e-300)))
    if error > tolerance:
        sys.exit(f"{what}: the GPU's loads differ by {error:.2g} of the processor's, allowed {tolerance:.2g}")
    same = "equal" if error == 0 else f"{error:.0e}"
    ratio = on_processor / on_gpu
    print(
        f"{what:36} {on_processor:9.4f} {on_gpu:9.4f} {ratio:8.1f} {bound:9.4f} {on_gpu / bound:9.1f} {same:>7}",
        flush=True,
    )


def loads_of(topology: Topology, routing: Routing) -> Callable[[], np.ndarray]:
    """Loads of an all-to-all of all endpoints."""
    demand, placement = uniform(topology.n_endpoints), packed(topology)
    return lambda: link_loads(topology, demand, placement, routing).bytes


def seeds_of(topology: Topology, n_seeds: int) -> Callable[[], np.ndarray]:
    """The same under several seeds."""
    schedule, placement = Schedule((Phase(uniform(topology.n_endpoints)),)), packed(topology)
    return lambda: np.stack(
        [one.total.bytes for one in loads_over_seeds(topology, schedule, placement, Ecmp(), n_seeds)]
    )


def pairs(topology: Topology) -> int:
    """Pairs of endpoints that do not talk over NVLink."""
    domain = topology.endpoint_domain
    return topology.n_endpoints**2 - int((np.bincount(domain[domain >= 0]) ** 2).sum()) - int((domain < 0).sum())


def n_dags(topology: Topology) -> int:
    """Sets of leaves that look alike, as the GPU takes them."""
    return shared_ends_of(layer_of(topology, SWITCH), 1).n_items


def copy_bytes_per_s() -> float:
    """Memory traffic of a large copy on the GPU, read and write counted."""
    source, target = gpu.room((2**27,), np.float64), gpu.room((2**27,), np.float64)

    def copy() -> None:
        for _ in range(10):
            target.copy_to_device(source)
        gpu.wait()

    return 20.0 * float(source.nbytes) / best_of(3, copy)


def main() -> None:
    """Print every row, or one line where there is no GPU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=max(SWEPT), help="largest radix")
    parser.add_argument("--runs", type=int, default=3, help="runs of each on the GPU")
    asked = parser.parse_args()
    reason = gpu.why_not()
    if reason is not None:
        print(f"no GPU times: {reason}")
        return
    operations, bandwidth = gpu.cycles_per_s() * _OPERATIONS_A_CYCLE, copy_bytes_per_s()
    print(f"{gpu.name()}, {os.cpu_count()} threads of the processor; numpy {np.__version__}")
    print(f"GPU: {operations:.3g} operations of 32 bits and {bandwidth:.3g} bytes a second")
    print(f"{'all-to-all':36} {'processor':>9} {'GPU':>9} {'times':>8} {'bound':>9} {'GPU/bound':>9} {'loads':>7}")
    for radix in (one for one in HASHED if one <= asked.largest):
        topology = build(fat_tree(radix))
        bound = pairs(topology) * 3 * _MIX_OPERATIONS / operations
        row(f"hashed, {topology.n_endpoints:,}, three tiers", loads_of(topology, Ecmp()), bound, 0.0, asked.runs)
    topology = open_fabric("gb300-8192").topology
    walks = pairs(topology) * layer_of(topology, SWITCH).width * SEEDS
    bound = (pairs(topology) + walks * 2) * _MIX_OPERATIONS / operations
    row(f"hashed, gb300-8192, {SEEDS} seeds", seeds_of(topology, SEEDS), bound, 0.0, asked.runs)
    for radix in (one for one in SWEPT if one <= asked.largest):
        topology = build(fat_tree(radix))
        bundles = bundles_of(layer_of(topology, SWITCH)).n_bundles
        bound = n_dags(topology) * bundles * _BUNDLE_BYTES / bandwidth
        row(
            f"adaptive, {topology.n_endpoints:,}, three tiers", loads_of(topology, Adaptive()), bound, 1e-12, asked.runs
        )


if __name__ == "__main__":
    main()
