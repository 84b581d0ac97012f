"""PyTorch execution traces: real ones whose contents are known, a small twin, and what is refused."""

import json

import numpy as np
import pytest

from collectives.errors import InputError
from tests.shared_data import shared
from traces.registry import read_trace


def tensor(elements, size=4):
    return [1, 2, 0, elements, size, "cuda:0"]


def record(name, elements=8, sequence=1, splits=(), group=("0", "default_pg"), number=7):
    return {"id": number, "name": "record_param_comms", "inputs": {"values": [
        [tensor(elements)], sequence, list(group), 0, name, list(splits), list(splits), 0, 1, 2]},
        "outputs": {"values": [[tensor(elements)]]}}  # fmt: skip


def trace(*nodes, schema="1.1.0-chakra.0.0.4", groups='[{"pg_name": "0", "ranks": [], "group_size": 2}]'):
    init = {"id": 3, "name": "## process_group:init ##", "inputs": {"values": [groups]}}
    return {"schema": schema, "nodes": [init, *nodes]}


def read(folder, *documents):
    paths = []
    for rank, document in enumerate(documents):
        path = folder / f"et_{rank}.json"
        path.write_text(json.dumps(document))
        paths.append(str(path))
    return read_trace(paths)


def test_ranks_are_joined(tmp_path):
    wait = record("wait", number=9)
    made = read(tmp_path, trace(record("allreduce"), wait), trace(record("allreduce"), wait))
    (one,) = made.operations
    assert (one.kind, one.ranks, one.bytes, one.missing) == ("all-reduce", (0, 1), 32.0, ())
    assert dict(made.ignored) == {"wait records": 2}
    assert made.n_ranks == 2


def test_uneven_splits_are_those_of_every_rank(tmp_path):
    rows = ((2, 6), (4, 4))
    made = read(tmp_path, *(trace(record("all_to_allv", splits=row)) for row in rows))
    (one,) = made.operations
    assert one.splits is not None
    assert one.splits.tolist() == [[8, 24], [16, 16]]


def test_dlrm():
    """Schema 1.0.1, without process groups: 5 all-to-alls, one of them uneven, and 3 all-reduces."""
    folder = shared("traces", "pytorch_et", "dlrm_8rank")
    made = read_trace([str(folder / f"dlrm_eg_{rank}.json.gz") for rank in range(8)])
    kinds = [(one.sequence, one.kind) for one in made.operations]
    assert sorted(number or 0 for number, _ in kinds) == list(range(147, 155))
    assert sum(kind == "all-to-all" for _, kind in kinds) == 5
    assert sum(one.bytes or 0 for one in made.operations if one.kind == "all-reduce") == 2_485_252
    uneven = next(one for one in made.operations if one.sequence == 150)
    assert uneven.splits is not None
    assert uneven.splits[0].tolist() == [4 * each for each in (96, 224, 288, 1664, 592, 96, 192, 240)]
    moved, received = 0.0, np.zeros(8)
    for one in made.operations:
        if one.kind == "all-to-all":
            whole = one.splits if one.splits is not None else np.full((8, 8), (one.bytes or 0) / 8)
            off = whole * (1 - np.eye(8))
            moved += off.sum()
            received += off.sum(axis=0)
    assert moved == 451_136
    assert received.tolist() == [47208, 50792, 52584, 91112, 61096, 47208, 49896, 51240]


def test_resnet_and_all_gather():
    made = read_trace(str(shared("traces", "pytorch_et", "resnet_2gpu_rank1_schema1.1.0.json.gz")))
    reduced = [one for one in made.operations if one.kind == "all-reduce"]
    assert (len(reduced), sum(one.bytes or 0 for one in reduced)) == (15, 306_684_384)
    assert all(one.ranks == (0, 1) for one in reduced)
    gathered = read_trace(str(shared("traces", "pytorch_et", "allgather_2rank_schema1.0.2.json.gz")))
    assert {(one.kind, one.bytes, one.ranks) for one in gathered.operations} == {("all-gather", 4.0, (0, 1))}


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ((trace(record("allreduce")), trace(record("allreduce", 9))), r"et_1.json: node 7.*et_0.json: node 7"),
        ((trace(record("allreduce")), trace(record("allgather"))), "ranks disagree"),
        ((trace(schema="2.0.0"),), "schema '2.0.0'; expected 1.0.1"),
        ((trace(groups="[{"),), "expected process groups as JSON"),
        ((trace(groups='[{"pg_name": "0", "ranks": [-1]}]'),), "ranks of a process group"),
        ((trace(record("all_to_allv", splits=(1, 2, 3))),), "input splits: expected 2"),
        ((trace(record("allreduce", -5)),), "expected sizes"),
        (({"schema": "1.1.0"},), "no list `nodes`"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, documents, said):
    with pytest.raises(InputError, match=said) as error:
        read(tmp_path, *documents)
    assert "\n" not in str(error.value)


def test_a_cut_file_is_refused(tmp_path):
    path = tmp_path / "et_0.json"
    text = json.dumps(trace(record("allreduce")))
    for stop in range(30, len(text), 17):
        path.write_text(text[:stop])
        with pytest.raises(InputError):
            read_trace(str(path))
