"""Cables moved to free ports: never worse than the best single move, tried one by one; ports and limits are kept."""

import json
import shlex
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import railscope as rs
from collectives.errors import InputError
from fabric.commands.app import app
from fabric.formats.free_ports import FreePort
from fabric.routing.policies import Lft
from fabric.studies.advice import study
from fabric.studies.advice.lever import Cost
from fabric.studies.advice.move_search import MOST_MOVES, Move, find_moves, moved
from fabric.studies.advice.moves import move_cables
from fabric.topology import ENDPOINT, ISL, SWITCH, UNKNOWN, UP, Cables, Nodes, Topology

DUMP = "tests/data/infiniband/hurt512-updn"
RADIX, HOSTS, LEAVES, SPINES = 9, 3, 3, 2


def uneven(seed):
    """Leaves with 1 to 3 cables to each spine, and the free ports of every switch."""
    rng = np.random.default_rng(seed)
    n_endpoints = LEAVES * HOSTS
    hosts, leaves, spines = np.split(np.arange(n_endpoints + LEAVES + SPINES), [n_endpoints, n_endpoints + LEAVES])
    ends = [(host, leaves[host // HOSTS]) for host in hosts]
    ends += [(leaf, spine) for leaf in leaves for spine in spines for _ in range(rng.integers(1, 4))]
    used = dict.fromkeys(range(len(hosts) + LEAVES + SPINES), 0)
    rows = []
    for pair in ends:
        ports = []
        for node in map(int, pair):
            used[node] += 1
            ports.append(used[node])
        rows.append((*pair, *ports))
    unknown = np.full(len(used), UNKNOWN, np.int32)
    kind = np.where(np.arange(len(used)) < n_endpoints, ENDPOINT, SWITCH)
    nodes = Nodes(tuple(f"n{node}" for node in used), kind, unknown, unknown, unknown, unknown, unknown)
    gbps = np.full(len(rows), 100.0)
    one, other, port, other_port = np.array(rows, np.int32).T
    topology = Topology.from_cables("uneven", nodes, Cables(one, other, port, other_port, gbps, gbps))
    free = {
        node: tuple(FreePort(port, f"port {port}") for port in range(used[node] + 1, RADIX + 1))
        for node in (*leaves.tolist(), *spines.tolist())
    }
    return topology, free


def advise(scenario, levers) -> Any:
    return study.advise(scenario, levers)


def time_s(scenario, moves=()):
    return rs.analyse(moved(scenario, tuple(moves), "moved") if moves else scenario).time_s


def every_single_move(topology, free):
    tail, head = topology.link_tail, topology.link_head
    up = np.flatnonzero((topology.link_kind == ISL) & (topology.link_direction == UP)).tolist()
    for link in up:
        for low in set(tail[up].tolist()):
            for high in set(head[up].tolist()):
                low_port = None if low == tail[link] else next(iter(free[low]), None)
                high_port = None if high == head[link] else next(iter(free[high]), None)
                full = (low != tail[link] and low_port is None) or (high != head[link] and high_port is None)
                if not full and (low, high) != (tail[link], head[link]):
                    yield Move(link, low, high, low_port, high_port)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**20))
def test_no_single_move_is_better(seed):
    topology, free = uneven(seed)
    scenario = rs.Scenario.of(topology, rs.Collective("all-to-all"))
    before = time_s(scenario)
    found = find_moves(scenario, free)
    after = time_s(scenario, found)
    assert after <= before
    for one in every_single_move(topology, free):
        try:
            assert after <= time_s(scenario, [one]) * 1.01
        except InputError:
            continue  # the only cable of a pair of which nothing else is left
    assert len({one.link for one in found}) == len(found) <= MOST_MOVES
    # A port has one cable, and a switch at least half of those that it had.
    changed = moved(scenario, found, "moved").topology if found else topology
    for node in np.flatnonzero(topology.nodes.kind == SWITCH).tolist():
        ports = changed.link_tail_port[changed.out_start[node] : changed.out_start[node + 1]].tolist()
        assert len(set(ports)) == len(ports) <= RADIX
        isl = [np.count_nonzero((one.link_tail == node) & (one.link_kind == ISL)) for one in (changed, topology)]
        assert isl[0] >= isl[1] / 2


def test_a_part_of_a_fabric_borrows_from_the_rest(tmp_path, monkeypatch, capsys):
    """Two of four leaves have the job, 8 ports down and 4 up of 16: three idle cables make 4 and 4 up into 6 and 5."""
    (tmp_path / "small.toml").write_text(
        '[fabric]\nname = "small"\nhosts = 32\ngpus_per_host = 1\ngpu_gbps = 400.0\nwiring = "host"\n'
        "[leaf]\nradix = 16\nport_gbps = 400.0\ndown_ports = 8\noversubscription = 2.0\n"
        "[spine]\nradix = 24\nport_gbps = 400.0\ncount = 2\n"
    )
    monkeypatch.chdir(tmp_path)
    job = ("small.toml", "--collective", "all-to-all", "--gpus", "16")
    app(["advise", *job, "--write-fabric", "recabled.json", "--json"], standalone_mode=False)
    row = next(row for row in json.loads(capsys.readouterr().out)["rows"] if row["lever"].startswith("moving"))
    assert (row["class"], row["helps"]) == ("recabling", True)
    # 8 GPUs to 8 others: their NICs carry 15/16 GiB, and four cables 8 x 8/16 GiB: 16/15 as long.
    assert row["gain"] == pytest.approx(16 / 15)
    assert row["how"].startswith("move l02 port 9 - s00 port 5: its lower end to l00 port 13; l0")
    # The command that it names runs it.
    app([*shlex.split(row["command"].split(" && ")[1])[1:], "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["summary"]["bottleneck_time_s"] == row["time_s"]
    # With all four leaves in use no cable has less to carry than others.
    whole = advise(rs.Scenario.of("small.toml", rs.Collective("all-to-all")), (move_cables,))
    assert whole.rows[0].why_not == "no cable with less to carry makes it faster elsewhere"


def test_cables_of_a_dump_are_moved_where_its_switches_have_ports():
    opened = rs.open_fabric(f"{DUMP}.ibnetdiscover.gz")
    lfts = rs.match_lfts(rs.open_lfts(f"{DUMP}.lfts.gz"), opened.topology, opened.origin)
    rule = rs.PlacementRule(hosts="h00[00-15]")
    hurt = rs.Scenario.of(opened, rs.Collective("all-to-all"), rule=rule, lfts=lfts)
    (row,) = advise(hurt, (move_cables,)).rows
    assert (row.cost, row.lever) == (Cost.RECABLING, "moving 5 cables to free ports")
    # The tables deal a pair's destinations to its cables: as good as an even split.
    assert row.trial.time_s == pytest.approx(rs.analyse(hurt.routed(rs.Adaptive())).time_s)
    assert isinstance(row.trial.scenario.routing, Lft)
    assert "leaf2 port 51 - spine9 port 5: its upper end to spine3 port 3" in row.how
    assert not row.applied.repeatable


@pytest.mark.parametrize(
    ("fabric", "why_not"),
    [
        ("tests/data/ethernet/pod-lldp.tar.gz", "the file does not say which ports are free"),
        ("superpod-b200-2048", "no port of a switch is free"),
        ("hgx-b200-64", "cables between switches are not what limits"),
    ],
)
def test_what_cannot_be_moved_says_why(fabric, why_not):
    faults = [] if fabric == "hgx-b200-64" else ["r0-l00 -> s03"] if "/" not in fabric else ["p1-leaf1 -> p1-spine1"]
    scenario = rs.Scenario.of(fabric, rs.Collective("all-to-all"), faults=faults)
    assert advise(scenario, (move_cables,)).rows[0].why_not == why_not
