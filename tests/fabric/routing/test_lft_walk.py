"""Routing by forwarding tables: against real ones, and against slow walks of random ones."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import AllToAll, Demand, Flows, Groups, InputError
from fabric.formats.infiniband.lfts import read_lfts
from fabric.formats.opening import open_fabric
from fabric.jobs.placement import Placement, packed
from fabric.routing.link_loads import link_loads, schedule_loads
from fabric.routing.match_lfts import match_lfts
from fabric.routing.policies import Lft
from fabric.topology import SWITCH
from tests.naive.lft_walk import naive_lft_bytes
from tests.naive.routing import assert_conserved
from tests.random_fabrics import all_to_all_demands, fabrics, flow_demands

DATA = Path(__file__).parents[3] / "tests" / "data" / "infiniband"
REAL = ["rail64-ftree", "naive64-updn", "hurt512-updn"]


def real(name):
    given = open_fabric(str(DATA / f"{name}.ibnetdiscover.gz"))
    matched = match_lfts(read_lfts(DATA / f"{name}.lfts.gz"), given.topology, given.origin)
    return given.topology, matched


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("explicit", [False, True])
def test_real_tables_give_the_expected_load_of_every_port(name, explicit):
    fabric, matched = real(name)
    expected = json.loads(gzip.decompress((DATA / f"{name}.expected.json.gz").read_bytes()))
    n = fabric.n_endpoints
    assert n == expected["endpoints"]
    demand: Demand = AllToAll(Groups.consecutive(n, n), np.ones(n), np.ones(n))
    if explicit:
        src, dst = (ends.ravel() for ends in np.indices((n, n)))
        demand = Flows(src, dst, (src != dst).astype(float))
    loads = link_loads(fabric, demand, packed(fabric), matched.routing)
    got = {
        f"{fabric.nodes.name[fabric.link_tail[link]]}:{fabric.link_tail_port[link]}": float(loads.bytes[link])
        for link in range(fabric.n_links)
    }
    assert got == expected["loads"]
    assert (loads.unrouted.pairs, matched.unowned_lids, matched.without_lft, matched.without_lid) == (0, (), (), ())


@st.composite
def table_cases(draw, demands):
    """A random fabric with random tables: some right, some that lead astray."""
    topology = draw(fabrics(nvlink=False))
    switches = np.flatnonzero(topology.nodes.kind == SWITCH)
    n_lids = draw(st.lists(st.integers(0, 3), min_size=topology.n_endpoints, max_size=topology.n_endpoints))
    row_start = np.concatenate([[0], np.cumsum(n_lids)]).astype(np.int64)
    rows = []
    for endpoint, count in enumerate(n_lids):
        for _ in range(count):
            row = []
            for switch in switches:
                out = range(topology.out_start[switch], topology.out_start[switch + 1])
                home = [link for link in out if topology.link_head[link] == topology.endpoints[endpoint]]
                row.append(
                    draw(st.sampled_from([*home, *home, *out] or [-1]))
                    if draw(st.integers(0, 9))
                    else draw(st.integers(-3, -1))
                )
            rows.append(row)
    next_link = np.array(rows, np.int32).reshape(row_start[-1], switches.size)
    placement = Placement(np.array(draw(st.permutations(range(topology.n_endpoints))), np.int32))
    tables = Lft("random", row_start, np.arange(row_start[-1], dtype=np.int32), next_link, True)
    return topology, draw(demands(topology.n_endpoints)), placement, tables


@pytest.mark.kernels
@pytest.mark.parametrize("demands", [flow_demands, all_to_all_demands])
def test_random_tables_equal_the_slow_walk(demands):
    @settings(deadline=None, max_examples=150)
    @given(table_cases(demands))
    def check(case):
        topology, demand, placement, routing = case
        expected, unrouted = naive_lft_bytes(topology, demand, placement.endpoint, routing)
        loads = link_loads(topology, demand, placement, routing)
        np.testing.assert_allclose(loads.bytes, expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(loads.bytes == 0, expected == 0)
        assert loads.unrouted.pairs == len(unrouted)
        assert loads.unrouted.bytes == pytest.approx(sum(amount for *_, amount in unrouted))
        out = np.bincount(topology.link_tail, loads.bytes, topology.n_nodes)[topology.endpoints]
        into = np.bincount(topology.link_head, loads.bytes, topology.n_nodes)[topology.endpoints]
        assert_conserved(topology, loads.bytes, out, into)
        strict = replace(routing, skip_unrouted=False)
        if unrouted:
            with pytest.raises(InputError, match="random: no route from"):
                link_loads(topology, demand, placement, strict)
        else:
            assert (link_loads(topology, demand, placement, strict).bytes == loads.bytes).all()

    check()


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_give_the_same_bytes(threads):
    fabric, matched = real("hurt512-updn")
    weight = np.random.default_rng(3).random(512)
    demand = AllToAll(Groups.consecutive(512, 128), weight, weight[::-1].copy())
    loads = link_loads(fabric, demand, packed(fabric), matched.routing, threads)
    assert loads.bytes.tobytes() == link_loads(fabric, demand, packed(fabric), matched.routing, 3).bytes.tobytes()


def test_nvlink_takes_a_hosts_pairs_off_the_tables():
    path = str(DATA / "rail64-ftree.ibnetdiscover.gz")
    given = open_fabric(path, nvlink_gbps=7200.0)
    fabric = given.topology
    routing = match_lfts(read_lfts(DATA / "rail64-ftree.lfts.gz"), fabric, given.origin).routing
    demand = AllToAll(Groups.consecutive(64, 64), np.ones(64), np.ones(64))
    loads = link_loads(fabric, demand, packed(fabric), routing)
    out = np.bincount(fabric.link_tail, loads.bytes, fabric.n_nodes)
    by_kind = {kind: loads.bytes[fabric.link_kind == kind].sum() for kind in (0, 2)}
    assert by_kind == {0: 2 * 64 * 56, 2: 2 * 64 * 7}
    assert set(out[fabric.endpoints]) == {63.0}
    with pytest.raises(InputError, match="has scale-up domains already"):
        open_fabric("hgx-b200-64", nvlink_gbps=7200.0)


def test_tables_of_another_fabric_do_not_pass():
    fabric, _ = real("rail64-ftree")
    _, other = real("hurt512-updn")
    with pytest.raises(InputError, match="tables of another fabric"):
        link_loads(fabric, Flows([0], [9], [1.0]), packed(fabric), other.routing)


def test_schedules_carry_what_is_left_out():
    from collectives import ring_all_reduce

    fabric, matched = real("rail64-ftree")
    broken = matched.routing.next_link.copy()
    broken[9] = -1
    routing = replace(matched.routing, next_link=broken, skip_unrouted=True)
    schedule = ring_all_reduce(Groups.consecutive(64, 64), 64.0)
    loads = schedule_loads(fabric, schedule, packed(fabric), routing)
    assert loads.total.unrouted.pairs == 1
    assert loads.total.unrouted.bytes == pytest.approx(2 * 63)
