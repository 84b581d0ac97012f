"""Time of explaining a link, and of running every failure of a cable, for 8,192 GPUs under an all-to-all.

    python -m benchmarks.diagnosis

Lower bound of `explain` under hashing: the flows that may cross the link must be hashed, 517,120 of 67 million for a
link between switches; of `faults`: one routing of the fabric for each class of cables that are alike.  Where none are,
each cable is followed from the loads of the whole fabric: reading how its switches split towards each of the 128
classes of destinations.
"""

import time

import numpy as np

import railscope as rs
from fabric.routing.one_cable_less import CableSweep
from fabric.topology import ISL


def main() -> None:
    """Run it."""
    for routing in (rs.Adaptive(), rs.Ecmp(queue_pairs=1), rs.DModK()):
        scenario = rs.Scenario.of("gb300-8192", rs.Collective("all-to-all"), routing=routing)
        topology = scenario.topology
        link = int(np.flatnonzero((topology.link_kind == 1) & (topology.link_direction == 0))[0])
        rs.explain(scenario, link)
        begin = time.perf_counter()
        found = rs.explain(scenario, link)
        took = time.perf_counter() - begin
        print(f"explain a link, {routing.name}: {took:.2f} s; {found.n_pairs:,} pairs of ranks")
    scenario = rs.Scenario.of("gb300-8192", rs.Collective("all-to-all"))
    begin = time.perf_counter()
    faults = rs.study_faults(scenario, ("cable",))
    took = time.perf_counter() - begin
    print(f"every one of {len(faults.rows):,} cables between switches fails: {took:.1f} s, {faults.n_runs} run")
    topology = scenario.topology
    one_way = np.arange(topology.n_links) < topology.link_reverse
    cables = np.flatnonzero((topology.link_kind == ISL) & one_way)
    begin = time.perf_counter()
    sweep = CableSweep.of(topology, scenario.schedule, scenario.placement)
    assert sweep is not None
    sweep.without(cables)
    took = time.perf_counter() - begin
    print(f"every one of {len(cables):,} without any symmetry, followed from the whole: {took:.1f} s")


if __name__ == "__main__":
    main()
