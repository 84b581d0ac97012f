"""Time of a replay of 10,000 made operations over 1,024 endpoints.

    python -m benchmarks.replay

No peer replays a trace by a fluid model on a given fabric; a packet simulator needs minutes for one collective of 64
GPUs.
"""

import time

import numpy as np

import railscope as rs
from fabric.jobs.traffic import Traffic
from traces.operation import Operation, Trace

_RANKS = 1024


def made_operations(n: int, seed: int = 1) -> list[Operation]:
    """Operations of 8, 16 or 32 neighbours, three kinds and sizes, one each 20 us."""
    draw = np.random.default_rng(seed)
    operations = []
    for number in range(n):
        size = int(draw.choice([8, 16, 32]))
        first = int(draw.integers(0, _RANKS // size)) * size
        kind = ("all-reduce", "all-gather", "all-to-all")[number % 3]
        volume = float(draw.choice([1e6, 5e6, 2e7]))
        ranks = tuple(range(first, first + size))
        operations.append(
            Operation(kind, ranks, size, str(first), bytes=volume, sequence=number, start_s=number * 2e-5)
        )
    return operations


def main() -> None:
    """Run it."""
    trace = Trace(("made",), tuple(made_operations(10_000)), _RANKS)
    traffic = Traffic("made", _RANKS, lambda domain, rail: rs.Schedule(()), trace=trace)
    scenario = rs.Scenario.of("gb300-2048", traffic, rule=rs.PlacementRule(gpus=_RANKS))
    begin = time.perf_counter()
    replay = rs.study_replay(scenario)
    took = time.perf_counter() - begin
    print(f"10,000 operations over 1,024 endpoints: {took:.1f} s; {len(replay.slowed):,} slowed by others")


if __name__ == "__main__":
    main()
