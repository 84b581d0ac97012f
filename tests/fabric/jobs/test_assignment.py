"""Proposed orders of a job's hosts, against every order there is on small ones."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import InputError
from fabric.builders import build, read_preset
from fabric.jobs.assignment import AS_IT_WAS, best_order, count_straddling, fewest_straddling
from fabric.jobs.occupancy import busy_cluster
from fabric.jobs.placement import Placement, packed, scattered
from fabric.topology import ENDPOINT, NVSWITCH, SWITCH, UNKNOWN, Cables, Nodes, Topology


def cluster(domains, leaf_of, gpus):
    """Hosts of so many GPUs each: host h in NVLink domain domains[h], on leaf leaf_of[h]."""
    n_hosts, n_domains, n_leaves = len(gpus), max(domains) + 1, max(leaf_of) + 1
    host = np.repeat(np.arange(n_hosts), gpus)
    n = host.size
    domain, leaf = np.array(domains)[host], np.array(leaf_of)[host]
    used = np.unique(domain)
    n_nodes = n + used.size + n_leaves + 1
    kind = np.full(n_nodes, SWITCH)
    kind[:n], kind[n : n + used.size] = ENDPOINT, NVSWITCH
    unknown = np.full(n_nodes, UNKNOWN)
    hosts = unknown.copy()
    hosts[:n] = host
    nodes = Nodes(tuple(f"n{i}" for i in range(n_nodes)), kind, unknown, hosts, unknown, unknown, unknown)
    leaves = n + used.size
    a = np.concatenate([np.arange(n), np.arange(n), leaves + np.arange(n_leaves)])
    b = np.concatenate([n + np.searchsorted(used, domain), leaves + leaf, np.full(n_leaves, n_nodes - 1)])
    port, gbps = np.full(a.size, UNKNOWN), np.full(a.size, 400.0)
    assert n_domains >= used.size
    return Topology.from_cables("small", nodes, Cables(a, b, port, port, gbps, gbps))


@st.composite
def jobs(draw, uniform):
    n_hosts = draw(st.integers(1, 6))
    domains = draw(st.lists(st.integers(0, 2), min_size=n_hosts, max_size=n_hosts))
    leaf_of = draw(st.lists(st.integers(0, 1), min_size=n_hosts, max_size=n_hosts))
    size = draw(st.integers(1, 3))
    gpus = [size if uniform else draw(st.integers(1, 3)) for _ in range(n_hosts)]
    total = sum(gpus)
    unit = size * draw(st.integers(1, n_hosts)) if uniform else draw(st.integers(1, total))
    topology = cluster(domains, leaf_of, gpus)
    order = draw(st.permutations(range(n_hosts)))
    starts = np.concatenate([[0], np.cumsum(gpus)])
    endpoint = np.concatenate([np.arange(starts[host], starts[host + 1]) for host in order])
    return topology, Placement(endpoint), unit


def straddling_by_hand(domain, unit):
    return sum(len({*domain[start : start + unit].tolist()}) > 1 for start in range(0, len(domain), unit))


@settings(deadline=None, max_examples=80)
@given(jobs(uniform=False))
def test_the_same_endpoints_never_below_the_bound_and_never_worse(job):
    topology, placement, unit = job
    found = best_order(topology, placement, unit)
    assert sorted(found.placement.endpoint.tolist()) == sorted(placement.endpoint.tolist())
    own = topology.endpoint_domain[found.placement.endpoint]
    assert found.straddling == straddling_by_hand(own, unit)
    assert found.bound <= found.straddling <= straddling_by_hand(topology.endpoint_domain[placement.endpoint], unit)
    assert found.leaf_bound <= found.straddling_leaves
    again = best_order(topology, placement, unit)
    np.testing.assert_array_equal(again.placement.endpoint, found.placement.endpoint)


@settings(deadline=None, max_examples=25)
@given(jobs(uniform=True))
def test_the_best_of_all_orders_where_hosts_divide_the_unit(job):
    topology, placement, unit = job
    found = best_order(topology, placement, unit)
    host = topology.endpoint_host[placement.endpoint]
    numbers = np.unique(host)
    per_host = placement.n_ranks // numbers.size
    domain_of = {
        int(number): int(topology.endpoint_domain[placement.endpoint[host == number][0]]) for number in numbers
    }
    best = min(
        straddling_by_hand(np.repeat([domain_of[number] for number in order], per_host), unit)
        for order in set(permutations(numbers.tolist()))
    )
    assert found.straddling == best == found.bound


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=7), st.integers(1, 7))
def test_the_bound_is_what_the_best_order_of_single_ranks_has(group, unit):
    best = min(count_straddling(order, unit) for order in set(permutations(group)))
    assert fewest_straddling(group, unit) == best


def test_scattered_racks_are_put_in_order():
    racks = build(read_preset("gb300-2048"))
    shuffled = scattered(racks, 2048, 64, seed=3)
    found = best_order(racks, shuffled, 64)
    assert (found.straddling, found.bound) == (0, 0)
    assert count_straddling(racks.endpoint_domain[shuffled.endpoint].tolist(), 64) == 32
    # All 18 trays of each rack: of 36 units 32 fit, and 4 are made of what is left over.
    found = best_order(racks, packed(racks, 2304), 64)
    assert (found.straddling, found.bound) == (4, 4)
    assert found.heuristic != AS_IT_WAS
    assert best_order(racks, packed(racks, 2048, 64), 64).straddling == 0


def test_hosts_without_a_common_domain_are_put_in_order_of_leaves():
    domains, leaf_of = list(range(8)), [0, 1, 0, 1, 0, 1, 0, 1]
    topology = cluster(domains, leaf_of, [2] * 8)
    found = best_order(topology, packed(topology), 8)
    assert (found.straddling, found.bound) == (2, 2)
    assert (found.straddling_leaves, found.leaf_bound) == (0, 0)


@pytest.mark.parametrize("unit", [0, -1, 65])
def test_units_that_are_none_are_refused(unit):
    topology = build(read_preset("hgx-b200-64"))
    with pytest.raises(InputError, match=f"unit: {unit} ranks; expected 1 to 64, the ranks of the job"):
        best_order(topology, packed(topology), unit)


def test_a_real_busy_cluster_is_put_in_order_of_leaves():
    """847 hosts of 8 GPUs on 48 leaves of 3 to 22 hosts: replicas of 8 hosts, as many as can be below one leaf."""
    sizes = [size for leaves in busy_cluster(3) for size in leaves]
    leaf_of = np.repeat(np.arange(48), sizes).tolist()
    topology = cluster(list(range(847)), leaf_of, [8] * 847)
    found = best_order(topology, scattered(topology, seed=1), 64)
    inside = sum(size // 8 for size in sizes)
    assert found.leaf_bound == 106 - inside - any(size % 8 >= 7 for size in sizes)
    assert found.leaf_bound <= found.straddling_leaves <= found.leaf_bound + 1
    assert found.straddling == found.bound == 106
