"""What NCCL's XML says of a host, as tables and JSON."""

from collections import Counter
from dataclasses import asdict
from typing import cast

from fabric.reports.documents.host import ChosenGraphPart, HostDocument, HostGpuPart, HostNicPart
from fabric.reports.emit import Report
from fabric.reports.tables import Facts, Table
from traces.nccl_chosen import ChosenChannel, ChosenGraph
from traces.nccl_xml import HostTopology


def host_report(host: HostTopology) -> Report:
    """GPUs and NICs of a host, equal ones of a NUMA node in one row."""
    gpus = Counter((gpu.numa, _number(gpu.nvlinks), _number(gpu.pcie_gbps)) for gpu in host.gpus)
    nics = Counter((nic.numa, _number(nic.gbps), _number(nic.pcie_gbps)) for nic in host.nics)
    document: HostDocument = {
        "schema": "railscope.host/1",
        "file": host.file,
        "gpus": [cast(HostGpuPart, asdict(gpu)) for gpu in host.gpus],
        "nics": [cast(HostNicPart, asdict(nic)) for nic in host.nics],
        "graphs": [],
    }
    names = ", ".join(nic.name for nic in host.nics if nic.name)
    rows = (
        ("host", host.file),
        ("GPUs, NICs", f"{len(host.gpus)}, {len(host.nics)}"),
        ("NUMA nodes", str(len(host.numa))),
        *((("names of NICs", names),) if names else ()),
    )
    tables: list[Table | Facts] = [Facts("What NCCL sees of a host", rows)]
    for title, speed, counts in (("GPUs", "NVLinks", gpus), ("NICs", "Gbit/s", nics)):
        columns = ("NUMA node", title, speed, "PCIe Gbit/s")
        cells = tuple((str(numa), str(count), of, pcie) for (numa, of, pcie), count in sorted(counts.items()))
        if cells:
            tables.append(Table(title, columns, cells, frozenset(columns)))
    notes = () if any(nic.gbps is not None for nic in host.nics) else ("the file does not say how fast the NICs are",)
    return Report(document, tables, notes=notes)


def graphs_report(file: str, graphs: tuple[ChosenGraph, ...]) -> Report:
    """The rings and trees that were chosen."""
    document: HostDocument = {
        "schema": "railscope.host/1",
        "file": file,
        "gpus": [],
        "nics": [],
        "graphs": [cast(ChosenGraphPart, _plain(graph)) for graph in graphs],
    }
    columns = ("graph", "channels", "GB/s inside", "GB/s to NICs", "inside", "to NICs")
    rows = tuple(
        (
            f"{graph.id} {graph.pattern}",
            str(len(graph.channels)),
            f"{graph.speed_intra:g}",
            f"{graph.speed_inter:g}",
            graph.type_intra,
            graph.type_inter,
        )
        for graph in graphs
    )
    ways = tuple(
        (f"{graph.id} {graph.pattern}", str(number), _way(channel))
        for graph in graphs
        for number, channel in enumerate(graph.channels)
    )
    tables = [Table("What NCCL chose on a host", columns, rows, frozenset(columns[1:4]))]
    if ways:
        tables.append(Table("Channels", ("graph", "channel", "GPUs in order"), ways, frozenset({"channel"})))
    return Report(document, tables)


def _plain(graph: ChosenGraph) -> dict[str, object]:
    channels = [
        {"gpus": list(channel.gpus), "nic_in": channel.nic_in, "nic_out": channel.nic_out} for channel in graph.channels
    ]
    return {**asdict(graph), "channels": channels}


def _way(channel: ChosenChannel) -> str:
    ends = [() if nic is None else (f"NIC {nic}",) for nic in (channel.nic_in, channel.nic_out)]
    return " ".join((*ends[0], *map(str, channel.gpus), *ends[1]))


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.5g}"
