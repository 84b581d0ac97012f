"""The same job on the same cables under several routings: the tables in force against what else could be."""

from dataclasses import dataclass

from collectives.schedule import Schedule
from fabric.jobs.placement import Placement
from fabric.routing.policies import Adaptive, DModK, Ecmp, Lft, Routing
from fabric.studies.analysis import Analysis, analyse
from fabric.topology import Topology


@dataclass(frozen=True, eq=False)
class RoutingOutcome:
    """What one routing gives.

    Attributes
    ----------
    name : str
        The policy, or the file of the tables.
    analysis : Analysis
    gain : float or None
        Time of the first routing over that of this one; None if this one takes none.
    """

    name: str
    analysis: Analysis
    gain: float | None


def compare_routings(
    topology: Topology,
    schedule: Schedule,
    placement: Placement,
    tables: tuple[Lft, ...],
    hashing: Ecmp,
    n_threads: int | None = None,
) -> tuple[RoutingOutcome, ...]:
    """Route with each of the tables, then D-mod-K, adaptive, and static hashing.

    Errors as for `fabric.routing.link_loads.link_loads`.
    """
    policies: list[tuple[str, Routing]] = [(table.source, table) for table in tables]
    policies += [(policy.name, policy) for policy in (DModK(), Adaptive(), hashing)]
    outcomes: list[RoutingOutcome] = []
    for name, policy in policies:
        analysis = analyse(topology, schedule, placement, policy, n_threads=n_threads)
        first = outcomes[0].analysis.time_s if outcomes else analysis.time_s
        outcomes.append(RoutingOutcome(name, analysis, first / analysis.time_s if analysis.time_s > 0 else None))
    return tuple(outcomes)
