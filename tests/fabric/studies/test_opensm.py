"""A real OpenSM over ibsim on fabrics that the builders export: what it discovers and routes is what is read back."""

import os
import re
from collections import Counter

import numpy as np
import pytest

from collectives import AllToAll, Groups, InputError
from fabric.builders import build, read_preset
from fabric.builders.description import FabricDescription, Hosts, Leaf, Spine
from fabric.formats.infiniband.ibsim import ibsim_netlist
from fabric.formats.infiniband.lfts import read_lfts
from fabric.formats.opening import open_fabric
from fabric.jobs.placement import packed
from fabric.routing.link_loads import link_loads
from fabric.routing.match_lfts import match_lfts
from fabric.studies.health import check_fabric
from fabric.studies.opensm import missing_tools, reroute, simulate
from fabric.topology import ISL, Cables, Topology
from tests.fabric.commands.test_cli import railscope

MISSING = missing_tools(("opensm", "ibsim", "ibsim-run", "ibnetdiscover", "dump_lfts"))
HOW = f"{', '.join(MISSING)} missing: apt-get install opensm ibsim-utils infiniband-diags"


@pytest.fixture(autouse=True)
def tools():
    if MISSING and os.environ.get("CI") == "true":
        pytest.fail(HOW)
    if MISSING:
        pytest.skip(HOW)


def cluster(hosts, wiring, removed=0):
    """8-GPU hosts on leaves of 64 ports; some leaf-spine cables taken out."""
    if hosts == 8:
        # NVLink is none of the subnet manager's business.
        fabric = build(read_preset("hgx-b200-64").with_wiring(wiring).model_copy(update={"scale_up": None}))
    else:
        description = FabricDescription(
            fabric=Hosts(name=f"live{8 * hosts}", hosts=hosts, gpus_per_host=8, gpu_gbps=400.0, wiring=wiring),
            leaf=Leaf(radix=64, port_gbps=400.0),
            spine=Spine(radix=64, port_gbps=400.0),
        )
        fabric = build(description)
    one = np.flatnonzero(np.arange(fabric.n_links) < fabric.link_reverse)
    isls = one[fabric.link_kind[one] == ISL]
    gone = np.random.default_rng(7).choice(isls, removed, replace=False)
    keep = one[~np.isin(one, gone)]
    ends = (fabric.link_tail[keep], fabric.link_head[keep], fabric.link_tail_port[keep], fabric.link_head_port[keep])
    gbps = fabric.link_capacity_gbps[keep]
    return Topology.from_cables(fabric.name, fabric.nodes, Cables(*ends, gbps, gbps))


def walked(discovered, dump):
    """Units by port of an all-to-all walked along OpenSM's tables: an own small reader, and nothing of railscope."""
    peer: dict[tuple[str, int], tuple[str, int]] = {}
    key_of_guid: dict[int, str] = {}
    name: dict[str, str] = {}
    current = ""
    for line in discovered.splitlines():
        if head := re.match(r'(Switch|Ca)\s+\d+ "([^"]+)"\s+# "(.*?)"', line):
            current = head[2]
            name[current] = head[3]
            key_of_guid[int(current[2:], 16)] = current
        elif cable := re.match(r'\[(\d+)\](?:\((\w+)\))?\s+"([^"]+)"\[(\d+)\]', line):
            peer[current, int(cable[1])] = (cable[3], int(cable[4]))
            if cable[2]:
                key_of_guid[int(cable[2], 16)] = current
    tables: dict[str, dict[int, int]] = {}
    owner: dict[int, str] = {}
    table: dict[int, int] = {}
    for line in dump.splitlines():
        if head := re.match(r"Unicast lids .* guid 0x(\w+)", line):
            table = tables.setdefault(key_of_guid[int(head[1], 16)], {})
        elif row := re.match(r"0x(\w+) (\d+) # Channel Adapter portguid 0x(\w+)", line):
            table[int(row[1], 16)] = int(row[2])
            owner[int(row[1], 16)] = key_of_guid[int(row[3], 16)]
    units: Counter[str] = Counter()
    for lid, goal in owner.items():
        for source in owner.values():
            if source == goal:
                continue
            at, port = source, 1
            while True:
                units[f"{name[at]}:{port}"] += 1
                at, _ = peer[at, port]
                if at == goal:
                    break
                port = tables[at][lid]
    return units


@pytest.mark.parametrize(
    ("hosts", "wiring", "removed", "engine"),
    [
        (8, "rail", 0, "ftree"),
        (8, "host", 0, "updn"),
        (8, "rail", 5, "minhop"),
        (64, "rail", 0, "ftree"),
        (64, "host", 0, "dfsssp"),
        (64, "rail", 24, "updn"),
        (64, "host", 24, "minhop"),
    ],
)
def test_what_opensm_sees_and_routes_is_what_is_read(tmp_path, hosts, wiring, removed, engine):
    fabric = cluster(hosts, wiring, removed)
    texts = simulate(ibsim_netlist(fabric), engine, tools=("ibnetdiscover", "dump_lfts"))
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    again = open_fabric(str(tmp_path / "ibnetdiscover"))

    # Every node and cable, and nothing else.
    def cables(topology):
        return sorted((topology.link_name(n), float(topology.link_capacity_gbps[n])) for n in range(topology.n_links))

    scale_out = {fabric.nodes.name[node] for node in np.unique(fabric.link_tail)}
    assert set(again.topology.nodes.name) == scale_out
    assert cables(again.topology) == cables(fabric)

    # Both forms of the tables say the same, every pair has a way, and loads are those of an independent walk.
    dump, tool = (read_lfts(tmp_path / name) for name in ("opensm-lfts.dump", "dump_lfts"))
    rows = {guid: row for row, guid in enumerate(tool.switch_guid)}
    for row, guid in enumerate(dump.switch_guid):
        assert tool.port[rows[guid]].tolist() == dump.port[row].tolist()
    n = fabric.n_endpoints
    units = walked(texts["ibnetdiscover"], texts["opensm-lfts.dump"])
    demand = AllToAll(Groups.consecutive(n, n), np.ones(n), np.ones(n))
    for topology, origin in ((again.topology, again.origin), (fabric, None)):
        matched = match_lfts(dump, topology, origin)
        loads = link_loads(topology, demand, packed(topology), matched.routing)
        assert loads.unrouted.pairs == 0
        got = {
            f"{topology.nodes.name[topology.link_tail[n]]}:{topology.link_tail_port[n]}": int(loads.bytes[n])
            for n in np.flatnonzero(loads.bytes)
        }
        assert got == dict(units)
        assert check_fabric(topology, matched).n_errors == 0


def test_reroute_on_the_command_line(tmp_path):
    (tmp_path / "f.net").write_text(ibsim_netlist(cluster(8, "rail")).text)
    done = railscope("fabric", "reroute", "f.net", "t.lfts", "--engine", "updn", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "railscope: wrote t.lfts\n")
    done = railscope("loads", "f.net", "--lfts", "t.lfts", "--collective", "all-to-all", cwd=tmp_path)
    assert done.returncode == 0
    assert "routing\tlft, t.lfts" in done.stdout
    done = railscope("fabric", "reroute", "f.net", "t.lfts", cwd=tmp_path)
    assert (done.returncode, "exists already" in done.stderr) == (1, True)


def test_an_engine_that_cannot_is_said():
    """The ftree engine wants a fat tree: a fabric whose leaves are cabled to one another is none."""
    from fabric.topology import ENDPOINT, SWITCH
    from tests.random_fabrics import topology_of

    ring = topology_of(
        [ENDPOINT] * 5 + [SWITCH] * 5,
        [(n, 5 + n, 100.0, 100.0) for n in range(5)] + [(5 + n, 5 + (n + 1) % 5, 100.0, 100.0) for n in range(5)],
    )
    with pytest.raises(InputError, match="ftree"):
        reroute(ring, "ftree")
    assert "lids dumped" in reroute(ring, "minhop")


def test_missing_programs_are_named(monkeypatch):
    monkeypatch.setattr("fabric.studies.opensm._path", lambda: "/nowhere")
    with pytest.raises(InputError, match="apt-get install opensm ibsim-utils"):
        reroute(cluster(8, "rail"), "ftree")
