"""A jellyfish against a fat tree of the same switches, over 200 hash seeds of static ECMP.

A jellyfish joins its switches at random (A. Singla, C.-Y. Hong, L. Popa, P. B. Godfrey: Jellyfish: Networking Data
Centers Randomly, NSDI 2012).  Both fabrics have 80 switches of 8 ports and 128 endpoints.  The script runs cell by cell
in an editor that knows `# %%`, or as a whole.
"""

# %% The fat tree is a description that railscope builds.
import networkx as nx
import numpy as np

import railscope as rs

N_SEEDS, GBPS = 200, 400.0
fat_tree = rs.build(rs.fat_tree(8, GBPS))
n_switches = fat_tree.n_nodes - fat_tree.n_endpoints

# %% The jellyfish is any graph: six ports of each switch go to others, endpoint i hangs on switch i mod 80.
# 48 switches have two endpoints, 32 have one and an idle port.  Each cable is listed in both directions.
wired = nx.random_regular_graph(6, n_switches, seed=1)
graph: "nx.MultiDiGraph[str]" = nx.MultiDiGraph(name="jellyfish")
graph.add_nodes_from((f"s{switch}" for switch in range(n_switches)), kind="switch")
graph.add_nodes_from((f"h{endpoint}" for endpoint in range(fat_tree.n_endpoints)), kind="endpoint")
cables = [(f"s{one}", f"s{other}") for one, other in wired.edges]
cables += [(f"h{endpoint}", f"s{endpoint % n_switches}") for endpoint in range(fat_tree.n_endpoints)]
for one, other in cables:
    graph.add_edge(one, other, capacity_gbps=GBPS)
    graph.add_edge(other, one, capacity_gbps=GBPS)
jellyfish = rs.from_networkx(graph)
assert jellyfish.n_endpoints == fat_tree.n_endpoints
assert jellyfish.n_nodes == fat_tree.n_nodes

# %% Two kinds of traffic: everyone to one random partner (few large flows), and everyone to everyone (many small ones).
n = fat_tree.n_endpoints
partner = np.random.default_rng(0).permutation(n).astype(np.int32)
permutation = rs.Flows(np.arange(n, dtype=np.int32), partner, np.full(n, 1e9))
schedules = {
    "permutation": rs.Schedule((rs.Phase(permutation),)),
    "all-to-all": rs.all_to_all(rs.Groups.consecutive(n, size=n), 1e9),
}

# %% The busiest link's load over its capacity is a time that no schedule beats; the seed decides which hashes collide.
# Stated as a multiple of what one NIC needs for its own bytes: 1 is a fabric that is never in the way.
print(f"{n_switches} switches, {n} endpoints; time over a NIC's own, {N_SEEDS} hash seeds")
print(f"{'traffic':12} {'fabric':10} {'adaptive':>9} {'best':>6} {'median':>7} {'95th':>6} {'worst':>6}")
for traffic, schedule in schedules.items():
    for topology in (fat_tree, jellyfish):
        placement = rs.packed(topology)
        even = rs.schedule_loads(topology, schedule, placement, rs.Adaptive()).total
        nic_s = even.seconds[np.isin(topology.link_tail, topology.endpoints)].max()
        hashed = rs.loads_over_seeds(topology, schedule, placement, rs.Ecmp(), N_SEEDS)
        times = [loads.bottleneck_time_s for loads in hashed]
        best, median, late, worst = np.percentile(times, (0, 50, 95, 100)) / nic_s
        adaptive = even.bottleneck_time_s / nic_s
        name = "jellyfish" if topology is jellyfish else "fat tree"
        print(f"{traffic:12} {name:10} {adaptive:9.2f} {best:6.2f} {median:7.2f} {late:6.2f} {worst:6.2f}")

# %% What one reads off: spread over all shortest paths, a permutation crosses the fat tree undisturbed.  On the
# jellyfish it does not: near pairs have a single shortest path (its authors route over the k shortest ones).  Hashed to
# one path a flow, the two are alike: collisions set the time, not the wiring.
