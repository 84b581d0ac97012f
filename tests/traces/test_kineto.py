"""Kineto traces: the ground truth of real ones, joins of several ranks' files, and refusals."""

import contextlib
import gzip
import json
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import AllToAll, Flows, InputError
from tests.naive.routing import pairs_of
from tests.shared_data import TWINS, shared
from traces import read_kineto, trace_schedule

RESNET = TWINS / "resnet_2rank_rank0.json.gz"
DLRM = sorted((TWINS / "dlrm").glob("*.gz"))


def comms(name="allreduce", n=1000, dtype="Float", ranks=(0, 1, 2, 3), **more):
    args = {"Collective name": name, "dtype": dtype, "In msg nelems": n, "Out msg nelems": n}
    args |= {"Group size": len(ranks), "Process Group Name": "0", "Process Group Ranks": json.dumps(list(ranks))}
    args |= {"In split size": "[]", "Out split size": "[]"}
    return {"ph": "X", "cat": "cpu_op", "name": "record_param_comms", "ts": 1.5, "args": args | more}


def write(folder, rank, events, world=4, **info):
    path = Path(folder) / f"rank{rank}.json"
    document = {"distributedInfo": {"rank": rank, "world_size": world, **info}, "traceEvents": events}
    path.write_text(json.dumps(document))
    return path


def test_resnet_has_21_collectives():
    """Counted by an independent parser; kernels and annotations repeat each of them."""
    trace = read_kineto(shared("traces", "kineto", "hta_resnet_2rank_rank0.json.gz"))
    found: dict[tuple[str, str], tuple[int, float]] = {}
    for operation in trace.operations:
        assert operation.bytes is not None
        count, total = found.get((operation.kind, operation.dtype), (0, 0))
        found[operation.kind, operation.dtype] = (count + 1, total + operation.bytes)
        assert (operation.ranks, operation.group_size, operation.complete) == ((0, 1), 2, True)
    assert found == {
        ("all-reduce", "Float"): (15, 306_684_384),
        ("broadcast", "Float"): (3, 637_440),
        ("broadcast", "Long"): (3, 1_272),
    }
    assert dict(trace.ignored) == {"wait records": 6}
    assert trace.n_ranks == 2


def test_resnet_sends_its_bytes_both_ways():
    schedule, assumptions = trace_schedule(read_kineto(shared("traces", "kineto", "hta_resnet_2rank_rank0.json.gz")), 2)
    sent = np.zeros((2, 2))
    for phase in schedule.phases:
        for demand in phase.demands:
            for i, j, amount in pairs_of(demand):
                sent[i, j] += phase.repeat * amount
    # A ring of two sends S each way; a broadcast only from the root.
    np.testing.assert_allclose(sent, [[0, 306_684_384 + 637_440 + 1_272], [306_684_384, 0]])
    assert any("root" in line for line in assumptions)


def test_a_twin_of_resnet_has_as_many():
    trace = read_kineto(RESNET)
    assert len(trace.operations) == 21
    kinds = [(operation.kind, operation.dtype) for operation in trace.operations]
    assert (kinds.count(("all-reduce", "Float")), kinds.count(("broadcast", "Float"))) == (15, 3)
    assert sum(operation.bytes or 0 for operation in trace.operations if operation.kind == "all-reduce") == 306e6
    assert dict(trace.ignored) == {"wait records": 6}


def test_dlrm_has_104_events_without_sizes():
    trace = read_kineto(DLRM)
    assert trace.operations == ()
    assert dict(trace.ignored) == {"communication events without sizes": 104}
    assert any(line.startswith("104 communication events have no sizes") for line in trace.warnings)
    with pytest.raises(InputError, match="no operation with a size: found 104 communication events without sizes"):
        trace_schedule(trace, 8)


def test_annotations_of_the_real_one_say_8_operations():
    """5 all-to-alls and 3 all-reduces on each of 8 ranks, whose operators have no parameters."""
    trace = read_kineto(sorted(shared("traces", "kineto", "param_dlrm_8rank_nometa").glob("*.gz")))
    found = [(operation.kind, operation.bytes, operation.group_size) for operation in trace.operations]
    assert sorted(kind for kind, _, _ in found) == ["all-reduce"] * 3 + ["all-to-all"] * 5
    assert sum(size for kind, size, _ in found if kind == "all-reduce" and size is not None) == 2_485_252
    assert {size for _, _, size in found} == {8}
    assert dict(trace.ignored) == {"communication events without sizes": 40}
    assert any("annotations do not say their splits, which are taken as even" in line for line in trace.warnings)


def test_members_files_join_to_one_operation(tmp_path):
    events = [comms(), comms("_allgather_base", 10), comms("broadcast", 5)]
    trace = read_kineto([write(tmp_path, rank, events) for rank in range(4)])
    assert [(o.kind, o.bytes, o.sequence) for o in trace.operations] == [
        ("all-reduce", 4000.0, 0),
        ("all-gather", 40.0, 1),
        ("broadcast", 20.0, 2),
    ]
    assert trace.warnings == ()


def test_uneven_splits_make_a_matrix(tmp_path):
    rows = [[1, 2, 3, 4], [0, 0, 8, 2], [5, 5, 0, 0], [9, 1, 0, 0]]
    # Splits count rows of two elements each: 20 Floats for 10 rows.
    files = [
        write(tmp_path, rank, [comms("all_to_allv", 20, **{"In split size": str(row)})])
        for rank, row in enumerate(rows)
    ]
    trace = read_kineto(files)
    splits = trace.operations[0].splits
    assert splits is not None
    np.testing.assert_allclose(splits, 8.0 * np.array(rows))
    schedule, _ = trace_schedule(trace, 4)
    got = np.zeros((4, 4))
    for i, j, amount in pairs_of(schedule.phases[0].demand):
        got[i, j] = amount
    np.testing.assert_allclose(got, 8.0 * np.array(rows))
    alone = read_kineto(files[0])
    assert alone.operations[0].missing == ("splits of all ranks",)
    with pytest.raises(InputError, match="splits of all ranks missing in 1"):
        trace_schedule(alone, 4)


def test_even_splits_of_one_rank_are_a_uniform_all_to_all(tmp_path):
    path = write(
        tmp_path, 0, [comms("all_to_all", 400), comms("all_to_allv", 400, **{"In split size": "[1, 1, 1, 1]"})]
    )
    schedule, _ = trace_schedule(read_kineto(path), 4)
    (phase,) = schedule.phases
    assert isinstance(phase.demand, AllToAll)
    assert (phase.repeat, phase.total_bytes()) == (2, 4 * 3 * 400.0)


def test_cut_rank_lists_are_recovered(tmp_path):
    cut = "[" + ", ".join(map(str, range(30))) + ", ...]"
    event = comms(ranks=range(64), **{"Process Group Ranks": cut, "Process Group Name": "7"})
    listed = write(tmp_path, 0, [event], 128, pg_config=[{"pg_name": "7", "pg_size": 64, "ranks": list(range(64))}])
    assert read_kineto(listed).operations[0].ranks == tuple(range(64))
    everyone = write(tmp_path, 1, [event], 64, pg_config=[{"pg_name": "7", "pg_size": 64, "ranks": []}])
    assert read_kineto(everyone).operations[0].ranks == tuple(range(64))
    event["args"] |= {"Global rank start": 2, "Global rank stride": 2}
    assert read_kineto(write(tmp_path, 2, [event], 128)).operations[0].ranks == tuple(range(2, 130, 2))
    event["args"] |= {"Global rank stride": -1}
    lost = read_kineto(write(tmp_path, 3, [event], 128))
    assert (lost.operations[0].ranks, lost.operations[0].missing) == ((), ("ranks",))
    assert "1 of 1 operations: ranks missing" in lost.warnings


def test_sends_and_receives_are_one_message(tmp_path):
    send = comms("send", 10, ranks=(0, 4, 8, 12), **{"Dst Rank": 3})
    recv = comms("recv", 10, ranks=(0, 4, 8, 12), **{"Src Rank": 0})
    trace = read_kineto([write(tmp_path, 0, [send], 16), write(tmp_path, 12, [recv], 16)])
    assert [(o.kind, o.ranks, o.bytes) for o in trace.operations] == [("send-recv", (0, 12), 40.0)]
    schedule, _ = trace_schedule(trace, 16)
    assert isinstance(schedule.phases[0].demand, Flows)


def test_what_is_no_traffic_is_counted_apart(tmp_path):
    events = [comms(), comms("barrier"), comms(ranks=(0,)), comms("wait"), comms("psychic_reduce"), comms(dtype="Quux")]
    trace = read_kineto(write(tmp_path, 0, events))
    assert dict(trace.ignored) == {"barriers": 1, "collectives of a group of one": 1, "wait records": 1}
    assert [operation.missing for operation in trace.operations] == [(), ("size",)]
    assert any("unknown collective 'psychic_reduce'" in line for line in trace.warnings)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x1f\x8b\x08\x00rest", "not a whole gzip file"),
        (gzip.compress(b'{"traceEvents": []}', mtime=0)[:-9], "not a whole gzip file"),
        (b'{"traceEvents":\n [}', r"bad.json:2: not JSON"),
        (b"[1, 2]", "not a Kineto trace; expected an object with a list `traceEvents`"),
        (b'{"nodes": []}', "not a Kineto trace"),
        (b'{"traceEvents": [3]}', r"traceEvents\[0\]: expected an object"),
        (b'{"traceEvents": [{"name": "x"}]}', "no communication events"),
        (b"\xff\xfe{}", "not UTF-8"),
        (json.dumps({"traceEvents": [comms(n=-5)]}).encode(), r"traceEvents\[0\]: In msg nelems -5: expected"),
        (json.dumps({"traceEvents": [comms(n=float("nan"))]}).encode(), r"traceEvents\[0\]: In msg nelems nan"),
    ],
)
def test_refuses_in_one_line(tmp_path, content, message):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as refusal:
        read_kineto(path)
    assert "\n" not in str(refusal.value)


def test_refuses_files_that_are_not_of_one_job(tmp_path):
    one = write(tmp_path, 0, [comms()])
    twin = tmp_path / "twin.json"
    twin.write_bytes(one.read_bytes())
    with pytest.raises(InputError, match=r"twin.json: rank 0 was read from .*rank0.json already"):
        read_kineto([one, twin])
    for other, said in ((comms("_allgather_base"), "all-gather of 4,000"), (comms(n=1001), "all-reduce of 4,004")):
        places = rf"rank0.json: traceEvents\[0\]: all-reduce of 4,000 bytes, but .*rank1.json: traceEvents\[0\]: {said}"
        with pytest.raises(InputError, match=places + " bytes; expected the members of group '0' to agree"):
            read_kineto([one, write(tmp_path, 1, [other])])
    with pytest.raises(InputError, match="world sizes"):
        read_kineto([one, write(tmp_path, 2, [comms()], 8)])
    with pytest.raises(InputError, match="rank 3; the job has ranks 0 to 1"):
        trace_schedule(read_kineto(one), 2)
    with pytest.raises(InputError, match="cannot be read"):
        read_kineto(tmp_path / "none.json")


def test_windows_that_do_not_begin_together_are_joined_by_sequence(tmp_path):
    """One rank was recorded from its second operation on; without sequences that is a contradiction."""
    sizes = (1000, 2000, 3000)
    events = [comms(n=n, Seq=7 + i) for i, n in enumerate(sizes)]
    paths = [write(tmp_path, 0, events), write(tmp_path, 1, [*events[1:], comms(n=4000, Seq=10)])]
    trace = read_kineto(paths)
    assert sorted((one.sequence, one.bytes) for one in trace.operations) == [
        (7 + i, 4.0 * n) for i, n in enumerate((*sizes, 4000))
    ]
    with pytest.raises(InputError, match="expected the members of group '0' to agree"):
        read_kineto([write(tmp_path, 0, [comms(n=n) for n in sizes]), write(tmp_path, 1, [comms(n=2000)])])


def test_whose_trace_it_is_may_stand_behind_the_events(tmp_path):
    ahead = json.loads(write(tmp_path, 3, [comms("send", **{"Dst Rank": 1})]).read_text())
    behind = tmp_path / "behind.json"
    behind.write_text(json.dumps(dict(reversed(ahead.items())), indent=1))
    assert next(iter(json.loads(behind.read_text()))) == "traceEvents"
    trace = read_kineto(behind)
    assert trace.traced == (3,)
    assert [one.ranks for one in trace.operations] == [(3, 1)]


def test_a_large_file_is_not_held(tmp_path):
    """20 MB of events, most of which say nothing of communication; gzip too."""
    python = {"ph": "X", "cat": "python_function", "name": "x" * 400, "ts": 1.0, "args": {"Python id": 1}}
    events = [comms(Seq=n) if n % 2500 == 0 else python for n in range(40_000)]
    path = write(tmp_path, 0, events)
    packed = tmp_path / "packed.json.gz"
    packed.write_bytes(gzip.compress(path.read_bytes(), 1))
    assert path.stat().st_size > 19e6
    for one in (path, packed):
        tracemalloc.start()
        assert len(read_kineto(one).operations) == 16
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 9e6


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_no_mutation_makes_it_crash(data):
    """Whatever stands in an argument, the answer is a trace or one clear line."""
    names = ["allreduce", "all_to_allv", "send", "recv", "broadcast", "wait", "scatter"]
    events = [comms(data.draw(st.sampled_from(names)), ranks=(0, 1)) for _ in range(2)]
    for event in events:
        for key in data.draw(
            st.lists(st.sampled_from([*event["args"], "Seq", "Dst Rank", "Global rank stride"]), max_size=3)
        ):
            event["args"][key] = data.draw(JSON)
    info = {"pg_config": data.draw(JSON)}
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, 0, events, data.draw(st.sampled_from([2, None, "x", -1])), **info)
        with contextlib.suppress(InputError):
            trace_schedule(read_kineto(path), 4)


def test_the_root_of_newer_traces_is_the_fourth_concrete_input(tmp_path):
    """`record_param_comms`: tensors, sequence number, group, then the root's place in the group."""
    one = comms("broadcast", 100, ranks=(0, 2, 4, 6))
    one["args"]["Concrete Inputs"] = ["", "(7, False)", "('0', 'default_pg')", "2", "broadcast", "[]", "[]"]
    trace = read_kineto(write(tmp_path, 0, [one], 8))
    (operation,) = trace.operations
    assert operation.root == 2
    schedule, assumptions = trace_schedule(trace, 8)
    (flows,) = schedule.phases[0].demands
    assert isinstance(flows, Flows)
    # The ring is cut open before rank 4.
    assert (flows.src.tolist(), flows.dst.tolist()) == ([4, 6, 0], [6, 0, 2])
    assert not any("root" in line for line in assumptions)
    del one["args"]["Concrete Inputs"]
    unsaid = read_kineto(write(tmp_path, 1, [one], 8))
    assert unsaid.operations[0].root is None
    assert any("the trace does not name the root" in line for line in trace_schedule(unsaid, 8)[1])


@pytest.mark.parametrize("number", [10**12, "1000000000000", 10**30, -1, 2**24])
def test_a_world_that_nobody_has_is_none(tmp_path, number):
    """Its ranks would fill the memory."""
    path = tmp_path / "t.json"
    event = comms()
    event["args"] = {**event["args"], "Process Group Ranks": "[]"}
    document = {
        "distributedInfo": {"rank": 0, "world_size": number, "pg_config": [{"pg_name": "0", "ranks": []}]},
        "traceEvents": [event],
    }
    path.write_text(json.dumps(document))
    trace = read_kineto(path)
    assert trace.n_ranks is None
    assert all(len(one.ranks) < 1000 for one in trace.operations)
