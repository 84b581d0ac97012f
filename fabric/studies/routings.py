"""The same job on the same cables under several routings: the tables in force against what else could be."""

from collections.abc import Sequence
from dataclasses import dataclass

from fabric.routing.policies import Adaptive, DModK, Ecmp, Lft, Routing
from fabric.scenario import Scenario
from fabric.studies.analysis import Analysis, analyse


@dataclass(frozen=True, eq=False)
class RoutingOutcome:
    """What one routing gives.

    Attributes
    ----------
    name : str
        The policy, or the file of the forwarding tables.
    analysis : Analysis
    gain : float or None
        Time of the first routing over that of this one; None if this one takes none.
    """

    name: str
    analysis: Analysis
    gain: float | None


def usual_routings(lfts: Sequence[Lft] = (), hashing: Ecmp | None = None) -> tuple[Routing, ...]:
    """Each of the forwarding tables, then D-mod-K, adaptive, and static hashing."""
    return (*lfts, DModK(), Adaptive(), hashing or Ecmp())


def compare_routings(scenario: Scenario, routings: Sequence[Routing] | None = None) -> tuple[RoutingOutcome, ...]:
    """Route a scenario in several ways, in their order.

    Parameters
    ----------
    scenario : Scenario
    routings : sequence of Routing, optional
        Default `usual_routings`, without forwarding tables.

    Raises
    ------
    InputError
        As for `fabric.routing.link_loads.link_loads`.
    """
    outcomes: list[RoutingOutcome] = []
    for routing in usual_routings() if routings is None else routings:
        analysis = analyse(scenario.routed(routing))
        first = outcomes[0].analysis.time_s if outcomes else analysis.time_s
        gain = first / analysis.time_s if analysis.time_s > 0 else None
        outcomes.append(RoutingOutcome(routing.source if isinstance(routing, Lft) else routing.name, analysis, gain))
    return tuple(outcomes)
