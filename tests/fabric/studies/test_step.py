"""Steps of workloads: closed forms, what compute hides, and runs that judge the model."""

import json

import numpy as np
import pytest

import railscope as rs
from collectives.errors import InputError
from fabric.jobs.rule import PlacementRule
from fabric.studies.scale import fabric_for, judged, study_scale
from fabric.studies.step import StepDesign, compute_source, scenario_for, study_step
from fabric.studies.step_costs import TIERS, Known, operation_costs
from fabric.timing.step_time import compute_from_step, step_time
from tests.fabric.commands.test_cli import railscope
from tests.traces.test_workload import TABLES, TINY_MODEL
from traces.workload.description import Workload, changed_layout, parse_workload, read_workload
from traces.workload.pipeline import bubble_microbatches
from traces.workload.step_operations import step_operations


@pytest.fixture(scope="module")
def tiny():
    description = parse_workload(TINY_MODEL, "tiny")
    return study_step(rs.open_fabric("hgx-b200-64"), description, 64)


def test_a_step_is_its_parts(tiny):
    for one in tiny.designs:
        time = one.time
        assert time.step_s == pytest.approx(time.compute_s + time.bubble_s + sum(time.exposed_s))
        assert all(exposed <= total * 1.0001 or cost.operation.axis == "pp"
                   for exposed, total, cost in zip(time.exposed_s, time.total_s, one.costs, strict=True))  # fmt: skip
        assert one.found.step_s >= time.step_s
    assert tiny.bound_s <= tiny.best.time.step_s
    assert sum(axis.exposed_s for axis in tiny.axes) == pytest.approx(tiny.best.time.exposed_total_s)


def test_bytes_of_an_axis_are_counted_by_hand(tiny):
    made = tiny.workload
    by_axis = {axis.axis: axis for axis in tiny.axes}
    # tp 2 on one HGX host: half of each tensor leaves a GPU, over NVLink.
    expected = sum(one.bytes * one.count * made.microbatches / 2 for one in step_operations(made) if one.axis == "tp")
    assert by_axis["tp"].bytes_per_gpu == pytest.approx(expected)
    assert by_axis["tp"].tier == "NVLink"
    # Experts are not cut by tp: a group of 8 is one host.
    assert by_axis["ep"].tier == "NVLink"
    for axis in tiny.axes:
        assert axis.tier == TIERS[max(place for place, value in enumerate(axis.tier_bytes) if value > 0)]


def test_the_popular_rank_sets_the_time(tiny):
    place, times = tiny.hot_receiver
    assert place == 0
    assert times > 2
    even = changed_layout(parse_workload(TINY_MODEL, "tiny"), {"experts.popularity": "uniform"}, "tiny")
    other = study_step(rs.open_fabric("hgx-b200-64"), even, 64, compute=tiny.compute, levers=False)
    skewed = next(cost for cost in tiny.best.costs if cost.operation.axis == "ep")
    flat = next(cost for cost in other.best.costs if cost.operation.axis == "ep")
    assert skewed.bound_s > 1.5 * flat.bound_s
    assert skewed.seconds > flat.seconds
    # Of all ranks of a group 0 receives most, from every other one.
    assert skewed.sent_bytes == pytest.approx(flat.sent_bytes, rel=0.3)


def naive_step(workload, operations, seconds, compute_s):
    """Without any overlap, one line after the other."""
    each = sum(one.count * lasted for one, lasted in zip(operations, seconds, strict=True) if not one.in_step)
    once = sum(one.count * lasted for one, lasted in zip(operations, seconds, strict=True) if one.in_step)
    filling = sum(2 * (workload.layout.pp - 1) * lasted
                  for one, lasted in zip(operations, seconds, strict=True) if one.axis == "pp")  # fmt: skip
    bubble = bubble_microbatches(workload.description.layout)
    return (workload.microbatches + bubble) * (compute_s + each) + once + filling


def test_without_overlap_everything_adds_up():
    none = {f"overlap.{axis}": 0.0 for axis in ("tp", "cp", "ep", "pp", "dp")}
    made = Workload.of(changed_layout(read_workload("deepseek-v3"), none, "x"), 2048)
    operations = step_operations(made)
    seconds = [1e-3 * (place + 1) for place in range(len(operations))]
    found = step_time(made, operations, seconds, 0.1, 0.0)
    assert found.step_s == pytest.approx(naive_step(made, operations, seconds, 0.1))


def test_compute_hides_no_more_than_there_is():
    made = Workload.of(read_workload("llama-3.1-8b"), 64)
    operations = step_operations(made)
    hidden = step_time(made, operations, [1e-3] * 2, 10.0, 0.0)
    # All but the last of 32 layers.
    assert hidden.exposed_s == pytest.approx((1e-3 / 32, 1e-3 / 32))
    short = step_time(made, operations, [1.0] * 2, 0.3, 0.0)
    backward, forward = 0.2 * 31 / 32, 0.1 * 31 / 32
    assert short.exposed_s == pytest.approx((1.0 - backward, 1.0 - forward))


def test_compute_is_found_again():
    made = Workload.of(read_workload("deepseek-v3"), 2048)
    operations = step_operations(made)
    seconds = [1e-3] * len(operations)
    step_s = step_time(made, operations, seconds, 0.123, 0.01).step_s
    assert compute_from_step(made, operations, seconds, step_s, 0.01) == pytest.approx(0.123)
    assert compute_from_step(made, operations, seconds, 1e-6, 0.0) == pytest.approx(0.0, abs=1e-6)


def test_the_run_that_compute_is_of_comes_out_as_measured():
    description, fabric = read_workload("deepseek-v3"), rs.open_fabric("gb300-2048")
    run = description.measured[0]
    result = study_step(fabric, description, 256, run=run, levers=False)
    assert result.workload.tokens / 256 / result.best.time.step_s == pytest.approx(6422, rel=1e-6)


def test_deepseek_keeps_its_rate_from_256_to_1024():
    """Published: 98.5 % (Megatron); the model sees bytes and bubble only, and no stragglers: a little more."""
    description, fabric = read_workload("deepseek-v3"), rs.open_fabric("gb300-2048")
    run = description.measured[0]
    source = compute_source(fabric, description, rs.PlacementRule())
    changes = {"layout.pp": 2, "layout.ep": 32, "layout.vp": 8, "batch.micro": 2, "batch.sequences": 16384}
    larger = study_step(fabric, changed_layout(description, changes, "x"), 1024, compute=source, levers=False)
    kept = larger.workload.tokens / 1024 / larger.best.time.step_s / (run.tokens_per_s_per_gpu or 1)
    assert 0.985 <= kept <= 1.0


@pytest.fixture(scope="module")
def judged_405b():
    return list(judged(read_workload("llama-3.1-405b"), "gb200"))


def test_measured_steps_of_405b_are_predicted_within_a_tenth(judged_405b):
    """One number is fitted, on 512 GPUs; 1,024 to 5,120 GPUs judge it."""
    own = [one for one in judged_405b if one.fitted_on.startswith(one.run.group)]
    assert sorted(one.run.gpus for one in own) == [1024, 1536, 2048, 2496, 2560, 5120]
    assert all(abs(one.error) < 0.10 for one in own)
    assert all(abs(one.error) < 0.03 for one in own if one.run.group == "v5.0")


def test_software_of_a_later_round_is_not_predicted(judged_405b):
    later = [one for one in judged_405b if not one.fitted_on.startswith(one.run.group)]
    assert later
    assert all(one.error > 0.2 for one in later)


def test_experts_in_a_rack_stay_in_it_and_naive_ones_do_not():
    result = study_step(rs.open_fabric("gb300-2048"), read_workload("deepseek-v3"), n_seeds=1)
    ep = next(axis for axis in result.axes if axis.axis == "ep")
    assert ep.tier == "NVLink"
    naive = result.naive
    assert naive is not None
    assert all(cost.tier == "spine" for cost in naive.costs if cost.operation.axis == "ep")
    alone = {one.design.name: one.time.step_s for one in result.designs}
    assert alone["placement alone"] < 0.5 * alone["naive"]
    assert alone["rail-aware"] == min(alone.values())


def test_a_routing_that_is_asked_for_is_the_only_one():
    """Static hashing on rails is what `without routing` is; more queue pairs spread better, tables are as they stand."""
    fabric, workload = rs.open_fabric("gb300-2048"), read_workload("deepseek-v3")
    asked = study_step(fabric, workload, routing=rs.Ecmp(), n_seeds=1)
    assert [one.design.name for one in asked.designs] == ["as it is"]
    undone = next(
        one for one in study_step(fabric, workload, n_seeds=1).designs if one.design.name == "without routing"
    )
    assert asked.best.time == undone.time
    assert any("routing: ecmp, as asked" in line for line in asked.assumptions)
    spine = [cost for cost in asked.best.costs if cost.tier == "spine"]
    many = study_step(fabric, workload, routing=rs.Ecmp(queue_pairs=64), n_seeds=3)
    assert len(many.best.times_s) == 3
    for one, other in zip(spine, (cost for cost in many.best.costs if cost.tier == "spine"), strict=True):
        assert other.seconds < one.seconds


def test_a_step_on_a_dump_follows_its_tables(tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY_MODEL)
    dump = "tests/data/infiniband/hurt512-updn"
    words = (str(tmp_path / "tiny.toml"), f"{dump}.ibnetdiscover.gz", "--nvlink-gbps", "3600", "--layout", "ep=16")
    tables = ("--lfts", f"{dump}.lfts.gz")
    lft, adaptive = (
        json.loads(railscope("step", *words, "--placement", "scattered", *routing, "--json").stdout)
        for routing in (tables, ("--routing", "adaptive"))
    )
    assert lft["summary"]["communication_s"] > 1.1 * adaptive["summary"]["communication_s"]
    assert any("routing: lft, as asked" in line for line in lft["assumptions"])
    placing = json.loads(railscope("place", *words, *tables, "--json").stdout)
    assert any("routing: lft;" in line for line in placing["assumptions"])
    # No NVLink domain joins two hosts here.
    assert any(line.startswith("segmented, --segment=2: left out") for line in placing["assumptions"])


def test_families_of_fabrics():
    assert fabric_for("gb300", 2048).name == "gb300-2048"
    assert fabric_for("gb300", 1024).name == "gb300-2048"
    assert fabric_for("hgx-b200-64", 64).name == "hgx-b200-64"
    with pytest.raises(InputError, match="gb300: no preset for 10,000 GPUs"):
        fabric_for("gb300", 10000)


def test_scale_lays_published_times_beside(tmp_path):
    scale = study_scale(parse_workload(TINY_MODEL, "tiny"), "hgx-b200-64", [32, 64], levers=False)
    first, last = scale.rows
    assert (first.efficiency, first.published) == (None, None)
    assert last.published is not None
    assert last.train_s == pytest.approx(tuple(n * (last.step_s + last.evaluation_s) for n in (40, 50)))
    assert last.unexplained_s == pytest.approx(60 - 45 * (last.step_s + last.evaluation_s))
    assert last.efficiency == pytest.approx(first.step_s / last.step_s)  # per GPU the batch is the same
    assert any(one.why_not for one in scale.sensitivity)


def test_the_commands_print_what_programs_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY_MODEL)
    done = railscope("step", "tiny.toml", "hgx-b200-64", "--json", "--csv", "operations.csv")
    document = json.loads(done.stdout)
    assert {"step_s", "communication_s", "exposed_s"} <= set(document["summary"])
    assert {"axis", "bytes_per_gpu", "time_s", "exposed_s", "tier"} <= set(document["axes"][0])
    assert len(document["designs"]) == 10
    assert len((tmp_path / "operations.csv").read_text().splitlines()) == 1 + len(document["operations"])
    told = railscope("scale", "tiny.toml", "--fabric", "hgx-b200-64", "--gpus", "32,64", "--json", "--figure", "x.png")
    rows = json.loads(told.stdout)["rows"]
    assert [row["gpus"] for row in rows] == [32, 64]
    assert {"step_s", "published_min", "efficiency", "published_efficiency"} <= set(rows[0])
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--layout", "tp=4,zp=2"), "--layout 'zp=2'"),
        (("--layout", "ep=3"), "does not divide 256 experts"),
        (("--layout", "pp=3", "--gpus", "64"), "does not divide 64 ranks"),
        (("--mfu", "0.4"), "--mfu goes with --tflops"),
        (("--run", "nobody"), "none of that name; expected one of gb300-256"),
        (("--sequences", "100"), "100 sequences on"),
    ],
)
def test_what_cannot_be_is_one_line(words, said):
    done = railscope("step", "deepseek-v3", "gb300-2048", *words)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_compute_by_a_peak():
    description = read_workload("llama-3.1-8b")
    source = compute_source(rs.open_fabric("hgx-b200-64"), description, rs.PlacementRule())
    # 6 x 7.5 B parameters and causal attention of 8,192 tokens, at 40 % of 2,250 TFLOP/s.
    expected = (6 * 7.5046e9 + 6 * 32 * 8192 * 4096) / (0.4 * 2250e12)
    assert source.gpu_seconds_per_token == pytest.approx(expected, rel=1e-3)
    assert np.isfinite(source.gpu_seconds_per_token)


def test_buckets_of_a_model_without_layers_hide_but_the_last():
    text = """
[model]
name = "plain"
parameters = 1048576
flops = 1.0
[layout]
optimizer = "replicated"
bucket_mib = 1.0
[batch]
sequence = 1
[precision]
gradients = 4.0
[compute]
tflops = 1.0
"""
    workload = Workload.of(parse_workload(text, "x.toml"), 8)
    (reduced,) = operations = step_operations(workload)
    assert reduced.count == 4
    # 4 buckets of 1 s: the first three hide behind three quarters of a backward pass of 200 s.
    made = step_time(workload, operations, [1.0], compute_s=300.0, fixed_s=0.0)
    assert (made.communication_s, made.exposed_total_s) == (4.0, 1.0)
    # Of 2 s: behind 1.5 s of them.
    made = step_time(workload, operations, [1.0], compute_s=3.0, fixed_s=0.0)
    assert made.exposed_total_s == 4.0 - 1.5


def test_what_the_framework_runs_beside_compute_hides_whatever_the_axis():
    workload = Workload.of(read_workload("llama-3.1-405b"), 512, read_workload("llama-3.1-405b").measured[0])
    operations = step_operations(workload)
    seconds = [1e-3 if one.axis == "tp" else 0.0 for one in operations]
    made = step_time(workload, operations, seconds, compute_s=1.0, fixed_s=0.0)
    exposed = dict(zip([one.label for one in operations], made.exposed_s, strict=True))
    assert exposed["inputs once more"] == 0
    assert exposed["activations"] > 0


def test_a_model_by_its_parameters_on_the_command_line(tmp_path):
    path = tmp_path / "dlrm.toml"
    path.write_text(TABLES)
    document = json.loads(railscope("step", path, "hgx-b200-64", "--json").stdout)
    assert [one["label"] for one in document["operations"] if one["axis"] == "emb"] == [
        "numbers of indices", "indices of a sample", "indices", "rows", "gradients of rows",
    ]  # fmt: skip
    refused = railscope("step", path, "hgx-b200-64", "--layout", "tp=2")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "layout.tp 2: `parameters` alone cannot be cut" in refused.stderr


def test_a_placement_that_is_asked_for_is_the_one_that_is_studied():
    fabric, description = rs.open_fabric("gb300-2048"), read_workload("deepseek-v3")
    packed = study_step(fabric, description, 1024, levers=False)
    levers = study_step(fabric, description, 1024, rs.PlacementRule("scattered"))
    scattered = study_step(fabric, description, 1024, rs.PlacementRule("scattered"), levers=False)
    assert [one.design.placement for one in levers.designs] == ["scattered"]
    assert levers.best.time.step_s == scattered.best.time.step_s > 2 * packed.best.time.step_s
    # Segments as long as the racks that the job takes are what packed is; compute is that of the same run.
    segmented = study_step(fabric, description, 1024, rs.PlacementRule("segmented", segment=16))
    assert segmented.best.time.step_s == packed.best.time.step_s
    assert segmented.compute == packed.compute


@pytest.mark.parametrize("routing", [rs.Adaptive(), rs.Ecmp(seed=2)])
@pytest.mark.parametrize("transport", ["direct", "pxn"])
def test_what_designs_have_in_common_changes_nothing(tiny, routing, transport):
    """Costs found by themselves, one operation at a time, are those found after other designs'."""
    fabric, operations = rs.open_fabric("hgx-b200-64"), step_operations(tiny.workload)
    known = Known()
    for wiring in ("rail", "host"):
        for placement in ("packed", "unaligned"):
            design = StepDesign("any", wiring, transport, placement, routing)
            scenario = scenario_for(fabric, operations, 64, PlacementRule(), design=design)
            algorithms = scenario.algorithms_of(operations)
            together = operation_costs(scenario, operations, algorithms, True, routing, known)
            for one, name, cost in zip(operations, algorithms, together, strict=True):
                (alone,) = operation_costs(scenario, [one], [name], True, routing)
                assert cost.operation is one
                assert (cost.algorithm, cost.tier) == (alone.algorithm, alone.tier)
                found = (cost.seconds, cost.found_s, cost.bound_s, cost.sent_bytes, *cost.tier_bytes)
                expected = (alone.seconds, alone.found_s, alone.bound_s, alone.sent_bytes, *alone.tier_bytes)
                assert found == pytest.approx(expected, rel=1e-12)
                assert cost.hottest is not None
                assert alone.hottest is not None
                assert cost.hottest.link == alone.hottest.link
                assert cost.hottest.seconds == pytest.approx(alone.hottest.seconds, rel=1e-12)
    assert known.costs
