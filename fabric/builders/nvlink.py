"""Scale-up links put into a fabric that was read from a dump, which does not show them."""

from dataclasses import replace

import numpy as np

from collectives.demand import FloatVector, Int32Vector, Int64Vector
from collectives.errors import InputError
from fabric.topology import ENDPOINT, NVSWITCH, UNKNOWN, Cables, Nodes, Topology


def with_nvlink(topology: Topology, gbps: float) -> Topology:
    """The fabric with an NVLink switch joining the endpoints of each host that has several.

    Raises
    ------
    InputError
        If the fabric has scale-up domains or names no hosts, or `gbps` is not a number > 0.
    """
    hosts, chosen = _joined(topology, gbps)
    nodes, n = topology.nodes, topology.n_nodes
    switch = n + np.searchsorted(hosts, topology.endpoint_host[chosen])
    new = np.full(hosts.size, UNKNOWN, np.int32)
    grown = Nodes(
        name=(*nodes.name, *(f"nvlink of host {int(number)}" for number in hosts)),
        kind=np.concatenate([nodes.kind, np.full(hosts.size, NVSWITCH, np.int8)]),
        tier=np.concatenate([nodes.tier, new]),
        host=np.concatenate([nodes.host, hosts.astype(np.int32)]),
        rail=np.concatenate([nodes.rail, new]),
        plane=np.concatenate([nodes.plane, new]),
        domain=np.full(n + hosts.size, UNKNOWN, np.int32),
        guid=np.concatenate([nodes.guid, np.zeros(hosts.size, np.uint64)]),
        lid=np.concatenate([nodes.lid, np.zeros(hosts.size, np.int32)]),
    )
    return _with_cables(topology, grown, topology.endpoints[chosen], switch, np.full(chosen.size, gbps))


def with_mesh(topology: Topology, gbps: float) -> Topology:
    """The fabric with a direct link between every two endpoints of each host, `gbps` for all links of an endpoint.

    Raises
    ------
    InputError
        As for `with_nvlink`.
    """
    hosts, chosen = _joined(topology, gbps)
    nodes = topology.nodes
    number = np.searchsorted(hosts, topology.endpoint_host[chosen])
    chosen = chosen[np.argsort(number, kind="stable")]
    number = np.sort(number)
    domain = np.full(topology.n_nodes, UNKNOWN, np.int32)
    domain[topology.endpoints[chosen]] = number
    # Each with all that follow in its host.
    stop = np.searchsorted(number, number, side="right")
    following = stop - np.arange(chosen.size) - 1
    one = np.repeat(np.arange(chosen.size), following)
    other = one + 1 + np.arange(one.size) - np.repeat(np.cumsum(following) - following, following)
    links = np.bincount(number)[number] - 1
    ends = topology.endpoints[chosen]
    grown = replace(nodes, domain=domain)
    return _with_cables(topology, grown, ends[one], ends[other], gbps / links[one])


def _joined(topology: Topology, gbps: float) -> tuple[Int32Vector, Int64Vector]:
    """Hosts of several endpoints, and their endpoints."""
    if not 0 < gbps < float("inf"):
        raise InputError(f"NVLink: {gbps:g} Gb/s; expected a finite number > 0")
    if topology.n_domains:
        raise InputError(f"{topology.name}: has scale-up domains already")
    host = topology.endpoint_host
    hosts, size = np.unique(host[host != UNKNOWN], return_counts=True)
    hosts = hosts[size > 1]
    if hosts.size == 0:
        raise InputError(f"{topology.name}: no host has several endpoints to join by NVLink")
    return hosts, np.flatnonzero(np.isin(host, hosts))


def _with_cables(
    topology: Topology, nodes: Nodes, a: Int32Vector, b: Int32Vector | Int64Vector, gbps: FloatVector
) -> Topology:
    """The fabric with more nodes, or domains, and more cables, so fast each way."""
    one = np.flatnonzero(np.arange(topology.n_links) < topology.link_reverse)
    none = np.full(a.size, UNKNOWN, np.int32)
    capacity = topology.link_capacity_gbps
    cables = Cables(
        a=np.concatenate([topology.link_tail[one], a]),
        b=np.concatenate([topology.link_head[one], b.astype(np.int32)]),
        a_port=np.concatenate([topology.link_tail_port[one], none]),
        b_port=np.concatenate([topology.link_head_port[one], none]),
        ab_gbps=np.concatenate([capacity[one], gbps]),
        ba_gbps=np.concatenate([capacity[topology.link_reverse[one]], gbps]),
    )
    assert (nodes.kind[topology.endpoints] == ENDPOINT).all()
    return Topology.from_cables(topology.name, nodes, cables, topology.port_names)
