"""Predicted nccl-tests tables of a scenario's collective, and how measurements compare."""

from collections.abc import Sequence
from dataclasses import dataclass

from collectives.algorithm import AUTO
from collectives.errors import InputError
from fabric.scenario import Scenario, switches_reduce
from fabric.timing.alpha_beta import AlphaBeta
from fabric.timing.prediction import Comparison, Row, alpha_betas, compare_measured, predict, same_test, why
from traces.nccl_tests import NcclTests

USUAL_SIZES = "1MiB:16GiB"


@dataclass(frozen=True, eq=False)
class Prediction:
    """A predicted table.

    Attributes
    ----------
    scenario : Scenario
    collective : str
    group_size : int
        Ranks of the largest group.
    rows : tuple of Row
        By size, then algorithm.
    algorithms : dict of str to AlphaBeta
        What each algorithm costs apart from the size.
    best_only : bool
        Whether a row is the fastest algorithm of its size.
    comparison : Comparison or None
        With measurements.
    n_channels, cross_nic : int or None
        As they were asked for.
    """

    scenario: Scenario
    collective: str
    group_size: int
    rows: tuple[Row, ...]
    algorithms: dict[str, AlphaBeta]
    best_only: bool
    comparison: Comparison | None
    n_channels: int | None = None
    cross_nic: int | None = None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the fastest algorithms are the fastest, a line for each run of sizes."""
        return tuple(why(self.rows, self.algorithms)) if self.best_only else ()


def predict_busbw(
    scenario: Scenario,
    sizes: Sequence[float],
    algorithms: Sequence[str] = (AUTO,),
    measured: NcclTests | None = None,
    source: str = "",
    n_channels: int | None = None,
    cross_nic: int | None = None,
) -> Prediction:
    """Time and bandwidths of a scenario's collective over sizes, with latency.

    Parameters
    ----------
    scenario : Scenario
        Its traffic is a collective; its size does not matter.
    sizes : sequence of float
        Bytes as nccl-tests counts them.
    algorithms : sequence of str
        Those to list, or ``("auto",)``: the fastest of each size.
    measured : NcclTests, optional
        Results to lay beside.
    source : str
        Their file, for messages.
    n_channels, cross_nic : int, optional
        Of the algorithms that have channels: see `collectives.nccl_channels`.

    Raises
    ------
    InputError
        Traffic that is no collective, an algorithm that is unknown or cannot run here, results of another test.
    """
    job = scenario.traffic
    if job.collective is None:
        raise InputError(f"busbw of {job.label}: expected a collective")
    names = tuple(algorithms)
    if AUTO in names and len(names) > 1:
        raise InputError(f"algorithms {', '.join(names)}: expected auto alone, or names of algorithms")
    if measured is not None:
        same_test(measured, source, job.collective, job.group_size)
    found = alpha_betas(
        scenario.topology,
        scenario.placement,
        job.collective,
        names,
        scenario.routing,
        scenario.model,
        switches_reduce(scenario.fabric),
        scenario.n_threads,
        job.groups,
        n_channels,
        cross_nic,
        scenario.library,
        scenario.pools,
    )
    best_only = names == (AUTO,)
    rows = predict(job.collective, job.group_size, sizes, found, scenario.model, best_only)
    comparison = None
    if measured is not None:
        comparison = compare_measured(measured.rows, job.collective, job.group_size, found, scenario.model)
    return Prediction(
        scenario, job.collective, job.group_size, rows, found, best_only, comparison, n_channels, cross_nic
    )
