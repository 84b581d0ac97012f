"""NCCL's view of a host (``NCCL_TOPO_DUMP_FILE``) and the rings and trees that it chose (``NCCL_GRAPH_DUMP_FILE``).

Format: NVIDIA/nccl ``src/graph/xml.cc`` and ``src/graph/search.cc``.  Speeds of NICs are in Mbit/s there, those of
graphs in GB/s.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from collectives.errors import InputError
from collectives.gate import printable, quoted, real, whole
from traces.files import read_head, read_text
from traces.nccl_chosen import ChosenChannel, ChosenGraph
from traces.xml_text import attribute, parse_xml, whole_attribute

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_SHAPE = re.compile(r"\A\s*(?:<\?xml[^>]*\?>\s*)?(?><!--(?s:.*?)-->\s*)*+<(system|graphs)\b")
# PCI classes: display, and network or InfiniBand controllers.
_GPU_CLASS, _NIC_CLASS = "0x03", ("0x0200", "0x0207", "0x0280")
# src/include/graph.h: NCCL_TOPO_PATTERN_*.
_PATTERNS = {1: "balanced tree", 2: "split tree", 3: "tree", 4: "ring", 5: "NVLS", 6: "CollNet direct"}
# PCIe base specification: bits that carry data, of those on a lane, by GT/s.
_ENCODING = {2.5: 0.8, 5.0: 0.8, 8.0: 128 / 130, 16.0: 128 / 130, 32.0: 128 / 130, 64.0: 242 / 256}
_GTS = re.compile(r"\s*([0-9.]{1,8})\s*GT/s", re.ASCII)


@dataclass(frozen=True)
class HostGpu:
    """A GPU of a host.

    Attributes
    ----------
    busid : str
    numa : int
        Of the processor that it hangs on.
    device : int or None
        CUDA's number; None where the file does not say.
    nvlinks : int or None
        NVLinks of the GPU, to whatever; None in a file that says nothing of any GPU's devices.
    pcie_gbps : float or None
        Of its PCIe link, Gbit/s of data.
    """

    busid: str
    numa: int
    device: int | None
    nvlinks: int | None
    pcie_gbps: float | None


@dataclass(frozen=True)
class HostNic:
    """A port of a NIC.

    Attributes
    ----------
    busid : str
        Empty of one that is on no PCI device.
    numa : int
    name : str
        Such as ``mlx5_0``; empty where the file does not say.
    gbps : float or None
        Of the port; None where the file does not say.
    pcie_gbps : float or None
    """

    busid: str
    numa: int
    name: str
    gbps: float | None
    pcie_gbps: float | None


@dataclass(frozen=True)
class HostTopology:
    """What a host has, as NCCL sees it.

    Attributes
    ----------
    file : str
    numa : tuple of int
        Numbers of the NUMA nodes.
    gpus : tuple of HostGpu
    nics : tuple of HostNic
    """

    file: str
    numa: tuple[int, ...]
    gpus: tuple[HostGpu, ...]
    nics: tuple[HostNic, ...]


def nccl_xml_kind(path: str | Path) -> str | None:
    """``system`` of a host's topology, ``graphs`` of chosen graphs, None of anything else.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    found = _SHAPE.match(read_head(path))
    return found[1] if found else None


def read_nccl_topology(path: str | Path) -> HostTopology:
    """What a host has.

    Parameters
    ----------
    path : path
        Plain, gzip or xz.

    Raises
    ------
    InputError
        If it is no such file, a number is none, or there is no GPU.
    """
    root = parse_xml(read_text(path), path)
    if root.tag != "system":
        raise InputError(f"{path}: <{quoted(root.tag)[1:-1]}>; expected <system>, the topology of a host")
    numa: list[int] = []
    gpus: list[HostGpu] = []
    nics: list[HostNic] = []
    detailed = root.find(".//gpu") is not None
    for cpu in root.iter("cpu"):
        node = whole_attribute(cpu, "numaid", f"{path}: cpu", -1, 1 << 16)
        numa.append(node)
        for device in cpu.iter("pci"):
            kind = device.get("class", "")
            if kind.startswith(_GPU_CLASS):
                gpus.append(_gpu(device, node, detailed, str(path)))
            elif kind.startswith(_NIC_CLASS):
                nics += _nics(device, node, str(path))
        # Virtual ones hang on the processor itself.
        for nic in cpu.findall("nic"):
            nics += [_port(net, node, "", None, str(path)) for net in nic.findall("net")]
    if not gpus:
        raise InputError(f"{path}: no GPU (<pci> of class 0x03....); expected a host with some")
    return HostTopology(str(path), tuple(dict.fromkeys(numa)), tuple(gpus), tuple(nics))


def read_nccl_graph(path: str | Path) -> tuple[ChosenGraph, ...]:
    """The rings, trees and other graphs that NCCL chose on a host.

    Parameters
    ----------
    path : path
        Plain, gzip or xz.

    Raises
    ------
    InputError
        If it is no such file, a number is none, or a graph has other channels than it says.
    """
    root = parse_xml(read_text(path), path)
    if root.tag != "graphs":
        raise InputError(f"{path}: <{quoted(root.tag)[1:-1]}>; expected <graphs>, what NCCL chose")
    return tuple(_graph(graph, str(path)) for graph in root.findall("graph"))


def _gpu(device: "Element", numa: int, detailed: bool, path: str) -> HostGpu:
    busid = printable(attribute(device, "busid", f"{path}: pci"))[:80]
    where = f"{path}: pci {busid}"
    inside = device.find("gpu")
    links = [] if inside is None else inside.findall("nvlink")
    return HostGpu(
        busid,
        numa,
        None if inside is None else whole_attribute(inside, "dev", where, 0, 1 << 16),
        sum(whole_attribute(link, "count", f"{where}: nvlink", 0, 1 << 10) for link in links) if detailed else None,
        _pcie_gbps(device, where),
    )


def _nics(device: "Element", numa: int, path: str) -> Iterator[HostNic]:
    busid = printable(attribute(device, "busid", f"{path}: pci"))[:80]
    pcie = _pcie_gbps(device, f"{path}: pci {busid}")
    ports = device.findall("nic/net")
    if not ports:
        yield HostNic(busid, numa, "", None, pcie)
    for port in ports:
        yield _port(port, numa, busid, pcie, path)


def _port(net: "Element", numa: int, busid: str, pcie: float | None, path: str) -> HostNic:
    name = printable(net.get("name", ""))[:80]
    speed = net.get("speed")
    gbps = None if speed is None else whole(speed, f"{path}: net {name}: speed", 0, 10**9) / 1e3
    return HostNic(busid, numa, name, gbps, pcie)


def _pcie_gbps(device: "Element", where: str) -> float | None:
    """Data rate of a PCIe link; None where its speed is not said, as of a virtual one."""
    speed, width = _GTS.match(device.get("link_speed", "")), device.get("link_width")
    if speed is None or width is None:
        return None
    gts = real(speed[1], f"{where}: link_speed", 0, 1000)
    return gts * whole(width, f"{where}: link_width", 0, 64) * _ENCODING.get(gts, 242 / 256)


def _graph(graph: "Element", path: str) -> ChosenGraph:
    number = whole_attribute(graph, "id", f"{path}: graph", 0, 1 << 10)
    where = f"{path}: graph {number}"
    pattern = whole_attribute(graph, "pattern", where, 0, 1 << 10)
    channels = tuple(_channel(channel, where) for channel in graph.findall("channel"))
    said = whole_attribute(graph, "nchannels", where, 0, 1 << 10)
    if said != len(channels):
        raise InputError(f"{where}: nchannels {said}, but {len(channels)} <channel>; expected as many")
    intra, inter = (
        real(attribute(graph, name, where), f"{where}: {name}", 0, 1e6) for name in ("speedintra", "speedinter")
    )
    return ChosenGraph(
        number,
        _PATTERNS.get(pattern, f"pattern {pattern}"),
        whole_attribute(graph, "crossnic", where, 0, 2, default=0) > 0,
        intra,
        inter,
        printable(graph.get("typeintra", ""))[:20],
        printable(graph.get("typeinter", ""))[:20],
        channels,
    )


def _channel(channel: "Element", where: str) -> ChosenChannel:
    places = [(one.tag, _device(one, f"{where}: channel")) for one in channel if one.tag in ("gpu", "net")]
    gpus = tuple(number for tag, number in places if tag == "gpu")
    if not gpus:
        raise InputError(f"{where}: a channel without <gpu>; expected some")
    first, last = places[0], places[-1]
    return ChosenChannel(
        gpus, first[1] if first[0] == "net" else None, last[1] if last[0] == "net" and len(places) > 1 else None
    )


def _device(element: "Element", where: str) -> int:
    """A number, which newer versions write in hexadecimal digits."""
    text = attribute(element, "dev", where).strip()
    if re.fullmatch(r"0x[0-9a-fA-F]{1,16}", text):
        return int(text, 16)
    return whole(text, f"{where}: dev", -1)
