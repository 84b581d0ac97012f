"""Exposed communication of profiled ranks, against a slow count."""

import json

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.shared_data import shared
from tests.traces.test_kineto import comms, write
from traces import read_kineto
from traces.gpu_time import GpuTime, joined, uncovered_s

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), max_size=9)


def array(spans):
    return np.array([(start, start + lasted) for start, lasted in spans], float).reshape(-1, 2)


def ticks(spans):
    """Unit stretches of time that are covered."""
    return {tick for start, lasted in spans for tick in range(start, start + lasted)}


@given(SPANS, SPANS)
def test_lengths_are_those_of_counted_ticks(one, other):
    spans, cover = joined(array(one)), joined(array(other))
    for each, given_spans in ((spans, one), (cover, other)):
        assert (each[:, 1] - each[:, 0]).sum() == len(ticks(given_spans))
        assert np.all(each[1:, 0] > each[:-1, 1])
    assert uncovered_s(spans, cover) == pytest.approx(len(ticks(one) - ticks(other)))
    assert GpuTime(0, cover, spans).exposed_s == uncovered_s(spans, cover)


def kernel(name, ts, dur, **args):
    return {"ph": "X", "cat": "kernel", "name": name, "ts": ts, "dur": dur, "args": args}


def ring(ts, dur, n=1000):
    said = {"Collective name": "allreduce", "dtype": "Float", "In msg nelems": n, "Process Group Name": "0"}
    return kernel("ncclDevKernel_AllReduce_Sum_f32_RING_LL(ncclDevKernelArgsStorage<4096ul>)", ts, dur, **said)


def test_operations_start_when_their_kernels_do(tmp_path):
    """The host issued both at 1.5 us; the later of two ranks is when the bytes begin to move."""
    issued = [comms(ranks=(0, 1), Seq=n) for n in (1, 2)]
    paths = [
        write(tmp_path, 0, [*issued, ring(100.0, 50.0), ring(300.0, 20.0)], 2),
        write(tmp_path, 1, [*issued, ring(140.0, 10.0), ring(290.0, 30.0)], 2),
    ]
    trace = read_kineto(paths)
    assert [one.start_s for one in trace.operations] == pytest.approx([140e-6, 300e-6])
    assert [one.measured_s for one in trace.operations] == pytest.approx([10e-6, 20e-6])


def test_kernels_that_communicate_are_told_from_those_that_compute(tmp_path):
    events = [
        comms(),
        ring(100.0, 50.0),
        kernel("void gemm_kernel<float>(float*)", 120.0, 100.0),
        kernel("deep_ep::internode::dispatch<true>", 230.0, 10.0),
        kernel("two_shot_all_reduce_kernel", 250.0, 10.0),
        kernel("nvshmemi_transfer", 265.0, 1.0),
        {"ph": "X", "cat": "gpu_memcpy", "name": "Memcpy HtoD", "ts": 100.0, "dur": 20.0},
        kernel("no end", 100.0, "x"),
    ]
    (known,) = read_kineto(write(tmp_path, 2, events)).gpu_times
    assert known.rank == 2
    np.testing.assert_allclose(known.compute, [[120e-6, 220e-6]])
    assert known.span_s == pytest.approx(166e-6)
    assert known.exposed_s == pytest.approx((20 + 10 + 10 + 1) * 1e-6)


def test_a_trace_without_kernels_says_nothing_of_time(tmp_path):
    assert read_kineto(write(tmp_path, 0, [comms()])).gpu_times == ()


def test_a_real_rank_counted_microsecond_by_microsecond():
    import gzip

    path = shared("traces", "kineto", "hta_resnet_2rank_rank0.json.gz")
    events = json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]
    kernels = [event for event in events if event.get("cat") == "kernel"]
    first = min(event["ts"] for event in kernels)
    busy = {}
    for network in (True, False):
        # Tenths of a microsecond.
        busy[network] = np.zeros(int((max(event["ts"] + event["dur"] for event in kernels) - first) * 10) + 2, bool)
        for event in kernels:
            if event["name"].startswith("nccl") == network:
                start = (event["ts"] - first) * 10
                busy[network][round(start) : round(start + event["dur"] * 10)] = True
    exposed = np.count_nonzero(busy[True] & ~busy[False]) * 1e-7
    (known,) = read_kineto(path).gpu_times
    assert len(kernels) == 2700
    assert known.exposed_s == pytest.approx(exposed, rel=1e-3)
    assert known.span_s == pytest.approx(660_551e-6, rel=1e-6)
