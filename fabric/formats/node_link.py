"""networkx graphs and node-link JSON: any fabric in, any fabric out, without loss."""

import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from collectives.demand import FloatVector
from collectives.errors import InputError
from collectives.saying import printable, shown
from collectives.sizes import counted
from fabric.files import write_whole
from fabric.formats.capacities import CAPACITY_NAMES, capacities
from fabric.formats.opening import OpenedFabric
from fabric.topology import NODE_KINDS, UNKNOWN, Cables, Nodes, Topology
from traces.compression import compressed, plain_name
from traces.files import read_text
from traces.json_text import parse_json

if TYPE_CHECKING:
    import networkx

_NODE_INTS = ("tier", "host", "rail", "plane", "domain")
_EDGE_INTS = ("tail_port", "head_port")
_GUID = re.compile(r"0x[0-9a-fA-F]{1,16}", re.ASCII)
# Of unicast (InfiniBand architecture specification 1.4, 4.1.3).
_LAST_LID = 0xBFFF


def to_networkx(topology: Topology, link_bytes: FloatVector | None = None) -> "networkx.MultiDiGraph[Any]":
    """The fabric as a directed multigraph.

    Nodes are names with ``kind`` and, where known, ``tier``, ``host``, ``rail``, ``plane``, ``domain``, ``guid``
    (hexadecimal text) and ``lid``.  Edges are directed links with ``capacity_gbps``, ports and their names where known,
    and ``bytes`` if `link_bytes` is given; an edge's key is the index of its cable among the parallel cables of the
    pair, the same in both directions.

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
    guids, lids = nodes.guid.tolist(), nodes.lid.tolist()
    for number, (name, kind) in enumerate(zip(nodes.name, nodes.kind.tolist(), strict=True)):
        known: dict[str, Any] = {key: column[number] for key, column in columns.items() if column[number] != UNKNOWN}
        if guids[number]:
            known["guid"] = f"0x{guids[number]:016x}"
        if lids[number]:
            known["lid"] = lids[number]
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
        for end, node, port in (("tail", tail, tail_port), ("head", head, head_port)):
            if port != UNKNOWN:
                attributes[f"{end}_port"] = port
            if (nodes.name[node], port) in topology.port_names:
                attributes[f"{end}_port_name"] = topology.port_names[nodes.name[node], port]
        if link_bytes is not None:
            attributes["bytes"] = float(link_bytes[link])
        graph.add_edge(nodes.name[tail], nodes.name[head], key=key, **attributes)
    return graph


def from_networkx(
    graph: "networkx.Graph[Any]",
    name: str | None = None,
    *,
    kind: str | Mapping[Any, str] | Callable[[Any], str] = "kind",
    capacity: str | float = "capacity_gbps",
) -> Topology:
    """A fabric from a graph: one that `to_networkx` made, or any other, such as networkx' generators make.

    An edge of an undirected graph is a cable; in a directed graph both directions of each cable stand, and belong
    together by swapped ports, else by key.  Nodes are called what their names print as, and may have ``tier``,
    ``host``, ``rail``, ``plane`` and ``domain``.

    Parameters
    ----------
    graph : networkx Graph, DiGraph, MultiGraph or MultiDiGraph
    name : str, optional
        Default the graph's own.
    kind : str, mapping or callable
        ``endpoint``, ``switch`` or ``nvswitch`` of each node: the attribute that says it, or a mapping or function from
        nodes to it.  If no node has the attribute ``kind``, it is guessed: nodes with a single neighbour are endpoints,
        all others switches.
    capacity : str or float
        Gbit/s of each edge, each way: the attribute that says it (such as ``weight``), or one number for all.

    Raises
    ------
    InputError
        If a node or edge lacks what it needs, the kinds cannot be guessed, a direction has no reverse, or two nodes
        print the same.
    """
    title = name or str(graph.graph.get("name") or "graph")
    attribute, kinds = _kinds_of(graph, kind)
    nodes = [
        _Node(f"nodes[{number}] ({node})", str(node), kinds[node], attributes)
        for number, (node, attributes) in enumerate(graph.nodes(data=True))
    ]
    number_of = {node: number for number, node in enumerate(graph)}
    edges = [
        _Edge(f"edges[{number}]", number_of[tail], number_of[head], (tail, head), repr(key), attributes)
        for number, (tail, head, key, attributes) in enumerate(_keyed_edges(graph))
    ]
    cables = _cables(edges, capacity) if graph.is_directed() else _undirected_cables(edges, capacity)
    return _topology(title, nodes, attribute, cables, edges)


def _keyed_edges(graph: "networkx.Graph[Any]") -> Iterable[tuple[Any, Any, Any, dict[str, Any]]]:
    import networkx as nx

    if isinstance(graph, (nx.MultiGraph, nx.MultiDiGraph)):
        return graph.edges(keys=True, data=True)
    return ((tail, head, 0, attributes) for tail, head, attributes in graph.edges(data=True))


def _kinds_of(
    graph: "networkx.Graph[Any]", kind: str | Mapping[Any, str] | Callable[[Any], str]
) -> tuple[str, dict[Any, Any]]:
    """What messages call the kind of a node, and the kind of each node."""
    if isinstance(kind, str):
        given = {node: attributes.get(kind) for node, attributes in graph.nodes(data=True)}
        if kind == "kind" and all(value is None for value in given.values()):
            return kind, _guessed_kinds(graph)
        return kind, given
    look_up: Callable[[Any], Any] = kind if callable(kind) else kind.get
    return "kind", {node: look_up(node) for node in graph}


def _guessed_kinds(graph: "networkx.Graph[Any]") -> dict[Any, str]:
    neighbours: dict[Any, set[Any]] = {node: set() for node in graph}
    for tail, head in graph.edges():
        neighbours[tail].add(head)
        neighbours[head].add(tail)
    kinds = {node: "endpoint" if len(near) == 1 else "switch" for node, near in neighbours.items()}
    if "endpoint" not in kinds.values():
        raise InputError(
            "kind: not given, and no node has a single neighbour, which would make it an endpoint; "
            "expected an attribute, a mapping or a function that says which nodes are endpoints"
        )
    for node, near in neighbours.items():
        other = next(iter(near), None)
        if kinds[node] == "endpoint" and kinds[other] == "endpoint":
            raise InputError(
                f"kind: not given, and {node} and {other} have no neighbour but each other; "
                "expected an attribute, a mapping or a function that says which of them is the endpoint"
            )
    return kinds


def write_node_link(topology: Topology, path: str | Path, force: bool = False) -> None:
    """Write node-link JSON (``networkx.node_link_data`` with the ``edges`` key); ``.gz`` and ``.xz`` are compressed."""
    write_whole(path, compressed(path, node_link_text(topology)), force)


def node_link_export(given: OpenedFabric, path: Path) -> str:
    """The text of `node_link_text`."""
    return node_link_text(given.topology)


def graphml_export(given: OpenedFabric, path: Path) -> bytes:
    """Networkx' GraphML."""
    import networkx as nx

    buffer = io.BytesIO()
    # XML 1.0 has no way to write control characters and lone surrogates.
    nx.write_graphml(_printable(to_networkx(given.topology)), buffer)
    return buffer.getvalue()


def _printable(graph: "networkx.MultiDiGraph[Any]") -> "networkx.MultiDiGraph[Any]":
    import networkx as nx

    names = {node: printable(node) for node in graph if printable(node) != node}
    graph.graph.update({key: printable(value) for key, value in graph.graph.items() if isinstance(value, str)})
    return nx.relabel_nodes(graph, names) if names else graph


def node_link_text(topology: Topology) -> str:
    """Node-link JSON, a node or edge per line."""
    import networkx as nx

    document = nx.node_link_data(to_networkx(topology), edges="edges")
    nodes, edges = document.pop("nodes"), document.pop("edges")
    head = json.dumps(document)[:-1]
    lines = [f"{head},", '"nodes": [', ",\n".join(map(json.dumps, nodes)), "],", '"edges": [']
    return "\n".join([*lines, ",\n".join(map(json.dumps, edges)), "]}", ""])


class _Node(NamedTuple):
    """A node before it is checked."""

    where: str
    name: str
    kind: Any
    attributes: Mapping[str, Any]


class _Edge(NamedTuple):
    """An edge before it is checked."""

    where: str
    tail: int
    head: int
    ends: tuple[Any, Any]
    key: str
    attributes: Mapping[str, Any]


def read_node_link(path: str | Path) -> Topology:
    """Read node-link JSON, plain, gzip or xz; as `open_node_link`, without what was assumed.

    Raises
    ------
    InputError
        Names the file and the line or element, and what was expected.
    """
    return open_node_link(path).topology


def open_node_link(path: str | Path) -> OpenedFabric:
    """Read node-link JSON, with notes on what it does not say: kinds of nodes, the name and unit of capacities.

    An undirected graph has an edge for each cable, a directed one both directions.

    Raises
    ------
    InputError
        Names the file and the line or element, and what was expected.
    """
    text = read_text(path)
    document = parse_json(text, path)
    try:
        topology, notes = _from_document(document, plain_name(path).removesuffix(".json"))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return OpenedFabric(str(path), topology, notes=notes)


# Other JSON of graphs, by what it has and a node-link document has not.
_OTHERS = {
    "adjacency": "adjacency JSON (networkx.adjacency_data)",
    "elements": "Cytoscape JSON (networkx.cytoscape_data)",
    "children": "tree JSON (networkx.tree_data)",
}


def _from_document(document: Any, default_name: str) -> tuple[Topology, tuple[str, ...]]:
    other = next((_OTHERS[key] for key in _OTHERS if isinstance(document, dict) and key in document), None)
    if other is None and isinstance(document, dict) and isinstance(document.get("graph"), dict):
        other = "JSON Graph Format" if "nodes" in document["graph"] else None
    if not isinstance(document, dict) or not isinstance(document.get("nodes"), list) or other:
        found = f"{other}; " if other else ""
        raise InputError(f"{found}expected a node-link document (networkx.node_link_data) with a list `nodes`")
    edges = document.get("edges", document.get("links"))
    if not isinstance(edges, list):
        raise InputError("expected a list `edges` (or `links`)")
    directed = document.get("directed", False)
    if not isinstance(directed, bool):
        raise InputError(f"directed: {shown(directed)}; expected true or false")
    for where, rows in (("nodes", document["nodes"]), ("edges", edges)):
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                raise InputError(f"{where}[{number}]: expected an object")
    graph = document.get("graph")
    name = graph.get("name") if isinstance(graph, dict) else None
    number_of: dict[Any, int] = {}
    nodes = []
    for number, node in enumerate(document["nodes"]):
        where, label = f"nodes[{number}]", _hashable(node.get("id"))
        if label is None or isinstance(label, dict):
            raise InputError(f"{where}: expected an `id`")
        if label in number_of:
            raise InputError(f"{where}: id {label!r} is given twice")
        number_of[label] = number
        nodes.append(_Node(f"{where} ({label})", str(label), node.get("kind"), node))
    rows = []
    for number, edge in enumerate(edges):
        ends = (_hashable(edge.get("source")), _hashable(edge.get("target")))
        for end, value in zip(("source", "target"), ends, strict=True):
            if isinstance(value, dict) or value not in number_of:
                raise InputError(f"edges[{number}]: {end} {value!r} is not a node")
        tail, head = (number_of[value] for value in ends)
        rows.append(_Edge(f"edges[{number}]", tail, head, ends, repr(edge.get("key", 0)), edge))
    notes: list[str] = []
    nodes = _with_kinds(nodes, rows, notes)
    rows = _with_gbps(rows, notes)
    cables = _cables(rows, "capacity_gbps") if directed else _undirected_cables(rows, "capacity_gbps")
    return _topology(str(name or default_name), nodes, "kind", cables, rows), tuple(notes)


def _hashable(value: Any) -> Any:
    """A node's id; networkx writes tuples as lists."""
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def _with_kinds(nodes: list[_Node], rows: list[_Edge], notes: list[str]) -> list[_Node]:
    """Nodes of a file that gives no kinds: those with one neighbour are endpoints, as for any graph."""
    if not nodes or any(node.kind is not None for node in nodes):
        return nodes
    import networkx as nx

    graph: networkx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(len(nodes)))
    graph.add_edges_from((row.tail, row.head) for row in rows)
    kinds = _guessed_kinds(graph)
    n_endpoints = sum(kind == "endpoint" for kind in kinds.values())
    notes.append(
        f"nodes have no `kind`: {counted(n_endpoints, 'node')} with a single neighbour are endpoints, the "
        f"other {len(nodes) - n_endpoints:,} are switches"
    )
    return [node._replace(kind=kinds[number]) for number, node in enumerate(nodes)]


def _with_gbps(rows: list[_Edge], notes: list[str]) -> list[_Edge]:
    """Edges with `capacity_gbps`, from another attribute where none has it."""
    if not rows or any("capacity_gbps" in row.attributes for row in rows):
        return rows
    name = next((name for name in CAPACITY_NAMES if any(name in row.attributes for row in rows)), None)
    if name is None:
        raise InputError(f"edges[0]: no capacity; expected `capacity_gbps`, or one of {', '.join(CAPACITY_NAMES)}")
    values = [row.attributes.get(name) for row in rows]
    gbps, unit = capacities(values, name)
    notes.append(f"capacities are read from `{name}`{unit}")
    return [
        row._replace(attributes={**row.attributes, "capacity_gbps": value})
        for row, value in zip(rows, gbps, strict=True)
    ]


def _topology(name: str, nodes: list[_Node], attribute: str, cables: Cables, edges: Iterable[_Edge]) -> Topology:
    for node in nodes:
        if node.kind not in NODE_KINDS:
            raise InputError(f"{node.where}: {attribute} {node.kind!r}; expected {', '.join(NODE_KINDS)}")
    columns = {
        key: np.array([_whole(node.attributes, key, node.where) for node in nodes], np.int32) for key in _NODE_INTS
    }
    kinds = np.array([NODE_KINDS.index(node.kind) for node in nodes], np.int8)
    guid = np.array([_guid(node.attributes.get("guid")) for node in nodes], np.uint64)
    lid = np.array([_lid(node.attributes.get("lid")) for node in nodes], np.int32)
    names = tuple(node.name for node in nodes)
    made = Nodes(names, kinds, **columns, guid=guid, lid=lid)
    return Topology.from_cables(name, made, cables, _port_names(names, edges))


def _guid(value: Any) -> int:
    """A GUID in hexadecimal digits; 0 for what is none, as graphs of others may call anything so."""
    return int(value, 16) if isinstance(value, str) and _GUID.fullmatch(value) else 0


def _lid(value: Any) -> int:
    """A unicast LID; 0 for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LAST_LID else 0


def _port_names(names: Sequence[str], edges: Iterable[_Edge]) -> dict[tuple[str, int], str]:
    """What ports are called that are not called by their numbers."""
    found: dict[tuple[str, int], str] = {}
    for edge in edges:
        for end, node in (("tail", edge.tail), ("head", edge.head)):
            name, port = edge.attributes.get(f"{end}_port_name"), edge.attributes.get(f"{end}_port")
            if isinstance(name, str) and port is not None:
                found[names[node], _whole(edge.attributes, f"{end}_port", edge.where)] = name
    return found


def _undirected_cables(edges: list[_Edge], capacity: str | float) -> Cables:
    """Each edge is a cable; it has no tail, so nobody can say whose port a port is."""
    for edge in edges:
        for port in _EDGE_INTS:
            if edge.attributes.get(port) is not None:
                raise InputError(f"{edge.where}: {port}; expected a directed graph, as this edge has no tail")
    gbps = np.array([_gbps(edge, capacity) for edge in edges], np.float64)
    a, b = (np.array([edge[end] for edge in edges], np.int32) for end in (1, 2))
    none = np.full(len(edges), UNKNOWN, np.int32)
    return Cables(a, b, none, none, gbps, gbps)


def _cables(edges: list[_Edge], capacity: str | float) -> Cables:
    """Join each direction with its reverse: by swapped ports where both are given, else by key."""
    rows = []
    waiting: dict[tuple[Any, ...], list[int]] = {}
    pairs = []
    for number, edge in enumerate(edges):
        gbps = _gbps(edge, capacity)
        tail_port, head_port = (_whole(edge.attributes, port, edge.where) for port in _EDGE_INTS)
        rows.append((edge.tail, edge.head, tail_port, head_port, gbps))
        key: tuple[Any, ...] = (edge.key,)
        opposite = key
        if tail_port != UNKNOWN and head_port != UNKNOWN:
            key, opposite = (tail_port, head_port), (head_port, tail_port)
        partners = waiting.get((edge.head, edge.tail, *opposite))
        if partners:
            pairs.append((partners.pop(0), number))
        else:
            waiting.setdefault((edge.tail, edge.head, *key), []).append(number)
    lone = min((number for numbers in waiting.values() for number in numbers), default=None)
    if lone is not None:
        tail, head = edges[lone].ends
        raise InputError(
            f"{edges[lone].where}: {tail} -> {head} has no reverse; "
            "expected both directions of a cable, with the same key or swapped ports"
        )
    pairs.sort()
    first = [rows[a] for a, _ in pairs]
    a, b, a_port, b_port = (np.array([row[column] for row in first], np.int32) for column in range(4))
    ab_gbps = np.array([row[4] for row in first], np.float64)
    ba_gbps = np.array([rows[reverse][4] for _, reverse in pairs], np.float64)
    return Cables(a, b, a_port, b_port, ab_gbps, ba_gbps)


def _gbps(edge: _Edge, capacity: str | float) -> float:
    named = isinstance(capacity, str)
    gbps = edge.attributes.get(capacity) if isinstance(capacity, str) else capacity
    if isinstance(gbps, bool) or not isinstance(gbps, Real) or not 0 < float(gbps) < float("inf"):
        where = f"{edge.where}: {capacity}" if named else "capacity"
        raise InputError(f"{where} {gbps!r}; expected a finite number > 0")
    return float(gbps)


def _whole(row: Mapping[str, Any], key: str, where: str) -> int:
    value = row.get(key, UNKNOWN)
    if value is None:
        return UNKNOWN
    if isinstance(value, bool) or not isinstance(value, Integral) or not -1 <= int(value) < 2**31:
        raise InputError(f"{where}: {key} {value!r}; expected an integer >= 0")
    return int(value)
