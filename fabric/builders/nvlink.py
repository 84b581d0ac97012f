"""NVLink put into a fabric that was read from a dump, which does not show it."""

import numpy as np

from collectives.errors import InputError
from fabric.topology import ENDPOINT, NVSWITCH, UNKNOWN, Cables, Nodes, Topology


def with_nvlink(topology: Topology, gbps: float) -> Topology:
    """The fabric with an NVLink switch joining the endpoints of each host that has several.

    Raises
    ------
    InputError
        If the fabric has scale-up domains or names no hosts, or `gbps` is not a number > 0.
    """
    if not 0 < gbps < float("inf"):
        raise InputError(f"NVLink: {gbps:g} Gb/s; expected a finite number > 0")
    if topology.n_domains:
        raise InputError(f"{topology.name}: has scale-up domains already")
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
