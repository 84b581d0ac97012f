"""Times sparse traffic on the presets of 131,072 GPUs, a process for each command: ``python -m benchmarks.sparse``.

Shown are CPU seconds (user and system, all threads), the wall, and the largest resident set, each the smallest of some
runs.  The lower bound is what must be touched, at the bandwidth of a copy that is measured here: 40 bytes of each link
for each wiring that is built (both ends, both ports, capacity, reverse, kind), 24 of each link for each of its loads
(written, read again beside the capacity), and 16 of each flow of a ring or tree (both ends, bytes).
"""

import argparse
import os
import shlex
import subprocess
import sys
import time
from typing import NamedTuple

import numpy as np

COLUMNS, LOADS, FLOW = 40, 24, 16
GPUS, PER_DOMAIN = 131_072, 64


class Case(NamedTuple):
    """A command, and how often at least it builds the fabric, loads its links, and lists the flows of rings."""

    command: str
    wirings: int = 1
    loads: int = 1
    rings: int = 0


# A step: 12 designs (three seeds of the naive one among them), of which ten differ on these fabrics, and three kinds of
# schedules that the network carries (pipeline, data, experts' data), beside one inside racks.
STEP = "step deepseek-v3 {fabric} --sequences 65536"
CASES = (
    Case(STEP, 2, 10 * 4, 1),
    Case(f"{STEP} --routing ecmp", 1, 3 * 4, 1),
    Case("loads {fabric} --collective all-reduce --algorithm rings", rings=1),
    Case("loads {fabric} --collective all-reduce --algorithm trees", rings=1),
    Case("loads {fabric} --collective all-to-all --group 64"),
    Case("loads {fabric} --collective all-to-all --group 64 --placement scattered"),
    Case("compare {fabric} --collective all-to-all --no-figure", 2, 10),
    Case("explain {fabric} --collective all-reduce --algorithm rings", rings=1),
)


def copy_bytes_per_s() -> float:
    """Memory traffic of a large copy, read and write counted."""
    source = np.ones(2**23)
    target, seconds = np.empty_like(source), []
    for _ in range(5):
        start = time.perf_counter()
        np.copyto(target, source)
        seconds.append(time.perf_counter() - start)
    return 2 * source.nbytes / min(seconds)


def links_of(fabric: str) -> int:
    """Links of a preset, asked of another process: a child begins with the peak memory of the one it is forked from."""
    ask = "import sys, railscope; print(railscope.open_fabric(sys.argv[1]).topology.n_links)"
    return int(subprocess.run([sys.executable, "-c", ask, fabric], capture_output=True, text=True, check=True).stdout)


def run(command: str) -> tuple[float, float, float]:
    """CPU seconds, wall, and gigabytes at the peak of a command."""
    start = time.perf_counter()
    words = [sys.executable, "-m", "railscope", *shlex.split(command)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command}: exit {process.returncode}")
    return used.ru_utime + used.ru_stime, time.perf_counter() - start, used.ru_maxrss * 1024 / 1e9


def main() -> None:
    """Print a row for each command on each fabric."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="runs of each command")
    parser.add_argument("--fabrics", default="mrc-131072,spectrum-x-131072", help="presets, with commas between")
    asked = parser.parse_args()
    speed = copy_bytes_per_s()
    print(f"copy: {speed / 1e9:.3g} GB/s; smallest of {asked.runs} runs")
    print(f"{'CPU s':>7} {'wall s':>7} {'GB':>6} {'bound s':>8}  command")
    for fabric in asked.fabrics.split(","):
        n_links = links_of(fabric)
        for case in CASES:
            touched = n_links * (COLUMNS * case.wirings + LOADS * case.loads) + GPUS * PER_DOMAIN * FLOW * case.rings
            command = case.command.format(fabric=fabric)
            rows = [run(command) for _ in range(asked.runs)]
            cpu, wall, gigabytes = (min(column) for column in zip(*rows, strict=True))
            print(f"{cpu:7.1f} {wall:7.1f} {gigabytes:6.2f} {touched / speed:8.2f}  {command}", flush=True)


if __name__ == "__main__":
    main()
