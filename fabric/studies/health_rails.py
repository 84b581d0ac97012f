"""Units of hosts of which an adapter is on another network than on most units, where rails or planes are apart.

Leaves that share spines are one network; where those of a rail do, and no others, the same adapter of every host is on
the same network, as most units show.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collectives.demand import Int64Vector
from fabric.studies.health_names import skeleton
from fabric.studies.health_plugs import Plug, PluggedHost
from fabric.topology import ISL, Topology, joined_by

# As many units, and this part of them, show on which network an adapter is.  Assumed.
_FEWEST, _USUAL = 3, 0.75


@dataclass(frozen=True, eq=False)
class UnitAcross:
    """A unit with plugs on networks of others.

    Attributes
    ----------
    hosts : tuple of PluggedHost
    places : tuple of int
        Of the plugs.
    whose : tuple of int
        The plug that is on that network on most units; -1 where there is none.
    """

    hosts: tuple[PluggedHost, ...]
    places: tuple[int, ...]
    whose: tuple[int, ...]


def units_across(topology: Topology, unit_of: Sequence[tuple[PluggedHost, int]]) -> list[UnitAcross]:
    """Units of which plugs are on another network than those of the same name on most units."""
    network = _networks(topology)
    kinds: dict[tuple[str, tuple[Plug, ...]], dict[int, list[PluggedHost]]] = {}
    for host, unit in unit_of:
        kinds.setdefault((skeleton(host.name), host.plugs), {}).setdefault(unit, []).append(host)
    found = []
    for (_, plugs), units in kinds.items():
        of_unit = {
            unit: network[list(Counter(host.pattern for host in hosts).most_common(1)[0][0])].tolist()
            for unit, hosts in units.items()
        }
        if len(units) < _FEWEST or len({one for own in of_unit.values() for one in own}) < 2:
            continue
        usual = []
        for place in range(len(plugs)):
            most, times = Counter(own[place] for own in of_unit.values()).most_common(1)[0]
            usual.append(most if times >= _USUAL * len(units) else None)
        for unit, own in of_unit.items():
            places = tuple(place for place, most in enumerate(usual) if most is not None and own[place] != most)
            # Of rails that share a network none is that of the other.
            if places and usual.count(usual[places[0]]) == 1:
                whose = tuple(usual.index(own[place]) if own[place] in usual else -1 for place in places)
                found.append(UnitAcross(tuple(units[unit]), places, whose))
    return found


def _networks(topology: Topology) -> Int64Vector:
    """Of each leaf: the smallest node that cables to the tier above it join it with."""
    tier, tail, head = topology.nodes.tier, topology.link_tail, topology.link_head
    isl = np.flatnonzero((topology.link_kind == ISL) & (np.minimum(tier[tail], tier[head]) == 1))
    return joined_by(topology.n_nodes, tail[isl], head[isl])
