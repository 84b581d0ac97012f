"""What helps most, for every report that has a word on it: the levers of `advise`, each alone."""

from fabric.routing.policies import Ecmp
from fabric.scenario import Scenario
from fabric.studies.advice.study import Advice, single_advice
from fabric.studies.analysis import Analysis

# Demands times links of a job that is run with every lever unasked, and of a step, whose operations are timed too: a
# second or two on two cores, at 8,192 endpoints too.  Assumed to be as long as anybody waits for a remark.
_MOST_LOADED = 1_000_000
_MOST_OF_STEP = 150_000
# What a demand costs apart from the links, in links.  Assumed.
_OVERHEAD = 2_000


def what_helps(scenario: Scenario, known: Analysis | None = None) -> Advice | None:
    """Every lever alone, with the same best one as `fabric.studies.advice.study.advise` has.

    None where that takes too long to be done unasked: a matter of the job and the fabric, not of the machine.

    Parameters
    ----------
    scenario : Scenario
    known : Analysis, optional
        Of the scenario, where it was routed already.

    Raises
    ------
    InputError
        If the job cannot be routed as it is.
    """
    seeds = 3 if isinstance(scenario.routing, Ecmp) else 1
    demands = seeds * sum(len(phase.demands) for phase in scenario.schedule.phases)
    most = _MOST_LOADED if scenario.traffic.step is None else _MOST_OF_STEP
    if demands * (scenario.topology.n_links + _OVERHEAD) > most:
        return None
    return single_advice(scenario, known)
