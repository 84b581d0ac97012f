"""How many flows a pair of endpoints has: what the job's library opens, where a switch hashes each of them."""

from dataclasses import dataclass

import numpy as np

from collectives.algorithm import Library
from collectives.catalog import algorithm_of
from collectives.demand import Groups
from collectives.nccl_peers import (
    P2P_CHANNELS,
    RCCL_P2P_CHANNELS,
    USUAL_VERSION,
    channels_per_peer,
    ring_connections,
    version_of,
)
from fabric.jobs.placement import Placement, domain_of_rank
from fabric.jobs.span import span_of
from fabric.jobs.traffic import Traffic
from fabric.topology import NIC, Topology


@dataclass(frozen=True)
class OpenedFlows:
    """Flows of a pair of endpoints over the network.

    Attributes
    ----------
    number : int
    reason : str
        The rule, and who says so.
    """

    number: int
    reason: str


def opened_flows(
    topology: Topology,
    placement: Placement,
    traffic: Traffic,
    library: Library = "nccl",
    version: str = USUAL_VERSION,
) -> OpenedFlows:
    """What a library opens for a job's traffic.

    Parameters
    ----------
    topology : Topology
    placement : Placement
    traffic : Traffic
    library : {"nccl", "rccl", "any"}
        Any: as NCCL.
    version : str
        Of NCCL: its rule changed with 2.29.2.

    Raises
    ------
    InputError
        If the version is none.
    """
    version_of(version)
    if traffic.collective is None and traffic.trace is None:
        return OpenedFlows(1, "hashed flows: each of the demand is one")
    n = placement.n_ranks
    groups = traffic.groups or Groups.consecutive(n, n)
    exchange = traffic.collective is not None and _exchanges(traffic)
    name = "rccl, taken as nccl's" if library == "rccl" else f"nccl {version}"
    span = span_of(groups, domain_of_rank(topology, placement))
    if not exchange:
        number = ring_connections(span.per_domain)
        return OpenedFlows(
            number,
            f"hashed flows: {number} from a GPU to the next of a ring or tree ({name}: 16 channels over the "
            f"{span.per_domain} members of a domain, at most 8 a NIC; src/graph/connect.cc)",
        )
    gbps = _nic_gbps(topology, placement)
    p2p_channels = RCCL_P2P_CHANNELS if library == "rccl" else P2P_CHANNELS
    whole = channels_per_peer(gbps / 8, 1, 1, version, p2p_channels)
    number = channels_per_peer(gbps / 8, span.n_ranks, 1, version, p2p_channels)
    halved = f", halved from {whole} for {span.n_ranks:,} ranks on {p2p_channels} channels" if number < whole else ""
    return OpenedFlows(
        number,
        f"hashed flows: {number} a pair, a channel each ({name}: 14 GB/s a channel on a NIC of {gbps / 8:g} GB/s"
        f"{halved}; src/graph/paths.cc)",
    )


def _exchanges(traffic: Traffic) -> bool:
    assert traffic.collective is not None
    return algorithm_of(traffic.collective, traffic.algorithm).tuning in ("exchange", "gpu-exchange")


def _nic_gbps(topology: Topology, placement: Placement) -> float:
    """Network bandwidth of the job's slowest endpoint, all its ports together."""
    nic = topology.link_kind == NIC
    total = np.bincount(topology.link_tail[nic], topology.link_capacity_gbps[nic], minlength=topology.n_nodes)
    return float(total[topology.endpoints[placement.endpoint]].min(initial=np.inf))
