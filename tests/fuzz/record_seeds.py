"""Small valid dumps of the flight recorder, lines of NCCL's Inspector, execution traces of PyTorch."""

import json
import pickle

from tests.traces import test_flight_recorder, test_nccl_inspector, test_pytorch_et

_DUMP = test_flight_recorder.dump(
    test_flight_recorder.entry(),
    test_flight_recorder.entry("nccl:_all_gather_base", 2, dtype="BFloat16"),
    test_flight_recorder.entry("nccl:send 0->1", 2, p2p_seq_id=3),
)
_LINES = [
    test_nccl_inspector.line(coll, rank=rank, number=number)
    for number, coll in enumerate(("AllReduce", "AllGather"))
    for rank in range(2)
]
_NODES = [
    *test_pytorch_et.uneven()[0],
    test_pytorch_et.record("send", sequence=[4, True], rank=1),
    test_pytorch_et.record("all_gather", group=("9", "tp"), global_rank_start=0, global_rank_stride=4, pg_size=2),
]
PYTORCH_ET: tuple[bytes, ...]

FLIGHT_RECORDER = (pickle.dumps(_DUMP), json.dumps(_DUMP).encode())
_MESSAGES = [
    *test_nccl_inspector.dump(test_nccl_inspector.line(), test_nccl_inspector.message("Send", 1)),
    *test_nccl_inspector.dump(test_nccl_inspector.message("Recv", 0, rank=1, number=3), rank=1, dropped=2),
]
INSPECTOR = tuple("\n".join(lines).encode() for lines in (_LINES, _MESSAGES))
PYTORCH_ET = (json.dumps(test_pytorch_et.trace(*_NODES)).encode(),)
PYTORCH_ET += (json.dumps(test_pytorch_et.trace(*test_pytorch_et.uneven(group=77)[1], groups="", rank=1)).encode(),)
