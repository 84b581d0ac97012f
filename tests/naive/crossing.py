"""Who sends over which link: every pair sent forwards, one by one."""

import contextlib

import networkx as nx
import numpy as np

from fabric.routing.policies import LinkWeights
from tests.naive.link_weights import add_pair
from tests.naive.routing import route_pair


def naive_parts(topology, routing):
    """(N, N, n_links): the part of one byte of each pair on each link; 0 where there is no way."""
    n = topology.n_endpoints
    found = np.zeros((n, n, topology.n_links))
    for i in range(n):
        for j in range(n):
            with contextlib.suppress(nx.NetworkXNoPath):
                if isinstance(routing, LinkWeights):
                    add_pair(topology, routing.weight, i, j, 1.0, found[i, j])
                else:
                    route_pair(topology, i, j, 1.0, routing, found[i, j])
    return found
