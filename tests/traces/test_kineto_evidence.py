"""Traffic that no `record_param_comms` event stands for, in files of the shape that PyTorch writes."""

import json

import pytest

from collectives import InputError
from tests.traces.test_kineto import comms, write
from traces import read_kineto, trace_schedule


def operator(name, dims, kind, *inputs, cat="cpu_op", **more):
    args = {"Input Dims": dims, "Input type": kind, "Concrete Inputs": list(inputs)}
    return {"ph": "X", "cat": cat, "name": name, "ts": 3.0, "dur": 9.0, "args": args | more}


GROUPS = [{"pg_name": "0", "pg_size": 4, "ranks": [0, 1, 2, 3]}, {"pg_name": "11", "pg_size": 2, "ranks": [0, 1]}]


def test_symmetric_memory_is_traffic(tmp_path):
    """Operators of their own: the dimensions of the input and the name of the group are there."""
    event = operator(
        "symm_mem::multimem_all_reduce_", [[2048, 4096], [], []], ["c10::BFloat16", "", ""], "", "sum", "11"
    )
    trace = read_kineto(write(tmp_path, 0, [comms(), event, event], 4, pg_config=GROUPS))
    assert [(o.kind, o.bytes, o.ranks) for o in trace.operations] == [
        ("all-reduce", 4000.0, (0, 1, 2, 3)),
        ("all-reduce", 2048 * 4096 * 2.0, (0, 1)),
        ("all-reduce", 2048 * 4096 * 2.0, (0, 1)),
    ]
    assert all(operation.complete for operation in trace.operations)


def test_a_group_that_is_not_listed_is_missing(tmp_path):
    event = operator("symm_mem::two_shot_all_reduce_", [[8], [], []], ["float", "", ""], "", "sum", "99")
    (operation,) = read_kineto(write(tmp_path, 0, [event], 4, pg_config=GROUPS)).operations
    assert (operation.bytes, operation.missing) == (32.0, ("ranks",))


def test_annotations_say_what_older_operators_leave_out(tmp_path):
    """`nccl:*` with type and dimensions, where the operators have no parameters."""
    bare = {"ph": "X", "cat": "cpu_op", "name": "record_param_comms", "ts": 1.0, "args": {}}
    events = [bare, operator("nccl:all_reduce", [[1000, 10]], ["float"], cat="user_annotation")]
    trace = read_kineto(write(tmp_path, 0, events, 4))
    assert [(o.kind, o.bytes, o.ranks) for o in trace.operations] == [("all-reduce", 40_000.0, (0, 1, 2, 3))]
    assert trace.warnings == ()
    several = operator("nccl:_all_gather_base", [[[10], [30]]], [["c10::Half", "c10::Half"]], cat="user_annotation")
    assert read_kineto(write(tmp_path, 1, [bare, several], 4)).operations[0].bytes == 80.0


def test_annotations_of_newer_traces_only_repeat(tmp_path):
    events = [comms(), operator("nccl:all_reduce", [[1000]], ["float"], cat="user_annotation")]
    assert len(read_kineto(write(tmp_path, 0, events)).operations) == 1


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            {"cat": "user_annotation", "name": "gloo:all_reduce"},
            "gloo collectives, which go over the hosts' own network",
        ),
        (
            {"cat": "kernel", "name": "void deep_ep::internode::dispatch<false, 4, false>(int)"},
            "DeepEP dispatch kernels, which say no size",
        ),
        (
            {"cat": "kernel", "name": "void deep_ep::intranode::cached_notify_combine<8>(void**)"},
            "DeepEP combine kernels, which say no size",
        ),
        (
            {"cat": "kernel", "name": "ncclDevKernel_SendRecv(ncclDevKernelArgs)", "args": {}},
            "NCCL kernels without an operation, which say no size",
        ),
    ],
)
def test_what_says_no_size_is_named(tmp_path, event, said):
    trace = read_kineto(write(tmp_path, 0, [{"ph": "X", "ts": 1.0, "dur": 5.0, **event}] * 3))
    assert trace.operations == ()
    assert dict(trace.ignored) == {said: 3}
    with pytest.raises(InputError, match=f"no operation with a size: found 3 {said}"):
        trace_schedule(trace, 4)


def test_kernels_of_operations_are_not_counted_again(tmp_path):
    kernel = {"ph": "X", "cat": "kernel", "name": "ncclDevKernel_AllReduce(x)", "ts": 1.0, "dur": 5.0, "args": {}}
    assert dict(read_kineto(write(tmp_path, 0, [comms(), kernel])).ignored) == {}
    assert list(read_kineto(write(tmp_path, 1, [comms(), kernel, kernel])).ignored) == [
        ("NCCL kernels without an operation, which say no size", 1)
    ]


def test_several_records_of_one_operation_are_one(tmp_path):
    """Newer versions write some of them twice, with one sequence number of the group."""
    events = [comms(Seq=5), comms(Seq=5), comms(Seq=6), comms("_allgather_base", Seq=6)]
    trace = read_kineto(write(tmp_path, 0, events))
    assert [operation.kind for operation in trace.operations] == ["all-reduce", "all-reduce", "all-gather"]
    assert dict(trace.ignored) == {"further records of an operation": 1}
    # Without sequence numbers nothing tells a copy from the next operation.
    assert len(read_kineto(write(tmp_path, 1, [comms(), comms()])).operations) == 2


def test_kernels_say_how_long_operations_took(tmp_path):
    def kernel(name, dur, **more):
        args = comms(name, **more)["args"]
        return {"ph": "X", "cat": "kernel", "name": "ncclDevKernel", "ts": 1.0, "dur": dur, "args": args}

    events = [comms(), comms("broadcast", 7), comms()]
    one = [*events, kernel("allreduce", 30.0), kernel("allreduce", 20.0), kernel("broadcast", 4.0, n=7)]
    two = [*events, kernel("allreduce", 25.0), kernel("allreduce", 90.0)]
    trace = read_kineto([write(tmp_path, 0, one), write(tmp_path, 1, two)])
    # Of two ranks' kernels the shorter: who comes early waits for the others in it.
    assert [operation.measured_s for operation in trace.operations] == [
        pytest.approx(25e-6),
        pytest.approx(4e-6),
        pytest.approx(20e-6),
    ]
    assert json.loads((tmp_path / "rank0.json").read_text())["distributedInfo"]["rank"] == 0
