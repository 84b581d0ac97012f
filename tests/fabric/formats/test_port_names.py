"""Ports by other names: every tool's naming of the same port, written out by definition, must meet."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collectives.errors import InputError
from fabric.formats.counters.files import read_counters
from fabric.formats.counters.matching import match_ports
from fabric.formats.opening import open_fabric
from fabric.formats.port_names import same_ports
from fabric.studies.measured import measure
from tests import ethernet_twins
from tests.fabric import counter_twins as twins
from tests.fabric.counter_twins import IB
from tests.fabric.formats.test_ethernet import write_folder

# A port by its place on the panel and which of how many parts of it, from 1; 0 is a whole one.
Place = tuple[int, int, int]


def panel_names(place: Place) -> dict[str, str]:
    """What each system calls a port of a panel whose ports have 8 lanes."""
    panel, part, parts = place
    first_lane = 8 * (panel - 1) + (8 // parts) * (part - 1 if part else 0)
    return {
        "cumulus": f"swp{panel}" + (f"s{part - 1}" if part else ""),
        "kernel": f"p{panel}" + (f"s{part - 1}" if part else ""),
        "sonic": f"Ethernet{first_lane}",
        "sonic alias": f"etp{panel}" + ("abcdefgh"[part - 1] if part else ""),
        "slots": f"Ethernet1/{panel}" + (f"/{part}" if part else ""),
        "colon": f"e0/1/{panel}" + (f":{part}" if part else ""),
        "plan": f"Port {panel}" + (f"/{part}" if part else ""),
    }


SYSTEMS = tuple(panel_names((1, 0, 1)))


@st.composite
def panels(draw) -> list[Place]:
    """Ports of a switch: each panel's whole, or in 2, 4 or 8 parts."""
    splits = draw(st.lists(st.sampled_from([1, 1, 2, 4, 8]), min_size=5, max_size=40))
    return [
        (panel, part if parts > 1 else 0, parts)
        for panel, parts in enumerate(splits, 1)
        for part in range(1, parts + 1)
    ]


@given(panels(), st.sampled_from(SYSTEMS), st.sampled_from(SYSTEMS), st.data())
def test_the_same_port_meets_and_no_other(ports, one, other, data):
    """Of the side that asks some ports may be missing; what meets is right, whatever is."""
    known = [panel_names(place)[one] for place in ports]
    shuffled = data.draw(st.permutations(ports))
    met = same_ports(known, [panel_names(place)[other] for place in shuffled])
    assert {shuffled[asked]: ports[place] for asked, place in met.place.items()} == {
        shuffled[asked]: shuffled[asked] for asked in met.place
    }
    assert len(met.place) == len(ports)
    assert met.exact == (one == other)


@given(panels(), st.sampled_from(SYSTEMS), st.sampled_from(SYSTEMS), st.data())
def test_of_a_part_of_the_ports_none_is_taken_for_another(ports, one, other, data):
    """The fabric knows the ports that have cables, the counters all; or both know a few."""
    few = data.draw(st.booleans())
    ours = data.draw(st.lists(st.sampled_from(ports), min_size=1, max_size=3 if few else None, unique=True))
    theirs = data.draw(st.lists(st.sampled_from(ports), min_size=1, max_size=3, unique=True)) if few else ports
    met = same_ports([panel_names(place)[one] for place in ours], [panel_names(place)[other] for place in theirs])
    assert all(theirs[asked] == ours[place] for asked, place in met.place.items())


NAMES = st.lists(st.one_of(st.text(max_size=12), st.from_regex(r"(?:swp|etp|Ethernet|sw|e|Port )?\d{1,4}([/:sp]\d{1,3}){0,3}[a-h]?",
                                                               fullmatch=True)), unique=True)  # fmt: skip


@given(NAMES, NAMES)
def test_of_any_names_one_port_is_one_port(known, asked):
    met = same_ports(known, asked)
    assert len(set(met.place.values())) == len(met.place)
    assert set(met.place) <= set(range(len(asked)))
    assert set(met.place.values()) <= set(range(len(known)))
    again = same_ports(asked, known)
    assert {place: number for number, place in again.place.items()} == met.place


def labels(number: int, ready: bool) -> dict[str, str]:
    """What stands beside a port of QM9700, and of QM8700, by its number; the second half of a port is split off."""
    whole, half = ((number + 1) // 2, 2 - number % 2) if ready else (number, 0)
    cage, port = (whole + 1) // 2, 2 - whole % 2
    return {
        "Quantum-2": f"1/{cage}/{port}" + (f"/{half}" if half else ""),
        "MLNX-OS": f"IB1/{cage}/{port}" + (f"/{half}" if half else ""),
        "NVOS": f"sw{cage}p{port}" + (f"s{half}" if half else ""),
        "mlxlink": f"{cage}/{port}" + (f"/{half}" if half else ""),
        "Quantum": f"1/{whole}" + (f"/{half}" if half else ""),
    }


@pytest.mark.parametrize("ready", [False, True])
@pytest.mark.parametrize("form", labels(1, False))
@pytest.mark.parametrize("cabled", [range(1, 65), range(1, 33), range(5, 60, 3)])
def test_labels_of_infiniband(ready, form, cabled):
    numbers = [str(number) for number in cabled]
    asked = [labels(number, ready)[form] for number in range(1, 65)]
    met = same_ports(numbers, asked)
    assert {asked[place]: numbers[at] for place, at in met.place.items()} == {
        labels(number, ready)[form]: str(number) for number in cabled
    }


@pytest.mark.parametrize("asked_part", [1, 2])
def test_a_switch_ready_to_split_whose_ports_are_whole(asked_part):
    """Its numbers are odd, its labels those of a switch that is not ready."""
    numbers = [str(number) for number in range(1, 128, 2)]
    asked = [labels(number, False)["Quantum-2"] for number in range(1, 65 // asked_part)]
    met = same_ports(numbers, asked)
    assert [numbers[met.place[place]] for place in range(len(asked))] == numbers[: len(asked)]


def test_what_could_be_several_ports_stays_open():
    # Cage 2, port 1 is number 3, or 5 where the switch is ready to split.
    assert (same_ports(["5", "7"], ["1/2/1"]).place, same_ports(["5", "7"], ["1/2/1"]).open) == ({}, 1)
    assert same_ports(["swp3"], ["Ethernet16"]).place == {}
    assert same_ports(["swp1", "swp2"], ["eth1", "eth2", "lo"]).place == {}


def test_only_the_same_names_where_there_are_any():
    """`swp2` is no part of port 1, though it is the second name of the switch."""
    assert same_ports(["swp1s0", "swp1s1", "swp3"], ["swp2", "swp1s1"]).place == {1: 1}


@pytest.fixture(scope="module")
def pod(tmp_path_factory):
    path = tmp_path_factory.mktemp("pod") / "pod.dot"
    path.write_text(ethernet_twins.dot(ethernet_twins.all_cables()))
    return open_fabric(path)


def sonic_name(port: str) -> str:
    """SONiC's name of a port of Cumulus, each of 8 lanes, split in two."""
    found = re.fullmatch(r"swp(\d+)(?:s(\d))?", port)
    assert found is not None
    return f"Ethernet{8 * (int(found[1]) - 1) + 4 * int(found[2] or 0)}"


def octets(given, carried, name_of, hosts=False):
    """Device, port, bytes out and in of every port of the switches, and of hosts."""
    topology = given.topology
    base = np.random.default_rng(5).integers(0, 10**9, (2, topology.n_links))
    for link in range(topology.n_links):
        tail = int(topology.link_tail[link])
        device, port = topology.nodes.name[tail], topology.port_name(tail, int(topology.link_tail_port[link]))
        out, back = (0, 0) if carried is None else (carried[link], carried[topology.link_reverse[link]])
        if device.startswith("gpu"):
            if not hosts:
                continue
            device = device.split(" ")[0]
        else:
            port = name_of(port)
        yield device, port, int(base[0, link] + out), int(base[1, link] + back)


def node_exporter(rows) -> str:
    lines = []
    for device, port, out, back in rows:
        at = f'{{instance="{device}.site.example:9100",device="{port}"}}'
        lines += [f"node_network_transmit_bytes_total{at} {out}", f"node_network_receive_bytes_total{at} {back}"]
        if port == "eth1":
            # What else a host has.
            lines += [f'node_network_{way}_bytes_total{{instance="{device}:9100",device="{one}"}} {out}'
                      for one in ("lo", "bond0", "eth9", "eth1.100") for way in ("transmit", "receive")]  # fmt: skip
    return "\n".join(lines) + "\n"


def test_split_ports_of_switches_and_ports_of_hosts(tmp_path, pod):
    carried = np.random.default_rng(1).integers(1, 10**9, pod.topology.n_links)
    for name, amount in (("a.prom", None), ("b.prom", carried)):
        (tmp_path / name).write_text(node_exporter(octets(pod, amount, str, hosts=True)))
    measured = measure(pod, read_counters(tmp_path / "b.prom"), read_counters(tmp_path / "a.prom"))
    assert measured.sent.tolist() == measured.received.tolist() == carried.tolist()
    assert "32 other interfaces of the fabric's devices without a cable in it" in " ".join(measured.notes)


def test_sonic_on_a_plan_with_names_of_cumulus(tmp_path, pod):
    carried = np.random.default_rng(2).integers(1, 10**9, pod.topology.n_links)
    for folder, amount in (("a", None), ("b", carried)):
        databases: dict[str, dict[str, dict[str, dict[str, str]]]] = {}
        for device, port, out, back in octets(pod, amount, sonic_name):
            database = databases.setdefault(device, {"COUNTERS_PORT_NAME_MAP": {"value": {}}})
            names = database["COUNTERS_PORT_NAME_MAP"]["value"]
            names[port] = oid = f"oid:0x1{len(names):012x}"
            database[f"COUNTERS:{oid}"] = {
                "value": {"SAI_PORT_STAT_IF_OUT_OCTETS": str(out), "SAI_PORT_STAT_IF_IN_OCTETS": str(back)}
            }
        write_folder(tmp_path / folder, {f"{name}.json": json.dumps(one) for name, one in databases.items()})
    measured = measure(pod, read_counters(tmp_path / "b"), read_counters(tmp_path / "a"))
    nic = np.isin(pod.topology.link_tail, pod.topology.endpoints)
    assert np.isnan(measured.sent[nic]).all()
    assert measured.sent[~nic].tolist() == carried[~nic].tolist()
    assert any("12 devices have ports with other names in the counters" in note for note in measured.notes)


def test_aliases_of_the_fabrics_own_files(tmp_path):
    """A port that switches call `Ethernet64`, hosts by its alias, and a counter by its description."""
    files: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {
        "leaf1.json": {"Ethernet0": ("gpu1", ("eth0",)), "Ethernet64": ("gpu2", ("eth0",))},
        "gpu1.json": {"eth0": ("leaf1", ("etp1", "Ethernet0"))},
        "gpu2.json": {"eth0": ("leaf1", ("etp9", "Ethernet64"))},
    }
    for name, ports in files.items():
        rows = [
            {port: {"chassis": {peer: {"id": {}}},
                    "port": {"id": {"type": "local" if len(names) > 1 else "ifname", "value": names[0]}, "descr": names[-1]}}}
            for port, (peer, names) in ports.items()
        ]  # fmt: skip
        (tmp_path / name).write_text(json.dumps({"lldp": {"interface": rows}}))
    given = open_fabric(tmp_path)
    assert given.port_aliases == {("leaf1", 0): ("etp1",), ("leaf1", 64): ("etp9",)}
    counters = tmp_path / "c.prom"
    counters.write_text('tx_bytes{node="leaf1",port="etp9"} 7\nrx_bytes{node="leaf1",port="etp9"} 3\n')
    found = match_ports(read_counters(counters), given)
    assert given.topology.link_name(int(found.link[0])).startswith("leaf1 port Ethernet64 -> gpu2")


def test_nvos_names_the_ports_of_a_subnet(tmp_path):
    """OpenTelemetry of a QM9700 by NVOS: `sw5p1` is port 9 of the dump."""
    given = open_fabric(str(IB / "naive64-updn.ibnetdiscover.gz"))
    carried = np.arange(1, given.topology.n_links + 1)
    for name, amount, time_s in (("a", None, twins.TIME_S), ("b", carried, twins.TIME_S + 60)):
        ports = [one for one in twins.ports_of(given, amount) if one.switch]
        text = re.sub(r"swp(\d+)", lambda found: labels(int(found[1]), False)["NVOS"], twins.otlp(ports, time_s))
        (tmp_path / name).write_text(text)
    measured = measure(given, read_counters(tmp_path / "b"), read_counters(tmp_path / "a"))
    switches = ~np.isin(given.topology.link_tail, given.topology.endpoints)
    assert measured.sent[switches].tolist() == (4.0 * carried[switches]).tolist()


def test_labels_that_the_dump_has(tmp_path):
    text = """
switchguid=0x1(1)
Switch\t129 "S-1"\t# "leaf" base port 0 lid 1 lmc 0
[5](1/2/1)\t"H-1"[1](2) \t\t# "gpu1 mlx5_0" lid 2 4xNDR
[7](1/2/2)\t"H-2"[1](3) \t\t# "gpu2 mlx5_0" lid 3 4xNDR

Ca\t1 "H-1"\t# "gpu1 mlx5_0"
[1](2) \t"S-1"[5](1/2/1)\t# lid 2 lmc 0 "leaf" lid 1 4xNDR

Ca\t1 "H-2"\t# "gpu2 mlx5_0"
[1](3) \t"S-1"[7](1/2/2)\t# lid 3 lmc 0 "leaf" lid 1 4xNDR
"""
    (tmp_path / "x.ibnetdiscover").write_text(text)
    given = open_fabric(tmp_path / "x.ibnetdiscover")
    assert given.port_aliases == {("leaf", 5): ("1/2/1",), ("leaf", 7): ("1/2/2",)}
    (tmp_path / "c.csv").write_text(
        "node_guid,node_desc,port_num,port_label,PortXmitDataExtended,PortRcvDataExtended\n0x1,leaf,,1/2/2,5,6\n"
    )
    found = match_ports(read_counters(tmp_path / "c.csv"), given)
    assert given.topology.link_name(int(found.link[0])) == "leaf port 7 -> gpu2 mlx5_0 port 1"


def test_adapters_of_storage_among_those_of_rails_are_not_taken_for_rails(tmp_path, pod):
    """`mlx5_0` to `mlx5_5` on hosts of 4 rails: which two are storage's, nobody says."""
    rows = [
        f'node_infiniband_port_data_{way}_bytes_total{{instance="gpu0{host}:9100",device="mlx5_{device}",port="1"}} 5'
        for host in range(1, 9)
        for device in range(6)
        for way in ("transmitted", "received")
    ]
    (tmp_path / "x.prom").write_text("\n".join(rows))
    with pytest.raises(InputError, match=r"48 ports are left out: adapters of gpu01 have other numbers than its rails"):
        match_ports(read_counters(tmp_path / "x.prom"), pod)
