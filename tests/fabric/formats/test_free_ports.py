"""Ports without a cable: counted by hand, and the same in every form of one fabric."""

from pathlib import Path
from typing import Any

import pytest

import railscope as rs
from fabric.builders.description import parse_description
from fabric.formats.free_ports import free_ports
from fabric.topology import UNKNOWN
from tests.ethernet_twins import config_db

DATA = "tests/data/infiniband"
FORMS = ("ibnetdiscover", "ibnetdiscover-f", "ibnetdiscover-g", "ibnetdiscover-p", "iblinkinfo", "iblinkinfo-l")


def by_name(fabric):
    found = free_ports(fabric)
    return found and {fabric.topology.nodes.name[node]: [port.name for port in ports] for node, ports in found.items()}


def test_a_description_says_how_many_there_are():
    description = parse_description(Path("examples/tight-64.toml").read_text(), "tight-64.toml")
    fabric = rs.opened_fabric(description)
    free: Any = free_ports(fabric)
    topology = fabric.topology
    for node, ports in free.items():
        radix = description.leaf.radix if topology.nodes.tier[node] == 1 else description.spine.radix
        used = topology.out_start[node + 1] - topology.out_start[node]
        assert len(ports) == radix - used
        assert [one.number for one in ports] == list(range(used + 1, radix + 1))
    # A cable that is down is still plugged in.
    assert free_ports(fabric.with_faults([rs.Fault.parsed("r0-l00 -> s00")])) == free


def test_every_form_of_a_dump_shows_the_same_ports():
    """All say how many ports a switch has but the list of links, which shows them up to the last one in use."""
    expected = by_name(rs.open_fabric(f"{DATA}/ibnetdiscover.txt.gz"))
    assert set(map(len, expected.values())) == {64 - 16}
    for form in FORMS[1:]:
        assert by_name(rs.open_fabric(f"{DATA}/{form}.txt.gz")) == expected, form
    listed = by_name(rs.open_fabric(f"{DATA}/opensm-subnet.lst.gz"))
    for name, ports in listed.items():
        assert ports == expected[name][: len(ports)]


@pytest.mark.parametrize(("said", "last"), [(64, 64), (65, 64), (41, 40), (2, 2)])
def test_the_last_of_an_odd_number_is_no_port_of_the_case(tmp_path, said, last):
    """What NVIDIA's switches count beside their cages is where their aggregation node is."""
    path = tmp_path / "one.ibnetdiscover"
    path.write_text(
        f'switchguid=0x1(1)\nSwitch\t{said} "S-0000000000000001"\t\t# "leaf0" enhanced port 0 lid 1 lmc 0\n'
        '[1]\t"H-0000000000000002"[1](3) \t\t# "h0 mlx5_0" lid 2 4xHDR\n'
        '\ncaguid=0x2\nCa\t1 "H-0000000000000002"\t\t# "h0 mlx5_0"\n'
        '[1](3) \t"S-0000000000000001"[1]\t\t# lid 2 lmc 0 "leaf0" lid 1 4xHDR\n'
    )
    assert by_name(rs.open_fabric(str(path)))["leaf0"] == [f"port {port}" for port in range(2, last + 1)]


def test_config_db_lists_ports(tmp_path):
    cables = [("leaf1", "Ethernet0", "gpu1", "eth0"), ("leaf1", "Ethernet4", "gpu2", "eth0"),
              ("leaf1", "Ethernet8", "spine1", "Ethernet0"), ("leaf2", "Ethernet0", "gpu3", "eth0"),
              ("leaf2", "Ethernet8", "spine1", "Ethernet4")]  # fmt: skip
    for name, text in config_db(cables).items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if name.startswith("leaf2"):
            text = text.replace(
                '"PORT": {', '"PORT": {"Ethernet12": {"speed": "100000"}, "Ethernet4": {"speed": "100000"}, '
            )
        path.write_text(text)
    fabric = rs.open_fabric(str(tmp_path))
    free: Any = free_ports(fabric)
    leaf = fabric.topology.nodes.name.index("leaf2")
    assert [(port.number, port.name) for port in free[leaf]] == [
        (UNKNOWN, "port Ethernet4"),
        (UNKNOWN, "port Ethernet12"),
    ]


def test_others_do_not_say():
    assert free_ports(rs.open_fabric("tests/data/ethernet/pod-lldp.tar.gz")) is None
    topology = rs.build(rs.fat_tree(4))
    assert free_ports(rs.opened_fabric(topology)) is None
