"""Scale-up domains without a switch: every pair has its own link, rings use all of them alike."""

from dataclasses import replace

import numpy as np
import pytest

from collectives import AllToAll, Flows, Groups, InputError, Phase, Schedule, collective_schedule
from fabric.bounds.cuts import traffic_bound
from fabric.bounds.linear_program import linear_program_bound
from fabric.builders import build, read_preset
from fabric.builders.changes import changed_description
from fabric.builders.description import FabricDescription, Hosts, Leaf, ScaleUp, Spine
from fabric.builders.nvlink import with_mesh
from fabric.formats.node_link import read_node_link, write_node_link
from fabric.jobs.placement import Placement, packed
from fabric.routing.link_loads import link_loads, schedule_loads
from fabric.routing.paths import route_flows
from fabric.routing.unroutable import Unroutable
from fabric.topology import ENDPOINT, NIC, NVLINK, NVSWITCH, PEER, SWITCH
from tests.random_fabrics import topology_of

GB = 1e9


def mesh_fabric(hosts=2, gpus=8, link_gbps=512.0, kind="mesh", hosts_per_domain=1):
    members = gpus * hosts_per_domain
    return FabricDescription(
        fabric=Hosts(name="mesh", hosts=hosts, gpus_per_host=gpus, gpu_gbps=400.0),
        leaf=Leaf(radix=64, port_gbps=400.0, down_ports=max(hosts, gpus)),
        spine=Spine(radix=512, port_gbps=400.0),
        scale_up=ScaleUp(hosts_per_domain=hosts_per_domain, gpu_gbps=link_gbps * (members - 1), kind=kind),
    )


def busbw_GBps(topology, collective, placement, algorithm, rounds, n):
    """Of one group of all ranks, from the bottleneck alone."""
    domain, rail = topology.endpoint_domain[placement.endpoint], topology.endpoint_rail[placement.endpoint]
    schedule = collective_schedule(collective, Groups.consecutive(n, n), 8 * GB, algorithm, domain, rail)
    time_s = schedule_loads(topology, schedule, placement).bottleneck_time_s
    return rounds * (n - 1) / n * 8 / time_s


def test_every_two_gpus_of_a_domain_have_a_link_and_there_is_no_switch():
    topology = build(mesh_fabric(hosts=3))
    links = np.flatnonzero(topology.link_kind == NVLINK)
    assert links.size == 3 * 8 * 7
    assert not (topology.nodes.kind == NVSWITCH).any()
    assert set(topology.link_direction[links]) == {PEER}
    pairs = set(zip(topology.link_tail[links].tolist(), topology.link_head[links].tolist(), strict=True))
    assert pairs == {(a, b) for a in range(24) for b in range(24) if a != b and a // 8 == b // 8}
    assert (topology.link_capacity_gbps[links] == 512.0).all()
    assert topology.nvlink_gbps == 3584.0
    assert topology.endpoint_domain.tolist() == np.repeat([0, 1, 2], 8).tolist()
    # Ports 2 to 8 of each GPU, each once.
    for gpu in range(24):
        own = links[topology.link_tail[links] == gpu]
        assert sorted(topology.link_tail_port[own].tolist()) == list(range(2, 9))


def test_a_last_domain_of_fewer_hosts_has_links_as_fast():
    topology = build(mesh_fabric(hosts=3, gpus=4, hosts_per_domain=2, link_gbps=100.0))
    links = topology.link_kind == NVLINK
    assert np.bincount(topology.link_tail[links])[:12].tolist() == [7] * 8 + [3] * 4
    assert set(topology.link_capacity_gbps[links]) == {100.0}
    lone = build(mesh_fabric(hosts=3, gpus=1, hosts_per_domain=2, link_gbps=100.0))
    assert lone.endpoint_domain.tolist() == [0, 0, -1]
    with pytest.raises(InputError, match=r"scale_up\.kind: a mesh of 1 GPU; expected domains of 2 or more"):
        build(changed_description(mesh_fabric(gpus=2), {"fabric.gpus_per_host": 1}))


@pytest.mark.parametrize(("collective", "rounds"), [("all-reduce", 2), ("all-gather", 1), ("reduce-scatter", 1)])
@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 7, 8])
def test_rings_of_part_of_a_domain_get_n_minus_1_links(collective, rounds, n):
    """MI300X: 64 GB/s x (n - 1) of busbw; through a switch of 448 GB/s the same job would get 448."""
    placement = packed(build(mesh_fabric()), n)
    rings = (collective, placement, "rings", rounds, n)
    assert busbw_GBps(build(mesh_fabric()), *rings) == pytest.approx(64.0 * (n - 1), rel=1e-9)
    assert busbw_GBps(build(mesh_fabric(kind="switch")), *rings) == pytest.approx(448.0, rel=1e-9)


def test_four_gh200_are_a_mesh_too():
    """18 NVLink 4 links of 25 GB/s over 3 others: 150 GB/s to each (nodes of Alps, arXiv 2408.11556)."""
    topology = build(mesh_fabric(gpus=4, link_gbps=1200.0))
    assert busbw_GBps(topology, "all-reduce", packed(topology, 4), "rings", 2, 4) == pytest.approx(450.0)
    assert busbw_GBps(topology, "all-gather", packed(topology, 2), "rings", 1, 2) == pytest.approx(150.0)


@pytest.mark.parametrize("collective", ["all-reduce", "all-gather", "reduce-scatter"])
@pytest.mark.parametrize("group", [8, 16, 32])
def test_rings_load_all_xgmi_links_and_all_nics_alike(collective, group):
    topology = build(mesh_fabric(hosts=4))
    schedule = collective_schedule(
        collective, Groups.consecutive(32, group), GB, "rings", topology.endpoint_domain, topology.endpoint_rail
    )
    loads = schedule_loads(topology, schedule, packed(topology)).total.bytes
    for kind in (NVLINK, NIC) if group > 8 else (NVLINK,):
        own = loads[topology.link_kind == kind]
        assert own.min() > 0
        np.testing.assert_allclose(own, own.mean(), rtol=1e-12)


def test_one_ring_uses_one_link_of_seven():
    topology = build(mesh_fabric())
    assert busbw_GBps(topology, "all-reduce", packed(topology, 8), "ring", 2, 8) == pytest.approx(64.0)


def test_an_all_to_all_puts_each_pair_on_its_own_link():
    topology = build(mesh_fabric())
    send, receive = np.arange(1.0, 17.0), np.arange(16.0, 0.0, -1.0)
    demand = AllToAll(Groups.consecutive(16, 16), send, receive)
    loads = link_loads(topology, demand, packed(topology)).bytes
    for link in np.flatnonzero(topology.link_kind == NVLINK):
        a, b = int(topology.link_tail[link]), int(topology.link_head[link])
        assert loads[link] == send[a] * receive[b]


@pytest.mark.parametrize("algorithm", ["direct", "pxn", "two-phase", "pairwise"])
def test_bytes_into_every_gpu_are_bytes_out(algorithm):
    """PXN and two-phase hop over links of the mesh first: what ends at a GPU is its share, what passes goes on."""
    topology = build(mesh_fabric(hosts=4))
    n = 32
    schedule = collective_schedule(
        "all-to-all", Groups.consecutive(n, n), float(n), algorithm, topology.endpoint_domain, topology.endpoint_rail
    )
    loads = schedule_loads(topology, schedule, packed(topology)).total.bytes
    out, into = (np.bincount(ends, loads, topology.n_nodes) for ends in (topology.link_tail, topology.link_head))
    np.testing.assert_allclose(out, into, rtol=1e-9, atol=1e-9)
    across = loads[(topology.link_kind == NIC) & (topology.nodes.kind[topology.link_tail] == ENDPOINT)]
    np.testing.assert_allclose(across, 24.0)


def test_a_path_is_the_direct_link():
    topology = build(mesh_fabric())
    routed = route_flows(topology, np.array([0, 3], np.int32), np.array([5, 11], np.int32))
    hops = {int(flow): routed.paths.chosen(np.array([row])).link for row, flow in enumerate(routed.flow)}
    assert [(int(topology.link_tail[link]), int(topology.link_head[link])) for link in hops[0]] == [(0, 5)]
    assert set(topology.link_kind[hops[1]]) == {NIC}


def test_parallel_links_share_by_capacity_and_missing_ones_are_refused():
    kinds = [ENDPOINT, ENDPOINT, ENDPOINT, SWITCH]
    cables = [(0, 1, 300.0, 100.0), (0, 1, 100.0, 100.0), (1, 2, 100.0, 100.0)]
    cables += [(endpoint, 3, 400.0, 400.0) for endpoint in range(3)]
    topology = topology_of(kinds, cables, domain=[0, 0, 0, -1])
    place = Placement(np.arange(3, dtype=np.int32))
    loads = link_loads(topology, Flows(np.array([0]), np.array([1]), np.array([8.0])), place).bytes
    assert sorted(loads[loads > 0].tolist()) == [2.0, 6.0]
    # No third GPU forwards, and no NIC stands in: the two have no way.
    for demand in (
        Flows(np.array([0]), np.array([2]), np.array([8.0])),
        AllToAll(Groups.consecutive(3, 3), np.ones(3), np.ones(3)),
    ):
        with pytest.raises(Unroutable, match="no path from h0 to h2"):
            link_loads(topology, demand, place)
    with pytest.raises(Unroutable, match="no path from h2 to h0"):
        route_flows(topology, np.array([2], np.int32), np.array([0], np.int32))


def test_no_routing_beats_the_direct_link_of_two_gpus():
    topology, placement = build(mesh_fabric()), packed(build(mesh_fabric()))
    schedule = Schedule((Phase(Flows(np.array([0, 0]), np.array([1, 2]), np.array([GB, GB / 4]))),))
    bound = traffic_bound(topology, schedule, placement)
    assert bound.time_s == pytest.approx(8 * GB / 512e9)
    assert bound.cut == "pair"
    assert linear_program_bound(topology, schedule, placement).time_s == pytest.approx(bound.time_s)


@pytest.mark.parametrize("algorithm", ["nvls", "nvls-tree"])
def test_nothing_adds_in_a_mesh(algorithm):
    topology = build(read_preset("mi300x-64"))
    schedule = collective_schedule(
        "all-reduce", Groups.consecutive(64, 64), GB, algorithm, topology.endpoint_domain, topology.endpoint_rail
    )
    with pytest.raises(InputError, match="direct links join its members; expected NVLink switches, which can add"):
        schedule_loads(topology, schedule, packed(topology))


def test_a_mesh_put_into_a_dump_is_the_built_one():
    """The same links where hosts come mixed, and lone endpoints stay alone."""
    bare = build(mesh_fabric(hosts=3).model_copy(update={"scale_up": None}))
    again, built = with_mesh(bare, 3584.0), build(mesh_fabric(hosts=3))
    for column in ("link_tail", "link_head", "link_kind", "link_capacity_gbps", "endpoint_domain"):
        np.testing.assert_array_equal(getattr(again, column), getattr(built, column))
    host = np.array([1, 0, 1, 4, 0, 1, -1], np.int32)
    mixed = with_mesh(hosts_of(host), 100.0)
    links = np.flatnonzero(mixed.link_kind == NVLINK)
    pairs = zip(mixed.link_tail[links].tolist(), mixed.link_head[links].tolist(), strict=True)
    assert set(pairs) == {(0, 2), (2, 0), (0, 5), (5, 0), (2, 5), (5, 2), (1, 4), (4, 1)}
    assert mixed.endpoint_domain.tolist() == [1, 0, 1, -1, 0, 1, -1]
    assert mixed.link_capacity_gbps[links].tolist() == [
        100.0 if link in (1, 4) else 50.0 for link in mixed.link_tail[links]
    ]
    for gbps, message in ((0.0, "0 Gb/s; expected a finite number > 0"), (1.0, "mesh: has scale-up domains already")):
        with pytest.raises(InputError, match=message):
            with_mesh(built, gbps)


def hosts_of(host):
    """Endpoints of these hosts on one switch."""
    n = host.size
    star = topology_of([ENDPOINT] * n + [SWITCH], [(endpoint, n, 400.0, 400.0) for endpoint in range(n)])
    return replace(star, nodes=replace(star.nodes, host=np.append(host, np.int32(-1))))


def test_node_link_keeps_a_mesh(tmp_path):
    topology = build(mesh_fabric())
    write_node_link(topology, tmp_path / "mesh.json")
    again = read_node_link(tmp_path / "mesh.json")
    assert again.nodes.name == topology.nodes.name
    for column in ("link_tail", "link_head", "link_kind", "link_capacity_gbps", "link_tail_port", "endpoint_domain"):
        np.testing.assert_array_equal(getattr(again, column), getattr(topology, column))


@pytest.mark.parametrize(("preset", "gbps"), [("mi300x-64", 512.0), ("mi355x-64", 614.4)])
def test_presets_have_seven_links_a_gpu(preset, gbps):
    topology = build(read_preset(preset))
    links = topology.link_kind == NVLINK
    assert np.bincount(topology.link_tail[links])[:64].tolist() == [7] * 64
    assert topology.link_capacity_gbps[links] == pytest.approx(gbps)
    assert topology.nvlink_gbps == pytest.approx(7 * gbps)
