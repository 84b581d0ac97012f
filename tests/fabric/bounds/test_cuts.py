"""Bounds: below everything that was found, met where the optimum is known, and equal to what the definitions say."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from collectives import (
    ALGORITHMS,
    COLLECTIVES,
    AllToAll,
    Flows,
    Groups,
    InputError,
    Phase,
    Reduction,
    Schedule,
    algorithm_of,
    all_to_all,
    collective_schedule,
    rail_aligned,
)
from fabric.bounds.cut_demand import cut_demand
from fabric.bounds.cuts import (
    ANY_ALGORITHM,
    ANY_ROUTING,
    NO_REDUCING_SWITCHES,
    cut_bound,
    traffic_bound,
)
from fabric.bounds.linear_program import linear_program_bound
from fabric.builders import build, fat_tree, read_preset
from fabric.builders.description import Core, FabricDescription, Hosts, Leaf, ScaleUp, Spine
from fabric.jobs.placement import Placement, domain_of_rank, packed, rail_of_rank, scattered
from fabric.routing.link_loads import link_loads, schedule_loads
from fabric.routing.policies import Adaptive, DModK, Ecmp
from fabric.topology import ENDPOINT, NVSWITCH, SWITCH
from tests.fabric.commands.test_cli import HURT, RESNET, answer, railscope
from tests.naive.routing import pairs_of
from tests.random_fabrics import all_to_all_demands, fabrics, flow_demands, topology_of

GB = 1e9
ROUTINGS = (Adaptive(), DModK(), Ecmp())


# What must cross, from the definitions of the collectives.


def blocks_of(collective, n):
    """(who contributes, who needs the result) of each equal block of a buffer of n members."""
    everyone = set(range(n))
    return {
        "all-to-all": [({i}, {j}) for i in everyone for j in everyone],
        "all-gather": [({i}, everyone) for i in everyone],
        "reduce-scatter": [(everyone, {i}) for i in everyone],
        "all-reduce": [(everyone, everyone)],
        "broadcast": [({0}, everyone)],
        "reduce": [(everyone, {0})],
        "gather": [({i}, {0}) for i in everyone],
        "scatter": [({0}, {i}) for i in everyone],
        "send-recv": [({i}, {(i + 1) % n}) for i in range(n) if n > 1],
    }[collective]


def naive_crossing(collective, groups, label, n_parts, size):
    """A block comes out of a part that contributes, and into one that needs what others contribute: once is enough."""
    out, into = np.zeros(n_parts), np.zeros(n_parts)
    # Of the size that nccl-tests prints; all-to-all counts the buffer of one rank.
    whole = {"all-gather", "reduce-scatter", "all-to-all", "gather", "scatter"}
    for first, ranks in zip(groups.start, groups, strict=False):
        n = len(ranks)
        for contributors, needers in blocks_of(collective, n):
            volume = size / n if collective in whole else size
            for part in range(n_parts):
                members = {i for i in range(n) if label[first + i] == part}
                out[part] += volume * bool(contributors & members and needers - members)
                into[part] += volume * bool(needers & members and contributors - members)
    return out, into


@st.composite
def groups_in_parts(draw, max_groups=3, max_size=6):
    """Groups of different sizes, empty ones and ones of a single member too, and the part of each rank."""
    sizes = draw(st.lists(st.integers(0, max_size), min_size=1, max_size=max_groups))
    n = max(1, sum(sizes))
    ranks = draw(st.permutations(range(n)))
    start = np.concatenate([[0], np.cumsum(sizes)])
    groups = Groups.of([np.array(ranks[a:b], np.int32) for a, b in pairwise(start)])
    n_parts = draw(st.integers(1, 3))
    return groups, np.array(draw(st.lists(st.integers(0, n_parts - 1), min_size=n, max_size=n))), n_parts


@settings(deadline=None, max_examples=200)
@given(groups_in_parts(), st.sampled_from(COLLECTIVES))
def test_what_must_cross_is_what_the_definition_says(case, collective):
    groups, part, n_parts = case
    label = part[groups.rank]
    must = cut_demand(collective, groups, label, n_parts, 12.0)
    np.testing.assert_allclose(
        (must.out, must.into), naive_crossing(collective, groups, label, n_parts, 12.0), atol=1e-12
    )
    # Any part of the job may help any group.
    assert np.flatnonzero(must.of_job).tolist() == sorted(set(label.tolist()))
    k_of_group = [np.unique(label[a:b]).size for a, b in pairwise(groups.start)]
    expected = sum(fewest_sends(k) for k in k_of_group) * 12.0 if collective == "all-reduce" else 0.0
    np.testing.assert_allclose(must.in_all, expected)
    assert not cut_demand(collective, groups, label, n_parts, 12.0, in_network=True).in_all


def fewest_sends(k, found={}):  # noqa: B006
    """Fewest sends after which each of k parts has the sum of all, by search of everything that they could do."""
    if k not in found:
        everything = (1 << k) - 1
        states, found[k] = {tuple((1 << i,) for i in range(k))}, 0
        while not any(all(everything in known for known in state) for state in states):
            states = {after for state in states for after in sends_from(state)}
            found[k] += 1
    return found[k]


def sends_from(state):
    """What is known after any one send: sets of contributions, added up where they do not overlap; parts are alike."""
    for source, target in permutations(range(len(state)), 2):
        for sent in set(state[source]) - set(state[target]):
            known = {*state[target], sent} | {sent | old for old in state[target] if not sent & old}
            after = [*state[:target], tuple(sorted(known)), *state[target + 1 :]]
            yield min(renamed(after, order) for order in permutations(range(len(state))))


def renamed(state, order):
    def mask(known):
        return sum(1 << order[i] for i in range(len(state)) if known >> i & 1)

    rows = [None] * len(state)
    for i, known in enumerate(state):
        rows[order[i]] = tuple(sorted(map(mask, known)))
    return tuple(rows)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_an_all_reduce_takes_two_sends_for_all_but_one(k):
    assert fewest_sends(k) == 2 * (k - 1)


def crossing_of(schedule, part, n_parts):
    """Bytes that a schedule brings out of, and into, each part of the ranks, one pair at a time."""
    out, into = np.zeros(n_parts), np.zeros(n_parts)
    for phase in schedule.phases:
        for demand in phase.demands:
            if isinstance(demand, Reduction):
                for ranks, volume in zip(demand.groups, demand.bytes, strict=True):
                    own = np.unique(part[ranks])
                    if own.size > 1:
                        out[own] += phase.repeat * volume
                        into[own] += phase.repeat * volume
                continue
            for i, j, volume in pairs_of(demand):
                if part[i] != part[j]:
                    out[part[i]] += phase.repeat * volume
                    into[part[j]] += phase.repeat * volume
    return out, into


EVERY_ALGORITHM = [(name, one) for name, several in ALGORITHMS.items() for one in several]


@settings(deadline=None, max_examples=300)
@given(groups_in_parts(max_size=9), st.sampled_from(EVERY_ALGORITHM), st.integers(1, 4), st.integers(1, 3))
def test_no_algorithm_moves_less_than_must_cross(case, named, per_domain, n_rails):
    groups, part, n_parts = case
    collective, algorithm = named
    domain = (np.arange(part.size) // per_domain).astype(np.int32)
    rail = (np.arange(part.size) % n_rails).astype(np.int32)
    try:
        schedule = collective_schedule(collective, groups, 12.0, algorithm, domain, rail)
    except InputError:
        assume(False)
    out, into = crossing_of(schedule, part, n_parts)
    least = cut_demand(
        collective, groups, part[groups.rank], n_parts, 12.0, algorithm_of(collective, algorithm).switches_reduce
    )
    assert (out >= least.out - 1e-9).all()
    assert (into >= least.into - 1e-9).all()
    assert out[least.of_job].sum() >= least.in_all - 1e-9


# Closed forms.


def star(n, gbps=100.0):
    """Endpoints on one switch."""
    return topology_of([ENDPOINT] * n + [SWITCH], [(i, n, gbps, gbps) for i in range(n)], "star")


FACTORS = {
    "all-reduce": lambda n: 2 * (n - 1) / n,
    "all-gather": lambda n: (n - 1) / n,
    "reduce-scatter": lambda n: (n - 1) / n,
    "all-to-all": lambda n: (n - 1) / n,
    "broadcast": lambda n: 1.0 if n > 1 else 0.0,
    "reduce": lambda n: 1.0 if n > 1 else 0.0,
    "gather": lambda n: (n - 1) / n,
    "scatter": lambda n: (n - 1) / n,
    "send-recv": lambda n: 1.0 if n > 1 else 0.0,
}


@pytest.mark.parametrize("n", [1, 2, 5, 8])
@pytest.mark.parametrize("collective", COLLECTIVES)
def test_every_collective_has_a_bound(collective, n):
    fabric = star(8)
    bound = cut_bound(fabric, packed(fabric), collective, Groups.of([list(range(n))]), 50 * GB)
    assert bound.time_s == pytest.approx(FACTORS[collective](n) * 50 * 8 / 100)
    assert bound.holds_for == (NO_REDUCING_SWITCHES if collective == "all-reduce" else ANY_ALGORITHM)


def test_reducing_switches_halve_the_bound_of_an_all_reduce():
    fabric, groups = star(8), Groups.consecutive(8, 8)
    bound = cut_bound(fabric, packed(fabric), "all-reduce", groups, 50 * GB, in_network=True)
    assert (bound.time_s, bound.holds_for) == (pytest.approx(4.0), ANY_ALGORITHM)
    sharp = collective_schedule("all-reduce", groups, 50 * GB, "sharp")
    assert schedule_loads(fabric, sharp, packed(fabric)).bottleneck_time_s == pytest.approx(4.0)


def test_members_of_one_group_may_add_up_for_another():
    """A group of four and one of two on a star: with a tenth of the buffer added up by each of the two, all ports
    carry 1.4 B where the four alone need 1.5 B."""
    fabric, groups, size = star(6), Groups.of([[0, 1, 2, 3], [4, 5]]), 12.5 * GB
    bytes_of = np.zeros((6, 6))
    # The four all-reduce what is left by reduce-scatter and all-gather, the two exchange halves twice.
    bytes_of[:4, :4] = 2 * (1 - 2 * 0.1) * size / 4
    bytes_of[4:, 4:] = 2 * size / 2
    bytes_of[:4, 4:] = bytes_of[4:, :4] = 0.1 * size
    np.fill_diagonal(bytes_of, 0.0)
    src, dst = np.nonzero(bytes_of)
    flows = Flows(src.astype(np.int32), dst.astype(np.int32), bytes_of[src, dst])
    reached = link_loads(fabric, flows, packed(fabric)).bottleneck_time_s
    bound = cut_bound(fabric, packed(fabric), "all-reduce", groups, size)
    assert reached == pytest.approx(1.4)
    # 2 (4 - 1) B and 2 (2 - 1) B over six ports.
    assert bound.time_s == pytest.approx(8 / 6)
    alone = cut_bound(fabric, packed(fabric), "all-reduce", Groups.of([[0, 1, 2, 3]]), size)
    assert alone.time_s == pytest.approx(1.5)


def test_what_meets_its_bound():
    """Rings and all-to-alls on a full-bisection fat tree of one-GPU hosts, in the order of the tree."""
    fabric = build(fat_tree(4))
    n, size = fabric.n_endpoints, 1e9
    groups = Groups.consecutive(n, n)
    for collective in ("all-reduce", "all-gather", "reduce-scatter", "all-to-all"):
        schedule = collective_schedule(collective, groups, size)
        time_s = schedule_loads(fabric, schedule, packed(fabric), Adaptive()).bottleneck_time_s
        bound = cut_bound(fabric, packed(fabric), collective, groups, size)
        assert time_s == pytest.approx(bound.time_s), collective
        assert bound.time_s == pytest.approx(FACTORS[collective](n) * size * 8e-9 / fabric.link_capacity_gbps[0])
        assert bound.cut == "endpoint"
        assert traffic_bound(fabric, schedule, packed(fabric)).time_s == pytest.approx(time_s)


# Cuts of particular fabrics.


def two_leaves():
    """Two leaves of 4 hosts with one cable of 100 each to the spine; hosts at 100."""
    cables = [(h, 8 + h // 4, 100.0, 100.0) for h in range(8)] + [(8, 10, 100.0, 100.0), (9, 10, 100.0, 100.0)]
    return topology_of([ENDPOINT] * 8 + [SWITCH] * 3, cables)


def test_an_oversubscribed_leaf_is_the_bound():
    fabric = two_leaves()
    bound = cut_bound(fabric, packed(fabric), "all-to-all", Groups.consecutive(8, 8), 8e9)
    # 4 x 4 pairs of 1 GB through 100 Gb/s.
    assert (bound.cut, bound.time_s) == ("leaf", pytest.approx(16e9 * 8 / 100e9))
    direct = all_to_all(Groups.consecutive(8, 8), 8e9)
    assert traffic_bound(fabric, direct, packed(fabric)).time_s == pytest.approx(bound.time_s)
    assert schedule_loads(fabric, direct, packed(fabric)).bottleneck_time_s == pytest.approx(bound.time_s)


def test_send_and_receive_across_leaves():
    """Each to the next, the last to the first: a group over two leaves crosses once each way."""
    fabric = two_leaves()
    groups = Groups.of([[0, 1, 2, 4, 5], [3, 6]])
    bound = cut_bound(fabric, packed(fabric), "send-recv", groups, 10 * GB)
    # 2 -> 4 and 3 -> 6 one way, 5 -> 0 and 6 -> 3 the other.
    assert (bound.cut, bound.time_s) == ("leaf", pytest.approx(20 * 8 / 100))


def test_groups_inside_a_part_do_not_cross_it():
    fabric = two_leaves()
    for groups in (Groups.consecutive(8, 4), Groups.of([[0, 1, 2], [4, 5], [3], [6]])):
        bound = cut_bound(fabric, packed(fabric), "all-gather", groups, 12 * GB)
        n = groups.sizes.max()
        assert (bound.cut, bound.time_s) == ("endpoint", pytest.approx((n - 1) / n * 12 * 8 / 100))
    nothing = cut_bound(fabric, packed(fabric), "all-gather", Groups.of([[0], [5]]), 12 * GB)
    assert nothing.time_s == 0.0


def rails(hosts=8, gpus=4, oversubscription=4.0, planes=1, nvlink=7200.0, per_domain=1, wiring="rail", **spine):
    """Hosts of GPUs on as many rails, 4 hosts a leaf, 100 Gb/s a GPU."""
    down = 4 * gpus if wiring == "host" else 4
    return FabricDescription(
        fabric=Hosts(
            name="rails", hosts=hosts, gpus_per_host=gpus, gpu_gbps=100.0 * planes, planes=planes, wiring=wiring
        ),
        leaf=Leaf(radix=64, port_gbps=100.0, down_ports=down, oversubscription=oversubscription),
        spine=Spine(radix=64, port_gbps=100.0, **spine),
        scale_up=ScaleUp(hosts_per_domain=per_domain, gpu_gbps=nvlink) if per_domain else None,
    )


@pytest.mark.parametrize("planes", [1, 2])
def test_leaves_of_one_set_of_hosts_are_cut_together(planes):
    """NVLink joins the four rails' leaves of four hosts: what leaves them all is what is oversubscribed, not one rail."""
    fabric = build(rails(planes=planes))
    groups = Groups.consecutive(32, 32)
    bound = cut_bound(fabric, packed(fabric), "all-to-all", groups, 32 * GB)
    # 16 x 16 pairs of 1 GB; four leaves a plane with one uplink of 100 Gb/s each.
    assert (bound.cut, bound.time_s) == ("leaf", pytest.approx(256 * 8 / (400 * planes)))
    domain, rail = domain_of_rank(fabric, packed(fabric)), rail_of_rank(fabric, packed(fabric))
    aligned = rail_aligned(all_to_all(groups, 32 * GB), domain, rail)
    assert schedule_loads(fabric, aligned, packed(fabric)).bottleneck_time_s == pytest.approx(bound.time_s)
    # Traffic as it is given cannot change rails: one rail's leaf is a part of its own.
    one_rail = Schedule((Phase(Flows([0, 4, 8], [16, 20, 24], [GB] * 3)),))
    seen = traffic_bound(fabric, one_rail, packed(fabric))
    assert (seen.cut, seen.time_s) == ("leaf", pytest.approx(3 * 8 / (100 * planes)))


def test_an_endpoints_nvlink_and_nic_count_together():
    fabric = build(rails(oversubscription=1.0))
    groups = Groups.consecutive(32, 32)
    bound = cut_bound(fabric, packed(fabric), "all-reduce", groups, 100 * GB, in_network=True)
    # A host of four GPUs sends the buffer over four NICs; a GPU by itself over 7300 Gb/s.
    assert (bound.cut, bound.time_s) == ("domain", pytest.approx(100 * 8 / 400))
    alone = Groups.consecutive(4, 4)
    inside = cut_bound(fabric, packed(fabric), "all-reduce", alone, 100 * GB, in_network=True)
    assert (inside.cut, inside.time_s) == ("endpoint", pytest.approx(100 * 8 / 7300))


def test_idle_switches_are_no_way_out():
    """Two pods of three leaves, the job on two of each: cables to the idle leaf lead nowhere."""
    description = FabricDescription(
        fabric=Hosts(name="pods", hosts=24, gpus_per_host=1, gpu_gbps=100.0),
        leaf=Leaf(radix=8, port_gbps=100.0, down_ports=4),
        spine=Spine(radix=16, port_gbps=100.0, count=4, pods=2, oversubscription=6.0, uplink_gbps=25.0),
        core=Core(radix=16, port_gbps=100.0),
    )
    fabric = build(description)
    placement = Placement(np.array([*range(8), *range(12, 20)], np.int32))
    groups = Groups.consecutive(16, 16)
    bound = cut_bound(fabric, placement, "all-to-all", groups, 16 * GB)
    # 64 pairs of 1 GB; four spines of a pod with 2 x 25 Gb/s each to the cores.
    assert (bound.cut, bound.time_s) == ("pod", pytest.approx(64 * 8 / 200))
    time_s = schedule_loads(fabric, all_to_all(groups, 16 * GB), placement).bottleneck_time_s
    assert time_s == pytest.approx(bound.time_s)
    assert linear_program_bound(fabric, all_to_all(groups, 16 * GB), placement).time_s == pytest.approx(time_s)


@pytest.mark.parametrize("collective", ["scatter", "gather"])
def test_a_domain_stops_at_its_nics_where_the_leaf_has_more(collective):
    """Leaves of two hosts in one domain with uplinks to spare: the NICs are the cut, out of the root's domain or into it."""
    description = rails(hosts=6, gpus=2, oversubscription=0.5, per_domain=2, wiring="host")
    fabric = build(description.model_copy(update={"leaf": description.leaf.model_copy(update={"down_ports": 4})}))
    bound = cut_bound(fabric, packed(fabric), collective, Groups.consecutive(12, 12), 120 * GB)
    # 8 of 12 parts of the buffer, four NICs.
    assert (bound.cut, bound.time_s) == ("domain", pytest.approx(80 * 8 / 400))


# Random fabrics.


@st.composite
def clos_descriptions(draw):
    """Small Clos fabrics: rails or whole hosts, planes, pods, over- and undersubscribed, with and without NVLink."""
    gpus = draw(st.sampled_from([1, 2, 4]))
    planes = draw(st.integers(1, 2))
    pods = draw(st.integers(1, 2))
    gbps = 100.0
    leaf = Leaf(
        radix=64,
        port_gbps=400.0,
        down_ports=gpus * draw(st.integers(1, 2)),
        oversubscription=draw(st.sampled_from([0.5, 1.0, 2.0])),
        uplink_gbps=draw(st.sampled_from([50.0, 100.0])),
        rails_per_leaf=draw(st.sampled_from([1, gpus])),
    )
    scale_up = ScaleUp(hosts_per_domain=draw(st.integers(1, 2)), gpu_gbps=draw(st.sampled_from([100.0, 900.0])))
    return FabricDescription(
        fabric=Hosts(
            name="random",
            hosts=draw(st.sampled_from([2, 4, 6])),
            gpus_per_host=gpus,
            gpu_gbps=gbps * planes,
            planes=planes,
            wiring=draw(st.sampled_from(["rail", "host"])),
        ),
        leaf=leaf,
        spine=Spine(radix=64, port_gbps=400.0, pods=pods, oversubscription=draw(st.sampled_from([1.0, 2.0]))),
        core=Core(radix=64, port_gbps=400.0) if pods > 1 else None,
        scale_up=draw(st.none() | st.just(scale_up)),
    )


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(clos_descriptions(), st.data())
def test_nothing_beats_the_cuts(description, data):
    """Random Clos fabrics, jobs on some of their endpoints, groups, algorithms, transports and routings."""
    try:
        fabric = build(description)
    except InputError:
        assume(False)
    ends = data.draw(st.permutations(range(fabric.n_endpoints)))
    n = data.draw(st.integers(1, fabric.n_endpoints))
    placement = Placement(np.array(ends[:n], np.int32))
    if data.draw(st.booleans()):
        placement = packed(fabric, n)
    cuts = sorted({0, n, *data.draw(st.lists(st.integers(0, n), max_size=3))})
    groups = Groups.of([np.arange(a, b) for a, b in pairwise(cuts)])
    collective, algorithm = data.draw(st.sampled_from(EVERY_ALGORITHM))
    domain, rail = domain_of_rank(fabric, placement), rail_of_rank(fabric, placement)
    try:
        schedule = collective_schedule(collective, groups, GB, algorithm, domain, rail)
        if data.draw(st.booleans()):
            schedule = rail_aligned(schedule, domain, rail)
    except InputError:
        assume(False)
    bound = cut_bound(fabric, placement, collective, groups, GB, algorithm_of(collective, algorithm).switches_reduce)
    given_traffic = traffic_bound(fabric, schedule, placement)
    assert given_traffic.holds_for == ANY_ROUTING
    for routing in ROUTINGS:
        time_s = schedule_loads(fabric, schedule, placement, routing).bottleneck_time_s
        assert time_s >= bound.time_s * (1 - 1e-9)
        assert time_s >= given_traffic.time_s * (1 - 1e-9)


@pytest.fixture(scope="module")
def cluster():
    return build(read_preset("hgx-b200-64"))


@pytest.mark.parametrize(("collective", "algorithm"), EVERY_ALGORITHM)
@pytest.mark.parametrize("size_of_group", [8, 16, 64])
@pytest.mark.parametrize("seed", [None, 1])
def test_no_algorithm_beats_the_cuts(cluster, collective, algorithm, size_of_group, seed):
    placement = packed(cluster) if seed is None else scattered(cluster, 64, None, seed)
    groups = Groups.consecutive(64, size_of_group)
    domain, rail = domain_of_rank(cluster, placement), rail_of_rank(cluster, placement)
    schedule = collective_schedule(collective, groups, 2.0**30, algorithm, domain, rail)
    bound = cut_bound(
        cluster, placement, collective, groups, 2.0**30, algorithm_of(collective, algorithm).switches_reduce
    )
    for routing in ROUTINGS:
        time_s = schedule_loads(cluster, schedule, placement, routing).bottleneck_time_s
        assert time_s >= bound.time_s * (1 - 1e-9)
        assert time_s >= traffic_bound(cluster, schedule, placement).time_s * (1 - 1e-9)


# Traffic as it is given.


@st.composite
def schedules(draw, n_ranks):
    demand = flow_demands(n_ranks) | all_to_all_demands(n_ranks)
    several = st.lists(demand, min_size=1, max_size=2).map(tuple)
    phases = draw(st.lists(st.tuples(several, st.integers(1, 3)), min_size=1, max_size=3))
    overlap = draw(st.sampled_from(["sequential", "pipelined"]))
    return Schedule(tuple(Phase(demands, repeat) for demands, repeat in phases), overlap)


def some_ranks(data, topology):
    order = data.draw(st.permutations(range(topology.n_endpoints)))
    return Placement(np.array(order[: data.draw(st.integers(1, topology.n_endpoints))], np.int32))


@settings(deadline=None, max_examples=100)
@given(fabrics(), st.data())
def test_cuts_then_linear_program_then_routings(topology, data):
    """No routing beats the linear program, and that not the cuts."""
    placement = some_ranks(data, topology)
    schedule = data.draw(schedules(placement.n_ranks))
    try:
        times = [schedule_loads(topology, schedule, placement, one).bottleneck_time_s for one in ROUTINGS]
    except InputError:
        assume(False)
    best = linear_program_bound(topology, schedule, placement).time_s
    assert best <= min(times) * (1 + 1e-6)
    assert traffic_bound(topology, schedule, placement).time_s <= best * (1 + 1e-6)


def written_out(schedule):
    """The same schedule with every pair as a flow."""
    phases = []
    for phase in schedule.phases:
        demands = []
        for demand in phase.demands:
            rows = list(pairs_of(demand)) or [(0, 0, 0.0)]
            demands.append(Flows(*(np.array(column) for column in zip(*rows, strict=True))))
        phases.append(Phase(tuple(demands), phase.repeat))
    return Schedule(tuple(phases), schedule.overlap)


@settings(deadline=None, max_examples=200)
@given(fabrics(), st.data())
def test_bounds_without_pairs_equal_those_with_pairs(topology, data):
    placement = some_ranks(data, topology)
    schedule = data.draw(schedules(placement.n_ranks))
    bound, slow = (traffic_bound(topology, one, placement) for one in (schedule, written_out(schedule)))
    assert bound.time_s == pytest.approx(slow.time_s, rel=1e-9, abs=1e-24)
    # Every byte leaves its endpoint and enters the other, in its own layer.
    nvlink = np.isin(topology.nodes.kind[topology.link_tail], [NVSWITCH])
    nvlink |= np.isin(topology.nodes.kind[topology.link_head], [NVSWITCH])
    nvlink |= topology.nodes.kind[topology.link_tail] + topology.nodes.kind[topology.link_head] == 2 * ENDPOINT
    domain, ends = topology.endpoint_domain, placement.endpoint
    least = 0.0
    for phase in written_out(Schedule(schedule.phases)).phases:
        busy = np.zeros((2, 2, topology.n_endpoints))
        for flows in phase.demands:
            for i, j, volume in pairs_of(flows):
                inside = int(domain[ends[i]] >= 0 and domain[ends[i]] == domain[ends[j]])
                if i != j:
                    busy[inside, 0, ends[i]] += volume
                    busy[inside, 1, ends[j]] += volume
        longest = 0.0
        for inside in (0, 1):
            for side, far in enumerate((topology.link_tail, topology.link_head)):
                gbps = np.where(nvlink == bool(inside), topology.link_capacity_gbps, 0.0)
                room = np.bincount(far, gbps, topology.n_nodes)[topology.endpoints]
                linked = room > 0
                longest = max(longest, (busy[inside, side][linked] / room[linked]).max(initial=0.0) * 8e-9)
        if schedule.overlap == "sequential":
            least += phase.repeat * longest
    assert bound.time_s >= least * (1 - 1e-9)


def test_the_bound_of_traffic_is_the_linear_program_where_nothing_else_binds():
    star_of_eight, leaves, cluster_of_two = star(8), two_leaves(), build(rails(hosts=2, oversubscription=1.0))
    skewed = AllToAll(Groups.consecutive(8, 4), np.arange(8.0) * GB, np.arange(8.0)[::-1])
    flows = Flows([0, 0, 1, 5], [5, 6, 6, 1], [GB, 2 * GB, GB, 4 * GB])
    inside = Flows([0, 1, 0, 2], [1, 2, 3, 7], [100 * GB, 100 * GB, 100 * GB, 2 * GB])
    for fabric, demand, cut, time_s in (
        (star_of_eight, flows, "endpoint", 4 * 8 / 100),
        # Member 7 sends 7 to each other one's 1 + 2 + 3; member 4 gets 3 from the others' 5 + 6 + 7.
        (star_of_eight, skewed, "endpoint", 3 * (5 + 6 + 7) * 8 / 100),
        (leaves, Flows([0, 0, 1, 5], [5, 6, 6, 2], [GB, GB, 2 * GB, 3 * GB]), "leaf", 4 * 8 / 100),
        # 200 GB out of GPU 0 over 7,200 Gb/s; 2 GB out of GPU 2 over 100.
        (cluster_of_two, inside, "endpoint", 200 * 8 / 7200),
    ):
        schedule = Schedule((Phase(demand),))
        everywhere = Placement(np.arange(fabric.n_endpoints, dtype=np.int32))
        bound = traffic_bound(fabric, schedule, everywhere)
        assert (bound.cut, bound.time_s) == (cut, pytest.approx(time_s))
        assert linear_program_bound(fabric, schedule, everywhere).time_s == pytest.approx(time_s)


def test_phases_add_up_and_pipelines_share():
    fabric = two_leaves()
    there, inside = Flows([0, 1], [4, 5], [GB, GB]), Flows([2], [3], [3 * GB])
    phases = (Phase(there, 3), Phase(inside))
    one_by_one = traffic_bound(fabric, Schedule(phases), packed(fabric))
    assert (one_by_one.cut, one_by_one.time_s) == ("leaf", pytest.approx((3 * 2 + 3) * 8 / 100))
    at_once = traffic_bound(fabric, Schedule(phases, "pipelined"), packed(fabric))
    assert (at_once.cut, at_once.time_s) == ("leaf", pytest.approx(6 * 8 / 100))


def test_reductions_cross_once_each_way():
    fabric = build(rails())
    across = Reduction(Groups.of([[0, 4, 16], [1, 17], [2, 3]]), np.array([GB, 2 * GB, 90 * GB]))
    bound = traffic_bound(fabric, Schedule((Phase(across),)), packed(fabric))
    # Group 1 sends 2 GB through the one uplink of rail 1's leaf; group 2 stays on NVLink: 90 GB over 7,200 Gb/s.
    assert bound.time_s == pytest.approx(2 * 8 / 100)
    time_s = link_loads(fabric, across, packed(fabric)).bottleneck_time_s
    assert time_s == pytest.approx(bound.time_s)


def test_nothing_to_send_has_no_bound():
    fabric = build(rails())
    empty = Flows(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0))
    nobody = AllToAll(Groups.of([]), np.empty(0), np.empty(0))
    alone = Reduction(Groups.of([[3]]), np.array([GB]))
    for phases in ((), (Phase((empty, nobody, alone)),), (Phase(Flows([1], [1], [GB])),)):
        assert traffic_bound(fabric, Schedule(phases), packed(fabric)).time_s == 0.0


# The linear program.


def test_the_linear_program_finds_what_shortest_paths_miss():
    """Two ways from a to b, one longer: shortest paths use one, the optimum both."""
    kinds = [0, 0, 1, 1, 1]
    cables = [
        (0, 2, 200.0, 200.0),
        (1, 3, 200.0, 200.0),
        (2, 3, 100.0, 100.0),
        (2, 4, 100.0, 100.0),
        (4, 3, 100.0, 100.0),
    ]
    fabric = topology_of(kinds, cables)
    demand = Flows([0], [1], [25e9])
    one = link_loads(fabric, demand, packed(fabric)).bottleneck_time_s
    best = linear_program_bound(fabric, Schedule((Phase(demand),)), packed(fabric)).time_s
    assert (one, best) == (pytest.approx(2.0), pytest.approx(1.0))


def test_too_large_and_in_network_are_refused(cluster):
    large = build(read_preset("gb300-2048"))
    everyone, placement = all_to_all(Groups.consecutive(2048, 2048), 1e6), packed(large, 2048, 64)
    with pytest.raises(InputError, match="expected at most"):
        linear_program_bound(large, everyone, placement)
    schedule = collective_schedule("all-reduce", Groups.consecutive(64, 64), 1e6, "sharp")
    with pytest.raises(InputError, match="no flows"):
        linear_program_bound(cluster, schedule, packed(cluster))


# The command line.


def test_bounds_on_the_command_line(tmp_path):
    options = ("loads", "hgx-b200-64", "--collective", "all-to-all", "--group", "16", "--gpus", "16", "--optimum")
    document = answer(*options, cwd=tmp_path)
    cut, best = document["bounds"]
    assert (cut["cut"], best["cut"]) == ("domain", "linear program")
    assert (cut["holds_for"], best["holds_for"]) == (ANY_ALGORITHM, ANY_ROUTING)
    assert cut["time_over_bound"] >= 1 - 1e-9
    assert cut["time_s"] <= best["time_s"] * (1 + 1e-9) <= document["summary"]["bottleneck_time_s"] * (1 + 1e-6)
    ladder = answer("compare", "hgx-b200-64", "--no-figure", cwd=tmp_path)["ladder"]
    assert all(step["bound"]["time_over_bound"] >= 1 - 1e-9 for step in ladder)


def test_explicit_flows_and_traces_show_what_no_routing_beats(tmp_path):
    flows = tmp_path / "flows.csv"
    # 50 GB to another host on the same rail and 50 GB to one on another: PXN sends half through another NIC.
    flows.write_text("src,dst,bytes\nh0000g0,h0001g0,50GB\n0,63,50e9\n")
    document = answer("loads", "hgx-b200-64", "--demand", flows, "--optimum", cwd=tmp_path)
    for bound, cut in zip(document["bounds"], ("endpoint", "linear program"), strict=True):
        assert (bound["cut"], bound["holds_for"]) == (cut, ANY_ROUTING)
        assert bound["time_s"] == pytest.approx(2.0)
        assert bound["time_over_bound"] == pytest.approx(1.0)
    table = railscope("loads", "hgx-b200-64", "--demand", flows, "--top", "0", cwd=tmp_path).stdout
    assert "bound (endpoint)\tat least 2 s by any routing of this traffic; this is 1.000x that\n" in table
    (aligned,) = answer("loads", "hgx-b200-64", "--demand", flows, "--transport", "pxn", cwd=tmp_path)["bounds"]
    assert aligned["time_s"] == pytest.approx(1.0)
    assert aligned["time_over_bound"] == pytest.approx(1.0)
    document = answer("loads", "hgx-b200-64", "--trace", RESNET, cwd=tmp_path)
    (bound,) = document["bounds"]
    assert bound["holds_for"] == ANY_ROUTING
    # Two ranks in one host: NVLink is all that there is.
    assert bound["time_s"] == pytest.approx(document["summary"]["bottleneck_time_s"])


def test_routings_are_compared_over_one_bound(tmp_path):
    """ftree of a real subnet manager, D-mod-K, adaptive and hashing on the same cables."""
    flows = tmp_path / "flows.csv"
    flows.write_text("src,dst,bytes\n" + "".join(f"h00{i:02}r0,h00{i + 32}r0,1GB\n" for i in range(16)))
    document = answer("compare", *HURT, "--demand", flows, "--no-figure", cwd=tmp_path)
    bounds = [row["bound"] for row in document["routings"]]
    assert len({(bound["time_s"], bound["cut"], bound["holds_for"]) for bound in bounds}) == 1
    assert bounds[0]["holds_for"] == ANY_ROUTING
    for row in document["routings"]:
        ratio = row["bound"]["time_over_bound"]
        assert ratio == pytest.approx(row["summary"]["bottleneck_time_s"] / row["bound"]["time_s"])
        assert ratio >= 1 - 1e-9
    assert min(bound["time_over_bound"] for bound in bounds) == pytest.approx(1.0)


def test_no_bound_beside_a_time_that_leaves_pairs_out(tmp_path, monkeypatch):
    from tests.fabric.commands.test_cli import broken_tables

    monkeypatch.chdir(tmp_path)
    document = answer("loads", *broken_tables(), "--collective", "all-to-all", "--skip-unrouted")
    assert document["unrouted"]["pairs"] > 0
    assert document["bounds"] == []


def test_steps_of_a_trace_have_a_bound_of_their_traffic(tmp_path):
    ladder = answer("compare", "hgx-b200-64", "--trace", RESNET, "--no-figure", cwd=tmp_path)["ladder"]
    for step in ladder:
        assert step["bound"]["holds_for"] == ANY_ROUTING
        assert step["bound"]["time_over_bound"] >= 1 - 1e-9


def test_the_linear_program_of_reductions_is_refused_in_one_line(tmp_path):
    options = ("--collective", "all-reduce", "--algorithm", "nvls", "--gpus", "16", "--optimum")
    done = railscope("loads", "hgx-b200-64", *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "railscope: error: linear program: reductions in the network are no flows; expected an algorithm without them\n"
    )
