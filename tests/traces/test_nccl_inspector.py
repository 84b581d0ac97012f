"""NCCL Inspector's lines: what sizes mean, whose ranks they are, and what is refused."""

import json

import pytest

from collectives.errors import InputError
from tests.shared_data import shared
from traces.registry import read_trace


def line(coll="AllReduce", size=1024, rank=0, n_ranks=2, number=5, identity="0x1", pid=None, us=100, **more):
    return json.dumps(
        {
            "header": {"id": identity, "rank": rank, "n_ranks": n_ranks, "nnodes": 1},
            "metadata": {
                "inspector_output_format_version": "v4.0",
                "hostname": "h",
                "pid": rank if pid is None else pid,
            },
            "coll_perf": {
                "coll": coll,
                "coll_sn": number,
                "coll_msg_size_bytes": size,
                "coll_exec_time_us": us,
                **more,
            },
        }
    )


def read(tmp_path, *lines):
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return read_trace(str(path))


@pytest.mark.parametrize(
    ("coll", "kind", "bytes_"),
    [("AllReduce", "all-reduce", 1024), ("AllGather", "all-gather", 1024), ("ReduceScatter", "reduce-scatter", 4096),
     ("AllToAll", "all-to-all", 4096), ("Broadcast", "broadcast", 1024)],
)  # fmt: skip
def test_sizes_are_those_of_a_rank(tmp_path, coll, kind, bytes_):
    trace = read(tmp_path, line(coll, n_ranks=4), line(coll, rank=1, n_ranks=4, us=50))
    (one,) = trace.operations
    assert (one.kind, one.bytes, one.ranks, one.measured_s) == (kind, bytes_, (0, 1, 2, 3), pytest.approx(5e-5))
    assert any("leaves operations out" in said for said in trace.warnings)


def test_ranks_of_a_smaller_communicator_are_found_by_process(tmp_path):
    whole = [line(rank=rank, n_ranks=4) for rank in range(4)]
    half = [line("AllGather", rank=place, n_ranks=2, identity="0x2", pid=pid) for place, pid in enumerate((1, 3))]
    unknown = line("AllGather", rank=0, n_ranks=2, identity="0x3", pid=0)
    trace = read(tmp_path, *whole, *half, unknown)
    assert [one.ranks for one in trace.operations] == [(0, 1, 2, 3), (1, 3), ()]
    assert trace.operations[2].missing == ("ranks",)


def test_the_documentations_samples():
    trace = read_trace(str(shared("traces", "nccl_inspector", "doc_samples_v4.jsonl")))
    found = {one.kind: one.bytes for one in trace.operations if one.group == "0xe62dedaa97644a"}
    # 418.4 GB/s for 41,057 us.
    assert found["reduce-scatter"] == pytest.approx(418.439467e9 * 41057e-6, rel=1e-4)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((line(), line(size=2048, rank=1)), r"x.jsonl:2: .*x.jsonl:1: .*ranks disagree"),
        ((line(rank=2),), "header.rank"),
        ((line(size=-1),), "coll_msg_size_bytes"),
        ((line().replace("v4.0", "v3.1"),), "expected v4.x"),
        ((line()[:-3], line()), "x.jsonl:1: not JSON"),
        ((json.dumps({"coll_perf": {}}),), "expected header"),
    ],
)
def test_bad_lines_are_refused(tmp_path, lines, said):
    with pytest.raises(InputError, match=said):
        read(tmp_path, *lines)


def test_a_cut_last_line_is_left_out(tmp_path):
    trace = read(tmp_path, line(), line(rank=1)[:-30])
    assert len(trace.operations) == 1
    assert dict(trace.ignored) == {"cut last lines": 1}
