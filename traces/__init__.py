"""What a job does: real traces read into collective operations."""

from traces.flows_csv import read_flows_csv
from traces.kineto import read_kineto
from traces.operation import Operation, Trace
from traces.traffic import trace_schedule

DISTRIBUTION = "railscope"

__all__ = ["Operation", "Trace", "read_flows_csv", "read_kineto", "trace_schedule"]
