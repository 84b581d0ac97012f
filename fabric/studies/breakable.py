"""What of a fabric may break and matters to a job: cables, NICs, switches, hosts, planes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from collectives.errors import InputError
from collectives.suggestion import hint
from fabric.builders.faults import Fault, nic_cables
from fabric.scenario import Scenario
from fabric.topology import ISL, NVLINK, SWITCH, UNKNOWN

KINDS = ("cable", "nic", "leaf", "spine", "core", "host", "plane")
"""Kinds of what may break: cables between switches, cables of endpoints, switches by tier, hosts, planes."""

STRAGGLER = 0.5
"""Part of its NICs' speed that a slow host has: assumed; a host that is down stops its job."""

_TIERS = {"leaf": 1, "spine": 2, "core": 3}


@dataclass(frozen=True)
class Broken:
    """Something that may break.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    fault : Fault
        As ``--fail`` or ``--degrade`` takes it.
    part : int
        The link of a cable, the node of a switch, an endpoint's node of a host, the number of a plane.
    """

    kind: str
    fault: Fault
    part: int

    @property
    def option(self) -> str:
        """``--fail 'spine:s03'``."""
        if self.fault.capacity:
            return f"--degrade {_in_quotes(f'{self.fault}={self.fault.capacity:g}')}"
        return f"--fail {_in_quotes(str(self.fault))}"


def _in_quotes(text: str) -> str:
    """One word to a shell, whatever letters it has."""
    inside = text.replace("'", "'\\''")
    return f"'{inside}'"


def breakable(scenario: Scenario, kinds: Iterable[str]) -> list[Broken]:
    """Everything of some kinds that may break and matters to the job.

    Raises
    ------
    InputError
        A kind that does not exist, or that the fabric has none of.
    """
    found: list[Broken] = []
    for kind in dict.fromkeys(kinds):
        if kind not in KINDS:
            raise InputError(f"kind {kind!r}: {hint(kind, KINDS)}")
        own = of_kind(scenario, kind)
        if not own:
            raise InputError(f"kind {kind}: {scenario.fabric.name} has none; expected others of {', '.join(KINDS)}")
        found += own
    return found


def drawn_failures(scenario: Scenario, kinds: Sequence[str], count: int, seed: int) -> tuple[Broken, ...]:
    """`count` failures of some kinds, drawn by chance: those of a larger count with the same seed hold these.

    Raises
    ------
    InputError
        A kind that cannot be, or more failures than there are things that may break.
    """
    things = breakable(scenario, kinds)
    if not 0 <= count <= len(things):
        raise InputError(f"count {count}: expected 0 to {len(things):,} of {', '.join(kinds)}")
    # A seed's first failures stay its first ones, so that more of them are never other ones.
    order = np.random.Generator(np.random.PCG64([seed, 2])).permutation(len(things))
    return tuple(things[int(place)] for place in np.sort(order[:count]))


def of_kind(scenario: Scenario, kind: str) -> list[Broken]:
    """Everything of one kind; empty where there is nothing."""
    topology = scenario.topology
    nodes = topology.nodes
    # What has no cable left is broken already.
    cabled = np.bincount(topology.link_tail[topology.link_kind != NVLINK], minlength=topology.n_nodes) > 0
    used = np.zeros(topology.n_endpoints, bool)
    used[scenario.placement.endpoint] = True
    if kind == "cable":
        links = np.flatnonzero((topology.link_kind == ISL) & (np.arange(topology.n_links) < topology.link_reverse))
        return [Broken(kind, Fault("link", topology.link_name(link)), link) for link in links.tolist()]
    if kind == "nic":
        number = np.full(topology.n_nodes, UNKNOWN)
        number[topology.endpoints] = np.arange(topology.n_endpoints)
        links = nic_cables(topology)
        links = links[used[number[topology.link_tail[links]]]]
        return [Broken(kind, Fault("link", topology.link_name(link)), link) for link in links.tolist()]
    if kind == "host":
        names = scenario.fabric.host_names()
        own: dict[int | str, int] = {}
        for one in np.flatnonzero(used & cabled[topology.endpoints]).tolist():
            host = int(topology.endpoint_host[one])
            own.setdefault(names[one] if host == UNKNOWN else host, one)
        return [Broken(kind, Fault(kind, names[one], STRAGGLER), int(topology.endpoints[one])) for one in own.values()]
    if kind == "plane":
        planes = np.unique(nodes.plane[(nodes.kind == SWITCH) & (nodes.plane != UNKNOWN) & cabled])
        return [Broken(kind, Fault("plane", str(one)), one) for one in planes.tolist()] if planes.size > 1 else []
    chosen = np.flatnonzero((nodes.kind == SWITCH) & (nodes.tier == _TIERS[kind]) & cabled)
    return [Broken(kind, Fault(kind, nodes.name[node]), node) for node in chosen.tolist()]
