"""InfraGraph, SimAI, GraphML and ibsim's netlist; every reader against damaged files."""

import gzip
import json
import lzma
import math
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import AllToAll, Groups, InputError
from fabric.builders import build, read_preset
from fabric.formats.exporting import exported
from fabric.formats.infiniband.ibsim import ibsim_netlist
from fabric.formats.infiniband.lfts import read_lfts
from fabric.formats.infragraph import annotated, infragraph_documents, infragraph_text, read_infragraph
from fabric.formats.node_link import to_networkx
from fabric.formats.opening import OpenedFabric, open_fabric
from fabric.formats.simai import read_simai
from fabric.formats.slurm.topology_conf import read_slurm_topology
from fabric.jobs.placement import packed
from fabric.routing.link_loads import link_loads
from fabric.topology import ISL, NIC, NVLINK
from tests.random_fabrics import fabrics
from traces.nccl_tests import read_nccl_tests
from traces.paths_csv import read_paths_csv

DATA = Path(__file__).parents[3] / "tests" / "data"


def test_infragraph_of_another_tool():
    fabric, notes = read_infragraph(DATA / "topologies" / "clos2_r16.yaml")
    # 16 hosts of 8 GPUs on 16 leaves of 16 ports, 8 spines: one cable from each leaf to each spine.
    assert (fabric.n_endpoints, fabric.n_nodes, fabric.n_links) == (128, 128 + 16 + 8, 2 * (128 + 128))
    assert set(fabric.link_capacity_gbps) == {400.0}
    assert np.bincount(fabric.nodes.tier).tolist() == [128, 16, 8]
    assert fabric.endpoint_rail.tolist() == list(range(8)) * 16
    assert any("xpu_fabric" in note for note in notes)
    names = dict(zip(fabric.nodes.name, range(fabric.n_nodes), strict=True))
    link = int(np.flatnonzero(fabric.link_tail == names["dgx_h100.3.xpu.5"])[0])
    assert fabric.link_name(link) == "dgx_h100.3.xpu.5 port 1 -> tier_0.3 port 6"


@pytest.mark.parametrize("preset", ["hgx-b200-64"])
def test_infragraph_written_and_read_is_the_same_fabric(tmp_path, preset):
    fabric = build(read_preset(preset))
    loads = link_loads(fabric, AllToAll(Groups.consecutive(64, 64), np.ones(64), np.ones(64)), packed(fabric))
    path = tmp_path / "x.infragraph.json"
    texts = annotated(fabric, loads.bytes, path)
    for name, text in texts.items():
        assert isinstance(text, str)
        Path(name).write_text(text)
    again, _ = read_infragraph(path)
    for column in ("link_tail", "link_head", "link_capacity_gbps", "link_reverse"):
        assert getattr(again, column).tolist() == getattr(fabric, column).tolist()
    assert again.nodes.kind.tolist() == fabric.nodes.kind.tolist()
    assert again.nodes.tier.tolist() == fabric.nodes.tier.tolist()
    # The package itself takes the annotations, and has every load on its edge.
    from infragraph.infragraph_service import InfraGraphService

    service = InfraGraphService()
    service.set_graph(texts[str(path)])
    service.annotate_graph(texts[str(tmp_path / "x.annotations.json")])
    graph = service.get_networkx_graph()
    found = 0.0
    for _, _, attributes in graph.edges(data=True):
        found += float(attributes.get("bytes_from_ep1", 0)) + float(attributes.get("bytes_from_ep2", 0))
    assert found == pytest.approx(loads.bytes.sum())
    assert graph.nodes["h0003g5.0.xpu.0"]["rail"] == "5"


@settings(deadline=None, max_examples=15)
@given(fabrics())
def test_infragraph_round_trip_of_random_fabrics(tmp_path_factory, fabric):
    capacity = np.minimum(fabric.link_capacity_gbps, fabric.link_capacity_gbps[fabric.link_reverse])
    path = tmp_path_factory.mktemp("ig") / "x.infragraph.json"
    path.write_text(infragraph_text(infragraph_documents(fabric)[0]))
    again, _ = read_infragraph(path)
    assert again.link_tail.tolist() == fabric.link_tail.tolist()
    assert again.link_head.tolist() == fabric.link_head.tolist()
    assert again.link_capacity_gbps.tolist() == capacity.tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("devices:\n- name: x\n", "no InfraGraph infrastructure of schema version 3"),
        ("infrastructure:\n  name: old\n", "no InfraGraph infrastructure of schema version 3"),
        ("edges: [1, 2]\n", "no InfraGraph infrastructure of schema version 3"),
    ],
)
def test_infragraph_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        open_fabric(str(path))
    assert message in str(refused.value)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


def test_a_cable_without_bandwidth_is_refused(tmp_path):
    document, _ = infragraph_documents(build(read_preset("hgx-b200-64")))
    del document["links"][0]["physical"]
    path = tmp_path / "x.infragraph.json"
    path.write_text(infragraph_text(document))
    with pytest.raises(InputError, match=r"link 'link_400_gbps' between .* has no bandwidth"):
        read_infragraph(path)


def test_an_infragraph_port_of_ten_digits_is_refused_by_name(tmp_path):
    document = infragraph_text(infragraph_documents(build(read_preset("hgx-b200-64")))[0])
    path = tmp_path / "ports.infragraph.json"
    path.write_text(document.replace("port[11]", "port[9999999992]"))
    with pytest.raises(InputError, match=r"ports\.infragraph\.json: .*9999999992.*expected"):
        read_infragraph(path)


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_damaged_infragraph_is_read_or_refused(tmp_path_factory, data):
    document = infragraph_text(infragraph_documents(build(read_preset("hgx-b200-64")))[0])
    lines = document.split("\n")
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(lines) - 1))
        lines[place] = data.draw(
            st.sampled_from(
                [
                    "",
                    lines[place] * 2,
                    lines[place].replace("1", "999999999"),
                    lines[place].replace('"', ""),
                    lines[place].replace("nic", "port"),
                    lines[place].replace("[0]", "[7]"),
                    "{}",
                    "&a [*a]",
                ]
            )
        )
    path = tmp_path_factory.getbasetemp() / "damaged.infragraph.json"
    path.write_text("\n".join(lines))
    try:
        read_infragraph(path)
    except InputError as error:
        refusal = str(error)
    else:
        return
    assert refusal.startswith(str(path))
    assert "\n" not in refusal


def test_simai():
    fabric = read_simai(DATA / "topologies" / "Spectrum-X_64g_8gps_400Gbps_H100")
    assert (fabric.n_endpoints, fabric.n_nodes, fabric.n_links) == (64, 144, 2 * 640)
    counts = {kind: int(np.count_nonzero(fabric.link_kind == kind)) for kind in (NIC, NVLINK, ISL)}
    assert counts == {NIC: 128, NVLINK: 128, ISL: 1024}
    assert set(fabric.link_capacity_gbps[fabric.link_kind == NVLINK]) == {2880.0}
    assert fabric.endpoint_domain.tolist() == [gpu // 8 for gpu in range(64)]
    assert fabric.nodes.name[64] == "nvswitch64"
    assert fabric.nodes.name[72] == "switch72"


SIMAI = "5 2 1 1 4 H100\n3 4\n0 3 900Gbps 0.1ms 0\n1 3 900Gbps 0.1ms 0\n0 4 0.4Tbps 1ms 0\n1 4 400Gbps 1ms 0\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SIMAI.replace("5 2 1 1 4 H100", "5 2 1 1 4"), ":1: expected 'nodes gpus_per_server"),
        (SIMAI.replace("3 4\n", "3\n", 1), ":2: 1 numbers of switches; expected 3 to 4"),
        (SIMAI.replace("0 4 0.4Tbps", "0 9 0.4Tbps"), ":5: node 9; expected 0 to 4"),
        (SIMAI.replace("0.4Tbps", "fast"), ":5: '0 4 fast 1ms 0'; expected 'src dst bandwidth"),
        (SIMAI.replace("0.4Tbps", "0.4.1Tbps"), ":5: bandwidth '0.4.1'"),
        (SIMAI.rsplit("\n", 2)[0] + "\n", "3 cables, the head says 4; is the file whole?"),
        (SIMAI.replace("0 4 0.4Tbps", "0 4 0Tbps"), "expected capacity_gbps > 0"),
        (SIMAI.replace("5 2 1 1 4 H100", "5 0 1 1 4 H100"), ":1: 3 GPUs of 5 nodes, 0 a server"),
    ],
)
def test_simai_is_refused(tmp_path, text, message):
    path = tmp_path / "x"
    path.write_text(SIMAI)
    assert read_simai(path).n_links == 8
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        read_simai(path)
    assert message in str(refused.value)
    assert str(refused.value).startswith(str(path))


def test_graphml_is_what_networkx_reads(tmp_path):
    given = OpenedFabric("x", build(read_preset("hgx-b200-64")))
    made = exported(given, tmp_path / "x.graphml")
    ((name, data),) = made.files.items()
    assert isinstance(data, bytes)
    Path(name).write_bytes(data)
    graph, plain = nx.read_graphml(name), to_networkx(given.topology)
    assert made.notes == ()
    assert dict(graph.nodes(data=True)) == dict(plain.nodes(data=True))
    assert sorted((a, b, d["capacity_gbps"]) for a, b, d in graph.edges(data=True)) == sorted(
        (a, b, d["capacity_gbps"]) for a, b, d in plain.edges(data=True)
    )
    with pytest.raises(
        InputError, match=r"ends in .json \(node-link JSON\), .infragraph.json .* or .net \(.*, and perhaps .gz or .xz$"
    ):
        exported(given, tmp_path / "x.doc")


def test_a_netlist_reads_back_as_the_same_fabric(tmp_path):
    fabric = build(read_preset("hgx-b200-64"))
    path = tmp_path / "x.net"
    path.write_text(ibsim_netlist(fabric).text)
    again = open_fabric(str(path)).topology
    scale_out = fabric.link_kind != NVLINK
    names = {(fabric.link_name(int(link)), fabric.link_capacity_gbps[link]) for link in np.flatnonzero(scale_out)}
    assert {(again.link_name(link), again.link_capacity_gbps[link]) for link in range(again.n_links)} == names
    # GUIDs of a dump are kept: writing it again gives the same netlist.
    first = open_fabric(str(path))
    assert first.origin is not None
    guids = set(first.origin.node_of_guid)
    path.write_text(ibsim_netlist(first.topology, first.origin).text)
    second = open_fabric(str(path)).origin
    assert second is not None
    assert set(second.node_of_guid) == guids


def test_speeds_that_ibsim_does_not_know_are_said():
    fabric = build(read_preset("hgx-b200-64"))
    assert ibsim_netlist(fabric).notes == ()
    assert "8xHDR" in ibsim_netlist(fabric).text
    from dataclasses import replace

    fast = replace(fabric, link_capacity_gbps=fabric.link_capacity_gbps * 2)
    assert ibsim_netlist(fast).notes == ("800 Gb/s is written as 12xHDR (600 Gb/s), the nearest that ibsim knows",)


def sample(name):
    data = (DATA / name).read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


SAMPLES: dict[str, Callable[[str], object]] = {
    **{
        f"infiniband/{form}.gz": open_fabric
        for form in (
            "ibnetdiscover.txt",
            "ibnetdiscover-p.txt",
            "iblinkinfo.txt",
            "iblinkinfo-l.txt",
            "opensm-subnet.lst",
            "ibsim.net",
        )
    },
    "infiniband/opensm-lfts.dump.gz": read_lfts,
    "infiniband/dump_fts.txt.gz": read_lfts,
    "infiniband/opensm.fdbs.gz": read_lfts,
    "topologies/Spectrum-X_64g_8gps_400Gbps_H100": open_fabric,
}


@pytest.mark.parametrize("name", SAMPLES)
def test_damaged_dumps_are_read_or_refused_in_one_line(name, tmp_path_factory):
    """Bytes changed, lines dropped, doubled or swapped, the file cut, other text put in: never a traceback."""
    whole = sample(name)[:30_000]
    folder = tmp_path_factory.mktemp("fuzz")

    @settings(deadline=None, max_examples=60)
    @given(st.data())
    def check(data):
        lines = whole.split(b"\n")
        for _ in range(data.draw(st.integers(0, 3))):
            place = data.draw(st.integers(0, len(lines) - 1))
            match data.draw(st.sampled_from(["drop", "double", "swap", "replace", "insert", "number"])):
                case "drop":
                    del lines[place]
                    lines = lines or [b""]
                case "double":
                    lines.insert(place, lines[place])
                case "swap":
                    other = data.draw(st.integers(0, len(lines) - 1))
                    lines[place], lines[other] = lines[other], lines[place]
                case "replace":
                    lines[place] = data.draw(st.binary(max_size=60))
                case "insert":
                    at = data.draw(st.integers(0, len(lines[place])))
                    lines[place] = lines[place][:at] + data.draw(st.binary(max_size=8)) + lines[place][at:]
                case "number":
                    digits = str(data.draw(st.integers(0, 10**12))).encode()
                    lines[place] = lines[place].replace(b"1", digits, 1)
        text = b"\n".join(lines)
        text = text[: data.draw(st.integers(0, len(text)))] if data.draw(st.booleans()) else text
        if data.draw(st.integers(0, 4)) == 0:
            packed = data.draw(st.sampled_from([lambda whole: gzip.compress(whole, mtime=0), lzma.compress]))(text)
            text = packed[: data.draw(st.integers(1, 5000))]
        path = folder / "dump"
        path.write_bytes(text)
        try:
            SAMPLES[name](str(path))
        except InputError as error:
            refusal = str(error)
        else:
            return
        assert refusal.startswith(str(path))
        assert "\n" not in refusal

    check()


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from([open_fabric, read_lfts, read_slurm_topology, read_simai, read_paths_csv, read_nccl_tests]),
    st.binary(max_size=300),
)
def test_any_bytes_are_read_or_refused(tmp_path_factory, read, data):
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(data)
    try:
        read(str(path))
    except InputError as error:
        refusal = str(error)
    else:
        return
    assert refusal.startswith(str(path))


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_a_bomb_is_refused(tmp_path, monkeypatch, pack):
    monkeypatch.setattr("traces.files.MAX_BYTES", 1 << 20)
    path = tmp_path / "bomb.lfts"
    path.write_bytes(pack(bytes(1 << 24)))
    with pytest.raises(InputError, match="more than 1 MiB; expected a smaller file"):
        read_lfts(path)


def test_json_of_neither_kind_is_refused(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"hello": math.pi}))
    with pytest.raises(InputError, match="expected a node-link document"):
        open_fabric(str(path))
