"""The public names of `traces`, each in the module where it lives: the one list of them."""

from .aicb_csv import read_aicb as read_aicb
from .chakra_et import read_chakra_et as read_chakra_et
from .chakra_json import read_chakra_json as read_chakra_json
from .flight_recorder import read_flight_recorder as read_flight_recorder
from .flows_csv import read_flows_csv as read_flows_csv, read_timed_flows_csv as read_timed_flows_csv
from .goal import read_goal as read_goal
from .kineto import read_kineto as read_kineto
from .msccl_xml import read_msccl as read_msccl
from .nccl_chosen import (
    ChosenAlgorithm as ChosenAlgorithm,
    ChosenChannel as ChosenChannel,
    ChosenEdge as ChosenEdge,
    ChosenGraph as ChosenGraph,
    ChosenWiring as ChosenWiring,
    NcclChoices as NcclChoices,
)
from .nccl_inspector import read_nccl_inspector as read_nccl_inspector
from .nccl_log import read_nccl_log as read_nccl_log
from .nccl_tests import Measurement as Measurement, NcclTests as NcclTests, read_nccl_tests as read_nccl_tests
from .nccl_wiring import read_nccl_choices as read_nccl_choices
from .nccl_xml import (
    HostGpu as HostGpu,
    HostNic as HostNic,
    HostTopology as HostTopology,
    read_nccl_graph as read_nccl_graph,
    read_nccl_topology as read_nccl_topology,
)
from .operation import Operation as Operation, Trace as Trace
from .paths_csv import Hop as Hop, read_paths_csv as read_paths_csv
from .pytorch_et import read_pytorch_et as read_pytorch_et
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
from .workload.description import (
    Workload as Workload,
    WorkloadDescription as WorkloadDescription,
    read_workload as read_workload,
    workload_names as workload_names,
)
from .workload.parameters import parameters_of as parameters_of
from .workload.step_operations import StepOperation as StepOperation, step_operations as step_operations

DISTRIBUTION: str
