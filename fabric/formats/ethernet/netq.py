"""NetQ's topology graph: ``links[].compounded_links[].interfaces[{interface, node}]``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from collectives.errors import InputError
from collectives.gate import shown
from fabric.formats.dump import Oddities
from fabric.formats.ethernet.cabling import FABRIC_SWITCH, HOST, Cabling, NamedCable, assembled
from traces.files import read_text
from traces.json_text import parse_json

# `device_type`; what is only seen by its neighbours (`discovered_via_lldp`) may be either.
_TYPES = {"switch": FABRIC_SWITCH, "host": HOST, "server": HOST}


def read_netq(path: str | Path) -> Cabling:
    """Read what NetQ's topology call answers: a graph, or a list of graphs.

    Raises
    ------
    InputError
        Names file and link, and what was expected.
    """
    document = parse_json(read_text(path), path)
    graphs = document if isinstance(document, list) else [document]
    odd = Oddities(path)
    names: dict[str, str] = {}
    kinds: dict[str, str] = {}
    cables: list[NamedCable] = []
    for graph in graphs:
        if not isinstance(graph, dict):
            raise InputError(f"{path}: {shown(graph)}; expected an object with nodes and links")
        for node in _nodes(graph, path):
            name = _text(node.get("name")) or _text(node.get("id"))
            names[_text(node.get("id")) or name] = name
            kind = _TYPES.get(_text(node.get("device_type")))
            if kind is not None:
                kinds[name] = kind
        cables += _cables(graph, names, path)
    return assembled(path, cables, odd, kinds)


def _nodes(graph: dict[str, Any], path: str | Path) -> Iterator[dict[str, Any]]:
    for node in _objects(graph, "nodes", f"{path}: nodes"):
        inside = list(_objects(node, "compounded_nodes", f"{path}: nodes: compounded_nodes"))
        yield from inside or [node]


def _cables(graph: dict[str, Any], names: dict[str, str], path: str | Path) -> Iterator[NamedCable]:
    for number, link in enumerate(_objects(graph, "links", f"{path}: links")):
        where = f"{path}: links[{number}]"
        inside = list(_objects(link, "compounded_links", f"{where}.compounded_links"))
        for one in inside or [link]:
            ends = list(_objects(one, "interfaces", f"{where}: interfaces"))
            if len(ends) != 2:
                raise InputError(f"{where}: {len(ends)} interfaces; expected the two ends of a cable")
            (device, port), (peer, peer_port) = (
                (names.get(node, node), _text(end.get("interface")))
                for end in ends
                for node in [_text(end.get("node"))]
            )
            yield NamedCable(device, port, peer, peer_port, None, where)


def _objects(holder: dict[str, Any], key: str, where: str) -> Iterator[dict[str, Any]]:
    value = holder.get(key) or []
    if not isinstance(value, list):
        raise InputError(f"{where} {shown(value)}; expected a list")
    for one in value:
        if not isinstance(one, dict):
            raise InputError(f"{where}: {shown(one)}; expected an object")
        yield one


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
