"""The error of pairs with traffic and no way between them."""

import numpy as np

from collectives.errors import InputError
from fabric._kernels.arrays import Int32Matrix, Int32Vector
from fabric.topology import ISL, SWITCH, UNKNOWN, Topology


class Unroutable(InputError):
    """There is no way from one endpoint to another that have bytes to exchange.

    Attributes
    ----------
    src, dst : str
        Names of an example's endpoints.
    pairs : int or None
        Number of such pairs, where they were counted.
    lfts : str or None
        Source of the forwarding tables that have no route; None where no cables join the two.
    """

    def __init__(
        self, text: str, src: str, dst: str, pairs: int | None = None, lfts: str | None = None, option: str = ""
    ) -> None:
        hint = "`railscope fabric check` lists them, --skip-unrouted leaves them out"
        super().__init__(text, hint if lfts else option or "`railscope fabric check` says what is missing")
        self.src, self.dst, self.pairs, self.lfts = src, dst, pairs, lfts


def not_joined(topology: Topology, src: int, dst: int) -> Unroutable:
    """The error for two endpoints (numbers) that no path joins."""
    names = topology.endpoint_names[src], topology.endpoint_names[dst]
    bare = [end for end in (src, dst) if not _on_a_switch(topology, end)]
    which = " and ".join(topology.endpoint_names[end] for end in bare)
    why = f"{which} {'have' if len(bare) > 1 else 'has'} no cable to a switch; " if bare else ""
    pooled = bare and all(_has_a_neighbour(topology, end) for end in bare)
    alone = not bare and not (topology.link_kind == ISL).any()
    where = f"{topology.name}{', whose switches no cable joins' if alone else ''}"
    option = ""
    if pooled:
        option = "--nics pooled takes the other NICs of the host"
    elif not bare and _neighbour_reaches(topology, src, dst):
        option = "--transport pxn crosses rails over NVLink first"
    return Unroutable(
        f"no path from {names[0]} to {names[1]} in fabric {where}: {why}expected every pair with traffic joined",
        *names,
        option=option,
    )


def _has_a_neighbour(topology: Topology, endpoint: int) -> bool:
    """Whether another endpoint of the host and scale-up domain is on a switch."""
    host, domain = topology.endpoint_host, topology.endpoint_domain
    same = (host == host[endpoint]) & (domain == domain[endpoint])
    known = host[endpoint] != UNKNOWN and domain[endpoint] != UNKNOWN
    return bool(known and any(_on_a_switch(topology, other) for other in np.flatnonzero(same).tolist()))


def _neighbour_reaches(topology: Topology, src: int, dst: int) -> bool:
    """Whether another endpoint of the sender's scale-up domain shares a switch with the receiver."""
    domain = topology.endpoint_domain
    if topology.nvlink_gbps is None or domain[src] == UNKNOWN:
        return False
    its, ends = _switches(topology, dst), np.flatnonzero(domain == domain[src])
    return any(np.isin(_switches(topology, end), its).any() for end in ends.tolist())


def _on_a_switch(topology: Topology, endpoint: int) -> bool:
    return _switches(topology, endpoint).size > 0


def _switches(topology: Topology, endpoint: int) -> Int32Vector:
    """Switches that an endpoint's links lead to."""
    node = topology.endpoints[endpoint]
    heads: Int32Vector = topology.link_head[topology.out_start[node] : topology.out_start[node + 1]]
    switches: Int32Vector = heads[topology.nodes.kind[heads] == SWITCH]
    return switches


def not_routed(topology: Topology, lfts: str, src: int, dst: int, pairs: int) -> Unroutable:
    """The error for pairs that forwarding tables do not route, with an example (endpoint numbers)."""
    names = topology.endpoint_names[src], topology.endpoint_names[dst]
    more = f", and for {pairs - 1:,} more {'pair' if pairs == 2 else 'pairs'} with traffic" if pairs > 1 else ""
    return Unroutable(
        f"{lfts}: no route from {names[0]} to {names[1]}{more}; expected tables that route every pair with traffic, "
        "or skip_unrouted to leave the others out",
        *names,
        pairs,
        lfts,
    )


def refuse_unreachable(topology: Topology, unreachable: Int32Matrix) -> None:
    """Raise `Unroutable` for the first pair that a sweep noted ((n, 2) endpoints, -1 where there is none)."""
    pairs = unreachable[unreachable[:, 0] >= 0]
    if pairs.size:
        raise not_joined(topology, int(pairs[0, 0]), int(pairs[0, 1]))
