"""Hosts as they are plugged in: what each calls its adapters, on which leaf each of their ports is, and its GUID."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from fabric.formats.infiniband.host_names import hosts_and_rails, natural
from fabric.formats.infiniband.subnet import SubnetFabric
from fabric.studies.health_findings import End, link_ends
from fabric.studies.health_names import skeleton
from fabric.topology import ENDPOINT, NIC, SWITCH, UNKNOWN, Topology

Plug = tuple[str, int]
"""What a host calls an adapter, or its rail, and the adapter's port."""


@dataclass(frozen=True, eq=False)
class PluggedHost:
    """A host, and of each plug in order the leaf, the link and the name of its adapter.

    Attributes
    ----------
    name : str
    plugs : tuple of Plug
    pattern : tuple of int
        Leaf of each plug, a node.
    links : tuple of int
        Link of each plug, from the adapter to the leaf.
    labels : tuple of str
        What the host calls the adapter of each plug, with the port where it has several: ``mlx5_0``.
    guids : tuple of int or None
        Of each plug's port; None where the fabric has none.
    bare : frozenset of str
        Adapters without a cable, as in `Plug`.
    """

    name: str
    plugs: tuple[Plug, ...]
    pattern: tuple[int, ...]
    links: tuple[int, ...]
    labels: tuple[str, ...]
    guids: tuple[int | None, ...]
    bare: frozenset[str]

    @cached_property
    def guid_order(self) -> tuple[int, ...]:
        """Plugs in the order of their GUIDs; empty where some have none."""
        values = [guid for guid in self.guids if guid is not None]
        return () if len(values) < len(self.guids) else tuple(sorted(range(len(values)), key=values.__getitem__))

    def ends(self, topology: Topology, places: "range | list[int]") -> tuple[End, ...]:
        """Ports of some plugs, each with that of its leaf behind it."""
        return tuple(end for place in places for end in link_ends(topology, self.links[place]))


def plugged_hosts(topology: Topology, origin: SubnetFabric | None = None) -> list[PluggedHost]:
    """The hosts of a fabric; endpoints of no known host are left out, and hosts that have two plugs of one name.

    Parameters
    ----------
    topology : Topology
    origin : SubnetFabric, optional
        Of a fabric that was read from a dump: names of hosts, GUIDs.
    """
    kind = topology.nodes.kind
    nic = np.flatnonzero(
        (topology.link_kind == NIC) & (kind[topology.link_tail] == ENDPOINT) & (kind[topology.link_head] == SWITCH)
    )
    links: dict[int, list[int]] = {}
    for link, tail in zip(nic.tolist(), topology.link_tail[nic].tolist(), strict=True):
        links.setdefault(tail, []).append(link)
    head, ports, rails = topology.link_head.tolist(), topology.link_tail_port.tolist(), topology.endpoint_rail.tolist()
    nodes, guids = topology.endpoints.tolist(), _port_guids(origin)
    order = lru_cache(maxsize=None)(natural)
    hosts: list[tuple[str, list[_Row], frozenset[str]]] = []
    for name, endpoints in _hosts(topology, origin):
        own = [_label(topology.endpoint_names[endpoint], name) for endpoint in endpoints]
        rail = [rails[endpoint] for endpoint in endpoints]
        # Where nobody read rails from names, they are what the fabric's description says.
        by_rail = origin is None and UNKNOWN not in rail and len(set(rail)) == len(rail)
        called = [f"{number:06d}" for number in rail] if by_rail else own
        rows = []
        for which, endpoint in enumerate(endpoints):
            there = links.get(nodes[endpoint], [])
            for place, link in enumerate(there):
                port = ports[link] if ports[link] != UNKNOWN else place
                port_name = topology.port_names.get((topology.nodes.name[nodes[endpoint]], ports[link]), "")
                said = topology.port_name(nodes[endpoint], ports[link]) or place
                label = f"{own[which]} port {said}" if len(there) > 1 else own[which]
                rows.append(
                    _Row(called[which], port, port_name, link, label, guids.get((nodes[endpoint], ports[link])))
                )
        bare = frozenset(word for word, one in zip(called, endpoints, strict=True) if nodes[one] not in links)
        hosts.append((name, rows, bare))
    number = _numbers_of_names(hosts) if topology.port_names else {}
    found = []
    for name, rows, bare in hosts:
        alike = skeleton(name) if number else ""
        plugged = [(row.called, number.get((alike, row.called, row.port_name), row.port)) for row in rows]
        in_order = sorted(range(len(rows)), key=lambda place: (order(plugged[place][0]), plugged[place][1]))
        plugs = tuple(plugged[place] for place in in_order)
        if len(set(plugs)) < len(plugs):
            continue
        rows = [rows[place] for place in in_order]
        found.append(
            PluggedHost(
                name,
                plugs,
                tuple(head[row.link] for row in rows),
                tuple(row.link for row in rows),
                tuple(row.label for row in rows),
                tuple(row.guid for row in rows),
                bare,
            )
        )
    return found


@dataclass(frozen=True)
class _Row:
    """A plug while hosts are read: `port_name` is empty where its port has a number only."""

    called: str
    port: int
    port_name: str
    link: int
    label: str
    guid: int | None


def _numbers_of_names(hosts: Sequence[tuple[str, Sequence[_Row], object]]) -> dict[tuple[str, str, str], int]:
    """Numbers of the named ports of an adapter that has several, the same on all hosts that are named alike.

    A host that lacks the first port has the second one all the same.  Where hosts call their ports by more names than
    one has ports there are none.
    """
    names: dict[tuple[str, str], set[str]] = {}
    most: dict[tuple[str, str], int] = {}
    for name, rows, _ in hosts:
        own: dict[tuple[str, str], list[str]] = {}
        kind = skeleton(name)
        for row in rows:
            own.setdefault((kind, row.called), []).append(row.port_name)
        for key, ports in own.items():
            names.setdefault(key, set()).update(ports)
            most[key] = max(most.get(key, 0), len(ports))
    return {
        (*key, port): number
        for key, ports in names.items()
        if len(ports) == most[key] > 1 and "" not in ports
        for number, port in enumerate(sorted(ports, key=natural), 1)
    }


def _hosts(topology: Topology, origin: SubnetFabric | None) -> list[tuple[str, list[int]]]:
    """Name and endpoints of each host."""
    members: dict[int, list[int]] = {}
    for endpoint, host in enumerate(topology.endpoint_host.tolist()):
        if host != UNKNOWN:
            members.setdefault(host, []).append(endpoint)
    if origin is not None:
        return [(origin.host_names[host], endpoints) for host, endpoints in members.items()]
    first = {topology.endpoint_names[endpoints[0]] for endpoints in members.values()}
    read = hosts_and_rails({name: name for name in first}).where
    return [(read[topology.endpoint_names[endpoints[0]]][0], endpoints) for endpoints in members.values()]


def _label(name: str, host: str) -> str:
    rest = name[len(host) :].strip(" /_-") if name.startswith(host) else ""
    return rest or name


def _port_guids(origin: SubnetFabric | None) -> dict[tuple[int, int], int]:
    if origin is None:
        return {}
    return {
        (origin.node_of_guid[guid], port): guid
        for node in origin.subnet.nodes.values()
        for port, guid in node.port_guid.items()
        if guid in origin.node_of_guid
    }
