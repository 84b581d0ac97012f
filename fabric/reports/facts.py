"""The report of `fabric show`: what a fabric is made of."""

from collections.abc import Mapping

import numpy as np

from collectives.demand import Int32Vector
from fabric.builders.presets import preset_names, read_preset
from fabric.formats.opening import OpenedFabric
from fabric.reports.documents.facts import (
    CablesPart,
    CountsPart,
    FabricDocument,
    OversubscriptionPart,
    PresetPart,
    PresetsDocument,
)
from fabric.reports.emit import Report
from fabric.reports.loads import fabric_facts
from fabric.reports.tables import Facts, Table
from fabric.studies.hotspots import tier_name
from fabric.topology import DOWN, NVLINK, PEER, SWITCH, UNKNOWN, UP, Topology

# Keys of the document, and what they are called on the screen.
_COUNTS = {
    "endpoints": "endpoints",
    "hosts": "hosts",
    "rails": "rails",
    "planes": "planes",
    "nvlink_domains": "NVLink domains",
}
_TABLES = {
    "switches": {"tier": "tier", "switches": "switches", "max_ports": "most ports"},
    "cables": {"cables": "cables", "count": "count", "gbps": "Gb/s", "total_tbps": "total Tb/s each way"},
    "oversubscription": {
        "tier": "tier",
        "down_tbps": "down Tb/s",
        "up_tbps": "up Tb/s",
        "oversubscription": "down over up",
    },
}


def fabric_document(topology: Topology) -> CountsPart:
    """Counts for JSON: endpoints, switches by tier, cables by tier with capacity and oversubscription."""
    nodes = topology.nodes
    switch_tiers = nodes.tier[nodes.kind == SWITCH]
    planes = nodes.plane[nodes.kind == SWITCH]
    return {
        "endpoints": topology.n_endpoints,
        "hosts": _distinct(topology.endpoint_host),
        "rails": _distinct(topology.endpoint_rail),
        "planes": max(1, _distinct(planes)),
        "nvlink_domains": topology.n_domains,
        "switches": [
            {"tier": int(tier), "switches": int(count), "max_ports": _max_ports(topology, int(tier))}
            for tier, count in zip(*np.unique(switch_tiers, return_counts=True), strict=True)
        ],
        "cables": _cables(topology),
        "oversubscription": _oversubscription(topology),
    }


def fabric_tables(topology: Topology) -> list[Table | Facts]:
    """The same as tables."""
    document: Mapping[str, object] = fabric_document(topology)
    counts = tuple((text, f"{document[key]:,}") for key, text in _COUNTS.items())
    tables: list[Table | Facts] = [Facts(topology.name, counts)]
    for title, headings in _TABLES.items():
        rows = document[title]
        assert isinstance(rows, list)
        if rows:
            columns = tuple(headings.values())
            texts = tuple(tuple(_text(row[key]) for key in headings) for row in rows)
            tables.append(Table(title.capitalize(), columns, texts, frozenset(columns[1:])))
    return tables


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


def _distinct(values: Int32Vector) -> int:
    return int(np.unique(values[values != UNKNOWN]).size)


def _max_ports(topology: Topology, tier: int) -> int:
    chosen = (topology.nodes.kind == SWITCH) & (topology.nodes.tier == tier)
    return int(np.diff(topology.out_start)[chosen].max(initial=0))


def _cables(topology: Topology) -> list[CablesPart]:
    rows: list[CablesPart] = []
    up = np.flatnonzero(topology.link_tail < topology.link_head)
    within = topology.link_direction[up] == PEER
    keys = np.stack([topology.link_kind[up] == NVLINK, topology.link_kind[up], topology.link_tier[up], within])
    for _, kind, tier, peers in np.unique(keys, axis=1).T:
        links = up[(topology.link_kind[up] == kind) & (topology.link_tier[up] == tier) & (within == peers)]
        speeds = np.unique(topology.link_capacity_gbps[links])
        rows.append(
            {
                "cables": tier_name(int(kind), int(tier), PEER if peers else UP),
                "count": int(links.size),
                "gbps": "/".join(f"{speed:g}" for speed in speeds),
                "total_tbps": float(topology.link_capacity_gbps[links].sum() / 1e3),
            }
        )
    return rows


def _oversubscription(topology: Topology) -> list[OversubscriptionPart]:
    """Downward over upward capacity of each switch tier that has both."""
    rows: list[OversubscriptionPart] = []
    nodes = topology.nodes
    for tier in np.unique(nodes.tier[nodes.kind == SWITCH]):
        of_tier = (nodes.kind[topology.link_tail] == SWITCH) & (nodes.tier[topology.link_tail] == tier)
        down = float(topology.link_capacity_gbps[of_tier & (topology.link_direction == DOWN)].sum())
        up = float(topology.link_capacity_gbps[of_tier & (topology.link_direction == UP)].sum())
        if up > 0:
            rows.append(
                {"tier": int(tier), "down_tbps": down / 1e3, "up_tbps": up / 1e3, "oversubscription": down / up}
            )
    return rows


def fabric_report(given: OpenedFabric) -> Report:
    """What `fabric show` has to say."""
    document: FabricDocument = {
        "schema": "railscope.fabric/1",
        "fabric": fabric_facts(given),
        **fabric_document(given.topology),
        "assumptions": list(given.assumptions),
    }
    return Report(document, fabric_tables(given.topology), assumptions=given.assumptions)


def presets_report() -> Report:
    """What `fabric list` has to say."""
    presets = [read_preset(name).fabric for name in preset_names()]
    rows: list[PresetPart] = [
        {"name": one.name, "technology": one.technology, "description": one.description} for one in presets
    ]
    lines = tuple((one.name, one.technology, one.description) for one in presets)
    document: PresetsDocument = {"schema": "railscope.presets/1", "presets": rows}
    return Report(document, [Table("Presets", ("name", "technology", "description"), lines)])
