"""Times real forwarding tables from dump to loads: ``make bench``.

OpenSM routes two fabrics over ibsim (both must be installed); timed is what railscope does with what they print, beside
a walk of all pairs at once in NumPy on the same arrays.  The lower bound is the bytes of the tables read once at the
memory bandwidth of a copy.
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.link_loads import warm_wall_s
from benchmarks.measure import best_of, copy_bytes_per_s, uniform
from fabric.builders import build
from fabric.builders.description import FabricDescription, Hosts, Leaf, Spine
from fabric.formats.infiniband.ibsim import ibsim_netlist
from fabric.formats.infiniband.lfts import read_lfts
from fabric.formats.opening import open_fabric
from fabric.jobs.placement import packed
from fabric.routing.lft_walk import lft_arrays
from fabric.routing.link_loads import link_loads
from fabric.routing.match_lfts import match_lfts
from fabric.routing.policies import Lft
from fabric.studies.opensm import missing_tools, simulate
from fabric.topology import Topology


def cluster(hosts: int, radix: int) -> Topology:
    """8-GPU hosts wired by rail on two tiers."""
    description = FabricDescription(
        fabric=Hosts(name=f"ib{8 * hosts}", hosts=hosts, gpus_per_host=8, gpu_gbps=400.0),
        leaf=Leaf(radix=radix, port_gbps=400.0),
        spine=Spine(radix=128, port_gbps=400.0),
    )
    return build(description)


def numpy_walk(topology: Topology, routing: Lft) -> np.ndarray:
    """Units by link of an all-to-all: every pair one hop further at each step, O(pairs) memory."""
    tables = lft_arrays(topology, routing)
    n = topology.n_endpoints
    src, dst = (ends.ravel() for ends in np.indices((n, n)))
    src, dst = src[src != dst], dst[src != dst]
    link = topology.out_start[topology.endpoints][src]
    units = np.zeros(topology.n_links)
    while link.size:
        units += np.bincount(link, minlength=topology.n_links)
        switch = tables.link_switch[link]
        on = switch >= 0
        dst = dst[on]
        link = tables.next_link[routing.row_start[dst], switch[on]]
    return units


def main() -> None:
    """Print a row for each fabric; where both walk it, the loads must be the same."""
    if missing := missing_tools():
        print(f"real tables: {', '.join(missing)} not found: apt-get install opensm ibsim-utils infiniband-diags")
        return
    print(f"{'tables of OpenSM over ibsim':34} {'seconds':>9} {'numpy/this':>11} {'this/bound':>11}")
    for hosts, radix, engine in ((128, 64, "ftree"), (1024, 128, "minhop")):
        with tempfile.TemporaryDirectory() as name:
            start = time.perf_counter()
            texts = simulate(ibsim_netlist(cluster(hosts, radix)), engine, 600, ("ibnetdiscover",))
            opensm_s = time.perf_counter() - start
            dump, lfts = Path(name) / "ib.ibnetdiscover", Path(name) / "ib.lfts"
            dump.write_text(texts["ibnetdiscover"])
            lfts.write_text(texts["opensm-lfts.dump"])
            given = open_fabric(str(dump))
            topology = given.topology
            routing = match_lfts(read_lfts(lfts), topology, given.origin).routing
            demand, placement = uniform(topology.n_endpoints), packed(topology)
            loads = link_loads(topology, demand, placement, routing)
            seconds = best_of(5, lambda t=topology, d=demand, p=placement, r=routing: link_loads(t, d, p, r))  # type: ignore[misc]
            if topology.n_endpoints <= 1024:
                start = time.perf_counter()
                units = numpy_walk(topology, routing)
                peer = time.perf_counter() - start
                np.testing.assert_array_equal(units, loads.bytes)
            else:
                peer = float("nan")
            bound = routing.next_link.nbytes / copy_bytes_per_s()
            label = f"all-to-all, {topology.n_endpoints:,} endpoints"
            print(f"{label:34} {seconds:9.4f} {peer / seconds:11.1f} {seconds / bound:11.1f}")
            command = ["loads", str(dump), "--lfts", str(lfts), "--collective", "all-to-all"]
            wall, memory = warm_wall_s(command)
            text = f"{(dump.stat().st_size + lfts.stat().st_size) / 1e6:.1f} MB of dumps"
            print(f"  railscope loads, {text}: {wall:.2f} s, warm; peak {memory:.0f} MB (OpenSM: {opensm_s:.1f} s)")


if __name__ == "__main__":
    main()
