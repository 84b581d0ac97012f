"""Predicted nccl-tests tables, and measured ones beside them."""

import json
from pathlib import Path

import numpy as np
import pytest

from collectives import Groups, InputError, bus_factor, collective_schedule
from fabric.builders import build, load_preset
from fabric.busbw import costs, parse_sizes, predict
from fabric.latency import PROTOCOLS, Cost, Protocol, TimeModel, cost_of, fit, predicted_s
from fabric.load import schedule_loads
from fabric.placement import packed
from fabric.routing import Adaptive
from tests.test_cli import answer, railscope
from traces.nccl_tests import read_nccl_tests

DATA = Path(__file__).parent / "data" / "nccl_tests"


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
    results = read_nccl_tests(DATA / name)
    assert len(results) == rows
    for row in results:
        if row.size > 1 << 20:
            assert row.busbw_GBps == pytest.approx(row.algbw_GBps * bus_factor("all-reduce", ranks), rel=1e-3)
            assert row.algbw_GBps == pytest.approx(row.size / row.time_s / 1e9, rel=1e-3)


def test_json_results_are_read_too(tmp_path):
    plain = read_nccl_tests(DATA / "allreduce_8gpu_dgxc.txt")
    results = [
        {
            "size": int(row.size),
            "out_of_place": {"time": row.time_s * 1e6, "alg_bw": row.algbw_GBps, "bus_bw": row.busbw_GBps},
        }
        for row in plain
    ]
    path = tmp_path / "r.json"
    path.write_text(json.dumps({"nccl_version": 1, "results": results}))
    again = read_nccl_tests(path)
    assert [row.size for row in again] == [row.size for row in plain]
    assert [row.time_s for row in again] == pytest.approx([row.time_s for row in plain])
    path.write_text('{"results": [{"size": -1, "out_of_place": {}}]}')
    with pytest.raises(InputError, match=r"results\[0\].size: -1; expected"):
        read_nccl_tests(path)
    path.write_text("hello\n")
    with pytest.raises(InputError, match="no row of nccl-tests"):
        read_nccl_tests(path)


def test_sizes():
    assert parse_sizes("1KiB:8KiB") == (1024, 2048, 4096, 8192)
    assert parse_sizes("8B,1MB") == (8, 1e6)
    for text, message in (("8MiB:1MiB", "a smaller size, then"), ("0B:1MiB", "more than 0"), ("1Gb", "unknown unit")):
        with pytest.raises(InputError, match=message):
            parse_sizes(text)


@pytest.fixture(scope="module")
def cluster():
    return build(load_preset("hgx-b200-64"))


PLAIN = TimeModel(protocols=(Protocol("one", 10e-6, 1e-6, 5e-6, 0.5),))


def test_ring_is_alpha_beta(cluster):
    """2 (n - 1) steps, one in 8 over the network; 2 (n - 1) / n of the size through each 400 Gb/s NIC at half efficiency."""
    size = 2.0**30
    schedule = collective_schedule("all-reduce", Groups.consecutive(64, 64), size, "ring")
    loads = schedule_loads(cluster, schedule, packed(cluster))
    cost = cost_of(schedule, loads, packed(cluster), size, PLAIN)
    assert cost.network_steps == pytest.approx(126 * 8 / 64)
    assert cost.scale_up_steps == pytest.approx(126 * 56 / 64)
    assert cost.seconds_per_byte == pytest.approx(2 * 63 / 64 * 8 / 400e9)
    time_s, protocol = predicted_s(cost, 1e6, PLAIN)
    expected = 10e-6 + 126 * (56 / 64 * 1e-6 + 8 / 64 * 5e-6) + 1e6 * cost.seconds_per_byte / 0.5
    assert (time_s, protocol.name) == (pytest.approx(expected), "one")


def test_wire_efficiency_and_hops(cluster):
    size = 2.0**30
    schedule = collective_schedule("all-to-all", Groups.consecutive(64, 64), size)
    loads = schedule_loads(cluster, schedule, packed(cluster))
    model = TimeModel(protocols=PLAIN.protocols, wire_efficiency=0.8, hop_s=1e-6)
    cost = cost_of(schedule, loads, packed(cluster), size, model)
    assert cost.seconds_per_byte == pytest.approx(56 / 64 * 8 / 400e9 / 0.8)
    # 7 of 56 far peers are on the same rail, two links away; the others four.
    assert cost.hops == pytest.approx((7 * 2 + 49 * 4) / 56)


def test_latency_rules_small_sizes_and_bytes_large_ones(cluster):
    found = costs(cluster, packed(cluster), "all-reduce", ("auto",), Adaptive(), TimeModel())
    assert set(found) == {
        "ring",
        "rings",
        "bidirectional-ring",
        "double-tree",
        "halving-doubling",
        "hierarchical",
        "nvls",
    }
    small, large = predict("all-reduce", 64, (8.0, 2.0**33), found, TimeModel(), best_only=True)
    steps = {name: cost.network_steps + cost.scale_up_steps for name, cost in found.items()}
    assert steps[small.algorithm] < steps["ring"]
    assert found[large.algorithm].seconds_per_byte == min(cost.seconds_per_byte for cost in found.values())
    assert small.protocol == "LL"
    assert large.protocol == "Simple"
    every = predict("all-reduce", 64, (8.0,), found, TimeModel(), best_only=False)
    assert min(row.time_s for row in every) == small.time_s
    with_sharp = costs(cluster, packed(cluster), "all-reduce", ("auto",), Adaptive(), TimeModel(), in_network=True)
    assert "sharp" in with_sharp


def test_the_fit_finds_what_made_the_times():
    cost = Cost(1e-11, 0.0, 0.0, 0.0)
    sizes = 2.0 ** np.arange(3, 34)
    base, efficiency = fit(sizes, 20e-6 + sizes * cost.seconds_per_byte / 0.7, cost)
    assert (base, efficiency) == (pytest.approx(20e-6), pytest.approx(0.7))
    with pytest.raises(InputError, match="at least two sizes"):
        fit(np.array([1.0, 1.0]), np.array([1.0, 1.0]), cost)
    with pytest.raises(InputError, match="do not grow"):
        fit(np.array([1.0, 1e9]), np.array([1.0, 0.5]), cost)


H100 = """
[fabric]
name = "h100"
hosts = 2
gpus_per_host = 8
gpu_gbps = 400
technology = "infiniband"
[leaf]
radix = 64
port_gbps = 400
[spine]
radix = 64
port_gbps = 400
[scale_up]
hosts_per_domain = 1
gpu_gbps = 3600
"""


def test_measured_beside_predicted(tmp_path):
    """8 H100, 450 GB/s of NVLink each way: measured 480 GB/s of busbw, a ring can have 450, NVLS 700."""
    (tmp_path / "h100.toml").write_text(H100)
    options = ("busbw", "h100.toml", "--gpus", "8", "--sizes", "1GiB", "--figure", "b.svg", "--algorithm", "ring")
    measured = ("--measured", DATA / "allreduce_8gpu_dgxc.txt")
    document = answer(*options, *measured, cwd=tmp_path)
    assert document["rows"][0]["busbw_GBps"] == pytest.approx(450, rel=0.02)
    rows = document["measured"]["rows"]
    assert len(rows) == 32
    assert all(row["ratio"] == pytest.approx(row["time_s"] / row["measured_time_s"]) for row in rows)
    assert rows[-1]["ratio"] == pytest.approx(1.07, abs=0.01)
    assert 10e-6 < document["measured"]["fitted_base_s"] < 30e-6
    assert 0.8 < document["measured"]["fitted_efficiency"] < 1.1
    assert (tmp_path / "b.svg").read_text().startswith("<?xml")
    done = railscope("busbw", "hgx-b200-64", "--sizes", "1MiB:4MiB", cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert lines[1].startswith("size (B)\tcount\ttype\tredop\troot\ttime (us)\talgbw (GB/s)\tbusbw (GB/s)")
    assert [line.split("\t")[0] for line in lines[2:5]] == ["1048576", "2097152", "4194304"]
    assert any(line.startswith("# auto: ") for line in lines)


def test_protocols_are_those_of_the_source():
    assert [one.name for one in PROTOCOLS] == ["LL", "LL128", "Simple"]
    assert all(0 < one.efficiency <= 1 for one in PROTOCOLS)
    with pytest.raises(InputError, match="time model"):
        TimeModel(wire_efficiency=1.5)


def test_loads_takes_the_fastest_and_says_why(tmp_path):
    options = ("loads", "hgx-b200-64", "--collective", "all-reduce", "--algorithm", "auto")
    small = answer(*options, "--size", "8B", cwd=tmp_path)
    large = answer(*options, "--size", "1GiB", cwd=tmp_path)
    assert small["traffic"]["algorithm"] != large["traffic"]["algorithm"]
    for document in (small, large):
        name = document["traffic"]["algorithm"]
        assert any(line.startswith(f"algorithm: {name}, the fastest by the model") for line in document["assumptions"])


def test_your_own_latencies(tmp_path, cluster):
    """A direct all-to-all of 64: one step, 63 messages."""
    own = ("--base-latency-us", "20", "--step-latency-us", "5", "--efficiency", "0.5", "--message-overhead-ns", "100")
    options = ("busbw", "hgx-b200-64", "--collective", "all-to-all", "--algorithm", "direct", "--sizes", "1GiB")
    (row,) = answer(*options, *own, cwd=tmp_path)["rows"]
    wire = 4096 / (4096 + 26)
    expected = 20e-6 + 5e-6 + 63 * 100e-9 + 56 / 64 * 2**30 * 8 / 400e9 / wire / 0.5
    assert row["time_s"] == pytest.approx(expected)
    assert railscope(*options, "--efficiency", "0.5", cwd=tmp_path).returncode == 2


def test_a_chain_is_as_long_as_the_group(cluster):
    """A ring broadcast passes 63 sends one after the other, 7 of them between hosts."""
    size = 2.0**30
    schedule = collective_schedule("broadcast", Groups.consecutive(64, 64), size, "ring")
    assert schedule.n_steps == 63
    cost = cost_of(schedule, schedule_loads(cluster, schedule, packed(cluster)), packed(cluster), size, PLAIN)
    assert (cost.network_steps, cost.scale_up_steps) == (pytest.approx(7), pytest.approx(56))
