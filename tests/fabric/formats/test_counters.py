"""Counters of ports: every form says the same, and what is damaged is refused in one line."""

import gzip
import io
import re
import tarfile
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives.errors import InputError
from fabric.builders.nvlink import with_nvlink
from fabric.formats.counters.files import read_counter_deltas, read_counters
from fabric.formats.counters.matching import match_ports
from fabric.formats.counters.names import USUAL, vocabulary
from fabric.formats.counters.registry import (
    CounterFormat,
    counter_format_of,
    counter_formats,
    counter_titles,
    register_counter_format,
)
from fabric.formats.counters.snapshot import MISSING, RCV, WAIT, XMIT
from fabric.formats.node_link import write_node_link
from fabric.formats.opening import open_fabric
from fabric.studies.measured import measure
from tests.fabric import counter_twins as twins
from tests.fabric.counter_twins import IB
from tests.shared_data import shared


@pytest.fixture(scope="module")
def fabric():
    return open_fabric(str(IB / "naive64-updn.ibnetdiscover.gz"))


@pytest.fixture(scope="module")
def carried(fabric):
    return np.random.default_rng(3).integers(1, 10**9, fabric.topology.n_links)


OWN = vocabulary(("xmit=site_fabric_xmit*4", "rcv=site_fabric_rcv*4"), ("port_guid=g,port=plug",))
FORMS: dict[str, tuple[Callable[..., str], str]] = {
    "perfquery": (twins.perfquery, "LID"),
    "ibdiagnet-db-csv": (twins.db_csv, "GUID"),
    "ibdiagnet-pm": (twins.pm, "GUID"),
    "ibqueryerrors": (twins.ibqueryerrors, "GUID"),
    "prometheus-text": (twins.treydock, "GUID"),
    "prometheus-text, words": (twins.guilbaults, "GUID"),
    "prometheus-text, of one's own": (twins.own_metric, "GUID"),
    "prometheus-json": (twins.vector, "GUID"),
    "ufm-csv": (twins.ufm_csv, "GUID"),
    "ufm-json": (twins.ufm_json, "GUID"),
    "otlp": (twins.otlp, "name"),
    "sonic": (twins.sonic, ""),
}
TIMED = ("prometheus-json", "ufm-csv", "ufm-json", "otlp")


@pytest.mark.parametrize("form", [form for form in FORMS if form != "sonic"])
def test_every_form_gives_the_bytes_that_were_carried(tmp_path, fabric, carried, form):
    write, how = FORMS[form]
    words = OWN if "one's own" in form else USUAL
    for name, amount, time_s in (("before", None, twins.TIME_S), ("after", carried, twins.TIME_S + 90)):
        ports = twins.ports_of(fabric, amount)
        text = write(ports, time_s) if form in TIMED else write(ports)
        told = counter_format_of(text)
        assert told is not None
        assert told.name == form.partition(",")[0]
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
    measured = measure(fabric, read_counters(tmp_path / "after", words), read_counters(tmp_path / "before", words))
    assert measured.ports.by == {how: fabric.topology.n_links}
    assert measured.sent.tolist() == measured.received.tolist() == (4.0 * carried).tolist()
    assert measured.agreeing_cables == (fabric.topology.n_links // 2,) * 2
    assert measured.interval_s == (90 if form in TIMED else None)
    assert not measured.resets
    assert not measured.wraps


def test_every_format_has_a_twin():
    assert {form.partition(",")[0] for form in FORMS} == {one.name for one in counter_formats()}


@pytest.mark.parametrize(
    ("name", "host_of"),
    [
        ("ibnetdiscover.txt.gz", lambda port: tuple(port.name.split(" "))),
        ("naive64-updn.ibnetdiscover.gz", lambda port: (port.name[:5], f"mlx5_{port.name[-1]}")),
    ],
)
def test_hosts_say_their_devices(tmp_path, name, host_of):
    """By description (host device), or by the device's number where rails are numbered so."""
    given = open_fabric(str(IB / name))
    carried = np.arange(1, given.topology.n_links + 1)
    for file, amount in (("a", None), ("b", carried)):
        (tmp_path / file).write_text(twins.node_exporter(twins.ports_of(given, amount), host_of))
    measured = measure(given, read_counters(tmp_path / "b"), read_counters(tmp_path / "a"))
    assert measured.ports.by == {"name": given.topology.n_endpoints}
    # Both directions of a host's cable are known by its own port.
    assert measured.known.sum() == 2 * given.topology.n_endpoints
    assert (measured.bytes[measured.known] == 4.0 * carried[measured.known]).all()


def test_a_file_a_switch_is_of_the_switch_that_it_is_named_like(tmp_path, fabric, carried):
    """SONiC's database of counters, and scrapes that name no host."""
    sonic: dict[str, list[twins.Port]] = {}
    for port in twins.ports_of(fabric, carried):
        if port.switch:
            sonic.setdefault(port.name, []).append(port)
    for name, ports in sonic.items():
        (tmp_path / f"{name}.json.gz").write_bytes(gzip.compress(twins.sonic(ports).encode()))
    found = match_ports(read_counters(tmp_path), fabric)
    assert found.by == {"name": sum(map(len, sonic.values()))}
    nodes = [fabric.topology.nodes.name[node] for node in fabric.topology.link_tail[found.link]]
    assert nodes == list(read_counters(tmp_path).node)


def test_files_in_folders_and_archives_are_one_snapshot(tmp_path, fabric, carried):
    ports = twins.ports_of(fabric, carried)
    whole = tmp_path / "whole.txt"
    whole.write_text(twins.perfquery(ports))
    folder = tmp_path / "folder" / "deep"
    folder.mkdir(parents=True)
    archive = tmp_path / "all.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for number, port in enumerate(ports):
            text = "" if number == 7 else twins.perfquery([port])
            (folder / f"{number}.out").write_text(text)
            info = tarfile.TarInfo(f"dump/{number}.out")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    one = read_counters(whole)
    for path in (tmp_path / "folder", archive):
        several = read_counters(path)
        assert several.n_ports == one.n_ports - 1
        assert sorted(several.count(XMIT).tolist()) == sorted(np.delete(one.count(XMIT), 7).tolist())
        assert any("7.out is empty" in note for note in several.notes)
    # A file that is named by a GUID is of that node, and of switches and hosts together.
    named = tmp_path / f"0x{ports[0].port_guid:016x}.out"
    named.write_text(twins.perfquery(ports[:1]))
    assert read_counters([named, tmp_path / "folder"]).guid[0] == ports[0].port_guid


def test_of_a_folder_of_ibdiagnet_the_counters_are_read(tmp_path, fabric, carried):
    """It writes a dozen files, of which two hold the same counters; a file that is named must hold some."""
    for name, amount in (("a", None), ("b", carried)):
        folder = tmp_path / name
        folder.mkdir()
        ports = twins.ports_of(fabric, amount)
        for ending, text in (("db_csv", twins.db_csv(ports)), ("pm", twins.pm(ports)), ("log", "-I- done\n")):
            (folder / f"ibdiagnet2.{ending}").write_text(text)
    before, after = (read_counters(tmp_path / name) for name in "ab")
    measured = measure(fabric, after, before)
    assert measured.sent.tolist() == (4.0 * carried).tolist()
    log = tmp_path / "b" / "ibdiagnet2.log"
    assert f"1 file without counters is passed over, such as {log}" in measured.notes
    assert not any("no cable in the fabric" in note for note in measured.notes)
    with pytest.raises(InputError, match=r"ibdiagnet2\.log: unknown kind of file; expected counters of ports"):
        read_counters([log, tmp_path / "b"])
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "x.log").write_text("-I- done")
    with pytest.raises(InputError, match="none: holds none; expected counters of ports"):
        read_counters(tmp_path / "none")


@pytest.mark.parametrize("change", [
    lambda text: text.replace("\n", "\r\n"),
    lambda text: "\ufeff" + text,
    lambda text: text.replace(",", ";"),
    lambda text: text.replace(",", "\t"),
    lambda text: text.upper().replace("0X", "0x"),
])  # fmt: skip
def test_a_spreadsheet_in_between_changes_nothing(tmp_path, fabric, carried, change):
    for name, amount, time_s in (("a", None, twins.TIME_S), ("b", carried, twins.TIME_S + 9)):
        (tmp_path / name).write_bytes(change(twins.ufm_csv(twins.ports_of(fabric, amount), time_s)).encode())
    measured = measure(fabric, read_counters(tmp_path / "b"), read_counters(tmp_path / "a"))
    assert (measured.sent.tolist(), measured.interval_s) == ((4.0 * carried).tolist(), 9)


def test_floats_with_exponents_and_what_is_no_number(tmp_path, fabric, carried):
    """As Prometheus prints large counters; a scrape of half the ports is known in half."""
    for name, amount in (("a", None), ("b", carried)):
        lines = twins.treydock(twins.ports_of(fabric, amount)).splitlines()
        lines = [re.sub(r" (\d+)$", lambda found: f" {float(found[1]):.17e}", line) for line in lines]
        at = '{guid="0x1",port="9"}'
        lines += [f"infiniband_switch_port_transmit_data_bytes_total{at} {text}" for text in ("NaN", "+Inf")]
        (tmp_path / name).write_text("\n".join([*lines, "up 1", "# EOF"]))
        (tmp_path / f"half-{name}").write_text("\n".join(lines[: len(lines) // 4]))
    measured = measure(fabric, read_counters(tmp_path / "b"), read_counters(tmp_path / "a"))
    assert measured.sent.tolist() == (4.0 * carried).tolist()
    part = measure(fabric, read_counters(tmp_path / "half-b"), read_counters(tmp_path / "half-a"))
    known = ~np.isnan(part.sent)
    assert 0 < known.sum() < fabric.topology.n_links
    assert part.sent[known].tolist() == (4.0 * carried)[known].tolist()
    (tmp_path / "c").write_text(
        'a_total{guid="0x1",port="1"} 1\ninfiniband_portxmitdata_total{local_guid="0x1",local_port="1"} -5\n'
    )
    with pytest.raises(InputError, match=r"c:2: infiniband_portxmitdata_total '-5': expected a count"):
        read_counters(tmp_path / "c")


def test_a_range_query_holds_both_ends(tmp_path, fabric, carried):
    half = twins.ports_of(fabric, carried // 2)
    ports = [twins.ports_of(fabric, None), half, twins.ports_of(fabric, carried)]
    half[5].xmit = 0  # went back, and came up again: what it counted in all is not known
    (tmp_path / "range.json").write_text(twins.matrix(ports))
    first, last = read_counter_deltas(tmp_path / "range.json")
    measured = measure(fabric, last, first)
    assert measured.interval_s == 60.0
    gone = np.flatnonzero(np.isnan(measured.sent))
    assert gone.size == 1
    assert np.delete(measured.sent, gone).tolist() == np.delete(4.0 * carried, gone).tolist()


def test_guids_and_lids_stay_in_node_link_json(tmp_path, fabric, carried):
    """So that a fabric that was exported can be joined with counters of ports."""
    write_node_link(with_nvlink(fabric.topology, 3600.0), tmp_path / "fabric.json")
    exported = open_fabric(str(tmp_path / "fabric.json"))
    nodes = exported.topology.nodes
    assert (nodes.guid[:80] > 0).all()
    assert not nodes.guid[80:].any()
    for write, how in ((twins.ufm_csv, "GUID"), (twins.perfquery, "LID")):
        (tmp_path / "after").write_text(write(twins.ports_of(fabric, carried)))
        found = match_ports(read_counters(tmp_path / "after"), exported)
        assert found.by == {how: fabric.topology.n_links}
    (tmp_path / "odd.json").write_text((tmp_path / "fabric.json").read_text().replace('"guid": "0x', '"guid": "x'))
    assert not open_fabric(str(tmp_path / "odd.json")).topology.nodes.guid.any()


def test_pm_delta_alone_suffices(tmp_path, fabric, carried):
    ports = twins.ports_of(fabric, carried)
    for port, before in zip(ports, twins.ports_of(fabric, None), strict=True):
        port.xmit, port.rcv = port.xmit - before.xmit, port.rcv - before.rcv
    (tmp_path / "ibdiagnet2.db_csv").write_text(twins.db_csv(ports, "PM_DELTA"))
    first, last = read_counter_deltas(tmp_path / "ibdiagnet2.db_csv")
    assert first is None
    assert measure(fabric, last, first).sent.tolist() == (4.0 * carried).tolist()
    with pytest.raises(InputError, match="what counters grew by"):
        read_counters(tmp_path / "ibdiagnet2.db_csv")
    (tmp_path / "one.csv").write_text(twins.db_csv(ports))
    with pytest.raises(InputError, match="one snapshot; expected two"):
        read_counter_deltas(tmp_path / "one.csv")


def test_another_fabric_is_refused(tmp_path, fabric, carried):
    ports = twins.ports_of(fabric, carried)
    for port in ports[: len(ports) * 3 // 4]:
        port.node_guid, port.port_guid, port.name = port.node_guid | 1 << 60, port.port_guid | 1 << 60, "other"
    (tmp_path / "x.csv").write_text(twins.ufm_csv(ports))
    with pytest.raises(InputError, match=r"64 of 256 ports with data have a cable in naive64-updn \(25%\)"):
        match_ports(read_counters(tmp_path / "x.csv"), fabric)


def test_lids_of_a_small_fabric_in_a_large_one_are_not_enough(tmp_path, fabric, carried):
    (tmp_path / "x").write_text(twins.perfquery(twins.ports_of(fabric, carried)))
    other = open_fabric(str(IB / "hurt512-updn.ibnetdiscover.gz"))
    with pytest.raises(InputError, match=r"168 of 256 ports with data have a cable in hurt512-updn \(66%\)"):
        match_ports(read_counters(tmp_path / "x"), other)


def test_ports_without_a_cable_are_said(tmp_path, fabric, carried):
    ports = twins.ports_of(fabric, carried)
    ports[0].port_guid = ports[0].node_guid = 0xABC
    idle = twins.Port(0xDEF, 0xDEF, 0, "idle", 3, True, 0, 0)
    (tmp_path / "x.csv").write_text(twins.ufm_csv([*ports, idle]))
    found = match_ports(read_counters(tmp_path / "x.csv"), fabric)
    assert (found.matched, found.unmatched) == (255, 1)
    assert found.examples == ("GUID 0x0000000000000abc port 1",)


def test_saturated_counters_are_not_known(tmp_path):
    head = "# Port {}counters: Lid 2 port 9 (CapMask: 0x1300)\n"
    rows = "SymbolErrorCounter:..............65535\nPortXmitData:....................{}\nPortRcvData:....................7\n"
    (tmp_path / "old").write_text(head.format("") + rows.format(4294967295) + "PortXmitWait:....4294967295\n")
    old = read_counters(tmp_path / "old")
    assert [int(old.count(name)[0]) for name in (XMIT, RCV, WAIT, "symbol_errors")] == [MISSING, 28, MISSING, MISSING]
    assert "3 counters at the end of the range (saturated): not known" in old.notes
    (tmp_path / "new").write_text(head.format("extended ") + rows.format(4294967296))
    new = read_counters(tmp_path / "new")
    assert (new.count(XMIT)[0], new.count("symbol_errors")[0]) == (4 * 4294967296, 65535)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty; expected counters of ports: perfquery"),
        ("hello\n", "unknown kind of file; expected counters of ports: perfquery"),
        ("# Port extended counters: Lid 2 port 9 (x)\nPortXmitData:......12x\n", r"x:2: PortXmitData '12x': expected a count"),
        ("# Port extended counters: Lid 2 port 9 (x)\nPortSelect:......9\n", "no counter of data"),
        ("START_PM_INFO\nNodeGUID,PortNumber,PortXmitData\n0x1,1,5\n", "section PM_INFO of line 1 has no end"),
        ("START_PM_INFO\nNodeGUID,PortNumber,PortXmitData\n0x1,1\nEND_PM_INFO\n", r"x:3: 2 cells in section PM_INFO; expected 3"),
        ("START_PM_INFO\nNodeGUID,PortNumber,PortXmitData\n0x1,one,5\nEND_PM_INFO\n", "PortNumber 'one'"),
        ("Port=1 Lid=0x00b4 GUID=0x1\nPort=2\n", r"x:2: 'Port=2'; expected Port=N Lid="),
        ('Data Counters for 0x1 "a"\n  GUID 0x1 port\n', r"x:2: 'GUID 0x1 port'; expected GUID"),
        ('a{guid="0x1",port="1"} 5\ninfiniband_portxmitdata_total{guid="0x1} 5\n', r"""x:2: .*expected metric\{label="value"\} number"""),
        ('infiniband_portxmitdata_total{local_guid="0x1",local_port="1"} five\n', "expected a count"),
        ('a{guid="0x1",port="1"} 5\n', "no counter of data"),
        ('{"status":"error","error":"parse error"}', "Prometheus refused: 'parse error'"),
        ('{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"2"]}]}}', "without the metric's name"),
        ('{"data":{"resultType":"vector","result":[{"metric":{"__name__":"infiniband_portxmitdata_total"},"value":3}]}}', "value 3"),
        ('{"status":"success","data":{"resultType":"vector","result":[', "not JSON"),
        ('{"values":[{"node_guid":"0x1","port_num":1,"Infiniband_MBOut_u_Gb":"much"}]}', "values 1: Infiniband_MBOut_u_Gb 'much'"),
        ('{"COUNTERS_PORT_NAME_MAP":{"value":{"Ethernet0":"oid:0x1"}}}', "COUNTERS:oid:0x1 None; expected an object"),
        ('{"values":[7]}', "values 1: 7; expected a port"),
        ('{"values":{"node_guid":"0x1","port_num":1}}', "no counter of data"),
        ("START_NODES\nNodeDesc,NodeGUID\nSTART_PM_INFO\nA\n", "x: section NODES of line 1 has no end .END_NODES.; is the file whole"),
        ("START_PM_INFO\nNodeGUID,PortNumber\n0x1\n", "x:3: 1 cell in section PM_INFO; expected 2; is the file whole"),
        ("timestamp,Node_GUID,Port_Number,PortXmitDataExtended\n1,0x1,1\n", "x:2: 3 cells; expected 4"),
        ('{"name":"nvswitch_interface_if_in_octets","gauge":{"dataPoints":[5]}}', "5; expected a data point"),
        ('{"name":"nvswitch_interface_if_in_octets","gauge":{"dataPoints":[{"attributes":[1]}]}}', "expected a key and a value"),
    ],
)  # fmt: skip
def test_what_is_damaged_is_refused_in_one_line(tmp_path, text, reason):
    (tmp_path / "x").write_text(text)
    with pytest.raises(InputError, match=reason) as refused:
        read_counters(tmp_path / "x")
    assert "\n" not in str(refused.value)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([form for form in FORMS if form not in ("sonic", "prometheus-text, of one's own")]),
    st.floats(0.2, 0.999),
)
def test_a_text_that_is_cut_anywhere_gives_no_other_count(fabric, carried, tmp_path_factory, form, part):
    """Half a number is none: of the ports that are left all counts are those of the whole text, or not known."""
    path = tmp_path_factory.getbasetemp() / f"cut-{form}"
    text = FORMS[form][0](twins.ports_of(fabric, carried)[:6])
    path.write_text(text)

    def key(made, row):
        return made.guid[row], made.port_guid[row], made.lid[row], made.node[row], made.port[row]

    whole = read_counters(path)
    counts = {key(whole, row): {name: own[row] for name, own in whole.counts.items()} for row in range(whole.n_ports)}
    path.write_text(text[: int(part * len(text))])
    try:
        cut = read_counters(path)
    except InputError:
        return
    for row in range(cut.n_ports):
        for name, own in cut.counts.items():
            assert own[row] in (MISSING, counts[key(cut, row)][name])


def test_an_archive_that_is_cut_is_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        info = tarfile.TarInfo("x.out")
        info.size = 3000
        tar.addfile(info, io.BytesIO(b"x" * 3000))
    (tmp_path / "a.tar").write_bytes((tmp_path / "a.tar").read_bytes()[:1500])
    with pytest.raises(InputError, match="not a whole tar archive"):
        read_counters(tmp_path / "a.tar")
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="a folder without files"):
        read_counters(tmp_path / "none")


@pytest.mark.parametrize("text", ["out=", "speed=x", "xmit=y*many", "*4"])
def test_metrics_of_ones_own_are_checked(text):
    with pytest.raises(InputError, match="metric "):
        vocabulary((text,))


def test_labels_of_ones_own_are_checked():
    with pytest.raises(InputError, match="label 'wher=x': expected guid, port_guid"):
        vocabulary((), ("guid=g,wher=x",))


def test_a_format_of_ones_own():
    with pytest.raises(InputError, match="registered already"):
        register_counter_format(CounterFormat("perfquery", "x", "x", "x:y"))
    assert counter_titles().startswith("perfquery, ibqueryerrors, ibdiagnet's db_csv")


def test_perfquery_of_others():
    """treydock's samples: a file a node, one of them empty, one with two ports."""
    found = read_counters(shared("traces", "link_counters", "perfquery_x"))
    assert found.n_ports == 5
    assert found.count(XMIT)[0] == 4 * 178791657177235
    assert (found.guid[0], found.lid[0], found.count("xmit_discards")[0]) == (0x506B4B03005C2740, 2052, 20046)
    assert found.port.tolist() == [1, 1, 1, 1, 2]
    assert any("0x506b4b0300cc02a6.out is empty" in note for note in found.notes)


def test_perfquery_of_ours():
    """The same port with and without -x, as infiniband-diags prints it."""
    for name in ("perfquery-x_lid2_port9", "perfquery_lid2_port9"):
        found = read_counters(shared("infiniband", "formats_64_rail", f"{name}.txt.gz"))
        assert (found.lid[0], found.port[0]) == (2, 9)
        assert (found.count(XMIT)[0], found.count(RCV)[0]) == (4 * 705600, 4 * 716184)


def test_node_exporter_of_others():
    """port_xmit_data counts words, 3,733,440 of them; the exporter gives bytes.  transmit_wait is saturated."""
    found = read_counters(shared("traces", "link_counters", "node_exporter_infiniband.prom"))
    assert found.count(XMIT).tolist() == [3_733_440 * 4, 0]
    assert found.count(WAIT).tolist() == [MISSING, MISSING]
    assert found.node == ("node_exporter_infiniband mlx4_0",) * 2


def test_ufm_of_others():
    """`Infiniband_MBOut_u_Gb` is bytes: the two ends of a cable agree."""
    found = read_counters(shared("traces", "link_counters", "ufm_small_telemetry.json"))
    assert found.n_ports == 6
    assert found.count(XMIT)[:2].tolist() == found.count(RCV)[:2][::-1].tolist() == [4086720, 4087008]
    assert found.time_s[0] == pytest.approx(1709652347.161873)


def test_otlp_of_others():
    found = read_counters(shared("traces", "link_counters", "nvswitch_otlp.json"))
    assert (found.count(RCV)[0], found.port[0]) == (3758, MISSING)
