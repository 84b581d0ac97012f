"""The ladder on fabrics small enough to know what must come out."""

import pytest

from collectives import Groups, all_to_all, rail_aligned
from fabric.builders import build
from fabric.builders.description import FabricDescription, Hosts, Leaf, ScaleUp, Spine
from fabric.jobs.placement import domain_of_rank, packed, rail_of_rank
from fabric.jobs.requests import Collective
from fabric.jobs.rule import PlacementRule
from fabric.routing.link_loads import schedule_loads
from fabric.routing.policies import Adaptive, DModK, Ecmp
from fabric.scenario import Scenario
from fabric.studies.ladder import ladder
from fabric.topology import ISL, NVLINK


def cluster(hosts=16, hosts_per_domain=1):
    """Hosts of 4 GPUs on 4 rails, 16-port leaves."""
    return FabricDescription(
        fabric=Hosts(name="small", hosts=hosts, gpus_per_host=4, gpu_gbps=400.0),
        leaf=Leaf(radix=16, port_gbps=400.0),
        spine=Spine(radix=32, port_gbps=400.0),
        scale_up=ScaleUp(hosts_per_domain=hosts_per_domain, gpu_gbps=7200.0),
    )


def studied(description, group, size=2.0**20, seed=0, n_threads=None):
    rule = PlacementRule(seed=seed)
    return Scenario.of(description, Collective("all-to-all", size, group), rule=rule, n_threads=n_threads)


@pytest.mark.parametrize("routing", [Adaptive(), Ecmp(), DModK()])
def test_rail_aligned_groups_behind_one_leaf_set_touch_no_spine(routing):
    """Groups of 8 hosts = one leaf per rail: with PXN nothing is left for the spines, without it most is."""
    topology = build(cluster())
    placement = packed(topology)
    direct = all_to_all(Groups.consecutive(64, 32), 2.0**20)
    aligned = rail_aligned(direct, domain_of_rank(topology, placement), rail_of_rank(topology, placement))
    isl = topology.link_kind == ISL
    assert (schedule_loads(topology, aligned, placement, routing).total.bytes[isl] == 0).all()
    before = schedule_loads(topology, direct, placement, routing).total.bytes[isl]
    # 24 of a rank's 28 far peers are on other rails; each such pair climbs once and comes down once.
    assert before.sum() == pytest.approx(64 * 21 * 2.0**20 / 32 * 2)


def test_ladder_gains_where_it_should():
    rungs = ladder(studied(cluster(), 32))
    assert [rung.outcome.step for rung in rungs] == ["naive", "+wiring", "+transport", "+placement", "+routing"]
    times = [rung.outcome.time_s for rung in rungs]
    for before, after, rung in zip(times, times[1:], rungs[1:], strict=False):
        assert rung.gain == pytest.approx(before / after)
    # Rail-aware: 28 of 32 peers are in other hosts, each GPU's NIC carries exactly its own bytes.
    assert times[-1] == pytest.approx(28 / 32 * 2**20 * 8 / 400e9)
    assert rungs[-1].outcome.busbw_GBps == pytest.approx(2**20 * 31 / 32 / times[-1] / 1e9)
    # The naive design's hashes collide on some uplink.
    assert times[0] > times[-1]
    # Nothing is left between switches for adaptive routing to spread.
    assert rungs[-1].without == pytest.approx(1.0)
    assert all(rung.without is not None and rung.without >= 1.0 for rung in rungs[1:])


def test_groups_inside_a_domain_leave_the_fabric():
    """The scheduler's part: expert-parallel groups inside one NVLink domain load no NIC at all."""
    rungs = ladder(studied(cluster(hosts_per_domain=4), 16))
    final = rungs[-1].outcome.loads.total
    assert (final.bytes[final.topology.link_kind != NVLINK] == 0).all()
    assert rungs[-1].outcome.time_s == pytest.approx(15 / 16 * 2**20 * 8 / 7200e9)


def test_the_same_seed_gives_the_same_ladder():
    one, two = (ladder(studied(cluster(), 16, seed=3, n_threads=n), Ecmp(seed=3)) for n in (1, 2))
    for a, b in zip(one, two, strict=True):
        assert a.outcome.loads.total.bytes.tobytes() == b.outcome.loads.total.bytes.tobytes()
    assert one[0].outcome.time_s != ladder(studied(cluster(), 16, seed=3), Ecmp(seed=4))[0].outcome.time_s
