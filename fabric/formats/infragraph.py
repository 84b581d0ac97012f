"""InfraGraph: infrastructure as devices, components and edges (read with the package `infragraph`, written as JSON).

A device with GPUs (``xpu``) or NICs is a host, one with a component of type ``switch`` is a scale-up switch, any other
is a switch of the network.  GPU ``i`` of ``g`` on a host with ``n`` NICs has NICs ``i n / g`` to ``(i + 1) n / g - 1``.
"""

import json
import re
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from collectives.demand import FloatVector, Int32Vector
from collectives.errors import InputError
from collectives.gate import quoted, real_value
from fabric.formats.opening import OpenedFabric
from fabric.formats.registry import Export
from fabric.topology import ENDPOINT, MAX_GBPS, NVSWITCH, SWITCH, UNKNOWN, Cables, Nodes, Topology, joined_by
from traces.files import read_text

_UNIT_GBPS = {"gigabits_per_second": 1.0, "gigabytes_per_second": 8.0}
# Assumed: several times the largest clusters and devices there are.
_MAX_COMPONENTS, _MAX_IN_DEVICE = 2_000_000, 4096
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]")


def read_infragraph(path: str | Path) -> tuple[Topology, tuple[str, ...]]:
    """Read an infrastructure (YAML or JSON, version 3 of the schema).

    Returns
    -------
    topology : Topology
    notes : tuple of str
        What had to be assumed.

    Raises
    ------
    InputError
        If the package is missing, the file is no infrastructure, or a cable has no bandwidth.
    """
    try:
        from infragraph import Infrastructure
        from infragraph.infragraph_service import InfraGraphService
    except ImportError:
        raise InputError(f"{path}: InfraGraph needs a package; pip install 'railscope[infragraph]'") from None
    text = read_text(path)
    _check_text(path, text)
    service = InfraGraphService()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            whole = Infrastructure().deserialize(text)
            _check_size(path, whole)
            service.set_graph(text)
            graph = service.get_networkx_graph()
            links = [*whole.links, *(link for device in whole.devices for link in device.links)]
    except InputError:
        raise
    except Exception as error:  # the package raises whatever its parts raise
        if _OLDER.search(text):
            raise _older(path) from None
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: no InfraGraph infrastructure of schema version 3 ({reason})") from None
    gbps = {link.name: _gbps(link) for link in links}
    return _topology(path, graph, gbps)


def open_infragraph(path: str) -> OpenedFabric:
    """The fabric of `read_infragraph`."""
    topology, notes = read_infragraph(path)
    return OpenedFabric(path, topology, notes=notes)


# Indices and counts, where a number of eight digits and more is more than can be built.
_HUGE = re.compile(r"(?:count[\"']?\s*:\s*[\"']?|\[[^\]\n]{0,200}?)([0-9]{8,}|[0-9.]+[eE]\+?[0-9]+)")
_OLDER = re.compile(r"^(?:infrastructure|device)\s*:|^\s*(?:-\s+)?type\s*:", re.MULTILINE)
_MOST_YAML_NODES = 20_000_000


def _check_text(path: str | Path, text: str) -> None:
    """Refuse what the package would take minutes and gigabytes for, and schemas that it does not read."""
    huge = _HUGE.search(text)
    if huge:
        raise InputError(f"{path}: a count or index of {quoted(huge[1])}; expected at most {_MAX_COMPONENTS:,}")
    if not re.search(r"\bchoice[\"']?\s*:", text) and _OLDER.search(text):
        raise _older(path)
    if "&" in text and "*" in text and _expanded_size(path, text) > _MOST_YAML_NODES:
        raise InputError(f"{path}: aliases that expand to more than {_MOST_YAML_NODES:,} values")


def _older(path: str | Path) -> InputError:
    return InputError(
        f"{path}: no InfraGraph infrastructure of schema version 3, but an InfraGraph schema before version 3 "
        "(components have a `type`, not a `choice`); expected version 3, as the package infragraph 3 writes it"
    )


def _expanded_size(path: str | Path, text: str) -> int:
    """Values of a YAML text if every alias were written out."""
    import yaml

    sizes: dict[int, int] = {}

    def size(node: Any) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = 1  # an alias within itself counts once
            parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
            sizes[id(node)] = 1 + (sum(map(size, parts)) if isinstance(parts, list) else 0)
        return sizes[id(node)]

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        return 0 if root is None else size(root)
    except (yaml.YAMLError, RecursionError, ValueError):
        raise InputError(f"{path}: not YAML that can be read") from None


def _check_size(path: str | Path, whole: Any) -> None:
    """Refuse counts that would fill the memory: the package writes every component out."""
    size = {device.name: sum(part.count or 1 for part in device.components) for device in whole.devices}
    total = sum((one.count or 1) * size.get(one.device, 0) for one in whole.instances)
    if max(size.values(), default=0) > _MAX_IN_DEVICE or total > _MAX_COMPONENTS:
        raise InputError(
            f"{path}: {total:,} components; expected at most {_MAX_COMPONENTS:,}, and {_MAX_IN_DEVICE:,} in a device"
        )


def _gbps(link: Any) -> float | None:
    bandwidth = link.physical.bandwidth if link.physical else None
    unit = str(getattr(bandwidth, "choice", None))
    value = getattr(bandwidth, unit) if unit in _UNIT_GBPS else None
    if value is None:
        return None
    return real_value(float(value) * _UNIT_GBPS[unit], f"bandwidth of link {link.name}", 0.0, MAX_GBPS)


def _topology(path: str | Path, graph: Any, gbps: dict[str, float | None]) -> tuple[Topology, tuple[str, ...]]:
    """Devices become nodes; edges between devices become cables."""
    parts: dict[str, dict[str, list[str]]] = {}
    for name, attributes in graph.nodes(data=True):
        device = ".".join(name.split(".")[:2])
        parts.setdefault(device, {}).setdefault(str(attributes.get("type")), []).append(name)
    notes: list[str] = []
    names: list[str] = []
    kinds: list[int] = []
    hosts: list[int] = []
    rails: list[int] = []
    node_of: dict[str, int] = {}
    port_of: dict[str, int] = {}
    host_number = 0
    outward = {end for a, b in graph.edges() if a.split(".")[:2] != b.split(".")[:2] for end in (a, b)}
    for components in parts.values():
        if not components.keys() & {"xpu", "nic"}:
            continue
        gpus = components.get("xpu", [])
        nics = components.get("nic", [])
        if not gpus or len(nics) % len(gpus) or not nics:
            gpus = nics or gpus
        nics_per_gpu = max(1, len(nics) // len(gpus))
        for index, gpu in enumerate(gpus):
            own = nics[index * nics_per_gpu : (index + 1) * nics_per_gpu]
            for port, component in enumerate(dict.fromkeys([*own, gpu]), 1):
                node_of[component], port_of[component] = len(names), port
            names.append(gpu)
            kinds.append(ENDPOINT)
            hosts.append(host_number)
            rails.append(index)
        others = [name for kind, list_ in components.items() if kind not in ("xpu", "nic") for name in list_]
        for name in others:
            near = next((end for end in graph.neighbors(name) if end in node_of), None)
            if name in outward and near is not None:
                node_of[name], port_of[name] = node_of[near], nics_per_gpu + 1
        host_number += 1
    n_hosts = host_number
    inner, silent = _inner_scale_up(graph, parts, gbps)
    for device, components in parts.items():
        if components.keys() & {"xpu", "nic"}:
            continue
        for name in (name for list_ in components.values() for name in list_):
            node_of[name], port_of[name] = len(names), int(name.rsplit(".", 1)[1]) + 1
            if port_of[name] > _MAX_IN_DEVICE:
                raise InputError(f"{path}: {name}: expected a number below {_MAX_IN_DEVICE:,}")
        names.append(device)
        kinds.append(NVSWITCH if "switch" in components else SWITCH)
        hosts.append(UNKNOWN)
        rails.append(UNKNOWN)
    rows = []
    for a, b, attributes in graph.edges(data=True):
        if a.split(".")[:2] == b.split(".")[:2]:
            continue
        link = str(attributes.get("link"))
        speed = gbps.get(link)
        if speed is None:
            raise InputError(f"{path}: link {link!r} between {a} and {b} has no bandwidth in bits or bytes per second")
        if a not in node_of or b not in node_of:
            raise InputError(f"{path}: {a} - {b}: expected a GPU, a NIC or a port of a switch at both ends")
        rows.append((node_of[a], node_of[b], port_of[a], port_of[b], speed))
    for device, speed_of in inner.items():
        for gpu, speed in speed_of.items():
            rows.append((node_of[gpu], len(names), UNKNOWN, UNKNOWN, speed))
        names.append(f"{device} scale-up")
        kinds.append(NVSWITCH)
        hosts.append(UNKNOWN)
        rails.append(UNKNOWN)
    notes.append(f"{n_hosts:,} hosts; GPUs have the NICs of their number")
    if silent:
        notes.append(
            f"links between GPUs without a bandwidth are left out ({', '.join(silent)}): "
            "GPUs of a host talk through their NICs unless NVLink is given"
        )
    direct = [row[:2] for row in rows if kinds[row[0]] == kinds[row[1]] == ENDPOINT]
    domain = _meshes(len(names), direct)
    if direct:
        notes.append("GPUs that are cabled to one another are a scale-up domain")
    unknown = np.full(len(names), UNKNOWN, np.int32)
    nodes = Nodes(
        tuple(names), np.array(kinds, np.int8), unknown, np.array(hosts, np.int32), np.array(rails, np.int32), unknown,
        domain,
    )  # fmt: skip
    ints = [np.array([row[column] for row in rows], np.int32) for column in range(4)]
    speeds = np.array([row[4] for row in rows], np.float64)
    cables = Cables(a=ints[0], b=ints[1], a_port=ints[2], b_port=ints[3], ab_gbps=speeds, ba_gbps=speeds)
    try:
        return Topology.from_cables(str(graph.graph.get("name") or Path(path).stem), nodes, cables), tuple(notes)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _meshes(n_nodes: int, direct: list[tuple[int, int]]) -> Int32Vector:
    """A number for each set of nodes that direct links join, (n_nodes,) int32; `UNKNOWN` for others."""
    domain = np.full(n_nodes, UNKNOWN, np.int32)
    if direct:
        ends = np.array(direct, np.int64)
        members = np.unique(ends)
        joined = joined_by(n_nodes, ends[:, 0], ends[:, 1])[members]
        domain[members] = np.unique(joined, return_inverse=True)[1].ravel()
    return domain


def _inner_scale_up(
    graph: Any, parts: dict[str, dict[str, list[str]]], gbps: dict[str, float | None]
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Gb/s of each GPU to the scale-up switches inside its device, and links there that have no bandwidth."""
    inner: dict[str, dict[str, float]] = {}
    silent: set[str] = set()
    for device, components in parts.items():
        gpus = set(components.get("xpu", ()))
        for switch in components.get("switch", ()):
            joined = [
                (end, str(attributes.get("link")))
                for _, end, attributes in graph.edges(switch, data=True)
                if end in gpus and "pci" not in str(attributes.get("link")).lower()
            ]
            if len(joined) < 2:
                continue
            for gpu, link in joined:
                speed = gbps.get(link)
                if speed is None:
                    silent.add(link)
                else:
                    inner.setdefault(device, {})
                    inner[device][gpu] = inner[device].get(gpu, 0.0) + speed
    return inner, sorted(silent)


def infragraph_export(given: OpenedFabric, path: Path) -> Export:
    """An infrastructure, with its annotations (names, tiers) beside it."""
    return Export(annotated(given.topology, None, path))


def annotated(topology: Topology, link_bytes: FloatVector | None, path: Path) -> dict[str, str | bytes]:
    """An infrastructure, and its annotations with the loads if there are any: contents by file name."""
    infrastructure, annotation = infragraph_documents(topology, link_bytes)
    return {str(path): infragraph_text(infrastructure), str(annotations_path(path)): infragraph_text(annotation)}


def annotations_path(path: Path) -> Path:
    """Where the annotations of an InfraGraph file go: ``x.infragraph.json`` and ``x.annotations.json``."""
    stem = path.name.removesuffix(".json").removesuffix(".infragraph")
    return path.with_name(f"{stem}.annotations.json")


def infragraph_documents(
    topology: Topology, link_bytes: FloatVector | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """An infrastructure, and annotations for it: names and tiers on nodes, loads on edges.

    An annotated edge has ``bytes_from_ep1`` and ``bytes_from_ep2``, the loads of its two directions.  Cables whose
    directions differ in capacity have the smaller one.

    Parameters
    ----------
    topology : Topology
    link_bytes : (n_links,) float64, optional

    Returns
    -------
    infrastructure, annotation : dict
        As `infragraph` (schema version 3) reads them.
    """
    nodes = topology.nodes
    n_ports = np.diff(topology.out_start)
    position = np.arange(topology.n_links) - topology.out_start[topology.link_tail]
    instance = _instances(nodes.name)
    device = [
        f"{_KIND_DEVICES[kind]}_{ports}" for kind, ports in zip(nodes.kind.tolist(), n_ports.tolist(), strict=True)
    ]
    shapes = dict.fromkeys(zip(nodes.kind.tolist(), n_ports.tolist(), strict=True))
    speeds = sorted({float(gbps) for gbps in topology.link_capacity_gbps})
    edges, annotated = [], []
    for link in np.flatnonzero(np.arange(topology.n_links) < topology.link_reverse).tolist():
        back = int(topology.link_reverse[link])
        ends = []
        for number in (link, back):
            node = int(topology.link_tail[number])
            ends.append((instance[node], _KIND_PORTS[int(nodes.kind[node])], int(position[number])))
        gbps = float(min(topology.link_capacity_gbps[link], topology.link_capacity_gbps[back]))
        edges.append(
            {
                **{
                    f"ep{side}": {"instance": f"{name}[0]", "component": f"{port}[{place}]"}
                    for side, (name, port, place) in enumerate(ends, 1)
                },
                "link": _link_name(gbps),
                "scheme": "one2one",
            }
        )
        if link_bytes is not None:
            names = [f"{name}.0.{port}.{place}" for name, port, place in ends]
            values = {"bytes_from_ep1": float(link_bytes[link]), "bytes_from_ep2": float(link_bytes[back])}
            annotated.append({"ep1": names[0], "ep2": names[1], "attributes": _attributes(values)})
    infrastructure = {
        "name": _NO_NAME.sub("_", topology.name),
        "description": f"written by railscope from {topology.name}",
        "devices": [_device(kind, ports) for kind, ports in shapes],
        "instances": [
            {"name": name, "device": which, "count": 1} for name, which in zip(instance, device, strict=True)
        ],
        "links": [
            {
                "name": _link_name(gbps),
                "physical": {"bandwidth": {"choice": "gigabits_per_second", "gigabits_per_second": gbps}},
            }
            for gbps in speeds
        ],
        "edges": edges,
    }
    facts = ("tier", "host", "rail", "plane", "domain")
    columns = {fact: getattr(nodes, fact).tolist() for fact in facts}
    known = [
        {"name": name, **{fact: column[node] for fact, column in columns.items() if column[node] != UNKNOWN}}
        for node, name in enumerate(nodes.name)
    ]
    annotation = {
        "nodes": [
            {"name": f"{name}.0.{_KIND_CORES[kind]}.0", "attributes": _attributes(values)}
            for name, kind, values in zip(instance, nodes.kind.tolist(), known, strict=True)
        ],
        "edges": annotated,
    }
    return infrastructure, annotation


_KIND_DEVICES = {ENDPOINT: "endpoint", SWITCH: "switch", NVSWITCH: "nvswitch"}
_KIND_PORTS = {ENDPOINT: "nic", SWITCH: "port", NVSWITCH: "port"}
_KIND_CORES = {ENDPOINT: "xpu", SWITCH: "asic", NVSWITCH: "nvsw"}
_CORE_TYPES = {ENDPOINT: "xpu", SWITCH: "cpu", NVSWITCH: "switch"}


def _instances(names: tuple[str, ...]) -> list[str]:
    """Names without the characters that InfraGraph's addresses use, told apart where they became equal."""
    plain = [_NO_NAME.sub("_", name) for name in names]
    count = Counter(plain)
    return [name if count[name] == 1 else f"{name}_{number}" for number, name in enumerate(plain)]


def _device(kind: int, ports: int) -> dict[str, Any]:
    core, port = _KIND_CORES[kind], _KIND_PORTS[kind]
    return {
        "name": f"{_KIND_DEVICES[kind]}_{ports}",
        "components": [
            {"name": core, "count": 1, "choice": _CORE_TYPES[kind]},
            {"name": port, "count": max(1, ports), "choice": port},
        ],
        "links": [{"name": "internal"}],
        "edges": [{"ep1": {"component": core}, "ep2": {"component": port}, "link": "internal", "scheme": "many2many"}],
    }


def _link_name(gbps: float) -> str:
    return f"link_{gbps:g}_gbps".replace(".", "_").replace("+", "")


def _attributes(values: dict[str, Any]) -> list[dict[str, str]]:
    return [{"attribute": key, "value": str(value)} for key, value in values.items()]


def infragraph_text(document: dict[str, Any]) -> str:
    """JSON, which is YAML too."""
    return json.dumps(document, indent=1) + "\n"
