"""Where traffic goes: topology, placement, routing, loads, hotspots, reports and the command line.

The public names are loaded when they are first used, so that the command line starts at once.
"""

import importlib
from typing import TYPE_CHECKING, Any

DISTRIBUTION = "railscope"

if TYPE_CHECKING:
    from fabric.analysis import Analysis, analyse, over_hash_seeds
    from fabric.bounds import Bound, cut_bound, traffic_bound
    from fabric.builders import FabricDescription, build, fat_tree, load_description, load_preset, preset_names
    from fabric.busbw import costs, predict
    from fabric.compare import Design, Job, Outcome, Rung, ladder
    from fabric.cost import Cost, cost_of, predicted_s
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
    from fabric.latency import GivenTimes, Protocol, TimeModel, model_for
    from fabric.linear_program import linear_program_bound
    from fabric.load import LinkLoads, ScheduleLoads, link_loads, schedule_loads
    from fabric.loading import LoadedFabric, load_fabric
    from fabric.paths import RoutedFlows, route_flows
    from fabric.placement import Placement, domain_of_rank, explicit, packed, rail_of_rank, scattered
    from fabric.rates import Completions, FlowPaths, completions, max_min_rates
    from fabric.report import links_csv
    from fabric.routing import Adaptive, DModK, Ecmp, Routing
    from fabric.topology import Cables, Nodes, Topology

_HOME = {
    "fabric.bounds": ("Bound", "cut_bound", "traffic_bound"),
    "fabric.linear_program": ("linear_program_bound",),
    "fabric.busbw": ("costs", "predict"),
    "fabric.cost": ("Cost", "cost_of", "predicted_s"),
    "fabric.latency": ("GivenTimes", "Protocol", "TimeModel", "model_for"),
    "fabric.paths": ("RoutedFlows", "route_flows"),
    "fabric.rates": ("Completions", "FlowPaths", "completions", "max_min_rates"),
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
    "Bound",
    "Cables",
    "Completions",
    "Cost",
    "DModK",
    "Design",
    "Ecmp",
    "FabricDescription",
    "FlowPaths",
    "GivenTimes",
    "Hotspot",
    "Job",
    "LinkLoads",
    "LoadedFabric",
    "Nodes",
    "Outcome",
    "Placement",
    "Protocol",
    "RoutedFlows",
    "Routing",
    "Rung",
    "ScheduleLoads",
    "TierSummary",
    "TimeModel",
    "Topology",
    "analyse",
    "bottleneck",
    "build",
    "compare_figure",
    "completions",
    "cost_of",
    "costs",
    "cut_bound",
    "domain_of_rank",
    "explicit",
    "fat_tree",
    "from_networkx",
    "hotspots",
    "ladder",
    "linear_program_bound",
    "link_loads",
    "links_csv",
    "links_in_job",
    "load_description",
    "load_fabric",
    "load_preset",
    "max_min_rates",
    "model_for",
    "over_hash_seeds",
    "packed",
    "predict",
    "predicted_s",
    "preset_names",
    "rail_of_rank",
    "read_node_link",
    "route_flows",
    "scattered",
    "schedule_bottleneck",
    "schedule_loads",
    "tier_summaries",
    "to_networkx",
    "traffic_bound",
    "write_node_link",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'fabric' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
