"""Predicted nccl-tests tables: time and bandwidth over size, by algorithm; and how measurements compare."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collectives.algorithm import ANY, AUTO, LIBRARIES, NCCL, Algorithm, JobFacts, Library
from collectives.bandwidth import REDUCING, algbw_GBps, bus_factor, busbw_GBps, known_collective
from collectives.catalog import ALGORITHMS, algorithm_of
from collectives.demand import FloatVector, Groups
from collectives.errors import InputError
from collectives.nic_pool import NicPools, nics_pooled
from collectives.sizes import format_bytes
from collectives.suggestion import hint
from fabric.jobs.placement import Placement, domain_of_rank, rail_of_rank
from fabric.jobs.span import span_of
from fabric.jobs.traffic import Traffic
from fabric.routing.link_loads import schedule_loads
from fabric.routing.policies import Routing
from fabric.routing.unroutable import Unroutable
from fabric.timing.alpha_beta import AlphaBeta, alpha_beta_of, found_s, predicted_s, tabled_s
from fabric.timing.fitting import Fit, fit
from fabric.timing.protocols import TimeModel
from fabric.topology import NVSWITCH, Topology
from traces.nccl_tests import Measurement, NcclTests

# How far busbw over algbw may be from its definition: both are printed with two decimals.
_SAME_FACTOR = 0.03
# Schedules are made for this size; loads are in proportion to it.
_UNIT = float(1 << 30)


@dataclass(frozen=True)
class Row:
    """A size under one algorithm.

    Attributes
    ----------
    size : float
        Bytes, as nccl-tests counts them.
    algorithm, protocol : str
        Which of them the time is of.
    time_s, algbw_GBps, busbw_GBps : float
        Seconds and GB/s of well-tuned clusters.
    found_time_s, busbw_low_GBps : float
        What clusters are often found at: `Reach.found`.
    tabled_s : float
        Seconds by the library's tables, in which no step is hidden behind bytes: what it chooses by.
    """

    size: float
    algorithm: str
    protocol: str
    time_s: float
    algbw_GBps: float
    busbw_GBps: float
    found_time_s: float
    busbw_low_GBps: float
    tabled_s: float


@dataclass(frozen=True)
class Compared:
    """A measurement and what was predicted for it.

    Attributes
    ----------
    measured : Measurement
    row : Row
        The prediction.
    fitted_ratio : float
        Predicted time with the fitted factors over measured time.
    """

    measured: Measurement
    row: Row
    fitted_ratio: float

    @property
    def ratio(self) -> float:
        """Predicted over measured time."""
        return self.row.time_s / self.measured.time_s

    @property
    def fitted_time_s(self) -> float:
        """Predicted time with the fitted factors."""
        return self.fitted_ratio * self.measured.time_s


@dataclass(frozen=True)
class Comparison:
    """Predictions beside measurements, and the factors that bring them closest."""

    rows: tuple[Compared, ...]
    fit: Fit


def alpha_betas(
    topology: Topology,
    placement: Placement,
    collective: str,
    algorithms: Sequence[str],
    routing: Routing,
    model: TimeModel,
    in_network: bool = False,
    n_threads: int | None = None,
    groups: Groups | None = None,
    n_channels: int | None = None,
    cross_nic: int | None = None,
    library: Library = NCCL,
    pools: NicPools | None = None,
) -> dict[str, AlphaBeta]:
    """What each algorithm costs.

    Algorithms that cannot run on this placement are left out if `algorithms` is ``(AUTO,)``, else refused.

    Parameters
    ----------
    in_network : bool
        Whether the switches of the network reduce (SHARP), so that the automatic choice may take it.
    groups : Groups, optional
        Default the whole job as one.
    n_channels, cross_nic : int, optional
        Of the algorithms that have channels: see `collectives.nccl_channels`.
    library : {"nccl", "rccl", "any"}
        Whose algorithms the automatic choice considers; any: all.
    pools : NicPools, optional
        Share the bytes of hosts whose NICs differ out over them.

    Raises
    ------
    InputError
        An unknown library or algorithm, or one that cannot run here; groups of one rank.
    """
    automatic = tuple(algorithms) == (AUTO,)
    known_collective(collective)
    known_library(library)
    groups = groups or Groups.consecutive(placement.n_ranks, placement.n_ranks)
    if groups.sizes.max(initial=0) < 2:
        raise InputError(f"{collective}: every group has one rank, which sends nothing; expected groups of 2 or more")
    domain, rail = domain_of_rank(topology, placement), rail_of_rank(topology, placement)
    if automatic:
        facts = job_facts(topology, placement, groups, model, in_network)
        wanted = considered_algorithms(collective, library, facts)
    else:
        wanted = tuple(algorithm_of(collective, name) for name in algorithms)
    found: dict[str, AlphaBeta] = {}
    refused: InputError | None = None
    for algorithm in wanted:
        try:
            options = algorithm.taken(n_channels=n_channels, cross_nic=cross_nic)
            schedule = algorithm.schedule_for(groups, _UNIT, domain, rail, options)
            if pools is not None:
                schedule = nics_pooled(schedule, pools, domain)
            loads = schedule_loads(topology, schedule, placement, routing, n_threads)
        except InputError as error:
            if not automatic:
                raise
            refused = error
            continue
        found[algorithm.name] = alpha_beta_of(algorithm, schedule, loads, placement, _UNIT, model, groups)
    if not found:
        if isinstance(refused, Unroutable):
            raise refused
        last = f"; the last one: {refused}" if refused else ""
        raise InputError(f"{collective}: {library} has no algorithm that runs on this placement{last}")
    return found


def job_facts(
    topology: Topology, placement: Placement, groups: Groups, model: TimeModel, in_network: bool = False
) -> JobFacts:
    """What decides which algorithms a library considers for a job; arguments as for `alpha_betas`."""
    span = span_of(groups, domain_of_rank(topology, placement))
    # NCCL, ncclNvlsInit: more than two GPUs of a node.
    nvls = model.nvls_efficiency > 0 and span.per_domain > 2 and bool((topology.nodes.kind == NVSWITCH).any())
    return JobFacts(placement.n_ranks, in_network, span.n_domains, nvls)


def considered_algorithms(collective: str, library: Library, facts: JobFacts) -> tuple[Algorithm, ...]:
    """The algorithms of a collective from which a library chooses for a job, in the order of `ALGORITHMS`."""
    every = (algorithm_of(collective, name) for name in ALGORITHMS[collective])
    return tuple(one for one in every if one.considered(library, facts))


def known_library(name: str) -> Library:
    """`name`, if it is one of `LIBRARIES`.

    Raises
    ------
    InputError
        Names the nearest one.
    """
    for one in LIBRARIES:
        if one == name:
            return one
    raise InputError(f"library {name!r}: unknown; {hint(name, LIBRARIES)}")


def predict(
    collective: str,
    n_ranks: int,
    sizes: Sequence[float],
    found: dict[str, AlphaBeta],
    model: TimeModel,
    best_only: bool,
) -> tuple[Row, ...]:
    """A row per size and algorithm, or per size the one that the library's tables choose."""
    rows = []
    for size in sizes:
        of_size = []
        for name, alpha_beta in found.items():
            time_s, protocol = predicted_s(alpha_beta, size, model)
            bandwidths = (algbw_GBps(size, time_s), busbw_GBps(collective, n_ranks, size, time_s))
            found_time_s = found_s(alpha_beta, protocol, size, model)
            low = busbw_GBps(collective, n_ranks, size, found_time_s)
            tabled = tabled_s(alpha_beta, size, model)
            of_size.append(Row(size, name, protocol.name, time_s, *bandwidths, found_time_s, low, tabled))
        rows += [min(of_size, key=lambda row: row.tabled_s)] if best_only else of_size
    return tuple(rows)


def fastest(
    topology: Topology,
    placement: Placement,
    job: Traffic,
    routing: Routing,
    model: TimeModel,
    in_network: bool = False,
    n_threads: int | None = None,
    library: Library = NCCL,
    pools: NicPools | None = None,
) -> tuple[str, str]:
    """The algorithm that the library chooses for a job's collective, groups and size, and why, in words.

    A library chooses by its tables; of any library's the one that the model finds fastest.

    Arguments as for `alpha_betas`.

    Raises
    ------
    InputError
        If no algorithm runs on this placement.
    """
    assert job.collective is not None
    found = alpha_betas(
        topology,
        placement,
        job.collective,
        (AUTO,),
        routing,
        model,
        in_network,
        n_threads,
        job.groups,
        library=library,
        pools=pools,
    )
    rows = predict(job.collective, job.group_size, (job.bytes,), found, model, best_only=False)
    best, *others = sorted(rows, key=lambda row: row.time_s if library == ANY else row.tabled_s)
    whose = "of all" if library == ANY else f"of {library.upper()}'s"
    reason = f"algorithm: {best.algorithm}, the fastest {whose} by the model with latency ({_explained(best, found)}"
    if others:
        reason += f"; next {others[0].algorithm}, {_explained(others[0], found)}"
    return best.algorithm, reason + ")"


def _explained(row: Row, found: dict[str, AlphaBeta]) -> str:
    return f"{row.time_s * 1e6:.4g} us: {_shape(found[row.algorithm])}"


def _shape(alpha_beta: AlphaBeta) -> str:
    """What makes an algorithm fast or slow, in words."""
    steps = alpha_beta.scale_up_steps + alpha_beta.network_steps
    return (
        f"{steps:.4g} steps ({alpha_beta.network_steps:.4g} over the network), "
        f"at most {1e-9 / alpha_beta.seconds_per_byte:.4g} GB/s algbw"
    )


def why(rows: Sequence[Row], found: dict[str, AlphaBeta]) -> list[str]:
    """Why the fastest algorithms are the fastest, a line for each run of sizes."""
    lines, first = [], 0
    for place in range(1, len(rows) + 1):
        if place < len(rows) and rows[place].algorithm == rows[first].algorithm:
            continue
        name = rows[first].algorithm
        ends = [format_bytes(rows[end].size) for end in (first, place - 1)]
        span = f"at {ends[0]}" if ends[0] == ends[1] else f"from {ends[0]} to {ends[1]}"
        lines.append(f"{name} {span}: {_shape(found[name])}")
        first = place
    return lines


def same_test(results: NcclTests, source: str, collective: str, n_ranks: int) -> None:
    """Refuse results that say they are of another collective or number of ranks.

    Raises
    ------
    InputError
        What the file has, and what was expected.
    """
    if results.collective is not None and results.collective != collective:
        here = f"{source}: results of {results.collective}; expected those of {collective}"
        raise InputError(here, f"--collective {results.collective} takes them")
    if results.n_ranks is not None and results.n_ranks != n_ranks:
        here = f"{source}: results of {results.n_ranks} ranks; expected those of {n_ranks}, as the job has"
        raise InputError(here, f"--gpus {results.n_ranks} takes them")
    if results.collective is None:
        _same_shape(results, source, collective, n_ranks)


def _same_shape(results: NcclTests, source: str, collective: str, n_ranks: int) -> None:
    """Refuse a table that does not name its collective and cannot be of this one: by busbw over algbw, and redop."""
    if results.reduces is not None and results.reduces != (collective in REDUCING):
        what = "of a collective that reduces" if results.reduces else "of a collective without a reduction (redop none)"
        raise InputError(f"{source}: results {what}; expected those of {collective}")
    factor, expected = results.bus_factor, bus_factor(collective, n_ranks)
    if factor is not None and abs(factor - expected) > _SAME_FACTOR * expected:
        wanted = f"{expected:.4g}, as of {collective} on {n_ranks} ranks"
        raise InputError(f"{source}: busbw is {factor:.4g} times algbw; expected {wanted}")


def compare_measured(
    measured: Sequence[Measurement], collective: str, n_ranks: int, found: dict[str, AlphaBeta], model: TimeModel
) -> Comparison:
    """Lay measurements beside the fastest prediction, and fit latency and bandwidth.

    Raises
    ------
    InputError
        If no size was measured.
    """
    useful = [row for row in measured if row.size > 0 and row.time_s > 0]
    sizes = [row.size for row in useful]

    def times(with_model: TimeModel, of_sizes: Sequence[float]) -> FloatVector:
        chosen = [min(found.values(), key=lambda one: tabled_s(one, size, with_model)) for size in of_sizes]
        return np.array([predicted_s(*each, with_model)[0] for each in zip(chosen, of_sizes, strict=True)])

    rows = predict(collective, n_ranks, sizes, found, model, best_only=True)
    fitted = fit(
        np.array([row.time_s for row in useful]), lambda one: times(one, sizes), lambda one: times(one, [0.0]), model
    )
    return Comparison(
        tuple(Compared(*of_size) for of_size in zip(useful, rows, fitted.ratios.tolist(), strict=True)), fitted
    )
