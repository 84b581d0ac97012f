"""Faults on every command that takes a fabric: what was failed is found again by whoever reads the result."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import typer

import railscope as rs
from collectives.errors import InputError
from fabric.builders.faults import Fault
from fabric.commands.app import app
from fabric.formats.plan import Plan, cables_of
from fabric.studies.opensm import missing_tools
from fabric.studies.plan_check import check_plan
from fabric.studies.scale import study_scale
from fabric.studies.step import compute_source
from fabric.topology import ISL
from tests.fabric.commands.test_cli import TIGHT, railscope
from traces.workload.description import read_workload

DUMP = "tests/data/infiniband/hurt512-updn.ibnetdiscover.gz"
POD = "tests/data/ethernet/pod.dot"
OPTIONS = {"--fail", "--degrade", "--faults"}


def commands():
    group = typer.main.get_command(app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        yield from below.items() if below else [(name, command)]


def test_every_command_that_takes_a_fabric_takes_faults():
    taking = []
    for name, command in commands():
        if {"fabric", "fabrics"} & {parameter.name for parameter in command.params}:
            taking.append(name)
            assert {option for parameter in command.params for option in parameter.opts} >= OPTIONS, name
    assert set(taking) >= {"loads", "compare", "scale", "place", "replay", "counters", "show", "check", "reroute"}


def cable_names(topology):
    one = np.flatnonzero(np.arange(topology.n_links) < topology.link_reverse)
    return {topology.link_name(link): topology.link_capacity_gbps[link] for link in one.tolist()}


@pytest.mark.parametrize("ending", [".json", ".json.gz"])
def test_an_export_lacks_what_is_down_and_has_the_capacity_that_is_left(tmp_path, ending):
    done = railscope("fabric", "export", TIGHT, tmp_path / f"x{ending}", "--fail", "spine:s02",
                     "--degrade", "r0-l00 port 9 -> s00=0.25")  # fmt: skip
    assert done.returncode == 0, done.stderr
    before, after = (cable_names(rs.open_fabric(path).topology) for path in (TIGHT, tmp_path / f"x{ending}"))
    assert set(before) - set(after) == {name for name in before if "s02" in name}
    assert len(set(before) - set(after)) == 16
    slower = {name: gbps / before[name] for name, gbps in after.items() if gbps != before[name]}
    assert slower == {"r0-l00 port 9 -> s00 port 1": 0.25}


def test_other_formats_lack_it_too(tmp_path):
    for ending in (".graphml", ".infragraph.json", ".net"):
        path = tmp_path / f"x{ending}"
        assert railscope("fabric", "export", TIGHT, path, "--fail", "spine:s0[0-2]").returncode == 0
        whole = tmp_path / f"whole{ending}"
        assert railscope("fabric", "export", TIGHT, whole).returncode == 0
        text, before = path.read_text(), whole.read_text()
        # Each cable of a spine names it once at least; what is left is its node, where the format lists those.
        assert text.count("s03") == before.count("s03") > 16
        assert text.count("s02") <= 3
        assert before.count("s02") > 16


def test_show_counts_what_is_left():
    shown = json.loads(railscope("fabric", "show", TIGHT, "--fail", "spine:s02", "--json").stdout)
    assert {row["cables"]: row["count"] for row in shown["cables"]}["leaf-spine"] == 64 - 16
    assert any("faults: spine:s02: 16 cables down" in said for said in shown["assumptions"])


def test_check_finds_what_was_failed(tmp_path):
    """A dump of a fabric that lost cables, and the whole dump with the same cables failed, have the same findings."""
    text = gzip.decompress(Path(DUMP).read_bytes()).decode()
    topology = rs.open_fabric(DUMP).topology
    link = int(np.flatnonzero((topology.link_kind == ISL) & (topology.link_direction == 0))[40])
    said = json.loads(railscope("fabric", "check", DUMP, "--fail", topology.link_name(link), "--json").stdout)
    ends = [topology.nodes.name[node] for node in (topology.link_tail[link], topology.link_head[link])]
    ports = [topology.link_tail_port[link], topology.link_head_port[link]]
    # The line of the cable at each of its ends: [port] "peer"[port of the peer] # "name of the peer" ...
    cut = [
        line
        for line in text.splitlines(keepends=True)
        if not any(
            line.startswith(f"[{port}]") and f"[{there}]" in line and f'"{peer}"' in line
            for port, there, peer in ((ports[0], ports[1], ends[1]), (ports[1], ports[0], ends[0]))
        )
    ]
    lost = len(text.splitlines()) - len(cut)
    assert lost == 2, lost
    (tmp_path / "cut.txt").write_text("".join(cut))
    own = json.loads(railscope("fabric", "check", tmp_path / "cut.txt", "--json").stdout)
    assert said["findings"] == own["findings"] != []
    whole = json.loads(railscope("fabric", "check", DUMP, "--json").stdout)
    assert said["findings"] != whole["findings"]


def test_a_plan_misses_what_is_down_in_a_cabled_fabric():
    """One end to the other: the cables of the file against the same cables with some of them failed."""
    whole = rs.open_fabric(POD)
    plan = Plan("plan", cables_of(whole))
    name = whole.topology.link_name(int(np.flatnonzero(whole.topology.link_kind == ISL)[3]))
    hurt = whole.with_faults([Fault.parsed(name), Fault.parsed("host:gpu03"), Fault.parsed("host:gpu01", 0.5)])
    found = check_plan(cables_of(hurt), plan)
    hosts = dict(zip(whole.topology.endpoints.tolist(), whole.host_names(), strict=True))
    of_host = sum(hosts.get(node) == "gpu03" for node in whole.topology.link_tail.tolist())
    missing = [one for one in found.deviations if one.kind == "missing cable"]
    assert len(missing) == of_host + 1 > 2
    assert {one.kind for one in found.deviations} == {"missing cable"}
    # What the topology leaves out (storage, management) is as it was, also of a host that is down.
    assert len(cables_of(hurt)) == len(plan.cables) - of_host - 1
    assert any("gpu03" in (cable.device, cable.peer) for cable in cables_of(hurt))
    slow = [cable.gbps for cable in cables_of(hurt) if "gpu01" in (cable.device, cable.peer)]
    assert sorted(slow, key=str) == [200.0] * of_host + [None]


@pytest.mark.skipif(bool(missing_tools()), reason="opensm or ibsim missing")
def test_new_tables_lead_around_what_is_down(tmp_path):
    dump, tables = "tests/data/infiniband/hurt512-updn.ibnetdiscover.gz", tmp_path / "around.lfts"
    spine = next(name for name in rs.open_fabric(dump).topology.nodes.name if name.startswith("spine"))
    broken = ("--fail", f"spine:{spine}")
    done = railscope("fabric", "reroute", dump, tables, "--engine", "updn", *broken)
    assert done.returncode == 0, done.stderr
    loads = railscope("loads", dump, "--lfts", tables, "--collective", "all-to-all", *broken, "--json")
    assert loads.returncode == 0, loads.stderr
    # No table row is amiss but that no cable leads to the spine, and on the whole fabric the spine carries nothing.
    health = json.loads(railscope("fabric", "check", dump, "--lfts", tables, *broken, "--json").stdout)
    assert not [one for one in health["findings"] if one["severity"] == "error"], health["findings"]
    opened = rs.open_fabric(dump)
    matched = rs.match_lfts(rs.open_lfts(tables), opened.topology, opened.origin)
    scenario = rs.Scenario.of(opened, rs.Collective("all-to-all"), lfts=matched)
    carried = rs.analyse(scenario).loads.total.bytes
    node = opened.topology.nodes.name.index(spine)
    assert carried[(opened.topology.link_tail == node) | (opened.topology.link_head == node)].sum() == 0
    assert carried.sum() > 0


def test_compute_is_that_of_the_whole_fabric():
    """A measured run ran on no broken fabric: a fault must not become less compute."""
    described = read_workload("deepseek-v3")
    whole = rs.open_fabric("gb300-2048")
    hurt = whole.with_faults([Fault.parsed("host:h0012", 0.1)])
    rule = rs.PlacementRule()
    assert compute_source(hurt, described, rule) == compute_source(whole, described, rule)


def test_scale_says_which_sizes_have_no_such_part():
    described = read_workload("llama-3.1-8b")
    # h0640 is a host of the larger fabric only, and of the job there.
    whole, hurt = (
        study_scale(described, "gb300", (2048, 4096), levers=False, sensitive=False, faults=faults)
        for faults in ((), (Fault("host", "h0640", 0.05),))
    )
    assert hurt.rows[0].step_s == whole.rows[0].step_s
    assert hurt.rows[1].step_s > 1.5 * whole.rows[1].step_s
    assert hurt.notes == ("fault 'host:h0640': gb300-2048 has no such part and runs without it",)
    assert whole.notes == ()


def test_scale_takes_faults():
    words = ("scale", "llama-3.1-8b", "--fabric", TIGHT, "--gpus", "64", "--no-levers")
    whole, slow = (
        json.loads(railscope(*words, *more, "--json").stdout)["rows"][0]["step_s"]
        for more in ((), ("--degrade", "host:h0003=2%"))
    )
    assert slow > 1.2 * whole
    none = railscope(*words, "--fail", "host:h9999")
    assert none.returncode == 1
    assert "matches no cable of tight-64" in none.stderr


def test_designs_keep_their_faults():
    """A key that is varied builds the fabric anew: with what is down, or it is refused."""
    scenario = rs.Scenario.of(TIGHT, rs.Collective("all-to-all", size=1e9), faults=["spine:s00"])
    designs = rs.compare_designs(rs.vary(scenario, {"leaf.oversubscription": [1.0, 2.0]}))
    for design in designs:
        names = cable_names(design.variant.scenario.topology)
        assert not any("s00" in name for name in names)
        # A failed cable was bought all the same.
        assert design.parts.n_cables > sum(design.variant.scenario.topology.link_kind != 2) / 2
    with pytest.raises(InputError, match=r"spine:s03.*with spine\.count=2"):
        rs.vary(rs.Scenario.of(TIGHT, rs.Collective("all-to-all"), faults=["spine:s03"]), {"spine.count": [4, 2]})


def test_a_fault_that_the_other_wiring_lacks_is_refused_with_the_reason():
    refused = railscope("compare", TIGHT, "--group", "64", "--no-figure", "--fail", "leaf:r0-l00")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "wired by host, beside the other wiring" in refused.stderr
