"""Ports of switches that no cable is in, where a fabric's description or dump tells how many there are."""

from dataclasses import dataclass

import numpy as np

from fabric.builders.clos import build
from fabric.builders.description import FabricDescription
from fabric.formats.opening import OpenedFabric
from fabric.topology import SWITCH, UNKNOWN, Topology


@dataclass(frozen=True)
class FreePort:
    """A port without a cable.

    Attributes
    ----------
    number : int
        `UNKNOWN` where ports have names only.
    name : str
        As a person finds it.
    """

    number: int
    name: str


def free_ports(fabric: OpenedFabric) -> dict[int, tuple[FreePort, ...]] | None:
    """Free ports by switch, in their order; None where nothing says which ports the switches have.

    A description says its switches' ports; InfiniBand dumps say how many a switch has, or show at least those up to the
    last one in use; SONiC's ``config_db.json`` lists them.  A port whose cable is down is not free.

    Parameters
    ----------
    fabric : OpenedFabric
    """
    if fabric.description is not None:
        return _described(fabric.description)
    if fabric.origin is not None:
        return {
            node: tuple(FreePort(port, f"port {port}") for port in ports)
            for node, ports in fabric.origin.free_ports.items()
        }
    if fabric.cabled is not None and fabric.cabled.cabling.ports:
        return _named(fabric.topology, fabric)
    return None


def _described(description: FabricDescription) -> dict[int, tuple[FreePort, ...]]:
    topology = build(description)
    radix = {1: description.leaf.radix, 2: description.spine.radix}
    if description.core is not None:
        radix[3] = description.core.radix
    found = {}
    for node in np.flatnonzero(topology.nodes.kind == SWITCH).tolist():
        used = set(topology.link_tail_port[topology.out_start[node] : topology.out_start[node + 1]].tolist())
        ports = range(1, radix[int(topology.nodes.tier[node])] + 1)
        found[node] = tuple(FreePort(port, f"port {port}") for port in ports if port not in used)
    return found


def _named(topology: Topology, fabric: OpenedFabric) -> dict[int, tuple[FreePort, ...]]:
    assert fabric.cabled is not None
    found = {}
    for node in np.flatnonzero(topology.nodes.kind == SWITCH).tolist():
        names = fabric.cabled.cabling.free_ports(topology.nodes.name[node])
        if names is not None:
            found[node] = tuple(FreePort(UNKNOWN, f"port {name}") for name in names)
    return found
