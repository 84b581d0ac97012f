"""A design, run: its time as `loads` prints it, its range over hash seeds, the bound beside it, time with latency."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from collectives.catalog import algorithm_of
from collectives.errors import InputError
from fabric.bounds.cuts import ANY_ROUTING, Bound
from fabric.jobs.step_traffic import step_traffic
from fabric.routing.policies import Ecmp
from fabric.scenario import Scenario
from fabric.studies.advice.longest import Longest, same_operation
from fabric.studies.analysis import Analysis, Sample, analyse, analyse_each, scenario_bound
from fabric.studies.flow_sensitivity import pairs_of
from fabric.studies.step import USUAL_SEEDS as STEP_SEEDS
from fabric.studies.step_costs import operation_costs, unopened
from fabric.studies.verdicts.thresholds import SAME
from fabric.timing.alpha_beta import alpha_beta_of, predicted_s
from fabric.timing.step_time import step_time

_TWO = 2
# What a demand costs apart from the links, what a new fabric costs for each of its links, and how many hashed flows
# cost as much as a link: as they were seen at 8,192 endpoints, roughly.
_OVERHEAD, _TO_BUILD, _FLOWS_OF_LINK = 2_000, 3, 75
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
    rest_s : float
        Of a job of which the longest phases were run: all others, seconds.
    places : tuple of int or None
        Of a training step: the operations that were run; None: all.
    """

    scenario: Scenario
    times_s: tuple[float, ...]
    routed: Analysis | None
    step_bound_s: float | None = None
    algorithms: tuple[str, ...] = ()
    bound_of: Callable[[Scenario], Bound | None] = field(default=scenario_bound, repr=False)
    rest_s: float = 0.0
    places: tuple[int, ...] | None = None

    @property
    def run_s(self) -> float:
        """Bottleneck time, or the time of a step, seconds: the median over hash seeds, the lower one of two."""
        return self.times_s[_median(self.times_s)]

    @property
    def time_s(self) -> float:
        """The same with what was not run, as it is."""
        return self.run_s + self.rest_s

    @cached_property
    def analysis(self) -> Analysis:
        """Loads; of a training step those of the operations that were run, one after the other."""
        if self.routed is not None:
            return self.routed
        step = self.scenario.traffic.step
        assert step is not None
        places = range(len(step.operations)) if self.places is None else self.places
        part = replace(step, operations=tuple(step.operations[place] for place in places))
        algorithms = tuple(self.algorithms[place] for place in places)
        return analyse(self.scenario.carrying(step_traffic(part, algorithms), self.scenario.routing))

    @cached_property
    def bound(self) -> Bound | None:
        """What cannot be beaten with these cables and hosts; None where pairs have no route."""
        if self.step_bound_s is not None:
            return Bound(self.step_bound_s, STEP, ANY_ROUTING) if self.step_bound_s > 0 else None
        return self.bound_of(self.scenario) if self.analysis.loads.total.unrouted.pairs == 0 else None

    @property
    def over_bound(self) -> float | None:
        """Time over the bound; None without one."""
        return None if self.bound is None else self.run_s / self.bound.time_s

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


def n_seeds(scenario: Scenario, longest: Longest | None = None) -> int:
    """Hash seeds that a design, or the longest parts of one, are tried with; 1 where nothing hashes."""
    if not isinstance(scenario.routing, Ecmp):
        return 1
    if longest is not None and longest.most_seeds is not None:
        return longest.most_seeds
    if scenario.traffic.step is not None:
        return STEP_SEEDS
    return max(1, min(SEEDS, MOST_FLOWS // max(hashed_flows(scenario), 1)))


def hashed_flows(scenario: Scenario) -> int:
    """Hashed flows of a design with one seed; 0 where nothing hashes."""
    routing = scenario.routing
    return pairs_of(scenario) * routing.flows_a_pair if isinstance(routing, Ecmp) else 0


def work_of(scenario: Scenario, rebuilt: bool = False, longest: Longest | None = None) -> int:
    """What a design takes to be run, in links that are looked at; a matter of the job and the fabric alone.

    Parameters
    ----------
    scenario : Scenario
        Of a step each operation counts once.
    rebuilt : bool
        Whether its fabric has to be made first.
    longest : Longest, optional
        The only operations of a step that are run.
    """
    seeds, links = n_seeds(scenario, longest), scenario.topology.n_links
    step = scenario.traffic.step
    if step is not None:
        demands, flows = len(step.operations if longest is None else longest.places), 0
    else:
        demands = sum(len(phase.demands) for phase in scenario.schedule.phases)
        flows = hashed_flows(scenario)
    own = demands * work_of_demand(scenario, seeds) + seeds * flows // _FLOWS_OF_LINK
    return own + (_TO_BUILD * links if rebuilt else 0)


def work_of_demand(scenario: Scenario, seeds: int | None = None) -> int:
    """The same of one demand, hashed flows aside; of seeds that are routed together each further one is half of it."""
    seeds = n_seeds(scenario) if seeds is None else seeds
    return (seeds + 1) * (scenario.topology.n_links + _OVERHEAD) // 2


def check_flows(scenario: Scenario) -> None:
    """Refuse a design with too many hashed flows.

    Raises
    ------
    InputError
        How many there are.
    """
    if scenario.traffic.step is None:
        flows = hashed_flows(scenario)
        if flows > TOO_MANY_FLOWS:
            raise InputError(f"{flows:,} hashed flows take too long here; loads tries them")


def run(
    scenario: Scenario,
    bound_of: Callable[[Scenario], Bound | None] = scenario_bound,
    known: Analysis | None = None,
    longest: Longest | None = None,
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
    longest : Longest, optional
        The only parts of it that are run, all others as they are.

    Raises
    ------
    InputError
        As for `fabric.routing.link_loads.link_loads`.
    """
    scenarios = [_seeded(scenario, number) for number in range(n_seeds(scenario, longest))]
    if scenario.traffic.step is not None:
        return _step_run(scenario, scenarios) if longest is None else _step_part(scenario, scenarios, longest)
    rest_s = 0.0 if longest is None else longest.rest_s
    if known is not None and len(scenarios) == _TWO and _at_bound(known, bound_of(scenario)):
        # Of two the lower one counts, and it is at the bound.
        scenarios = scenarios[:1]
    runs = list(analyse_each(scenarios)) if known is None else [known, *analyse_each(scenarios[1:])]
    times = tuple(one.time_s for one in runs)
    return Trial(scenario, times, runs[_median(times)], bound_of=bound_of, rest_s=rest_s)


def _at_bound(known: Analysis, bound: Bound | None) -> bool:
    return bound is not None and not known.loads.total.unrouted.pairs and known.time_s < SAME * bound.time_s


def _step_run(scenario: Scenario, scenarios: Sequence[Scenario]) -> Trial:
    """All operations of a step."""
    step = scenario.traffic.step
    assert step is not None
    algorithms = scenario.algorithms_of(step.operations)
    steps = [_step_s(one, algorithms, number == 0) for number, one in enumerate(scenarios)]
    return Trial(scenario, tuple(one for one, _ in steps), None, steps[0][1], algorithms)


def _step_part(scenario: Scenario, scenarios: Sequence[Scenario], longest: Longest) -> Trial:
    """The longest operations of a step, and those that are no longer what they were."""
    step = scenario.traffic.step
    assert step is not None
    operations, before = step.operations, [one.operation for one in longest.costs]
    if len(operations) != len(before):
        return _step_run(scenario, scenarios)
    places = tuple(
        place
        for place, one in enumerate(operations)
        if place in longest.places or not same_operation(one, before[place])
    )
    own = [operations[place] for place in places]
    found = scenario.algorithms_of(own)
    algorithms, lasted = [one.algorithm for one in longest.costs], [one.seconds for one in longest.costs]
    times = []
    for one in scenarios:
        costs = operation_costs(one, own, found, False, unopened(one.routing))
        for place, cost in zip(places, costs, strict=True):
            algorithms[place], lasted[place] = cost.algorithm, cost.seconds
        times.append(step_time(step.workload, operations, lasted, step.compute_s, step.fixed_s).step_s)
    return Trial(scenario, tuple(times), None, 0.0, tuple(algorithms), places=places)


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
