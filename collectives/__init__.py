"""Who talks to whom: ranks, bytes, steps.  Knows no network."""

from collectives.algorithm import Algorithm, JobFacts
from collectives.alltoall import all_to_all, rail_aligned_all_to_all
from collectives.bandwidth import COLLECTIVES, algbw_GBps, bus_factor, busbw_GBps
from collectives.catalog import (
    ALGORITHMS,
    algorithm_of,
    collective_schedule,
    register_algorithm,
    unregister_algorithm,
)
from collectives.channels import Channel, channels
from collectives.demand import AllToAll, Demand, Flows, Groups, Reduction
from collectives.errors import InputError
from collectives.hierarchical import hierarchical_all_reduce
from collectives.layout import ParallelLayout
from collectives.proof import prove
from collectives.ring import ring_all_gather, ring_all_reduce, ring_broadcast, ring_reduce, ring_reduce_scatter
from collectives.schedule import Phase, Schedule
from collectives.sizes import format_bytes, parse_bytes, parse_sizes
from collectives.steps import NetworkStep, Program, Step, Sum, schedule_of, step_of
from collectives.transport import rail_aligned

DISTRIBUTION = "railscope"

__all__ = [
    "ALGORITHMS",
    "COLLECTIVES",
    "Algorithm",
    "AllToAll",
    "Channel",
    "Demand",
    "Flows",
    "Groups",
    "InputError",
    "JobFacts",
    "NetworkStep",
    "ParallelLayout",
    "Phase",
    "Program",
    "Reduction",
    "Schedule",
    "Step",
    "Sum",
    "algbw_GBps",
    "algorithm_of",
    "all_to_all",
    "bus_factor",
    "busbw_GBps",
    "channels",
    "collective_schedule",
    "format_bytes",
    "hierarchical_all_reduce",
    "parse_bytes",
    "parse_sizes",
    "prove",
    "rail_aligned",
    "rail_aligned_all_to_all",
    "register_algorithm",
    "ring_all_gather",
    "ring_all_reduce",
    "ring_broadcast",
    "ring_reduce",
    "ring_reduce_scatter",
    "schedule_of",
    "step_of",
    "unregister_algorithm",
]
