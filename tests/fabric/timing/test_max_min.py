"""Rates and completions: certificates, slow references, and simulators that others wrote."""

import csv
import gzip
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import AllToAll, Flows, Groups, InputError
from fabric._kernels.arrays import LEVEL, N_OWN, OTHERS, OWN, SERVED, SINCE
from fabric.builders import build, fat_tree
from fabric.jobs.placement import Placement
from fabric.routing.flow_paths import FlowPaths
from fabric.routing.link_loads import link_loads
from fabric.routing.paths import route_flows
from fabric.routing.policies import Adaptive, DModK, Ecmp
from fabric.routing.unroutable import Unroutable
from fabric.timing import max_min
from fabric.timing.equal_flows import equal_flows
from fabric.timing.max_min import completions, max_min_rates
from tests.fabric.routing.test_lft_walk import table_cases
from tests.naive.max_min import matrix, naive_completions, naive_rates
from tests.random_fabrics import fabrics, topology_of

DATA = Path(__file__).parents[3] / "tests" / "data"
CAPACITY = st.sampled_from([1.0, 2.0, 3.0, 10.0, 0.1])


@st.composite
def sharings(draw, max_flows=8, max_links=6):
    """Capacities, and flows over random links, some split."""
    capacity = np.array(draw(st.lists(CAPACITY, min_size=1, max_size=max_links)))
    split = draw(st.booleans())
    rows = draw(
        st.lists(st.lists(st.integers(0, capacity.size - 1), unique=True, max_size=4), min_size=1, max_size=max_flows)
    )
    start = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    link = np.array([hop for row in rows for hop in row], np.int32)
    parts = st.lists(st.sampled_from([0.25, 0.5, 1.0]), min_size=link.size, max_size=link.size)
    return capacity, FlowPaths(start, link, np.array(draw(parts)) if split else None)


def assert_max_min(uses, capacity, rate, weight):
    """The certificate: no link is over its capacity, every flow has a full link on which none is faster."""
    moving = np.flatnonzero(uses.sum(axis=0) > 0)
    load = (uses[:, moving] * (weight * rate)[moving]).sum(axis=1)
    assert (load <= capacity * (1 + 1e-9)).all()
    full = load >= capacity * (1 - 1e-9)
    for flow in moving:
        own = np.flatnonzero((uses[:, flow] > 0) & full)
        assert any(rate[flow] >= rate[moving][uses[link, moving] > 0].max() * (1 - 1e-9) for link in own)


@pytest.mark.kernels
@settings(deadline=None, max_examples=300)
@given(sharings(), st.data())
def test_rates_have_the_certificate_and_equal_the_slow_filling(case, data):
    capacity, paths = case
    weights = st.lists(st.sampled_from([1.0, 2.0, 7.0]), min_size=paths.n_flows, max_size=paths.n_flows)
    weight = np.array(data.draw(weights))
    # Flows of few links at a time, read few at a time, as of many flows.
    with patch.multiple(max_min, _GATHERED_FLOWS=data.draw(st.sampled_from([1, 4, 100])), _BATCH=3):
        rate = max_min_rates(capacity, paths, weight)
    uses = matrix(capacity, paths)
    np.testing.assert_allclose(rate, naive_rates(uses, capacity, weight), rtol=1e-9)
    assert_max_min(uses, capacity, rate, weight)


SIZES = st.sampled_from([0.0, 1.0, 2.0, 2.0, 5.0, 7.5])


@pytest.mark.kernels
@settings(deadline=None, max_examples=300)
@given(sharings(), st.data())
def test_completions_equal_those_solved_anew_at_every_event(case, data):
    capacity, paths = case
    n = paths.n_flows
    size = np.array(data.draw(st.lists(SIZES, min_size=n, max_size=n)))
    begin = np.array(data.draw(st.lists(st.sampled_from([0.0, 0.0, 1.0, 2.5, 30.0]), min_size=n, max_size=n)))
    result = completions(capacity, paths, size, begin)
    expected = naive_completions(matrix(capacity, paths), capacity, size, begin)
    np.testing.assert_allclose(result.finish_s, expected, rtol=1e-6, atol=1e-9)
    assert result.largest_shortfall == 0.0


def large_case(seed):
    """40 to 60 flows of 1 to 4 hops over 12 links that come one by one, half of them split; some are equal."""
    generator = np.random.default_rng(seed)
    n = int(generator.integers(40, 61))
    rows = [generator.choice(12, generator.integers(1, 5), replace=False) for _ in range(n)]
    start = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    link = np.concatenate(rows).astype(np.int32)
    paths = FlowPaths(start, link, generator.uniform(0.1, 1.0, link.size) if seed % 2 else None)
    return generator.uniform(0.5, 20.0, 12), paths, generator.uniform(1, 50, n), generator.uniform(0, 60, n)


@pytest.mark.kernels
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_many_flows_end_as_solved_anew_at_every_event(seed, together):
    """One by one, and half of them at once: then rates are found anew for all."""
    capacity, paths, size, begin = large_case(seed)
    if together:
        begin[begin < 30] = 7.0
    expected = naive_completions(matrix(capacity, paths), capacity, size, begin)
    np.testing.assert_allclose(completions(capacity, paths, size, begin).finish_s, expected, rtol=1e-9)


@pytest.mark.kernels
@pytest.mark.parametrize("seed", range(10))
def test_levels_that_tie_end_as_solved_anew_at_every_event(seed):
    """Links of one capacity, sizes and starts of few values: levels of many links are the same, or differ by rounding."""
    generator = np.random.default_rng(seed)
    n = 60
    rows = [generator.choice(10, generator.integers(1, 5), replace=False) for _ in range(n)]
    size, begin = generator.integers(1, 4, n).astype(float), generator.integers(0, 6, n).astype(float)
    paths, capacity = FlowPaths.of([row.tolist() for row in rows]), np.ones(10)
    expected = naive_completions(matrix(capacity, paths), capacity, size, begin)
    np.testing.assert_allclose(completions(capacity, paths, size, begin).finish_s, expected, rtol=1e-9)


def rate_of(state):
    """(L,) rate of each link's own flows; 0 where there are none."""
    return np.where(state.lists[:, N_OWN] > 0, state.links[:, LEVEL], 0.0)


@pytest.mark.kernels
@pytest.mark.parametrize("anew", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_the_certificate_holds_after_every_event(seed, anew):
    """Flows come and go in random order, several at a time; rates are those found for the flows of the moment."""
    from fabric._kernels import sharing
    from fabric.timing.max_min import _no_work, _nothing_shared, _path_arrays

    capacity, paths, size, _ = large_case(seed)
    uses, n = matrix(capacity, paths), paths.n_flows
    generator = np.random.default_rng(seed)
    weight = generator.integers(1, 4, n).astype(float)
    columns = _path_arrays(capacity, paths, weight)
    state, work = _nothing_shared(capacity, paths), _no_work(capacity.size, n)
    order = generator.permutation(np.repeat(np.arange(n), 2))  # a flow comes at its first place and goes at its second
    active, left = np.zeros(n, bool), size.copy()
    now, rate = 0.0, np.zeros(n)
    for some in np.split(order, np.flatnonzero(generator.random(order.size) < 0.7)):
        here = np.unique(some)  # one that comes and goes at once was never there
        here = here[np.array([np.count_nonzero(some == flow) for flow in here], int) == 1]
        step = 0.001 * generator.random()
        left[active] -= rate[active] * step
        now += step
        for flow in here:
            if active[flow]:
                sharing.end_flow(columns, state, work, flow)
            elif anew:
                sharing.list_flow(columns, state, flow, size[flow])
            else:
                sharing.start_flow(columns, state, work, flow, size[flow], now)
        active[here] = ~active[here]
        if anew:
            sharing.fill_anew(columns, state, work, now)
        sharing.renew_levels(columns, state, work, now)
        rate[active] = state.links[state.holder[active], LEVEL]
        if active.any():
            expected = naive_rates(uses[:, active], capacity, weight[active])
            np.testing.assert_allclose(rate[active], expected, rtol=1e-9)
            assert_max_min(uses[:, active], capacity, rate[active], weight[active])
            served = state.links[:, SERVED] + rate_of(state) * (now - state.links[:, SINCE])
            got = state.ends_at[active] - served[state.holder[active]]
            np.testing.assert_allclose(got, left[active], rtol=1e-9, atol=1e-9)
        load = (uses[:, active] * (weight * rate)[active]).sum(axis=1)
        own = state.links[:, OWN] * rate_of(state)
        np.testing.assert_allclose(own + state.links[:, OTHERS], load, atol=1e-9)
    assert not active.any()


@pytest.mark.parametrize("threads", [1, 3])
def test_rates_do_not_depend_on_threads_or_chunks(monkeypatch, threads):
    from fabric.timing import max_min as rates

    capacity, paths, _, _ = large_case(0)
    expected = max_min_rates(capacity, paths)
    monkeypatch.setattr(rates, "_CHUNK_FLOWS", 3)
    monkeypatch.setattr(rates, "_GATHERED_FLOWS", 30)
    monkeypatch.setattr("os.cpu_count", lambda: threads)
    assert max_min_rates(capacity, paths).tobytes() == expected.tobytes()


def test_equal_flows_share_a_number():
    # Hops in another order, other fractions, another value, none.
    rows = [[0, 1], [2], [1, 0], [], [1, 0], [2], []]
    parts = [[0.5, 1.0], [1.0], [1.0, 0.5], [], [0.5, 1.0], [1.0], []]
    start = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    link = np.array([hop for row in rows for hop in row], np.int32)
    fraction = np.array([part for row in parts for part in row])
    number, first = equal_flows(FlowPaths(start, link))
    assert (number.tolist(), first.tolist()) == ([0, 1, 0, 2, 0, 1, 2], [0, 1, 3])
    number, first = equal_flows(FlowPaths(start, link, fraction), np.array([1.0, 1, 1, 1, 1, 2, 1]))
    assert (number.tolist(), first.tolist()) == ([0, 1, 0, 2, 3, 4, 2], [0, 1, 3, 4, 5])
    number, first = equal_flows(FlowPaths(np.zeros(1, np.int64), np.empty(0, np.int32)))
    assert (number.size, first.size) == (0, 0)


def test_unequal_flows_of_one_hash_are_told_apart(monkeypatch):
    from fabric.timing import equal_flows as rates

    drawn = rates._link_bits
    seeds = []

    def poor(seed, n_links):
        seeds.append(seed)
        return drawn(seed, n_links) & np.uint64(0 if seed < 3 else 2**64 - 1)

    monkeypatch.setattr(rates, "_link_bits", poor)
    number, first = equal_flows(FlowPaths(np.arange(7), np.array([0, 1, 2, 0, 1, 2], np.int32)))
    assert seeds == [1, 2, 3]
    assert (number.tolist(), first.tolist()) == ([0, 1, 2, 0, 1, 2], [0, 1, 2])


def test_a_flow_that_takes_next_to_nothing_of_a_full_link():
    paths = FlowPaths(np.array([0, 1, 2]), np.zeros(2, np.int32), np.array([1.0, 1e-14]))
    done = completions(np.array([1.0]), paths, np.array([5.0, 1.0]), np.array([0.0, 1.0]))
    assert done.finish_s == pytest.approx([5.0, 2.0])


def test_flows_that_end_together_do_so_with_a_quantum_too():
    """A flow that another frees when it ends may end with it."""
    paths = FlowPaths(np.array([0, 1, 2, 3]), np.zeros(3, np.int32))
    done = completions(np.array([3.0]), paths, np.array([1.0, 1.0 + 1e-6, 9.0]), quantum_s=1e-3)
    assert done.solves == 3
    assert done.largest_shortfall == pytest.approx(1e-6, rel=1e-3)
    assert done.finish_s == pytest.approx([1.0, 1.0, 1.0 + 8.0 / 3.0], rel=1e-5)


@pytest.mark.kernels
@settings(deadline=None, max_examples=100)
@given(sharings(), st.data())
def test_with_a_quantum_the_answer_is_exact_for_the_sizes_it_says(case, data):
    """Sizes shortened by no more than the shortfall bracket the answer: less work ends no later."""
    capacity, paths = case
    n = paths.n_flows
    size = np.array(data.draw(st.lists(st.sampled_from([1.0, 2.0, 5.0]), min_size=n, max_size=n)))
    quick = completions(capacity, paths, size, quantum_s=0.7)
    exact = completions(capacity, paths, size)
    assert quick.solves <= exact.solves
    assert 0 <= quick.largest_shortfall <= 1
    if quick.largest_shortfall == 0:
        np.testing.assert_allclose(quick.finish_s, exact.finish_s, rtol=1e-9)


def test_closed_forms():
    # Two flows over one link of 10, one of them over another of 2 too: 2 and 8.
    paths = FlowPaths(np.array([0, 2, 3]), np.array([0, 1, 0], np.int32))
    assert max_min_rates(np.array([10.0, 2.0]), paths).tolist() == [2.0, 8.0]
    # The smaller one leaves, the other takes the link: 16 bytes at 8/s and the rest at 10/s.
    done = completions(np.array([10.0, 2.0]), paths, np.array([4.0, 36.0]))
    assert done.finish_s.tolist() == [2.0, 4.0]
    assert done.makespan_s == 4.0
    # Equal flows are one in the calculation.
    many = FlowPaths(np.arange(1001), np.zeros(1000, np.int32))
    done = completions(np.array([10.0]), many, np.full(1000, 2.0))
    assert done.solves == 2
    assert set(done.finish_s) == {200.0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"capacity": [0.0, 1.0]}, "link 0: capacity 0; expected a finite number > 0"),
        ({"capacity": [np.nan, 1.0]}, "link 0: capacity nan"),
        ({"size": [1.0, -1.0]}, "size of flow 1: -1; expected a finite number >= 0"),
        ({"size": [1.0, np.nan]}, "size of flow 1: nan"),
        ({"start": [np.inf, 0.0]}, "start of flow 0: inf"),
        ({"size": [1.0]}, "size: expected 2 values, got 1"),
        ({"quantum": -1.0}, "quantum: -1 s"),
        ({"link": [0, 5, 0]}, r"paths.link\[1\]: link 5; expected 0 to 1"),
    ],
)
def test_refuses(change, message):
    paths = FlowPaths(np.array([0, 2, 3]), np.array(change.get("link", [0, 1, 0]), np.int32))
    with pytest.raises(InputError, match=message):
        completions(
            np.array(change.get("capacity", [1.0, 1.0])),
            paths,
            np.array(change.get("size", [1.0, 1.0])),
            np.array(change["start"]) if "start" in change else None,
            change.get("quantum", 0.0),
        )


@pytest.mark.parametrize("routing", [Adaptive(), DModK(), Ecmp(), Ecmp(queue_pairs=3, seed=2)], ids=repr)
def test_paths_carry_what_loads_say(routing):
    """Bytes put along the paths are the loads that the sweep finds."""

    @settings(deadline=None, max_examples=60)
    @given(fabrics(), st.data())
    def check(topology, data):
        n = topology.n_endpoints
        pairs = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), min_size=1, max_size=8))
        src, dst = (np.array(ends, np.int32) for ends in zip(*pairs, strict=True))
        amount = np.arange(1.0, src.size + 1)
        assert_loads(topology, src, dst, amount, routing)

    check()


def assert_loads(topology, src, dst, amount, routing):
    everywhere = Placement(np.arange(topology.n_endpoints, dtype=np.int32))
    try:
        expected = link_loads(topology, Flows(src, dst, amount), everywhere, routing).bytes
    except Unroutable:
        with pytest.raises(Unroutable, match="no route from" if routing.name == "lft" else "no path from"):
            route_flows(topology, src, dst, routing)
        return
    routed = route_flows(topology, src, dst, routing)
    paths = routed.paths
    carried = np.repeat((amount[routed.flow] * routed.part), np.diff(paths.start))
    carried = carried if paths.fraction is None else carried * paths.fraction
    got = np.bincount(paths.link, carried, topology.n_links)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(np.bincount(routed.flow, routed.part, src.size), 1.0)


@settings(deadline=None, max_examples=60)
@given(table_cases(lambda n: st.just(n)))
def test_paths_along_tables_carry_what_loads_say(case):
    from dataclasses import replace

    topology, n, _, routing = case
    src, dst = (ends.ravel().astype(np.int32) for ends in np.indices((n, n)))
    routing = replace(routing, skip_unrouted=False)
    for end in range(n):  # one destination at a time: some have no way
        chosen = dst == end
        assert_loads(topology, src[chosen], dst[chosen], np.arange(1.0, n + 1), routing)


def test_simgrid():
    """Every flow of 4,032 of distinct sizes ends when SimGrid 4.1 says, within 1e-5."""
    with gzip.open(DATA / "fluid" / "simgrid_a2a_ft64.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    src, dst = (np.array([int(row[end]) for row in rows], np.int32) for end in ("src", "dst"))
    size, expected = (np.array([float(row[key]) for row in rows]) for key in ("bytes", "simgrid_s"))
    # 8 leaves of 8 hosts, 8 spines; host d goes up by spine d mod 8, which is what D-mod-K does here.
    n = 64
    kinds = [0] * n + [1] * 16
    cables = [(host, n + host // 8, 400.0, 400.0) for host in range(n)]
    cables += [(n + leaf, n + 8 + spine, 400.0, 400.0) for leaf in range(8) for spine in range(8)]
    fabric = topology_of(kinds, cables)
    routed = route_flows(fabric, src, dst, DModK())
    assert routed.part.tolist() == [1.0] * len(rows)
    done = completions(fabric.link_capacity_gbps * 1e9 / 8, routed.paths, size[routed.flow])
    finish = np.empty(len(rows))
    finish[routed.flow] = done.finish_s
    np.testing.assert_allclose(finish, expected, rtol=1e-5)


def test_uniform_all_to_all_on_full_bisection_takes_its_bottleneck_time():
    """Where every flow gets its fair share at once, max-min ends when the busiest link does."""
    fabric = build(fat_tree(4))
    n = fabric.n_endpoints
    src, dst = (ends.ravel().astype(np.int32) for ends in np.indices((n, n)))
    src, dst = src[src != dst], dst[src != dst]
    routed = route_flows(fabric, src, dst, Adaptive())
    done = completions(fabric.link_capacity_gbps * 1e9 / 8, routed.paths, np.full(src.size, 1e6))
    one = np.full(n, 1.0)
    everywhere = Placement(np.arange(n, dtype=np.int32))
    loads = link_loads(fabric, AllToAll(Groups.consecutive(n, n), one * 1e6, one), everywhere)
    assert done.makespan_s == pytest.approx(loads.bottleneck_time_s)


def packet_fabric():
    """The packet simulator's: k = 8, 128 hosts, 4 a leaf (LS), 8 pods of 4 leaves and 4 aggregation switches (US), 16 cores.

    Aggregation switch u of a pod goes to the cores u, u + 4, u + 8, u + 12, as the recorded paths have it; 100 Gb/s.
    """
    from fabric.topology import ENDPOINT, SWITCH, UNKNOWN, Cables, Nodes, Topology

    names = [f"h{n}" for n in range(128)] + [f"LS{n}" for n in range(32)] + [f"US{n}" for n in range(32)]
    names += [f"CS{n}" for n in range(16)]
    place = {name: n for n, name in enumerate(names)}
    rows = [(f"h{n}", f"LS{n // 4}") for n in range(128)]
    rows += [(f"LS{leaf}", f"US{4 * (leaf // 4) + u}") for leaf in range(32) for u in range(4)]
    rows += [(f"US{u}", f"CS{u % 4 + 4 * c}") for u in range(32) for c in range(4)]
    unknown = np.full(len(names), UNKNOWN, np.int32)
    kind = np.array([ENDPOINT] * 128 + [SWITCH] * 80, np.int8)
    a, b = (np.array([place[row[end]] for row in rows], np.int32) for end in (0, 1))
    none, gbps = np.full(len(rows), UNKNOWN, np.int32), np.full(len(rows), 100.0)
    nodes = Nodes(tuple(names), kind, unknown, unknown, unknown, unknown, unknown)
    return Topology.from_cables("htsim", nodes, Cables(a, b, none, none, gbps, gbps))


ROUND_TRIP_S = 13e-6


def packet_flows(name):
    with gzip.open(DATA / "packet" / f"{name}.fct.csv.gz", "rt") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("work", ["perm1_128_4M", "perm8_128_1M"])
def test_packet_simulator(tmp_path, work):
    """The slowest flow along the recorded paths within 5 % of htsim's; hashed is slower than sprayed, as there."""
    import json
    import subprocess

    from fabric.formats.node_link import write_node_link
    from tests.fabric.commands.test_cli import railscope

    hashed, sprayed = packet_flows(f"uececmp_{work}"), packet_flows(f"uecspray_{work}")
    write_node_link(packet_fabric(), tmp_path / "f.json")
    text = ["src,dst,bytes", *(f"h{row['src']},h{row['dst']},{row['bytes']}" for row in hashed)]
    (tmp_path / "flows.csv").write_text("\n".join(text) + "\n")
    paths = DATA / "packet" / f"uececmp_{work}.paths.csv.gz"
    options = ("rates", "f.json", "--demand", "flows.csv")
    done = railscope(*options, "--paths", paths, "--csv", "out.csv", "--json", cwd=tmp_path)
    assert isinstance(done, subprocess.CompletedProcess)
    assert (done.returncode, done.stderr) == (0, "railscope: wrote out.csv\n")
    makespan = json.loads(done.stdout)["summary"]["makespan_s"]
    slowest = max(float(row["finish_us"]) for row in hashed) * 1e-6
    assert makespan + ROUND_TRIP_S == pytest.approx(slowest, rel=0.05)
    with open(tmp_path / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["flow", "src", "dst", "bytes", "start_s", "finish_s"]
    assert max(float(row["finish_s"]) for row in rows) == makespan
    assert len(rows) == len(hashed)
    even = railscope(*options, "--routing", "adaptive", "--json", cwd=tmp_path)
    spread = json.loads(even.stdout)["summary"]["makespan_s"]
    assert spread < makespan
    assert max(float(row["finish_us"]) for row in sprayed) * 1e-6 < slowest
    assert spread < max(float(row["finish_us"]) for row in sprayed) * 1e-6


def test_flows_with_starts_and_odd_ends(tmp_path):
    from tests.fabric.commands.test_cli import railscope

    (tmp_path / "f.csv").write_text("src,dst,bytes,start_s\n0,8,50e9,0\n0,8,50e9,1\n3,3,1e12,2\n1,9,0,4\n0,1,900e9,0\n")
    done = railscope("rates", "hgx-b200-64", "--demand", "f.csv", "--csv", "o.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "o.csv", newline="") as file:
        finish = [float(row["finish_s"]) for row in csv.DictReader(file)]
    # 50 GB at 50 GB/s alone for a second, no flow after it; itself; nothing; NVLink's 900 GB/s.
    assert finish == pytest.approx([1.0, 2.0, 2.0, 4.0, 1.0])


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ("flow,tail,head,cable\n3,LS0,US0,0\n", "p.csv:2: flow 3; expected 1 to 2"),
        ("flow,tail,head,cable\n1,LS0,XX,0\n", "p.csv:2: 'XX' is no switch of htsim"),
        ("flow,tail,head,cable\n1,LS0,US0,0\n1,US1,LS1,0\n", "p.csv:3: flow 1 goes on at US1; expected US0"),
        ("flow,tail,head,cable\n1,LS0,US0,1\n1,US0,LS1,0\n", "p.csv:2: no cable 1 from LS0 to US0"),
        ("flow,tail,head,cable\n1,LS0,US5,0\n1,US5,LS1,0\n", "p.csv:2: no cable 0 from LS0 to US5"),
        ("flow,tail,head,cable\n1,LS2,US0,0\n1,US0,LS1,0\n", "flow 1: h0 has no cable to where"),
        ("flow,tail,head,cable\n", "flow 1 (h0 to h4) has no hops, and its ends share no switch"),
        ("flow,tail,head\n", "p.csv:1: column cable: expected once"),
        ("flow,tail,head,cable\nx,LS0,US0,0\n", "p.csv:2: flow 'x'; expected a whole number"),
    ],
)
def test_given_paths_are_refused_with_file_and_line(tmp_path, paths, message):
    from fabric.routing.given_paths import given_paths
    from traces.paths_csv import read_paths_csv

    path = tmp_path / "p.csv"
    path.write_text(paths)
    src, dst = np.array([0, 0], np.int32), np.array([4, 1], np.int32)
    with pytest.raises(InputError) as refused:
        given_paths(packet_fabric(), src, dst, read_paths_csv(path), str(path))
    assert message in str(refused.value)
