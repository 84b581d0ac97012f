"""Predicted nccl-tests tables, and measured ones beside them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from collectives import (
    Algorithm,
    Groups,
    InputError,
    algorithm_of,
    bus_factor,
    collective_schedule,
    register_algorithm,
    unregister_algorithm,
)
from collectives.algorithm import AUTO, Tuning
from collectives.programs import direct_all_to_all
from fabric.builders import build, fat_tree, read_preset
from fabric.jobs.placement import packed
from fabric.jobs.span import Span
from fabric.routing.link_loads import schedule_loads
from fabric.routing.policies import Adaptive
from fabric.timing.alpha_beta import AlphaBeta, alpha_beta_of, predicted_s, tabled_s
from fabric.timing.fitting import fit
from fabric.timing.prediction import alpha_betas, predict
from fabric.timing.protocols import FAMILIES, RING, GivenTimes, Protocol, TimeModel, model_for
from tests.fabric.commands.test_cli import answer, railscope
from tests.naive.ring_slices import ring_time
from tests.shared_data import TWINS, shared
from traces.nccl_tests import read_nccl_tests


@pytest.mark.parametrize(
    ("name", "rows", "ranks"),
    [
        ("allreduce_2x_p4de_16gpu_srunlabel.txt", 29, 16),
        ("allreduce_2x_p5_16gpu_srunlabel.txt", 32, 16),
        ("allreduce_2x_p5_mpirun_prefix_elided.txt", 7, 16),
        ("allreduce_8gpu_dgxc.txt", 32, 8),
    ],
)
def test_real_results_are_read(name, rows, ranks):
    results = read_nccl_tests(shared("traces", "nccl_tests", name))
    assert len(results.rows) == rows
    assert results.collective in (None, "all-reduce")
    assert results.n_ranks in (None, ranks)
    for row in results.rows:
        if row.size > 1 << 20:
            assert row.busbw_GBps == pytest.approx(row.algbw_GBps * bus_factor("all-reduce", ranks), rel=1e-3)
            assert row.algbw_GBps == pytest.approx(row.size / row.time_s / 1e9, rel=1e-3)


def as_json(rows, program="/opt/nccl-tests/build/all_reduce_perf", ranks=8):
    """What nccl-tests' src/util.cu writes with -J."""
    return {
        "version": 2,
        "start_time": "2026-01-01 00:00:00",
        "args": [program, "-b", "8", "-J", "r.json"],
        "env": ["PATH=/bin"],
        "nccl_version": 22809,
        "config": {
            "nthreads": 1,
            "blocking_collectives": "false",
            "devices": [{"rank": rank, "hostname": "h", "device": rank} for rank in range(ranks)],
        },
        "results": [
            {
                "size": int(row.size),
                "count": int(row.size) // 4,
                "type": "float",
                "redop": "sum",
                "root": "    -1",
                "out_of_place": {
                    "time": row.time_s * 1e6,
                    "alg_bw": row.algbw_GBps,
                    "bus_bw": row.busbw_GBps,
                    "nwrong": None,
                },
                "in_place": {"time": 1.0, "alg_bw": 1.0, "bus_bw": 1.0, "nwrong": 0.0},
                "actual_iterations": 20,
                "experiment_name": "x",
            }
            for row in rows
        ],
        "out_of_bounds": {"count": 0, "okay": "true"},
        "average_bus_bandwidth": {"bandwidth": 1.0, "okay": "unchecked"},
        "errors": [],
        "end_time": "2026-01-01 00:01:00",
    }


def test_json_results_are_read_too(tmp_path):
    plain = read_nccl_tests(TWINS / "all_reduce_8gpu.txt").rows
    assert len(plain) == 32
    path = tmp_path / "r.json"
    document = as_json(plain)
    path.write_text(json.dumps(document))
    again = read_nccl_tests(path)
    assert (again.collective, again.n_ranks) == ("all-reduce", 8)
    assert [row.size for row in again.rows] == [row.size for row in plain]
    assert [row.time_s for row in again.rows] == pytest.approx([row.time_s for row in plain])
    document["results"][0]["out_of_place"] = None
    path.write_text(json.dumps(document))
    assert read_nccl_tests(path).rows[0].time_s == pytest.approx(1e-6)
    path.write_text(json.dumps(as_json(plain, "alltoall_perf_mpi", 0)))
    assert read_nccl_tests(path).collective == "all-to-all"
    assert read_nccl_tests(path).n_ranks is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"results": [{"size": -1, "out_of_place": {}}]}', r"results\[0\].size: -1; expected"),
        ('{"results": [{"size": 8, "out_of_place": {"time": "nan"}}]}', r"results\[0\].time: 'nan'; expected a finite"),
        ('{"results": [{"size": 8, "out_of_place": {"time": NaN}}]}', r"results\[0\].time: nan; expected a finite"),
        ('{"results": [3]}', r"results\[0\]: expected an object"),
        ('{"results": [', "not JSON"),
        ("hello\n", "no row of nccl-tests"),
        ("#\n   1024    256   float   sum   -1   12.3   0.1\n", "r.txt:2: row cut off; expected size, count"),
        ("0:   1024    256   float\n", "r.txt:1: row cut off"),
    ],
)
def test_what_is_no_result_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "r.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_nccl_tests(path)


def test_all_that_nccl_tests_prints_is_read(tmp_path):
    """No operation, times of seconds, no check, columns of single iterations, time stamps; src/util.cu."""
    path = tmp_path / "r.txt"
    path.write_text(
        "# Collective test starting: gather_perf\n"
        "#  Rank  0 Group  0 Pid   1 on  h device  0 [0000:0f:00] NVIDIA H100\n"
        "#  Rank  1 Group  0 Pid   1 on  h device  1 [0000:1f:00] NVIDIA H100\n"
        "        1024           128     float               0   13.67    0.07    0.04    N/A    13.5  0.08  0.04    N/A\n"
        "        2048           256  bfloat16    none      -1   14.00    0.15    0.07      0    14.1  0.15  0.07      0\n"
        " 17179869184    4294967296  fp8_e4m3     sum      -1 1.2e+06   14.32   25.05      0  1.1e+06 15 26 0 1 2 3 4\n"
        "        4096          1024     float     sum      -1   15.00    0.27    0.51      0  1 2 3 0  2026-01-01 00:00:00\n"
    )
    found = read_nccl_tests(path)
    assert (found.collective, found.n_ranks) == ("gather", 2)
    assert [(row.size, round(row.time_s, 9), row.busbw_GBps) for row in found.rows] == [
        (1024, 13.67e-6, 0.04),
        (2048, 14e-6, 0.07),
        (17179869184, 1.2, 25.05),
        (4096, 15e-6, 0.51),
    ]


@pytest.fixture(scope="module")
def cluster():
    return build(read_preset("hgx-b200-64"))


PLAIN = TimeModel(protocols=(Protocol("one", 10e-6, 1e-6, 5e-6, 0.5),))


def alpha_beta(topology, collective, algorithm, model, size=2.0**30, group=64, **channels):
    """Of a collective over the first ranks of a fabric, packed."""
    placement = packed(topology, group)
    domain, rail = topology.endpoint_domain[placement.endpoint], topology.endpoint_rail[placement.endpoint]
    groups = Groups.consecutive(group, group)
    schedule = collective_schedule(collective, groups, size, algorithm, domain, rail, **channels)
    loads = schedule_loads(topology, schedule, placement)
    return alpha_beta_of(algorithm_of(collective, algorithm), schedule, loads, placement, size, model, groups)


def test_ring_is_alpha_beta(cluster):
    """2 (n - 1) steps, one in 8 over the network; 2 (n - 1) / n of the size through each 400 Gb/s NIC at half efficiency."""
    found = alpha_beta(cluster, "all-reduce", "ring", PLAIN)
    assert found.network_steps == pytest.approx(126 * 8 / 64)
    assert found.scale_up_steps == pytest.approx(126 * 56 / 64)
    assert found.seconds_per_byte == pytest.approx(2 * 63 / 64 * 8 / 400e9)
    time_s, protocol = predicted_s(found, 1e6, PLAIN)
    expected = 10e-6 + 126 * (56 / 64 * 1e-6 + 8 / 64 * 5e-6) + 1e6 * found.seconds_per_byte / 0.5
    assert (time_s, protocol.name) == (pytest.approx(expected), "one")


def test_wire_efficiency_hops_and_messages(cluster):
    model = replace(PLAIN, wire_efficiency=0.8, hop_s=1e-6, message_s=1e-7, peer_s=1e-8, exchange_message_s=2e-7)
    found = alpha_beta(cluster, "all-to-all", "direct", model)
    assert found.seconds_per_byte == pytest.approx(56 / 64 * 8 / 400e9 / 0.8)
    # 7 of 56 far peers are on the same rail, two links away; the others four.  The step holds two of them.
    assert found.hops == pytest.approx((7 * 2 + 49 * 4) / 56 - 2)
    assert (found.messages, found.peers) == (55, 7)
    # Not by the families: the model has one protocol for rings, and NCCL's for exchanges.
    own = replace(model, families={})
    expected = 10e-6 + 5e-6 + found.hops * 1e-6 + 55 * 2e-7 + 7 * 1e-8
    assert predicted_s(found, 0.0, own)[0] == pytest.approx(expected)
    gather = alpha_beta(cluster, "gather", "direct", model)
    assert (gather.messages, gather.peers) == (55, 7)
    # Along the rails a rank still has every far peer's message; dispatch and combine count what goes out.
    aligned = alpha_beta(cluster, "all-to-all", "pxn", model)
    assert (aligned.messages, aligned.network_steps, aligned.scale_up_steps) == (55, 1, 1)
    deepep = alpha_beta(cluster, "all-to-all", "deepep", model)
    assert (deepep.messages, deepep.latency_s(PLAIN.protocols[0], own)) == (
        6,
        pytest.approx(10e-6 + 1e-6 + 5e-6 + deepep.hops * 1e-6),
    )


def test_nvlink_and_its_switches_have_efficiencies_of_their_own(cluster):
    model = replace(PLAIN, scale_up_efficiency=0.8, nvls_efficiency=0.5)
    per_byte = 8 / 7200e9
    assert alpha_beta(cluster, "all-reduce", "ring", model, group=8).seconds_per_byte == pytest.approx(
        1.75 * per_byte / 0.8
    )
    assert alpha_beta(cluster, "all-reduce", "nvls", model, group=8).seconds_per_byte == pytest.approx(
        1.125 * per_byte / 0.4
    )
    # 64 ranks: SHARP sends and receives the buffer once, by 8 NICs of a host.
    sharp = alpha_beta(cluster, "all-reduce", "sharp", model)
    assert sharp.seconds_per_byte == pytest.approx(1 / 8 * 8 / 400e9)


@pytest.mark.parametrize(("cross_nic", "inside"), [(0, 126 * 56 / 64 + 126 * 8 / 64), (1, 126 * 56 / 64)])
def test_hopping_to_the_rail_is_a_step_more(cluster, cross_nic, inside):
    """One send in 8 of a ring crosses; with NCCL_CROSS_NIC=0 it hops over NVLink first."""
    found = alpha_beta(cluster, "all-reduce", "rings", PLAIN, cross_nic=cross_nic)
    assert found.network_steps == pytest.approx(126 * 8 / 64)
    assert found.scale_up_steps == pytest.approx(inside)


def test_latency_of_small_sizes_is_nccls_formula(cluster):
    """src/graph/tuning.cc, ncclTopoTuneModel: ring base + (steps - network steps) max(intra, posts) + network steps inter."""
    model, _ = model_for("infiniband", 7200.0, GivenTimes(hop_s=0.0))
    ring = predicted_s(alpha_beta(cluster, "all-reduce", "rings", model), 0.0, model)
    n_inter = 2 * 8 * 63 / 64
    assert ring[0] == pytest.approx(6.6e-6 + (126 - n_inter) * 1.0e-6 + n_inter * 2.7e-6)
    alone = predicted_s(alpha_beta(cluster, "all-reduce", "ring", model, group=8), 0.0, model)
    assert alone[0] == pytest.approx(6.6e-6 + 14 * 0.6e-6)
    trees = predicted_s(alpha_beta(cluster, "all-reduce", "trees", model), 0.0, model)
    # 2 ((8 - 1) intra + log2(8) inter), and, which is not NCCL's, the posts of both ends.
    assert trees[0] == pytest.approx(6.8e-6 + 2 * (7 * 0.6e-6 + 3 * (5.0e-6 + 2 * 1e-6)))
    nvls = predicted_s(alpha_beta(cluster, "all-reduce", "nvls", model, group=8), 0.0, model)
    assert nvls[0] == pytest.approx(25e-6)
    # "Plateau effect of ring": 1.4 times as long from 64 bytes for each channel and rank on.
    found = alpha_beta(cluster, "all-reduce", "rings", model)
    simple = next(one for one in RING if one.name == "Simple")
    slow = found.latency_s(simple, model)
    assert slow == pytest.approx(8.4e-6 + (126 - n_inter) * 3.4e-6 + n_inter * 14e-6)
    assert predicted_s(found, 2.0**36, model)[1].name == "Simple"
    assert tabled_s(found, 2.0**36, model) == pytest.approx(1.4 * slow + 2.0**36 * found.seconds_per_byte)


@pytest.mark.parametrize("chunk_us", [0.0, 2.0, 10.0, 13.0, 30.0, 100.0])
@pytest.mark.parametrize("slices", [1, 2, 4])
@pytest.mark.parametrize(("hosts", "per_host"), [(16, 1), (4, 8), (12, 4)])
def test_steps_of_a_ring_pass_behind_its_slices(hosts, per_host, slices, chunk_us):
    """A ring simulated slice by slice takes what the formula says, but for the last step, which nothing follows."""
    n = hosts * per_host
    latency = [14.0 if rank % per_host == per_host - 1 else 3.4 for rank in range(n)]
    steps, across = 2 * (n - 1), 2 * (n - 1) / per_host
    simple = Protocol("Simple", 0.0, 3.4e-6, 14e-6, 1.0, slices=slices)
    seconds_per_byte = steps * chunk_us * 1e-6 / 2**30
    ring = AlphaBeta(
        "rings",
        seconds_per_byte,
        steps - across,
        across,
        span=Span(n, hosts, per_host, per_host),
        collective="all-reduce",
    )
    formula = predicted_s(ring, 2.0**30, TimeModel(protocols=(simple,), families={}))[0] * 1e6
    simulated = ring_time(latency, chunk_us, slices)
    assert simulated == pytest.approx(formula, abs=chunk_us + 2 * 14.0 + 0.02 * formula)


def test_two_hosts_hide_nothing_and_the_library_chooses_by_its_tables():
    """The rows of DGX A100: no step hidden; a ring that would win with hidden steps is not what tables take."""
    simple = Protocol("Simple", 0.0, 3e-6, 14e-6, 1.0, slices=2)
    hidden, plain = (
        AlphaBeta("rings", 1e-11, 90.0, 30.0, span=Span(8 * hosts, hosts, 8, 8), collective="all-reduce")
        for hosts in (3, 2)
    )
    model = TimeModel(protocols=(simple,), families={})
    steps_s = 90 * 3e-6 + 30 * 14e-6
    for size in (2.0**20, 2.0**27, 2.0**33):
        assert predicted_s(plain, size, model)[0] == pytest.approx(steps_s + size * 1e-11)
        assert predicted_s(hidden, size, model)[0] == pytest.approx(max(size * 1e-11, steps_s + size * 1e-11 / 2))
    # By the tables a tree of few steps is before the ring, whose time is less.
    tree = AlphaBeta("trees", 1.5e-11, 0.0, 2.0, span=Span(24, 3, 8, 8), collective="all-reduce", tuning="tree")
    (row,) = predict("all-reduce", 24, (2.0**26,), {"rings": hidden, "trees": tree}, model, best_only=True)
    rows = predict("all-reduce", 24, (2.0**26,), {"rings": hidden, "trees": tree}, model, best_only=False)
    assert row.algorithm == "trees"
    assert row.tabled_s == min(each.tabled_s for each in rows)


def test_latency_of_pat_is_nccls_formula():
    """One GPU a node: base + log2(nodes) inter / 3.5 + 2.8 us a rank."""
    tree = build(fat_tree(4))
    model, _ = model_for("infiniband", None, GivenTimes(hop_s=0.0))
    found = alpha_beta(tree, "all-gather", "pat", model, group=16)
    assert predicted_s(found, 0.0, model)[0] == pytest.approx(8e-6 + 4 * 14e-6 / 3.5 + 16 * 2.8e-6)


def test_latency_rules_small_sizes_and_bytes_large_ones(cluster):
    def considered(library, in_network=False):
        return alpha_betas(
            cluster, packed(cluster), "all-reduce", (AUTO,), Adaptive(), TimeModel(), in_network, library=library
        )

    found = considered("any")
    assert set(found) == {
        "ring",
        "rings",
        "bidirectional-ring",
        "double-tree",
        "halving-doubling",
        "hierarchical",
        "trees",
        "nvls-tree",
    }
    small, large = predict("all-reduce", 64, (8.0, 2.0**45), found, TimeModel(), best_only=True)
    steps = {name: alpha_beta.network_steps + alpha_beta.scale_up_steps for name, alpha_beta in found.items()}
    assert steps[small.algorithm] < steps["ring"]
    assert found[large.algorithm].seconds_per_byte == min(alpha_beta.seconds_per_byte for alpha_beta in found.values())
    assert small.protocol == "LL"
    assert large.protocol == "Simple"
    every = predict("all-reduce", 64, (8.0,), found, TimeModel(), best_only=False)
    assert min(row.time_s for row in every) == small.time_s
    assert set(considered("nccl")) == {"rings", "trees", "nvls-tree"}
    assert set(considered("rccl")) == {"rings", "trees"}
    assert "sharp" in considered("nccl", in_network=True)
    with pytest.raises(InputError, match="library 'ncl': unknown; did you mean nccl"):
        considered("ncl")


@pytest.mark.parametrize(
    ("gpus", "speed", "expected"),
    [
        (8, 7200.0, {"rings", "trees", "nvls"}),
        (16, 7200.0, {"rings", "trees", "nvls-tree"}),
        # NVLS needs Hopper or later: A100 had none, and was predicted 1.6 to 2 times too fast.
        (8, 2400.0, {"rings", "trees"}),
        (16, 2400.0, {"rings", "trees"}),
        # Of more than two GPUs in a domain: `ncclNvlsInit`.
        (2, 7200.0, {"rings", "trees"}),
    ],
)
def test_what_nccl_has_depends_on_the_hardware(gpus, speed, expected):
    description = read_preset("hgx-b200-64")
    assert description.scale_up is not None
    topology = build(
        description.model_copy(update={"scale_up": description.scale_up.model_copy(update={"gpu_gbps": speed})})
    )
    model, _ = model_for("infiniband", topology.nvlink_gbps)
    found = alpha_betas(topology, packed(topology, gpus), "all-reduce", (AUTO,), Adaptive(), model)
    assert set(found) == expected


def test_pat_is_taken_with_one_gpu_a_node_only(cluster):
    alone = build(fat_tree(4))
    for topology, n, taken in ((cluster, 64, False), (alone, 16, True)):
        found = alpha_betas(topology, packed(topology, n), "all-gather", (AUTO,), Adaptive(), TimeModel())
        assert set(found) == ({"rings", "pat"} if taken else {"rings"})


def test_sharp_is_taken_where_the_fabric_says_that_it_is_used(tmp_path):
    text = (Path(__file__).parents[3] / "fabric" / "presets" / "hgx-b200-64.toml").read_text()
    (tmp_path / "sharp.toml").write_text(text.replace("[fabric]\n", "[fabric]\nsharp = true\n"))
    options = ("--sizes", "16GiB")
    with_it = answer("busbw", "sharp.toml", *options, cwd=tmp_path)["rows"][0]
    without = answer("busbw", "hgx-b200-64", *options, cwd=tmp_path)["rows"][0]
    assert (with_it["algorithm"], without["algorithm"]) == ("sharp", "rings")
    # Above the NICs' ring limit of 400 GB/s: 4 hosts of B200 reach 546 to 554 GB/s.
    assert 400 < with_it["busbw_GBps"] < 600
    assert without["busbw_GBps"] < 400


def test_an_unknown_nvlink_is_taken_as_the_nearest_and_said():
    model, notes = model_for("infiniband", 3000.0)
    assert (model.scale_up_efficiency, model.nvls_efficiency) == (pytest.approx(0.824), pytest.approx(0.85))
    assert any("assumed: as NVLink 4 (Hopper), the nearest generation to 375 GB/s" in note for note in notes)
    # H800: 8 of Hopper's 18 links.
    assert model_for("infiniband", 1600.0)[0].nvls_efficiency == pytest.approx(0.85)
    assert model_for("infiniband", 1600.0, generation="ampere")[0].nvls_efficiency == 0.0
    # AMD's are taken by their own speeds or by name; NVLink of unknown speed is never xGMI.
    for gbps, generation in ((3584.0, None), (4300.8, None), (3600.0, "cdna3")):
        model, notes = model_for("roce", gbps, generation=generation, mesh=True)
        assert (model.scale_up_efficiency, model.nvls_efficiency) == (0.75, 0.0)
        assert any("RCCL" in note for note in notes)
        assert not any("switches that add" in note for note in notes)
    assert any("assumed: as NVLink 4 (Hopper)" in note for note in model_for("infiniband", 4000.0)[1])
    with pytest.raises(InputError, match="generation 'hoper': unknown; did you mean hopper"):
        model_for("infiniband", 3600.0, generation="hoper")
    with pytest.raises(InputError, match="technology 'infiniban': unknown; did you mean infiniband"):
        model_for("infiniban")


def test_ll128_needs_bytes_in_order():
    """aws-ofi-nccl does not promise it: NCCL leaves LL128 out over EFA and Slingshot."""
    for technology, names in (("infiniband", {"LL", "LL128", "Simple"}), ("efa", {"LL", "Simple"})):
        model, _ = model_for(technology, 3600.0)
        assert {one.name for one in model.protocols_of("ring")} == names


def test_a_prediction_is_a_range(cluster):
    model, _ = model_for("infiniband", 7200.0)
    found = alpha_betas(cluster, packed(cluster), "all-reduce", ("rings",), Adaptive(), model)
    (row,) = predict("all-reduce", 64, (2.0**40,), found, model, best_only=True)
    # 4 hosts of B200: 384 GB/s tuned, 307 without more queue pairs and relaxed ordering.
    assert row.busbw_GBps == pytest.approx(400 * 0.9937 * 0.96, rel=0.01)
    assert row.busbw_low_GBps == pytest.approx(400 * 0.9937 * 0.74, rel=0.01)
    assert row.busbw_low_GBps == pytest.approx(row.busbw_GBps * row.time_s / row.found_time_s)
    exact = replace(model, reached=False)
    found = alpha_betas(cluster, packed(cluster), "all-reduce", ("rings",), Adaptive(), exact)
    (row,) = predict("all-reduce", 64, (2.0**40,), found, exact, best_only=True)
    assert row.busbw_low_GBps == row.busbw_GBps


def test_exchanges_across_racks_are_an_upper_bound(tmp_path):
    """The one published measurement, two racks of GB300: 47.7 GB/s where the NICs would allow 200."""
    options = ("busbw", "gb300-2048", "--collective", "all-to-all", "--gpus", "128", "--sizes", "16GiB")
    (row,) = answer(*options, cwd=tmp_path)["rows"]
    assert row["busbw_low_GBps"] <= 47.7 * 1.05 < row["busbw_GBps"]
    assert "This is an upper bound" in railscope(*options, cwd=tmp_path).stdout


def test_the_automatic_choice_asks_each_algorithm(cluster):
    """Pairwise up to 256 ranks; and what others register is asked too, with its facts."""
    large = build(read_preset("gb300-2048"))
    asked = []

    def when(facts):
        asked.append((facts.n_ranks, facts.switches_reduce))
        return facts.n_ranks == 64

    toy = Algorithm("all-to-all", "toy", lambda n: direct_all_to_all(n), automatic=when, tuning="pat")
    register_algorithm(toy)
    try:
        for topology, n, in_network in ((cluster, 64, True), (large, 257, False)):
            found = alpha_betas(
                topology,
                packed(topology, n),
                "all-to-all",
                (AUTO,),
                Adaptive(),
                TimeModel(),
                in_network,
                library="any",
            )
            assert ("pairwise" in found, "toy" in found) == (n == 64, n == 64)
            assert {"direct", "bruck"} <= set(found)
            if n == 64:
                # One step, by the PAT row: 8 us, 64 members of 2.8 us, and a network step.
                assert predicted_s(found["toy"], 0.0, TimeModel())[0] == pytest.approx(8e-6 + 64 * 2.8e-6 + 4e-6)
    finally:
        unregister_algorithm("all-to-all", "toy")
    assert asked == [(64, True), (257, False)]


def test_every_tuning_row_has_its_protocols():
    assert {*FAMILIES, "ring"} == set(get_args(Tuning))


def test_the_fit_finds_what_made_the_times():
    """Factors of latency and bandwidth, from clean times, with odd ones among them, and where a size shows only one."""
    model = TimeModel(protocols=RING)
    ring = AlphaBeta("ring", 1e-11, 14.0, 0.0)
    sizes = 2.0 ** np.arange(3, 34)

    def times(of_sizes):
        return lambda one: np.array([predicted_s(ring, size, one)[0] for size in of_sizes])

    real = times(sizes)(replace(model, latency_factor=1.7, bandwidth_factor=0.6))
    found = fit(real, times(sizes), times([0.0]), model)
    assert (found.latency_factor, found.bandwidth_factor) == (
        pytest.approx(1.7, rel=1e-3),
        pytest.approx(0.6, rel=1e-3),
    )
    assert found.zero_size_s == pytest.approx(1.7 * (6.6e-6 + 14 * 0.6e-6), rel=1e-3)
    np.testing.assert_allclose(found.ratios, 1.0, rtol=1e-3)
    real[[2, 9]] *= 5
    odd = fit(real, times(sizes), times([0.0]), model)
    assert (odd.latency_factor, odd.bandwidth_factor) == (pytest.approx(1.7, rel=0.02), pytest.approx(0.6, rel=0.02))
    large = sizes[-4:]
    only = fit(times(large)(replace(model, bandwidth_factor=0.5)), times(large), times([0.0]), model)
    assert (only.latency_factor, only.bandwidth_factor) == (None, pytest.approx(0.5, rel=1e-3))
    small = sizes[:4]
    only = fit(times(small)(replace(model, latency_factor=3.0)), times(small), times([0.0]), model)
    assert (only.latency_factor, only.bandwidth_factor) == (pytest.approx(3.0, rel=1e-3), None)
    only = fit(np.array([1.0]), times([8.0]), times([0.0]), model)
    assert (only.latency_factor, only.bandwidth_factor) == (None, None)
    with pytest.raises(InputError, match="at least one measurement"):
        fit(np.array([]), times([]), times([0.0]), model)


H100 = (Path(__file__).parents[3] / "examples" / "h100.toml").read_text()


def test_measured_beside_predicted(tmp_path):
    """8 H100, NVLink 4: nccl-tests measured 480 GB/s of busbw at 16 GiB; NCCL's constants and NVLS' bytes give 490."""
    (tmp_path / "h100.toml").write_text(H100)
    options = ("busbw", "h100.toml", "--gpus", "8", "--sizes", "16GiB", "--algorithm", "ring,nvls")
    measured = ("--measured", shared("traces", "nccl_tests", "allreduce_8gpu_dgxc.txt"))
    document = answer(*options, *measured, "--figure", "b.svg", cwd=tmp_path)
    ring, nvls = document["rows"]
    assert ring["busbw_GBps"] == pytest.approx(450 * 0.824, rel=0.01)
    assert nvls["busbw_GBps"] == pytest.approx(479.9, rel=0.03)
    rows = document["measured"]["rows"]
    assert len(rows) == 32
    assert all(row["ratio"] == pytest.approx(row["time_s"] / row["measured_time_s"]) for row in rows)
    assert all(0.95 < row["ratio"] < 1.0 for row in rows[-4:])
    # Half of the sizes from 8 B to 16 GiB are within 15 % by rings and NVLS without a fit, within 10 % with it.
    assert np.median([abs(np.log(row["ratio"])) for row in rows]) < 0.15
    assert np.median([abs(np.log(row["fitted_ratio"])) for row in rows]) < 0.10
    factors = document["measured"]["fit"]
    assert 0.85 < factors["bandwidth_factor"] < 1.0
    assert 13e-6 < factors["zero_size_s"] < 20e-6
    assert (tmp_path / "b.svg").read_text().startswith("<?xml")
    said = ("--latency-factor", str(factors["latency_factor"]), "--bandwidth-factor", str(factors["bandwidth_factor"]))
    calibrated = answer(*options[:-1], "ring,nvls", *said, cwd=tmp_path)["rows"]
    assert min(row["time_s"] for row in calibrated) == pytest.approx(rows[-1]["fitted_time_s"])
    text = railscope(*options, *measured, cwd=tmp_path).stdout
    assert "# fit: latency x " in text
    assert "# predict with it: --latency-factor " in text
    done = railscope("busbw", "hgx-b200-64", "--sizes", "1MiB:4MiB", cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("# Busbw reaches ")
    assert lines[2].startswith("size (B)\tcount\ttype\tredop\troot\ttime (us)\talgbw (GB/s)\tbusbw (GB/s)")
    assert [line.split("\t")[0] for line in lines[3:6]] == ["1048576", "2097152", "4194304"]
    assert any(line.startswith("# auto: ") for line in lines)


def test_results_of_another_test_are_refused(tmp_path):
    (tmp_path / "r.json").write_text(json.dumps(as_json(read_nccl_tests(TWINS / "all_reduce_8gpu.txt").rows)))
    options = ("busbw", "hgx-b200-64", "--measured", "r.json", "--sizes", "1MiB")
    done = railscope(*options, "--collective", "all-gather", "--gpus", "8", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "railscope: error: r.json: results of all-reduce; expected those of all-gather; --collective all-reduce takes them\n"
    )
    done = railscope(*options, cwd=tmp_path)
    assert "r.json: results of 8 ranks; expected those of 64, as the job has; --gpus 8 takes them" in done.stderr
    assert railscope(*options, "--gpus", "8", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("busbw", "hgx-b200-64", "--gpus", "1"),
            "all-reduce: every group has one rank, which sends nothing; expected",
        ),
        (
            ("loads", "hgx-b200-64", "--collective", "all-gather", "--group", "1", "--algorithm", "auto"),
            "all-gather: every group has one rank",
        ),
        (("busbw", "hgx-b200-64", "--base-latency-us", "nan"), "Invalid value for '--base-latency-us'"),
        (("busbw", "hgx-b200-64", "--bandwidth-factor", "inf"), "Invalid value for '--bandwidth-factor': 'inf'"),
        (("busbw", "hgx-b200-64", "--gpus", "0"), "Invalid value for '--gpus'"),
        (("busbw", "hgx-b200-64", "--algorithm", "auto,ring"), "--algorithm auto,ring: expected auto alone"),
        (
            ("busbw", "hgx-b200-64", "--algorithm", "ring, rong"),
            "algorithm 'rong': all-reduce has none of that name; did you mean ring?",
        ),
    ],
)
def test_what_cannot_be_predicted_is_refused(tmp_path, options, message):
    done = railscope(*options, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_columns_count_as_nccl_tests_does(tmp_path):
    """Elements: the whole buffer, or a rank's part of it; sendrecv has an operation, rooted ones a root."""
    for collective, count, redop, root in (
        ("all-reduce", "16384", "sum", "-1"),
        ("all-to-all", "256", "none", "-1"),
        ("gather", "256", "none", "0"),
        ("reduce-scatter", "256", "sum", "-1"),
        ("broadcast", "16384", "none", "0"),
        ("send-recv", "16384", "sum", "-1"),
    ):
        done = railscope("busbw", "hgx-b200-64", "--collective", collective, "--sizes", "64KiB", cwd=tmp_path)
        assert done.stdout.splitlines()[3].split("\t")[:5] == ["65536", count, "float", redop, root]


def test_parameters_come_from_the_user_then_the_description_then_the_sources(tmp_path):
    (tmp_path / "h100.toml").write_text(H100 + "[time]\nhop_ns = 300\nnvls_efficiency = 0.5\n")
    document = answer("busbw", "h100.toml", "--sizes", "8B", "--wire-efficiency", "0.9", cwd=tmp_path)
    said = document["assumptions"]
    assert "hop: 300 ns for each link beyond two, which a step includes (the fabric's description)" in said
    assert "wire: 90.0% of what the network carries is payload (as given)" in said
    assert "NVLink: 82.4% of its speed (NCCL, NVLink 4 (Hopper))" in said
    assert "NVLink switches that add: 50% of that in a host, 50% in a rack (the fabric's description)" in said
    assert "message: 1000 ns for each further one that a rank has in a step (NCCL's network post overhead)" in said
    for text, message in (
        ("hop_ns = -1", "time.hop_ns: expected a finite number >= 0, got -1"),
        ("wire_efficiency = 1.5", "time.wire_efficiency: expected a number > 0 and <= 1, got 1.5"),
        ("hops_ns = 1", "time.hops_ns: unknown key; did you mean hop_ns?"),
    ):
        (tmp_path / "bad.toml").write_text(f"{H100}[time]\n{text}\n")
        done = railscope("busbw", "bad.toml", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (1, f"railscope: error: bad.toml: {message}\n")


def test_protocols_are_those_of_the_source():
    assert [one.name for one in RING] == ["LL", "LL128", "Simple"]
    assert all(0 < one.efficiency <= 1 for family in (RING, *FAMILIES.values()) for one in family)
    for wrong, message in (
        ({"wire_efficiency": 1.5}, "wire_efficiency 1.5; expected a number in"),
        ({"hop_s": -1.0}, "hop_s -1; expected a finite number >= 0"),
        ({"bandwidth_factor": 0.0}, "bandwidth_factor 0; expected a number > 0"),
        ({"protocols": ()}, "expected at least one protocol"),
    ):
        with pytest.raises(InputError, match=f"time model: {message}"):
            TimeModel(**wrong)


def test_why_no_algorithm_runs(tmp_path):
    """Two hosts that no cable joins."""
    ends = [{"id": f"h{i}", "kind": "endpoint", "host": i, "rail": 0} for i in range(2)]
    nodes = [*ends, *({"id": f"s{i}", "kind": "switch", "tier": 1} for i in range(2))]
    pairs = [(f"h{i}", f"s{i}") for i in range(2)]
    edges = [
        {"source": a, "target": b, "key": 0, "capacity_gbps": 100.0} for pair in pairs for a, b in (pair, pair[::-1])
    ]
    graph = {"directed": True, "multigraph": True, "graph": {"name": "apart"}, "nodes": nodes, "edges": edges}
    (tmp_path / "apart.json").write_text(json.dumps(graph))
    done = railscope("busbw", "apart.json", "--sizes", "1MiB", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    # Not that no algorithm runs, which is but what follows from it.
    assert done.stderr.startswith("railscope: error: no path from h")
    assert "in fabric apart, whose switches no cable joins" in done.stderr
    assert "h0 to h1" in done.stderr or "h1 to h0" in done.stderr
    assert done.stderr.count("\n") == 1


def test_loads_takes_the_fastest_and_says_why(tmp_path):
    options = ("loads", "hgx-b200-64", "--collective", "all-reduce", "--algorithm", "auto")
    small = answer(*options, "--size", "8B", cwd=tmp_path)
    large = answer(*options, "--size", "1GiB", cwd=tmp_path)
    assert small["traffic"]["algorithm"] != large["traffic"]["algorithm"]
    for document in (small, large):
        name = document["traffic"]["algorithm"]
        assert any(
            line.startswith(f"algorithm: {name}, the fastest of NCCL's by the model")
            for line in document["assumptions"]
        )


def test_compare_decides_the_algorithm_once(tmp_path):
    options = ("compare", "hgx-b200-64", "--collective", "all-reduce", "--no-figure", "--group", "64")
    auto = answer(*options, "--algorithm", "auto", cwd=tmp_path)
    name = auto["traffic"]["algorithm"]
    assert any(
        line.startswith(f"algorithm: {name}, the fastest of NCCL's by the model") for line in auto["assumptions"]
    )
    assert auto["ladder"] == answer(*options, "--algorithm", name, cwd=tmp_path)["ladder"]
    lines = railscope("fabric", "export", "hgx-b200-64", "hgx.json", cwd=tmp_path)
    assert lines.returncode == 0
    other = answer("compare", "hgx.json", *options[2:], "--algorithm", "auto", cwd=tmp_path)
    assert any(line.startswith("algorithm: ") for line in other["assumptions"])


def test_channels_on_the_command_line(tmp_path):
    options = ("loads", "hgx-b200-64", "--collective", "all-gather", "--algorithm", "rings")
    document = answer(*options, "--channels", "4", "--cross-nic", "1", cwd=tmp_path)
    assert [(one["enters_rail"], one["leaves_rail"]) for one in document["channels"]] == [
        (0, 7),
        (2, 1),
        (4, 3),
        (6, 5),
    ]
    assert sorted(document["channels"][1]["ranks"]) == list(range(64))
    assert "Channels of the first group" in railscope(*options, cwd=tmp_path).stdout
    assert railscope(*options[:-1], "ring", "--cross-nic", "1", cwd=tmp_path).returncode == 2
    assert railscope("busbw", "hgx-b200-64", "--algorithm", "ring", "--channels", "2", cwd=tmp_path).returncode == 2
    # None of the algorithms that auto chooses from has channels.
    assert railscope("busbw", "hgx-b200-64", "--collective", "gather", "--channels", "2", cwd=tmp_path).returncode == 2
    for name in ("rings", "nvls"):
        options = ("busbw", "hgx-b200-64", "--algorithm", name, "--sizes", "16GiB")
        few, every = (answer(*options, *more, cwd=tmp_path)["rows"][0] for more in (("--channels", "2"), ()))
        assert few["busbw_GBps"] < every["busbw_GBps"] / 3
    rows = answer("busbw", "hgx-b200-64", "--algorithm", "rings", "--channels", "2", "--sizes", "16GiB", cwd=tmp_path)
    whole = answer("busbw", "hgx-b200-64", "--algorithm", "rings", "--sizes", "16GiB", cwd=tmp_path)
    assert rows["rows"][0]["busbw_GBps"] == pytest.approx(whole["rows"][0]["busbw_GBps"] / 4, rel=0.1)


def test_the_library_chooses_where_nothing_is_named(tmp_path):
    """Not one ring on one NIC of each host, which no library would take."""
    options = ("loads", "hgx-b200-64", "--collective", "all-gather")
    document = answer(*options, cwd=tmp_path)
    assert document["traffic"]["algorithm"] == "rings"
    assert document["assumptions"][0].startswith("algorithm: rings, the fastest of NCCL's by the model with latency (")
    assert not any("algorithm" in line for line in answer(*options, "--algorithm", "ring", cwd=tmp_path)["assumptions"])
    exchange = answer("loads", "hgx-b200-64", "--collective", "all-to-all", cwd=tmp_path)
    assert exchange["traffic"]["algorithm"] == "direct"
    every = answer(*options, "--size", "8B", "--library", "any", cwd=tmp_path)
    assert every["traffic"]["algorithm"] == "recursive-doubling"


def test_your_own_latencies(tmp_path, cluster):
    """A direct all-to-all of 64: one step, 56 messages over the network."""
    own = ("--base-latency-us", "20", "--step-latency-us", "5", "--efficiency", "0.5", "--message-overhead-ns", "100")
    options = ("busbw", "hgx-b200-64", "--collective", "all-to-all", "--algorithm", "direct", "--sizes", "1GiB")
    (row,) = answer(*options, *own, "--hop-latency-ns", "0", cwd=tmp_path)["rows"]
    expected = 20e-6 + 5e-6 + 55 * 100e-9 + 56 / 64 * 2**30 * 8 / 400e9 / 0.9937 / 0.5
    assert row["time_s"] == pytest.approx(expected)
    assert railscope(*options, "--efficiency", "0.5", cwd=tmp_path).returncode == 2


def test_a_chain_is_as_long_as_the_group(cluster):
    """A ring broadcast passes 63 sends one after the other, 7 of them between hosts."""
    found = alpha_beta(cluster, "broadcast", "ring", PLAIN)
    assert (found.network_steps, found.scale_up_steps) == (pytest.approx(7), pytest.approx(56))
    rings = alpha_beta(cluster, "broadcast", "rings", PLAIN)
    assert rings.network_steps + rings.scale_up_steps == pytest.approx(63)
    assert rings.seconds_per_byte == pytest.approx(found.seconds_per_byte / 8)
