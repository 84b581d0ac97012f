"""Destinations swept together: the same bytes as one by one, whatever is broken, and as many DAGs as there must be."""

import sys
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import railscope as rs
from collectives import AllToAll, Flows, Groups, InputError
from fabric.builders import build, fat_tree
from fabric.jobs.placement import Placement, packed
from fabric.routing import adaptive
from fabric.routing.layer import layer_of
from fabric.routing.link_loads import link_loads
from fabric.routing.shared_ends import shared_ends_of
from fabric.topology import ENDPOINT, NVSWITCH, SWITCH, UNKNOWN
from tests.random_fabrics import GBPS, topology_of


def loads_of(topology, demand, placement, shared_by):
    """Bytes per link where classes share a DAG with that many others; the error's text where there is no way."""
    with mock.patch.object(adaptive, "shared_ends_of", lambda layer: shared_ends_of(layer, shared_by)):
        try:
            return link_loads(topology, demand, placement).bytes
        except InputError as error:
            return str(error).split(" from ")[0]


@st.composite
def damaged_clos(draw):
    """Pods of leaves and spines under cores, in planes, with parallel cables, some missing or slower; NVLink domains."""
    planes, pods = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    leaves, spines, cores = draw(st.integers(2, 3)), draw(st.integers(1, 2)), draw(st.integers(0, 2))
    per_leaf, parallel = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    n_endpoints = pods * leaves * per_leaf
    kinds = [ENDPOINT] * n_endpoints
    cables = []

    def switches(count):
        kinds.extend([SWITCH] * count)
        return range(len(kinds) - count, len(kinds))

    for _ in range(planes):
        top = switches(cores * spines)
        for pod in range(pods):
            own_leaves, own_spines = switches(leaves), switches(spines)
            for number, leaf in enumerate(own_leaves):
                first = (pod * leaves + number) * per_leaf
                cables += [(first + port, leaf, 400.0, 400.0) for port in range(per_leaf)]
                cables += [(leaf, spine, 200.0, 200.0) for spine in own_spines for _ in range(parallel)]
            for number, spine in enumerate(own_spines):
                cables += [(spine, top[number * cores + core], 200.0, 200.0) for core in range(cores)]
    for _ in range(draw(st.integers(0, 4))):
        broken = draw(st.integers(0, len(cables) - 1))
        if draw(st.booleans()) and len(cables) > 1:
            del cables[broken]
        else:
            a, b, _, _ = cables[broken]
            cables[broken] = (a, b, draw(GBPS), draw(GBPS))
    domain = [UNKNOWN] * len(kinds)
    size = draw(st.integers(0, 4))
    if size > 1:
        for home in range(-(-n_endpoints // size)):
            members = range(home * size, min((home + 1) * size, n_endpoints))
            # Two NVLink switches, each with its part of the domain, so that some bytes go from one to the other.
            one, other = len(kinds), len(kinds) + 1
            kinds += [NVSWITCH, NVSWITCH]
            domain += [home, home]
            cables.append((one, other, 7200.0, 7200.0))
            for endpoint in members:
                domain[endpoint] = home
                cables.append((endpoint, draw(st.sampled_from([one, other])), 7200.0, 7200.0))
    return topology_of(kinds, cables, domain=domain)


@st.composite
def demands(draw, n):
    weights = st.lists(st.sampled_from([0.0, 1.0, 2.0, 0.7]), min_size=n, max_size=n).map(np.array)
    if draw(st.booleans()):
        size = draw(st.sampled_from([one for one in range(1, n + 1) if n % one == 0]))
        block = draw(st.none() | st.lists(st.integers(0, 2), min_size=n, max_size=n).map(np.array))
        groups = Groups.of(np.array(draw(st.permutations(range(n)))).reshape(-1, size).tolist())
        uniform = draw(st.booleans())
        return AllToAll(
            groups, np.ones(n) if uniform else draw(weights), np.ones(n) if uniform else draw(weights), block
        )
    rows = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), min_size=1, max_size=20))
    src, dst = (np.array(column) for column in zip(*rows, strict=True))
    return Flows(
        src, dst, np.array(draw(st.lists(st.sampled_from([0.0, 1.0, 5e9]), min_size=len(rows), max_size=len(rows))))
    )


@settings(deadline=None, max_examples=400)
@given(damaged_clos(), st.data())
def test_together_as_one_by_one(topology, data):
    n = topology.n_endpoints
    demand = data.draw(demands(n))
    placement = Placement(np.array(data.draw(st.permutations(range(n))), np.int32))
    alone = loads_of(topology, demand, placement, sys.maxsize)
    for shared_by in (1, 2):
        together = loads_of(topology, demand, placement, shared_by)
        if isinstance(alone, str):
            assert together == alone == "no path"
            continue
        np.testing.assert_allclose(together, alone, rtol=1e-12, atol=1e-12 * alone.max(initial=0.0))
        np.testing.assert_array_equal(together == 0, alone == 0)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_do_not_matter(threads):
    topology = build(fat_tree(8))
    demand = AllToAll(Groups.consecutive(128, 64), np.arange(128.0), np.ones(128))
    expected = link_loads(topology, demand, packed(topology), n_threads=3)
    assert link_loads(topology, demand, packed(topology), n_threads=threads).bytes.tobytes() == expected.bytes.tobytes()


def dags(topology):
    """How many DAGs a sweep of the scale-out layer needs: different last hops, not pieces of them."""
    ends = shared_ends_of(layer_of(topology, SWITCH))
    first = ends.shared.attachment[ends.shared.item_start[:-1]]
    vectors = {
        (ends.hops.switch[a:b].tobytes(), ends.hops.gbps[a:b].tobytes(), ends.hops.alone[a:b].tobytes())
        for a, b in ((ends.hops.start[one], ends.hops.start[one + 1]) for one in first)
    }
    return len(vectors) + len(ends.apart)


def test_one_dag_for_leaves_that_look_alike():
    # Two tiers: all leaves are under the same spines.  Three: those of a pod.
    assert dags(rs.open_fabric("superpod-h100-1016").topology) <= 32
    fabric = rs.opened_fabric(fat_tree(8))
    assert dags(fabric.topology) == 8
    # Without one of its cables a leaf looks different; one to a core no leaf sees.
    assert dags(fabric.with_faults([rs.Fault("link", "pod5-r0-l01 -> pod5-s00")]).topology) == 9
    assert dags(fabric.with_faults([rs.Fault("link", "pod3-s02 -> c08")]).topology) == 8


@pytest.mark.parametrize("attached", [0, 2])
@pytest.mark.parametrize("kind", ["flows", "all-to-all"])
def test_endpoints_without_a_cable_are_refused(attached, kind):
    """The last of three has none, or none has one; only it receives, so that no source tells."""
    cables = [(endpoint, 3, 400.0, 400.0) for endpoint in range(attached)]
    topology = topology_of([ENDPOINT] * 3 + [SWITCH, SWITCH], [*cables, (3, 4, 400.0, 400.0)])
    last = np.array([0.0, 0.0, 1.0])
    all_to_all = AllToAll(Groups.consecutive(3, 3), np.array([1.0, 0.0, 0.0]), last)
    demand = Flows(np.array([0]), np.array([2]), np.ones(1)) if kind == "flows" else all_to_all
    with pytest.raises(InputError, match="no path from h0 to h2"):
        link_loads(topology, demand, packed(topology))
