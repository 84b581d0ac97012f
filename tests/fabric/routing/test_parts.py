"""Loads added up from parts have the bytes of those of one machine, whoever routed which part."""

import random
import re

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import AllToAll, Flows, Groups, InputError, Phase, Reduction, Schedule
from fabric.builders import build, fat_tree
from fabric.formats.opening import open_fabric, open_lfts
from fabric.jobs.placement import Placement, packed
from fabric.routing import chunks
from fabric.routing.link_loads import schedule_loads
from fabric.routing.match_lfts import match_lfts
from fabric.routing.parts import N_PARTS, LoadsPart, loads_of_parts, part_of_loads
from fabric.routing.policies import Adaptive, DModK, Ecmp, LinkWeights
from fabric.routing.unroutable import Unroutable
from tests.fabric.routing.test_sweep import DATA, POLICIES, policy_name
from tests.random_fabrics import all_to_all_demands, fabrics, flow_demands


def by_parts(topology, schedule, placement, routing):
    """The same, part by part in any order, each through its bytes."""
    numbers = list(range(N_PARTS))
    random.Random(topology.n_links).shuffle(numbers)
    parts = [part_of_loads(topology, schedule, placement, routing, number).to_bytes() for number in numbers]
    return loads_of_parts(topology, schedule, placement, routing, [LoadsPart.from_bytes(part) for part in parts])


def same(found, expected):
    assert [one.bytes.tobytes() for one in found.phases] == [one.bytes.tobytes() for one in expected.phases]
    assert found.total.bytes.tobytes() == expected.total.bytes.tobytes()
    assert found.total.unrouted == expected.total.unrouted
    assert (found.repeats, found.labels, found.overlap) == (expected.repeats, expected.labels, expected.overlap)


@st.composite
def cases(draw):
    topology = draw(fabrics())
    n = topology.n_endpoints
    demands = draw(st.lists(st.one_of(flow_demands(n), all_to_all_demands(n)), min_size=1, max_size=3))
    schedule = Schedule(tuple(Phase((demand,), 1 + place, str(place)) for place, demand in enumerate(demands)))
    placement = Placement(np.array(draw(st.permutations(range(n))), np.int32))
    return topology, schedule, placement


@pytest.mark.parametrize("chunk_bytes", [chunks._CHUNK_BYTES, 4000.0])
@pytest.mark.parametrize("routing", [*POLICIES, "weights"], ids=policy_name)
def test_parts_add_up_to_the_same_bytes(routing, chunk_bytes, monkeypatch):
    # Few bytes for the sums: fewer chunks than parts.
    monkeypatch.setattr(chunks, "_CHUNK_BYTES", chunk_bytes)

    @settings(deadline=None, max_examples=8)
    @given(cases())
    def check(case):
        topology, schedule, placement = case
        policy = LinkWeights(1.0 + np.arange(topology.n_links) % 3) if routing == "weights" else routing
        try:
            expected = schedule_loads(topology, schedule, placement, policy)
        except Unroutable as error:
            with pytest.raises(Unroutable, match=f"^{re.escape(str(error))}$"):
                by_parts(topology, schedule, placement, policy)
            return
        same(by_parts(topology, schedule, placement, policy), expected)

    check()


def test_tables_and_pairs_that_they_leave_out():
    topology = open_fabric(DATA / "naive64-updn.ibnetdiscover.gz")
    dump = open_lfts(DATA / "naive64-updn.lfts.gz")
    routing = match_lfts(dump, topology.topology, topology.origin, skip_unrouted=True).routing
    holes = routing.next_link.copy()
    holes[::7, ::3] = -1
    broken = type(routing)("holes", routing.row_start, routing.lid, holes, skip_unrouted=True)
    n = topology.topology.n_endpoints
    rng = np.random.default_rng(1)
    demands = (
        AllToAll(Groups.consecutive(n, n), np.ones(n), np.ones(n)),
        Flows(np.arange(n, dtype=np.int32), rng.permutation(n).astype(np.int32), rng.random(n)),
    )
    schedule = Schedule(tuple(Phase((one,), 1, "") for one in demands))
    problem = topology.topology, schedule, packed(topology.topology)
    expected = schedule_loads(*problem, broken)
    assert expected.total.unrouted.pairs > 0
    same(by_parts(*problem, broken), expected)
    same(by_parts(*problem, routing), schedule_loads(*problem, routing))


def test_what_switches_reduce_and_what_no_policy_cuts_up():
    """A reduction goes along trees, and is not cut up: it is in the sum once."""
    given = open_fabric("hgx-b200-64").topology
    n = given.n_endpoints
    demands = (
        Reduction(Groups.consecutive(n, n), np.array([1e6])),
        AllToAll(Groups.consecutive(n, 16), np.ones(n), np.ones(n)),
    )
    problem = given, Schedule((Phase(demands, 3, "both"),)), packed(given)
    same(by_parts(*problem, Adaptive()), schedule_loads(*problem, Adaptive()))


def test_parts_share_the_work():
    """No part is another one's work: their sums differ, and a part alone has a share of the bytes."""
    topology = build(fat_tree(8))
    n = topology.n_endpoints
    schedule = Schedule((Phase((AllToAll(Groups.consecutive(n, n), np.ones(n), np.ones(n)),), 1, ""),))
    whole = schedule_loads(topology, schedule, packed(topology), DModK()).total.bytes.sum()
    parts = [part_of_loads(topology, schedule, packed(topology), DModK(), number) for number in range(N_PARTS)]
    carried = [part.sweeps[0].sums[0].sum() for part in parts]
    assert 0 < min(carried) <= max(carried) < whole / N_PARTS


def test_what_does_not_belong_together_is_refused():
    topology, other = build(fat_tree(4)), build(fat_tree(8))
    n = topology.n_endpoints
    schedule = Schedule((Phase((AllToAll(Groups.consecutive(n, n), np.ones(n), np.ones(n)),), 1, ""),))
    problem = topology, schedule, packed(topology), Ecmp()
    parts = [part_of_loads(*problem, number) for number in range(N_PARTS)]
    for wrong in (parts[1:], [*parts, parts[0]], []):
        with pytest.raises(InputError, match="expected each of 0 to 15 once"):
            loads_of_parts(*problem, wrong)
    with pytest.raises(InputError, match="another fabric, job or routing"):
        loads_of_parts(other, schedule, packed(other), Ecmp(), parts)
    with pytest.raises(InputError, match="another fabric, job or routing"):
        loads_of_parts(topology, Schedule(schedule.phases * 2), packed(topology), Ecmp(), parts)
    with pytest.raises(InputError, match="part 16: expected 0 to 15"):
        part_of_loads(*problem, 16)
