"""Times railscope beside a peer in one run: ``make bench``.

Every figure is the best of several runs after compilation, in one process, with the peer on the same graph.  The
lower bound stated is that of a sweep of each destination leaf by itself: the bytes of the link table read once for
every leaf at the memory bandwidth of a copy, measured here.  What sweeps leaves together goes below it:
`benchmarks.scaling` has the bound of that.
"""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence

import igraph
import networkx as nx
import numpy as np

from benchmarks.measure import best_of, copy_bytes_per_s, uniform
from fabric.builders import build, fat_tree
from fabric.formats.node_link import from_networkx
from fabric.jobs.placement import Placement, packed
from fabric.routing.layer import layer_of
from fabric.routing.link_loads import LinkLoads, link_loads
from fabric.routing.policies import Adaptive, DModK, Ecmp, Routing
from fabric.topology import ISL, SWITCH, Topology

RADIX = 32


def parallel_cables(speeds: Sequence[float], leaves: int = 16, spines: int = 8, per_leaf: int = 8) -> Topology:
    """Two tiers with cables of several speeds between every leaf and spine."""
    graph: nx.MultiGraph[str] = nx.MultiGraph(name="parallel cables")
    for leaf in range(leaves):
        graph.add_edges_from((f"h{leaf}-{host}", f"l{leaf}", {"gbps": 800.0}) for host in range(per_leaf))
        graph.add_edges_from((f"l{leaf}", f"s{spine}", {"gbps": speed}) for spine in range(spines) for speed in speeds)
    return from_networkx(graph, capacity="gbps")


def igraph_loads_of_parallel_cables(topology: Topology, unit_gbps: float) -> np.ndarray:
    """The same for cables of unequal speed, each drawn as so many edges of the unit between switches."""
    times = np.where(topology.link_kind == ISL, topology.link_capacity_gbps / unit_gbps, 1).astype(int)
    link = np.repeat(np.arange(topology.n_links), times)
    edges = list(zip(topology.link_tail[link].tolist(), topology.link_head[link].tolist(), strict=True))
    hosts = topology.endpoints.tolist()
    values = igraph.Graph(topology.n_nodes, edges, directed=True).edge_betweenness(sources=hosts, targets=hosts)
    return np.bincount(link, values)


def igraph_loads(topology: Topology) -> tuple[float, np.ndarray]:
    """Igraph's edge betweenness between all endpoints: the same even split over shortest paths."""
    edges = list(zip(topology.link_tail.tolist(), topology.link_head.tolist(), strict=True))
    graph = igraph.Graph(topology.n_nodes, edges, directed=True)
    hosts = topology.endpoints.tolist()
    start = time.perf_counter()
    values = graph.edge_betweenness(directed=True, sources=hosts, targets=hosts)
    return time.perf_counter() - start, np.array(values)


# Run by a small process of its own: a child starts with the peak memory of the process that it is forked from.
_MEASURE = """
import resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def warm_wall_s(arguments: list[str]) -> tuple[float, float]:
    """Best of three wall times of the command line after a first run, and its peak memory in MB."""
    command = [sys.executable, "-c", _MEASURE, sys.executable, "-m", "railscope", *arguments]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(4)]
    return min(float(seconds) for seconds, _ in runs[1:]), max(float(kilobytes) for _, kilobytes in runs[1:]) / 1e3


def main() -> None:
    """Print every row; the peer's loads must be the same."""
    topology = build(fat_tree(RADIX))
    n = topology.n_endpoints
    placement = Placement(np.arange(n, dtype=np.int32))
    demand = uniform(n)
    print(f"{topology.name}: {n:,} endpoints, {topology.n_links:,} links, all-to-all of {n * (n - 1):,} flows")
    print(f"{os.cpu_count()} cores, igraph {igraph.__version__}, numpy {np.__version__}\n")

    def loads(routing: Routing) -> LinkLoads:
        return link_loads(topology, demand, placement, routing)

    even = loads(Adaptive())
    rows = []
    for routing in (Adaptive(), DModK(), Ecmp()):
        loads(routing)
        rows.append((f"railscope {routing.name}", best_of(5, lambda routing=routing: loads(routing))))  # type: ignore[misc]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    peer, betweenness = igraph_loads(topology)
    np.testing.assert_allclose(betweenness, even.bytes, rtol=1e-9)
    unequal = parallel_cables((100.0, 200.0, 400.0))
    own = link_loads(unequal, uniform(unequal.n_endpoints), packed(unequal))
    np.testing.assert_allclose(igraph_loads_of_parallel_cables(unequal, 100.0), own.bytes, rtol=1e-9)
    rows.append(("igraph edge_betweenness", peer))
    network = layer_of(topology, SWITCH)
    # An ISL's tail, link number and capacity: 4 + 4 + 8 bytes, once for each destination leaf.
    bound = network.n_isls * 16 * (network.n_classes - 1) / copy_bytes_per_s()
    print(f"{'all-to-all per-link loads':32} {'seconds':>9} {'igraph/this':>12} {'this/bound':>11}")
    for name, seconds in rows:
        print(f"{name:32} {seconds:9.3f} {peer / seconds:12.1f} {seconds / bound:11.1f}")
    walked = dict(rows)["railscope ecmp"]
    print(f"ecmp walks {n * (n - 1) / walked / 1e6:.0f} million flows a second")
    print("igraph's numbers and railscope's agree to 1e-9, also on parallel cables of unequal speed")
    print(f"lower bound {bound:.4f} s; peak memory {peak:.0f} MB\n")
    for arguments in (["--help"], ["compare", "gb300-8192", "--no-figure"]):
        seconds, memory = warm_wall_s(arguments)
        print(f"railscope {' '.join(arguments):40} {seconds:6.2f} s wall, warm; peak memory {memory:.0f} MB")


if __name__ == "__main__":
    main()
