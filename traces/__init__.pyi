"""The public names of `traces`, each in the module where it lives: the one list of them."""

from .chakra_et import read_chakra_et as read_chakra_et
from .chakra_json import read_chakra_json as read_chakra_json
from .flows_csv import read_flows_csv as read_flows_csv, read_timed_flows_csv as read_timed_flows_csv
from .kineto import read_kineto as read_kineto
from .nccl_tests import Measurement as Measurement, NcclTests as NcclTests, read_nccl_tests as read_nccl_tests
from .operation import Operation as Operation, Trace as Trace
from .paths_csv import Hop as Hop, read_paths_csv as read_paths_csv
from .registry import (
    TraceFormat as TraceFormat,
    read_trace as read_trace,
    register_trace_format as register_trace_format,
)
from .simai_workload import read_astra_sim as read_astra_sim, read_simai as read_simai
from .traffic import (
    AlikeOperations as AlikeOperations,
    alike_operations as alike_operations,
    trace_schedule as trace_schedule,
)

DISTRIBUTION: str
