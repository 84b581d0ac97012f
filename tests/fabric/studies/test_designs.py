"""Designs side by side, on fabrics small enough to know what must come out."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import railscope as rs
from collectives import Flows, InputError, Phase, Schedule
from fabric.builders.description import FabricDescription, Hosts, Leaf, ScaleUp, Spine
from fabric.reports.facts import fabric_document
from fabric.studies.designs import MOST_DESIGNS, ranked, vary_keys
from fabric.studies.prices import parse_prices
from fabric.topology import ISL, NIC, NVLINK, SWITCH

GBPS = 400.0


def cluster(hosts=16, name="small", hosts_per_domain=1):
    """Hosts of 4 GPUs on 4 rails; a leaf has 8 ports down."""
    return FabricDescription(
        fabric=Hosts(name=name, hosts=hosts, gpus_per_host=4, gpu_gbps=GBPS),
        leaf=Leaf(radix=16, port_gbps=GBPS),
        spine=Spine(radix=32, port_gbps=GBPS),
        scale_up=ScaleUp(hosts_per_domain=hosts_per_domain, gpu_gbps=7200.0),
    )


def all_to_all(description=None, size=2.0**20, **options):
    return rs.Scenario.of(description or cluster(), rs.Collective("all-to-all", size), **options)


def shifted(by, n=64, size=1e6):
    """Every rank sends to the one so many further."""
    ranks = np.arange(n, dtype=np.int32)
    return Schedule((Phase(Flows(ranks, ((ranks + by) % n).astype(np.int32), np.full(n, size)), 1, "shift"),))


def test_oversubscription_multiplies_what_crosses_the_leaves():
    """With host wiring a leaf serves 2 hosts, so that half the ranks further is always on another leaf."""
    scenario = rs.Scenario.of(cluster(), shifted(32))
    outcomes = rs.compare_designs(rs.vary(scenario, {"wiring": ["host"], "oversubscription": [1, 2, 4]}))
    wire_s = 1e6 * 8 / (GBPS * 1e9)
    assert [one.time_s for one in outcomes] == pytest.approx([wire_s, 2 * wire_s, 4 * wire_s])


def test_an_all_to_all_is_held_by_the_nic_or_by_the_leaf():
    """Of 64 equal parts a rank keeps 1, sends 3 over NVLink, 60 through its NIC, and with its leaf 56 up each."""
    size = 2.0**20
    outcomes = rs.compare_designs(rs.vary(all_to_all(size=size), {"wiring": ["host"], "oversubscription": [1, 2]}))
    part_s = size / 64 * 8 / (GBPS * 1e9)
    assert [one.time_s for one in outcomes] == pytest.approx([60 * part_s, 2 * 56 * part_s])
    assert [one.analysis.hottest and one.analysis.hottest.tier for one in outcomes] == ["host", "leaf-spine"]


def test_rail_wiring_keeps_a_rail_behind_its_leaf():
    """The GPU of the same index two hosts further: behind one leaf by rail, never by host."""
    scenario = rs.Scenario.of(cluster(hosts=8), shifted(8, n=32))
    rail, host = rs.compare_designs(rs.vary(scenario, {"wiring": ["rail", "host"], "oversubscription": [2]}))
    crossing = [one.analysis.loads.total.bytes[one.analysis.topology.link_kind == ISL].sum() for one in (rail, host)]
    assert crossing == [0, 2 * 32 * 1e6]
    assert host.time_s == pytest.approx(2 * rail.time_s)


def test_transport_and_placement_do_what_the_options_do():
    variants = rs.vary(
        all_to_all(), {"transport": ["direct", "pxn"], "placement": ["packed", "scattered"], "seed": [3]}
    )
    for variant in variants:
        chosen = dict(variant.settings)
        rule = rs.PlacementRule(kind=str(chosen["placement"]), seed=3)
        alone = rs.analyse(all_to_all(rule=rule, transport=str(chosen["transport"])))
        (outcome,) = rs.compare_designs([variant])
        np.testing.assert_array_equal(outcome.analysis.loads.total.bytes, alone.loads.total.bytes)
        assert outcome.bound == alone.bound


def test_the_scenario_itself_is_the_first_of_one():
    scenario = all_to_all()
    (variant,) = rs.vary(scenario)
    assert (variant.name, variant.scenario) == ("small", scenario)


AXES: dict[str, list[object]] = {
    "wiring": ["rail", "host"],
    "placement": ["packed", "scattered"],
    "transport": ["direct", "pxn"],
    "leaf.oversubscription": [1, 2, 4.0],
    "spine.count": [1, 2],
}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(sorted(AXES)), unique=True, max_size=3), st.data())
def test_designs_are_the_product_in_the_order_given(keys, data):
    axes = {key: data.draw(st.lists(st.sampled_from(AXES[key]), unique=True, min_size=1)) for key in keys}
    variants = rs.vary(all_to_all(cluster(hosts=4)), axes)
    assert [one.settings for one in variants] == [
        tuple(zip(keys, values, strict=True)) for values in itertools.product(*axes.values())
    ]
    assert len({one.name for one in variants}) == len(variants)
    for one in variants:
        chosen, scenario = dict(one.settings), one.scenario
        said: Any = scenario.fabric.description
        assert said.fabric.wiring == chosen.get("wiring", "rail")
        assert said.leaf.oversubscription == chosen.get("leaf.oversubscription", 1)
        assert said.spine.count == chosen.get("spine.count")
        assert scenario.job.rule.kind == chosen.get("placement", "packed")
        assert scenario.job.transport == chosen.get("transport", "direct")


def test_a_key_without_effect_makes_no_second_design():
    axes: dict[str, list[object]] = {"routing": ["adaptive", "ecmp", "dmodk"], "queue_pairs": [1, 4], "seed": [0, 1]}
    variants = rs.vary(all_to_all(cluster(hosts=4)), axes)
    assert [tuple(dict(one.settings).values()) for one in variants] == [
        ("adaptive", None, None),
        *(("ecmp", pairs, seed) for pairs in (1, 4) for seed in (0, 1)),
        ("dmodk", None, None),
    ]
    assert [one.scenario.routing for one in variants[1:5]] == [
        rs.Ecmp(pairs, seed) for pairs in (1, 4) for seed in (0, 1)
    ]
    assert variants[0].name == "routing=adaptive"


def test_fabrics_side_by_side_and_varied():
    scenarios = [
        all_to_all(cluster(hosts=hosts, name=f"of-{hosts}"), rule=rs.PlacementRule(gpus=16)) for hosts in (4, 8)
    ]
    variants = rs.vary(scenarios, {"wiring": ["rail", "host"]})
    assert [one.name for one in variants] == [f"of-{n} wiring={how}" for n in (4, 8) for how in ("rail", "host")]
    with pytest.raises(InputError, match="small is given twice"):
        rs.vary([all_to_all(), all_to_all()])


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"wirng": ["rail"]}, "wirng: nothing of that name can be varied; did you mean wiring?"),
        ({"zzz": [1]}, "expected one of routing, placement, transport, nics, queue_pairs, seed, wiring"),
        ({"leaf.radx": [1]}, "leaf.radx: .*did you mean leaf.radix?"),
        ({"wiring": ["rial"]}, "fabric.wiring: 'rial' is not known; did you mean rail?"),
        ({"oversubscription": ["x"]}, "leaf.oversubscription: expected a finite number > 0, got 'x'"),
        ({"oversubscription": [3]}, "expected a whole number of cables .with leaf.oversubscription=3"),
        ({"spine.count": [-1]}, "spine.count: expected an integer >= 0, got -1"),
        ({"routing": ["ecpm"]}, "routing=ecpm: did you mean ecmp?"),
        ({"placement": ["tight"]}, "placement=tight: expected one of packed, unaligned, fragmented, scattered"),
        ({"seed": [-1]}, "seed=-1: expected an integer >= 0"),
        ({"queue_pairs": [True]}, "queue_pairs=True: expected an integer >= 1"),
        ({"queue_pairs": [1, 4]}, "queue_pairs: has no effect in any design: only ecmp hashes"),
        ({"time.hop_ns": [1]}, "time.hop_ns: has no effect here"),
        ({"job.gpus": [4]}, "job.gpus: has no effect here: the job is the same in every design"),
        ({"wiring": []}, "wiring: no value"),
        ({"wiring": ["rail", "rail"]}, "wiring=rail: given twice"),
        ({"oversubscription": [1], "leaf.oversubscription": [2]}, "leaf.oversubscription is varied twice"),
        ({"leaf.oversubscription": [1], "oversubscription": [2]}, "leaf.oversubscription is varied twice"),
        ({"leaf.radix": list(range(16, 16 + MOST_DESIGNS + 1))}, "65 combinations; expected at most 64"),
        ({"transport": ["pxn"], "scale_up.hosts_per_domain": [0]}, "transport pxn: small knows no NVLink"),
        ({"fabric.hosts": [2]}, "gpus: 64 asked, fabric small has 8"),
    ],
)
def test_what_cannot_be_varied_is_refused_in_one_line(axes, message):
    with pytest.raises(InputError, match=message) as caught:
        rs.vary(all_to_all(), axes)
    assert "\n" not in str(caught.value)


def test_what_would_get_lost_is_refused():
    topology = rs.build(cluster())
    with pytest.raises(InputError, match="wiring: small has no description"):
        rs.vary(all_to_all(topology), {"wiring": ["host"]})
    shuffled = rs.Placement(np.arange(16)[::-1].astype(np.int32))
    with pytest.raises(InputError, match="the placement was given by endpoints"):
        rs.vary(all_to_all(topology, placement=shuffled), {"routing": ["dmodk"]})
    weights = rs.LinkWeights(np.ones(topology.n_links))
    with pytest.raises(InputError, match="link-weights is made for the links of one fabric"):
        rs.vary(all_to_all(), {"wiring": ["rail", "host"], "routing": [weights, "ecmp"]})
    with pytest.raises(InputError, match="link-weights is made for the links of one fabric"):
        rs.vary(all_to_all(routing=weights), {"oversubscription": [2]})
    assert len(rs.vary(all_to_all(), {"routing": [weights, "ecmp"]})) == 2
    # A graph of any origin can still be routed in other ways.
    assert len(rs.vary(all_to_all(topology), {"routing": ["dmodk", "adaptive"]})) == 2


def test_keys_of_the_description_are_all_known():
    keys = vary_keys()
    assert {"spine.count", "core.radix", "scale_up.gpu_gbps", "job.gpus_per_domain", "oversubscription"} <= set(keys)
    assert not {"fabric.name", "time.hop_ns", "job.gpus"} & set(keys)


@pytest.mark.parametrize("name", ["hgx-b200-64", "gb300-2048"])
def test_parts_are_those_of_fabric_show(name):
    fabric = rs.open_fabric(name)
    parts = rs.parts_of(fabric)
    shown: Any = fabric_document(fabric.topology)
    assert parts.endpoints == shown["endpoints"]
    assert [(one.tier, one.count) for one in parts.switches] == [
        (row["tier"], row["switches"]) for row in shown["switches"]
    ]
    cables = {row["cables"]: row["count"] for row in shown["cables"] if row["cables"] != "NVLink"}
    assert {one.name: one.count for one in parts.cables} == cables
    assert parts.n_cables == sum(cables.values())
    assert parts.host_cables == cables["host"]
    assert parts.optics() == 2 * (parts.n_cables - parts.host_cables)
    assert parts.optics(frozenset()) == 2 * parts.n_cables
    assert parts.optics(frozenset(cables)) == 0


# Made up: no price of anything that is sold.
PRICES = """
currency = "EUR"
copper = ["host"]
[switch]
leaf = 100
"32x400" = 120.0
[cable]
host = 3.0
400 = 2.5
[optics]
400 = 5.0
"""


@settings(max_examples=10, deadline=None)
@given(
    st.tuples(*[st.integers(0, 10**6)] * 6),
    st.sets(st.sampled_from(["host", "leaf-spine"])),
    st.sampled_from(["rail", "host"]),
    st.sampled_from([1, 2, 4]),
)
def test_a_cost_is_the_sum_over_every_part(amounts, copper, wiring, oversubscription):
    leaf, spine, host, isl, optic, nic = amounts
    prices = parse_prices(
        f'currency = "X"\nnic = {nic}\ncopper = {sorted(copper)}\n[switch]\nleaf = {leaf}\nspine = {spine}\n'
        f"[cable]\nhost = {host}\nleaf-spine = {isl}\n[optics]\n400 = {optic}\n",
        "made up",
    )
    changes = {"fabric.wiring": wiring, "leaf.oversubscription": oversubscription}
    fabric = rs.opened_fabric(rs.changed_description(cluster(hosts=8), changes))
    topology, total = fabric.topology, fabric.topology.n_endpoints * nic
    for node in range(topology.n_nodes):
        if topology.nodes.kind[node] == SWITCH:
            total += {1: leaf, 2: spine}[int(topology.nodes.tier[node])]
    for link in range(topology.n_links):
        kind = int(topology.link_kind[link])
        if link < topology.link_reverse[link] and kind != NVLINK:
            name, price = ("host", host) if kind == NIC else ("leaf-spine", isl)
            total += price + (0 if name in copper else 2 * optic)
    cost = rs.price_parts(rs.parts_of(fabric), prices)
    assert cost.total == total
    assert cost.per_gpu == total / 32


def test_a_tier_is_priced_before_a_speed():
    cost = rs.price_parts(rs.parts_of(rs.opened_fabric(cluster())), parse_prices(PRICES, "p"))
    # 8 leaves; 64 uplinks to 2 spines of 32 ports.
    assert (cost.switches, cost.cables, cost.optics, cost.nics) == (8 * 100 + 2 * 120, 64 * 3 + 64 * 2.5, 128 * 5, 0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("leaf = 100", "leaf = '100'", r"p: switch.leaf: expected a finite number >= 0, got '100'"),
        ("leaf = 100", "leaf = -1", r"switch.leaf: expected a finite number >= 0, got -1"),
        ("leaf = 100", "laef = 100", r"switch: 'laef' is not known; did you mean leaf?"),
        ("[optics]", "[optic]", r"optic: unknown key; did you mean optics?"),
        ('currency = "EUR"', "", r"currency: missing; expected a text in quotes"),
        ('currency = "EUR"', "currency = 3", r"currency: expected a text in quotes that is not empty, got 3"),
        ('["host"]', '["hosts"]', r"copper: 'hosts' is not known; did you mean host?"),
        ('["host"]', '"host"', r"copper: expected a list of tiers"),
        ("[switch]", "[switch", r"p: not TOML"),
    ],
)
def test_a_wrong_price_file_is_refused_by_its_key(old, new, message):
    with pytest.raises(InputError, match=message) as caught:
        parse_prices(PRICES.replace(old, new), "p")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("leaf = 100", "switch.leaf: missing; small has 8 leaf switches; expected leaf or 16x400 in .switch"),
        ("400 = 2.5", "cable.leaf-spine: missing; small has 64 leaf-spine cables of 400 Gb/s"),
        ("400 = 5.0", "optics.400: missing; small has 64 leaf-spine cables of 400 Gb/s; expected 400 in .optics"),
    ],
)
def test_a_missing_price_is_named(gone, message):
    prices = parse_prices(PRICES.replace(gone, ""), "p")
    with pytest.raises(InputError, match=message):
        rs.compare_designs(rs.vary(all_to_all()), prices)


def test_the_best_is_the_fastest_then_the_cheapest():
    axes: dict[str, list[object]] = {
        "oversubscription": [2, 1],
        "routing": ["adaptive", "ecmp"],
        "spine.count": [2, 4],
    }
    outcomes = rs.compare_designs(rs.vary(all_to_all(), axes))
    order = ranked(outcomes)
    assert sorted(map(id, order)) == sorted(map(id, outcomes))
    assert order[0].time_s <= min(one.time_s for one in outcomes) * 1.01
    assert dict(order[0].variant.settings) == {"oversubscription": 1, "routing": "adaptive", "spine.count": 2}
    text = rs.designs_verdict(outcomes).text
    assert text.startswith("The fastest of 8 designs is oversubscription=1 routing=adaptive spine.count=2: it takes ")
    assert "as does oversubscription=1 routing=adaptive spine.count=4" in text
    assert "against it the fastest has 32 cables more" in text


def test_the_verdict_says_what_the_fastest_costs_more():
    outcomes = rs.compare_designs(
        rs.vary(rs.Scenario.of(cluster(), shifted(32)), {"oversubscription": [2, 1], "wiring": ["host"]}),
        parse_prices(PRICES, "p"),
    )
    two, one = (outcome.cost.total for outcome in outcomes if outcome.cost)
    text = rs.designs_verdict(outcomes).text
    assert "the next, oversubscription=2, takes 2 times as long" in text
    # 1 spine instead of 2, and 32 cables with their transceivers less.
    assert one - two == 120 + 32 * 12.5
    assert f"costs {(one / two - 1):.0%}".replace("%", " %") + " more" in text
    assert f"The cheapest, oversubscription=2, costs {(1 - two / one):.0%}".replace("%", " %") + " less" in text


def test_the_verdict_says_that_jobs_differ():
    scenarios = [all_to_all(cluster(hosts=hosts, name=f"of-{hosts}")) for hosts in (4, 8)]
    text = rs.designs_verdict(rs.compare_designs(rs.vary(scenarios))).text
    assert "The designs do not run the same job: 16 to 32 ranks in groups of 16 to 32." in text
