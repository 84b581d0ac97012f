"""Predicted nccl-tests tables: time and bandwidth over size, by algorithm; and how measurements compare."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collectives.bandwidth import algbw_GBps, busbw_GBps
from collectives.catalog import ALGORITHMS, collective_schedule, known_algorithm
from collectives.demand import Groups
from collectives.errors import InputError
from collectives.sizes import format_bytes, parse_bytes
from fabric.latency import Cost, TimeModel, cost_of, fit, model_for, predicted_s
from fabric.load import schedule_loads
from fabric.placement import Placement, domain_of_rank, rail_of_rank
from fabric.routing import Routing
from fabric.topology import Topology
from fabric.traffic import Traffic
from traces.nccl_tests import Measurement

AUTO = "auto"
# Schedules are made for this size; loads are in proportion to it.
_UNIT = float(1 << 30)


@dataclass(frozen=True)
class Row:
    """A size under one algorithm.

    Attributes
    ----------
    size : float
    algorithm, protocol : str
    time_s, algbw_GBps, busbw_GBps : float
    """

    size: float
    algorithm: str
    protocol: str
    time_s: float
    algbw_GBps: float
    busbw_GBps: float


@dataclass(frozen=True)
class Comparison:
    """Predictions beside measurements.

    Attributes
    ----------
    rows : tuple of (Row, Measurement, float)
        Prediction, measurement, and predicted over measured time.
    base_s, efficiency : float
        What explains the measurements best: see `fabric.latency.fit`.
    """

    rows: tuple[tuple[Row, Measurement, float], ...]
    base_s: float
    efficiency: float


def parse_sizes(text: str) -> tuple[float, ...]:
    """``1MiB:16GiB`` doubles from the one to the other; ``1MiB,3MB`` are those.

    Raises
    ------
    InputError
        If a size is none, or the range runs backwards or is empty.
    """
    if ":" not in text:
        return tuple(_positive(part) for part in text.split(","))
    first, _, last = text.partition(":")
    size, end = _positive(first), _positive(last)
    if size > end:
        raise InputError(f"sizes {text!r}: expected a smaller size, then a larger one")
    sizes = [size]
    while sizes[-1] * 2 <= end:
        sizes.append(sizes[-1] * 2)
    return tuple(sizes)


def _positive(text: str) -> float:
    size = parse_bytes(text)
    if size <= 0:
        raise InputError(f"sizes: {text!r}; expected more than 0 bytes")
    return size


def costs(
    topology: Topology,
    placement: Placement,
    collective: str,
    algorithms: Sequence[str],
    routing: Routing,
    model: TimeModel,
    in_network: bool = False,
    n_threads: int | None = None,
    groups: Groups | None = None,
) -> dict[str, Cost]:
    """What each algorithm costs.

    Algorithms that cannot run on this placement are left out if `algorithms` is ``(AUTO,)``, else refused.

    Parameters
    ----------
    in_network : bool
        Whether the switches of the network reduce (SHARP), so that the automatic choice may take it.
    groups : Groups, optional
        Default the whole job as one.

    Raises
    ------
    InputError
        An unknown algorithm, or one that cannot run here.
    """
    automatic = tuple(algorithms) == (AUTO,)
    names = ALGORITHMS[collective] if automatic else tuple(known_algorithm(collective, name) for name in algorithms)
    groups = groups or Groups.consecutive(placement.n_ranks, placement.n_ranks)
    domain, rail = domain_of_rank(topology, placement), rail_of_rank(topology, placement)
    found: dict[str, Cost] = {}
    for name in names:
        # n - 1 steps of n different flows each: the direct exchange says the same of large jobs.
        if automatic and name == "pairwise" and placement.n_ranks > 256:
            continue
        if automatic and name == "sharp" and not in_network:
            continue
        try:
            schedule = collective_schedule(collective, groups, _UNIT, name, domain, rail)
            loads = schedule_loads(topology, schedule, placement, routing, n_threads)
        except InputError:
            if not automatic:
                raise
            continue
        found[name] = cost_of(schedule, loads, placement, _UNIT, model)
    if not found:
        raise InputError(f"{collective}: no algorithm runs on this placement")
    return found


def predict(
    collective: str, n_ranks: int, sizes: Sequence[float], found: dict[str, Cost], model: TimeModel, best_only: bool
) -> tuple[Row, ...]:
    """A row per size and algorithm, or per size the fastest."""
    rows = []
    for size in sizes:
        of_size = []
        for name, cost in found.items():
            time_s, protocol = predicted_s(cost, size, model, name)
            bandwidths = (algbw_GBps(size, time_s), busbw_GBps(collective, n_ranks, size, time_s))
            of_size.append(Row(size, name, protocol.name, time_s, *bandwidths))
        rows += [min(of_size, key=lambda row: row.time_s)] if best_only else of_size
    return tuple(rows)


def fastest(
    topology: Topology,
    placement: Placement,
    job: Traffic,
    routing: Routing,
    technology: str,
    n_threads: int | None = None,
) -> tuple[str, str]:
    """The algorithm that the model finds fastest for a job's collective, groups and size, and why, in words.

    Raises
    ------
    InputError
        If no algorithm runs on this placement.
    """
    assert job.collective is not None
    model, _ = model_for(technology)
    sharp = technology == "infiniband"
    found = costs(topology, placement, job.collective, (AUTO,), routing, model, sharp, n_threads, job.groups)
    rows = predict(job.collective, job.group_size, (job.bytes,), found, model, best_only=False)
    best, *others = sorted(rows, key=lambda row: row.time_s)
    reason = f"algorithm: {best.algorithm}, the fastest by the model with latency ({best.time_s * 1e6:.4g} us"
    if others:
        reason += f"; next {others[0].algorithm}, {others[0].time_s * 1e6:.4g} us"
    return best.algorithm, reason + ")"


def why(rows: Sequence[Row], found: dict[str, Cost]) -> list[str]:
    """Why the fastest algorithms are the fastest, a line for each run of sizes."""
    lines, first = [], 0
    for place in range(1, len(rows) + 1):
        if place < len(rows) and rows[place].algorithm == rows[first].algorithm:
            continue
        name = rows[first].algorithm
        cost = found[name]
        lines.append(
            f"{name} from {format_bytes(rows[first].size)} to {format_bytes(rows[place - 1].size)}: "
            f"{cost.scale_up_steps + cost.network_steps:.4g} steps ({cost.network_steps:.4g} over the network), "
            f"at most {1e-9 / cost.seconds_per_byte:.4g} GB/s algbw"
        )
        first = place
    return lines


def compare_measured(
    measured: Sequence[Measurement], collective: str, n_ranks: int, found: dict[str, Cost], model: TimeModel
) -> Comparison:
    """Lay measurements beside the fastest prediction, and fit latency and efficiency.

    Raises
    ------
    InputError
        If fewer than two sizes were measured.
    """
    useful = [row for row in measured if row.size > 0 and row.time_s > 0]
    rows = predict(collective, n_ranks, [row.size for row in useful], found, model, best_only=True)
    pairs = tuple((row, real, row.time_s / real.time_s) for row, real in zip(rows, useful, strict=True))
    best = min(found.values(), key=lambda cost: cost.seconds_per_byte)
    base, efficiency = fit(np.array([row.size for row in useful]), np.array([row.time_s for row in useful]), best)
    return Comparison(pairs, base, efficiency)
