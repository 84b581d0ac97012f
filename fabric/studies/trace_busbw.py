"""How long the operations of a trace take by the model with latency, each by itself, and their bandwidths."""

from collections.abc import Sequence
from dataclasses import dataclass

from collectives.algorithm import AUTO
from collectives.bandwidth import busbw_GBps
from collectives.demand import Groups
from collectives.errors import InputError
from fabric.scenario import Scenario, switches_reduce
from fabric.timing.alpha_beta import AlphaBeta
from fabric.timing.prediction import Row, alpha_betas, predict
from traces.traffic import AlikeOperations, alike_operations


@dataclass(frozen=True)
class PredictedOperations:
    """Equal operations of a trace, and the prediction for one of them.

    Attributes
    ----------
    operations : AlikeOperations
    row : Row
        By the fastest of the algorithms.
    """

    operations: AlikeOperations
    row: Row

    @property
    def total_s(self) -> float:
        """Time of all of them, one after the other."""
        return self.operations.count * self.row.time_s

    @property
    def measured_busbw_GBps(self) -> float | None:
        """Of the median kernel; None where the trace has none."""
        lasted, alike = self.operations.measured_s, self.operations
        return None if lasted is None else busbw_GBps(alike.kind, len(alike.ranks), alike.size, lasted)

    @property
    def ratio(self) -> float | None:
        """Predicted over measured time."""
        lasted = self.operations.measured_s
        return None if lasted is None else self.row.time_s / lasted


@dataclass(frozen=True, eq=False)
class TracePrediction:
    """A trace's operations with their predicted times.

    Attributes
    ----------
    scenario : Scenario
    rows : tuple of PredictedOperations
        What takes longest in all first.
    """

    scenario: Scenario
    rows: tuple[PredictedOperations, ...]

    @property
    def total_s(self) -> float:
        """Time of all operations, one after the other."""
        return sum(row.total_s for row in self.rows)


def predict_trace(scenario: Scenario, algorithms: Sequence[str] = (AUTO,)) -> TracePrediction:
    """Time of each operation of a trace by itself, as if nothing else ran.

    Parameters
    ----------
    scenario : Scenario
        Its traffic is a trace.
    algorithms : sequence of str
        Those to choose from, where a kind has them, or ``("auto",)``.

    Raises
    ------
    InputError
        Traffic that is no trace, no complete operation, or no operation that has one of the algorithms.
    """
    trace = scenario.traffic.trace
    if trace is None:
        raise InputError(f"busbw of {scenario.traffic.label}: expected a trace")
    known: dict[tuple[str, tuple[int, ...]], dict[str, AlphaBeta]] = {}
    rows = []
    for one in alike_operations(trace, scenario.traffic.n_ranks):
        same = (one.kind, one.ranks)
        if same not in known:
            known[same] = alpha_betas(
                scenario.topology,
                scenario.placement,
                one.kind,
                algorithms,
                scenario.routing,
                scenario.model,
                switches_reduce(scenario.fabric),
                scenario.n_threads,
                Groups.of([list(one.ranks)]),
                library=scenario.library,
                pools=scenario.pools,
            )
        (row,) = predict(one.kind, len(one.ranks), (one.size,), known[same], scenario.model, best_only=True)
        rows.append(PredictedOperations(one, row))
    return TracePrediction(scenario, tuple(sorted(rows, key=lambda row: -row.total_s)))
