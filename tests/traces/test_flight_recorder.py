"""Dumps of the flight recorder: the real one's truth, a small twin, and what must be refused."""

import io
import json
import os
import pickle
from collections import Counter

import pytest

from collectives.errors import InputError
from tests.shared_data import shared
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
    trace = read_trace([str(folder / f"_dump_{rank}") for rank in range(16)])
    kinds = Counter(one.kind for one in trace.operations)
    del kinds["send-recv"]
    assert kinds == {"all-to-all": 15, "reduce-scatter": 28, "all-gather": 49, "all-reduce": 15, "broadcast": 12}
    assert sum(kinds.values()) == 119
    assert any("68 of 119" in said for said in trace.warnings)
    assert trace.n_ranks == 16
    messages = [one for one in trace.operations if one.kind == "send-recv"]
    assert any(one.group == "43" and one.ranks == (0, 12) for one in messages)
    assert all(one.complete for one in trace.operations)


def test_ranks_that_disagree_are_named(tmp_path):
    paths = written(tmp_path, dump(entry()), dump(entry(sizes=((4, 9),))))
    with pytest.raises(InputError, match=r"_dump_1: entries\[0\].*_dump_0: entries\[0\]"):
        read_trace(paths)


class Evil:
    def __reduce__(self):
        return os.system, ("true",)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (pickle.dumps({"entries": [Evil()]}), "asks for .*system"),
        (pickle.dumps(dump(entry()))[:-20], "cut or damaged|not a dump"),
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
    with pytest.raises(InputError, match="rank 0 again"):
        read_trace(paths)


def test_a_format_may_be_named(tmp_path):
    (path,) = written(tmp_path, dump(entry()))
    assert read_trace(path, "flight-recorder").operations
    with pytest.raises(InputError, match="trace format 'flight': unknown"):
        read_trace(path, "flight")
