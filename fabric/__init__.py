"""Where traffic goes: topology, placement, routing, loads, hotspots, reports and the command line.

The public names are loaded when they are first used, so that the command line starts at once.
"""

import importlib
from typing import TYPE_CHECKING, Any

DISTRIBUTION = "railscope"

if TYPE_CHECKING:
    from fabric.analysis import Analysis, analyse, over_hash_seeds
    from fabric.builders import FabricDescription, build, fat_tree, load_description, load_preset, preset_names
    from fabric.compare import Design, Job, Outcome, Rung, ladder
    from fabric.formats.node_link import from_networkx, read_node_link, to_networkx, write_node_link
    from fabric.heatmap import compare_figure
    from fabric.hotspots import (
        Hotspot,
        TierSummary,
        bottleneck,
        hotspots,
        links_in_job,
        schedule_bottleneck,
        tier_summaries,
    )
    from fabric.load import LinkLoads, ScheduleLoads, link_loads, schedule_loads
    from fabric.loading import LoadedFabric, load_fabric
    from fabric.placement import Placement, domain_of_rank, explicit, packed, rail_of_rank, scattered
    from fabric.report import links_csv
    from fabric.routing import Adaptive, DModK, Ecmp, Routing
    from fabric.topology import Cables, Nodes, Topology

_HOME = {
    "fabric.analysis": ("Analysis", "analyse", "over_hash_seeds"),
    "fabric.builders": ("FabricDescription", "build", "fat_tree", "load_description", "load_preset", "preset_names"),
    "fabric.compare": ("Design", "Job", "Outcome", "Rung", "ladder"),
    "fabric.formats.node_link": ("from_networkx", "read_node_link", "to_networkx", "write_node_link"),
    "fabric.heatmap": ("compare_figure",),
    "fabric.hotspots": (
        "Hotspot",
        "TierSummary",
        "bottleneck",
        "hotspots",
        "links_in_job",
        "schedule_bottleneck",
        "tier_summaries",
    ),
    "fabric.load": ("LinkLoads", "ScheduleLoads", "link_loads", "schedule_loads"),
    "fabric.loading": ("LoadedFabric", "load_fabric"),
    "fabric.placement": ("Placement", "domain_of_rank", "explicit", "packed", "rail_of_rank", "scattered"),
    "fabric.report": ("links_csv",),
    "fabric.routing": ("Adaptive", "DModK", "Ecmp", "Routing"),
    "fabric.topology": ("Cables", "Nodes", "Topology"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Adaptive",
    "Analysis",
    "Cables",
    "DModK",
    "Design",
    "Ecmp",
    "FabricDescription",
    "Hotspot",
    "Job",
    "LinkLoads",
    "LoadedFabric",
    "Nodes",
    "Outcome",
    "Placement",
    "Routing",
    "Rung",
    "ScheduleLoads",
    "TierSummary",
    "Topology",
    "analyse",
    "bottleneck",
    "build",
    "compare_figure",
    "domain_of_rank",
    "explicit",
    "fat_tree",
    "from_networkx",
    "hotspots",
    "ladder",
    "link_loads",
    "links_csv",
    "links_in_job",
    "load_description",
    "load_fabric",
    "load_preset",
    "over_hash_seeds",
    "packed",
    "preset_names",
    "rail_of_rank",
    "read_node_link",
    "scattered",
    "schedule_bottleneck",
    "schedule_loads",
    "tier_summaries",
    "to_networkx",
    "write_node_link",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'fabric' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
