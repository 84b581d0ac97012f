"""Max-min fair rates and finish times of a permutation: hashed against split over all paths."""

import numpy as np

import railscope as rs

topology = rs.build(rs.fat_tree(8))
n = topology.n_endpoints
src = np.arange(n, dtype=np.int32)
dst = np.random.default_rng(1).permutation(n).astype(np.int32)
size_bytes = np.full(n, 4.0 * 2**20)
capacity = topology.link_capacity_gbps * 1e9 / 8

for routing in (rs.Ecmp(seed=1), rs.Adaptive()):
    routed = rs.route_flows(topology, src, dst, routing)
    rates = rs.max_min_rates(capacity, routed.paths)
    moving = src[routed.flow] != dst[routed.flow]
    done = rs.completions(capacity, routed.paths, size_bytes[routed.flow] * routed.part)
    gbps = rates[moving] * 8e-9
    print(
        f"{routing.name}: slowest rate {gbps.min():.1f} Gb/s, mean {gbps.mean():.1f} Gb/s, "
        f"last flow ends after {done.makespan_s * 1e6:.1f} us"
    )
