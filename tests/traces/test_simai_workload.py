"""Workloads of SimAI, AICB and ASTRA-sim: files of others whose contents are known, small ones, damaged ones."""

import contextlib
import random
from collections import Counter

import pytest

import railscope as rs
from collectives import InputError
from collectives.layout import ParallelLayout
from tests.shared_data import shared
from traces import filling
from traces.aicb_csv import read_aicb
from traces.order import rounds
from traces.rank_groups import members_of
from traces.registry import trace_format_of
from traces.simai_workload import read_astra_sim, read_simai
from traces.whole_job import for_whole_job

HEADER = (
    "HYBRID_TRANSFORMER_FWD_IN_BCKWD model_parallel_NPU_group: 2 ep: 2 pp: 2 vpp: 1 ga: 1 all_gpus: 16 checkpoints: 0"
)
BARE = "HYBRID_TRANSFORMER_FWD_IN_BCKWD model_parallel_NPU_group: 4 checkpoints: 0 checkpoint_initiates: 0"
ROWS = (
    "grad -1 1 NONE 0 1 NONE 0 1 REDUCESCATTER 6400 100",
    "attention\t-1\t5\tALLGATHER\t 800  5\tREDUCESCATTER\t800\t5\tNONE    0\t100",
    "moe -1 5 ALLTOALL_EP 400 5 ALLTOALL_EP 400 5 ALLGATHER_DP_EP 320 100",
)
CSV = (
    "[rank0 ~ rank15]\n"
    "comm_type,comm_group,comm_group_size,msg_size,stage,dst,src,additional,_elapsed_time,algbw,busbw,count\n"
    "CommType.barrier,CommGroup.all,16,262144000,init,None,None,,None,None,None,1\n"
    "CommType.broadcast,CommGroup.tp_group,2,24,init,None,0,,None,None,None,1\n"
    "CommType.epoch_end,None,None,0,,None,None,,None,None,None,1\n"
    "CommType.computation,CommGroup.all,1,((4096, 5120), (5120, 1920)),forward,None,None,,None,None,None,1\n"
    "CommType.all_gather,CommGroup.dp_group,8,64000,step,None,None,,None,None,None,1\n"
    "CommType.reduce_scatter,CommGroup.dp_group,8,64000,step,None,None,,None,None,None,2\n"
    "CommType.all_reduce,CommGroup.pp_group,1,8,step,None,None,,None,None,None,1\n"
)


def workload(header=HEADER, rows=ROWS, announced=None):
    return "\n".join([header, str(len(rows) if announced is None else announced), *rows, ""])


def written(folder, text, name="workload.txt"):
    path = folder / name
    path.write_text(text)
    return path


def found(trace):
    return [(o.kind, o.bytes, o.ranks) for o in trace.operations]


# Files of others.


def test_a_moe_workload_of_9216_gpus():
    path = shared("traces", "simai_aicb", "workload_analytical_9216gpu.txt.gz")
    assert trace_format_of(path).name == "simai"
    trace = rs.read_trace(path)
    assert trace.n_ranks == 9216
    experts = {
        called: [o for o in trace.operations if o.group == "ep" and o.source.endswith(f"{called})")]
        for called in ("forward", "input gradient")
    }
    for operations in experts.values():
        assert [o.bytes for o in operations] == [100_663_296] * 384
        assert sum(o.bytes or 0 for o in operations) == 38_654_705_664
        assert {o.ranks for o in operations} == {tuple(range(0, 32, 2))}
    (gathered,) = (o for o in trace.operations if o.group == "dp" and o.kind == "all-gather")
    assert gathered.bytes == 2_807_758_848 / 384
    assert gathered.ranks == tuple(range(0, 768, 2))
    (scattered,) = (o for o in trace.operations if o.group == "edp" and o.kind == "reduce-scatter")
    assert (scattered.bytes, scattered.ranks) == (38_654_705_664, tuple(range(0, 768, 32)))
    assert dict(trace.ignored) == {"collectives of 0 bytes": 216}
    (pipeline,) = (line for line in trace.warnings if "pp_comm" in line)
    assert "12 pipeline stages are not listed, and left out: pp_comm 50,331,648 B for each micro-batch" in pipeline
    assert f"24 micro-batches (ga): {2 * 24 * 50_331_648:,} B" in pipeline
    assert trace.warnings[0] == "1,789 layers in the dialect of SimAI: an all-gather's size is the whole output"
    assert any("only rank 0's groups are listed" in line for line in trace.warnings)
    with pytest.raises(InputError, match=r"12,202,800 operations when those of untraced ranks are filled in"):
        filling.filled(trace, 9216)


def test_blanks_and_tabs_part_cells():
    path = shared("traces", "simai_aicb", "L7B-D1-C02_Llama7B_deepspeed_zero3_A100.txt")
    trace = read_simai(path)
    count = Counter(o.kind for o in trace.operations)
    assert count == {"all-gather": 12, "reduce-scatter": 1}
    assert any("layer9" in o.source for o in trace.operations)
    # With one rank in a tensor parallel group these are of data parallel ranks, how many is not said.
    assert {o.missing for o in trace.operations} == {("ranks", "size"), ("ranks",)}


@pytest.mark.parametrize(
    "name",
    [
        "all_gather.txt",
        "muti_all_reduce.txt",
        "G13B-M1-C02_GPT13B_megatron_tp8_pp1_mbs1_sp_A100.txt",
        "G175B-M1-C03_GPT175B_megatron_tp8_pp1_mbs1_A100.txt",
    ],
)
def test_whose_dialect_cannot_be_told_is_asked(name):
    path = shared("traces", "simai_aicb", name)
    with pytest.raises(InputError, match="dialect not named") as no:
        rs.read_trace(path)
    assert no.value.option == "--format simai or --format astra-sim says which"
    assert [len(read(path).operations) for read in (read_simai, read_astra_sim)] == [{"a": 19, "m": 19}.get(
        name[0], 334 if "G13B" in name else 33)] * 2  # fmt: skip


def test_a_small_workload_of_simai():
    trace = rs.read_trace(shared("traces", "simai_aicb", "microAllReduce.txt"))
    assert found(trace) == [("all-reduce", 16_777_216, tuple(range(8))), ("all-reduce", 67_108_864, tuple(range(8)))]


def test_aicb_csv_of_zero2():
    path = shared("traces", "simai_aicb", "L7B-D1-C01_Llama7B_zero2_mbs1.csv")
    assert trace_format_of(path).name == "aicb"
    trace = rs.read_trace(path)
    assert trace.n_ranks == 128
    assert any("dialect of AICB: an all-gather's size is the whole output" in line for line in trace.warnings)
    assert any("only the groups of rank 0 are listed" in line for line in trace.warnings)
    for other in (rs.read_trace(path, "aicb"), rs.read_trace(path, "simai"), read_aicb(path)):
        assert found(other) == found(trace)
    assert dict(trace.ignored) == {"barriers": 1, "ends of epochs": 2}
    assert 262_144_000 not in [o.bytes for o in trace.operations if o.kind == "barrier"]
    assert Counter(o.kind for o in trace.operations) == {"broadcast": 291, "all-reduce": 8, "all-gather": 6}
    assert {o.ranks for o in trace.operations} == {tuple(range(128))}
    # An all-gather's size is its output.
    (last,) = (o for o in trace.operations[-1:])
    assert (last.kind, last.bytes) == ("all-gather", 2_246_138_624 / 128)


def test_aicb_csv_of_megatron():
    trace = rs.read_trace(shared("traces", "simai_aicb", "L7B-M1-C04_Llama7B_megatron_tp2_pp1_mbs1.csv"))
    groups = {o.group: o.ranks for o in trace.operations}
    assert groups == {"tp_group": (0, 1), "dp_group": tuple(range(0, 128, 2))}
    everyone, added = filling.filled(trace, 128)
    assert len(everyone.operations) == added + len(trace.operations) == 64 * 137 + 2 * 9
    assert Counter(rank for o in everyone.operations for rank in o.ranks) == dict.fromkeys(range(128), 146)


# Our own.


def test_groups_and_order_of_a_step(tmp_path):
    trace = rs.read_trace(written(tmp_path, workload()))
    dp, edp = (0, 2, 4, 6), (0, 4)
    assert found(trace) == [
        ("all-gather", 400, (0, 1)),
        ("all-to-all", 400, (0, 2)),
        ("all-to-all", 400, (0, 2)),
        ("all-gather", 160, edp),
        ("reduce-scatter", 800, (0, 1)),
        ("reduce-scatter", 6400, dp),
    ]
    assert trace.orders == (tuple(range(6)),)
    assert trace.traced == (0,)
    assert len(rounds(trace)) == 6
    # Every rank does the same in groups of its own.
    everyone, _ = filling.filled(trace, 16)
    layout = ParallelLayout(16, tp=2, ep=2, pp=2)
    for axes, count in (("tp", 2), ("ep", 2), ("edp", 1), ("dp", 1)):
        wanted = Counter({members_of(layout, axes, rank): count for rank in range(16)})
        assert Counter(o.ranks for o in everyone.operations if o.group in (axes, f"like {axes}")) == wanted


def test_dialects_disagree_about_an_all_gather_only(tmp_path):
    kinds = ("ALLREDUCE", "ALLGATHER", "REDUCESCATTER", "ALLTOALL", "BROADCAST")
    path = written(tmp_path, workload(BARE, [f"x -1 1 {kind} 400 1 NONE 0 1 NONE 0 1" for kind in kinds]))
    with pytest.raises(InputError, match=r"workload.txt: dialect not named: SimAI and ASTRA-sim write the same rows"):
        rs.read_trace(path)
    totals, shards = ([o.bytes for o in read(path).operations] for read in (read_simai, read_astra_sim))
    assert totals == [400, 100, 400, 400, 400]
    assert shards == [400] * 5
    assert {o.ranks for o in read_simai(path).operations} == {(0, 1, 2, 3)}


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("DATA", "astra-sim"),
        ("HYBRID_DATA_MODEL\t\t", "astra-sim"),
        ("HYBRID_TRANSFORMER\tmodel_parallel_NPU_group: 4", "astra-sim"),
        ("MICRO", "simai-or-astra-sim"),
        (BARE, "simai-or-astra-sim"),
        (f"{BARE} all_gpus: 8", "simai"),
        (f"{BARE} pp_comm 0", "simai"),
        (HEADER, "simai"),
    ],
)
def test_whose_a_workload_is_stands_in_its_header(tmp_path, header, name):
    path = written(tmp_path, workload(header, ["x -1 1 NONE 0 1 NONE 0 1 ALLREDUCE 8 1"]))
    assert trace_format_of(path).name == name
    path = written(tmp_path, workload(BARE, ["x -1 1 ALLTOALL_EP 8 1 NONE 0 1 NONE 0 1"]))
    assert trace_format_of(path).name == "simai"


def test_what_a_header_does_not_say_is_missing(tmp_path):
    rows = ["x -1 1 NONE 0 1 NONE 0 1 ALLGATHER 8 1"]
    for header in ("MICRO", "DATA"):
        path = written(tmp_path, workload(header, rows))
        (shard,), (total,) = read_astra_sim(path).operations, read_simai(path).operations
        assert (shard.bytes, shard.missing, shard.group) == (8, ("ranks",), "whole job")
        assert (total.bytes, total.missing) == (None, ("ranks", "size"))


def test_a_job_of_a_size_that_is_named(tmp_path):
    trace = read_astra_sim(written(tmp_path, workload("MICRO", ["x -1 1 NONE 0 1 NONE 0 1 ALLGATHER 8 1"])))
    (operation,) = for_whole_job(trace, 4).operations
    assert (operation.ranks, operation.group_size, operation.bytes) == ((0, 1, 2, 3), 4, 8)
    assert operation.complete
    assert for_whole_job(trace, 1).operations == trace.operations
    # Groups of the file stay what they are, and a total divided by nobody stays unknown.
    laid_out = rs.read_trace(written(tmp_path, workload()))
    assert for_whole_job(laid_out, 64).operations == laid_out.operations
    total = read_simai(written(tmp_path, workload("MICRO", ["x -1 1 NONE 0 1 NONE 0 1 ALLGATHER 8 1"])))
    assert for_whole_job(total, 4).operations[0].missing == ("size",)


def test_microbenchmarks_are_in_the_order_of_the_file(tmp_path):
    rows = [f"x -1 1 NONE 0 1 NONE 0 1 ALLREDUCE {size} 1" for size in (8, 16, 32)]
    assert [o.bytes for o in read_astra_sim(written(tmp_path, workload("MICRO", rows))).operations] == [8, 16, 32]


def test_a_column_more_in_customized_workloads(tmp_path):
    rows = ["x -1 5 ALLGATHER 8 5 REDUCESCATTER 8 5 ALLREDUCE 8 9 HYBRID_DATA_MODEL"]
    trace = rs.read_trace(written(tmp_path, workload("HYBRID_CUSTOMIZED", rows)))
    assert [o.kind for o in trace.operations] == ["all-gather", "reduce-scatter", "all-reduce"]


def test_what_moves_nothing_and_what_is_unknown_is_said(tmp_path):
    rows = (
        "x -1 1 ALLREDUCE 0 1 ALLREDUCEALLTOALL 8 1 NONE 0 1",
        "y -1 1 ALLREDUCE_EP 8 1 NONE 0 1 ALLREDUCE 8 1",
        "z -1 1 ALLREDUCE 8 1 NONE 0 1 NONE 0 1",
    )
    header = HEADER.replace("ep: 2", "ep: 1").replace("checkpoints: 0", "checkpoints: 1 2 checkpoint_initiates: 1 2")
    trace = rs.read_trace(written(tmp_path, workload(header, rows, announced=2)))
    assert found(trace) == [("all-reduce", 8, (0, 2, 4, 6))]
    assert dict(trace.ignored) == {
        "layers behind the number that line 2 says": 1,
        "collectives of 0 bytes": 1,
        "collectives of a group of one (expert parallel)": 1,
    }
    assert any("1 collective of unknown kind 'ALLREDUCEALLTOALL' left out" in line for line in trace.warnings)
    assert any("computed again in the backward pass" in line for line in trace.warnings)


def test_csv_sizes_are_totals_and_a_barrier_counts_nothing(tmp_path):
    trace = rs.read_trace(written(tmp_path, CSV, "w.csv"))
    dp = tuple(range(0, 16, 2))
    assert found(trace) == [
        ("broadcast", 24, (0, 1)),
        ("all-gather", 8000, dp),
        ("reduce-scatter", 64000, dp),
        ("reduce-scatter", 64000, dp),
    ]
    assert trace.n_ranks == 16
    assert dict(trace.ignored) == {
        "barriers": 1,
        "ends of epochs": 1,
        "computations": 1,
        "collectives of a group of one": 1,
    }


def test_csv_of_a_pipeline_has_a_part_for_each_stage(tmp_path):
    columns = "comm_type,comm_group,comm_group_size,msg_size,stage,dst,src,additional,count"
    tp = "CommType.all_reduce,CommGroup.tp_group,2,100,forward,None,None,,1"

    def message(kind, whom):
        return f"CommType.{kind},CommGroup.pp_group,1,70,forward_step,None,None,{whom},1"

    stages = (
        [tp, message("isend", "send_next"), message("irecv", "recv_next"), message("isend", "send_prev")],
        [message("irecv", "recv_prev"), tp, message("isend", "send_prev")],
    )
    lines = []
    for number, rows in enumerate(stages):
        ranks = ", ".join(f"rank{rank}" for rank in range(4 * number, 4 * number + 4))
        lines += [f"[ pp_stage{number}: [{ranks}] ]", columns, *rows]
    trace = rs.read_trace(written(tmp_path, "\n".join(lines), "w.csv"))
    assert trace.n_ranks == 8
    assert trace.traced == (0, 4)
    # Neither stage waits for itself: the forward message, then the backward one.
    assert found(trace) == [
        ("all-reduce", 100, (0, 1)),
        ("send-recv", 70, (0, 4)),
        ("all-reduce", 100, (4, 5)),
        ("send-recv", 70, (4, 0)),
    ]
    assert dict(trace.ignored) == {"messages beyond the ends of the pipeline": 1}


def test_csv_without_ranks_takes_what_its_groups_make(tmp_path):
    text = (
        "comm_type,comm_group,comm_group_size,msg_size,stage,dst,src,additional,_elapsed_time,algbw,busbw,count\n"
        "CommType.all_to_all,CommGroup.ep_group,4,4096,warmup,None,None,,None,None,None,1\n"
        "CommType.all_reduce,CommGroup.dp_group,8,4096,warmup,None,None,,None,None,None,1\n"
        "CommType.all_reduce,CommGroup.tp_group,2,4096,warmup,None,None,,None,None,None,1\n"
        "CommType.all_gather,CommGroup.what_group,3,300,warmup,None,None,,None,None,None,1\n"
    )
    trace = rs.read_trace(written(tmp_path, text, "w.csv"))
    assert found(trace) == [
        ("all-to-all", 4096, (0, 2, 4, 6)),
        ("all-reduce", 4096, tuple(range(0, 16, 2))),
        ("all-reduce", 4096, (0, 1)),
        ("all-gather", 100, ()),
    ]
    assert any("16 ranks, as its groups make (assumed)" in line for line in trace.warnings)
    # The oldest ones have no column for the size of a group.
    old = text.replace("comm_group_size,", "").replace("group,4,", "group,").replace("group,8,", "group,")
    old = old.replace("group,2,", "group,").replace("group,3,", "group,")
    assert {
        o.missing for o in rs.read_trace(written(tmp_path, old, "old.csv")).operations if o.kind == "all-gather"
    } == {("ranks", "size")}


# What is refused.


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (workload(announced=4), "cut off: 3 layers; expected 4, as line 2 says"),
        (workload(announced="x"), r":2: number of layers 'x': expected a whole number from 1"),
        (workload(rows=["x -1 1 NONE 0 1 NONE 0 1 ALLREDUCE 8"]), r":3: 11 columns; expected 12: name, dependency"),
        (
            workload(rows=["x -1 1 ALLREDUCE 1e9 1 NONE 0 1 NONE 0 1"]),
            r":3: size of 'x' '1e9': expected a whole number",
        ),
        (workload(rows=["x -1 y ALLREDUCE 9 1 NONE 0 1 NONE 0 1"]), r":3: column 3 'y': expected a number"),
        (workload(rows=["x -1 1 NONE 0 1 NONE 0 1 NONE 0 1"]), "no collective in 1 layer"),
        (
            workload(HEADER.replace("all_gpus: 16", "all_gpus: 18")),
            r":1: parallel layout: tp 2 .* does not divide 18 ranks",
        ),
        (workload(HEADER.replace("all_gpus: 16", "all_gpus: 0")), r":1: all_gpus '0': expected a whole number from 1"),
        (workload(HEADER.replace("16", "99999999999")), r":1: all_gpus '99999999999': expected a whole number"),
        (CSV.replace("8,64000", "8,-5"), r":7: msg_size '-5': expected a whole number"),
        (CSV.replace(",None,2\n", ",None\n"), r":8: 11 cells; expected 12, as the header has"),
        (CSV.replace("msg_size", "size"), r":2: expected the columns comm_type, comm_group, msg_size"),
        (CSV.replace("rank15", "rank14"), "parallel layout: tp 2 .* does not divide 15 ranks"),
        (CSV.replace("rank15", "rank9999999"), r":1: expected ranks below 1,048,576"),
        (CSV + CSV, "two stages begin with the same rank"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=message) as no:
        read_simai(path)
    assert "\n" not in str(no.value)
    assert str(path) in str(no.value)


@pytest.mark.parametrize(("key", "value"), [("vpp: 1", "vpp: x"), ("ga: 1", "ga: 0"), ("ga: 1", "ga: 9999999999")])
def test_what_a_header_says_beside_is_a_number(tmp_path, key, value):
    with pytest.raises(InputError, match=rf"workload.txt:1: {value[:2]}.*: expected a whole number from 1"):
        read_simai(written(tmp_path, workload(HEADER.replace(key, value))))


def test_messages_of_a_pipeline_are_said_with_their_size(tmp_path):
    def said(header):
        return [line for line in read_simai(written(tmp_path, workload(header))).warnings if "pp_comm" in line]

    assert said(HEADER) == said(HEADER + " pp_comm: 0") == []
    (line,) = said(HEADER.replace("ga: 1", "ga: 3") + " pp_comm: 1000.0")
    assert line.endswith("pp_comm 1,000 B for each micro-batch and way, 3 micro-batches (ga): 6,000 B between a rank and the "
                         "next stage's")  # fmt: skip
    assert said(HEADER.replace("pp: 2", "pp: 1") + " pp_comm: 1000") == []
    (line,) = said(HEADER.replace("ga: 1 ", "") + " pp_comm 1000")
    assert line.endswith("for each micro-batch and way")
    with pytest.raises(InputError, match=r":1: pp_comm 'x'"):
        said(HEADER + " pp_comm: x")


def test_text_is_no_csv(tmp_path):
    with pytest.raises(InputError, match=r"workload.txt: no CSV of AICB; expected the columns comm_type") as no:
        rs.read_trace(written(tmp_path, workload()), "aicb")
    assert no.value.option == "--format simai reads the text that AICB writes for SimAI"


def test_one_file_is_a_whole_job(tmp_path):
    one, other = (written(tmp_path, workload(), name) for name in ("a.txt", "b.txt"))
    with pytest.raises(InputError, match=r"a.txt: expected one file, as a workload is of a whole job"):
        rs.read_trace([one, other])


def test_any_damage_is_read_or_refused(tmp_path):
    chance = random.Random(1)
    read = 0
    for text in (workload(), CSV):
        for _ in range(150):
            words = text.split(" ") if chance.random() < 0.5 else text.split(",")
            at = chance.randrange(len(words))
            words[at] = chance.choice(["", "-1", "9" * 30, "NONE", "\n", words[chance.randrange(len(words))], "x" * 99])
            joined = (" " if " " in text[:40] and len(words) > 1 else ",").join(words)
            path = written(tmp_path, joined[: chance.choice((None, len(joined) - chance.randrange(60)))])
            with contextlib.suppress(InputError):
                rounds(read_simai(path))
                read += 1
    assert read > 20
