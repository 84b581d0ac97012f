"""PyTorch execution traces: real ones whose contents are known, a small twin, and what is refused."""

import json

import numpy as np
import pytest

from collectives.errors import InputError
from tests.shared_data import shared
from traces.registry import read_trace


def tensor(elements, size=4):
    return [1, 2, 0, elements, size, "cuda:0"]


def record(
    name, elements=8, sequence=1, splits=(), group=("0", "default_pg"), number=7, rank=None, receives=None, **more
):
    """Rank None is the one that the whole trace is of."""
    got = elements if receives is None else sum(receives) * elements // max(1, sum(splits))
    return {"id": number, "name": "record_param_comms", "inputs": {"values": [
        [tensor(elements)], sequence, group if isinstance(group, int) else list(group), rank, name, list(splits),
        list(splits if receives is None else receives)]},
        "outputs": {"values": [[tensor(got)]]},
        "attrs": [{"name": key, "type": "?", "value": value} for key, value in more.items()]}  # fmt: skip


def trace(*nodes, schema="1.1.0-chakra.0.0.4", groups='[{"pg_name": "0", "ranks": [], "group_size": 2}]', rank=0):
    for node in nodes:
        values = node["inputs"]["values"]
        values[3:4] = [rank if each is None else each for each in values[3:4]]
    init = {"id": 3, "name": "## process_group:init ##", "inputs": {"values": [groups]}}
    return {"schema": schema, "nodes": [*([init] if groups else []), *nodes]}


def written(folder, **documents):
    paths = []
    for name, document in documents.items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(document))
        paths.append(str(path))
    return paths


def read(folder, *documents):
    return read_trace(written(folder, **{f"et_{rank}": document for rank, document in enumerate(documents)}))


def said(made):
    """What an operation says, wherever it was read."""
    return [
        (one.kind, one.ranks, one.bytes, one.root, one.sequence, None if one.splits is None else one.splits.tolist())
        for one in made.operations
    ]


def test_ranks_are_joined(tmp_path):
    wait = record("wait", number=9)
    made = read(tmp_path, trace(record("allreduce"), wait), trace(record("allreduce"), wait, rank=1))
    (one,) = made.operations
    assert (one.kind, one.ranks, one.bytes, one.missing) == ("all-reduce", (0, 1), 32.0, ())
    assert dict(made.ignored) == {"wait records": 2}
    assert made.n_ranks == 2


def uneven(group=("0", "default_pg")):
    """Two ranks that broadcast from the second, exchange 2 + 6 and 4 + 4 elements, and reduce; by rank."""
    rows, columns = ((2, 6), (4, 4)), ((2, 4), (6, 4))
    return [
        [
            record("broadcast", 3, 1, group=group, number=5, rank=1),
            record("all_to_allv", 8, 2, rows[rank], group, 6, receives=columns[rank]),
            record("allreduce", 8, 3, group=group, number=7),
        ]
        for rank in range(2)
    ]


UNEVEN = [
    ("broadcast", (0, 1), 12.0, 1, 1, None),
    ("all-to-all", (0, 1), 32.0, None, 2, [[8, 24], [16, 16]]),
    ("all-reduce", (0, 1), 32.0, None, 3, None),
]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("names", [("et_0", "et_1"), ("et_1", "et_0"), ("a", "b"), ("resnet_schema1.1.0", "other")])
def test_the_order_of_files_and_their_names_do_not_matter(tmp_path, names, order):
    documents = [trace(*nodes, rank=rank) for rank, nodes in enumerate(uneven())]
    made = read_trace(written(tmp_path, **dict(zip(names, documents, strict=True)))[::order])
    assert said(made) == UNEVEN
    assert (made.traced, made.n_ranks, made.warnings) == ((0, 1), 2, ())


def test_addresses_of_groups_are_those_of_a_process(tmp_path):
    """Schema 1.0.2 names no group in its records; 1.0.1 lists none, so that the files' ranks are taken."""
    listed = '[{"pg_name": "0", "backend_id": %d, "ranks": [], "group_size": 2}]'
    documents = [
        trace(*uneven(group=77 + rank)[rank], rank=rank, groups=listed % (77 + rank), schema="1.0.2")
        for rank in range(2)
    ]
    assert said(read(tmp_path, *documents[::-1])) == UNEVEN
    bare = [trace(*uneven(group=77 + rank)[rank], rank=rank, groups="", schema="1.0.1") for rank in range(2)]
    made = read(tmp_path, *bare[::-1])
    assert said(made) == UNEVEN
    assert made.warnings == ("process groups are not recorded: the 2 ranks that there are files of are taken",)
    third = trace(record("allreduce", group=80), record("allreduce", group=81), groups="", schema="1.0.1", rank=2)
    made = read_trace(written(tmp_path, et_2=third))
    assert [one.missing for one in made.operations] == [("ranks",), ("ranks",)]
    assert any("there are several" in line for line in made.warnings)


def test_a_group_that_is_not_of_all_ranks(tmp_path):
    """The recorded rank is that within the group."""
    listed = '[{"pg_name": "3", "ranks": [4, 9], "group_size": 2}]'
    made = read_trace(
        written(
            tmp_path,
            rank4=trace(*uneven(["3", "tp"])[0], rank=0, groups=listed),
            rank_9=trace(*uneven(["3", "tp"])[1], rank=1, groups=listed),
        )
    )
    assert made.traced == (4, 9)
    assert made.warnings == ()
    assert [one.ranks for one in made.operations] == [(4, 9)] * 3
    assert made.n_ranks == 10


def test_a_name_that_contradicts_the_record_is_said(tmp_path):
    documents = [trace(*nodes, rank=rank) for rank, nodes in enumerate(uneven())]
    made = read_trace(written(tmp_path, job_rank1=documents[0], job_rank0=documents[1]))
    assert said(made) == UNEVEN
    assert len(made.warnings) == 2
    assert made.warnings[0].endswith("job_rank1.json: its name says rank 1, its records say rank 0, which is taken")


def test_two_files_of_one_rank_are_refused(tmp_path):
    same = trace(record("allreduce"))
    with pytest.raises(InputError, match=r"et_1.json: rank 0 by its records, but so is .*et_0.json by its records"):
        read(tmp_path, same, same)
    rooted = trace(record("broadcast", rank=0))
    with pytest.raises(InputError, match=r"rank_0.json: rank 0 by its name, but so is .*a.json by its records"):
        read_trace(written(tmp_path, a=same, rank_0=rooted))


def test_where_records_do_not_say_the_rank(tmp_path):
    """Of a broadcast the recorded rank is the root's: names say whose files they are, then places."""
    one = trace(record("broadcast", rank=0))
    made = read_trace(written(tmp_path, job_rank1=one, job_rank0=one))
    assert made.traced == (0, 1)
    assert "ranks of 2 of 2 files are not in their records: they are taken from their names" in made.warnings[0]
    made = read_trace(written(tmp_path, b=one, a=one))
    assert made.traced == (0, 1)
    assert "they are taken from their places among the files" in made.warnings[0]
    with pytest.raises(InputError, match=r"node 7: of group '0' of 2 ranks, and rank 5, .* expected rankN in its name"):
        read_trace(written(tmp_path, et_5=one))


def test_barriers_say_a_rank_too(tmp_path):
    node = record("barrier")
    del node["inputs"]["values"][0]
    node["inputs"]["values"][2] = 1
    made = read_trace(written(tmp_path, et_0=trace(record("broadcast", rank=0), node)))
    assert made.traced == (1,)
    assert dict(made.ignored) == {"barriers": 1}


def test_messages(tmp_path):
    """A send and a receive name the other rank, and stand beside collectives of the same number."""
    first = trace(
        record("send", 6, 4, rank=1, number=1), record("recv", 2, 4, rank=1, number=2), record("allreduce", 8, 4)
    )
    second = trace(record("recv", 6, 9, rank=0, number=1), record("send", 2, 9, rank=0, number=2), record("allreduce", 8, 4),
                   rank=1)  # fmt: skip
    for order in (1, -1):
        made = read_trace(written(tmp_path, a=first, b=second)[::order])
        found = [(one.kind, one.ranks, one.bytes) for one in made.operations]
        assert sorted(found[:2]) == [("send-recv", (0, 1), 24.0), ("send-recv", (1, 0), 8.0)]
        assert found[2:] == [("all-reduce", (0, 1), 32.0)]
        assert all(one.complete for one in made.operations)


def test_attributes_say_what_arguments_do_not(tmp_path):
    """Sizes, splits, group and name are read from the attributes of newer schemas; cut splits are unknown."""
    named = {"collective_name": "all_to_allv", "dtype": "BFloat16", "in_msg_nelems": 8, "pg_name": "9",
             "global_rank_start": 2, "global_rank_stride": 3, "pg_size": 2}  # fmt: skip

    def node(sends, receives):
        more = {"in_split_size": sends, "out_split_size": receives, "out_msg_nelems": sum(json.loads(receives))}
        found = record("?", **more, **named)
        return found | {"inputs": {"values": []}, "outputs": {"values": []}}

    paths = written(tmp_path, rank2=trace(node("[2,6]", "[2,4]")), rank5=trace(node("[4,4]", "[6,4]")))
    (one,) = read_trace(paths).operations
    assert (one.ranks, one.group, one.bytes, one.dtype) == ((2, 5), "9", 16.0, "BFloat16")
    assert one.splits is not None
    assert one.splits.tolist() == [[4, 12], [8, 8]]
    paths = written(tmp_path, rank2=trace(node("[2,...]", "[4,4]")))
    assert read_trace(paths).operations[0].missing == ("splits of every rank",)


def test_a_tensor_for_each_member_is_a_split(tmp_path):
    """`all_to_all` of lists: older PyTorch records no splits of it."""
    documents = [trace(record("all_to_all", 8, 2), rank=rank) for rank in range(2)]
    for document, (sends, receives) in zip(documents, (((2, 6), (2, 4)), ((4, 4), (6, 4))), strict=True):
        document["nodes"][1]["inputs"]["values"][0] = [tensor(each) for each in sends]
        document["nodes"][1]["outputs"]["values"][0] = [tensor(each) for each in receives]
    (one,) = read(tmp_path, *documents).operations
    assert one.splits is not None
    assert one.splits.tolist() == [[8, 24], [16, 16]]
    (alone,) = read(tmp_path, documents[0]).operations
    assert alone.missing == ("splits of every rank",)


def test_dtype_by_the_types_of_arguments(tmp_path):
    one = trace(record("allreduce"))
    one["nodes"][1]["inputs"]["types"] = ["GenericList[Tensor(c10::BFloat16)]", "Int"]
    assert read(tmp_path, one).operations[0].dtype == "BFloat16"


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
    assert made.traced == tuple(range(8))
    assert {one.dtype for one in made.operations} == {"Float", "Int", "Long"}
    assert moved == 451_136
    assert received.tolist() == [47208, 50792, 52584, 91112, 61096, 47208, 49896, 51240]


def test_resnet_and_all_gather():
    made = read_trace(str(shared("traces", "pytorch_et", "resnet_2gpu_rank1_schema1.1.0.json.gz")))
    reduced = [one for one in made.operations if one.kind == "all-reduce"]
    assert (len(reduced), sum(one.bytes or 0 for one in reduced)) == (15, 306_684_384)
    assert all(one.ranks == (0, 1) for one in reduced)
    assert (made.traced, made.warnings) == ((1,), ())
    assert {one.dtype for one in reduced} == {"Float"}
    assert [one.root for one in made.operations if one.kind == "broadcast"] == [0] * 6
    gathered = read_trace(str(shared("traces", "pytorch_et", "allgather_2rank_schema1.0.2.json.gz")))
    assert {(one.kind, one.bytes, one.ranks) for one in gathered.operations} == {("all-gather", 4.0, (0, 1))}


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ((trace(record("allreduce")), trace(record("allreduce", 9), rank=1)), r"et_1.json: node 7.*et_0.json: node 7"),
        (
            (trace(record("allreduce")), trace(record("allgather"), rank=1)),
            r"et_1.json: node 7.*et_0.json.*ranks disagree",
        ),
        (
            (trace(record("broadcast", rank=0)), trace(record("broadcast", rank=1))),
            r"root 1, but .*et_0.json: .*root 0",
        ),
        ((trace(record("send", rank=1)), trace(record("recv", 9, rank=0))), r"et_1.json: node 7.*et_0.json: node 7"),
        (
            (trace(*uneven()[0]), trace(record("all_to_allv", 8, 2, (4, 4), receives=(7, 4)), rank=1)),
            r"et_0.json: node 6: 24 bytes to rank 1, but .*et_1.json: node 7: 28 bytes from rank 0.*ranks disagree",
        ),
        (
            (trace(record("all_to_all", 8)), trace(record("all_to_all", 6), rank=1)),
            r"et_0.json: node 7: 16 bytes to rank 1, but .*et_1.json: node 7: 12 bytes from rank 0",
        ),
        ((trace(record("allreduce"), record("allgather", rank=1)),), "node 7: of rank 1, but .*node 7 is of rank 0"),
        ((trace(record("allreduce", rank=2)),), "node 7: rank 2 in a group of 2 ranks"),
        ((trace(record("send", rank=0)),), "node 7: a send between rank 0, .* and itself"),
        ((trace(record("all_to_allv", splits=(1, -1))),), "input splits: expected whole numbers"),
        ((trace(schema="2.0.0"),), "schema '2.0.0'; expected 1.0.1"),
        ((trace(groups="[{"),), "expected process groups as JSON"),
        ((trace(groups='[{"pg_name": "0", "ranks": [-1]}]'),), "ranks of a process group"),
        ((trace(record("all_to_allv", splits=(1, 2, 3))),), "input splits: expected 2"),
        ((trace(groups='[{"pg_name": "0", "ranks": [1, 1]}]'),), "ranks of a process group"),
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
