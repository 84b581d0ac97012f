"""Dumps of the flight recorder: the real one's truth, a small twin, and what must be refused."""

import io
import json
import os
import pickle
from collections import Counter

import pytest

from collectives.errors import InputError
from tests.shared_data import shared
from traces.flight_recorder_dump import read_dump
from traces.message_order import MEMBER, RECEIVE, SEND
from traces.order import rounds
from traces.registry import read_trace


def entry(name="nccl:all_reduce", sequence=1, sizes=((4, 8),), dtype="Float", group="0", **more):
    return {
        "profiling_name": name, "process_group": (group, "default_pg"), "collective_seq_id": sequence, "p2p_seq_id": 0,
        "input_sizes": [list(one) for one in sizes], "input_dtypes": [dtype] * len(sizes),
        "output_sizes": [list(one) for one in sizes], "output_dtypes": [dtype] * len(sizes),
        "time_created_ns": 10**18, "state": "completed", **more,
    }  # fmt: skip


def dump(*entries, version="2.9", ranks="[0, 1]"):
    return {
        "version": version,
        "pg_config": {"0": {"name": "0", "desc": "x", "ranks": ranks}},
        "entries": list(entries),
    }


def written(folder, *documents, pickled=True):
    paths = []
    for rank, document in enumerate(documents):
        path = folder / f"_dump_{rank}"
        path.write_bytes(pickle.dumps(document) if pickled else json.dumps(document).encode())
        paths.append(str(path))
    return paths


@pytest.mark.parametrize("pickled", [True, False])
def test_ranks_are_joined(tmp_path, pickled):
    one = dump(
        entry(), entry("nccl:_all_gather_base", 2), entry("nccl:send 0->1", 2, p2p_seq_id=3), entry("nccl:barrier", 3)
    )
    other = dump(entry(duration_ms=2.5), entry("nccl:recv 1<-0", 2, p2p_seq_id=3))
    trace = read_trace(written(tmp_path, one, other, pickled=pickled))
    found = [(o.kind, o.ranks, o.bytes, o.measured_s) for o in trace.operations]
    assert found == [("all-reduce", (0, 1), 128.0, 0.0025), ("all-gather", (0, 1), 128.0, None),
                     ("send-recv", (0, 1), 128.0, None)]  # fmt: skip
    assert dict(trace.ignored) == {"barriers": 1}
    assert trace.traced == (0, 1)
    assert any("1 of 2 collectives were dumped by every member" in said for said in trace.warnings)


def test_the_real_dump():
    folder = shared("traces", "flight_recorder", "gpu_error_1st")
    paths = [str(folder / f"_dump_{rank}") for rank in range(16)]
    dumps = [read_dump(path) for path in paths]
    entries = [entry for dump in dumps for entry in dump.entries]
    assert {dump.version for dump in dumps} == {"2.9"}
    assert len(entries) == 289
    assert all(not dump.ignored for dump in dumps)
    assert sum(entry.role != MEMBER for entry in entries) == 62
    assert len({name for dump in dumps for name in dump.groups}) == 65
    sent = [entry.operation for entry in dumps[0].entries if entry.role == SEND]
    assert {(one.group, one.ranks) for one in sent} == {("43", (0, 12))}
    assert dumps[0].groups["43"] == (0, 4, 8, 12)

    trace = read_trace(paths)
    kinds = Counter(one.kind for one in trace.operations)
    # Of each pair of ranks as many as the side that dumped more of them, not as many as both together.
    by_pair = Counter((entry.role, entry.operation.ranks) for entry in entries if entry.role != MEMBER)
    pairs = {ranks for _, ranks in by_pair}
    assert kinds.pop("send-recv") == sum(max(by_pair[SEND, pair], by_pair[RECEIVE, pair]) for pair in pairs) == 36
    assert kinds == {"all-to-all": 15, "reduce-scatter": 28, "all-gather": 49, "all-reduce": 15, "broadcast": 12}
    assert sum(kinds.values()) == 119
    assert "68 of 119 collectives were dumped by every member" in trace.warnings
    assert any(line.startswith("15 uneven all-to-alls, by up to 5.7%") for line in trace.warnings)
    assert trace.n_ranks == 16
    assert trace.traced == tuple(range(16))
    assert all(one.complete for one in trace.operations)
    assert sum(len(together) for together in rounds(trace)) == 119 + 36


def test_messages_are_joined_by_their_place(tmp_path):
    """A rank counts its messages by itself; a ring in which every rank sends first has an order."""
    ring = [
        dump(*(entry(f"nccl:{what}", p2p_seq_id=number * 7 + place) for place, what in enumerate(said)))
        for number, said in enumerate((("send 0->1", "recv 0<-1"), ("send 1->0", "recv 1<-0")))
    ]
    trace = read_trace(written(tmp_path, *ring))
    assert sorted(one.ranks for one in trace.operations) == [(0, 1), (1, 0)]
    assert len(rounds(trace)) == 2


def test_the_order_of_files_does_not_matter(tmp_path):
    uneven = [dump(entry("nccl:all_to_all", sizes=((size,),)), entry(sequence=2)) for size in (6, 2)]
    paths = written(tmp_path, *uneven)
    one, other = ([(o.kind, o.bytes) for o in read_trace(given).operations] for given in (paths, paths[::-1]))
    assert one == other == [("all-to-all", 16.0), ("all-reduce", 128.0)]
    assert any("1 uneven all-to-all, by up to 66.7%" in line for line in read_trace(paths).warnings)


def test_a_tensor_for_each_member_is_a_split(tmp_path):
    dumps = [dump(entry("nccl:all_to_all", sizes=sizes)) for sizes in (((2,), (6,)), ((4,), (4,)))]
    paths = written(tmp_path, *dumps)
    (one,) = read_trace(paths).operations
    assert one.splits is not None
    assert one.splits.tolist() == [[8, 24], [16, 16]]
    trace = read_trace(paths[0])
    assert trace.operations[0].splits is None
    assert any("1 uneven all-to-all, by up to 66.7%" in line for line in trace.warnings)


def test_a_name_that_no_group_has_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"_dump_0: entries\[0\]: group '0' is not of rank 0"):
        read_trace(written(tmp_path, dump(entry(), ranks="[1, 2]")))


def test_operations_of_one_number_are_all_there(tmp_path):
    """Coalesced operations have the same number."""
    same = dump(entry(), entry(sizes=((3,),)))
    trace = read_trace(written(tmp_path, same, same))
    assert [one.bytes for one in trace.operations] == [128.0, 12.0]


def test_a_rank_by_messages_and_by_place(tmp_path):
    documents = {"other": dump(entry("nccl:send 1->0")), "dump": dump(entry())}
    for name, document in documents.items():
        (tmp_path / name).write_bytes(pickle.dumps(document))
    trace = read_trace([str(tmp_path / name) for name in ("dump", "other")])
    assert trace.traced == (0, 1)
    assert any("dump: neither its name nor its entries say its rank: 0" in line for line in trace.warnings)
    (path,) = written(tmp_path, documents["other"])
    with pytest.raises(InputError, match=r"_dump_0: entries\[0\]: a message of rank 1, but the file is of rank 0"):
        read_trace(path)


@pytest.mark.parametrize("name", ["nccl:all_reduce", "nccl:_all_gather_base", "nccl:reduce_scatter", "nccl:broadcast"])
@pytest.mark.parametrize("other", [{"sizes": ((4, 9),)}, {"name": "nccl:gather"}, {"name": "nccl:all_to_all"}])
def test_ranks_that_disagree_are_named(tmp_path, name, other):
    paths = written(tmp_path, dump(entry(name)), dump(entry(**{"name": name, **other})))
    with pytest.raises(InputError, match=r"_dump_1: entries\[0\].*_dump_0: entries\[0\].*ranks disagree"):
        read_trace(paths)


def test_groups_that_disagree_are_named(tmp_path):
    with pytest.raises(InputError, match=r"_dump_1: group '0' has other ranks than in .*_dump_0"):
        read_trace(written(tmp_path, dump(entry()), dump(entry(), ranks="[0, 2]")))


class Evil:
    def __reduce__(self):
        return os.system, ("true",)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (pickle.dumps({"entries": [Evil()]}), "asks for .*system"),
        (pickle.dumps(dump(entry()))[:-20], "cut or damaged|not a dump"),
        (b"\x80\x02}r\xff\xff\xff\xffX", "it numbers 4,294,967,295 values in 9 bytes"),
        (b"\x80\x05\x96" + b"\xff" * 7 + b"\x0f" + b".", "cut or damaged"),
        (pickle.dumps([1]), "no list `entries`"),
        (pickle.dumps(dump(version="1.0")), "version '1.0'; expected 2.x"),
        (pickle.dumps(dump({"profiling_name": 3})), r"entries\[0\]: expected a table"),
        (pickle.dumps(dump(entry(sizes=((-1,),)))), "input_sizes: expected lists"),
        (pickle.dumps(dump(entry(), ranks="[0, ")), "ranks: expected a list"),
        (pickle.dumps(dump(entry("nccl:send 0->7"))), "in a group of 2 ranks"),
    ],
)
def test_what_is_no_dump_is_refused(tmp_path, data, said):
    path = tmp_path / "_dump_0"
    path.write_bytes(data)
    with pytest.raises(InputError, match=said):
        read_trace(str(path))


def test_every_cut_is_one_line(tmp_path):
    whole = pickle.dumps(dump(entry()))
    path = tmp_path / "_dump_0"
    for stop in range(2, len(whole), 7):
        path.write_bytes(whole[:stop])
        with pytest.raises(InputError):
            read_trace(str(path))
    assert io.BytesIO(whole).read()


def test_two_files_of_one_rank_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    paths = written(tmp_path, dump(entry())) + written(tmp_path / "a", dump(entry()))
    with pytest.raises(InputError, match=r"a/_dump_0: rank 0, as .*_dump_0; expected a file of each rank"):
        read_trace(paths)


def test_a_format_may_be_named(tmp_path):
    (path,) = written(tmp_path, dump(entry()))
    assert read_trace(path, "flight-recorder").operations
    with pytest.raises(InputError, match="trace format 'flight': unknown"):
        read_trace(path, "flight")
