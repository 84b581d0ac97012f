"""Placement: which endpoint each rank of a job gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from collectives.demand import FloatVector, Int32Vector, Int64Vector, frozen_array
from collectives.errors import InputError
from collectives.gate import quoted
from collectives.nic_pool import NicPools
from collectives.suggestion import hint
from fabric.showing import Facts, Shown
from fabric.topology import SWITCH, UNKNOWN, BoolVector, Topology
from traces.files import read_text


@dataclass(frozen=True, eq=False, repr=False)
class Placement(Shown):
    """Rank -> endpoint.

    Attributes
    ----------
    endpoint : (n_ranks,) int32
        Endpoint of each rank; no endpoint twice.
    """

    endpoint: Int32Vector

    def __post_init__(self) -> None:
        endpoint = frozen_array(self.endpoint, np.int32, "placement.endpoint")
        object.__setattr__(self, "endpoint", endpoint)
        order = np.argsort(endpoint, kind="stable")
        twice = np.flatnonzero(np.diff(endpoint[order]) == 0)
        if twice.size:
            first, second = order[twice[0]], order[twice[0] + 1]
            raise InputError(f"placement: ranks {first} and {second} are both on endpoint {endpoint[first]}")

    def _facts(self) -> Facts:
        first = ", ".join(str(endpoint) for endpoint in self.endpoint[:8].tolist())
        return [("ranks", f"{self.n_ranks:,}"), ("endpoints", f"{first}{', ...' if self.n_ranks > 8 else ''}")]

    @property
    def n_ranks(self) -> int:
        """Ranks of the job."""
        return len(self.endpoint)

    def check(self, topology: Topology) -> None:
        """Refuse endpoints that the fabric does not have."""
        bad = np.flatnonzero((self.endpoint < 0) | (self.endpoint >= topology.n_endpoints))
        if bad.size:
            raise InputError(
                f"placement: rank {bad[0]} is on endpoint {self.endpoint[bad[0]]}; "
                f"expected 0 to {topology.n_endpoints - 1} ({topology.name})"
            )

    def for_ranks(self, n_ranks: int, source: str) -> "Placement":
        """Refuse to place more ranks than there are endpoints; `source` is named in the message."""
        if n_ranks > self.n_ranks:
            raise InputError(f"{source}: {self.n_ranks} endpoints; the job has {n_ranks} ranks")
        return self


def domain_of_rank(topology: Topology, placement: Placement) -> Int32Vector:
    """Scale-up domain of each rank, (n_ranks,) int32; -1 without NVLink."""
    return topology.endpoint_domain[placement.endpoint]


def rail_of_rank(topology: Topology, placement: Placement) -> Int32Vector:
    """Rail of each rank, (n_ranks,) int32; -1 where the fabric does not say."""
    return topology.endpoint_rail[placement.endpoint]


def nic_gbps_of_rank(topology: Topology, placement: Placement) -> FloatVector:
    """Speed of each rank's NIC, the slower direction of all its ports together, (n_ranks,) float64; 0: no cable."""
    slower = np.full(topology.n_nodes, np.inf)
    switch = topology.nodes.kind == SWITCH
    for end, other in ((topology.link_tail, topology.link_head), (topology.link_head, topology.link_tail)):
        links = np.flatnonzero(switch[other] & ~switch[end])
        total = np.bincount(end[links], topology.link_capacity_gbps[links], topology.n_nodes)
        slower = np.minimum(slower, total)
    gbps: FloatVector = slower[topology.endpoints[placement.endpoint]]
    return gbps


def nic_pools(topology: Topology, placement: Placement) -> NicPools:
    """The NICs that the ranks of each host have together."""
    return NicPools.of(
        topology.endpoint_host[placement.endpoint],
        domain_of_rank(topology, placement),
        rail_of_rank(topology, placement),
        nic_gbps_of_rank(topology, placement),
    )


def packed(
    topology: Topology,
    n_ranks: int | None = None,
    gpus_per_domain: int | None = None,
    hosts: Sequence[int] | None = None,
) -> Placement:
    """Hosts in order, domain by domain: what a topology-aware scheduler does.

    Parameters
    ----------
    topology : Topology
    n_ranks : int, optional
        Size of the job; default all that fit.
    gpus_per_domain : int, optional
        How many GPUs of each scale-up domain the job takes: the first ones, host by host, so that of a host that it
        takes in part the last rails stay idle; default all.
    hosts : sequence of int, optional
        Take these hosts, in this order, instead of all.

    Raises
    ------
    InputError
        If the job does not fit; the arithmetic is shown.
    """
    return Placement(usable_endpoints(topology, n_ranks, gpus_per_domain, hosts)[0])


def scattered(
    topology: Topology,
    n_ranks: int | None = None,
    gpus_per_domain: int | None = None,
    seed: int = 0,
    hosts: Sequence[int] | None = None,
) -> Placement:
    """The same hosts as `packed`, shuffled; the ranks of a host stay together.

    Parameters
    ----------
    topology, n_ranks, gpus_per_domain, hosts
        As for `packed`.
    seed : int
        Of NumPy's PCG64 generator.
    """
    endpoint, host = usable_endpoints(topology, n_ranks, gpus_per_domain, hosts)
    fresh = np.flatnonzero(np.concatenate([[True], host[1:] != host[:-1]]))
    parts = np.split(endpoint, fresh[1:])
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(parts))
    return Placement(np.concatenate([parts[number] for number in order]))


def unaligned(topology: Topology, n_ranks: int | None = None, hosts: Sequence[int] | None = None) -> Placement:
    """Hosts in order, all GPUs of each domain, whatever the groups: they straddle domains where their sizes differ.

    Parameters
    ----------
    topology, n_ranks, hosts
        As for `packed`.
    """
    return packed(topology, n_ranks, None, hosts)


def fragmented(
    topology: Topology, n_ranks: int | None = None, seed: int = 0, hosts: Sequence[int] | None = None
) -> Placement:
    """The hosts that other jobs leave, in order, on a cluster without a host to spare: all but so many are taken.

    Which hosts other jobs hold is drawn; that they hold all others, and whole hosts, is assumed.

    Parameters
    ----------
    topology, n_ranks, hosts
        As for `packed`.
    seed : int
        Of NumPy's PCG64 generator.
    """
    endpoint, host = usable_endpoints(topology, None, None, hosts)
    fresh = np.flatnonzero(np.concatenate([[True], host[1:] != host[:-1]]))
    parts = np.split(endpoint, fresh[1:])
    wanted = endpoint.size if n_ranks is None else n_ranks
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(parts))
    room = np.cumsum([len(parts[number]) for number in order])
    free = np.sort(order[: int(np.searchsorted(room, wanted)) + 1])
    left = np.concatenate([parts[number] for number in free])
    if wanted > left.size or wanted < 1:
        return packed(topology, n_ranks, None, hosts)
    return Placement(left[:wanted])


def explicit(topology: Topology, entries: Sequence[str]) -> Placement:
    """Rank ``i`` on the endpoint that entry ``i`` names, or numbers.

    Raises
    ------
    InputError
        If an entry is no endpoint of the fabric, or one endpoint is given twice.
    """
    number = {name: index for index, name in enumerate(topology.endpoint_names)}
    endpoint = np.empty(len(entries), np.int32)
    for rank, entry in enumerate(entries):
        index = number.get(entry, int(entry) if entry.isascii() and entry.isdecimal() and len(entry) < 10 else -1)
        if not 0 <= index < topology.n_endpoints:
            raise InputError(
                f"placement: rank {rank}: {quoted(entry)} is no endpoint of {topology.name}, nor a number from 0 to "
                f"{topology.n_endpoints - 1}; {hint(entry, topology.endpoint_names)}"
            )
        endpoint[rank] = index
    return Placement(endpoint)


def read_placement(path: str | Path, topology: Topology) -> Placement:
    """Read a text file with an endpoint (name or number) per line, rank 0 first; ``#`` begins a comment."""
    lines = read_text(path).splitlines()
    entries = [entry for line in lines if (entry := line.split("#")[0].strip())]
    if not entries:
        raise InputError(f"{path}: no endpoint; expected one per line")
    try:
        return explicit(topology, entries)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def usable_endpoints(
    topology: Topology,
    n_ranks: int | None = None,
    gpus_per_domain: int | None = None,
    hosts: Sequence[int] | None = None,
) -> tuple[Int32Vector, Int64Vector]:
    """The job's endpoints in order, and the host of each (endpoints without one are hosts of their own).

    Parameters
    ----------
    topology, n_ranks, gpus_per_domain, hosts
        As for `packed`.

    Returns
    -------
    endpoint : (n_ranks,) int32
    host : (n_ranks,) int64

    Raises
    ------
    InputError
        If the job does not fit; the arithmetic is shown.
    """
    n = topology.n_endpoints
    host = topology.endpoint_host.astype(np.int64)
    host = np.where(host == UNKNOWN, n + np.arange(n), host)
    domain = topology.endpoint_domain.astype(np.int64)
    domain = np.where(domain == UNKNOWN, n + host, domain)
    first_in_domain = np.full(int(domain.max(initial=0)) + 1, n, np.int64)
    np.minimum.at(first_in_domain, domain, np.arange(n))
    first_in_host = np.full(int(host.max(initial=0)) + 1, n, np.int64)
    np.minimum.at(first_in_host, host, np.arange(n))
    order = np.lexsort((np.arange(n), first_in_host[host], first_in_domain[domain]))
    if hosts is not None:
        place = np.full(int(host.max(initial=0)) + 1, UNKNOWN, np.int64)
        place[np.asarray(hosts, np.int64)] = np.arange(len(hosts))
        order = np.flatnonzero(place[host] != UNKNOWN)
        order = order[np.argsort(place[host[order]], kind="stable")]
    if gpus_per_domain is not None:
        if gpus_per_domain < 1:
            raise InputError(f"gpus per domain: expected an integer >= 1, got {gpus_per_domain}")
        order = order[_first_of_each(domain[order], gpus_per_domain)]
    wanted = n_ranks if n_ranks is not None else order.size
    if wanted < 1:
        raise InputError(f"gpus: expected an integer >= 1, got {wanted}")
    if wanted > order.size:
        n_domains = np.unique(domain).size
        used = hint = ""
        if hosts is not None:
            used = f" on the {len(hosts)} hosts named"
        elif order.size < n:
            used = f" when a job takes {gpus_per_domain} of each of the {n_domains} scale-up domains"
            hint = f"; a larger gpus_per_domain can raise it to {n}"
        raise InputError(f"gpus: {wanted} asked, fabric {topology.name} has {order.size}{used}{hint}")
    chosen = order[:wanted]
    return chosen.astype(np.int32), host[chosen]


def _first_of_each(domain: Int64Vector, limit: int) -> BoolVector:
    """Mask of endpoints, sorted by domain, that are among the first `limit` of theirs."""
    position = np.arange(domain.size)
    first = np.concatenate([[True], domain[1:] != domain[:-1]])
    return position - np.maximum.accumulate(np.where(first, position, 0)) < limit
