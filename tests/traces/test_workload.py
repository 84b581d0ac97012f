"""Workloads: parameters, volumes and bubbles against published and hand-computed figures."""

import itertools

import numpy as np
import pytest

from collectives.errors import InputError
from traces.workload.description import (
    Experts,
    Layout,
    Workload,
    changed_layout,
    parse_workload,
    read_workload,
    workload_names,
)
from traces.workload.parameters import flops_per_token, parameters_of, per_gpu
from traces.workload.pipeline import bubble_microbatches
from traces.workload.popularity import popularity, rank_shares, visited_nodes, visits
from traces.workload.step_operations import step_operations

TINY_MODEL = """
[model]
name = "tiny-model"
layers = 8
hidden = 256
ffn = 0
heads = 8
kv_heads = 8
vocabulary = 1000

[experts]
experts = 16
top_k = 2
ffn = 512
popularity = "zipf"

[layout]
tp = 2
pp = 2
ep = 8
vp = 2

[batch]
sequence = 512
per_gpu = 4.0

[compute]
measured = "here"

[convergence]
steps = 40
steps_high = 50
evaluated = 8
source = "made up"

[[measured]]
name = "here"
gpus = 32
step_s = 0.1
group = "one"
source = "made up"

[[measured]]
name = "there"
gpus = 64
minutes = 1.0
source = "made up"
"""


def workload(name, gpus, **changes):
    description = read_workload(name)
    return Workload.of(changed_layout(description, changes, name) if changes else description, gpus)


def of_axis(made, axis):
    return [one for one in step_operations(made) if one.axis == axis]


@pytest.mark.parametrize(
    ("name", "billions", "routed"),
    [("deepseek-v3", 671.03, 653.91), ("llama-3.1-405b", 405.85, 0), ("llama-3.1-8b", 8.03, 0)],
)
def test_parameters_are_the_published_ones(name, billions, routed):
    found = parameters_of(read_workload(name))
    assert found.total / 1e9 == pytest.approx(billions, abs=0.006)
    assert found.experts / 1e9 == pytest.approx(routed, abs=0.006)


def test_deepseek_activates_37_billion():
    # "37B activated for each token" (arXiv 2412.19437), its input embedding of 0.93 B among them.
    assert parameters_of(read_workload("deepseek-v3")).active / 1e9 == pytest.approx(37.0, abs=0.95)


@pytest.mark.parametrize(("gpus", "gigabytes"), [(2048, 13.01), (4096, 13.34), (8192, 13.50)])
def test_gradients_of_deepseek_are_flat_over_gpus(gpus, gigabytes):
    made = workload("deepseek-v3", gpus)
    assert [held / 1e9 for held in per_gpu(made)] == pytest.approx([2.554, 4.28], abs=0.002)
    sent = sum(
        one.bytes * (size - 1) / size
        for one in step_operations(made)
        if one.collective == "reduce-scatter"
        for size in [int(one.groups.sizes.max())]
    )
    assert sent / 1e9 == pytest.approx(gigabytes, abs=0.006)


def test_tensor_and_pipeline_volumes_of_405b():
    made = workload("llama-3.1-405b", 512, **{"layout.cp": 1, "batch.sequences": 16 * 12})
    gather, scatter, again = of_axis(made, "tp")
    assert (gather.collective, scatter.collective) == ("all-gather", "reduce-scatter")
    assert gather.bytes == scatter.bytes == pytest.approx(268.4e6, rel=1e-3)
    assert gather.bytes * 3 / 4 == pytest.approx(201.3e6, rel=1e-3)
    # Two pairs of matrices a layer, and embedding and output layer; each gathers its input once more in the backward pass.
    assert (gather.count, scatter.count, again.count) == (2 * 253 / 8, 2 * 253 / 8, 253 / 8)
    assert (again.bytes, again.beside) == (gather.bytes, 1.0)
    (stages,) = of_axis(made, "pp")
    assert stages.bytes == pytest.approx(67.1e6, rel=1e-3)
    assert stages.count == 2 * 8  # forward and backward of each of 8 virtual stages
    assert per_gpu(made)[1] / 1e9 == pytest.approx(12.68, abs=0.01)
    halved = workload("llama-3.1-405b", 512, **{"batch.sequences": 896})
    assert of_axis(halved, "tp")[0].bytes * 2 == gather.bytes
    assert halved.microbatches == 112


def test_dispatch_of_deepseek_without_deduplication():
    made = workload("deepseek-v3", 2048, **{"experts.copies": "expert"})
    dispatch, combine = of_axis(made, "ep")
    assert dispatch.bytes == pytest.approx(234.9e6, rel=1e-3)
    assert combine.bytes == pytest.approx(469.8e6, rel=1e-3)
    assert dispatch.count * 4 == 2 * 58  # forward and backward of 58 layers over 4 stages
    assert made.microbatches == 32


@pytest.mark.parametrize(
    ("context", "collectives", "bytes_"),
    [
        # Per layer: 1 forward, 2 backward rounds of 3 sends; 8 KV heads of 128 in 16 bits, 2,048 tokens a rank, over tp 4.
        ("p2p", ["send-recv"], 9 * 2048 * 2 * 8 * 128 * 2 / 4),
        ("all_gather", ["all-gather", "reduce-scatter"], 3 * 3 * 2048 * 2 * 8 * 128 * 2 / 4),
        ("a2a", ["all-to-all"], 2 * 2048 * (2 * 8 + 2 * 128) * 128 * 2 / 4 * 3 / 4),
        ("a2a+p2p", ["all-to-all", "send-recv"],
         2 * 2048 * (2 * 8 + 2 * 128) * 128 * 2 / 4 / 2 + 3 * 2048 * 2 * 8 * 128 * 2 / 4),
    ],
)  # fmt: skip
def test_the_four_exchanges_of_context_parallelism(context, collectives, bytes_):
    changes = {"layout.cp": 4, "layout.context": context, "layout.context_inner": 2, "batch.sequences": 32}
    made = workload("llama-3.1-405b", 512, **changes)
    found = of_axis(made, "cp")
    assert [one.collective for one in found] == collectives
    sent = 0.0
    for one in found:
        n = int(one.groups.sizes.max())
        sent += one.count * one.bytes * (1 if one.collective == "send-recv" else (n - 1) / n)
    assert sent == pytest.approx(bytes_ * 126 / 8)


def test_fsdp_gathers_before_every_pass():
    made = workload("llama-3.1-8b", 64, **{"layout.optimizer": "fsdp"})
    scatter, gather = of_axis(made, "dp")
    assert (gather.count, gather.in_step, scatter.count, scatter.in_step) == (2, False, 1, False)
    replicated = workload("llama-3.1-8b", 64, **{"layout.optimizer": "replicated"})
    assert [one.collective for one in of_axis(replicated, "dp")] == ["all-reduce"]


PLAIN = """
[model]
name = "plain"
parameters = 1000000
flops = 6e9
[layout]
optimizer = "replicated"
[batch]
sequence = 4
[precision]
gradients = 4.0
[compute]
tflops = 1.0
"""
TABLES = PLAIN + "[embeddings]\ntables = 3\ndim = 2\nlookups = [1.0, 2.0, 6.0]\n"


def plain(text, gpus):
    return step_operations(Workload.of(parse_workload(text, "x.toml"), gpus))


def test_a_model_by_its_parameters_is_data_parallel():
    (reduced,) = plain(PLAIN, 8)
    assert (reduced.collective, reduced.bytes, reduced.count, reduced.in_step) == ("all-reduce", 4e6, 1, True)
    assert reduced.groups.rank.tolist() == list(range(8))
    assert flops_per_token(parse_workload(PLAIN, "x.toml")) == 6e9 / 4
    assert plain(PLAIN, 1) == ()


@pytest.mark.parametrize("optimizer", ["replicated", "distributed", "fsdp"])
def test_buckets_change_how_often_and_not_how_much(optimizer):
    text = PLAIN.replace("replicated", optimizer)
    whole, parts = plain(text, 8), plain(text.replace("[batch]", "bucket_mib = 1.0\n[batch]"), 8)
    for one, part in zip(whole, parts, strict=True):
        assert part.count == 4 * one.count  # 4,000,000 B of 1,048,576
        assert part.bytes * part.count == one.bytes * one.count


def test_a_rank_has_consecutive_embedding_tables():
    rows = {one.label: one for one in plain(TABLES, 2) if one.axis == "emb"}
    assert set(rows) == {"numbers of indices", "indices of a sample", "indices", "rows", "gradients of rows"}
    # A microbatch of one sequence of 4 on each of 2 ranks: 3 tables of 2 numbers in 16 bits; 9 lookups of a sample.
    assert rows["rows"].bytes == rows["gradients of rows"].bytes == 4 * 3 * 2 * 2
    assert rows["indices"].bytes == 4 * 9 * 8
    assert rows["indices of a sample"].bytes == 4 * 3 * 8
    assert rows["numbers of indices"].bytes == 3 * 8
    # The first rank has two tables: 3 of 9 lookups.
    spreads = {label: (one.spread.shares.tolist(), one.spread.combine) for label, one in rows.items()}
    assert spreads["indices"] == (pytest.approx([2 / 3, 4 / 3]), False)
    assert spreads["rows"] == (pytest.approx([4 / 3, 2 / 3]), True)
    assert spreads["gradients of rows"] == (pytest.approx([4 / 3, 2 / 3]), False)


def test_matrices_and_ties_change_parameters():
    usual = parse_workload(TINY_MODEL, "x.toml")
    two = parse_workload(TINY_MODEL.replace("ffn = 0", "ffn = 0\ngated = false"), "x.toml")
    assert parameters_of(two).experts * 3 == parameters_of(usual).experts * 2
    tied = parse_workload(TINY_MODEL.replace("ffn = 0", "ffn = 0\ntied = true"), "x.toml")
    assert parameters_of(usual).others - parameters_of(tied).others == 256 * 1000
    # A token meets the output layer either way; with two stages both hold the matrix.
    assert parameters_of(tied).active == parameters_of(usual).active
    assert per_gpu(Workload.of(tied, 32)) == per_gpu(Workload.of(usual, 32))


@pytest.mark.parametrize(("etp", "shared", "pairs"), [(1, 0, 1), (2, 0, 1), (1, 1, 2), (2, 1, 2)])
def test_layers_of_experts_have_the_pairs_that_are_cut(etp, shared, pairs):
    text = TINY_MODEL.replace("top_k = 2", f"top_k = 2\nshared = {shared}").replace("tp = 2", f"tp = 2\netp = {etp}", 1)
    made = Workload.of(parse_workload(text, "x.toml"), 64)
    gather, scatter, again = of_axis(made, "tp")
    assert gather.count == scatter.count == 2 * again.count == 2 * (8 * pairs + 1) / 2
    without = text.replace("vp = 2", "vp = 2\nsequence_parallel = false")
    (summed,) = of_axis(Workload.of(parse_workload(without, "x.toml"), 64), "tp")
    assert (summed.collective, summed.count) == ("all-reduce", gather.count)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            PLAIN.replace("flops = 6e9", ""),
            "model.flops: missing; expected a finite number > 0, as compute.tflops is given",
        ),
        (PLAIN.replace("flops = 6e9", "flops = 6e9\nhidden = 8"), "model.hidden: of a model of layers"),
        (PLAIN.replace("parameters = 1000000", ""), "model.layers: missing; expected an integer >= 1"),
        (
            PLAIN.replace("parameters = 1000000", "parameters = -1"),
            "model.parameters: expected an integer >= 0, got -1",
        ),
        (PLAIN + "[experts]\nexperts = 2\ntop_k = 1\nffn = 8\n", "experts: of a model of layers"),
        (TINY_MODEL.replace("hidden = 256", ""), "model.hidden: missing; expected an integer >= 1"),
        (TINY_MODEL.replace("hidden = 256", "hidden = 256\nflops = 1.0"), "model.flops: follows from the layers"),
        (TINY_MODEL + "[embeddings]\ntables = 1\ndim = 1\n", "embeddings: a decoder has its own"),
        (
            TABLES.replace("[1.0, 2.0, 6.0]", "[1.0, 2.0]"),
            "embeddings.lookups: 2 values; expected 1, or 3, one a table",
        ),
        (TABLES.replace("[1.0, 2.0, 6.0]", "[0.0]"), "embeddings.lookups: every value is 0"),
        (TABLES.replace("[1.0, 2.0, 6.0]", "[]"), "embeddings.lookups"),
        (TABLES.replace("[1.0, 2.0, 6.0]", "[-1.0]"), r"embeddings.lookups\[0\]: expected a"),
        (TABLES.replace("[1.0, 2.0, 6.0]", "[inf]"), r"embeddings.lookups\[0\]: expected a"),
        (TABLES.replace("tables = 3", "tables = 9000000000"), "embeddings.tables: expected an integer >= 1 and <= 1e"),
        (TABLES.replace("dim = 2", "dim = 0"), "embeddings.dim: expected an integer >= 1, got 0"),
        (
            PLAIN.replace("[batch]", "bucket_mib = -1.0\n[batch]"),
            "layout.bucket_mib: expected a number >= 0.001 and <= 1e",
        ),
    ],
)
def test_models_by_their_parameters_are_checked(text, said):
    with pytest.raises(InputError, match=said) as no:
        parse_workload(text, "x.toml")
    assert "\n" not in str(no.value)


@pytest.mark.parametrize("axis", ["tp", "pp", "cp", "ep", "vp"])
def test_a_model_by_its_parameters_is_not_cut(axis):
    with pytest.raises(InputError, match=f"plain: layout.{axis} 2: `parameters` alone cannot be cut; expected 1"):
        Workload.of(parse_workload(PLAIN.replace("[batch]", f"{axis} = 2\n[batch]"), "x.toml"), 8)
    changed = changed_layout(parse_workload(PLAIN, "x.toml"), {f"layout.{axis}": 2}, "x.toml")
    with pytest.raises(InputError, match="cannot be cut"):
        Workload.of(changed, 8)


@pytest.mark.parametrize("parts", [1, 2, 4, 8])
def test_visits_are_those_of_every_choice(parts):
    experts = Experts(experts=8, top_k=3, ffn=1)
    per_part = 8 // parts
    every = [len({one // per_part for one in chosen}) for chosen in itertools.combinations(range(8), 3)]
    assert visits(experts, parts) == pytest.approx(np.mean(every))


def test_visits_of_deepseek():
    experts = read_workload("deepseek-v3").experts
    assert experts is not None
    assert visits(experts, 8) == pytest.approx(5.29, abs=0.005)
    assert visits(experts, 64) == pytest.approx(7.68, abs=0.005)
    assert visited_nodes(experts, 8) == 4.0


def test_popularity():
    assert np.allclose(popularity(Experts(experts=4, top_k=1, ffn=1)), 0.25)
    zipf = popularity(Experts(experts=3, top_k=1, ffn=1, popularity="zipf", zipf=1.0))
    assert np.allclose(zipf, np.array([6, 3, 2]) / 11)
    given = Experts(experts=4, top_k=1, ffn=1, popularity="histogram", histogram=[1.0, 3.0, 0.0, 4.0])
    assert rank_shares(given, 2).tolist() == [1.0, 1.0]
    assert rank_shares(given, 4).tolist() == [0.5, 1.5, 0.0, 2.0]


@pytest.mark.parametrize(
    ("layout", "bubble"),
    [
        (Layout(pp=8, vp=8), 7 / 8),
        (Layout(pp=8, schedule="1f1b"), 7),
        (Layout(pp=16, schedule="dualpipe"), 7 * (1 + 2 / 3 - 1)),
        (Layout(pp=8, schedule="zb1p"), 7 * (1 / 3 + 2 / 3 - 2 / 3)),
        (Layout(pp=1), 0),
    ],
)
def test_bubbles(layout, bubble):
    assert bubble_microbatches(layout) == pytest.approx(bubble)


@pytest.mark.parametrize("name", workload_names())
def test_every_workload_says_its_sources(name):
    description = read_workload(name)
    assert all(one.source for one in description.measured)
    assert description.compute.measured or description.compute.source


@pytest.mark.parametrize(
    ("change", "gpus", "said"),
    [
        (("ep = 8", "ep = 6"), 64, "layout.ep 6: does not divide 16 experts"),
        (("pp = 2", "pp = 3"), 64, "does not divide 64 ranks"),
        (("vp = 2", "vp = 5"), 64, "pp 2 x vp 5 = 10 stages"),
        (("per_gpu = 4.0", "sequences = 33"), 32, "33 sequences on 8 data-parallel ranks"),
        (("top_k = 2", "top_k = 17"), 64, "top_k 17: more than 16 experts"),
        (('popularity = "zipf"', 'popularity = "histogram"'), 64, "histogram: 0 values; expected 16"),
    ],
)
def test_what_does_not_fit_is_refused(change, gpus, said):
    description = parse_workload(TINY_MODEL.replace(*change), "x.toml")
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        Workload.of(description, gpus)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("layers = 8", "layres = 8"), "model.layres: unknown key; did you mean 'layers'|model.layres: unknown key"),
        (("layers = 8", "layers = 9223372036854775808"), "model.layers: an integer of more than 64 bits"),
        (
            ("layers = 8", "layers = [1, {a = -9223372036854775809}]"),
            r"model.layers\[1\].a: an integer of more than 64",
        ),
        (("layers = 8", "layers = 0"), r"model.layers: expected an integer >= 1, got 0"),
        (('popularity = "zipf"', 'popularity = "zip"'), "experts.popularity: 'zip' is not known"),
        (("step_s = 0.1", "step_s = nan"), r"measured\[0\].step_s: expected"),
        (('measured = "here"', 'measured = "her"'), "compute.measured: 'her' is no run"),
        (('name = "there"', 'name = "here"'), "'here' is there twice"),
        (("[batch]", "[batch"), "not TOML"),
        (('measured = "here"', ""), "expected `measured`"),
    ],
)
def test_bad_descriptions_are_refused_by_key(change, said):
    with pytest.raises(InputError, match=said):
        parse_workload(TINY_MODEL.replace(*change), "x.toml")


def test_an_unknown_name_is_no_workload():
    with pytest.raises(InputError, match="deepseek-v4: neither a workload nor a file"):
        read_workload("deepseek-v4")
