"""Routes flows one by one: the links that each crosses under a policy."""

import numpy as np

from collectives.demand import Int32Vector, frozen_array
from collectives.errors import InputError
from fabric import memory
from fabric.routing.adaptive import nvlink_paths
from fabric.routing.flow_paths import RoutedFlows, nowhere
from fabric.routing.policies import Adaptive, Routing
from fabric.routing.registry import handlers_of
from fabric.topology import UNKNOWN, Topology

# Of a flow of one path at the least: where it begins, its number, its part, and four hops.  Paths that split take more.
FLOW_BYTES = 8.0 + 8.0 + 8.0 + 4 * 4.0


def route_flows(topology: Topology, src: Int32Vector, dst: Int32Vector, routing: Routing | None = None) -> RoutedFlows:
    """Paths of flows between endpoints.

    Parameters
    ----------
    topology : Topology
    src, dst : (F,) int32
        Endpoints; a flow from an endpoint to itself crosses no link.
    routing : Routing, optional
        Default `Adaptive`.  For pairs in one scale-up domain the NVLink switches, which split evenly, unless given
        paths say otherwise.

    Raises
    ------
    InputError
        An endpoint that does not exist, or a policy that is not registered or has loads but no paths.
    Unroutable
        If there is no way from one to the other.
    """
    routing = Adaptive() if routing is None else routing
    src, dst = _endpoints(topology, src, "src"), _endpoints(topology, dst, "dst")
    if src.shape != dst.shape:
        raise InputError(f"dst: expected {src.size} values, one for each of src, got {dst.size}")
    paths = handlers_of(routing).paths
    if paths is None:
        raise InputError(f"routing: {routing.name} has loads of flows, but no paths; expected a policy with paths")
    memory.require(f"paths of {src.size:,} flows", src.size * FLOW_BYTES, "fewer flows at a time")
    if routing.routes_domains:
        return _checked(paths(topology, src, dst, routing), src.size, topology)
    domain = topology.endpoint_domain
    settled = src == dst
    parts = [nowhere(np.flatnonzero(settled))]
    within = np.empty(0, np.int64)
    if (domain != UNKNOWN).any():
        joined = (domain[src] != UNKNOWN) & (domain[src] == domain[dst])
        within = np.flatnonzero(joined & ~settled)
        settled |= joined
    if src.size and not settled.any():
        return _checked(paths(topology, src, dst, routing), src.size, topology)
    out = np.flatnonzero(~settled)
    if out.size:
        parts.append(_checked(paths(topology, src[out], dst[out], routing), out.size, topology).of_flows(out))
    if within.size:
        parts.append(nvlink_paths(topology, src[within], dst[within]).of_flows(within))
    return RoutedFlows.joined(parts)


def _checked(routed: RoutedFlows, n_flows: int, topology: Topology) -> RoutedFlows:
    """A policy may come from anywhere: what it answers must route every flow."""
    routed.check(n_flows, topology.n_links)
    return routed


def _endpoints(topology: Topology, values: Int32Vector, what: str) -> Int32Vector:
    # Vectors of int32 as they are: copies of many flows cost memory, and kernels compile anew for read-only ones.
    fits = isinstance(values, np.ndarray) and values.dtype == np.int32 and values.ndim == 1
    endpoints: Int32Vector = values if fits else frozen_array(values, np.int32, what).copy()
    if endpoints.min(initial=0) < 0 or endpoints.max(initial=-1) >= topology.n_endpoints:
        bad = np.flatnonzero((endpoints < 0) | (endpoints >= topology.n_endpoints))
        raise InputError(f"{what}[{bad[0]}]: endpoint {endpoints[bad[0]]}; expected 0 to {topology.n_endpoints - 1}")
    return endpoints
