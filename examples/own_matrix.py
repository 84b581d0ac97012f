"""Own traffic as a matrix: routed, and the link that it makes hot is named, with those who use it.

The script runs cell by cell in an editor that knows `# %%`, or as a whole.
"""

# %% A matrix of bytes, row to column: everyone sends a little to all, and hosts 0 to 2 read a data set from host 7.
import numpy as np

import railscope as rs

topology = rs.open_fabric("hgx-b200-64").topology
n = topology.n_endpoints
matrix = np.full((n, n), 1e6)
matrix[56:64, :24] += 200e6
np.fill_diagonal(matrix, 0.0)

# %% A row for each pair that exchanges something; rank i of the job drives endpoint i.
src, dst = (ends.astype(np.int32) for ends in np.nonzero(matrix))
flows = rs.Flows(src, dst, matrix[src, dst])
placement = rs.packed(topology)
loads = rs.link_loads(topology, flows, placement, rs.Ecmp(seed=3))
print(f"{len(src):,} flows, {flows.total_bytes() / 1e9:.1f} GB: {loads.bottleneck_time_s * 1e3:.1f} ms at least")

# %% The hot link, and how far it stands out from its tier.
hottest = rs.bottleneck(loads)
assert hottest is not None
print(f"hottest: {hottest.name} ({hottest.tier}, {hottest.direction}), {hottest.seconds * 1e3:.1f} ms busy")
for tier in rs.tier_summaries(loads):
    imbalance = "-" if tier.imbalance is None else f"{tier.imbalance:.2f}"
    print(f"  {tier.name:12} {tier.direction:5} max {tier.max_s * 1e3:6.1f} ms, max/mean {imbalance}")

# %% Who is on it: the path of each flow, and of those that cross the link the largest.
routed = rs.route_flows(topology, src, dst, rs.Ecmp(seed=3))
crossing = routed.flow[routed.paths.hop_flow[routed.paths.link == hottest.link]]
order = np.argsort(-flows.bytes[crossing], kind="stable")
print(f"{len(crossing)} flows cross it, the largest:")
for flow in crossing[order][:3]:
    one, other = (topology.endpoint_names[ends[flow]] for ends in (src, dst))
    print(f"  {one} -> {other}, {flows.bytes[flow] / 1e6:.0f} MB")
