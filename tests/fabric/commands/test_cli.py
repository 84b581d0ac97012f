"""The command line as a user meets it: answers, exit codes, one-line refusals."""

import contextlib
import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from collectives import parse_bytes
from fabric.commands.app import run
from tests.fabric.builders.test_clos import PRESETS
from tests.shared_data import TWINS

ROOT = Path(__file__).parents[3]
RESNET = TWINS / "resnet_2rank_rank0.json.gz"
DLRM = TWINS / "dlrm" / "worker0.json.gz"

# Hashes collide here; in hgx-b200-64, a part of a unit, there are cables to spare.
TIGHT = ROOT / "examples" / "tight-64.toml"


def railscope(*arguments, cwd=None, alone=False):
    """The command line, in this process: starting Python takes longer than most commands; `alone`: in one of its own."""
    words = [sys.executable, "-m", "railscope", *map(str, arguments)]
    if alone:
        return subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    out, errors = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)}
    status: int | str | None = 0
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(sys, "argv", ["railscope", *words[3:]])
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", errors)
        patch.setenv("MPLBACKEND", "agg")
        if cwd is not None:
            stack.enter_context(contextlib.chdir(cwd))
        try:
            run()
        except SystemExit as end:
            status = end.code
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    texts = (stream.buffer.getvalue().decode("utf-8", "backslashreplace") for stream in (out, errors))
    code = status if isinstance(status, int) else int(status is not None)
    return subprocess.CompletedProcess(words, code, *texts)


def answer(*arguments, cwd=None, code=0):
    done = railscope(*arguments, "--json", cwd=cwd)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_loads_of_a_collective(here):
    document = answer("loads", "hgx-b200-64", "--collective", "all-to-all", "--size", "64MiB", "--csv", "links.csv")
    assert document["schema"] == "railscope.loads/2"
    assert list(document["summary"]) == ["bottleneck_time_s", "algbw_GBps", "busbw_GBps", "total_bytes"]
    assert {"fabric", "traffic", "routing", "tiers", "hotspots", "assumptions"} <= set(document)
    # 56 of 64 peers are behind the NIC of 400 Gb/s.
    size = parse_bytes("64MiB")
    time_s = size * 56 / 64 * 8 / 400e9
    assert document["summary"]["bottleneck_time_s"] == pytest.approx(time_s)
    assert document["summary"]["algbw_GBps"] == pytest.approx(size / time_s / 1e9)
    assert document["summary"]["busbw_GBps"] == pytest.approx(size * 63 / 64 / time_s / 1e9)
    assert document["summary"]["total_bytes"] == pytest.approx(64 * 63 / 64 * size)
    with open("links.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    header = "tail,tail_port,head,head_port,kind,tier,direction,rail,plane,capacity_gbps,bytes"
    assert ",".join(rows[0]) == header
    assert len(rows) == document["fabric"]["links"]
    assert sum(float(row["bytes"]) for row in rows) == pytest.approx(sum(tier["bytes"] for tier in document["tiers"]))
    up = next(row for row in rows if row["tail"] == "h0003g5" and row["kind"] == "nic")
    assert (up["head"], up["head_port"], up["tier"], up["direction"], up["rail"]) == ("r5-l00", "4", "1", "up", "5")
    assert float(up["bytes"]) == pytest.approx(56 / 64 * size)


def test_loads_of_a_trace(here):
    document = answer("loads", "hgx-b200-64", "--trace", RESNET)
    assert document["summary"]["algbw_GBps"] is None
    nvlink = [tier["bytes"] for tier in document["tiers"] if tier["name"] == "NVLink" and tier["direction"] == "up"]
    assert nvlink == [pytest.approx(2 * 306_000_000 + 636_000 + 1_200)]
    assert any("root" in line for line in document["assumptions"])


def test_loads_of_explicit_flows(here):
    Path("flows.csv").write_text("src,dst,bytes\nh0000g0,h0001g0,50GB\n0,63,50e9\n")
    document = answer("loads", "hgx-b200-64", "--demand", "flows.csv")
    assert document["summary"]["bottleneck_time_s"] == pytest.approx(2.0)
    assert document["bottleneck"]["name"] == "h0000g0 port 1 -> r0-l00 port 1"


def test_loads_over_an_exported_fabric_are_the_same(here):
    assert railscope("fabric", "export", TIGHT, "f.json").returncode == 0
    graph = nx.node_link_graph(json.loads(Path("f.json").read_text()), edges="edges")
    assert graph.number_of_edges() == 384
    options = ("--collective", "all-reduce", "--size", "1GB", "--routing", "ecmp", "--placement", "scattered")
    one, two = (answer("loads", fabric, *options) for fabric in (TIGHT, "f.json"))
    assert one["tiers"] == two["tiers"]


def test_hash_seeds_give_a_distribution(here):
    options = ("--collective", "all-to-all", "--group", "16", "--placement", "scattered", "--routing", "ecmp")
    document = answer("loads", TIGHT, *options, "--seeds", "9", "--seed", "4")
    seeds = document["hash_seeds"]
    times = seeds["time_s"]["values"]
    assert len(times) == 9
    assert times[0] == document["summary"]["bottleneck_time_s"]
    assert seeds["time_s"]["p50"] == sorted(times)[4]
    assert seeds["time_s"]["worst"] == max(times) == seeds["time_s"]["p99"]
    assert len(set(times)) > 1
    assert seeds["imbalance"]["worst"] >= seeds["imbalance"]["p50"] > 1


def test_threads_and_repeats_give_the_same_bytes(here):
    options = ("loads", "hgx-b200-64", "--collective", "all-to-all", "--routing", "ecmp", "--json")
    outputs = {railscope(*options, "--threads", str(n)).stdout for n in (1, 2, 2)}
    assert len(outputs) == 1


def test_compare_prints_the_ladder_and_draws_one_figure(here):
    done = railscope("compare", TIGHT, "--size", "1GiB")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("# The rail-aware design is 1.26 times faster than the naive one")
    assert lines[1] == "# tight-64: all-to-all of 1 GiB, 1 group of 64"
    assert [line.split("\t")[0] for line in lines[2:8]] == [
        "step",
        "naive",
        "+wiring",
        "+transport",
        "+placement",
        "+routing",
    ]
    assert os.listdir() == ["railscope-tight-64-all-to-all.png"]
    assert Path(os.listdir()[0]).read_bytes().startswith(b"\x89PNG")
    document = answer("compare", TIGHT, "--figure", "two.svg", "--group", "16")
    assert document["figure"] == "two.svg"
    steps = document["ladder"]
    assert [step["design"]["wiring"] for step in steps] == ["host", "rail", "rail", "rail", "rail"]
    assert steps[-1]["design"]["routing"] == {"policy": "adaptive"}
    parts = {tuple(step["design"][key] for key in ("endpoints", "switches", "cables")) for step in steps}
    assert parts == {(64, 12, 192)}
    assert np.prod([step["gain"] for step in steps[1:]]) == pytest.approx(steps[0]["time_s"] / steps[-1]["time_s"])


def test_trace_says_what_is_in_it(here):
    document = answer("trace", RESNET)
    totals = {(row["kind"], row["dtype"]): (row["operations"], row["bytes_per_rank"]) for row in document["totals"]}
    assert totals["all-reduce", "Float"] == (15, 306_000_000)
    assert document["ignored"] == {"wait records": 6}
    done = railscope("trace", DLRM)
    # Nothing read is no success.
    assert done.returncode == 1
    assert "13 communication events have no sizes" in done.stdout
    assert railscope("trace", RESNET, "--csv", "ops.csv").returncode == 0
    assert len(Path("ops.csv").read_text().splitlines()) == 22


@pytest.mark.parametrize(("preset", "gpus", "measured"), [("mi300x-64", 16, 358.37), ("mi355x-64", 16, 370.34)])
def test_all_reduce_over_meshes_is_about_as_fast_as_was_measured(preset, gpus, measured):
    """Two hosts, rccl-tests on BM.GPU.MI300X.8 and BM.GPU.MI355X (oracle-quickstart); a switch would predict 1.43 x."""
    document = answer(
        "busbw", preset, "--collective", "all-reduce", "--gpus", gpus, "--algorithm", "auto", "--sizes", "16GiB"
    )
    assert 1.0 <= document["rows"][0]["busbw_GBps"] / measured <= 1.1


def test_fabric_list_and_show(here):
    names = [preset["name"] for preset in answer("fabric", "list")["presets"]]
    assert names == sorted(PRESETS)
    document = answer("fabric", "show", "gb300-8192")
    assert (document["endpoints"], document["hosts"], document["nvlink_domains"]) == (9216, 2304, 128)
    assert document["oversubscription"][0]["oversubscription"] == pytest.approx(1.0)
    assert document["assumptions"]


TOML = (
    '[fabric]\nname="t"\nhosts=8\ngpus_per_host=4\ngpu_gbps=400\n[leaf]\nradix=16\nport_gbps=400\n[spine]\nradix=16\n'
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["loads", "gb300-8129", "--collective", "all-reduce"],
            "gb300-8129: neither a preset nor a file; did you mean gb",
        ),
        (
            ["loads", "t.toml", "--collective", "all-reduce"],
            "t.toml: spine.port_gbps: missing; expected a finite number > 0",
        ),
        (["loads", "two.json", "--demand", "flows.csv"], "no path from a to b in fabric two"),
        (["loads", "two.json", "--collective", "all-to-all"], "no path from"),
        (["loads", "hgx-b200-64", "--demand", "nan.csv"], "nan.csv:2: bytes nan: expected a finite number >= 0"),
        (["loads", "hgx-b200-64", "--demand", "range.csv"], "range.csv:2: dst 64: expected a number from 0 to 63"),
        (["loads", "hgx-b200-64", "--trace", "cut.json.gz"], "cut.json.gz: not a whole gzip file"),
        (["trace", "other.json"], "other.json: unknown kind of file; expected a trace: "),
        (["loads", "hgx-b200-64", "--trace", DLRM], "no operation with a size: found 13 communication events"),
        (["loads", "hgx-b200-64", "--collective", "all-reduce", "--size", "1.5"], "size '1.5': a size without a unit"),
        (["loads", "hgx-b200-64", "--collective", "all-reduce", "--size", "8Gb"], "size '8Gb': unknown unit"),
        (
            ["loads", "hgx-b200-64", "--collective", "all-reduce", "--gpus", "65"],
            "gpus: 65 asked, fabric hgx-b200-64 has 64",
        ),
        (["loads", "hgx-b200-64", "--collective", "all-reduce", "--group", "7"], "groups of 7: expected a size"),
        (
            ["loads", "hgx-b200-64", "--collective", "all-reduce", "--csv", "nan.csv"],
            "nan.csv: exists already; --force",
        ),
        (
            ["loads", "hgx-b200-64", "--collective", "all-reduce", "--csv", "no/x.csv"],
            "no/x.csv: folder no does not exist",
        ),
        (
            ["loads", "hgx-b200-64", "--collective", "all-reduce", "--figure", "x.gif"],
            "x.gif: expected a figure's name",
        ),
        (["compare", "hgx-b200-64", "--figure", "nan.csv"], "nan.csv: expected a figure's name"),
        (["compare", "two.json"], "in fabric two, whose switches no cable joins: expected every pair"),
        (
            ["loads", "rail-only-1024", "--collective", "all-to-all"],
            "; --transport pxn crosses rails over NVLink first",
        ),
        (["fabric", "export", "hgx-b200-64", "two.json"], "two.json: exists already; --force overwrites it"),
        (["fabric", "show", "nan.csv"], "nan.csv: unknown kind of file; expected a fabric: TOML"),
    ],
    ids=lambda value: " ".join(map(str, value))[:40] if isinstance(value, list) else "",
)
def test_refuses_in_one_line_and_writes_nothing(here, arguments, message):
    nodes = [{"id": name, "kind": "endpoint"} for name in "ab"] + [{"id": name, "kind": "switch"} for name in "xy"]
    cables = [("a", "x"), ("x", "a"), ("b", "y"), ("y", "b")]
    edges = [{"source": tail, "target": head, "key": 0, "capacity_gbps": 100} for tail, head in cables]
    two = {"directed": True, "multigraph": True, "graph": {"name": "two"}, "nodes": nodes, "edges": edges}
    Path("two.json").write_text(json.dumps(two))
    Path("flows.csv").write_text("src,dst,bytes\na,b,1\n")
    Path("nan.csv").write_text("src,dst,bytes\n0,1,nan\n")
    Path("range.csv").write_text("src,dst,bytes\n0,64,1\n")
    Path("cut.json.gz").write_bytes(gzip.compress(b'{"traceEvents": []}')[:-5])
    Path("other.json").write_text('{"hello": [1, 2]}')
    Path("t.toml").write_text(TOML)
    before = {path: path.read_bytes() for path in here.iterdir()}
    done = railscope(*arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("railscope: error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert {path: path.read_bytes() for path in here.iterdir()} == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["loads", "hgx-b200-64"],
        ["loads", "hgx-b200-64", "--collective", "all-reduce", "--routing", "magic"],
        ["loads", "hgx-b200-64", "--collective", "all-reduce", "--seeds", "3"],
        ["loads", "hgx-b200-64", "--trace", RESNET, "--group", "2"],
        ["loads", "hgx-b200-64", "--collective", "all-reduce", "--routing", "lft"],
        ["loads", "hgx-b200-64", "--demand", "x.csv", "--collective", "all-reduce"],
        ["loads", "gb300-2048", "--collective", "all-reduce", "--hosts", "h0001", "--gpus-per-domain", "4"],
        ["compare", "hgx-b200-64", "--hosts", "h0001"],
        ["fabric", "reroute", "hgx-b200-64", "x", "--engine", "magic"],
        ["loads", "hgx-b200-64", "--collective", "all-reduce", "--queue-pairs", "0"],
        ["loads"],
        ["nonsense"],
    ],
)
def test_usage_is_exit_2(arguments):
    done = railscope(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("railscope: error: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_misspelt_choice_is_answered_with_the_nearest():
    done = railscope("loads", "hgx-b200-64", "--collective", "allreduce")
    assert done.returncode == 2
    assert "--collective" in done.stderr
    assert "did you mean all-reduce?" in done.stderr
    assert "unknown" not in railscope("loads", "nowhere", "--collective", "ALL-REDUCE").stderr


def test_a_crossed_threshold_is_exit_3(here):
    options = ("loads", "hgx-b200-64", "--collective", "all-to-all", "--routing", "ecmp", "--group", "16")
    scattered = ("--placement", "scattered")
    assert railscope(*options, *scattered, "--max-imbalance", "1.01").returncode == 3
    assert railscope(*options, *scattered, "--max-imbalance", "50").returncode == 0


@pytest.mark.parametrize(
    "command",
    [["loads"], ["compare"], ["busbw"], ["rates"], ["counters"], ["trace"], ["report"], ["schema"], ["advise"]]
    + [["fabric", name] for name in ("list", "show", "check", "export", "reroute")],
)
def test_every_command_shows_an_example(command):
    done = railscope(*command, "--help")
    assert done.returncode == 0
    assert f"railscope {' '.join(command)}" in done.stdout.split("Example")[1]
    assert max(map(len, done.stdout.splitlines())) <= 80


IB = ROOT / "tests" / "data" / "infiniband"
HURT = [IB / "hurt512-updn.ibnetdiscover.gz", "--lfts", IB / "hurt512-updn.lfts.gz"]


def test_loads_over_real_tables(here):
    document = answer("loads", *HURT, "--collective", "all-to-all", "--hosts", "h00[00-15]", "--csv", "l.csv")
    assert document["routing"]["policy"] == "lft"
    assert document["placement"]["ranks"] == 128
    assert document["unrouted"] == {"pairs": 0, "bytes": 0.0}
    with open("l.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    busiest = max(rows, key=lambda row: float(row["bytes"]) / float(row["capacity_gbps"]))
    assert document["bottleneck"]["name"] == (
        f"{busiest['tail']} port {busiest['tail_port']} -> {busiest['head']} port {busiest['head_port']}"
    )
    spread = answer("loads", *HURT, "--collective", "all-to-all", "--hosts", "h00[00-15]", "--routing", "adaptive")
    assert spread["summary"]["bottleneck_time_s"] < document["summary"]["bottleneck_time_s"]
    # Any other traffic goes the same way.
    Path("flows.csv").write_text("src,dst,bytes\nh0000r0,h0063r7,1GB\n")
    assert answer("loads", *HURT, "--demand", "flows.csv")["summary"]["bottleneck_time_s"] == pytest.approx(0.8)
    trace = answer("loads", *HURT, "--trace", RESNET, "--nvlink-gbps", "7200")
    assert sum(tier["bytes"] for tier in trace["tiers"] if tier["kind"] == "isl") == 0
    meshed = answer("loads", *HURT, "--trace", RESNET, "--mesh-gbps", "3584")
    assert (meshed["tiers"][0]["name"], meshed["tiers"][0]["direction"]) == ("GPU mesh", "peer")
    assert sum(tier["bytes"] for tier in meshed["tiers"] if tier["kind"] == "isl") == 0


def broken_tables():
    text = gzip.decompress((IB / "hurt512-updn.lfts.gz").read_bytes()).decode()
    head, table, rest = text.partition("('leaf1'):\n")
    lines = rest.split("\n")
    gone = next(n for n, line in enumerate(lines) if "'h0040r0'" in line)
    del lines[gone]
    Path("broken.lfts").write_text(head + table + "\n".join(lines))
    return [HURT[0], "--lfts", "broken.lfts"]


def test_pairs_without_a_route_are_never_dropped_silently(here):
    broken = broken_tables()
    job = ("--collective", "all-to-all")
    done = railscope("loads", *broken, *job)
    assert (done.returncode, done.stdout) == (1, "")
    assert "broken.lfts: no route from h0" in done.stderr
    document = answer("loads", *broken, *job, "--skip-unrouted")
    assert document["unrouted"]["pairs"] > 0
    assert "left out: no route" in railscope("loads", *broken, *job, "--skip-unrouted").stdout
    found = answer("fabric", "check", *broken, code=1)
    (finding,) = [finding for finding in found["findings"] if finding["severity"] == "error"]
    assert (finding["kind"], finding["count"]) == ("no entry", document["unrouted"]["pairs"])
    done = railscope("fabric", "check", *broken)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert railscope("fabric", "check", *HURT).returncode == 0


def test_compare_of_routings(here):
    document = answer("compare", *HURT, "--group", "512", "--figure", "r.png")
    assert [routing["routing"]["policy"] for routing in document["routings"]] == ["lft", "dmodk", "adaptive", "ecmp"]
    times = [routing["summary"]["bottleneck_time_s"] for routing in document["routings"]]
    assert [routing["gain"] for routing in document["routings"]] == pytest.approx([times[0] / time for time in times])
    assert min(times) == times[2]
    assert Path("r.png").read_bytes().startswith(b"\x89PNG")


def test_a_jobs_hosts_by_topology_conf(here):
    Path("topology.conf").write_text("SwitchName=a Nodes=h00[00-31]\nSwitchName=b Nodes=h00[32-35]\n")
    options = ("--collective", "all-to-all", "--topology-conf", "topology.conf", "--gpus", "32", "--csv", "l.csv")
    assert railscope("loads", *HURT, *options).returncode == 0
    with open("l.csv", newline="") as file:
        senders = {row["tail"] for row in csv.DictReader(file) if row["kind"] == "nic" and float(row["bytes"]) > 0}
    assert {f"h{host:04d}r{rail}" for host in range(32, 36) for rail in range(8)} <= senders


def test_infragraph_with_loads(here):
    done = railscope("loads", TIGHT, "--collective", "all-to-all", "--infragraph", "x.infragraph.json")
    assert done.returncode == 0
    edges = json.loads(Path("x.annotations.json").read_text())["edges"]
    assert len(edges) == 192
    again = answer("fabric", "show", "x.infragraph.json")
    assert (again["endpoints"], again["nvlink_domains"]) == (64, 8)


def test_a_closed_pipe_is_silent():
    code = f"{sys.executable} -m railscope loads hgx-b200-64 --collective all-to-all --json | head -c 10"
    done = subprocess.run(code, shell=True, capture_output=True, text=True, cwd=ROOT, check=False, timeout=300)
    assert done.stderr == ""
