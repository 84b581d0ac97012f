"""A design, run: its time as `loads` prints it, its range over hash seeds, the bound beside it, time with latency."""

from dataclasses import dataclass, replace

from collectives.catalog import algorithm_of
from collectives.errors import InputError
from fabric.bounds.cuts import Bound
from fabric.routing.policies import Ecmp
from fabric.scenario import Scenario
from fabric.studies.analysis import Analysis, Bounded, Sample, analyse_each, scenario_bound
from fabric.studies.flow_sensitivity import pairs_of
from fabric.timing.alpha_beta import alpha_beta_of, predicted_s

# Hash seeds of a design: enough to see a range, few enough to wait for.
SEEDS = 5
# Hashed flows of all seeds of a design: about half a second on two cores; with more of them fewer seeds are tried.
MOST_FLOWS = 200_000_000
# A change that takes more hashed flows than this is not tried.  Both are assumed to be as long as anybody waits.
TOO_MANY_FLOWS = 1_000_000_000


@dataclass(frozen=True, eq=False)
class Trial(Bounded):
    """A design, run.

    Attributes
    ----------
    scenario : Scenario
    analysis : Analysis
        Of the hash seed whose time is the median, the lower one of two.
    bound : Bound or None
        What cannot be beaten with these cables and hosts.
    seeds : Sample or None
        Seconds of each hash seed, from the routing's own on; None where nothing hashes.
    predicted_s : float or None
        Time with latency, of a collective; seconds.
    """

    scenario: Scenario
    analysis: Analysis
    bound: Bound | None
    seeds: Sample | None
    predicted_s: float | None


def n_seeds(scenario: Scenario) -> int:
    """Hash seeds that a design is tried with; 1 where nothing hashes."""
    if not isinstance(scenario.routing, Ecmp):
        return 1
    flows = pairs_of(scenario) * scenario.routing.flows_a_pair
    return max(1, min(SEEDS, MOST_FLOWS // max(flows, 1)))


def check_flows(scenario: Scenario) -> None:
    """Refuse a design with too many hashed flows.

    Raises
    ------
    InputError
        How many there are.
    """
    if isinstance(scenario.routing, Ecmp):
        flows = pairs_of(scenario) * scenario.routing.flows_a_pair
        if flows > TOO_MANY_FLOWS:
            raise InputError(f"{flows:,} hashed flows take too long here; loads tries them")


def run(scenario: Scenario, bound: Bound | None = None) -> Trial:
    """Route a design, with several hash seeds where it hashes.

    Parameters
    ----------
    scenario : Scenario
    bound : Bound, optional
        Where it is known already.

    Raises
    ------
    InputError
        As for `fabric.routing.link_loads.link_loads`.
    """
    runs = list(analyse_each([_seeded(scenario, number) for number in range(n_seeds(scenario))]))
    times = tuple(one.time_s for one in runs)
    median = runs[sorted(range(len(runs)), key=times.__getitem__)[(len(runs) - 1) // 2]]
    whole = median.loads.total.unrouted.pairs == 0
    seeds = Sample(times) if isinstance(scenario.routing, Ecmp) else None
    found = (bound or scenario_bound(scenario)) if whole else None
    return Trial(scenario, median, found, seeds, _predicted(median))


def _seeded(scenario: Scenario, number: int) -> Scenario:
    routing = scenario.routing
    if not (isinstance(routing, Ecmp) and number):
        return scenario
    return replace(scenario, routing=replace(routing, seed=routing.seed + number))


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
