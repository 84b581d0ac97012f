"""``--format``: a format that is named goes before the one that a file looks like."""

import json

import pytest

from tests.fabric.commands.test_options import FABRIC, ran
from tests.shared_data import TWINS
from tests.traces import test_pytorch_et
from tests.traces.test_simai_workload import BARE, HEADER, workload

RESNET = str(TWINS / "resnet_2rank_rank0.json.gz")
COMMANDS = {
    "trace": ["FILE"],
    "loads": ["tiny.toml", "--gpus", "4", "--trace", "FILE"],
    "replay": ["tiny.toml", "--gpus", "4", "--trace", "FILE"],
    "busbw": ["tiny.toml", "--gpus", "4", "--trace", "FILE"],
    "compare": ["tiny.toml", "--gpus", "4", "--no-figure", "--trace", "FILE"],
}
# Of an all-gather of 4 ranks, 400 MB: a number that says whether that is a rank's shard or all of it.
SHARD = {
    "trace": lambda document: document["totals"][0]["bytes_per_rank"] / 400e6,
    "loads": lambda document: document["summary"]["total_bytes"] / (3 * 4 * 400e6),
    "replay": lambda document: document["operations"][0]["bytes"] / 400e6,
    "busbw": lambda document: document["rows"][0]["size"] / 1600e6,
    "compare": lambda document: document["ladder"][0]["time_s"] / (3 * 400e6 * 8 / 400e9),
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "tiny.toml").write_text(FABRIC)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def arguments(command, path):
    return [command, *(str(path) if word == "FILE" else word for word in COMMANDS[command])]


@pytest.mark.parametrize("command", COMMANDS)
def test_it_says_whose_a_workload_is(here, monkeypatch, capsys, command):
    """SimAI and ASTRA-sim write the same row: the whole output of an all-gather, or a rank's shard."""
    path = here / "workload.txt"
    path.write_text(workload(BARE, ["x -1 1 ALLGATHER 400000000 1 NONE 0 1 NONE 0 1"]))
    status, _, errors = ran(arguments(command, path), monkeypatch, capsys)
    assert status == 1
    assert "--format simai or --format astra-sim says which" in errors
    found = {}
    for name in ("simai", "ASTRA-SIM"):
        status, out, errors = ran([*arguments(command, path), "--json", "--format", name], monkeypatch, capsys)
        assert status == 0, errors
        found[name] = SHARD[command](json.loads(out))
    assert found == {"simai": pytest.approx(0.25), "ASTRA-SIM": pytest.approx(1.0)}


def test_it_goes_before_what_a_file_looks_like(here, monkeypatch, capsys):
    known = here / "known.txt"
    known.write_text(workload(HEADER, ["x -1 1 ALLGATHER 8 1 NONE 0 1 NONE 0 1"]))
    sizes = []
    for more in ([], ["--format", "simai"], ["--format", "astra-sim"]):
        status, out, errors = ran(["trace", str(known), "--json", *more], monkeypatch, capsys)
        assert status == 0, errors
        sizes.append(json.loads(out)["operations"][0]["bytes_per_rank"])
    assert sizes == [4.0, 4.0, 8.0]
    # Of no format by its beginning.
    whole = test_pytorch_et.trace(test_pytorch_et.record("allreduce"))
    odd = here / "odd.json"
    odd.write_text(json.dumps({"pid": 1, "schema": whole["schema"], "nodes": whole["nodes"]}))
    status, _, errors = ran(["trace", str(odd)], monkeypatch, capsys)
    assert status == 1
    assert "odd.json: unknown kind of file; expected a trace" in errors
    assert ran(["trace", str(odd), "--format", "pytorch-et"], monkeypatch, capsys)[0] == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_name_is_answered_with_the_nearest(here, monkeypatch, capsys, command):
    status, out, errors = ran([*arguments(command, RESNET), "--format", "kinetto"], monkeypatch, capsys)
    assert (status, out) == (2, "")
    assert errors.count("\n") == 1
    assert "'kinetto' is unknown; did you mean kineto?" in errors


@pytest.mark.parametrize(
    "name",
    [
        "pytorch-et",
        "flight-recorder",
        "nccl-log",
        "nccl-inspector",
        "chakra",
        "chakra-json",
        "simai",
        "astra-sim",
        "goal",
    ],
)
@pytest.mark.parametrize("command", ["trace", "loads"])
def test_a_file_of_another_format_is_one_line(here, monkeypatch, capsys, command, name):
    status, out, errors = ran([*arguments(command, RESNET), "--format", name], monkeypatch, capsys)
    assert (status, out) == (1, "")
    assert errors.count("\n") == 1
    assert f"railscope: error: {RESNET}" in errors
    assert errors.endswith("; the file looks like PyTorch profiler (Kineto) JSON, format kineto\n")


def test_every_format_refuses_what_is_of_none(here, monkeypatch, capsys):
    path = here / "hello.txt"
    path.write_text("hello\n")
    status, _, errors = ran(["trace", str(path), "--format", "kineto"], monkeypatch, capsys)
    assert status == 1
    assert errors.startswith(f"railscope: error: {path}:1: not JSON")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["loads", "tiny.toml", "--collective", "all-reduce", "--format", "goal"], "--format goes with --trace"),
        (["busbw", "tiny.toml", "--format", "goal"], "--format goes with --trace"),
        (["busbw", "tiny.toml", "--fill-ranks"], "--fill-ranks goes with --trace"),
        (["loads", "tiny.toml", "--demand", "x", "--format", "goal"], "--format: goes with --collective"),
    ],
)
def test_without_a_trace_it_is_refused(here, monkeypatch, capsys, words, said):
    status, _, errors = ran(words, monkeypatch, capsys)
    assert status == 2
    assert said in errors
    assert errors.count("\n") == 1
