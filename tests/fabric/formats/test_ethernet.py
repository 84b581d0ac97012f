"""Ethernet fabrics: one of our own in every form, others' plans, ends that disagree, damaged files."""

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import railscope as rs
from collectives import AllToAll, Groups, InputError
from fabric.formats.opening import open_fabric
from fabric.jobs.placement import packed
from fabric.routing.link_loads import link_loads
from fabric.topology import UNKNOWN
from tests import ethernet_twins as twins
from tests.shared_data import shared

CABLES = twins.all_cables()
TEXTS = {
    "topology.dot": twins.dot,
    "links.csv": twins.sonic_mgmt,
    "ndt.csv": twins.ndt,
    "import.csv": twins.netbox_import,
    "export.csv": twins.netbox_export,
    "netq.json": twins.netq,
}
MANY = {
    "lldp": twins.lldpctl,
    "lldp0": lambda cables: twins.lldpctl(cables, json0=True),
    "config": twins.config_db,
    "flat": lambda cables: twins.config_db(cables, flat=True),
}


def write_folder(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def written(tmp_path: Path, form: str, cables: list[twins.Cable]) -> Path:
    path = tmp_path / form
    if form in TEXTS:
        path.write_text(TEXTS[form](cables))
        return path
    return write_folder(path, MANY[form](cables))


def described(given) -> tuple[object, ...]:
    topology = given.topology
    nodes = topology.nodes
    ports = [
        (nodes.name[a], topology.port_name(a, p), nodes.name[b], topology.port_name(b, q))
        for a, p, b, q in zip(
            topology.link_tail, topology.link_tail_port, topology.link_head, topology.link_head_port, strict=True
        )
    ]
    columns = [getattr(nodes, name).tolist() for name in ("kind", "tier", "host", "rail", "plane")]
    return nodes.name, columns, ports, given.host_names()


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return open_fabric(written(tmp_path_factory.mktemp("dot"), "topology.dot", CABLES))


def test_hosts_rails_planes_and_tiers(expected):
    topology = expected.topology
    assert (topology.n_endpoints, topology.n_links) == (32, 2 * len(twins.job_cables()))
    assert topology.endpoint_names[:5] == ("gpu01 rail0", "gpu01 rail1", "gpu01 rail2", "gpu01 rail3", "gpu02 rail0")
    assert topology.endpoint_rail.tolist() == [0, 1, 2, 3] * 8
    assert np.bincount(topology.nodes.tier).tolist() == [32, 8, 4]
    planes = dict(zip(topology.nodes.name, topology.nodes.plane.tolist(), strict=True))
    assert all(planes[name] == int(name[1]) - 1 for name in topology.nodes.name[32:])
    assert expected.technology == "roce"
    assert topology.link_name(0) == "gpu01 rail0 port eth1 -> p1-leaf1 port swp1s0"
    tails = topology.link_tail, topology.link_tail_port
    assert [int(topology.is_port(*tails, text).sum()) for text in ("swp31", "31", "swp1s0", "nothing")] == [8, 0, 8, 0]
    built = rs.open_fabric("hgx-b200-64").topology
    assert built.is_port(built.link_tail, built.link_tail_port, "1").tolist() == (built.link_tail_port == 1).tolist()
    said = " ".join(expected.notes)
    assert "9 cables of management ports left out" in said
    assert (
        "13 cables of 93 left out, of networks that few of the hosts' ports are on, 2 switches with them (st-leaf1, st-leaf2)"
        in said
    )
    assert "no cable has a speed: all taken as 400 Gb/s, assumed" in said
    assert "8 hosts, 4 rails, 2 planes" in said


@pytest.mark.parametrize("form", [*TEXTS, *MANY])
def test_every_form_is_the_same_fabric(tmp_path, expected, form):
    given = open_fabric(written(tmp_path, form, CABLES))
    assert described(given) == described(expected)
    gbps = {"links.csv": 200.0, "config": 100.0, "flat": 100.0}.get(form, 400.0)
    assert set(given.topology.link_capacity_gbps) == {gbps}
    assert not given.oddities
    if form == "import.csv":
        assert "1 cable left out, ending at other things than interfaces" in given.notes


@pytest.mark.parametrize("form", MANY)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_archive_is_a_folder(tmp_path, expected, form, pack):
    path = tmp_path / "all.tar"
    path.write_bytes(pack(twins.archive(MANY[form](CABLES) | {"README": "of ours", "sub/.hidden": "no"})))
    given = open_fabric(path)
    assert described(given) == described(expected)
    assert [one.kind for one in given.oddities] == ["other files"]


def test_speeds(tmp_path, expected):
    path = written(tmp_path, "ndt.csv", CABLES)
    assert set(open_fabric(path, speed_gbps=800).topology.link_capacity_gbps) == {800.0}
    with pytest.raises(InputError, match=r"the speed of every cable is in the file; expected no other one \(--speed\)"):
        open_fabric(written(tmp_path, "links.csv", CABLES), speed_gbps=400)
    with pytest.raises(InputError, match=r"hgx-b200-64: speed_gbps goes with topology\.dot, .* config_db\.json$"):
        open_fabric("hgx-b200-64", speed_gbps=400)
    mixed = tmp_path / "mixed.csv"
    mixed.write_text("a_device,a_port,b_device,b_port,speed\nh1,eth0,leaf1,swp1,200G\nh2,eth0,leaf1,swp2,\n")
    given = open_fabric(mixed)
    assert given.topology.link_capacity_gbps.tolist() == [200.0] * 4
    assert "1 cable without a speed taken as 200 Gb/s, the most frequent one" in " ".join(given.notes)
    for text, reason in (
        ("400000", "400000 Gb/s if it is in Gb/s; expected a unit"),
        ("fast", "expected a speed such as"),
    ):
        mixed.write_text(f"a_device,a_port,b_device,b_port,speed\nh1,eth0,leaf1,swp1,{text}\n")
        with pytest.raises(InputError, match=rf"mixed\.csv:2: speed '{text}'.*{reason}"):
            open_fabric(mixed)


def test_a_pattern_chooses_ports_rails_and_planes(tmp_path, expected):
    path = written(tmp_path, "topology.dot", CABLES)
    again = open_fabric(path, host_pattern=r"(?P<host>gpu\d+) eth(?P<rail>[1-4])")
    assert again.topology.n_endpoints == 32
    assert again.topology.endpoint_rail.tolist() == [1, 2, 3, 4] * 8
    assert {name[:2] for name in again.topology.nodes.name[32:]} == {"p1"}
    storage = open_fabric(path, host_pattern=r"(?P<host>(?:gpu|nas)\d+) eth\d")
    assert storage.topology.n_nodes == 8 * 9 + 2 * 2 + 12 + 2
    with pytest.raises(InputError, match="fits no port, such as 'gpu01 eth1'"):
        open_fabric(path, host_pattern=r"(?P<host>node\d+) .*")
    with pytest.raises(InputError, match="expected a group `host`"):
        open_fabric(path, host_pattern=r"gpu.*")


def test_a_missing_or_swapped_cable_shifts_no_rail(tmp_path):
    cables = [one for one in CABLES if one[:2] != ("gpu03", "eth2")]
    swapped = {("gpu05", "eth3"): ("p1-leaf4", "swp9"), ("gpu05", "eth4"): ("p1-leaf3", "swp9")}
    cables = [(*one[:2], *swapped.get(one[:2], one[2:])) for one in cables]
    given = open_fabric(written(tmp_path, "topology.dot", cables))
    assert given.topology.endpoint_rail.tolist() == [0, 1, 2, 3] * 8
    found = {one.kind: one for one in rs.check_fabric(given.topology).findings}
    assert found["wrong rail"].count == 2
    assert (
        found["wrong rail"]
        .examples[0]
        .startswith("gpu05: rail2 port eth3 and rail3 port eth4 are on each other's leaf")
    )


def _moved(moves: dict[tuple[str, str], tuple[str, str]], cables: list[twins.Cable]) -> list[twins.Cable]:
    return [(*one[:2], *moves.get(one[:2], one[2:])) for one in cables]


def _found(path: Path) -> tuple[rs.Topology, dict[str, rs.Finding]]:
    given = open_fabric(path)
    return given.topology, {one.kind: one for one in rs.check_fabric(given.topology, oddities=given.oddities).findings}


def test_a_port_that_is_exchanged_with_that_of_storage_is_named(tmp_path):
    moves = {("gpu05", "eth8"): ("st-leaf1", "swp5"), ("gpu05", "eth9"): ("p2-leaf4", "swp3s0")}
    topology, found = _found(written(tmp_path, "topology.dot", _moved(moves, CABLES)))
    assert topology.endpoint_rail.tolist() == [0, 1, 2, 3] * 8
    assert found["wrong network"].count == 2
    assert found["wrong network"].examples == (
        "gpu05 eth8 is on st-leaf1, its place is on p2-leaf4; exchange its cable with that of eth9",
        "gpu05 eth9 is on p2-leaf4, its place is on st-leaf1; exchange its cable with that of eth8",
    )
    assert found["missing adapter"].count == 1


@pytest.mark.parametrize("port", [0, 1])
def test_a_port_of_an_adapter_that_has_no_cable_is_named(tmp_path, port):
    """Names of ports that are no numbers: what is left is not counted as the first."""

    def named(name):
        number = "12345678".find(name.removeprefix("eth"))
        return name if number < 0 else f"ens{1 + number % 4}f{number // 4}np{number // 4}"

    cables = [(a, named(p) if a.startswith("gpu") else p, b, q) for a, p, b, q in CABLES]
    gone = f"ens2f{port}np{port}"
    topology, found = _found(written(tmp_path, "topology.dot", [one for one in cables if one[:2] != ("gpu03", gone)]))
    assert topology.n_endpoints == 32
    (example,) = found["missing adapter"].examples
    assert example.startswith(f"gpu03: rail1 port {gone} is missing, on p{port + 1}-leaf2 by its neighbours")


def test_a_missing_leaf_or_spine_shifts_no_rail_and_no_plane(tmp_path, expected):
    topology, found = _found(written(tmp_path, "topology.dot", [one for one in CABLES if "p1-leaf2" not in one]))
    assert topology.endpoint_rail.tolist() == expected.topology.endpoint_rail.tolist()
    assert sum(name.startswith("p2") for name in topology.nodes.name) == 6
    assert set(found) == {"missing switch"}
    assert found["missing switch"].examples[0].startswith("p1-leaf2: ")
    topology, found = _found(written(tmp_path, "topology.dot", [one for one in CABLES if "p1-spine2" not in one]))
    assert topology.n_endpoints == 32
    assert found["uneven wiring"].count == 4
    assert found["uneven wiring"].examples[0] == "p1-leaf1: 1 cable up, the best of its kind have 2"


def test_two_cables_that_cross_planes_do_not_join_them(tmp_path, expected):
    leaves = [(f"p{plane}-leaf{rail}", plane, rail) for plane in (1, 2) for rail in (1, 2, 3, 4)]
    more = [
        (leaf, f"swp{30 + spine}", f"p{plane}-spine{spine}", f"swp{rail}")
        for leaf, plane, rail in leaves
        for spine in (3, 4)
    ]
    moves = {("p1-leaf1", "swp31"): ("p2-spine1", "swp1"), ("p2-leaf1", "swp31"): ("p1-spine1", "swp1")}
    topology, found = _found(written(tmp_path, "topology.dot", _moved(moves, [*CABLES, *more])))
    assert topology.n_endpoints == 32
    assert topology.endpoint_rail.tolist() == expected.topology.endpoint_rail.tolist()
    assert set(found) == {"crossed plane"}
    assert found["crossed plane"].examples == (
        "p1-leaf1 port swp31 - p2-spine1 port swp1: joins two planes",
        "p2-leaf1 port swp31 - p1-spine1 port swp1: joins two planes",
    )


def test_ports_that_say_their_rail_and_cards(tmp_path):
    def fabric(ports: list[str], leaves: list[str]) -> rs.Topology:
        path = tmp_path / "x.csv"
        rows = [f"h{n},{port},{leaf},swp{n}" for port, leaf in zip(ports, leaves, strict=True) for n in (1, 2, 3)]
        path.write_text("\n".join(["StartDevice,StartPort,EndDevice,EndPort", *rows]))
        return open_fabric(path).topology

    # Rails of their own, which no spine joins.
    rails = fabric(["rail3", "rail5"], ["leaf3", "leaf5"])
    assert rails.endpoint_rail.tolist() == [3, 5] * 3
    assert set(rails.nodes.plane) == {UNKNOWN}
    named = fabric(["gpu0-p0", "gpu0-p1", "gpu1-p0", "gpu1-p1"], ["a-leaf1", "b-leaf1", "a-leaf1", "b-leaf1"])
    assert named.endpoint_rail.tolist() == [0, 1] * 3
    assert named.nodes.plane[-2:].tolist() == [0, 1]
    # One card, two networks: a rail of two planes; two generic ports: two rails.
    card = fabric(["ens1f0np0", "ens1f1np1"], ["leaf1", "leaf2"])
    assert (card.n_endpoints, card.endpoint_rail.tolist()) == (3, [0, 0, 0])
    assert fabric(["eth0", "eth1"], ["leaf1", "leaf2"]).endpoint_rail.tolist() == [0, 1] * 3


def test_without_names_of_ports(tmp_path):
    path = tmp_path / "topology.dot"
    path.write_text("graph {\n" + "\n".join(f"gpu{h} -- leaf{r} -- spine1" for h in (1, 2) for r in (1, 2)) + "\n}")
    given = open_fabric(path)
    assert given.topology.endpoint_rail.tolist() == [0, 1, 0, 1]
    assert given.topology.endpoint_names[0] == "gpu1 rail0"
    # A chain says each cable again: without ports these are parallel cables.
    assert given.topology.n_links == 2 * 8


def test_adapters_that_only_switches_see_are_hosts(tmp_path):
    """Their firmware answers for them, without a host's name: a MAC address is all there is."""
    path = tmp_path / "x.csv"
    macs = [f"b8:3f:d2:00:00:0{number}" for number in range(6)]
    rows = [f"{mac},{mac},leaf{n % 2 + 1},swp{n + 1}" for n, mac in enumerate(macs)]
    rows += [f"leaf{n},swp{30 + n},spine1,swp{n}" for n in (1, 2)]
    path.write_text("\n".join(["StartDevice,StartPort,EndDevice,EndPort", *rows]))
    topology = open_fabric(path).topology
    assert topology.endpoint_rail.tolist() == [0] * 6
    assert np.bincount(topology.nodes.tier).tolist() == [6, 2, 1]


def test_servers_without_names_are_hosts_of_their_own(tmp_path):
    """SONiC's usual `DEVICE_NEIGHBOR`: all servers of a switch are called alike."""
    near = {f"Ethernet{4 * port}": {"name": "Servers", "port": "eth0"} for port in range(24)}
    near |= {f"Ethernet{100 + port}": {"name": f"ARISTA{port}T1", "port": "Ethernet1"} for port in range(4)}
    (tmp_path / "tor1.json").write_text(json.dumps({"DEVICE_NEIGHBOR": near}))
    topology = open_fabric(tmp_path / "tor1.json").topology
    assert (topology.n_endpoints, topology.n_nodes - 24, topology.n_links) == (24, 5, 2 * 28)
    assert topology.endpoint_names[1] == "Servers at tor1 Ethernet4 eth0"
    assert topology.endpoint_rail.tolist() == [0] * 24


def test_the_files_of_switches_or_of_hosts_alone_will_do(tmp_path, expected):
    files = twins.lldpctl(twins.job_cables())
    of_hosts = {name: text for name, text in files.items() if name.startswith("gpu")}
    of_switches = {name: text for name, text in files.items() if name not in of_hosts}
    given = open_fabric(write_folder(tmp_path / "switches", of_switches))
    assert described(given) == described(expected)
    assert "64 cables seen at one end, as the other device's file is not there" in given.notes
    assert not given.oddities
    alone = open_fabric(write_folder(tmp_path / "hosts", of_hosts))
    # Without the switches' files nothing joins the leaves: two planes are eight networks.
    assert (alone.topology.n_endpoints, alone.topology.n_links) == (64, 2 * 64)
    (odd,) = alone.oddities
    assert (odd.kind, odd.count, odd.examples[0]) == ("no spine", 8, "p1-leaf1, with 8 hosts")
    # A leaf that tells, and sees no spine, has none.
    files["leaf.json"] = files["p1-leaf1.json"]
    rail_only = {name: json.dumps(document) for name, document in _without_spines(files).items()}
    assert not open_fabric(write_folder(tmp_path / "rails", rail_only)).oddities


def _without_spines(files: dict[str, str]) -> dict[str, object]:
    """Hosts' and leaves' output, without what they say of spines."""
    kept: dict[str, object] = {}
    for name, text in files.items():
        if "spine" in name or name == "leaf.json":
            continue
        rows = json.loads(text)["lldp"]["interface"]
        kept[name] = {"lldp": {"interface": [row for row in rows if "spine" not in json.dumps(row)]}}
    return kept


def test_a_leaf_whose_file_is_missing_is_not_called_disconnected(tmp_path):
    files = twins.lldpctl(twins.job_cables())
    kept = {name: text for name, text in files.items() if name.startswith(("gpu", "p1-"))}
    given = open_fabric(write_folder(tmp_path, kept))
    (odd,) = given.oddities
    assert (odd.kind, odd.count, odd.examples[0]) == ("no spine", 4, "p2-leaf1, with 8 hosts")
    assert [one.kind for one in rs.check_fabric(given.topology, oddities=given.oddities).findings] == ["no spine"]


def test_capitals_make_no_other_device(tmp_path, expected):
    """A plan in capitals; hosts that call a leaf otherwise than it does itself."""
    (tmp_path / "x.csv").write_text(twins.sonic_mgmt(CABLES).upper())
    loud = open_fabric(tmp_path / "x.csv").topology
    assert [name.lower() for name in loud.nodes.name] == list(expected.topology.nodes.name)
    files = {
        name: text.replace("p1-leaf1", "P1-Leaf1") if name.startswith("gpu0") else text
        for name, text in twins.lldpctl(CABLES).items()
    }
    given = open_fabric(write_folder(tmp_path / "lldp", files))
    assert not given.oddities
    assert described(given) == described(expected)
    mixed = [(a.upper() if n % 3 == 0 else a, p, b, q) for n, (a, p, b, q) in enumerate(CABLES)]
    (tmp_path / "y.csv").write_text(twins.sonic_mgmt(mixed))
    assert described(open_fabric(tmp_path / "y.csv")) == described(expected)


@pytest.mark.parametrize("change", [lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text])
def test_what_windows_adds_changes_nothing(tmp_path, expected, change):
    for form in TEXTS:
        path = written(tmp_path, form, CABLES)
        path.write_bytes(change(path.read_text()).encode())
        assert described(open_fabric(path)) == described(expected)


def hosts_alone(tmp_path: Path, cables: list[twins.Cable]) -> Path:
    files = twins.lldpctl(cables)
    return write_folder(tmp_path / "hosts", {name: text for name, text in files.items() if name.startswith("gpu")})


def test_hosts_alone_show_rails_and_exchanged_cables(tmp_path):
    """Storage's leaves have every other host: that is no mistake."""
    swapped = {("gpu05", "eth3"): ("p1-leaf4", "swp3s0"), ("gpu05", "eth4"): ("p1-leaf3", "swp3s0")}
    folder = hosts_alone(tmp_path, [(*one[:2], *swapped.get(one[:2], one[2:])) for one in CABLES])
    checked = CliRunner().invoke(rs.app, ["fabric", "check", str(folder), "--json"])
    assert checked.exit_code == 0
    document = json.loads(checked.stdout)
    found = {one["kind"]: one for one in document["findings"]}
    assert set(found) == {"wrong rail", "no spine"}
    assert found["wrong rail"]["todo"] == "exchange the cables of host gpu05, eth3 and eth4"
    assert found["no spine"]["count"] == 10
    assert "lldpctl -f json of the leaves" in found["no spine"]["todo"]
    loads = CliRunner().invoke(rs.app, ["loads", str(folder), "--collective", "all-to-all"])
    assert isinstance(loads.exception, rs.Unroutable)
    assert "whose switches no cable joins" in str(loads.exception)
    assert loads.exception.option == "`railscope fabric check` says what is missing"


def test_a_spine_is_assumed_where_that_is_asked_for(tmp_path, expected):
    folder = hosts_alone(tmp_path, twins.job_cables())
    given = open_fabric(folder, assume_spine=2.0)
    topology = given.topology
    assert topology.nodes.name[-1] == "assumed spine"
    assert given.notes[0].startswith(
        "no cable between switches is known: 1 spine assumed above 8 leaves (--assume-spine 2)"
    )
    assert not given.oddities
    up = topology.link_tier == 2
    # 8 hosts at 400 Gb/s below each leaf, half of it up.
    assert set(topology.link_capacity_gbps[up]) == {8 * 400.0 / 2}
    demand = AllToAll(Groups.consecutive(64, 64), np.ones(64), np.ones(64))
    # A leaf's 8 ports send 56 of 63 parts to those of other leaves.
    assert link_loads(topology, demand, packed(topology)).bytes[up] == pytest.approx(8 * 56)
    # Ports that say their plane: a spine for each, as it is with the switches' files.
    rows = [f"{h},gpu{r}-p{p},p{p}-leaf{r},swp{n}" for n, h in enumerate(("a1", "a2")) for r in (0, 1) for p in (0, 1)]
    (tmp_path / "x.csv").write_text("\n".join(["StartDevice,StartPort,EndDevice,EndPort", *rows]))
    two = open_fabric(tmp_path / "x.csv", assume_spine=1.0).topology
    assert two.nodes.name[-2:] == ("assumed spine of plane 0", "assumed spine of plane 1")
    assert two.nodes.plane[-2:].tolist() == [0, 1]
    for path, ratio, why in (
        (
            written(tmp_path, "topology.dot", CABLES),
            1.0,
            "cables between switches are in the file; expected no assumed",
        ),
        (folder, 0.0, "expected down over up, 0.01 to 1000"),
        (shared("ethernet", "lldpctl_shape.json"), 1.0, "a single switch; expected no assumed spine"),
    ):
        with pytest.raises(InputError, match=why):
            open_fabric(path, assume_spine=ratio)
    with pytest.raises(InputError, match=r"hgx-b200-64: assume_spine goes with topology\.dot"):
        open_fabric("hgx-b200-64", assume_spine=1.0)


def lldp_of(tmp_path: Path, files: dict[str, dict[str, tuple[str, str]]]) -> Path:
    """A folder in which each device sees (device, port) behind its ports."""
    for device, ports in files.items():
        rows = [{port: {"chassis": {peer: {"id": {}}}, "port": {"id": {"type": "ifname", "value": end}}}}
                for port, (peer, end) in ports.items()]  # fmt: skip
        (tmp_path / f"{device}.json").write_text(json.dumps({"lldp": {"interface": rows}}))
    return tmp_path


def test_ends_that_disagree_are_found(tmp_path):
    folder = lldp_of(tmp_path, {
        "gpu1": {"eth1": ("leaf1", "swp1"), "eth2": ("leaf1", "swp2")},
        "gpu2": {"eth1": ("leaf1", "swp3")},
        # swp2 sees another host than the one that sees swp2; nobody answers at swp7.
        "leaf1": {"swp1": ("gpu1", "eth1"), "swp2": ("gpu2", "eth1"), "swp7": ("gpu1", "eth3"), "swp8": ("gpu9", "eth1")},
    })  # fmt: skip
    given = open_fabric(folder)
    odd = {one.kind: one for one in given.oddities}
    assert odd["ends disagree"].count == 2
    assert any(
        "gpu1 eth2 sees leaf1 swp2, but leaf1 swp2 sees gpu2 eth1" in one for one in odd["ends disagree"].examples
    )
    assert [one.rsplit(": ", 1)[1] for one in odd["one end"].examples] == [
        "gpu2 eth1 sees leaf1 swp3",
        "leaf1 swp7 sees gpu1 eth3",
    ]
    assert "1 cable seen at one end, as the other device's file is not there" in given.notes
    assert given.topology.n_links == 2 * 4
    checked = CliRunner().invoke(rs.app, ["fabric", "check", str(folder), "--fail-on", "warning"])
    assert checked.exit_code == 1
    assert "ends disagree" in checked.output


def test_what_a_terminal_puts_around_json_is_passed_over(tmp_path, expected):
    files = twins.lldpctl(CABLES)
    around = {
        name: f"Last login: today\nadmin@{name}:~$ lldpctl -f json\n{text}\nadmin@{name}:~$ exit\n"
        for name, text in files.items()
    }
    given = open_fabric(write_folder(tmp_path / "lldp", around))
    assert described(given) == described(expected)
    assert [(one.kind, one.count) for one in given.oddities] == [("other lines", 3 * len(files))]
    config = {name: f"admin@sonic:~$ show run all\n{text}\n" for name, text in twins.config_db(CABLES).items()}
    assert described(open_fabric(write_folder(tmp_path / "config", config))) == described(expected)
    (tmp_path / "lldp" / "gpu01.json").write_text('Hello\n{"lldp": {"interface": [}]}}\n')
    with pytest.raises(InputError, match=r"gpu01\.json:2: not JSON"):
        open_fabric(tmp_path / "lldp")


def test_a_name_that_breaks_tables_spoils_nothing(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(
        "StartDevice,StartPort,EndDevice,EndPort\ngpu1,eth0,leaf\x07\x1b[31m1,swp1\ngpu2, eth0 ,leaf\x07\x1b[31m1,swp2"
    )
    topology = open_fabric(path).topology
    assert topology.nodes.name == ("gpu1 eth0", "gpu2 eth0", "leaf??[31m1")


def test_whose_a_file_is(tmp_path):
    cables = twins.job_cables()
    files = twins.lldpctl(cables)
    renamed = {f"run7/{name.removesuffix('.json')}.example.com_lldp.json": text for name, text in files.items()}
    # A name that says nothing: its neighbours do.
    renamed["run7/unknown.json"] = renamed.pop("run7/p1-leaf2.example.com_lldp.json")
    given = open_fabric(write_folder(tmp_path, renamed))
    assert not given.oddities
    assert given.topology.n_links == 2 * len(cables)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.dot", 'graph {\n"a":"b" -- "c', "a.dot:2: a quote that does not end"),
        ("a.dot", 'graph {\n"a":"b" -- ;\n}', "a.dot:2: ';'; expected a device's name"),
        ("a.dot", 'graph {\n"h1":"eth0" -- "leaf":"swp1"\n', "a.dot:2: ends here; expected a bracket that ends"),
        ("a.dot", "graph {\n}", "no cable between two devices"),
        ("a.dot", 'graph {\n"s1":"swp1" -- "s2":"swp1"\n}', r"no host among 2 devices, such as 's1'; --host-pattern"),
        ("a.csv", "StartDevice,StartPort,EndDevice,EndPort\nh1,eth0,leaf\n", "a.csv:2: 3 fields; expected 4"),
        ("a.csv", 'StartDevice,StartPort,EndDevice,EndPort\n"h1,eth0,leaf,swp1\n', "a.csv:2: not CSV|a.csv:2: a quote"),
        ("a.csv", "StartDevice,StartPort,EndDevice,EndPort\n,eth0,leaf,swp1\n", "a.csv:2: a cable without a device"),
        (
            "a.json",
            '[{"links": [{"compounded_links": [{"interfaces": [{}]}]}]}]',
            r"links\[0\]: 1 interfaces; expected",
        ),
        ("a.json", '{"lldp": {"interface": [{"eth0": 7}]}}', "interface 'eth0': 7; expected an object"),
        ("a.json", '{"lldp": {"interface": [{"eth0": {}}]}}', "interface eth0: no chassis"),
        ("a.json", '{"lldp": {"interface": [', "a.json:1: not JSON"),
        ("a.json", '{"DEVICE_NEIGHBOR": {"Ethernet0": {"port": "eth0"}}}', r"DEVICE_NEIGHBOR\|Ethernet0: no name"),
        ("a.json", '{"DEVICE_NEIGHBOR": 7}', "DEVICE_NEIGHBOR 7; expected an object"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=message) as refused:
        open_fabric(path)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


def test_folders_and_archives_that_cannot_be_read_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: is a folder or an archive, no file of a device .*; expected lldpctl"):
        open_fabric(tmp_path / "empty")
    whole = twins.archive(twins.lldpctl(twins.job_cables()))
    for cut in (300, 900, len(whole) // 2):
        path = tmp_path / f"{cut}.tar"
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError, match=re.escape(str(path))):
            open_fabric(path)
    twice = write_folder(
        tmp_path / "twice", {f"{one}/x/config_db.json": twins.config_db(CABLES)["oob1/config_db.json"] for one in "ab"}
    )
    with pytest.raises(InputError, match="switch oob1 has a file already, "):
        open_fabric(twice)


def test_exports_keep_ports_and_speeds(tmp_path, expected):
    rs.export_fabric(expected, tmp_path / "x.json")
    again = open_fabric(tmp_path / "x.json")
    assert described(again) == described(expected)
    for ending in ("infragraph.json", "graphml", "net"):
        rs.export_fabric(expected, tmp_path / f"x.{ending}")


def test_a_rail_of_a_plan_of_others():
    """16 GPU servers x 8 rails x 2 planes: the NetQ and lldpq samples beside this repository."""
    given = open_fabric(shared("ethernet", "lldpq_topology.dot"))
    topology = given.topology
    assert given.cabled is not None
    # The README of the samples counts the three cables of the comment at its head too.
    assert len(given.cabled.cabling.cables) == 439
    assert (topology.n_endpoints, len(set(given.host_names())), topology.n_links) == (128, 16, 2 * (256 + 64))
    assert topology.endpoint_rail.tolist() == list(range(8)) * 16
    assert np.bincount(topology.nodes.tier).tolist() == [128, 16, 8]
    assert not rs.check_fabric(topology).findings
    loads = link_loads(topology, AllToAll(Groups.consecutive(128, 128), np.ones(128), np.ones(128)), packed(topology))
    # A rail's 16 GPUs send 112 of 127 parts to the other rails, half by each plane, over 4 cables of the leaf.
    up = loads.bytes[topology.link_tier == 2]
    assert up == pytest.approx(16 * 112 / 2 / 4)
    netq = open_fabric(shared("ethernet", "netq_topologyGraph.json"))
    assert (netq.topology.n_endpoints, netq.topology.n_links, len(set(netq.host_names()))) == (32, 2 * 79, 8)
    one = open_fabric(shared("ethernet", "lldpctl_shape.json"))
    assert one.topology.link_name(0) == "shape ens1f0np0 -> leaf01 port swp1"
