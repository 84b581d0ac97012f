"""A fabric in other tools' formats, chosen by the ending of the file's name."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path

from collectives.demand import FloatVector
from collectives.errors import InputError
from fabric.formats.opening import OpenedFabric
from fabric.topology import Topology

Texts = tuple[dict[str, str | bytes], tuple[str, ...]]


def exported(given: OpenedFabric, path: Path) -> Texts:
    """Contents by file name, and what the format could not say.

    ``.json`` is node-link JSON, ``.graphml`` networkx GraphML, ``.net`` ibsim's netlist, ``.infragraph.json`` an
    InfraGraph infrastructure (with its annotations in ``.annotations.json`` beside it).  ``.gz`` behind it compresses.

    Raises
    ------
    InputError
        If the ending is none of these.
    """
    plain = path.name.removesuffix(".gz")
    for ending, write in _WRITERS.items():
        if plain.endswith(ending):
            texts, notes = write(given, path.with_name(plain))
            if plain == path.name:
                return texts, notes
            return {f"{name}.gz": _packed(text) for name, text in texts.items()}, notes
    raise InputError(f"{path}: expected a name that ends in {', '.join(_WRITERS)}, and perhaps .gz")


def annotated(topology: Topology, link_bytes: FloatVector, path: Path) -> dict[str, str | bytes]:
    """An InfraGraph infrastructure with the loads as annotations: contents by file name."""
    from fabric.formats.infragraph import infragraph_documents, infragraph_text

    infrastructure, annotation = infragraph_documents(topology, link_bytes)
    return {str(path): infragraph_text(infrastructure), str(annotations_path(path)): infragraph_text(annotation)}


def annotations_path(path: Path) -> Path:
    """Where the annotations of an InfraGraph file go: ``x.infragraph.json`` and ``x.annotations.json``."""
    stem = path.name.removesuffix(".json").removesuffix(".infragraph")
    return path.with_name(f"{stem}.annotations.json")


def _packed(text: str | bytes) -> bytes:
    return gzip.compress(text.encode() if isinstance(text, str) else text, mtime=0)


def _node_link(given: OpenedFabric, path: Path) -> Texts:
    from fabric.formats.node_link import node_link_text

    return {str(path): node_link_text(given.topology)}, ()


def _graphml(given: OpenedFabric, path: Path) -> Texts:
    import networkx as nx

    from fabric.formats.node_link import to_networkx

    buffer = io.BytesIO()
    nx.write_graphml(to_networkx(given.topology), buffer)
    return {str(path): buffer.getvalue()}, ()


def _ibsim(given: OpenedFabric, path: Path) -> Texts:
    from fabric.formats.infiniband.ibsim import ibsim_netlist

    netlist = ibsim_netlist(given.topology, given.origin)
    return {str(path): netlist.text}, netlist.notes


def _infragraph(given: OpenedFabric, path: Path) -> Texts:
    from fabric.formats.infragraph import infragraph_documents, infragraph_text

    infrastructure, annotation = infragraph_documents(given.topology)
    return {str(path): infragraph_text(infrastructure), str(annotations_path(path)): infragraph_text(annotation)}, ()


_WRITERS: dict[str, Callable[[OpenedFabric, Path], Texts]] = {
    ".infragraph.json": _infragraph,
    ".json": _node_link,
    ".graphml": _graphml,
    ".net": _ibsim,
}
