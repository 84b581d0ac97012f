"""Every option of every command with what nobody should give: one line, an exit status, no traceback."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from fabric.commands.app import app, run
from tests.fabric.commands.test_cli import railscope

ROOT = Path(__file__).parents[3]
ODD = [
    "nan",
    "inf",
    "-1",
    "0",
    "1e18",
    "9" * 5000,
    "1_000",
    "１２",
    "٣",
    "\udcff",
    "[/x]",
    "\x1b]0;x\x07",
    "../" * 90,
    "=",
]
FABRIC = """
[fabric]
name = "tiny"
hosts = 2
gpus_per_host = 2
gpu_gbps = 400.0
[leaf]
radix = 4
port_gbps = 400.0
[spine]
radix = 4
port_gbps = 400.0
"""
ARGUMENTS = {
    "loads": ["tiny.toml", "--collective", "all-reduce", "--size", "1MiB"],
    "compare": ["tiny.toml", "--collective", "all-to-all", "--no-figure"],
    "busbw": ["tiny.toml", "--sizes", "1MiB"],
    "explain": ["tiny.toml", "--collective", "all-to-all"],
    "faults": ["tiny.toml", "--collective", "all-to-all", "--trials", "2"],
    "advise": ["tiny.toml", "--collective", "all-reduce", "--size", "1MiB"],
    "step": ["llama-3.1-8b", "tiny.toml", "--no-levers"],
    "scale": ["llama-3.1-8b", "--fabric", "tiny.toml", "--gpus", "4", "--no-levers"],
    "place": ["llama-3.1-8b", "tiny.toml"],
    "replay": ["tiny.toml", "--trace", "flows.csv"],
    "rates": ["tiny.toml", "--demand", "flows.csv"],
    "counters": ["tiny.toml", "--delta", "flows.csv"],
    "trace": ["flows.csv"],
    "report": ["scenario.toml", "-o", "r.html"],
    "sweep": ["scenario.toml"],
    "schema": ["loads"],
    "list": [],
    "show": ["tiny.toml"],
    "check": ["tiny.toml"],
    "export": ["tiny.toml", "x.json"],
    "reroute": ["tiny.toml", "x.lfts"],
}


def commands():
    group = typer.main.get_command(app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        yield from ((["fabric", each], one) for each, one in below.items()) if below else [([name], command)]


def options():
    for path, command in commands():
        for parameter in command.params:
            names = [name for name in parameter.opts if name.startswith("--")]
            if names and not getattr(parameter, "is_flag", False) and names[0] not in ("--help",):
                yield pytest.param(path, names[0], id=f"{path[-1]} {names[0]}")


# Rerouting runs another program.
OPTIONS = [one for one in options() if one.values[0][-1] != "reroute"]


def ran(arguments, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["railscope", *arguments])
    status: int | str = 0
    try:
        run()
    except SystemExit as end:
        status = 0 if end.code is None else end.code
    out, errors = capsys.readouterr()
    return status, out, errors


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "tiny.toml").write_text(FABRIC)
    (tmp_path / "scenario.toml").write_text("[fabric]\nname = 'tiny.toml'\n[traffic]\ncollective = 'all-to-all'\n")
    (tmp_path / "flows.csv").write_text("src,dst,bytes\n0,1,1MB\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MPLBACKEND", raising=False)
    return tmp_path


def odd_values(path, option):
    """All of them for an option that two commands have at most; of one that many share a third each, all together."""
    sharing = [one.values[0] for one in OPTIONS if one.values[1] == option]
    return ODD if len(sharing) < 3 else ODD[sharing.index(path) % 3 :: 3]


def test_what_commands_share_is_tried_whole():
    for option in {one.values[1] for one in OPTIONS}:
        sharing = [one.values[0] for one in OPTIONS if one.values[1] == option]
        assert {value for path in sharing for value in odd_values(path, option)} == set(ODD)


@pytest.mark.parametrize(("path", "option"), OPTIONS)
def test_odd_values_are_refused_in_one_line_or_mean_something(here, monkeypatch, capsys, path, option):
    for value in odd_values(path, option):
        status, out, errors = ran([*path, *ARGUMENTS[path[-1]], option, value], monkeypatch, capsys)
        assert status in (0, 1, 2, 3), (value[:20], status)
        lines = errors.splitlines()
        assert not any(line.startswith("Traceback") for line in lines)
        if status in (1, 2):
            assert len(lines) == 1, (value[:20], errors)
            assert lines[0].startswith("railscope: error: ")
            assert len(lines[0]) <= 600, (value[:20], len(lines[0]))
        assert errors.isprintable() or all(line.isprintable() for line in lines)
        assert "\x1b" not in out
        for name in os.listdir(here):
            if name not in ("tiny.toml", "flows.csv", "scenario.toml"):
                shutil.rmtree(here / name) if (here / name).is_dir() else (here / name).unlink()


NUMBERS = ["nan", "inf", "-inf", "1_000", "１２", "9" * 5000, "1e999", "0x10", "39.620.02"]


@pytest.mark.parametrize("value", NUMBERS)
@pytest.mark.parametrize(
    "option",
    ["--nvlink-gbps", "--mesh-gbps", "--max-imbalance", "--max-over-bound", "--min-busbw", "--max-time", "--gpus", "--group",
     "--queue-pairs", "--seed", "--channels", "--max-regression", "--size"],
)  # fmt: skip
def test_what_is_no_number_is_refused(here, monkeypatch, capsys, option, value):
    status, _, errors = ran(["loads", *ARGUMENTS["loads"], option, value], monkeypatch, capsys)
    assert status in (1, 2)
    assert errors.count("\n") == 1


def test_a_group_of_nobody_is_none():
    import railscope as rs

    with pytest.raises(rs.InputError, match="groups: 0 ranks each; expected 1 or more"):
        rs.Collective("all-reduce", group=0)


@pytest.mark.parametrize("columns", ["0", "-5", "abc", "1", "7"])
def test_columns_that_are_none(here, columns):
    master, slave = os.openpty()
    with subprocess.Popen(
        [sys.executable, str(ROOT / "railscope.py"), "fabric", "show", "tiny.toml"],
        env={**os.environ, "COLUMNS": columns, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=subprocess.PIPE,
        cwd=here,
    ) as process:
        os.close(slave)
        out = b""
        # A terminal that nobody writes to any more cannot be read.
        with contextlib.suppress(OSError):
            while data := os.read(master, 65536):
                out += data
        os.close(master)
        assert process.stderr is not None
        assert (process.wait(60), process.stderr.read()) == (0, b"")
    assert b"endpoints       4" in out


NAMES = [
    "leaf[row7]",
    "[/x]",
    "a\x1b[31mb",
    "tab\tnew\nline",
    "机架 $x_1$",
    "=1+1",
    "\u202egnp",
    "x" * 3000,
    "\ud800half",
]


def named_fabric(folder, names):
    import json

    nodes = [{"id": name, "kind": "endpoint", "host": n} for n, name in enumerate(names)] + [
        {"id": "sw[0]", "kind": "switch"}
    ]
    edges = [
        {"source": a, "target": b, "key": 0, "capacity_gbps": 100.0}
        for name in names
        for a, b in ((name, "sw[0]"), ("sw[0]", name))
    ]
    path = folder / "named.json"
    path.write_text(json.dumps({"directed": True, "multigraph": True, "graph": {}, "nodes": nodes, "edges": edges}))
    return str(path)


def test_names_are_shown_whole_and_obeyed_by_nothing(here, tmp_path):
    path = named_fabric(tmp_path, NAMES)
    done = railscope(
        "loads", path, "--collective", "all-to-all", "--csv", "x.csv", "--figure", "x.png", "--top", "99", cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (
        0,
        "railscope: wrote x.png\nrailscope: wrote x.csv\n",
    ) or done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stdout
    assert "sw[0]" in done.stdout
    rows = (tmp_path / "x.csv").read_text().splitlines()
    assert any(row.startswith("'=1+1,") for row in rows)
    document = railscope("loads", path, "--collective", "all-to-all", "--json", cwd=tmp_path)
    import json

    assert json.loads(document.stdout)["fabric"]["endpoints"] == len(NAMES)
    exported = railscope("fabric", "export", path, "x.graphml", cwd=tmp_path)
    assert exported.returncode == 0
    import xml.etree.ElementTree as ElementTree

    assert ElementTree.parse(tmp_path / "x.graphml").getroot() is not None


@pytest.mark.parametrize("stream", ["> /dev/full", ">&-", "2>&-", "< /dev/null 2>&-"])
@pytest.mark.parametrize("command", ["fabric list", "schema loads", "loads tiny.toml --collective all-reduce --json"])
def test_streams_that_are_full_or_closed(here, stream, command):
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} {ROOT / 'railscope.py'} {command} {stream}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        cwd=here,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if stream.startswith(">"):
        assert done.returncode == 1
        assert done.stderr.startswith("railscope: error: standard output")
        assert done.stderr.count("\n") == 1
    else:
        assert done.returncode == 0
        assert done.stdout


@pytest.mark.parametrize(
    ("variables", "status"),
    [
        ({"NUMBA_NUM_THREADS": "0"}, 1),
        ({"NUMBA_NUM_THREADS": "abc"}, 1),
        ({"MPLBACKEND": "nonsense"}, 0),
        ({"MPLBACKEND": "TkAgg", "DISPLAY": ""}, 0),
        ({"PYTHONIOENCODING": "ascii"}, 0),
        ({"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, 0),
    ],
)
def test_environments(here, tmp_path, variables, status):
    path = named_fabric(tmp_path, ["机架", "b"])
    done = subprocess.run(
        [sys.executable, str(ROOT / "railscope.py"), "loads", path, "--collective", "all-to-all", "--figure", "x.png"],
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        cwd=here,
        timeout=120,
    )
    assert done.returncode == status, done.stderr
    assert b"Traceback" not in done.stderr


TOML_ODD = [
    ("hosts = 2", "hosts = " + "9" * 5000),
    ("hosts = 2", "hosts = 1000000000000000000"),
    ("gpus_per_host = 2", "gpus_per_host = 1000000000000000000"),
    ("radix = 4", "radix = 1000000000000000000"),
    ("gpu_gbps = 400.0", "gpu_gbps = 1e308"),
    ("gpu_gbps = 400.0", "gpu_gbps = nan"),
    ('name = "tiny"', f'name = "{"x" * 300_000}"\nnonsense = 1'),
    ('name = "tiny"', "name = " + "[" * 5000),
    ("hosts = 2", "hosts = 1_000_000_000"),
]


@pytest.mark.parametrize(("old", "new"), TOML_ODD)
def test_descriptions_that_cannot_be_built(here, old, new):
    (here / "tiny.toml").write_text(FABRIC.replace(old, new, 1))
    done = railscope("loads", "tiny.toml", "--collective", "all-reduce", cwd=here)
    assert done.returncode == 1
    assert done.stderr.startswith("railscope: error: ")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 500
