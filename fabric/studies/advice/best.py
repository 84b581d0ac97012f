"""What helps most, for every report that has a word on it: the levers of `advise`, each alone."""

from collections.abc import Sequence

from fabric.scenario import Scenario
from fabric.studies.advice.lever import Lever
from fabric.studies.advice.levers import LEVERS
from fabric.studies.advice.longest import longest_operations, longest_phases, shortened
from fabric.studies.advice.study import Advice, single_advice
from fabric.studies.advice.trial import work_of_demand
from fabric.studies.analysis import Analysis, analyse
from fabric.studies.step_costs import OperationCost, operation_costs
from fabric.timing.step_time import step_time

# Demands times links of a job, and of a step, that are run whole with every lever unasked; of larger ones the longest
# phases or operations are.  Assumed to be as long as anybody waits for a remark.
MOST_LOADED = 1_500_000
_MOST_OF_STEP = 150_000
# Of a step that is more work than this no lever is run unasked: ten times that of 8,192 GPUs.
_TOO_MUCH_OF_STEP = 25_000_000


def what_helps(
    scenario: Scenario,
    known: Analysis | None = None,
    costs: Sequence[OperationCost] | None = None,
    levers: Sequence[Lever] = LEVERS,
) -> Advice | None:
    """Every lever alone, with the same best one as `fabric.studies.advice.study.advise` has.

    Of a long trace and of a large step levers are tried on the longest phases or operations, all else as it is:
    `Advice.share`.  None where even that takes too long to be done unasked: a matter of the job and the fabric, not of
    the machine.

    Parameters
    ----------
    scenario : Scenario
    known : Analysis, optional
        Of the scenario, where it was routed already.
    costs : sequence of OperationCost, optional
        Of a step: its operations in the scenario, where they were routed already.
    levers : sequence of Lever
        Default all.

    Raises
    ------
    InputError
        If the job cannot be routed as it is.
    """
    demands = sum(len(phase.demands) for phase in scenario.schedule.phases)
    work = demands * work_of_demand(scenario)
    if scenario.traffic.step is not None:
        return _of_step(scenario, costs, levers, work)
    if work <= MOST_LOADED:
        return single_advice(scenario, known, levers=levers)
    analysis = analyse(scenario) if known is None else known
    longest = longest_phases(analysis, MOST_LOADED, work_of_demand(scenario))
    if longest is None:
        return None
    part = shortened(analysis, longest)
    return single_advice(part.scenario, part, longest, levers)


def _of_step(
    scenario: Scenario, costs: Sequence[OperationCost] | None, levers: Sequence[Lever], work: int
) -> Advice | None:
    if work <= _MOST_OF_STEP:
        return single_advice(scenario, levers=levers)
    if work > _TOO_MUCH_OF_STEP:
        return None
    step = scenario.traffic.step
    assert step is not None
    if costs is None:
        costs = operation_costs(scenario, step.operations, scenario.algorithms_of(step.operations), bounds=False)
    own = (step.workload, step.operations, [one.seconds for one in costs], step.compute_s, step.fixed_s)
    longest = longest_operations(costs, step_time(*own))
    return None if longest is None else single_advice(scenario, longest=longest, levers=levers)
