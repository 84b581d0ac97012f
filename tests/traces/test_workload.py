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
from traces.workload.parameters import parameters_of, per_gpu
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
