"""Times adaptive all-to-alls from thousands of endpoints to a million, whole and damaged: ``make bench``.

The lower bound: for each set of leaves that look alike, the table of bundles is read on the way out (a switch and a
capacity, 12 bytes) and on the way back (the same, and a sum read and written, 28 bytes), at the memory bandwidth of a
copy, measured here.  ``--against-one-by-one`` also times the referee, which sweeps each leaf for itself.
"""

import argparse
import resource
import sys
import time
from unittest import mock

import numpy as np

from benchmarks.measure import best_of, copy_bytes_per_s, uniform
from fabric.builders import build, fat_tree
from fabric.builders.faults import Fault
from fabric.jobs.placement import packed
from fabric.routing import adaptive
from fabric.routing.bundles import bundles_of
from fabric.routing.layer import layer_of
from fabric.routing.link_loads import link_loads
from fabric.routing.shared_ends import shared_ends_of
from fabric.scenario import opened_fabric
from fabric.topology import ISL, SWITCH, Topology

# Radix of the switches of a three-tier fat tree, which has radix^3 / 4 endpoints.
RADIXES = (32, 48, 64, 96, 160)
MISSING = 0.001


def damaged(radix: int) -> Topology:
    """A fat tree without a thousandth of the cables between its switches, drawn by a fixed seed."""
    fabric = opened_fabric(fat_tree(radix))
    topology = fabric.topology
    cables = np.flatnonzero((topology.link_kind == ISL) & (topology.link_tail < topology.link_head))
    drawn = np.random.default_rng(1).choice(cables, int(MISSING * cables.size), replace=False)
    faults = [Fault("link", topology.link_name(int(cable))) for cable in drawn]
    hurt: Topology = fabric.damaged(faults).topology
    return hurt


def n_dags(topology: Topology) -> int:
    """Sets of leaves that look alike, those that are apart each for itself."""
    ends = shared_ends_of(layer_of(topology, SWITCH))
    first = ends.shared.attachment[ends.shared.item_start[:-1]]
    spans = [slice(ends.hops.start[one], ends.hops.start[one + 1]) for one in first]
    alike = {(ends.hops.switch[one].tobytes(), ends.hops.gbps[one].tobytes()) for one in spans}
    return len(alike) + ends.apart.size


def row(topology: Topology, runs: int, referee: bool) -> float:
    """Print one row; returns the seconds."""
    demand, placement = uniform(topology.n_endpoints), packed(topology)
    start = time.perf_counter()
    link_loads(topology, demand, placement)
    first = time.perf_counter() - start
    seconds = best_of(runs, lambda: link_loads(topology, demand, placement))
    bundles, dags = bundles_of(layer_of(topology, SWITCH)).n_bundles, n_dags(topology)
    bound = dags * bundles * (12 + 28) / copy_bytes_per_s()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    text = f"{topology.n_endpoints:10,} {topology.n_links:10,} {dags:7,} {first:8.2f} {seconds:9.4f} {bound:9.4f}"
    text += f" {seconds / bound:7.1f} {peak:6.2f}"
    if referee:
        with mock.patch.object(adaptive, "shared_ends_of", lambda layer: shared_ends_of(layer, sys.maxsize)):
            link_loads(topology, demand, placement)
            text += f" {best_of(1, lambda: link_loads(topology, demand, placement)):10.3f}"
    print(text, flush=True)
    return seconds


def main() -> None:
    """Print a row for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--against-one-by-one", action="store_true", help="time the referee too, up to 65,536 endpoints"
    )
    parser.add_argument("--largest", type=int, default=max(RADIXES), help="largest radix")
    asked = parser.parse_args()
    head = (
        f"{'endpoints':>10} {'links':>10} {'DAGs':>7} {'first':>8} {'seconds':>9} {'bound':>9} {'ratio':>7} {'GB':>6}"
    )
    print(f"even-split all-to-all, three tiers\n{head}" + (" one by one" if asked.against_one_by_one else ""))
    times = {}
    for radix in (one for one in RADIXES if one <= asked.largest):
        topology = build(fat_tree(radix))
        times[topology.n_endpoints] = row(topology, 5 if radix <= 96 else 3, asked.against_one_by_one and radix <= 64)
    first, last = min(times), max(times)
    power = np.log(times[last] / times[first]) / np.log(last / first)
    print(f"time grows with endpoints to the power of {power:.2f} from {first:,} to {last:,}")
    print(f"without {MISSING:.1%} of the cables between switches")
    for radix in (one for one in (32, 64) if one <= asked.largest):
        row(damaged(radix), 3, asked.against_one_by_one)


if __name__ == "__main__":
    main()
