"""algbw and busbw as nccl-tests defines them (NVIDIA/nccl-tests, doc/PERFORMANCE.md)."""

from collections.abc import Callable

from collectives.errors import InputError
from collectives.suggestion import hint

_FACTOR: dict[str, Callable[[int], float]] = {
    "all-reduce": lambda n: 2 * (n - 1) / n,
    "all-gather": lambda n: (n - 1) / n,
    "reduce-scatter": lambda n: (n - 1) / n,
    "all-to-all": lambda n: (n - 1) / n,
    "broadcast": lambda n: 1.0,
    "reduce": lambda n: 1.0,
    "gather": lambda n: (n - 1) / n,
    "scatter": lambda n: (n - 1) / n,
    "send-recv": lambda n: 1.0,
}
COLLECTIVES = tuple(_FACTOR)

REDUCING = frozenset({"all-reduce", "reduce-scatter", "reduce"})
"""Collectives that add up."""


def known_collective(name: str) -> str:
    """`name`, if there is such a collective.

    Raises
    ------
    InputError
        Names the nearest one.
    """
    if name not in _FACTOR:
        raise InputError(f"collective {name!r}: unknown; {hint(name, COLLECTIVES)}")
    return name


def bus_factor(collective: str, n_ranks: int) -> float:
    """Busbw over algbw.

    Raises
    ------
    InputError
        If the collective is unknown, or `n_ranks` is not >= 1.
    """
    known_collective(collective)
    if n_ranks < 1:
        raise InputError(f"ranks: expected an integer >= 1, got {n_ranks}")
    return _FACTOR[collective](n_ranks)


def algbw_GBps(bytes: float, time_s: float) -> float:
    """Size over time, in 1e9 bytes a second; the size is the one that nccl-tests prints."""
    return bytes / time_s / 1e9 if time_s > 0 else float("inf")


def busbw_GBps(collective: str, n_ranks: int, bytes: float, time_s: float) -> float:
    """Algbw times `bus_factor`: comparable with the hardware's bandwidth, whatever the number of ranks."""
    return algbw_GBps(bytes, time_s) * bus_factor(collective, n_ranks)
