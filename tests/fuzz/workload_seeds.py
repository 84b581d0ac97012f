"""Small valid traces of Chakra and workloads of SimAI, AICB and ASTRA-sim."""

from tests.traces.chakra_twins import collective, json_list, json_node, node, receive, ring, send, stream
from tests.traces.test_simai_workload import BARE, CSV, HEADER, workload
from traces.order import rounds
from traces.registry import read_trace
from traces.simai_workload import read_simai

_GROUPS = node(0, 1, "## process_group:init ##", values='[{"pg_name": "0", "ranks": [], "group_size": 4}]')
_NODES = (
    _GROUPS,
    collective(1, "all-gather", 4096, pg_name="0", involved_dim=[True], start=500, duration=30),
    collective(2, "all-reduce", 512, involved_dim=[True, False]),
    send(3, 2, 100, tag=7),
    receive(4, 3, 200),
    node(5, 4, "aten::mm", duration=9),
)

CHAKRA = (stream(*_NODES), ring(0, 4, 3, 1000))
CHAKRA_JSON = (
    json_list(
        json_node(0, 7, "AG", 5, comm_type=2, comm_size=4096, involved_dim=[True, False]),
        json_node(1, 5, "pp_send", comm_size=77, comm_src=0, comm_dst=3),
        json_node(2, 4, "mm", 9),
    ).encode(),
)
SIMAI = (workload().encode(), workload(f"{HEADER} pp_comm: 1000.0").encode())
AICB = (CSV.encode(),)
ASTRA_SIM = (workload("HYBRID_TRANSFORMER model_parallel_NPU_group: 2").encode(), workload("DATA").encode())
UNNAMED = (workload(BARE).encode(), workload("MICRO").encode())


def ordered(path: str) -> None:
    """Read a trace, and put its operations into an order."""
    rounds(read_trace(path))


def ordered_simai(path: str) -> None:
    """The same of a workload that somebody says is SimAI's."""
    rounds(read_simai(path))
