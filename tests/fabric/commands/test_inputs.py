"""Files that commands are given: from pipes, unreadable, not there, one for two outputs."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fabric.commands.test_cli import railscope
from tests.fabric.formats.test_infiniband import DATA

ROOT = Path(__file__).parents[3]
RAILSCOPE = f"{shlex.quote(sys.executable)} {shlex.quote(str(ROOT / 'railscope.py'))}"


def in_bash(command, cwd):
    return subprocess.run(
        ["bash", "-c", command.replace("railscope", RAILSCOPE, 1)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    "command",
    [
        "railscope fabric check <(zcat {dump})",
        "railscope fabric check /dev/stdin < <(cat {dump})",
        "zcat {dump} | railscope fabric show /dev/stdin",
        "railscope fabric check {dump} --lfts <(cat {tables})",
        "railscope loads {dump} --collective all-to-all --topology-conf <(printf 'SwitchName=a Nodes=hgx000[1-4]\\n')",
        "railscope loads hgx-b200-64 --demand <(printf 'src,dst,bytes\\n0,9,1GB\\n')",
    ],
)
def test_from_a_pipe(tmp_path, command):
    names = {"dump": DATA / "ibnetdiscover.txt.gz", "tables": DATA / "opensm-lfts.dump.gz"}
    if command.startswith("zcat"):
        first, rest = command.split("| ", 1)
        done = in_bash(f"{rest.format(**names)} < <({first.format(**names)})", tmp_path)
    else:
        done = in_bash(command.format(**names), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


FILE_OPTIONS = [
    ("loads", "hgx-b200-64", "--demand"),
    ("loads", "hgx-b200-64", "--trace"),
    ("loads", "hgx-b200-64", "--collective", "all-reduce", "--placement"),
    ("loads", str(DATA / "ibnetdiscover.txt.gz"), "--collective", "all-reduce", "--lfts"),
    ("loads", "hgx-b200-64", "--collective", "all-reduce", "--topology-conf"),
    ("loads", "hgx-b200-64", "--collective", "all-reduce", "--baseline"),
    ("busbw", "hgx-b200-64", "--measured"),
    ("rates", "hgx-b200-64", "--demand"),
    ("counters", str(DATA / "ibnetdiscover.txt.gz"), "--before", "x", "--after"),
    ("trace",),
    ("fabric", "show"),
    ("fabric", "check"),
]


@pytest.mark.parametrize("command", FILE_OPTIONS, ids=" ".join)
@pytest.mark.parametrize("kind", ["missing", "folder", "device", "long", "empty name"])
def test_what_cannot_be_read_is_one_line_and_exit_1(tmp_path, command, kind):
    (tmp_path / "folder").mkdir()
    path = {"missing": "no.file", "folder": "folder", "device": "/dev/zero", "long": "x" * 300, "empty name": ""}[kind]
    done = railscope(*command, path, cwd=tmp_path)
    if done.returncode == 2 and "No such option" in done.stderr:
        pytest.skip(f"no such option: {done.stderr}")
    assert done.returncode == (2 if kind == "empty name" else 1), done.stderr
    assert done.stderr.startswith("railscope: error: ")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 400
    assert done.stdout == ""


@pytest.mark.parametrize(
    "outputs",
    [
        ("--csv", "x.png", "--figure", "x.png"),
        ("--csv", "x.png", "--figure", "./x.png"),
        ("--csv", "x.png", "--figure", "folder/../x.png"),
        ("--csv", "x.infragraph.json", "--infragraph", "x.infragraph.json"),
    ],
)
def test_one_file_for_two_outputs_is_refused_before_the_work(tmp_path, outputs):
    (tmp_path / "folder").mkdir()
    done = railscope("loads", "hgx-b200-64", "--collective", "all-reduce", *outputs, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is the same file as" in done.stderr
    assert os.listdir(tmp_path) == ["folder"]


def test_an_empty_path_is_none(tmp_path):
    for option in ("--csv", "--figure", "--infragraph"):
        done = railscope("loads", "hgx-b200-64", "--collective", "all-reduce", option, "", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"railscope: error: {option}: is empty; expected a value, or leave it out")
        assert done.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("stream", ["/dev/stdout", "/dev/fd/1"])
def test_outputs_into_streams(tmp_path, stream):
    done = railscope("loads", "hgx-b200-64", "--collective", "all-reduce", "--csv", stream, cwd=tmp_path, alone=True)
    assert done.returncode == 0
    assert "tail,tail_port,head" in done.stdout
