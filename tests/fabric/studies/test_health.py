"""Fabrics and tables with one thing wrong each: found, counted, named."""

from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings

from fabric.builders import build, read_preset
from fabric.formats.infiniband.lfts import NO_ENTRY, read_lfts
from fabric.formats.opening import open_fabric
from fabric.routing.lft_walk import lft_arrays
from fabric.routing.match_lfts import MatchedLfts, match_lfts
from fabric.routing.policies import Lft
from fabric.studies.health import check_fabric
from fabric.studies.health_credit_loops import turns_of
from fabric.topology import ENDPOINT, ISL, SWITCH, Cables, Topology
from tests.fabric.routing.test_lft_walk import table_cases
from tests.naive.lft_walk import naive_turns, walk
from tests.random_fabrics import flow_demands, topology_of

DATA = Path(__file__).parents[3] / "tests" / "data" / "infiniband"


@pytest.fixture(scope="module")
def cluster():
    return open_fabric(str(DATA / "ibnetdiscover.txt.gz"))


@pytest.fixture(scope="module")
def tables():
    return read_lfts(DATA / "opensm-lfts.dump.gz")


def findings(given, tables):
    health = check_fabric(given.topology, match_lfts(tables, given.topology, given.origin))
    return {finding.kind: finding for finding in health.findings}, health


def changed(tables, *entries):
    port = tables.port.copy()
    for switch, lid, value in entries:
        port[tables.switch_name.index(switch), lid] = value
    return replace(tables, port=port)


def lid_of(tables, name):
    return next(lid for lid, owner in tables.lid_name.items() if owner == name)


def test_a_healthy_fabric(cluster, tables):
    found, health = findings(cluster, tables)
    assert found == {}
    assert health.n_errors == 0
    assert [(tier.name, tier.direction, tier.links, round(tier.imbalance, 9)) for tier in health.routes] == [
        ("host", "up", 64, 1.0),
        ("host", "down", 64, 1.0),
        ("leaf-spine", "up", 64, 1.0),
        ("leaf-spine", "down", 64, 1.0),
    ]


def test_a_missing_entry(cluster, tables):
    lid = lid_of(tables, "hgx0002 mlx5_3")
    found, _ = findings(cluster, changed(tables, ("leaf0000", lid, NO_ENTRY)))
    # All 8 adapters of leaf 0 are on rail 0 and lose their way to one of rail 3.
    assert found["no entry"].count == 8
    assert found["no entry"].severity == "error"
    assert found["no entry"].examples[0] == ("hgx0001 mlx5_0 -> leaf0000, which has no entry (to hgx0002 mlx5_3)")


def test_a_dead_port(cluster, tables):
    lid = lid_of(tables, "hgx0002 mlx5_3")
    found, _ = findings(cluster, changed(tables, ("leaf0003", lid, 60)))
    assert found["dead port"].count == 63
    assert found["dead entry"].count == 1
    assert "whose port has no cable (to hgx0002 mlx5_3)" in found["dead port"].examples[0]
    assert found["dead entry"].examples == (f"leaf0003: LID {lid} (hgx0002 mlx5_3)",)


def test_a_wrong_end_and_a_loop(cluster, tables):
    lid = lid_of(tables, "hgx0001 mlx5_3")
    found, _ = findings(cluster, changed(tables, ("leaf0003", lid, 5)))
    assert found["wrong end"].count == 63
    assert "-> hgx0005 mlx5_3, which does not own the LID (to hgx0001 mlx5_3)" in found["wrong end"].examples[0]
    found, _ = findings(cluster, changed(tables, ("leaf0003", lid, 9)))
    assert found["loop"].count == 63
    assert found["loop"].examples[0].endswith("leaf0003 -> spine0000, and round again (to hgx0001 mlx5_3)")


def test_lids_and_switches_that_do_not_fit(cluster, tables):
    stranger = replace(tables, port_guid={**tables.port_guid, 1: 0xDEAD}, lid_name={**tables.lid_name, 1: "gone"})
    found, _ = findings(cluster, stranger)
    assert found["unowned LID"].examples == ("LID 1 (0x0001)",)
    assert found["no LID"].examples == ("hgx0001 mlx5_0",)
    fewer = replace(
        tables, switch_guid=tables.switch_guid[1:], switch_name=tables.switch_name[1:], port=tables.port[1:]
    )
    found, health = findings(cluster, fewer)
    assert found["no table"].examples == ("leaf0000",)
    assert health.n_errors >= 2
    renamed = replace(tables, switch_guid=(0xBAD, *tables.switch_guid[1:]), switch_name=("x", *tables.switch_name[1:]))
    found, _ = findings(cluster, renamed)
    assert found["unknown switch"].examples == ("0x0000000000000bad x",)


def ring(n, clockwise):
    """A ring of switches with a host each; routes clockwise only deadlock, the shorter way with a break do not."""
    kinds = [ENDPOINT] * n + [SWITCH] * n
    fabric = topology_of(
        kinds, [(i, n + i, 1, 1) for i in range(n)] + [(n + i, n + (i + 1) % n, 1, 1) for i in range(n)]
    )
    next_link = np.zeros((n, n), np.int32)
    for dst in range(n):
        for at in range(n):
            step = 1 if clockwise or dst > at else -1
            goal = dst if at == dst else n + (at + step) % n
            next_link[dst, at] = next(
                link
                for link in range(fabric.out_start[n + at], fabric.out_start[n + at + 1])
                if fabric.link_head[link] == goal
            )
    lft = Lft("ring", np.arange(n + 1), np.arange(n, dtype=np.int32), next_link)
    return fabric, MatchedLfts(lft, (), (), (), ())


def test_a_ring_routed_one_way_may_deadlock():
    found = {finding.kind: finding for finding in check_fabric(*ring(5, clockwise=True)).findings}
    assert found["credit loop"].severity == "error"
    assert found["credit loop"].examples[0].split(" -> ")[0] == found["credit loop"].examples[0].split(" -> ")[-1]
    assert len(found["credit loop"].examples[0].split(" -> ")) == 6
    kinds = {finding.kind for finding in check_fabric(*ring(5, clockwise=False)).findings}
    assert "credit loop" not in kinds


@pytest.mark.kernels
@settings(deadline=None, max_examples=100)
@given(table_cases(flow_demands))
def test_turns_and_cycles_equal_those_of_all_walks(case):
    topology, _, _, routing = case
    expected = naive_turns(topology, routing)
    turns = turns_of(topology, lft_arrays(topology, routing))
    assert {tuple(turn) for turn in turns.tolist()} == expected
    cyclic = not nx.is_directed_acyclic_graph(nx.DiGraph(list(expected)))
    found = {finding.kind for finding in check_fabric(topology, MatchedLfts(routing, (), (), (), ())).findings}
    assert ("credit loop" in found) == cyclic


@pytest.mark.kernels
@settings(deadline=None, max_examples=100)
@given(table_cases(flow_demands))
def test_counted_pairs_equal_those_without_a_walk(case):
    topology, _, _, routing = case
    lost = 0
    for src in range(topology.n_endpoints):
        leaves = {
            int(topology.link_head[link]) for link in np.flatnonzero(topology.link_tail == topology.endpoints[src])
        }
        for dst in range(topology.n_endpoints):
            rows = range(routing.row_start[dst], routing.row_start[dst + 1])
            if src != dst and rows and not any(walk(topology, routing, row, leaf) for row in rows for leaf in leaves):
                lost += 1
    found = check_fabric(topology, MatchedLfts(routing, (), (), (), ())).findings
    kinds = {"no entry", "dead port", "wrong end", "loop"}
    assert sum(finding.count for finding in found if finding.kind in kinds) == lost


def cut(fabric, *cables, slower=()):
    """The fabric without the cables of some links, and with some at half speed."""
    one = np.flatnonzero(np.arange(fabric.n_links) < fabric.link_reverse)
    keep = one[~np.isin(one, cables)]
    gbps = np.where(np.isin(keep, slower), fabric.link_capacity_gbps[keep] / 2, fabric.link_capacity_gbps[keep])
    return Topology.from_cables(
        fabric.name,
        fabric.nodes,
        Cables(
            fabric.link_tail[keep],
            fabric.link_head[keep],
            fabric.link_tail_port[keep],
            fabric.link_head_port[keep],
            gbps,
            gbps,
        ),
    )


def two_cables_to_each_spine():
    description = read_preset("hgx-b200-64")
    return description.model_copy(update={"leaf": description.leaf.model_copy(update={"down_ports": 8})})


def test_cables_that_are_slow_or_missing():
    fabric = build(two_cables_to_each_spine())
    isl = np.flatnonzero((fabric.link_kind == ISL) & (np.arange(fabric.n_links) < fabric.link_reverse))
    found = {finding.kind: finding for finding in check_fabric(cut(fabric, isl[3], slower=isl[7:9])).findings}
    assert (found["slow cable"].count, found["slow cable"].severity) == (2, "warning")
    assert found["slow cable"].examples[0].endswith("200 Gb/s, the best of leaf-spine have 400")
    assert found["uneven wiring"].examples == ("r0-l00 port 12 - s01 port 2: 1 of 2 cables",)
    assert check_fabric(fabric).findings == ()


def test_an_adapter_on_the_wrong_rail():
    fabric = build(read_preset("hgx-b200-64"))
    rail = fabric.nodes.rail.copy()
    rail[[3, 4]] = rail[[4, 3]]
    swapped = Topology.from_cables(fabric.name, replace(fabric.nodes, rail=rail), cables_of(fabric))
    (found,) = check_fabric(swapped).findings
    assert (found.kind, found.count) == ("wrong rail", 2)
    assert found.examples == ("h0000: g4 and g3 are on each other's leaf, r4-l00 and r3-l00",)
    assert found.todo == "exchange the cables of host h0000, g4 and g3"


def cables_of(fabric):
    one = np.flatnonzero(np.arange(fabric.n_links) < fabric.link_reverse)
    gbps = fabric.link_capacity_gbps[one]
    return Cables(
        fabric.link_tail[one], fabric.link_head[one], fabric.link_tail_port[one], fabric.link_head_port[one], gbps, gbps
    )


def test_two_islands_and_a_lone_endpoint():
    fabric = topology_of(
        [ENDPOINT] * 6 + [SWITCH] * 3, [(0, 6, 1, 1), (1, 6, 1, 1), (2, 7, 1, 1), (3, 7, 1, 1), (4, 7, 1, 1)]
    )
    found = {(finding.kind, finding.severity): finding.count for finding in check_fabric(fabric).findings}
    assert found[("disconnected", "error")] == 2 * 2 * 3
    assert found[("no cable", "error")] == 1
    assert found[("no cable", "warning")] == 1
