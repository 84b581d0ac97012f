"""What counters suggest of jobs that nobody names: endpoints that sent the same, and leaves that talk upwards."""

from dataclasses import dataclass

import numpy as np

from fabric.studies.measured import IDLE, Measured
from fabric.topology import ENDPOINT, ISL, NIC, UNKNOWN, UP

# Endpoints are of one group whose bytes, sorted, follow one another within this part: assumed.
SAME_BYTES = 0.02


@dataclass(frozen=True)
class PortGroup:
    """Endpoints that sent the same.

    Attributes
    ----------
    endpoints : tuple of int
        Numbers of the endpoints.
    bytes : float
        That the middle one of them sent.
    hosts : int
        On so many hosts.
    rails : tuple of int
        Their rails; empty where they are not known.
    example : str
        Name of the first.
    """

    endpoints: tuple[int, ...]
    bytes: float
    hosts: int
    rails: tuple[int, ...]
    example: str

    @property
    def suggests(self) -> str:
        """What it may be, in words."""
        n, hosts, rails = len(self.endpoints), self.hosts, len(self.rails)
        if rails == 1 and hosts == n:
            return f"rail {self.rails[0]} of {hosts:,} hosts"
        if rails and n == hosts * rails:
            return f"a job on {hosts:,} whole hosts" if hosts > 1 else "a job on one host"
        return f"a job on {hosts:,} hosts, {rails:,} rails" if rails else f"a job on {hosts:,} hosts"


@dataclass(frozen=True)
class LeafShare:
    """What of a leaf's traffic goes up.

    Attributes
    ----------
    leaf : str
        Its name.
    from_hosts_bytes, up_bytes : float
        That its hosts sent it, and that it sent up.
    share : float
        The one over the other.
    """

    leaf: str
    from_hosts_bytes: float
    up_bytes: float
    share: float


def port_groups(measured: Measured) -> tuple[PortGroup, ...]:
    """Groups of two endpoints or more that sent the same, the one with most bytes first."""
    topology = measured.topology
    number_of_node = np.full(topology.n_nodes, -1, np.int64)
    number_of_node[topology.endpoints] = np.arange(topology.n_endpoints)
    out = measured.known & (topology.link_kind == NIC) & (topology.nodes.kind[topology.link_tail] == ENDPOINT)
    sent = np.bincount(number_of_node[topology.link_tail[out]], measured.bytes[out], topology.n_endpoints)
    busy = np.flatnonzero(sent > IDLE * sent.max(initial=0.0))
    order = busy[np.argsort(sent[busy], kind="stable")]
    if not order.size:
        return ()
    apart = np.flatnonzero(np.diff(sent[order]) > SAME_BYTES * sent[order][:-1]) + 1
    groups = []
    for some in np.split(order, apart):
        if some.size < 2:
            continue
        members = np.sort(some)
        hosts, rails = topology.endpoint_host[members], topology.endpoint_rail[members]
        known = rails[rails != UNKNOWN]
        groups.append(
            PortGroup(
                tuple(members.tolist()),
                float(np.median(sent[members])),
                int(np.unique(hosts).size) if (hosts != UNKNOWN).all() else members.size,
                tuple(np.unique(known).tolist()) if known.size == rails.size else (),
                topology.endpoint_names[int(members[0])],
            )
        )
    return tuple(sorted(groups, key=lambda group: -group.bytes * len(group.endpoints)))


def leaf_shares(measured: Measured) -> tuple[LeafShare, ...]:
    """What each leaf sends up of what its hosts send it, the largest part first; leaves not known are left out."""
    topology = measured.topology
    from_hosts = (topology.link_kind == NIC) & (topology.nodes.kind[topology.link_tail] == ENDPOINT)
    up = (topology.link_kind == ISL) & (topology.link_direction == UP)
    shares = []
    for leaf in np.unique(topology.link_head[from_hosts]).tolist():
        down_links, up_links = from_hosts & (topology.link_head == leaf), up & (topology.link_tail == leaf)
        if not up_links.any() or not (measured.known[down_links | up_links]).all():
            continue
        sent, went = float(measured.bytes[down_links].sum()), float(measured.bytes[up_links].sum())
        if sent > 0:
            shares.append(LeafShare(topology.nodes.name[leaf], sent, went, went / sent))
    return tuple(sorted(shares, key=lambda each: -each.share))
