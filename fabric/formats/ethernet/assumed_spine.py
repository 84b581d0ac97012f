"""Leaves that no cable joins: what hosts alone say of a fabric shows them, and nothing above.

Rails, leaves, and who is on which are known then.  What crosses leaves is not: on request a spine is assumed above
them, one for each plane, that never blocks and to which each leaf has one cable.  What leaves must carry upwards is
right then, if hosts split it evenly; collisions, faults and cables of real spines are not there.
"""

from collections.abc import Mapping

import numpy as np

from collectives.demand import Int64Vector
from collectives.errors import InputError
from collectives.sizes import counted
from fabric.formats.dump import Oddities
from fabric.formats.ethernet.cabling import FABRIC_SWITCH, HOST, Cabling
from fabric.formats.infiniband.host_names import natural
from fabric.topology import ISL, NIC, SWITCH, UNKNOWN, Cables, Nodes, Topology

NO_SPINE = "no spine"
"""Kind of the oddity."""

_FEWEST = 2
# Down over up of a leaf: more than any that is built on purpose, and less.  Assumed.
_LEAST, _MOST = 0.01, 1000.0


def _leaves(topology: Topology) -> Int64Vector:
    """Switches, if there are several and no cable joins two; else none."""
    switches = np.flatnonzero(topology.nodes.kind == SWITCH).astype(np.int64)
    return switches if switches.size > 1 and not (topology.link_kind == ISL).any() else switches[:0]


def note_apart(cabling: Cabling, kinds: Mapping[str, str], odd: Oddities) -> None:
    """Count leaves that no cable joins as odd, where the source does not show what does.

    A switch that tells, and sees no other one, has none.  Of a plan nothing is known where it has no cable between
    switches at all.

    Parameters
    ----------
    cabling : Cabling
    kinds : mapping of str to str
        `HOST` or `FABRIC_SWITCH` of each device.
    odd : Oddities
    """
    joined: set[str] = set()
    hosts: dict[str, set[str]] = {}
    for cable in cabling.cables:
        if kinds[cable.device] == kinds[cable.peer] == FABRIC_SWITCH:
            joined |= {cable.device, cable.peer}
        for one, other in ((cable.device, cable.peer), (cable.peer, cable.device)):
            if kinds[one] == FABRIC_SWITCH and kinds[other] == HOST:
                hosts.setdefault(one, set()).add(other)
    alone = [device for device in hosts if device not in joined | (cabling.telling or set())]
    if len(joined | set(hosts)) < _FEWEST or (cabling.telling is None and joined):
        return
    whose = "plan has" if cabling.telling is None else "hosts see"
    what = "what is above them, and which are of one plane or of storage, is not known"
    for name in sorted(alone, key=natural):
        text = f"leaves are joined by no cable that the {whose}: {what}"
        odd.add(NO_SPINE, text, f"{name}, with {counted(len(hosts[name]), 'host')}", ((name, None),))


def assumed_spines(topology: Topology, ratio: float, source: str) -> tuple[Topology, str]:
    """The topology with a spine above the leaves of each plane, and what to say of it.

    Parameters
    ----------
    topology : Topology
    ratio : float
        Capacity of a leaf's cables to hosts over that of its one cable up; 1: as much up as down.
    source : str

    Raises
    ------
    InputError
        If cables join switches, or there is a single one; if the ratio is none.
    """
    if not _LEAST <= ratio <= _MOST:
        raise InputError(
            f"{source}: assumed spine {ratio:g}: expected down over up, {_LEAST:g} to {_MOST:g}, such as 1"
        )
    leaves = _leaves(topology)
    if not leaves.size:
        what = "cables between switches are in the file" if (topology.link_kind == ISL).any() else "a single switch"
        raise InputError(f"{source}: {what}; expected no assumed spine (--assume-spine)")
    nodes = topology.nodes
    planes = np.unique(nodes.plane[leaves])
    names = ["assumed spine" if planes.size == 1 else f"assumed spine of plane {plane}" for plane in planes.tolist()]
    down = np.bincount(
        topology.link_tail, np.where(topology.link_kind == NIC, topology.link_capacity_gbps, 0.0), topology.n_nodes
    )
    n, more = topology.n_nodes, planes.size
    unknown = np.full(more, UNKNOWN, np.int32)
    grown = Nodes(
        (*nodes.name, *names),
        np.append(nodes.kind, np.full(more, SWITCH, np.int8)),
        np.append(nodes.tier, np.full(more, 2, np.int32)),
        np.append(nodes.host, unknown),
        np.append(nodes.rail, unknown),
        np.append(nodes.plane, planes.astype(np.int32)),
        np.append(nodes.domain, unknown),
    )
    cable = np.flatnonzero(np.arange(topology.n_links) < topology.link_reverse)
    up = down[leaves] / ratio
    ports = np.full(leaves.size, UNKNOWN, np.int32)
    cables = Cables(
        a=np.append(topology.link_tail[cable], leaves.astype(np.int32)),
        b=np.append(topology.link_head[cable], (n + np.searchsorted(planes, nodes.plane[leaves])).astype(np.int32)),
        a_port=np.append(topology.link_tail_port[cable], ports),
        b_port=np.append(topology.link_head_port[cable], ports),
        ab_gbps=np.append(topology.link_capacity_gbps[cable], up),
        ba_gbps=np.append(topology.link_capacity_gbps[topology.link_reverse[cable]], up),
    )
    made = Topology.from_cables(topology.name, grown, cables, topology.port_names)
    spines, below = counted(more, "spine"), counted(leaves.size, "leaf", "leaves")
    note = (
        f"no cable between switches is known: {spines} assumed above {below} (--assume-spine {ratio:g}), one cable to "
        f"each, down over up {ratio:g}; loads of it are means: nothing is known of its cables, hashes and faults"
    )
    return made, note
