"""Dumps as they come out of terminals: the same fabric, and what was odd is said."""

import gzip
import re

import numpy as np
import pytest

import railscope as rs
from collectives import InputError
from fabric.formats.infiniband.lfts import read_lfts
from fabric.formats.node_link import node_link_text
from fabric.formats.opening import open_fabric, open_lfts
from fabric.routing.match_lfts import match_lfts
from fabric.studies.health import check_fabric
from tests.fabric.formats.test_infiniband import DATA, adapter, pair, switch, write

FORMS = ["ibnetdiscover.txt", "ibnetdiscover-f.txt", "ibnetdiscover-g.txt", "ibnetdiscover-p.txt", "iblinkinfo.txt",
         "iblinkinfo-l.txt", "opensm-subnet.lst"]  # fmt: skip
TABLES = ["opensm-lfts.dump", "dump_fts.txt", "opensm.fdbs", "ibroute_lid2.txt"]


def text_of(form):
    return gzip.decompress((DATA / f"{form}.gz").read_bytes()).decode()


def graph_of(given):
    return node_link_text(given.topology).replace(given.name, "NAME")


def lids_of(given):
    assert given.origin is not None
    return given.origin.node_of_lid


def prompts(text):
    lines = text.split("\n")
    lines[3:3] = ["ibwarn: [20345] mad_rpc: _do_madrpc failed; dport (DR path slid 0; dlid 0; 0,1,19)"]
    lines[7:7] = [
        "src/query_smp.c:240; umad (DR path slid 0; dlid 0; 0,1,32,4 Attr 0x11:0) bad status 110; Connection timed out"
    ]
    return "\n".join(
        [
            "=~=~=~=~=~=~=~=~= PuTTY log 2024.03.11 09:15:42 =~=~=~=~=~=~=~=~=",
            'Script started on 2024-03-11 09:15:42+01:00 [TERM="xterm" COLUMNS="80"]',
            "Last login: Mon Mar 11 08:02:11 2024 from 10.0.0.7",
            "[root@ufm01 ~]# tool",
            "fabric A, before the exchange:",
            *lines,
            "[root@ufm01 ~]# exit",
            "Script done on 2024-03-11 09:16:03+01:00",
        ]
    )


def blanks(text):
    """As a mail or a chat mangles it: tabs and runs of blanks become one blank."""
    return "\n".join(re.sub(r"[ \t]+", " ", line) for line in text.split("\n"))


MANGLED = {
    "prompts and warnings": prompts,
    "blanks": blanks,
    "indented": lambda text: "\n".join(f"    {line}" for line in text.split("\n")),
    "line ends of Windows": lambda text: text.replace("\n", "\r\n"),
    "colours": lambda text: "\n".join(f"\x1b[0m\x1b[01;32m{line}\x1b[K\x1b[m" for line in text.split("\n")),
    "trailing blanks": lambda text: "\n".join(f"{line}  \t " for line in text.split("\n")),
}


@pytest.mark.parametrize("how", MANGLED)
@pytest.mark.parametrize("form", FORMS)
def test_a_mangled_dump_is_the_same_fabric(tmp_path, form, how):
    plain = open_fabric(write(tmp_path, text_of(form), "plain.txt"))
    given = open_fabric(write(tmp_path, MANGLED[how](text_of(form)), "mangled.txt"))
    assert graph_of(given) == graph_of(plain)
    assert lids_of(given) == lids_of(plain)
    odd = {one.kind: one.count for one in given.oddities}
    if how == "prompts and warnings":
        assert 8 <= odd["other lines"] <= 9
        assert any("lines are none of the dump's" in note and "PuTTY" in note for note in given.notes)
        finding = next(
            one for one in check_fabric(given.topology, oddities=given.oddities).findings if one.kind == "other lines"
        )
        assert (finding.severity, finding.count) == ("warning", odd["other lines"])
    else:
        assert not odd


@pytest.mark.parametrize("how", MANGLED)
@pytest.mark.parametrize("form", TABLES)
def test_mangled_tables_say_the_same(tmp_path, form, how):
    plain = open_lfts(write(tmp_path, text_of(form), "plain.txt"))
    given = open_lfts(write(tmp_path, MANGLED[how](text_of(form)), "mangled.txt"))
    assert given.switch_guid == plain.switch_guid
    assert given.port.tolist() == plain.port.tolist()
    assert (given.port_guid, given.lid_name) == (plain.port_guid, plain.lid_name)
    assert bool(given.oddities) == (how == "prompts and warnings")


@pytest.mark.parametrize("form", FORMS)
def test_a_dump_cut_within_a_row_is_refused(tmp_path, form):
    text = text_of(form)
    place = text.rindex("hgx0003")
    with pytest.raises(InputError, match=r"cut\.txt:") as refused:
        open_fabric(write(tmp_path, text[:place], "cut.txt"))
    assert "\n" not in str(refused.value)


def test_more_noise_than_rows_is_no_dump(tmp_path):
    text = switch(0x10, "sw", *pair(0x100, 1)[1:]) + adapter(0x100, "g", pair(0x100, 1)[0]) + "other words\n" * 9
    with pytest.raises(InputError, match=r"'other words'; expected a node .* \(9 such lines, 2 others\)"):
        open_fabric(write(tmp_path, text))


def test_names_with_trailing_blanks_are_read_by_pattern(tmp_path):
    ups, downs = zip(*(pair(0x100 * (n + 1), n + 1) for n in range(4)), strict=True)
    names = ["n1 mlx5_0  ", "n1 mlx5_1", "n2 mlx5_0 ", "n2 mlx5_1"]
    text = switch(0x10, "sw  ", *downs) + "".join(adapter(0x100 * (n + 1), names[n], ups[n]) for n in range(4))
    given = open_fabric(write(tmp_path, text))
    assert given.host_names() == ("n1", "n1", "n2", "n2")
    assert given.topology.endpoint_rail.tolist() == [0, 1, 0, 1]


def test_ports_without_a_lid(tmp_path):
    """LID 65535: unassigned, in every form; cables are found all the same."""
    up, down = pair(0xFFFF, 1)
    text = switch(0x10, "sw", down, tail=" enhanced port 0 lid 65535 lmc 0") + adapter(0xFFFF, "g", up)
    given = open_fabric(write(tmp_path, text))
    assert given.topology.n_links == 2
    assert lids_of(given) == {}
    assert {one.kind: one.count for one in given.oddities} == {"unassigned LID": 2}


@pytest.mark.parametrize("lid", ["65535", "0"])
def test_neighbours_without_a_lid_are_found_by_the_row_that_leads_back(tmp_path, lid):
    state = "==( 4X 25.78125 Gbps Active/ LinkUp)==>"
    rows = (
        f'CA: a HCA-1:\n 0x0000000000000101 {lid} 1[ ] {state} 5 7[ ] "sw" ( )\n'
        f'CA: b HCA-1:\n 0x0000000000000201 {lid} 1[ ] {state} 5 8[ ] "sw" ( )\n'
        f'Switch: 0x0000000000000010 sw:\n 5 7[ ] {state} {lid} 1[ ] "a HCA-1" ( )\n 5 8[ ] {state} {lid} 1[ ] "b HCA-1" ( )\n'
    )
    given = open_fabric(write(tmp_path, rows, "i.txt"))
    ends = {given.topology.link_name(link) for link in range(4) if given.topology.link_tail[link] < 2}
    assert ends == {"a HCA-1 port 1 -> sw port 7", "b HCA-1 port 1 -> sw port 8"}
    assert bool(given.oddities) == (lid == "65535")


def test_loopback_cables_carry_nothing_and_spoil_nothing(tmp_path):
    up, down = pair(0x100, 1)
    loop = ['[5]\t"S-0000000000000010"[6]\t\t# "sw" lid 7 4xNDR', '[6]\t"S-0000000000000010"[5]\t\t# "sw" lid 7 4xNDR',
            '[7]\t"S-0000000000000010"[7]\t\t# "sw" lid 7 4xNDR']  # fmt: skip
    given = open_fabric(write(tmp_path, switch(0x10, "sw", down, *loop) + adapter(0x100, "g", up)))
    assert given.topology.n_links == 2
    assert {one.kind: one.count for one in given.oddities} == {"loopback cable": 2}
    assert "sw port 5 to its own port 6" in given.oddities[0].examples[0]


def test_hosts_back_to_back(tmp_path):
    rows = (adapter(0x100, "a mlx5_0", '[1](101)\t"H-0000000000000200"[1](201)\t\t# lid 1 lmc 0 "b mlx5_0" lid 2 4xEDR')
            + adapter(0x200, "b mlx5_0", '[1](201)\t"H-0000000000000100"[1](101)\t\t# lid 2 lmc 0 "a mlx5_0" lid 1 4xEDR'))  # fmt: skip
    given = open_fabric(write(tmp_path, rows))
    assert (given.topology.n_endpoints, given.topology.n_links) == (2, 4)
    assert not check_fabric(given.topology).n_errors
    assert any("1 cable between two adapters, without a switch" in note for note in given.notes)
    loads = rs.link_loads(
        given.topology, rs.Flows(np.array([0]), np.array([1]), np.array([1e9])), rs.packed(given.topology)
    )
    assert loads.bottleneck_time_s == pytest.approx(8e9 / 100e9)


@pytest.mark.parametrize("label", ["(1/1/1)", "(1/5/2/1)", "(Blade 3_Port 5/7)"])
def test_labels_of_ports(tmp_path, label):
    up, down = pair(0x100, 1)
    labelled = down.replace("[1]\t", f"[1]{label}\t", 1)
    assert labelled != down
    given = open_fabric(
        write(tmp_path, switch(0x10, "sw", labelled) + adapter(0x100, "g", up.replace('"[1]', f'"[1]{label}')))
    )
    assert given.topology.n_links == 2
    assert given.topology.link_tail_port.tolist() == [1, 1]


def test_ibdiagnets_lst_lists_a_link_once(tmp_path):
    text = text_of("opensm-subnet.lst")
    kept, seen = ["# This database file was automatically generated by IBDIAG", "#  Running version 2.1.1", ""], set()
    for line in text.strip().split("\n"):
        ends = frozenset(re.findall(r"NodeGUID:(\w+).*?PN:(\w+)", line))
        kept += [] if ends in seen else [line]
        seen.add(ends)
    assert len(kept) < 0.7 * len(text.strip().split("\n"))
    whole = open_fabric(write(tmp_path, text, "whole.lst"))
    once = open_fabric(write(tmp_path, "\n".join(kept), "once.lst"))
    assert graph_of(once) == graph_of(whole)
    assert not once.oddities


def net_dump(fabric, origin, ext=False):
    """What ibdiagnet would print of a fabric, with labels of a Quantum-2 switch."""
    nodes, subnet = fabric.nodes, origin.subnet
    key_of = {}
    for key, node in subnet.nodes.items():
        for guid in {node.guid, *node.port_guid.values()} - {0}:
            key_of[guid] = key
    lines = [
        "# This database file was automatically generated by IBDIAG",
        '# Running version   : "IBDIAGNET 2.10.0"',
        "",
        "",
    ]
    lid_of = {key: next(iter(node.lid.values()))[0] for key, node in subnet.nodes.items()}
    ends = {}
    for half in subnet.cables:
        ends[half.node, half.port] = (half.peer, half.peer_port, half.gbps)
        ends[half.peer, half.peer_port] = (half.node, half.port, half.gbps)
    label = lambda key, port: f"1/{port}/1" if subnet.nodes[key].kind == "switch" else str(port)  # noqa: E731
    if ext:
        lines.append("Ty : #      : #IB : GUID : LID : Sta : PhysSta : LWA : LSA : Conn LID (#) : FEC mode : RTR : Raw BER : "
                     "Effective BER : Symbol BER : Symbol Err : Effective Err : Node Desc")  # fmt: skip
    for key, node in subnet.nodes.items():
        own = sorted((port, end) for (who, port), end in ends.items() if who == key)
        if ext:
            kind = "SW" if node.kind == "switch" else "CA"
            for port, (peer, peer_port, gbps) in own:
                lines.append(f"{kind} : {label(key, port)} : {port} : 0x{node.guid:016x} : {lid_of[key]} : ACT : LINK UP : 4x : "
                             f"{gbps / 4:g} : {lid_of[peer]} ({label(peer, peer_port)}) : RS_FEC : NO-RTR : 1e-12 : 1e-254 : 1e-254 : 0 : 0 : "
                             f'"{node.name}"')  # fmt: skip
        elif node.kind == "switch":
            lines.append(f'"{node.name}", Mellanox, 0x{node.guid:016x}, LID {lid_of[key]}')
            lines.append("  #   : IB# : Sta  : PhysSta    : MTU : LWA     : LSA     : FEC mode : Retran : Neighbor Guid : N# : NLID : "
                         "Neighbor Description")  # fmt: skip
            for port, (peer, peer_port, gbps) in own:
                lines.append(f"  {label(key, port)} : {port} : ACT : LINK UP : 5 : 4x : {gbps / 4:g} : RS_FEC : NO-RTR : "
                             f'0x{subnet.nodes[peer].guid:x} : {label(peer, peer_port)} : {lid_of[peer]} : "{subnet.nodes[peer].name}"')  # fmt: skip
            lines.append('  1/40/2 : 40 : DOWN : POLL : N/A : N/A : N/A : N/A : N/A :  :  :  : ""')
            lines.append("")
    assert nodes.name
    return "\n".join(lines) + "\n"


def db_csv(origin):
    """The sections of ibdiagnet's database that say what the fabric is, among others."""
    subnet = origin.subnet
    types = {"adapter": 1, "switch": 2, "router": 3}
    nodes = [f'"{node.name}",40,{types[node.kind]},1,1,0x{node.guid:016x},0x{node.guid:016x},0x{node.guid:016x},4129,128,0,713,1'
             for node in subnet.nodes.values()]  # fmt: skip
    speed, ports, links = {50: 1024, 100: 2048, 25: 512}, [], []
    guid = lambda key: f"0x{subnet.nodes[key].guid:016x}"  # noqa: E731
    for key, node in subnet.nodes.items():
        if node.kind == "switch":
            ports.append(f"{guid(key)},{guid(key)},0,{node.lid[0][0]},0,0,0,4,5")
    for half in subnet.cables:
        for key, port in ((half.node, half.port), (half.peer, half.peer_port)):
            node = subnet.nodes[key]
            own = node.port_guid.get(port, node.guid)
            lid = node.lid.get(port, (0, 0))[0]
            ports.append(f"{guid(key)},0x{own:016x},{port},{lid},0,2,{speed[half.gbps / 4]},4,5")
        links.append(f"{guid(half.node)},{half.port},{guid(half.peer)},{half.peer_port}")
    sections = {
        "DUMP_VERSION": ["Major,Minor", "1,0"],
        "NODES": ["NodeDesc,NumPorts,NodeType,ClassVersion,BaseVersion,SystemImageGUID,NodeGUID,PortGUID,DeviceID,PartitionCap,"
                  "revision,VendorID,LocalPortNum", *nodes],
        "PORTS": [" NodeGuid,PortGuid,PortNum,LID,LMC,LinkWidthActv,LinkSpeedActv,PortState,PortPhyState", *ports],
        "PM_INFO": ["NodeGUID,PortGUID,PortNumber," + ",".join(f"Counter{n}" for n in range(900)), "0x1,0x1,1" + ",-1" * 900],
        "LINKS": ["NodeGuid1,PortNum1,NodeGuid2,PortNum2", *links],
    }  # fmt: skip
    return (
        "# ibdiagnet\n\n"
        + "\n\n".join(f"START_{name}\n" + "\n".join(rows) + f"\nEND_{name}" for name, rows in sections.items())
        + "\n"
    )


@pytest.mark.parametrize("form", ["net_dump", "net_dump_ext", "db_csv"])
def test_ibdiagnets_files_give_the_same_fabric(tmp_path, form):
    plain = open_fabric(str(DATA / "ibnetdiscover.txt.gz"))
    text = db_csv(plain.origin) if form == "db_csv" else net_dump(plain.topology, plain.origin, form == "net_dump_ext")
    given = open_fabric(write(tmp_path, text, f"ibdiagnet2.{form}"))
    assert graph_of(given) == graph_of(plain).replace("ibnetdiscover", "ibdiagnet2")
    assert lids_of(given) == lids_of(plain)
    assert not given.oddities


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (
            lambda text: text[: text.index("END_LINKS")],
            r"section LINKS of line \d+ has no end \(END_LINKS\); is the file whole",
        ),
        (lambda text: text[: text.index("START_LINKS")], "no section LINKS; expected START_LINKS with rows"),
        (lambda text: text.replace("PortNum2", "Port"), "section LINKS has no column PortNum2"),
        (lambda text: text.replace('"leaf0000",40', '"leaf0000,40'), "expected a row of section NODES"),
        (lambda text: text.replace("NodeType,", "", 1), "section NODES has no column NodeType"),
    ],
)
def test_a_damaged_database_is_refused(tmp_path, cut, message):
    text = db_csv(open_fabric(str(DATA / "ibnetdiscover.txt.gz")).origin)
    with pytest.raises(InputError, match=message):
        open_fabric(write(tmp_path, cut(text), "x.db_csv"))


@pytest.mark.parametrize("form", ["iblinkinfo.txt", "iblinkinfo-l.txt"])
def test_adapters_alone_are_not_enough(tmp_path, form):
    text = text_of(form)
    if form == "iblinkinfo.txt":
        alone = "".join(part for part in re.split(r"^(?=CA: |Switch: )", text, flags=re.M) if part.startswith("CA"))
    else:
        alone = "".join(line + "\n" for line in text.split("\n") if "hgx" in line.split("==(")[0])
    with pytest.raises(InputError, match=r"lists adapters only; expected the switches' (sections|lines) too"):
        open_fabric(write(tmp_path, alone, "cas.txt"))


@pytest.mark.parametrize("filler", [" ", '"', "[", "(", "' - '", ")==>", "0x1 ", "] of switch guid 0x1 (", "a"])
@pytest.mark.parametrize(
    "start", ['Switch 36 "S-1" # "', '[1] "S-1"[1] # ', "CA: ", "Switch: 0x1 ", "0x1 \"", "CA 1 1 0x1 4x HDR - ", "{ SW Ports:1 ",
              "Unicast lids [0-1] of switch ", '"x", Mellanox, 0x1, LID 1', "5 1[ ] ==("]
)  # fmt: skip
def test_long_lines_of_any_kind_end(tmp_path, start, filler):
    """A pattern that backtracks takes minutes for these."""
    line = (start + filler * 4000)[:4095]
    for reader in (open_fabric, read_lfts):
        with pytest.raises(InputError):
            reader(write(tmp_path, "vendid=0x2c9\n" + (line + "\n") * 8))


@pytest.mark.parametrize("digits", ["٣", "１", "9" * 5000])
def test_digits_of_other_scripts_and_too_many(tmp_path, digits):
    up, down = pair(0x100, 1)
    text = switch(0x10, "sw", down.replace("[1]", f"[{digits}]", 1)) + adapter(0x100, "g", up)
    with pytest.raises(InputError):
        open_fabric(write(tmp_path, text))


def swapped(seed, part):
    """The fabric's dump with a part of its adapters' names and GUIDs exchanged: the same nodes, cabled otherwise."""
    text = text_of("ibnetdiscover.txt")
    guids = sorted(set(re.findall(r"2c90300\d{6}", text)), key=lambda guid: (guid[-1] != "0", guid))
    nodes = [guid for guid in guids if guid.endswith("0")]
    chosen = np.random.default_rng(seed).permutation(len(nodes))[: int(part * len(nodes))]
    to = dict(zip(chosen.tolist(), np.roll(chosen, 1).tolist(), strict=True))
    new = {}
    for one, other in to.items():
        for end in ("0", "1"):
            new[nodes[one][:-1] + end] = nodes[other][:-1] + end
    return re.sub(r"2c90300\d{6}", lambda found: new.get(found[0], found[0]), text)


@pytest.mark.parametrize(("part", "refused"), [(0.1, False), (0.3, False), (0.8, True), (1.0, True)])
def test_tables_of_a_fabric_that_was_cabled_otherwise(tmp_path, part, refused):
    given = open_fabric(write(tmp_path, swapped(1, part), "other.ibnetdiscover"))
    tables = open_lfts(str(DATA / "opensm-lfts.dump.gz"))
    if refused:
        with pytest.raises(
            InputError,
            match=r"another fabric: of other they know 12 of 12 switches and 64 of 64 adapters, and lead \d+ of 64",
        ):
            match_lfts(tables, given.topology, given.origin)
    else:
        assert check_fabric(given.topology, match_lfts(tables, given.topology, given.origin)).n_errors


def test_tables_of_one_switch_are_of_this_fabric():
    given = open_fabric(str(DATA / "ibnetdiscover.txt.gz"))
    matched = match_lfts(open_lfts(str(DATA / "ibroute_lid2.txt.gz")), given.topology, given.origin)
    assert len(matched.without_lft) == 11


def test_dumps_of_before_there_were_speeds(tmp_path):
    """2007: Hca instead of Ca, no speeds, a blank before the slash of iblinkinfo."""
    text = re.sub(r" 4xHDR", "", text_of("ibnetdiscover.txt")).replace("caguid", "hcaguid").replace("\nCa\t", "\nHca\t")
    given = open_fabric(write(tmp_path, text))
    plain = open_fabric(str(DATA / "ibnetdiscover.txt.gz"))
    assert given.topology.n_links == plain.topology.n_links
    assert set(given.topology.link_capacity_gbps) == {10.0}
    assert any("no cable has a speed in the dump: all are taken as 4xSDR" in note for note in given.notes)
    spaced = open_fabric(write(tmp_path, text_of("iblinkinfo.txt").replace("Active/", "Active /"), "spaced.txt"))
    assert graph_of(spaced) == graph_of(plain)
