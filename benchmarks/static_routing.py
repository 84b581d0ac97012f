"""Times static routing, and says how near its kernels come to what this machine allows.

    python -m benchmarks.static_routing

What a flow must do is known: mix its two ends, mix once for every switch at which it has a choice, look up the seed of
the second, and add to one counter.  Loops that do one of these and nothing else, on arrays that stay in the L1 cache,
are timed in the same run; the sum of what all flows must do is the lower bound.  Under D-mod-K each pair of a leaf and
a destination must add to a link and to a switch, in arrays of the fabric's size.  Nothing is read from memory that
flows do not share: 0 bytes a flow.
"""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

import numba
import numpy as np

import railscope as rs
from fabric._kernels import hashed

# Numbers that stay in an L1 cache of 32 kB with three arrays of them.
N = 1024
# Links between switches of the larger tree.
SUMS = 1 << 18
Function = TypeVar("Function", bound=Callable[..., Any])
OPTIONS: Any = {"nogil": True, "error_model": "numpy", "_nrt": False}


def compiled(function: Function) -> Function:
    """Compile a loop as the kernels are."""
    made: Function = numba.njit(function, **OPTIONS)
    return made


@compiled
def mixes(key: np.ndarray, times: int) -> None:
    """The finalizer of splitmix64: two multiplications and three shifts."""
    for _ in range(times):
        for i in range(N):
            value = key[i]
            value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            key[i] = value ^ (value >> np.uint64(31))


@compiled
def look_ups(index: np.ndarray, table: np.ndarray, found: np.ndarray, times: int) -> None:
    """A number read from a small table, and kept."""
    for _ in range(times):
        for i in range(N):
            found[i] = table[index[i]]


@compiled
def counts(index: np.ndarray, counter: np.ndarray, times: int) -> None:
    """A counter of a small table raised."""
    for _ in range(times):
        for i in range(N):
            counter[index[i]] += 1


@compiled
def sums(index: np.ndarray, total: np.ndarray, times: int) -> None:
    """A sum in a table of 2 MB raised: links of a large fabric."""
    for _ in range(times):
        for i in range(N):
            total[index[i]] += 1.0


@dataclass(frozen=True)
class Machine:
    """Seconds of each step, on one core."""

    mix: float
    look_up: float
    count: float
    sum: float


def best_of(runs: int, work: Callable[[], object]) -> tuple[float, float]:
    """Shortest wall time, and shortest processor time of all threads, seconds."""
    wall, cpu = [], []
    for _ in range(runs):
        start, spent = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - spent)
    return min(wall), min(cpu)


def probed() -> Machine:
    """Times one step after the other."""
    draw = np.random.default_rng(1)
    key = draw.integers(0, 2**64, N, dtype=np.uint64)
    near, far = (draw.integers(0, size, N, dtype=np.uint64) for size in (64, SUMS))
    times = 4000

    def step(work: Callable[..., None], *arrays: np.ndarray) -> float:
        work(*arrays, 1)
        return best_of(9, lambda: work(*arrays, times))[1] / (times * N)

    return Machine(
        step(mixes, key),
        step(look_ups, near, np.zeros(64, np.uint64), np.zeros(N, np.uint64)),
        step(counts, near, np.zeros(64, np.int32)),
        step(sums, far, np.zeros(SUMS)),
    )


def registers(kernel: Any, *arguments: Any) -> str:
    """Widest registers of a kernel's compiled code, and how many multiplications of 64 bits it does in them."""
    anew = compiled(kernel.py_func)
    anew(*arguments)
    code = "".join(anew.inspect_asm().values())
    widths = {"zmm": "512 bits", "ymm": "256 bits", "xmm": "128 bits"}
    widest = next((text for name, text in widths.items() if f"%{name}" in code), "one number")
    return f"{widest}, {len(re.findall('vpmullq', code))} vpmullq"


def print_registers() -> None:
    """What the loops over a block of flows were compiled to."""
    key, choice = np.zeros(N, np.uint64), np.zeros(N, np.uint64)
    table, few = np.zeros(N, np.int32), np.zeros(N, np.int32)
    looked_at: dict[str, tuple[Any, ...]] = {
        "_pair_keys": (key, 0, 2, few, 0, 2, key),
        "_choose": (key, N, np.uint64(1), 8, choice),
        "_choose_again": (key, N, key, 8, choice),
        "_spread_counts": (few, few, 0, 8, 8, table, np.zeros((1, N), np.int64), 0),
    }
    for name, arguments in looked_at.items():
        print(f"  {name[1:]:14} {registers(getattr(hashed, name), *arguments)}")


@dataclass(frozen=True)
class Row:
    """Something to time, with the steps that it must do at least.

    Attributes
    ----------
    name : str
    work : callable
    runs : int
    walks : int
        Flows, or pairs of a leaf and a destination.
    needed : str
        Steps of each walk, for the table.
    bound : float
        Seconds on one core.
    """

    name: str
    work: Callable[[], object]
    runs: int
    walks: int
    needed: str
    bound: float


def uniform(n: int) -> rs.AllToAll:
    """One byte from each of `n` ranks to each other."""
    return rs.AllToAll(rs.Groups.consecutive(n, n), np.ones(n), np.ones(n))


def tree_rows(radix: int, runs: int, machine: Machine) -> list[Row]:
    """All pairs of a three-tier fat tree: hashed, with a choice at leaf and spine, and by destination."""
    topology = rs.build(rs.fat_tree(radix))
    n, leaves = topology.n_endpoints, radix * radix // 2
    demand, placement = uniform(n), rs.packed(topology)

    def loads(routing: rs.Routing) -> Callable[[], object]:
        return lambda: rs.link_loads(topology, demand, placement, routing)

    flows = n * (n - radix // 2)
    a_flow = 3 * machine.mix + machine.look_up + machine.count
    return [
        Row(f"ecmp, {n:,} endpoints", loads(rs.Ecmp()), runs, flows, "3 mixes, 1 look-up, 1 count", flows * a_flow),
        Row(f"dmodk, {n:,} endpoints", loads(rs.DModK()), runs, leaves * n, "2 sums", leaves * n * 2 * machine.sum),
    ]


def seed_row(preset: str, n_seeds: int, runs: int, machine: Machine, ports: int) -> Row:
    """Many hash seeds of an all-to-all of a preset whose leaves and spines have parallel cables."""
    scenario = rs.Scenario.of(preset, rs.Collective("all-to-all"), routing=rs.Ecmp())
    domain = scenario.domain
    pairs = domain.size**2 - int((np.bincount(domain) ** 2).sum())
    first = count(1)
    walks = pairs * scenario.routing.flows_a_pair * ports * n_seeds  # type: ignore[attr-defined]
    a_walk = 2 * machine.mix + machine.look_up + machine.count
    return Row(
        f"ecmp, {preset}, {n_seeds:,} seeds",
        # Each time other seeds: nothing of the last run helps.
        lambda: rs.over_hash_seeds(scenario.routed(rs.Ecmp(seed=n_seeds * next(first))), n_seeds),
        runs,
        walks,
        "2 mixes, 1 look-up, 1 count",
        walks * a_walk + pairs * machine.mix,
    )


def main() -> None:
    """Print every row."""
    machine, cores = probed(), os.cpu_count() or 1
    print(f"{cores} cores, numba {numba.__version__}; one core, in the L1 cache, nanoseconds a number:")
    for name in ("mix", "look_up", "count", "sum"):
        print(f"  {name:8} {getattr(machine, name) * 1e9:6.3f}")
    rows = [
        *tree_rows(32, 5, machine),
        *tree_rows(64, 2, machine),
        seed_row("gb300-8192", 20, 2, machine, ports=4),
        seed_row("hgx-b200-64", 1000, 3, machine, ports=1),
    ]
    print(f"\n{'':34} {'seconds':>8} {'cpu s':>7} {'walks':>7} {'ns, cpu':>8} {'of limit':>8}  a walk needs")
    for row in rows:
        row.work()
        wall, cpu = best_of(row.runs, row.work)
        print(
            f"{row.name:34} {wall:8.3f} {cpu:7.2f} {row.walks / 1e9:6.2f}G {cpu / row.walks * 1e9:8.2f} "
            f"{row.bound / cpu:8.0%}  {row.needed}"
        )
    print("\nof limit: the lower bound over the time of all processors; pairs below one leaf need nothing\n")
    print("loops over a block of flows are compiled to:")
    print_registers()


if __name__ == "__main__":
    main()
