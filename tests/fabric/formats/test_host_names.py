"""Hosts and rails from node descriptions: by majority; what does not fit spoils nothing but itself."""

import numpy as np
import pytest

import railscope as rs
from fabric.formats.infiniband.host_names import hosts_and_rails
from fabric.formats.opening import open_fabric
from fabric.studies.health import check_fabric
from fabric.topology import UNKNOWN
from tests.fabric.commands.test_cli import answer, railscope
from tests.fabric.formats.test_infiniband import adapter, pair, switch, write


def where(*names, **options):
    return list(hosts_and_rails({str(number): name for number, name in enumerate(names)}, **options).where.values())


def by_name(names, **options):
    read = hosts_and_rails({str(number): name for number, name in enumerate(names)}, **options)
    return [read.where[str(number)] for number in range(len(names))], read


@pytest.mark.parametrize(
    ("name", "host", "rail"),
    [
        ("node01 mlx5_3", "node01", 3),
        ("node01 HCA-2", "node01", 2),
        ("node01 mlx5_ib4", "node01", 4),
        ("node01 mlx5_bond_1", "node01", 1),
        ("node01.cluster.local mlx4_0", "node01.cluster.local", 0),
        ("r1i0n5 hfi1_1", "r1i0n5", 1),
        ("node01 rdma_rail6", "node01", 6),
        ("h0007r3", "h0007", 3),
        ("rack2-gpu14g5", "rack2-gpu14", 5),
    ],
)
def test_what_drivers_and_people_write(name, host, rail):
    found, read = by_name([name, name.replace("7", "8").replace("0", "9").replace("5", "6").replace("2", "7")])
    assert found[0] == (host, rail)
    assert not read.oddities


def test_names_of_pci_places_count_within_the_host():
    found, _ = by_name(["n2 ibp12s0", "n2 ibp3s0", "n1 ibp3s0", "n1 ibp12s0"])
    assert found == [("n2", 1), ("n2", 0), ("n1", 0), ("n1", 1)]


def test_one_that_does_not_fit_spoils_nothing():
    fitting = [f"node{host:02d} mlx5_{rail}" for host in range(8) for rail in range(4)]
    found, read = by_name([*fitting, "MT4129 ConnectX7   Mellanox Technologies", "storage-a", "gw7r1"])
    assert found[:32] == [(f"node{host:02d}", rail) for host in range(8) for rail in range(4)]
    assert found[32] == ("32", UNKNOWN)
    assert found[33] == ("storage-a", 0)
    assert found[34] == ("gw7", 1)
    assert "(32 of 35) and" in read.note
    assert "1 adapter fit no pattern and are hosts by their first word, such as 'storage-a'" in read.note
    assert [each.count for each in read.oddities] == [1]


@pytest.mark.parametrize(
    "name", ["MT25408 ConnectX Mellanox Technologies", "Infinihost HCA", "", "0x0002c90300001234", "gpu"]
)
def test_many_of_one_name_are_many_hosts(name):
    found, read = by_name([name] * 69)
    assert len({host for host, _ in found}) == 69
    assert {rail for _, rail in found} == {UNKNOWN}
    assert read.oddities[0].count == 69


def test_a_host_name_that_many_machines_have():
    found, read = by_name([f"localhost mlx5_{rail}" for _ in range(40) for rail in range(8)])
    assert len({host for host, _ in found}) == 320
    assert sorted({rail for _, rail in found}) == list(range(8))
    assert "320 adapters share the name of host and rail with others" in read.note


def test_blanks_without_end():
    """64 of them took 20 s: no description is longer than 64 bytes."""
    assert (
        len(where(*(" " * 3900 + f"x{n}" for n in range(64)), *("a" + " " * 3900 + f"mlx5_{n}" for n in range(64))))
        == 128
    )


def unnamed_fabric(tmp_path, n=6):
    ups, downs = zip(*(pair(0x100 * (k + 1), k + 1) for k in range(n)), strict=True)
    names = ["MT4129 ConnectX7   Mellanox Technologies"] * n
    return write(
        tmp_path, switch(0x10, "sw", *downs) + "".join(adapter(0x100 * (k + 1), names[k], ups[k]) for k in range(n))
    )


def test_a_fabric_without_names_is_read_routed_and_said(tmp_path):
    path = unnamed_fabric(tmp_path)
    given = open_fabric(path)
    assert np.unique(given.topology.endpoint_host).size == 6
    assert set(given.topology.endpoint_rail) == {UNKNOWN}
    finding = next(
        one for one in check_fabric(given.topology, oddities=given.oddities).findings if one.kind == "unnamed adapter"
    )
    assert finding.count == 6
    loads = rs.link_loads(
        given.topology, rs.AllToAll(rs.Groups.consecutive(6, 6), np.ones(6), np.ones(6)), rs.packed(given.topology)
    )
    assert loads.bytes.sum() == pytest.approx(2 * 30)
    for options in (
        ["--collective", "all-reduce"],
        ["--collective", "all-to-all"],
        ["--collective", "all-gather", "--placement", "scattered"],
    ):
        assert answer("loads", path, *options, cwd=tmp_path)["fabric"]["endpoints"] == 6
    assert "unnamed adapter" in railscope("fabric", "check", path, cwd=tmp_path).stdout
    assert railscope("fabric", "show", path, cwd=tmp_path).returncode == 0
    done = railscope("compare", path, "--collective", "all-to-all", "--no-figure", cwd=tmp_path)
    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stderr
