"""What a job does: real traces read into collective operations, flows and measurements from files."""

from traces.flows_csv import read_flows_csv, read_timed_flows_csv
from traces.kineto import read_kineto
from traces.nccl_tests import Measurement, NcclTests, read_nccl_tests
from traces.operation import Operation, Trace
from traces.paths_csv import Hop, read_paths_csv
from traces.traffic import trace_schedule

DISTRIBUTION = "railscope"

__all__ = [
    "Hop",
    "Measurement",
    "NcclTests",
    "Operation",
    "Trace",
    "read_flows_csv",
    "read_kineto",
    "read_nccl_tests",
    "read_paths_csv",
    "read_timed_flows_csv",
    "trace_schedule",
]
