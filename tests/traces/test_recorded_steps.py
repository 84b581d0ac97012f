"""Operations of a modelled step against volumes that others recorded or generated.

The table of docs/recorded-steps.md is made from `rows`: ``python -m tests.traces.test_recorded_steps`` prints it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from tests.shared_data import ROOT, shared
from traces.registry import read_trace
from traces.simai_workload import read_simai
from traces.workload.description import Workload, parse_workload
from traces.workload.step_operations import step_operations

# AICB counts gradients in 32 bits and parameters in 16; its pipelines are 1f1b.
_AICB = """
[precision]
gradients = 4.0
parameters = 2.0
[compute]
tflops = 312.0
"""
# Architectures: aliyun/aicb, workload/Workload_spec_v1.0.csv; a vocabulary is that of the row `embedding_norm`.
GPT_13B = f"""
[model]
name = "gpt-13b"
layers = 40
hidden = 5120
ffn = 20480
gated = false
heads = 32
kv_heads = 32
vocabulary = 32000
[layout]
tp = 8
[batch]
sequence = 2048
sequences = 16
{_AICB}"""
# The file has 12 of its 96 layers.
GPT_175B = f"""
[model]
name = "gpt-175b"
layers = 12
hidden = 12288
ffn = 49152
gated = false
heads = 96
kv_heads = 96
vocabulary = 32000
tied = true
[layout]
tp = 8
sequence_parallel = false
[batch]
sequence = 2048
sequences = 16
{_AICB}"""
LLAMA_7B_TP2 = f"""
[model]
name = "llama-7b"
layers = 32
hidden = 4096
ffn = 11008
gated = false
heads = 32
kv_heads = 32
vocabulary = 32000
tied = true
[layout]
tp = 2
sequence_parallel = false
[batch]
sequence = 2048
sequences = 64
{_AICB}"""
# Buckets of 1e9 elements in 16 bits.
LLAMA_7B_ZERO2 = """
[model]
name = "llama-7b"
layers = 32
hidden = 4096
ffn = 11008
heads = 32
kv_heads = 32
vocabulary = 32000
[layout]
bucket_mib = 1907.3486328125
[batch]
sequence = 4096
sequences = 128
[compute]
tflops = 312.0
"""
# Header: tp 2, ep 16, pp 12, ga 24, 9,216 GPUs, and by `vpp` 8 layers a stage.  Rows: 4,096 tokens (cross_entropy), hidden
# 6,144 (embedding_layer), 4 experts of a token (ALLTOALL_EP), 192 experts (the first ALLGATHER of a layer of experts:
# 2 x tokens x experts, aliyun/aicb @7407b15, workload_generator/AIOB_simAI_workload_generator.py), of 16,384 each
# (REDUCESCATTER_DP_EP); 50,432 tokens: GPT-2's 50,257, padded as Megatron does.
MOE_9216 = f"""
[model]
name = "moe-9216"
layers = 96
hidden = 6144
ffn = 0
gated = false
heads = 48
kv_heads = 48
vocabulary = 50432
[experts]
experts = 192
top_k = 4
ffn = 16384
[layout]
tp = 2
etp = 2
ep = 16
pp = 12
vp = 8
[batch]
sequence = 4096
sequences = 9216
{_AICB}"""
# ResNet-50: 25,557,032 parameters (torchvision), 4.09 G multiply-adds of an image forward.
RESNET_50 = """
[model]
name = "resnet-50"
parameters = 25557032
flops = 24.5e9
[layout]
optimizer = "replicated"
bucket_mib = 25.0
[batch]
sequence = 1
[precision]
gradients = 4.0
[compute]
tflops = 19.5
"""
# What its exchanges say: 16 samples of each rank, 24 tables of 16 numbers; how often each is looked up is the sum of a
# rank's three tables, and how they share it is not recorded.
DLRM = """
[model]
name = "dlrm"
parameters = 621313
flops = 1e7
[embeddings]
tables = 24
dim = 16
lookups = [2, 2, 2, 5, 5, 4, 6, 6, 6, 35, 35, 34, 13, 12, 12, 2, 2, 2, 4, 4, 4, 5, 5, 5]
index = 4.0
[layout]
optimizer = "replicated"
[batch]
sequence = 1
micro = 16
sequences = 128
[precision]
activations = 4.0
gradients = 4.0
[compute]
tflops = 19.5
"""


G13B = "G13B-M1-C02_GPT13B_megatron_tp8_pp1_mbs1_sp_A100.txt"
G175B = "G175B-M1-C03_GPT175B_megatron_tp8_pp1_mbs1_A100.txt"
TP2 = "L7B-M1-C04_Llama7B_megatron_tp2_pp1_mbs1.csv"
ZERO2 = "L7B-D1-C01_Llama7B_zero2_mbs1.csv"
ZERO3 = "L7B-D1-C02_Llama7B_deepspeed_zero3_A100.txt"
MOE = "workload_analytical_9216gpu.txt.gz"


def operations_of(text, gpus):
    """(axis, kind, bytes as nccl-tests counts them, how often a rank runs it) of a modelled step."""
    workload = Workload.of(parse_workload(text, "test"), gpus)
    return [
        (one.axis, one.collective, one.bytes, one.times(workload.microbatches)) for one in step_operations(workload)
    ]


def aicb(name):
    """The same of a recorded step; an all-gather's shard becomes its output."""
    return counted(read_simai(shared("traces", "simai_aicb", name)).operations)


def counted(operations):
    each = [
        (
            one.group.removesuffix("_group"),
            one.kind,
            (one.bytes or 0.0) * (one.group_size if one.kind == "all-gather" else 1),
        )
        for one in operations
    ]
    return [(*key, times) for key, times in Counter(each).items()]


def resnet():
    """All of three steps."""
    return read_trace(str(shared("traces", "pytorch_et", "resnet_2gpu_rank1_schema1.1.0.json.gz"))).operations


def dlrm():
    folder = shared("traces", "pytorch_et", "dlrm_8rank")
    return read_trace([str(folder / f"dlrm_eg_{rank}.json.gz") for rank in range(8)]).operations


def some(operations, axis, kind, size=None):
    """How often and how many bytes in all."""
    found = [
        (times, bytes_) for group, what, bytes_, times in operations
        if (group, what) == (axis, kind) and (size is None or bytes_ == size)
    ]  # fmt: skip
    return sum(times for times, _ in found), sum(times * bytes_ for times, bytes_ in found)


@dataclass(frozen=True)
class Row:
    """What is recorded of a step beside what is modelled: how often, and bytes in all."""

    job: str
    what: str
    recorded: tuple[float, float]
    model: tuple[float, float]
    why: str

    @property
    def line(self):
        """As the documentation has it."""
        ratio = self.model[1] / self.recorded[1]
        cells = (self.job, self.what, _cell(self.recorded), _cell(self.model), f"{ratio:.4f}" if ratio != 1 else "1",
                 self.why or "the same")  # fmt: skip
        return f"| {' | '.join(cells)} |"


def _cell(found):
    times, total = found
    return f"{times:,.0f}: {total:,.0f}"


def rows() -> Iterator[Row]:
    """Every comparison."""
    there, here = aicb(G13B), operations_of(GPT_13B, 128)
    job, exchanged = "GPT-13B, TP 8, sequence parallel", 20_971_520
    once_more = "not in AICB's text: inputs gathered once more in the backward pass (81 of 243; its CSV has them)"
    yield Row(
        job, "tp all-gather", some(there, "tp", "all-gather", exchanged), some(here, "tp", "all-gather"), once_more
    )
    yield Row(job, "tp reduce-scatter", some(there, "tp", "reduce-scatter"), some(here, "tp", "reduce-scatter"),
              "AICB sums the embedding instead: 2 all-reduces of that size")  # fmt: skip
    positions = "2,048 position embeddings, which the model has not"
    yield Row(
        job, "dp reduce-scatter", some(there, "dp", "reduce-scatter"), some(here, "dp", "reduce-scatter"), positions
    )
    yield Row(job, "dp all-gather", some(there, "tp", "all-gather", 3_248_619_520), some(here, "dp", "all-gather"),
              f"{positions}; the file has it in the tp column")  # fmt: skip

    there, here = aicb(G175B), operations_of(GPT_175B, 128)
    job = "GPT-175B, 12 layers, TP 8"
    yield Row(job, "tp all-reduce", some(there, "tp", "all-reduce", 50_331_648), some(here, "tp", "all-reduce"),
              "not in AICB's text: the backward pass (24), embedding and output layer (2)")  # fmt: skip
    small = "position embeddings, biases, norms"
    yield Row(job, "dp reduce-scatter", some(there, "dp", "reduce-scatter"), some(here, "dp", "reduce-scatter"), small)

    there, here = aicb(TP2), operations_of(LLAMA_7B_TP2, 128)
    job = "Llama-7B (two matrices, tied), TP 2"
    yield Row(job, "tp all-reduce", some(there, "tp", "all-reduce", 16_777_216), some(here, "tp", "all-reduce"), "")
    for kind in ("reduce-scatter", "all-gather"):
        size = {"all-gather": 5_183_348_736}.get(kind)
        yield Row(job, f"dp {kind}", some(there, "dp", kind, size), some(here, "dp", kind), small)

    there, here = aicb(ZERO2), operations_of(LLAMA_7B_ZERO2, 128)
    job, total = "Llama-7B, ZeRO-2", 13_476_831_232
    sums = [times for axis, kind, size, times in there if (axis, kind) == ("dp", "all-reduce") and size > 1]
    sent = sum(size * n for axis, kind, size, n in there if (axis, kind) == ("dp", "all-reduce") and size > 1)
    assert sent == total
    yield Row(job, "gradients", (sum(sums), sent), some(here, "dp", "reduce-scatter"),
              "norms; AICB sums them on every rank, the model scatters sums")  # fmt: skip
    yield Row(job, "dp all-gather", some(there, "dp", "all-gather"), some(here, "dp", "all-gather"),
              "norms, padding; AICB rounds the number of buckets down")  # fmt: skip

    there, here = aicb(MOE), operations_of(MOE_9216, 9216)
    job, exchanged = "MoE on 9,216, TP 2, EP 16, PP 12", 50_331_648
    yield Row(job, "ep all-to-all", some(there, "ep", "all-to-all"), some(here, "ep", "all-to-all"), "")
    for kind in ("all-gather", "reduce-scatter"):
        yield Row(job, f"etp {kind}", some(there, "tp", kind, 201_326_592), some(here, "etp", kind), "")
    yield Row(job, "tp all-gather", some(there, "tp", "all-gather", exchanged), some(here, "tp", "all-gather"),
              "as GPT-13B (194); AICB gives each stage an output layer (24), the model a twelfth of the ends (4)")  # fmt: skip
    yield Row(job, "tp reduce-scatter", some(there, "tp", "reduce-scatter", exchanged), some(here, "tp", "reduce-scatter"),
              "those of the backward pass are in the file with 0 bytes")  # fmt: skip
    for kind in ("reduce-scatter", "all-gather"):
        yield Row(job, f"edp {kind}", some(there, "edp", kind), some(here, "edp", kind), "")
    for kind in ("reduce-scatter", "all-gather"):
        yield Row(job, f"dp {kind}", some(there, "dp", kind), some(here, "dp", kind),
                  "AICB gives each stage the output layer and four embeddings")  # fmt: skip

    reduced = [one for one in resnet() if one.kind == "all-reduce"]
    each = (len(reduced) / 3, sum(one.bytes or 0 for one in reduced) / 3)
    yield Row("ResNet-50, DDP on 2 (recorded)", "dp all-reduce", each, some(operations_of(RESNET_50, 2), "dp", "all-reduce"),
              "buckets end where a parameter does, the first of DDP at 1 MiB")  # fmt: skip

    there, here = dlrm(), operations_of(DLRM, 8)
    job = "DLRM on 8 (recorded)"
    yield Row(
        job,
        "dp all-reduce",
        _of_kind(there, "all-reduce"),
        some(here, "dp", "all-reduce"),
        "its buckets are not described",
    )
    yield Row(job, "emb all-to-all", _of_kind(there, "all-to-all"), some(here, "emb", "all-to-all"), "")


def _of_kind(operations, kind):
    found = [one.bytes or 0.0 for one in operations if one.kind == kind]
    return len(found), sum(found)


def test_the_table_of_the_documentation_is_what_comes_out():
    page = (ROOT / "docs" / "recorded-steps.md").read_text()
    assert [line for line in page.splitlines() if line.startswith("| ")][2:] == [row.line for row in rows()]


def by_what():
    return {(row.job.split(",")[0], row.what): row for row in rows()}


def test_what_the_model_leaves_out_is_known_to_the_byte():
    found = by_what()
    over = {key: row.recorded[1] - row.model[1] for key, row in found.items()}
    assert over["GPT-13B", "dp reduce-scatter"] == 4 * 2048 * 5120
    assert over["GPT-13B", "dp all-gather"] == 2 * 2048 * 5120
    # Vectors of a layer: biases of queries, keys and values (3/8) and of the inner layer (4/8), two whole ones; norms.
    assert over["GPT-175B", "dp reduce-scatter"] == 4 * 12288 * (2048 + 12 * (3 / 8 + 4 / 8 + 2) + 12 * 8)
    # The same with TP 2; two norms of two vectors a layer and the last one.
    vectors = 2048 + 32 * (3 / 2 + 11008 / 4096 / 2 + 2) + 32 * 4 + 2
    assert over["Llama-7B (two matrices", "dp reduce-scatter"] == 4 * 4096 * vectors
    assert over["Llama-7B (two matrices", "dp all-gather"] == 2 * 4096 * vectors
    # 65 norms of one vector; AICB pads to the number of ranks.
    assert over["Llama-7B", "gradients"] == 2 * 65 * 4096
    assert over["Llama-7B", "dp all-gather"] == 2 * 65 * 4096 + 2 * 256


def test_a_stage_of_aicb_has_both_ends_of_the_model():
    row = by_what()["MoE on 9", "dp reduce-scatter"]
    attention = 8 * 4 * 6144**2 / 2
    # Four embeddings and an output layer, 4,096 positions, a norm of two vectors a layer.
    assert row.recorded[1] == 4 * (attention + 6144 * (5 * 50432 / 2 + 4096 + 2 * 8))
    # The mean of 12 stages: one embedding and one output layer, and the routers.
    assert row.model[1] == 4 * (attention + (2 * 50432 * 6144 / 2 + 96 * 6144 * 192 / 2) / 12)


def test_tensor_parallel_operations_are_megatrons():
    found = by_what()
    # Forward and backward two pairs of matrices a layer, as recorded; one pair for the ends; inputs once more.
    assert found["GPT-13B", "tp all-gather"].recorded[0] == 4 * 40
    assert found["GPT-13B", "tp all-gather"].model[0] == 4 * 40 + 2 + 2 * 40 + 1
    assert found["GPT-13B", "tp reduce-scatter"].model[0] == 4 * 40 + 2
    assert found["GPT-175B", "tp all-reduce"].model[0] == 2 * found["GPT-175B", "tp all-reduce"].recorded[0] + 2
    # 8 layers a stage and 24 microbatches: a layer of experts has the pair of its attention only.
    assert found["MoE on 9", "tp all-gather"].recorded[0] == 24 * (8 * 2 + 1)
    assert found["MoE on 9", "tp all-gather"].model[0] == pytest.approx(24 * (8 * 3 + 3 / 12))


def test_what_is_recorded_and_not_modelled():
    # Megatron's former dispatcher of experts exchanged hidden sizes for sequence among tensor parallel ranks.
    moe = aicb(MOE)
    assert some(moe, "tp", "all-to-all") == (768, 768 * 25_165_824)
    assert some(moe, "tp", "all-gather", 1_572_864)[0] == 384
    assert some(moe, "tp", "all-reduce", 50_331_648)[0] == 24 + 1
    # Cross-entropy and norms of gradients.
    assert some(moe, "tp", "all-reduce", 16_384)[0] == 3
    assert some(moe, "tp", "all-reduce", 4)[0] == 4
    # A message of the pipeline is cut by tensor parallelism where the sequence is; `pp_comm` is not.
    said = read_simai(shared("traces", "simai_aicb", MOE)).warnings
    assert any("pp_comm 50,331,648 B" in line for line in said)
    assert some(operations_of(MOE_9216, 9216), "pp", "send-recv") == (24 * 16, 24 * 16 * 50_331_648 / 2)
    # Once a step of AICB: parameters' bytes among tensor parallel ranks, where Megatron sums those of norms.
    assert some(aicb(G13B), "tp", "all-reduce", 3_248_619_520)[0] == 1
    assert some(aicb(G13B), "tp", "all-reduce", 2 * 32000 * 5120)[0] == 1


def test_a_file_whose_sizes_are_no_volumes_of_its_model():
    operations = read_simai(shared("traces", "simai_aicb", ZERO3)).operations
    assert sum(one.kind == "all-gather" for one in operations) == 12
    sizes = [one.bytes for one in operations if one.kind == "reduce-scatter"]
    # Stage 3 scatters all gradients: 13.48 GB.
    assert sizes == [1_889_785_610]


def test_the_other_recordings_of_resnet_are_the_same_step():
    sizes = {one.bytes for one in resnet() if one.kind == "all-reduce"}
    for path, steps in (
        (("kineto", "hta_resnet_2rank_rank0.json.gz"), 3),
        (("chakra_et", "mlcommons_chakra.0.et.gz"), 1),
    ):
        trace = read_trace(str(shared("traces", *path)))
        reduced = [one for one in trace.operations if one.kind == "all-reduce"]
        assert sum(one.bytes or 0 for one in reduced) == steps * 4 * 25_557_032
        assert {one.bytes for one in reduced} == sizes


def test_tables_of_dlrm_receive_what_was_recorded():
    workload = Workload.of(parse_workload(DLRM, "test"), 8)
    received = np.zeros(8)
    for one in step_operations(workload):
        if one.spread is None:
            continue
        sent = np.full(8, one.bytes / 8)[:, None] * one.spread.shares[None, :]
        sent = sent.T if one.spread.combine else sent
        received += (sent * (1 - np.eye(8))).sum(axis=0)
    # As the traces of all ranks say.
    assert received == pytest.approx([47208, 50792, 52584, 91112, 61096, 47208, 49896, 51240])
    assert received.sum() == pytest.approx(451_136)
    sizes = sorted(one.bytes for one in step_operations(workload) if one.axis == "emb")
    assert sizes == sorted(one.bytes for one in dlrm() if one.kind == "all-to-all")


if __name__ == "__main__":
    print("\n".join(row.line for row in rows()))
