"""NCCL's XML: what a host has, what was chosen on it, and what is refused."""

import json

import pytest
from typer.testing import CliRunner

from collectives import InputError
from fabric.commands.app import app
from tests.shared_data import shared
from traces.nccl_xml import nccl_xml_kind, read_nccl_graph, read_nccl_topology

HOST = """<?xml version="1.0"?>
<system version="1">
  <cpu numaid="0" affinity="ff" arch="x86_64" vendor="GenuineIntel" familyid="6" modelid="143">
    <pci busid="0000:18:00.0" class="0x060400" link_speed="32.0 GT/s PCIe" link_width="16">
      <pci busid="0000:1b:00.0" class="0x030200" link_speed="32.0 GT/s PCIe" link_width="16">
        <gpu dev="0" sm="90" rank="0" gdr="1">
          <nvlink target="0000:05:00.0" count="10" tclass="0x068000"/>
          <nvlink target="0000:06:00.0" count="8" tclass="0x068000"/>
        </gpu>
      </pci>
      <pci busid="0000:1a:00.0" class="0x020700" link_speed="16.0 GT/s PCIe" link_width="16">
        <nic>
          <net name="mlx5_0" dev="0" latency="0" speed="400000" port="1" guid="0x1" maxconn="131072" gdr="1"/>
        </nic>
      </pci>
    </pci>
  </cpu>
  <cpu numaid="1"><nic><net name="eth0" dev="1" speed="10000"/></nic></cpu>
</system>
"""
GRAPHS = """<graphs version="1">
  <graph id="0" pattern="4" crossnic="1" nchannels="2" speedintra="40" speedinter="48.5" typeintra="NVL" typeinter="PIX">
    <channel><net dev="0"/><gpu dev="0"/><gpu dev="1"/><net dev="0x1"/></channel>
    <channel><gpu dev="1"/><gpu dev="0"/></channel>
  </graph>
</graphs>
"""


def write(tmp_path, text):
    path = tmp_path / "nccl.xml"
    path.write_text(text)
    return path


def test_a_host_with_its_nvlinks_and_nics(tmp_path):
    path = write(tmp_path, HOST)
    assert nccl_xml_kind(path) == "system"
    host = read_nccl_topology(path)
    assert host.numa == (0, 1)
    (gpu,) = host.gpus
    assert (gpu.busid, gpu.numa, gpu.device, gpu.nvlinks) == ("0000:1b:00.0", 0, 0, 18)
    assert gpu.pcie_gbps == pytest.approx(32 * 16 * 128 / 130)
    assert [(nic.name, nic.numa, nic.gbps) for nic in host.nics] == [("mlx5_0", 0, 400.0), ("eth0", 1, 10.0)]
    assert host.nics[0].pcie_gbps == pytest.approx(16 * 16 * 128 / 130)


def test_graphs(tmp_path):
    path = write(tmp_path, GRAPHS)
    assert nccl_xml_kind(path) == "graphs"
    (graph,) = read_nccl_graph(path)
    assert (graph.pattern, graph.cross_nic, graph.speed_intra, graph.speed_inter) == ("ring", True, 40.0, 48.5)
    assert (graph.type_intra, graph.type_inter) == ("NVL", "PIX")
    assert [(one.nic_in, one.gpus, one.nic_out) for one in graph.channels] == [(0, (0, 1), 1), (None, (1, 0), None)]


@pytest.mark.parametrize(("name", "numa"), [("azhpc_ndv4-topo.xml", 4), ("azhpc_ndv5-topo.xml", 2)])
def test_hosts_of_azure(name, numa):
    host = read_nccl_topology(shared("traces", "nccl_xml", name))
    assert (len(host.numa), len(host.gpus), len(host.nics)) == (numa, 8, 8)
    assert all(gpu.nvlinks is None for gpu in host.gpus)
    assert all(nic.gbps is None for nic in host.nics)


def test_graphs_of_azure():
    graphs = read_nccl_graph(shared("traces", "nccl_xml", "azhpc_ncv4-graph.xml"))
    assert [(graph.id, graph.pattern, len(graph.channels)) for graph in graphs] == [
        (0, "ring", 2),
        (1, "balanced tree", 4),
        (2, "tree", 4),
    ]
    assert graphs[0].channels[1].gpus == (0, 3, 2, 1)


def test_the_command_answers(tmp_path):
    for text, words in ((HOST, ["mlx5_0", "18", "400"]), (GRAPHS, ["0 ring", "NIC 0 0 1 NIC 1", "48.5"])):
        path = str(write(tmp_path, text))
        found = CliRunner().invoke(app, ["trace", path])
        assert found.exit_code == 0, found.output
        assert all(word in found.output for word in words)
        document = json.loads(CliRunner().invoke(app, ["trace", path, "--json"]).output)
        assert document["schema"] == "railscope.host/1"
    refused = CliRunner().invoke(app, ["trace", path, "--csv", str(tmp_path / "x.csv")])
    assert refused.exit_code == 2


BOMB = '<!DOCTYPE system [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB + HOST.partition("?>")[2], "has a document type"),
        (HOST[:300], "not whole XML"),
        ("<system/>", "no GPU"),
        (GRAPHS, "<graphs>; expected <system>"),
        (HOST.replace('numaid="0"', ""), "<cpu> without numaid"),
        (HOST.replace('speed="400000"', 'speed="fast"'), "net mlx5_0: speed 'fast': expected a whole number"),
        (HOST.replace('count="10"', 'count="-1"'), "nvlink: count '-1': expected a whole number"),
        (HOST.replace('link_width="16"', 'link_width="x"'), "link_width 'x'"),
    ],
)
def test_damaged_hosts_are_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_nccl_topology(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HOST, "<system>; expected <graphs>"),
        (GRAPHS.replace('nchannels="2"', 'nchannels="3"'), "nchannels 3, but 2 <channel>"),
        (GRAPHS.replace('speedintra="40"', 'speedintra="nan"'), "speedintra 'nan'"),
        (GRAPHS.replace('<gpu dev="1"/><gpu dev="0"/></', "</"), "a channel without <gpu>"),
        (GRAPHS.replace('<net dev="0"/>', '<net dev="first"/>'), "dev 'first'"),
    ],
)
def test_damaged_graphs_are_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_nccl_graph(write(tmp_path, text))
