"""railscope: where a job's traffic lands in a GPU cluster's fabric, and what removes the hotspots.

The public names of the packages `collectives`, `traces` and `fabric`, loaded when they are first used, and the entry
point of the command line.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

_HOME = {
    "fabric.builders": ("FabricDescription", "build", "fat_tree", "load_description", "load_preset", "preset_names"),
    "fabric.formats.node_link": ("from_networkx", "read_node_link", "to_networkx", "write_node_link"),
    "fabric.hotspots": ("Hotspot", "TierSummary", "bottleneck", "hotspots", "links_in_job", "tier_summaries"),
    "fabric.load": ("LinkLoads", "ScheduleLoads", "link_loads", "schedule_loads"),
    "fabric.loading": ("LoadedFabric", "load_fabric"),
    "fabric.placement": ("Placement", "domain_of_rank", "explicit", "packed", "rail_of_rank", "scattered"),
    "fabric.routing": ("Adaptive", "DModK", "Ecmp"),
    "fabric.topology": ("Cables", "Nodes", "Topology"),
    "fabric.compare": ("Design", "Job", "Outcome", "Rung", "ladder"),
    "traces": ("Operation", "Trace", "read_flows_csv", "read_kineto", "trace_schedule"),
    "collectives": (
        "AllToAll",
        "Flows",
        "Groups",
        "InputError",
        "ParallelLayout",
        "Phase",
        "Reduction",
        "Schedule",
        "all_to_all",
        "bus_factor",
        "busbw_GBps",
        "collective_schedule",
        "format_bytes",
        "hierarchical_all_reduce",
        "parse_bytes",
        "rail_aligned",
        "rail_aligned_all_to_all",
        "ring_all_gather",
        "ring_all_reduce",
        "ring_reduce_scatter",
    ),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}
__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'railscope' has no attribute {name!r}")
    _check_packages()
    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return __all__


def _check_packages() -> None:
    """Make sure that the three packages are railscope's own.

    Their names are those of other distributions on PyPI too; installed into one environment, the later one overwrites
    the earlier one's files without a word.

    Raises
    ------
    ImportError
        In one line: which package is not railscope's, and what to do.
    """
    for package in ("collectives", "traces", "fabric"):
        spec = importlib.util.find_spec(package)
        origin = Path(spec.origin) if spec is not None and spec.origin else None
        if origin is None or 'DISTRIBUTION = "railscope"' not in origin.read_text(encoding="utf-8", errors="replace"):
            raise ImportError(
                f"package {package!r} ({origin or 'not found'}) is not railscope's: another distribution of that name "
                "is in the way; install railscope into an environment of its own"
            )


def main() -> None:
    """Run the command line."""
    try:
        _check_packages()
    except ImportError as error:
        print(f"railscope: error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    from fabric.cli import run

    run()


if __name__ == "__main__":
    main()
