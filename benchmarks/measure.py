"""What benchmarks time alike: the shortest of several runs, a uniform all-to-all, what a copy moves."""

import time
from collections.abc import Callable

import numpy as np

from collectives import AllToAll, Groups


def best_of(runs: int, work: Callable[[], object]) -> float:
    """Shortest wall time, seconds."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def uniform(n: int) -> AllToAll:
    """One byte from each of `n` ranks to each other."""
    return AllToAll(Groups.consecutive(n, n), np.ones(n), np.ones(n))


def copy_bytes_per_s() -> float:
    """Memory traffic of a large copy, read and write counted."""
    source = np.ones(2**24)
    target = np.empty_like(source)
    return 2 * source.nbytes / best_of(5, lambda: np.copyto(target, source))
