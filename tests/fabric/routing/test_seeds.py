"""Many seeds at once give what each gives alone, to the last bit."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

import railscope as rs
from collectives import AllToAll, Flows, Groups, InputError, Phase, Reduction, Schedule
from fabric.jobs.placement import Placement
from fabric.routing import hashed, link_loads as routed, registry
from fabric.routing.link_loads import loads_over_seeds, schedule_loads
from fabric.routing.paths import route_flows
from fabric.routing.policies import Adaptive, Ecmp, Routing
from fabric.routing.registry import register_policy
from fabric.studies.analysis import Analysis, analyse, analyse_each, over_hash_seeds
from fabric.studies.hotspots import tier_summaries, worst_imbalance
from tests.fabric.kernels.test_next_hops import REGULAR, planes


def phases(n):
    generator = np.random.default_rng(4)
    src, dst = generator.integers(0, n, (2, 50))
    everyone = Groups.consecutive(n, n)
    return Schedule(
        (
            Phase(Flows(src, dst, generator.random(50)), 2, "flows"),
            Phase(AllToAll(everyone, np.ones(n), np.full(n, 3.0)), 1, "even"),
            Phase(AllToAll(everyone, generator.random(n), generator.random(n)), 1, "skewed"),
            Phase(Reduction(Groups.of([[0, 1, n - 1]]), np.array([5.0])), 1, "tree"),
        )
    )


def bits(many):
    return [phase.bytes.tobytes() for one in many for phase in one.phases]


@pytest.mark.parametrize("name", ["planes", "one tree", "shared spines"])
@pytest.mark.parametrize("routing", [Ecmp(queue_pairs=2, seed=5), Ecmp(shared_seed=True)], ids=repr)
def test_many_seeds_at_once(monkeypatch, name, routing):
    topology = REGULAR[name]()
    n = topology.n_endpoints
    placement = Placement(np.random.default_rng(1).permutation(n).astype(np.int32))
    where = topology, phases(n), placement
    alone = [schedule_loads(*where, replace(routing, seed=routing.seed + number)) for number in range(5)]
    assert len(set(bits(alone))) > 5
    assert bits(loads_over_seeds(*where, routing, 5)) == bits(alone)
    # One after the other where they are walked; then two at a time where they are asked.
    monkeypatch.setattr(hashed, "_TOGETHER_BYTES", 1.0)
    assert bits(loads_over_seeds(*where, routing, 5)) == bits(alone)
    monkeypatch.setattr(routed, "_TOGETHER_BYTES", 2.5 * 8 * 4 * topology.n_links)
    assert bits(loads_over_seeds(*where, routing, 5, n_threads=1)) == bits(alone)


@dataclass(frozen=True)
class Drawn(Routing):
    """The hashed paths of a seed that it makes of its own; says nothing of many seeds."""

    seed: int = 0
    name: ClassVar[str] = "drawn"


def test_any_policy_with_a_seed(monkeypatch):
    monkeypatch.setattr(registry, "_HANDLERS", dict(registry._HANDLERS))
    register_policy(Drawn, paths=lambda topology, src, dst, own: route_flows(topology, src, dst, Ecmp(seed=own.seed)))
    topology = planes(1, 3, 2, 1)
    where = topology, phases(topology.n_endpoints), rs.packed(topology)
    found = list(loads_over_seeds(*where, Drawn(seed=3), 3))
    assert bits(found) == bits([schedule_loads(*where, Drawn(seed=seed)) for seed in (3, 4, 5)])
    with pytest.raises(InputError, match="seeds: adaptive has none; expected a policy with a seed"):
        next(loads_over_seeds(*where, Adaptive(), 3))


def test_studies_over_seeds_are_those_of_each():
    scenario = rs.Scenario.of("hgx-b200-64", rs.Collective("all-to-all", group=32), routing=Ecmp(seed=2))
    each = [scenario.routed(Ecmp(seed=seed)) for seed in (2, 3, 4)]
    alone = [analyse(one) for one in each]
    over = over_hash_seeds(scenario, 3)
    assert over.time_s.values == tuple(one.time_s for one in alone)
    assert over.imbalance.values == tuple(worst_imbalance(tier_summaries(one.loads.total)) for one in alone)


def test_scenarios_are_analysed_together_only_where_they_differ_by_the_next_seed(monkeypatch):
    scenario = rs.Scenario.of("hgx-b200-64", rs.Collective("all-to-all", group=32), routing=Ecmp(queue_pairs=1))
    other = rs.Scenario.of("hgx-b200-64", rs.Collective("all-to-all", group=16), routing=Ecmp(queue_pairs=1, seed=2))
    seeded = {seed: scenario.routed(Ecmp(queue_pairs=1, seed=seed)) for seed in range(5)}
    even = scenario.routed(Adaptive())
    shared = scenario.routed(Ecmp(queue_pairs=1, seed=1, shared_seed=True))
    order = [seeded[0], seeded[1], other, seeded[3], seeded[4], seeded[2], seeded[2], even, seeded[0], shared]
    asked = []
    kept = loads_over_seeds

    def watched(*where):
        asked.append((where[3].seed, where[4]))
        return kept(*where)

    monkeypatch.setattr("fabric.studies.analysis.loads_over_seeds", watched)
    found = list(analyse_each(order))
    assert asked == [(0, 2), (3, 2)]
    for one, own in zip(found, order, strict=True):
        assert isinstance(one, Analysis)
        assert one.scenario is own
        assert bits([one.loads]) == bits([analyse(own).loads])
