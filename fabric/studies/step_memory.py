"""What a step's designs take of the memory, said before any of them is run."""

from collections.abc import Sequence

from fabric import memory
from fabric.builders.clos import LINK_BYTES
from fabric.jobs.span import span_of
from fabric.routing.layer import LAYER_BYTES
from fabric.scenario import Scenario
from traces.workload.step_operations import StepOperation

# Columns of a link of a fabric that is built; measured by tracemalloc.
_COLUMN_BYTES = 40.0
# Loads of a link while an operation is routed: those of the network, of NVLink, of both, in all, and two being added.
_LOAD_BYTES = 6 * 8.0
# A flow's ends and bytes, kept for the other designs; and twice again while they are put together.
_FLOW_BYTES = 3 * 16.0


def require_for_step(scenario: Scenario, operations: Sequence[StepOperation], n_wirings: int) -> None:
    """Refuse a step that would not fit the memory that is free.

    Parameters
    ----------
    scenario : Scenario
        The step on a fabric that is built.
    operations : sequence of StepOperation
    n_wirings : int
        Ways to wire the fabric that are studied; two where naive and each lever are.

    Raises
    ------
    InputError
        What it needs and what is free, in one line.
    """
    alone = _bytes(scenario, operations, 1)
    what = f"step on {scenario.placement.n_ranks:,} GPUs and {scenario.topology.n_links:,} links"
    if n_wirings > 1:
        what += ", naive and each lever too"
        instead = f"the step alone needs {memory.in_gb(alone)}"
        memory.require(what, _bytes(scenario, operations, n_wirings), instead)
    else:
        memory.require(what, alone)


def _bytes(scenario: Scenario, operations: Sequence[StepOperation], n_wirings: int) -> float:
    """At the peak, beside the fabric itself."""
    flows = 0
    for one in operations:
        span = span_of(one.groups, scenario.domain)
        # Rings and trees have a channel for each member of a domain.
        flows = max(flows, one.groups.n_members * max(span.fewest, 1))
    built = (n_wirings - 1) * (_COLUMN_BYTES + LAYER_BYTES) + LAYER_BYTES + _LOAD_BYTES
    while_building = LINK_BYTES if n_wirings > 1 else 0.0
    return scenario.topology.n_links * max(built, while_building) + flows * _FLOW_BYTES
