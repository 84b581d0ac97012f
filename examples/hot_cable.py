"""Build a fabric, route an all-to-all over it, look at the loads as arrays and as a networkx graph."""

import numpy as np

import railscope as rs

topology = rs.open_fabric("hgx-b200-64").topology
placement = rs.scattered(topology, n_ranks=64, seed=1)
groups = rs.Groups.consecutive(64, size=16)
schedule = rs.all_to_all(groups, rs.parse_bytes("256MiB"))

for routing in (rs.Ecmp(seed=7), rs.Adaptive()):
    result = rs.schedule_loads(topology, schedule, placement, routing)
    loads = result.total
    hottest = rs.bottleneck(loads)
    assert hottest is not None
    print(
        f"{routing.name}: {result.bottleneck_time_s * 1e3:.2f} ms, {hottest.name} at {hottest.over_mean:.2f}x its mean"
    )

# Arrays: one entry per directed link.
uplinks = (topology.link_tier == 2) & (topology.link_tail < topology.link_head)
print(f"leaf uplinks: {np.min(loads.bytes[uplinks]):.4g} to {np.max(loads.bytes[uplinks]):.4g} bytes")

# A networkx.MultiDiGraph with `bytes` on its edges.
graph = loads.to_networkx()
tail, head, data = max(graph.edges(data=True), key=lambda edge: edge[2]["bytes"])
print(f"most bytes: {tail} -> {head}, {data['bytes']:.4g} B")
