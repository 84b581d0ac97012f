"""How many flows a pair of endpoints has: what the job's library opens, where a switch hashes each of them."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from collectives.algorithm import Library
from collectives.catalog import algorithm_of
from collectives.demand import FloatVector, Groups
from collectives.nccl_peers import (
    RCCL_P2P_CHANNELS,
    USUAL_VERSION,
    channels_per_peer,
    communicator_channels,
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
    algorithm = None if traffic.collective is None else algorithm_of(traffic.collective, traffic.algorithm)
    name = "rccl, taken as nccl's" if library == "rccl" else f"nccl {version}"
    if algorithm is not None and library not in algorithm.libraries:
        name = f"{library} has no {algorithm.name}, taken as {name}"
    span, gbps = span_of(groups, domain_of_rank(topology, placement)), _nic_gbps(topology, placement)
    channels = communicator_channels(span.fewest, gbps / 8)
    if algorithm is None or algorithm.tuning not in ("exchange", "gpu-exchange"):
        number = ring_connections(span.fewest, gbps / 8)
        return OpenedFlows(
            number,
            f"hashed flows: {number} from a GPU to the next of a ring or tree ({name}: {channels} channels over the "
            f"{span.fewest} members of the domain with the fewest; src/graph/connect.cc)",
        )
    p2p_channels = RCCL_P2P_CHANNELS if library == "rccl" else channels
    whole = channels_per_peer(gbps / 8, 1, 1, version, p2p_channels)
    number = channels_per_peer(gbps / 8, span.n_ranks, 1, version, p2p_channels)
    halved = f", halved from {whole} for {span.n_ranks:,} ranks on {p2p_channels} channels" if number < whole else ""
    return OpenedFlows(
        number,
        f"hashed flows: {number} a pair, a channel each ({name}: 14 GB/s a channel on a NIC of {gbps / 8:g} GB/s"
        f"{halved}; src/graph/paths.cc)",
    )


def _nic_gbps(topology: Topology, placement: Placement) -> float:
    """Network bandwidth of the job's slowest endpoint, all its ports together."""
    return float(_gbps_of_endpoints(topology)[placement.endpoint].min(initial=np.inf))


# The few fabrics that one comparison looks at.
@lru_cache(maxsize=8)
def _gbps_of_endpoints(topology: Topology) -> FloatVector:
    """Network bandwidth of each endpoint, all its ports together, (N,) float64."""
    nic = topology.link_kind == NIC
    total = np.bincount(topology.link_tail[nic], topology.link_capacity_gbps[nic], minlength=topology.n_nodes)
    own: FloatVector = total[topology.endpoints].astype(np.float64, copy=False)
    return own
