"""Ways along forwarding tables: where they end, in one vocabulary, and the links of each flow."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import InputError
from fabric._kernels.arrays import WayEnd
from fabric._kernels.lft_walk import peel_turns, way_states
from fabric.formats.infiniband.lfts import NO_ENTRY, LftDump
from fabric.routing.lft_walk import lft_arrays
from fabric.routing.match_lfts import match_lfts
from fabric.routing.paths import route_flows
from fabric.routing.policies import Lft
from fabric.studies import health
from fabric.topology import ENDPOINT, SWITCH
from tests.fabric.kernels.test_paths import bytes_of_each_flow
from tests.fabric.routing.test_lft_walk import table_cases
from tests.naive.lft_walk import naive_lft_flow_bytes, naive_peeled, naive_way_end
from tests.random_fabrics import topology_of


def states(topology, routing):
    state = np.zeros(routing.next_link.shape, np.int8)
    way_states(lft_arrays(topology, routing), state)
    return state


@pytest.mark.kernels
@settings(deadline=None, max_examples=150)
@given(table_cases(lambda n: st.just(n)))
def test_ways_end_where_the_slow_walk_does(case):
    topology, _, _, routing = case
    switches = np.flatnonzero(topology.nodes.kind == SWITCH)
    expected = [[naive_way_end(topology, routing, row, int(at)) for at in switches] for row in range(len(routing.lid))]
    np.testing.assert_array_equal(states(topology, routing), np.array(expected).reshape(routing.next_link.shape))


def two_switches():
    """Endpoints 0 and 1 on switches 2 and 3; ports: 1 to the endpoint, 2 to the other switch."""
    fabric = topology_of([ENDPOINT] * 2 + [SWITCH] * 2, [(0, 2, 1, 1), (1, 3, 1, 1), (2, 3, 1, 1)])
    link = {
        (int(tail), int(port)): number
        for number, (tail, port) in enumerate(zip(fabric.link_tail, fabric.link_tail_port, strict=True))
    }
    return fabric, link


# Ports that the switches' tables name for endpoint 0, and how the ways from them end.
ENDS = {
    (1, 2): (WayEnd.REACHES, WayEnd.REACHES),
    (NO_ENTRY, 2): (WayEnd.NO_ENTRY, WayEnd.NO_ENTRY),
    (9, 2): (WayEnd.DEAD_PORT, WayEnd.DEAD_PORT),
    (0, 2): (WayEnd.WRONG_END, WayEnd.WRONG_END),
    (1, 1): (WayEnd.REACHES, WayEnd.WRONG_END),
    (2, 2): (WayEnd.LOOP, WayEnd.LOOP),
}


@pytest.mark.kernels
@pytest.mark.parametrize("ports", ENDS)
def test_matching_kernels_twin_and_words_agree_on_every_code(ports):
    """A subnet manager's dump of the tables, through all that know the codes."""
    fabric, _ = two_switches()
    port = np.full((2, 3), NO_ENTRY, np.int16)
    port[:, 1], port[:, 2] = ports, (2, 1)
    dump = LftDump("dump", (1, 2), ("s2", "s3"), port, {}, {1: "h0", 2: "h1"})
    matched = match_lfts(dump, fabric)
    ends = states(fabric, matched.routing)[0]
    assert tuple(ends) == ENDS[ports]
    assert tuple(naive_way_end(fabric, matched.routing, 0, node) for node in (2, 3)) == ENDS[ports]
    found = {finding.kind for finding in health.check_fabric(fabric, matched).findings}
    lost = {end.name.lower().replace("_", " ") for end in ENDS[ports] if end != WayEnd.REACHES}
    assert found & {"no entry", "dead port", "wrong end", "loop"} == ({lost.pop()} if ends[1] < 0 else set())


def test_every_code_is_met():
    met = {end for ends in ENDS.values() for end in ends}
    assert met == set(WayEnd) - {WayEnd.UNKNOWN}
    assert len({int(end) for end in WayEnd}) == len(WayEnd)


@pytest.mark.kernels
@settings(deadline=None, max_examples=100)
@given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_what_remains_lies_on_or_behind_cycles(turns):
    left = np.zeros(6, np.bool_)
    n_left = peel_turns(np.array(sorted(turns), np.int64).reshape(-1, 2), 6, left)
    assert set(np.flatnonzero(left)) == naive_peeled(turns, 6)
    assert n_left == left.sum()


@pytest.mark.kernels
@settings(deadline=None, max_examples=60)
@given(table_cases(lambda n: st.just(n)))
def test_paths_along_tables_equal_the_slow_walk(case):
    topology, n, _, drawn = case
    routing: Lft = replace(drawn, skip_unrouted=False)
    src, dst = (ends.ravel().astype(np.int32) for ends in np.indices((n, n)))
    expected = naive_lft_flow_bytes(topology, src, dst, routing)
    has_way = np.array([row is not None for row in expected])
    got = bytes_of_each_flow(topology, src[has_way], dst[has_way], routing)
    np.testing.assert_allclose(got, np.array([row for row in expected if row is not None]), rtol=1e-9, atol=1e-12)
    if not has_way.all():
        with pytest.raises(InputError, match="no route from"):
            route_flows(topology, src, dst, routing)
