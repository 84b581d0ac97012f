"""Will it fit?  What is about to be made is held against the memory that is free, before hours are spent on it."""

import resource
from pathlib import Path

from collectives.errors import InputError

_MEMINFO = Path("/proc/meminfo")
_STATUS = Path("/proc/self/status")
_GROUP = Path("/sys/fs/cgroup")
# What is smaller is not held against anything: asking takes a tenth of a millisecond.
_SMALL = 8e6


def free_bytes() -> float:
    """What this process may still take of the machine, its control group, its own limit; infinite if unknown."""
    return min(_of_machine(), _of_group(), _of_process())


def _of_machine() -> float:
    return _field(_MEMINFO, "MemAvailable")


def _of_group() -> float:
    """Version 2 of control groups, as containers and batch systems have them; what is cached can be given up."""
    try:
        most = float((_GROUP / "memory.max").read_text())
        used = float((_GROUP / "memory.current").read_text())
        lines = (_GROUP / "memory.stat").read_text().splitlines()
        cached = sum(float(line.split()[1]) for line in lines if line.startswith("inactive_file "))
    except (OSError, ValueError, IndexError):
        return float("inf")
    return max(0.0, most - used + cached)


def _of_process() -> float:
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return float("inf")
    used = _field(_STATUS, "VmSize")
    return max(0.0, limit - used) if used < float("inf") else float(limit)


def _field(path: Path, name: str) -> float:
    """A line ``name:  123 kB`` in bytes; infinite where there is none."""
    try:
        for line in path.read_text().splitlines():
            if line.startswith(f"{name}:"):
                return float(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return float("inf")


def require(what: str, n_bytes: float, instead: str = "") -> None:
    """Refuse what would not fit; 8 MB and less always do.

    Parameters
    ----------
    what : str
        What is about to be made.
    n_bytes : float
        That it needs at its peak.
    instead : str
        What takes less.

    Raises
    ------
    InputError
        If less is free.
    """
    if n_bytes <= _SMALL:
        return
    free = free_bytes()
    if n_bytes > free:
        hint = f"; {instead}" if instead else ""
        raise InputError(f"{what}: needs {in_gb(n_bytes)} of memory, and {in_gb(free)} are free here{hint}")


def in_gb(n_bytes: float) -> str:
    """``1.23 GB``."""
    return f"{n_bytes / 1e9:,.3g} GB"
