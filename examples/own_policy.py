"""A routing policy of one's own: each pair of endpoints takes a shortest path drawn at random for all its bytes."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import networkx as nx
import numpy as np

import railscope as rs


@dataclass(frozen=True)
class RandomPath(rs.Routing):
    """A random one of the shortest paths."""

    seed: int = 0
    name: ClassVar[str] = "random-path"


def random_paths(topology: rs.Topology, src: np.ndarray, dst: np.ndarray, policy: RandomPath) -> rs.RoutedFlows:
    """The links that flows from `src` to `dst` (endpoint numbers) take: all that a policy has to say."""
    ends = list(zip(topology.link_tail.tolist(), topology.link_head.tolist(), strict=True))
    link_of = {pair: link for link, pair in enumerate(ends)}
    graph = nx.DiGraph(ends)

    def path(a: int, b: int) -> list[int]:
        ways = list(nx.all_shortest_paths(graph, topology.endpoints[a], topology.endpoints[b]))
        way = ways[np.random.default_rng([policy.seed, a, b]).integers(len(ways))]
        return [link_of[hop] for hop in pairwise(way)]

    return rs.RoutedFlows.whole(rs.FlowPaths.of([path(a, b) for a, b in zip(src.tolist(), dst.tolist(), strict=True)]))


rs.register_policy(RandomPath, paths=random_paths)

topology = rs.build(rs.fat_tree(8))
n = topology.n_endpoints
placement = rs.packed(topology)
schedule = rs.all_to_all(rs.Groups.consecutive(n, size=32), rs.parse_bytes("64MiB"))
src = np.arange(n, dtype=np.int32)
dst = np.roll(src, 32)
capacity = topology.link_capacity_gbps * 1e9 / 8

for policy in (rs.Adaptive(), rs.Ecmp(seed=1), RandomPath(seed=1)):
    loads = rs.schedule_loads(topology, schedule, placement, policy)
    routed = rs.route_flows(topology, src, dst, policy)
    slowest_gbps = rs.max_min_rates(capacity, routed.paths).min() * 8e-9
    print(
        f"{policy.name:12} all-to-all {loads.bottleneck_time_s * 1e3:6.3f} ms, "
        f"slowest flow of a shift by 32 endpoints {slowest_gbps:5.1f} Gb/s"
    )
