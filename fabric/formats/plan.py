"""A cabling plan: what cables there should be; and the cables that a fabric has, in the same terms."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fabric.builders.presets import preset_names
from fabric.formats.ethernet.cable_csv import read_cable_csv
from fabric.formats.ethernet.cabling import Cabling, NamedCable
from fabric.formats.ethernet.config_db import read_config_db
from fabric.formats.ethernet.dot import read_dot
from fabric.formats.ethernet.ethernet_fabric import EthernetFabric
from fabric.formats.ethernet.lldpctl import read_lldpctl
from fabric.formats.ethernet.netq import read_netq
from fabric.formats.infiniband.host_names import clean_name
from fabric.formats.opening import OpenedFabric, open_fabric
from fabric.formats.registry import format_of
from fabric.topology import ENDPOINT, NVLINK, Topology
from traces.files import exists

# Formats whose cables are a plan as they stand: no host need be among them, no network is left out.
_CABLINGS: dict[str, Callable[[str], Cabling]] = {
    "topology-dot": read_dot,
    "cable-csv": read_cable_csv,
    "netq": read_netq,
    "lldpctl": read_lldpctl,
    "config-db": read_config_db,
}


@dataclass(frozen=True, eq=False)
class Plan:
    """What cables there should be.

    Attributes
    ----------
    source : str
    cables : tuple of NamedCable
        Device, port, device, port, speed or None, and file and line of each; a cable that is listed twice, once.
    notes : tuple of str
        What was left out or assumed.
    """

    source: str
    cables: tuple[NamedCable, ...]
    notes: tuple[str, ...] = ()


def read_plan(path: str | Path) -> Plan:
    """Read a plan: ``topology.dot``, CSV of cables (UFM's NDT, sonic-mgmt, NetBox), or any other fabric.

    A TOML description or a preset is built, and its cables are the plan; so are those of a dump of another day.

    Raises
    ------
    InputError
        As for `open_fabric`; names file and line, and what was expected.
    """
    source = str(path)
    if exists(source) and source not in preset_names():
        read = _CABLINGS.get(format_of(source).name)
        if read is not None:
            cabling = read(source)
            return Plan(source, cabling.cables, (*cabling.notes, *(odd.note() for odd in cabling.oddities)))
    return Plan(source, cables_of(open_fabric(source)))


def cables_of(given: OpenedFabric) -> tuple[NamedCable, ...]:
    """The cables that a fabric has, NVLink's left out: as its file names them, else by nodes and ports of the topology.

    Parameters
    ----------
    given : OpenedFabric
        Of an Ethernet fabric all cables are taken, those of networks that the topology leaves out too; none that is
        down, and those that are slow with the speed that is left.
    """
    if given.cabled is None:
        return _of_topology(given.topology, given.source)
    return tuple(_left(given.cabled, given.topology)) if given.faults else given.cabled.cabling.cables


def _left(cabled: EthernetFabric, damaged: Topology) -> Iterator[NamedCable]:
    """The cables of a file that a damaged topology still has, and those that are none of the topology's."""
    before, now = (_gbps_by_ends(topology, cabled.host_names) for topology in (cabled.topology, damaged))
    for cable in cabled.cabling.cables:
        one, other = ((clean_name(device), port) for device, port in cable.ends())
        ends = frozenset([one, other])
        if not before.get(ends):
            yield cable
        elif now.get(ends):
            was, left = before[ends].pop(), now[ends].pop()
            yield cable if left == was else replace(cable, gbps=left)
        # Of parallel cables whose ports nobody names the last ones are down.


def _gbps_by_ends(topology: Topology, host_names: tuple[str, ...]) -> dict[frozenset[tuple[str, str]], list[float]]:
    """Gb/s of the cables between two ends, each a device and a port, by the names of the file."""
    nodes, gbps, reverse = topology.nodes, topology.link_capacity_gbps, topology.link_reverse
    found: dict[frozenset[tuple[str, str]], list[float]] = {}

    def end(node: int, port: int) -> tuple[str, str]:
        host = nodes.kind[node] == ENDPOINT
        device = host_names[nodes.host[node]] if host else nodes.name[node]
        return clean_name(device), topology.port_name(node, port)

    for link in np.flatnonzero(np.arange(topology.n_links) < reverse).tolist():
        tail = end(int(topology.link_tail[link]), int(topology.link_tail_port[link]))
        head = end(int(topology.link_head[link]), int(topology.link_head_port[link]))
        found.setdefault(frozenset([tail, head]), []).append(float(min(gbps[link], gbps[reverse[link]])))
    return found


def _of_topology(topology: Topology, source: str) -> tuple[NamedCable, ...]:
    name, reverse, gbps = topology.nodes.name, topology.link_reverse, topology.link_capacity_gbps
    links = np.flatnonzero((np.arange(topology.n_links) < reverse) & (topology.link_kind != NVLINK))
    tail, head = topology.link_tail.tolist(), topology.link_head.tolist()
    tail_port, head_port = topology.link_tail_port.tolist(), topology.link_head_port.tolist()
    return tuple(
        NamedCable(
            name[tail[link]],
            topology.port_name(tail[link], tail_port[link]),
            name[head[link]],
            topology.port_name(head[link], head_port[link]),
            float(min(gbps[link], gbps[reverse[link]])),
            source,
        )
        for link in links.tolist()
    )
