"""Small valid logs, schedules and XML of NCCL and MSCCL."""

from tests.traces.test_msccl_xml import algo, all_pairs_reduce_scatter, direct_all_gather, ring_all_reduce
from tests.traces.test_nccl_log import begin, coll, init, world
from tests.traces.test_nccl_wiring import job, mixed
from tests.traces.test_nccl_xml import GRAPHS, HOST

_SPLIT = [init(rank, rank // 2, 4, 1, f"0x{rank % 2 + 1}") for rank in range(8)]
_GROUPS = [*world(prefix="0: "), *_SPLIT, *(coll(rank, "AllReduce", 1000, 4, comm=1) for rank in range(8))]
_ENDS = [(a, b) for a in range(4) for b in range(4)]
_EXCHANGE = [
    *world(4, prefix="[1,0]<stdout>:"),
    *(coll(a, "Send", 10, 4, root=b) for a, b in _ENDS),
    *(coll(b, "Recv", 10, 4, root=a) for a, b in _ENDS),
    *(coll(a, "Broadcast", 10, 4, op=1, root=2) for a in range(4)),
]
_BARE = [coll(rank, "AllGather", 10, 8, op=17, dtype=9, prefix=f"{rank}: ") for rank in range(7)]

_TUNED = [f"{begin(0)}AllReduce: 4096 Bytes -> Algo 1 proto 2 time 12.5", f"{begin(0)}Ring 00 : 7 -> 0 -> 1"]
_TIMED = mixed(job(lazy=True, prefix="[2026-04-28 14:14:48.250] "))

CHOICES = tuple("\n".join(lines).encode() for lines in ([*_TUNED, *mixed(job())], mixed(job(rccl=True)), _TIMED))
LOGS = (*("\n".join(lines).encode() for lines in (_GROUPS, _EXCHANGE, _BARE)), CHOICES[2])
GOAL = (
    b"num_ranks 4\nrank 0 {\nl1: send 8b to 1 tag 0\nl2: send 16b to 2 tag 1\nl2 requires l1\n}\nrank 1 {\n"
    b"l1: recv 8b from 0 tag 0\nl2: calc 100\nl2 requires l1\nl3: send 4b to 3\nl3 requires l2\n}\nrank 2 {\n"
    b"l1: recv 16b from 0 tag 1\n}\nrank 3 {\nl1: recv 4b from 1\n}\n",
)
MSCCL = (
    algo("allreduce", 4, 4, ring_all_reduce(4)).encode(),
    algo("allgather", 4, 4, direct_all_gather(4), 0).encode(),
    algo("reduce_scatter", 3, 3, all_pairs_reduce_scatter(3), 0).encode(),
)
TOPOLOGY, GRAPH = (HOST.encode(),), (GRAPHS.encode(),)
