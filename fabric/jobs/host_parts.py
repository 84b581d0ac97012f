"""Hosts as a scheduler sees them: which endpoints a job may have on each, and which domain and leaves it belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collectives.demand import Int32Vector, Int64Vector
from fabric.jobs.placement import usable_endpoints
from fabric.topology import ENDPOINT, SWITCH, UNKNOWN, Topology


@dataclass(frozen=True, eq=False)
class HostPart:
    """What a job may have of a host.

    Attributes
    ----------
    host : int
        Its number; endpoints without a host are hosts of their own, with numbers from the number of endpoints on.
    domain : int
        Its scale-up domain; a host without one is a domain of its own.
    endpoint : (n,) int32
        Endpoints that the job may have, in order.
    """

    host: int
    domain: int
    endpoint: Int32Vector

    @property
    def n_gpus(self) -> int:
        """Endpoints of the part."""
        return len(self.endpoint)


def host_parts(
    topology: Topology, gpus_per_domain: int | None = None, hosts: Sequence[int] | None = None
) -> list[HostPart]:
    """Hosts in the order in which `fabric.jobs.placement.packed` fills them, and what a job may have of each.

    Parameters
    ----------
    topology : Topology
    gpus_per_domain, hosts
        As for `fabric.jobs.placement.packed`.

    Raises
    ------
    InputError
        If there is none.
    """
    endpoint, host = usable_endpoints(topology, None, gpus_per_domain, hosts)
    return _parts(topology, endpoint, host)


def parts_of_job(topology: Topology, endpoint: Int32Vector) -> list[HostPart]:
    """The hosts of endpoints that a job has, in the order of first use; a host's endpoints in the order of numbers."""
    host = topology.endpoint_host[endpoint].astype(np.int64)
    host = np.where(host == UNKNOWN, topology.n_endpoints + endpoint, host)
    first: dict[int, int] = {}
    for rank, number in enumerate(host.tolist()):
        first.setdefault(number, rank)
    place = np.array([first[number] for number in host.tolist()], np.int64)
    order = np.lexsort((endpoint, place))
    return _parts(topology, endpoint[order], host[order])


def leaves_of_hosts(topology: Topology, parts: Sequence[HostPart]) -> list[tuple[int, ...]]:
    """Nodes of the leaf switches that each part's endpoints are cabled to, sorted.  O(n_links)."""
    kind = topology.nodes.kind
    up = (kind[topology.link_tail] == ENDPOINT) & (kind[topology.link_head] == SWITCH)
    leaves: dict[int, set[int]] = {}
    for tail, head in zip(topology.link_tail[up].tolist(), topology.link_head[up].tolist(), strict=True):
        leaves.setdefault(tail, set()).add(head)
    nodes = topology.endpoints
    return [
        tuple(sorted({leaf for node in nodes[part.endpoint].tolist() for leaf in leaves.get(node, ())}))
        for part in parts
    ]


def _parts(topology: Topology, endpoint: Int32Vector, host: Int64Vector) -> list[HostPart]:
    fresh = np.flatnonzero(np.concatenate([[True], host[1:] != host[:-1]])) if host.size else np.empty(0, np.int64)
    parts = []
    for own in np.split(endpoint, fresh[1:]) if host.size else ():
        number, domain = int(topology.endpoint_host[own[0]]), int(topology.endpoint_domain[own[0]])
        number = number if number != UNKNOWN else topology.n_endpoints + int(own[0])
        parts.append(HostPart(number, domain if domain != UNKNOWN else topology.n_endpoints + number, own))
    return parts
