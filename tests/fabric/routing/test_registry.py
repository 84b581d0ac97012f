"""A routing policy added from outside, with the public names alone."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

import railscope as rs
from fabric.routing import pairs, registry
from fabric.routing.registry import needed_parameters, policy_options, ready_policy_names
from tests.fabric.routing.test_sweep import cases, crossed_domains, sent_and_received, uniform
from tests.naive.routing import assert_conserved
from tests.random_fabrics import all_to_all_demands, flow_demands


@dataclass(frozen=True)
class RandomPath(rs.Routing):
    """A shortest path at random, drawn anew for every pair."""

    seed: int = 0
    name = "random-path"


def random_paths(topology, src, dst, policy):
    graph = rs.to_networkx(topology)
    by_name = {name: node for node, name in enumerate(topology.nodes.name)}
    links: dict[tuple[int, int], list[int]] = {}
    for number in range(topology.n_links):
        links.setdefault((int(topology.link_tail[number]), int(topology.link_head[number])), []).append(number)
    names = topology.endpoint_names
    barred = {name for name, kind in zip(topology.nodes.name, topology.nodes.kind, strict=True) if kind == 2}

    def path(a, b):
        import networkx as nx

        allowed = graph.subgraph(
            [n for n in graph if n in (names[a], names[b]) or (n not in names and n not in barred)]
        )
        ways = sorted(nx.all_shortest_paths(nx.DiGraph(allowed), names[a], names[b]))
        draw = np.random.default_rng([policy.seed, a, b])
        way = [by_name[name] for name in ways[draw.integers(len(ways))]]
        return [int(draw.choice(links[ends])) for ends in pairwise(way)]

    return rs.RoutedFlows.whole(rs.FlowPaths.of([path(a, b) for a, b in zip(src.tolist(), dst.tolist(), strict=True)]))


@pytest.fixture(scope="module", autouse=True)
def registered():
    """The policy, for these tests: others look at those that come with railscope."""
    before = dict(registry._HANDLERS)
    rs.register_policy(RandomPath, paths=random_paths)
    yield
    registry._HANDLERS.clear()
    registry._HANDLERS.update(before)


@pytest.mark.parametrize("demands", [flow_demands, all_to_all_demands])
def test_loads_follow_from_paths_alone(demands):
    @settings(deadline=None, max_examples=40)
    @given(cases(demands))
    def check(case):
        topology, demand, placement = case
        loads = rs.link_loads(topology, demand, placement, RandomPath(seed=3))
        assert_conserved(topology, loads.bytes, *sent_and_received(topology, demand, placement))
        # Every policy crosses the same number of links.
        adaptive = rs.link_loads(topology, demand, placement)
        assert loads.bytes.sum() == pytest.approx(adaptive.bytes.sum())

    check()


def test_an_own_policy_serves_wherever_a_built_in_one_does():
    topology, policy = crossed_domains(), RandomPath(seed=1)
    schedule = rs.all_to_all(rs.Groups.consecutive(12, 12), 1200.0)
    loads = rs.schedule_loads(topology, schedule, rs.packed(topology), policy)
    assert loads.total.bytes.sum() > 0
    src, dst = np.arange(12, dtype=np.int32), np.roll(np.arange(12, dtype=np.int32), 3)
    routed = rs.route_flows(topology, src, dst, policy)
    assert sorted(routed.flow) == list(range(12))
    by_paths = routed.link_bytes(np.full(12, 5.0), topology.n_links)
    flows = rs.Flows(src, dst, np.full(12, 5.0))
    in_order = rs.Placement(np.arange(12, dtype=np.int32))
    np.testing.assert_allclose(rs.link_loads(topology, flows, in_order, policy).bytes, by_paths)
    rates = rs.max_min_rates(topology.link_capacity_gbps, routed.paths)
    assert np.isfinite(rates).all()
    assert (rates > 0).all()
    seen = rs.analyse(rs.Scenario.of(topology, schedule, routing=policy))
    assert seen.scenario.routing.parameters == {"seed": 1}


@pytest.mark.parametrize("block_pairs", [1, 7, 1000])
def test_an_all_to_all_in_blocks_is_its_pairs(block_pairs):
    @settings(deadline=None, max_examples=60)
    @given(cases(all_to_all_demands))
    def check(case):
        from tests.naive.routing import pairs_of

        _, demand, _ = case
        flows = list(pairs.pairs_in_blocks(demand, block_pairs))
        got = sorted(pair for some in flows for pair in pairs_of(some))
        assert got == sorted(pair for pair in pairs_of(demand) if pair[2] > 0)

    check()


def test_all_to_all_follows_from_flows():
    """A policy that has loads of flows only, and no paths."""

    @dataclass(frozen=True)
    class FlowsOnly(rs.Routing):
        name = "flows-only"

    def flows(topology, demand, placement, policy, n_threads):
        apart = topology.endpoint_domain[demand.src] != topology.endpoint_domain[demand.dst]
        some = rs.Flows(demand.src[apart], demand.dst[apart], demand.bytes[apart])
        return rs.link_loads(topology, some, placement, rs.DModK(), n_threads)

    rs.register_policy(FlowsOnly, flows=flows)
    topology = rs.build(rs.read_preset("hgx-b200-64"))
    demand = uniform(topology.n_endpoints)
    loads = rs.link_loads(topology, demand, rs.packed(topology), FlowsOnly())
    np.testing.assert_allclose(loads.bytes, rs.link_loads(topology, demand, rs.packed(topology), rs.DModK()).bytes)
    with pytest.raises(rs.InputError, match="routing: flows-only has loads of flows, but no paths"):
        rs.route_flows(topology, np.array([0]), np.array([9]), FlowsOnly())


class Stranger:
    name = "adaptive"


@pytest.mark.parametrize("routing", [Stranger(), "ecmp", rs.Adaptive, object()])
def test_what_is_not_registered_is_refused_everywhere(routing):
    topology = crossed_domains()
    placement, schedule = rs.packed(topology), rs.all_to_all(rs.Groups.consecutive(12, 12), 1.0)
    ends = np.array([0], np.int32), np.array([5], np.int32)
    reduction = rs.Reduction(rs.Groups.of([[0, 1]]), [1.0])
    refused = "routing: expected a registered policy .*Adaptive, Ecmp, DModK, Lft.*, got"
    for use in (
        lambda: rs.link_loads(topology, rs.Flows(*ends, [1.0]), placement, routing),
        lambda: rs.link_loads(topology, uniform(12), placement, routing),
        lambda: rs.link_loads(topology, reduction, placement, routing),
        lambda: rs.schedule_loads(topology, schedule, placement, routing),
        lambda: rs.route_flows(topology, *ends, routing),
        lambda: rs.analyse(rs.Scenario.of(topology, schedule, routing=routing)),
    ):
        with pytest.raises(rs.InputError, match=refused):
            use()


def test_what_a_policy_answers_is_checked():
    @dataclass(frozen=True)
    class Half(rs.Routing):
        name = "half"

    def half(topology, src, dst, policy):
        paths = rs.FlowPaths.of([[0]] * len(src))
        return rs.RoutedFlows(paths, np.arange(len(src)), np.full(len(src), 0.5))

    rs.register_policy(Half, paths=half)
    topology = crossed_domains()
    with pytest.raises(rs.InputError, match=r"part: the parts of flow 0 add up to 0\.5; expected 1"):
        rs.link_loads(topology, rs.Flows([0], [5], [1.0]), rs.packed(topology), Half())


def test_names_and_makers():
    assert rs.policy_names()[:6] == ("adaptive", "ecmp", "dmodk", "lft", "link-weights", "given-paths")
    assert "random-path" in rs.policy_names()
    assert ready_policy_names()[:3] == ("adaptive", "ecmp", "dmodk")
    assert not {"lft", "link-weights", "given-paths"} & set(ready_policy_names())
    assert rs.make_policy("ecmp", queue_pairs=4) == rs.Ecmp(queue_pairs=4)
    assert rs.make_policy("random-path", seed=7) == RandomPath(7)
    assert policy_options("ecmp") == {"queue_pairs": None, "seed": 0, "shared_seed": False}
    assert needed_parameters("link-weights") == ("weight",)
    with pytest.raises(rs.InputError, match=r"routing 'ecpm' is unknown; did you mean ecmp\?"):
        rs.make_policy("ecpm")
    with pytest.raises(rs.InputError, match="seed: adaptive has no such parameter; expected none"):
        rs.make_policy("adaptive", seed=1)
    with pytest.raises(rs.InputError, match="link-weights: expected weight"):
        rs.make_policy("link-weights")


def test_registering_is_checked():
    @dataclass(frozen=True)
    class Other(rs.Routing):
        name = "ecmp"

    @dataclass(frozen=True)
    class Mine(rs.Routing):
        weights: dict = field(default_factory=dict)
        name = "mine"

    with pytest.raises(rs.InputError, match=r"policy ecmp: fabric.routing.policies.Ecmp has that name already"):
        rs.register_policy(Other, paths=random_paths)
    with pytest.raises(rs.InputError, match="policy mine: expected paths, or flows"):
        rs.register_policy(Mine)
    with pytest.raises(rs.InputError, match="policy: expected a subclass of Routing with a name"):
        rs.register_policy(Stranger, paths=random_paths)  # type: ignore[type-var]
    rs.register_policy(Mine, paths=random_paths)
    assert policy_options("mine") == {"weights": {}}

    def again():
        @dataclass(frozen=True)
        class Mine(rs.Routing):
            name = "mine"

        Mine.__qualname__ = "test_registering_is_checked.<locals>.Mine"
        return Mine

    second = again()
    rs.register_policy(second, paths=random_paths)
    assert type(rs.make_policy("mine")) is second
