"""InfiniBand dumps: one fabric in every form, and what a dump may hold."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from collectives import InputError
from fabric.formats.infiniband.host_names import natural
from fabric.formats.infiniband.ibnetdiscover import read_ibnetdiscover
from fabric.formats.infiniband.lfts import read_lfts
from fabric.formats.infiniband.subnet import lane_speed, subnet_fabric
from fabric.formats.node_link import node_link_text
from fabric.formats.opening import open_fabric
from fabric.routing.match_lfts import match_lfts

DATA = Path(__file__).parents[3] / "tests" / "data" / "infiniband"
FORMS = [
    "ibnetdiscover.txt",
    "ibnetdiscover-f.txt",
    "ibnetdiscover-g.txt",
    "ibnetdiscover-p.txt",
    "iblinkinfo.txt",
    "iblinkinfo-l.txt",
    "opensm-subnet.lst",
    "ibsim.net",
]


def graph_of(given, lids=True):
    text = node_link_text(given.topology).replace(given.name, "NAME")
    return text if lids else re.sub(r', "lid": \d+', "", text)


@pytest.mark.parametrize("form", FORMS[1:])
def test_every_form_gives_the_same_fabric(form):
    plain, other = (open_fabric(str(DATA / f"{name}.gz")) for name in (FORMS[0], form))
    with_lids = form != "ibsim.net"  # LIDs are zero there
    assert graph_of(other, with_lids) == graph_of(plain, with_lids)
    assert other.origin is not None
    assert plain.origin is not None
    assert other.origin.node_of_guid == plain.origin.node_of_guid
    if with_lids:
        assert other.origin.node_of_lid == plain.origin.node_of_lid
    assert other.host_names() == plain.host_names()


def test_what_the_dump_says():
    given = open_fabric(str(DATA / "ibnetdiscover.txt.gz"))
    fabric = given.topology
    assert (fabric.n_endpoints, fabric.n_nodes, fabric.n_links) == (64, 76, 256)
    assert set(fabric.link_capacity_gbps) == {200.0}
    assert fabric.endpoint_names[:2] == ("hgx0001 mlx5_0", "hgx0001 mlx5_1")
    assert given.host_names()[8] == "hgx0002"
    assert fabric.endpoint_rail.tolist() == list(range(8)) * 8
    assert np.bincount(fabric.nodes.tier).tolist() == [64, 8, 4]
    # Two cables between each leaf and spine stay two.
    assert np.unique(np.stack([fabric.link_tail, fabric.link_head]), axis=1, return_counts=True)[1].max() == 2
    link = int(np.flatnonzero(fabric.link_tail == 0)[0])
    assert fabric.link_name(link) == "hgx0001 mlx5_0 port 1 -> leaf0000 port 1"
    assert any("8 hosts, 8 rails" in note for note in given.notes)
    assert any("8 in tier 1, 4 in tier 2" in note for note in given.notes)


@pytest.mark.parametrize("form", ["dump_fts.txt", "opensm.fdbs"])
def test_every_form_of_tables_says_the_same(form):
    plain, other = read_lfts(DATA / "opensm-lfts.dump.gz"), read_lfts(DATA / f"{form}.gz")
    row = {guid: number for number, guid in enumerate(plain.switch_guid)}
    assert set(row) == set(other.switch_guid)
    for number, guid in enumerate(other.switch_guid):
        assert other.port[number].tolist() == plain.port[row[guid]].tolist()
    if form == "dump_fts.txt":
        assert (other.port_guid, other.lid_name) == (plain.port_guid, plain.lid_name)


def test_one_switch_of_ibroute():
    tables = read_lfts(DATA / "ibroute_lid2.txt.gz")
    whole = read_lfts(DATA / "opensm-lfts.dump.gz")
    assert tables.switch_name == ("leaf0000",)
    assert tables.port[0].tolist() == whole.port[whole.switch_guid.index(tables.switch_guid[0])].tolist()


def test_lmc_gives_endpoints_several_lids():
    given = open_fabric(str(DATA / "ibnetdiscover.txt.gz"))
    one, two = (
        match_lfts(read_lfts(DATA / f"{name}.dump.gz"), given.topology, given.origin)
        for name in ("opensm-lfts", "opensm-lfts.lmc1")
    )
    assert np.diff(one.routing.row_start).tolist() == [1] * 64
    assert np.diff(two.routing.row_start).tolist() == [2] * 64
    assert (one.unowned_lids, two.unowned_lids, two.without_lid, two.without_lft) == ((), (), (), ())


@pytest.mark.parametrize(
    ("width", "speed", "gbps"),
    [
        ("4", "SDR", 10),
        ("4", "DDR", 20),
        ("4", "QDR", 40),
        ("4", "FDR10", 40),
        ("4", "FDR", 56),
        ("4", "EDR", 100),
        ("4", "HDR", 200),
        ("4", "NDR", 400),
        ("4", "XDR", 800),
        ("2", "HDR", 100),
        ("1", "53.125", 50),
        ("12", "EDR", 300),
        ("4", "106.25", 400),
        ("4", "212.5", 800),
    ],
)
def test_speeds(width, speed, gbps):
    assert lane_speed(width, speed) == gbps


def switch(guid, name, *ports, tail=" enhanced port 0 lid 7 lmc 0"):
    head = f'switchguid=0x{guid:x}({guid:x})\nSwitch\t36 "S-{guid:016x}"\t\t# "{name}"{tail}\n'
    return head + "".join(f"{port}\n" for port in ports)


def adapter(guid, name, *ports):
    return f'caguid=0x{guid:x}\nCa\t2 "H-{guid:016x}"\t\t# "{name}"\n' + "".join(f"{port}\n" for port in ports)


def pair(a, b, a_port=1, b_port=1, guid=0x10, kind="H", speed="4xNDR", peer="x"):
    """A cable as the switch (guid) lists it, and as the adapter does."""
    up = f'[{a_port}]({a + b_port:x})\t"S-{guid:016x}"[{b}]\t\t# lid {a} lmc 0 "{peer}" lid 7 {speed}'
    down = f'[{b}]\t"{kind}-{a:016x}"[{a_port}]({a + b_port:x})\t\t# "{peer}" lid {a} {speed}'
    return up, down


def write(tmp_path, text, name="x.ibnetdiscover"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


ODD = ["node,1 'HCA-1'", 'a "quoted" name', "rack;3/U1 {x}", "ünï — cøde", "tab\there", "lid 5 4xHDR"]


def test_odd_names_and_unnamed_switches(tmp_path):
    ups, downs = zip(*(pair(0x100 * (n + 1), n + 1) for n in range(len(ODD))), strict=True)
    text = switch(0x10, "", *downs) + "\n".join(
        adapter(0x100 * (n + 1), name, up) for n, (name, up) in enumerate(zip(ODD, ups, strict=True))
    )
    given = open_fabric(write(tmp_path, text))
    names = set(given.topology.nodes.name)
    assert names == {name.replace("\t", "?") for name in ODD} | {"0x0000000000000010"}
    assert set(given.topology.link_capacity_gbps) == {400.0}
    latin = text.replace("ünï — cøde", "caf\xe9").encode("latin-1")
    assert r"caf\xe9" in open_fabric(write(tmp_path, latin, "l.txt")).topology.nodes.name


def test_equal_names_are_told_apart(tmp_path):
    (up1, down1), (up2, down2) = pair(0x100, 1), pair(0x200, 2)
    text = switch(0x10, "sw", down1, down2) + adapter(0x100, "gpu", up1) + adapter(0x200, "gpu", up2)
    given = open_fabric(write(tmp_path, text))
    assert given.topology.endpoint_names == ("gpu (0x0000000000000101)", "gpu (0x0000000000000201)")


def test_adapters_with_two_ports_are_one_endpoint(tmp_path):
    (up1, down1), (up2, down2) = pair(0x100, 1), pair(0x100, 1, a_port=2, b_port=2, guid=0x20)
    text = switch(0x10, "sw1", down1) + switch(0x20, "sw2", down2) + adapter(0x100, "gpu", up1, up2)
    fabric = open_fabric(write(tmp_path, text)).topology
    assert (fabric.n_endpoints, fabric.n_links) == (1, 4)
    assert sorted(fabric.link_tail_port[fabric.link_tail == 0]) == [1, 2]
    rows = [
        "CA  1 1 0x0000000000000101 4x HDR - SW 7 1 0x0000000000000010 ( 'gpu' - 'sw1' )",
        "CA  2 2 0x0000000000000102 4x HDR - SW 8 1 0x0000000000000020 ( 'gpu' - 'sw2' )",
        "SW  7 1 0x0000000000000010 4x HDR - CA 1 1 0x0000000000000101 ( 'sw1' - 'gpu' )",
        "SW  8 1 0x0000000000000020 4x HDR - CA 2 2 0x0000000000000102 ( 'sw2' - 'gpu' )",
        "SW  8 2 0x0000000000000020 4x SDR                                    'sw2'",
    ]
    listed = open_fabric(write(tmp_path, "\n".join(rows), "p.txt")).topology
    assert (listed.n_endpoints, listed.n_links) == (1, 4)


def test_sharp_nodes_and_routers_are_no_endpoints(tmp_path):
    (up1, down1), (up2, down2) = pair(0x100, 1), pair(0x200, 2)
    text = switch(0x10, "sw", down1, down2) + adapter(0x100, "gpu", up1)
    given = open_fabric(write(tmp_path, text + adapter(0x200, "Mellanox Technologies Aggregation Node", up2)))
    assert given.topology.endpoint_names == ("gpu",)
    assert given.origin is not None
    assert given.origin.left_out == ("Mellanox Technologies Aggregation Node",)
    assert any("1 adapters and routers are no endpoints" in note for note in given.notes)
    assert given.topology.n_links == 2


def test_switches_alone_are_enough_for_iblinkinfo(tmp_path):
    text = gzip.decompress((DATA / "iblinkinfo.txt.gz").read_bytes()).decode()
    alone = "".join(part for part in re.split(r"^(?=CA: |Switch: )", text, flags=re.M) if part.startswith("Switch"))
    given = open_fabric(write(tmp_path, alone, "s.txt"))
    whole = open_fabric(str(DATA / "iblinkinfo.txt.gz"))
    assert given.topology.endpoint_names == whole.topology.endpoint_names
    assert any("at their switch's end only" in note for note in given.notes)
    tables = match_lfts(read_lfts(DATA / "opensm-lfts.dump.gz"), given.topology, given.origin)
    assert tables.without_lid == ()


def test_host_patterns():
    path = str(DATA / "ibnetdiscover.txt.gz")
    given = open_fabric(path, host_pattern=r"hgx(?P<host>\d+) mlx5_(?P<rail>\d)")
    assert given.host_names()[-1] == "0008"
    for pattern, message in (
        ("(", "not a regular expression"),
        ("hgx.*", "expected a group `host`"),
        ("x(?P<host>y)", "fits no adapter, such as"),
        (r"hgx(?P<host>\d+) mlx5_(?P<rail>.)_?", None),
        (r"hgx(?P<host>\d+) (?P<rail>mlx)5_\d", "rail 'mlx'"),
    ):
        if message is None:
            open_fabric(path, host_pattern=pattern)
            continue
        with pytest.raises(InputError, match="host pattern") as refused:
            open_fabric(path, host_pattern=pattern)
        assert message in str(refused.value)


def test_adapters_of_storage_are_left_out_by_a_pattern(tmp_path):
    """Rails are 0 to 3 and 6 to 9 of ten adapters; a host that the pattern does not know keeps its own."""
    text = gzip.decompress((DATA / "ibnetdiscover.txt.gz").read_bytes()).decode()
    renamed = re.sub(r"(hgx0008) mlx5_", r"login1 mlx5_", text)
    path = write(tmp_path, renamed, "x.txt")
    pattern = r"hgx(?P<host>\d+) mlx5_(?P<rail>[0-3])"
    given = open_fabric(path, host_pattern=pattern)
    assert given.topology.n_endpoints == 7 * 4 + 8
    assert set(given.host_names()) == {f"000{number}" for number in range(1, 8)} | {"login1"}
    said = "28 adapters that --host-pattern does not fit, of hosts that it finds, are no endpoints: hgx0001 mlx5_4, "
    assert any(note.startswith(said) for note in given.notes)
    tables = match_lfts(read_lfts(DATA / "opensm-lfts.dump.gz"), given.topology, given.origin)
    assert tables.without_lid == ()
    assert open_fabric(path).topology.n_endpoints == 64
    # Ten adapters of most hosts are said.
    more = re.sub(r"hgx(\d{4}) mlx5_", lambda found: f"hgx{int(found[1]) // 2:04} mlx5_{int(found[1]) % 2}", text)
    assert any(
        "most hosts have 16 adapters, all taken for GPUs' own" in note
        for note in open_fabric(write(tmp_path, more, "y.txt")).notes
    )


def test_natural_order():
    assert sorted(["h10", "h9", "h010", "h", "g2", "h9a"], key=natural) == ["g2", "h", "h9", "h9a", "h010", "h10"]


GOOD_UP, GOOD_DOWN = pair(0x100, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (switch(0x10, "sw", GOOD_DOWN), ":3: node H-0000000000000100 is not described; is the dump whole?"),
        (switch(0x10, "sw", GOOD_DOWN) + adapter(0x100, "g"), "which does not list it; is the dump whole?"),
        (switch(0x10, "sw", GOOD_DOWN) + adapter(0x100, "g", GOOD_UP[:30]), ":6: "),
        (
            switch(0x10, "sw", GOOD_DOWN, GOOD_DOWN.replace("[1](", "[2](")) + adapter(0x100, "g", GOOD_UP),
            ":4: sw port 1 goes to",
        ),
        (switch(0x10, "sw", GOOD_DOWN) + adapter(0x100, "g", GOOD_UP.replace('"[1]', '"[2]')), "goes to"),
        (switch(0x10, "sw", GOOD_DOWN) * 2, ":5: node S-0000000000000010 is described twice"),
        (switch(0x10, "sw", GOOD_DOWN.replace("4xNDR", "4xZDR")), "speed 4x ZDR; expected"),
        (switch(0x10, "sw", GOOD_DOWN.replace("4xNDR", "3xNDR")), "speed 3x NDR; expected"),
        (switch(0x10, "sw", tail=" enhanced port 0 lid 65000 lmc 0"), ":2: LID 65000; expected at most 49151"),
        (GOOD_DOWN, ":1: a port before any node"),
        (switch(0x10, "sw"), "no cable"),
        (switch(0x10, "sw") + "nonsense\n", ":3: 'nonsense'; expected a node"),
        (switch(0x10, "x" * 5000), ":2: a line of 5,0"),
    ],
)
def test_refuses_with_file_and_line(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(InputError) as refused:
        subnet_fabric(read_ibnetdiscover(path), "x")
    assert str(refused.value).startswith(path)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


HEAD = "Unicast lids [0-3] of switch Lid 7 guid 0x0000000000000010 ('sw'):\n"
ROW = "0x0001 001 # Channel Adapter portguid 0x0000000000000101: 'g'\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + ROW, "the table of line 1 has no end"),
        (HEAD + ROW + HEAD, ":3: the table of line 1 has no end"),
        (ROW, ":1: a row before any switch"),
        (HEAD + ROW + ROW + "2 lids dumped\n", ":3: LID 0x0001 is listed twice"),
        (HEAD + ROW + "1 lids dumped\n" + HEAD, "is listed twice, first in line 1"),
        (HEAD + ROW.replace(" 001", " 999") + "1 lids dumped\n", ":2: LID 1, port 999"),
        (HEAD + ROW.replace("0x0001", "0xffff") + "1 lids dumped\n", ":2: LID 65535"),
        (HEAD + "hello\n", ":2: 'hello'; expected a row"),
        (HEAD + "0 lids dumped\n", "no row of a forwarding table"),
    ],
)
def test_tables_are_refused_with_file_and_line(tmp_path, text, message):
    path = write(tmp_path, text, "x.lfts")
    with pytest.raises(InputError) as refused:
        read_lfts(path)
    assert str(refused.value).startswith(path)
    assert message in str(refused.value)


def test_tables_of_another_fabric_are_refused():
    given = open_fabric(str(DATA / "ibnetdiscover.txt.gz"))
    with pytest.raises(
        InputError, match=r"these tables are of another fabric: .* 0 of 12 switches and 0 of 64 adapters"
    ):
        match_lfts(read_lfts(DATA / "hurt512-updn.lfts.gz"), given.topology, given.origin)
