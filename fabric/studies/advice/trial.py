"""A design, run: its time as `loads` prints it, its range over hash seeds, the bound beside it, time with latency."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

from collectives.catalog import algorithm_of
from collectives.errors import InputError
from fabric.bounds.cuts import ANY_ROUTING, Bound
from fabric.jobs.step_traffic import step_traffic
from fabric.routing.policies import Ecmp
from fabric.scenario import Scenario
from fabric.studies.analysis import Analysis, Sample, analyse, analyse_each, scenario_bound
from fabric.studies.flow_sensitivity import pairs_of
from fabric.studies.step import USUAL_SEEDS as STEP_SEEDS
from fabric.studies.step_costs import operation_costs, unopened
from fabric.timing.alpha_beta import alpha_beta_of, predicted_s
from fabric.timing.step_time import step_time

# Hash seeds of a design: enough to see a range, few enough to wait for.
SEEDS = 5
# Hashed flows of all seeds of a design: about half a second on two cores; with more of them fewer seeds are tried.
MOST_FLOWS = 200_000_000
# A change that takes more hashed flows than this is not tried.  Both are assumed to be as long as anybody waits.
TOO_MANY_FLOWS = 1_000_000_000
STEP = "step"
"""Name of the bound of a training step: every operation as fast as no routing beats."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A design, run.

    Attributes
    ----------
    scenario : Scenario
    times_s : tuple of float
        Seconds of each hash seed, from the routing's own on; one where nothing hashes.
    routed : Analysis or None
        Of the hash seed whose time is the median, the lower one of two; None of a training step.
    step_bound_s : float or None
        Of a training step, seconds.
    algorithms : tuple of str
        Of a training step's operations.
    bound_of : callable
        The bound of a scenario.
    """

    scenario: Scenario
    times_s: tuple[float, ...]
    routed: Analysis | None
    step_bound_s: float | None = None
    algorithms: tuple[str, ...] = ()
    bound_of: Callable[[Scenario], Bound | None] = field(default=scenario_bound, repr=False)

    @property
    def time_s(self) -> float:
        """Bottleneck time, or the time of a step, seconds: the median over hash seeds, the lower one of two."""
        return self.times_s[_median(self.times_s)]

    @cached_property
    def analysis(self) -> Analysis:
        """Loads; of a training step those of all its operations, one after the other."""
        if self.routed is not None:
            return self.routed
        step = self.scenario.traffic.step
        assert step is not None
        return analyse(self.scenario.carrying(step_traffic(step, self.algorithms), self.scenario.routing))

    @cached_property
    def bound(self) -> Bound | None:
        """What cannot be beaten with these cables and hosts; None where pairs have no route."""
        if self.step_bound_s is not None:
            return Bound(self.step_bound_s, STEP, ANY_ROUTING) if self.step_bound_s > 0 else None
        return self.bound_of(self.scenario) if self.analysis.loads.total.unrouted.pairs == 0 else None

    @property
    def over_bound(self) -> float | None:
        """Time over the bound; None without one."""
        return None if self.bound is None else self.time_s / self.bound.time_s

    @property
    def busbw_GBps(self) -> float | None:
        """As nccl-tests defines it; None without a collective."""
        return None if self.routed is None else self.routed.busbw_GBps

    @property
    def seeds(self) -> Sample | None:
        """Seconds of each hash seed; None where nothing hashes."""
        return Sample(self.times_s) if isinstance(self.scenario.routing, Ecmp) else None

    @cached_property
    def predicted_s(self) -> float | None:
        """Time with latency, of a collective; seconds."""
        return None if self.routed is None else _predicted(self.routed)


def _median(times: tuple[float, ...]) -> int:
    return sorted(range(len(times)), key=times.__getitem__)[(len(times) - 1) // 2]


def n_seeds(scenario: Scenario) -> int:
    """Hash seeds that a design is tried with; 1 where nothing hashes."""
    if not isinstance(scenario.routing, Ecmp):
        return 1
    if scenario.traffic.step is not None:
        return STEP_SEEDS
    flows = pairs_of(scenario) * scenario.routing.flows_a_pair
    return max(1, min(SEEDS, MOST_FLOWS // max(flows, 1)))


def check_flows(scenario: Scenario) -> None:
    """Refuse a design with too many hashed flows.

    Raises
    ------
    InputError
        How many there are.
    """
    if isinstance(scenario.routing, Ecmp) and scenario.traffic.step is None:
        flows = pairs_of(scenario) * scenario.routing.flows_a_pair
        if flows > TOO_MANY_FLOWS:
            raise InputError(f"{flows:,} hashed flows take too long here; loads tries them")


def run(
    scenario: Scenario,
    bound_of: Callable[[Scenario], Bound | None] = scenario_bound,
    known: Analysis | None = None,
) -> Trial:
    """Route a design, with several hash seeds where it hashes.

    The algorithms of a step's operations are those that the library would choose in it.

    Parameters
    ----------
    scenario : Scenario
    bound_of : callable, optional
        Its bound, asked for where it is looked at.
    known : Analysis, optional
        The same scenario, where it was routed already.

    Raises
    ------
    InputError
        As for `fabric.routing.link_loads.link_loads`.
    """
    scenarios = [_seeded(scenario, number) for number in range(n_seeds(scenario))]
    if scenario.traffic.step is not None:
        algorithms = scenario.algorithms_of(scenario.traffic.step.operations)
        steps = [_step_s(one, algorithms, number == 0) for number, one in enumerate(scenarios)]
        return Trial(scenario, tuple(one for one, _ in steps), None, steps[0][1], algorithms)
    runs = list(analyse_each(scenarios)) if known is None else [known, *analyse_each(scenarios[1:])]
    times = tuple(one.time_s for one in runs)
    return Trial(scenario, times, runs[_median(times)], bound_of=bound_of)


def _seeded(scenario: Scenario, number: int) -> Scenario:
    routing = scenario.routing
    if isinstance(routing, Ecmp) and number:
        return replace(scenario, routing=replace(routing, seed=routing.seed + number))
    return scenario


def _step_s(scenario: Scenario, algorithms: tuple[str, ...], bounds: bool) -> tuple[float, float]:
    """A step, and the step with every operation at its bound, where that is asked for; seconds."""
    step = scenario.traffic.step
    assert step is not None
    costs = operation_costs(scenario, step.operations, algorithms, bounds, unopened(scenario.routing))
    own = (step.compute_s, step.fixed_s)
    lasted, least = (
        step_time(step.workload, step.operations, seconds, *own).step_s
        for seconds in ([one.seconds for one in costs], [one.bound_s for one in costs])
    )
    return lasted, least if bounds else 0.0


def _predicted(analysis: Analysis) -> float | None:
    job = analysis.traffic
    if job.collective is None or job.groups is None or job.bytes <= 0 or analysis.hottest is None:
        return None
    model = analysis.scenario.model
    algorithm = algorithm_of(job.collective, job.algorithm)
    where = (algorithm, analysis.schedule, analysis.loads, analysis.placement)
    try:
        return predicted_s(alpha_beta_of(*where, job.bytes, model, job.groups), job.bytes, model)[0]
    except InputError:
        return None
