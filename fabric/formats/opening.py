"""A fabric from what the user typed: a preset's name, a description, a graph, or the dump of a real cluster."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from collectives.errors import InputError
from fabric.builders.clos import build
from fabric.builders.description import FabricDescription, Wiring, load_description
from fabric.builders.presets import load_preset, preset_names
from fabric.formats.infiniband.subnet import Subnet, SubnetFabric, hosts_and_rails, subnet_fabric
from fabric.topology import ENDPOINT, NVSWITCH, UNKNOWN, Cables, Nodes, Topology


@dataclass(frozen=True, eq=False)
class OpenedFabric:
    """A topology, and where it comes from.

    Attributes
    ----------
    source : str
        What the user typed.
    topology : Topology
    description : FabricDescription or None
        Of a fabric that railscope built.
    origin : SubnetFabric or None
        Of a fabric read from an InfiniBand dump.
    notes : tuple of str
        What had to be assumed or was inferred.
    """

    source: str
    topology: Topology
    description: FabricDescription | None = None
    origin: SubnetFabric | None = None
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.topology.name

    @property
    def assumptions(self) -> tuple[str, ...]:
        described = tuple(self.description.fabric.assumptions) if self.description else ()
        return (*described, *self.notes)

    def host_names(self) -> tuple[str, ...]:
        """Name of each endpoint's host, by endpoint: as the dump was read, or from the endpoints' names."""
        topology = self.topology
        if self.origin is not None:
            return tuple(self.origin.host_names[host] for host in topology.endpoint_host)
        names = {name: name for name in topology.endpoint_names}
        return tuple(host for host, _ in map(hosts_and_rails(names)[0].__getitem__, topology.endpoint_names))


def rail_wired(given: OpenedFabric) -> OpenedFabric:
    """A described fabric wired by rail; any other as it is."""
    if given.description is None or given.description.fabric.wiring == "rail":
        return given
    chosen = given.description.with_wiring("rail")
    return replace(given, topology=build(chosen), description=chosen)


def open_fabric(
    source: str, wiring: Wiring | None = None, host_pattern: str | None = None, nvlink_gbps: float | None = None
) -> OpenedFabric:
    """Load a preset or a file; the format of a file is told by what is in it.

    Parameters
    ----------
    source : str
        A preset's name, or a file: TOML description, node-link JSON, InfraGraph, ``ibnetdiscover``, ``iblinkinfo``,
        ``opensm-subnet.lst``, SimAI topology; plain or gzip.
    wiring : {"rail", "host"}, optional
        Wire a described fabric this way instead of the way that it says.
    host_pattern : str, optional
        For InfiniBand dumps: see `fabric.formats.infiniband.subnet.subnet_fabric`.
    nvlink_gbps : float, optional
        Join the endpoints of each host by an NVLink switch, so much per endpoint each way: dumps do not show NVLink.

    Raises
    ------
    InputError
        If there is no such preset or file, or its contents are refused.
    """
    given = _load(source, wiring, host_pattern)
    if nvlink_gbps is None:
        return given
    notes = (*given.notes, f"NVLink: {nvlink_gbps:g} Gb/s each way per endpoint, one non-blocking switch a host")
    topology = with_nvlink(given.topology, nvlink_gbps)
    return OpenedFabric(source, topology, None, given.origin, notes)


def _load(source: str, wiring: Wiring | None, host_pattern: str | None) -> OpenedFabric:
    if source in preset_names() or not Path(source).exists():
        return _described(source, load_preset(source), wiring, host_pattern)
    if Path(source).is_dir():
        raise InputError(f"{source}: is a folder; expected a file")
    if source.endswith(".toml"):
        return _described(source, load_description(source), wiring, host_pattern)
    from fabric.formats.sniff import format_of

    kind = format_of(source)
    if wiring is not None:
        raise InputError(f"{source}: wiring can be changed in a preset or a TOML description only")
    if kind in _SUBNET_READERS:
        origin = subnet_fabric(_SUBNET_READERS[kind](source), _stem(source), host_pattern)
        return OpenedFabric(source, origin.topology, None, origin, origin.notes)
    if host_pattern is not None:
        raise InputError(f"{source}: a host pattern goes with an InfiniBand dump")
    if kind in _GRAPH_READERS:
        topology, notes = _GRAPH_READERS[kind](source)
        return OpenedFabric(source, topology, notes=notes)
    raise InputError(f"{source}: {_NO_FABRIC[kind]}")


def _described(
    source: str, description: FabricDescription, wiring: Wiring | None, host_pattern: str | None
) -> OpenedFabric:
    if host_pattern is not None:
        raise InputError(f"{source}: a host pattern goes with an InfiniBand dump")
    chosen = description.with_wiring(wiring) if wiring else description
    return OpenedFabric(source, build(chosen), chosen)


def _stem(source: str) -> str:
    return Path(source).name.removesuffix(".gz").split(".")[0] or source


def _ibnetdiscover(source: str) -> Subnet:
    from fabric.formats.infiniband.ibnetdiscover import read_ibnetdiscover

    return read_ibnetdiscover(source)


def _port_list(source: str) -> Subnet:
    from fabric.formats.infiniband.ibnetdiscover import read_port_list

    return read_port_list(source)


def _iblinkinfo(source: str) -> Subnet:
    from fabric.formats.infiniband.iblinkinfo import read_iblinkinfo

    return read_iblinkinfo(source)


def _iblinkinfo_lines(source: str) -> Subnet:
    from fabric.formats.infiniband.iblinkinfo import read_iblinkinfo_lines

    return read_iblinkinfo_lines(source)


def _subnet_lst(source: str) -> Subnet:
    from fabric.formats.infiniband.subnet_lst import read_subnet_lst

    return read_subnet_lst(source)


def _node_link(source: str) -> tuple[Topology, tuple[str, ...]]:
    from fabric.formats.node_link import read_node_link

    return read_node_link(source), ()


def _infragraph(source: str) -> tuple[Topology, tuple[str, ...]]:
    from fabric.formats.infragraph import read_infragraph

    return read_infragraph(source)


def _simai(source: str) -> tuple[Topology, tuple[str, ...]]:
    from fabric.formats.simai import read_simai

    return read_simai(source), ()


_SUBNET_READERS: dict[str, Callable[[str], Subnet]] = {
    "ibnetdiscover": _ibnetdiscover,
    "ibnetdiscover-ports": _port_list,
    "iblinkinfo": _iblinkinfo,
    "iblinkinfo-lines": _iblinkinfo_lines,
    "subnet-lst": _subnet_lst,
}
_GRAPH_READERS: dict[str, Callable[[str], tuple[Topology, tuple[str, ...]]]] = {
    "json": _node_link,
    "infragraph": _infragraph,
    "simai": _simai,
}
_NO_FABRIC = {
    "toml": "a description's name ends in .toml",
    "lfts": "forwarding tables, which go with the dump of a fabric: --lfts",
}


def with_nvlink(topology: Topology, gbps: float) -> Topology:
    """The fabric with an NVLink switch joining the endpoints of each host that has several.

    Raises
    ------
    InputError
        If the fabric has NVLink switches or names no hosts, or `gbps` is not a number > 0.
    """
    if not 0 < gbps < float("inf"):
        raise InputError(f"NVLink: {gbps:g} Gb/s; expected a finite number > 0")
    if (topology.nodes.kind == NVSWITCH).any():
        raise InputError(f"{topology.name}: has NVLink switches already")
    host = topology.endpoint_host
    hosts, size = np.unique(host[host != UNKNOWN], return_counts=True)
    hosts = hosts[size > 1]
    if hosts.size == 0:
        raise InputError(f"{topology.name}: no host has several endpoints to join by NVLink")
    nodes, n = topology.nodes, topology.n_nodes
    chosen = np.flatnonzero(np.isin(host, hosts))
    switch = n + np.searchsorted(hosts, host[chosen])
    new = np.full(hosts.size, UNKNOWN, np.int32)
    unknown = np.full(n + hosts.size, UNKNOWN, np.int32)
    grown = Nodes(
        name=(*nodes.name, *(f"nvlink of host {int(number)}" for number in hosts)),
        kind=np.concatenate([nodes.kind, np.full(hosts.size, NVSWITCH, np.int8)]),
        tier=np.concatenate([nodes.tier, new]),
        host=np.concatenate([nodes.host, hosts.astype(np.int32)]),
        rail=np.concatenate([nodes.rail, new]),
        plane=np.concatenate([nodes.plane, new]),
        domain=unknown,
    )
    one = np.flatnonzero(np.arange(topology.n_links) < topology.link_reverse)
    none = np.full(chosen.size, UNKNOWN, np.int32)
    speed = np.full(chosen.size, gbps)
    capacity = topology.link_capacity_gbps
    cables = Cables(
        a=np.concatenate([topology.link_tail[one], topology.endpoints[chosen]]),
        b=np.concatenate([topology.link_head[one], switch.astype(np.int32)]),
        a_port=np.concatenate([topology.link_tail_port[one], none]),
        b_port=np.concatenate([topology.link_head_port[one], none]),
        ab_gbps=np.concatenate([capacity[one], speed]),
        ba_gbps=np.concatenate([capacity[topology.link_reverse[one]], speed]),
    )
    assert (grown.kind[topology.endpoints] == ENDPOINT).all()
    return Topology.from_cables(topology.name, grown, cables)
