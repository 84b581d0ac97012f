"""Inputs in blocks, each in a process with a limit on its memory."""

import resource
import tempfile
from pathlib import Path

from tests.fuzz.judge import Finding, judged

BLOCK = 500


def block(first: int, seed: int, count: int, limit_s: float, memory: int) -> list[Finding]:
    """Findings among the inputs from `first` on."""
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    if soft == resource.RLIM_INFINITY or soft > memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    with tempfile.TemporaryDirectory(prefix="railscope-fuzz-") as folder:
        stop = min(first + BLOCK, count)
        found = (judged(seed, number, Path(folder), limit_s) for number in range(first, stop))
        return [one for one in found if one is not None]
