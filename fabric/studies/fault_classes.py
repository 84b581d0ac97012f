"""Failures that a symmetry of fabric and traffic carries into one another: one of them is run for all."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from collectives.demand import AllToAll, Groups
from collectives.nic_pool import NicPools
from collectives.schedule import Phase, Schedule
from fabric.jobs.placement import Placement
from fabric.routing.policies import Adaptive
from fabric.scenario import Scenario
from fabric.studies.breakable import Broken
from fabric.studies.symmetry import Symmetry, symmetry_of_jobs
from fabric.topology import Topology

Members = Callable[[int | None], Iterator[tuple[int, int | None]]]


@dataclass(frozen=True, eq=False)
class Alike:
    """Failures that come to the same.

    Attributes
    ----------
    first : int
        The one that is run, by its place in the list of all.
    n : int
        How many they are.
    members : callable
        Of a link the place of each failure, and the link that stands to it as the given one stands to the first.
    """

    first: int
    n: int
    members: Members


def symmetry_of_scenario(scenario: Scenario) -> Symmetry | None:
    """What is alike to a scenario's job; None where its routing does not split alike wherever the fabric is alike."""
    if not isinstance(scenario.routing, Adaptive):
        return None
    jobs: list[tuple[Placement, Schedule | None]] = [(scenario.placement, scenario.schedule)]
    if scenario.pools is not None:
        # Bytes that are shared out keep their rails: so must a symmetry.
        jobs.append((scenario.placement, _rails(scenario.pools)))
    return symmetry_of_jobs(scenario.topology, jobs)


def _rails(pools: NicPools) -> Schedule:
    """An exchange among the ranks of each lane, which is one to itself under symmetries that keep lanes alone."""
    lanes = [lane[lane >= 0] for lane in pools.owner.T]
    groups = Groups.of([lane.tolist() for lane in lanes if lane.size])
    ones = np.ones(groups.n_members)
    return Schedule((Phase(AllToAll(groups, ones, ones)),))


def alike_classes(topology: Topology, symmetry: Symmetry | None, things: Sequence[Broken]) -> list[Alike]:
    """Failures in classes, by the first of each; without a symmetry each alone, as planes are, which are few."""
    alone = [place for place, one in enumerate(things) if symmetry is None or one.kind == "plane"]
    made = {place: _alone(place) for place in alone}
    if symmetry is not None:
        made |= _by_symmetry(topology, symmetry, things)
    return [made[place] for place in sorted(made)]


def _alone(place: int) -> Alike:
    return Alike(place, 1, lambda worst: iter([(place, worst)]))


def _by_symmetry(topology: Topology, symmetry: Symmetry, things: Sequence[Broken]) -> dict[int, Alike]:
    found: dict[tuple[str, int], list[int]] = {}
    for place, one in enumerate(things):
        if one.kind != "plane":
            cable = one.kind in ("cable", "nic")
            own = int((symmetry.cable_class if cable else symmetry.node_class)[one.part])
            found.setdefault((one.kind, own), []).append(place)

    def members(kind: str, places: list[int]) -> Members:
        number = {part_of(topology, things[place]): place for place in places}

        def walk(worst: int | None) -> Iterator[tuple[int, int | None]]:
            first, carried = things[places[0]], () if worst is None else (worst,)
            walked = symmetry.walk_cables if kind in ("cable", "nic") else symmetry.walk_nodes
            left = dict.fromkeys(places)
            for part, others in walked(first.part, carried):
                place = number.get(part_of(topology, replace(first, part=part)))
                if place in left:
                    del left[place]
                    yield place, next(iter(others), None)

        return walk

    return {places[0]: Alike(places[0], len(places), members(kind, places)) for (kind, _), places in found.items()}


def part_of(topology: Topology, one: Broken) -> int:
    """What tells failures of a kind apart: a cable, whichever way it is named; a host, whichever endpoint it has."""
    if one.kind in ("cable", "nic"):
        return min(one.part, int(topology.link_reverse[one.part]))
    return int(topology.nodes.host[one.part]) if one.kind == "host" else one.part
