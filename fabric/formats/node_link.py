"""networkx graphs and node-link JSON: any fabric in, any fabric out, without loss."""

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from collectives.demand import FloatVector
from collectives.errors import InputError
from fabric.files import write_whole
from fabric.topology import NODE_KINDS, UNKNOWN, Cables, Nodes, Topology
from traces.files import read_text

if TYPE_CHECKING:
    import networkx

_NODE_INTS = ("tier", "host", "rail", "plane", "domain")
_EDGE_INTS = ("tail_port", "head_port")


def to_networkx(topology: Topology, link_bytes: FloatVector | None = None) -> "networkx.MultiDiGraph[Any]":
    """The fabric as a directed multigraph.

    Nodes are names with ``kind`` and, where known, ``tier``, ``host``, ``rail``, ``plane``, ``domain``.  Edges are
    directed links with ``capacity_gbps``, ports where known, and ``bytes`` if `link_bytes` is given; an edge's key is
    the index of its cable among the parallel cables of the pair, the same in both directions.

    Parameters
    ----------
    topology : Topology
    link_bytes : (n_links,) float64, optional
        Put on the edges as ``bytes``.
    """
    import networkx as nx

    graph: networkx.MultiDiGraph[Any] = nx.MultiDiGraph(name=topology.name)
    nodes = topology.nodes
    columns = {name: getattr(nodes, name).tolist() for name in _NODE_INTS}
    for number, (name, kind) in enumerate(zip(nodes.name, nodes.kind.tolist(), strict=True)):
        known = {key: column[number] for key, column in columns.items() if column[number] != UNKNOWN}
        graph.add_node(name, kind=NODE_KINDS[kind], **known)
    rows = zip(
        topology.link_tail.tolist(),
        topology.link_head.tolist(),
        topology.link_cable_index.tolist(),
        topology.link_capacity_gbps.tolist(),
        topology.link_tail_port.tolist(),
        topology.link_head_port.tolist(),
        strict=True,
    )
    for link, (tail, head, key, gbps, tail_port, head_port) in enumerate(rows):
        attributes: dict[str, Any] = {"capacity_gbps": gbps}
        if tail_port != UNKNOWN:
            attributes["tail_port"] = tail_port
        if head_port != UNKNOWN:
            attributes["head_port"] = head_port
        if link_bytes is not None:
            attributes["bytes"] = float(link_bytes[link])
        graph.add_edge(nodes.name[tail], nodes.name[head], key=key, **attributes)
    return graph


def from_networkx(graph: "networkx.MultiDiGraph[Any]", name: str | None = None) -> Topology:
    """A fabric from a graph as `to_networkx` makes it.

    Raises
    ------
    InputError
        If a node or edge lacks what it needs, or a direction has no reverse.
    """
    nodes = [{**attributes, "id": node} for node, attributes in graph.nodes(data=True)]
    edges = [
        {**attributes, "source": tail, "target": head, "key": key}
        for tail, head, key, attributes in graph.edges(keys=True, data=True)
    ]
    return _topology(name or str(graph.graph.get("name") or "graph"), nodes, edges)


def write_node_link(topology: Topology, path: str | Path, force: bool = False) -> None:
    """Write node-link JSON (``networkx.node_link_data`` with the ``edges`` key); ``.gz`` is compressed."""
    text = node_link_text(topology)
    data = gzip.compress(text.encode(), mtime=0) if str(path).endswith(".gz") else text
    write_whole(path, data, force)


def node_link_text(topology: Topology) -> str:
    """Node-link JSON, a node or edge per line."""
    import networkx as nx

    document = nx.node_link_data(to_networkx(topology), edges="edges")
    nodes, edges = document.pop("nodes"), document.pop("edges")
    head = json.dumps(document)[:-1]
    lines = [f"{head},", '"nodes": [', ",\n".join(map(json.dumps, nodes)), "],", '"edges": [']
    return "\n".join([*lines, ",\n".join(map(json.dumps, edges)), "]}", ""])


def read_node_link(path: str | Path) -> Topology:
    """Read node-link JSON, plain or gzip.

    Raises
    ------
    InputError
        Names the file and the line or element, and what was expected.
    """
    text = read_text(path)
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON ({error.msg})") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply; expected node-link JSON") from None
    try:
        return _from_document(document, Path(path).name.removesuffix(".gz").removesuffix(".json"))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _from_document(document: Any, default_name: str) -> Topology:
    if not isinstance(document, dict) or not isinstance(document.get("nodes"), list):
        raise InputError("expected a node-link document (networkx.node_link_data) with a list `nodes`")
    edges = document.get("edges", document.get("links"))
    if not isinstance(edges, list):
        raise InputError("expected a list `edges`")
    if document.get("directed") is not True:
        raise InputError("directed: expected true, with both directions of each cable listed")
    for where, rows in (("nodes", document["nodes"]), ("edges", edges)):
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                raise InputError(f"{where}[{number}]: expected an object")
    graph = document.get("graph")
    name = graph.get("name") if isinstance(graph, dict) else None
    return _topology(str(name or default_name), document["nodes"], edges)


def _topology(name: str, nodes: list[dict[str, Any]], edges: list[dict[str, Any]]) -> Topology:
    kinds, names = [], []
    ints: dict[str, list[int]] = {key: [] for key in _NODE_INTS}
    number_of: dict[Any, int] = {}
    for number, node in enumerate(nodes):
        where = f"nodes[{number}]"
        label = node.get("id")
        if label is None or isinstance(label, (dict, list)):
            raise InputError(f"{where}: expected an `id`")
        if node.get("kind") not in NODE_KINDS:
            raise InputError(f"{where} ({label}): kind {node.get('kind')!r}; expected {', '.join(NODE_KINDS)}")
        if label in number_of:
            raise InputError(f"{where}: id {label!r} is given twice")
        number_of[label] = number
        names.append(str(label))
        kinds.append(NODE_KINDS.index(node["kind"]))
        for key, column in ints.items():
            column.append(_whole(node, key, f"{where} ({label})"))
    columns = {key: np.array(column, np.int32) for key, column in ints.items()}
    cables = _cables(edges, number_of)
    return Topology.from_cables(name, Nodes(tuple(names), np.array(kinds, np.int8), **columns), cables)


def _cables(edges: list[dict[str, Any]], number_of: dict[Any, int]) -> Cables:
    """Join each direction with its reverse: by swapped ports where both are given, else by key."""
    rows = []
    waiting: dict[tuple[Any, ...], list[int]] = {}
    pairs = []
    for number, edge in enumerate(edges):
        where = f"edges[{number}]"
        ends = []
        for end in ("source", "target"):
            value = edge.get(end)
            if isinstance(value, (dict, list)) or value not in number_of:
                raise InputError(f"{where}: {end} {value!r} is not a node")
            ends.append(number_of[value])
        gbps = edge.get("capacity_gbps")
        if isinstance(gbps, bool) or not isinstance(gbps, (int, float)) or not 0 < gbps < float("inf"):
            raise InputError(f"{where}: capacity_gbps {gbps!r}; expected a finite number > 0")
        tail, head = ends
        tail_port, head_port = (_whole(edge, port, where) for port in _EDGE_INTS)
        rows.append((tail, head, tail_port, head_port, float(gbps)))
        key: tuple[Any, ...] = (repr(edge.get("key", 0)),)
        opposite = key
        if tail_port != UNKNOWN and head_port != UNKNOWN:
            key, opposite = (tail_port, head_port), (head_port, tail_port)
        partners = waiting.get((head, tail, *opposite))
        if partners:
            pairs.append((partners.pop(0), number))
        else:
            waiting.setdefault((tail, head, *key), []).append(number)
    lone = min((number for numbers in waiting.values() for number in numbers), default=None)
    if lone is not None:
        edge = edges[lone]
        raise InputError(
            f"edges[{lone}]: {edge['source']} -> {edge['target']} has no reverse; "
            "expected both directions of a cable, with the same key or swapped ports"
        )
    pairs.sort()
    first = [rows[a] for a, _ in pairs]
    a, b, a_port, b_port = (np.array([row[column] for row in first], np.int32) for column in range(4))
    ab_gbps = np.array([row[4] for row in first], np.float64)
    ba_gbps = np.array([rows[reverse][4] for _, reverse in pairs], np.float64)
    return Cables(a, b, a_port, b_port, ab_gbps, ba_gbps)


def _whole(row: dict[str, Any], key: str, where: str) -> int:
    value = row.get(key, UNKNOWN)
    if value is None:
        return UNKNOWN
    if isinstance(value, bool) or not isinstance(value, int) or not -1 <= value < 2**31:
        raise InputError(f"{where}: {key} {value!r}; expected an integer >= 0")
    return value
