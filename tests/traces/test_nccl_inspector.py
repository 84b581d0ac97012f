"""NCCL Inspector's lines: what sizes mean, whose ranks they are, and what is refused."""

import json

import pytest

from collectives.errors import InputError
from tests.shared_data import shared
from traces.order import rounds
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


def message(kind, peer, size=65536, rank=0, number=1, n_ranks=2, identity="0x1", pid=None, us=50, **more):
    whole = json.loads(line(rank=rank, n_ranks=n_ranks, identity=identity, pid=pid))
    del whole["coll_perf"]
    whole["p2p_perf"] = {
        "p2p": kind,
        "p2p_sn": number,
        "p2p_peer": peer,
        "p2p_msg_size_bytes": size,
        "p2p_exec_time_us": us,
        "p2p_timing_source": "kernel_gpu",
        **more,
    }
    return json.dumps(whole)


def dump(*records, rank=0, n_ranks=2, dropped=0, collectives=None):
    """As v4.3 writes them: whose they are stands before them."""
    parts = [json.loads(one) for one in records]
    first = json.loads(line(rank=rank, n_ranks=n_ranks).replace("v4.0", "v4.3"))
    del first["coll_perf"]
    first["header"]["comm_name"] = "unknown"
    kinds = [next(key for key in one if key.endswith("_perf")) for one in parts]
    first["dump_stats"] = {
        "coll_records": kinds.count("coll_perf") if collectives is None else collectives,
        "coll_dropped_total": dropped,
        "coll_dropped_since_last_dump": dropped,
        "p2p_records": kinds.count("p2p_perf"),
        "p2p_dropped_since_last_dump": 0,
    }
    return [json.dumps(first), *(json.dumps({key: one[key]}) for key, one in zip(kinds, parts, strict=True))]


def read(tmp_path, *lines):
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return read_trace(str(path))


@pytest.mark.parametrize(
    ("coll", "kind", "bytes_"),
    [("AllReduce", "all-reduce", 1024), ("AllGather", "all-gather", 1024), ("ReduceScatter", "reduce-scatter", 4096),
     ("AllToAll", "all-to-all", 4096), ("AlltoAll", "all-to-all", 4096), ("Broadcast", "broadcast", 1024)],
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
    missing = {one.ranks: one.missing for one in trace.operations}
    assert missing == {(0, 1, 2, 3): (), (1, 3): (), (): ("ranks",)}


def test_the_documentations_samples():
    trace = read_trace(str(shared("traces", "nccl_inspector", "doc_samples_v4.jsonl")))
    found = {one.kind: one.bytes for one in trace.operations if one.group == "0xe62dedaa97644a"}
    # 418.4 GB/s for 41,057 us.
    assert found["reduce-scatter"] == pytest.approx(418.439467e9 * 41057e-6, rel=1e-4)


def test_both_ends_of_a_message_are_one_operation(tmp_path):
    # Each rank numbers its own: rank 1 had another message before.
    sent = [message("Send", 1, number=1), message("Send", 1, number=2, us=40), message("Recv", 1, 8192, number=3)]
    got = [message("Send", 0, 8192, rank=1, number=1), message("Recv", 0, rank=1, number=3, us=30)]
    got.append(message("Recv", 0, rank=1, number=2, us=60))
    trace = read(tmp_path, *sent, *got)
    # The first with the second and the second with the third of rank 1's numbers, whatever the order of the lines.
    assert sorted((o.kind, o.ranks, o.group_size, o.bytes, o.measured_s) for o in trace.operations) == [
        ("send-recv", (0, 1), 2, 65536, pytest.approx(30e-6)),
        ("send-recv", (0, 1), 2, 65536, pytest.approx(50e-6)),
        ("send-recv", (1, 0), 2, 8192, pytest.approx(50e-6)),
    ]
    assert all(o.complete for o in trace.operations)
    assert not any("two ranks only" in said for said in trace.warnings)
    assert sum(len(one) for one in rounds(trace)) == 3
    alone = read(tmp_path, *sent, *got[:-1])
    assert len(alone.operations) == 3
    assert any("1 of 3 messages were written by one of their two ranks only" in said for said in alone.warnings)


def test_groups_of_different_ranks_stand_side_by_side(tmp_path):
    files = []
    for rank in range(4):
        half = f"0x{2 + rank % 2}"
        own = [line(rank=rank, n_ranks=4, number=1), line("AllGather", rank=rank // 2, identity=half, pid=rank)]
        (tmp_path / f"{rank}.jsonl").write_text("\n".join([*own, line(rank=rank, n_ranks=4, number=2)]))
        files.append(str(tmp_path / f"{rank}.jsonl"))
    trace = read_trace(files)
    assert [o.ranks for o in trace.operations] == [(0, 1, 2, 3), (1, 3), (0, 2), (0, 1, 2, 3)]
    assert [len(together) for together in rounds(trace)] == [1, 2, 1]
    assert any("the order of communicators" in said for said in trace.warnings)


def test_messages_of_smaller_groups_and_to_oneself(tmp_path):
    whole = [line(rank=rank, n_ranks=4) for rank in range(4)]
    pair = message("Send", 1, identity="0x2", pid=2), message("Recv", 0, rank=1, identity="0x2", pid=1)
    unknown = message("Send", 1, identity="0x3", pid=2)
    trace = read(tmp_path, *whole, *pair, unknown, message("Send", 0, n_ranks=4))
    missing = {one.ranks: one.missing for one in trace.operations}
    assert missing == {(0, 1, 2, 3): (), (2, 1): (), (): ("ranks",)}
    assert dict(trace.ignored) == {"messages of a rank to itself": 1}


def test_a_process_with_several_ranks_tells_nobody(tmp_path):
    whole = [line(rank=rank, n_ranks=4, pid=rank // 2) for rank in range(4)]
    half = [line("AllGather", rank=place, identity="0x2", pid=place) for place in range(2)]
    assert [o.ranks for o in read(tmp_path, *whole, *half).operations] == [(0, 1, 2, 3), ()]


def test_collectives_are_numbered_by_kind(tmp_path):
    lines = [line(coll, size, rank=rank) for coll, size in (("AllReduce", 8), ("AllGather", 16)) for rank in range(2)]
    assert [(o.kind, o.bytes) for o in read(tmp_path, *lines).operations] == [("all-reduce", 8), ("all-gather", 16)]


def test_output_4_3_says_once_whose_records_follow(tmp_path):
    first = dump(line(), line("AllGather"), message("Send", 1), dropped=7)
    second = dump(line(rank=1, us=60), line("AllGather"), message("Recv", 0, rank=1, us=20), rank=1)
    proxy = json.dumps({**json.loads(line()), "proxy_trace": {}})
    trace = read(tmp_path, *first, *second, proxy.replace("coll_perf", "proxy_trace"))
    assert [(o.kind, o.ranks, o.measured_s) for o in trace.operations] == [
        ("all-reduce", (0, 1), pytest.approx(60e-6)),
        ("all-gather", (0, 1), pytest.approx(100e-6)),
        ("send-recv", (0, 1), pytest.approx(20e-6)),
    ]
    assert any("dropped 7 collectives" in said for said in trace.warnings)
    short = read(tmp_path, *first[:-1], *second)
    assert any("1 record that dumps announce are not there" in said for said in short.warnings)


def test_what_is_unknown_is_counted(tmp_path):
    trace = read(tmp_path, line(), line("Shuffle"), line("Send"), message("AllReduce", 1), message("SendRecv", 1))
    assert len(trace.operations) == 1
    assert dict(trace.ignored) == {f"'{name}' records": 1 for name in ("Shuffle", "Send", "AllReduce", "SendRecv")}


def test_names_choices_and_times(tmp_path):
    times = {"event_trace_ts": {"coll_start_ts": 2_000_000}}
    lines = [
        line(number=2, coll_algo="RING", coll_proto="LL", coll_timing_source="collective_cpu", **times),
        line(number=1, coll_algo="TREE", coll_proto="unknown", event_trace_ts={"coll_start_ts": 1_500_000}),
    ]
    trace = read(tmp_path, lines[0].replace('"rank"', '"comm_name": "DP Group 0", "rank"'), lines[1])
    assert [(o.group, o.sequence, o.start_s, o.measured_s) for o in trace.operations] == [
        ("DP Group 0 (0x1)", 1, 1.5, pytest.approx(1e-4)),
        ("DP Group 0 (0x1)", 2, 2.0, None),
    ]
    said = " ".join(trace.warnings)
    assert "left out: which algorithm and protocol NCCL took (records: RING LL 1, TREE 1)" in said
    assert "1 of 2 times are of the host's enqueuing" in said


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((message("Send", 2),), "p2p_perf.p2p_peer 2: expected a whole number from 0 to 1"),
        ((message("Send", None),), "p2p_perf.p2p_peer None"),
        ((message("Send", 1, size="x"),), "p2p_perf.p2p_msg_size_bytes 'x'"),
        ((line(), line(rank=1, n_ranks=4)), r"x.jsonl:2: communicator '0x1' of 4 ranks, but .*x.jsonl:1: of 2"),
        ((line(), "[1]", line()), "x.jsonl:2: .* expected a record"),
        (dump(line(), collectives=-1), "x.jsonl:1: dump_stats.coll_records -1"),
        ((*dump(line()), *dump(line())[1:]), "x.jsonl:3: .* those that a dump_stats announces"),
        (dump(line())[1:], "x.jsonl:1: .* those that a dump_stats announces"),
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
