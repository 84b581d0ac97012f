"""The same work, release after release: seconds of this version beside those in ``history.csv``.

    python -m benchmarks.history            # the last release's seconds, this version's, and how many times as fast
    python -m benchmarks.history --record   # also writes this version's line

A line a release: what was timed is named in the first line, with the machine and what a copy moves there (GB/s, read
and written).  Every case has a process of its own and is warmed up first; the shortest of three runs counts, of one
where a run takes over half a minute.  A cell is empty where a release cannot do it, or not within `LIMIT_S`.
"""

import argparse
import csv
import datetime
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.measure import copy_bytes_per_s, uniform

HISTORY = Path(__file__).with_name("history.csv")
PROJECT = Path(__file__).parent.parent / "pyproject.toml"
LIMIT_S = 240
# Runs longer than this are not repeated; compiling is a small part of them, of the first of others it is not.
LONG_S = 30
# Slower than so much of the last release's is marked: two runs on a quiet machine differ by less.  Assumed.
SLOWER = 1.15
Work = Callable[[], object]


def _tree(radix: int, policy: str) -> Work:
    import railscope as rs
    from fabric.builders import build, fat_tree
    from fabric.jobs.placement import packed
    from fabric.routing.link_loads import link_loads

    routing = {"adaptive": rs.Adaptive(), "ecmp": rs.Ecmp(queue_pairs=1), "dmodk": rs.DModK()}[policy]
    topology = build(fat_tree(radix))
    n, placement = topology.n_endpoints, packed(topology)
    demand = uniform(n)
    return lambda: link_loads(topology, demand, placement, routing)


def _seeds(fabric: str, n_seeds: int) -> Work:
    import railscope as rs

    scenario = rs.Scenario.of(fabric, rs.Collective("all-to-all"), routing=rs.Ecmp(queue_pairs=1))
    return lambda: rs.over_hash_seeds(scenario, n_seeds)


def _all_rates() -> Work:
    import railscope as rs
    from fabric.builders import build, fat_tree

    topology = build(fat_tree(32))
    n = topology.n_endpoints
    every = np.arange(n, dtype=np.int32)
    dst = np.repeat(every, n - 1)
    src = np.concatenate([np.delete(every, end) for end in range(n)])
    return lambda: rs.max_min_rates(
        topology.link_capacity_gbps, rs.route_flows(topology, src, dst, rs.Ecmp(queue_pairs=1)).paths
    )


def _arrivals() -> Work:
    import railscope as rs
    from fabric.builders import build, fat_tree

    topology, n_flows, load = build(fat_tree(32)), 200_000, 0.6
    links = topology.link_capacity_gbps * 1e9 / 8
    draw = np.random.default_rng(0)
    src, dst = (draw.integers(0, topology.n_endpoints, n_flows).astype(np.int32) for _ in range(2))
    routed = rs.route_flows(topology, src, dst, rs.Ecmp(queue_pairs=1))
    size = draw.exponential(1e6, n_flows)[routed.flow]
    mean_s = 1e6 / (topology.n_endpoints * float(links[0]) * load)
    begin = np.cumsum(draw.exponential(mean_s, n_flows))[routed.flow]
    return lambda: rs.completions(links, routed.paths, size, begin)


def _step(workload: str, fabric: str) -> Work:
    import railscope as rs
    from fabric.studies.step import study_step
    from traces.workload.description import read_workload

    described = read_workload(workload)
    # Opened anew: what is known of a fabric is kept with it.
    return lambda: study_step(rs.open_fabric(fabric), described)


def _explain() -> Work:
    import railscope as rs

    scenario = rs.Scenario.of("gb300-8192", rs.Collective("all-to-all"), routing=rs.Ecmp(queue_pairs=1))
    topology = scenario.topology
    link = int(np.flatnonzero((topology.link_kind == 1) & (topology.link_direction == 0))[0])
    return lambda: rs.explain(scenario, link)


def _faults() -> Work:
    import railscope as rs

    return lambda: rs.study_faults(rs.Scenario.of("gb300-8192", rs.Collective("all-to-all")), ("cable",))


def _command(*words: str) -> Work:
    return lambda: subprocess.run([sys.executable, "-m", "railscope", *words], capture_output=True, check=True)


CASES: dict[str, Callable[[], Work]] = {
    "even split, 8,192": lambda: _tree(32, "adaptive"),
    "even split, 65,536": lambda: _tree(64, "adaptive"),
    "even split, 1,024,000": lambda: _tree(160, "adaptive"),
    "hashed, 8,192": lambda: _tree(32, "ecmp"),
    "hashed, 65,536": lambda: _tree(64, "ecmp"),
    "D-mod-K, 65,536": lambda: _tree(64, "dmodk"),
    "20 seeds of gb300-8192": lambda: _seeds("gb300-8192", 20),
    "1,000 seeds of hgx-b200-64": lambda: _seeds("hgx-b200-64", 1000),
    "67 million paths and rates": _all_rates,
    "200,000 arrivals at 60 % load": _arrivals,
    "explain a link, hashed 8,192": _explain,
    "every cable of gb300-8192 fails": _faults,
    "a DeepSeek-V3 step, gb300-8192": lambda: _step("deepseek-v3", "gb300-8192"),
    "railscope --help": lambda: _command("--help"),
    "railscope compare gb300-8192": lambda: _command("compare", "gb300-8192", "--no-figure"),
}


def seconds_of(work: Work) -> float:
    """The shortest of three runs after a first one; one run alone where it takes long."""
    times: list[float] = []
    while len(times) < 4 and not (times and times[-1] > LONG_S):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def measured(case: str) -> float | None:
    """Seconds of a case, in a process of its own; None where this version cannot do it, or not in time."""
    command = [sys.executable, "-m", "benchmarks.history", "--case", case]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return None
    return float(done.stdout.split()[-1]) if done.returncode == 0 else None


def machine() -> str:
    """Name of the processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def main() -> None:
    """Print a row for each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="write this version's line")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.case is not None:
        print(seconds_of(CASES[asked.case]()))
        return
    release = tomllib.loads(PROJECT.read_text())["project"]["version"]
    lines = list(csv.DictReader(HISTORY.open())) if HISTORY.exists() else []
    before: dict[str, str] = next((line for line in reversed(lines) if line["release"] != release), {})
    moved = copy_bytes_per_s() / 1e9
    said = f"{before['release']}, {before['machine']}, a copy {before['copy GB/s']} GB/s" if before else "none"
    print(f"last release: {said}")
    print(f"this version: {release}, {machine()}, {os.cpu_count()} cores, a copy {moved:.1f} GB/s")
    print(f"{'':34} {'before':>10} {'now':>10} {'times as fast':>14}")
    line = {"release": release, "date": datetime.date.today().isoformat(), "machine": machine(),
            "cores": str(os.cpu_count()), "copy GB/s": f"{moved:.1f}"}  # fmt: skip
    for case in CASES:
        now, old = measured(case), before.get(case)
        line[case] = "" if now is None else f"{now:.4g}"
        faster = float(old) / now if old and now else None
        mark = "  slower" if faster and faster < 1 / SLOWER else ""
        told = f"{case:34} {old or '-':>10} {line[case] or '-':>10} {f'{faster:.2f}' if faster else '-':>14}{mark}"
        print(told, flush=True)
    if asked.record:
        columns = ["release", "date", "machine", "cores", "copy GB/s", *CASES]
        with HISTORY.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows([*(one for one in lines if one["release"] != release), line])


if __name__ == "__main__":
    main()
